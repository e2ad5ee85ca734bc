/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of bytes with a maximum. A failed append (-ENOMEM, or -ENOBUFS at the maximum) is
 * sticky: later appends do nothing and return the same code, so that a run of appends needs one
 * check. One thread at a time.
 */
#ifndef CLEAT_BUFFER_H
#define CLEAT_BUFFER_H

#include <stddef.h>
#include <cleat/macro.h>
#include <cleat/str.h>

CLEAT_BEGIN

struct cleat_buffer {
    char *data;       /* owned; NUL-terminated whenever it isn't NULL */
    size_t length;    /* bytes in use, without the NUL */
    size_t capacity;  /* bytes allocated */
    size_t bytes_max; /* most bytes that it may hold */
    int failed;       /* 0, or the sticky negative errno */
};

/** An empty buffer that may grow to @max bytes. */
#define CLEAT_BUFFER_INIT(max) \
    {                          \
        NULL, 0, 0, (max), 0   \
    }

/** Makes @buffer empty with a maximum of @bytes_max. Allocates nothing. */
CLEAT_EXPORT void cleat_buffer_init(struct cleat_buffer *buffer, size_t bytes_max);
/** Frees the bytes; repeatable, and safe on an initialised buffer that never grew. */
CLEAT_EXPORT void cleat_buffer_fini(struct cleat_buffer *buffer);
/** Forgets the content and the sticky failure, keeps the memory. */
CLEAT_EXPORT void cleat_buffer_reset(struct cleat_buffer *buffer);
/** Appends @length bytes. Returns 0, -ENOMEM or -ENOBUFS. The result may be ignored: it is sticky.
 */
CLEAT_EXPORT int cleat_buffer_append(struct cleat_buffer *buffer, const void *data, size_t length);
/** Appends a NUL-terminated text. */
CLEAT_EXPORT int cleat_buffer_text(struct cleat_buffer *buffer, const char *text);
/** Appends a string. */
CLEAT_EXPORT int cleat_buffer_str(struct cleat_buffer *buffer, struct cleat_str text);
/** Appends one byte. */
CLEAT_EXPORT int cleat_buffer_byte(struct cleat_buffer *buffer, char byte);
/** Appends formatted text. */
CLEAT_EXPORT int cleat_buffer_format(struct cleat_buffer *buffer, const char *format, ...)
    CLEAT_PRINTF(2, 3);
/** Makes room for @length more bytes and returns where they go, or NULL with the failure noted. */
CLEAT_EXPORT char *cleat_buffer_reserve(struct cleat_buffer *buffer, size_t length);
/** Counts @length bytes, written at what cleat_buffer_reserve returned, as content. */
CLEAT_EXPORT void cleat_buffer_advance(struct cleat_buffer *buffer, size_t length);
/** The content, borrowed until the next change of @buffer. */
CLEAT_EXPORT struct cleat_str cleat_buffer_view(const struct cleat_buffer *buffer);
/** Moves the NUL-terminated bytes out (new, free with cleat_free); empties @buffer. NULL where it
 * failed. */
CLEAT_EXPORT char *cleat_buffer_take(struct cleat_buffer *buffer);
/** Releases memory that came from cleat_buffer_take and other functions documented to return such.
 */
CLEAT_EXPORT void cleat_free(void *memory);

CLEAT_END

#endif
