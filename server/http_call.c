/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection and its request of the moment.
 *
 * Invariants: what a struct http_call holds is touched by its connection's thread alone, but for
 * its making and its end, which libmicrohttpd orders before and after that thread. A claim on the
 * budget is given back with the request's completion, whatever ends it. Each step of a request is a
 * move in the table; where that says that the connection is cut, nothing more is done for it.
 */
#include "server/http_internal.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "server/http_body.h"
#include "server/http_head.h"
#include "webhooks/registry.h"

#define HTTP_CALL_MAGIC 0x63616c6cu
#define HTTP_PATH_BYTES 512
#define HTTP_QUERY_BYTES 1024
#define HTTP_ANSWER_BYTES_MAX (64 * CLEAT_MIB)
#define HTTP_ANSWER_BYTES_KEPT (64 * CLEAT_KIB)
#define HTTP_LINGER_BYTES (64 * CLEAT_KIB)
#define HTTP_LINGER_MS 100
#define HTTP_UNSENT_BYTES (128 * 1024)  /* in the kernel; it takes double for its own */
#define HTTP_BODY_BYTES_PER_S CLEAT_MIB /* at least, beyond the time that every body has */

enum http_step {
    HTTP_NONE,
    HTTP_LINE,    /* the request line is here */
    HTTP_TAKEN,   /* accepted: its body comes */
    HTTP_ANSWERED /* the answer is made, but not on its way yet */
};

/* One connection, with its request of the moment; everything is of the connection's thread. */
struct http_call {
    unsigned magic;
    struct cleat_http *http;
    struct MHD_Connection *connection;
    struct cleat_http_entry entry;
    struct cleat_tls_peer peer;
    bool named; /* the thread */
    bool asked; /* a request before this one */
    enum http_step step;
    bool linger;
    struct cleat_http_target target;
    struct cleat_budget_claim claim;
    uint64_t length; /* of the body */
    struct cleat_http_body body;
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

static struct gnutls_session_int *connection_session(const struct cleat_http *http,
                                                     struct MHD_Connection *connection)
{
    if (!http->options.tls)
        return NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info ? info->tls_session : NULL;
}

static struct gnutls_session_int *call_session(const struct http_call *call)
{
    return connection_session(call->http, call->connection);
}

static int call_socket(const struct http_call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

/* No part of a handshake waits for an acknowledgement; later libmicrohttpd sees to that itself. And
 * the kernel keeps no megabytes for a client that doesn't read. */
static void socket_tune(int fd)
{
    const int on = 1, bytes = HTTP_UNSENT_BYTES;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* both are only helps */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

enum MHD_Result cleat__http_on_accept(void *arg, const struct sockaddr *address, socklen_t length)
{
    struct cleat_http *http = arg;
    uint8_t bytes[CLEAT_HTTP_ADDRESS_BYTES];
    cleat_assert(http->magic == CLEAT_HTTP_MAGIC);
    cleat_http_address_of(address, bytes);
    return cleat_http_table_admit(&http->table, bytes) ? MHD_YES : MHD_NO;
}

/* Into the table; false: without it, the connection would have no deadlines. */
static bool call_enter(struct http_call *call, int fd)
{
    uint8_t bytes[CLEAT_HTTP_ADDRESS_BYTES];
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    cleat_http_address_of(info ? info->client_addr : NULL, bytes);
    int r = cleat_http_table_enter(&call->http->table, &call->entry, fd, bytes);
    if (r > 0)
        cleat_ticker_kick(&call->http->ticker);
    return r >= 0;
}

static struct http_call *call_new(struct cleat_http *http, struct MHD_Connection *connection)
{
    struct http_call *call = cleat_mem_zalloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->magic = HTTP_CALL_MAGIC;
    call->http = http;
    call->connection = connection;
    cleat_buffer_init(&call->text, HTTP_ANSWER_BYTES_MAX);
    cleat_tls_peer_init(&call->peer, http->options.tls, http->options.clients, call_session(call));
    return call;
}

static void call_open(struct cleat_http *http, struct MHD_Connection *connection, void **context)
{
    struct http_call *call = call_new(http, connection);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info ? info->connect_fd : -1;
    *context = call;
    if (!call)
        cleat_tls_peer_none(connection_session(http, connection));
    if (!call || !call_enter(call, fd)) {
        (void)shutdown(fd, SHUT_RDWR); /* its thread finds that out and ends */
        return;
    }
    socket_tune(fd);
}

/* A handshake that came to nothing is counted, and told where it was our doing. */
static void call_count_handshake(const struct http_call *call)
{
    struct cleat_http *http = call->http;
    enum cleat_tls_refusal refusal = call->peer.refusal;
    if (!http->options.tls || (call->peer.finished && cleat_tls_peer_accepted(&call->peer)))
        return;
    cleat_series_add(http->stats.handshakes[refusal], 1);
    if (refusal != CLEAT_TLS_UNFINISHED)
        cleat_report(&http->unknown_client, http->options.log, CLEAT_LOG_WARN,
                     "a client was refused by its certificate",
                     cleat_log_text("server", http->options.name),
                     cleat_log_text("reason", cleat_tls_refusal_text(refusal)));
}

void cleat__http_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    struct cleat_http *http = arg;
    struct http_call *call = *context;
    cleat_assert(http->magic == CLEAT_HTTP_MAGIC);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        call_open(http, connection, context);
        return;
    }
    *context = NULL;
    if (!call)
        return;
    cleat_http_table_leave(&http->table, &call->entry);
    call_count_handshake(call);
    cleat_tls_peer_release(&call->peer);
    cleat_http_body_fini(&call->body);
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

void *cleat__http_on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct http_call *call = call_of(connection);
    if (!call || !cleat_tls_peer_accepted(&call->peer))
        return NULL;
    /* A request: the handshake is over, and GnuTLS is done with the certificate. */
    cleat_tls_peer_release(&call->peer);
    call->step = HTTP_LINE;
    call_target(call, uri ? uri : "");
    /* The first head has had its time since the accept. Cut, it ends at the next look. */
    if (call->asked)
        (void)cleat_http_table_move(&call->http->table, &call->entry, CLEAT_HTTP_HEAD);
    call->asked = true;
    return call;
}

/* Leaves targets as they came. */
size_t cleat__http_unescape(void *arg, struct MHD_Connection *connection, char *text)
{
    return strlen(text);
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

void cleat__http_on_completed(void *arg, struct MHD_Connection *connection, void **context,
                              enum MHD_RequestTerminationCode code)
{
    struct http_call *call = *context;
    *context = NULL;
    if (!call)
        return;
    if (call->linger && code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        call_linger(call);
    cleat_budget_give(&call->claim);
    cleat_http_body_fini(&call->body);
    if (call->text.capacity > HTTP_ANSWER_BYTES_KEPT)
        cleat_buffer_fini(&call->text);
    call->step = HTTP_NONE;
    call->linger = false;
    (void)cleat_http_table_move(&call->http->table, &call->entry, CLEAT_HTTP_IDLE); /* or cut */
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
    response_header(response, "X-Content-Type-Options", "nosniff");
    response_header(response, "Allow", allow);
    response_header(response, "WWW-Authenticate", answer->challenge);
    response_header(response, "Retry-After", retry_after[0] ? retry_after : NULL);
    response_header(response, "Connection", close ? "close" : NULL);
    call->linger = answer->status != 200;
    enum MHD_Result result = MHD_NO;
    if (cleat_http_table_move(&call->http->table, &call->entry, CLEAT_HTTP_WRITE))
        result = MHD_queue_response(call->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static void call_answer_begin(struct http_call *call)
{
    cleat_buffer_reset(&call->text);
    call->answer = (struct cleat_http_answer){.body = &call->text};
}

static void call_refuse_make(struct http_call *call, const struct cleat_http_refusal *refusal)
{
    call_answer_begin(call);
    call->answer.status = refusal->status;
    call->answer.retry_after_s = refusal->retry_after_s;
    call->answer.content_type = "text/plain; charset=utf-8";
    (void)cleat_buffer_format(&call->text, "%s\n", refusal->text); /* or without a text */
    cleat_http_stats_refused(&call->http->stats, refusal->status);
    call->step = HTTP_ANSWERED;
}

static enum MHD_Result call_refuse(struct http_call *call, const struct cleat_http_refusal *refusal)
{
    call_refuse_make(call, refusal);
    return call_send(call, refusal->allow);
}

static struct cleat_budget *http_budget(const struct cleat_http *http)
{
    struct cleat_webhooks *webhooks = http->options.site->webhooks;
    if (http->options.budget)
        return http->options.budget;
    return webhooks ? cleat_webhooks_budget(webhooks) : NULL;
}

static const struct cleat_http_refusal http_crowded = {
    .status = 503, .text = "too many bytes are in flight", .retry_after_s = 1};

/* What is parsed is about as large as its text: a large body claims both, or all bodies would be
 * let in and none could be parsed. */
static int call_claim(struct http_call *call)
{
    struct cleat_budget *budget = http_budget(call->http);
    size_t bytes = (size_t)call->length;
    if (budget && bytes > budget->request_bytes_max[CLEAT_BUDGET_SMALL]) {
        size_t most = budget->bytes_max[CLEAT_BUDGET_LARGE];
        bytes = bytes <= most / 2 ? 2 * bytes : bytes < most ? most : bytes;
    }
    return cleat_budget_take(budget, bytes, &call->claim);
}

/* Everything about the head; then room for the body is claimed. Tiny ones are counted only when
 * they are whole: slow clients can't hold the share of these. */
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
    struct cleat_budget *budget = http_budget(call->http);
    if (call->target.kind != CLEAT_HTTP_WEBHOOK ||
        (budget && cleat_budget_is_tiny(budget, (size_t)head.length)) || call_claim(call) == 0)
        return 0;
    *refusal = http_crowded;
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
    if (call_judge(call, method, version, &refusal))
        return call_refuse(call, &refusal);
    call->step = HTTP_TAKEN;
    int64_t body_ms = call->http->options.body_ms +
                      (int64_t)(call->length / HTTP_BODY_BYTES_PER_S) * INT64_C(1000);
    return cleat_http_table_move_body(&call->http->table, &call->entry, body_ms) ? MHD_YES : MHD_NO;
}

/* The value of a header that the rules let appear once, "" where it isn't there; borrowed until the
 * request's end. */
static struct cleat_str call_header(const struct http_call *call, const char *name)
{
    const char *value = MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
    return cleat_str_of(value ? value : "");
}

/* False where the connection was cut before its handler ran. */
static bool call_answer(struct http_call *call, struct cleat_str body)
{
    const struct cleat_http_ask ask = {.path = call->path,
                                       .query = call->query,
                                       .authorization = call_header(call, "Authorization"),
                                       .body = body};
    struct cleat_http *http = call->http;
    struct cleat_budget_claim own = {0};
    /* The webhooks go on counting in our claim, unless it is of another budget. */
    bool shared = http->options.budget == NULL;
    if (!cleat_http_table_move(&http->table, &call->entry, CLEAT_HTTP_BUSY))
        return false;
    if (call->target.kind == CLEAT_HTTP_WEBHOOK && !call->claim.budget && call_claim(call) < 0) {
        call_refuse_make(call, &http_crowded);
        return true;
    }
    call_answer_begin(call);
    cleat_http_site_answer(http->options.site, &call->target, &ask, shared ? &call->claim : &own,
                           &call->answer);
    cleat_http_body_fini(&call->body);
    cleat_budget_give(&call->claim);
    call->step = HTTP_ANSWERED;
    if (!call->answer.content_type)
        cleat_http_stats_refused(&http->stats, call->answer.status);
    return true;
}

/* A piece of the body. One that is all of it is answered where it lies. */
static enum MHD_Result call_receive(struct http_call *call, const char *data, size_t *size)
{
    size_t length = *size;
    if (call->step != HTTP_TAKEN)
        return MHD_NO;
    *size = 0;
    if (length == call->length)
        return call_answer(call, (struct cleat_str){data, length}) ? MHD_YES : MHD_NO;
    if (!call->body.data && cleat_http_body_reserve(&call->body, (size_t)call->length) < 0)
        return MHD_NO;
    return cleat_http_body_add(&call->body, data, length) == 0 ? MHD_YES : MHD_NO;
}

enum MHD_Result cleat__http_on_request(void *arg, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload_data, size_t *upload_size, void **context)
{
    struct http_call *call = *context;
    const struct cleat_http *http = arg;
    cleat_assert(http->magic == CLEAT_HTTP_MAGIC);
    if (!call)
        return MHD_NO;
    cleat_assert(call->magic == HTTP_CALL_MAGIC);
    if (call->step == HTTP_LINE)
        return call_begin(call, method, version);
    if (*upload_size > 0)
        return call_receive(call, upload_data, upload_size);
    if (call->step == HTTP_TAKEN && !call_answer(call, cleat_http_body_view(&call->body)))
        return MHD_NO;
    return call_send(call, NULL);
}
