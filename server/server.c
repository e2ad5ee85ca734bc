/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/server.h>

#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "server/http.h"
#include "server/http_listen.h"
#include "server/tls.h"
#include "webhooks/registry.h"

#define SERVER_MAGIC 0x73657276u
#define SERVER_HEAD_MS 10000
#define SERVER_BODY_MS 10000
/* Longer than the API server's client keeps its idle connections, 90 s: it ends them first, and
 * no request meets a connection that is being closed. */
#define SERVER_IDLE_MS 120000
#define SERVER_WRITE_MS 30000

enum server_state { SERVER_BOUND, SERVER_SERVING, SERVER_STOPPING, SERVER_STOPPED };

struct cleat_server {
    unsigned magic;
    char *name;
    char *bind;
    struct cleat_server_options options;
    struct cleat_http_site site;
    struct cleat_tls_slot tls;
    struct cleat_tls_clients *clients; /* NULL: any */
    struct cleat_budget budget;        /* where the options ask for one of its own */
    int fd;                            /* until it serves */
    uint16_t port;
    struct cleat_lock lock; /* of the state */
    enum server_state state;
    struct cleat_http *http;
};

static void server_defaults(struct cleat_server_options *options)
{
    const struct cleat_webhooks *webhooks = options->webhooks;
    if (!options->clock)
        options->clock = cleat_clock_system();
    if (options->body_bytes_max == 0)
        options->body_bytes_max =
            webhooks ? webhooks->options.body_bytes_max : CLEAT_WEBHOOK_BODY_BYTES_MAX;
    if (options->connections_max == 0)
        options->connections_max = CLEAT_HTTP_CONNECTIONS_MAX;
    if (options->connections_per_address_max == 0)
        options->connections_per_address_max = CLEAT_HTTP_CONNECTIONS_PER_ADDRESS_MAX;
    if (options->head_ms <= 0)
        options->head_ms = SERVER_HEAD_MS;
    if (options->body_ms <= 0)
        options->body_ms = SERVER_BODY_MS;
    if (options->idle_ms <= 0)
        options->idle_ms = SERVER_IDLE_MS;
    if (options->write_ms <= 0)
        options->write_ms = SERVER_WRITE_MS;
}

static int server_fill(struct cleat_server *server, const struct cleat_server_options *options,
                       struct cleat_err *err)
{
    server->magic = SERVER_MAGIC;
    server->fd = -1;
    server->options = *options;
    server_defaults(&server->options);
    server->site = (struct cleat_http_site){.webhooks = options->webhooks,
                                            .metrics = options->metrics,
                                            .healthz = options->healthz,
                                            .readyz = options->readyz,
                                            .authorize = options->authorize,
                                            .authorize_arg = options->authorize_arg};
    cleat_tls_slot_init(&server->tls);
    cleat_lock_init(&server->lock, CLEAT_LOCK_SERVER);
    cleat_budget_init(&server->budget, options->bytes_in_flight_max, CLEAT_WEBHOOK_SMALL_BYTES);
    server->name = cleat_mem_strdup(options->name ? options->name : "http");
    server->bind = cleat_mem_strdup(options->bind);
    if (!server->name || !server->bind)
        return cleat_err_set(err, -ENOMEM, "no memory for a server");
    server->options.name = server->name;
    server->options.bind = server->bind;
    int r = 0;
    if (options->client_ca_file)
        r = cleat_tls_clients_new(options->client_ca_file, options->client_names, &server->clients,
                                  err);
    if (r == 0)
        r = cleat_http_listen(server->bind, &server->fd, &server->port, err);
    if (r < 0)
        cleat_err_prefix(err, "%s server", server->name);
    return r;
}

int cleat_server_new(const struct cleat_server_options *options, struct cleat_server **ret,
                     struct cleat_err *err)
{
    struct cleat_server *server = cleat_mem_zalloc(1, sizeof(*server));
    if (!server)
        return cleat_err_set(err, -ENOMEM, "no memory for a server");
    int r = server_fill(server, options, err);
    if (r == 0)
        *ret = server;
    else
        (void)cleat_server_free(server); /* always NULL */
    return r;
}

void cleat_server_set_bundle(struct cleat_server *server, struct cleat_bundle *bundle)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    if (cleat_tls_slot_set(&server->tls, bundle, &err) < 0)
        cleat_error(server->options.log, "certificate can't be served; the one before it stays",
                    cleat_log_text("server", server->name), cleat_log_err(&err));
}

int cleat_server_start(struct cleat_server *server, struct cleat_err *err)
{
    const struct cleat_server_options *options = &server->options;
    const struct cleat_http_options http = {
        .name = server->name,
        .clock = options->clock,
        .log = options->log,
        .site = &server->site,
        .stats = options->stats,
        .tls = options->tls ? &server->tls : NULL,
        .clients = server->clients,
        .budget = options->bytes_in_flight_max > 0 ? &server->budget : NULL,
        .body_bytes_max = options->body_bytes_max,
        .connections_max = options->connections_max,
        .connections_per_address_max = options->connections_per_address_max,
        .head_ms = options->head_ms,
        .body_ms = options->body_ms,
        .idle_ms = options->idle_ms,
        .write_ms = options->write_ms,
    };
    cleat_lock_take(&server->lock);
    int r = server->state == SERVER_BOUND
                ? cleat_http_start(&http, server->fd, &server->http, err)
                : cleat_err_set(err, -EALREADY, "%s server: started already", server->name);
    if (r == 0) {
        server->fd = -1;
        server->state = SERVER_SERVING;
    }
    cleat_lock_release(&server->lock);
    if (r == 0)
        cleat_info(options->log, "serving", cleat_log_text("server", server->name),
                   cleat_log_text("address", server->bind), cleat_log_int("port", server->port),
                   cleat_log_bool("tls", options->tls));
    return r;
}

void cleat_server_drain(struct cleat_server *server)
{
    cleat_lock_take(&server->lock);
    bool serving = server->state == SERVER_SERVING;
    cleat_lock_release(&server->lock);
    if (serving)
        cleat_http_drain(server->http);
}

void cleat_server_stop(struct cleat_server *server)
{
    cleat_lock_take(&server->lock);
    bool serving = server->state == SERVER_SERVING;
    if (serving)
        server->state = SERVER_STOPPING;
    cleat_lock_release(&server->lock);
    if (serving)
        cleat_http_quiesce(server->http);
}

int cleat_server_join(struct cleat_server *server, int64_t timeout_ms)
{
    cleat_lock_take(&server->lock);
    enum server_state state = server->state;
    cleat_lock_release(&server->lock);
    cleat_assert(state != SERVER_SERVING);
    if (state != SERVER_STOPPING)
        return 0;
    int r = cleat_http_join(server->http, timeout_ms);
    if (r < 0)
        return r;
    cleat_lock_take(&server->lock);
    server->state = SERVER_STOPPED;
    cleat_lock_release(&server->lock);
    return 0;
}

struct cleat_server *cleat_server_free(struct cleat_server *server)
{
    if (!server)
        return NULL;
    cleat_assert(server->state == SERVER_BOUND || server->state == SERVER_STOPPED);
    (void)cleat_http_free(server->http); /* always NULL */
    if (server->fd >= 0)
        (void)close(server->fd); /* nothing was written to it */
    cleat_tls_slot_fini(&server->tls);
    (void)cleat_tls_clients_free(server->clients); /* always NULL */
    cleat_lock_fini(&server->lock);
    cleat_mem_free(server->name);
    cleat_mem_free(server->bind);
    server->magic = 0;
    return cleat_mem_free(server);
}

uint16_t cleat_server_port(const struct cleat_server *server)
{
    return server->port;
}

static int runnable_start(void *arg, struct cleat_err *err)
{
    struct cleat_server *server = arg;
    cleat_assert(server->magic == SERVER_MAGIC);
    return cleat_server_start(server, err);
}

static void runnable_drain(void *arg)
{
    struct cleat_server *server = arg;
    cleat_assert(server->magic == SERVER_MAGIC);
    cleat_server_drain(server);
}

static void runnable_stop(void *arg)
{
    struct cleat_server *server = arg;
    cleat_assert(server->magic == SERVER_MAGIC);
    cleat_server_stop(server);
}

static int runnable_join(void *arg, int64_t timeout_ms)
{
    struct cleat_server *server = arg;
    cleat_assert(server->magic == SERVER_MAGIC);
    return cleat_server_join(server, timeout_ms);
}

struct cleat_runnable cleat_server_runnable(struct cleat_server *server, enum cleat_group group)
{
    return (struct cleat_runnable){.name = server->name,
                                   .group = group,
                                   .start = runnable_start,
                                   .drain = runnable_drain,
                                   .stop = runnable_stop,
                                   .join = runnable_join,
                                   .arg = server};
}
