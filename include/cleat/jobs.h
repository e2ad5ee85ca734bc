/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded pool of threads (`jobs/<n>`) for long or blocking work off the workers: a job that ends
 * puts the key that waits for it back into its queue.
 */
#ifndef CLEAT_JOBS_H
#define CLEAT_JOBS_H

#include <stddef.h>
#include <stdint.h>
#include <cleat/err.h>
#include <cleat/macro.h>

CLEAT_BEGIN

struct cleat_jobs;

/**
 * Makes a pool and starts its threads (0 counts as 1, at most 64). @queue_max 0: CLEAT_JOBS_MAX
 * (1,024). @ret is new. 0, -ENOMEM, -EAGAIN.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jobs_new(unsigned threads, size_t queue_max,
                                                 struct cleat_jobs **ret, struct cleat_err *err);
/**
 * Runs @fn(@arg) some time, in the order of posting; @drop(@arg) instead where the pool is stopped
 * first (may be NULL). Any thread; never blocks. 0, -ENOBUFS, -ESHUTDOWN: then neither is called.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jobs_post(struct cleat_jobs *jobs, void (*fn)(void *arg),
                                                  void (*drop)(void *arg), void *arg);
/** Asks the threads to end after the job that each is at; what is queued is dropped on the caller's
 * thread. */
CLEAT_EXPORT void cleat_jobs_stop(struct cleat_jobs *jobs);
/** Waits for the threads, at most @timeout_ms (< 0: for ever). 0 or -ETIMEDOUT. One thread at a
 * time. */
CLEAT_EXPORT int cleat_jobs_join(struct cleat_jobs *jobs, int64_t timeout_ms);
/** Stops, joins without a limit, and frees; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_jobs *cleat_jobs_free(struct cleat_jobs *jobs);

CLEAT_END

#endif
