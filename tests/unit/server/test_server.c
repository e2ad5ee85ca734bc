/* SPDX-License-Identifier: Apache-2.0 */
/* What a server is before it serves; the rest is spoken to over sockets in tests/integration. */
#include <cleat/server.h>
#include <errno.h>
#include <string.h>
#include "server/tls.h"
#include "support/chaos.h"
#include "support/script_certs.h"
#include "support/suite.h"

static int server_make(void *arg)
{
    const struct cleat_server_options options = {.name = "webhook", .bind = "127.0.0.1:0"};
    struct cleat_server *server = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_server_new(&options, &server, &err);
    ck_assert_int_eq(r, err.code);
    ck_assert((r == 0) == (server != NULL));
    if (server)
        cleat_server_set_bundle(server, arg); /* without memory the earlier one, none, stays */
    (void)cleat_server_free(server);
    ck_assert_uint_eq(cleat_tls_identities(), 0);
    return r;
}

START_TEST(test_without_memory)
{
    const struct script_cert_options options = {.name = "one", .alt_names = "DNS:localhost"};
    struct script_cert cert = {0};
    struct cleat_bundle *bundle = NULL;
    script_cert_make(&options, &cert);
    ck_assert_int_eq(cleat_bundle_new(cleat_str_of(cert.cert_pem), cleat_str_of(cert.key_pem),
                                      CLEAT_STR(""), &bundle, NULL),
                     0);
    ck_assert_uint_ge(cleat_chaos_sweep_tolerant(server_make, bundle), 4);
    (void)cleat_bundle_unref(bundle);
    script_cert_fini(&cert);
}
END_TEST

START_TEST(test_wrong_address)
{
    const struct cleat_server_options options = {.name = "metrics", .bind = "9443"};
    struct cleat_server *server = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_server_new(&options, &server, &err), -EINVAL);
    ck_assert_ptr_null(server);
    ck_assert_str_eq(err.text, "metrics server: 9443 isn't an address to listen on, as :9443 is");
}
END_TEST

START_TEST(test_options_are_copied)
{
    char name[] = "webhook", bind[] = "127.0.0.1:0";
    const struct cleat_server_options options = {.name = name, .bind = bind};
    struct cleat_server *server = NULL;
    ck_assert_int_eq(cleat_server_new(&options, &server, NULL), 0);
    memset(name, 'x', sizeof(name) - 1);
    memset(bind, 'x', sizeof(bind) - 1);
    struct cleat_runnable runnable = cleat_server_runnable(server, CLEAT_GROUP_HTTP);
    ck_assert_str_eq(runnable.name, "webhook");
    ck_assert(!runnable.wait_ready);
    ck_assert_uint_gt(cleat_server_port(server), 0);
    (void)cleat_server_free(server);
}
END_TEST

CLEAT_SUITE_MAIN("server", test_without_memory, test_wrong_address, test_options_are_copied)
