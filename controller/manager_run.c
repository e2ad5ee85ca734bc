/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's run: from the first group to the last, through won and lost elections, until the
 * end is asked for. One thread (run's caller) starts and stops groups; others only set flags under
 * the lock and wake it.
 *
 *   http ─► webhooks ─► caches ─► others ─► warmup ─► elected (at once, or when won) ─► end
 *                                        lost ─► elected joined ─► standing again ─┘
 */
#include "controller/manager.h"

#include <errno.h>

#include "base/check.h"
#include "controller/controller.h"

#define TICK_MS 500

/* ---- the timer ---- */

static void *timer_run(void *arg)
{
    struct cleat_manager *manager = arg;
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC);
    cleat_lock_take(&manager->lock);
    while (!manager->timer_quit) {
        for (struct manager_controller *at = manager->controllers; at; at = at->next)
            cleat__controller_tick(at->controller); /* its locks come after ours */
        int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + TICK_MS;
        int64_t left_ms = TICK_MS;
        while (!manager->timer_quit && left_ms > 0) {
            (void)cleat_cond_wait_ms(&manager->cond, &manager->lock, left_ms); /* looks again */
            left_ms = until_ms - cleat_clock_mono_ms(cleat_clock_system());
        }
    }
    cleat_lock_release(&manager->lock);
    return NULL;
}

void cleat__manager_timer_stop(struct cleat_manager *manager)
{
    cleat_lock_take(&manager->lock);
    manager->timer_quit = true;
    cleat_cond_broadcast(&manager->cond);
    cleat_lock_release(&manager->lock);
    cleat_thread_join(&manager->timer);
}

/* ---- running ---- */

static bool manager_ending(void *arg)
{
    struct cleat_manager *manager = arg;
    cleat_lock_take(&manager->lock);
    bool ending = manager->stopping || manager->lost || manager->err.code != 0;
    cleat_lock_release(&manager->lock);
    return ending;
}

static int manager_start_group(struct cleat_manager *manager, enum cleat_group group,
                               struct cleat_err *err)
{
    int rc = manager_ending(manager) ? -ECANCELED
                                     : cleat__runnables_start(&manager->runnables, group, err);
    if (rc == 0) {
        rc = cleat__runnables_wait_ready(&manager->runnables, group, manager->sync_timeout_ms,
                                         manager_ending, manager, err);
    }
    return rc;
}

/* The elected group doesn't wait: its controllers open their gates themselves, and tell where they
 * can't. */
static int manager_start_elected(struct cleat_manager *manager, struct cleat_err *err)
{
    int rc = cleat__runnables_start(&manager->runnables, CLEAT_GROUP_ELECTED, err);
    cleat_lock_take(&manager->lock);
    manager->elected_runs = rc == 0;
    cleat_cond_broadcast(&manager->cond);
    cleat_lock_release(&manager->lock);
    return rc;
}

static void manager_set_started(struct cleat_manager *manager)
{
    cleat_lock_take(&manager->lock);
    manager->started = true;
    cleat_cond_broadcast(&manager->cond);
    cleat_lock_release(&manager->lock);
    cleat_info(manager->log, "manager started");
}

static int manager_start(struct cleat_manager *manager, struct cleat_err *err)
{
    int rc = cleat_thread_start(&manager->timer, "timer", 0, timer_run, manager, err);
    for (int group = CLEAT_GROUP_HTTP; rc == 0 && group <= CLEAT_GROUP_WARMUP; group++)
        rc = manager_start_group(manager, (enum cleat_group)group, err);
    if (rc == 0 && manager->election)
        rc = cleat_election_start(manager->election, err);
    else if (rc == 0)
        rc = manager_start_elected(manager, err);
    if (rc == 0)
        manager_set_started(manager);
    return rc;
}

/* Ends elected work; then the election is stood for again, unless the end has come meanwhile. */
static int manager_stand_again(struct cleat_manager *manager, struct cleat_err *err)
{
    int rc = cleat__manager_suspend(manager, err);
    if (rc < 0)
        return rc;
    cleat_lock_take(&manager->lock);
    bool ending = manager->stopping || manager->err.code != 0;
    manager->lost = false;
    manager->elected = false;
    manager->elected_runs = false;
    cleat_lock_release(&manager->lock);
    if (ending)
        return 0;
    cleat_info(manager->log, "elected work has ended, standing again");
    return cleat_election_start(manager->election, err);
}

/* What the lock's owner has to do next, outside the lock. */
static int manager_turn(struct cleat_manager *manager, bool lost, struct cleat_err *err)
{
    if (!lost)
        return manager_start_elected(manager, err);
    return manager->stand_again ? manager_stand_again(manager, err)
                                : cleat_err_set(err, -ECANCELED, "leader election lost");
}

/* Waits for the end; starts the elected group once the election is won, and ends it where it is
 * lost. */
static int manager_watch(struct cleat_manager *manager, struct cleat_err *err)
{
    int rc = 0;
    cleat_lock_take(&manager->lock);
    while (rc == 0 && !manager->stopping && manager->err.code == 0) {
        bool lost = manager->lost;
        if (lost || (manager->elected && !manager->elected_runs)) {
            cleat_lock_release(&manager->lock);
            rc = manager_turn(manager, lost, err);
            cleat_lock_take(&manager->lock);
            continue;
        }
        cleat_cond_wait(&manager->cond, &manager->lock);
    }
    cleat_lock_release(&manager->lock);
    return rc;
}

/* The first failure, and behind it what didn't end. */
static int manager_result(struct cleat_manager *manager, const struct cleat_err *first, int end,
                          const struct cleat_err *late, struct cleat_err *err)
{
    struct cleat_err told = first->code != 0 ? *first : *late;
    if (first->code != 0 && end < 0) {
        told = (struct cleat_err)CLEAT_ERR_INIT;
        (void)cleat_err_set(&told, end, "%.400s; %.400s", first->text, late->text);
    }
    if (told.code == 0)
        return 0;
    cleat_error(manager->log, "manager ended with an error", cleat_log_err(&told));
    if (err && err->code == 0)
        *err = told;
    return told.code;
}

int cleat_manager_run(struct cleat_manager *manager, struct cleat_err *err)
{
    struct cleat_err first = CLEAT_ERR_INIT;
    struct cleat_err late = CLEAT_ERR_INIT;
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC);
    cleat_lock_take(&manager->lock);
    bool again = manager->ran;
    manager->ran = true;
    cleat_lock_release(&manager->lock);
    if (again)
        return cleat_err_set(err, -EALREADY, "the manager runs once");
    int rc = manager_start(manager, &first);
    if (rc == 0)
        rc = manager_watch(manager, &first);
    cleat_lock_take(&manager->lock);
    if (manager->err.code != 0 && (first.code == 0 || rc == -ECANCELED))
        first = manager->err;
    cleat_lock_release(&manager->lock);
    int end = cleat__manager_end(manager, &late);
    return manager_result(manager, &first, end, &late, err);
}

/* A start that waits for an API server isn't waited for. */
static void manager_give_up_start(struct cleat_manager *manager, bool started)
{
    if (!started && manager->client)
        cleat_client_abort(manager->client, true);
}

void cleat_manager_stop(struct cleat_manager *manager)
{
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC);
    cleat_lock_take(&manager->lock);
    manager->stopping = true;
    cleat_cond_broadcast(&manager->cond);
    bool started = manager->started;
    cleat_lock_release(&manager->lock);
    manager_give_up_start(manager, started);
}

void cleat_manager_fail(struct cleat_manager *manager, const struct cleat_err *err)
{
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC && err->code < 0);
    cleat_lock_take(&manager->lock);
    bool late = manager->stopping;
    if (!late && manager->err.code == 0)
        manager->err = *err;
    cleat_cond_broadcast(&manager->cond);
    bool started = manager->started;
    cleat_lock_release(&manager->lock);
    manager_give_up_start(manager, started);
    if (late)
        cleat_warn(manager->log, "failure while stopping", cleat_log_err(err));
}

int cleat_manager_wait_started(struct cleat_manager *manager, int64_t timeout_ms)
{
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + timeout_ms;
    int64_t left_ms = timeout_ms;
    bool done = false;
    cleat_lock_take(&manager->lock);
    for (;;) {
        done = manager->started && (!manager->elected || manager->elected_runs);
        if (done || left_ms <= 0)
            break;
        (void)cleat_cond_wait_ms(&manager->cond, &manager->lock, left_ms); /* looks again */
        left_ms = until_ms - cleat_clock_mono_ms(cleat_clock_system());
    }
    cleat_lock_release(&manager->lock);
    return done ? 0 : -ETIMEDOUT;
}

/* ---- getters ---- */
