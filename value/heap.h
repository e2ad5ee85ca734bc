/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heaps: where values live. A pool stores every sub-value once (hash-consing) and counts references
 * per node; an arena stores whatever comes and goes in one piece. Both are append-only blocks at
 * stable addresses and hand out 32-bit references. One writer at a time (a thread, or whoever holds
 * the owner's lock); any number of readers of what is already frozen: a root is handed from writer
 * to reader under a lock, and the reader's count keeps what it reaches (node.h says why that
 * suffices).
 *
 * Constructors work bottom-up: children first. @ret is the reference of the new (or, in a pool, the
 * existing) node. Members of objects may come in any order; a pool makes the order canonical (bytes
 * of the keys), an arena keeps it. Strings given are borrowed for the call. Constructors return 0,
 * -ENOMEM, -ENOBUFS at the heap's maximum, or -E2BIG for a single node beyond 1 GiB; after a
 * failure the heap is as it was, but for nodes made on the way, which an arena keeps until its
 * reset and a pool until its sweep.
 *
 * In a pool a fresh node has no references: until it is in another node or held, it lives until the
 * next sweep. So whoever makes values in a pool holds the root before others may sweep. Nodes may
 * be read by references only while they live; a count that reaches 524,287 stays, and that node is
 * never freed.
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

/* A member on its way into an object. */
struct cleat_member {
    struct cleat_str key;
    uint32_t ref;
};

/* The reference of the absent value, the same in every heap. */
#define CLEAT_REF_ABSENT 0u

/** An arena that may grow to @bytes_max; allocates no blocks yet. @ret is new. 0 or -ENOMEM. */
int cleat_arena_new(size_t bytes_max, struct cleat_heap **ret) CLEAT_MUST_CHECK;
/** Forgets everything but keeps the memory (not that of nodes beyond 256 KiB), for reuse. */
void cleat_arena_reset(struct cleat_heap *arena);
/** A pool that may grow to @bytes_max (less than about 64 KiB is no use). @ret is new. 0 or
 * -ENOMEM. */
int cleat_pool_new(size_t bytes_max, struct cleat_heap **ret) CLEAT_MUST_CHECK;
/** Frees a heap of either sort with everything in it; NULL is fine; returns NULL. */
struct cleat_heap *cleat_heap_free(struct cleat_heap *heap);
/** True for a pool. */
bool cleat_heap_is_pool(const struct cleat_heap *heap);
/** Bytes of memory in use by the heap: blocks (with what is free in them), tables, journal. Writer
 * only. */
size_t cleat_heap_bytes(const struct cleat_heap *heap);
/** Live nodes; values that fit in a reference are none. Writer only. */
size_t cleat_heap_nodes(const struct cleat_heap *heap);

/** null; the same reference in every heap, as the next two. */
uint32_t cleat_heap_null(const struct cleat_heap *heap);
/** What stands in the place of a value that a projection dropped. */
uint32_t cleat_heap_not_kept(const struct cleat_heap *heap);
/** true or false. */
uint32_t cleat_heap_bool(const struct cleat_heap *heap, bool flag);
/** An integer. */
int cleat_heap_int(struct cleat_heap *heap, int64_t number, uint32_t *ret) CLEAT_MUST_CHECK;
/** A number from its JSON text, which is checked: -EINVAL where it is none. The text is kept byte
 * for byte. */
int cleat_heap_number(struct cleat_heap *heap, struct cleat_str text,
                      uint32_t *ret) CLEAT_MUST_CHECK;
/** A string, which may hold NUL; that it is UTF-8 is the caller's to see to. */
int cleat_heap_str(struct cleat_heap *heap, struct cleat_str text, uint32_t *ret) CLEAT_MUST_CHECK;
/** An array of references of the same heap, none of them absent. */
int cleat_heap_array(struct cleat_heap *heap, const uint32_t *elements, size_t count,
                     uint32_t *ret) CLEAT_MUST_CHECK;
/** An object of references of the same heap, none of them absent. -EEXIST where a key is doubled.
 */
int cleat_heap_object(struct cleat_heap *heap, const struct cleat_member *members, size_t count,
                      uint32_t *ret) CLEAT_MUST_CHECK;
/**
 * A node of arena @heap that stands for @value of another heap: reading passes through it, so that
 * drafts share subtrees with their base. The other heap must outlive @heap. In the same heap: the
 * value's own ref.
 */
int cleat_heap_foreign(struct cleat_heap *heap, struct cleat_value value,
                       uint32_t *ret) CLEAT_MUST_CHECK;
/**
 * Deep copy of @value into @heap (interned in a pool), with what wasn't kept as such. Within one
 * heap: the same reference. -E2BIG where it is more than 128 deep.
 */
int cleat_heap_copy(struct cleat_heap *heap, struct cleat_value value,
                    uint32_t *ret) CLEAT_MUST_CHECK;

/** Keeps a pool's root alive: one more reference. Writer only. */
void cleat_pool_hold(struct cleat_heap *pool, uint32_t ref);
/** Drops a reference that was held; nodes that nobody needs any more are freed for reuse. Writer
 * only. */
void cleat_pool_drop(struct cleat_heap *pool, uint32_t ref);
/**
 * Frees nodes that were made since the last sweep but never came to be held (an object that was
 * parsed and then rejected). Writer only. Parsers that wait for bytes in the middle of an object
 * hold what they have; never call this from within a parser's callback.
 */
void cleat_pool_sweep(struct cleat_heap *pool);

#endif
