/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/mirror_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "support/suite.h"

struct fixture {
    struct cleat_metrics *registry;
    struct mirror_metrics metrics;
    bool leading;
};

static bool leads(void *arg)
{
    return *(bool *)arg;
}

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){.leading = true};
    ck_assert_int_eq(cleat_metrics_new(&f->registry), 0);
    ck_assert_int_eq(cleat__mirror_metrics_init(&f->metrics, f->registry, leads, &f->leading, NULL),
                     0);
}

static void fixture_close(struct fixture *f)
{
    cleat__mirror_metrics_fini(&f->metrics);
    cleat_metrics_free(f->registry);
}

static void note(struct fixture *f, const char *name, size_t desired, size_t ready)
{
    struct mirror_tally tally = {.desired = desired, .ready = ready, .judged = true};
    tally.counts[MIRROR_CONFLICT] = desired - ready;
    cleat__mirror_metrics_note(&f->metrics, cleat_str_of(name), &tally);
}

/* The value of a line; -1 where there is none. */
static double value(struct fixture *f, const char *series)
{
    char line[256];
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_MIB);
    ck_assert_int_eq(cleat_metrics_write(f->registry, &text), 0);
    snprintf(line, sizeof(line), "\n%s ", series);
    const char *at = strstr(text.data, line);
    double number = at ? strtod(at + strlen(line), NULL) : -1;
    cleat_buffer_fini(&text);
    return number;
}

START_TEST(test_sums)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert(value(&f, "cleat_mirrors{reason=\"Synced\"}") == 0);
    ck_assert(value(&f, "cleat_mirror_copy_changes_total{change=\"created\"}") == 0);
    note(&f, "a", 5, 5);
    note(&f, "b", 7, 4);
    ck_assert(value(&f, "cleat_mirrors{reason=\"Synced\"}") == 1);
    ck_assert(value(&f, "cleat_mirrors{reason=\"Conflict\"}") == 1);
    ck_assert(value(&f, "cleat_mirror_copies_failing{reason=\"Conflict\"}") == 3);
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"a\"}") == 5);
    ck_assert(value(&f, "cleat_mirror_copies_ready{mirror=\"b\"}") == 4);
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"other\"}") == -1);
    note(&f, "b", 7, 7);
    ck_assert(value(&f, "cleat_mirrors{reason=\"Synced\"}") == 2);
    ck_assert(value(&f, "cleat_mirrors{reason=\"Conflict\"}") == 0);
    cleat__mirror_metrics_forget(&f.metrics, CLEAT_STR("a"));
    cleat__mirror_metrics_forget(&f.metrics, CLEAT_STR("nobody"));
    ck_assert(value(&f, "cleat_mirrors{reason=\"Synced\"}") == 1);
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"a\"}") == -1);
    fixture_close(&f);
}
END_TEST

/* A pass that couldn't look at the copies says nothing about them. */
START_TEST(test_a_pass_that_ends_early)
{
    struct fixture f;
    struct mirror_tally tally = {
        .whole = MIRROR_SOURCE_MISSING, .copied = 1, .repaired = 2, .removed = 3};
    fixture_open(&f);
    note(&f, "a", 5, 3);
    cleat__mirror_metrics_note(&f.metrics, CLEAT_STR("a"), &tally);
    ck_assert(value(&f, "cleat_mirrors{reason=\"SourceMissing\"}") == 1);
    ck_assert(value(&f, "cleat_mirror_copies_ready{mirror=\"a\"}") == 3);
    ck_assert(value(&f, "cleat_mirror_copy_changes_total{change=\"created\"}") == 1);
    ck_assert(value(&f, "cleat_mirror_copy_changes_total{change=\"repaired\"}") == 2);
    ck_assert(value(&f, "cleat_mirror_copy_changes_total{change=\"removed\"}") == 3);
    fixture_close(&f);
}
END_TEST

START_TEST(test_series_are_bounded)
{
    struct fixture f;
    char name[32];
    fixture_open(&f);
    note(&f, "other", 1, 1); /* a name as any other, but a label that is taken */
    for (int i = 0; i < CLEAT_MIRROR_SERIES_MAX + 100; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        note(&f, name, 10, 9);
    }
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"m499\"}") == 10);
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"m500\"}") == -1);
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"other\"}") == 1001);
    ck_assert(value(&f, "cleat_mirror_copies_ready{mirror=\"other\"}") == 901);
    ck_assert(value(&f, "cleat_mirrors{reason=\"Conflict\"}") == CLEAT_MIRROR_SERIES_MAX + 100);
    /* As some go, others take their place. */
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        cleat__mirror_metrics_forget(&f.metrics, cleat_str_of(name));
        snprintf(name, sizeof(name), "n%d", i);
        note(&f, name, 20, 20);
    }
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"m0\"}") == -1);
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"n299\"}") == 20);
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"other\"}") == 1001);
    fixture_close(&f);
}
END_TEST

START_TEST(test_who_leads_no_longer_says_nothing)
{
    struct fixture f;
    fixture_open(&f);
    note(&f, "a", 5, 5);
    f.leading = false;
    ck_assert(value(&f, "cleat_mirrors{reason=\"Synced\"}") == 0);
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"a\"}") == -1);
    f.leading = true;
    ck_assert(value(&f, "cleat_mirrors{reason=\"Synced\"}") == 0);
    note(&f, "a", 6, 6);
    ck_assert(value(&f, "cleat_mirror_copies_desired{mirror=\"a\"}") == 6);
    fixture_close(&f);
}
END_TEST

START_TEST(test_without_a_registry)
{
    struct mirror_metrics metrics;
    struct mirror_tally tally = {.judged = true, .copied = 1};
    ck_assert_int_eq(cleat__mirror_metrics_init(&metrics, NULL, NULL, NULL, NULL), 0);
    cleat__mirror_metrics_note(&metrics, CLEAT_STR("a"), &tally);
    cleat__mirror_metrics_forget(&metrics, CLEAT_STR("a"));
    cleat__mirror_metrics_fini(&metrics);
}
END_TEST

CLEAT_SUITE_MAIN("mirror_metrics", test_sums, test_a_pass_that_ends_early, test_series_are_bounded,
                 test_who_leads_no_longer_says_nothing, test_without_a_registry)
