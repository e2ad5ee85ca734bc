/* SPDX-License-Identifier: Apache-2.0 */
#include "support/wait.h"

#include <poll.h>

void cleat_wait_moment(void)
{
    (void)poll(NULL, 0, 1); /* cut short by a signal is as good */
}

bool cleat_wait_for(bool (*condition)(void *arg), void *arg, int64_t limit_ms)
{
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + limit_ms;
    while (!condition(arg)) {
        if (cleat_clock_mono_ms(cleat_clock_system()) >= until_ms)
            return false;
        cleat_wait_moment();
    }
    return true;
}
