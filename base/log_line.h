/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of the log as bytes, JSON or text. Pure: no thread, no descriptor, no clock.
 */
#ifndef CLEAT_BASE_LOG_LINE_H
#define CLEAT_BASE_LOG_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <cleat/buffer.h>
#include <cleat/log.h>

struct cleat_log_record {
    int64_t wall_ms;
    enum cleat_log_level level;
    const char *message;
    const struct cleat_log_field *fields;
    size_t count;
};

/**
 * Appends the line with its newline to the empty @buffer. What doesn't fit CLEAT_LOG_LINE_BYTES_MAX
 * is left out, whole fields at a time, and "truncated" says so. 0 or -ENOMEM.
 */
int cleat_log_line_write(struct cleat_buffer *buffer, enum cleat_log_format format,
                         const struct cleat_log_record *record);

#endif
