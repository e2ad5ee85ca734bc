/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include <cleat/clock.h>

#include "base/check.h"

/* ThreadSanitizer knows only the join that takes wall-clock time; elsewhere a clock that jumps
 * can't hurt. */
#if defined(__SANITIZE_THREAD__)
#define THREAD_JOIN_WALL 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_JOIN_WALL 1
#endif
#endif

/* Starts the thread while every signal is blocked: the new one inherits that, main keeps its own
 * mask. */
static int thread_create(struct cleat_thread *thread, const pthread_attr_t *attr,
                         void *(*fn)(void *), void *arg)
{
    sigset_t all, before;
    (void)sigfillset(&all); /* can't fail */
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    cleat_assert(rc == 0);
    rc = pthread_create(&thread->thread, attr, fn, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* it just succeeded */
    return rc;
}

int cleat_thread_start(struct cleat_thread *thread, const char *name, size_t stack_bytes,
                       void *(*fn)(void *), void *arg, struct cleat_err *err)
{
    pthread_attr_t attr;
    cleat_assert(!thread->running);
    (void)snprintf(thread->name, sizeof(thread->name), "%s", name); /* the kernel's limit cuts it */
    int rc = pthread_attr_init(&attr);
    if (rc != 0)
        return cleat_err_set(err, -rc, "thread %s can't be started", thread->name);
    if (stack_bytes > 0)
        rc = pthread_attr_setstacksize(&attr, stack_bytes);
    if (rc == 0) {
        /* Set before the start: the thread itself may ask. */
        thread->running = true;
        rc = thread_create(thread, &attr, fn, arg);
    }
    (void)pthread_attr_destroy(&attr); /* can't fail on Linux */
    if (rc != 0) {
        thread->running = false;
        return cleat_err_set(err, -rc, "thread %s can't be started", thread->name);
    }
    (void)pthread_setname_np(thread->thread, thread->name); /* a name is a help, not a condition */
    return 0;
}

void cleat_thread_join(struct cleat_thread *thread)
{
    if (!thread->running)
        return;
    int rc = pthread_join(thread->thread, NULL);
    cleat_assert(rc == 0);
    thread->running = false;
}

#define THREAD_JOIN_MS_MAX \
    (INT64_C(1000) * 60 * 60 * 24 * 365) /* a year, so that no sum overflows */

static int thread_join_within(pthread_t thread, int64_t timeout_ms)
{
    const struct cleat_clock *clock = cleat_clock_system();
    timeout_ms = timeout_ms < 0 ? 0 : timeout_ms;
    timeout_ms = timeout_ms > THREAD_JOIN_MS_MAX ? THREAD_JOIN_MS_MAX : timeout_ms;
#ifdef THREAD_JOIN_WALL
    int64_t until_ms = cleat_clock_wall_ms(clock) + timeout_ms;
#else
    int64_t until_ms = cleat_clock_mono_ms(clock) + timeout_ms;
#endif
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
#ifdef THREAD_JOIN_WALL
    return pthread_timedjoin_np(thread, NULL, &until);
#else
    return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until);
#endif
}

int cleat_thread_join_ms(struct cleat_thread *thread, int64_t timeout_ms)
{
    if (!thread->running)
        return 0;
    int rc = thread_join_within(thread->thread, timeout_ms);
    cleat_assert(rc == 0 || rc == ETIMEDOUT);
    thread->running = rc != 0;
    return rc;
}

bool cleat_thread_is_self(const struct cleat_thread *thread)
{
    return thread->running && pthread_equal(thread->thread, pthread_self());
}
