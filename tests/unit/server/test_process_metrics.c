/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process_metrics.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "support/suite.h"

#define REST                                                                    \
    " S 1 2 3 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 17 0 123456 1048576 2048 " \
    "18446744073709551615"                                                      \
    " 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n"

START_TEST(test_stat_lines)
{
    static const struct {
        const char *line;
        bool good;
    } rows[] = {
        {"42 (cleat)" REST, true},     {"42 (a) S 9 (b))" REST, true},
        {"42 (x y\n)" REST, true},     {"", false},
        {"42 cleat S 1", false},       {"42 (cleat)", false},
        {"42 (cleat) S 1 2 3", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct process_stat stat = {0};
        ck_assert_msg(cleat__process_stat_parse(rows[i].line, &stat) == rows[i].good, "%s",
                      rows[i].line);
        if (!rows[i].good)
            continue;
        ck_assert(stat.cpu_ticks == 300);
        ck_assert(stat.threads == 17);
        ck_assert(stat.start_ticks == 123456);
        ck_assert(stat.virtual_bytes == 1048576);
        ck_assert(stat.resident_pages == 2048);
    }
}
END_TEST

static double value(struct cleat_metrics *metrics, const char *name)
{
    char line[128];
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(text.data, line);
    ck_assert_msg(at != NULL, "no %s in\n%s", name, text.data);
    double number = strtod(at + strlen(line), NULL);
    cleat_buffer_fini(&text);
    return number;
}

START_TEST(test_figures_are_of_this_process)
{
    struct cleat_metrics *metrics = NULL;
    struct cleat_process_metrics process;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    ck_assert_int_eq(cleat_process_metrics_init(&process, metrics, NULL), 0);
    ck_assert(value(metrics, "process_resident_memory_bytes") > 100.0 * 1024);
    ck_assert(value(metrics, "process_virtual_memory_bytes") >
              value(metrics, "process_resident_memory_bytes"));
    ck_assert(value(metrics, "process_threads") >= 1);
    ck_assert(value(metrics, "process_max_fds") >= 16);
    ck_assert(value(metrics, "process_virtual_memory_max_bytes") > 0);
    ck_assert(value(metrics, "cleat_memory_limit_bytes") > 0);
    /* The machine's clock may be set while it runs, but not by decades. */
    ck_assert(value(metrics, "process_start_time_seconds") > 1e9);
    double before = value(metrics, "process_open_fds");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert(value(metrics, "process_open_fds") == before + 1);
    close(fd);
    ck_assert(value(metrics, "process_open_fds") == before);
    double cpu_s = value(metrics, "process_cpu_seconds_total");
    volatile unsigned work = 0;
    for (int tries = 0; tries < 10000 && value(metrics, "process_cpu_seconds_total") <= cpu_s;
         tries++)
        for (int i = 0; i < 100000; i++)
            work = work + 1;
    ck_assert(value(metrics, "process_cpu_seconds_total") > cpu_s);
    cleat_process_metrics_fini(&process);
    cleat_process_metrics_fini(&process);
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_build_info)
{
    struct cleat_metrics *metrics = NULL;
    struct cleat_process_metrics process;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    ck_assert_int_eq(cleat_process_metrics_init(&process, metrics, NULL), 0);
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    ck_assert_ptr_nonnull(
        strstr(text.data, "\ncleat_build_info{version=\"" CLEAT_VERSION "\",commit=\""));
    cleat_buffer_fini(&text);
    cleat_process_metrics_fini(&process);
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_without_a_registry)
{
    struct cleat_process_metrics process;
    ck_assert_int_eq(cleat_process_metrics_init(&process, NULL, NULL), 0);
    cleat_process_metrics_fini(&process);
}
END_TEST

CLEAT_SUITE_MAIN("process_metrics", test_stat_lines, test_figures_are_of_this_process,
                 test_build_info, test_without_a_registry)
