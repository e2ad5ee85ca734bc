/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interned keys of a queue: one item per key for as long as it's queued, delayed, handed out or has
 * failures to remember. Items come from slabs of three sizes and go back to free lists, so that a
 * queue in its steady state asks nobody for memory. Under the queue's lock.
 */
#ifndef CLEAT_CONTROLLER_QUEUE_ITEM_H
#define CLEAT_CONTROLLER_QUEUE_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>
#include <cleat/str.h>
#include "controller/queue_table.h"

/* Cluster, namespace and name with their NULs; Kubernetes' own limits add up to less. */
#define CLEAT__QUEUE_KEY_BYTES_MAX 512
#define CLEAT__QUEUE_SIZES 3

enum queue_state {
    QUEUE_IDLE,    /* not queued: handed out, or remembered for its failures */
    QUEUE_READY,   /* in the order, to be handed out */
    QUEUE_WAITING, /* in the heap of delays */
    QUEUE_HELD,    /* added while handed out: ready as soon as it's done */
};

struct queue_group;
struct queue_tally;

struct queue_item {
    /* The list that it's in: its group's where READY, else the working ones or the remembered ones.
     */
    struct queue_item *next;
    struct queue_item *prev;
    /* By the time of entering its level, oldest first. READY only. */
    struct queue_item *age_next;
    struct queue_item *age_prev;
    struct queue_group *group; /* READY only */
    struct queue_tally *tally; /* READY and HELD: where it's counted */
    uint64_t hash;
    uint64_t class_hash;
    uint64_t handout;  /* id of the last hand-out */
    int64_t ready_ns;  /* READY, HELD: since when */
    int64_t lift_ns;   /* READY: when ageing lifts it */
    int64_t taken_ns;  /* working: since when */
    size_t heap_index; /* WAITING */
    int priority;
    int taken_priority; /* working: the one it was handed out with */
    unsigned failures;
    uint8_t state; /* enum queue_state */
    uint8_t size;  /* which slab */
    bool working;
    uint16_t namespace_offset;
    uint16_t name_offset;
    uint16_t key_length;
    char key[]; /* cluster NUL namespace NUL name NUL */
};

struct queue_list {
    struct queue_item *head;
    struct queue_item *tail;
    size_t count;
};

/* A key in the form that it's looked up by. */
struct queue_key {
    uint64_t hash;
    uint64_t class_hash;
    uint16_t namespace_offset;
    uint16_t name_offset;
    uint16_t length;
    char bytes[CLEAT__QUEUE_KEY_BYTES_MAX];
};

struct queue_chunk;

struct queue_items {
    struct queue_table table;
    struct queue_item *unused[CLEAT__QUEUE_SIZES]; /* free lists by next */
    struct queue_chunk *chunks;
    size_t chunk_bytes;           /* of the newest */
    size_t bytes;                 /* of all chunks */
    struct queue_list remembered; /* idle, with failures; the oldest goes first */
};

/** Joins the parts and hashes them. 0, or -EINVAL for a name that is empty or parts that are too
 * long. */
int cleat__queue_key_make(struct queue_key *key, struct cleat_str cluster,
                          struct cleat_str namespace_, struct cleat_str name) CLEAT_MUST_CHECK;
/** The item of @key, or NULL. */
struct queue_item *cleat__queue_item_find(const struct queue_items *items,
                                          const struct queue_key *key);
/** Interns @key, which isn't there. NULL: no memory. */
struct queue_item *cleat__queue_item_add(struct queue_items *items, const struct queue_key *key);
/** Forgets an item that is in no list. */
void cleat__queue_item_drop(struct queue_items *items, struct queue_item *item);
/** The item whose key starts at @cluster, as a request carries it. */
struct queue_item *cleat__queue_item_of(const char *cluster);
/** Frees everything. */
void cleat__queue_items_fini(struct queue_items *items);

void cleat__queue_list_append(struct queue_list *list, struct queue_item *item);
void cleat__queue_list_remove(struct queue_list *list, struct queue_item *item);

#endif
