/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of a cache. Gauges are set by the ingest thread every few seconds.
 */
#include <stdio.h>

#include "controller/cache.h"

static int metrics_family(struct cleat_metrics *metrics, enum cleat_metric_type type,
                          const char *name, const char *help, bool by_resource,
                          struct cleat_metric **ret, struct cleat_err *err)
{
    const struct cleat_metric_options options = {
        .type = type,
        .name = name,
        .help = help,
        .labels = {"cluster", by_resource ? "resource" : NULL},
    };
    return cleat_metrics_family(metrics, &options, ret, err);
}

int cleat__cache_metrics_init(struct cleat_cache *cache, struct cleat_metrics *metrics,
                              struct cleat_err *err)
{
    struct cache_metrics *own = &cache->metrics;
    struct cleat_metric *pool = NULL;
    own->due_mono_ms = INT64_MAX;
    if (!metrics)
        return 0;
    int r = metrics_family(metrics, CLEAT_METRIC_GAUGE, "cleat_cache_objects",
                           "Objects in the cache.", true, &own->objects, err);
    if (r == 0)
        r = metrics_family(metrics, CLEAT_METRIC_GAUGE, "cleat_cache_bytes",
                           "Memory of entries and indexes, without the pool.", true, &own->bytes,
                           err);
    if (r == 0)
        r = metrics_family(metrics, CLEAT_METRIC_GAUGE, "cleat_watch_last_event_age",
                           "Seconds since the longest silent watch of a resource said something.",
                           true, &own->age, err);
    if (r == 0)
        r = metrics_family(metrics, CLEAT_METRIC_GAUGE, "cleat_watch_events",
                           "Objects and changes received since the start.", true, &own->events,
                           err);
    if (r == 0)
        r = metrics_family(metrics, CLEAT_METRIC_GAUGE, "cleat_watch_broken_objects",
                           "Objects that could not be read or stored since the start.", true,
                           &own->broken, err);
    if (r == 0)
        r = metrics_family(metrics, CLEAT_METRIC_GAUGE, "cleat_pool_bytes",
                           "Memory of the pool that the cache's objects share.", false, &pool, err);
    if (r < 0)
        return r;
    const char *const values[] = {cache->name};
    own->pool = cleat_metric_series(pool, values);
    own->due_mono_ms = 0;
    return 0;
}

/* The label value of a store: "pods", "deployments.apps". */
static void metrics_resource(const struct cleat_store *store, char text[512])
{
    (void)snprintf(text, 512, "%s%s%s", store->resource.plural,
                   store->resource.gvk.group[0] ? "." : "", store->resource.gvk.group);
}

struct store_figures {
    uint64_t events;
    uint64_t broken;
    int64_t last_mono_ms;
};

static void metrics_feeds(const struct cleat_cache *cache, const struct cleat_store *store,
                          struct store_figures *ret)
{
    for (size_t i = 0; i < cache->feed_count; i++) {
        const struct cleat_feed *feed = cache->feeds[i];
        if (feed->store != store || feed->wider)
            continue;
        int64_t last_ms = atomic_load_explicit(&feed->last_event_mono_ms, memory_order_relaxed);
        ret->events += atomic_load_explicit(&feed->events, memory_order_relaxed);
        ret->broken += atomic_load_explicit(&feed->broken, memory_order_relaxed);
        if (last_ms != 0 && (ret->last_mono_ms == 0 || last_ms < ret->last_mono_ms))
            ret->last_mono_ms = last_ms;
    }
}

static void metrics_store(struct cleat_cache *cache, struct cleat_store *store, int64_t now_ms)
{
    struct store_figures figures = {0};
    char resource[512];
    size_t bytes = 0;
    cleat_lock_take(&cache->lock);
    metrics_feeds(cache, store, &figures);
    cleat_lock_release(&cache->lock);
    metrics_resource(store, resource);
    const char *const values[] = {cache->name, resource};
    cleat_store_bytes(store, &bytes, NULL);
    double age_s = figures.last_mono_ms ? (double)(now_ms - figures.last_mono_ms) / 1000 : 0;
    struct cache_metrics *own = &cache->metrics;
    cleat_series_set(cleat_metric_series(own->objects, values),
                     (double)cleat_store_count(store, NULL));
    cleat_series_set(cleat_metric_series(own->bytes, values), (double)bytes);
    cleat_series_set(cleat_metric_series(own->events, values), (double)figures.events);
    cleat_series_set(cleat_metric_series(own->broken, values), (double)figures.broken);
    cleat_series_set(cleat_metric_series(own->age, values), age_s);
}

void cleat__cache_metrics_turn(struct cleat_cache *cache, int64_t now_mono_ms)
{
    if (now_mono_ms < cache->metrics.due_mono_ms)
        return;
    cache->metrics.due_mono_ms = now_mono_ms + CLEAT__CACHE_METRICS_MS;
    cleat_lock_take(&cache->lock);
    size_t count = cache->store_count; /* stores stay */
    cleat_lock_release(&cache->lock);
    for (size_t i = 0; i < count; i++)
        metrics_store(cache, cache->stores[i], now_mono_ms);
    cleat_series_set(cache->metrics.pool,
                     (double)atomic_load_explicit(&cache->lender->bytes, memory_order_relaxed));
}
