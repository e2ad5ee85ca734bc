/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server/tls.h"
#include "server/tls_callback.h"
#include "support/script_certs.h"
#include "support/suite.h"

static struct cleat_bundle *bundle_make(const char *name)
{
    const struct script_cert_options options = {.name = name, .alt_names = "DNS:localhost"};
    struct script_cert cert = {0};
    struct cleat_bundle *bundle = NULL;
    script_cert_make(&options, &cert);
    ck_assert_int_eq(cleat_bundle_new(cleat_str_of(cert.cert_pem), cleat_str_of(cert.key_pem),
                                      CLEAT_STR(""), &bundle, NULL),
                     0);
    script_cert_fini(&cert);
    return bundle;
}

static void slot_set(struct cleat_tls_slot *slot, const char *name)
{
    struct cleat_bundle *bundle = bundle_make(name);
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_tls_slot_set(slot, bundle, &err) == 0, "%s", err.text);
    (void)cleat_bundle_unref(bundle);
}

/* Both ends of one handshake on a pair of sockets, moved by hand. */
struct pair {
    int fds[2];
    gnutls_session_t client, server;
    gnutls_certificate_credentials_t client_cred, server_cred;
    struct cleat_tls_peer peer;
};

static void pair_open(struct pair *pair, struct cleat_tls_slot *slot, const char *priorities)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fds), 0);
    ck_assert_int_eq(gnutls_init(&pair->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    ck_assert_int_eq(gnutls_init(&pair->server, GNUTLS_SERVER | GNUTLS_NONBLOCK), 0);
    ck_assert_int_eq(gnutls_certificate_allocate_credentials(&pair->client_cred), 0);
    ck_assert_int_eq(gnutls_certificate_allocate_credentials(&pair->server_cred), 0);
    gnutls_certificate_set_retrieve_function3(pair->server_cred, cleat_tls_retrieve);
    gnutls_credentials_set(pair->client, GNUTLS_CRD_CERTIFICATE, pair->client_cred);
    gnutls_credentials_set(pair->server, GNUTLS_CRD_CERTIFICATE, pair->server_cred);
    ck_assert_int_eq(gnutls_priority_set_direct(pair->client, priorities, NULL), 0);
    ck_assert_int_eq(gnutls_priority_set_direct(pair->server, CLEAT_TLS_PRIORITIES, NULL), 0);
    gnutls_transport_set_int(pair->client, pair->fds[0]);
    gnutls_transport_set_int(pair->server, pair->fds[1]);
    cleat_tls_peer_init(&pair->peer, slot, NULL, pair->server);
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

/* One step of one end: 1 done, 0 waits, else GnuTLS's error. */
static int shake(gnutls_session_t session)
{
    int r = gnutls_handshake(session);
    return r == 0 ? 1 : gnutls_error_is_fatal(r) ? r : 0;
}

/* Both ends until done. 0, or the error of whoever failed first. */
static int pair_shake(struct pair *pair)
{
    int client = 0, server = 0;
    for (int round = 0; round < 20 && (client != 1 || server != 1); round++) {
        if (client != 1)
            client = shake(pair->client);
        if (client < 0)
            return client;
        if (server != 1)
            server = shake(pair->server);
        if (server < 0)
            return server;
    }
    return client == 1 && server == 1 ? 0 : -ETIMEDOUT;
}

/* The common name that the client was shown. */
static void pair_name(struct pair *pair, char *name, size_t size)
{
    unsigned count = 0;
    gnutls_x509_crt_t cert;
    const gnutls_datum_t *certs = gnutls_certificate_get_peers(pair->client, &count);
    ck_assert_uint_ge(count, 1);
    ck_assert_int_eq(gnutls_x509_crt_init(&cert), 0);
    ck_assert_int_eq(gnutls_x509_crt_import(cert, &certs[0], GNUTLS_X509_FMT_DER), 0);
    ck_assert_int_eq(
        gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size), 0);
    gnutls_x509_crt_deinit(cert);
}

START_TEST(test_priorities)
{
    static const struct {
        const char *client;
        int version;
        gnutls_cipher_algorithm_t cipher; /* GNUTLS_CIPHER_UNKNOWN: no handshake */
    } clients[] = {
        {"NORMAL", GNUTLS_TLS1_3, GNUTLS_CIPHER_AES_128_GCM},
        {"NORMAL:-AES-128-GCM", GNUTLS_TLS1_3, GNUTLS_CIPHER_AES_256_GCM},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2", GNUTLS_TLS1_2, GNUTLS_CIPHER_AES_128_GCM},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-AES-128-GCM:-AES-256-GCM", GNUTLS_TLS1_2,
         GNUTLS_CIPHER_CHACHA20_POLY1305},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-AES-128-GCM:-AES-256-GCM:-CHACHA20-POLY1305:-AES-128-CCM:"
         "-AES-256-CCM",
         0, GNUTLS_CIPHER_UNKNOWN},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.1", 0, GNUTLS_CIPHER_UNKNOWN},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", 0, GNUTLS_CIPHER_UNKNOWN},
    };
    struct cleat_tls_slot slot;
    cleat_tls_slot_init(&slot);
    slot_set(&slot, "one");
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        struct pair pair;
        pair_open(&pair, &slot, clients[i].client);
        int r = pair_shake(&pair);
        if (clients[i].cipher == GNUTLS_CIPHER_UNKNOWN) {
            ck_assert_msg(r < 0, "%s", clients[i].client);
        } else {
            ck_assert_msg(r == 0, "%s: %s", clients[i].client, gnutls_strerror(r));
            ck_assert_int_eq(gnutls_protocol_get_version(pair.server), clients[i].version);
            ck_assert_int_eq(gnutls_cipher_get(pair.server), clients[i].cipher);
        }
        pair_close(&pair);
    }
    cleat_tls_slot_fini(&slot);
}
END_TEST

START_TEST(test_empty)
{
    struct cleat_tls_slot slot;
    struct pair pair;
    cleat_tls_slot_init(&slot);
    ck_assert(!cleat_tls_slot_filled(&slot));
    pair_open(&pair, &slot, "NORMAL");
    ck_assert_int_lt(pair_shake(&pair), 0);
    pair_close(&pair);
    slot_set(&slot, "late");
    ck_assert(cleat_tls_slot_filled(&slot));
    pair_open(&pair, &slot, "NORMAL");
    ck_assert_int_eq(pair_shake(&pair), 0);
    pair_close(&pair);
    cleat_tls_slot_fini(&slot);
    ck_assert_uint_eq(cleat_tls_identities(), 0);
}
END_TEST

/* A handshake goes on with the certificate that it chose, even where that was replaced meanwhile.
 */
START_TEST(test_swap_within_handshake)
{
    struct cleat_tls_slot slot;
    struct pair pair;
    char name[64];
    cleat_tls_slot_init(&slot);
    slot_set(&slot, "old");
    pair_open(&pair, &slot, "NORMAL");
    ck_assert_int_eq(shake(pair.client), 0);
    ck_assert_int_eq(shake(pair.server), 0); /* it has chosen, and waits for the client */
    ck_assert_ptr_nonnull(pair.peer.held);
    slot_set(&slot, "new");
    ck_assert_uint_eq(cleat_tls_identities(), 2);
    ck_assert_int_eq(pair_shake(&pair), 0);
    pair_name(&pair, name, sizeof(name));
    ck_assert_str_eq(name, "old");
    cleat_tls_peer_release(&pair.peer);
    ck_assert_uint_eq(cleat_tls_identities(), 1); /* the last handshake on it is over */
    cleat_tls_peer_release(&pair.peer);
    pair_close(&pair);
    pair_open(&pair, &slot, "NORMAL");
    ck_assert_int_eq(pair_shake(&pair), 0);
    pair_name(&pair, name, sizeof(name));
    ck_assert_str_eq(name, "new");
    pair_close(&pair);
    cleat_tls_slot_fini(&slot);
    ck_assert_uint_eq(cleat_tls_identities(), 0);
}
END_TEST

/* What we rely on: once a handshake is over, GnuTLS doesn't touch the certificate any more. */
START_TEST(test_session_outlives_certificate)
{
    static const char *const versions[] = {"NORMAL", "NORMAL:-VERS-ALL:+VERS-TLS1.2"};
    for (size_t i = 0; i < 2; i++) {
        struct cleat_tls_slot slot;
        struct pair pair;
        char bytes[8] = "";
        cleat_tls_slot_init(&slot);
        slot_set(&slot, "old");
        pair_open(&pair, &slot, versions[i]);
        ck_assert_int_eq(pair_shake(&pair), 0);
        cleat_tls_peer_release(&pair.peer);
        slot_set(&slot, "new");
        ck_assert_uint_eq(cleat_tls_identities(), 1);
        ck_assert_int_eq(gnutls_record_send(pair.client, "ping", 4), 4);
        ck_assert_int_eq(gnutls_record_recv(pair.server, bytes, sizeof(bytes)), 4);
        ck_assert_int_eq(gnutls_record_send(pair.server, "pong", 4), 4);
        ck_assert_int_eq(gnutls_record_recv(pair.client, bytes, sizeof(bytes)), 4);
        ck_assert_str_eq(bytes, "pong");
        pair_close(&pair);
        cleat_tls_slot_fini(&slot);
    }
}
END_TEST

struct shaker {
    struct cleat_tls_slot *slot;
    _Atomic(unsigned) shaken;
    _Atomic(bool) end;
};

static void *shaker_main(void *arg)
{
    struct shaker *shaker = arg;
    while (!atomic_load(&shaker->end)) {
        struct pair pair;
        pair_open(&pair, shaker->slot, "NORMAL");
        ck_assert_int_eq(pair_shake(&pair), 0);
        cleat_tls_peer_release(&pair.peer);
        pair_close(&pair);
        atomic_fetch_add(&shaker->shaken, 1);
    }
    return NULL;
}

START_TEST(test_swap_under_load)
{
    enum { THREADS = 3, SWAPS = 50 };
    struct cleat_tls_slot slot;
    pthread_t threads[THREADS];
    struct cleat_bundle *bundles[2] = {bundle_make("a"), bundle_make("b")};
    struct shaker shaker = {.slot = &slot};
    cleat_tls_slot_init(&slot);
    ck_assert_int_eq(cleat_tls_slot_set(&slot, bundles[0], NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, shaker_main, &shaker), 0);
    for (unsigned i = 0; i < SWAPS || atomic_load(&shaker.shaken) < SWAPS; i++)
        ck_assert_int_eq(cleat_tls_slot_set(&slot, bundles[i % 2], NULL), 0);
    atomic_store(&shaker.end, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(cleat_tls_identities(), 1);
    cleat_tls_slot_fini(&slot);
    ck_assert_uint_eq(cleat_tls_identities(), 0);
    (void)cleat_bundle_unref(bundles[0]);
    (void)cleat_bundle_unref(bundles[1]);
}
END_TEST

/* Once: a connection that there was no memory to keep a state of ended the process. */
START_TEST(test_no_state_no_handshake)
{
    gnutls_session_t session;
    gnutls_pcert_st *chain = NULL;
    gnutls_ocsp_data_st *ocsp = NULL;
    gnutls_privkey_t key = NULL;
    unsigned lengths[2] = {0}, flags = 0;
    ck_assert_int_eq(gnutls_init(&session, GNUTLS_SERVER), 0);
    gnutls_session_set_ptr(session, lengths); /* as the library may leave it */
    cleat_tls_peer_none(session);
    ck_assert_int_lt(
        cleat_tls_retrieve(session, NULL, &chain, &lengths[0], &ocsp, &lengths[1], &key, &flags),
        0);
    gnutls_deinit(session);
}
END_TEST

CLEAT_SUITE_MAIN("tls", test_priorities, test_empty, test_swap_within_handshake,
                 test_session_outlives_certificate, test_swap_under_load,
                 test_no_state_no_handshake)
