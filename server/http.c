/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread per connection, with a small stack. A handler that waits holds up nobody but its own
 * client, an answer can be lingered over until the client has read it, and libmicrohttpd's suspend
 * and resume, which lose connections in 0.9.75, aren't needed.
 *
 * The other way, two threads that poll many connections each, was measured on two cores shared with
 * the load generator and other work (reviews of 8 KB over TLS, requests a second, 99th percentile,
 * CPU each): 32 connections 9,000, 22 ms, 39 us against 23,400, 2.2 ms, 47 us with threads; 400
 * connections 6,200, 660 ms, 68 us against 10,000, 75 to 200 ms, 65 to 83 us. What threads cost in
 * switches they win back in being scheduled; at 400 they take some 15 MB more.
 *
 * Invariants: what a struct http_call holds is touched by its connection's thread alone, but for
 * its making and its end, which libmicrohttpd orders before and after that thread. A request is
 * counted from its judged head to its completion, whatever ends it, and so is its claim on the
 * budget.
 */
#include "server/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "server/http_head.h"
#include "server/tls_callback.h"
#include "webhooks/registry.h"

#define HTTP_MAGIC 0x68747470u
#define HTTP_CALL_MAGIC 0x63616c6cu
#define HTTP_PATH_BYTES 512
#define HTTP_QUERY_BYTES 1024
#define HTTP_ANSWER_BYTES_MAX (64 * CLEAT_MIB)
#define HTTP_ANSWER_BYTES_KEPT (64 * CLEAT_KIB)
#define HTTP_MEMORY_BYTES (40 * CLEAT_KIB) /* half of it reads: a whole TLS record and more */
#define HTTP_STACK_BYTES (256 * CLEAT_KIB)
#define HTTP_LINGER_BYTES (64 * CLEAT_KIB)
#define HTTP_LINGER_MS 100

struct cleat_http {
    unsigned magic;
    struct cleat_http_options options;
    struct MHD_Daemon *daemon;
    struct cleat_lock lock; /* for waiting alone */
    struct cleat_cond idle;
    /* Requests from their head to their end, and handlers that run. Sequentially consistent against
     * stopping: who takes the last one away sees that somebody waits, or the waiter sees none. */
    _Atomic(unsigned) requests;
    _Atomic(unsigned) handlers;
    _Atomic(bool) stopping;
    _Atomic(bool) draining; /* relaxed: an answer more or less that keeps its connection */
};

enum http_phase {
    HTTP_IDLE,
    HTTP_HEAD,    /* the request line is here */
    HTTP_BODY,    /* accepted */
    HTTP_ANSWERED /* the answer is made, but not on its way yet */
};

/* One connection, with its request of the moment; everything is of the connection's thread. */
struct http_call {
    unsigned magic;
    struct cleat_http *http;
    struct MHD_Connection *connection;
    struct cleat_tls_peer peer;
    bool named; /* the thread */
    enum http_phase phase;
    bool counted;
    bool linger;
    struct cleat_http_target target;
    struct cleat_budget_claim claim;
    uint64_t length; /* of the body */
    struct cleat_buffer body;
    struct cleat_buffer text; /* of the answer */
    struct cleat_http_answer answer;
    bool target_valid;
    char path[HTTP_PATH_BYTES];
    char query[HTTP_QUERY_BYTES];
};

static struct http_call *call_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_call *call = info ? info->socket_context : NULL;
    cleat_assert(!call || call->magic == HTTP_CALL_MAGIC);
    return call;
}

static struct gnutls_session_int *call_session(const struct http_call *call)
{
    if (!call->http->options.tls)
        return NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info ? info->tls_session : NULL;
}

static int call_socket(const struct http_call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

/* No part of a handshake waits for an acknowledgement; later libmicrohttpd sees to that itself. */
static void call_nodelay(const struct http_call *call)
{
    const int on = 1;
    (void)setsockopt(call_socket(call), IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof(on)); /* only a help */
}

static void call_open(struct cleat_http *http, struct MHD_Connection *connection, void **context)
{
    struct http_call *call = cleat_mem_zalloc(1, sizeof(*call));
    *context = call;
    if (!call)
        return; /* its first request ends it */
    call->magic = HTTP_CALL_MAGIC;
    call->http = http;
    call->connection = connection;
    cleat_buffer_init(&call->body, SIZE_MAX / 2);
    cleat_buffer_init(&call->text, HTTP_ANSWER_BYTES_MAX);
    cleat_tls_peer_init(&call->peer, http->options.tls, call_session(call));
    call_nodelay(call);
}

static void http_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    struct cleat_http *http = arg;
    struct http_call *call = *context;
    cleat_assert(http->magic == HTTP_MAGIC);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        call_open(http, connection, context);
        return;
    }
    *context = NULL;
    if (!call)
        return;
    cleat_tls_peer_release(&call->peer);
    cleat_buffer_fini(&call->body);
    cleat_buffer_fini(&call->text);
    call->magic = 0;
    cleat_mem_free(call);
}

/* Keeps the target as it came; one that is too long or isn't a path is nowhere. */
static void call_target(struct http_call *call, const char *uri)
{
    size_t path = strcspn(uri, "?");
    const char *query = uri[path] ? uri + path + 1 : "";
    size_t length = strlen(query);
    call->target_valid = path < sizeof(call->path) && length < sizeof(call->query);
    if (!call->target_valid)
        return;
    memcpy(call->path, uri, path);
    call->path[path] = '\0';
    memcpy(call->query, query, length + 1);
}

static void *http_on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct http_call *call = call_of(connection);
    if (!call)
        return NULL;
    /* A request: the handshake is over, and GnuTLS is done with the certificate. */
    cleat_tls_peer_release(&call->peer);
    call->phase = HTTP_HEAD;
    call_target(call, uri ? uri : "");
    return call;
}

/* Leaves targets as they came. */
static size_t http_unescape(void *arg, struct MHD_Connection *connection, char *text)
{
    return strlen(text);
}

static void call_count(struct http_call *call)
{
    atomic_fetch_add(&call->http->requests, 1);
    call->counted = true;
}

/* Takes one away; wakes who waits for none. */
static void http_discount(struct cleat_http *http, _Atomic(unsigned) *counter)
{
    if (atomic_fetch_sub(counter, 1) != 1 || !atomic_load(&http->stopping))
        return;
    cleat_lock_take(&http->lock);
    cleat_cond_broadcast(&http->idle);
    cleat_lock_release(&http->lock);
}

/*
 * Reads away what the client still sends, so that closing doesn't reset the connection before the
 * client has read its answer. Raw bytes will do: nobody looks at them.
 */
static void call_linger(struct http_call *call)
{
    char bytes[4096];
    size_t drained = 0;
    const struct cleat_clock *clock = call->http->options.clock;
    int64_t until_ms = cleat_clock_mono_ms(clock) + HTTP_LINGER_MS;
    int fd = call_socket(call);
    struct gnutls_session_int *session = call_session(call);
    if (session)
        (void)gnutls_bye(session, GNUTLS_SHUT_WR); /* the client may be gone */
    (void)shutdown(fd, SHUT_WR);                   /* the same */
    while (drained < HTTP_LINGER_BYTES) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left_ms = until_ms - cleat_clock_mono_ms(clock);
        if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) <= 0)
            return;
        ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (got <= 0)
            return;
        drained += (size_t)got;
    }
}

static void http_on_completed(void *arg, struct MHD_Connection *connection, void **context,
                              enum MHD_RequestTerminationCode code)
{
    struct cleat_http *http = arg;
    struct http_call *call = *context;
    *context = NULL;
    if (!call)
        return;
    if (call->linger && code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        call_linger(call);
    cleat_budget_give(&call->claim);
    cleat_buffer_fini(&call->body);
    if (call->text.capacity > HTTP_ANSWER_BYTES_KEPT)
        cleat_buffer_fini(&call->text);
    call->phase = HTTP_IDLE;
    call->linger = false;
    if (call->counted)
        http_discount(http, &http->requests);
    call->counted = false;
}

static enum MHD_Result head_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    cleat_http_head_header(arg, name, value ? value : "");
    return MHD_YES;
}

static void response_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (value && MHD_add_response_header(response, name, value) == MHD_NO)
        return; /* no memory: the answer goes out without it */
}

static enum MHD_Result call_send(struct http_call *call, const char *allow)
{
    const struct cleat_http_answer *answer = &call->answer;
    bool close =
        answer->status != 200 || atomic_load_explicit(&call->http->draining, memory_order_relaxed);
    char retry_after[16] = "";
    struct MHD_Response *response = MHD_create_response_from_buffer(
        call->text.length, call->text.data ? call->text.data : (void *)"", MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    if (answer->retry_after_s > 0)
        (void)snprintf(retry_after, sizeof(retry_after), "%d", answer->retry_after_s);
    response_header(response, "Content-Type", answer->content_type);
    response_header(response, "Allow", allow);
    response_header(response, "WWW-Authenticate", answer->challenge);
    response_header(response, "Retry-After", retry_after[0] ? retry_after : NULL);
    response_header(response, "Connection", close ? "close" : NULL);
    call->linger = answer->status != 200;
    enum MHD_Result result =
        MHD_queue_response(call->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static void call_answer_begin(struct http_call *call)
{
    cleat_buffer_reset(&call->text);
    call->answer = (struct cleat_http_answer){.body = &call->text};
}

static enum MHD_Result call_refuse(struct http_call *call, const struct cleat_http_refusal *refusal)
{
    call_answer_begin(call);
    call->answer.status = refusal->status;
    call->answer.retry_after_s = refusal->retry_after_s;
    call->answer.content_type = "text/plain; charset=utf-8";
    (void)cleat_buffer_format(&call->text, "%s\n", refusal->text); /* or without a text */
    call->phase = HTTP_ANSWERED;
    return call_send(call, refusal->allow);
}

static struct cleat_budget *http_budget(const struct cleat_http *http)
{
    struct cleat_webhooks *webhooks = http->options.site->webhooks;
    if (http->options.budget)
        return http->options.budget;
    return webhooks ? cleat_webhooks_budget(webhooks) : NULL;
}

/* Everything about the head; then room for the body is claimed. */
static int call_judge(struct http_call *call, const char *method, const char *version,
                      struct cleat_http_refusal *refusal)
{
    struct cleat_http_head head = {.method = method, .version = version};
    const struct cleat_http_options *options = &call->http->options;
    (void)MHD_get_connection_values(call->connection, MHD_HEADER_KIND, head_header, &head);
    call->target = (struct cleat_http_target){CLEAT_HTTP_NOTHING, NULL, NULL, NULL};
    if (call->target_valid)
        call->target = cleat_http_site_find(options->site, call->path);
    if (cleat_http_head_check(&head, &call->target, options->body_bytes_max, refusal))
        return 1;
    call->length = head.length;
    if (call->target.kind != CLEAT_HTTP_WEBHOOK ||
        cleat_budget_take(http_budget(call->http), (size_t)head.length, &call->claim) == 0)
        return 0;
    *refusal = (struct cleat_http_refusal){
        .status = 503, .text = "too many bytes are in flight", .retry_after_s = 1};
    return 1;
}

static enum MHD_Result call_begin(struct http_call *call, const char *method, const char *version)
{
    struct cleat_http_refusal refusal;
    if (!call->named) {
        char name[16];
        (void)snprintf(name, sizeof(name), "http/%s", call->http->options.name); /* may be cut */
        (void)prctl(PR_SET_NAME, name); /* a name is a help, not a condition */
        call->named = true;
    }
    call_count(call);
    if (call_judge(call, method, version, &refusal))
        return call_refuse(call, &refusal);
    call->phase = HTTP_BODY;
    return MHD_YES;
}

/* The value of a header that the rules let appear once, "" where it isn't there; borrowed until the
 * request's end. */
static struct cleat_str call_header(const struct http_call *call, const char *name)
{
    const char *value = MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
    return cleat_str_of(value ? value : "");
}

static void call_answer(struct http_call *call, struct cleat_str body)
{
    const struct cleat_http_ask ask = {.path = call->path,
                                       .query = call->query,
                                       .authorization = call_header(call, "Authorization"),
                                       .body = body};
    struct cleat_http *http = call->http;
    struct cleat_budget_claim own = {0};
    /* The webhooks go on counting in our claim, unless it is of another budget. */
    bool shared = http->options.budget == NULL;
    call_answer_begin(call);
    atomic_fetch_add(&http->handlers, 1);
    cleat_http_site_answer(http->options.site, &call->target, &ask, shared ? &call->claim : &own,
                           &call->answer);
    http_discount(http, &http->handlers);
    cleat_buffer_fini(&call->body);
    cleat_budget_give(&call->claim);
    call->phase = HTTP_ANSWERED;
}

/* A piece of the body. One that is all of it is answered where it lies. */
static enum MHD_Result call_receive(struct http_call *call, const char *data, size_t *size)
{
    size_t length = *size;
    if (call->phase != HTTP_BODY)
        return MHD_NO;
    *size = 0;
    if (length == call->length) {
        call_answer(call, (struct cleat_str){data, length});
        return MHD_YES;
    }
    if (call->body.length == 0 && !cleat_buffer_reserve(&call->body, (size_t)call->length))
        return MHD_NO;
    return cleat_buffer_append(&call->body, data, length) == 0 ? MHD_YES : MHD_NO;
}

static enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload_data, size_t *upload_size, void **context)
{
    struct http_call *call = *context;
    const struct cleat_http *http = arg;
    cleat_assert(http->magic == HTTP_MAGIC);
    if (!call)
        return MHD_NO;
    cleat_assert(call->magic == HTTP_CALL_MAGIC);
    if (call->phase == HTTP_HEAD)
        return call_begin(call, method, version);
    if (*upload_size > 0)
        return call_receive(call, upload_data, upload_size);
    if (call->phase == HTTP_BODY)
        call_answer(call, cleat_buffer_view(&call->body));
    return call_send(call, NULL);
}

static struct MHD_Daemon *http_daemon(struct cleat_http *http, int fd)
{
    const struct cleat_http_options *options = &http->options;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ITC;
    /* Of no effect where there is no TLS. */
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)CLEAT_TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    if (options->tls)
        flags |= MHD_USE_TLS;
    else
        tls[0].option = MHD_OPTION_END;
    unsigned idle_s = (unsigned)((options->idle_ms + 999) / 1000);
    return MHD_start_daemon(
        flags, 0, NULL, NULL, http_on_request, http, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_URI_LOG_CALLBACK, http_on_uri, http, MHD_OPTION_UNESCAPE_CALLBACK, http_unescape,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
        http_on_connection, http, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, options->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        idle_s, MHD_OPTION_THREAD_STACK_SIZE, HTTP_STACK_BYTES, MHD_OPTION_HTTPS_CERT_CALLBACK2,
        cleat_tls_retrieve, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

/* Its threads inherit a mask that leaves every signal to others. */
static struct MHD_Daemon *http_daemon_quiet(struct cleat_http *http, int fd)
{
    sigset_t all, before;
    (void)sigfillset(&all); /* can't fail */
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    cleat_assert(rc == 0);
    struct MHD_Daemon *daemon = http_daemon(http, fd);
    rc = pthread_sigmask(SIG_SETMASK, &before, NULL);
    cleat_assert(rc == 0);
    return daemon;
}

int cleat_http_start(const struct cleat_http_options *options, int fd, struct cleat_http **ret,
                     struct cleat_err *err)
{
    struct cleat_http *http = cleat_mem_zalloc(1, sizeof(*http));
    if (!http)
        return cleat_err_set(err, -ENOMEM, "no memory for the %s server", options->name);
    http->magic = HTTP_MAGIC;
    http->options = *options;
    cleat_lock_init(&http->lock, CLEAT_LOCK_HTTP);
    cleat_cond_init(&http->idle);
    http->daemon = http_daemon_quiet(http, fd);
    if (!http->daemon) {
        (void)cleat_http_free(http); /* always NULL */
        return cleat_err_set(err, -EIO, "the %s server can't be started", options->name);
    }
    *ret = http;
    return 0;
}

void cleat_http_drain(struct cleat_http *http)
{
    atomic_store_explicit(&http->draining, true, memory_order_relaxed);
}

void cleat_http_quiesce(struct cleat_http *http)
{
    cleat_http_drain(http);
    atomic_store(&http->stopping, true);
    int fd = MHD_quiesce_daemon(http->daemon);
    if (fd < 0)
        return;
    /* Closing alone would leave it listening while libmicrohttpd's thread still polls it. */
    (void)shutdown(fd, SHUT_RDWR);
    (void)close(fd); /* nothing was written to it */
}

/* Waits until @counter is 0; true where it is. */
static bool http_wait(struct cleat_http *http, _Atomic(unsigned) *counter, int64_t timeout_ms)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(clock) + timeout_ms;
    cleat_lock_take(&http->lock);
    while (atomic_load(counter) > 0) {
        int64_t left_ms = timeout_ms < 0 ? -1 : until_ms - cleat_clock_mono_ms(clock);
        if ((timeout_ms >= 0 && left_ms <= 0) ||
            cleat_cond_wait_ms(&http->idle, &http->lock, left_ms) == ETIMEDOUT)
            break;
    }
    bool none = atomic_load(counter) == 0;
    cleat_lock_release(&http->lock);
    return none;
}

int cleat_http_join(struct cleat_http *http, int64_t timeout_ms)
{
    cleat_assert(atomic_load(&http->stopping));
    if (!http_wait(http, &http->requests, timeout_ms) && atomic_load(&http->handlers) > 0)
        return -ETIMEDOUT;
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
    return 0;
}

struct cleat_http *cleat_http_free(struct cleat_http *http)
{
    if (!http)
        return NULL;
    cleat_assert(!http->daemon);
    cleat_cond_fini(&http->idle);
    cleat_lock_fini(&http->lock);
    http->magic = 0;
    return cleat_mem_free(http);
}
