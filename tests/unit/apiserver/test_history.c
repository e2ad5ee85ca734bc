/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/history.h"

#include "support/suite.h"

static struct cleat_api_record *make(uint64_t version)
{
    struct cleat_document *document = NULL;
    struct cleat_api_record *record = NULL;
    struct cleat_api_record *stamped = NULL;
    ck_assert_int_eq(
        cleat_document_parse(CLEAT_STR("{\"metadata\":{\"name\":\"x\"}}"), &document, NULL), 0);
    ck_assert_int_eq(cleat_api_record_new(cleat_document_root(document), false, &record, NULL), 0);
    ck_assert_int_eq(cleat_api_record_at(record, version, &stamped), 0);
    (void)cleat_document_unref(document);
    (void)cleat_api_record_unref(record);
    return stamped;
}

static void add(struct cleat_api_history *history, uint64_t revision, size_t max)
{
    struct cleat_api_record *record = make(revision);
    const struct cleat_api_event event = {.revision = revision, .new = record};
    ck_assert_int_eq(cleat_api_history_add(history, &event, max), 0);
    (void)cleat_api_record_unref(record);
}

START_TEST(test_ring)
{
    struct cleat_api_history history = {0};
    for (uint64_t i = 1; i <= 1000; i++)
        add(&history, 10 * i, 100);
    ck_assert_uint_eq(history.count, 100);
    ck_assert_uint_eq(history.first, 900);
    ck_assert_uint_eq(history.compacted, 9000);
    for (uint64_t i = 0; i < 100; i++)
        ck_assert_uint_eq(cleat_api_history_at(&history, 900 + i)->revision, 10 * (901 + i));
    cleat_api_history_fini(&history);
}
END_TEST

START_TEST(test_after)
{
    static const struct {
        uint64_t revision;
        uint64_t sequence;
    } cases[] = {{0, 0}, {9, 0}, {10, 1}, {11, 1}, {49, 4}, {50, 5}, {1000, 5}};
    struct cleat_api_history history = {0};
    ck_assert_uint_eq(cleat_api_history_after(&history, 7), 0);
    for (uint64_t i = 1; i <= 5; i++)
        add(&history, 10 * i, 100);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_uint_eq(cleat_api_history_after(&history, cases[i].revision), cases[i].sequence);
    cleat_api_history_fini(&history);
}
END_TEST

START_TEST(test_compact)
{
    struct cleat_api_history history = {0};
    for (uint64_t i = 1; i <= 5; i++)
        add(&history, 10 * i, 100);
    cleat_api_history_compact(&history, 30);
    ck_assert_uint_eq(history.count, 2);
    ck_assert_uint_eq(history.compacted, 30);
    ck_assert_uint_eq(cleat_api_history_at(&history, 3)->revision, 40);
    cleat_api_history_compact(&history, 99);
    ck_assert_uint_eq(history.count, 0);
    ck_assert_uint_eq(history.compacted, 99);
    add(&history, 100, 100);
    ck_assert_uint_eq(cleat_api_history_after(&history, 99), 5);
    cleat_api_history_fini(&history);
}
END_TEST

START_TEST(test_old_versions_are_bounded)
{
    struct cleat_api_history history = {0};
    struct cleat_api_record *old = make(1);
    struct cleat_api_record *new = make(2);
    /* As if an old version were 40 MiB: two of them are above what history may keep alive. */
    old->tail_length = 40u << 20;
    const struct cleat_api_event event = {.revision = 2, .old = old, .new = new};
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(cleat_api_history_add(&history, &event, 100), 0);
    ck_assert_uint_le(history.count, 2);
    cleat_api_history_fini(&history);
    (void)cleat_api_record_unref(old);
    (void)cleat_api_record_unref(new);
}
END_TEST

CLEAT_SUITE_MAIN("history", test_ring, test_after, test_compact, test_old_versions_are_bounded)
