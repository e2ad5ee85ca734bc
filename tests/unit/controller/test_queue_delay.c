/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/queue_delay.h"

#include "base/mem.h"
#include "queue_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define ITEMS 300

/* Random adds, removals and hastenings; what comes out is always the earliest, by a plain search.
 */
START_TEST(test_random)
{
    static struct queue_fixture f;
    static int64_t due[ITEMS]; /* < 0: not in */
    struct queue_delay delay = {0};
    struct cleat_fake_clock fake;
    size_t inside = 0;
    queue_fixture_open(&f, ITEMS);
    cleat_fake_clock_init(&fake);
    for (size_t i = 0; i < ITEMS; i++)
        due[i] = -1;
    for (int step = 0; step < 20000; step++) {
        size_t i = cleat_clock_random_below(&fake.clock, ITEMS);
        int64_t when = (int64_t)cleat_clock_random_below(&fake.clock, 1000);
        if (due[i] < 0) {
            ck_assert_int_eq(cleat__queue_delay_add(&delay, f.at[i], when), 0);
            ck_assert_int_eq(f.at[i]->state, QUEUE_WAITING);
            due[i] = when;
            inside++;
        } else if (step % 3 == 0) {
            cleat__queue_delay_hasten(&delay, f.at[i], when);
            due[i] = when < due[i] ? when : due[i];
        } else {
            cleat__queue_delay_remove(&delay, f.at[i]);
            ck_assert_int_eq(f.at[i]->state, QUEUE_IDLE);
            due[i] = -1;
            inside--;
        }
        ck_assert_uint_eq(delay.count, inside);
        int64_t first_ns = -1;
        const struct queue_item *first = cleat__queue_delay_first(&delay, &first_ns);
        ck_assert(!first == (inside == 0));
        if (first) {
            ck_assert_int_eq(due[queue_fixture_index(&f, first)], first_ns);
            for (size_t k = 0; k < ITEMS; k++)
                ck_assert(due[k] < 0 || due[k] >= first_ns);
        }
    }
    cleat__queue_delay_fini(&delay);
    queue_fixture_close(&f);
}
END_TEST

START_TEST(test_equal_times)
{
    static struct queue_fixture f;
    struct queue_delay delay = {0};
    int64_t due_ns = 0;
    queue_fixture_open(&f, 50);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(cleat__queue_delay_add(&delay, f.at[i], 7), 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_ptr_eq(cleat__queue_delay_first(&delay, &due_ns), f.at[i]);
        cleat__queue_delay_remove(&delay, f.at[i]);
    }
    ck_assert_ptr_null(cleat__queue_delay_first(&delay, &due_ns));
    cleat__queue_delay_fini(&delay);
    queue_fixture_close(&f);
}
END_TEST

START_TEST(test_out_of_memory)
{
    static struct queue_fixture f;
    struct queue_delay delay = {0};
    queue_fixture_open(&f, 1);
    cleat_mem_fail_at(1, true);
    ck_assert_int_lt(cleat__queue_delay_add(&delay, f.at[0], 7), 0);
    cleat_mem_fail_at(0, false);
    ck_assert_int_eq(f.at[0]->state, QUEUE_IDLE);
    ck_assert_uint_eq(delay.count, 0);
    cleat__queue_delay_fini(&delay);
    queue_fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("queue_delay", test_random, test_equal_times, test_out_of_memory)
