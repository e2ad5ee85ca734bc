/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: take keys, run the reconciler, end the keys by its outcome. Threads
 * `work/<controller>/<n>`. Worker 0 waits for the watches first and opens the gate for all. A
 * reconciler that crashes ends the process: there is no way in C to go on safely; one that
 * overstays its deadline is named by the watchdog, which reads what each worker is at.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "controller/controller.h"

#define GATE_POLL_SHORT_MS 2
#define GATE_POLL_LONG_MS 20
#define GATE_SHORT_POLLS 100

/* ---- the gate ---- */

/* The watch that isn't synced, or NULL. Those added late are nobody's condition. */
static struct cleat_watch *gate_unsynced(struct cleat_controller *controller)
{
    for (struct cleat_watch *watch = controller->watches; watch; watch = watch->next)
        if (!watch->late && !cleat__watch_synced(watch))
            return watch;
    return NULL;
}

static int gate_timed_out(struct cleat_controller *controller, const struct cleat_watch *watch,
                          struct cleat_err *err)
{
    struct cleat_feed_status status;
    cleat_feed_status(watch->feed, &status);
    return cleat_err_set(
        err, -ETIMEDOUT, "controller %s: watch of %s%s%s isn't synced after %lld ms: %s",
        controller->name, watch->resource.plural, watch->namespace_ ? " in namespace " : "",
        watch->namespace_ ? watch->namespace_ : "", (long long)controller->sync_timeout_ms,
        status.last_error.code ? cleat_err_text(&status.last_error) : "still loading");
}

/* Waits for all watches; under the controller's lock. 0, -ECANCELED, -ETIMEDOUT. */
static int gate_wait(struct cleat_controller *controller, struct cleat_err *err)
{
    int64_t until_ms = cleat_clock_mono_ms(controller->parts.clock) + controller->sync_timeout_ms;
    struct cleat_watch *watch = NULL;
    for (unsigned polls = 0; (watch = gate_unsynced(controller)); polls++) {
        if (atomic_load(&controller->stopping))
            return -ECANCELED;
        if (cleat_clock_mono_ms(controller->parts.clock) >= until_ms)
            return gate_timed_out(controller, watch, err);
        (void)cleat_cond_wait_ms(&controller->cond, &controller->lock,
                                 polls < GATE_SHORT_POLLS ? GATE_POLL_SHORT_MS
                                                          : GATE_POLL_LONG_MS); /* looks again */
    }
    return atomic_load(&controller->stopping) ? -ECANCELED : 0;
}

/* Worker 0 opens the gate, or tells why it stays shut. */
static void gate_open(struct cleat_controller *controller)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_lock_take(&controller->lock);
    int rc = gate_wait(controller, &err);
    controller->synced = rc == 0;
    controller->sync_result = rc;
    cleat_cond_broadcast(&controller->cond);
    cleat_lock_release(&controller->lock);
    if (rc == 0) {
        cleat_info(controller->parts.log, "controller started",
                   cleat_log_text("controller", controller->name),
                   cleat_log_int("workers", controller->worker_count));
    } else if (rc != -ECANCELED && controller->parts.fail) {
        controller->parts.fail(controller->parts.fail_arg, &err);
    }
}

/* True once the gate is open; false where it stays shut. */
static bool gate_pass(struct cleat_controller *controller)
{
    cleat_lock_take(&controller->lock);
    while (!controller->synced && controller->sync_result == 0)
        cleat_cond_wait(&controller->cond, &controller->lock);
    bool open = controller->synced;
    cleat_lock_release(&controller->lock);
    return open;
}

/* ---- one run ---- */

struct round {
    size_t count;
    struct cleat_request *requests; /* of batch_max each; owned */
    struct cleat_queue_end *ends;
    int *codes;
    struct cleat_result *results;
    struct cleat_err *errs;
};

static void round_fini(struct round *round)
{
    cleat_mem_free(round->requests);
    cleat_mem_free(round->ends);
    cleat_mem_free(round->codes);
    cleat_mem_free(round->results);
    cleat_mem_free(round->errs);
}

static int round_init(struct round *round, size_t max)
{
    *round = (struct round){
        .requests = cleat_mem_zalloc(max, sizeof(*round->requests)),
        .ends = cleat_mem_zalloc(max, sizeof(*round->ends)),
        .codes = cleat_mem_zalloc(max, sizeof(*round->codes)),
        .results = cleat_mem_zalloc(max, sizeof(*round->results)),
        .errs = cleat_mem_zalloc(max, sizeof(*round->errs)),
    };
    if (round->requests && round->ends && round->codes && round->results && round->errs)
        return 0;
    round_fini(round);
    return -ENOMEM;
}

static void run_begin(struct worker *worker, const struct round *round,
                      const struct cleat_context *context, int64_t now_ms)
{
    cleat_lock_take(&worker->lock);
    worker->run = (struct worker_run){
        .requests = round->requests,
        .count = round->count,
        .started_mono_ms = now_ms,
        .reconcile_id = context->reconcile_id,
    };
    cleat_lock_release(&worker->lock);
}

static void run_end(struct worker *worker)
{
    struct cleat_controller *controller = worker->controller;
    cleat_lock_take(&worker->lock);
    bool reported = worker->run.reported;
    worker->run = (struct worker_run){0};
    cleat_lock_release(&worker->lock);
    if (reported)
        cleat_series_add(controller->metrics.overstaying, -1);
}

static void run_log(struct cleat_controller *controller, const struct cleat_context *context,
                    const struct cleat_request *request, const char *message,
                    const struct cleat_err *err)
{
    cleat_error(controller->parts.log, message, cleat_log_text("controller", controller->name),
                cleat_log_text("namespace", request->namespace_),
                cleat_log_text("name", request->name),
                cleat_log_text("reconcile_id", context->reconcile_id),
                cleat_log_int("retries", request->retries), cleat_log_err(err));
}

/* What becomes of a key by what its reconcile returned (R2 to R7). */
static void run_judge(struct cleat_controller *controller, const struct cleat_context *context,
                      const struct round *round, size_t i)
{
    const struct cleat_request *request = &round->requests[i];
    const struct cleat_result *result = &round->results[i];
    struct cleat_queue_end *end = &round->ends[i];
    *end = (struct cleat_queue_end){.add = {.keep_priority = true}};
    if (round->codes[i] == 0) {
        end->forget = true;
        end->again = result->requeue_after_ms > 0;
        end->add.after_ms = result->requeue_after_ms;
        if (result->set_priority) {
            end->add.priority = result->priority;
            end->add.keep_priority = false;
        }
        cleat_series_add(
            end->again ? controller->metrics.requeue_after : controller->metrics.success, 1);
        return;
    }
    cleat_series_add(controller->metrics.error, 1);
    cleat_series_add(controller->metrics.errors, 1);
    if (round->codes[i] > 0) {
        /* An outcome that we don't know can't be retried in good faith either. */
        cleat_series_add(controller->metrics.terminal, 1);
        run_log(controller, context, request, "reconcile ended for good", &round->errs[i]);
        return;
    }
    end->again = true;
    end->add.rate_limited = true;
    (void)cleat_err_set(&round->errs[i], round->codes[i], "reconcile of %s/%s", request->namespace_,
                        request->name); /* only where it said nothing itself */
    run_log(controller, context, request, "reconcile failed", &round->errs[i]);
}

static void run_reconcile(struct cleat_controller *controller, const struct cleat_context *context,
                          struct round *round)
{
    memset(round->results, 0, round->count * sizeof(*round->results));
    memset(round->codes, 0, round->count * sizeof(*round->codes));
    for (size_t i = 0; i < round->count; i++)
        cleat_err_clear(&round->errs[i]);
    if (controller->reconcile_batch) {
        controller->reconcile_batch(controller->arg, context, round->requests, round->count,
                                    round->codes, round->results, round->errs);
    } else {
        round->codes[0] = controller->reconcile(controller->arg, context, &round->requests[0],
                                                &round->results[0], &round->errs[0]);
    }
}

static void worker_run(struct worker *worker, struct round *round)
{
    struct cleat_controller *controller = worker->controller;
    const struct controller_parts *parts = &controller->parts;
    int64_t start_ns = cleat_clock_mono_ns(parts->clock);
    int64_t start_ms = start_ns / 1000000;
    struct cleat_context context = {
        .clock = parts->clock,
        .deadline_mono_ms = controller->timeout_ms > 0 ? start_ms + controller->timeout_ms : 0,
        .log = parts->log,
        .client = parts->client,
        .cache = parts->cache,
        .controller = controller->name,
        .stop = &controller->stopping,
    };
    cleat_clock_uuid(parts->clock, context.reconcile_id);
    cleat_series_add(controller->metrics.workers_active, 1);
    run_begin(worker, round, &context, start_ms);
    run_reconcile(controller, &context, round);
    run_end(worker);
    int64_t end_ns = cleat_clock_mono_ns(parts->clock);
    cleat_series_add(controller->metrics.workers_active, -1);
    cleat_series_observe(controller->metrics.seconds, (double)(end_ns - start_ns) / 1e9);
    if (context.deadline_mono_ms > 0 && end_ns / 1000000 >= context.deadline_mono_ms)
        cleat_series_add(controller->metrics.timeouts, 1);
    for (size_t i = 0; i < round->count; i++)
        run_judge(controller, &context, round, i);
    cleat_queue_done_batch(controller->queue, round->requests, round->ends, round->count);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct cleat_controller *controller = worker->controller;
    struct round round;
    cleat_assert(controller->magic == CLEAT__CONTROLLER_MAGIC);
    if (worker->index == 0)
        gate_open(controller);
    if (!gate_pass(controller))
        return NULL;
    if (round_init(&round, controller->batch_max) < 0) {
        struct cleat_err err = CLEAT_ERR_INIT;
        (void)cleat_err_set(&err, -ENOMEM, "controller %s: out of memory", controller->name);
        if (controller->parts.fail)
            controller->parts.fail(controller->parts.fail_arg, &err);
        return NULL;
    }
    while (cleat_queue_get_batch(controller->queue, -1, round.requests, controller->batch_max,
                                 &round.count) == 0)
        worker_run(worker, &round);
    round_fini(&round);
    return NULL;
}

int cleat__workers_start(struct cleat_controller *controller, struct cleat_err *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < controller->worker_count; i++) {
        struct worker *worker = &controller->workers[i];
        char name[64];
        /* The kernel keeps 15 bytes: the number must be among them. */
        (void)snprintf(name, sizeof(name), "work/%.7s/%u", controller->name, i); /* fits */
        rc = cleat_thread_start(&worker->thread, name, 0, worker_main, worker, err);
    }
    return rc;
}
