/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election by a Lease. An elected replica isn't fenced by being elected: every write carries a
 * precondition, and the deadline (last renewal + renew deadline on the boot-time clock) is asked where a request
 * is handed to the wire. Thread `elect`.
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

struct cleat_election_options {
    struct cleat_client *client;     /* with its own connection; a reference is kept */
    const struct cleat_clock *clock; /* borrowed */
    struct cleat_log *log;
    struct cleat_metrics *metrics;
    const char *namespace_;          /* copied, as all strings */
    const char *name;                /* of the Lease */
    const char *identity;            /* NULL: hostname_uuid */
    int64_t lease_duration_ms;       /* 0: 15,000 */
    int64_t renew_deadline_ms;       /* 0: 10,000 */
    int64_t retry_period_ms;         /* 0: 2,000 */
    bool keep_on_stop;               /* don't release the lease when stopping */
    void (*on_started)(void *arg);   /* on the elect thread; must not block */
    void (*on_stopped)(void *arg);   /* leadership was lost or given up */
    void *arg;
};

/** -EINVAL unless lease > renew > retry × 1.2 > 0. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_election_new(const struct cleat_election_options *options,
                                                     struct cleat_election **ret, struct cleat_err *err);
CLEAT_EXPORT struct cleat_election *cleat_election_free(struct cleat_election *election);
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_election_start(struct cleat_election *election,
                                                       struct cleat_err *err);
/** Stops standing and, where leading, releases the lease. Returns at once; join waits. */
CLEAT_EXPORT void cleat_election_stop(struct cleat_election *election);
CLEAT_EXPORT void cleat_election_join(struct cleat_election *election);
CLEAT_EXPORT bool cleat_election_leading(const struct cleat_election *election);
/** Milliseconds of CLOCK_BOOTTIME until which writing is allowed; 0: not leading. */
CLEAT_EXPORT int64_t cleat_election_deadline_boot_ms(const struct cleat_election *election);
/** The holder that was last seen; copied with its NUL. */
CLEAT_EXPORT void cleat_election_holder(struct cleat_election *election, char ret[256]);

CLEAT_END

#endif
