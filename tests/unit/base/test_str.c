/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/str.h>

#include "support/suite.h"

START_TEST(test_of_text)
{
    struct cleat_str s = cleat_str_of("abc");
    ck_assert_uint_eq(s.length, 3);
    ck_assert_uint_eq(cleat_str_of(NULL).length, 0);
    ck_assert_uint_eq(CLEAT_STR("a\0b").length, 3);
}
END_TEST

START_TEST(test_equal)
{
    ck_assert(cleat_str_equal(CLEAT_STR("a\0b"), CLEAT_STR("a\0b")));
    ck_assert(!cleat_str_equal(CLEAT_STR("a\0b"), CLEAT_STR("a\0c")));
    ck_assert(!cleat_str_equal(CLEAT_STR("ab"), CLEAT_STR("a")));
    ck_assert(cleat_str_equal(cleat_str_of(NULL), CLEAT_STR("")));
    ck_assert(cleat_str_is(CLEAT_STR("ab"), "ab"));
    ck_assert(!cleat_str_is(CLEAT_STR("a\0b"), "a"));
}
END_TEST

START_TEST(test_compare)
{
    static const struct {
        struct cleat_str a, b;
        int sign;
    } rows[] = {
        {{"", 0}, {NULL, 0}, 0},        {{"a", 1}, {"a", 1}, 0},   {{"a", 1}, {"b", 1}, -1},
        {{"a", 1}, {"aa", 2}, -1},      {{"aa", 2}, {"a", 1}, 1},  {{"\xff", 1}, {"a", 1}, 1},
        {{"a\0b", 3}, {"a\0c", 3}, -1}, {{"b", 1}, {"aaa", 3}, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int order = cleat_str_compare(rows[i].a, rows[i].b);
        ck_assert_msg((order > 0) - (order < 0) == rows[i].sign, "row %zu: %d", i, order);
    }
}
END_TEST

CLEAT_SUITE_MAIN("str", test_of_text, test_equal, test_compare)
