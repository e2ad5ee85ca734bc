/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate of each handshake. A bundle's PEM becomes an identity (GnuTLS's objects,
 * counted); a slot holds the one that handshakes begin with from now on; a peer, one per
 * connection, holds the one that its handshake chose.
 *
 * GnuTLS keeps pointers into the identity while the handshake runs and frees nothing of it. So the
 * peer's reference is given back once the handshake is known to be over: at the connection's first
 * request, or at its end. An old key is gone as soon as the last handshake on it is.
 */
#ifndef CLEAT_SERVER_TLS_H
#define CLEAT_SERVER_TLS_H

#include <stdbool.h>

#include <cleat/bundle.h>
#include <cleat/err.h>

#include "base/lock.h"
#include "server/tls_clients.h"

struct gnutls_session_int;
struct cleat_tls_identity;

struct cleat_tls_slot {
    struct cleat_lock lock;             /* of current; a count is taken under it */
    struct cleat_tls_identity *current; /* NULL: handshakes fail */
};

struct cleat_tls_peer {
    struct cleat_tls_slot *slot;
    struct cleat_tls_clients *clients; /* NULL: any client is taken */
    /* All of the connection's own thread. */
    struct cleat_tls_identity *held;
    bool finished;                  /* the handshake, by the client's last word in it */
    bool accepted;                  /* the client: judged, and taken */
    enum cleat_tls_refusal refusal; /* where the handshake doesn't finish: why */
};

/* TLS 1.2 and 1.3, AEAD alone, forward secrecy, our order: AES-128-GCM is the fastest where the
 * processor knows AES, and nobody needs more. Tickets would outlive the keys of an old bundle. */
#define CLEAT_TLS_PRIORITIES                                                             \
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:" \
    "+ECDHE-ECDSA:+ECDHE-RSA:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"           \
    "+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA384:"                \
    "+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-EDDSA-ED25519:+SIGN-RSA-PSS-RSAE-SHA256:"        \
    "+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:"                       \
    "+CTYPE-X509:+COMP-NULL:%SERVER_PRECEDENCE:%NO_TICKETS"

void cleat_tls_slot_init(struct cleat_tls_slot *slot);
/** No handshake may run any more. */
void cleat_tls_slot_fini(struct cleat_tls_slot *slot);
/** Handshakes that begin from now on get @bundle. -EINVAL: GnuTLS can't read it, the old one stays.
 * Any thread. */
int cleat_tls_slot_set(struct cleat_tls_slot *slot, struct cleat_bundle *bundle,
                       struct cleat_err *err) CLEAT_MUST_CHECK;
/** True where there is something to serve with. */
bool cleat_tls_slot_filled(struct cleat_tls_slot *slot);

/** Binds @session to @peer, before its handshake. With @clients, the client is asked for its
 * certificate and judged within the handshake. Without a session, nothing is to be judged. */
void cleat_tls_peer_init(struct cleat_tls_peer *peer, struct cleat_tls_slot *slot,
                         struct cleat_tls_clients *clients, struct gnutls_session_int *session);
/** A session that gets no peer, for lack of memory: its handshake fails. What libmicrohttpd left as
 * its pointer is no peer. */
void cleat_tls_peer_none(struct gnutls_session_int *session);
/** True where requests of @peer may be looked at. */
bool cleat_tls_peer_accepted(const struct cleat_tls_peer *peer);
/** The handshake is over, one way or the other; repeatable. */
void cleat_tls_peer_release(struct cleat_tls_peer *peer);

/** Identities alive in the process, for tests. */
unsigned cleat_tls_identities(void);

#endif
