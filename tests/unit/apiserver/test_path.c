/* SPDX-License-Identifier: Apache-2.0 */
#include "api_fixture.h"

START_TEST(test_open_paths)
{
    static const char *const paths[] = {"/healthz", "/livez", "/readyz", "/readyz/ping",
                                        "/version"};
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const struct api_call call = {.method = "GET", .path = paths[i], .authorization = ""};
        struct reply reply = api_run(&api, &call);
        ck_reply_code(reply, 200);
        reply_fini(&reply);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_unauthorized)
{
    static const char *const authorizations[] = {"", "Bearer x", "Basic YTpi", "Bearer"};
    static const char *const paths[] = {"/api", "/api/v1/pods", "/nothing", "/healthzzz",
                                        "/api/v1/pods?limit=x"};
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 5; j++) {
            const struct api_call call = {
                .method = "GET", .path = paths[j], .authorization = authorizations[i]};
            api_expect_status(&api, &call, 401, "Unauthorized", "Unauthorized");
        }
    api_fini(&api);
}
END_TEST

#define AGGREGATED \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

START_TEST(test_aggregated)
{
    struct api api;
    api_init(&api);
    const struct api_call core = {.method = "GET", .path = "/api", .accept = AGGREGATED};
    struct reply reply = api_run(&api, &core);
    ck_assert_str_eq(reply_text(&reply, "kind"), "APIGroupDiscoveryList");
    ck_assert_str_eq(reply.content_type,
                     "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    ck_assert_uint_eq(reply_count(&reply, "items"), 1);
    ck_assert_str_eq(reply_text(&reply, "items[0].versions[0].version"), "v1");
    ck_assert_str_eq(reply_text(&reply, "items[0].versions[0].resources[0].resource"),
                     "configmaps");
    ck_assert_str_eq(reply_text(&reply, "items[0].versions[0].resources[0].scope"), "Namespaced");
    reply_fini(&reply);
    const struct api_call groups = {.method = "GET", .path = "/apis", .accept = AGGREGATED};
    reply = api_run(&api, &groups);
    ck_assert_str_eq(reply_text(&reply, "items[1].metadata.name"), "apiextensions.k8s.io");
    ck_assert_str_eq(reply_text(&reply, "items[2].metadata.name"), "apps");
    ck_assert_str_eq(
        reply_text(&reply, "items[2].versions[0].resources[2].subresources[1].subresource"),
        "scale");
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_legacy)
{
    static const struct {
        const char *path;
        const char *at;
        const char *value;
    } cases[] = {
        {"/api", "versions[0]", "v1"},
        {"/apis", "groups[1].name", "apiextensions.k8s.io"},
        {"/apis", "groups[1].preferredVersion.groupVersion", "apiextensions.k8s.io/v1"},
        {"/apis/apps", "kind", "APIGroup"},
        {"/apis/apps", "versions[0].groupVersion", "apps/v1"},
        {"/apis/apps/v1", "resources[0].name", "controllerrevisions"},
        {"/apis/apps/v1", "resources[2].name", "daemonsets/status"},
        {"/api/v1", "groupVersion", "v1"},
        {"/api/v1", "resources[0].shortNames[0]", "cm"},
        {"/", "paths[0]", "/api"},
    };
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply = api_do(&api, "GET", cases[i].path, NULL);
        ck_reply_code(reply, 200);
        ck_assert_msg(strcmp(reply_text(&reply, cases[i].at), cases[i].value) == 0, "%s %s: %s",
                      cases[i].path, cases[i].at, reply.text.data);
        reply_fini(&reply);
    }
    api_expect(&api, "GET", "/apis/none.example.com", NULL, 404);
    api_expect(&api, "GET", "/apis/apps/v9", NULL, 404);
    api_expect(&api, "GET", "/openapi/v3", NULL, 404);
    api_expect(&api, "POST", "/version", "{}", 405);
    api_fini(&api);
}
END_TEST

START_TEST(test_bad_paths)
{
    static const struct {
        const char *method;
        const char *path;
        int code;
    } cases[] = {
        {"GET", "/api/v1/nothings", 404},
        {"GET", "/apis/apps/v9/deployments", 404},
        {"GET", "/api/v1/namespaces/default/pods/x/log", 404},
        {"GET", "/api/v1/namespaces/default/pods/%zz", 400},
        {"GET", "/api/v1/namespaces/default/pods/a%00b", 400},
        {"GET", "/api/v1/pods/x", 404},
        {"GET", "/api/v1/a/b/c/d/e/f/g/h/i/j/k/l", 404},
        {"GET", "/apis/authorization.k8s.io/v1/subjectaccessreviews", 405},
        {"OPTIONS", "/api/v1/pods", 405},
        {"GET", "/api/v1/namespaces/default", 200},
        {"GET", "/api/v1/namespaces/default/status", 200},
        {"GET", "//api///v1/namespaces", 200},
        {"GET", "/api/v1/namespaces/def%61ult", 200},
    };
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply = api_do(&api, cases[i].method, cases[i].path, NULL);
        ck_assert_msg(reply.code == cases[i].code, "%s %s: %s", cases[i].method, cases[i].path,
                      reply.text.data);
        reply_fini(&reply);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_faults_are_for_admins)
{
    static const char *const groups[] = {"devs", NULL};
    struct api api;
    struct cleat_kubeconfig *config = NULL;
    char authorization[128];
    api_init(&api);
    ck_assert_int_eq(cleat_apiserver_kubeconfig(api.server, "dev", groups, &config, NULL), 0);
    snprintf(authorization, sizeof(authorization), "Bearer %s", config->token);
    (void)cleat_kubeconfig_free(config);
    const struct api_call call = {.method = "POST",
                                  .path = "/_faults",
                                  .body = "{\"status\":500}",
                                  .authorization = authorization};
    api_expect_status(&api, &call, 403, "Forbidden", NULL);
    struct reply reply = api_do(&api, "POST", "/_faults", "{\"status\":500,\"path\":\"/api\"}");
    ck_reply_code(reply, 200);
    ck_assert_int_eq(reply_int(&reply, "id"), 1);
    reply_fini(&reply);
    api_expect(&api, "POST", "/_faults", "{\"status\":5}", 400);
    api_expect(&api, "POST", "/_faults", "{\"path\":5}", 400);
    api_expect(&api, "DELETE", "/_faults/1", NULL, 200);
    api_expect(&api, "DELETE", "/_faults/x", NULL, 404);
    api_expect(&api, "POST", "/_faults/compact", "{}", 200);
    api_expect(&api, "GET", "/_faults/requests?method=GET", NULL, 200);
    api_expect(&api, "POST", "/_faults/nothing", "{}", 404);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("path", test_open_paths, test_unauthorized, test_aggregated, test_legacy,
                 test_bad_paths, test_faults_are_for_admins)
