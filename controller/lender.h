/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of a cache and what of it is lent to readers. The ingest thread is the pool's only
 * writer: it alone holds and drops roots. A reader that finds a root under its store's lock lends
 * it, which makes a counted object; a root that the writer gives up while it is lent stays until
 * its last object goes.
 *
 *   store entry ─► root ─► lend (under the store's lock) ─► cleat_object … unref ─► return
 *   writer: root replaced ─► drop: freed now, or left with one of its objects as a debt
 *   last unref with a debt ─► retire list ─► drained by the writer
 *
 * Why this is enough of an order. Objects that are lent stand in chains, each under a lock of its
 * own. A root is lent while the store's lock is held for reading; it is dropped after the writer
 * took it out of its entry under the same lock held for writing. So whoever lent it did so before
 * the drop looks into the chain, and nobody can lend it after that. All reads of a root come before
 * its object leaves the chain (or the retire list takes it, by a release that the writer's exchange
 * acquires), and only what was seen to have left is freed for reuse. `lent` counts the objects in
 * all chains: it is raised before the store's lock is released and lowered (release) after an
 * object has left its chain; a drop that reads 0 (acquire) needs no look.
 *
 * Counted: by its cache and by every object. When the cache goes it is closed: what is returned
 * after that waits for the end of the pool as a whole.
 */
#ifndef CLEAT_CONTROLLER_LENDER_H
#define CLEAT_CONTROLLER_LENDER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/gvk.h>
#include "base/lock.h"
#include "kube/object.h"
#include "value/heap.h"

#define CLEAT__LENDER_CHAINS 4096u
#define CLEAT__LENDER_LOCKS 64u
/* Objects on the retire list above which the writer is woken. */
#define CLEAT__LENDER_RETIRED_WAKE 1024u

/* What the objects of a kind share; lives as long as the lender. */
struct lender_kind {
    struct lender_kind *next;
    struct cleat_gvk gvk;
    char api_version[CLEAT_API_VERSION_BYTES_MAX];
};

struct lender_object;

struct cleat__lender {
    atomic_uint refs;
    struct cleat_heap *heap; /* owned */
    _Atomic(size_t) lent;
    _Atomic(size_t) bytes; /* of the pool, as the writer last saw it; relaxed: only a figure */
    _Atomic(struct lender_object *) retired; /* a stack: pushed by any thread, taken as a whole */
    _Atomic(size_t) retired_count;
    struct cleat_lock kinds_lock; /* of kinds, closed and wake */
    struct lender_kind *kinds;
    bool closed;
    void (*wake)(void *arg); /* any thread, under the lock; NULL: none */
    void *wake_arg;
    struct cleat_lock locks[CLEAT__LENDER_LOCKS];
    struct lender_object *chains[CLEAT__LENDER_CHAINS];
};

/* A version as entries keep it: a number where it is canonical, else a string of the pool. */
struct lender_version {
    uint64_t number; /* or the reference of the text */
    bool is_text;
};

/** A lender with a pool that may grow to @bytes_max. @ret is new, with one reference. */
int cleat__lender_new(size_t bytes_max, struct cleat__lender **ret) CLEAT_MUST_CHECK;
struct cleat__lender *cleat__lender_ref(struct cleat__lender *lender);
/** Drops a reference; the last frees the pool. Any thread. NULL is fine; returns NULL. */
struct cleat__lender *cleat__lender_unref(struct cleat__lender *lender);
/** No writer any more: what is returned from now on waits for the last reference. The writer. */
void cleat__lender_close(struct cleat__lender *lender);
/** The kind's shared part, made where it is new. Borrowed for the lender's life. Any thread. */
int cleat__lender_kind(struct cleat__lender *lender, const struct cleat_gvk *gvk,
                       const struct lender_kind **ret) CLEAT_MUST_CHECK;

/** Reads a version text; a text that isn't canonical is interned and held. The writer. */
int cleat__lender_version(struct cleat__lender *lender, struct cleat_str text,
                          struct lender_version *ret) CLEAT_MUST_CHECK;
/** One more hold on a version's text. The writer. */
void cleat__lender_version_hold(struct cleat__lender *lender, struct lender_version version);
/** Gives a version back. The writer. */
void cleat__lender_version_drop(struct cleat__lender *lender, struct lender_version version);

/**
 * Lends @root, which the caller keeps alive by a lock that the writer needs to give it up. The
 * version's text is read at once. -ENOMEM. Any thread. @ret is new and must be settled.
 */
int cleat__lender_lend(struct cleat__lender *lender, uint32_t root, struct lender_version version,
                       bool partial, struct lender_object **ret) CLEAT_MUST_CHECK;
/**
 * Makes a loan a public object, which @ret is then; on -ENOMEM it stays a loan. Outside all locks.
 * Any thread.
 */
int cleat__lender_settle(struct lender_object *object, const struct lender_kind *kind,
                         struct cleat_object **ret) CLEAT_MUST_CHECK;
/**
 * Makes a loan a public object; outside all locks. Steals @object: on -ENOMEM it is returned to the
 * lender. Any thread.
 */
int cleat__lender_settle_take(struct lender_object *object, const struct lender_kind *kind,
                              struct cleat_object **ret) CLEAT_MUST_CHECK;
/** Returns a loan that was never settled; NULL is fine. Any thread. */
void cleat__lender_return(struct lender_object *object);
/** The root of a loan, for reading. */
struct cleat_value cleat__lender_root(const struct lender_object *object);

/** Gives up one hold on @root, now or when nobody has it any more. The writer. */
void cleat__lender_drop(struct cleat__lender *lender, uint32_t root);
/** Frees what came back since. The writer. */
void cleat__lender_drain(struct cleat__lender *lender);

#endif
