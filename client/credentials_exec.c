/* SPDX-License-Identifier: Apache-2.0 */
#include "client/credentials_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cleat/document.h>
#include <cleat/path.h>
#include <cleat/time.h>
#include <cleat/write.h>

#include "base/limits.h"
#include "base/mem.h"
#include "kube/base64.h"

#define EXEC_OUTPUT_BYTES_MAX (1 * CLEAT_MIB)
#define EXEC_COMPLAINT_BYTES_MAX 200
#define EXEC_ARGUMENTS_MAX 256
#define EXEC_INFO_BYTES_MAX (4 * CLEAT_MIB)
/* How often the process itself is looked at; its pipes wake us anyway. */
#define EXEC_TICK_MS 20

struct credentials_exec {
    const struct cleat_clock *clock;
    int64_t timeout_ms;
    struct cleat_document *stanza;
    char *info;         /* "KUBERNETES_EXEC_INFO=…" */
    char **arguments;   /* owned, NULL-terminated; the command first */
    char **environment; /* "NAME=value", owned, NULL-terminated */
    size_t environment_count;
    /* While it runs: */
    pid_t pid; /* 0: it doesn't */
    int64_t deadline_mono_ms;
    int output_fd;
    int complaint_fd;
    struct cleat_buffer output;
    struct cleat_buffer complaint; /* the first bytes of stderr */
};

extern char **environ;

static void exec_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void exec_wipe(struct cleat_buffer *buffer)
{
    if (buffer->data)
        cleat_mem_wipe(buffer->data, buffer->capacity);
    cleat_buffer_fini(buffer);
}

static char *exec_wipe_text(char *text)
{
    if (text)
        cleat_mem_wipe(text, strlen(text));
    return cleat_mem_free(text);
}

void cleat__credentials_exec_answer_fini(struct credentials_exec_answer *answer)
{
    answer->token = exec_wipe_text(answer->token);
    answer->cert_pem = exec_wipe_text(answer->cert_pem);
    answer->key_pem = exec_wipe_text(answer->key_pem);
}

static void exec_free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        exec_wipe_text(texts[i]);
    cleat_mem_free(texts);
}

/* Forgets the run; kills it where @still_runs. */
static void exec_end(struct credentials_exec *exec, bool still_runs)
{
    if (exec->pid > 0 && still_runs) {
        (void)kill(-exec->pid, SIGKILL); /* may be gone already */
        (void)kill(exec->pid, SIGKILL);
        while (waitpid(exec->pid, NULL, 0) < 0 && errno == EINTR) {}
    }
    exec->pid = 0;
    exec_close(&exec->output_fd);
    exec_close(&exec->complaint_fd);
}

struct credentials_exec *cleat__credentials_exec_free(struct credentials_exec *exec)
{
    if (!exec)
        return NULL;
    exec_end(exec, true);
    exec_wipe(&exec->output);
    cleat_buffer_fini(&exec->complaint);
    exec_free_texts(exec->arguments);
    exec_free_texts(exec->environment);
    exec->info = exec_wipe_text(exec->info);
    exec->stanza = cleat_document_unref(exec->stanza);
    return cleat_mem_free(exec);
}

static struct cleat_value exec_stanza(const struct credentials_exec *exec, const char *key)
{
    return cleat_value_get(cleat_document_root(exec->stanza), key);
}

/* A copy of a string without NUL, or NULL: then *@ret_code says why. */
static char *exec_copy(struct cleat_value value, int *ret_code)
{
    struct cleat_scratch scratch;
    struct cleat_str text;
    *ret_code = -EINVAL;
    if (cleat_value_str(value, &scratch, &text) != 0 || strlen(text.data) != text.length)
        return NULL;
    *ret_code = -ENOMEM;
    return cleat_mem_strndup(text.data, text.length);
}

static int exec_take_arguments(struct credentials_exec *exec, struct cleat_err *err)
{
    struct cleat_value args = exec_stanza(exec, "args");
    size_t count = cleat_value_count(args);
    int code = 0;
    if (count > EXEC_ARGUMENTS_MAX)
        return cleat_err_set(err, -EINVAL, "exec plugin has more than %d arguments",
                             EXEC_ARGUMENTS_MAX);
    exec->arguments = cleat_mem_zalloc(count + 2, sizeof(exec->arguments[0]));
    if (!exec->arguments)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i <= count; i++) {
        exec->arguments[i] =
            exec_copy(i ? cleat_value_at(args, i - 1) : exec_stanza(exec, "command"), &code);
        if (!exec->arguments[i])
            return cleat_err_set(err, code, "exec plugin: command or argument %zu is no text", i);
    }
    return 0;
}

/* Adds "name=value" behind those that are there; the room was made for it. */
static int exec_add_variable(struct credentials_exec *exec, const char *name, const char *value)
{
    char *line = cleat_mem_format("%s=%s", name, value);
    if (!line)
        return -ENOMEM;
    exec->environment[exec->environment_count++] = line;
    return 0;
}

/* True where the line of @name is there already, from the stanza. */
static bool exec_has_variable(const struct credentials_exec *exec, const char *line)
{
    size_t length = strcspn(line, "=") + 1;
    for (size_t i = 0; i < exec->environment_count; i++)
        if (strncmp(exec->environment[i], line, length) == 0)
            return true;
    return false;
}

static int exec_take_stanza_environment(struct credentials_exec *exec, struct cleat_err *err)
{
    struct cleat_value variables = exec_stanza(exec, "env");
    for (size_t i = 0; i < cleat_value_count(variables); i++) {
        struct cleat_value variable = cleat_value_at(variables, i);
        int code = 0;
        CLEAT_CLEANUP(cleat_mem_freep)
        char *name = exec_copy(cleat_value_get(variable, "name"), &code);
        CLEAT_CLEANUP(cleat_mem_freep)
        char *value = name ? exec_copy(cleat_value_get(variable, "value"), &code) : NULL;
        if (!value || !name[0] || strchr(name, '='))
            return cleat_err_set(err, code, "exec plugin: env[%zu] isn't name and value", i);
        if (exec_add_variable(exec, name, value) < 0)
            return cleat_err_set(err, -ENOMEM, "out of memory");
    }
    return 0;
}

/* The stanza's variables, the info, and what our own environment has besides. */
static int exec_take_environment(struct credentials_exec *exec, struct cleat_err *err)
{
    size_t count = cleat_value_count(exec_stanza(exec, "env"));
    size_t own = 0;
    while (environ && environ[own])
        own++;
    if (count > EXEC_ARGUMENTS_MAX)
        return cleat_err_set(err, -EINVAL, "exec plugin has more than %d variables",
                             EXEC_ARGUMENTS_MAX);
    exec->environment = cleat_mem_zalloc(count + own + 2, sizeof(exec->environment[0]));
    if (!exec->environment)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    int r = exec_take_stanza_environment(exec, err);
    if (r == 0)
        r = exec_add_variable(exec, "KUBERNETES_EXEC_INFO", exec->info);
    for (size_t i = 0; r == 0 && i < own; i++) {
        if (exec_has_variable(exec, environ[i]))
            continue;
        exec->environment[exec->environment_count] = cleat_mem_strdup(environ[i]);
        r = exec->environment[exec->environment_count] ? 0 : -ENOMEM;
        exec->environment_count += r == 0;
    }
    return r == -ENOMEM ? cleat_err_set(err, r, "out of memory") : r;
}

static void exec_info_member(struct cleat_buffer *info, const char *key, const char *text)
{
    if (!text)
        return;
    cleat_buffer_format(info, ",\"%s\":", key);
    cleat_write_string(info, cleat_str_of(text));
}

/* The cluster as the plugin may want to know it. */
static void exec_info_cluster(struct cleat_buffer *info, const struct cleat_kubeconfig *config)
{
    cleat_buffer_text(info, ",\"cluster\":{\"server\":");
    cleat_write_string(info, cleat_str_of(config->server));
    exec_info_member(info, "tls-server-name", config->tls_server_name);
    exec_info_member(info, "proxy-url", config->proxy_url);
    if (config->insecure)
        cleat_buffer_text(info, ",\"insecure-skip-tls-verify\":true");
    if (config->disable_compression)
        cleat_buffer_text(info, ",\"disable-compression\":true");
    if (config->ca_pem) {
        cleat_buffer_text(info, ",\"certificate-authority-data\":\"");
        cleat_base64_encode(info, cleat_str_of(config->ca_pem));
        cleat_buffer_byte(info, '"');
    }
    cleat_buffer_text(info, ",\"config\":null}");
}

static int exec_make_info(struct credentials_exec *exec, const struct cleat_kubeconfig *config,
                          struct cleat_err *err)
{
    struct cleat_buffer info = CLEAT_BUFFER_INIT(EXEC_INFO_BYTES_MAX);
    struct cleat_scratch scratch;
    cleat_buffer_text(&info, "{\"kind\":\"ExecCredential\",\"apiVersion\":");
    cleat_write_string(&info, cleat_value_text(exec_stanza(exec, "apiVersion"), &scratch));
    cleat_buffer_text(&info, ",\"spec\":{\"interactive\":false");
    if (cleat_value_is_true(exec_stanza(exec, "provideClusterInfo")))
        exec_info_cluster(&info, config);
    cleat_buffer_text(&info, "}}");
    exec->info = cleat_buffer_take(&info);
    cleat_buffer_fini(&info);
    return exec->info ? 0 : cleat_err_set(err, -ENOMEM, "out of memory");
}

static int exec_fill(struct credentials_exec *exec, const struct cleat_kubeconfig *config,
                     struct cleat_err *err)
{
    int r = cleat_document_parse(cleat_str_of(config->exec_json), &exec->stanza, err);
    if (r == 0 && cleat_value_type(exec_stanza(exec, "apiVersion")) != CLEAT_TYPE_STRING)
        r = cleat_err_set(err, -EINVAL, "exec plugin: apiVersion must be given");
    if (r == 0)
        r = exec_make_info(exec, config, err);
    if (r == 0)
        r = exec_take_arguments(exec, err);
    if (r == 0)
        r = exec_take_environment(exec, err);
    return r;
}

int cleat__credentials_exec_new(const struct cleat_kubeconfig *config,
                                const struct cleat_clock *clock, int64_t timeout_ms,
                                struct credentials_exec **ret, struct cleat_err *err)
{
    struct credentials_exec *exec = cleat_mem_zalloc(1, sizeof(*exec));
    if (!exec)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    exec->clock = clock;
    exec->timeout_ms = timeout_ms;
    exec->output_fd = -1;
    exec->complaint_fd = -1;
    cleat_buffer_init(&exec->output, EXEC_OUTPUT_BYTES_MAX);
    cleat_buffer_init(&exec->complaint, EXEC_COMPLAINT_BYTES_MAX);
    int r = exec_fill(exec, config, err);
    if (r < 0) {
        cleat__credentials_exec_free(exec);
        return r;
    }
    *ret = exec;
    return 0;
}

/* Running */

/* Spawns with nothing for stdin and the pipes' ends for stdout and stderr. Returns a positive
 * errno. */
static int exec_spawn_with(struct credentials_exec *exec, posix_spawn_file_actions_t *actions,
                           posix_spawnattr_t *attributes, int output_fd, int complaint_fd)
{
    sigset_t none, all;
    pid_t pid = 0;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, output_fd, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, complaint_fd, STDERR_FILENO);
    if (r == 0)
        r = posix_spawnattr_setpgroup(attributes, 0);
    if (r == 0)
        r = posix_spawnattr_setsigmask(attributes, &none);
    if (r == 0)
        r = posix_spawnattr_setsigdefault(attributes, &all);
    if (r == 0)
        r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                     POSIX_SPAWN_SETSIGDEF);
    if (r == 0)
        r = posix_spawnp(&pid, exec->arguments[0], actions, attributes, exec->arguments,
                         exec->environment);
    if (r == 0)
        exec->pid = pid;
    return r;
}

static int exec_spawn(struct credentials_exec *exec, int output_fd, int complaint_fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        r = exec_spawn_with(exec, &actions, &attributes, output_fd, complaint_fd);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

static int exec_start(struct credentials_exec *exec, struct cleat_err *err)
{
    int output[2] = {-1, -1};
    int complaint[2] = {-1, -1};
    cleat_buffer_reset(&exec->output);
    cleat_buffer_reset(&exec->complaint);
    int r = pipe2(output, O_CLOEXEC) < 0 || pipe2(complaint, O_CLOEXEC) < 0 ? errno : 0;
    if (r == 0)
        r = exec_spawn(exec, output[1], complaint[1]);
    exec_close(&output[1]);
    exec_close(&complaint[1]);
    if (r != 0) {
        exec_close(&output[0]);
        exec_close(&complaint[0]);
        /* -EAGAIN means a running plugin to our caller. */
        return cleat_err_set(err, r == EAGAIN ? -EBUSY : -r, "exec plugin %s: %s",
                             exec->arguments[0], strerror(r));
    }
    exec->output_fd = output[0];
    exec->complaint_fd = complaint[0];
    (void)fcntl(exec->output_fd, F_SETFL, O_NONBLOCK);    /* can't fail on a pipe of ours */
    (void)fcntl(exec->complaint_fd, F_SETFL, O_NONBLOCK); /* as above */
    exec->deadline_mono_ms = cleat_clock_mono_ms(exec->clock) + exec->timeout_ms;
    return 0;
}

/* Takes what is there; closes at the end. What goes beyond the buffer's maximum is noted by it and
 * dropped. */
static void exec_drain(int *fd, struct cleat_buffer *buffer)
{
    char chunk[4096];
    while (*fd >= 0) {
        ssize_t length = read(*fd, chunk, sizeof(chunk));
        if (length > 0) {
            size_t room = buffer->bytes_max - buffer->length;
            size_t taken = (size_t)length < room ? (size_t)length : room;
            cleat_buffer_append(buffer, chunk, taken);
            if (taken < (size_t)length)
                buffer->failed = -ENOBUFS;
        } else if (length == 0 || (errno != EINTR && errno != EAGAIN)) {
            exec_close(fd);
        } else if (errno == EAGAIN) {
            break;
        }
    }
    cleat_mem_wipe(chunk, sizeof(chunk));
}

/* Waits for output for a tick at most. */
static void exec_wait_output(const struct credentials_exec *exec, int timeout_ms)
{
    struct pollfd fds[2] = {{exec->output_fd, POLLIN, 0}, {exec->complaint_fd, POLLIN, 0}};
    (void)poll(fds, 2, timeout_ms); /* whatever it says, all is looked at next */
}

/* The first line of what it complained of. */
static int exec_complain(struct credentials_exec *exec, int status, struct cleat_err *err)
{
    struct cleat_str text = cleat_buffer_view(&exec->complaint);
    size_t length = 0;
    while (length < text.length && text.data[length] != '\n')
        length++;
    if (WIFSIGNALED(status))
        return cleat_err_set(err, -EIO, "exec plugin %s ended by signal %d%s%.*s",
                             exec->arguments[0], WTERMSIG(status), length ? ": " : "", (int)length,
                             length ? text.data : "");
    return cleat_err_set(err, -EIO, "exec plugin %s exited with %d%s%.*s", exec->arguments[0],
                         WEXITSTATUS(status), length ? ": " : "", (int)length,
                         length ? text.data : "");
}

/* Reads token, PEM and expiry of an answer. */
static int exec_read_status(struct cleat_value status, struct credentials_exec_answer *ret)
{
    int code = 0;
    struct cleat_value token = cleat_value_get(status, "token");
    struct cleat_value certificate = cleat_value_get(status, "clientCertificateData");
    struct cleat_value key = cleat_value_get(status, "clientKeyData");
    struct cleat_value expiry = cleat_value_get(status, "expirationTimestamp");
    if (cleat_value_is_present(token) && !(ret->token = exec_copy(token, &code)))
        return code;
    if (cleat_value_is_present(certificate) && !(ret->cert_pem = exec_copy(certificate, &code)))
        return code;
    if (cleat_value_is_present(key) && !(ret->key_pem = exec_copy(key, &code)))
        return code;
    if (!ret->cert_pem != !ret->key_pem || (!ret->token && !ret->cert_pem))
        return -EINVAL;
    for (const char *c = ret->token; c && *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
            return -EINVAL;
    if ((ret->token && !ret->token[0]) || (ret->cert_pem && !strstr(ret->cert_pem, "-----BEGIN ")))
        return -EINVAL;
    if (!cleat_value_is_present(expiry))
        return 0;
    struct cleat_scratch scratch;
    int64_t expires_us = 0;
    if (cleat_time_parse(cleat_value_text(expiry, &scratch), &expires_us) < 0)
        return -EINVAL;
    ret->expires = true;
    ret->expires_unix_ms = expires_us / 1000;
    return 0;
}

/* Reads the ExecCredential. It must be of the version that was asked for. */
static int exec_read_answer(struct credentials_exec *exec, struct credentials_exec_answer *ret,
                            struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    struct credentials_exec_answer answer = {0};
    struct cleat_err own = CLEAT_ERR_INIT;
    struct cleat_scratch scratch;
    if (exec->output.failed)
        return cleat_err_set(err, -E2BIG, "exec plugin %s printed more than %zu bytes",
                             exec->arguments[0], EXEC_OUTPUT_BYTES_MAX);
    int r = cleat_document_parse(cleat_buffer_view(&exec->output), &document, &own);
    if (r < 0)
        return cleat_err_set(err, r, "exec plugin %s printed no JSON: %s", exec->arguments[0],
                             own.text);
    struct cleat_value root = cleat_document_root(document);
    struct cleat_str version = cleat_value_text(exec_stanza(exec, "apiVersion"), &scratch);
    if (!cleat_value_is(cleat_value_get(root, "kind"), "ExecCredential") ||
        !cleat_value_is_str(cleat_value_get(root, "apiVersion"), version))
        return cleat_err_set(err, -EINVAL, "exec plugin %s printed no ExecCredential of %.*s",
                             exec->arguments[0], CLEAT_STR_ARG(version));
    r = exec_read_status(cleat_value_get(root, "status"), &answer);
    if (r < 0) {
        cleat__credentials_exec_answer_fini(&answer);
        return cleat_err_set(err, r,
                             "exec plugin %s gave neither a token nor a certificate with key, or "
                             "a wrong time",
                             exec->arguments[0]);
    }
    *ret = answer;
    return 0;
}

/* One look at the process and its pipes. -EAGAIN while it runs. */
static int exec_look(struct credentials_exec *exec, struct credentials_exec_answer *ret,
                     struct cleat_err *err)
{
    int status = 0;
    pid_t ended = waitpid(exec->pid, &status, WNOHANG);
    exec_drain(&exec->output_fd, &exec->output);
    exec_drain(&exec->complaint_fd, &exec->complaint);
    if (ended == 0) {
        bool late = cleat_clock_mono_ms(exec->clock) >= exec->deadline_mono_ms;
        if (!late && !exec->output.failed)
            return -EAGAIN;
        exec_end(exec, true);
        if (!late)
            return exec_read_answer(exec, ret, err);
        return cleat_err_set(err, -ETIMEDOUT, "exec plugin %s didn't end within %lld ms",
                             exec->arguments[0], (long long)exec->timeout_ms);
    }
    exec_end(exec, false);
    /* Somebody else may have reaped it: then only what it printed can tell. */
    if (ended > 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        return exec_complain(exec, status, err);
    return exec_read_answer(exec, ret, err);
}

int cleat__credentials_exec_step(struct credentials_exec *exec, bool may_block,
                                 struct credentials_exec_answer *ret, struct cleat_err *err)
{
    int r = exec->pid > 0 ? 0 : exec_start(exec, err);
    if (r < 0)
        return r;
    do {
        if (may_block)
            exec_wait_output(exec, EXEC_TICK_MS);
        r = exec_look(exec, ret, err);
    } while (may_block && r == -EAGAIN);
    if (r != -EAGAIN) {
        exec_wipe(&exec->output);
        cleat_buffer_reset(&exec->complaint);
    }
    return r;
}
