/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system's clock, running faster: what waits for minutes is over in seconds, with real sockets
 * and threads. Waits of the kernel and of curl are not moved.
 */
#ifndef CLEAT_TESTS_FAST_CLOCK_H
#define CLEAT_TESTS_FAST_CLOCK_H

#include <stdint.h>
#include <cleat/clock.h>

struct cleat_fast_clock {
    struct cleat_clock clock; /* hand out &fast.clock */
    int64_t times;
    int64_t start_ns; /* of the system's monotonic clock */
};

/** A clock that runs @times as fast from now on; it stays where it is for its users' lives. */
void cleat_fast_clock_init(struct cleat_fast_clock *fast, int64_t times);

#endif
