/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/time.h>
#include <errno.h>
#include <stdint.h>

#include "support/suite.h"

START_TEST(test_write)
{
    static const struct {
        int64_t unix_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {1136214245999, "2006-01-02T15:04:05Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {4107542399000, "2100-02-28T23:59:59Z"},
        {253402300799000, "9999-12-31T23:59:59Z"},
        {INT64_MAX, "9999-12-31T23:59:59Z"},
        {INT64_MIN, "0000-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CLEAT_TIME_BYTES];
        ck_assert_str_eq(cleat_time_write(cases[i].unix_ms, text), cases[i].text);
    }
}
END_TEST

START_TEST(test_write_micro)
{
    char text[CLEAT_TIME_BYTES];
    ck_assert_str_eq(cleat_time_write_micro(1136214245000001, text), "2006-01-02T15:04:05.000001Z");
    ck_assert_str_eq(cleat_time_write_micro(-1, text), "1969-12-31T23:59:59.999999Z");
    ck_assert_str_eq(cleat_time_write_micro(0, text), "1970-01-01T00:00:00.000000Z");
}
END_TEST

START_TEST(test_parse)
{
    static const struct {
        const char *text;
        int64_t unix_us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2006-01-02T15:04:05Z", 1136214245000000},
        {"2006-01-02T15:04:05.000000Z", 1136214245000000},
        {"2006-01-02T15:04:05.1Z", 1136214245100000},
        {"2006-01-02T15:04:05.123456789Z", 1136214245123456},
        {"2006-01-02T17:34:05+02:30", 1136214245000000},
        {"2006-01-02T08:04:05-07:00", 1136214245000000},
        {"2000-02-29T00:00:00Z", 951782400000000},
        {"0000-01-01T00:00:00Z", -62167219200000000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t unix_us = 1;
        ck_assert_int_eq(cleat_time_parse(cleat_str_of(cases[i].text), &unix_us), 0);
        ck_assert_int_eq(unix_us, cases[i].unix_us);
    }
}
END_TEST

START_TEST(test_parse_wrong)
{
    static const char *const wrong[] = {
        "",
        "2006-01-02",
        "2006-01-02 15:04:05Z",
        "2006-01-02T15:04:05",
        "2006-01-02T15:04Z",
        "2006-01-02T15:04:05Zx",
        "2006-01-02T15:04:05z",
        "2006-01-02t15:04:05Z",
        "2006-00-02T15:04:05Z",
        "2006-13-02T15:04:05Z",
        "2006-01-00T15:04:05Z",
        "2006-01-32T15:04:05Z",
        "2006-04-31T15:04:05Z",
        "2006-02-29T15:04:05Z",
        "1900-02-29T15:04:05Z",
        "2006-01-02T24:04:05Z",
        "2006-01-02T15:60:05Z",
        "2006-01-02T15:04:60Z",
        "2006-01-02T15:04:05.Z",
        "2006-01-02T15:04:05,1Z",
        "2006-01-02T15:04:05+2:00",
        "2006-01-02T15:04:05+0200",
        "2006-01-02T15:04:05+24:00",
        "06-01-02T15:04:05Z",
        "-006-01-02T15:04:05Z",
        "2006-1-02T15:04:05Z",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t unix_us = 7;
        ck_assert_msg(cleat_time_parse(cleat_str_of(wrong[i]), &unix_us) == -EINVAL, "took \"%s\"",
                      wrong[i]);
        ck_assert_int_eq(unix_us, 7);
    }
}
END_TEST

START_TEST(test_round_trip)
{
    /* A prime step lands on all months, days and hours. */
    for (int64_t s = -62167219200; s < 253402300799; s += 1234567891) {
        char text[CLEAT_TIME_BYTES];
        int64_t unix_us = 0;
        cleat_time_write_micro(s * 1000000 + 42, text);
        ck_assert_int_eq(cleat_time_parse(cleat_str_of(text), &unix_us), 0);
        ck_assert_int_eq(unix_us, s * 1000000 + 42);
    }
}
END_TEST

CLEAT_SUITE_MAIN("time", test_write, test_write_micro, test_parse, test_parse_wrong,
                 test_round_trip)
