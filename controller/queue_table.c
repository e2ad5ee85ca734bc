/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/queue_table.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"

#define TABLE_CAPACITY_MIN 64

static void table_put(struct queue_slot *slots, size_t mask, uint64_t hash, void *entry)
{
    size_t i = hash & mask;
    while (slots[i].entry)
        i = (i + 1) & mask;
    slots[i] = (struct queue_slot){hash, entry};
}

void cleat__queue_table_fini(struct queue_table *table)
{
    cleat_mem_free(table->slots);
    *table = (struct queue_table){0};
}

int cleat__queue_table_reserve(struct queue_table *table)
{
    /* At most half full: a miss probes 2.5 slots then, on average. */
    if (table->count * 2 < table->capacity)
        return 0;
    size_t capacity = table->capacity ? table->capacity * 2 : TABLE_CAPACITY_MIN;
    struct queue_slot *slots = cleat_mem_zalloc(capacity, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].entry)
            table_put(slots, capacity - 1, table->slots[i].hash, table->slots[i].entry);
    cleat_mem_free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return 0;
}

void cleat__queue_table_add(struct queue_table *table, uint64_t hash, void *entry)
{
    cleat_assert(table->count < table->capacity);
    table_put(table->slots, table->capacity - 1, hash, entry);
    table->count++;
}

void cleat__queue_table_remove(struct queue_table *table, uint64_t hash, const void *entry)
{
    size_t mask = table->capacity - 1;
    size_t hole = hash & mask;
    while (table->slots[hole].entry != entry) {
        cleat_assert(table->slots[hole].entry);
        hole = (hole + 1) & mask;
    }
    /* What follows in the run moves into the hole unless it would end up before its own place. */
    for (size_t i = (hole + 1) & mask; table->slots[i].entry; i = (i + 1) & mask) {
        size_t home = table->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole].entry = NULL;
    table->count--;
}
