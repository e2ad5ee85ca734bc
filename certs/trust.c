/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include "certs/trust.h"

void cleat_trust_fini(struct cleat_trust *trust)
{
    for (size_t i = 0; i < trust->count; i++)
        X509_free(trust->certs[i]);
    trust->count = 0;
}

bool cleat_trust_has(const struct cleat_trust *trust, const X509 *cert)
{
    for (size_t i = 0; i < trust->count; i++)
        if (X509_cmp(trust->certs[i], cert) == 0)
            return true;
    return false;
}

void cleat_trust_add_cert(struct cleat_trust *trust, X509 *cert)
{
    bool wanted =
        trust->count < CLEAT_TRUST_MAX && X509_check_ca(cert) == 1 && !cleat_trust_has(trust, cert);
    ERR_clear_error();
    if (wanted && X509_up_ref(cert))
        trust->certs[trust->count++] = cert;
}

static bool trust_expired(const X509 *cert, int64_t now_unix_s)
{
    return now_unix_s != CLEAT_X509_ANY_TIME && cleat_x509_not_after_unix_s(cert) < now_unix_s;
}

struct trust_adding {
    struct cleat_trust *trust;
    int64_t now_unix_s;
};

static int trust_visit(void *arg, X509 *cert)
{
    const struct trust_adding *adding = arg;
    if (!trust_expired(cert, adding->now_unix_s))
        cleat_trust_add_cert(adding->trust, cert);
    return 0;
}

void cleat_trust_add(struct cleat_trust *trust, struct cleat_str pem, int64_t now_unix_s)
{
    struct trust_adding adding = {trust, now_unix_s};
    (void)cleat_x509_each(pem, trust_visit, &adding); /* the visitor ends nothing */
}

void cleat_trust_add_from(struct cleat_trust *trust, const struct cleat_trust *other, size_t first,
                          int64_t now_unix_s)
{
    for (size_t i = first; i < other->count; i++)
        if (!trust_expired(other->certs[i], now_unix_s))
            cleat_trust_add_cert(trust, other->certs[i]);
}

bool cleat_trust_equal(const struct cleat_trust *a, const struct cleat_trust *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = X509_cmp(a->certs[i], b->certs[i]) == 0;
    return equal;
}

bool cleat_trust_verifies(const struct cleat_trust *trust, struct cleat_str chain_pem,
                          int64_t unix_s)
{
    return trust->count > 0 &&
           cleat_x509_verify_by(chain_pem, trust->certs, trust->count, unix_s, NULL) == 0;
}

int cleat_trust_write(const struct cleat_trust *trust, struct cleat_buffer *buffer)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < trust->count; i++)
        r = cleat_x509_write(trust->certs[i], buffer);
    return r;
}
