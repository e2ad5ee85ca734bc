/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ingest thread: drives the transport's loop, gives each feed its turn, gives up what came
 * back, and does what others ask for.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "controller/cache.h"

#define INGEST_RETRY_MS 1000

static bool ingest_here(const struct cleat_cache *cache)
{
    return cleat_thread_is_self(&cache->ingest_thread);
}

static bool feed_wants_turn(const struct cleat_feed *feed, int64_t now_ms)
{
    if (feed->wider && !feed->leaving)
        return feed->number != UINT16_MAX && feed->due_mono_ms <= now_ms;
    return feed->leaving || feed->due_mono_ms <= now_ms || feed->store->behind;
}

/*
 * The feeds that have something to do in this turn: they are freed by this thread only.
 * *@ret_due_mono_ms: when the first of the others will have.
 */
static size_t ingest_feeds(struct cleat_cache *cache, int64_t now_ms, int64_t *ret_due_mono_ms,
                           bool *ret_stop)
{
    size_t count = 0;
    cleat_lock_take(&cache->lock);
    if (cache->feed_capacity > cache->turn_capacity) {
        struct cleat_feed **turns =
            cleat_mem_realloc(cache->turns, cache->feed_capacity * sizeof(struct cleat_feed *));
        cache->turns = turns ? turns : cache->turns;
        cache->turn_capacity = turns ? cache->feed_capacity : cache->turn_capacity;
    }
    for (size_t i = 0; i < cache->feed_count; i++) {
        struct cleat_feed *feed = cache->feeds[i];
        bool wants = feed_wants_turn(feed, now_ms);
        if (wants && count < cache->turn_capacity)
            cache->turns[count++] = feed;
        else if (wants) /* no memory to note it: soon again */
            *ret_due_mono_ms = now_ms + INGEST_RETRY_MS;
        else if (!feed->wider && feed->due_mono_ms < *ret_due_mono_ms)
            *ret_due_mono_ms = feed->due_mono_ms;
    }
    *ret_stop = cache->stopping;
    cleat_lock_release(&cache->lock);
    return count;
}

static void ingest_forget_feed(struct cleat_cache *cache, struct cleat_feed *feed)
{
    if (cleat__feed_leave(feed) < 0) {
        feed->due_mono_ms = cleat_clock_mono_ms(cache->clock) + INGEST_RETRY_MS;
        return;
    }
    cleat_lock_take(&cache->lock);
    size_t at = 0;
    while (cache->feeds[at] != feed)
        at++;
    cache->feeds[at] = cache->feeds[--cache->feed_count];
    struct cleat_feed *wider = feed->wider;
    if (wider && --wider->refs == 0)
        wider->leaving = true;
    cleat_lock_release(&cache->lock);
    cleat_cond_broadcast(&cache->changed);
    if (wider)
        wider->due_mono_ms = 0;
    (void)cleat__feed_free(feed);
}

/* One turn of a feed, or its end. When to come again. */
static int64_t ingest_turn_feed(struct cleat_cache *cache, struct cleat_feed *feed, int64_t now_ms)
{
    cleat_lock_take(&cache->lock);
    bool leaving = feed->leaving;
    bool served = feed->wider != NULL;
    cleat_lock_release(&cache->lock);
    if (leaving) {
        ingest_forget_feed(cache, feed);
        return now_ms + INGEST_RETRY_MS;
    }
    if (served) {
        feed->due_mono_ms = cleat__feed_leave(feed) < 0 ? now_ms + INGEST_RETRY_MS : INT64_MAX;
        return feed->due_mono_ms;
    }
    cleat__feed_turn(feed, cache->loop);
    return feed->due_mono_ms;
}

static int64_t ingest_turn(struct cleat_cache *cache, bool *ret_stop)
{
    int64_t due_ms = INT64_MAX;
    int64_t now_ms = cleat_clock_mono_ms(cache->clock);
    size_t count = ingest_feeds(cache, now_ms, &due_ms, ret_stop);
    for (size_t i = 0; i < count && !*ret_stop; i++)
        cache->turns[i]->store->behind = false;
    for (size_t i = 0; i < count && !*ret_stop; i++) {
        int64_t feed_ms = ingest_turn_feed(cache, cache->turns[i], now_ms);
        due_ms = feed_ms < due_ms ? feed_ms : due_ms;
    }
    cleat_lock_take(&cache->lock);
    for (size_t i = 0; i < cache->store_count; i++) /* somebody who left made others fall behind */
        due_ms = cache->stores[i]->behind ? now_ms : due_ms;
    cleat_lock_release(&cache->lock);
    cleat__ring_drain(&cache->events.ring);
    cleat__lender_drain(cache->lender);
    return due_ms;
}

static void ingest_tasks(struct cleat_cache *cache, bool cancel)
{
    cleat_lock_take(&cache->lock);
    struct cache_task *task = cache->tasks;
    cache->tasks = NULL;
    cleat_lock_release(&cache->lock);
    while (task) {
        struct cache_task *next = task->next;
        int result = cancel ? -ECANCELED : task->fn(task->arg);
        cleat_lock_take(&cache->lock);
        task->result = result;
        task->done = true;
        cleat_lock_release(&cache->lock);
        cleat_cond_broadcast(&cache->changed);
        task = next;
    }
}

int cleat__cache_ask(struct cleat_cache *cache, int (*fn)(void *arg), void *arg)
{
    struct cache_task task = {.fn = fn, .arg = arg, .result = -ECANCELED};
    if (ingest_here(cache))
        return fn(arg);
    cleat_lock_take(&cache->lock);
    if (!cache->started) { /* nobody writes yet, and nothing is there */
        int r = fn(arg);
        cleat_lock_release(&cache->lock);
        return r;
    }
    if (cache->stopping || cache->ended) {
        cleat_lock_release(&cache->lock);
        return -ECANCELED;
    }
    struct cache_task **at = &cache->tasks;
    while (*at)
        at = &(*at)->next;
    *at = &task;
    cleat_transport_loop_wake(cache->loop);
    while (!task.done) /* done by the thread, at the latest at its end */
        cleat_cond_wait(&cache->changed, &cache->lock);
    cleat_lock_release(&cache->lock);
    return task.result;
}

/* A cache that nobody fills would go on to be read as if it were true: never given up. */
static void ingest_pause(struct cleat_cache *cache, struct cleat_err *err)
{
    cleat_report(&cache->loop_failures, cache->log, CLEAT_LOG_ERROR, "watch loop broken, goes on",
                 cleat_log_text("cluster", cache->name), cleat_log_err(err));
    cleat_err_clear(err);
    cleat_lock_take(&cache->lock);
    if (!cache->stopping)
        (void)cleat_cond_wait_ms(&cache->changed, &cache->lock, INGEST_RETRY_MS);
    cleat_lock_release(&cache->lock);
}

void *cleat__cache_ingest(void *arg)
{
    struct cleat_cache *cache = arg;
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_transport_forbid_blocking();
    for (bool stop = false; !stop;) {
        ingest_tasks(cache, false);
        int64_t due_ms = ingest_turn(cache, &stop);
        if (stop)
            break;
        int64_t wait_ms = due_ms == INT64_MAX ? -1 : due_ms - cleat_clock_mono_ms(cache->clock);
        if (due_ms != INT64_MAX && wait_ms < 0)
            wait_ms = 0;
        if (cleat_transport_loop_run(cache->loop, wait_ms, &err) < 0)
            ingest_pause(cache, &err);
    }
    cleat_lock_take(&cache->lock);
    cache->ended = true;
    cleat_lock_release(&cache->lock);
    ingest_tasks(cache, true);
    return NULL;
}

/* Taking over. */

void cleat__cache_take_over(struct cleat_cache *cache, struct cleat_feed *feed)
{
    cleat_lock_take(&cache->lock);
    for (size_t i = 0; i < cache->feed_count && !feed->leaving; i++) {
        struct cleat_feed *other = cache->feeds[i];
        if (other == feed || other->leaving || other->wider || !cleat__feed_serves(feed, other))
            continue;
        other->wider = feed;
        other->due_mono_ms = 0;
        feed->refs++;
    }
    cleat_lock_release(&cache->lock);
    cleat_cond_broadcast(&cache->changed);
}

/* Indexes. */

struct index_task {
    struct cleat_store *store;
    struct cleat_index *index;
};

static int index_entry(struct cleat_store *store, struct cleat_index *index, uint32_t id)
{
    const struct store_entry *entry = cleat__store_entry(store, id);
    if (entry->feeds == CLEAT__SET_EMPTY || entry->root == CLEAT_REF_ABSENT)
        return 0;
    int r = cleat__index_collect(index, entry->root);
    if (r < 0)
        return r;
    cleat_rwlock_write(&store->lock);
    r = cleat__index_prepare(index, id);
    if (r == 0)
        cleat__index_commit(index, id);
    cleat_rwlock_write_release(&store->lock);
    return r;
}

static int index_build(void *arg)
{
    const struct index_task *task = arg;
    int r = 0;
    for (uint32_t id = 0; r == 0 && id < task->store->entries.count; id++)
        r = index_entry(task->store, task->index, id);
    if (r < 0) {
        (void)cleat__index_free(task->index);
        return r;
    }
    cleat_rwlock_write(&task->store->lock);
    task->index->next = task->store->indexes;
    task->store->indexes = task->index;
    cleat_rwlock_write_release(&task->store->lock);
    return 0;
}

int cleat_store_index(struct cleat_store *store, const char *name, cleat_index_fn fn,
                      struct cleat_index **ret, struct cleat_err *err)
{
    struct index_task task = {.store = store};
    cleat_assert(store->magic == CLEAT__STORE_MAGIC && name && fn);
    int r = cleat__index_new(store, store->lender, name, fn, &task.index);
    if (r == 0)
        r = store->cache ? cleat__cache_ask(store->cache, index_build, &task) : index_build(&task);
    if (r == -ECANCELED)
        (void)cleat__index_free(task.index);
    if (r < 0)
        return cleat_err_set(err, r, "index %s of %s: %s", name, store->resource.plural,
                             strerror(-r));
    *ret = task.index;
    return 0;
}
