/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written where, against a scripted API server: the embedded one knows no conversion by
 * webhooks.
 */
#include <errno.h>
#include <stdio.h>
#include <cleat/certs.h>
#include "base/mem.h"
#include "certs/injector.h"
#include "kube/base64.h"
#include "support/client_fixture.h"
#include "support/suite.h"

#define CA "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"
#define SERVICE "\"service\":{\"namespace\":\"ns\",\"name\":\"svc\"}"

struct script {
    const char *object;   /* what GET answers; NULL: 404 */
    int patch_status;     /* what PATCH answers; 0: 200 */
    unsigned patch_times; /* so often; 0: always */
    unsigned patches;
    char patch[8192]; /* the last one */
};

static void script(void *arg, struct script_exchange *exchange,
                   const struct script_request *request)
{
    struct script *script = arg;
    if (strcmp(request->method, "PATCH") == 0) {
        (void)snprintf(script->patch, sizeof(script->patch), "%s", request->body);
        script->patches++;
        if (script->patch_status &&
            (script->patch_times == 0 || script->patches <= script->patch_times))
            script_reply(exchange, script->patch_status, "Content-Type: application/json\r\n",
                         "{\"kind\":\"Status\",\"message\":\"no\"}");
        else
            script_reply(exchange, 200, "Content-Type: application/json\r\n", script->object);
    } else if (script->object) {
        script_reply(exchange, 200, "Content-Type: application/json\r\n", script->object);
    } else {
        script_reply(exchange, 404, "Content-Type: application/json\r\n",
                     "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
    }
}

#define META "\"metadata\":{\"name\":\"t\",\"resourceVersion\":\"7\"}"
#define CRD(conversion)                                                                       \
    "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\"," META \
    ",\"spec\":{\"group\":\"example.com\"" conversion "}}"
#define HOOKS(list)                                   \
    "{\"apiVersion\":\"admissionregistration.k8s.io/" \
    "v1\",\"kind\":\"MutatingWebhookConfiguration\"," META ",\"webhooks\":[" list "]}"
#define AT_CRD "/spec/conversion/webhook/clientConfig/caBundle"

static const struct cleat_ca_owner by_service = {.namespace_ = "ns", .service = "svc"};
static const struct cleat_ca_owner by_url = {.url = "https://a.example/b/"};
static const struct cleat_ca_owner by_both = {
    .namespace_ = "ns", .service = "svc", .url = "https://a.example/b"};

/* An object, whose webhooks are ours, and the pointers at which it's written; NULL-terminated. */
static const struct {
    const char *name;
    enum cleat_ca_target_kind kind;
    const char *object;
    const struct cleat_ca_owner *owner;
    int result;
    const char *pointers[3];
} rows[] = {
    {"not there", CLEAT_CA_CONVERSION, NULL, NULL, 1, {NULL}},
    {"a CRD without conversion", CLEAT_CA_CONVERSION, CRD(""), NULL, 0, {NULL}},
    {"a CRD without webhook",
     CLEAT_CA_CONVERSION,
     CRD(",\"conversion\":{\"strategy\":\"None\"}"),
     NULL,
     0,
     {NULL}},
    {"a CRD",
     CLEAT_CA_CONVERSION,
     CRD(",\"conversion\":{\"strategy\":\"Webhook\",\"webhook\":{\"clientConfig\":{" SERVICE "}}}"),
     &by_service,
     0,
     {AT_CRD}},
    {"a CRD by URL",
     CLEAT_CA_CONVERSION,
     CRD(",\"conversion\":{\"strategy\":\"Webhook\",\"webhook\":{\"clientConfig\":{\"url\":"
         "\"https://a.example/b/convert\",\"caBundle\":\"eA==\"}}}"),
     &by_both,
     0,
     {AT_CRD}},
    {"a CRD of somebody else",
     CLEAT_CA_CONVERSION,
     CRD(",\"conversion\":{\"strategy\":\"Webhook\",\"webhook\":{\"clientConfig\":{" SERVICE "}}}"),
     &by_url,
     0,
     {NULL}},
    {"a CRD of anybody",
     CLEAT_CA_CONVERSION,
     CRD(",\"conversion\":{\"strategy\":\"Webhook\",\"webhook\":{\"clientConfig\":{\"url\":"
         "\"https://x\"}}}"),
     NULL,
     0,
     {AT_CRD}},
    {"a clientConfig that is none",
     CLEAT_CA_CONVERSION,
     CRD(",\"conversion\":{\"webhook\":{\"clientConfig\":[1]}}"),
     NULL,
     0,
     {NULL}},
    {"no webhooks", CLEAT_CA_MUTATING, HOOKS(""), &by_service, 0, {NULL}},
    {"by Service",
     CLEAT_CA_MUTATING,
     HOOKS("{\"clientConfig\":{" SERVICE
           "}},{\"clientConfig\":{\"service\":{\"namespace\":\"other\","
           "\"name\":\"svc\"}}},{\"clientConfig\":{\"service\":{\"namespace\":\"ns\",\"name\":"
           "\"other\"}}},{\"clientConfig\":{\"url\":\"https://a.example/b\"}},{},{\"clientConfig\":"
           "{" SERVICE ",\"caBundle\":\"eA==\"}}"),
     &by_service,
     0,
     {"/webhooks/0/clientConfig/caBundle", "/webhooks/5/clientConfig/caBundle"}},
    {"by URL",
     CLEAT_CA_MUTATING,
     HOOKS("{\"clientConfig\":{\"url\":\"https://a.example/bc\"}},{\"clientConfig\":{\"url\":"
           "\"https://a.example/b\"}},{\"clientConfig\":{\"url\":\"https://a.example/b?c\"}},"
           "{\"clientConfig\":{\"url\":\"https://a.example\"}},{\"clientConfig\":{" SERVICE "}}"),
     &by_url,
     0,
     {"/webhooks/1/clientConfig/caBundle", "/webhooks/2/clientConfig/caBundle"}},
};

static char *base64_of(const char *text)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(65536);
    ck_assert_int_eq(cleat_base64_encode(&buffer, cleat_str_of(text)), 0);
    return cleat_buffer_take(&buffer);
}

static char *expected_patch(const char *const *pointers)
{
    char *base64 = base64_of(CA);
    char *patch = cleat_mem_strdup(
        "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"7\"}");
    for (size_t i = 0; pointers[i]; i++) {
        char *longer = cleat_mem_format("%s,{\"op\":\"add\",\"path\":\"%s\",\"value\":\"%s\"}",
                                        patch, pointers[i], base64);
        cleat_mem_free(patch);
        patch = longer;
    }
    char *whole = cleat_mem_format("%s]", patch);
    cleat_mem_free(patch);
    cleat_free(base64);
    return whole;
}

START_TEST(test_what_is_written_where)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct script state = {.object = rows[i].object};
        struct client_fixture fixture;
        const struct cleat_ca_target target = {rows[i].kind, "t"};
        client_fixture_init(&fixture, script, &state);
        client_fixture_open(&fixture);
        int r = cleat_inject_ca(fixture.client, &target, rows[i].owner, CLEAT_STR(CA), NULL);
        char *expected = expected_patch(rows[i].pointers);
        ck_assert_msg(r == rows[i].result, "%s: %d", rows[i].name, r);
        ck_assert_msg(state.patches == (rows[i].pointers[0] ? 1 : 0), "%s", rows[i].name);
        if (state.patches > 0)
            ck_assert_msg(strcmp(state.patch, expected) == 0, "%s: %s", rows[i].name, state.patch);
        cleat_mem_free(expected);
        client_fixture_fini(&fixture);
    }
}
END_TEST

START_TEST(test_what_is_in_place_is_left_alone)
{
    struct client_fixture fixture;
    char *base64 = base64_of(CA);
    char *object =
        cleat_mem_format(HOOKS("{\"clientConfig\":{" SERVICE ",\"caBundle\":\"%s\"}}"), base64);
    struct script state = {.object = object};
    const struct cleat_ca_target target = {CLEAT_CA_MUTATING, "t"};
    client_fixture_init(&fixture, script, &state);
    client_fixture_open(&fixture);
    ck_assert_int_eq(cleat_inject_ca(fixture.client, &target, &by_service, CLEAT_STR(CA), NULL), 0);
    ck_assert_uint_eq(state.patches, 0);
    client_fixture_fini(&fixture);
    cleat_mem_free(object);
    cleat_free(base64);
}
END_TEST

/* The statuses of a patch whose test failed, and of one that lost a race. */
START_TEST(test_races_are_tried_again)
{
    static const struct {
        int status;
        unsigned times;
        int result;
        unsigned patches;
    } races[] = {
        {422, 2, 0, 3}, {409, 1, 0, 2}, {422, 0, -EAGAIN, 3}, {404, 1, 0, 2}, {403, 0, -EACCES, 1}};
    for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++) {
        struct client_fixture fixture;
        struct cleat_err err = CLEAT_ERR_INIT;
        struct script state = {.object = HOOKS("{\"clientConfig\":{" SERVICE "}}"),
                               .patch_status = races[i].status,
                               .patch_times = races[i].times};
        const struct cleat_ca_target target = {CLEAT_CA_MUTATING, "t"};
        client_fixture_init(&fixture, script, &state);
        client_fixture_open(&fixture);
        int r = cleat_inject_ca(fixture.client, &target, NULL, CLEAT_STR(CA), &err);
        ck_assert_msg(r == races[i].result, "%d: %d", races[i].status, r);
        ck_assert_msg(state.patches == races[i].patches, "%d: %u", races[i].status, state.patches);
        if (r < 0)
            ck_assert_msg(strncmp(err.text, "caBundle of t: ", 15) == 0, "%s", err.text);
        client_fixture_fini(&fixture);
    }
}
END_TEST

CLEAT_SUITE_MAIN("injector", test_what_is_written_where, test_what_is_in_place_is_left_alone,
                 test_races_are_tried_again)
