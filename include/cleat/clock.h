/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time and randomness come in through a clock, so that tests can run them by hand. Nothing else in
 * Cleat reads a clock or makes random numbers. A clock is constant after its making and used from
 * any thread.
 */
#ifndef CLEAT_CLOCK_H
#define CLEAT_CLOCK_H

#include <stdint.h>
#include <stddef.h>
#include <cleat/macro.h>

CLEAT_BEGIN

struct cleat_clock {
    int64_t (*mono_ms)(void *arg); /* CLOCK_MONOTONIC; never goes back */
    int64_t (*mono_ns)(void *arg); /* the same clock, for measuring */
    int64_t (*boot_ms)(
        void *arg); /* CLOCK_BOOTTIME; counts suspended time: deadlines of leadership */
    int64_t (*wall_ms)(void *arg); /* Unix time; may jump */
    void (*random)(void *arg, void *bytes, size_t length);
    void *arg;
};

/** The system's clocks and getrandom(2). Static, for ever. */
CLEAT_EXPORT const struct cleat_clock *cleat_clock_system(void);

/** Milliseconds of the monotonic clock; only differences mean anything. */
CLEAT_EXPORT int64_t cleat_clock_mono_ms(const struct cleat_clock *clock);
/** Nanoseconds of the same clock, for measuring. */
CLEAT_EXPORT int64_t cleat_clock_mono_ns(const struct cleat_clock *clock);
/** Milliseconds since boot, time in suspend included. */
CLEAT_EXPORT int64_t cleat_clock_boot_ms(const struct cleat_clock *clock);
/** Unix time in milliseconds; may jump. */
CLEAT_EXPORT int64_t cleat_clock_wall_ms(const struct cleat_clock *clock);
/** Fills @bytes with @length random bytes. */
CLEAT_EXPORT void cleat_clock_random(const struct cleat_clock *clock, void *bytes, size_t length);
/** A random number in [0, bound); @bound 0 gives 0. */
CLEAT_EXPORT uint64_t cleat_clock_random_below(const struct cleat_clock *clock, uint64_t bound);
/** A random version 4 UUID (RFC 9562 section 5.4) as text with its NUL. */
CLEAT_EXPORT void cleat_clock_uuid(const struct cleat_clock *clock, char text[37]);

CLEAT_END

#endif
