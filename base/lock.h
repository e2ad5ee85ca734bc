/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutexes, reader-writer locks and conditions with a class and a rank. In debug builds a thread may
 * take a lock only when its rank is above every rank that it holds, and cleat_lock_held can be
 * asserted. Classes and ranks live in lock_classes.def, lowest (outermost) first.
 */
#ifndef CLEAT_BASE_LOCK_H
#define CLEAT_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <cleat/clock.h>

enum cleat_lock_class {
#define CLEAT_LOCK_CLASS(name, text) CLEAT_LOCK_##name,
#include "base/lock_classes.def"
#undef CLEAT_LOCK_CLASS
    CLEAT_LOCK_CLASS_COUNT
};

struct cleat_lock {
    pthread_mutex_t mutex;
    enum cleat_lock_class class;
    _Atomic(uintptr_t) owner; /* debug builds: the holder's thread; else 0 */
};

/* A lock of many readers and one preferred writer. */
struct cleat_rwlock {
    pthread_rwlock_t rwlock;
    enum cleat_lock_class class;
    _Atomic(uintptr_t) owner;
};

/* A condition; waits use the monotonic clock. */
struct cleat_cond {
    pthread_cond_t cond;
};

void cleat_lock_init(struct cleat_lock *lock, enum cleat_lock_class class);
void cleat_lock_fini(struct cleat_lock *lock);
void cleat_lock_take(struct cleat_lock *lock);
void cleat_lock_release(struct cleat_lock *lock);
/** True where the calling thread holds @lock; always true in release builds. */
bool cleat_lock_held(const struct cleat_lock *lock);

void cleat_rwlock_init(struct cleat_rwlock *lock, enum cleat_lock_class class);
void cleat_rwlock_fini(struct cleat_rwlock *lock);
void cleat_rwlock_read(struct cleat_rwlock *lock);
void cleat_rwlock_read_release(struct cleat_rwlock *lock);
void cleat_rwlock_write(struct cleat_rwlock *lock);
void cleat_rwlock_write_release(struct cleat_rwlock *lock);

void cleat_cond_init(struct cleat_cond *cond);
void cleat_cond_fini(struct cleat_cond *cond);
void cleat_cond_wait(struct cleat_cond *cond, struct cleat_lock *lock);
/** Waits at most @timeout_ms (< 0: for ever). 0, or ETIMEDOUT (positive: an outcome). */
int cleat_cond_wait_ms(struct cleat_cond *cond, struct cleat_lock *lock, int64_t timeout_ms);
void cleat_cond_signal(struct cleat_cond *cond);
void cleat_cond_broadcast(struct cleat_cond *cond);

#endif
