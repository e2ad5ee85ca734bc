/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures of a resource. Those of the past are made of the present by undoing the history
 * backwards: what a key was at revision R is what the first event after R found there.
 */
#include <errno.h>
#include <stdlib.h>

#include "apiserver/registry.h"
#include "apiserver/watcher.h"
#include "base/map.h"
#include "base/mem.h"

void cleat_api_snapshot_fini(struct cleat_api_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++)
        (void)cleat_api_record_unref(snapshot->records[i]);
    cleat_mem_free(snapshot->records);
    *snapshot = (struct cleat_api_snapshot){0};
}

static bool snapshot_in(const struct cleat_api_record *record, struct cleat_str namespace_)
{
    return !namespace_.length || cleat_str_equal(record->namespace_, namespace_);
}

/* Where the wanted range of keys begins. */
static const struct cleat_api_node *snapshot_seek(const struct cleat_api_skiplist *objects,
                                                  struct cleat_str namespace_,
                                                  struct cleat_str after)
{
    if (after.length)
        return cleat_api_skiplist_seek(objects, after, true);
    char from[260];
    if (!namespace_.length || namespace_.length + 1 > sizeof(from))
        return cleat_api_skiplist_seek(objects, CLEAT_STR(""), false);
    memcpy(from, namespace_.data, namespace_.length);
    from[namespace_.length] = '/';
    return cleat_api_skiplist_seek(objects, (struct cleat_str){from, namespace_.length + 1}, false);
}

/* What a walk collects. */
struct snapshot_walk {
    const struct cleat_api_range *range;
    struct cleat_api_record **records; /* room for what may come */
    size_t count;
    size_t room;
    bool more; /* the range goes on */
};

static bool walk_full(struct snapshot_walk *walk)
{
    walk->more = walk->count == walk->room;
    return walk->more;
}

static int walk_init(struct snapshot_walk *walk, const struct cleat_api_range *range, size_t most)
{
    size_t room = range->max && range->max < most ? range->max : most;
    *walk = (struct snapshot_walk){.range = range, .room = room};
    walk->records = cleat_mem_alloc((room + 1) * sizeof(struct cleat_api_record *));
    return walk->records ? 0 : -ENOMEM;
}

static void walk_take(const struct snapshot_walk *walk, uint64_t revision,
                      struct cleat_api_snapshot *ret)
{
    *ret = (struct cleat_api_snapshot){
        .records = walk->records, .count = walk->count, .revision = revision, .more = walk->more};
}

static size_t snapshot_count(const struct cleat_api_node *node, struct cleat_str namespace_)
{
    size_t count = 0;
    for (; node && snapshot_in(node->record, namespace_); node = cleat_api_node_next(node))
        count++;
    return count;
}

int cleat__api_snapshot_now(struct cleat_api_registry *registry,
                            const struct cleat_api_resource *resource,
                            const struct cleat_api_range *range, struct cleat_api_snapshot *ret)
{
    struct snapshot_walk walk;
    const struct cleat_api_skiplist *objects = &resource->storage->objects;
    const struct cleat_api_node *node = snapshot_seek(objects, range->namespace_, range->after);
    /* Counting costs a walk; where all is wanted the number is known, and pages after the first
     * carry it along. */
    size_t most = !range->namespace_.length ? objects->count
                  : range->after.length     ? range->max
                                            : snapshot_count(node, range->namespace_);
    if (range->namespace_.length && range->after.length && !range->max)
        most = snapshot_count(node, range->namespace_);
    int result = walk_init(&walk, range, most);
    if (result != 0)
        return result;
    for (; node && snapshot_in(node->record, range->namespace_); node = cleat_api_node_next(node)) {
        if (walk_full(&walk))
            break;
        walk.records[walk.count++] = cleat_api_record_ref(node->record);
    }
    walk_take(&walk, registry->revision, ret);
    ret->total = range->after.length ? 0 : most;
    return 0;
}

static int past_order(const void *a, const void *b)
{
    struct cleat_api_record *const *left = a;
    struct cleat_api_record *const *right = b;
    return cleat_str_compare(cleat_str_of((*left)->key), cleat_str_of((*right)->key));
}

/* Fills @map (key → event) with the first event of each key after @revision. */
static int past_events(const struct cleat_api_history *history, uint64_t revision,
                       struct cleat_map *map)
{
    int result = 0;
    uint64_t end = history->first + history->count;
    for (uint64_t i = cleat_api_history_after(history, revision); result == 0 && i < end; i++) {
        const struct cleat_api_event *event = cleat_api_history_at(history, i);
        struct cleat_str key = cleat_str_of(event->new->key);
        if (!cleat_map_get(map, key))
            result = cleat_map_set(map, key, (void *)event);
    }
    return result;
}

static bool past_wanted(const struct cleat_api_record *record, const struct cleat_api_range *range)
{
    return snapshot_in(record, range->namespace_) &&
           (!range->after.length || cleat_str_compare(cleat_str_of(record->key), range->after) > 0);
}

/* What the changed keys of the range held, in order; borrowed. @ret is new. */
static int past_records(const struct cleat_map *map, const struct cleat_api_range *range,
                        struct cleat_api_record ***ret, size_t *ret_count)
{
    size_t cursor = 0;
    size_t count = 0;
    const struct cleat_api_event *event = NULL;
    struct cleat_api_record **records =
        cleat_mem_alloc((map->count + 1) * sizeof(struct cleat_api_record *));
    if (!records)
        return -ENOMEM;
    while ((event = cleat_map_next(map, &cursor, NULL)))
        if (event->old && past_wanted(event->old, range))
            records[count++] = event->old;
    qsort(records, count, sizeof(struct cleat_api_record *), past_order);
    *ret = records;
    *ret_count = count;
    return 0;
}

/* The next unchanged object from @node on. */
static const struct cleat_api_node *past_skip(const struct cleat_api_node *node,
                                              const struct cleat_map *map,
                                              struct cleat_str namespace_)
{
    while (node && snapshot_in(node->record, namespace_) &&
           cleat_map_get(map, cleat_str_of(node->record->key)))
        node = cleat_api_node_next(node);
    return node && snapshot_in(node->record, namespace_) ? node : NULL;
}

/* Merges what didn't change with what was. */
static void past_merge(struct snapshot_walk *walk, const struct cleat_api_skiplist *objects,
                       const struct cleat_map *map, struct cleat_api_record *const *past,
                       size_t past_count)
{
    const struct cleat_api_range *range = walk->range;
    const struct cleat_api_node *node =
        past_skip(snapshot_seek(objects, range->namespace_, range->after), map, range->namespace_);
    size_t i = 0;
    while ((node || i < past_count) && !walk_full(walk)) {
        bool from_past = !node || (i < past_count && past_order(&past[i], &node->record) < 0);
        walk->records[walk->count++] = cleat_api_record_ref(from_past ? past[i] : node->record);
        if (from_past)
            i++;
        else
            node = past_skip(cleat_api_node_next(node), map, range->namespace_);
    }
}

static int snapshot_past(const struct cleat_api_resource *resource,
                         const struct cleat_api_range *range, struct cleat_api_snapshot *ret)
{
    const struct cleat_api_storage *storage = resource->storage;
    if (range->revision < storage->history.compacted)
        return CLEAT_API_SNAPSHOT_EXPIRED;
    struct cleat_map map = CLEAT_MAP_INIT(SIZE_MAX / 2);
    struct cleat_api_record **past = NULL;
    size_t past_count = 0;
    struct snapshot_walk walk;
    int result = past_events(&storage->history, range->revision, &map);
    if (result == 0)
        result = past_records(&map, range, &past, &past_count);
    if (result == 0)
        result = walk_init(&walk, range, storage->objects.count + past_count);
    if (result == 0) {
        past_merge(&walk, &storage->objects, &map, past, past_count);
        walk_take(&walk, range->revision, ret);
    }
    cleat_mem_free(past);
    cleat_map_fini(&map);
    return result;
}

int cleat_api_registry_range(struct cleat_api_registry *registry,
                             const struct cleat_api_resource *resource,
                             const struct cleat_api_range *range, struct cleat_api_snapshot *ret)
{
    cleat_lock_take(&registry->lock);
    int result = range->revision == 0 || range->revision == registry->revision
                     ? cleat__api_snapshot_now(registry, resource, range, ret)
                     : snapshot_past(resource, range, ret);
    cleat_lock_release(&registry->lock);
    return result;
}
