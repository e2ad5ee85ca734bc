/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a store: the objects of one kind, each once, whichever feeds bring it. The ingest
 * thread is the only writer; it changes things under the lock held for writing and reads without
 * it. All others read under the lock. No user code runs under it.
 *
 * An entry names its key, its newest root and version, the set of feeds that hold it, and the feed
 * whose projection the root has (its source). Rules:
 *   - versions never go back; a feed that holds the entry changes it only with a newer version;
 *   - of feeds with different projections the widest that holds the entry says what is in it: a
 *     narrower one only notes that it has seen something newer (the entry is behind), and is loaded
 *     again if the wide one goes before it caught up;
 *   - an entry goes with the last feed that holds it.
 *
 * About 60 bytes an object: an entry of 40, and 8 in the table at a load of about 0.65 (half of the
 * time between two splits) make 52; the namespace's chain is in the entry.
 */
#ifndef CLEAT_CONTROLLER_STORE_H
#define CLEAT_CONTROLLER_STORE_H

#include <stdatomic.h>
#include <cleat/cache.h>
#include "base/lock.h"
#include "base/map.h"
#include "controller/index.h"
#include "controller/lender.h"
#include "controller/ring.h"
#include "controller/store_sets.h"
#include "controller/store_table.h"

#define CLEAT__STORE_FEEDS_MAX 4096u
#define CLEAT__STORE_BATCH 128u /* entries looked at under one hold of the lock */

enum store_flag {
    STORE_TEXT = 1,       /* the version is a text of the pool */
    STORE_PARTIAL = 2,    /* the source's projection dropped something */
    STORE_UNREADABLE = 4, /* the newest version couldn't be read; an older root may be there */
    STORE_BEHIND = 8,     /* a narrower feed has seen something newer */
};

struct store_entry {
    uint64_t version;
    uint32_t name;  /* string of the pool, held */
    uint32_t root;  /* held; CLEAT_REF_ABSENT: was never readable */
    uint32_t feeds; /* number of a set; CLEAT__SET_EMPTY: gone */
    uint32_t namespace_;
    uint32_t next;     /* in the namespace; stays when the entry goes, for those who walk */
    uint32_t previous; /* of one that is gone: the next free one */
    uint32_t hash;
    uint16_t source; /* feed */
    uint16_t flags;
};

struct store_namespace {
    char *name;
    size_t length;
    uint32_t head;
    uint32_t count;
    uint32_t number;
};

/* A feed as the store knows it. Under the lock. */
struct store_feed {
    bool used;
    bool synced;
    bool stale;
    bool filtered;    /* by labels or fields: what it lacks may be there all the same */
    char *namespace_; /* NULL: all */
    char *name;       /* NULL: all; of a feed for one name */
    struct cleat_projection *projection; /* owned reference; NULL: everything */
    bool partial;
    uint32_t width; /* greater: keeps more */
    uint64_t seen;  /* the newest version that its stream has passed; 0: can't be compared */
    bool behind;    /* asks its owner to load again */
};

/* Counted for ever, whichever feeds come and go. Relaxed: only figures. */
struct store_figures {
    _Atomic(uint64_t) events; /* objects and changes that came */
    _Atomic(uint64_t) broken; /* of these, what couldn't be read or kept */
    _Atomic(uint64_t) restarts;
    _Atomic(uint64_t) failures;
    _Atomic(uint64_t) relists;
};

struct cleat_store {
    unsigned magic;
    uint16_t number; /* in the ring */
    struct cleat_resource resource;
    const struct lender_kind *kind;
    struct cleat__lender *lender; /* borrowed from the cache */
    struct cleat__ring *ring;     /* borrowed from the cache */
    struct cleat_cache *cache;    /* borrowed; NULL in tests of stores alone */
    struct store_figures figures;

    struct cleat_rwlock lock;
    /* Walks through chains that are under way. Raised under the lock held for reading; the writer,
     * which holds it for writing, reads it to know whether what was freed may be used again. */
    _Atomic(uint32_t) walkers;
    struct store_table table;
    struct store_cells entries;
    uint32_t free_entry;
    size_t live;       /* entries that aren't gone */
    size_t unreadable; /* of those */
    bool holes;        /* an object couldn't even get an entry */
    struct store_namespace **namespaces;
    uint32_t namespace_count;
    uint32_t namespace_capacity;
    struct cleat_map namespace_map;
    struct store_sets sets;
    struct store_feed *feeds;
    size_t feed_count;
    struct cleat_index *indexes;
    bool behind; /* the ingest thread's: some feed must be loaded again */

    /* Events. The first two are under this lock; the others are under the ring's. */
    bool observed;        /* somebody wants events */
    uint32_t walk_cursor; /* entries from here on are still to be shown to new handlers */
    struct cleat_handler *handlers;
    uint32_t cohort;    /* counts replays */
    bool joining;       /* a handler waits for its replay */
    uint64_t sync_mark; /* what the ring must have delivered so that the first load was told */
    /* The events thread's own. */
    int64_t resync_mono_ms; /* when the store is to be given once more; 0: not planned yet */
    enum { STORE_STILL, STORE_REPLAY, STORE_RESYNC } walk;
    uint32_t walk_at;

    /* Waiting for one's own writes. */
    struct cleat_lock wait_lock;
    struct cleat_cond wait_cond;
    _Atomic(uint32_t) waiters;
    uint64_t wait_turns;
};

#define CLEAT__STORE_MAGIC 0x73746f72u

/* What a feed brings. */
struct store_item {
    struct cleat_str namespace_;
    struct cleat_str name;
    struct cleat_str version;
    uint32_t root;            /* not held yet */
    bool initial;             /* of the feed's first load */
    struct ring_stage *stage; /* NULL: events go out at once */
};

enum store_change {
    STORE_SAME, /* nothing that a reader could see */
    STORE_ADDED,
    STORE_UPDATED,
    STORE_REMOVED,
};

int cleat__store_new(struct cleat__lender *lender, struct cleat__ring *ring, uint16_t number,
                     const struct cleat_resource *resource,
                     struct cleat_store **ret) CLEAT_MUST_CHECK;
/** When nobody reads any more. NULL is fine; returns NULL. */
struct cleat_store *cleat__store_free(struct cleat_store *store);

/* Feeds of a store. */

struct store_feed_options {
    const char *namespace_;
    const char *name;
    const struct cleat_projection *projection;
    bool filtered;
    bool partial;
};

/** Adds a feed; its number. Any thread, takes the lock. -ENOBUFS, -ENOMEM. */
int cleat__store_feed_add(struct cleat_store *store, const struct store_feed_options *options,
                          uint16_t *ret) CLEAT_MUST_CHECK;
/** Forgets a feed that holds nothing any more. The ingest thread. */
void cleat__store_feed_remove(struct cleat_store *store, uint16_t feed);
/** The ingest thread. */
void cleat__store_feed_synced(struct cleat_store *store, uint16_t feed, bool synced, bool stale);
/** What @feed brings next is newer than all that it brought, whatever its versions are: the server
 * has lost its history. The ingest thread. */
void cleat__store_forget_versions(struct cleat_store *store, uint16_t feed);
/** Its stream has passed @version. The ingest thread. */
void cleat__store_feed_seen(struct cleat_store *store, uint16_t feed, struct cleat_str version);
/** True once where the feed must be loaded again. The ingest thread. */
bool cleat__store_feed_behind(struct cleat_store *store, uint16_t feed);

/* Changes; the ingest thread. Negative: -ENOMEM and the like, the entry is as it was. */

/** Puts an object; *@ret_entry is where it is. An enum store_change or negative. */
int cleat__store_put(struct cleat_store *store, uint16_t feed, const struct store_item *item,
                     uint32_t *ret_entry) CLEAT_MUST_CHECK;
/** @feed has it no longer; @item's root isn't looked at. An enum store_change or negative. */
int cleat__store_remove(struct cleat_store *store, uint16_t feed,
                        const struct store_item *item) CLEAT_MUST_CHECK;
/** The API server has it, but it can't be read. 0 or negative. */
int cleat__store_break(struct cleat_store *store, uint16_t feed, const struct store_item *item,
                       uint32_t *ret_entry) CLEAT_MUST_CHECK;
/** An object couldn't even get an entry: from now on nothing is known to be missing. */
void cleat__store_hole(struct cleat_store *store);
/**
 * Takes @feed from all its entries that aren't in @seen and not newer than @version, and tells the
 * handlers that they are gone. 0 or negative.
 */
int cleat__store_sweep(struct cleat_store *store, uint16_t feed, const struct store_bits *seen,
                       struct cleat_str version) CLEAT_MUST_CHECK;
/** Takes @feed from all its entries, silently: nothing was deleted. 0 or negative. */
int cleat__store_leave(struct cleat_store *store, uint16_t feed) CLEAT_MUST_CHECK;

/* Shared by store*.c. */

static inline struct store_entry *cleat__store_entry(const struct cleat_store *store, uint32_t id)
{
    return (struct store_entry *)cleat__cells_at(&store->entries, id);
}

static inline struct lender_version store_entry_version(const struct store_entry *entry)
{
    struct lender_version version = {entry->version, (entry->flags & STORE_TEXT) != 0};
    return version;
}

/** The entry of a key, or CLEAT__STORE_NONE. Under the lock, or the ingest thread. */
uint32_t cleat__store_find(const struct cleat_store *store, struct cleat_str namespace_,
                           struct cleat_str name, uint32_t *ret_hash);
/** What the lack of a key means: an enum cleat_store_outcome. Under the lock. */
int cleat__store_lack(const struct cleat_store *store, struct cleat_str namespace_,
                      struct cleat_str name);
/** Tells those who wait for a version that something changed. */
void cleat__store_notify(struct cleat_store *store);

#endif
