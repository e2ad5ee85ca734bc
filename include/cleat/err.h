/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error detail. A function that can fail returns an int (0 success, > 0 an outcome declared beside
 * it, < 0 a negative errno) and, where there is more to say, fills a caller-owned struct cleat_err
 * given as its last parameter, which may be NULL. The first writer wins, so that the lowest layer's
 * words survive.
 *
 * Owned by the caller, on its stack as a rule; never thread-local, because errors travel across
 * threads.
 */
#ifndef CLEAT_ERR_H
#define CLEAT_ERR_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/macro.h>

CLEAT_BEGIN

/** Longest text of an error in bytes, with its terminating NUL; longer texts are cut at a
 * character. */
#define CLEAT_ERR_TEXT_BYTES_MAX 384

struct cleat_err {
    int code;               /* negative errno; 0 while nothing was written */
    int http_status;        /* status of the answer that this error came from, or 0 */
    int64_t retry_after_ms; /* from Retry-After; 0 where the answer had none */
    char reason[40];        /* Kubernetes' reason, as "NotFound"; "" where there is none */
    char text[CLEAT_ERR_TEXT_BYTES_MAX]; /* one line, no trailing period, names the object and the
                                            fact */
    const char *file;                    /* origin; static strings */
    const char *func;
    int line;
};

#define CLEAT_ERR_INIT \
    {                  \
        0              \
    }

/** Writes the error unless it already holds one; control bytes in the text are escaped. Returns
 * @code. */
#define cleat_err_set(err, code, ...) \
    cleat_err_set_at((err), (code), __FILE__, __func__, __LINE__, __VA_ARGS__)

/** What cleat_err_set calls; @file and @func are kept as they are and must be static. Returns
 * @code. */
CLEAT_EXPORT int cleat_err_set_at(struct cleat_err *err, int code, const char *file,
                                  const char *func, int line, const char *format, ...)
    CLEAT_PRINTF(6, 7);

/** Puts "<prefix>: " in front of the text, for a layer that knows which object it was. @err may be
 * NULL. */
CLEAT_EXPORT void cleat_err_prefix(struct cleat_err *err, const char *format, ...)
    CLEAT_PRINTF(2, 3);

/** Empties the error so that it can be written again. */
CLEAT_EXPORT void cleat_err_clear(struct cleat_err *err);

/** The text, or the name of the code where no text was written. Borrowed, valid while @err is
 * unchanged. */
CLEAT_EXPORT const char *cleat_err_text(const struct cleat_err *err);

CLEAT_END

#endif
