/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opened containers of a tree, for tree.c and tree_node.c alone.
 */
#ifndef CLEAT_VALUE_TREE_NODE_H
#define CLEAT_VALUE_TREE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/map.h"
#include "value/tree.h"

struct cleat_tree_member {
    struct cleat_str key;        /* borrowed */
    struct cleat_tree_slot slot; /* neither heap nor node: the member was removed */
};

struct cleat_tree_chunk {
    size_t capacity;
    struct cleat_tree_slot slots[];
};

struct cleat_tree_node {
    struct cleat_tree_node *parent; /* borrowed; NULL at the top and where it was removed */
    struct cleat_tree_node *next;   /* in the tree's list of all */
    bool is_object;
    bool dirty;     /* differs from the frozen value in its slot */
    uint8_t height; /* an upper bound, plus 1; 0: not known */
    size_t count;
    /* an object */
    struct cleat_tree_member *members; /* in the order in which they came */
    size_t used;                       /* removed ones included */
    size_t capacity;
    struct cleat_map index; /* key → position + 1; in use once there are many */
    /* an array */
    struct cleat_tree_chunk **chunks;
    uint32_t *chunk_sizes; /* slots in use per chunk, side by side for a quick search */
    size_t chunk_count;
    size_t chunk_capacity;
};

static inline bool cleat_tree_member_is_live(const struct cleat_tree_member *member)
{
    return member->slot.heap || member->slot.node;
}

/** A clean node with the children of @value. The caller links it into the tree. */
int cleat_tree_node_new(struct cleat_tree *tree, struct cleat_value value,
                        struct cleat_tree_node **ret) CLEAT_MUST_CHECK;
/** Frees the node and its tables, not its children. */
void cleat_tree_node_free(struct cleat_tree_node *node);
/** Counts @bytes against the tree's limit: 0 or -E2BIG. */
int cleat_tree_charge(struct cleat_tree *tree, size_t bytes) CLEAT_MUST_CHECK;

#endif
