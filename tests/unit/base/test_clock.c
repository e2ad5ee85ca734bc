/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/clock.h>

#include <string.h>

#include "support/fake_clock.h"
#include "support/suite.h"

START_TEST(test_system_clocks)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t before_ns = cleat_clock_mono_ns(clock);
    int64_t mono_ms = cleat_clock_mono_ms(clock);
    int64_t after_ns = cleat_clock_mono_ns(clock);
    ck_assert_int_le(before_ns / 1000000, mono_ms);
    ck_assert_int_le(mono_ms, after_ns / 1000000);
    ck_assert_int_ge(cleat_clock_boot_ms(clock), mono_ms);
    ck_assert_int_gt(cleat_clock_wall_ms(clock), INT64_C(1700000000000));
}
END_TEST

START_TEST(test_system_random)
{
    unsigned char bytes[1000] = {0};
    unsigned char tail[8] = {0};
    size_t zeroes = 0;
    cleat_clock_random(cleat_clock_system(), bytes, sizeof(bytes) - 1);
    for (size_t i = 0; i < sizeof(bytes) - 1; i++)
        zeroes += bytes[i] == 0;
    ck_assert_uint_lt(zeroes, 50);
    ck_assert_int_eq(bytes[999], 0);
    cleat_clock_random(cleat_clock_system(), tail, 0);
    ck_assert_int_eq(tail[0], 0);
}
END_TEST

START_TEST(test_random_below)
{
    struct cleat_fake_clock fake;
    size_t seen[5] = {0};
    cleat_fake_clock_init(&fake);
    for (int i = 0; i < 5000; i++) {
        uint64_t number = cleat_clock_random_below(&fake.clock, 5);
        ck_assert_uint_lt(number, 5);
        seen[number]++;
    }
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_gt(seen[i], 850);
    ck_assert_uint_eq(cleat_clock_random_below(&fake.clock, 0), 0);
    ck_assert_uint_eq(cleat_clock_random_below(&fake.clock, 1), 0);
}
END_TEST

/* Gives the numbers 0, 1, 2 …: the first ones must be drawn again where the bound doesn't divide
 * 2^64. */
static void counting_random(void *arg, void *bytes, size_t length)
{
    uint64_t *next = arg;
    ck_assert_uint_eq(length, sizeof(*next));
    memcpy(bytes, next, length);
    ++*next;
}

START_TEST(test_random_below_is_fair)
{
    uint64_t next = 0;
    struct cleat_clock clock = {.random = counting_random, .arg = &next};
    uint64_t bound = (UINT64_C(1) << 63) + 3; /* 2^64 mod bound = bound - 6 */
    next = bound - 7;
    ck_assert_uint_eq(cleat_clock_random_below(&clock, bound), bound - 6);
    ck_assert_uint_eq(next, bound - 5);
    next = 0;
    ck_assert_uint_eq(cleat_clock_random_below(&clock, 8), 0);
}
END_TEST

START_TEST(test_uuid)
{
    struct cleat_fake_clock fake;
    char one[37], two[37];
    cleat_fake_clock_init(&fake);
    cleat_clock_uuid(&fake.clock, one);
    cleat_clock_uuid(&fake.clock, two);
    ck_assert_str_ne(one, two);
    ck_assert_uint_eq(strlen(one), 36);
    ck_assert_uint_eq(strspn(one, "0123456789abcdef-"), 36);
    ck_assert_int_eq(one[8], '-');
    ck_assert_int_eq(one[13], '-');
    ck_assert_int_eq(one[14], '4');
    ck_assert_int_eq(one[18], '-');
    ck_assert_ptr_nonnull(strchr("89ab", one[19]));
    ck_assert_int_eq(one[23], '-');
}
END_TEST

START_TEST(test_fake_clock_moves_by_hand)
{
    struct cleat_fake_clock fake;
    cleat_fake_clock_init(&fake);
    const struct cleat_clock *clock = &fake.clock;
    ck_assert_int_eq(cleat_clock_mono_ms(clock), 1000000);
    cleat_fake_clock_advance_ms(&fake, 5);
    ck_assert_int_eq(cleat_clock_mono_ms(clock), 1000005);
    ck_assert_int_eq(cleat_clock_boot_ms(clock), 2000005);
    cleat_fake_clock_suspend_ms(&fake, 10);
    ck_assert_int_eq(cleat_clock_mono_ns(clock), INT64_C(1000005000000));
    ck_assert_int_eq(cleat_clock_boot_ms(clock), 2000015);
    ck_assert_int_eq(cleat_clock_wall_ms(clock), CLEAT_FAKE_CLOCK_WALL_MS + 15);
    cleat_fake_clock_set_wall_ms(&fake, 7);
    ck_assert_int_eq(cleat_clock_wall_ms(clock), 7);
    uint64_t first = 0, again = 0;
    cleat_fake_clock_seed(&fake, 3);
    cleat_clock_random(clock, &first, sizeof(first));
    cleat_fake_clock_seed(&fake, 3);
    cleat_clock_random(clock, &again, sizeof(again));
    ck_assert_uint_eq(first, again);
}
END_TEST

CLEAT_SUITE_MAIN("clock", test_system_clocks, test_system_random, test_random_below,
                 test_random_below_is_fair, test_uuid, test_fake_clock_moves_by_hand)
