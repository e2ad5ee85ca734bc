/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as Go's time package reads and writes them. */
#include <cleat/time.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/check.h"

#define DURATION_LIMIT ((uint64_t)1 << 63) /* only a negative one may be as long */

struct duration_unit {
    const char *name;
    uint64_t ns;
};

/* Longer names first where one begins the other. */
static const struct duration_unit duration_units[] = {
    {"ns", 1},       {"us", 1000},      {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
    {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000},
};

static bool duration_is_digit(struct cleat_str text)
{
    return text.length > 0 && text.data[0] >= '0' && text.data[0] <= '9';
}

static void duration_skip(struct cleat_str *text, size_t bytes)
{
    text->data += bytes;
    text->length -= bytes;
}

/* The unit at the start of @text, or NULL. */
static const struct duration_unit *duration_unit(struct cleat_str *text)
{
    for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++) {
        struct cleat_str name = cleat_str_of(duration_units[i].name);
        if (text->length < name.length || memcmp(text->data, name.data, name.length) != 0)
            continue;
        /* "m" begins "ms", which stands before it. */
        duration_skip(text, name.length);
        return &duration_units[i];
    }
    return NULL;
}

/* Digits as a whole number; false on overflow beyond 2^63. */
static bool duration_whole(struct cleat_str *text, uint64_t *ret)
{
    *ret = 0;
    for (; duration_is_digit(*text); duration_skip(text, 1)) {
        if (*ret > DURATION_LIMIT / 10)
            return false;
        *ret = *ret * 10 + (uint64_t)(text->data[0] - '0');
        if (*ret > DURATION_LIMIT)
            return false;
    }
    return true;
}

/* Digits of a fraction as numerator and denominator; digits beyond what fits are ignored. */
static void duration_fraction(struct cleat_str *text, uint64_t *ret, double *ret_scale)
{
    bool full = false;
    *ret = 0;
    *ret_scale = 1;
    for (; duration_is_digit(*text); duration_skip(text, 1)) {
        full = full || *ret > (DURATION_LIMIT - 10) / 10;
        if (full)
            continue;
        *ret = *ret * 10 + (uint64_t)(text->data[0] - '0');
        *ret_scale *= 10;
    }
}

/* One number with its unit in nanoseconds. */
static int duration_term(struct cleat_str *text, uint64_t *ret)
{
    uint64_t fraction = 0;
    double scale = 1;
    size_t before = text->length;
    if (!duration_whole(text, ret))
        return -ERANGE;
    size_t digits = before - text->length;
    if (text->length > 0 && text->data[0] == '.') {
        duration_skip(text, 1);
        before = text->length;
        duration_fraction(text, &fraction, &scale);
        digits += before - text->length;
    }
    if (digits == 0)
        return -EINVAL;
    const struct duration_unit *unit = duration_unit(text);
    if (!unit || (text->length > 0 && text->data[0] != '.' && !duration_is_digit(*text)))
        return -EINVAL;
    if (*ret > DURATION_LIMIT / unit->ns)
        return -ERANGE;
    *ret = *ret * unit->ns + (uint64_t)((double)fraction * ((double)unit->ns / scale));
    return *ret > DURATION_LIMIT ? -ERANGE : 0;
}

int cleat_duration_parse(struct cleat_str text, int64_t *ret_ns)
{
    uint64_t sum = 0;
    bool negative = false;
    if (text.length > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        negative = text.data[0] == '-';
        duration_skip(&text, 1);
    }
    if (text.length == 0)
        return -EINVAL;
    if (cleat_str_is(text, "0")) {
        *ret_ns = 0;
        return 0;
    }
    while (text.length > 0) {
        uint64_t term = 0;
        int r = duration_term(&text, &term);
        if (r < 0)
            return r;
        sum += term;
        if (sum > DURATION_LIMIT)
            return -ERANGE;
    }
    if (sum == DURATION_LIMIT && !negative)
        return -ERANGE;
    *ret_ns = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return 0;
}

/* Writes @number / @unit with as many decimals as there are. */
static int duration_write_decimal(uint64_t number, uint64_t unit, char *text, size_t room)
{
    int length = snprintf(text, room, "%" PRIu64, number / unit);
    uint64_t rest = number % unit;
    if (rest > 0)
        text[length++] = '.';
    for (; rest > 0; rest = rest * 10 % unit)
        text[length++] = (char)('0' + rest * 10 / unit);
    text[length] = '\0';
    return length;
}

const char *cleat_duration_write(int64_t ns, char text[CLEAT_TIME_BYTES])
{
    uint64_t left = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    int at = 0;
    if (ns < 0)
        text[at++] = '-';
    if (left > 0 && left < 1000000000) {
        const struct duration_unit *unit = left < 1000      ? &duration_units[0]
                                           : left < 1000000 ? &duration_units[2]
                                                            : &duration_units[4];
        at += duration_write_decimal(left, unit->ns, text + at, (size_t)(CLEAT_TIME_BYTES - at));
        snprintf(text + at, (size_t)(CLEAT_TIME_BYTES - at), "%s", unit->name);
        return text;
    }
    uint64_t minutes = left / 60000000000u;
    if (minutes >= 60)
        at += snprintf(text + at, (size_t)(CLEAT_TIME_BYTES - at), "%" PRIu64 "h", minutes / 60);
    if (minutes > 0)
        at += snprintf(text + at, (size_t)(CLEAT_TIME_BYTES - at), "%" PRIu64 "m", minutes % 60);
    at += duration_write_decimal(left % 60000000000u, 1000000000, text + at,
                                 (size_t)(CLEAT_TIME_BYTES - at));
    cleat_assert(at + 1 < CLEAT_TIME_BYTES);
    text[at++] = 's';
    text[at] = '\0';
    return text;
}
