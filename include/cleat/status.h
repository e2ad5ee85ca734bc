/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metav1.Status: the API server's errors, encoded once for server and client.
 */
#ifndef CLEAT_STATUS_H
#define CLEAT_STATUS_H

#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/value.h>
#include <stdbool.h>
#include <stddef.h>

CLEAT_BEGIN

struct cleat_status_cause {
    const char *reason; /* "FieldValueInvalid", … */
    const char *message;
    const char *field;
};

struct cleat_status {
    int code;           /* HTTP status */
    const char *reason; /* "NotFound", …; NULL: derived from the code */
    const char *message;
    const char *group; /* details; NULL where unknown */
    const char *kind;
    const char *name;
    const char *uid;
    int retry_after_s;
    const struct cleat_status_cause *causes;
    size_t cause_count;
};

/** Appends a Status object as JSON ("status": "Failure", or "Success" for codes below 400). */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_status_write(const struct cleat_status *status,
                                                     struct cleat_buffer *buffer);
/**
 * Turns an answer (HTTP @code, @root its parsed body or absent) into an error: text from message
 * and causes, reason, http_status, retry_after_ms; code: 404 -ENOENT, 409 AlreadyExists -EEXIST,
 * 409 Conflict -EAGAIN, 403 -EACCES, 401 -EPERM, 410 -ESTALE, 422/400 -EINVAL, 413 -E2BIG, 429
 * -EBUSY, 504 -ETIMEDOUT, 5xx -EIO.
 * @post: the method was POST (a bare 409 is then AlreadyExists). Returns the code.
 */
CLEAT_EXPORT int cleat_status_decode(int code, struct cleat_value root, bool post,
                                     struct cleat_err *err);
/** The reason that belongs to an HTTP status ("Unknown" where none does). Static. */
CLEAT_EXPORT const char *cleat_status_reason(int code);
/** The HTTP status that belongs to a reason, or 0. */
CLEAT_EXPORT int cleat_status_code(const char *reason);
/**
 * True where @err (may be NULL) came from an answer with that reason ("NotFound", "Conflict", …). A
 * reason that Kubernetes doesn't define is judged by the HTTP status; AlreadyExists only by its
 * reason. Any thread. Source: apimachinery's errors.IsNotFound and its siblings.
 */
CLEAT_EXPORT bool cleat_status_is(const struct cleat_err *err, const char *reason);

CLEAT_END

#endif
