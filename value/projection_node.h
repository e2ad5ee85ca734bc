/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree that a projection is. A node says whether what it stands at is kept, save for its
 * children, which say it for themselves. Where only children are kept, an object keeps its members'
 * places and a scalar is kept as it is: it stands where something was declared below, and says that
 * there is nothing. Private to value/.
 */
#ifndef CLEAT_VALUE_PROJECTION_NODE_H
#define CLEAT_VALUE_PROJECTION_NODE_H

#include <cleat/projection.h>
#include <cleat/str.h>

struct projection_node {
    bool keep;
    size_t count;
    struct projection_child *children; /* in no order */
    struct projection_node *each;      /* elements of an array, or NULL: as @keep says */
};

struct projection_child {
    char *key; /* owned */
    size_t key_length;
    struct projection_node *node; /* owned */
};

/** The root; for NULL one that keeps everything. */
const struct projection_node *cleat__projection_root(const struct cleat_projection *projection);
/** What holds for member @key below @node. */
const struct projection_node *cleat__projection_member(const struct projection_node *node,
                                                       struct cleat_str key);
/** What holds for elements below @node. */
const struct projection_node *cleat__projection_element(const struct projection_node *node);

/** True where nothing at or below @node is kept. */
static inline bool projection_drops(const struct projection_node *node)
{
    return !node->keep && node->count == 0 && !node->each;
}

/** True where everything at and below @node is kept. */
static inline bool projection_keeps_all(const struct projection_node *node)
{
    return node->keep && node->count == 0 && !node->each;
}

#endif
