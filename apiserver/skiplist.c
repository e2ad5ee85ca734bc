/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/skiplist.h"

#include <errno.h>

#include "base/hash.h"
#include "base/mem.h"

static struct cleat_str node_key(const struct cleat_api_node *node)
{
    return (struct cleat_str){node->record->key,
                              node->record->namespace_.length
                                  ? node->record->namespace_.length + 1 + node->record->name.length
                                  : node->record->name.length};
}

/* Levels of a key's node, 1 to CLEAT_API_LEVELS: each further one for a quarter of the keys. */
static unsigned node_levels(struct cleat_str key)
{
    uint64_t hash = cleat_hash_bytes(key.data, key.length);
    unsigned levels = 1;
    while (levels < CLEAT_API_LEVELS && (hash & 3) == 0) {
        levels++;
        hash >>= 2;
    }
    return levels;
}

/* The links, one per level, that lead to the first node with a key >= @key (> with @beyond). */
static void skiplist_search(struct cleat_api_skiplist *list, struct cleat_str key, bool beyond,
                            struct cleat_api_node **links[CLEAT_API_LEVELS])
{
    struct cleat_api_node **row = list->head;
    for (unsigned level = CLEAT_API_LEVELS; level-- > 0;) {
        while (row[level]) {
            int order = cleat_str_compare(node_key(row[level]), key);
            if (order > 0 || (order == 0 && !beyond))
                break;
            row = row[level]->next;
        }
        links[level] = &row[level];
    }
}

const struct cleat_api_node *cleat_api_skiplist_seek(const struct cleat_api_skiplist *list,
                                                     struct cleat_str key, bool beyond)
{
    struct cleat_api_node **links[CLEAT_API_LEVELS];
    /* The search changes nothing; it only hands out links that may be changed. */
    skiplist_search((struct cleat_api_skiplist *)list, key, beyond, links);
    return *links[0];
}

struct cleat_api_record *cleat_api_skiplist_get(const struct cleat_api_skiplist *list,
                                                struct cleat_str key)
{
    const struct cleat_api_node *node = cleat_api_skiplist_seek(list, key, false);
    return node && cleat_str_equal(node_key(node), key) ? node->record : NULL;
}

int cleat_api_skiplist_set(struct cleat_api_skiplist *list, struct cleat_api_record *record)
{
    struct cleat_str key = cleat_str_of(record->key);
    struct cleat_api_node **links[CLEAT_API_LEVELS];
    skiplist_search(list, key, false, links);
    struct cleat_api_node *node = *links[0];
    if (node && cleat_str_equal(node_key(node), key)) {
        struct cleat_api_record *old = node->record;
        node->record = cleat_api_record_ref(record);
        (void)cleat_api_record_unref(old);
        return 0;
    }
    unsigned levels = node_levels(key);
    node = cleat_mem_alloc(sizeof(*node) + levels * sizeof(node->next[0]));
    if (!node)
        return -ENOMEM;
    node->record = cleat_api_record_ref(record);
    node->levels = levels;
    for (unsigned level = 0; level < levels; level++) {
        node->next[level] = *links[level];
        *links[level] = node;
    }
    list->count++;
    return 0;
}

static void node_free(struct cleat_api_node *node)
{
    (void)cleat_api_record_unref(node->record);
    cleat_mem_free(node);
}

void cleat_api_skiplist_remove(struct cleat_api_skiplist *list, struct cleat_str key)
{
    struct cleat_api_node **links[CLEAT_API_LEVELS];
    skiplist_search(list, key, false, links);
    struct cleat_api_node *node = *links[0];
    if (!node || !cleat_str_equal(node_key(node), key))
        return;
    for (unsigned level = 0; level < node->levels; level++)
        *links[level] = node->next[level];
    node_free(node);
    list->count--;
}

void cleat_api_skiplist_fini(struct cleat_api_skiplist *list)
{
    struct cleat_api_node *node = list->head[0];
    while (node) {
        struct cleat_api_node *next = node->next[0];
        node_free(node);
        node = next;
    }
    *list = (struct cleat_api_skiplist){0};
}
