/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may read /metrics: whom the API server knows by the bearer token and lets `get` the path.
 * After controller-runtime's WithAuthenticationAndAuthorization.
 *
 *   Authorization ─► token ─► TokenReview (kept 1 min) ─► user ─► SubjectAccessReview on the path
 *   (allowed kept 5 min, refused 30 s) ─► 0, 401, 403, or 503 where the API server couldn't be
 * asked
 *
 * Nothing is allowed that the API server didn't allow. Tokens are kept as keyed digests alone, and
 * neither logged nor counted by.
 */
#ifndef CLEAT_SERVER_AUTHORIZER_H
#define CLEAT_SERVER_AUTHORIZER_H

#include <cleat/client.h>
#include <cleat/err.h>
#include <cleat/log.h>
#include <cleat/manager.h>
#include <cleat/metrics.h>
#include <cleat/str.h>

struct cleat_authorizer;

struct cleat_authorizer_options {
    struct cleat_client *client;     /* a reference is kept; aborted by stop, so nobody else's */
    const struct cleat_clock *clock; /* borrowed, as all below; NULL: the system's */
    struct cleat_log *log;
    struct cleat_metrics *metrics; /* cleat_authorizer_requests_total; NULL: none */
    int64_t pause_ms;              /* before the second try; 0: 500 */
};

/** @ret is new. 0, -ENOMEM, -EEXIST. */
int cleat_authorizer_new(const struct cleat_authorizer_options *options,
                         struct cleat_authorizer **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** When no request is judged any more; NULL is fine; returns NULL. */
struct cleat_authorizer *cleat_authorizer_free(struct cleat_authorizer *authorizer);
/**
 * Judges a request by the value of its Authorization header ("" for none), the lower-case method
 * and the path: 0 lets it through; 401 without a token that somebody has, 403 for somebody who may
 * not, 503 where that can't be known now. @arg is the authorizer. Any thread; blocks for as long as
 * the reviews take, three tries each of the client's timeout at the most.
 */
int cleat_authorizer_judge(void *arg, struct cleat_str authorization, const char *verb,
                           const char *path);
/** Ends what is under way, and refuses all further requests with 503, as part of a manager's group
 * HTTP. @authorizer is borrowed for the manager's life. */
struct cleat_runnable cleat_authorizer_runnable(struct cleat_authorizer *authorizer);

#endif
