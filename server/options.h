/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of `cleat serve`, from flags and config file.
 */
#ifndef CLEAT_SERVER_OPTIONS_H
#define CLEAT_SERVER_OPTIONS_H

#include <cleat/log.h>
#include "server/flags.h"

struct cleat_serve_options {
    char *kubeconfig;
    char *context;
    char *config;
    char *webhook_bind_address;
    char *webhook_cert_path;
    char *webhook_url;
    int64_t webhook_max_body_bytes;
    int64_t webhook_max_bytes_in_flight;
    int64_t webhook_max_connections;
    int64_t webhook_max_connections_per_address;
    char *webhook_client_ca;
    char **webhook_client_names;
    int64_t webhook_cert_lifetime_ms;
    int64_t webhook_ca_lifetime_ms;
    char *metrics_bind_address;
    bool metrics_secure;
    bool metrics_auth;
    char *health_probe_bind_address;
    bool leader_elect;
    char *leader_elect_namespace;
    char *leader_elect_id;
    int64_t leader_elect_lease_duration_ms;
    int64_t leader_elect_renew_deadline_ms;
    int64_t leader_elect_retry_period_ms;
    char *leader_elect_resource_lock;
    char *leader_elect_on_loss;
    int64_t start_timeout_ms;
    int64_t drain_delay_ms;
    int64_t stop_timeout_ms;
    char *log_level;
    char *log_format;
};

extern const struct cleat_flag cleat_serve_flags[];

/** The level that --log-level names. */
enum cleat_log_level cleat_serve_log_level(const struct cleat_serve_options *options);
/** What single flags can't tell: durations that fit each other, addresses. -EINVAL. */
int cleat_serve_options_check(const struct cleat_serve_options *options,
                              struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
