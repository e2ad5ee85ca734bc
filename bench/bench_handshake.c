/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full TLS handshakes: handshake [SECONDS] [CLIENTS]. The server, as webhooks have it, in this
 * process; clients in others, each of which connects, shakes hands, asks once and closes, again and
 * again. Certificates on P-256; TLS 1.3, no resumption. CPU is the server's alone, what one request
 * costs on a new connection. One line of JSON.
 */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cleat/clock.h>
#include <cleat/server.h>

#include "base/check.h"
#include "certs/authority.h"

#define CLIENTS_MAX 64
#define SECONDS_USUAL 5
#define ASK "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"

static int check_ok(void *arg, struct cleat_err *err)
{
    return 0;
}

static double seconds(void)
{
    return (double)cleat_clock_mono_ns(cleat_clock_system()) / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* can't fail */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* One connection from its first packet to its last; false where it failed. */
static bool client_once(uint16_t port, gnutls_certificate_credentials_t credentials)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    gnutls_session_t session = NULL;
    char answer[1024];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1; /* as Go's clients have it */
    bool good = fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
                connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL) == 0 &&
                gnutls_set_default_priority(session) == 0 &&
                gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) == 0;
    if (good) {
        gnutls_transport_set_int(session, fd);
        good = gnutls_handshake(session) == 0 &&
               gnutls_record_send(session, ASK, sizeof(ASK) - 1) == sizeof(ASK) - 1 &&
               gnutls_record_recv(session, answer, sizeof(answer)) > 12 &&
               memcmp(answer, "HTTP/1.1 200", 12) == 0;
    }
    if (session)
        gnutls_deinit(session);
    if (fd >= 0)
        (void)close(fd); /* nothing that anybody waits for */
    return good;
}

/* A client's process: tells the pipe how many went well; a failure is its exit status. */
static void client_main(uint16_t port, int seconds_most, int out)
{
    gnutls_certificate_credentials_t credentials;
    unsigned count = 0;
    bool good = gnutls_certificate_allocate_credentials(&credentials) == 0;
    double until = seconds() + seconds_most;
    for (; good && seconds() < until; count += good)
        good = client_once(port, credentials);
    good = write(out, &count, sizeof(count)) == sizeof(count) && good;
    _exit(good ? 0 : 1);
}

static struct cleat_server *server_make(struct cleat_health *health)
{
    static const char *const names[] = {"localhost", NULL};
    const struct cleat_clock *clock = cleat_clock_system();
    const struct cleat_server_options options = {
        .name = "bench", .bind = "127.0.0.1:0", .tls = true, .healthz = health, .readyz = health};
    struct cleat_authority *authority = NULL;
    struct cleat_bundle *bundle = NULL;
    struct cleat_server *server = NULL;
    int r = cleat_authority_new("bench", 86400, clock, &authority, NULL);
    if (r == 0)
        r = cleat_authority_issue(authority, names, 3600, clock, &bundle, NULL);
    if (r == 0)
        r = cleat_server_new(&options, &server, NULL);
    cleat_assert(r == 0);
    cleat_server_set_bundle(server, bundle);
    (void)cleat_bundle_unref(bundle);      /* always NULL */
    (void)cleat_authority_free(authority); /* the same */
    return server;
}

/* Before the server has threads: a child has one alone. */
static void clients_fork(pid_t *clients, int count, uint16_t port, int seconds_most, int out)
{
    for (int i = 0; i < count; i++) {
        clients[i] = fork();
        cleat_assert(clients[i] >= 0);
        if (clients[i] == 0)
            client_main(port, seconds_most, out);
    }
}

int main(int argc, char **argv)
{
    int seconds_most = argc > 1 ? (int)strtol(argv[1], NULL, 10) : SECONDS_USUAL;
    int count = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2;
    struct cleat_health *health = NULL;
    pid_t clients[CLIENTS_MAX];
    int pipe_fds[2];
    unsigned handshakes = 0, part = 0, failed = 0;
    if (seconds_most <= 0 || count <= 0 || count > CLIENTS_MAX) {
        (void)fprintf(stderr, "usage: handshake [SECONDS] [CLIENTS]\n");
        return 2;
    }
    int r = cleat_health_new(&health);
    if (r == 0)
        r = cleat_health_add(health, "ok", true, check_ok, NULL);
    cleat_assert(r == 0 && pipe(pipe_fds) == 0);
    struct cleat_server *server = server_make(health);
    clients_fork(clients, count, cleat_server_port(server), seconds_most, pipe_fds[1]);
    r = cleat_server_start(server, NULL);
    cleat_assert(r == 0);
    double start = seconds(), start_cpu = cpu_seconds();
    for (int i = 0, status = 0; i < count; i++) {
        (void)waitpid(clients[i], &status, 0); /* it's ours */
        failed += status != 0;
        if (read(pipe_fds[0], &part, sizeof(part)) == sizeof(part))
            handshakes += part;
    }
    double taken = seconds() - start, cpu = cpu_seconds() - start_cpu;
    cleat_server_stop(server);
    (void)cleat_server_join(server, 5000); /* the process ends anyway */
    (void)printf("{\"clients\":%d,\"failed\":%u,\"handshakes\":%u,\"handshakes_per_s\":%.0f,"
                 "\"server_cpu_us_per_handshake\":%.0f}\n",
                 count, failed, handshakes, handshakes / taken, cpu / handshakes * 1e6);
    return failed > 0;
}
