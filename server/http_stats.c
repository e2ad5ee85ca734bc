/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_stats.h"

#include <errno.h>
#include <stdio.h>

static const int stats_codes[CLEAT_HTTP_STATS_CODES] = {400, 401, 403, 404, 405, 408,
                                                        411, 413, 415, 500, 503, 505};

/* One family with the labels "server" and, unless it is NULL, @label. */
static int stats_family(struct cleat_metrics *metrics, const char *name, const char *help,
                        const char *label, struct cleat_metric **ret, struct cleat_err *err)
{
    const struct cleat_metric_options options = {
        .type = CLEAT_METRIC_COUNTER, .name = name, .help = help, .labels = {"server", label}};
    return cleat_metrics_family(metrics, &options, ret, err);
}

/* What a server's figures are made from. */
struct stats_maker {
    struct cleat_metrics *metrics;
    const char *server;
    struct cleat_err *err;
};

static struct cleat_series *maker_series(const struct stats_maker *maker,
                                         struct cleat_metric *family, const char *value)
{
    const char *const values[] = {maker->server, value, NULL};
    return cleat_metric_series(family, values);
}

static int make_connections(struct cleat_http_stats *stats, const struct stats_maker *maker)
{
    const struct cleat_metric_options open = {.type = CLEAT_METRIC_GAUGE,
                                              .name = "cleat_http_connections",
                                              .help = "Open connections",
                                              .labels = {"server"}};
    struct cleat_metric *family = NULL;
    int r = cleat_metrics_family(maker->metrics, &open, &family, maker->err);
    if (r < 0)
        return r;
    stats->connections = maker_series(maker, family, NULL);
    r = stats_family(maker->metrics, "cleat_http_connections_refused_total",
                     "Connections that were closed as they came in", "reason", &family, maker->err);
    if (r < 0)
        return r;
    stats->refused_address = maker_series(maker, family, "address");
    stats->refused_full = maker_series(maker, family, "full");
    stats->refused_memory = maker_series(maker, family, "memory");
    r = stats_family(maker->metrics, "cleat_http_connections_evicted_total",
                     "Waiting connections that gave way to others", NULL, &family, maker->err);
    if (r == 0)
        stats->evicted = maker_series(maker, family, NULL);
    return r;
}

static int make_deadlines(struct cleat_http_stats *stats, const struct stats_maker *maker)
{
    struct cleat_metric *family = NULL;
    int r = stats_family(maker->metrics, "cleat_http_deadlines_total",
                         "Connections that were closed because a phase took too long", "phase",
                         &family, maker->err);
    if (r < 0)
        return r;
    stats->deadline_head = maker_series(maker, family, "head");
    stats->deadline_body = maker_series(maker, family, "body");
    stats->deadline_idle = maker_series(maker, family, "idle");
    stats->deadline_write = maker_series(maker, family, "write");
    return 0;
}

static int make_refusals(struct cleat_http_stats *stats, const struct stats_maker *maker)
{
    struct cleat_metric *family = NULL;
    char code[16];
    int r = stats_family(maker->metrics, "cleat_http_requests_refused_total",
                         "Requests that were refused before anybody answered them", "code", &family,
                         maker->err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < CLEAT_HTTP_STATS_CODES; i++) {
        (void)snprintf(code, sizeof(code), "%d", stats_codes[i]); /* three digits */
        stats->refused_codes[i] = maker_series(maker, family, code);
    }
    stats->refused_codes[CLEAT_HTTP_STATS_CODES] = maker_series(maker, family, "other");
    r = stats_family(maker->metrics, "cleat_http_tls_handshake_failures_total",
                     "Connections that ended before their TLS handshake did", "reason", &family,
                     maker->err);
    for (size_t i = 0; r == 0 && i < CLEAT_TLS_REFUSAL_COUNT; i++)
        stats->handshakes[i] =
            maker_series(maker, family, cleat_tls_refusal_text((enum cleat_tls_refusal)i));
    return r;
}

int cleat_http_stats_init(struct cleat_http_stats *stats, struct cleat_metrics *metrics,
                          const char *server, struct cleat_err *err)
{
    const struct stats_maker maker = {metrics, server, err};
    *stats = (struct cleat_http_stats){0};
    int r = make_connections(stats, &maker);
    if (r == 0)
        r = make_deadlines(stats, &maker);
    return r == 0 ? make_refusals(stats, &maker) : r;
}

void cleat_http_stats_refused(const struct cleat_http_stats *stats, int status)
{
    size_t i = 0;
    while (i < CLEAT_HTTP_STATS_CODES && stats_codes[i] != status)
        i++;
    cleat_series_add(stats->refused_codes[i], 1);
}
