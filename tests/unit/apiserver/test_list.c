/* SPDX-License-Identifier: Apache-2.0 */
#include "api_fixture.h"

START_TEST(test_get)
{
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    struct reply reply = api_do(&api, "GET", API_CONFIGMAPS "/a", NULL);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "kind"), "ConfigMap");
    ck_assert_str_eq(reply_text(&reply, "apiVersion"), "v1");
    ck_assert_str_eq(reply_text(&reply, "data.v"), "1");
    ck_assert_str_eq(reply_text(&reply, "metadata.creationTimestamp"), "2026-01-02T03:04:05Z");
    ck_assert_uint_eq(strlen(reply_text(&reply, "metadata.uid")), 36);
    reply_fini(&reply);
    const struct api_call missing = {.method = "GET", .path = API_CONFIGMAPS "/b"};
    api_expect_status(&api, &missing, 404, "NotFound", "configmaps \"b\" not found");
    const struct api_call grouped = {.method = "GET",
                                     .path = "/apis/apps/v1/namespaces/default/deployments/b"};
    api_expect_status(&api, &grouped, 404, "NotFound", "deployments.apps \"b\" not found");
    const struct api_call future = {.method = "GET",
                                    .path = API_CONFIGMAPS "/a?resourceVersion=999"};
    api_expect_status(&api, &future, 504, "Timeout", "Too large resource version: 999, current: ");
    api_fini(&api);
}
END_TEST

START_TEST(test_list_forms)
{
    struct api api;
    api_init(&api);
    api_configmap(&api, "b", "2");
    api_configmap(&api, "a", "1");
    struct reply reply = api_do(&api, "GET", API_CONFIGMAPS, NULL);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "kind"), "ConfigMapList");
    ck_assert_uint_eq(reply_count(&reply, "items"), 2);
    ck_assert_str_eq(reply_text(&reply, "items[0].metadata.name"), "a");
    ck_assert(!reply_has(&reply, "items[0].kind"));
    ck_assert(!reply_has(&reply, "metadata.continue"));
    reply_fini(&reply);

    const struct api_call partial = {
        .method = "GET",
        .path = "/api/v1/configmaps",
        .accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"};
    reply = api_run(&api, &partial);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "kind"), "PartialObjectMetadataList");
    ck_assert_str_eq(reply_text(&reply, "apiVersion"), "meta.k8s.io/v1");
    ck_assert_str_eq(reply_text(&reply, "items[1].kind"), "PartialObjectMetadata");
    ck_assert_str_eq(reply_text(&reply, "items[1].metadata.labels.v"), "2");
    ck_assert(!reply_has(&reply, "items[1].data"));
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_accept)
{
    static const struct {
        const char *accept;
        int code;
        const char *kind;
    } cases[] = {
        {"", 200, "ConfigMap"},
        {"*/*", 200, "ConfigMap"},
        {"application/*", 200, "ConfigMap"},
        {"application/vnd.kubernetes.protobuf,application/json", 200, "ConfigMap"},
        {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", 200, "ConfigMap"},
        {"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json", 200,
         "PartialObjectMetadata"},
        {"application/vnd.kubernetes.protobuf", 406, "Status"},
        {"text/html", 406, "Status"},
    };
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct api_call call = {
            .method = "GET", .path = API_CONFIGMAPS "/a", .accept = cases[i].accept};
        struct reply reply = api_run(&api, &call);
        ck_assert_msg(reply.code == cases[i].code, "%s: %d", cases[i].accept, reply.code);
        ck_assert_str_eq(reply_text(&reply, "kind"), cases[i].kind);
        reply_fini(&reply);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_selectors)
{
    static const struct {
        const char *query;
        int code;
        int64_t count;
    } cases[] = {
        {"labelSelector=v%3D1", 200, 1},
        {"labelSelector=v", 200, 3},
        {"labelSelector=!v", 200, 0},
        {"labelSelector=v%20in%20(1,2)", 200, 2},
        {"labelSelector=v%3D%3D%3D", 400, -1},
        {"fieldSelector=metadata.name%3Db", 200, 1},
        {"fieldSelector=metadata.name!%3Db", 200, 2},
        {"fieldSelector=metadata.namespace%3Ddefault", 200, 3},
        {"fieldSelector=metadata.namespace%3Dother", 200, 0},
        {"fieldSelector=metadata.name%3Db,metadata.name%3Dc", 200, 0},
        {"fieldSelector=data.v%3D1", 400, -1},
        {"fieldSelector=metadata.name%3Db&labelSelector=v%3D1", 200, 0},
        {"limit=-1x", 400, -1},
        {"resourceVersion=abc", 400, -1},
        {"resourceVersion=0", 200, 3},
        {"resourceVersion=0&limit=1", 200, 3},
        {"resourceVersionMatch=Exact", 400, -1},
        {"resourceVersion=0&resourceVersionMatch=Exact", 400, -1},
        {"resourceVersion=1&resourceVersionMatch=NotOlderThan", 200, 3},
        {"resourceVersion=99999&resourceVersionMatch=NotOlderThan", 504, -1},
    };
    struct api api;
    api_init(&api);
    api_configmap(&api, "a", "1");
    api_configmap(&api, "b", "2");
    api_configmap(&api, "c", "3");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), API_CONFIGMAPS "?%s", cases[i].query);
        struct reply reply = api_do(&api, "GET", path, NULL);
        ck_assert_msg(reply.code == cases[i].code, "%s: %s", path, reply.text.data);
        if (reply.code == 200)
            ck_assert_msg((int64_t)reply_count(&reply, "items") == cases[i].count, "%s: %s", path,
                          reply.text.data);
        reply_fini(&reply);
    }
    api_fini(&api);
}
END_TEST

static void fill(struct api *api, int count)
{
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "cm-%03d", i);
        api_configmap(api, name, "x");
    }
}

/* One page; the name of its first item and its token are kept. */
static void page(struct api *api, const char *token, int code, size_t count, char next[512])
{
    char path[1024];
    snprintf(path, sizeof(path), API_CONFIGMAPS "?limit=10%s%s", token[0] ? "&continue=" : "",
             token);
    struct reply reply = api_do(api, "GET", path, NULL);
    ck_reply_code(reply, code);
    if (code == 200)
        ck_assert_uint_eq(reply_count(&reply, "items"), count);
    snprintf(next, 512, "%s", reply_text(&reply, "metadata.continue"));
    reply_fini(&reply);
}

START_TEST(test_pages)
{
    struct api api;
    char token[512] = "";
    api_init(&api);
    fill(&api, 25);
    struct reply reply = api_do(&api, "GET", API_CONFIGMAPS "?limit=10", NULL);
    ck_assert_int_eq(reply_int(&reply, "metadata.remainingItemCount"), 15);
    reply_fini(&reply);
    page(&api, "", 200, 10, token);
    ck_assert_str_ne(token, "");
    page(&api, token, 200, 10, token);
    page(&api, token, 200, 5, token);
    ck_assert_str_eq(token, "");
    /* Exactly a page: no token. */
    reply = api_do(&api, "GET", API_CONFIGMAPS "?limit=25", NULL);
    ck_assert(!reply_has(&reply, "metadata.continue"));
    ck_assert(!reply_has(&reply, "metadata.remainingItemCount"));
    reply_fini(&reply);
    /* With selectors nobody counts what remains. */
    reply = api_do(&api, "GET", API_CONFIGMAPS "?limit=10&labelSelector=v%3Dx", NULL);
    ck_assert(reply_has(&reply, "metadata.continue"));
    ck_assert(!reply_has(&reply, "metadata.remainingItemCount"));
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_pages_show_one_moment)
{
    struct api api;
    char token[512] = "";
    char path[1024];
    api_init(&api);
    fill(&api, 25);
    struct reply first = api_do(&api, "GET", API_CONFIGMAPS "?limit=10", NULL);
    snprintf(token, sizeof(token), "%s", reply_text(&first, "metadata.continue"));
    api_expect(&api, "DELETE", API_CONFIGMAPS "/cm-015", NULL, 200);
    api_configmap(&api, "cm-0155", "new");
    api_expect(&api, "PUT", API_CONFIGMAPS "/cm-016",
               "{\"metadata\":{\"name\":\"cm-016\"},\"data\":{\"v\":\"changed\"}}", 200);
    snprintf(path, sizeof(path), API_CONFIGMAPS "?limit=100&continue=%s", token);
    struct reply rest = api_do(&api, "GET", path, NULL);
    ck_reply_code(rest, 200);
    ck_assert_uint_eq(reply_count(&rest, "items"), 15);
    ck_assert_str_eq(reply_text(&rest, "items[5].metadata.name"), "cm-015");
    ck_assert_str_eq(reply_text(&rest, "items[6].metadata.name"), "cm-016");
    ck_assert_str_eq(reply_text(&rest, "items[6].data.v"), "x");
    char version[32];
    snprintf(version, sizeof(version), "%s", reply_text(&first, "metadata.resourceVersion"));
    ck_assert_str_eq(reply_text(&rest, "metadata.resourceVersion"), version);
    reply_fini(&rest);
    /* The same moment by its number. */
    snprintf(path, sizeof(path), API_CONFIGMAPS "?resourceVersion=%s&resourceVersionMatch=Exact",
             version);
    rest = api_do(&api, "GET", path, NULL);
    ck_assert_uint_eq(reply_count(&rest, "items"), 25);
    reply_fini(&rest);
    reply_fini(&first);
    api_fini(&api);
}
END_TEST

START_TEST(test_expired_pages)
{
    struct api api;
    char token[512] = "";
    char fresh[512] = "";
    char path[1024];
    api_init(&api);
    fill(&api, 25);
    page(&api, "", 200, 10, token);
    api_configmap(&api, "zz", "1");
    cleat_apiserver_compact(api.server);
    snprintf(path, sizeof(path), API_CONFIGMAPS "?limit=10&continue=%s", token);
    struct reply reply = api_do(&api, "GET", path, NULL);
    ck_reply_code(reply, 410);
    ck_assert_str_eq(reply_text(&reply, "reason"), "Expired");
    snprintf(fresh, sizeof(fresh), "%s", reply_text(&reply, "metadata.continue"));
    ck_assert_str_ne(fresh, "");
    reply_fini(&reply);
    /* The fresh token gives the rest as it is now. */
    page(&api, fresh, 200, 10, token);
    page(&api, token, 200, 6, token);
    ck_assert_str_eq(token, "");
    page(&api, "bm9uc2Vuc2U=", 400, 0, token);
    snprintf(path, sizeof(path), API_CONFIGMAPS "?continue=%s&resourceVersion=5", fresh);
    api_expect(&api, "GET", path, NULL, 400);
    api_expect(&api, "GET", API_CONFIGMAPS "?resourceVersion=4&resourceVersionMatch=Exact", NULL,
               410);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("list", test_get, test_list_forms, test_accept, test_selectors, test_pages,
                 test_pages_show_one_moment, test_expired_pages)
