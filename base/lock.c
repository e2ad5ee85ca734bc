/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks. In debug builds each thread keeps a stack of what it holds; taking a lock whose rank isn't
 * above all of them aborts with both names, whether or not the order would have met its counterpart
 * today. Invariant of the owner fields: written only by the holder, so that a thread can read its
 * own name there without any order between threads.
 */
#include "base/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

#ifdef CLEAT_DEBUG

#define LOCK_HELD_MAX 32

static const char *const lock_names[] = {
#define CLEAT_LOCK_CLASS(name, text) #name " (" text ")",
#include "base/lock_classes.def"
#undef CLEAT_LOCK_CLASS
};

static _Thread_local struct {
    const void *lock;
    enum cleat_lock_class class;
} lock_stack[LOCK_HELD_MAX];
static _Thread_local size_t lock_depth;

static void lock_order_check(enum cleat_lock_class class)
{
    for (size_t i = 0; i < lock_depth; i++) {
        if (lock_stack[i].class >= class) {
            (void)dprintf(STDERR_FILENO, "lock order: %s taken while %s is held\n",
                          lock_names[class], lock_names[lock_stack[i].class]);
            abort();
        }
    }
}

static void lock_push(const void *lock, enum cleat_lock_class class)
{
    cleat_assert(lock_depth < LOCK_HELD_MAX);
    lock_stack[lock_depth].lock = lock;
    lock_stack[lock_depth].class = class;
    lock_depth++;
}

static void lock_pop(const void *lock)
{
    size_t i = lock_depth;
    while (i > 0 && lock_stack[i - 1].lock != lock)
        i--;
    cleat_assert(i > 0); /* released by a thread that doesn't hold it */
    for (; i < lock_depth; i++)
        lock_stack[i - 1] = lock_stack[i];
    lock_depth--;
}

static void lock_own(_Atomic(uintptr_t) *owner)
{
    atomic_store_explicit(owner, (uintptr_t)pthread_self(), memory_order_relaxed);
}

static void lock_disown(_Atomic(uintptr_t) *owner)
{
    atomic_store_explicit(owner, 0, memory_order_relaxed);
}

#else

static void lock_order_check(enum cleat_lock_class class)
{
}

static void lock_push(const void *lock, enum cleat_lock_class class)
{
}

static void lock_pop(const void *lock)
{
}

static void lock_own(_Atomic(uintptr_t) *owner)
{
}

static void lock_disown(_Atomic(uintptr_t) *owner)
{
}

#endif

void cleat_lock_init(struct cleat_lock *lock, enum cleat_lock_class class)
{
    int rc = pthread_mutex_init(&lock->mutex, NULL);
    cleat_assert(rc == 0);
    lock->class = class;
    atomic_init(&lock->owner, 0);
}

void cleat_lock_fini(struct cleat_lock *lock)
{
    int rc = pthread_mutex_destroy(&lock->mutex);
    cleat_assert(rc == 0);
}

void cleat_lock_take(struct cleat_lock *lock)
{
    lock_order_check(lock->class);
    int rc = pthread_mutex_lock(&lock->mutex);
    cleat_assert(rc == 0);
    lock_push(lock, lock->class);
    lock_own(&lock->owner);
}

void cleat_lock_release(struct cleat_lock *lock)
{
    lock_disown(&lock->owner);
    lock_pop(lock);
    int rc = pthread_mutex_unlock(&lock->mutex);
    cleat_assert(rc == 0);
}

bool cleat_lock_held(const struct cleat_lock *lock)
{
#ifdef CLEAT_DEBUG
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) == (uintptr_t)pthread_self();
#else
    return true;
#endif
}

void cleat_rwlock_init(struct cleat_rwlock *lock, enum cleat_lock_class class)
{
    pthread_rwlockattr_t attr;
    int rc = pthread_rwlockattr_init(&attr);
    cleat_assert(rc == 0);
    /* The one of glibc's kinds under which readers queue behind a waiting writer. */
    rc = pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    cleat_assert(rc == 0);
    rc = pthread_rwlock_init(&lock->rwlock, &attr);
    cleat_assert(rc == 0);
    (void)pthread_rwlockattr_destroy(&attr); /* can't fail on Linux */
    lock->class = class;
    atomic_init(&lock->owner, 0);
}

void cleat_rwlock_fini(struct cleat_rwlock *lock)
{
    int rc = pthread_rwlock_destroy(&lock->rwlock);
    cleat_assert(rc == 0);
}

void cleat_rwlock_read(struct cleat_rwlock *lock)
{
    lock_order_check(lock->class);
    int rc = pthread_rwlock_rdlock(&lock->rwlock);
    cleat_assert(rc == 0);
    lock_push(lock, lock->class);
}

void cleat_rwlock_read_release(struct cleat_rwlock *lock)
{
    lock_pop(lock);
    int rc = pthread_rwlock_unlock(&lock->rwlock);
    cleat_assert(rc == 0);
}

void cleat_rwlock_write(struct cleat_rwlock *lock)
{
    lock_order_check(lock->class);
    int rc = pthread_rwlock_wrlock(&lock->rwlock);
    cleat_assert(rc == 0);
    lock_push(lock, lock->class);
    lock_own(&lock->owner);
}

void cleat_rwlock_write_release(struct cleat_rwlock *lock)
{
    lock_disown(&lock->owner);
    lock_pop(lock);
    int rc = pthread_rwlock_unlock(&lock->rwlock);
    cleat_assert(rc == 0);
}

void cleat_cond_init(struct cleat_cond *cond)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    cleat_assert(rc == 0);
    rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    cleat_assert(rc == 0);
    rc = pthread_cond_init(&cond->cond, &attr);
    cleat_assert(rc == 0);
    (void)pthread_condattr_destroy(&attr); /* can't fail on Linux */
}

void cleat_cond_fini(struct cleat_cond *cond)
{
    int rc = pthread_cond_destroy(&cond->cond);
    cleat_assert(rc == 0);
}

/* The lock is given away while waiting, and the debug bookkeeping with it. */
static int cond_wait(struct cleat_cond *cond, struct cleat_lock *lock, const struct timespec *until)
{
    lock_disown(&lock->owner);
    lock_pop(lock);
    int rc = until ? pthread_cond_timedwait(&cond->cond, &lock->mutex, until)
                   : pthread_cond_wait(&cond->cond, &lock->mutex);
    cleat_assert(rc == 0 || rc == ETIMEDOUT);
    lock_push(lock, lock->class);
    lock_own(&lock->owner);
    return rc;
}

void cleat_cond_wait(struct cleat_cond *cond, struct cleat_lock *lock)
{
    (void)cond_wait(cond, lock, NULL); /* no time limit, so nothing to tell */
}

int cleat_cond_wait_ms(struct cleat_cond *cond, struct cleat_lock *lock, int64_t timeout_ms)
{
    if (timeout_ms < 0)
        return cond_wait(cond, lock, NULL);
    const int64_t year_ms = INT64_C(1000) * 60 * 60 * 24 * 365;
    int64_t capped_ms = timeout_ms < year_ms ? timeout_ms : year_ms;
    int64_t until_ns = cleat_clock_mono_ns(cleat_clock_system()) + capped_ms * 1000000;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                             .tv_nsec = (long)(until_ns % 1000000000)};
    return cond_wait(cond, lock, &until);
}

void cleat_cond_signal(struct cleat_cond *cond)
{
    int rc = pthread_cond_signal(&cond->cond);
    cleat_assert(rc == 0);
}

void cleat_cond_broadcast(struct cleat_cond *cond)
{
    int rc = pthread_cond_broadcast(&cond->cond);
    cleat_assert(rc == 0);
}
