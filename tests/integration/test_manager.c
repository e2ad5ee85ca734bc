/* SPDX-License-Identifier: Apache-2.0 */
/* Managers with election on a cluster: who works, who is ready, what a loss does. */
#include <stdatomic.h>

#include <cleat/controller.h>
#include <cleat/manager.h>

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

static void replica_open(struct replica *replica, struct cluster *cluster, const char *identity)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    *replica = (struct replica){.client = cluster_client(cluster, identity)};
    const struct cleat_manager_options options = {
        .client = replica->client,
        .grace_ms = 5000,
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
    ck_assert_int_eq(cleat_thread_start(&replica->thread, "manager", 0, replica_run, replica, NULL),
                     0);
    ck_assert_int_eq(cleat_manager_wait_started(replica->manager, 10000), 0);
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

CLEAT_SUITE_MAIN("manager", test_take_over, test_lost)
