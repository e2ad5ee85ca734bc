/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources and commits. A record is stamped with its revision under the lock, so that the order of
 * revisions is the order of the history.
 */
#include "apiserver/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "apiserver/watcher.h"
#include "base/check.h"
#include "base/mem.h"

int cleat_api_registry_init(struct cleat_api_registry *registry, const struct cleat_clock *clock,
                            size_t history_max)
{
    *registry = (struct cleat_api_registry){
        .clock = clock, .revision = 1, .history_max = history_max ? history_max : 100000};
    cleat_lock_init(&registry->lock, CLEAT_LOCK_APISERVER);
    registry->resources =
        cleat_mem_zalloc(CLEAT_API_RESOURCES_MAX, sizeof(struct cleat_api_resource *));
    return registry->resources ? 0 : -ENOMEM;
}

void cleat_api_registry_fini(struct cleat_api_registry *registry)
{
    for (size_t i = 0; i < registry->resource_count; i++)
        (void)cleat_api_resource_unref(registry->resources[i]);
    registry->resources = cleat_mem_free(registry->resources);
    registry->resource_count = 0;
    cleat_lock_fini(&registry->lock);
}

struct cleat_api_storage *cleat_api_storage_ref(struct cleat_api_storage *storage)
{
    atomic_fetch_add_explicit(&storage->refs, 1, memory_order_relaxed);
    return storage;
}

struct cleat_api_storage *cleat_api_storage_unref(struct cleat_api_storage *storage)
{
    if (!storage || atomic_fetch_sub_explicit(&storage->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    cleat_api_skiplist_fini(&storage->objects);
    cleat_api_history_fini(&storage->history);
    return cleat_mem_free(storage);
}

int cleat_api_resource_new(struct cleat_api_resource **ret)
{
    struct cleat_api_resource *resource = cleat_mem_zalloc(1, sizeof(*resource));
    if (!resource)
        return -ENOMEM;
    atomic_init(&resource->refs, 1);
    resource->storage = cleat_mem_zalloc(1, sizeof(*resource->storage));
    if (!resource->storage) {
        cleat_mem_free(resource);
        return -ENOMEM;
    }
    atomic_init(&resource->storage->refs, 1);
    *ret = resource;
    return 0;
}

struct cleat_api_resource *cleat_api_resource_ref(struct cleat_api_resource *resource)
{
    atomic_fetch_add_explicit(&resource->refs, 1, memory_order_relaxed);
    return resource;
}

struct cleat_api_resource *cleat_api_resource_unref(struct cleat_api_resource *resource)
{
    if (!resource || atomic_fetch_sub_explicit(&resource->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    if (resource->custom_free)
        resource->custom_free((void *)resource->custom);
    (void)cleat_api_storage_unref(resource->storage);
    return cleat_mem_free(resource);
}

void cleat_api_resource_share(struct cleat_api_resource *resource, struct cleat_api_resource *other)
{
    (void)cleat_api_storage_unref(resource->storage);
    resource->storage = cleat_api_storage_ref(other->storage);
}

const struct cleat_api_version *cleat_api_resource_version(
    const struct cleat_api_resource *resource, struct cleat_str version)
{
    for (size_t i = 0; i < resource->version_count; i++)
        if (resource->versions[i].served && cleat_str_is(version, resource->versions[i].name))
            return &resource->versions[i];
    return NULL;
}

/* The place of a resource among the ordered ones; @ret_found says whether it's there. */
static size_t registry_place(const struct cleat_api_registry *registry, struct cleat_str group,
                             struct cleat_str plural, bool *ret_found)
{
    size_t low = 0;
    size_t high = registry->resource_count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct cleat_api_resource *resource = registry->resources[middle];
        int order = cleat_str_compare(cleat_str_of(resource->group), group);
        if (order == 0)
            order = cleat_str_compare(cleat_str_of(resource->plural), plural);
        if (order == 0)
            *ret_found = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* @resource takes over the storage of the one that it replaces. */
static void registry_replace(struct cleat_api_registry *registry, size_t place,
                             struct cleat_api_resource *resource)
{
    struct cleat_api_resource *old = registry->resources[place];
    if (old->storage != resource->storage) {
        (void)cleat_api_storage_unref(resource->storage);
        resource->storage = cleat_api_storage_ref(old->storage);
    }
    registry->resources[place] = cleat_api_resource_ref(resource);
    (void)cleat_api_resource_unref(old);
}

static void registry_insert(struct cleat_api_registry *registry, size_t place,
                            struct cleat_api_resource *resource)
{
    for (size_t i = registry->resource_count; i > place; i--)
        registry->resources[i] = registry->resources[i - 1];
    registry->resources[place] = cleat_api_resource_ref(resource);
    registry->resource_count++;
}

int cleat_api_registry_add(struct cleat_api_registry *registry, struct cleat_api_resource *resource)
{
    bool found = false;
    int result = 0;
    cleat_lock_take(&registry->lock);
    size_t place = registry_place(registry, cleat_str_of(resource->group),
                                  cleat_str_of(resource->plural), &found);
    if (found)
        registry_replace(registry, place, resource);
    else if (registry->resource_count < CLEAT_API_RESOURCES_MAX)
        registry_insert(registry, place, resource);
    else
        result = -ENOBUFS;
    registry->resources_generation++;
    cleat_lock_release(&registry->lock);
    return result;
}

void cleat_api_registry_remove(struct cleat_api_registry *registry, const char *group,
                               const char *plural)
{
    bool found = false;
    struct cleat_api_resource *resource = NULL;
    cleat_lock_take(&registry->lock);
    size_t place = registry_place(registry, cleat_str_of(group), cleat_str_of(plural), &found);
    if (found) {
        resource = registry->resources[place];
        registry->resource_count--;
        for (size_t i = place; i < registry->resource_count; i++)
            registry->resources[i] = registry->resources[i + 1];
        cleat__api_watchers_end(resource->storage);
        registry->resources_generation++;
    }
    cleat_lock_release(&registry->lock);
    (void)cleat_api_resource_unref(resource);
}

struct cleat_api_resource *cleat_api_registry_find(struct cleat_api_registry *registry,
                                                   struct cleat_str group, struct cleat_str plural)
{
    bool found = false;
    cleat_lock_take(&registry->lock);
    size_t place = registry_place(registry, group, plural, &found);
    struct cleat_api_resource *resource =
        found ? cleat_api_resource_ref(registry->resources[place]) : NULL;
    cleat_lock_release(&registry->lock);
    return resource;
}

struct cleat_api_resource *cleat_api_registry_find_kind(struct cleat_api_registry *registry,
                                                        struct cleat_str group,
                                                        struct cleat_str kind)
{
    struct cleat_api_resource *found = NULL;
    cleat_lock_take(&registry->lock);
    for (size_t i = 0; !found && i < registry->resource_count; i++) {
        struct cleat_api_resource *resource = registry->resources[i];
        if (cleat_str_is(kind, resource->kind) && cleat_str_is(group, resource->group))
            found = cleat_api_resource_ref(resource);
    }
    cleat_lock_release(&registry->lock);
    return found;
}

int cleat_api_registry_all(struct cleat_api_registry *registry, struct cleat_api_resource ***ret,
                           size_t *ret_count)
{
    cleat_lock_take(&registry->lock);
    size_t count = registry->resource_count;
    struct cleat_api_resource **all =
        cleat_mem_zalloc(count + 1, sizeof(struct cleat_api_resource *));
    for (size_t i = 0; all && i < count; i++)
        all[i] = cleat_api_resource_ref(registry->resources[i]);
    cleat_lock_release(&registry->lock);
    if (!all)
        return -ENOMEM;
    *ret = all;
    *ret_count = count;
    return 0;
}

/* Writes the key of an object into @text, or an allocated one. */
static struct cleat_str registry_key(struct cleat_str namespace_, struct cleat_str name,
                                     char text[640])
{
    int length = namespace_.length ? snprintf(text, 640, "%.*s/%.*s", CLEAT_STR_ARG(namespace_),
                                              CLEAT_STR_ARG(name))
                                   : snprintf(text, 640, "%.*s", CLEAT_STR_ARG(name));
    /* Longer names than that aren't stored. */
    return length < 0 || length >= 640 ? CLEAT_STR("") : (struct cleat_str){text, (size_t)length};
}

struct cleat_api_record *cleat_api_registry_get(struct cleat_api_registry *registry,
                                                const struct cleat_api_resource *resource,
                                                struct cleat_str namespace_, struct cleat_str name)
{
    char text[640];
    struct cleat_str key = registry_key(namespace_, name, text);
    cleat_lock_take(&registry->lock);
    struct cleat_api_record *record = cleat_api_skiplist_get(&resource->storage->objects, key);
    if (record)
        (void)cleat_api_record_ref(record);
    cleat_lock_release(&registry->lock);
    return record;
}

/* 0, or why a new object may not come into its namespace. */
static int registry_guard(const struct cleat_api_registry *registry,
                          const struct cleat_api_record *new)
{
    if (!new->namespace_.length || !registry->namespaces)
        return 0;
    const struct cleat_api_record *namespace_ =
        cleat_api_skiplist_get(&registry->namespaces->storage->objects, new->namespace_);
    if (!namespace_)
        return CLEAT_API_COMMIT_NO_NAMESPACE;
    return namespace_->deleting ? CLEAT_API_COMMIT_TERMINATING : 0;
}

static int registry_store(struct cleat_api_registry *registry, struct cleat_api_storage *storage,
                          struct cleat_api_record *old, struct cleat_api_record *new,
                          struct cleat_api_record **ret)
{
    struct cleat_api_record *stamped = NULL;
    int result = cleat_api_record_at(new ? new : old, registry->revision + 1, &stamped);
    if (result != 0)
        return result;
    if (new)
        result = cleat_api_skiplist_set(&storage->objects, stamped);
    const struct cleat_api_event event = {
        .revision = stamped->version, .old = old, .new = stamped, .deleted = !new};
    if (result == 0)
        result = cleat_api_history_add(&storage->history, &event, registry->history_max);
    if (result == 0 && !new)
        cleat_api_skiplist_remove(&storage->objects, cleat_str_of(old->key));
    if (result != 0) {
        (void)cleat_api_record_unref(stamped);
        return result;
    }
    registry->revision++;
    *ret = stamped;
    return 0;
}

int cleat_api_registry_commit(struct cleat_api_registry *registry,
                              struct cleat_api_resource *resource, struct cleat_api_record *old,
                              struct cleat_api_record *new, bool guard,
                              struct cleat_api_record **ret)
{
    cleat_assert(old || new);
    struct cleat_api_storage *storage = resource->storage;
    struct cleat_api_record *stored = NULL;
    int result = 0;
    cleat_lock_take(&registry->lock);
    if (cleat_api_skiplist_get(&storage->objects, cleat_str_of((new ? new : old)->key)) != old)
        result = CLEAT_API_COMMIT_CHANGED;
    if (result == 0 && guard && !old)
        result = registry_guard(registry, new);
    if (result == 0)
        result = registry_store(registry, storage, old, new, &stored);
    if (result == 0)
        cleat__api_watchers_signal(storage);
    cleat_lock_release(&registry->lock);
    if (result == 0 && ret)
        *ret = stored;
    else
        (void)cleat_api_record_unref(stored);
    return result;
}

uint64_t cleat_api_registry_revision(struct cleat_api_registry *registry)
{
    cleat_lock_take(&registry->lock);
    uint64_t revision = registry->revision;
    cleat_lock_release(&registry->lock);
    return revision;
}

void cleat_api_registry_compact(struct cleat_api_registry *registry)
{
    cleat_lock_take(&registry->lock);
    for (size_t i = 0; i < registry->resource_count; i++)
        cleat_api_history_compact(&registry->resources[i]->storage->history, registry->revision);
    cleat_lock_release(&registry->lock);
}

void cleat_api_registry_wake(struct cleat_api_registry *registry, bool bookmark)
{
    cleat_lock_take(&registry->lock);
    for (size_t i = 0; i < registry->resource_count; i++)
        cleat__api_watchers_wake(registry->resources[i]->storage, bookmark);
    cleat_lock_release(&registry->lock);
}
