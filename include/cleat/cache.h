/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of one cluster: a pool, a store per kind, and feeds (kind, selector, projection: each a
 * watch of its own) that fill the stores. `ingest/<cluster>` drives all watches and is the only
 * writer of pool and stores; `events/<cluster>` runs predicates and handlers from a bounded ring
 * that collapses by key. Readers take counted objects on any thread and never wait for I/O.
 *
 *   watch bytes ─► parser ─► pool ─► store (indexes) ─► what changed ─► ring ─► handlers ─► queues
 *
 * What can be relied on:
 *   - a store is changed before its handlers are told, and an entry never goes back in version;
 *   - a lookup tells MISSING, UNREADABLE, NOT_SYNCED and NOT_WATCHED apart: a hole never looks like
 * an absence;
 *   - while the API server can't be reached, what was read stays readable; the feed's status says
 * STALE;
 *   - per key, events come in order; changes that wait are joined; there is no order between kinds;
 *   - an update that changes nothing of what is kept is no event.
 *
 * Order of the end: handlers removed, feeds released, stop, join, free. Objects may be kept longer.
 *
 * Source: API Concepts, "efficient detection of changes", "streaming lists", "410 Gone" and
 * bookmarks; the behaviour of client-go's reflector and shared informer, where not said otherwise.
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
    const char *name; /* of the cluster: in logs, metrics, thread names; NULL: "local"; copied */
    struct cleat_client *client;     /* a reference is kept */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed for the cache's life; NULL: none */
    struct cleat_metrics *metrics;   /* borrowed for the cache's life; NULL: none */
    int64_t resync_period_ms;        /* 0: 10 h (± 10 %); < 0: never */
    size_t bytes_max;                /* of the pool; 0: 30 GiB of address space */
    bool no_watch_list;              /* never ask for a streaming list */
    bool http1; /* no HTTP/2: the client's http1_only says the same for all its streams */
};

/**
 * Makes a cache that does nothing yet. @options is borrowed for the call. @ret is new; end it by
 * stop, join, free. 0, -ENOMEM, or what the client's transport says. Any thread; doesn't block.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_cache_new(const struct cleat_cache_options *options,
                                                  struct cleat_cache **ret, struct cleat_err *err);
/**
 * Starts the threads `ingest/<name>` and `events/<name>`; feeds that were added before start
 * loading now. Once: -EALREADY after that. 0 or negative (then nothing runs). Any thread; doesn't
 * wait for the feeds.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_cache_start(struct cleat_cache *cache,
                                                    struct cleat_err *err);
/** Asks the threads to end; returns at once. Readers go on reading what is there; waits end with
 * -ECANCELED. */
CLEAT_EXPORT void cleat_cache_stop(struct cleat_cache *cache);
/** Waits for the threads after stop; does nothing where none run. Not on the cache's own threads.
 */
CLEAT_EXPORT void cleat_cache_join(struct cleat_cache *cache);
/**
 * Frees a cache that was joined or never started, with its stores, feeds, indexes, and handlers
 * that were left; none of these may be used any more. Objects that are still held keep the pool
 * alive. NULL is fine; returns NULL.
 */
CLEAT_EXPORT struct cleat_cache *cleat_cache_free(struct cleat_cache *cache);
/**
 * Waits until every feed is synced, at most @timeout_ms (< 0: for ever). 0, -ETIMEDOUT (@err: how
 * many aren't, the first's name and what it lacks), -ECANCELED after stop, -EDEADLK on the cache's
 * threads. Blocks.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_cache_wait_synced(struct cleat_cache *cache,
                                                          int64_t timeout_ms,
                                                          struct cleat_err *err);
/** The cluster's name; borrowed for the cache's life. */
CLEAT_EXPORT const char *cleat_cache_name(const struct cleat_cache *cache);

/* ---- feeds ---- */

/**
 * What a feed brings. A field selector metadata.namespace=X is the same as @namespace_ X;
 * metadata.name=X makes a feed for that name alone. Of feeds that can bring the same object one
 * keeps all that the others keep: a new one whose projection neither covers nor is covered keeps
 * what either does.
 */
struct cleat_feed_options {
    struct cleat_resource resource;
    const char *namespace_;                    /* NULL or "": all */
    const char *label_selector;                /* text; NULL: none. Copied */
    const char *field_selector;                /* text; NULL: none. Copied */
    const struct cleat_projection *projection; /* NULL: everything but managedFields */
    bool metadata_only;                        /* ask the server for PartialObjectMetadata */
};

/** How a feed is. What was read stays readable in all of them. */
enum cleat_feed_state {
    CLEAT_FEED_LOADING, /* the first list isn't complete */
    CLEAT_FEED_SYNCED,
    CLEAT_FEED_STALE,     /* synced once; the watch has been broken for more than a minute */
    CLEAT_FEED_FORBIDDEN, /* the API server refuses list or watch (retried) */
    CLEAT_FEED_UNKNOWN,   /* no such resource (404; retried) */
};

/** A feed's state and figures at one moment. */
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
 * projection that covers). A wider reader of the same objects gets a feed beside the old one, which
 * takes that one over once it is loaded. Any thread, before or after start; returns at once.
 * @options is borrowed for the call. @ret is counted: release by cleat_feed_unref, which ends the
 * watch with the last. 0, -EINVAL for selectors that can't be read or a namespace of a
 * cluster-scoped kind, -ENOMEM, -ENOBUFS beyond 4,096 kinds or feeds of a kind.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_cache_feed(struct cleat_cache *cache,
                                                   const struct cleat_feed_options *options,
                                                   struct cleat_feed **ret, struct cleat_err *err);
/**
 * Drops a reference; with the last the watch ends, and objects that no other feed holds leave the
 * store, without events: nothing was deleted. NULL is fine; returns NULL. Any thread, before the
 * cache is freed.
 */
CLEAT_EXPORT struct cleat_feed *cleat_feed_unref(struct cleat_feed *feed);
/** The store that the feed fills; borrowed for the cache's life. */
CLEAT_EXPORT struct cleat_store *cleat_feed_store(const struct cleat_feed *feed);
/** How the feed is now (where a wider one serves it: how that one is). Any thread; doesn't block.
 */
CLEAT_EXPORT void cleat_feed_status(const struct cleat_feed *feed, struct cleat_feed_status *ret);
/** True once the first load is complete; it stays true. Any thread. */
CLEAT_EXPORT bool cleat_feed_synced(const struct cleat_feed *feed);
/**
 * Waits until the feed is synced, at most @timeout_ms (< 0: for ever). 0; at once -EACCES
 * (forbidden) or -ENOENT (no such resource), though the feed goes on trying; -ETIMEDOUT, -ECANCELED
 * after stop, -EDEADLK on the cache's threads; @err has the cause. Blocks.
 */
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
/**
 * Looks up by key (@namespace_ is empty for cluster-scoped kinds). @ret is a new reference, release
 * it by cleat_object_unref. 0, an outcome (then @ret is untouched), or -ENOMEM. Any thread; waits
 * for nothing but the writer's change of one entry.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_lookup(struct cleat_store *store,
                                                     struct cleat_str namespace_,
                                                     struct cleat_str name,
                                                     struct cleat_object **ret);

/** What is asked of a store: all conditions together. Everything is borrowed for the call. */
struct cleat_store_query {
    const char *namespace_;              /* NULL: all */
    const struct cleat_selector *labels; /* NULL: all */
    const struct cleat_index *index;     /* NULL: none */
    const char *index_value;             /* with an index */
    size_t limit;                        /* 0: all */
};

/**
 * Calls @fn for each match with an object that is borrowed for the call, outside all locks; ends
 * where it returns non-zero with that, else 0 or -ENOMEM. In no order. @query NULL: all. What is
 * there all the time comes exactly once; what comes or goes meanwhile may come or not. UNREADABLE
 * objects don't come. Any thread.
 */
CLEAT_EXPORT int cleat_store_each(struct cleat_store *store, const struct cleat_store_query *query,
                                  int (*fn)(void *arg, struct cleat_object *object), void *arg);
/** The matches as new references in a new array (free: cleat_store_list_free), or -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_list(struct cleat_store *store,
                                                   const struct cleat_store_query *query,
                                                   struct cleat_object ***ret, size_t *ret_count);
/** Drops the references and the array; @objects may be NULL with a @count of 0. */
CLEAT_EXPORT void cleat_store_list_free(struct cleat_object **objects, size_t count);
/** How many match, without making objects; at once where neither labels nor two conditions are
 * asked. Any thread. */
CLEAT_EXPORT size_t cleat_store_count(struct cleat_store *store,
                                      const struct cleat_store_query *query);
/** True where there is a feed of the kind and all of them are synced and not stale. Any thread. */
CLEAT_EXPORT bool cleat_store_synced(const struct cleat_store *store);
/** What the store holds; borrowed for the cache's life. */
CLEAT_EXPORT const struct cleat_resource *cleat_store_resource(const struct cleat_store *store);
/** Memory of the entries and indexes, and the pool's as a whole (shared by all stores), in bytes.
 * Either may be NULL. */
CLEAT_EXPORT void cleat_store_bytes(const struct cleat_store *store, size_t *ret_entries,
                                    size_t *ret_pool);

/* ---- indexes ---- */

/**
 * Gives the values under which @object is found, by calling @add for each. Pure and bounded: runs
 * on the ingest thread.
 */
typedef void (*cleat_index_fn)(struct cleat_value object,
                               void (*add)(void *ctx, struct cleat_str value), void *ctx);
/**
 * Adds an index called @name (copied; for messages). Entries that are there are indexed by the
 * ingest thread before it returns. @ret is borrowed for the cache's life; indexes aren't removed.
 * 0, -ENOMEM, -E2BIG where an object has more than 4,096 values, -ECANCELED after stop. Any thread,
 * not under a lock that @fn's caller could want; blocks for as long as indexing takes.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_index(struct cleat_store *store, const char *name,
                                                    cleat_index_fn fn, struct cleat_index **ret,
                                                    struct cleat_err *err);

/* ---- handlers ---- */

/** What happened to an object, as far as the handler knows it. */
enum cleat_event_type {
    CLEAT_EVENT_ADDED,
    CLEAT_EVENT_UPDATED,
    CLEAT_EVENT_DELETED, /* also of what came and went before it could be told as ADDED */
    CLEAT_EVENT_RESYNC,  /* the same object once more: old == new */
};

/**
 * An event; everything is borrowed for the call (take references of objects to keep them). Changes
 * that waited are joined: the old object is what the handler was told last. Where another object
 * has taken the name (another uid), DELETED comes first and then ADDED. A re-list tells what is
 * gone before what is new.
 */
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

/**
 * Adds a handler; what the store holds is replayed to it as initial ADDED events. Each key is told
 * as being there before it is told of changes; an end may be told of a key that the handler never
 * met. @ret is new: remove it by cleat_handler_remove before the cache is freed. 0 or -ENOMEM. Any
 * thread; doesn't block.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_handler(struct cleat_store *store, cleat_event_fn fn,
                                                      void *arg, struct cleat_handler **ret,
                                                      struct cleat_err *err);
/** True once the handler was given everything of the first loads of all feeds of its store. Any
 * thread. */
CLEAT_EXPORT bool cleat_handler_synced(const struct cleat_handler *handler);
/**
 * Removes it: after the return @fn isn't running and won't be called again. Waits for a call that
 * is under way; not from a handler, and not while holding what a handler waits for. NULL is fine;
 * returns NULL.
 */
CLEAT_EXPORT struct cleat_handler *cleat_handler_remove(struct cleat_handler *handler);

/* ---- one's own writes ---- */

/** Outcomes of waiting. */
enum cleat_store_wait_outcome {
    CLEAT_WAIT_TIMEOUT = 1, /* not seen in time: do a live read */
    CLEAT_WAIT_DELETED,     /* the object, or that incarnation of it, is gone */
};
/**
 * Waits until the store holds (uid) at @resource_version or newer: by the event, a deletion, or a
 * bookmark beyond it; at most @timeout_ms. What the write's answer said goes in. 0, an outcome,
 * -ENOMEM, or -EDEADLK on the cache's threads. Versions are compared where they are plain decimal
 * numbers, else only for equality. Blocks.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_store_wait(struct cleat_store *store,
                                                   struct cleat_str namespace_,
                                                   struct cleat_str name, struct cleat_str uid,
                                                   struct cleat_str resource_version,
                                                   int64_t timeout_ms);

CLEAT_END

#endif
