/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in flight: how much requests may hold together. Small requests have a share of their own
 * that large ones can't take, and tiny ones one that small ones can't, so that one flood of large
 * bodies doesn't silence everybody. Any thread, no lock.
 */
#ifndef CLEAT_BASE_BUDGET_H
#define CLEAT_BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>

enum cleat_budget_share {
    CLEAT_BUDGET_TINY,  /* a sixteenth of all */
    CLEAT_BUDGET_SMALL, /* with tiny's, a quarter */
    CLEAT_BUDGET_LARGE,
    CLEAT_BUDGET_SHARES
};

struct cleat_budget {
    size_t
        request_bytes_max[CLEAT_BUDGET_SHARES]; /* requests up to so many bytes may use a share */
    size_t bytes_max[CLEAT_BUDGET_SHARES];
    _Atomic(size_t) used[CLEAT_BUDGET_SHARES]; /* each stands alone, so relaxed order is enough */
};

/* What one request holds. */
struct cleat_budget_claim {
    struct cleat_budget *budget;
    enum cleat_budget_share share;
    size_t bytes;
};

/** @bytes_max in all. Requests of up to @small_bytes are small, of an eighth of that tiny. */
void cleat_budget_init(struct cleat_budget *budget, size_t bytes_max, size_t small_bytes);
/** True for a request that is tiny. */
bool cleat_budget_is_tiny(const struct cleat_budget *budget, size_t bytes);
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
