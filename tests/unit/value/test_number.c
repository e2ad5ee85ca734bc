/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include "support/suite.h"
#include "unit/value/json.h"
#include "value/number.h"

static const struct {
    const char *text;
    bool canonical, exact;
    int64_t value;
} integers[] = {
    {"0", true, true, 0},
    {"-0", false, true, 0},
    {"1", true, true, 1},
    {"-1", true, true, -1},
    {"9223372036854775807", true, true, INT64_MAX},
    {"-9223372036854775808", true, true, INT64_MIN},
    {"9223372036854775808", false, false, 0},
    {"-9223372036854775809", false, false, 0},
    {"99999999999999999999", false, false, 0},
    {"1.0", false, true, 1},
    {"1e0", false, true, 1},
    {"1e3", false, true, 1000},
    {"-25e2", false, true, -2500},
    {"12.5e1", false, true, 125},
    {"120e-1", false, true, 12},
    {"0.0", false, true, 0},
    {"0e999999999999999999999", false, true, 0},
    {"-0.000e-5", false, true, 0},
    {"1.5", false, false, 0},
    {"1e-1", false, false, 0},
    {"1e19", false, false, 0},
    {"9e18", false, true, INT64_C(9000000000000000000)},
    {"9.223372036854775807e18", false, true, INT64_MAX},
    {"9.223372036854775808e18", false, false, 0},
    {"-9.223372036854775808e18", false, true, INT64_MIN},
    {"1e99999999999999999999", false, false, 0},
};

START_TEST(test_integers)
{
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        int64_t value = 77;
        struct cleat_str text = cleat_str_of(integers[i].text);
        ck_assert(cleat__number_valid(text));
        ck_assert_int_eq(cleat__number_canonical(text, &value), integers[i].canonical);
        ck_assert_int_eq(value, integers[i].canonical ? integers[i].value : 77);
        value = 77;
        ck_assert_msg(cleat__number_exact(text, &value) == integers[i].exact, "%s", text.data);
        if (integers[i].exact)
            ck_assert_int_eq(value, integers[i].value);
        if (integers[i].canonical) {
            char written[NUMBER_INT_TEXT_BYTES];
            ck_assert_uint_eq(cleat__number_write(value, written), text.length);
            ck_assert_str_eq(written, text.data);
        }
    }
}
END_TEST

START_TEST(test_wrong)
{
    static const char *const texts[] = {"",   "-",   "+1",   "01",   "-01", "1.",
                                        ".1", "1e",  "1e+",  "0x1",  "1 ",  " 1",
                                        "1a", "--1", "1.e1", "1e1.", "NaN", "1,2"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_msg(!cleat__number_valid(cleat_str_of(texts[i])), "%s", texts[i]);
}
END_TEST

static const struct {
    const char *a, *b;
    bool equal;
} pairs[] = {
    {"1", "1.0", true},
    {"1", "1e0", true},
    {"1.0", "10e-1", true},
    {"100", "1e2", true},
    {"0", "-0", true},
    {"0", "0e5", true},
    {"0.00", "-0.0e-9", true},
    {"1", "-1", false},
    {"1", "1.1", false},
    {"10", "1", false},
    {"0.1", "1e-1", true},
    {"0.10", "0.1000", true},
    {"123456789012345678901234567890", "123456789012345678901234567890.0", true},
    {"123456789012345678901234567890", "123456789012345678901234567891", false},
    {"1e400", "10e399", true},
    {"1e400", "1e401", false},
    {"1e-400", "0", false},
    {"1e99999999999999999999", "1e99999999999999999999", true},
    {"1e99999999999999999999", "10e99999999999999999998",
     false}, /* beyond reckoning: by text alone */
    {"12e1", "1.2e2", true},
    {"9223372036854775808", "9223372036854775807", false},
};

START_TEST(test_equal)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct cleat_str a = cleat_str_of(pairs[i].a), b = cleat_str_of(pairs[i].b);
        ck_assert_msg(cleat__number_equal(a, b) == pairs[i].equal, "%s and %s", a.data, b.data);
        ck_assert_msg(cleat__number_equal(b, a) == pairs[i].equal, "%s and %s", b.data, a.data);
        ck_assert(cleat__number_equal(a, a));
    }
}
END_TEST

/* The comparison of values agrees, within one pool as between heaps. */
START_TEST(test_equal_values)
{
    struct cleat_heap *pool = NULL;
    ck_assert_int_eq(cleat_pool_new(CLEAT_MIB, &pool), 0);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[2][256];
        struct cleat_value values[2];
        struct cleat_document *documents[2];
        snprintf(text[0], sizeof(text[0]), "{\"a\":[\"a string\",%s]}", pairs[i].a);
        snprintf(text[1], sizeof(text[1]), "{\"a\":[\"a string\",%s]}", pairs[i].b);
        for (int side = 0; side < 2; side++) {
            documents[side] = json_document(text[side]);
            values[side] = (struct cleat_value){pool, 0};
            ck_assert_int_eq(
                cleat_heap_copy(pool, cleat_document_root(documents[side]), &values[side].ref), 0);
        }
        bool equal = pairs[i].equal;
        ck_assert_msg(cleat_value_equal(values[0], values[1]) == equal, "%s, %s", text[0], text[1]);
        ck_assert(cleat_value_equal(values[0], cleat_document_root(documents[1])) == equal);
        ck_assert(cleat_value_equal(cleat_document_root(documents[0]),
                                    cleat_document_root(documents[1])) == equal);
        cleat_document_unref(documents[0]);
        cleat_document_unref(documents[1]);
    }
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_double)
{
    double value = 0;
    (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* where there is one, its comma must not matter */
    ck_assert(cleat__number_double("1.5", &value) && value == 1.5);
    ck_assert(cleat__number_double("-2.5e-3", &value) && value == -2.5e-3);
    ck_assert(cleat__number_double("1e-999", &value) && value == 0);
    value = 7;
    ck_assert(!cleat__number_double("1e999", &value) && value == 7);
    ck_assert(!cleat__number_double("-1e999", &value) && value == 7);
}
END_TEST

CLEAT_SUITE_MAIN("number", test_integers, test_wrong, test_equal, test_equal_values, test_double)
