/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP(S) servers of the process: webhooks over TLS with the certificate chosen per handshake,
 * health and metrics. On libmicrohttpd, TLS by GnuTLS: 1.2 and 1.3, AEAD and forward secrecy alone,
 * no tickets.
 *
 *   socket ─► head judged ─► body within its caps ─► webhooks, metrics, health ─► answer
 *
 * Each connection has a thread of its own with a stack of 256 KiB, on which handlers run: one that
 * waits holds up nobody but its own client. A request that isn't as documented is refused before
 * its body is read, in this order: ambiguous framing, doubled or absent Host 400; Transfer-Encoding
 * 411; unknown path 404 (compared raw, nothing is decoded); other method 405; other type than
 * application/json 415; no Content-Length 411; too large 413; too many bytes in flight 503. Every
 * answer but a 200 closes its connection, after up to 64 KiB or 100 ms of what the client still
 * sends were read away. Nothing but the API server should speak to the webhook port: a proxy that
 * shares connections between clients must not stand in front of it.
 */
#ifndef CLEAT_SERVER_H
#define CLEAT_SERVER_H

#include <cleat/bundle.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/health.h>
#include <cleat/log.h>
#include <cleat/manager.h>
#include <cleat/metrics.h>
#include <cleat/webhook.h>

CLEAT_BEGIN

struct cleat_server;

struct cleat_server_options {
    const char *name; /* "webhook", "metrics", "health": in texts, logs, thread names; copied */
    const char *bind; /* ":9443" (all addresses), "127.0.0.1:0", "[::1]:8443"; copied */
    const struct cleat_clock *clock; /* borrowed, as all pointers below; NULL: the system's */
    struct cleat_log *log;           /* NULL: none */
    bool tls;
    /* One of these, or several on different paths. */
    struct cleat_webhooks *webhooks;
    struct cleat_metrics *metrics; /* GET /metrics */
    /* Judges each request for /metrics by its Authorization header (empty where there is none): 0
       lets it through, else the HTTP status of the refusal, which has no body. @verb is "get". On
       the connection's thread; may block. NULL: anybody may read. */
    int (*authorize)(void *arg, struct cleat_str authorization, const char *verb, const char *path);
    void *authorize_arg;
    struct cleat_health *healthz; /* GET /healthz, /livez, and /healthz/<check> */
    struct cleat_health *readyz;  /* GET /readyz, /readyz/<check> */
    size_t body_bytes_max;        /* 0: that of the webhooks (16 MiB) */
    size_t bytes_in_flight_max; /* of bodies on this server alone, beside the webhooks' own limit of
                                   bodies and what they become; 0: the webhooks' alone */
    /* Open connections; 0: 1,000. Beyond it the one that has waited longest for its client gives
       way, of the address that holds most; while none has waited, the new one is closed. */
    unsigned connections_max;
    /* Of one address; 0: 250. Beyond it the address' own longest waiting one gives way. */
    unsigned connections_per_address_max;
    /* How long what the client does may take, in milliseconds. No trickle of bytes moves these, and
       none of them counts while a handler runs. 0 is the default. */
    int64_t head_ms;  /* handshake and first head from the accept; each further head from its line;
                         10,000 */
    int64_t body_ms;  /* each body, and a second more for each MiB of it; 10,000 */
    int64_t idle_ms;  /* between an answer and the next request's line; 120,000 */
    int64_t write_ms; /* reading an answer; 30,000 */
    /* Where the edge's own figures go: cleat_http_*; may be the same as metrics. NULL: nowhere. */
    struct cleat_metrics *stats;
    /* With TLS: CA certificates (PEM) that must vouch for a client, read again as the file changes,
       and the names of which it must have one, as common name or DNS name, NULL-terminated; both
       are copied. NULL: any client, any name. */
    const char *client_ca_file;
    const char *const *client_names;
};

/**
 * Makes a server that listens but doesn't serve yet: clients wait. Ownership: @ret is new. Returns
 * 0; -EINVAL for an address that isn't HOST:PORT, -EADDRINUSE, -EACCES and what else the system
 * says, with one line in @err that names the server and the address; -ENOMEM. Any thread; a host
 * name is looked up and may block.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_server_new(const struct cleat_server_options *options,
                                                   struct cleat_server **ret,
                                                   struct cleat_err *err);
/**
 * Gives handshakes the certificate of @bundle from now on. Connections go on as they are; an
 * earlier certificate is forgotten with the last handshake on it. Without any, handshakes fail. One
 * that GnuTLS can't read is logged, and the earlier stays. Ownership: @bundle is borrowed for the
 * call. Any thread, any time before free; doesn't block.
 */
CLEAT_EXPORT void cleat_server_set_bundle(struct cleat_server *server, struct cleat_bundle *bundle);
/** Starts to serve, once. 0, -EALREADY, -ENOMEM, -EIO where libmicrohttpd can't. Any thread. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_server_start(struct cleat_server *server,
                                                     struct cleat_err *err);
/**
 * Sends clients away: every answer from now on closes its connection, while new ones are still
 * taken, so that none is lost with a request on its way. Returns at once; repeatable; nothing
 * happens where it doesn't serve. Any thread.
 */
CLEAT_EXPORT void cleat_server_drain(struct cleat_server *server);
/**
 * Quiesces: takes no new connections, and every answer from now on closes its own. Requests in
 * flight go on, and so do new ones on open connections until join. Returns at once; repeatable;
 * nothing happens where it doesn't serve. Any thread.
 */
CLEAT_EXPORT void cleat_server_stop(struct cleat_server *server);
/**
 * After stop: waits until nothing is in flight, then closes everything; 0 at once where it never
 * started. After @timeout_ms (< 0: none) clients that still send are cut off, but a handler that
 * still runs is -ETIMEDOUT: then the server goes on as it is, and join may be called again. Blocks;
 * one thread at a time, not a handler's.
 */
CLEAT_EXPORT int cleat_server_join(struct cleat_server *server, int64_t timeout_ms);
/** Releases it after join, or where it never started; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_server *cleat_server_free(struct cleat_server *server);
/** The port that it listens on; the system's choice where port 0 was asked for. Any thread. */
CLEAT_EXPORT uint16_t cleat_server_port(const struct cleat_server *server);
/** As a runnable of a manager, in @group: start, stop and join as above. @server is borrowed for
 * the manager's life; the name too. */
CLEAT_EXPORT struct cleat_runnable cleat_server_runnable(struct cleat_server *server,
                                                         enum cleat_group group);

/**
 * A server alone, over TLS with tls.crt and tls.key from @cert_folder (read again as they change),
 * until SIGTERM or SIGINT. For a program's main: blocks. 0 after an orderly stop; negative with one
 * line in @err.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_server_run(const struct cleat_server_options *options,
                                                   const char *cert_folder, struct cleat_err *err);

CLEAT_END

#endif
