/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: a pointer that moves through blocks. Blocks grow from small to a whole span; what is
 * larger than a span gets a block of its own. A reset keeps the blocks for the next document.
 */
#include "value/node.h"

#include <errno.h>

#include "base/mem.h"

#define ARENA_BLOCK_UNITS_MIN 512u /* 2 KiB */

int cleat_arena_new(size_t bytes_max, struct cleat_heap **ret)
{
    struct cleat_heap *arena = cleat_mem_zalloc(1, sizeof(*arena));
    if (!arena)
        return -ENOMEM;
    arena->magic = HEAP_MAGIC;
    arena->bytes_max = bytes_max;
    arena->bytes = sizeof(*arena);
    arena->block = UINT32_MAX;
    arena->epoch = cleat__heap_epoch();
    *ret = arena;
    return 0;
}

/* Goes on in the block of @span, at its start; unit 0 of the first span would be the absent
 * reference. */
static void arena_enter(struct cleat_heap *arena, uint32_t span)
{
    arena->block = span;
    arena->bump = span << NODE_SPAN_BITS;
    arena->bump_end = arena->bump + arena->span_units[span];
    arena->bump += span == 0;
}

static bool arena_is_kept(const struct cleat_heap *arena, uint32_t span)
{
    for (uint32_t i = 0; i < arena->kept.count; i++)
        if (arena->kept.spans[i] == span)
            return true;
    return false;
}

/* Lets go of keys and shapes too. */
static void arena_forget(struct cleat_heap *arena)
{
    for (uint32_t i = 0; i < arena->kept.count; i++)
        cleat__heap_block_free(arena, arena->kept.spans[i]);
    arena->kept = (struct arena_kept){.count = 0};
    arena->epoch = cleat__heap_epoch();
}

void cleat_arena_reset(struct cleat_heap *arena)
{
    cleat_assert(arena->magic == HEAP_MAGIC && !arena->is_pool);
    if (arena->kept.lost)
        arena_forget(arena);
    for (uint32_t span = 0; span < arena->span_count; span++)
        if (arena->span_units[span] > NODE_SPAN_UNITS)
            cleat__heap_block_free(arena, span);
    while (arena->span_count > 0 && !arena->spans[arena->span_count - 1])
        arena->span_count--;
    arena->nodes = 0;
    arena->resets++;
    arena->block = UINT32_MAX;
    arena->bump = arena->bump_end = 0;
}

/* The next block that a reset left and that @units fit in. */
static bool arena_reuse(struct cleat_heap *arena, size_t units)
{
    for (uint32_t span = arena->block + 1; span < arena->span_count; span++) {
        uint32_t has = arena->span_units[span];
        if (has <= NODE_SPAN_UNITS && has > units && !arena_is_kept(arena, span)) {
            arena_enter(arena, span);
            return true;
        }
    }
    return false;
}

static int arena_grow(struct cleat_heap *arena, size_t units)
{
    uint32_t span;
    if (arena_reuse(arena, units))
        return 0;
    uint32_t want = ARENA_BLOCK_UNITS_MIN;
    if (arena->block != UINT32_MAX)
        want = arena->span_units[arena->block] * 4;
    while (want <= units)
        want *= 2;
    if (want > NODE_SPAN_UNITS)
        want = NODE_SPAN_UNITS;
    int r = cleat__heap_block(arena, want, &span);
    if (r == -ENOBUFS && want > units + 1) /* nearly full: take what is still allowed */
        r = cleat__heap_block(arena, (uint32_t)units + 1, &span);
    if (r == 0)
        arena_enter(arena, span);
    return r;
}

void cleat__arena_expect(struct cleat_heap *arena, size_t bytes)
{
    uint32_t span;
    size_t units = bytes / NODE_UNIT_BYTES + 1;
    if (units < NODE_SPAN_UNITS && arena->span_count == 0 &&
        cleat__heap_block(arena, (uint32_t)units, &span) == 0)
        arena_enter(arena, span);
}

int cleat__arena_alloc(struct cleat_heap *arena, size_t units, uint32_t *ret)
{
    if (units >=
        NODE_SPAN_UNITS) { /* a block of its own, whose first unit may be the absent reference */
        uint32_t span;
        if (units > NODE_PAYLOAD_BYTES_MAX / NODE_UNIT_BYTES)
            return -E2BIG;
        int r = cleat__heap_block(arena, (uint32_t)units + 1, &span);
        if (r == 0) {
            *ret = (span << NODE_SPAN_BITS) + 1;
            arena->nodes++;
        }
        return r;
    }
    if (arena->bump_end - arena->bump < units) {
        int r = arena_grow(arena, units);
        if (r != 0)
            return r;
    }
    *ret = arena->bump;
    arena->bump += (uint32_t)units;
    arena->nodes++;
    return 0;
}

/* The next block of what is kept. False where there is none, or no more. */
static bool arena_grow_kept(struct cleat_heap *arena)
{
    struct arena_kept *kept = &arena->kept;
    uint32_t span;
    if (kept->count == ARENA_KEPT_BLOCKS || cleat__heap_block(arena, ARENA_KEPT_UNITS, &span) != 0)
        return false;
    kept->spans[kept->count++] = span;
    kept->bump = span << NODE_SPAN_BITS;
    kept->bump_end = kept->bump + ARENA_KEPT_UNITS;
    kept->bump += span == 0;
    return true;
}

int cleat__arena_alloc_kept(struct cleat_heap *arena, size_t units, uint32_t *ret)
{
    struct arena_kept *kept = &arena->kept;
    /* An arena that was never reset may be of a single document: nothing is set apart yet. */
    bool apart = arena->resets > 0 && units < ARENA_KEPT_UNITS / 8 && !kept->lost;
    if (apart && kept->bump_end - kept->bump < units)
        apart = arena_grow_kept(arena);
    if (!apart) {
        kept->lost = true;
        return cleat__arena_alloc(arena, units, ret);
    }
    *ret = kept->bump;
    kept->bump += (uint32_t)units;
    arena->nodes++;
    return 0;
}

void cleat__arena_fill(struct cleat_heap *arena, uint32_t ref, enum node_type type,
                       struct cleat_str bytes, uint32_t mark)
{
    uint32_t *payload = cleat__node_begin(node_at(arena, ref), type, bytes.length, mark);
    payload[bytes.length / NODE_UNIT_BYTES] = 0;
    memcpy(payload, bytes.data, bytes.length);
}

int cleat__arena_bytes(struct cleat_heap *arena, enum node_type type, struct cleat_str bytes,
                       uint32_t mark, uint32_t *ret)
{
    int r = cleat__arena_alloc(arena, node_bytes_units(bytes.length), ret);
    if (r == 0)
        cleat__arena_fill(arena, *ret, type, bytes, mark);
    return r;
}
