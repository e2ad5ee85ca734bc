/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of ready keys: levels of priority, in each level the classes in turn, in each class
 * first in, first out.
 *
 *   level 0    ─► (team-a: k1 k4) (team-b: k2) (team-c: k3)      one key of each class per round
 *   level -100 ─► (team-a: k9)
 *
 * Ageing lifts a key that stood in its level for the ageing time by 100, but never above the
 * highest level in use: a low key comes to compete with the highest ones, in turn with them, and
 * neither starves nor lets an old backlog of one class pass by the others' share. Under the queue's
 * lock.
 */
#ifndef CLEAT_CONTROLLER_QUEUE_ORDER_H
#define CLEAT_CONTROLLER_QUEUE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>
#include "controller/queue_item.h"
#include "controller/queue_table.h"

/* Beyond so many priorities in use at once, a new one shares the next lower level. */
#define CLEAT__QUEUE_LEVELS_MAX 128
#define CLEAT__QUEUE_LIFT 100

/* The keys of one class in one level. */
struct queue_group {
    struct queue_group *next; /* ring of the level's classes; free list */
    struct queue_group *prev;
    struct queue_level *level;
    struct queue_item *head;
    struct queue_item *tail;
    uint64_t class_hash;
    uint64_t hash;
    size_t count;
};

struct queue_level {
    int priority;
    size_t count;
    struct queue_group *turn; /* whose turn it is */
    struct queue_item *oldest;
    struct queue_item *newest;
    struct queue_level *unused_next;
};

struct queue_order {
    struct queue_level *levels[CLEAT__QUEUE_LEVELS_MAX]; /* those in use, by priority, rising */
    size_t level_count;
    size_t count;
    struct queue_table groups;
    struct queue_group *unused_groups;
    struct queue_level *unused_levels;
    struct queue_level *level_memory; /* CLEAT__QUEUE_LEVELS_MAX of them */
    struct queue_group **group_chunks;
    size_t group_chunk_count;
    int64_t ageing_ns; /* < 0: never */
    bool unfair;
};

/* How ready keys are spread, for people who watch. */
struct queue_shares {
    size_t classes;   /* that have keys, once for each level */
    size_t deepest;   /* keys of the largest; of the first 4,096 looked at */
    int64_t since_ns; /* of the key that waits longest; INT64_MAX: none does */
};

int cleat__queue_order_init(struct queue_order *order, int64_t ageing_ms,
                            bool unfair) CLEAT_MUST_CHECK;
void cleat__queue_order_fini(struct queue_order *order);
/** Makes sure that the next push finds memory for one more class. 0 or -ENOMEM: push joins another
 * class then. */
int cleat__queue_order_reserve(struct queue_order *order);
/** Puts an idle item at the end of its class in the level of its priority; room was reserved. */
void cleat__queue_order_push(struct queue_order *order, struct queue_item *item, int64_t now_ns);
/** Takes the next one, or NULL. */
struct queue_item *cleat__queue_order_pop(struct queue_order *order);
/** Takes @item out. */
void cleat__queue_order_remove(struct queue_order *order, struct queue_item *item);
/** Tells how keys are spread, in time that is bounded. */
void cleat__queue_order_shares(const struct queue_order *order, struct queue_shares *ret);
/** Lifts what has waited long enough, at most @budget items. */
void cleat__queue_order_age(struct queue_order *order, int64_t now_ns, size_t budget);

#endif
