/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates are computed on the proleptic Gregorian calendar by counting days from 1 March of year 0,
 * so that leap days come last in a year; no libc calendar is involved.
 */
#include <cleat/time.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/check.h"
#include "base/civil.h"

#define TIME_DAY_S 86400
#define TIME_SECOND_US 1000000
#define TIME_YEAR_0_S (-62167219200)    /* 0000-01-01T00:00:00Z */
#define TIME_YEAR_9999_S (253402300799) /* 9999-12-31T23:59:59Z */

struct time_date {
    int year;
    int month;
    int day;
};

static int64_t time_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Writes the seconds without a zone; beyond years 0–9999 the nearest that can be written. */
static int time_write_seconds(int64_t unix_s, char text[CLEAT_TIME_BYTES])
{
    if (unix_s < TIME_YEAR_0_S)
        unix_s = TIME_YEAR_0_S;
    if (unix_s > TIME_YEAR_9999_S)
        unix_s = TIME_YEAR_9999_S;
    struct cleat_civil civil = cleat_civil_of_unix_ms(unix_s * 1000);
    int length = snprintf(text, CLEAT_TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d", (int)civil.year,
                          civil.month, civil.day, civil.hour, civil.minute, civil.second);
    cleat_assert(length == 19);
    return length;
}

const char *cleat_time_write(int64_t unix_ms, char text[CLEAT_TIME_BYTES])
{
    int length = time_write_seconds(time_floor_div(unix_ms, 1000), text);
    text[length] = 'Z';
    text[length + 1] = '\0';
    return text;
}

const char *cleat_time_write_micro(int64_t unix_us, char text[CLEAT_TIME_BYTES])
{
    int64_t seconds = time_floor_div(unix_us, TIME_SECOND_US);
    int length = time_write_seconds(seconds, text);
    snprintf(text + length, (size_t)(CLEAT_TIME_BYTES - length), ".%06dZ",
             (int)(unix_us - seconds * TIME_SECOND_US));
    return text;
}

/* Reads exactly @digits digits at *@at and moves on. -1 where they aren't there. */
static int time_digits(struct cleat_str text, size_t *at, int digits)
{
    int number = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (*at >= text.length || text.data[*at] < '0' || text.data[*at] > '9')
            return -1;
        number = number * 10 + (text.data[*at] - '0');
    }
    return number;
}

static bool time_byte(struct cleat_str text, size_t *at, char byte)
{
    if (*at >= text.length || text.data[*at] != byte)
        return false;
    (*at)++;
    return true;
}

static bool time_parse_date(struct cleat_str text, size_t *at, struct time_date *ret)
{
    ret->year = time_digits(text, at, 4);
    if (ret->year < 0 || !time_byte(text, at, '-'))
        return false;
    ret->month = time_digits(text, at, 2);
    if (ret->month < 1 || ret->month > 12 || !time_byte(text, at, '-'))
        return false;
    ret->day = time_digits(text, at, 2);
    return ret->day >= 1 && ret->day <= cleat_civil_month_days(ret->year, ret->month);
}

/* "15:04:05", or "15:04" where !@with_seconds, as seconds; -1. */
static int time_parse_clock(struct cleat_str text, size_t *at, bool with_seconds)
{
    int hour = time_digits(text, at, 2);
    if (hour < 0 || hour > 23 || !time_byte(text, at, ':'))
        return -1;
    int minute = time_digits(text, at, 2);
    if (minute < 0 || minute > 59)
        return -1;
    if (!with_seconds)
        return hour * 3600 + minute * 60;
    if (!time_byte(text, at, ':'))
        return -1;
    int second = time_digits(text, at, 2);
    return second < 0 || second > 59 ? -1 : hour * 3600 + minute * 60 + second;
}

/* ".123…" as microseconds, what is finer is cut; 0 where there is none; -1. */
static int time_parse_fraction(struct cleat_str text, size_t *at)
{
    if (!time_byte(text, at, '.'))
        return 0;
    int micro = 0;
    size_t start = *at;
    for (; *at < text.length && text.data[*at] >= '0' && text.data[*at] <= '9'; (*at)++)
        if (*at - start < 6)
            micro = micro * 10 + (text.data[*at] - '0');
    if (*at == start)
        return -1;
    for (size_t digits = *at - start; digits < 6; digits++)
        micro *= 10;
    return micro;
}

/* "Z" or "+01:00" as seconds east. */
static bool time_parse_zone(struct cleat_str text, size_t *at, int *ret)
{
    *ret = 0;
    if (time_byte(text, at, 'Z'))
        return true;
    bool west = time_byte(text, at, '-');
    if (!west && !time_byte(text, at, '+'))
        return false;
    int offset = time_parse_clock(text, at, false);
    *ret = west ? -offset : offset;
    return offset >= 0;
}

int cleat_time_parse(struct cleat_str text, int64_t *ret_unix_us)
{
    size_t at = 0;
    struct time_date date;
    int offset = 0;
    if (!time_parse_date(text, &at, &date) || !time_byte(text, &at, 'T'))
        return -EINVAL;
    int seconds = time_parse_clock(text, &at, true);
    if (seconds < 0)
        return -EINVAL;
    int micro = time_parse_fraction(text, &at);
    if (micro < 0 || !time_parse_zone(text, &at, &offset) || at != text.length)
        return -EINVAL;
    *ret_unix_us =
        (cleat_civil_days(date.year, date.month, date.day) * TIME_DAY_S + seconds - offset) *
            TIME_SECOND_US +
        micro;
    return 0;
}
