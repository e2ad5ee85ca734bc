/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/queue_table.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define THINGS 500

/* What is in the table, by our own count. */
struct model {
    struct queue_table table;
    uint64_t hashes[THINGS];
    bool there[THINGS];
    int things[THINGS]; /* their addresses are the entries */
};

static size_t found(const struct model *model, size_t i)
{
    size_t at = 0, count = 0;
    const void *entry = NULL;
    while ((entry = cleat__queue_table_find(&model->table, model->hashes[i], &at)))
        count += entry == &model->things[i];
    return count;
}

static void check(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < THINGS; i++) {
        ck_assert_uint_eq(found(model, i), model->there[i]);
        count += model->there[i];
    }
    ck_assert_uint_eq(model->table.count, count);
}

START_TEST(test_empty)
{
    struct queue_table table = {0};
    size_t at = 0;
    ck_assert_ptr_null(cleat__queue_table_find(&table, 7, &at));
    cleat__queue_table_fini(&table);
}
END_TEST

/* Adds and removes at random; few hashes, so that runs are long, wrap around and hold equal ones.
 */
START_TEST(test_random)
{
    static const uint64_t ranges[] = {1, 7, 300, UINT64_MAX};
    for (size_t range = 0; range < sizeof(ranges) / sizeof(ranges[0]); range++) {
        static struct model model;
        struct cleat_fake_clock fake;
        cleat_fake_clock_init(&fake);
        memset(&model, 0, sizeof(model));
        for (size_t i = 0; i < THINGS; i++)
            model.hashes[i] = cleat_clock_random_below(&fake.clock, ranges[range]) - 3;
        for (int step = 0; step < 4000; step++) {
            size_t i = cleat_clock_random_below(&fake.clock, THINGS);
            if (model.there[i]) {
                cleat__queue_table_remove(&model.table, model.hashes[i], &model.things[i]);
            } else {
                ck_assert_int_eq(cleat__queue_table_reserve(&model.table), 0);
                cleat__queue_table_add(&model.table, model.hashes[i], &model.things[i]);
            }
            model.there[i] = !model.there[i];
            if (step % 200 == 0)
                check(&model);
        }
        check(&model);
        cleat__queue_table_fini(&model.table);
        ck_assert_uint_eq(model.table.capacity, 0);
    }
}
END_TEST

START_TEST(test_out_of_memory)
{
    static struct model model;
    memset(&model, 0, sizeof(model));
    size_t added = 0;
    for (; added < 32; added++) {
        ck_assert_int_eq(cleat__queue_table_reserve(&model.table), 0);
        model.hashes[added] = added;
        model.there[added] = true;
        cleat__queue_table_add(&model.table, added, &model.things[added]);
    }
    cleat_mem_fail_at(1, true);
    ck_assert_int_lt(cleat__queue_table_reserve(&model.table), 0);
    cleat_mem_fail_at(0, false);
    for (size_t i = added; i < THINGS; i++)
        model.hashes[i] = i + 1000;
    check(&model); /* as it was */
    ck_assert_int_eq(cleat__queue_table_reserve(&model.table), 0);
    check(&model);
    cleat__queue_table_fini(&model.table);
}
END_TEST

CLEAT_SUITE_MAIN("queue_table", test_empty, test_random, test_out_of_memory)
