/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lock.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "support/suite.h"
#include "support/wait.h"

struct shared {
    struct cleat_lock lock;
    struct cleat_rwlock rwlock;
    struct cleat_cond cond;
    int64_t number;
    _Atomic(int) stage;
};

static void shared_init(struct shared *shared)
{
    cleat_lock_init(&shared->lock, CLEAT_LOCK_TEST);
    cleat_rwlock_init(&shared->rwlock, CLEAT_LOCK_STORE);
    cleat_cond_init(&shared->cond);
    shared->number = 0;
    atomic_init(&shared->stage, 0);
}

static void shared_fini(struct shared *shared)
{
    cleat_cond_fini(&shared->cond);
    cleat_rwlock_fini(&shared->rwlock);
    cleat_lock_fini(&shared->lock);
}

static void *count_under_lock(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 2000; i++) {
        cleat_lock_take(&shared->lock);
        shared->number++;
        cleat_lock_release(&shared->lock);
        cleat_rwlock_write(&shared->rwlock);
        shared->number += 0;
        cleat_rwlock_write_release(&shared->rwlock);
    }
    return NULL;
}

START_TEST(test_mutual_exclusion)
{
    struct shared shared;
    struct cleat_thread threads[4] = {CLEAT_THREAD_INIT};
    shared_init(&shared);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(
            cleat_thread_start(&threads[i], "count", 0, count_under_lock, &shared, NULL), 0);
    }
    for (size_t i = 0; i < 4; i++)
        cleat_thread_join(&threads[i]);
    ck_assert_int_eq(shared.number, 8000);
    shared_fini(&shared);
}
END_TEST

static void *see_not_held(void *arg)
{
    struct shared *shared = arg;
    atomic_store(&shared->stage, cleat_lock_held(&shared->lock) ? 2 : 1);
    return NULL;
}

START_TEST(test_held)
{
    struct shared shared;
    struct cleat_thread thread = CLEAT_THREAD_INIT;
    shared_init(&shared);
    cleat_lock_take(&shared.lock);
    ck_assert(cleat_lock_held(&shared.lock));
    ck_assert_int_eq(cleat_thread_start(&thread, "other", 0, see_not_held, &shared, NULL), 0);
    cleat_thread_join(&thread);
    cleat_lock_release(&shared.lock);
#ifdef CLEAT_DEBUG
    ck_assert_int_eq(shared.stage, 1);
    ck_assert(!cleat_lock_held(&shared.lock));
#endif
    shared_fini(&shared);
}
END_TEST

#ifdef CLEAT_DEBUG
static void take_in_order(void *arg)
{
    struct cleat_lock outer, inner;
    cleat_lock_init(&outer, CLEAT_LOCK_SERVER);
    cleat_lock_init(&inner, CLEAT_LOCK_LOG);
    cleat_lock_take(&outer);
    cleat_lock_take(&inner);
    cleat_lock_release(&outer); /* the order of releases is free */
    cleat_lock_release(&inner);
    cleat_lock_take(&outer);
    cleat_lock_release(&outer);
}

static void take_out_of_order(void *arg)
{
    struct cleat_lock outer, inner;
    cleat_lock_init(&outer, CLEAT_LOCK_SERVER);
    cleat_lock_init(&inner, CLEAT_LOCK_LOG);
    cleat_lock_take(&inner);
    cleat_lock_take(&outer);
}

static void take_same_rank(void *arg)
{
    struct cleat_rwlock one, two;
    cleat_rwlock_init(&one, CLEAT_LOCK_STORE);
    cleat_rwlock_init(&two, CLEAT_LOCK_STORE);
    cleat_rwlock_read(&one);
    cleat_rwlock_read(&two);
}

static void read_twice(void *arg)
{
    struct cleat_rwlock lock;
    cleat_rwlock_init(&lock, CLEAT_LOCK_STORE);
    cleat_rwlock_read(&lock);
    cleat_rwlock_read(&lock); /* deadlocks as soon as a writer waits in between */
}

static void release_not_held(void *arg)
{
    struct cleat_lock lock;
    cleat_lock_init(&lock, CLEAT_LOCK_STORE);
    cleat_lock_release(&lock);
}

static void wait_and_take(void *arg)
{
    struct cleat_lock lock, outer;
    struct cleat_cond cond;
    cleat_lock_init(&lock, CLEAT_LOCK_LOG);
    cleat_lock_init(&outer, CLEAT_LOCK_SERVER);
    cleat_cond_init(&cond);
    cleat_lock_take(&lock);
    (void)cleat_cond_wait_ms(&cond, &lock, 1);
    cleat_lock_take(&outer); /* the wait took the inner lock back */
}
#endif

START_TEST(test_rank)
{
#ifdef CLEAT_DEBUG
    take_in_order(NULL);
    ck_assert(!cleat_suite_aborts(take_in_order, NULL));
    ck_assert(cleat_suite_aborts(take_out_of_order, NULL));
    ck_assert(cleat_suite_aborts(take_same_rank, NULL));
    ck_assert(cleat_suite_aborts(read_twice, NULL));
    ck_assert(cleat_suite_aborts(release_not_held, NULL));
    ck_assert(cleat_suite_aborts(wait_and_take, NULL));
#else
    struct cleat_lock lock;
    cleat_lock_init(&lock, CLEAT_LOCK_TEST);
    ck_assert(cleat_lock_held(&lock)); /* always true without the bookkeeping */
    cleat_lock_fini(&lock);
#endif
}
END_TEST

START_TEST(test_cond_times_out)
{
    struct shared shared;
    shared_init(&shared);
    cleat_lock_take(&shared.lock);
    ck_assert_int_eq(cleat_cond_wait_ms(&shared.cond, &shared.lock, 0), ETIMEDOUT);
    ck_assert_int_eq(cleat_cond_wait_ms(&shared.cond, &shared.lock, 2), ETIMEDOUT);
    ck_assert(cleat_lock_held(&shared.lock));
    cleat_lock_release(&shared.lock);
    shared_fini(&shared);
}
END_TEST

static void *raise_number(void *arg)
{
    struct shared *shared = arg;
    cleat_lock_take(&shared->lock);
    shared->number = 1;
    cleat_cond_broadcast(&shared->cond);
    while (shared->number != 2)
        cleat_cond_wait(&shared->cond, &shared->lock);
    cleat_lock_release(&shared->lock);
    return NULL;
}

START_TEST(test_cond_wakes)
{
    struct shared shared;
    struct cleat_thread thread = CLEAT_THREAD_INIT;
    shared_init(&shared);
    cleat_lock_take(&shared.lock);
    ck_assert_int_eq(cleat_thread_start(&thread, "raise", 0, raise_number, &shared, NULL), 0);
    while (shared.number != 1)
        ck_assert_int_eq(cleat_cond_wait_ms(&shared.cond, &shared.lock, INT64_MAX), 0);
    shared.number = 2;
    cleat_cond_signal(&shared.cond);
    cleat_lock_release(&shared.lock);
    cleat_thread_join(&thread);
    shared_fini(&shared);
}
END_TEST

static void *write_once(void *arg)
{
    struct shared *shared = arg;
    atomic_store(&shared->stage, 1);
    cleat_rwlock_write(&shared->rwlock);
    shared->number = 7;
    cleat_rwlock_write_release(&shared->rwlock);
    return NULL;
}

static bool reader_is_refused(void *arg)
{
    struct shared *shared = arg;
    bool refused = pthread_rwlock_tryrdlock(&shared->rwlock.rwlock) == EBUSY;
    if (!refused)
        (void)pthread_rwlock_unlock(&shared->rwlock.rwlock);
    return refused;
}

/* While a writer waits for a reader to go, a new reader has to queue behind it. */
START_TEST(test_writers_first)
{
    struct shared shared;
    struct cleat_thread thread = CLEAT_THREAD_INIT;
    shared_init(&shared);
    cleat_rwlock_read(&shared.rwlock);
    ck_assert(!reader_is_refused(&shared));
    ck_assert_int_eq(cleat_thread_start(&thread, "writer", 0, write_once, &shared, NULL), 0);
    CLEAT_WAIT_FOR(shared.stage == 1, 5000);
    ck_assert(cleat_wait_for(reader_is_refused, &shared, 5000));
    cleat_rwlock_read_release(&shared.rwlock);
    cleat_thread_join(&thread);
    cleat_rwlock_read(&shared.rwlock);
    ck_assert_int_eq(shared.number, 7);
    cleat_rwlock_read_release(&shared.rwlock);
    shared_fini(&shared);
}
END_TEST

CLEAT_SUITE_MAIN("lock", test_mutual_exclusion, test_held, test_rank, test_cond_times_out,
                 test_cond_wakes, test_writers_first)
