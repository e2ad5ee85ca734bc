/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariants: within a segment, no slot is free between an id's home and its place; removal shifts
 * back. All directory entries whose index begins with a segment's bits lead to it.
 */
#include "controller/store_table.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define SEGMENT_MASK (CLEAT__SEGMENT_SLOTS - 1)

static uint32_t table_index(uint32_t hash, uint32_t depth)
{
    return depth == 0 ? 0 : hash >> (32 - depth);
}

static struct store_segment *table_segment(const struct store_table *table, uint32_t hash)
{
    return table->directory[table_index(hash, table->depth)];
}

static struct store_segment *segment_new(uint32_t depth)
{
    struct store_segment *segment = cleat_mem_alloc(sizeof(*segment));
    if (!segment)
        return NULL;
    segment->depth = depth;
    segment->count = 0;
    memset(segment->slots, 0xff, sizeof(segment->slots));
    return segment;
}

static void segment_put(struct store_segment *segment, uint32_t hash, uint32_t id)
{
    uint32_t at = hash & SEGMENT_MASK;
    while (segment->slots[at].id != CLEAT__STORE_NONE)
        at = (at + 1) & SEGMENT_MASK;
    segment->slots[at] = (struct table_slot){id, hash};
    segment->count++;
}

void cleat__table_fini(struct store_table *table)
{
    size_t size = table->directory ? (size_t)1 << table->depth : 0;
    for (size_t i = 0; i < size;) {
        struct store_segment *segment = table->directory[i];
        i += (size_t)1 << (table->depth - segment->depth);
        cleat_mem_free(segment);
    }
    cleat_mem_free(table->directory);
    *table = (struct store_table){0};
}

uint32_t cleat__table_find(const struct store_table *table, uint32_t hash,
                           store_table_match_fn match, const void *arg)
{
    if (!table->directory)
        return CLEAT__STORE_NONE;
    const struct store_segment *segment = table_segment(table, hash);
    uint32_t at = hash & SEGMENT_MASK;
    for (; segment->slots[at].id != CLEAT__STORE_NONE; at = (at + 1) & SEGMENT_MASK)
        if (segment->slots[at].hash == hash && match(arg, segment->slots[at].id))
            return segment->slots[at].id;
    return CLEAT__STORE_NONE;
}

static int table_begin(struct store_table *table)
{
    struct store_segment **directory = cleat_mem_zalloc(1, sizeof(struct store_segment *));
    struct store_segment *segment = segment_new(0);
    if (!directory || !segment) {
        cleat_mem_free(directory);
        cleat_mem_free(segment);
        return -ENOMEM;
    }
    directory[0] = segment;
    table->directory = directory;
    table->segments = 1;
    return 0;
}

static int table_deepen(struct store_table *table)
{
    size_t size = (size_t)1 << table->depth;
    if (table->depth >= CLEAT__TABLE_DEPTH_MAX)
        return -ENOBUFS;
    struct store_segment **directory = cleat_mem_zalloc(size * 2, sizeof(struct store_segment *));
    if (!directory)
        return -ENOMEM;
    for (size_t i = 0; i < size; i++)
        directory[2 * i] = directory[2 * i + 1] = table->directory[i];
    cleat_mem_free(table->directory);
    table->directory = directory;
    table->depth++;
    return 0;
}

/* Splits the segment that @hash belongs to by its next bit. */
static int table_split(struct store_table *table, uint32_t hash)
{
    struct store_segment *old = table_segment(table, hash);
    int r = old->depth == table->depth ? table_deepen(table) : 0;
    if (r < 0)
        return r;
    uint32_t depth = old->depth + 1;
    struct store_segment *low = segment_new(depth);
    struct store_segment *high = segment_new(depth);
    if (!low || !high) {
        cleat_mem_free(low);
        cleat_mem_free(high);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < CLEAT__SEGMENT_SLOTS; i++) {
        struct table_slot slot = old->slots[i];
        if (slot.id != CLEAT__STORE_NONE)
            segment_put(table_index(slot.hash, depth) & 1 ? high : low, slot.hash, slot.id);
    }
    uint32_t span = 1u << (table->depth - depth);
    uint32_t first = table_index(hash, old->depth) << (table->depth - old->depth);
    for (uint32_t i = 0; i < span; i++) {
        table->directory[first + i] = low;
        table->directory[first + span + i] = high;
    }
    table->segments++;
    cleat_mem_free(old);
    return 0;
}

int cleat__table_reserve(struct store_table *table, uint32_t hash)
{
    int r = table->directory ? 0 : table_begin(table);
    while (r == 0 && table_segment(table, hash)->count >= CLEAT__SEGMENT_FULL) {
        r = table_split(table, hash);
        if (r == -ENOBUFS && table_segment(table, hash)->count < CLEAT__SEGMENT_SLOTS - 1)
            return 0; /* deep enough: it is filled up */
    }
    return r;
}

int cleat__table_add(struct store_table *table, uint32_t hash, uint32_t id)
{
    cleat_assert(id != CLEAT__STORE_NONE);
    int r = cleat__table_reserve(table, hash);
    if (r < 0)
        return r;
    segment_put(table_segment(table, hash), hash, id);
    table->count++;
    return 0;
}

void cleat__table_remove(struct store_table *table, uint32_t hash, uint32_t id)
{
    struct store_segment *segment = table_segment(table, hash);
    uint32_t hole = hash & SEGMENT_MASK;
    while (segment->slots[hole].id != id) {
        cleat_assert(segment->slots[hole].id != CLEAT__STORE_NONE);
        hole = (hole + 1) & SEGMENT_MASK;
    }
    uint32_t at = (hole + 1) & SEGMENT_MASK;
    for (; segment->slots[at].id != CLEAT__STORE_NONE; at = (at + 1) & SEGMENT_MASK) {
        uint32_t home = segment->slots[at].hash & SEGMENT_MASK;
        if (((at - home) & SEGMENT_MASK) >= ((at - hole) & SEGMENT_MASK)) {
            segment->slots[hole] = segment->slots[at];
            hole = at;
        }
    }
    segment->slots[hole].id = CLEAT__STORE_NONE;
    segment->count--;
    table->count--;
}

void cleat__table_each(const struct store_table *table, void (*fn)(void *arg, uint32_t id),
                       void *arg)
{
    size_t size = table->directory ? (size_t)1 << table->depth : 0;
    for (size_t i = 0; i < size;) {
        const struct store_segment *segment = table->directory[i];
        for (uint32_t at = 0; at < CLEAT__SEGMENT_SLOTS; at++)
            if (segment->slots[at].id != CLEAT__STORE_NONE)
                fn(arg, segment->slots[at].id);
        i += (size_t)1 << (table->depth - segment->depth);
    }
}

size_t cleat__table_bytes(const struct store_table *table)
{
    size_t directory = table->directory ? sizeof(void *) << table->depth : 0;
    return directory + table->segments * sizeof(struct store_segment);
}

void cleat__cells_fini(struct store_cells *cells)
{
    for (uint32_t i = 0; i < cells->chunk_capacity; i++)
        cleat_mem_free(cells->chunks[i]);
    cleat_mem_free(cells->chunks);
    *cells = (struct store_cells){.cell_bytes = cells->cell_bytes};
}

static int cells_room(struct store_cells *cells)
{
    uint32_t chunk = cells->count / CLEAT__CELLS_PER_CHUNK;
    if (chunk >= cells->chunk_capacity) {
        uint32_t capacity = cells->chunk_capacity ? cells->chunk_capacity * 2 : 8;
        char **chunks = cleat_mem_realloc(cells->chunks, capacity * sizeof(char *));
        if (!chunks)
            return -ENOMEM;
        memset(chunks + cells->chunk_capacity, 0,
               (capacity - cells->chunk_capacity) * sizeof(char *));
        cells->chunks = chunks;
        cells->chunk_capacity = capacity;
    }
    if (!cells->chunks[chunk])
        cells->chunks[chunk] = cleat_mem_zalloc(CLEAT__CELLS_PER_CHUNK, cells->cell_bytes);
    return cells->chunks[chunk] ? 0 : -ENOMEM;
}

int cleat__cells_extend(struct store_cells *cells, uint32_t *ret)
{
    cleat_assert(cells->cell_bytes > 0 && cells->count < CLEAT__STORE_NONE);
    int r = cells_room(cells);
    if (r == 0)
        *ret = cells->count++;
    return r;
}

size_t cleat__cells_bytes(const struct store_cells *cells)
{
    size_t chunks = (cells->count + CLEAT__CELLS_PER_CHUNK - 1) / CLEAT__CELLS_PER_CHUNK;
    return cells->chunk_capacity * sizeof(char *) +
           chunks * CLEAT__CELLS_PER_CHUNK * cells->cell_bytes;
}

void cleat__bits_fini(struct store_bits *bits)
{
    cleat_mem_free(bits->words);
    *bits = (struct store_bits){0};
}

void cleat__bits_clear(struct store_bits *bits)
{
    if (bits->words)
        memset(bits->words, 0, bits->count * sizeof(*bits->words));
}

int cleat__bits_set(struct store_bits *bits, uint32_t id)
{
    size_t word = id / 64;
    if (word >= bits->count) {
        size_t count = bits->count ? bits->count * 2 : 16;
        while (count <= word)
            count *= 2;
        uint64_t *words = cleat_mem_realloc(bits->words, count * sizeof(*words));
        if (!words)
            return -ENOMEM;
        memset(words + bits->count, 0, (count - bits->count) * sizeof(*words));
        bits->words = words;
        bits->count = count;
    }
    bits->words[word] |= UINT64_C(1) << (id % 64);
    return 0;
}

void cleat__bits_unset(struct store_bits *bits, uint32_t id)
{
    if (id / 64 < bits->count)
        bits->words[id / 64] &= ~(UINT64_C(1) << (id % 64));
}

bool cleat__bits_has(const struct store_bits *bits, uint32_t id)
{
    return id / 64 < bits->count && (bits->words[id / 64] >> (id % 64) & 1) != 0;
}
