/* SPDX-License-Identifier: Apache-2.0 */
/* TLS: who is trusted, under which name, with which certificate; one clear line where it fails. */
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "support/client_fixture.h"
#include "support/suite.h"

struct pki {
    struct script_cert ca;
    struct script_cert other_ca;
    struct script_cert server;
    struct script_cert client;
};

static struct pki pki;

static void pki_init(void)
{
    if (pki.ca.cert_pem)
        return;
    script_cert_make(&(struct script_cert_options){.name = "CA", .ca = true}, &pki.ca);
    script_cert_make(&(struct script_cert_options){.name = "other CA", .ca = true}, &pki.other_ca);
    script_cert_make(&(struct script_cert_options){.name = "server",
                                                   .alt_names = "IP:127.0.0.1,DNS:kubernetes",
                                                   .signer = &pki.ca},
                     &pki.server);
    script_cert_make(&(struct script_cert_options){.name = "client", .signer = &pki.ca},
                     &pki.client);
}

static void pki_fini(void)
{
    script_cert_fini(&pki.ca);
    script_cert_fini(&pki.other_ca);
    script_cert_fini(&pki.server);
    script_cert_fini(&pki.client);
}

struct heard {
    char authorization[128];
    char host[64];
};

static void script_hear(void *arg, struct script_exchange *exchange,
                        const struct script_request *request)
{
    struct heard *heard = arg;
    script_header(request, "authorization", heard->authorization, sizeof(heard->authorization));
    script_header(request, "host", heard->host, sizeof(heard->host));
    script_reply(exchange, 200, NULL, "{}");
}

/* A TLS server with @cert, and a config that trusts the CA. */
static void tls_init(struct client_fixture *fixture, const struct script_cert *cert,
                     const char *client_ca_pem, struct heard *heard)
{
    *fixture = (struct client_fixture){.wait_count = 0};
    const struct script_server_options options = {.fn = script_hear,
                                                  .arg = heard,
                                                  .cert_pem = cert->cert_pem,
                                                  .key_pem = cert->key_pem,
                                                  .client_ca_pem = client_ca_pem};
    fixture->server = script_server_new(&options);
    ck_assert_int_eq(cleat_kubeconfig_new(script_server_url(fixture->server), &fixture->config), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture->config->ca_pem, pki.ca.cert_pem), 0);
    fixture->options.config = fixture->config;
    fixture->options.observe = client_fixture_observe;
    fixture->options.observe_arg = fixture;
}

START_TEST(test_token)
{
    struct client_fixture fixture;
    struct heard heard;
    pki_init();
    tls_init(&fixture, &pki.server, NULL, &heard);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->token, "t0ken"), 0);
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert_str_eq(heard.authorization, "Bearer t0ken");
    ck_assert_uint_eq(script_server_connections(fixture.server), 1);
    client_fixture_fini(&fixture);
}
END_TEST

/* One failing call; the error's text must end with @fact. */
static void expect_failure(struct client_fixture *fixture, int result, const char *fact)
{
    char expected[256];
    client_fixture_open(fixture);
    ck_assert_int_eq(client_fixture_call(fixture, "GET", "/api/v1/pods?limit=1", NULL), result);
    (void)snprintf(expected, sizeof(expected), "GET %s/api/v1/pods: %s",
                   script_server_url(fixture->server), fact);
    ck_assert_str_eq(fixture->err.text, expected);
    ck_assert_uint_eq(script_server_requests(fixture->server), 0);
    ck_assert_uint_eq(script_server_connections(fixture->server), 1);
    client_fixture_fini(fixture);
}

START_TEST(test_wrong_ca)
{
    struct client_fixture fixture;
    pki_init();
    tls_init(&fixture, &pki.server, NULL, NULL);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->ca_pem, pki.other_ca.cert_pem), 0);
    expect_failure(&fixture, -EKEYREJECTED, "certificate is not signed by the configured CA");
    tls_init(&fixture, &pki.server, NULL, NULL);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->ca_pem, NULL), 0);
    expect_failure(&fixture, -EKEYREJECTED, "certificate is not signed by the configured CA");
}
END_TEST

START_TEST(test_wrong_name)
{
    struct client_fixture fixture;
    struct script_cert cert;
    pki_init();
    script_cert_make(&(struct script_cert_options){.name = "127.0.0.1",
                                                   .alt_names = "DNS:example.com",
                                                   .signer = &pki.ca},
                     &cert);
    tls_init(&fixture, &cert, NULL, NULL);
    expect_failure(&fixture, -EKEYREJECTED, "certificate is not valid for the name 127.0.0.1");
    script_cert_fini(&cert);
}
END_TEST

START_TEST(test_expired)
{
    struct client_fixture fixture;
    struct script_cert cert;
    pki_init();
    script_cert_make(&(struct script_cert_options){.name = "server",
                                                   .alt_names = "IP:127.0.0.1",
                                                   .signer = &pki.ca,
                                                   .not_before_s = -7200,
                                                   .not_after_s = -3600},
                     &cert);
    tls_init(&fixture, &cert, NULL, NULL);
    expect_failure(&fixture, -EKEYREJECTED, "certificate has expired");
    script_cert_fini(&cert);
    script_cert_make(&(struct script_cert_options){.name = "server",
                                                   .alt_names = "IP:127.0.0.1",
                                                   .signer = &pki.ca,
                                                   .not_before_s = 3600,
                                                   .not_after_s = 7200},
                     &cert);
    tls_init(&fixture, &cert, NULL, NULL);
    expect_failure(&fixture, -EKEYREJECTED, "certificate is not valid yet");
    script_cert_fini(&cert);
}
END_TEST

START_TEST(test_server_name)
{
    struct client_fixture fixture;
    struct heard heard;
    char host[64];
    pki_init();
    tls_init(&fixture, &pki.server, NULL, &heard);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->tls_server_name, "kubernetes"), 0);
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    (void)snprintf(host, sizeof(host), "127.0.0.1:%d", script_server_port(fixture.server));
    ck_assert_str_eq(heard.host, host);
    ck_assert_str_eq(cleat_client_server(fixture.client), script_server_url(fixture.server));
    client_fixture_fini(&fixture);

    tls_init(&fixture, &pki.server, NULL, NULL);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->tls_server_name, "other.example"), 0);
    expect_failure(&fixture, -EKEYREJECTED, "certificate is not valid for the name other.example");
}
END_TEST

START_TEST(test_client_certificate)
{
    struct client_fixture fixture;
    struct heard heard;
    pki_init();
    tls_init(&fixture, &pki.server, pki.ca.cert_pem, &heard);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->client_cert_pem, pki.client.cert_pem),
                     0);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->client_key_pem, pki.client.key_pem), 0);
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    client_fixture_fini(&fixture);

    tls_init(&fixture, &pki.server, pki.ca.cert_pem, &heard);
    client_fixture_open(&fixture);
    ck_assert_int_lt(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    ck_assert_uint_eq(script_server_requests(fixture.server), 0);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_insecure)
{
    struct client_fixture fixture;
    struct heard heard;
    pki_init();
    tls_init(&fixture, &pki.server, NULL, &heard);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->ca_pem, NULL), 0);
    fixture.config->insecure = true;
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_plain_server)
{
    struct client_fixture fixture = {.wait_count = 0};
    char url[64];
    const struct script_server_options options = {
        .greeting = "HTTP/1.0 400 Bad Request\r\n\r\nthis is an HTTP server"};
    fixture.server = script_server_new(&options);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", script_server_port(fixture.server));
    ck_assert_int_eq(cleat_kubeconfig_new(url, &fixture.config), 0);
    fixture.options.config = fixture.config;
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), -EPROTO);
    ck_assert_ptr_nonnull(strstr(fixture.err.text, "/: TLS handshake failed"));
    client_fixture_fini(&fixture);
}
END_TEST

/* What the environment says about proxies must not matter. */
START_TEST(test_environment)
{
    struct client_fixture fixture;
    struct heard heard;
    pki_init();
    ck_assert_int_eq(setenv("https_proxy", "http://127.0.0.1:1", 1), 0);
    ck_assert_int_eq(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    ck_assert_int_eq(setenv("SSL_CERT_FILE", "/nonexistent", 1), 0);
    tls_init(&fixture, &pki.server, NULL, &heard);
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/", NULL), 0);
    client_fixture_fini(&fixture);
    ck_assert_int_eq(unsetenv("https_proxy"), 0);
    ck_assert_int_eq(unsetenv("ALL_PROXY"), 0);
    ck_assert_int_eq(unsetenv("SSL_CERT_FILE"), 0);
}
END_TEST

START_TEST(test_proxy_of_the_config)
{
    struct client_fixture fixture;
    struct heard heard;
    pki_init();
    tls_init(&fixture, &pki.server, NULL, &heard);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->proxy_url, "http://127.0.0.1:1"), 0);
    ck_assert_int_eq(setenv("no_proxy", "*", 1), 0);
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "POST", "/", "{}"), -ECONNREFUSED);
    ck_assert_uint_eq(script_server_connections(fixture.server), 0);
    client_fixture_fini(&fixture);
    ck_assert_int_eq(unsetenv("no_proxy"), 0);
}
END_TEST

struct ended {
    int ends;
    int result;
    struct cleat_err err;
    size_t bytes;
};

static int ended_bytes(void *arg, const char *bytes, size_t length)
{
    ((struct ended *)arg)->bytes += length;
    return 0;
}

static void ended_end(void *arg, int result, const struct cleat_err *err)
{
    struct ended *ended = arg;
    ended->ends++;
    ended->result = result;
    if (err)
        ended->err = *err;
}

static void stream_once(struct client_fixture *fixture, struct ended *ended)
{
    struct cleat_transport_loop *loop = NULL;
    const struct cleat_transport_stream_options options = {.path_and_query = "/w"};
    const struct cleat_transport_stream_ops ops = {
        .on_bytes = ended_bytes, .on_end = ended_end, .arg = ended};
    *ended = (struct ended){.ends = 0};
    ck_assert_int_eq(cleat_transport_loop_new(fixture->client, &loop, NULL), 0);
    ck_assert_int_eq(cleat_transport_stream_start(loop, &options, &ops, NULL, NULL), 0);
    for (int turns = 0; !ended->ends; turns++) {
        ck_assert_int_lt(turns, 400);
        ck_assert_int_eq(cleat_transport_loop_run(loop, 50, NULL), 0);
    }
    cleat_transport_loop_free(loop);
}

START_TEST(test_streams)
{
    struct client_fixture fixture;
    struct heard heard;
    struct ended ended;
    pki_init();
    tls_init(&fixture, &pki.server, pki.ca.cert_pem, &heard);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->client_cert_pem, pki.client.cert_pem),
                     0);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->client_key_pem, pki.client.key_pem), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->tls_server_name, "kubernetes"), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->token, "abc"), 0);
    client_fixture_open(&fixture);
    stream_once(&fixture, &ended);
    ck_assert_int_eq(ended.result, 0);
    ck_assert_uint_eq(ended.bytes, 2);
    ck_assert_str_eq(heard.authorization, "Bearer abc");
    client_fixture_fini(&fixture);

    tls_init(&fixture, &pki.server, NULL, &heard);
    ck_assert_int_eq(cleat_kubeconfig_set(&fixture.config->ca_pem, pki.other_ca.cert_pem), 0);
    client_fixture_open(&fixture);
    stream_once(&fixture, &ended);
    ck_assert_int_eq(ended.result, -EKEYREJECTED);
    ck_assert_ptr_nonnull(
        strstr(ended.err.text, "/w: certificate is not signed by the configured CA"));
    client_fixture_fini(&fixture);
    pki_fini();
}
END_TEST

CLEAT_SUITE_MAIN("transport_tls", test_token, test_wrong_ca, test_wrong_name, test_expired,
                 test_server_name, test_client_certificate, test_insecure, test_plain_server,
                 test_environment, test_proxy_of_the_config, test_streams)
