/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' text exposition format, version 0.0.4: families by name, series by label values.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/metrics.h"

/* Names, 512 bytes of values that may all be escaped, and a bound: much more than that. */
#define METRICS_LABELS_BYTES_MAX 65536

/* Help and label values escape backslash and line feed; label values the quote as well. */
static void metrics_escape(struct cleat_buffer *buffer, const char *text, size_t length,
                           bool quoted)
{
    const char *end = text + length;
    while (text < end) {
        const char *stop = text;
        while (stop < end && *stop != '\\' && *stop != '\n' && !(*stop == '"' && quoted))
            stop++;
        (void)cleat_buffer_append(buffer, text, (size_t)(stop - text)); /* sticky */
        if (stop < end)
            (void)cleat_buffer_text(buffer, *stop == '\\'   ? "\\\\"
                                            : *stop == '\n' ? "\\n"
                                                            : "\\\""); /* sticky */
        text = stop + 1;
    }
}

/* Counts are most of what is written. */
static int metrics_write_whole(int64_t value, char text[CLEAT_METRICS_NUMBER_BYTES])
{
    char digits[CLEAT_METRICS_NUMBER_BYTES];
    uint64_t left = value < 0 ? (uint64_t)-value : (uint64_t)value;
    int count = 0;
    int length = 0;
    do
        digits[count++] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        text[length++] = '-';
    while (count > 0)
        text[length++] = digits[--count];
    text[length] = '\0';
    return length;
}

/* The shortest of the three precisions that reads back as the same number; counts are whole. */
size_t metrics_number_write(double value, char text[CLEAT_METRICS_NUMBER_BYTES])
{
    int length = 0;
    if (isnan(value) || isinf(value))
        length = snprintf(text, CLEAT_METRICS_NUMBER_BYTES, "%s",
                          isnan(value) ? "NaN"
                          : value > 0  ? "+Inf"
                                       : "-Inf");
    else if (value > -1e15 && value < 1e15 && value == (double)(int64_t)value)
        length = metrics_write_whole((int64_t)value, text);
    else
        for (int precision = 15; precision <= 17; precision++) {
            length = snprintf(text, CLEAT_METRICS_NUMBER_BYTES, "%.*g", precision, value);
            if (strtod(text, NULL) == value)
                break;
        }
    return (size_t)length;
}

static void metrics_write_number(struct cleat_buffer *buffer, double value)
{
    char text[CLEAT_METRICS_NUMBER_BYTES];
    size_t length = metrics_number_write(value, text);
    (void)cleat_buffer_append(buffer, text, length); /* sticky */
}

/* a="1",b="2" */
static void metrics_write_labels(struct cleat_buffer *buffer, const struct cleat_series *series)
{
    const struct cleat_metric *metric = series->metric;
    const char *part = series->key;
    const char *end = series->key + series->key_length;
    for (size_t i = 0; i < metric->label_count; i++) {
        const char *stop = memchr(part, CLEAT_METRICS_SEPARATOR, (size_t)(end - part));
        if (!stop)
            stop = end;
        if (i > 0)
            (void)cleat_buffer_byte(buffer, ','); /* sticky */
        (void)cleat_buffer_text(buffer, metric->labels[i]);
        (void)cleat_buffer_text(buffer, "=\"");
        metrics_escape(buffer, part, (size_t)(stop - part), true);
        (void)cleat_buffer_byte(buffer, '"'); /* sticky */
        part = stop < end ? stop + 1 : end;
    }
}

static void metrics_write_sample(struct cleat_buffer *buffer, const struct cleat_series *series,
                                 const char *suffix, struct cleat_str labels, double value)
{
    (void)cleat_buffer_text(buffer, series->metric->name); /* sticky, as all below */
    (void)cleat_buffer_text(buffer, suffix);
    if (labels.length > 0) {
        (void)cleat_buffer_byte(buffer, '{');
        (void)cleat_buffer_str(buffer, labels);
        (void)cleat_buffer_byte(buffer, '}');
    }
    (void)cleat_buffer_byte(buffer, ' ');
    metrics_write_number(buffer, value);
    (void)cleat_buffer_byte(buffer, '\n');
}

/* @labels is written to, and as before in the end. */
static void metrics_write_histogram(struct cleat_buffer *buffer, const struct cleat_series *series,
                                    struct cleat_buffer *labels)
{
    const struct cleat_metric *metric = series->metric;
    const size_t length = labels->length;
    uint64_t total = 0;
    (void)cleat_buffer_text(labels, length > 0 ? ",le=\"" : "le=\""); /* sticky, as all below */
    const size_t bound = labels->length;
    for (size_t i = 0; i <= metric->bucket_count; i++) {
        labels->length = bound;
        total += atomic_load_explicit(&series->counts[i], memory_order_relaxed);
        (void)cleat_buffer_text(labels, i < metric->bucket_count ? metric->bounds[i] : "+Inf");
        (void)cleat_buffer_byte(labels, '"');
        metrics_write_sample(buffer, series, "_bucket", cleat_buffer_view(labels), (double)total);
    }
    labels->length = length;
    metrics_write_sample(buffer, series, "_sum", cleat_buffer_view(labels),
                         metrics_number_get(&series->value));
    metrics_write_sample(buffer, series, "_count", cleat_buffer_view(labels), (double)total);
}

/* @labels is room for those of one series. */
static void metrics_write_series(struct cleat_buffer *buffer, const struct cleat_series *series,
                                 struct cleat_buffer *labels)
{
    if (atomic_load_explicit(&series->removed, memory_order_relaxed))
        return;
    cleat_buffer_reset(labels);
    metrics_write_labels(labels, series);
    if (series->metric->type == CLEAT_METRIC_HISTOGRAM)
        metrics_write_histogram(buffer, series, labels);
    else
        metrics_write_sample(buffer, series, "", cleat_buffer_view(labels),
                             metrics_number_get(&series->value));
}

static int series_order(const void *a, const void *b)
{
    const struct cleat_series *const *left = a;
    const struct cleat_series *const *right = b;
    return cleat_str_compare((struct cleat_str){(*left)->key, (*left)->key_length},
                             (struct cleat_str){(*right)->key, (*right)->key_length});
}

static int metric_order(const void *a, const void *b)
{
    const struct cleat_metric *const *left = a;
    const struct cleat_metric *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

/* The values of @map as a new array in @order; NULL where memory ran out. */
static void **map_sorted(const struct cleat_map *map, int (*order)(const void *, const void *))
{
    size_t cursor = 0;
    size_t count = 0;
    void *value;
    void **sorted = cleat_mem_zalloc(map->count + 1, sizeof(void *));
    if (!sorted)
        return NULL;
    while ((value = cleat_map_next(map, &cursor, NULL)))
        sorted[count++] = value;
    qsort(sorted, count, sizeof(void *), order);
    return sorted;
}

static int metric_write(struct cleat_buffer *buffer, const struct cleat_metric *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    struct cleat_buffer labels = CLEAT_BUFFER_INIT(METRICS_LABELS_BYTES_MAX);
    if (metric->series.count == metric->removed && !metric->other)
        return 0;
    void **series = map_sorted(&metric->series, series_order);
    if (!series)
        return -ENOMEM;
    (void)cleat_buffer_format(buffer, "# HELP %s ", metric->name); /* sticky */
    metrics_escape(buffer, metric->help, strlen(metric->help), false);
    (void)cleat_buffer_format(buffer, "\n# TYPE %s %s\n", metric->name, types[metric->type]);
    for (size_t i = 0; i < metric->series.count; i++)
        metrics_write_series(buffer, series[i], &labels);
    if (metric->other)
        metrics_write_series(buffer, metric->other, &labels);
    int r = labels.failed;
    cleat_buffer_fini(&labels);
    cleat_mem_free(series);
    return r;
}

static void metrics_run_collectors(struct cleat_metrics *metrics)
{
    struct metrics_collector collectors[CLEAT_METRICS_COLLECTORS_MAX];
    cleat_lock_take(&metrics->lock);
    size_t count = metrics->collector_count;
    memcpy(collectors, metrics->collectors, count * sizeof(collectors[0]));
    metrics->collecting++;
    cleat_lock_release(&metrics->lock);
    for (size_t i = 0; i < count; i++)
        collectors[i].fn(collectors[i].arg);
    cleat_lock_take(&metrics->lock);
    if (--metrics->collecting == 0)
        cleat_cond_broadcast(&metrics->idle);
    cleat_lock_release(&metrics->lock);
}

/* The lock is let go between families, so that a scrape holds up nobody who looks up a series for
 * longer than one family takes; families stay. */
int cleat_metrics_write(struct cleat_metrics *metrics, struct cleat_buffer *buffer)
{
    int r = 0;
    metrics_run_collectors(metrics);
    cleat_lock_take(&metrics->lock);
    size_t count = metrics->families.count;
    void **families = map_sorted(&metrics->families, metric_order);
    cleat_lock_release(&metrics->lock);
    if (!families)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++) {
        cleat_lock_take(&metrics->lock);
        r = metric_write(buffer, families[i]);
        cleat_lock_release(&metrics->lock);
    }
    cleat_mem_free(families);
    return r < 0 ? r : buffer->failed;
}
