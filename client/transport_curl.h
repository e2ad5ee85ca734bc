/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files transport_*.c share, libcurl's types included. Nobody else includes this.
 */
#ifndef CLEAT_CLIENT_TRANSPORT_CURL_H
#define CLEAT_CLIENT_TRANSPORT_CURL_H

#include <errno.h>
#include <curl/curl.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "base/lock.h"
#include "client/client_metrics.h"
#include "client/credentials.h"
#include "client/transport.h"

#define TRANSPORT_WARNINGS_MAX 256
#define TRANSPORT_WARNING_BYTES_MAX 512
#define TRANSPORT_HEADER_BYTES_MAX (256 * CLEAT_KIB)
#define TRANSPORT_HEADER_LINES_MAX 256
#define TRANSPORT_ANSWER_BYTES_MAX CLEAT_DOCUMENT_BYTES_MAX
#define TRANSPORT_ERROR_BYTES_MAX (1 * CLEAT_MIB)
#define TRANSPORT_RETRY_AFTER_MS_MAX (24 * 3600 * INT64_C(1000))

/* Where the server is, taken apart once. */
struct transport_endpoint {
    char *display;     /* "https://host:port/prefix", for people */
    char *base;        /* the same with the name to verify in place of the host */
    char *connect_to;  /* "::host:port" where those differ, else NULL */
    char *host_header; /* "Host: host:port" where those differ, else NULL */
    char *verify_name; /* the name that the certificate must have */
    char *host;        /* "host:port", for metrics */
    char *proxy;       /* or "" */
    bool tls;
};

int cleat__transport_endpoint_init(struct transport_endpoint *endpoint,
                                   const struct cleat_kubeconfig *config,
                                   struct cleat_err *err) CLEAT_MUST_CHECK;
void cleat__transport_endpoint_fini(struct transport_endpoint *endpoint);

/* Tokens for tries: @level is what was used of the burst, and falls with time. */
struct transport_limiter {
    double per_ms; /* 0: no limit */
    double burst;
    double level;
    int64_t at_mono_ms;
};

/* A pooled connection: an easy handle that has at most one. */
struct transport_handle {
    CURL *easy;
    const struct cleat_credentials_set *set; /* owned reference; its PEM is borrowed by @easy */
    struct transport_handle *next;
    char message[CURL_ERROR_SIZE];
};

struct cleat_transport {
    unsigned magic;
    atomic_uint refs;
    const struct cleat_clock *clock;
    struct cleat_log *log;
    struct transport_endpoint endpoint;
    struct cleat_credentials *credentials;
    char **as_headers; /* impersonation, ready to send; NULL-terminated, or NULL */
    char *user_agent;  /* "User-Agent: …" */
    int64_t timeout_ms;
    int64_t connect_timeout_ms;
    int retries_max;
    bool insecure;
    bool http1_only;
    bool gzip;
    cleat_client_observe_fn observe;
    void *observe_arg;
    struct client_metrics metrics;
    cleat_client_warning_fn warning;
    void *warning_arg;
    void (*wait)(void *arg, int64_t wait_ms);
    void *wait_arg;

    struct cleat_lock lock; /* guards what follows */
    struct cleat_cond never;
    struct transport_handle *idle;
    size_t idle_count;
    struct transport_limiter limiter;
    uint64_t warned[TRANSPORT_WARNINGS_MAX]; /* hashes of texts that were logged */
    size_t warned_count;
};

/* What is kept of an answer's headers. */
struct transport_head {
    int code; /* 0: none yet */
    bool complete;
    bool has_retry_after;
    int64_t retry_after_ms;
    size_t bytes;
    size_t lines;
    int broken; /* negative: the header can't be taken */
};

/** Takes one header line as curl gives it. Negative where the header is beyond its limits. */
int cleat__transport_head_line(struct transport_head *head, struct cleat_transport *transport,
                               const char *line, size_t length);
/** Milliseconds of a Retry-After value (seconds or an HTTP date); false where it's neither. */
bool cleat__transport_retry_after(struct cleat_str value, int64_t wall_ms, int64_t *ret_ms);
/** Reports a Warning header's value, which may hold several. */
void cleat__transport_warn(struct cleat_transport *transport, struct cleat_str value);

/* What a try was, for its error. */
struct transport_failure {
    const char *method;
    const char *path;
    CURLcode code;
    const char *message; /* curl's */
    int64_t timeout_ms;  /* what the try was given */
    int sink;            /* negative: what stopped the taking of bytes */
    bool aborted;        /* the request's owner gave up */
};

/** What is said of a URL that couldn't be put together: lack of memory is no wrong URL. */
static inline CURLcode cleat__transport_url_code(int failed)
{
    return failed == -ENOMEM ? CURLE_OUT_OF_MEMORY : CURLE_URL_MALFORMAT;
}
/** Writes the one line for a failed try; returns the negative code. */
int cleat__transport_fail(const struct cleat_transport *transport, CURL *easy,
                          const struct transport_failure *failure, struct cleat_err *err);
/** Decodes an answer >= 300 into @err; returns the negative code. */
int cleat__transport_refuse(const struct cleat_transport *transport, const char *method,
                            const char *path, const struct transport_head *head,
                            struct cleat_str body, struct cleat_err *err);

/** Sets what is the same for all requests with @set on a new easy handle. */
int cleat__transport_setup(const struct cleat_transport *transport, CURL *easy,
                           const struct cleat_credentials_set *set,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** The request headers; @ret is new (curl_slist_free_all). */
int cleat__transport_headers(const struct cleat_transport *transport,
                             const struct cleat_credentials_set *set, const char *accept,
                             const char *content_type, struct curl_slist **ret) CLEAT_MUST_CHECK;

/* The try of a unary request. */
struct transport_try {
    struct cleat_transport *transport;
    const struct cleat_transport_request *request;
    struct cleat_transport_answer *answer;
    struct transport_handle *handle;
    struct transport_head head;
    uint64_t generation; /* of the credentials that it used */
    size_t body_sent;
    bool handed; /* curl got it */
    bool began;  /* on_bytes was called */
    int sink;
    int64_t timeout_ms;
    CURLcode code;
};

/** True where the request's owner doesn't want it any more. */
bool cleat__transport_aborted(const struct cleat_transport_request *request);
/** Hands the request to curl once, with at most @timeout_ms. 0 with an answer of any status, or
 * negative. */
int cleat__transport_try(struct transport_try *try, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Closes all idle connections. */
void cleat__transport_pool_drain(struct cleat_transport *transport);

/** Milliseconds to wait for the next token, which is taken. */
int64_t cleat__transport_limit(struct transport_limiter *limiter, int64_t now_mono_ms);

#endif
