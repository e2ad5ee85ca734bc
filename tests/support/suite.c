/* SPDX-License-Identifier: Apache-2.0 */
#include "support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUITE_LIMIT_S 30

/* Of the running test; written between tests only, read in the alarm's handler. */
static const char *suite_running;
static unsigned suite_limit_s = SUITE_LIMIT_S;

static void suite_put(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(3);
}

static void suite_alarm(int signal)
{
    suite_put("time limit exceeded in ");
    suite_put(suite_running ? suite_running : "a test");
    suite_put("\n");
    abort(); /* a core or a sanitizer's stack shows where it hangs */
}

static void suite_setup(void)
{
    suite_running = tcase_name();
    (void)signal(SIGALRM, suite_alarm); /* can't fail for SIGALRM */
    (void)alarm(suite_limit_s);
}

static void suite_teardown(void)
{
    (void)alarm(0);
}

static bool suite_wants(const TTest *test, int argc, char **argv)
{
    bool wanted = argc < 2;
    for (int i = 1; i < argc; i++)
        wanted = wanted || strcmp(argv[i], test->name) == 0;
    return wanted;
}

static int suite_list(const TTest *const *tests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)printf("%s\n", tests[i]->name); /* a failing stdout shows in the missing names */
    return 0;
}

/* One case per test, so that the alarm knows the name of what it ends. */
static void suite_add(Suite *suite, const TTest *test)
{
    TCase *tcase = tcase_create(test->name);
    tcase_set_timeout(tcase, suite_limit_s);
    tcase_add_checked_fixture(tcase, suite_setup, suite_teardown);
    tcase_add_test(tcase, test);
    suite_add_tcase(suite, tcase);
}

int cleat_suite_run(const char *name, const TTest *const *tests, size_t count, int argc,
                    char **argv)
{
    const char *limit = getenv("CK_DEFAULT_TIMEOUT");
    size_t wanted = 0;
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return suite_list(tests, count);
    suite_limit_s = limit ? (unsigned)strtoul(limit, NULL, 10) : SUITE_LIMIT_S;
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < count; i++) {
        if (suite_wants(tests[i], argc, argv)) {
            suite_add(suite, tests[i]);
            wanted++;
        }
    }
    SRunner *runner = srunner_create(suite);
    if (!getenv("CK_FORK"))
        srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    int run = srunner_ntests_run(runner);
    srunner_free(runner);
    if (wanted == 0 || run == 0) {
        (void)fprintf(stderr, "%s: no such test\n", name); /* the status says the same */
        return 1;
    }
    return failed > 0 ? 1 : 0;
}

bool cleat_suite_aborts(void (*fn)(void *arg), void *arg)
{
    int status = 0;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        int null = open("/dev/null", O_WRONLY);
        if (null < 0 || dup2(null, STDERR_FILENO) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
            _exit(3);
        (void)signal(SIGABRT, SIG_DFL); /* a sanitizer may have put itself there */
        fn(arg);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
