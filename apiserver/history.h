/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of one resource: a bounded ring of events, each with the object before and after. The
 * oldest go first; `compacted` remembers up to where. Guarded by the registry's lock.
 */
#ifndef CLEAT_APISERVER_HISTORY_H
#define CLEAT_APISERVER_HISTORY_H

#include <cleat/macro.h>
#include <stddef.h>
#include <stdint.h>
#include "apiserver/record.h"

/* What happened: @old NULL: created; @now_deleted: @new is the last version, with the deletion's
 * revision. */
struct cleat_api_event {
    uint64_t revision;
    struct cleat_api_record *old; /* reference, or NULL */
    struct cleat_api_record *new; /* reference */
    bool deleted;
};

struct cleat_api_history {
    struct cleat_api_event *events; /* ring */
    size_t capacity;                /* a power of two, or 0 */
    size_t count;
    uint64_t first;     /* sequence of the oldest event; the ring's place is sequence % capacity */
    uint64_t compacted; /* events up to this revision may be gone */
    size_t old_bytes;   /* held by versions that only history keeps */
};

/** Adds an event; takes references. Drops old ones beyond @count_max. */
int cleat_api_history_add(struct cleat_api_history *history, const struct cleat_api_event *event,
                          size_t count_max) CLEAT_MUST_CHECK;
/** The event with that sequence, which must be there; borrowed. */
const struct cleat_api_event *cleat_api_history_at(const struct cleat_api_history *history,
                                                   uint64_t sequence);
/** The sequence of the first event after @revision. */
uint64_t cleat_api_history_after(const struct cleat_api_history *history, uint64_t revision);
/** Forgets everything up to @revision, the present one. */
void cleat_api_history_compact(struct cleat_api_history *history, uint64_t revision);
void cleat_api_history_fini(struct cleat_api_history *history);

#endif
