/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client against an API server: the embedded one, or with CLEAT_TEST_KUBECONFIG any other (then
 * what only the embedded one can be told to do is left out).
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/apiserver.h>
#include <cleat/client.h>
#include <cleat/discovery.h>
#include "base/mem.h"
#include "client/transport.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource namespaces = {
    {"", "v1", "Namespace"}, "namespaces", "namespace", false, 0};
static const struct cleat_resource config_maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0};
static const struct cleat_resource deployments = {
    {"apps", "v1", "Deployment"}, "deployments", "deployment", true, 0};

struct env {
    struct cleat_apiserver *server; /* NULL: an outside one */
    struct cleat_kubeconfig *config;
    struct cleat_client *client;
    char ns[64]; /* a namespace of the test's own */
    struct cleat_err err;
};

#define OK(env, call) ck_assert_msg((call) == 0, "%s: %s", #call, cleat_err_text(&(env)->err))
#define FAILS(env, code, call)                                        \
    do {                                                              \
        cleat_err_clear(&(env)->err);                                 \
        int result_ = (call);                                         \
        ck_assert_msg(result_ == (code), "%s: %d %s", #call, result_, \
                      cleat_err_text(&(env)->err));                   \
    } while (0)

static struct cleat_document *document_of(const char *format, ...) CLEAT_PRINTF(1, 2);

static struct cleat_document *document_of(const char *format, ...)
{
    char text[4096];
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ck_assert_msg(cleat_document_parse(cleat_str_of(text), &document, &err) == 0, "%s", err.text);
    return document;
}

static int create(struct env *env, const struct cleat_resource *resource, const char *namespace_,
                  struct cleat_document *body, struct cleat_object **ret)
{
    const struct cleat_client_target target = {.resource = resource, .namespace_ = namespace_};
    int result =
        cleat_client_create(env->client, &target, cleat_document_root(body), NULL, ret, &env->err);
    cleat_document_unref(body);
    return result;
}

static void env_config(struct env *env)
{
    const char *path = getenv("CLEAT_TEST_KUBECONFIG");
    if (path) {
        const struct cleat_kubeconfig_options options = {.path = path};
        OK(env, cleat_kubeconfig_load(&options, &env->config, &env->err));
        return;
    }
    const struct cleat_apiserver_options options = {.rbac = false};
    OK(env, cleat_apiserver_new(&options, &env->server, &env->err));
    OK(env, cleat_apiserver_start(env->server, &env->err));
    OK(env, cleat_apiserver_kubeconfig(env->server, "tester", NULL, &env->config, &env->err));
}

static void env_init(struct env *env)
{
    *env = (struct env){.server = NULL};
    env_config(env);
    const struct cleat_client_options options = {.config = env->config};
    OK(env, cleat_client_new(&options, &env->client, &env->err));
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *made = NULL;
    OK(env, create(env, &namespaces, NULL,
                   document_of("{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":"
                               "{\"generateName\":\"client-\"}}"),
                   &made));
    (void)snprintf(env->ns, sizeof(env->ns), "%.*s", CLEAT_STR_ARG(cleat_object_name(made)));
}

static void env_fini(struct env *env)
{
    const struct cleat_client_target target = {.resource = &namespaces, .name = env->ns};
    OK(env, cleat_client_delete(env->client, &target, NULL, NULL, &env->err));
    env->client = cleat_client_unref(env->client);
    env->config = cleat_kubeconfig_free(env->config);
    env->server = cleat_apiserver_free(env->server);
}

static struct cleat_document *config_map(const char *name, const char *value)
{
    return document_of(
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
        "\"labels\":{\"of\":\"test\"}},\"data\":{\"key\":\"%s\"}}",
        name, value);
}

START_TEST(test_life_of_an_object)
{
    struct env env;
    struct cleat_object *made = NULL;
    struct cleat_object *got = NULL;
    struct cleat_object *updated = NULL;
    struct cleat_draft *draft = NULL;
    env_init(&env);
    const struct cleat_client_target target = {&config_maps, env.ns, "a", NULL};
    FAILS(&env, -ENOENT, cleat_client_get(env.client, &target, NULL, NULL, &env.err));
    ck_assert_str_eq(env.err.reason, "NotFound");
    ck_assert_int_eq(env.err.http_status, 404);
    ck_assert_str_eq(env.err.text, "configmaps \"a\" not found");
    cleat_err_clear(&env.err);
    OK(&env, create(&env, &config_maps, env.ns, config_map("a", "1"), &made));
    FAILS(&env, -EEXIST, create(&env, &config_maps, env.ns, config_map("a", "1"), NULL));
    ck_assert_str_eq(env.err.reason, "AlreadyExists");

    cleat_err_clear(&env.err);
    OK(&env, cleat_client_get(env.client, &target, NULL, &got, &env.err));
    ck_assert(cleat_str_equal(cleat_object_uid(got), cleat_object_uid(made)));
    ck_assert(
        cleat_str_equal(cleat_object_resource_version(got), cleat_object_resource_version(made)));
    OK(&env, cleat_draft_new(cleat_object_value(got), &draft, &env.err));
    OK(&env, cleat_draft_set_text(draft, "data.key", "2", &env.err));
    OK(&env, cleat_client_update_draft(env.client, &target, got, draft, NULL, &updated, &env.err));
    ck_assert(cleat_value_is(cleat_object_find(updated, "data.key"), "2"));
    /* The version that the draft began from is gone. */
    FAILS(&env, -EAGAIN,
          cleat_client_update_draft(env.client, &target, got, draft, NULL, NULL, &env.err));
    ck_assert_str_eq(env.err.reason, "Conflict");
    cleat_draft_free(draft);
    made = cleat_object_unref(made);
    got = cleat_object_unref(got);

    const struct cleat_client_call wrong_uid = {.uid = "0d5ee6a4-0000-4000-8000-000000000000"};
    FAILS(&env, -EAGAIN, cleat_client_delete(env.client, &target, &wrong_uid, NULL, &env.err));
    const struct cleat_client_call wrong_version = {.precondition_resource_version = "1"};
    FAILS(&env, -EAGAIN, cleat_client_delete(env.client, &target, &wrong_version, NULL, &env.err));
    char uid[64];
    char version[64];
    (void)snprintf(uid, sizeof(uid), "%.*s", CLEAT_STR_ARG(cleat_object_uid(updated)));
    (void)snprintf(version, sizeof(version), "%.*s",
                   CLEAT_STR_ARG(cleat_object_resource_version(updated)));
    const struct cleat_client_call right = {.uid = uid, .precondition_resource_version = version};
    cleat_err_clear(&env.err);
    OK(&env, cleat_client_delete(env.client, &target, &right, NULL, &env.err));
    FAILS(&env, -ENOENT, cleat_client_delete(env.client, &target, NULL, NULL, &env.err));
    cleat_err_clear(&env.err);
    cleat_object_unref(updated);
    env_fini(&env);
}
END_TEST

START_TEST(test_patches)
{
    struct env env;
    struct cleat_object *object = NULL;
    env_init(&env);
    const struct cleat_client_target target = {&config_maps, env.ns, "p", NULL};
    OK(&env, create(&env, &config_maps, env.ns, config_map("p", "1"), NULL));
    OK(&env, cleat_client_patch(env.client, &target, CLEAT_PATCH_MERGE,
                                CLEAT_STR("{\"data\":{\"key\":null,\"other\":\"x\"}}"), NULL,
                                &object, &env.err));
    ck_assert(!cleat_value_is_present(cleat_object_find(object, "data.key")));
    ck_assert(cleat_value_is(cleat_object_find(object, "data.other"), "x"));
    object = cleat_object_unref(object);
    OK(&env, cleat_client_patch(env.client, &target, CLEAT_PATCH_JSON,
                                CLEAT_STR("[{\"op\":\"test\",\"path\":\"/data/other\",\"value\":"
                                          "\"x\"},{\"op\":\"replace\",\"path\":\"/data/other\","
                                          "\"value\":\"y\"}]"),
                                NULL, &object, &env.err));
    ck_assert(cleat_value_is(cleat_object_find(object, "data.other"), "y"));
    object = cleat_object_unref(object);
    FAILS(&env, -EINVAL,
          cleat_client_patch(
              env.client, &target, CLEAT_PATCH_JSON,
              CLEAT_STR("[{\"op\":\"test\",\"path\":\"/data/other\",\"value\":\"n\"}]"), NULL, NULL,
              &env.err));
    ck_assert_int_eq(env.err.http_status, 422);
    FAILS(&env, -EAGAIN,
          cleat_client_patch(env.client, &target, CLEAT_PATCH_MERGE,
                             CLEAT_STR("{\"metadata\":{\"resourceVersion\":\"1\"},\"data\":{\"a\":"
                                       "\"b\"}}"),
                             NULL, NULL, &env.err));
    cleat_err_clear(&env.err);
    env_fini(&env);
}
END_TEST

START_TEST(test_status)
{
    struct env env;
    struct cleat_object *made = NULL;
    struct cleat_object *updated = NULL;
    struct cleat_draft *draft = NULL;
    env_init(&env);
    OK(&env,
       create(&env, &deployments, env.ns,
              document_of("{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{"
                          "\"name\":\"d\"},\"spec\":{\"replicas\":0,\"selector\":{\"matchLabels\":"
                          "{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},"
                          "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}}}"),
              &made));
    const struct cleat_client_target target = {&deployments, env.ns, "d", "status"};
    OK(&env, cleat_draft_new(cleat_object_value(made), &draft, &env.err));
    OK(&env, cleat_draft_set_int(draft, "status.observedGeneration", 1, &env.err));
    OK(&env, cleat_draft_set_int(draft, "spec.replicas", 9, &env.err));
    OK(&env, cleat_client_update_draft(env.client, &target, made, draft, NULL, &updated, &env.err));
    ck_assert_int_eq(cleat_value_int_or(cleat_object_find(updated, "status.observedGeneration"), 0),
                     1);
    ck_assert_int_eq(cleat_value_int_or(cleat_object_find(updated, "spec.replicas"), -1), 0);
    cleat_draft_free(draft);
    cleat_object_unref(made);
    cleat_object_unref(updated);
    env_fini(&env);
}
END_TEST

struct count {
    int items;
    int stop_after;
    uint64_t names; /* one bit each */
};

static int count_item(void *arg, struct cleat_value item)
{
    struct count *count = arg;
    struct cleat_scratch scratch;
    struct cleat_str name = cleat_value_text(cleat_value_find(item, "metadata.name"), &scratch);
    count->items++;
    if (name.length > 1 && name.data[0] == 'n')
        count->names |= UINT64_C(1) << strtoul(name.data + 1, NULL, 10);
    ck_assert(cleat_value_is_present(cleat_value_find(item, "metadata.resourceVersion")));
    ck_assert(cleat_value_is(cleat_value_get(item, "kind"), "ConfigMap"));
    return count->items == count->stop_after ? 5 : 0;
}

static void make_many(struct env *env, int number)
{
    for (int i = 0; i < number; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        OK(env, create(env, &config_maps, env->ns, config_map(name, "v"), NULL));
    }
}

START_TEST(test_lists)
{
    struct env env;
    struct cleat_object *list = NULL;
    env_init(&env);
    make_many(&env, 25);
    const struct cleat_client_target target = {.resource = &config_maps, .namespace_ = env.ns};
    struct cleat_client_call call = {.limit = 7, .label_selector = "of=test"};
    struct count all = {.items = 0};
    OK(&env, cleat_client_list_each(env.client, &target, &call, count_item, &all, &env.err));
    ck_assert_int_eq(all.items, 25);
    ck_assert_uint_eq(all.names, (UINT64_C(1) << 25) - 1);
    struct count some = {.stop_after = 9};
    ck_assert_int_eq(cleat_client_list_each(env.client, &target, &call, count_item, &some, NULL),
                     5);
    OK(&env, cleat_client_list(env.client, &target, &call, &list, &env.err));
    ck_assert_uint_eq(cleat_value_count(cleat_object_find(list, "items")), 7);
    ck_assert(cleat_value_is_present(cleat_object_find(list, "metadata.continue")));
    list = cleat_object_unref(list);
    call = (struct cleat_client_call){.field_selector = "metadata.name=n3", .metadata_only = true};
    OK(&env, cleat_client_list(env.client, &target, &call, &list, &env.err));
    ck_assert_uint_eq(cleat_value_count(cleat_object_find(list, "items")), 1);
    ck_assert(cleat_value_is(cleat_object_find(list, "kind"), "PartialObjectMetadataList"));
    list = cleat_object_unref(list);
    const struct cleat_client_call labelled = {.label_selector = "of in (test),!absent"};
    OK(&env, cleat_client_delete_collection(env.client, &target, &labelled, &env.err));
    struct count none = {.items = 0};
    OK(&env, cleat_client_list_each(env.client, &target, &labelled, count_item, &none, &env.err));
    ck_assert_int_eq(none.items, 0);
    env_fini(&env);
}
END_TEST

START_TEST(test_expired)
{
    struct env env;
    struct cleat_object *list = NULL;
    env_init(&env);
    if (env.server) {
        make_many(&env, 5);
        const struct cleat_client_target target = {.resource = &config_maps, .namespace_ = env.ns};
        struct cleat_client_call call = {.limit = 2};
        OK(&env, cleat_client_list(env.client, &target, &call, &list, &env.err));
        char next[512];
        struct cleat_scratch scratch;
        struct cleat_str text =
            cleat_value_text(cleat_object_find(list, "metadata.continue"), &scratch);
        (void)snprintf(next, sizeof(next), "%.*s", CLEAT_STR_ARG(text));
        list = cleat_object_unref(list);
        OK(&env, create(&env, &config_maps, env.ns, config_map("n9", "v"), NULL));
        cleat_apiserver_compact(env.server);
        call.continue_ = next;
        FAILS(&env, -ESTALE, cleat_client_list(env.client, &target, &call, &list, &env.err));
        ck_assert_int_eq(env.err.http_status, 410);
        cleat_err_clear(&env.err);
    }
    env_fini(&env);
}
END_TEST

struct events {
    struct env *env;
    char text[512];
    int count;
    int stop_after;
};

static int see_event(void *arg, struct cleat_str type, struct cleat_object *object)
{
    struct events *events = arg;
    if (cleat_str_is(type, "BOOKMARK"))
        return 0;
    size_t used = strlen(events->text);
    (void)snprintf(events->text + used, sizeof(events->text) - used, "%.*s %.*s;",
                   CLEAT_STR_ARG(type), CLEAT_STR_ARG(cleat_object_name(object)));
    events->count++;
    return events->count == events->stop_after ? 3 : 0;
}

START_TEST(test_watch)
{
    struct env env;
    struct cleat_object *list = NULL;
    env_init(&env);
    const struct cleat_client_target target = {.resource = &config_maps, .namespace_ = env.ns};
    const struct cleat_client_target one = {&config_maps, env.ns, "w", NULL};
    OK(&env, cleat_client_list(env.client, &target, NULL, &list, &env.err));
    char version[64];
    (void)snprintf(version, sizeof(version), "%.*s",
                   CLEAT_STR_ARG(cleat_object_resource_version(list)));
    cleat_object_unref(list);
    OK(&env, create(&env, &config_maps, env.ns, config_map("w", "1"), NULL));
    OK(&env, cleat_client_patch(env.client, &one, CLEAT_PATCH_MERGE,
                                CLEAT_STR("{\"data\":{\"key\":\"2\"}}"), NULL, NULL, &env.err));
    OK(&env, cleat_client_delete(env.client, &one, NULL, NULL, &env.err));
    struct events events = {.env = &env, .stop_after = 3};
    const struct cleat_client_call call = {.resource_version = version,
                                           .label_selector = "of=test"};
    ck_assert_int_eq(cleat_client_watch(env.client, &target, &call, see_event, &events, &env.err),
                     3);
    ck_assert_str_eq(events.text, "ADDED w;MODIFIED w;DELETED w;");
    /* It ends by itself at the deadline. */
    struct events none = {.env = &env};
    const struct cleat_client_call limited = {
        .resource_version = version,
        .label_selector = "of=nobody",
        .deadline_mono_ms = cleat_clock_mono_ms(cleat_clock_system()) + 1900,
    };
    int result = cleat_client_watch(env.client, &target, &limited, see_event, &none, &env.err);
    ck_assert_msg(result == 0, "%d %s", result, cleat_err_text(&env.err));
    ck_assert_int_eq(none.count, 0);
    env_fini(&env);
}
END_TEST

static int see_initial(void *arg, struct cleat_str type, struct cleat_object *object)
{
    struct events *events = arg;
    if (!cleat_str_is(type, "BOOKMARK"))
        return see_event(arg, type, object);
    struct cleat_value mark =
        cleat_object_find(object, "metadata.annotations[\"k8s.io/initial-events-end\"]");
    ck_assert_uint_gt(cleat_object_resource_version(object).length, 0);
    return cleat_value_is(mark, "true") && events->count == 2 ? 8 : 0;
}

START_TEST(test_streaming_list)
{
    struct env env;
    env_init(&env);
    OK(&env, create(&env, &config_maps, env.ns, config_map("s1", "1"), NULL));
    OK(&env, create(&env, &config_maps, env.ns, config_map("s2", "1"), NULL));
    const struct cleat_client_target target = {.resource = &config_maps, .namespace_ = env.ns};
    const struct cleat_client_call call = {.resource_version_match = "NotOlderThan",
                                           .label_selector = "of=test"};
    struct events events = {.env = &env};
    int result = cleat_client_watch(env.client, &target, &call, see_initial, &events, &env.err);
    ck_assert_msg(result == 8, "%d %s", result, cleat_err_text(&env.err));
    ck_assert_str_eq(events.text, "ADDED s1;ADDED s2;");
    env_fini(&env);
}
END_TEST

START_TEST(test_dry_run_and_metadata)
{
    struct env env;
    struct cleat_object *object = NULL;
    env_init(&env);
    const struct cleat_client_target all = {.resource = &config_maps, .namespace_ = env.ns};
    const struct cleat_client_target target = {&config_maps, env.ns, "dry", NULL};
    const struct cleat_client_call dry = {.dry_run = true};
    struct cleat_document *body = config_map("dry", "1");
    OK(&env,
       cleat_client_create(env.client, &all, cleat_document_root(body), &dry, &object, &env.err));
    ck_assert(cleat_str_is(cleat_object_name(object), "dry"));
    object = cleat_object_unref(object);
    FAILS(&env, -ENOENT, cleat_client_get(env.client, &target, NULL, NULL, &env.err));
    cleat_err_clear(&env.err);
    OK(&env,
       cleat_client_create(env.client, &all, cleat_document_root(body), NULL, NULL, &env.err));
    const struct cleat_client_call metadata = {.metadata_only = true};
    OK(&env, cleat_client_get(env.client, &target, &metadata, &object, &env.err));
    ck_assert(cleat_str_is(cleat_object_kind(object), "PartialObjectMetadata"));
    ck_assert(!cleat_value_is_present(cleat_object_find(object, "data")));
    ck_assert(cleat_value_is(cleat_object_find(object, "metadata.labels.of"), "test"));
    object = cleat_object_unref(object);
    OK(&env, cleat_client_delete(env.client, &target, &dry, NULL, &env.err));
    OK(&env, cleat_client_get(env.client, &target, NULL, NULL, &env.err));
    cleat_document_unref(body);
    env_fini(&env);
}
END_TEST

START_TEST(test_discovery)
{
    struct env env;
    struct cleat_discovery *discovery = NULL;
    struct cleat_resource found;
    struct cleat_gvk gvk;
    env_init(&env);
    OK(&env, cleat_discovery_new(env.client, NULL, &discovery));
    OK(&env, cleat_gvk_make(&gvk, "apps", "", "Deployment"));
    OK(&env, cleat_discovery_kind(discovery, &gvk, &found, &env.err));
    ck_assert_str_eq(found.plural, "deployments");
    ck_assert_str_eq(found.gvk.version, "v1");
    ck_assert(found.namespaced);
    ck_assert_uint_eq(found.verbs & CLEAT_VERB_WATCH, CLEAT_VERB_WATCH);
    OK(&env, cleat_discovery_find(discovery, "Secret", &found, &env.err));
    ck_assert_str_eq(found.gvk.group, "");
    OK(&env, cleat_discovery_find(discovery, "Lease", &found, &env.err));
    ck_assert_str_eq(found.gvk.group, "coordination.k8s.io");
    OK(&env, cleat_discovery_find(discovery, "Event", &found, &env.err));
    ck_assert_str_eq(found.gvk.group, "");
    OK(&env, cleat_discovery_plural(discovery, "", NULL, "nodes", &found, &env.err));
    ck_assert(!found.namespaced);
    FAILS(&env, CLEAT_DISCOVERY_UNKNOWN,
          cleat_discovery_find(discovery, "Unheard", &found, &env.err));
    cleat_err_clear(&env.err);
    cleat_discovery_free(discovery);
    env_fini(&env);
}
END_TEST

START_TEST(test_reviews)
{
    struct env env;
    bool allowed = false;
    char reason[256];
    struct cleat_object *review = NULL;
    struct cleat_document *version = NULL;
    env_init(&env);
    const struct cleat_access_question question = {
        .verb = "create", .plural = "pods", .namespace_ = env.ns};
    OK(&env, cleat_client_access(env.client, &question, 0, &allowed, reason, &env.err));
    ck_assert(allowed);
    OK(&env, cleat_client_whoami(env.client, &review, &env.err));
    ck_assert(cleat_value_is_present(cleat_object_find(review, "status.userInfo.username")));
    review = cleat_object_unref(review);
    OK(&env, cleat_client_token_review(env.client, "not a token", &review, &env.err));
    ck_assert(!cleat_value_is_true(cleat_object_find(review, "status.authenticated")));
    review = cleat_object_unref(review);
    OK(&env, cleat_client_raw(env.client, "GET", "/version", CLEAT_STR(""), &version, &env.err));
    ck_assert(cleat_value_is_present(cleat_value_get(cleat_document_root(version), "gitVersion")));
    cleat_document_unref(version);
    env_fini(&env);
}
END_TEST

START_TEST(test_refusals)
{
    struct env env;
    env_init(&env);
    FAILS(&env, -EINVAL, create(&env, &config_maps, env.ns, config_map("Not_A_Name", "1"), NULL));
    ck_assert_int_eq(env.err.http_status, 422);
    ck_assert_str_eq(env.err.reason, "Invalid");
    ck_assert_ptr_nonnull(strstr(env.err.text, "metadata.name"));
    FAILS(&env, -ENOENT,
          create(&env, &config_maps, "no-such-namespace", config_map("a", "1"), NULL));
    struct cleat_client *stranger = NULL;
    struct cleat_kubeconfig *config = NULL;
    cleat_err_clear(&env.err);
    OK(&env, cleat_kubeconfig_new(env.config->server, &config));
    OK(&env, cleat_kubeconfig_set(&config->ca_pem, env.config->ca_pem));
    OK(&env, cleat_kubeconfig_set(&config->tls_server_name, env.config->tls_server_name));
    OK(&env, cleat_kubeconfig_set(&config->token, "wrong"));
    const struct cleat_client_options options = {.config = config};
    OK(&env, cleat_client_new(&options, &stranger, &env.err));
    const struct cleat_client_target target = {&config_maps, env.ns, "a", NULL};
    FAILS(&env, -EPERM, cleat_client_get(stranger, &target, NULL, NULL, &env.err));
    ck_assert_str_eq(env.err.reason, "Unauthorized");
    cleat_err_clear(&env.err);
    cleat_client_unref(stranger);
    cleat_kubeconfig_free(config);
    env_fini(&env);
}
END_TEST

static void *make_and_delete(void *arg)
{
    struct env *env = arg;
    for (int i = 0; i < 20; i++) {
        CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *made = NULL;
        CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *body = NULL;
        const struct cleat_client_target all = {.resource = &config_maps, .namespace_ = env->ns};
        char name[128];
        if (cleat_document_parse(
                CLEAT_STR("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
                          "\"generateName\":\"t-\"}}"),
                &body, NULL) < 0 ||
            cleat_client_create(env->client, &all, cleat_document_root(body), NULL, &made, NULL) <
                0)
            return arg;
        (void)snprintf(name, sizeof(name), "%.*s", CLEAT_STR_ARG(cleat_object_name(made)));
        const struct cleat_client_target one = {&config_maps, env->ns, name, NULL};
        if (cleat_client_get(env->client, &one, NULL, NULL, NULL) < 0 ||
            cleat_client_delete(env->client, &one, NULL, NULL, NULL) < 0)
            return arg;
    }
    return NULL;
}

START_TEST(test_many_callers)
{
    struct env env;
    pthread_t threads[6];
    env_init(&env);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_and_delete, &env), 0);
    for (int i = 0; i < 6; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    env_fini(&env);
}
END_TEST

struct stream_seen {
    int head;
    char bytes[16384];
    size_t length;
    int ends;
};

static void seen_head(void *arg, int code, const struct cleat_err *err)
{
    ((struct stream_seen *)arg)->head = code;
}

static int seen_bytes(void *arg, const char *bytes, size_t length)
{
    struct stream_seen *seen = arg;
    size_t room = sizeof(seen->bytes) - 1 - seen->length;
    size_t take = length < room ? length : room;
    memcpy(seen->bytes + seen->length, bytes, take);
    seen->length += take;
    return 0;
}

static void seen_end(void *arg, int result, const struct cleat_err *err)
{
    ((struct stream_seen *)arg)->ends++;
}

START_TEST(test_streams)
{
    struct env env;
    struct cleat_transport_loop *loop = NULL;
    static struct stream_seen seen[8];
    memset(seen, 0, sizeof(seen));
    env_init(&env);
    OK(&env, cleat_transport_loop_new(env.client, &loop, &env.err));
    char path[256];
    (void)snprintf(path, sizeof(path), "/api/v1/namespaces/%s/configmaps?watch=true", env.ns);
    for (int i = 0; i < 8; i++) {
        const struct cleat_transport_stream_options options = {.path_and_query = path,
                                                               .stall_ms = 30000};
        const struct cleat_transport_stream_ops ops = {
            .on_head = seen_head, .on_bytes = seen_bytes, .on_end = seen_end, .arg = &seen[i]};
        OK(&env, cleat_transport_stream_start(loop, &options, &ops, NULL, &env.err));
    }
    int heads = 0;
    for (int turns = 0; heads < 8; turns++) {
        ck_assert_int_lt(turns, 400);
        OK(&env, cleat_transport_loop_run(loop, 50, &env.err));
        heads = 0;
        for (int i = 0; i < 8; i++)
            heads += seen[i].head == 200;
    }
    OK(&env, create(&env, &config_maps, env.ns, config_map("streamed", "1"), NULL));
    int found = 0;
    for (int turns = 0; found < 8; turns++) {
        ck_assert_int_lt(turns, 400);
        OK(&env, cleat_transport_loop_run(loop, 50, &env.err));
        found = 0;
        for (int i = 0; i < 8; i++)
            found += strstr(seen[i].bytes, "\"streamed\"") != NULL;
    }
    cleat_transport_loop_free(loop);
    env_fini(&env);
}
END_TEST

CLEAT_SUITE_MAIN("client against a server", test_life_of_an_object, test_patches, test_status,
                 test_lists, test_expired, test_watch, test_streaming_list,
                 test_dry_run_and_metadata, test_discovery, test_reviews, test_refusals,
                 test_many_callers, test_streams)
