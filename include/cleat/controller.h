/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controllers: what is watched, how events become keys, and the function that makes it so.
 *
 *   store ─► predicates ─► mapping (for, owns, watches) ─► queue ─► worker ─► reconcile ─► result
 *
 * Handlers and predicates run on the events thread, reconcilers on workers `work/<controller>/<n>`.
 *
 * Workers begin once every watch that was there at the start has given its first load; one that
 * can't within sync_timeout_ms ends the manager, and the error names the feed and its last failure.
 * A key is never with two workers. A reconciler that crashes ends the process: C can't go on safely
 * after that. One that overstays its deadline is named in the log and in
 * cleat_controller_overstaying_reconciles, and goes on.
 */
#ifndef CLEAT_CONTROLLER_H
#define CLEAT_CONTROLLER_H

#include <cleat/cache.h>
#include <cleat/client.h>
#include <cleat/err.h>
#include <cleat/health.h>
#include <cleat/log.h>
#include <cleat/metrics.h>
#include <cleat/predicate.h>
#include <cleat/queue.h>

CLEAT_BEGIN

struct cleat_controller;
struct cleat_manager;
struct cleat_watch;

/** Outcome of a reconcile: the error is counted and logged, the key is dropped until its next
 * event. */
#define CLEAT_RECONCILE_TERMINAL 1

/** What a reconcile is given; everything borrowed until it returns. */
struct cleat_context {
    const struct cleat_clock *clock;
    int64_t deadline_mono_ms; /* 0: none */
    struct cleat_log *log;
    struct cleat_client *client; /* fenced by leadership where the controller is elected */
    struct cleat_cache *cache;
    const char *controller;
    char reconcile_id[37];
    const void *stop; /* opaque; see cleat_context_stopping */
};
/** True once the controller was asked to stop: long work should give up. */
CLEAT_EXPORT bool cleat_context_stopping(const struct cleat_context *context);

struct cleat_result {
    int64_t requeue_after_ms; /* > 0: again after so long; failures are forgotten */
    int priority;             /* of the requeue, with set_priority */
    bool set_priority;
};

/** 0 done (with @result's delay), CLEAT_RECONCILE_TERMINAL, or negative: again with back-off, @err
 * says why. */
typedef int (*cleat_reconcile_fn)(void *arg, const struct cleat_context *context,
                                  const struct cleat_request *request, struct cleat_result *result,
                                  struct cleat_err *err);
/** The batch form: one code, result and error for each request. */
typedef void (*cleat_reconcile_batch_fn)(void *arg, const struct cleat_context *context,
                                         const struct cleat_request *requests, size_t count,
                                         int *codes, struct cleat_result *results,
                                         struct cleat_err *errs);

/** Adds keys to the controller's queue from a mapping function. */
struct cleat_enqueue;
/** Adds the key of one object to the queue. Both strings are copied. */
CLEAT_EXPORT void cleat_enqueue_key(struct cleat_enqueue *enqueue, struct cleat_str namespace_,
                                    struct cleat_str name);
/** Maps one object (old and new are both given, one after the other) to keys. Must not block. */
typedef void (*cleat_map_fn)(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue);

struct cleat_controller_options {
    const char *name;             /* unique in the manager; label of metrics and logs */
    cleat_reconcile_fn reconcile; /* this or the batch form */
    cleat_reconcile_batch_fn reconcile_batch;
    size_t batch_max; /* 0: 32 */
    void *arg;
    unsigned workers;   /* 0: 1 */
    int64_t timeout_ms; /* of one reconcile: its deadline; a run beyond it is reported; 0: none */
    int64_t sync_timeout_ms;          /* 0: 120,000 */
    bool not_elected;                 /* runs on every replica */
    bool warmup;                      /* fill the queue before winning */
    struct cleat_queue_options queue; /* name, clock and metrics are filled in */
    const struct cleat_predicate
        *predicate; /* of all watches, asked before their own; borrowed; NULL: all pass */
};

/** @manager keeps it; @ret is borrowed. -EEXIST for a name that is taken. Watches may be added
 * before and after start. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_controller_new(
    struct cleat_manager *manager, const struct cleat_controller_options *options,
    struct cleat_controller **ret, struct cleat_err *err);

enum cleat_watch_type {
    CLEAT_WATCH_FOR,          /* the object's own key */
    CLEAT_WATCH_OWNS,         /* the key of its controller owner of kind `owner` */
    CLEAT_WATCH_OWNED_BY_ANY, /* the keys of all its owners of that kind */
    CLEAT_WATCH_MAPPED,       /* what `map` says */
};

struct cleat_watch_options {
    enum cleat_watch_type type;
    struct cleat_feed_options feed;
    struct cleat_resource owner; /* OWNS */
    cleat_map_fn map;            /* MAPPED */
    void *map_arg;
    const struct cleat_predicate
        *predicate; /* borrowed until the watch is removed; NULL: all pass */
    int priority;
};

/** Adds a watch. @ret (may be NULL) is for removing it. Any thread. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_controller_watch(struct cleat_controller *controller,
                                                         const struct cleat_watch_options *options,
                                                         struct cleat_watch **ret,
                                                         struct cleat_err *err);
/** The feed of a watch, borrowed: for its status and store. */
CLEAT_EXPORT struct cleat_feed *cleat_watch_feed(const struct cleat_watch *watch);
/** Removes a watch; its feed goes with the last user. Not from the events thread. Returns NULL. */
CLEAT_EXPORT struct cleat_watch *cleat_watch_remove(struct cleat_watch *watch);
/** Adds a key by hand, as from a job that ended. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_controller_enqueue(struct cleat_controller *controller,
                                                           const char *namespace_, const char *name,
                                                           const struct cleat_queue_add *add);
/** The queue, borrowed for the controller's life. */
CLEAT_EXPORT struct cleat_queue *cleat_controller_queue(struct cleat_controller *controller);
/** The name, borrowed for the controller's life. */
CLEAT_EXPORT const char *cleat_controller_name(const struct cleat_controller *controller);

CLEAT_END

#endif
