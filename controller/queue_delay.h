/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delayed keys: a heap by the time when they become ready; equal times in the order of adding.
 * Under the queue's lock.
 */
#ifndef CLEAT_CONTROLLER_QUEUE_DELAY_H
#define CLEAT_CONTROLLER_QUEUE_DELAY_H

#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>
#include "controller/queue_item.h"

struct queue_delayed {
    int64_t due_ns;
    uint64_t sequence;
    struct queue_item *item;
};

struct queue_delay {
    struct queue_delayed *heap;
    size_t count;
    size_t capacity;
    uint64_t sequence; /* of the next */
};

void cleat__queue_delay_fini(struct queue_delay *delay);
/** Puts an idle item in. 0, or -ENOMEM with nothing changed. */
int cleat__queue_delay_add(struct queue_delay *delay, struct queue_item *item,
                           int64_t due_ns) CLEAT_MUST_CHECK;
/** Takes a waiting item out; it's idle then. */
void cleat__queue_delay_remove(struct queue_delay *delay, struct queue_item *item);
/** Moves a waiting item to an earlier time; a later one changes nothing. */
void cleat__queue_delay_hasten(struct queue_delay *delay, struct queue_item *item, int64_t due_ns);
/** The one that is due first, or NULL; *@ret_due_ns is when. */
struct queue_item *cleat__queue_delay_first(const struct queue_delay *delay, int64_t *ret_due_ns);

#endif
