/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table from 64-bit hashes to pointers: open addressing, linear probing, no tombstones. The same
 * hash may stand in it more than once; the caller tells entries apart. One thread at a time.
 */
#ifndef CLEAT_CONTROLLER_QUEUE_TABLE_H
#define CLEAT_CONTROLLER_QUEUE_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>

struct queue_slot {
    uint64_t hash;
    void *entry; /* borrowed; NULL: free */
};

struct queue_table {
    struct queue_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

/** Frees the slots, not the entries; the table is empty then and may be used again. */
void cleat__queue_table_fini(struct queue_table *table);
/** Makes room for one more entry, so that the next add can't fail. 0 or -ENOMEM. */
int cleat__queue_table_reserve(struct queue_table *table) CLEAT_MUST_CHECK;
/** Adds @entry; room was reserved. */
void cleat__queue_table_add(struct queue_table *table, uint64_t hash, void *entry);
/** Removes @entry, which must be there. */
void cleat__queue_table_remove(struct queue_table *table, uint64_t hash, const void *entry);

/**
 * The first entry with @hash (*@at is 0 at first), or the next one after it; NULL at the end. No
 * changes in between.
 */
static inline void *cleat__queue_table_find(const struct queue_table *table, uint64_t hash,
                                            size_t *at)
{
    size_t mask = table->capacity - 1;
    if (table->capacity == 0)
        return NULL;
    for (size_t step = *at; step < table->capacity; step++) {
        const struct queue_slot *slot = &table->slots[(hash + step) & mask];
        if (!slot->entry)
            return NULL;
        if (slot->hash == hash) {
            *at = step + 1;
            return slot->entry;
        }
    }
    return NULL;
}

#endif
