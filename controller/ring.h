/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring between the ingest thread and the events thread: what changed, one record per key. A
 * change of a key that still waits joins its record: the newest state, the old object of the first.
 * So the ring is bounded by the number of keys, and nobody waits for anybody. Records hold their
 * roots; what was delivered goes back to the ingest thread, which alone gives up holds.
 *
 *   ingest: prepare, post ─► fifo (or a stage, during a re-list) ─► take ─► handlers ─► done ─►
 * drain
 *
 * Joining: ADDED + UPDATED = ADDED; ADDED + DELETED = GONE, told as DELETED; GONE + ADDED = ADDED;
 * UPDATED + DELETED = DELETED; DELETED + ADDED = UPDATED (told as DELETED and ADDED where the uid
 * changed).
 */
#ifndef CLEAT_CONTROLLER_RING_H
#define CLEAT_CONTROLLER_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/cache.h>
#include "base/lock.h"
#include "controller/lender.h"
#include "controller/store_table.h"

/* Posts after which the events thread is woken without a drain. */
#define CLEAT__RING_WAKE 256u

/* Beside the types of events: it came and went before anybody was told of it. */
#define RING_GONE 4u

enum ring_flag {
    RING_INITIAL = 1,
    RING_UNKNOWN = 2,   /* the last state may be old */
    RING_UNSEEN = 4,    /* the handlers that are being given the store haven't seen this key */
    RING_CANCELLED = 8, /* nothing to tell any more */
    RING_TEXT = 16,     /* the versions are texts of the pool */
    RING_OLD_TEXT = 32,
    RING_PARTIAL = 64,
    RING_OLD_PARTIAL = 128,
};

/* One state of an object. */
struct ring_state {
    uint32_t root; /* CLEAT_REF_ABSENT: none */
    bool partial;
    struct lender_version version;
};

struct ring_record {
    uint64_t version;
    uint64_t old_version;
    uint32_t name;
    uint32_t namespace_; /* number in its store */
    uint32_t root;
    uint32_t old_root;
    uint32_t next;
    uint32_t hash;
    uint16_t store; /* number in the ring */
    uint8_t type;   /* enum cleat_event_type or RING_GONE */
    uint8_t flags;
};

/* Records that wait for the end of a re-list. The ingest thread's, changed under the ring's lock.
 */
struct ring_stage {
    uint32_t head; /* CLEAT__STORE_NONE: empty */
    uint32_t tail;
    size_t count;
};

#define CLEAT__RING_STAGE_INIT                  \
    {                                           \
        CLEAT__STORE_NONE, CLEAT__STORE_NONE, 0 \
    }

struct ring_post {
    uint16_t store;
    uint32_t namespace_;
    uint32_t name;
    enum cleat_event_type type;
    unsigned flags; /* RING_INITIAL, RING_UNKNOWN, RING_UNSEEN */
    struct ring_state old;
    struct ring_state now;
    struct ring_stage *stage; /* NULL: the fifo */
};

struct cleat__ring {
    struct cleat__lender *lender;
    struct cleat_lock lock;
    struct cleat_cond work; /* the events thread waits here */
    struct cleat_cond idle; /* whoever waits for a handler to return */
    struct store_cells records;
    struct store_table table; /* of the keys that wait */
    struct ring_stage fifo;
    struct ring_stage free;
    struct ring_stage done;
    uint64_t pushed;    /* records that entered the fifo, ever */
    uint64_t delivered; /* and that left it with all handlers called */
    unsigned posted;    /* the ingest thread's: posts since the events thread was woken */
    bool stop;
    bool attention;                /* the events thread should look at its stores */
    struct cleat_handler *running; /* whose function is being called */
};

void cleat__ring_init(struct cleat__ring *ring, struct cleat__lender *lender);
/** Gives up all holds; the writer, after both threads have ended. */
void cleat__ring_fini(struct cleat__ring *ring);
/** Memory for a post of that key: the next post of it can't fail. The ingest thread. 0, -ENOMEM. */
int cleat__ring_prepare(struct cleat__ring *ring, uint16_t store, uint32_t namespace_,
                        uint32_t name) CLEAT_MUST_CHECK;
/** Posts what was prepared; the events thread is woken by the next drain, so once for all that came
 * together (and for each CLEAT__RING_WAKE of them). The ingest thread, under the store's lock held
 * for writing. */
void cleat__ring_post(struct cleat__ring *ring, const struct ring_post *post);
/** Moves what was staged behind what is in the fifo. The ingest thread. */
void cleat__ring_release(struct cleat__ring *ring, struct ring_stage *stage);
/** Wakes the events thread for what was posted, and gives up holds of records that were delivered.
 * The ingest thread, once per turn. */
void cleat__ring_drain(struct cleat__ring *ring);

/* The events thread's side; under the lock. */

/** Takes the next record out: a copy, and its number for done. False: nothing waits. */
bool cleat__ring_take(struct cleat__ring *ring, struct ring_record *ret, uint32_t *ret_id);
/** Takes the waiting record of a key out of its place. False: none. */
bool cleat__ring_pull(struct cleat__ring *ring, uint16_t store, uint32_t namespace_, uint32_t name,
                      struct ring_record *ret, uint32_t *ret_id);
/** True where a record of that key waits. */
bool cleat__ring_waits(const struct cleat__ring *ring, uint16_t store, uint32_t namespace_,
                       uint32_t name);
/** The record was delivered; @counts: it was taken from the fifo's head. */
void cleat__ring_done(struct cleat__ring *ring, uint32_t id, bool counts);
/** Marks what waits of @store as not yet seen by those who are about to be given the store. */
void cleat__ring_unsee(struct cleat__ring *ring, uint16_t store);
/** Makes the events thread look around. Takes the lock. */
void cleat__ring_wake(struct cleat__ring *ring);
size_t cleat__ring_bytes(struct cleat__ring *ring);

static inline struct lender_version ring_version(const struct ring_record *record, bool old)
{
    struct lender_version version = {old ? record->old_version : record->version,
                                     (record->flags & (old ? RING_OLD_TEXT : RING_TEXT)) != 0};
    return version;
}

#endif
