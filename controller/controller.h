/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a controller; for controller*.c, watch.c, enqueue.c, worker.c and the manager.
 *
 * Life: made ─► watching (handlers attached, the queue fills) ─► workers started; they wait for the
 * watches to be synced, then work ─► stopped ─► joined. Paused instead of stopped it may be started
 * again after the join, and is then given everything anew, as at its first start.
 */
#ifndef CLEAT_CONTROLLER_CONTROLLER_H
#define CLEAT_CONTROLLER_CONTROLLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <cleat/controller.h>
#include "base/lock.h"
#include "base/reporter.h"
#include "base/thread.h"

#define CLEAT__CONTROLLER_MAGIC 0x636f6e74U
#define CLEAT__WATCH_MAGIC 0x77617463U
#define CLEAT__RECONCILE_BATCH 32
#define CLEAT__RECONCILE_BATCH_MAX 1024

struct cleat_watch {
    unsigned magic;
    struct cleat_controller *controller; /* borrowed */
    struct cleat_watch *next;            /* under the controller's lock, as prev and handler */
    struct cleat_watch *prev;
    enum cleat_watch_type type;
    struct cleat_feed *feed; /* a reference is kept */
    struct cleat_resource resource;
    struct cleat_resource owner;
    cleat_map_fn map;
    void *map_arg;
    const struct cleat_predicate *predicate; /* borrowed */
    int priority;
    char *namespace_; /* NULL: all */
    char *name;       /* of metadata.name= in the field selector; NULL: all */
    struct cleat_selector *labels;
    struct cleat_handler *handler; /* NULL until the controller watches */
    bool late;                     /* added while it ran: nobody waits for its sync */
};

struct cleat_enqueue {
    struct cleat_controller *controller;
    int priority;
};

/* What a worker is at, for the watchdog; under the worker's own lock. */
struct worker_run {
    const struct cleat_request *requests; /* NULL: none; borrowed from the worker's stack */
    size_t count;
    int64_t started_mono_ms;
    const char *reconcile_id;
    bool reported; /* for overstaying */
};

struct worker {
    struct cleat_controller *controller;
    struct cleat_thread thread;
    struct cleat_lock lock;
    struct worker_run run;
    unsigned index;
};

struct controller_metrics {
    struct cleat_series *success;
    struct cleat_series *error;
    struct cleat_series *requeue;
    struct cleat_series *requeue_after;
    struct cleat_series *errors;
    struct cleat_series *terminal;
    struct cleat_series *timeouts;
    struct cleat_series *seconds;
    struct cleat_series *workers_max;
    struct cleat_series *workers_active;
    struct cleat_series *overstaying;
    struct cleat_series *dropped;
};

/* What a controller takes from its manager; all borrowed for its life. */
struct controller_parts {
    const struct cleat_clock *clock;
    struct cleat_log *log;
    struct cleat_metrics *metrics;
    struct cleat_client *client; /* what contexts get: the fenced one where elected */
    struct cleat_cache *cache;
    /* Called on a worker's thread where the controller can't go on. */
    void (*fail)(void *arg, const struct cleat_err *err);
    void *fail_arg;
};

enum controller_state {
    CONTROLLER_MADE,
    CONTROLLER_WATCHING, /* handlers are attached */
    CONTROLLER_STARTED,  /* and the workers run */
    CONTROLLER_PAUSED,   /* as stopped, but it may be started again once it's joined */
    CONTROLLER_STOPPED,
};

struct cleat_controller {
    unsigned magic;
    char *name;
    struct controller_parts parts;
    cleat_reconcile_fn reconcile;
    cleat_reconcile_batch_fn reconcile_batch;
    void *arg;
    const struct cleat_predicate *predicate; /* of all watches; borrowed */
    size_t batch_max;
    unsigned worker_count;
    int64_t timeout_ms;
    int64_t sync_timeout_ms;
    bool elected;
    bool warmup;
    struct cleat_queue *queue;
    struct controller_metrics metrics;
    struct cleat_reporter drop_reporter;
    struct worker *workers;
    _Atomic(bool)
        stopping; /* set by stop; read by contexts and workers: each acts on its own reading */

    struct cleat_lock lock;
    struct cleat_cond cond;
    enum controller_state state;
    struct cleat_watch *watches;
    bool synced;     /* the workers may begin */
    int sync_result; /* negative: why they never will */
};

/** A controller from @parts and @options (queue.name, clock and metrics are filled in). @ret is
 * new. */
int cleat__controller_make(const struct controller_parts *parts,
                           const struct cleat_controller_options *options,
                           struct cleat_controller **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** After join. NULL is fine; returns NULL. */
struct cleat_controller *cleat__controller_free(struct cleat_controller *controller);
/** Attaches the handlers of all watches; once. */
int cleat__controller_start_watches(struct cleat_controller *controller,
                                    struct cleat_err *err) CLEAT_MUST_CHECK;
/** Starts watching where it doesn't yet, and the workers. */
int cleat__controller_start(struct cleat_controller *controller,
                            struct cleat_err *err) CLEAT_MUST_CHECK;
/** Waits until the workers may begin. 0, -ETIMEDOUT, -ECANCELED, or why they never will. */
int cleat__controller_wait_ready(struct cleat_controller *controller, int64_t timeout_ms,
                                 struct cleat_err *err) CLEAT_MUST_CHECK;
void cleat__controller_stop(struct cleat_controller *controller);
/** As stop, but start may follow after the join. What is queued is dropped. */
void cleat__controller_pause(struct cleat_controller *controller);
/** 0, or -ETIMEDOUT; then what still runs was logged. */
int cleat__controller_join(struct cleat_controller *controller, int64_t timeout_ms);
/** Looks for runs beyond their deadline and writes the queue's counts; by the timer's thread. */
void cleat__controller_tick(struct cleat_controller *controller);

int cleat__controller_metrics_init(struct cleat_controller *controller,
                                   struct cleat_err *err) CLEAT_MUST_CHECK;
/** Starts the workers' threads; worker 0 waits for the watches and opens the gate. */
int cleat__workers_start(struct cleat_controller *controller,
                         struct cleat_err *err) CLEAT_MUST_CHECK;
/** Attaches @watch's handler. */
int cleat__watch_attach(struct cleat_watch *watch, struct cleat_err *err) CLEAT_MUST_CHECK;
/** True where the watch was given everything of its first load. */
bool cleat__watch_synced(struct cleat_watch *watch);
/** Detaches and frees a watch that is in no list any more. */
void cleat__watch_free(struct cleat_watch *watch);
/** Lets an event through filter, predicates and mapping into the queue. */
void cleat__enqueue_event(struct cleat_watch *watch, const struct cleat_event *event);

#endif
