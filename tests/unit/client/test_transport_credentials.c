/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials that change: no connection outlives those that it was made with (libcurl itself
 * compares them incompletely: CVE-2026-8932), a 401 asks for new ones, and watches made with
 * another certificate are closed.
 */
#include <stdio.h>
#include "base/mem.h"
#include "support/client_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/temp_dir.h"

struct env {
    struct client_fixture fixture;
    struct cleat_fake_clock fake;
    struct cleat_temp_dir dir;
    struct script_cert ca;
    struct script_cert server_cert;
    struct script_cert client_cert;
    char token[64]; /* the one that the server takes; "" any */
    char seen[128];
    unsigned connection;
};

static void script_tokens(void *arg, struct script_exchange *exchange,
                          const struct script_request *request)
{
    struct env *env = arg;
    script_header(request, "authorization", env->seen, sizeof(env->seen));
    env->connection = request->connection;
    if (strstr(request->target, "watch")) {
        script_reply_chunked(exchange, 200, NULL);
        script_chunk_text(exchange, "x");
        (void)script_hold(exchange);
    } else if (env->token[0] && strcmp(env->seen, env->token) != 0) {
        script_reply(exchange, 401, NULL,
                     "{\"kind\":\"Status\",\"message\":\"Unauthorized\",\"reason\":"
                     "\"Unauthorized\",\"code\":401}");
    } else {
        script_reply(exchange, 200, NULL, "{}");
    }
}

static void set_file(char **field, struct env *env, const char *name, const char *text)
{
    cleat_temp_dir_write(&env->dir, name, text);
    ck_assert_int_eq(cleat_kubeconfig_set(field, cleat_temp_dir_path(&env->dir, name)), 0);
}

static void env_init(struct env *env)
{
    *env = (struct env){.connection = 0};
    cleat_fake_clock_init(&env->fake);
    cleat_temp_dir_init(&env->dir);
    script_cert_make(&(struct script_cert_options){.name = "CA", .ca = true}, &env->ca);
    script_cert_make(&(struct script_cert_options){.name = "server",
                                                   .alt_names = "IP:127.0.0.1",
                                                   .signer = &env->ca},
                     &env->server_cert);
    script_cert_make(&(struct script_cert_options){.name = "client", .signer = &env->ca},
                     &env->client_cert);
    const struct script_server_options options = {.fn = script_tokens,
                                                  .arg = env,
                                                  .cert_pem = env->server_cert.cert_pem,
                                                  .key_pem = env->server_cert.key_pem};
    env->fixture.server = script_server_new(&options);
    ck_assert_int_eq(
        cleat_kubeconfig_new(script_server_url(env->fixture.server), &env->fixture.config), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&env->fixture.config->ca_pem, env->ca.cert_pem), 0);
    env->fixture.options.config = env->fixture.config;
    env->fixture.options.clock = &env->fake.clock;
    env->fixture.options.observe = client_fixture_observe;
    env->fixture.options.observe_arg = &env->fixture;
}

static void env_fini(struct env *env)
{
    client_fixture_fini(&env->fixture);
    script_cert_fini(&env->ca);
    script_cert_fini(&env->server_cert);
    script_cert_fini(&env->client_cert);
    cleat_temp_dir_fini(&env->dir);
}

static int call(struct env *env, const char *method)
{
    (void)script_server_requests(env->fixture.server);
    return client_fixture_call(&env->fixture, method, "/",
                               strcmp(method, "GET") == 0 ? NULL : "{}");
}

START_TEST(test_new_token_new_connection)
{
    struct env env;
    env_init(&env);
    set_file(&env.fixture.config->token_file, &env, "token", "one");
    client_fixture_open(&env.fixture);
    ck_assert_int_eq(call(&env, "GET"), 0);
    ck_assert_str_eq(env.seen, "Bearer one");
    ck_assert_int_eq(call(&env, "PUT"), 0);
    ck_assert_uint_eq(env.connection, 1);
    cleat_temp_dir_write(&env.dir, "token", "two\n");
    ck_assert_int_eq(call(&env, "GET"), 0);
    ck_assert_str_eq(env.seen, "Bearer one");
    ck_assert_uint_eq(env.connection, 1);
    cleat_fake_clock_advance_ms(&env.fake, 60000);
    ck_assert_int_eq(call(&env, "PUT"), 0);
    ck_assert_str_eq(env.seen, "Bearer two");
    ck_assert_uint_eq(env.connection, 2);
    ck_assert_int_eq(call(&env, "GET"), 0);
    ck_assert_uint_eq(env.connection, 2);
    env_fini(&env);
}
END_TEST

START_TEST(test_unauthorized)
{
    struct env env;
    env_init(&env);
    set_file(&env.fixture.config->token_file, &env, "token", "old");
    client_fixture_open(&env.fixture);
    ck_assert_int_eq(call(&env, "GET"), 0);
    cleat_temp_dir_write(&env.dir, "token", "new");
    (void)snprintf(env.token, sizeof(env.token), "Bearer new");
    /* A GET is tried again with the new token, a write only the next time. */
    ck_assert_int_eq(call(&env, "GET"), 0);
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 3);
    ck_assert_str_eq(env.seen, "Bearer new");
    cleat_temp_dir_write(&env.dir, "token", "newer");
    (void)snprintf(env.token, sizeof(env.token), "Bearer newer");
    ck_assert_int_eq(call(&env, "PUT"), -EPERM);
    ck_assert_str_eq(env.fixture.err.reason, "Unauthorized");
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 4);
    ck_assert_int_eq(call(&env, "PUT"), 0);
    /* Nothing new to be had: no second try. */
    (void)snprintf(env.token, sizeof(env.token), "Bearer unknown");
    ck_assert_int_eq(call(&env, "GET"), -EPERM);
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 6);
    env_fini(&env);
}
END_TEST

struct seen {
    size_t bytes;
    int ends;
    int result;
    char text[256];
};

static int seen_bytes(void *arg, const char *bytes, size_t length)
{
    ((struct seen *)arg)->bytes += length;
    return 0;
}

static void seen_end(void *arg, int result, const struct cleat_err *err)
{
    struct seen *seen = arg;
    seen->ends++;
    seen->result = result;
    (void)snprintf(seen->text, sizeof(seen->text), "%.200s", err ? err->text : "");
}

static void start(struct cleat_transport_loop *loop, struct seen *seen)
{
    const struct cleat_transport_stream_options options = {.path_and_query = "/watch"};
    const struct cleat_transport_stream_ops ops = {
        .on_bytes = seen_bytes, .on_end = seen_end, .arg = seen};
    ck_assert_int_eq(cleat_transport_stream_start(loop, &options, &ops, NULL, NULL), 0);
}

#define RUN_UNTIL(loop, condition)                                         \
    do {                                                                   \
        for (int turns_ = 0; !(condition); turns_++) {                     \
            ck_assert_msg(turns_ < 400, "late: %s", #condition);           \
            ck_assert_int_eq(cleat_transport_loop_run(loop, 20, NULL), 0); \
        }                                                                  \
    } while (0)

START_TEST(test_watch_and_a_new_token)
{
    struct env env;
    struct seen seen[2] = {{0}};
    struct cleat_transport_loop *loop = NULL;
    env_init(&env);
    set_file(&env.fixture.config->token_file, &env, "token", "one");
    client_fixture_open(&env.fixture);
    ck_assert_int_eq(cleat_transport_loop_new(env.fixture.client, &loop, NULL), 0);
    start(loop, &seen[0]);
    RUN_UNTIL(loop, seen[0].bytes);
    cleat_temp_dir_write(&env.dir, "token", "two");
    cleat_fake_clock_advance_ms(&env.fake, 60000);
    start(loop, &seen[1]);
    RUN_UNTIL(loop, seen[1].bytes);
    (void)script_server_requests(env.fixture.server);
    ck_assert_str_eq(env.seen, "Bearer two");
    ck_assert_uint_eq(script_server_connections(env.fixture.server), 2);
    ck_assert_int_eq(seen[0].ends, 0);
    cleat_transport_loop_free(loop);
    env_fini(&env);
}
END_TEST

START_TEST(test_watch_and_a_new_certificate)
{
    struct env env;
    struct seen seen = {0};
    struct script_cert other;
    struct cleat_transport_loop *loop = NULL;
    env_init(&env);
    script_cert_make(&(struct script_cert_options){.name = "client", .signer = &env.ca}, &other);
    set_file(&env.fixture.config->client_cert_file, &env, "cert", env.client_cert.cert_pem);
    set_file(&env.fixture.config->client_key_file, &env, "key", env.client_cert.key_pem);
    ck_assert_int_eq(
        cleat_kubeconfig_set(&env.fixture.config->client_cert_pem, env.client_cert.cert_pem), 0);
    ck_assert_int_eq(
        cleat_kubeconfig_set(&env.fixture.config->client_key_pem, env.client_cert.key_pem), 0);
    client_fixture_open(&env.fixture);
    ck_assert_int_eq(cleat_transport_loop_new(env.fixture.client, &loop, NULL), 0);
    start(loop, &seen);
    RUN_UNTIL(loop, seen.bytes);
    cleat_temp_dir_write(&env.dir, "cert", other.cert_pem);
    cleat_temp_dir_write(&env.dir, "key", other.key_pem);
    /* Looked at every ten seconds, without a new stream as an occasion. */
    cleat_fake_clock_advance_ms(&env.fake, 10000);
    RUN_UNTIL(loop, seen.ends);
    ck_assert_int_eq(seen.result, -ECONNRESET);
    ck_assert_ptr_nonnull(
        strstr(seen.text, "/watch: closed because certificate or CA have changed"));
    cleat_transport_loop_free(loop);
    script_cert_fini(&other);
    env_fini(&env);
}
END_TEST

START_TEST(test_header_injection_by_token)
{
    struct env env;
    env_init(&env);
    set_file(&env.fixture.config->token_file, &env, "token", "a\r\nX-Evil: yes");
    client_fixture_open(&env.fixture);
    ck_assert_int_lt(call(&env, "GET"), 0);
    ck_assert_uint_eq(script_server_requests(env.fixture.server), 0);
    env_fini(&env);
}
END_TEST

CLEAT_SUITE_MAIN("transport_credentials", test_new_token_new_connection, test_unauthorized,
                 test_watch_and_a_new_token, test_watch_and_a_new_certificate,
                 test_header_injection_by_token)
