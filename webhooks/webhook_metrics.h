/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What webhooks count: requests by path, as controller-runtime does, and decisions by path, kind,
 * operation and outcome. Whoever reaches the port chooses the kind of a review, so that only so
 * many have a label of their own: kinds that hooks were registered for, then the first that come.
 */
#ifndef CLEAT_WEBHOOKS_WEBHOOK_METRICS_H
#define CLEAT_WEBHOOKS_WEBHOOK_METRICS_H

#include <cleat/metrics.h>
#include <cleat/webhook.h>
#include "base/lock.h"

/* Further kinds are counted as "other". */
#define CLEAT_WEBHOOK_KINDS_MAX 64
#define CLEAT_WEBHOOK_KIND_BYTES 128

enum cleat_outcome {
    CLEAT_OUTCOME_NONE, /* no review was judged */
    CLEAT_OUTCOME_ALLOWED,
    CLEAT_OUTCOME_DENIED,
    CLEAT_OUTCOME_ERROR,
};

struct cleat_webhook_metrics {
    struct cleat_metric *latency; /* all borrowed; NULL: nothing is counted */
    struct cleat_metric *requests;
    struct cleat_metric *in_flight;
    struct cleat_metric *decisions;
    struct cleat_metric *seconds;
    struct cleat_lock lock; /* of the kinds */
    size_t kind_count;
    char kinds[CLEAT_WEBHOOK_KINDS_MAX][CLEAT_WEBHOOK_KIND_BYTES]; /* "Pod", "Mirror.cleat.dev" */
};

/* Of one path. */
struct cleat_webhook_series {
    struct cleat_series *latency;
    struct cleat_series *in_flight;
    struct cleat_series *requests_ok; /* the one code that matters for speed */
};

/** Adds the families to @registry (NULL is fine). Whatever it returns, fini may follow. 0, -EEXIST,
 * -ENOMEM. */
int cleat_webhook_metrics_init(struct cleat_webhook_metrics *metrics,
                               struct cleat_metrics *registry,
                               struct cleat_err *err) CLEAT_MUST_CHECK;
void cleat_webhook_metrics_fini(struct cleat_webhook_metrics *metrics);
/** The series of requests for @path, there at 0 from now on. Any thread. */
void cleat_webhook_metrics_series(struct cleat_webhook_metrics *metrics, const char *path,
                                  struct cleat_webhook_series *ret);
/** Has the decisions on what @options names counted from 0. Any thread. */
void cleat_webhook_metrics_expect(struct cleat_webhook_metrics *metrics,
                                  const struct cleat_webhook_options *options);
/** Counts one review that was judged at @path in @seconds. Any thread. */
void cleat_webhook_metrics_count(struct cleat_webhook_metrics *metrics, const char *path,
                                 const struct cleat_gvk *kind, enum cleat_operation operation,
                                 enum cleat_outcome outcome, double seconds);

#endif
