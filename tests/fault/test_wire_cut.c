/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch stream of 64 KiB, cut at every byte: the reflector asks for the version before what was
 * torn, and what it showed is what the server has: nothing lost, nothing doubled, nothing in parts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "controller/reflector.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/tally.h"
#include "value/heap.h"

#define STREAM_BYTES ((size_t)64 * 1024)
#define FRAMES_MAX 1024
#define OBJECTS 23
#define FIRST_VERSION 1000

/* What is in each object, by its version: whatever a parser could trip over. */
static const char *const notes[] = {
    "plain",
    "\\\"quoted\\\" \\\\ \\/ \\b\\f\\n\\r\\t",
    "\\u00e9\\ud83d\\ude00",
    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
    "{\\\"type\\\":\\\"DELETED\\\",\\\"object\\\":{}}\\n",
    "\\u0000",
    "",
};
static const struct cleat_str notes_read[] = {
    {"plain", 5},
    {"\"quoted\" \\ / \b\f\n\r\t", 18},
    {"\xc3\xa9\xf0\x9f\x98\x80", 6},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9},
    {"{\"type\":\"DELETED\",\"object\":{}}\n", 31},
    {"\0", 1},
    {"", 0},
};

#define NOTES (sizeof(notes) / sizeof(notes[0]))

struct stream {
    char *bytes;
    size_t ends[FRAMES_MAX]; /* of each frame */
    size_t count;
    int64_t objects[OBJECTS]; /* versions that there are at the end; 0: none */
};

static void stream_frame(struct stream *stream, size_t *at)
{
    int64_t version = FIRST_VERSION + 1 + (int64_t)stream->count;
    size_t object = (size_t)(version * 7) % OBJECTS;
    size_t note = (size_t)version % NOTES;
    bool bookmark = version % 31 == 0, deleted = version % 5 == 0 && stream->objects[object] > 0;
    const char *type = bookmark                      ? "BOOKMARK"
                       : deleted                     ? "DELETED"
                       : stream->objects[object] > 0 ? "MODIFIED"
                                                     : "ADDED";
    int length = snprintf(
        stream->bytes + *at, 4096,
        "{\"type\":\"%s\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{"
        "\"name\":\"p%zu\",\"namespace\":\"a\",\"resourceVersion\":\"%lld\",\"labels\":{\"n\":"
        "\"%lld\"}},\"spec\":{\"note\":\"%s\",\"list\":[1,-2.5e3,true,null,{\"x\":[]}]}}}\n",
        type, object, (long long)version, (long long)version, notes[note]);
    *at += (size_t)length;
    stream->ends[stream->count++] = *at;
    if (!bookmark)
        stream->objects[object] = deleted ? 0 : version;
}

static void stream_make(struct stream *stream)
{
    size_t at = 0;
    memset(stream, 0, sizeof(*stream));
    stream->bytes = cleat_mem_alloc(STREAM_BYTES + 4096);
    ck_assert_ptr_nonnull(stream->bytes);
    while (at < STREAM_BYTES) {
        ck_assert_uint_lt(stream->count, FRAMES_MAX);
        stream_frame(stream, &at);
    }
}

/* ---- who takes what the reflector shows ---- */

struct taker {
    struct cleat_fake_clock clock;
    struct cleat_resource resource;
    struct cleat_heap *pool;
    struct cleat__reflector *reflector;
    int64_t objects[OBJECTS];
    int64_t last; /* version of the last event */
    uint64_t events;
    struct cleat_tally *tally;
};

static int64_t version_of(struct cleat_str text)
{
    return strtoll(text.data, NULL, 10);
}

static bool item_is_whole(const struct cleat_parser_item *item, int64_t version)
{
    char label[24];
    struct cleat_value labels = cleat_value_find(item->root, "metadata.labels");
    struct cleat_value note = cleat_value_find(item->root, "spec.note");
    (void)snprintf(label, sizeof(label), "%lld", (long long)version);
    return cleat_value_is(cleat_value_get(labels, "n"), label) &&
           cleat_value_is_str(note, notes_read[(size_t)version % NOTES]) &&
           cleat_value_count(cleat_value_find(item->root, "spec.list")) == 5;
}

static int on_item(void *arg, enum reflector_what what, const struct cleat_parser_item *item)
{
    struct taker *taker = arg;
    int64_t version = version_of(item->resource_version);
    size_t object = (size_t)strtoul(item->name.length > 1 ? item->name.data + 1 : "0", NULL, 10);
    taker->events++;
    if (what == REFLECTOR_BROKEN || version <= taker->last || object >= OBJECTS ||
        !item_is_whole(item, version)) {
        taker->tally->wrong++;
        return 0;
    }
    taker->last = version;
    taker->objects[object] = what == REFLECTOR_DELETE ? 0 : version;
    return 0;
}

static void on_begin(void *arg)
{
}

static int on_loaded(void *arg, struct cleat_str version)
{
    return 0;
}

static void on_broken_off(void *arg)
{
}

static void on_seen(void *arg, struct cleat_str version)
{
    struct taker *taker = arg;
    int64_t seen = version_of(version);
    taker->last = seen > taker->last ? seen : taker->last; /* bookmarks */
}

static void on_state(void *arg, const struct cleat_err *err)
{
}

/* The version that the next request goes on from, after whatever pause. */
static int64_t taker_ask(struct taker *taker)
{
    struct reflector_request request;
    int64_t due_ms = 0;
    int step = cleat__reflector_next(taker->reflector, &request, &due_ms);
    if (step == REFLECTOR_WAIT) {
        cleat_fake_clock_advance_ms(&taker->clock,
                                    due_ms - cleat_clock_mono_ms(&taker->clock.clock));
        step = cleat__reflector_next(taker->reflector, &request, &due_ms);
    }
    ck_assert_int_eq(step, REFLECTOR_REQUEST);
    const char *version = strstr(request.path_and_query, "resourceVersion=");
    return version ? strtoll(version + strlen("resourceVersion="), NULL, 10) : 0;
}

static void taker_open(struct taker *taker, struct cleat_tally *tally)
{
    static const char list[] = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{"
                               "\"resourceVersion\":\"1000\"},\"items\":[]}";
    memset(taker, 0, sizeof(*taker));
    taker->tally = tally;
    cleat_fake_clock_init(&taker->clock);
    ck_assert_int_eq(cleat_gvk_make(&taker->resource.gvk, "", "v1", "Pod"), 0);
    (void)snprintf(taker->resource.plural, sizeof(taker->resource.plural), "pods");
    taker->resource.namespaced = true;
    ck_assert_int_eq(cleat_pool_new((size_t)64 << 20, &taker->pool), 0);
    const struct reflector_options options = {
        .clock = &taker->clock.clock,
        .resource = &taker->resource,
        .heap = taker->pool,
        .no_watch_list = true,
        .ops = {on_item, on_begin, on_loaded, on_broken_off, on_seen, on_state, taker},
    };
    ck_assert_int_eq(cleat__reflector_new(&options, &taker->reflector, NULL), 0);
    (void)taker_ask(taker);
    cleat__reflector_head(taker->reflector, 200);
    ck_assert_int_eq(cleat__reflector_bytes(taker->reflector, list, strlen(list)), 0);
    cleat__reflector_end(taker->reflector, 0, NULL);
    ck_assert_int_eq(taker_ask(taker), FIRST_VERSION);
    cleat__reflector_head(taker->reflector, 200);
}

static void taker_close(struct taker *taker)
{
    taker->reflector = cleat__reflector_free(taker->reflector);
    cleat_pool_sweep(taker->pool);
    taker->tally->leaks += cleat_heap_nodes(taker->pool) != 0;
    taker->pool = cleat_heap_free(taker->pool);
}

static void taker_feed(struct taker *taker, const char *bytes, size_t length)
{
    char *exact = cleat_mem_alloc(length > 0 ? length : 1);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, bytes, length);
    int r = cleat__reflector_bytes(taker->reflector, exact, length);
    taker->tally->wrong += r != 0;
    cleat_pool_sweep(taker->pool);
    cleat_mem_free(exact);
}

/* The stream breaks; how the break shows differs: a reset, an orderly end, a time-out. */
static int64_t taker_cut(struct taker *taker, size_t how)
{
    static const int results[] = {-ECONNRESET, -EPROTO, -ETIMEDOUT};
    struct cleat_err err = CLEAT_ERR_INIT;
    int result = cleat_err_set(&err, results[how % 3], "cut");
    cleat__reflector_end(taker->reflector, result, &err);
    cleat_fake_clock_advance_ms(&taker->clock, CLEAT__REFLECTOR_BACKOFF_RESET_MS);
    int64_t version = taker_ask(taker);
    cleat__reflector_head(taker->reflector, 200);
    taker->tally->injections++;
    return version;
}

/* ---- every byte ---- */

/* Each frame is cut at each of its bytes, one cut after the other, before it comes whole. */
START_TEST(test_every_byte)
{
    struct cleat_tally tally = {
        .name = "watch-cut", .least = 65536, .note = "a watch of 64 KiB cut at every byte"};
    struct stream stream;
    struct taker taker;
    stream_make(&stream);
    taker_open(&taker, &tally);
    size_t begin = 0;
    for (size_t i = 0; i < stream.count; i++) {
        int64_t before = FIRST_VERSION + (int64_t)i;
        uint64_t events = taker.events;
        for (size_t cut = begin; cut < stream.ends[i] - 1; cut++) {
            taker_feed(&taker, stream.bytes + begin, cut - begin);
            tally.wrong += taker.events != events; /* it isn't whole yet */
            tally.wrong += taker_cut(&taker, cut) != before;
        }
        taker_feed(&taker, stream.bytes + begin, stream.ends[i] - begin);
        tally.wrong += taker_cut(&taker, i) != before + 1;
        begin = stream.ends[i];
    }
    tally.wrong += memcmp(taker.objects, stream.objects, sizeof(taker.objects)) != 0;
    tally.runs++;
    taker_close(&taker);
    cleat_mem_free(stream.bytes);
    cleat_tally_end(&tally);
}
END_TEST

/* The whole stream, cut once at each frame's end and a byte before and behind, and at others. */
START_TEST(test_whole_streams)
{
    struct cleat_tally tally = {
        .name = "watch-cut", .least = 300, .note = "a watch of 64 KiB cut at every byte"};
    struct stream stream;
    stream_make(&stream);
    size_t length = stream.ends[stream.count - 1];
    for (size_t i = 0; i + 1 < stream.count; i += 2) {
        for (int delta = -1; delta <= 1; delta++) {
            struct taker taker;
            size_t cut = stream.ends[i] + (size_t)delta;
            taker_open(&taker, &tally);
            taker_feed(&taker, stream.bytes, cut);
            int64_t from = taker_cut(&taker, cut);
            /* Before its newline a frame may count as whole or not; what follows must fit. */
            size_t next = (size_t)(from - FIRST_VERSION);
            tally.wrong += next != i && next != i + 1;
            size_t at = next > 0 ? stream.ends[next - 1] : 0;
            taker_feed(&taker, stream.bytes + at, length - at);
            tally.wrong += memcmp(taker.objects, stream.objects, sizeof(taker.objects)) != 0;
            tally.runs++;
            taker_close(&taker);
        }
    }
    cleat_mem_free(stream.bytes);
    cleat_tally_end(&tally);
}
END_TEST

/* Without a cut: in two parts at every byte of a window over each frame and its neighbour. */
START_TEST(test_splits)
{
    struct cleat_tally tally = {.name = "watch-split",
                                .least = 65536,
                                .note = "a watch of 64 KiB in two parts, at every byte"};
    struct stream stream;
    stream_make(&stream);
    size_t begin = 0;
    for (size_t i = 0; i < stream.count; i++) {
        for (size_t cut = begin; cut < stream.ends[i]; cut++) {
            static struct taker taker;
            if (cut == begin)
                taker_open(&taker, &tally);
            taker.last = FIRST_VERSION; /* the same frame comes again and again */
            taker_feed(&taker, stream.bytes + begin, cut - begin);
            taker_feed(&taker, stream.bytes + cut, stream.ends[i] - cut);
            tally.wrong += taker.last != FIRST_VERSION + (int64_t)i + 1;
            tally.injections++;
            if (cut + 1 == stream.ends[i])
                taker_close(&taker);
        }
        begin = stream.ends[i];
        tally.runs++;
    }
    cleat_mem_free(stream.bytes);
    cleat_tally_end(&tally);
}
END_TEST

CLEAT_SUITE_MAIN("wire cut", test_every_byte, test_whole_streams, test_splits)
