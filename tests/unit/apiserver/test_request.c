/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/request.h"

#include "api_fixture.h"

START_TEST(test_paths)
{
    static const struct {
        const char *method;
        const char *path;
        const char *verb;
        const char *group;
        const char *plural;
        const char *namespace_;
        const char *name;
        const char *subresource;
        bool found; /* such a resource is served */
    } cases[] = {
        {"GET", "/api/v1/pods", "list", "", "pods", "", "", "", true},
        {"GET", "/api/v1/pods?watch=true", "watch", "", "pods", "", "", "", true},
        {"GET", "/api/v1/pods?watch=false", "list", "", "pods", "", "", "", true},
        {"HEAD", "/api/v1/namespaces/n/pods/p", "get", "", "pods", "n", "p", "", true},
        {"GET", "/api/v1/namespaces", "list", "", "namespaces", "", "", "", true},
        {"GET", "/api/v1/namespaces/n", "get", "", "namespaces", "", "n", "", true},
        {"PUT", "/api/v1/namespaces/n/status", "update", "", "namespaces", "", "n", "status", true},
        {"PUT", "/api/v1/namespaces/n/finalize", "update", "", "namespaces", "", "n", "finalize",
         true},
        {"POST", "/apis/apps/v1/namespaces/n/deployments", "create", "apps", "deployments", "n", "",
         "", true},
        {"PATCH", "/apis/apps/v1/namespaces/n/deployments/d/scale", "patch", "apps", "deployments",
         "n", "d", "scale", true},
        {"DELETE", "/apis/apps/v1/namespaces/n/deployments", "deletecollection", "apps",
         "deployments", "n", "", "", true},
        {"DELETE", "/apis/apps/v1/namespaces/n/deployments/d", "delete", "apps", "deployments", "n",
         "d", "", true},
        {"GET", "/apis/apps/v2/deployments", "list", "apps", "deployments", "", "", "", false},
        {"GET", "/apis/example.com/v1/things", "list", "example.com", "things", "", "", "", false},
        {"GET", "/api/v1/nodes/a%2Fb", "get", "", "nodes", "", "a/b", "", true},
    };
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[256];
        struct cleat_api_request request;
        struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
        snprintf(path, sizeof(path), "%s", cases[i].path);
        char *mark = strchr(path, '?');
        if (mark)
            *mark = 0;
        const struct cleat_api_http http = {
            .method = cases[i].method, .path = path, .query = mark ? mark + 1 : ""};
        ck_assert_int_eq(cleat_api_request_init(&request, api.core, &http, &failure), 0);
        ck_assert(request.is_resource);
        ck_assert_str_eq(request.verb, cases[i].verb);
        ck_assert(cleat_str_is(request.group, cases[i].group));
        ck_assert(cleat_str_is(request.plural, cases[i].plural));
        ck_assert_msg(cleat_str_is(request.namespace_, cases[i].namespace_), "%s", cases[i].path);
        ck_assert_msg(cleat_str_is(request.name, cases[i].name), "%s", cases[i].path);
        ck_assert(cleat_str_is(request.subresource, cases[i].subresource));
        ck_assert_int_eq(request.resource != NULL, cases[i].found);
        if (cases[i].found && cases[i].group[0])
            ck_assert_str_eq(request.api_version, "apps/v1");
        cleat_api_request_fini(&request);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_other_paths)
{
    static const char *const paths[] = {"/",          "/api",          "/api/v1",  "/apis",
                                        "/apis/apps", "/apis/apps/v1", "/healthz", "/openapi/v3"};
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct cleat_api_request request;
        struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
        const struct cleat_api_http http = {.method = "GET", .path = paths[i], .query = ""};
        ck_assert_int_eq(cleat_api_request_init(&request, api.core, &http, &failure), 0);
        ck_assert_msg(!request.is_resource, "%s", paths[i]);
        ck_assert_str_eq(request.verb, "get");
        cleat_api_request_fini(&request);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *path;
        const char *query;
        int code;
    } cases[] = {
        {"/api/v1/pods", "limit=x", 400},
        {"/api/v1/pods", "timeoutSeconds=-1", 400},
        {"/api/v1/pods", "dryRun=None", 400},
        {"/api/v1/pods", "labelSelector=%z", 400},
        {"/api/v1/pods", "fieldValidation=Maybe", 400},
        {"/api/v1/%", "", 400},
        {"/api/v1/%0", "", 400},
        {"/api/v1/%00", "", 400},
    };
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_api_request request;
        struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
        const struct cleat_api_http http = {
            .method = "GET", .path = cases[i].path, .query = cases[i].query};
        ck_assert_msg(cleat_api_request_init(&request, api.core, &http, &failure) != 0, "%s?%s",
                      cases[i].path, cases[i].query);
        ck_assert_int_eq(failure.code, cases[i].code);
        cleat_api_request_fini(&request);
        cleat_api_failure_fini(&failure);
    }
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("request", test_paths, test_other_paths, test_refused)
