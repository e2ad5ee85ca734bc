/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ticker: a thread that does one thing again and again, with a pause that the last result
 * decides. Stop ends a pause at once. The pause is measured on the monotonic clock and never longer
 * than a minute, so that what looks at the wall clock notices a suspend or a jump.
 */
#ifndef CLEAT_CONTROLLER_TICKER_H
#define CLEAT_CONTROLLER_TICKER_H

#include <stdbool.h>
#include <cleat/err.h>
#include <cleat/manager.h>
#include "base/lock.h"
#include "base/thread.h"

/* Does it once; returns the pause until the next time in milliseconds. */
typedef int64_t (*cleat_ticker_fn)(void *arg);

struct cleat_ticker {
    struct cleat_thread thread;
    struct cleat_lock lock;
    struct cleat_cond wake;
    bool stopping;
    bool kicked;
    cleat_ticker_fn fn;
    void *arg;
};

void cleat_ticker_init(struct cleat_ticker *ticker, cleat_ticker_fn fn, void *arg);
/** After join. */
void cleat_ticker_fini(struct cleat_ticker *ticker);
int cleat_ticker_start(struct cleat_ticker *ticker, const char *name,
                       struct cleat_err *err) CLEAT_MUST_CHECK;
/** Ends the pause: the next time is now. Any thread. */
void cleat_ticker_kick(struct cleat_ticker *ticker);
void cleat_ticker_stop(struct cleat_ticker *ticker);
/** 0, or -ETIMEDOUT with the thread still running. */
int cleat_ticker_join(struct cleat_ticker *ticker, int64_t timeout_ms);
/** As a runnable: @start is given the ticker and starts it under the name of its thread. */
struct cleat_runnable cleat_ticker_runnable(struct cleat_ticker *ticker, const char *name,
                                            enum cleat_group group,
                                            int (*start)(void *ticker, struct cleat_err *err));

#endif
