/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/mirror_metrics.h"

#include <string.h>

#include "base/mem.h"

/* What the last passes over one Mirror have found. */
struct mirror_figures {
    bool own; /* has series of its own */
    enum mirror_reason reason;
    size_t desired;
    size_t ready;
    size_t counts[MIRROR_REASON_COUNT];
    char name[];
};

/* The sum over all Mirrors. */
struct mirror_sums {
    size_t mirrors[MIRROR_REASON_COUNT];
    size_t failing[MIRROR_REASON_COUNT];
    size_t others;
    size_t other_desired;
    size_t other_ready;
};

static void figures_write(struct mirror_metrics *metrics, const char *name, size_t desired,
                          size_t ready)
{
    cleat_series_set(cleat_metric_series(metrics->desired, &name), (double)desired);
    cleat_series_set(cleat_metric_series(metrics->ready, &name), (double)ready);
}

static void figures_hide(struct mirror_metrics *metrics, const char *name)
{
    cleat_metric_remove(metrics->desired, &name);
    cleat_metric_remove(metrics->ready, &name);
}

/* Under the lock. */
static void metrics_drop(struct mirror_metrics *metrics, struct mirror_figures *figures)
{
    if (figures->own) {
        figures_hide(metrics, figures->name);
        metrics->own_series--;
    }
    (void)cleat_map_remove(&metrics->figures, cleat_str_of(figures->name));
    cleat_mem_free(figures);
}

static void metrics_clear(struct mirror_metrics *metrics)
{
    size_t cursor = 0;
    struct mirror_figures *figures;
    while ((figures = cleat_map_next(&metrics->figures, &cursor, NULL))) {
        if (figures->own)
            figures_hide(metrics, figures->name);
        cleat_mem_free(figures);
    }
    cleat_map_fini(&metrics->figures);
    cleat_map_init(&metrics->figures, CLEAT_MIRROR_FIGURES_MAX);
    metrics->own_series = 0;
}

static void sums_add(struct mirror_metrics *metrics, const struct mirror_figures *figures,
                     struct mirror_sums *sums)
{
    sums->mirrors[figures->reason]++;
    for (int i = MIRROR_REFUSED; i < MIRROR_REASON_COUNT; i++)
        sums->failing[i] += figures->counts[i];
    if (figures->own) {
        figures_write(metrics, figures->name, figures->desired, figures->ready);
        return;
    }
    sums->others++;
    sums->other_desired += figures->desired;
    sums->other_ready += figures->ready;
}

static void sums_write(struct mirror_metrics *metrics, const struct mirror_sums *sums)
{
    for (int i = 0; i < MIRROR_REASON_COUNT; i++) {
        const char *reason = cleat__mirror_reason_name((enum mirror_reason)i);
        cleat_series_set(cleat_metric_series(metrics->mirrors, &reason), (double)sums->mirrors[i]);
        if (i >= MIRROR_REFUSED)
            cleat_series_set(cleat_metric_series(metrics->failing, &reason),
                             (double)sums->failing[i]);
    }
    if (sums->others > 0)
        figures_write(metrics, "other", sums->other_desired, sums->other_ready);
    else
        figures_hide(metrics, "other");
}

/* Whoever leads no longer has nothing to say about Mirrors: another replica has. */
static void metrics_collect(void *arg)
{
    struct mirror_metrics *metrics = arg;
    struct mirror_sums sums = {{0}};
    const struct mirror_figures *figures;
    size_t cursor = 0;
    bool leads = !metrics->leading || metrics->leading(metrics->leading_arg);
    cleat_lock_take(&metrics->lock);
    if (!leads)
        metrics_clear(metrics);
    while ((figures = cleat_map_next(&metrics->figures, &cursor, NULL)))
        sums_add(metrics, figures, &sums);
    sums_write(metrics, &sums);
    cleat_lock_release(&metrics->lock);
}

static int metrics_families(struct mirror_metrics *metrics, struct cleat_err *err)
{
    struct cleat_metric *changes = NULL;
    const struct {
        struct cleat_metric **metric;
        struct cleat_metric_options options;
    } families[] = {
        {&metrics->mirrors,
         {.type = CLEAT_METRIC_GAUGE,
          .name = "cleat_mirrors",
          .help = "Mirrors by the reason of their condition Ready.",
          .labels = {"reason"}}},
        {&metrics->desired,
         {.type = CLEAT_METRIC_GAUGE,
          .name = "cleat_mirror_copies_desired",
          .help = "Copies that a Mirror should have.",
          .labels = {"mirror"},
          .series_max = CLEAT_MIRROR_SERIES_MAX + 1}},
        {&metrics->ready,
         {.type = CLEAT_METRIC_GAUGE,
          .name = "cleat_mirror_copies_ready",
          .help = "Copies of a Mirror that are there and true.",
          .labels = {"mirror"},
          .series_max = CLEAT_MIRROR_SERIES_MAX + 1}},
        {&metrics->failing,
         {.type = CLEAT_METRIC_GAUGE,
          .name = "cleat_mirror_copies_failing",
          .help = "Copies that are not there or not true, by reason.",
          .labels = {"reason"}}},
        {&changes,
         {.type = CLEAT_METRIC_COUNTER,
          .name = "cleat_mirror_copy_changes_total",
          .help = "Copies that were created, repaired or removed.",
          .labels = {"change"}}},
    };
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        int rc =
            cleat_metrics_family(metrics->registry, &families[i].options, families[i].metric, err);
        if (rc < 0)
            return rc;
    }
    metrics->created = cleat_metric_series(changes, (const char *const[]){"created"});
    metrics->repaired = cleat_metric_series(changes, (const char *const[]){"repaired"});
    metrics->removed = cleat_metric_series(changes, (const char *const[]){"removed"});
    return 0;
}

int cleat__mirror_metrics_init(struct mirror_metrics *metrics, struct cleat_metrics *registry,
                               bool (*leading)(void *arg), void *arg, struct cleat_err *err)
{
    *metrics =
        (struct mirror_metrics){.registry = registry, .leading = leading, .leading_arg = arg};
    cleat_lock_init(&metrics->lock, CLEAT_LOCK_KIND);
    cleat_map_init(&metrics->figures, CLEAT_MIRROR_FIGURES_MAX);
    int rc = metrics_families(metrics, err);
    if (rc == 0)
        rc = cleat_metrics_collect(registry, metrics_collect, metrics);
    return rc < 0 ? cleat_err_set(err, rc, "Mirrors: too many collectors of metrics") : 0;
}

void cleat__mirror_metrics_fini(struct mirror_metrics *metrics)
{
    cleat_metrics_uncollect(metrics->registry, metrics_collect, metrics);
    metrics_clear(metrics);
    cleat_map_fini(&metrics->figures);
    cleat_lock_fini(&metrics->lock);
}

/* The figures of Mirror @name, new where it has none; NULL beyond the bound. Under the lock. */
static struct mirror_figures *metrics_figures(struct mirror_metrics *metrics, struct cleat_str name)
{
    struct mirror_figures *figures = cleat_map_get(&metrics->figures, name);
    if (figures)
        return figures;
    figures = cleat_mem_zalloc(1, sizeof(*figures) + name.length + 1);
    if (!figures)
        return NULL;
    memcpy(figures->name, name.data, name.length);
    if (cleat_map_set(&metrics->figures, cleat_str_of(figures->name), figures) < 0)
        return cleat_mem_free(figures);
    /* A Mirror of that very name is summed up with the others. */
    figures->own = metrics->own_series < CLEAT_MIRROR_SERIES_MAX && !cleat_str_is(name, "other");
    metrics->own_series += figures->own;
    return figures;
}

void cleat__mirror_metrics_note(struct mirror_metrics *metrics, struct cleat_str name,
                                const struct mirror_tally *tally)
{
    cleat_series_add(metrics->created, (double)tally->copied);
    cleat_series_add(metrics->repaired, (double)tally->repaired);
    cleat_series_add(metrics->removed, (double)tally->removed);
    if (!metrics->registry)
        return;
    cleat_lock_take(&metrics->lock);
    struct mirror_figures *figures = metrics_figures(metrics, name);
    if (figures) {
        figures->reason = cleat__mirror_tally_reason(tally);
        if (tally->judged) {
            figures->desired = tally->desired;
            figures->ready = tally->ready;
            memcpy(figures->counts, tally->counts, sizeof(figures->counts));
        }
    }
    cleat_lock_release(&metrics->lock);
}

void cleat__mirror_metrics_forget(struct mirror_metrics *metrics, struct cleat_str name)
{
    if (!metrics->registry)
        return;
    cleat_lock_take(&metrics->lock);
    struct mirror_figures *figures = cleat_map_get(&metrics->figures, name);
    if (figures)
        metrics_drop(metrics, figures);
    cleat_lock_release(&metrics->lock);
}
