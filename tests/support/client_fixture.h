/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client or transport on a scripted server, for the client's tests.
 */
#ifndef CLEAT_TESTS_CLIENT_FIXTURE_H
#define CLEAT_TESTS_CLIENT_FIXTURE_H

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <cleat/client.h>
#include "client/transport.h"
#include "support/script_certs.h"
#include "support/script_server.h"

struct client_fixture {
    struct script_server *server;
    struct cleat_kubeconfig *config;
    struct cleat_client_options options;
    struct cleat_client *client;
    struct cleat_err err;
    int64_t waits[32]; /* the waits between tries, instead of waiting */
    _Atomic(size_t) wait_count;
};

static inline void client_fixture_wait(void *arg, int64_t wait_ms)
{
    struct client_fixture *fixture = arg;
    size_t at = atomic_fetch_add(&fixture->wait_count, 1);
    if (at < sizeof(fixture->waits) / sizeof(fixture->waits[0]))
        fixture->waits[at] = wait_ms;
}

/* At the end of each try: what the server's thread wrote before it answered is visible from now on.
 */
static inline void client_fixture_observe(void *arg, const char *method, const char *host, int code,
                                          int64_t duration_ns)
{
    const struct client_fixture *fixture = arg;
    if (fixture->server)
        (void)script_server_requests(fixture->server);
}

/* Before each try: what the test read of the last answer comes before what the server writes now.
 */
static inline int client_fixture_fence(void *arg, bool write, struct cleat_err *err)
{
    const struct client_fixture *fixture = arg;
    if (fixture->server)
        (void)script_server_requests(fixture->server);
    return 0;
}

/* A plain server with @fn and a config for it; change config and options, then open. */
static inline void client_fixture_init(struct client_fixture *fixture, script_fn fn, void *arg)
{
    *fixture = (struct client_fixture){.wait_count = 0};
    const struct script_server_options options = {.fn = fn, .arg = arg};
    fixture->server = script_server_new(&options);
    ck_assert_int_eq(cleat_kubeconfig_new(script_server_url(fixture->server), &fixture->config), 0);
    fixture->options.config = fixture->config;
    fixture->options.fence = client_fixture_fence;
    fixture->options.fence_arg = fixture;
    fixture->options.observe = client_fixture_observe;
    fixture->options.observe_arg = fixture;
}

static inline void client_fixture_open(struct client_fixture *fixture)
{
    ck_assert_msg(cleat_client_new(&fixture->options, &fixture->client, &fixture->err) == 0, "%s",
                  cleat_err_text(&fixture->err));
    cleat_transport_set_wait(cleat__client_transport(fixture->client), client_fixture_wait,
                             fixture);
}

static inline void client_fixture_fini(struct client_fixture *fixture)
{
    fixture->client = cleat_client_unref(fixture->client);
    fixture->server = script_server_free(fixture->server);
    fixture->config = cleat_kubeconfig_free(fixture->config);
}

/* One GET or other call without a body or with one; the answer's body is dropped. */
static inline int client_fixture_call(struct client_fixture *fixture, const char *method,
                                      const char *path, const char *body)
{
    struct cleat_transport_answer answer;
    const struct cleat_transport_request request = {
        .method = method,
        .path = path,
        .body = cleat_str_of(body),
        .write = strcmp(method, "GET") != 0,
    };
    cleat_err_clear(&fixture->err);
    cleat_transport_answer_init(&answer);
    int result = cleat_transport_call(cleat__client_transport(fixture->client), &request, &answer,
                                      &fixture->err);
    cleat_transport_answer_fini(&answer);
    return result;
}

#endif
