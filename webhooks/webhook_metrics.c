/* SPDX-License-Identifier: Apache-2.0 */
#include "webhooks/webhook_metrics.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "webhooks/review.h"

#define KIND_OTHER "other"

/* Upstream's buckets: 1e-8 s times ten, twelve of them. */
static const double latency_buckets[] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3,
                                         1e-2, 1e-1, 1,    10,   100,  1000};
static const double seconds_buckets[] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                         0.005,   0.01,   0.025,   0.05,   0.1,   0.25,
                                         0.5,     1,      2.5,     5,      10};
static const char *const outcome_names[] = {"none", "allowed", "denied", "error"};

int cleat_webhook_metrics_init(struct cleat_webhook_metrics *metrics,
                               struct cleat_metrics *registry, struct cleat_err *err)
{
    const struct {
        struct cleat_metric **metric;
        struct cleat_metric_options options;
    } families[] = {
        {&metrics->latency,
         {.type = CLEAT_METRIC_HISTOGRAM,
          .name = "controller_runtime_webhook_latency_seconds",
          .help = "Time to answer a webhook request in the process.",
          .labels = {"webhook"},
          .buckets = latency_buckets,
          .bucket_count = sizeof(latency_buckets) / sizeof(latency_buckets[0])}},
        {&metrics->requests,
         {.type = CLEAT_METRIC_COUNTER,
          .name = "controller_runtime_webhook_requests_total",
          .help = "Webhook requests by path and HTTP status.",
          .labels = {"webhook", "code"}}},
        {&metrics->in_flight,
         {.type = CLEAT_METRIC_GAUGE,
          .name = "controller_runtime_webhook_requests_in_flight",
          .help = "Webhook requests that are being answered.",
          .labels = {"webhook"}}},
        {&metrics->decisions,
         {.type = CLEAT_METRIC_COUNTER,
          .name = "cleat_admission_decisions_total",
          .help = "Reviews that were judged, by path, kind, operation and outcome: allowed, denied "
                  "or error.",
          .labels = {"webhook", "kind", "operation", "outcome"}}},
        {&metrics->seconds,
         {.type = CLEAT_METRIC_HISTOGRAM,
          .name = "cleat_admission_seconds",
          .help = "Time from a review's last byte to its answer in the process.",
          .labels = {"kind", "outcome"},
          .buckets = seconds_buckets,
          .bucket_count = sizeof(seconds_buckets) / sizeof(seconds_buckets[0])}},
    };
    int r = 0;
    cleat_lock_init(&metrics->lock, CLEAT_LOCK_WEBHOOKS);
    for (size_t i = 0; r == 0 && i < sizeof(families) / sizeof(families[0]); i++)
        r = cleat_metrics_family(registry, &families[i].options, families[i].metric, err);
    return r;
}

void cleat_webhook_metrics_series(struct cleat_webhook_metrics *metrics, const char *path,
                                  struct cleat_webhook_series *ret)
{
    const char *const good[] = {path, "200"};
    const char *const fault[] = {path, "500"};
    ret->latency = cleat_metric_series(metrics->latency, good);
    ret->in_flight = cleat_metric_series(metrics->in_flight, good);
    ret->requests_ok = cleat_metric_series(metrics->requests, good);
    (void)cleat_metric_series(metrics->requests, fault); /* there from the start, at 0 */
}

void cleat_webhook_metrics_fini(struct cleat_webhook_metrics *metrics)
{
    cleat_lock_fini(&metrics->lock);
}

/* "Kind" or "Kind.group"; false for what can't be the name of one. */
static bool kind_write(const struct cleat_gvk *kind, char text[CLEAT_WEBHOOK_KIND_BYTES])
{
    int length = snprintf(text, CLEAT_WEBHOOK_KIND_BYTES, "%s%s%s", kind->kind,
                          kind->group[0] ? "." : "", kind->group);
    if (length <= 0 || length >= CLEAT_WEBHOOK_KIND_BYTES)
        return false;
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '.' && *c != '-')
            return false;
    return true;
}

/* The label of @kind; valid for the metrics' life. */
static const char *metrics_kind(struct cleat_webhook_metrics *metrics, const struct cleat_gvk *kind)
{
    char text[CLEAT_WEBHOOK_KIND_BYTES];
    const char *found = KIND_OTHER;
    size_t i = 0;
    if (!kind_write(kind, text))
        return found;
    cleat_lock_take(&metrics->lock);
    while (i < metrics->kind_count && strcmp(metrics->kinds[i], text) != 0)
        i++;
    if (i == metrics->kind_count && i < CLEAT_WEBHOOK_KINDS_MAX) {
        memcpy(metrics->kinds[i], text, sizeof(text));
        metrics->kind_count++;
    }
    if (i < metrics->kind_count)
        found = metrics->kinds[i];
    cleat_lock_release(&metrics->lock);
    return found;
}

void cleat_webhook_metrics_expect(struct cleat_webhook_metrics *metrics,
                                  const struct cleat_webhook_options *options)
{
    if (!metrics->decisions || !options->check_kind)
        return;
    const char *kind = metrics_kind(metrics, &options->kind);
    for (enum cleat_outcome o = CLEAT_OUTCOME_ALLOWED; o <= CLEAT_OUTCOME_ERROR; o++) {
        const char *const outcome[] = {kind, outcome_names[o]};
        (void)cleat_metric_series(metrics->seconds, outcome); /* there at 0, as all below */
        for (unsigned bit = CLEAT_OPERATION_CREATE; bit <= CLEAT_OPERATION_CONNECT; bit <<= 1) {
            if (!(options->operations & bit))
                continue;
            const char *const values[] = {options->path, kind,
                                          cleat_operation_name((enum cleat_operation)bit),
                                          outcome_names[o]};
            (void)cleat_metric_series(metrics->decisions, values);
        }
    }
}

void cleat_webhook_metrics_count(struct cleat_webhook_metrics *metrics, const char *path,
                                 const struct cleat_gvk *kind, enum cleat_operation operation,
                                 enum cleat_outcome outcome, double seconds)
{
    if (!metrics->decisions || outcome == CLEAT_OUTCOME_NONE)
        return;
    const char *label = metrics_kind(metrics, kind);
    const char *const decision[] = {path, label, cleat_operation_name(operation),
                                    outcome_names[outcome]};
    const char *const time[] = {label, outcome_names[outcome]};
    cleat_series_add(cleat_metric_series(metrics->decisions, decision), 1);
    cleat_series_observe(cleat_metric_series(metrics->seconds, time), seconds);
}
