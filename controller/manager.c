/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's parts: how they are made, handed out and freed. manager_run.c starts and supervises
 * them, manager_stop.c ends them.
 */
#include "controller/manager.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "controller/cache.h"
#include "controller/controller.h"
#include "controller/election.h"
#include "controller/recorder.h"

#define GRACE_MS 10000
#define SYNC_TIMEOUT_MS 120000
#define JOBS_THREADS 2

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

/* Writes that are under way are cut: they could come late, and work is to end at once. */
static void manager_lost(void *arg)
{
    struct cleat_manager *manager = arg;
    if (manager->fenced)
        cleat_client_abort(manager->fenced, true);
    cleat_lock_take(&manager->lock);
    manager->lost = true;
    cleat_cond_broadcast(&manager->cond);
    cleat_lock_release(&manager->lock);
}

static void manager_new_leader(void *arg, const char *holder)
{
    struct cleat_manager *manager = arg;
    if (manager->on_new_leader)
        manager->on_new_leader(manager->on_new_leader_arg, holder);
}

/* A lock of the user's that no election took. */
static void manager_drop_lock(const struct cleat_manager_options *options)
{
    const struct cleat_election_lock *lock = &options->election.lock;
    if (lock->ops && lock->ops->free)
        lock->ops->free(lock->arg);
}

/* The client of the election has its own switch: it gives the lease back while others give up. */
static int manager_elect(struct cleat_manager *manager, const struct cleat_manager_options *options,
                         struct cleat_err *err)
{
    struct cleat_election_options election = options->election;
    struct cleat_client *client = election.client ? election.client : manager->client;
    int rc = client ? cleat_client_fenced(client, NULL, NULL, &manager->elector) : 0;
    if (rc < 0) {
        manager_drop_lock(options);
        return rc;
    }
    election.client = manager->elector;
    election.clock = manager->clock;
    election.log = manager->log;
    election.metrics = manager->metrics;
    election.recorder = manager->recorder;
    election.on_started = manager_won;
    election.on_stopped = manager_lost;
    election.on_new_leader = manager_new_leader;
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
    return cleat__cache_join_ms(arg, timeout_ms);
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
        const struct cleat_recorder_options recorder = {.client = manager->client,
                                                        .clock = manager->clock,
                                                        .log = manager->log,
                                                        .metrics = manager->metrics,
                                                        .controller = options->name};
        rc = cleat_recorder_new(&recorder, &manager->recorder, err);
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
    manager->stand_again = options->stand_again;
    manager->on_new_leader = options->election.on_new_leader;
    manager->on_new_leader_arg = options->election.arg;
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
    if (rc == 0 && options->elect)
        rc = manager_elect(manager, options, err);
    else
        manager_drop_lock(options);
    if (rc == 0)
        rc = cleat__manager_health_init(manager);
    return rc < 0 ? cleat_err_set(err, rc, "the manager can't be made") : 0;
}

int cleat_manager_new(const struct cleat_manager_options *options, struct cleat_manager **ret,
                      struct cleat_err *err)
{
    int64_t grace_ms = options->grace_ms ? options->grace_ms : GRACE_MS;
    struct cleat_manager *manager = NULL;
    int rc = 0;
    if (grace_ms > 0 && options->drain_ms >= grace_ms) {
        rc = cleat_err_set(err, -EINVAL,
                           "the manager can't be made: draining for %lld ms leaves nothing of a "
                           "grace time of %lld ms",
                           (long long)options->drain_ms, (long long)grace_ms);
    } else {
        manager = cleat_mem_zalloc(1, sizeof(*manager));
        rc = manager ? 0 : cleat_err_set(err, -ENOMEM, "the manager can't be made: out of memory");
    }
    if (rc < 0) {
        manager_drop_lock(options);
        return rc;
    }
    manager->magic = CLEAT__MANAGER_MAGIC;
    manager->signal_fd = -1;
    manager->quit_fd = -1;
    cleat_lock_init(&manager->lock, CLEAT_LOCK_MANAGER);
    cleat_cond_init(&manager->cond);
    manager->runnables.lock = &manager->lock;
    manager->runnables.cond = &manager->cond;
    manager->runnables.log = options->log;
    rc = manager_set_up(manager, options, err);
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
    cleat_client_unref(manager->elector);
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

static void controller_pause(void *arg)
{
    cleat__controller_pause(arg);
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
        .stop = controller->elected && manager->stand_again ? controller_pause : controller_stop,
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
