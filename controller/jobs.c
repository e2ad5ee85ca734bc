/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/jobs.h"

#include <errno.h>
#include <stdio.h>

#include <cleat/clock.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"

#define JOBS_MAGIC 0x6a6f6273U
#define JOBS_THREADS_MAX 64

struct job {
    void (*fn)(void *arg);
    void (*drop)(void *arg);
    void *arg;
};

struct cleat_jobs {
    unsigned magic;
    struct cleat_lock lock;
    struct cleat_cond cond;
    struct cleat_cond ended; /* a job has ended */
    struct job *ring;        /* of queue_max; under the lock, as all below it */
    size_t queue_max;
    size_t first;
    size_t count;
    uint64_t taken; /* since the start: the number of the next job to be taken */
    bool stopped;
    unsigned running;
    uint64_t at[JOBS_THREADS_MAX]; /* numbers of the @running jobs, in no order */
    unsigned thread_count;
    struct cleat_thread threads[];
};

/* Takes the next job; false at the end. */
static bool jobs_take(struct cleat_jobs *jobs, struct job *ret, uint64_t *ret_number)
{
    cleat_lock_take(&jobs->lock);
    while (jobs->count == 0 && !jobs->stopped)
        cleat_cond_wait(&jobs->cond, &jobs->lock);
    bool taken = jobs->count > 0 && !jobs->stopped;
    if (taken) {
        *ret = jobs->ring[jobs->first];
        jobs->first = (jobs->first + 1) % jobs->queue_max;
        jobs->count--;
        *ret_number = jobs->taken++;
        jobs->at[jobs->running++] = *ret_number;
    }
    cleat_lock_release(&jobs->lock);
    return taken;
}

static void jobs_end(struct cleat_jobs *jobs, uint64_t number)
{
    cleat_lock_take(&jobs->lock);
    unsigned i = 0;
    while (jobs->at[i] != number)
        i++;
    jobs->at[i] = jobs->at[--jobs->running];
    cleat_cond_broadcast(&jobs->ended);
    cleat_lock_release(&jobs->lock);
}

static void *jobs_run(void *arg)
{
    struct cleat_jobs *jobs = arg;
    struct job job;
    uint64_t number = 0;
    cleat_assert(jobs->magic == JOBS_MAGIC);
    while (jobs_take(jobs, &job, &number)) {
        job.fn(job.arg);
        jobs_end(jobs, number);
    }
    return NULL;
}

static int jobs_start(struct cleat_jobs *jobs, unsigned threads, struct cleat_err *err)
{
    char name[16];
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < threads; i++) {
        (void)snprintf(name, sizeof(name), "jobs/%u", i); /* fits */
        rc = cleat_thread_start(&jobs->threads[i], name, 0, jobs_run, jobs, err);
        jobs->thread_count += rc == 0;
    }
    return rc;
}

int cleat_jobs_new(unsigned threads, size_t queue_max, struct cleat_jobs **ret,
                   struct cleat_err *err)
{
    unsigned wanted = threads > 0 ? threads : 1;
    wanted = wanted < JOBS_THREADS_MAX ? wanted : JOBS_THREADS_MAX;
    struct cleat_jobs *jobs =
        cleat_mem_zalloc(1, sizeof(*jobs) + wanted * sizeof(jobs->threads[0]));
    if (!jobs)
        return cleat_err_set(err, -ENOMEM, "job pool: out of memory");
    jobs->magic = JOBS_MAGIC;
    jobs->queue_max = queue_max > 0 ? queue_max : CLEAT_JOBS_MAX;
    cleat_lock_init(&jobs->lock, CLEAT_LOCK_JOBS);
    cleat_cond_init(&jobs->cond);
    cleat_cond_init(&jobs->ended);
    jobs->ring = cleat_mem_zalloc(jobs->queue_max, sizeof(*jobs->ring));
    int rc = jobs->ring ? jobs_start(jobs, wanted, err)
                        : cleat_err_set(err, -ENOMEM, "job pool: out of memory");
    if (rc < 0) {
        cleat_jobs_free(jobs);
        return rc;
    }
    *ret = jobs;
    return 0;
}

int cleat_jobs_post(struct cleat_jobs *jobs, void (*fn)(void *arg), void (*drop)(void *arg),
                    void *arg)
{
    int rc = 0;
    cleat_assert(jobs->magic == JOBS_MAGIC);
    cleat_lock_take(&jobs->lock);
    if (jobs->stopped) {
        rc = -ESHUTDOWN;
    } else if (jobs->count == jobs->queue_max) {
        rc = -ENOBUFS;
    } else {
        jobs->ring[(jobs->first + jobs->count) % jobs->queue_max] = (struct job){fn, drop, arg};
        jobs->count++;
    }
    cleat_lock_release(&jobs->lock);
    if (rc == 0)
        cleat_cond_signal(&jobs->cond);
    return rc;
}

/* Drops what is queued, each outside the lock. */
static void jobs_drop(struct cleat_jobs *jobs)
{
    struct job job;
    bool left = true;
    while (left) {
        cleat_lock_take(&jobs->lock);
        left = jobs->count > 0;
        if (left) {
            job = jobs->ring[jobs->first];
            jobs->first = (jobs->first + 1) % jobs->queue_max;
            jobs->count--;
            jobs->taken++;
            cleat_cond_broadcast(&jobs->ended);
        }
        cleat_lock_release(&jobs->lock);
        if (left && job.drop)
            job.drop(job.arg);
    }
}

/* True where a job with a number below @number waits or runs. */
static bool jobs_before(const struct cleat_jobs *jobs, uint64_t number)
{
    bool before = jobs->count > 0 && jobs->taken < number;
    for (unsigned i = 0; i < jobs->running && !before; i++)
        before = jobs->at[i] < number;
    return before;
}

int cleat__jobs_settle(struct cleat_jobs *jobs, int64_t timeout_ms)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(clock) + timeout_ms;
    int64_t left_ms = timeout_ms;
    cleat_assert(jobs->magic == JOBS_MAGIC);
    cleat_lock_take(&jobs->lock);
    uint64_t number = jobs->taken + jobs->count;
    while (jobs_before(jobs, number) && (timeout_ms < 0 || left_ms > 0)) {
        (void)cleat_cond_wait_ms(&jobs->ended, &jobs->lock, left_ms); /* looks again */
        left_ms = timeout_ms < 0 ? -1 : until_ms - cleat_clock_mono_ms(clock);
    }
    int rc = jobs_before(jobs, number) ? -ETIMEDOUT : 0;
    cleat_lock_release(&jobs->lock);
    return rc;
}

void cleat_jobs_stop(struct cleat_jobs *jobs)
{
    cleat_assert(jobs->magic == JOBS_MAGIC);
    cleat_lock_take(&jobs->lock);
    jobs->stopped = true;
    cleat_cond_broadcast(&jobs->cond);
    cleat_lock_release(&jobs->lock);
    jobs_drop(jobs);
}

int cleat_jobs_join(struct cleat_jobs *jobs, int64_t timeout_ms)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(clock) + timeout_ms;
    cleat_assert(jobs->magic == JOBS_MAGIC);
    for (unsigned i = 0; i < jobs->thread_count; i++)
        if (timeout_ms < 0)
            cleat_thread_join(&jobs->threads[i]);
        else if (cleat_thread_join_ms(&jobs->threads[i], until_ms - cleat_clock_mono_ms(clock)) !=
                 0)
            return -ETIMEDOUT;
    return 0;
}

struct cleat_jobs *cleat_jobs_free(struct cleat_jobs *jobs)
{
    if (!jobs)
        return NULL;
    cleat_jobs_stop(jobs);
    (void)cleat_jobs_join(jobs, -1); /* without a limit it can't fail */
    cleat_cond_fini(&jobs->ended);
    cleat_cond_fini(&jobs->cond);
    cleat_lock_fini(&jobs->lock);
    cleat_mem_free(jobs->ring);
    jobs->magic = 0;
    return cleat_mem_free(jobs);
}
