/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A quantity is digits with at most one point, then a suffix: decimal (n u m "" k M G T P E),
 * binary (Ki … Ei), or an exponent (e3, E-2). It is held in nano, rounded away from zero beyond
 * that, and capped.
 */
#include <cleat/quantity.h>

#include <errno.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef __int128 quantity_wide;

#define QUANTITY_NANO ((quantity_wide)1000000000)
#define QUANTITY_MAX ((quantity_wide)INT64_MAX * QUANTITY_NANO)
#define QUANTITY_DIGITS_MAX 256 /* of a text; more is refused rather than read */

struct quantity_suffix {
    const char *name;
    int exponent; /* of ten, or of two */
    int format;
};

static const struct quantity_suffix quantity_suffixes[] = {
    {"n", -9, CLEAT_QUANTITY_DECIMAL}, {"u", -6, CLEAT_QUANTITY_DECIMAL},
    {"m", -3, CLEAT_QUANTITY_DECIMAL}, {"", 0, CLEAT_QUANTITY_DECIMAL},
    {"k", 3, CLEAT_QUANTITY_DECIMAL},  {"M", 6, CLEAT_QUANTITY_DECIMAL},
    {"G", 9, CLEAT_QUANTITY_DECIMAL},  {"T", 12, CLEAT_QUANTITY_DECIMAL},
    {"P", 15, CLEAT_QUANTITY_DECIMAL}, {"E", 18, CLEAT_QUANTITY_DECIMAL},
    {"Ki", 10, CLEAT_QUANTITY_BINARY}, {"Mi", 20, CLEAT_QUANTITY_BINARY},
    {"Gi", 30, CLEAT_QUANTITY_BINARY}, {"Ti", 40, CLEAT_QUANTITY_BINARY},
    {"Pi", 50, CLEAT_QUANTITY_BINARY}, {"Ei", 60, CLEAT_QUANTITY_BINARY},
};

#define QUANTITY_SUFFIXES (sizeof(quantity_suffixes) / sizeof(quantity_suffixes[0]))

/* A number in nano while it is read: capped at twice the maximum, so that it can't overflow. */
struct quantity_reader {
    quantity_wide nano;
    bool inexact; /* something beyond nano was cut off */
};

static bool quantity_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "e3", "E-2": at most three digits of exponent count. */
static bool quantity_exponent(struct cleat_str text, struct quantity_suffix *ret)
{
    size_t at = 1;
    bool negative = false;
    int exponent = 0;
    if (text.length < 2 || (text.data[0] != 'e' && text.data[0] != 'E'))
        return false;
    if (text.data[at] == '-' || text.data[at] == '+')
        negative = text.data[at++] == '-';
    if (at == text.length || text.length - at > 10)
        return false;
    for (; at < text.length; at++) {
        if (!quantity_is_digit(text.data[at]))
            return false;
        if (exponent < 1000)
            exponent = exponent * 10 + (text.data[at] - '0');
    }
    *ret = (struct quantity_suffix){"", negative ? -exponent : exponent, CLEAT_QUANTITY_EXPONENT};
    return true;
}

static bool quantity_suffix_of(struct cleat_str text, struct quantity_suffix *ret)
{
    for (size_t i = 0; i < QUANTITY_SUFFIXES; i++) {
        if (!cleat_str_is(text, quantity_suffixes[i].name))
            continue;
        *ret = quantity_suffixes[i];
        return true;
    }
    return quantity_exponent(text, ret);
}

/*
 * Adds @digit × 10^@place (in nano, @place counted from nano). Above the cap the exact number
 * doesn't matter any more.
 */
static void quantity_add_digit(struct quantity_reader *reader, int digit, int place)
{
    quantity_wide term = digit;
    if (digit == 0)
        return;
    if (place < 0) {
        reader->inexact = true;
        return;
    }
    for (int i = 0; i < place && term <= 2 * QUANTITY_MAX; i++)
        term *= 10;
    reader->nano += term;
    if (reader->nano > 2 * QUANTITY_MAX)
        reader->nano = 2 * QUANTITY_MAX;
}

/* Digits times 10^@exponent in nano. */
static quantity_wide quantity_decimal(struct cleat_str whole, struct cleat_str fraction,
                                      int exponent)
{
    struct quantity_reader reader = {0, false};
    for (size_t i = 0; i < whole.length; i++)
        quantity_add_digit(&reader, whole.data[i] - '0',
                           9 + exponent + (int)(whole.length - 1 - i));
    for (size_t i = 0; i < fraction.length; i++)
        quantity_add_digit(&reader, fraction.data[i] - '0', 8 + exponent - (int)i);
    return reader.nano + reader.inexact;
}

/* Digits times 2^@exponent in nano; of the fraction, 64 digits are read. */
static quantity_wide quantity_binary(struct cleat_str whole, struct cleat_str fraction,
                                     int exponent)
{
    quantity_wide nano = quantity_decimal(whole, (struct cleat_str){"", 0}, 0);
    quantity_wide factor = (quantity_wide)1 << exponent;
    bool inexact = false;
    if (nano > QUANTITY_MAX / factor)
        return 2 * QUANTITY_MAX;
    nano *= factor;
    /* From the last digit: (rest + digit × factor) / 10, where the division's remainder is carried
     * in nano. */
    quantity_wide rest = 0;
    size_t length = fraction.length < 64 ? fraction.length : 64;
    for (size_t i = length; i < fraction.length; i++)
        inexact = inexact || fraction.data[i] != '0';
    for (size_t i = length; i-- > 0;) {
        rest += (quantity_wide)(fraction.data[i] - '0') * factor * QUANTITY_NANO;
        inexact = inexact || rest % 10 != 0;
        rest /= 10;
    }
    return nano + rest + inexact;
}

/* Splits "-1.5Gi" into sign, digits and suffix; false where it isn't shaped like that. */
static bool quantity_split(struct cleat_str text, bool *ret_negative, struct cleat_str *ret_whole,
                           struct cleat_str *ret_fraction, struct cleat_str *ret_suffix)
{
    size_t at = 0;
    *ret_negative = text.length > 0 && text.data[0] == '-';
    if (text.length > 0 && (text.data[0] == '-' || text.data[0] == '+'))
        at++;
    size_t start = at;
    while (at < text.length && quantity_is_digit(text.data[at]))
        at++;
    *ret_whole = (struct cleat_str){text.data + start, at - start};
    *ret_fraction = (struct cleat_str){"", 0};
    if (at < text.length && text.data[at] == '.') {
        start = ++at;
        while (at < text.length && quantity_is_digit(text.data[at]))
            at++;
        *ret_fraction = (struct cleat_str){text.data + start, at - start};
    }
    *ret_suffix = (struct cleat_str){text.data + at, text.length - at};
    size_t digits = ret_whole->length + ret_fraction->length;
    return digits > 0 && digits <= QUANTITY_DIGITS_MAX;
}

int cleat_quantity_parse(struct cleat_str text, struct cleat_quantity *ret, struct cleat_err *err)
{
    bool negative = false;
    struct cleat_str whole, fraction, suffix_text;
    struct quantity_suffix suffix;
    if (text.length == 0 || !quantity_split(text, &negative, &whole, &fraction, &suffix_text) ||
        !quantity_suffix_of(suffix_text, &suffix))
        return cleat_err_set(err, -EINVAL, "\"%.*s\" isn't a quantity", CLEAT_STR_ARG(text));
    quantity_wide nano = suffix.format == CLEAT_QUANTITY_BINARY
                             ? quantity_binary(whole, fraction, suffix.exponent)
                             : quantity_decimal(whole, fraction, suffix.exponent);
    if (nano > QUANTITY_MAX)
        nano = QUANTITY_MAX;
    ret->nano = negative ? -nano : nano;
    ret->format = suffix.format;
    return 0;
}

int cleat_quantity_compare(const struct cleat_quantity *a, const struct cleat_quantity *b)
{
    return (a->nano > b->nano) - (a->nano < b->nano);
}

void cleat_quantity_add(struct cleat_quantity *sum, const struct cleat_quantity *term)
{
    if (sum->nano == 0)
        sum->format = term->format;
    sum->nano += term->nano;
    if (sum->nano > QUANTITY_MAX)
        sum->nano = QUANTITY_MAX;
    if (sum->nano < -QUANTITY_MAX)
        sum->nano = -QUANTITY_MAX;
}

/* Writes the sign, @number, which isn't negative, and @suffix. */
static const char *quantity_print(char text[64], bool negative, quantity_wide number,
                                  const char *suffix)
{
    char digits[40];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number > 0);
    snprintf(text, 64, "%s%.*s%s", negative ? "-" : "", (int)(sizeof(digits) - at), digits + at,
             suffix);
    return text;
}

/* Binary form: the largest suffix that leaves a whole number. Fractions fall back to decimal. */
static const char *quantity_write_binary(quantity_wide whole, bool negative, char text[64])
{
    static const char *const names[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    size_t at = 0;
    for (; at < 6 && whole % 1024 == 0; at++)
        whole /= 1024;
    return quantity_print(text, negative, whole, names[at]);
}

const char *cleat_quantity_write(const struct cleat_quantity *quantity, char text[64])
{
    static const char *const names[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
    bool negative = quantity->nano < 0;
    quantity_wide number = negative ? -quantity->nano : quantity->nano;
    char exponent[16] = "";
    int place = -9;
    if (number == 0)
        return quantity_print(text, false, 0, "");
    if (quantity->format == CLEAT_QUANTITY_BINARY && number % QUANTITY_NANO == 0 &&
        number >= 1024 * QUANTITY_NANO)
        return quantity_write_binary(number / QUANTITY_NANO, negative, text);
    for (; place < 18 && number % 1000 == 0; place += 3)
        number /= 1000;
    if (quantity->format != CLEAT_QUANTITY_EXPONENT)
        return quantity_print(text, negative, number, names[(place + 9) / 3]);
    if (place != 0)
        snprintf(exponent, sizeof(exponent), "e%d", place);
    return quantity_print(text, negative, number, exponent);
}
