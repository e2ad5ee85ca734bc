/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work queue: de-duplicating, delayed (earliest time wins), rate-limited per item and by a
 * token bucket, ordered by priority with ageing, fair between classes (namespaces unless told
 * otherwise). A key is never handed out twice at a time; what is added meanwhile is handed out
 * again after done. Any thread.
 *
 * Priority is by levels, classes take turns within one, a class's keys come first in, first out. A
 * key that waited for ageing_ms comes up by 100, at most to the highest level in use, where it
 * takes turns with the others: nothing starves, and no backlog passes by another class's share.
 *
 * Adding wakes a worker only where one sleeps. While keys come faster than two a millisecond, the
 * worker that finds the queue empty naps for a millisecond instead, and nobody is woken below a
 * backlog of 64: a key may wait that long, and many are taken per change of threads.
 */
#ifndef CLEAT_QUEUE_H
#define CLEAT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/metrics.h>

CLEAT_BEGIN

struct cleat_queue;

#define CLEAT_PRIORITY_LOW (-100)
#define CLEAT_PRIORITY_NORMAL 0

/** Outcomes of adding and taking. */
enum cleat_queue_outcome {
    CLEAT_QUEUE_CLOSED = 1, /* stopped: nothing is added or handed out any more */
    CLEAT_QUEUE_TIMEOUT,    /* nothing became ready in time */
};

/** What a worker gets; strings borrowed until done. */
struct cleat_request {
    const char *cluster;    /* "" is the local one */
    const char *namespace_; /* "" for cluster-scoped */
    const char *name;
    int priority;           /* the one it was handed out with */
    unsigned retries;       /* failures in a row so far */
    int64_t queued_mono_ms; /* when it became ready */
    uint64_t id;            /* of this hand-out: what done wants */
    int64_t queued_mono_ns; /* queued_mono_ms, finer */
};

struct cleat_queue_options {
    const char *name;                /* label of the metrics; copied */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_metrics *metrics;   /* borrowed; NULL: none */
    size_t items_max;                /* 0: CLEAT_QUEUE_ITEMS_MAX */
    int64_t backoff_base_ms;         /* first delay after a failure; 0: 5 */
    int64_t backoff_max_ms;          /* 0: 1,000,000 */
    double bucket_per_s;             /* token bucket over all rate-limited adds; 0: none */
    unsigned bucket_burst;
    int64_t ageing_ms; /* waiting so long lifts a key by 100; 0: 10,000; < 0: never */
    bool unfair;       /* no fairness between classes: plain order */
    /* The class of a request, as its hash: NULL: by cluster and namespace. */
    uint64_t (*class_of)(const char *cluster, const char *namespace_, const char *name);
};

struct cleat_queue_add {
    int priority;
    int64_t after_ms;  /* 0: now */
    bool rate_limited; /* counts a failure; the delay is the back-off's (the smaller, with after_ms)
                        */
    bool keep_priority; /* re-adding: the priority that it was handed out with */
};

/**
 * Makes a queue. @options are copied but for clock and metrics, which are borrowed for its life.
 * @ret is new. 0, -ENOMEM, -EEXIST where a metric of another form has one of the names.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_queue_new(const struct cleat_queue_options *options,
                                                  struct cleat_queue **ret, struct cleat_err *err);
/** Frees a queue that no thread uses any more; what is in it is dropped. NULL is fine; returns
 * NULL. */
CLEAT_EXPORT struct cleat_queue *cleat_queue_free(struct cleat_queue *queue);
/**
 * Adds a key (copied); @add NULL: now, at normal priority. A key that is there already keeps the
 * higher priority and the earlier time; one that is handed out comes again after its end. @cluster
 * and @namespace_ may be NULL for ""; the three together hold at most 509 bytes. 0, CLOSED,
 * -ENOBUFS beyond items_max, -ENOMEM, -EINVAL for a name that is empty or too long. Never blocks.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_queue_add(struct cleat_queue *queue, const char *cluster,
                                                  const char *namespace_, const char *name,
                                                  const struct cleat_queue_add *add);
/** Takes the next ready key; waits at most @timeout_ms (< 0: for ever). 0, CLOSED, TIMEOUT. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_queue_get(struct cleat_queue *queue, int64_t timeout_ms,
                                                  struct cleat_request *ret);
/** Takes up to @max ready keys, waiting for the first only. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_queue_get_batch(struct cleat_queue *queue,
                                                        int64_t timeout_ms,
                                                        struct cleat_request *ret, size_t max,
                                                        size_t *ret_count);
/**
 * Ends a hand-out, exactly once. With @again (may be NULL) the key is added again in the same step.
 * Strings of
 * @request aren't valid any more.
 */
CLEAT_EXPORT void cleat_queue_done(struct cleat_queue *queue, const struct cleat_request *request,
                                   const struct cleat_queue_add *again);
/** How one hand-out of a batch ends. */
struct cleat_queue_end {
    bool forget; /* its failures, before anything else */
    bool again;  /* the key is added again, as @add says */
    struct cleat_queue_add add;
};
/** Ends @count hand-outs at once, each by its element of @ends; @ends NULL: none of them comes
 * again. */
CLEAT_EXPORT void cleat_queue_done_batch(struct cleat_queue *queue,
                                         const struct cleat_request *requests,
                                         const struct cleat_queue_end *ends, size_t count);
/** Forgets the failures of a key that is handed out: its next back-off starts anew. */
CLEAT_EXPORT void cleat_queue_forget(struct cleat_queue *queue,
                                     const struct cleat_request *request);
/** Stops: waiters return CLOSED, what is queued is dropped (@drain: is still handed out first). */
CLEAT_EXPORT void cleat_queue_stop(struct cleat_queue *queue, bool drain);
/** Ready, waiting and handed-out keys. */
CLEAT_EXPORT void cleat_queue_counts(struct cleat_queue *queue, size_t *ret_ready,
                                     size_t *ret_waiting, size_t *ret_working);
/**
 * Writes the counts to the metrics: depth by priority, adds, retries, unfinished work. Controllers
 * do so twice a second; who uses a queue alone with a registry calls it as often as wanted.
 */
CLEAT_EXPORT void cleat_queue_publish(struct cleat_queue *queue);

CLEAT_END

#endif
