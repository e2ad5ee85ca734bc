/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, starting and ending a cache; its stores and feeds.
 */
#include "controller/cache.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

#define CACHE_POOL_BYTES_MAX ((size_t)30 << 30)
#define CACHE_RESYNC_MS INT64_C(36000000)
#define CACHE_FEEDS_MAX 65536u

static void cache_wake(void *arg)
{
    cleat_transport_loop_wake(arg);
}

static int cache_init(struct cleat_cache *cache, const struct cleat_cache_options *options,
                      struct cleat_err *err)
{
    cache->name = cleat_mem_strdup(options->name ? options->name : "local");
    cache->stores = cleat_mem_zalloc(CLEAT__CACHE_STORES_MAX, sizeof(struct cleat_store *));
    if (!cache->name || !cache->stores)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    size_t bytes_max = options->bytes_max ? options->bytes_max : CACHE_POOL_BYTES_MAX;
    int r = cleat__lender_new(bytes_max, &cache->lender);
    if (r < 0)
        return cleat_err_set(err, r, "pool of %s: %s", cache->name, strerror(-r));
    int64_t resync_ms = options->resync_period_ms ? options->resync_period_ms : CACHE_RESYNC_MS;
    cleat__events_init(&cache->events, cache->lender, cache->clock, resync_ms);
    r = cleat_transport_loop_new(cache->client, &cache->loop, err);
    if (r == 0)
        r = cleat__cache_metrics_init(cache, options->metrics, err);
    if (r < 0)
        return r;
    cache->lender->wake = cache_wake;
    cache->lender->wake_arg = cache->loop;
    return 0;
}

int cleat_cache_new(const struct cleat_cache_options *options, struct cleat_cache **ret,
                    struct cleat_err *err)
{
    cleat_assert(options && options->client);
    struct cleat_cache *cache = cleat_mem_zalloc(1, sizeof(*cache));
    if (!cache)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    cache->magic = CLEAT__CACHE_MAGIC;
    cache->client = cleat_client_ref(options->client);
    cache->clock = options->clock ? options->clock : cleat_clock_system();
    cache->log = options->log;
    cache->no_watch_list = options->no_watch_list;
    cleat_lock_init(&cache->lock, CLEAT_LOCK_CACHE);
    cleat_cond_init(&cache->changed);
    cleat_reporter_init(&cache->loop_failures, cache->clock, CLEAT__FEED_REPORT_MS);
    int r = cache_init(cache, options, err);
    if (r < 0) {
        (void)cleat_cache_free(cache);
        return r;
    }
    *ret = cache;
    return 0;
}

static void *cache_events(void *arg)
{
    struct cleat_cache *cache = arg;
    cleat_transport_forbid_blocking();
    cleat__events_run(&cache->events);
    return NULL;
}

static int cache_thread(struct cleat_cache *cache, struct cleat_thread *thread, const char *kind,
                        void *(*fn)(void *), struct cleat_err *err)
{
    char *name = cleat_mem_format("%s/%s", kind, cache->name);
    if (!name)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    int r = cleat_thread_start(thread, name, 0, fn, cache, err);
    cleat_mem_free(name);
    return r;
}

int cleat_cache_start(struct cleat_cache *cache, struct cleat_err *err)
{
    cleat_assert(cache->magic == CLEAT__CACHE_MAGIC);
    cleat_lock_take(&cache->lock);
    bool again = cache->started;
    cache->started = true;
    cleat_lock_release(&cache->lock);
    if (again)
        return cleat_err_set(err, -EALREADY, "cache %s was started before", cache->name);
    int r = cache_thread(cache, &cache->events_thread, "events", cache_events, err);
    if (r == 0)
        r = cache_thread(cache, &cache->ingest_thread, "ingest", cleat__cache_ingest, err);
    if (r < 0) {
        cleat_cache_stop(cache);
        cleat_cache_join(cache);
    }
    return r;
}

void cleat_cache_stop(struct cleat_cache *cache)
{
    cleat_lock_take(&cache->lock);
    cache->stopping = true;
    cleat_lock_release(&cache->lock);
    cleat_cond_broadcast(&cache->changed);
    cleat_transport_loop_wake(cache->loop);
    cleat__events_stop(&cache->events);
}

void cleat_cache_join(struct cleat_cache *cache)
{
    cleat_thread_join(&cache->ingest_thread);
    cleat_thread_join(&cache->events_thread);
    cleat_lock_take(&cache->lock);
    cache->ended = true;
    cleat_lock_release(&cache->lock);
    cleat_cond_broadcast(&cache->changed);
}

int cleat__cache_join_ms(struct cleat_cache *cache, int64_t timeout_ms)
{
    const struct cleat_clock *system = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(system) + timeout_ms;
    if (timeout_ms >= 0 &&
        (cleat_thread_join_ms(&cache->ingest_thread, timeout_ms) != 0 ||
         cleat_thread_join_ms(&cache->events_thread, until_ms - cleat_clock_mono_ms(system)) != 0))
        return -ETIMEDOUT;
    cleat_cache_join(cache);
    return 0;
}

struct cleat_cache *cleat_cache_free(struct cleat_cache *cache)
{
    if (!cache)
        return NULL;
    cleat_assert(cache->magic == CLEAT__CACHE_MAGIC && !cache->ingest_thread.running &&
                 !cache->events_thread.running);
    cleat__cache_metrics_fini(cache);
    cache->loop = cache->lender ? cache->loop : cleat_transport_loop_free(cache->loop);
    for (size_t i = 0; i < cache->feed_count; i++) {
        cache->feeds[i]->stream = NULL; /* goes with the loop */
        (void)cleat__feed_free(cache->feeds[i]);
    }
    if (cache->lender) {
        cleat__events_fini(&cache->events);
        for (size_t i = 0; i < cache->store_count; i++) {
            cleat__store_free_handlers(cache->stores[i]);
            (void)cleat__store_free(cache->stores[i]);
        }
        cleat__lender_close(cache->lender);
        cache->loop = cleat_transport_loop_free(cache->loop);
        cache->lender = cleat__lender_unref(cache->lender);
    }
    cache->client = cleat_client_unref(cache->client);
    cleat_cond_fini(&cache->changed);
    cleat_lock_fini(&cache->lock);
    cleat_mem_free(cache->feeds);
    cleat_mem_free(cache->turns);
    cleat_mem_free(cache->stores);
    cleat_mem_free(cache->name);
    cache->magic = 0;
    return cleat_mem_free(cache);
}

const char *cleat_cache_name(const struct cleat_cache *cache)
{
    return cache->name;
}

/* Stores; the lock is held. */

static struct cleat_store *cache_find_store(const struct cleat_cache *cache,
                                            const struct cleat_gvk *gvk)
{
    for (size_t i = 0; i < cache->store_count; i++)
        if (cleat_gvk_equal(&cache->stores[i]->resource.gvk, gvk))
            return cache->stores[i];
    return NULL;
}

static int cache_take_store(struct cleat_cache *cache, const struct cleat_resource *resource,
                            struct cleat_store **ret, struct cleat_err *err)
{
    struct cleat_store *store = cache_find_store(cache, &resource->gvk);
    if (store) {
        *ret = store;
        return 0;
    }
    if (cache->store_count == CLEAT__CACHE_STORES_MAX)
        return cleat_err_set(err, -ENOBUFS, "%s: too many kinds", resource->plural);
    int r = cleat__store_new(cache->lender, &cache->events.ring, (uint16_t)cache->store_count,
                             resource, &store);
    if (r == 0)
        r = cleat__events_add(&cache->events, store);
    if (r < 0) {
        (void)cleat__store_free(store);
        return cleat_err_set(err, r, "store of %s: %s", resource->plural, strerror(-r));
    }
    store->cache = cache;
    cache->stores[cache->store_count++] = store;
    *ret = store;
    return 0;
}

struct cleat_store *cleat_cache_store(struct cleat_cache *cache, const struct cleat_gvk *gvk)
{
    cleat_lock_take(&cache->lock);
    struct cleat_store *store = cache_find_store(cache, gvk);
    cleat_lock_release(&cache->lock);
    return store;
}

/* Feeds; the lock is held. */

static struct cleat_feed *cache_find_feed(const struct cleat_cache *cache,
                                          const struct cleat_feed *like)
{
    for (size_t i = 0; i < cache->feed_count; i++)
        if (!cache->feeds[i]->leaving && cleat__feed_serves(cache->feeds[i], like))
            return cache->feeds[i];
    return NULL;
}

/* Of feeds that can bring the same object one must keep all that the other keeps: where neither
 * does, the new one keeps what either does. */
static int cache_widen(const struct cleat_cache *cache, struct cleat_feed *feed)
{
    for (size_t i = 0; i < cache->feed_count; i++) {
        const struct cleat_feed *other = cache->feeds[i];
        struct cleat_projection *both = NULL;
        if (other->leaving || !cleat__feed_overlaps(feed, other) ||
            cleat_projection_covers(feed->projection, other->projection) ||
            cleat_projection_covers(other->projection, feed->projection))
            continue;
        int r = cleat_projection_union(feed->projection, other->projection, &both);
        if (r < 0)
            return r;
        (void)cleat_projection_unref(feed->projection);
        feed->projection = both;
    }
    return 0;
}

static int cache_room(struct cleat_cache *cache)
{
    if (cache->feed_count < cache->feed_capacity)
        return 0;
    if (cache->feed_count >= CACHE_FEEDS_MAX)
        return -ENOBUFS;
    size_t capacity = cache->feed_capacity ? cache->feed_capacity * 2 : 8;
    struct cleat_feed **feeds =
        cleat_mem_realloc(cache->feeds, capacity * sizeof(struct cleat_feed *));
    if (!feeds)
        return -ENOMEM;
    cache->feeds = feeds;
    cache->feed_capacity = capacity;
    return 0;
}

static bool feed_is_partial(const struct cleat_feed *feed)
{
    struct cleat_projection *usual = NULL;
    if (feed->metadata_only || cleat_projection_default(&usual) < 0)
        return true;
    bool partial = !cleat_projection_covers(feed->projection, usual);
    (void)cleat_projection_unref(usual);
    return partial;
}

static int cache_add_feed(struct cleat_cache *cache, struct cleat_feed *feed)
{
    int r = cache_room(cache);
    if (r == 0)
        r = cache_widen(cache, feed);
    const struct store_feed_options options = {
        .namespace_ = feed->namespace_,
        .name = feed->name,
        .projection = feed->projection,
        .filtered = feed->filtered,
        .partial = feed_is_partial(feed),
    };
    if (r == 0)
        r = cleat__store_feed_add(feed->store, &options, &feed->number);
    if (r == 0)
        cache->feeds[cache->feed_count++] = feed;
    return r;
}

int cleat_cache_feed(struct cleat_cache *cache, const struct cleat_feed_options *options,
                     struct cleat_feed **ret, struct cleat_err *err)
{
    struct cleat_store *store = NULL;
    struct cleat_feed *feed = NULL;
    cleat_assert(cache->magic == CLEAT__CACHE_MAGIC);
    cleat_lock_take(&cache->lock);
    int r = cache_take_store(cache, &options->resource, &store, err);
    if (r == 0)
        r = cleat__feed_new(cache, store, options, &feed, err);
    struct cleat_feed *known = r == 0 ? cache_find_feed(cache, feed) : NULL;
    if (known) {
        feed = cleat__feed_free(feed);
        known->refs++;
        feed = known;
    } else if (r == 0) {
        r = cache_add_feed(cache, feed);
        if (r < 0) {
            feed = cleat__feed_free(feed);
            (void)cleat_err_set(err, r, "feed of %s: %s", options->resource.plural, strerror(-r));
        }
    }
    cleat_lock_release(&cache->lock);
    if (r < 0)
        return r;
    cleat_transport_loop_wake(cache->loop);
    *ret = feed;
    return 0;
}

int cleat_cache_wait_synced(struct cleat_cache *cache, int64_t timeout_ms, struct cleat_err *err)
{
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + timeout_ms;
    int r = cleat_transport_may_block("waiting for the cache", err);
    bool done = r < 0;
    cleat_lock_take(&cache->lock);
    while (!done) {
        const struct cleat_feed *waiting = NULL;
        size_t count = 0;
        for (size_t i = 0; i < cache->feed_count; i++) {
            const struct cleat_feed *feed = cache->feeds[i];
            if (feed->synced || feed->leaving || feed->wider)
                continue;
            waiting = waiting ? waiting : feed;
            count++;
        }
        int64_t left_ms = until_ms - cleat_clock_mono_ms(cleat_clock_system());
        done = true;
        if (!waiting)
            r = 0;
        else if (cache->stopping)
            r = cleat_err_set(err, -ECANCELED, "cache %s stops", cache->name);
        else if (timeout_ms >= 0 && left_ms <= 0)
            r = cleat_err_set(err, -ETIMEDOUT, "cache %s: %zu not synced, %s%s%s first%s%s",
                              cache->name, count, waiting->store->resource.plural,
                              waiting->namespace_ ? " in " : "",
                              waiting->namespace_ ? waiting->namespace_ : "",
                              waiting->last_error.code ? ": " : "",
                              waiting->last_error.code ? waiting->last_error.text : "");
        else
            done = false;
        if (!done)
            (void)cleat_cond_wait_ms(&cache->changed, &cache->lock, timeout_ms < 0 ? -1 : left_ms);
    }
    cleat_lock_release(&cache->lock);
    return r;
}
