/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics of a controller, by controller-runtime's names where the meaning is the same. There
 * is none for panics: a crash in C can't be survived.
 */
#include "controller/controller.h"

static const double reconcile_buckets[] = {
    0.005, 0.01, 0.025, 0.05, 0.1,  0.15, 0.2,  0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6,
    0.7,   0.8,  0.9,   1,    1.25, 1.5,  1.75, 2,    2.5, 3,    3.5, 4,    4.5, 5,
    6,     7,    8,     9,    10,   15,   20,   25,   30,  40,   50,  60};

static int metric_add(struct cleat_controller *controller, enum cleat_metric_type type,
                      const char *name, const char *help, struct cleat_series **ret,
                      struct cleat_err *err)
{
    struct cleat_metric *metric = NULL;
    const char *values[] = {controller->name};
    struct cleat_metric_options options = {
        .type = type, .name = name, .help = help, .labels = {"controller"}};
    if (type == CLEAT_METRIC_HISTOGRAM) {
        options.buckets = reconcile_buckets;
        options.bucket_count = sizeof(reconcile_buckets) / sizeof(reconcile_buckets[0]);
    }
    int rc = cleat_metrics_family(controller->parts.metrics, &options, &metric, err);
    if (rc == 0)
        *ret = cleat_metric_series(metric, values);
    return rc;
}

static int metric_results(struct cleat_controller *controller, struct cleat_err *err)
{
    struct cleat_metric *metric = NULL;
    const struct cleat_metric_options options = {
        .type = CLEAT_METRIC_COUNTER,
        .name = "controller_runtime_reconcile_total",
        .help = "Reconciles by their result.",
        .labels = {"controller", "result"},
    };
    const struct {
        struct cleat_series **series;
        const char *result;
    } results[] = {
        {&controller->metrics.success, "success"},
        {&controller->metrics.error, "error"},
        {&controller->metrics.requeue, "requeue"},
        {&controller->metrics.requeue_after, "requeue_after"},
    };
    int rc = cleat_metrics_family(controller->parts.metrics, &options, &metric, err);
    for (size_t i = 0; rc == 0 && i < sizeof(results) / sizeof(results[0]); i++) {
        const char *values[] = {controller->name, results[i].result};
        *results[i].series = cleat_metric_series(metric, values);
    }
    return rc;
}

int cleat__controller_metrics_init(struct cleat_controller *controller, struct cleat_err *err)
{
    struct controller_metrics *metrics = &controller->metrics;
    const struct {
        enum cleat_metric_type type;
        const char *name;
        const char *help;
        struct cleat_series **series;
    } table[] = {
        {CLEAT_METRIC_COUNTER, "controller_runtime_reconcile_errors_total",
         "Reconciles that ended with an error, terminal ones too.", &metrics->errors},
        {CLEAT_METRIC_COUNTER, "controller_runtime_terminal_reconcile_errors_total",
         "Reconciles that ended with a terminal error.", &metrics->terminal},
        {CLEAT_METRIC_COUNTER, "controller_runtime_reconcile_timeouts_total",
         "Reconciles that took longer than their deadline.", &metrics->timeouts},
        {CLEAT_METRIC_HISTOGRAM, "controller_runtime_reconcile_time_seconds",
         "Time of one reconcile.", &metrics->seconds},
        {CLEAT_METRIC_GAUGE, "controller_runtime_max_concurrent_reconciles",
         "Workers of the controller.", &metrics->workers_max},
        {CLEAT_METRIC_GAUGE, "controller_runtime_active_workers",
         "Workers that are reconciling now.", &metrics->workers_active},
        {CLEAT_METRIC_GAUGE, "cleat_controller_overstaying_reconciles",
         "Reconciles that run now and are beyond their deadline.", &metrics->overstaying},
        {CLEAT_METRIC_COUNTER, "cleat_controller_dropped_events_total",
         "Keys that the queue couldn't take.", &metrics->dropped},
    };
    int rc = 0;
    if (!controller->parts.metrics)
        return 0;
    rc = metric_results(controller, err);
    for (size_t i = 0; rc == 0 && i < sizeof(table) / sizeof(table[0]); i++) {
        rc = metric_add(controller, table[i].type, table[i].name, table[i].help, table[i].series,
                        err);
    }
    cleat_series_set(metrics->workers_max, controller->worker_count);
    return rc;
}
