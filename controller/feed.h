/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a feed. What is constant after its making is read by anybody; status is under the
 * cache's lock; the rest belongs to the ingest thread, which alone makes reflectors and frees
 * feeds.
 *
 * A wider reader of the same objects gets a feed of its own, loaded beside the old one. At its end
 * mark it takes the old one over: that one's watch ends, and who holds it is served by the wider.
 */
#ifndef CLEAT_CONTROLLER_FEED_H
#define CLEAT_CONTROLLER_FEED_H

#include <stdatomic.h>
#include <cleat/cache.h>
#include "base/reporter.h"
#include "client/transport.h"
#include "controller/reflector.h"
#include "controller/store.h"

#define CLEAT__FEED_MAGIC 0x66656564u
/* A watch that has been broken for longer makes its feed stale. */
#define CLEAT__FEED_STALE_MS 60000
#define CLEAT__FEED_REPORT_MS 10000

struct cleat_feed {
    unsigned magic;
    struct cleat_cache *cache;
    struct cleat_store *store;
    char *namespace_;     /* NULL: all */
    char *name;           /* NULL: all; of a field selector metadata.name=… */
    char *label_selector; /* NULL: none */
    char *field_selector; /* NULL: none */
    struct cleat_projection *projection;
    bool metadata_only;
    bool filtered; /* by labels or fields: what it lacks may be there all the same */

    /* Under the cache's lock. */
    unsigned refs;            /* of those outside, and of feeds that it serves */
    bool leaving;             /* nobody wants it any more */
    struct cleat_feed *wider; /* owned reference: who serves it now */
    bool synced;
    int64_t synced_mono_ms;
    int64_t broken_mono_ms; /* since when the watch is broken; 0: it isn't */
    bool behind_time;       /* stale */
    struct cleat_err last_error;

    _Atomic(uint64_t) events; /* these three: relaxed, only figures */
    _Atomic(uint64_t) broken;
    _Atomic(int64_t) last_event_mono_ms;

    /* The ingest thread's. */
    uint16_t number; /* in the store */
    struct cleat__reflector *reflector;
    struct cleat_transport_stream *stream;
    struct store_bits seen;
    struct ring_stage stage;
    bool relisting;
    bool watched; /* a watch was begun before */
    int64_t due_mono_ms;
    struct cleat_reporter failures;
    struct cleat_reporter broken_objects;
};

/** A feed from its options, in a store of its kind; not yet in the cache's list. */
int cleat__feed_new(struct cleat_cache *cache, struct cleat_store *store,
                    const struct cleat_feed_options *options, struct cleat_feed **ret,
                    struct cleat_err *err) CLEAT_MUST_CHECK;
/** Frees a feed that the store has forgotten, or that goes together with it; returns NULL. */
struct cleat_feed *cleat__feed_free(struct cleat_feed *feed);
/** True where @feed brings the same objects as @like. */
bool cleat__feed_same_objects(const struct cleat_feed *feed, const struct cleat_feed *like);
/** True where some object could be brought by both. */
bool cleat__feed_overlaps(const struct cleat_feed *feed, const struct cleat_feed *other);
/** True where @feed serves whoever asked for @like. */
bool cleat__feed_serves(const struct cleat_feed *feed, const struct cleat_feed *like);
/** Does what is due and says when to come again. The ingest thread. */
void cleat__feed_turn(struct cleat_feed *feed, struct cleat_transport_loop *loop);
/** Ends its watch and takes it from the store. 0, or negative: try again. The ingest thread. */
int cleat__feed_leave(struct cleat_feed *feed) CLEAT_MUST_CHECK;

#endif
