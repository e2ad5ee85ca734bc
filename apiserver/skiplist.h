/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ordered map from keys to records: a skip list whose levels come from the keys' keyed hash.
 * Iteration follows level 0. Guarded by its owner's lock.
 */
#ifndef CLEAT_APISERVER_SKIPLIST_H
#define CLEAT_APISERVER_SKIPLIST_H

#include <cleat/macro.h>
#include <cleat/str.h>
#include <stddef.h>
#include "apiserver/record.h"

#define CLEAT_API_LEVELS 12

struct cleat_api_node {
    struct cleat_api_record *record; /* reference; its key is the node's */
    unsigned levels;
    struct cleat_api_node *next[]; /* one per level */
};

struct cleat_api_skiplist {
    struct cleat_api_node *head[CLEAT_API_LEVELS];
    size_t count;
};

/** The record of @key, borrowed, or NULL. */
struct cleat_api_record *cleat_api_skiplist_get(const struct cleat_api_skiplist *list,
                                                struct cleat_str key);
/** Adds @record under its key, or puts it in the place of the one there. Takes a reference.
 * -ENOMEM. */
int cleat_api_skiplist_set(struct cleat_api_skiplist *list,
                           struct cleat_api_record *record) CLEAT_MUST_CHECK;
/** Removes; nothing there is fine. */
void cleat_api_skiplist_remove(struct cleat_api_skiplist *list, struct cleat_str key);
/** The first node whose key is >= @key, or > with @beyond. NULL at the end. */
const struct cleat_api_node *cleat_api_skiplist_seek(const struct cleat_api_skiplist *list,
                                                     struct cleat_str key, bool beyond);
static inline const struct cleat_api_node *cleat_api_node_next(const struct cleat_api_node *node)
{
    return node->next[0];
}
void cleat_api_skiplist_fini(struct cleat_api_skiplist *list);

#endif
