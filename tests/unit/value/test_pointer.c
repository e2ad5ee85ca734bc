/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "json.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "value/place.h"
#include "value/pointer.h"

START_TEST(test_tokens)
{
    static const struct {
        const char *json;
        size_t count;
        const char *tokens[4];
    } rows[] = {
        {"\"\"", 0, {NULL}},
        {"\"/\"", 1, {""}},
        {"\"/a\"", 1, {"a"}},
        {"\"/a/b/0\"", 3, {"a", "b", "0"}},
        {"\"//\"", 2, {"", ""}},
        {"\"/a/\"", 2, {"a", ""}},
        {"\"/a~1b/~0\"", 2, {"a/b", "~"}},
        {"\"/~01/~10\"", 2, {"~1", "/0"}},
        {"\"/ /\\\"/\xc3\xa4\"", 3, {" ", "\"", "\xc3\xa4"}},
        {"\"/a long token/~0~0~1~1/x\"", 3, {"a long token", "~~//", "x"}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *document = json_document(rows[i].json);
        struct cleat_pointer pointer = {0};
        ck_assert_int_eq(cleat_pointer_parse(cleat_document_root(document), &pointer), 0);
        ck_assert_uint_eq(pointer.count, rows[i].count);
        for (size_t j = 0; j < rows[i].count; j++)
            ck_assert(cleat_str_is(pointer.tokens[j], rows[i].tokens[j]));
        cleat_pointer_fini(&pointer);
        cleat_pointer_fini(&pointer);
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_refused)
{
    static const char *const rows[] = {"\"a\"",   "\" /a\"", "\"/~\"", "\"/~2\"", "\"/a/b~\"",
                                       "\"/~a\"", "1",       "null",   "[]"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *document = json_document(rows[i]);
        struct cleat_pointer pointer = {0};
        ck_assert_msg(cleat_pointer_parse(cleat_document_root(document), &pointer) == -EINVAL, "%s",
                      rows[i]);
        cleat_pointer_fini(&pointer);
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_index)
{
    static const struct {
        const char *token;
        int r;
        size_t index;
    } rows[] = {
        {"0", CLEAT_POINTER_INDEX, 0},
        {"7", CLEAT_POINTER_INDEX, 7},
        {"10", CLEAT_POINTER_INDEX, 10},
        {"18446744073709551614", CLEAT_POINTER_INDEX, SIZE_MAX - 1},
        {"18446744073709551615", CLEAT_POINTER_INDEX, SIZE_MAX},
        {"18446744073709551616", CLEAT_POINTER_INDEX, SIZE_MAX},
        {"99999999999999999999999999", CLEAT_POINTER_INDEX, SIZE_MAX},
        {"-", CLEAT_POINTER_END, 1},
        {"", -EINVAL, 1},
        {"00", -EINVAL, 1},
        {"01", -EINVAL, 1},
        {"-1", -EINVAL, 1},
        {"+1", -EINVAL, 1},
        {"1 ", -EINVAL, 1},
        {"1e1", -EINVAL, 1},
        {"a", -EINVAL, 1},
        {"--", -EINVAL, 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t index = 1;
        int r = cleat_pointer_index(cleat_str_of(rows[i].token), &index);
        ck_assert_msg(r == rows[i].r && index == rows[i].index, "%s", rows[i].token);
    }
}
END_TEST

START_TEST(test_below)
{
    static const struct {
        const char *pointer;
        const char *above;
        bool below;
    } rows[] = {
        {"\"/a/b\"", "\"/a\"", true},     {"\"/a\"", "\"/a\"", false},
        {"\"/ab\"", "\"/a\"", false},     {"\"/a\"", "\"/a/b\"", false},
        {"\"/a\"", "\"\"", true},         {"\"\"", "\"\"", false},
        {"\"/a~1b/c\"", "\"/a\"", false}, {"\"/a/b/c\"", "\"/a/x\"", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *one = json_document(rows[i].pointer),
                              *two = json_document(rows[i].above);
        struct cleat_pointer pointer = {0}, above = {0};
        ck_assert_int_eq(cleat_pointer_parse(cleat_document_root(one), &pointer), 0);
        ck_assert_int_eq(cleat_pointer_parse(cleat_document_root(two), &above), 0);
        ck_assert_int_eq(cleat_pointer_is_below(&pointer, &above), rows[i].below);
        cleat_pointer_fini(&pointer);
        cleat_pointer_fini(&above);
        cleat_document_unref(one);
        cleat_document_unref(two);
    }
}
END_TEST

/* What a place writes, the parser takes apart again. */
START_TEST(test_place_writes_pointers)
{
    static const char *const keys[] = {"a",  "",      "a/b", "~",
                                       "~1", "q\"\\", "\n",  "\xf0\x9f\x98\x80"};
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct cleat_place top = cleat_place_member(NULL, CLEAT_STR("top"));
        struct cleat_place element = cleat_place_element(&top, 17);
        struct cleat_place place = cleat_place_member(&element, cleat_str_of(keys[i]));
        struct cleat_document *document;
        struct cleat_pointer pointer = {0};
        cleat_buffer_reset(&buffer);
        cleat_place_pointer(&place, &buffer);
        document = json_document(buffer.data);
        ck_assert_int_eq(cleat_pointer_parse(cleat_document_root(document), &pointer), 0);
        ck_assert_uint_eq(pointer.count, 3);
        ck_assert(cleat_str_is(pointer.tokens[0], "top"));
        ck_assert(cleat_str_is(pointer.tokens[1], "17"));
        ck_assert(cleat_str_is(pointer.tokens[2], keys[i]));
        cleat_pointer_fini(&pointer);
        cleat_document_unref(document);
    }
    cleat_buffer_reset(&buffer);
    cleat_place_pointer(NULL, &buffer);
    ck_assert_str_eq(buffer.data, "\"\"");
    cleat_buffer_fini(&buffer);
}
END_TEST

static int sweep_parse(void *arg)
{
    struct cleat_pointer pointer = {0};
    int r = cleat_pointer_parse(cleat_document_root(arg), &pointer);

    cleat_pointer_fini(&pointer);
    return r;
}

START_TEST(test_out_of_memory)
{
    struct cleat_document *document = json_document("\"/a~1b/c\"");

    ck_assert_uint_eq(cleat_chaos_sweep(sweep_parse, document), 1);
    cleat_document_unref(document);
}
END_TEST

CLEAT_SUITE_MAIN("pointer", test_tokens, test_refused, test_index, test_below,
                 test_place_writes_pointers, test_out_of_memory)
