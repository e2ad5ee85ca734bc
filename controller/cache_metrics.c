/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of a cache, by resource. They are read when somebody asks for the metrics, on that
 * thread: the ingest thread isn't woken for it, and the age of a watch is true even where that
 * thread is stuck.
 */
#include <stdio.h>

#include "controller/cache.h"

#define CACHE_FAMILY(field, type, name, help)                                  \
    {                                                                          \
        offsetof(struct cache_metrics, field), CLEAT_METRIC_##type, name, help \
    }

static const struct {
    size_t offset;
    enum cleat_metric_type type;
    const char *name;
    const char *help;
} cache_families[] = {
    CACHE_FAMILY(objects, GAUGE, "cleat_cache_objects", "Objects in the cache."),
    CACHE_FAMILY(unreadable, GAUGE, "cleat_cache_unreadable_objects",
                 "Objects that the API server has and the cache couldn't read or keep."),
    CACHE_FAMILY(bytes, GAUGE, "cleat_cache_bytes",
                 "Memory of a resource's entries and indexes, without the pool that all share."),
    CACHE_FAMILY(synced, GAUGE, "cleat_watch_synced",
                 "1 where all of a resource is loaded and its watches work, else 0."),
    CACHE_FAMILY(age, GAUGE, "cleat_watch_last_event_age_seconds",
                 "Time since a watch of the resource last brought a byte, bookmarks too; of "
                 "several watches the most silent one."),
    CACHE_FAMILY(events, COUNTER, "cleat_watch_events_total", "Objects and changes received."),
    CACHE_FAMILY(broken, COUNTER, "cleat_watch_broken_objects_total",
                 "Received objects that could not be read or kept."),
    CACHE_FAMILY(restarts, COUNTER, "cleat_watch_restarts_total",
                 "Streams of a resource that ended and were begun again, for whatever reason."),
    CACHE_FAMILY(failures, COUNTER, "cleat_watch_failures_total",
                 "Streams of a resource that were refused or broke."),
    CACHE_FAMILY(relists, COUNTER, "cleat_watch_relists_total",
                 "Loads of the whole resource after the first one."),
};

static struct cleat_metric **metrics_at(struct cache_metrics *own, size_t i)
{
    return (struct cleat_metric **)(void *)((char *)own + cache_families[i].offset);
}

/* The label value of a store: "pods", "deployments.apps". */
static void metrics_resource(const struct cleat_store *store, char text[512])
{
    (void)snprintf(text, 512, "%s%s%s", store->resource.plural,
                   store->resource.gvk.group[0] ? "." : "", store->resource.gvk.group);
}

/* What the feeds of a store say together. */
struct store_watches {
    size_t count;
    bool synced;
    int64_t last_mono_ms; /* 0: nothing was heard yet */
};

static void metrics_feeds(const struct cleat_cache *cache, const struct cleat_store *store,
                          struct store_watches *ret)
{
    *ret = (struct store_watches){.synced = true};
    for (size_t i = 0; i < cache->feed_count; i++) {
        const struct cleat_feed *feed = cache->feeds[i];
        if (feed->store != store || feed->wider || feed->leaving)
            continue;
        int64_t last_ms = atomic_load_explicit(&feed->last_event_mono_ms, memory_order_relaxed);
        ret->count++;
        ret->synced = ret->synced && feed->synced && !feed->behind_time;
        if (last_ms != 0 && (ret->last_mono_ms == 0 || last_ms < ret->last_mono_ms))
            ret->last_mono_ms = last_ms;
    }
}

static double metrics_count(const _Atomic(uint64_t) *figure)
{
    return (double)atomic_load_explicit(figure, memory_order_relaxed);
}

static void metrics_counts(struct cache_metrics *own, struct cleat_store *store,
                           const char *const *values)
{
    size_t bytes = 0;
    const struct store_figures *figures = &store->figures;
    cleat_rwlock_read(&store->lock);
    size_t unreadable = store->unreadable;
    cleat_rwlock_read_release(&store->lock);
    cleat_store_bytes(store, &bytes, NULL);
    cleat_series_set(cleat_metric_series(own->objects, values),
                     (double)cleat_store_count(store, NULL));
    cleat_series_set(cleat_metric_series(own->unreadable, values), (double)unreadable);
    cleat_series_set(cleat_metric_series(own->bytes, values), (double)bytes);
    cleat_series_set(cleat_metric_series(own->events, values), metrics_count(&figures->events));
    cleat_series_set(cleat_metric_series(own->broken, values), metrics_count(&figures->broken));
    cleat_series_set(cleat_metric_series(own->restarts, values), metrics_count(&figures->restarts));
    cleat_series_set(cleat_metric_series(own->failures, values), metrics_count(&figures->failures));
    cleat_series_set(cleat_metric_series(own->relists, values), metrics_count(&figures->relists));
}

/* A resource that nobody watches any more is neither silent nor behind. */
static void metrics_store(struct cleat_cache *cache, struct cleat_store *store, int64_t now_ms)
{
    struct store_watches watches;
    struct cache_metrics *own = &cache->metrics;
    char resource[512];
    metrics_resource(store, resource);
    const char *const values[] = {cache->name, resource};
    cleat_lock_take(&cache->lock);
    metrics_feeds(cache, store, &watches);
    cleat_lock_release(&cache->lock);
    metrics_counts(own, store, values);
    if (watches.count == 0)
        cleat_metric_remove(own->synced, values);
    else
        cleat_series_set(cleat_metric_series(own->synced, values), watches.synced);
    if (watches.count == 0 || watches.last_mono_ms == 0)
        cleat_metric_remove(own->age, values);
    else
        cleat_series_set(cleat_metric_series(own->age, values),
                         (double)(now_ms - watches.last_mono_ms) / 1000);
}

/* Stores stay for the cache's life. */
static struct cleat_store *metrics_next(struct cleat_cache *cache, size_t i)
{
    cleat_lock_take(&cache->lock);
    struct cleat_store *store = i < cache->store_count ? cache->stores[i] : NULL;
    cleat_lock_release(&cache->lock);
    return store;
}

static void metrics_collect(void *arg)
{
    struct cleat_cache *cache = arg;
    struct cleat_store *store;
    int64_t now_ms = cleat_clock_mono_ms(cache->clock);
    for (size_t i = 0; (store = metrics_next(cache, i)); i++)
        metrics_store(cache, store, now_ms);
    cleat_series_set(cache->metrics.pool,
                     (double)atomic_load_explicit(&cache->lender->bytes, memory_order_relaxed));
}

int cleat__cache_metrics_init(struct cleat_cache *cache, struct cleat_metrics *metrics,
                              struct cleat_err *err)
{
    struct cache_metrics *own = &cache->metrics;
    struct cleat_metric *pool = NULL;
    const char *const values[] = {cache->name};
    struct cleat_metric_options options = {.labels = {"cluster", "resource"},
                                           .series_max = CLEAT__CACHE_STORES_MAX};
    int r = 0;
    if (!metrics)
        return 0;
    for (size_t i = 0; r == 0 && i < sizeof(cache_families) / sizeof(cache_families[0]); i++) {
        options.type = cache_families[i].type;
        options.name = cache_families[i].name;
        options.help = cache_families[i].help;
        r = cleat_metrics_family(metrics, &options, metrics_at(own, i), err);
    }
    const struct cleat_metric_options pool_options = {
        .type = CLEAT_METRIC_GAUGE,
        .name = "cleat_pool_bytes",
        .help = "Memory of the pool that the cache's objects share.",
        .labels = {"cluster"}};
    if (r == 0)
        r = cleat_metrics_family(metrics, &pool_options, &pool, err);
    if (r == 0)
        own->pool = cleat_metric_series(pool, values);
    if (r == 0)
        r = cleat_metrics_collect(metrics, metrics_collect, cache);
    if (r == 0)
        own->metrics = metrics;
    else
        (void)cleat_err_set(err, r, "the cache's metrics: too many collectors");
    return r;
}

void cleat__cache_metrics_fini(struct cleat_cache *cache)
{
    cleat_metrics_uncollect(cache->metrics.metrics, metrics_collect, cache);
    cache->metrics.metrics = NULL;
}
