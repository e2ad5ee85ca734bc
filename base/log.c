/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two buffers: callers append finished lines to `queued` under the lock, the log's thread swaps it
 * for its empty `writing` and writes that without the lock. A caller never waits for the
 * descriptor; a line that doesn't fit is counted, and the count is logged when there is room again.
 */
#include <cleat/log.h>

#include <errno.h>
#include <poll.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cleat/buffer.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/log_line.h"
#include "base/mem.h"
#include "base/thread.h"

#define LOG_FIELDS_MAX 32
#define LOG_POLL_MS 100
#define LOG_STOP_POLLS 10 /* a blocked descriptor gets a second at the end */

struct log_batch {
    char *data;
    size_t length;
    uint64_t lines;
};

struct cleat_log {
    int fd;
    bool is_socket;
    enum cleat_log_format format;
    const struct cleat_clock *clock;
    size_t bytes_max;
    _Atomic(int) level;        /* relaxed: a late change of level loses or adds a line, no more */
    _Atomic(uint64_t) dropped; /* relaxed: a count for reading */
    atomic_bool stopping;      /* also read by the writer between polls, without the lock */
    struct cleat_lock lock;
    struct cleat_cond work;    /* something is queued, or stopping */
    struct cleat_cond written; /* a batch is done */
    struct log_batch queued;   /* under the lock */
    struct log_batch writing;  /* the thread's own */
    uint64_t bytes_in;         /* under the lock: bytes accepted since the start */
    uint64_t bytes_out;        /* under the lock: bytes written or given up */
    uint64_t dropped_told;     /* the thread's own: how many drops were logged */
    struct cleat_thread thread;
};

bool cleat_log_enabled(const struct cleat_log *log, enum cleat_log_level level)
{
    return log && (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}

void cleat_log_set_level(struct cleat_log *log, enum cleat_log_level level)
{
    if (log)
        atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

uint64_t cleat_log_dropped(const struct cleat_log *log)
{
    return log ? atomic_load_explicit(&log->dropped, memory_order_relaxed) : 0;
}

static void log_drop(struct cleat_log *log, uint64_t lines)
{
    atomic_fetch_add_explicit(&log->dropped, lines, memory_order_relaxed);
}

static void log_queue(struct cleat_log *log, struct cleat_str line)
{
    cleat_lock_take(&log->lock);
    struct log_batch *queued = &log->queued;
    if (line.length > log->bytes_max - queued->length) {
        log_drop(log, 1);
    } else {
        memcpy(queued->data + queued->length, line.data, line.length);
        queued->length += line.length;
        queued->lines++;
        log->bytes_in += line.length;
        if (queued->lines == 1)
            cleat_cond_signal(&log->work);
    }
    cleat_lock_release(&log->lock);
}

void cleat_log_write(struct cleat_log *log, enum cleat_log_level level, const char *message,
                     const struct cleat_log_field *fields, size_t count)
{
    if (!cleat_log_enabled(log, level))
        return;
    struct cleat_buffer line = CLEAT_BUFFER_INIT(CLEAT_LOG_LINE_BYTES_MAX);
    struct cleat_log_record record = {cleat_clock_wall_ms(log->clock), level, message, fields,
                                      count};
    if (cleat_log_line_write(&line, log->format, &record) < 0)
        log_drop(log, 1);
    else
        log_queue(log, cleat_buffer_view(&line));
    cleat_buffer_fini(&line);
}

void cleat_log_line(struct cleat_log *log, enum cleat_log_level level, const char *message, ...)
{
    struct cleat_log_field fields[LOG_FIELDS_MAX];
    size_t count = 0;
    va_list args;
    va_start(args, message);
    for (;;) {
        struct cleat_log_field field = va_arg(args, struct cleat_log_field);
        if (!field.key)
            break;
        cleat_assert(count < LOG_FIELDS_MAX);
        fields[count++] = field;
    }
    va_end(args);
    cleat_log_write(log, level, message, fields, count);
}

/* Up to PIPE_BUF bytes after a poll: as much as even a blocking pipe takes at once. */
static ssize_t log_put(struct cleat_log *log, const char *data, size_t length)
{
    size_t bytes = length < PIPE_BUF ? length : PIPE_BUF;
    if (log->is_socket)
        return send(log->fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(log->fd, data, bytes);
}

/* Waits for room. 0, or -ETIMEDOUT once the log is stopping and the descriptor stays blocked. */
static int log_wait(struct cleat_log *log, int *polls_stopping)
{
    struct pollfd poll_fd = {.fd = log->fd, .events = POLLOUT};
    for (;;) {
        int rc = poll(&poll_fd, 1, LOG_POLL_MS);
        if (rc > 0)
            return 0;
        if (atomic_load(&log->stopping) && ++*polls_stopping >= LOG_STOP_POLLS)
            return -ETIMEDOUT;
    }
}

/* Writes as many of the bytes as the descriptor takes; returns how many. */
static size_t log_put_all(struct cleat_log *log, struct cleat_str bytes, int *polls_stopping)
{
    size_t done = 0;
    while (done < bytes.length && log_wait(log, polls_stopping) == 0) {
        ssize_t put = log_put(log, bytes.data + done, bytes.length - done);
        if (put > 0)
            done += (size_t)put;
        else if (put < 0 && errno != EINTR && errno != EAGAIN)
            break;
    }
    return done;
}

/* Writes a batch; what can't be written is counted as dropped. True where all of it was written. */
static bool log_batch_write(struct cleat_log *log, const struct log_batch *batch,
                            int *polls_stopping)
{
    struct cleat_str bytes = {batch->data, batch->length};
    size_t done = log_put_all(log, bytes, polls_stopping);
    uint64_t lost = 0;
    for (size_t i = done; i < batch->length; i++)
        lost += batch->data[i] == '\n';
    log_drop(log, lost);
    return done == batch->length;
}

/*
 * Says how many lines were lost since the last time it did. Past the queue, which may be full of
 * newer lines; a failure here isn't counted, or the count would feed itself.
 */
static void log_tell_drops(struct cleat_log *log, int *polls_stopping)
{
    uint64_t dropped = cleat_log_dropped(log);
    if (dropped == log->dropped_told || !cleat_log_enabled(log, CLEAT_LOG_WARN))
        return;
    struct cleat_buffer line = CLEAT_BUFFER_INIT(CLEAT_LOG_LINE_BYTES_MAX);
    struct cleat_log_field field = cleat_log_int("lines", (int64_t)(dropped - log->dropped_told));
    struct cleat_log_record record = {cleat_clock_wall_ms(log->clock), CLEAT_LOG_WARN,
                                      "log lines dropped", &field, 1};
    if (cleat_log_line_write(&line, log->format, &record) == 0 &&
        log_put_all(log, cleat_buffer_view(&line), polls_stopping) == line.length)
        log->dropped_told = dropped;
    cleat_buffer_fini(&line);
}

/* Waits for lines and swaps the buffers; false once there is nothing left and the log is stopping.
 */
static bool log_take_batch(struct cleat_log *log)
{
    cleat_lock_take(&log->lock);
    while (log->queued.length == 0 && !atomic_load(&log->stopping))
        cleat_cond_wait(&log->work, &log->lock);
    struct log_batch batch = log->queued;
    log->queued = log->writing;
    log->queued.length = 0;
    log->queued.lines = 0;
    log->writing = batch;
    cleat_lock_release(&log->lock);
    return batch.length > 0;
}

static void *log_run(void *arg)
{
    struct cleat_log *log = arg;
    int polls_stopping = 0;
    while (log_take_batch(log)) {
        if (log_batch_write(log, &log->writing, &polls_stopping))
            log_tell_drops(log, &polls_stopping);
        cleat_lock_take(&log->lock);
        log->bytes_out += log->writing.length;
        cleat_cond_broadcast(&log->written);
        cleat_lock_release(&log->lock);
    }
    return NULL;
}

int cleat_log_flush(struct cleat_log *log, int64_t timeout_ms)
{
    int rc = 0;
    if (!log)
        return 0;
    cleat_lock_take(&log->lock);
    uint64_t target = log->bytes_in;
    /* The system's clock, whatever the log's is: another thread works here, and that takes real
     * time. */
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t begin_ms = cleat_clock_mono_ms(clock);
    while (log->bytes_out < target) {
        int64_t left_ms = timeout_ms - (cleat_clock_mono_ms(clock) - begin_ms);
        if (left_ms <= 0) {
            rc = -ETIMEDOUT;
            break;
        }
        (void)cleat_cond_wait_ms(&log->written, &log->lock,
                                 left_ms); /* the loop looks at the time */
    }
    cleat_lock_release(&log->lock);
    return rc;
}

static void log_release(struct cleat_log *log)
{
    cleat_cond_fini(&log->written);
    cleat_cond_fini(&log->work);
    cleat_lock_fini(&log->lock);
    cleat_mem_free(log->queued.data);
    cleat_mem_free(log->writing.data);
    cleat_mem_free(log);
}

static bool log_fd_is_socket(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

int cleat_log_new(const struct cleat_log_options *options, struct cleat_log **ret,
                  struct cleat_err *err)
{
    struct cleat_log *log = cleat_mem_zalloc(1, sizeof(*log));
    if (!log)
        return cleat_err_set(err, -ENOMEM, "log: out of memory");
    log->fd = options->fd;
    log->is_socket = log_fd_is_socket(options->fd);
    log->format = options->format;
    log->clock = options->clock;
    log->bytes_max =
        options->queue_bytes_max ? options->queue_bytes_max : (size_t)CLEAT_LOG_QUEUE_BYTES_MAX;
    atomic_init(&log->level, (int)options->level);
    cleat_lock_init(&log->lock, CLEAT_LOCK_LOG);
    cleat_cond_init(&log->work);
    cleat_cond_init(&log->written);
    log->queued.data = cleat_mem_alloc(log->bytes_max);
    log->writing.data = cleat_mem_alloc(log->bytes_max);
    int rc = log->queued.data && log->writing.data
                 ? cleat_thread_start(&log->thread, "log", 0, log_run, log, err)
                 : cleat_err_set(err, -ENOMEM, "log: out of memory");
    if (rc < 0) {
        log_release(log);
        return rc;
    }
    *ret = log;
    return 0;
}

struct cleat_log *cleat_log_free(struct cleat_log *log)
{
    if (!log)
        return NULL;
    cleat_lock_take(&log->lock);
    atomic_store(&log->stopping, true);
    cleat_cond_signal(&log->work);
    cleat_lock_release(&log->lock);
    cleat_thread_join(&log->thread);
    log_release(log);
    return NULL;
}

struct cleat_log_field cleat_log_text(const char *key, const char *value)
{
    return cleat_log_str(key, cleat_str_of(value));
}

struct cleat_log_field cleat_log_str(const char *key, struct cleat_str value)
{
    return (struct cleat_log_field){.key = key, .type = CLEAT_LOG_FIELD_STR, .str = value};
}

struct cleat_log_field cleat_log_int(const char *key, int64_t value)
{
    return (struct cleat_log_field){.key = key, .type = CLEAT_LOG_FIELD_INT, .integer = value};
}

struct cleat_log_field cleat_log_double(const char *key, double value)
{
    return (struct cleat_log_field){.key = key, .type = CLEAT_LOG_FIELD_DOUBLE, .number = value};
}

struct cleat_log_field cleat_log_bool(const char *key, bool value)
{
    return (struct cleat_log_field){.key = key, .type = CLEAT_LOG_FIELD_BOOL, .integer = value};
}

struct cleat_log_field cleat_log_err(const struct cleat_err *err)
{
    return cleat_log_text("err", cleat_err_text(err));
}

struct cleat_log_field cleat_log_end(void)
{
    return (struct cleat_log_field){.key = NULL};
}
