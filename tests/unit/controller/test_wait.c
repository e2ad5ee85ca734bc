/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "client/transport.h"
#include "store_fixture.h"
#include "support/suite.h"
#include "support/wait.h"

static int wait_for(struct store_fixture *f, const char *name, const char *uid, const char *version,
                    int64_t timeout_ms)
{
    return cleat_store_wait(f->store, CLEAT_STR("a"), cleat_str_of(name), cleat_str_of(uid),
                            cleat_str_of(version), timeout_ms);
}

START_TEST(test_what_a_look_finds)
{
    static const struct {
        const char *seen; /* version that the feed has passed, or NULL */
        const char *name, *uid, *version;
        int outcome;
    } cases[] = {
        {NULL, "x", "uid-of-x", "5", 0},
        {NULL, "x", "uid-of-x", "7", 0},
        {NULL, "x", "uid-of-x", "8", CLEAT_WAIT_TIMEOUT},
        {"9", "x", "uid-of-x", "8", 0}, /* a bookmark beyond it: it can't come any more */
        {NULL, "x", "another", "6", CLEAT_WAIT_DELETED},
        {NULL, "x", "another", "9", CLEAT_WAIT_TIMEOUT}, /* the one before ours, perhaps */
        {"9", "x", "another", "9", CLEAT_WAIT_DELETED},
        {NULL, "y", "uid-of-y", "5", CLEAT_WAIT_TIMEOUT},
        {"5", "y", "uid-of-y", "5", CLEAT_WAIT_DELETED},
        {"4", "y", "uid-of-y", "5", CLEAT_WAIT_TIMEOUT},
        {"9", "x", "uid-of-x", "opaque", CLEAT_WAIT_TIMEOUT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_fixture f;
        store_fixture_init(&f);
        uint16_t feed = store_fixture_feed(&f, NULL, NULL);
        cleat__store_feed_synced(f.store, feed, true, false);
        (void)!store_fixture_put(&f, feed, "a/x", "7", "");
        if (cases[i].seen)
            cleat__store_feed_seen(f.store, feed, cleat_str_of(cases[i].seen));
        int r = wait_for(&f, cases[i].name, cases[i].uid, cases[i].version, 1);
        ck_assert_msg(r == cases[i].outcome, "case %zu: %d", i, r);
        store_fixture_fini(&f);
    }
}
END_TEST

struct waiter {
    struct store_fixture *f;
    const char *name, *uid, *version;
    _Atomic(int) outcome;
};

static void *wait_elsewhere(void *arg)
{
    struct waiter *waiter = arg;
    atomic_store(&waiter->outcome,
                 wait_for(waiter->f, waiter->name, waiter->uid, waiter->version, 20000));
    return NULL;
}

START_TEST(test_changes_wake_those_who_wait)
{
    struct store_fixture f;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    cleat__store_feed_synced(f.store, feed, true, false);
    (void)!store_fixture_put(&f, feed, "a/x", "1", "\"n\":1");
    struct waiter waiters[] = {{&f, "x", "uid-of-x", "2", -1},
                               {&f, "y", "uid-of-y", "3", -1},
                               {&f, "z", "uid-of-z", "4", -1}};
    struct cleat_thread threads[3] = {CLEAT_THREAD_INIT, CLEAT_THREAD_INIT, CLEAT_THREAD_INIT};
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(
            cleat_thread_start(&threads[i], "waiter", 0, wait_elsewhere, &waiters[i], NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&f.store->waiters) == 3, 5000);
    (void)!store_fixture_put(&f, feed, "a/x", "2", "\"n\":1"); /* the same content will do */
    cleat__store_feed_seen(f.store, feed, CLEAT_STR("2"));
    CLEAT_WAIT_FOR(atomic_load(&waiters[0].outcome) == 0, 5000);
    ck_assert_int_eq(atomic_load(&waiters[1].outcome), -1);
    (void)!store_fixture_put(&f, feed, "a/y", "3", "");
    CLEAT_WAIT_FOR(atomic_load(&waiters[1].outcome) == 0, 5000);
    cleat__store_feed_seen(f.store, feed, CLEAT_STR("4")); /* a bookmark; z never came */
    CLEAT_WAIT_FOR(atomic_load(&waiters[2].outcome) == CLEAT_WAIT_DELETED, 5000);
    for (size_t i = 0; i < 3; i++)
        cleat_thread_join(&threads[i]);
    ck_assert_uint_eq(atomic_load(&f.store->waiters), 0);
    store_fixture_fini(&f);
}
END_TEST

static void *wait_where_forbidden(void *arg)
{
    struct waiter *waiter = arg;
    cleat_transport_forbid_blocking();
    return wait_elsewhere(waiter);
}

START_TEST(test_not_on_the_caches_threads)
{
    struct store_fixture f;
    struct cleat_thread thread = CLEAT_THREAD_INIT;
    store_fixture_init(&f);
    struct waiter waiter = {&f, "x", "uid-of-x", "2", 1};
    ck_assert_int_eq(cleat_thread_start(&thread, "waiter", 0, wait_where_forbidden, &waiter, NULL),
                     0);
    cleat_thread_join(&thread);
    ck_assert_int_eq(atomic_load(&waiter.outcome), -EDEADLK);
    store_fixture_fini(&f);
}
END_TEST

CLEAT_SUITE_MAIN("wait", test_what_a_look_finds, test_changes_wake_those_who_wait,
                 test_not_on_the_caches_threads)
