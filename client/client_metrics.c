/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_metrics.h"

#include <stdio.h>

#define CODE_NONE "<error>" /* upstream's, for a request without an answer */

static const double seconds_buckets[] = {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60};
static const double bytes_buckets[] = {64,    256,    512,     1024,    4096,    16384,
                                       65536, 262144, 1048576, 4194304, 16777216};

/* A histogram of times or of bytes. */
static int metrics_add_histogram(struct cleat_metrics *registry, const char *name, const char *help,
                                 bool bytes, bool by_verb, struct cleat_metric **ret,
                                 struct cleat_err *err)
{
    const struct cleat_metric_options family = {
        .type = CLEAT_METRIC_HISTOGRAM,
        .name = name,
        .help = help,
        .labels = {by_verb ? "verb" : "host", by_verb ? "host" : NULL},
        .buckets = bytes ? bytes_buckets : seconds_buckets,
        .bucket_count = bytes ? sizeof(bytes_buckets) / sizeof(bytes_buckets[0])
                              : sizeof(seconds_buckets) / sizeof(seconds_buckets[0])};
    return cleat_metrics_family(registry, &family, ret, err);
}

static int metrics_add_details(struct client_metrics *metrics, struct cleat_metrics *registry,
                               struct cleat_err *err)
{
    const struct {
        struct cleat_metric **metric;
        const char *name;
        const char *help;
        bool bytes;
        bool by_verb;
    } histograms[] = {
        {&metrics->duration, "rest_client_request_duration_seconds",
         "Time of a request to the API server with all its tries; lists, not watches.", false,
         true},
        {&metrics->limiter, "rest_client_rate_limiter_duration_seconds",
         "Time that a request waited for the client's own rate limit.", false, true},
        {&metrics->resolution, "rest_client_dns_resolution_duration_seconds",
         "Time that a new connection took to find the server's address.", false, false},
        {&metrics->request_size, "rest_client_request_size_bytes", "Bytes of a request's body.",
         true, true},
        {&metrics->response_size, "rest_client_response_size_bytes",
         "Bytes of an answer's body, unpacked; lists, not watches.", true, true},
    };
    const struct cleat_metric_options retries = {
        .type = CLEAT_METRIC_COUNTER,
        .name = "rest_client_request_retries_total",
        .help = "Tries after the first, by the status that made it needed.",
        .labels = {"code", "verb", "host"}};
    int r = cleat_metrics_family(registry, &retries, &metrics->retries, err);
    for (size_t i = 0; r == 0 && i < sizeof(histograms) / sizeof(histograms[0]); i++)
        r = metrics_add_histogram(registry, histograms[i].name, histograms[i].help,
                                  histograms[i].bytes, histograms[i].by_verb, histograms[i].metric,
                                  err);
    return r;
}

int cleat__client_metrics_init(struct client_metrics *metrics, struct cleat_metrics *registry,
                               bool detailed, struct cleat_err *err)
{
    const struct cleat_metric_options requests = {
        .type = CLEAT_METRIC_COUNTER,
        .name = "rest_client_requests_total",
        .help = "Requests to the API server by status, method and host, each try by itself.",
        .labels = {"code", "method", "host"}};
    *metrics = (struct client_metrics){0};
    int r = cleat_metrics_family(registry, &requests, &metrics->requests, err);
    return r == 0 && registry && detailed ? metrics_add_details(metrics, registry, err) : r;
}

static const char *metrics_code(int code, char text[16])
{
    if (code <= 0)
        return CODE_NONE;
    (void)snprintf(text, 16, "%d", code); /* fits */
    return text;
}

void cleat__client_metrics_try(const struct client_metrics *metrics, const char *method,
                               const char *host, int code)
{
    char text[16];
    const char *const values[] = {metrics_code(code, text), method, host};
    cleat_series_add(cleat_metric_series(metrics->requests, values), 1);
}

void cleat__client_metrics_done(const struct client_metrics *metrics, const char *method,
                                const char *host, int64_t duration_ns, size_t request_bytes,
                                size_t response_bytes)
{
    const char *const values[] = {method, host};
    if (!metrics->duration)
        return;
    cleat_series_observe(cleat_metric_series(metrics->duration, values), (double)duration_ns / 1e9);
    cleat_series_observe(cleat_metric_series(metrics->request_size, values), (double)request_bytes);
    cleat_series_observe(cleat_metric_series(metrics->response_size, values),
                         (double)response_bytes);
}

void cleat__client_metrics_retry(const struct client_metrics *metrics, const char *method,
                                 const char *host, int code)
{
    char text[16];
    const char *const values[] = {metrics_code(code, text), method, host};
    cleat_series_add(cleat_metric_series(metrics->retries, values), 1);
}

void cleat__client_metrics_limit(const struct client_metrics *metrics, const char *method,
                                 const char *host, int64_t wait_ms)
{
    const char *const values[] = {method, host};
    cleat_series_observe(cleat_metric_series(metrics->limiter, values), (double)wait_ms / 1e3);
}

void cleat__client_metrics_resolve(const struct client_metrics *metrics, const char *host,
                                   int64_t duration_us)
{
    const char *const values[] = {host};
    cleat_series_observe(cleat_metric_series(metrics->resolution, values),
                         (double)duration_us / 1e6);
}
