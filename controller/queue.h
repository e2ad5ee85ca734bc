/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the queue share. Everything is under the lock unless it says otherwise;
 * critical sections are short (no allocation in the steady state, no callback, no metrics), and
 * sleepers are woken after the lock was released.
 *
 *   add ─► item ─► delay (due) ─► order ─► get ─► working ─► done ─► dropped, remembered, or added
 * again
 */
#ifndef CLEAT_CONTROLLER_QUEUE_H
#define CLEAT_CONTROLLER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/queue.h>
#include <cleat/str.h>
#include "base/lock.h"
#include "controller/queue_delay.h"
#include "controller/queue_item.h"
#include "controller/queue_limit.h"
#include "controller/queue_order.h"

#define CLEAT__QUEUE_MAGIC 0x71756575U
/* Priorities that have a series of their own; all further ones share one. */
#define CLEAT__QUEUE_TALLIES_MAX 26

/* Depth by priority. */
struct queue_tally {
    int priority;
    size_t depth;
    struct cleat_series *series;
};

struct queue_metrics {
    struct cleat_metric *depth;
    struct cleat_series *adds;
    struct cleat_series *retries;
    struct cleat_series *unfinished;
    struct cleat_series *longest;
    struct cleat_series *classes;
    struct cleat_series *deepest;
    struct cleat_series *oldest;
    struct cleat_series *queued; /* observed outside the lock */
    struct cleat_series *worked;
};

/*
 * Workers asleep: one of them, the keeper, wakes for the next delayed key; another one naps. While
 * keys come faster than two a nap, the worker that finds the queue empty first looks again a nap
 * later, without being woken: one change of threads for several keys. Nobody else is woken
 * meanwhile unless a backlog builds up.
 */
struct queue_sleep {
    struct cleat_cond work;
    struct cleat_cond timer;
    struct cleat_cond nap;
    bool napping;
    bool nap_wasted;  /* the last nap brought nothing: the next sleep is a real one */
    int64_t ready_ns; /* when the last key became ready */
    int64_t gap_ns;   /* between two such times, on a moving average */
    size_t sleepers;  /* on work */
    size_t signals;   /* given to work and not yet taken */
    bool keeper;      /* somebody is on timer */
    bool keeper_signal;
};

struct cleat_queue {
    unsigned magic;
    char *name;
    const struct cleat_clock *clock;
    size_t items_max;
    uint64_t (*class_of)(const char *cluster, const char *namespace_, const char *name);
    struct queue_metrics metrics;

    struct cleat_lock lock;
    struct queue_sleep sleep;
    struct queue_items items;
    struct queue_order order;
    struct queue_delay delay;
    struct queue_limit limit;
    struct queue_list working; /* the longest first */
    size_t held;
    uint64_t handouts;
    uint64_t adds; /* counted since the last publishing */
    uint64_t retries;
    struct queue_tally tallies[CLEAT__QUEUE_TALLIES_MAX];
    size_t tally_count;
    bool stopped;
    bool drain;
};

/* Who to wake once the lock is released. */
struct queue_wake {
    size_t work;
    bool timer;
};

/** As cleat_queue_add, with strings that needn't be terminated. */
int cleat__queue_add_str(struct cleat_queue *queue, struct cleat_str cluster,
                         struct cleat_str namespace_, struct cleat_str name,
                         const struct cleat_queue_add *add) CLEAT_MUST_CHECK;
/** Takes keys again after a stop, once every key that was handed out has been ended. */
void cleat__queue_reopen(struct cleat_queue *queue);
/** Wakes all that sleep, so that they look at the clock again. Takes the lock. */
void cleat__queue_poke(struct cleat_queue *queue);

/** Finds the families and series. 0 or negative. No lock. */
int cleat__queue_metrics_init(struct cleat_queue *queue, struct cleat_metrics *metrics,
                              struct cleat_err *err) CLEAT_MUST_CHECK;
/** Where a key of that priority is counted. */
struct queue_tally *cleat__queue_tally(struct cleat_queue *queue, int priority);

#endif
