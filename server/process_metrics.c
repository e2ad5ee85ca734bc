/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process_metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/command.h"

#define PROCESS_FILE_BYTES 1024

static const struct {
    enum cleat_metric_type type;
    const char *name;
    const char *help;
} process_families[PROCESS_FIGURES] = {
    [PROCESS_CPU] = {CLEAT_METRIC_COUNTER, "process_cpu_seconds_total",
                     "User and system CPU time."},
    [PROCESS_OPEN_FDS] = {CLEAT_METRIC_GAUGE, "process_open_fds", "Open file descriptors."},
    [PROCESS_MAX_FDS] = {CLEAT_METRIC_GAUGE, "process_max_fds",
                         "File descriptors that may be open."},
    [PROCESS_VIRTUAL] = {CLEAT_METRIC_GAUGE, "process_virtual_memory_bytes",
                         "Address space in use; most of it is the pool's reservation."},
    [PROCESS_VIRTUAL_MAX] = {CLEAT_METRIC_GAUGE, "process_virtual_memory_max_bytes",
                             "Address space that may be used."},
    [PROCESS_RESIDENT] = {CLEAT_METRIC_GAUGE, "process_resident_memory_bytes", "Memory in use."},
    [PROCESS_START] = {CLEAT_METRIC_GAUGE, "process_start_time_seconds",
                       "When the process started, since the Unix epoch."},
    [PROCESS_THREADS] = {CLEAT_METRIC_GAUGE, "process_threads", "Threads."},
    [PROCESS_MEMORY_LIMIT] = {CLEAT_METRIC_GAUGE, "cleat_memory_limit_bytes",
                              "Memory that the process's control group may use; +Inf without a "
                              "limit."},
};

/* Reads a file's beginning, as text. False where it can't. */
static bool process_read(const char *path, char *text, size_t size)
{
    size_t length = 0;
    ssize_t count = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while (length < size - 1 && (count = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)count;
    close(fd);
    text[length] = '\0';
    return count >= 0 && length > 0;
}

bool cleat__process_stat_parse(const char *text, struct process_stat *ret)
{
    /* From the third on, as proc(5) counts them: the second is a name in brackets. */
    double fields[22];
    size_t count = 0;
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || at[2] == '\0')
        return false;
    at += 3; /* the state */
    while (count < sizeof(fields) / sizeof(fields[0])) {
        char *end = NULL;
        fields[count] = strtod(at, &end);
        if (end == at)
            break;
        at = end;
        count++;
    }
    if (count < 21)
        return false;
    *ret = (struct process_stat){.cpu_ticks = fields[10] + fields[11],
                                 .threads = fields[16],
                                 .start_ticks = fields[18],
                                 .virtual_bytes = fields[19],
                                 .resident_pages = fields[20]};
    return true;
}

/* Seconds since the epoch at which the machine started; 0 where it isn't known. The line comes
 * after those of the processors and the interrupts. */
static double process_boot_s(void)
{
    double boot_s = 0;
    char text[512]; /* of longer lines a part */
    FILE *file = fopen("/proc/stat", "re");
    while (file && boot_s == 0 && fgets(text, sizeof(text), file))
        if (strncmp(text, "btime ", 6) == 0)
            boot_s = strtod(text + 6, NULL);
    if (file)
        fclose(file);
    return boot_s;
}

static double process_open_fds(void)
{
    double count = -1; /* the one that reads the folder */
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return 0;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static double process_limit(int resource)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return INFINITY;
    return (double)limit.rlim_cur;
}

/* Of the control group's second version, or the first. */
static double process_memory_limit(void)
{
    static const char *const paths[] = {"/sys/fs/cgroup/memory.max",
                                        "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    char text[64];
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (!process_read(paths[i], text, sizeof(text)))
            continue;
        double limit = strtod(text, NULL);
        return limit > 0 && limit < 0x1p60 ? limit : INFINITY; /* "max", or about 2^63 */
    }
    return INFINITY;
}

static void process_set(const struct cleat_process_metrics *process, enum process_figure figure,
                        double value)
{
    cleat_series_set(process->series[figure], value);
}

static void process_collect_stat(const struct cleat_process_metrics *process)
{
    char text[PROCESS_FILE_BYTES];
    struct process_stat stat;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    if (!process_read("/proc/self/stat", text, sizeof(text)) ||
        !cleat__process_stat_parse(text, &stat))
        return;
    process_set(process, PROCESS_CPU, stat.cpu_ticks / ticks);
    process_set(process, PROCESS_THREADS, stat.threads);
    process_set(process, PROCESS_VIRTUAL, stat.virtual_bytes);
    process_set(process, PROCESS_RESIDENT, stat.resident_pages * (double)sysconf(_SC_PAGESIZE));
    if (cleat_series_value(process->series[PROCESS_START]) == 0)
        process_set(process, PROCESS_START, process_boot_s() + stat.start_ticks / ticks);
}

static void process_collect(void *arg)
{
    const struct cleat_process_metrics *process = arg;
    process_collect_stat(process);
    process_set(process, PROCESS_OPEN_FDS, process_open_fds());
    process_set(process, PROCESS_MAX_FDS, process_limit(RLIMIT_NOFILE));
    process_set(process, PROCESS_VIRTUAL_MAX, process_limit(RLIMIT_AS));
    process_set(process, PROCESS_MEMORY_LIMIT, process_memory_limit());
}

static int process_build_info(struct cleat_metrics *metrics, struct cleat_err *err)
{
    struct cleat_metric *metric = NULL;
    const char *const values[] = {CLEAT_VERSION, cleat_command_commit()};
    const struct cleat_metric_options options = {.type = CLEAT_METRIC_GAUGE,
                                                 .name = "cleat_build_info",
                                                 .help = "Always 1; the labels tell the program.",
                                                 .labels = {"version", "commit"}};
    int r = cleat_metrics_family(metrics, &options, &metric, err);
    if (r == 0)
        cleat_series_set(cleat_metric_series(metric, values), 1);
    return r;
}

int cleat_process_metrics_init(struct cleat_process_metrics *process, struct cleat_metrics *metrics,
                               struct cleat_err *err)
{
    int r = process_build_info(metrics, err);
    *process = (struct cleat_process_metrics){0};
    for (size_t i = 0; r == 0 && i < PROCESS_FIGURES; i++) {
        struct cleat_metric *metric = NULL;
        const struct cleat_metric_options options = {.type = process_families[i].type,
                                                     .name = process_families[i].name,
                                                     .help = process_families[i].help};
        r = cleat_metrics_family(metrics, &options, &metric, err);
        if (r == 0)
            process->series[i] = cleat_metric_series(metric, NULL);
    }
    if (r == 0)
        r = cleat_metrics_collect(metrics, process_collect, process);
    if (r == 0)
        process->metrics = metrics;
    else
        (void)cleat_err_set(err, r, "the process's metrics: too many collectors");
    return r;
}

void cleat_process_metrics_fini(struct cleat_process_metrics *process)
{
    cleat_metrics_uncollect(process->metrics, process_collect, process);
    process->metrics = NULL;
}
