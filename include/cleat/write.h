/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing values as JSON text. Numbers go out as they came in, byte for byte; strings with the
 * escapes that RFC 8259 section 7 demands and no others (U+2028 stays, NUL is \u0000). What can't
 * be written leaves the buffer as it was, so that half a value is never sent. Any thread, as long
 * as the buffer has one; nothing blocks.
 *
 *   struct cleat_value ─► writer ─► struct cleat_buffer
 */
#ifndef CLEAT_WRITE_H
#define CLEAT_WRITE_H

#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/value.h>

CLEAT_BEGIN

/**
 * Appends @value as compact JSON, members in the heap's order. A value that wasn't kept is -ENODATA
 * with its path in @err, so that nothing that is only a part can be sent for the whole; an absent
 * one is -EINVAL, nesting beyond 128 -E2BIG; else the buffer's failure, -ENOBUFS or -ENOMEM. On a
 * failure the buffer's content is what it was.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_write_json(struct cleat_buffer *buffer,
                                                   struct cleat_value value, struct cleat_err *err);
/** As cleat_write_json, but indented by two blanks a level, one member or element a line, for
 * people. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_write_pretty(struct cleat_buffer *buffer,
                                                     struct cleat_value value,
                                                     struct cleat_err *err);
/**
 * Appends @text as a JSON string with its quotes. Bytes that aren't UTF-8 become U+FFFD, so that
 * the result is valid whatever came in. The buffer's failure is sticky.
 */
CLEAT_EXPORT void cleat_write_string(struct cleat_buffer *buffer, struct cleat_str text);

CLEAT_END

#endif
