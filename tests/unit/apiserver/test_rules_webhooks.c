/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults and checks of webhook configurations, as they are written; and what becomes of calls
 * whose configuration passed and yet can't be used.
 */
#include "api_fixture.h"

#define VALIDATING "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
#define MUTATING "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
#define URL "'url':'https://127.0.0.1:1/x'"
#define RULE                                                                           \
    "{'apiGroups':[''],'apiVersions':['v1'],'resources':['configmaps'],'operations':[" \
    "'CREATE']}"
#define SOUND "'sideEffects':'None','admissionReviewVersions':['v1']"

/* A webhook of that client configuration with @more members. */
#define HOOK(client, more) \
    "{'name':'w.example.com','clientConfig':{" client "},'rules':[" RULE "]," more "}"

static struct reply hooks_post(struct api *api, const char *path, const char *hooks)
{
    char body[4096];
    snprintf(body, sizeof(body), "{'metadata':{'name':'c'},'webhooks':[%s]}", hooks);
    for (char *byte = body; *byte; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    return api_do(api, "POST", path, body);
}

START_TEST(test_defaults)
{
    struct api api;
    api_init(&api);
    struct reply reply = hooks_post(
        &api, MUTATING, HOOK("'service':{'name':'s','namespace':'n','path':'/p'}", SOUND));
    ck_reply_code(reply, 201);
    ck_assert_str_eq(reply_text(&reply, "webhooks[0].failurePolicy"), "Fail");
    ck_assert_str_eq(reply_text(&reply, "webhooks[0].matchPolicy"), "Equivalent");
    ck_assert_str_eq(reply_text(&reply, "webhooks[0].reinvocationPolicy"), "Never");
    ck_assert_str_eq(reply_text(&reply, "webhooks[0].rules[0].scope"), "*");
    ck_assert_int_eq(reply_int(&reply, "webhooks[0].timeoutSeconds"), 10);
    ck_assert_int_eq(reply_int(&reply, "webhooks[0].clientConfig.service.port"), 443);
    ck_assert(reply_has(&reply, "webhooks[0].namespaceSelector"));
    ck_assert(reply_has(&reply, "webhooks[0].objectSelector"));
    reply_fini(&reply);
    reply = hooks_post(&api, VALIDATING,
                       HOOK(URL, SOUND ",'failurePolicy':'Ignore','timeoutSeconds':3"));
    ck_reply_code(reply, 201);
    ck_assert_str_eq(reply_text(&reply, "webhooks[0].failurePolicy"), "Ignore");
    ck_assert_int_eq(reply_int(&reply, "webhooks[0].timeoutSeconds"), 3);
    ck_assert(!reply_has(&reply, "webhooks[0].reinvocationPolicy"));
    ck_assert(!reply_has(&reply, "webhooks[0].clientConfig.service"));
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *hooks;
        const char *words;
    } cases[] = {
        {HOOK("", SOUND),
         "webhooks[0].clientConfig: Required value: exactly one of url or service is required"},
        {HOOK(URL ",'service':{'name':'s','namespace':'n'}", SOUND),
         "webhooks[0].clientConfig: Required value: exactly one of url or service is required"},
        {HOOK("'url':'http://a/b'", SOUND),
         "webhooks[0].clientConfig.url: Invalid value: \"http://a/b\": 'https' is the only allowed "
         "URL scheme; desired format: https://host[:port]/path"},
        {HOOK("'url':'https://me@a/b'", SOUND), "user information is not permitted in the URL"},
        {HOOK("'url':'https://a/b?c=d'", SOUND),
         "query parameters and fragments are not permitted"},
        {HOOK(URL ",'caBundle':'!'", SOUND),
         "webhooks[0].clientConfig.caBundle: Invalid value: illegal base64 data"},
        {HOOK(URL ",'caBundle':'Zm9'", SOUND), "illegal base64 data"},
        {HOOK(URL, "'sideEffects':'None'"),
         "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1"},
        {HOOK(URL, "'sideEffects':'None','admissionReviewVersions':['v2']"),
         "webhooks[0].admissionReviewVersions: Invalid value: [\"v2\"]: must include at least one "
         "of v1"},
        {HOOK(URL, "'admissionReviewVersions':['v1']"),
         "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"},
        {HOOK(URL, "'sideEffects':'Some','admissionReviewVersions':['v1']"),
         "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", "
         "\"NoneOnDryRun\""},
        {HOOK(URL, SOUND ",'failurePolicy':'Maybe'"),
         "webhooks[0].failurePolicy: Unsupported value: \"Maybe\": supported values: \"Fail\", "
         "\"Ignore\""},
        {HOOK(URL, SOUND ",'matchPolicy':'Near'"), "webhooks[0].matchPolicy: Unsupported value"},
        {HOOK(URL, SOUND ",'timeoutSeconds':0"),
         "webhooks[0].timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 "
         "seconds"},
        {HOOK(URL, SOUND ",'timeoutSeconds':31"),
         "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and "
         "30 seconds"},
        {HOOK(URL, SOUND ",'objectSelector':{'matchExpressions':[{'key':'a','operator':'Near'}]}"),
         "webhooks[0].objectSelector: Invalid value"},
        {HOOK(URL, SOUND ",'matchConditions':[{'name':'a','expression':'object.all(x, x)'}]"),
         "webhooks[0].matchConditions[0].expression: Invalid value: \"object.all(x, x)\": "
         "compilation failed: functions other than has() aren't supported"},
        {HOOK(URL, SOUND ",'matchConditions':[{'name':'a'}]"),
         "webhooks[0].matchConditions[0].expression: Required value"},
        {HOOK(URL, SOUND ",'matchConditions':[{'expression':'true'}]"),
         "webhooks[0].matchConditions[0].name: Required value"},
        {"{'name':'w.example.com','clientConfig':{" URL "}," SOUND ",'rules':[{'apiGroups':[''],"
         "'apiVersions':['v1'],'resources':['x'],'operations':['PATCH']}]}",
         "webhooks[0].rules[0].operations[0]: Unsupported value: \"PATCH\""},
        {"{'name':'w.example.com','clientConfig':{" URL "}," SOUND ",'rules':[{'apiGroups':[''],"
         "'apiVersions':['v1'],'operations':['CREATE']}]}",
         "webhooks[0].rules[0].resources: Required value"},
        {"{'name':'w','clientConfig':{" URL "}," SOUND "}",
         "webhooks[0].name: Invalid value: \"w\": should be a domain with at least three segments "
         "separated by dots"},
        {"{'clientConfig':{" URL "}," SOUND "}", "webhooks[0].name: Required value"},
        {HOOK(URL, SOUND) "," HOOK(URL, SOUND),
         "webhooks[1].name: Duplicate value: \"w.example.com\""},
    };
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply = hooks_post(&api, VALIDATING, cases[i].hooks);
        ck_reply_code(reply, 422);
        ck_assert_str_eq(reply_text(&reply, "reason"), "Invalid");
        ck_assert_msg(strstr(reply_text(&reply, "message"), cases[i].words) != NULL,
                      "case %zu: %s: not in %s", i, cases[i].words, reply.text.data);
        reply_fini(&reply);
    }
    api_expect(&api, "GET", VALIDATING "/c", NULL, 404);
    api_fini(&api);
}
END_TEST

/* A bundle that decodes to something else than certificates is taken, and fails each call. */
START_TEST(test_bundle_without_certificates)
{
    static const struct {
        const char *path;
        const char *more;
        int code;
    } cases[] = {
        {VALIDATING, "", 500},
        {MUTATING, "", 500},
        {VALIDATING, ",'failurePolicy':'Ignore'", 201},
        {MUTATING, ",'failurePolicy':'Ignore'", 201},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct api api;
        char hook[1024];
        char text[1024];
        api_init(&api);
        snprintf(hook, sizeof(hook), HOOK(URL ",'caBundle':'Zm9v'", SOUND "%s"), cases[i].more);
        struct reply reply = hooks_post(&api, cases[i].path, hook);
        ck_reply_code(reply, 201);
        ck_assert_str_eq(reply_text(&reply, "webhooks[0].clientConfig.caBundle"), "Zm9v");
        reply_fini(&reply);
        reply = api_do(&api, "POST", API_CONFIGMAPS, "{\"metadata\":{\"name\":\"a\"}}");
        ck_reply_code(reply, cases[i].code);
        if (cases[i].code == 500) {
            snprintf(text, sizeof(text), "%s", reply_text(&reply, "message"));
            ck_assert_ptr_nonnull(strstr(text, "failed calling webhook \"w.example.com\": "));
            ck_assert_ptr_nonnull(strstr(
                text, "unable to load root certificates: unable to parse bytes as PEM block"));
        }
        reply_fini(&reply);
        /* What stands in the way of others can itself be removed. */
        snprintf(text, sizeof(text), "%s/c", cases[i].path);
        api_expect(&api, "DELETE", text, NULL, 200);
        api_configmap(&api, "b", "1");
        api_fini(&api);
    }
}
END_TEST

CLEAT_SUITE_MAIN("rules-webhooks", test_defaults, test_refused, test_bundle_without_certificates)
