/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission and conversion webhooks: bytes in, bytes out, no sockets. A registry finds the handler
 * by path; a compute handler runs where it is called, a blocking one (that asks the API server)
 * only where waiting stalls nobody else. Our own fault is an error, never "allowed". Source:
 * Kubernetes documentation, "Dynamic Admission Control" (AdmissionReview v1), "CRD versioning".
 */
#ifndef CLEAT_WEBHOOK_H
#define CLEAT_WEBHOOK_H

#include <cleat/clock.h>
#include <cleat/document.h>
#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/gvk.h>
#include <cleat/log.h>
#include <cleat/metrics.h>
#include <cleat/value.h>

CLEAT_BEGIN

struct cleat_webhooks;

enum cleat_operation {
    CLEAT_OPERATION_CREATE = 1 << 0,
    CLEAT_OPERATION_UPDATE = 1 << 1,
    CLEAT_OPERATION_DELETE = 1 << 2,
    CLEAT_OPERATION_CONNECT = 1 << 3,
};

/** An AdmissionReview's request; everything borrowed until the handler returns. */
struct cleat_review {
    struct cleat_str uid;
    struct cleat_gvk kind;
    struct cleat_str resource_group, resource_version, resource; /* plural */
    struct cleat_str subresource;
    struct cleat_str namespace_;
    struct cleat_str name; /* taken from the object where the request has none (generateName: "") */
    enum cleat_operation operation;
    struct cleat_str username;
    struct cleat_str user_uid;
    struct cleat_value groups;     /* array, or absent */
    struct cleat_value extra;      /* object, or absent */
    struct cleat_value object;     /* absent on DELETE */
    struct cleat_value old_object; /* absent on CREATE */
    struct cleat_value options;
    bool dry_run;
    struct cleat_value request; /* the whole request, for what isn't above */
    int64_t deadline_mono_ms;   /* of everything that is asked for this review */
    const struct cleat_clock *clock;
    struct cleat_log *log;
};

#define CLEAT_WARNINGS_MAX 16
#define CLEAT_AUDIT_MAX 8

/** What a handler decides; zeroed before the call, so that doing nothing is a fault, not an
 * "allowed". */
struct cleat_verdict;

/** Allows the request. */
CLEAT_EXPORT void cleat_verdict_allow(struct cleat_verdict *verdict);
/** Denies with HTTP @code (0: 403) and @reason (NULL: from the code). The message is copied and cut
 * at 4 KiB. */
CLEAT_EXPORT void cleat_verdict_deny(struct cleat_verdict *verdict, int code, const char *reason,
                                     const char *format, ...) CLEAT_PRINTF(4, 5);
/** Adds a warning (copied, cut at 256 bytes); beyond CLEAT_WARNINGS_MAX they are dropped. */
CLEAT_EXPORT void cleat_verdict_warn(struct cleat_verdict *verdict, const char *format, ...)
    CLEAT_PRINTF(2, 3);
/** Adds an audit annotation (copied). */
CLEAT_EXPORT void cleat_verdict_audit(struct cleat_verdict *verdict, const char *key,
                                      const char *value);
/** Mutating: allows with what @draft (over review->object; borrowed until the answer is written)
 * makes of it. */
CLEAT_EXPORT void cleat_verdict_patch(struct cleat_verdict *verdict, struct cleat_draft *draft);
/** Mutating: a new draft over review->object that the verdict owns. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_verdict_draft(struct cleat_verdict *verdict,
                                                      const struct cleat_review *review,
                                                      struct cleat_draft **ret,
                                                      struct cleat_err *err);

/**
 * Judges. 0: the verdict holds. Negative: no verdict: -ESTALE or -EAGAIN (a cache that isn't
 * synced) answers 503 with Retry-After, all else 500, and the failurePolicy decides.
 */
typedef int (*cleat_admit_fn)(void *arg, const struct cleat_review *review,
                              struct cleat_verdict *verdict, struct cleat_err *err);
/** Converts @object to @to_api_version, by changing @draft. Negative: the whole review fails with
 * @err's text. */
typedef int (*cleat_convert_fn)(void *arg, struct cleat_value object,
                                struct cleat_str to_api_version, struct cleat_draft *draft,
                                struct cleat_err *err);

enum cleat_webhook_type { CLEAT_WEBHOOK_VALIDATING, CLEAT_WEBHOOK_MUTATING };

struct cleat_webhook_options {
    const char *path; /* NULL: built from type and kind as controller-runtime does */
    enum cleat_webhook_type type;
    struct cleat_gvk kind; /* for the path; with check_kind other kinds are refused with 400 */
    bool check_kind;
    bool blocking;
    unsigned operations; /* CLEAT_OPERATION_…; 0: all; others are allowed untouched */
    cleat_admit_fn admit;
    void *arg;
};

struct cleat_webhooks_options {
    const struct cleat_clock *clock;
    struct cleat_log *log;
    struct cleat_metrics *metrics;
    size_t body_bytes_max;      /* 0: 16 MiB */
    size_t bytes_in_flight_max; /* bodies and what they become when parsed; 0: 64 MiB */
    int64_t timeout_ms;         /* where the request has no timeout= : 10,000 */
};

/** A registry without paths. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_webhooks_new(const struct cleat_webhooks_options *options,
                                                     struct cleat_webhooks **ret,
                                                     struct cleat_err *err);
/** Releases it; no request may be in it any more. NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_webhooks *cleat_webhooks_free(struct cleat_webhooks *webhooks);
/** -EEXIST for a path that is taken, -EINVAL for one that isn't segments of letters, digits, - and
 * _. Any time. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_webhooks_add(struct cleat_webhooks *webhooks,
                                                     const struct cleat_webhook_options *options,
                                                     struct cleat_err *err);
/** Registers the converter for objects of @kind's group and kind at /convert. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_webhooks_convert(struct cleat_webhooks *webhooks,
                                                         const struct cleat_gvk *kind,
                                                         cleat_convert_fn fn, void *arg,
                                                         struct cleat_err *err);
/** "/validate-<group with dashes>-<version>-<kind>" with its NUL. -ENAMETOOLONG. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_webhook_path(enum cleat_webhook_type type,
                                                     const struct cleat_gvk *kind, char *ret,
                                                     size_t size);

/** What an edge must know before it reads a body. */
struct cleat_webhook_route {
    bool found;
    bool blocking;
};
/** What is registered at @path. Any thread. */
CLEAT_EXPORT struct cleat_webhook_route cleat_webhooks_route(struct cleat_webhooks *webhooks,
                                                             const char *path);
/**
 * Answers one request on @path: @query is what follows '?' ("" if nothing: timeout=5s is
 * understood), @body the whole body. Returns the HTTP status; appends the answer's body (JSON for
 * 200, else one line of text) to @answer;
 * *@ret_retry_after_s > 0 asks for that header. Never fails otherwise: 500 is its last resort. Any
 * thread.
 */
CLEAT_EXPORT int cleat_webhooks_answer(struct cleat_webhooks *webhooks, const char *path,
                                       const char *query, struct cleat_str body,
                                       struct cleat_buffer *answer, int *ret_retry_after_s);

CLEAT_END

#endif
