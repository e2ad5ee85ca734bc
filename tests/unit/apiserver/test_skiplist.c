/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/skiplist.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "support/suite.h"

#define KEYS 500

static struct cleat_api_record *make(const char *namespace_, const char *name)
{
    struct cleat_document *document = NULL;
    struct cleat_api_record *record = NULL;
    ck_assert_int_eq(cleat_document_format(&document, NULL,
                                           "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"}}",
                                           name, namespace_),
                     0);
    ck_assert_int_eq(cleat_api_record_new(cleat_document_root(document), false, &record, NULL), 0);
    (void)cleat_document_unref(document);
    return record;
}

static void add(struct cleat_api_skiplist *list, const char *namespace_, const char *name)
{
    struct cleat_api_record *record = make(namespace_, name);
    ck_assert_int_eq(cleat_api_skiplist_set(list, record), 0);
    (void)cleat_api_record_unref(record);
}

START_TEST(test_order)
{
    struct cleat_api_skiplist list = {0};
    char name[16];
    /* 7 has no common factor with 500: every key once, in no order. */
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof(name), "k%03d", i * 7 % KEYS);
        add(&list, "ns", name);
    }
    ck_assert_uint_eq(list.count, KEYS);
    int seen = 0;
    for (const struct cleat_api_node *node = cleat_api_skiplist_seek(&list, CLEAT_STR(""), false);
         node; node = cleat_api_node_next(node)) {
        snprintf(name, sizeof(name), "ns/k%03d", seen++);
        ck_assert_str_eq(node->record->key, name);
    }
    ck_assert_int_eq(seen, KEYS);
    cleat_api_skiplist_fini(&list);
}
END_TEST

START_TEST(test_get_set_remove)
{
    struct cleat_api_skiplist list = {0};
    add(&list, "", "a");
    add(&list, "", "c");
    struct cleat_api_record *again = make("", "a");
    ck_assert_int_eq(cleat_api_skiplist_set(&list, again), 0);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_ptr_eq(cleat_api_skiplist_get(&list, CLEAT_STR("a")), again);
    ck_assert_ptr_null(cleat_api_skiplist_get(&list, CLEAT_STR("b")));
    cleat_api_skiplist_remove(&list, CLEAT_STR("b"));
    ck_assert_uint_eq(list.count, 2);
    cleat_api_skiplist_remove(&list, CLEAT_STR("a"));
    ck_assert_ptr_null(cleat_api_skiplist_get(&list, CLEAT_STR("a")));
    ck_assert_uint_eq(list.count, 1);
    (void)cleat_api_record_unref(again);
    cleat_api_skiplist_fini(&list);
}
END_TEST

START_TEST(test_seek)
{
    static const struct {
        const char *key;
        bool beyond;
        const char *found;
    } cases[] = {
        {"", false, "a/x"},   {"a/x", false, "a/x"}, {"a/x", true, "a/y"}, {"a/", false, "a/x"},
        {"b/", false, "b/x"}, {"b/x", true, NULL},   {"c/", false, NULL},  {"a/z", false, "b/x"},
    };
    struct cleat_api_skiplist list = {0};
    add(&list, "b", "x");
    add(&list, "a", "y");
    add(&list, "a", "x");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct cleat_api_node *node =
            cleat_api_skiplist_seek(&list, cleat_str_of(cases[i].key), cases[i].beyond);
        ck_assert_msg(!node == !cases[i].found, "%s", cases[i].key);
        if (node)
            ck_assert_str_eq(node->record->key, cases[i].found);
    }
    cleat_api_skiplist_fini(&list);
}
END_TEST

START_TEST(test_no_memory)
{
    struct cleat_api_skiplist list = {0};
    struct cleat_api_record *record = make("", "a");
    cleat_mem_fail_at(1, false);
    ck_assert_int_eq(cleat_api_skiplist_set(&list, record), -ENOMEM);
    cleat_mem_fail_at(0, false);
    ck_assert_uint_eq(list.count, 0);
    ck_assert_ptr_null(cleat_api_skiplist_get(&list, CLEAT_STR("a")));
    (void)cleat_api_record_unref(record);
    cleat_api_skiplist_fini(&list);
}
END_TEST

CLEAT_SUITE_MAIN("skiplist", test_order, test_get_set_remove, test_seek, test_no_memory)
