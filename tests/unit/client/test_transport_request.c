/* SPDX-License-Identifier: Apache-2.0 */
/* Unary requests over plain loopback: what is sent, what comes back, how it fails, what is reused.
 */
#include <pthread.h>
#include <stdio.h>
#include "base/limits.h"
#include "base/mem.h"
#include "support/client_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

#define HELD_MAX 16

/* What the scripted server saw last, and what it answers. */
struct script {
    char method[16];
    char target[512];
    char headers[4096];
    char body[512];
    int status;
    const char *extra;
    const char *answer;
};

static void script_plain(void *arg, struct script_exchange *exchange,
                         const struct script_request *request)
{
    struct script *script = arg;
    (void)snprintf(script->method, sizeof(script->method), "%s", request->method);
    (void)snprintf(script->target, sizeof(script->target), "%.500s", request->target);
    (void)snprintf(script->headers, sizeof(script->headers), "%s", request->headers);
    (void)snprintf(script->body, sizeof(script->body), "%s", request->body);
    script_reply(exchange, script->status ? script->status : 200, script->extra,
                 script->answer ? script->answer : "{}");
}

static bool has_line(const char *headers, const char *line)
{
    const char *at = strstr(headers, line);
    return at && (at == headers || at[-1] == '\n') && at[strlen(line)] == '\r';
}

START_TEST(test_get)
{
    struct script script = {.answer = "{\"a\":1}"};
    struct client_fixture fixture;
    struct cleat_transport_answer answer;
    const struct cleat_transport_request request = {.method = "GET",
                                                    .path = "/api/v1/pods?limit=5"};
    client_fixture_init(&fixture, script_plain, &script);
    fixture.options.user_agent = "tester/1";
    client_fixture_open(&fixture);
    cleat_transport_answer_init(&answer);
    ck_assert_int_eq(
        cleat_transport_call(cleat__client_transport(fixture.client), &request, &answer, NULL), 0);
    ck_assert_int_eq(answer.code, 200);
    ck_assert_str_eq(answer.body.data, "{\"a\":1}");
    ck_assert_str_eq(script.method, "GET");
    ck_assert_str_eq(script.target, "/api/v1/pods?limit=5");
    ck_assert(has_line(script.headers, "Accept: application/json"));
    ck_assert(has_line(script.headers, "User-Agent: tester/1"));
    ck_assert_ptr_null(strstr(script.headers, "Accept-Encoding"));
    ck_assert_ptr_null(strstr(script.headers, "Authorization"));
    cleat_transport_answer_fini(&answer);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_body_and_types)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < 4; i++) {
        struct script script = {.status = 201};
        struct client_fixture fixture;
        struct cleat_transport_answer answer;
        const struct cleat_transport_request request = {
            .method = methods[i],
            .path = "/x",
            .body = CLEAT_STR("{\"b\":2}"),
            .content_type = i == 2 ? "application/merge-patch+json" : NULL,
            .accept = "application/json;as=Table",
            .gzip = true,
        };
        client_fixture_init(&fixture, script_plain, &script);
        client_fixture_open(&fixture);
        cleat_transport_answer_init(&answer);
        ck_assert_int_eq(
            cleat_transport_call(cleat__client_transport(fixture.client), &request, &answer, NULL),
            0);
        ck_assert_int_eq(answer.code, 201);
        ck_assert_str_eq(script.method, methods[i]);
        ck_assert_str_eq(script.body, "{\"b\":2}");
        ck_assert(has_line(script.headers, i == 2 ? "Content-Type: application/merge-patch+json"
                                                  : "Content-Type: application/json"));
        ck_assert(has_line(script.headers, "Accept: application/json;as=Table"));
        ck_assert(has_line(script.headers, "Accept-Encoding: gzip"));
        ck_assert(has_line(script.headers, "Content-Length: 7"));
        ck_assert_ptr_null(strstr(script.headers, "Expect"));
        ck_assert_ptr_null(strstr(script.headers, "Transfer-Encoding"));
        cleat_transport_answer_fini(&answer);
        client_fixture_fini(&fixture);
    }
}
END_TEST

START_TEST(test_path_as_it_is)
{
    struct script script = {0};
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_plain, &script);
    cleat_kubeconfig_free(fixture.config);
    char url[128];
    (void)snprintf(url, sizeof(url), "%s/k8s/clusters/c-1/", script_server_url(fixture.server));
    ck_assert_int_eq(cleat_kubeconfig_new(url, &fixture.config), 0);
    fixture.options.config = fixture.config;
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/a/../b%2F", NULL), 0);
    ck_assert_str_eq(script.target, "/k8s/clusters/c-1/a/../b%2F");
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_impersonation)
{
    struct script script = {0};
    struct client_fixture fixture;
    static char group_a[] = "system:masters";
    static char group_b[] = "dev";
    static char *groups[] = {group_a, group_b, NULL};
    client_fixture_init(&fixture, script_plain, &script);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->as_user, "jane"), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->as_uid, "u-1"), 0);
    fixture.config->as_groups = groups;
    client_fixture_open(&fixture);
    fixture.config->as_groups = NULL;
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert(has_line(script.headers, "Impersonate-User: jane"));
    ck_assert(has_line(script.headers, "Impersonate-Uid: u-1"));
    ck_assert(has_line(script.headers, "Impersonate-Group: system:masters"));
    ck_assert(has_line(script.headers, "Impersonate-Group: dev"));
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_connection_is_kept)
{
    struct script script = {0};
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_plain, &script);
    client_fixture_open(&fixture);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(
            client_fixture_call(&fixture, i % 2 ? "PUT" : "GET", "/", i % 2 ? "{}" : NULL), 0);
    }
    ck_assert_uint_eq(script_server_requests(fixture.server), 20);
    ck_assert_uint_eq(script_server_connections(fixture.server), 1);
    client_fixture_fini(&fixture);
}
END_TEST

static void script_slow(void *arg, struct script_exchange *exchange,
                        const struct script_request *request)
{
    if (request->number == 1)
        (void)script_hold(exchange);
    else
        script_reply(exchange, 200, NULL, "{}");
}

START_TEST(test_timeout_and_fresh_connection)
{
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_slow, NULL);
    fixture.options.timeout_ms = 50;
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/slow?x=1", NULL), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(fixture.err.text, "/slow: no complete answer within"));
    ck_assert_ptr_null(strstr(fixture.err.text, "x=1"));
    client_fixture_fini(&fixture);

    client_fixture_init(&fixture, script_slow, NULL);
    client_fixture_open(&fixture);
    struct cleat_transport_answer answer;
    struct cleat_transport_request request = {
        .method = "GET",
        .path = "/",
        .deadline_mono_ms = cleat_clock_mono_ms(cleat_clock_system()) + 50,
    };
    cleat_transport_answer_init(&answer);
    struct cleat_transport *transport = cleat__client_transport(fixture.client);
    ck_assert_int_eq(cleat_transport_call(transport, &request, &answer, NULL), -ETIMEDOUT);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert_uint_eq(script_server_connections(fixture.server), 2);
    request.deadline_mono_ms = 1;
    ck_assert_int_eq(cleat_transport_call(transport, &request, &answer, &fixture.err), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(fixture.err.text, "deadline has passed"));
    ck_assert_uint_eq(script_server_requests(fixture.server), 2);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_refused)
{
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_slow, NULL);
    client_fixture_open(&fixture);
    int port = script_server_port(fixture.server);
    fixture.server = script_server_free(fixture.server);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/version", NULL), -ECONNREFUSED);
    char expected[128];
    (void)snprintf(expected, sizeof(expected),
                   "GET http://127.0.0.1:%d/version: connection refused", port);
    ck_assert_str_eq(fixture.err.text, expected);
    ck_assert_int_eq(fixture.err.http_status, 0);
    ck_assert_uint_eq(fixture.wait_count, 3);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_errors_of_the_server)
{
    static const struct {
        int status;
        const char *body;
        int result;
        const char *reason;
        const char *text;
    } cases[] = {
        {404,
         "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"pods "
         "\\\"x\\\" not found\",\"reason\":\"NotFound\",\"code\":404}",
         -ENOENT, "NotFound", "pods \"x\" not found"},
        {404, "404 page not found\n", -ENOENT, "NotFound", "/api: server answered 404"},
        {403, "<html>proxy says no</html>", -EACCES, "Forbidden", "/api: server answered 403"},
        {500, "", -EIO, "InternalError", "/api: server answered 500"},
        {301, "", -EPROTO, "", "redirects aren't followed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct script script = {.status = cases[i].status,
                                .answer = cases[i].body,
                                .extra = "Location: http://127.0.0.1:1/\r\n"};
        struct client_fixture fixture;
        client_fixture_init(&fixture, script_plain, &script);
        client_fixture_open(&fixture);
        ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/api", NULL), cases[i].result);
        ck_assert_int_eq(fixture.err.code, cases[i].result);
        ck_assert_int_eq(fixture.err.http_status, cases[i].status);
        ck_assert_str_eq(fixture.err.reason, cases[i].reason);
        ck_assert_msg(strstr(fixture.err.text, cases[i].text) != NULL, "%s", fixture.err.text);
        ck_assert_uint_eq(script_server_requests(fixture.server), 1);
        client_fixture_fini(&fixture);
    }
}
END_TEST

static void script_endless_body(void *arg, struct script_exchange *exchange,
                                const struct script_request *request)
{
    static char block[65536];
    memset(block, 'x', sizeof(block));
    script_reply_chunked(exchange, 200, NULL);
    for (int i = 0; i < 1100; i++)
        script_chunk(exchange, block, sizeof(block));
    script_close(exchange, false);
}

static void script_endless_head(void *arg, struct script_exchange *exchange,
                                const struct script_request *request)
{
    script_send_text(exchange, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 2000; i++)
        script_send_text(exchange, "X-Filler: something that goes on and on\r\n");
    script_send_text(exchange, "Content-Length: 0\r\n\r\n");
}

START_TEST(test_caps)
{
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_endless_body, NULL);
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/big", NULL), -EMSGSIZE);
    ck_assert_ptr_nonnull(strstr(fixture.err.text, "/big: answer is larger than its limit"));
    client_fixture_fini(&fixture);
    client_fixture_init(&fixture, script_endless_head, NULL);
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/big", NULL), -EMSGSIZE);
    client_fixture_fini(&fixture);
}
END_TEST

static void script_garbage(void *arg, struct script_exchange *exchange,
                           const struct script_request *request)
{
    script_send_text(exchange, "\x15\x03\x01 this is no HTTP\r\n\r\n");
    script_close(exchange, false);
}

START_TEST(test_garbage)
{
    struct client_fixture fixture;
    client_fixture_init(&fixture, script_garbage, NULL);
    client_fixture_open(&fixture);
    ck_assert_int_lt(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert_int_eq(strncmp(fixture.err.text, "GET http://127.0.0.1:", 21), 0);
    client_fixture_fini(&fixture);
}
END_TEST

static int refuse_writes(void *arg, bool write, struct cleat_err *err)
{
    int *asked = arg;
    (*asked)++;
    return write ? cleat_err_set(err, -EPERM, "not the leader any more") : 0;
}

START_TEST(test_fence)
{
    struct script script = {0};
    struct client_fixture fixture;
    int asked = 0;
    client_fixture_init(&fixture, script_plain, &script);
    client_fixture_open(&fixture);
    struct cleat_transport_answer answer;
    struct cleat_transport_request request = {.method = "PUT",
                                              .path = "/",
                                              .body = CLEAT_STR("{}"),
                                              .write = true,
                                              .fence = refuse_writes,
                                              .fence_arg = &asked};
    cleat_transport_answer_init(&answer);
    struct cleat_transport *transport = cleat__client_transport(fixture.client);
    ck_assert_int_eq(cleat_transport_call(transport, &request, &answer, &fixture.err), -EPERM);
    ck_assert_str_eq(fixture.err.text, "not the leader any more");
    ck_assert_uint_eq(script_server_requests(fixture.server), 0);
    request.write = false;
    ck_assert_int_eq(cleat_transport_call(transport, &request, &answer, NULL), 0);
    ck_assert_int_eq(asked, 2);
    cleat_transport_answer_fini(&answer);
    client_fixture_fini(&fixture);
}
END_TEST

static void *forbidden_thread(void *arg)
{
    cleat_transport_forbid_blocking();
    return client_fixture_call(arg, "GET", "/", NULL) == -EDEADLK ? NULL : arg;
}

START_TEST(test_forbidden_thread)
{
    struct script script = {0};
    struct client_fixture fixture;
    pthread_t thread;
    client_fixture_init(&fixture, script_plain, &script);
    client_fixture_open(&fixture);
    ck_assert_int_eq(pthread_create(&thread, NULL, forbidden_thread, &fixture), 0);
    void *failed = NULL;
    pthread_join(thread, &failed);
    ck_assert_ptr_null(failed);
    ck_assert_uint_eq(script_server_connections(fixture.server), 0);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    client_fixture_fini(&fixture);
}
END_TEST

struct sums {
    _Atomic(int) count;
    _Atomic(int) code;
    _Atomic(int64_t) duration_ns;
    char host[64];
};

static void observe(void *arg, const char *method, const char *host, int code, int64_t duration_ns)
{
    struct sums *sums = arg;
    sums->count++;
    sums->code = code;
    sums->duration_ns = duration_ns;
    (void)snprintf(sums->host, sizeof(sums->host), "%s %s", method, host);
}

START_TEST(test_observe)
{
    struct script script = {.status = 418};
    struct client_fixture fixture;
    struct sums sums = {0};
    client_fixture_init(&fixture, script_plain, &script);
    fixture.options.observe = observe;
    fixture.options.observe_arg = &sums;
    client_fixture_open(&fixture);
    ck_assert_int_lt(client_fixture_call(&fixture, "POST", "/", "{}"), 0);
    ck_assert_int_eq(sums.count, 1);
    ck_assert_int_eq(sums.code, 418);
    ck_assert_int_gt(sums.duration_ns, 0);
    ck_assert_ptr_nonnull(strstr(sums.host, "POST 127.0.0.1:"));
    client_fixture_fini(&fixture);
}
END_TEST

struct heard {
    char texts[8][64];
    int count;
};

static void hear(void *arg, const char *text)
{
    struct heard *heard = arg;
    ck_assert_int_lt(heard->count, 8);
    (void)snprintf(heard->texts[heard->count++], 64, "%s", text);
}

START_TEST(test_warnings)
{
    struct script script = {
        .extra = "Warning: 299 - \"first\"\r\n"
                 "Warning: 299 agent \"with \\\"quotes\\\"\" \"date\", 299 - \"second, too\"\r\n"
                 "warning: 199 - \"not ours\"\r\n"
                 "Warning: 299 - unquoted\r\n"};
    struct client_fixture fixture;
    struct heard heard = {.count = 0};
    client_fixture_init(&fixture, script_plain, &script);
    fixture.options.warning = hear;
    fixture.options.warning_arg = &heard;
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert_int_eq(heard.count, 3);
    ck_assert_str_eq(heard.texts[0], "first");
    ck_assert_str_eq(heard.texts[1], "with \"quotes\"");
    ck_assert_str_eq(heard.texts[2], "second, too");
    client_fixture_fini(&fixture);
}
END_TEST

static void *many_calls(void *arg)
{
    struct client_fixture *fixture = arg;
    struct cleat_transport *transport = cleat__client_transport(fixture->client);
    for (int i = 0; i < 50; i++) {
        struct cleat_transport_answer answer;
        const struct cleat_transport_request request = {.method = "GET", .path = "/"};
        cleat_transport_answer_init(&answer);
        int result = cleat_transport_call(transport, &request, &answer, NULL);
        bool good = result == 0 && strcmp(answer.body.data, "{}") == 0;
        cleat_transport_answer_fini(&answer);
        if (!good)
            return arg;
    }
    return NULL;
}

static void script_empty(void *arg, struct script_exchange *exchange,
                         const struct script_request *request)
{
    script_reply(exchange, 200, "Warning: 299 - \"same\"\r\n", "{}");
}

START_TEST(test_many_threads)
{
    struct client_fixture fixture;
    pthread_t threads[8];
    client_fixture_init(&fixture, script_empty, NULL);
    client_fixture_open(&fixture);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, many_calls, &fixture), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(script_server_requests(fixture.server), 400);
    ck_assert_uint_le(script_server_connections(fixture.server), 8);
    client_fixture_fini(&fixture);
}
END_TEST

/* {"a":1} */
static const char gzip_text[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x54\xb2\x32"
                                "\xac\x05\x00\xaf\xac\x1b\x56\x07\x00\x00\x00";

struct packed {
    bool broken;
};

static void script_gzip(void *arg, struct script_exchange *exchange,
                        const struct script_request *request)
{
    const struct packed *packed = arg;
    char bytes[sizeof(gzip_text)];
    char head[128];
    memcpy(bytes, gzip_text, sizeof(bytes));
    if (packed->broken)
        bytes[12] ^= 0x55;
    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
                   sizeof(gzip_text) - 1);
    script_send_text(exchange, head);
    script_send(exchange, bytes, sizeof(gzip_text) - 1);
}

START_TEST(test_gzip)
{
    for (int broken = 0; broken < 2; broken++) {
        struct packed packed = {.broken = broken};
        struct client_fixture fixture;
        struct cleat_transport_answer answer;
        const struct cleat_transport_request request = {.method = "GET", .path = "/", .gzip = true};
        client_fixture_init(&fixture, script_gzip, &packed);
        client_fixture_open(&fixture);
        cleat_transport_answer_init(&answer);
        int result = cleat_transport_call(cleat__client_transport(fixture.client), &request,
                                          &answer, &fixture.err);
        if (broken) {
            ck_assert_int_eq(result, -EPROTO);
            ck_assert_ptr_nonnull(strstr(fixture.err.text, "/: answer's compression is broken"));
        } else {
            ck_assert_int_eq(result, 0);
            ck_assert_str_eq(answer.body.data, "{\"a\":1}");
        }
        cleat_transport_answer_fini(&answer);
        client_fixture_fini(&fixture);
    }
}
END_TEST

struct taken {
    char bytes[64];
    size_t length;
    int begun;
    int stop;
};

static int take_bytes(void *arg, const char *bytes, size_t length)
{
    struct taken *taken = arg;
    if (taken->stop)
        return taken->stop;
    ck_assert_uint_lt(taken->length + length, sizeof(taken->bytes));
    memcpy(taken->bytes + taken->length, bytes, length);
    taken->length += length;
    return 0;
}

static void take_begin(void *arg)
{
    ((struct taken *)arg)->begun++;
}

START_TEST(test_bytes_as_they_come)
{
    struct script script = {.answer = "0123456789"};
    struct client_fixture fixture;
    struct taken taken = {.length = 0};
    client_fixture_init(&fixture, script_plain, &script);
    client_fixture_open(&fixture);
    struct cleat_transport_answer answer;
    const struct cleat_transport_request request = {.method = "GET",
                                                    .path = "/",
                                                    .on_bytes = take_bytes,
                                                    .on_begin = take_begin,
                                                    .arg = &taken};
    struct cleat_transport *transport = cleat__client_transport(fixture.client);
    cleat_transport_answer_init(&answer);
    ck_assert_int_eq(cleat_transport_call(transport, &request, &answer, NULL), 0);
    ck_assert_str_eq(taken.bytes, "0123456789");
    ck_assert_int_eq(taken.begun, 1);
    ck_assert_uint_eq(answer.body.length, 0);
    taken.stop = -ECANCELED;
    ck_assert_int_eq(cleat_transport_call(transport, &request, &answer, &fixture.err), -ECANCELED);
    ck_assert_uint_eq(script_server_requests(fixture.server), 2);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_bad_options)
{
    static const struct {
        const char *server;
        const char *fact;
    } cases[] = {
        {"ftp://127.0.0.1", "scheme must be https"},
        {"http://10.0.0.1:6443", "plain http is for loopback"},
        {"http://example.com", "plain http is for loopback"},
        {"https://u:p@127.0.0.1:6443", "credentials don't belong"},
        {"https://127.0.0.1:6443/?a=b", "query or fragment"},
        {"https://127.0.0.1:99999", "not a URL"},
        {"https://", "not a URL"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_kubeconfig *config = NULL;
        struct cleat_client *client = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_kubeconfig_new(cases[i].server, &config), 0);
        const struct cleat_client_options options = {.config = config};
        ck_assert_int_eq(cleat_client_new(&options, &client, &err), -EINVAL);
        ck_assert_msg(strstr(err.text, cases[i].fact) != NULL, "%s", err.text);
        ck_assert_ptr_null(client);
        cleat_kubeconfig_free(config);
    }
}
END_TEST

START_TEST(test_no_credentials_over_plain_http)
{
    struct cleat_kubeconfig *config = NULL;
    struct cleat_client *client = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_kubeconfig_new("http://127.0.0.1:8080", &config), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&config->token, "secret"), 0);
    const struct cleat_client_options options = {.config = config};
    ck_assert_int_eq(cleat_client_new(&options, &client, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "credentials are sent over https only"));
    ck_assert_ptr_null(strstr(err.text, "secret"));
    cleat_kubeconfig_free(config);
}
END_TEST

START_TEST(test_header_injection)
{
    struct cleat_kubeconfig *config = NULL;
    struct cleat_client *client = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_kubeconfig_new("https://127.0.0.1:8080", &config), 0);
    struct cleat_client_options options = {.config = config, .user_agent = "a\r\nX: y"};
    ck_assert_int_eq(cleat_client_new(&options, &client, &err), -EINVAL);
    options.user_agent = NULL;
    cleat_err_clear(&err);
    ck_assert_int_eq(cleat_kubeconfig_set(&config->as_user, "a\nImpersonate-Group: x"), 0);
    ck_assert_int_eq(cleat_client_new(&options, &client, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "Impersonate-User"));
    cleat_kubeconfig_free(config);
}
END_TEST

CLEAT_SUITE_MAIN("transport_request", test_get, test_body_and_types, test_path_as_it_is,
                 test_impersonation, test_connection_is_kept, test_timeout_and_fresh_connection,
                 test_refused, test_errors_of_the_server, test_caps, test_garbage, test_fence,
                 test_forbidden_thread, test_observe, test_warnings, test_many_threads,
                 test_bytes_as_they_come, test_gzip, test_bad_options,
                 test_no_credentials_over_plain_http, test_header_injection)
