/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/queue_order.h"

#include "base/mem.h"
#include "queue_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define AGE_MS 1000
#define AGE_NS (AGE_MS * INT64_C(1000000))

static void push(struct queue_order *order, struct queue_item *item, int priority,
                 uint64_t class_hash, int64_t now_ns)
{
    item->priority = priority;
    item->class_hash = class_hash;
    ck_assert_int_eq(cleat__queue_order_reserve(order), 0);
    cleat__queue_order_push(order, item, now_ns);
}

START_TEST(test_levels_come_and_go)
{
    struct queue_order order;
    static struct queue_fixture f;
    queue_fixture_open(&f, 4);
    ck_assert_int_eq(cleat__queue_order_init(&order, AGE_MS, false), 0);
    ck_assert_ptr_null(cleat__queue_order_pop(&order));
    push(&order, f.at[0], 5, 1, 0);
    push(&order, f.at[1], -5, 1, 0);
    push(&order, f.at[2], 50, 1, 0);
    push(&order, f.at[3], 5, 2, 0);
    ck_assert_uint_eq(order.level_count, 3);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[2]);
    ck_assert_uint_eq(order.level_count, 2);
    cleat__queue_order_remove(&order, f.at[0]);
    ck_assert_int_eq(f.at[0]->state, QUEUE_IDLE);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[3]);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[1]);
    ck_assert_uint_eq(order.level_count, 0);
    ck_assert_uint_eq(order.groups.count, 0);
    cleat__queue_order_fini(&order);
    queue_fixture_close(&f);
}
END_TEST

START_TEST(test_shares)
{
    struct queue_order order;
    struct queue_shares shares;
    static struct queue_fixture f;
    queue_fixture_open(&f, 5);
    ck_assert_int_eq(cleat__queue_order_init(&order, AGE_MS, false), 0);
    cleat__queue_order_shares(&order, &shares);
    ck_assert_uint_eq(shares.classes, 0);
    ck_assert_uint_eq(shares.deepest, 0);
    ck_assert_int_eq(shares.since_ns, INT64_MAX);
    for (int i = 0; i < 5; i++) {
        f.at[i]->ready_ns = 100 - i;
        push(&order, f.at[i], i < 4 ? 0 : -100, i < 3 ? 1 : 2, 0);
    }
    cleat__queue_order_shares(&order, &shares);
    ck_assert_uint_eq(shares.classes, 3); /* class 2 stands in two levels */
    ck_assert_uint_eq(shares.deepest, 3);
    ck_assert_int_eq(shares.since_ns, 96);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[0]);
    cleat__queue_order_remove(&order, f.at[4]);
    cleat__queue_order_shares(&order, &shares);
    ck_assert_uint_eq(shares.classes, 2);
    ck_assert_uint_eq(shares.deepest, 2);
    ck_assert_int_eq(shares.since_ns, 99); /* the first that came in the level */
    while (cleat__queue_order_pop(&order))
        ;
    cleat__queue_order_fini(&order);
    queue_fixture_close(&f);
}
END_TEST

/* Rounds go on where they were, though classes come and go. */
START_TEST(test_rounds)
{
    struct queue_order order;
    static struct queue_fixture f;
    queue_fixture_open(&f, 6);
    ck_assert_int_eq(cleat__queue_order_init(&order, AGE_MS, false), 0);
    push(&order, f.at[0], 0, 1, 0);
    push(&order, f.at[1], 0, 1, 0);
    push(&order, f.at[2], 0, 2, 0);
    push(&order, f.at[3], 0, 3, 0);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[0]);
    push(&order, f.at[4], 0, 4, 0); /* comes last in the round: before class 2, whose turn it is */
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[2]);
    push(&order, f.at[5], 0, 2, 0);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[3]);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[1]);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[4]);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), f.at[5]);
    cleat__queue_order_fini(&order);
    queue_fixture_close(&f);
}
END_TEST

/* By steps of 100, up to the highest level in use and no further. */
START_TEST(test_lifts)
{
    struct queue_order order;
    static struct queue_fixture f;
    queue_fixture_open(&f, 2);
    struct queue_item *low = f.at[0], *high = f.at[1];
    static const int steps[] = {-250, -150, -50, 30, 30};
    ck_assert_int_eq(cleat__queue_order_init(&order, AGE_MS, false), 0);
    push(&order, low, -250, 1, 0);
    push(&order, high, 30, 1, 0);
    for (int i = 0; i < 5; i++) {
        cleat__queue_order_age(&order, i * AGE_NS, 100);
        ck_assert_int_eq(low->group->level->priority, steps[i]);
        cleat__queue_order_age(&order, i * AGE_NS + AGE_NS - 1, 100);
        ck_assert_int_eq(low->group->level->priority, steps[i]);
        ck_assert_int_eq(high->group->level->priority, 30);
    }
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), high);
    ck_assert_ptr_eq(cleat__queue_order_pop(&order), low);
    ck_assert_int_eq(low->priority, -250); /* its own stays */
    cleat__queue_order_fini(&order);
    queue_fixture_close(&f);
}
END_TEST

START_TEST(test_budget)
{
    static struct queue_fixture f;
    queue_fixture_open(&f, 101);
    struct queue_item *high = f.at[100];
    struct queue_order order;
    ck_assert_int_eq(cleat__queue_order_init(&order, AGE_MS, false), 0);
    for (int i = 0; i < 100; i++)
        push(&order, f.at[i], -100, 1, 0);
    push(&order, high, 0, 1, 0);
    cleat__queue_order_age(&order, AGE_NS, 8);
    ck_assert_uint_eq(order.levels[0]->count, 92);
    ck_assert_uint_eq(order.levels[1]->count, 9);
    cleat__queue_order_age(&order, AGE_NS, 1000);
    ck_assert_uint_eq(order.level_count, 1);
    while (cleat__queue_order_pop(&order))
        ;
    cleat__queue_order_fini(&order);
    queue_fixture_close(&f);
}
END_TEST

/* Without memory for another class keys come out of order, but all come. */
START_TEST(test_out_of_memory)
{
    static struct queue_fixture f;
    queue_fixture_open(&f, 1000);
    struct queue_order order;
    size_t count = 0;
    ck_assert_int_eq(cleat__queue_order_init(&order, AGE_MS, false), 0);
    cleat_mem_fail_at(1, true);
    for (int i = 0; i < 1000; i++) {
        f.at[i]->priority = i % 5;
        f.at[i]->class_hash = (uint64_t)i * 0x9e3779b97f4a7c15u;
        (void)cleat__queue_order_reserve(&order); /* refused at last */
        cleat__queue_order_push(&order, f.at[i], 0);
    }
    cleat_mem_fail_at(0, false);
    while (cleat__queue_order_pop(&order))
        count++;
    ck_assert_uint_eq(count, 1000);
    cleat__queue_order_fini(&order);
    queue_fixture_close(&f);
}
END_TEST

/* Random pushes, removals and ages: nothing is lost, and of one class and priority the first in is
 * first out. */
START_TEST(test_random)
{
    static struct queue_fixture f;
    queue_fixture_open(&f, 400);
    static bool inside[400];
    struct queue_order order;
    struct cleat_fake_clock fake;
    size_t count = 0;
    cleat_fake_clock_init(&fake);
    ck_assert_int_eq(cleat__queue_order_init(&order, AGE_MS, false), 0);
    for (int step = 0; step < 20000; step++) {
        int64_t now_ns = step * AGE_NS / 300;
        size_t i = cleat_clock_random_below(&fake.clock, 400);
        cleat__queue_order_age(&order, now_ns, 8);
        if (step % 5 == 4) {
            const struct queue_item *item = cleat__queue_order_pop(&order);
            ck_assert(!item == (count == 0));
            if (item) {
                ck_assert(inside[queue_fixture_index(&f, item)]);
                inside[queue_fixture_index(&f, item)] = false;
                count--;
            }
        } else if (inside[i]) {
            cleat__queue_order_remove(&order, f.at[i]);
            inside[i] = false;
            count--;
        } else {
            push(&order, f.at[i], (int)cleat_clock_random_below(&fake.clock, 9) * 60 - 240,
                 cleat_clock_random_below(&fake.clock, 7), now_ns);
            inside[i] = true;
            count++;
        }
        ck_assert_uint_eq(order.count, count);
        size_t sum = 0;
        for (size_t level = 0; level < order.level_count; level++) {
            sum += order.levels[level]->count;
            ck_assert_uint_gt(order.levels[level]->count, 0);
            ck_assert(level == 0 ||
                      order.levels[level - 1]->priority < order.levels[level]->priority);
        }
        ck_assert_uint_eq(sum, count);
    }
    cleat__queue_order_fini(&order);
    queue_fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("queue_order", test_levels_come_and_go, test_shares, test_rounds, test_lifts,
                 test_budget, test_out_of_memory, test_random)
