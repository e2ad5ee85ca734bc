/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner loops of the parser: where does a string end, and what is in it. Never reads beyond
 * @end. Private to value/.
 */
#ifndef CLEAT_VALUE_SCAN_H
#define CLEAT_VALUE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/str.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum scan_flag {
    SCAN_ESCAPES = 1, /* a backslash is in there */
    SCAN_WIDE = 2,    /* a byte above 0x7f may be in there */
    SCAN_CONTROL = 4, /* ended at a control byte, which JSON doesn't allow */
    SCAN_UNENDED = 8, /* ended at the end of the input */
    SCAN_SLASH = 16,  /* and right behind a backslash */
};

enum scan_outcome {
    SCAN_BAD_ESCAPE = 1, /* no escape of RFC 8259 section 7 */
    SCAN_LONE_SURROGATE, /* \ud800 to \udfff without its other half */
};

static inline bool scan_is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The first byte from @at on that isn't white space. */
static inline const char *scan_blanks(const char *at, const char *end)
{
    while (at < end && scan_is_blank(*at))
        at++;
    return at;
}

/* memcmp for short runs, without the call. */
static inline bool scan_same(const char *a, const char *b, size_t length)
{
    uint64_t a_first, b_first, a_last, b_last;
    if (length > 16)
        return memcmp(a, b, length) == 0;
    if (length < 8) {
        for (size_t i = 0; i < length; i++)
            if (a[i] != b[i])
                return false;
        return true;
    }
    memcpy(&a_first, a, 8);
    memcpy(&b_first, b, 8);
    memcpy(&a_last, a + length - 8, 8);
    memcpy(&b_last, b + length - 8, 8);
    return a_first == b_first && a_last == b_last;
}

/* True for bytes that a string can't hold as they are: '"', '\\' and controls. */
static inline bool scan_is_special(unsigned char c)
{
    return c == '"' || c == '\\' || c < 0x20;
}

/*
 * Finds the next special byte from @at on, or @end; sets SCAN_WIDE in @flags where a wide byte may
 * be before it.
 */
static inline const char *scan_special(const char *at, const char *end, unsigned *flags)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    while (end - at >= 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, slash));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(block, control), block));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        unsigned wide = (unsigned)_mm_movemask_epi8(block);
        if (mask != 0) {
            unsigned place = (unsigned)__builtin_ctz(mask);
            *flags |= (wide & ((1u << place) - 1)) != 0 ? SCAN_WIDE : 0;
            return at + place;
        }
        *flags |= wide != 0 ? SCAN_WIDE : 0;
        at += 16;
    }
#endif
    while (at < end && !scan_is_special((unsigned char)*at)) {
        *flags |= (unsigned char)*at >= 0x80 ? SCAN_WIDE : 0;
        at++;
    }
    return at;
}

/*
 * Finds the quote that ends a string whose first byte is at @at. Returns its place with what was
 * seen in
 * @flags, or where it stopped with SCAN_CONTROL or SCAN_UNENDED.
 */
static inline const char *scan_string(const char *at, const char *end, unsigned *flags)
{
    for (;;) {
        at = scan_special(at, end, flags);
        if (at == end)
            break;
        if (*at == '"')
            return at;
        if (*at != '\\') {
            *flags |= SCAN_CONTROL;
            return at;
        }
        *flags |= SCAN_ESCAPES;
        if (end - at < 2) {
            *flags |= SCAN_SLASH;
            break;
        }
        at += 2;
    }
    *flags |= SCAN_UNENDED;
    return end;
}

/** True where every escape in @text is a good one, and none stands for NUL or half of a surrogate
 * pair. */
bool cleat__scan_escapes_plain(struct cleat_str text);
/**
 * Takes the escapes out of @text, a string's bytes between its quotes. @out has room for as many
 * bytes. Returns 0 with the length in @ret, or an outcome.
 */
int cleat__scan_unescape(struct cleat_str text, char *out, size_t *ret);

#endif
