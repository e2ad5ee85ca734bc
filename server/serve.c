/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <cleat/certs.h>
#include <cleat/manager.h>
#include <cleat/server.h>
#include <cleat/webhook.h>
#include "base/mem.h"
#include "kinds/mirror/mirror.h"
#include "server/connect.h"
#include "server/serve.h"
#include "server/serve_metrics.h"
#include "server/serve_certs.h"
#include "server/settle.h"

#define SERVE_DRAIN_MS 3000
#define SERVE_SYNC_MS 120000

enum serve_server { SERVE_WEBHOOK, SERVE_METRICS, SERVE_HEALTH, SERVE_SERVER_COUNT };

struct serve {
    const struct cleat_serve_options *options;
    struct cleat_log *log;
    struct cleat_metrics *metrics;
    struct cleat_serve_metrics own_metrics;
    struct cleat_connection connection;
    struct cleat_webhooks *webhooks;
    struct cleat_manager *manager;
    struct cleat_server *servers[SERVE_SERVER_COUNT];
    struct cleat_serve_certs certs;
    struct cleat_mirror *mirror;
};

/* A new certificate: every listener takes it for its next handshake. */
static void serve_on_bundle(void *arg, struct cleat_bundle *bundle)
{
    struct serve *serve = arg;
    cleat_server_set_bundle(serve->servers[SERVE_WEBHOOK], bundle);
    if (serve->servers[SERVE_METRICS] && serve->options->metrics_secure)
        cleat_server_set_bundle(serve->servers[SERVE_METRICS], bundle);
}

/* The wait for the caches would tell nobody what it waits for. */
static void serve_look_for_crd(struct serve *serve)
{
    static const struct cleat_gvk gvk = {"cleat.dev", "v1alpha1", "Mirror"};
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_resource resource;
    int r = cleat_discovery_kind(cleat_manager_discovery(serve->manager), &gvk, &resource, &err);
    if (r > 0)
        cleat_warn(serve->log, "a CRD isn't there, waiting for it: apply `cleat manifests --crds`",
                   cleat_log_text("crd", "mirrors.cleat.dev"));
}

/* The API server has answered: it knows us under this name. */
static int serve_on_reached(void *arg, const char *username, struct cleat_err *err)
{
    struct serve *serve = arg;
    serve_look_for_crd(serve);
    return cleat_mirror_set_username(serve->mirror, username, err);
}

/* Ready: a certificate is served that the published caBundle verifies. */
static int serve_check_webhook(void *arg, struct cleat_err *err)
{
    struct serve *serve = arg;
    return cleat_serve_certs_check(&serve->certs, err);
}

static int64_t serve_drain_ms(const struct serve *serve)
{
    int64_t half_ms = serve->options->stop_timeout_ms / 2;
    if (serve->options->drain_delay_ms != CLEAT_FLAG_NOT_GIVEN)
        return serve->options->drain_delay_ms;
    if (!serve->connection.in_cluster)
        return 0;
    return SERVE_DRAIN_MS < half_ms ? SERVE_DRAIN_MS : half_ms;
}

static const char *const serve_lock_labels[] = {"app.kubernetes.io/name", "cleat", NULL};

static int serve_make_manager(struct serve *serve, struct cleat_err *err)
{
    const struct cleat_serve_options *options = serve->options;
    struct cleat_webhooks_options webhooks = {
        .log = serve->log,
        .metrics = serve->metrics,
        .body_bytes_max = (size_t)options->webhook_max_body_bytes,
        .bytes_in_flight_max = (size_t)options->webhook_max_bytes_in_flight};
    struct cleat_manager_options manager = {
        .client = serve->connection.client,
        .log = serve->log,
        .metrics = serve->metrics,
        .elect = options->leader_elect,
        .stand_again = strcmp(options->leader_elect_on_loss, "stand") == 0,
        .grace_ms = options->stop_timeout_ms,
        .drain_ms = serve_drain_ms(serve),
        .sync_timeout_ms = SERVE_SYNC_MS + options->start_timeout_ms,
        .election = {.client = serve->connection.elector,
                     .kind = strcmp(options->leader_elect_resource_lock, "configmaps") == 0
                                 ? CLEAT_ELECTION_CONFIG_MAPS
                                 : CLEAT_ELECTION_LEASES,
                     .labels = serve_lock_labels,
                     .namespace_ = serve->connection.own_namespace,
                     .name = options->leader_elect_id,
                     .lease_duration_ms = options->leader_elect_lease_duration_ms,
                     .renew_deadline_ms = options->leader_elect_renew_deadline_ms,
                     .retry_period_ms = options->leader_elect_retry_period_ms}};
    int r = cleat_webhooks_new(&webhooks, &serve->webhooks, err);
    return r == 0 ? cleat_manager_new(&manager, &serve->manager, err) : r;
}

static bool serve_address_off(const char *address)
{
    return address[0] == '\0' || strcmp(address, "0") == 0;
}

static int serve_make_servers(struct serve *serve, struct cleat_err *err)
{
    const struct cleat_serve_options *options = serve->options;
    struct cleat_server_options servers[SERVE_SERVER_COUNT] = {
        [SERVE_WEBHOOK] = {.name = "webhook",
                           .bind = options->webhook_bind_address,
                           .log = serve->log,
                           .tls = true,
                           .webhooks = serve->webhooks,
                           .body_bytes_max = (size_t)options->webhook_max_body_bytes,
                           .bytes_in_flight_max = (size_t)options->webhook_max_bytes_in_flight,
                           .connections_max = (unsigned)options->webhook_max_connections,
                           .connections_per_address_max =
                               (unsigned)options->webhook_max_connections_per_address,
                           .stats = serve->metrics,
                           .client_ca_file = options->webhook_client_ca,
                           .client_names = (const char *const *)options->webhook_client_names},
        [SERVE_METRICS] = {.name = "metrics",
                           .bind = options->metrics_bind_address,
                           .log = serve->log,
                           .tls = options->metrics_secure,
                           .metrics = serve->metrics,
                           .stats = serve->metrics},
        [SERVE_HEALTH] = {.name = "health",
                          .bind = options->health_probe_bind_address,
                          .log = serve->log,
                          .healthz = cleat_manager_healthz(serve->manager),
                          .readyz = cleat_manager_readyz(serve->manager),
                          .stats = serve->metrics},
    };
    static const char *const flags[] = {"webhook-bind-address", "metrics-bind-address",
                                        "health-probe-bind-address"};
    int r = 0;
    cleat_serve_metrics_guard(&serve->own_metrics, &servers[SERVE_METRICS]);
    for (size_t i = 0; r == 0 && i < SERVE_SERVER_COUNT; i++) {
        if (i != SERVE_WEBHOOK && serve_address_off(servers[i].bind))
            continue;
        r = cleat_server_new(&servers[i], &serve->servers[i], err);
        if (r < 0)
            cleat_err_prefix(err, "--%s", flags[i]);
    }
    return r;
}

static int serve_make_certs(struct serve *serve, struct cleat_err *err)
{
    const struct cleat_serve_certs_options certs = {.serve = serve->options,
                                                    .client = serve->connection.client,
                                                    .cache = cleat_manager_cache(serve->manager),
                                                    .log = serve->log,
                                                    .metrics = serve->metrics,
                                                    .own_namespace =
                                                        serve->connection.own_namespace,
                                                    .on_bundle = serve_on_bundle,
                                                    .arg = serve};
    return cleat_serve_certs_init(&serve->certs, &certs, err);
}

static int serve_make_mirror(struct serve *serve, struct cleat_err *err)
{
    struct cleat_mirror_options mirror = {.manager = serve->manager,
                                          .webhooks = serve->webhooks,
                                          .own_namespace = serve->connection.own_namespace,
                                          .webhook_url = serve->options->webhook_url};
    return cleat_mirror_new(&mirror, &serve->mirror, err);
}

/* Everything that runs, into the manager's groups; the health server is up before the API server
 * is waited for. */
static int serve_add_runnables(struct serve *serve, struct cleat_err *err)
{
    struct cleat_runnable runnables[SERVE_SERVER_COUNT + 4];
    size_t count = 0;
    int r = 0;
    for (size_t i = 0; i < SERVE_SERVER_COUNT; i++)
        if (serve->servers[i])
            runnables[count++] = cleat_server_runnable(
                serve->servers[i], i == SERVE_WEBHOOK ? CLEAT_GROUP_WEBHOOKS : CLEAT_GROUP_HTTP);
    runnables[count++] = cleat_connection_runnable(&serve->connection);
    runnables[count++] = cleat_serve_certs_runnable(&serve->certs);
    if (serve->own_metrics.authorizer)
        runnables[count++] = cleat_authorizer_runnable(serve->own_metrics.authorizer);
    runnables[count++] = cleat_settle_runnable();
    for (size_t i = 0; r == 0 && i < count; i++)
        r = cleat_manager_add(serve->manager, &runnables[i], err);
    if (r == 0)
        r = cleat_health_add(cleat_manager_readyz(serve->manager), "webhook", true,
                             serve_check_webhook, serve);
    return r;
}

static int serve_make(struct serve *serve, struct cleat_err *err)
{
    int r = cleat_metrics_new(&serve->metrics);
    if (r == 0)
        r = cleat_connection_init(&serve->connection, serve->options, serve->metrics, serve->log,
                                  serve_on_reached, serve, err);
    if (r == 0)
        r = cleat_serve_metrics_init(&serve->own_metrics, serve->options, serve->metrics,
                                     serve->connection.reviewer, serve->log, err);
    if (r == 0)
        r = serve_make_manager(serve, err);
    if (r == 0)
        r = cleat_manager_signals(serve->manager, err);
    if (r == 0)
        r = serve_make_servers(serve, err);
    if (r == 0)
        r = serve_make_certs(serve, err);
    if (r == 0)
        r = serve_make_mirror(serve, err);
    return r == 0 ? serve_add_runnables(serve, err) : r;
}

static void serve_fini(struct serve *serve)
{
    cleat_mirror_free(serve->mirror);
    cleat_serve_certs_fini(&serve->certs);
    cleat_manager_free(serve->manager);
    for (size_t i = 0; i < SERVE_SERVER_COUNT; i++)
        cleat_server_free(serve->servers[i]);
    cleat_serve_metrics_fini(&serve->own_metrics);
    cleat_webhooks_free(serve->webhooks);
    cleat_connection_fini(&serve->connection);
    cleat_metrics_free(serve->metrics);
}

int cleat_serve(const struct cleat_serve_options *options, struct cleat_log *log,
                struct cleat_err *err)
{
    struct serve serve = {.options = options, .log = log};
    int r = serve_make(&serve, err);
    if (r == 0) {
        cleat_info(log, "starting", cleat_log_text("version", CLEAT_VERSION),
                   cleat_log_text("api_server", cleat_client_server(serve.connection.client)),
                   cleat_log_int("webhook_port", cleat_server_port(serve.servers[SERVE_WEBHOOK])));
        r = cleat_manager_run(serve.manager, err);
    }
    /* What overstayed the grace time still uses its memory: nothing may be freed under it. */
    if (r != -ETIMEDOUT)
        serve_fini(&serve);
    return r;
}
