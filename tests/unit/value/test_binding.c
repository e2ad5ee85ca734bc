/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/binding.h>
#include "base/mem.h"
#include "json.h"
#include "support/chaos.h"
#include "support/suite.h"

struct web {
    struct cleat_str name;
    int64_t replicas;
    bool paused;
    double share;
    struct cleat_value labels;
    struct cleat_str image;
};

static const struct cleat_binding web_fields[] = {
    CLEAT_BIND(struct web, name, "metadata.name", CLEAT_BIND_STR, true),
    CLEAT_BIND(struct web, replicas, "spec.replicas", CLEAT_BIND_INT, false),
    CLEAT_BIND(struct web, paused, "spec.paused", CLEAT_BIND_BOOL, false),
    CLEAT_BIND(struct web, share, "spec.share", CLEAT_BIND_DOUBLE, false),
    CLEAT_BIND(struct web, labels, "metadata.labels", CLEAT_BIND_VALUE, false),
    CLEAT_BIND(struct web, image, "spec.containers[0].image", CLEAT_BIND_STR, false),
};
#define WEB_COUNT (sizeof(web_fields) / sizeof(web_fields[0]))

static const char web_text[] =
    "{\"metadata\":{\"name\":\"a name of some length\",\"labels\":{\"team\":\"red\"}},"
    "\"spec\":{\"replicas\":3,\"paused\":true,\"share\":0.25,\"containers\":[{\"image\":\"nginx:"
    "1\"}]}}";

START_TEST(test_fills_all_types)
{
    struct cleat_document *document = json_document(web_text);
    struct cleat_binding_scratch scratch = {0};
    struct web web;

    memset(&web, 0x5a, sizeof(web));
    ck_assert_int_eq(cleat_binding_read(web_fields, WEB_COUNT, cleat_document_root(document), &web,
                                        &scratch, NULL),
                     0);
    ck_assert(cleat_str_is(web.name, "a name of some length"));
    ck_assert_int_eq(web.name.data[web.name.length], '\0');
    ck_assert_int_eq(web.replicas, 3);
    ck_assert(web.paused);
    ck_assert_double_eq(web.share, 0.25);
    ck_assert(cleat_value_is(cleat_value_get(web.labels, "team"), "red"));
    ck_assert(cleat_str_is(web.image, "nginx:1"));
    cleat_binding_scratch_fini(&scratch);
    cleat_document_unref(document);
}
END_TEST

/* What isn't there is zero, whatever stood in the struct; null counts as not there. */
START_TEST(test_optional_fields_are_zeroed)
{
    static const char *const texts[] = {
        "{\"metadata\":{\"name\":\"x\"}}",
        "{\"metadata\":{\"name\":\"x\"},\"spec\":null}",
        "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"replicas\":null,\"paused\":null}}",
        "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"share\":null,\"containers\":[]}}",
        "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"containers\":{\"0\":{\"image\":\"y\"}}}}",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cleat_document *document = json_document(texts[i]);
        struct cleat_binding_scratch scratch = {0};
        struct web web;
        memset(&web, 0x5a, sizeof(web));
        ck_assert_int_eq(cleat_binding_read(web_fields, WEB_COUNT, cleat_document_root(document),
                                            &web, &scratch, NULL),
                         0);
        ck_assert(cleat_str_is(web.name, "x"));
        ck_assert_int_eq(web.replicas, 0);
        ck_assert(!web.paused);
        ck_assert(web.share == 0);
        ck_assert(!cleat_value_is_present(web.labels));
        ck_assert_ptr_null(web.image.data);
        ck_assert_uint_eq(web.image.length, 0);
        cleat_binding_scratch_fini(&scratch);
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_value_keeps_null)
{
    static const struct cleat_binding fields[] = {{"a", CLEAT_BIND_VALUE, 0, false}};
    struct cleat_document *document = json_document("{\"a\":null}");
    struct cleat_value value = CLEAT_VALUE_NONE;

    ck_assert_int_eq(
        cleat_binding_read(fields, 1, cleat_document_root(document), &value, NULL, NULL), 0);
    ck_assert_int_eq(cleat_value_type(value), CLEAT_TYPE_NULL);
    cleat_document_unref(document);
}
END_TEST

/* Each failure: its code, its text, and a struct that holds nothing. */
START_TEST(test_refused)
{
    static const struct {
        const char *text;
        int r;
        const char *message;
    } rows[] = {
        {"{}", -EINVAL, "metadata.name is absent, but required"},
        {"{\"metadata\":{\"name\":null}}", -EINVAL, "metadata.name is null, but required"},
        {"{\"metadata\":{\"name\":7}}", -EINVAL, "metadata.name is number, not string"},
        {"{\"metadata\":{\"name\":{}}}", -EINVAL, "metadata.name is object, not string"},
        {"{\"metadata\":{\"name\":\"" JSON_DROPPED "\"}}", -ENODATA, "metadata.name wasn't kept"},
        {"{\"metadata\":\"" JSON_DROPPED "\"}", -ENODATA, "metadata.name wasn't kept"},
        {"{\"metadata\":{\"name\":\"x\"},\"spec\":{\"replicas\":\"3\"}}", -EINVAL,
         "spec.replicas is string, not number"},
        {"{\"metadata\":{\"name\":\"x\"},\"spec\":{\"replicas\":1.5}}", -EINVAL,
         "spec.replicas is a number that doesn't fit an integer of 64 bits"},
        {"{\"metadata\":{\"name\":\"x\"},\"spec\":{\"replicas\":9223372036854775808}}", -EINVAL,
         "spec.replicas is a number that doesn't fit an integer of 64 bits"},
        {"{\"metadata\":{\"name\":\"x\"},\"spec\":{\"paused\":1}}", -EINVAL,
         "spec.paused is number, not boolean"},
        {"{\"metadata\":{\"name\":\"x\"},\"spec\":{\"share\":1e999}}", -EINVAL,
         "spec.share is a number that doesn't fit"},
        {"{\"metadata\":{\"name\":\"x\"},\"spec\":{\"share\":\"1\"}}", -EINVAL,
         "spec.share is string, not number"},
        {"{\"metadata\":{\"name\":\"x\",\"labels\":\"" JSON_DROPPED "\"}}", -ENODATA,
         "metadata.labels wasn't kept"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_heap *arena = NULL;
        struct cleat_binding_scratch scratch = {0};
        struct cleat_err err = CLEAT_ERR_INIT;
        struct web web, zero;
        memset(&web, 0x5a, sizeof(web));
        memset(&zero, 0, sizeof(zero));
        ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
        ck_assert_int_eq(cleat_binding_read(web_fields, WEB_COUNT, json_holes(arena, rows[i].text),
                                            &web, &scratch, &err),
                         rows[i].r);
        ck_assert_msg(strncmp(err.text, rows[i].message, strlen(rows[i].message)) == 0, "%s",
                      err.text);
        ck_assert_ptr_null(web.name.data);
        ck_assert_int_eq(web.replicas, 0);
        ck_assert(!web.paused && web.share == 0);
        cleat_binding_scratch_fini(&scratch);
        cleat_heap_free(arena);
    }
}
END_TEST

START_TEST(test_numbers_by_value)
{
    static const struct {
        const char *text;
        int64_t number;
    } rows[] = {
        {"{\"n\":1.0}", 1},
        {"{\"n\":1e3}", 1000},
        {"{\"n\":-0}", 0},
        {"{\"n\":-9223372036854775808}", INT64_MIN},
    };
    static const struct cleat_binding fields[] = {{"n", CLEAT_BIND_INT, 0, true}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *document = json_document(rows[i].text);
        int64_t number = 77;
        ck_assert_int_eq(
            cleat_binding_read(fields, 1, cleat_document_root(document), &number, NULL, NULL), 0);
        ck_assert_int_eq(number, rows[i].number);
        cleat_document_unref(document);
    }
}
END_TEST

/* Strings that a pool packs, or keeps in the reference, are copied to the scratch; many of them. */
START_TEST(test_packed_strings)
{
    enum { COUNT = 200 };
    static const struct cleat_binding fields[] = {
        {"uid", CLEAT_BIND_STR, 0, true},
        {"at", CLEAT_BIND_STR, sizeof(struct cleat_str), true},
        {"s", CLEAT_BIND_STR, 2 * sizeof(struct cleat_str), true},
    };
    struct cleat_binding_scratch scratch = {0};
    struct cleat_heap *pool = NULL;
    struct cleat_str bound[COUNT][3];
    char text[256];

    ck_assert_int_eq(cleat_pool_new(16 * CLEAT_MIB, &pool), 0);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(
            text, sizeof(text),
            "{\"uid\":\"b7e9c1d2-1111-4222-8333-0123456789%02x\",\"at\":\"2026-01-31T23:%02d:59Z\","
            "\"s\":\"%d\"}",
            i, i % 60, i);
        ck_assert_int_eq(
            cleat_binding_read(fields, 3, json_holes(pool, text), bound[i], &scratch, NULL), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "b7e9c1d2-1111-4222-8333-0123456789%02x", i);
        ck_assert_str_eq(bound[i][0].data, text);
        (void)snprintf(text, sizeof(text), "2026-01-31T23:%02d:59Z", i % 60);
        ck_assert_str_eq(bound[i][1].data, text);
        (void)snprintf(text, sizeof(text), "%d", i);
        ck_assert_str_eq(bound[i][2].data, text);
    }
    cleat_binding_scratch_fini(&scratch);
    cleat_binding_scratch_fini(&scratch);
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_packed_string_without_scratch)
{
    static const struct cleat_binding fields[] = {{"uid", CLEAT_BIND_STR, 0, true}};
    struct cleat_heap *pool = NULL;
    struct cleat_str bound = CLEAT_STR("x");
    struct cleat_err err = CLEAT_ERR_INIT;

    ck_assert_int_eq(cleat_pool_new(CLEAT_MIB, &pool), 0);
    ck_assert_int_eq(
        cleat_binding_read(fields, 1,
                           json_holes(pool, "{\"uid\":\"b7e9c1d2-1111-4222-8333-0123456789ab\"}"),
                           &bound, NULL, &err),
        -EINVAL);
    ck_assert_str_eq(err.text, "uid can't be bound without a scratch");
    ck_assert_ptr_null(bound.data);
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_bad_path)
{
    static const struct cleat_binding each[] = {{"a[*].b", CLEAT_BIND_VALUE, 0, false}};
    static const struct cleat_binding broken[] = {{"a[", CLEAT_BIND_VALUE, 0, false}};
    struct cleat_document *document = json_document("{}");
    struct cleat_projection *projection = NULL;
    struct cleat_value value;
    struct cleat_err err = CLEAT_ERR_INIT;

    ck_assert_int_eq(cleat_binding_read(each, 1, cleat_document_root(document), &value, NULL, &err),
                     -EINVAL);
    ck_assert_str_eq(err.text, "a[*].b names many values, a binding takes one");
    ck_assert_int_eq(
        cleat_binding_read(broken, 1, cleat_document_root(document), &value, NULL, NULL), -EINVAL);
    ck_assert_int_eq(cleat_binding_projection(each, 1, &projection, NULL), -EINVAL);
    ck_assert_int_eq(cleat_binding_projection(broken, 1, &projection, NULL), -EINVAL);
    ck_assert_ptr_null(projection);
    cleat_document_unref(document);
}
END_TEST

static bool keeps(const struct cleat_projection *projection, const char *text)
{
    struct cleat_path path;

    ck_assert_int_eq(cleat_path_parse(text, &path, NULL), 0);
    return cleat_projection_keeps(projection, &path);
}

/* The table is the projection: all that it reads is kept, and nothing that it doesn't. */
START_TEST(test_projection)
{
    struct cleat_projection *projection = NULL;

    ck_assert_int_eq(cleat_binding_projection(web_fields, WEB_COUNT, &projection, NULL), 0);
    ck_assert(keeps(projection, "metadata.name"));
    ck_assert(keeps(projection, "spec.replicas"));
    ck_assert(keeps(projection, "spec.containers[*].image"));
    ck_assert(keeps(projection, "metadata.labels.team"));
    ck_assert(keeps(projection, "kind"));
    ck_assert(!keeps(projection, "status"));
    ck_assert(!keeps(projection, "spec.containers[*].name"));
    ck_assert(!keeps(projection, "metadata.annotations"));
    cleat_projection_unref(projection);
}
END_TEST

START_TEST(test_projection_of_quoted_keys)
{
    static const struct cleat_binding fields[] = {
        {"metadata.annotations[\"a.b/c\"]", CLEAT_BIND_STR, 0, false},
        {"data[\"q\\\"\\\\\"]", CLEAT_BIND_STR, 0, false},
    };
    struct cleat_projection *projection = NULL;

    ck_assert_int_eq(cleat_binding_projection(fields, 2, &projection, NULL), 0);
    ck_assert(keeps(projection, fields[0].path));
    ck_assert(keeps(projection, fields[1].path));
    ck_assert(!keeps(projection, "metadata.annotations.a"));
    cleat_projection_unref(projection);
}
END_TEST

static int sweep_read(void *arg)
{
    static const struct cleat_binding fields[] = {{"uid", CLEAT_BIND_STR, 0, true}};
    struct cleat_value *root = arg;
    struct cleat_binding_scratch scratch = {0};
    struct cleat_str bound = {NULL, 0};
    int r = cleat_binding_read(fields, 1, *root, &bound, &scratch, NULL);

    ck_assert_int_eq(r == 0, bound.data != NULL);
    cleat_binding_scratch_fini(&scratch);
    return r;
}

static int sweep_projection(void *arg)
{
    struct cleat_projection *projection = NULL;
    int r = cleat_binding_projection(web_fields, WEB_COUNT, &projection, NULL);

    ck_assert_int_eq(r == 0, projection != NULL);
    cleat_projection_unref(projection);
    return r;
}

START_TEST(test_out_of_memory)
{
    struct cleat_heap *pool = NULL;
    struct cleat_value root;

    ck_assert_int_eq(cleat_pool_new(CLEAT_MIB, &pool), 0);
    root = json_holes(pool, "{\"uid\":\"b7e9c1d2-1111-4222-8333-0123456789ab\"}");
    ck_assert_uint_ge(cleat_chaos_sweep(sweep_read, &root), 1);
    ck_assert_uint_ge(cleat_chaos_sweep(sweep_projection, NULL), WEB_COUNT);
    cleat_heap_free(pool);
}
END_TEST

CLEAT_SUITE_MAIN("binding", test_fills_all_types, test_optional_fields_are_zeroed,
                 test_value_keeps_null, test_refused, test_numbers_by_value, test_packed_strings,
                 test_packed_string_without_scratch, test_bad_path, test_projection,
                 test_projection_of_quoted_keys, test_out_of_memory)
