/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tls_clients.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/mem.h"
#include "client/file.h"

#define CLIENTS_FILE_BYTES_MAX (1 * CLEAT_MIB)
#define CLIENTS_CHAIN_MAX 8
#define CLIENTS_NAME_BYTES 256
#define CLIENTS_DNS_NAMES_MAX 256
#define CLIENTS_VERIFY_FLAGS GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM)

/* CAs as they were read once; frozen but for the count. */
struct client_roots {
    _Atomic(unsigned) count; /* up relaxed, under the lock; down acquire and release */
    gnutls_x509_trust_list_t list;
};

struct cleat_tls_clients {
    char *file;
    char **names; /* NULL-terminated; NULL: any */
    uint64_t read_hash;
    struct cleat_lock lock; /* of roots */
    struct client_roots *roots;
};

const char *cleat_tls_refusal_text(enum cleat_tls_refusal refusal)
{
    static const char *const texts[CLEAT_TLS_REFUSAL_COUNT] = {
        [CLEAT_TLS_UNFINISHED] = "unfinished",
        [CLEAT_TLS_CLIENT_ABSENT] = "client_absent",
        [CLEAT_TLS_CLIENT_UNTRUSTED] = "client_untrusted",
        [CLEAT_TLS_CLIENT_NAME] = "client_name",
    };
    return texts[refusal];
}

/* ---- CAs ---- */

static struct client_roots *roots_unref(struct client_roots *roots)
{
    if (!roots || atomic_fetch_sub_explicit(&roots->count, 1, memory_order_acq_rel) > 1)
        return NULL;
    if (roots->list)
        gnutls_x509_trust_list_deinit(roots->list, 1);
    return cleat_mem_free(roots);
}

/* What GnuTLS says of its own lack of memory is ours, too. */
static int roots_error(int code, const char *file, struct cleat_err *err)
{
    return code == GNUTLS_E_MEMORY_ERROR
               ? cleat_err_set(err, -ENOMEM, "no memory for the CAs of %s", file)
               : cleat_err_set(err, -EINVAL, "%s: no CA certificate can be read: %s", file,
                               code < 0 ? gnutls_strerror(code) : "there is none");
}

static int roots_new(const char *file, struct cleat_str pem, struct client_roots **ret,
                     struct cleat_err *err)
{
    const gnutls_datum_t datum = {(unsigned char *)pem.data, (unsigned)pem.length};
    struct client_roots *roots = cleat_mem_zalloc(1, sizeof(*roots));
    if (!roots)
        return cleat_err_set(err, -ENOMEM, "no memory for the CAs of %s", file);
    atomic_init(&roots->count, 1);
    int r = gnutls_x509_trust_list_init(&roots->list, 0);
    if (r == 0)
        r = gnutls_x509_trust_list_add_trust_mem(roots->list, &datum, NULL, GNUTLS_X509_FMT_PEM, 0,
                                                 0);
    if (r > 0) {
        *ret = roots;
        return 0;
    }
    (void)roots_unref(roots); /* always NULL */
    return roots_error(r, file, err);
}

static struct client_roots *clients_lookup(struct cleat_tls_clients *clients)
{
    cleat_lock_take(&clients->lock);
    struct client_roots *roots = clients->roots;
    atomic_fetch_add_explicit(&roots->count, 1, memory_order_relaxed);
    cleat_lock_release(&clients->lock);
    return roots;
}

int cleat_tls_clients_refresh(struct cleat_tls_clients *clients, struct cleat_err *err)
{
    struct cleat_buffer pem = CLEAT_BUFFER_INIT(CLIENTS_FILE_BYTES_MAX);
    struct client_roots *roots = NULL;
    int r = cleat_file_read(clients->file, false, &pem, err);
    uint64_t hash = r == 0 ? cleat_hash_bytes(pem.data ? pem.data : "", pem.length) : 0;
    bool same = r == 0 && clients->roots && hash == clients->read_hash;
    if (r == 0 && !same)
        r = roots_new(clients->file, cleat_buffer_view(&pem), &roots, err);
    cleat_buffer_fini(&pem);
    if (r < 0 || same)
        return r;
    clients->read_hash = hash;
    cleat_lock_take(&clients->lock);
    struct client_roots *old = clients->roots;
    clients->roots = roots;
    cleat_lock_release(&clients->lock);
    (void)roots_unref(old); /* always NULL */
    return 1;
}

/* ---- life ---- */

static int clients_copy_names(struct cleat_tls_clients *clients, const char *const *names)
{
    size_t count = 0;
    while (names && names[count])
        count++;
    if (count == 0)
        return 0;
    clients->names = cleat_mem_zalloc(count + 1, sizeof(*clients->names));
    for (size_t i = 0; clients->names && i < count; i++)
        if (!(clients->names[i] = cleat_mem_strdup(names[i])))
            return -ENOMEM;
    return clients->names ? 0 : -ENOMEM;
}

int cleat_tls_clients_new(const char *file, const char *const *names,
                          struct cleat_tls_clients **ret, struct cleat_err *err)
{
    struct cleat_tls_clients *clients = cleat_mem_zalloc(1, sizeof(*clients));
    if (!clients)
        return cleat_err_set(err, -ENOMEM, "no memory for the names of clients");
    cleat_lock_init(&clients->lock, CLEAT_LOCK_BUNDLE);
    clients->file = cleat_mem_strdup(file);
    int r = clients->file ? clients_copy_names(clients, names) : -ENOMEM;
    if (r < 0)
        r = cleat_err_set(err, r, "no memory for the names of clients");
    else
        r = cleat_tls_clients_refresh(clients, err);
    if (r < 0) {
        (void)cleat_tls_clients_free(clients); /* always NULL */
        return r;
    }
    *ret = clients;
    return 0;
}

struct cleat_tls_clients *cleat_tls_clients_free(struct cleat_tls_clients *clients)
{
    if (!clients)
        return NULL;
    for (size_t i = 0; clients->names && clients->names[i]; i++)
        cleat_mem_free(clients->names[i]);
    cleat_mem_free(clients->names);
    cleat_mem_free(clients->file);
    (void)roots_unref(clients->roots); /* always NULL */
    cleat_lock_fini(&clients->lock);
    return cleat_mem_free(clients);
}

/* ---- judging ---- */

/* A chain as the peer sent it, its own certificate first. */
struct client_chain {
    gnutls_x509_crt_t certs[CLIENTS_CHAIN_MAX];
    unsigned count;
};

static void chain_fini(struct client_chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        gnutls_x509_crt_deinit(chain->certs[i]);
    chain->count = 0;
}

/* False where one can't be read, or there are too many. */
static bool chain_read(struct client_chain *chain, const gnutls_datum_t *raw, unsigned count)
{
    chain->count = 0;
    if (count > CLIENTS_CHAIN_MAX)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (gnutls_x509_crt_init(&chain->certs[i]) < 0)
            return false;
        chain->count++;
        if (gnutls_x509_crt_import(chain->certs[i], &raw[i], GNUTLS_X509_FMT_DER) < 0)
            return false;
    }
    return true;
}

static bool chain_trusted(struct cleat_tls_clients *clients, struct client_chain *chain)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
    struct client_roots *roots = clients_lookup(clients);
    unsigned status = GNUTLS_CERT_INVALID;
    int r = gnutls_x509_trust_list_verify_crt2(roots->list, chain->certs, chain->count, &purpose, 1,
                                               CLIENTS_VERIFY_FLAGS, &status, NULL);
    (void)roots_unref(roots); /* always NULL, or others have it */
    return r == 0 && status == 0;
}

/* Compared whole: a name with a NUL in it is none. */
static bool name_allowed(const struct cleat_tls_clients *clients, const char *name, size_t length)
{
    if (strlen(name) != length)
        return false;
    for (size_t i = 0; clients->names[i]; i++)
        if (strcasecmp(clients->names[i], name) == 0)
            return true;
    return false;
}

static bool cert_named(const struct cleat_tls_clients *clients, gnutls_x509_crt_t cert)
{
    char name[CLIENTS_NAME_BYTES];
    size_t length = sizeof(name);
    if (!clients->names)
        return true;
    if (gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &length) ==
            0 &&
        name_allowed(clients, name, length))
        return true;
    for (unsigned i = 0; i < CLIENTS_DNS_NAMES_MAX; i++) {
        length = sizeof(name) - 1;
        int type = gnutls_x509_crt_get_subject_alt_name(cert, i, name, &length, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return false;
        if (type != GNUTLS_SAN_DNSNAME || length >= sizeof(name))
            continue;
        name[length] = '\0';
        if (name_allowed(clients, name, length))
            return true;
    }
    return false;
}

bool cleat_tls_clients_accept(struct cleat_tls_clients *clients, gnutls_session_t session,
                              enum cleat_tls_refusal *ret)
{
    struct client_chain chain;
    unsigned count = 0;
    const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &count);
    if (!raw || count == 0) {
        *ret = CLEAT_TLS_CLIENT_ABSENT;
        return false;
    }
    bool trusted = chain_read(&chain, raw, count) && chain_trusted(clients, &chain);
    bool named = trusted && cert_named(clients, chain.certs[0]);
    chain_fini(&chain);
    if (!named)
        *ret = trusted ? CLEAT_TLS_CLIENT_NAME : CLEAT_TLS_CLIENT_UNTRUSTED;
    return named;
}
