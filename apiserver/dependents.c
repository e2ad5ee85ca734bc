/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/dependents.h"

#include <errno.h>
#include <stdio.h>

#include "base/lock.h"
#include "base/map.h"
#include "base/mem.h"

#define DEPENDENTS_MAX 16000000

struct dependent_entry {
    struct cleat_api_resource *resource;
    size_t namespace_length;
    size_t name_length;
    size_t key_length;
    char *namespace_; /* in text */
    char *name;
    char text[]; /* key (uid, resource, namespace, name), namespace, name */
};

/* The dependents of one owner. */
struct dependent_owner {
    struct cleat_map entries;
    char uid[64];
};

struct cleat_api_dependents {
    struct cleat_lock lock;
    struct cleat_map owners; /* by uid */
};

int cleat_api_dependents_new(struct cleat_api_dependents **ret)
{
    struct cleat_api_dependents *dependents = cleat_mem_zalloc(1, sizeof(*dependents));
    if (!dependents)
        return -ENOMEM;
    cleat_lock_init(&dependents->lock, CLEAT_LOCK_APISERVER_WATCH);
    cleat_map_init(&dependents->owners, DEPENDENTS_MAX);
    *ret = dependents;
    return 0;
}

static void entry_free(struct dependent_entry *entry)
{
    (void)cleat_api_resource_unref(entry->resource);
    cleat_mem_free(entry);
}

static void owner_free(struct dependent_owner *owner)
{
    size_t cursor = 0;
    struct dependent_entry *entry = NULL;
    while ((entry = cleat_map_next(&owner->entries, &cursor, NULL)))
        entry_free(entry);
    cleat_map_fini(&owner->entries);
    cleat_mem_free(owner);
}

struct cleat_api_dependents *cleat_api_dependents_free(struct cleat_api_dependents *dependents)
{
    if (!dependents)
        return NULL;
    size_t cursor = 0;
    struct dependent_owner *owner = NULL;
    while ((owner = cleat_map_next(&dependents->owners, &cursor, NULL)))
        owner_free(owner);
    cleat_map_fini(&dependents->owners);
    cleat_lock_fini(&dependents->lock);
    return cleat_mem_free(dependents);
}

/* The key of a dependent among those of its owner; new, or NULL. */
static char *dependent_key(const struct cleat_api_resource *resource,
                           const struct cleat_api_record *record)
{
    return cleat_mem_format("%s/%s/%s", resource->group, resource->plural, record->key);
}

static int entry_new(struct cleat_api_resource *resource, const struct cleat_api_record *record,
                     struct dependent_entry **ret)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *key = dependent_key(resource, record);
    size_t key_length = key ? strlen(key) : 0;
    struct dependent_entry *entry =
        key ? cleat_mem_alloc(sizeof(*entry) + key_length + record->namespace_.length +
                              record->name.length + 3)
            : NULL;
    if (!entry)
        return -ENOMEM;
    entry->resource = cleat_api_resource_ref(resource);
    entry->key_length = key_length;
    memcpy(entry->text, key, key_length + 1);
    entry->namespace_ = entry->text + key_length + 1;
    entry->namespace_length = record->namespace_.length;
    memcpy(entry->namespace_, record->namespace_.data, entry->namespace_length);
    entry->namespace_[entry->namespace_length] = 0;
    entry->name = entry->namespace_ + entry->namespace_length + 1;
    entry->name_length = record->name.length;
    memcpy(entry->name, record->name.data, entry->name_length);
    entry->name[entry->name_length] = 0;
    *ret = entry;
    return 0;
}

static int dependents_owner(struct cleat_api_dependents *dependents, struct cleat_str uid,
                            struct dependent_owner **ret)
{
    *ret = cleat_map_get(&dependents->owners, uid);
    if (*ret)
        return 0;
    struct dependent_owner *owner = cleat_mem_zalloc(1, sizeof(*owner));
    if (!owner || uid.length >= sizeof(owner->uid)) {
        cleat_mem_free(owner);
        return owner ? -EINVAL : -ENOMEM;
    }
    memcpy(owner->uid, uid.data, uid.length);
    cleat_map_init(&owner->entries, DEPENDENTS_MAX);
    int result =
        cleat_map_set(&dependents->owners, (struct cleat_str){owner->uid, uid.length}, owner);
    if (result != 0)
        owner_free(owner);
    else
        *ret = owner;
    return result;
}

int cleat_api_dependents_add(struct cleat_api_dependents *dependents, struct cleat_str uid,
                             struct cleat_api_resource *resource,
                             const struct cleat_api_record *record)
{
    struct dependent_entry *entry = NULL;
    struct dependent_owner *owner = NULL;
    int result = entry_new(resource, record, &entry);
    if (result != 0)
        return result;
    struct cleat_str key = {entry->text, entry->key_length};
    cleat_lock_take(&dependents->lock);
    result = dependents_owner(dependents, uid, &owner);
    if (result == 0 && !cleat_map_get(&owner->entries, key)) {
        result = cleat_map_set(&owner->entries, key, entry);
        if (result == 0)
            entry = NULL;
    }
    cleat_lock_release(&dependents->lock);
    if (entry)
        entry_free(entry);
    return result;
}

void cleat_api_dependents_remove(struct cleat_api_dependents *dependents, struct cleat_str uid,
                                 const struct cleat_api_resource *resource,
                                 const struct cleat_api_record *record)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *key = dependent_key(resource, record);
    struct dependent_entry *entry = NULL;
    if (!key)
        return; /* a hint too many */
    cleat_lock_take(&dependents->lock);
    struct dependent_owner *owner = cleat_map_get(&dependents->owners, uid);
    if (owner)
        entry = cleat_map_remove(&owner->entries, cleat_str_of(key));
    if (owner && owner->entries.count == 0) {
        (void)cleat_map_remove(&dependents->owners, uid);
        owner_free(owner);
    }
    cleat_lock_release(&dependents->lock);
    if (entry)
        entry_free(entry);
}

static int dependent_copy(const struct dependent_entry *entry, struct cleat_api_dependent *ret)
{
    ret->resource = cleat_api_resource_ref(entry->resource);
    ret->namespace_ = cleat_mem_strndup(entry->namespace_, entry->namespace_length);
    ret->name = cleat_mem_strndup(entry->name, entry->name_length);
    return ret->namespace_ && ret->name ? 0 : -ENOMEM;
}

int cleat_api_dependents_of(struct cleat_api_dependents *dependents, struct cleat_str uid,
                            struct cleat_api_dependent **ret, size_t *ret_count)
{
    int result = 0;
    size_t count = 0;
    size_t cursor = 0;
    const struct dependent_entry *entry = NULL;
    cleat_lock_take(&dependents->lock);
    const struct dependent_owner *owner = cleat_map_get(&dependents->owners, uid);
    size_t most = owner ? owner->entries.count : 0;
    struct cleat_api_dependent *list = cleat_mem_zalloc(most + 1, sizeof(*list));
    if (!list)
        result = -ENOMEM;
    while (result == 0 && owner && (entry = cleat_map_next(&owner->entries, &cursor, NULL)))
        result = dependent_copy(entry, &list[count++]);
    cleat_lock_release(&dependents->lock);
    if (result != 0) {
        cleat_api_dependents_release(list, count);
        return result;
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

void cleat_api_dependents_release(struct cleat_api_dependent *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)cleat_api_resource_unref(list[i].resource);
        cleat_mem_free(list[i].namespace_);
        cleat_mem_free(list[i].name);
    }
    cleat_mem_free(list);
}
