/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which clients a TLS server takes: those with a certificate for client authentication that the CAs
 * of a file vouch for, and, where names are given, with one of them as common name or DNS name. The
 * file is read again when its content changes; one that can't be read leaves the old CAs in use.
 *
 * A client is judged within its handshake. In TLS 1.3 it learns of a refusal by the alert that its
 * first reading finds.
 */
#ifndef CLEAT_SERVER_TLS_CLIENTS_H
#define CLEAT_SERVER_TLS_CLIENTS_H

#include <stdbool.h>

#include <cleat/err.h>
#include <cleat/macro.h>

struct gnutls_session_int;
struct cleat_tls_clients;

/* Why a handshake came to nothing. */
enum cleat_tls_refusal {
    CLEAT_TLS_UNFINISHED,       /* given up by the client, not TLS, no common ground, too slow */
    CLEAT_TLS_CLIENT_ABSENT,    /* no certificate */
    CLEAT_TLS_CLIENT_UNTRUSTED, /* not of these CAs, expired, not for client authentication */
    CLEAT_TLS_CLIENT_NAME,      /* of these CAs, but none of the names */
    CLEAT_TLS_REFUSAL_COUNT
};

/** A label's value: "unfinished", "client_absent", "client_untrusted", "client_name". */
const char *cleat_tls_refusal_text(enum cleat_tls_refusal refusal);

/**
 * Reads @file, PEM. @names is NULL-terminated and copied; NULL or empty: any name. @ret is new. 0;
 * -EINVAL for a file without a certificate, and what the system says, with the file's name in @err.
 */
int cleat_tls_clients_new(const char *file, const char *const *names,
                          struct cleat_tls_clients **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** No handshake may run any more; NULL is fine; returns NULL. */
struct cleat_tls_clients *cleat_tls_clients_free(struct cleat_tls_clients *clients);
/** Reads the file again. 0, also where it hasn't changed; 1 where it has; negative: the old CAs
 * stay. One thread at a time; blocks. */
int cleat_tls_clients_refresh(struct cleat_tls_clients *clients, struct cleat_err *err);
/** The judgement of @session's peer, within or after its handshake: true, or why not. Any thread.
 */
bool cleat_tls_clients_accept(struct cleat_tls_clients *clients, struct gnutls_session_int *session,
                              enum cleat_tls_refusal *ret);

#endif
