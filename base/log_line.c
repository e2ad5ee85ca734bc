/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line can't be broken by what is logged: control characters and malformed UTF-8 are written as
 * escapes, and a line that grows too long loses fields, never its end.
 */
#include "base/log_line.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/civil.h"
#include "base/limits.h"
#include "base/utf8.h"

#define LOG_MESSAGE_BYTES_MAX 1024
#define LOG_VALUE_BYTES_MAX 4096
#define LOG_END_BYTES 32 /* room for the mark of truncation and the end of the line */

static const char *const log_levels_json[] = {"debug", "info", "warn", "error"};
static const char *const log_levels_text[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};

static struct cleat_str log_line_cut(struct cleat_str text, size_t bytes_max, bool *truncated)
{
    size_t length = cleat_utf8_cut(text, bytes_max);
    *truncated = *truncated || length < text.length;
    return (struct cleat_str){text.data, length};
}

/* The inside of a quoted string; in JSON the backslash of our own escapes is escaped itself. */
static void log_line_escaped(struct cleat_buffer *buffer, struct cleat_str text, bool json)
{
    size_t at = 0;
    while (at < text.length) {
        char escaped[8];
        char c = text.data[at];
        size_t covers = cleat_utf8_escape(text.data + at, text.length - at, escaped);
        if (escaped[0]) {
            if (json && escaped[1] == 'x') {
                cleat_buffer_format(buffer, (unsigned char)c < 0x80 ? "\\u%04x" : "\\\\x%02x",
                                    (unsigned)(unsigned char)c);
            } else {
                cleat_buffer_text(buffer, escaped);
            }
        } else {
            if (c == '"' || c == '\\')
                cleat_buffer_byte(buffer, '\\');
            cleat_buffer_append(buffer, text.data + at, covers);
        }
        at += covers;
    }
}

static void log_line_quoted(struct cleat_buffer *buffer, struct cleat_str text, bool json)
{
    cleat_buffer_byte(buffer, '"');
    log_line_escaped(buffer, text, json);
    cleat_buffer_byte(buffer, '"');
}

/* True where the text format can show @text without quotes. */
static bool log_line_is_plain(struct cleat_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return text.length > 0;
}

static void log_line_text(struct cleat_buffer *buffer, struct cleat_str text)
{
    if (log_line_is_plain(text))
        cleat_buffer_str(buffer, text);
    else
        log_line_quoted(buffer, text, false);
}

/* The shortest of two forms that reads back as the same number, with a point whatever the locale
 * says. */
static void log_line_double(struct cleat_buffer *buffer, double number, bool json)
{
    char text[40];
    if (!isfinite(number)) {
        const char *name = isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf";
        cleat_buffer_format(buffer, json ? "\"%s\"" : "%s", name);
        return;
    }
    (void)snprintf(text, sizeof(text), "%.15g", number);
    if (strtod(text, NULL) != number)
        (void)snprintf(text, sizeof(text), "%.17g", number);
    for (char *c = text; *c; c++)
        if (*c == ',')
            *c = '.';
    cleat_buffer_text(buffer, text);
}

static void log_line_value(struct cleat_buffer *buffer, const struct cleat_log_field *field,
                           bool json, bool *truncated)
{
    switch (field->type) {
    case CLEAT_LOG_FIELD_STR: {
        struct cleat_str text = log_line_cut(field->str, LOG_VALUE_BYTES_MAX, truncated);
        if (json)
            log_line_quoted(buffer, text, true);
        else
            log_line_text(buffer, text);
        break;
    }
    case CLEAT_LOG_FIELD_INT: cleat_buffer_format(buffer, "%lld", (long long)field->integer); break;
    case CLEAT_LOG_FIELD_DOUBLE: log_line_double(buffer, field->number, json); break;
    case CLEAT_LOG_FIELD_BOOL: cleat_buffer_text(buffer, field->integer ? "true" : "false"); break;
    }
}

static void log_line_field(struct cleat_buffer *buffer, const struct cleat_log_field *field,
                           bool json, bool *truncated)
{
    size_t before = buffer->length;
    struct cleat_str key = cleat_str_of(field->key);
    if (json) {
        cleat_buffer_byte(buffer, ',');
        log_line_quoted(buffer, key, true);
        cleat_buffer_byte(buffer, ':');
    } else {
        cleat_buffer_byte(buffer, ' ');
        log_line_text(buffer, key);
        cleat_buffer_byte(buffer, '=');
    }
    log_line_value(buffer, field, json, truncated);
    if (buffer->failed == -ENOBUFS || buffer->length > CLEAT_LOG_LINE_BYTES_MAX - LOG_END_BYTES) {
        buffer->failed = buffer->failed == -ENOBUFS ? 0 : buffer->failed;
        buffer->length = before;
        *truncated = true;
    }
}

static void log_line_start(struct cleat_buffer *buffer, const struct cleat_log_record *record,
                           bool json, bool *truncated)
{
    char time[CLEAT_CIVIL_TEXT_BYTES];
    struct cleat_str message =
        log_line_cut(cleat_str_of(record->message), LOG_MESSAGE_BYTES_MAX, truncated);
    cleat_civil_text(record->wall_ms, time);
    if (json) {
        cleat_buffer_format(buffer, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", time,
                            log_levels_json[record->level]);
        log_line_quoted(buffer, message, true);
    } else {
        cleat_buffer_format(buffer, "%s %s ", time, log_levels_text[record->level]);
        log_line_escaped(buffer, message, false);
    }
}

int cleat_log_line_write(struct cleat_buffer *buffer, enum cleat_log_format format,
                         const struct cleat_log_record *record)
{
    bool json = format == CLEAT_LOG_JSON;
    bool truncated = false;
    buffer->bytes_max = CLEAT_LOG_LINE_BYTES_MAX;
    log_line_start(buffer, record, json, &truncated);
    for (size_t i = 0; i < record->count; i++)
        log_line_field(buffer, &record->fields[i], json, &truncated);
    if (truncated)
        cleat_buffer_text(buffer, json ? ",\"truncated\":true" : " truncated=true");
    return cleat_buffer_text(buffer, json ? "}\n" : "\n");
}
