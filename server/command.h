/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the binary. Each has its file, its flags and one function; usage errors end with
 * status 2, all others with 1, and each says one line on stderr.
 */
#ifndef CLEAT_SERVER_COMMAND_H
#define CLEAT_SERVER_COMMAND_H

#include <stdint.h>
#include <stdio.h>
#include <cleat/err.h>
#include "server/flags.h"

#define CLEAT_EXIT_FAILURE 1
#define CLEAT_EXIT_USAGE 2

struct cleat_command {
    const char *name;
    const char *summary;            /* one line */
    const char *usage;              /* more lines for its --help; may be NULL */
    const struct cleat_flag *flags; /* ends with a flag without a name */
    size_t options_size;
    /* Runs with its parsed options; the exit status. @given: which flags were on the command line.
     */
    int (*run)(void *options, uint64_t given);
};

extern const struct cleat_command cleat_command_serve;
extern const struct cleat_command cleat_command_apiserver;
extern const struct cleat_command cleat_command_demo;
extern const struct cleat_command cleat_command_manifests;
extern const struct cleat_command cleat_command_version;

/** Finds and runs the command that argv[1] names; the exit status. */
int cleat_command_main(int argc, char **argv);
/** The commit that the program was built from, or "unknown"; static. */
const char *cleat_command_commit(void);
/** Prints @text on stdout; 0, or CLEAT_EXIT_FAILURE where that failed. */
int cleat_command_print(const struct cleat_buffer *text);
/** Prints "cleat <command>: <text>" on stderr; returns @status. */
int cleat_command_fail(const struct cleat_command *command, int status,
                       const struct cleat_err *err);

#endif
