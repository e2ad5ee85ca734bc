/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager: its parts, its run from the first group to the last, and its end. One thread (run's
 * caller) starts and stops groups; others only set flags under the lock and wake it.
 *
 *   start: http ─► webhooks ─► caches ─► others ─► warmup ─► (elected: at once, or when won)
 *   stop:  not ready ─► drain ─► others, warmup ─► elected ─► caches ─► webhooks ─► http ─► lease
 * ─► events, jobs
 */
#include "controller/manager.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "controller/controller.h"
#include "controller/election.h"
#include "controller/recorder.h"

#define GRACE_MS 30000
#define SYNC_TIMEOUT_MS 120000
#define JOBS_THREADS 2
#define TICK_MS 500
#define FLUSH_MS 1000

/* ---- parts ---- */

/* The fence of elected work: no write leaves the process once the deadline has passed. */
static int manager_fence(void *arg, bool write, struct cleat_err *err)
{
    struct cleat_manager *manager = arg;
    if (!write || !manager->election || cleat_election_leading(manager->election))
        return 0;
    return cleat_err_set(err, -ECANCELED, "not leading: the write isn't sent");
}

static void manager_won(void *arg)
{
    struct cleat_manager *manager = arg;
    cleat_lock_take(&manager->lock);
    manager->elected = true;
    cleat_cond_broadcast(&manager->cond);
    cleat_lock_release(&manager->lock);
}

static void manager_lost(void *arg)
{
    struct cleat_manager *manager = arg;
    cleat_lock_take(&manager->lock);
    manager->lost = true;
    cleat_cond_broadcast(&manager->cond);
    cleat_lock_release(&manager->lock);
}

static int manager_elect(struct cleat_manager *manager, const struct cleat_manager_options *options,
                         struct cleat_err *err)
{
    struct cleat_election_options election = options->election;
    if (!options->elect)
        return 0;
    election.client = election.client ? election.client : manager->client;
    election.clock = manager->clock;
    election.log = manager->log;
    election.metrics = manager->metrics;
    election.recorder = manager->recorder;
    election.on_started = manager_won;
    election.on_stopped = manager_lost;
    election.arg = manager;
    return cleat_election_new(&election, &manager->election, err);
}

static int cache_start(void *arg, struct cleat_err *err)
{
    return cleat_cache_start(arg, err);
}

static int cache_wait(void *arg, int64_t timeout_ms, struct cleat_err *err)
{
    return cleat_cache_wait_synced(arg, timeout_ms, err);
}

static void cache_stop(void *arg)
{
    cleat_cache_stop(arg);
}

static int cache_join(void *arg, int64_t timeout_ms)
{
    cleat_cache_join(arg); /* its threads run our own code and bounded callbacks */
    return 0;
}

static int manager_cluster(struct cleat_manager *manager,
                           const struct cleat_manager_options *options, struct cleat_err *err)
{
    struct cleat_cache_options cache = options->cache;
    if (!options->client)
        return 0;
    manager->client = cleat_client_ref(options->client);
    cache.name = options->cluster ? options->cluster : "local";
    cache.client = manager->client;
    cache.clock = manager->clock;
    cache.log = manager->log;
    cache.metrics = manager->metrics;
    int rc = cleat_client_fenced(manager->client, manager_fence, manager, &manager->fenced);
    if (rc == 0)
        rc = cleat_discovery_new(manager->client, manager->clock, &manager->discovery);
    if (rc == 0)
        rc = cleat_cache_new(&cache, &manager->cache, err);
    if (rc == 0) {
        rc = cleat_recorder_new(manager->client, manager->jobs, manager->clock, manager->log,
                                options->name ? options->name : "cleat", &manager->recorder, err);
    }
    if (rc == 0) {
        const struct cleat_runnable runnable = {
            .name = "cache",
            .group = CLEAT_GROUP_CACHES,
            .start = cache_start,
            .wait_ready = cache_wait,
            .stop = cache_stop,
            .join = cache_join,
            .arg = manager->cache,
        };
        rc = cleat_manager_add(manager, &runnable, err);
    }
    return rc;
}

static int manager_set_up(struct cleat_manager *manager,
                          const struct cleat_manager_options *options, struct cleat_err *err)
{
    int rc = 0;
    manager->clock = options->clock ? options->clock : cleat_clock_system();
    manager->log = options->log;
    manager->grace_ms = options->grace_ms ? options->grace_ms : GRACE_MS;
    manager->drain_ms = options->drain_ms > 0 ? options->drain_ms : 0;
    manager->sync_timeout_ms =
        options->sync_timeout_ms > 0 ? options->sync_timeout_ms : SYNC_TIMEOUT_MS;
    manager->metrics = options->metrics;
    if (!manager->metrics) {
        rc = cleat_metrics_new(&manager->own_metrics);
        manager->metrics = manager->own_metrics;
    }
    if (rc == 0) {
        rc = cleat_jobs_new(options->jobs > 0 ? options->jobs : JOBS_THREADS, 0, &manager->jobs,
                            err);
    }
    if (rc == 0)
        rc = manager_cluster(manager, options, err);
    if (rc == 0)
        rc = manager_elect(manager, options, err);
    if (rc == 0)
        rc = cleat__manager_health_init(manager);
    return rc < 0 ? cleat_err_set(err, rc, "the manager can't be made") : 0;
}

int cleat_manager_new(const struct cleat_manager_options *options, struct cleat_manager **ret,
                      struct cleat_err *err)
{
    struct cleat_manager *manager = cleat_mem_zalloc(1, sizeof(*manager));
    if (!manager)
        return cleat_err_set(err, -ENOMEM, "the manager can't be made: out of memory");
    manager->magic = CLEAT__MANAGER_MAGIC;
    manager->signal_fd = -1;
    manager->quit_fd = -1;
    cleat_lock_init(&manager->lock, CLEAT_LOCK_MANAGER);
    cleat_cond_init(&manager->cond);
    manager->runnables.lock = &manager->lock;
    manager->runnables.cond = &manager->cond;
    manager->runnables.log = options->log;
    int rc = manager_set_up(manager, options, err);
    if (rc < 0) {
        cleat_manager_free(manager);
        return rc;
    }
    *ret = manager;
    return 0;
}

static void manager_free_lists(struct cleat_manager *manager)
{
    while (manager->controllers) {
        struct manager_controller *at = manager->controllers;
        manager->controllers = at->next;
        cleat__controller_free(at->controller);
        cleat_mem_free(at);
    }
    while (manager->feeds) {
        struct manager_feed *at = manager->feeds;
        manager->feeds = at->next;
        cleat_mem_free(at);
    }
}

struct cleat_manager *cleat_manager_free(struct cleat_manager *manager)
{
    if (!manager)
        return NULL;
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC && !manager->timer.running);
    cleat__manager_signals_fini(manager);
    if (manager->leaked)
        return NULL; /* what still runs may still read all this */
    manager->healthz = cleat_health_free(manager->healthz);
    manager->readyz = cleat_health_free(manager->readyz);
    manager_free_lists(manager);
    cleat_election_free(manager->election);
    cleat_recorder_free(manager->recorder);
    cleat_jobs_free(manager->jobs);
    cleat_cache_free(manager->cache);
    cleat_discovery_free(manager->discovery);
    cleat_client_unref(manager->fenced);
    cleat_client_unref(manager->client);
    cleat_metrics_free(manager->own_metrics);
    cleat__runnables_fini(&manager->runnables);
    cleat_cond_fini(&manager->cond);
    cleat_lock_fini(&manager->lock);
    manager->magic = 0;
    return cleat_mem_free(manager);
}

int cleat_manager_add(struct cleat_manager *manager, const struct cleat_runnable *runnable,
                      struct cleat_err *err)
{
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC);
    return cleat__runnables_add(&manager->runnables, runnable, err);
}

int cleat_manager_base_feed(struct cleat_manager *manager, struct cleat_feed *feed)
{
    struct manager_feed *entry = cleat_mem_zalloc(1, sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    entry->feed = feed;
    cleat_lock_take(&manager->lock);
    entry->next = manager->feeds;
    manager->feeds = entry;
    cleat_lock_release(&manager->lock);
    return 0;
}

/* ---- controllers ---- */

static int controller_start(void *arg, struct cleat_err *err)
{
    return cleat__controller_start(arg, err);
}

static int controller_warm(void *arg, struct cleat_err *err)
{
    return cleat__controller_start_watches(arg, err);
}

static int controller_wait(void *arg, int64_t timeout_ms, struct cleat_err *err)
{
    return cleat__controller_wait_ready(arg, timeout_ms, err);
}

static void controller_stop(void *arg)
{
    cleat__controller_stop(arg);
}

static int controller_join(void *arg, int64_t timeout_ms)
{
    return cleat__controller_join(arg, timeout_ms);
}

static void controller_failed(void *arg, const struct cleat_err *err)
{
    cleat_manager_fail(arg, err);
}

static int manager_register(struct cleat_manager *manager, struct cleat_controller *controller,
                            struct cleat_err *err)
{
    struct manager_controller *entry = cleat_mem_zalloc(1, sizeof(*entry));
    int rc = 0;
    if (!entry)
        return cleat_err_set(err, -ENOMEM, "controller %s: out of memory", controller->name);
    entry->controller = controller;
    cleat_lock_take(&manager->lock);
    for (struct manager_controller *at = manager->controllers; at && rc == 0; at = at->next)
        rc = strcmp(at->controller->name, controller->name) == 0 ? -EEXIST : 0;
    if (rc == 0) {
        entry->next = manager->controllers;
        manager->controllers = entry;
    }
    cleat_lock_release(&manager->lock);
    if (rc < 0) {
        cleat_mem_free(entry);
        return cleat_err_set(err, rc, "controller %s exists already", controller->name);
    }
    return 0;
}

static int manager_run_controller(struct cleat_manager *manager,
                                  struct cleat_controller *controller, struct cleat_err *err)
{
    struct cleat_runnable runnable = {
        .name = controller->name,
        .group = controller->elected ? CLEAT_GROUP_ELECTED : CLEAT_GROUP_OTHERS,
        .start = controller_start,
        .wait_ready = controller_wait,
        .stop = controller_stop,
        .join = controller_join,
        .arg = controller,
    };
    const struct cleat_runnable warmup = {
        .name = controller->name,
        .group = CLEAT_GROUP_WARMUP,
        .start = controller_warm,
        .arg = controller,
    };
    int rc =
        controller->elected && controller->warmup ? cleat_manager_add(manager, &warmup, err) : 0;
    return rc < 0 ? rc : cleat_manager_add(manager, &runnable, err);
}

int cleat_controller_new(struct cleat_manager *manager,
                         const struct cleat_controller_options *options,
                         struct cleat_controller **ret, struct cleat_err *err)
{
    struct cleat_controller *controller = NULL;
    const struct controller_parts parts = {
        .clock = manager->clock,
        .log = manager->log,
        .metrics = manager->metrics,
        .client = options->not_elected ? manager->client : manager->fenced,
        .cache = manager->cache,
        .fail = controller_failed,
        .fail_arg = manager,
    };
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC);
    int rc = cleat__controller_make(&parts, options, &controller, err);
    if (rc < 0)
        return rc;
    rc = manager_register(manager, controller, err);
    if (rc < 0) {
        cleat__controller_free(controller);
        return rc;
    }
    /* From here on the manager owns it, also where it can't be added any more. */
    rc = manager_run_controller(manager, controller, err);
    if (rc == 0)
        *ret = controller;
    return rc;
}

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

static void timer_stop(struct cleat_manager *manager)
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

/* Waits for the end, and starts the elected group once the election is won. */
static int manager_watch(struct cleat_manager *manager, struct cleat_err *err)
{
    int rc = 0;
    cleat_lock_take(&manager->lock);
    while (rc == 0 && !manager->stopping && !manager->lost && manager->err.code == 0) {
        if (manager->elected && !manager->elected_runs) {
            cleat_lock_release(&manager->lock);
            rc = manager_start_elected(manager, err);
            cleat_lock_take(&manager->lock);
            continue;
        }
        cleat_cond_wait(&manager->cond, &manager->lock);
    }
    if (rc == 0 && manager->lost && !manager->stopping && manager->err.code == 0)
        rc = cleat_err_set(err, -ECANCELED, "leader election lost");
    cleat_lock_release(&manager->lock);
    return rc;
}

/* ---- stopping ---- */

static void manager_drain(struct cleat_manager *manager)
{
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + manager->drain_ms;
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
        left_ms = until_ms - cleat_clock_mono_ms(cleat_clock_system());
    }
    cleat_lock_release(&manager->lock);
}

/* Where elected work still runs the lease isn't given back: it runs out instead. */
static void manager_end_election(struct cleat_manager *manager, bool release)
{
    if (!manager->election)
        return;
    if (release)
        cleat_election_stop(manager->election);
    else
        cleat__election_abandon(manager->election);
    cleat_election_join(manager->election);
}

/* Stops all groups; how many runnables still run. */
static size_t manager_stop_groups(struct cleat_manager *manager, int64_t until_ms,
                                  struct cleat_err *err)
{
    static const enum cleat_group order[] = {CLEAT_GROUP_OTHERS, CLEAT_GROUP_ELECTED,
                                             CLEAT_GROUP_CACHES, CLEAT_GROUP_WEBHOOKS,
                                             CLEAT_GROUP_HTTP};
    size_t left = 0;
    bool release = true;
    cleat__runnables_close(&manager->runnables);
    cleat__runnables_stop(&manager->runnables, CLEAT_GROUP_WARMUP);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        cleat__runnables_stop(&manager->runnables, order[i]);
        size_t running = cleat__runnables_join(&manager->runnables, order[i], until_ms, err);
        release = release && !(order[i] == CLEAT_GROUP_ELECTED && running > 0);
        left += running;
    }
    left += cleat__runnables_join(&manager->runnables, CLEAT_GROUP_WARMUP, until_ms, err);
    manager_end_election(manager, release);
    return left;
}

static int manager_end(struct cleat_manager *manager, struct cleat_err *err)
{
    const struct cleat_clock *system = cleat_clock_system();
    manager_drain(manager);
    int64_t until_ms = manager->grace_ms < 0 ? -1 : cleat_clock_mono_ms(system) + manager->grace_ms;
    size_t left = manager_stop_groups(manager, until_ms, err);
    if (manager->recorder)
        cleat__recorder_flush(manager->recorder, FLUSH_MS);
    cleat_jobs_stop(manager->jobs);
    int64_t left_ms = until_ms < 0 ? -1 : until_ms - cleat_clock_mono_ms(system);
    if (cleat_jobs_join(manager->jobs, until_ms >= 0 && left_ms < 0 ? 0 : left_ms) < 0) {
        (void)cleat_err_set(err, -ETIMEDOUT, "jobs: not ended in the grace time");
        cleat_error(manager->log, "jobs haven't ended in the grace time");
        left++;
    }
    timer_stop(manager);
    manager->leaked = left > 0;
    return left > 0 ? -ETIMEDOUT : 0;
}

/* The first failure is what run returns; that something didn't end comes only after it. */
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
    bool lost = manager->lost && !manager->stopping;
    cleat_lock_release(&manager->lock);
    if (first.code == 0 && lost)
        (void)cleat_err_set(&first, -ECANCELED, "leader election lost");
    int end = manager_end(manager, &late);
    const struct cleat_err *told = first.code != 0 ? &first : &late;
    if (told->code != 0) {
        cleat_error(manager->log, "manager ended with an error", cleat_log_err(told));
        if (err && err->code == 0)
            *err = *told;
    }
    return first.code != 0 ? first.code : end;
}

void cleat_manager_stop(struct cleat_manager *manager)
{
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC);
    cleat_lock_take(&manager->lock);
    manager->stopping = true;
    cleat_cond_broadcast(&manager->cond);
    cleat_lock_release(&manager->lock);
}

void cleat_manager_fail(struct cleat_manager *manager, const struct cleat_err *err)
{
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC && err->code < 0);
    cleat_lock_take(&manager->lock);
    bool late = manager->stopping;
    if (!late && manager->err.code == 0)
        manager->err = *err;
    cleat_cond_broadcast(&manager->cond);
    cleat_lock_release(&manager->lock);
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

struct cleat_client *cleat_manager_client(struct cleat_manager *manager)
{
    return manager->client;
}

struct cleat_client *cleat_manager_fenced_client(struct cleat_manager *manager)
{
    return manager->fenced;
}

struct cleat_cache *cleat_manager_cache(struct cleat_manager *manager)
{
    return manager->cache;
}

struct cleat_discovery *cleat_manager_discovery(struct cleat_manager *manager)
{
    return manager->discovery;
}

struct cleat_metrics *cleat_manager_metrics(struct cleat_manager *manager)
{
    return manager->metrics;
}

struct cleat_log *cleat_manager_log(struct cleat_manager *manager)
{
    return manager->log;
}

const struct cleat_clock *cleat_manager_clock(struct cleat_manager *manager)
{
    return manager->clock;
}

struct cleat_jobs *cleat_manager_jobs(struct cleat_manager *manager)
{
    return manager->jobs;
}

struct cleat_recorder *cleat_manager_recorder(struct cleat_manager *manager)
{
    return manager->recorder;
}

struct cleat_health *cleat_manager_healthz(struct cleat_manager *manager)
{
    return manager->healthz;
}

struct cleat_health *cleat_manager_readyz(struct cleat_manager *manager)
{
    return manager->readyz;
}

bool cleat_manager_leading(const struct cleat_manager *manager)
{
    return !manager->election || cleat_election_leading(manager->election);
}
