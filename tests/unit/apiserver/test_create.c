/* SPDX-License-Identifier: Apache-2.0 */
#include "api_fixture.h"

START_TEST(test_what_the_server_sets)
{
    struct api api;
    api_init(&api);
    struct reply reply = api_do(
        &api, "POST", "/apis/apps/v1/namespaces/default/deployments",
        "{\"kind\":\"Deployment\",\"apiVersion\":\"apps/"
        "v1\",\"metadata\":{\"name\":\"d\",\"uid\":\"mine\","
        "\"creationTimestamp\":null,\"generation\":7,\"deletionTimestamp\":\"2020-01-01T00:00:"
        "00Z\","
        "\"selfLink\":\"/x\",\"finalizers\":[\"a.io/b\"]},\"spec\":{\"replicas\":1,\"selector\":{"
        "\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},"
        "\"spec\":{"
        "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}},\"status\":{\"replicas\":9}}");
    ck_reply_code(reply, 201);
    ck_assert_uint_eq(strlen(reply_text(&reply, "metadata.uid")), 36);
    ck_assert_int_eq(reply_int(&reply, "metadata.generation"), 1);
    ck_assert_str_eq(reply_text(&reply, "metadata.namespace"), "default");
    ck_assert_str_eq(reply_text(&reply, "metadata.creationTimestamp"), "2026-01-02T03:04:05Z");
    ck_assert_str_eq(reply_text(&reply, "metadata.finalizers[0]"), "a.io/b");
    ck_assert(!reply_has(&reply, "metadata.deletionTimestamp"));
    ck_assert(!reply_has(&reply, "metadata.selfLink"));
    ck_assert(!reply_has(&reply, "status.replicas"));
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_no_generation_without_spec)
{
    struct api api;
    api_init(&api);
    struct reply reply = api_do(&api, "POST", API_CONFIGMAPS, "{\"metadata\":{\"name\":\"a\"}}");
    ck_reply_code(reply, 201);
    ck_assert(!reply_has(&reply, "metadata.generation"));
    ck_assert_str_eq(reply_text(&reply, "kind"), "ConfigMap");
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *path;
        const char *type;
        const char *body;
        int code;
        const char *reason;
        const char *words;
    } cases[] = {
        {API_CONFIGMAPS, NULL, "{\"metadata\":{\"name\":\"there\"}}", 409, "AlreadyExists",
         "configmaps \"there\" already exists"},
        {API_CONFIGMAPS, NULL, "{\"metadata\":{}}", 422, "Invalid",
         "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is "
         "required"},
        {API_CONFIGMAPS, NULL, "{\"metadata\":{\"name\":\"A_b\"}}", 422, "Invalid",
         "ConfigMap \"A_b\" is invalid: metadata.name: Invalid value: \"A_b\": a lowercase RFC "
         "1123 "
         "subdomain"},
        {"/api/v1/namespaces", NULL, "{\"metadata\":{\"name\":\"a.b\"}}", 422, "Invalid",
         "a lowercase RFC 1123 label"},
        {API_CONFIGMAPS, NULL, "{\"metadata\":{\"name\":\"a\",\"namespace\":\"other\"}}", 400,
         "BadRequest", "the namespace of the provided object does not match"},
        {API_CONFIGMAPS, NULL, "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}}", 400,
         "BadRequest", "resourceVersion should not be set on objects to be created"},
        {"/api/v1/namespaces/absent/configmaps", NULL, "{\"metadata\":{\"name\":\"a\"}}", 404,
         "NotFound", "namespaces \"absent\" not found"},
        {API_CONFIGMAPS, NULL, "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"a\"}}", 400,
         "BadRequest", "Secret"},
        {API_CONFIGMAPS, NULL, "{\"apiVersion\":\"v2\",\"metadata\":{\"name\":\"a\"}}", 400,
         "BadRequest", "the API version in the data (v2)"},
        {API_CONFIGMAPS, NULL, "{", 400, "BadRequest", NULL},
        {API_CONFIGMAPS, NULL, "[]", 400, "BadRequest", NULL},
        {API_CONFIGMAPS, NULL, NULL, 400, "BadRequest", NULL},
        {API_CONFIGMAPS, "application/cbor", "x", 415, "UnsupportedMediaType", NULL},
        {API_CONFIGMAPS "/a", NULL, "{\"metadata\":{\"name\":\"a\"}}", 405, "MethodNotAllowed",
         NULL},
        {"/api/v1/configmaps", NULL, "{\"metadata\":{\"name\":\"a\"}}", 405, "MethodNotAllowed",
         NULL},
        {"/api/v1/namespaces/default/nothings", NULL, "{}", 404, "NotFound", NULL},
        {"/api/v1/namespaces/default/nodes", NULL, "{}", 404, "NotFound", NULL},
    };
    struct api api;
    api_init(&api);
    api_configmap(&api, "there", "1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct api_call call = {.method = "POST",
                                      .path = cases[i].path,
                                      .content_type = cases[i].type,
                                      .body = cases[i].body};
        api_expect_status(&api, &call, cases[i].code, cases[i].reason, cases[i].words);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_details)
{
    struct api api;
    api_init(&api);
    api_configmap(&api, "x", "1");
    struct reply reply = api_do(&api, "POST", API_CONFIGMAPS, "{\"metadata\":{\"name\":\"x\"}}");
    ck_assert_str_eq(reply_text(&reply, "details.name"), "x");
    ck_assert_str_eq(reply_text(&reply, "details.kind"), "configmaps");
    reply_fini(&reply);
    reply = api_do(&api, "POST", API_CONFIGMAPS, "{\"metadata\":{\"name\":\"X\"}}");
    ck_assert_str_eq(reply_text(&reply, "details.kind"), "ConfigMap");
    ck_assert_str_eq(reply_text(&reply, "details.causes[0].reason"), "FieldValueInvalid");
    ck_assert_str_eq(reply_text(&reply, "details.causes[0].field"), "metadata.name");
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_generate_name)
{
    struct api api;
    char first[128];
    api_init(&api);
    struct reply reply =
        api_do(&api, "POST", API_CONFIGMAPS, "{\"metadata\":{\"generateName\":\"web-\"}}");
    ck_reply_code(reply, 201);
    snprintf(first, sizeof(first), "%s", reply_text(&reply, "metadata.name"));
    ck_assert_uint_eq(strlen(first), 9);
    ck_assert_int_eq(strncmp(first, "web-", 4), 0);
    ck_assert_uint_eq(strspn(first + 4, "bcdfghjklmnpqrstvwxz2456789"), 5);
    reply_fini(&reply);
    /* The same random numbers again: the name is taken, so another is made. */
    cleat_fake_clock_init(&api.clock);
    struct api twin;
    api_init(&twin);
    reply = api_do(&api, "POST", API_CONFIGMAPS, "{\"metadata\":{\"generateName\":\"web-\"}}");
    ck_reply_code(reply, 201);
    ck_assert_str_ne(reply_text(&reply, "metadata.name"), first);
    reply_fini(&reply);
    api_fini(&twin);
    api_fini(&api);
}
END_TEST

START_TEST(test_dry_run)
{
    struct api api;
    api_init(&api);
    uint64_t before = cleat_api_registry_revision(&api.core->registry);
    struct reply reply =
        api_do(&api, "POST", API_CONFIGMAPS "?dryRun=All", "{\"metadata\":{\"name\":\"a\"}}");
    ck_reply_code(reply, 201);
    ck_assert_uint_eq(strlen(reply_text(&reply, "metadata.uid")), 36);
    reply_fini(&reply);
    ck_assert_uint_eq(cleat_api_registry_revision(&api.core->registry), before);
    api_expect(&api, "GET", API_CONFIGMAPS "/a", NULL, 404);
    api_configmap(&api, "a", "1");
    api_expect(&api, "POST", API_CONFIGMAPS "?dryRun=All", "{\"metadata\":{\"name\":\"a\"}}", 409);
    api_expect(&api, "POST", API_CONFIGMAPS "?dryRun=Some", "{\"metadata\":{\"name\":\"b\"}}", 400);
    api_fini(&api);
}
END_TEST

START_TEST(test_namespace)
{
    struct api api;
    api_init(&api);
    struct reply reply =
        api_do(&api, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"n\"}}");
    ck_reply_code(reply, 201);
    ck_assert_str_eq(reply_text(&reply, "status.phase"), "Active");
    ck_assert_str_eq(reply_text(&reply, "spec.finalizers[0]"), "kubernetes");
    ck_assert_str_eq(reply_text(&reply, "metadata.labels[\"kubernetes.io/metadata.name\"]"), "n");
    reply_fini(&reply);
    /* While it's being deleted nothing new comes in. */
    reply = api_do(&api, "DELETE", "/api/v1/namespaces/n", NULL);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "status.phase"), "Terminating");
    reply_fini(&reply);
    reply =
        api_do(&api, "POST", "/api/v1/namespaces/n/configmaps", "{\"metadata\":{\"name\":\"a\"}}");
    ck_reply_code(reply, 403);
    ck_assert_str_eq(reply_text(&reply, "details.causes[0].reason"), "NamespaceTerminating");
    ck_assert_ptr_nonnull(strstr(reply_text(&reply, "message"),
                                 "configmaps \"a\" is forbidden: unable to create new content in "
                                 "namespace n because it is being terminated"));
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_events_in_both_groups)
{
    struct api api;
    api_init(&api);
    api_expect(
        &api, "POST", "/apis/events.k8s.io/v1/namespaces/default/events",
        "{\"metadata\":{\"name\":\"e\"},\"eventTime\":\"2026-01-02T03:04:05.000000Z\","
        "\"note\":\"hello\",\"reason\":\"R\",\"action\":\"A\",\"type\":\"Normal\","
        "\"reportingController\":\"c\",\"reportingInstance\":\"i\",\"regarding\":{\"kind\":\"Pod\","
        "\"name\":\"p\",\"namespace\":\"default\"}}",
        201);
    struct reply reply = api_do(&api, "GET",
                                "/api/v1/namespaces/default/events?fieldSelector=involvedObject."
                                "name%3Dp,reason%3DR",
                                NULL);
    ck_assert_uint_eq(reply_count(&reply, "items"), 1);
    ck_assert_str_eq(reply_text(&reply, "items[0].message"), "hello");
    ck_assert_str_eq(reply_text(&reply, "items[0].reportingComponent"), "c");
    ck_assert(!reply_has(&reply, "items[0].note"));
    reply_fini(&reply);
    reply =
        api_do(&api, "GET", "/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dp", NULL);
    ck_assert_uint_eq(reply_count(&reply, "items"), 1);
    ck_assert_str_eq(reply_text(&reply, "items[0].note"), "hello");
    reply_fini(&reply);
    const struct api_call patch = {.method = "PATCH",
                                   .path = "/apis/events.k8s.io/v1/namespaces/default/events/e",
                                   .content_type = "application/merge-patch+json",
                                   .body = "{\"series\":{\"count\":2,\"lastObservedTime\":"
                                           "\"2026-01-02T03:04:06.000000Z\"}}"};
    reply = api_run(&api, &patch);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "regarding.name"), "p");
    ck_assert_str_eq(reply_text(&reply, "apiVersion"), "events.k8s.io/v1");
    reply_fini(&reply);
    reply = api_do(&api, "GET", "/api/v1/namespaces/default/events/e", NULL);
    ck_assert_int_eq(reply_int(&reply, "series.count"), 2);
    ck_assert_str_eq(reply_text(&reply, "involvedObject.name"), "p");
    ck_assert_str_eq(reply_text(&reply, "apiVersion"), "v1");
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("create", test_what_the_server_sets, test_no_generation_without_spec, test_refused,
                 test_details, test_generate_name, test_dry_run, test_namespace,
                 test_events_in_both_groups)
