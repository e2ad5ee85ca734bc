/* SPDX-License-Identifier: Apache-2.0 */
#include "base/civil.h"

#include "support/suite.h"

START_TEST(test_known_dates)
{
    static const struct {
        int64_t year;
        int month, day;
        int64_t days;
    } rows[] = {
        {1970, 1, 1, 0},     {1969, 12, 31, -1},  {1970, 3, 1, 59},        {2000, 2, 29, 11016},
        {2000, 3, 1, 11017}, {2026, 1, 2, 20455}, {1600, 1, 1, -135140},   {1, 1, 1, -719162},
        {0, 3, 1, -719468},  {0, 2, 29, -719469}, {9999, 12, 31, 2932896}, {2038, 1, 19, 24855},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t year = 0;
        int month = 0, day = 0;
        ck_assert_int_eq(cleat_civil_days(rows[i].year, rows[i].month, rows[i].day), rows[i].days);
        cleat_civil_of_days(rows[i].days, &year, &month, &day);
        ck_assert_int_eq(year, rows[i].year);
        ck_assert_int_eq(month, rows[i].month);
        ck_assert_int_eq(day, rows[i].day);
    }
}
END_TEST

/* Walks 900 years day by day beside a calendar that only knows how long months are. */
START_TEST(test_every_day)
{
    int64_t year = 1500;
    int month = 1, day = 1;
    int64_t days = cleat_civil_days(year, month, day);
    for (int i = 0; i < 900 * 366; i++, days++) {
        int64_t y = 0;
        int m = 0, d = 0;
        cleat_civil_of_days(days, &y, &m, &d);
        ck_assert(y == year && m == month && d == day);
        ck_assert(cleat_civil_days(y, m, d) == days);
        if (++day > cleat_civil_month_days(year, month)) {
            day = 1;
            month = month == 12 ? 1 : month + 1;
            year += month == 1;
        }
    }
}
END_TEST

START_TEST(test_leap_years)
{
    ck_assert(cleat_civil_is_leap(2000));
    ck_assert(cleat_civil_is_leap(2024));
    ck_assert(cleat_civil_is_leap(0));
    ck_assert(!cleat_civil_is_leap(1900));
    ck_assert(!cleat_civil_is_leap(2026));
    ck_assert_int_eq(cleat_civil_month_days(2024, 2), 29);
    ck_assert_int_eq(cleat_civil_month_days(2026, 2), 28);
    ck_assert_int_eq(cleat_civil_month_days(2026, 12), 31);
}
END_TEST

START_TEST(test_times)
{
    static const int64_t times[] = {0, 1, -1, 1767323045678, -62135596800000, 253402300799999};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct cleat_civil civil = cleat_civil_of_unix_ms(times[i]);
        ck_assert_int_eq(cleat_civil_unix_ms(&civil), times[i]);
    }
    struct cleat_civil before = cleat_civil_of_unix_ms(-1);
    ck_assert_int_eq(before.year, 1969);
    ck_assert_int_eq(before.hour, 23);
    ck_assert_int_eq(before.second, 59);
    ck_assert_int_eq(before.millisecond, 999);
}
END_TEST

START_TEST(test_text)
{
    static const struct {
        int64_t unix_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1767323045678, "2026-01-02T03:04:05.678Z"},
        {-62135596800000, "0001-01-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[CLEAT_CIVIL_TEXT_BYTES];
        ck_assert_str_eq(cleat_civil_text(rows[i].unix_ms, text), rows[i].text);
    }
}
END_TEST

CLEAT_SUITE_MAIN("civil", test_known_dates, test_every_day, test_leap_years, test_times, test_text)
