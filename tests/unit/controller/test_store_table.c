/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>

#include "base/mem.h"
#include "controller/store_sets.h"
#include "controller/store_table.h"
#include "support/chaos.h"
#include "support/suite.h"

/* A hash of an id that spreads well, or badly: @bits of it only. */
static uint32_t hash_of(uint32_t id, unsigned bits)
{
    uint32_t hash = id * 0x9e3779b1u;
    hash ^= hash >> 15;
    hash *= 0x85ebca6bu;
    return bits == 32 ? hash : hash >> (32 - bits) << (32 - bits);
}

static bool is_id(const void *arg, uint32_t id)
{
    return *(const uint32_t *)arg == id;
}

START_TEST(test_adds_finds_and_removes)
{
    static const unsigned bits[] = {32, 16, 14};
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        struct store_table table = {0};
        const uint32_t count = 50000;
        for (uint32_t id = 0; id < count; id++)
            ck_assert_int_eq(cleat__table_add(&table, hash_of(id, bits[i]), id), 0);
        ck_assert_uint_eq(table.count, count);
        for (uint32_t id = 0; id < count; id += 3)
            cleat__table_remove(&table, hash_of(id, bits[i]), id);
        for (uint32_t id = 0; id < count; id++) {
            uint32_t found = cleat__table_find(&table, hash_of(id, bits[i]), is_id, &id);
            ck_assert_uint_eq(found, id % 3 ? id : CLEAT__STORE_NONE);
        }
        cleat__table_fini(&table);
    }
}
END_TEST

START_TEST(test_hundreds_of_one_hash_are_refused)
{
    struct store_table table = {0};
    uint32_t id = 0;
    int r = 0;
    for (; r == 0 && id < 1000; id++)
        r = cleat__table_add(&table, 0xabcdef01u, id);
    ck_assert_int_eq(r, -ENOBUFS);
    ck_assert_uint_ge(table.count, CLEAT__SEGMENT_FULL);
    uint32_t last = (uint32_t)table.count - 1;
    ck_assert_uint_eq(cleat__table_find(&table, 0xabcdef01u, is_id, &last), last);
    /* Others go on fitting. */
    ck_assert_int_eq(cleat__table_add(&table, 0x12345678u, 5000), 0);
    cleat__table_fini(&table);
}
END_TEST

START_TEST(test_grows_in_small_steps)
{
    struct store_table table = {0};
    size_t before = 0;
    for (uint32_t id = 0; id < 200000; id++) {
        ck_assert_int_eq(cleat__table_add(&table, hash_of(id, 32), id), 0);
        size_t bytes = cleat__table_bytes(&table);
        if (id > 20000)
            ck_assert_uint_le(bytes - before, bytes / 20);
        before = bytes;
    }
    ck_assert_uint_le(before / 200000, 18);
    cleat__table_fini(&table);
}
END_TEST

static void sum_one(void *arg, uint32_t id)
{
    *(uint64_t *)arg += id;
}

START_TEST(test_each_meets_all_once)
{
    struct store_table table = {0};
    uint64_t sum = 0;
    for (uint32_t id = 0; id < 3000; id++)
        ck_assert_int_eq(cleat__table_add(&table, hash_of(id, 32), id), 0);
    cleat__table_each(&table, sum_one, &sum);
    ck_assert_uint_eq(sum, 3000u * 2999u / 2);
    cleat__table_fini(&table);
}
END_TEST

static int fill(void *arg)
{
    struct store_table table = {0};
    struct store_cells cells = {.cell_bytes = 8};
    struct store_bits bits = {0};
    int r = 0;
    for (uint32_t id = 0; r == 0 && id < 3000; id++) {
        uint32_t cell;
        r = cleat__table_reserve(&table, hash_of(id, 32));
        if (r == 0)
            ck_assert_int_eq(cleat__table_add(&table, hash_of(id, 32), id), 0);
        if (r == 0)
            r = cleat__cells_extend(&cells, &cell);
        if (r == 0)
            r = cleat__bits_set(&bits, id * 7);
    }
    for (uint32_t id = 0; id < table.count; id++)
        ck_assert_uint_eq(cleat__table_find(&table, hash_of(id, 32), is_id, &id), id);
    cleat__table_fini(&table);
    cleat__cells_fini(&cells);
    cleat__bits_fini(&bits);
    return r;
}

START_TEST(test_out_of_memory_loses_nothing)
{
    ck_assert_uint_gt(cleat_chaos_sweep(fill, NULL), 5);
}
END_TEST

START_TEST(test_cells_stay_where_they_are)
{
    struct store_cells cells = {.cell_bytes = 12};
    uint32_t id = 0;
    ck_assert_int_eq(cleat__cells_extend(&cells, &id), 0);
    const void *first = cleat__cells_at(&cells, 0);
    for (int i = 0; i < 100000; i++)
        ck_assert_int_eq(cleat__cells_extend(&cells, &id), 0);
    ck_assert_uint_eq(id, 100000);
    ck_assert_ptr_eq(cleat__cells_at(&cells, 0), first);
    cleat__cells_fini(&cells);
}
END_TEST

START_TEST(test_bits)
{
    struct store_bits bits = {0};
    ck_assert(!cleat__bits_has(&bits, 0) && !cleat__bits_has(&bits, 100000));
    ck_assert_int_eq(cleat__bits_set(&bits, 100000), 0);
    ck_assert_int_eq(cleat__bits_set(&bits, 63), 0);
    ck_assert(cleat__bits_has(&bits, 100000) && cleat__bits_has(&bits, 63));
    ck_assert(!cleat__bits_has(&bits, 62) && !cleat__bits_has(&bits, 64));
    cleat__bits_unset(&bits, 63);
    ck_assert(!cleat__bits_has(&bits, 63));
    cleat__bits_clear(&bits);
    ck_assert(!cleat__bits_has(&bits, 100000));
    cleat__bits_fini(&bits);
}
END_TEST

START_TEST(test_sets_are_kept_once)
{
    struct store_sets sets = {0};
    uint32_t a, b, ab, ba, none;
    ck_assert_int_eq(cleat__sets_with(&sets, CLEAT__SET_EMPTY, 7, &a), 0);
    ck_assert_int_eq(cleat__sets_with(&sets, CLEAT__SET_EMPTY, 3, &b), 0);
    ck_assert_int_eq(cleat__sets_with(&sets, a, 3, &ab), 0);
    ck_assert_int_eq(cleat__sets_with(&sets, b, 7, &ba), 0);
    ck_assert_uint_eq(ab, ba);
    ck_assert_uint_ne(a, b);
    ck_assert(cleat__sets_has(&sets, ab, 3) && cleat__sets_has(&sets, ab, 7));
    ck_assert(!cleat__sets_has(&sets, a, 3) && !cleat__sets_has(&sets, CLEAT__SET_EMPTY, 3));
    ck_assert_int_eq(cleat__sets_without(&sets, ab, 3, &none), 0);
    ck_assert_uint_eq(none, a);
    ck_assert_int_eq(cleat__sets_without(&sets, a, 3, &none), 0);
    ck_assert_uint_eq(none, a);
    ck_assert_int_eq(cleat__sets_without(&sets, a, 7, &none), 0);
    ck_assert_uint_eq(none, CLEAT__SET_EMPTY);
    cleat__sets_move(&sets, CLEAT__SET_EMPTY, ab);
    cleat__sets_move(&sets, CLEAT__SET_EMPTY, a);
    ck_assert_uint_eq(cleat__sets_entries(&sets, 7), 2);
    ck_assert_uint_eq(cleat__sets_entries(&sets, 3), 1);
    cleat__sets_move(&sets, ab, CLEAT__SET_EMPTY);
    ck_assert_uint_eq(cleat__sets_entries(&sets, 3), 0);
    cleat__sets_fini(&sets);
}
END_TEST

CLEAT_SUITE_MAIN("store_table", test_adds_finds_and_removes, test_hundreds_of_one_hash_are_refused,
                 test_grows_in_small_steps, test_each_meets_all_once,
                 test_out_of_memory_loses_nothing, test_cells_stay_where_they_are, test_bits,
                 test_sets_are_kept_once)
