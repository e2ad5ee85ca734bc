/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the build with the shim in it: started, armed, looked at, ended.
 */
#ifndef CLEAT_TESTS_SHIMMED_H
#define CLEAT_TESTS_SHIMMED_H

#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault/shim.h"
#include "support/tally.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define SHIMMED_SANITIZER 99 /* exit status of a sanitizer's report */
#define SHIMMED_ARGS_MAX 32
#define SHIMMED_EVER UINT64_MAX

extern char **environ;
void __asan_init(void) __attribute__((weak));

/* A fault as tables name it. */
struct shim_fault {
    enum shim_call call;
    int error;
    const char *name;
};

static const struct shim_fault shim_faults[] = {
    {SHIM_READ, EINTR, "read EINTR"},
    {SHIM_READ, EAGAIN, "read EAGAIN"},
    {SHIM_READ, ECONNRESET, "read ECONNRESET"},
    {SHIM_READ, SHIM_SHORT, "read short"},
    {SHIM_WRITE, EINTR, "write EINTR"},
    {SHIM_WRITE, EAGAIN, "write EAGAIN"},
    {SHIM_WRITE, ECONNRESET, "write ECONNRESET"},
    {SHIM_WRITE, EPIPE, "write EPIPE"},
    {SHIM_WRITE, SHIM_SHORT, "write short"},
    {SHIM_WRITE, ENOSPC, "write ENOSPC"},
    {SHIM_POLL, EINTR, "poll EINTR"},
    {SHIM_POLL, ENOMEM, "poll ENOMEM"},
    {SHIM_ACCEPT, EINTR, "accept EINTR"},
    {SHIM_ACCEPT, EAGAIN, "accept EAGAIN"},
    {SHIM_ACCEPT, ECONNABORTED, "accept ECONNABORTED"},
    {SHIM_ACCEPT, EMFILE, "accept EMFILE"},
    {SHIM_ACCEPT, ENFILE, "accept ENFILE"},
    {SHIM_CONNECT, ECONNREFUSED, "connect ECONNREFUSED"},
    {SHIM_CONNECT, ETIMEDOUT, "connect ETIMEDOUT"},
    {SHIM_CONNECT, EADDRNOTAVAIL, "connect EADDRNOTAVAIL"},
    {SHIM_OPEN, EMFILE, "open EMFILE"},
    {SHIM_OPEN, EINTR, "open EINTR"},
    {SHIM_SOCKET, EMFILE, "socket EMFILE"},
    {SHIM_SOCKET, ENOBUFS, "socket ENOBUFS"},
    {SHIM_THREAD, EAGAIN, "thread EAGAIN"},
};

#define SHIM_FAULTS (sizeof(shim_faults) / sizeof(shim_faults[0]))

struct shimmed {
    struct cleat_temp_dir dir; /* board, log and what the test puts there */
    struct shim_board *board;
    char board_path[PATH_MAX];
    char log_path[PATH_MAX];
    pid_t pid; /* 0: doesn't run */
    int status;
};

static inline void shimmed_init(struct shimmed *shimmed)
{
    *shimmed = (struct shimmed){0};
    cleat_temp_dir_init(&shimmed->dir);
    (void)snprintf(shimmed->board_path, PATH_MAX, "%s",
                   cleat_temp_dir_path(&shimmed->dir, "board"));
    (void)snprintf(shimmed->log_path, PATH_MAX, "%s", cleat_temp_dir_path(&shimmed->dir, "log"));
    int fd = open(shimmed->board_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, sizeof(struct shim_board)), 0);
    shimmed->board =
        mmap(NULL, sizeof(struct shim_board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert(shimmed->board != MAP_FAILED);
    ck_assert_int_eq(close(fd), 0);
}

static inline void shimmed_fini(struct shimmed *shimmed)
{
    ck_assert_int_eq(munmap(shimmed->board, sizeof(struct shim_board)), 0);
    cleat_temp_dir_fini(&shimmed->dir);
}

static inline void shimmed_disarm(struct shimmed *shimmed)
{
    atomic_store(&shimmed->board->nth, 0);
}

/* From now on the @nth call that may fail so does, and the @times - 1 after it. */
static inline void shimmed_arm(struct shimmed *shimmed, const struct shim_fault *fault,
                               uint64_t nth, uint64_t times)
{
    struct shim_board *board = shimmed->board;
    shimmed_disarm(shimmed);
    atomic_store(&board->call, fault->call);
    atomic_store(&board->error, fault->error);
    atomic_store(&board->times, times == SHIMMED_EVER ? UINT64_MAX - nth : times);
    atomic_store(&board->seen, 0);
    atomic_store(&board->injected, 0);
    atomic_store(&board->nth, nth);
}

/* A sanitizer's library goes first, where it is one. */
static inline void shimmed_environment(char *preload, size_t size)
{
    Dl_info info = {0};
    bool sanitized = __asan_init && dladdr((void *)(uintptr_t)&__asan_init, &info) != 0 &&
                     info.dli_fname && strstr(info.dli_fname, "asan");
    (void)snprintf(preload, size, "LD_PRELOAD=%s%s%s/tests/libcleat_shim.so",
                   sanitized ? info.dli_fname : "", sanitized ? ":" : "", CLEAT_BINARY_DIR);
}

static inline void shimmed_start(struct shimmed *shimmed, char *const *argv)
{
    char program[PATH_MAX], preload[2 * PATH_MAX], board[PATH_MAX + 32];
    char asan[] = "ASAN_OPTIONS=exitcode=99:detect_stack_use_after_return=1",
         ubsan[] = "UBSAN_OPTIONS=print_stacktrace=1", path[] = "PATH=/usr/bin:/bin";
    (void)snprintf(program, sizeof(program), "%s/cleat", CLEAT_BINARY_DIR);
    shimmed_environment(preload, sizeof(preload));
    (void)snprintf(board, sizeof(board), "%s=%s", SHIM_BOARD_ENV, shimmed->board_path);
    char *const environment[] = {preload, board, asan, ubsan, path, NULL};
    posix_spawn_file_actions_t actions;
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    ck_assert_int_eq(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, shimmed->log_path,
                                                      O_WRONLY | O_CREAT | O_TRUNC, 0600),
                     0);
    ck_assert_int_eq(
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0), 0);
    int failed = posix_spawn(&shimmed->pid, program, &actions, NULL, argv, environment);
    ck_assert_msg(failed == 0, "%s: %s", program, strerror(failed));
    posix_spawn_file_actions_destroy(&actions);
}

/* False once it has ended; its status is in @shimmed then. */
static inline bool shimmed_runs(struct shimmed *shimmed)
{
    if (shimmed->pid != 0 && waitpid(shimmed->pid, &shimmed->status, WNOHANG) == shimmed->pid)
        shimmed->pid = 0;
    return shimmed->pid != 0;
}

/* Ends it within @limit_ms by SIGTERM; false where it had to be killed. */
static inline bool shimmed_end(struct shimmed *shimmed, int64_t limit_ms)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(clock) + limit_ms;
    if (!shimmed_runs(shimmed))
        return true;
    ck_assert_int_eq(kill(shimmed->pid, SIGTERM), 0);
    while (shimmed_runs(shimmed) && cleat_clock_mono_ms(clock) < until_ms)
        cleat_wait_moment();
    if (!shimmed_runs(shimmed))
        return true;
    ck_assert_int_eq(kill(shimmed->pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(shimmed->pid, &shimmed->status, 0), shimmed->pid);
    shimmed->pid = 0;
    return false;
}

/* The last lines of its log, for a test that fails. */
static inline void shimmed_print_log(const struct shimmed *shimmed)
{
    static char text[16384];
    FILE *file = fopen(shimmed->log_path, "r");
    if (!file)
        return;
    (void)fseek(file, -(long)sizeof(text) + 1, SEEK_END); /* a shorter one is read whole */
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    text[length] = '\0';
    (void)fclose(file);
    (void)fprintf(stderr, "---- log:\n%s----\n", text);
}

static inline bool shimmed_log_has(const struct shimmed *shimmed, const char *words)
{
    static char text[1 << 20];
    FILE *file = fopen(shimmed->log_path, "r");
    if (!file)
        return false;
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    text[length] = '\0';
    (void)fclose(file);
    return strstr(text, words) != NULL;
}

/* Counts an end that wasn't asked for, or one that went wrong; says which fault it was. */
static inline void shimmed_judge_end(struct shimmed *shimmed, struct cleat_tally *tally,
                                     bool may_fail, const char *what, uint64_t nth)
{
    bool exited = WIFEXITED(shimmed->status);
    int code = exited ? WEXITSTATUS(shimmed->status) : -1;
    if (exited && (code == 0 || (may_fail && code != SHIMMED_SANITIZER && code != 127)))
        return;
    bool leak = code == SHIMMED_SANITIZER && shimmed_log_has(shimmed, "LeakSanitizer");
    tally->leaks += leak;
    tally->crashes += !leak;
    (void)fprintf(stderr, "%s, number %lu: ended with status 0x%x\n", what, (unsigned long)nth,
                  (unsigned)shimmed->status);
    shimmed_print_log(shimmed);
}

#endif
