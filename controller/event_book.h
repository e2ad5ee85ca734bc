/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's book of events: which have been seen lately and how often, what is to be sent, and
 * how much each object may still say. No I/O, no lock of its own, no clock: the time comes in, in
 * milliseconds of the monotonic clock, wall times beside it only to be written.
 *
 *   new ─► queued ─► sent ─► (again within 6 min: counted; the first time, and each 30 min: queued)
 *                     └─► idle for 6 min: queued if the server doesn't know the count ─► forgotten
 */
#ifndef CLEAT_CONTROLLER_EVENT_BOOK_H
#define CLEAT_CONTROLLER_EVENT_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>
#include <cleat/str.h>
#include "base/map.h"

#define CLEAT__EVENT_IDLE_MS (6 * 60 * INT64_C(1000))
#define CLEAT__EVENT_REFRESH_MS (30 * 60 * INT64_C(1000))
#define CLEAT__EVENT_KEYS_MAX 4096
#define CLEAT__EVENT_BURST 25
#define CLEAT__EVENT_REFILL_MS (300 * INT64_C(1000))

/* A member of a list from least to most recently used; first in what it's a part of. */
struct event_recent {
    struct event_recent *older;
    struct event_recent *newer;
};

struct event_entry {
    struct event_recent recent;
    struct event_entry *next; /* in the queue */
    struct cleat_str key;     /* this and all texts are owned */
    char *namespace_;
    char *name;
    char *body; /* the Event as JSON without its last brace, so that a series can be added */
    size_t body_bytes;
    int64_t seen_mono_ms;
    int64_t seen_wall_ms;
    int64_t sent_mono_ms;
    uint64_t count;
    uint64_t sent_count; /* what the server knows; 0: nothing */
    unsigned tries;
    bool queued; /* in the queue, or being sent */
};

/* How many new events one object may still have. */
struct event_bucket {
    struct event_recent recent;
    struct cleat_str key; /* owned */
    unsigned tokens;
    int64_t filled_mono_ms;
};

struct event_lru {
    struct cleat_map map;
    struct event_recent *oldest;
    struct event_recent *newest;
};

struct event_book {
    struct event_lru entries;
    struct event_lru buckets;
    struct event_entry *first; /* the queue */
    struct event_entry *last;
    size_t queued; /* with those being sent */
    size_t queue_max;
    bool flushing; /* what is sent with an old count is queued again at once */
};

enum event_outcome {
    EVENT_NEW = 1, /* unknown: to be added */
    EVENT_COUNTED,
    EVENT_QUEUED, /* counted or added, and there is something to send */
    EVENT_SPAM,
    EVENT_FULL,
};

void cleat__event_book_init(struct event_book *book, size_t queue_max);
/** Frees everything. */
void cleat__event_book_fini(struct event_book *book);
/** Counts one more of what is known by @key: NEW where nothing is, else COUNTED or QUEUED. */
enum event_outcome cleat__event_book_repeat(struct event_book *book, struct cleat_str key,
                                            int64_t mono_ms, int64_t wall_ms);
/** An entry with copies of the texts; @body is stolen. NULL: out of memory. */
struct event_entry *cleat__event_entry_new_take(struct cleat_str key, struct cleat_str namespace_,
                                                const char *name, char *body, size_t body_bytes);
/** Frees an entry that is in no book; NULL is fine. */
void cleat__event_entry_free(struct event_entry *entry);
/**
 * Adds @entry, whose key is unknown, and queues it; @object is whose tokens it costs. QUEUED, or
 * SPAM, FULL, -ENOMEM with @entry still the caller's.
 */
int cleat__event_book_add(struct event_book *book, struct event_entry *entry,
                          struct cleat_str object, int64_t mono_ms,
                          int64_t wall_ms) CLEAT_MUST_CHECK;
/** Takes the first of the queue to be sent; NULL where it's empty. It stays the book's. */
struct event_entry *cleat__event_book_take(struct event_book *book);
/** It was sent with @count. */
void cleat__event_book_sent(struct event_book *book, struct event_entry *entry, uint64_t count,
                            int64_t mono_ms);
/** It wasn't sent: back to the front of the queue. */
void cleat__event_book_again(struct event_book *book, struct event_entry *entry);
/** It will never be sent: forgets it. */
void cleat__event_book_drop(struct event_book *book, struct event_entry *entry);
/** Forgets what has been idle, queues series whose count the server should hear of. True where
 * something was queued. Once a minute. */
bool cleat__event_book_tick(struct event_book *book, int64_t mono_ms);
/** Queues every series whose count the server doesn't know, also those that are being sent. At the
 * end. */
void cleat__event_book_flush(struct event_book *book);

#endif
