/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the job pool, for the manager.
 */
#ifndef CLEAT_CONTROLLER_JOBS_H
#define CLEAT_CONTROLLER_JOBS_H

#include <cleat/jobs.h>

/** Waits until every job that was posted before the call has ended, at most @timeout_ms (< 0: for
 * ever). 0 or -ETIMEDOUT. Not from a job. */
int cleat__jobs_settle(struct cleat_jobs *jobs, int64_t timeout_ms) CLEAT_MUST_CHECK;

#endif
