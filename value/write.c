/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer is on the path of every admission answer and every write. It reads nodes as they lie,
 * keeps its hands off the buffer's functions where there is room, copies strings sixteen bytes at a
 * time while it looks for what must be escaped, and carries the place of what it writes as a chain
 * on the stack, which is read only when something goes wrong.
 *
 * Invariant: after a failure the buffer holds what it held before.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include <cleat/write.h>
#include "base/limits.h"
#include "base/utf8.h"
#include "value/node.h"
#include "value/writer.h"

#define WRITER_LIKELY(condition) __builtin_expect(!!(condition), 1)

struct writer {
    struct cleat_buffer *buffer;
    struct cleat_err *err;
    int not_kept; /* what to return for a value that wasn't kept */
    bool pretty;
};

static int writer_value(struct writer *writer, struct cleat_value value,
                        const struct cleat_place *place, unsigned depth);

/* -- bytes -- */

/* Room for @length bytes at the end, or NULL with the buffer's failure set. */
static inline char *writer_room(struct cleat_buffer *buffer, size_t length)
{
    if (WRITER_LIKELY(!buffer->failed && buffer->capacity - buffer->length > length &&
                      buffer->bytes_max - buffer->length >= length))
        return buffer->data + buffer->length;
    return cleat_buffer_reserve(buffer, length);
}

static inline void writer_put(struct cleat_buffer *buffer, const char *data, size_t length)
{
    char *at = writer_room(buffer, length);

    if (!at)
        return;
    memcpy(at, data, length);
    buffer->length += length;
}

static inline void writer_byte(struct cleat_buffer *buffer, char byte)
{
    char *at = writer_room(buffer, 1);

    if (!at)
        return;
    *at = byte;
    buffer->length++;
}

/* -- strings -- */

static inline bool writer_escapes(unsigned char byte)
{
    return byte < 0x20 || byte == '"' || byte == '\\';
}

static inline size_t writer_plain_bytes(const char *data, size_t start, size_t length)
{
    size_t i = start;

    while (i < length && !writer_escapes((unsigned char)data[i]))
        i++;
    return i;
}

/* True where none of the eight bytes needs an escape (bit tricks over whole words; no false
 * negatives). */
static inline bool writer_word_plain(const char *data)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t word, quote, slash;

    memcpy(&word, data, sizeof(word));
    quote = word ^ (ones * '"');
    slash = word ^ (ones * '\\');
    return ((((word - ones * 0x20) | (quote - ones) | (slash - ones)) & ~word) & highs) == 0;
}

#if defined(__SSE2__)
static inline unsigned writer_block_mask(const char *data)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)data);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
    __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, slash)));
}

static inline size_t writer_plain_long(const char *data, size_t length)
{
    size_t i = 0;

    for (; i + 16 <= length; i += 16) {
        unsigned mask = writer_block_mask(data + i);
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
    }
    if (i < length) { /* the last block again, up to the end */
        unsigned mask = writer_block_mask(data + length - 16);
        if (mask)
            return length - 16 + (size_t)__builtin_ctz(mask);
    }
    return length;
}
#else
static inline size_t writer_plain_long(const char *data, size_t length)
{
    size_t i = 0;

    while (i + 8 <= length && writer_word_plain(data + i))
        i += 8;
    return writer_plain_bytes(data, i, length);
}
#endif

static inline size_t writer_plain(const char *data, size_t length)
{
    if (length >= 16)
        return writer_plain_long(data, length);
    if (length >= 8 && writer_word_plain(data) && writer_word_plain(data + length - 8))
        return length;
    return writer_plain_bytes(data, 0, length);
}

size_t cleat_writer_plain(const char *data, size_t length)
{
    return writer_plain(data, length);
}

static void writer_escape(struct cleat_buffer *buffer, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
    size_t length = 2;

    switch (byte) {
    case '"': text[1] = '"'; break;
    case '\\': text[1] = '\\'; break;
    case '\b': text[1] = 'b'; break;
    case '\f': text[1] = 'f'; break;
    case '\n': text[1] = 'n'; break;
    case '\r': text[1] = 'r'; break;
    case '\t': text[1] = 't'; break;
    default: length = 6; break;
    }
    writer_put(buffer, text, length);
}

static void writer_escaped(struct cleat_buffer *buffer, const char *data, size_t length)
{
    while (length > 0) {
        size_t plain = writer_plain(data, length);
        writer_put(buffer, data, plain);
        if (plain == length)
            return;
        writer_escape(buffer, (unsigned char)data[plain]);
        data += plain + 1;
        length -= plain + 1;
    }
}

void cleat_writer_escaped(struct cleat_buffer *buffer, struct cleat_str text)
{
    writer_escaped(buffer, text.data, text.length);
    if (buffer->data)
        buffer->data[buffer->length] = '\0';
}

/* Copies eight bytes; true where none needs an escape. */
static inline bool writer_copy_word(char *at, const char *data)
{
    memcpy(at, data, 8);
    return writer_word_plain(data);
}

static inline bool writer_copy_block(char *at, const char *data)
{
#if defined(__SSE2__)
    memcpy(at, data, 16);
    return writer_block_mask(data) == 0;
#else
    return writer_copy_word(at, data) && writer_copy_word(at + 8, data + 8);
#endif
}

/* Copies all of it where none needs an escape; else false, with anything at @at. */
static inline bool writer_copy_plain(char *at, const char *data, size_t length)
{
    if (length >= 16) {
        for (size_t i = 0; i + 16 <= length; i += 16)
            if (!writer_copy_block(at + i, data + i))
                return false;
        return writer_copy_block(at + length - 16, data + length - 16);
    }
    if (length >= 8)
        return writer_copy_word(at, data) && writer_copy_word(at + length - 8, data + length - 8);
    for (size_t i = 0; i < length; i++) {
        if (writer_escapes((unsigned char)data[i]))
            return false;
        at[i] = data[i];
    }
    return true;
}

/* A string in quotes, with a key's ": " or ":" behind it. Here is where most bytes go. */
static inline void writer_quoted(struct cleat_buffer *buffer, struct cleat_str text,
                                 const char *behind, size_t behind_length)
{
    char *at = writer_room(buffer, text.length + 2 + behind_length);

    if (!at)
        return;
    if (WRITER_LIKELY(writer_copy_plain(at + 1, text.data, text.length))) {
        *at = '"';
        at += text.length + 1;
        *at++ = '"';
        memcpy(at, behind, behind_length);
        buffer->length += text.length + 2 + behind_length;
        return;
    }
    writer_byte(buffer, '"');
    writer_escaped(buffer, text.data, text.length);
    writer_byte(buffer, '"');
    writer_put(buffer, behind, behind_length);
}

/* -- values -- */

static void writer_line(struct writer *writer, unsigned depth)
{
    static const char blanks[] = "                                ";
    size_t left = 2 * (size_t)depth;

    writer_byte(writer->buffer, '\n');
    while (left > 0) {
        size_t some = left < sizeof(blanks) - 1 ? left : sizeof(blanks) - 1;
        writer_put(writer->buffer, blanks, some);
        left -= some;
    }
}

/* What stands before a member or element. */
static inline void writer_separate(struct writer *writer, bool first, unsigned depth)
{
    if (!first)
        writer_byte(writer->buffer, ',');
    if (writer->pretty)
        writer_line(writer, depth + 1);
}

static int writer_close(struct writer *writer, char bracket, unsigned depth)
{
    if (writer->pretty)
        writer_line(writer, depth);
    writer_byte(writer->buffer, bracket);
    return writer->buffer->failed;
}

/* An object with members; the empty one is a constant. */
static int writer_object(struct writer *writer, const struct cleat_heap *heap, const uint32_t *node,
                         const struct cleat_place *up, unsigned depth)
{
    const uint32_t *keys = node_payload_const(node_at(heap, node[1]));
    const uint32_t *values = object_values(node);
    uint32_t count = object_count(heap, node);
    struct cleat_place place = {up, {"", 0}, 0};

    writer_byte(writer->buffer, '{');
    for (uint32_t i = 0; i < count; i++) {
        struct cleat_value value = {heap, values[i]};
        int r;
        place.key = node_bytes(node_at(heap, keys[i]));
        writer_separate(writer, i == 0, depth);
        writer_quoted(writer->buffer, place.key, ": ", writer->pretty ? 2 : 1);
        r = writer_value(writer, value, &place, depth + 1);
        if (r < 0)
            return r;
    }
    return writer_close(writer, '}', depth);
}

static int writer_array(struct writer *writer, const struct cleat_heap *heap, const uint32_t *node,
                        const struct cleat_place *up, unsigned depth)
{
    const uint32_t *elements = node_payload_const(node);
    uint32_t count = node_size(node);
    struct cleat_place place = {up, {NULL, 0}, 0};

    writer_byte(writer->buffer, '[');
    for (; place.index < count; place.index++) {
        struct cleat_value value = {heap, elements[place.index]};
        int r;
        writer_separate(writer, place.index == 0, depth);
        r = writer_value(writer, value, &place, depth + 1);
        if (r < 0)
            return r;
    }
    return writer_close(writer, ']', depth);
}

static int writer_number(struct cleat_buffer *buffer, struct cleat_value value)
{
    struct cleat_scratch scratch;
    struct cleat_str text = {NULL, 0};

    if (cleat_value_number(value, &scratch, &text))
        return -EINVAL; /* can't be: the type was asked */
    writer_put(buffer, text.data, text.length);
    return buffer->failed;
}

static int writer_string(struct cleat_buffer *buffer, struct cleat_value value)
{
    struct cleat_scratch scratch;
    struct cleat_str text = {NULL, 0};

    if (cleat_value_str(value, &scratch, &text))
        return -EINVAL; /* can't be: the type was asked */
    writer_quoted(buffer, text, "", 0);
    return buffer->failed;
}

static int writer_refuse(struct writer *writer, int code, const struct cleat_place *place,
                         const char *fact)
{
    char text[CLEAT_PLACE_TEXT_BYTES_MAX];

    return cleat_err_set(writer->err, code, "%s %s", cleat_place_text(place, text), fact);
}

/* A value that is its own reference. */
static int writer_immediate(struct writer *writer, struct cleat_value value,
                            const struct cleat_place *place, unsigned depth)
{
    struct cleat_buffer *buffer = writer->buffer;

    switch (value.ref) {
    case REF_NOT_KEPT:
        return writer_refuse(writer, writer->not_kept, place, "wasn't kept by the projection");
    case REF_NULL: writer_put(buffer, "null", 4); return buffer->failed;
    case REF_TRUE: writer_put(buffer, "true", 4); return buffer->failed;
    case REF_FALSE: writer_put(buffer, "false", 5); return buffer->failed;
    case REF_EMPTY_ARRAY:
    case REF_EMPTY_OBJECT:
        if (depth >= CLEAT_VALUE_DEPTH_MAX)
            return writer_refuse(writer, -E2BIG, place, "is nested too deeply");
        writer_put(buffer, value.ref == REF_EMPTY_ARRAY ? "[]" : "{}", 2);
        return buffer->failed;
    default: break;
    }
    return (value.ref & REF_KIND_MASK) == REF_SMALL ? writer_number(buffer, value)
                                                    : writer_string(buffer, value);
}

static int writer_value(struct writer *writer, struct cleat_value value,
                        const struct cleat_place *place, unsigned depth)
{
    const uint32_t *node;

    value = value_resolve(value);
    if (!ref_is_node(value.ref))
        return writer_immediate(writer, value, place, depth);
    if (value.ref == CLEAT_REF_ABSENT)
        return writer_refuse(writer, -EINVAL, place, "is absent");
    node = node_at(value.heap, value.ref);
    switch (node_type(node)) {
    case NODE_STRING:
        writer_quoted(writer->buffer, node_bytes(node), "", 0);
        return writer->buffer->failed;
    case NODE_PACKED: return writer_string(writer->buffer, value);
    case NODE_OBJECT:
        if (depth < CLEAT_VALUE_DEPTH_MAX)
            return writer_object(writer, value.heap, node, place, depth);
        return writer_refuse(writer, -E2BIG, place, "is nested too deeply");
    case NODE_ARRAY:
        if (depth < CLEAT_VALUE_DEPTH_MAX)
            return writer_array(writer, value.heap, node, place, depth);
        return writer_refuse(writer, -E2BIG, place, "is nested too deeply");
    default: return writer_number(writer->buffer, value);
    }
}

/* Writes all or nothing. */
static int writer_run(struct writer *writer, struct cleat_value value,
                      const struct cleat_place *place, unsigned depth)
{
    struct cleat_buffer *buffer = writer->buffer;
    size_t start = buffer->length;
    int r = buffer->failed ? buffer->failed : writer_value(writer, value, place, depth);

    if (r < 0)
        buffer->length = start;
    if (buffer->data)
        buffer->data[buffer->length] = '\0';
    if (r < 0 && r == buffer->failed)
        return cleat_err_set(writer->err, r, "JSON text is larger than %zu bytes or out of memory",
                             buffer->bytes_max);
    return r;
}

int cleat_writer_value(struct cleat_buffer *buffer, struct cleat_value value,
                       const struct cleat_place *place, unsigned depth, int not_kept,
                       struct cleat_err *err)
{
    struct writer writer = {buffer, err, not_kept, false};

    return writer_run(&writer, value, place, depth);
}

int cleat_write_json(struct cleat_buffer *buffer, struct cleat_value value, struct cleat_err *err)
{
    struct writer writer = {buffer, err, -ENODATA, false};

    return writer_run(&writer, value, NULL, 0);
}

int cleat_write_pretty(struct cleat_buffer *buffer, struct cleat_value value, struct cleat_err *err)
{
    struct writer writer = {buffer, err, -ENODATA, true};

    return writer_run(&writer, value, NULL, 0);
}

/* Text that isn't UTF-8 somewhere: U+FFFD for each byte that belongs to no character. */
static void writer_mended(struct cleat_buffer *buffer, struct cleat_str text)
{
    size_t start = 0, i = 0;

    while (i < text.length) {
        size_t length = cleat_utf8_length(text.data + i, text.length - i);
        if (length == 0) {
            writer_escaped(buffer, text.data + start, i - start);
            writer_put(buffer, "\xEF\xBF\xBD", 3);
            start = i + 1;
        }
        i += length ? length : 1;
    }
    writer_escaped(buffer, text.data + start, i - start);
}

void cleat_write_string(struct cleat_buffer *buffer, struct cleat_str text)
{
    writer_byte(buffer, '"');
    if (cleat_utf8_valid(text))
        writer_escaped(buffer, text.data, text.length);
    else
        writer_mended(buffer, text);
    writer_byte(buffer, '"');
    if (buffer->data)
        buffer->data[buffer->length] = '\0';
}
