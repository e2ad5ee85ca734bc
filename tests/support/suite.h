/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test program in few lines:
 *
 *     START_TEST(test_empty) { ck_assert_int_eq(…); } END_TEST
 *     CLEAT_SUITE_MAIN("buffer", test_empty, test_growth)
 *
 * Tests run in one process unless CK_FORK=yes is set, so that sanitizers and debuggers see them; a
 * test that takes longer than CK_DEFAULT_TIMEOUT seconds (else 30) ends the program with its name.
 * Arguments: names of the tests to run; --list prints them.
 */
#ifndef CLEAT_TESTS_SUITE_H
#define CLEAT_TESTS_SUITE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

/** Runs the tests (all, or those named in @argv) and returns the exit status: 0, or 1 if any
 * failed. */
int cleat_suite_run(const char *name, const TTest *const *tests, size_t count, int argc,
                    char **argv);

/** True where @fn(@arg), run in a child with its stderr closed, ends by abort(): for assertions. */
bool cleat_suite_aborts(void (*fn)(void *arg), void *arg);

#define CLEAT_SUITE_MAIN(name, ...)                                                          \
    int main(int argc, char **argv)                                                          \
    {                                                                                        \
        const TTest *const tests[] = {__VA_ARGS__};                                          \
        return cleat_suite_run((name), tests, sizeof(tests) / sizeof(tests[0]), argc, argv); \
    }

#endif
