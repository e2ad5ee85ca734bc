/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded API server's admission against a scripted webhook over TLS, and its RBAC against
 * what it tells about itself in reviews.
 */
#include <cleat/apiserver.h>

#include <pthread.h>
#include <stdlib.h>

#include <cleat/write.h>

#include "cluster.h"
#include "support/script_certs.h"
#include "support/script_server.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource configmaps = {.gvk = {"", "v1", "ConfigMap"},
                                                 .plural = "configmaps",
                                                 .singular = "configmap",
                                                 .namespaced = true};
static const struct cleat_resource namespaces = {
    .gvk = {"", "v1", "Namespace"}, .plural = "namespaces", .singular = "namespace"};
static const struct cleat_resource mutating = {
    .gvk = {"admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration"},
    .plural = "mutatingwebhookconfigurations"};
static const struct cleat_resource validating = {
    .gvk = {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
    .plural = "validatingwebhookconfigurations"};
static const struct cleat_resource roles = {.gvk = {"rbac.authorization.k8s.io", "v1", "Role"},
                                            .plural = "roles",
                                            .singular = "role",
                                            .namespaced = true};
static const struct cleat_resource bindings = {
    .gvk = {"rbac.authorization.k8s.io", "v1", "RoleBinding"},
    .plural = "rolebindings",
    .singular = "rolebinding",
    .namespaced = true};

#define REVIEWS_MAX 64

/* A webhook, and what it was asked. */
struct hook {
    struct cluster cluster;
    struct script_cert ca;
    struct script_cert leaf;
    struct script_server *server;
    pthread_mutex_t lock;
    struct cleat_document *reviews[REVIEWS_MAX];
    char paths[REVIEWS_MAX][32];
    size_t count;
};

static void hook_note(struct hook *hook, const char *path, struct cleat_document *review)
{
    pthread_mutex_lock(&hook->lock);
    ck_assert_uint_lt(hook->count, REVIEWS_MAX);
    (void)snprintf(hook->paths[hook->count], sizeof(hook->paths[0]), "%s", path);
    hook->reviews[hook->count++] = cleat_document_ref(review);
    pthread_mutex_unlock(&hook->lock);
}

static size_t hook_count(struct hook *hook)
{
    pthread_mutex_lock(&hook->lock);
    size_t count = hook->count;
    pthread_mutex_unlock(&hook->lock);
    return count;
}

static struct cleat_value hook_request(struct hook *hook, size_t index)
{
    ck_assert_uint_lt(index, hook_count(hook));
    return cleat_value_get(cleat_document_root(hook->reviews[index]), "request");
}

/* What each path answers behind the uid. */
static const char *hook_answer(const char *path, struct cleat_value request)
{
    /* [{"op":"add","path":"/metadata/labels","value":{"hooked":"yes"}}] */
    static const char label[] = ",\"allowed\":true,\"patchType\":\"JSONPatch\",\"patch\":"
                                "\"W3sib3AiOiJhZGQiLCJwYXRoIjoiL21ldGFkYXRh"
                                "L2xhYmVscyIsInZhbHVlIjp7Imhvb2tlZCI6InllcyJ9fV0=\"";
    if (strcmp(path, "/label") == 0)
        return label;
    if (strcmp(path, "/deny") == 0)
        return ",\"allowed\":false,\"status\":{\"message\":\"not like this\",\"code\":403}";
    if (strcmp(path, "/teapot") == 0)
        return ",\"allowed\":false,\"status\":{\"message\":\"short\",\"code\":418,\"reason\":"
               "\"Teapot\"}";
    if (strcmp(path, "/warn") == 0)
        return ",\"allowed\":true,\"warnings\":[\"mind the gap\"]";
    return ",\"allowed\":true";
}

static void hook_reply(struct script_exchange *exchange, const char *path,
                       struct cleat_value request)
{
    char body[2048];
    struct cleat_scratch scratch;
    struct cleat_str uid = cleat_value_text(cleat_value_get(request, "uid"), &scratch);
    (void)snprintf(
        body, sizeof(body),
        "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"response\":{"
        "\"uid\":\"%.*s\"%s}}",
        CLEAT_STR_ARG(uid), hook_answer(path, request));
    script_reply(exchange, 200, "Content-Type: application/json\r\n", body);
}

static void on_request(void *arg, struct script_exchange *exchange,
                       const struct script_request *request)
{
    struct hook *hook = arg;
    struct cleat_document *review = NULL;
    char path[32];
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(request->target, "?"), request->target);
    ck_assert_int_eq(cleat_document_parse((struct cleat_str){request->body, request->body_length},
                                          &review, NULL),
                     0);
    hook_note(hook, path, review);
    struct cleat_value asked = cleat_value_get(cleat_document_root(review), "request");
    if (strcmp(path, "/broken") == 0) {
        script_reply(exchange, 500, NULL, "no");
    } else if (strcmp(path, "/hold") == 0) {
        (void)script_hold(exchange);
    } else if (strcmp(path, "/reenter") == 0) {
        /* No lock may be held while a webhook is asked. */
        char body[128];
        (void)snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"made-by-the-hook-%u\"}}",
                       request->number);
        ck_assert_int_eq(cluster_make(&hook->cluster, &configmaps, "kube-public", body), 0);
        hook_reply(exchange, path, asked);
    } else {
        hook_reply(exchange, path, asked);
    }
    (void)cleat_document_unref(review);
}

/* Each namespace gets a ConfigMap by itself, at some time after the start: not one that the hooks
 * are to see. */
static void await_root_cas(struct cluster *cluster)
{
    static const char *const names[] = {"default", "kube-system", "kube-public", "kube-node-lease"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        CLEAT_WAIT_FOR(cluster_has(cluster, &configmaps, names[i], "kube-root-ca.crt", NULL, NULL),
                       10000);
}

static void hook_open(struct hook *hook)
{
    *hook = (struct hook){.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct script_cert_options ca = {.name = "hook-ca", .ca = true};
    const struct script_cert_options leaf = {
        .name = "hook", .alt_names = "DNS:localhost,IP:127.0.0.1", .signer = &hook->ca};
    script_cert_make(&ca, &hook->ca);
    script_cert_make(&leaf, &hook->leaf);
    const struct script_server_options options = {.fn = on_request,
                                                  .arg = hook,
                                                  .cert_pem = hook->leaf.cert_pem,
                                                  .key_pem = hook->leaf.key_pem};
    hook->server = script_server_new(&options);
    cluster_open(&hook->cluster);
    await_root_cas(&hook->cluster);
}

static void hook_close(struct hook *hook)
{
    cluster_close(&hook->cluster);
    hook->server = script_server_free(hook->server);
    for (size_t i = 0; i < hook->count; i++)
        (void)cleat_document_unref(hook->reviews[i]);
    script_cert_fini(&hook->leaf);
    script_cert_fini(&hook->ca);
}

/* Base64 of a short text; new by static storage. */
static const char *base64(const char *text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char out[8192];
    size_t length = strlen(text);
    size_t at = 0;
    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < length ? (unsigned char)text[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            out[at++] = i + j <= length ? alphabet[bits >> (18 - 6 * j) & 63] : '=';
    }
    out[at] = 0;
    return out;
}

/* Adds a configuration with one webhook on ConfigMaps; @more goes into the webhook. */
static void configure(struct hook *hook, const struct cleat_resource *resource, const char *name,
                      const char *path, const char *operations, const char *more)
{
    static char body[12000];
    (void)snprintf(
        body, sizeof(body),
        "{\"apiVersion\":\"admissionregistration.k8s.io/"
        "v1\",\"kind\":\"%s\",\"metadata\":{\"name\":"
        "\"%s\"},\"webhooks\":[{\"name\":\"%s.example.com\",\"sideEffects\":\"None\","
        "\"admissionReviewVersions\":[\"v1\"],\"clientConfig\":{\"url\":\"%s%s\",\"caBundle\":"
        "\"%s\"},\"rules\":[{\"apiGroups\":[\"\"],\"apiVersions\":[\"v1\"],\"resources\":["
        "\"configmaps\"],\"operations\":[%s],\"scope\":\"*\"}]%s}]}",
        resource->gvk.kind, name, name, script_server_url(hook->server), path,
        base64(hook->ca.cert_pem), operations, more);
    ck_assert_int_eq(cluster_make(&hook->cluster, resource, NULL, body), 0);
}

/* Creates a ConfigMap; the outcome's code, @err filled. */
static int create(struct hook *hook, const char *namespace_, const char *body, bool dry_run,
                  struct cleat_object **ret, struct cleat_err *err)
{
    const struct cleat_client_target target = {&configmaps, namespace_, NULL, NULL};
    const struct cleat_client_call call = {.dry_run = dry_run};
    struct cleat_document *document = NULL;
    cleat_err_clear(err);
    ck_assert_int_eq(cleat_document_parse(cleat_str_of(body), &document, NULL), 0);
    int result = cleat_client_create(hook->cluster.admin, &target, cleat_document_root(document),
                                     &call, ret, err);
    (void)cleat_document_unref(document);
    return result;
}

START_TEST(test_mutating_then_validating)
{
    struct hook hook;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_object *made = NULL;
    hook_open(&hook);
    configure(&hook, &mutating, "m", "/label", "\"CREATE\"", "");
    configure(&hook, &validating, "v", "/ok", "\"CREATE\",\"DELETE\"", "");
    ck_assert_msg(create(&hook, "default", "{\"metadata\":{\"name\":\"a\"}}", false, &made, &err) ==
                      0,
                  "%s", err.text);
    ck_assert(cleat_value_is(cleat_object_find(made, "metadata.labels.hooked"), "yes"));
    ck_assert_uint_eq(hook_count(&hook), 2);
    ck_assert_str_eq(hook.paths[0], "/label");
    ck_assert_str_eq(hook.paths[1], "/ok");
    struct cleat_value request = hook_request(&hook, 1);
    ck_assert(cleat_value_is(cleat_value_find(request, "operation"), "CREATE"));
    ck_assert(cleat_value_is(cleat_value_find(request, "kind.kind"), "ConfigMap"));
    ck_assert(cleat_value_is(cleat_value_find(request, "resource.resource"), "configmaps"));
    ck_assert(cleat_value_is(cleat_value_find(request, "requestResource.version"), "v1"));
    ck_assert(cleat_value_is(cleat_value_find(request, "namespace"), "default"));
    ck_assert(cleat_value_is(cleat_value_find(request, "name"), "a"));
    ck_assert(cleat_value_is(cleat_value_find(request, "userInfo.username"), "admin"));
    ck_assert(cleat_value_is(cleat_value_find(request, "object.metadata.labels.hooked"), "yes"));
    ck_assert_int_eq(cleat_value_type(cleat_value_find(request, "oldObject")), CLEAT_TYPE_NULL);
    ck_assert(cleat_value_is(cleat_value_find(request, "options.kind"), "CreateOptions"));
    (void)cleat_object_unref(made);
    ck_assert_int_eq(cluster_remove(&hook.cluster, &configmaps, "default", "a"), 0);
    ck_assert_uint_eq(hook_count(&hook), 3);
    request = hook_request(&hook, 2);
    ck_assert(cleat_value_is(cleat_value_find(request, "operation"), "DELETE"));
    ck_assert_int_eq(cleat_value_type(cleat_value_find(request, "object")), CLEAT_TYPE_NULL);
    ck_assert(cleat_value_is(cleat_value_find(request, "oldObject.metadata.name"), "a"));
    hook_close(&hook);
}
END_TEST

START_TEST(test_refusals)
{
    static const struct {
        const char *path;
        const char *more;
        int status; /* 0: it goes through */
        const char *words;
    } cases[] = {
        {"/deny", "", 403, "admission webhook \"v.example.com\" denied the request: not like this"},
        {"/teapot", "", 418, "denied the request: short"},
        {"/broken", "", 500, "failed calling webhook \"v.example.com\""},
        {"/broken", ",\"failurePolicy\":\"Fail\"", 500, "failed calling webhook \"v.example.com\""},
        {"/broken", ",\"failurePolicy\":\"Ignore\"", 0, NULL},
        {"/deny", ",\"failurePolicy\":\"Ignore\"", 403, "denied the request"},
        {"/hold", ",\"timeoutSeconds\":1", 500, "failed calling webhook \"v.example.com\""},
        {"/deny",
         ",\"namespaceSelector\":{\"matchLabels\":{\"kubernetes.io/metadata.name\":\"other\"}}", 0,
         NULL},
        {"/deny",
         ",\"namespaceSelector\":{\"matchLabels\":{\"kubernetes.io/metadata.name\":\"default\"}}",
         403, "denied"},
        {"/deny", ",\"objectSelector\":{\"matchLabels\":{\"x\":\"y\"}}", 0, NULL},
        {"/deny", ",\"objectSelector\":{\"matchLabels\":{\"l\":\"1\"}}", 403, "denied"},
    };
    struct hook hook;
    hook_open(&hook);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[128];
        struct cleat_err err = CLEAT_ERR_INIT;
        configure(&hook, &validating, "v", cases[i].path, "\"CREATE\"", cases[i].more);
        (void)snprintf(body, sizeof(body),
                       "{\"metadata\":{\"name\":\"cm-%zu\",\"labels\":{\"l\":\"1\"}}}", i);
        int result = create(&hook, "default", body, false, NULL, &err);
        ck_assert_msg((result == 0) == (cases[i].status == 0), "case %zu: %s", i, err.text);
        if (cases[i].status) {
            ck_assert_msg(err.http_status == cases[i].status, "case %zu: %d %s", i, err.http_status,
                          err.text);
            ck_assert_msg(strstr(err.text, cases[i].words) != NULL, "case %zu: %s", i, err.text);
        }
        ck_assert_int_eq(cluster_remove(&hook.cluster, &validating, NULL, "v"), 0);
    }
    hook_close(&hook);
}
END_TEST

START_TEST(test_untrusted_webhook)
{
    struct hook hook;
    struct script_cert other;
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct script_cert_options options = {.name = "other-ca", .ca = true};
    hook_open(&hook);
    script_cert_make(&options, &other);
    struct script_cert trusted = hook.ca;
    hook.ca = other;
    configure(&hook, &validating, "v", "/ok", "\"CREATE\"", "");
    hook.ca = trusted;
    ck_assert_int_ne(create(&hook, "default", "{\"metadata\":{\"name\":\"a\"}}", false, NULL, &err),
                     0);
    ck_assert_int_eq(err.http_status, 500);
    ck_assert_uint_eq(hook_count(&hook), 0);
    script_cert_fini(&other);
    hook_close(&hook);
}
END_TEST

START_TEST(test_dry_run)
{
    struct hook hook;
    struct cleat_err err = CLEAT_ERR_INIT;
    hook_open(&hook);
    configure(&hook, &validating, "v", "/ok", "\"CREATE\"", "");
    ck_assert_int_eq(create(&hook, "default", "{\"metadata\":{\"name\":\"a\"}}", true, NULL, &err),
                     0);
    ck_assert(cleat_value_is_true(cleat_value_get(hook_request(&hook, 0), "dryRun")));
    const struct cleat_client_target target = {&configmaps, "default", "a", NULL};
    ck_assert_int_eq(cleat_client_get(hook.cluster.admin, &target, NULL, NULL, NULL), -ENOENT);
    hook_close(&hook);
}
END_TEST

START_TEST(test_no_lock_is_held)
{
    struct hook hook;
    struct cleat_err err = CLEAT_ERR_INIT;
    hook_open(&hook);
    configure(
        &hook, &validating, "v", "/reenter", "\"CREATE\"",
        ",\"namespaceSelector\":{\"matchLabels\":{\"kubernetes.io/metadata.name\":\"default\"}}");
    ck_assert_msg(create(&hook, "default", "{\"metadata\":{\"name\":\"a\"}}", false, NULL, &err) ==
                      0,
                  "%s", err.text);
    const struct cleat_client_target target = {&configmaps, "kube-public", "made-by-the-hook-1",
                                               NULL};
    ck_assert_int_eq(cleat_client_get(hook.cluster.admin, &target, NULL, NULL, NULL), 0);
    hook_close(&hook);
}
END_TEST

/* The server's own controllers go through admission, each as itself. */
START_TEST(test_own_identities)
{
    struct hook hook;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_object *owner = NULL;
    char body[512];
    hook_open(&hook);
    ck_assert_int_eq(
        cluster_make(&hook.cluster, &namespaces, NULL, "{\"metadata\":{\"name\":\"gone\"}}"), 0);
    ck_assert_int_eq(create(&hook, "gone", "{\"metadata\":{\"name\":\"last\"}}", false, NULL, &err),
                     0);
    ck_assert_int_eq(
        create(&hook, "default", "{\"metadata\":{\"name\":\"owner\"}}", false, &owner, &err), 0);
    (void)snprintf(
        body, sizeof(body),
        "{\"metadata\":{\"name\":\"child\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":"
        "\"ConfigMap\",\"name\":\"owner\",\"uid\":\"%s\"}]}}",
        cleat_object_uid(owner).data);
    ck_assert_int_eq(create(&hook, "default", body, false, NULL, &err), 0);
    (void)cleat_object_unref(owner);
    configure(&hook, &validating, "v", "/ok", "\"DELETE\"", "");
    ck_assert_int_eq(cluster_remove(&hook.cluster, &configmaps, "default", "owner"), 0);
    CLEAT_WAIT_FOR(hook_count(&hook) >= 2, 10000);
    struct cleat_value request = hook_request(&hook, 1);
    ck_assert(cleat_value_is(cleat_value_find(request, "name"), "child"));
    ck_assert(cleat_value_is(cleat_value_find(request, "userInfo.username"),
                             "system:serviceaccount:kube-system:generic-garbage-collector"));
    ck_assert_int_eq(cluster_remove(&hook.cluster, &namespaces, NULL, "gone"), 0);
    CLEAT_WAIT_FOR(hook_count(&hook) >= 4, 10000);
    for (size_t i = 2; i < 4; i++)
        ck_assert(cleat_value_is(cleat_value_find(hook_request(&hook, i), "userInfo.username"),
                                 "system:serviceaccount:kube-system:namespace-controller"));
    hook_close(&hook);
}
END_TEST

/* ---- RBAC ---- */

/* Every audited request of one user, with what was decided. */
struct audit_log {
    pthread_mutex_t lock;
    struct {
        char verb[24], group[64], plural[64], subresource[32], namespace_[64], name[64];
        int code;
    } entries[128];
    size_t count;
};

static void on_audit(void *arg, const struct cleat_audit *audit)
{
    struct audit_log *log = arg;
    if (strcmp(audit->user, "dev") != 0 || !audit->plural.length)
        return;
    pthread_mutex_lock(&log->lock);
    size_t i = log->count;
    ck_assert_uint_lt(i, 128);
    (void)snprintf(log->entries[i].verb, 24, "%s", audit->verb);
    (void)snprintf(log->entries[i].group, 64, "%.*s", CLEAT_STR_ARG(audit->group));
    (void)snprintf(log->entries[i].plural, 64, "%.*s", CLEAT_STR_ARG(audit->plural));
    (void)snprintf(log->entries[i].subresource, 32, "%.*s", CLEAT_STR_ARG(audit->subresource));
    (void)snprintf(log->entries[i].namespace_, 64, "%.*s", CLEAT_STR_ARG(audit->namespace_));
    (void)snprintf(log->entries[i].name, 64, "%.*s", CLEAT_STR_ARG(audit->name));
    log->entries[i].code = audit->code;
    log->count++;
    pthread_mutex_unlock(&log->lock);
}

static void rbac_open(struct cluster *cluster, struct audit_log *log, struct cleat_client **dev)
{
    static const char *const groups[] = {"devs", NULL};
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_kubeconfig *config = NULL;
    const struct cleat_apiserver_options options = {
        .rbac = true, .audit = on_audit, .audit_arg = log};
    *cluster = (struct cluster){0};
    ck_assert_msg(cleat_apiserver_new(&options, &cluster->server, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_apiserver_start(cluster->server, &err) == 0, "%s", err.text);
    cluster->admin = cluster_client(cluster, NULL);
    ck_assert_int_eq(cleat_apiserver_kubeconfig(cluster->server, "dev", groups, &config, &err), 0);
    const struct cleat_client_options client = {.config = config};
    ck_assert_int_eq(cleat_client_new(&client, dev, &err), 0);
    (void)cleat_kubeconfig_free(config);
}

static int dev_get(struct cleat_client *dev, const char *namespace_, const char *name)
{
    const struct cleat_client_target target = {&configmaps, namespace_, name, NULL};
    return cleat_client_get(dev, &target, NULL, NULL, NULL);
}

static int dev_patch(struct cleat_client *dev, const char *name)
{
    const struct cleat_client_target target = {&configmaps, "default", name, NULL};
    return cleat_client_patch(dev, &target, CLEAT_PATCH_MERGE, CLEAT_STR("{}"), NULL, NULL, NULL);
}

/* What was forbidden is what a review says is forbidden, and the other way round. */
static void compare_with_reviews(struct cluster *cluster, const struct audit_log *log)
{
    struct cleat_document *groups = NULL;
    ck_assert_int_eq(
        cleat_document_parse(CLEAT_STR("[\"devs\",\"system:authenticated\"]"), &groups, NULL), 0);
    for (size_t i = 0; i < log->count; i++) {
        bool allowed = false;
        struct cleat_err err = CLEAT_ERR_INIT;
        const struct cleat_access_question question = {
            .user = "dev",
            .groups = cleat_document_root(groups),
            .verb = log->entries[i].verb,
            .group = log->entries[i].group,
            .version = "v1",
            .plural = log->entries[i].plural,
            .subresource = log->entries[i].subresource[0] ? log->entries[i].subresource : NULL,
            .namespace_ = log->entries[i].namespace_,
            .name = log->entries[i].name};
        ck_assert_msg(cleat_client_access(cluster->admin, &question, 0, &allowed, NULL, &err) == 0,
                      "%s", err.text);
        ck_assert_msg(allowed == (log->entries[i].code != 403),
                      "%s %s %s: %d, but the review says %d", log->entries[i].verb,
                      log->entries[i].plural, log->entries[i].name, log->entries[i].code, allowed);
    }
    (void)cleat_document_unref(groups);
}

START_TEST(test_rbac)
{
    static struct audit_log log = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct cluster cluster;
    struct cleat_client *dev = NULL;
    const struct cleat_client_target all = {&configmaps, "default", NULL, NULL};
    rbac_open(&cluster, &log, &dev);
    ck_assert_int_eq(
        cluster_make(&cluster, &configmaps, "default", "{\"metadata\":{\"name\":\"a\"}}"), 0);
    ck_assert_int_eq(
        cluster_make(&cluster, &configmaps, "default", "{\"metadata\":{\"name\":\"b\"}}"), 0);
    ck_assert_int_eq(dev_get(dev, "default", "a"), -EACCES);
    ck_assert_int_eq(
        cluster_make(
            &cluster, &roles, "default",
            "{\"metadata\":{\"name\":\"r\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":["
            "\"configmaps\"],\"verbs\":[\"get\",\"list\"]},{\"apiGroups\":[\"\"],\"resources\":["
            "\"configmaps\"],\"resourceNames\":[\"a\"],\"verbs\":[\"patch\"]}]}"),
        0);
    ck_assert_int_eq(dev_get(dev, "default", "a"), -EACCES);
    ck_assert_int_eq(
        cluster_make(
            &cluster, &bindings, "default",
            "{\"metadata\":{\"name\":\"rb\"},\"subjects\":[{\"apiGroup\":"
            "\"rbac.authorization.k8s.io\",\"kind\":\"Group\",\"name\":\"devs\"}],\"roleRef\":{"
            "\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"r\"}}"),
        0);
    ck_assert_int_eq(dev_get(dev, "default", "a"), 0);
    ck_assert_int_eq(dev_get(dev, "kube-system", "a"), -EACCES);
    ck_assert_int_eq(cleat_client_list(dev, &all, NULL, NULL, NULL), 0);
    ck_assert_int_eq(dev_patch(dev, "a"), 0);
    ck_assert_int_eq(dev_patch(dev, "b"), -EACCES);
    const struct cleat_client_target a = {&configmaps, "default", "a", NULL};
    ck_assert_int_eq(cleat_client_delete(dev, &a, NULL, NULL, NULL), -EACCES);
    /* Before anything is taken away again; the first two were refused for want of the binding. */
    struct audit_log now = {.count = 0};
    pthread_mutex_lock(&log.lock);
    ck_assert_uint_ge(log.count, 8);
    now.count = log.count - 2;
    memcpy(now.entries, log.entries + 2, now.count * sizeof(log.entries[0]));
    pthread_mutex_unlock(&log.lock);
    compare_with_reviews(&cluster, &now);
    ck_assert_int_eq(cluster_remove(&cluster, &bindings, "default", "rb"), 0);
    ck_assert_int_eq(dev_get(dev, "default", "a"), -EACCES);
    dev = cleat_client_unref(dev);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("admission", test_mutating_then_validating, test_refusals, test_untrusted_webhook,
                 test_dry_run, test_no_lock_is_held, test_own_identities, test_rbac)
