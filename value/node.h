/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How values lie in memory. Private to value/: everybody else uses heap.h and cleat/value.h.
 *
 * A reference is 32 bits: 0 is absent; with the top bit clear it is the place of a node in units of
 * four bytes; with the top bit set it is the value itself:
 *
 *   0 ppppppp pppppppp pppppppp pppppppp   node: span p >> 16, unit p & 0xffff within it
 *   1 0 kkk   27 bits of payload           constants, small integers, strings of up to three bytes
 *   1 1       30 bits                      an RFC 3339 time in whole seconds and UTC, from 2010 on
 *
 * Spans are 256 KiB of reference space. Their addresses stand in a directory, so that following a
 * reference is two loads. A block may be smaller than its span (a small arena) or cover several (a
 * large node).
 *
 * A node is a header word and its payload, in whole words:
 *
 *   rrrrrrrr rrrrrrrr rrrnnnnn nnnmtttt    r: references (pools), n: size, m: mark, t: type
 *
 * A size of 255 means that the true one is the word behind the header. The mark says, for numbers,
 * arrays and objects, that a number is in there which isn't a plain integer: two such values can be
 * equal without being the same node.
 *
 * Concurrency: the one writer changes the header's reference count while readers look at the same
 * word for type and size, so the header is read and written with relaxed atomics. That order
 * suffices because everything else of a node is written before the node can be reached, a reader
 * learns of a root through a lock, and a node is only rewritten after the last reference that
 * reaches it was given back under a lock. A pool's directory never moves; its entries are written
 * once, before a reference into the span exists.
 */
#ifndef CLEAT_VALUE_NODE_H
#define CLEAT_VALUE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include "base/check.h"
#include "value/heap.h"

#define NODE_SPAN_BITS 16u
#define NODE_SPAN_UNITS (1u << NODE_SPAN_BITS)
#define NODE_SPAN_MASK (NODE_SPAN_UNITS - 1)
#define NODE_BLOCK_UNITS \
    (NODE_SPAN_UNITS - 16) /* of a whole span: with malloc's own bytes 64 pages */
#define NODE_SPANS_MAX (1u << (31 - NODE_SPAN_BITS))
#define NODE_UNIT_BYTES 4u
#define NODE_MARK_BITS 12
#define NODE_MARKS (1u << NODE_MARK_BITS)
#define NODE_SIZE_LONG 255u
#define NODE_PAYLOAD_BYTES_MAX ((size_t)1 << 30)

enum node_type {
    NODE_FREE,          /* on a free list; payload: the next one */
    NODE_INT,           /* two words: an int64 that isn't small */
    NODE_NUMBER,        /* text of a number that isn't a canonical int64; size: bytes */
    NODE_STRING,        /* bytes and a NUL; size: bytes */
    NODE_PACKED,        /* see pack.h; size: how it is packed */
    NODE_KEY,           /* a member's name: bytes and a NUL, never packed */
    NODE_SHAPE,         /* references of keys in the order of the source; size: count */
    NODE_SHAPE_SORTED,  /* the same in the keys' byte order */
    NODE_SHAPE_INDEXED, /* as NODE_SHAPE, then the positions in the keys' order */
    NODE_ARRAY,         /* references; size: count */
    NODE_OBJECT,        /* reference of a shape, then as many values; size: count */
    NODE_FOREIGN,       /* two words of a heap's address, then a reference in there */
};

#define NODE_MARK 0x10u
#define NODE_SIZE_SHIFT 5u
#define NODE_COUNT_SHIFT 13u
#define NODE_COUNT_ONE (1u << NODE_COUNT_SHIFT)
#define NODE_COUNT_MAX (0xffffffffu >> NODE_COUNT_SHIFT)

/* References that are values. */
#define REF_IMMEDIATE 0x80000000u
#define REF_TIME 0xc0000000u
#define REF_KIND_MASK 0xf8000000u
#define REF_PAYLOAD_MASK 0x07ffffffu
#define REF_CONSTANT 0x80000000u
#define REF_SMALL 0x88000000u
#define REF_SHORT 0x90000000u /* payload: length << 24 | bytes, first byte lowest */
#define REF_NOT_KEPT (REF_CONSTANT | 1)
#define REF_NULL (REF_CONSTANT | 2)
#define REF_FALSE (REF_CONSTANT | 3)
#define REF_TRUE (REF_CONSTANT | 4)
#define REF_EMPTY_STRING REF_SHORT
#define REF_EMPTY_ARRAY (REF_CONSTANT | 5)
#define REF_EMPTY_OBJECT (REF_CONSTANT | 6)
#define REF_SMALL_MAX 67108863
#define REF_SMALL_MIN (-67108864)
#define REF_SHORT_BYTES_MAX 3u

/* The time that REF_TIME counts from: 2010-01-01T00:00:00Z. */
#define REF_TIME_EPOCH_UNIX_S 1262304000
#define REF_TIME_SECONDS_MAX 0x3fffffff

struct pool;

/* Blocks of an arena that its resets leave as they are: for keys and shapes, which come again. */
#define ARENA_KEPT_BLOCKS 8
#define ARENA_KEPT_UNITS 8192u

struct arena_kept {
    uint32_t spans[ARENA_KEPT_BLOCKS];
    uint32_t count;
    uint32_t bump;
    uint32_t bump_end;
    bool lost; /* some keys and shapes are elsewhere: with the next reset all go */
};

struct cleat_heap {
    uint32_t magic;
    bool is_pool;
    uint32_t **spans;       /* directory; a pool's has its full size from the start */
    uint32_t *span_units;   /* units of the block that begins in this span; 0: none begins */
    uint32_t span_count;    /* spans in use, from the front */
    uint32_t span_capacity; /* entries of the directory */
    uint32_t bump;          /* next free unit in the current block, as a reference */
    uint32_t bump_end;
    uint32_t block; /* arenas: span of the current block */
    uint64_t epoch; /* of no other heap; changes when keys and shapes may have become invalid */
    size_t bytes;
    size_t bytes_max;
    size_t nodes;
    uint32_t *marks;        /* pools: NODE_MARKS counts of freed nodes, by their references */
    struct arena_kept kept; /* arenas */
    uint32_t resets;
    struct pool *pool; /* NULL in an arena */
};

#define HEAP_MAGIC 0x68656170u

/* Objects with more members than this are found by halving, where their shape has an order. */
#define SHAPE_LINEAR_MAX 8
/* Most members that cleat__heap_shape takes for an arena. */
#define SHAPE_ORDERED_MAX 128

/* While this stays the same, the node at @ref hasn't been freed. (It may change without that, too.)
 */
static inline uint32_t *heap_mark_of(const struct cleat_heap *heap, uint32_t ref)
{
    return &heap->marks[(ref * 0x9e3779b1u) >> (32 - NODE_MARK_BITS)];
}

static inline bool ref_is_node(uint32_t ref)
{
    return (ref & REF_IMMEDIATE) == 0;
}

static inline uint32_t *node_at(const struct cleat_heap *heap, uint32_t ref)
{
    return heap->spans[ref >> NODE_SPAN_BITS] + (ref & NODE_SPAN_MASK);
}

static inline uint32_t node_header(const uint32_t *node)
{
    return __atomic_load_n(node, __ATOMIC_RELAXED);
}

static inline void node_set_header(uint32_t *node, uint32_t header)
{
    __atomic_store_n(node, header, __ATOMIC_RELAXED);
}

static inline uint32_t header_make(enum node_type type, uint32_t size8, uint32_t mark)
{
    return (uint32_t)type | mark | size8 << NODE_SIZE_SHIFT;
}

static inline enum node_type header_type(uint32_t header)
{
    return (enum node_type)(header & 0xf);
}

static inline uint32_t header_size8(uint32_t header)
{
    return header >> NODE_SIZE_SHIFT & 0xff;
}

static inline uint32_t header_count(uint32_t header)
{
    return header >> NODE_COUNT_SHIFT;
}

static inline enum node_type node_type(const uint32_t *node)
{
    return header_type(node_header(node));
}

/* The true size, for types whose size may be long. */
static inline uint32_t node_size(const uint32_t *node)
{
    uint32_t size = header_size8(node_header(node));
    return size == NODE_SIZE_LONG ? node[1] : size;
}

/* The payload behind the header and the long size. */
static inline uint32_t *node_payload(uint32_t *node)
{
    return node + (header_size8(node_header(node)) == NODE_SIZE_LONG ? 2 : 1);
}

static inline const uint32_t *node_payload_const(const uint32_t *node)
{
    return node + (header_size8(node_header(node)) == NODE_SIZE_LONG ? 2 : 1);
}

/* The bytes of a string, key or number node. */
static inline struct cleat_str node_bytes(const uint32_t *node)
{
    struct cleat_str bytes = {(const char *)node_payload_const(node), node_size(node)};
    return bytes;
}

/* Words of header and long size for a payload of @size. */
static inline uint32_t node_head_units(size_t size)
{
    return size >= NODE_SIZE_LONG ? 2 : 1;
}

/* Units of a node of @length bytes, with their NUL. */
static inline size_t node_bytes_units(size_t length)
{
    return node_head_units(length) + length / NODE_UNIT_BYTES + 1;
}

static inline bool shape_is(enum node_type type)
{
    return type >= NODE_SHAPE && type <= NODE_SHAPE_INDEXED;
}

static inline uint32_t ref_of_small(int64_t number)
{
    return REF_SMALL | ((uint32_t)number & REF_PAYLOAD_MASK);
}

static inline int64_t ref_small(uint32_t ref)
{
    return (int64_t)((int32_t)(ref << 5) >> 5);
}

static inline uint32_t ref_of_short(const char *bytes, size_t length)
{
    uint32_t ref = REF_SHORT | (uint32_t)length << 24;
    for (size_t i = 0; i < length; i++)
        ref |= (uint32_t)(unsigned char)bytes[i] << (8 * i);
    return ref;
}

/* Follows foreign nodes until the value is in its own heap. */
static inline struct cleat_value value_resolve(struct cleat_value value)
{
    while (value.ref != 0 && ref_is_node(value.ref)) {
        const uint32_t *node = node_at(value.heap, value.ref);
        if (node_type(node) != NODE_FOREIGN)
            break;
        uint64_t address = (uint64_t)node[1] | (uint64_t)node[2] << 32;
        value.heap = (const struct cleat_heap *)(uintptr_t)address;
        value.ref = node[3];
    }
    return value;
}

/* What both sorts of heap share (heap.c). */

/** Takes the memory of a new block of @units, at spans that follow each other. 0, -ENOMEM,
 * -ENOBUFS. */
int cleat__heap_block(struct cleat_heap *heap, uint32_t units, uint32_t *ret_span) CLEAT_MUST_CHECK;
/** A number for a heap's epoch that no other has or had. */
uint64_t cleat__heap_epoch(void);
/** Gives a block back. */
void cleat__heap_block_free(struct cleat_heap *heap, uint32_t span);
/** Writes header, long size and mark of a fresh node; returns the payload. */
uint32_t *cleat__node_begin(uint32_t *node, enum node_type type, size_t size, uint32_t mark);

/* Arenas (arena.c). */
int cleat__arena_alloc(struct cleat_heap *arena, size_t units, uint32_t *ret) CLEAT_MUST_CHECK;
/** Writes the node of bytes at @ref. */
void cleat__arena_fill(struct cleat_heap *arena, uint32_t ref, enum node_type type,
                       struct cleat_str bytes, uint32_t mark);
int cleat__arena_bytes(struct cleat_heap *arena, enum node_type type, struct cleat_str bytes,
                       uint32_t mark, uint32_t *ret) CLEAT_MUST_CHECK;
/** Memory that a reset leaves alone, where that can be. For keys and shapes: their epoch tells. */
int cleat__arena_alloc_kept(struct cleat_heap *arena, size_t units, uint32_t *ret) CLEAT_MUST_CHECK;
/** Makes the first block large enough for about @bytes. A hint: failing is fine. */
void cleat__arena_expect(struct cleat_heap *arena, size_t bytes);

/* Pools (pool.c). */
int cleat__pool_init(struct cleat_heap *heap) CLEAT_MUST_CHECK;
void cleat__pool_fini(struct cleat_heap *heap);
/** Interns a node whose payload are bytes with a NUL behind them. */
int cleat__pool_bytes(struct cleat_heap *pool, enum node_type type, struct cleat_str bytes,
                      uint32_t *ret) CLEAT_MUST_CHECK;
/** Interns a node whose payload are words; @size is what its header says. */
int cleat__pool_words(struct cleat_heap *pool, enum node_type type, size_t size,
                      const uint32_t *words, size_t count, uint32_t *ret) CLEAT_MUST_CHECK;
/** True where @ref is a live node of these words; @ref may be of a node that was freed. */
bool cleat__pool_again(const struct cleat_heap *pool, uint32_t ref, enum node_type type,
                       size_t size, const uint32_t *words, size_t count);
/** Takes back a hold without freeing: the node may be used again at once. */
void cleat__pool_unhold(struct cleat_heap *pool, uint32_t ref);

/* The steps of making an object (heap.c), which the parser takes one by one. */
int cleat__heap_key(struct cleat_heap *heap, struct cleat_str key, uint32_t *ret) CLEAT_MUST_CHECK;
/** The same, to be used again while the heap's epoch stands. */
int cleat__heap_key_kept(struct cleat_heap *heap, struct cleat_str key,
                         uint32_t *ret) CLEAT_MUST_CHECK;
/**
 * @keys, none doubled, in the order of the values; in a pool that must be the keys' byte order.
 * @order: for each rank in that order its place in @keys; @in_order: both are the same.
 */
int cleat__heap_shape(struct cleat_heap *heap, const uint32_t *keys, const uint16_t *order,
                      bool in_order, size_t count, uint32_t *ret) CLEAT_MUST_CHECK;
/** The object of @count > 0 members; @words are its shape and the values. */
int cleat__heap_shaped(struct cleat_heap *heap, const uint32_t *words, size_t count,
                       uint32_t *ret) CLEAT_MUST_CHECK;
/** The object of keys in any order. -EEXIST where one is doubled. */
int cleat__heap_keyed(struct cleat_heap *heap, const uint32_t *keys, const uint32_t *values,
                      size_t count, uint32_t *ret) CLEAT_MUST_CHECK;

/** Members of the object node @node. */
static inline uint32_t object_count(const struct cleat_heap *heap, const uint32_t *node)
{
    uint32_t size = header_size8(node_header(node));
    return size == NODE_SIZE_LONG ? node_size(node_at(heap, node[1])) : size;
}

/* An object's long size is its shape's: its payload always follows the header. */
static inline const uint32_t *object_values(const uint32_t *node)
{
    return node + 2;
}

#endif
