/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates of the proleptic Gregorian calendar in UTC, by arithmetic alone: no time zone data, no libc
 * state, the same everywhere. Unix time has no leap seconds, and so there are none here.
 */
#ifndef CLEAT_BASE_CIVIL_H
#define CLEAT_BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

struct cleat_civil {
    int64_t year;    /* astronomical: 0 is 1 BC */
    int month;       /* 1 to 12 */
    int day;         /* 1 to 31 */
    int hour;        /* 0 to 23 */
    int minute;      /* 0 to 59 */
    int second;      /* 0 to 59 */
    int millisecond; /* 0 to 999 */
};

/** Bytes of cleat_civil_text's result with its NUL. */
#define CLEAT_CIVIL_TEXT_BYTES 32

/** True in years with a 29 February. */
bool cleat_civil_is_leap(int64_t year);
/** Days of @month (1 to 12) in @year. */
int cleat_civil_month_days(int64_t year, int month);
/** Days from 1970-01-01 to the date; negative before it. @year within ±10^9; the date is a valid
 * one. */
int64_t cleat_civil_days(int64_t year, int month, int day);
/** The date that is @days after 1970-01-01. @days within ±10^11. */
void cleat_civil_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);
/** Date and time of a Unix time in milliseconds. */
struct cleat_civil cleat_civil_of_unix_ms(int64_t unix_ms);
/** Unix time in milliseconds of a valid date and time. */
int64_t cleat_civil_unix_ms(const struct cleat_civil *civil);
/** RFC 3339 text with milliseconds, as 2026-01-31T23:59:59.999Z. Returns @text. */
const char *cleat_civil_text(int64_t unix_ms, char text[CLEAT_CIVIL_TEXT_BYTES]);

#endif
