/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/time.h>
#include <errno.h>
#include <stdint.h>

#include "support/suite.h"

#define SECOND ((int64_t)1000000000)

static const struct {
    const char *text;
    int64_t ns;
    const char *written; /* NULL: as @text */
} cases[] = {
    {"0", 0, "0s"},
    {"-0", 0, "0s"},
    {"0s", 0, NULL},
    {"1ns", 1, NULL},
    {"1.5us", 1500, "1.5\xc2\xb5s"},
    {"2\xc2\xb5s", 2000, NULL},
    {"2\xce\xbcs", 2000, "2\xc2\xb5s"},
    {"500ms", 500000000, NULL},
    {"1s", SECOND, NULL},
    {"-2s", -2 * SECOND, NULL},
    {"+2s", 2 * SECOND, "2s"},
    {"1.5s", 3 * SECOND / 2, NULL},
    {"1.s", SECOND, "1s"},
    {".5s", SECOND / 2, "500ms"},
    {"90s", 90 * SECOND, "1m30s"},
    {"1h30m", 5400 * SECOND, "1h30m0s"},
    {"10h", 36000 * SECOND, "10h0m0s"},
    {"30m1h", 5400 * SECOND, "1h30m0s"},
    {"1m0.000000001s", 60 * SECOND + 1, "1m0.000000001s"},
    {"0.1000000000000000000001h", 360 * SECOND, "6m0s"},
    {"9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s"},
    {"-9223372036854775808ns", INT64_MIN, "-2562047h47m16.854775808s"},
};

START_TEST(test_parse_and_write)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CLEAT_TIME_BYTES];
        int64_t ns = 1234;
        ck_assert_msg(cleat_duration_parse(cleat_str_of(cases[i].text), &ns) == 0, "%s",
                      cases[i].text);
        ck_assert_msg(ns == cases[i].ns, "%s is %lld", cases[i].text, (long long)ns);
        ck_assert_str_eq(cleat_duration_write(ns, text),
                         cases[i].written ? cases[i].written : cases[i].text);
    }
}
END_TEST

START_TEST(test_wrong)
{
    static const struct {
        const char *text;
        int code;
    } wrong[] = {
        {"", -EINVAL},
        {"-", -EINVAL},
        {"3", -EINVAL},
        {"s", -EINVAL},
        {".s", -EINVAL},
        {"1 s", -EINVAL},
        {"1d", -EINVAL},
        {"1S", -EINVAL},
        {"1ss", -EINVAL},
        {"1msx", -EINVAL},
        {"--1s", -EINVAL},
        {"1s-1s", -EINVAL},
        {"1e3s", -EINVAL},
        {"9223372036854775808ns", -ERANGE},
        {"99999999999999999999s", -ERANGE},
        {"9223372037s", -ERANGE},
        {"-9223372036854775809ns", -ERANGE},
        {"2562047h48m", -ERANGE},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t ns = 7;
        int r = cleat_duration_parse(cleat_str_of(wrong[i].text), &ns);
        ck_assert_msg(r == wrong[i].code, "\"%s\" gave %d", wrong[i].text, r);
        ck_assert_int_eq(ns, 7);
    }
}
END_TEST

START_TEST(test_round_trip)
{
    uint64_t state = 42;
    for (int i = 0; i < 20000; i++) {
        char text[CLEAT_TIME_BYTES];
        int64_t ns = 0, again = 0;
        state = state * 6364136223846793005u + 1442695040888963407u;
        ns = (int64_t)(state >> (i % 60));
        if (i & 1)
            ns = -ns;
        /* Beyond 2^53 ns of a fraction Go's reader rounds; seconds of a duration stay below. */
        ck_assert_int_eq(cleat_duration_parse(cleat_str_of(cleat_duration_write(ns, text)), &again),
                         0);
        ck_assert_int_eq(again, ns);
    }
}
END_TEST

CLEAT_SUITE_MAIN("duration", test_parse_and_write, test_wrong, test_round_trip)
