/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one opened container does. Removed members leave a gap that a later put closes; positions in
 * the index are the members' positions plus one. Every chunk of an array but the last one made may
 * be partly filled; none is empty.
 */
#include <errno.h>
#include <string.h>
#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "value/tree.h"
#include "value/tree_node.h"

#define NODE_CHUNK_SLOTS 256
#define NODE_CHUNK_SLOTS_FIRST 8
#define NODE_INDEX_FROM 16 /* members from which on an object has an index */
#define NODE_GAPS_MIN 16

/* -- life -- */

void cleat_tree_node_free(struct cleat_tree_node *node)
{
    for (size_t i = 0; i < node->chunk_count; i++)
        cleat_mem_free(node->chunks[i]);
    cleat_mem_free(node->chunks);
    cleat_mem_free(node->chunk_sizes);
    cleat_mem_free(node->members);
    cleat_map_fini(&node->index);
    cleat_mem_free(node);
}

static int node_fill(struct cleat_tree *tree, struct cleat_tree_node *node,
                     struct cleat_value value)
{
    size_t count = cleat_value_count(value);
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        struct cleat_str key = {NULL, 0};
        struct cleat_value child =
            node->is_object ? cleat_value_member(value, i, &key) : cleat_value_at(value, i);
        struct cleat_tree_slot slot = cleat_tree_slot_of(child);
        r = node->is_object ? cleat_tree_put(tree, node, key, slot)
                            : cleat_tree_insert(tree, node, i, slot);
    }
    return r;
}

int cleat_tree_node_new(struct cleat_tree *tree, struct cleat_value value,
                        struct cleat_tree_node **ret)
{
    struct cleat_tree_node *node;
    int r = cleat_tree_charge(tree, sizeof(*node));

    if (r < 0)
        return r;
    node = cleat_mem_zalloc(1, sizeof(*node));
    if (!node)
        return -ENOMEM;
    node->is_object = cleat_value_type(value) == CLEAT_TYPE_OBJECT;
    node->dirty = true; /* so that filling marks nobody */
    cleat_map_init(&node->index, SIZE_MAX);
    r = node_fill(tree, node, value);
    if (r < 0) {
        cleat_tree_node_free(node);
        return r;
    }
    node->dirty = false;
    *ret = node;
    return 0;
}

/* -- marks -- */

static void node_touch(struct cleat_tree_node *node)
{
    for (; node && !node->dirty; node = node->parent)
        node->dirty = true;
}

/* @slot came to stand in @node: known heights above it stay upper bounds. */
static void node_adopt(struct cleat_tree_node *node, struct cleat_tree_slot *slot)
{
    unsigned needed;

    if (slot->node)
        slot->node->parent = node;
    if (!node || !node->height)
        return;
    for (needed = cleat_tree_height(slot) + 2; node && node->height && node->height < needed;
         node = node->parent)
        node->height = (uint8_t)(needed < UINT8_MAX ? needed++ : needed);
}

void cleat_tree_replace(struct cleat_tree_node *parent, struct cleat_tree_slot *slot,
                        struct cleat_tree_slot value)
{
    if (slot->node)
        slot->node->parent = NULL;
    *slot = value;
    if (parent)
        node_adopt(parent, slot);
    else if (slot->node)
        slot->node->parent = NULL;
    node_touch(parent);
}

/* -- objects -- */

static struct cleat_tree_member *node_find(struct cleat_tree_node *object, struct cleat_str key)
{
    if (object->index.count > 0) {
        uintptr_t position = (uintptr_t)cleat_map_get(&object->index, key);
        return position ? &object->members[position - 1] : NULL;
    }
    for (size_t i = 0; i < object->used; i++)
        if (cleat_tree_member_is_live(&object->members[i]) &&
            cleat_str_equal(object->members[i].key, key))
            return &object->members[i];
    return NULL;
}

struct cleat_tree_slot *cleat_tree_member(struct cleat_tree_node *object, struct cleat_str key)
{
    struct cleat_tree_member *member = node_find(object, key);

    return member ? &member->slot : NULL;
}

static int node_index_set(struct cleat_tree_node *object, size_t position)
{
    return cleat_map_set(&object->index, object->members[position].key,
                         (void *)(uintptr_t)(position + 1));
}

static void node_close_gaps(struct cleat_tree_node *object)
{
    size_t to = 0;

    for (size_t from = 0; from < object->used; from++) {
        if (!cleat_tree_member_is_live(&object->members[from]))
            continue;
        object->members[to] = object->members[from];
        if (object->index.count > 0) {
            int r = node_index_set(object, to);
            cleat_assert(r == 0); /* the key is there: nothing grows */
        }
        to++;
    }
    object->used = to;
}

static int node_members_grow(struct cleat_tree *tree, struct cleat_tree_node *object)
{
    size_t capacity = object->capacity ? object->capacity * 2 : 8;
    struct cleat_tree_member *members;
    int r = cleat_tree_charge(tree, (capacity - object->capacity) * 2 * sizeof(*members));

    if (r < 0)
        return r;
    members = cleat_mem_realloc(object->members, capacity * sizeof(*members));
    if (!members)
        return -ENOMEM;
    object->members = members;
    object->capacity = capacity;
    return 0;
}

/* Makes the index once there are enough members. The new member isn't in it yet. */
static int node_index_make(struct cleat_tree_node *object)
{
    if (object->index.count > 0 || object->used < NODE_INDEX_FROM)
        return 0;
    for (size_t i = 0; i < object->used; i++) {
        int r = cleat_tree_member_is_live(&object->members[i]) ? node_index_set(object, i) : 0;
        if (r < 0) {
            cleat_map_fini(&object->index);
            return r;
        }
    }
    return 0;
}

static int node_add_member(struct cleat_tree *tree, struct cleat_tree_node *object,
                           struct cleat_str key, struct cleat_tree_slot value)
{
    struct cleat_tree_member *member;
    int r;

    if (object->used - object->count > object->count + NODE_GAPS_MIN)
        node_close_gaps(object);
    r = object->used == object->capacity ? node_members_grow(tree, object) : 0;
    if (r == 0)
        r = node_index_make(object);
    if (r < 0)
        return r;
    member = &object->members[object->used];
    *member = (struct cleat_tree_member){key, value};
    if (object->index.count > 0) {
        r = node_index_set(object, object->used);
        if (r < 0)
            return r;
    }
    object->used++;
    object->count++;
    node_adopt(object, &member->slot);
    node_touch(object);
    return 0;
}

int cleat_tree_put(struct cleat_tree *tree, struct cleat_tree_node *object, struct cleat_str key,
                   struct cleat_tree_slot value)
{
    struct cleat_tree_slot *slot = cleat_tree_member(object, key);

    if (!slot)
        return node_add_member(tree, object, key, value);
    cleat_tree_replace(object, slot, value);
    return 0;
}

struct cleat_tree_slot cleat_tree_take_member(struct cleat_tree_node *object, struct cleat_str key)
{
    struct cleat_tree_member *member = node_find(object, key);
    struct cleat_tree_slot taken;

    cleat_assert(member);
    taken = member->slot;
    if (object->index.count > 0)
        (void)cleat_map_remove(&object->index, key); /* the position, already known */
    member->slot = (struct cleat_tree_slot){NULL, NULL, 0, 0};
    object->count--;
    if (taken.node)
        taken.node->parent = NULL;
    node_touch(object);
    return taken;
}

/* -- arrays -- */

/* The chunk that holds @index, which becomes the index in it; at the end the one behind the last.
 */
static size_t node_chunk_of(const struct cleat_tree_node *array, size_t *index)
{
    size_t chunk = 0;

    while (chunk < array->chunk_count && *index >= array->chunk_sizes[chunk])
        *index -= array->chunk_sizes[chunk++];
    return chunk;
}

struct cleat_tree_slot *cleat_tree_element(struct cleat_tree_node *array, size_t index)
{
    size_t chunk;

    if (index >= array->count)
        return NULL;
    chunk = node_chunk_of(array, &index);
    return &array->chunks[chunk]->slots[index];
}

static int node_chunks_grow(struct cleat_tree *tree, struct cleat_tree_node *array)
{
    size_t capacity = array->chunk_capacity ? array->chunk_capacity * 2 : 4;
    struct cleat_tree_chunk **chunks;
    uint32_t *sizes;
    int r = cleat_tree_charge(tree, capacity * (sizeof(*chunks) + sizeof(*sizes)));

    if (r < 0)
        return r;
    chunks = cleat_mem_realloc(array->chunks, capacity * sizeof(struct cleat_tree_chunk *));
    if (!chunks)
        return -ENOMEM;
    array->chunks = chunks;
    sizes = cleat_mem_realloc(array->chunk_sizes, capacity * sizeof(*sizes));
    if (!sizes)
        return -ENOMEM;
    array->chunk_sizes = sizes;
    array->chunk_capacity = capacity;
    return 0;
}

/* An empty chunk at @position. */
static int node_chunk_add(struct cleat_tree *tree, struct cleat_tree_node *array, size_t position,
                          size_t capacity)
{
    struct cleat_tree_chunk *chunk;
    size_t size = sizeof(*chunk) + capacity * sizeof(chunk->slots[0]);
    size_t behind = array->chunk_count - position;
    int r = array->chunk_count == array->chunk_capacity ? node_chunks_grow(tree, array) : 0;

    if (r == 0)
        r = cleat_tree_charge(tree, size);
    if (r < 0)
        return r;
    chunk = cleat_mem_alloc(size);
    if (!chunk)
        return -ENOMEM;
    chunk->capacity = capacity;
    memmove(array->chunks + position + 1, array->chunks + position,
            behind * sizeof(struct cleat_tree_chunk *));
    memmove(array->chunk_sizes + position + 1, array->chunk_sizes + position,
            behind * sizeof(array->chunk_sizes[0]));
    array->chunks[position] = chunk;
    array->chunk_sizes[position] = 0;
    array->chunk_count++;
    return 0;
}

static int node_chunk_grow(struct cleat_tree *tree, struct cleat_tree_node *array, size_t position)
{
    struct cleat_tree_chunk *chunk = array->chunks[position];
    size_t capacity = chunk->capacity * 2;
    size_t size = sizeof(*chunk) + capacity * sizeof(chunk->slots[0]);
    int r = cleat_tree_charge(tree, size);

    if (r < 0)
        return r;
    chunk = cleat_mem_realloc(chunk, size);
    if (!chunk)
        return -ENOMEM;
    chunk->capacity = capacity;
    array->chunks[position] = chunk;
    return 0;
}

/* Moves the upper half of a full chunk into a new one behind it. */
static int node_chunk_split(struct cleat_tree *tree, struct cleat_tree_node *array, size_t position)
{
    uint32_t kept = NODE_CHUNK_SLOTS / 2, moved = array->chunk_sizes[position] - kept;
    int r = node_chunk_add(tree, array, position + 1, NODE_CHUNK_SLOTS);

    if (r < 0)
        return r;
    memcpy(array->chunks[position + 1]->slots, array->chunks[position]->slots + kept,
           moved * sizeof(struct cleat_tree_slot));
    array->chunk_sizes[position] = kept;
    array->chunk_sizes[position + 1] = moved;
    return 0;
}

/* A chunk with room, and the place in it, for an element before *@index. */
static int node_room(struct cleat_tree *tree, struct cleat_tree_node *array, size_t *index,
                     size_t *ret_chunk)
{
    size_t chunk = node_chunk_of(array, index);
    int r = 0;

    if (chunk == array->chunk_count) { /* at the end: behind the last element, or in a new chunk */
        if (chunk > 0 && array->chunk_sizes[chunk - 1] < NODE_CHUNK_SLOTS)
            *index = array->chunk_sizes[--chunk];
        else
            r = node_chunk_add(tree, array, chunk,
                               chunk ? NODE_CHUNK_SLOTS : NODE_CHUNK_SLOTS_FIRST);
    } else if (array->chunk_sizes[chunk] == NODE_CHUNK_SLOTS) {
        r = node_chunk_split(tree, array, chunk);
        if (r == 0 && *index > array->chunk_sizes[chunk])
            *index -= array->chunk_sizes[chunk++];
    }
    if (r == 0 && array->chunk_sizes[chunk] == array->chunks[chunk]->capacity)
        r = node_chunk_grow(tree, array, chunk);
    *ret_chunk = chunk;
    return r;
}

int cleat_tree_insert(struct cleat_tree *tree, struct cleat_tree_node *array, size_t index,
                      struct cleat_tree_slot value)
{
    struct cleat_tree_slot *slot;
    size_t chunk = 0;
    int r;

    cleat_assert(index <= array->count);
    r = node_room(tree, array, &index, &chunk);
    if (r < 0)
        return r;
    slot = &array->chunks[chunk]->slots[index];
    memmove(slot + 1, slot, (array->chunk_sizes[chunk] - index) * sizeof(*slot));
    *slot = value;
    array->chunk_sizes[chunk]++;
    array->count++;
    node_adopt(array, slot);
    node_touch(array);
    return 0;
}

static void node_chunk_drop(struct cleat_tree_node *array, size_t position)
{
    size_t behind = array->chunk_count - position - 1;

    cleat_mem_free(array->chunks[position]);
    memmove(array->chunks + position, array->chunks + position + 1,
            behind * sizeof(struct cleat_tree_chunk *));
    memmove(array->chunk_sizes + position, array->chunk_sizes + position + 1,
            behind * sizeof(array->chunk_sizes[0]));
    array->chunk_count--;
}

struct cleat_tree_slot cleat_tree_take_element(struct cleat_tree_node *array, size_t index)
{
    struct cleat_tree_slot *slot, taken;
    size_t chunk;

    cleat_assert(index < array->count);
    chunk = node_chunk_of(array, &index);
    slot = &array->chunks[chunk]->slots[index];
    taken = *slot;
    array->chunk_sizes[chunk]--;
    memmove(slot, slot + 1, (array->chunk_sizes[chunk] - index) * sizeof(*slot));
    if (array->chunk_sizes[chunk] == 0)
        node_chunk_drop(array, chunk);
    array->count--;
    if (taken.node)
        taken.node->parent = NULL;
    node_touch(array);
    return taken;
}
