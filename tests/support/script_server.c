/* SPDX-License-Identifier: Apache-2.0 */
#include "support/script_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

#define SCRIPT_CONNECTIONS_MAX 512
#define SCRIPT_HEAD_BYTES_MAX 65536
#define SCRIPT_HOLD_MS 20000

/* What runs on connections' threads asserts by itself: a failed test may have left them behind. */
struct script_connection {
    struct script_server *server;
    pthread_t thread;
    int fd;
    unsigned number;
    SSL *ssl;
    char *in; /* bytes that were read beyond the last request */
    size_t in_length;
    size_t in_capacity;
};

struct script_exchange {
    struct script_connection *connection;
    bool close;
    bool reset;
};

struct script_server {
    struct script_server_options options;
    int listener;
    int port;
    char url[64];
    SSL_CTX *tls;
    pthread_t thread;
    atomic_bool stopping;
    atomic_uint requests;
    atomic_uint sent; /* orders the accesses of a test's function and of its client */
    pthread_mutex_t mutex;
    struct script_connection *connections[SCRIPT_CONNECTIONS_MAX];
    unsigned connection_count;
};

/* ---- bytes ---- */

static ssize_t connection_read(struct script_connection *connection, char *out, size_t size)
{
    if (connection->ssl)
        return SSL_read(connection->ssl, out, (int)size);
    return recv(connection->fd, out, size, 0);
}

static bool connection_write(struct script_connection *connection, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t wrote = connection->ssl ? SSL_write(connection->ssl, bytes, (int)length)
                                        : send(connection->fd, bytes, length, MSG_NOSIGNAL);
        if (wrote <= 0)
            return false;
        bytes += wrote;
        length -= (size_t)wrote;
    }
    return true;
}

/* Reads some more; false at the end. */
static bool connection_fill(struct script_connection *connection)
{
    if (connection->in_capacity - connection->in_length < 8192) {
        connection->in_capacity += 65536;
        connection->in = cleat_mem_realloc(connection->in, connection->in_capacity + 1);
        cleat_assert(connection->in);
    }
    ssize_t got = connection_read(connection, connection->in + connection->in_length, 8192);
    if (got <= 0)
        return false;
    connection->in_length += (size_t)got;
    connection->in[connection->in_length] = '\0';
    return true;
}

/* ---- answers ---- */

void script_send(struct script_exchange *exchange, const char *bytes, size_t length)
{
    (void)atomic_fetch_add(&exchange->connection->server->sent, 1);
    if (!connection_write(exchange->connection, bytes, length))
        exchange->close = true;
}

void script_send_text(struct script_exchange *exchange, const char *text)
{
    script_send(exchange, text, strlen(text));
}

static void exchange_head(struct script_exchange *exchange, int status, const char *framing,
                          const char *headers)
{
    char *head = cleat_mem_format("HTTP/1.1 %d Scripted\r\nContent-Type: application/json\r\n%s"
                                  "%s\r\n",
                                  status, framing, headers ? headers : "");
    cleat_assert(head);
    script_send_text(exchange, head);
    cleat_mem_free(head);
}

void script_reply(struct script_exchange *exchange, int status, const char *headers,
                  const char *body)
{
    char framing[64];
    (void)snprintf(framing, sizeof(framing), "Content-Length: %zu\r\n", strlen(body));
    exchange_head(exchange, status, framing, headers);
    script_send_text(exchange, body);
}

void script_reply_chunked(struct script_exchange *exchange, int status, const char *headers)
{
    exchange_head(exchange, status, "Transfer-Encoding: chunked\r\n", headers);
}

void script_chunk(struct script_exchange *exchange, const char *bytes, size_t length)
{
    char size[32];
    (void)snprintf(size, sizeof(size), "%zx\r\n", length);
    script_send_text(exchange, size);
    script_send(exchange, bytes, length);
    script_send_text(exchange, "\r\n");
}

void script_chunk_text(struct script_exchange *exchange, const char *text)
{
    script_chunk(exchange, text, strlen(text));
}

void script_chunk_end(struct script_exchange *exchange)
{
    script_send_text(exchange, "0\r\n\r\n");
}

void script_close(struct script_exchange *exchange, bool reset)
{
    exchange->close = true;
    exchange->reset = reset;
}

bool script_hold(struct script_exchange *exchange)
{
    exchange->close = true;
    struct script_connection *connection = exchange->connection;
    struct pollfd poller = {.fd = connection->fd, .events = POLLIN | POLLRDHUP};
    for (int waited = 0; waited < SCRIPT_HOLD_MS; waited += 20) {
        if (atomic_load(&connection->server->stopping))
            return false;
        if (poll(&poller, 1, 20) > 0) {
            char byte;
            ssize_t got = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
            if (got == 0 || (got < 0 && errno != EAGAIN) ||
                (poller.revents & (POLLHUP | POLLERR | POLLRDHUP)))
                return true;
        }
    }
    return false;
}

/* ---- requests ---- */

const char *script_header(const struct script_request *request, const char *name, char *out,
                          size_t size)
{
    size_t length = strlen(name);
    out[0] = '\0';
    for (const char *line = request->headers; *line; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1 + strspn(line + length + 1, " ");
            (void)snprintf(out, size, "%.*s", (int)strcspn(value, "\r"), value);
            return out;
        }
    }
    return out;
}

/* Reads the head; returns its length with the empty line, or 0. */
static size_t connection_head(struct script_connection *connection)
{
    for (;;) {
        const char *end = connection->in_length > 0 ? strstr(connection->in, "\r\n\r\n") : NULL;
        if (end)
            return (size_t)(end - connection->in) + 4;
        if (connection->in_length > SCRIPT_HEAD_BYTES_MAX || !connection_fill(connection))
            return 0;
    }
}

static bool connection_parse(struct script_connection *connection, size_t head,
                             struct script_request *request, char **ret_headers)
{
    char version[16];
    if (sscanf(connection->in, "%15s %4095s %15s", request->method, request->target, version) != 3)
        return false;
    const char *line_end = strstr(connection->in, "\r\n") + 2;
    *ret_headers = cleat_mem_strndup(line_end, head - 2 - (size_t)(line_end - connection->in));
    cleat_assert(*ret_headers);
    request->headers = *ret_headers;
    return true;
}

static bool connection_body(struct script_connection *connection, size_t head,
                            struct script_request *request, char **ret_body)
{
    char text[32];
    size_t length = strtoul(script_header(request, "content-length", text, sizeof(text)), NULL, 10);
    while (connection->in_length < head + length)
        if (!connection_fill(connection))
            return false;
    *ret_body = cleat_mem_strndup(connection->in + head, length);
    cleat_assert(*ret_body);
    request->body = *ret_body;
    request->body_length = length;
    connection->in_length -= head + length;
    memmove(connection->in, connection->in + head + length, connection->in_length);
    connection->in[connection->in_length] = '\0';
    return true;
}

/* One request and its answer; false where the connection is over. */
static bool connection_serve(struct script_connection *connection, bool *ret_reset)
{
    struct script_server *server = connection->server;
    struct script_exchange exchange = {.connection = connection};
    struct script_request request = {.connection = connection->number};
    char *headers = NULL;
    char *body = NULL;
    size_t head = connection_head(connection);
    bool good = head > 0 && connection_parse(connection, head, &request, &headers);
    if (good) {
        request.number = atomic_fetch_add(&server->requests, 1) + 1;
        good = request.number != server->options.drop_body_of &&
               connection_body(connection, head, &request, &body);
    }
    (void)atomic_fetch_add(&server->sent, 1);
    if (good)
        server->options.fn(server->options.arg, &exchange, &request);
    cleat_mem_free(headers);
    cleat_mem_free(body);
    *ret_reset = exchange.reset;
    return good && !exchange.close;
}

static bool connection_handshake(struct script_connection *connection)
{
    if (!connection->server->tls)
        return true;
    connection->ssl = SSL_new(connection->server->tls);
    cleat_assert(connection->ssl);
    cleat_assert(SSL_set_fd(connection->ssl, connection->fd) == 1);
    return SSL_accept(connection->ssl) == 1;
}

static void *connection_run(void *arg)
{
    struct script_connection *connection = arg;
    bool reset = false;
    const char *greeting = connection->server->options.greeting;
    if (greeting) {
        char byte;
        (void)recv(connection->fd, &byte, 1, 0);
        (void)connection_write(connection, greeting, strlen(greeting));
    } else if (connection_handshake(connection)) {
        while (!atomic_load(&connection->server->stopping) &&
               connection_serve(connection, &reset)) {}
    }
    if (connection->ssl && !reset)
        (void)SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    ERR_clear_error();
    pthread_mutex_lock(&connection->server->mutex);
    if (reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    (void)close(connection->fd);
    connection->fd = -1;
    pthread_mutex_unlock(&connection->server->mutex);
    return NULL;
}

/* ---- the server ---- */

static void server_accept(struct script_server *server, int fd)
{
    struct script_connection *connection = cleat_mem_zalloc(1, sizeof(*connection));
    cleat_assert(connection);
    connection->server = server;
    connection->fd = fd;
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    pthread_mutex_lock(&server->mutex);
    cleat_assert(server->connection_count < SCRIPT_CONNECTIONS_MAX);
    server->connections[server->connection_count++] = connection;
    connection->number = server->connection_count;
    int started = pthread_create(&connection->thread, NULL, connection_run, connection);
    pthread_mutex_unlock(&server->mutex);
    cleat_assert(started == 0);
}

static void *server_run(void *arg)
{
    struct script_server *server = arg;
    while (!atomic_load(&server->stopping)) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd >= 0)
            server_accept(server, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            break;
    }
    return NULL;
}

static void server_tls(struct script_server *server)
{
    const struct script_server_options *options = &server->options;
    server->tls = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(server->tls);
    BIO *cert_in = BIO_new_mem_buf(options->cert_pem, -1);
    BIO *key_in = BIO_new_mem_buf(options->key_pem, -1);
    X509 *cert = PEM_read_bio_X509(cert_in, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(key_in, NULL, NULL, NULL);
    ck_assert_int_eq(SSL_CTX_use_certificate(server->tls, cert), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(server->tls, key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(cert_in);
    BIO_free(key_in);
    if (options->client_ca_pem) {
        BIO *ca_in = BIO_new_mem_buf(options->client_ca_pem, -1);
        X509 *ca = PEM_read_bio_X509(ca_in, NULL, NULL, NULL);
        ck_assert_int_eq(X509_STORE_add_cert(SSL_CTX_get_cert_store(server->tls), ca), 1);
        X509_free(ca);
        BIO_free(ca_in);
        SSL_CTX_set_verify(server->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        ck_assert_int_eq(
            SSL_CTX_set_session_id_context(server->tls, (const unsigned char *)"script", 6), 1);
    }
}

struct script_server *script_server_new(const struct script_server_options *options)
{
    (void)signal(SIGPIPE, SIG_IGN);
    struct script_server *server = cleat_mem_zalloc(1, sizeof(*server));
    ck_assert_ptr_nonnull(server);
    server->options = *options;
    pthread_mutex_init(&server->mutex, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    const void *any = &address;
    void *bound = &address;
    ck_assert_int_eq(bind(server->listener, any, sizeof(address)), 0);
    ck_assert_int_eq(listen(server->listener, 128), 0);
    ck_assert_int_eq(getsockname(server->listener, bound, &size), 0);
    server->port = ntohs(address.sin_port);
    (void)snprintf(server->url, sizeof(server->url), "%s://127.0.0.1:%d",
                   options->cert_pem ? "https" : "http", server->port);
    if (options->cert_pem)
        server_tls(server);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, server_run, server), 0);
    return server;
}

struct script_server *script_server_free(struct script_server *server)
{
    if (!server)
        return NULL;
    atomic_store(&server->stopping, true);
    (void)shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    (void)close(server->listener);
    pthread_mutex_lock(&server->mutex);
    for (unsigned i = 0; i < server->connection_count; i++)
        if (server->connections[i]->fd >= 0)
            (void)shutdown(server->connections[i]->fd, SHUT_RDWR);
    pthread_mutex_unlock(&server->mutex);
    for (unsigned i = 0; i < server->connection_count; i++) {
        pthread_join(server->connections[i]->thread, NULL);
        cleat_mem_free(server->connections[i]->in);
        cleat_mem_free(server->connections[i]);
    }
    SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->mutex);
    cleat_mem_free(server);
    return NULL;
}

int script_server_port(const struct script_server *server)
{
    return server->port;
}

const char *script_server_url(const struct script_server *server)
{
    return server->url;
}

unsigned script_server_requests(struct script_server *server)
{
    (void)atomic_fetch_add(&server->sent, 1);
    return atomic_load(&server->requests);
}

unsigned script_server_connections(struct script_server *server)
{
    pthread_mutex_lock(&server->mutex);
    unsigned count = server->connection_count;
    pthread_mutex_unlock(&server->mutex);
    return count;
}
