/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing values as JSON text. Numbers go out as they came in, strings with the escapes that RFC 8259
 * section 7 demands and no others.
 */
#ifndef CLEAT_WRITE_H
#define CLEAT_WRITE_H

#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/value.h>

CLEAT_BEGIN

/** Appends @value as compact JSON. A value that wasn't kept is -ENODATA with its path in @err. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_write_json(struct cleat_buffer *buffer, struct cleat_value value,
                                                   struct cleat_err *err);
/** Appends @value indented by two blanks, for people. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_write_pretty(struct cleat_buffer *buffer, struct cleat_value value,
                                                     struct cleat_err *err);
/** Appends @text as a JSON string with its quotes; the buffer's failure is sticky. */
CLEAT_EXPORT void cleat_write_string(struct cleat_buffer *buffer, struct cleat_str text);

CLEAT_END

#endif
