/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/x509v3.h>
#include <cleat/buffer.h>
#include <cleat/name.h>
#include "base/limits.h"
#include "base/mem.h"
#include "certs/authority.h"
#include "certs/x509.h"

#define AUTHORITY_PEM_BYTES_MAX (64 * CLEAT_KIB)
#define AUTHORITY_SERIAL_BYTES 16

struct cleat_authority {
    X509 *cert;
    EVP_PKEY *key;
    struct cleat_buffer cert_pem;
    struct cleat_buffer key_pem;
};

struct cleat_authority *cleat_authority_free(struct cleat_authority *authority)
{
    if (!authority)
        return NULL;
    if (authority->key_pem.data)
        cleat_mem_wipe(authority->key_pem.data, authority->key_pem.length);
    cleat_buffer_fini(&authority->key_pem);
    cleat_buffer_fini(&authority->cert_pem);
    cleat_x509_key_freep(&authority->key);
    cleat_x509_freep(&authority->cert);
    return cleat_mem_free(authority);
}

static int authority_alloc(struct cleat_authority **ret)
{
    struct cleat_authority *authority = cleat_mem_zalloc(1, sizeof(*authority));
    if (!authority)
        return -ENOMEM;
    cleat_buffer_init(&authority->cert_pem, AUTHORITY_PEM_BYTES_MAX);
    cleat_buffer_init(&authority->key_pem, AUTHORITY_PEM_BYTES_MAX);
    *ret = authority;
    return 0;
}

static int cert_add_extension(X509 *cert, X509 *issuer, int nid, const char *text)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, text);
    int added = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added ? 0 : -EINVAL;
}

/* A positive random serial number of 127 bits (RFC 5280 section 4.1.2.2). */
static int cert_set_serial(X509 *cert, const struct cleat_clock *clock)
{
    unsigned char bytes[AUTHORITY_SERIAL_BYTES];
    cleat_clock_random(clock, bytes, sizeof(bytes));
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x01);
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    ASN1_INTEGER *serial = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    int set = serial && X509_set_serialNumber(cert, serial) == 1;
    ASN1_INTEGER_free(serial);
    BN_free(number);
    return set ? 0 : -ENOMEM;
}

/* What CA and leaf have in common: version, serial number, names, key and validity. */
static int cert_begin(const char *common_name, int64_t not_after_unix_s,
                      const struct cleat_clock *clock, X509 *issuer, EVP_PKEY *key, X509 **ret)
{
    int64_t now_s = cleat_clock_wall_ms(clock) / 1000;
    X509 *cert = X509_new();
    if (!cert)
        return -ENOMEM;
    X509_NAME *subject = X509_get_subject_name(cert);
    int good = X509_set_version(cert, X509_VERSION_3) == 1 && cert_set_serial(cert, clock) == 0 &&
               X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                          (const unsigned char *)common_name, -1, -1, 0) == 1 &&
               X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)) == 1 &&
               X509_set_pubkey(cert, key) == 1 &&
               ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now_s - CLEAT_CERT_BACKDATE_S)) &&
               ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)not_after_unix_s);
    if (!good) {
        X509_free(cert);
        return -ENOMEM;
    }
    *ret = cert;
    return 0;
}

/* Certificates know whole seconds only: never less than @lifetime_s. */
static int64_t cert_end_s(int64_t lifetime_s, const struct cleat_clock *clock)
{
    return (cleat_clock_wall_ms(clock) + 999) / 1000 + lifetime_s;
}

static int authority_make(struct cleat_authority *authority, const char *common_name,
                          int64_t lifetime_s, const struct cleat_clock *clock)
{
    authority->key = EVP_EC_gen("P-256");
    if (!authority->key)
        return -ENOMEM;
    int r = cert_begin(common_name, cert_end_s(lifetime_s, clock), clock, NULL, authority->key,
                       &authority->cert);
    X509 *cert = authority->cert;
    if (r == 0)
        r = cert_add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    if (r == 0)
        r = cert_add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (r == 0)
        r = cert_add_extension(cert, cert, NID_subject_key_identifier, "hash");
    if (r == 0 && X509_sign(cert, authority->key, EVP_sha256()) == 0)
        r = -EINVAL;
    return r;
}

static int authority_write(struct cleat_authority *authority)
{
    int r = cleat_x509_write(authority->cert, &authority->cert_pem);
    return r < 0 ? r : cleat_x509_write_key(authority->key, &authority->key_pem);
}

int cleat_authority_new(const char *common_name, int64_t lifetime_s,
                        const struct cleat_clock *clock, struct cleat_authority **ret,
                        struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_authority_freep) struct cleat_authority *authority = NULL;
    int r = authority_alloc(&authority);
    if (r == 0)
        r = authority_make(authority, common_name, lifetime_s, clock);
    if (r == 0)
        r = authority_write(authority);
    if (r == -ENOMEM)
        return cleat_err_set(err, r, "CA %s can't be made: out of memory", common_name);
    if (r < 0)
        return cleat_x509_fail(err, "CA can't be made");
    *ret = authority;
    authority = NULL;
    return 0;
}

int cleat_authority_load(struct cleat_str cert_pem, struct cleat_str key_pem,
                         struct cleat_authority **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_authority_freep) struct cleat_authority *authority = NULL;
    int r = authority_alloc(&authority);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    r = cleat_x509_read(cert_pem, &authority->cert, err);
    if (r == 0)
        r = cleat_x509_read_key(key_pem, &authority->key, err);
    if (r < 0)
        return r;
    if (X509_check_private_key(authority->cert, authority->key) != 1)
        return cleat_x509_fail(err, "CA certificate and key don't belong together");
    if (X509_check_ca(authority->cert) != 1)
        return cleat_err_set(err, -EINVAL, "the certificate isn't a CA's");
    r = authority_write(authority);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    *ret = authority;
    authority = NULL;
    return 0;
}

struct cleat_str cleat_authority_cert(const struct cleat_authority *authority)
{
    return cleat_buffer_view(&authority->cert_pem);
}

struct cleat_str cleat_authority_key(const struct cleat_authority *authority)
{
    return cleat_buffer_view(&authority->key_pem);
}

int64_t cleat_authority_not_after_unix_s(const struct cleat_authority *authority)
{
    return cleat_x509_not_after_unix_s(authority->cert);
}

/* One subjectAltName; new, NULL on failure. */
static GENERAL_NAME *leaf_alt_name(const char *name)
{
    unsigned char address[16];
    int length = inet_pton(AF_INET, name, address) == 1    ? 4
                 : inet_pton(AF_INET6, name, address) == 1 ? 16
                                                           : 0;
    GENERAL_NAME *general = GENERAL_NAME_new();
    ASN1_STRING *value = length ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    int set = value && (length ? ASN1_STRING_set(value, address, length)
                               : ASN1_STRING_set(value, name, (int)strlen(name)));
    if (!general || !set) {
        GENERAL_NAME_free(general);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(general, length ? GEN_IPADD : GEN_DNS, value);
    return general;
}

static int leaf_add_names(X509 *cert, const char *const *names)
{
    int r = 0;
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    for (size_t i = 0; all && r == 0 && names[i]; i++) {
        GENERAL_NAME *general = leaf_alt_name(names[i]);
        if (!general || sk_GENERAL_NAME_push(all, general) == 0) {
            GENERAL_NAME_free(general);
            r = -ENOMEM;
        }
    }
    if (!all || r < 0 || X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, 0) != 1)
        r = -ENOMEM;
    GENERAL_NAMES_free(all);
    return r;
}

static int leaf_make(const struct cleat_authority *authority, const char *const *names,
                     int64_t lifetime_s, const struct cleat_clock *clock, EVP_PKEY *key, X509 **ret)
{
    CLEAT_CLEANUP(cleat_x509_freep) X509 *cert = NULL;
    int64_t not_after_s = cert_end_s(lifetime_s, clock);
    int64_t ca_not_after_s = cleat_authority_not_after_unix_s(authority);
    if (not_after_s > ca_not_after_s)
        not_after_s = ca_not_after_s;
    /* A common name holds 64 bytes at most and isn't read by anybody: the names are in
     * subjectAltName. */
    int r = cert_begin("cleat", not_after_s, clock, authority->cert, key, &cert);
    if (r == 0)
        r = cert_add_extension(cert, authority->cert, NID_basic_constraints, "critical,CA:FALSE");
    if (r == 0)
        r = cert_add_extension(cert, authority->cert, NID_key_usage, "critical,digitalSignature");
    if (r == 0)
        r = cert_add_extension(cert, authority->cert, NID_ext_key_usage, "serverAuth");
    if (r == 0)
        r = cert_add_extension(cert, authority->cert, NID_authority_key_identifier, "keyid:always");
    if (r == 0)
        r = leaf_add_names(cert, names);
    if (r == 0 && X509_sign(cert, authority->key, EVP_sha256()) == 0)
        r = -EINVAL;
    if (r == 0) {
        *ret = cert;
        cert = NULL;
    }
    return r;
}

static int leaf_check_names(const char *const *names, struct cleat_err *err)
{
    unsigned char address[16];
    for (size_t i = 0; names[i]; i++)
        if (inet_pton(AF_INET, names[i], address) != 1 &&
            inet_pton(AF_INET6, names[i], address) != 1 &&
            !cleat_name_is_dns_subdomain(cleat_str_of(names[i])))
            return cleat_err_set(err, -EINVAL, "%s is neither a DNS name nor an IP address",
                                 names[i]);
    return names[0] ? 0 : cleat_err_set(err, -EINVAL, "a certificate needs a name");
}

int cleat_authority_issue(const struct cleat_authority *authority, const char *const *names,
                          int64_t lifetime_s, const struct cleat_clock *clock,
                          struct cleat_bundle **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_x509_freep) X509 *cert = NULL;
    CLEAT_CLEANUP(cleat_x509_key_freep) EVP_PKEY *key = NULL;
    struct cleat_buffer cert_pem = CLEAT_BUFFER_INIT(AUTHORITY_PEM_BYTES_MAX);
    struct cleat_buffer key_pem = CLEAT_BUFFER_INIT(AUTHORITY_PEM_BYTES_MAX);
    int r = leaf_check_names(names, err);
    if (r < 0)
        return r;
    key = EVP_EC_gen("P-256");
    r = key ? leaf_make(authority, names, lifetime_s, clock, key, &cert) : -ENOMEM;
    if (r == 0)
        r = cleat_x509_write(cert, &cert_pem);
    if (r == 0)
        r = cleat_x509_write_key(key, &key_pem);
    if (r == 0)
        r = cleat_bundle_new(cleat_buffer_view(&cert_pem), cleat_buffer_view(&key_pem),
                             cleat_authority_cert(authority), ret, err);
    else
        (void)cleat_x509_fail(err, "certificate can't be issued"); /* the code goes on */
    if (key_pem.data)
        cleat_mem_wipe(key_pem.data, key_pem.length);
    cleat_buffer_fini(&key_pem);
    cleat_buffer_fini(&cert_pem);
    return r;
}
