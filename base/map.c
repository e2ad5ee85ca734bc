/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear probing. Invariant: between an entry's home slot and its place no slot is free; removal
 * shifts later entries back instead of leaving marks, so that look-ups never degrade.
 */
#include "base/map.h"

#include <errno.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#define MAP_CAPACITY_FIRST 8

void cleat_map_init(struct cleat_map *map, size_t count_max)
{
    *map = (struct cleat_map)CLEAT_MAP_INIT(count_max);
}

void cleat_map_fini(struct cleat_map *map)
{
    cleat_mem_free(map->slots);
    cleat_map_init(map, map->count_max);
}

/* The slot that holds @key, or the free one where it belongs. The table isn't full. */
static size_t map_find(const struct cleat_map *map, uint64_t hash, struct cleat_str key)
{
    size_t mask = map->capacity - 1;
    size_t i = (size_t)hash & mask;
    while (map->slots[i].value) {
        if (map->slots[i].hash == hash && cleat_str_equal(map->slots[i].key, key))
            break;
        i = (i + 1) & mask;
    }
    return i;
}

void *cleat_map_get(const struct cleat_map *map, struct cleat_str key)
{
    if (map->count == 0)
        return NULL;
    return map->slots[map_find(map, cleat_hash_bytes(key.data, key.length), key)].value;
}

static int map_grow(struct cleat_map *map)
{
    struct cleat_map grown = *map;
    grown.capacity = map->capacity ? map->capacity * 2 : MAP_CAPACITY_FIRST;
    grown.slots = cleat_mem_zalloc(grown.capacity, sizeof(*grown.slots));
    if (!grown.slots)
        return -ENOMEM;
    for (size_t i = 0; i < map->capacity; i++) {
        const struct cleat_map_slot *slot = &map->slots[i];
        if (slot->value)
            grown.slots[map_find(&grown, slot->hash, slot->key)] = *slot;
    }
    cleat_mem_free(map->slots);
    *map = grown;
    return 0;
}

int cleat_map_set(struct cleat_map *map, struct cleat_str key, void *value)
{
    cleat_assert(value != NULL);
    uint64_t hash = cleat_hash_bytes(key.data, key.length);
    size_t i = map->capacity ? map_find(map, hash, key) : 0;
    bool replaces = map->capacity && map->slots[i].value;
    if (!replaces && map->count >= map->count_max)
        return -ENOBUFS;
    if (!replaces && (map->count + 1) * 4 > map->capacity * 3) {
        int rc = map_grow(map);
        if (rc < 0)
            return rc;
        i = map_find(map, hash, key);
    }
    /* The key goes with the value: the old one may live in the old value. */
    map->slots[i] = (struct cleat_map_slot){hash, key, value};
    map->count += replaces ? 0 : 1;
    return 0;
}

/* Moves back every entry of the run behind @hole that may stand there, then frees the last hole. */
static void map_close(struct cleat_map *map, size_t hole)
{
    size_t mask = map->capacity - 1;
    size_t i = hole;
    for (;;) {
        i = (i + 1) & mask;
        if (!map->slots[i].value)
            break;
        size_t home = (size_t)map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct cleat_map_slot){0};
}

void *cleat_map_remove(struct cleat_map *map, struct cleat_str key)
{
    if (map->count == 0)
        return NULL;
    size_t i = map_find(map, cleat_hash_bytes(key.data, key.length), key);
    void *value = map->slots[i].value;
    if (value) {
        map_close(map, i);
        map->count--;
    }
    return value;
}

void *cleat_map_next(const struct cleat_map *map, size_t *cursor, struct cleat_str *ret_key)
{
    while (*cursor < map->capacity) {
        const struct cleat_map_slot *slot = &map->slots[(*cursor)++];
        if (slot->value) {
            if (ret_key)
                *ret_key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}
