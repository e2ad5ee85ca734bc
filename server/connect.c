/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <poll.h>
#include <string.h>
#include <cleat/kubeconfig.h>
#include "base/mem.h"
#include "server/connect.h"

#define CONNECT_NAMESPACE "cleat-system"
#define CONNECT_PAUSE_MS 500

/* Counts each request; the label of a request without an answer is upstream's. */
static void connect_observe(void *arg, const char *method, const char *host, int code,
                            int64_t duration_ns)
{
    char text[16];
    struct cleat_metric *requests = arg;
    snprintf(text, sizeof(text), "%d", code);
    const char *const labels[] = {code > 0 ? text : "<error>", method, host};
    cleat_series_add(cleat_metric_series(requests, labels), 1);
}

static int connect_client(const struct cleat_serve_options *options, struct cleat_metrics *metrics,
                          struct cleat_log *log, struct cleat_connection *connection,
                          struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    struct cleat_metric *requests = NULL;
    struct cleat_kubeconfig_options config_options = {.path = options->kubeconfig,
                                                      .context = options->context};
    struct cleat_metric_options requests_options = {
        .type = CLEAT_METRIC_COUNTER,
        .name = "rest_client_requests_total",
        .help = "Requests to the API server by status, method and host",
        .labels = {"code", "method", "host"}};
    int r = cleat_kubeconfig_load(&config_options, &config, err);
    if (r == 0)
        r = cleat_metrics_family(metrics, &requests_options, &requests, err);
    if (r < 0)
        return r;
    const char *namespace_ = options->leader_elect_namespace;
    connection->in_cluster = config->context && config->context[0] == '\0';
    if (!namespace_)
        namespace_ = connection->in_cluster ? config->namespace_ : CONNECT_NAMESPACE;
    connection->own_namespace = cleat_mem_strdup(namespace_);
    if (!connection->own_namespace)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    struct cleat_client_options client_options = {.config = config,
                                                  .log = log,
                                                  .observe = requests ? connect_observe : NULL,
                                                  .observe_arg = requests};
    return cleat_client_new(&client_options, &connection->client, err);
}

static int connect_whoami(struct cleat_connection *connection, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *review = NULL;
    struct cleat_scratch scratch;
    int r = cleat_client_whoami(connection->client, &review, err);
    if (r < 0)
        return r;
    struct cleat_str name =
        cleat_value_text(cleat_object_find(review, "status.userInfo.username"), &scratch);
    if (name.length == 0)
        return cleat_err_set(err, -EPROTO, "%s doesn't say who we are",
                             cleat_client_server(connection->client));
    connection->username = cleat_mem_strndup(name.data, name.length);
    return connection->username ? 0 : cleat_err_set(err, -ENOMEM, "out of memory");
}

/* True for what another try may mend. */
static bool connect_again(const struct cleat_err *err)
{
    if (err->code == -EKEYREJECTED || err->code == -ENOMEM || err->code == -EINVAL ||
        err->code == -EPROTO)
        return false;
    return err->http_status == 0 || err->http_status == 429 || err->http_status >= 500;
}

static int connect_wait(const struct cleat_serve_options *options, struct cleat_log *log,
                        struct cleat_connection *connection, struct cleat_err *err)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t deadline_ms = cleat_clock_mono_ms(clock) + options->start_timeout_ms;
    for (bool first = true;; first = false) {
        struct cleat_err local = CLEAT_ERR_INIT;
        int r = connect_whoami(connection, &local);
        if (r == 0)
            return 0;
        if (!connect_again(&local) || cleat_clock_mono_ms(clock) + CONNECT_PAUSE_MS > deadline_ms) {
            *err = local;
            return r;
        }
        if (first)
            cleat_warn(log, "API server can't be reached, trying again", cleat_log_err(&local));
        (void)poll(NULL, 0, CONNECT_PAUSE_MS); /* nothing else runs yet */
    }
}

int cleat_connect(const struct cleat_serve_options *options, struct cleat_metrics *metrics,
                  struct cleat_log *log, struct cleat_connection *ret, struct cleat_err *err)
{
    int r = connect_client(options, metrics, log, ret, err);
    if (r == 0)
        r = connect_wait(options, log, ret, err);
    if (r < 0)
        cleat_connection_fini(ret);
    return r;
}

void cleat_connection_fini(struct cleat_connection *connection)
{
    connection->client = cleat_client_unref(connection->client);
    connection->own_namespace = cleat_mem_free(connection->own_namespace);
    connection->username = cleat_mem_free(connection->username);
}
