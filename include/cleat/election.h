/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election over a lock: a Lease (the default), a ConfigMap, or one of the user's own. An
 * elected replica isn't fenced by being elected: every write carries a precondition, and the
 * deadline (last renewal + renew deadline on the boot-time clock) is asked where a request is
 * handed to the wire. Thread `elect`.
 *
 *   lock ─read─► record, bytes ─► has it changed? free, ours, expired? ─► create or update ─► lock
 *
 * A record has expired when its bytes haven't changed for the duration that it names, by the local
 * clock since they were first seen; times in the record are never compared with it, so that clocks
 * may differ between hosts. Source: client-go, tools/leaderelection.
 */
#ifndef CLEAT_ELECTION_H
#define CLEAT_ELECTION_H

#include <cleat/buffer.h>
#include <cleat/client.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/log.h>
#include <cleat/metrics.h>

CLEAT_BEGIN

struct cleat_election;
struct cleat_recorder;

#define CLEAT_ELECTION_HOLDER_BYTES 256
#define CLEAT_ELECTION_TIME_BYTES 48
#define CLEAT_ELECTION_RECORD_BYTES_MAX 65536

/** What a lock holds: who leads, for how long and since when. Times are texts, kept as they came;
 * no decision is ever made from them. */
struct cleat_election_record {
    char holder[CLEAT_ELECTION_HOLDER_BYTES];     /* "" is free */
    int64_t lease_duration_s;                     /* 0: the record has none */
    int64_t transitions;                          /* how often the holder changed */
    char acquire_time[CLEAT_ELECTION_TIME_BYTES]; /* RFC 3339, or "" */
    char renew_time[CLEAT_ELECTION_TIME_BYTES];
};

/** Outcome of reading a lock: there is no record yet. */
#define CLEAT_ELECTION_ABSENT 1

/**
 * What replicas compete for. Only the election's thread calls; read, create and update may block
 * until @deadline_mono_ms (on the election's clock) and no longer. Writing must be atomic: of
 * several replicas that saw the same, one succeeds.
 */
struct cleat_election_lock_ops {
    /** Reads the record, and appends what makes it up to @raw (empty before, at most 64 KiB): as
     * long as these bytes stay the same nobody has renewed. 0, CLEAT_ELECTION_ABSENT, negative. */
    int (*read)(void *arg, int64_t deadline_mono_ms, struct cleat_election_record *ret,
                struct cleat_buffer *raw, struct cleat_err *err);
    /** Makes the lock where there is none; -EEXIST where another was faster. */
    int (*create)(void *arg, int64_t deadline_mono_ms, const struct cleat_election_record *record,
                  struct cleat_err *err);
    /** Writes over what was last read or written and nothing newer; -EAGAIN where it isn't the same
     * any more. */
    int (*update)(void *arg, int64_t deadline_mono_ms, const struct cleat_election_record *record,
                  struct cleat_err *err);
    /** Tells the world about a change of leaders ("<identity> became leader"). May be NULL. Doesn't
     * block. */
    void (*record_event)(void *arg, const char *text);
    /** Names the lock for logs, as "namespace/name"; borrowed for the lock's life. May be NULL. */
    const char *(*describe)(void *arg);
    /** Frees @arg. May be NULL. */
    void (*free)(void *arg);
};

struct cleat_election_lock {
    const struct cleat_election_lock_ops *ops; /* NULL: none; borrowed for ever */
    void *arg;
};

/** The locks that come with the library. */
enum cleat_election_lock_kind {
    CLEAT_ELECTION_LEASES, /* coordination.k8s.io/v1 Lease */
    /** A ConfigMap with the record as JSON in the annotation
     * control-plane.alpha.kubernetes.io/leader, for who must share it with programs that use
     * client-go's old lock. */
    CLEAT_ELECTION_CONFIG_MAPS,
};

struct cleat_election_options {
    struct cleat_client *client;     /* with its own connection; a reference is kept */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed; NULL: none */
    struct cleat_metrics *metrics;   /* borrowed; NULL: none */
    enum cleat_election_lock_kind kind;
    /** A lock of the user's own in place of @kind; taken, also where the making fails. Client,
     * namespace and labels aren't used then. */
    struct cleat_election_lock lock;
    const char *namespace_; /* copied, as all strings */
    const char *name;       /* of the Lease or ConfigMap; label of the metrics */
    /** Names and values by turns, NULL-terminated: merged into the lock's labels by whichever
     * replica makes or renews it; NULL: none. At most 64 labels. */
    const char *const *labels;
    const char *identity;          /* NULL: hostname_uuid; beyond 255 bytes it's cut */
    int64_t lease_duration_ms;     /* 0: 15,000; written as whole seconds, rounded up */
    int64_t renew_deadline_ms;     /* 0: 10,000 */
    int64_t retry_period_ms;       /* 0: 2,000 */
    int64_t check_tolerance_ms;    /* of cleat_election_check; 0: 20,000 */
    bool keep_on_stop;             /* don't release the lease when stopping */
    void (*on_started)(void *arg); /* on the elect thread; must not block */
    void (*on_stopped)(
        void *arg); /* leadership was lost or given up; on the elect thread, must not block */
    /** Another holder was seen, ourselves included; "" where the lock is free. On the elect thread,
     * must not block; @holder is borrowed for the call. May be NULL. */
    void (*on_new_leader)(void *arg, const char *holder);
    void *arg;
    struct cleat_recorder *recorder; /* borrowed; events about changes of leaders; NULL: none */
};

/**
 * Makes an election. Metrics: leader_election_master_status, leader_election_slowpath_total,
 * cleat_leader_transitions_total (changes of holder that were seen here) and
 * cleat_leader_renewal_age_seconds (0 while not leading), each by name.
 * -EINVAL unless lease > renew > retry × 1.2 > 0, or for a label that isn't one; -ENOMEM. @ret is
 * new.
 */
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
/**
 * 0, or -ETIMEDOUT with a text where this process still takes itself for the leader although the
 * last renewal is older than the lease duration and the tolerance: the elect thread is stuck, and
 * only a restart helps. For a liveness check. Any thread. Source: client-go,
 * tools/leaderelection/healthzadaptor.go.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_election_check(const struct cleat_election *election,
                                                       struct cleat_err *err);
/** What stands in the lock while leading; borrowed for the election's life. */
CLEAT_EXPORT const char *cleat_election_identity(const struct cleat_election *election);
/** The holder that was last seen; copied with its NUL. Any thread. */
CLEAT_EXPORT void cleat_election_holder(struct cleat_election *election, char ret[256]);

/**
 * Writes a record as JSON, for locks that keep it as text. Appends to @buffer: holderIdentity,
 * leaseDurationSeconds, acquireTime and renewTime (null where empty), leaderTransitions. 0 or
 * -ENOMEM. Source: client-go, tools/leaderelection/resourcelock/interface.go,
 * LeaderElectionRecord; but times keep their fractions, because a record that is the same for a
 * second looks as if nobody had renewed it.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_election_record_write(
    const struct cleat_election_record *record, struct cleat_buffer *buffer);
/** Reads such JSON; what is missing or of another type is as if it were empty. 0, -EINVAL, -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_election_record_parse(struct cleat_str json,
                                                              struct cleat_election_record *ret,
                                                              struct cleat_err *err);

CLEAT_END

#endif
