/* SPDX-License-Identifier: Apache-2.0 */
#include "server/serve_metrics.h"

/* A token would be told to whoever listens on a plain connection. */
static bool metrics_guarded(const struct cleat_serve_options *options)
{
    return options->metrics_secure && options->metrics_auth;
}

int cleat_serve_metrics_init(struct cleat_serve_metrics *metrics,
                             const struct cleat_serve_options *options,
                             struct cleat_metrics *registry, struct cleat_client *client,
                             struct cleat_log *log, struct cleat_err *err)
{
    const struct cleat_authorizer_options authorizer = {
        .client = client, .log = log, .metrics = registry};
    *metrics = (struct cleat_serve_metrics){0};
    int r = cleat_process_metrics_init(&metrics->process, registry, err);
    if (!metrics_guarded(options))
        cleat_info(log, "whoever reaches the metrics may read them");
    else if (r == 0)
        r = cleat_authorizer_new(&authorizer, &metrics->authorizer, err);
    return r;
}

void cleat_serve_metrics_fini(struct cleat_serve_metrics *metrics)
{
    cleat_process_metrics_fini(&metrics->process);
    metrics->authorizer = cleat_authorizer_free(metrics->authorizer);
}

void cleat_serve_metrics_guard(const struct cleat_serve_metrics *metrics,
                               struct cleat_server_options *server)
{
    if (!metrics->authorizer)
        return;
    server->authorize = cleat_authorizer_judge;
    server->authorize_arg = metrics->authorizer;
}
