/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/queue_item.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"

#define CHUNK_BYTES_MIN (16 * CLEAT_KIB)
#define CHUNK_BYTES_MAX (256 * CLEAT_KIB)
/* An empty queue gives back what is beyond this. */
#define CHUNKS_KEPT_BYTES (512 * CLEAT_KIB)

struct queue_chunk {
    struct queue_chunk *next;
    size_t bytes;
    size_t used;
    char room[];
};

static const size_t item_key_bytes[CLEAT__QUEUE_SIZES] = {56, 136, CLEAT__QUEUE_KEY_BYTES_MAX};

/* Copies one part with a NUL; returns where the next begins, or 0 where it doesn't fit. */
static size_t key_append(struct queue_key *key, size_t at, struct cleat_str part)
{
    if (part.length >= sizeof(key->bytes) - at)
        return 0;
    if (part.length > 0)
        memcpy(key->bytes + at, part.data, part.length);
    key->bytes[at + part.length] = '\0';
    return at + part.length + 1;
}

int cleat__queue_key_make(struct queue_key *key, struct cleat_str cluster,
                          struct cleat_str namespace_, struct cleat_str name)
{
    if (name.length == 0)
        return -EINVAL;
    size_t namespace_at = key_append(key, 0, cluster);
    size_t name_at = namespace_at ? key_append(key, namespace_at, namespace_) : 0;
    size_t length = name_at ? key_append(key, name_at, name) : 0;
    if (length == 0)
        return -EINVAL;
    key->namespace_offset = (uint16_t)namespace_at;
    key->name_offset = (uint16_t)name_at;
    key->length = (uint16_t)length;
    key->hash = cleat_hash_bytes(key->bytes, length);
    key->class_hash = cleat_hash_bytes(key->bytes, name_at);
    return 0;
}

struct queue_item *cleat__queue_item_find(const struct queue_items *items,
                                          const struct queue_key *key)
{
    size_t at = 0;
    struct queue_item *item = NULL;
    while ((item = cleat__queue_table_find(&items->table, key->hash, &at)))
        if (item->key_length == key->length && memcmp(item->key, key->bytes, key->length) == 0)
            return item;
    return NULL;
}

static uint8_t item_size(size_t key_length)
{
    uint8_t size = 0;
    while (item_key_bytes[size] < key_length)
        size++;
    return size;
}

static struct queue_chunk *chunk_add(struct queue_items *items)
{
    size_t bytes = items->chunk_bytes ? items->chunk_bytes * 2 : CHUNK_BYTES_MIN;
    bytes = bytes < CHUNK_BYTES_MAX ? bytes : CHUNK_BYTES_MAX;
    struct queue_chunk *chunk = cleat_mem_alloc(bytes);
    if (!chunk)
        return NULL;
    *chunk = (struct queue_chunk){.next = items->chunks, .bytes = bytes - sizeof(*chunk)};
    items->chunks = chunk;
    items->chunk_bytes = bytes;
    items->bytes += bytes;
    return chunk;
}

static struct queue_item *item_alloc(struct queue_items *items, uint8_t size)
{
    struct queue_item *item = items->unused[size];
    if (item) {
        items->unused[size] = item->next;
        return item;
    }
    size_t bytes = offsetof(struct queue_item, key) + item_key_bytes[size];
    bytes = (bytes + 15) & ~(size_t)15;
    struct queue_chunk *chunk = items->chunks;
    if (!chunk || chunk->bytes - chunk->used < bytes) {
        chunk = chunk_add(items);
        if (!chunk)
            return NULL;
    }
    item = (struct queue_item *)(void *)(chunk->room + chunk->used);
    chunk->used += bytes;
    return item;
}

struct queue_item *cleat__queue_item_add(struct queue_items *items, const struct queue_key *key)
{
    uint8_t size = item_size(key->length);
    if (cleat__queue_table_reserve(&items->table) < 0)
        return NULL;
    struct queue_item *item = item_alloc(items, size);
    if (!item)
        return NULL;
    *item = (struct queue_item){
        .hash = key->hash,
        .class_hash = key->class_hash,
        .size = size,
        .namespace_offset = key->namespace_offset,
        .name_offset = key->name_offset,
        .key_length = key->length,
    };
    memcpy(item->key, key->bytes, key->length);
    cleat__queue_table_add(&items->table, item->hash, item);
    return item;
}

static void chunks_free(struct queue_items *items)
{
    struct queue_chunk *chunk = items->chunks;
    while (chunk) {
        struct queue_chunk *next = chunk->next;
        cleat_mem_free(chunk);
        chunk = next;
    }
    items->chunks = NULL;
    items->chunk_bytes = 0;
    items->bytes = 0;
    memset(items->unused, 0, sizeof(items->unused));
}

void cleat__queue_item_drop(struct queue_items *items, struct queue_item *item)
{
    cleat_assert(item->state == QUEUE_IDLE && !item->working);
    cleat__queue_table_remove(&items->table, item->hash, item);
    item->next = items->unused[item->size];
    items->unused[item->size] = item;
    if (items->table.count == 0 && items->bytes > CHUNKS_KEPT_BYTES) {
        chunks_free(items);
        cleat__queue_table_fini(&items->table);
    }
}

struct queue_item *cleat__queue_item_of(const char *cluster)
{
    /* The key is the item's own tail, so that the way back is a subtraction. */
    uintptr_t at = (uintptr_t)cluster - offsetof(struct queue_item, key);
    return (struct queue_item *)at;
}

void cleat__queue_items_fini(struct queue_items *items)
{
    chunks_free(items);
    cleat__queue_table_fini(&items->table);
    items->remembered = (struct queue_list){0};
}

void cleat__queue_list_append(struct queue_list *list, struct queue_item *item)
{
    item->next = NULL;
    item->prev = list->tail;
    if (list->tail)
        list->tail->next = item;
    else
        list->head = item;
    list->tail = item;
    list->count++;
}

void cleat__queue_list_remove(struct queue_list *list, struct queue_item *item)
{
    if (item->prev)
        item->prev->next = item->next;
    else
        list->head = item->next;
    if (item->next)
        item->next->prev = item->prev;
    else
        list->tail = item->prev;
    list->count--;
}
