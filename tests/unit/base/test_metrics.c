/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/metrics.h>
#include "base/limits.h"
#include "support/chaos.h"
#include "support/suite.h"

static struct cleat_metric *family(struct cleat_metrics *metrics, enum cleat_metric_type type,
                                   const char *name, const char *label)
{
    static const double buckets[] = {0.1, 1, 10};
    struct cleat_metric *metric = NULL;
    struct cleat_metric_options options = {
        .type = type, .name = name, .help = "Help", .labels = {label}, .series_max = 2};
    if (type == CLEAT_METRIC_HISTOGRAM) {
        options.buckets = buckets;
        options.bucket_count = 3;
    }
    ck_assert_int_eq(cleat_metrics_family(metrics, &options, &metric, NULL), 0);
    return metric;
}

static struct cleat_series *series(struct cleat_metric *metric, const char *value)
{
    return cleat_metric_series(metric, (const char *const[]){value});
}

static void expect_text(struct cleat_metrics *metrics, const char *expected)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(cleat_metrics_write(metrics, &buffer), 0);
    ck_assert_str_eq(buffer.data ? buffer.data : "", expected);
    cleat_buffer_fini(&buffer);
}

START_TEST(test_counter_and_gauge)
{
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    struct cleat_metric *gauge = family(metrics, CLEAT_METRIC_GAUGE, "b_gauge", NULL);
    struct cleat_metric *counter = family(metrics, CLEAT_METRIC_COUNTER, "a_total", "code");
    cleat_series_set(cleat_metric_series(gauge, NULL), -0.1);
    cleat_series_add(series(counter, "500"), 2);
    cleat_series_add(series(counter, "200"), 1);
    cleat_series_add(series(counter, "500"), 1);
    ck_assert(cleat_series_value(series(counter, "500")) == 3);
    expect_text(metrics, "# HELP a_total Help\n# TYPE a_total counter\n"
                         "a_total{code=\"200\"} 1\na_total{code=\"500\"} 3\n"
                         "# HELP b_gauge Help\n# TYPE b_gauge gauge\nb_gauge -0.1\n");
    metrics = cleat_metrics_free(metrics);
    ck_assert_ptr_null(metrics);
}
END_TEST

START_TEST(test_histogram_counts_at_and_below_each_bound)
{
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    struct cleat_metric *metric = family(metrics, CLEAT_METRIC_HISTOGRAM, "h", "p");
    cleat_series_observe(series(metric, "x"), 0.1);
    cleat_series_observe(series(metric, "x"), 0.5);
    cleat_series_observe(series(metric, "x"), 11);
    expect_text(metrics, "# HELP h Help\n# TYPE h histogram\n"
                         "h_bucket{p=\"x\",le=\"0.1\"} 1\nh_bucket{p=\"x\",le=\"1\"} 2\n"
                         "h_bucket{p=\"x\",le=\"10\"} 2\nh_bucket{p=\"x\",le=\"+Inf\"} 3\n"
                         "h_sum{p=\"x\"} 11.6\nh_count{p=\"x\"} 3\n");
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_label_values_are_escaped)
{
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    struct cleat_metric *metric = family(metrics, CLEAT_METRIC_GAUGE, "g", "l");
    cleat_series_set(series(metric, "a\"b\\c\nd"), 1);
    expect_text(metrics, "# HELP g Help\n# TYPE g gauge\ng{l=\"a\\\"b\\\\c\\nd\"} 1\n");
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_series_beyond_the_bound_are_counted_together)
{
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    struct cleat_metric *metric = family(metrics, CLEAT_METRIC_COUNTER, "c", "l");
    for (const char *const *value = (const char *const[]){"1", "2", "3", "4", NULL}; *value;
         value++)
        cleat_series_add(series(metric, *value), 1);
    expect_text(metrics, "# HELP c Help\n# TYPE c counter\n"
                         "c{l=\"1\"} 1\nc{l=\"2\"} 1\nc{l=\"other\"} 2\n");
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_removed_series_is_hidden_and_starts_anew)
{
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    struct cleat_metric *metric = family(metrics, CLEAT_METRIC_COUNTER, "c", "l");
    cleat_series_add(series(metric, "1"), 5);
    cleat_metric_remove(metric, (const char *const[]){"1"});
    expect_text(metrics, "");
    cleat_series_add(series(metric, "1"), 1);
    expect_text(metrics, "# HELP c Help\n# TYPE c counter\nc{l=\"1\"} 1\n");
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_family_is_shared_or_refused)
{
    struct cleat_metrics *metrics = NULL;
    struct cleat_metric *other = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_metric_options options = {
        .type = CLEAT_METRIC_GAUGE, .name = "c", .help = "", .labels = {"l"}};
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    struct cleat_metric *metric = family(metrics, CLEAT_METRIC_COUNTER, "c", "l");
    ck_assert_ptr_eq(family(metrics, CLEAT_METRIC_COUNTER, "c", "l"), metric);
    ck_assert_int_eq(cleat_metrics_family(metrics, &options, &other, &err), -EEXIST);
    ck_assert_str_eq(err.text, "metric c exists with another type or labels");
    options.name = "1bad";
    ck_assert_int_eq(cleat_metrics_family(metrics, &options, &other, NULL), -EINVAL);
    ck_assert_ptr_null(other);
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_place_of_a_removed_series_is_given_away_at_the_bound)
{
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    struct cleat_metric *metric = family(metrics, CLEAT_METRIC_COUNTER, "c", "l");
    cleat_series_add(series(metric, "1"), 5);
    cleat_series_add(series(metric, "2"), 6);
    cleat_metric_remove(metric, (const char *const[]){"1"});
    cleat_metric_remove(metric, (const char *const[]){"1"}); /* counted once */
    cleat_series_add(series(metric, "3"), 1);
    cleat_series_add(series(metric, "4"), 1);
    expect_text(metrics, "# HELP c Help\n# TYPE c counter\n"
                         "c{l=\"2\"} 6\nc{l=\"3\"} 1\nc{l=\"other\"} 1\n");
    /* However many come and go, there are two places. */
    for (int i = 0; i < 1000; i++) {
        char name[16];
        cleat_metric_remove(metric, (const char *const[]){i == 0 ? "3" : name});
        snprintf(name, sizeof(name), "n%d", i);
        cleat_series_add(series(metric, name), 1);
    }
    expect_text(metrics, "# HELP c Help\n# TYPE c counter\n"
                         "c{l=\"2\"} 6\nc{l=\"n999\"} 1\nc{l=\"other\"} 1\n");
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_label_values_are_utf8)
{
    const struct {
        const char *value;
        const char *written;
    } rows[] = {
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"a\xff\xff"
         "b",
         "a??b"},
        {"\xc3", "?"},
        {"\xed\xa0\x80", "???"},
        {"\xc0\xaf", "??"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_metrics *metrics = NULL;
        char text[128];
        ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
        struct cleat_metric *metric = family(metrics, CLEAT_METRIC_GAUGE, "g", "l");
        cleat_series_set(series(metric, rows[i].value), 1);
        snprintf(text, sizeof(text), "# HELP g Help\n# TYPE g gauge\ng{l=\"%s\"} 1\n",
                 rows[i].written);
        expect_text(metrics, text);
        cleat_metrics_free(metrics);
    }
}
END_TEST

START_TEST(test_long_label_values_are_cut)
{
    struct cleat_metrics *metrics = NULL;
    struct cleat_metric *metric = NULL;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    static char value[100000];
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    memset(value, 'x', sizeof(value) - 1);
    const struct cleat_metric_options options = {
        .type = CLEAT_METRIC_GAUGE, .name = "g", .labels = {"a", "b", "c", "d", "e", "f"}};
    ck_assert_int_eq(cleat_metrics_family(metrics, &options, &metric, NULL), 0);
    for (int i = 0; i < 2; i++)
        cleat_series_add(cleat_metric_series(metric, (const char *const[]){value, value, value,
                                                                           value, value, value}),
                         1);
    ck_assert_int_eq(cleat_metrics_write(metrics, &buffer), 0);
    ck_assert_uint_lt(buffer.length, 700);
    ck_assert_ptr_nonnull(strstr(buffer.data, "\"} 2\n"));
    cleat_buffer_fini(&buffer);
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_numbers_read_back_exactly)
{
    const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-3, "-3"},
        {4503599627370497.0, "4503599627370497"},
        {0.1, "0.1"},
        {1e-8, "1e-08"},
        {1e300, "1e+300"},
        {1764097716.736, "1764097716.736"},
        {1.0 / 3, "0.3333333333333333"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_metrics *metrics = NULL;
        char text[128];
        ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
        cleat_series_set(cleat_metric_series(family(metrics, CLEAT_METRIC_GAUGE, "g", NULL), NULL),
                         rows[i].value);
        snprintf(text, sizeof(text), "# HELP g Help\n# TYPE g gauge\ng %s\n", rows[i].text);
        expect_text(metrics, text);
        cleat_metrics_free(metrics);
    }
}
END_TEST

static void collect(void *arg)
{
    cleat_series_set(arg, 42);
}

START_TEST(test_collectors_run_before_writing)
{
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    struct cleat_metric *metric = family(metrics, CLEAT_METRIC_GAUGE, "g", NULL);
    ck_assert_int_eq(cleat_metrics_collect(metrics, collect, cleat_metric_series(metric, NULL)), 0);
    expect_text(metrics, "# HELP g Help\n# TYPE g gauge\ng 42\n");
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_collectors_are_taken_back)
{
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    struct cleat_series *one = series(family(metrics, CLEAT_METRIC_GAUGE, "g", "l"), "1");
    struct cleat_series *two = series(family(metrics, CLEAT_METRIC_GAUGE, "g", "l"), "2");
    ck_assert_int_eq(cleat_metrics_collect(metrics, collect, one), 0);
    ck_assert_int_eq(cleat_metrics_collect(metrics, collect, two), 0);
    cleat_metrics_uncollect(metrics, collect, one);
    expect_text(metrics, "# HELP g Help\n# TYPE g gauge\ng{l=\"1\"} 0\ng{l=\"2\"} 42\n");
    for (int i = 0; i < 63; i++)
        ck_assert_int_eq(cleat_metrics_collect(metrics, collect, one), 0);
    ck_assert_int_eq(cleat_metrics_collect(metrics, collect, one), -ENOBUFS);
    cleat_metrics_uncollect(metrics, collect, one);
    ck_assert_int_eq(cleat_metrics_collect(metrics, collect, one), 0);
    cleat_metrics_uncollect(NULL, collect, one);
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_null_registry_does_nothing)
{
    struct cleat_metric *metric = family(NULL, CLEAT_METRIC_COUNTER, "c", "l");
    ck_assert_ptr_null(metric);
    cleat_series_add(series(metric, "1"), 1);
    cleat_series_observe(NULL, 1);
    ck_assert(cleat_series_value(NULL) == 0);
}
END_TEST

static int make_and_write(void *arg)
{
    struct cleat_metrics *metrics = NULL;
    struct cleat_metric *metric = NULL;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_metric_options options = {
        .type = CLEAT_METRIC_COUNTER, .name = "c", .help = "h", .labels = {"l"}};
    int r = cleat_metrics_new(&metrics);
    if (r == 0)
        r = cleat_metrics_family(metrics, &options, &metric, NULL);
    if (r == 0)
        cleat_series_add(series(metric, "1"), 1);
    if (r == 0)
        r = cleat_metrics_write(metrics, &buffer);
    cleat_buffer_fini(&buffer);
    cleat_metrics_free(metrics);
    return r;
}

START_TEST(test_out_of_memory)
{
    cleat_chaos_sweep_tolerant(make_and_write, NULL);
}
END_TEST

CLEAT_SUITE_MAIN("metrics", test_counter_and_gauge, test_histogram_counts_at_and_below_each_bound,
                 test_label_values_are_escaped, test_series_beyond_the_bound_are_counted_together,
                 test_removed_series_is_hidden_and_starts_anew,
                 test_place_of_a_removed_series_is_given_away_at_the_bound,
                 test_label_values_are_utf8, test_long_label_values_are_cut,
                 test_numbers_read_back_exactly, test_family_is_shared_or_refused,
                 test_collectors_run_before_writing, test_collectors_are_taken_back,
                 test_null_registry_does_nothing, test_out_of_memory)
