/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server serves, by raw path: webhooks, metrics, health. From bytes to bytes, no sockets.
 * Any thread; constant once it serves.
 */
#ifndef CLEAT_SERVER_HTTP_SITE_H
#define CLEAT_SERVER_HTTP_SITE_H

#include <stdbool.h>

#include <cleat/buffer.h>
#include <cleat/health.h>
#include <cleat/metrics.h>
#include <cleat/webhook.h>

#include "base/budget.h"

struct cleat_http_site {
    struct cleat_webhooks *webhooks; /* all borrowed; NULL: not served */
    struct cleat_metrics *metrics;
    struct cleat_health *healthz;
    struct cleat_health *readyz;
    /* Judges requests for metrics, as in struct cleat_server_options; NULL: anybody may read. */
    int (*authorize)(void *arg, struct cleat_str authorization, const char *verb, const char *path);
    void *authorize_arg;
};

enum cleat_http_kind {
    CLEAT_HTTP_NOTHING,
    CLEAT_HTTP_WEBHOOK, /* POST */
    CLEAT_HTTP_METRICS, /* GET and HEAD, as all below */
    CLEAT_HTTP_HEALTH,
};

struct cleat_http_target {
    enum cleat_http_kind kind;
    struct cleat_health *health;
    const char *root;    /* static: "healthz" */
    const char *subpath; /* within the path that was looked up: "" or "/name" */
};

/* What is asked, as it came; borrowed for the call. */
struct cleat_http_ask {
    const char *path;
    const char *query;              /* "" where there is none */
    struct cleat_str authorization; /* the header's value; "" where there is none */
    struct cleat_str body;
};

/* One answer in the making. */
struct cleat_http_answer {
    struct cleat_buffer *body;
    const char *content_type; /* static; NULL: no body */
    const char *challenge;    /* static; WWW-Authenticate, or NULL */
    int status;
    int retry_after_s;
};

/** What is at @path, which is compared byte by byte as it came over the wire. */
struct cleat_http_target cleat_http_site_find(const struct cleat_http_site *site, const char *path);
/**
 * Answers; the target's kind isn't NOTHING. Bodies of webhooks are counted in @claim already (one
 * of the webhooks' own budget, or without one); the claim is given back in here.
 */
void cleat_http_site_answer(const struct cleat_http_site *site,
                            const struct cleat_http_target *target,
                            const struct cleat_http_ask *ask, struct cleat_budget_claim *claim,
                            struct cleat_http_answer *answer);

#endif
