/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers on loopback, spoken to byte by byte: each case of the table of answers, plain and over
 * TLS, and the budget of bytes.
 */
#include "integration/server_fixture.h"

/* Asks on a connection of its own. */
static void ask(const struct fixture *fixture, const char *bytes, struct http_reply *reply)
{
    struct http_client client;
    client_open(&client, fixture);
    ck_assert(http_client_text(&client, bytes));
    http_client_read(&client, reply, strncmp(bytes, "HEAD ", 5) == 0);
    http_client_close(&client);
}

static const struct {
    const char *name;
    const char *bytes;
    int status;
    const char *header, *value; /* NULL: none is looked at */
} vectors[] = {
    {"two lengths",
     "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}", 400,
     NULL, NULL},
    {"twice the same length",
     "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\ncontent-length: 2\r\n\r\n{}", 400,
     NULL, NULL},
    {"length and chunks",
     "POST /allow HTTP/1.1\r\n" HOST JSON
     "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400, NULL, NULL},
    {"no Host", "POST /allow HTTP/1.1\r\n" JSON "Content-Length: 2\r\n\r\n{}", 400, NULL, NULL},
    {"two Hosts", "POST /allow HTTP/1.1\r\n" HOST HOST JSON "Content-Length: 2\r\n\r\n{}", 400,
     NULL, NULL},
    {"space before the colon", "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length : 2\r\n\r\n{}",
     400, NULL, NULL},
    {"chunks",
     "POST /allow HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
     411, NULL, NULL},
    {"identity", "POST /allow HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: identity\r\n\r\n{}", 411,
     NULL, NULL},
    {"unknown path", "POST /none HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", 404, NULL,
     NULL},
    {"escaped path", "POST /%61llow HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", 404,
     NULL, NULL},
    {"escaped NUL", "POST /allow%00b HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", 404,
     NULL, NULL},
    {"way up", "POST /a/../allow HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", 404, NULL,
     NULL},
    {"absolute form",
     "POST http://localhost/allow HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", 404, NULL,
     NULL},
    {"space in the target", "POST /allow x HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}",
     404, NULL, NULL},
    {"GET", "GET /allow HTTP/1.1\r\n" HOST "\r\n", 405, "Allow", "POST"},
    {"small letters", "post /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", 405,
     "Allow", "POST"},
    {"POST to metrics", "POST /metrics HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", 405,
     "Allow", "GET, HEAD"},
    {"other type",
     "POST /allow HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415,
     NULL, NULL},
    {"no type", "POST /allow HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 415, NULL, NULL},
    {"no length", "POST /allow HTTP/1.1\r\n" HOST JSON "\r\n", 411, NULL, NULL},
    {"too large", "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 307201\r\n\r\n{}", 413,
     NULL, NULL},
    {"far too large",
     "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 18446744073709551615\r\n\r\n{}", 413,
     NULL, NULL},
    {"empty body", "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 0\r\n\r\n", 400, NULL,
     NULL},
    {"broken body", "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", 400, NULL,
     NULL},
    {"HTTP/2", "POST /allow HTTP/2.0\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", 505, NULL, NULL},
};

static void vectors_run(bool tls)
{
    struct fixture fixture;
    fixture_open(&fixture, tls);
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct http_client client;
        struct http_reply reply;
        client_open(&client, &fixture);
        ck_assert(http_client_text(&client, vectors[i].bytes));
        http_client_read(&client, &reply, false);
        ck_assert_msg(reply.status == vectors[i].status, "%s: %d", vectors[i].name, reply.status);
        if (reply.status != 505) { /* the library's own */
            const char *connection = http_reply_header(&reply, "Connection");
            ck_assert_msg(connection && strcmp(connection, "close") == 0, "%s", vectors[i].name);
            ck_assert_msg(reply.body[0] && strchr(reply.body, '\n'), "%s", vectors[i].name);
            ck_assert_msg(http_client_ended(&client), "%s: goes on", vectors[i].name);
        }
        if (vectors[i].header) {
            const char *value = http_reply_header(&reply, vectors[i].header);
            ck_assert_msg(value && strcmp(value, vectors[i].value) == 0, "%s", vectors[i].name);
        }
        http_client_close(&client);
    }
    fixture_close(&fixture);
}

START_TEST(test_vectors_plain)
{
    vectors_run(false);
}
END_TEST

START_TEST(test_vectors_tls)
{
    vectors_run(true);
}
END_TEST

/* Reviews of many sizes, whole and in pieces, one after the other on one connection. */
static void reviews_run(bool tls)
{
    static const size_t sizes[] = {1, 7000, 16384, 40000, 250000, 2};
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    fixture_open(&fixture, tls);
    client_open(&client, &fixture);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        send_review(&client, "/allow?timeout=5s", sizes[i]);
        http_client_read(&client, &reply, false);
        ck_assert_msg(reply.status == 200, "%zu: %d %s", sizes[i], reply.status, reply.body);
        ck_assert_str_eq(http_reply_header(&reply, "Content-Type"), "application/json");
        ck_assert_ptr_null(http_reply_header(&reply, "Connection"));
        ck_assert_ptr_nonnull(strstr(reply.body, ALLOWED));
    }
    char *review = review_of(10);
    send_head(&client, "/allow", strlen(review));
    for (size_t i = 0; i < strlen(review); i++)
        ck_assert(http_client_send(&client, review + i, 1));
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    cleat_mem_free(review);
    send_review(&client, "/allow", 1); /* two before the first answer is read */
    send_review(&client, "/allow", 2);
    for (int i = 0; i < 2; i++) {
        http_client_read(&client, &reply, false);
        ck_assert_int_eq(reply.status, 200);
    }
    http_client_close(&client);
    fixture_close(&fixture);
}

START_TEST(test_reviews_plain)
{
    reviews_run(false);
}
END_TEST

START_TEST(test_reviews_tls)
{
    reviews_run(true);
}
END_TEST

START_TEST(test_expect_continue)
{
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    char head[512];
    char *review = review_of(10);
    fixture_open(&fixture, true);
    client_open(&client, &fixture);
    snprintf(head, sizeof(head),
             "POST /allow HTTP/1.1\r\n" HOST JSON
             "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
             strlen(review));
    ck_assert(http_client_text(&client, head));
    http_client_read(&client, &reply, true);
    ck_assert_int_eq(reply.status, 100);
    ck_assert(http_client_text(&client, review));
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    /* What is refused is refused at once instead. */
    ck_assert(http_client_text(&client, "POST /none HTTP/1.1\r\n" HOST JSON
                                        "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 404);
    http_client_close(&client);
    cleat_mem_free(review);
    fixture_close(&fixture);
}
END_TEST

/* A refused client that goes on sending reads its answer nevertheless. */
START_TEST(test_lingers)
{
    struct fixture fixture;
    char *body = review_of(60000);
    fixture_open(&fixture, false);
    for (int i = 0; i < 20; i++) {
        struct http_client client;
        struct http_reply reply;
        client_open(&client, &fixture);
        send_head(&client, "/none", strlen(body));
        ck_assert(http_client_text(&client, body));
        http_client_read(&client, &reply, false);
        ck_assert_int_eq(reply.status, 404);
        http_client_close(&client);
    }
    cleat_mem_free(body);
    fixture_close(&fixture);
}
END_TEST

/* A client that neither sends nor goes away is cut off soon. */
START_TEST(test_lingers_not_for_ever)
{
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    const struct cleat_clock *clock = cleat_clock_system();
    fixture_open(&fixture, false);
    client_open(&client, &fixture);
    send_head(&client, "/none", 1000);
    int64_t start_ms = cleat_clock_mono_ms(clock);
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 404);
    ck_assert(http_client_ended(&client)); /* our half is closed at once */
    ck_assert_int_lt(cleat_clock_mono_ms(clock) - start_ms, 5000);
    /* Then the rest: what is sent now isn't taken for long. */
    CLEAT_WAIT_FOR(!http_client_text(&client, "x"), LIMIT_MS);
    http_client_close(&client);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_statuses_of_handlers)
{
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    fixture_open(&fixture, true);
    client_open(&client, &fixture);
    send_review(&client, "/stale", 1);
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 503);
    ck_assert_str_eq(http_reply_header(&reply, "Retry-After"), "1");
    ck_assert_str_eq(http_reply_header(&reply, "Connection"), "close");
    ck_assert(http_client_ended(&client));
    http_client_close(&client);
    client_open(&client, &fixture);
    send_review(&client, "/fault", 1);
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 500);
    ck_assert_ptr_null(strstr(reply.body, "allowed"));
    http_client_close(&client);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_bytes_in_flight)
{
    enum { LARGE = 5 };
    static struct http_client large[LARGE];
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    fixture_open(&fixture, true);
    struct cleat_budget *budget = cleat_webhooks_budget(fixture.webhooks);
    /* 3 MiB are for large bodies and what they become: five of 290 KiB fit, another one doesn't. */
    for (int i = 0; i < LARGE; i++) {
        client_open(&large[i], &fixture);
        send_head(&large[i], "/allow", 290 * CLEAT_KIB);
    }
    CLEAT_WAIT_FOR(cleat_budget_used(budget) == 2900 * CLEAT_KIB, LIMIT_MS);
    client_open(&client, &fixture);
    send_head(&client, "/allow", 290 * CLEAT_KIB);
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 503);
    ck_assert_str_eq(http_reply_header(&reply, "Retry-After"), "1");
    http_client_close(&client);
    client_open(&client, &fixture); /* small ones have a share of their own */
    send_review(&client, "/allow", 1000);
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    for (int i = 0; i < 3; i++) /* a client that goes gives its share back */
        http_client_close(&large[i]);
    CLEAT_WAIT_FOR(cleat_budget_used(budget) == 1160 * CLEAT_KIB, LIMIT_MS);
    send_review(&client, "/allow", 280 * CLEAT_KIB);
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    http_client_close(&client);
    for (int i = 3; i < LARGE; i++)
        http_client_close(&large[i]);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_own_budget)
{
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    struct cleat_server *server = NULL;
    fixture_open(&fixture, false);
    const struct cleat_server_options options = {.name = "small",
                                                 .bind = "127.0.0.1:0",
                                                 .webhooks = fixture.webhooks,
                                                 .body_bytes_max = 4096,
                                                 .bytes_in_flight_max = 2048};
    ck_assert_int_eq(cleat_server_new(&options, &server, NULL), 0);
    ck_assert_int_eq(cleat_server_start(server, NULL), 0);
    static const struct {
        size_t filler;
        int status;
    } sizes[] = {{10, 200}, {3000, 503}, {5000, 413}};
    for (size_t i = 0; i < 3; i++) {
        ck_assert(http_client_open(&client, cleat_server_port(server), false));
        send_review(&client, "/allow", sizes[i].filler);
        http_client_read(&client, &reply, false);
        ck_assert_int_eq(reply.status, sizes[i].status);
        http_client_close(&client);
    }
    cleat_server_stop(server);
    ck_assert_int_eq(cleat_server_join(server, LIMIT_MS), 0);
    (void)cleat_server_free(server);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_waiting_handlers_stall_nobody)
{
    enum { WAITERS = 16 };
    static struct http_client waiters[WAITERS];
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    fixture_open(&fixture, true);
    for (int i = 0; i < WAITERS; i++) {
        client_open(&waiters[i], &fixture);
        send_review(&waiters[i], "/wait", 1);
    }
    CLEAT_WAIT_FOR(atomic_load(&fixture.waiting) == WAITERS, LIMIT_MS);
    client_open(&client, &fixture);
    for (int i = 0; i < 10; i++) {
        send_review(&client, "/allow", 1);
        http_client_read(&client, &reply, false);
        ck_assert_int_eq(reply.status, 200);
    }
    ck_assert_uint_eq(atomic_load(&fixture.waiting), WAITERS);
    gate_open(&fixture);
    for (int i = 0; i < WAITERS; i++) {
        http_client_read(&waiters[i], &reply, false);
        ck_assert_int_eq(reply.status, 200);
        http_client_close(&waiters[i]);
    }
    http_client_close(&client);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_health_and_metrics)
{
    static const struct {
        const char *target;
        int status;
        const char *body;
    } targets[] = {
        {"/readyz/good", 200, "ok"},
        {"/readyz", 500, "[-]bad failed: reason withheld\n[+]good ok\nreadyz check failed\n"},
        {"/readyz?exclude=bad", 200, "ok"},
        {"/livez?verbose&exclude=bad", 200,
         "[+]bad excluded: ok\n[+]good ok\nlivez check passed\n"},
        {"/healthz/none", 404, NULL},
        {"/readyz/", 404, NULL},
        {"/metrics", 200, NULL},
    };
    struct fixture fixture;
    struct http_reply reply;
    char bytes[256];
    fixture_open(&fixture, false);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        snprintf(bytes, sizeof(bytes), "GET %s HTTP/1.1\r\n" HOST "\r\n", targets[i].target);
        ask(&fixture, bytes, &reply);
        ck_assert_msg(reply.status == targets[i].status, "%s: %d", bytes, reply.status);
        if (targets[i].body)
            ck_assert_str_eq(reply.body, targets[i].body);
        snprintf(bytes, sizeof(bytes), "HEAD %s HTTP/1.1\r\n" HOST "\r\n", targets[i].target);
        ask(&fixture, bytes, &reply);
        ck_assert_int_eq(reply.status, targets[i].status);
    }
    ask(&fixture, "GET /metrics HTTP/1.1\r\n" HOST "\r\n", &reply);
    ck_assert_str_eq(http_reply_header(&reply, "Content-Type"),
                     "text/plain; version=0.0.4; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(reply.body, "controller_runtime_webhook_requests_total{"));
    fixture_close(&fixture);
}
END_TEST

/* Bearer N is refused with the status N. */
static int authorize_number(void *arg, struct cleat_str authorization, const char *verb,
                            const char *path)
{
    if (authorization.length == 0)
        return 401;
    return (int)strtol(authorization.data + strlen("Bearer "), NULL, 10);
}

static void tune_authorize(struct cleat_server_options *options)
{
    options->authorize = authorize_number;
}

START_TEST(test_metrics_are_guarded)
{
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        {"", 401},
        {"Authorization: Bearer 401\r\n", 401},
        {"Authorization: Bearer 403\r\n", 403},
        {"Authorization: Bearer 500\r\n", 500},
        {"Authorization: Bearer 503\r\n", 503},
        {"authorization: Bearer 0\r\n", 200},
        {"Authorization: Bearer 0\r\nAuthorization: Bearer 0\r\n", 400},
    };
    struct fixture fixture;
    struct http_reply reply;
    char bytes[256];
    fixture_open_tuned(&fixture, true, tune_authorize);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(bytes, sizeof(bytes), "GET /metrics HTTP/1.1\r\n" HOST "%s\r\n", cases[i].headers);
        ask(&fixture, bytes, &reply);
        ck_assert_msg(reply.status == cases[i].status, "%zu: %d", i, reply.status);
        const char *challenge = http_reply_header(&reply, "WWW-Authenticate");
        ck_assert_int_eq(challenge != NULL, reply.status == 401);
        if (challenge)
            ck_assert_str_eq(challenge, "Bearer");
        if (reply.status != 200 && reply.status != 400)
            ck_assert_str_eq(reply.body, "");
    }
    ask(&fixture, "GET /readyz/good HTTP/1.1\r\n" HOST "\r\n", &reply);
    ck_assert_int_eq(reply.status, 200); /* health is everybody's */
    fixture_close(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("server", test_vectors_plain, test_vectors_tls, test_reviews_plain,
                 test_reviews_tls, test_expect_continue, test_lingers, test_lingers_not_for_ever,
                 test_statuses_of_handlers, test_bytes_in_flight, test_own_budget,
                 test_waiting_handlers_stall_nobody, test_health_and_metrics,
                 test_metrics_are_guarded)
