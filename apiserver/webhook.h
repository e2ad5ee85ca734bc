/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission webhooks: the configurations that are stored, asked for each write. Source: Kubernetes
 * documentation, "Dynamic Admission Control"; error texts are the API server's.
 *
 *   configurations ─► match (rules, selectors, conditions) ─► review ─► POST ─► answer checked
 *       mutating: in order, patches applied, asked again where needed; then validating
 *
 * Configurations themselves are never subject to webhooks. Nothing is locked across a call.
 */
#ifndef CLEAT_APISERVER_WEBHOOK_H
#define CLEAT_APISERVER_WEBHOOK_H

#include "apiserver/hooks.h"
#include "apiserver/server.h"
#include "client/transport.h"

#define CLEAT_API_WEBHOOK_NAME_BYTES 256

struct cleat_api_callers;

/** The connections to webhooks, kept alive between calls. @ret is new. */
int cleat_api_callers_new(const struct cleat_clock *clock,
                          struct cleat_api_callers **ret) CLEAT_MUST_CHECK;
/** NULL is fine; returns NULL. No call may be on its way. */
struct cleat_api_callers *cleat_api_callers_free(struct cleat_api_callers *callers);

/* Where a webhook is. */
struct cleat_api_webhook_target {
    char *origin;      /* "https://host:port"; owned, as the rest */
    char *path;        /* begins with a slash */
    char *server_name; /* name that the certificate must have; NULL: the host */
    char *ca_pem;      /* NULL: the system's */
    char *display;     /* URL as messages show it */
};

/** Resolves @hook's clientConfig; services by their Service (ExternalName) or Endpoints. -EINVAL,
 * -ENOENT, -ENOMEM with a text. */
int cleat_api_webhook_target_init(struct cleat_api_server *server, struct cleat_value hook,
                                  struct cleat_api_webhook_target *target,
                                  struct cleat_err *err) CLEAT_MUST_CHECK;
/** Repeatable. */
void cleat_api_webhook_target_fini(struct cleat_api_webhook_target *target);

/** Posts @body within @timeout_ms; the answer must be a 200. @err is worded as Go's client does. */
int cleat_api_callers_post(struct cleat_api_callers *callers,
                           const struct cleat_api_webhook_target *target, struct cleat_str body,
                           int64_t timeout_ms, struct cleat_transport_answer *answer,
                           struct cleat_err *err) CLEAT_MUST_CHECK;

/* One webhook, asked about one operation. */
struct cleat_api_webhook {
    struct cleat_value hook; /* borrowed from its configuration */
    char name[CLEAT_API_WEBHOOK_NAME_BYTES];
    bool mutating;
    bool ignore; /* failurePolicy */
    int64_t timeout_ms;
    const struct cleat_api_version *version; /* in which it wants to see the object */
    char uid[37];                            /* of the review */
};

/** True where @hook's rules and selectors match; sets all of @ret but the review's uid. */
bool cleat_api_webhook_matches(struct cleat_api_server *server, struct cleat_value hook,
                               bool mutating, const struct cleat_api_operation *operation,
                               struct cleat_value object, struct cleat_api_webhook *ret);
/** The selectors' part of it. */
bool cleat_api_webhook_selects(struct cleat_api_server *server, struct cleat_value hook,
                               const struct cleat_api_operation *operation,
                               struct cleat_value object);
/** Its matchConditions: 1 hold, 0 don't, -EINVAL with the text. @review is the review's root. */
int cleat_api_webhook_conditions(const struct cleat_api_webhook *webhook, struct cleat_value review,
                                 struct cleat_err *err) CLEAT_MUST_CHECK;

/** Appends the AdmissionReview; @object as the webhook wants to see it. */
int cleat_api_webhook_review(const struct cleat_api_webhook *webhook,
                             const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_buffer *buffer, struct cleat_err *err) CLEAT_MUST_CHECK;

/* What came back. */
struct cleat_api_webhook_answer {
    bool allowed;
    struct cleat_value status;   /* borrowed from @document; absent */
    struct cleat_value warnings; /* array, or absent */
    struct cleat_document *document;
    struct cleat_document *patch; /* owned; NULL: none */
};

/** Reads and checks an answer. -EINVAL with the text. */
int cleat_api_webhook_answer_init(const struct cleat_api_webhook *webhook, struct cleat_str body,
                                  struct cleat_api_webhook_answer *answer,
                                  struct cleat_err *err) CLEAT_MUST_CHECK;
void cleat_api_webhook_answer_fini(struct cleat_api_webhook_answer *answer);

/** The mutating part. @ret: the changed object, new, or untouched. */
int cleat_api_webhooks_mutate(struct cleat_api_callers *callers, struct cleat_api_server *server,
                              const struct cleat_api_operation *operation,
                              struct cleat_value object, struct cleat_document **ret,
                              struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** The validating part. */
int cleat_api_webhooks_validate(struct cleat_api_callers *callers, struct cleat_api_server *server,
                                const struct cleat_api_operation *operation,
                                struct cleat_value object,
                                struct cleat_api_failure *failure) CLEAT_MUST_CHECK;

#endif
