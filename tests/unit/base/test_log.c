/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "support/chaos.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

struct rig {
    struct cleat_fake_clock fake;
    struct cleat_log *log;
    int read_fd, write_fd;
    char *text; /* everything read */
    size_t length;
};

static void rig_start(struct rig *rig, const int fds[2], size_t queue_bytes_max)
{
    rig->read_fd = fds[0];
    rig->write_fd = fds[1];
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    cleat_fake_clock_init(&rig->fake);
    struct cleat_log_options options = {.fd = fds[1],
                                        .level = CLEAT_LOG_INFO,
                                        .format = CLEAT_LOG_JSON,
                                        .clock = &rig->fake.clock,
                                        .queue_bytes_max = queue_bytes_max};
    rig->log = NULL;
    ck_assert_int_eq(cleat_log_new(&options, &rig->log, NULL), 0);
    rig->text = cleat_mem_zalloc(1, 8 << 20);
    rig->length = 0;
}

static void rig_init(struct rig *rig, size_t queue_bytes_max)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    rig_start(rig, fds, queue_bytes_max);
}

/* Reads what is there; returns the number of bytes. */
static size_t rig_read(struct rig *rig)
{
    size_t before = rig->length;
    for (;;) {
        ssize_t got = read(rig->read_fd, rig->text + rig->length, (8 << 20) - 1 - rig->length);
        if (got <= 0)
            break;
        rig->length += (size_t)got;
    }
    rig->text[rig->length] = '\0';
    return rig->length - before;
}

static size_t rig_lines(const struct rig *rig, const char *with)
{
    size_t count = 0;
    for (const char *at = rig->text; (at = strstr(at, with)) != NULL; at++)
        count++;
    return count;
}

static void rig_fini(struct rig *rig)
{
    rig->log = cleat_log_free(rig->log);
    ck_assert_ptr_null(rig->log);
    cleat_mem_free(rig->text);
    (void)close(rig->read_fd);
    (void)close(rig->write_fd);
}

START_TEST(test_null_log)
{
    struct cleat_log *log = NULL;
    cleat_error(log, "nobody hears this", cleat_log_int("n", 1));
    cleat_log_write(log, CLEAT_LOG_ERROR, "nor this", NULL, 0);
    cleat_log_set_level(log, CLEAT_LOG_DEBUG);
    ck_assert(!cleat_log_enabled(log, CLEAT_LOG_ERROR));
    ck_assert_uint_eq(cleat_log_dropped(log), 0);
    ck_assert_int_eq(cleat_log_flush(log, 0), 0);
    ck_assert_ptr_null(cleat_log_free(log));
}
END_TEST

START_TEST(test_lines)
{
    struct rig rig;
    rig_init(&rig, 0);
    cleat_info(rig.log, "started");
    ck_assert_int_eq(cleat_log_flush(rig.log, INT64_MAX), 0);
    cleat_fake_clock_advance_ms(&rig.fake, 1000);
    cleat_warn(rig.log, "slow", cleat_log_text("name", "a"), cleat_log_int("ms", 12));
    ck_assert_int_eq(cleat_log_flush(rig.log, 5000), 0);
    rig_read(&rig);
    ck_assert_str_eq(
        rig.text, "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"msg\":\"started\"}\n"
                  "{\"time\":\"2026-01-02T03:04:06.678Z\",\"level\":\"warn\",\"msg\":\"slow\","
                  "\"name\":\"a\",\"ms\":12}\n");
    rig_fini(&rig);
}
END_TEST

static int evaluated;

static struct cleat_log_field expensive(void)
{
    evaluated++;
    return cleat_log_int("n", evaluated);
}

START_TEST(test_levels)
{
    struct rig rig;
    rig_init(&rig, 0);
    evaluated = 0;
    cleat_debug(rig.log, "hidden", expensive());
    ck_assert_int_eq(evaluated, 0); /* what isn't written isn't computed */
    cleat_log_write(rig.log, CLEAT_LOG_DEBUG, "hidden", NULL, 0);
    cleat_log_set_level(rig.log, CLEAT_LOG_DEBUG);
    ck_assert(cleat_log_enabled(rig.log, CLEAT_LOG_DEBUG));
    cleat_debug(rig.log, "shown", expensive());
    cleat_log_set_level(rig.log, CLEAT_LOG_ERROR);
    cleat_warn(rig.log, "hidden");
    cleat_error(rig.log, "shown");
    ck_assert_int_eq(cleat_log_flush(rig.log, 5000), 0);
    rig_read(&rig);
    ck_assert_uint_eq(rig_lines(&rig, "shown"), 2);
    ck_assert_uint_eq(rig_lines(&rig, "hidden"), 0);
    ck_assert_int_eq(evaluated, 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_free_writes_the_rest)
{
    struct rig rig;
    rig_init(&rig, 0);
    for (int i = 0; i < 100; i++)
        cleat_info(rig.log, "line", cleat_log_int("i", i));
    rig.log = cleat_log_free(rig.log);
    rig_read(&rig);
    ck_assert_uint_eq(rig_lines(&rig, "\"line\""), 100);
    rig_fini(&rig);
}
END_TEST

/* A thousand lines more; true once nothing gets through any more. */
static bool blocks(struct rig *rig, unsigned *lines)
{
    for (int i = 0; i < 1000; i++)
        cleat_info(rig->log, "line", cleat_log_int("i", i));
    *lines += 1000;
    return cleat_log_flush(rig->log, 20) == -ETIMEDOUT;
}

/* Nobody reads: callers go on, the queue stays within its bound, and afterwards the gap is named.
 */
static void check_blocked_reader(struct rig *rig)
{
    unsigned lines = 0;
    CLEAT_WAIT_FOR(blocks(rig, &lines) && cleat_log_dropped(rig->log) > 0, 10000);
    uint64_t dropped = cleat_log_dropped(rig->log);
    CLEAT_WAIT_FOR(rig_read(rig) == 0 && cleat_log_flush(rig->log, 10) == 0, 10000);
    rig_read(rig);
    CLEAT_WAIT_FOR(rig_read(rig) == 0 && rig_lines(rig, "log lines dropped") >= 1, 10000);
    ck_assert_uint_eq(rig_lines(rig, "\"line\"") + dropped, lines);
    char *told = strstr(rig->text, "\"log lines dropped\",\"lines\":");
    ck_assert_ptr_nonnull(told);
}

START_TEST(test_blocked_pipe)
{
    struct rig rig;
    rig_init(&rig, 4096);
    check_blocked_reader(&rig);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_blocked_socket)
{
    struct rig rig;
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    rig_start(&rig, fds, 4096);
    check_blocked_reader(&rig);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_free_gives_up_on_a_blocked_pipe)
{
    struct rig rig;
    rig_init(&rig, 1 << 20);
    for (int i = 0; i < 3000; i++)
        cleat_info(rig.log, "line", cleat_log_int("i", i));
    int64_t before_ms = cleat_clock_mono_ms(cleat_clock_system());
    rig.log = cleat_log_free(rig.log);
    ck_assert_int_lt(cleat_clock_mono_ms(cleat_clock_system()) - before_ms, 10000);
    rig_fini(&rig);
}
END_TEST

START_TEST(test_closed_reader)
{
    struct rig rig;
    rig_init(&rig, 0);
    (void)close(rig.read_fd);
    cleat_info(rig.log, "nobody there"); /* and no SIGPIPE either */
    ck_assert_int_eq(cleat_log_flush(rig.log, 5000), 0);
    ck_assert_uint_eq(cleat_log_dropped(rig.log), 1);
    rig.read_fd = dup(rig.write_fd);
    rig_fini(&rig);
}
END_TEST

static void *log_hammer(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        cleat_info(arg, "line", cleat_log_text("pad", "0123456789"));
        if (i % 100 == 0)
            cleat_log_set_level(arg, CLEAT_LOG_INFO);
    }
    return NULL;
}

/* Lines of several threads never mix. */
START_TEST(test_threads)
{
    static const char line[] = "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\","
                               "\"msg\":\"line\",\"pad\":\"0123456789\"}\n";
    struct rig rig;
    struct cleat_thread threads[4] = {CLEAT_THREAD_INIT};
    rig_init(&rig, 0);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(cleat_thread_start(&threads[i], "hammer", 0, log_hammer, rig.log, NULL),
                         0);
    }
    CLEAT_WAIT_FOR((rig_read(&rig), rig.length >= 4000 * (sizeof(line) - 1)), 20000);
    for (size_t i = 0; i < 4; i++)
        cleat_thread_join(&threads[i]);
    ck_assert_uint_eq(rig.length, 4000 * (sizeof(line) - 1));
    for (size_t at = 0; at < rig.length; at += sizeof(line) - 1)
        ck_assert(memcmp(rig.text + at, line, sizeof(line) - 1) == 0);
    ck_assert_uint_eq(cleat_log_dropped(rig.log), 0);
    rig_fini(&rig);
}
END_TEST

static int start_and_stop(void *arg)
{
    struct cleat_log_options options = {.fd = *(int *)arg, .clock = cleat_clock_system()};
    struct cleat_log *log = NULL;
    int rc = cleat_log_new(&options, &log, NULL);
    ck_assert((rc == 0) == (log != NULL));
    log = cleat_log_free(log);
    return rc;
}

START_TEST(test_out_of_memory)
{
    int null = open("/dev/null", O_WRONLY);
    ck_assert_uint_eq(cleat_chaos_sweep(start_and_stop, &null), 3);
    (void)close(null);
}
END_TEST

START_TEST(test_line_without_memory_is_counted)
{
    struct rig rig;
    rig_init(&rig, 0);
    cleat_mem_fail_at(1, true);
    cleat_info(rig.log, "lost");
    cleat_mem_fail_at(0, false);
    ck_assert_uint_eq(cleat_log_dropped(rig.log), 1);
    cleat_info(rig.log, "kept");
    ck_assert_int_eq(cleat_log_flush(rig.log, 5000), 0);
    rig_read(&rig);
    ck_assert_uint_eq(rig_lines(&rig, "lost"), 0);
    ck_assert_uint_eq(rig_lines(&rig, "kept"), 1);
    rig_fini(&rig);
}
END_TEST

CLEAT_SUITE_MAIN("log", test_null_log, test_lines, test_levels, test_free_writes_the_rest,
                 test_blocked_pipe, test_blocked_socket, test_free_gives_up_on_a_blocked_pipe,
                 test_closed_reader, test_threads, test_out_of_memory,
                 test_line_without_memory_is_counted)
