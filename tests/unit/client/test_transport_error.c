/* SPDX-License-Identifier: Apache-2.0 */
/* One clear line for each way in which a request can fail, and for each sort of refusal. */
#include <stdio.h>
#include "client/transport_curl.h"
#include "support/client_fixture.h"
#include "support/suite.h"

#define PREFIX "GET https://10.0.0.1:6443/api/v1/pods: "

static char display[] = "https://10.0.0.1:6443";
static char verify_name[] = "10.0.0.1";

static struct cleat_transport transport = {
    .endpoint = {.display = display, .verify_name = verify_name, .tls = true}};

START_TEST(test_failures)
{
    static const struct {
        CURLcode code;
        const char *message;
        int sink;
        int result;
        const char *text;
    } cases[] = {
        {CURLE_COULDNT_RESOLVE_HOST, "x", 0, -EHOSTUNREACH, "host name can't be resolved"},
        {CURLE_COULDNT_RESOLVE_PROXY, "x", 0, -EHOSTUNREACH, "the proxy's name can't be resolved"},
        {CURLE_COULDNT_CONNECT, "", 0, -ECONNREFUSED, "no connection"},
        {CURLE_COULDNT_CONNECT, "no luck", 0, -ECONNREFUSED, "no luck"},
        {CURLE_OPERATION_TIMEDOUT, "x", 0, -ETIMEDOUT, "no connection within the time limit"},
        {CURLE_PEER_FAILED_VERIFICATION, "SSL: no alternative certificate subject name matches", 0,
         -EKEYREJECTED, "certificate is not valid for the name 10.0.0.1"},
        {CURLE_SSL_CONNECT_ERROR, "wrong version number", 0, -EPROTO,
         "TLS handshake failed: wrong version number"},
        {CURLE_SSL_CONNECT_ERROR, "Recv failure: Connection reset by peer", 0, -ECONNRESET,
         "connection broke in the TLS handshake: Recv failure: Connection reset by peer"},
        {CURLE_SSL_CONNECT_ERROR, "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x", 0,
         -ECONNRESET,
         "connection broke in the TLS handshake: OpenSSL SSL_connect: SSL_ERROR_SYSCALL in "
         "connection to x"},
        {CURLE_SSL_CERTPROBLEM, "bad key", 0, -EINVAL,
         "client certificate or key can't be used: bad key"},
        {CURLE_SSL_CACERT_BADFILE, "", 0, -EINVAL, "the configured CA can't be read"},
        {CURLE_WRITE_ERROR, "", -EMSGSIZE, -EMSGSIZE, "answer is larger than its limit"},
        {CURLE_WRITE_ERROR, "odd", 0, -EIO, "answer can't be taken: odd"},
        {CURLE_GOT_NOTHING, "x", 0, -ECONNRESET, "connection broke before the answer came"},
        {CURLE_SEND_ERROR, "x", 0, -ECONNRESET, "connection broke before the answer came"},
        {CURLE_RECV_ERROR, "x", 0, -ECONNRESET, "connection broke before the answer came"},
        {CURLE_SEND_FAIL_REWIND, "x", 0, -ECONNRESET, "connection broke before the answer came"},
        {CURLE_PARTIAL_FILE, "x", 0, -ECONNRESET, "connection broke in the middle of the answer"},
        {CURLE_HTTP2, "gone", 0, -ECONNRESET, "HTTP/2 stream broke: gone"},
        {CURLE_HTTP2_STREAM, "", 0, -ECONNRESET, "HTTP/2 stream broke"},
        {CURLE_BAD_CONTENT_ENCODING, "x", 0, -EPROTO, "answer's compression is broken"},
        {CURLE_WEIRD_SERVER_REPLY, "Invalid status line", 0, -EPROTO,
         "no valid answer: Invalid status line"},
        {CURLE_WEIRD_SERVER_REPLY, "", 0, -EPROTO, "Weird server reply"},
    };
    CURL *easy = curl_easy_init();
    ck_assert_ptr_nonnull(easy);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        char expected[256];
        const struct transport_failure failure = {
            .method = "GET",
            .path = "/api/v1/pods?watch=true",
            .code = cases[i].code,
            .message = cases[i].message,
            .timeout_ms = 100,
            .sink = cases[i].sink,
        };
        (void)snprintf(expected, sizeof(expected), PREFIX "%s", cases[i].text);
        ck_assert_int_eq(cleat__transport_fail(&transport, easy, &failure, &err), cases[i].result);
        ck_assert_str_eq(err.text, expected);
        ck_assert_int_eq(err.code, cases[i].result);
    }
    curl_easy_cleanup(easy);
}
END_TEST

START_TEST(test_codes_without_a_line)
{
    CURL *easy = curl_easy_init();
    struct cleat_err err = CLEAT_ERR_INIT;
    struct transport_failure failure = {
        .method = "GET", .path = "/", .code = CURLE_OUT_OF_MEMORY, .message = ""};
    ck_assert_int_eq(cleat__transport_fail(&transport, easy, &failure, &err), -ENOMEM);
    failure.code = CURLE_WRITE_ERROR;
    failure.sink = -EBADMSG;
    ck_assert_int_eq(cleat__transport_fail(&transport, easy, &failure, &err), -EBADMSG);
    ck_assert_int_eq(err.code, 0);
    curl_easy_cleanup(easy);
}
END_TEST

#define STATUS(reason, message) \
    "{\"kind\":\"Status\",\"reason\":\"" reason "\",\"message\":\"" message "\"}"

START_TEST(test_refusals)
{
    static const struct {
        const char *method;
        int code;
        const char *body;
        int result;
        const char *reason;
        const char *text;
    } cases[] = {
        {"GET", 404, STATUS("NotFound", "pods not found"), -ENOENT, "NotFound", "pods not found"},
        {"POST", 409, STATUS("AlreadyExists", "it is there"), -EEXIST, "AlreadyExists",
         "it is there"},
        {"POST", 409, "", -EEXIST, "AlreadyExists", NULL},
        {"PUT", 409, "", -EAGAIN, "Conflict", NULL},
        {"GET", 401, "", -EPERM, "Unauthorized", NULL},
        {"GET", 403, "<html>", -EACCES, "Forbidden", NULL},
        {"GET", 410, "{}", -ESTALE, NULL, NULL},
        {"PUT", 413, "{\"kind\":\"Status\"}", -E2BIG, NULL, NULL},
        {"PUT", 422, "[]", -EINVAL, "Invalid", NULL},
        {"GET", 504, "\xff\xfe", -ETIMEDOUT, NULL, NULL},
        {"GET", 502, "Bad Gateway", -EIO, NULL, NULL},
        {"GET", 302, "", -EPROTO, NULL, PREFIX "redirects aren't followed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        char prefix[128];
        const struct transport_head head = {
            .code = cases[i].code, .has_retry_after = true, .retry_after_ms = 1500};
        int result = cleat__transport_refuse(&transport, cases[i].method, "/api/v1/pods?x=y", &head,
                                             cleat_str_of(cases[i].body), &err);
        ck_assert_msg(result == cases[i].result, "%d: %d", cases[i].code, result);
        ck_assert_int_eq(err.code, result);
        ck_assert_int_eq(err.http_status, cases[i].code);
        ck_assert_int_eq(err.retry_after_ms, 1500);
        if (cases[i].reason)
            ck_assert_str_eq(err.reason, cases[i].reason);
        (void)snprintf(prefix, sizeof(prefix),
                       "%s https://10.0.0.1:6443/api/v1/pods: ", cases[i].method);
        if (cases[i].text)
            ck_assert_str_eq(err.text, cases[i].text);
        else
            ck_assert_msg(strncmp(err.text, prefix, strlen(prefix)) == 0, "%s", err.text);
    }
}
END_TEST

START_TEST(test_first_writer_wins)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct transport_head head = {.code = 404};
    (void)cleat_err_set(&err, -EIO, "first");
    ck_assert_int_eq(cleat__transport_refuse(&transport, "GET", "/", &head, CLEAT_STR(""), &err),
                     -ENOENT);
    ck_assert_str_eq(err.text, "first");
    ck_assert_int_eq(cleat__transport_refuse(&transport, "GET", "/", &head, CLEAT_STR(""), NULL),
                     -ENOENT);
}
END_TEST

CLEAT_SUITE_MAIN("transport_error", test_failures, test_codes_without_a_line, test_refusals,
                 test_first_writer_wins)
