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

int cleat__api_snapshot_now(struct cleat_api_registry *registry,
                            const struct cleat_api_resource *resource, struct cleat_str namespace_,
                            struct cleat_str after, struct cleat_api_snapshot *ret)
{
    const struct cleat_api_skiplist *objects = &resource->storage->objects;
    const struct cleat_api_node *first = snapshot_seek(objects, namespace_, after);
    size_t count = 0;
    for (const struct cleat_api_node *node = first; node && snapshot_in(node->record, namespace_);
         node = cleat_api_node_next(node))
        count++;
    struct cleat_api_record **records =
        cleat_mem_alloc((count + 1) * sizeof(struct cleat_api_record *));
    if (!records)
        return -ENOMEM;
    const struct cleat_api_node *node = first;
    for (size_t i = 0; i < count; i++, node = cleat_api_node_next(node))
        records[i] = cleat_api_record_ref(node->record);
    *ret = (struct cleat_api_snapshot){
        .records = records, .count = count, .revision = registry->revision};
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

static bool past_wanted(const struct cleat_api_record *record, struct cleat_str namespace_,
                        struct cleat_str after)
{
    return snapshot_in(record, namespace_) &&
           (!after.length || cleat_str_compare(cleat_str_of(record->key), after) > 0);
}

static void past_collect(const struct cleat_api_skiplist *objects, const struct cleat_map *map,
                         struct cleat_str namespace_, struct cleat_str after,
                         struct cleat_api_snapshot *snapshot)
{
    for (const struct cleat_api_node *node = snapshot_seek(objects, namespace_, after);
         node && snapshot_in(node->record, namespace_); node = cleat_api_node_next(node))
        if (!cleat_map_get(map, cleat_str_of(node->record->key)))
            snapshot->records[snapshot->count++] = cleat_api_record_ref(node->record);
    size_t cursor = 0;
    const struct cleat_api_event *event = NULL;
    while ((event = cleat_map_next(map, &cursor, NULL)))
        if (event->old && past_wanted(event->old, namespace_, after))
            snapshot->records[snapshot->count++] = cleat_api_record_ref(event->old);
}

static int snapshot_past(const struct cleat_api_resource *resource, struct cleat_str namespace_,
                         struct cleat_str after, uint64_t revision, struct cleat_api_snapshot *ret)
{
    const struct cleat_api_storage *storage = resource->storage;
    if (revision < storage->history.compacted)
        return CLEAT_API_SNAPSHOT_EXPIRED;
    struct cleat_map map = CLEAT_MAP_INIT(SIZE_MAX / 2);
    struct cleat_api_snapshot snapshot = {.revision = revision};
    int result = past_events(&storage->history, revision, &map);
    if (result == 0) {
        size_t most = storage->objects.count + map.count + 1;
        snapshot.records = cleat_mem_alloc(most * sizeof(struct cleat_api_record *));
        result = snapshot.records ? 0 : -ENOMEM;
    }
    if (result == 0) {
        past_collect(&storage->objects, &map, namespace_, after, &snapshot);
        qsort(snapshot.records, snapshot.count, sizeof(struct cleat_api_record *), past_order);
        *ret = snapshot;
    }
    cleat_map_fini(&map);
    return result;
}

int cleat_api_registry_snapshot(struct cleat_api_registry *registry,
                                const struct cleat_api_resource *resource,
                                struct cleat_str namespace_, struct cleat_str after,
                                uint64_t revision, struct cleat_api_snapshot *ret)
{
    cleat_lock_take(&registry->lock);
    int result = revision == 0 || revision == registry->revision
                     ? cleat__api_snapshot_now(registry, resource, namespace_, after, ret)
                     : snapshot_past(resource, namespace_, after, revision, ret);
    cleat_lock_release(&registry->lock);
    return result;
}
