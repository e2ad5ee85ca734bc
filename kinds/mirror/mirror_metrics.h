/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Mirrors count: how many there are by how they are, their copies, and what was written. Only
 * the leader reconciles, so that elsewhere all is 0. Copies are told by Mirror for the first 500;
 * the copies of all further ones are summed up under "other".
 */
#ifndef CLEAT_KINDS_MIRROR_MIRROR_METRICS_H
#define CLEAT_KINDS_MIRROR_MIRROR_METRICS_H

#include <cleat/metrics.h>
#include "base/lock.h"
#include "base/map.h"
#include "kinds/mirror/status.h"

#define CLEAT_MIRROR_SERIES_MAX 500
/* Further ones aren't counted at all. */
#define CLEAT_MIRROR_FIGURES_MAX 100000

struct mirror_metrics {
    struct cleat_metrics *registry; /* borrowed; NULL: none */
    bool (*leading)(void *arg);     /* NULL: always */
    void *leading_arg;
    struct cleat_metric *mirrors;
    struct cleat_metric *desired;
    struct cleat_metric *ready;
    struct cleat_metric *failing;
    struct cleat_series *created;
    struct cleat_series *repaired;
    struct cleat_series *removed;
    struct cleat_lock lock;   /* of what follows */
    struct cleat_map figures; /* struct mirror_figures by name */
    size_t own_series;
};

/** Adds the families and a collector. Whatever it returns, fini may follow. 0, -ENOMEM, -EEXIST,
 * -ENOBUFS. @leading may be NULL. */
int cleat__mirror_metrics_init(struct mirror_metrics *metrics, struct cleat_metrics *registry,
                               bool (*leading)(void *arg), void *arg,
                               struct cleat_err *err) CLEAT_MUST_CHECK;
void cleat__mirror_metrics_fini(struct mirror_metrics *metrics);
/** A pass over Mirror @name has found @tally. Any thread. */
void cleat__mirror_metrics_note(struct mirror_metrics *metrics, struct cleat_str name,
                                const struct mirror_tally *tally);
/** Mirror @name is gone. Any thread. */
void cleat__mirror_metrics_forget(struct mirror_metrics *metrics, struct cleat_str name);

#endif
