/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/check.h"
#include "server/command.h"
#include "server/options.h"
#include "server/serve.h"

static int serve_run(void *arg, uint64_t given)
{
    struct cleat_serve_options *options = arg;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_log *log = NULL;
    int r = options->config
                ? cleat_flags_file(cleat_serve_flags, options->config, given, options, &err)
                : 0;
    if (r == 0)
        r = cleat_serve_options_check(options, &err);
    if (r < 0)
        return cleat_command_fail(&cleat_command_serve,
                                  r == -EINVAL ? CLEAT_EXIT_USAGE : CLEAT_EXIT_FAILURE, &err);
    struct cleat_log_options log_options = {
        .fd = STDERR_FILENO,
        .level = cleat_serve_log_level(options),
        .format = strcmp(options->log_format, "text") == 0 ? CLEAT_LOG_TEXT : CLEAT_LOG_JSON,
        .clock = cleat_clock_system()};
    r = cleat_log_new(&log_options, &log, &err);
    if (r == 0)
        r = cleat_serve(options, log, &err);
    if (r == -ETIMEDOUT) {
        cleat_ignore(cleat_log_flush(log, 1000)); /* the process ends either way */
        _exit(cleat_command_fail(&cleat_command_serve, CLEAT_EXIT_FAILURE, &err));
    }
    cleat_log_free(log);
    return r < 0 ? cleat_command_fail(&cleat_command_serve, CLEAT_EXIT_FAILURE, &err) : 0;
}

const struct cleat_command cleat_command_serve = {
    .name = "serve",
    .summary = "the server: webhooks and controllers over one cache",
    .usage = "The config file has the flags' names in camelCase, under apiVersion\n"
             "config.cleat.dev/v1alpha1 and kind CleatConfig.\n",
    .flags = cleat_serve_flags,
    .options_size = sizeof(struct cleat_serve_options),
    .run = serve_run,
};
