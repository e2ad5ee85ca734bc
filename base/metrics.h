/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the registry and its text writer share.
 */
#ifndef CLEAT_BASE_METRICS_H
#define CLEAT_BASE_METRICS_H

#include <stdatomic.h>
#include <cleat/metrics.h>
#include "base/lock.h"
#include "base/map.h"

/* Label values are joined by this byte into one key; it can't stand in a label value, which is
 * made UTF-8 where it isn't. */
#define CLEAT_METRICS_SEPARATOR '\xff'
#define CLEAT_METRICS_COLLECTORS_MAX 64
#define CLEAT_METRICS_FAMILIES_MAX 512
#define CLEAT_METRICS_SERIES_MAX 1000
#define CLEAT_METRICS_NUMBER_BYTES 32

/* A number that is added to from any thread: the bits of a double. Relaxed: nothing else hangs on
 * it. */
struct metrics_number {
    _Atomic(uint64_t) bits;
};

struct cleat_series {
    char *key; /* joined label values, NUL-terminated; owned */
    size_t key_length;
    _Atomic(bool) removed;       /* hidden until it's asked for again; pairs with itself, relaxed */
    struct metrics_number value; /* counter, gauge; histogram: the sum */
    struct cleat_metric *metric;
    _Atomic(uint64_t) counts[]; /* histogram: observations per bucket, the last is +Inf */
};

struct cleat_metric {
    struct cleat_metrics *metrics;
    enum cleat_metric_type type;
    char *name;
    char *help;
    char *labels[CLEAT_METRIC_LABELS_MAX];
    size_t label_count;
    double *buckets;
    char (*bounds)[CLEAT_METRICS_NUMBER_BYTES]; /* the same as text */
    size_t bucket_count;
    struct cleat_map series; /* by key; under the registry's lock */
    size_t removed;          /* of these, hidden ones: at the bound their places are given away */
    struct cleat_series *other;
};

struct metrics_collector {
    void (*fn)(void *arg);
    void *arg;
};

struct cleat_metrics {
    struct cleat_lock lock;
    struct cleat_map families; /* by name */
    struct metrics_collector collectors[CLEAT_METRICS_COLLECTORS_MAX];
    size_t collector_count;
    unsigned collecting; /* writings that run collectors */
    struct cleat_cond idle;
};

double metrics_number_get(const struct metrics_number *number);
/** Writes @value as Prometheus reads it back exactly; returns the length. */
size_t metrics_number_write(double value, char text[CLEAT_METRICS_NUMBER_BYTES]);

#endif
