/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded pool of threads (`jobs/<n>`) for long or blocking work off the workers.
 */
#ifndef CLEAT_JOBS_H
#define CLEAT_JOBS_H

#include <stddef.h>
#include <stdint.h>
#include <cleat/err.h>
#include <cleat/macro.h>

CLEAT_BEGIN

struct cleat_jobs;

/** @queue_max 0: CLEAT_JOBS_MAX (1,024). */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jobs_new(unsigned threads, size_t queue_max,
                                                 struct cleat_jobs **ret, struct cleat_err *err);
/** Runs @fn(@arg) some time; @drop(@arg) instead where the pool is stopped first (may be NULL). -ENOBUFS, -ESHUTDOWN. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jobs_post(struct cleat_jobs *jobs, void (*fn)(void *arg),
                                                  void (*drop)(void *arg), void *arg);
CLEAT_EXPORT void cleat_jobs_stop(struct cleat_jobs *jobs);
CLEAT_EXPORT int cleat_jobs_join(struct cleat_jobs *jobs, int64_t timeout_ms);
CLEAT_EXPORT struct cleat_jobs *cleat_jobs_free(struct cleat_jobs *jobs);

CLEAT_END

#endif
