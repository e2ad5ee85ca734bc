/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's index: from a value to the entries that have it. Values are strings of the pool. The
 * index function runs on the ingest thread without any lock; what it gave is put in under the
 * store's lock, in two steps, so that the second can't fail.
 *
 *   fn(root) ─► values ─► prepare (memory) ─► commit (links)
 */
#ifndef CLEAT_CONTROLLER_INDEX_H
#define CLEAT_CONTROLLER_INDEX_H

#include <stdatomic.h>
#include <cleat/cache.h>
#include "controller/lender.h"
#include "controller/store_table.h"

#define CLEAT__INDEX_VALUES_MAX 4096u

/* A value and the entries that have it. */
struct index_bucket {
    uint32_t value; /* held; CLEAT_REF_ABSENT: free, with @head as the next free one */
    uint32_t hash;
    uint32_t head; /* first node */
    uint32_t count;
};

/* One entry in one bucket. What was taken out keeps @next, so that a walk that stands on it goes
 * on. */
struct index_node {
    uint32_t entry;
    uint32_t bucket; /* CLEAT__STORE_NONE: free */
    uint32_t next;
    uint32_t previous;
    uint32_t sibling; /* next node of the same entry; of a free one: next free */
};

struct cleat_index {
    struct cleat_index *next; /* of the same store */
    struct cleat_store *store;
    char *name;
    cleat_index_fn fn;
    struct cleat__lender *lender; /* borrowed from the store */
    struct store_table table;
    struct store_cells buckets;
    struct store_cells nodes;
    struct store_cells heads; /* per entry: its first node + 1 */
    uint32_t free_bucket;
    uint32_t free_node;
    /* The ingest thread's: what the next commit puts in. */
    uint32_t *values; /* held until the commit, then buckets */
    size_t value_count;
    size_t value_capacity;
    int failed;
};

int cleat__index_new(struct cleat_store *store, struct cleat__lender *lender, const char *name,
                     cleat_index_fn fn, struct cleat_index **ret) CLEAT_MUST_CHECK;
/** NULL is fine; returns NULL. The writer, or nobody else any more. */
struct cleat_index *cleat__index_free(struct cleat_index *index);
/** Runs the function on @root. 0, -ENOMEM, -E2BIG for too many values. The writer; no lock. */
int cleat__index_collect(struct cleat_index *index, uint32_t root) CLEAT_MUST_CHECK;
/** Memory for what was collected, for @entry. The writer, under the store's lock. */
int cleat__index_prepare(struct cleat_index *index, uint32_t entry) CLEAT_MUST_CHECK;
/** Puts @entry where the prepared values say, and nowhere else. @walked: somebody walks, so that
 * nothing freed may be used again. Under the lock. */
void cleat__index_commit(struct cleat_index *index, uint32_t entry);
/** Takes @entry out. The writer, under the lock. */
void cleat__index_remove(struct cleat_index *index, uint32_t entry);
/** Gives up what was collected but not committed. The writer; no lock needed. */
void cleat__index_forget(struct cleat_index *index);
/** First node of @value (CLEAT__STORE_NONE: none) and how many. Under the lock, any thread. */
uint32_t cleat__index_first(const struct cleat_index *index, struct cleat_str value,
                            size_t *ret_count);
size_t cleat__index_bytes(const struct cleat_index *index);

static inline struct index_node *cleat__index_node(const struct cleat_index *index, uint32_t node)
{
    return (struct index_node *)cleat__cells_at(&index->nodes, node);
}

#endif
