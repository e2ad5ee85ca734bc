/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, finding, and what a lack means.
 */
#include "controller/store.h"

#include <errno.h>
#include <string.h>
#include <cleat/projection.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"

int cleat__store_new(struct cleat__lender *lender, struct cleat__ring *ring, uint16_t number,
                     const struct cleat_resource *resource, struct cleat_store **ret)
{
    struct cleat_store *store = cleat_mem_zalloc(1, sizeof(*store));
    int r = store ? cleat__lender_kind(lender, &resource->gvk, &store->kind) : -ENOMEM;
    if (r < 0) {
        cleat_mem_free(store);
        return r;
    }
    store->magic = CLEAT__STORE_MAGIC;
    store->number = number;
    store->resource = *resource;
    store->lender = lender;
    store->ring = ring;
    store->entries.cell_bytes = sizeof(struct store_entry);
    store->free_entry = CLEAT__STORE_NONE;
    store->walk_cursor = CLEAT__STORE_NONE;
    cleat_map_init(&store->namespace_map, CLEAT_STORE_ENTRIES_MAX);
    cleat_rwlock_init(&store->lock, CLEAT_LOCK_STORE);
    cleat_lock_init(&store->wait_lock, CLEAT_LOCK_RING);
    cleat_cond_init(&store->wait_cond);
    *ret = store;
    return 0;
}

static void store_free_entries(struct cleat_store *store)
{
    for (uint32_t i = 0; i < store->entries.count; i++) {
        struct store_entry *entry = cleat__store_entry(store, i);
        if (entry->feeds == CLEAT__SET_EMPTY)
            continue;
        cleat__lender_drop(store->lender, entry->root);
        cleat__lender_version_drop(store->lender, store_entry_version(entry));
        cleat_pool_drop(store->lender->heap, entry->name);
    }
}

struct cleat_store *cleat__store_free(struct cleat_store *store)
{
    if (!store)
        return NULL;
    cleat_assert(store->magic == CLEAT__STORE_MAGIC && !store->handlers);
    while (store->indexes) {
        struct cleat_index *next = store->indexes->next;
        (void)cleat__index_free(store->indexes);
        store->indexes = next;
    }
    store_free_entries(store);
    for (uint32_t i = 0; i < store->namespace_count; i++) {
        cleat_mem_free(store->namespaces[i]->name);
        cleat_mem_free(store->namespaces[i]);
    }
    for (size_t i = 0; i < store->feed_count; i++) {
        cleat_mem_free(store->feeds[i].namespace_);
        cleat_mem_free(store->feeds[i].name);
        store->feeds[i].projection = cleat_projection_unref(store->feeds[i].projection);
    }
    cleat_mem_free(store->feeds);
    cleat_mem_free(store->namespaces);
    cleat_map_fini(&store->namespace_map);
    cleat__sets_fini(&store->sets);
    cleat__table_fini(&store->table);
    cleat__cells_fini(&store->entries);
    cleat_cond_fini(&store->wait_cond);
    cleat_lock_fini(&store->wait_lock);
    cleat_rwlock_fini(&store->lock);
    return cleat_mem_free(store);
}

struct store_probe {
    const struct cleat_store *store;
    struct cleat_str namespace_;
    struct cleat_str name;
};

static bool store_match(const void *arg, uint32_t id)
{
    const struct store_probe *probe = arg;
    const struct store_entry *entry = cleat__store_entry(probe->store, id);
    const struct store_namespace *space = probe->store->namespaces[entry->namespace_];
    struct cleat_value name = {probe->store->lender->heap, entry->name};
    return space->length == probe->namespace_.length &&
           (space->length == 0 ||
            memcmp(space->name, probe->namespace_.data, space->length) == 0) &&
           cleat_value_is_str(name, probe->name);
}

uint32_t cleat__store_find(const struct cleat_store *store, struct cleat_str namespace_,
                           struct cleat_str name, uint32_t *ret_hash)
{
    const struct store_probe probe = {store, namespace_, name};
    uint64_t wide = cleat_hash_more(cleat_hash_bytes(namespace_.data, namespace_.length), name.data,
                                    name.length);
    uint32_t hash = (uint32_t)(wide ^ wide >> 32);
    if (ret_hash)
        *ret_hash = hash;
    return cleat__table_find(&store->table, hash, store_match, &probe);
}

static bool feed_covers(const struct store_feed *feed, struct cleat_str namespace_,
                        struct cleat_str name)
{
    return feed->used && (!feed->namespace_ || cleat_str_is(namespace_, feed->namespace_)) &&
           (!feed->name || cleat_str_is(name, feed->name));
}

int cleat__store_lack(const struct cleat_store *store, struct cleat_str namespace_,
                      struct cleat_str name)
{
    bool covered = false, loading = false;
    for (size_t i = 0; i < store->feed_count; i++) {
        const struct store_feed *feed = &store->feeds[i];
        if (!feed_covers(feed, namespace_, name))
            continue;
        covered = true;
        if (feed->synced && !feed->filtered)
            return store->holes ? CLEAT_STORE_UNREADABLE : CLEAT_STORE_MISSING;
        loading = loading || !feed->synced;
    }
    if (!covered)
        return CLEAT_STORE_NOT_WATCHED;
    if (loading)
        return CLEAT_STORE_NOT_SYNCED;
    return store->holes ? CLEAT_STORE_UNREADABLE : CLEAT_STORE_MISSING;
}

/* Feeds. */

static bool projection_equal(const struct cleat_projection *a, const struct cleat_projection *b)
{
    return a == b || (cleat_projection_covers(a, b) && cleat_projection_covers(b, a));
}

/* A feed with the same projection as @feed, or NULL. Equal ones are shared: the same pointer. */
static const struct store_feed *store_feed_alike(const struct cleat_store *store,
                                                 const struct store_feed *feed)
{
    for (size_t i = 0; i < store->feed_count; i++) {
        const struct store_feed *other = &store->feeds[i];
        if (other != feed && other->used && projection_equal(other->projection, feed->projection))
            return other;
    }
    return NULL;
}

/* True where @feed is the first of those with its projection. */
static bool store_feed_leads(const struct cleat_store *store, const struct store_feed *feed)
{
    const struct store_feed *other = store->feeds;
    while (!other->used || other->projection != feed->projection)
        other++;
    return other == feed;
}

/* How many of the store's projections @projection covers without being the same. */
static uint32_t store_width(const struct cleat_store *store,
                            const struct cleat_projection *projection)
{
    uint32_t width = 0;
    for (size_t i = 0; i < store->feed_count; i++) {
        const struct store_feed *other = &store->feeds[i];
        if (other->used && other->projection != projection && store_feed_leads(store, other) &&
            cleat_projection_covers(projection, other->projection))
            width++;
    }
    return width;
}

/* A feed that covers another is wider than that one. Few projections, however many feeds. */
static void store_measure(struct cleat_store *store)
{
    for (size_t i = 0; i < store->feed_count; i++) {
        struct store_feed *feed = &store->feeds[i];
        if (!feed->used || !store_feed_leads(store, feed))
            continue;
        uint32_t width = store_width(store, feed->projection);
        for (size_t j = i; j < store->feed_count; j++)
            if (store->feeds[j].used && store->feeds[j].projection == feed->projection)
                store->feeds[j].width = width;
    }
}

/* Takes over what a feed with the same projection has; else all are measured anew. */
static void store_feed_join(struct cleat_store *store, struct store_feed *feed)
{
    const struct store_feed *alike = store_feed_alike(store, feed);
    if (!alike) {
        store_measure(store);
        return;
    }
    (void)cleat_projection_unref(feed->projection);
    feed->projection = alike->projection ? cleat_projection_ref(alike->projection) : NULL;
    feed->width = alike->width;
}

static int store_feed_slot(struct cleat_store *store, size_t *ret)
{
    size_t at = 0;
    while (at < store->feed_count && store->feeds[at].used)
        at++;
    if (at == store->feed_count) {
        if (at >= CLEAT__STORE_FEEDS_MAX)
            return -ENOBUFS;
        struct store_feed *feeds =
            cleat_mem_realloc(store->feeds, (at + 1) * sizeof(*store->feeds));
        if (!feeds)
            return -ENOMEM;
        store->feeds = feeds;
        store->feeds[at] = (struct store_feed){.used = false};
        store->feed_count++;
    }
    *ret = at;
    return 0;
}

static int store_feed_fill(struct store_feed *feed, const struct store_feed_options *options)
{
    *feed = (struct store_feed){.filtered = options->filtered, .partial = options->partial};
    if (options->namespace_)
        feed->namespace_ = cleat_mem_strdup(options->namespace_);
    if (options->name)
        feed->name = cleat_mem_strdup(options->name);
    if ((options->namespace_ && !feed->namespace_) || (options->name && !feed->name)) {
        cleat_mem_free(feed->namespace_);
        cleat_mem_free(feed->name);
        *feed = (struct store_feed){.used = false};
        return -ENOMEM;
    }
    if (options->projection)
        feed->projection = cleat_projection_ref(options->projection);
    feed->used = true;
    return 0;
}

int cleat__store_feed_add(struct cleat_store *store, const struct store_feed_options *options,
                          uint16_t *ret)
{
    size_t at = 0;
    cleat_rwlock_write(&store->lock);
    int r = store_feed_slot(store, &at);
    if (r == 0)
        r = store_feed_fill(&store->feeds[at], options);
    if (r == 0)
        store_feed_join(store, &store->feeds[at]);
    cleat_rwlock_write_release(&store->lock);
    if (r == 0)
        *ret = (uint16_t)at;
    return r;
}

void cleat__store_feed_remove(struct cleat_store *store, uint16_t feed)
{
    cleat_rwlock_write(&store->lock);
    struct store_feed *gone = &store->feeds[feed];
    bool last = store_feed_alike(store, gone) == NULL;
    cleat_assert(gone->used && cleat__sets_entries(&store->sets, feed) == 0);
    cleat_mem_free(gone->namespace_);
    cleat_mem_free(gone->name);
    (void)cleat_projection_unref(gone->projection);
    *gone = (struct store_feed){.used = false};
    if (last)
        store_measure(store);
    cleat_rwlock_write_release(&store->lock);
    cleat__store_notify(store);
}

void cleat__store_feed_synced(struct cleat_store *store, uint16_t feed, bool synced, bool stale)
{
    cleat_rwlock_write(&store->lock);
    store->feeds[feed].synced = synced;
    store->feeds[feed].stale = stale;
    cleat_rwlock_write_release(&store->lock);
    cleat__store_notify(store);
}

void cleat__store_feed_seen(struct cleat_store *store, uint16_t feed, struct cleat_str version)
{
    uint64_t number = 0;
    for (size_t i = 0; i < version.length && number < UINT64_MAX / 16; i++) {
        if (version.data[i] < '0' || version.data[i] > '9')
            return;
        number = number * 10 + (uint64_t)(version.data[i] - '0');
    }
    cleat_rwlock_write(&store->lock);
    if (number > store->feeds[feed].seen)
        store->feeds[feed].seen = number;
    cleat_rwlock_write_release(&store->lock);
    cleat__store_notify(store);
}

bool cleat__store_feed_behind(struct cleat_store *store, uint16_t feed)
{
    cleat_rwlock_read(&store->lock);
    bool behind = store->feeds[feed].behind;
    cleat_rwlock_read_release(&store->lock);
    if (behind) {
        cleat_rwlock_write(&store->lock);
        store->feeds[feed].behind = false;
        cleat_rwlock_write_release(&store->lock);
    }
    return behind;
}

bool cleat_store_synced(const struct cleat_store *store)
{
    struct cleat_store *shared = (struct cleat_store *)(uintptr_t)store; /* to take its lock */
    size_t used = 0;
    bool synced = true;
    cleat_rwlock_read(&shared->lock);
    for (size_t i = 0; i < store->feed_count; i++) {
        used += store->feeds[i].used;
        synced =
            synced && (!store->feeds[i].used || (store->feeds[i].synced && !store->feeds[i].stale));
    }
    cleat_rwlock_read_release(&shared->lock);
    return synced && used > 0;
}

const struct cleat_resource *cleat_store_resource(const struct cleat_store *store)
{
    return &store->resource;
}

void cleat_store_bytes(const struct cleat_store *store, size_t *ret_entries, size_t *ret_pool)
{
    struct cleat_store *shared = (struct cleat_store *)(uintptr_t)store; /* to take its lock */
    cleat_rwlock_read(&shared->lock);
    size_t bytes = sizeof(*store) + cleat__table_bytes(&store->table) +
                   cleat__cells_bytes(&store->entries) +
                   store->namespace_map.capacity * sizeof(struct cleat_map_slot);
    for (const struct cleat_index *index = store->indexes; index; index = index->next)
        bytes += cleat__index_bytes(index);
    cleat_rwlock_read_release(&shared->lock);
    if (ret_entries)
        *ret_entries = bytes;
    if (ret_pool)
        *ret_pool = atomic_load_explicit(&store->lender->bytes, memory_order_relaxed);
}
