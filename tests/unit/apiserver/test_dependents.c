/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/dependents.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "support/suite.h"

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

static struct cleat_api_resource *resource_of(const char *plural)
{
    struct cleat_api_resource *resource = NULL;
    ck_assert_int_eq(cleat_api_resource_new(&resource), 0);
    snprintf(resource->plural, sizeof(resource->plural), "%s", plural);
    return resource;
}

static size_t count_of(struct cleat_api_dependents *dependents, const char *uid)
{
    struct cleat_api_dependent *list = NULL;
    size_t count = 99;
    ck_assert_int_eq(cleat_api_dependents_of(dependents, cleat_str_of(uid), &list, &count), 0);
    cleat_api_dependents_release(list, count);
    return count;
}

START_TEST(test_index)
{
    struct cleat_api_dependents *dependents = NULL;
    struct cleat_api_dependent *list = NULL;
    struct cleat_api_resource *pods = resource_of("pods");
    struct cleat_api_resource *secrets = resource_of("secrets");
    struct cleat_api_record *record = make("n", "a");
    size_t count = 0;
    ck_assert_int_eq(cleat_api_dependents_new(&dependents), 0);
    ck_assert_uint_eq(count_of(dependents, "u"), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(cleat_api_dependents_add(dependents, CLEAT_STR("u"), pods, record), 0);
        ck_assert_int_eq(cleat_api_dependents_add(dependents, CLEAT_STR("u"), secrets, record), 0);
    }
    ck_assert_uint_eq(count_of(dependents, "u"), 2);
    cleat_api_dependents_remove(dependents, CLEAT_STR("u"), secrets, record);
    cleat_api_dependents_remove(dependents, CLEAT_STR("v"), pods, record);
    ck_assert_int_eq(cleat_api_dependents_of(dependents, CLEAT_STR("u"), &list, &count), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_ptr_eq(list[0].resource, pods);
    ck_assert_str_eq(list[0].namespace_, "n");
    ck_assert_str_eq(list[0].name, "a");
    cleat_api_dependents_release(list, count);
    cleat_api_dependents_remove(dependents, CLEAT_STR("u"), pods, record);
    ck_assert_uint_eq(count_of(dependents, "u"), 0);
    ck_assert_int_eq(
        cleat_api_dependents_add(
            dependents,
            CLEAT_STR("0123456789012345678901234567890123456789012345678901234567890123"), pods,
            record),
        -EINVAL);
    (void)cleat_api_record_unref(record);
    (void)cleat_api_resource_unref(pods);
    (void)cleat_api_resource_unref(secrets);
    dependents = cleat_api_dependents_free(dependents);
}
END_TEST

START_TEST(test_no_memory)
{
    struct cleat_api_resource *pods = resource_of("pods");
    struct cleat_api_record *record = make("n", "a");
    for (uint64_t i = 1;; i++) {
        struct cleat_api_dependents *dependents = NULL;
        struct cleat_api_dependent *list = NULL;
        size_t count = 0;
        ck_assert_int_eq(cleat_api_dependents_new(&dependents), 0);
        cleat_mem_fail_at(i, false);
        int result = cleat_api_dependents_add(dependents, CLEAT_STR("u"), pods, record);
        if (result == 0)
            result = cleat_api_dependents_of(dependents, CLEAT_STR("u"), &list, &count);
        bool failed = cleat_mem_failed();
        cleat_mem_fail_at(0, false);
        ck_assert_int_eq(result, failed ? -ENOMEM : 0);
        cleat_api_dependents_release(list, count);
        dependents = cleat_api_dependents_free(dependents);
        if (!failed)
            break;
    }
    (void)cleat_api_record_unref(record);
    (void)cleat_api_resource_unref(pods);
}
END_TEST

CLEAT_SUITE_MAIN("dependents", test_index, test_no_memory)
