/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of the process by the names of Prometheus' process collector, its version, and the limit
 * of memory that its control group sets. Read from /proc when the metrics are asked for.
 */
#ifndef CLEAT_SERVER_PROCESS_METRICS_H
#define CLEAT_SERVER_PROCESS_METRICS_H

#include <stdbool.h>
#include <cleat/err.h>
#include <cleat/metrics.h>

enum process_figure {
    PROCESS_CPU,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_VIRTUAL,
    PROCESS_VIRTUAL_MAX,
    PROCESS_RESIDENT,
    PROCESS_START,
    PROCESS_THREADS,
    PROCESS_MEMORY_LIMIT,
    PROCESS_FIGURES,
};

struct cleat_process_metrics {
    struct cleat_metrics *metrics; /* borrowed; NULL: none */
    struct cleat_series *series[PROCESS_FIGURES];
};

/** Adds the families and a collector to @metrics. Whatever it returns, fini may follow. 0, -ENOMEM,
 * -EEXIST, -ENOBUFS. */
int cleat_process_metrics_init(struct cleat_process_metrics *process, struct cleat_metrics *metrics,
                               struct cleat_err *err) CLEAT_MUST_CHECK;
/** Takes the collector back; repeatable, also of one that init never saw (zeroed). */
void cleat_process_metrics_fini(struct cleat_process_metrics *process);

/* What a line of /proc/<pid>/stat says. */
struct process_stat {
    double cpu_ticks;
    double threads;
    double start_ticks;
    double virtual_bytes;
    double resident_pages;
};

/** Reads @text; the name of the process may hold anything. False where it's no such line. */
bool cleat__process_stat_parse(const char *text, struct process_stat *ret);

#endif
