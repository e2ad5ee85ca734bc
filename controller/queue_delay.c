/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/queue_delay.h"

#include <errno.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/mem.h"

#define DELAY_CAPACITY_MIN 64

void cleat__queue_delay_fini(struct queue_delay *delay)
{
    cleat_mem_free(delay->heap);
    *delay = (struct queue_delay){0};
}

static bool delayed_before(const struct queue_delayed *a, const struct queue_delayed *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->sequence < b->sequence;
}

static void delay_place(struct queue_delay *delay, size_t at, struct queue_delayed delayed)
{
    delay->heap[at] = delayed;
    delayed.item->heap_index = at;
}

static void delay_rise(struct queue_delay *delay, size_t at, struct queue_delayed delayed)
{
    while (at > 0 && delayed_before(&delayed, &delay->heap[(at - 1) / 2])) {
        delay_place(delay, at, delay->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    delay_place(delay, at, delayed);
}

static void delay_sink(struct queue_delay *delay, size_t at, struct queue_delayed delayed)
{
    for (size_t child = at * 2 + 1; child < delay->count; child = at * 2 + 1) {
        if (child + 1 < delay->count &&
            delayed_before(&delay->heap[child + 1], &delay->heap[child]))
            child++;
        if (!delayed_before(&delay->heap[child], &delayed))
            break;
        delay_place(delay, at, delay->heap[child]);
        at = child;
    }
    delay_place(delay, at, delayed);
}

static int delay_grow(struct queue_delay *delay)
{
    size_t capacity = delay->capacity ? delay->capacity * 2 : DELAY_CAPACITY_MIN;
    struct queue_delayed *heap =
        cleat_mem_realloc(delay->heap, capacity * sizeof(struct queue_delayed));
    if (!heap)
        return -ENOMEM;
    delay->heap = heap;
    delay->capacity = capacity;
    return 0;
}

int cleat__queue_delay_add(struct queue_delay *delay, struct queue_item *item, int64_t due_ns)
{
    cleat_assert(item->state == QUEUE_IDLE);
    if (delay->count == delay->capacity && delay_grow(delay) < 0)
        return -ENOMEM;
    item->state = QUEUE_WAITING;
    delay_rise(delay, delay->count++, (struct queue_delayed){due_ns, delay->sequence++, item});
    return 0;
}

void cleat__queue_delay_remove(struct queue_delay *delay, struct queue_item *item)
{
    size_t at = item->heap_index;
    cleat_assert(item->state == QUEUE_WAITING && delay->heap[at].item == item);
    item->state = QUEUE_IDLE;
    struct queue_delayed last = delay->heap[--delay->count];
    if (last.item == item)
        return;
    if (at > 0 && delayed_before(&last, &delay->heap[(at - 1) / 2]))
        delay_rise(delay, at, last);
    else
        delay_sink(delay, at, last);
}

void cleat__queue_delay_hasten(struct queue_delay *delay, struct queue_item *item, int64_t due_ns)
{
    struct queue_delayed delayed = delay->heap[item->heap_index];
    cleat_assert(item->state == QUEUE_WAITING && delayed.item == item);
    if (due_ns < delayed.due_ns) {
        delayed.due_ns = due_ns;
        delayed.sequence = delay->sequence++;
        delay_rise(delay, item->heap_index, delayed);
    }
}

struct queue_item *cleat__queue_delay_first(const struct queue_delay *delay, int64_t *ret_due_ns)
{
    if (delay->count == 0)
        return NULL;
    *ret_due_ns = delay->heap[0].due_ns;
    return delay->heap[0].item;
}
