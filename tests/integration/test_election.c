/* SPDX-License-Identifier: Apache-2.0 */
/* Leader election by a real Lease: taking it, losing it, giving it back. */
#include <stdatomic.h>

#include <cleat/election.h>

#include "cluster.h"
#include "controller/election.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource leases = {
    {"coordination.k8s.io", "v1", "Lease"}, "leases", "lease", true, 0x7f};

struct replica {
    struct cleat_client *client;
    struct cleat_election *election;
    _Atomic(int) started;
    _Atomic(int) stopped;
};

static void replica_started(void *arg)
{
    struct replica *replica = arg;
    atomic_fetch_add(&replica->started, 1);
}

static void replica_stopped(void *arg)
{
    struct replica *replica = arg;
    atomic_fetch_add(&replica->stopped, 1);
}

static void replica_new_of(struct replica *replica, struct cluster *cluster, const char *identity,
                           enum cleat_election_lock_kind kind)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    *replica = (struct replica){.client = cluster_client(cluster, identity)};
    const struct cleat_election_options options = {
        .client = replica->client,
        .kind = kind,
        .namespace_ = "default",
        .name = "lock",
        .identity = identity,
        .lease_duration_ms = 2000,
        .renew_deadline_ms = 1500,
        .retry_period_ms = 200,
        .on_started = replica_started,
        .on_stopped = replica_stopped,
        .arg = replica,
    };
    ck_assert_msg(cleat_election_new(&options, &replica->election, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cleat_election_start(replica->election, NULL), 0);
}

static void replica_new(struct replica *replica, struct cluster *cluster, const char *identity)
{
    replica_new_of(replica, cluster, identity, CLEAT_ELECTION_LEASES);
}

static void replica_close(struct replica *replica)
{
    cleat_election_stop(replica->election);
    cleat_election_join(replica->election);
    cleat_election_free(replica->election);
    cleat_client_unref(replica->client);
}

static bool holds(struct cluster *cluster, const char *identity)
{
    return cluster_has(cluster, &leases, "default", "lock", "spec.holderIdentity", identity);
}

static int64_t lease_int(struct cluster *cluster, const char *path)
{
    const struct cleat_client_target target = {&leases, "default", "lock", NULL};
    struct cleat_object *object = NULL;
    ck_assert_int_eq(cleat_client_get(cluster->admin, &target, NULL, &object, NULL), 0);
    int64_t value = cleat_value_int_or(cleat_object_find(object, path), -1);
    cleat_object_unref(object);
    return value;
}

START_TEST(test_hand_over)
{
    struct cluster cluster;
    struct replica a, b;
    cluster_open(&cluster);
    replica_new(&a, &cluster, "a");
    CLEAT_WAIT_FOR(atomic_load(&a.started) == 1, 10000);
    ck_assert(holds(&cluster, "a"));
    ck_assert_int_eq(lease_int(&cluster, "spec.leaseDurationSeconds"), 2);
    replica_new(&b, &cluster, "b");
    uint64_t renewals = cleat_apiserver_requests(cluster.server, "PUT", NULL, NULL);
    CLEAT_WAIT_FOR(cleat_apiserver_requests(cluster.server, "PUT", NULL, NULL) >= renewals + 3,
                   10000);
    ck_assert(cleat_election_leading(a.election));
    ck_assert(!cleat_election_leading(b.election));
    replica_close(&a);
    CLEAT_WAIT_FOR(atomic_load(&b.started) == 1, 10000);
    ck_assert(holds(&cluster, "b"));
    ck_assert_int_eq(lease_int(&cluster, "spec.leaseTransitions"), 1);
    ck_assert_int_eq(atomic_load(&a.stopped), 1);
    replica_close(&b);
    ck_assert(holds(&cluster, ""));
    ck_assert_int_eq(lease_int(&cluster, "spec.leaseDurationSeconds"), 1);
    cluster_close(&cluster);
}
END_TEST

/* Cut off from the API server a leader stops by its own clock, and another takes over. */
START_TEST(test_outage)
{
    struct cluster cluster;
    struct replica a;
    cluster_open(&cluster);
    replica_new(&a, &cluster, "a");
    CLEAT_WAIT_FOR(atomic_load(&a.started) == 1, 10000);
    const struct cleat_fault fault = {.path = "/apis/coordination.k8s.io", .status = 500};
    ck_assert_int_gt(cleat_apiserver_fault(cluster.server, &fault), 0);
    CLEAT_WAIT_FOR(atomic_load(&a.stopped) == 1, 10000);
    ck_assert(!cleat_election_leading(a.election));
    ck_assert_int_eq(cleat_election_deadline_boot_ms(a.election), 0);
    cleat_apiserver_fault_clear(cluster.server, 0);
    cleat_election_join(a.election);
    ck_assert(holds(&cluster, "a")); /* nobody could give it back */
    struct replica b;
    replica_new(&b, &cluster, "b");
    CLEAT_WAIT_FOR(atomic_load(&b.started) == 1, 10000);
    ck_assert(holds(&cluster, "b"));
    replica_close(&b);
    replica_close(&a);
    cluster_close(&cluster);
}
END_TEST

/* What others put into the Lease stays, and a change by them is no loss. */
START_TEST(test_foreign_change)
{
    struct cluster cluster;
    struct replica a;
    cluster_open(&cluster);
    replica_new(&a, &cluster, "a");
    CLEAT_WAIT_FOR(atomic_load(&a.started) == 1, 10000);
    ck_assert_int_eq(cluster_patch(&cluster, &leases, "default", "lock",
                                   "{\"metadata\":{\"labels\":{\"team\":\"x\"}}}"),
                     0);
    uint64_t writes = cleat_apiserver_requests(cluster.server, "PUT", NULL, NULL);
    CLEAT_WAIT_FOR(cleat_apiserver_requests(cluster.server, "PUT", NULL, NULL) >= writes + 3,
                   10000);
    ck_assert(cleat_election_leading(a.election));
    ck_assert(cluster_has(&cluster, &leases, "default", "lock", "metadata.labels.team", "x"));
    ck_assert_int_eq(cluster_remove(&cluster, &leases, "default", "lock"), 0);
    CLEAT_WAIT_FOR(holds(&cluster, "a"), 10000); /* made again */
    ck_assert_int_eq(atomic_load(&a.stopped), 0);
    replica_close(&a);
    cluster_close(&cluster);
}
END_TEST

static const struct cleat_resource config_maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0x7f};

/* The record in the ConfigMap's annotation. */
static void config_map_record(struct cluster *cluster, struct cleat_election_record *ret)
{
    const struct cleat_client_target target = {&config_maps, "default", "lock", NULL};
    struct cleat_object *object = NULL;
    struct cleat_scratch scratch;
    ck_assert_int_eq(cleat_client_get(cluster->admin, &target, NULL, &object, NULL), 0);
    struct cleat_str json = cleat_value_text(
        cleat_object_find(object,
                          "metadata.annotations[\"control-plane.alpha.kubernetes.io/leader\"]"),
        &scratch);
    ck_assert_int_eq(cleat_election_record_parse(json, ret, NULL), 0);
    cleat_object_unref(object);
}

/* The same over a ConfigMap that others use too: won, kept, given back, run out. */
START_TEST(test_config_map)
{
    struct cluster cluster;
    struct replica a, b;
    struct cleat_election_record record;
    cluster_open(&cluster);
    ck_assert_int_eq(cluster_make(&cluster, &config_maps, "default",
                                  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
                                  "\"name\":\"lock\",\"namespace\":\"default\"},\"data\":{\"k\":"
                                  "\"v\"}}"),
                     0);
    replica_new_of(&a, &cluster, "a", CLEAT_ELECTION_CONFIG_MAPS);
    CLEAT_WAIT_FOR(atomic_load(&a.started) == 1, 10000);
    config_map_record(&cluster, &record);
    ck_assert_str_eq(record.holder, "a");
    ck_assert_int_eq(record.lease_duration_s, 2);
    replica_new_of(&b, &cluster, "b", CLEAT_ELECTION_CONFIG_MAPS);
    ck_assert_int_eq(
        cluster_patch(&cluster, &config_maps, "default", "lock", "{\"data\":{\"k\":\"w\"}}"), 0);
    uint64_t renewals = cleat_apiserver_requests(cluster.server, "PUT", NULL, NULL);
    CLEAT_WAIT_FOR(cleat_apiserver_requests(cluster.server, "PUT", NULL, NULL) >= renewals + 3,
                   10000);
    ck_assert(cleat_election_leading(a.election));
    ck_assert(cluster_has(&cluster, &config_maps, "default", "lock", "data.k", "w"));
    replica_close(&a);
    CLEAT_WAIT_FOR(atomic_load(&b.started) == 1, 10000);
    config_map_record(&cluster, &record);
    ck_assert_str_eq(record.holder, "b");
    ck_assert_int_eq(record.transitions, 2); /* from nobody, and on */
    /* A dead leader's record runs out, although renewals within a second look alike by seconds. */
    cleat__election_abandon(b.election);
    cleat_election_join(b.election);
    replica_new_of(&a, &cluster, "c", CLEAT_ELECTION_CONFIG_MAPS);
    CLEAT_WAIT_FOR(atomic_load(&a.started) == 1, 10000);
    config_map_record(&cluster, &record);
    ck_assert_str_eq(record.holder, "c");
    ck_assert_int_eq(record.transitions, 3);
    replica_close(&a);
    replica_close(&b);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("election", test_hand_over, test_outage, test_foreign_change, test_config_map)
