/* SPDX-License-Identifier: Apache-2.0 */
/* Which tries are made again and which never; the rate limit; Retry-After. Nothing here waits. */
#include <stdio.h>
#include "client/transport_curl.h"
#include "support/client_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"

enum { FATE_ANSWER, FATE_CLOSE, FATE_RESET, FATE_HALF };

/* The first @times requests meet @fate, the others get 200. */
struct fate {
    unsigned times;
    int fate;
    int status;
    const char *headers;
};

static void script_fate(void *arg, struct script_exchange *exchange,
                        const struct script_request *request)
{
    const struct fate *fate = arg;
    if (request->number > fate->times) {
        script_reply(exchange, 200, NULL, "{}");
        return;
    }
    switch (fate->fate) {
    case FATE_ANSWER: script_reply(exchange, fate->status, fate->headers, ""); break;
    case FATE_HALF:
        script_send_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        script_close(exchange, true);
        break;
    default: script_close(exchange, fate->fate == FATE_RESET); break;
    }
}

struct retry_case {
    const char *name;
    const char *method;
    struct fate fate;
    int retries_max;
    int result;
    unsigned requests;
    int64_t wait_ms; /* of the first wait; -1: none */
};

static const struct retry_case retry_cases[] = {
    {"429 get", "GET", {2, FATE_ANSWER, 429, "Retry-After: 3\r\n"}, 0, 0, 3, 3000},
    {"429 post", "POST", {2, FATE_ANSWER, 429, "Retry-After: 3\r\n"}, 0, 0, 3, 3000},
    {"503 put", "PUT", {1, FATE_ANSWER, 503, "Retry-After: 1\r\n"}, 0, 0, 2, 1000},
    {"500 at once", "DELETE", {1, FATE_ANSWER, 500, "Retry-After: 0\r\n"}, 0, 0, 2, -1},
    {"429 without", "GET", {1, FATE_ANSWER, 429, NULL}, 0, -EBUSY, 1, -1},
    {"503 without", "GET", {1, FATE_ANSWER, 503, NULL}, 0, -EIO, 1, -1},
    {"not a number", "GET", {1, FATE_ANSWER, 503, "Retry-After: soon\r\n"}, 0, -EIO, 1, -1},
    {"409 with", "PUT", {1, FATE_ANSWER, 409, "Retry-After: 1\r\n"}, 0, -EAGAIN, 1, -1},
    {"404 with", "GET", {1, FATE_ANSWER, 404, "Retry-After: 1\r\n"}, 0, -ENOENT, 1, -1},
    {"bounded", "GET", {99, FATE_ANSWER, 503, "Retry-After: 1\r\n"}, 0, -EIO, 11, 1000},
    {"bounded by option", "GET", {99, FATE_ANSWER, 503, "Retry-After: 1\r\n"}, 2, -EIO, 3, 1000},
    {"beyond the deadline", "GET", {1, FATE_ANSWER, 429, "Retry-After: 31\r\n"}, 0, -EBUSY, 1, -1},
    {"closed get", "GET", {2, FATE_CLOSE, 0, NULL}, 0, 0, 3, 100},
    {"reset get", "GET", {2, FATE_RESET, 0, NULL}, 0, 0, 3, 100},
    {"half get", "GET", {1, FATE_HALF, 0, NULL}, 0, 0, 2, 100},
    {"closed for ever", "GET", {99, FATE_CLOSE, 0, NULL}, 0, -ECONNRESET, 4, 100},
    {"closed post", "POST", {1, FATE_CLOSE, 0, NULL}, 0, -ECONNRESET, 1, -1},
    {"reset post", "POST", {1, FATE_RESET, 0, NULL}, 0, -ECONNRESET, 1, -1},
    {"closed put", "PUT", {1, FATE_CLOSE, 0, NULL}, 0, -ECONNRESET, 1, -1},
    {"reset patch", "PATCH", {1, FATE_RESET, 0, NULL}, 0, -ECONNRESET, 1, -1},
    {"closed delete", "DELETE", {1, FATE_CLOSE, 0, NULL}, 0, -ECONNRESET, 1, -1},
    {"half post", "POST", {1, FATE_HALF, 0, NULL}, 0, -ECONNRESET, 1, -1},
};

START_TEST(test_retries)
{
    for (size_t i = 0; i < sizeof(retry_cases) / sizeof(retry_cases[0]); i++) {
        const struct retry_case *it = &retry_cases[i];
        struct fate fate = it->fate;
        struct client_fixture fixture;
        client_fixture_init(&fixture, script_fate, &fate);
        fixture.options.retries_max = it->retries_max;
        client_fixture_open(&fixture);
        bool get = strcmp(it->method, "GET") == 0;
        int result = client_fixture_call(&fixture, it->method, "/x", get ? NULL : "{}");
        ck_assert_msg(result == it->result, "%s: %d %s", it->name, result,
                      cleat_err_text(&fixture.err));
        ck_assert_msg(script_server_requests(fixture.server) == it->requests, "%s: %u requests",
                      it->name, script_server_requests(fixture.server));
        if (it->wait_ms < 0) {
            ck_assert_msg(fixture.wait_count == 0, "%s: waited", it->name);
        } else {
            /* A broken connection waits a random half longer. */
            ck_assert_msg(fixture.waits[0] >= it->wait_ms &&
                              fixture.waits[0] <= it->wait_ms + it->wait_ms / 2,
                          "%s: waited %lld", it->name, (long long)fixture.waits[0]);
        }
        client_fixture_fini(&fixture);
    }
}
END_TEST

/*
 * The second request comes over a connection that was kept; the server closes it without an answer.
 * A write may have been carried out, and libcurl alone would send it again.
 */
static void script_kept(void *arg, struct script_exchange *exchange,
                        const struct script_request *request)
{
    if (request->number == 2)
        script_close(exchange, *(bool *)arg);
    else
        script_reply(exchange, 200, NULL, "{}");
}

START_TEST(test_lost_answer_on_a_kept_connection)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < 8; i++) {
        bool reset = i >= 4;
        struct client_fixture fixture;
        client_fixture_init(&fixture, script_kept, &reset);
        client_fixture_open(&fixture);
        ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
        ck_assert_int_eq(client_fixture_call(&fixture, methods[i % 4], "/", "{\"a\":1}"),
                         -ECONNRESET);
        ck_assert_ptr_nonnull(strstr(fixture.err.text, "connection broke before the answer"));
        ck_assert_uint_eq(script_server_requests(fixture.server), 2);
        ck_assert_int_eq(client_fixture_call(&fixture, methods[i % 4], "/", "{\"a\":1}"), 0);
        client_fixture_fini(&fixture);
    }
}
END_TEST

START_TEST(test_write_without_body_has_its_own_connection)
{
    bool reset = false;
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_kept, &reset);
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert_int_eq(client_fixture_call(&fixture, "DELETE", "/", NULL), -ECONNRESET);
    ck_assert_uint_eq(script_server_requests(fixture.server), 2);
    ck_assert_uint_eq(script_server_connections(fixture.server), 2);
    client_fixture_fini(&fixture);
}
END_TEST

struct asked {
    int count;
    int refuse_at;
};

static int count_fence(void *arg, bool write, struct cleat_err *err)
{
    struct asked *asked = arg;
    asked->count++;
    return asked->count == asked->refuse_at ? cleat_err_set(err, -EPERM, "fenced") : 0;
}

START_TEST(test_fence_at_each_try)
{
    struct fate fate = {5, FATE_ANSWER, 503, "Retry-After: 1\r\n"};
    struct asked asked = {0, 3};
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_fate, &fate);
    client_fixture_open(&fixture);
    struct cleat_transport_answer answer;
    const struct cleat_transport_request request = {.method = "PUT",
                                                    .path = "/",
                                                    .body = CLEAT_STR("{}"),
                                                    .write = true,
                                                    .fence = count_fence,
                                                    .fence_arg = &asked};
    cleat_transport_answer_init(&answer);
    ck_assert_int_eq(cleat_transport_call(cleat__client_transport(fixture.client), &request,
                                          &answer, &fixture.err),
                     -EPERM);
    ck_assert_int_eq(asked.count, 3);
    ck_assert_uint_eq(script_server_requests(fixture.server), 2);
    cleat_transport_answer_fini(&answer);
    client_fixture_fini(&fixture);
}
END_TEST

struct gathered {
    char bytes[64];
    size_t length;
};

static int gather(void *arg, const char *bytes, size_t length)
{
    struct gathered *gathered = arg;
    ck_assert_uint_lt(gathered->length + length, sizeof(gathered->bytes));
    memcpy(gathered->bytes + gathered->length, bytes, length);
    gathered->length += length;
    return 0;
}

START_TEST(test_no_second_try_after_the_first_byte)
{
    struct fate fate = {1, FATE_HALF, 0, NULL};
    struct gathered gathered = {.length = 0};
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_fate, &fate);
    client_fixture_open(&fixture);
    struct cleat_transport_answer answer;
    const struct cleat_transport_request request = {
        .method = "GET", .path = "/", .on_bytes = gather, .arg = &gathered};
    cleat_transport_answer_init(&answer);
    ck_assert_int_eq(cleat_transport_call(cleat__client_transport(fixture.client), &request,
                                          &answer, &fixture.err),
                     -ECONNRESET);
    ck_assert_str_eq(gathered.bytes, "{");
    ck_assert_uint_eq(script_server_requests(fixture.server), 1);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_retry_after_values)
{
    static const struct {
        const char *value;
        bool valid;
        int64_t ms;
    } cases[] = {
        {"0", true, 0},
        {"1", true, 1000},
        {" 120 ", true, 120000},
        {"999999999999999999999999", true, TRANSPORT_RETRY_AFTER_MS_MAX},
        {"Fri, 02 Jan 2026 03:04:15 GMT", true, 10000 - 678},
        {"Fri, 02 Jan 2015 03:04:15 GMT", true, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"1.5 potatoes", false, 0},
        {"later", false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t wait_ms = -1;
        bool valid = cleat__transport_retry_after(cleat_str_of(cases[i].value),
                                                  CLEAT_FAKE_CLOCK_WALL_MS, &wait_ms);
        ck_assert_msg(valid == cases[i].valid, "%s", cases[i].value);
        if (valid)
            ck_assert_msg(wait_ms == cases[i].ms, "%s: %lld", cases[i].value, (long long)wait_ms);
    }
}
END_TEST

START_TEST(test_limiter)
{
    struct transport_limiter limiter = {.per_ms = 0.01, .burst = 3, .at_mono_ms = 1000};
    ck_assert_int_eq(cleat__transport_limit(&limiter, 1000), 0);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 1000), 0);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 1000), 0);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 1000), 100);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 1000), 200);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 1300), 0);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 1300), 100);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 100000), 0);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 100000), 0);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 100000), 0);
    ck_assert_int_eq(cleat__transport_limit(&limiter, 100000), 100);
    struct transport_limiter off = {0};
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(cleat__transport_limit(&off, 0), 0);
}
END_TEST

START_TEST(test_qps)
{
    struct fate fate = {0};
    struct cleat_fake_clock fake;
    struct client_fixture fixture;
    cleat_fake_clock_init(&fake);
    client_fixture_init(&fixture, script_fate, &fate);
    fixture.options.clock = &fake.clock;
    fixture.options.qps = 10;
    fixture.options.burst = 2;
    client_fixture_open(&fixture);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert_uint_eq(fixture.wait_count, 2);
    ck_assert_int_eq(fixture.waits[0], 100);
    ck_assert_int_eq(fixture.waits[1], 200);
    struct cleat_transport_answer answer;
    struct cleat_transport_request request = {
        .method = "GET",
        .path = "/",
        .deadline_mono_ms = cleat_clock_mono_ms(&fake.clock) + 250,
    };
    cleat_transport_answer_init(&answer);
    ck_assert_int_eq(cleat_transport_call(cleat__client_transport(fixture.client), &request,
                                          &answer, &fixture.err),
                     -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(fixture.err.text, "rate limit"));
    request.watch = true;
    request.deadline_mono_ms = 0;
    ck_assert_int_eq(
        cleat_transport_call(cleat__client_transport(fixture.client), &request, &answer, NULL), 0);
    ck_assert_uint_eq(fixture.wait_count, 2);
    cleat_transport_answer_fini(&answer);
    client_fixture_fini(&fixture);
}
END_TEST

/* Without a test's own wait: a few milliseconds pass. */
START_TEST(test_waiting)
{
    struct fate fate = {0};
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_fate, &fate);
    fixture.options.qps = 500;
    fixture.options.burst = 1;
    client_fixture_open(&fixture);
    cleat_transport_set_wait(cleat__client_transport(fixture.client), NULL, NULL);
    int64_t began_ms = cleat_clock_mono_ms(cleat_clock_system());
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert_int_ge(cleat_clock_mono_ms(cleat_clock_system()) - began_ms, 8);
    client_fixture_fini(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("retry", test_retries, test_lost_answer_on_a_kept_connection,
                 test_write_without_body_has_its_own_connection, test_fence_at_each_try,
                 test_no_second_try_after_the_first_byte, test_retry_after_values, test_limiter,
                 test_qps, test_waiting)
