/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reflector without sockets: bytes and ends go in, requests and objects come out.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/projection.h>

#include "base/mem.h"
#include "controller/reflector.h"
#include "support/chaos.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "value/heap.h"

struct fixture {
    struct cleat_fake_clock clock;
    struct cleat_resource resource;
    struct cleat_heap *pool;
    struct cleat__reflector *reflector;
    struct reflector_options options;
    char told[4096]; /* what it told its owner */
    char step[2048]; /* what it wanted last */
    int64_t due_mono_ms;
    int64_t timeout_ms;
    int64_t stall_ms;
    int64_t head_ms;
    bool gzip;
    int item_result;
};

static void told(struct fixture *f, const char *mark, struct cleat_str text)
{
    size_t used = strlen(f->told);
    (void)snprintf(f->told + used, sizeof(f->told) - used, "%s%.*s ", mark, CLEAT_STR_ARG(text));
}

static int on_item(void *arg, enum reflector_what what, const struct cleat_parser_item *item)
{
    struct fixture *f = arg;
    told(f, what == REFLECTOR_PUT ? "+" : what == REFLECTOR_DELETE ? "-" : "!", item->name);
    return f->item_result;
}

static void on_begin(void *arg)
{
    told(arg, "begin", CLEAT_STR(""));
}

static int on_loaded(void *arg, struct cleat_str version)
{
    told(arg, "loaded@", version);
    return 0;
}

static void on_broken_off(void *arg)
{
    told(arg, "broken-off", CLEAT_STR(""));
}

static void on_seen(void *arg, struct cleat_str version)
{
    told(arg, "@", version);
}

static void on_state(void *arg, const struct cleat_err *err)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%d", err ? err->http_status : 0);
    told(arg, err ? "failed:" : "well", err ? cleat_str_of(text) : CLEAT_STR(""));
}

static void on_history_lost(void *arg)
{
    told(arg, "history-lost", CLEAT_STR(""));
}

static void fixture_init(struct fixture *f, const struct reflector_options *options)
{
    memset(f, 0, sizeof(*f));
    cleat_fake_clock_init(&f->clock);
    ck_assert_int_eq(cleat_gvk_make(&f->resource.gvk, "", "v1", "Pod"), 0);
    (void)snprintf(f->resource.plural, sizeof(f->resource.plural), "pods");
    f->resource.namespaced = true;
    ck_assert_int_eq(cleat_pool_new((size_t)16 << 20, &f->pool), 0);
    f->options = options ? *options : (struct reflector_options){.clock = NULL};
    f->options.clock = &f->clock.clock;
    f->options.resource = &f->resource;
    f->options.heap = f->pool;
    f->options.ops = (struct reflector_ops){on_item, on_begin, on_loaded, on_broken_off,
                                            on_seen, on_state, f,         on_history_lost};
    ck_assert_int_eq(cleat__reflector_new(&f->options, &f->reflector, NULL), 0);
}

static void fixture_fini(struct fixture *f)
{
    f->reflector = cleat__reflector_free(f->reflector);
    cleat_pool_sweep(f->pool);
    ck_assert_uint_eq(cleat_heap_nodes(f->pool), 0);
    f->pool = cleat_heap_free(f->pool);
}

/* What it wants now: "wait", "cut", or the path with its timeoutSeconds taken out. */
static const char *next(struct fixture *f)
{
    struct reflector_request request;
    int step = cleat__reflector_next(f->reflector, &request, &f->due_mono_ms);
    ck_assert_int_gt(step, 0);
    if (step != REFLECTOR_REQUEST)
        return step == REFLECTOR_WAIT ? "wait" : "cut";
    char path[1024];
    int skip = 0;
    (void)snprintf(path, sizeof(path), "%s", request.path_and_query);
    char *timeout = strstr(path, "timeoutSeconds=");
    int seconds = 0;
    if (timeout && sscanf(timeout, "timeoutSeconds=%d%n", &seconds, &skip) == 1) {
        ck_assert_int_ge(seconds, 300);
        ck_assert_int_le(seconds, 600);
        ck_assert_int_eq(request.timeout_ms, seconds * 1000 + 30000);
        (void)memmove(timeout, timeout + skip, strlen(timeout + skip) + 1);
    }
    f->timeout_ms = request.timeout_ms;
    f->stall_ms = request.stall_ms;
    f->head_ms = request.head_ms;
    f->gzip = request.gzip;
    (void)snprintf(f->step, sizeof(f->step), "%s", path);
    return f->step;
}

static bool asked(const struct fixture *f, const char *part)
{
    return strstr(f->step, part) != NULL;
}

static const char *take_told(struct fixture *f)
{
    static char last[4096];
    (void)snprintf(last, sizeof(last), "%s", f->told);
    f->told[0] = '\0';
    return last;
}

static int bytes(struct fixture *f, const char *text)
{
    cleat__reflector_head(f->reflector, 200);
    int r = cleat__reflector_bytes(f->reflector, text, strlen(text));
    cleat_pool_sweep(f->pool);
    return r;
}

static void end(struct fixture *f, int result, int http_status, const char *reason,
                const char *text)
{
    struct cleat_err err = {.code = result, .http_status = http_status};
    (void)snprintf(err.reason, sizeof(err.reason), "%s", reason);
    (void)snprintf(err.text, sizeof(err.text), "%s", text);
    cleat__reflector_end(f->reflector, result, result < 0 ? &err : NULL);
}

#define FRAME(type, name, version)                                                             \
    "{\"type\":\"" type "\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{" \
    "\"name\":\"" name "\",\"namespace\":\"a\",\"resourceVersion\":\"" version "\"}}}\n"
#define BOOKMARK(version)                                                \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{" \
    "\"resourceVersion\":\"" version "\"}}}\n"
#define END_MARK(version)                                                                          \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"                           \
    "\"resourceVersion\":\"" version "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" \
    "}}}\n"
#define STATUS(code, reason)                                                              \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\","          \
    "\"metadata\":{},\"status\":\"Failure\",\"message\":\"said so\",\"reason\":\"" reason \
    "\",\"code\":" code "}}\n"
#define LIST(version, more, items)                                                             \
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"" version \
    "\"" more "},\"items\":[" items "]}"
#define ITEM(name) \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"a\",\"resourceVersion\":\"3\"}}"

/* Loads by stream up to version 10 and reads away what was told. */
static void load(struct fixture *f)
{
    (void)next(f);
    ck_assert_int_eq(bytes(f, FRAME("ADDED", "x", "7") END_MARK("10")), 0);
    (void)take_told(f);
}

START_TEST(test_streaming_list_goes_on_as_watch)
{
    struct fixture f;
    fixture_init(&f, NULL);
    ck_assert_str_eq(next(&f), "/api/v1/pods?watch=true&allowWatchBookmarks=true&"
                               "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&");
    fixture_fini(&f);
    fixture_init(&f, NULL);
    (void)next(&f);
    ck_assert(asked(&f, "sendInitialEvents=true") && asked(&f, "watch=true"));
    ck_assert(asked(&f, "resourceVersionMatch=NotOlderThan"));
    ck_assert(asked(&f, "allowWatchBookmarks=true") && !asked(&f, "resourceVersion="));
    ck_assert(!f.gzip);
    /* An ordinary bookmark isn't the mark, and synthetic objects move no version. */
    ck_assert_int_eq(bytes(&f, FRAME("ADDED", "x", "7") BOOKMARK("8") FRAME("ADDED", "y", "5")), 0);
    ck_assert_str_eq(take_told(&f), "begin +x +y ");
    ck_assert(cleat_str_is(cleat__reflector_version(f.reflector), ""));
    ck_assert_int_eq(bytes(&f, END_MARK("10")), 0);
    ck_assert_str_eq(take_told(&f), "loaded@10 @10 well ");
    ck_assert_str_eq(next(&f), "wait");
    ck_assert_int_eq(f.due_mono_ms, INT64_MAX);
    ck_assert_int_eq(bytes(&f, FRAME("MODIFIED", "x", "11") FRAME("DELETED", "y", "12")), 0);
    ck_assert_int_eq(bytes(&f, BOOKMARK("20")), 0);
    ck_assert_str_eq(take_told(&f), "+x @11 -y @12 @20 ");
    ck_assert(cleat_str_is(cleat__reflector_version(f.reflector), "20"));
    fixture_fini(&f);
}
END_TEST

START_TEST(test_clean_end_goes_on_at_the_last_version)
{
    struct fixture f;
    fixture_init(&f, NULL);
    load(&f);
    cleat_fake_clock_advance_ms(&f.clock, 400000);
    end(&f, 0, 0, "", "");
    (void)next(&f);
    ck_assert(asked(&f, "watch=true") && asked(&f, "resourceVersion=10"));
    ck_assert(!asked(&f, "sendInitialEvents"));
    ck_assert_str_eq(take_told(&f), ""); /* nothing failed, nothing is loaded again */
    fixture_fini(&f);
}
END_TEST

START_TEST(test_short_silent_watch_is_a_failure)
{
    struct fixture f;
    fixture_init(&f, NULL);
    load(&f);
    end(&f, 0, 0, "", "");
    (void)next(&f);
    cleat_fake_clock_advance_ms(&f.clock, 999);
    end(&f, 0, 0, "", "");
    ck_assert_str_eq(take_told(&f), "failed:0 ");
    ck_assert_str_eq(next(&f), "wait");
    int64_t now_ms = cleat_clock_mono_ms(&f.clock.clock);
    ck_assert_int_ge(f.due_mono_ms, now_ms + 800);
    ck_assert_int_le(f.due_mono_ms, now_ms + 1600);
    cleat_fake_clock_advance_ms(&f.clock, 1601);
    (void)next(&f);
    ck_assert(asked(&f, "resourceVersion=10"));
    /* One that lived for a second, or said something, is none. */
    cleat_fake_clock_advance_ms(&f.clock, 1000);
    end(&f, 0, 0, "", "");
    ck_assert(strncmp(next(&f), "/api", 4) == 0);
    ck_assert_int_eq(bytes(&f, BOOKMARK("11")), 0);
    end(&f, 0, 0, "", "");
    ck_assert(strncmp(next(&f), "/api", 4) == 0);
    ck_assert(asked(&f, "resourceVersion=11"));
    fixture_fini(&f);
}
END_TEST

START_TEST(test_how_a_watch_fails)
{
    static const struct {
        const char *frame; /* or NULL: the end of the stream */
        int result, status;
        const char *reason, *then; /* part of the next request */
        bool waits, loads;
    } cases[] = {
        {NULL, -ESTALE, 410, "Expired", "resourceVersion=10", false, true},
        {NULL, -ESTALE, 410, "Gone", "resourceVersion=10", false, true},
        {STATUS("410", "Expired"), 0, 0, "", "resourceVersion=10", false, true},
        {STATUS("410", "Gone"), 0, 0, "", "resourceVersion=10", false, true},
        {NULL, -EBUSY, 429, "TooManyRequests", "resourceVersion=10", true, false},
        {STATUS("429", "TooManyRequests"), 0, 0, "", "resourceVersion=10", true, false},
        {NULL, -ECONNREFUSED, 0, "", "resourceVersion=10", true, false},
        {NULL, -ECONNRESET, 0, "", "resourceVersion=10", true, false},
        {NULL, -ETIMEDOUT, 0, "", "resourceVersion=10", true, false},
        {NULL, -EIO, 500, "InternalError", "resourceVersion=10", true, false},
        {STATUS("500", "InternalError"), 0, 0, "", "resourceVersion=10", true, false},
        {NULL, -EACCES, 403, "Forbidden", "resourceVersion=10", true, true},
        {NULL, -ENOENT, 404, "NotFound", "resourceVersion=10", true, true},
        {NULL, -EINVAL, 400, "BadRequest", "resourceVersion=10", true, true},
        {"{\"type\":\"ADDED\",\"object\":", 0, 0, "", "resourceVersion=10", true, false},
        {"this is no JSON", 0, 0, "", "resourceVersion=10", true, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f, NULL);
        load(&f);
        int r = cases[i].frame ? bytes(&f, cases[i].frame) : 0;
        end(&f,
            r < 0            ? r
            : cases[i].frame ? -ECONNRESET
                             : cases[i].result,
            cases[i].status, cases[i].reason, "");
        const char *step = next(&f);
        ck_assert_msg((strcmp(step, "wait") == 0) == cases[i].waits, "case %zu: %s", i, step);
        if (cases[i].waits) {
            cleat_fake_clock_advance_ms(&f.clock, 1601);
            (void)next(&f);
        }
        ck_assert_msg(asked(&f, cases[i].then), "case %zu: %s", i, f.step);
        ck_assert_msg(asked(&f, "sendInitialEvents") == cases[i].loads, "case %zu: %s", i, f.step);
        fixture_fini(&f);
    }
}
END_TEST

START_TEST(test_second_expiry_asks_for_the_newest)
{
    struct fixture f;
    fixture_init(&f, NULL);
    load(&f);
    end(&f, -ESTALE, 410, "Expired", "");
    (void)next(&f);
    ck_assert(asked(&f, "resourceVersion=10"));
    end(&f, -ESTALE, 410, "Expired", "");
    (void)next(&f);
    ck_assert(asked(&f, "sendInitialEvents") && !asked(&f, "resourceVersion="));
    end(&f, -ESTALE, 410, "Expired", "");
    ck_assert_str_eq(next(&f), "wait");
    fixture_fini(&f);
}
END_TEST

START_TEST(test_server_that_is_behind)
{
    struct fixture f;
    fixture_init(&f, NULL);
    load(&f);
    end(&f, -ESTALE, 410, "Expired", "");
    (void)next(&f);
    end(&f, -ETIMEDOUT, 504, "Timeout", "Too large resource version: 10, current: 9");
    (void)next(&f);
    ck_assert(asked(&f, "sendInitialEvents") && !asked(&f, "resourceVersion="));
    fixture_fini(&f);
}
END_TEST

START_TEST(test_fallback_to_pages)
{
    struct fixture f;
    fixture_init(&f, NULL);
    (void)next(&f);
    end(&f, -EINVAL, 422, "Invalid", "sendInitialEvents is forbidden");
    ck_assert_str_eq(next(&f), "/api/v1/pods?resourceVersion=0&limit=500");
    ck_assert(f.gzip);
    ck_assert_int_eq(f.stall_ms, 60000);
    ck_assert_int_eq(bytes(&f, LIST("5", ",\"continue\":\"tok en\"", ITEM("x") "," ITEM("y"))), 0);
    end(&f, 0, 0, "", "");
    ck_assert_str_eq(next(&f), "/api/v1/pods?limit=500&continue=tok%20en");
    ck_assert_int_eq(bytes(&f, LIST("5", "", ITEM("z"))), 0);
    ck_assert_str_eq(take_told(&f), "begin broken-off begin +x +y +z ");
    end(&f, 0, 0, "", "");
    ck_assert_str_eq(take_told(&f), "loaded@5 @5 well ");
    (void)next(&f);
    ck_assert(asked(&f, "watch=true") && asked(&f, "resourceVersion=5"));
    ck_assert(!asked(&f, "sendInitialEvents"));
    fixture_fini(&f);
}
END_TEST

START_TEST(test_expired_pages_become_one_list)
{
    struct fixture f;
    const struct reflector_options options = {.no_watch_list = true};
    fixture_init(&f, &options);
    ck_assert_str_eq(next(&f), "/api/v1/pods?resourceVersion=0&limit=500");
    ck_assert_int_eq(bytes(&f, LIST("5", ",\"continue\":\"t\"", ITEM("x"))), 0);
    end(&f, 0, 0, "", "");
    (void)next(&f);
    end(&f, -ESTALE, 410, "Expired", "");
    ck_assert_str_eq(next(&f), "/api/v1/pods");
    ck_assert_int_eq(bytes(&f, LIST("9", "", ITEM("y"))), 0);
    end(&f, 0, 0, "", "");
    ck_assert_str_eq(take_told(&f), "begin +x broken-off begin +y loaded@9 @9 well ");
    /* A relist at a real version: in pages, since the first list came in pages. */
    (void)next(&f);
    end(&f, -ESTALE, 410, "Expired", "");
    ck_assert_str_eq(next(&f), "/api/v1/pods?resourceVersion=9&limit=500");
    fixture_fini(&f);
}
END_TEST

START_TEST(test_relist_at_a_real_version_is_not_paged)
{
    struct fixture f;
    const struct reflector_options options = {.no_watch_list = true};
    fixture_init(&f, &options);
    (void)next(&f);
    ck_assert_int_eq(bytes(&f, LIST("5", "", ITEM("x"))), 0);
    end(&f, 0, 0, "", "");
    (void)next(&f);
    end(&f, -ESTALE, 410, "Expired", "");
    ck_assert_str_eq(next(&f), "/api/v1/pods?resourceVersion=5");
    end(&f, -ESTALE, 410, "Expired", "");
    ck_assert_str_eq(next(&f), "/api/v1/pods?limit=500");
    fixture_fini(&f);
}
END_TEST

START_TEST(test_broken_list_loads_again)
{
    static const char *const answers[] = {
        LIST("5", "",
             ITEM("x") ","
                       "{\"metadata\":"), /* cut off */
        "{\"kind\":\"Table\",\"metadata\":{\"resourceVersion\":\"5\"},\"rows\":[]}",
        "<html>a proxy's own words</html>",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct fixture f;
        const struct reflector_options options = {.no_watch_list = true};
        fixture_init(&f, &options);
        (void)next(&f);
        int r = bytes(&f, answers[i]);
        end(&f, r, 0, "", "");
        ck_assert_ptr_null(strstr(f.told, "loaded"));
        ck_assert_ptr_nonnull(strstr(f.told, "broken-off failed:0 "));
        ck_assert_str_eq(next(&f), "wait");
        cleat_fake_clock_advance_ms(&f.clock, 1601);
        ck_assert_str_eq(next(&f), "/api/v1/pods?resourceVersion=0&limit=500");
        fixture_fini(&f);
    }
}
END_TEST

START_TEST(test_mark_that_never_comes)
{
    struct fixture f;
    fixture_init(&f, NULL);
    (void)next(&f);
    ck_assert_int_eq(bytes(&f, FRAME("ADDED", "x", "7")), 0);
    ck_assert_str_eq(next(&f), "wait");
    ck_assert_int_eq(f.due_mono_ms, cleat_clock_mono_ms(&f.clock.clock) + 15000);
    cleat_fake_clock_advance_ms(&f.clock, 15000);
    ck_assert_str_eq(next(&f), "cut");
    ck_assert_str_eq(next(&f), "/api/v1/pods?resourceVersion=0&limit=500");
    ck_assert_str_eq(take_told(&f), "begin +x broken-off begin ");
    fixture_fini(&f);
}
END_TEST

START_TEST(test_streams_that_end_before_their_mark)
{
    struct fixture f;
    fixture_init(&f, NULL);
    (void)next(&f);
    end(&f, 0, 0, "", "");
    ck_assert_str_eq(next(&f), "wait");
    cleat_fake_clock_advance_ms(&f.clock, 1601);
    (void)next(&f);
    ck_assert(asked(&f, "sendInitialEvents"));
    end(&f, 0, 0, "", "");
    cleat_fake_clock_advance_ms(&f.clock, 3201);
    (void)next(&f);
    ck_assert(asked(&f, "limit=500"));
    fixture_fini(&f);
}
END_TEST

START_TEST(test_refused_load_waits_and_says_so)
{
    struct fixture f;
    fixture_init(&f, NULL);
    (void)next(&f);
    end(&f, -ECONNREFUSED, 0, "", "");
    ck_assert_str_eq(next(&f), "wait");
    cleat_fake_clock_advance_ms(&f.clock, 1601);
    (void)next(&f);
    ck_assert(asked(&f, "sendInitialEvents")); /* as before */
    end(&f, -EACCES, 403, "Forbidden", "");
    (void)next(&f); /* perhaps lists are allowed */
    ck_assert(asked(&f, "limit=500"));
    (void)take_told(&f);
    end(&f, -EACCES, 403, "Forbidden", "");
    ck_assert_str_eq(take_told(&f), "broken-off failed:403 ");
    ck_assert_str_eq(next(&f), "wait");
    fixture_fini(&f);
}
END_TEST

START_TEST(test_back_off_grows_and_is_forgotten)
{
    struct fixture f;
    int64_t least_ms = 800;
    fixture_init(&f, NULL);
    load(&f);
    for (int i = 0; i < 8; i++) {
        end(&f, -ECONNRESET, 0, "", "");
        int64_t now_ms = cleat_clock_mono_ms(&f.clock.clock);
        ck_assert_str_eq(next(&f), "wait");
        ck_assert_int_ge(f.due_mono_ms - now_ms, least_ms);
        ck_assert_int_le(f.due_mono_ms - now_ms, 2 * least_ms);
        cleat_fake_clock_advance_ms(&f.clock, f.due_mono_ms - now_ms);
        (void)next(&f);
        least_ms = least_ms * 2 < 30000 ? least_ms * 2 : 30000;
    }
    cleat_fake_clock_advance_ms(&f.clock, 120000);
    end(&f, -ECONNRESET, 0, "", "");
    ck_assert_str_eq(next(&f), "wait");
    ck_assert_int_le(f.due_mono_ms - cleat_clock_mono_ms(&f.clock.clock), 1600);
    fixture_fini(&f);
}
END_TEST

START_TEST(test_retry_after_is_obeyed)
{
    struct fixture f;
    struct cleat_err err = {.code = -EBUSY, .http_status = 429, .retry_after_ms = 7000};
    fixture_init(&f, NULL);
    load(&f);
    cleat__reflector_end(f.reflector, -EBUSY, &err);
    ck_assert_str_eq(next(&f), "wait");
    ck_assert_int_eq(f.due_mono_ms, cleat_clock_mono_ms(&f.clock.clock) + 7000);
    fixture_fini(&f);
}
END_TEST

START_TEST(test_broken_objects_are_reported_and_passed_over)
{
    struct fixture f;
    fixture_init(&f, NULL);
    load(&f);
    ck_assert_int_eq(
        bytes(&f,
              "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"twice\","
              "\"resourceVersion\":\"11\"},\"spec\":{\"a\":1,\"a\":2}}}\n"
              "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Node\",\"metadata\":{\"name\":\"other\","
              "\"resourceVersion\":\"12\"}}}\n" FRAME("ADDED", "fine", "13")),
        0);
    ck_assert_str_eq(take_told(&f), "!twice @11 !other @12 +fine @13 ");
    fixture_fini(&f);
}
END_TEST

START_TEST(test_bytes_may_be_cut_anywhere)
{
    const char *text = FRAME("ADDED", "x", "7") END_MARK("10") FRAME("MODIFIED", "x", "11")
        FRAME("DELETED", "x", "12");
    struct fixture f;
    fixture_init(&f, NULL);
    (void)next(&f);
    for (size_t i = 0; text[i]; i++) {
        const char one[] = {text[i], '\0'};
        ck_assert_int_eq(bytes(&f, one), 0);
    }
    ck_assert_str_eq(take_told(&f), "begin +x loaded@10 @10 well +x @11 -x @12 ");
    fixture_fini(&f);
}
END_TEST

/* A server that refused some first lists once kept readiness waiting for 20 s after it was back. */
START_TEST(test_first_load_is_tried_again_soon)
{
    struct fixture f;
    int64_t least_ms = 200, first_ms = 0;
    fixture_init(&f, NULL);
    (void)next(&f);
    for (int i = 0; i < 10; i++) {
        end(&f, -ECONNREFUSED, 0, "", "");
        int64_t now_ms = cleat_clock_mono_ms(&f.clock.clock);
        ck_assert_str_eq(next(&f), "wait");
        ck_assert_int_ge(f.due_mono_ms - now_ms, least_ms);
        ck_assert_int_le(f.due_mono_ms - now_ms, 5000);
        first_ms = i == 0 ? f.due_mono_ms - now_ms : first_ms;
        cleat_fake_clock_advance_ms(&f.clock, f.due_mono_ms - now_ms);
        (void)next(&f);
        least_ms = least_ms * 2 < 2500 ? least_ms * 2 : 2500;
    }
    ck_assert_int_le(first_ms, 400);
    /* Once loaded, a watch that breaks begins with the usual pause. */
    ck_assert_int_eq(bytes(&f, FRAME("ADDED", "x", "7") END_MARK("10")), 0);
    end(&f, -ECONNRESET, 0, "", "");
    ck_assert_str_eq(next(&f), "wait");
    int64_t pause_ms = f.due_mono_ms - cleat_clock_mono_ms(&f.clock.clock);
    ck_assert(pause_ms >= 800 && pause_ms <= 1600);
    fixture_fini(&f);
}
END_TEST

/* Where bookmarks come every minute, silence is a broken watch; else nobody can tell. */
START_TEST(test_silent_watch_has_a_limit)
{
    struct fixture f;
    const struct reflector_options options = {.no_watch_list = true};
    fixture_init(&f, NULL);
    (void)next(&f);
    ck_assert_int_eq(f.stall_ms, 180000);
    ck_assert_int_eq(f.head_ms, 30000);
    fixture_fini(&f);
    fixture_init(&f, &options);
    (void)next(&f);
    ck_assert_int_eq(bytes(&f, LIST("10", "", ITEM("x"))), 0);
    end(&f, 0, 0, "", "");
    (void)next(&f);
    ck_assert_int_eq(f.stall_ms, 0);
    ck_assert_int_eq(f.head_ms, 30000);
    ck_assert_int_eq(bytes(&f, BOOKMARK("11")), 0);
    end(&f, 0, 0, "", "");
    (void)next(&f);
    ck_assert_int_eq(f.stall_ms, 180000);
    fixture_fini(&f);
}
END_TEST

/* Put back from a backup: the newest that there is has a lower version than what was seen. */
START_TEST(test_server_that_lost_its_history)
{
    for (int by_list = 0; by_list < 2; by_list++) {
        struct fixture f;
        const struct reflector_options options = {.no_watch_list = by_list};
        fixture_init(&f, &options);
        (void)next(&f);
        ck_assert_int_eq(bytes(&f, by_list ? LIST("100", "", ITEM("x")) : END_MARK("100")), 0);
        end(&f, by_list ? 0 : -ESTALE, by_list ? 0 : 410, "Expired", "");
        (void)next(&f);
        end(&f, -ESTALE, 410, "Expired", "");
        (void)next(&f);
        if (by_list) { /* its watch came in between */
            end(&f, -ESTALE, 410, "Expired", "");
            (void)next(&f);
        }
        ck_assert(!asked(&f, "resourceVersion="));
        (void)take_told(&f);
        int r = bytes(&f, by_list ? LIST("20", "", ITEM("x")) : END_MARK("20"));
        ck_assert_int_eq(r, by_list ? 0 : -ECANCELED);
        end(&f, r, 0, "", "");
        ck_assert_str_eq(take_told(&f),
                         by_list ? "+x broken-off history-lost " : "broken-off history-lost ");
        (void)next(&f);
        ck_assert(!asked(&f, "resourceVersion="));
        ck_assert_int_eq(bytes(&f, by_list ? LIST("21", "", ITEM("x")) : END_MARK("21")), 0);
        if (by_list)
            end(&f, 0, 0, "", "");
        ck_assert_ptr_nonnull(strstr(take_told(&f), "loaded@21 @21 "));
        fixture_fini(&f);
    }
}
END_TEST

START_TEST(test_owner_that_cannot_store_ends_the_stream)
{
    struct fixture f;
    fixture_init(&f, NULL);
    load(&f);
    f.item_result = -ENOMEM;
    int r = bytes(&f, FRAME("ADDED", "y", "11") FRAME("ADDED", "z", "12"));
    ck_assert_int_eq(r, -ENOMEM);
    end(&f, r, 0, "", "");
    /* The version stays before what wasn't stored. */
    ck_assert(cleat_str_is(cleat__reflector_version(f.reflector), "10"));
    cleat_fake_clock_advance_ms(&f.clock, 1601);
    (void)next(&f);
    ck_assert(asked(&f, "resourceVersion=10"));
    fixture_fini(&f);
}
END_TEST

START_TEST(test_reload_cuts_what_runs)
{
    struct fixture f;
    fixture_init(&f, NULL);
    load(&f);
    cleat__reflector_reload(f.reflector);
    ck_assert_str_eq(next(&f), "cut");
    (void)next(&f);
    ck_assert(asked(&f, "sendInitialEvents") && asked(&f, "resourceVersion=10"));
    fixture_fini(&f);
}
END_TEST

START_TEST(test_what_is_asked_for)
{
    struct fixture f;
    const struct reflector_options options = {.namespace_ = "team a",
                                              .label_selector = "a=b,c in (d)",
                                              .field_selector = "metadata.name=x",
                                              .metadata_only = true,
                                              .no_watch_list = true};
    fixture_init(&f, &options);
    f.reflector = cleat__reflector_free(f.reflector);
    ck_assert_int_eq(cleat_gvk_make(&f.resource.gvk, "apps", "v1", "Deployment"), 0);
    (void)snprintf(f.resource.plural, sizeof(f.resource.plural), "deployments");
    ck_assert_int_eq(cleat__reflector_new(&f.options, &f.reflector, NULL), 0);
    struct reflector_request request;
    ck_assert_int_eq(cleat__reflector_next(f.reflector, &request, &f.due_mono_ms),
                     REFLECTOR_REQUEST);
    ck_assert_ptr_nonnull(strstr(request.accept, "as=PartialObjectMetadataList;"));
    ck_assert(
        strncmp(request.path_and_query, "/apis/apps/v1/namespaces/team%20a/deployments?", 46) == 0);
    ck_assert_ptr_nonnull(strstr(request.path_and_query, "labelSelector=a%3Db%2Cc%20in%20%28d%29"));
    ck_assert_ptr_nonnull(strstr(request.path_and_query, "fieldSelector=metadata.name%3Dx"));
    fixture_fini(&f);
}
END_TEST

static int make_one(void *arg)
{
    struct fixture *f = arg;
    struct cleat__reflector *reflector = NULL;
    struct reflector_request request;
    int64_t due_ms;
    int r = cleat__reflector_new(&f->options, &reflector, NULL);
    if (r == 0) {
        r = cleat__reflector_next(reflector, &request, &due_ms);
        r = r == REFLECTOR_REQUEST ? 0 : r;
    }
    if (r == 0)
        r = cleat__reflector_bytes(reflector, FRAME("ADDED", "x", "7") END_MARK("10"),
                                   strlen(FRAME("ADDED", "x", "7") END_MARK("10")));
    reflector = cleat__reflector_free(reflector);
    f->told[0] = '\0';
    return r;
}

START_TEST(test_out_of_memory)
{
    struct fixture f;
    const struct reflector_options options = {.namespace_ = "a", .label_selector = "b=c"};
    fixture_init(&f, &options);
    (void)cleat_chaos_sweep_tolerant(make_one, &f);
    fixture_fini(&f);
}
END_TEST

/* Once: an object that there was no memory for passed for broken, and stayed so when there was. */
START_TEST(test_lack_of_memory_breaks_no_object)
{
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        static const char frame[] =
            "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"fresh\","
            "\"resourceVersion\":\"11\",\"labels\":{\"a-key\":\"a value that isn't short\"}}}}\n";
        struct fixture f;
        fixture_init(&f, NULL);
        load(&f);
        f.told[0] = '\0';
        cleat_mem_fail_at(nth, false);
        int r = cleat__reflector_bytes(f.reflector, frame, strlen(frame));
        failed = cleat_mem_failed();
        cleat_mem_fail_at(0, false);
        ck_assert_msg(r == 0 || (failed && r == -ENOMEM), "request %llu: %d",
                      (unsigned long long)nth, r);
        ck_assert_msg(!strchr(f.told, '!'), "request %llu: %s", (unsigned long long)nth, f.told);
        ck_assert(r < 0 || strstr(f.told, "+fresh"));
        fixture_fini(&f);
    }
}
END_TEST

/* Once: each lack of memory doubled the pause, up to a minute of not watching. */
START_TEST(test_lack_of_memory_waits_briefly)
{
    struct fixture f;
    fixture_init(&f, NULL);
    load(&f);
    for (int i = 0; i < 10; i++) {
        cleat__reflector_end(f.reflector, -ENOMEM, NULL);
        ck_assert_str_eq(next(&f), "wait");
        int64_t wait_ms = f.due_mono_ms - cleat_clock_mono_ms(&f.clock.clock);
        ck_assert_int_gt(wait_ms, 0);
        ck_assert_int_le(wait_ms, 2 * CLEAT__REFLECTOR_BACKOFF_MIN_MS);
        cleat_fake_clock_advance_ms(&f.clock, wait_ms);
        (void)next(&f);
        ck_assert(asked(&f, "watch="));
    }
    fixture_fini(&f);
}
END_TEST

CLEAT_SUITE_MAIN("reflector", test_streaming_list_goes_on_as_watch,
                 test_clean_end_goes_on_at_the_last_version, test_short_silent_watch_is_a_failure,
                 test_how_a_watch_fails, test_second_expiry_asks_for_the_newest,
                 test_server_that_is_behind, test_fallback_to_pages,
                 test_expired_pages_become_one_list, test_relist_at_a_real_version_is_not_paged,
                 test_broken_list_loads_again, test_mark_that_never_comes,
                 test_streams_that_end_before_their_mark, test_refused_load_waits_and_says_so,
                 test_back_off_grows_and_is_forgotten, test_retry_after_is_obeyed,
                 test_broken_objects_are_reported_and_passed_over, test_bytes_may_be_cut_anywhere,
                 test_first_load_is_tried_again_soon, test_silent_watch_has_a_limit,
                 test_server_that_lost_its_history, test_owner_that_cannot_store_ends_the_stream,
                 test_reload_cuts_what_runs, test_what_is_asked_for, test_out_of_memory,
                 test_lack_of_memory_breaks_no_object, test_lack_of_memory_waits_briefly)
