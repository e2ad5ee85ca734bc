/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reviews: what the server tells about tokens, users and their rights.
 */
#include "api_fixture.h"

#define AUTHN "/apis/authentication.k8s.io/v1"
#define AUTHZ "/apis/authorization.k8s.io/v1"
#define RBAC "/apis/rbac.authorization.k8s.io/v1"

static struct reply review_post(struct api *api, const char *path, const char *text)
{
    char body[2048];
    snprintf(body, sizeof(body), "%s", text);
    for (char *byte = body; *byte; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    return api_do(api, "POST", path, body);
}

/* A server where jo may read ConfigMaps in default. */
static void review_init(struct api *api)
{
    struct cleat_apiserver_options options = {.no_gc = true, .rbac = true};
    static const char *const bodies[][2] = {
        {RBAC "/namespaces/default/roles",
         "{'metadata':{'name':'r'},'rules':[{'apiGroups':[''],'resources':['configmaps'],'verbs':["
         "'get']}]}"},
        {RBAC "/namespaces/default/rolebindings",
         "{'metadata':{'name':'b'},'roleRef':{'kind':'Role','name':'r'},'subjects':[{'kind':'User',"
         "'name':'jo'},{'kind':'Group','name':'readers'}]}"},
    };
    api_init_with(api, &options);
    for (size_t i = 0; i < 2; i++) {
        struct reply reply = review_post(api, bodies[i][0], bodies[i][1]);
        ck_reply_code(reply, 201);
        reply_fini(&reply);
    }
}

START_TEST(test_token)
{
    struct api api;
    char body[512];
    review_init(&api);
    snprintf(body, sizeof(body), "{'spec':{'token':'%s'}}", api.authorization + strlen("Bearer "));
    struct reply reply = review_post(&api, AUTHN "/tokenreviews", body);
    ck_reply_code(reply, 201);
    ck_assert_str_eq(reply_text(&reply, "kind"), "TokenReview");
    ck_assert_str_eq(reply_text(&reply, "status.user.username"), "admin");
    ck_assert_ptr_nonnull(strstr(reply.text.data, "\"authenticated\":true"));
    ck_assert_ptr_nonnull(strstr(reply.text.data, "\"system:masters\""));
    reply_fini(&reply);
    reply = review_post(&api, AUTHN "/tokenreviews", "{'spec':{'token':'stolen'}}");
    ck_reply_code(reply, 201);
    ck_assert(!reply_has(&reply, "status.authenticated"));
    ck_assert(!reply_has(&reply, "status.user.username"));
    ck_assert_str_eq(reply_text(&reply, "status.error"), "[invalid bearer token]");
    reply_fini(&reply);
    reply = review_post(&api, AUTHN "/tokenreviews", "{'spec':{}}");
    ck_reply_code(reply, 422);
    ck_assert_ptr_nonnull(strstr(reply_text(&reply, "message"), "spec.token: Required value"));
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_self)
{
    struct api api;
    review_init(&api);
    struct reply reply = review_post(&api, AUTHN "/selfsubjectreviews", "{}");
    ck_reply_code(reply, 201);
    ck_assert_str_eq(reply_text(&reply, "kind"), "SelfSubjectReview");
    ck_assert_str_eq(reply_text(&reply, "status.userInfo.username"), "admin");
    ck_assert_str_eq(reply_text(&reply, "metadata.creationTimestamp"), "2026-01-02T03:04:05Z");
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

#define CONFIGMAPS_IN(verb, namespace_)                                                            \
    "'resourceAttributes':{'verb':'" verb "','resource':'configmaps','namespace':'" namespace_ "'" \
    "}"

START_TEST(test_access)
{
    static const struct {
        const char *path;
        const char *spec;
        bool allowed;
    } cases[] = {
#define REVIEWS AUTHZ "/subjectaccessreviews"
#define LOCAL AUTHZ "/namespaces/default/localsubjectaccessreviews"
#define SELF AUTHZ "/selfsubjectaccessreviews"
        {REVIEWS, "'user':'jo'," CONFIGMAPS_IN("get", "default"), true},
        {REVIEWS, "'user':'jo'," CONFIGMAPS_IN("list", "default"), false},
        {REVIEWS, "'user':'jo'," CONFIGMAPS_IN("get", "kube-public"), false},
        {REVIEWS, "'user':'al'," CONFIGMAPS_IN("get", "default"), false},
        {REVIEWS, "'user':'al','groups':['x','readers']," CONFIGMAPS_IN("get", "default"), true},
        {REVIEWS, "'groups':['readers']," CONFIGMAPS_IN("get", "default"), true},
        {REVIEWS, "'user':'jo','nonResourceAttributes':{'verb':'get','path':'/x'}", false},
        {REVIEWS,
         "'user':'al','groups':['system:masters'],'nonResourceAttributes':{'verb':'get',"
         "'path':'/x'}",
         true},
        {LOCAL, "'user':'jo'," CONFIGMAPS_IN("get", "default"), true},
        {LOCAL, "'user':'al'," CONFIGMAPS_IN("get", "default"), false},
        /* Who asks for himself is whom the token says. */
        {SELF, "'user':'nobody'," CONFIGMAPS_IN("delete", "kube-public"), true},
    };
    struct api api;
    review_init(&api);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[1024];
        snprintf(body, sizeof(body), "{'metadata':{},'spec':{%s}}", cases[i].spec);
        struct reply reply = review_post(&api, cases[i].path, body);
        ck_assert_msg(reply.code == 201, "case %zu: %s", i, reply.text.data);
        const char *wanted = cases[i].allowed ? "\"allowed\":true" : "\"allowed\":false";
        ck_assert_msg(strstr(reply.text.data, wanted) != NULL, "case %zu: %s", i, reply.text.data);
        ck_assert(reply_has(&reply, "spec"));
        ck_assert(!reply_has(&reply, "status.evaluationError"));
        reply_fini(&reply);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_access_reason)
{
    struct api api;
    review_init(&api);
    struct reply reply =
        review_post(&api, REVIEWS, "{'spec':{'user':'jo'," CONFIGMAPS_IN("get", "default") "}}");
    ck_reply_code(reply, 201);
    ck_assert_str_eq(reply_text(&reply, "status.reason"),
                     "RBAC: allowed by RoleBinding \"default/b\" of Role \"r\" to subject \"jo\"");
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_access_refused)
{
    static const struct {
        const char *path;
        const char *spec;
        const char *words;
    } cases[] = {
        {REVIEWS, CONFIGMAPS_IN("get", "default"),
         "spec.user: Invalid value: \"\": at least one of user or group must be specified"},
        {REVIEWS, "'user':'jo'",
         "exactly one of nonResourceAttributes or resourceAttributes must be specified"},
        {REVIEWS, "'user':'jo','nonResourceAttributes':{}," CONFIGMAPS_IN("get", "default"),
         "exactly one of nonResourceAttributes or resourceAttributes must be specified"},
        {LOCAL, "'user':'jo'," CONFIGMAPS_IN("get", "kube-public"),
         "spec.resourceAttributes.namespace: Invalid value: must match metadata.namespace"},
        {LOCAL, "'user':'jo','nonResourceAttributes':{'verb':'get','path':'/x'}",
         "must match metadata.namespace"},
        {AUTHZ "/selfsubjectrulesreviews", "", "spec.namespace: Required value"},
    };
    struct api api;
    review_init(&api);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[1024];
        snprintf(body, sizeof(body), "{'spec':{%s}}", cases[i].spec);
        struct reply reply = review_post(&api, cases[i].path, body);
        ck_assert_msg(reply.code == 422, "case %zu: %s", i, reply.text.data);
        ck_assert_msg(strstr(reply_text(&reply, "message"), cases[i].words) != NULL,
                      "case %zu: %s: not in %s", i, cases[i].words, reply.text.data);
        reply_fini(&reply);
    }
    api_fini(&api);
}
END_TEST

/* One's own rules, as jo by impersonation. */
START_TEST(test_own_rules)
{
    static const char *const headers[] = {"Impersonate-User", "jo", NULL};
    struct api api;
    review_init(&api);
    struct api_call call = {.method = "POST",
                            .path = AUTHZ "/selfsubjectrulesreviews",
                            .body = "{\"spec\":{\"namespace\":\"default\"}}",
                            .headers = headers};
    struct reply reply = api_run(&api, &call);
    ck_reply_code(reply, 201);
    ck_assert_ptr_nonnull(strstr(reply.text.data,
                                 "{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":["
                                 "\"configmaps\"]}"));
    ck_assert_ptr_nonnull(strstr(reply.text.data, "\"incomplete\":false"));
    reply_fini(&reply);
    call.body = "{\"spec\":{\"namespace\":\"kube-public\"}}";
    reply = api_run(&api, &call);
    ck_reply_code(reply, 201);
    ck_assert_ptr_null(strstr(reply.text.data, "configmaps"));
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("review", test_token, test_self, test_access, test_access_reason,
                 test_access_refused, test_own_rules)
