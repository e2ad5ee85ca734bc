/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>

#include "base/thread.h"
#include "support/suite.h"

START_TEST(test_sizes)
{
    void *none = cleat_mem_alloc(0);
    ck_assert_ptr_nonnull(none);
    none = cleat_mem_realloc(none, 0);
    ck_assert_ptr_nonnull(none);
    ck_assert_ptr_null(cleat_mem_free(none));
    ck_assert_ptr_null(cleat_mem_free(NULL));
    char *zeroes = cleat_mem_zalloc(3, 5);
    for (size_t i = 0; i < 15; i++)
        ck_assert_int_eq(zeroes[i], 0);
    cleat_mem_free(zeroes);
    void *empty = cleat_mem_zalloc(0, 8);
    ck_assert_ptr_nonnull(empty);
    cleat_mem_free(empty);
}
END_TEST

START_TEST(test_aligned)
{
    for (size_t alignment = sizeof(void *); alignment <= 4096; alignment *= 2) {
        void *memory = cleat_mem_aligned(alignment, 100);
        ck_assert_uint_eq((uintptr_t)memory % alignment, 0);
        cleat_mem_free(memory);
    }
}
END_TEST

START_TEST(test_texts)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *copy = cleat_mem_strdup("abc");
    CLEAT_CLEANUP(cleat_mem_freep) char *part = cleat_mem_strndup("abcdef", 3);
    CLEAT_CLEANUP(cleat_mem_freep) char *none = cleat_mem_strndup(NULL, 0);
    CLEAT_CLEANUP(cleat_mem_freep) char *made = cleat_mem_format("%s-%05d", "x", 42);
    ck_assert_str_eq(copy, "abc");
    ck_assert_str_eq(part, "abc");
    ck_assert_str_eq(none, "");
    ck_assert_str_eq(made, "x-00042");
    ck_assert_ptr_null(cleat_mem_strndup("x", SIZE_MAX));
}
END_TEST

START_TEST(test_wipe)
{
    char secret[8] = "hunter2";
    cleat_mem_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++)
        ck_assert_int_eq(secret[i], 0);
    cleat_mem_wipe(NULL, 0);
}
END_TEST

START_TEST(test_fails_at_the_nth)
{
    cleat_mem_fail_at(2, false);
    void *first = cleat_mem_alloc(1);
    ck_assert(!cleat_mem_failed());
    ck_assert_ptr_null(cleat_mem_zalloc(1, 1));
    ck_assert(cleat_mem_failed());
    char *third = cleat_mem_strdup("x");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(third);
    ck_assert_uint_eq(cleat_mem_requests(), 3);
    cleat_mem_fail_at(0, false);
    ck_assert(!cleat_mem_failed());
    ck_assert_uint_eq(cleat_mem_requests(), 0);
    cleat_mem_free(first);
    cleat_mem_free(third);
}
END_TEST

START_TEST(test_fails_from_the_nth)
{
    void *block = cleat_mem_alloc(8);
    cleat_mem_fail_at(1, true);
    ck_assert_ptr_null(cleat_mem_alloc(1));
    ck_assert_ptr_null(cleat_mem_realloc(block, 100)); /* the old block stays */
    ck_assert_ptr_null(cleat_mem_aligned(16, 16));
    ck_assert_ptr_null(cleat_mem_format("x"));
    ck_assert_ptr_null(cleat_mem_strndup("x", 1));
    cleat_mem_fail_at(0, true);
    void *after = cleat_mem_alloc(1);
    ck_assert_ptr_nonnull(after);
    cleat_mem_free(after);
    cleat_mem_free(block);
}
END_TEST

#define MEM_THREADS 4
#define MEM_ROUNDS 1000

static void *mem_hammer(void *arg)
{
    _Atomic(int) *refused = arg;
    for (int i = 0; i < MEM_ROUNDS; i++) {
        void *memory = cleat_mem_alloc(16);
        if (!memory)
            atomic_fetch_add(refused, 1);
        cleat_mem_free(memory);
    }
    return NULL;
}

/* Exactly one of all threads' requests is the Nth. */
START_TEST(test_nth_among_threads)
{
    struct cleat_thread threads[MEM_THREADS] = {CLEAT_THREAD_INIT};
    _Atomic(int) refused = 0;
    cleat_mem_fail_at(1234, false);
    for (size_t i = 0; i < MEM_THREADS; i++)
        ck_assert_int_eq(cleat_thread_start(&threads[i], "mem", 0, mem_hammer, &refused, NULL), 0);
    for (size_t i = 0; i < MEM_THREADS; i++)
        cleat_thread_join(&threads[i]);
    ck_assert_int_eq(refused, 1);
    ck_assert_uint_eq(cleat_mem_requests(), MEM_THREADS * MEM_ROUNDS);
    cleat_mem_fail_at(0, false);
}
END_TEST

static unsigned watch_asked;
static uint64_t watch_told;
static bool watch_counts_now;

static bool watch_counts(void)
{
    watch_asked++;
    return watch_counts_now;
}

static void watch_refused(uint64_t request)
{
    watch_told = request;
}

START_TEST(test_watched_failures)
{
    cleat_mem_fail_watch(watch_counts, watch_refused);
    cleat_mem_fail_at(2, false);
    for (int i = 0; i < 4; i++)
        cleat_mem_free(cleat_mem_alloc(1));
    ck_assert_uint_eq(watch_asked, 4);
    ck_assert(!cleat_mem_failed());
    ck_assert_uint_eq(cleat_mem_requests(), 0);
    watch_counts_now = true;
    for (int i = 0; i < 3; i++) {
        void *memory = cleat_mem_alloc(1);
        ck_assert((memory == NULL) == (i == 1));
        cleat_mem_free(memory);
    }
    ck_assert_uint_eq(watch_told, 2);
    cleat_mem_fail_watch(NULL, NULL);
    cleat_mem_fail_at(0, false);
}
END_TEST

CLEAT_SUITE_MAIN("mem", test_sizes, test_aligned, test_texts, test_wipe, test_fails_at_the_nth,
                 test_fails_from_the_nth, test_nth_among_threads, test_watched_failures)
