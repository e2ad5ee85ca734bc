/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How entries change. Everything that can fail (memory for the entry, its set, its indexes, its
 * event) comes first; then the change is made in one go. Index functions run before the lock is
 * taken, holds are given up after it was released.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "controller/store.h"

/* A change on its way. */
struct store_put {
    struct cleat_store *store;
    const struct store_item *item;
    struct lender_version version; /* held until it is in the entry */
    uint32_t root;                 /* held until it is in the entry; absent: unreadable */
    uint32_t name;                 /* held until it is in the entry */
    uint32_t id;
    uint32_t hash;
    uint32_t set;
    uint32_t namespace_;
    uint16_t feed;
};

static void put_end(struct store_put *put)
{
    struct cleat__lender *lender = put->store->lender;
    for (struct cleat_index *index = put->store->indexes; index; index = index->next)
        cleat__index_forget(index);
    if (put->root != CLEAT_REF_ABSENT)
        cleat_pool_drop(lender->heap, put->root);
    if (put->name != CLEAT_REF_ABSENT)
        cleat_pool_drop(lender->heap, put->name);
    cleat__lender_version_drop(lender, put->version);
    put->version.is_text = false;
    put->root = put->name = CLEAT_REF_ABSENT;
}

static int put_begin(struct store_put *put, struct cleat_store *store, uint16_t feed,
                     const struct store_item *item)
{
    struct cleat__lender *lender = store->lender;
    *put = (struct store_put){.store = store, .item = item, .feed = feed, .root = item->root};
    if (put->root != CLEAT_REF_ABSENT)
        cleat_pool_hold(lender->heap, put->root);
    int r = cleat__lender_version(lender, item->version, &put->version);
    if (r == 0)
        put->id = cleat__store_find(store, item->namespace_, item->name, &put->hash);
    return r;
}

static int put_collect(struct store_put *put)
{
    int r = 0;
    for (struct cleat_index *index = put->store->indexes; r == 0 && index; index = index->next)
        r = cleat__index_collect(index, put->root);
    return r;
}

static int put_prepare_indexes(struct store_put *put)
{
    int r = 0;
    for (struct cleat_index *index = put->store->indexes; r == 0 && index; index = index->next)
        r = cleat__index_prepare(index, put->id);
    return r;
}

static void put_commit_indexes(struct store_put *put)
{
    for (struct cleat_index *index = put->store->indexes; index; index = index->next)
        cleat__index_commit(index, put->id);
}

/* Namespaces stay for the store's life: there are few. */
static int store_namespace(struct cleat_store *store, struct cleat_str name, uint32_t *ret)
{
    struct store_namespace *space = cleat_map_get(&store->namespace_map, name);
    if (space) {
        *ret = space->number;
        return 0;
    }
    if (store->namespace_count == store->namespace_capacity) {
        uint32_t capacity = store->namespace_capacity ? store->namespace_capacity * 2 : 8;
        struct store_namespace **spaces =
            cleat_mem_realloc(store->namespaces, capacity * sizeof(struct store_namespace *));
        if (!spaces)
            return -ENOMEM;
        store->namespaces = spaces;
        store->namespace_capacity = capacity;
    }
    space = cleat_mem_zalloc(1, sizeof(*space));
    char *copy = space ? cleat_mem_strndup(name.length > 0 ? name.data : "", name.length) : NULL;
    int r = copy ? 0 : -ENOMEM;
    if (r == 0) {
        *space = (struct store_namespace){copy, name.length, CLEAT__STORE_NONE, 0,
                                          store->namespace_count};
        r = cleat_map_set(&store->namespace_map, (struct cleat_str){copy, name.length}, space);
    }
    if (r < 0) {
        cleat_mem_free(copy);
        cleat_mem_free(space);
        return r;
    }
    store->namespaces[store->namespace_count++] = space;
    *ret = space->number;
    return 0;
}

static void entry_link(struct cleat_store *store, uint32_t id)
{
    struct store_entry *entry = cleat__store_entry(store, id);
    struct store_namespace *space = store->namespaces[entry->namespace_];
    entry->next = space->head;
    entry->previous = CLEAT__STORE_NONE;
    if (space->head != CLEAT__STORE_NONE)
        cleat__store_entry(store, space->head)->previous = id;
    space->head = id;
    space->count++;
}

/* The entry keeps its next. */
static void entry_unlink(struct cleat_store *store, uint32_t id)
{
    struct store_entry *entry = cleat__store_entry(store, id);
    struct store_namespace *space = store->namespaces[entry->namespace_];
    if (entry->previous != CLEAT__STORE_NONE)
        cleat__store_entry(store, entry->previous)->next = entry->next;
    else
        space->head = entry->next;
    if (entry->next != CLEAT__STORE_NONE)
        cleat__store_entry(store, entry->next)->previous = entry->previous;
    space->count--;
}

/* A free cell: one that was freed only where nobody walks who might stand on it. */
static int entry_reserve(struct cleat_store *store, uint32_t *ret)
{
    bool walked = atomic_load_explicit(&store->walkers, memory_order_acquire) > 0;
    if (store->free_entry == CLEAT__STORE_NONE || walked) {
        uint32_t id;
        int r = cleat__cells_extend(&store->entries, &id);
        if (r < 0)
            return r;
        cleat__store_entry(store, id)->next = CLEAT__STORE_NONE;
        cleat__store_entry(store, id)->previous = store->free_entry;
        store->free_entry = id;
    }
    *ret = store->free_entry;
    return 0;
}

/* What an event would say of the entry as it is. */
static struct ring_state entry_state(const struct store_entry *entry)
{
    return (struct ring_state){entry->root, (entry->flags & STORE_PARTIAL) != 0,
                               store_entry_version(entry)};
}

static void store_post(struct cleat_store *store, uint32_t id, const struct ring_post *event)
{
    const struct store_entry *entry = cleat__store_entry(store, id);
    if (!store->observed || !store->ring)
        return;
    struct ring_post post = *event;
    post.store = store->number;
    post.namespace_ = entry->namespace_;
    post.name = entry->name;
    post.flags |= id >= store->walk_cursor ? RING_UNSEEN : 0u;
    cleat__ring_post(store->ring, &post);
}

static int store_post_prepare(struct cleat_store *store, uint32_t namespace_, uint32_t name)
{
    if (!store->observed || !store->ring)
        return 0;
    return cleat__ring_prepare(store->ring, store->number, namespace_, name);
}

/* Under the lock: memory for a key that is new. */
static int put_prepare_new(struct store_put *put)
{
    struct cleat_store *store = put->store;
    if (store->live >= CLEAT_STORE_ENTRIES_MAX)
        return -ENOBUFS;
    int r = store_namespace(store, put->item->namespace_, &put->namespace_);
    if (r == 0)
        r = cleat__table_reserve(&store->table, put->hash);
    if (r == 0)
        r = cleat__sets_with(&store->sets, CLEAT__SET_EMPTY, put->feed, &put->set);
    if (r == 0)
        r = entry_reserve(store, &put->id);
    if (r == 0 && put->root != CLEAT_REF_ABSENT)
        r = put_prepare_indexes(put);
    if (r == 0)
        r = store_post_prepare(store, put->namespace_, put->name);
    return r;
}

static uint16_t put_flags(const struct store_put *put)
{
    bool partial = put->store->feeds[put->feed].partial;
    return (uint16_t)((put->version.is_text ? STORE_TEXT : 0) | (partial ? STORE_PARTIAL : 0) |
                      (put->root == CLEAT_REF_ABSENT ? STORE_UNREADABLE : 0));
}

/* The entry takes over what the put holds. */
static void put_commit_new(struct store_put *put)
{
    struct cleat_store *store = put->store;
    struct store_entry *entry = cleat__store_entry(store, put->id);
    store->free_entry = entry->previous;
    *entry = (struct store_entry){.version = put->version.number,
                                  .name = put->name,
                                  .root = put->root,
                                  .feeds = put->set,
                                  .namespace_ = put->namespace_,
                                  .hash = put->hash,
                                  .source = put->feed,
                                  .flags = put_flags(put)};
    int r = cleat__table_add(&store->table, put->hash, put->id);
    cleat_assert(r == 0); /* reserved */
    entry_link(store, put->id);
    cleat__sets_move(&store->sets, CLEAT__SET_EMPTY, put->set);
    store->live++;
    store->unreadable += put->root == CLEAT_REF_ABSENT;
    if (put->root != CLEAT_REF_ABSENT) {
        put_commit_indexes(put);
        struct ring_post post = {.type = CLEAT_EVENT_ADDED,
                                 .flags = put->item->initial ? RING_INITIAL : 0u,
                                 .now = entry_state(entry),
                                 .stage = put->item->stage};
        store_post(store, put->id, &post);
    }
    put->root = put->name = CLEAT_REF_ABSENT;
    put->version.is_text = false;
}

static int put_new(struct store_put *put)
{
    struct cleat_store *store = put->store;
    int r = cleat_heap_str(store->lender->heap, put->item->name, &put->name);
    if (r < 0) {
        put->name = CLEAT_REF_ABSENT;
        return r;
    }
    cleat_pool_hold(store->lender->heap, put->name);
    if (put->root != CLEAT_REF_ABSENT)
        r = put_collect(put);
    if (r < 0)
        return r;
    cleat_rwlock_write(&store->lock);
    r = put_prepare_new(put);
    if (r == 0)
        put_commit_new(put);
    cleat_rwlock_write_release(&store->lock);
    return r == 0 ? STORE_ADDED : r;
}

enum put_verdict {
    PUT_JOIN,   /* the feed holds the entry, nothing else changes */
    PUT_BEHIND, /* the same, and the entry is to catch up by a wider feed */
    PUT_TAKE,
};

static int version_order(struct lender_version a, struct lender_version b)
{
    if (!a.is_text && !b.is_text)
        return a.number < b.number ? -1 : a.number > b.number;
    /* Can't be compared: what the stream brings later is newer. */
    return a.is_text == b.is_text && a.number == b.number ? 0 : 1;
}

static enum put_verdict put_judge(struct store_put *put, const struct store_entry *entry)
{
    struct cleat_store *store = put->store;
    cleat_rwlock_read(&store->lock); /* other threads add feeds */
    uint32_t width = store->feeds[put->feed].width;
    uint32_t source_width = store->feeds[entry->source].width;
    cleat_rwlock_read_release(&store->lock);
    int order = version_order(put->version, store_entry_version(entry));
    if (order < 0)
        return PUT_JOIN;
    if (put->root == CLEAT_REF_ABSENT)
        return order > 0 || entry->root == CLEAT_REF_ABSENT ? PUT_TAKE : PUT_JOIN;
    if (entry->flags & STORE_UNREADABLE || entry->root == CLEAT_REF_ABSENT)
        return PUT_TAKE;
    if (order == 0)
        return width > source_width ? PUT_TAKE : PUT_JOIN;
    return width < source_width ? PUT_BEHIND : PUT_TAKE;
}

/* True where all that hold the entry have passed nothing newer than @version. */
static bool entry_caught_up(const struct cleat_store *store, const struct store_entry *entry,
                            struct lender_version version)
{
    const struct store_set *set = &store->sets.sets[entry->feeds];
    for (uint32_t i = 0; i < set->count; i++)
        if (version.is_text || store->feeds[set->feeds[i]].seen > version.number)
            return false;
    return true;
}

static void put_take_root(struct store_put *put, struct store_entry *entry)
{
    struct cleat_store *store = put->store;
    uint32_t root = entry->root;
    uint16_t behind = entry->flags & STORE_BEHIND;
    struct lender_version version = store_entry_version(entry);
    store->unreadable -= (entry->flags & STORE_UNREADABLE) != 0;
    store->unreadable += put->root == CLEAT_REF_ABSENT;
    if (behind && entry_caught_up(store, entry, put->version))
        behind = 0;
    entry->version = put->version.number;
    entry->flags = put_flags(put) | behind;
    put->version = version;
    if (put->root == CLEAT_REF_ABSENT)
        return; /* the last that could be read stays for events and indexes */
    entry->root = put->root;
    entry->source = put->feed;
    put->root = root;
}

/* Takes the new state; afterwards the put holds the old one. */
static enum store_change put_commit_take(struct store_put *put, struct store_entry *entry)
{
    struct ring_state old = entry_state(entry);
    bool unreadable = put->root == CLEAT_REF_ABSENT;
    if (!unreadable)
        put_commit_indexes(put);
    put_take_root(put, entry);
    if (unreadable || entry->root == old.root)
        return STORE_SAME;
    bool added = old.root == CLEAT_REF_ABSENT;
    struct ring_post post = {.type = added ? CLEAT_EVENT_ADDED : CLEAT_EVENT_UPDATED,
                             .flags = added && put->item->initial ? RING_INITIAL : 0u,
                             .old = old,
                             .now = entry_state(entry),
                             .stage = put->item->stage};
    if (added)
        post.old = (struct ring_state){.root = CLEAT_REF_ABSENT};
    store_post(put->store, put->id, &post);
    return added ? STORE_ADDED : STORE_UPDATED;
}

static int put_known(struct store_put *put)
{
    struct cleat_store *store = put->store;
    struct store_entry *entry = cleat__store_entry(store, put->id);
    enum put_verdict verdict = put_judge(put, entry);
    bool joined = cleat__sets_has(&store->sets, entry->feeds, put->feed);
    if (verdict == PUT_JOIN && joined)
        return STORE_SAME;
    int r = verdict == PUT_TAKE && put->root != CLEAT_REF_ABSENT ? put_collect(put) : 0;
    if (r < 0)
        return r;
    cleat_rwlock_write(&store->lock);
    r = cleat__sets_with(&store->sets, entry->feeds, put->feed, &put->set);
    if (r == 0 && verdict == PUT_TAKE && put->root != CLEAT_REF_ABSENT)
        r = put_prepare_indexes(put);
    if (r == 0)
        r = store_post_prepare(store, entry->namespace_, entry->name);
    if (r == 0) {
        cleat__sets_move(&store->sets, entry->feeds, put->set);
        entry->feeds = put->set;
        r = STORE_SAME;
        if (verdict == PUT_BEHIND)
            entry->flags |= STORE_BEHIND;
        else if (verdict == PUT_TAKE)
            r = (int)put_commit_take(put, entry);
    }
    cleat_rwlock_write_release(&store->lock);
    return r;
}

/* What the put holds at its end is dropped as what was lent may be. */
static void put_give_up(struct store_put *put)
{
    uint32_t root = put->root;
    put->root = CLEAT_REF_ABSENT;
    cleat__lender_drop(put->store->lender, root);
    put_end(put);
}

int cleat__store_put(struct cleat_store *store, uint16_t feed, const struct store_item *item,
                     uint32_t *ret_entry)
{
    struct store_put put;
    cleat_assert(item->root != CLEAT_REF_ABSENT && item->name.length > 0);
    int r = put_begin(&put, store, feed, item);
    if (r == 0)
        r = put.id == CLEAT__STORE_NONE ? put_new(&put) : put_known(&put);
    if (r >= 0)
        *ret_entry = put.id;
    put_give_up(&put);
    if (r > STORE_SAME)
        cleat__store_notify(store);
    return r;
}

int cleat__store_break(struct cleat_store *store, uint16_t feed, const struct store_item *item,
                       uint32_t *ret_entry)
{
    struct store_put put;
    struct store_item broken = *item;
    broken.root = CLEAT_REF_ABSENT;
    int r = put_begin(&put, store, feed, &broken);
    if (r == 0)
        r = put.id == CLEAT__STORE_NONE ? put_new(&put) : put_known(&put);
    if (r >= 0)
        *ret_entry = put.id;
    put_give_up(&put);
    return r < 0 ? r : 0;
}

void cleat__store_hole(struct cleat_store *store)
{
    cleat_rwlock_write(&store->lock);
    store->holes = true;
    cleat_rwlock_write_release(&store->lock);
}

/* How a feed leaves an entry. */
struct store_leave {
    struct cleat_store *store;
    uint16_t feed;
    unsigned flags; /* of the event */
    bool silent;
    struct ring_stage *stage;
};

/* The widest of those that go on holding the entry says from now on what is in it. */
static void leave_stay(const struct store_leave *leave, struct store_entry *entry)
{
    struct cleat_store *store = leave->store;
    const struct store_set *set = &store->sets.sets[entry->feeds];
    if (entry->source == leave->feed) {
        entry->source = set->feeds[0];
        for (uint32_t i = 1; i < set->count; i++)
            if (store->feeds[set->feeds[i]].width > store->feeds[entry->source].width)
                entry->source = set->feeds[i];
    }
    if (entry->flags & STORE_BEHIND) {
        entry->flags &= (uint16_t)~STORE_BEHIND;
        for (uint32_t i = 0; i < set->count; i++)
            store->feeds[set->feeds[i]].behind = true;
        store->behind = true;
    }
}

/* Takes the entry away; what it held is given up after the lock was released. */
static void leave_gone(const struct store_leave *leave, uint32_t id)
{
    struct cleat_store *store = leave->store;
    struct store_entry *entry = cleat__store_entry(store, id);
    if (!leave->silent && entry->root != CLEAT_REF_ABSENT) {
        struct ring_post post = {.type = CLEAT_EVENT_DELETED,
                                 .flags = leave->flags,
                                 .old = entry_state(entry),
                                 .stage = leave->stage};
        store_post(store, id, &post);
    }
    for (struct cleat_index *index = store->indexes; index; index = index->next)
        cleat__index_remove(index, id);
    cleat__table_remove(&store->table, entry->hash, id);
    entry_unlink(store, id);
    store->live--;
    store->unreadable -= (entry->flags & STORE_UNREADABLE) != 0;
    entry->previous = store->free_entry;
    store->free_entry = id;
}

static int store_leave_one(const struct store_leave *leave, uint32_t id)
{
    struct cleat_store *store = leave->store;
    struct store_entry *entry = cleat__store_entry(store, id);
    struct store_entry before = *entry;
    uint32_t set = CLEAT__SET_EMPTY;
    cleat_rwlock_write(&store->lock);
    int r = cleat__sets_without(&store->sets, entry->feeds, leave->feed, &set);
    if (r == 0 && set == CLEAT__SET_EMPTY && !leave->silent)
        r = store_post_prepare(store, entry->namespace_, entry->name);
    if (r == 0) {
        cleat__sets_move(&store->sets, entry->feeds, set);
        entry->feeds = set;
        if (set == CLEAT__SET_EMPTY)
            leave_gone(leave, id);
        else
            leave_stay(leave, entry);
    }
    cleat_rwlock_write_release(&store->lock);
    if (r < 0 || set != CLEAT__SET_EMPTY)
        return r < 0 ? r : STORE_SAME;
    cleat__lender_drop(store->lender, before.root);
    cleat__lender_version_drop(store->lender, store_entry_version(&before));
    cleat_pool_drop(store->lender->heap, before.name);
    return STORE_REMOVED;
}

int cleat__store_remove(struct cleat_store *store, uint16_t feed, const struct store_item *item)
{
    const struct store_leave leave = {.store = store, .feed = feed, .stage = item->stage};
    uint32_t id = cleat__store_find(store, item->namespace_, item->name, NULL);
    if (id == CLEAT__STORE_NONE ||
        !cleat__sets_has(&store->sets, cleat__store_entry(store, id)->feeds, feed))
        return STORE_SAME;
    int r = store_leave_one(&leave, id);
    if (r == STORE_REMOVED)
        cleat__store_notify(store);
    return r;
}

int cleat__store_sweep(struct cleat_store *store, uint16_t feed, const struct store_bits *seen,
                       struct cleat_str version)
{
    const struct store_leave leave = {.store = store, .feed = feed, .flags = RING_UNKNOWN};
    struct lender_version limit = {0, false};
    int r = cleat__lender_version(store->lender, version, &limit);
    for (uint32_t id = 0; r >= 0 && id < store->entries.count; id++) {
        const struct store_entry *entry = cleat__store_entry(store, id);
        bool newer =
            !limit.is_text && !(entry->flags & STORE_TEXT) && entry->version > limit.number;
        if (!newer && cleat__sets_has(&store->sets, entry->feeds, feed) &&
            !cleat__bits_has(seen, id))
            r = store_leave_one(&leave, id);
    }
    cleat__lender_version_drop(store->lender, limit);
    cleat__store_notify(store);
    return r < 0 ? r : 0;
}

/* 1 and not 0, which a server would take for "any" where it's sent as a precondition. */
void cleat__store_forget_versions(struct cleat_store *store, uint16_t feed)
{
    cleat_rwlock_write(&store->lock);
    store->feeds[feed].seen = 0;
    for (uint32_t id = 0; id < store->entries.count; id++) {
        struct store_entry *entry = cleat__store_entry(store, id);
        if (!(entry->flags & STORE_TEXT) && cleat__sets_has(&store->sets, entry->feeds, feed))
            entry->version = 1;
    }
    cleat_rwlock_write_release(&store->lock);
}

int cleat__store_leave(struct cleat_store *store, uint16_t feed)
{
    const struct store_leave leave = {.store = store, .feed = feed, .silent = true};
    int r = 0;
    for (uint32_t id = 0; r >= 0 && id < store->entries.count; id++)
        if (cleat__sets_has(&store->sets, cleat__store_entry(store, id)->feeds, feed))
            r = store_leave_one(&leave, id);
    cleat__store_notify(store);
    return r < 0 ? r : 0;
}
