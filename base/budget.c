/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two counters: large requests may use what isn't reserved, small ones their share and, where that
 * is full, what large ones leave. A claim stays in the counter in which it began.
 */
#include <errno.h>
#include "base/budget.h"

void cleat_budget_init(struct cleat_budget *budget, size_t bytes_max, size_t small_bytes)
{
    budget->bytes_max = bytes_max;
    budget->small_bytes = small_bytes;
    budget->small_bytes_max = bytes_max / 4;
    atomic_init(&budget->large, 0);
    atomic_init(&budget->small, 0);
}

/* Adds @bytes to @counter unless that would pass @max. */
static bool counter_add(_Atomic(size_t) *counter, size_t bytes, size_t max)
{
    size_t used = atomic_load_explicit(counter, memory_order_relaxed);
    do {
        if (bytes > max || used > max - bytes)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(counter, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

int cleat_budget_take(struct cleat_budget *budget, size_t bytes, struct cleat_budget_claim *ret)
{
    struct cleat_budget_claim claim = {.budget = budget, .bytes = bytes};
    if (budget) {
        size_t large_max = budget->bytes_max - budget->small_bytes_max;
        claim.small = bytes <= budget->small_bytes &&
                      counter_add(&budget->small, bytes, budget->small_bytes_max);
        if (!claim.small && !counter_add(&budget->large, bytes, large_max))
            return -ENOBUFS;
    }
    *ret = claim;
    return 0;
}

int cleat_budget_grow(struct cleat_budget_claim *claim, size_t bytes)
{
    struct cleat_budget *budget = claim->budget;
    if (bytes <= claim->bytes)
        return 0;
    if (budget && claim->small &&
        !counter_add(&budget->small, bytes - claim->bytes, budget->small_bytes_max))
        return -ENOBUFS;
    if (budget && !claim->small &&
        !counter_add(&budget->large, bytes - claim->bytes,
                     budget->bytes_max - budget->small_bytes_max))
        return -ENOBUFS;
    claim->bytes = bytes;
    return 0;
}

void cleat_budget_give(struct cleat_budget_claim *claim)
{
    if (claim->budget)
        atomic_fetch_sub_explicit(claim->small ? &claim->budget->small : &claim->budget->large,
                                  claim->bytes, memory_order_relaxed);
    claim->budget = NULL;
    claim->bytes = 0;
}

size_t cleat_budget_used(const struct cleat_budget *budget)
{
    return atomic_load_explicit(&budget->large, memory_order_relaxed) +
           atomic_load_explicit(&budget->small, memory_order_relaxed);
}
