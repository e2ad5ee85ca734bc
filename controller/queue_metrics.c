/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue's metrics. Counts are kept as plain numbers under the lock and written to their series
 * by cleat_queue_publish; only the two histograms are observed as things happen, outside the lock.
 */
#include <stdio.h>

#include "base/check.h"
#include "controller/queue.h"

static const double queue_buckets[] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3,
                                       1e-2, 1e-1, 1,    10,   100,  1000};

struct queue_family {
    const char *name;
    const char *help;
    enum cleat_metric_type type;
    size_t offset; /* of its series in struct queue_metrics */
};

#define QUEUE_FAMILY(field, type, name, help)                   \
    {                                                           \
        name, help, type, offsetof(struct queue_metrics, field) \
    }

static const struct queue_family queue_families[] = {
    QUEUE_FAMILY(adds, CLEAT_METRIC_COUNTER, "workqueue_adds_total", "Keys added to the queue."),
    QUEUE_FAMILY(retries, CLEAT_METRIC_COUNTER, "workqueue_retries_total",
                 "Keys added with a delay."),
    QUEUE_FAMILY(unfinished, CLEAT_METRIC_GAUGE, "workqueue_unfinished_work_seconds",
                 "Time that the keys now handed out have taken, summed up."),
    QUEUE_FAMILY(longest, CLEAT_METRIC_GAUGE, "workqueue_longest_running_processor_seconds",
                 "Time since the oldest of the keys now handed out was taken."),
    QUEUE_FAMILY(classes, CLEAT_METRIC_GAUGE, "cleat_queue_classes",
                 "Fairness classes (namespaces, unless told otherwise) that have ready keys, in "
                 "each priority."),
    QUEUE_FAMILY(deepest, CLEAT_METRIC_GAUGE, "cleat_queue_deepest_class",
                 "Ready keys of the fairness class that has most of them."),
    QUEUE_FAMILY(oldest, CLEAT_METRIC_GAUGE, "cleat_queue_oldest_key_seconds",
                 "Time since the key that waits longest became ready."),
    QUEUE_FAMILY(queued, CLEAT_METRIC_HISTOGRAM, "workqueue_queue_duration_seconds",
                 "Time from a key being ready to its being taken."),
    QUEUE_FAMILY(worked, CLEAT_METRIC_HISTOGRAM, "workqueue_work_duration_seconds",
                 "Time from a key being taken to its being done."),
};

static int queue_series(struct cleat_queue *queue, struct cleat_metrics *metrics,
                        const struct queue_family *family, struct cleat_err *err)
{
    struct cleat_metric *metric = NULL;
    struct cleat_metric_options options = {
        .type = family->type,
        .name = family->name,
        .help = family->help,
        .labels = {"name", "controller"},
    };
    if (family->type == CLEAT_METRIC_HISTOGRAM) {
        options.buckets = queue_buckets;
        options.bucket_count = sizeof(queue_buckets) / sizeof(queue_buckets[0]);
    }
    int rc = cleat_metrics_family(metrics, &options, &metric, err);
    if (rc == 0) {
        const char *values[] = {queue->name, queue->name};
        char *at = (char *)&queue->metrics + family->offset;
        *(struct cleat_series **)(void *)at = cleat_metric_series(metric, values);
    }
    return rc;
}

static void tally_publish(struct cleat_queue *queue, const struct queue_tally *tally, bool last)
{
    char priority[32];
    const char *values[] = {queue->name, queue->name, priority};
    (void)snprintf(priority, sizeof(priority), "%d", tally->priority); /* fits */
    if (last)
        values[2] = "exceeded_cardinality_limit";
    cleat_series_set(cleat_metric_series(queue->metrics.depth, values), (double)tally->depth);
}

int cleat__queue_metrics_init(struct cleat_queue *queue, struct cleat_metrics *metrics,
                              struct cleat_err *err)
{
    const struct cleat_metric_options depth = {
        .type = CLEAT_METRIC_GAUGE,
        .name = "workqueue_depth",
        .help = "Keys that are ready, by priority.",
        .labels = {"name", "controller", "priority"},
    };
    if (!metrics)
        return 0;
    int rc = cleat_metrics_family(metrics, &depth, &queue->metrics.depth, err);
    for (size_t i = 0; rc == 0 && i < sizeof(queue_families) / sizeof(queue_families[0]); i++)
        rc = queue_series(queue, metrics, &queue_families[i], err);
    if (rc == 0) /* there from the start */
        tally_publish(queue, &(struct queue_tally){0}, false);
    return rc;
}

/* The last tally is everybody else's. The series is found when it's first published, not here under
 * the lock. */
struct queue_tally *cleat__queue_tally(struct cleat_queue *queue, int priority)
{
    size_t i = 0;
    while (i < queue->tally_count && queue->tallies[i].priority != priority)
        i++;
    if (i == queue->tally_count) {
        if (queue->tally_count == CLEAT__QUEUE_TALLIES_MAX)
            return &queue->tallies[CLEAT__QUEUE_TALLIES_MAX - 1];
        queue->tallies[i].priority = priority;
        queue->tally_count++;
    }
    return &queue->tallies[i];
}

struct queue_snapshot {
    uint64_t adds;
    uint64_t retries;
    double unfinished_s;
    double longest_s;
    double oldest_s;
    struct queue_shares shares;
    size_t tally_count;
    struct queue_tally tallies[CLEAT__QUEUE_TALLIES_MAX];
};

static void queue_snapshot(struct cleat_queue *queue, struct queue_snapshot *snapshot)
{
    int64_t now_ns = cleat_clock_mono_ns(queue->clock);
    *snapshot = (struct queue_snapshot){0};
    cleat_lock_take(&queue->lock);
    snapshot->adds = queue->adds;
    snapshot->retries = queue->retries;
    queue->adds = 0;
    queue->retries = 0;
    snapshot->tally_count = queue->tally_count;
    for (size_t i = 0; i < queue->tally_count; i++)
        snapshot->tallies[i] = queue->tallies[i];
    for (struct queue_item *item = queue->working.head; item; item = item->next) {
        double taken_s = (double)(now_ns - item->taken_ns) / 1e9;
        snapshot->unfinished_s += taken_s;
        snapshot->longest_s = taken_s > snapshot->longest_s ? taken_s : snapshot->longest_s;
    }
    cleat__queue_order_shares(&queue->order, &snapshot->shares);
    cleat_lock_release(&queue->lock);
    if (snapshot->shares.since_ns < now_ns)
        snapshot->oldest_s = (double)(now_ns - snapshot->shares.since_ns) / 1e9;
}

void cleat_queue_publish(struct cleat_queue *queue)
{
    struct queue_snapshot snapshot;
    cleat_assert(queue->magic == CLEAT__QUEUE_MAGIC);
    if (!queue->metrics.depth)
        return;
    queue_snapshot(queue, &snapshot);
    cleat_series_add(queue->metrics.adds, (double)snapshot.adds);
    cleat_series_add(queue->metrics.retries, (double)snapshot.retries);
    cleat_series_set(queue->metrics.unfinished, snapshot.unfinished_s);
    cleat_series_set(queue->metrics.longest, snapshot.longest_s);
    cleat_series_set(queue->metrics.classes, (double)snapshot.shares.classes);
    cleat_series_set(queue->metrics.deepest, (double)snapshot.shares.deepest);
    cleat_series_set(queue->metrics.oldest, snapshot.oldest_s);
    for (size_t i = 0; i < snapshot.tally_count; i++)
        tally_publish(queue, &snapshot.tallies[i], i == CLEAT__QUEUE_TALLIES_MAX - 1);
}
