/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 server on loopback whose answers a test writes itself, byte for byte if it
 * wants: plain sockets or TLS, one thread per connection. The test's function is called for each
 * request on the connection's thread.
 */
#ifndef CLEAT_TESTS_SCRIPT_SERVER_H
#define CLEAT_TESTS_SCRIPT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct script_server;
struct script_exchange;

struct script_request {
    unsigned number;     /* from 1, over all connections */
    unsigned connection; /* from 1 */
    char method[16];
    char target[4096];
    const char *headers; /* all lines with their ends */
    const char *body;    /* NUL-terminated */
    size_t body_length;
};

typedef void (*script_fn)(void *arg, struct script_exchange *exchange,
                          const struct script_request *request);

struct script_server_options {
    script_fn fn;
    void *arg;
    const char *cert_pem; /* TLS, with @key_pem; NULL: plain */
    const char *key_pem;
    const char *client_ca_pem; /* clients must show a certificate by this CA; NULL: not asked */
    /* The connection is closed once a request's head is here, before its body: those numbered so.
     */
    unsigned drop_body_of;
    const char *greeting; /* sent at once to each connection, which then ends; NULL */
};

/** Listens on a free port of 127.0.0.1; failures end the test. */
struct script_server *script_server_new(const struct script_server_options *options);
/** Ends all connections and threads; returns NULL. */
struct script_server *script_server_free(struct script_server *server);
int script_server_port(const struct script_server *server);
/** "http://127.0.0.1:port" or with https; borrowed. */
const char *script_server_url(const struct script_server *server);
/** Requests and connections so far. What the function wrote before it sent something is visible
 * then. */
unsigned script_server_requests(struct script_server *server);
unsigned script_server_connections(struct script_server *server);

/** A whole answer: status line, Content-Length, @headers (lines with ends; NULL), body. */
void script_reply(struct script_exchange *exchange, int status, const char *headers,
                  const char *body);
/** The head of a chunked answer, then chunks, then the end. */
void script_reply_chunked(struct script_exchange *exchange, int status, const char *headers);
void script_chunk(struct script_exchange *exchange, const char *bytes, size_t length);
void script_chunk_text(struct script_exchange *exchange, const char *text);
void script_chunk_end(struct script_exchange *exchange);
/** Bytes as they are. */
void script_send(struct script_exchange *exchange, const char *bytes, size_t length);
void script_send_text(struct script_exchange *exchange, const char *text);
/** Closes after the function returned; @reset: with a TCP reset. */
void script_close(struct script_exchange *exchange, bool reset);
/** Waits until the client closes, the server ends, or 20 s passed; then closes. True: the client
 * did. */
bool script_hold(struct script_exchange *exchange);
/** Copies a request header's value to @out ("" where absent); returns @out. */
const char *script_header(const struct script_request *request, const char *name, char *out,
                          size_t size);

#endif
