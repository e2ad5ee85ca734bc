/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request fails with: the contents of a metav1.Status, worded as Kubernetes words them.
 * Functions that fill one return a negative errno for their caller to return; the first writer
 * wins.
 */
#ifndef CLEAT_APISERVER_FAILURE_H
#define CLEAT_APISERVER_FAILURE_H

#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/str.h>
#include <stddef.h>

#define CLEAT_API_CAUSES_MAX 32

struct cleat_api_cause {
    char *reason; /* "FieldValueInvalid"; owned */
    char *message;
    char *field;
};

struct cleat_api_failure {
    int code; /* HTTP status; 0: nothing failed */
    char reason[40];
    char *message; /* owned */
    char *group;   /* details; owned, or NULL */
    char *kind;
    char *name;
    char *continue_; /* of an expired list: metadata.continue; owned, or NULL */
    int retry_after_s;
    struct cleat_api_cause causes[CLEAT_API_CAUSES_MAX]; /* further ones are left out */
    size_t cause_count;
};

#define CLEAT_API_FAILURE_INIT \
    {                          \
        0                      \
    }

/** Frees and empties; repeatable. */
void cleat_api_failure_fini(struct cleat_api_failure *failure);
/** Fills code, reason (NULL: of the code) and the message. Returns -EPROTO always. */
int cleat_api_fail(struct cleat_api_failure *failure, int code, const char *reason,
                   const char *format, ...) CLEAT_PRINTF(4, 5);
/** Adds details (NULL: none). */
void cleat_api_fail_details(struct cleat_api_failure *failure, const char *group, const char *kind,
                            struct cleat_str name);
/** Adds a cause. */
void cleat_api_fail_cause(struct cleat_api_failure *failure, const char *reason, const char *field,
                          const char *format, ...) CLEAT_PRINTF(4, 5);
/** 400 or 500 from an error of a lower layer. Returns -EPROTO. */
int cleat_api_fail_err(struct cleat_api_failure *failure, int code, const struct cleat_err *err);
/** Appends the Status as JSON; a failure is sticky in @buffer. */
int cleat_api_failure_write(const struct cleat_api_failure *failure, struct cleat_buffer *buffer);

#endif
