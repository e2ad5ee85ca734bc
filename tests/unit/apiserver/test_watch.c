/* SPDX-License-Identifier: Apache-2.0 */
#include "api_fixture.h"

#define STREAMING \
    "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"

/* Frames of a watch, read so far. */
struct frames {
    struct cleat_buffer text;
    size_t at;
};

/* Reads the watch to its end: the clock is beyond its deadline. */
static void watch_finish(struct api *api, struct cleat_api_response *response,
                         struct frames *frames)
{
    ck_assert_int_eq(response->code, 200);
    ck_assert_ptr_nonnull(response->stream);
    ck_assert_int_eq(response->stream->length, -1);
    cleat_fake_clock_advance_ms(&api->clock, 100000);
    cleat_buffer_init(&frames->text, CLEAT_MIB);
    frames->at = 0;
    api_drain(response->stream, &frames->text);
    cleat_api_response_fini(response);
}

/* The next frame must be of that type and name. */
static void expect_frame(struct frames *frames, const char *type, const char *name)
{
    const char *line = frames->text.data ? frames->text.data + frames->at : "";
    const char *end = strchr(line, '\n');
    ck_assert_msg(end != NULL, "no frame left for %s %s", type, name);
    struct cleat_document *document = NULL;
    ck_assert_int_eq(
        cleat_document_parse((struct cleat_str){line, (size_t)(end - line)}, &document, NULL), 0);
    struct cleat_value root = cleat_document_root(document);
    ck_assert_msg(cleat_value_is(cleat_value_get(root, "type"), type), "not %s: %s", type, line);
    if (name)
        ck_assert_msg(cleat_value_is(cleat_value_find(root, "object.metadata.name"), name),
                      "not %s: %s", name, line);
    (void)cleat_document_unref(document);
    frames->at = (size_t)(end + 1 - frames->text.data);
}

static void expect_end(struct frames *frames)
{
    ck_assert_msg(frames->at == frames->text.length, "more: %s", frames->text.data + frames->at);
    cleat_buffer_fini(&frames->text);
}

static void watch_begin(struct api *api, const char *query, struct cleat_api_response *response)
{
    char path[512];
    snprintf(path, sizeof(path), API_CONFIGMAPS "?timeoutSeconds=5&%s", query);
    const struct api_call call = {.method = "GET", .path = path};
    api_begin(api, &call, response);
}

START_TEST(test_streaming_list)
{
    struct api api;
    struct frames frames;
    struct cleat_api_response response;
    api_init(&api);
    api_configmap(&api, "b", "1");
    api_configmap(&api, "a", "2");
    watch_begin(&api, STREAMING, &response);
    api_configmap(&api, "c", "3");
    watch_finish(&api, &response, &frames);
    expect_frame(&frames, "ADDED", "a");
    expect_frame(&frames, "ADDED", "b");
    const char *mark = frames.text.data + frames.at;
    expect_frame(&frames, "BOOKMARK", NULL);
    ck_assert_ptr_nonnull(strstr(mark, "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}"));
    expect_frame(&frames, "ADDED", "c");
    /* One more before the end, without the annotation. */
    mark = frames.text.data + frames.at;
    expect_frame(&frames, "BOOKMARK", NULL);
    ck_assert_ptr_null(strstr(mark, "initial-events-end"));
    expect_end(&frames);
    api_fini(&api);
}
END_TEST

START_TEST(test_from_a_version)
{
    struct api api;
    struct frames frames;
    char query[64];
    struct cleat_api_response response;
    api_init(&api);
    api_configmap(&api, "a", "1");
    struct reply reply = api_do(&api, "GET", API_CONFIGMAPS "/a", NULL);
    snprintf(query, sizeof(query), "watch=true&resourceVersion=%s",
             reply_text(&reply, "metadata.resourceVersion"));
    reply_fini(&reply);
    api_configmap(&api, "b", "1");
    api_expect(&api, "PUT", API_CONFIGMAPS "/a",
               "{\"metadata\":{\"name\":\"a\"},\"data\":{\"v\":\"2\"}}", 200);
    watch_begin(&api, query, &response);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/b", NULL, 200);
    watch_finish(&api, &response, &frames);
    expect_frame(&frames, "ADDED", "b");
    expect_frame(&frames, "MODIFIED", "a");
    const char *mark = frames.text.data + frames.at;
    expect_frame(&frames, "DELETED", "b");
    /* The deletion has a version of its own, the last of all. */
    snprintf(query, sizeof(query), "\"resourceVersion\":\"%llu\"",
             (unsigned long long)cleat_api_registry_revision(&api.core->registry));
    ck_assert_ptr_nonnull(strstr(mark, query));
    expect_end(&frames);
    api_fini(&api);
}
END_TEST

START_TEST(test_from_zero_shows_what_there_is)
{
    static const char *const queries[] = {"watch=true", "watch=1&resourceVersion=0"};
    for (size_t i = 0; i < 2; i++) {
        struct api api;
        struct frames frames;
        struct cleat_api_response response;
        api_init(&api);
        api_configmap(&api, "a", "1");
        watch_begin(&api, queries[i], &response);
        watch_finish(&api, &response, &frames);
        expect_frame(&frames, "ADDED", "a");
        expect_end(&frames);
        api_fini(&api);
    }
}
END_TEST

START_TEST(test_selection_comes_and_goes)
{
    struct api api;
    struct frames frames;
    struct cleat_api_response response;
    api_init(&api);
    api_configmap(&api, "a", "1");
    watch_begin(&api, STREAMING "&labelSelector=v%3D1", &response);
    api_configmap(&api, "other", "2");
    const char *const bodies[] = {
        "{\"metadata\":{\"name\":\"a\",\"labels\":{\"v\":\"1\",\"w\":\"1\"}}}",
        "{\"metadata\":{\"name\":\"a\",\"labels\":{\"v\":\"2\",\"w\":\"2\"}}}",
        "{\"metadata\":{\"name\":\"a\",\"labels\":{\"v\":\"2\",\"w\":\"3\"}}}",
        "{\"metadata\":{\"name\":\"a\",\"labels\":{\"v\":\"1\",\"w\":\"4\"}}}",
    };
    for (size_t i = 0; i < 4; i++)
        api_expect(&api, "PUT", API_CONFIGMAPS "/a", bodies[i], 200);
    api_expect(&api, "DELETE", API_CONFIGMAPS "/a", NULL, 200);
    watch_finish(&api, &response, &frames);
    expect_frame(&frames, "ADDED", "a");
    expect_frame(&frames, "BOOKMARK", NULL);
    expect_frame(&frames, "MODIFIED", "a");
    const char *mark = frames.text.data + frames.at;
    expect_frame(&frames, "DELETED", "a");
    /* As it was last selected. */
    ck_assert_ptr_nonnull(strstr(mark, "\"w\":\"1\""));
    mark = frames.text.data + frames.at;
    expect_frame(&frames, "ADDED", "a");
    ck_assert_ptr_nonnull(strstr(mark, "\"w\":\"4\""));
    expect_frame(&frames, "DELETED", "a");
    expect_frame(&frames, "BOOKMARK", NULL);
    expect_end(&frames);
    api_fini(&api);
}
END_TEST

START_TEST(test_expired)
{
    struct api api;
    struct frames frames;
    struct cleat_api_response response;
    api_init(&api);
    api_configmap(&api, "a", "1");
    api_configmap(&api, "b", "1");
    cleat_apiserver_compact(api.server);
    watch_begin(&api, "watch=true&resourceVersion=3", &response);
    watch_finish(&api, &response, &frames);
    const char *mark = frames.text.data;
    expect_frame(&frames, "ERROR", NULL);
    ck_assert_ptr_nonnull(strstr(mark, "\"reason\":\"Expired\""));
    ck_assert_ptr_nonnull(strstr(mark, "\"code\":410"));
    ck_assert_ptr_nonnull(strstr(mark, "too old resource version: 3 ("));
    expect_end(&frames);
    api_fini(&api);
}
END_TEST

START_TEST(test_overtaken_watch_ends)
{
    struct api api;
    struct frames frames;
    struct cleat_api_response response;
    struct cleat_apiserver_options options = {.no_gc = true, .history_max = 10};
    api_init_with(&api, &options);
    watch_begin(&api, "watch=true&resourceVersion=1", &response);
    ck_assert_int_eq(response.code, 200);
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "cm-%d", i);
        api_configmap(&api, name, "1");
    }
    watch_finish(&api, &response, &frames);
    expect_end(&frames);
    api_fini(&api);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *query;
        int code;
        const char *words;
    } cases[] = {
        {"watch=true&resourceVersionMatch=NotOlderThan", 400, "with sendInitialEvents only"},
        {"watch=true&sendInitialEvents=true&allowWatchBookmarks=true", 400,
         "needs resourceVersionMatch NotOlderThan"},
        {"watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", 400,
         "needs allowWatchBookmarks"},
        {"watch=true&resourceVersion=x", 400, "must be a number"},
        {"watch=true&resourceVersion=99999", 504, "Too large resource version"},
        {"watch=true&labelSelector=%3D", 400, NULL},
    };
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), API_CONFIGMAPS "?%s", cases[i].query);
        struct reply reply = api_do(&api, "GET", path, NULL);
        ck_assert_msg(reply.code == cases[i].code, "%s: %s", path, reply.text.data);
        if (cases[i].words)
            ck_assert_ptr_nonnull(strstr(reply.text.data, cases[i].words));
        reply_fini(&reply);
    }
    api_fini(&api);
}
END_TEST

START_TEST(test_without_watch_list)
{
    struct api api;
    struct cleat_apiserver_options options = {.no_gc = true, .no_watch_list = true};
    api_init_with(&api, &options);
    const struct api_call call = {.method = "GET", .path = API_CONFIGMAPS "?" STREAMING};
    api_expect_status(&api, &call, 422, "Invalid", "unless the WatchList feature gate is enabled");
    api_fini(&api);
}
END_TEST

START_TEST(test_bookmarks)
{
    struct api api;
    char bytes[4096];
    struct cleat_api_response response;
    api_init(&api);
    watch_begin(&api, "watch=true&resourceVersion=1&allowWatchBookmarks=true", &response);
    ck_assert_int_eq(response.code, 200);
    api_expect(&api, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"elsewhere\"}}", 201);
    cleat_apiserver_bookmark(api.server);
    int64_t got = response.stream->read(response.stream, -1, bytes, sizeof(bytes) - 1);
    ck_assert_int_gt(got, 0);
    bytes[got] = 0;
    /* It tells how far everything was looked at, changes of other resources included. */
    char version[64];
    snprintf(version, sizeof(version), "\"resourceVersion\":\"%llu\"",
             (unsigned long long)cleat_api_registry_revision(&api.core->registry));
    ck_assert_ptr_nonnull(strstr(bytes, "\"type\":\"BOOKMARK\""));
    ck_assert_ptr_nonnull(strstr(bytes, version));
    cleat_api_response_fini(&response);
    api_fini(&api);
}
END_TEST

START_TEST(test_metadata_only)
{
    struct api api;
    struct frames frames;
    struct cleat_api_response response;
    api_init(&api);
    api_configmap(&api, "a", "1");
    const struct api_call call = {
        .method = "GET",
        .path = API_CONFIGMAPS "?timeoutSeconds=5&" STREAMING,
        .accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"};
    api_begin(&api, &call, &response);
    watch_finish(&api, &response, &frames);
    ck_assert_ptr_nonnull(strstr(
        frames.text.data, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"PartialObjectMetadata\""));
    ck_assert_ptr_null(strstr(frames.text.data, "\"data\""));
    expect_frame(&frames, "ADDED", "a");
    expect_frame(&frames, "BOOKMARK", NULL);
    expect_frame(&frames, "BOOKMARK", NULL);
    expect_end(&frames);
    api_fini(&api);
}
END_TEST

START_TEST(test_stop_ends_watches)
{
    struct api api;
    char bytes[64];
    struct cleat_api_response response;
    api_init(&api);
    watch_begin(&api, "watch=true&resourceVersion=1", &response);
    api.core->stopping = true;
    ck_assert_int_eq(response.stream->read(response.stream, -1, bytes, sizeof(bytes)), 0);
    cleat_api_response_fini(&response);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("watch", test_streaming_list, test_from_a_version,
                 test_from_zero_shows_what_there_is, test_selection_comes_and_goes, test_expired,
                 test_overtaken_watch_ends, test_refused, test_without_watch_list, test_bookmarks,
                 test_metadata_only, test_stop_ends_watches)
