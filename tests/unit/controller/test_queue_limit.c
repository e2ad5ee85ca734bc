/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/queue_limit.h"

#include <limits.h>

#include "support/suite.h"

#define MS INT64_C(1000000)

START_TEST(test_backoff)
{
    static const struct {
        int64_t base_ms, max_ms;
        unsigned failures;
        int64_t delay_ms;
    } cases[] = {
        {0, 0, 0, 5},
        {0, 0, 1, 10},
        {0, 0, 10, 5120},
        {0, 0, 17, 655360},
        {0, 0, 18, 1000000},
        {0, 0, 19, 1000000},
        {0, 0, UINT_MAX, 1000000},
        {1, 100, 6, 64},
        {1, 100, 7, 100},
        {500, 100, 0, 100},
        {1, INT64_MAX / MS, 40, INT64_C(1) << 40},
        {1, INT64_MAX / MS, 63, INT64_MAX / MS},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct queue_limit limit;
        cleat__queue_limit_init(&limit, cases[i].base_ms, cases[i].max_ms, 0, 0, 0);
        ck_assert_int_eq(cleat__queue_limit_backoff(&limit, cases[i].failures),
                         cases[i].delay_ms * MS);
    }
}
END_TEST

START_TEST(test_no_bucket)
{
    struct queue_limit limit;
    cleat__queue_limit_init(&limit, 0, 0, 0, 0, 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(cleat__queue_limit_reserve(&limit, 0), 0);
}
END_TEST

START_TEST(test_bucket)
{
    struct queue_limit limit;
    cleat__queue_limit_init(&limit, 1, 1000, 100, 3, 50 * MS);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(cleat__queue_limit_reserve(&limit, 50 * MS), 0);
    for (int i = 1; i <= 5; i++)
        ck_assert_int_eq(cleat__queue_limit_reserve(&limit, 50 * MS) / MS, i * 10);
    /* 5 are promised; 30 ms later the next one is 6 - 3 periods away. */
    ck_assert_int_eq((cleat__queue_limit_reserve(&limit, 80 * MS) + MS / 2) / MS, 30);
    /* After a long rest there is the burst again, and no more. */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(cleat__queue_limit_reserve(&limit, 100000 * MS), 0);
    ck_assert_int_gt(cleat__queue_limit_reserve(&limit, 100000 * MS), 0);
}
END_TEST

/* A flood doesn't pile up promises without bound. */
START_TEST(test_bounded)
{
    struct queue_limit limit;
    cleat__queue_limit_init(&limit, 1, 1000, 10, 1, 0);
    for (int i = 0; i < 100000; i++)
        ck_assert_int_le(cleat__queue_limit_reserve(&limit, 0), 1000 * MS);
    ck_assert_int_eq(cleat__queue_limit_reserve(&limit, 2000 * MS), 0);
}
END_TEST

CLEAT_SUITE_MAIN("queue_limit", test_backoff, test_no_bucket, test_bucket, test_bounded)
