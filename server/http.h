/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP edge: libmicrohttpd between a listening socket and a site. It hands the head to
 * http_head, the body to http_site, and what they say back to the client; http_table says who may
 * come in and for how long.
 */
#ifndef CLEAT_SERVER_HTTP_H
#define CLEAT_SERVER_HTTP_H

#include <stdint.h>

#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/log.h>

#include "server/http_site.h"
#include "server/tls.h"

struct cleat_http;

struct cleat_http_options {
    const char *name; /* of its threads; borrowed, as is all below */
    const struct cleat_clock *clock;
    struct cleat_log *log; /* NULL: none */
    const struct cleat_http_site *site;
    struct cleat_metrics *stats;       /* where its own figures go; NULL: nowhere */
    struct cleat_tls_slot *tls;        /* NULL: plain */
    struct cleat_tls_clients *clients; /* NULL: any */
    struct cleat_budget *budget;       /* of bodies; NULL: that of the site's webhooks */
    size_t body_bytes_max;
    unsigned connections_max;
    unsigned connections_per_address_max;
    int64_t head_ms, body_ms, idle_ms, write_ms;
};

/** Serves on @fd, which is stolen on success. @ret is new. */
int cleat_http_start(const struct cleat_http_options *options, int fd, struct cleat_http **ret,
                     struct cleat_err *err) CLEAT_MUST_CHECK;
/** Every answer from now on closes its connection; new ones are still taken. Returns at once. */
void cleat_http_drain(struct cleat_http *http);
/**
 * No new connections; every answer from now on closes its connection, and idle ones are closed half
 * a second after draining began, unless something is on its way. Returns within 20 ms; once.
 */
void cleat_http_quiesce(struct cleat_http *http);
/**
 * Waits, after quiescing, until no connection is left. After @timeout_ms (< 0: never) those that
 * wait for their client are cut, but a handler that still runs is -ETIMEDOUT: then it may be
 * called again.
 */
int cleat_http_join(struct cleat_http *http, int64_t timeout_ms);
/** After join; NULL is fine; returns NULL. */
struct cleat_http *cleat_http_free(struct cleat_http *http);

#endif
