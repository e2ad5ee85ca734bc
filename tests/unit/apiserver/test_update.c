/* SPDX-License-Identifier: Apache-2.0 */
#include "api_fixture.h"

#define DEPLOYMENTS "/apis/apps/v1/namespaces/default/deployments"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/default/leases"
#define SPEC                                                                                \
    "\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{" \
    "\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"

static void deployment(struct api *api)
{
    api_expect(api, "POST", DEPLOYMENTS,
               "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":1," SPEC "}}", 201);
}

static struct reply patch(struct api *api, const char *path, const char *type, const char *body)
{
    const struct api_call call = {
        .method = "PATCH", .path = path, .content_type = type, .body = body};
    return api_run(api, &call);
}

#define MERGE "application/merge-patch+json"
#define JSON_PATCH "application/json-patch+json"

START_TEST(test_conflict)
{
    struct api api;
    char body[256];
    char version[32];
    api_init(&api);
    api_configmap(&api, "a", "1");
    struct reply reply = api_do(&api, "GET", API_CONFIGMAPS "/a", NULL);
    snprintf(version, sizeof(version), "%s", reply_text(&reply, "metadata.resourceVersion"));
    reply_fini(&reply);
    snprintf(body, sizeof(body),
             "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"%s\"},\"data\":{\"v\":\"2\"}}",
             version);
    api_expect(&api, "PUT", API_CONFIGMAPS "/a", body, 200);
    const struct api_call call = {.method = "PUT", .path = API_CONFIGMAPS "/a", .body = body};
    api_expect_status(
        &api, &call, 409, "Conflict",
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; "
        "please apply your changes to the latest version and try again");
    /* Without a version it overwrites. */
    api_expect(&api, "PUT", API_CONFIGMAPS "/a",
               "{\"metadata\":{\"name\":\"a\"},\"data\":{\"v\":\"3\"}}", 200);
    /* A patch that names a version is held to it. */
    snprintf(body, sizeof(body),
             "{\"metadata\":{\"resourceVersion\":\"%s\"},\"data\":{\"v\":\"4\"}}", version);
    reply = patch(&api, API_CONFIGMAPS "/a", MERGE, body);
    ck_reply_code(reply, 409);
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *path;
        const char *body;
        int code;
        const char *reason;
        const char *words;
    } cases[] = {
        {API_CONFIGMAPS "/b", "{\"metadata\":{\"name\":\"b\"}}", 404, "NotFound", NULL},
        {API_CONFIGMAPS "/a", "{\"metadata\":{\"name\":\"b\"}}", 400, "BadRequest",
         "the name of the object (b) does not match the name on the URL (a)"},
        {API_CONFIGMAPS "/a", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"x\"}}", 400,
         "BadRequest", "does not match the namespace on the URL"},
        {API_CONFIGMAPS "/a", "{\"metadata\":{\"name\":\"a\",\"uid\":\"other\"}}", 409, "Conflict",
         "Precondition failed: UID in precondition: other, UID in object meta: "},
        {API_CONFIGMAPS "/a/status", "{\"metadata\":{\"name\":\"a\"}}", 404, "NotFound", NULL},
        {LEASES "/l", "{\"metadata\":{\"name\":\"l\"}}", 422, "Invalid",
         "metadata.resourceVersion: Invalid value: 0: must be specified for an update"},
    };
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    api_expect(&api, "PUT", LEASES "/l", "{\"metadata\":{\"name\":\"l\"}}", 201);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct api_call call = {
            .method = "PUT", .path = cases[i].path, .body = cases[i].body};
        api_expect_status(&api, &call, cases[i].code, cases[i].reason, cases[i].words);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_nothing_changed)
{
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    uint64_t before = cleat_api_registry_revision(&api.core->registry);
    struct reply reply = patch(&api, API_CONFIGMAPS "/a", MERGE, "{\"data\":{\"v\":\"1\"}}");
    ck_reply_code(reply, 200);
    reply_fini(&reply);
    ck_assert_uint_eq(cleat_api_registry_revision(&api.core->registry), before);
    api_fini(&api);
}
END_TEST

START_TEST(test_generation)
{
    static const struct {
        const char *path;
        const char *patch;
        int64_t generation;
        int64_t observed;
    } steps[] = {
        {DEPLOYMENTS "/d", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}", 1, -1},
        {DEPLOYMENTS "/d", "{\"spec\":{\"replicas\":2}}", 2, -1},
        {DEPLOYMENTS "/d", "{\"metadata\":{\"generation\":9}}", 2, -1},
        {DEPLOYMENTS "/d", "{\"status\":{\"observedGeneration\":2}}", 2, -1},
        {DEPLOYMENTS "/d/status", "{\"status\":{\"observedGeneration\":2}}", 2, 2},
        {DEPLOYMENTS "/d/status", "{\"spec\":{\"replicas\":5}}", 2, 2},
        {DEPLOYMENTS "/d", "{\"spec\":{\"replicas\":3}}", 3, 2},
    };
    struct api api;
    api_init(&api);
    deployment(&api);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct reply reply = patch(&api, steps[i].path, MERGE, steps[i].patch);
        ck_reply_code(reply, 200);
        ck_assert_msg(reply_int(&reply, "metadata.generation") == steps[i].generation,
                      "step %zu: %s", i, reply.text.data);
        ck_assert_msg(reply_int(&reply, "status.observedGeneration") == steps[i].observed,
                      "step %zu: %s", i, reply.text.data);
        reply_fini(&reply);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_what_stays)
{
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    struct reply before = api_do(&api, "GET", API_CONFIGMAPS "/a", NULL);
    struct reply after =
        patch(&api, API_CONFIGMAPS "/a", MERGE,
              "{\"metadata\":{\"creationTimestamp\":\"2020-01-01T00:00:00Z\",\"deletionTimestamp\":"
              "\"2020-01-01T00:00:00Z\",\"selfLink\":\"x\",\"annotations\":{\"k\":\"v\"}}}");
    ck_reply_code(after, 200);
    ck_assert_str_eq(reply_text(&after, "metadata.creationTimestamp"), "2026-01-02T03:04:05Z");
    ck_assert(!reply_has(&after, "metadata.deletionTimestamp"));
    ck_assert_str_eq(reply_text(&after, "metadata.annotations.k"), "v");
    char uid[64];
    snprintf(uid, sizeof(uid), "%s", reply_text(&before, "metadata.uid"));
    ck_assert_str_eq(reply_text(&after, "metadata.uid"), uid);
    reply_fini(&before);
    reply_fini(&after);
    api_fini(&api);
}
END_TEST

START_TEST(test_patches)
{
    static const struct {
        const char *type;
        const char *body;
        int code;
        const char *reason;
    } cases[] = {
        {MERGE, "{\"data\":{\"v\":null,\"w\":\"2\"}}", 200, NULL},
        {MERGE, "[]", 400, "BadRequest"},
        {MERGE, "{", 400, "BadRequest"},
        {JSON_PATCH, "[{\"op\":\"test\",\"path\":\"/data/w\",\"value\":\"2\"}]", 200, NULL},
        {JSON_PATCH, "[{\"op\":\"test\",\"path\":\"/data/w\",\"value\":\"3\"}]", 422, "Invalid"},
        {JSON_PATCH, "[{\"op\":\"remove\",\"path\":\"/data/x\"}]", 422, "Invalid"},
        {JSON_PATCH, "{}", 400, "BadRequest"},
        {JSON_PATCH, "[{\"op\":\"replace\",\"path\":\"/data/w\",\"value\":\"3\"}]", 200, NULL},
        {JSON_PATCH, "[{\"op\":\"replace\",\"path\":\"/metadata/name\",\"value\":\"b\"}]", 400,
         "BadRequest"},
        {"application/strategic-merge-patch+json", "{}", 415, "UnsupportedMediaType"},
        {"application/apply-patch+yaml", "{}", 415, "UnsupportedMediaType"},
        {"application/json", "{}", 415, "UnsupportedMediaType"},
        {MERGE "; charset=utf-8", "{\"data\":{\"z\":\"1\"}}", 200, NULL},
    };
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply = patch(&api, API_CONFIGMAPS "/a", cases[i].type, cases[i].body);
        ck_assert_msg(reply.code == cases[i].code, "%zu: %s", i, reply.text.data);
        if (cases[i].reason)
            ck_assert_str_eq(reply_text(&reply, "reason"), cases[i].reason);
        reply_fini(&reply);
    }
    struct reply reply = api_do(&api, "GET", API_CONFIGMAPS "/a", NULL);
    ck_assert(!reply_has(&reply, "data.v"));
    ck_assert_str_eq(reply_text(&reply, "data.w"), "3");
    ck_assert_str_eq(reply_text(&reply, "data.z"), "1");
    reply_fini(&reply);
    reply = patch(&api, API_CONFIGMAPS "/absent", MERGE, "{}");
    ck_reply_code(reply, 404);
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_scale)
{
    struct api api;
    api_init(&api);
    deployment(&api);
    struct reply reply = api_do(&api, "GET", DEPLOYMENTS "/d/scale", NULL);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "kind"), "Scale");
    ck_assert_str_eq(reply_text(&reply, "apiVersion"), "autoscaling/v1");
    ck_assert_int_eq(reply_int(&reply, "spec.replicas"), 1);
    ck_assert_str_eq(reply_text(&reply, "status.selector"), "a=b");
    reply_fini(&reply);
    reply = patch(&api, DEPLOYMENTS "/d/scale", MERGE, "{\"spec\":{\"replicas\":4}}");
    ck_reply_code(reply, 200);
    ck_assert_int_eq(reply_int(&reply, "spec.replicas"), 4);
    reply_fini(&reply);
    reply =
        api_do(&api, "PUT", DEPLOYMENTS "/d/scale",
               "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{\"name\":\"d\","
               "\"namespace\":\"default\"},\"spec\":{\"replicas\":-1}}");
    ck_reply_code(reply, 422);
    reply_fini(&reply);
    reply = api_do(&api, "GET", DEPLOYMENTS "/d", NULL);
    ck_assert_int_eq(reply_int(&reply, "spec.replicas"), 4);
    ck_assert_int_eq(reply_int(&reply, "metadata.generation"), 2);
    reply_fini(&reply);
    api_expect(&api, "GET", API_CONFIGMAPS "/a/scale", NULL, 404);
    api_fini(&api);
}
END_TEST

START_TEST(test_upsert)
{
    struct api api;
    api_init(&api);
    api_expect(&api, "PUT", LEASES "/l", "{\"metadata\":{\"name\":\"l\"},\"spec\":{}}", 201);
    api_expect(&api, "GET", LEASES "/l", NULL, 200);
    api_fini(&api);
}
END_TEST

START_TEST(test_last_finalizer_lets_go)
{
    struct api api;
    api_init(&api);
    api_expect(&api, "POST", API_CONFIGMAPS,
               "{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"x.io/a\",\"x.io/b\"]}}", 201);
    struct reply reply = api_do(&api, "DELETE", API_CONFIGMAPS "/a", NULL);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "kind"), "ConfigMap");
    ck_assert_str_eq(reply_text(&reply, "metadata.deletionTimestamp"), "2026-01-02T03:04:05Z");
    ck_assert_int_eq(reply_int(&reply, "metadata.deletionGracePeriodSeconds"), 0);
    reply_fini(&reply);
    reply = patch(&api, API_CONFIGMAPS "/a", MERGE,
                  "{\"metadata\":{\"finalizers\":[\"x.io/a\",\"x.io/new\"]}}");
    ck_reply_code(reply, 422);
    ck_assert_ptr_nonnull(
        strstr(reply_text(&reply, "message"),
               "metadata.finalizers: Forbidden: no new finalizers can be added if "
               "the object is being deleted, found new finalizers "
               "[]string{\"x.io/new\"}"));
    reply_fini(&reply);
    reply = patch(&api, API_CONFIGMAPS "/a", MERGE, "{\"metadata\":{\"finalizers\":[\"x.io/b\"]}}");
    ck_reply_code(reply, 200);
    reply_fini(&reply);
    api_expect(&api, "GET", API_CONFIGMAPS "/a", NULL, 200);
    reply = patch(&api, API_CONFIGMAPS "/a", MERGE, "{\"metadata\":{\"finalizers\":null}}");
    ck_reply_code(reply, 200);
    reply_fini(&reply);
    api_expect(&api, "GET", API_CONFIGMAPS "/a", NULL, 404);
    api_fini(&api);
}
END_TEST

START_TEST(test_dry_run)
{
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    struct reply reply =
        patch(&api, API_CONFIGMAPS "/a?dryRun=All", MERGE, "{\"data\":{\"v\":\"2\"}}");
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "data.v"), "2");
    reply_fini(&reply);
    reply = api_do(&api, "GET", API_CONFIGMAPS "/a", NULL);
    ck_assert_str_eq(reply_text(&reply, "data.v"), "1");
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("update", test_conflict, test_refused, test_nothing_changed, test_generation,
                 test_what_stays, test_patches, test_scale, test_upsert,
                 test_last_finalizer_lets_go, test_dry_run)
