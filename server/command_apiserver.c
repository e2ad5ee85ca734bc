/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded API server alone, for one's own kubectl and tests. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <cleat/apiserver.h>
#include "server/command.h"
#include "server/file.h"

struct apiserver_options {
    char *listen;
    char *write_kubeconfig;
    char *token_file;
    bool rbac;
    char *log_level;
};

static const char *const apiserver_levels[] = {"debug", "info", "warn", "error", NULL};

static const struct cleat_flag apiserver_flags[] = {
    {"listen", CLEAT_FLAG_TEXT, offsetof(struct apiserver_options, listen), "127.0.0.1:0", NULL,
     "ADDRESS", "loopback address and port; 0: any free port", true},
    {"write-kubeconfig", CLEAT_FLAG_TEXT, offsetof(struct apiserver_options, write_kubeconfig),
     NULL, NULL, "FILE", "write an administrator's kubeconfig there (mode 0600)", true},
    {"token-file", CLEAT_FLAG_TEXT, offsetof(struct apiserver_options, token_file), NULL, NULL,
     "FILE", "further users, as Kubernetes' CSV: token,user,uid,\"group1,group2\"", true},
    {"rbac", CLEAT_FLAG_BOOL, offsetof(struct apiserver_options, rbac), "false", NULL, NULL,
     "evaluate RBAC for every request", true},
    {"log-level", CLEAT_FLAG_TEXT, offsetof(struct apiserver_options, log_level), "warn",
     apiserver_levels, "LEVEL", "debug, info, warn or error", true},
    {.name = NULL},
};

static int apiserver_write_kubeconfig(struct cleat_apiserver *server, const char *path,
                                      struct cleat_err *err)
{
    char *text = NULL;
    int r = cleat_apiserver_kubeconfig_text(server, "admin", NULL, &text, err);
    if (r == 0)
        r = cleat_write_private_file(path, text, err);
    cleat_free(text);
    return r;
}

static int apiserver_serve(struct cleat_apiserver *server, const struct apiserver_options *options,
                           const sigset_t *ends, struct cleat_err *err)
{
    int signal_number;
    int r = cleat_apiserver_start(server, err);
    if (r == 0 && options->write_kubeconfig)
        r = apiserver_write_kubeconfig(server, options->write_kubeconfig, err);
    if (r == 0) {
        printf("%s\n", cleat_apiserver_url(server));
        fflush(stdout);
        (void)sigwait(ends, &signal_number); /* whatever ends the wait ends the server */
    }
    cleat_apiserver_stop(server);
    return r;
}

static int apiserver_run(void *arg, uint64_t given)
{
    struct apiserver_options *options = arg;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_apiserver *server = NULL;
    struct cleat_log *log = NULL;
    struct cleat_log_options log_options = {
        .fd = STDERR_FILENO, .format = CLEAT_LOG_TEXT, .clock = cleat_clock_system()};
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    while (strcmp(options->log_level, apiserver_levels[log_options.level]) != 0)
        log_options.level++;
    int r = cleat_log_new(&log_options, &log, &err);
    if (r == 0) {
        struct cleat_apiserver_options server_options = {.listen = options->listen,
                                                         .log = log,
                                                         .rbac = options->rbac,
                                                         .token_file = options->token_file};
        r = cleat_apiserver_new(&server_options, &server, &err);
    }
    if (r == 0)
        r = apiserver_serve(server, options, &ends, &err);
    cleat_apiserver_free(server);
    cleat_log_free(log);
    if (r == 0)
        return 0;
    return cleat_command_fail(&cleat_command_apiserver,
                              r == -EINVAL ? CLEAT_EXIT_USAGE : CLEAT_EXIT_FAILURE, &err);
}

const struct cleat_command cleat_command_apiserver = {
    .name = "apiserver",
    .summary = "the embedded API server alone: a Kubernetes API in memory, on loopback",
    .usage = "Prints its URL when it's ready; ends with SIGTERM or SIGINT.\n",
    .flags = apiserver_flags,
    .options_size = sizeof(struct apiserver_options),
    .run = apiserver_run,
};
