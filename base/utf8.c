/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>

#include "base/check.h"

/* Bytes that the lead byte announces, with the range that the second byte must be in (RFC 3629
 * section 4). */
static size_t utf8_lead(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef) {
        *ret_low = lead == 0xe0 ? 0xa0 : 0x80;
        *ret_high = lead == 0xed ? 0x9f : 0xbf;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *ret_low = lead == 0xf0 ? 0x90 : 0x80;
        *ret_high = lead == 0xf4 ? 0x8f : 0xbf;
        return 4;
    }
    return 0;
}

size_t cleat_utf8_length(const char *data, size_t length)
{
    const uint8_t *bytes = (const uint8_t *)data;
    uint8_t low = 0, high = 0;
    size_t size = length > 0 ? utf8_lead(bytes[0], &low, &high) : 0;
    if (size > length)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if (bytes[i] < low || bytes[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return size;
}

bool cleat_utf8_valid(struct cleat_str text)
{
    size_t at = 0;
    while (at < text.length) {
        size_t size = cleat_utf8_length(text.data + at, text.length - at);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

size_t cleat_utf8_cut(struct cleat_str text, size_t bytes_max)
{
    if (text.length <= bytes_max)
        return text.length;
    /* A character is at most 4 bytes: look for the start of the one that the limit may split. */
    for (size_t back = 1; back <= 3 && back <= bytes_max; back++) {
        size_t start = bytes_max - back;
        size_t size = cleat_utf8_length(text.data + start, text.length - start);
        if (size > back)
            return start;
        if (size > 0)
            break;
    }
    return bytes_max;
}

static void utf8_escape_byte(uint8_t byte, char out[8])
{
    const char *name = byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : byte == '\t' ? "\\t" : NULL;
    if (name)
        (void)snprintf(out, 8, "%s", name);
    else
        (void)snprintf(out, 8, "\\x%02x", byte);
}

size_t cleat_utf8_escape(const char *data, size_t length, char out[8])
{
    cleat_assert(length > 0);
    uint8_t first = (uint8_t)data[0];
    size_t size = cleat_utf8_length(data, length);
    out[0] = '\0';
    if (size == 0 || first < 0x20 || first == 0x7f) {
        utf8_escape_byte(first, out);
        return 1;
    }
    if (first == 0xc2 && (uint8_t)data[1] < 0xa0) /* C1 controls: some terminals obey them */
        (void)snprintf(out, 8, "\\u%04x", (unsigned)(uint8_t)data[1]);
    return size;
}
