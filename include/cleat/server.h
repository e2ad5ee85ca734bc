/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP(S) servers of the process: webhooks over TLS with the certificate chosen per handshake,
 * health and metrics. On libmicrohttpd; TLS by GnuTLS.
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
    const char *name; /* "webhook", "metrics", "health" */
    const char *bind; /* ":9443", "127.0.0.1:0", "[::1]:8443" */
    const struct cleat_clock *clock;
    struct cleat_log *log;
    bool tls;
    /* One of these, or several on different paths. */
    struct cleat_webhooks *webhooks;
    struct cleat_metrics *metrics; /* GET /metrics */
    struct cleat_health *healthz;  /* GET /healthz, /livez */
    struct cleat_health *readyz;   /* GET /readyz */
    size_t body_bytes_max;         /* 0: 16 MiB */
    size_t bytes_in_flight_max;    /* 0: 64 MiB */
    unsigned connections_max;      /* 0: 1,000 */
    int64_t idle_ms;               /* 0: 90,000 */
};

/** Binds (a port in use is told here) but doesn't serve yet. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_server_new(const struct cleat_server_options *options,
                                                   struct cleat_server **ret,
                                                   struct cleat_err *err);
/** The certificate for handshakes from now on (a reference is taken); existing connections go on.
 * Any thread. */
CLEAT_EXPORT void cleat_server_set_bundle(struct cleat_server *server, struct cleat_bundle *bundle);
/** Starts to serve what was bound. 0 or a negative errno. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_server_start(struct cleat_server *server,
                                                     struct cleat_err *err);
/** Quiesces: no new connections, answers with Connection: close. Returns at once. */
CLEAT_EXPORT void cleat_server_stop(struct cleat_server *server);
/** Waits until nothing is in flight, at most @timeout_ms, then closes everything. 0 or -ETIMEDOUT.
 */
CLEAT_EXPORT int cleat_server_join(struct cleat_server *server, int64_t timeout_ms);
/** Releases it after join, or where it never started; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_server *cleat_server_free(struct cleat_server *server);
/** The port that it is bound to. */
CLEAT_EXPORT uint16_t cleat_server_port(const struct cleat_server *server);
/** As a runnable of a manager, in @group. */
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
