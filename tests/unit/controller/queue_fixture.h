/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbered items for the tests of the queue's parts.
 */
#ifndef CLEAT_TESTS_QUEUE_FIXTURE_H
#define CLEAT_TESTS_QUEUE_FIXTURE_H

#include <check.h>
#include <stdio.h>

#include "controller/queue_item.h"

#define QUEUE_FIXTURE_ITEMS 1000

struct queue_fixture {
    struct queue_items items;
    struct queue_item *at[QUEUE_FIXTURE_ITEMS];
    size_t count;
};

static inline void queue_fixture_open(struct queue_fixture *fixture, size_t count)
{
    *fixture = (struct queue_fixture){.count = count};
    for (size_t i = 0; i < count; i++) {
        struct queue_key key;
        char name[24];
        (void)snprintf(name, sizeof(name), "%zu", i);
        ck_assert_int_eq(
            cleat__queue_key_make(&key, CLEAT_STR(""), CLEAT_STR("ns"), cleat_str_of(name)), 0);
        fixture->at[i] = cleat__queue_item_add(&fixture->items, &key);
        ck_assert_ptr_nonnull(fixture->at[i]);
        ck_assert_ptr_eq(cleat__queue_item_find(&fixture->items, &key), fixture->at[i]);
    }
}

/** Which one it is. */
static inline size_t queue_fixture_index(const struct queue_fixture *fixture,
                                         const struct queue_item *item)
{
    size_t i = 0;
    while (i < fixture->count && fixture->at[i] != item)
        i++;
    ck_assert_uint_lt(i, fixture->count);
    return i;
}

static inline void queue_fixture_close(struct queue_fixture *fixture)
{
    cleat__queue_items_fini(&fixture->items);
}

#endif
