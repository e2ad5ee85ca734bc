/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void cleat_check_failed(const char *condition, const char *file, int line)
{
    (void)dprintf(STDERR_FILENO, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
