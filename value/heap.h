/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heaps: where values live. A pool stores every sub-value once (hash-consing) and counts references per
 * node; an arena stores whatever comes and goes in one piece. Both are append-only chunks at stable addresses
 * and hand out 32-bit references. One writer at a time; any number of readers of what is already frozen.
 *
 * Constructors work bottom-up: children first. @ret is the reference of the new (or, in a pool, the existing)
 * node. Members of objects may come in any order; a pool makes the order canonical. A duplicate key is -EEXIST.
 */
#ifndef CLEAT_VALUE_HEAP_H
#define CLEAT_VALUE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/str.h>
#include <cleat/value.h>

struct cleat_member {
    struct cleat_str key;
    uint32_t ref;
};

/* Constants, the same in every heap. */
#define CLEAT_REF_ABSENT 0u

/** An arena that may grow to @bytes_max. @ret is new. */
int cleat_arena_new(size_t bytes_max, struct cleat_heap **ret) CLEAT_MUST_CHECK;
/** Forgets everything but keeps (some of) the memory, for reuse. */
void cleat_arena_reset(struct cleat_heap *arena);
/** A pool that may grow to @bytes_max. */
int cleat_pool_new(size_t bytes_max, struct cleat_heap **ret) CLEAT_MUST_CHECK;
/** Frees a heap of either sort with everything in it; NULL is fine; returns NULL. */
struct cleat_heap *cleat_heap_free(struct cleat_heap *heap);
bool cleat_heap_is_pool(const struct cleat_heap *heap);
/** Bytes of memory in use by the heap, tables included. */
size_t cleat_heap_bytes(const struct cleat_heap *heap);
/** Live nodes. */
size_t cleat_heap_nodes(const struct cleat_heap *heap);

uint32_t cleat_heap_null(const struct cleat_heap *heap);
uint32_t cleat_heap_not_kept(const struct cleat_heap *heap);
uint32_t cleat_heap_bool(const struct cleat_heap *heap, bool flag);
int cleat_heap_int(struct cleat_heap *heap, int64_t number, uint32_t *ret) CLEAT_MUST_CHECK;
/** A number from its JSON text, which is checked. */
int cleat_heap_number(struct cleat_heap *heap, struct cleat_str text, uint32_t *ret) CLEAT_MUST_CHECK;
int cleat_heap_str(struct cleat_heap *heap, struct cleat_str text, uint32_t *ret) CLEAT_MUST_CHECK;
int cleat_heap_array(struct cleat_heap *heap, const uint32_t *elements, size_t count,
                     uint32_t *ret) CLEAT_MUST_CHECK;
int cleat_heap_object(struct cleat_heap *heap, const struct cleat_member *members, size_t count,
                      uint32_t *ret) CLEAT_MUST_CHECK;
/**
 * A node of arena @heap that stands for @value of another heap: reading passes through it, so that drafts
 * share subtrees with their base. The other heap must outlive @heap. In the same heap: the value's own ref.
 */
int cleat_heap_foreign(struct cleat_heap *heap, struct cleat_value value, uint32_t *ret) CLEAT_MUST_CHECK;
/** Deep copy of @value into @heap (interned in a pool). Within one pool: the same reference. */
int cleat_heap_copy(struct cleat_heap *heap, struct cleat_value value, uint32_t *ret) CLEAT_MUST_CHECK;

/** Keeps a pool's root alive: one more reference. Writer only. */
void cleat_pool_hold(struct cleat_heap *pool, uint32_t ref);
/** Drops a reference; nodes that nobody needs any more are freed for reuse. Writer only. */
void cleat_pool_drop(struct cleat_heap *pool, uint32_t ref);
/**
 * Frees nodes that were made since the last sweep but never came to be held (an object that was parsed and then
 * rejected). Writer only, never while a parser works on the pool.
 */
void cleat_pool_sweep(struct cleat_heap *pool);

#endif
