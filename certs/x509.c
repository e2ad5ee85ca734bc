/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/limits.h"
#include "certs/x509.h"

#define X509_PEM_BYTES_MAX (1 * CLEAT_MIB)
#define X509_BLOCKS_MAX 64

int cleat_x509_fail(struct cleat_err *err, const char *what)
{
    char text[160] = "unknown reason";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return cleat_err_set(err, -EINVAL, "%s: %s", what, text);
}

/* A reading BIO over @pem, or NULL with @err set. */
static BIO *x509_bio(struct cleat_str pem, struct cleat_err *err)
{
    BIO *bio = NULL;
    if (pem.length > 0 && pem.length <= X509_PEM_BYTES_MAX)
        bio = BIO_new_mem_buf(pem.data, (int)pem.length);
    if (!bio)
        (void)cleat_err_set(err, -EINVAL, "PEM text is empty or too large"); /* NULL tells it */
    return bio;
}

/* A passphrase is never asked for. */
static int x509_no_passphrase(char *buffer, int size, int writing, void *arg)
{
    return -1;
}

int cleat_x509_read(struct cleat_str pem, X509 **ret, struct cleat_err *err)
{
    BIO *bio = x509_bio(pem, err);
    if (!bio)
        return -EINVAL;
    X509 *cert = PEM_read_bio_X509(bio, NULL, x509_no_passphrase, NULL);
    BIO_free(bio);
    if (!cert)
        return cleat_x509_fail(err, "certificate can't be read");
    *ret = cert;
    return 0;
}

int cleat_x509_read_key(struct cleat_str pem, EVP_PKEY **ret, struct cleat_err *err)
{
    BIO *bio = x509_bio(pem, err);
    if (!bio)
        return -EINVAL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, x509_no_passphrase, NULL);
    BIO_free(bio);
    if (!key)
        return cleat_x509_fail(err, "private key can't be read");
    *ret = key;
    return 0;
}

/* Moves what @bio holds to @buffer and frees it. */
static int x509_take_bio(BIO *bio, bool written, struct cleat_buffer *buffer)
{
    char *data = NULL;
    long length = written ? BIO_get_mem_data(bio, &data) : 0;
    int r = length > 0 ? cleat_buffer_append(buffer, data, (size_t)length) : -ENOMEM;
    if (length > 0)
        OPENSSL_cleanse(data, (size_t)length);
    BIO_free(bio);
    return r;
}

int cleat_x509_write(X509 *cert, struct cleat_buffer *buffer)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return bio ? x509_take_bio(bio, PEM_write_bio_X509(bio, cert) == 1, buffer) : -ENOMEM;
}

int cleat_x509_write_key(EVP_PKEY *key, struct cleat_buffer *buffer)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio)
        return -ENOMEM;
    int written = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    return x509_take_bio(bio, written == 1, buffer);
}

static int64_t x509_time(const ASN1_TIME *when)
{
    int days = 0;
    int seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int told = epoch && when && ASN1_TIME_diff(&days, &seconds, epoch, when) == 1;
    ASN1_TIME_free(epoch);
    return told ? (int64_t)days * 86400 + seconds : 0;
}

int64_t cleat_x509_not_before_unix_s(const X509 *cert)
{
    return x509_time(X509_get0_notBefore(cert));
}

int64_t cleat_x509_not_after_unix_s(const X509 *cert)
{
    return x509_time(X509_get0_notAfter(cert));
}

bool cleat_x509_covers(X509 *cert, const char *name)
{
    unsigned char address[16];
    bool is_ip = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    int covers = is_ip ? X509_check_ip_asc(cert, name, 0)
                       : X509_check_host(cert, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL);
    ERR_clear_error();
    return covers == 1;
}

int cleat_x509_each(struct cleat_str pem, int (*fn)(void *arg, X509 *cert), void *arg)
{
    int r = 0;
    BIO *bio = x509_bio(pem, NULL);
    for (int i = 0; bio && r == 0 && i < X509_BLOCKS_MAX; i++) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, x509_no_passphrase, NULL);
        bool at_end = !cert && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        ERR_clear_error();
        if (at_end)
            break;
        if (cert)
            r = fn(arg, cert);
        X509_free(cert);
    }
    BIO_free(bio);
    return r;
}

static int x509_push(void *certs, X509 *cert)
{
    if (!X509_up_ref(cert))
        return -ENOMEM;
    if (sk_X509_push(certs, cert) > 0)
        return 0;
    X509_free(cert);
    return -ENOMEM;
}

/* All certificates of @pem; new, NULL where none can be read. */
static STACK_OF(X509) * x509_read_all(struct cleat_str pem)
{
    STACK_OF(X509) *certs = sk_X509_new_null();
    if (certs && cleat_x509_each(pem, x509_push, certs) == 0 && sk_X509_num(certs) > 0)
        return certs;
    sk_X509_pop_free(certs, X509_free);
    return NULL;
}

static void x509_set_rules(X509_STORE_CTX *context, int64_t unix_s)
{
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    if (unix_s == CLEAT_X509_ANY_TIME)
        flags |= X509_V_FLAG_NO_CHECK_TIME;
    else
        X509_STORE_CTX_set_time(context, 0, (time_t)unix_s);
    X509_STORE_CTX_set_flags(context, flags);
    X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
}

static int x509_verify_in(X509_STORE_CTX *context, STACK_OF(X509) * chain, X509_STORE *store,
                          int64_t unix_s, struct cleat_err *err)
{
    int r = 0;
    if (X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain) != 1)
        return cleat_err_set(err, -ENOMEM, "certificate can't be verified");
    x509_set_rules(context, unix_s);
    if (X509_verify_cert(context) != 1)
        r = cleat_err_set(err, -EKEYREJECTED, "certificate isn't valid under the CA: %s",
                          X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    ERR_clear_error();
    return r;
}

int cleat_x509_verify_by(struct cleat_str chain_pem, X509 *const *trusted, size_t count,
                         int64_t unix_s, struct cleat_err *err)
{
    int r = -ENOMEM;
    STACK_OF(X509) *chain = x509_read_all(chain_pem);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    for (size_t i = 0; store && i < count; i++)
        (void)X509_STORE_add_cert(store, trusted[i]); /* without it nothing is trusted */
    if (!chain || count == 0)
        r = cleat_err_set(err, -EKEYREJECTED, "%s holds no certificate",
                          chain ? "CA bundle" : "certificate chain");
    else if (store && context)
        r = x509_verify_in(context, chain, store, unix_s, err);
    else
        r = cleat_err_set(err, -ENOMEM, "certificate can't be verified");
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    sk_X509_pop_free(chain, X509_free);
    return r;
}

int cleat_x509_verify(struct cleat_str chain_pem, struct cleat_str ca_pem, int64_t unix_s,
                      struct cleat_err *err)
{
    STACK_OF(X509) *trusted = x509_read_all(ca_pem);
    X509 *certs[X509_BLOCKS_MAX];
    size_t count = 0;
    for (int i = 0; trusted && i < sk_X509_num(trusted); i++)
        certs[count++] = sk_X509_value(trusted, i);
    int r = cleat_x509_verify_by(chain_pem, certs, count, unix_s, err);
    sk_X509_pop_free(trusted, X509_free);
    return r;
}
