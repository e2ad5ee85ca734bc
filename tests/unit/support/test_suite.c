/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test support itself: a suite that hides failures would make every other test worthless.
 * Suites run in children here, and only their status counts.
 */
#include "support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/chaos.h"
#include "support/temp_dir.h"
#include "support/wait.h"

START_TEST(fixture_passes)
{
    ck_assert_int_eq(1, 1);
}
END_TEST

START_TEST(fixture_fails)
{
    ck_assert_int_eq(1, 2);
}
END_TEST

START_TEST(fixture_hangs)
{
    for (;;)
        cleat_wait_moment();
}
END_TEST

/* The wait status of a suite run in a child, with what it prints thrown away. */
static int run_suite(const TTest *const *tests, size_t count, char *name)
{
    char program[] = "fixture";
    char *argv[] = {program, name, NULL};
    int status = 0;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
            setenv("CK_DEFAULT_TIMEOUT", "1", 1) != 0)
            _exit(99);
        (void)signal(SIGABRT, SIG_DFL);
        _exit(cleat_suite_run("fixture", tests, count, name ? 2 : 1, argv));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

START_TEST(test_status)
{
    const TTest *const both[] = {fixture_passes, fixture_fails};
    char passes[] = "fixture_passes", fails[] = "fixture_fails", nobody[] = "nobody",
         list[] = "--list";
    ck_assert_int_eq(WEXITSTATUS(run_suite(both, 1, NULL)), 0);
    ck_assert_int_eq(WEXITSTATUS(run_suite(both, 2, NULL)), 1);
    ck_assert_int_eq(WEXITSTATUS(run_suite(both, 2, passes)), 0);
    ck_assert_int_eq(WEXITSTATUS(run_suite(both, 2, fails)), 1);
    ck_assert_int_eq(WEXITSTATUS(run_suite(both, 2, nobody)), 1); /* nothing run isn't a success */
    ck_assert_int_eq(WEXITSTATUS(run_suite(both, 2, list)), 0);
}
END_TEST

START_TEST(test_time_limit)
{
    const TTest *const hangs[] = {fixture_hangs};
    int status = run_suite(hangs, 1, NULL);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

static int asks_three_times(void *arg)
{
    void *blocks[3] = {NULL};
    int rc = 0;
    for (size_t i = 0; i < 3 && rc == 0; i++) {
        blocks[i] = cleat_mem_alloc(8);
        rc = blocks[i] ? 0 : -ENOMEM;
    }
    for (size_t i = 0; i < 3; i++)
        cleat_mem_free(blocks[i]);
    ++*(int *)arg;
    return rc;
}

static int hides_failure(void *arg)
{
    cleat_mem_free(cleat_mem_alloc(8));
    return 0;
}

static int always_fails(void *arg)
{
    return -EIO;
}

START_TEST(fixture_hidden_failure)
{
    (void)cleat_chaos_sweep(hides_failure, NULL);
}
END_TEST

START_TEST(fixture_always_fails)
{
    (void)cleat_chaos_sweep_tolerant(always_fails, NULL);
}
END_TEST

START_TEST(test_chaos)
{
    const TTest *const hidden[] = {fixture_hidden_failure};
    const TTest *const fails[] = {fixture_always_fails};
    int runs = 0;
    ck_assert_uint_eq(cleat_chaos_sweep(asks_three_times, &runs), 3);
    ck_assert_int_eq(runs, 8); /* three refused and one untouched, in both ways */
    ck_assert_uint_eq(cleat_chaos_sweep_tolerant(hides_failure, NULL), 1);
    ck_assert_int_eq(WEXITSTATUS(run_suite(hidden, 1, NULL)), 1);
    ck_assert_int_eq(WEXITSTATUS(run_suite(fails, 1, NULL)), 1);
}
END_TEST

static bool count_down(void *arg)
{
    return --*(int *)arg <= 0;
}

START_TEST(fixture_waits_in_vain)
{
    CLEAT_WAIT_FOR(false, 5);
}
END_TEST

START_TEST(test_wait)
{
    const TTest *const vain[] = {fixture_waits_in_vain};
    int left = 3, many = 1 << 30;
    ck_assert(cleat_wait_for(count_down, &left, 5000));
    ck_assert(!cleat_wait_for(count_down, &many, 5));
    ck_assert_int_eq(WEXITSTATUS(run_suite(vain, 1, NULL)), 1);
}
END_TEST

START_TEST(test_temp_dir)
{
    struct cleat_temp_dir dir;
    struct stat status;
    cleat_temp_dir_init(&dir);
    cleat_temp_dir_write(&dir, "a", "text");
    ck_assert_int_eq(stat(cleat_temp_dir_path(&dir, "a"), &status), 0);
    ck_assert_int_eq(status.st_size, 4);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(mkdir(cleat_temp_dir_path(&dir, "sub"), 0700), 0);
    cleat_temp_dir_write(&dir, "sub/b", "");
    cleat_temp_dir_fini(&dir);
    ck_assert_int_eq(stat(dir.path, &status), -1);
}
END_TEST

CLEAT_SUITE_MAIN("suite", test_status, test_time_limit, test_chaos, test_wait, test_temp_dir)
