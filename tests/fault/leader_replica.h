/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A replica of its own process for the fault tests of leader election: an elected controller that
 * writes all the time, each write over the version that it read. Asked by SIGUSR1 it freezes itself
 * at the worst moment there is: between the check of the deadline and the sending.
 */
#ifndef CLEAT_TESTS_FAULT_LEADER_REPLICA_H
#define CLEAT_TESTS_FAULT_LEADER_REPLICA_H

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cleat/controller.h>
#include <cleat/document.h>
#include <cleat/draft.h>
#include <cleat/kubeconfig.h>
#include <cleat/manager.h>

#define LEADER_LABEL "counter"
#define LEADER_PAUSE_MS 10
#define LEADER_LEASE_MS 1000
#define LEADER_RENEW_MS 700
#define LEADER_RETRY_MS 100

static const struct cleat_resource leader_config_maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0x7f};

struct leader_replica {
    const char *identity;
    struct cleat_client *client;
    struct cleat_client *fenced;
    struct cleat_manager *manager;
    struct cleat_controller *controller;
};

static atomic_bool leader_freeze; /* set by the signal's handler */

static void leader_on_freeze(int number)
{
    atomic_store(&leader_freeze, true);
}

/* The check that elected work's client makes, and then the freeze. */
static int leader_fence(void *arg, bool write, struct cleat_err *err)
{
    struct leader_replica *replica = arg;
    if (!write)
        return 0;
    if (!cleat_manager_leading(replica->manager))
        return cleat_err_set(err, -ECANCELED, "not leading: the write isn't sent");
    if (atomic_exchange(&leader_freeze, false))
        (void)kill(getpid(), SIGSTOP); /* returns when it is thawed */
    return 0;
}

/* One more than what is there, and over which version. */
static int leader_count(struct leader_replica *replica, struct cleat_object *object,
                        struct cleat_err *err)
{
    const struct cleat_client_target target = {&leader_config_maps, "default", NULL, NULL};
    struct cleat_client_target at = target;
    char name[64], number[32], base[64];
    struct cleat_scratch scratch;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_str text = cleat_value_text(cleat_object_find(object, "data.n"), &scratch);
    long long n = 0;
    (void)snprintf(number, sizeof(number), "%.*s", CLEAT_STR_ARG(text));
    (void)sscanf(number, "%lld", &n);
    (void)snprintf(number, sizeof(number), "%lld", n + 1);
    (void)snprintf(name, sizeof(name), "%.*s", CLEAT_STR_ARG(cleat_object_name(object)));
    (void)snprintf(base, sizeof(base), "%.*s",
                   CLEAT_STR_ARG(cleat_object_resource_version(object)));
    at.name = name;
    int rc = cleat_draft_new(cleat_object_value(object), &draft, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "data.n", number, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "data.base", base, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "data.writer", replica->identity, err);
    if (rc == 0)
        rc = cleat_client_update_draft(replica->fenced, &at, object, draft, NULL, NULL, err);
    return rc;
}

static int leader_reconcile(void *arg, const struct cleat_context *context,
                            const struct cleat_request *request, struct cleat_result *result,
                            struct cleat_err *err)
{
    struct leader_replica *replica = arg;
    struct cleat_store *store = cleat_cache_store(context->cache, &leader_config_maps.gvk);
    struct cleat_object *object = NULL;
    if (cleat_store_lookup(store, cleat_str_of(request->namespace_), cleat_str_of(request->name),
                           &object) != 0)
        return 0;
    int rc = leader_count(replica, object, err);
    cleat_object_unref(object);
    result->requeue_after_ms = LEADER_PAUSE_MS;
    return rc == -EAGAIN ? 0 : rc; /* the cache was behind */
}

static int leader_make(struct leader_replica *replica, const char *config_path, bool stand,
                       struct cleat_log *log, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    const struct cleat_kubeconfig_options config_options = {.path = config_path};
    int rc = cleat_kubeconfig_load(&config_options, &config, err);
    if (rc < 0)
        return rc;
    const struct cleat_client_options client = {.config = config};
    rc = cleat_client_new(&client, &replica->client, err);
    const struct cleat_manager_options options = {
        .client = replica->client,
        .log = log,
        .elect = true,
        .stand_again = stand,
        .election = {.namespace_ = "default",
                     .name = "lock",
                     .identity = replica->identity,
                     .lease_duration_ms = LEADER_LEASE_MS,
                     .renew_deadline_ms = LEADER_RENEW_MS,
                     .retry_period_ms = LEADER_RETRY_MS},
    };
    if (rc == 0)
        rc = cleat_manager_new(&options, &replica->manager, err);
    if (rc == 0)
        rc = cleat_client_fenced(replica->client, leader_fence, replica, &replica->fenced);
    const struct cleat_controller_options controller = {
        .name = "count", .reconcile = leader_reconcile, .arg = replica, .workers = 2};
    const struct cleat_watch_options watch = {
        .feed = {.resource = leader_config_maps, .label_selector = LEADER_LABEL}};
    if (rc == 0)
        rc = cleat_controller_new(replica->manager, &controller, &replica->controller, err);
    if (rc == 0)
        rc = cleat_controller_watch(replica->controller, &watch, NULL, err);
    return rc == 0 ? cleat_manager_signals(replica->manager, err) : rc;
}

/* The program: arguments are the kubeconfig, the identity, and "stand" or "exit". */
static int leader_replica_main(char **argv)
{
    struct leader_replica replica = {.identity = argv[1]};
    const struct sigaction action = {.sa_handler = leader_on_freeze};
    const struct cleat_log_options log_options = {
        .fd = STDERR_FILENO, .level = CLEAT_LOG_INFO, .clock = cleat_clock_system()};
    struct cleat_log *log = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return 1; /* a test that fails leaves nobody behind */
    int rc =
        sigaction(SIGUSR1, &action, NULL) < 0 ? -errno : cleat_log_new(&log_options, &log, &err);
    if (rc == 0)
        rc = leader_make(&replica, argv[0], strcmp(argv[2], "stand") == 0, log, &err);
    if (rc == 0)
        rc = cleat_manager_run(replica.manager, &err);
    if (rc == -ETIMEDOUT)
        _exit(2); /* something still runs */
    cleat_manager_free(replica.manager);
    cleat_client_unref(replica.fenced);
    cleat_client_unref(replica.client);
    cleat_log_free(log);
    return rc < 0;
}

#endif
