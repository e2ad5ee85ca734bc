/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster with the CRD and both webhook configurations, and a manager that runs the kind Mirror.
 * Mirrors are stored without admission, which is tested by bytes.
 */
#ifndef CLEAT_TESTS_MIRROR_FIXTURE_H
#define CLEAT_TESTS_MIRROR_FIXTURE_H

#include <cleat/manager.h>
#include <cleat/webhook.h>

#include "base/thread.h"
#include "cluster.h"
#include "kinds/mirror/mirror.h"
#include "kube/yaml.h"
#include "support/wait.h"

static const struct cleat_resource fixture_crds = {
    {"apiextensions.k8s.io", "v1", "CustomResourceDefinition"},
    "customresourcedefinitions",
    "customresourcedefinition",
    false,
    0xff};
static const struct cleat_resource fixture_mirrors = {
    {"cleat.dev", "v1alpha1", "Mirror"}, "mirrors", "mirror", false, 0xff};
static const struct cleat_resource fixture_namespaces = {
    {"", "v1", "Namespace"}, "namespaces", "namespace", false, 0xff};
static const struct cleat_resource fixture_secrets = {
    {"", "v1", "Secret"}, "secrets", "secret", true, 0xff};
static const struct cleat_resource fixture_maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0xff};
static const struct cleat_resource fixture_services = {
    {"", "v1", "Service"}, "services", "service", true, 0xff};
static const struct cleat_resource fixture_events = {
    {"events.k8s.io", "v1", "Event"}, "events", "event", true, 0xff};
static const struct cleat_resource fixture_hooks = {
    {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
    "validatingwebhookconfigurations",
    "validatingwebhookconfiguration",
    false,
    0xff};

#define FIXTURE_GUARD                                                                             \
    "{\"apiVersion\":\"admissionregistration.k8s.io/"                                             \
    "v1\",\"kind\":\"ValidatingWebhookConfiguration\","                                           \
    "\"metadata\":{\"name\":\"cleat-validating\"},\"webhooks\":[{\"name\":\"validate.mirrors."    \
    "cleat.dev\",\"admissionReviewVersions\":[\"v1\"],\"clientConfig\":{\"url\":\"https://"       \
    "127.0.0.1:1/"                                                                                \
    "validate-cleat-dev-v1alpha1-mirror\",\"caBundle\":"                                          \
    "\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClptOXYKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=\"},"      \
    "\"rules\":[{"                                                                                \
    "\"apiGroups\":[\"cleat."                                                                     \
    "dev\"],\"apiVersions\":[\"v1alpha1\"],\"operations\":[\"CREATE\",\"UPDATE\"],\"resources\":" \
    "[\"mirrors\"],\"scope\":\"Cluster\"}],\"failurePolicy\":\"Fail\",\"sideEffects\":\"None\"}]}"
#define FIXTURE_COPIES                                \
    "{\"apiVersion\":\"admissionregistration.k8s.io/" \
    "v1\",\"kind\":\"ValidatingWebhookConfiguration\",\"metadata\":{\"name\":\"cleat-copies\"}}"

struct mirror_fixture {
    struct cluster cluster;
    struct cleat_client *client;
    struct cleat_webhooks *webhooks;
    struct cleat_manager *manager;
    struct cleat_mirror *mirror;
    struct cleat_thread thread;
    struct cleat_err err;
    int rc;
};

static inline void fixture_put(struct mirror_fixture *fixture, const char *json)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_document_parse(cleat_str_of(json), &document, &err) == 0, "%s", err.text);
    ck_assert_msg(
        cleat_apiserver_put(fixture->cluster.server, cleat_document_root(document), &err) == 0,
        "%s", err.text);
    cleat_document_unref(document);
}

static inline int fixture_make_crd(void *arg, struct cleat_document *document)
{
    struct cluster *cluster = arg;
    const struct cleat_client_target target = {.resource = &fixture_crds};
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_client_create(cluster->admin, &target, cleat_document_root(document), NULL,
                                      NULL, &err) == 0,
                  "%s", err.text);
    return 0;
}

static inline void fixture_crd(struct mirror_fixture *fixture)
{
    static char text[64 * 1024];
    struct cleat_err err = CLEAT_ERR_INIT;
    FILE *file = fopen(CLEAT_SOURCE_DIR "/deploy/crds.yaml", "r");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    ck_assert_msg(cleat_yaml_each((struct cleat_str){text, length}, fixture_make_crd,
                                  &fixture->cluster, &err) == 0,
                  "%s", err.text);
    const struct cleat_client_target target = {.resource = &fixture_mirrors};
    CLEAT_WAIT_FOR(cleat_client_list(fixture->cluster.admin, &target, NULL, NULL, NULL) == 0,
                   10000);
}

static inline void *fixture_run(void *arg)
{
    struct mirror_fixture *fixture = arg;
    fixture->rc = cleat_manager_run(fixture->manager, &fixture->err);
    return NULL;
}

static inline void fixture_start(struct mirror_fixture *fixture)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_webhooks_options webhooks = {0};
    ck_assert_int_eq(cleat_webhooks_new(&webhooks, &fixture->webhooks, NULL), 0);
    const struct cleat_manager_options options = {.client = fixture->client, .grace_ms = 5000};
    ck_assert_msg(cleat_manager_new(&options, &fixture->manager, &err) == 0, "%s", err.text);
    const struct cleat_mirror_options mirror = {.manager = fixture->manager,
                                                .webhooks = fixture->webhooks,
                                                .webhook_url = "https://127.0.0.1:1/"};
    ck_assert_msg(cleat_mirror_new(&mirror, &fixture->mirror, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cleat_thread_start(&fixture->thread, "manager", 0, fixture_run, fixture, NULL),
                     0);
    ck_assert_int_eq(cleat_manager_wait_started(fixture->manager, 10000), 0);
}

static inline void fixture_stop(struct mirror_fixture *fixture)
{
    cleat_manager_stop(fixture->manager);
    cleat_thread_join(&fixture->thread);
    ck_assert_msg(fixture->rc == 0, "%s", fixture->err.text);
    fixture->mirror = cleat_mirror_free(fixture->mirror);
    fixture->manager = cleat_manager_free(fixture->manager);
    fixture->webhooks = cleat_webhooks_free(fixture->webhooks);
}

static inline void fixture_open(struct mirror_fixture *fixture)
{
    *fixture = (struct mirror_fixture){0};
    cluster_open(&fixture->cluster);
    fixture->client = cluster_client(&fixture->cluster, "cleat");
    fixture_crd(fixture);
    fixture_put(fixture, FIXTURE_GUARD);
    fixture_put(fixture, FIXTURE_COPIES);
    fixture_start(fixture);
}

static inline void fixture_close(struct mirror_fixture *fixture)
{
    fixture_stop(fixture);
    cleat_client_unref(fixture->client);
    cluster_close(&fixture->cluster);
}

static inline void fixture_namespace(struct mirror_fixture *fixture, const char *name,
                                     const char *labels)
{
    char json[512];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\","
                   "\"labels\":{%s}}}",
                   name, labels);
    ck_assert_int_eq(cluster_make(&fixture->cluster, &fixture_namespaces, NULL, json), 0);
}

/** A Secret with data k of @value (base64) and what @more adds. */
static inline void fixture_secret(struct mirror_fixture *fixture, const char *namespace_,
                                  const char *name, const char *value, const char *more)
{
    char json[1024];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"%s\","
                   "\"namespace\":\"%s\"},\"data\":{\"k\":\"%s\"}%s}",
                   name, namespace_, value, more);
    ck_assert_int_eq(cluster_make(&fixture->cluster, &fixture_secrets, namespace_, json), 0);
}

/** Stores a Mirror of Secret platform/@source with @rest of its spec. */
static inline void fixture_mirror(struct mirror_fixture *fixture, const char *name,
                                  const char *source, const char *rest)
{
    char json[2048];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"cleat.dev/"
                   "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"%s\"},"
                   "\"spec\":{\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"namespace\":"
                   "\"platform\",\"name\":\"%s\"},%s}}",
                   name, source, rest);
    fixture_put(fixture, json);
}

static inline bool fixture_has(struct mirror_fixture *fixture, const char *namespace_,
                               const char *name, const char *path, const char *wanted)
{
    return cluster_has(&fixture->cluster, &fixture_secrets, namespace_, name, path, wanted);
}

/** True where Ready has that reason, and @desired and @ready are as told (< 0: any). */
static inline bool fixture_is(struct mirror_fixture *fixture, const char *name, const char *reason,
                              int64_t desired, int64_t ready)
{
    const struct cleat_client_target target = {&fixture_mirrors, NULL, name, NULL};
    struct cleat_object *object = NULL;
    if (cleat_client_get(fixture->cluster.admin, &target, NULL, &object, NULL) != 0)
        return false;
    bool is = false;
    struct cleat_value conditions = cleat_object_find(object, "status.conditions");
    for (size_t i = 0; i < cleat_value_count(conditions); i++) {
        struct cleat_value condition = cleat_value_at(conditions, i);
        is = is || (cleat_value_is(cleat_value_get(condition, "type"), "Ready") &&
                    cleat_value_is(cleat_value_get(condition, "reason"), reason));
    }
    is = is &&
         (desired < 0 ||
          cleat_value_int_or(cleat_object_find(object, "status.desired"), -2) == desired) &&
         (ready < 0 || cleat_value_int_or(cleat_object_find(object, "status.ready"), -2) == ready);
    cleat_object_unref(object);
    return is;
}

/** Prints what the Mirror says, for a test that fails. */
static inline void fixture_print(struct mirror_fixture *fixture, const char *name)
{
    const struct cleat_client_target target = {&fixture_mirrors, NULL, name, NULL};
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 << 20);
    struct cleat_object *object = NULL;
    if (cleat_client_get(fixture->cluster.admin, &target, NULL, &object, NULL) == 0 &&
        cleat_object_write(object, &text, NULL) == 0)
        (void)fprintf(stderr, "%s\n", text.data);
    cleat_object_unref(object);
    cleat_buffer_fini(&text);
}

#define FIXTURE_WAIT(fixture, name, reason, desired, ready)                                     \
    do {                                                                                        \
        int64_t until_ms_ = cleat_clock_mono_ms(cleat_clock_system()) + 10000;                  \
        while (!fixture_is((fixture), (name), (reason), (desired), (ready))) {                  \
            if (cleat_clock_mono_ms(cleat_clock_system()) > until_ms_) {                        \
                fixture_print((fixture), (name));                                               \
                ck_abort_msg("Mirror %s isn't %s %d %d", (name), (reason), (desired), (ready)); \
            }                                                                                   \
            cleat_wait_moment();                                                                \
        }                                                                                       \
    } while (0)

#endif
