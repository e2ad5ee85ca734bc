/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for another thread or process without sleeping blindly: look, and look again soon, up to
 * a limit.
 */
#ifndef CLEAT_TESTS_WAIT_H
#define CLEAT_TESTS_WAIT_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <cleat/clock.h>

/** True as soon as @condition(@arg) is; false after @limit_ms of it not being so. */
bool cleat_wait_for(bool (*condition)(void *arg), void *arg, int64_t limit_ms);
/** Gives other threads about a millisecond. */
void cleat_wait_moment(void);

/** Waits for an expression; fails the test after @limit_ms. */
#define CLEAT_WAIT_FOR(expression, limit_ms)                                              \
    do {                                                                                  \
        int64_t cleat_until_ms_ = cleat_clock_mono_ms(cleat_clock_system()) + (limit_ms); \
        while (!(expression)) {                                                           \
            ck_assert_msg(cleat_clock_mono_ms(cleat_clock_system()) < cleat_until_ms_,    \
                          "not within %lld ms: %s", (long long)(limit_ms), #expression);  \
            cleat_wait_moment();                                                          \
        }                                                                                 \
    } while (0)

#endif
