/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything at once: series that are added to, that come and go at their bound, collectors that
 * come and go, and scrapes all the while. Nothing is lost, and no scrape is torn.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <cleat/metrics.h>
#include "base/limits.h"
#include "support/suite.h"

#define THREADS 3
#define ROUNDS 2000
#define SERIES_MAX 8

struct rig {
    struct cleat_metrics *metrics;
    struct cleat_metric *steady;
    struct cleat_metric *churn;
    struct cleat_metric *times;
    _Atomic(bool) stop;
    _Atomic(unsigned) scrapes;
    _Atomic(unsigned) collected;
};

static void rig_open(struct rig *rig)
{
    static const double buckets[] = {1, 2, 4};
    const struct cleat_metric_options steady = {
        .type = CLEAT_METRIC_COUNTER, .name = "steady_total", .labels = {"of"}};
    const struct cleat_metric_options churn = {
        .type = CLEAT_METRIC_GAUGE, .name = "churn", .labels = {"of"}, .series_max = SERIES_MAX};
    const struct cleat_metric_options times = {
        .type = CLEAT_METRIC_HISTOGRAM, .name = "times", .buckets = buckets, .bucket_count = 3};
    memset(rig, 0, sizeof(*rig));
    ck_assert_int_eq(cleat_metrics_new(&rig->metrics), 0);
    ck_assert_int_eq(cleat_metrics_family(rig->metrics, &steady, &rig->steady, NULL), 0);
    ck_assert_int_eq(cleat_metrics_family(rig->metrics, &churn, &rig->churn, NULL), 0);
    ck_assert_int_eq(cleat_metrics_family(rig->metrics, &times, &rig->times, NULL), 0);
}

static void *count(void *arg)
{
    struct rig *rig = arg;
    for (int i = 0; i < ROUNDS; i++) {
        const char *of = i % 2 ? "odd" : "even";
        cleat_series_add(cleat_metric_series(rig->steady, &of), 1);
        cleat_series_observe(cleat_metric_series(rig->times, NULL), i % 5);
    }
    return NULL;
}

/* Names that are different in each round: at the bound they take each other's places. */
static void *come_and_go(void *arg)
{
    struct rig *rig = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char name[48];
        const char *of = name;
        (void)snprintf(name, sizeof(name), "0-%lx-%d", (unsigned long)pthread_self(), i);
        cleat_series_set(cleat_metric_series(rig->churn, &of), i);
        cleat_metric_remove(rig->churn, &of);
    }
    return NULL;
}

static void collect(void *arg)
{
    _Atomic(unsigned) *collected = arg;
    atomic_fetch_add(collected, 1);
}

/* Once it's taken back, a collector doesn't run: what it was for may go. */
static void *look_on(void *arg)
{
    struct rig *rig = arg;
    for (int i = 0; i < 200; i++) {
        _Atomic(unsigned) own = 0;
        ck_assert_int_eq(cleat_metrics_collect(rig->metrics, collect, &own), 0);
        cleat_metrics_uncollect(rig->metrics, collect, &own);
        unsigned seen = atomic_load(&own);
        atomic_fetch_add(&rig->collected, seen);
    }
    return NULL;
}

static void *scrape(void *arg)
{
    struct rig *rig = arg;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    while (!atomic_load(&rig->stop)) {
        cleat_buffer_reset(&text);
        ck_assert_int_eq(cleat_metrics_write(rig->metrics, &text), 0);
        for (const char *line = text.data; line && *line;) {
            const char *end = strchr(line, '\n');
            ck_assert_ptr_nonnull(end);
            ck_assert(line[0] == '#' || memchr(line, ' ', (size_t)(end - line)) != NULL);
            line = end + 1;
        }
        atomic_fetch_add(&rig->scrapes, 1);
    }
    cleat_buffer_fini(&text);
    return NULL;
}

START_TEST(test_everything_at_once)
{
    struct rig rig;
    pthread_t threads[3 * THREADS], scraper;
    void *(*const work[])(void *) = {count, come_and_go, look_on};
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    rig_open(&rig);
    ck_assert_int_eq(pthread_create(&scraper, NULL, scrape, &rig), 0);
    for (size_t i = 0; i < 3 * THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work[i / THREADS], &rig), 0);
    for (size_t i = 0; i < 3 * THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    atomic_store(&rig.stop, true);
    ck_assert_int_eq(pthread_join(scraper, NULL), 0);
    ck_assert_uint_gt(atomic_load(&rig.scrapes), 0);
    ck_assert_int_eq(cleat_metrics_write(rig.metrics, &text), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "steady_total{of=\"even\"} 3000\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "steady_total{of=\"odd\"} 3000\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "times_count 6000\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "times_sum 12000\n"));
    ck_assert_ptr_null(strstr(text.data, "churn{of=\"0"));
    cleat_buffer_fini(&text);
    cleat_metrics_free(rig.metrics);
}
END_TEST

CLEAT_SUITE_MAIN("metrics_threads", test_everything_at_once)
