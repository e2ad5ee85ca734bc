/* SPDX-License-Identifier: Apache-2.0 */
#include "client/credentials_set.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define SET_MAGIC 0x63726564u

/* The public part first; texts behind it. */
struct credentials_set {
    struct cleat_credentials_set set;
    unsigned magic;
    atomic_uint refs;
};

static struct credentials_set *set_of(const struct cleat_credentials_set *set)
{
    struct credentials_set *own = (struct credentials_set *)(uintptr_t)set;
    cleat_assert(own->magic == SET_MAGIC);
    return own;
}

static void set_wipe(const char *text)
{
    if (!text)
        return;
    char *bytes = (char *)(uintptr_t)text;
    cleat_mem_wipe(bytes, strlen(bytes));
    cleat_mem_free(bytes);
}

static void set_free(struct credentials_set *own)
{
    set_wipe(own->set.authorization);
    set_wipe(own->set.client_cert_pem);
    set_wipe(own->set.client_key_pem);
    set_wipe(own->set.ca_pem);
    own->magic = 0;
    cleat_mem_free(own);
}

const struct cleat_credentials_set *cleat_credentials_set_ref(
    const struct cleat_credentials_set *set)
{
    /* Relaxed: the caller holds a reference. */
    atomic_fetch_add_explicit(&set_of(set)->refs, 1, memory_order_relaxed);
    return set;
}

const struct cleat_credentials_set *cleat_credentials_set_unref(
    const struct cleat_credentials_set *set)
{
    if (!set)
        return NULL;
    struct credentials_set *own = set_of(set);
    /* Release pairs with the acquire of whoever drops the last one: all reads come before the wipe.
     */
    unsigned before = atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel);
    cleat_assert(before > 0);
    if (before == 1)
        set_free(own);
    return NULL;
}

static void parts_wipe(char **text)
{
    set_wipe(*text);
    *text = NULL;
}

void cleat__credentials_parts_fini(struct credentials_parts *parts)
{
    parts_wipe(&parts->token);
    parts_wipe(&parts->basic);
    parts_wipe(&parts->cert_pem);
    parts_wipe(&parts->key_pem);
    parts_wipe(&parts->ca_pem);
}

static bool set_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Copies @text where there is one; false where memory lacks. */
static bool set_copy(const char *text, const char **ret)
{
    *ret = text ? cleat_mem_strdup(text) : NULL;
    return !text || *ret;
}

/* A token says more than a password. */
static bool set_authorization(const struct credentials_parts *parts, const char **ret)
{
    *ret = NULL;
    if (!parts->token && !parts->basic)
        return true;
    *ret = cleat_mem_format("%s %s", parts->token ? "Bearer" : "Basic",
                            parts->token ? parts->token : parts->basic);
    return *ret != NULL;
}

static void set_number(struct cleat_credentials_set *set,
                       const struct cleat_credentials_set *before)
{
    bool tls = !before || !set_same(set->client_cert_pem, before->client_cert_pem) ||
               !set_same(set->client_key_pem, before->client_key_pem) ||
               !set_same(set->ca_pem, before->ca_pem);
    bool any = tls || !set_same(set->authorization, before->authorization);
    set->generation = (before ? before->generation : 0) + any;
    set->tls_generation = (before ? before->tls_generation : 0) + tls;
}

int cleat__credentials_set_make(const struct credentials_parts *parts,
                                const struct cleat_credentials_set *before,
                                const struct cleat_credentials_set **ret)
{
    struct credentials_set *own = cleat_mem_zalloc(1, sizeof(*own));
    if (!own)
        return -ENOMEM;
    own->magic = SET_MAGIC;
    atomic_init(&own->refs, 1);
    if (!set_authorization(parts, &own->set.authorization) ||
        !set_copy(parts->cert_pem, &own->set.client_cert_pem) ||
        !set_copy(parts->key_pem, &own->set.client_key_pem) ||
        !set_copy(parts->ca_pem, &own->set.ca_pem)) {
        set_free(own);
        return -ENOMEM;
    }
    set_number(&own->set, before);
    if (before && own->set.generation == before->generation) {
        set_free(own);
        *ret = cleat_credentials_set_ref(before);
        return 0;
    }
    *ret = &own->set;
    return 0;
}
