/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <cleat/name.h>
#include "server/manifests.h"
#include "server/options.h"

#define OPTIONS_LIFETIME_S_MAX ((int64_t)100 * 365 * 86400)

#define OPTIONS_CONNECTIONS_MAX 100000 /* each is a thread */

#define FLAG(name, type, field) \
    (name), CLEAT_FLAG_##type, offsetof(struct cleat_serve_options, field)

static const char *const options_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const options_formats[] = {"json", "text", NULL};
static const char *const options_locks[] = {"leases", "configmaps", NULL};
static const char *const options_losses[] = {"exit", "stand", NULL};

const struct cleat_flag cleat_serve_flags[] = {
    {FLAG("kubeconfig", TEXT, kubeconfig), NULL, NULL, "FILE",
     "kubeconfig; without it KUBECONFIG, the cluster that it runs in, ~/.kube/config", false},
    {FLAG("context", TEXT, context), NULL, NULL, "NAME", "context of the kubeconfig", false},
    {FLAG("config", TEXT, config), NULL, NULL, "FILE", "config file (CleatConfig); flags win",
     true},
    {FLAG("webhook-bind-address", TEXT, webhook_bind_address), ":9443", NULL, "ADDRESS",
     "where webhooks are served", false},
    {FLAG("webhook-cert-path", TEXT, webhook_cert_path), NULL, NULL, "DIR",
     "tls.crt and tls.key by someone else; without it Cleat makes its own", false},
    {FLAG("webhook-url", TEXT, webhook_url), NULL, NULL, "URL",
     "base URL at which the API server reaches the webhooks, outside a cluster", false},
    {FLAG("webhook-max-body-bytes", BYTES, webhook_max_body_bytes), "16Mi", NULL, "BYTES",
     "largest request", false},
    {FLAG("webhook-max-bytes-in-flight", BYTES, webhook_max_bytes_in_flight), "64Mi", NULL, "BYTES",
     "all requests and what they become when parsed", false},
    {FLAG("webhook-max-connections", NUMBER, webhook_max_connections), "1000", NULL, "NUMBER",
     "open connections; beyond it the longest waiting one gives way", false},
    {FLAG("webhook-max-connections-per-address", NUMBER, webhook_max_connections_per_address),
     "250", NULL, "NUMBER", "open connections of one address; beyond it, its own give way", false},
    {FLAG("webhook-client-ca", TEXT, webhook_client_ca), NULL, NULL, "FILE",
     "CA certificates (PEM): only clients that they vouch for are served; default: any client",
     false},
    {FLAG("webhook-client-names", LIST, webhook_client_names), NULL, NULL, "NAMES",
     "common or DNS names of those clients, by commas; default: any that the CA vouches for",
     false},
    {FLAG("webhook-cert-lifetime", DURATION, webhook_cert_lifetime_ms), "8760h", NULL, "DURATION",
     "life of the certificates that Cleat makes; renewed after two thirds", false},
    {FLAG("webhook-ca-lifetime", DURATION, webhook_ca_lifetime_ms), "87600h", NULL, "DURATION",
     "life of the CA that Cleat makes; replaced after two thirds", false},
    {FLAG("metrics-bind-address", TEXT, metrics_bind_address), ":8443", NULL, "ADDRESS",
     "where /metrics is served; 0: nowhere", false},
    {FLAG("metrics-secure", BOOL, metrics_secure), "true", NULL, NULL, "serve metrics over TLS",
     false},
    {FLAG("metrics-auth", BOOL, metrics_auth), "true", NULL, NULL,
     "serve metrics only to whom the API server lets get /metrics; needs --metrics-secure", false},
    {FLAG("health-probe-bind-address", TEXT, health_probe_bind_address), ":8081", NULL, "ADDRESS",
     "where /healthz and /readyz are served; 0: nowhere", false},
    {FLAG("leader-elect", BOOL, leader_elect), "false", NULL, NULL,
     "let one of several replicas run the controllers", false},
    {FLAG("leader-elect-namespace", TEXT, leader_elect_namespace), NULL, NULL, "NAMESPACE",
     "namespace of lease and certificate; default: its own in a cluster, else cleat-system", false},
    {FLAG("leader-elect-id", TEXT, leader_elect_id), "cleat-leader", NULL, "NAME",
     "name of the lease", false},
    {FLAG("leader-elect-lease-duration", DURATION, leader_elect_lease_duration_ms), "15s", NULL,
     "DURATION", "how long others wait for a silent leader", false},
    {FLAG("leader-elect-renew-deadline", DURATION, leader_elect_renew_deadline_ms), "10s", NULL,
     "DURATION", "how long a leader tries to renew", false},
    {FLAG("leader-elect-retry-period", DURATION, leader_elect_retry_period_ms), "2s", NULL,
     "DURATION", "between tries", false},
    {FLAG("leader-elect-resource-lock", TEXT, leader_elect_resource_lock), "leases", options_locks,
     "KIND", "what replicas compete for: leases or configmaps", false},
    {FLAG("leader-elect-on-loss", TEXT, leader_elect_on_loss), "exit", options_losses, "ACTION",
     "after the lease was lost: exit, or stand again", false},
    {FLAG("start-timeout", DURATION, start_timeout_ms), "30s", NULL, "DURATION",
     "how long an unreachable API server is retried at start", false},
    {FLAG("drain-delay", DURATION, drain_delay_ms), NULL, NULL, "DURATION",
     "how long a stopping server goes on serving while it isn't ready; default: 3s in a cluster, "
     "else 0",
     false},
    {FLAG("stop-timeout", DURATION, stop_timeout_ms), "10s", NULL, "DURATION",
     "how long stopping may take in all", false},
    {FLAG("log-level", TEXT, log_level), "info", options_levels, "LEVEL",
     "debug, info, warn or error", false},
    {FLAG("log-format", TEXT, log_format), "json", options_formats, "FORMAT", "json or text",
     false},
    {.name = NULL},
};

enum cleat_log_level cleat_serve_log_level(const struct cleat_serve_options *options)
{
    size_t level = 0;
    while (options_levels[level] && strcmp(options->log_level, options_levels[level]) != 0)
        level++;
    return (enum cleat_log_level)level;
}

/* HOST:PORT in form; whether the host is there, listening tells. */
static bool options_address_valid(const char *address)
{
    const char *port = strrchr(address, ':');
    size_t digits = port ? strspn(port + 1, "0123456789") : 0;
    unsigned number = 0;
    if (digits == 0 || digits > 5 || port[1 + digits])
        return false;
    for (const char *c = port + 1; *c; c++)
        number = number * 10 + (unsigned)(*c - '0');
    return number <= UINT16_MAX;
}

static int options_check_addresses(const struct cleat_serve_options *options, struct cleat_err *err)
{
    const struct {
        const char *flag;
        const char *address;
        bool may_be_off;
    } addresses[] = {
        {"webhook-bind-address", options->webhook_bind_address, false},
        {"metrics-bind-address", options->metrics_bind_address, true},
        {"health-probe-bind-address", options->health_probe_bind_address, true},
    };
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        const char *address = addresses[i].address;
        bool off = addresses[i].may_be_off && (!*address || strcmp(address, "0") == 0);
        if (!off && !options_address_valid(address))
            return cleat_err_set(err, -EINVAL, "--%s: \"%s\" isn't an address as :9443%s",
                                 addresses[i].flag, address,
                                 addresses[i].may_be_off ? ", or 0" : "");
    }
    return 0;
}

static int options_check_election(const struct cleat_serve_options *options, struct cleat_err *err)
{
    int64_t lease_ms = options->leader_elect_lease_duration_ms;
    int64_t renew_ms = options->leader_elect_renew_deadline_ms;
    int64_t retry_ms = options->leader_elect_retry_period_ms;
    const char *namespace_ = options->leader_elect_namespace;
    if (lease_ms <= renew_ms)
        return cleat_err_set(err, -EINVAL,
                             "--leader-elect-lease-duration isn't longer than "
                             "--leader-elect-renew-deadline");
    if (retry_ms <= 0 || renew_ms * 5 <= retry_ms * 6)
        return cleat_err_set(err, -EINVAL,
                             "--leader-elect-renew-deadline isn't longer than 1.2 "
                             "times --leader-elect-retry-period");
    if (namespace_ && !cleat_name_is_dns_label(cleat_str_of(namespace_)))
        return cleat_err_set(err, -EINVAL, "--leader-elect-namespace: \"%s\" isn't a namespace",
                             namespace_);
    if (!cleat_name_is_dns_subdomain(cleat_str_of(options->leader_elect_id)))
        return cleat_err_set(err, -EINVAL, "--leader-elect-id: \"%s\" isn't the name of a lease",
                             options->leader_elect_id);
    return 0;
}

static int options_check_stop(const struct cleat_serve_options *options, struct cleat_err *err)
{
    int64_t drain_ms = options->drain_delay_ms;
    if (options->stop_timeout_ms <= 0)
        return cleat_err_set(err, -EINVAL, "--stop-timeout isn't longer than 0");
    if (drain_ms != CLEAT_FLAG_NOT_GIVEN && (drain_ms < 0 || drain_ms >= options->stop_timeout_ms))
        return cleat_err_set(err, -EINVAL, "--drain-delay isn't shorter than --stop-timeout");
    return 0;
}

/* Certificates know whole seconds. */
static int options_check_lifetimes(const struct cleat_serve_options *options, struct cleat_err *err)
{
    int64_t leaf_ms = options->webhook_cert_lifetime_ms;
    int64_t ca_ms = options->webhook_ca_lifetime_ms;
    if (leaf_ms < 1000 || leaf_ms % 1000 != 0)
        return cleat_err_set(err, -EINVAL,
                             "--webhook-cert-lifetime is less than a second, or no whole seconds");
    if (ca_ms < leaf_ms || ca_ms % 1000 != 0)
        return cleat_err_set(err, -EINVAL,
                             "--webhook-ca-lifetime is shorter than --webhook-cert-lifetime, or no "
                             "whole seconds");
    if (ca_ms / 1000 > OPTIONS_LIFETIME_S_MAX)
        return cleat_err_set(err, -EINVAL, "--webhook-ca-lifetime is longer than 100 years");
    return 0;
}

static int options_check_edge(const struct cleat_serve_options *options, struct cleat_err *err)
{
    int64_t connections = options->webhook_max_connections;
    int64_t of_address = options->webhook_max_connections_per_address;
    if (connections <= 0 || connections > OPTIONS_CONNECTIONS_MAX)
        return cleat_err_set(err, -EINVAL, "--webhook-max-connections isn't within 1 and %d",
                             OPTIONS_CONNECTIONS_MAX);
    if (of_address <= 0 || of_address > OPTIONS_CONNECTIONS_MAX)
        return cleat_err_set(err, -EINVAL,
                             "--webhook-max-connections-per-address isn't within 1 and %d",
                             OPTIONS_CONNECTIONS_MAX);
    if (options->webhook_client_names && options->webhook_client_names[0] &&
        !options->webhook_client_ca)
        return cleat_err_set(err, -EINVAL, "--webhook-client-names needs --webhook-client-ca");
    return 0;
}

int cleat_serve_options_check(const struct cleat_serve_options *options, struct cleat_err *err)
{
    int r = options_check_election(options, err);
    if (r == 0)
        r = options_check_addresses(options, err);
    if (r == 0)
        r = options_check_edge(options, err);
    if (r == 0)
        r = options_check_lifetimes(options, err);
    if (r == 0)
        r = options_check_stop(options, err);
    if (r < 0)
        return r;
    if (options->webhook_max_body_bytes <= 0)
        return cleat_err_set(err, -EINVAL, "--webhook-max-body-bytes is 0");
    if (options->webhook_max_bytes_in_flight < options->webhook_max_body_bytes)
        return cleat_err_set(err, -EINVAL,
                             "--webhook-max-bytes-in-flight is less than "
                             "--webhook-max-body-bytes");
    if (options->webhook_url && !cleat_manifests_url_valid(options->webhook_url))
        return cleat_err_set(err, -EINVAL,
                             "--webhook-url: \"%s\" isn't a URL as https://HOST[:PORT][/PATH]",
                             options->webhook_url);
    return 0;
}
