/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One clear line for each way in which a request can fail, with its method, server and path.
 */
#include "client/transport_curl.h"

#include <errno.h>
#include <string.h>
#include <cleat/document.h>
#include <cleat/object.h>
#include <cleat/status.h>

/* Numbers of OpenSSL's X509_V_ERR_…, which CURLINFO_SSL_VERIFYRESULT hands through. */
enum {
    ERROR_VERIFY_NO_ISSUER = 2,
    ERROR_VERIFY_NOT_YET = 9,
    ERROR_VERIFY_EXPIRED = 10,
    ERROR_VERIFY_SELF_SIGNED = 18,
    ERROR_VERIFY_SELF_SIGNED_CHAIN = 19,
    ERROR_VERIFY_NO_LOCAL_ISSUER = 20,
    ERROR_VERIFY_LEAF = 21,
};

struct error_context {
    const struct cleat_transport *transport;
    CURL *easy;
    const struct transport_failure *failure;
    struct cleat_err *err;
};

/* The path without its query, which says nothing to people. */
static int error_path_length(const char *path)
{
    return (int)strcspn(path, "?");
}

static int error_line(const struct error_context *context, int code, const char *fact)
{
    const struct transport_failure *failure = context->failure;
    return cleat_err_set(context->err, code, "%s %s%.*s: %s", failure->method,
                         context->transport->endpoint.display, error_path_length(failure->path),
                         failure->path, fact);
}

static int error_verify(const struct error_context *context)
{
    long result = 0;
    (void)curl_easy_getinfo(context->easy, CURLINFO_SSL_VERIFYRESULT, &result);
    char fact[CURL_ERROR_SIZE + 64];
    switch (result) {
    case ERROR_VERIFY_NO_ISSUER:
    case ERROR_VERIFY_SELF_SIGNED:
    case ERROR_VERIFY_SELF_SIGNED_CHAIN:
    case ERROR_VERIFY_NO_LOCAL_ISSUER:
    case ERROR_VERIFY_LEAF:
        return error_line(context, -EKEYREJECTED, "certificate is not signed by the configured CA");
    case ERROR_VERIFY_EXPIRED: return error_line(context, -EKEYREJECTED, "certificate has expired");
    case ERROR_VERIFY_NOT_YET:
        return error_line(context, -EKEYREJECTED, "certificate is not valid yet");
    default: break;
    }
    if (result == 0 || strstr(context->failure->message, "subject name")) {
        (void)snprintf(fact, sizeof(fact), "certificate is not valid for the name %.200s",
                       context->transport->endpoint.verify_name);
    } else {
        (void)snprintf(fact, sizeof(fact), "certificate can't be verified: %s",
                       context->failure->message);
    }
    return error_line(context, -EKEYREJECTED, fact);
}

static int error_connect(const struct error_context *context)
{
    long number = 0;
    (void)curl_easy_getinfo(context->easy, CURLINFO_OS_ERRNO, &number);
    switch (number) {
    case ECONNREFUSED: return error_line(context, -ECONNREFUSED, "connection refused");
    case ENETUNREACH:
    case EHOSTUNREACH: return error_line(context, -EHOSTUNREACH, "server is unreachable");
    case ETIMEDOUT: return error_line(context, -ETIMEDOUT, "no connection in time");
    default:
        return error_line(context, number > 0 ? -(int)number : -ECONNREFUSED,
                          context->failure->message[0] ? context->failure->message
                                                       : "no connection");
    }
}

static int error_timeout(const struct error_context *context)
{
    double connected = 0;
    (void)curl_easy_getinfo(context->easy, CURLINFO_PRETRANSFER_TIME, &connected);
    char fact[96];
    if (connected > 0) {
        (void)snprintf(fact, sizeof(fact), "no complete answer within %lld ms",
                       (long long)context->failure->timeout_ms);
    } else {
        (void)snprintf(fact, sizeof(fact), "no connection within the time limit");
    }
    return error_line(context, -ETIMEDOUT, fact);
}

static int error_detail(const struct error_context *context, int code, const char *fact)
{
    const char *message = context->failure->message;
    char whole[CURL_ERROR_SIZE + 96];
    (void)snprintf(whole, sizeof(whole), "%s%s%s", fact, message[0] ? ": " : "", message);
    return error_line(context, code, whole);
}

/* A handshake that the other side or the way between cut off says nothing of either's protocol, and
 * the next one may succeed. libcurl tells it only in words. */
static int error_handshake(const struct error_context *context)
{
    static const char *const cut[] = {"Connection reset", "Broken pipe", "SSL_ERROR_SYSCALL",
                                      "unexpected eof"};
    for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++)
        if (strstr(context->failure->message, cut[i]))
            return error_detail(context, -ECONNRESET, "connection broke in the TLS handshake");
    return error_detail(context, -EPROTO, "TLS handshake failed");
}

/* A callback of ours stopped the transfer. */
static int error_sink(const struct error_context *context)
{
    int sink = context->failure->sink;
    if (context->failure->aborted)
        return error_line(context, -ECANCELED, "given up by its caller");
    if (sink == -EMSGSIZE)
        return error_line(context, sink, "answer is larger than its limit");
    return sink < 0 ? sink : error_detail(context, -EIO, "answer can't be taken");
}

int cleat__transport_fail(const struct cleat_transport *transport, CURL *easy,
                          const struct transport_failure *failure, struct cleat_err *err)
{
    const struct error_context context = {transport, easy, failure, err};
    switch (failure->code) {
    case CURLE_OUT_OF_MEMORY: return -ENOMEM;
    case CURLE_COULDNT_RESOLVE_PROXY:
        return error_line(&context, -EHOSTUNREACH, "the proxy's name can't be resolved");
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_line(&context, -EHOSTUNREACH, "host name can't be resolved");
    case CURLE_COULDNT_CONNECT: return error_connect(&context);
    case CURLE_OPERATION_TIMEDOUT: return error_timeout(&context);
    case CURLE_PEER_FAILED_VERIFICATION: return error_verify(&context);
    case CURLE_SSL_CONNECT_ERROR: return error_handshake(&context);
    case CURLE_SSL_CERTPROBLEM:
        return error_detail(&context, -EINVAL, "client certificate or key can't be used");
    case CURLE_SSL_CACERT_BADFILE:
        return error_detail(&context, -EINVAL, "the configured CA can't be read");
    case CURLE_WRITE_ERROR:
    case CURLE_ABORTED_BY_CALLBACK: return error_sink(&context);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
        return error_line(&context, -ECONNRESET, "connection broke before the answer came");
    case CURLE_PARTIAL_FILE:
        return error_line(&context, -ECONNRESET, "connection broke in the middle of the answer");
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return error_detail(&context, -ECONNRESET, "HTTP/2 stream broke");
    case CURLE_BAD_CONTENT_ENCODING:
        return error_line(&context, -EPROTO, "answer's compression is broken");
    default:
        return error_detail(&context, -EPROTO,
                            failure->message[0] ? "no valid answer"
                                                : curl_easy_strerror(failure->code));
    }
}

static bool error_is_status(struct cleat_value root)
{
    return cleat_value_is(cleat_value_get(root, "kind"), "Status") &&
           cleat_value_type(cleat_value_get(root, "message")) == CLEAT_TYPE_STRING;
}

int cleat__transport_refuse(const struct cleat_transport *transport, const char *method,
                            const char *path, const struct transport_head *head,
                            struct cleat_str body, struct cleat_err *err)
{
    struct cleat_err local = CLEAT_ERR_INIT;
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    struct cleat_value root = CLEAT_VALUE_NONE;
    if (body.length > 0 && cleat_document_parse(body, &document, NULL) == 0)
        root = cleat_document_root(document);
    if (!error_is_status(root))
        root = CLEAT_VALUE_NONE;
    int result = head->code >= 400
                     ? cleat_status_decode(head->code, root, strcmp(method, "POST") == 0, &local)
                     : cleat_err_set(&local, -EPROTO, "redirects aren't followed");
    local.code = result;
    local.http_status = head->code;
    if (head->has_retry_after)
        local.retry_after_ms = head->retry_after_ms;
    if (!cleat_value_is_present(root)) {
        cleat_err_prefix(&local, "%s %s%.*s", method, transport->endpoint.display,
                         error_path_length(path), path);
    }
    if (err && err->code == 0)
        *err = local;
    return result;
}
