/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where validation says what is wrong: a function that gets each violation as Kubernetes words it,
 * and the path of what is being looked at.
 */
#ifndef CLEAT_APISERVER_REPORT_H
#define CLEAT_APISERVER_REPORT_H

#include <cleat/buffer.h>
#include <cleat/macro.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include "apiserver/failure.h"
#include "apiserver/registry.h"

#define CLEAT_API_PATH_BYTES_MAX 8192

struct cleat_api_report {
    /* @reason as "FieldValueInvalid"; @detail as `Invalid value: "x": must be …`. NULL: count only.
     */
    void (*fn)(void *arg, const char *reason, const char *field, const char *detail);
    void *arg;
    size_t count;
    struct cleat_buffer path; /* of what is looked at, as "spec.versions[0].name" */
};

/** An empty path; ended by _fini. */
void cleat_api_report_init(struct cleat_api_report *report,
                           void (*fn)(void *arg, const char *reason, const char *field,
                                      const char *detail),
                           void *arg);
void cleat_api_report_fini(struct cleat_api_report *report);
/** Goes into member @key (".key", or "[key]" where it isn't a plain name); returns what leave
 * wants. */
size_t cleat_api_report_enter(struct cleat_api_report *report, struct cleat_str key);
/** The same by text. */
size_t cleat_api_report_field(struct cleat_api_report *report, const char *key);
/** Goes into element @index. */
size_t cleat_api_report_index(struct cleat_api_report *report, size_t index);
/** Goes into "[key]", as Kubernetes writes the keys of maps. */
size_t cleat_api_report_key(struct cleat_api_report *report, struct cleat_str key);
/** Goes to a formatted path below the current one, written as it is to appear. */
size_t cleat_api_report_at(struct cleat_api_report *report, const char *format, ...)
    CLEAT_PRINTF(2, 3);
void cleat_api_report_leave(struct cleat_api_report *report, size_t mark);
/** The path; "<nil>" at the root. Borrowed until the path changes. */
const char *cleat_api_report_path(const struct cleat_api_report *report);
/** One violation at the current path. */
void cleat_api_report_add(struct cleat_api_report *report, const char *reason, const char *format,
                          ...) CLEAT_PRINTF(3, 4);
/** `Required value`, with ": why" where @why isn't "". */
void cleat_api_report_required(struct cleat_api_report *report, const char *why);
/** `Invalid value: VALUE: why`. */
void cleat_api_report_invalid(struct cleat_api_report *report, struct cleat_value value,
                              const char *format, ...) CLEAT_PRINTF(3, 4);
/** `Unsupported value: VALUE: supported values: "a", "b"`; @supported is NULL-terminated. */
void cleat_api_report_unsupported(struct cleat_api_report *report, struct cleat_value value,
                                  const char *const *supported);
/** Appends a value as Kubernetes shows it in messages: strings quoted, the rest as JSON. */
void cleat_api_report_value(struct cleat_buffer *buffer, struct cleat_value value);

/** A sink that makes each violation a cause of an Invalid failure. */
struct cleat_api_report_sink {
    struct cleat_api_failure *failure;
    const struct cleat_api_resource *resource;
    struct cleat_str name;
};

/** The function for a sink. */
void cleat_api_report_fail(void *arg, const char *reason, const char *field, const char *detail);

#endif
