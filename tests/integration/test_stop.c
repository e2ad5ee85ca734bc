/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How `cleat serve` stops: as a leader by Lease and by ConfigMap, and while the API server hangs.
 * It has to end by itself within its time, which is printed for people to judge. And how it stands
 * again in the same process after it lost the lease.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cleat/election.h>

#include "base/mem.h"
#include "integration/cluster.h"
#include "server/manifests.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define LIMIT_MS 30000
#define FLAGS_MAX 16

extern char **environ;

static const struct cleat_resource leases = {
    .gvk = {"coordination.k8s.io", "v1", "Lease"}, .plural = "leases", .namespaced = true};
static const struct cleat_resource config_maps = {
    .gvk = {"", "v1", "ConfigMap"}, .plural = "configmaps", .namespaced = true};

struct fixture {
    struct cluster cluster;
    struct cleat_temp_dir dir;
    pid_t pid;
};

static int put(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct fixture *f = arg;
    return cleat_apiserver_put(f->cluster.server, object, err);
}

static void install(struct fixture *f)
{
    struct cleat_manifests_options options = {.crds = true, .webhook_url = "https://127.0.0.1:1"};
    struct cleat_err err = CLEAT_ERR_INIT;
    char *text = NULL;
    ck_assert_msg(cleat_manifests_each(&options, put, f, &err) == 0, "%s", err.text);
    options.crds = false;
    ck_assert_msg(cleat_manifests_each(&options, put, f, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cleat_apiserver_kubeconfig_text(f->cluster.server, "cleat", NULL, &text, NULL),
                     0);
    cleat_temp_dir_write(&f->dir, "config", text);
    cleat_free(text);
}

static void fixture_open(struct fixture *f, const char *lock, const char *drain_delay)
{
    char program[PATH_MAX], config[PATH_MAX], kind[64], drain[32];
    char *argv[] = {(char[]){"cleat"},
                    (char[]){"serve"},
                    config,
                    kind,
                    (char[]){"--leader-elect"},
                    (char[]){"--webhook-bind-address=127.0.0.1:0"},
                    (char[]){"--webhook-url=https://127.0.0.1:1"},
                    (char[]){"--metrics-bind-address=0"},
                    (char[]){"--health-probe-bind-address=0"},
                    (char[]){"--stop-timeout=10s"},
                    drain,
                    (char[]){"--leader-elect-on-loss=stand"},
                    (char[]){"--leader-elect-retry-period=200ms"},
                    NULL};
    posix_spawn_file_actions_t actions;
    *f = (struct fixture){0};
    cluster_open(&f->cluster);
    cleat_temp_dir_init(&f->dir);
    install(f);
    (void)snprintf(program, sizeof(program), "%s/cleat", CLEAT_BINARY_DIR);
    (void)snprintf(config, sizeof(config), "--kubeconfig=%s",
                   cleat_temp_dir_path(&f->dir, "config"));
    (void)snprintf(drain, sizeof(drain), "--drain-delay=%s", drain_delay);
    (void)snprintf(kind, sizeof(kind), "--leader-elect-resource-lock=%s", lock);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, cleat_temp_dir_path(&f->dir, "log"),
                                     O_WRONLY | O_CREAT, 0600);
    int failed = posix_spawn(&f->pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ck_assert_msg(failed == 0, "%s: %s", program, strerror(failed));
}

static bool said(struct fixture *f, const char *words)
{
    char text[65536];
    int fd = open(cleat_temp_dir_path(&f->dir, "log"), O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        (void)close(fd); /* it was only read */
    text[length > 0 ? length : 0] = '\0';
    return strstr(text, words) != NULL;
}

/* True with what the program wrote on stderr. */
static void show_log(struct fixture *f)
{
    char text[65536];
    int fd = open(cleat_temp_dir_path(&f->dir, "log"), O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        (void)close(fd);
    (void)fprintf(stderr, "%.*s", (int)(length > 0 ? length : 0), text);
}

static void stop(struct fixture *f, const char *what)
{
    int status = 0;
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t begin_ms = cleat_clock_mono_ms(clock);
    ck_assert_int_eq(kill(f->pid, SIGTERM), 0);
    CLEAT_WAIT_FOR(waitpid(f->pid, &status, WNOHANG) == f->pid, LIMIT_MS);
    (void)printf("stop: %s: %lld ms\n", what, (long long)(cleat_clock_mono_ms(clock) - begin_ms));
    if (status != 0)
        show_log(f);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %d", status);
    ck_assert(said(f, "manager stopped")); /* everything had ended */
}

static void fixture_close(struct fixture *f)
{
    cluster_close(&f->cluster);
    cleat_temp_dir_fini(&f->dir);
}

START_TEST(test_lease_given_back)
{
    struct fixture f;
    fixture_open(&f, "leases", "0s");
    CLEAT_WAIT_FOR(said(&f, "controller started"), LIMIT_MS);
    ck_assert(cluster_has(&f.cluster, &leases, "cleat-system", "cleat-leader",
                          "metadata.labels[\"app.kubernetes.io/name\"]", "cleat"));
    stop(&f, "a leader by Lease");
    ck_assert(cluster_has(&f.cluster, &leases, "cleat-system", "cleat-leader",
                          "spec.holderIdentity", ""));
    fixture_close(&f);
}
END_TEST

START_TEST(test_config_map_given_back)
{
    static const char annotation[] =
        "metadata.annotations[\"control-plane.alpha.kubernetes.io/leader\"]";
    struct fixture f;
    fixture_open(&f, "configmaps", "0s");
    CLEAT_WAIT_FOR(said(&f, "controller started"), LIMIT_MS);
    ck_assert(!cluster_has(&f.cluster, &leases, "cleat-system", "cleat-leader", NULL, NULL));
    stop(&f, "a leader by ConfigMap");
    const struct cleat_client_target target = {&config_maps, "cleat-system", "cleat-leader", NULL};
    struct cleat_object *object = NULL;
    struct cleat_scratch scratch;
    struct cleat_election_record record;
    ck_assert_int_eq(cleat_client_get(f.cluster.admin, &target, NULL, &object, NULL), 0);
    struct cleat_str json = cleat_value_text(cleat_object_find(object, annotation), &scratch);
    ck_assert_int_eq(cleat_election_record_parse(json, &record, NULL), 0);
    ck_assert_str_eq(record.holder, "");
    ck_assert_int_eq(record.lease_duration_s, 1);
    cleat_object_unref(object);
    fixture_close(&f);
}
END_TEST

/* Nothing is answered any more, the renewal and the release included. */
START_TEST(test_api_server_hangs)
{
    struct fixture f;
    fixture_open(&f, "leases", "3s");
    CLEAT_WAIT_FOR(said(&f, "controller started"), LIMIT_MS);
    const struct cleat_fault fault = {.freeze = true};
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &fault), 0);
    uint64_t puts = cleat_apiserver_requests(f.cluster.server, "PUT", NULL, NULL);
    CLEAT_WAIT_FOR(cleat_apiserver_requests(f.cluster.server, "PUT", NULL, NULL) > puts, LIMIT_MS);
    stop(&f, "a leader while the API server hangs");
    fixture_close(&f);
}
END_TEST

static void put_json(struct fixture *f, const char *json)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_document_parse(cleat_str_of(json), &document, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_apiserver_put(f->cluster.server, cleat_document_root(document), &err) == 0,
                  "%s", err.text);
    cleat_document_unref(document);
}

static void give_lease(struct fixture *f, const char *holder)
{
    char json[96];
    (void)snprintf(json, sizeof(json), "{\"spec\":{\"holderIdentity\":\"%s\"}}", holder);
    ck_assert_int_eq(cluster_patch(&f->cluster, &leases, "cleat-system", "cleat-leader", json), 0);
}

/* A Mirror that comes while another leads is worked on once the lease is won back. */
START_TEST(test_stands_again)
{
    static const struct cleat_resource secrets = {
        .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};
    struct fixture f;
    fixture_open(&f, "leases", "0s");
    CLEAT_WAIT_FOR(said(&f, "controller started"), LIMIT_MS);
    give_lease(&f, "another");
    CLEAT_WAIT_FOR(said(&f, "standing again"), LIMIT_MS);
    put_json(&f, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"a\"}}");
    put_json(&f, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\","
                 "\"namespace\":\"default\"},\"data\":{\"v\":\"AAAA\"}}");
    put_json(&f,
             "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{"
             "\"name\":\"m\"},\"spec\":{\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Secret\","
             "\"namespace\":\"default\",\"name\":\"s\"},\"targets\":{\"namespaces\":[\"a\"]}}}");
    uint64_t reads =
        cleat_apiserver_requests(f.cluster.server, "GET", "/apis/coordination.k8s.io", NULL);
    CLEAT_WAIT_FOR(cleat_apiserver_requests(f.cluster.server, "GET", "/apis/coordination.k8s.io",
                                            NULL) >= reads + 3,
                   LIMIT_MS);
    ck_assert(!cluster_has(&f.cluster, &secrets, "a", "s", NULL, NULL));
    give_lease(&f, "");
    CLEAT_WAIT_FOR(cluster_has(&f.cluster, &secrets, "a", "s", "data.v", "AAAA"), LIMIT_MS);
    stop(&f, "a leader for the second time");
    ck_assert(cluster_has(&f.cluster, &leases, "cleat-system", "cleat-leader",
                          "spec.holderIdentity", ""));
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("stop", test_lease_given_back, test_config_map_given_back, test_api_server_hangs,
                 test_stands_again)
