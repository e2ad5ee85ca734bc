/* SPDX-License-Identifier: Apache-2.0 */
#include "support/script_certs.h"

#include <check.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/mem.h"

static char *certs_take(BIO *bio)
{
    char *bytes = NULL;
    long length = BIO_get_mem_data(bio, &bytes);
    char *text = cleat_mem_strndup(bytes, (size_t)length);
    ck_assert_ptr_nonnull(text);
    BIO_free(bio);
    return text;
}

static EVP_PKEY *certs_read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ck_assert_ptr_nonnull(key);
    return key;
}

static X509 *certs_read_cert(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ck_assert_ptr_nonnull(cert);
    return cert;
}

static void certs_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void certs_name(X509 *cert, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    ck_assert_int_eq(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
}

static void certs_fill(X509 *cert, X509 *issuer, const struct script_cert_options *options)
{
    bool usual = options->not_before_s == 0 && options->not_after_s == 0;
    uint32_t serial = 0;
    ck_assert_int_eq(RAND_bytes((unsigned char *)&serial, sizeof(serial)), 1);
    ck_assert_int_eq(X509_set_version(cert, 2), 1);
    ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)(serial >> 1) + 1), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), usual ? -3600 : options->not_before_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), usual ? 86400 : options->not_after_s);
    ck_assert_int_eq(X509_set_issuer_name(cert, X509_get_subject_name(issuer)), 1);
    certs_extend(cert, issuer, NID_basic_constraints,
                 options->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    certs_extend(cert, issuer, NID_subject_key_identifier, "hash");
    if (options->ca)
        certs_extend(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    else
        certs_extend(cert, issuer, NID_ext_key_usage,
                     options->purposes ? options->purposes : "serverAuth,clientAuth");
    if (options->alt_names)
        certs_extend(cert, issuer, NID_subject_alt_name, options->alt_names);
}

void script_cert_make(const struct script_cert_options *options, struct script_cert *ret)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ck_assert_ptr_nonnull(key);
    ck_assert_ptr_nonnull(cert);
    ck_assert_int_eq(X509_set_pubkey(cert, key), 1);
    certs_name(cert, options->name);
    const struct script_cert *signer = options->signer;
    X509 *issuer = signer ? certs_read_cert(signer->cert_pem) : cert;
    EVP_PKEY *issuer_key = signer ? certs_read_key(signer->key_pem) : key;
    certs_fill(cert, issuer, options);
    ck_assert_int_gt(X509_sign(cert, issuer_key, EVP_sha256()), 0);
    BIO *cert_out = BIO_new(BIO_s_mem());
    BIO *key_out = BIO_new(BIO_s_mem());
    ck_assert_int_eq(PEM_write_bio_X509(cert_out, cert), 1);
    ck_assert_int_eq(PEM_write_bio_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL), 1);
    ret->cert_pem = certs_take(cert_out);
    ret->key_pem = certs_take(key_out);
    if (signer) {
        X509_free(issuer);
        EVP_PKEY_free(issuer_key);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
}

void script_cert_fini(struct script_cert *cert)
{
    cert->cert_pem = cleat_mem_free(cert->cert_pem);
    cert->key_pem = cleat_mem_free(cert->key_pem);
}
