/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/path.h>
#include "support/suite.h"
#include "unit/value/json.h"

/* The same values in an arena and in a pool. */
struct both {
    struct cleat_document *document;
    struct cleat_heap *pool;
    struct cleat_value roots[2];
};

static struct both both_new(const char *text)
{
    struct both both = {.document = json_document(text)};
    uint32_t ref = 0;
    ck_assert_int_eq(cleat_pool_new(16 * CLEAT_MIB, &both.pool), 0);
    ck_assert_int_eq(cleat_heap_copy(both.pool, cleat_document_root(both.document), &ref), 0);
    both.roots[0] = cleat_document_root(both.document);
    both.roots[1] = (struct cleat_value){both.pool, ref};
    return both;
}

static void both_free(struct both *both)
{
    cleat_document_unref(both->document);
    cleat_heap_free(both->pool);
}

static const char kinds[] =
    "{\"null\":null,\"yes\":true,\"no\":false,\"zero\":0,\"small\":-7,\"int\":9007199254740993,"
    "\"real\":2.50,\"round\":1e2,\"huge\":1e999,\"big\":92233720368547758080,\"empty\":\"\","
    "\"short\":\"abc\","
    "\"text\":\"a longer "
    "text\",\"time\":\"2026-01-31T23:59:59Z\",\"nul\":\"a\\u0000bcd\",\"list\":[1,\"two\",[3]],"
    "\"none\":[],\"object\":{\"k\":\"v\"},\"hollow\":{}}";

static const struct {
    const char *key;
    enum cleat_value_type type;
    int as_bool, as_int, as_double, as_number, as_str;
    int64_t integer;
    double real;
    const char *text;
    size_t count;
} expected[] = {
#define OTHER CLEAT_VALUE_TYPE
    {"null", CLEAT_TYPE_NULL, 1, 1, 1, 1, 1, 0, 0, NULL, 0},
    {"absent", CLEAT_TYPE_ABSENT, 1, 1, 1, 1, 1, 0, 0, NULL, 0},
    {"yes", CLEAT_TYPE_BOOL, 0, OTHER, OTHER, OTHER, OTHER, 0, 0, NULL, 0},
    {"no", CLEAT_TYPE_BOOL, 0, OTHER, OTHER, OTHER, OTHER, 0, 0, NULL, 0},
    {"zero", CLEAT_TYPE_NUMBER, OTHER, 0, 0, 0, OTHER, 0, 0, "0", 0},
    {"small", CLEAT_TYPE_NUMBER, OTHER, 0, 0, 0, OTHER, -7, -7, "-7", 0},
    {"int", CLEAT_TYPE_NUMBER, OTHER, 0, 0, 0, OTHER, 9007199254740993, 9007199254740992.0,
     "9007199254740993", 0},
    {"real", CLEAT_TYPE_NUMBER, OTHER, CLEAT_VALUE_RANGE, 0, 0, OTHER, 0, 2.5, "2.50", 0},
    {"round", CLEAT_TYPE_NUMBER, OTHER, 0, 0, 0, OTHER, 100, 100, "1e2", 0},
    {"huge", CLEAT_TYPE_NUMBER, OTHER, CLEAT_VALUE_RANGE, CLEAT_VALUE_RANGE, 0, OTHER, 0, 0,
     "1e999", 0},
    {"big", CLEAT_TYPE_NUMBER, OTHER, CLEAT_VALUE_RANGE, 0, 0, OTHER, 0, 92233720368547758080.0,
     "92233720368547758080", 0},
    {"empty", CLEAT_TYPE_STRING, OTHER, OTHER, OTHER, OTHER, 0, 0, 0, "", 0},
    {"short", CLEAT_TYPE_STRING, OTHER, OTHER, OTHER, OTHER, 0, 0, 0, "abc", 0},
    {"text", CLEAT_TYPE_STRING, OTHER, OTHER, OTHER, OTHER, 0, 0, 0, "a longer text", 0},
    {"time", CLEAT_TYPE_STRING, OTHER, OTHER, OTHER, OTHER, 0, 0, 0, "2026-01-31T23:59:59Z", 0},
    {"list", CLEAT_TYPE_ARRAY, OTHER, OTHER, OTHER, OTHER, OTHER, 0, 0, NULL, 3},
    {"none", CLEAT_TYPE_ARRAY, OTHER, OTHER, OTHER, OTHER, OTHER, 0, 0, NULL, 0},
    {"object", CLEAT_TYPE_OBJECT, OTHER, OTHER, OTHER, OTHER, OTHER, 0, 0, NULL, 1},
    {"hollow", CLEAT_TYPE_OBJECT, OTHER, OTHER, OTHER, OTHER, OTHER, 0, 0, NULL, 0},
};

START_TEST(test_getters)
{
    struct both both = both_new(kinds);
    for (size_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
            struct cleat_value value = cleat_value_get(both.roots[side], expected[i].key);
            struct cleat_scratch scratch;
            struct cleat_str text;
            bool flag = false;
            int64_t integer = 0;
            double real = 0;
            ck_assert_msg(cleat_value_type(value) == expected[i].type, "%s", expected[i].key);
            ck_assert_int_eq(cleat_value_is_present(value), expected[i].type != CLEAT_TYPE_ABSENT);
            ck_assert_int_eq(cleat_value_bool(value, &flag), expected[i].as_bool);
            ck_assert_int_eq(flag, strcmp(expected[i].key, "yes") == 0);
            ck_assert_int_eq(cleat_value_is_true(value), flag);
            ck_assert_int_eq(cleat_value_int(value, &integer), expected[i].as_int);
            if (expected[i].as_int == 0)
                ck_assert_int_eq(integer, expected[i].integer);
            ck_assert_int_eq(cleat_value_int_or(value, 77), expected[i].as_int == 0 ? integer : 77);
            ck_assert_int_eq(cleat_value_double(value, &real), expected[i].as_double);
            if (expected[i].as_double == 0)
                ck_assert_double_eq(real, expected[i].real);
            ck_assert_int_eq(cleat_value_number(value, &scratch, &text), expected[i].as_number);
            if (expected[i].as_number == 0)
                ck_assert(cleat_str_is(text, expected[i].text));
            ck_assert_int_eq(cleat_value_str(value, &scratch, &text), expected[i].as_str);
            if (expected[i].as_str == 0)
                ck_assert_str_eq(text.data, expected[i].text);
            ck_assert_uint_eq(cleat_value_text(value, &scratch).length,
                              expected[i].as_str == 0 ? strlen(expected[i].text) : 0);
            ck_assert_uint_eq(cleat_value_count(value), expected[i].count);
        }
    }
    both_free(&both);
}
END_TEST

START_TEST(test_strings_with_nul)
{
    struct both both = both_new(kinds);
    static const struct cleat_str wanted = {"a\0bcd", 5};
    for (size_t side = 0; side < 2; side++) {
        struct cleat_value value = cleat_value_get(both.roots[side], "nul");
        struct cleat_scratch scratch;
        ck_assert(cleat_str_equal(cleat_value_text(value, &scratch), wanted));
        ck_assert(cleat_value_is_str(value, wanted));
        ck_assert(!cleat_value_is(value, "a"));
    }
    both_free(&both);
}
END_TEST

START_TEST(test_children)
{
    struct both both = both_new(kinds);
    for (size_t side = 0; side < 2; side++) {
        struct cleat_value root = both.roots[side], list = cleat_value_get(root, "list");
        ck_assert_int_eq(cleat_value_int_or(cleat_value_at(list, 0), 0), 1);
        ck_assert(cleat_value_is(cleat_value_at(list, 1), "two"));
        ck_assert(!cleat_value_is_present(cleat_value_at(list, 3)));
        ck_assert(!cleat_value_is_present(cleat_value_at(root, 0)));
        ck_assert(!cleat_value_is_present(cleat_value_get(list, "k")));
        ck_assert(!cleat_value_is_present(cleat_value_member(list, 0, NULL)));
        struct cleat_str no_key = {NULL, 7}; /* mustn't stay what it was: lists are counted, too */
        ck_assert(!cleat_value_is_present(cleat_value_member(list, 0, &no_key)));
        ck_assert(cleat_str_is(no_key, ""));
        ck_assert(!cleat_value_is_present(cleat_value_get(root, NULL)));
        ck_assert(!cleat_value_is_present(cleat_value_get(root, "")));
        ck_assert(!cleat_value_is_present(cleat_value_get(CLEAT_VALUE_NONE, "k")));
        ck_assert_uint_eq(cleat_value_count(root), 19);
        for (size_t i = 0; i < cleat_value_count(root); i++) {
            struct cleat_str key;
            struct cleat_value member = cleat_value_member(root, i, &key);
            ck_assert(cleat_value_same(member, cleat_value_get_str(root, key)));
            ck_assert_int_eq(key.data[key.length], 0);
        }
        ck_assert(!cleat_value_is_present(cleat_value_member(root, 19, NULL)));
    }
    both_free(&both);
}
END_TEST

START_TEST(test_not_kept)
{
    struct cleat_heap *pool = NULL;
    ck_assert_int_eq(cleat_pool_new(CLEAT_MIB, &pool), 0);
    struct cleat_value root =
        json_holes(pool, "{\"gone\":\"<dropped>\",\"here\":[\"<dropped>\",1]}");
    struct cleat_value gone = cleat_value_get(root, "gone");
    struct cleat_scratch scratch;
    struct cleat_str text;
    bool flag;
    int64_t integer;
    ck_assert_int_eq(cleat_value_type(gone), CLEAT_TYPE_NOT_KEPT);
    ck_assert(cleat_value_is_present(gone));
    ck_assert_int_eq(cleat_value_bool(gone, &flag), CLEAT_VALUE_NOT_KEPT);
    ck_assert_int_eq(cleat_value_int(gone, &integer), CLEAT_VALUE_NOT_KEPT);
    ck_assert_int_eq(cleat_value_str(gone, &scratch, &text), CLEAT_VALUE_NOT_KEPT);
    ck_assert_int_eq(cleat_value_type(cleat_value_get(gone, "deeper")), CLEAT_TYPE_NOT_KEPT);
    ck_assert_int_eq(cleat_value_type(cleat_value_at(gone, 5)), CLEAT_TYPE_NOT_KEPT);
    ck_assert_int_eq(cleat_value_type(cleat_value_get(root, "absent")), CLEAT_TYPE_ABSENT);
    ck_assert_uint_eq(cleat_value_count(gone), 0);
    ck_assert_uint_eq(cleat_value_count(cleat_value_get(root, "here")), 2);
    struct cleat_document *copy = NULL;
    ck_assert_int_lt(cleat_document_copy(root, &copy, NULL), 0);
    cleat_heap_free(pool);
}
END_TEST

static const struct {
    const char *a, *b;
    bool equal;
} pairs[] = {
    {"{}", "{}", true},
    {"{}", "[]", false},
    {"null", "false", false},
    {"\"1\"", "1", false},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
    {"{\"a\":1,\"b\":2}", "{\"a\":1}", false},
    {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
    {"{\"a\":null}", "{\"b\":null}", false},
    {"[1,2]", "[2,1]", false},
    {"[1,2]", "[1,2,3]", false},
    {"[{\"x\":[1.0]}]", "[{\"x\":[1]}]", true},
    {"[{\"x\":[1.5]}]", "[{\"x\":[1]}]", false},
    {"\"0b7f2b1c-1111-4222-8333-944445555666\"", "\"0b7f2b1c-1111-4222-8333-944445555667\"", false},
    {"\"2026-01-31T23:59:59Z\"", "\"2026-01-31T23:59:59Z\"", true},
    {"{\"k\":\"value of it\"}", "{\"k\":\"value of it\"}", true},
    {"{\"j\":1,\"i\":2,\"h\":3,\"g\":4,\"f\":5,\"e\":6,\"d\":7,\"c\":8,\"b\":9,\"a\":10}",
     "{\"a\":10,\"b\":9,\"c\":8,\"d\":7,\"e\":6,\"f\":5,\"g\":4,\"h\":3,\"i\":2,\"j\":1}", true},
};

START_TEST(test_equality)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct both left = both_new(pairs[i].a), right = both_new(pairs[i].b);
        uint32_t ref = 0;
        for (int l = 0; l < 2; l++) {
            for (int r = 0; r < 2; r++) {
                ck_assert_msg(cleat_value_equal(left.roots[l], right.roots[r]) == pairs[i].equal,
                              "%s, %s", pairs[i].a, pairs[i].b);
                ck_assert(cleat_value_equal(right.roots[r], left.roots[l]) == pairs[i].equal);
            }
        }
        ck_assert_int_eq(cleat_heap_copy(left.pool, right.roots[0], &ref), 0);
        struct cleat_value pooled = {left.pool, ref};
        ck_assert(cleat_value_equal(left.roots[1], pooled) == pairs[i].equal);
        ck_assert(!cleat_value_same(left.roots[1], pooled) || pairs[i].equal);
        both_free(&left);
        both_free(&right);
    }
    ck_assert(cleat_value_equal(CLEAT_VALUE_NONE, CLEAT_VALUE_NONE));
}
END_TEST

START_TEST(test_type_names)
{
    static const char *const names[] = {"absent", "not kept", "null",  "boolean",
                                        "number", "string",   "array", "object"};
    for (int i = 0; i < 8; i++)
        ck_assert_str_eq(cleat_value_type_name((enum cleat_value_type)i), names[i]);
}
END_TEST

CLEAT_SUITE_MAIN("value", test_getters, test_strings_with_nul, test_children, test_not_kept,
                 test_equality, test_type_names)
