/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/suite.h"

static void assert_number(void *arg)
{
    int number = *(int *)arg;
    cleat_assert(number == 1);
}

START_TEST(test_asserts_stay_on)
{
    int one = 1, two = 2;
    ck_assert(!cleat_suite_aborts(assert_number, &one));
    ck_assert(cleat_suite_aborts(assert_number, &two));
}
END_TEST

/* What is printed names the condition and its place. */
START_TEST(test_text)
{
    int pipe_fds[2];
    char text[256] = "";
    ck_assert_int_eq(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        if (dup2(pipe_fds[1], STDERR_FILENO) < 0)
            _exit(3);
        cleat_check_failed("a == b", "file.c", 12);
    }
    (void)close(pipe_fds[1]);
    ck_assert_int_gt(read(pipe_fds[0], text, sizeof(text) - 1), 0);
    (void)close(pipe_fds[0]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_str_eq(text, "file.c:12: assertion failed: a == b\n");
}
END_TEST

CLEAT_SUITE_MAIN("check", test_asserts_stay_on, test_text)
