/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/yaml_scalar.h"

#include <inttypes.h>
#include <stdint.h>

/* Longest number that is read as one; anything longer is a string. */
#define YAML_NUMBER_BYTES_MAX 128
/* Largest power of ten of a double, so that what is beyond is a string, as for the Go reader. */
#define YAML_EXPONENT_MAX 308

struct yaml_word {
    const char *text;
    enum yaml_scalar meaning;
};

static const struct yaml_word yaml_words[] = {
    {"", YAML_SCALAR_NULL},         {"~", YAML_SCALAR_NULL},        {"null", YAML_SCALAR_NULL},
    {"Null", YAML_SCALAR_NULL},     {"NULL", YAML_SCALAR_NULL},     {"y", YAML_SCALAR_TRUE},
    {"Y", YAML_SCALAR_TRUE},        {"yes", YAML_SCALAR_TRUE},      {"Yes", YAML_SCALAR_TRUE},
    {"YES", YAML_SCALAR_TRUE},      {"true", YAML_SCALAR_TRUE},     {"True", YAML_SCALAR_TRUE},
    {"TRUE", YAML_SCALAR_TRUE},     {"on", YAML_SCALAR_TRUE},       {"On", YAML_SCALAR_TRUE},
    {"ON", YAML_SCALAR_TRUE},       {"n", YAML_SCALAR_FALSE},       {"N", YAML_SCALAR_FALSE},
    {"no", YAML_SCALAR_FALSE},      {"No", YAML_SCALAR_FALSE},      {"NO", YAML_SCALAR_FALSE},
    {"false", YAML_SCALAR_FALSE},   {"False", YAML_SCALAR_FALSE},   {"FALSE", YAML_SCALAR_FALSE},
    {"off", YAML_SCALAR_FALSE},     {"Off", YAML_SCALAR_FALSE},     {"OFF", YAML_SCALAR_FALSE},
    {".nan", YAML_SCALAR_NO_JSON},  {".NaN", YAML_SCALAR_NO_JSON},  {".NAN", YAML_SCALAR_NO_JSON},
    {".inf", YAML_SCALAR_NO_JSON},  {".Inf", YAML_SCALAR_NO_JSON},  {".INF", YAML_SCALAR_NO_JSON},
    {"+.inf", YAML_SCALAR_NO_JSON}, {"+.Inf", YAML_SCALAR_NO_JSON}, {"+.INF", YAML_SCALAR_NO_JSON},
    {"-.inf", YAML_SCALAR_NO_JSON}, {"-.Inf", YAML_SCALAR_NO_JSON}, {"-.INF", YAML_SCALAR_NO_JSON},
};

/* A number taken apart: sign, then @text without it and without underscores. */
struct yaml_number {
    bool negative;
    size_t length;
    char text[YAML_NUMBER_BYTES_MAX + 1];
};

static bool yaml_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* False where it can't be a number at all. */
static bool yaml_number_take(struct cleat_str text, struct yaml_number *ret)
{
    size_t at = 0;
    if (text.length == 0 || text.length > YAML_NUMBER_BYTES_MAX)
        return false;
    ret->negative = text.data[0] == '-';
    if (text.data[0] == '-' || text.data[0] == '+')
        at = 1;
    if (at == text.length || (!yaml_is_digit(text.data[at]) && text.data[at] != '.'))
        return false;
    ret->length = 0;
    for (; at < text.length; at++)
        if (text.data[at] != '_')
            ret->text[ret->length++] = text.data[at];
    ret->text[ret->length] = '\0';
    return true;
}

static int yaml_digit_value(char c)
{
    if (yaml_is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* The base that the prefix tells, and how long that is. */
static int yaml_base(const struct yaml_number *number, size_t *ret_prefix)
{
    char second = number->length > 2 && number->text[0] == '0' ? (char)(number->text[1] | 0x20) : 0;
    *ret_prefix = 2;
    if (second == 'x')
        return 16;
    if (second == 'o')
        return 8;
    if (second == 'b')
        return 2;
    *ret_prefix = number->length > 1 && number->text[0] == '0' ? 1 : 0;
    return *ret_prefix ? 8 : 10;
}

static void yaml_put(struct cleat_buffer *json, const struct yaml_number *number, const char *text)
{
    if (!json)
        return;
    cleat_buffer_text(json, number->negative ? "-" : "");
    cleat_buffer_text(json, text);
}

/* Integers: of base 10 in any length, of others in 64 bits. */
static bool yaml_read_int(const struct yaml_number *number, struct cleat_buffer *json)
{
    size_t at = 0;
    uint64_t sum = 0;
    int base = yaml_base(number, &at);
    bool overflow = false;
    for (; at < number->length; at++) {
        int digit = yaml_digit_value(number->text[at]);
        if (digit >= base)
            return false;
        overflow = overflow || sum > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base;
        sum = sum * (uint64_t)base + (uint64_t)digit;
    }
    if (base == 10) {
        yaml_put(json, number, number->text);
        return true;
    }
    if (overflow)
        return false;
    if (json)
        cleat_buffer_format(json, "%s%" PRIu64, number->negative && sum ? "-" : "", sum);
    return true;
}

/* Shape of a float: whole[.fraction][e[sign]exponent], whole or fraction not empty. */
struct yaml_float {
    size_t whole_start; /* without leading zeros */
    size_t whole_end;
    size_t fraction_start;
    size_t fraction_end;
    size_t exponent_start; /* of the sign or the digits; 0: none */
    long exponent;
};

static size_t yaml_skip_digits(const struct yaml_number *number, size_t at)
{
    while (at < number->length && yaml_is_digit(number->text[at]))
        at++;
    return at;
}

static bool yaml_exponent(const struct yaml_number *number, size_t at, struct yaml_float *ret)
{
    bool negative = false;
    ret->exponent_start = at;
    if (at < number->length && (number->text[at] == '-' || number->text[at] == '+'))
        negative = number->text[at++] == '-';
    size_t end = yaml_skip_digits(number, at);
    if (end == at || end != number->length)
        return false;
    for (; at < end; at++)
        if (ret->exponent < 100000)
            ret->exponent = ret->exponent * 10 + (number->text[at] - '0');
    if (negative)
        ret->exponent = -ret->exponent;
    return true;
}

static bool yaml_float_take(const struct yaml_number *number, struct yaml_float *ret)
{
    size_t at = yaml_skip_digits(number, 0);
    *ret = (struct yaml_float){.whole_end = at};
    ret->fraction_start = ret->fraction_end = at;
    if (at < number->length && number->text[at] == '.') {
        ret->fraction_start = at + 1;
        ret->fraction_end = yaml_skip_digits(number, at + 1);
        at = ret->fraction_end;
    }
    if (ret->whole_end == 0 && ret->fraction_start == ret->fraction_end)
        return false;
    while (ret->whole_start < ret->whole_end && number->text[ret->whole_start] == '0')
        ret->whole_start++;
    if (at == number->length)
        return true;
    return (number->text[at] | 0x20) == 'e' && yaml_exponent(number, at + 1, ret);
}

/* Writes it as JSON wants it: a digit on both sides of a point, no leading zeros. */
static bool yaml_read_float(const struct yaml_number *number, struct cleat_buffer *json)
{
    struct yaml_float parts;
    if (!yaml_float_take(number, &parts))
        return false;
    long digits = (long)(parts.whole_end - parts.whole_start);
    if (parts.exponent + (digits ? digits - 1 : 0) > YAML_EXPONENT_MAX)
        return false;
    if (!json)
        return true;
    cleat_buffer_text(json, number->negative ? "-" : "");
    cleat_buffer_append(json, digits ? number->text + parts.whole_start : "0",
                        digits ? (size_t)digits : 1);
    if (parts.fraction_end > parts.fraction_start) {
        cleat_buffer_byte(json, '.');
        cleat_buffer_append(json, number->text + parts.fraction_start,
                            parts.fraction_end - parts.fraction_start);
    }
    if (parts.exponent_start)
        cleat_buffer_format(json, "e%ld", parts.exponent);
    return true;
}

enum yaml_scalar cleat__yaml_scalar(struct cleat_str text, struct cleat_buffer *json)
{
    struct yaml_number number;
    for (size_t i = 0; i < sizeof(yaml_words) / sizeof(yaml_words[0]); i++)
        if (cleat_str_is(text, yaml_words[i].text))
            return yaml_words[i].meaning;
    if (!yaml_number_take(text, &number))
        return YAML_SCALAR_STR;
    if (yaml_read_int(&number, json))
        return YAML_SCALAR_INT;
    return yaml_read_float(&number, json) ? YAML_SCALAR_FLOAT : YAML_SCALAR_STR;
}
