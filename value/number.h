/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as JSON writes them (RFC 8259 section 6). A number is kept as an int64 where writing that
 * int64 gives the source text back, else as the text. Private to value/.
 */
#ifndef CLEAT_VALUE_NUMBER_H
#define CLEAT_VALUE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/str.h>

/* Bytes of an int64 as text with its NUL. */
#define NUMBER_INT_TEXT_BYTES 24

/** True where all of @text is one JSON number. */
bool cleat__number_valid(struct cleat_str text);
/** True where @text, a JSON number, is what writing an int64 gives ("-0" isn't, "1.0" isn't). */
bool cleat__number_canonical(struct cleat_str text, int64_t *ret);
/** True where the value of @text, a JSON number, is an int64: "1e3" and "-0.0" are. */
bool cleat__number_exact(struct cleat_str text, int64_t *ret);
/** True where both JSON numbers have the same value, whatever their size. */
bool cleat__number_equal(struct cleat_str a, struct cleat_str b);
/** The nearest double of a NUL-terminated JSON number, in any locale. False beyond double's range.
 */
bool cleat__number_double(const char *text, double *ret);
/** Writes @number and a NUL; returns the bytes without it. */
size_t cleat__number_write(int64_t number, char text[NUMBER_INT_TEXT_BYTES]);

#endif
