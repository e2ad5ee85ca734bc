/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/base64.h"

#include <errno.h>
#include <stdint.h>

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int cleat_base64_encode(struct cleat_buffer *buffer, struct cleat_str bytes)
{
    const unsigned char *in = (const unsigned char *)bytes.data;
    size_t left = bytes.length;
    if (left == 0)
        return buffer->failed;
    char *out = cleat_buffer_reserve(buffer, CLEAT_BASE64_BYTES(left));
    if (!out)
        return buffer->failed;
    char *start = out;
    for (; left > 0; left = left > 3 ? left - 3 : 0, in += 3) {
        uint32_t group = (uint32_t)in[0] << 16;
        group |= left > 1 ? (uint32_t)in[1] << 8 : 0;
        group |= left > 2 ? in[2] : 0;
        *out++ = base64_alphabet[group >> 18];
        *out++ = base64_alphabet[group >> 12 & 63];
        *out++ = left > 1 ? base64_alphabet[group >> 6 & 63] : '=';
        *out++ = left > 2 ? base64_alphabet[group & 63] : '=';
    }
    cleat_buffer_advance(buffer, (size_t)(out - start));
    return 0;
}

/* The six bits of a character, or 64. */
static unsigned base64_bits(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Decodes four characters with @pad of them padding. Returns 4, or the offset of the offending one.
 */
static unsigned base64_group(const char *in, unsigned pad, char *out)
{
    uint32_t group = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned bits = i < 4 - pad ? base64_bits(in[i]) : 0;
        if (bits > 63)
            return i;
        group = group << 6 | bits;
    }
    if ((pad == 1 && (group >> 6 & 3)) || (pad == 2 && (group >> 12 & 15)))
        return 3 - pad;
    for (unsigned i = 0; i < 3 - pad; i++)
        out[i] = (char)(group >> (16 - 8 * i) & 255);
    return 4;
}

int cleat_base64_decode(struct cleat_buffer *buffer, struct cleat_str text, struct cleat_err *err)
{
    if (text.length % 4)
        return cleat_err_set(err, -EINVAL, "base64 of %zu characters isn't a multiple of 4",
                             text.length);
    if (text.length == 0)
        return buffer->failed;
    char *out = cleat_buffer_reserve(buffer, text.length / 4 * 3);
    if (!out)
        return buffer->failed;
    const char *end = text.data + text.length;
    unsigned pad = end[-1] != '=' ? 0 : end[-2] != '=' ? 1 : 2;
    for (size_t at = 0; at < text.length; at += 4, out += 3) {
        unsigned stop = base64_group(text.data + at, at + 4 == text.length ? pad : 0, out);
        if (stop < 4)
            return cleat_err_set(err, -EINVAL, "wrong base64 character at offset %zu", at + stop);
    }
    cleat_buffer_advance(buffer, text.length / 4 * 3 - pad);
    return 0;
}
