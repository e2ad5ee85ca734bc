/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/controller.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "controller/manager.h"
#include "controller/queue.h"

#define WORKERS_MAX 1024
#define SYNC_TIMEOUT_MS 120000
#define REPORT_INTERVAL_MS 10000

bool cleat_context_stopping(const struct cleat_context *context)
{
    const _Atomic(bool) *stopping = context->stop;
    return stopping && atomic_load(stopping);
}

static int options_check(const struct cleat_controller_options *options, struct cleat_err *err)
{
    if (!options->name || !options->name[0])
        return cleat_err_set(err, -EINVAL, "a controller needs a name");
    if (!options->reconcile == !options->reconcile_batch) {
        return cleat_err_set(err, -EINVAL,
                             "controller %s: either reconcile or reconcile_batch is needed",
                             options->name);
    }
    if (options->workers > WORKERS_MAX) {
        return cleat_err_set(err, -EINVAL, "controller %s: %u workers, at most %d are possible",
                             options->name, options->workers, WORKERS_MAX);
    }
    return 0;
}

static size_t batch_size(const struct cleat_controller_options *options)
{
    if (!options->reconcile_batch)
        return 1;
    size_t max = options->batch_max > 0 ? options->batch_max : CLEAT__RECONCILE_BATCH;
    return max < CLEAT__RECONCILE_BATCH_MAX ? max : CLEAT__RECONCILE_BATCH_MAX;
}

static int controller_workers(struct cleat_controller *controller)
{
    controller->workers = cleat_mem_zalloc(controller->worker_count, sizeof(struct worker));
    if (!controller->workers)
        return -ENOMEM;
    for (unsigned i = 0; i < controller->worker_count; i++) {
        controller->workers[i].controller = controller;
        controller->workers[i].index = i;
        cleat_lock_init(&controller->workers[i].lock, CLEAT_LOCK_CONTROLLER);
    }
    return 0;
}

static int controller_set_up(struct cleat_controller *controller,
                             const struct cleat_controller_options *options, struct cleat_err *err)
{
    struct cleat_queue_options queue = options->queue;
    controller->name = cleat_mem_strdup(options->name);
    if (!controller->name || controller_workers(controller) < 0)
        return cleat_err_set(err, -ENOMEM, "controller %s: out of memory", options->name);
    cleat_reporter_init(&controller->drop_reporter, controller->parts.clock, REPORT_INTERVAL_MS);
    queue.name = options->name;
    queue.clock = controller->parts.clock;
    queue.metrics = controller->parts.metrics;
    int rc = cleat_queue_new(&queue, &controller->queue, err);
    return rc < 0 ? rc : cleat__controller_metrics_init(controller, err);
}

int cleat__controller_make(const struct controller_parts *parts,
                           const struct cleat_controller_options *options,
                           struct cleat_controller **ret, struct cleat_err *err)
{
    int rc = options_check(options, err);
    if (rc < 0)
        return rc;
    struct cleat_controller *controller = cleat_mem_zalloc(1, sizeof(*controller));
    if (!controller)
        return cleat_err_set(err, -ENOMEM, "controller %s: out of memory", options->name);
    *controller = (struct cleat_controller){
        .magic = CLEAT__CONTROLLER_MAGIC,
        .parts = *parts,
        .reconcile = options->reconcile,
        .reconcile_batch = options->reconcile_batch,
        .arg = options->arg,
        .predicate = options->predicate,
        .batch_max = batch_size(options),
        .worker_count = options->workers > 0 ? options->workers : 1,
        .timeout_ms = options->timeout_ms,
        .sync_timeout_ms =
            options->sync_timeout_ms > 0 ? options->sync_timeout_ms : SYNC_TIMEOUT_MS,
        .elected = !options->not_elected,
        .warmup = options->warmup,
    };
    cleat_lock_init(&controller->lock, CLEAT_LOCK_CONTROLLER);
    cleat_cond_init(&controller->cond);
    rc = controller_set_up(controller, options, err);
    if (rc < 0) {
        cleat__controller_free(controller);
        return rc;
    }
    *ret = controller;
    return 0;
}

struct cleat_controller *cleat__controller_free(struct cleat_controller *controller)
{
    if (!controller)
        return NULL;
    cleat_assert(controller->magic == CLEAT__CONTROLLER_MAGIC);
    while (controller->watches)
        cleat_watch_remove(controller->watches);
    for (unsigned i = 0; controller->workers && i < controller->worker_count; i++) {
        cleat_assert(!controller->workers[i].thread.running);
        cleat_lock_fini(&controller->workers[i].lock);
    }
    cleat_queue_free(controller->queue);
    cleat_mem_free(controller->workers);
    cleat_cond_fini(&controller->cond);
    cleat_lock_fini(&controller->lock);
    cleat_mem_free(controller->name);
    controller->magic = 0;
    return cleat_mem_free(controller);
}

/* The handler of a watch that has one, taken from it; NULL: none is left. */
static struct cleat_handler *controller_take_handler(struct cleat_controller *controller)
{
    struct cleat_handler *handler = NULL;
    cleat_lock_take(&controller->lock);
    for (struct cleat_watch *watch = controller->watches; watch && !handler; watch = watch->next) {
        handler = watch->handler;
        watch->handler = NULL;
    }
    cleat_lock_release(&controller->lock);
    return handler;
}

/* Back to where it was made: handlers that are attached again bring everything anew. */
static void controller_rewind(struct cleat_controller *controller)
{
    struct cleat_handler *handler = NULL;
    while ((handler = controller_take_handler(controller)))
        cleat_handler_remove(handler); /* its store is the cache's, and stays */
    cleat__queue_reopen(controller->queue);
    atomic_store(&controller->stopping, false);
    cleat_lock_take(&controller->lock);
    controller->state = CONTROLLER_MADE;
    controller->synced = false;
    controller->sync_result = 0;
    cleat_lock_release(&controller->lock);
}

int cleat__controller_start(struct cleat_controller *controller, struct cleat_err *err)
{
    cleat_lock_take(&controller->lock);
    bool paused = controller->state == CONTROLLER_PAUSED;
    cleat_lock_release(&controller->lock);
    if (paused)
        controller_rewind(controller);
    int rc = cleat__controller_start_watches(controller, err);
    if (rc < 0)
        return rc;
    cleat_lock_take(&controller->lock);
    if (controller->state != CONTROLLER_WATCHING) {
        rc = cleat_err_set(err, controller->state == CONTROLLER_STOPPED ? -ESHUTDOWN : -EALREADY,
                           "controller %s can't be started again", controller->name);
    } else {
        controller->state = CONTROLLER_STARTED;
    }
    cleat_lock_release(&controller->lock);
    return rc < 0 ? rc : cleat__workers_start(controller, err);
}

int cleat__controller_wait_ready(struct cleat_controller *controller, int64_t timeout_ms,
                                 struct cleat_err *err)
{
    int64_t until_ms = cleat_clock_mono_ms(controller->parts.clock) + timeout_ms;
    int64_t left_ms = timeout_ms;
    cleat_lock_take(&controller->lock);
    while (!controller->synced && controller->sync_result == 0 && left_ms > 0) {
        (void)cleat_cond_wait_ms(&controller->cond, &controller->lock, left_ms); /* looks again */
        left_ms = until_ms - cleat_clock_mono_ms(controller->parts.clock);
    }
    int rc = controller->synced ? 0 : controller->sync_result;
    bool pending = !controller->synced && rc == 0;
    cleat_lock_release(&controller->lock);
    if (pending)
        rc = -ETIMEDOUT;
    return rc < 0 ? cleat_err_set(err, rc, "controller %s isn't synced", controller->name) : 0;
}

static void controller_end(struct cleat_controller *controller, enum controller_state state)
{
    cleat_assert(controller->magic == CLEAT__CONTROLLER_MAGIC);
    atomic_store(&controller->stopping, true);
    cleat_queue_stop(controller->queue, false);
    cleat_lock_take(&controller->lock);
    controller->state = state;
    cleat_cond_broadcast(&controller->cond);
    cleat_lock_release(&controller->lock);
}

void cleat__controller_stop(struct cleat_controller *controller)
{
    controller_end(controller, CONTROLLER_STOPPED);
}

void cleat__controller_pause(struct cleat_controller *controller)
{
    controller_end(controller, CONTROLLER_PAUSED);
}

/* Names what a worker is at; true where it's at something. */
static bool worker_report(struct worker *worker, const char *message, int64_t now_ms)
{
    struct cleat_controller *controller = worker->controller;
    cleat_lock_take(&worker->lock);
    bool running = worker->run.requests != NULL;
    if (running) {
        cleat_warn(controller->parts.log, message, cleat_log_text("controller", controller->name),
                   cleat_log_text("namespace", worker->run.requests[0].namespace_),
                   cleat_log_text("name", worker->run.requests[0].name),
                   cleat_log_text("reconcile_id", worker->run.reconcile_id),
                   cleat_log_int("keys", (int64_t)worker->run.count),
                   cleat_log_int("running_ms", now_ms - worker->run.started_mono_ms));
    }
    cleat_lock_release(&worker->lock);
    return running;
}

int cleat__controller_join(struct cleat_controller *controller, int64_t timeout_ms)
{
    /* Threads are waited for on the real clock, like every wait. */
    const struct cleat_clock *system = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(system) + timeout_ms;
    int rc = 0;
    for (unsigned i = 0; i < controller->worker_count; i++) {
        struct worker *worker = &controller->workers[i];
        if (timeout_ms < 0) {
            cleat_thread_join(&worker->thread);
        } else if (cleat_thread_join_ms(&worker->thread, until_ms - cleat_clock_mono_ms(system)) !=
                   0) {
            (void)worker_report(worker, "reconcile hasn't ended in the grace time",
                                cleat_clock_mono_ms(controller->parts.clock)); /* rc tells */
            rc = -ETIMEDOUT;
        }
    }
    return rc;
}

/* True where the run has just been found beyond its deadline. */
static bool worker_overstays(struct worker *worker, int64_t now_ms)
{
    cleat_lock_take(&worker->lock);
    bool found = worker->run.requests && !worker->run.reported &&
                 now_ms - worker->run.started_mono_ms > worker->controller->timeout_ms;
    if (found) {
        worker->run.reported = true;
        cleat_series_add(worker->controller->metrics.overstaying, 1);
    }
    cleat_lock_release(&worker->lock);
    return found;
}

void cleat__controller_tick(struct cleat_controller *controller)
{
    int64_t now_ms = cleat_clock_mono_ms(controller->parts.clock);
    cleat_queue_publish(controller->queue);
    for (unsigned i = 0; controller->timeout_ms > 0 && i < controller->worker_count; i++) {
        if (worker_overstays(&controller->workers[i], now_ms)) {
            (void)worker_report(&controller->workers[i], "reconcile overstays its deadline",
                                now_ms); /* it may have ended just now */
        }
    }
}

int cleat__controller_check(struct cleat_controller *controller, struct cleat_err *err)
{
    int rc = 0;
    cleat_lock_take(&controller->lock);
    for (struct cleat_watch *watch = controller->watches; watch && rc == 0; watch = watch->next)
        if (!watch->late)
            rc = cleat__feed_check(watch->feed, controller->name, watch->resource.plural, err);
    cleat_lock_release(&controller->lock);
    return rc;
}

int cleat_controller_enqueue(struct cleat_controller *controller, const char *namespace_,
                             const char *name, const struct cleat_queue_add *add)
{
    cleat_assert(controller->magic == CLEAT__CONTROLLER_MAGIC);
    return cleat_queue_add(controller->queue, "", namespace_, name, add);
}

struct cleat_queue *cleat_controller_queue(struct cleat_controller *controller)
{
    return controller->queue;
}

const char *cleat_controller_name(const struct cleat_controller *controller)
{
    return controller->name;
}
