/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The things that a manager runs, by group: each is added, started, asked to stop and joined; a
 * group that was suspended may be started again. Lists and states are under the manager's lock; the
 * functions of a runnable are called outside it.
 */
#ifndef CLEAT_CONTROLLER_RUNNABLE_H
#define CLEAT_CONTROLLER_RUNNABLE_H

#include <stdbool.h>
#include <cleat/manager.h>
#include "base/lock.h"

enum runnable_state {
    RUNNABLE_ADDED,
    RUNNABLE_STARTING,
    RUNNABLE_RUNNING,
    RUNNABLE_FAILED, /* its start failed: nothing to stop */
    RUNNABLE_STOPPING,
    RUNNABLE_ENDED,
};

struct runnable_entry {
    struct cleat_runnable runnable; /* its name is owned */
    enum runnable_state state;
    struct runnable_entry *next;
    struct runnable_entry *prev;
};

struct runnable_group {
    struct runnable_entry *first;
    struct runnable_entry *last;
    bool running; /* what is added now is started by the one who adds it */
    bool closed;  /* nothing is started any more */
};

struct runnables {
    struct cleat_lock *lock; /* the manager's; borrowed, as the condition */
    struct cleat_cond *cond; /* broadcast when a start has ended */
    struct cleat_log *log;
    struct runnable_group groups[CLEAT_GROUP_COUNT];
    bool closed; /* stopped: adding is refused */
};

/** The group's name, for messages. Static. */
const char *cleat__group_name(enum cleat_group group);
/** Adds a copy; starts it where its group runs. Takes the lock. */
int cleat__runnables_add(struct runnables *runnables, const struct cleat_runnable *runnable,
                         struct cleat_err *err) CLEAT_MUST_CHECK;
/** Starts all of a group; what is added from then on is started at once. The first failure ends it.
 */
int cleat__runnables_start(struct runnables *runnables, enum cleat_group group,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * Waits for all of a group to be ready, asking @stopping now and then. 0, -ECANCELED where it says
 * so, -ETIMEDOUT, or the runnable's failure.
 */
int cleat__runnables_wait_ready(struct runnables *runnables, enum cleat_group group,
                                int64_t timeout_ms, bool (*stopping)(void *arg), void *arg,
                                struct cleat_err *err) CLEAT_MUST_CHECK;
/** From now on nothing is added or started; waits until @until_mono_ms of the system's clock (< 0:
 * without a limit) for starts that are under way. */
void cleat__runnables_close(struct runnables *runnables, int64_t until_mono_ms);
/** From now on nothing of @group is started; waits for starts that are under way, as close does.
 * What is added meanwhile is kept for the next start of the group. */
void cleat__runnables_suspend(struct runnables *runnables, enum cleat_group group,
                              int64_t until_mono_ms);
/** What ended may be started again, with the next start of the group. */
void cleat__runnables_renew(struct runnables *runnables, enum cleat_group group);
/** Tells all of every group that runs that the stop is near. */
void cleat__runnables_drain(struct runnables *runnables);
/** Asks all of a group that was closed or suspended to stop, the last added first. */
void cleat__runnables_stop(struct runnables *runnables, enum cleat_group group);
/** Joins a group until @until_mono_ms of the system's clock (< 0: without a limit); may be called
 * again. How many still run. */
size_t cleat__runnables_join(struct runnables *runnables, enum cleat_group group,
                             int64_t until_mono_ms);
/** How many of a group were asked to stop and haven't ended, or never ended starting; each is
 * logged and named in @err. */
size_t cleat__runnables_report(struct runnables *runnables, enum cleat_group group,
                               struct cleat_err *err);
void cleat__runnables_fini(struct runnables *runnables);

#endif
