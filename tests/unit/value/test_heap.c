/* SPDX-License-Identifier: Apache-2.0 */
/* Heaps: one node per value in a pool, counts, limits, and readers beside the writer. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include "base/lock.h"
#include "base/mem.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "unit/value/json.h"

static struct cleat_heap *pool_new(void)
{
    struct cleat_heap *pool = NULL;
    ck_assert_int_eq(cleat_pool_new(256 * CLEAT_MIB, &pool), 0);
    ck_assert(cleat_heap_is_pool(pool));
    return pool;
}

/* @text as a value of @heap. */
static uint32_t ref_of(struct cleat_heap *heap, const char *text)
{
    struct cleat_document *document = json_document(text);
    uint32_t ref = 0;
    ck_assert_int_eq(cleat_heap_copy(heap, cleat_document_root(document), &ref), 0);
    cleat_document_unref(document);
    return ref;
}

static const char *const samples[] = {
    "{\"a\":{\"b\":[1,2,{\"c\":\"a longer string\"}]},\"d\":\"10.1.2.3\"}",
    "{\"a\":{\"b\":[1,2,{\"c\":\"a longer string!\"}]},\"d\":\"10.1.2.3\"}",
    "[\"0b7f2b1c-1111-4222-8333-944445555666\",\"name-of-it-bcdfg\",12345678901,1.50]",
    "[[],{},\"\",\"abc\",null,true,-1]",
    "{\"k\":[[[[[[[[\"deep inside\"]]]]]]]]}",
    "\"containerd://a6377fc8f4e096ce80e894803592e012aa7f2b9c4e6b9428e958ade72480d5f8\"",
};

START_TEST(test_pool_stores_once)
{
    struct cleat_heap *pool = pool_new();
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        uint32_t first = ref_of(pool, samples[i]);
        size_t nodes = cleat_heap_nodes(pool);
        ck_assert_uint_eq(ref_of(pool, samples[i]), first);
        ck_assert_uint_eq(cleat_heap_nodes(pool), nodes);
        json_check((struct cleat_value){pool, first}, samples[i]);
    }
    ck_assert_uint_ne(ref_of(pool, samples[0]), ref_of(pool, samples[1]));
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_pool_frees_what_nobody_holds)
{
    struct cleat_heap *pool = pool_new();
    size_t count = sizeof(samples) / sizeof(samples[0]);
    uint32_t refs[sizeof(samples) / sizeof(samples[0])];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            refs[i] = ref_of(pool, samples[i]);
            cleat_pool_hold(pool, refs[i]);
            cleat_pool_hold(pool, refs[i]);
        }
        size_t nodes = cleat_heap_nodes(pool);
        cleat_pool_sweep(pool);
        ck_assert_uint_eq(cleat_heap_nodes(pool), nodes); /* all is held */
        for (size_t i = 0; i < count; i++) {
            cleat_pool_drop(pool, refs[i]);
            json_check((struct cleat_value){pool, refs[i]}, samples[i]);
        }
        for (size_t i = 0; i < count; i++) {
            cleat_pool_drop(pool, refs[i]);
            for (size_t other = i + 1; other < count; other++)
                json_check((struct cleat_value){pool, refs[other]}, samples[other]);
        }
        ck_assert_uint_eq(cleat_heap_nodes(pool), 0);
    }
    size_t bytes = cleat_heap_bytes(pool);
    for (int round = 0; round < 1000; round++) { /* and its memory is used again */
        uint32_t ref = ref_of(pool, samples[round % 6]);
        cleat_pool_hold(pool, ref);
        cleat_pool_drop(pool, ref);
    }
    ck_assert_uint_lt(cleat_heap_bytes(pool),
                      bytes + 64 * CLEAT_KIB); /* the table may grow a little */
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_sweep)
{
    struct cleat_heap *pool = pool_new();
    uint32_t kept = ref_of(pool, samples[0]);
    cleat_pool_hold(pool, kept);
    size_t nodes = cleat_heap_nodes(pool);
    for (int round = 0; round < 3000; round++) { /* more than the journal's first size */
        char text[64];
        snprintf(text, sizeof(text), "[\"rejected %d\",{\"k%d\":\"rejected\"}]", round, round);
        (void)ref_of(pool, text);
    }
    ck_assert_uint_gt(cleat_heap_nodes(pool), nodes + 3000);
    cleat_pool_sweep(pool);
    ck_assert_uint_eq(cleat_heap_nodes(pool), nodes);
    json_check((struct cleat_value){pool, kept}, samples[0]);
    cleat_pool_drop(pool, kept);
    ck_assert_uint_eq(cleat_heap_nodes(pool), 0);
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_constants)
{
    struct cleat_heap *pool = pool_new();
    static const char *const texts[] = {"null",  "true",      "false",
                                        "[]",    "{}",        "\"\"",
                                        "1",     "-67108864", "\"2026-01-31T23:59:59Z\"",
                                        "\"a\"", "67108863"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint32_t ref = ref_of(pool, texts[i]);
        cleat_pool_hold(pool, ref); /* nothing to count */
        cleat_pool_drop(pool, ref);
        ck_assert_uint_eq(cleat_heap_nodes(pool), 0);
        json_check((struct cleat_value){pool, ref}, texts[i]);
    }
    ck_assert_uint_ne(cleat_heap_null(pool), cleat_heap_not_kept(pool));
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_members)
{
    struct cleat_heap *pool = pool_new(), *arena = NULL;
    uint32_t ref = 0;
    struct cleat_str key;
    const struct cleat_member members[] = {{CLEAT_STR("zeta"), cleat_heap_bool(pool, true)},
                                           {CLEAT_STR("alpha"), cleat_heap_bool(pool, false)},
                                           {CLEAT_STR("zeta"), cleat_heap_null(pool)}};
    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    ck_assert(!cleat_heap_is_pool(arena));
    ck_assert_int_eq(cleat_heap_object(pool, members, 3, &ref), -EEXIST);
    ck_assert_int_eq(cleat_heap_object(arena, members, 3, &ref), -EEXIST);
    ck_assert_int_eq(cleat_heap_object(pool, members, 2, &ref), 0);
    (void)cleat_value_member((struct cleat_value){pool, ref}, 0, &key);
    ck_assert(cleat_str_is(key, "alpha"));
    ck_assert_int_eq(cleat_heap_object(arena, members, 2, &ref), 0);
    (void)cleat_value_member((struct cleat_value){arena, ref}, 0, &key);
    ck_assert(cleat_str_is(key, "zeta"));
    ck_assert_int_eq(cleat_heap_object(arena, NULL, 0, &ref), 0);
    json_check((struct cleat_value){arena, ref}, "{}");
    ck_assert_int_eq(cleat_heap_number(arena, CLEAT_STR("1x"), &ref), -EINVAL);
    ck_assert_int_eq(cleat_heap_number(arena, CLEAT_STR("1.50"), &ref), 0);
    cleat_heap_free(arena);
    cleat_heap_free(pool);
}
END_TEST

/* A shared node with many parents: its count sticks at the maximum and the rest still adds up. */
START_TEST(test_many_references)
{
    struct cleat_heap *pool = pool_new();
    uint32_t ref = 0;
    ck_assert_int_eq(cleat_heap_str(pool, CLEAT_STR("shared by all"), &ref), 0);
    for (int i = 0; i < 600000; i++)
        cleat_pool_hold(pool, ref);
    for (int i = 0; i < 600000; i++)
        cleat_pool_drop(pool, ref);
    cleat_pool_sweep(pool);
    ck_assert_uint_eq(cleat_heap_nodes(pool), 1); /* kept for ever, as documented */
    ck_assert(cleat_value_is((struct cleat_value){pool, ref}, "shared by all"));
    cleat_heap_free(pool);
}
END_TEST

/* Enough nodes for every part of the table to grow often; all are found again, and all go. */
START_TEST(test_table_grows)
{
    enum { COUNT = 150000 };
    struct cleat_heap *pool = pool_new();
    uint32_t *refs = malloc(COUNT * sizeof(*refs));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < COUNT; i++) {
            char text[32];
            uint32_t ref = 0;
            snprintf(text, sizeof(text), "string number %d", i);
            ck_assert_int_eq(cleat_heap_str(pool, cleat_str_of(text), &ref), 0);
            if (pass == 0)
                refs[i] = ref;
            ck_assert_uint_eq(refs[i], ref);
        }
    }
    ck_assert_uint_eq(cleat_heap_nodes(pool), COUNT);
    for (int i = 0; i < COUNT; i++)
        cleat_pool_hold(pool, refs[i]);
    for (int i = 0; i < COUNT; i++)
        cleat_pool_drop(pool, refs[i * 7919ll % COUNT]);
    ck_assert_uint_eq(cleat_heap_nodes(pool), 0);
    free(refs);
    cleat_heap_free(pool);
}
END_TEST

/* Nodes larger than a span have memory of their own, which goes back. */
START_TEST(test_large_nodes)
{
    static const size_t sizes[] = {254,    255,    256,    65535,  131070,
                                   131072, 262140, 262144, 300000, 3000000};
    struct cleat_heap *pool = pool_new(), *arena = NULL;
    char *text = malloc(3000001);
    ck_assert_int_eq(cleat_arena_new(64 * CLEAT_MIB, &arena), 0);
    size_t empty = cleat_heap_bytes(pool);
    for (int round = 0; round < 300; round++) {
        size_t length = sizes[round % 10];
        uint32_t ref = 0;
        struct cleat_scratch scratch;
        memset(text, 'a' + round % 26, length);
        ck_assert_int_eq(cleat_heap_str(pool, (struct cleat_str){text, length}, &ref), 0);
        cleat_pool_hold(pool, ref);
        struct cleat_str own = cleat_value_text((struct cleat_value){pool, ref}, &scratch);
        ck_assert_uint_eq(own.length, length);
        ck_assert_int_eq(memcmp(own.data, text, length), 0);
        ck_assert_int_eq(own.data[length], 0);
        cleat_pool_drop(pool, ref);
        cleat_arena_reset(arena);
        ck_assert_int_eq(cleat_heap_str(arena, (struct cleat_str){text, length}, &ref), 0);
        own = cleat_value_text((struct cleat_value){arena, ref}, &scratch);
        ck_assert(own.length == length && memcmp(own.data, text, length) == 0);
    }
    ck_assert_uint_eq(cleat_heap_nodes(pool), 0);
    ck_assert_uint_lt(cleat_heap_bytes(pool) - empty, 4 * CLEAT_MIB);
    free(text);
    cleat_heap_free(arena);
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_long_arrays)
{
    static const size_t counts[] = {1, 254, 255, 256, 70000, 300000};
    struct cleat_heap *pool = pool_new(), *arena = NULL;
    uint32_t *refs = malloc(300000 * sizeof(*refs));
    ck_assert_int_eq(cleat_arena_new(64 * CLEAT_MIB, &arena), 0);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (int pooled = 0; pooled < 2; pooled++) {
            struct cleat_heap *heap = pooled ? pool : arena;
            uint32_t ref = 0;
            for (size_t at = 0; at < counts[i]; at++)
                ck_assert_int_eq(cleat_heap_int(heap, (int64_t)at * 1000, &refs[at]), 0);
            ck_assert_int_eq(cleat_heap_array(heap, refs, counts[i], &ref), 0);
            struct cleat_value array = {heap, ref};
            ck_assert_uint_eq(cleat_value_count(array), counts[i]);
            for (size_t at = 0; at < counts[i]; at += 97)
                ck_assert_int_eq(cleat_value_int_or(cleat_value_at(array, at), -1),
                                 (int64_t)at * 1000);
            ck_assert(!cleat_value_is_present(cleat_value_at(array, counts[i])));
        }
    }
    cleat_pool_sweep(pool);
    ck_assert_uint_eq(cleat_heap_nodes(pool), 0);
    free(refs);
    cleat_heap_free(arena);
    cleat_heap_free(pool);
}
END_TEST

/* Freeing isn't recursive: any depth goes. */
START_TEST(test_deep_values_are_freed)
{
    struct cleat_heap *pool = pool_new();
    uint32_t ref = 0;
    ck_assert_int_eq(cleat_heap_str(pool, CLEAT_STR("the innermost"), &ref), 0);
    for (int i = 0; i < 200000; i++)
        ck_assert_int_eq(cleat_heap_array(pool, &ref, 1, &ref), 0);
    cleat_pool_hold(pool, ref);
    cleat_pool_sweep(pool);
    ck_assert_uint_eq(cleat_heap_nodes(pool), 200001);
    cleat_mem_fail_at(3,
                      true); /* its memory may even fail to grow: the next sweep frees the rest */
    cleat_pool_drop(pool, ref);
    cleat_mem_fail_at(0, false);
    cleat_pool_sweep(pool);
    ck_assert_uint_eq(cleat_heap_nodes(pool), 0);
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_limits)
{
    for (int pooled = 0; pooled < 2; pooled++) {
        struct cleat_heap *heap = NULL;
        int r = pooled ? cleat_pool_new(100000, &heap) : cleat_arena_new(100000, &heap);
        ck_assert_int_eq(r, 0);
        for (int i = 0; r == 0 && i < 100000; i++) {
            char text[32];
            uint32_t ref;
            snprintf(text, sizeof(text), "string number %d", i);
            r = cleat_heap_str(heap, cleat_str_of(text), &ref);
            ck_assert_uint_le(cleat_heap_bytes(heap), 100000);
        }
        ck_assert_int_eq(r, -ENOBUFS);
        ck_assert_uint_gt(cleat_heap_nodes(heap), 500);
        cleat_heap_free(heap);
    }
}
END_TEST

START_TEST(test_arena_reset)
{
    struct cleat_heap *arena = NULL;
    ck_assert_int_eq(cleat_arena_new(64 * CLEAT_MIB, &arena), 0);
    size_t bytes = 0;
    for (int round = 0; round < 20; round++) {
        cleat_arena_reset(arena);
        ck_assert_uint_eq(cleat_heap_nodes(arena), 0);
        for (int i = 0; i < 3000; i++)
            (void)ref_of(arena, samples[i % 6]);
        if (round == 1)
            bytes = cleat_heap_bytes(arena);
        json_check((struct cleat_value){arena, ref_of(arena, samples[0])}, samples[0]);
    }
    ck_assert_uint_eq(cleat_heap_bytes(arena),
                      bytes); /* the memory of the first round serves all */
    cleat_heap_free(arena);
    ck_assert_ptr_null(cleat_heap_free(NULL));
}
END_TEST

START_TEST(test_foreign)
{
    struct cleat_heap *pool = pool_new(), *arena = NULL, *outer = NULL;
    uint32_t ref = 0, again = 0, array = 0;
    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &outer), 0);
    struct cleat_value base = {pool, ref_of(pool, samples[0])};
    ck_assert_int_eq(cleat_heap_foreign(arena, base, &ref), 0);
    struct cleat_value foreign = {arena, ref};
    ck_assert(cleat_value_same(foreign, base));
    ck_assert(cleat_value_equal(foreign, base));
    json_check(foreign, samples[0]);
    ck_assert_int_eq(cleat_heap_foreign(outer, foreign, &again), 0); /* through both */
    ck_assert(cleat_value_same((struct cleat_value){outer, again}, base));
    ck_assert_int_eq(cleat_heap_array(outer, &again, 1, &array), 0);
    ck_assert(cleat_value_at((struct cleat_value){outer, array}, 0).heap == pool);
    ck_assert_int_eq(cleat_heap_copy(pool, (struct cleat_value){outer, array}, &ref), 0);
    ck_assert(cleat_value_at((struct cleat_value){pool, ref}, 0).ref == base.ref);
    ck_assert_int_eq(cleat_heap_foreign(arena, foreign, &again), 0);
    ck_assert_uint_eq(again != 0, true);
    struct cleat_value constant = {arena, cleat_heap_null(arena)};
    ck_assert_int_eq(cleat_heap_foreign(outer, constant, &again), 0);
    ck_assert_uint_eq(again, cleat_heap_null(outer));
    cleat_heap_free(outer);
    cleat_heap_free(arena);
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_copy_depth)
{
    struct cleat_heap *pool = pool_new(), *arena = NULL;
    uint32_t ref = cleat_heap_null(pool), copy = 0;
    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(cleat_heap_array(pool, &ref, 1, &ref), 0);
    ck_assert_int_eq(cleat_heap_copy(arena, (struct cleat_value){pool, ref}, &copy), -E2BIG);
    cleat_heap_free(arena);
    cleat_heap_free(pool);
}
END_TEST

static int build_sweep(void *arg)
{
    struct cleat_heap *heap = NULL;
    uint32_t ref = 0, number = 0;
    int r = *(bool *)arg ? cleat_pool_new(CLEAT_MIB, &heap) : cleat_arena_new(CLEAT_MIB, &heap);
    for (int i = 0; r == 0 && i < 50; i++) {
        char text[64];
        snprintf(text, sizeof(text), "string %d of it", i);
        r = cleat_heap_str(heap, cleat_str_of(text), &ref);
        const struct cleat_member member = {cleat_str_of(text), ref};
        r = r == 0 ? cleat_heap_object(heap, &member, 1, &ref) : r;
        r = r == 0 ? cleat_heap_int(heap, INT64_MAX - i, &number) : r;
    }
    if (heap && cleat_heap_is_pool(heap)) {
        cleat_pool_sweep(heap);
        ck_assert_uint_eq(cleat_heap_nodes(heap), 0);
    }
    cleat_heap_free(heap);
    return r;
}

START_TEST(test_out_of_memory)
{
    bool pooled = true, arena = false;
    ck_assert_uint_gt(cleat_chaos_sweep(build_sweep, &arena), 3);
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(build_sweep, &pooled), 50);
}
END_TEST

/* Readers of what is held, while the writer adds and frees: a root is passed on under a lock. */
struct crowd {
    struct cleat_heap *pool;
    struct cleat_lock lock;
    uint32_t shown;
    _Atomic(bool) done;
    _Atomic(uint64_t) reads;
};

/* All numbers of the shown object are the same, or somebody wrote where we read. */
static void crowd_check(struct cleat_value root)
{
    struct cleat_scratch scratch;
    int64_t number = cleat_value_int_or(cleat_value_get(root, "n"), -1);
    char text[32];
    snprintf(text, sizeof(text), "string number %d", (int)number);
    ck_assert_str_eq(cleat_value_text(cleat_value_get(root, "s"), &scratch).data, text);
    ck_assert(
        cleat_value_is(cleat_value_at(cleat_value_get(root, "shared"), 0), "always the same"));
}

static void *crowd_read(void *arg)
{
    struct crowd *crowd = arg;
    while (!atomic_load(&crowd->done)) {
        cleat_lock_take(&crowd->lock);
        uint32_t ref = crowd->shown;
        cleat_pool_hold(crowd->pool,
                        ref); /* a store counts its object; here the lock is the writer's too */
        cleat_lock_release(&crowd->lock);
        for (int i = 0; i < 20; i++)
            crowd_check((struct cleat_value){crowd->pool, ref});
        cleat_lock_take(&crowd->lock);
        cleat_pool_drop(crowd->pool, ref);
        cleat_lock_release(&crowd->lock);
        atomic_fetch_add(&crowd->reads, 1);
    }
    return NULL;
}

static uint32_t crowd_make(struct crowd *crowd, int number)
{
    char text[160];
    snprintf(
        text, sizeof(text),
        "{\"n\":%d,\"s\":\"string number %d\",\"shared\":[\"always the same\",{\"k%d\":\"v\"}]}",
        number, number, number % 50);
    return ref_of(crowd->pool, text);
}

START_TEST(test_readers_beside_the_writer)
{
    struct crowd crowd = {.pool = pool_new()};
    pthread_t threads[3];
    cleat_lock_init(&crowd.lock, CLEAT_LOCK_TEST);
    crowd.shown = crowd_make(&crowd, 0);
    cleat_pool_hold(crowd.pool, crowd.shown);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, crowd_read, &crowd), 0);
    for (int i = 1; i < 3000 || atomic_load(&crowd.reads) < 100; i++) {
        cleat_lock_take(&crowd.lock);
        uint32_t ref = crowd_make(&crowd, i);
        cleat_pool_hold(crowd.pool, ref);
        cleat_pool_drop(crowd.pool, crowd.shown);
        crowd.shown = ref;
        cleat_lock_release(&crowd.lock);
    }
    atomic_store(&crowd.done, true);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    cleat_pool_drop(crowd.pool, crowd.shown);
    ck_assert_uint_eq(cleat_heap_nodes(crowd.pool), 0);
    cleat_lock_fini(&crowd.lock);
    cleat_heap_free(crowd.pool);
}
END_TEST

CLEAT_SUITE_MAIN("heap", test_pool_stores_once, test_pool_frees_what_nobody_holds, test_sweep,
                 test_constants, test_members, test_many_references, test_table_grows,
                 test_large_nodes, test_long_arrays, test_deep_values_are_freed, test_limits,
                 test_arena_reset, test_foreign, test_copy_depth, test_out_of_memory,
                 test_readers_beside_the_writer)
