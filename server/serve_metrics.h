/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `cleat serve` tells of itself, and to whom: figures of the process, and who may read them.
 */
#ifndef CLEAT_SERVER_SERVE_METRICS_H
#define CLEAT_SERVER_SERVE_METRICS_H

#include <cleat/server.h>
#include "server/authorizer.h"
#include "server/options.h"
#include "server/process_metrics.h"

struct cleat_serve_metrics {
    struct cleat_process_metrics process;
    struct cleat_authorizer *authorizer; /* NULL: anybody may read */
};

/** @client is for reviews alone. Whatever it returns, fini may follow. 0 or negative. */
int cleat_serve_metrics_init(struct cleat_serve_metrics *metrics,
                             const struct cleat_serve_options *options,
                             struct cleat_metrics *registry, struct cleat_client *client,
                             struct cleat_log *log, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Once nothing is served; repeatable, also of a zeroed one. */
void cleat_serve_metrics_fini(struct cleat_serve_metrics *metrics);
/** Has the server of /metrics that @server describes ask who may read. */
void cleat_serve_metrics_guard(const struct cleat_serve_metrics *metrics,
                               struct cleat_server_options *server);

#endif
