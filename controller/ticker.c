/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "controller/ticker.h"

#define TICKER_PAUSE_MS_MAX 60000

void cleat_ticker_init(struct cleat_ticker *ticker, cleat_ticker_fn fn, void *arg)
{
    *ticker = (struct cleat_ticker){.fn = fn, .arg = arg};
    cleat_lock_init(&ticker->lock, CLEAT_LOCK_TICKER);
    cleat_cond_init(&ticker->wake);
}

void cleat_ticker_fini(struct cleat_ticker *ticker)
{
    cleat_cond_fini(&ticker->wake);
    cleat_lock_fini(&ticker->lock);
}

/* Waits for @pause_ms, a kick or the stop; true to go on. */
static bool ticker_pause(struct cleat_ticker *ticker, int64_t pause_ms)
{
    cleat_lock_take(&ticker->lock);
    if (!ticker->stopping && !ticker->kicked && pause_ms > 0)
        (void)cleat_cond_wait_ms(&ticker->wake, &ticker->lock,
                                 pause_ms < TICKER_PAUSE_MS_MAX ? pause_ms : TICKER_PAUSE_MS_MAX);
    ticker->kicked = false;
    bool go_on = !ticker->stopping;
    cleat_lock_release(&ticker->lock);
    return go_on;
}

static void *ticker_main(void *arg)
{
    struct cleat_ticker *ticker = arg;
    int64_t pause_ms = 0;
    while (ticker_pause(ticker, pause_ms))
        pause_ms = ticker->fn(ticker->arg);
    return NULL;
}

int cleat_ticker_start(struct cleat_ticker *ticker, const char *name, struct cleat_err *err)
{
    return cleat_thread_start(&ticker->thread, name, 0, ticker_main, ticker, err);
}

void cleat_ticker_kick(struct cleat_ticker *ticker)
{
    cleat_lock_take(&ticker->lock);
    ticker->kicked = true;
    cleat_cond_broadcast(&ticker->wake);
    cleat_lock_release(&ticker->lock);
}

void cleat_ticker_stop(struct cleat_ticker *ticker)
{
    cleat_lock_take(&ticker->lock);
    ticker->stopping = true;
    cleat_cond_broadcast(&ticker->wake);
    cleat_lock_release(&ticker->lock);
}

int cleat_ticker_join(struct cleat_ticker *ticker, int64_t timeout_ms)
{
    if (timeout_ms >= 0)
        return cleat_thread_join_ms(&ticker->thread, timeout_ms) == 0 ? 0 : -ETIMEDOUT;
    cleat_thread_join(&ticker->thread);
    return 0;
}

static void ticker_stop_runnable(void *arg)
{
    cleat_ticker_stop(arg);
}

static int ticker_join_runnable(void *arg, int64_t timeout_ms)
{
    return cleat_ticker_join(arg, timeout_ms);
}

struct cleat_runnable cleat_ticker_runnable(struct cleat_ticker *ticker, const char *name,
                                            enum cleat_group group,
                                            int (*start)(void *ticker, struct cleat_err *err))
{
    return (struct cleat_runnable){.name = name,
                                   .group = group,
                                   .start = start,
                                   .stop = ticker_stop_runnable,
                                   .join = ticker_join_runnable,
                                   .arg = ticker};
}
