/* SPDX-License-Identifier: Apache-2.0 */
#include "value/number.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

static bool digit_is(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_skip(struct cleat_str text, size_t at)
{
    while (at < text.length && digit_is(text.data[at]))
        at++;
    return at;
}

/* The parts of a JSON number, as offsets into its text. */
struct number_parts {
    bool negative;
    size_t whole;    /* first digit */
    size_t point;    /* end of the whole digits */
    size_t fraction; /* first digit behind the point; = end of the fraction where there is none */
    size_t end;      /* end of the fraction's digits */
    size_t exponent; /* first byte behind the 'e'; = length where there is none */
};

static bool number_split(struct cleat_str text, struct number_parts *ret)
{
    struct number_parts parts = {0};
    size_t at = 0;
    parts.negative = at < text.length && text.data[at] == '-';
    at += parts.negative;
    parts.whole = at;
    at = digits_skip(text, at);
    if (at == parts.whole || (text.data[parts.whole] == '0' && at > parts.whole + 1))
        return false;
    parts.point = parts.fraction = at;
    if (at < text.length && text.data[at] == '.') {
        parts.fraction = ++at;
        at = digits_skip(text, at);
        if (at == parts.fraction)
            return false;
    }
    parts.end = at;
    parts.exponent = text.length;
    if (at < text.length && (text.data[at] == 'e' || text.data[at] == 'E')) {
        parts.exponent = ++at;
        at += at < text.length && (text.data[at] == '+' || text.data[at] == '-');
        size_t first = at;
        at = digits_skip(text, at);
        if (at == first)
            return false;
    }
    *ret = parts;
    return at == text.length;
}

bool cleat__number_valid(struct cleat_str text)
{
    struct number_parts parts;
    return number_split(text, &parts);
}

bool cleat__number_canonical(struct cleat_str text, int64_t *ret)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    size_t at = negative;
    size_t digits = text.length - at;
    if (digits == 0 || digits > 19 || !digit_is(text.data[at]))
        return false;
    if (text.data[at] == '0' && (digits > 1 || negative))
        return false;
    uint64_t sum = 0; /* 19 digits fit */
    for (; at < text.length; at++) {
        if (!digit_is(text.data[at]))
            return false;
        sum = sum * 10 + (uint64_t)(text.data[at] - '0');
    }
    if (sum > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

/*
 * A number in normal form: the digits first..last without zeros at either end, as if written
 * "0.d1d2d3…", times ten to @scale. Zero has no digits.
 */
struct number_decimal {
    struct number_parts parts;
    struct cleat_str text;
    bool negative;
    size_t count; /* significant digits */
    size_t skip;  /* leading zeros left out */
    int64_t scale;
    bool beyond; /* the exponent is too large to reckon with */
};

/* Digit @index of whole part and fraction together. */
static char decimal_digit(const struct number_decimal *decimal, size_t index)
{
    size_t whole = decimal->parts.point - decimal->parts.whole;
    return index < whole ? decimal->text.data[decimal->parts.whole + index]
                         : decimal->text.data[decimal->parts.fraction + (index - whole)];
}

/* The exponent, or beyond where it has more than 17 digits that count. */
static int64_t exponent_read(struct cleat_str text, size_t at, bool *ret_beyond)
{
    bool negative = at < text.length && text.data[at] == '-';
    at += at < text.length && !digit_is(text.data[at]);
    while (at < text.length && text.data[at] == '0')
        at++;
    *ret_beyond = text.length - at > 17;
    int64_t sum = 0;
    for (; at < text.length && !*ret_beyond; at++)
        sum = sum * 10 + (text.data[at] - '0');
    return negative ? -sum : sum;
}

static bool decimal_read(struct cleat_str text, struct number_decimal *ret)
{
    struct number_decimal decimal = {.text = text};
    if (!number_split(text, &decimal.parts))
        return false;
    size_t whole = decimal.parts.point - decimal.parts.whole;
    size_t all = whole + (decimal.parts.end - decimal.parts.fraction);
    size_t last = all;
    while (last > 0 && decimal_digit(&decimal, last - 1) == '0')
        last--;
    while (decimal.skip < last && decimal_digit(&decimal, decimal.skip) == '0')
        decimal.skip++;
    decimal.count = last - decimal.skip;
    decimal.negative = decimal.parts.negative && decimal.count > 0; /* -0 equals 0 */
    if (decimal.count > 0) {
        int64_t exponent = exponent_read(text, decimal.parts.exponent, &decimal.beyond);
        decimal.scale = (int64_t)whole - (int64_t)decimal.skip + exponent;
    }
    *ret = decimal;
    return true;
}

bool cleat__number_exact(struct cleat_str text, int64_t *ret)
{
    struct number_decimal decimal;
    if (cleat__number_canonical(text, ret))
        return true;
    if (!decimal_read(text, &decimal) || decimal.beyond)
        return false;
    if (decimal.count == 0) {
        *ret = 0;
        return true;
    }
    if (decimal.scale < (int64_t)decimal.count || decimal.scale > 19)
        return false;
    uint64_t sum = 0;
    for (int64_t i = 0; i < decimal.scale; i++) {
        bool given = i < (int64_t)decimal.count;
        char digit = given ? decimal_digit(&decimal, decimal.skip + (size_t)i) : '0';
        sum = sum * 10 + (uint64_t)(digit - '0');
    }
    if (sum > (uint64_t)INT64_MAX + decimal.negative)
        return false;
    *ret = decimal.negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

bool cleat__number_equal(struct cleat_str a, struct cleat_str b)
{
    struct number_decimal left, right;
    if (cleat_str_equal(a, b))
        return true;
    if (!decimal_read(a, &left) || !decimal_read(b, &right))
        return false;
    if (left.beyond || right.beyond || left.negative != right.negative ||
        left.count != right.count || left.scale != right.scale)
        return false;
    for (size_t i = 0; i < left.count; i++)
        if (decimal_digit(&left, left.skip + i) != decimal_digit(&right, right.skip + i))
            return false;
    return true;
}

static pthread_once_t number_once = PTHREAD_ONCE_INIT;
static locale_t number_locale; /* written once, inside pthread_once */

static void number_locale_choose(void)
{
    number_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool cleat__number_double(const char *text, double *ret)
{
    (void)pthread_once(&number_once,
                       number_locale_choose); /* fails only for a bad control variable */
    double number = number_locale ? strtod_l(text, NULL, number_locale) : strtod(text, NULL);
    if (isinf(number))
        return false;
    *ret = number;
    return true;
}

size_t cleat__number_write(int64_t number, char text[NUMBER_INT_TEXT_BYTES])
{
    char reversed[NUMBER_INT_TEXT_BYTES];
    size_t count = 0, at = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        reversed[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        text[at++] = '-';
    while (count > 0)
        text[at++] = reversed[--count];
    text[at] = '\0';
    return at;
}
