/* SPDX-License-Identifier: Apache-2.0 */
#include "value/heap.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "base/mem.h"
#include "value/node.h"
#include "value/number.h"
#include "value/pack.h"

/* Members or elements that are put in order without asking for memory. */
#define HEAP_FEW 16

static _Atomic(uint32_t) heap_serial = 1; /* only its being different counts: relaxed */

uint64_t cleat__heap_epoch(void)
{
    return (uint64_t)atomic_fetch_add_explicit(&heap_serial, 1, memory_order_relaxed) << 32;
}

bool cleat_heap_is_pool(const struct cleat_heap *heap)
{
    return heap->is_pool;
}

size_t cleat_heap_bytes(const struct cleat_heap *heap)
{
    return heap->bytes;
}

size_t cleat_heap_nodes(const struct cleat_heap *heap)
{
    return heap->nodes;
}

struct cleat_heap *cleat_heap_free(struct cleat_heap *heap)
{
    if (!heap)
        return NULL;
    cleat_assert(heap->magic == HEAP_MAGIC);
    if (heap->is_pool)
        cleat__pool_fini(heap);
    for (uint32_t span = 0; span < heap->span_count; span++)
        (void)cleat_mem_free(heap->spans[span]);
    (void)cleat_mem_free(heap->spans);
    (void)cleat_mem_free(heap->span_units);
    heap->magic = 0;
    return cleat_mem_free(heap);
}

/* Makes room for @spans entries of an arena's directory. */
static int heap_directory_grow(struct cleat_heap *heap, uint32_t spans)
{
    if (spans > NODE_SPANS_MAX)
        return -ENOBUFS;
    if (spans <= heap->span_capacity)
        return 0;
    cleat_assert(!heap->is_pool);
    uint32_t capacity = heap->span_capacity ? heap->span_capacity * 2 : 4;
    while (capacity < spans)
        capacity *= 2;
    uint32_t **directory = cleat_mem_realloc(heap->spans, capacity * sizeof(*directory));
    if (!directory)
        return -ENOMEM;
    heap->spans = directory;
    uint32_t *units = cleat_mem_realloc(heap->span_units, capacity * sizeof(*units));
    if (!units)
        return -ENOMEM;
    heap->span_units = units;
    memset(heap->spans + heap->span_capacity, 0,
           (capacity - heap->span_capacity) * sizeof(*directory));
    memset(heap->span_units + heap->span_capacity, 0,
           (capacity - heap->span_capacity) * sizeof(*units));
    heap->span_capacity = capacity;
    return 0;
}

/* The first of @count spans in a row that nothing uses; blocks of several spans mark only their
 * first. */
static uint32_t heap_spans_find(const struct cleat_heap *heap, uint32_t count)
{
    uint32_t span = 0, run = 0;
    while (span < heap->span_count && run < count) {
        uint32_t units = heap->span_units[span];
        if (units > 0) {
            span += (units + NODE_SPAN_UNITS - 1) / NODE_SPAN_UNITS;
            run = 0;
        } else {
            span++;
            run++;
        }
    }
    return span - run;
}

int cleat__heap_block(struct cleat_heap *heap, uint32_t units, uint32_t *ret_span)
{
    size_t bytes = (size_t)units * NODE_UNIT_BYTES;
    uint32_t count = (units + NODE_SPAN_UNITS - 1) / NODE_SPAN_UNITS;
    if (bytes > heap->bytes_max || heap->bytes > heap->bytes_max - bytes)
        return -ENOBUFS;
    uint32_t span = heap_spans_find(heap, count);
    int r = heap_directory_grow(heap, span + count);
    if (r != 0)
        return r;
    uint32_t *block = cleat_mem_alloc(bytes);
    if (!block)
        return -ENOMEM;
    heap->spans[span] = block;
    heap->span_units[span] = units;
    heap->bytes += bytes;
    if (heap->span_count < span + count)
        heap->span_count = span + count;
    *ret_span = span;
    return 0;
}

void cleat__heap_block_free(struct cleat_heap *heap, uint32_t span)
{
    cleat_assert(heap->spans[span]);
    heap->bytes -= (size_t)heap->span_units[span] * NODE_UNIT_BYTES;
    heap->spans[span] = cleat_mem_free(heap->spans[span]);
    heap->span_units[span] = 0;
}

uint32_t *cleat__node_begin(uint32_t *node, enum node_type type, size_t size, uint32_t mark)
{
    if (size < NODE_SIZE_LONG) {
        node_set_header(node, header_make(type, (uint32_t)size, mark));
        return node + 1;
    }
    node_set_header(node, header_make(type, NODE_SIZE_LONG, mark));
    node[1] = (uint32_t)size;
    return node + 2;
}

uint32_t cleat_heap_null(const struct cleat_heap *heap)
{
    (void)heap;
    return REF_NULL;
}

uint32_t cleat_heap_not_kept(const struct cleat_heap *heap)
{
    (void)heap;
    return REF_NOT_KEPT;
}

uint32_t cleat_heap_bool(const struct cleat_heap *heap, bool flag)
{
    (void)heap;
    return flag ? REF_TRUE : REF_FALSE;
}

/* A node of fixed words, interned in a pool. */
static int heap_words(struct cleat_heap *heap, enum node_type type, size_t size, uint32_t mark,
                      const uint32_t *words, size_t count, uint32_t *ret)
{
    if (heap->is_pool)
        return cleat__pool_words(heap, type, size, words, count, ret);
    uint32_t head = type == NODE_OBJECT ? 1 : node_head_units(size);
    uint32_t ref;
    int r = cleat__arena_alloc(heap, head + count, &ref);
    if (r != 0)
        return r;
    uint32_t *node = node_at(heap, ref);
    if (type == NODE_OBJECT) {
        uint32_t size8 = size < NODE_SIZE_LONG ? (uint32_t)size : NODE_SIZE_LONG;
        node_set_header(node, header_make(type, size8, mark));
    } else {
        (void)cleat__node_begin(node, type, size, mark);
    }
    memcpy(node + head, words, count * sizeof(*words));
    *ret = ref;
    return 0;
}

int cleat_heap_int(struct cleat_heap *heap, int64_t number, uint32_t *ret)
{
    if (number >= REF_SMALL_MIN && number <= REF_SMALL_MAX) {
        *ret = ref_of_small(number);
        return 0;
    }
    uint32_t words[2];
    memcpy(words, &number, sizeof(words));
    return heap_words(heap, NODE_INT, 0, 0, words, 2, ret);
}

int cleat_heap_number(struct cleat_heap *heap, struct cleat_str text, uint32_t *ret)
{
    int64_t number;
    if (cleat__number_canonical(text, &number))
        return cleat_heap_int(heap, number, ret);
    if (!cleat__number_valid(text))
        return -EINVAL;
    if (heap->is_pool)
        return cleat__pool_bytes(heap, NODE_NUMBER, text, ret);
    return cleat__arena_bytes(heap, NODE_NUMBER, text, NODE_MARK, ret);
}

/* Strings of a pool that pack. */
static int heap_packed(struct cleat_heap *heap, struct pack *pack, uint32_t *ret)
{
    if (pack->type == PACK_DIGEST || pack->type == PACK_TAIL) {
        pack->words[0] = CLEAT_REF_ABSENT;
        if (pack->prefix.length > 0) {
            int r = cleat__heap_key(heap, pack->prefix, &pack->words[0]);
            if (r != 0)
                return r;
        }
    }
    return cleat__pool_words(heap, NODE_PACKED, pack->type, pack->words, pack->count, ret);
}

int cleat_heap_str(struct cleat_heap *heap, struct cleat_str text, uint32_t *ret)
{
    if (text.length <= REF_SHORT_BYTES_MAX) {
        *ret = ref_of_short(text.data, text.length);
        return 0;
    }
    if (text.length == PACK_TIME_BYTES && cleat__pack_time(text.data, ret))
        return 0;
    if (!heap->is_pool)
        return cleat__arena_bytes(heap, NODE_STRING, text, 0, ret);
    struct pack pack;
    cleat__pack(text, &pack);
    if (pack.type != PACK_NONE)
        return heap_packed(heap, &pack, ret);
    return cleat__pool_bytes(heap, NODE_STRING, text, ret);
}

int cleat__heap_key_kept(struct cleat_heap *heap, struct cleat_str key, uint32_t *ret)
{
    if (heap->is_pool)
        return cleat__pool_bytes(heap, NODE_KEY, key, ret);
    int r = cleat__arena_alloc_kept(heap, node_bytes_units(key.length), ret);
    if (r == 0)
        cleat__arena_fill(heap, *ret, NODE_KEY, key, 0);
    return r;
}

int cleat__heap_key(struct cleat_heap *heap, struct cleat_str key, uint32_t *ret)
{
    if (heap->is_pool)
        return cleat__pool_bytes(heap, NODE_KEY, key, ret);
    return cleat__arena_bytes(heap, NODE_KEY, key, 0, ret);
}

/* The mark of what @refs hold together; foreign values count as marked, because they may be. */
static uint32_t heap_mark(const struct cleat_heap *heap, const uint32_t *refs, size_t count)
{
    uint32_t mark = 0;
    for (size_t i = 0; i < count; i++) {
        if (ref_is_node(refs[i])) {
            uint32_t header = node_header(node_at(heap, refs[i]));
            mark |= header_type(header) == NODE_FOREIGN ? NODE_MARK : header & NODE_MARK;
        }
    }
    return mark;
}

int cleat_heap_array(struct cleat_heap *heap, const uint32_t *elements, size_t count, uint32_t *ret)
{
    if (count == 0) {
        *ret = REF_EMPTY_ARRAY;
        return 0;
    }
    uint32_t mark = heap->is_pool ? 0 : heap_mark(heap, elements, count);
    return heap_words(heap, NODE_ARRAY, count, mark, elements, count, ret);
}

/* A member on its way into an object. */
struct heap_slot {
    struct cleat_str key;
    uint32_t ref;
    uint32_t position; /* in the order of the source */
};

/* Sorts by key with a merge, which is stable and never worse than n log n. @spare is as large. */
static void slots_sort(struct heap_slot *slots, struct heap_slot *spare, size_t count)
{
    if (count < 2)
        return;
    size_t half = count / 2, left = 0, right = half;
    slots_sort(slots, spare, half);
    slots_sort(slots + half, spare, count - half);
    if (cleat_str_compare(slots[half - 1].key, slots[half].key) < 0)
        return;
    memcpy(spare, slots, count * sizeof(*slots));
    for (size_t i = 0; i < count; i++) {
        bool take_left = right >= count ||
                         (left < half && cleat_str_compare(spare[left].key, spare[right].key) <= 0);
        slots[i] = take_left ? spare[left++] : spare[right++];
    }
}

static bool slots_doubled(const struct heap_slot *sorted, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (cleat_str_equal(sorted[i - 1].key, sorted[i].key))
            return true;
    return false;
}

/* Room for the arrays that putting members in order takes: on the stack where they are few. */
struct heap_order {
    struct heap_slot *slots; /* sorted; as much again behind them for the sorting */
    uint32_t *words;         /* 2 × count + 1 */
    void *memory;
    struct heap_slot few_slots[2 * HEAP_FEW];
    uint32_t few_words[2 * HEAP_FEW + 1];
};

static int order_init(struct heap_order *order, size_t count)
{
    order->slots = order->few_slots;
    order->words = order->few_words;
    order->memory = NULL;
    if (count <= HEAP_FEW)
        return 0;
    if (count > NODE_PAYLOAD_BYTES_MAX / sizeof(*order->slots))
        return -E2BIG;
    order->memory = cleat_mem_alloc(2 * count * sizeof(*order->slots) +
                                    (2 * count + 1) * sizeof(*order->words));
    if (!order->memory)
        return -ENOMEM;
    order->slots = order->memory;
    order->words = (uint32_t *)(void *)(order->slots + 2 * count);
    return 0;
}

static void order_fini(struct heap_order *order)
{
    order->memory = cleat_mem_free(order->memory);
}

/* Sorts the keys, whose nodes are @keys. -EEXIST where one is doubled. */
static int order_sort(struct heap_order *order, const struct cleat_heap *heap, const uint32_t *keys,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        order->slots[i] =
            (struct heap_slot){node_bytes(node_at(heap, keys[i])), keys[i], (uint32_t)i};
    }
    slots_sort(order->slots, order->slots + count, count);
    return slots_doubled(order->slots, count) ? -EEXIST : 0;
}

/* Makes an arena's shape, in the order of the source; @order is sorted. */
static int order_shape(struct heap_order *order, struct cleat_heap *arena, const uint32_t *keys,
                       size_t count, uint32_t *ret)
{
    bool in_order = true;
    for (size_t i = 0; i < count; i++) {
        order->words[i] = keys[i];
        order->words[count + i] = order->slots[i].position;
        in_order = in_order && order->slots[i].position == i;
    }
    bool indexed = !in_order && count > SHAPE_LINEAR_MAX;
    enum node_type type = in_order ? NODE_SHAPE_SORTED : indexed ? NODE_SHAPE_INDEXED : NODE_SHAPE;
    return heap_words(arena, type, count, 0, order->words, indexed ? 2 * count : count, ret);
}

/* An arena's shape, for this document and, where it can be, the next ones. */
static int heap_shape_kept(struct cleat_heap *arena, enum node_type type, size_t size,
                           const uint32_t *words, size_t count, uint32_t *ret)
{
    int r = cleat__arena_alloc_kept(arena, node_head_units(size) + count, ret);
    if (r == 0)
        memcpy(cleat__node_begin(node_at(arena, *ret), type, size, 0), words,
               count * sizeof(*words));
    return r;
}

int cleat__heap_shape(struct cleat_heap *heap, const uint32_t *keys, const uint16_t *order,
                      bool in_order, size_t count, uint32_t *ret)
{
    uint32_t words[2 * SHAPE_ORDERED_MAX];
    if (heap->is_pool)
        return cleat__pool_words(heap, NODE_SHAPE_SORTED, count, keys, count, ret);
    if (in_order || count <= SHAPE_LINEAR_MAX)
        return heap_shape_kept(heap, in_order ? NODE_SHAPE_SORTED : NODE_SHAPE, count, keys, count,
                               ret);
    cleat_assert(count <= SHAPE_ORDERED_MAX);
    for (size_t i = 0; i < count; i++) {
        words[i] = keys[i];
        words[count + i] = order[i];
    }
    return heap_shape_kept(heap, NODE_SHAPE_INDEXED, count, words, 2 * count, ret);
}

int cleat__heap_shaped(struct cleat_heap *heap, const uint32_t *words, size_t count, uint32_t *ret)
{
    uint32_t mark = heap->is_pool ? 0 : heap_mark(heap, words + 1, count);
    return heap_words(heap, NODE_OBJECT, count, mark, words, count + 1, ret);
}

/* Shape and values of sorted members, as words of an object. */
static int order_words(struct heap_order *order, struct cleat_heap *heap, const uint32_t *keys,
                       const uint32_t *values, size_t count)
{
    uint32_t shape;
    int r;
    if (heap->is_pool) {
        for (size_t i = 0; i < count; i++)
            order->words[i] = order->slots[i].ref;
        r = cleat__pool_words(heap, NODE_SHAPE_SORTED, count, order->words, count, &shape);
    } else {
        r = order_shape(order, heap, keys, count, &shape);
    }
    if (r != 0)
        return r;
    order->words[0] = shape;
    for (size_t i = 0; i < count; i++)
        order->words[1 + i] = values[heap->is_pool ? order->slots[i].position : i];
    return 0;
}

int cleat__heap_keyed(struct cleat_heap *heap, const uint32_t *keys, const uint32_t *values,
                      size_t count, uint32_t *ret)
{
    struct heap_order order;
    if (count == 0) {
        *ret = REF_EMPTY_OBJECT;
        return 0;
    }
    int r = order_init(&order, count);
    if (r != 0)
        return r;
    r = order_sort(&order, heap, keys, count);
    if (r == 0)
        r = order_words(&order, heap, keys, values, count);
    if (r == 0)
        r = cleat__heap_shaped(heap, order.words, count, ret);
    order_fini(&order);
    return r;
}

int cleat_heap_object(struct cleat_heap *heap, const struct cleat_member *members, size_t count,
                      uint32_t *ret)
{
    uint32_t few[2 * HEAP_FEW], *refs = few;
    CLEAT_CLEANUP(cleat_mem_freep) uint32_t *memory = NULL;
    if (count > NODE_PAYLOAD_BYTES_MAX / sizeof(*members))
        return -E2BIG;
    if (count > HEAP_FEW) {
        memory = cleat_mem_alloc(2 * count * sizeof(*refs));
        if (!memory)
            return -ENOMEM;
        refs = memory;
    }
    for (size_t i = 0; i < count; i++) {
        int r = cleat__heap_key(heap, members[i].key, &refs[i]);
        if (r != 0)
            return r;
        refs[count + i] = members[i].ref;
    }
    return cleat__heap_keyed(heap, refs, refs + count, count, ret);
}

int cleat_heap_foreign(struct cleat_heap *heap, struct cleat_value value, uint32_t *ret)
{
    value = value_resolve(value);
    if (value.heap == heap || !ref_is_node(value.ref) || value.ref == CLEAT_REF_ABSENT) {
        *ret = value.ref;
        return 0;
    }
    cleat_assert(!heap->is_pool);
    uint64_t address = (uint64_t)(uintptr_t)value.heap;
    const uint32_t words[] = {(uint32_t)address, (uint32_t)(address >> 32), value.ref};
    return heap_words(heap, NODE_FOREIGN, 0, 0, words, 3, ret);
}

static int heap_copy_at(struct cleat_heap *heap, struct cleat_value value, int depth,
                        uint32_t *ret);

static int copy_array(struct cleat_heap *heap, struct cleat_value value, int depth, uint32_t *ret)
{
    uint32_t few[HEAP_FEW], *refs = few;
    CLEAT_CLEANUP(cleat_mem_freep) uint32_t *memory = NULL;
    size_t count = cleat_value_count(value);
    if (count > HEAP_FEW) {
        memory = cleat_mem_alloc(count * sizeof(*refs));
        if (!memory)
            return -ENOMEM;
        refs = memory;
    }
    for (size_t i = 0; i < count; i++) {
        int r = heap_copy_at(heap, cleat_value_at(value, i), depth + 1, &refs[i]);
        if (r != 0)
            return r;
    }
    return cleat_heap_array(heap, refs, count, ret);
}

static int copy_object(struct cleat_heap *heap, struct cleat_value value, int depth, uint32_t *ret)
{
    struct cleat_member few[HEAP_FEW], *members = few;
    CLEAT_CLEANUP(cleat_mem_freep) struct cleat_member *memory = NULL;
    size_t count = cleat_value_count(value);
    if (count > HEAP_FEW) {
        memory = cleat_mem_alloc(count * sizeof(*members));
        if (!memory)
            return -ENOMEM;
        members = memory;
    }
    for (size_t i = 0; i < count; i++) {
        struct cleat_value child = cleat_value_member(value, i, &members[i].key);
        int r = heap_copy_at(heap, child, depth + 1, &members[i].ref);
        if (r != 0)
            return r;
    }
    return cleat_heap_object(heap, members, count, ret);
}

/* Recursion is bounded: deeper than the limit of depth isn't copied. */
static int heap_copy_at(struct cleat_heap *heap, struct cleat_value value, int depth, uint32_t *ret)
{
    struct cleat_scratch scratch;
    struct cleat_str text;
    value = value_resolve(value);
    if (value.heap == heap || !ref_is_node(value.ref) || value.ref == CLEAT_REF_ABSENT) {
        *ret = value.ref;
        return 0;
    }
    if (depth > CLEAT_VALUE_DEPTH_MAX)
        return -E2BIG;
    switch (cleat_value_type(value)) {
    case CLEAT_TYPE_NUMBER:
        return cleat_value_number(value, &scratch, &text) == 0 ? cleat_heap_number(heap, text, ret)
                                                               : -EINVAL;
    case CLEAT_TYPE_STRING: return cleat_heap_str(heap, cleat_value_text(value, &scratch), ret);
    case CLEAT_TYPE_ARRAY: return copy_array(heap, value, depth, ret);
    case CLEAT_TYPE_OBJECT: return copy_object(heap, value, depth, ret);
    default: return -EINVAL; /* the others are no nodes */
    }
}

int cleat_heap_copy(struct cleat_heap *heap, struct cleat_value value, uint32_t *ret)
{
    return heap_copy_at(heap, value, 0, ret);
}
