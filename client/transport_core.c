/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the clients of one server share, its making and its end.
 */
#include "client/transport_curl.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/thread.h"

#define TRANSPORT_MAGIC 0x7a4e5901u
#define TRANSPORT_TIMEOUT_MS 30000
#define TRANSPORT_CONNECT_TIMEOUT_MS 10000
#define TRANSPORT_RETRIES_MAX 10

static pthread_once_t core_once = PTHREAD_ONCE_INIT;
static CURLcode core_global;

static _Thread_local bool core_forbidden;

static void core_init_global(void)
{
    core_global = curl_global_init(CURL_GLOBAL_ALL);
}

void cleat_transport_forbid_blocking(void)
{
    core_forbidden = true;
}

int cleat_transport_may_block(const char *what, struct cleat_err *err)
{
    return core_forbidden
               ? cleat_err_set(err, -EDEADLK,
                               "%s: refused on a thread that drives watches or events", what)
               : 0;
}

/* A value that could start another header line is refused. */
static bool core_value_is_fine(const char *value)
{
    for (; *value; value++)
        if ((unsigned char)*value < 0x20 || *value == 0x7f)
            return false;
    return true;
}

static int core_add_as(char **lines, size_t *count, const char *name, const char *value,
                       struct cleat_err *err)
{
    if (!value)
        return 0;
    if (!core_value_is_fine(value))
        return cleat_err_set(err, -EINVAL, "%s: control characters in \"%.100s\"", name, value);
    lines[*count] = cleat_mem_format("%s: %s", name, value);
    return lines[*count] ? ((*count)++, 0) : -ENOMEM;
}

static int core_impersonation(struct cleat_transport *transport,
                              const struct cleat_kubeconfig *config, struct cleat_err *err)
{
    size_t groups = 0;
    while (config->as_groups && config->as_groups[groups])
        groups++;
    if (!config->as_user) {
        return groups > 0 || config->as_uid
                   ? cleat_err_set(err, -EINVAL, "impersonating a uid or groups needs a user")
                   : 0;
    }
    transport->as_headers = cleat_mem_zalloc(groups + 3, sizeof(*transport->as_headers));
    if (!transport->as_headers)
        return -ENOMEM;
    size_t count = 0;
    char **lines = transport->as_headers;
    int result = core_add_as(lines, &count, "Impersonate-User", config->as_user, err);
    if (result == 0)
        result = core_add_as(lines, &count, "Impersonate-Uid", config->as_uid, err);
    for (size_t i = 0; result == 0 && i < groups; i++)
        result = core_add_as(lines, &count, "Impersonate-Group", config->as_groups[i], err);
    return result;
}

static int core_user_agent(struct cleat_transport *transport, const char *agent,
                           struct cleat_err *err)
{
    if (agent && !core_value_is_fine(agent))
        return cleat_err_set(err, -EINVAL, "user agent: control characters");
    transport->user_agent = agent ? cleat_mem_format("User-Agent: %s", agent)
                                  : cleat_mem_format("User-Agent: cleat/%s", CLEAT_VERSION);
    return transport->user_agent ? 0 : -ENOMEM;
}

static int core_credentials(struct cleat_transport *transport,
                            const struct cleat_client_options *options, struct cleat_err *err)
{
    const struct cleat_credentials_options credentials = {
        .config = options->config,
        .clock = transport->clock,
        .log = transport->log,
        .allow_exec = options->allow_exec,
    };
    return cleat_credentials_new(&credentials, &transport->credentials, err);
}

static void core_limits(struct cleat_transport *transport,
                        const struct cleat_client_options *options)
{
    transport->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TRANSPORT_TIMEOUT_MS;
    transport->connect_timeout_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms
                                                                    : TRANSPORT_CONNECT_TIMEOUT_MS;
    transport->retries_max =
        options->retries_max > 0 ? options->retries_max : TRANSPORT_RETRIES_MAX;
    if (options->qps > 0) {
        double burst = options->burst > 0 ? options->burst : 2 * options->qps;
        transport->limiter.per_ms = options->qps / 1000;
        transport->limiter.burst = burst < 1 ? 1 : burst;
        transport->limiter.at_mono_ms = cleat_clock_mono_ms(transport->clock);
    }
}

static void core_options(struct cleat_transport *transport,
                         const struct cleat_client_options *options)
{
    transport->log = options->log;
    transport->insecure = options->config->insecure;
    transport->http1_only = options->http1_only;
    transport->gzip = !options->config->disable_compression;
    transport->observe = options->observe;
    transport->observe_arg = options->observe_arg;
    transport->warning = options->warning;
    transport->warning_arg = options->warning_arg;
    core_limits(transport, options);
}

int cleat_transport_new(const struct cleat_client_options *options, struct cleat_transport **ret,
                        struct cleat_err *err)
{
    cleat_assert(options->config);
    (void)pthread_once(&core_once, core_init_global);
    if (core_global != CURLE_OK)
        return cleat_err_set(err, -EIO, "libcurl can't start: %s", curl_easy_strerror(core_global));
    struct cleat_transport *transport = cleat_mem_zalloc(1, sizeof(*transport));
    if (!transport)
        return -ENOMEM;
    transport->magic = TRANSPORT_MAGIC;
    transport->clock = options->clock ? options->clock : cleat_clock_system();
    atomic_init(&transport->refs, 1);
    cleat_lock_init(&transport->lock, CLEAT_LOCK_TRANSPORT);
    cleat_cond_init(&transport->never);
    core_options(transport, options);
    int result = cleat__transport_endpoint_init(&transport->endpoint, options->config, err);
    if (result == 0)
        result = cleat__client_metrics_init(&transport->metrics, options->metrics,
                                            options->metrics_detailed, err);
    if (result == 0)
        result = core_user_agent(transport, options->user_agent, err);
    if (result == 0)
        result = core_impersonation(transport, options->config, err);
    if (result == 0)
        result = core_credentials(transport, options, err);
    if (result < 0) {
        cleat_transport_unref(transport);
        return result;
    }
    if (transport->insecure)
        cleat_warn(transport->log, "the API server's certificate isn't verified, as configured",
                   cleat_log_text("server", transport->endpoint.host));
    *ret = transport;
    return 0;
}

struct cleat_transport *cleat_transport_ref(struct cleat_transport *transport)
{
    cleat_assert(transport->magic == TRANSPORT_MAGIC);
    /* Relaxed: whoever hands the reference on orders it. */
    (void)atomic_fetch_add_explicit(&transport->refs, 1, memory_order_relaxed);
    return transport;
}

static void core_free(struct cleat_transport *transport)
{
    cleat__transport_pool_drain(transport);
    transport->credentials = cleat_credentials_free(transport->credentials);
    for (char **line = transport->as_headers; line && *line; line++)
        cleat_mem_free(*line);
    cleat_mem_free(transport->as_headers);
    cleat_mem_free(transport->user_agent);
    cleat__transport_endpoint_fini(&transport->endpoint);
    cleat_cond_fini(&transport->never);
    cleat_lock_fini(&transport->lock);
    transport->magic = 0;
    cleat_mem_free(transport);
}

struct cleat_transport *cleat_transport_unref(struct cleat_transport *transport)
{
    if (!transport)
        return NULL;
    cleat_assert(transport->magic == TRANSPORT_MAGIC);
    /* Acquire-release: the last one sees what all others did. */
    if (atomic_fetch_sub_explicit(&transport->refs, 1, memory_order_acq_rel) == 1)
        core_free(transport);
    return NULL;
}

const char *cleat_transport_server(const struct cleat_transport *transport)
{
    return transport->endpoint.display;
}

void cleat_transport_set_wait(struct cleat_transport *transport,
                              void (*wait)(void *arg, int64_t wait_ms), void *arg)
{
    transport->wait = wait;
    transport->wait_arg = arg;
}
