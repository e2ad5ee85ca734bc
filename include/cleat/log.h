/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log: a constant message plus key and value pairs, one line each (JSON or text) on a
 * descriptor, written by a thread of its own through a bounded queue, so that a blocked reader
 * stops nobody; what didn't fit is counted. Control bytes are escaped. A NULL log drops everything.
 */
#ifndef CLEAT_LOG_H
#define CLEAT_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/str.h>

CLEAT_BEGIN

enum cleat_log_level { CLEAT_LOG_DEBUG, CLEAT_LOG_INFO, CLEAT_LOG_WARN, CLEAT_LOG_ERROR };
enum cleat_log_format { CLEAT_LOG_JSON, CLEAT_LOG_TEXT };

struct cleat_log;

/** One key with its value; made by the functions below and borrowed for the call only. */
struct cleat_log_field {
    const char *key;
    enum {
        CLEAT_LOG_FIELD_STR,
        CLEAT_LOG_FIELD_INT,
        CLEAT_LOG_FIELD_DOUBLE,
        CLEAT_LOG_FIELD_BOOL
    } type;
    struct cleat_str str;
    int64_t integer;
    double number;
};

struct cleat_log_options {
    int fd;                     /* where lines go; not closed by the log */
    enum cleat_log_level level; /* least level that is written */
    enum cleat_log_format format;
    const struct cleat_clock *clock; /* borrowed for the log's life */
    size_t queue_bytes_max;          /* 0: CLEAT_LOG_QUEUE_BYTES_MAX */
};

/** Starts a log and its thread. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_log_new(const struct cleat_log_options *options,
                                                struct cleat_log **ret, struct cleat_err *err);
/** Writes what is queued (at most a second on a blocked descriptor), joins the thread; returns
 * NULL. */
CLEAT_EXPORT struct cleat_log *cleat_log_free(struct cleat_log *log);
/** True where lines of @level are written; false for NULL. */
CLEAT_EXPORT bool cleat_log_enabled(const struct cleat_log *log, enum cleat_log_level level);
/** Changes the least level; any thread. */
CLEAT_EXPORT void cleat_log_set_level(struct cleat_log *log, enum cleat_log_level level);
/** Lines dropped because the queue was full. */
CLEAT_EXPORT uint64_t cleat_log_dropped(const struct cleat_log *log);
/** Waits until everything queued before the call was written, at most @timeout_ms. 0 or -ETIMEDOUT.
 */
CLEAT_EXPORT int cleat_log_flush(struct cleat_log *log, int64_t timeout_ms);

/** Queues one line with @count @fields, all borrowed for the call. Any thread; never blocks on the
 * descriptor. */
CLEAT_EXPORT void cleat_log_write(struct cleat_log *log, enum cleat_log_level level,
                                  const char *message, const struct cleat_log_field *fields,
                                  size_t count);

/** As cleat_log_write, with the fields as struct cleat_log_field arguments up to cleat_log_end().
 */
CLEAT_EXPORT void cleat_log_line(struct cleat_log *log, enum cleat_log_level level,
                                 const char *message, ...);
/** The field that ends cleat_log_line's arguments: one without a key. */
CLEAT_EXPORT struct cleat_log_field cleat_log_end(void);

/* cleat_info(log, "synced", cleat_log_text("kind", kind), cleat_log_int("objects", n)); */
#define cleat_log_at(log, level, ...)                                     \
    do {                                                                  \
        if (cleat_log_enabled((log), (level)))                            \
            cleat_log_line((log), (level), __VA_ARGS__, cleat_log_end()); \
    } while (0)
#define cleat_debug(log, ...) cleat_log_at((log), CLEAT_LOG_DEBUG, __VA_ARGS__)
#define cleat_info(log, ...) cleat_log_at((log), CLEAT_LOG_INFO, __VA_ARGS__)
#define cleat_warn(log, ...) cleat_log_at((log), CLEAT_LOG_WARN, __VA_ARGS__)
#define cleat_error(log, ...) cleat_log_at((log), CLEAT_LOG_ERROR, __VA_ARGS__)

/** A field with a NUL-terminated text; NULL gives an empty one. */
CLEAT_EXPORT struct cleat_log_field cleat_log_text(const char *key, const char *value);
/** A field with a string. */
CLEAT_EXPORT struct cleat_log_field cleat_log_str(const char *key, struct cleat_str value);
/** A field with a whole number. */
CLEAT_EXPORT struct cleat_log_field cleat_log_int(const char *key, int64_t value);
/** A field with a number; NaN and the infinities are written as strings. */
CLEAT_EXPORT struct cleat_log_field cleat_log_double(const char *key, double value);
/** A field with true or false. */
CLEAT_EXPORT struct cleat_log_field cleat_log_bool(const char *key, bool value);
/** The error's text under the key "err". */
CLEAT_EXPORT struct cleat_log_field cleat_log_err(const struct cleat_err *err);

CLEAT_END

#endif
