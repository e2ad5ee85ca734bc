/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/chaos.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define MAP_KEYS 300

struct entry {
    char key[16];
    bool present;
};

static void entries_init(struct entry *entries)
{
    for (int i = 0; i < MAP_KEYS; i++) {
        (void)snprintf(entries[i].key, sizeof(entries[i].key), "key-%d", i);
        entries[i].present = false;
    }
}

START_TEST(test_empty)
{
    struct cleat_map map = CLEAT_MAP_INIT(10);
    size_t cursor = 0;
    ck_assert_ptr_null(cleat_map_get(&map, CLEAT_STR("a")));
    ck_assert_ptr_null(cleat_map_remove(&map, CLEAT_STR("a")));
    ck_assert_ptr_null(cleat_map_next(&map, &cursor, NULL));
    cleat_map_fini(&map);
    cleat_map_fini(&map);
}
END_TEST

START_TEST(test_set_and_replace)
{
    struct cleat_map map;
    int one = 1, two = 2;
    char old_key[] = "key", new_key[] = "key";
    struct cleat_str key;
    size_t cursor = 0;
    cleat_map_init(&map, 1);
    ck_assert_int_eq(cleat_map_set(&map, cleat_str_of(old_key), &one), 0);
    ck_assert_ptr_eq(cleat_map_get(&map, CLEAT_STR("key")), &one);
    ck_assert_int_eq(cleat_map_set(&map, cleat_str_of(new_key), &two), 0);
    ck_assert_ptr_eq(cleat_map_get(&map, CLEAT_STR("key")), &two);
    ck_assert_uint_eq(map.count, 1);
    /* The new value's key is the one that is kept. */
    ck_assert_ptr_eq(cleat_map_next(&map, &cursor, &key), &two);
    ck_assert_ptr_eq(key.data, new_key);
    cleat_map_fini(&map);
}
END_TEST

START_TEST(test_keys_are_bytes)
{
    struct cleat_map map = CLEAT_MAP_INIT(10);
    int a = 0, b = 0, empty = 0;
    ck_assert_int_eq(cleat_map_set(&map, CLEAT_STR("x\0a"), &a), 0);
    ck_assert_int_eq(cleat_map_set(&map, CLEAT_STR("x\0b"), &b), 0);
    ck_assert_int_eq(cleat_map_set(&map, CLEAT_STR(""), &empty), 0);
    ck_assert_ptr_eq(cleat_map_get(&map, CLEAT_STR("x\0a")), &a);
    ck_assert_ptr_eq(cleat_map_get(&map, CLEAT_STR("x\0b")), &b);
    ck_assert_ptr_eq(cleat_map_get(&map, cleat_str_of(NULL)), &empty);
    ck_assert_ptr_null(cleat_map_get(&map, CLEAT_STR("x")));
    cleat_map_fini(&map);
}
END_TEST

START_TEST(test_maximum)
{
    struct cleat_map map = CLEAT_MAP_INIT(2);
    int value = 0, other = 0;
    ck_assert_int_eq(cleat_map_set(&map, CLEAT_STR("a"), &value), 0);
    ck_assert_int_eq(cleat_map_set(&map, CLEAT_STR("b"), &value), 0);
    ck_assert_int_eq(cleat_map_set(&map, CLEAT_STR("c"), &value), -ENOBUFS);
    ck_assert_int_eq(cleat_map_set(&map, CLEAT_STR("a"), &other), 0);
    ck_assert_ptr_eq(cleat_map_remove(&map, CLEAT_STR("b")), &value);
    ck_assert_int_eq(cleat_map_set(&map, CLEAT_STR("c"), &value), 0);
    cleat_map_fini(&map);
}
END_TEST

static size_t count_by_iteration(const struct cleat_map *map)
{
    size_t cursor = 0, count = 0;
    struct cleat_str key;
    struct entry *entry = NULL;
    while ((entry = cleat_map_next(map, &cursor, &key)) != NULL) {
        ck_assert(entry->present);
        ck_assert(cleat_str_is(key, entry->key));
        count++;
    }
    return count;
}

/* Random sets and removals beside a plain table that says what must be there. */
START_TEST(test_against_a_plain_table)
{
    static struct entry entries[MAP_KEYS];
    struct cleat_map map = CLEAT_MAP_INIT(MAP_KEYS);
    struct cleat_fake_clock fake;
    size_t present = 0;
    cleat_fake_clock_init(&fake);
    entries_init(entries);
    for (int round = 0; round < 20000; round++) {
        struct entry *entry = &entries[cleat_clock_random_below(&fake.clock, MAP_KEYS)];
        struct cleat_str key = cleat_str_of(entry->key);
        if (cleat_clock_random_below(&fake.clock, 2)) {
            ck_assert_int_eq(cleat_map_set(&map, key, entry), 0);
            present += entry->present ? 0 : 1;
            entry->present = true;
        } else {
            ck_assert_ptr_eq(cleat_map_remove(&map, key), entry->present ? entry : NULL);
            present -= entry->present ? 1 : 0;
            entry->present = false;
        }
        ck_assert_uint_eq(map.count, present);
        if (round % 500 == 0) {
            for (int i = 0; i < MAP_KEYS; i++) {
                ck_assert_ptr_eq(cleat_map_get(&map, cleat_str_of(entries[i].key)),
                                 entries[i].present ? &entries[i] : NULL);
            }
            ck_assert_uint_eq(count_by_iteration(&map), present);
        }
    }
    cleat_map_fini(&map);
}
END_TEST

static int fill(void *arg)
{
    struct entry *entries = arg;
    struct cleat_map map = CLEAT_MAP_INIT(MAP_KEYS);
    int rc = 0;
    for (size_t i = 0; i < MAP_KEYS && rc == 0; i++) {
        rc = cleat_map_set(&map, cleat_str_of(entries[i].key), &entries[i]);
        /* A failed growth leaves everything as it was. */
        for (size_t j = 0; rc < 0 && j < MAP_KEYS; j++) {
            void *found = cleat_map_get(&map, cleat_str_of(entries[j].key));
            ck_assert_ptr_eq(found, j < i ? &entries[j] : NULL);
        }
    }
    cleat_map_fini(&map);
    return rc;
}

START_TEST(test_out_of_memory)
{
    static struct entry entries[MAP_KEYS];
    entries_init(entries);
    ck_assert_uint_eq(cleat_chaos_sweep(fill, entries), 7); /* 8 slots to 512 */
}
END_TEST

CLEAT_SUITE_MAIN("map", test_empty, test_set_and_replace, test_keys_are_bytes, test_maximum,
                 test_against_a_plain_table, test_out_of_memory)
