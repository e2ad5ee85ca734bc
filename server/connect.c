/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/kubeconfig.h>
#include "base/mem.h"
#include "server/connect.h"

#define CONNECT_NAMESPACE "cleat-system"
#define CONNECT_PAUSE_MS 500
/* Of one try: the end of the process may have to wait for it. */
#define CONNECT_TRY_MS 10000
#define CONNECT_DIAL_MS 5000
/* Of one question about somebody who waits for an answer. */
#define CONNECT_REVIEW_MS 3000
/* Questions a second, and at once: whoever makes up tokens must not load the API server. */
#define CONNECT_REVIEW_QPS 20
#define CONNECT_REVIEW_BURST 40

static int connect_clients(struct cleat_connection *connection,
                           const struct cleat_kubeconfig *config, struct cleat_metrics *metrics,
                           struct cleat_err *err)
{
    struct cleat_client_options options = {
        .config = config, .log = connection->log, .metrics = metrics, .metrics_detailed = true};
    int r = cleat_client_new(&options, &connection->client, err);
    if (r == 0) {
        options.user_agent = "cleat/" CLEAT_VERSION " leader-election";
        r = cleat_client_new(&options, &connection->elector, err);
        options.user_agent = NULL;
    }
    options.timeout_ms = CONNECT_TRY_MS;
    options.connect_timeout_ms = CONNECT_DIAL_MS;
    if (r == 0)
        r = cleat_client_new(&options, &connection->first, err);
    options.timeout_ms = CONNECT_REVIEW_MS;
    options.connect_timeout_ms = CONNECT_REVIEW_MS;
    options.qps = CONNECT_REVIEW_QPS;
    options.burst = CONNECT_REVIEW_BURST;
    return r == 0 ? cleat_client_new(&options, &connection->reviewer, err) : r;
}

static int connect_config(struct cleat_connection *connection,
                          const struct cleat_serve_options *options, struct cleat_metrics *metrics,
                          struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    struct cleat_kubeconfig_options config_options = {.path = options->kubeconfig,
                                                      .context = options->context};
    int r = cleat_kubeconfig_load(&config_options, &config, err);
    if (r < 0)
        return r;
    const char *namespace_ = options->leader_elect_namespace;
    connection->in_cluster = config->context && config->context[0] == '\0';
    if (!namespace_)
        namespace_ = connection->in_cluster ? config->namespace_ : CONNECT_NAMESPACE;
    connection->own_namespace = cleat_mem_strdup(namespace_);
    if (!connection->own_namespace)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    return connect_clients(connection, config, metrics, err);
}

static int connection_ask(struct cleat_connection *connection, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *review = NULL;
    CLEAT_CLEANUP(cleat_mem_freep) char *username = NULL;
    struct cleat_scratch scratch;
    int r = cleat_client_whoami(connection->first, &review, err);
    if (r < 0)
        return r;
    struct cleat_str name =
        cleat_value_text(cleat_object_find(review, "status.userInfo.username"), &scratch);
    if (name.length == 0)
        return cleat_err_set(err, -EPROTO, "%s doesn't say who we are",
                             cleat_client_server(connection->client));
    username = cleat_mem_strndup(name.data, name.length);
    if (!username)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    cleat_info(connection->log, "API server reached",
               cleat_log_text("api_server", cleat_client_server(connection->client)),
               cleat_log_text("username", username));
    return connection->reached ? connection->reached(connection->reached_arg, username, err) : 0;
}

/* True for what another try may mend. */
static bool connect_again(const struct cleat_err *err)
{
    if (err->code == -EKEYREJECTED || err->code == -ENOMEM || err->code == -EINVAL ||
        err->code == -EPROTO)
        return false;
    return err->http_status == 0 || err->http_status == 429 || err->http_status >= 500;
}

static void connection_settle(struct cleat_connection *connection, const struct cleat_err *failure)
{
    cleat_lock_take(&connection->lock);
    connection->settled = true;
    connection->failure = *failure;
    cleat_cond_broadcast(&connection->cond);
    cleat_lock_release(&connection->lock);
    cleat_ticker_stop(&connection->ticker); /* the thread has done what it was for */
}

static int64_t connection_tick(void *arg)
{
    struct cleat_connection *connection = arg;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = connection_ask(connection, &err);
    int64_t now_ms = cleat_clock_mono_ms(cleat_clock_system());
    if (r < 0 && connect_again(&err)) {
        if (now_ms + CONNECT_PAUSE_MS <= connection->deadline_mono_ms) {
            if (!connection->warned)
                cleat_warn(connection->log, "API server can't be reached, trying again",
                           cleat_log_err(&err));
            connection->warned = true;
            return CONNECT_PAUSE_MS;
        }
        cleat_err_prefix(&err, "--start-timeout: not reached in %lld ms",
                         (long long)connection->start_timeout_ms);
    }
    connection_settle(connection, &err);
    return 0;
}

static int connection_start(void *arg, struct cleat_err *err)
{
    struct cleat_connection *connection = arg;
    connection->deadline_mono_ms =
        cleat_clock_mono_ms(cleat_clock_system()) + connection->start_timeout_ms;
    return cleat_ticker_start(&connection->ticker, "connect", err);
}

static int connection_wait_ready(void *arg, int64_t timeout_ms, struct cleat_err *err)
{
    struct cleat_connection *connection = arg;
    cleat_lock_take(&connection->lock);
    if (!connection->settled && timeout_ms > 0)
        (void)cleat_cond_wait_ms(&connection->cond, &connection->lock, timeout_ms); /* see below */
    int r = connection->settled ? connection->failure.code : -ETIMEDOUT;
    if (connection->settled && r < 0) {
        *err = connection->failure;
        /* -ETIMEDOUT would be waited for again. */
        r = err->code = r == -ETIMEDOUT ? -EHOSTUNREACH : r;
    }
    cleat_lock_release(&connection->lock);
    return r;
}

static void connection_stop(void *arg)
{
    struct cleat_connection *connection = arg;
    cleat_client_abort(connection->first, true);
    cleat_ticker_stop(&connection->ticker);
}

static int connection_join(void *arg, int64_t timeout_ms)
{
    struct cleat_connection *connection = arg;
    return cleat_ticker_join(&connection->ticker, timeout_ms);
}

struct cleat_runnable cleat_connection_runnable(struct cleat_connection *connection)
{
    return (struct cleat_runnable){.name = "connection",
                                   .group = CLEAT_GROUP_HTTP,
                                   .start = connection_start,
                                   .wait_ready = connection_wait_ready,
                                   .stop = connection_stop,
                                   .join = connection_join,
                                   .arg = connection};
}

int cleat_connection_init(struct cleat_connection *ret, const struct cleat_serve_options *options,
                          struct cleat_metrics *metrics, struct cleat_log *log,
                          cleat_connection_reached_fn reached, void *arg, struct cleat_err *err)
{
    *ret = (struct cleat_connection){.log = log,
                                     .start_timeout_ms = options->start_timeout_ms,
                                     .reached = reached,
                                     .reached_arg = arg};
    cleat_ticker_init(&ret->ticker, connection_tick, ret);
    cleat_lock_init(&ret->lock, CLEAT_LOCK_SERVER);
    cleat_cond_init(&ret->cond);
    return connect_config(ret, options, metrics, err);
}

void cleat_connection_fini(struct cleat_connection *connection)
{
    connection->first = cleat_client_unref(connection->first);
    connection->reviewer = cleat_client_unref(connection->reviewer);
    connection->elector = cleat_client_unref(connection->elector);
    connection->client = cleat_client_unref(connection->client);
    connection->own_namespace = cleat_mem_free(connection->own_namespace);
    if (connection->ticker.fn) {
        cleat_ticker_fini(&connection->ticker);
        cleat_cond_fini(&connection->cond);
        cleat_lock_fini(&connection->lock);
        connection->ticker.fn = NULL;
    }
}
