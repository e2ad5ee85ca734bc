/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client counts of its requests, by client-go's names and buckets. Labels are few: methods,
 * statuses and the one server.
 */
#ifndef CLEAT_CLIENT_CLIENT_METRICS_H
#define CLEAT_CLIENT_CLIENT_METRICS_H

#include <stdint.h>
#include <cleat/err.h>
#include <cleat/metrics.h>

/* All borrowed from the registry; NULL: not counted. */
struct client_metrics {
    struct cleat_metric *requests;
    struct cleat_metric *duration; /* this and all below: where details are asked for */
    struct cleat_metric *limiter;
    struct cleat_metric *resolution;
    struct cleat_metric *request_size;
    struct cleat_metric *response_size;
    struct cleat_metric *retries;
};

/** Adds the families to @registry (NULL: none, nothing is counted). 0, -EEXIST, -ENOMEM. */
int cleat__client_metrics_init(struct client_metrics *metrics, struct cleat_metrics *registry,
                               bool detailed, struct cleat_err *err) CLEAT_MUST_CHECK;

/* Each of these on any thread. @host is "host:port". */

/** A try has ended; @code 0: without an answer. */
void cleat__client_metrics_try(const struct client_metrics *metrics, const char *method,
                               const char *host, int code);
/** A request has ended, with all its tries; @duration_ns in all. */
void cleat__client_metrics_done(const struct client_metrics *metrics, const char *method,
                                const char *host, int64_t duration_ns, size_t request_bytes,
                                size_t response_bytes);
/** A request is tried again after an answer of @code (0: without one). */
void cleat__client_metrics_retry(const struct client_metrics *metrics, const char *method,
                                 const char *host, int code);
/** A request waited so long for the client's own rate limit. */
void cleat__client_metrics_limit(const struct client_metrics *metrics, const char *method,
                                 const char *host, int64_t wait_ms);
/** A new connection took so long to find the server's address. */
void cleat__client_metrics_resolve(const struct client_metrics *metrics, const char *host,
                                   int64_t duration_us);

#endif
