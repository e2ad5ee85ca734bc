/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the build as a child process that goes on while the test does something else.
 */
#ifndef CLEAT_TESTS_CHILD_H
#define CLEAT_TESTS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid;  /* 0: none runs */
    int status; /* of wait, once it has ended */
};

/** Starts @line (a program's path and its arguments, between blanks); what it writes is appended to
 * the file @log. Fails the test where it can't. */
void child_start(struct child *child, const char *line, const char *log);
/** Sends a signal; nothing where it has ended. */
void child_signal(struct child *child, int number);
/** True once it has ended. */
bool child_ended(struct child *child);
/** Sends a signal and waits for the end for at most @limit_ms, or the test fails. */
void child_end(struct child *child, int number, int64_t limit_ms);
/** True where it ended by itself, with that exit status. */
bool child_exited(const struct child *child, int status);
/** A loopback port that nobody listened on a moment ago. */
int child_port(void);

#endif
