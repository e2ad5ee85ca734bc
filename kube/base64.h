/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 (RFC 4648 section 4: the standard alphabet with padding), strict: no line breaks, no
 * blanks, no missing or superfluous padding, no stray bits in the last character. Any thread.
 */
#ifndef CLEAT_KUBE_BASE64_H
#define CLEAT_KUBE_BASE64_H

#include <stddef.h>
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/str.h>

/** Bytes that the encoding of @length bytes takes, without a NUL. */
#define CLEAT_BASE64_BYTES(length) (((length) + 2) / 3 * 4)

/** Appends the encoding of @bytes. 0, or the buffer's failure, which is sticky. */
int cleat_base64_encode(struct cleat_buffer *buffer, struct cleat_str bytes);
/** Appends what @text decodes to. 0, the buffer's failure, or -EINVAL with the offset in @err: then
 * nothing is added. */
int cleat_base64_decode(struct cleat_buffer *buffer, struct cleat_str text,
                        struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
