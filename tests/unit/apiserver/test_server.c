/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, as whom, and what an audit sees of it. */
#include "apiserver/server.h"

#include "api_fixture.h"

/* What the audits said, one line each. */
struct audits {
    struct cleat_buffer text;
};

static void on_audit(void *arg, const struct cleat_audit *audit)
{
    struct audits *audits = arg;
    cleat_buffer_format(&audits->text, "%s %s %.*s/%.*s/%.*s %.*s %.*s %d\n", audit->user,
                        audit->verb, CLEAT_STR_ARG(audit->group), CLEAT_STR_ARG(audit->plural),
                        CLEAT_STR_ARG(audit->subresource), CLEAT_STR_ARG(audit->namespace_),
                        CLEAT_STR_ARG(audit->name), audit->code);
}

static void audited_init(struct api *api, struct audits *audits, bool rbac)
{
    struct cleat_apiserver_options options = {
        .no_gc = true, .rbac = rbac, .audit = on_audit, .audit_arg = audits};
    cleat_buffer_init(&audits->text, CLEAT_MIB);
    api_init_with(api, &options);
    cleat_buffer_reset(&audits->text);
}

static void audited_fini(struct api *api, struct audits *audits)
{
    api_fini(api);
    cleat_buffer_fini(&audits->text);
}

START_TEST(test_audit)
{
    static const struct {
        const char *method;
        const char *path;
        const char *body;
        const char *line;
    } cases[] = {
        {"POST", API_CONFIGMAPS, "{\"metadata\":{\"name\":\"a\"}}",
         "admin create /configmaps/ default  201\n"},
        {"GET", API_CONFIGMAPS "/a", NULL, "admin get /configmaps/ default a 200\n"},
        {"GET", API_CONFIGMAPS, NULL, "admin list /configmaps/ default  200\n"},
        {"GET", API_CONFIGMAPS "?watch=1&timeoutSeconds=1&resourceVersion=9999", NULL,
         "admin watch /configmaps/ default  504\n"},
        {"DELETE", API_CONFIGMAPS, NULL, "admin deletecollection /configmaps/ default  200\n"},
        {"PUT", "/apis/apps/v1/namespaces/n/deployments/d/status", "{}",
         "admin update apps/deployments/status n d 404\n"},
        {"GET", "/version", NULL, "admin get //   200\n"},
    };
    struct api api;
    struct audits audits;
    audited_init(&api, &audits, false);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply = api_do(&api, cases[i].method, cases[i].path, cases[i].body);
        ck_assert_str_eq(audits.text.data, cases[i].line);
        reply_fini(&reply);
        cleat_buffer_reset(&audits.text);
    }
    audited_fini(&api, &audits);
}
END_TEST

/* A token of somebody who isn't the administrator. */
static void other_user(struct api *api, const char *name, char authorization[128])
{
    static const char *const groups[] = {"devs", NULL};
    struct cleat_kubeconfig *config = NULL;
    ck_assert_int_eq(cleat_apiserver_kubeconfig(api->server, name, groups, &config, NULL), 0);
    snprintf(authorization, 128, "Bearer %s", config->token);
    (void)cleat_kubeconfig_free(config);
}

START_TEST(test_impersonation)
{
    static const struct {
        const char *headers[9];
        int code;
        const char *user;
    } cases[] = {
        {{"Impersonate-User", "bob"}, 200, "bob"},
        {{"impersonate-user", "bob", "Impersonate-Group", "a", "Impersonate-Group", "b"},
         200,
         "bob"},
        {{"Impersonate-User", "system:serviceaccount:x:y"}, 200, "system:serviceaccount:x:y"},
        {{"Impersonate-User", "bob", "Impersonate-Uid", "7", "Impersonate-Extra-Scopes", "s"},
         200,
         "bob"},
        {{"Impersonate-Group", "a"}, 400, "admin"},
        {{"Impersonate-User", ""}, 400, "admin"},
        {{"X-Impersonate-User", "bob"}, 200, "admin"},
    };
    struct api api;
    struct audits audits;
    audited_init(&api, &audits, false);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct api_call call = {
            .method = "GET", .path = "/api/v1/namespaces/default", .headers = cases[i].headers};
        struct reply reply = api_run(&api, &call);
        ck_reply_code(reply, cases[i].code);
        ck_assert_msg(strncmp(audits.text.data, cases[i].user, strlen(cases[i].user)) == 0, "%s",
                      audits.text.data);
        reply_fini(&reply);
        cleat_buffer_reset(&audits.text);
    }
    audited_fini(&api, &audits);
}
END_TEST

/* Says no to everything, and what it was asked. */
static int refuse_all(struct cleat_api_server *server,
                      const struct cleat_api_attributes *attributes, char reason[256])
{
    snprintf(reason, 256, "nobody may");
    return 1;
}

START_TEST(test_forbidden)
{
    static const struct {
        const char *method;
        const char *path;
        const char *message;
    } cases[] = {
        {"GET", "/api/v1/namespaces/n/pods",
         "pods is forbidden: User \"dev\" cannot list resource \"pods\" in API group \"\" in the "
         "namespace \"n\": nobody may"},
        {"GET", "/api/v1/namespaces/n/pods/x",
         "pods \"x\" is forbidden: User \"dev\" cannot get resource \"pods\" in API group \"\" in "
         "the "
         "namespace \"n\": nobody may"},
        {"PUT", "/apis/apps/v1/namespaces/n/deployments/x/status",
         "deployments.apps \"x\" is forbidden: User \"dev\" cannot update resource "
         "\"deployments/status\" in API group \"apps\" in the namespace \"n\": nobody may"},
        {"GET", "/api/v1/nodes",
         "nodes is forbidden: User \"dev\" cannot list resource \"nodes\" in API group \"\" at the "
         "cluster scope: nobody may"},
        {"GET", "/api/v1/namespaces/n/pods?watch=true&fieldSelector=metadata.name%3Dx",
         "pods \"x\" is forbidden: User \"dev\" cannot watch resource \"pods\" in API group \"\" "
         "in "
         "the namespace \"n\": nobody may"},
        {"DELETE", "/api/v1/namespaces/n",
         "namespaces \"n\" is forbidden: User \"dev\" cannot delete resource \"namespaces\" in API "
         "group \"\" in the namespace \"n\": nobody may"},
        {"GET", "/apis/none.example.com/v1/nothings",
         "nothings.none.example.com is forbidden: User \"dev\" cannot list resource \"nothings\""},
        {"GET", "/metrics", "forbidden: User \"dev\" cannot get path \"/metrics\": nobody may"},
    };
    struct api api;
    struct audits audits;
    char authorization[128];
    audited_init(&api, &audits, true);
    api.core->hooks.authorize = refuse_all;
    other_user(&api, "dev", authorization);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct api_call call = {.method = cases[i].method,
                                      .path = cases[i].path,
                                      .body = "{}",
                                      .authorization = authorization};
        api_expect_status(&api, &call, 403, "Forbidden", cases[i].message);
    }
    /* Health is for everybody, and system:masters may everything. */
    const struct api_call health = {
        .method = "GET", .path = "/readyz", .authorization = authorization};
    struct reply reply = api_run(&api, &health);
    ck_reply_code(reply, 200);
    reply_fini(&reply);
    api_expect(&api, "GET", "/api/v1/nodes", NULL, 200);
    /* Impersonation is asked about as well. */
    static const char *const headers[] = {"Impersonate-User", "root", NULL};
    const struct api_call as = {.method = "GET",
                                .path = "/api/v1/nodes",
                                .authorization = authorization,
                                .headers = headers};
    api_expect_status(
        &api, &as, 403, "Forbidden",
        "users \"root\" is forbidden: User \"dev\" cannot impersonate resource \"users\" "
        "in API group \"\" at the cluster scope");
    audited_fini(&api, &audits);
}
END_TEST

START_TEST(test_own_identities)
{
    struct api api;
    struct cleat_api_user *user = NULL;
    struct cleat_api_response response;
    api_init(&api);
    ck_assert_int_eq(cleat_api_user_new(CLEAT_STR("system:inside"), CLEAT_STR(""), &user), 0);
    const struct cleat_api_http http = {
        .method = "GET", .path = "/api/v1/namespaces/default", .query = ""};
    api.core->rbac = true;
    api.core->hooks.authorize = refuse_all;
    cleat_api_server_handle_as(api.core, user, &http, &response);
    ck_assert_int_eq(response.code, 200);
    cleat_api_response_fini(&response);
    (void)cleat_api_user_unref(user);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("server", test_audit, test_impersonation, test_forbidden, test_own_identities)
