/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What webhooks are sent, and what of their answers is taken.
 */
#include "apiserver/webhook.h"

#include <errno.h>

#include "api_fixture.h"

#define INVALID "received invalid webhook response: "

/* An answer with @response's members. */
#define REVIEW(response)               \
    "{'apiVersion':'admission.k8s.io/" \
    "v1','kind':'AdmissionReview','response':{'uid':'u-1'" response "}}"
/* [{"op":"add","path":"/a","value":1}] */
#define PATCH "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2EiLCJ2YWx1ZSI6MX1d"

static const char *quoted(const char *text, char *json, size_t size)
{
    snprintf(json, size, "%s", text);
    for (char *byte = json; *byte; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    return json;
}

START_TEST(test_answers)
{
    static const struct {
        bool mutating;
        const char *body;
        const char *words; /* NULL: it's fine */
        bool allowed;
        bool patch;
    } cases[] = {
        {false, REVIEW(",'allowed':true"), NULL, true, false},
        {false, REVIEW(",'allowed':false,'status':{'message':'no'}"), NULL, false, false},
        {true, REVIEW(",'allowed':true"), NULL, true, false},
        {true, REVIEW(",'allowed':true,'patchType':'JSONPatch','patch':'" PATCH "'"), NULL, true,
         true},
        {true, REVIEW(",'allowed':true,'patchType':null,'patch':null"), NULL, true, false},
        {false, "no JSON", INVALID, false, false},
        {false, "", INVALID, false, false},
        {false, "{}",
         INVALID "expected webhook response of admission.k8s.io/v1, "
                 "Kind=AdmissionReview, got , Kind=",
         false, false},
        {false, "{'apiVersion':'admission.k8s.io/v1beta1','kind':'AdmissionReview'}",
         "got admission.k8s.io/v1beta1, Kind=AdmissionReview", false, false},
        {false, "{'apiVersion':'admission.k8s.io/v1','kind':'AdmissionReview'}",
         INVALID "webhook response was absent", false, false},
        {false,
         "{'apiVersion':'admission.k8s.io/v1','kind':'AdmissionReview','response':{'uid':'u-2',"
         "'allowed':true}}",
         INVALID "expected response.uid=\"u-1\", got \"u-2\"", false, false},
        {false,
         "{'apiVersion':'admission.k8s.io/v1','kind':'AdmissionReview','response':{'allowed':"
         "true}}",
         "expected response.uid=\"u-1\", got \"\"", false, false},
        {false, REVIEW(",'allowed':'yes'"), INVALID "response.allowed is not a boolean", false,
         false},
        {false, REVIEW(",'allowed':true,'patchType':'JSONPatch','patch':'" PATCH "'"),
         INVALID "validating webhook response may not have response.patch", false, false},
        {false, REVIEW(",'allowed':true,'patchType':'JSONPatch'"),
         INVALID "validating webhook response may not have response.patchType", false, false},
        {true, REVIEW(",'allowed':true,'patch':'" PATCH "'"),
         INVALID "webhook returned response.patch but not response.patchType", false, false},
        {true, REVIEW(",'allowed':true,'patchType':'JSONPatch'"),
         INVALID "webhook returned response.patchType but not response.patch", false, false},
        {true, REVIEW(",'allowed':true,'patchType':'Merge','patch':'" PATCH "'"),
         INVALID "invalid value of response.patchType", false, false},
        {true, REVIEW(",'allowed':true,'patchType':'JSONPatch','patch':'!'"), INVALID, false,
         false},
        {true, REVIEW(",'allowed':true,'patchType':'JSONPatch','patch':'Zm9v'"), INVALID, false,
         false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[1024];
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_api_webhook_answer answer;
        const struct cleat_api_webhook webhook = {.mutating = cases[i].mutating, .uid = "u-1"};
        int result = cleat_api_webhook_answer_init(
            &webhook, cleat_str_of(quoted(cases[i].body, json, sizeof(json))), &answer, &err);
        ck_assert_msg(result == (cases[i].words ? -EINVAL : 0), "case %zu: %d %s", i, result,
                      err.text);
        if (cases[i].words)
            ck_assert_msg(strstr(err.text, cases[i].words) != NULL, "case %zu: %s, not %s", i,
                          err.text, cases[i].words);
        ck_assert_int_eq(answer.allowed, cases[i].allowed);
        ck_assert_int_eq(answer.patch != NULL, cases[i].patch);
        cleat_api_webhook_answer_fini(&answer);
        cleat_api_webhook_answer_fini(&answer);
    }
}
END_TEST

/* Members of the review whose order and presence tests and webhooks rely on. */
START_TEST(test_review)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_api_user *user = NULL;
    struct cleat_api_resource *resource = NULL;
    struct cleat_document *object = NULL;
    struct cleat_document *review = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(cleat_api_user_new(CLEAT_STR("jo"), CLEAT_STR("7"), &user), 0);
    ck_assert_int_eq(cleat_api_resource_new(&resource), 0);
    snprintf(resource->group, sizeof(resource->group), "x.io");
    snprintf(resource->kind, sizeof(resource->kind), "Widget");
    snprintf(resource->plural, sizeof(resource->plural), "widgets");
    snprintf(resource->versions[0].name, sizeof(resource->versions[0].name), "v2");
    snprintf(resource->versions[1].name, sizeof(resource->versions[1].name), "v1");
    resource->version_count = 2;
    ck_assert_int_eq(cleat_document_parse(CLEAT_STR("{\"apiVersion\":\"x.io/v2\",\"kind\":"
                                                    "\"Widget\",\"spec\":{\"a\":1}}"),
                                          &object, NULL),
                     0);
    struct cleat_api_request request = {.user = user};
    struct cleat_api_operation operation = {.request = &request,
                                            .resource = resource,
                                            .version = &resource->versions[0],
                                            .name = "CREATE",
                                            .namespace_ = CLEAT_STR("n"),
                                            .object_name = CLEAT_STR("w"),
                                            .dry_run = true};
    /* The webhook wants v1, the request speaks v2. */
    const struct cleat_api_webhook webhook = {.version = &resource->versions[1], .uid = "u-1"};
    ck_assert_int_eq(
        cleat_api_webhook_review(&webhook, &operation, cleat_document_root(object), &text, &err),
        0);
    ck_assert_int_eq(cleat_document_parse(cleat_buffer_view(&text), &review, NULL), 0);
    struct cleat_value root = cleat_value_get(cleat_document_root(review), "request");
    static const char *const wanted[][2] = {
        {"uid", "u-1"},
        {"kind.group", "x.io"},
        {"kind.version", "v1"},
        {"kind.kind", "Widget"},
        {"resource.version", "v1"},
        {"resource.resource", "widgets"},
        {"requestKind.version", "v2"},
        {"requestResource.version", "v2"},
        {"name", "w"},
        {"namespace", "n"},
        {"operation", "CREATE"},
        {"userInfo.username", "jo"},
        {"userInfo.uid", "7"},
        {"object.apiVersion", "x.io/v1"},
        {"object.kind", "Widget"},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        ck_assert_msg(cleat_value_is(cleat_value_find(root, wanted[i][0]), wanted[i][1]),
                      "%s isn't %s: %s", wanted[i][0], wanted[i][1], text.data);
    ck_assert_int_eq(cleat_value_int_or(cleat_value_find(root, "object.spec.a"), 0), 1);
    ck_assert_int_eq(cleat_value_type(cleat_value_get(root, "oldObject")), CLEAT_TYPE_NULL);
    ck_assert(cleat_value_is_true(cleat_value_get(root, "dryRun")));
    ck_assert(!cleat_value_is_present(cleat_value_get(root, "subResource")));
    ck_assert(!cleat_value_is_present(cleat_value_get(root, "options")));
    (void)cleat_document_unref(review);
    (void)cleat_document_unref(object);
    cleat_buffer_fini(&text);
    (void)cleat_api_resource_unref(resource);
    (void)cleat_api_user_unref(user);
}
END_TEST

CLEAT_SUITE_MAIN("webhook-review", test_answers, test_review)
