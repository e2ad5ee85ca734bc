/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a feed does, on the ingest thread: runs its reflector, puts what that shows into the store,
 * and tells how it goes.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "controller/cache.h"
#include "controller/feed.h"

#define FEED_MEMORY_MS 1000
#define FEED_TRIM_BYTES ((size_t)8 << 20)

static void feed_count(_Atomic(uint64_t) *figure)
{
    atomic_fetch_add_explicit(figure, 1, memory_order_relaxed);
}

/* What the reflector shows. */

/*
 * PartialObjectMetadata says nothing of what else there is: it isn't absent, it wasn't kept. Roots
 * of nothing but metadata get the usual members in that sense.
 */
static uint32_t feed_mark_rest(const struct cleat_feed *feed, struct cleat_value root)
{
    struct cleat_heap *heap = feed->store->lender->heap;
    uint32_t not_kept = cleat_heap_not_kept(heap);
    uint32_t ref = CLEAT_REF_ABSENT;
    struct cleat_value metadata = cleat_value_get(root, "metadata");
    if (!feed->metadata_only || cleat_value_count(root) != 1 || !cleat_value_is_present(metadata))
        return root.ref;
    const struct cleat_member members[] = {{CLEAT_STR("metadata"), metadata.ref},
                                           {CLEAT_STR("spec"), not_kept},
                                           {CLEAT_STR("status"), not_kept},
                                           {CLEAT_STR("data"), not_kept}};
    if (cleat_heap_object(heap, members, sizeof(members) / sizeof(members[0]), &ref) < 0)
        return root.ref;
    /* Held and dropped: frees the bare root, whose metadata the new one keeps. */
    cleat_pool_hold(heap, root.ref);
    cleat_pool_hold(heap, ref);
    cleat_pool_drop(heap, root.ref);
    return ref;
}

static int feed_put(struct cleat_feed *feed, const struct cleat_parser_item *item,
                    struct store_item *of)
{
    struct cleat_heap *heap = feed->store->lender->heap;
    uint32_t entry = CLEAT__STORE_NONE;
    of->root = feed_mark_rest(feed, item->root);
    if (of->root == item->root.ref)
        cleat_pool_hold(heap, of->root);
    int r = cleat__store_put(feed->store, feed->number, of, &entry);
    cleat_pool_drop(heap, of->root);
    if (r >= 0 && (!feed->synced || feed->relisting))
        r = cleat__bits_set(&feed->seen, entry);
    return r;
}

/* The last state is parsed in vain. It may be the very root that the entry gives up: held first. */
static int feed_remove(struct cleat_feed *feed, const struct cleat_parser_item *item,
                       const struct store_item *of)
{
    struct cleat_heap *heap = feed->store->lender->heap;
    uint32_t root = item->root.heap == heap ? item->root.ref : CLEAT_REF_ABSENT;
    if (root != CLEAT_REF_ABSENT)
        cleat_pool_hold(heap, root);
    int r = cleat__store_remove(feed->store, feed->number, of);
    cleat__lender_drop(feed->store->lender, root);
    return r < 0 ? r : 0;
}

static int feed_break(struct cleat_feed *feed, const struct cleat_parser_item *item,
                      const struct store_item *of)
{
    uint32_t entry = CLEAT__STORE_NONE;
    feed_count(&feed->broken);
    feed_count(&feed->store->figures.broken);
    cleat_report(&feed->broken_objects, feed->cache->log, CLEAT_LOG_WARN, "object can't be kept",
                 cleat_log_text("cluster", feed->cache->name),
                 cleat_log_text("resource", feed->store->resource.plural),
                 cleat_log_str("namespace", of->namespace_), cleat_log_str("name", of->name),
                 cleat_log_err(item->broken));
    if (of->name.length == 0 || cleat_str_is(item->type, "DELETED")) {
        if (of->name.length == 0 || cleat__store_remove(feed->store, feed->number, of) < 0)
            cleat__store_hole(feed->store);
        return 0;
    }
    if (cleat__store_break(feed->store, feed->number, of, &entry) < 0 ||
        cleat__bits_set(&feed->seen, entry) < 0)
        cleat__store_hole(feed->store); /* not even the key: nothing is known to be missing */
    return 0;
}

static int feed_on_item(void *arg, enum reflector_what what, const struct cleat_parser_item *item)
{
    struct cleat_feed *feed = arg;
    struct store_item of = {
        .namespace_ = feed->store->resource.namespaced ? item->namespace_ : CLEAT_STR(""),
        .name = item->name,
        .version = item->resource_version,
        .initial = !feed->synced,
        .stage = feed->relisting ? &feed->stage : NULL,
    };
    feed_count(&feed->events);
    feed_count(&feed->store->figures.events);
    int r = 0;
    if (what == REFLECTOR_BROKEN)
        return feed_break(feed, item, &of);
    if (what == REFLECTOR_DELETE)
        return feed_remove(feed, item, &of);
    r = feed_put(feed, item, &of);
    if (r == -ENOBUFS) { /* full: goes on without, and says so */
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_parser_item broken = *item;
        (void)cleat_err_set(&err, r, "the cache is full");
        broken.broken = &err;
        return feed_break(feed, &broken, &of);
    }
    return r < 0 ? r : 0;
}

static void feed_on_begin(void *arg)
{
    struct cleat_feed *feed = arg;
    cleat__bits_clear(&feed->seen);
    feed->relisting = feed->synced;
    if (feed->synced)
        feed_count(&feed->store->figures.relists);
}

static void feed_on_history_lost(void *arg)
{
    struct cleat_feed *feed = arg;
    cleat_warn(feed->cache->log, "server has lost its history, everything is read again",
               cleat_log_text("cluster", feed->cache->name),
               cleat_log_text("resource", feed->store->resource.plural),
               cleat_log_text("namespace", feed->namespace_));
    cleat__store_forget_versions(feed->store, feed->number);
}

static void feed_on_broken_off(void *arg)
{
    struct cleat_feed *feed = arg;
    feed->relisting = false;
    cleat__ring_release(feed->store->ring, &feed->stage);
}

static void feed_tell_synced(struct cleat_feed *feed)
{
    struct cleat_cache *cache = feed->cache;
    struct cleat__ring *ring = feed->store->ring;
    cleat_lock_take(&ring->lock);
    feed->store->sync_mark = ring->pushed;
    cleat_lock_release(&ring->lock);
    cleat__store_feed_synced(feed->store, feed->number, true, false);
    cleat_lock_take(&cache->lock);
    feed->synced = true;
    feed->synced_mono_ms = cleat_clock_mono_ms(cache->clock);
    cleat_lock_release(&cache->lock);
    cleat_cond_broadcast(&cache->changed);
    cleat_debug(cache->log, "feed synced", cleat_log_text("cluster", cache->name),
                cleat_log_text("resource", feed->store->resource.plural),
                cleat_log_text("namespace", feed->namespace_));
}

/* After a load that grew tables much, the holes that they left go back to the system. */
static void feed_trim(struct cleat_cache *cache)
{
    size_t bytes = cleat_heap_bytes(cache->lender->heap);
    if (bytes < cache->trimmed_bytes + FEED_TRIM_BYTES)
        return;
    cache->trimmed_bytes = bytes;
    cleat_mem_trim();
}

static int feed_on_loaded(void *arg, struct cleat_str version)
{
    struct cleat_feed *feed = arg;
    bool first = !feed->synced;
    int r = cleat__store_sweep(feed->store, feed->number, &feed->seen, version);
    if (r < 0)
        return r;
    feed->relisting = false;
    cleat__ring_release(feed->store->ring, &feed->stage);
    cleat__bits_fini(&feed->seen);
    feed_trim(feed->cache);
    if (first) {
        feed_tell_synced(feed);
        cleat__cache_take_over(feed->cache, feed);
    }
    return 0;
}

static void feed_on_seen(void *arg, struct cleat_str version)
{
    struct cleat_feed *feed = arg;
    cleat__store_feed_seen(feed->store, feed->number, version);
}

static void feed_on_state(void *arg, const struct cleat_err *err)
{
    struct cleat_feed *feed = arg;
    struct cleat_cache *cache = feed->cache;
    cleat_lock_take(&cache->lock);
    bool was_broken = feed->broken_mono_ms != 0;
    bool was_stale = feed->behind_time;
    if (err) {
        feed->last_error = *err;
        if (!was_broken)
            feed->broken_mono_ms = cleat_clock_mono_ms(cache->clock);
    } else {
        cleat_err_clear(&feed->last_error);
        feed->broken_mono_ms = 0;
        feed->behind_time = false;
    }
    cleat_lock_release(&cache->lock);
    cleat_cond_broadcast(&cache->changed);
    if (err)
        feed_count(&feed->store->figures.failures);
    if (err)
        cleat_report(&feed->failures, cache->log, CLEAT_LOG_WARN, "watch broken, goes on trying",
                     cleat_log_text("cluster", cache->name),
                     cleat_log_text("resource", feed->store->resource.plural),
                     cleat_log_text("namespace", feed->namespace_), cleat_log_err(err));
    else if (was_broken)
        cleat_info(cache->log, "watch works again", cleat_log_text("cluster", cache->name),
                   cleat_log_text("resource", feed->store->resource.plural),
                   cleat_log_text("namespace", feed->namespace_));
    if (!err) {
        cleat_reporter_reset(&feed->failures);
        if (was_stale)
            cleat__store_feed_synced(feed->store, feed->number, feed->synced, false);
    }
}

/* Streams. */

static void feed_on_head(void *arg, int code, const struct cleat_err *err)
{
    struct cleat_feed *feed = arg;
    cleat__reflector_head(feed->reflector, code);
    feed->due_mono_ms = 0;
}

static int feed_on_bytes(void *arg, const char *bytes, size_t length)
{
    struct cleat_feed *feed = arg;
    atomic_store_explicit(&feed->last_event_mono_ms, cleat_clock_mono_ms(feed->cache->clock),
                          memory_order_relaxed);
    feed->due_mono_ms = 0;
    return cleat__reflector_bytes(feed->reflector, bytes, length);
}

static void feed_on_end(void *arg, int result, const struct cleat_err *err)
{
    struct cleat_feed *feed = arg;
    feed->stream = NULL;
    feed->due_mono_ms = 0;
    cleat__reflector_end(feed->reflector, result, err);
}

static void feed_cut(struct cleat_feed *feed)
{
    if (feed->stream)
        cleat_transport_stream_cut(feed->stream);
    feed->stream = NULL;
}

static void feed_request(struct cleat_feed *feed, struct cleat_transport_loop *loop,
                         const struct reflector_request *request)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_transport_stream_options options = {
        .path_and_query = request->path_and_query,
        .accept = request->accept,
        .gzip = request->gzip,
        .stall_ms = request->stall_ms,
        .head_ms = request->head_ms,
        .timeout_ms = request->timeout_ms,
    };
    const struct cleat_transport_stream_ops ops = {
        .on_head = feed_on_head, .on_bytes = feed_on_bytes, .on_end = feed_on_end, .arg = feed};
    int r = cleat_transport_stream_start(loop, &options, &ops, &feed->stream, &err);
    if (strstr(request->path_and_query, "watch=")) {
        if (feed->watched)
            feed_count(&feed->store->figures.restarts);
        feed->watched = true;
    }
    if (r < 0) {
        feed->stream = NULL;
        cleat__reflector_refused(feed->reflector, r, &err);
    }
}

static int feed_make_reflector(struct cleat_feed *feed)
{
    const struct reflector_options options = {
        .clock = feed->cache->clock,
        .resource = &feed->store->resource,
        .namespace_ = feed->namespace_,
        .label_selector = feed->label_selector,
        .field_selector = feed->field_selector,
        .metadata_only = feed->metadata_only,
        .no_watch_list = feed->cache->no_watch_list,
        .heap = feed->store->lender->heap,
        .projection = feed->projection,
        .ops = {.on_item = feed_on_item,
                .on_begin = feed_on_begin,
                .on_loaded = feed_on_loaded,
                .on_history_lost = feed_on_history_lost,
                .on_broken_off = feed_on_broken_off,
                .on_seen = feed_on_seen,
                .on_state = feed_on_state,
                .arg = feed},
    };
    return cleat__reflector_new(&options, &feed->reflector, NULL);
}

static void feed_check_stale(struct cleat_feed *feed, int64_t now_ms)
{
    struct cleat_cache *cache = feed->cache;
    if (feed->broken_mono_ms == 0 || feed->behind_time || !feed->synced)
        return;
    int64_t stale_ms = feed->broken_mono_ms + CLEAT__FEED_STALE_MS;
    if (now_ms < stale_ms) {
        feed->due_mono_ms = stale_ms < feed->due_mono_ms ? stale_ms : feed->due_mono_ms;
        return;
    }
    cleat_lock_take(&cache->lock);
    feed->behind_time = true;
    cleat_lock_release(&cache->lock);
    cleat__store_feed_synced(feed->store, feed->number, true, true);
}

void cleat__feed_turn(struct cleat_feed *feed, struct cleat_transport_loop *loop)
{
    int64_t now_ms = cleat_clock_mono_ms(feed->cache->clock);
    feed->due_mono_ms = now_ms + FEED_MEMORY_MS;
    if (!feed->reflector && feed_make_reflector(feed) < 0)
        return; /* no memory: soon again */
    if (cleat__store_feed_behind(feed->store, feed->number))
        cleat__reflector_reload(feed->reflector);
    for (int step = REFLECTOR_CUT; step == REFLECTOR_CUT || step == REFLECTOR_REQUEST;) {
        struct reflector_request request;
        int64_t due_ms = feed->due_mono_ms;
        step = cleat__reflector_next(feed->reflector, &request, &due_ms);
        if (step == REFLECTOR_REQUEST)
            feed_request(feed, loop, &request);
        else if (step == REFLECTOR_CUT)
            feed_cut(feed);
        else if (step == REFLECTOR_WAIT)
            feed->due_mono_ms = due_ms;
    }
    feed_check_stale(feed, now_ms);
}

int cleat__feed_leave(struct cleat_feed *feed)
{
    feed_cut(feed);
    feed->reflector = cleat__reflector_free(feed->reflector);
    if (feed->number == UINT16_MAX)
        return 0;
    cleat__ring_release(feed->store->ring, &feed->stage);
    int r = cleat__store_leave(feed->store, feed->number);
    if (r < 0)
        return r;
    cleat__store_feed_remove(feed->store, feed->number);
    feed->number = UINT16_MAX;
    return 0;
}
