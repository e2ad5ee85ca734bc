/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from string keys to pointers with a maximum number of entries: open addressing, keyed
 * hash. Keys are borrowed: they must live in what the value points to or elsewhere for as long as
 * the entry. One thread at a time.
 */
#ifndef CLEAT_BASE_MAP_H
#define CLEAT_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>
#include <cleat/str.h>

struct cleat_map_slot {
    uint64_t hash;
    struct cleat_str key;
    void *value; /* NULL: free */
};

struct cleat_map {
    struct cleat_map_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
    size_t count_max;
};

#define CLEAT_MAP_INIT(max) \
    {                       \
        NULL, 0, 0, (max)   \
    }

void cleat_map_init(struct cleat_map *map, size_t count_max);
/** Frees the table, not the values. */
void cleat_map_fini(struct cleat_map *map);
/** The value, or NULL. */
void *cleat_map_get(const struct cleat_map *map, struct cleat_str key);
/** Adds or replaces. 0, -ENOMEM, or -ENOBUFS at the maximum. @value isn't NULL. */
int cleat_map_set(struct cleat_map *map, struct cleat_str key, void *value) CLEAT_MUST_CHECK;
/** Removes; returns the value that was there, or NULL. */
void *cleat_map_remove(struct cleat_map *map, struct cleat_str key);
/** Iterates: *@cursor starts at 0; returns the next value, or NULL at the end. No changes in
 * between. */
void *cleat_map_next(const struct cleat_map *map, size_t *cursor, struct cleat_str *ret_key);

#endif
