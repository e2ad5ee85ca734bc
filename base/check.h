/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions are for programmer errors only and stay on in every build.
 */
#ifndef CLEAT_BASE_CHECK_H
#define CLEAT_BASE_CHECK_H

/** Prints the condition and its place on stderr and aborts. */
_Noreturn void cleat_check_failed(const char *condition, const char *file, int line);

#define cleat_assert(condition) \
    ((condition) ? (void)0 : cleat_check_failed(#condition, __FILE__, __LINE__))

/** Drops a result on purpose; say why beside it. A cast to void doesn't silence gcc. */
#define cleat_ignore(call) \
    do {                   \
        if (call) {}       \
    } while (0)

#endif
