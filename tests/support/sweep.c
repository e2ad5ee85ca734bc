/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/suite.h"
#include "support/tally.h"
#include "support/wait.h"

#define SWEEP_MOST 2000u
#define SWEEP_FRAMES 24           /* of a stack that count as its site */
#define SWEEP_LIMIT_S 150u        /* one injection with all that follows it */
#define SWEEP_FAILURES_MAX 12u    /* of one scene and mode, then its sweep ends */
#define SWEEP_REQUESTS_MAX 400000 /* an untouched run */
#define SWEEP_BOARD "CLEAT_SWEEP_BOARD"

enum sweep_end { SWEEP_END_WRONG = 10, SWEEP_END_LEAK = 11 };
enum sweep_mode { SWEEP_MODE_ONCE, SWEEP_MODE_EVER, SWEEP_MODE_LIB, SWEEP_MODE_LIB_EVER };

static const char *const sweep_modes[] = {"once", "ever", "once-lib", "ever-lib"};

/* What the child tells the parent, in memory of both, so that it outlives a crash. */
struct sweep_board {
    uint64_t current; /* injection under way; 0: none yet */
    uint64_t requests;
    uint64_t sites;
    uint64_t injections;
    uint64_t errors;
    uint64_t survived;
    bool done;
    char what[512];
};

/* Of the sanitizers, where there are any. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));
void __sanitizer_print_stack_trace(void) __attribute__((weak));

/* Of the child: one scene, one mode. */
static struct sweep_child {
    const struct sweep_scene *scene;
    enum sweep_mode mode;
    struct sweep_board *board;
    void *arg;
    uint64_t from;
    bool alone; /* one injection, with its stack */
    bool *chosen;
    size_t heap;
    unsigned since_leaks;
} child;

static atomic_bool sweep_lifted_refused;
static _Thread_local bool sweep_here;

bool cleat_sweep_libraries(void)
{
    return child.mode == SWEEP_MODE_LIB || child.mode == SWEEP_MODE_LIB_EVER;
}

void cleat_sweep_lift(void)
{
    if (cleat_mem_failed())
        atomic_store(&sweep_lifted_refused, true);
    cleat_mem_fail_at(0, false);
}

static bool sweep_is_ever(void)
{
    return child.mode == SWEEP_MODE_EVER || child.mode == SWEEP_MODE_LIB_EVER;
}

void cleat_sweep_lift_ever(void)
{
    if (sweep_is_ever())
        cleat_sweep_lift();
}

/* ---- sites: where requests come from ---- */

static struct sweep_sites {
    uint64_t *hashes; /* of the stacks, by number of the request */
    size_t count;
    pthread_mutex_t mutex;
} sweep_sites = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static uint64_t sweep_stack_hash(void)
{
    void *frames[SWEEP_FRAMES];
    int depth = backtrace(frames, SWEEP_FRAMES);
    uint64_t hash = 1469598103934665603U;
    for (int i = 0; i < depth; i++)
        hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * 1099511628211U;
    return hash;
}

/* True where a word of the list @threads is the beginning of @name. */
static bool sweep_is_listed(const char *threads, const char *name)
{
    for (const char *word = threads; *word;) {
        size_t length = strcspn(word, ",");
        if (strncmp(word, name, length) == 0)
            return true;
        word += length + (word[length] == ',');
    }
    return false;
}

/* A thread gets its name right after its start, so that only a match is final. */
static bool sweep_counts(void)
{
    static _Thread_local bool matched;
    const char *threads = child.scene->threads;
    char name[16] = "";
    if (!threads || matched)
        return true;
    if (sweep_here)
        return sweep_is_listed(threads, "here");
    matched = sweep_is_listed(threads, "there") ||
              (pthread_getname_np(pthread_self(), name, sizeof(name)) == 0 && name[0] &&
               sweep_is_listed(threads, name));
    return matched;
}

static bool sweep_note(void)
{
    if (!sweep_counts())
        return false;
    uint64_t hash = sweep_stack_hash();
    (void)pthread_mutex_lock(&sweep_sites.mutex); /* a plain one can't fail */
    if (sweep_sites.count < SWEEP_REQUESTS_MAX)
        sweep_sites.hashes[sweep_sites.count++] = hash;
    (void)pthread_mutex_unlock(&sweep_sites.mutex);
    return true;
}

static void sweep_refused(uint64_t request)
{
    if (!child.alone || request != child.from)
        return;
    (void)fprintf(stderr, "request %lu is refused here:\n", (unsigned long)request);
    if (__sanitizer_print_stack_trace)
        __sanitizer_print_stack_trace();
}

struct sweep_site {
    uint64_t hash;
    size_t number;
};

static int sweep_site_order(const void *left, const void *right)
{
    const struct sweep_site *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Marks the first and last request of each stack; returns how many stacks there are. */
static size_t sweep_mark_stacks(bool *first, bool *last, size_t count)
{
    struct sweep_site *sites = calloc(count + 1, sizeof(*sites));
    size_t stacks = 0;
    ck_assert_ptr_nonnull(sites);
    for (size_t i = 0; i < count; i++)
        sites[i] = (struct sweep_site){sweep_sites.hashes[i], i};
    qsort(sites, count, sizeof(*sites), sweep_site_order);
    for (size_t i = 0; i < count; i++) {
        first[sites[i].number] = i == 0 || sites[i - 1].hash != sites[i].hash;
        last[sites[i].number] = i + 1 == count || sites[i + 1].hash != sites[i].hash;
        stacks += first[sites[i].number];
    }
    free(sites);
    return stacks;
}

/*
 * Which requests are swept: all, or where they are too many a part: both ends, each so-manieth, and
 * of the stacks, in the order in which they come first, all or each so-manieth with its first and
 * last request.
 */
static void sweep_choose(size_t count)
{
    size_t most = child.scene->most ? child.scene->most : SWEEP_MOST;
    size_t stride = 2 * count / most + 1, ends = most / 20, stack = 0;
    bool *first = calloc(count + 1, sizeof(*first)), *last = calloc(count + 1, sizeof(*last));
    child.chosen = calloc(count + 1, sizeof(*child.chosen));
    ck_assert(child.chosen && first && last);
    size_t stacks = sweep_mark_stacks(first, last, count);
    size_t stacks_stride = 4 * stacks / most + 1;
    for (size_t i = 0; i < count; i++) {
        bool of_stack = (first[i] || last[i]) && stack % stacks_stride == 0;
        stack += first[i];
        child.chosen[i] =
            count <= most || of_stack || i < ends || i + ends >= count || i % stride == 0;
    }
    child.board->requests = count;
    child.board->sites = stacks;
    free(first);
    free(last);
}

/* ---- the child ---- */

__attribute__((noreturn, format(printf, 2, 3))) static void sweep_exit(enum sweep_end end,
                                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(child.board->what, sizeof(child.board->what), format, args); /* may be cut */
    va_end(args);
    _exit(end);
}

static size_t sweep_count_dir(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void sweep_leaks(bool at_once)
{
    size_t heap =
        __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
    child.since_leaks++;
    if (!__lsan_do_recoverable_leak_check || heap <= child.heap)
        return;
    if (!at_once && child.since_leaks < 16)
        return;
    child.since_leaks = 0;
    child.heap = heap;
    if (__lsan_do_recoverable_leak_check() != 0)
        sweep_exit(SWEEP_END_LEAK, "leaked, see above");
}

static int sweep_run(struct cleat_err *err)
{
    *err = (struct cleat_err)CLEAT_ERR_INIT;
    return child.scene->run(child.arg, err);
}

/* What the run under the fault may have returned. */
static void sweep_judge(bool refused, int result, const struct cleat_err *err)
{
    unsigned flags = child.scene->flags;
    if (cleat_sweep_libraries())
        flags |= SWEEP_TOLERANT | SWEEP_OTHER;
    if (result > 0)
        sweep_exit(SWEEP_END_WRONG, "a wrong answer (%d): %s", result, err->text);
    if (!refused && result != 0)
        sweep_exit(SWEEP_END_WRONG, "%d though nothing was refused: %s", result, err->text);
    if (refused && result == 0 && !(flags & SWEEP_TOLERANT))
        sweep_exit(SWEEP_END_WRONG, "success though a request was refused");
    if (result < 0 && result != -ENOMEM && !(flags & SWEEP_OTHER))
        sweep_exit(SWEEP_END_WRONG, "%d, not -ENOMEM: %s", result, err->text);
    if (result < 0 && !(flags & SWEEP_UNNAMED) && (err->code == 0 || !err->text[0]))
        sweep_exit(SWEEP_END_WRONG, "error %d isn't named", result);
}

static bool sweep_inject(uint64_t nth, struct cleat_err *err, int *ret_result)
{
    atomic_store(&sweep_lifted_refused, false);
    cleat_mem_fail_at(nth, sweep_is_ever());
    *ret_result = sweep_run(err);
    cleat_sweep_lift();
    return atomic_load(&sweep_lifted_refused);
}

static void sweep_one(uint64_t nth)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int result;
    (void)alarm(SWEEP_LIMIT_S);
    child.board->current = nth;
    bool refused = sweep_inject(nth, &err, &result);
    if (child.alone)
        (void)fprintf(stderr, "%s: %d %s\n", refused ? "refused" : "untouched", result, err.text);
    child.board->injections += refused;
    child.board->errors += refused && result < 0;
    child.board->survived += refused && result == 0;
    sweep_judge(refused, result, &err);
    if (child.scene->whole && !child.scene->whole(child.arg))
        sweep_exit(SWEEP_END_WRONG, "the state is torn after: %d %s", result, err.text);
    result = sweep_run(&err);
    if (result != 0)
        sweep_exit(SWEEP_END_WRONG, "the run after it gave %d: %s", result, err.text);
    sweep_leaks(false);
}

/* Untouched runs: the first fills what is made once, the second is counted. */
static void sweep_rehearse(void)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    sweep_sites.hashes = calloc(SWEEP_REQUESTS_MAX, sizeof(*sweep_sites.hashes));
    ck_assert_ptr_nonnull(sweep_sites.hashes);
    for (int i = 0; i < 2; i++) {
        int result = sweep_run(&err);
        if (result != 0)
            sweep_exit(SWEEP_END_WRONG, "untouched, it gives %d: %s", result, err.text);
    }
    cleat_mem_fail_watch(sweep_note, NULL);
    cleat_mem_fail_at(0, false);
    int result = sweep_run(&err);
    cleat_mem_fail_watch(sweep_counts, sweep_refused);
    ck_assert_int_eq(result, 0);
    sweep_choose(sweep_sites.count);
    free(sweep_sites.hashes);
}

START_TEST(test_scene)
{
    size_t files = sweep_count_dir("/proc/self/fd");
    size_t threads = sweep_count_dir("/proc/self/task");
    sweep_here = true;
    (void)alarm(SWEEP_LIMIT_S);
    child.arg = child.scene->open ? child.scene->open() : NULL;
    sweep_rehearse();
    child.heap =
        __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
    for (uint64_t nth = child.from; nth <= child.board->requests; nth++) {
        if (child.chosen[nth - 1] || child.alone)
            sweep_one(nth);
        if (child.alone)
            break;
    }
    sweep_leaks(true);
    free(child.chosen);
    if (child.scene->close)
        child.scene->close(child.arg);
    CLEAT_WAIT_FOR(sweep_count_dir("/proc/self/task") <= threads, 5000);
    if (sweep_count_dir("/proc/self/fd") > files)
        sweep_exit(SWEEP_END_LEAK, "%zu descriptors were left",
                   sweep_count_dir("/proc/self/fd") - files);
    child.board->done = true;
}
END_TEST

static int sweep_child_main(const char *name)
{
    const TTest *const tests[] = {test_scene};
    char *no_arguments[] = {NULL};
    const char *board = getenv(SWEEP_BOARD);
    void *memory = mmap(NULL, sizeof(struct sweep_board), PROT_READ | PROT_WRITE,
                        board ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS,
                        board ? (int)strtol(board, NULL, 10) : -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    child.board = memory;
    child.alone = !board;
    int status = cleat_suite_run(name, tests, 1, 0, no_arguments);
    if (child.alone && child.board->what[0])
        (void)fprintf(stderr, "%s\n", child.board->what);
    return status;
}

/* ---- the parent ---- */

static struct sweep_parent {
    const char *name;
    const struct sweep_scene *scenes;
    size_t count;
    uint64_t least;
    struct cleat_tally own;
    struct cleat_tally libraries;
    struct sweep_board *board;
    int board_fd;
    int output_fd; /* what a child says on stdout, shown only where it fails */
} parent;

static int sweep_child_start(const struct sweep_scene *scene, enum sweep_mode mode, uint64_t from)
{
    char number[32], fd[32], program[] = "/proc/self/exe", verb[] = "sweep";
    char *argv[] = {
        program, verb, (char *)(uintptr_t)scene->name, (char *)(uintptr_t)sweep_modes[mode],
        number,  NULL};
    int status = 0;
    (void)snprintf(number, sizeof(number), "%lu", (unsigned long)from);
    (void)snprintf(fd, sizeof(fd), "%d", parent.board_fd);
    ck_assert_int_eq(fflush(stdout) | fflush(stderr), 0);
    ck_assert_int_eq(ftruncate(parent.output_fd, 0), 0);
    ck_assert_int_eq(lseek(parent.output_fd, 0, SEEK_SET), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (dup2(parent.output_fd, STDOUT_FILENO) < 0 || setenv(SWEEP_BOARD, fd, 1) < 0)
            _exit(3);
        (void)execv(program, argv); /* comes back only where it failed */
        _exit(3);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void sweep_show_output(void)
{
    char text[4096];
    ssize_t length = pread(parent.output_fd, text, sizeof(text) - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    (void)fprintf(stderr, "%s", text);
}

/* What a child's end says; true where the sweep goes on behind the injection it ended at. */
static bool sweep_child_ended(struct cleat_tally *tally, const struct sweep_scene *scene,
                              enum sweep_mode mode, int status)
{
    struct sweep_board *board = parent.board;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && board->done)
        return false;
    const char *what = "crashed or hung";
    if (WIFEXITED(status) && WEXITSTATUS(status) == SWEEP_END_LEAK) {
        tally->leaks++;
        what = "leaked";
    } else if (WIFEXITED(status) && board->done) {
        tally->leaks++;
        what = "left memory behind at the end";
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == SWEEP_END_WRONG) {
        tally->wrong++;
        what = "went wrong";
    } else {
        tally->crashes++;
    }
    (void)fprintf(stderr, "%s: scene %s, %s, injection %lu %s (status 0x%x) %s\n", parent.name,
                  scene->name, sweep_modes[mode], (unsigned long)board->current, what,
                  (unsigned)status, board->what);
    sweep_show_output();
    return !board->done && board->current > 0;
}

static void sweep_mode_run(const struct sweep_scene *scene, enum sweep_mode mode)
{
    bool libraries = mode >= SWEEP_MODE_LIB;
    struct cleat_tally *tally = libraries ? &parent.libraries : &parent.own;
    struct sweep_board *board = parent.board, sum = {0};
    uint64_t next = 1;
    unsigned failures = 0;
    bool again = true;
    while (again && failures <= SWEEP_FAILURES_MAX) {
        memset(board, 0, sizeof(*board));
        int status = sweep_child_start(scene, mode, next);
        again = sweep_child_ended(tally, scene, mode, status);
        sum.injections += board->injections;
        sum.errors += board->errors;
        sum.survived += board->survived;
        next = board->current + 1;
        failures += again;
    }
    tally->runs++;
    tally->injections += sum.injections;
    (void)printf("%-28s %-8s %6lu requests, %5lu sites, %5lu injected: %5lu errors, %5lu got over, "
                 "%u failures\n",
                 scene->name, sweep_modes[mode], (unsigned long)board->requests,
                 (unsigned long)board->sites, (unsigned long)sum.injections,
                 (unsigned long)sum.errors, (unsigned long)sum.survived, failures);
}

static void sweep_scene_run(const struct sweep_scene *scene)
{
    sweep_mode_run(scene, SWEEP_MODE_ONCE);
    if (!(scene->flags & SWEEP_ONCE))
        sweep_mode_run(scene, SWEEP_MODE_EVER);
    if (!(scene->flags & SWEEP_LIBRARIES))
        return;
    sweep_mode_run(scene, SWEEP_MODE_LIB);
    if (!(scene->flags & SWEEP_ONCE))
        sweep_mode_run(scene, SWEEP_MODE_LIB_EVER);
}

START_TEST(test_scenes)
{
    char note[64], libraries[80];
    size_t wanted = 0;
    (void)snprintf(libraries, sizeof(libraries), "%s-libraries", parent.name);
    parent.board_fd = memfd_create("sweep", 0);
    parent.output_fd = memfd_create("output", MFD_CLOEXEC);
    ck_assert_int_ge(parent.output_fd, 0);
    ck_assert_int_eq(ftruncate(parent.board_fd, sizeof(*parent.board)), 0);
    parent.board =
        mmap(NULL, sizeof(*parent.board), PROT_READ | PROT_WRITE, MAP_SHARED, parent.board_fd, 0);
    ck_assert(parent.board != MAP_FAILED);
    const char *only = getenv("CLEAT_SWEEP_ONLY");
    for (size_t i = 0; i < parent.count; i++) {
        if (only && strcmp(only, parent.scenes[i].name) != 0)
            continue;
        sweep_scene_run(&parent.scenes[i]);
        wanted++;
    }
    ck_assert_int_eq(munmap(parent.board, sizeof(*parent.board)) | close(parent.board_fd) |
                         close(parent.output_fd),
                     0);
    (void)snprintf(note, sizeof(note), "%zu scenes, once and for ever", wanted);
    parent.own.name = parent.name;
    parent.own.least = only ? 1 : parent.least;
    parent.libraries.name = libraries;
    parent.own.note = parent.libraries.note = note;
    if (parent.libraries.runs > 0)
        cleat_tally_end(&parent.libraries);
    cleat_tally_end(&parent.own);
}
END_TEST

static int sweep_usage(void)
{
    (void)fprintf(stderr, "usage: sweep SCENE once|ever|once-lib|ever-lib NUMBER\n");
    for (size_t i = 0; i < parent.count; i++)
        (void)fprintf(stderr, "  %s\n", parent.scenes[i].name);
    return 2;
}

static int sweep_child_of(const char *scene, const char *mode, const char *number)
{
    bool known = false;
    for (size_t i = 0; i < parent.count; i++)
        if (strcmp(parent.scenes[i].name, scene) == 0)
            child.scene = &parent.scenes[i];
    for (size_t i = 0; i < sizeof(sweep_modes) / sizeof(sweep_modes[0]); i++) {
        if (strcmp(sweep_modes[i], mode) == 0) {
            child.mode = (enum sweep_mode)i;
            known = true;
        }
    }
    child.from = strtoull(number, NULL, 10);
    if (!child.scene || !known || child.from == 0)
        return sweep_usage();
    return sweep_child_main(parent.name);
}

int cleat_sweep_main(const char *name, const struct sweep_scene *scenes, size_t count,
                     uint64_t least, int argc, char **argv)
{
    const TTest *const tests[] = {test_scenes};
    parent.name = name;
    parent.scenes = scenes;
    parent.count = count;
    parent.least = least;
    if (argc > 1 && strcmp(argv[1], "sweep") == 0)
        return argc == 5 ? sweep_child_of(argv[2], argv[3], argv[4]) : sweep_usage();
    return cleat_suite_run(name, tests, 1, argc, argv);
}
