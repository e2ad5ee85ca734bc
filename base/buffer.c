/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariant: length < capacity wherever data isn't NULL, and data[length] is NUL.
 */
#include <cleat/buffer.h>

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define BUFFER_BYTES_FIRST 64

void cleat_buffer_init(struct cleat_buffer *buffer, size_t bytes_max)
{
    *buffer = (struct cleat_buffer)CLEAT_BUFFER_INIT(bytes_max);
}

void cleat_buffer_fini(struct cleat_buffer *buffer)
{
    cleat_mem_free(buffer->data);
    cleat_buffer_init(buffer, buffer->bytes_max);
}

void cleat_buffer_reset(struct cleat_buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

/* The capacity to grow to for @needed bytes: doubled, but no more than the maximum asks for. */
static size_t buffer_capacity(const struct cleat_buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_BYTES_FIRST;
    while (capacity < needed)
        capacity = capacity <= SIZE_MAX / 2 ? capacity * 2 : needed;
    if (buffer->bytes_max < SIZE_MAX && capacity > buffer->bytes_max + 1)
        capacity = buffer->bytes_max + 1;
    return capacity;
}

static int buffer_grow(struct cleat_buffer *buffer, size_t more)
{
    if (more > buffer->bytes_max - buffer->length || buffer->length + more == SIZE_MAX)
        return -ENOBUFS;
    size_t needed = buffer->length + more + 1;
    if (needed <= buffer->capacity)
        return 0;
    size_t capacity = buffer_capacity(buffer, needed);
    char *data = cleat_mem_realloc(buffer->data, capacity);
    if (!data)
        return -ENOMEM;
    data[buffer->length] = '\0';
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

char *cleat_buffer_reserve(struct cleat_buffer *buffer, size_t length)
{
    if (!buffer->failed)
        buffer->failed = buffer_grow(buffer, length);
    return buffer->failed ? NULL : buffer->data + buffer->length;
}

void cleat_buffer_advance(struct cleat_buffer *buffer, size_t length)
{
    cleat_assert(length == 0 || length < buffer->capacity - buffer->length);
    if (buffer->data) {
        buffer->length += length;
        buffer->data[buffer->length] = '\0';
    }
}

int cleat_buffer_append(struct cleat_buffer *buffer, const void *data, size_t length)
{
    char *room = cleat_buffer_reserve(buffer, length);
    if (room && length > 0) {
        memcpy(room, data, length);
        cleat_buffer_advance(buffer, length);
    }
    return buffer->failed;
}

int cleat_buffer_text(struct cleat_buffer *buffer, const char *text)
{
    return cleat_buffer_append(buffer, text, strlen(text));
}

int cleat_buffer_str(struct cleat_buffer *buffer, struct cleat_str text)
{
    return cleat_buffer_append(buffer, text.data, text.length);
}

int cleat_buffer_byte(struct cleat_buffer *buffer, char byte)
{
    return cleat_buffer_append(buffer, &byte, 1);
}

int cleat_buffer_format(struct cleat_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = cleat_buffer_reserve(buffer, length < 0 ? SIZE_MAX : (size_t)length);
    if (room) {
        va_start(args, format);
        (void)vsnprintf(room, (size_t)length + 1, format, args); /* the length is known to fit */
        va_end(args);
        cleat_buffer_advance(buffer, (size_t)length);
    }
    return buffer->failed;
}

struct cleat_str cleat_buffer_view(const struct cleat_buffer *buffer)
{
    return (struct cleat_str){buffer->data, buffer->length};
}

char *cleat_buffer_take(struct cleat_buffer *buffer)
{
    char *data = NULL;
    if (cleat_buffer_reserve(buffer, 0)) {
        data = buffer->data;
        cleat_buffer_init(buffer, buffer->bytes_max);
    }
    return data;
}
