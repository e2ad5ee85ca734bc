/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariant: a root with debts has an object in its chain that carries them; the object that
 * carries debts when it is the last of its root takes them to the retire list.
 */
#include "controller/lender.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define LENDER_VERSION_BYTES 24

struct lender_object {
    struct cleat_object object; /* first: a public object is its loan */
    struct cleat__lender *lender;
    struct lender_object *next; /* in the chain, later on the retire list */
    struct lender_object *previous;
    uint32_t root;
    uint32_t debts; /* holds that the writer gave up; under the chain's lock */
    bool partial;
    uint32_t version_length;
    char version[]; /* with its NUL */
};

static uint32_t lender_chain(uint32_t root)
{
    return (root * 0x9e3779b1u) >> 20 & (CLEAT__LENDER_CHAINS - 1);
}

static struct cleat_lock *lender_lock(struct cleat__lender *lender, uint32_t chain)
{
    return &lender->locks[chain & (CLEAT__LENDER_LOCKS - 1)];
}

int cleat__lender_new(size_t bytes_max, struct cleat__lender **ret)
{
    struct cleat__lender *lender = cleat_mem_zalloc(1, sizeof(*lender));
    if (!lender)
        return -ENOMEM;
    int r = cleat_pool_new(bytes_max, &lender->heap);
    if (r < 0) {
        cleat_mem_free(lender);
        return r;
    }
    atomic_init(&lender->refs, 1);
    cleat_lock_init(&lender->kinds_lock, CLEAT_LOCK_RETIRE);
    for (size_t i = 0; i < CLEAT__LENDER_LOCKS; i++)
        cleat_lock_init(&lender->locks[i], CLEAT_LOCK_RETIRE);
    *ret = lender;
    return 0;
}

struct cleat__lender *cleat__lender_ref(struct cleat__lender *lender)
{
    /* Relaxed: the caller has a reference. */
    atomic_fetch_add_explicit(&lender->refs, 1, memory_order_relaxed);
    return lender;
}

static void lender_free(struct cleat__lender *lender)
{
    struct lender_object *object = atomic_load_explicit(&lender->retired, memory_order_acquire);
    while (object) {
        struct lender_object *next = object->next;
        cleat_mem_free(object);
        object = next;
    }
    while (lender->kinds) {
        struct lender_kind *next = lender->kinds->next;
        cleat_mem_free(lender->kinds);
        lender->kinds = next;
    }
    for (size_t i = 0; i < CLEAT__LENDER_LOCKS; i++)
        cleat_lock_fini(&lender->locks[i]);
    cleat_lock_fini(&lender->kinds_lock);
    (void)cleat_heap_free(lender->heap);
    cleat_mem_free(lender);
}

struct cleat__lender *cleat__lender_unref(struct cleat__lender *lender)
{
    /* Release pairs with the acquire of whoever drops the last reference and frees the pool. */
    if (lender && atomic_fetch_sub_explicit(&lender->refs, 1, memory_order_acq_rel) == 1)
        lender_free(lender);
    return NULL;
}

void cleat__lender_close(struct cleat__lender *lender)
{
    cleat__lender_drain(lender);
    cleat_lock_take(&lender->kinds_lock);
    lender->closed = true;
    cleat_lock_release(&lender->kinds_lock);
}

int cleat__lender_kind(struct cleat__lender *lender, const struct cleat_gvk *gvk,
                       const struct lender_kind **ret)
{
    cleat_lock_take(&lender->kinds_lock);
    struct lender_kind *kind = lender->kinds;
    while (kind && !cleat_gvk_equal(&kind->gvk, gvk))
        kind = kind->next;
    if (!kind) {
        kind = cleat_mem_zalloc(1, sizeof(*kind));
        if (kind) {
            kind->gvk = *gvk;
            (void)cleat_gvk_api_version(gvk, kind->api_version);
            kind->next = lender->kinds;
            lender->kinds = kind;
        }
    }
    cleat_lock_release(&lender->kinds_lock);
    if (kind)
        *ret = kind;
    return kind ? 0 : -ENOMEM;
}

static bool version_number(struct cleat_str text, uint64_t *ret)
{
    uint64_t number = 0;
    if (text.length == 0 || text.length > 19 || text.data[0] == '0')
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret = number;
    return true;
}

int cleat__lender_version(struct cleat__lender *lender, struct cleat_str text,
                          struct lender_version *ret)
{
    if (version_number(text, &ret->number)) {
        ret->is_text = false;
        return 0;
    }
    uint32_t ref = CLEAT_REF_ABSENT;
    int r = cleat_heap_str(lender->heap, text, &ref);
    if (r < 0)
        return r;
    cleat_pool_hold(lender->heap, ref);
    *ret = (struct lender_version){ref, true};
    return 0;
}

void cleat__lender_version_hold(struct cleat__lender *lender, struct lender_version version)
{
    if (version.is_text)
        cleat_pool_hold(lender->heap, (uint32_t)version.number);
}

void cleat__lender_version_drop(struct cleat__lender *lender, struct lender_version version)
{
    if (version.is_text)
        cleat_pool_drop(lender->heap, (uint32_t)version.number);
}

/* The text of a version, in @scratch or the pool. */
static struct cleat_str version_text(const struct cleat__lender *lender,
                                     struct lender_version version, struct cleat_scratch *scratch)
{
    if (version.is_text) {
        struct cleat_value value = {lender->heap, (uint32_t)version.number};
        return cleat_value_text(value, scratch);
    }
    char *end = scratch->bytes + LENDER_VERSION_BYTES, *digit = end;
    uint64_t number = version.number;
    do
        *--digit = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return (struct cleat_str){digit, (size_t)(end - digit)};
}

static void lender_link(struct cleat__lender *lender, struct lender_object *object)
{
    uint32_t chain = lender_chain(object->root);
    struct cleat_lock *lock = lender_lock(lender, chain);
    cleat_lock_take(lock);
    object->next = lender->chains[chain];
    if (object->next)
        object->next->previous = object;
    lender->chains[chain] = object;
    cleat_lock_release(lock);
    /* Relaxed: the caller's lock orders it before the writer's drop of this root. */
    atomic_fetch_add_explicit(&lender->lent, 1, memory_order_relaxed);
}

int cleat__lender_lend(struct cleat__lender *lender, uint32_t root, struct lender_version version,
                       bool partial, struct lender_object **ret)
{
    struct cleat_scratch scratch;
    struct cleat_str text = version_text(lender, version, &scratch);
    size_t room = text.length < LENDER_VERSION_BYTES ? LENDER_VERSION_BYTES : text.length + 1;
    struct lender_object *object = cleat_mem_alloc(sizeof(*object) + room);
    if (!object)
        return -ENOMEM;
    object->lender = cleat__lender_ref(lender);
    object->previous = NULL;
    object->root = root;
    object->debts = 0;
    object->partial = partial;
    object->version_length = (uint32_t)text.length;
    memcpy(object->version, text.data, text.length);
    object->version[text.length] = '\0';
    lender_link(lender, object);
    *ret = object;
    return 0;
}

struct cleat_value cleat__lender_root(const struct lender_object *object)
{
    return (struct cleat_value){object->lender->heap, object->root};
}

/* Another object of the same root in its chain; the chain's lock is held. */
static struct lender_object *lender_find(const struct cleat__lender *lender, uint32_t root)
{
    struct lender_object *object = lender->chains[lender_chain(root)];
    while (object && object->root != root)
        object = object->next;
    return object;
}

/* Takes the object out of its chain; its debts go to another of the same root, or stay. */
static void lender_unlink(struct cleat__lender *lender, struct lender_object *object)
{
    uint32_t chain = lender_chain(object->root);
    struct cleat_lock *lock = lender_lock(lender, chain);
    cleat_lock_take(lock);
    if (object->previous)
        object->previous->next = object->next;
    else
        lender->chains[chain] = object->next;
    if (object->next)
        object->next->previous = object->previous;
    struct lender_object *heir = object->debts > 0 ? lender_find(lender, object->root) : NULL;
    if (heir) {
        heir->debts += object->debts;
        object->debts = 0;
    }
    cleat_lock_release(lock);
    /* Release pairs with the acquire in drop: what was read of the root was read before. */
    atomic_fetch_sub_explicit(&lender->lent, 1, memory_order_release);
}

/* The lock keeps who is to be woken from going away meanwhile. */
static void lender_wake(struct cleat__lender *lender)
{
    cleat_lock_take(&lender->kinds_lock);
    if (!lender->closed && lender->wake)
        lender->wake(lender->wake_arg);
    cleat_lock_release(&lender->kinds_lock);
}

static void lender_retire(struct cleat__lender *lender, struct lender_object *object)
{
    struct lender_object *head = atomic_load_explicit(&lender->retired, memory_order_relaxed);
    do
        object->next = head;
    while (!atomic_compare_exchange_weak_explicit(&lender->retired, &head, object,
                                                  memory_order_release, memory_order_relaxed));
    size_t count = atomic_fetch_add_explicit(&lender->retired_count, 1, memory_order_relaxed) + 1;
    if (count == CLEAT__LENDER_RETIRED_WAKE)
        lender_wake(lender);
}

void cleat__lender_return(struct lender_object *object)
{
    if (!object)
        return;
    struct cleat__lender *lender = object->lender;
    lender_unlink(lender, object);
    if (object->debts > 0)
        lender_retire(lender, object);
    else
        cleat_mem_free(object);
    (void)cleat__lender_unref(lender);
}

static void lender_release(struct cleat_object *public)
{
    struct lender_object *object = (struct lender_object *)(void *)public;
    cleat_object_fini(public);
    cleat__lender_return(object);
}

int cleat__lender_settle(struct lender_object *object, const struct lender_kind *kind,
                         struct cleat_object **ret)
{
    static const struct cleat_object_ops ops = {lender_release};
    const struct cleat_object_identity identity = {
        .api_version = cleat_str_of(kind->api_version),
        .kind = cleat_str_of(kind->gvk.kind),
        .resource_version = {object->version, object->version_length},
    };
    int r = cleat_object_init_stored(&object->object, &ops, cleat__lender_root(object), &kind->gvk,
                                     &identity);
    if (r < 0) {
        cleat_object_fini(&object->object);
        return r;
    }
    object->object.partial = object->partial;
    *ret = &object->object;
    return 0;
}

int cleat__lender_settle_take(struct lender_object *object, const struct lender_kind *kind,
                              struct cleat_object **ret)
{
    int r = cleat__lender_settle(object, kind, ret);
    if (r < 0)
        cleat__lender_return(object);
    return r;
}

void cleat__lender_drop(struct cleat__lender *lender, uint32_t root)
{
    if (root == CLEAT_REF_ABSENT)
        return;
    if (atomic_load_explicit(&lender->lent, memory_order_acquire) > 0) {
        struct cleat_lock *lock = lender_lock(lender, lender_chain(root));
        cleat_lock_take(lock);
        struct lender_object *object = lender_find(lender, root);
        if (object)
            object->debts++;
        cleat_lock_release(lock);
        if (object)
            return;
    }
    cleat_pool_drop(lender->heap, root);
}

void cleat__lender_drain(struct cleat__lender *lender)
{
    atomic_store_explicit(&lender->bytes, cleat_heap_bytes(lender->heap), memory_order_relaxed);
    if (!atomic_load_explicit(&lender->retired, memory_order_relaxed))
        return;
    atomic_store_explicit(&lender->retired_count, 0, memory_order_relaxed);
    struct lender_object *object =
        atomic_exchange_explicit(&lender->retired, NULL, memory_order_acquire);
    while (object) {
        struct lender_object *next = object->next;
        for (; object->debts > 0; object->debts--)
            cleat_pool_drop(lender->heap, object->root);
        cleat_mem_free(object);
        object = next;
    }
}
