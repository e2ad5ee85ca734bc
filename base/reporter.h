/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rate limit for failures that repeat: the first is logged at once, then at most one per
 * interval, with the number of those kept quiet in between. Any thread; no lock.
 */
#ifndef CLEAT_BASE_REPORTER_H
#define CLEAT_BASE_REPORTER_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/clock.h>
#include <cleat/log.h>

struct cleat_reporter {
    const struct cleat_clock *clock; /* borrowed */
    int64_t interval_ms;
    _Atomic(int64_t) next_mono_ms; /* INT64_MIN: nothing was reported yet */
    _Atomic(uint64_t) suppressed;
};

/** At most one report per @interval_ms. */
void cleat_reporter_init(struct cleat_reporter *reporter, const struct cleat_clock *clock,
                         int64_t interval_ms);
/** True where the caller is the one to report now; *@ret_suppressed: how many weren't since the
 * last. */
bool cleat_reporter_allow(struct cleat_reporter *reporter, uint64_t *ret_suppressed);
/** What repeated has ended: the next failure is reported at once. */
void cleat_reporter_reset(struct cleat_reporter *reporter);

/* cleat_report(&reporter, log, CLEAT_LOG_WARN, "watch broken", cleat_log_err(&err)); adds
 * "suppressed". */
#define cleat_report(reporter, log, level, ...)                                    \
    do {                                                                           \
        uint64_t cleat_suppressed_ = 0;                                            \
        if (cleat_reporter_allow((reporter), &cleat_suppressed_))                  \
            cleat_log_at((log), (level), __VA_ARGS__,                              \
                         cleat_log_int("suppressed", (int64_t)cleat_suppressed_)); \
    } while (0)

#endif
