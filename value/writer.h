/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writer offers to the rest of value/: writing a part of something larger, with the place
 * where it stands for messages.
 */
#ifndef CLEAT_VALUE_WRITER_H
#define CLEAT_VALUE_WRITER_H

#include <stddef.h>
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include "value/place.h"

/**
 * Appends @value as compact JSON. @place is where it stands, @depth how many containers are open
 * around it. What wasn't kept is @not_kept (a negative errno) with the whole path in @err. On a
 * failure nothing is left in @buffer of it.
 */
int cleat_writer_value(struct cleat_buffer *buffer, struct cleat_value value,
                       const struct cleat_place *place, unsigned depth, int not_kept,
                       struct cleat_err *err) CLEAT_MUST_CHECK;
/** Appends valid UTF-8 with a JSON string's escapes but no quotes; failures are sticky. */
void cleat_writer_escaped(struct cleat_buffer *buffer, struct cleat_str text);
/** The index of the first byte that a JSON string must escape (RFC 8259 section 7), or @length. */
size_t cleat_writer_plain(const char *data, size_t length);

#endif
