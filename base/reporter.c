/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reporter.h"

#include <stdatomic.h>

void cleat_reporter_init(struct cleat_reporter *reporter, const struct cleat_clock *clock,
                         int64_t interval_ms)
{
    reporter->clock = clock;
    reporter->interval_ms = interval_ms;
    atomic_init(&reporter->next_mono_ms, INT64_MIN);
    atomic_init(&reporter->suppressed, 0);
}

bool cleat_reporter_allow(struct cleat_reporter *reporter, uint64_t *ret_suppressed)
{
    int64_t now_ms = cleat_clock_mono_ms(reporter->clock);
    int64_t next_ms = atomic_load(&reporter->next_mono_ms);
    /* Of several threads at the same moment the one whose exchange succeeds reports. */
    if (now_ms < next_ms || !atomic_compare_exchange_strong(&reporter->next_mono_ms, &next_ms,
                                                            now_ms + reporter->interval_ms)) {
        atomic_fetch_add(&reporter->suppressed, 1);
        return false;
    }
    *ret_suppressed = atomic_exchange(&reporter->suppressed, 0);
    return true;
}

void cleat_reporter_reset(struct cleat_reporter *reporter)
{
    atomic_store(&reporter->next_mono_ms, INT64_MIN);
}
