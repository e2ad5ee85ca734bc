/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events thread: takes records from the ring and gives them to the handlers of their store,
 * gives new handlers what the store holds, and gives everything once more at each resync.
 *
 * A new handler is given the store by a walk over its entries. A key whose record still waits in
 * the ring when the walk comes to it is told there and then: to the old handlers what the record
 * says, to the new ones that it's there. Records of keys that the walk hasn't reached are marked
 * unseen, and the new handlers don't get them. So each handler is told of a key's being there
 * before it is told of changes; it may be told of the end of a key that it never met.
 */
#ifndef CLEAT_CONTROLLER_HANDLER_H
#define CLEAT_CONTROLLER_HANDLER_H

#include <cleat/cache.h>
#include "controller/ring.h"
#include "controller/store.h"

#define CLEAT__EVENTS_BATCH 64u

struct cleat_handler {
    unsigned magic;
    struct cleat_handler *next; /* of the same store; under the ring's lock, as is what follows */
    struct cleat_store *store;
    cleat_event_fn fn;
    void *arg;
    enum { HANDLER_NEW, HANDLER_WALKING, HANDLER_LIVE } state;
    uint32_t cohort; /* which replay it got */
    bool synced;     /* was told all of the first loads; stays so */
};

struct cleat__events {
    struct cleat__ring ring;
    const struct cleat_clock *clock;
    int64_t resync_period_ms;    /* < 0: never */
    struct cleat_store **stores; /* by number; under the ring's lock */
    size_t store_count;
    size_t store_capacity;
};

void cleat__events_init(struct cleat__events *events, struct cleat__lender *lender,
                        const struct cleat_clock *clock, int64_t resync_period_ms);
/** The writer, after both threads have ended and before the stores go. */
void cleat__events_fini(struct cleat__events *events);
/** Adds a store; its number must be how many there are. 0 or -ENOMEM. Any thread. */
int cleat__events_add(struct cleat__events *events, struct cleat_store *store) CLEAT_MUST_CHECK;
/** The thread's function: runs until stopped. */
void cleat__events_run(struct cleat__events *events);
void cleat__events_stop(struct cleat__events *events);
/** One turn without waiting. True where there was something to do. The events thread. */
bool cleat__events_turn(struct cleat__events *events);
/** True on a thread that runs handlers. */
bool cleat__events_here(void);
/** For what a handler couldn't do for lack of memory: waits a moment, so that nothing is lost.
 * False where it's time to stop, and on other threads: then it isn't tried again. */
bool cleat__events_wait_memory(void);
/** Frees the handlers that are left; the events thread has ended. */
void cleat__store_free_handlers(struct cleat_store *store);

#endif
