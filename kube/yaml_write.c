/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing YAML in block style. Strings go out plain where every reader takes them for strings, as
 * literal blocks where they have lines, else quoted.
 */
#include "kube/yaml.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "kube/yaml_scalar.h"

#define YAML_KEY_BYTES_MAX 1000 /* beyond 1,024 characters YAML wants another form of key */

struct yaml_writer {
    struct cleat_buffer *buffer;
    struct cleat_err *err;
};

static int yaml_write_value(struct yaml_writer *writer, struct cleat_value value, unsigned indent,
                            bool in_mapping);

static void yaml_indent(struct yaml_writer *writer, unsigned indent)
{
    for (unsigned i = 0; i < indent; i++)
        cleat_buffer_byte(writer->buffer, ' ');
}

static bool yaml_is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* True where some reader might take it for a number or a time. */
static bool yaml_is_numeric(struct cleat_str text)
{
    char first = text.data[0];
    if (!(first >= '0' && first <= '9') && first != '.')
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!strchr("0123456789abcdefABCDEFxXoO:._+-tTzZ ", text.data[i]))
            return false;
    return true;
}

static bool yaml_is_plain(struct cleat_str text)
{
    if (text.length == 0 || text.data[text.length - 1] == ' ' || text.data[text.length - 1] == ':')
        return false;
    if (!yaml_is_alnum(text.data[0]) && !strchr("/_.", text.data[0]))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool safe = yaml_is_alnum(c) || (c && strchr("/_.-+@%()<>=*$~ ;!^", c));
        bool inner = (c == ',' || c == ':') && i + 1 < text.length && text.data[i + 1] != ' ';
        bool comma = c == ',';
        if (!safe && !inner && !comma)
            return false;
    }
    return !yaml_is_numeric(text) && strncmp(text.data, "...", 3) != 0 &&
           cleat__yaml_scalar(text, NULL) == YAML_SCALAR_STR;
}

/* True where it has lines and a literal block gives them back unchanged. */
static bool yaml_is_block(struct cleat_str text)
{
    if (!memchr(text.data ? text.data : "", '\n', text.length))
        return false;
    if (text.data[0] == ' ' || text.data[0] == '\n' || text.data[0] == '\t')
        return false;
    for (size_t at = 0; at < text.length;) {
        char escaped[8];
        char c = text.data[at];
        size_t covered = cleat_utf8_escape(text.data + at, text.length - at, escaped);
        /* Only ASCII: other line ends and byte order marks count differently for some readers. */
        if (c != '\n' && (escaped[0] || (unsigned char)c >= 0x80))
            return false;
        if (c == ' ' && (at + 1 == text.length || text.data[at + 1] == '\n'))
            return false;
        at += covered;
    }
    return true;
}

static void yaml_write_block(struct yaml_writer *writer, struct cleat_str text, unsigned indent)
{
    bool ended = text.data[text.length - 1] == '\n';
    bool more = ended && text.length > 1 && text.data[text.length - 2] == '\n';
    cleat_buffer_text(writer->buffer, more ? "|+" : ended ? "|" : "|-");
    size_t end = ended ? text.length - 1 : text.length;
    for (size_t at = 0; at <= end;) {
        const char *line_end = at < end ? memchr(text.data + at, '\n', end - at) : NULL;
        size_t length = line_end ? (size_t)(line_end - text.data) - at : end - at;
        cleat_buffer_byte(writer->buffer, '\n');
        if (length > 0)
            yaml_indent(writer, indent);
        cleat_buffer_append(writer->buffer, text.data + at, length);
        at += length + 1;
    }
}

/* The code point of the well-formed character of @length bytes at @data. */
static unsigned yaml_code_point(const char *data, size_t length)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned point = (unsigned char)data[0] & masks[length];
    for (size_t i = 1; i < length; i++)
        point = point << 6 | ((unsigned char)data[i] & 0x3fu);
    return point;
}

/* What YAML can't hold as it is, or takes for the end of a line. */
static bool yaml_must_escape(unsigned point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029 ||
           point == 0xfeff || point == 0xfffe || point == 0xffff;
}

static void yaml_write_quoted(struct yaml_writer *writer, struct cleat_str text)
{
    cleat_buffer_byte(writer->buffer, '"');
    for (size_t at = 0; at < text.length;) {
        const char *data = text.data + at;
        size_t length = cleat_utf8_length(data, text.length - at);
        if (length == 0)
            length = 1; /* can't be: values hold UTF-8 only */
        unsigned point = yaml_code_point(data, length);
        if (point == '"' || point == '\\')
            cleat_buffer_byte(writer->buffer, '\\');
        if (point == '\n' || point == '\t')
            cleat_buffer_text(writer->buffer, point == '\n' ? "\\n" : "\\t");
        else if (yaml_must_escape(point))
            cleat_buffer_format(writer->buffer, "\\u%04x", point);
        else
            cleat_buffer_append(writer->buffer, data, length);
        at += length;
    }
    cleat_buffer_byte(writer->buffer, '"');
}

static void yaml_write_str(struct yaml_writer *writer, struct cleat_str text, unsigned indent)
{
    if (yaml_is_plain(text))
        cleat_buffer_str(writer->buffer, text);
    else if (yaml_is_block(text))
        yaml_write_block(writer, text, indent);
    else
        yaml_write_quoted(writer, text);
}

static int yaml_write_key(struct yaml_writer *writer, struct cleat_str key)
{
    if (key.length > YAML_KEY_BYTES_MAX)
        return cleat_err_set(writer->err, -EINVAL, "a key of %zu bytes can't be written as YAML",
                             key.length);
    if (yaml_is_plain(key))
        cleat_buffer_str(writer->buffer, key);
    else
        yaml_write_quoted(writer, key);
    cleat_buffer_byte(writer->buffer, ':');
    return 0;
}

/* Members, the first on the current line (behind a dash) where @inline_first. */
static int yaml_write_object(struct yaml_writer *writer, struct cleat_value object, unsigned indent,
                             bool inline_first)
{
    for (size_t i = 0; i < cleat_value_count(object); i++) {
        struct cleat_str key = {NULL, 0};
        struct cleat_value value = cleat_value_member(object, i, &key);
        if (i > 0 || !inline_first) {
            cleat_buffer_byte(writer->buffer, '\n');
            yaml_indent(writer, indent);
        }
        int r = yaml_write_key(writer, key);
        if (r == 0)
            r = yaml_write_value(writer, value, indent, true);
        if (r < 0)
            return r;
    }
    return 0;
}

static int yaml_write_array(struct yaml_writer *writer, struct cleat_value array, unsigned indent,
                            bool inline_first)
{
    for (size_t i = 0; i < cleat_value_count(array); i++) {
        if (i > 0 || !inline_first) {
            cleat_buffer_byte(writer->buffer, '\n');
            yaml_indent(writer, indent);
        }
        cleat_buffer_byte(writer->buffer, '-');
        int r = yaml_write_value(writer, cleat_value_at(array, i), indent, false);
        if (r < 0)
            return r;
    }
    return 0;
}

static int yaml_write_number(struct yaml_writer *writer, struct cleat_value value)
{
    struct cleat_scratch scratch;
    struct cleat_str text = {"0", 1};
    int outcome = cleat_value_number(value, &scratch, &text);
    enum yaml_scalar meaning = cleat__yaml_scalar(text, NULL);
    if (outcome != 0 || (meaning != YAML_SCALAR_INT && meaning != YAML_SCALAR_FLOAT))
        return cleat_err_set(writer->err, -EINVAL, "number %.*s can't be written as YAML",
                             CLEAT_STR_ARG(text));
    cleat_buffer_byte(writer->buffer, ' ');
    cleat_buffer_str(writer->buffer, text);
    return 0;
}

/* What has members or elements: behind a key on the lines below, behind a dash on its own line. */
static int yaml_write_container(struct yaml_writer *writer, struct cleat_value value,
                                unsigned indent, bool in_mapping)
{
    bool object = cleat_value_type(value) == CLEAT_TYPE_OBJECT;
    if (cleat_value_count(value) == 0) {
        cleat_buffer_text(writer->buffer, object ? " {}" : " []");
        return 0;
    }
    if (indent > 2 * CLEAT_VALUE_DEPTH_MAX)
        return cleat_err_set(writer->err, -E2BIG, "value is nested more than %d deep",
                             CLEAT_VALUE_DEPTH_MAX);
    if (!in_mapping)
        cleat_buffer_byte(writer->buffer, ' ');
    if (object)
        return yaml_write_object(writer, value, indent + 2, !in_mapping);
    return yaml_write_array(writer, value, in_mapping ? indent : indent + 2, !in_mapping);
}

/* A value behind a key's colon or a dash. */
static int yaml_write_value(struct yaml_writer *writer, struct cleat_value value, unsigned indent,
                            bool in_mapping)
{
    struct cleat_scratch scratch;
    switch (cleat_value_type(value)) {
    case CLEAT_TYPE_NULL: cleat_buffer_text(writer->buffer, " null"); return 0;
    case CLEAT_TYPE_BOOL:
        cleat_buffer_text(writer->buffer, cleat_value_is_true(value) ? " true" : " false");
        return 0;
    case CLEAT_TYPE_NUMBER: return yaml_write_number(writer, value);
    case CLEAT_TYPE_STRING:
        cleat_buffer_byte(writer->buffer, ' ');
        yaml_write_str(writer, cleat_value_text(value, &scratch), indent + 2);
        return 0;
    case CLEAT_TYPE_ARRAY:
    case CLEAT_TYPE_OBJECT: return yaml_write_container(writer, value, indent, in_mapping);
    default:
        return cleat_err_set(writer->err, -ENODATA, "a value that is %s can't be written",
                             cleat_value_type_name(cleat_value_type(value)));
    }
}

int cleat_yaml_write(struct cleat_buffer *buffer, struct cleat_value value, struct cleat_err *err)
{
    struct yaml_writer writer = {buffer, err};
    size_t start = buffer->length;
    enum cleat_value_type type = cleat_value_type(value);
    bool container = type == CLEAT_TYPE_OBJECT || type == CLEAT_TYPE_ARRAY;
    int r = 0;
    if (container && cleat_value_count(value) > 0)
        r = type == CLEAT_TYPE_OBJECT ? yaml_write_object(&writer, value, 0, true)
                                      : yaml_write_array(&writer, value, 0, true);
    else
        r = yaml_write_value(&writer, value, 0, false);
    cleat_buffer_byte(buffer, '\n');
    if (r == 0)
        return buffer->failed;
    if (!buffer->failed) {
        buffer->length = start;
        buffer->data[start] = '\0';
    }
    return r;
}
