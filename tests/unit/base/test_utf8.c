/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <string.h>

#include "support/suite.h"

START_TEST(test_length)
{
    static const struct {
        const char *bytes;
        size_t length, expected;
    } rows[] = {
        {"", 0, 0},
        {"a", 1, 1},
        {"\0", 1, 1},
        {"\x7f", 1, 1},
        {"\x80", 1, 0},     /* a continuation alone */
        {"\xc1\xbf", 2, 0}, /* overlong */
        {"\xc2\x80", 2, 2},
        {"\xc2", 1, 0}, /* cut short */
        {"\xc2\x41", 2, 0},
        {"\xdf\xbf", 2, 2},
        {"\xe0\x9f\xbf", 3, 0}, /* overlong */
        {"\xe0\xa0\x80", 3, 3},
        {"\xed\x9f\xbf", 3, 3},
        {"\xed\xa0\x80", 3, 0}, /* a surrogate */
        {"\xef\xbf\xbf", 3, 3},
        {"\xef\xbf", 2, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xf4\x90\x80\x80", 4, 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff", 1, 0},
        {"\xf0\x9f\x98\x80zz", 6, 4},
        {"\xf0\x9f\x98z", 4, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(cleat_utf8_length(rows[i].bytes, rows[i].length) == rows[i].expected,
                      "row %zu", i);
    }
}
END_TEST

/* Each code point is one well-formed character and nothing else of its length is. */
START_TEST(test_every_code_point)
{
    size_t two = 0, three = 0;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            char bytes[3] = {(char)a, (char)b, 0};
            two += cleat_utf8_length(bytes, 2) == 2;
            for (unsigned c = 0x7f; c <= 0xc0; c++) {
                bytes[2] = (char)c;
                three += cleat_utf8_length(bytes, 3) == 3;
            }
        }
    }
    ck_assert_uint_eq(two, 0x800 - 0x80);
    ck_assert_uint_eq(three, 0x10000 - 0x800 - 0x800);
}
END_TEST

START_TEST(test_valid)
{
    ck_assert(cleat_utf8_valid(CLEAT_STR("")));
    ck_assert(cleat_utf8_valid(CLEAT_STR("na\xc3\xafve \xe2\x82\xac")));
    ck_assert(!cleat_utf8_valid(CLEAT_STR("na\xc3")));
}
END_TEST

START_TEST(test_cut)
{
    struct cleat_str euro = CLEAT_STR("a\xe2\x82\xac"
                                      "b");
    static const size_t expected[] = {0, 1, 1, 1, 4, 5, 5};
    for (size_t max = 0; max < sizeof(expected) / sizeof(expected[0]); max++)
        ck_assert_uint_eq(cleat_utf8_cut(euro, max), expected[max]);
    struct cleat_str smile = CLEAT_STR("\xf0\x9f\x98\x80");
    for (size_t max = 0; max < 4; max++)
        ck_assert_uint_eq(cleat_utf8_cut(smile, max), 0);
    ck_assert_uint_eq(cleat_utf8_cut(CLEAT_STR("\x80\x80\x80\x80\x80\x80"), 4), 4);
}
END_TEST

START_TEST(test_escape)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *out;
        size_t covers;
    } rows[] = {
        {"a", 1, "", 1},
        {"\n", 1, "\\n", 1},
        {"\r", 1, "\\r", 1},
        {"\t", 1, "\\t", 1},
        {"\0", 1, "\\x00", 1},
        {"\x1f", 1, "\\x1f", 1},
        {"\x7f", 1, "\\x7f", 1},
        {"\x80", 1, "\\x80", 1},
        {"\xc2\x80", 2, "\\u0080", 2},
        {"\xc2\x9f", 2, "\\u009f", 2},
        {"\xc2\xa0", 2, "", 2},
        {"\xe2\x82\xac", 3, "", 3},
        {"\xe2\x82", 2, "\\xe2", 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[8];
        ck_assert_uint_eq(cleat_utf8_escape(rows[i].bytes, rows[i].length, out), rows[i].covers);
        ck_assert_str_eq(out, rows[i].out);
    }
}
END_TEST

CLEAT_SUITE_MAIN("utf8", test_length, test_every_code_point, test_valid, test_cut, test_escape)
