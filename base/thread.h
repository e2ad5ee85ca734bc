/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named threads. Every kind of thread has a line in ARCHITECTURE.md.
 */
#ifndef CLEAT_BASE_THREAD_H
#define CLEAT_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <cleat/err.h>

struct cleat_thread {
    pthread_t thread;
    bool running; /* started and not joined */
    char name[16];
};

#define CLEAT_THREAD_INIT \
    {                     \
        0                 \
    }

/** Starts @fn(@arg) with all signals blocked; the name is cut at 15 bytes. @stack_bytes 0: the
 * default. */
int cleat_thread_start(struct cleat_thread *thread, const char *name, size_t stack_bytes,
                       void *(*fn)(void *), void *arg, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Waits for the end; does nothing where it isn't running. */
void cleat_thread_join(struct cleat_thread *thread);
/** Waits for the end for @timeout_ms. 0, or ETIMEDOUT with the thread still running. */
int cleat_thread_join_ms(struct cleat_thread *thread, int64_t timeout_ms);
/** True where the caller is that thread. */
bool cleat_thread_is_self(const struct cleat_thread *thread);

#endif
