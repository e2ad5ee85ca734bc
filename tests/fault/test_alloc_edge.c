/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out in the HTTP edge, for one request at a time, plain and over TLS: the answer
 * is right, or 5xx, or there is none; never "allowed" for what is refused. And for scrapes and
 * probes, and for the server's own start and end.
 */
#include "fault/alloc_libraries.h"
#include "fault/alloc_samples.h"
#include "integration/server_fixture.h"

static void *edge_open(bool tls)
{
    static struct fixture fixture;
    fixture_open(&fixture, tls);
    return &fixture;
}

static void *open_plain(void)
{
    return edge_open(false);
}

static void *open_tls(void)
{
    return edge_open(true);
}

static void edge_close(void *arg)
{
    fixture_close(arg);
}

/* One request on a connection of its own; its status, 0 where there is no answer. */
static int edge_ask(struct fixture *fixture, const char *head, const char *body,
                    struct http_reply *reply)
{
    static struct http_client client;
    memset(reply, 0, sizeof(*reply));
    if (http_client_open(&client, cleat_server_port(fixture->server), fixture->tls) &&
        http_client_text(&client, head) && http_client_text(&client, body))
        http_client_read(&client, reply, false);
    http_client_close(&client);
    return reply->status;
}

static int edge_post(struct fixture *fixture, const char *path, struct http_reply *reply)
{
    static char body[1024], head[256];
    (void)snprintf(body, sizeof(body), REVIEW, "y");
    (void)snprintf(head, sizeof(head),
                   "POST %s HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n", path,
                   strlen(body));
    return edge_ask(fixture, head, body, reply);
}

static int edge_none(int status, const struct http_reply *reply, struct cleat_err *err)
{
    if (status == 0 || status >= 500 || status == 429)
        return cleat_err_set(err, -ENOMEM, "status %d", status);
    (void)cleat_err_set(err, -EILSEQ, "%d %.200s", status, reply->body);
    return CLEAT_SWEEP_WRONG;
}

/* A handler that decides nothing is never "allowed"; one that allows is answered or isn't. */
static int run_review(void *arg, struct cleat_err *err)
{
    static struct http_reply reply;
    int status = edge_post(arg, "/fault", &reply);
    if (status == 200 || strstr(reply.body, "\"allowed\":true"))
        return edge_none(200, &reply, err);
    status = edge_post(arg, "/allow", &reply);
    if (status == 200 && strstr(reply.body, ALLOWED))
        return 0;
    return edge_none(status, &reply, err);
}

static int run_scrape(void *arg, struct cleat_err *err)
{
    static struct http_reply reply;
    int status = edge_ask(arg, "GET /metrics HTTP/1.1\r\n" HOST "\r\n", "", &reply);
    if (status != 200)
        return edge_none(status, &reply, err);
    status = edge_ask(arg, "GET /readyz HTTP/1.1\r\n" HOST "\r\n", "", &reply);
    if (status == 200) /* one of its checks fails */
        return edge_none(status, &reply, err);
    return status == 500 || status == 503 ? 0 : edge_none(status, &reply, err);
}

/* Nothing stays counted in flight, whatever became of a request. */
static bool whole_edge(void *arg)
{
    struct fixture *fixture = arg;
    bool settled = false;
    for (int i = 0; i < 2000 && !settled; i++) {
        settled = cleat_budget_used(cleat_webhooks_budget(fixture->webhooks)) == 0;
        if (!settled)
            cleat_wait_moment();
    }
    return settled;
}

static int run_life(void *arg, struct cleat_err *err)
{
    struct cleat_server *server = NULL;
    const struct cleat_server_options options = {.name = "swept", .bind = "127.0.0.1:0"};
    int r = cleat_server_new(&options, &server, err);
    if (r == 0)
        r = cleat_server_start(server, err);
    if (r == 0) {
        cleat_server_stop(server);
        r = cleat_server_join(server, LIMIT_MS) == 0 ? 0 : CLEAT_SWEEP_WRONG;
    }
    (void)cleat_server_free(server);
    return sample_named(r, err);
}

static const struct sweep_scene scenes[] = {
    {.name = "edge-review",
     .open = open_plain,
     .run = run_review,
     .whole = whole_edge,
     .close = edge_close,
     .threads = "there",
     .flags = SWEEP_TOLERANT,
     .most = 300},
    {.name = "edge-review-tls",
     .open = open_tls,
     .run = run_review,
     .whole = whole_edge,
     .close = edge_close,
     .threads = "there",
     .flags = SWEEP_TOLERANT,
     .most = 300},
    {.name = "edge-scrape",
     .open = open_plain,
     .run = run_scrape,
     .whole = whole_edge,
     .close = edge_close,
     .threads = "there",
     .flags = SWEEP_TOLERANT,
     .most = 300},
    {.name = "edge-life", .run = run_life, .flags = SWEEP_TOLERANT | SWEEP_OTHER},
};

int main(int argc, char **argv)
{
    alloc_libraries_hook();
    return cleat_sweep_main("alloc-edge", scenes, sizeof(scenes) / sizeof(scenes[0]), 30, argc,
                            argv);
}
