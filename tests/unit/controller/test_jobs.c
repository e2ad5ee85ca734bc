/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>

#include "base/lock.h"
#include "controller/jobs.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "support/wait.h"

/* A job that waits until it's let go. */
struct gate {
    struct cleat_lock lock;
    struct cleat_cond cond;
    bool open;
    _Atomic(int) entered;
    _Atomic(int) left;
    _Atomic(int) dropped;
    int order[8];
};

static void gate_init(struct gate *gate)
{
    *gate = (struct gate){0};
    cleat_lock_init(&gate->lock, CLEAT_LOCK_TEST);
    cleat_cond_init(&gate->cond);
}

static void gate_fini(struct gate *gate)
{
    cleat_cond_fini(&gate->cond);
    cleat_lock_fini(&gate->lock);
}

static void gate_run(void *arg)
{
    struct gate *gate = arg;
    atomic_fetch_add(&gate->entered, 1);
    cleat_lock_take(&gate->lock);
    while (!gate->open)
        cleat_cond_wait(&gate->cond, &gate->lock);
    cleat_lock_release(&gate->lock);
    atomic_fetch_add(&gate->left, 1);
}

static void gate_drop(void *arg)
{
    struct gate *gate = arg;
    atomic_fetch_add(&gate->dropped, 1);
}

static void gate_open(struct gate *gate)
{
    cleat_lock_take(&gate->lock);
    gate->open = true;
    cleat_cond_broadcast(&gate->cond);
    cleat_lock_release(&gate->lock);
}

START_TEST(test_runs_all)
{
    struct gate gate;
    struct cleat_jobs *jobs = NULL;
    gate_init(&gate);
    gate_open(&gate);
    ck_assert_int_eq(cleat_jobs_new(3, 0, &jobs, NULL), 0);
    for (int i = 0; i < 500; i++)
        ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &gate), 0);
    CLEAT_WAIT_FOR(atomic_load(&gate.left) == 500, 5000);
    ck_assert_int_eq(atomic_load(&gate.dropped), 0);
    cleat_jobs_free(jobs);
    gate_fini(&gate);
}
END_TEST

START_TEST(test_as_many_at_a_time_as_threads)
{
    struct gate gate;
    struct cleat_jobs *jobs = NULL;
    gate_init(&gate);
    ck_assert_int_eq(cleat_jobs_new(2, 0, &jobs, NULL), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, NULL, &gate), 0);
    CLEAT_WAIT_FOR(atomic_load(&gate.entered) == 2, 5000);
    cleat_wait_moment();
    ck_assert_int_eq(atomic_load(&gate.entered), 2);
    gate_open(&gate);
    CLEAT_WAIT_FOR(atomic_load(&gate.left) == 4, 5000);
    cleat_jobs_free(jobs);
    gate_fini(&gate);
}
END_TEST

/* What was posted before is waited for, and nothing that came later. */
START_TEST(test_settle)
{
    struct gate first, later;
    struct cleat_jobs *jobs = NULL;
    gate_init(&first);
    gate_init(&later);
    ck_assert_int_eq(cleat_jobs_new(1, 0, &jobs, NULL), 0);
    ck_assert_int_eq(cleat__jobs_settle(jobs, 0), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, NULL, &first), 0);
    ck_assert_int_eq(cleat__jobs_settle(jobs, 0), -ETIMEDOUT);
    CLEAT_WAIT_FOR(atomic_load(&first.entered) == 1, 5000);
    ck_assert_int_eq(cleat__jobs_settle(jobs, 1), -ETIMEDOUT);
    gate_open(&first);
    ck_assert_int_eq(cleat__jobs_settle(jobs, -1), 0);
    ck_assert_int_eq(atomic_load(&first.left), 2);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &later), 0);
    CLEAT_WAIT_FOR(atomic_load(&later.entered) == 1, 5000);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &later), 0);
    cleat_jobs_stop(jobs);
    ck_assert_int_eq(cleat__jobs_settle(jobs, 0), -ETIMEDOUT); /* one still runs */
    gate_open(&later);
    ck_assert_int_eq(cleat__jobs_settle(jobs, -1), 0);
    cleat_jobs_free(jobs);
    gate_fini(&later);
    gate_fini(&first);
}
END_TEST

START_TEST(test_full)
{
    struct gate gate;
    struct cleat_jobs *jobs = NULL;
    gate_init(&gate);
    ck_assert_int_eq(cleat_jobs_new(0, 2, &jobs, NULL), 0);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &gate), 0);
    CLEAT_WAIT_FOR(atomic_load(&gate.entered) == 1, 5000);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &gate), 0);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &gate), 0);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &gate), -ENOBUFS);
    gate_open(&gate);
    CLEAT_WAIT_FOR(atomic_load(&gate.left) == 3, 5000);
    ck_assert_int_eq(atomic_load(&gate.dropped), 0);
    cleat_jobs_free(jobs);
    gate_fini(&gate);
}
END_TEST

START_TEST(test_stop_drops)
{
    struct gate gate;
    struct cleat_jobs *jobs = NULL;
    gate_init(&gate);
    ck_assert_int_eq(cleat_jobs_new(1, 0, &jobs, NULL), 0);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &gate), 0);
    CLEAT_WAIT_FOR(atomic_load(&gate.entered) == 1, 5000);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &gate), 0);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, NULL, &gate), 0);
    cleat_jobs_stop(jobs);
    ck_assert_int_eq(atomic_load(&gate.dropped), 1);
    ck_assert_int_eq(cleat_jobs_post(jobs, gate_run, gate_drop, &gate), -ESHUTDOWN);
    ck_assert_int_eq(cleat_jobs_join(jobs, 10), -ETIMEDOUT);
    gate_open(&gate);
    ck_assert_int_eq(cleat_jobs_join(jobs, 5000), 0);
    ck_assert_int_eq(atomic_load(&gate.left), 1);
    ck_assert_int_eq(atomic_load(&gate.dropped), 1);
    cleat_jobs_free(jobs);
    gate_fini(&gate);
}
END_TEST

static int make(void *arg)
{
    struct cleat_jobs *jobs = NULL;
    int rc = cleat_jobs_new(2, 10, &jobs, NULL);
    cleat_jobs_free(jobs);
    return rc;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_ge(cleat_chaos_sweep(make, NULL), 2);
}
END_TEST

CLEAT_SUITE_MAIN("jobs", test_runs_all, test_as_many_at_a_time_as_threads, test_settle, test_full,
                 test_stop_drops, test_out_of_memory)
