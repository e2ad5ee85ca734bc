/* SPDX-License-Identifier: Apache-2.0 */
/* Streams on the loop, over plain loopback: bytes as they come, ends, cuts, limits, wake-ups. */
#include <pthread.h>
#include <stdio.h>
#include "base/mem.h"
#include "client/transport_loop.h"
#include "support/client_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

#define STREAMS_MAX 100

struct seen {
    struct cleat_transport_loop *loop;
    struct cleat_transport_stream *stream;
    int head;
    struct cleat_err head_err;
    char bytes[4096];
    size_t length;
    size_t total;
    int refuse; /* what on_bytes returns */
    bool cut_in_bytes;
    int ends;
    int result;
    struct cleat_err err;
    struct seen *start_next; /* started from on_end */
};

static void seen_head(void *arg, int code, const struct cleat_err *err)
{
    struct seen *seen = arg;
    ck_assert_int_eq(seen->head, 0);
    seen->head = code;
    if (err)
        seen->head_err = *err;
}

static int seen_bytes(void *arg, const char *bytes, size_t length)
{
    struct seen *seen = arg;
    ck_assert_int_ne(seen->head, 0);
    ck_assert_int_eq(seen->ends, 0);
    seen->total += length;
    if (seen->length + length < sizeof(seen->bytes)) {
        memcpy(seen->bytes + seen->length, bytes, length);
        seen->length += length;
    }
    if (seen->cut_in_bytes)
        cleat_transport_stream_cut(seen->stream);
    return seen->refuse;
}

static void seen_start(struct seen *seen, struct cleat_transport_loop *loop, const char *path,
                       int64_t stall_ms, int64_t timeout_ms);

static void seen_end(void *arg, int result, const struct cleat_err *err)
{
    struct seen *seen = arg;
    seen->ends++;
    seen->result = result;
    if (err)
        seen->err = *err;
    if (seen->start_next)
        seen_start(seen->start_next, seen->loop, "/next", 0, 0);
}

static void seen_start(struct seen *seen, struct cleat_transport_loop *loop, const char *path,
                       int64_t stall_ms, int64_t timeout_ms)
{
    const struct cleat_transport_stream_options options = {
        .path_and_query = path, .stall_ms = stall_ms, .timeout_ms = timeout_ms};
    const struct cleat_transport_stream_ops ops = {
        .on_head = seen_head, .on_bytes = seen_bytes, .on_end = seen_end, .arg = seen};
    seen->loop = loop;
    ck_assert_int_eq(cleat_transport_stream_start(loop, &options, &ops, &seen->stream, &seen->err),
                     0);
}

static void run(struct cleat_transport_loop *loop)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_transport_loop_run(loop, 50, &err) == 0, "%s", cleat_err_text(&err));
}

#define RUN_UNTIL(loop, condition)                                               \
    do {                                                                         \
        for (int turns_ = 0; !(condition); turns_++) {                           \
            ck_assert_msg(turns_ < 400, "not within 400 turns: %s", #condition); \
            run(loop);                                                           \
        }                                                                        \
    } while (0)

static void loop_open(struct client_fixture *fixture, script_fn fn, void *arg,
                      struct cleat_transport_loop **ret)
{
    client_fixture_init(fixture, fn, arg);
    client_fixture_open(fixture);
    ck_assert_int_eq(cleat_transport_loop_new(fixture->client, ret, &fixture->err), 0);
}

static void loop_close(struct client_fixture *fixture, struct cleat_transport_loop *loop)
{
    ck_assert_ptr_null(cleat_transport_loop_free(loop));
    client_fixture_fini(fixture);
}

static void script_three_chunks(void *arg, struct script_exchange *exchange,
                                const struct script_request *request)
{
    script_reply_chunked(exchange, 200, NULL);
    script_chunk_text(exchange, "{\"type\":");
    script_chunk_text(exchange, "\"ADDED\"");
    script_chunk_text(exchange, "}\n");
    script_chunk_end(exchange);
}

START_TEST(test_stream)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen = {0};
    loop_open(&fixture, script_three_chunks, NULL, &loop);
    seen_start(&seen, loop, "/api/v1/pods?watch=true", 0, 0);
    ck_assert_uint_eq(cleat_transport_loop_streams(loop), 1);
    RUN_UNTIL(loop, seen.ends);
    ck_assert_int_eq(seen.result, 0);
    ck_assert_int_eq(seen.head, 200);
    ck_assert_str_eq(seen.bytes, "{\"type\":\"ADDED\"}\n");
    ck_assert_uint_eq(cleat_transport_loop_streams(loop), 0);
    loop_close(&fixture, loop);
}
END_TEST

START_TEST(test_connection_serves_the_next)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    loop_open(&fixture, script_three_chunks, NULL, &loop);
    for (int i = 0; i < 5; i++) {
        struct seen seen = {0};
        seen_start(&seen, loop, "/", 0, 0);
        RUN_UNTIL(loop, seen.ends);
    }
    ck_assert_uint_eq(script_server_requests(fixture.server), 5);
    ck_assert_uint_eq(script_server_connections(fixture.server), 1);
    loop_close(&fixture, loop);
}
END_TEST

static void script_refuses(void *arg, struct script_exchange *exchange,
                           const struct script_request *request)
{
    script_reply(exchange, 410, "Retry-After: 7\r\n",
                 "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":"
                 "\"too old resource version: 5 (9)\",\"reason\":\"Expired\",\"code\":410}");
}

START_TEST(test_refusal)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen = {0};
    loop_open(&fixture, script_refuses, NULL, &loop);
    seen_start(&seen, loop, "/", 0, 0);
    RUN_UNTIL(loop, seen.ends);
    ck_assert_int_eq(seen.head, 410);
    ck_assert_int_eq(seen.head_err.http_status, 410);
    ck_assert_int_eq(seen.head_err.retry_after_ms, 7000);
    ck_assert_uint_eq(seen.total, 0);
    ck_assert_int_eq(seen.result, -ESTALE);
    ck_assert_str_eq(seen.err.reason, "Expired");
    ck_assert_str_eq(seen.err.text, "too old resource version: 5 (9)");
    ck_assert_int_eq(seen.err.retry_after_ms, 7000);
    loop_close(&fixture, loop);
}
END_TEST

static void script_breaks(void *arg, struct script_exchange *exchange,
                          const struct script_request *request)
{
    script_reply_chunked(exchange, 200, NULL);
    script_chunk_text(exchange, "half");
    script_close(exchange, true);
}

START_TEST(test_broken_in_the_middle)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen = {0};
    loop_open(&fixture, script_breaks, NULL, &loop);
    seen_start(&seen, loop, "/a", 0, 0);
    RUN_UNTIL(loop, seen.ends);
    ck_assert_int_eq(seen.result, -ECONNRESET);
    ck_assert_ptr_nonnull(strstr(seen.err.text, "/a: connection broke"));
    loop_close(&fixture, loop);
}
END_TEST

START_TEST(test_refused_connection)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen = {0};
    loop_open(&fixture, script_breaks, NULL, &loop);
    fixture.server = script_server_free(fixture.server);
    seen_start(&seen, loop, "/a", 0, 0);
    RUN_UNTIL(loop, seen.ends);
    ck_assert_int_eq(seen.result, -ECONNREFUSED);
    ck_assert_int_eq(seen.head, 0);
    loop_close(&fixture, loop);
}
END_TEST

/* Sends the head and a first chunk, then nothing. */
static void script_stalls(void *arg, struct script_exchange *exchange,
                          const struct script_request *request)
{
    script_reply_chunked(exchange, 200, NULL);
    script_chunk_text(exchange, "x");
    script_hold(exchange);
}

static void stall_case(int64_t stall_ms, int64_t timeout_ms, const char *text)
{
    struct cleat_fake_clock fake;
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen = {0};
    cleat_fake_clock_init(&fake);
    client_fixture_init(&fixture, script_stalls, NULL);
    fixture.options.clock = &fake.clock;
    client_fixture_open(&fixture);
    ck_assert_int_eq(cleat_transport_loop_new(fixture.client, &loop, NULL), 0);
    seen_start(&seen, loop, "/w?x", stall_ms, timeout_ms);
    RUN_UNTIL(loop, seen.total);
    cleat_fake_clock_advance_ms(&fake, 59999);
    run(loop);
    ck_assert_int_eq(seen.ends, 0);
    cleat_fake_clock_advance_ms(&fake, 1);
    run(loop);
    ck_assert_int_eq(seen.ends, 1);
    ck_assert_int_eq(seen.result, -ETIMEDOUT);
    ck_assert_msg(strstr(seen.err.text, text) != NULL, "%s", seen.err.text);
    loop_close(&fixture, loop);
}

START_TEST(test_stall)
{
    stall_case(60000, 0, "/w: no byte for 60000 ms");
    stall_case(0, 60000, "/w: not over within 60000 ms");
}
END_TEST

/* Takes the request and says nothing at all. */
static void script_silent(void *arg, struct script_exchange *exchange,
                          const struct script_request *request)
{
    script_hold(exchange);
}

/* A head has a limit of its own; after it the silence of a watch may be longer, or last. */
START_TEST(test_silent_head)
{
    struct cleat_fake_clock fake;
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen[2] = {{0}};
    const struct cleat_transport_stream_options options = {.path_and_query = "/w",
                                                           .head_ms = 30000};
    for (int answers = 0; answers < 2; answers++) {
        const struct cleat_transport_stream_ops ops = {.on_head = seen_head,
                                                       .on_bytes = seen_bytes,
                                                       .on_end = seen_end,
                                                       .arg = &seen[answers]};
        cleat_fake_clock_init(&fake);
        client_fixture_init(&fixture, answers ? script_stalls : script_silent, NULL);
        fixture.options.clock = &fake.clock;
        client_fixture_open(&fixture);
        ck_assert_int_eq(cleat_transport_loop_new(fixture.client, &loop, NULL), 0);
        ck_assert_int_eq(cleat_transport_stream_start(loop, &options, &ops, NULL, NULL), 0);
        if (answers)
            RUN_UNTIL(loop, seen[answers].total);
        else
            RUN_UNTIL(loop, script_server_connections(fixture.server) == 1);
        cleat_fake_clock_advance_ms(&fake, 30000);
        run(loop);
        ck_assert_int_eq(seen[answers].ends, !answers);
        loop_close(&fixture, loop);
    }
    ck_assert_int_eq(seen[0].result, -ETIMEDOUT);
    ck_assert_msg(strstr(seen[0].err.text, "no byte for 30000 ms") != NULL, "%s", seen[0].err.text);
}
END_TEST

START_TEST(test_stall_leaves_the_connection)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen[2] = {{0}};
    loop_open(&fixture, script_stalls, NULL, &loop);
    seen_start(&seen[0], loop, "/", 40, 0);
    RUN_UNTIL(loop, seen[0].ends);
    seen_start(&seen[1], loop, "/", 0, 0);
    RUN_UNTIL(loop, seen[1].total);
    ck_assert_uint_eq(script_server_connections(fixture.server), 2);
    loop_close(&fixture, loop);
}
END_TEST

START_TEST(test_cut)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen[3] = {{0}};
    loop_open(&fixture, script_stalls, NULL, &loop);
    seen_start(&seen[0], loop, "/", 0, 0);
    cleat_transport_stream_cut(seen[0].stream); /* before it began */
    seen_start(&seen[1], loop, "/", 0, 0);
    RUN_UNTIL(loop, seen[1].total);
    cleat_transport_stream_cut(seen[1].stream); /* while it waits */
    seen[2].cut_in_bytes = true;
    seen_start(&seen[2], loop, "/", 0, 0);
    RUN_UNTIL(loop, seen[2].total);
    run(loop);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(seen[i].ends, 0);
    ck_assert_uint_eq(cleat_transport_loop_streams(loop), 0);
    ck_assert_uint_eq(script_server_requests(fixture.server), 2);
    loop_close(&fixture, loop);
}
END_TEST

START_TEST(test_refused_bytes)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen = {.refuse = -EBADMSG};
    loop_open(&fixture, script_stalls, NULL, &loop);
    seen_start(&seen, loop, "/", 0, 0);
    RUN_UNTIL(loop, seen.ends);
    ck_assert_int_eq(seen.result, -EBADMSG);
    ck_assert_int_eq(seen.err.code, -EBADMSG);
    loop_close(&fixture, loop);
}
END_TEST

START_TEST(test_start_in_a_callback)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen next = {0};
    struct seen seen = {.start_next = &next};
    loop_open(&fixture, script_three_chunks, NULL, &loop);
    seen_start(&seen, loop, "/", 0, 0);
    RUN_UNTIL(loop, next.ends);
    ck_assert_int_eq(seen.ends, 1);
    ck_assert_int_eq(next.result, 0);
    loop_close(&fixture, loop);
}
END_TEST

START_TEST(test_free_with_streams)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen[4] = {{0}};
    loop_open(&fixture, script_stalls, NULL, &loop);
    for (int i = 0; i < 3; i++)
        seen_start(&seen[i], loop, "/", 0, 0);
    RUN_UNTIL(loop, seen[0].total && seen[1].total && seen[2].total);
    seen_start(&seen[3], loop, "/", 0, 0);
    loop_close(&fixture, loop);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(seen[i].ends, 0);
}
END_TEST

START_TEST(test_many)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    static struct seen seen[STREAMS_MAX];
    int ended = 0;
    memset(seen, 0, sizeof(seen));
    loop_open(&fixture, script_three_chunks, NULL, &loop);
    for (int i = 0; i < STREAMS_MAX; i++)
        seen_start(&seen[i], loop, "/", 1000, 0);
    for (int turns = 0; ended < STREAMS_MAX; turns++) {
        ck_assert_int_lt(turns, 4000);
        run(loop);
        ended = 0;
        for (int i = 0; i < STREAMS_MAX; i++)
            ended += seen[i].ends;
    }
    for (int i = 0; i < STREAMS_MAX; i++) {
        ck_assert_int_eq(seen[i].result, 0);
        ck_assert_uint_eq(seen[i].total, 17);
    }
    loop_close(&fixture, loop);
}
END_TEST

static void *wake_thread(void *arg)
{
    cleat_transport_loop_wake(arg);
    return NULL;
}

START_TEST(test_wake)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    pthread_t thread;
    loop_open(&fixture, script_three_chunks, NULL, &loop);
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_thread, loop), 0);
    ck_assert_int_eq(cleat_transport_loop_run(loop, -1, NULL), 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < 1000; i++)
        cleat_transport_loop_wake(loop);
    ck_assert_int_eq(cleat_transport_loop_run(loop, -1, NULL), 0);
    ck_assert_int_eq(cleat_transport_loop_run(loop, 0, NULL), 0);
    loop_close(&fixture, loop);
}
END_TEST

static int fence_all(void *arg, bool write, struct cleat_err *err)
{
    ck_assert(!write);
    (*(int *)arg)++;
    return cleat_err_set(err, -EPERM, "no more");
}

START_TEST(test_fence)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen = {0};
    int asked = 0;
    client_fixture_init(&fixture, script_three_chunks, NULL);
    fixture.options.fence = fence_all;
    fixture.options.fence_arg = &asked;
    client_fixture_open(&fixture);
    ck_assert_int_eq(cleat_transport_loop_new(fixture.client, &loop, NULL), 0);
    seen_start(&seen, loop, "/", 0, 0);
    RUN_UNTIL(loop, seen.ends);
    ck_assert_int_eq(seen.result, -EPERM);
    ck_assert_str_eq(seen.err.text, "no more");
    ck_assert_int_eq(asked, 1);
    ck_assert_uint_eq(script_server_connections(fixture.server), 0);
    loop_close(&fixture, loop);
}
END_TEST

/* 1 MiB in chunks of odd sizes. */
static void script_big(void *arg, struct script_exchange *exchange,
                       const struct script_request *request)
{
    static char block[7919];
    memset(block, 'y', sizeof(block));
    script_reply_chunked(exchange, 200, NULL);
    for (size_t left = 1048576; left > 0;) {
        size_t length = left < sizeof(block) ? left : sizeof(block);
        script_chunk(exchange, block, length);
        left -= length;
    }
    script_chunk_end(exchange);
}

START_TEST(test_big)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen = {0};
    loop_open(&fixture, script_big, NULL, &loop);
    seen_start(&seen, loop, "/", 0, 0);
    RUN_UNTIL(loop, seen.ends);
    ck_assert_int_eq(seen.result, 0);
    ck_assert_uint_eq(seen.total, 1048576);
    loop_close(&fixture, loop);
}
END_TEST

/* Frames that come fast are noted, and let the loop nap before it looks again. */
START_TEST(test_pace)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    struct seen seen = {0};
    loop_open(&fixture, script_big, NULL, &loop);
    int64_t slow_ns = loop->pace.gap_ns;
    loop->pace.heard_ns = cleat_clock_mono_ns(cleat_clock_system());
    seen_start(&seen, loop, "/", 0, 0);
    RUN_UNTIL(loop, seen.ends);
    ck_assert_int_lt(loop->pace.gap_ns, slow_ns);
    ck_assert_uint_eq(seen.total, 1048576);
    loop_close(&fixture, loop);
}
END_TEST

static int64_t run_fast(struct cleat_transport_loop *loop, size_t turn_bytes, int64_t timeout_ms)
{
    loop->pace =
        (struct transport_pace){.gap_ns = 1000, .turn_bytes = turn_bytes, .turn_pieces = 1};
    int64_t begin_ns = cleat_clock_mono_ns(cleat_clock_system());
    ck_assert_int_eq(cleat_transport_loop_run(loop, timeout_ms, NULL), 0);
    ck_assert_uint_eq(loop->pace.turn_pieces, 0);
    return cleat_clock_mono_ns(cleat_clock_system()) - begin_ns;
}

/* A nap is never longer than what the caller wants to wait, and a wake-up isn't lost in it. */
START_TEST(test_nap)
{
    struct client_fixture fixture;
    struct cleat_transport_loop *loop = NULL;
    loop_open(&fixture, script_three_chunks, NULL, &loop);
    cleat_transport_loop_wake(loop);
    (void)run_fast(loop, 100, -1); /* returns at all */
    ck_assert_int_ge(run_fast(loop, 100, 20), 20000000);
    cleat_transport_loop_wake(loop);
    (void)run_fast(loop, SIZE_MAX, -1); /* a load's turn: no nap, and the wake-up is seen */
    (void)run_fast(loop, 100, 0);
    loop_close(&fixture, loop);
}
END_TEST

CLEAT_SUITE_MAIN("transport_loop", test_stream, test_connection_serves_the_next, test_refusal,
                 test_broken_in_the_middle, test_refused_connection, test_stall, test_silent_head,
                 test_stall_leaves_the_connection, test_cut, test_refused_bytes,
                 test_start_in_a_callback, test_free_with_streams, test_many, test_wake, test_fence,
                 test_big, test_pace, test_nap)
