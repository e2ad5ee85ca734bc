/* SPDX-License-Identifier: Apache-2.0 */
#include "support/child.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/wait.h"

#define CHILD_WORDS_MAX 48
#define CHILD_LINE_BYTES 8192

extern char **environ;

void child_start(struct child *child, const char *line, const char *log)
{
    char words[CHILD_LINE_BYTES];
    char *argv[CHILD_WORDS_MAX + 1] = {NULL};
    size_t count = 0;
    posix_spawn_file_actions_t actions;
    ck_assert_uint_lt(strlen(line), sizeof(words));
    (void)snprintf(words, sizeof(words), "%s", line);
    for (char *save, *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        ck_assert_uint_lt(count, CHILD_WORDS_MAX);
        argv[count++] = word;
    }
    *child = (struct child){0, 0};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
    /* Or whoever reads the test's own output waits for the child too. */
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    int failed = posix_spawn(&child->pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ck_assert_msg(failed == 0, "%s: %s", argv[0], strerror(failed));
}

void child_signal(struct child *child, int number)
{
    if (!child_ended(child))
        ck_assert_int_eq(kill(child->pid, number), 0);
}

bool child_ended(struct child *child)
{
    if (child->pid > 0 && waitpid(child->pid, &child->status, WNOHANG) == child->pid)
        child->pid = 0;
    return child->pid == 0;
}

void child_end(struct child *child, int number, int64_t limit_ms)
{
    child_signal(child, number);
    CLEAT_WAIT_FOR(child_ended(child), limit_ms);
}

bool child_exited(const struct child *child, int status)
{
    return WIFEXITED(child->status) && WEXITSTATUS(child->status) == status;
}

int child_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    ck_assert_int_eq(close(fd), 0);
    return ntohs(address.sin_port);
}
