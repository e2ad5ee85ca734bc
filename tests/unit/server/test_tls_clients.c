/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/tls.h"
#include "server/tls_callback.h"
#include "support/script_certs.h"
#include "support/suite.h"
#include "support/temp_dir.h"

struct world {
    struct cleat_temp_dir dir;
    struct script_cert ca, other_ca, server;
    struct cleat_tls_slot slot;
    struct cleat_tls_clients *clients;
};

static const char *world_file(struct world *world)
{
    return cleat_temp_dir_path(&world->dir, "ca.crt");
}

static void world_open(struct world *world, const char *const *names)
{
    const struct script_cert_options ca = {.name = "ca", .ca = true};
    const struct script_cert_options other = {.name = "other", .ca = true};
    const struct script_cert_options server = {.name = "server", .alt_names = "DNS:localhost"};
    struct cleat_bundle *bundle = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    memset(world, 0, sizeof(*world));
    cleat_temp_dir_init(&world->dir);
    script_cert_make(&ca, &world->ca);
    script_cert_make(&other, &world->other_ca);
    script_cert_make(&server, &world->server);
    cleat_temp_dir_write(&world->dir, "ca.crt", world->ca.cert_pem);
    cleat_tls_slot_init(&world->slot);
    ck_assert_int_eq(cleat_bundle_new(cleat_str_of(world->server.cert_pem),
                                      cleat_str_of(world->server.key_pem), CLEAT_STR(""), &bundle,
                                      NULL),
                     0);
    ck_assert_int_eq(cleat_tls_slot_set(&world->slot, bundle, NULL), 0);
    (void)cleat_bundle_unref(bundle);
    ck_assert_msg(cleat_tls_clients_new(world_file(world), names, &world->clients, &err) == 0, "%s",
                  err.text);
}

static void world_close(struct world *world)
{
    ck_assert_ptr_null(cleat_tls_clients_free(world->clients));
    cleat_tls_slot_fini(&world->slot);
    script_cert_fini(&world->ca);
    script_cert_fini(&world->other_ca);
    script_cert_fini(&world->server);
    cleat_temp_dir_fini(&world->dir);
}

/* Both ends of one handshake, moved by hand. */
struct pair {
    int fds[2];
    gnutls_session_t client, server;
    gnutls_certificate_credentials_t client_cred, server_cred;
    struct cleat_tls_peer peer;
};

static void pair_open(struct pair *pair, struct world *world, const struct script_cert *cert,
                      const char *priorities)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fds), 0);
    ck_assert_int_eq(gnutls_init(&pair->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    ck_assert_int_eq(gnutls_init(&pair->server, GNUTLS_SERVER | GNUTLS_NONBLOCK), 0);
    ck_assert_int_eq(gnutls_certificate_allocate_credentials(&pair->client_cred), 0);
    ck_assert_int_eq(gnutls_certificate_allocate_credentials(&pair->server_cred), 0);
    if (cert) {
        gnutls_datum_t crt = {(unsigned char *)cert->cert_pem, (unsigned)strlen(cert->cert_pem)};
        gnutls_datum_t key = {(unsigned char *)cert->key_pem, (unsigned)strlen(cert->key_pem)};
        ck_assert_int_eq(
            gnutls_certificate_set_x509_key_mem(pair->client_cred, &crt, &key, GNUTLS_X509_FMT_PEM),
            0);
    }
    gnutls_certificate_set_retrieve_function3(pair->server_cred, cleat_tls_retrieve);
    gnutls_credentials_set(pair->client, GNUTLS_CRD_CERTIFICATE, pair->client_cred);
    gnutls_credentials_set(pair->server, GNUTLS_CRD_CERTIFICATE, pair->server_cred);
    ck_assert_int_eq(gnutls_priority_set_direct(pair->client, priorities, NULL), 0);
    ck_assert_int_eq(gnutls_priority_set_direct(pair->server, CLEAT_TLS_PRIORITIES, NULL), 0);
    gnutls_transport_set_int(pair->client, pair->fds[0]);
    gnutls_transport_set_int(pair->server, pair->fds[1]);
    cleat_tls_peer_init(&pair->peer, &world->slot, world->clients, pair->server);
}

static void pair_close(struct pair *pair)
{
    gnutls_deinit(pair->client);
    gnutls_deinit(pair->server);
    gnutls_certificate_free_credentials(pair->client_cred);
    gnutls_certificate_free_credentials(pair->server_cred);
    cleat_tls_peer_release(&pair->peer);
    close(pair->fds[0]);
    close(pair->fds[1]);
}

/* The server's result: 0, or GnuTLS's error. */
static int pair_shake(struct pair *pair)
{
    int client = GNUTLS_E_AGAIN, server = GNUTLS_E_AGAIN;
    for (int round = 0; round < 20 && server != 0; round++) {
        if (client != 0)
            client = gnutls_handshake(pair->client);
        server = gnutls_handshake(pair->server);
        if (server < 0 && gnutls_error_is_fatal(server))
            return server;
    }
    return server;
}

/* What becomes of a client with @cert, over both versions. */
static void check(struct world *world, const struct script_cert *cert, bool accepted,
                  enum cleat_tls_refusal refusal)
{
    static const char *const versions[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.3",
                                           "NORMAL:-VERS-ALL:+VERS-TLS1.2"};
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        pair_open(&pair, world, cert, versions[i]);
        ck_assert(!cleat_tls_peer_accepted(&pair.peer));
        int r = pair_shake(&pair);
        ck_assert_msg((r == 0) == accepted, "%s: %s", versions[i], gnutls_strerror(r));
        ck_assert(cleat_tls_peer_accepted(&pair.peer) == accepted);
        ck_assert(pair.peer.finished || !accepted);
        ck_assert_int_eq(pair.peer.refusal, refusal);
        pair_close(&pair);
    }
}

/* As check, with a certificate made for it. */
static void check_made(struct world *world, const struct script_cert_options *options,
                       bool accepted, enum cleat_tls_refusal refusal)
{
    struct script_cert cert = {0};
    script_cert_make(options, &cert);
    check(world, &cert, accepted, refusal);
    script_cert_fini(&cert);
}

START_TEST(test_any_name)
{
    struct world world;
    world_open(&world, NULL);
    const struct script_cert_options good = {.name = "a", .signer = &world.ca};
    const struct script_cert_options for_clients = {
        .name = "a", .signer = &world.ca, .purposes = "clientAuth"};
    const struct script_cert_options for_servers = {
        .name = "a", .signer = &world.ca, .purposes = "serverAuth"};
    const struct script_cert_options foreign = {.name = "a", .signer = &world.other_ca};
    const struct script_cert_options alone = {.name = "a"};
    const struct script_cert_options past = {
        .name = "a", .signer = &world.ca, .not_before_s = -7200, .not_after_s = -3600};
    const struct script_cert_options future = {
        .name = "a", .signer = &world.ca, .not_before_s = 3600, .not_after_s = 7200};
    check_made(&world, &good, true, CLEAT_TLS_UNFINISHED);
    check_made(&world, &for_clients, true, CLEAT_TLS_UNFINISHED);
    check_made(&world, &for_servers, false, CLEAT_TLS_CLIENT_UNTRUSTED);
    check_made(&world, &foreign, false, CLEAT_TLS_CLIENT_UNTRUSTED);
    check_made(&world, &alone, false, CLEAT_TLS_CLIENT_UNTRUSTED);
    check_made(&world, &past, false, CLEAT_TLS_CLIENT_UNTRUSTED);
    check_made(&world, &future, false, CLEAT_TLS_CLIENT_UNTRUSTED);
    check(&world, NULL, false, CLEAT_TLS_CLIENT_ABSENT);
    world_close(&world);
}
END_TEST

START_TEST(test_names)
{
    static const char *const names[] = {"kube-apiserver", "api.example.org", NULL};
    static const struct {
        const char *name, *alt_names;
        bool accepted;
    } certs[] = {
        {"kube-apiserver", NULL, true},      {"x", "DNS:a.example.org,DNS:api.example.org", true},
        {"x", "DNS:API.Example.org", true},  {"x", NULL, false},
        {"kube-apiserver2", NULL, false},    {"kube-apiserve", NULL, false},
        {"x", "DNS:*.example.org", false},   {"x", "IP:127.0.0.1,email:kube-apiserver@a", false},
        {"x", "URI:api.example.org", false},
    };
    struct world world;
    world_open(&world, names);
    for (size_t i = 0; i < sizeof(certs) / sizeof(certs[0]); i++) {
        const struct script_cert_options options = {
            .name = certs[i].name, .alt_names = certs[i].alt_names, .signer = &world.ca};
        check_made(&world, &options, certs[i].accepted,
                   certs[i].accepted ? CLEAT_TLS_UNFINISHED : CLEAT_TLS_CLIENT_NAME);
    }
    const struct script_cert_options foreign = {.name = names[0], .signer = &world.other_ca};
    check_made(&world, &foreign, false, CLEAT_TLS_CLIENT_UNTRUSTED);
    world_close(&world);
}
END_TEST

START_TEST(test_file_changes)
{
    struct world world;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct script_cert cert = {0};
    world_open(&world, NULL);
    const struct script_cert_options options = {.name = "a", .signer = &world.other_ca};
    script_cert_make(&options, &cert);
    check(&world, &cert, false, CLEAT_TLS_CLIENT_UNTRUSTED);
    ck_assert_int_eq(cleat_tls_clients_refresh(world.clients, &err), 0); /* the same */
    cleat_temp_dir_write(&world.dir, "ca.crt", world.other_ca.cert_pem);
    ck_assert_int_eq(cleat_tls_clients_refresh(world.clients, &err), 1);
    check(&world, &cert, true, CLEAT_TLS_UNFINISHED);
    static const char *const broken[] = {
        "", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        cleat_temp_dir_write(&world.dir, "ca.crt", broken[i]);
        cleat_err_clear(&err);
        ck_assert_int_eq(cleat_tls_clients_refresh(world.clients, &err), -EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, "ca.crt: no CA certificate can be read: "));
    }
    ck_assert_int_eq(unlink(world_file(&world)), 0);
    ck_assert_int_eq(cleat_tls_clients_refresh(world.clients, NULL), -ENOENT);
    check(&world, &cert, true, CLEAT_TLS_UNFINISHED); /* the old ones stay */
    cleat_temp_dir_write(&world.dir, "ca.crt", world.other_ca.cert_pem);
    ck_assert_int_eq(cleat_tls_clients_refresh(world.clients, NULL), 0);
    script_cert_fini(&cert);
    world_close(&world);
}
END_TEST

START_TEST(test_new)
{
    struct cleat_tls_clients *clients = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_ptr_null(cleat_tls_clients_free(NULL));
    ck_assert_int_eq(cleat_tls_clients_new("/nonexistent", NULL, &clients, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent"));
    ck_assert_ptr_null(clients);
    for (int i = 0; i < CLEAT_TLS_REFUSAL_COUNT; i++)
        ck_assert_ptr_nonnull(cleat_tls_refusal_text((enum cleat_tls_refusal)i));
}
END_TEST

CLEAT_SUITE_MAIN("tls_clients", test_any_name, test_names, test_file_changes, test_new)
