/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/limits.h"
#include "client/file.h"
#include "server/command.h"
#include "server/story.h"

#define DEMO_LOG_LINES 20

struct demo_options {
    bool exit;
    bool step;
};

static const struct cleat_flag demo_flags[] = {
    {"exit", CLEAT_FLAG_BOOL, offsetof(struct demo_options, exit), "false", NULL, NULL,
     "end after the story; so it does without a terminal", true},
    {"step", CLEAT_FLAG_BOOL, offsetof(struct demo_options, step), "false", NULL, NULL,
     "wait for Enter before each step", true},
    {.name = NULL},
};

/* Set by SIGINT and SIGTERM: the story ends after its step. */
static volatile sig_atomic_t demo_interrupted;

static void demo_interrupt(int signal_number)
{
    demo_interrupted = 1;
}

static void demo_print_lines(const char *indent, const char *text)
{
    while (text && *text) {
        size_t length = strcspn(text, "\n");
        printf("%s%.*s\n", indent, (int)length, text);
        text += length;
        text += *text == '\n';
    }
}

static bool demo_wait_enter(void)
{
    int c;
    printf("  [Enter] ");
    fflush(stdout);
    while ((c = getchar()) != '\n')
        if (c == EOF)
            return false;
    return !demo_interrupted;
}

static int demo_tell(struct cleat_demo *demo, size_t number, const struct cleat_story_step *step,
                     struct cleat_err *err)
{
    const struct cleat_clock *clock = cleat_clock_system();
    cleat_buffer_reset(&demo->note);
    printf("%2zu  %s\n", number, step->title);
    demo_print_lines("      $ ", step->command);
    fflush(stdout);
    int64_t start_ns = cleat_clock_mono_ns(clock);
    int r = step->run(demo, err);
    double elapsed_ms = (double)(cleat_clock_mono_ns(clock) - start_ns) / 1e6;
    demo_print_lines("      ", demo->note.data);
    printf("      %s (%.0f ms)\n\n", r < 0 ? "FAILED" : "done", elapsed_ms);
    fflush(stdout);
    return r;
}

static int demo_story(struct cleat_demo *demo, const struct demo_options *options,
                      struct cleat_err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && cleat_story[i].title; i++) {
        if (demo_interrupted || (options->step && !demo_wait_enter()))
            return cleat_err_set(err, -EINTR, "interrupted before step %zu", i + 1);
        r = demo_tell(demo, i + 1, &cleat_story[i], err);
        if (r < 0)
            cleat_err_prefix(err, "step %zu (%s)", i + 1, cleat_story[i].title);
    }
    return r;
}

/* Stays up for the user's own kubectl until a signal comes. */
static void demo_stay(const struct cleat_demo *demo)
{
    sigset_t ends, before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    printf("Both servers stay up. In another terminal:\n\n  export KUBECONFIG=%s\n  kubectl get "
           "mirrors\n\n"
           "The server's log is %s. Ctrl-C ends everything.\n",
           demo->user_config, demo->server_log);
    fflush(stdout);
    pthread_sigmask(SIG_BLOCK, &ends, &before);
    while (!demo_interrupted)
        sigsuspend(&before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The end of the server's log, for whoever has to find out why the story failed. */
static void demo_show_log(const struct cleat_demo *demo)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(16 * CLEAT_MIB);
    if (cleat_file_read(demo->server_log, false, &text, NULL) == 0 && text.length > 0) {
        const char *line = text.data + text.length;
        for (int lines = 0; line > text.data && (lines += line[-1] == '\n') <= DEMO_LOG_LINES;)
            line--;
        fprintf(stderr, "the end of the server's log:\n%s", line);
    }
    cleat_buffer_fini(&text);
}

static int demo_run(void *arg, uint64_t given)
{
    struct demo_options *options = arg;
    struct cleat_demo demo;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct sigaction interrupt = {.sa_handler = demo_interrupt};
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
    int r = cleat_demo_init(&demo, &err);
    if (r == 0)
        r = demo_story(&demo, options, &err);
    if (r == 0 && !options->exit && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))
        demo_stay(&demo);
    if (r < 0) {
        cleat_command_fail(&cleat_command_demo, CLEAT_EXIT_FAILURE, &err);
        demo_show_log(&demo);
    }
    cleat_demo_fini(&demo);
    return r < 0 ? CLEAT_EXIT_FAILURE : 0;
}

const struct cleat_command cleat_command_demo = {
    .name = "demo",
    .summary = "a guided story: an embedded API server, and cleat serve against it",
    .usage = "Each step is observed through the API; the status is 0 only if all happened.\n",
    .flags = demo_flags,
    .options_size = sizeof(struct demo_options),
    .run = demo_run,
};
