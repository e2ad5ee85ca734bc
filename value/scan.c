/* SPDX-License-Identifier: Apache-2.0 */
#include "value/scan.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX, or -1. */
static int32_t hex4(const char *at, const char *end)
{
    int32_t unit = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static char *utf8_put(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (code & 0x3f));
    return out;
}

/* \uXXXX, and its other half where it's a surrogate. @at is behind the 'u' and moves on. */
static int unescape_unicode(const char **at, const char *end, char **out)
{
    int32_t unit = hex4(*at, end);
    if (unit < 0)
        return SCAN_BAD_ESCAPE;
    *at += 4;
    uint32_t code = (uint32_t)unit;
    if (code >= 0xd800 && code < 0xe000) {
        bool paired = code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u';
        int32_t low = paired ? hex4(*at + 2, end) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return SCAN_LONE_SURROGATE;
        *at += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    }
    *out = utf8_put(*out, code);
    return 0;
}

/* What a backslash and @c stand for, or 0. */
static char escape_value(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

int cleat__scan_unescape(struct cleat_str text, char *out, size_t *ret)
{
    const char *at = text.data, *end = text.data + text.length;
    char *first = out;
    for (;;) {
        unsigned flags = 0;
        const char *special = scan_special(at, end, &flags);
        memcpy(out, at, (size_t)(special - at));
        out += special - at;
        if (special == end)
            break;
        if (*special != '\\' || end - special < 2)
            return SCAN_BAD_ESCAPE;
        at = special + 2;
        char value = escape_value(special[1]);
        if (value != 0) {
            *out++ = value;
        } else if (special[1] != 'u') {
            return SCAN_BAD_ESCAPE;
        } else {
            int r = unescape_unicode(&at, end, &out);
            if (r != 0)
                return r;
        }
    }
    *ret = (size_t)(out - first);
    return 0;
}

bool cleat__scan_escapes_plain(struct cleat_str text)
{
    const char *at = text.data, *end = text.data + text.length;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        if (end - at < 2)
            return false;
        char letter = at[1];
        at += 2;
        if (letter == 'u') {
            int32_t unit = hex4(at, end);
            if (unit <= 0 || (unit >= 0xd800 && unit < 0xe000))
                return false;
            at += 4;
        } else if (escape_value(letter) == 0) {
            return false;
        }
    }
    return true;
}
