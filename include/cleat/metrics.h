/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics in Prometheus' text format (version 0.0.4). A registry holds families, a family series by
 * label values, bounded in number: what is beyond the bound is counted under the label value
 * "other". Updating a series is an atomic add and may be done on any thread; nothing is global.
 */
#ifndef CLEAT_METRICS_H
#define CLEAT_METRICS_H

#include <stdint.h>
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/macro.h>

CLEAT_BEGIN

struct cleat_metrics;
struct cleat_metric; /* a family */
struct cleat_series; /* one combination of label values */

enum cleat_metric_type { CLEAT_METRIC_COUNTER, CLEAT_METRIC_GAUGE, CLEAT_METRIC_HISTOGRAM };

#define CLEAT_METRIC_LABELS_MAX 6

struct cleat_metric_options {
    enum cleat_metric_type type;
    const char *name; /* Prometheus' syntax; all strings are copied */
    const char *help;
    const char *labels[CLEAT_METRIC_LABELS_MAX + 1]; /* names, NULL-terminated */
    const double *buckets; /* histogram: upper bounds, rising, without +Inf */
    size_t bucket_count;
    size_t series_max; /* 0: 1000 */
};

/** An empty registry. @ret is new. 0 or -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_metrics_new(struct cleat_metrics **ret);
/** Releases the registry with all families and series; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_metrics *cleat_metrics_free(struct cleat_metrics *metrics);
/**
 * Adds a family, or returns the one of that name where type and labels are the same (-EEXIST where
 * not).
 * @ret is borrowed for the registry's life. A NULL registry gives a NULL family, whose updates do
 * nothing.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_metrics_family(struct cleat_metrics *metrics,
                                                       const struct cleat_metric_options *options,
                                                       struct cleat_metric **ret,
                                                       struct cleat_err *err);
/**
 * The series with those label values (as many as labels; NULL is ""), made where it's new. Beyond
 * the family's bound, and without memory, it's the one with "other" in every label. Values are cut
 * to 512 bytes together, and bytes that aren't UTF-8 become "?". Borrowed for the registry's life;
 * NULL only for NULL, or without memory even for "other".
 */
CLEAT_EXPORT struct cleat_series *cleat_metric_series(struct cleat_metric *metric,
                                                      const char *const *values);
/**
 * Removes a series, as of a controller that ended: it's written no more, and starts at 0 where it
 * is asked for again. Nobody may add to it any longer, since at the bound its place is given to
 * other label values.
 */
CLEAT_EXPORT void cleat_metric_remove(struct cleat_metric *metric, const char *const *values);
/** Adds to a counter (@amount ≥ 0) or a gauge. NULL does nothing. Any thread. */
CLEAT_EXPORT void cleat_series_add(struct cleat_series *series, double amount);
/** Sets a gauge, or a counter that something else counts and never takes back. NULL does nothing.
 * Any thread. */
CLEAT_EXPORT void cleat_series_set(struct cleat_series *series, double value);
/** Counts one value into a histogram. NULL does nothing. Any thread. */
CLEAT_EXPORT void cleat_series_observe(struct cleat_series *series, double value);
/** The value of a counter or gauge, the sum of a histogram, 0 of NULL. */
CLEAT_EXPORT double cleat_series_value(const struct cleat_series *series);
/**
 * Has @fn called before each writing, on the writing thread, to set what is read rather than
 * counted; it may take locks, but mustn't block. At most 64 in all: -ENOBUFS.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_metrics_collect(struct cleat_metrics *metrics,
                                                        void (*fn)(void *arg), void *arg);
/** Takes back cleat_metrics_collect and waits until @fn doesn't run: then @arg may go. Not from a
 * collector, and not under a lock that one takes. NULL @metrics does nothing. */
CLEAT_EXPORT void cleat_metrics_uncollect(struct cleat_metrics *metrics, void (*fn)(void *arg),
                                          void *arg);
/** Appends everything, families sorted by name, their series by label values. 0, -ENOMEM,
 * -ENOBUFS. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_metrics_write(struct cleat_metrics *metrics,
                                                      struct cleat_buffer *buffer);

CLEAT_END

#endif
