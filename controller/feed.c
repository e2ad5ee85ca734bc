/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a feed is and what can be asked of it. What it does is in feed_turn.c.
 */
#include "controller/feed.h"

#include <errno.h>
#include <string.h>
#include <cleat/selector.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "controller/cache.h"

static bool feed_text(const char *text)
{
    return text && text[0];
}

static int feed_copy(char **ret, const char *text)
{
    if (!feed_text(text))
        return 0;
    *ret = cleat_mem_strdup(text);
    return *ret ? 0 : -ENOMEM;
}

static int feed_set_str(char **ret, struct cleat_str text)
{
    cleat_mem_free(*ret);
    *ret = cleat_mem_strndup(text.data, text.length);
    return *ret ? 0 : -ENOMEM;
}

/* One requirement of the field selector: a namespace goes into the path, a name narrows what the
 * feed covers. *@ret_left: it stays in the selector. */
static int feed_narrow_one(struct cleat_feed *feed, const struct cleat_field_selector *selector,
                           size_t index, bool *ret_left, struct cleat_err *err)
{
    struct cleat_str path, value;
    bool equal;
    cleat_field_selector_at(selector, index, &path, &value, &equal);
    *ret_left = true;
    if (equal && cleat_str_is(path, "metadata.name"))
        return feed_set_str(&feed->name, value);
    if (!equal || !cleat_str_is(path, "metadata.namespace"))
        return 0;
    if (feed->namespace_ && !cleat_str_is(value, feed->namespace_))
        return cleat_err_set(err, -EINVAL, "feed of namespace %s: selects namespace %.*s",
                             feed->namespace_, CLEAT_STR_ARG(value));
    *ret_left = false;
    return feed_set_str(&feed->namespace_, value);
}

/* Reads the field selector. @ret_others: requirements besides namespace and name. */
static int feed_narrow(struct cleat_feed *feed, bool *ret_others, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_field_selector_freep) struct cleat_field_selector *selector = NULL;
    *ret_others = false;
    if (!feed->field_selector)
        return 0;
    int r = cleat_field_selector_parse(cleat_str_of(feed->field_selector), &selector, err);
    size_t left = 0, count = r == 0 ? cleat_field_selector_count(selector) : 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        bool stays = true;
        r = feed_narrow_one(feed, selector, i, &stays, err);
        left += stays;
    }
    *ret_others = left > (feed->name ? 1u : 0u);
    if (r == 0 && left == 0)
        feed->field_selector = cleat_mem_free(feed->field_selector);
    return r;
}

static int feed_check_labels(const struct cleat_feed *feed, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_selector_freep) struct cleat_selector *selector = NULL;
    if (!feed->label_selector)
        return 0;
    return cleat_selector_parse(cleat_str_of(feed->label_selector), &selector, err);
}

static int feed_set_projection(struct cleat_feed *feed, const struct cleat_feed_options *options)
{
    if (options->projection) {
        feed->projection = cleat_projection_ref(options->projection);
        return 0;
    }
    return options->metadata_only ? cleat_projection_metadata(&feed->projection)
                                  : cleat_projection_default(&feed->projection);
}

int cleat__feed_new(struct cleat_cache *cache, struct cleat_store *store,
                    const struct cleat_feed_options *options, struct cleat_feed **ret,
                    struct cleat_err *err)
{
    struct cleat_feed *feed = cleat_mem_zalloc(1, sizeof(*feed));
    if (!feed)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    const struct ring_stage empty = CLEAT__RING_STAGE_INIT;
    bool others = false;
    feed->magic = CLEAT__FEED_MAGIC;
    feed->cache = cache;
    feed->store = store;
    feed->refs = 1;
    feed->stage = empty;
    feed->metadata_only = options->metadata_only;
    cleat_reporter_init(&feed->failures, cache->clock, CLEAT__FEED_REPORT_MS);
    cleat_reporter_init(&feed->broken_objects, cache->clock, CLEAT__FEED_REPORT_MS);
    int r = feed_copy(&feed->namespace_, options->namespace_);
    if (r == 0)
        r = feed_copy(&feed->label_selector, options->label_selector);
    if (r == 0)
        r = feed_copy(&feed->field_selector, options->field_selector);
    if (r == 0)
        r = feed_set_projection(feed, options);
    if (r == 0)
        r = feed_check_labels(feed, err);
    if (r == 0)
        r = feed_narrow(feed, &others, err);
    if (r == 0 && feed->namespace_ && !options->resource.namespaced)
        r = cleat_err_set(err, -EINVAL, "%s: cluster-scoped, but namespace \"%.100s\" was given",
                          options->resource.plural, feed->namespace_);
    feed->filtered = others || feed->label_selector;
    if (r < 0) {
        (void)cleat__feed_free(feed);
        return cleat_err_set(err, r, "feed of %s: %s", options->resource.plural, strerror(-r));
    }
    *ret = feed;
    return 0;
}

struct cleat_feed *cleat__feed_free(struct cleat_feed *feed)
{
    if (!feed)
        return NULL;
    cleat_assert(feed->magic == CLEAT__FEED_MAGIC);
    feed->magic = 0;
    feed->reflector = cleat__reflector_free(feed->reflector);
    cleat__bits_fini(&feed->seen);
    (void)cleat_projection_unref(feed->projection);
    cleat_mem_free(feed->namespace_);
    cleat_mem_free(feed->name);
    cleat_mem_free(feed->label_selector);
    cleat_mem_free(feed->field_selector);
    return cleat_mem_free(feed);
}

static bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool cleat__feed_same_objects(const struct cleat_feed *feed, const struct cleat_feed *like)
{
    return feed->store == like->store && text_equal(feed->namespace_, like->namespace_) &&
           text_equal(feed->label_selector, like->label_selector) &&
           text_equal(feed->field_selector, like->field_selector);
}

bool cleat__feed_overlaps(const struct cleat_feed *feed, const struct cleat_feed *other)
{
    if (feed->store != other->store)
        return false;
    if (feed->namespace_ && other->namespace_ && strcmp(feed->namespace_, other->namespace_) != 0)
        return false;
    return !feed->name || !other->name || strcmp(feed->name, other->name) == 0;
}

bool cleat__feed_serves(const struct cleat_feed *feed, const struct cleat_feed *like)
{
    return cleat__feed_same_objects(feed, like) && (!feed->metadata_only || like->metadata_only) &&
           cleat_projection_covers(feed->projection, like->projection);
}

/* Public. */

/* The feed that does the work; the cache's lock is held. */
static const struct cleat_feed *feed_server(const struct cleat_feed *feed)
{
    while (feed->wider)
        feed = feed->wider;
    return feed;
}

static enum cleat_feed_state feed_state(const struct cleat_feed *feed)
{
    int status = feed->last_error.http_status;
    if (status == 401 || status == 403)
        return CLEAT_FEED_FORBIDDEN;
    if (status == 404)
        return CLEAT_FEED_UNKNOWN;
    if (!feed->synced)
        return CLEAT_FEED_LOADING;
    return feed->behind_time ? CLEAT_FEED_STALE : CLEAT_FEED_SYNCED;
}

struct cleat_store *cleat_feed_store(const struct cleat_feed *feed)
{
    return feed->store;
}

bool cleat_feed_synced(const struct cleat_feed *feed)
{
    cleat_lock_take(&feed->cache->lock);
    bool synced = feed_server(feed)->synced;
    cleat_lock_release(&feed->cache->lock);
    return synced;
}

void cleat_feed_status(const struct cleat_feed *feed, struct cleat_feed_status *ret)
{
    struct cleat_store *store = feed->store;
    cleat_lock_take(&feed->cache->lock);
    const struct cleat_feed *server = feed_server(feed);
    *ret = (struct cleat_feed_status){
        .state = feed_state(server),
        .events = atomic_load_explicit(&server->events, memory_order_relaxed),
        .broken = atomic_load_explicit(&server->broken, memory_order_relaxed),
        .last_event_mono_ms =
            atomic_load_explicit(&server->last_event_mono_ms, memory_order_relaxed),
        .synced_mono_ms = server->synced_mono_ms,
        .last_error = server->last_error,
    };
    cleat_rwlock_read(&store->lock);
    ret->objects = cleat__sets_entries(&store->sets, server->number);
    cleat_rwlock_read_release(&store->lock);
    cleat_lock_release(&feed->cache->lock);
}

int cleat_feed_wait_synced(struct cleat_feed *feed, int64_t timeout_ms, struct cleat_err *err)
{
    struct cleat_cache *cache = feed->cache;
    const char *plural = feed->store->resource.plural;
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + timeout_ms;
    int r = cleat_transport_may_block("waiting for a feed", err);
    bool done = r < 0;
    cleat_lock_take(&cache->lock);
    while (!done) {
        const struct cleat_feed *server = feed_server(feed);
        enum cleat_feed_state state = feed_state(server);
        int64_t left_ms = until_ms - cleat_clock_mono_ms(cleat_clock_system());
        done = true;
        if (server->synced)
            r = 0;
        else if (state == CLEAT_FEED_FORBIDDEN)
            r = cleat_err_set(err, -EACCES, "%s: %s", plural, server->last_error.text);
        else if (state == CLEAT_FEED_UNKNOWN)
            r = cleat_err_set(err, -ENOENT, "%s: %s", plural, server->last_error.text);
        else if (cache->stopping)
            r = cleat_err_set(err, -ECANCELED, "%s: the cache stops", plural);
        else if (timeout_ms >= 0 && left_ms <= 0)
            r = cleat_err_set(err, -ETIMEDOUT, "%s: not synced after %lld ms%s%s", plural,
                              (long long)timeout_ms, server->last_error.code ? ": " : "",
                              server->last_error.code ? server->last_error.text : "");
        else
            done = false;
        if (!done)
            (void)cleat_cond_wait_ms(&cache->changed, &cache->lock, timeout_ms < 0 ? -1 : left_ms);
    }
    cleat_lock_release(&cache->lock);
    return r;
}

struct cleat_feed *cleat_feed_unref(struct cleat_feed *feed)
{
    if (!feed)
        return NULL;
    struct cleat_cache *cache = feed->cache;
    cleat_assert(feed->magic == CLEAT__FEED_MAGIC);
    cleat_lock_take(&cache->lock);
    cleat_assert(feed->refs > 0);
    bool last = --feed->refs == 0;
    feed->leaving = feed->leaving || last;
    cleat_lock_release(&cache->lock);
    if (last)
        cleat_transport_loop_wake(cache->loop);
    return NULL;
}
