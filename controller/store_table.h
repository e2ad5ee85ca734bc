/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash tables of 32-bit ids that grow without a copy of everything: the directory, chosen by the
 * hash's top bits, leads to segments of fixed size, and a full segment splits into two. Also the
 * cells that ids name: chunks at stable addresses. Whoever uses them brings lock and comparison.
 */
#ifndef CLEAT_CONTROLLER_STORE_TABLE_H
#define CLEAT_CONTROLLER_STORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>

#define CLEAT__STORE_NONE UINT32_MAX
#define CLEAT__SEGMENT_SLOTS 512u
#define CLEAT__SEGMENT_FULL 440u
#define CLEAT__TABLE_DEPTH_MAX 20u
#define CLEAT__CELLS_PER_CHUNK 1024u

struct table_slot {
    uint32_t id; /* CLEAT__STORE_NONE: free */
    uint32_t hash;
};

struct store_segment {
    uint32_t depth; /* top bits of the hash that all in here share */
    uint32_t count;
    struct table_slot slots[CLEAT__SEGMENT_SLOTS];
};

struct store_table {
    struct store_segment **directory; /* 1 << depth entries; NULL while empty */
    uint32_t depth;
    size_t count;
    size_t segments;
};

typedef bool (*store_table_match_fn)(const void *arg, uint32_t id);

void cleat__table_fini(struct store_table *table);
/** The id with that hash for which @match is true, or CLEAT__STORE_NONE. */
uint32_t cleat__table_find(const struct store_table *table, uint32_t hash,
                           store_table_match_fn match, const void *arg);
/** Makes room, so that the next add of that hash can't fail. 0, -ENOMEM, or -ENOBUFS. */
int cleat__table_reserve(struct store_table *table, uint32_t hash) CLEAT_MUST_CHECK;
/** Adds an id that isn't there. 0, -ENOMEM, or -ENOBUFS where hundreds share a hash. */
int cleat__table_add(struct store_table *table, uint32_t hash, uint32_t id) CLEAT_MUST_CHECK;
/** Removes an id that is there. */
void cleat__table_remove(struct store_table *table, uint32_t hash, uint32_t id);
/** Calls @fn for every id. */
void cleat__table_each(const struct store_table *table, void (*fn)(void *arg, uint32_t id),
                       void *arg);
size_t cleat__table_bytes(const struct store_table *table);

struct store_cells {
    size_t cell_bytes;
    char **chunks;
    uint32_t chunk_capacity;
    uint32_t count; /* ids given out: 0 … count - 1 */
};

void cleat__cells_fini(struct store_cells *cells);
/** One more zeroed cell at the end. 0 or -ENOMEM. */
int cleat__cells_extend(struct store_cells *cells, uint32_t *ret) CLEAT_MUST_CHECK;
size_t cleat__cells_bytes(const struct store_cells *cells);

static inline void *cleat__cells_at(const struct store_cells *cells, uint32_t id)
{
    return cells->chunks[id / CLEAT__CELLS_PER_CHUNK] +
           (size_t)(id % CLEAT__CELLS_PER_CHUNK) * cells->cell_bytes;
}

/* A set of ids, one bit each: what a list has shown. */
struct store_bits {
    uint64_t *words;
    size_t count; /* words */
};

void cleat__bits_fini(struct store_bits *bits);
/** Forgets all, keeps the memory. */
void cleat__bits_clear(struct store_bits *bits);
int cleat__bits_set(struct store_bits *bits, uint32_t id) CLEAT_MUST_CHECK;
void cleat__bits_unset(struct store_bits *bits, uint32_t id);
bool cleat__bits_has(const struct store_bits *bits, uint32_t id);

#endif
