/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry holds the resources that are served, all objects, the one revision counter and, per
 * resource, the history that watches read from. One lock guards it all; nothing is called back
 * while it's held.
 *
 *   verbs ─► commit (compare and store) ─► table + history ─► watchers (each a cursor into the
 * history)
 */
#ifndef CLEAT_APISERVER_REGISTRY_H
#define CLEAT_APISERVER_REGISTRY_H

#include <cleat/clock.h>
#include <cleat/gvk.h>
#include <stdatomic.h>
#include "apiserver/history.h"
#include "apiserver/kinds.h"
#include "apiserver/record.h"
#include "apiserver/skiplist.h"
#include "base/lock.h"

#define CLEAT_API_RESOURCES_MAX 4096
#define CLEAT_API_VERSIONS_MAX 8

struct cleat_api_watcher;
struct cleat_api_alias;

struct cleat_api_version {
    char name[CLEAT_VERSION_BYTES_MAX];
    bool served;
    bool storage;
    bool has_status;
    bool has_scale;
    void *schema; /* custom resources: owned by the resource's `custom` */
};

/* A resource; counted. All but storage (under the registry's lock) is frozen once it was added. */
struct cleat_api_resource {
    atomic_uint refs;
    char group[CLEAT_GROUP_BYTES_MAX];
    char kind[CLEAT_KIND_BYTES_MAX];
    char list_kind[CLEAT_KIND_BYTES_MAX + 4];
    char plural[CLEAT_KIND_BYTES_MAX];
    char singular[CLEAT_KIND_BYTES_MAX];
    char short_names[256]; /* comma-separated */
    char categories[256];
    unsigned flags; /* enum cleat_api_flag; status and scale of custom ones are the version's */
    struct cleat_api_version versions[CLEAT_API_VERSIONS_MAX]; /* the preferred first */
    size_t version_count;
    const void *custom;                /* custom resources: what the CRD code keeps; */
    void (*custom_free)(void *custom); /* called with the last reference */
    struct cleat_api_storage
        *storage; /* counted; shared by successive forms of one CRD, and by aliases */
    const struct cleat_api_alias *alias; /* not NULL: another view of a storage (events.k8s.io) */
};

/* The objects of one resource. Under the registry's lock. */
struct cleat_api_storage {
    atomic_uint refs;
    struct cleat_api_skiplist objects; /* by key */
    struct cleat_api_history history;
    struct cleat_api_watcher *watchers;
};

struct cleat_api_registry {
    struct cleat_lock lock;
    const struct cleat_clock *clock;
    uint64_t revision;  /* of the last change */
    size_t history_max; /* events per resource */
    struct cleat_api_resource **resources;
    size_t resource_count;
    uint64_t resources_generation;         /* changes with the set of resources */
    struct cleat_api_resource *namespaces; /* borrowed: never removed */
};

int cleat_api_registry_init(struct cleat_api_registry *registry, const struct cleat_clock *clock,
                            size_t history_max) CLEAT_MUST_CHECK;
void cleat_api_registry_fini(struct cleat_api_registry *registry);

struct cleat_api_resource *cleat_api_resource_ref(struct cleat_api_resource *resource);
struct cleat_api_resource *cleat_api_resource_unref(struct cleat_api_resource *resource);
/** An empty resource to be filled and added; its storage is made. @ret is new. */
int cleat_api_resource_new(struct cleat_api_resource **ret) CLEAT_MUST_CHECK;
/**
 * Adds @resource, or puts it in the place of the one of its group and plural, whose storage
 * (objects, history, watchers) it takes over. Takes a reference.
 */
int cleat_api_registry_add(struct cleat_api_registry *registry,
                           struct cleat_api_resource *resource) CLEAT_MUST_CHECK;
/** Stops serving it; its objects go with the last reference, its watchers end. */
void cleat_api_registry_remove(struct cleat_api_registry *registry, const char *group,
                               const char *plural);
/** The resource of that group and plural, or NULL. New reference. */
struct cleat_api_resource *cleat_api_registry_find(struct cleat_api_registry *registry,
                                                   struct cleat_str group, struct cleat_str plural);
/** The resource of that group and kind, or NULL. New reference. */
struct cleat_api_resource *cleat_api_registry_find_kind(struct cleat_api_registry *registry,
                                                        struct cleat_str group,
                                                        struct cleat_str kind);
/** All resources: @ret is a new array (cleat_mem_free) of new references, ordered by group, then
 * plural. */
int cleat_api_registry_all(struct cleat_api_registry *registry, struct cleat_api_resource ***ret,
                           size_t *ret_count) CLEAT_MUST_CHECK;
/** @resource stores in @other's storage from now on. Before anything is stored in it. */
void cleat_api_resource_share(struct cleat_api_resource *resource,
                              struct cleat_api_resource *other);
/** The version of that name, served, or NULL. */
const struct cleat_api_version *cleat_api_resource_version(
    const struct cleat_api_resource *resource, struct cleat_str version);

/** The current version of an object, or NULL. @namespace_ is empty for cluster scope. New
 * reference. */
struct cleat_api_record *cleat_api_registry_get(struct cleat_api_registry *registry,
                                                const struct cleat_api_resource *resource,
                                                struct cleat_str namespace_, struct cleat_str name);

/** Outcomes of a commit. */
enum cleat_api_commit_outcome {
    CLEAT_API_COMMIT_CHANGED = 1,  /* what is stored isn't @old any more (or there is something) */
    CLEAT_API_COMMIT_NO_NAMESPACE, /* create: the namespace is gone */
    CLEAT_API_COMMIT_TERMINATING,  /* create: the namespace is being deleted */
};

/**
 * Compares and stores: where the stored object is @old (NULL: there is none), puts @new in its
 * place (NULL: deletes), under the next revision. @guard: a new object needs its namespace, which
 * isn't being deleted.
 * @ret (may be NULL) is what is stored now, or for a deletion the last version with the deletion's
 * revision; a new reference. 0, an outcome, -ENOMEM. Any thread; the lock isn't held by the caller.
 */
int cleat_api_registry_commit(struct cleat_api_registry *registry,
                              struct cleat_api_resource *resource, struct cleat_api_record *old,
                              struct cleat_api_record *new, bool guard,
                              struct cleat_api_record **ret) CLEAT_MUST_CHECK;

/* A consistent picture of (part of) a resource, in the order of keys. */
struct cleat_api_snapshot {
    struct cleat_api_record **records; /* references */
    size_t count;
    uint64_t revision;
    bool more;    /* it was cut at the range's maximum */
    size_t total; /* of a cut one that begins at the beginning: how many there are; 0: not known */
};

/* Which part, of which moment. Strings are borrowed. */
struct cleat_api_range {
    struct cleat_str namespace_; /* "": all */
    struct cleat_str after;      /* keys after this one; "": all */
    uint64_t revision;           /* 0: now */
    size_t max;                  /* at most so many; 0: all */
};

/** Outcomes of a snapshot. */
enum cleat_api_snapshot_outcome {
    CLEAT_API_SNAPSHOT_EXPIRED = 1, /* that revision is no longer in the history */
};

/** The objects of a range, in the order of keys. @ret must be empty. 0, EXPIRED, -ENOMEM. */
int cleat_api_registry_range(struct cleat_api_registry *registry,
                             const struct cleat_api_resource *resource,
                             const struct cleat_api_range *range,
                             struct cleat_api_snapshot *ret) CLEAT_MUST_CHECK;
/** The same without a maximum. */
static inline int cleat_api_registry_snapshot(struct cleat_api_registry *registry,
                                              const struct cleat_api_resource *resource,
                                              struct cleat_str namespace_, struct cleat_str after,
                                              uint64_t revision, struct cleat_api_snapshot *ret)
{
    const struct cleat_api_range range = {
        .namespace_ = namespace_, .after = after, .revision = revision};
    return cleat_api_registry_range(registry, resource, &range, ret);
}
void cleat_api_snapshot_fini(struct cleat_api_snapshot *snapshot);
/** Drops all history up to now. */
void cleat_api_registry_compact(struct cleat_api_registry *registry);
uint64_t cleat_api_registry_revision(struct cleat_api_registry *registry);

/* A watcher: a cursor into one resource's history, and a descriptor that says "look". */
struct cleat_api_watcher {
    struct cleat_api_storage *storage; /* reference */
    struct cleat_api_watcher *next;
    struct cleat_api_watcher *prev;
    uint64_t cursor; /* sequence of the next event to read */
    int fd;          /* eventfd: readable when there may be something */
    bool signalled;  /* under the lock */
    bool ended;      /* the resource is gone; under the lock */
    bool bookmark;   /* a bookmark was asked for; under the lock */
};

/** Outcomes. */
enum cleat_api_watch_outcome {
    CLEAT_API_WATCH_EXPIRED =
        1, /* the revision is no longer in the history, or the watcher fell behind */
    CLEAT_API_WATCH_ENDED, /* the resource is gone */
};

/** Begins to watch @resource after @revision. 0, EXPIRED, negative. */
int cleat_api_watcher_start(struct cleat_api_registry *registry,
                            struct cleat_api_resource *resource, uint64_t revision,
                            struct cleat_api_watcher *watcher) CLEAT_MUST_CHECK;
/** As cleat_api_watcher_start from now, with a snapshot of that very moment. */
int cleat_api_watcher_start_at(struct cleat_api_registry *registry,
                               struct cleat_api_resource *resource, struct cleat_str namespace_,
                               struct cleat_api_watcher *watcher,
                               struct cleat_api_snapshot *ret) CLEAT_MUST_CHECK;
/** Ends it; repeatable on a zeroed one. */
void cleat_api_watcher_stop(struct cleat_api_registry *registry, struct cleat_api_watcher *watcher);
/**
 * The next events, at most @max, with references in @events. @ret_revision is the revision up to
 * which everything was then seen; @ret_bookmark (cleared by this) that somebody asked for a
 * bookmark. 0, or an outcome.
 */
int cleat_api_watcher_next(struct cleat_api_registry *registry, struct cleat_api_watcher *watcher,
                           struct cleat_api_event *events, size_t max, size_t *ret_count,
                           uint64_t *ret_revision, bool *ret_bookmark) CLEAT_MUST_CHECK;
/** Asks all watchers for a bookmark, or only wakes them. */
void cleat_api_registry_wake(struct cleat_api_registry *registry, bool bookmark);

#endif
