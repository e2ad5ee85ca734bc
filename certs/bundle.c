/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "certs/bundle.h"
#include "certs/x509.h"

struct cleat_bundle {
    atomic_uint refs;
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
    struct cleat_str cert; /* all three point into bytes, each NUL-terminated */
    struct cleat_str key;
    struct cleat_str ca;
    size_t length;
    char bytes[];
};

static struct cleat_str bundle_place(struct cleat_bundle *bundle, struct cleat_str text)
{
    char *at = bundle->bytes + bundle->length;
    if (text.length > 0)
        memcpy(at, text.data, text.length);
    at[text.length] = '\0';
    bundle->length += text.length + 1;
    return (struct cleat_str){at, text.length};
}

static int bundle_check(struct cleat_str cert_pem, struct cleat_str key_pem,
                        struct cleat_str ca_pem, int64_t *ret_not_before_s,
                        int64_t *ret_not_after_s, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_x509_freep) X509 *cert = NULL;
    CLEAT_CLEANUP(cleat_x509_freep) X509 *ca = NULL;
    CLEAT_CLEANUP(cleat_x509_key_freep) EVP_PKEY *key = NULL;
    int r = cleat_x509_read(cert_pem, &cert, err);
    if (r == 0)
        r = cleat_x509_read_key(key_pem, &key, err);
    if (r == 0 && ca_pem.length > 0)
        r = cleat_x509_read(ca_pem, &ca, err);
    if (r < 0)
        return r;
    if (X509_check_private_key(cert, key) != 1)
        return cleat_x509_fail(err, "certificate and key don't belong together");
    *ret_not_before_s = cleat_x509_not_before_unix_s(cert);
    *ret_not_after_s = cleat_x509_not_after_unix_s(cert);
    return 0;
}

int cleat_bundle_new(struct cleat_str cert_pem, struct cleat_str key_pem, struct cleat_str ca_pem,
                     struct cleat_bundle **ret, struct cleat_err *err)
{
    int64_t not_before_s = 0;
    int64_t not_after_s = 0;
    int r = bundle_check(cert_pem, key_pem, ca_pem, &not_before_s, &not_after_s, err);
    if (r < 0)
        return r;
    struct cleat_bundle *bundle =
        cleat_mem_zalloc(1, sizeof(*bundle) + cert_pem.length + key_pem.length + ca_pem.length + 3);
    if (!bundle)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    atomic_init(&bundle->refs, 1);
    bundle->not_before_unix_s = not_before_s;
    bundle->not_after_unix_s = not_after_s;
    bundle->cert = bundle_place(bundle, cert_pem);
    bundle->key = bundle_place(bundle, key_pem);
    bundle->ca = bundle_place(bundle, ca_pem);
    *ret = bundle;
    return 0;
}

struct cleat_bundle *cleat_bundle_ref(struct cleat_bundle *bundle)
{
    /* Relaxed: whoever passes the pointer on orders its content. */
    atomic_fetch_add_explicit(&bundle->refs, 1, memory_order_relaxed);
    return bundle;
}

struct cleat_bundle *cleat_bundle_unref(struct cleat_bundle *bundle)
{
    if (!bundle)
        return NULL;
    /* Release and acquire: the last holder's wipe comes after everybody's last reading. */
    unsigned before = atomic_fetch_sub_explicit(&bundle->refs, 1, memory_order_acq_rel);
    cleat_assert(before > 0);
    if (before > 1)
        return NULL;
    cleat_mem_wipe(bundle->bytes, bundle->length);
    return cleat_mem_free(bundle);
}

struct cleat_str cleat_bundle_cert(const struct cleat_bundle *bundle)
{
    return bundle->cert;
}

struct cleat_str cleat_bundle_key(const struct cleat_bundle *bundle)
{
    return bundle->key;
}

struct cleat_str cleat_bundle_ca(const struct cleat_bundle *bundle)
{
    return bundle->ca;
}

int64_t cleat_bundle_not_before_unix_s(const struct cleat_bundle *bundle)
{
    return bundle->not_before_unix_s;
}

int64_t cleat_bundle_not_after_unix_s(const struct cleat_bundle *bundle)
{
    return bundle->not_after_unix_s;
}

bool cleat_bundle_covers(const struct cleat_bundle *bundle, const char *const *names)
{
    CLEAT_CLEANUP(cleat_x509_freep) X509 *cert = NULL;
    bool covers = cleat_x509_read(bundle->cert, &cert, NULL) == 0;
    for (size_t i = 0; covers && names[i]; i++)
        covers = cleat_x509_covers(cert, names[i]);
    return covers;
}

bool cleat_bundle_equal(const struct cleat_bundle *a, const struct cleat_bundle *b)
{
    return cleat_str_equal(a->cert, b->cert) && cleat_str_equal(a->key, b->key) &&
           cleat_str_equal(a->ca, b->ca);
}
