/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The overlay as a whole: opening, freezing, comparing and heights. What a single container does is
 * in tree_node.c.
 *
 * Invariants: a dirty node's ancestors are dirty. Below a node whose height is known all opened
 * nodes have one. Nodes live until the tree ends, also where they were removed from it.
 */
#include <errno.h>
#include <string.h>
#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "value/tree.h"
#include "value/tree_node.h"

/* Exact heights that a tree may ask for after a bound was too high. */
#define TREE_RECOUNTS_MAX 16
/* Tables of opened containers may take this many times what the frozen forms may. */
#define TREE_TABLES_FACTOR 4

struct cleat_tree_key {
    struct cleat_tree_key *next;
    char bytes[];
};

int cleat_tree_init(struct cleat_tree *tree, struct cleat_value base, size_t bytes_max)
{
    struct cleat_heap *arena = NULL;
    int r = cleat_arena_new(bytes_max, &arena);

    if (r < 0)
        return r;
    memset(tree, 0, sizeof(*tree));
    tree->arena = arena;
    tree->root = cleat_tree_slot_of(base);
    tree->bytes_max = bytes_max * TREE_TABLES_FACTOR;
    return 0;
}

void cleat_tree_fini(struct cleat_tree *tree)
{
    struct cleat_tree_node *next_node;
    struct cleat_tree_key *next_key;

    for (struct cleat_tree_node *node = tree->nodes; node; node = next_node) {
        next_node = node->next;
        cleat_tree_node_free(node);
    }
    for (struct cleat_tree_key *key = tree->keys; key; key = next_key) {
        next_key = key->next;
        cleat_mem_free(key);
    }
    cleat_heap_free(tree->arena);
    memset(tree, 0, sizeof(*tree));
}

int cleat_tree_charge(struct cleat_tree *tree, size_t bytes)
{
    if (bytes > tree->bytes_max - tree->bytes)
        return -E2BIG;
    tree->bytes += bytes;
    return 0;
}

int cleat_tree_keep(struct cleat_tree *tree, struct cleat_str text, struct cleat_str *ret)
{
    struct cleat_tree_key *key;
    size_t size = sizeof(*key) + text.length + 1;
    int r = cleat_tree_charge(tree, size);

    if (r < 0)
        return r;
    key = cleat_mem_alloc(size);
    if (!key)
        return -ENOMEM;
    if (text.length > 0)
        memcpy(key->bytes, text.data, text.length);
    key->bytes[text.length] = '\0';
    key->next = tree->keys;
    tree->keys = key;
    *ret = (struct cleat_str){key->bytes, text.length};
    return 0;
}

enum cleat_value_type cleat_tree_slot_type(const struct cleat_tree_slot *slot)
{
    if (slot->node)
        return slot->node->is_object ? CLEAT_TYPE_OBJECT : CLEAT_TYPE_ARRAY;
    return cleat_value_type(cleat_tree_slot_value(slot));
}

size_t cleat_tree_slot_count(const struct cleat_tree_slot *slot)
{
    return slot->node ? slot->node->count : cleat_value_count(cleat_tree_slot_value(slot));
}

/* -- opening -- */

int cleat_tree_open(struct cleat_tree *tree, struct cleat_tree_slot *slot,
                    struct cleat_tree_node *parent, struct cleat_tree_node **ret)
{
    struct cleat_tree_node *node = NULL;
    int r;

    if (!slot->node) {
        if (parent && parent->height) /* else what changes below wouldn't reach the bound above */
            (void)cleat_tree_height(slot);
        r = cleat_tree_node_new(tree, cleat_tree_slot_value(slot), &node);
        if (r < 0)
            return r;
        node->parent = parent;
        node->height = slot->height;
        node->next = tree->nodes;
        tree->nodes = node;
        slot->node = node;
    }
    *ret = slot->node;
    return 0;
}

/* -- freezing -- */

static int tree_freeze_slot(struct cleat_tree *tree, struct cleat_tree_slot *slot);

static int tree_freeze_child(struct cleat_tree *tree, struct cleat_tree_slot *slot, uint32_t *ret)
{
    int r = tree_freeze_slot(tree, slot);

    return r < 0 ? r : cleat_heap_foreign(tree->arena, cleat_tree_slot_value(slot), ret);
}

static int tree_freeze_object(struct cleat_tree *tree, struct cleat_tree_node *node, uint32_t *ret)
{
    CLEAT_CLEANUP(cleat_mem_freep)
    struct cleat_member *members = cleat_mem_zalloc(node->count + 1, sizeof(*members));
    size_t n = 0;
    int r;

    if (!members)
        return -ENOMEM;
    for (size_t i = 0; i < node->used; i++) {
        struct cleat_tree_member *member = &node->members[i];
        if (!cleat_tree_member_is_live(member))
            continue;
        members[n].key = member->key;
        r = tree_freeze_child(tree, &member->slot, &members[n].ref);
        if (r < 0)
            return r;
        n++;
    }
    return cleat_heap_object(tree->arena, members, n, ret);
}

static int tree_freeze_array(struct cleat_tree *tree, struct cleat_tree_node *node, uint32_t *ret)
{
    CLEAT_CLEANUP(cleat_mem_freep)
    uint32_t *elements = cleat_mem_zalloc(node->count + 1, sizeof(*elements));
    size_t n = 0;
    int r;

    if (!elements)
        return -ENOMEM;
    for (size_t i = 0; i < node->chunk_count; i++)
        for (uint32_t j = 0; j < node->chunk_sizes[i]; j++) {
            r = tree_freeze_child(tree, &node->chunks[i]->slots[j], &elements[n]);
            if (r < 0)
                return r;
            n++;
        }
    return cleat_heap_array(tree->arena, elements, n, ret);
}

static int tree_freeze_slot(struct cleat_tree *tree, struct cleat_tree_slot *slot)
{
    struct cleat_tree_node *node = slot->node;
    uint32_t ref = 0;
    int r;

    if (!node || !node->dirty)
        return 0;
    r = node->is_object ? tree_freeze_object(tree, node, &ref)
                        : tree_freeze_array(tree, node, &ref);
    if (r < 0)
        return r;
    slot->heap = tree->arena;
    slot->ref = ref;
    slot->height = 0;
    node->dirty = false;
    return 0;
}

int cleat_tree_freeze(struct cleat_tree *tree, struct cleat_tree_slot *slot,
                      struct cleat_value *ret)
{
    int r = tree_freeze_slot(tree, slot);

    if (r == -ENOBUFS)
        return -E2BIG;
    if (r < 0)
        return r;
    *ret = cleat_tree_slot_value(slot);
    return 0;
}

/* -- comparing -- */

static bool tree_equal_object(struct cleat_tree_node *node, struct cleat_value value)
{
    for (size_t i = 0; i < node->count; i++) {
        struct cleat_str key = {NULL, 0};
        struct cleat_value member = cleat_value_member(value, i, &key);
        struct cleat_tree_slot *slot = cleat_tree_member(node, key);
        if (!slot || !cleat_tree_equal(slot, member))
            return false;
    }
    return true;
}

static bool tree_equal_array(struct cleat_tree_node *node, struct cleat_value value)
{
    size_t n = 0;

    for (size_t i = 0; i < node->chunk_count; i++)
        for (uint32_t j = 0; j < node->chunk_sizes[i]; j++)
            if (!cleat_tree_equal(&node->chunks[i]->slots[j], cleat_value_at(value, n++)))
                return false;
    return true;
}

bool cleat_tree_equal(struct cleat_tree_slot *slot, struct cleat_value value)
{
    if (!slot->node || !slot->node->dirty)
        return cleat_value_equal(cleat_tree_slot_value(slot), value);
    if (cleat_value_type(value) != cleat_tree_slot_type(slot) ||
        cleat_value_count(value) != slot->node->count)
        return false;
    return slot->node->is_object ? tree_equal_object(slot->node, value)
                                 : tree_equal_array(slot->node, value);
}

/* -- heights -- */

static unsigned tree_value_height(struct cleat_value value, unsigned room, bool *not_kept)
{
    enum cleat_value_type type = cleat_value_type(value);
    size_t count = cleat_value_count(value);
    unsigned height = 0;

    if (type == CLEAT_TYPE_NOT_KEPT)
        *not_kept = true;
    if (type != CLEAT_TYPE_OBJECT && type != CLEAT_TYPE_ARRAY)
        return 0;
    if (room == 0)
        return 1; /* deeper than anybody wants to know */
    for (size_t i = 0; i < count; i++) {
        struct cleat_value child = type == CLEAT_TYPE_ARRAY ? cleat_value_at(value, i)
                                                            : cleat_value_member(value, i, NULL);
        unsigned below = tree_value_height(child, room - 1, not_kept);
        height = below > height ? below : height;
    }
    return height + 1;
}

unsigned cleat_tree_value_height(struct cleat_value value, bool *ret_not_kept)
{
    bool not_kept = false;
    unsigned height = tree_value_height(value, CLEAT_VALUE_DEPTH_MAX, &not_kept);

    if (ret_not_kept)
        *ret_not_kept = not_kept;
    return height;
}

/* With @fresh, bounds of opened containers are made anew. */
static unsigned tree_slot_height(struct cleat_tree_slot *slot, bool fresh);

static unsigned tree_node_height(struct cleat_tree_node *node, bool fresh)
{
    unsigned height = 0, below;

    for (size_t i = 0; i < node->used; i++) {
        if (!cleat_tree_member_is_live(&node->members[i]))
            continue;
        below = tree_slot_height(&node->members[i].slot, fresh);
        height = below > height ? below : height;
    }
    for (size_t i = 0; i < node->chunk_count; i++)
        for (uint32_t j = 0; j < node->chunk_sizes[i]; j++) {
            below = tree_slot_height(&node->chunks[i]->slots[j], fresh);
            height = below > height ? below : height;
        }
    return height + 1;
}

static unsigned tree_slot_height(struct cleat_tree_slot *slot, bool fresh)
{
    uint8_t *known = slot->node ? &slot->node->height : &slot->height;

    if (*known && !(fresh && slot->node))
        return *known - 1u;
    *known =
        (uint8_t)(1 + (slot->node ? tree_node_height(slot->node, fresh)
                                  : cleat_tree_value_height(cleat_tree_slot_value(slot), NULL)));
    return *known - 1u;
}

unsigned cleat_tree_height(struct cleat_tree_slot *slot)
{
    return tree_slot_height(slot, false);
}

bool cleat_tree_fits(struct cleat_tree *tree, struct cleat_tree_slot *slot, size_t depth)
{
    if (depth + tree_slot_height(slot, false) <= CLEAT_VALUE_DEPTH_MAX)
        return true;
    if (!slot->node || tree->recounts >= TREE_RECOUNTS_MAX)
        return false;
    tree->recounts++;
    return depth + tree_slot_height(slot, true) <= CLEAT_VALUE_DEPTH_MAX;
}
