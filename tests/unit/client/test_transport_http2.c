/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams over HTTP/2: nghttpx (Debian's nghttp2-proxy) stands in front of a scripted server and
 * speaks HTTP/2 over TLS. Without it these tests have nothing to say and pass.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/limits.h"
#include "base/mem.h"
#include "support/client_fixture.h"
#include "support/child.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define NGHTTPX "/usr/sbin/nghttpx"
#define STREAMS_MAX 200

struct proxy {
    struct cleat_temp_dir dir;
    struct script_cert ca;
    struct script_cert cert;
    pid_t pid;
    int port;
};

static bool port_answers(void *arg)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) * (int *)arg),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const void *any = &address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, any, sizeof(address)) == 0;
    (void)close(fd);
    return connected;
}

static void proxy_exec(const struct proxy *proxy, int backend_port)
{
    char frontend[64];
    char backend[64];
    char key[PATH_MAX];
    char cert[PATH_MAX];
    (void)snprintf(frontend, sizeof(frontend), "--frontend=127.0.0.1,%d", proxy->port);
    (void)snprintf(backend, sizeof(backend), "--backend=127.0.0.1,%d", backend_port);
    (void)snprintf(key, sizeof(key), "%.4000s/key.pem", proxy->dir.path);
    (void)snprintf(cert, sizeof(cert), "%.4000s/cert.pem", proxy->dir.path);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)dup2(null, STDERR_FILENO);
    (void)execl(NGHTTPX, NGHTTPX, frontend, backend, "--workers=1", "--errorlog-file=/dev/null",
                "--conf=/dev/null", "--frontend-http2-max-concurrent-streams=100",
                "--backend-connections-per-host=256", key, cert, (char *)NULL);
    _exit(127);
}

static void proxy_start(struct proxy *proxy, int backend_port)
{
    cleat_temp_dir_init(&proxy->dir);
    script_cert_make(&(struct script_cert_options){.name = "CA", .ca = true}, &proxy->ca);
    script_cert_make(&(struct script_cert_options){.name = "front",
                                                   .alt_names = "IP:127.0.0.1,DNS:front",
                                                   .signer = &proxy->ca},
                     &proxy->cert);
    cleat_temp_dir_write(&proxy->dir, "key.pem", proxy->cert.key_pem);
    cleat_temp_dir_write(&proxy->dir, "cert.pem", proxy->cert.cert_pem);
    proxy->port = child_port();
    proxy->pid = fork();
    ck_assert_int_ge(proxy->pid, 0);
    if (proxy->pid == 0)
        proxy_exec(proxy, backend_port);
    ck_assert(cleat_wait_for(port_answers, &proxy->port, 5000));
}

static void proxy_stop(struct proxy *proxy)
{
    int status = 0;
    (void)kill(proxy->pid, SIGKILL);
    (void)waitpid(proxy->pid, &status, 0);
    script_cert_fini(&proxy->ca);
    script_cert_fini(&proxy->cert);
    cleat_temp_dir_fini(&proxy->dir);
}

struct stream_seen {
    int head;
    size_t bytes;
    int ends;
    int result;
    char text[256];
};

struct env {
    struct client_fixture fixture;
    struct proxy proxy;
    struct cleat_transport_loop *loop;
    struct stream_seen seen[STREAMS_MAX];
    struct cleat_transport_stream *streams[STREAMS_MAX];
};

static void seen_head(void *arg, int code, const struct cleat_err *err)
{
    struct stream_seen *seen = arg;
    seen->head = code;
}

static int seen_bytes(void *arg, const char *bytes, size_t length)
{
    struct stream_seen *seen = arg;
    seen->bytes += length;
    return 0;
}

static void seen_end(void *arg, int result, const struct cleat_err *err)
{
    struct stream_seen *seen = arg;
    seen->ends++;
    seen->result = result;
    (void)snprintf(seen->text, sizeof(seen->text), "%.200s", err ? err->text : "");
}

static struct env *env_new(script_fn fn, bool http1_only)
{
    struct env *env = cleat_mem_zalloc(1, sizeof(*env));
    char url[64];
    ck_assert_ptr_nonnull(env);
    client_fixture_init(&env->fixture, fn, env);
    proxy_start(&env->proxy, script_server_port(env->fixture.server));
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", env->proxy.port);
    ck_assert_int_eq(cleat_kubeconfig_set(&env->fixture.config->server, url), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&env->fixture.config->ca_pem, env->proxy.ca.cert_pem), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&env->fixture.config->tls_server_name, "front"), 0);
    env->fixture.options.http1_only = http1_only;
    client_fixture_open(&env->fixture);
    ck_assert_int_eq(cleat_transport_loop_new(env->fixture.client, &env->loop, NULL), 0);
    return env;
}

static void env_free(struct env *env)
{
    cleat_transport_loop_free(env->loop);
    proxy_stop(&env->proxy);
    client_fixture_fini(&env->fixture);
    cleat_mem_free(env);
}

static void env_start(struct env *env, size_t at, const char *path, int64_t stall_ms)
{
    const struct cleat_transport_stream_options options = {.path_and_query = path,
                                                           .stall_ms = stall_ms};
    const struct cleat_transport_stream_ops ops = {
        .on_head = seen_head, .on_bytes = seen_bytes, .on_end = seen_end, .arg = &env->seen[at]};
    ck_assert_int_eq(
        cleat_transport_stream_start(env->loop, &options, &ops, &env->streams[at], NULL), 0);
}

static void env_run(struct env *env)
{
    ck_assert_int_eq(cleat_transport_loop_run(env->loop, 20, NULL), 0);
}

#define RUN_UNTIL(env, condition)                                                         \
    do {                                                                                  \
        int64_t until_ = cleat_clock_mono_ms(cleat_clock_system()) + 20000;               \
        while (!(condition)) {                                                            \
            ck_assert_msg(cleat_clock_mono_ms(cleat_clock_system()) < until_, "late: %s", \
                          #condition);                                                    \
            env_run(env);                                                                 \
        }                                                                                 \
    } while (0)

static bool have_proxy(void)
{
    return access(NGHTTPX, X_OK) == 0;
}

/* Connections of this process to @port that are established. */
static int connections_to(int port)
{
    int count = 0;
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in address;
        socklen_t size = sizeof(address);
        void *any = &address;
        if (getpeername(fd, any, &size) == 0 && size == sizeof(address) &&
            address.sin_family == AF_INET && ntohs(address.sin_port) == port)
            count++;
    }
    return count;
}

/* The path says how much comes before the stream waits: "/w?4096", or ends: "/e?4096". */
static void script_bytes(void *arg, struct script_exchange *exchange,
                         const struct script_request *request)
{
    static const char block[1024] = {'z'};
    size_t left = strtoul(request->target + 3, NULL, 10);
    script_reply_chunked(exchange, 200, NULL);
    while (left > 0) {
        size_t length = left < sizeof(block) ? left : sizeof(block);
        script_chunk(exchange, block, length);
        left -= length;
    }
    if (request->target[1] == 'w')
        (void)script_hold(exchange);
    else
        script_chunk_end(exchange);
}

static size_t total_head(const struct env *env, size_t count)
{
    size_t heads = 0;
    for (size_t i = 0; i < count; i++)
        heads += env->seen[i].bytes > 0;
    return heads;
}

START_TEST(test_streams_share_a_connection)
{
    if (!have_proxy())
        return;
    struct env *env = env_new(script_bytes, false);
    for (size_t i = 0; i < 20; i++)
        env_start(env, i, "/w?10", 0);
    RUN_UNTIL(env, total_head(env, 20) == 20);
    ck_assert_int_eq(connections_to(env->proxy.port), 1);
    env_free(env);
}
END_TEST

START_TEST(test_further_connections)
{
    if (!have_proxy())
        return;
    struct env *env = env_new(script_bytes, false);
    size_t count = 2 * CLEAT_WATCHES_PER_CONNECTION_MAX + 1;
    for (size_t i = 0; i < count; i++)
        env_start(env, i, "/w?10", 0);
    RUN_UNTIL(env, total_head(env, count) == count);
    ck_assert_int_eq(connections_to(env->proxy.port), 3);
    env_free(env);
}
END_TEST

START_TEST(test_http1_only)
{
    if (!have_proxy())
        return;
    struct env *env = env_new(script_bytes, true);
    for (size_t i = 0; i < 5; i++)
        env_start(env, i, "/w?10", 0);
    RUN_UNTIL(env, total_head(env, 5) == 5);
    ck_assert_int_eq(connections_to(env->proxy.port), 5);
    env_free(env);
}
END_TEST

START_TEST(test_cut_leaves_the_others)
{
    if (!have_proxy())
        return;
    struct env *env = env_new(script_bytes, false);
    for (size_t i = 0; i < 10; i++)
        env_start(env, i, "/w?10", 0);
    RUN_UNTIL(env, total_head(env, 10) == 10);
    for (size_t i = 0; i < 5; i++)
        cleat_transport_stream_cut(env->streams[i]);
    for (size_t i = 10; i < 15; i++)
        env_start(env, i, "/e?100000", 0);
    RUN_UNTIL(env, env->seen[10].ends && env->seen[11].ends && env->seen[12].ends &&
                       env->seen[13].ends && env->seen[14].ends);
    for (size_t i = 0; i < 15; i++) {
        ck_assert_int_eq(env->seen[i].ends, i >= 10);
        ck_assert_msg(env->seen[i].result == 0, "%s", env->seen[i].text);
        ck_assert_uint_eq(env->seen[i].bytes, i >= 10 ? 100000 : 10);
    }
    ck_assert_int_eq(connections_to(env->proxy.port), 1);
    env_free(env);
}
END_TEST

START_TEST(test_much_data_side_by_side)
{
    if (!have_proxy())
        return;
    struct env *env = env_new(script_bytes, false);
    for (size_t i = 0; i < 8; i++)
        env_start(env, i, "/e?3000000", 5000);
    for (size_t i = 0; i < 8; i++) {
        RUN_UNTIL(env, env->seen[i].ends);
        ck_assert_msg(env->seen[i].result == 0, "%s", env->seen[i].text);
        ck_assert_uint_eq(env->seen[i].bytes, 3000000);
    }
    env_free(env);
}
END_TEST

START_TEST(test_stall_goes_elsewhere)
{
    if (!have_proxy())
        return;
    struct env *env = env_new(script_bytes, false);
    env_start(env, 0, "/w?10", 0);
    env_start(env, 1, "/w?10", 100);
    RUN_UNTIL(env, env->seen[1].ends);
    ck_assert_int_eq(env->seen[1].result, -ETIMEDOUT);
    env_start(env, 2, "/w?10", 0);
    RUN_UNTIL(env, env->seen[2].bytes);
    ck_assert_int_eq(env->seen[0].ends, 0);
    ck_assert_int_eq(connections_to(env->proxy.port), 2);
    env_free(env);
}
END_TEST

START_TEST(test_connection_dies)
{
    if (!have_proxy())
        return;
    struct env *env = env_new(script_bytes, false);
    for (size_t i = 0; i < 10; i++)
        env_start(env, i, "/w?10", 0);
    RUN_UNTIL(env, total_head(env, 10) == 10);
    (void)kill(env->proxy.pid, SIGKILL);
    for (size_t i = 0; i < 10; i++) {
        RUN_UNTIL(env, env->seen[i].ends);
        ck_assert_msg(env->seen[i].result == -ECONNRESET, "%d %s", env->seen[i].result,
                      env->seen[i].text);
    }
    env_free(env);
}
END_TEST

CLEAT_SUITE_MAIN("transport_http2", test_streams_share_a_connection, test_further_connections,
                 test_http1_only, test_cut_leaves_the_others, test_much_data_side_by_side,
                 test_stall_goes_elsewhere, test_connection_dies)
