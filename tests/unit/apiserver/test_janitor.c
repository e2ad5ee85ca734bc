/* SPDX-License-Identifier: Apache-2.0 */
/* The garbage collector and the namespace controller at work, on their own thread and the system's
 * clock. */
#include "apiserver/janitor.h"

#include "api_fixture.h"

static void start(struct api *api)
{
    struct cleat_apiserver_options options = {0};
    api_init_with(api, &options);
    /* The janitor's waits follow the clock that the requests have. */
    ck_assert_int_eq(cleat_apiserver_start(api->server, NULL), 0);
}

/* Makes a ConfigMap that names @owner; the answer's uid goes to @uid. */
static void owned(struct api *api, const char *name, const char *owner, const char *owner_uid,
                  bool blocks, char uid[64])
{
    char reference[512] = "";
    char body[1024];
    if (owner)
        snprintf(
            reference, sizeof(reference),
            ",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"%s\","
            "\"uid\":\"%s\",\"blockOwnerDeletion\":%s}]",
            owner, owner_uid, blocks ? "true" : "false");
    snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"%s\"%s}}", name, reference);
    struct reply reply = api_do(api, "POST", API_CONFIGMAPS, body);
    ck_reply_code(reply, 201);
    snprintf(uid, 64, "%s", reply_text(&reply, "metadata.uid"));
    reply_fini(&reply);
}

static int code_of(struct api *api, const char *path)
{
    struct reply reply = api_do(api, "GET", path, NULL);
    int code = reply.code;
    reply_fini(&reply);
    return code;
}

/* What delays the janitor is its own back-off: let the time pass. */
static int settled_code(struct api *api, const char *path)
{
    cleat_fake_clock_advance_ms(&api->clock, 100);
    return code_of(api, path);
}

START_TEST(test_background)
{
    struct api api;
    char top[64];
    char middle[64];
    char leaf[64];
    start(&api);
    owned(&api, "top", NULL, NULL, false, top);
    owned(&api, "middle", "top", top, true, middle);
    owned(&api, "leaf", "middle", middle, true, leaf);
    owned(&api, "free", NULL, NULL, false, leaf);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/top", NULL, 200);
    ck_assert_int_eq(code_of(&api, API_CONFIGMAPS "/top"), 404);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/middle") == 404, 5000);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/leaf") == 404, 5000);
    ck_assert_int_eq(code_of(&api, API_CONFIGMAPS "/free"), 200);
    api_fini(&api);
}
END_TEST

START_TEST(test_absent_owner)
{
    struct api api;
    char uid[64];
    char other[64];
    start(&api);
    owned(&api, "owner", NULL, NULL, false, uid);
    owned(&api, "never", "absent", "00000000-0000-0000-0000-000000000000", false, other);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/never") == 404, 5000);
    /* Of that name, but not that one. */
    owned(&api, "wrong", "owner", "00000000-0000-0000-0000-000000000000", false, other);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/wrong") == 404, 5000);
    owned(&api, "right", "owner", uid, false, other);
    owned(&api, "late", "absent", "00000000-0000-0000-0000-000000000000", false, other);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/late") == 404, 5000);
    ck_assert_int_eq(code_of(&api, API_CONFIGMAPS "/right"), 200);
    api_fini(&api);
}
END_TEST

START_TEST(test_owners_that_nobody_can_find)
{
    static const char *const bodies[] = {
        /* A namespaced owner of an object without a namespace. */
        "{\"metadata\":{\"name\":\"a\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":"
        "\"ConfigMap\",\"name\":\"x\",\"uid\":\"u\"}]}}",
        /* One of a kind that isn't served. */
        "{\"metadata\":{\"name\":\"b\",\"ownerReferences\":[{\"apiVersion\":\"example.com/v1\","
        "\"kind\":\"Thing\",\"name\":\"x\",\"uid\":\"u\"}]}}",
    };
    struct api api;
    char uid[64];
    start(&api);
    for (size_t i = 0; i < 2; i++)
        api_expect(&api, "POST", "/api/v1/nodes", bodies[i], 201);
    /* The queue is in order: once this one is gone, those were looked at. */
    owned(&api, "later", "absent", "00000000-0000-0000-0000-000000000000", false, uid);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/later") == 404, 5000);
    ck_assert_int_eq(code_of(&api, "/api/v1/nodes/a"), 200);
    ck_assert_int_eq(code_of(&api, "/api/v1/nodes/b"), 200);
    api_fini(&api);
}
END_TEST

START_TEST(test_one_owner_left)
{
    struct api api;
    char a[64];
    char b[64];
    char body[1024];
    start(&api);
    owned(&api, "a", NULL, NULL, false, a);
    owned(&api, "b", NULL, NULL, false, b);
    snprintf(
        body, sizeof(body),
        "{\"metadata\":{\"name\":\"child\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":"
        "\"ConfigMap\",\"name\":\"a\",\"uid\":\"%s\"},{\"apiVersion\":\"v1\",\"kind\":"
        "\"ConfigMap\","
        "\"name\":\"b\",\"uid\":\"%s\"}]}}",
        a, b);
    api_expect(&api, "POST", API_CONFIGMAPS, body, 201);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/a", NULL, 200);
    for (size_t left = 2; left != 1;) {
        struct reply reply = api_do(&api, "GET", API_CONFIGMAPS "/child", NULL);
        ck_reply_code(reply, 200);
        left = reply_count(&reply, "metadata.ownerReferences");
        reply_fini(&reply);
        cleat_fake_clock_advance_ms(&api.clock, 100);
        cleat_wait_moment();
    }
    api_expect(&api, "DELETE", API_CONFIGMAPS "/b", NULL, 200);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/child") == 404, 5000);
    api_fini(&api);
}
END_TEST

START_TEST(test_foreground)
{
    struct api api;
    char top[64];
    char uid[64];
    start(&api);
    owned(&api, "top", NULL, NULL, false, top);
    owned(&api, "blocking", "top", top, true, uid);
    /* It can't go before somebody lets it. */
    const struct api_call hold = {.method = "PATCH",
                                  .path = API_CONFIGMAPS "/blocking",
                                  .content_type = "application/merge-patch+json",
                                  .body = "{\"metadata\":{\"finalizers\":[\"x.io/hold\"]}}"};
    struct reply reply = api_run(&api, &hold);
    ck_reply_code(reply, 200);
    reply_fini(&reply);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/top?propagationPolicy=Foreground", NULL, 200);
    bool deleting = false;
    while (!deleting) {
        reply = api_do(&api, "GET", API_CONFIGMAPS "/blocking", NULL);
        deleting = reply_has(&reply, "metadata.deletionTimestamp");
        reply_fini(&reply);
        cleat_fake_clock_advance_ms(&api.clock, 100);
        cleat_wait_moment();
    }
    ck_assert_int_eq(code_of(&api, API_CONFIGMAPS "/top"), 200);
    const struct api_call release = {.method = "PATCH",
                                     .path = API_CONFIGMAPS "/blocking",
                                     .content_type = "application/merge-patch+json",
                                     .body = "{\"metadata\":{\"finalizers\":null}}"};
    reply = api_run(&api, &release);
    ck_reply_code(reply, 200);
    reply_fini(&reply);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/top") == 404, 5000);
    ck_assert_int_eq(code_of(&api, API_CONFIGMAPS "/blocking"), 404);
    api_fini(&api);
}
END_TEST

START_TEST(test_orphans)
{
    struct api api;
    char top[64];
    char uid[64];
    start(&api);
    owned(&api, "top", NULL, NULL, false, top);
    owned(&api, "child", "top", top, true, uid);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/top?propagationPolicy=Orphan", NULL, 200);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/top") == 404, 5000);
    struct reply reply = api_do(&api, "GET", API_CONFIGMAPS "/child", NULL);
    ck_reply_code(reply, 200);
    ck_assert_uint_eq(reply_count(&reply, "metadata.ownerReferences"), 0);
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_namespace_goes)
{
    struct api api;
    start(&api);
    api_expect(&api, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"n\"}}", 201);
    api_expect(&api, "POST", "/api/v1/namespaces/n/configmaps", "{\"metadata\":{\"name\":\"a\"}}",
               201);
    api_expect(&api, "POST", "/api/v1/namespaces/n/secrets",
               "{\"metadata\":{\"name\":\"held\",\"finalizers\":[\"x.io/hold\"]}}", 201);
    CLEAT_WAIT_FOR(settled_code(&api, "/api/v1/namespaces/n/configmaps/kube-root-ca.crt") == 200,
                   5000);
    api_expect(&api, "DELETE", "/api/v1/namespaces/n", NULL, 200);
    CLEAT_WAIT_FOR(settled_code(&api, "/api/v1/namespaces/n/configmaps/a") == 404, 5000);
    /* What is held holds the namespace. */
    ck_assert_int_eq(code_of(&api, "/api/v1/namespaces/n"), 200);
    const struct api_call release = {.method = "PATCH",
                                     .path = "/api/v1/namespaces/n/secrets/held",
                                     .content_type = "application/merge-patch+json",
                                     .body = "{\"metadata\":{\"finalizers\":null}}"};
    struct reply reply = api_run(&api, &release);
    ck_reply_code(reply, 200);
    reply_fini(&reply);
    CLEAT_WAIT_FOR(settled_code(&api, "/api/v1/namespaces/n") == 404, 5000);
    api_fini(&api);
}
END_TEST

START_TEST(test_root_ca)
{
    struct api api;
    start(&api);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/kube-root-ca.crt") == 200, 5000);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/kube-root-ca.crt", NULL, 200);
    CLEAT_WAIT_FOR(settled_code(&api, API_CONFIGMAPS "/kube-root-ca.crt") == 200, 5000);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("janitor", test_background, test_absent_owner, test_owners_that_nobody_can_find,
                 test_one_owner_left, test_foreground, test_orphans, test_namespace_goes,
                 test_root_ca)
