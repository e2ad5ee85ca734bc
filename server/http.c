/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread per connection, with a small stack. A handler that waits holds up nobody but its own
 * client, an answer can be lingered over until the client has read it, and libmicrohttpd's suspend
 * and resume, which lose connections in 0.9.75, aren't needed.
 *
 * The other way, two threads that poll many connections each, was measured on two cores shared with
 * the load generator and other work (reviews of 8 KB over TLS, requests a second, 99th percentile,
 * CPU each): 32 connections 9,000, 22 ms, 39 us against 23,400, 2.2 ms, 47 us with threads; 400
 * connections 6,200, 660 ms, 68 us against 10,000, 75 to 200 ms, 65 to 83 us. What threads cost in
 * switches they win back in being scheduled; at 400 they take some 15 MB more.
 *
 * Besides them there are libmicrohttpd's listener, which alone admits, opens and ends connections,
 * and a ticker that sweeps the table. libmicrohttpd's own limit is above ours: one that was cut
 * counts there until it's put away.
 */
#include "server/http_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "server/tls_callback.h"

#define HTTP_MEMORY_BYTES (40 * CLEAT_KIB) /* half of it reads: a whole TLS record and more */
#define HTTP_STACK_BYTES (256 * CLEAT_KIB)
#define HTTP_PATIENCE_MS 100
#define HTTP_GRACE_MS 500
#define HTTP_QUIESCE_MS 20
#define HTTP_CLIENTS_PAUSE_MS 10000
#define HTTP_REPORT_MS 60000

/* Where libmicrohttpd itself closes what comes in. */
static unsigned http_places(const struct cleat_http_options *options)
{
    return 2 * options->connections_max + 64;
}

static struct MHD_Daemon *http_daemon(struct cleat_http *http, int fd)
{
    const struct cleat_http_options *options = &http->options;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ITC;
    struct MHD_OptionItem more[] = {
#if MHD_VERSION >= 0x00097701
        {MHD_OPTION_CLIENT_DISCIPLINE_LVL, 2, NULL}, /* of its own rules, the strictest */
#endif
        {options->tls ? MHD_OPTION_HTTPS_PRIORITIES : MHD_OPTION_END, 0,
         (void *)CLEAT_TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    if (options->tls)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(
        flags, 0, cleat__http_on_accept, http, cleat__http_on_request, http,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, cleat__http_on_uri, http,
        MHD_OPTION_UNESCAPE_CALLBACK, cleat__http_unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        cleat__http_on_completed, http, MHD_OPTION_NOTIFY_CONNECTION, cleat__http_on_connection,
        http, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_MEMORY_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        http_places(options), MHD_OPTION_CONNECTION_TIMEOUT, 0, MHD_OPTION_THREAD_STACK_SIZE,
        HTTP_STACK_BYTES, MHD_OPTION_HTTPS_CERT_CALLBACK2, cleat_tls_retrieve, MHD_OPTION_ARRAY,
        more, MHD_OPTION_END);
}

/* Its threads inherit a mask that leaves every signal to others. */
static struct MHD_Daemon *http_daemon_quiet(struct cleat_http *http, int fd)
{
    sigset_t all, before;
    (void)sigfillset(&all); /* can't fail */
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    cleat_assert(rc == 0);
    struct MHD_Daemon *daemon = http_daemon(http, fd);
    rc = pthread_sigmask(SIG_SETMASK, &before, NULL);
    cleat_assert(rc == 0);
    return daemon;
}

/* ---- sweeping ---- */

/* Somebody has to know that clients are turned away. */
static void http_tell_crowded(struct cleat_http *http)
{
    cleat_lock_take(&http->table.lock);
    uint64_t evicted = http->table.evicted, refused = http->table.refused;
    cleat_lock_release(&http->table.lock);
    if (evicted == http->told_evicted && refused == http->told_refused)
        return;
    cleat_report(&http->crowded, http->options.log, CLEAT_LOG_WARN,
                 "connections are at their limit: waiting ones give way or new ones are refused",
                 cleat_log_text("server", http->options.name),
                 cleat_log_int("gave_way", (int64_t)(evicted - http->told_evicted)),
                 cleat_log_int("refused", (int64_t)(refused - http->told_refused)));
    http->told_evicted = evicted;
    http->told_refused = refused;
}

static void http_refresh_clients(struct cleat_http *http)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int64_t now_ms = cleat_clock_mono_ms(http->options.clock);
    if (!http->options.clients || now_ms - http->clients_read_mono_ms < HTTP_CLIENTS_PAUSE_MS)
        return;
    http->clients_read_mono_ms = now_ms;
    int r = cleat_tls_clients_refresh(http->options.clients, &err);
    if (r > 0)
        cleat_info(http->options.log, "CAs of clients were read anew",
                   cleat_log_text("server", http->options.name));
    else if (r < 0)
        cleat_error(http->options.log, "CAs of clients can't be read; the ones before stay",
                    cleat_log_text("server", http->options.name), cleat_log_err(&err));
}

static int64_t http_tick(void *arg)
{
    struct cleat_http *http = arg;
    cleat_assert(http->magic == CLEAT_HTTP_MAGIC);
    int64_t pause_ms = cleat_http_table_sweep(&http->table);
    http_tell_crowded(http);
    http_refresh_clients(http);
    if (http->options.clients && pause_ms > HTTP_CLIENTS_PAUSE_MS)
        return HTTP_CLIENTS_PAUSE_MS;
    return pause_ms;
}

/* ---- life ---- */

static void http_make(struct cleat_http *http, const struct cleat_http_options *options)
{
    const struct cleat_http_table_options table = {
        .clock = options->clock,
        .stats = &http->stats,
        .connections_max = options->connections_max,
        .connections_per_address_max = options->connections_per_address_max,
        .head_ms = options->head_ms,
        .idle_ms = options->idle_ms,
        .write_ms = options->write_ms,
        .patience_ms = HTTP_PATIENCE_MS,
        .grace_ms = HTTP_GRACE_MS,
    };
    http->magic = CLEAT_HTTP_MAGIC;
    http->options = *options;
    http->clients_read_mono_ms = cleat_clock_mono_ms(options->clock);
    cleat_http_table_init(&http->table, &table);
    cleat_ticker_init(&http->ticker, http_tick, http);
    cleat_reporter_init(&http->crowded, options->clock, HTTP_REPORT_MS);
    cleat_reporter_init(&http->unknown_client, options->clock, HTTP_REPORT_MS);
}

static int http_run(struct cleat_http *http, int fd, struct cleat_err *err)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "edge/%s", http->options.name); /* may be cut */
    int r = cleat_http_stats_init(&http->stats, http->options.stats, http->options.name, err);
    if (r == 0)
        r = cleat_ticker_start(&http->ticker, name, err);
    if (r < 0)
        return r;
    http->sweeping = true;
    cleat_http_table_listen(&http->table, fd);
    http->daemon = http_daemon_quiet(http, fd);
    if (http->daemon)
        return 0;
    cleat_http_table_listen(&http->table, -1);
    return cleat_err_set(err, -EIO, "the %s server can't be started", http->options.name);
}

int cleat_http_start(const struct cleat_http_options *options, int fd, struct cleat_http **ret,
                     struct cleat_err *err)
{
    struct cleat_http *http = cleat_mem_zalloc(1, sizeof(*http));
    if (!http)
        return cleat_err_set(err, -ENOMEM, "no memory for the %s server", options->name);
    http_make(http, options);
    int r = http_run(http, fd, err);
    if (r == 0)
        *ret = http;
    else
        (void)cleat_http_free(http); /* always NULL */
    return r;
}

void cleat_http_drain(struct cleat_http *http)
{
    atomic_store_explicit(&http->draining, true, memory_order_relaxed);
    cleat_http_table_drain(&http->table);
}

void cleat_http_quiesce(struct cleat_http *http)
{
    cleat_http_drain(http);
    /* Whoever has a connection already isn't to find it reset. */
    for (int i = 0; i < HTTP_QUIESCE_MS && cleat_http_table_awaited(&http->table); i++)
        (void)poll(NULL, 0, 1); /* the listener's thread accepts them */
    cleat_http_table_listen(&http->table, -1);
    int fd = MHD_quiesce_daemon(http->daemon);
    cleat_http_table_close(&http->table);
    cleat_ticker_kick(&http->ticker);
    if (fd < 0)
        return;
    /* Closing alone would leave it listening while libmicrohttpd's thread still polls it. */
    (void)shutdown(fd, SHUT_RDWR);
    (void)close(fd); /* nothing was written to it */
}

static void http_end_sweeping(struct cleat_http *http)
{
    if (!http->sweeping)
        return;
    cleat_ticker_stop(&http->ticker);
    (void)cleat_ticker_join(&http->ticker, -1); /* without a limit it can't fail */
    http->sweeping = false;
}

int cleat_http_join(struct cleat_http *http, int64_t timeout_ms)
{
    cleat_assert(atomic_load_explicit(&http->draining, memory_order_relaxed));
    if (!cleat_http_table_wait(&http->table, timeout_ms) &&
        cleat_http_table_cut_all(&http->table) > 0)
        return -ETIMEDOUT;
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
    http_end_sweeping(http);
    return 0;
}

struct cleat_http *cleat_http_free(struct cleat_http *http)
{
    if (!http)
        return NULL;
    cleat_assert(!http->daemon);
    http_end_sweeping(http);
    cleat_ticker_fini(&http->ticker);
    cleat_http_table_fini(&http->table);
    http->magic = 0;
    return cleat_mem_free(http);
}
