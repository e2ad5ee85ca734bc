/* SPDX-License-Identifier: Apache-2.0 */
#include "support/chaos.h"

#include <check.h>
#include <stdbool.h>

#include "base/mem.h"

#define CHAOS_REQUESTS_MAX 100000

/* One run; true where no request was refused, which ends a sweep. */
static bool chaos_run(cleat_chaos_fn fn, void *arg, uint64_t nth, bool and_after, bool tolerant)
{
    cleat_mem_fail_at(nth, and_after);
    int rc = fn(arg);
    bool refused = cleat_mem_failed();
    cleat_mem_fail_at(0, false);
    if (!refused) {
        ck_assert_msg(rc == 0, "failed with %d although no request was refused", rc);
    } else if (!tolerant || rc > 0) {
        ck_assert_msg(rc < 0, "returned %d although request %lu was refused", rc,
                      (unsigned long)nth);
    }
    return !refused;
}

static uint64_t chaos_sweep(cleat_chaos_fn fn, void *arg, bool and_after, bool tolerant)
{
    uint64_t nth = 1;
    while (!chaos_run(fn, arg, nth, and_after, tolerant)) {
        nth++;
        ck_assert_msg(nth < CHAOS_REQUESTS_MAX, "no end of requests for memory");
    }
    return nth - 1;
}

uint64_t cleat_chaos_sweep(cleat_chaos_fn fn, void *arg)
{
    (void)chaos_sweep(fn, arg, true, false); /* the same number */
    return chaos_sweep(fn, arg, false, false);
}

uint64_t cleat_chaos_sweep_tolerant(cleat_chaos_fn fn, void *arg)
{
    (void)chaos_sweep(fn, arg, true, true); /* may differ: a fallback costs requests */
    return chaos_sweep(fn, arg, false, true);
}
