/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/record.h"

#include <cleat/path.h>
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"
#include "support/suite.h"

static int make(const char *json, bool keep, struct cleat_api_record **ret)
{
    struct cleat_document *document = NULL;
    ck_assert_int_eq(cleat_document_parse(cleat_str_of(json), &document, NULL), 0);
    int result = cleat_api_record_new(cleat_document_root(document), keep, ret, NULL);
    (void)cleat_document_unref(document);
    return result;
}

#define WHOLE                                                                                 \
    "{\"spec\":{\"n\":1},\"kind\":\"Pod\",\"metadata\":{\"labels\":{\"a\":\"b\"},\"zone\":1," \
    "\"uid\":\"u-1\",\"resourceVersion\":\"77\",\"name\":\"x\",\"namespace\":\"n\","          \
    "\"selfLink\":\"/x\"},\"apiVersion\":\"v1\",\"status\":{}}"

START_TEST(test_tail)
{
    struct cleat_api_record *record = NULL;
    struct cleat_api_record *later = NULL;
    ck_assert_int_eq(make(WHOLE, true, &record), 0);
    ck_assert_str_eq(record->key, "n/x");
    ck_assert(cleat_str_is(record->namespace_, "n"));
    ck_assert(cleat_str_is(record->name, "x"));
    ck_assert_str_eq(record->uid, "u-1");
    /* Metadata first and in Kubernetes' order, its own version, no selfLink. */
    ck_assert_str_eq(record->tail,
                     "\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"uid\":\"u-1\","
                     "\"resourceVersion\":\"0\",\"labels\":{\"a\":\"b\"},\"zone\":1},"
                     "\"spec\":{\"n\":1},\"status\":{}}");
    ck_assert_int_eq(cleat_api_record_at(record, 1234567, &later), 0);
    ck_assert_uint_eq(later->version, 1234567);
    ck_assert_uint_eq(record->version, 0);
    ck_assert_ptr_nonnull(strstr(later->tail, "\"resourceVersion\":\"1234567\",\"labels\""));
    ck_assert_uint_eq(later->tail_length, strlen(later->tail));
    ck_assert_int_eq(later->tail[later->meta_length - 1], '}');
    ck_assert_int_eq(later->tail[later->meta_length], ',');
    ck_assert_ptr_eq(later->document, record->document);
    (void)cleat_api_record_unref(record);
    ck_assert(cleat_str_is(later->name, "x"));
    (void)cleat_api_record_unref(later);
}
END_TEST

START_TEST(test_version_changes_width)
{
    static const uint64_t versions[] = {9, 10, 99999, 1, UINT64_MAX};
    struct cleat_api_record *record = NULL;
    ck_assert_int_eq(make(WHOLE, false, &record), 0);
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct cleat_api_record *next = NULL;
        struct cleat_document *whole = NULL;
        struct cleat_scratch scratch;
        ck_assert_int_eq(cleat_api_record_at(record, versions[i], &next), 0);
        ck_assert_int_eq(cleat_api_record_whole(next, "v1", "Pod", &whole, NULL), 0);
        struct cleat_value root = cleat_document_root(whole);
        char text[24];
        snprintf(text, sizeof(text), "%llu", (unsigned long long)versions[i]);
        ck_assert(cleat_value_is(cleat_value_find(root, "metadata.resourceVersion"), text));
        ck_assert(cleat_str_is(cleat_value_text(cleat_value_get(root, "kind"), &scratch), "Pod"));
        ck_assert_int_eq(cleat_value_int_or(cleat_value_find(root, "spec.n"), 0), 1);
        (void)cleat_document_unref(whole);
        (void)cleat_api_record_unref(record);
        record = next;
    }
    (void)cleat_api_record_unref(record);
}
END_TEST

START_TEST(test_metadata_alone)
{
    for (int keep = 0; keep < 2; keep++) {
        struct cleat_api_record *record = NULL;
        struct cleat_document *document = NULL;
        ck_assert_int_eq(make(WHOLE, keep, &record), 0);
        ck_assert_int_eq(cleat_api_record_metadata(record, &document, NULL), 0);
        struct cleat_value root = cleat_document_root(document);
        ck_assert(cleat_value_is(cleat_value_find(root, "metadata.labels.a"), "b"));
        ck_assert_int_eq(cleat_value_is_present(cleat_value_get(root, "spec")), keep);
        (void)cleat_document_unref(document);
        (void)cleat_api_record_unref(record);
    }
}
END_TEST

START_TEST(test_facts)
{
    static const struct {
        const char *json;
        bool deleting;
        bool owned;
    } cases[] = {
        {"{\"metadata\":{\"name\":\"x\"}}", false, false},
        {"{\"metadata\":{\"name\":\"x\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}", true,
         false},
        {"{\"metadata\":{\"name\":\"x\",\"deletionTimestamp\":null}}", false, false},
        {"{\"metadata\":{\"name\":\"x\",\"ownerReferences\":[]}}", false, false},
        {"{\"metadata\":{\"name\":\"x\",\"ownerReferences\":[{\"uid\":\"u\"}]}}", false, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_api_record *record = NULL;
        ck_assert_int_eq(make(cases[i].json, false, &record), 0);
        ck_assert_int_eq(record->deleting, cases[i].deleting);
        ck_assert_int_eq(record->owned, cases[i].owned);
        ck_assert_str_eq(record->key, "x");
        (void)cleat_api_record_unref(record);
    }
}
END_TEST

START_TEST(test_refused)
{
    static const char *const cases[] = {"{}",
                                        "{\"metadata\":{}}",
                                        "{\"metadata\":{\"name\":\"\"}}",
                                        "{\"metadata\":{\"name\":7}}",
                                        "{\"metadata\":[]}",
                                        "{\"metadata\":{\"name\":\"a\\u0000b\"}}"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_api_record *record = NULL;
        ck_assert_msg(make(cases[i], true, &record) == -EINVAL, "%s", cases[i]);
        ck_assert_ptr_null(record);
    }
}
END_TEST

START_TEST(test_no_memory)
{
    struct cleat_document *document = NULL;
    ck_assert_int_eq(cleat_document_parse(CLEAT_STR(WHOLE), &document, NULL), 0);
    for (uint64_t i = 1;; i++) {
        struct cleat_api_record *record = NULL;
        cleat_mem_fail_at(i, false);
        int result = cleat_api_record_new(cleat_document_root(document), true, &record, NULL);
        bool failed = cleat_mem_failed();
        cleat_mem_fail_at(0, false);
        ck_assert(result == 0 || (failed && !record));
        (void)cleat_api_record_unref(record);
        if (!failed)
            break;
    }
    (void)cleat_document_unref(document);
}
END_TEST

CLEAT_SUITE_MAIN("record", test_tail, test_version_changes_width, test_metadata_alone, test_facts,
                 test_refused, test_no_memory)
