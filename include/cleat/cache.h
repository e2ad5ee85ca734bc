/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of one cluster: a pool, a store per kind, and feeds (kind, selector, projection: each a
 * watch of its own) that fill the stores. `ingest/<cluster>` drives all watches and is the only
 * writer of pool and stores; `events/<cluster>` runs predicates and handlers from a bounded ring
 * that collapses by key. Readers take counted objects on any thread and never wait for I/O.
 *
 *   watch bytes ─► parser ─► pool ─► store (indexes) ─► what changed ─► ring ─► handlers ─► queues
 */
#ifndef CLEAT_CACHE_H
#define CLEAT_CACHE_H

#include <cleat/client.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/gvk.h>
#include <cleat/log.h>
#include <cleat/metrics.h>
#include <cleat/object.h>
#include <cleat/projection.h>
#include <cleat/selector.h>

CLEAT_BEGIN

struct cleat_cache;
struct cleat_store;
struct cleat_feed;
struct cleat_index;
struct cleat_handler;

struct cleat_cache_options {
    const char *name;            /* of the cluster: in logs, metrics, thread names; NULL: "local" */
    struct cleat_client *client; /* a reference is kept */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed */
    struct cleat_metrics *metrics;   /* borrowed; NULL: none */
    int64_t resync_period_ms;        /* 0: 10 h (± 10 %); < 0: never */
    size_t bytes_max;                /* of the pool; 0: 30 GiB of address space */
    bool no_watch_list;              /* never ask for a streaming list */
    bool http1;                      /* never HTTP/2 */
};

/** Makes a cache without feeds; no thread runs yet. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_cache_new(const struct cleat_cache_options *options,
                                                  struct cleat_cache **ret, struct cleat_err *err);
/** Starts the threads; feeds added before start loading now. -EALREADY. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_cache_start(struct cleat_cache *cache,
                                                    struct cleat_err *err);
/** Asks the threads to end; returns at once. Readers go on reading what is there. */
CLEAT_EXPORT void cleat_cache_stop(struct cleat_cache *cache);
/** Waits for the end of the threads. Blocks; not on a thread of the cache. */
CLEAT_EXPORT void cleat_cache_join(struct cleat_cache *cache);
/** After join. Objects that are still held keep the pool alive. */
CLEAT_EXPORT struct cleat_cache *cleat_cache_free(struct cleat_cache *cache);
/** Waits until every feed that exists now is synced. 0, -ETIMEDOUT (the feeds are named),
 * -ECANCELED. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_cache_wait_synced(struct cleat_cache *cache,
                                                          int64_t timeout_ms,
                                                          struct cleat_err *err);
/** The name from the options. Borrowed for the life of the cache. */
CLEAT_EXPORT const char *cleat_cache_name(const struct cleat_cache *cache);

/* ---- feeds ---- */

struct cleat_feed_options {
    struct cleat_resource resource;
    const char *namespace_;                    /* NULL or "": all */
    const char *label_selector;                /* text; NULL: none. Copied */
    const char *field_selector;                /* text; NULL: none. Copied */
    const struct cleat_projection *projection; /* NULL: everything but managedFields */
    bool metadata_only;                        /* ask the server for PartialObjectMetadata */
};

enum cleat_feed_state {
    CLEAT_FEED_LOADING, /* the first list isn't complete */
    CLEAT_FEED_SYNCED,
    CLEAT_FEED_STALE,     /* synced once; the watch has been broken for longer than its bound */
    CLEAT_FEED_FORBIDDEN, /* the API server refuses list or watch (retried) */
    CLEAT_FEED_UNKNOWN,   /* no such resource (404; retried) */
};

struct cleat_feed_status {
    enum cleat_feed_state state;
    size_t objects;
    uint64_t events;             /* since the start */
    uint64_t broken;             /* objects that couldn't be read or stored */
    int64_t last_event_mono_ms;  /* bookmark included; 0: none yet */
    int64_t synced_mono_ms;      /* first sync; 0: not yet */
    struct cleat_err last_error; /* code 0: none since the last success */
};

/**
 * Adds a feed, or one more reference to an equal one (same resource, namespace, selectors and a
 * projection that covers). Any thread, before or after start; returns at once. @ret is counted:
 * release by cleat_feed_unref, which ends the watch with the last.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_cache_feed(struct cleat_cache *cache,
                                                   const struct cleat_feed_options *options,
                                                   struct cleat_feed **ret, struct cleat_err *err);
/**
 * Drops a reference; the last one ends the watch and takes its entries. NULL is fine; returns
 * NULL.
 */
CLEAT_EXPORT struct cleat_feed *cleat_feed_unref(struct cleat_feed *feed);
/** The store that the feed fills. Borrowed while the caller holds @feed. */
CLEAT_EXPORT struct cleat_store *cleat_feed_store(const struct cleat_feed *feed);
/** Copies how the feed is doing to @ret. Any thread. */
CLEAT_EXPORT void cleat_feed_status(const struct cleat_feed *feed, struct cleat_feed_status *ret);
/** True once the initial list is complete in the store. Any thread. */
CLEAT_EXPORT bool cleat_feed_synced(const struct cleat_feed *feed);
/** 0, -ETIMEDOUT, -EACCES (forbidden), -ENOENT (no such resource), -ECANCELED. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_feed_wait_synced(struct cleat_feed *feed,
                                                         int64_t timeout_ms, struct cleat_err *err);

/* ---- stores ---- */

/** Outcomes of reading. A hole never looks like an absence. */
enum cleat_store_outcome {
    CLEAT_STORE_MISSING = 1, /* not there, and a synced feed that would hold it says so */
    CLEAT_STORE_UNREADABLE,  /* the API server has it, but it couldn't be read or stored */
    CLEAT_STORE_NOT_SYNCED,  /* not there, but some feed of the kind isn't synced */
    CLEAT_STORE_NOT_WATCHED, /* no feed covers that namespace */
};

/** The store of a kind, or NULL where no feed of it was ever added. Borrowed for the cache's life.
 */
CLEAT_EXPORT struct cleat_store *cleat_cache_store(struct cleat_cache *cache,
                                                   const struct cleat_gvk *gvk);
/** Looks up by key. @ret is a new reference. 0 or an outcome. Any thread. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_lookup(struct cleat_store *store,
                                                     struct cleat_str namespace_,
                                                     struct cleat_str name,
                                                     struct cleat_object **ret);

struct cleat_store_query {
    const char *namespace_;              /* NULL: all */
    const struct cleat_selector *labels; /* NULL: all */
    const struct cleat_index *index;     /* NULL: none */
    const char *index_value;             /* with an index */
    size_t limit;                        /* 0: all */
};

/** Calls @fn for each match with a borrowed object, outside all locks; ends where it returns
 * non-zero with that. */
CLEAT_EXPORT int cleat_store_each(struct cleat_store *store, const struct cleat_store_query *query,
                                  int (*fn)(void *arg, struct cleat_object *object), void *arg);
/** The matches as new references in a new array (free: cleat_store_list_free), or -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_list(struct cleat_store *store,
                                                   const struct cleat_store_query *query,
                                                   struct cleat_object ***ret, size_t *ret_count);
/** Drops the references of a list and its memory; NULL is fine. */
CLEAT_EXPORT void cleat_store_list_free(struct cleat_object **objects, size_t count);
/** How many match, without making objects. */
CLEAT_EXPORT size_t cleat_store_count(struct cleat_store *store,
                                      const struct cleat_store_query *query);
/** True where all feeds of the kind are synced and not stale. */
CLEAT_EXPORT bool cleat_store_synced(const struct cleat_store *store);
/** The resource of the store's kind. Borrowed for the life of the store. */
CLEAT_EXPORT const struct cleat_resource *cleat_store_resource(const struct cleat_store *store);
/** Memory of the entries and indexes, and the pool's as a whole, in bytes. */
CLEAT_EXPORT void cleat_store_bytes(const struct cleat_store *store, size_t *ret_entries,
                                    size_t *ret_pool);

/* ---- indexes ---- */

/**
 * Gives the values under which @object is found, by calling @add for each. Pure and bounded: runs
 * on the ingest thread.
 */
typedef void (*cleat_index_fn)(struct cleat_value object,
                               void (*add)(void *ctx, struct cleat_str value), void *ctx);
/** Adds an index (existing entries are indexed before it returns, or by the ingest thread right
 * after). */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_index(struct cleat_store *store, const char *name,
                                                    cleat_index_fn fn, struct cleat_index **ret,
                                                    struct cleat_err *err);

/* ---- handlers ---- */

enum cleat_event_type {
    CLEAT_EVENT_ADDED,
    CLEAT_EVENT_UPDATED,
    CLEAT_EVENT_DELETED,
    CLEAT_EVENT_RESYNC, /* the same object once more: old == new */
};

struct cleat_event {
    enum cleat_event_type type;
    bool initial;       /* ADDED by a first load or replayed to a late handler */
    bool state_unknown; /* DELETED found by a re-list: the last known object may be old */
    const struct cleat_resource *resource;
    struct cleat_str namespace_; /* the key, also where the objects are NULL */
    struct cleat_str name;
    struct cleat_object
        *old_object; /* UPDATED, DELETED, RESYNC; borrowed; may be NULL after collapsing */
    struct cleat_object *object; /* ADDED, UPDATED, RESYNC; borrowed */
};

/** Runs on the events thread; must not block. */
typedef void (*cleat_event_fn)(void *arg, const struct cleat_event *event);

/** Adds a handler; what the store holds is replayed to it as initial ADDED events. @ret: remove it
 * by that. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_handler(struct cleat_store *store, cleat_event_fn fn,
                                                      void *arg, struct cleat_handler **ret,
                                                      struct cleat_err *err);
/** True once the handler was given everything of the initial load. */
CLEAT_EXPORT bool cleat_handler_synced(const struct cleat_handler *handler);
/** Removes it: after the return @fn isn't running and won't be called again (not from the events
 * thread itself). */
CLEAT_EXPORT struct cleat_handler *cleat_handler_remove(struct cleat_handler *handler);

/* ---- one's own writes ---- */

/** Outcomes of waiting. */
enum cleat_store_wait_outcome {
    CLEAT_WAIT_TIMEOUT = 1, /* not seen in time: do a live read */
    CLEAT_WAIT_DELETED,     /* the object, or that incarnation of it, is gone */
};
/**
 * Waits until the store holds (uid) at @resource_version or newer: by the event, a deletion, or a
 * bookmark beyond it. 0 or an outcome. Not on ingest and events threads (-EDEADLK).
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_wait(struct cleat_store *store,
                                                   struct cleat_str namespace_,
                                                   struct cleat_str name, struct cleat_str uid,
                                                   struct cleat_str resource_version,
                                                   int64_t timeout_ms);

CLEAT_END

#endif
