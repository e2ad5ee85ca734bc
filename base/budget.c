/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A counter per share. Requests use their own size's share and, where that is full, what larger
 * ones leave; never that of smaller ones. A claim stays in the counter in which it began.
 */
#include <errno.h>
#include "base/budget.h"

void cleat_budget_init(struct cleat_budget *budget, size_t bytes_max, size_t small_bytes)
{
    size_t tiny = bytes_max / 16, small = bytes_max / 4 - tiny;
    budget->request_bytes_max[CLEAT_BUDGET_TINY] = small_bytes / 8;
    budget->request_bytes_max[CLEAT_BUDGET_SMALL] = small_bytes;
    budget->request_bytes_max[CLEAT_BUDGET_LARGE] = SIZE_MAX;
    budget->bytes_max[CLEAT_BUDGET_TINY] = tiny;
    budget->bytes_max[CLEAT_BUDGET_SMALL] = small;
    budget->bytes_max[CLEAT_BUDGET_LARGE] = bytes_max - small - tiny;
    for (int i = 0; i < CLEAT_BUDGET_SHARES; i++)
        atomic_init(&budget->used[i], 0);
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

bool cleat_budget_is_tiny(const struct cleat_budget *budget, size_t bytes)
{
    return bytes <= budget->request_bytes_max[CLEAT_BUDGET_TINY];
}

int cleat_budget_take(struct cleat_budget *budget, size_t bytes, struct cleat_budget_claim *ret)
{
    int share = 0;
    while (budget && share < CLEAT_BUDGET_SHARES &&
           (bytes > budget->request_bytes_max[share] ||
            !counter_add(&budget->used[share], bytes, budget->bytes_max[share])))
        share++;
    if (share == CLEAT_BUDGET_SHARES)
        return -ENOBUFS;
    *ret = (struct cleat_budget_claim){
        .budget = budget, .share = (enum cleat_budget_share)share, .bytes = bytes};
    return 0;
}

int cleat_budget_grow(struct cleat_budget_claim *claim, size_t bytes)
{
    struct cleat_budget *budget = claim->budget;
    if (bytes <= claim->bytes)
        return 0;
    if (budget && !counter_add(&budget->used[claim->share], bytes - claim->bytes,
                               budget->bytes_max[claim->share]))
        return -ENOBUFS;
    claim->bytes = bytes;
    return 0;
}

void cleat_budget_give(struct cleat_budget_claim *claim)
{
    if (claim->budget)
        atomic_fetch_sub_explicit(&claim->budget->used[claim->share], claim->bytes,
                                  memory_order_relaxed);
    claim->budget = NULL;
    claim->bytes = 0;
}

size_t cleat_budget_used(const struct cleat_budget *budget)
{
    size_t used = 0;
    for (int i = 0; i < CLEAT_BUDGET_SHARES; i++)
        used += atomic_load_explicit(&budget->used[i], memory_order_relaxed);
    return used;
}
