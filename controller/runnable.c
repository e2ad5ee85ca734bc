/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/runnable.h"

#include <errno.h>

#include <cleat/clock.h>

#include "base/check.h"
#include "base/mem.h"

#define READY_STEP_MS 100

const char *cleat__group_name(enum cleat_group group)
{
    static const char *const names[CLEAT_GROUP_COUNT] = {
        [CLEAT_GROUP_HTTP] = "http",     [CLEAT_GROUP_WEBHOOKS] = "webhooks",
        [CLEAT_GROUP_CACHES] = "caches", [CLEAT_GROUP_OTHERS] = "others",
        [CLEAT_GROUP_WARMUP] = "warmup", [CLEAT_GROUP_ELECTED] = "elected",
    };
    return names[group];
}

static struct runnable_entry *entry_new(const struct cleat_runnable *runnable)
{
    struct runnable_entry *entry = cleat_mem_zalloc(1, sizeof(*entry));
    char *name = cleat_mem_strdup(runnable->name);
    if (!entry || !name) {
        cleat_mem_free(entry);
        cleat_mem_free(name);
        return NULL;
    }
    entry->runnable = *runnable;
    entry->runnable.name = name;
    return entry;
}

static void entry_append(struct runnable_group *group, struct runnable_entry *entry)
{
    entry->prev = group->last;
    if (group->last)
        group->last->next = entry;
    else
        group->first = entry;
    group->last = entry;
}

static void entry_set(struct runnables *runnables, struct runnable_entry *entry,
                      enum runnable_state state)
{
    cleat_lock_take(runnables->lock);
    entry->state = state;
    cleat_cond_broadcast(runnables->cond);
    cleat_lock_release(runnables->lock);
}

/* Starts an entry that is STARTING already. */
static int entry_start(struct runnables *runnables, struct runnable_entry *entry,
                       struct cleat_err *err)
{
    const struct cleat_runnable *runnable = &entry->runnable;
    int rc = runnable->start ? runnable->start(runnable->arg, err) : 0;
    if (rc < 0) {
        (void)cleat_err_set(err, rc, "%s can't be started",
                            runnable->name); /* unless it said more */
    }
    entry_set(runnables, entry, rc < 0 ? RUNNABLE_FAILED : RUNNABLE_RUNNING);
    return rc;
}

int cleat__runnables_add(struct runnables *runnables, const struct cleat_runnable *runnable,
                         struct cleat_err *err)
{
    if (!runnable->name || runnable->group >= CLEAT_GROUP_COUNT)
        return cleat_err_set(err, -EINVAL, "a runnable needs a name and a group");
    struct runnable_entry *entry = entry_new(runnable);
    if (!entry)
        return cleat_err_set(err, -ENOMEM, "%s: out of memory", runnable->name);
    struct runnable_group *group = &runnables->groups[runnable->group];
    cleat_lock_take(runnables->lock);
    bool closed = runnables->closed || group->closed;
    bool now = group->running;
    if (!closed) {
        entry->state = now ? RUNNABLE_STARTING : RUNNABLE_ADDED;
        entry_append(group, entry);
    }
    cleat_lock_release(runnables->lock);
    if (closed) {
        cleat_mem_free((void *)entry->runnable.name);
        cleat_mem_free(entry);
        return cleat_err_set(err, -ESHUTDOWN, "%s: the manager has stopped", runnable->name);
    }
    return now ? entry_start(runnables, entry, err) : 0;
}

/* The next one to be started, marked so; NULL where there is none, and the group runs then. */
static struct runnable_entry *group_take(struct runnables *runnables, struct runnable_group *group)
{
    cleat_lock_take(runnables->lock);
    struct runnable_entry *entry = runnables->closed ? NULL : group->first;
    while (entry && entry->state != RUNNABLE_ADDED)
        entry = entry->next;
    if (entry)
        entry->state = RUNNABLE_STARTING;
    else
        group->running = !runnables->closed;
    cleat_lock_release(runnables->lock);
    return entry;
}

int cleat__runnables_start(struct runnables *runnables, enum cleat_group group,
                           struct cleat_err *err)
{
    struct runnable_entry *entry = NULL;
    int rc = 0;
    while (rc == 0 && (entry = group_take(runnables, &runnables->groups[group])))
        rc = entry_start(runnables, entry, err);
    return rc;
}

static int entry_wait_ready(const struct runnable_entry *entry, int64_t until_ms,
                            bool (*stopping)(void *arg), void *arg, struct cleat_err *err)
{
    const struct cleat_runnable *runnable = &entry->runnable;
    const struct cleat_clock *system = cleat_clock_system();
    struct cleat_err last = CLEAT_ERR_INIT;
    int rc = -ETIMEDOUT;
    while (rc == -ETIMEDOUT) {
        int64_t left_ms = until_ms - cleat_clock_mono_ms(system);
        int64_t step_ms = left_ms < READY_STEP_MS ? left_ms : READY_STEP_MS;
        if (stopping(arg))
            return -ECANCELED;
        cleat_err_clear(&last);
        /* Never below 0, which would mean without a limit. */
        rc = runnable->wait_ready(runnable->arg, step_ms > 0 ? step_ms : 0, &last);
        if (rc == -ETIMEDOUT && left_ms <= 0)
            break;
    }
    if (rc < 0 && err) {
        (void)cleat_err_set(&last, rc, "%s isn't ready", runnable->name); /* unless it said more */
        *err = last;
    }
    return rc;
}

int cleat__runnables_wait_ready(struct runnables *runnables, enum cleat_group group,
                                int64_t timeout_ms, bool (*stopping)(void *arg), void *arg,
                                struct cleat_err *err)
{
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + timeout_ms;
    int rc = 0;
    cleat_lock_take(runnables->lock);
    struct runnable_entry *entry = runnables->groups[group].first;
    cleat_lock_release(runnables->lock);
    while (rc == 0 && entry) {
        cleat_lock_take(runnables->lock);
        bool running = entry->state == RUNNABLE_RUNNING;
        cleat_lock_release(runnables->lock);
        if (running && entry->runnable.wait_ready)
            rc = entry_wait_ready(entry, until_ms, stopping, arg, err);
        cleat_lock_take(runnables->lock);
        entry = entry->next;
        cleat_lock_release(runnables->lock);
    }
    return rc;
}

static bool group_starting(const struct runnables *runnables, int group)
{
    for (const struct runnable_entry *entry = runnables->groups[group].first; entry;
         entry = entry->next)
        if (entry->state == RUNNABLE_STARTING)
            return true;
    return false;
}

/* True while something of @group (CLEAT_GROUP_COUNT: of any) is being started. */
static bool runnables_starting(const struct runnables *runnables, enum cleat_group group)
{
    bool starting = false;
    for (int at = 0; at < CLEAT_GROUP_COUNT && !starting; at++)
        starting =
            (group == CLEAT_GROUP_COUNT || at == (int)group) && group_starting(runnables, at);
    return starting;
}

/* Waits for starts that are under way, until @until_mono_ms (< 0: without a limit). Under the lock.
 */
static void runnables_wait_starts(struct runnables *runnables, enum cleat_group group,
                                  int64_t until_mono_ms)
{
    const struct cleat_clock *system = cleat_clock_system();
    int64_t left_ms = -1;
    while (runnables_starting(runnables, group)) {
        if (until_mono_ms >= 0)
            left_ms = until_mono_ms - cleat_clock_mono_ms(system);
        if (until_mono_ms >= 0 && left_ms <= 0)
            break;
        (void)cleat_cond_wait_ms(runnables->cond, runnables->lock, left_ms); /* looks again */
    }
}

static void group_drain(struct runnables *runnables, enum cleat_group group)
{
    cleat_lock_take(runnables->lock);
    struct runnable_entry *entry = runnables->groups[group].first;
    while (entry) {
        bool running = entry->state == RUNNABLE_RUNNING;
        cleat_lock_release(runnables->lock);
        if (running && entry->runnable.drain)
            entry->runnable.drain(entry->runnable.arg);
        cleat_lock_take(runnables->lock);
        entry = entry->next;
    }
    cleat_lock_release(runnables->lock);
}

void cleat__runnables_drain(struct runnables *runnables)
{
    for (int group = 0; group < CLEAT_GROUP_COUNT; group++)
        group_drain(runnables, (enum cleat_group)group);
}

void cleat__runnables_close(struct runnables *runnables, int64_t until_mono_ms)
{
    cleat_lock_take(runnables->lock);
    runnables->closed = true;
    for (int group = 0; group < CLEAT_GROUP_COUNT; group++) {
        runnables->groups[group].running = false;
        runnables->groups[group].closed = true;
    }
    runnables_wait_starts(runnables, CLEAT_GROUP_COUNT, until_mono_ms);
    cleat_lock_release(runnables->lock);
}

void cleat__runnables_suspend(struct runnables *runnables, enum cleat_group group,
                              int64_t until_mono_ms)
{
    cleat_lock_take(runnables->lock);
    runnables->groups[group].running = false;
    runnables_wait_starts(runnables, group, until_mono_ms);
    cleat_lock_release(runnables->lock);
}

void cleat__runnables_renew(struct runnables *runnables, enum cleat_group group)
{
    cleat_lock_take(runnables->lock);
    for (struct runnable_entry *entry = runnables->groups[group].first; entry; entry = entry->next)
        if (entry->state == RUNNABLE_ENDED)
            entry->state = RUNNABLE_ADDED;
    cleat_lock_release(runnables->lock);
}

/* The last entry of a group, or the one before @entry, with its state. */
static struct runnable_entry *entry_before(struct runnables *runnables, enum cleat_group group,
                                           struct runnable_entry *entry,
                                           enum runnable_state *ret_state)
{
    cleat_lock_take(runnables->lock);
    entry = entry ? entry->prev : runnables->groups[group].last;
    if (entry)
        *ret_state = entry->state;
    cleat_lock_release(runnables->lock);
    return entry;
}

void cleat__runnables_stop(struct runnables *runnables, enum cleat_group group)
{
    struct runnable_entry *entry = NULL;
    enum runnable_state state = RUNNABLE_ADDED;
    while ((entry = entry_before(runnables, group, entry, &state))) {
        if (state == RUNNABLE_RUNNING) {
            entry_set(runnables, entry, RUNNABLE_STOPPING);
            if (entry->runnable.stop)
                entry->runnable.stop(entry->runnable.arg);
        }
    }
}

static int entry_join(const struct runnable_entry *entry, int64_t until_mono_ms)
{
    const struct cleat_runnable *runnable = &entry->runnable;
    int64_t left_ms = -1;
    if (!runnable->join)
        return 0;
    if (until_mono_ms >= 0) {
        left_ms = until_mono_ms - cleat_clock_mono_ms(cleat_clock_system());
        left_ms = left_ms > 0 ? left_ms : 0;
    }
    return runnable->join(runnable->arg, left_ms);
}

size_t cleat__runnables_join(struct runnables *runnables, enum cleat_group group,
                             int64_t until_mono_ms)
{
    struct runnable_entry *entry = NULL;
    enum runnable_state state = RUNNABLE_ADDED;
    size_t left = 0;
    while ((entry = entry_before(runnables, group, entry, &state))) {
        if (state != RUNNABLE_STOPPING)
            continue;
        if (entry_join(entry, until_mono_ms) == 0)
            entry_set(runnables, entry, RUNNABLE_ENDED);
        else
            left++;
    }
    return left;
}

size_t cleat__runnables_report(struct runnables *runnables, enum cleat_group group,
                               struct cleat_err *err)
{
    struct runnable_entry *entry = NULL;
    enum runnable_state state = RUNNABLE_ADDED;
    size_t left = 0;
    while ((entry = entry_before(runnables, group, entry, &state))) {
        if (state != RUNNABLE_STOPPING && state != RUNNABLE_STARTING)
            continue;
        left++;
        cleat_error(runnables->log, "runnable hasn't ended in the grace time",
                    cleat_log_text("runnable", entry->runnable.name),
                    cleat_log_text("group", cleat__group_name(group)));
        if (err && err->code != 0) {
            cleat_err_prefix(err, "%s", entry->runnable.name);
        } else {
            (void)cleat_err_set(err, -ETIMEDOUT, "%s: not ended in the grace time",
                                entry->runnable.name);
        }
    }
    return left;
}

void cleat__runnables_fini(struct runnables *runnables)
{
    for (int group = 0; group < CLEAT_GROUP_COUNT; group++) {
        struct runnable_entry *entry = runnables->groups[group].first;
        while (entry) {
            struct runnable_entry *next = entry->next;
            cleat_mem_free((void *)entry->runnable.name);
            cleat_mem_free(entry);
            entry = next;
        }
        runnables->groups[group] = (struct runnable_group){0};
    }
}
