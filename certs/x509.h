/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Cleat asks of OpenSSL about certificates and keys, PEM in and PEM out. No I/O, no state; any
 * thread.
 */
#ifndef CLEAT_CERTS_X509_H
#define CLEAT_CERTS_X509_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/str.h>

/** The first certificate in @pem; new. -EINVAL. */
int cleat_x509_read(struct cleat_str pem, X509 **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** The unencrypted private key in @pem; new. -EINVAL. */
int cleat_x509_read_key(struct cleat_str pem, EVP_PKEY **ret,
                        struct cleat_err *err) CLEAT_MUST_CHECK;
int cleat_x509_write(X509 *cert, struct cleat_buffer *buffer) CLEAT_MUST_CHECK;
/** The buffer holds a secret afterwards: wipe it. */
int cleat_x509_write_key(EVP_PKEY *key, struct cleat_buffer *buffer) CLEAT_MUST_CHECK;
/** The validity in Unix seconds; 0 where it can't be told. */
int64_t cleat_x509_not_before_unix_s(const X509 *cert);
int64_t cleat_x509_not_after_unix_s(const X509 *cert);
/** True where the certificate's subjectAltName covers @name, a DNS name or an IP address. */
bool cleat_x509_covers(X509 *cert, const char *name);
/** Takes @unix_s for verifying without looking at the times of the certificates. */
#define CLEAT_X509_ANY_TIME INT64_MIN
/**
 * 0 where the first certificate in @chain_pem leads to one in @ca_pem at @unix_s, as a server's. A
 * certificate in @ca_pem is trusted whether or not it signed itself, as Go has it. -EKEYREJECTED.
 */
int cleat_x509_verify(struct cleat_str chain_pem, struct cleat_str ca_pem, int64_t unix_s,
                      struct cleat_err *err) CLEAT_MUST_CHECK;
/** The same with @count certificates @trusted. */
int cleat_x509_verify_by(struct cleat_str chain_pem, X509 *const *trusted, size_t count,
                         int64_t unix_s, struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * Calls @fn with each certificate in @pem, borrowed for the call, until it returns non-zero, and
 * returns that, else 0. Blocks that can't be read are left out; what is beyond the 64th is not
 * looked at.
 */
int cleat_x509_each(struct cleat_str pem, int (*fn)(void *arg, X509 *cert), void *arg);
/** -EINVAL with what OpenSSL said, behind @what. Empties OpenSSL's own queue. */
int cleat_x509_fail(struct cleat_err *err, const char *what);

static inline void cleat_x509_freep(X509 **cert)
{
    X509_free(*cert);
    *cert = NULL;
}

static inline void cleat_x509_key_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
    *key = NULL;
}

#endif
