/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election by a Lease. An elected replica isn't fenced by being elected: every write carries
 * a precondition, and the deadline (last renewal + renew deadline on the boot-time clock) is asked
 * where a request is handed to the wire. Thread `elect`.
 */
#ifndef CLEAT_ELECTION_H
#define CLEAT_ELECTION_H

#include <cleat/client.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/log.h>
#include <cleat/metrics.h>

CLEAT_BEGIN

struct cleat_election;
struct cleat_recorder;

struct cleat_election_options {
    struct cleat_client *client;     /* with its own connection; a reference is kept */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed; NULL: none */
    struct cleat_metrics *metrics;   /* borrowed; NULL: none */
    const char *namespace_;          /* copied, as all strings */
    const char *name;                /* of the Lease */
    const char *identity;            /* NULL: hostname_uuid; beyond 255 bytes it's cut */
    int64_t lease_duration_ms;       /* 0: 15,000; written as whole seconds, rounded up */
    int64_t renew_deadline_ms;       /* 0: 10,000 */
    int64_t retry_period_ms;         /* 0: 2,000 */
    bool keep_on_stop;               /* don't release the lease when stopping */
    void (*on_started)(void *arg);   /* on the elect thread; must not block */
    void (*on_stopped)(
        void *arg); /* leadership was lost or given up; on the elect thread, must not block */
    void *arg;
    struct cleat_recorder *recorder; /* borrowed; events about changes of leaders; NULL: none */
};

/** Makes an election. -EINVAL unless lease > renew > retry × 1.2 > 0, -ENOMEM. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_election_new(const struct cleat_election_options *options,
                                                     struct cleat_election **ret,
                                                     struct cleat_err *err);
/** Frees an election that isn't running; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_election *cleat_election_free(struct cleat_election *election);
/**
 * Starts standing, on a thread of its own. It ends by itself once leadership is lost: joined, it
 * may be started again. 0, -EALREADY, -EAGAIN.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_election_start(struct cleat_election *election,
                                                       struct cleat_err *err);
/**
 * Stops standing and, where leading, releases the lease (nobody's, for 1 s), with retries for at
 * most the renew deadline. Returns at once; join waits. Only when everything that leadership allows
 * has ended.
 */
CLEAT_EXPORT void cleat_election_stop(struct cleat_election *election);
/** Waits for the end of the thread; at once where it doesn't run. */
CLEAT_EXPORT void cleat_election_join(struct cleat_election *election);
/** True while leading and before the deadline. Any thread. */
CLEAT_EXPORT bool cleat_election_leading(const struct cleat_election *election);
/** Milliseconds of CLOCK_BOOTTIME until which writing is allowed; 0: not leading. Any thread. */
CLEAT_EXPORT int64_t cleat_election_deadline_boot_ms(const struct cleat_election *election);
/** What stands in the Lease while leading; borrowed for the election's life. */
CLEAT_EXPORT const char *cleat_election_identity(const struct cleat_election *election);
/** The holder that was last seen; copied with its NUL. Any thread. */
CLEAT_EXPORT void cleat_election_holder(struct cleat_election *election, char ret[256]);

CLEAT_END

#endif
