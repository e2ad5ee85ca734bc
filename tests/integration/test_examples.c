/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The examples as their readers run them: built programs, processes of their own, against the
 * embedded API server.
 */
#include <arpa/inet.h>
#include <cleat/election.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "certs/authority.h"
#include "integration/cluster.h"
#include "kube/base64.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define LIMIT_MS 30000

extern char **environ;

static const struct cleat_resource namespaces = {.gvk = {"", "v1", "Namespace"},
                                                 .plural = "namespaces"};
static const struct cleat_resource config_maps = {
    .gvk = {"", "v1", "ConfigMap"}, .plural = "configmaps", .namespaced = true};
static const struct cleat_resource pods = {
    .gvk = {"", "v1", "Pod"}, .plural = "pods", .namespaced = true};
static const struct cleat_resource configurations = {
    .gvk = {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
    .plural = "validatingwebhookconfigurations"};

/* ---- processes ---- */

static pid_t spawn(const char *program, char *first, char *second)
{
    char path[PATH_MAX];
    pid_t child = 0;
    (void)snprintf(path, sizeof(path), "%s/examples/%s", CLEAT_BINARY_DIR, program);
    char *const argv[] = {path, first, second, NULL};
    int failed = posix_spawn(&child, path, NULL, NULL, argv, environ);
    ck_assert_msg(failed == 0, "%s: %s", path, strerror(failed));
    return child;
}

static bool ended(pid_t child, int *status)
{
    return waitpid(child, status, WNOHANG) == child;
}

/* Ends it as a cluster does, and expects that it was content. */
static void finish(pid_t child)
{
    int status = 0;
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    CLEAT_WAIT_FOR(ended(child, &status), LIMIT_MS);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %d", status);
}

static void write_kubeconfig(struct cluster *cluster, struct cleat_temp_dir *dir)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    char *text = NULL;
    ck_assert_msg(cleat_apiserver_kubeconfig_text(cluster->server, "admin", NULL, &text, &err) == 0,
                  "%s", err.text);
    cleat_temp_dir_write(dir, "kubeconfig", text);
    ck_assert_int_eq(setenv("KUBECONFIG", cleat_temp_dir_path(dir, "kubeconfig"), 1), 0);
    cleat_free(text);
}

/* ---- the controller ---- */

static int make_namespace(struct cluster *cluster, const char *name, const char *labels)
{
    char json[256];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\","
                   "\"labels\":{%s}}}",
                   name, labels);
    return cluster_make(cluster, &namespaces, NULL, json);
}

static bool team_is(struct cluster *cluster, const char *namespace_, const char *team)
{
    return cluster_has(cluster, &config_maps, namespace_, "welcome", "data.team", team);
}

START_TEST(test_controller_makes_updates_and_repairs)
{
    struct cluster cluster;
    struct cleat_temp_dir dir;
    cluster_open(&cluster);
    cleat_temp_dir_init(&dir);
    write_kubeconfig(&cluster, &dir);
    ck_assert_int_eq(make_namespace(&cluster, "first", "\"team\":\"red\""), 0);
    ck_assert_int_eq(make_namespace(&cluster, "nobodys", ""), 0);
    pid_t child = spawn("controller", NULL, NULL);

    CLEAT_WAIT_FOR(team_is(&cluster, "first", "red"), LIMIT_MS);
    ck_assert(cluster_has(&cluster, &config_maps, "first", "welcome",
                          "metadata.ownerReferences[0].name", "first"));
    /* A namespace that comes later, a label that changes. */
    ck_assert_int_eq(make_namespace(&cluster, "second", "\"team\":\"green\""), 0);
    CLEAT_WAIT_FOR(team_is(&cluster, "second", "green"), LIMIT_MS);
    ck_assert_int_eq(cluster_patch(&cluster, &namespaces, NULL, "first",
                                   "{\"metadata\":{\"labels\":{\"team\":\"blue\"}}}"),
                     0);
    CLEAT_WAIT_FOR(team_is(&cluster, "first", "blue"), LIMIT_MS);
    /* What somebody else does to it is put right. */
    ck_assert_int_eq(cluster_patch(&cluster, &config_maps, "first", "welcome",
                                   "{\"data\":{\"team\":\"nonsense\"}}"),
                     0);
    CLEAT_WAIT_FOR(team_is(&cluster, "first", "blue"), LIMIT_MS);
    ck_assert_int_eq(cluster_remove(&cluster, &config_maps, "second", "welcome"), 0);
    CLEAT_WAIT_FOR(team_is(&cluster, "second", "green"), LIMIT_MS);
    ck_assert(!cluster_has(&cluster, &config_maps, "nobodys", "welcome", NULL, NULL));

    finish(child);
    cleat_temp_dir_fini(&dir);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_controller_without_a_cluster_fails)
{
    struct cleat_temp_dir dir;
    int status = 0;
    cleat_temp_dir_init(&dir);
    ck_assert_int_eq(setenv("KUBECONFIG", cleat_temp_dir_path(&dir, "nothing"), 1), 0);
    pid_t child = spawn("controller", NULL, NULL);
    CLEAT_WAIT_FOR(ended(child, &status), LIMIT_MS);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "wait status %d", status);
    cleat_temp_dir_fini(&dir);
}
END_TEST

/* ---- the webhook ---- */

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* tls.crt and tls.key in @dir; the CA in base64 to @ca. */
static void write_certificate(struct cleat_temp_dir *dir, struct cleat_buffer *ca)
{
    static const char *const names[] = {"127.0.0.1", NULL};
    struct cleat_authority *authority = NULL;
    struct cleat_bundle *bundle = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_clock *clock = cleat_clock_system();
    ck_assert_msg(cleat_authority_new("test", 3600, clock, &authority, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_authority_issue(authority, names, 3600, clock, &bundle, &err) == 0, "%s",
                  err.text);
    cleat_temp_dir_write(dir, "tls.crt", cleat_bundle_cert(bundle).data);
    cleat_temp_dir_write(dir, "tls.key", cleat_bundle_key(bundle).data);
    ck_assert_int_eq(cleat_base64_encode(ca, cleat_bundle_ca(bundle)), 0);
    cleat_bundle_unref(bundle);
    cleat_authority_free(authority);
}

static void publish(struct cluster *cluster, int port, const struct cleat_buffer *ca)
{
    char *json = cleat_mem_format(
        "{\"apiVersion\":\"admissionregistration.k8s.io/v1\","
        "\"kind\":\"ValidatingWebhookConfiguration\",\"metadata\":{\"name\":\"images\"},"
        "\"webhooks\":[{\"name\":\"images.example.com\",\"admissionReviewVersions\":[\"v1\"],"
        "\"sideEffects\":\"None\",\"failurePolicy\":\"Fail\",\"clientConfig\":{"
        "\"url\":\"https://127.0.0.1:%d/validate--v1-pod\",\"caBundle\":\"%s\"},"
        "\"rules\":[{\"apiGroups\":[\"\"],\"apiVersions\":[\"v1\"],\"resources\":[\"pods\"],"
        "\"operations\":[\"CREATE\",\"UPDATE\"]}]}]}",
        port, ca->data);
    ck_assert_int_eq(cluster_make(cluster, &configurations, NULL, json), 0);
    cleat_mem_free(json);
}

static int make_pod(struct cluster *cluster, const char *name, const char *image,
                    struct cleat_err *err)
{
    const struct cleat_client_target target = {.resource = &pods, .namespace_ = "default"};
    struct cleat_document *document = NULL;
    char json[512];
    *err = (struct cleat_err)CLEAT_ERR_INIT;
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\"},"
                   "\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"ours:1.2\"},"
                   "{\"name\":\"b\",\"image\":\"%s\"}]}}",
                   name, image);
    ck_assert_int_eq(cleat_document_parse(cleat_str_of(json), &document, NULL), 0);
    int r = cleat_client_create(cluster->admin, &target, cleat_document_root(document), NULL, NULL,
                                err);
    cleat_document_unref(document);
    return r;
}

/* True once the webhook answers: a fine Pod passes (failurePolicy Fail lets none through before).
 */
static bool pod_passes(struct cluster *cluster, const char *name)
{
    struct cleat_err err;
    return make_pod(cluster, name, "theirs:7", &err) == 0;
}

START_TEST(test_webhook_denies_and_admits)
{
    struct cluster cluster;
    struct cleat_temp_dir dir;
    struct cleat_err err;
    struct cleat_buffer ca = CLEAT_BUFFER_INIT(64 * 1024);
    char address[64];
    int port = free_port();
    cluster_open(&cluster);
    cleat_temp_dir_init(&dir);
    write_certificate(&dir, &ca);
    publish(&cluster, port, &ca);
    /* Nobody listens yet: closed, and not by a denial. */
    ck_assert_int_lt(make_pod(&cluster, "early", "theirs:7", &err), 0);
    ck_assert_ptr_null(strstr(err.text, "denied the request"));
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    pid_t child = spawn("webhook", address, dir.path);

    CLEAT_WAIT_FOR(pod_passes(&cluster, "fine"), LIMIT_MS);
    ck_assert_int_eq(make_pod(&cluster, "loose", "theirs:latest", &err), -EACCES);
    ck_assert_ptr_nonnull(strstr(err.text, "denied the request: image theirs:latest"));
    ck_assert(!cluster_has(&cluster, &pods, "default", "loose", NULL, NULL));
    ck_assert_int_lt(cluster_patch(&cluster, &pods, "default", "fine",
                                   "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":"
                                   "\"ours:latest\"}]}}"),
                     0);

    finish(child);
    cleat_buffer_fini(&ca);
    cleat_temp_dir_fini(&dir);
    cluster_close(&cluster);
}
END_TEST

/* ---- a lock of one's own ---- */

static void holder(struct cleat_temp_dir *dir, struct cleat_election_record *ret)
{
    char text[1024];
    int fd = open(cleat_temp_dir_path(dir, "leader"), O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text));
    if (fd >= 0)
        close(fd);
    *ret = (struct cleat_election_record){.transitions = -1};
    if (length > 0) {
        struct cleat_str json = {text, (size_t)length};
        ck_assert_int_eq(cleat_election_record_parse(json, ret, NULL), 0);
    }
}

static bool holds(struct cleat_temp_dir *dir, const char *name)
{
    struct cleat_election_record record;
    holder(dir, &record);
    return record.transitions >= 0 && strcmp(record.holder, name) == 0;
}

/* Of three one leads; killed, its lease runs out; ended, it's given back. */
START_TEST(test_elect)
{
    struct cleat_temp_dir dir;
    struct cleat_election_record record;
    char path[PATH_MAX], names[3][2] = {"a", "b", "c"};
    pid_t children[3];
    int status = 0;
    cleat_temp_dir_init(&dir);
    (void)snprintf(path, sizeof(path), "%s", cleat_temp_dir_path(&dir, "leader"));
    children[0] = spawn("elect", path, names[0]);
    CLEAT_WAIT_FOR(holds(&dir, "a"), LIMIT_MS);
    for (int i = 1; i < 3; i++)
        children[i] = spawn("elect", path, names[i]);
    ck_assert_int_eq(kill(children[0], SIGKILL), 0);
    CLEAT_WAIT_FOR(ended(children[0], &status), LIMIT_MS);
    CLEAT_WAIT_FOR(holds(&dir, "b") || holds(&dir, "c"), LIMIT_MS);
    int leader = holds(&dir, "b") ? 1 : 2;
    finish(children[leader]);
    CLEAT_WAIT_FOR(holds(&dir, names[3 - leader]), LIMIT_MS);
    finish(children[3 - leader]);
    holder(&dir, &record);
    ck_assert_str_eq(record.holder, "");
    ck_assert_int_eq(record.lease_duration_s, 1);
    ck_assert_int_eq(record.transitions, 2);
    cleat_temp_dir_fini(&dir);
}
END_TEST

CLEAT_SUITE_MAIN("examples", test_controller_makes_updates_and_repairs,
                 test_controller_without_a_cluster_fails, test_webhook_denies_and_admits,
                 test_elect)
