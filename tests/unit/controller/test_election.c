/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cleat/election.h>

#include "base/lock.h"
#include "base/mem.h"
#include "controller/election_lock.h"
#include "support/chaos.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

/* What several elections compete for, in memory. */
struct shared {
    struct cleat_lock lock;
    struct election_record record;
    int version; /* 0: absent */
    _Atomic(bool) broken;
    _Atomic(int) writes;
    _Atomic(int) notes;
};

struct replica {
    struct shared *shared;
    struct cleat_election *election;
    int known;
    _Atomic(int) started;
    _Atomic(int) stopped;
};

static int replica_read(void *arg, int64_t deadline_mono_ms, struct election_record *ret,
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
    return replica->known ? 0 : CLEAT__LOCK_ABSENT;
}

static int replica_write(struct replica *replica, bool create, const struct election_record *record,
                         struct cleat_err *err)
{
    struct shared *shared = replica->shared;
    if (atomic_load(&shared->broken))
        return cleat_err_set(err, -ECONNREFUSED, "nobody is there");
    cleat_lock_take(&shared->lock);
    bool right = create ? shared->version == 0 : shared->version == replica->known;
    if (right) {
        shared->record = *record;
        replica->known = ++shared->version;
        atomic_fetch_add(&shared->writes, 1);
    }
    cleat_lock_release(&shared->lock);
    return right ? 0 : create ? -EEXIST : -EAGAIN;
}

static int replica_create(void *arg, int64_t deadline_mono_ms, const struct election_record *record,
                          struct cleat_err *err)
{
    return replica_write(arg, true, record, err);
}

static int replica_update(void *arg, int64_t deadline_mono_ms, const struct election_record *record,
                          struct cleat_err *err)
{
    return replica_write(arg, false, record, err);
}

static void replica_note(void *arg, const char *text)
{
    struct replica *replica = arg;
    if (strstr(text, " became leader") || strstr(text, " stopped leading"))
        atomic_fetch_add(&replica->shared->notes, 1);
}

static void replica_free(void *arg)
{
}

static const struct election_lock_ops replica_ops = {
    .read = replica_read,
    .create = replica_create,
    .update = replica_update,
    .note = replica_note,
    .free = replica_free,
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

static void replica_new(struct replica *replica, struct shared *shared,
                        const struct cleat_clock *clock, const char *identity,
                        struct cleat_metrics *metrics)
{
    const struct cleat_election_options options = {
        .clock = clock,
        .metrics = metrics,
        .name = "lock",
        .identity = identity,
        .on_started = replica_started,
        .on_stopped = replica_stopped,
        .arg = replica,
    };
    const struct election_lock lock = {&replica_ops, replica};
    *replica = (struct replica){.shared = shared};
    ck_assert_int_eq(cleat__election_new_take(&options, lock, &replica->election, NULL), 0);
}

static void shared_init(struct shared *shared)
{
    *shared = (struct shared){0};
    cleat_lock_init(&shared->lock, CLEAT_LOCK_TEST);
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
    cleat_lock_fini(&shared.lock);
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
    cleat_lock_fini(&shared.lock);
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
    cleat_lock_fini(&shared.lock);
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
    cleat_lock_fini(&shared.lock);
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
    const struct election_lock lock = {&replica_ops, &replica};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat__election_new_take(&cases[i], lock, &replica.election, &err),
                         -EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, "lease > renew > retry"));
    }
    ck_assert_int_eq(cleat_election_new(&cases[0], &replica.election, NULL),
                     -EINVAL); /* no client */
}
END_TEST

static int make(void *arg)
{
    const struct cleat_election_options options = {.name = "x"};
    struct replica replica = {0};
    const struct election_lock lock = {&replica_ops, &replica};
    struct cleat_election *election = NULL;
    int rc = cleat__election_new_take(&options, lock, &election, NULL);
    cleat_election_free(election);
    return rc;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_ge(cleat_chaos_sweep(make, NULL), 2);
}
END_TEST

CLEAT_SUITE_MAIN("election", test_wins_renews_releases, test_loses_and_stands_again,
                 test_one_of_two, test_identity, test_options_refused, test_out_of_memory)
