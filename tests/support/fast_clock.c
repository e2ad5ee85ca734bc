/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fast_clock.h"

static int64_t fast_ahead_ns(const struct cleat_fast_clock *fast)
{
    int64_t passed_ns = cleat_clock_mono_ns(cleat_clock_system()) - fast->start_ns;
    return passed_ns * (fast->times - 1);
}

static int64_t fast_mono_ns(void *arg)
{
    return cleat_clock_mono_ns(cleat_clock_system()) + fast_ahead_ns(arg);
}

static int64_t fast_mono_ms(void *arg)
{
    return fast_mono_ns(arg) / 1000000;
}

static int64_t fast_boot_ms(void *arg)
{
    return cleat_clock_boot_ms(cleat_clock_system()) + fast_ahead_ns(arg) / 1000000;
}

static int64_t fast_wall_ms(void *arg)
{
    return cleat_clock_wall_ms(cleat_clock_system()) + fast_ahead_ns(arg) / 1000000;
}

static void fast_random(void *arg, void *bytes, size_t length)
{
    (void)arg;
    cleat_clock_random(cleat_clock_system(), bytes, length);
}

void cleat_fast_clock_init(struct cleat_fast_clock *fast, int64_t times)
{
    *fast = (struct cleat_fast_clock){
        .clock = {.mono_ms = fast_mono_ms,
                  .mono_ns = fast_mono_ns,
                  .boot_ms = fast_boot_ms,
                  .wall_ms = fast_wall_ms,
                  .random = fast_random,
                  .arg = fast},
        .times = times,
        .start_ns = cleat_clock_mono_ns(cleat_clock_system()),
    };
}
