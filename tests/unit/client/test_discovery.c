/* SPDX-License-Identifier: Apache-2.0 */
/* Discovery in both forms: kinds by group, by name and by plural, preference, reloading, failures.
 */
#include <pthread.h>
#include <stdio.h>
#include <cleat/discovery.h>
#include "support/client_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define RESOURCE(plural, kind, scope)                                                    \
    "{\"resource\":\"" plural                                                            \
    "\",\"responseKind\":{\"group\":\"\",\"version\":\"\",\"kind\":\"" kind              \
    "\"},\"scope\":\"" scope "\",\"singularResource\":\"\",\"verbs\":[\"get\",\"list\"," \
    "\"watch\",\"proxy\"]}"
#define VERSION(version, resources) \
    "{\"version\":\"" version "\",\"freshness\":\"Current\",\"resources\":[" resources "]}"
#define GROUP(group, versions) "{\"metadata\":{\"name\":\"" group "\"},\"versions\":[" versions "]}"
#define AGGREGATED(groups)                                                      \
    "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/" \
    "v2\",\"items\":[" groups "]}"

#define CORE                                                                                       \
    AGGREGATED(                                                                                    \
        GROUP("", VERSION("v1", RESOURCE("pods", "Pod", "Namespaced") "," RESOURCE(                \
                                    "events", "Event", "Namespaced") "," RESOURCE("nodes", "Node", \
                                                                                  "Cluster"))))
#define GROUPS                                                                                      \
    GROUP("apps", VERSION("v1", RESOURCE("deployments", "Deployment", "Namespaced")))               \
    "," GROUP("events.k8s.io", VERSION("v1", RESOURCE("events", "Event", "Namespaced"))) "," GROUP( \
        "a.example",                                                                                \
        VERSION("v2", RESOURCE("widgets", "Widget", "Namespaced")) "," VERSION(                     \
            "v1",                                                                                   \
            RESOURCE("widgets", "Widget", "Cluster") "," RESOURCE(                                  \
                "old", "Old",                                                                       \
                "Cluster"))) "," GROUP("b.example",                                                 \
                                       VERSION(                                                     \
                                           "v1",                                                    \
                                           RESOURCE(                                                \
                                               "widgets", "Widget",                                 \
                                               "Namespaced"))) "," GROUP("stale.example",           \
                                                                         "{\"version\":\"v1\","     \
                                                                         "\"freshness\":"           \
                                                                         "\"Stale\","               \
                                                                         "\"resources\":[]}")

/* Paths and their answers; NULL is 404. @more replaces the first once @grown is set. */
struct answer {
    const char *path;
    int status;
    const char *body;
};

struct script {
    const struct answer *answers;
    _Atomic(const struct answer *) grown;
    char accept[512];
};

static void script_run(void *arg, struct script_exchange *exchange,
                       const struct script_request *request)
{
    struct script *script = arg;
    const struct answer *grown = script->grown;
    const struct answer *at = grown ? grown : script->answers;
    if (strcmp(request->target, "/apis") == 0)
        script_header(request, "accept", script->accept, sizeof(script->accept));
    while (at->path && strcmp(at->path, request->target) != 0)
        at++;
    script_reply(exchange, at->path ? at->status : 404, NULL, at->path ? at->body : "");
}

static const struct answer aggregated[] = {
    {"/api", 200, CORE}, {"/apis", 200, AGGREGATED(GROUPS)}, {NULL, 0, NULL}};

static const struct answer grown[] = {
    {"/api", 200, CORE},
    {"/apis", 200,
     AGGREGATED(GROUPS
                "," GROUP("new.example", VERSION("v1", RESOURCE("news", "News", "Cluster"))))},
    {NULL, 0, NULL}};

#define LEGACY_RESOURCE(plural, kind, namespaced)                               \
    "{\"name\":\"" plural "\",\"singularName\":\"\",\"namespaced\":" namespaced \
    ",\"kind\":\"" kind "\",\"verbs\":[\"create\",\"delete\"]}"
#define LEGACY_LIST(resources) \
    "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"resources\":[" resources "]}"

static const struct answer legacy[] = {
    {"/api", 200, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}"},
    {"/api/v1", 200,
     LEGACY_LIST(LEGACY_RESOURCE("pods", "Pod", "true") "," LEGACY_RESOURCE(
         "pods/log", "Pod", "true") "," LEGACY_RESOURCE("events", "Event",
                                                        "true") "," LEGACY_RESOURCE("nodes", "Node",
                                                                                    "false"))},
    {"/apis", 200,
     "{\"kind\":\"APIGroupList\",\"groups\":["
     "{\"name\":\"apps\",\"versions\":[{\"version\":\"v1\"}],\"preferredVersion\":{\"version\":"
     "\"v1\"}},"
     "{\"name\":\"events.k8s.io\",\"versions\":[{\"version\":\"v1\"}],\"preferredVersion\":{"
     "\"version\":\"v1\"}},"
     "{\"name\":\"a.example\",\"versions\":[{\"version\":\"v1\"},{\"version\":\"v2\"}],"
     "\"preferredVersion\":{\"version\":\"v2\"}},"
     "{\"name\":\"b.example\",\"versions\":[{\"version\":\"v1\"}],\"preferredVersion\":{"
     "\"version\":\"v1\"}},"
     "{\"name\":\"stale.example\",\"versions\":[{\"version\":\"v1\"}],\"preferredVersion\":{"
     "\"version\":\"v1\"}}]}"},
    {"/apis/apps/v1", 200, LEGACY_LIST(LEGACY_RESOURCE("deployments", "Deployment", "true"))},
    {"/apis/events.k8s.io/v1", 200, LEGACY_LIST(LEGACY_RESOURCE("events", "Event", "true"))},
    {"/apis/a.example/v1", 200,
     LEGACY_LIST(
         LEGACY_RESOURCE("widgets", "Widget", "false") "," LEGACY_RESOURCE("old", "Old", "false"))},
    {"/apis/a.example/v2", 200, LEGACY_LIST(LEGACY_RESOURCE("widgets", "Widget", "true"))},
    {"/apis/b.example/v1", 200, LEGACY_LIST(LEGACY_RESOURCE("widgets", "Widget", "true"))},
    {"/apis/stale.example/v1", 503, "service unavailable"},
    {NULL, 0, NULL}};

struct env {
    struct client_fixture fixture;
    struct script script;
    struct cleat_fake_clock fake;
    struct cleat_discovery *discovery;
    struct cleat_err err;
};

static void env_init(struct env *env, const struct answer *answers)
{
    *env = (struct env){.script = {.answers = answers}};
    cleat_fake_clock_init(&env->fake);
    client_fixture_init(&env->fixture, script_run, &env->script);
    client_fixture_open(&env->fixture);
    ck_assert_int_eq(cleat_discovery_new(env->fixture.client, &env->fake.clock, &env->discovery),
                     0);
}

static void env_fini(struct env *env)
{
    env->discovery = cleat_discovery_free(env->discovery);
    client_fixture_fini(&env->fixture);
}

static int ask_kind(struct env *env, const char *group, const char *version, const char *kind,
                    struct cleat_resource *ret)
{
    struct cleat_gvk gvk;
    cleat_err_clear(&env->err);
    ck_assert_int_eq(cleat_gvk_make(&gvk, group, version, kind), 0);
    return cleat_discovery_kind(env->discovery, &gvk, ret, &env->err);
}

static void check_both(const struct answer *answers, unsigned verbs)
{
    struct env env;
    struct cleat_resource found;
    env_init(&env, answers);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), 0);
    ck_assert_str_eq(found.plural, "pods");
    ck_assert_str_eq(found.singular, "pod");
    ck_assert_str_eq(found.gvk.group, "");
    ck_assert(found.namespaced);
    ck_assert_uint_eq(found.verbs, verbs);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Node", &found), 0);
    ck_assert(!found.namespaced);
    /* The preferred version, and a kind that only the other has. */
    ck_assert_int_eq(ask_kind(&env, "a.example", "", "Widget", &found), 0);
    ck_assert_str_eq(found.gvk.version, "v2");
    ck_assert_int_eq(ask_kind(&env, "a.example", "v1", "Widget", &found), 0);
    ck_assert(!found.namespaced);
    ck_assert_int_eq(ask_kind(&env, "a.example", "", "Old", &found), 0);
    ck_assert_str_eq(found.gvk.version, "v1");
    ck_assert_int_eq(ask_kind(&env, "a.example", "v2", "Old", &found), CLEAT_DISCOVERY_UNKNOWN);
    ck_assert_int_eq(
        cleat_discovery_plural(env.discovery, "apps", NULL, "deployments", &found, NULL), 0);
    ck_assert_str_eq(found.gvk.kind, "Deployment");
    ck_assert_int_eq(
        cleat_discovery_plural(env.discovery, "a.example", "v1", "widgets", &found, NULL), 0);
    ck_assert_str_eq(found.gvk.version, "v1");
    ck_assert_int_eq(
        cleat_discovery_plural(env.discovery, "apps", "v2", "deployments", &found, NULL),
        CLEAT_DISCOVERY_UNKNOWN);
    env_fini(&env);
}

START_TEST(test_both_forms)
{
    check_both(aggregated, CLEAT_VERB_GET | CLEAT_VERB_LIST | CLEAT_VERB_WATCH);
    check_both(legacy, CLEAT_VERB_CREATE | CLEAT_VERB_DELETE);
}
END_TEST

static void check_find(const struct answer *answers)
{
    struct env env;
    struct cleat_resource found;
    env_init(&env, answers);
    ck_assert_int_eq(cleat_discovery_find(env.discovery, "Deployment", &found, NULL), 0);
    ck_assert_str_eq(found.gvk.group, "apps");
    ck_assert_int_eq(cleat_discovery_find(env.discovery, "Event", &found, NULL), 0);
    ck_assert_str_eq(found.gvk.group, "");
    ck_assert_int_eq(cleat_discovery_find(env.discovery, "Widget", &found, &env.err),
                     CLEAT_DISCOVERY_AMBIGUOUS);
    ck_assert_str_eq(env.err.text,
                     "kind Widget is served by several groups: a.example/v2, b.example/v1");
    cleat_err_clear(&env.err);
    ck_assert_int_eq(cleat_discovery_find(env.discovery, "pod", &found, &env.err),
                     CLEAT_DISCOVERY_UNKNOWN);
    ck_assert_str_eq(env.err.text, "kind pod isn't served (some groups couldn't be asked)");
    env_fini(&env);
}

START_TEST(test_find)
{
    check_find(aggregated);
    check_find(legacy);
}
END_TEST

START_TEST(test_failed_group)
{
    struct env env;
    struct cleat_resource found;
    env_init(&env, aggregated);
    ck_assert_int_eq(ask_kind(&env, "stale.example", "v1", "X", &found), -EAGAIN);
    ck_assert_str_eq(env.err.text, "discovery: stale.example/v1 is served by nobody at present");
    ck_assert_int_eq(ask_kind(&env, "other.example", "v1", "X", &found), CLEAT_DISCOVERY_UNKNOWN);
    ck_assert_str_eq(env.err.text, "kind X of group other.example isn't served (some groups "
                                   "couldn't be asked)");
    env_fini(&env);
    env_init(&env, legacy);
    ck_assert_int_eq(ask_kind(&env, "stale.example", "v1", "X", &found), -EIO);
    ck_assert_int_eq(env.err.http_status, 503);
    env_fini(&env);
}
END_TEST

START_TEST(test_loaded_once)
{
    struct env env;
    struct cleat_resource found;
    env_init(&env, aggregated);
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 0);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), 0);
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 2);
    ck_assert_ptr_nonnull(strstr(env.script.accept, "g=apidiscovery.k8s.io;v=v2;as="
                                                    "APIGroupDiscoveryList"));
    cleat_discovery_invalidate(env.discovery);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), 0);
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 4);
    env_fini(&env);
}
END_TEST

START_TEST(test_reload_on_a_miss)
{
    struct env env;
    struct cleat_resource found;
    env_init(&env, aggregated);
    ck_assert_int_eq(ask_kind(&env, "new.example", "v1", "News", &found), CLEAT_DISCOVERY_UNKNOWN);
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 2);
    env.script.grown = grown;
    cleat_fake_clock_advance_ms(&env.fake, 9999);
    ck_assert_int_eq(ask_kind(&env, "new.example", "v1", "News", &found), CLEAT_DISCOVERY_UNKNOWN);
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 2);
    cleat_fake_clock_advance_ms(&env.fake, 1);
    ck_assert_int_eq(ask_kind(&env, "new.example", "v1", "News", &found), 0);
    ck_assert_str_eq(found.plural, "news");
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 4);
    env_fini(&env);
}
END_TEST

START_TEST(test_one_half_fails)
{
    static const struct answer no_groups[] = {
        {"/api", 200, CORE}, {"/apis", 403, ""}, {NULL, 0, NULL}};
    static const struct answer no_core[] = {
        {"/api", 500, ""}, {"/apis", 200, AGGREGATED(GROUPS)}, {NULL, 0, NULL}};
    static const struct answer gone[] = {
        {"/api", 200, CORE},
        {"/apis", 200,
         "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"a.example\",\"versions\":["
         "{\"version\":\"v1\"}],\"preferredVersion\":{\"version\":\"v1\"}}]}"},
        {NULL, 0, NULL}};
    static const struct answer nothing[] = {{"/api", 403, ""}, {"/apis", 403, ""}, {NULL, 0, NULL}};
    static const struct answer other[] = {
        {"/api", 200, "{\"kind\":\"Pod\"}"}, {"/apis", 200, "[]"}, {NULL, 0, NULL}};
    struct env env;
    struct cleat_resource found;
    env_init(&env, no_groups);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), 0);
    ck_assert_int_eq(ask_kind(&env, "apps", "v1", "Deployment", &found), -EACCES);
    env_fini(&env);
    env_init(&env, no_core);
    ck_assert_int_eq(ask_kind(&env, "apps", "v1", "Deployment", &found), 0);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), -EIO);
    env_fini(&env);
    env_init(&env, gone);
    ck_assert_int_eq(ask_kind(&env, "a.example", "v1", "Widget", &found), CLEAT_DISCOVERY_UNKNOWN);
    ck_assert_str_eq(env.err.text, "kind Widget of group a.example isn't served");
    env_fini(&env);
    env_init(&env, nothing);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), -EACCES);
    env.script.grown = aggregated;
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), 0);
    env_fini(&env);
    env_init(&env, other);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), -EPROTO);
    ck_assert_ptr_nonnull(strstr(env.err.text, "/apis: not a discovery document"));
    env_fini(&env);
}
END_TEST

START_TEST(test_unreachable_after_loading)
{
    struct env env;
    struct cleat_resource found;
    env_init(&env, aggregated);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), 0);
    env.fixture.server = script_server_free(env.fixture.server);
    cleat_fake_clock_advance_ms(&env.fake, 60000);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), 0);
    ck_assert_int_eq(ask_kind(&env, "apps", "v1", "Unheard", &found), -ECONNREFUSED);
    ck_assert_int_eq(ask_kind(&env, "", "v1", "Pod", &found), 0);
    env_fini(&env);
}
END_TEST

static void *ask_thread(void *arg)
{
    struct env *env = arg;
    for (int i = 0; i < 50; i++) {
        struct cleat_resource found;
        int result = cleat_discovery_find(env->discovery, "Pod", &found, NULL);
        if (result != 0 || strcmp(found.plural, "pods") != 0)
            return arg;
        if (i % 10 == 9)
            cleat_discovery_invalidate(env->discovery);
    }
    return NULL;
}

START_TEST(test_many_threads)
{
    struct env env;
    pthread_t threads[6];
    env_init(&env, aggregated);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_thread, &env), 0);
    for (int i = 0; i < 6; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    env_fini(&env);
}
END_TEST

CLEAT_SUITE_MAIN("discovery", test_both_forms, test_find, test_failed_group, test_loaded_once,
                 test_reload_on_a_miss, test_one_half_fails, test_unreachable_after_loading,
                 test_many_threads)
