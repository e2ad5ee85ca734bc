/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "apiserver/fault.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

#define HTTP_BODY_BYTES_MAX (3 * CLEAT_MIB)
#define HTTP_BLOCK_BYTES (256 * CLEAT_KIB)
#define HTTP_MEMORY_BYTES (HTTP_BLOCK_BYTES + 64 * CLEAT_KIB)
#define HTTP_STACK_BYTES (1 * CLEAT_MIB)
#define HTTP_CONNECTIONS_MAX 4000u
/* How long a stop waits for requests under way. */
#define HTTP_DRAIN_MS 500
#define HTTP_MAGIC 0x48545450u

struct cleat_api_http_daemon {
    unsigned magic;
    struct cleat_api_server *server;
    struct MHD_Daemon *daemon;
    struct cleat_lock lock;
    struct cleat_cond idle; /* no request is under way */
    size_t calls;           /* under way; under the lock */
    char url[80];
};

/* One request on its connection. */
struct http_call {
    struct cleat_api_http_daemon *daemon;
    char *uri; /* as on the wire, cut at the question mark */
    const char *query;
    bool begun;
    bool too_large;
    struct cleat_buffer body;
    struct cleat_api_response response;
    bool answered; /* response is in use */
    size_t body_sent;
    struct cleat_api_fault_action fault;
    int64_t sent;
    struct MHD_Connection *connection;
    int fd;
};

static void http_count(struct cleat_api_http_daemon *daemon, int change)
{
    cleat_lock_take(&daemon->lock);
    daemon->calls += (size_t)change;
    if (daemon->calls == 0)
        cleat_cond_broadcast(&daemon->idle);
    cleat_lock_release(&daemon->lock);
}

/* Gives what is under way the time to end in good order. */
static void http_drain(struct cleat_api_http_daemon *daemon)
{
    int result = 0;
    cleat_lock_take(&daemon->lock);
    while (daemon->calls > 0 && result == 0)
        result = cleat_cond_wait_ms(&daemon->idle, &daemon->lock, HTTP_DRAIN_MS);
    cleat_lock_release(&daemon->lock);
}

static void *http_on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct http_call *call = cleat_mem_zalloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->daemon = arg;
    call->connection = connection;
    call->uri = cleat_mem_strdup(uri);
    if (!call->uri)
        return cleat_mem_free(call);
    char *mark = strchr(call->uri, '?');
    call->query = mark ? mark + 1 : "";
    if (mark)
        *mark = 0;
    cleat_buffer_init(&call->body, HTTP_BODY_BYTES_MAX);
    http_count(call->daemon, 1);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    call->fd = info ? info->connect_fd : -1;
    return call;
}

static void http_on_completed(void *arg, struct MHD_Connection *connection, void **context,
                              enum MHD_RequestTerminationCode code)
{
    struct http_call *call = *context;
    *context = NULL;
    if (!call)
        return;
    if (call->answered)
        cleat_api_response_fini(&call->response);
    cleat_buffer_fini(&call->body);
    cleat_mem_free(call->uri);
    http_count(call->daemon, -1);
    cleat_mem_free(call);
}

struct http_headers {
    void (*fn)(void *arg, const char *name, const char *value);
    void *arg;
};

static enum MHD_Result http_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    const struct http_headers *headers = arg;
    headers->fn(headers->arg, name, value ? value : "");
    return MHD_YES;
}

static void http_headers(const struct cleat_api_http *http,
                         void (*fn)(void *arg, const char *name, const char *value), void *arg)
{
    struct http_headers headers = {.fn = fn, .arg = arg};
    MHD_get_connection_values(http->arg, MHD_HEADER_KIND, http_header, &headers);
}

static const char *http_value(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* The rest of a body that was made at once. */
static int64_t http_read_body(struct http_call *call, char *bytes, size_t size)
{
    struct cleat_str body = cleat_buffer_view(&call->response.body);
    size_t length = body.length - call->body_sent;
    if (length > size)
        length = size;
    memcpy(bytes, body.data + call->body_sent, length);
    call->body_sent += length;
    return (int64_t)length;
}

/* Applies the fault to the next read: cuts @size; false where the connection ends here. */
static bool http_fault_read(struct http_call *call, size_t *size)
{
    const struct cleat_api_fault_action *fault = &call->fault;
    if (fault->cut_after_bytes < 0)
        return true;
    int64_t left = fault->cut_after_bytes - call->sent;
    if (left <= 0 && fault->freeze) {
        bool goes_on = cleat_api_faults_wait(call->daemon->server->faults, fault->id, -1, call->fd);
        call->fault.cut_after_bytes = -1;
        return goes_on;
    }
    if (left <= 0)
        return false;
    if (*size > (size_t)left)
        *size = (size_t)left;
    return true;
}

static ssize_t http_read(void *arg, uint64_t position, char *bytes, size_t size)
{
    struct http_call *call = arg;
    struct cleat_api_stream *stream = call->response.stream;
    if (!http_fault_read(call, &size))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    int64_t got =
        stream ? stream->read(stream, call->fd, bytes, size) : http_read_body(call, bytes, size);
    if (got < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    call->sent += got;
    return got == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)got;
}

static struct MHD_Response *http_response(struct http_call *call)
{
    struct cleat_api_response *response = &call->response;
    if (response->stream) {
        uint64_t length =
            response->stream->length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)response->stream->length;
        return MHD_create_response_from_callback(length, HTTP_BLOCK_BYTES, http_read, call, NULL);
    }
    if (call->fault.cut_after_bytes >= 0)
        return MHD_create_response_from_callback(response->body.length, HTTP_BLOCK_BYTES, http_read,
                                                 call, NULL);
    /* The call outlives its response: it goes when the request is completed. */
    return MHD_create_response_from_buffer(response->body.length, response->body.data,
                                           MHD_RESPMEM_PERSISTENT);
}

/* Warning: 299 - "text" for each line. */
static void http_add_warnings(struct MHD_Response *answer, const struct cleat_buffer *warnings)
{
    const char *text = warnings->data;
    while (text && *text) {
        size_t length = strcspn(text, "\n");
        struct cleat_buffer header = CLEAT_BUFFER_INIT(16 * CLEAT_KIB);
        cleat_buffer_text(&header, "299 - \"");
        for (size_t i = 0; i < length; i++) {
            unsigned char c = (unsigned char)text[i];
            if (c == '"' || c == '\\')
                cleat_buffer_byte(&header, '\\');
            cleat_buffer_byte(&header, c < 0x20 || c == 0x7f ? ' ' : (char)c);
        }
        cleat_buffer_byte(&header, '"');
        if (!header.failed)
            (void)MHD_add_response_header(answer, "Warning", header.data);
        cleat_buffer_fini(&header);
        text += length + (text[length] == '\n');
    }
}

static enum MHD_Result http_send(struct http_call *call)
{
    struct cleat_api_response *response = &call->response;
    struct MHD_Response *answer = http_response(call);
    if (!answer)
        return MHD_NO;
    (void)MHD_add_response_header(answer, "Content-Type", response->content_type);
    (void)MHD_add_response_header(answer, "Cache-Control", "no-cache, private");
    if (response->retry_after_s > 0) {
        char text[16];
        snprintf(text, sizeof(text), "%d", response->retry_after_s);
        (void)MHD_add_response_header(answer, "Retry-After", text);
    }
    http_add_warnings(answer, &response->warnings);
    enum MHD_Result result = MHD_queue_response(call->connection, (unsigned)response->code, answer);
    MHD_destroy_response(answer);
    return result;
}

static void http_refuse(struct http_call *call, int status, const char *text)
{
    struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
    cleat_api_response_init(&call->response);
    if (text)
        (void)cleat_api_fail(&failure, status, NULL, "%s", text);
    else
        cleat_api_faults_fail(status, &failure);
    cleat_api_response_fail(&call->response, &failure);
    cleat_api_failure_fini(&failure);
}

static void http_handle(struct http_call *call, const char *method)
{
    const struct cleat_api_http http = {
        .method = method,
        .path = call->uri,
        .query = call->query,
        .body = cleat_buffer_view(&call->body),
        .authorization = http_value(call->connection, "Authorization"),
        .accept = http_value(call->connection, "Accept"),
        .content_type = http_value(call->connection, "Content-Type"),
        .user_agent = http_value(call->connection, "User-Agent"),
        .headers = http_headers,
        .arg = call->connection,
    };
    cleat_api_server_handle(call->daemon->server, &http, &call->response);
}

static enum MHD_Result http_answer(struct http_call *call, const char *method)
{
    struct cleat_api_server *server = call->daemon->server;
    call->fault.cut_after_bytes = -1;
    if (strncmp(call->uri, "/_faults", 8) != 0)
        call->fault = cleat_api_faults_match(server->faults, method, call->uri, call->query);
    if (call->fault.delay_ms > 0 &&
        !cleat_api_faults_wait(server->faults, call->fault.id, call->fault.delay_ms, call->fd))
        return MHD_NO;
    if (call->fault.drop || server->stopping)
        return MHD_NO;
    if (call->fault.status)
        http_refuse(call, call->fault.status, NULL);
    else if (call->too_large)
        http_refuse(call, 413, "Request entity too large: limit is 3145728");
    else
        http_handle(call, method);
    call->answered = true;
    return http_send(call);
}

static enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload_data, size_t *upload_size, void **context)
{
    struct http_call *call = *context;
    const struct cleat_api_http_daemon *daemon = arg;
    cleat_assert(daemon->magic == HTTP_MAGIC);
    if (!call)
        return MHD_NO;
    if (!call->begun) {
        call->begun = true;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        if (!call->too_large && cleat_buffer_append(&call->body, upload_data, *upload_size) != 0) {
            call->too_large = true;
            cleat_buffer_fini(&call->body);
        }
        *upload_size = 0;
        return MHD_YES;
    }
    return http_answer(call, method);
}

/* "127.0.0.1:1234", "localhost:0", "[::1]:0": loopback only. */
static int http_address(const char *listen, struct sockaddr_storage *ret, struct cleat_err *err)
{
    char host[64];
    const char *colon = strrchr(listen, ':');
    char *end = NULL;
    unsigned long port = colon && colon[1] ? strtoul(colon + 1, &end, 10) : 0;
    if (!colon || !end || *end || port > 65535 || (size_t)(colon - listen) >= sizeof(host))
        return cleat_err_set(err, -EINVAL, "listen address %s: not HOST:PORT", listen);
    snprintf(host, sizeof(host), "%.*s", (int)(colon - listen), listen);
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    *ret = (struct sockaddr_storage){0};
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof(host), "127.0.0.1");
    if (strcmp(host, "[::1]") == 0) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        six->sin6_addr = in6addr_loopback;
        return 0;
    }
    four->sin_family = AF_INET;
    four->sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &four->sin_addr) != 1 ||
        (ntohl(four->sin_addr.s_addr) >> 24) != 127)
        return cleat_err_set(err, -EINVAL, "listen address %s: only loopback addresses are served",
                             listen);
    return 0;
}

static struct MHD_Daemon *http_listen(struct cleat_api_http_daemon *daemon,
                                      const struct cleat_api_http_options *options,
                                      const struct sockaddr_storage *address)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)options->cert_pem},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)options->key_pem},
        {MHD_OPTION_END, 0, NULL},
    };
    if (options->cert_pem)
        flags |= MHD_USE_TLS;
    else
        tls[0].option = MHD_OPTION_END;
    if (address->ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, http_on_request, daemon, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_URI_LOG_CALLBACK, http_on_uri, daemon, MHD_OPTION_NOTIFY_COMPLETED,
        http_on_completed, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX, MHD_OPTION_THREAD_STACK_SIZE,
        HTTP_STACK_BYTES, MHD_OPTION_LISTEN_BACKLOG_SIZE, 512u, MHD_OPTION_ARRAY, tls,
        MHD_OPTION_END);
}

static void http_free(struct cleat_api_http_daemon *daemon)
{
    daemon->magic = 0;
    cleat_cond_fini(&daemon->idle);
    cleat_lock_fini(&daemon->lock);
    cleat_mem_free(daemon);
}

int cleat_api_http_start(struct cleat_api_server *server,
                         const struct cleat_api_http_options *options,
                         struct cleat_api_http_daemon **ret, struct cleat_err *err)
{
    struct sockaddr_storage address;
    int result = http_address(options->listen, &address, err);
    if (result != 0)
        return result;
    struct cleat_api_http_daemon *daemon = cleat_mem_zalloc(1, sizeof(*daemon));
    if (!daemon)
        return cleat_err_set(err, -ENOMEM, "no memory for an HTTP server");
    daemon->magic = HTTP_MAGIC;
    daemon->server = server;
    cleat_lock_init(&daemon->lock, CLEAT_LOCK_HTTP);
    cleat_cond_init(&daemon->idle);
    errno = 0;
    daemon->daemon = http_listen(daemon, options, &address);
    if (!daemon->daemon) {
        int code = errno ? -errno : -EIO;
        http_free(daemon);
        return cleat_err_set(err, code, "can't listen on %s: %s", options->listen, strerror(-code));
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(daemon->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const char *colon = strrchr(options->listen, ':');
    snprintf(daemon->url, sizeof(daemon->url), "%s://%.*s:%u", options->cert_pem ? "https" : "http",
             (int)(colon - options->listen), options->listen, info ? (unsigned)info->port : 0);
    *ret = daemon;
    return 0;
}

const char *cleat_api_http_url(const struct cleat_api_http_daemon *daemon)
{
    return daemon->url;
}

struct cleat_api_http_daemon *cleat_api_http_stop(struct cleat_api_http_daemon *daemon)
{
    if (!daemon)
        return NULL;
    http_drain(daemon);
    MHD_stop_daemon(daemon->daemon);
    http_free(daemon);
    return NULL;
}
