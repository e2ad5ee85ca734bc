/* SPDX-License-Identifier: Apache-2.0 */
#include "api_fixture.h"

START_TEST(test_delete)
{
    struct api api;
    char uid[64];
    api_init(&api);
    api_configmap(&api, "a", "1");
    struct reply reply = api_do(&api, "GET", API_CONFIGMAPS "/a", NULL);
    snprintf(uid, sizeof(uid), "%s", reply_text(&reply, "metadata.uid"));
    reply_fini(&reply);
    reply = api_do(&api, "DELETE", API_CONFIGMAPS "/a", NULL);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "kind"), "Status");
    ck_assert_str_eq(reply_text(&reply, "status"), "Success");
    ck_assert_str_eq(reply_text(&reply, "details.name"), "a");
    ck_assert_str_eq(reply_text(&reply, "details.kind"), "configmaps");
    ck_assert_str_eq(reply_text(&reply, "details.uid"), uid);
    reply_fini(&reply);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/a", NULL, 404);
    api_fini(&api);
}
END_TEST

START_TEST(test_preconditions)
{
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    const struct api_call uid = {.method = "DELETE",
                                 .path = API_CONFIGMAPS "/a",
                                 .body = "{\"preconditions\":{\"uid\":\"other\"}}"};
    api_expect_status(
        &api, &uid, 409, "Conflict",
        "Operation cannot be fulfilled on configmaps \"a\": Precondition failed: UID in "
        "precondition: other, UID in object meta: ");
    const struct api_call version = {.method = "DELETE",
                                     .path = API_CONFIGMAPS "/a",
                                     .body = "{\"preconditions\":{\"resourceVersion\":\"1\"}}"};
    api_expect_status(&api, &version, 409, "Conflict", "ResourceVersion in precondition: 1,");
    api_expect(&api, "DELETE", API_CONFIGMAPS "/a", "{", 400);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/a?propagationPolicy=Sideways", NULL, 400);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/a?dryRun=All", NULL, 200);
    api_expect(&api, "GET", API_CONFIGMAPS "/a", NULL, 200);
    api_fini(&api);
}
END_TEST

START_TEST(test_propagation_leaves_finalizers)
{
    static const struct {
        const char *query;
        const char *finalizer; /* NULL: it goes at once */
    } cases[] = {
        {"", NULL},
        {"?propagationPolicy=Background", NULL},
        {"?propagationPolicy=Orphan", "orphan"},
        {"?orphanDependents=true", "orphan"},
        {"?propagationPolicy=Foreground", "foregroundDeletion"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct api api;
        char path[256];
        api_init(&api);
        api_configmap(&api, "a", "1");
        snprintf(path, sizeof(path), API_CONFIGMAPS "/a%s", cases[i].query);
        api_expect(&api, "DELETE", path, NULL, 200);
        struct reply reply = api_do(&api, "GET", API_CONFIGMAPS "/a", NULL);
        ck_reply_code(reply, cases[i].finalizer ? 200 : 404);
        if (cases[i].finalizer)
            ck_assert_str_eq(reply_text(&reply, "metadata.finalizers[0]"), cases[i].finalizer);
        reply_fini(&reply);
        api_fini(&api);
    }
}
END_TEST

START_TEST(test_twice)
{
    struct api api;
    api_init(&api);
    api_expect(&api, "POST", API_CONFIGMAPS,
               "{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"x.io/a\"]}}", 201);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/a", NULL, 200);
    uint64_t before = cleat_api_registry_revision(&api.core->registry);
    cleat_fake_clock_advance_ms(&api.clock, 5000);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/a", NULL, 200);
    ck_assert_uint_eq(cleat_api_registry_revision(&api.core->registry), before);
    api_fini(&api);
}
END_TEST

START_TEST(test_immortal_namespaces)
{
    struct api api;
    api_init(&api);
    const struct api_call call = {.method = "DELETE", .path = "/api/v1/namespaces/default"};
    api_expect_status(&api, &call, 403, "Forbidden",
                      "namespaces \"default\" is forbidden: this namespace may not be deleted");
    api_expect(&api, "DELETE", "/api/v1/namespaces/kube-node-lease", NULL, 200);
    api_fini(&api);
}
END_TEST

START_TEST(test_collection)
{
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    api_configmap(&api, "b", "2");
    api_configmap(&api, "c", "2");
    api_expect(&api, "DELETE", API_CONFIGMAPS "?labelSelector=v%3D2", NULL, 200);
    struct reply reply = api_do(&api, "GET", API_CONFIGMAPS, NULL);
    ck_assert_uint_eq(reply_count(&reply, "items"), 1);
    ck_assert_str_eq(reply_text(&reply, "items[0].metadata.name"), "a");
    reply_fini(&reply);
    api_expect(&api, "DELETE", "/api/v1/configmaps", NULL, 405);
    api_expect(&api, "DELETE", API_CONFIGMAPS, NULL, 200);
    api_expect(&api, "GET", API_CONFIGMAPS "/a", NULL, 404);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("remove", test_delete, test_preconditions, test_propagation_leaves_finalizers,
                 test_twice, test_immortal_namespaces, test_collection)
