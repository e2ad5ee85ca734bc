/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edge's own figures of one server. All series are made at its start, so that they are there at
 * 0 and counting takes no lock. Any thread.
 */
#ifndef CLEAT_SERVER_HTTP_STATS_H
#define CLEAT_SERVER_HTTP_STATS_H

#include <cleat/metrics.h>

#include "server/tls_clients.h"

#define CLEAT_HTTP_STATS_CODES 12

struct cleat_http_stats {
    struct cleat_series *connections;
    struct cleat_series *refused_address; /* too many of one address */
    struct cleat_series *refused_full;    /* too many in all */
    struct cleat_series *refused_memory;
    struct cleat_series *evicted;
    struct cleat_series *deadline_head, *deadline_body, *deadline_idle, *deadline_write;
    struct cleat_series *handshakes[CLEAT_TLS_REFUSAL_COUNT];       /* that failed, by reason */
    struct cleat_series *refused_codes[CLEAT_HTTP_STATS_CODES + 1]; /* the last: any other */
};

/** Makes the series of @server in @metrics; where that is NULL, counting does nothing. */
int cleat_http_stats_init(struct cleat_http_stats *stats, struct cleat_metrics *metrics,
                          const char *server, struct cleat_err *err) CLEAT_MUST_CHECK;
/** A request was refused with that status. */
void cleat_http_stats_refused(const struct cleat_http_stats *stats, int status);

#endif
