/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An embedded API server that holds generated pods, for the benchmarks that want a cluster:
 *
 *   serve_pods N --write-kubeconfig FILE
 *
 * Prints "READY" once all are there. Each line "COUNT PER_SECOND" on its standard input then
 * changes COUNT pods, one after another, at that rate, and prints "CHANGED COUNT" at its end. Ends
 * on SIGTERM or SIGINT.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cleat/apiserver.h>
#include <cleat/clock.h>
#include <cleat/buffer.h>

#include "bench/pods.h"

#define SERVE_SEED 1
#define SERVE_LINE_MAX 64

struct serve {
    struct cleat_apiserver *server;
    struct cleat_buffer buffer;
    unsigned long count;   /* of pods */
    unsigned long changes; /* so far */
    int signals;           /* readable once the end is asked for */
    /* What is under way. */
    unsigned long wanted;
    unsigned long done;
    unsigned long per_second;
    int64_t begin_ns;
    char line[SERVE_LINE_MAX];
    size_t line_length;
    bool input_ended;
};

_Noreturn static void serve_die(const char *what)
{
    (void)fprintf(stderr, "serve_pods: %s\n", what); /* nowhere else to say so */
    exit(1);
}

static void serve_put(struct serve *serve, unsigned long index, unsigned long round)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_buffer_reset(&serve->buffer);
    pods_write_whole(&serve->buffer, SERVE_SEED, index, round);
    const struct cleat_str json = {serve->buffer.data, serve->buffer.length};
    if (serve->buffer.failed || cleat_apiserver_load(serve->server, json, &err) < 0)
        serve_die(serve->buffer.failed ? "no memory" : err.text);
}

static void serve_write_kubeconfig(struct serve *serve, const char *path)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    char *text = NULL;
    if (cleat_apiserver_kubeconfig_text(serve->server, "bench", NULL, &text, &err) < 0)
        serve_die(err.text);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t length = strlen(text);
    if (fd < 0 || write(fd, text, length) != (ssize_t)length || close(fd) < 0)
        serve_die("the kubeconfig can't be written");
    cleat_free(text);
}

static void serve_open(struct serve *serve)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_apiserver_options options = {.no_gc = true};
    sigset_t set;
    (void)sigemptyset(&set); /* none of these can fail */
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    serve->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (serve->signals < 0)
        serve_die("no descriptor for signals");
    if (cleat_apiserver_new(&options, &serve->server, &err) < 0 ||
        cleat_apiserver_start(serve->server, &err) < 0)
        serve_die(err.text);
}

/* A whole line, without its end. */
static void serve_order(struct serve *serve)
{
    char *end = NULL;
    serve->wanted = strtoul(serve->line, &end, 10);
    serve->per_second = strtoul(end, NULL, 10);
    if (serve->wanted == 0 || serve->per_second == 0)
        serve_die("a line is COUNT PER_SECOND");
    serve->done = 0;
    serve->begin_ns = cleat_clock_mono_ns(cleat_clock_system());
}

/* Reads up to the end of a line, byte by byte: there are few. */
static void serve_read(struct serve *serve)
{
    char byte;
    ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0) {
        serve->input_ended = true;
    } else if (byte != '\n') {
        if (serve->line_length == SERVE_LINE_MAX - 1)
            serve_die("a line is too long");
        serve->line[serve->line_length++] = byte;
    } else {
        serve->line[serve->line_length] = '\0';
        serve->line_length = 0;
        serve_order(serve);
    }
}

/* Makes the changes that are due. Milliseconds until the next, -1: none is wanted. */
static int serve_change(struct serve *serve)
{
    if (serve->wanted == 0)
        return -1;
    int64_t passed_ns = cleat_clock_mono_ns(cleat_clock_system()) - serve->begin_ns;
    uint64_t due = (uint64_t)passed_ns * serve->per_second / 1000000000u + 1;
    while (serve->done < serve->wanted && serve->done < due) {
        unsigned long change = serve->changes++;
        serve_put(serve, change % serve->count, change / serve->count + 1);
        serve->done++;
    }
    if (serve->done < serve->wanted)
        return 1;
    (void)printf("CHANGED %lu\n", serve->wanted); /* whoever reads it notices what is missing */
    (void)fflush(stdout);
    serve->wanted = 0;
    return -1;
}

static void serve_run(struct serve *serve)
{
    for (;;) {
        int wait_ms = serve_change(serve);
        bool reading = serve->wanted == 0 && !serve->input_ended;
        struct pollfd fds[2] = {{.fd = serve->signals, .events = POLLIN},
                                {.fd = reading ? STDIN_FILENO : -1, .events = POLLIN}};
        if (poll(fds, 2, wait_ms) < 0 && errno != EINTR)
            serve_die("poll failed");
        if (fds[0].revents != 0)
            return;
        if (fds[1].revents != 0)
            serve_read(serve);
    }
}

int main(int argc, char **argv)
{
    static struct serve serve = {.buffer = CLEAT_BUFFER_INIT((size_t)1 << 20)};
    char *end = NULL;
    serve.count = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
    if (argc != 4 || *end != '\0' || serve.count == 0 || strcmp(argv[2], "--write-kubeconfig") != 0)
        serve_die("usage: serve_pods N --write-kubeconfig FILE");
    serve_open(&serve);
    for (unsigned long i = 0; i < serve.count; i++)
        serve_put(&serve, i, 0);
    serve_write_kubeconfig(&serve, argv[3]);
    (void)printf("READY\n"); /* whoever reads it notices what is missing */
    (void)fflush(stdout);
    serve_run(&serve);
    serve.server = cleat_apiserver_free(serve.server);
    cleat_buffer_fini(&serve.buffer);
    return 0;
}
