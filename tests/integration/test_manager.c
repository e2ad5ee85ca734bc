/* SPDX-License-Identifier: Apache-2.0 */
/* Managers with election on a cluster: who works, who is ready, what a loss does. */
#include <stdatomic.h>

#include <cleat/controller.h>
#include <cleat/manager.h>

#include "base/lock.h"
#include "base/thread.h"
#include "cluster.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource config_maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0x7f};

struct replica {
    struct cleat_client *client;
    struct cleat_manager *manager;
    struct cleat_controller *controller;
    struct cleat_thread thread;
    struct cleat_err err;
    int rc;
    _Atomic(int) runs;
    _Atomic(int) terms; /* of leadership */
    _Atomic(int) write_rc;
};

/* Writes each object once more, through the client that its context gives. */
static int touch(void *arg, const struct cleat_context *context,
                 const struct cleat_request *request, struct cleat_result *result,
                 struct cleat_err *err)
{
    struct replica *replica = arg;
    const struct cleat_client_target target = {&config_maps, request->namespace_, request->name,
                                               NULL};
    atomic_fetch_add(&replica->runs, 1); /* before anybody can see what it wrote */
    int rc = cleat_client_patch(context->client, &target, CLEAT_PATCH_MERGE,
                                CLEAT_STR("{\"data\":{\"touched\":\"yes\"}}"), NULL, NULL, err);
    atomic_store(&replica->write_rc, rc);
    return rc == -ENOENT ? 0 : rc;
}

static void *replica_run(void *arg)
{
    struct replica *replica = arg;
    replica->rc = cleat_manager_run(replica->manager, &replica->err);
    return NULL;
}

static int elected_start(void *arg, struct cleat_err *err)
{
    struct replica *replica = arg;
    atomic_fetch_add(&replica->terms, 1);
    return 0;
}

static void replica_open_as(struct replica *replica, struct cluster *cluster, const char *identity,
                            bool stand_again)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    *replica = (struct replica){.client = cluster_client(cluster, identity)};
    const struct cleat_manager_options options = {
        .client = replica->client,
        .grace_ms = 5000,
        .stand_again = stand_again,
        .elect = true,
        .election = {.namespace_ = "default",
                     .name = "lock",
                     .identity = identity,
                     .lease_duration_ms = 2000,
                     .renew_deadline_ms = 1500,
                     .retry_period_ms = 200},
    };
    ck_assert_msg(cleat_manager_new(&options, &replica->manager, &err) == 0, "%s", err.text);
    const struct cleat_controller_options controller = {
        .name = "touch", .reconcile = touch, .arg = replica};
    const struct cleat_watch_options watch = {.feed = {.resource = config_maps}};
    ck_assert_int_eq(
        cleat_controller_new(replica->manager, &controller, &replica->controller, NULL), 0);
    ck_assert_msg(cleat_controller_watch(replica->controller, &watch, NULL, &err) == 0, "%s",
                  err.text);
    const struct cleat_runnable elected = {
        .name = "term", .group = CLEAT_GROUP_ELECTED, .start = elected_start, .arg = replica};
    ck_assert_int_eq(cleat_manager_add(replica->manager, &elected, NULL), 0);
    ck_assert_int_eq(cleat_thread_start(&replica->thread, "manager", 0, replica_run, replica, NULL),
                     0);
    ck_assert_int_eq(cleat_manager_wait_started(replica->manager, 10000), 0);
}

static void replica_open(struct replica *replica, struct cluster *cluster, const char *identity)
{
    replica_open_as(replica, cluster, identity, false);
}

static void replica_close(struct replica *replica)
{
    cleat_manager_stop(replica->manager);
    cleat_thread_join(&replica->thread);
    cleat_manager_free(replica->manager);
    cleat_client_unref(replica->client);
}

static int readyz(struct replica *replica, const char *check)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(1 << 16);
    int status =
        cleat_health_answer(cleat_manager_readyz(replica->manager), "readyz", check, "", &body);
    cleat_buffer_fini(&body);
    return status;
}

static int make(struct cluster *cluster, const char *name)
{
    char json[256];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
                   "\"namespace\":\"default\"}}",
                   name);
    return cluster_make(cluster, &config_maps, "default", json);
}

static bool touched(struct cluster *cluster, const char *name)
{
    return cluster_has(cluster, &config_maps, "default", name, "data.touched", "yes");
}

/* A standby is ready and doesn't work; it takes over when the leader has ended. */
START_TEST(test_take_over)
{
    struct cluster cluster;
    struct replica a, b;
    cluster_open(&cluster);
    ck_assert_int_eq(make(&cluster, "one"), 0);
    replica_open(&a, &cluster, "a");
    CLEAT_WAIT_FOR(touched(&cluster, "one"), 10000);
    ck_assert(cleat_manager_leading(a.manager));
    replica_open(&b, &cluster, "b");
    CLEAT_WAIT_FOR(readyz(&a, "") == 200 && readyz(&b, "") == 200, 10000);
    ck_assert_int_eq(atomic_load(&b.runs), 0);
    ck_assert(!cleat_manager_leading(b.manager));
    replica_close(&a);
    ck_assert_int_eq(a.rc, 0);
    ck_assert_int_eq(make(&cluster, "two"), 0);
    CLEAT_WAIT_FOR(touched(&cluster, "two"), 10000);
    ck_assert_int_gt(atomic_load(&b.runs), 0);
    replica_close(&b);
    ck_assert_int_eq(b.rc, 0);
    cluster_close(&cluster);
}
END_TEST

/* A leader that can't renew ends with an error, after its workers, and writes nothing more. */
START_TEST(test_lost)
{
    struct cluster cluster;
    struct replica a;
    cluster_open(&cluster);
    ck_assert_int_eq(make(&cluster, "one"), 0);
    replica_open(&a, &cluster, "a");
    CLEAT_WAIT_FOR(touched(&cluster, "one"), 10000);
    const struct cleat_fault fault = {.path = "/apis/coordination.k8s.io", .status = 500};
    ck_assert_int_gt(cleat_apiserver_fault(cluster.server, &fault), 0);
    cleat_thread_join(&a.thread);
    ck_assert_int_eq(a.rc, -ECANCELED);
    ck_assert_str_eq(a.err.text, "leader election lost");
    ck_assert_int_eq(readyz(&a, ""), 500);
    uint64_t patches = cleat_apiserver_requests(cluster.server, "PATCH", NULL, NULL);
    const struct cleat_client_target target = {&config_maps, "default", "one", NULL};
    ck_assert_int_lt(cleat_client_patch(cleat_manager_fenced_client(a.manager), &target,
                                        CLEAT_PATCH_MERGE, CLEAT_STR("{\"data\":null}"), NULL, NULL,
                                        NULL),
                     0);
    ck_assert_uint_eq(cleat_apiserver_requests(cluster.server, "PATCH", NULL, NULL), patches);
    /* Reading is everybody's. */
    ck_assert_int_eq(
        cleat_client_get(cleat_manager_fenced_client(a.manager), &target, NULL, NULL, NULL), 0);
    cleat_apiserver_fault_clear(cluster.server, 0);
    replica_close(&a);
    cluster_close(&cluster);
}
END_TEST

static const struct cleat_resource leases = {
    {"coordination.k8s.io", "v1", "Lease"}, "leases", "lease", true, 0x7f};

/* Somebody holds the lease from now on, or nobody. */
static void give_lease(struct cluster *cluster, const char *holder)
{
    char json[128];
    (void)snprintf(json, sizeof(json),
                   "{\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":60}}", holder);
    ck_assert_int_eq(cluster_patch(cluster, &leases, "default", "lock", json), 0);
}

static bool cached(struct replica *replica, const char *name)
{
    struct cleat_object *object = NULL;
    struct cleat_store *store =
        cleat_cache_store(cleat_manager_cache(replica->manager), &config_maps.gvk);
    bool there = cleat_store_lookup(store, CLEAT_STR("default"), cleat_str_of(name), &object) == 0;
    cleat_object_unref(object);
    return there;
}

/*
 * Who lost the lease and stands again has all elected work joined, does none while another leads,
 * keeps its caches warm, and works on everything anew once it leads again; in one process.
 */
START_TEST(test_stands_again)
{
    struct cluster cluster;
    struct replica a;
    char name[16];
    cluster_open(&cluster);
    ck_assert_int_eq(make(&cluster, "first"), 0);
    replica_open_as(&a, &cluster, "a", true);
    CLEAT_WAIT_FOR(touched(&cluster, "first"), 10000);
    uint64_t lists = cleat_apiserver_requests(cluster.server, "GET", "/api/v1/configmaps", NULL);
    for (int round = 1; round <= 3; round++) {
        give_lease(&cluster, "other");
        CLEAT_WAIT_FOR(!cleat_manager_leading(a.manager), 10000);
        /* Once it stands again it has seen who leads, and its elected work was joined before. */
        const uint64_t reads =
            cleat_apiserver_requests(cluster.server, "GET", "/apis/coordination.k8s.io", NULL);
        CLEAT_WAIT_FOR(cleat_apiserver_requests(cluster.server, "GET", "/apis/coordination.k8s.io",
                                                NULL) >= reads + 2,
                       10000);
        int runs = atomic_load(&a.runs);
        (void)snprintf(name, sizeof(name), "n%d", round);
        ck_assert_int_eq(make(&cluster, name), 0);
        CLEAT_WAIT_FOR(cached(&a, name), 10000);
        ck_assert_int_eq(readyz(&a, ""), 200);
        ck_assert(!touched(&cluster, name));
        ck_assert_int_eq(atomic_load(&a.runs), runs);
        ck_assert_int_eq(atomic_load(&a.terms), round);
        give_lease(&cluster, "");
        CLEAT_WAIT_FOR(touched(&cluster, name), 10000);
        CLEAT_WAIT_FOR(atomic_load(&a.runs) >= runs + 1 + round, 10000); /* and all the others */
        ck_assert_int_eq(atomic_load(&a.terms), round + 1);
    }
    ck_assert_uint_eq(cleat_apiserver_requests(cluster.server, "GET", "/api/v1/configmaps", NULL),
                      lists);
    /* Told to stop while it doesn't lead: an orderly end. */
    give_lease(&cluster, "other");
    CLEAT_WAIT_FOR(!cleat_manager_leading(a.manager), 10000);
    replica_close(&a);
    ck_assert_int_eq(a.rc, 0);
    ck_assert(cluster_has(&cluster, &leases, "default", "lock", "spec.holderIdentity", "other"));
    cluster_close(&cluster);
}
END_TEST

/* A reconciler that ignores that it's to stop: nobody stands again beside it. */
struct stubborn {
    struct replica replica;
    struct cleat_lock lock;
    struct cleat_cond cond;
    bool let_go;
    _Atomic(int) entered;
};

static int dawdle(void *arg, struct cleat_err *err)
{
    return 0;
}

static int dawdle_join(void *arg, int64_t timeout_ms)
{
    struct stubborn *stubborn = arg;
    const struct cleat_clock *system = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(system) + timeout_ms;
    int64_t left_ms = timeout_ms;
    atomic_fetch_add(&stubborn->entered, 1);
    cleat_lock_take(&stubborn->lock);
    while (!stubborn->let_go && left_ms > 0) {
        (void)cleat_cond_wait_ms(&stubborn->cond, &stubborn->lock, left_ms);
        left_ms = until_ms - cleat_clock_mono_ms(system);
    }
    bool ended = stubborn->let_go;
    cleat_lock_release(&stubborn->lock);
    return ended ? 0 : -ETIMEDOUT;
}

START_TEST(test_waits_for_elected_work)
{
    struct cluster cluster;
    struct stubborn s = {.let_go = false};
    cleat_lock_init(&s.lock, CLEAT_LOCK_TEST);
    cleat_cond_init(&s.cond);
    cluster_open(&cluster);
    replica_open_as(&s.replica, &cluster, "a", true);
    const struct cleat_runnable runnable = {.name = "stubborn",
                                            .group = CLEAT_GROUP_ELECTED,
                                            .start = dawdle,
                                            .join = dawdle_join,
                                            .arg = &s};
    CLEAT_WAIT_FOR(atomic_load(&s.replica.terms) == 1, 10000);
    ck_assert_int_eq(cleat_manager_add(s.replica.manager, &runnable, NULL), 0);
    give_lease(&cluster, "other");
    CLEAT_WAIT_FOR(atomic_load(&s.entered) == 1, 10000);
    give_lease(&cluster, "");
    uint64_t reads =
        cleat_apiserver_requests(cluster.server, NULL, "/apis/coordination.k8s.io", NULL);
    ck_assert_int_eq(make(&cluster, "one"), 0);
    CLEAT_WAIT_FOR(cached(&s.replica, "one"), 10000);
    ck_assert_uint_eq(
        cleat_apiserver_requests(cluster.server, NULL, "/apis/coordination.k8s.io", NULL), reads);
    ck_assert(!cleat_manager_leading(s.replica.manager));
    cleat_lock_take(&s.lock);
    s.let_go = true;
    cleat_cond_broadcast(&s.cond);
    cleat_lock_release(&s.lock);
    CLEAT_WAIT_FOR(touched(&cluster, "one"), 10000);
    ck_assert_int_eq(atomic_load(&s.replica.terms), 2);
    replica_close(&s.replica);
    ck_assert_int_eq(s.replica.rc, 0);
    cluster_close(&cluster);
    cleat_cond_fini(&s.cond);
    cleat_lock_fini(&s.lock);
}
END_TEST

CLEAT_SUITE_MAIN("manager", test_take_over, test_lost, test_stands_again,
                 test_waits_for_elected_work)
