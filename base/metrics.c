/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of metrics. Families and series are never freed before the registry, so that a
 * series may be kept and added to without a lock; only looking one up takes it.
 */
#include <errno.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/utf8.h"

double metrics_number_get(const struct metrics_number *number)
{
    uint64_t bits = atomic_load_explicit(&number->bits, memory_order_relaxed);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void metrics_number_set(struct metrics_number *number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    atomic_store_explicit(&number->bits, bits, memory_order_relaxed);
}

static void metrics_number_add(struct metrics_number *number, double amount)
{
    uint64_t old = atomic_load_explicit(&number->bits, memory_order_relaxed);
    uint64_t bits;
    do {
        double value;
        memcpy(&value, &old, sizeof(value));
        value += amount;
        memcpy(&bits, &value, sizeof(bits));
    } while (!atomic_compare_exchange_weak_explicit(&number->bits, &old, bits, memory_order_relaxed,
                                                    memory_order_relaxed));
}

int cleat_metrics_new(struct cleat_metrics **ret)
{
    struct cleat_metrics *metrics = cleat_mem_zalloc(1, sizeof(*metrics));
    if (!metrics)
        return -ENOMEM;
    cleat_lock_init(&metrics->lock, CLEAT_LOCK_METRICS);
    cleat_cond_init(&metrics->idle);
    cleat_map_init(&metrics->families, CLEAT_METRICS_FAMILIES_MAX);
    *ret = metrics;
    return 0;
}

static void series_free(struct cleat_series *series)
{
    if (!series)
        return;
    cleat_mem_free(series->key);
    cleat_mem_free(series);
}

static void metric_free(struct cleat_metric *metric)
{
    size_t cursor = 0;
    struct cleat_series *series;
    if (!metric)
        return;
    while ((series = cleat_map_next(&metric->series, &cursor, NULL)))
        series_free(series);
    cleat_map_fini(&metric->series);
    series_free(metric->other);
    for (size_t i = 0; i < metric->label_count; i++)
        cleat_mem_free(metric->labels[i]);
    cleat_mem_free(metric->bounds);
    cleat_mem_free(metric->buckets);
    cleat_mem_free(metric->help);
    cleat_mem_free(metric->name);
    cleat_mem_free(metric);
}

struct cleat_metrics *cleat_metrics_free(struct cleat_metrics *metrics)
{
    size_t cursor = 0;
    struct cleat_metric *metric;
    if (!metrics)
        return NULL;
    while ((metric = cleat_map_next(&metrics->families, &cursor, NULL)))
        metric_free(metric);
    cleat_map_fini(&metrics->families);
    cleat_cond_fini(&metrics->idle);
    cleat_lock_fini(&metrics->lock);
    return cleat_mem_free(metrics);
}

static bool metrics_name_valid(const char *name)
{
    for (size_t i = 0; name[i]; i++) {
        bool letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
                      name[i] == '_' || name[i] == ':';
        bool digit = name[i] >= '0' && name[i] <= '9';
        if (!letter && !(digit && i > 0))
            return false;
    }
    return name[0] != '\0';
}

static bool metric_matches(const struct cleat_metric *metric,
                           const struct cleat_metric_options *options)
{
    if (metric->type != options->type)
        return false;
    for (size_t i = 0; i < metric->label_count; i++)
        if (!options->labels[i] || strcmp(metric->labels[i], options->labels[i]) != 0)
            return false;
    return options->labels[metric->label_count] == NULL;
}

static int metric_copy_labels(struct cleat_metric *metric, const char *const *labels)
{
    for (size_t i = 0; i < CLEAT_METRIC_LABELS_MAX && labels[i]; i++) {
        metric->labels[i] = cleat_mem_strdup(labels[i]);
        if (!metric->labels[i])
            return -ENOMEM;
        metric->label_count = i + 1;
    }
    return 0;
}

static int metric_copy_buckets(struct cleat_metric *metric,
                               const struct cleat_metric_options *options)
{
    if (options->type != CLEAT_METRIC_HISTOGRAM || options->bucket_count == 0)
        return 0;
    for (size_t i = 1; i < options->bucket_count; i++)
        cleat_assert(options->buckets[i - 1] < options->buckets[i]);
    metric->buckets = cleat_mem_zalloc(options->bucket_count, sizeof(double));
    metric->bounds = cleat_mem_zalloc(options->bucket_count, sizeof(metric->bounds[0]));
    if (!metric->buckets || !metric->bounds)
        return -ENOMEM;
    memcpy(metric->buckets, options->buckets, options->bucket_count * sizeof(double));
    for (size_t i = 0; i < options->bucket_count; i++)
        (void)metrics_number_write(metric->buckets[i], metric->bounds[i]); /* fits */
    metric->bucket_count = options->bucket_count;
    return 0;
}

static int metric_new(struct cleat_metrics *metrics, const struct cleat_metric_options *options,
                      struct cleat_metric **ret)
{
    struct cleat_metric *metric = cleat_mem_zalloc(1, sizeof(*metric));
    if (!metric)
        return -ENOMEM;
    metric->metrics = metrics;
    metric->type = options->type;
    cleat_map_init(&metric->series,
                   options->series_max ? options->series_max : CLEAT_METRICS_SERIES_MAX);
    metric->name = cleat_mem_strdup(options->name);
    metric->help = cleat_mem_strdup(options->help ? options->help : "");
    if (!metric->name || !metric->help || metric_copy_labels(metric, options->labels) < 0 ||
        metric_copy_buckets(metric, options) < 0) {
        metric_free(metric);
        return -ENOMEM;
    }
    *ret = metric;
    return 0;
}

int cleat_metrics_family(struct cleat_metrics *metrics, const struct cleat_metric_options *options,
                         struct cleat_metric **ret, struct cleat_err *err)
{
    int r = 0;
    if (!metrics) {
        *ret = NULL;
        return 0;
    }
    if (!metrics_name_valid(options->name))
        return cleat_err_set(err, -EINVAL, "metric name %s isn't valid", options->name);
    cleat_lock_take(&metrics->lock);
    struct cleat_metric *metric = cleat_map_get(&metrics->families, cleat_str_of(options->name));
    if (metric && !metric_matches(metric, options)) {
        r = -EEXIST;
    } else if (!metric) {
        r = metric_new(metrics, options, &metric);
        if (r == 0 &&
            (r = cleat_map_set(&metrics->families, cleat_str_of(metric->name), metric)) < 0)
            metric_free(metric);
    }
    cleat_lock_release(&metrics->lock);
    if (r == -EEXIST)
        return cleat_err_set(err, r, "metric %s exists with another type or labels", options->name);
    if (r < 0)
        return cleat_err_set(err, r, "metric %s can't be added", options->name);
    *ret = metric;
    return 0;
}

static int series_new(struct cleat_metric *metric, const char *key, size_t length,
                      struct cleat_series **ret)
{
    size_t counts = metric->type == CLEAT_METRIC_HISTOGRAM ? metric->bucket_count + 1 : 0;
    struct cleat_series *series =
        cleat_mem_zalloc(1, sizeof(*series) + counts * sizeof(series->counts[0]));
    if (!series)
        return -ENOMEM;
    series->key = cleat_mem_strndup(key, length);
    if (!series->key) {
        cleat_mem_free(series);
        return -ENOMEM;
    }
    series->key_length = length;
    series->metric = metric;
    *ret = series;
    return 0;
}

/* Copies a label value; a byte that isn't UTF-8 would spoil the whole scrape, and becomes "?". */
static size_t metric_key_value(const char *value, char *key, size_t room)
{
    size_t length = strnlen(value, room);
    for (size_t i = 0; i < length;) {
        size_t count = cleat_utf8_length(value + i, length - i);
        if (count == 0)
            key[i] = '?';
        else
            memcpy(key + i, value + i, count);
        i += count == 0 ? 1 : count;
    }
    return length;
}

/* Joins the label values into @key; values that are too long are cut. */
static size_t metric_key(const struct cleat_metric *metric, const char *const *values, char *key,
                         size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < metric->label_count; i++) {
        size_t room = (size - length) / (metric->label_count - i) - 1;
        if (i > 0)
            key[length++] = CLEAT_METRICS_SEPARATOR;
        length += metric_key_value(values[i] ? values[i] : "", key + length, room);
    }
    return length;
}

/* Where the bound is reached (or memory ran out), everything further is counted together. */
static struct cleat_series *metric_other(struct cleat_metric *metric)
{
    static const char *const others[CLEAT_METRIC_LABELS_MAX] = {"other", "other", "other",
                                                                "other", "other", "other"};
    char key[64];
    if (metric->other)
        return metric->other;
    size_t length = metric_key(metric, others, key, sizeof(key));
    if (series_new(metric, key, length, &metric->other) < 0)
        return NULL;
    return metric->other;
}

static void series_reset(struct cleat_series *series)
{
    metrics_number_set(&series->value, 0);
    if (series->metric->type != CLEAT_METRIC_HISTOGRAM)
        return;
    for (size_t i = 0; i <= series->metric->bucket_count; i++)
        atomic_store_explicit(&series->counts[i], 0, memory_order_relaxed);
}

/* At the bound: the place of a series that was removed is given to another. Its owner has given up
 * adding to it. */
static struct cleat_series *metric_reuse(struct cleat_metric *metric, const char *key,
                                         size_t length)
{
    size_t cursor = 0;
    struct cleat_series *series = NULL;
    if (metric->removed == 0)
        return NULL;
    do
        series = cleat_map_next(&metric->series, &cursor, NULL);
    while (series && !atomic_load_explicit(&series->removed, memory_order_relaxed));
    char *copy = series ? cleat_mem_strndup(key, length) : NULL;
    if (!copy)
        return NULL;
    (void)cleat_map_remove(&metric->series, (struct cleat_str){series->key, series->key_length});
    cleat_mem_free(series->key);
    series->key = copy;
    series->key_length = length;
    /* Can't fail: one entry was taken out just now. */
    int r = cleat_map_set(&metric->series, (struct cleat_str){copy, length}, series);
    cleat_assert(r == 0);
    return series;
}

/* A series that is new to @metric, or NULL. */
static struct cleat_series *metric_add_series(struct cleat_metric *metric, const char *key,
                                              size_t length)
{
    struct cleat_series *series = NULL;
    if (metric->series.count == metric->series.count_max)
        return metric_reuse(metric, key, length);
    if (series_new(metric, key, length, &series) == 0 &&
        cleat_map_set(&metric->series, (struct cleat_str){series->key, length}, series) < 0) {
        series_free(series);
        series = NULL;
    }
    return series;
}

struct cleat_series *cleat_metric_series(struct cleat_metric *metric, const char *const *values)
{
    char key[512];
    if (!metric)
        return NULL;
    size_t length = metric_key(metric, values, key, sizeof(key));
    cleat_lock_take(&metric->metrics->lock);
    struct cleat_series *series = cleat_map_get(&metric->series, (struct cleat_str){key, length});
    if (!series)
        series = metric_add_series(metric, key, length);
    if (!series) {
        series = metric_other(metric);
    } else if (atomic_load_explicit(&series->removed, memory_order_relaxed)) {
        atomic_store_explicit(&series->removed, false, memory_order_relaxed);
        metric->removed--;
    }
    cleat_lock_release(&metric->metrics->lock);
    return series;
}

void cleat_metric_remove(struct cleat_metric *metric, const char *const *values)
{
    char key[512];
    if (!metric)
        return;
    size_t length = metric_key(metric, values, key, sizeof(key));
    cleat_lock_take(&metric->metrics->lock);
    struct cleat_series *series = cleat_map_get(&metric->series, (struct cleat_str){key, length});
    if (series && !atomic_load_explicit(&series->removed, memory_order_relaxed)) {
        metric->removed++;
        atomic_store_explicit(&series->removed, true, memory_order_relaxed);
        series_reset(series);
    }
    cleat_lock_release(&metric->metrics->lock);
}

void cleat_series_add(struct cleat_series *series, double amount)
{
    if (series)
        metrics_number_add(&series->value, amount);
}

void cleat_series_set(struct cleat_series *series, double value)
{
    if (series)
        metrics_number_set(&series->value, value);
}

void cleat_series_observe(struct cleat_series *series, double value)
{
    size_t low = 0;
    if (!series || series->metric->type != CLEAT_METRIC_HISTOGRAM)
        return;
    size_t high = series->metric->bucket_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (value <= series->metric->buckets[middle])
            high = middle;
        else
            low = middle + 1;
    }
    atomic_fetch_add_explicit(&series->counts[low], 1, memory_order_relaxed);
    metrics_number_add(&series->value, value);
}

double cleat_series_value(const struct cleat_series *series)
{
    return series ? metrics_number_get(&series->value) : 0;
}

int cleat_metrics_collect(struct cleat_metrics *metrics, void (*fn)(void *arg), void *arg)
{
    int r = 0;
    if (!metrics)
        return 0;
    cleat_lock_take(&metrics->lock);
    if (metrics->collector_count == CLEAT_METRICS_COLLECTORS_MAX)
        r = -ENOBUFS;
    else
        metrics->collectors[metrics->collector_count++] = (struct metrics_collector){fn, arg};
    cleat_lock_release(&metrics->lock);
    return r;
}

void cleat_metrics_uncollect(struct cleat_metrics *metrics, void (*fn)(void *arg), void *arg)
{
    size_t kept = 0;
    if (!metrics)
        return;
    cleat_lock_take(&metrics->lock);
    for (size_t i = 0; i < metrics->collector_count; i++)
        if (metrics->collectors[i].fn != fn || metrics->collectors[i].arg != arg)
            metrics->collectors[kept++] = metrics->collectors[i];
    metrics->collector_count = kept;
    while (metrics->collecting > 0)
        cleat_cond_wait(&metrics->idle, &metrics->lock);
    cleat_lock_release(&metrics->lock);
}
