/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariant: the nodes of an entry, linked by sibling from heads[entry], are exactly those whose
 * entry it is; a bucket that isn't free and not just prepared has at least one node.
 */
#include "controller/index.h"

#include <errno.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "controller/store.h"

int cleat__index_new(struct cleat_store *store, struct cleat__lender *lender, const char *name,
                     cleat_index_fn fn, struct cleat_index **ret)
{
    struct cleat_index *index = cleat_mem_zalloc(1, sizeof(*index));
    if (!index)
        return -ENOMEM;
    index->name = cleat_mem_strdup(name);
    if (!index->name) {
        cleat_mem_free(index);
        return -ENOMEM;
    }
    index->store = store;
    index->lender = lender;
    index->fn = fn;
    index->buckets.cell_bytes = sizeof(struct index_bucket);
    index->nodes.cell_bytes = sizeof(struct index_node);
    index->heads.cell_bytes = sizeof(uint32_t);
    index->free_bucket = index->free_node = CLEAT__STORE_NONE;
    *ret = index;
    return 0;
}

static struct index_bucket *index_bucket(const struct cleat_index *index, uint32_t bucket)
{
    return (struct index_bucket *)cleat__cells_at(&index->buckets, bucket);
}

static uint32_t *index_head(const struct cleat_index *index, uint32_t entry)
{
    return (uint32_t *)cleat__cells_at(&index->heads, entry);
}

struct cleat_index *cleat__index_free(struct cleat_index *index)
{
    if (!index)
        return NULL;
    cleat__index_forget(index);
    for (uint32_t i = 0; i < index->buckets.count; i++)
        if (index_bucket(index, i)->value != CLEAT_REF_ABSENT)
            cleat_pool_drop(index->lender->heap, index_bucket(index, i)->value);
    cleat__table_fini(&index->table);
    cleat__cells_fini(&index->buckets);
    cleat__cells_fini(&index->nodes);
    cleat__cells_fini(&index->heads);
    cleat_mem_free(index->values);
    cleat_mem_free(index->name);
    return cleat_mem_free(index);
}

static int index_values_room(struct cleat_index *index)
{
    if (index->value_count < index->value_capacity)
        return 0;
    if (index->value_count >= CLEAT__INDEX_VALUES_MAX)
        return -E2BIG;
    size_t capacity = index->value_capacity ? index->value_capacity * 2 : 8;
    uint32_t *values = cleat_mem_realloc(index->values, capacity * sizeof(*values));
    if (!values)
        return -ENOMEM;
    index->values = values;
    index->value_capacity = capacity;
    return 0;
}

/* What index functions call; a value that comes twice counts once. */
static void index_add(void *ctx, struct cleat_str value)
{
    struct cleat_index *index = ctx;
    uint32_t ref = CLEAT_REF_ABSENT;
    if (index->failed == 0)
        index->failed = index_values_room(index);
    if (index->failed == 0)
        index->failed = cleat_heap_str(index->lender->heap, value, &ref);
    if (index->failed < 0)
        return;
    for (size_t i = 0; i < index->value_count; i++)
        if (index->values[i] == ref)
            return;
    cleat_pool_hold(index->lender->heap, ref);
    index->values[index->value_count++] = ref;
}

int cleat__index_collect(struct cleat_index *index, uint32_t root)
{
    cleat_assert(index->value_count == 0);
    struct cleat_value value = {index->lender->heap, root};
    index->failed = 0;
    index->fn(value, index_add, index);
    if (index->failed < 0)
        cleat__index_forget(index);
    return index->failed;
}

void cleat__index_forget(struct cleat_index *index)
{
    for (size_t i = 0; i < index->value_count; i++)
        cleat_pool_drop(index->lender->heap, index->values[i]);
    index->value_count = 0;
}

static uint32_t index_hash(struct cleat_str value)
{
    uint64_t hash = cleat_hash_bytes(value.data, value.length);
    return (uint32_t)(hash ^ hash >> 32);
}

struct index_probe {
    const struct cleat_index *index;
    struct cleat_str value;
};

static bool index_match(const void *arg, uint32_t id)
{
    const struct index_probe *probe = arg;
    struct cleat_value value = {probe->index->lender->heap, index_bucket(probe->index, id)->value};
    return cleat_value_is_str(value, probe->value);
}

static uint32_t index_find(const struct cleat_index *index, struct cleat_str value, uint32_t hash)
{
    const struct index_probe probe = {index, value};
    return cleat__table_find(&index->table, hash, index_match, &probe);
}

/* The bucket of a value that is held, found or made. */
static int index_take_bucket(struct cleat_index *index, uint32_t value)
{
    struct cleat_scratch scratch;
    struct cleat_value of = {index->lender->heap, value};
    struct cleat_str text = cleat_value_text(of, &scratch);
    uint32_t hash = index_hash(text);
    if (index_find(index, text, hash) != CLEAT__STORE_NONE)
        return 0;
    uint32_t id = index->free_bucket;
    int r = cleat__table_reserve(&index->table, hash);
    if (r == 0 && id == CLEAT__STORE_NONE)
        r = cleat__cells_extend(&index->buckets, &id);
    else if (r == 0)
        index->free_bucket = index_bucket(index, id)->head;
    if (r < 0)
        return r;
    *index_bucket(index, id) = (struct index_bucket){value, hash, CLEAT__STORE_NONE, 0};
    cleat_pool_hold(index->lender->heap, value);
    return cleat__table_add(&index->table, hash, id);
}

static void index_free_bucket(struct cleat_index *index, uint32_t id)
{
    struct index_bucket *bucket = index_bucket(index, id);
    cleat__table_remove(&index->table, bucket->hash, id);
    cleat_pool_drop(index->lender->heap, bucket->value);
    *bucket = (struct index_bucket){CLEAT_REF_ABSENT, 0, index->free_bucket, 0};
    index->free_bucket = id;
}

/* Nodes that may be used: none that were freed while somebody walks. */
static int index_reserve_nodes(struct cleat_index *index)
{
    size_t have = 0;
    uint32_t node = index->free_node;
    if (atomic_load_explicit(&index->store->walkers, memory_order_acquire) > 0)
        node = CLEAT__STORE_NONE;
    for (; node != CLEAT__STORE_NONE && have < index->value_count; have++)
        node = cleat__index_node(index, node)->sibling;
    for (; have < index->value_count; have++) {
        uint32_t id;
        int r = cleat__cells_extend(&index->nodes, &id);
        if (r < 0)
            return r;
        struct index_node *made = cleat__index_node(index, id);
        *made = (struct index_node){.bucket = CLEAT__STORE_NONE, .sibling = index->free_node};
        index->free_node = id; /* first: taken before older ones, which may be walked */
    }
    return 0;
}

int cleat__index_prepare(struct cleat_index *index, uint32_t entry)
{
    int r = 0;
    while (r == 0 && index->heads.count <= entry) {
        uint32_t id;
        r = cleat__cells_extend(&index->heads, &id);
    }
    for (size_t i = 0; r == 0 && i < index->value_count; i++)
        r = index_take_bucket(index, index->values[i]);
    return r == 0 ? index_reserve_nodes(index) : r;
}

static void index_link(struct cleat_index *index, uint32_t entry, uint32_t bucket)
{
    uint32_t id = index->free_node;
    struct index_node *node = cleat__index_node(index, id);
    struct index_bucket *of = index_bucket(index, bucket);
    uint32_t *head = index_head(index, entry);
    index->free_node = node->sibling;
    *node = (struct index_node){entry, bucket, of->head, CLEAT__STORE_NONE, *head};
    if (of->head != CLEAT__STORE_NONE)
        cleat__index_node(index, of->head)->previous = id;
    of->head = id;
    of->count++;
    *head = id + 1;
}

/* Takes a node out of its bucket, which goes with the last. */
static void index_unlink(struct cleat_index *index, uint32_t id)
{
    struct index_node *node = cleat__index_node(index, id);
    struct index_bucket *bucket = index_bucket(index, node->bucket);
    uint32_t of = node->bucket;
    if (node->previous != CLEAT__STORE_NONE)
        cleat__index_node(index, node->previous)->next = node->next;
    else
        bucket->head = node->next;
    if (node->next != CLEAT__STORE_NONE)
        cleat__index_node(index, node->next)->previous = node->previous;
    node->bucket = CLEAT__STORE_NONE;
    node->sibling = index->free_node;
    index->free_node = id;
    if (--bucket->count == 0)
        index_free_bucket(index, of);
}

/* True where the entry's nodes are of exactly the collected values. */
static bool index_unchanged(const struct cleat_index *index, uint32_t entry)
{
    size_t count = 0;
    for (uint32_t at = *index_head(index, entry); at != 0; count++) {
        const struct index_node *node = cleat__index_node(index, at - 1);
        uint32_t value = index_bucket(index, node->bucket)->value;
        size_t i = 0;
        while (i < index->value_count && index->values[i] != value)
            i++;
        if (i == index->value_count)
            return false;
        at = node->sibling; /* of a linked node: the next node + 1, or 0 */
    }
    return count == index->value_count;
}

/* Takes out the nodes from @head on, linked by sibling. */
static void index_clear(struct cleat_index *index, uint32_t head)
{
    while (head != 0) {
        uint32_t node = head - 1;
        head = cleat__index_node(index, node)->sibling;
        index_unlink(index, node);
    }
}

void cleat__index_commit(struct cleat_index *index, uint32_t entry)
{
    if (index_unchanged(index, entry)) {
        cleat__index_forget(index);
        return;
    }
    /* New ones first: a bucket that stays is never empty, and what was reserved comes from the
     * front of the free list. */
    uint32_t old = *index_head(index, entry);
    *index_head(index, entry) = 0;
    for (size_t i = 0; i < index->value_count; i++) {
        struct cleat_scratch scratch;
        struct cleat_value value = {index->lender->heap, index->values[i]};
        struct cleat_str text = cleat_value_text(value, &scratch);
        uint32_t bucket = index_find(index, text, index_hash(text));
        cleat_assert(bucket != CLEAT__STORE_NONE);
        index_link(index, entry, bucket);
    }
    index_clear(index, old);
    cleat__index_forget(index);
}

void cleat__index_remove(struct cleat_index *index, uint32_t entry)
{
    if (entry >= index->heads.count)
        return;
    uint32_t head = *index_head(index, entry);
    *index_head(index, entry) = 0;
    index_clear(index, head);
}

uint32_t cleat__index_first(const struct cleat_index *index, struct cleat_str value,
                            size_t *ret_count)
{
    uint32_t bucket = index_find(index, value, index_hash(value));
    *ret_count = bucket == CLEAT__STORE_NONE ? 0 : index_bucket(index, bucket)->count;
    return bucket == CLEAT__STORE_NONE ? CLEAT__STORE_NONE : index_bucket(index, bucket)->head;
}

size_t cleat__index_bytes(const struct cleat_index *index)
{
    return sizeof(*index) + cleat__table_bytes(&index->table) +
           cleat__cells_bytes(&index->buckets) + cleat__cells_bytes(&index->nodes) +
           cleat__cells_bytes(&index->heads);
}
