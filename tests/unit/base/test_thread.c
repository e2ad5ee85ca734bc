/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "support/suite.h"
#include "support/wait.h"

struct seen {
    struct cleat_thread thread;
    char name[16];
    bool is_self;
    bool term_blocked;
    atomic_bool go;
};

static void *look_around(void *arg)
{
    struct seen *seen = arg;
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen->term_blocked = sigismember(&mask, SIGTERM) == 1;
    seen->is_self = cleat_thread_is_self(&seen->thread);
    /* The starter gives the name just after the start. */
    CLEAT_WAIT_FOR(pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name)) == 0 &&
                       strncmp(seen->name, "work/", 5) == 0,
                   5000);
    return NULL;
}

START_TEST(test_start_and_join)
{
    struct seen seen = {.thread = CLEAT_THREAD_INIT};
    sigset_t mask;
    ck_assert(!cleat_thread_is_self(&seen.thread));
    ck_assert_int_eq(
        cleat_thread_start(&seen.thread, "work/controller/12", 0, look_around, &seen, NULL), 0);
    ck_assert(!cleat_thread_is_self(&seen.thread));
    cleat_thread_join(&seen.thread);
    ck_assert(!seen.thread.running);
    ck_assert(seen.is_self);
    ck_assert(seen.term_blocked);
    ck_assert_str_eq(seen.name, "work/controller");
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    ck_assert_int_eq(sigismember(&mask, SIGTERM), 0); /* the starter's own mask is as it was */
}
END_TEST

START_TEST(test_join_is_repeatable)
{
    struct cleat_thread thread = CLEAT_THREAD_INIT;
    cleat_thread_join(&thread);
    ck_assert_int_eq(cleat_thread_join_ms(&thread, 0), 0);
}
END_TEST

static void *wait_for_go(void *arg)
{
    atomic_bool *go = arg;
    CLEAT_WAIT_FOR(atomic_load(go), 20000);
    return NULL;
}

START_TEST(test_join_times_out)
{
    struct cleat_thread thread = CLEAT_THREAD_INIT;
    atomic_bool go = false;
    ck_assert_int_eq(cleat_thread_start(&thread, "wait", 256 * 1024, wait_for_go, &go, NULL), 0);
    ck_assert_int_eq(cleat_thread_join_ms(&thread, -5), ETIMEDOUT);
    ck_assert_int_eq(cleat_thread_join_ms(&thread, 5), ETIMEDOUT);
    ck_assert(thread.running);
    atomic_store(&go, true);
    ck_assert_int_eq(cleat_thread_join_ms(&thread, INT64_MAX), 0);
    ck_assert(!thread.running);
}
END_TEST

START_TEST(test_impossible_stack)
{
    struct cleat_thread thread = CLEAT_THREAD_INIT;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_thread_start(&thread, "tiny", 1, wait_for_go, NULL, &err), -EINVAL);
    ck_assert_str_eq(cleat_err_text(&err), "thread tiny can't be started");
    ck_assert(!thread.running);
    cleat_thread_join(&thread);
}
END_TEST

CLEAT_SUITE_MAIN("thread", test_start_and_join, test_join_is_repeatable, test_join_times_out,
                 test_impossible_stack)
