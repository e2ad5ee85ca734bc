/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/history.h"

#include <errno.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

#define HISTORY_CAPACITY_FIRST 64
/* What versions that only history keeps may hold per resource. */
#define HISTORY_OLD_BYTES_MAX (64 * CLEAT_MIB)

static struct cleat_api_event *history_place(const struct cleat_api_history *history,
                                             uint64_t sequence)
{
    return &history->events[sequence & (history->capacity - 1)];
}

const struct cleat_api_event *cleat_api_history_at(const struct cleat_api_history *history,
                                                   uint64_t sequence)
{
    cleat_assert(sequence >= history->first && sequence < history->first + history->count);
    return history_place(history, sequence);
}

static size_t event_old_bytes(const struct cleat_api_event *event)
{
    const struct cleat_api_record *old = event->old;
    return old ? old->tail_length + (old->document ? cleat_document_bytes(old->document) : 0) : 0;
}

static void history_drop_first(struct cleat_api_history *history)
{
    struct cleat_api_event *event = history_place(history, history->first);
    history->compacted = event->revision;
    history->old_bytes -= event_old_bytes(event);
    (void)cleat_api_record_unref(event->old);
    (void)cleat_api_record_unref(event->new);
    history->first++;
    history->count--;
}

static int history_grow(struct cleat_api_history *history)
{
    size_t capacity = history->capacity ? history->capacity * 2 : HISTORY_CAPACITY_FIRST;
    struct cleat_api_event *events = cleat_mem_zalloc(capacity, sizeof(*events));
    if (!events)
        return -ENOMEM;
    for (uint64_t i = history->first; i < history->first + history->count; i++)
        events[i & (capacity - 1)] = *history_place(history, i);
    cleat_mem_free(history->events);
    history->events = events;
    history->capacity = capacity;
    return 0;
}

int cleat_api_history_add(struct cleat_api_history *history, const struct cleat_api_event *event,
                          size_t count_max)
{
    while (history->count &&
           (history->count >= count_max || history->old_bytes > HISTORY_OLD_BYTES_MAX))
        history_drop_first(history);
    if (history->count == history->capacity) {
        int result = history_grow(history);
        if (result != 0)
            return result;
    }
    struct cleat_api_event *place = history_place(history, history->first + history->count);
    *place = *event;
    if (place->old)
        (void)cleat_api_record_ref(place->old);
    (void)cleat_api_record_ref(place->new);
    history->old_bytes += event_old_bytes(place);
    history->count++;
    return 0;
}

uint64_t cleat_api_history_after(const struct cleat_api_history *history, uint64_t revision)
{
    uint64_t low = history->first;
    uint64_t high = history->first + history->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (history_place(history, middle)->revision <= revision)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void cleat_api_history_compact(struct cleat_api_history *history, uint64_t revision)
{
    while (history->count && history_place(history, history->first)->revision <= revision)
        history_drop_first(history);
    if (history->compacted < revision)
        history->compacted = revision;
}

void cleat_api_history_fini(struct cleat_api_history *history)
{
    while (history->count)
        history_drop_first(history);
    cleat_mem_free(history->events);
    *history = (struct cleat_api_history){0};
}
