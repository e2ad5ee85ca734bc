/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reporter.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "support/fake_clock.h"
#include "support/suite.h"

START_TEST(test_first_at_once_then_by_interval)
{
    struct cleat_fake_clock fake;
    struct cleat_reporter reporter;
    uint64_t suppressed = 99;
    cleat_fake_clock_init(&fake);
    cleat_reporter_init(&reporter, &fake.clock, 1000);
    ck_assert(cleat_reporter_allow(&reporter, &suppressed));
    ck_assert_uint_eq(suppressed, 0);
    ck_assert(!cleat_reporter_allow(&reporter, &suppressed));
    cleat_fake_clock_advance_ms(&fake, 999);
    ck_assert(!cleat_reporter_allow(&reporter, &suppressed));
    cleat_fake_clock_advance_ms(&fake, 1);
    ck_assert(cleat_reporter_allow(&reporter, &suppressed));
    ck_assert_uint_eq(suppressed, 2);
    ck_assert(!cleat_reporter_allow(&reporter, &suppressed));
    cleat_reporter_reset(&reporter);
    ck_assert(cleat_reporter_allow(&reporter, &suppressed));
    ck_assert_uint_eq(suppressed, 1);
}
END_TEST

struct storm {
    struct cleat_reporter reporter;
    _Atomic(uint64_t) allowed, suppressed;
};

static void *storm_run(void *arg)
{
    struct storm *storm = arg;
    for (int i = 0; i < 1000; i++) {
        uint64_t suppressed = 0;
        if (cleat_reporter_allow(&storm->reporter, &suppressed)) {
            atomic_fetch_add(&storm->allowed, 1);
            atomic_fetch_add(&storm->suppressed, suppressed);
        }
    }
    return NULL;
}

/* Of many threads at one moment one reports, and nobody is forgotten in the count. */
START_TEST(test_threads)
{
    struct cleat_fake_clock fake;
    struct storm storm = {.allowed = 0};
    struct cleat_thread threads[4] = {CLEAT_THREAD_INIT};
    uint64_t rest = 0;
    cleat_fake_clock_init(&fake);
    cleat_reporter_init(&storm.reporter, &fake.clock, 1000);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(cleat_thread_start(&threads[i], "storm", 0, storm_run, &storm, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        cleat_thread_join(&threads[i]);
    cleat_fake_clock_advance_ms(&fake, 1000);
    ck_assert_uint_eq(storm.allowed, 1);
    ck_assert(cleat_reporter_allow(&storm.reporter, &rest));
    ck_assert_uint_eq(storm.suppressed + rest, 3999);
}
END_TEST

START_TEST(test_macro_logs_the_count)
{
    struct cleat_fake_clock fake;
    struct cleat_reporter reporter;
    struct cleat_log *log = NULL;
    int pipe_fds[2];
    char text[1024] = "";
    cleat_fake_clock_init(&fake);
    ck_assert_int_eq(pipe(pipe_fds), 0);
    struct cleat_log_options options = {
        .fd = pipe_fds[1], .level = CLEAT_LOG_INFO, .format = CLEAT_LOG_TEXT, .clock = &fake.clock};
    ck_assert_int_eq(cleat_log_new(&options, &log, NULL), 0);
    cleat_reporter_init(&reporter, &fake.clock, 1000);
    for (int i = 0; i < 5; i++)
        cleat_report(&reporter, log, CLEAT_LOG_WARN, "watch broken", cleat_log_int("i", i));
    cleat_fake_clock_advance_ms(&fake, 1000);
    cleat_report(&reporter, log, CLEAT_LOG_WARN, "watch broken");
    log = cleat_log_free(log);
    ck_assert_int_gt(read(pipe_fds[0], text, sizeof(text) - 1), 0);
    ck_assert_str_eq(text, "2026-01-02T03:04:05.678Z WARN  watch broken i=0 suppressed=0\n"
                           "2026-01-02T03:04:06.678Z WARN  watch broken suppressed=4\n");
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}
END_TEST

CLEAT_SUITE_MAIN("reporter", test_first_at_once_then_by_interval, test_threads,
                 test_macro_logs_the_count)
