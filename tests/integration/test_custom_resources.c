/* SPDX-License-Identifier: Apache-2.0 */
/* Custom resources from their definition to their end, by requests alone. */
#include "unit/apiserver/api_fixture.h"

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define THINGS "/apis/example.com/v1/namespaces/default/things"

/* A definition of Things with @schema for spec; @more goes into the version. */
static void define(struct api *api, const char *schema, const char *more)
{
    static char body[8192];
    snprintf(
        body, sizeof(body),
        "{\"apiVersion\":\"apiextensions.k8s.io/"
        "v1\",\"kind\":\"CustomResourceDefinition\",\"metadata\":{"
        "\"name\":\"things.example.com\"},\"spec\":{\"group\":\"example.com\",\"scope\":"
        "\"Namespaced\","
        "\"names\":{\"plural\":\"things\",\"singular\":\"thing\",\"kind\":\"Thing\",\"listKind\":"
        "\"ThingList\",\"shortNames\":[\"th\"]},\"versions\":[{\"name\":\"v1\",\"served\":true,"
        "\"storage\":true,\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{"
        "\"spec\":"
        "%s,\"status\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}}}}%s}]}"
        "}",
        schema, more);
    api_expect(api, "POST", CRDS, body, 201);
}

static struct reply thing(struct api *api, const char *name, const char *spec)
{
    char body[2048];
    snprintf(body, sizeof(body),
             "{\"apiVersion\":\"example.com/"
             "v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"%s\"},\"spec\":%s}",
             name, spec);
    return api_do(api, "POST", THINGS, body);
}

START_TEST(test_validation)
{
    static const struct {
        const char *schema;
        const char *good;
        const char *bad;
        const char *words; /* of the refusal */
    } cases[] = {
        {"{\"type\":\"integer\"}", "7", "\"7\"", "must be of type integer"},
        {"{\"type\":\"integer\"}", "-1", "1.5", "must be of type integer"},
        {"{\"type\":\"number\"}", "1.5", "true", "must be of type number"},
        {"{\"type\":\"string\"}", "\"x\"", "{}", "must be of type string"},
        {"{\"type\":\"boolean\"}", "true", "\"true\"", "must be of type boolean"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", "[\"a\"]", "[1]", "[0]"},
        {"{\"type\":\"integer\",\"minimum\":1}", "1", "0", "should be greater than or equal to 1"},
        {"{\"type\":\"integer\",\"maximum\":3}", "3", "4", "should be less than or equal to 3"},
        {"{\"type\":\"integer\",\"multipleOf\":5}", "10", "11", "should be a multiple of 5"},
        {"{\"type\":\"string\",\"minLength\":2}", "\"äö\"", "\"ä\"", "at least 2 chars long"},
        {"{\"type\":\"string\",\"maxLength\":2}", "\"äö\"", "\"äöü\"", "Too long"},
        {"{\"type\":\"string\",\"pattern\":\"^a+$\"}", "\"aa\"", "\"ab\"", "should match '^a+$'"},
        {"{\"type\":\"string\",\"enum\":[\"a\",\"b\"]}", "\"b\"", "\"c\"",
         "Unsupported value: \"c\": supported values: \"a\", \"b\""},
        {"{\"type\":\"array\",\"maxItems\":1,\"items\":{\"type\":\"integer\"}}", "[1]", "[1,2]",
         "must have at most 1 items"},
        {"{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"string\"}}}",
         "{\"a\":\"x\"}", "{}", "spec.f.a: Required value"},
        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}", "{\"x\":1}",
         "{\"x\":\"1\"}", "spec.f.x"},
        {"{\"x-kubernetes-int-or-string\":true}", "\"50%\"", "true", "spec.f"},
        {"{\"type\":\"array\",\"x-kubernetes-list-type\":\"set\",\"items\":{\"type\":\"string\"}}",
         "[\"a\",\"b\"]", "[\"a\",\"a\"]", "Duplicate value: \"a\""},
        {"{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-keys\":["
         "\"k\"],"
         "\"items\":{\"type\":\"object\",\"required\":[\"k\"],\"properties\":{\"k\":{\"type\":"
         "\"string\"}}}}",
         "[{\"k\":\"a\"},{\"k\":\"b\"}]", "[{\"k\":\"a\"},{\"k\":\"a\"}]", "Duplicate value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct api api;
        char schema[1024];
        char spec[256];
        api_init(&api);
        snprintf(schema, sizeof(schema), "{\"type\":\"object\",\"properties\":{\"f\":%s}}",
                 cases[i].schema);
        define(&api, schema, "");
        snprintf(spec, sizeof(spec), "{\"f\":%s}", cases[i].good);
        struct reply reply = thing(&api, "good", spec);
        ck_assert_msg(reply.code == 201, "case %zu: %s", i, reply.text.data);
        reply_fini(&reply);
        snprintf(spec, sizeof(spec), "{\"f\":%s}", cases[i].bad);
        reply = thing(&api, "bad", spec);
        ck_assert_msg(reply.code == 422, "case %zu: %s", i, reply.text.data);
        ck_assert_str_eq(reply_text(&reply, "reason"), "Invalid");
        ck_assert_msg(strstr(reply_text(&reply, "message"), cases[i].words) != NULL, "case %zu: %s",
                      i, reply.text.data);
        ck_assert_str_eq(reply_text(&reply, "details.kind"), "Thing");
        reply_fini(&reply);
        api_fini(&api);
    }
}
END_TEST

START_TEST(test_defaults_and_pruning)
{
    struct api api;
    api_init(&api);
    define(&api,
           "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"default\":3},"
           "\"deep\":{\"type\":"
           "\"object\",\"properties\":{\"x\":{\"type\":\"string\",\"default\":\"y\"}}},\"open\":{"
           "\"type\":"
           "\"object\",\"x-kubernetes-preserve-unknown-fields\":true}}}",
           "");
    struct reply reply =
        thing(&api, "a", "{\"junk\":1,\"deep\":{\"junk\":1},\"open\":{\"anything\":{\"goes\":1}}}");
    ck_reply_code(reply, 201);
    ck_assert_int_eq(reply_int(&reply, "spec.n"), 3);
    ck_assert_str_eq(reply_text(&reply, "spec.deep.x"), "y");
    ck_assert(!reply_has(&reply, "spec.junk"));
    ck_assert(!reply_has(&reply, "spec.deep.junk"));
    ck_assert_int_eq(reply_int(&reply, "spec.open.anything.goes"), 1);
    reply_fini(&reply);
    /* Not where the parent isn't there. */
    reply = thing(&api, "b", "{}");
    ck_assert(!reply_has(&reply, "spec.deep"));
    reply_fini(&reply);
    reply = api_do(
        &api, "POST", THINGS "?fieldValidation=Strict",
        "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"c\"},"
        "\"spec\":{\"junk\":1}}");
    ck_reply_code(reply, 400);
    ck_assert_ptr_nonnull(strstr(reply_text(&reply, "message"), "unknown field \"spec.junk\""));
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

static struct reply merge(struct api *api, const char *path, const char *body)
{
    const struct api_call call = {.method = "PATCH",
                                  .path = path,
                                  .body = body,
                                  .content_type = "application/merge-patch+json"};
    return api_run(api, &call);
}

START_TEST(test_status_subresource)
{
    static const char open[] =
        "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}";
    struct api api;
    api_init(&api);
    define(&api, open, ",\"subresources\":{\"status\":{}}");
    struct reply reply =
        api_do(&api, "POST", THINGS,
               "{\"apiVersion\":\"example.com/"
               "v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"n\":1},"
               "\"status\":{\"mine\":true}}");
    ck_reply_code(reply, 201);
    ck_assert(!reply_has(&reply, "status"));
    ck_assert_int_eq(reply_int(&reply, "metadata.generation"), 1);
    reply_fini(&reply);
    reply = merge(&api, THINGS "/a/status", "{\"spec\":{\"n\":2},\"status\":{\"s\":1}}");
    ck_reply_code(reply, 200);
    ck_assert_int_eq(reply_int(&reply, "spec.n"), 1);
    ck_assert_int_eq(reply_int(&reply, "status.s"), 1);
    ck_assert_int_eq(reply_int(&reply, "metadata.generation"), 1);
    reply_fini(&reply);
    reply = merge(&api, THINGS "/a", "{\"spec\":{\"n\":2},\"status\":{\"s\":2}}");
    ck_reply_code(reply, 200);
    ck_assert_int_eq(reply_int(&reply, "spec.n"), 2);
    ck_assert_int_eq(reply_int(&reply, "status.s"), 1);
    ck_assert_int_eq(reply_int(&reply, "metadata.generation"), 2);
    reply_fini(&reply);
    /* Custom resources aren't overwritten blindly. */
    api_expect(
        &api, "PUT", THINGS "/a",
        "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\"}}",
        422);
    const struct api_call strategic = {.method = "PATCH",
                                       .path = THINGS "/a",
                                       .body = "{}",
                                       .content_type = "application/strategic-merge-patch+json"};
    api_expect_status(&api, &strategic, 415, "UnsupportedMediaType", NULL);
    api_fini(&api);
}
END_TEST

START_TEST(test_without_status_subresource)
{
    struct api api;
    api_init(&api);
    define(&api, "{\"type\":\"object\"}", "");
    struct reply reply = api_do(
        &api, "POST", THINGS,
        "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\"},"
        "\"status\":{\"mine\":1}}");
    ck_reply_code(reply, 201);
    ck_assert_int_eq(reply_int(&reply, "status.mine"), 1);
    reply_fini(&reply);
    api_expect(&api, "GET", THINGS "/a/status", NULL, 404);
    api_fini(&api);
}
END_TEST

START_TEST(test_discovery_and_lists)
{
    struct api api;
    api_init(&api);
    api_expect(&api, "GET", "/apis/example.com/v1", NULL, 404);
    define(&api, "{\"type\":\"object\"}", ",\"subresources\":{\"status\":{}}");
    struct reply reply = api_do(&api, "GET", "/apis/example.com/v1", NULL);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "resources[0].name"), "things");
    ck_assert_str_eq(reply_text(&reply, "resources[0].shortNames[0]"), "th");
    ck_assert_str_eq(reply_text(&reply, "resources[1].name"), "things/status");
    reply_fini(&reply);
    reply = thing(&api, "a", "{}");
    reply_fini(&reply);
    reply = api_do(&api, "GET", THINGS, NULL);
    ck_assert_str_eq(reply_text(&reply, "kind"), "ThingList");
    ck_assert_str_eq(reply_text(&reply, "items[0].kind"), "Thing");
    ck_assert_str_eq(reply_text(&reply, "items[0].apiVersion"), "example.com/v1");
    reply_fini(&reply);
    reply = api_do(&api, "GET", CRDS "/things.example.com", NULL);
    ck_assert_str_eq(reply_text(&reply, "status.conditions[1].type"), "Established");
    ck_assert_str_eq(reply_text(&reply, "status.conditions[1].status"), "True");
    ck_assert_str_eq(reply_text(&reply, "status.storedVersions[0]"), "v1");
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

START_TEST(test_two_versions)
{
    static const char schema[] = "\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\","
                                 "\"x-kubernetes-preserve-unknown-fields\":true}}";
    struct api api;
    char body[2048];
    api_init(&api);
    snprintf(
        body, sizeof(body),
        "{\"metadata\":{\"name\":\"things.example.com\"},\"spec\":{\"group\":\"example.com\","
        "\"scope\":"
        "\"Cluster\",\"names\":{\"plural\":\"things\",\"singular\":\"thing\",\"kind\":\"Thing\"},"
        "\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,%s},{\"name\":\"v1beta1\","
        "\"served\":true,\"storage\":false,%s},{\"name\":\"v1alpha1\",\"served\":false,\"storage\":"
        "false,%s}]}}",
        schema, schema, schema);
    api_expect(&api, "POST", CRDS, body, 201);
    api_expect(
        &api, "POST", "/apis/example.com/v1beta1/things",
        "{\"apiVersion\":\"example.com/v1beta1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\"}}",
        201);
    struct reply reply = api_do(&api, "GET", "/apis/example.com/v1/things/a", NULL);
    ck_reply_code(reply, 200);
    ck_assert_str_eq(reply_text(&reply, "apiVersion"), "example.com/v1");
    reply_fini(&reply);
    reply = api_do(&api, "GET", "/apis/example.com/v1beta1/things", NULL);
    ck_assert_str_eq(reply_text(&reply, "items[0].apiVersion"), "example.com/v1beta1");
    reply_fini(&reply);
    api_expect(&api, "GET", "/apis/example.com/v1alpha1/things", NULL, 404);
    api_fini(&api);
}
END_TEST

START_TEST(test_refused_definitions)
{
    static const struct {
        const char *name;
        const char *versions;
        const char *words;
    } cases[] = {
        {"wrong.example.com",
         "[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema\":{\"openAPIV3Schema\":{"
         "\"type\":"
         "\"object\"}}}]",
         "metadata.name"},
        {"things.example.com", "[]", "spec.versions"},
        {"things.example.com",
         "[{\"name\":\"v1\",\"served\":true,\"storage\":false,\"schema\":{\"openAPIV3Schema\":{"
         "\"type\":"
         "\"object\"}}}]",
         "storage"},
        {"things.example.com", "[{\"name\":\"v1\",\"served\":true,\"storage\":true}]", "schema"},
        {"things.example.com",
         "[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema\":{\"openAPIV3Schema\":{"
         "\"type\":"
         "\"object\",\"properties\":{\"spec\":{}}}}}]",
         "type"},
    };
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[1024];
        snprintf(body, sizeof(body),
                 "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"group\":\"example.com\",\"scope\":"
                 "\"Namespaced\","
                 "\"names\":{\"plural\":\"things\",\"singular\":\"thing\",\"kind\":\"Thing\"},"
                 "\"versions\":%s}}",
                 cases[i].name, cases[i].versions);
        const struct api_call call = {.method = "POST", .path = CRDS, .body = body};
        api_expect_status(&api, &call, 422, "Invalid", cases[i].words);
    }
    api_fini(&api);
}
END_TEST

static int code_of(struct api *api, const char *path)
{
    cleat_fake_clock_advance_ms(&api->clock, 100);
    struct reply reply = api_do(api, "GET", path, NULL);
    int code = reply.code;
    reply_fini(&reply);
    return code;
}

/* With the definition go its objects, and with these what they own, though their kind is gone too.
 */
START_TEST(test_end_of_what_they_own)
{
    struct api api;
    struct cleat_apiserver_options options = {0};
    char body[512], path[64];
    api_init_with(&api, &options);
    ck_assert_int_eq(cleat_apiserver_start(api.server, NULL), 0);
    define(&api, "{\"type\":\"object\"}", "");
    struct reply reply = thing(&api, "a", "{}");
    const char *uid = reply_text(&reply, "metadata.uid");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(body, sizeof(body),
                       "{\"metadata\":{\"name\":\"owned-%d\",\"ownerReferences\":[{\"apiVersion\":"
                       "\"example.com/v1\",\"kind\":\"Thing\",\"name\":\"a\",\"uid\":\"%s\"}]}}",
                       i, uid);
        api_expect(&api, "POST", "/api/v1/namespaces/default/configmaps", body, 201);
    }
    reply_fini(&reply);
    api_expect(&api, "DELETE", CRDS "/things.example.com", NULL, 200);
    CLEAT_WAIT_FOR(code_of(&api, CRDS "/things.example.com") == 404, 5000);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(path, sizeof(path), "/api/v1/namespaces/default/configmaps/owned-%d", i);
        CLEAT_WAIT_FOR(code_of(&api, path) == 404, 5000);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_end)
{
    struct api api;
    struct cleat_api_response response;
    struct cleat_apiserver_options options = {0};
    api_init_with(&api, &options);
    ck_assert_int_eq(cleat_apiserver_start(api.server, NULL), 0);
    define(&api, "{\"type\":\"object\"}", "");
    struct reply reply = thing(&api, "a", "{}");
    ck_reply_code(reply, 201);
    reply_fini(&reply);
    const struct api_call watch = {.method = "GET", .path = THINGS "?watch=true"};
    api_begin(&api, &watch, &response);
    ck_assert_int_eq(response.code, 200);
    api_expect(&api, "DELETE", CRDS "/things.example.com", NULL, 200);
    CLEAT_WAIT_FOR(code_of(&api, CRDS "/things.example.com") == 404, 5000);
    ck_assert_int_eq(code_of(&api, THINGS), 404);
    /* The watch saw the object go and then ended. */
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    api_drain(response.stream, &text);
    ck_assert_ptr_nonnull(strstr(text.data, "\"type\":\"DELETED\""));
    cleat_buffer_fini(&text);
    cleat_api_response_fini(&response);
    /* A new definition of that name begins empty. */
    define(&api, "{\"type\":\"object\"}", "");
    reply = api_do(&api, "GET", THINGS, NULL);
    ck_assert_uint_eq(reply_count(&reply, "items"), 0);
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("custom_resources", test_validation, test_defaults_and_pruning,
                 test_status_subresource, test_without_status_subresource, test_discovery_and_lists,
                 test_two_versions, test_refused_definitions, test_end, test_end_of_what_they_own)
