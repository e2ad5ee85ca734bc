/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/quantity.h>
#include <errno.h>
#include <string.h>

#include "support/suite.h"

static struct cleat_quantity quantity(const char *text)
{
    struct cleat_quantity quantity = {0};
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_quantity_parse(cleat_str_of(text), &quantity, &err);
    ck_assert_msg(r == 0, "%s: %s", text, err.text);
    return quantity;
}

START_TEST(test_canonical)
{
    static const char *const cases[][2] = {
        {"0", "0"},
        {"0Ki", "0"},
        {"-0", "0"},
        {"1", "1"},
        {"+1", "1"},
        {"100m", "100m"},
        {"0.1", "100m"},
        {".5", "500m"},
        {"5.", "5"},
        {"1000m", "1"},
        {"1500m", "1500m"},
        {"1000", "1k"},
        {"1001", "1001"},
        {"1000000", "1M"},
        {"0.001", "1m"},
        {"1u", "1u"},
        {"1n", "1n"},
        {"0.1n", "1n"},
        {"1.1n", "2n"},
        {"-1.1n", "-2n"},
        {"0.0000000001", "1n"},
        {"1Ki", "1Ki"},
        {"1024", "1024"},
        {"1024Ki", "1Mi"},
        {"1.5Gi", "1536Mi"},
        {"0.5Ki", "512"},
        {"0.1Ki", "102400m"},
        {"1.1Ki", "1126400m"},
        {"1023.5Ki", "1048064"},
        {"1025Ki", "1025Ki"},
        {"1Ei", "1Ei"},
        {"7Ei", "7Ei"},
        {"8Ei", "9223372036854775807"},
        {"9E", "9E"},
        {"10E", "9223372036854775807"},
        {"-10E", "-9223372036854775807"},
        {"1e3", "1e3"},
        {"2E3", "2e3"},
        {"1.5e3", "1500"},
        {"12e-3", "12e-3"},
        {"1e-10", "1e-9"},
        {"1e100", "9223372036854775807"},
        {"1e-100", "1e-9"},
        {"1e2", "100"},
        {"1000000000000000000.000000001", "1000000000000000000000000001n"},
        {"123456789012345678901234567890", "9223372036854775807"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        struct cleat_quantity read = quantity(cases[i][0]);
        cleat_quantity_write(&read, text);
        ck_assert_msg(strcmp(text, cases[i][1]) == 0, "%s is written %s instead of %s", cases[i][0],
                      text, cases[i][1]);
        /* What was written is the same number. */
        struct cleat_quantity again = quantity(text);
        ck_assert_int_eq(cleat_quantity_compare(&read, &again), 0);
    }
}
END_TEST

START_TEST(test_wrong)
{
    static const char *const wrong[] = {
        "",     " ",    "a",    "1.2.3", "1 ", " 1", "1K",  "1ki", "1Mb", "1e",
        "1e+",  "1e1.", "--1",  "+-1",   ".",  "-",  "1m1", "Ki",  "1kk", "1e99999999999",
        "1Ei1", "1,5",  "0x10", "1_000", "1mi"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cleat_quantity read;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(cleat_quantity_parse(cleat_str_of(wrong[i]), &read, &err) == -EINVAL,
                      "took \"%s\"", wrong[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "quantity"));
    }
}
END_TEST

START_TEST(test_compare)
{
    /* From the smallest on. */
    static const char *const order[] = {"-1Ki", "-1k", "-1", "-1n", "0",   "1n",  "1m",
                                        "999m", "1",   "1k", "1Ki", "1e6", "1Mi", "1Ei"};
    size_t count = sizeof(order) / sizeof(order[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct cleat_quantity a = quantity(order[i]), b = quantity(order[j]);
            ck_assert_int_eq(cleat_quantity_compare(&a, &b), (i > j) - (i < j));
        }
    }
    struct cleat_quantity a = quantity("1024Mi"), b = quantity("1Gi");
    ck_assert_int_eq(cleat_quantity_compare(&a, &b), 0);
}
END_TEST

START_TEST(test_add)
{
    char text[64];
    struct cleat_quantity sum = quantity("0");
    struct cleat_quantity term = quantity("1.5Gi");
    cleat_quantity_add(&sum, &term);
    ck_assert_str_eq(cleat_quantity_write(&sum, text), "1536Mi");
    term = quantity("-512Mi");
    cleat_quantity_add(&sum, &term);
    ck_assert_str_eq(cleat_quantity_write(&sum, text), "1Gi");
    term = quantity("7Ei");
    cleat_quantity_add(&sum, &term);
    cleat_quantity_add(&sum, &term);
    ck_assert_str_eq(cleat_quantity_write(&sum, text), "9223372036854775807");
}
END_TEST

START_TEST(test_long)
{
    char text[400];
    struct cleat_quantity read;
    memset(text, '1', sizeof(text));
    ck_assert_int_eq(cleat_quantity_parse((struct cleat_str){text, 400}, &read, NULL), -EINVAL);
    ck_assert_int_eq(cleat_quantity_parse((struct cleat_str){text, 250}, &read, NULL), 0);
    ck_assert_str_eq(cleat_quantity_write(&read, text), "9223372036854775807");
}
END_TEST

CLEAT_SUITE_MAIN("quantity", test_canonical, test_wrong, test_compare, test_add, test_long)
