/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "base/budget.h"
#include "support/suite.h"

START_TEST(test_large_requests_leave_the_small_ones_their_share)
{
    struct cleat_budget budget;
    struct cleat_budget_claim large, small, more;
    cleat_budget_init(&budget, 400, 50);
    ck_assert_int_eq(cleat_budget_take(&budget, 300, &large), 0);
    ck_assert_int_eq(cleat_budget_take(&budget, 51, &more), -ENOBUFS);
    ck_assert_int_eq(cleat_budget_take(&budget, 50, &small), 0);
    ck_assert_uint_eq(cleat_budget_used(&budget), 350);
    cleat_budget_give(&large);
    cleat_budget_give(&large);
    ck_assert_uint_eq(cleat_budget_used(&budget), 50);
    cleat_budget_give(&small);
    ck_assert_uint_eq(cleat_budget_used(&budget), 0);
}
END_TEST

START_TEST(test_small_requests_may_use_what_is_free)
{
    struct cleat_budget budget;
    struct cleat_budget_claim claims[8];
    cleat_budget_init(&budget, 400, 50);
    for (int i = 0; i < 7; i++) /* all but the share of tiny ones */
        ck_assert_int_eq(cleat_budget_take(&budget, 50, &claims[i]), 0);
    ck_assert_int_eq(cleat_budget_take(&budget, 50, &claims[7]), -ENOBUFS);
}
END_TEST

START_TEST(test_tiny_requests_have_a_share_of_their_own)
{
    struct cleat_budget budget;
    struct cleat_budget_claim small, large, claims[5], more;
    cleat_budget_init(&budget, 400, 64);
    ck_assert(cleat_budget_is_tiny(&budget, 8));
    ck_assert(!cleat_budget_is_tiny(&budget, 9));
    ck_assert_int_eq(cleat_budget_take(&budget, 300, &large), 0);
    ck_assert_int_eq(cleat_budget_take(&budget, 64, &small), 0);
    for (int i = 0; i < 4; i++) /* 25 are theirs, and 11 that small ones left */
        ck_assert_int_eq(cleat_budget_take(&budget, 8, &claims[i]), 0);
    ck_assert_int_eq(cleat_budget_take(&budget, 9, &more), -ENOBUFS);
    ck_assert_int_eq(cleat_budget_take(&budget, 4, &more), -ENOBUFS);
    ck_assert_int_eq(cleat_budget_take(&budget, 3, &claims[4]), 0);
    cleat_budget_give(&small);
    ck_assert_int_eq(cleat_budget_take(&budget, 64, &small), 0); /* theirs isn't touched */
    cleat_budget_give(&small);
    cleat_budget_give(&large);
    for (int i = 0; i < 5; i++)
        cleat_budget_give(&claims[i]);
    ck_assert_uint_eq(cleat_budget_used(&budget), 0);
}
END_TEST

START_TEST(test_growth_is_bounded_and_keeps_what_it_had)
{
    struct cleat_budget budget;
    struct cleat_budget_claim claim;
    cleat_budget_init(&budget, 400, 50);
    ck_assert_int_eq(cleat_budget_take(&budget, 100, &claim), 0);
    ck_assert_int_eq(cleat_budget_grow(&claim, 300), 0);
    ck_assert_int_eq(cleat_budget_grow(&claim, 301), -ENOBUFS);
    ck_assert_int_eq(cleat_budget_grow(&claim, 10), 0);
    ck_assert_uint_eq(cleat_budget_used(&budget), 300);
    cleat_budget_give(&claim);
    ck_assert_uint_eq(cleat_budget_used(&budget), 0);
}
END_TEST

START_TEST(test_sizes_beyond_everything_dont_wrap)
{
    struct cleat_budget budget;
    struct cleat_budget_claim claim;
    cleat_budget_init(&budget, 400, 50);
    ck_assert_int_eq(cleat_budget_take(&budget, SIZE_MAX, &claim), -ENOBUFS);
    ck_assert_int_eq(cleat_budget_take(&budget, 60, &claim), 0);
    ck_assert_int_eq(cleat_budget_grow(&claim, SIZE_MAX), -ENOBUFS);
    cleat_budget_give(&claim);
}
END_TEST

START_TEST(test_no_budget_is_no_limit)
{
    struct cleat_budget_claim claim;
    ck_assert_int_eq(cleat_budget_take(NULL, SIZE_MAX, &claim), 0);
    cleat_budget_give(&claim);
}
END_TEST

CLEAT_SUITE_MAIN("budget", test_large_requests_leave_the_small_ones_their_share,
                 test_small_requests_may_use_what_is_free,
                 test_tiny_requests_have_a_share_of_their_own,
                 test_growth_is_bounded_and_keeps_what_it_had,
                 test_sizes_beyond_everything_dont_wrap, test_no_budget_is_no_limit)
