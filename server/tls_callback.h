/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The function that libmicrohttpd hands to GnuTLS; apart, because its types are GnuTLS's.
 */
#ifndef CLEAT_SERVER_TLS_CALLBACK_H
#define CLEAT_SERVER_TLS_CALLBACK_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

/** A gnutls_certificate_retrieve_function3 for sessions that have a struct cleat_tls_peer. */
int cleat_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                       gnutls_pcert_st **ret_chain, unsigned *ret_chain_length,
                       gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_length,
                       gnutls_privkey_t *ret_key, unsigned *ret_flags);

#endif
