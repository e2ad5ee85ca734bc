/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passing over a value that isn't kept: the syntax, UTF-8, escapes and depth are checked as
 * everywhere, doubled keys aren't looked for. Whatever is wrong or cut is left to the reader of
 * tokens, which says what it is.
 */
#include "base/utf8.h"
#include "value/number.h"
#include "value/parser_state.h"

/* The end of the string at @at, whose quote that is, or NULL. */
static const char *skip_string(const char *at, const char *end)
{
    unsigned flags = 0;
    const char *close = scan_string(at + 1, end, &flags);
    if (flags == 0)
        return close + 1;
    struct cleat_str raw = {at + 1, (size_t)(close - at - 1)};
    if ((flags & (SCAN_CONTROL | SCAN_UNENDED)) != 0 ||
        ((flags & SCAN_ESCAPES) != 0 && !cleat__scan_escapes_plain(raw)) ||
        ((flags & SCAN_WIDE) != 0 && !cleat_utf8_valid(raw)))
        return NULL;
    return close + 1;
}

/* The end of true, false, null or a number, or NULL. */
static const char *skip_word(const char *at, const char *end)
{
    const char *first = at;
    while (at < end && *at != ',' && *at != '}' && *at != ']' && !scan_is_blank(*at))
        at++;
    struct cleat_str text = {first, (size_t)(at - first)};
    if (at == end)
        return NULL;
    return cleat__number_valid(text) || cleat_str_is(text, "true") || cleat_str_is(text, "false") ||
                   cleat_str_is(text, "null")
               ? at
               : NULL;
}

/* From a key to its value. */
static const char *skip_key(const char *at, const char *end)
{
    if (at == end || *at != '"' || !(at = skip_string(at, end)))
        return NULL;
    at = scan_blanks(at, end);
    return at < end && *at == ':' ? scan_blanks(at + 1, end) : NULL;
}

const char *cleat__parser_skip(const char *at, const char *end, uint32_t depth_max)
{
    bool is_object[CLEAT_VALUE_DEPTH_MAX];
    uint32_t depth = 0;
    for (;;) {
        /* a value begins at @at */
        if (!at || at == end)
            return NULL;
        if (*at == '{' || *at == '[') {
            if (depth == depth_max)
                return NULL;
            is_object[depth++] = *at == '{';
            at = scan_blanks(at + 1, end);
            if (at == end)
                return NULL;
            if (*at != (is_object[depth - 1] ? '}' : ']')) {
                at = is_object[depth - 1] ? skip_key(at, end) : at;
                continue;
            }
            depth--;
            at++;
        } else {
            at = *at == '"' ? skip_string(at, end) : skip_word(at, end);
        }
        /* it ended: close what ends with it */
        for (;;) {
            if (!at || depth == 0)
                return at;
            at = scan_blanks(at, end);
            if (at == end)
                return NULL;
            if (*at == ',')
                break;
            if (*at++ != (is_object[--depth] ? '}' : ']'))
                return NULL;
        }
        at = scan_blanks(at + 1, end);
        at = is_object[depth - 1] ? skip_key(at, end) : at;
    }
}
