/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as far as the lowest layers need it: is the next character well formed (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF), and where may a text be cut.
 */
#ifndef CLEAT_BASE_UTF8_H
#define CLEAT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <cleat/str.h>

/** Bytes (1 to 4) of the well-formed character that @data begins with, or 0 where there is none. */
size_t cleat_utf8_length(const char *data, size_t length);
/** True where all of @text is well formed. */
bool cleat_utf8_valid(struct cleat_str text);
/** The greatest length ≤ @bytes_max at which @text can be cut without splitting a character. */
size_t cleat_utf8_cut(struct cleat_str text, size_t bytes_max);
/**
 * Writes a printable stand-in for the control character or malformed byte at the start of @data to
 * @out (NUL-terminated): \n, \r, \t, \xNN, or \u00NN for the controls above U+007F. @out is empty
 * where the character can stand as it is. Returns the bytes of @data that it covers, 1 to 4;
 * @length isn't 0.
 */
size_t cleat_utf8_escape(const char *data, size_t length, char out[8]);

#endif
