/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that sends whatever bytes it is told to, plain or over TLS, and reads one answer at a
 * time. Nothing waits longer than some seconds.
 */
#ifndef CLEAT_TESTS_HTTP_CLIENT_H
#define CLEAT_TESTS_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <check.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef HTTP_CLIENT_BYTES /* of an answer; who expects more defines it first */
#define HTTP_CLIENT_BYTES 65536
#endif
#define HTTP_CLIENT_LIMIT_S 10

struct http_client {
    int fd;
    gnutls_session_t session; /* NULL: plain */
    gnutls_certificate_credentials_t credentials;
    size_t length; /* of what was read and not used yet */
    char bytes[HTTP_CLIENT_BYTES];
};

struct http_reply {
    int status; /* 0: the connection ended without one */
    char head[4096];
    char body[HTTP_CLIENT_BYTES];
};

/* A connection from @from, of the host's byte order; false where there is none. */
static inline bool http_client_connect(struct http_client *client, in_addr_t from, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(from)}};
    struct timeval limit = {.tv_sec = HTTP_CLIENT_LIMIT_S};
    const int on = 1; /* what is sent in pieces isn't to wait for acknowledgements */
    memset(client, 0, sizeof(*client));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(client->fd, 0);
    ck_assert_int_eq(setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    ck_assert_int_eq(setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
    ck_assert_int_eq(setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    if (from != INADDR_LOOPBACK)
        ck_assert_int_eq(bind(client->fd, (struct sockaddr *)&own, sizeof(own)), 0);
    return connect(client->fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* The handshake, with a certificate where @cert isn't NULL. */
static inline bool http_client_shake_as(struct http_client *client, const char *priorities,
                                        const char *cert, const char *key)
{
    ck_assert_int_eq(gnutls_init(&client->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL), 0);
    ck_assert_int_eq(gnutls_certificate_allocate_credentials(&client->credentials), 0);
    if (cert) {
        const gnutls_datum_t certs = {(unsigned char *)cert, (unsigned)strlen(cert)};
        const gnutls_datum_t keys = {(unsigned char *)key, (unsigned)strlen(key)};
        ck_assert_int_eq(gnutls_certificate_set_x509_key_mem(client->credentials, &certs, &keys,
                                                             GNUTLS_X509_FMT_PEM),
                         0);
    }
    ck_assert_int_eq(gnutls_priority_set_direct(client->session, priorities, NULL), 0);
    gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials);
    gnutls_transport_set_int(client->session, client->fd);
    gnutls_handshake_set_timeout(client->session, HTTP_CLIENT_LIMIT_S * 1000);
    int r;
    do
        r = gnutls_handshake(client->session);
    while (r < 0 && !gnutls_error_is_fatal(r));
    return r == 0;
}

static inline bool http_client_shake(struct http_client *client, const char *cert, const char *key)
{
    return http_client_shake_as(client, "NORMAL", cert, key);
}

/* True where the connection, and the handshake, came about. */
static inline bool http_client_open_from(struct http_client *client, in_addr_t from, uint16_t port,
                                         bool tls)
{
    return http_client_connect(client, from, port) &&
           (!tls || http_client_shake(client, NULL, NULL));
}

static inline bool http_client_open(struct http_client *client, uint16_t port, bool tls)
{
    return http_client_open_from(client, INADDR_LOOPBACK, port, tls);
}

/* Over TLS, with a certificate of its own. */
static inline bool http_client_open_as(struct http_client *client, uint16_t port, const char *cert,
                                       const char *key)
{
    return http_client_connect(client, INADDR_LOOPBACK, port) &&
           http_client_shake(client, cert, key);
}

static inline void http_client_close(struct http_client *client)
{
    if (client->session)
        gnutls_deinit(client->session);
    if (client->credentials)
        gnutls_certificate_free_credentials(client->credentials);
    if (client->fd >= 0)
        close(client->fd);
    client->session = NULL;
    client->credentials = NULL;
    client->fd = -1;
}

/* The common name of the server's certificate. */
static inline void http_client_name(struct http_client *client, char *name, size_t size)
{
    unsigned count = 0;
    gnutls_x509_crt_t cert;
    const gnutls_datum_t *certs = gnutls_certificate_get_peers(client->session, &count);
    ck_assert_uint_ge(count, 1);
    ck_assert_int_eq(gnutls_x509_crt_init(&cert), 0);
    ck_assert_int_eq(gnutls_x509_crt_import(cert, &certs[0], GNUTLS_X509_FMT_DER), 0);
    ck_assert_int_eq(
        gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size), 0);
    gnutls_x509_crt_deinit(cert);
}

/* False where the server took no more. */
static inline bool http_client_send(struct http_client *client, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = client->session ? gnutls_record_send(client->session, bytes, length)
                                       : send(client->fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static inline bool http_client_text(struct http_client *client, const char *text)
{
    return http_client_send(client, text, strlen(text));
}

/* Reads more; false at the end of the connection, or after some seconds. */
static inline bool http_client_fill(struct http_client *client)
{
    size_t room = sizeof(client->bytes) - 1 - client->length;
    char *into = client->bytes + client->length;
    ck_assert_uint_gt(room, 0);
    ssize_t got = client->session ? gnutls_record_recv(client->session, into, room)
                                  : recv(client->fd, into, room, 0);
    if (got <= 0)
        return false;
    client->length += (size_t)got;
    client->bytes[client->length] = '\0';
    return true;
}

/* The value of a header in a reply's head, or NULL; cut off at the line's end in a static of the
 * thread. */
static inline const char *http_reply_header(const struct http_reply *reply, const char *name)
{
    static _Thread_local char value[256];
    char key[64];
    snprintf(key, sizeof(key), "\r\n%s: ", name);
    const char *at = strcasestr(reply->head, key);
    if (!at)
        return NULL;
    at += strlen(key);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

/* Reads one reply; @bodiless after HEAD. */
static inline void http_client_read(struct http_client *client, struct http_reply *reply,
                                    bool bodiless)
{
    char *end = NULL;
    memset(reply, 0, sizeof(*reply));
    while ((end = strstr(client->bytes, "\r\n\r\n")) == NULL)
        if (!http_client_fill(client))
            return;
    size_t head = (size_t)(end - client->bytes) + 4;
    ck_assert_uint_lt(head, sizeof(reply->head));
    memcpy(reply->head, client->bytes, head);
    const char *length_text = http_reply_header(reply, "Content-Length");
    size_t length = length_text && !bodiless ? strtoul(length_text, NULL, 10) : 0;
    ck_assert_uint_lt(length, sizeof(reply->body));
    while (client->length < head + length)
        if (!http_client_fill(client))
            return;
    memcpy(reply->body, client->bytes + head, length);
    client->length -= head + length;
    memmove(client->bytes, client->bytes + head + length, client->length + 1);
    ck_assert_int_eq(strncmp(reply->head, "HTTP/1.1 ", 9), 0);
    reply->status = (int)strtol(reply->head + 9, NULL, 10);
}

/* True where the server ended the connection, in order, with nothing more to read. */
static inline bool http_client_ended(struct http_client *client)
{
    char byte;
    if (client->length > 0)
        return false;
    return client->session ? gnutls_record_recv(client->session, &byte, 1) == 0
                           : recv(client->fd, &byte, 1, 0) == 0;
}

/* True where GET /readyz on that port, without TLS, is answered with 200. */
static inline bool http_client_ready(int port)
{
    struct http_client client;
    struct http_reply reply = {0};
    if (http_client_open(&client, (uint16_t)port, false) &&
        http_client_text(&client, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        http_client_read(&client, &reply, false);
    http_client_close(&client);
    return reply.status == 200;
}

#endif
