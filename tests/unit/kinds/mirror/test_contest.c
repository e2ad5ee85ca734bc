/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/contest.h"
#include "fixture.h"
#include "support/suite.h"

static const struct mirror_contest_key copy = {{"u-1", 3}, {"ci", 2}, 1, {"10", 2}};

START_TEST(test_answer_differs)
{
    struct mirror_contest contest;
    cleat__mirror_contest_init(&contest);
    ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &copy, 1000), 0);
    cleat__mirror_contest_note(&contest, &copy, true, 1000);
    ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &copy, 1000), MIRROR_CONTEST_FIRST_MS);
    ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &copy, 1000 + MIRROR_CONTEST_FIRST_MS),
                     0);
    int64_t now_ms = 1000, delay_ms = MIRROR_CONTEST_FIRST_MS;
    for (int i = 0; i < 20; i++) {
        now_ms += delay_ms;
        cleat__mirror_contest_note(&contest, &copy, true, now_ms);
        delay_ms = delay_ms * 2 < MIRROR_CONTEST_MAX_MS ? delay_ms * 2 : MIRROR_CONTEST_MAX_MS;
        ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &copy, now_ms), delay_ms);
    }
    ck_assert_int_eq(delay_ms, MIRROR_CONTEST_MAX_MS);
    cleat__mirror_contest_fini(&contest);
}
END_TEST

/* What is wanted has changed: it is written at once. */
START_TEST(test_change_ends_it)
{
    struct mirror_contest contest;
    struct mirror_contest_key other = copy;
    cleat__mirror_contest_init(&contest);
    cleat__mirror_contest_note(&contest, &copy, true, 1000);
    other.generation = 2;
    ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &other, 1000), 0);
    other = copy;
    other.source_version = CLEAT_STR("11");
    ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &other, 1000), 0);
    other = copy;
    other.namespace_ = CLEAT_STR("other");
    ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &other, 1000), 0);
    ck_assert_int_gt(cleat__mirror_contest_wait_ms(&contest, &copy, 1000), 0);
    cleat__mirror_contest_fini(&contest);
}
END_TEST

/* Repairs that hold are fine, unless there are too many in a short time. */
START_TEST(test_many_repairs)
{
    struct mirror_contest contest;
    cleat__mirror_contest_init(&contest);
    for (int i = 0; i < 100; i++) {
        cleat__mirror_contest_note(&contest, &copy, false, i * (MIRROR_CONTEST_WINDOW_MS / 4));
        ck_assert_int_eq(
            cleat__mirror_contest_wait_ms(&contest, &copy, i * (MIRROR_CONTEST_WINDOW_MS / 4)), 0);
    }
    cleat__mirror_contest_fini(&contest);
    cleat__mirror_contest_init(&contest);
    for (int i = 0; i < MIRROR_CONTEST_REPAIRS_MAX; i++) {
        cleat__mirror_contest_note(&contest, &copy, false, 1000 + i);
        ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &copy, 1000 + i), 0);
    }
    cleat__mirror_contest_note(&contest, &copy, false, 2000);
    ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &copy, 2000), MIRROR_CONTEST_FIRST_MS);
    cleat__mirror_contest_fini(&contest);
}
END_TEST

START_TEST(test_bounded)
{
    struct mirror_contest contest;
    cleat__mirror_contest_init(&contest);
    for (int i = 0; i < 25000; i++) {
        char name[32];
        struct mirror_contest_key key = copy;
        (void)snprintf(name, sizeof(name), "ns-%d", i);
        key.namespace_ = cleat_str_of(name);
        cleat__mirror_contest_note(&contest, &key, true, 1000);
        ck_assert_int_gt(cleat__mirror_contest_wait_ms(&contest, &key, 1000), 0);
    }
    ck_assert_uint_le(contest.entries.count, 10000);
    cleat__mirror_contest_fini(&contest);
}
END_TEST

CLEAT_SUITE_MAIN("mirror contest", test_answer_differs, test_change_ends_it, test_many_repairs,
                 test_bounded)
