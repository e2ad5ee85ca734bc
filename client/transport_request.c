/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One try of a unary request on a pooled connection. A handle has one connection at most and goes
 * back to the pool only after a whole answer; any failure, time-out or change of credentials closes
 * it.
 *
 * libcurl by itself repeats a request whose kept-alive connection broke without a byte of an
 * answer. For a write that could be twice, so that bodies come by a read function that can't
 * rewind, and a write without a body gets a connection of its own.
 */
#include "client/transport_curl.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/mem.h"

#define REQUEST_URL_BYTES_MAX (64 * CLEAT_KIB)
#define REQUEST_BUFFER_BYTES (64L * 1024)

static struct transport_handle *handle_free(struct transport_handle *handle)
{
    if (handle) {
        curl_easy_cleanup(handle->easy);
        cleat_credentials_set_unref(handle->set);
        cleat_mem_free(handle);
    }
    return NULL;
}

static size_t request_on_header(char *line, size_t size, size_t count, void *arg)
{
    struct transport_try *try = arg;
    size_t length = size * count;
    int result = cleat__transport_head_line(&try->head, try->transport, line, length);
    if (result < 0) {
        try->sink = result;
        return 0;
    }
    return length;
}

static int request_collect(struct transport_try *try, const char *bytes, size_t length)
{
    struct cleat_buffer *body = &try->answer->body;
    if (try->head.code >= 300 && body->length + length > TRANSPORT_ERROR_BYTES_MAX)
        return 0; /* what an error says beyond this isn't worth the memory */
    int result = cleat_buffer_append(body, bytes, length);
    return result == -ENOBUFS ? -EMSGSIZE : result;
}

static int request_pass_on(struct transport_try *try, const char *bytes, size_t length)
{
    const struct cleat_transport_request *request = try->request;
    if (!try->began && request->on_begin)
        request->on_begin(request->arg);
    try->began = true;
    return request->on_bytes(request->arg, bytes, length);
}

static size_t request_on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct transport_try *try = arg;
    size_t length = size * count;
    bool pass_on = try->request->on_bytes && try->head.code < 300;
    try->sink = pass_on ? request_pass_on(try, bytes, length) : request_collect(try, bytes, length);
    return try->sink < 0 ? 0 : length;
}

static size_t request_on_send(char *out, size_t size, size_t count, void *arg)
{
    struct transport_try *try = arg;
    size_t left = try->request->body.length - try->body_sent;
    size_t length = size * count < left ? size * count : left;
    if (length > 0)
        memcpy(out, try->request->body.data + try->body_sent, length);
    try->body_sent += length;
    return length;
}

bool cleat__transport_aborted(const struct cleat_transport_request *request)
{
    return request->aborted && atomic_load_explicit(request->aborted, memory_order_relaxed);
}

/* Asked by curl at least once a second. */
static int request_on_progress(void *arg, curl_off_t down_total, curl_off_t down,
                               curl_off_t up_total, curl_off_t up)
{
    const struct transport_try *try = arg;
    return cleat__transport_aborted(try->request);
}

static CURLcode handle_set_functions(CURL *easy, char *message)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, request_on_header);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, request_on_body);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_READFUNCTION, request_on_send);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, request_on_progress);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, REQUEST_BUFFER_BYTES);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L);
    return code;
}

/* Takes over @set. */
static int handle_new(const struct cleat_transport *transport,
                      const struct cleat_credentials_set *set, struct transport_handle **ret,
                      struct cleat_err *err)
{
    struct transport_handle *handle = cleat_mem_zalloc(1, sizeof(*handle));
    if (!handle) {
        cleat_credentials_set_unref(set);
        return -ENOMEM;
    }
    handle->set = set;
    handle->easy = curl_easy_init();
    int result = handle->easy ? cleat__transport_setup(transport, handle->easy, set, err) : -ENOMEM;
    if (result == 0 && handle_set_functions(handle->easy, handle->message) != CURLE_OK)
        result = -ENOMEM;
    if (result < 0) {
        handle_free(handle);
        return result;
    }
    *ret = handle;
    return 0;
}

static struct transport_handle *pool_pop(struct cleat_transport *transport)
{
    cleat_lock_take(&transport->lock);
    struct transport_handle *handle = transport->idle;
    if (handle) {
        transport->idle = handle->next;
        transport->idle_count--;
        handle->next = NULL;
    }
    cleat_lock_release(&transport->lock);
    return handle;
}

/* Takes back a handle whose connection is fine, or closes it where there are enough. */
static void pool_push(struct cleat_transport *transport, struct transport_handle *handle)
{
    cleat_lock_take(&transport->lock);
    bool keep = transport->idle_count < CLEAT_CLIENT_CONNECTIONS_MAX;
    if (keep) {
        handle->next = transport->idle;
        transport->idle = handle;
        transport->idle_count++;
    }
    cleat_lock_release(&transport->lock);
    if (!keep)
        handle_free(handle);
}

void cleat__transport_pool_drain(struct cleat_transport *transport)
{
    struct transport_handle *handle = NULL;
    while ((handle = pool_pop(transport)) != NULL)
        handle_free(handle);
}

/* A handle that was made with the credentials of now; others that turn up are closed. */
static int pool_acquire(struct cleat_transport *transport, struct transport_handle **ret,
                        struct cleat_err *err)
{
    const struct cleat_credentials_set *set = NULL;
    int result = cleat_credentials_lookup(transport->credentials, true, &set, err);
    if (result < 0)
        return result;
    struct transport_handle *handle = NULL;
    while ((handle = pool_pop(transport)) != NULL) {
        if (handle->set->generation == set->generation) {
            cleat_credentials_set_unref(set);
            *ret = handle;
            return 0;
        }
        handle_free(handle);
    }
    return handle_new(transport, set, ret, err);
}

static CURLcode request_set_method(CURL *easy, const struct cleat_transport_request *request)
{
    bool get = strcmp(request->method, "GET") == 0;
    bool body = request->body.length > 0;
    CURLcode code = body ? curl_easy_setopt(easy, CURLOPT_POST, 1L)
                         : curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, get ? NULL : request->method);
    if (code == CURLE_OK && strcmp(request->method, "HEAD") == 0)
        code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (code == CURLE_OK && body) {
        code =
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    }
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, get || body ? 0L : 1L);
    return code;
}

static CURLcode request_set_url(struct transport_try *try)
{
    const struct transport_endpoint *endpoint = &try->transport->endpoint;
    struct cleat_buffer url = CLEAT_BUFFER_INIT(REQUEST_URL_BYTES_MAX);
    cleat_buffer_text(&url, endpoint->base);
    cleat_buffer_text(&url, try->request->path);
    CURLcode code = url.failed ? cleat__transport_url_code(url.failed)
                               : curl_easy_setopt(try->handle->easy, CURLOPT_URL, url.data);
    cleat_buffer_fini(&url);
    return code == CURLE_OK ? curl_easy_setopt(try->handle->easy, CURLOPT_PATH_AS_IS, 1L) : code;
}

static CURLcode request_set_times(struct transport_try *try)
{
    CURL *easy = try->handle->easy;
    int64_t connect_ms = try->transport->connect_timeout_ms;
    if (try->timeout_ms > 0 && try->timeout_ms < connect_ms)
        connect_ms = try->timeout_ms;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)try->timeout_ms);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms)
                            : code;
}

static CURLcode request_set_arguments(struct transport_try *try)
{
    CURL *easy = try->handle->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, try);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, try);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_READDATA, try);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_XFERINFODATA, try);
    if (code == CURLE_OK) {
        bool gzip = try->request->gzip && try->transport->gzip;
        code = curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, gzip ? "gzip" : NULL);
    }
    return code;
}

/* The lists stay the caller's, until the try is over. */
static int request_set(struct transport_try *try, struct curl_slist *headers,
                       struct curl_slist *connect_to, struct cleat_err *err)
{
    CURL *easy = try->handle->easy;
    CURLcode code = request_set_url(try);
    if (code == CURLE_OK)
        code = request_set_method(easy, try->request);
    if (code == CURLE_OK)
        code = request_set_times(try);
    if (code == CURLE_OK)
        code = request_set_arguments(try);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (code == CURLE_OK && connect_to)
        code = curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to);
    if (code == CURLE_OUT_OF_MEMORY)
        return -ENOMEM;
    return code == CURLE_OK
               ? 0
               : cleat_err_set(err, -EINVAL, "%s %.200s: request can't be made: %s",
                               try->request->method, try->request->path, curl_easy_strerror(code));
}

/* A handle's connection is kept, so that only new ones look a name up. */
static void request_observe_name(const struct transport_try *try)
{
    long connects = 0;
    curl_off_t took_us = 0;
    if (!try->transport->metrics.resolution ||
        curl_easy_getinfo(try->handle->easy, CURLINFO_NUM_CONNECTS, &connects) != CURLE_OK ||
        curl_easy_getinfo(try->handle->easy, CURLINFO_NAMELOOKUP_TIME_T, &took_us) != CURLE_OK)
        return;
    if (connects > 0)
        cleat__client_metrics_resolve(&try->transport->metrics, try->transport->endpoint.host,
                                      took_us);
}

static void request_observe(const struct transport_try *try, int64_t began_ns)
{
    const struct cleat_transport *transport = try->transport;
    cleat__client_metrics_try(&transport->metrics, try->request->method, transport->endpoint.host,
                              try->head.code);
    request_observe_name(try);
    if (transport->observe) {
        transport->observe(transport->observe_arg, try->request->method, transport->endpoint.host,
                           try->head.code, cleat_clock_mono_ns(transport->clock) - began_ns);
    }
}

static int request_perform(struct transport_try *try, struct cleat_err *err)
{
    const struct cleat_transport_request *request = try->request;
    int result = request->fence ? request->fence(request->fence_arg, request->write, err) : 0;
    if (result != 0)
        return result < 0 ? result : cleat_err_set(err, -ECANCELED, "request was fenced off");
    if (cleat__transport_aborted(request))
        return cleat_err_set(err, -ECANCELED, "%s %s%.*s: not sent, the client was aborted",
                             request->method, try->transport->endpoint.display,
                             (int)strcspn(request->path, "?"), request->path);
    int64_t began_ns = cleat_clock_mono_ns(try->transport->clock);
    try->handed = true;
    try->handle->message[0] = '\0';
    try->code = curl_easy_perform(try->handle->easy);
    request_observe(try, began_ns);
    if (try->code == CURLE_OK && try->head.code >= 200)
        return 0;
    struct transport_failure failure = {
        .method = request->method,
        .path = request->path,
        .code = try->code == CURLE_OK ? CURLE_GOT_NOTHING : try->code,
        .message = try->handle->message,
        .timeout_ms = try->timeout_ms,
        .sink = try->sink,
        .aborted = cleat__transport_aborted(request),
    };
    return cleat__transport_fail(try->transport, try->handle->easy, &failure, err);
}

/* Nothing of the try may be seen by the next user of the handle. */
static void request_release(struct transport_try *try, int result)
{
    CURL *easy = try->handle->easy;
    bool keep = (result == 0 || !try->handed) &&
                curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_CONNECT_TO, NULL) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_WRITEDATA, NULL) == CURLE_OK;
    if (keep)
        pool_push(try->transport, try->handle);
    else
        handle_free(try->handle);
    try->handle = NULL;
}

static int request_lists(const struct transport_try *try, struct curl_slist **headers,
                         struct curl_slist **connect_to)
{
    const struct cleat_transport_request *request = try->request;
    const char *content_type = request->content_type ? request->content_type : "application/json";
    int result = cleat__transport_headers(try->transport, try->handle->set, request->accept,
                                          request->body.length > 0 ? content_type : NULL, headers);
    if (result == 0 && try->transport->endpoint.connect_to) {
        *connect_to = curl_slist_append(NULL, try->transport->endpoint.connect_to);
        result = *connect_to ? 0 : -ENOMEM;
    }
    return result;
}

int cleat__transport_try(struct transport_try *try, struct cleat_err *err)
{
    struct curl_slist *headers = NULL;
    struct curl_slist *connect_to = NULL;
    int result = pool_acquire(try->transport, &try->handle, err);
    if (result < 0)
        return result;
    try->generation = try->handle->set->generation;
    result = request_lists(try, &headers, &connect_to);
    if (result == 0)
        result = request_set(try, headers, connect_to, err);
    if (result == 0)
        result = request_perform(try, err);
    request_release(try, result);
    curl_slist_free_all(headers);
    curl_slist_free_all(connect_to);
    return result;
}
