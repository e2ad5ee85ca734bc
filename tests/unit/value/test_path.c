/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <cleat/path.h>
#include "support/suite.h"
#include "unit/value/json.h"

static const char text[] = "{\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"a\","
                           "\"image\":\"i1\"},{\"name\":\"b\"},"
                           "{\"image\":\"i3\",\"ports\":[[1,2],[3]]}]},\"metadata\":{\"labels\":{"
                           "\"app.kubernetes.io/name\":\"web\","
                           "\"q\\\"\\\\\":\"odd\",\"\":\"empty\"}},\"a b\":1}";

static const struct {
    const char *path, *found;
} found[] = {
    {"", text},
    {"spec.nodeName", "\"n1\""},
    {".spec.nodeName", "\"n1\""},
    {"[\"spec\"].nodeName", "\"n1\""},
    {"spec[\"nodeName\"]", "\"n1\""},
    {"spec.containers[0].image", "\"i1\""},
    {"spec.containers[2].ports[0][1]", "2"},
    {"spec.containers[1].image", NULL},
    {"spec.containers[3]", NULL},
    {"spec.containers[4294967295]", NULL},
    {"spec.containers[*].image", NULL},
    {"spec.absent.deeper", NULL},
    {"spec.nodeName.deeper", NULL},
    {"spec[0]", NULL},
    {"metadata.labels[\"app.kubernetes.io/name\"]", "\"web\""},
    {"metadata.labels[\"q\\\"\\\\\"]", "\"odd\""},
    {"metadata.labels[\"\"]", "\"empty\""},
    {"a b", "1"},
};

START_TEST(test_get)
{
    struct cleat_document *document = json_document(text);
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
        struct cleat_value value = cleat_value_find(cleat_document_root(document), found[i].path);
        ck_assert_msg(cleat_value_is_present(value) == (found[i].found != NULL), "%s",
                      found[i].path);
        if (found[i].found)
            json_check(value, found[i].found);
    }
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_wrong)
{
    static const char *const paths[] = {
        ".",     "..",    "a.",     "a..b",          "a[",
        "a[]",   "a[0",   "a[*",    "a[\"b\"",       "a[\"b]",
        "a[-1]", "a[01]", "a[x]",   "a[4294967296]", "a[99999999999999999999]",
        "a]",    "a[0]b", "a\"b\"", "a[\"\\n\"]",    "a[\"b\\",
        "[*",    "a[0 ]", "[0].[1]"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct cleat_path path;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(cleat_path_parse(paths[i], &path, &err) == -EINVAL, "%s", paths[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "at byte"));
    }
}
END_TEST

START_TEST(test_limits)
{
    char long_path[2048] = "";
    struct cleat_path path;
    for (int i = 0; i < CLEAT_PATH_SEGMENTS_MAX; i++)
        strncat(long_path, "[0]", sizeof(long_path) - strlen(long_path) - 1);
    ck_assert_int_eq(cleat_path_parse(long_path, &path, NULL), 0);
    ck_assert_uint_eq(path.count, CLEAT_PATH_SEGMENTS_MAX);
    strncat(long_path, "[0]", sizeof(long_path) - strlen(long_path) - 1);
    ck_assert_int_eq(cleat_path_parse(long_path, &path, NULL), -EINVAL);
    for (size_t length = CLEAT_PATH_BYTES_MAX - 1; length <= CLEAT_PATH_BYTES_MAX; length++) {
        char key[CLEAT_PATH_BYTES_MAX + 8];
        memset(key, 'k', sizeof(key));
        memcpy(key, "[\"\\\\", 4); /* one byte, and the rest */
        memcpy(key + 3 + length + 1, "\"]", 3);
        ck_assert_int_eq(cleat_path_parse(key, &path, NULL),
                         length < CLEAT_PATH_BYTES_MAX ? 0 : -EINVAL);
    }
}
END_TEST

struct visit {
    char log[256];
    int stop_at;
    int count;
};

static int visit_value(void *arg, struct cleat_value value)
{
    struct visit *visit = arg;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    bool kept = cleat_value_type(value) != CLEAT_TYPE_NOT_KEPT;
    strncat(visit->log, kept ? json_text(&buffer, value) : "dropped",
            sizeof(visit->log) - strlen(visit->log) - 2);
    strncat(visit->log, " ", 2);
    cleat_buffer_fini(&buffer);
    return ++visit->count == visit->stop_at ? 42 : 0;
}

static const struct {
    const char *path, *log;
} visits[] = {
    {"spec.containers[*].image", "\"i1\" \"i3\" "},
    {"spec.containers[*].ports[*][*]", "1 2 3 "},
    {"spec.containers[*].ports[*][0]", "1 3 "},
    {"spec.nodeName", "\"n1\" "},
    {"spec.nodeName[*]", ""},
    {"spec[*]", ""},
    {"absent[*]", ""},
};

START_TEST(test_each)
{
    struct cleat_document *document = json_document(text);
    struct cleat_path path;
    for (size_t i = 0; i < sizeof(visits) / sizeof(visits[0]); i++) {
        struct visit visit = {.stop_at = 0};
        ck_assert_int_eq(cleat_path_parse(visits[i].path, &path, NULL), 0);
        ck_assert_int_eq(cleat_path_each(&path, cleat_document_root(document), visit_value, &visit),
                         0);
        ck_assert_str_eq(visit.log, visits[i].log);
    }
    struct visit visit = {.stop_at = 2};
    ck_assert_int_eq(cleat_path_parse("spec.containers[*].ports[*][*]", &path, NULL), 0);
    ck_assert_int_eq(cleat_path_each(&path, cleat_document_root(document), visit_value, &visit),
                     42);
    ck_assert_str_eq(visit.log, "1 2 ");
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_not_kept)
{
    struct cleat_heap *arena = NULL;
    struct cleat_path path;
    struct visit visit = {.stop_at = 0};
    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    struct cleat_value root =
        json_holes(arena, "{\"a\":\"<dropped>\",\"l\":[{\"b\":1},\"<dropped>\"]}");
    ck_assert_int_eq(cleat_value_type(cleat_value_find(root, "a.b[0].c")), CLEAT_TYPE_NOT_KEPT);
    ck_assert_int_eq(cleat_value_type(cleat_value_find(root, "b")), CLEAT_TYPE_ABSENT);
    ck_assert_int_eq(cleat_path_parse("l[*].b", &path, NULL), 0);
    ck_assert_int_eq(cleat_path_each(&path, root, visit_value, &visit), 0);
    ck_assert_int_eq(cleat_path_parse("a[*].b[*]", &path, NULL), 0);
    ck_assert_int_eq(cleat_path_each(&path, root, visit_value, &visit), 0);
    ck_assert_str_eq(visit.log, "1 dropped dropped ");
    cleat_heap_free(arena);
}
END_TEST

CLEAT_SUITE_MAIN("path", test_get, test_wrong, test_limits, test_each, test_not_kept)
