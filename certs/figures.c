/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdbool.h>
#include "certs/figures.h"

static const char *const figures_names[] = {"leaf", "ca"};

static void figures_collect(void *arg)
{
    struct cleat_figures *figures = arg;
    int64_t now_ms = cleat_clock_wall_ms(figures->clock);
    for (size_t i = 0; i < CLEAT_CERTIFICATE_COUNT; i++) {
        int64_t end_s = atomic_load_explicit(&figures->not_after_unix_s[i], memory_order_relaxed);
        if (end_s == 0)
            continue;
        const char *const values[] = {figures_names[i], NULL};
        cleat_series_set(cleat_metric_series(figures->expiry, values),
                         (double)(end_s * 1000 - now_ms) / 1000);
    }
}

int cleat_figures_counter(struct cleat_metrics *metrics, const char *name, const char *help,
                          struct cleat_series **ret, struct cleat_err *err)
{
    const struct cleat_metric_options options = {
        .type = CLEAT_METRIC_COUNTER, .name = name, .help = help};
    struct cleat_metric *family = NULL;
    int r = cleat_metrics_family(metrics, &options, &family, err);
    if (r == 0)
        *ret = cleat_metric_series(family, NULL);
    return r;
}

static int figures_families(struct cleat_figures *figures, struct cleat_err *err)
{
    const struct cleat_metric_options expiry = {.type = CLEAT_METRIC_GAUGE,
                                                .name = "cleat_certificate_expiry_seconds",
                                                .help =
                                                    "Seconds until the certificate in use expires.",
                                                .labels = {"certificate", NULL}};
    const struct cleat_metric_options rotations = {
        .type = CLEAT_METRIC_COUNTER,
        .name = "cleat_certificate_rotations_total",
        .help = "Times that another certificate came into use.",
        .labels = {"certificate", NULL}};
    struct cleat_metric *family = NULL;
    int r = cleat_metrics_family(figures->metrics, &expiry, &figures->expiry, err);
    if (r == 0)
        r = cleat_metrics_family(figures->metrics, &rotations, &family, err);
    for (size_t i = 0; r == 0 && i < CLEAT_CERTIFICATE_COUNT; i++)
        figures->rotations[i] =
            cleat_metric_series(family, (const char *const[]){figures_names[i], NULL});
    if (r == 0)
        r = cleat_figures_counter(figures->metrics, "cleat_certificate_errors_total",
                                  "Times that certificates couldn't be kept as they should be.",
                                  &figures->errors, err);
    return r;
}

int cleat_figures_init(struct cleat_figures *figures, struct cleat_metrics *metrics,
                       const struct cleat_clock *clock, struct cleat_err *err)
{
    figures->clock = clock;
    if (!metrics)
        return 0;
    figures->metrics = metrics;
    int r = figures_families(figures, err);
    if (r == 0)
        r = cleat_metrics_collect(metrics, figures_collect, figures);
    if (r < 0) {
        figures->metrics = NULL;
        (void)cleat_err_set(err, r, "certificates can't be measured"); /* the code goes on */
    }
    return r;
}

void cleat_figures_fini(struct cleat_figures *figures)
{
    cleat_metrics_uncollect(figures->metrics, figures_collect, figures);
    figures->metrics = NULL;
}

void cleat_figures_note(struct cleat_figures *figures, enum cleat_certificate which,
                        int64_t not_after_unix_s, bool rotated)
{
    atomic_store_explicit(&figures->not_after_unix_s[which], not_after_unix_s,
                          memory_order_relaxed);
    if (rotated)
        cleat_series_add(figures->rotations[which], 1);
}
