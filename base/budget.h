/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in flight: how much requests may hold together. Small requests have a share of their own
 * that large ones can't take, so that one flood of large bodies doesn't silence everybody. Any
 * thread, no lock.
 */
#ifndef CLEAT_BASE_BUDGET_H
#define CLEAT_BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <cleat/macro.h>

struct cleat_budget {
    size_t bytes_max;       /* in all */
    size_t small_bytes;     /* requests up to so many bytes are small */
    size_t small_bytes_max; /* the share that only small requests may use; part of bytes_max */
    _Atomic(size_t) large;  /* in use; each stands alone, so relaxed order is enough */
    _Atomic(size_t) small;
};

/* What one request holds. */
struct cleat_budget_claim {
    struct cleat_budget *budget;
    bool small;
    size_t bytes;
};

/** A quarter of @bytes_max is kept for small requests. */
void cleat_budget_init(struct cleat_budget *budget, size_t bytes_max, size_t small_bytes);
/** Begins a claim of @bytes; with @budget NULL it is without limits. 0 or -ENOBUFS (then nothing is
 * held). */
int cleat_budget_take(struct cleat_budget *budget, size_t bytes,
                      struct cleat_budget_claim *ret) CLEAT_MUST_CHECK;
/** Makes @claim hold @bytes in all; it never shrinks. 0 or -ENOBUFS (it holds what it held). */
int cleat_budget_grow(struct cleat_budget_claim *claim, size_t bytes) CLEAT_MUST_CHECK;
/** Gives everything back; repeatable. */
void cleat_budget_give(struct cleat_budget_claim *claim);
/** Bytes in use. */
size_t cleat_budget_used(const struct cleat_budget *budget);

#endif
