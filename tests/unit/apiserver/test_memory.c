/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests while memory runs out, one allocation after the other: each fails as a whole with a
 * Status or happens as a whole, nothing is lost, and the server goes on.
 */
#include "api_fixture.h"

#define MOST 2000

struct sweep {
    const char *method;
    const char *path;
    const char *content_type;
    const char *accept;
    const char *body;
    int code;           /* when memory suffices */
    const char *before; /* made anew before each try, unless NULL: a ConfigMap of that name */
};

#define MERGE "application/merge-patch+json"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/default/deployments"

static const struct sweep sweeps[] = {
    {"GET", API_CONFIGMAPS "/kept", NULL, NULL, NULL, 200, NULL},
    {"GET", API_CONFIGMAPS "/absent", NULL, NULL, NULL, 404, NULL},
    {"GET", API_CONFIGMAPS "?labelSelector=v%3D1&fieldSelector=metadata.name%3Dkept&limit=1", NULL,
     NULL, NULL, 200, NULL},
    {"GET", API_CONFIGMAPS "?resourceVersion=8&resourceVersionMatch=Exact", NULL, NULL, NULL, 200,
     NULL},
    {"GET",
     API_CONFIGMAPS "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&"
                    "allowWatchBookmarks=true&labelSelector=v",
     NULL, NULL, NULL, 200, NULL},
    {"GET", "/apis/events.k8s.io/v1/events", NULL, NULL, NULL, 200, NULL},
    {"GET", DEPLOYMENTS "/d/scale", NULL, NULL, NULL, 200, NULL},
    {"GET", "/apis", NULL, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
     NULL, 200, NULL},
    {"GET", "/apis/apps/v1", NULL, NULL, NULL, 200, NULL},
    {"POST", API_CONFIGMAPS, NULL, NULL,
     "{\"metadata\":{\"generateName\":\"g-\"},\"data\":{\"a\":\"b\"}}", 201, NULL},
    {"POST", API_CONFIGMAPS, NULL, NULL, "{\"metadata\":{\"name\":\"kept\"}}", 409, NULL},
    {"POST", "/apis/events.k8s.io/v1/namespaces/default/events", NULL, NULL,
     "{\"metadata\":{\"generateName\":\"e-\"},\"eventTime\":\"2026-01-02T03:04:05.000000Z\","
     "\"note\":\"x\","
     "\"reason\":\"R\",\"action\":\"A\",\"type\":\"Normal\",\"reportingController\":\"c\","
     "\"reportingInstance\":\"i\",\"regarding\":{\"kind\":\"Pod\",\"name\":\"p\",\"namespace\":"
     "\"default\"}}",
     201, NULL},
    {"PUT", API_CONFIGMAPS "/changed", NULL, NULL,
     "{\"metadata\":{\"name\":\"changed\"},\"data\":{\"v\":\"2\"}}", 200, "changed"},
    {"PATCH", API_CONFIGMAPS "/changed", MERGE, NULL, "{\"data\":{\"v\":\"2\"}}", 200, "changed"},
    {"PATCH", DEPLOYMENTS "/d/status", MERGE, NULL, "{\"status\":{\"observedGeneration\":1}}", 200,
     NULL},
    {"PATCH", DEPLOYMENTS "/d/scale", MERGE, NULL, "{\"spec\":{\"replicas\":3}}", 200, NULL},
    {"PATCH", API_CONFIGMAPS "/kept", "application/json-patch+json", NULL,
     "[{\"op\":\"test\",\"path\":\"/data/v\",\"value\":\"?\"}]", 422, NULL},
    {"DELETE", API_CONFIGMAPS "/changed", NULL, NULL, "{\"propagationPolicy\":\"Background\"}", 200,
     "changed"},
    {"DELETE", API_CONFIGMAPS "?labelSelector=v%3Dfresh", NULL, NULL, NULL, 200, "changed"},
};

static void prepare(struct api *api, const struct sweep *sweep)
{
    char path[256];
    if (!sweep->before)
        return;
    snprintf(path, sizeof(path), API_CONFIGMAPS "/%s", sweep->before);
    struct reply reply = api_do(api, "DELETE", path, NULL);
    ck_assert(reply.code == 200 || reply.code == 404);
    reply_fini(&reply);
    api_configmap(api, sweep->before, "fresh");
}

/* One try with the @nth allocation failing; true where there were that many. */
static bool try_nth(struct api *api, const struct sweep *sweep, uint64_t nth)
{
    struct cleat_api_response response;
    const struct api_call call = {.method = sweep->method,
                                  .path = sweep->path,
                                  .body = sweep->body,
                                  .content_type = sweep->content_type,
                                  .accept = sweep->accept};
    prepare(api, sweep);
    uint64_t before = cleat_api_registry_revision(&api->core->registry);
    cleat_mem_fail_at(nth, false);
    api_begin(api, &call, &response);
    bool failed = cleat_mem_failed();
    cleat_mem_fail_at(0, false);
    uint64_t after = cleat_api_registry_revision(&api->core->registry);
    if (!failed)
        ck_assert_msg(response.code == sweep->code, "%s %s: %d %s", sweep->method, sweep->path,
                      response.code, response.body.data);
    else if (response.code != sweep->code)
        ck_assert_msg(response.code >= 400, "%s %s: %d", sweep->method, sweep->path, response.code);
    /* Whatever was answered: one change or none. */
    ck_assert_uint_le(after - before, 1);
    cleat_api_response_fini(&response);
    return failed;
}

START_TEST(test_every_allocation)
{
    for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) {
        struct api api;
        api_init(&api);
        api_configmap(&api, "kept", "1");
        api_configmap(&api, "later", "1");
        api_expect(&api, "POST", DEPLOYMENTS,
                   "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":1,\"selector\":{"
                   "\"matchLabels\":{"
                   "\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{"
                   "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}",
                   201);
        uint64_t nth = 1;
        while (nth < MOST && try_nth(&api, &sweeps[i], nth))
            nth++;
        ck_assert_uint_lt(nth, MOST);
        ck_assert_uint_gt(nth, 1);
        api_expect(&api, "GET", API_CONFIGMAPS "/kept", NULL, 200);
        api_fini(&api);
    }
}
END_TEST

START_TEST(test_making_a_server)
{
    for (uint64_t nth = 1; nth < 100 * MOST; nth++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_apiserver *server = NULL;
        const struct cleat_apiserver_options options = {.plain_http = true};
        cleat_mem_fail_at(nth, false);
        int result = cleat_apiserver_new(&options, &server, &err);
        bool failed = cleat_mem_failed();
        cleat_mem_fail_at(0, false);
        ck_assert_msg(result == 0 ? server != NULL : result < 0 && !server && err.text[0],
                      "allocation %llu: %d %s", (unsigned long long)nth, result, err.text);
        (void)cleat_apiserver_free(server);
        if (!failed)
            break;
        /* Most allocations are alike: look at the first closely and at some of the rest. */
        nth += nth > 500 ? 37 : 0;
    }
}
END_TEST

CLEAT_SUITE_MAIN("memory", test_every_allocation, test_making_a_server)
