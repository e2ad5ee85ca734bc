/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The year is counted from 1 March, so that the leap day is its last and the months before a day
 * follow one line, (153 m + 2) / 5. 400 years are 146097 days.
 */
#include "base/civil.h"

#include <stdio.h>

#define CIVIL_DAYS_OF_ERA 146097
#define CIVIL_DAYS_TO_1970 719468 /* from 0000-03-01 */
#define CIVIL_DAY_MS INT64_C(86400000)

static int64_t civil_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool cleat_civil_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int cleat_civil_month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && cleat_civil_is_leap(year));
}

int64_t cleat_civil_days(int64_t year, int month, int day)
{
    int64_t march_year = month <= 2 ? year - 1 : year;
    int64_t era = civil_floor_div(march_year, 400);
    int64_t year_of_era = march_year - era * 400;
    int64_t march_month = month <= 2 ? month + 9 : month - 3;
    int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * CIVIL_DAYS_OF_ERA + day_of_era - CIVIL_DAYS_TO_1970;
}

void cleat_civil_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t shifted = days + CIVIL_DAYS_TO_1970;
    int64_t era = civil_floor_div(shifted, CIVIL_DAYS_OF_ERA);
    int64_t day_of_era = shifted - era * CIVIL_DAYS_OF_ERA;
    /* Takes out the leap days before the day: one per 4 years, none per 100, one per 400. */
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *ret_month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *ret_year = era * 400 + year_of_era + (*ret_month <= 2);
}

struct cleat_civil cleat_civil_of_unix_ms(int64_t unix_ms)
{
    struct cleat_civil civil = {0};
    int64_t days = civil_floor_div(unix_ms, CIVIL_DAY_MS);
    int rest = (int)(unix_ms - days * CIVIL_DAY_MS);
    cleat_civil_of_days(days, &civil.year, &civil.month, &civil.day);
    civil.millisecond = rest % 1000;
    civil.second = rest / 1000 % 60;
    civil.minute = rest / 60000 % 60;
    civil.hour = rest / 3600000;
    return civil;
}

int64_t cleat_civil_unix_ms(const struct cleat_civil *civil)
{
    int64_t day_ms = ((civil->hour * 60 + civil->minute) * INT64_C(60) + civil->second) * 1000;
    return cleat_civil_days(civil->year, civil->month, civil->day) * CIVIL_DAY_MS + day_ms +
           civil->millisecond;
}

const char *cleat_civil_text(int64_t unix_ms, char text[CLEAT_CIVIL_TEXT_BYTES])
{
    struct cleat_civil c = cleat_civil_of_unix_ms(unix_ms);
    (void)snprintf(text, CLEAT_CIVIL_TEXT_BYTES, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ",
                   (long long)c.year, c.month, c.day, c.hour, c.minute, c.second, c.millisecond);
    return text;
}
