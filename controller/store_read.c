/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How stores are read: by key, and by walks in batches, between which the lock is released. A walk
 * by namespace or index goes along a chain; what leaves the chain meanwhile keeps its link, and
 * nothing that was freed is used again while somebody walks, so that the walk always gets on. What
 * is there all the time is met exactly once; what comes or goes meanwhile may be met or not.
 */
#include <errno.h>

#include "base/check.h"
#include "base/mem.h"
#include "controller/store.h"

static struct cleat_store *store_check(struct cleat_store *store)
{
    cleat_assert(store && store->magic == CLEAT__STORE_MAGIC);
    return store;
}

static int entry_lend(const struct cleat_store *store, const struct store_entry *entry,
                      struct lender_object **ret)
{
    return cleat__lender_lend(store->lender, entry->root, store_entry_version(entry),
                              (entry->flags & STORE_PARTIAL) != 0, ret);
}

int cleat_store_lookup(struct cleat_store *store, struct cleat_str namespace_,
                       struct cleat_str name, struct cleat_object **ret)
{
    struct lender_object *lent = NULL;
    int r;
    cleat_rwlock_read(&store_check(store)->lock);
    uint32_t id = cleat__store_find(store, namespace_, name, NULL);
    if (id == CLEAT__STORE_NONE)
        r = cleat__store_lack(store, namespace_, name);
    else if (cleat__store_entry(store, id)->flags & STORE_UNREADABLE)
        r = CLEAT_STORE_UNREADABLE;
    else
        r = entry_lend(store, cleat__store_entry(store, id), &lent);
    cleat_rwlock_read_release(&store->lock);
    return r != 0 ? r : cleat__lender_settle_take(lent, store->kind, ret);
}

struct store_read {
    struct cleat_store *store;
    const struct cleat_store_query *query;
    uint32_t namespace_; /* number; CLEAT__STORE_NONE: all */
    uint32_t at;         /* entry, or node of the index */
    bool chained;
};

static const struct cleat_store_query everything = {0};

/* False where nothing can match. */
static bool read_begin(struct store_read *read, struct cleat_store *store,
                       const struct cleat_store_query *query)
{
    size_t count = 0;
    bool any = true;
    *read = (struct store_read){store_check(store), query ? query : &everything, CLEAT__STORE_NONE,
                                0, false};
    cleat_rwlock_read(&store->lock);
    if (read->query->namespace_) {
        const struct store_namespace *space =
            cleat_map_get(&store->namespace_map, cleat_str_of(read->query->namespace_));
        any = space != NULL;
        if (any) {
            read->namespace_ = space->number;
            read->at = space->head;
            read->chained = true;
        }
    }
    if (any && read->query->index) {
        cleat_assert(read->query->index->store == store);
        read->at =
            cleat__index_first(read->query->index, cleat_str_of(read->query->index_value), &count);
        read->chained = true;
    }
    if (any && read->chained)
        /* Relaxed: the lock orders it before the writer's look. */
        atomic_fetch_add_explicit(&store->walkers, 1, memory_order_relaxed);
    cleat_rwlock_read_release(&store->lock);
    return any;
}

static void read_end(struct store_read *read)
{
    if (read->chained)
        /* Release pairs with the writer's acquire: all looks come before anything is used again. */
        atomic_fetch_sub_explicit(&read->store->walkers, 1, memory_order_release);
}

/* The next entry of the walk, or CLEAT__STORE_NONE where there is none or it doesn't count. */
static uint32_t read_step(struct store_read *read)
{
    const struct cleat_store *store = read->store;
    uint32_t at = read->at;
    if (read->query->index) {
        const struct index_node *node = cleat__index_node(read->query->index, at);
        read->at = node->next;
        at = node->bucket == CLEAT__STORE_NONE ? CLEAT__STORE_NONE : node->entry;
    } else if (read->chained) {
        read->at = cleat__store_entry(store, at)->next;
    } else {
        read->at = at + 1 < store->entries.count ? at + 1 : CLEAT__STORE_NONE;
    }
    return at;
}

static bool read_matches(const struct store_read *read, const struct store_entry *entry)
{
    if (entry->feeds == CLEAT__SET_EMPTY || entry->flags & STORE_UNREADABLE)
        return false;
    if (read->namespace_ != CLEAT__STORE_NONE && entry->namespace_ != read->namespace_)
        return false;
    if (!read->query->labels)
        return true;
    struct cleat_value root = {read->store->lender->heap, entry->root};
    return cleat_selector_matches(read->query->labels,
                                  cleat_value_get(cleat_value_get(root, "metadata"), "labels"));
}

static bool read_over(const struct store_read *read)
{
    return read->at == CLEAT__STORE_NONE ||
           (!read->chained && read->at >= read->store->entries.count);
}

/* One batch of up to @max loans. 0 or -ENOMEM (with what was lent so far). */
static int read_batch(struct store_read *read, struct lender_object **lent, size_t max,
                      size_t *ret_count, bool *ret_over)
{
    int r = 0;
    *ret_count = 0;
    cleat_rwlock_read(&read->store->lock);
    for (size_t i = 0; r == 0 && i < CLEAT__STORE_BATCH && *ret_count < max && !read_over(read);
         i++) {
        uint32_t id = read_step(read);
        if (id == CLEAT__STORE_NONE || !read_matches(read, cleat__store_entry(read->store, id)))
            continue;
        r = entry_lend(read->store, cleat__store_entry(read->store, id), &lent[*ret_count]);
        *ret_count += r == 0;
    }
    *ret_over = read_over(read);
    cleat_rwlock_read_release(&read->store->lock);
    return r;
}

/* Hands a batch out; what isn't handed out any more is returned. */
static int read_hand_out(const struct store_read *read, struct lender_object **lent, size_t count,
                         int (*fn)(void *arg, struct cleat_object *object), void *arg)
{
    int r = 0;
    for (size_t i = 0; i < count; i++) {
        struct cleat_object *object = NULL;
        if (r != 0) {
            cleat__lender_return(lent[i]);
            continue;
        }
        r = cleat__lender_settle_take(lent[i], read->store->kind, &object);
        if (r == 0)
            r = fn(arg, object);
        (void)cleat_object_unref(object);
    }
    return r;
}

int cleat_store_each(struct cleat_store *store, const struct cleat_store_query *query,
                     int (*fn)(void *arg, struct cleat_object *object), void *arg)
{
    struct lender_object *lent[CLEAT__STORE_BATCH];
    struct store_read read;
    if (!read_begin(&read, store, query))
        return 0;
    size_t left = read.query->limit ? read.query->limit : SIZE_MAX;
    bool over = false;
    int r = 0;
    while (r == 0 && !over && left > 0) {
        size_t count = 0;
        size_t max = left < CLEAT__STORE_BATCH ? left : CLEAT__STORE_BATCH;
        int memory = read_batch(&read, lent, max, &count, &over);
        r = read_hand_out(&read, lent, count, fn, arg);
        r = r == 0 ? memory : r;
        left -= count;
    }
    read_end(&read);
    return r;
}

struct store_collect {
    struct cleat_object **objects;
    size_t count;
    size_t capacity;
};

static int collect_one(void *arg, struct cleat_object *object)
{
    struct store_collect *collect = arg;
    if (collect->count == collect->capacity) {
        size_t capacity = collect->capacity ? collect->capacity * 2 : 16;
        struct cleat_object **objects =
            cleat_mem_realloc(collect->objects, capacity * sizeof(struct cleat_object *));
        if (!objects)
            return -ENOMEM;
        collect->objects = objects;
        collect->capacity = capacity;
    }
    collect->objects[collect->count++] = cleat_object_ref(object);
    return 0;
}

int cleat_store_list(struct cleat_store *store, const struct cleat_store_query *query,
                     struct cleat_object ***ret, size_t *ret_count)
{
    struct store_collect collect = {0};
    int r = cleat_store_each(store, query, collect_one, &collect);
    if (r < 0) {
        cleat_store_list_free(collect.objects, collect.count);
        return r;
    }
    *ret = collect.objects;
    *ret_count = collect.count;
    return 0;
}

void cleat_store_list_free(struct cleat_object **objects, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)cleat_object_unref(objects[i]);
    cleat_mem_free(objects);
}

/* Counts without looking at entries, where that can be told. */
static bool count_known(struct cleat_store *store, const struct cleat_store_query *query,
                        size_t *ret)
{
    if (query->labels || query->limit || (query->index && query->namespace_))
        return false;
    bool known = true;
    cleat_rwlock_read(&store->lock);
    if (query->index) {
        (void)cleat__index_first(query->index, cleat_str_of(query->index_value), ret);
        known = store->unreadable == 0;
    } else if (query->namespace_) {
        const struct store_namespace *space =
            cleat_map_get(&store->namespace_map, cleat_str_of(query->namespace_));
        *ret = space ? space->count : 0;
        known = store->unreadable == 0;
    } else {
        *ret = store->live - store->unreadable;
    }
    cleat_rwlock_read_release(&store->lock);
    return known;
}

size_t cleat_store_count(struct cleat_store *store, const struct cleat_store_query *query)
{
    struct store_read read;
    size_t count = 0;
    if (count_known(store_check(store), query ? query : &everything, &count))
        return count;
    count = 0;
    if (!read_begin(&read, store, query))
        return 0;
    size_t limit = read.query->limit ? read.query->limit : SIZE_MAX;
    for (bool over = false; !over && count < limit;) {
        cleat_rwlock_read(&store->lock);
        for (size_t i = 0; i < CLEAT__STORE_BATCH && !read_over(&read) && count < limit; i++) {
            uint32_t id = read_step(&read);
            count += id != CLEAT__STORE_NONE && read_matches(&read, cleat__store_entry(store, id));
        }
        over = read_over(&read);
        cleat_rwlock_read_release(&store->lock);
    }
    read_end(&read);
    return count;
}
