/* SPDX-License-Identifier: Apache-2.0 */
#include "server/serve_metrics.h"

#include <cleat/kubeconfig.h>

#include "support/chaos.h"
#include "support/suite.h"

/* A client of nobody: nothing is asked here. */
static struct cleat_client *client_new(void)
{
    struct cleat_client *client = NULL;
    char server[] = "https://127.0.0.1:1";
    struct cleat_kubeconfig config = {.server = server, .insecure = true};
    const struct cleat_client_options options = {.config = &config};
    ck_assert_int_eq(cleat_client_new(&options, &client, NULL), 0);
    return client;
}

/* Only where both flags are set is a token asked for; never over a plain connection. */
START_TEST(test_who_is_asked)
{
    static const struct {
        bool secure, auth, guarded;
    } rows[] = {
        {true, true, true}, {true, false, false}, {false, true, false}, {false, false, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_metrics *registry = NULL;
        struct cleat_serve_metrics metrics;
        struct cleat_server_options server = {0};
        struct cleat_client *client = client_new();
        const struct cleat_serve_options options = {.metrics_secure = rows[i].secure,
                                                    .metrics_auth = rows[i].auth};
        ck_assert_int_eq(cleat_metrics_new(&registry), 0);
        ck_assert_int_eq(cleat_serve_metrics_init(&metrics, &options, registry, client, NULL, NULL),
                         0);
        cleat_serve_metrics_guard(&metrics, &server);
        ck_assert((server.authorize != NULL) == rows[i].guarded);
        ck_assert((metrics.authorizer != NULL) == rows[i].guarded);
        if (rows[i].guarded)
            ck_assert_int_eq(
                server.authorize(server.authorize_arg, CLEAT_STR(""), "get", "/metrics"), 401);
        cleat_serve_metrics_fini(&metrics);
        cleat_serve_metrics_fini(&metrics);
        cleat_client_unref(client);
        cleat_metrics_free(registry);
    }
}
END_TEST

static int life(void *arg)
{
    struct cleat_metrics *registry = NULL;
    struct cleat_serve_metrics metrics = {0};
    const struct cleat_serve_options options = {.metrics_secure = true, .metrics_auth = true};
    int r = cleat_metrics_new(&registry);
    if (r == 0)
        r = cleat_serve_metrics_init(&metrics, &options, registry, arg, NULL, NULL);
    cleat_serve_metrics_fini(&metrics);
    cleat_metrics_free(registry);
    return r;
}

START_TEST(test_out_of_memory)
{
    struct cleat_client *client = client_new();
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(life, client), 20);
    cleat_client_unref(client);
}
END_TEST

CLEAT_SUITE_MAIN("serve_metrics", test_who_is_asked, test_out_of_memory)
