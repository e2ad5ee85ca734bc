/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock that a test moves by hand, with random numbers that repeat. Any thread may read and move
 * it.
 */
#ifndef CLEAT_TESTS_FAKE_CLOCK_H
#define CLEAT_TESTS_FAKE_CLOCK_H

#include <stdint.h>
#include <cleat/clock.h>

/** Where the wall clock of a fresh fake clock stands: 2026-01-02T03:04:05.678Z. */
#define CLEAT_FAKE_CLOCK_WALL_MS INT64_C(1767323045678)

struct cleat_fake_clock {
    struct cleat_clock clock; /* hand out &fake.clock */
    _Atomic(int64_t) mono_ns;
    _Atomic(int64_t) boot_ms;
    _Atomic(int64_t) wall_ms;
    _Atomic(uint64_t) random_state;
};

/** Monotonic clock at 1000 s, boot clock at 2000 s, wall clock at CLEAT_FAKE_CLOCK_WALL_MS. */
void cleat_fake_clock_init(struct cleat_fake_clock *fake);
/** Moves all clocks on by @ms. */
void cleat_fake_clock_advance_ms(struct cleat_fake_clock *fake, int64_t ms);
/** The machine sleeps for @ms: the boot and wall clocks move, the monotonic one doesn't. */
void cleat_fake_clock_suspend_ms(struct cleat_fake_clock *fake, int64_t ms);
/** Sets the wall clock alone, as an administrator does. */
void cleat_fake_clock_set_wall_ms(struct cleat_fake_clock *fake, int64_t wall_ms);
/** Starts the random numbers of @seed; the same seed gives the same numbers. */
void cleat_fake_clock_seed(struct cleat_fake_clock *fake, uint64_t seed);

#endif
