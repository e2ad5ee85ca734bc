/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools: every node stands once. A node is made bottom-up, so its children are references already
 * and two nodes are equal where their words are. The table finds a node by the hash of its words.
 *
 * Counts: a node's count is the number of references to it from other nodes plus those that
 * somebody holds. Children are counted when their parent is made and given back when it is freed. A
 * new node has a count of 0 until a parent or a holder comes; it stands in the journal, from which
 * a sweep frees what stayed at 0. A count that reaches the maximum (524,287) stays: such a node is
 * never freed. It takes that many live references at once to make one, so what can be lost this way
 * is a vanishing share of what is in use.
 *
 * Freed nodes go to lists by size and are reused for nodes of the same size; where there is no
 * other memory, larger ones are cut. Nodes are never joined, so that every reference that was ever
 * handed out leads to the start of a node, live or free, for ever. Parsers rely on that for their
 * guesses. Only nodes larger than half a span have blocks of their own, which are given back.
 */
#include <errno.h>

#include "base/hash.h"
#include "base/mem.h"
#include "value/node.h"
#include "value/pack.h"
#include "value/pool_table.h"

#define POOL_EXACT_UNITS 64
#define POOL_CLASSES (POOL_EXACT_UNITS + 8 * 10 + 1)
#define POOL_JOURNAL_MIN 1024u
#define POOL_STACK_MIN 160 /* deeper than parsed values are */
#define POOL_LONG_BYTES 256

/* A node that is being freed, with how many of its children still have to be looked at. */
struct pool_visit {
    uint32_t ref;
    uint32_t rest;
};

struct pool {
    uint64_t secret[2];
    uint32_t free[POOL_CLASSES];
    uint32_t *journal;
    uint32_t journal_count;
    uint32_t journal_capacity;
    bool journal_lost; /* a node may be missing in the journal: the next sweep looks everywhere */
    uint32_t marks[NODE_MARKS];
    struct pool_visit *stack;
    uint32_t stack_capacity;
    struct table table;
};

__extension__ typedef unsigned __int128 pool_wide;

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    pool_wide product = (pool_wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t read8(const void *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return word;
}

static inline uint32_t read4(const void *data)
{
    uint32_t word;
    memcpy(&word, data, sizeof(word));
    return word;
}

/* Keyed; @length isn't 0. */
static inline uint64_t pool_hash(const struct pool *pool, enum node_type type, const void *data,
                                 size_t length)
{
    const char *bytes = data;
    uint64_t state = pool->secret[0] ^ ((uint64_t)length << 8 | (uint64_t)type);
    size_t rest = length;
    if (length > POOL_LONG_BYTES)
        return cleat_hash_more(state, data, length);
    for (; rest > 16; rest -= 16, bytes += 16)
        state = fold(read8(bytes) ^ pool->secret[1], read8(bytes + 8) ^ state);
    uint64_t low, high;
    if (rest >= 8) {
        low = read8(bytes);
        high = read8(bytes + rest - 8);
    } else if (rest >= 4) {
        low = read4(bytes);
        high = read4(bytes + rest - 4);
    } else {
        low = (uint64_t)(unsigned char)bytes[0] << 16 |
              (uint64_t)(unsigned char)bytes[rest / 2] << 8 | (unsigned char)bytes[rest - 1];
        high = 0;
    }
    state = fold(low ^ pool->secret[1], high ^ state);
    return fold(state ^ pool->secret[0], pool->secret[1] ^ 0x9e3779b97f4a7c15u);
}

int cleat_pool_new(size_t bytes_max, struct cleat_heap **ret)
{
    struct cleat_heap *heap = cleat_mem_zalloc(1, sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    heap->magic = HEAP_MAGIC;
    heap->is_pool = true;
    heap->epoch = cleat__heap_epoch();
    heap->bytes_max = bytes_max;
    heap->bytes = sizeof(*heap) + sizeof(struct pool);
    struct pool *pool = heap->pool = cleat_mem_zalloc(1, sizeof(*pool));
    heap->spans = cleat_mem_zalloc(NODE_SPANS_MAX, sizeof(*heap->spans));
    heap->span_units = cleat_mem_zalloc(NODE_SPANS_MAX, sizeof(*heap->span_units));
    heap->span_capacity = NODE_SPANS_MAX;
    if (pool) {
        heap->marks = pool->marks;
        pool->stack_capacity = POOL_STACK_MIN;
        pool->stack = cleat_mem_alloc(POOL_STACK_MIN * sizeof(*pool->stack));
        pool->secret[0] = cleat_hash_bytes("pool", 4);
        pool->secret[1] = cleat_hash_bytes("node", 4) | 1;
        pool->table.bytes = &heap->bytes;
        pool->table.bytes_max = bytes_max;
    }
    if (!pool || !heap->spans || !heap->span_units || !pool->stack) {
        (void)cleat_heap_free(heap);
        return -ENOMEM;
    }
    *ret = heap;
    return 0;
}

void cleat__pool_fini(struct cleat_heap *heap)
{
    struct pool *pool = heap->pool;
    if (pool) {
        table_fini(&pool->table);
        (void)cleat_mem_free(pool->journal);
        (void)cleat_mem_free(pool->stack);
        heap->pool = cleat_mem_free(pool);
    }
}

/* Memory of nodes. */

/* Rounds @units up to what its class holds. */
static uint32_t class_round(uint32_t units)
{
    if (units <= POOL_EXACT_UNITS)
        return units;
    uint32_t step = 1u << (31 - __builtin_clz(units) - 3);
    return (units + step - 1) & ~(step - 1);
}

/* The class of rounded @units. */
static uint32_t class_of(uint32_t units)
{
    if (units <= POOL_EXACT_UNITS)
        return units;
    uint32_t log = 31 - (uint32_t)__builtin_clz(units);
    return POOL_EXACT_UNITS + (log - 6) * 8 + (units >> (log - 3) & 7);
}

static void pool_list(struct cleat_heap *heap, uint32_t ref, uint32_t units)
{
    uint32_t *node = node_at(heap, ref);
    uint32_t *head = &heap->pool->free[class_of(units)];
    node_set_header(node, header_make(NODE_FREE, 0, 0));
    node[1] = *head;
    *head = ref;
}

/* What a class holds. */
static uint32_t class_units(uint32_t index)
{
    if (index <= POOL_EXACT_UNITS)
        return index;
    uint32_t rest = index - POOL_EXACT_UNITS;
    return (8 + rest % 8) << (3 + rest / 8);
}

/* Cuts @units from @ref on into free nodes. A single unit is no use, and is lost. */
static void pool_scatter(struct cleat_heap *heap, uint32_t ref, uint32_t units)
{
    while (units >= 2) {
        uint32_t piece = units < POOL_EXACT_UNITS ? units : POOL_EXACT_UNITS;
        piece -= units - piece == 1;
        pool_list(heap, ref, piece);
        ref += piece;
        units -= piece;
    }
}

/* Takes @units from a larger free node: when there is no other memory. */
static bool pool_split(struct cleat_heap *heap, uint32_t units, uint32_t *ret)
{
    for (uint32_t index = class_of(units) + 1; index < POOL_CLASSES; index++) {
        uint32_t *head = &heap->pool->free[index];
        uint32_t rest = class_units(index) - units;
        if (*head != CLEAT_REF_ABSENT && rest != 1) {
            *ret = *head;
            *head = node_at(heap, *ret)[1];
            pool_scatter(heap, *ret + units, rest);
            return true;
        }
    }
    return false;
}

/* Blocks are whole spans; near the maximum half of what is left, so that the table has room too. */
static int pool_next_block(struct cleat_heap *heap, uint32_t units_min)
{
    uint32_t span, units = NODE_BLOCK_UNITS;
    int r = cleat__heap_block(heap, units, &span);
    if (r == -ENOBUFS && heap->bytes_max > heap->bytes) {
        units = (uint32_t)((heap->bytes_max - heap->bytes) / 2 / NODE_UNIT_BYTES);
        units = units < NODE_BLOCK_UNITS ? units : NODE_BLOCK_UNITS;
        r = units > units_min ? cleat__heap_block(heap, units, &span) : r;
    }
    if (r != 0)
        return r;
    pool_scatter(heap, heap->bump, heap->bump_end - heap->bump);
    heap->bump = span << NODE_SPAN_BITS;
    heap->bump_end = heap->bump + units;
    if (span == 0) {
        node_set_header(node_at(heap, 0), header_make(NODE_FREE, 0, 0)); /* the absent reference */
        heap->bump++;
    }
    return 0;
}

static int pool_alloc(struct cleat_heap *heap, size_t units, uint32_t *ret)
{
    if (units > NODE_SPAN_UNITS / 2) { /* the block of a node alone; absent's unit stays free */
        uint32_t span;
        if (units > NODE_PAYLOAD_BYTES_MAX / NODE_UNIT_BYTES)
            return -E2BIG;
        if (heap->span_count == 0) {
            int r = pool_next_block(heap, 2);
            if (r != 0)
                return r;
        }
        int r = cleat__heap_block(heap, (uint32_t)units, &span);
        *ret = r == 0 ? span << NODE_SPAN_BITS : *ret;
        return r;
    }
    uint32_t rounded = class_round((uint32_t)units);
    uint32_t *head = &heap->pool->free[class_of(rounded)];
    if (*head != CLEAT_REF_ABSENT) {
        *ret = *head;
        *head = node_at(heap, *ret)[1];
        return 0;
    }
    if (heap->bump_end - heap->bump < rounded) {
        int r = pool_next_block(heap, rounded);
        if (r != 0)
            return pool_split(heap, rounded, ret) ? 0 : r;
    }
    *ret = heap->bump;
    heap->bump += rounded;
    return 0;
}

/* Units of a live node as it was allocated, before rounding. */
static size_t node_units(const struct cleat_heap *heap, const uint32_t *node)
{
    uint32_t header = node_header(node);
    size_t size;
    switch (header_type(header)) {
    case NODE_INT: return 3;
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_KEY:
        size = node_size(node);
        return node_head_units(size) + size / NODE_UNIT_BYTES + 1;
    case NODE_PACKED: {
        static const uint8_t words[] = {0, 4, 1, 9, 2};
        return 1 + (size_t)words[header_size8(header)];
    }
    case NODE_SHAPE_SORTED:
    case NODE_ARRAY: size = node_size(node); return node_head_units(size) + size;
    case NODE_OBJECT: return 2 + (size_t)object_count(heap, node);
    default: cleat_assert(!"no such node in a pool"); return 0;
    }
}

static void pool_release(struct cleat_heap *heap, uint32_t ref)
{
    const uint32_t *node = node_at(heap, ref);
    enum node_type type = node_type(node);
    size_t units = node_units(heap, node);
    heap->nodes--;
    ++*heap_mark_of(heap, ref);
    if (type == NODE_KEY || type == NODE_SHAPE_SORTED)
        heap->epoch++;
    if (units > NODE_SPAN_UNITS / 2)
        cleat__heap_block_free(heap, ref >> NODE_SPAN_BITS);
    else
        pool_list(heap, ref, class_round((uint32_t)units));
}

/* The journal. */

static bool ref_is_idle(const struct cleat_heap *heap, uint32_t ref)
{
    if (!heap->spans[ref >> NODE_SPAN_BITS])
        return false;
    uint32_t header = node_header(node_at(heap, ref));
    return header_type(header) != NODE_FREE && header_count(header) == 0;
}

/* Makes room for one more entry: what came to be needed goes out. */
static int journal_prepare(struct cleat_heap *heap)
{
    struct pool *pool = heap->pool;
    if (pool->journal_count < pool->journal_capacity)
        return 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < pool->journal_count; i++)
        if (ref_is_idle(heap, pool->journal[i]))
            pool->journal[kept++] = pool->journal[i];
    pool->journal_count = kept;
    if (kept <= pool->journal_capacity / 2 && pool->journal_capacity > 0)
        return 0;
    uint32_t capacity = pool->journal_capacity ? pool->journal_capacity * 2 : POOL_JOURNAL_MIN;
    size_t more = (capacity - pool->journal_capacity) * sizeof(*pool->journal);
    bool room = heap->bytes + more <= heap->bytes_max;
    uint32_t *journal = room ? cleat_mem_realloc(pool->journal, capacity * sizeof(*journal)) : NULL;
    if (!journal) { /* a nearly full one isn't worth looking through again and again */
        bool usable = kept < pool->journal_capacity / 4 * 3;
        return usable ? 0 : room ? -ENOMEM : -ENOBUFS;
    }
    heap->bytes += more;
    pool->journal = journal;
    pool->journal_capacity = capacity;
    return 0;
}

static void journal_add(struct cleat_heap *heap, uint32_t ref)
{
    if (journal_prepare(heap) == 0)
        heap->pool->journal[heap->pool->journal_count++] = ref;
    else
        heap->pool->journal_lost = true;
}

/* Interning. */

static inline void child_hold(struct cleat_heap *heap, uint32_t ref)
{
    if (ref_is_node(ref) && ref != CLEAT_REF_ABSENT) {
        uint32_t *node = node_at(heap, ref);
        uint32_t header = node_header(node);
        if (header_count(header) < NODE_COUNT_MAX)
            node_set_header(node, header + NODE_COUNT_ONE);
    }
}

/* The references in a node's payload: where they begin and how many. */
static uint32_t node_children(const struct cleat_heap *heap, const uint32_t *node,
                              const uint32_t **ret)
{
    uint32_t header = node_header(node);
    switch (header_type(header)) {
    case NODE_PACKED:
        *ret = node + 1;
        return header_size8(header) == PACK_DIGEST || header_size8(header) == PACK_TAIL;
    case NODE_SHAPE_SORTED:
    case NODE_ARRAY: *ret = node_payload_const(node); return node_size(node);
    case NODE_OBJECT: *ret = node + 1; return 1 + object_count(heap, node);
    default: *ret = NULL; return 0;
    }
}

/* Room in table, journal and blocks for a new node. */
static int pool_make(struct cleat_heap *heap, uint64_t hash, size_t units, uint32_t *ret)
{
    int r = table_prepare(&heap->pool->table, hash);
    if (r == 0)
        r = journal_prepare(heap);
    if (r == 0)
        r = pool_alloc(heap, units, ret);
    if (r == 0) {
        heap->nodes++;
        heap->pool->journal[heap->pool->journal_count++] = *ret;
        table_insert(&heap->pool->table, hash, *ret);
    }
    return r;
}

static bool bytes_match(const uint32_t *node, enum node_type type, struct cleat_str bytes)
{
    uint32_t header = node_header(node);
    uint32_t size8 = bytes.length < NODE_SIZE_LONG ? (uint32_t)bytes.length : NODE_SIZE_LONG;
    if (header_type(header) != type || header_size8(header) != size8)
        return false;
    if (size8 == NODE_SIZE_LONG && node[1] != bytes.length)
        return false;
    return memcmp(node + (size8 == NODE_SIZE_LONG ? 2 : 1), bytes.data, bytes.length) == 0;
}

/* Where a search in the table stands: the references with the wanted tag, bucket after bucket. */
struct pool_search {
    const struct table_segment *segment;
    uint32_t index;   /* of the bucket */
    uint32_t left;    /* buckets not looked at yet */
    uint32_t matches; /* bits of the bucket's slots that weren't given out yet */
    uint16_t tag;
};

static inline struct pool_search search_begin(struct pool *pool, uint64_t hash)
{
    struct pool_search search = {.segment = table_segment(&pool->table, hash),
                                 .tag = table_tag(hash)};
    search.left = search.segment->bucket_count;
    if (search.left > 0) {
        search.index = table_home(search.segment, search.tag);
        search.matches = table_match(&search.segment->buckets[search.index], search.tag);
    }
    return search;
}

/* The next reference that may be the one, or absent. */
static inline uint32_t search_next(struct pool_search *search)
{
    while (search->left > 0) {
        const struct table_bucket *bucket = &search->segment->buckets[search->index];
        if (search->matches != 0) {
            uint32_t slot = (uint32_t)__builtin_ctz(search->matches);
            search->matches &= search->matches - 1;
            return bucket->refs[slot];
        }
        if (bucket->spill == 0 || --search->left == 0)
            break;
        search->index = table_next(search->segment, search->index);
        search->matches = table_match(&search->segment->buckets[search->index], search->tag);
    }
    return CLEAT_REF_ABSENT;
}

int cleat__pool_bytes(struct cleat_heap *heap, enum node_type type, struct cleat_str bytes,
                      uint32_t *ret)
{
    const char *data = bytes.length > 0 ? bytes.data : "";
    size_t words = bytes.length / NODE_UNIT_BYTES + 1, hashed = bytes.length > 0 ? bytes.length : 1;
    uint64_t hash = pool_hash(heap->pool, type, data, hashed);
    struct pool_search search = search_begin(heap->pool, hash);
    uint32_t ref;
    while ((ref = search_next(&search)) != CLEAT_REF_ABSENT) {
        if (bytes_match(node_at(heap, ref), type, bytes)) {
            *ret = ref;
            return 0;
        }
    }
    if (bytes.length > NODE_PAYLOAD_BYTES_MAX)
        return -E2BIG;
    int r = pool_make(heap, hash, node_head_units(bytes.length) + words, &ref);
    if (r != 0)
        return r;
    uint32_t mark = type == NODE_NUMBER ? NODE_MARK : 0;
    uint32_t *payload = cleat__node_begin(node_at(heap, ref), type, bytes.length, mark);
    payload[words - 1] = 0;
    memcpy(payload, data, bytes.length);
    *ret = ref;
    return 0;
}

/* Header and long size that a node of words has; returns where its words begin. */
static uint32_t words_head(enum node_type type, size_t size, uint32_t *ret_header)
{
    uint32_t size8 = size < NODE_SIZE_LONG ? (uint32_t)size : NODE_SIZE_LONG;
    *ret_header = header_make(type, size8, 0);
    return type == NODE_OBJECT || size8 < NODE_SIZE_LONG ? 1 : 2;
}

/* What counts isn't part of what makes nodes equal, nor is the mark, which follows from the
 * content. */
#define HEADER_CONTENT_MASK (~(NODE_MARK | (0xffffffffu << NODE_COUNT_SHIFT)))

static bool words_match(const uint32_t *node, uint32_t header, uint32_t head, size_t size,
                        const uint32_t *words, size_t count)
{
    if ((node_header(node) & HEADER_CONTENT_MASK) != header)
        return false;
    if (head == 2 && node[1] != size)
        return false;
    /* Objects with a long size: another shape would differ in the first word, before the end of
     * either. */
    return node[head] == words[0] && memcmp(node + head, words, count * sizeof(*words)) == 0;
}

bool cleat__pool_again(const struct cleat_heap *heap, uint32_t ref, enum node_type type,
                       size_t size, const uint32_t *words, size_t count)
{
    uint32_t header, head = words_head(type, size, &header);
    if (ref == CLEAT_REF_ABSENT || !heap->spans[ref >> NODE_SPAN_BITS])
        return false;
    return words_match(node_at(heap, ref), header, head, size, words, count);
}

/* True where one of the children had no parent yet. */
static bool children_fresh(const struct cleat_heap *heap, const uint32_t *words, size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (ref_is_node(words[i]) && words[i] != CLEAT_REF_ABSENT &&
            header_count(node_header(node_at(heap, words[i]))) == 0)
            return true;
    return false;
}

/* Writes a new node of words and counts its children. */
static void words_write(struct cleat_heap *heap, uint32_t *node, uint32_t header, uint32_t head,
                        size_t size, const uint32_t *words, size_t count)
{
    const uint32_t *children;
    uint32_t mark = 0;
    node_set_header(node, header);
    if (head == 2)
        node[1] = (uint32_t)size;
    memcpy(node + head, words, count * sizeof(*words));
    uint32_t child_count = node_children(heap, node, &children);
    for (uint32_t i = 0; i < child_count; i++) {
        child_hold(heap, children[i]);
        if (ref_is_node(children[i]) && children[i] != CLEAT_REF_ABSENT)
            mark |= node_header(node_at(heap, children[i])) & NODE_MARK;
    }
    node_set_header(node, header | mark);
}

int cleat__pool_words(struct cleat_heap *heap, enum node_type type, size_t size,
                      const uint32_t *words, size_t count, uint32_t *ret)
{
    uint32_t header, ref, head = words_head(type, size, &header);
    if (count > NODE_PAYLOAD_BYTES_MAX / sizeof(*words))
        return -E2BIG;
    uint64_t hash = pool_hash(heap->pool, type, words, count * sizeof(*words));
    /* A child without a parent: there can't be a node yet that holds it. */
    bool fresh = (type == NODE_OBJECT || type == NODE_ARRAY) && children_fresh(heap, words, count);
    if (!fresh) {
        struct pool_search search = search_begin(heap->pool, hash);
        while ((ref = search_next(&search)) != CLEAT_REF_ABSENT) {
            if (words_match(node_at(heap, ref), header, head, size, words, count)) {
                *ret = ref;
                return 0;
            }
        }
    }
    int r = pool_make(heap, hash, head + count, &ref);
    if (r != 0)
        return r;
    words_write(heap, node_at(heap, ref), header, head, size, words, count);
    *ret = ref;
    return 0;
}

/* Holding and freeing. */

static void pool_forget(struct cleat_heap *heap, uint32_t ref)
{
    const uint32_t *node = node_at(heap, ref);
    enum node_type type = node_type(node);
    const void *data;
    size_t length;
    if (type == NODE_STRING || type == NODE_KEY || type == NODE_NUMBER) {
        struct cleat_str bytes = node_bytes(node);
        data = bytes.data;
        length = bytes.length > 0 ? bytes.length : 1;
    } else {
        uint32_t head =
            type != NODE_OBJECT && header_size8(node_header(node)) == NODE_SIZE_LONG ? 2 : 1;
        data = node + head;
        length = (node_units(heap, node) - head) * sizeof(*node);
    }
    table_remove(&heap->pool->table, pool_hash(heap->pool, type, data, length), ref);
}

static bool stack_grow(struct pool *pool)
{
    struct pool_visit *stack =
        cleat_mem_realloc(pool->stack, 2 * (size_t)pool->stack_capacity * sizeof(*stack));
    if (!stack)
        return false;
    pool->stack = stack;
    pool->stack_capacity *= 2;
    return true;
}

/* Gives back one reference; true where it was the last. */
static bool ref_give_back(struct cleat_heap *heap, uint32_t ref)
{
    if (!ref_is_node(ref) || ref == CLEAT_REF_ABSENT)
        return false;
    uint32_t *node = node_at(heap, ref);
    uint32_t header = node_header(node);
    cleat_assert(header_type(header) != NODE_FREE && header_count(header) > 0);
    if (header_count(header) == NODE_COUNT_MAX)
        return false;
    node_set_header(node, header - NODE_COUNT_ONE);
    return header_count(header) == 1;
}

/* Frees @ref, whose count is 0, and what only it needed: depth first, from the last child to the
 * first. */
static void pool_destroy(struct cleat_heap *heap, uint32_t ref)
{
    struct pool *pool = heap->pool;
    const uint32_t *children;
    uint32_t depth = 0;
    pool_forget(heap, ref);
    pool->stack[depth++] =
        (struct pool_visit){ref, node_children(heap, node_at(heap, ref), &children)};
    while (depth > 0) {
        struct pool_visit *top = &pool->stack[depth - 1];
        if (top->rest == 0) {
            pool_release(heap, top->ref);
            depth--;
            continue;
        }
        (void)node_children(heap, node_at(heap, top->ref), &children);
        uint32_t child = children[--top->rest];
        if (top->rest == 0 && node_type(node_at(heap, top->ref)) == NODE_OBJECT) {
            /* the shape is needed until the object's own size isn't any more */
            uint32_t object = top->ref;
            depth--;
            pool_release(heap, object);
        }
        if (!ref_give_back(heap, child))
            continue;
        if (depth == pool->stack_capacity && !stack_grow(pool)) {
            journal_add(heap, child); /* the next sweep frees it */
            continue;
        }
        pool_forget(heap, child);
        pool->stack[depth++] =
            (struct pool_visit){child, node_children(heap, node_at(heap, child), &children)};
    }
}

void cleat_pool_hold(struct cleat_heap *pool, uint32_t ref)
{
    cleat_assert(pool->magic == HEAP_MAGIC && pool->is_pool);
    child_hold(pool, ref);
}

void cleat_pool_drop(struct cleat_heap *pool, uint32_t ref)
{
    cleat_assert(pool->magic == HEAP_MAGIC && pool->is_pool);
    if (ref_give_back(pool, ref))
        pool_destroy(pool, ref);
}

void cleat__pool_unhold(struct cleat_heap *pool, uint32_t ref)
{
    if (ref_give_back(pool, ref))
        journal_add(pool, ref);
}

/* Frees every node that nothing refers to, found through the table. */
static void pool_sweep_all(struct cleat_heap *heap)
{
    bool found = true;
    while (found) { /* freeing changes buckets, and may make others idle where memory is short */
        found = false;
        heap->pool->journal_lost = false;
        for (uint32_t i = 0; i < TABLE_SEGMENTS; i++) {
            const struct table_segment *segment = &heap->pool->table.segments[i];
            for (uint32_t at = 0; at < segment->bucket_count * TABLE_SLOTS; at++) {
                const struct table_bucket *bucket = &segment->buckets[at / TABLE_SLOTS];
                uint32_t slot = at % TABLE_SLOTS;
                if ((bucket->used >> slot & 1) != 0 && ref_is_idle(heap, bucket->refs[slot])) {
                    pool_destroy(heap, bucket->refs[slot]);
                    found = true;
                }
            }
        }
    }
}

void cleat_pool_sweep(struct cleat_heap *heap)
{
    cleat_assert(heap->magic == HEAP_MAGIC && heap->is_pool);
    struct pool *pool = heap->pool;
    while (pool->journal_count > 0) {
        uint32_t ref = pool->journal[--pool->journal_count];
        if (ref_is_idle(heap, ref))
            pool_destroy(heap, ref);
    }
    if (pool->journal_lost)
        pool_sweep_all(heap);
}
