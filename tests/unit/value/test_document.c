/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include "support/chaos.h"
#include "support/suite.h"
#include "unit/value/json.h"

START_TEST(test_format)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_document_format(&document, &err, "{\"name\":\"%s\",\"n\":%d}", "web", 7),
                     0);
    json_check(cleat_document_root(document), "{\"name\":\"web\",\"n\":7}");
    cleat_document_unrefp(&document);
    ck_assert_ptr_null(document);
    ck_assert_int_eq(cleat_document_format(&document, &err, "{%s}", "broken"), -EINVAL);
    ck_assert_ptr_null(document);
    ck_assert_int_ne(err.text[0], 0);
}
END_TEST

START_TEST(test_copy)
{
    static const char text[] = "{\"b\":[1,\"two\",{\"c\":null}],\"a\":\"2026-01-31T23:59:59Z\"}";
    struct cleat_document *document = json_document(text), *copy = NULL;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    ck_assert_int_eq(cleat_document_copy(cleat_document_root(document), &copy, NULL), 0);
    cleat_document_unref(document);
    ck_assert_str_eq(json_text(&buffer, cleat_document_root(copy)), text);
    cleat_buffer_fini(&buffer);
    cleat_document_unref(copy);
}
END_TEST

START_TEST(test_copy_of_holes)
{
    static const char *const texts[] = {"{\"a\":\"<dropped>\"}", "[1,[\"<dropped>\"]]",
                                        "\"<dropped>\""};
    struct cleat_heap *pool = NULL;
    ck_assert_int_eq(cleat_pool_new(CLEAT_MIB, &pool), 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cleat_document *copy = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_document_copy(json_holes(pool, texts[i]), &copy, &err), -EINVAL);
        ck_assert_ptr_null(copy);
        ck_assert_ptr_nonnull(strstr(err.text, "kept"));
    }
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_count_and_size)
{
    struct cleat_document *document = json_document("{\"a\":\"some text here\"}");
    ck_assert_ptr_eq(cleat_document_ref(document), document);
    ck_assert_uint_gt(cleat_document_bytes(document), 32);
    ck_assert_uint_lt(cleat_document_bytes(document), 8192);
    ck_assert_ptr_null(cleat_document_unref(document));
    json_check(cleat_document_root(document), "{\"a\":\"some text here\"}");
    ck_assert_ptr_null(cleat_document_unref(document));
    ck_assert_ptr_null(cleat_document_unref(NULL));
}
END_TEST

START_TEST(test_largest)
{
    size_t length = CLEAT_DOCUMENT_BYTES_MAX;
    char *text = malloc(length + 1);
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    memset(text, ' ', length + 1);
    memcpy(text, "[1]", 3);
    ck_assert_int_eq(cleat_document_parse((struct cleat_str){text, length}, &document, &err), 0);
    cleat_document_unrefp(&document);
    ck_assert_int_eq(cleat_document_parse((struct cleat_str){text, length + 1}, &document, &err),
                     -E2BIG);
    free(text);
}
END_TEST

static int document_sweep(void *arg)
{
    struct cleat_document *document = NULL, *copy = NULL;
    (void)arg;
    int r = cleat_document_format(&document, NULL,
                                  "{\"a\":[1,2.5,\"%s\"],\"b\":{\"c\":\"\\u00e9\"}}", "text of it");
    if (r == 0)
        r = cleat_document_copy(cleat_document_root(document), &copy, NULL);
    cleat_document_unref(document);
    cleat_document_unref(copy);
    return r;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(document_sweep, NULL), 8);
}
END_TEST

CLEAT_SUITE_MAIN("document", test_format, test_copy, test_copy_of_holes, test_count_and_size,
                 test_largest, test_out_of_memory)
