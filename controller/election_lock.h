/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an election needs of the thing that replicas compete for. A Lease is one (lease.h); others
 * may follow. Only the election's thread calls; calls may block until their deadline.
 */
#ifndef CLEAT_CONTROLLER_ELECTION_LOCK_H
#define CLEAT_CONTROLLER_ELECTION_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/buffer.h>
#include <cleat/election.h>
#include <cleat/err.h>
#include "controller/election_record.h"

/* Outcome of reading: there is no record yet. */
#define CLEAT__LOCK_ABSENT 1

struct election_lock_ops {
    /* Reads the record and its bytes (appended to @raw, empty before): 0, CLEAT__LOCK_ABSENT,
     * negative. */
    int (*read)(void *arg, int64_t deadline_mono_ms, struct election_record *ret,
                struct cleat_buffer *raw, struct cleat_err *err);
    /* Makes the lock where there is none; -EEXIST where another was faster. */
    int (*create)(void *arg, int64_t deadline_mono_ms, const struct election_record *record,
                  struct cleat_err *err);
    /* Writes over what was last seen and nothing newer; -EAGAIN where it isn't the same any more.
     */
    int (*update)(void *arg, int64_t deadline_mono_ms, const struct election_record *record,
                  struct cleat_err *err);
    /* Tells the world about a change of leaders. May be NULL. Doesn't block. */
    void (*note)(void *arg, const char *text);
    void (*free)(void *arg);
};

struct election_lock {
    const struct election_lock_ops *ops;
    void *arg; /* owned by the election */
};

/** An election over @lock, which it takes, also on failure. Options as for cleat_election_new;
 * client isn't used. */
int cleat__election_new_take(const struct cleat_election_options *options,
                             struct election_lock lock, struct cleat_election **ret,
                             struct cleat_err *err) CLEAT_MUST_CHECK;
/** Stops without releasing the lease: where something that leadership allowed may still run. */
void cleat__election_abandon(struct cleat_election *election);
/** Makes the thread look at the clock again. */
void cleat__election_poke(struct cleat_election *election);

#endif
