/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server does from its start to its end: its port, its certificate, its threads, and how it
 * stops while others still speak to it.
 */
#include <dirent.h>
#include <poll.h>
#include "integration/server_fixture.h"
#include "support/fake_clock.h"

START_TEST(test_swap_on_live_connections)
{
    struct fixture fixture;
    struct http_client old, new;
    struct http_reply reply;
    char name[64];
    fixture_open(&fixture, true);
    client_open(&old, &fixture);
    http_client_name(&old, name, sizeof(name));
    ck_assert_str_eq(name, "first");
    send_review(&old, "/allow", 1);
    http_client_read(&old, &reply, false);
    bundle_set(fixture.server, "second");
    /* The old one is forgotten, for its handshake is over, and its connection lives on. */
    CLEAT_WAIT_FOR(cleat_tls_identities() == 1, LIMIT_MS);
    client_open(&new, &fixture);
    http_client_name(&new, name, sizeof(name));
    ck_assert_str_eq(name, "second");
    send_review(&old, "/allow", 1);
    http_client_read(&old, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    send_review(&new, "/allow", 1);
    http_client_read(&new, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    http_client_close(&old);
    http_client_close(&new);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_no_certificate_yet)
{
    struct fixture fixture;
    struct http_client client;
    struct cleat_server *server = NULL;
    fixture_open(&fixture, false);
    const struct cleat_server_options options = {
        .name = "late", .bind = "127.0.0.1:0", .tls = true, .webhooks = fixture.webhooks};
    ck_assert_int_eq(cleat_server_new(&options, &server, NULL), 0);
    ck_assert_int_eq(cleat_server_start(server, NULL), 0);
    ck_assert(!http_client_open(&client, cleat_server_port(server), true));
    http_client_close(&client);
    bundle_set(server, "late");
    ck_assert(http_client_open(&client, cleat_server_port(server), true));
    http_client_close(&client);
    cleat_server_stop(server);
    ck_assert_int_eq(cleat_server_join(server, LIMIT_MS), 0);
    (void)cleat_server_free(server);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_drain)
{
    struct fixture fixture;
    struct http_client idle, late;
    struct http_reply reply;
    fixture_open(&fixture, true);
    client_open(&idle, &fixture);
    send_review(&idle, "/allow", 1);
    http_client_read(&idle, &reply, false);
    ck_assert_ptr_null(http_reply_header(&reply, "Connection"));
    cleat_server_drain(fixture.server);
    send_review(&idle, "/allow", 1);
    http_client_read(&idle, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(http_reply_header(&reply, "Connection"), "close");
    ck_assert(http_client_ended(&idle));
    client_open(&late, &fixture); /* as long as the endpoint is in rotation */
    send_review(&late, "/allow", 1);
    http_client_read(&late, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(http_reply_header(&reply, "Connection"), "close");
    http_client_close(&idle);
    http_client_close(&late);
    fixture_close(&fixture);
}
END_TEST

static void *stopper_main(void *arg)
{
    ck_assert_int_eq(cleat_server_join(arg, LIMIT_MS), 0);
    return NULL;
}

START_TEST(test_quiesce)
{
    struct fixture fixture;
    struct http_client busy, idle, late;
    struct http_reply reply;
    pthread_t stopper;
    fixture_open(&fixture, true);
    client_open(&idle, &fixture);
    send_review(&idle, "/allow", 1);
    http_client_read(&idle, &reply, false);
    client_open(&busy, &fixture);
    send_review(&busy, "/wait", 1);
    CLEAT_WAIT_FOR(atomic_load(&fixture.waiting) == 1, LIMIT_MS);
    cleat_server_stop(fixture.server);
    cleat_server_stop(fixture.server);
    ck_assert(!http_client_open(&late, cleat_server_port(fixture.server), false));
    http_client_close(&late);
    send_review(&idle, "/allow", 1); /* an open connection is served once more */
    http_client_read(&idle, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(http_reply_header(&reply, "Connection"), "close");
    ck_assert_int_eq(pthread_create(&stopper, NULL, stopper_main, fixture.server), 0);
    gate_open(&fixture);
    http_client_read(&busy, &reply, false);
    ck_assert_int_eq(reply.status, 200); /* in flight: answered */
    ck_assert_str_eq(http_reply_header(&reply, "Connection"), "close");
    pthread_join(stopper, NULL);
    http_client_close(&busy);
    http_client_close(&idle);
    fixture_close(&fixture);
}
END_TEST

static struct cleat_fake_clock fake;

static void tune_fake(struct cleat_server_options *options)
{
    options->clock = &fake.clock;
}

/* Idle connections are left alone for the time of grace; what is asked within it is answered. Then
 * they end, whoever waits for them, and nobody waits for longer. */
START_TEST(test_idle_connections_have_grace)
{
    struct fixture fixture;
    struct http_client asks, idle, fresh;
    struct http_reply reply;
    cleat_fake_clock_init(&fake);
    fixture_open_tuned(&fixture, true, tune_fake);
    client_open(&asks, &fixture);
    client_open(&idle, &fixture);
    client_open(&fresh, &fixture); /* has never asked */
    send_review(&asks, "/allow", 1);
    http_client_read(&asks, &reply, false);
    send_review(&idle, "/allow", 1);
    http_client_read(&idle, &reply, false);
    cleat_server_stop(fixture.server);
    cleat_fake_clock_advance_ms(&fake, 499);
    ck_assert_int_eq(setsockopt(idle.fd, SOL_SOCKET, SO_RCVTIMEO,
                                &(struct timeval){.tv_usec = 300000}, sizeof(struct timeval)),
                     0);
    char byte;
    ck_assert_int_eq(recv(idle.fd, &byte, 1, MSG_PEEK), -1); /* a sweep or two later: still there */
    ck_assert(errno == EAGAIN || errno == EWOULDBLOCK);
    send_review(&asks, "/allow", 1);
    http_client_read(&asks, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(http_reply_header(&reply, "Connection"), "close");
    ck_assert(http_client_ended(&asks));
    /* Counted from when it became idle, which may have been within these 499 ms. */
    cleat_fake_clock_advance_ms(&fake, 501);
    ck_assert_int_eq(cleat_server_join(fixture.server, -1), 0); /* by itself */
    ck_assert(!http_client_fill(&idle));
    ck_assert(!http_client_fill(&fresh));
    http_client_close(&asks);
    http_client_close(&idle);
    http_client_close(&fresh);
    fixture_close(&fixture);
}
END_TEST

enum { STOP_CLIENTS = 4, STOP_ROUNDS = 20 };

struct stop_load {
    const struct fixture *fixture;
    _Atomic(unsigned) answered, lost;
};

/* Asks on and on over one connection, until an answer says that it was the last, or until the
 * server has ended the connection while nothing was asked. */
static void *stop_client_main(void *arg)
{
    struct stop_load *load = arg;
    struct http_client *client = cleat_mem_zalloc(1, sizeof(*client));
    struct http_reply *reply = cleat_mem_zalloc(1, sizeof(*reply));
    char *review = review_of(100);
    char head[256];
    struct pollfd wait = {.events = POLLIN};
    snprintf(head, sizeof(head), "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n",
             strlen(review));
    bool goes_on = http_client_open(client, cleat_server_port(load->fixture->server), false);
    wait.fd = client->fd;
    while (goes_on && poll(&wait, 1, 0) == 0) {
        reply->status = 0;
        if (http_client_text(client, head) && http_client_text(client, review))
            http_client_read(client, reply, false);
        atomic_fetch_add(reply->status == 200 ? &load->answered : &load->lost, 1);
        goes_on = reply->status == 200 && !http_reply_header(reply, "Connection");
        if (atomic_load(&load->answered) % 7 == 0)
            cleat_wait_moment();
    }
    http_client_close(client);
    cleat_mem_free(review);
    cleat_mem_free(reply);
    cleat_mem_free(client);
    return NULL;
}

/* Stopped under load: nothing that was asked is lost. */
START_TEST(test_stop_loses_nothing)
{
    for (int round = 0; round < STOP_ROUNDS; round++) {
        struct fixture fixture;
        struct stop_load load = {.fixture = &fixture};
        pthread_t threads[STOP_CLIENTS];
        fixture_open(&fixture, false);
        for (int i = 0; i < STOP_CLIENTS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, stop_client_main, &load), 0);
        CLEAT_WAIT_FOR(atomic_load(&load.answered) >= 50 + (unsigned)round, LIMIT_MS);
        cleat_server_stop(fixture.server);
        ck_assert_int_eq(cleat_server_join(fixture.server, LIMIT_MS), 0);
        for (int i = 0; i < STOP_CLIENTS; i++)
            pthread_join(threads[i], NULL);
        ck_assert_uint_eq(atomic_load(&load.lost), 0);
        fixture_close(&fixture);
    }
}
END_TEST

START_TEST(test_join_without_end)
{
    struct fixture fixture;
    struct http_client busy;
    struct http_reply reply;
    fixture_open(&fixture, false);
    client_open(&busy, &fixture);
    send_review(&busy, "/wait", 1);
    CLEAT_WAIT_FOR(atomic_load(&fixture.waiting) == 1, LIMIT_MS);
    cleat_server_stop(fixture.server);
    ck_assert_int_eq(cleat_server_join(fixture.server, 20), -ETIMEDOUT);
    ck_assert_int_eq(cleat_server_join(fixture.server, 0), -ETIMEDOUT);
    gate_open(&fixture);
    http_client_read(&busy, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    http_client_close(&busy);
    fixture_close(&fixture);
}
END_TEST

/* A client that never ends its request doesn't hold up the end for longer than it may take. */
START_TEST(test_join_cuts_slow_clients)
{
    struct fixture fixture;
    struct http_client slow, idle;
    fixture_open(&fixture, true);
    client_open(&idle, &fixture);
    client_open(&slow, &fixture);
    send_head(&slow, "/allow", 40000);
    CLEAT_WAIT_FOR(cleat_budget_used(cleat_webhooks_budget(fixture.webhooks)) == 40000, LIMIT_MS);
    cleat_server_stop(fixture.server);
    ck_assert_int_eq(cleat_server_join(fixture.server, 50), 0);
    ck_assert(!http_client_fill(&slow));
    ck_assert(!http_client_fill(&idle));
    http_client_close(&slow);
    http_client_close(&idle);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_port_in_use)
{
    struct fixture fixture;
    struct cleat_server *server = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    char bind[64];
    fixture_open(&fixture, false);
    snprintf(bind, sizeof(bind), "127.0.0.1:%u", cleat_server_port(fixture.server));
    const struct cleat_server_options options = {.name = "second", .bind = bind};
    ck_assert_int_eq(cleat_server_new(&options, &server, &err), -EADDRINUSE);
    ck_assert_ptr_null(server);
    ck_assert_ptr_nonnull(strstr(err.text, "second server: "));
    ck_assert_ptr_nonnull(strstr(err.text, bind));
    ck_assert_ptr_null(strchr(err.text, '\n'));
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_life)
{
    struct fixture fixture;
    struct cleat_server *server = NULL;
    const struct cleat_server_options options = {.name = "never", .bind = "127.0.0.1:0"};
    ck_assert_ptr_null(cleat_server_free(NULL));
    ck_assert_int_eq(cleat_server_new(&options, &server, NULL), 0);
    cleat_server_stop(server); /* nothing serves */
    ck_assert_int_eq(cleat_server_join(server, 0), 0);
    server = cleat_server_free(server);
    fixture_open(&fixture, false);
    ck_assert_int_eq(cleat_server_start(fixture.server, NULL), -EALREADY);
    struct cleat_runnable runnable = cleat_server_runnable(fixture.server, CLEAT_GROUP_WEBHOOKS);
    ck_assert_str_eq(runnable.name, "test");
    ck_assert_int_eq(runnable.group, CLEAT_GROUP_WEBHOOKS);
    ck_assert_int_eq(runnable.start(runnable.arg, NULL), -EALREADY);
    runnable.stop(runnable.arg);
    ck_assert_int_eq(runnable.join(runnable.arg, LIMIT_MS), 0);
    ck_assert_int_eq(runnable.join(runnable.arg, LIMIT_MS), 0);
    fixture_close(&fixture);
}
END_TEST

/* A thread of that name is there. */
static bool thread_named(const char *name)
{
    bool found = false;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (struct dirent *task; !found && (task = readdir(tasks));) {
        char path[512], text[64] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        found = fgets(text, sizeof(text), file) && strncmp(text, name, strlen(name)) == 0;
        fclose(file);
    }
    closedir(tasks);
    return found;
}

START_TEST(test_threads_have_names)
{
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    fixture_open(&fixture, false);
    client_open(&client, &fixture);
    send_review(&client, "/allow", 1);
    http_client_read(&client, &reply, false);
    ck_assert(thread_named("http/test\n"));
    http_client_close(&client);
    fixture_close(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("server_life", test_swap_on_live_connections, test_no_certificate_yet, test_drain,
                 test_quiesce, test_idle_connections_have_grace, test_stop_loses_nothing,
                 test_join_without_end, test_join_cuts_slow_clients, test_port_in_use, test_life,
                 test_threads_have_names)
