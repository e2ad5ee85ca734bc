/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "base/limits.h"
#include "base/mem.h"
#include "server/command.h"

static const struct cleat_command *const commands[] = {
    &cleat_command_serve,     &cleat_command_apiserver, &cleat_command_demo,
    &cleat_command_manifests, &cleat_command_version,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

int cleat_command_print(const struct cleat_buffer *text)
{
    bool written = !text->failed && text->data &&
                   fwrite(text->data, 1, text->length, stdout) == text->length &&
                   fflush(stdout) == 0;
    return written ? 0 : CLEAT_EXIT_FAILURE;
}

static int command_help(void)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    (void)cleat_buffer_text(&text, "cleat: admission webhooks and controllers over one cache\n\n"
                                   "usage: cleat COMMAND [FLAGS]\n\ncommands:\n"); /* sticky */
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)cleat_buffer_format(&text, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    (void)cleat_buffer_text(&text, "\nEach command has a --help of its own.\n"); /* sticky */
    int status = cleat_command_print(&text);
    cleat_buffer_fini(&text);
    return status;
}

static int command_help_one(const struct cleat_command *command)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    (void)cleat_buffer_format(&text, "cleat %s: %s\n\nusage: cleat %s [FLAGS]\n", command->name,
                              command->summary, command->name); /* sticky */
    if (command->usage)
        (void)cleat_buffer_format(&text, "\n%s", command->usage); /* sticky */
    (void)cleat_buffer_text(&text, "\nflags:\n");                 /* sticky */
    cleat_flags_help(command->flags, &text);
    int status = cleat_command_print(&text);
    cleat_buffer_fini(&text);
    return status;
}

int cleat_command_fail(const struct cleat_command *command, int status, const struct cleat_err *err)
{
    fprintf(stderr, "cleat %s: %s\n", command->name, cleat_err_text(err));
    return status;
}

static int command_run(const struct cleat_command *command, int argc, char **argv)
{
    uint64_t given = 0;
    struct cleat_err err = CLEAT_ERR_INIT;
    int status = CLEAT_EXIT_FAILURE;
    void *options = cleat_mem_zalloc(1, command->options_size ? command->options_size : 1);
    int r = options ? cleat_flags_init(command->flags, options) : -ENOMEM;
    if (r == 0)
        r = cleat_flags_parse(command->flags, argc, argv, options, &given, &err);
    if (r == 0)
        status = command->run(options, given);
    else if (r == 1)
        status = command_help_one(command);
    else
        status =
            cleat_command_fail(command, r == -ENOMEM ? CLEAT_EXIT_FAILURE : CLEAT_EXIT_USAGE, &err);
    if (options)
        cleat_flags_fini(command->flags, options);
    cleat_mem_free(options);
    return status;
}

int cleat_command_main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name &&
        (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0))
        return command_help();
    for (size_t i = 0; name && i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i]->name) == 0)
            return command_run(commands[i], argc - 2, argv + 2);
    if (name)
        fprintf(stderr, "cleat: unknown command \"%s\"; see cleat --help\n", name);
    else
        fprintf(stderr, "cleat: a command is missing; see cleat --help\n");
    return CLEAT_EXIT_USAGE;
}
