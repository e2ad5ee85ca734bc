/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/draft.h>
#include "base/mem.h"
#include "json.h"
#include "support/chaos.h"
#include "support/suite.h"

enum step { SET, APPEND, REMOVE };

struct row {
    const char *base;
    enum step step;
    const char *path;
    const char *json;   /* of set and append */
    const char *wanted; /* the draft afterwards */
};

static int take_step(struct cleat_draft *draft, const struct row *row, struct cleat_err *err)
{
    switch (row->step) {
    case SET: return cleat_draft_set_json(draft, row->path, row->json, err);
    case APPEND: return cleat_draft_append_json(draft, row->path, row->json, err);
    case REMOVE: return cleat_draft_remove(draft, row->path, err);
    }
    return -EINVAL;
}

static const struct row good_rows[] = {
    {"{}", SET, "a", "1", "{\"a\":1}"},
    {"{\"a\":1}", SET, "a", "2", "{\"a\":2}"},
    {"{\"a\":1}", SET, "a", "{\"b\":[]}", "{\"a\":{\"b\":[]}}"},
    {"{\"a\":{\"b\":1}}", SET, "a.b", "null", "{\"a\":{\"b\":null}}"},
    {"{}", SET, "metadata.labels[\"app.kubernetes.io/name\"]", "\"x\"",
     "{\"metadata\":{\"labels\":{\"app.kubernetes.io/name\":\"x\"}}}"},
    {"{\"metadata\":{\"labels\":null}}", SET, "metadata.labels.a", "1",
     "{\"metadata\":{\"labels\":{\"a\":1}}}"},
    {"null", SET, "a.b", "1", "{\"a\":{\"b\":1}}"},
    {"{\"a\":[1,2,3]}", SET, "a[1]", "9", "{\"a\":[1,9,3]}"},
    {"{\"a\":[{\"b\":1},{\"b\":2}]}", SET, "a[1].b", "3", "{\"a\":[{\"b\":1},{\"b\":3}]}"},
    {"{\"a\":[null]}", SET, "a[0].b.c", "3", "{\"a\":[{\"b\":{\"c\":3}}]}"},
    {"[[1,2],[3]]", SET, "[0][1]", "7", "[[1,7],[3]]"},
    {"{}", APPEND, "a", "1", "{\"a\":[1]}"},
    {"{}", APPEND, "a.b", "1", "{\"a\":{\"b\":[1]}}"},
    {"{\"a\":null}", APPEND, "a", "1", "{\"a\":[1]}"},
    {"{\"a\":[]}", APPEND, "a", "1", "{\"a\":[1]}"},
    {"{\"a\":[1]}", APPEND, "a", "[2]", "{\"a\":[1,[2]]}"},
    {"{\"a\":[[1]]}", APPEND, "a[0]", "2", "{\"a\":[[1,2]]}"},
    {"{\"a\":1,\"b\":2}", REMOVE, "a", NULL, "{\"b\":2}"},
    {"{\"a\":{\"b\":2}}", REMOVE, "a.b", NULL, "{\"a\":{}}"},
    {"{\"a\":[1,2,3]}", REMOVE, "a[0]", NULL, "{\"a\":[2,3]}"},
    {"{\"a\":[1]}", REMOVE, "a[0]", NULL, "{\"a\":[]}"},
    {"{\"a\":null}", REMOVE, "a", NULL, "{}"},
    {"{\"a\":1}", REMOVE, "b", NULL, "{\"a\":1}"},
    {"{\"a\":1}", REMOVE, "a.b", NULL, "{\"a\":1}"},
    {"{\"a\":null}", REMOVE, "a.b", NULL, "{\"a\":null}"},
    {"{\"a\":[1]}", REMOVE, "a[1]", NULL, "{\"a\":[1]}"},
    {"{\"a\":[1]}", REMOVE, "a.b", NULL, "{\"a\":[1]}"},
    {"{\"a\":{}}", REMOVE, "a[0]", NULL, "{\"a\":{}}"},
    {"{\"a\":{}}", REMOVE, "x.y.z", NULL, "{\"a\":{}}"},
};

START_TEST(test_changes)
{
    for (size_t i = 0; i < sizeof(good_rows) / sizeof(good_rows[0]); i++) {
        const struct row *row = &good_rows[i];
        struct cleat_document *base = json_document(row->base);
        struct cleat_draft *draft = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        int r;
        ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
        ck_assert(!cleat_draft_changed(draft));
        r = take_step(draft, row, &err);
        ck_assert_msg(r == 0, "%s %s: %s", row->base, row->path, err.text);
        ck_assert_int_eq(cleat_draft_changed(draft), strcmp(row->base, row->wanted) != 0);
        json_check(cleat_draft_value(draft), row->wanted);
        json_check(cleat_draft_base(draft), row->base);
        ck_assert_ptr_null(cleat_draft_free(draft));
        cleat_document_unref(base);
    }
}
END_TEST

static const struct row bad_rows[] = {
    {"{\"a\":1}", SET, "a.b", "1", "a is number, not an object"},
    {"{\"a\":\"x\"}", SET, "a.b.c", "1", "a is string, not an object"},
    {"{\"a\":[1]}", SET, "a.b", "1", "a is array, not an object"},
    {"{\"a\":{}}", SET, "a[0]", "1", "a is object, not an array"},
    {"{\"a\":[1]}", SET, "a[1]", "1", "a[1] is beyond the array's end"},
    {"{\"a\":[1]}", SET, "a[1].b", "1", "a[1] is beyond the array's end"},
    {"{}", SET, "a[0]", "1", "a[0] is beyond the array's end"},
    {"{\"a\":null}", SET, "a[0].b", "1", "a[0] is beyond the array's end"},
    {"{\"a\":[1]}", SET, "a[*]", "1", "a[*] names many values"},
    {"{\"a\":[1]}", REMOVE, "a[*]", NULL, "a[*] names many values"},
    {"{\"a\":1}", APPEND, "a", "1", "a is number, not an array"},
    {"{\"a\":{}}", APPEND, "a", "1", "a is object, not an array"},
    {"{\"a\":[1]}", APPEND, "a[1]", "1", "a[1] is beyond the array's end"},
    {"{\"a\":1}", SET, "b", "{", "the value for b: "},
    {"5", SET, "a", "1", "the whole value is number, not an object"},
    {"{\"m\":{\"f\":\"" JSON_DROPPED "\"}}", SET, "m.f.x", "1", "m.f wasn't kept"},
    {"{\"m\":{\"f\":\"" JSON_DROPPED "\"}}", APPEND, "m.f", "1", "m.f wasn't kept"},
    {"{\"m\":{\"f\":\"" JSON_DROPPED "\"}}", REMOVE, "m.f.x", NULL, "m.f wasn't kept"},
    {"{\"m\":[\"" JSON_DROPPED "\"]}", SET, "m[0].x", "1", "m[0] wasn't kept"},
};

START_TEST(test_refused)
{
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        const struct row *row = &bad_rows[i];
        struct cleat_heap *arena = NULL;
        struct cleat_draft *draft = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_value base;
        ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
        base = json_holes(arena, row->base);
        ck_assert_int_eq(cleat_draft_new(base, &draft, NULL), 0);
        ck_assert_msg(take_step(draft, row, &err) == -EINVAL, "%s %s", row->base, row->path);
        ck_assert_msg(strncmp(err.text, row->wanted, strlen(row->wanted)) == 0, "%s", err.text);
        ck_assert(!cleat_draft_changed(draft));
        ck_assert(cleat_value_same(cleat_draft_value(draft), base));
        cleat_draft_free(draft);
        cleat_heap_free(arena);
    }
}
END_TEST

START_TEST(test_whole_value)
{
    struct cleat_document *base = json_document("{\"a\":1}"), *other = json_document("[1]");
    struct cleat_path top = {0};
    struct cleat_draft *draft = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;

    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
    ck_assert_int_eq(cleat_draft_remove_at(draft, &top, &err), -EINVAL);
    ck_assert_str_eq(err.text, "the whole value can't be removed");
    ck_assert_int_eq(cleat_draft_set_at(draft, &top, cleat_document_root(other), NULL), 0);
    json_check(cleat_draft_value(draft), "[1]");
    ck_assert_int_eq(cleat_draft_append_at(draft, &top, cleat_document_root(base), NULL), 0);
    json_check(cleat_draft_value(draft), "[1,{\"a\":1}]");
    ck_assert(cleat_draft_changed(draft));
    cleat_draft_free(draft);
    cleat_document_unref(base);
    cleat_document_unref(other);
}
END_TEST

START_TEST(test_absent_base_is_an_empty_object)
{
    struct cleat_draft *draft = NULL;

    ck_assert_int_eq(cleat_draft_new(CLEAT_VALUE_NONE, &draft, NULL), 0);
    json_check(cleat_draft_value(draft), "{}");
    json_check(cleat_draft_base(draft), "{}");
    ck_assert(!cleat_draft_changed(draft));
    ck_assert_int_eq(cleat_draft_set_int(draft, "spec.replicas", 3, NULL), 0);
    json_check(cleat_draft_value(draft), "{\"spec\":{\"replicas\":3}}");
    json_check(cleat_draft_base(draft), "{}");
    cleat_draft_free(draft);
    ck_assert_ptr_null(cleat_draft_free(NULL));
}
END_TEST

START_TEST(test_not_kept_base)
{
    struct cleat_heap *arena = NULL;
    struct cleat_draft *draft = NULL;

    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    ck_assert_int_eq(
        cleat_draft_new((struct cleat_value){arena, cleat_heap_not_kept(arena)}, &draft, NULL),
        -EINVAL);
    ck_assert_ptr_null(draft);
    cleat_heap_free(arena);
}
END_TEST

START_TEST(test_typed_setters)
{
    struct cleat_document *base = json_document("{}");
    struct cleat_draft *draft = NULL;
    struct cleat_path path;

    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_text(draft, "text", "a longer text", NULL), 0);
    ck_assert_int_eq(cleat_draft_set_str(draft, "nul", (struct cleat_str){"a\0b", 3}, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_int(draft, "int", INT64_MIN, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_bool(draft, "yes", true, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_bool(draft, "no", false, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_null(draft, "null", NULL), 0);
    ck_assert_int_eq(cleat_draft_append_str(draft, "list", CLEAT_STR("one"), NULL), 0);
    ck_assert_int_eq(cleat_draft_append_str(draft, "list", CLEAT_STR("two"), NULL), 0);
    ck_assert_int_eq(cleat_path_parse("at.x", &path, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_str_at(draft, &path, CLEAT_STR("y"), NULL), 0);
    json_check(
        cleat_draft_value(draft),
        "{\"text\":\"a longer text\",\"nul\":\"a\\u0000b\",\"int\":-9223372036854775808,"
        "\"yes\":true,\"no\":false,\"null\":null,\"list\":[\"one\",\"two\"],\"at\":{\"x\":\"y\"}}");
    ck_assert_int_eq(cleat_draft_remove_at(draft, &path, NULL), 0);
    json_check(cleat_value_get(cleat_draft_value(draft), "at"), "{}");
    cleat_draft_free(draft);
    cleat_document_unref(base);
}
END_TEST

/* What would make text that isn't JSON never gets in. */
START_TEST(test_bad_text)
{
    struct cleat_document *base = json_document("{}");
    struct cleat_path path = {.count = 1};
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_draft *draft = NULL;
    char *long_key = malloc(CLEAT_VALUE_KEY_BYTES_MAX + 1);

    memset(long_key, 'k', CLEAT_VALUE_KEY_BYTES_MAX + 1);
    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_text(draft, "a", "\xff", &err), -EINVAL);
    ck_assert_str_eq(err.text, "the text for a isn't UTF-8");
    ck_assert_int_eq(cleat_draft_append_str(draft, "a", CLEAT_STR("\xc3"), NULL), -EINVAL);
    path.segments[0].key = CLEAT_STR("ok");
    ck_assert_int_eq(cleat_draft_set_str_at(draft, &path, CLEAT_STR("\xed\xa0\x80"), NULL),
                     -EINVAL);
    path.segments[0].key = CLEAT_STR("\xff");
    ck_assert_int_eq(cleat_draft_set_at(draft, &path, cleat_document_root(base), NULL), -EINVAL);
    path.segments[0].key = (struct cleat_str){"a\0b", 3};
    ck_assert_int_eq(cleat_draft_set_at(draft, &path, cleat_document_root(base), NULL), -EINVAL);
    path.segments[0].key = (struct cleat_str){long_key, CLEAT_VALUE_KEY_BYTES_MAX + 1};
    ck_assert_int_eq(cleat_draft_set_at(draft, &path, cleat_document_root(base), NULL), -E2BIG);
    path.segments[0].key.length--;
    ck_assert_int_eq(cleat_draft_set_at(draft, &path, cleat_document_root(base), NULL), 0);
    ck_assert_int_eq(cleat_draft_remove_at(draft, &path, NULL), 0);
    ck_assert_int_eq(cleat_draft_set(draft, "a", CLEAT_VALUE_NONE, NULL), -EINVAL);
    ck_assert(!cleat_draft_changed(draft));
    cleat_draft_free(draft);
    cleat_document_unref(base);
    free(long_key);
}
END_TEST

/* Keys from data are copied: what they were borrowed from may go at once. */
START_TEST(test_keys_and_texts_are_copied)
{
    struct cleat_document *base = json_document("{}"),
                          *value = json_document("{\"x\":[\"some string\"]}");
    struct cleat_path path = {.count = 2};
    struct cleat_draft *draft = NULL;
    char key[] = "key one", text[] = "a text of its own", inner[] = "inner";

    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
    path.segments[0].key = (struct cleat_str){key, strlen(key)};
    path.segments[1].key = (struct cleat_str){inner, strlen(inner)};
    ck_assert_int_eq(cleat_draft_set_str_at(draft, &path, cleat_str_of(text), NULL), 0);
    memset(inner, 'Z', sizeof(inner) - 1);
    ck_assert_int_eq(cleat_draft_set_at(draft, &path, cleat_document_root(value), NULL), 0);
    memset(key, 'X', sizeof(key) - 1);
    memset(inner, 'Y', sizeof(inner) - 1);
    memset(text, 'T', sizeof(text) - 1);
    cleat_document_unref(value);
    json_check(
        cleat_draft_value(draft),
        "{\"key one\":{\"inner\":\"a text of its own\",\"ZZZZZ\":{\"x\":[\"some string\"]}}}");
    cleat_draft_free(draft);
    cleat_document_unref(base);
}
END_TEST

/* Freezing and changing in turns; earlier values stay what they were. */
START_TEST(test_value_after_value)
{
    struct cleat_document *base =
        json_document("{\"a\":{\"l\":[0]},\"b\":{\"c\":[1,2,{\"d\":1}]}}");
    struct cleat_draft *draft = NULL;
    struct cleat_value values[50];
    char text[64];

    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(cleat_draft_set_int(draft, "a.n", i, NULL), 0);
        ck_assert_int_eq(cleat_draft_append_json(draft, "a.l", "1", NULL), 0);
        ck_assert_int_eq(cleat_draft_freeze(draft, &values[i], NULL), 0);
        ck_assert(cleat_value_same(cleat_draft_value(draft), values[i]));
    }
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(cleat_value_int_or(cleat_value_find(values[i], "a.n"), -1), i);
        ck_assert_uint_eq(cleat_value_count(cleat_value_find(values[i], "a.l")), (size_t)i + 2);
        ck_assert(cleat_value_same(cleat_value_get(values[i], "b"),
                                   cleat_value_get(cleat_document_root(base), "b")));
    }
    ck_assert_int_eq(cleat_draft_remove(draft, "a.n", NULL), 0);
    ck_assert(cleat_draft_changed(draft));
    ck_assert_int_eq(cleat_draft_set_json(draft, "a.l", "[0]", NULL), 0);
    ck_assert(!cleat_draft_changed(draft)); /* back where it was */
    (void)snprintf(text, sizeof(text), "%s", "{\"a\":{\"l\":[0]},\"b\":{\"c\":[1,2,{\"d\":1}]}}");
    json_check(cleat_draft_value(draft), text);
    cleat_draft_free(draft);
    cleat_document_unref(base);
}
END_TEST

/* Siblings of a change are the base's own nodes, and what is set to what it is stays shared. */
START_TEST(test_sharing)
{
    struct cleat_document *base =
        json_document("{\"metadata\":{\"labels\":{\"a\":\"1\"},\"annotations\":{\"b\":[2]}},"
                      "\"spec\":{\"containers\":[{\"name\":\"x\"},{\"name\":\"y\"}]}}");
    struct cleat_value root = cleat_document_root(base), value;
    struct cleat_draft *draft = NULL;

    ck_assert_int_eq(cleat_draft_new(root, &draft, NULL), 0);
    ck_assert(cleat_value_same(cleat_draft_value(draft), root));
    ck_assert_int_eq(cleat_draft_set_text(draft, "metadata.labels.a", "1", NULL), 0);
    ck_assert(cleat_value_same(cleat_draft_value(draft), root));
    ck_assert_int_eq(cleat_draft_set_text(draft, "spec.containers[1].name", "z", NULL), 0);
    value = cleat_draft_value(draft);
    ck_assert(
        cleat_value_same(cleat_value_get(value, "metadata"), cleat_value_get(root, "metadata")));
    ck_assert(cleat_value_same(cleat_value_find(value, "spec.containers[0]"),
                               cleat_value_find(root, "spec.containers[0]")));
    /* a part of the base set elsewhere is shared too, where the base is an arena */
    ck_assert_int_eq(
        cleat_draft_set(draft, "copy", cleat_value_find(root, "metadata.annotations"), NULL), 0);
    ck_assert(cleat_value_same(cleat_value_get(cleat_draft_value(draft), "copy"),
                               cleat_value_find(root, "metadata.annotations")));
    cleat_draft_free(draft);
    cleat_document_unref(base);
}
END_TEST

/* A pool may free what another object held: a value from it is copied. */
START_TEST(test_pool_values_are_copied)
{
    struct cleat_heap *pool = NULL;
    struct cleat_draft *draft = NULL;
    struct cleat_value base, other;

    ck_assert_int_eq(cleat_pool_new(16 * CLEAT_MIB, &pool), 0);
    base = json_holes(pool, "{\"a\":{\"b\":\"a string\"},\"c\":{\"d\":[1,2]}}");
    cleat_pool_hold(pool, base.ref);
    other = json_holes(pool, "{\"e\":[\"another string\",{\"f\":7}]}");
    cleat_pool_hold(pool, other.ref);
    ck_assert_int_eq(cleat_draft_new(base, &draft, NULL), 0);
    ck_assert_int_eq(cleat_draft_set(draft, "a.x", other, NULL), 0);
    cleat_pool_drop(pool, other.ref);
    (void)json_holes(pool, "{\"g\":[\"something else\",{\"h\":8}]}");
    json_check(cleat_draft_value(draft),
               "{\"a\":{\"b\":\"a string\",\"x\":{\"e\":[\"another string\","
               "{\"f\":7}]}},\"c\":{\"d\":[1,2]}}");
    ck_assert(cleat_value_same(cleat_value_get(cleat_draft_value(draft), "c"),
                               cleat_value_get(base, "c")));
    cleat_draft_free(draft);
    cleat_heap_free(pool);
}
END_TEST

/* A draft over a projected object: what wasn't kept can be replaced or removed, never written or
 * moved. */
START_TEST(test_not_kept)
{
    struct cleat_heap *arena = NULL;
    struct cleat_draft *draft = NULL;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_value base;

    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    base = json_holes(arena, "{\"metadata\":{\"name\":\"x\",\"managedFields\":\"" JSON_DROPPED
                             "\"},\"spec\":{\"a\":\"" JSON_DROPPED "\",\"b\":1}}");
    ck_assert_int_eq(cleat_draft_new(base, &draft, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_text(draft, "metadata.labels.a", "1", NULL), 0);
    ck_assert_int_eq(cleat_write_json(&buffer, cleat_draft_value(draft), &err), -ENODATA);
    ck_assert_str_eq(err.text, "metadata.managedFields wasn't kept by the projection");
    ck_assert_uint_eq(buffer.length, 0);
    cleat_err_clear(&err);
    ck_assert_int_eq(cleat_draft_set(draft, "copy", cleat_value_get(base, "spec"), &err), -EINVAL);
    ck_assert_str_eq(err.text,
                     "copy can't be set to a value of which the projection dropped a part");
    ck_assert_int_eq(cleat_draft_remove(draft, "metadata.managedFields", NULL), 0);
    ck_assert_int_eq(cleat_draft_set_int(draft, "spec.a", 5, NULL), 0);
    json_check(
        cleat_draft_value(draft),
        "{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\"}},\"spec\":{\"a\":5,\"b\":1}}");
    cleat_draft_free(draft);
    cleat_heap_free(arena);
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_depth)
{
    char *text = json_nested(CLEAT_VALUE_DEPTH_MAX - 2, "0");
    struct cleat_document *base = json_document("{\"l\":[0]}"), *deep = json_document(text);
    struct cleat_value value = cleat_document_root(deep);
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_draft *draft = NULL;

    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
    ck_assert_int_eq(cleat_draft_set(draft, "a.b", value, NULL), 0);
    ck_assert_int_eq(cleat_draft_set(draft, "a.b.c", value, &err), -E2BIG);
    ck_assert_str_eq(err.text, "a.b.c makes the draft nest too deeply");
    ck_assert_int_eq(cleat_draft_append(draft, "l", value, NULL), 0);
    ck_assert_int_eq(cleat_draft_set(draft, "l[0]", value, NULL), 0);
    ck_assert_int_eq(cleat_draft_append(draft, "m.n", value, NULL), -E2BIG);
    ck_assert_int_eq(cleat_draft_set(draft, "a", value, NULL), 0);
    ck_assert_uint_eq(cleat_value_count(cleat_draft_value(draft)), 2);
    cleat_draft_free(draft);
    cleat_document_unref(base);
    cleat_document_unref(deep);
    free(text);
}
END_TEST

/* 64 MiB are the end of it, and what was refused changes nothing. */
START_TEST(test_size)
{
    struct cleat_document *base = json_document("{}");
    struct cleat_draft *draft = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    size_t size = 15 * CLEAT_MIB;
    char *bytes = malloc(size), path[16];
    int r = 0, i;

    memset(bytes, 'x', size);
    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
    for (i = 0; r == 0 && i < 8; i++) {
        (void)snprintf(path, sizeof(path), "big%d", i);
        r = cleat_draft_set_str(draft, path, (struct cleat_str){bytes, size}, &err);
    }
    ck_assert_int_eq(r, -E2BIG);
    ck_assert_int_eq(i, 5);
    ck_assert_ptr_nonnull(strstr(err.text, "too large"));
    ck_assert_uint_eq(cleat_value_count(cleat_draft_value(draft)), 4);
    ck_assert_int_eq(cleat_draft_set_int(draft, "small", 1, NULL), 0);
    cleat_draft_free(draft);
    cleat_document_unref(base);
    free(bytes);
}
END_TEST

START_TEST(test_draft_of_a_draft)
{
    struct cleat_document *base = json_document("{\"a\":{\"b\":1},\"c\":[1,2]}");
    struct cleat_draft *first = NULL, *second = NULL;

    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &first, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_int(first, "a.x", 2, NULL), 0);
    ck_assert_int_eq(cleat_draft_new(cleat_draft_value(first), &second, NULL), 0);
    ck_assert_int_eq(cleat_draft_append_json(second, "c", "3", NULL), 0);
    ck_assert_int_eq(cleat_draft_set_int(second, "a.x", 3, NULL), 0);
    json_check(cleat_draft_value(second), "{\"a\":{\"b\":1,\"x\":3},\"c\":[1,2,3]}");
    json_check(cleat_draft_value(first), "{\"a\":{\"b\":1,\"x\":2},\"c\":[1,2]}");
    cleat_draft_free(second);
    cleat_draft_free(first);
    cleat_document_unref(base);
}
END_TEST

/* More members than an object looks through one by one, in several generations. */
START_TEST(test_many_members)
{
    struct cleat_document *base = json_document("{\"m\":{}}");
    struct cleat_draft *draft = NULL;
    char path[32];

    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            (void)snprintf(path, sizeof(path), "m.k%d", i);
            ck_assert_int_eq(cleat_draft_set_int(draft, path, i + round, NULL), 0);
        }
        for (int i = 0; i < 300; i += 2) {
            (void)snprintf(path, sizeof(path), "m.k%d", i);
            ck_assert_int_eq(cleat_draft_remove(draft, path, NULL), 0);
        }
        ck_assert_uint_eq(cleat_value_count(cleat_value_get(cleat_draft_value(draft), "m")), 150);
        ck_assert_int_eq(
            cleat_value_int_or(cleat_value_find(cleat_draft_value(draft), "m.k151"), -1),
            151 + round);
    }
    cleat_draft_free(draft);
    cleat_document_unref(base);
}
END_TEST

static int sweep_draft(void *arg)
{
    struct cleat_document *base = arg;
    struct cleat_draft *draft = NULL;
    struct cleat_path path = {.count = 1};
    struct cleat_value value;
    int r = cleat_draft_new(cleat_document_root(base), &draft, NULL);

    path.segments[0].key = CLEAT_STR("a key of its own");
    if (r == 0)
        r = cleat_draft_set_text(draft, "a.b.c", "a text that needs room", NULL);
    if (r == 0)
        r = cleat_draft_append(draft, "l", cleat_value_get(cleat_document_root(base), "o"), NULL);
    if (r == 0)
        r = cleat_draft_set_str_at(draft, &path, CLEAT_STR("a string"), NULL);
    if (r == 0)
        r = cleat_draft_remove(draft, "o.x", NULL);
    if (r == 0)
        r = cleat_draft_freeze(draft, &value, NULL);
    if (r == 0)
        r = cleat_draft_set_int(draft, "n.m", 5, NULL);
    if (r == 0)
        r = cleat_draft_freeze(draft, &value, NULL);
    if (draft)
        (void)cleat_draft_changed(draft);
    cleat_draft_free(draft);
    return r;
}

/* Out of memory anywhere is an error and leaves what was there. */
START_TEST(test_out_of_memory)
{
    struct cleat_document *base = json_document("{\"o\":{\"x\":[1,2,3]},\"l\":[1]}");

    ck_assert_uint_ge(cleat_chaos_sweep(sweep_draft, base), 10);
    cleat_document_unref(base);
}
END_TEST

START_TEST(test_failed_change_changes_nothing)
{
    struct cleat_document *base = json_document("{\"o\":{\"x\":[1,2,3]},\"l\":[1]}");
    struct cleat_draft *draft = NULL;
    int r = -ENOMEM;

    ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
    for (uint64_t nth = 1; r < 0; nth++) {
        cleat_mem_fail_at(nth, true);
        r = cleat_draft_set_text(draft, "o.y.z", "a text that needs room", NULL);
        cleat_mem_fail_at(0, false);
        if (r < 0)
            ck_assert(!cleat_draft_changed(draft));
    }
    json_check(cleat_draft_value(draft),
               "{\"o\":{\"x\":[1,2,3],\"y\":{\"z\":\"a text that needs room\"}},\"l\":[1]}");
    cleat_draft_free(draft);
    cleat_document_unref(base);
}
END_TEST

CLEAT_SUITE_MAIN("draft", test_changes, test_refused, test_whole_value,
                 test_absent_base_is_an_empty_object, test_not_kept_base, test_typed_setters,
                 test_bad_text, test_keys_and_texts_are_copied, test_value_after_value,
                 test_sharing, test_pool_values_are_copied, test_not_kept, test_depth, test_size,
                 test_draft_of_a_draft, test_many_members, test_out_of_memory,
                 test_failed_change_changes_nothing)
