/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/jansson.h>
#include "base/mem.h"
#include "json.h"
#include "support/chaos.h"
#include "support/suite.h"

START_TEST(test_from_pack)
{
    struct cleat_document *document = NULL;

    ck_assert_int_eq(
        cleat_jansson_document_take(json_pack("{s:s, s:[i,b,n,f], s:{}, s:I}", "a", "text", "l", 1,
                                              1, 0.5, "o", "i", (json_int_t)INT64_MIN),
                                    &document, NULL),
        0);
    json_check(cleat_document_root(document),
               "{\"a\":\"text\",\"l\":[1,true,null,0.5],\"o\":{},\"i\":-9223372036854775808}");
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_take_releases)
{
    json_t *json = json_array();
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;

    ck_assert_int_eq(cleat_jansson_document(json, &document, NULL), 0);
    ck_assert_uint_eq(json->refcount, 1);
    cleat_document_unref(document);
    json_incref(json);
    ck_assert_int_eq(cleat_jansson_document_take(json, &document, NULL), 0);
    ck_assert_uint_eq(json->refcount, 1);
    cleat_document_unref(document);
    json_decref(json);
    document = NULL;
    ck_assert_int_eq(cleat_jansson_document_take(NULL, &document, &err), -ENOMEM);
    ck_assert_ptr_nonnull(strstr(err.text, "jansson gave no value"));
    ck_assert_int_eq(cleat_jansson_document(NULL, &document, NULL), -EINVAL);
    ck_assert_ptr_null(document);
}
END_TEST

/* The shortest text that reads back the same, always a real, in any locale. */
START_TEST(test_reals)
{
    static const struct {
        double number;
        const char *text;
    } rows[] = {
        {0.1, "0.1"},
        {1.0, "1.0"},
        {-0.0, "-0.0"},
        {1e100, "1e+100"},
        {1.0 / 3, "0.3333333333333333"},
        {5e-324, "4.94065645841247e-324"},
        {123456789012345680.0, "1.23456789012346e+17"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *document = NULL;
        double back = 0;
        ck_assert_int_eq(cleat_jansson_document_take(json_real(rows[i].number), &document, NULL),
                         0);
        ck_assert_int_eq(cleat_value_double(cleat_document_root(document), &back), 0);
        ck_assert(memcmp(&back, &rows[i].number, sizeof(back)) == 0);
        (void)json_text(&buffer, cleat_document_root(document));
        if (i < 4)
            ck_assert_str_eq(buffer.data, rows[i].text);
        cleat_document_unref(document);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_reals_read_back)
{
    uint64_t state = 1;

    for (int i = 0; i < 20000; i++) {
        struct cleat_document *document = NULL;
        double number, back = 0;
        state = state * UINT64_C(6364136223846793005) + 1;
        memcpy(&number, &state, sizeof(number));
        if (!isfinite(number))
            continue;
        ck_assert_int_eq(cleat_jansson_document_take(json_real(number), &document, NULL), 0);
        ck_assert_int_eq(cleat_value_double(cleat_document_root(document), &back), 0);
        ck_assert(back == number);
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_text_is_checked)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    json_t *json = json_object();

    ck_assert_int_eq(json_object_set_new(json, "a", json_stringn_nocheck("\xff", 1)), 0);
    ck_assert_int_eq(cleat_jansson_document_take(json, &document, &err), -EINVAL);
    ck_assert_str_eq(err.text, "a isn't UTF-8");
    json = json_object();
    ck_assert_int_eq(json_object_set_new_nocheck(json, "\xc3", json_null()), 0);
    ck_assert_int_eq(cleat_jansson_document_take(json, &document, NULL), -EINVAL);
#if JANSSON_VERSION_HEX >= 0x020e00
    json = json_object();
    ck_assert_int_eq(json_object_setn_new(json, "a\0b", 3, json_null()), 0);
    cleat_err_clear(&err);
    ck_assert_int_eq(cleat_jansson_document_take(json, &document, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "has a NUL in its key"));
#endif
    ck_assert_int_eq(cleat_jansson_document_take(json_stringn("a\0b", 3), &document, NULL), 0);
    json_check(cleat_document_root(document), "\"a\\u0000b\"");
    cleat_document_unref(document);
}
END_TEST

static json_t *nested(size_t depth)
{
    json_t *json = json_null();

    for (size_t i = 0; i < depth; i++)
        json = json_pack("[o]", json);
    return json;
}

START_TEST(test_depth)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;

    ck_assert_int_eq(cleat_jansson_document_take(nested(CLEAT_VALUE_DEPTH_MAX), &document, NULL),
                     0);
    cleat_document_unref(document);
    document = NULL;
    ck_assert_int_eq(
        cleat_jansson_document_take(nested(CLEAT_VALUE_DEPTH_MAX + 1), &document, &err), -E2BIG);
    ck_assert_ptr_nonnull(strstr(err.text, "is nested too deeply"));
    ck_assert_int_eq(cleat_jansson_document_take(nested(10000), &document, NULL), -E2BIG);
    ck_assert_ptr_null(document);
}
END_TEST

/* A circle, and a small tree that is a giant one when read: both end at a limit. */
START_TEST(test_circle_and_bomb)
{
    struct cleat_document *document = NULL;
    json_t *a = json_array(), *b = json_pack("[O]", a),
           *bomb = json_string("a string with some bytes");

    ck_assert_int_eq(json_array_append(a, b), 0);
    ck_assert_int_eq(cleat_jansson_document(a, &document, NULL), -E2BIG);
    ck_assert_int_eq(json_array_clear(a), 0); /* opens the circle */
    json_decref(a);
    json_decref(b);
    for (int i = 0; i < 40; i++)
        bomb = json_pack("[Oo]", bomb, bomb);
    ck_assert_int_eq(cleat_jansson_document_take(bomb, &document, NULL), -E2BIG);
    ck_assert_ptr_null(document);
}
END_TEST

/* To jansson: compared as text, which jansson may dump because the depth is known. */
START_TEST(test_to_jansson)
{
    static const struct {
        const char *text;
        const char *dumped; /* NULL: the same */
    } rows[] = {
        {"{\"a\":[1,true,false,null,\"x\"],\"b\":{\"c\":{}}}", NULL},
        {"[]", NULL},
        {"\"\"", NULL},
        {"-9223372036854775808", NULL},
        {"9223372036854775807", NULL},
        {"-0", "0"},
        {"0.5", NULL},
        {"1.0", NULL},
        {"1e2", "100.0"},
        {"\"a\\u0000b\"", NULL},
        {"{\"\":\"\xf0\x9f\x98\x80\"}", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *document = json_document(rows[i].text);
        json_t *json = NULL;
        char *text;
        ck_assert_int_eq(cleat_jansson_of(cleat_document_root(document), &json, NULL), 0);
        text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
        ck_assert_str_eq(text, rows[i].dumped ? rows[i].dumped : rows[i].text);
        free(text);
        json_decref(json);
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_to_jansson_refused)
{
    static const struct {
        const char *text;
        int r;
        const char *message;
    } rows[] = {
        {"[9223372036854775808]", -ERANGE, "[0] is an integer beyond 64 bits"},
        {"{\"a\":-9223372036854775809}", -ERANGE, "a is an integer beyond 64 bits"},
        {"{\"a\":1e400}", -ERANGE, "a is a number beyond a double's range"},
        {"{\"a\":[{\"b\":\"" JSON_DROPPED "\"}]}", -ENODATA,
         "a[0].b wasn't kept by the projection"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_heap *arena = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        json_t *json = NULL;
        ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
        ck_assert_int_eq(cleat_jansson_of(json_holes(arena, rows[i].text), &json, &err), rows[i].r);
        ck_assert_str_eq(err.text, rows[i].message);
        ck_assert_ptr_null(json);
        cleat_heap_free(arena);
    }
}
END_TEST

START_TEST(test_to_jansson_limits)
{
    struct cleat_heap *arena = NULL;
    json_t *json = NULL;
    uint32_t ref = 0;

    ck_assert_int_eq(cleat_jansson_of(CLEAT_VALUE_NONE, &json, NULL), -EINVAL);
    ck_assert_int_eq(cleat_arena_new(64 * CLEAT_MIB, &arena), 0);
    ref = cleat_heap_null(arena);
    for (int depth = 1; depth <= 50000; depth++) {
        ck_assert_int_eq(cleat_heap_array(arena, &ref, 1, &ref), 0);
        if (depth == CLEAT_VALUE_DEPTH_MAX) {
            ck_assert_int_eq(cleat_jansson_of((struct cleat_value){arena, ref}, &json, NULL), 0);
            json_decref(json);
            json = NULL;
        }
    }
    ck_assert_int_eq(cleat_jansson_of((struct cleat_value){arena, ref}, &json, NULL), -E2BIG);
    ck_assert_ptr_null(json);
    cleat_heap_free(arena);
}
END_TEST

START_TEST(test_there_and_back)
{
    static const char text[] = "{\"a\":[1,2.5,\"x\",{\"b\":null}],\"c\":{\"d/e\":true,\"\":[]},"
                               "\"uid\":\"b7e9c1d2-1111-4222-8333-0123456789ab\"}";
    struct cleat_heap *pool = NULL;
    struct cleat_document *document = NULL;
    json_t *json = NULL;

    ck_assert_int_eq(cleat_pool_new(CLEAT_MIB, &pool), 0);
    ck_assert_int_eq(cleat_jansson_of(json_holes(pool, text), &json, NULL), 0);
    ck_assert_int_eq(cleat_jansson_document_take(json, &document, NULL), 0);
    json_check(cleat_document_root(document), text);
    cleat_document_unref(document);
    cleat_heap_free(pool);
}
END_TEST

static int sweep_from(void *arg)
{
    struct cleat_document *document = NULL;
    int r = cleat_jansson_document(arg, &document, NULL);

    ck_assert_int_eq(r == 0, document != NULL);
    cleat_document_unref(document);
    return r;
}

/* jansson's own memory, to fail at its turn. */
static size_t jansson_left;

static void *jansson_alloc(size_t size)
{
    if (jansson_left == 0)
        return NULL;
    jansson_left--;
    return malloc(size);
}

START_TEST(test_out_of_memory)
{
    json_t *json =
        json_pack("{s:[s,i,f], s:{s:s}}", "a", "some longer string", 1, 0.5, "b", "c", "d");
    struct cleat_document *document =
        json_document("{\"a\":[1,2.5,\"x\",{\"b\":null}],\"c\":{\"d\":true}}");
    size_t fails = 0;
    int r = -ENOMEM;

    ck_assert_uint_ge(cleat_chaos_sweep(sweep_from, json), 4);
    json_decref(json);
    json_set_alloc_funcs(jansson_alloc, free);
    for (size_t left = 0; r < 0; left++) {
        json = NULL;
        jansson_left = left;
        r = cleat_jansson_of(cleat_document_root(document), &json, NULL);
        ck_assert(r == 0 || (r == -ENOMEM && !json));
        fails += r < 0;
    }
    ck_assert_uint_ge(fails, 8);
    json_decref(json);
    json_set_alloc_funcs(malloc, free);
    cleat_document_unref(document);
}
END_TEST

CLEAT_SUITE_MAIN("jansson", test_from_pack, test_take_releases, test_reals, test_reals_read_back,
                 test_text_is_checked, test_depth, test_circle_and_bomb, test_to_jansson,
                 test_to_jansson_refused, test_to_jansson_limits, test_there_and_back,
                 test_out_of_memory)
