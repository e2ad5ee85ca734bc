/* SPDX-License-Identifier: Apache-2.0 */
/* Making and ending transports, loops and streams, out of memory at every place; endpoints. */
#include <stdio.h>
#include "base/mem.h"
#include "client/transport_curl.h"
#include "support/chaos.h"
#include "support/client_fixture.h"
#include "support/suite.h"

struct made {
    struct cleat_kubeconfig *config;
    struct cleat_client *client;
    struct cleat_client *fenced;
    struct cleat_transport_loop *loop;
};

static int drop_bytes(void *arg, const char *bytes, size_t length)
{
    return 0;
}

static void drop_end(void *arg, int result, const struct cleat_err *err)
{
}

static int make(struct made *made)
{
    static char group[] = "g";
    char *groups[] = {group, NULL};
    int result = cleat_kubeconfig_new("https://127.0.0.1:1/prefix", &made->config);
    if (result < 0)
        return result;
    result = cleat_kubeconfig_set(&made->config->as_user, "u");
    if (result == 0)
        result = cleat_kubeconfig_set(&made->config->tls_server_name, "kubernetes");
    if (result == 0)
        result = cleat_kubeconfig_set(&made->config->token, "t");
    if (result < 0)
        return result;
    made->config->as_groups = groups;
    const struct cleat_client_options options = {.config = made->config, .qps = 5};
    result = cleat_client_new(&options, &made->client, NULL);
    made->config->as_groups = NULL;
    if (result == 0)
        result = cleat_client_fenced(made->client, NULL, NULL, &made->fenced);
    if (result == 0)
        result = cleat_transport_loop_new(made->fenced, &made->loop, NULL);
    const struct cleat_transport_stream_options stream = {.path_and_query = "/w",
                                                          .accept = "application/json"};
    const struct cleat_transport_stream_ops ops = {.on_bytes = drop_bytes, .on_end = drop_end};
    return result == 0 ? cleat_transport_stream_start(made->loop, &stream, &ops, NULL, NULL)
                       : result;
}

static int make_and_free(void *arg)
{
    struct made made = {NULL, NULL, NULL, NULL};
    int result = make(&made);
    cleat_transport_loop_free(made.loop);
    cleat_client_unref(made.fenced);
    cleat_client_unref(made.client);
    cleat_kubeconfig_free(made.config);
    return result;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_gt(cleat_chaos_sweep(make_and_free, NULL), 10);
}
END_TEST

START_TEST(test_endpoints)
{
    static const struct {
        const char *server, *name;
        const char *display, *base, *connect_to, *host;
    } cases[] = {
        {"https://10.0.0.1", NULL, "https://10.0.0.1:443", "https://10.0.0.1:443", NULL,
         "10.0.0.1:443"},
        {"https://10.0.0.1:6443/", NULL, "https://10.0.0.1:6443", "https://10.0.0.1:6443", NULL,
         "10.0.0.1:6443"},
        {"10.0.0.1:6443", NULL, "https://10.0.0.1:6443", "https://10.0.0.1:6443", NULL,
         "10.0.0.1:6443"},
        {"HTTPS://k8s.example/a/b//", NULL, "https://k8s.example:443/a/b",
         "https://k8s.example:443/a/b", NULL, "k8s.example:443"},
        {"https://[::1]:6443", NULL, "https://[::1]:6443", "https://[::1]:6443", NULL,
         "[::1]:6443"},
        {"https://[::1]:6443", "kubernetes", "https://[::1]:6443", "https://kubernetes:6443",
         "::[::1]:6443", "[::1]:6443"},
        {"https://10.0.0.1:6443/x", "10.0.0.1", "https://10.0.0.1:6443/x",
         "https://10.0.0.1:6443/x", NULL, "10.0.0.1:6443"},
        {"http://127.0.0.1:8080", "kubernetes", "http://127.0.0.1:8080", "http://127.0.0.1:8080",
         NULL, "127.0.0.1:8080"},
        {"http://localhost:8080", NULL, "http://localhost:8080", "http://localhost:8080", NULL,
         "localhost:8080"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_kubeconfig *config = NULL;
        struct transport_endpoint endpoint = {0};
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_kubeconfig_new(cases[i].server, &config), 0);
        ck_assert_int_eq(cleat_kubeconfig_set(&config->tls_server_name, cases[i].name), 0);
        ck_assert_msg(cleat__transport_endpoint_init(&endpoint, config, &err) == 0, "%s", err.text);
        ck_assert_str_eq(endpoint.display, cases[i].display);
        ck_assert_str_eq(endpoint.base, cases[i].base);
        ck_assert_pstr_eq(endpoint.connect_to, cases[i].connect_to);
        ck_assert_str_eq(endpoint.host, cases[i].host);
        ck_assert_int_eq(endpoint.host_header != NULL, cases[i].connect_to != NULL);
        cleat__transport_endpoint_fini(&endpoint);
        cleat_kubeconfig_free(config);
    }
}
END_TEST

START_TEST(test_bad_endpoints)
{
    static const struct {
        const char *server, *name, *fact;
    } cases[] = {
        {"https://a b", NULL, "not a URL"},
        {"https://a:x", NULL, "not a URL"},
        {"file:///etc/passwd", NULL, "not a URL"},
        {"http://127.0.0.1.example.com", NULL, "loopback"},
        {"http://128.0.0.1", NULL, "loopback"},
        {"http://localhost.example", NULL, "loopback"},
        {"https://h/#f", NULL, "fragment"},
        {"https://h", "a/b", "not a host name"},
        {"https://h", "a\r\nb", "not a host name"},
        {"https://h", "", "not a host name"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_kubeconfig *config = NULL;
        struct transport_endpoint endpoint = {0};
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_kubeconfig_new(cases[i].server, &config), 0);
        ck_assert_int_eq(cleat_kubeconfig_set(&config->tls_server_name, cases[i].name), 0);
        ck_assert_msg(cleat__transport_endpoint_init(&endpoint, config, &err) == -EINVAL, "%s",
                      cases[i].server);
        ck_assert_msg(strstr(err.text, cases[i].fact) != NULL, "%s", err.text);
        ck_assert_ptr_null(endpoint.display);
        cleat_kubeconfig_free(config);
    }
}
END_TEST

START_TEST(test_impersonation_needs_a_user)
{
    struct cleat_kubeconfig *config = NULL;
    struct cleat_client *client = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_kubeconfig_new("https://h", &config), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&config->as_uid, "u"), 0);
    const struct cleat_client_options options = {.config = config};
    ck_assert_int_eq(cleat_client_new(&options, &client, &err), -EINVAL);
    ck_assert_str_eq(err.text, "impersonating a uid or groups needs a user");
    cleat_kubeconfig_free(config);
}
END_TEST

START_TEST(test_head_lines)
{
    struct cleat_transport transport = {.clock = cleat_clock_system()};
    struct transport_head head = {0};
    static const char *const lines[] = {
        "HTTP/1.1 100 Continue\r\n", "Retry-After: 9\r\n",   "\r\n",
        "HTTP/2 503 \r\n",           "rEtRy-aFtEr:   4\r\n", "no colon\r\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        ck_assert_int_eq(cleat__transport_head_line(&head, &transport, lines[i], strlen(lines[i])),
                         0);
        ck_assert(!head.complete);
    }
    ck_assert_int_eq(cleat__transport_head_line(&head, &transport, "\r\n", 2), 0);
    ck_assert(head.complete);
    ck_assert_int_eq(head.code, 503);
    ck_assert(head.has_retry_after);
    ck_assert_int_eq(head.retry_after_ms, 4000);
    static char big[TRANSPORT_HEADER_BYTES_MAX];
    memset(big, 'a', sizeof(big));
    ck_assert_int_eq(cleat__transport_head_line(&head, &transport, big, sizeof(big)), -EMSGSIZE);
    struct transport_head broken = {0};
    ck_assert_int_eq(cleat__transport_head_line(&broken, &transport, "HTTP/1.1 2x0\r\n", 14), 0);
    ck_assert_int_eq(broken.code, 0);
}
END_TEST

CLEAT_SUITE_MAIN("transport_core", test_out_of_memory, test_endpoints, test_bad_endpoints,
                 test_impersonation_needs_a_user, test_head_lines)
