/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "json.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "value/write_parts.h"

static const struct cleat_write_member members[] = {
    {{"apiVersion", 10}, {"apps/v1", 7}},
    {{"kind", 4}, {"Deployment", 10}},
};
static const struct cleat_write_member metadata[] = {
    {{"resourceVersion", 15}, {"4711", 4}},
};
static const struct cleat_write_parts parts = {members, 2, metadata, 1};

#define BEGIN "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\""

START_TEST(test_texts)
{
    static const struct {
        const char *root;
        const char *text;
    } rows[] = {
        {"{}", BEGIN ",\"metadata\":{\"resourceVersion\":\"4711\"}}"},
        {"{\"spec\":{\"a\":[1]}}",
         BEGIN ",\"metadata\":{\"resourceVersion\":\"4711\"},\"spec\":{\"a\":[1]}}"},
        {"{\"metadata\":{}}", BEGIN ",\"metadata\":{\"resourceVersion\":\"4711\"}}"},
        {"{\"spec\":1,\"metadata\":{\"name\":\"x\",\"labels\":{\"a\\n\":\"b\"}},\"status\":2}",
         BEGIN
         ",\"metadata\":{\"resourceVersion\":\"4711\",\"name\":\"x\",\"labels\":{\"a\\n\":\"b\"}},"
         "\"spec\":1,\"status\":2}"},
        {"{\"kind\":\"Old\",\"metadata\":{\"resourceVersion\":\"1\",\"name\":\"x\"},\"apiVersion\":"
         "null}",
         BEGIN ",\"metadata\":{\"resourceVersion\":\"4711\",\"name\":\"x\"}}"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *root = json_document(rows[i].root);
        cleat_buffer_reset(&buffer);
        ck_assert_int_eq(cleat_write_object_with(&buffer, cleat_document_root(root), &parts, NULL),
                         0);
        ck_assert_str_eq(buffer.data, rows[i].text);
        cleat_document_unref(root);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

/* Parts without a text are left out and hide nothing; no parts at all write the object as it is. */
START_TEST(test_left_out)
{
    static const struct cleat_write_member some[] = {
        {{"apiVersion", 10}, {NULL, 0}}, {{"kind", 4}, {"", 0}}, {{"x", 1}, {NULL, 0}}};
    static const struct cleat_write_parts left_out = {some, 3, some, 1}, none = {NULL, 0, NULL, 0};
    static const char text[] = "{\"apiVersion\":\"v1\",\"metadata\":7,\"kind\":\"Pod\"}";
    struct cleat_document *root = json_document(text);
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    ck_assert_int_eq(cleat_write_object_with(&buffer, cleat_document_root(root), &left_out, NULL),
                     0);
    ck_assert_str_eq(buffer.data, "{\"kind\":\"\",\"apiVersion\":\"v1\",\"metadata\":7}");
    cleat_buffer_reset(&buffer);
    ck_assert_int_eq(cleat_write_object_with(&buffer, cleat_document_root(root), &none, NULL), 0);
    ck_assert_str_eq(buffer.data, text);
    cleat_buffer_fini(&buffer);
    cleat_document_unref(root);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *root;
        int r;
        const char *message;
    } rows[] = {
        {"[]", -EINVAL, "the object is array instead of an object"},
        {"{\"metadata\":7}", -EINVAL, "metadata is number instead of an object"},
        {"{\"metadata\":\"" JSON_DROPPED "\"}", -ENODATA, "metadata wasn't kept by the projection"},
        {"{\"metadata\":{\"managedFields\":\"" JSON_DROPPED "\"}}", -ENODATA,
         "metadata.managedFields wasn't kept by the projection"},
        {"{\"spec\":[{\"a\":\"" JSON_DROPPED "\"}]}", -ENODATA,
         "spec[0].a wasn't kept by the projection"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_heap *arena = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
        cleat_buffer_reset(&buffer);
        (void)cleat_buffer_text(&buffer, "before");
        ck_assert_int_eq(
            cleat_write_object_with(&buffer, json_holes(arena, rows[i].root), &parts, &err),
            rows[i].r);
        ck_assert_str_eq(err.text, rows[i].message);
        ck_assert_str_eq(buffer.data, "before");
        cleat_heap_free(arena);
    }
    ck_assert_int_eq(cleat_write_object_with(&buffer, CLEAT_VALUE_NONE, &parts, NULL), -EINVAL);
    cleat_buffer_fini(&buffer);
}
END_TEST

/* 128 levels are fine wherever they begin, as if nobody had put the object together. */
START_TEST(test_depth)
{
    char *text = json_nested(CLEAT_VALUE_DEPTH_MAX - 2, "0");
    struct cleat_buffer root_text = CLEAT_BUFFER_INIT(CLEAT_MIB),
                        buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *root, *again;

    (void)cleat_buffer_format(&root_text, "{\"metadata\":{\"x\":%s},\"spec\":[%s]}", text, text);
    root = json_document(root_text.data);
    ck_assert_int_eq(cleat_write_object_with(&buffer, cleat_document_root(root), &parts, NULL), 0);
    again = json_document(buffer.data);
    cleat_document_unref(again);
    cleat_document_unref(root);
    cleat_buffer_fini(&root_text);
    cleat_buffer_fini(&buffer);
    free(text);
}
END_TEST

START_TEST(test_maximum)
{
    struct cleat_document *root = json_document("{\"metadata\":{\"name\":\"x\"},\"spec\":1}");
    static const char text[] =
        BEGIN ",\"metadata\":{\"resourceVersion\":\"4711\",\"name\":\"x\"},\"spec\":1}";

    for (size_t max = 0; max <= sizeof(text); max++) {
        struct cleat_buffer buffer = CLEAT_BUFFER_INIT(max);
        int r = cleat_write_object_with(&buffer, cleat_document_root(root), &parts, NULL);
        ck_assert_int_eq(r, max < sizeof(text) - 1 ? -ENOBUFS : 0);
        ck_assert_uint_eq(buffer.length, r == 0 ? sizeof(text) - 1 : 0);
        cleat_buffer_fini(&buffer);
    }
    cleat_document_unref(root);
}
END_TEST

static int sweep_write(void *arg)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    int r = cleat_write_object_with(&buffer, cleat_document_root(arg), &parts, NULL);

    cleat_buffer_fini(&buffer);
    return r;
}

START_TEST(test_out_of_memory)
{
    struct cleat_document *root = json_document("{\"metadata\":{\"name\":\"x\"},\"spec\":1}");

    ck_assert_uint_ge(cleat_chaos_sweep(sweep_write, root), 1);
    cleat_document_unref(root);
}
END_TEST

CLEAT_SUITE_MAIN("write_parts", test_texts, test_left_out, test_refused, test_depth, test_maximum,
                 test_out_of_memory)
