/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a cache.
 *
 * Locks, outermost first: the cache's (feeds and their status, stores, tasks), a store's, the
 * ring's, the lender's chains.
 */
#ifndef CLEAT_CONTROLLER_CACHE_H
#define CLEAT_CONTROLLER_CACHE_H

#include <stdatomic.h>
#include <cleat/cache.h>
#include "base/thread.h"
#include "client/transport.h"
#include "controller/feed.h"
#include "controller/handler.h"

#define CLEAT__CACHE_MAGIC 0x63616368u
#define CLEAT__CACHE_STORES_MAX 4096u

/* Something that the ingest thread is asked to do while the caller waits. */
struct cache_task {
    struct cache_task *next;
    int (*fn)(void *arg);
    void *arg;
    int result;
    bool done;
};

struct cache_metrics {
    struct cleat_metrics *metrics; /* borrowed; NULL: none */
    struct cleat_metric *objects;
    struct cleat_metric *unreadable;
    struct cleat_metric *bytes;
    struct cleat_metric *synced;
    struct cleat_metric *age;
    struct cleat_metric *events;
    struct cleat_metric *broken;
    struct cleat_metric *restarts;
    struct cleat_metric *failures;
    struct cleat_metric *relists;
    struct cleat_series *pool;
};

struct cleat_cache {
    unsigned magic;
    char *name;
    struct cleat_client *client;
    const struct cleat_clock *clock;
    struct cleat_log *log;
    bool no_watch_list;
    struct cleat__lender *lender;
    struct cleat__events events;
    struct cleat_transport_loop *loop;
    struct cleat_reporter loop_failures; /* the ingest thread's */
    struct cleat_thread ingest_thread;
    struct cleat_thread events_thread;
    struct cache_metrics metrics;

    struct cleat_lock lock;
    struct cleat_cond changed; /* a feed's state, a task, the end */
    bool started;
    bool stopping;
    bool ended;                  /* the ingest thread is gone */
    struct cleat_store **stores; /* by number */
    size_t store_count;
    struct cleat_feed **feeds;
    size_t feed_count;
    size_t feed_capacity;
    struct cache_task *tasks;

    /* The ingest thread's. */
    struct cleat_feed **turns; /* the feeds of this turn */
    size_t turn_capacity;
    size_t trimmed_bytes; /* of the pool when memory was given back last */
};

/** The ingest thread's function. */
void *cleat__cache_ingest(void *arg);
/** Joins the threads, within @timeout_ms (< 0: without a limit). 0, or -ETIMEDOUT. After stop. */
int cleat__cache_join_ms(struct cleat_cache *cache, int64_t timeout_ms);
/** Has @fn run on the ingest thread and waits for it. Its result, or -ECANCELED. */
int cleat__cache_ask(struct cleat_cache *cache, int (*fn)(void *arg), void *arg) CLEAT_MUST_CHECK;
int cleat__cache_metrics_init(struct cleat_cache *cache, struct cleat_metrics *metrics,
                              struct cleat_err *err) CLEAT_MUST_CHECK;
/** Has the figures of @cache read no more; before anything of it goes. */
void cleat__cache_metrics_fini(struct cleat_cache *cache);
/** At the end mark of @feed: it takes over what it serves, unless it is about to go itself. The
 * ingest thread. */
void cleat__cache_take_over(struct cleat_cache *cache, struct cleat_feed *feed);

#endif
