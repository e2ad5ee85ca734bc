/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots that are lent while their owner gives them up.
 */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/thread.h"
#include "controller/lender.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct lender_version one = {1, false};

static uint32_t root_of(struct cleat__lender *lender, const char *text)
{
    uint32_t ref = CLEAT_REF_ABSENT, string = CLEAT_REF_ABSENT;
    ck_assert_int_eq(cleat_heap_str(lender->heap, cleat_str_of(text), &string), 0);
    const struct cleat_member member = {CLEAT_STR("text"), string};
    ck_assert_int_eq(cleat_heap_object(lender->heap, &member, 1, &ref), 0);
    cleat_pool_hold(lender->heap, ref);
    return ref;
}

START_TEST(test_drop_waits_for_the_last_loan)
{
    struct cleat__lender *lender = NULL;
    struct lender_object *loans[3];
    ck_assert_int_eq(cleat__lender_new((size_t)1 << 20, &lender), 0);
    uint32_t root = root_of(lender, "a text that takes a node");
    size_t nodes = cleat_heap_nodes(lender->heap);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(cleat__lender_lend(lender, root, one, false, &loans[i]), 0);
    cleat__lender_drop(lender, root);
    ck_assert_uint_eq(cleat_heap_nodes(lender->heap), nodes);
    /* The one that carries the debt may go in any order. */
    cleat__lender_return(loans[2]);
    cleat__lender_return(loans[0]);
    cleat__lender_drain(lender);
    ck_assert_uint_eq(cleat_heap_nodes(lender->heap), nodes);
    ck_assert(cleat_value_is(cleat_value_get(cleat__lender_root(loans[1]), "text"),
                             "a text that takes a node"));
    cleat__lender_return(loans[1]);
    ck_assert_uint_eq(cleat_heap_nodes(lender->heap), nodes); /* the writer's to free */
    cleat__lender_drain(lender);
    ck_assert_uint_eq(cleat_heap_nodes(lender->heap), 0);
    cleat__lender_close(lender);
    lender = cleat__lender_unref(lender);
}
END_TEST

START_TEST(test_two_holds_of_one_root)
{
    struct cleat__lender *lender = NULL;
    struct lender_object *loan = NULL;
    ck_assert_int_eq(cleat__lender_new((size_t)1 << 20, &lender), 0);
    uint32_t root = root_of(lender, "a text that takes a node");
    ck_assert_uint_eq(root_of(lender, "a text that takes a node"), root);
    ck_assert_int_eq(cleat__lender_lend(lender, root, one, false, &loan), 0);
    cleat__lender_drop(lender, root);
    cleat__lender_drop(lender, root);
    cleat__lender_return(loan);
    cleat__lender_drain(lender);
    ck_assert_uint_eq(cleat_heap_nodes(lender->heap), 0);
    cleat__lender_close(lender);
    lender = cleat__lender_unref(lender);
}
END_TEST

START_TEST(test_versions)
{
    static const struct {
        const char *text;
        bool is_text;
    } cases[] = {{"1", false},
                 {"9999999999999999999", false},
                 {"18446744073709551616", true},
                 {"0", true},
                 {"01", true},
                 {"", true},
                 {"12a", true},
                 {"-1", true}};
    struct cleat__lender *lender = NULL;
    const struct lender_kind *kind = NULL, *again = NULL;
    struct cleat_gvk gvk;
    ck_assert_int_eq(cleat__lender_new((size_t)1 << 20, &lender), 0);
    ck_assert_int_eq(cleat_gvk_make(&gvk, "g", "v1", "K"), 0);
    ck_assert_int_eq(cleat__lender_kind(lender, &gvk, &kind), 0);
    ck_assert_int_eq(cleat__lender_kind(lender, &gvk, &again), 0);
    ck_assert_ptr_eq(kind, again);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lender_version version;
        struct lender_object *loan = NULL;
        struct cleat_object *object = NULL;
        uint32_t root = root_of(lender, "x");
        ck_assert_int_eq(cleat__lender_version(lender, cleat_str_of(cases[i].text), &version), 0);
        ck_assert_int_eq(version.is_text, cases[i].is_text);
        ck_assert_int_eq(cleat__lender_lend(lender, root, version, i % 2, &loan), 0);
        cleat__lender_version_drop(lender, version);
        ck_assert_int_eq(cleat__lender_settle_take(loan, kind, &object), 0);
        ck_assert_str_eq(cleat_object_resource_version(object).data, cases[i].text);
        ck_assert_int_eq(cleat_object_partial(object), i % 2);
        object = cleat_object_unref(object);
        cleat__lender_drop(lender, root);
    }
    ck_assert_uint_eq(cleat_heap_nodes(lender->heap), 0);
    cleat__lender_close(lender);
    lender = cleat__lender_unref(lender);
}
END_TEST

static void count_wake(void *arg)
{
    atomic_fetch_add((_Atomic(unsigned) *)arg, 1);
}

START_TEST(test_writer_is_woken_above_a_bound)
{
    static struct lender_object *loans[CLEAT__LENDER_RETIRED_WAKE + 1];
    struct cleat__lender *lender = NULL;
    _Atomic(unsigned) wakes = 0;
    ck_assert_int_eq(cleat__lender_new((size_t)8 << 20, &lender), 0);
    lender->wake = count_wake;
    lender->wake_arg = &wakes;
    for (unsigned i = 0; i <= CLEAT__LENDER_RETIRED_WAKE; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "a text of its own: %u", i);
        uint32_t root = root_of(lender, text);
        ck_assert_int_eq(cleat__lender_lend(lender, root, one, false, &loans[i]), 0);
        cleat__lender_drop(lender, root);
    }
    for (unsigned i = 0; i <= CLEAT__LENDER_RETIRED_WAKE; i++) {
        ck_assert_uint_eq(atomic_load(&wakes), i >= CLEAT__LENDER_RETIRED_WAKE);
        cleat__lender_return(loans[i]);
    }
    cleat__lender_drain(lender);
    ck_assert_uint_eq(cleat_heap_nodes(lender->heap), 0);
    cleat__lender_close(lender);
    lender = cleat__lender_unref(lender);
}
END_TEST

/* Readers lend the current root under a lock, as a store does; the writer replaces it. */
struct race {
    struct cleat__lender *lender;
    struct cleat_rwlock lock;
    uint32_t root;
    unsigned number;
    _Atomic(bool) stop;
};

static void *race_reader(void *arg)
{
    struct race *race = arg;
    struct lender_object *kept[16] = {NULL};
    for (unsigned i = 0; !atomic_load(&race->stop); i++) {
        struct lender_object **loan = &kept[i % 16];
        char text[48];
        cleat__lender_return(*loan);
        *loan = NULL;
        cleat_rwlock_read(&race->lock);
        (void)snprintf(text, sizeof(text), "number %u of what is replaced", race->number);
        int r = cleat__lender_lend(race->lender, race->root, one, false, loan);
        cleat_rwlock_read_release(&race->lock);
        ck_assert_int_eq(r, 0);
        ck_assert(cleat_value_is(cleat_value_get(cleat__lender_root(*loan), "text"), text));
    }
    for (size_t i = 0; i < 16; i++)
        cleat__lender_return(kept[i]);
    return NULL;
}

START_TEST(test_readers_and_a_writer)
{
    static struct race race;
    struct cleat_thread threads[3] = {CLEAT_THREAD_INIT, CLEAT_THREAD_INIT, CLEAT_THREAD_INIT};
    ck_assert_int_eq(cleat__lender_new((size_t)8 << 20, &race.lender), 0);
    cleat_rwlock_init(&race.lock, CLEAT_LOCK_STORE);
    race.root = root_of(race.lender, "number 0 of what is replaced");
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(cleat_thread_start(&threads[i], "reader", 0, race_reader, &race, NULL), 0);
    for (unsigned i = 1; i < 5000; i++) {
        char text[48];
        (void)snprintf(text, sizeof(text), "number %u of what is replaced", i);
        uint32_t root = root_of(race.lender, text);
        cleat_rwlock_write(&race.lock);
        uint32_t old = race.root;
        race.root = root;
        race.number = i;
        cleat_rwlock_write_release(&race.lock);
        cleat__lender_drop(race.lender, old);
        cleat__lender_drain(race.lender);
    }
    atomic_store(&race.stop, true);
    for (size_t i = 0; i < 3; i++)
        cleat_thread_join(&threads[i]);
    cleat__lender_drop(race.lender, race.root);
    cleat__lender_drain(race.lender);
    ck_assert_uint_eq(cleat_heap_nodes(race.lender->heap), 0);
    cleat_rwlock_fini(&race.lock);
    cleat__lender_close(race.lender);
    race.lender = cleat__lender_unref(race.lender);
}
END_TEST

static int make_and_lend(void *arg)
{
    struct cleat__lender *lender = NULL;
    struct lender_object *loan = NULL;
    int r = cleat__lender_new((size_t)1 << 20, &lender);
    if (r == 0)
        r = cleat__lender_lend(lender, cleat_heap_null(lender->heap), one, false, &loan);
    if (lender) {
        cleat__lender_return(loan);
        cleat__lender_close(lender);
    }
    lender = cleat__lender_unref(lender);
    return r;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_gt(cleat_chaos_sweep(make_and_lend, NULL), 3);
}
END_TEST

CLEAT_SUITE_MAIN("lender", test_drop_waits_for_the_last_loan, test_two_holds_of_one_root,
                 test_versions, test_writer_is_woken_above_a_bound, test_readers_and_a_writer,
                 test_out_of_memory)
