/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tls.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/mem.h"
#include "server/tls_callback.h"

#define TLS_CHAIN_MAX 16

/* Frozen but for its count. */
struct cleat_tls_identity {
    _Atomic(unsigned) count; /* going down: acquire and release, so that the last sees all uses */
    gnutls_pcert_st chain[TLS_CHAIN_MAX];
    unsigned chain_length;
    gnutls_privkey_t key;
};

static _Atomic(unsigned) tls_alive; /* stands alone: relaxed */

static gnutls_datum_t datum_of(struct cleat_str text)
{
    return (gnutls_datum_t){(unsigned char *)text.data, (unsigned)text.length};
}

static struct cleat_tls_identity *identity_unref(struct cleat_tls_identity *identity)
{
    if (!identity || atomic_fetch_sub_explicit(&identity->count, 1, memory_order_acq_rel) > 1)
        return NULL;
    for (unsigned i = 0; i < identity->chain_length; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    gnutls_privkey_deinit(identity->key);
    atomic_fetch_sub_explicit(&tls_alive, 1, memory_order_relaxed);
    return cleat_mem_free(identity);
}

static int identity_load(struct cleat_tls_identity *identity, const struct cleat_bundle *bundle)
{
    gnutls_datum_t cert = datum_of(cleat_bundle_cert(bundle));
    gnutls_datum_t key = datum_of(cleat_bundle_key(bundle));
    unsigned length = TLS_CHAIN_MAX;
    int r = gnutls_privkey_init(&identity->key);
    if (r == 0)
        r = gnutls_privkey_import_x509_raw(identity->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r >= 0)
        r = gnutls_pcert_list_import_x509_raw(identity->chain, &length, &cert, GNUTLS_X509_FMT_PEM,
                                              0);
    if (r >= 0)
        identity->chain_length = length;
    return r;
}

static int identity_new(const struct cleat_bundle *bundle, struct cleat_tls_identity **ret,
                        struct cleat_err *err)
{
    struct cleat_tls_identity *identity = cleat_mem_zalloc(1, sizeof(*identity));
    if (!identity)
        return cleat_err_set(err, -ENOMEM, "no memory for a certificate");
    atomic_init(&identity->count, 1);
    atomic_fetch_add_explicit(&tls_alive, 1, memory_order_relaxed);
    int r = identity_load(identity, bundle);
    if (r >= 0) {
        *ret = identity;
        return 0;
    }
    (void)identity_unref(identity); /* always NULL */
    return cleat_err_set(err, r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL,
                         "GnuTLS can't use the certificate: %s", gnutls_strerror(r));
}

void cleat_tls_slot_init(struct cleat_tls_slot *slot)
{
    cleat_lock_init(&slot->lock, CLEAT_LOCK_BUNDLE);
    slot->current = NULL;
}

void cleat_tls_slot_fini(struct cleat_tls_slot *slot)
{
    slot->current = identity_unref(slot->current);
    cleat_lock_fini(&slot->lock);
}

int cleat_tls_slot_set(struct cleat_tls_slot *slot, struct cleat_bundle *bundle,
                       struct cleat_err *err)
{
    struct cleat_tls_identity *identity = NULL;
    int r = identity_new(bundle, &identity, err);
    if (r < 0)
        return r;
    cleat_lock_take(&slot->lock);
    struct cleat_tls_identity *old = slot->current;
    slot->current = identity;
    cleat_lock_release(&slot->lock);
    (void)identity_unref(old); /* always NULL */
    return 0;
}

static struct cleat_tls_identity *slot_lookup(struct cleat_tls_slot *slot)
{
    cleat_lock_take(&slot->lock);
    struct cleat_tls_identity *identity = slot->current;
    if (identity)
        atomic_fetch_add_explicit(&identity->count, 1, memory_order_relaxed);
    cleat_lock_release(&slot->lock);
    return identity;
}

bool cleat_tls_slot_filled(struct cleat_tls_slot *slot)
{
    cleat_lock_take(&slot->lock);
    bool filled = slot->current != NULL;
    cleat_lock_release(&slot->lock);
    return filled;
}

/* Called by GnuTLS after the client's Finished, its last message of a handshake. */
static int peer_on_finished(gnutls_session_t session, unsigned type, unsigned when,
                            unsigned incoming, const gnutls_datum_t *message)
{
    struct cleat_tls_peer *peer = gnutls_session_get_ptr(session);
    cleat_assert(peer);
    peer->finished = peer->finished || incoming;
    return 0;
}

/* Called by GnuTLS within the handshake, also where the client has shown no certificate. */
static int peer_on_verify(gnutls_session_t session)
{
    struct cleat_tls_peer *peer = gnutls_session_get_ptr(session);
    cleat_assert(peer && peer->clients);
    peer->accepted = cleat_tls_clients_accept(peer->clients, session, &peer->refusal);
    return peer->accepted ? 0 : -1;
}

void cleat_tls_peer_init(struct cleat_tls_peer *peer, struct cleat_tls_slot *slot,
                         struct cleat_tls_clients *clients, gnutls_session_t session)
{
    *peer = (struct cleat_tls_peer){.slot = slot, .clients = session ? clients : NULL};
    if (!session)
        return;
    gnutls_session_set_ptr(session, peer);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                       peer_on_finished);
    if (!clients)
        return;
    /* Asked for, not demanded: GnuTLS would refuse by itself, and nobody would know why. */
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    gnutls_session_set_verify_function(session, peer_on_verify);
}

void cleat_tls_peer_none(gnutls_session_t session)
{
    if (session)
        gnutls_session_set_ptr(session, NULL);
}

bool cleat_tls_peer_accepted(const struct cleat_tls_peer *peer)
{
    return !peer->clients || peer->accepted;
}

void cleat_tls_peer_release(struct cleat_tls_peer *peer)
{
    peer->held = identity_unref(peer->held);
}

int cleat_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                       gnutls_pcert_st **ret_chain, unsigned *ret_chain_length,
                       gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_length,
                       gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
    struct cleat_tls_peer *peer = gnutls_session_get_ptr(session);
    if (!peer)
        return -1; /* see cleat_tls_peer_none */
    cleat_assert(peer->slot);
    if (!peer->held)
        peer->held = slot_lookup(peer->slot);
    if (!peer->held)
        return -1;
    *ret_chain = peer->held->chain;
    *ret_chain_length = peer->held->chain_length;
    *ret_key = peer->held->key;
    *ret_ocsp = NULL;
    *ret_ocsp_length = 0;
    *ret_flags = 0; /* GnuTLS frees nothing */
    return 0;
}

unsigned cleat_tls_identities(void)
{
    return atomic_load_explicit(&tls_alive, memory_order_relaxed);
}
