/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cleat/election.h>

#include "base/lock.h"
#include "base/mem.h"
#include "controller/election.h"
#include "support/chaos.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

/* What several elections compete for, in memory. */
struct shared {
    struct cleat_lock lock;
    struct cleat_election_record record;
    int version; /* 0: absent */
    struct cleat_cond cond;
    bool hanging; /* updates wait */
    _Atomic(bool) broken;
    _Atomic(int) writes;
    _Atomic(int) updates; /* begun */
    _Atomic(int) notes;
};

struct replica {
    struct shared *shared;
    struct cleat_election *election;
    int known;
    _Atomic(int) started;
    _Atomic(int) stopped;
    _Atomic(int) leaders;
    char leader[64]; /* the last one, for who saw @leaders */
};

static int replica_read(void *arg, int64_t deadline_mono_ms, struct cleat_election_record *ret,
                        struct cleat_buffer *raw, struct cleat_err *err)
{
    struct replica *replica = arg;
    struct shared *shared = replica->shared;
    if (atomic_load(&shared->broken))
        return cleat_err_set(err, -ECONNREFUSED, "nobody is there");
    cleat_lock_take(&shared->lock);
    replica->known = shared->version;
    *ret = shared->record;
    cleat_buffer_format(raw, "%d", shared->version);
    cleat_lock_release(&shared->lock);
    return replica->known ? 0 : CLEAT_ELECTION_ABSENT;
}

static int replica_write(struct replica *replica, bool create,
                         const struct cleat_election_record *record, struct cleat_err *err)
{
    struct shared *shared = replica->shared;
    if (atomic_load(&shared->broken))
        return cleat_err_set(err, -ECONNREFUSED, "nobody is there");
    cleat_lock_take(&shared->lock);
    while (shared->hanging && !create)
        cleat_cond_wait(&shared->cond, &shared->lock);
    bool right = create ? shared->version == 0 : shared->version == replica->known;
    if (right) {
        shared->record = *record;
        replica->known = ++shared->version;
        atomic_fetch_add(&shared->writes, 1);
    }
    cleat_lock_release(&shared->lock);
    return right ? 0 : create ? -EEXIST : -EAGAIN;
}

static int replica_create(void *arg, int64_t deadline_mono_ms,
                          const struct cleat_election_record *record, struct cleat_err *err)
{
    return replica_write(arg, true, record, err);
}

static int replica_update(void *arg, int64_t deadline_mono_ms,
                          const struct cleat_election_record *record, struct cleat_err *err)
{
    struct replica *replica = arg;
    atomic_fetch_add(&replica->shared->updates, 1);
    return replica_write(arg, false, record, err);
}

static void replica_note(void *arg, const char *text)
{
    struct replica *replica = arg;
    if (strstr(text, " became leader") || strstr(text, " stopped leading"))
        atomic_fetch_add(&replica->shared->notes, 1);
}

static const char *replica_describe(void *arg)
{
    return "in memory";
}

static const struct cleat_election_lock_ops replica_ops = {
    .read = replica_read,
    .create = replica_create,
    .update = replica_update,
    .record_event = replica_note,
    .describe = replica_describe,
};

static void replica_started(void *arg)
{
    struct replica *replica = arg;
    /* Whoever is told may write already. */
    ck_assert(cleat_election_deadline_boot_ms(replica->election) != 0);
    atomic_fetch_add(&replica->started, 1);
}

static void replica_stopped(void *arg)
{
    struct replica *replica = arg;
    ck_assert(cleat_election_deadline_boot_ms(replica->election) == 0);
    atomic_fetch_add(&replica->stopped, 1);
}

static void replica_new_leader(void *arg, const char *holder)
{
    struct replica *replica = arg;
    (void)snprintf(replica->leader, sizeof(replica->leader), "%.60s", holder);
    atomic_fetch_add(&replica->leaders, 1);
}

static void replica_new(struct replica *replica, struct shared *shared,
                        const struct cleat_clock *clock, const char *identity,
                        struct cleat_metrics *metrics)
{
    const struct cleat_election_options options = {
        .lock = {&replica_ops, replica},
        .clock = clock,
        .metrics = metrics,
        .name = "lock",
        .identity = identity,
        .on_started = replica_started,
        .on_stopped = replica_stopped,
        .on_new_leader = replica_new_leader,
        .arg = replica,
    };
    *replica = (struct replica){.shared = shared};
    ck_assert_int_eq(cleat_election_new(&options, &replica->election, NULL), 0);
}

static void shared_init(struct shared *shared)
{
    *shared = (struct shared){0};
    cleat_lock_init(&shared->lock, CLEAT_LOCK_TEST);
    cleat_cond_init(&shared->cond);
}

static void shared_fini(struct shared *shared)
{
    cleat_cond_fini(&shared->cond);
    cleat_lock_fini(&shared->lock);
}

static void shared_hang(struct shared *shared, bool hanging)
{
    cleat_lock_take(&shared->lock);
    shared->hanging = hanging;
    cleat_cond_broadcast(&shared->cond);
    cleat_lock_release(&shared->lock);
}

START_TEST(test_wins_renews_releases)
{
    struct shared shared;
    struct replica replica;
    struct cleat_fake_clock fake;
    char holder[256];
    cleat_fake_clock_init(&fake);
    shared_init(&shared);
    replica_new(&replica, &shared, &fake.clock, "me", NULL);
    ck_assert(!cleat_election_leading(replica.election));
    ck_assert_int_eq(cleat_election_start(replica.election, NULL), 0);
    ck_assert_int_eq(cleat_election_start(replica.election, NULL), -EALREADY);
    CLEAT_WAIT_FOR(atomic_load(&replica.started) == 1, 5000);
    ck_assert(cleat_election_leading(replica.election));
    ck_assert_int_eq(cleat_election_deadline_boot_ms(replica.election),
                     cleat_clock_boot_ms(&fake.clock) + 10000);
    cleat_election_holder(replica.election, holder);
    ck_assert_str_eq(holder, "me");
    for (int writes = 2; writes < 6; writes++) {
        cleat_fake_clock_advance_ms(&fake, 2000);
        cleat__election_poke(replica.election);
        CLEAT_WAIT_FOR(atomic_load(&shared.writes) == writes, 5000);
    }
    cleat_election_stop(replica.election);
    cleat_election_join(replica.election);
    ck_assert_int_eq(atomic_load(&replica.stopped), 1);
    ck_assert_str_eq(shared.record.holder, "");
    ck_assert_int_eq(shared.record.lease_duration_s, 1);
    ck_assert_int_eq(atomic_load(&shared.notes), 2);
    ck_assert_ptr_null(cleat_election_free(replica.election));
    shared_fini(&shared);
}
END_TEST

START_TEST(test_loses_and_stands_again)
{
    struct shared shared;
    struct replica replica;
    struct cleat_fake_clock fake;
    struct cleat_metrics *metrics = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 << 16);
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    cleat_fake_clock_init(&fake);
    shared_init(&shared);
    replica_new(&replica, &shared, &fake.clock, "me", metrics);
    ck_assert_int_eq(cleat_election_start(replica.election, NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&replica.started) == 1, 5000);
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "leader_election_master_status{name=\"lock\"} 1\n"));
    atomic_store(&shared.broken, true);
    /* The clock alone takes the right to write, whether or not the thread has noticed. */
    cleat_fake_clock_suspend_ms(&fake, 10000);
    ck_assert(!cleat_election_leading(replica.election));
    cleat__election_poke(replica.election);
    cleat_election_join(replica.election);
    ck_assert_int_eq(atomic_load(&replica.stopped), 1);
    cleat_buffer_reset(&text);
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "leader_election_master_status{name=\"lock\"} 0\n"));
    atomic_store(&shared.broken, false);
    ck_assert_int_eq(cleat_election_start(replica.election, NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&replica.started) == 2, 5000);
    cleat__election_abandon(replica.election);
    cleat_election_join(replica.election);
    ck_assert_str_eq(shared.record.holder, "me"); /* it runs out by itself */
    cleat_election_free(replica.election);
    cleat_buffer_fini(&text);
    cleat_metrics_free(metrics);
    shared_fini(&shared);
}
END_TEST

START_TEST(test_one_of_two)
{
    struct shared shared;
    struct replica replicas[2];
    struct cleat_fake_clock fake;
    cleat_fake_clock_init(&fake);
    shared_init(&shared);
    replica_new(&replicas[0], &shared, &fake.clock, "a", NULL);
    replica_new(&replicas[1], &shared, &fake.clock, "b", NULL);
    ck_assert_int_eq(cleat_election_start(replicas[0].election, NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&replicas[0].started) == 1, 5000);
    ck_assert_int_eq(cleat_election_start(replicas[1].election, NULL), 0);
    char holder[256] = "";
    CLEAT_WAIT_FOR((cleat_election_holder(replicas[1].election, holder), strcmp(holder, "a") == 0),
                   5000);
    ck_assert(!cleat_election_leading(replicas[1].election));
    cleat_election_stop(
        replicas[0].election); /* released: the other needn't wait for the lease to run out */
    cleat_election_join(replicas[0].election);
    cleat_fake_clock_advance_ms(&fake, 5000);
    cleat__election_poke(replicas[1].election);
    CLEAT_WAIT_FOR(atomic_load(&replicas[1].started) == 1, 5000);
    ck_assert_int_eq(shared.record.transitions, 1);
    cleat_election_stop(replicas[1].election);
    cleat_election_join(replicas[1].election);
    for (int i = 0; i < 2; i++)
        cleat_election_free(replicas[i].election);
    shared_fini(&shared);
}
END_TEST

static double metric(struct cleat_metrics *metrics, const char *name)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 << 16);
    char line[128];
    double value = -1;
    (void)snprintf(line, sizeof(line), "\n%s{name=\"lock\"} ", name);
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    const char *at = strstr(text.data, line);
    if (at)
        value = strtod(at + strlen(line), NULL);
    cleat_buffer_fini(&text);
    return value;
}

/* Who leads is told when it changes, and changes are counted; a renewal is none. */
START_TEST(test_leaders_are_told)
{
    struct shared shared;
    struct replica replica;
    struct cleat_fake_clock fake;
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    cleat_fake_clock_init(&fake);
    shared_init(&shared);
    shared.version = 1;
    shared.record = (struct cleat_election_record){.holder = "other", .lease_duration_s = 3};
    replica_new(&replica, &shared, &fake.clock, "me", metrics);
    ck_assert_int_eq(cleat_election_start(replica.election, NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&replica.leaders) == 1, 5000);
    ck_assert_str_eq(replica.leader, "other");
    ck_assert_double_eq(metric(metrics, "cleat_leader_last_renewal_timestamp_seconds"), 0);
    cleat_fake_clock_advance_ms(&fake, 5000);
    cleat__election_poke(replica.election);
    CLEAT_WAIT_FOR(atomic_load(&replica.started) == 1, 5000);
    ck_assert_int_eq(atomic_load(&replica.leaders), 2);
    ck_assert_str_eq(replica.leader, "me");
    ck_assert_double_eq(metric(metrics, "cleat_leader_transitions_total"), 1);
    ck_assert_double_eq_tol(metric(metrics, "cleat_leader_last_renewal_timestamp_seconds"),
                            (double)cleat_clock_wall_ms(&fake.clock) / 1000, 0.01);
    cleat_fake_clock_advance_ms(&fake, 2000);
    cleat__election_poke(replica.election);
    CLEAT_WAIT_FOR(atomic_load(&shared.writes) == 2, 5000);
    cleat_election_stop(replica.election);
    cleat_election_join(replica.election);
    ck_assert_int_eq(atomic_load(&replica.leaders), 3); /* nobody */
    ck_assert_str_eq(replica.leader, "");
    ck_assert_double_eq(metric(metrics, "cleat_leader_transitions_total"), 1);
    ck_assert_double_eq(metric(metrics, "cleat_leader_last_renewal_timestamp_seconds"), 0);
    cleat_election_free(replica.election);
    cleat_metrics_free(metrics);
    shared_fini(&shared);
}
END_TEST

/* The time for giving the lock back runs from the asking, whatever the thread is at. */
START_TEST(test_release_in_time)
{
    struct shared shared;
    struct replica replica;
    struct cleat_fake_clock fake;
    cleat_fake_clock_init(&fake);
    shared_init(&shared);
    replica_new(&replica, &shared, &fake.clock, "me", NULL);
    ck_assert_int_eq(cleat_election_start(replica.election, NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&replica.started) == 1, 5000);
    shared_hang(&shared, true);
    cleat_fake_clock_advance_ms(&fake, 2000);
    cleat__election_poke(replica.election);
    CLEAT_WAIT_FOR(atomic_load(&shared.updates) == 1, 5000);
    cleat__election_stop_within(replica.election, 1000);
    cleat_fake_clock_advance_ms(&fake, 1001); /* the renewal takes longer than that */
    shared_hang(&shared, false);
    cleat_election_join(replica.election);
    ck_assert_int_eq(atomic_load(&shared.updates), 1);
    ck_assert_str_eq(shared.record.holder, "me");
    ck_assert_int_eq(atomic_load(&replica.stopped), 1);
    cleat_election_free(replica.election);
    shared_fini(&shared);
}
END_TEST

/* A thread that is stuck in its lock: writing ends with the deadline, the check fails later. */
START_TEST(test_check)
{
    struct shared shared;
    struct replica replica;
    struct cleat_fake_clock fake;
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_fake_clock_init(&fake);
    shared_init(&shared);
    replica_new(&replica, &shared, &fake.clock, "me", NULL);
    ck_assert_int_eq(cleat_election_check(replica.election, NULL), 0); /* doesn't even stand */
    ck_assert_int_eq(cleat_election_start(replica.election, NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&replica.started) == 1, 5000);
    ck_assert_int_eq(cleat_election_check(replica.election, NULL), 0);
    shared_hang(&shared, true);
    cleat_fake_clock_advance_ms(&fake, 2000);
    cleat__election_poke(replica.election);
    CLEAT_WAIT_FOR(atomic_load(&shared.updates) == 1, 5000);
    cleat_fake_clock_advance_ms(&fake, 8000);
    ck_assert(!cleat_election_leading(replica.election));
    ck_assert_int_eq(cleat_election_check(replica.election, NULL), 0);
    cleat_fake_clock_advance_ms(&fake, 25000); /* lease duration and tolerance, to the end */
    ck_assert_int_eq(cleat_election_check(replica.election, NULL), 0);
    cleat_fake_clock_advance_ms(&fake, 1);
    ck_assert_int_eq(cleat_election_check(replica.election, &err), -ETIMEDOUT);
    ck_assert_str_eq(err.text, "the renewal of in memory is stuck: the last one was 35001 ms ago");
    shared_hang(&shared, false);
    cleat_election_stop(replica.election);
    cleat_election_join(replica.election);
    ck_assert_int_eq(cleat_election_check(replica.election, NULL), 0);
    cleat_election_free(replica.election);
    shared_fini(&shared);
}
END_TEST

START_TEST(test_identity)
{
    struct shared shared;
    struct replica replicas[2];
    shared_init(&shared);
    replica_new(&replicas[0], &shared, NULL, NULL, NULL);
    replica_new(&replicas[1], &shared, NULL, NULL, NULL);
    ck_assert_str_ne(cleat_election_identity(replicas[0].election),
                     cleat_election_identity(replicas[1].election));
    ck_assert_ptr_nonnull(strchr(cleat_election_identity(replicas[0].election), '_'));
    for (int i = 0; i < 2; i++)
        cleat_election_free(replicas[i].election);
    shared_fini(&shared);
}
END_TEST

START_TEST(test_options_refused)
{
    static const struct cleat_election_options cases[] = {
        {.name = "x", .lease_duration_ms = 5000},
        {.name = "x", .renew_deadline_ms = 15000},
        {.name = "x", .retry_period_ms = 9000},
    };
    struct shared shared;
    struct replica replica = {.shared = &shared};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_election_options options = cases[i];
        options.lock = (struct cleat_election_lock){&replica_ops, &replica};
        ck_assert_int_eq(cleat_election_new(&options, &replica.election, &err), -EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, "lease > renew > retry"));
    }
    ck_assert_int_eq(cleat_election_new(&cases[0], &replica.election, NULL),
                     -EINVAL); /* no client */
}
END_TEST

static int make(void *arg)
{
    struct replica replica = {0};
    const struct cleat_election_options options = {.name = "x", .lock = {&replica_ops, &replica}};
    struct cleat_election *election = NULL;
    int rc = cleat_election_new(&options, &election, NULL);
    cleat_election_free(election);
    return rc;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_ge(cleat_chaos_sweep(make, NULL), 2);
}
END_TEST

CLEAT_SUITE_MAIN("election", test_wins_renews_releases, test_loses_and_stands_again,
                 test_one_of_two, test_leaders_are_told, test_release_in_time, test_check,
                 test_identity, test_options_refused, test_out_of_memory)
