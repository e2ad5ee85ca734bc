/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's end, within one grace time for all of it:
 *
 *   not ready ─► drain ─► webhooks ─► others ─► elected ─► lease ─► caches ─► http ─► events, jobs
 *
 * Each step is asked and joined, and may use the time up to its share; what hangs by then is left
 * to the last join, so that nothing keeps the lease or the end from coming. What usually hangs is a
 * call to an API server that doesn't answer: such calls are aborted when a share is used up.
 */
#include "controller/manager.h"

#include <errno.h>

#include "controller/election.h"
#include "controller/jobs.h"
#include "controller/recorder.h"

/* Shares of the time after draining by which a step is to be over, in percent. */
#define WEBHOOKS_SHARE 35
#define OTHERS_SHARE 40
#define ELECTED_CUT_SHARE 50 /* calls are aborted, which takes a second */
#define ELECTED_SHARE 65
#define LEASE_CUT_SHARE 70
#define LEASE_SHARE 85
#define CACHES_SHARE 90
#define EVENTS_MS_MAX 2000
#define HUNDRED 100

struct ending {
    struct cleat_manager *manager;
    int64_t asked_mono_ms;
    int64_t from_mono_ms;  /* once drained */
    int64_t until_mono_ms; /* < 0: without a limit */
};

static int64_t ending_now(void)
{
    return cleat_clock_mono_ms(cleat_clock_system());
}

/* When a share of the time is used up. */
static int64_t ending_share(const struct ending *ending, int percent)
{
    if (ending->until_mono_ms < 0)
        return -1;
    return ending->from_mono_ms +
           (ending->until_mono_ms - ending->from_mono_ms) * percent / HUNDRED;
}

/* What is left until then, for functions that take a time-out. */
static int64_t ending_left(int64_t until_mono_ms)
{
    int64_t left_ms = until_mono_ms - ending_now();
    if (until_mono_ms < 0)
        return -1;
    return left_ms > 0 ? left_ms : 0;
}

static void abort_calls(struct cleat_client *client, bool aborted)
{
    if (client)
        cleat_client_abort(client, aborted);
}

/* Asks and joins a group; how many still run. */
static size_t end_group(const struct ending *ending, enum cleat_group group, int percent)
{
    struct runnables *runnables = &ending->manager->runnables;
    cleat__runnables_stop(runnables, group);
    return cleat__runnables_join(runnables, group, ending_share(ending, percent));
}

/* True once all of the elected group has ended. */
static bool end_elected(const struct ending *ending)
{
    struct cleat_manager *manager = ending->manager;
    size_t left = end_group(ending, CLEAT_GROUP_ELECTED, ELECTED_CUT_SHARE);
    if (left > 0) {
        abort_calls(manager->fenced, true);
        abort_calls(manager->client, true);
        left = cleat__runnables_join(&manager->runnables, CLEAT_GROUP_ELECTED,
                                     ending_share(ending, ELECTED_SHARE));
    }
    return left == 0;
}

/* Where elected work still runs the lease isn't given back: it runs out instead. True once the
 * election has ended. */
static bool end_election(const struct ending *ending, bool release)
{
    struct cleat_manager *manager = ending->manager;
    if (!manager->election)
        return true;
    if (release)
        cleat__election_stop_within(manager->election,
                                    ending_left(ending_share(ending, LEASE_CUT_SHARE)));
    else
        cleat__election_abandon(manager->election);
    int64_t cut_ms = ending_left(ending_share(ending, LEASE_CUT_SHARE));
    if (cleat__election_join_ms(manager->election, cut_ms) == 0)
        return true;
    abort_calls(manager->elector, true);
    return cleat__election_join_ms(manager->election,
                                   ending_left(ending_share(ending, LEASE_SHARE))) == 0;
}

/* Everything but events and jobs; what overstays is left to the last join. */
static void end_groups(const struct ending *ending)
{
    struct cleat_manager *manager = ending->manager;
    cleat__runnables_close(&manager->runnables, ending_share(ending, WEBHOOKS_SHARE));
    cleat__runnables_stop(&manager->runnables, CLEAT_GROUP_WARMUP);
    if (end_group(ending, CLEAT_GROUP_WEBHOOKS, WEBHOOKS_SHARE) > 0)
        abort_calls(manager->client, true);
    (void)end_group(ending, CLEAT_GROUP_OTHERS, OTHERS_SHARE); /* joined again at the last */
    manager->election_left = !end_election(ending, end_elected(ending));
    abort_calls(manager->client, true); /* nobody's that is still to be waited for */
    (void)end_group(ending, CLEAT_GROUP_CACHES, CACHES_SHARE);
    (void)end_group(ending, CLEAT_GROUP_HTTP, CACHES_SHARE);
}

static size_t end_jobs(const struct ending *ending, struct cleat_err *err)
{
    struct cleat_manager *manager = ending->manager;
    cleat_jobs_stop(manager->jobs);
    if (cleat_jobs_join(manager->jobs, ending_left(ending->until_mono_ms)) == 0)
        return 0;
    (void)cleat_err_set(err, -ETIMEDOUT, "jobs: not ended in the grace time");
    cleat_error(manager->log, "jobs haven't ended in the grace time");
    return 1;
}

static size_t end_events(const struct ending *ending, struct cleat_err *err)
{
    struct cleat_recorder *recorder = ending->manager->recorder;
    int64_t left_ms = ending_left(ending->until_mono_ms);
    if (left_ms < 0 || left_ms > EVENTS_MS_MAX)
        left_ms = EVENTS_MS_MAX;
    if (!recorder || cleat__recorder_stop(recorder, left_ms) == 0)
        return 0;
    (void)cleat_err_set(err, -ETIMEDOUT, "events: not ended in the grace time");
    cleat_error(ending->manager->log, "the event recorder hasn't ended in the grace time");
    return 1;
}

/* Joins what overstayed its share; how many never ended, with their names in @err. */
static size_t end_rest(const struct ending *ending, struct cleat_err *err)
{
    struct cleat_manager *manager = ending->manager;
    size_t left = 0;
    for (int group = CLEAT_GROUP_COUNT - 1; group >= 0; group--) {
        (void)cleat__runnables_join(&manager->runnables, (enum cleat_group)group,
                                    ending->until_mono_ms);
        left += cleat__runnables_report(&manager->runnables, (enum cleat_group)group, err);
    }
    if (manager->election_left &&
        cleat__election_join_ms(manager->election, ending_left(ending->until_mono_ms)) < 0) {
        left++;
        (void)cleat_err_set(err, -ETIMEDOUT, "leader election: not ended in the grace time");
        cleat_error(manager->log, "leader election hasn't ended in the grace time");
    }
    return left;
}

static void end_drain(struct ending *ending)
{
    struct cleat_manager *manager = ending->manager;
    int64_t until_ms = ending_now() + manager->drain_ms;
    int64_t left_ms = manager->drain_ms;
    cleat_lock_take(&manager->lock);
    manager->stopping = true;
    manager->draining = true;
    cleat_cond_broadcast(&manager->cond);
    bool drain = manager->started;
    cleat_lock_release(&manager->lock);
    cleat__runnables_drain(&manager->runnables);
    cleat_lock_take(&manager->lock);
    while (drain && left_ms > 0) {
        (void)cleat_cond_wait_ms(&manager->cond, &manager->lock, left_ms); /* looks again */
        left_ms = until_ms - ending_now();
    }
    cleat_lock_release(&manager->lock);
    ending->from_mono_ms = ending_now();
}

/* After a loss elected work ends at once, before any draining. */
static void end_lost(const struct ending *ending)
{
    struct cleat_manager *manager = ending->manager;
    cleat_lock_take(&manager->lock);
    bool lost = manager->lost;
    cleat_lock_release(&manager->lock);
    if (!lost)
        return;
    cleat__runnables_suspend(&manager->runnables, CLEAT_GROUP_ELECTED,
                             ending_share(ending, WEBHOOKS_SHARE));
    cleat__runnables_stop(&manager->runnables, CLEAT_GROUP_ELECTED);
}

static struct ending ending_of(struct cleat_manager *manager)
{
    int64_t now_ms = ending_now();
    return (struct ending){
        .manager = manager,
        .asked_mono_ms = now_ms,
        .from_mono_ms = now_ms,
        .until_mono_ms = manager->grace_ms < 0 ? -1 : now_ms + manager->grace_ms,
    };
}

int cleat__manager_end(struct cleat_manager *manager, struct cleat_err *err)
{
    struct ending ending = ending_of(manager);
    end_lost(&ending);
    end_drain(&ending);
    end_groups(&ending);
    size_t left = end_jobs(&ending, err);
    left += end_events(&ending, err);
    left += end_rest(&ending, err);
    cleat__manager_timer_stop(manager);
    manager->leaked = left > 0;
    if (left > 0)
        return -ETIMEDOUT;
    abort_calls(manager->client, false);
    abort_calls(manager->fenced, false);
    cleat_info(manager->log, "manager stopped",
               cleat_log_int("ms", ending_now() - ending.asked_mono_ms));
    return 0;
}

/* ---- losing the election without ending ---- */

int cleat__manager_suspend(struct cleat_manager *manager, struct cleat_err *err)
{
    const struct ending ending = ending_of(manager);
    struct runnables *runnables = &manager->runnables;
    cleat_warn(manager->log, "leadership lost, elected work is stopped");
    cleat__runnables_suspend(runnables, CLEAT_GROUP_ELECTED, ending.until_mono_ms);
    (void)end_group(&ending, CLEAT_GROUP_ELECTED, HUNDRED); /* the report counts */
    size_t left = cleat__runnables_report(runnables, CLEAT_GROUP_ELECTED, err);
    if (left == 0 &&
        cleat__election_join_ms(manager->election, ending_left(ending.until_mono_ms)) < 0) {
        left++;
        (void)cleat_err_set(err, -ETIMEDOUT, "leader election: not ended in the grace time");
    }
    /* Elected work may have left some of itself to the pool. */
    if (left == 0 && cleat__jobs_settle(manager->jobs, ending_left(ending.until_mono_ms)) < 0) {
        left++;
        (void)cleat_err_set(err, -ETIMEDOUT, "jobs: not ended in the grace time");
    }
    if (left > 0)
        return -ETIMEDOUT;
    cleat__runnables_renew(runnables, CLEAT_GROUP_ELECTED);
    abort_calls(manager->fenced, false);
    return 0;
}
