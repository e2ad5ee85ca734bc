/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/failure.h"

#include <cleat/document.h>
#include <cleat/path.h>
#include <errno.h>

#include "base/limits.h"
#include "support/suite.h"

static struct cleat_document *written(const struct cleat_api_failure *failure)
{
    struct cleat_document *document = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(cleat_api_failure_write(failure, &text), 0);
    ck_assert_msg(cleat_document_parse(cleat_buffer_view(&text), &document, NULL) == 0, "%s",
                  text.data);
    cleat_buffer_fini(&text);
    return document;
}

static void expect(const struct cleat_document *document, const char *path, const char *text)
{
    ck_assert_msg(cleat_value_is(cleat_value_find(cleat_document_root(document), path), text), "%s",
                  path);
}

START_TEST(test_write)
{
    struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
    ck_assert_int_eq(cleat_api_fail(&failure, 404, NULL, "%s \"%s\" not found", "pods", "x"),
                     -EPROTO);
    cleat_api_fail_details(&failure, "apps", "pods", CLEAT_STR("x"));
    cleat_api_fail_cause(&failure, "R", "a.b", "because %d", 7);
    failure.retry_after_s = 3;
    struct cleat_document *document = written(&failure);
    expect(document, "kind", "Status");
    expect(document, "reason", "NotFound");
    expect(document, "message", "pods \"x\" not found");
    expect(document, "details.group", "apps");
    expect(document, "details.kind", "pods");
    expect(document, "details.name", "x");
    expect(document, "details.causes[0].reason", "R");
    expect(document, "details.causes[0].field", "a.b");
    expect(document, "details.causes[0].message", "because 7");
    struct cleat_value root = cleat_document_root(document);
    ck_assert_int_eq(cleat_value_int_or(cleat_value_find(root, "details.retryAfterSeconds"), 0), 3);
    (void)cleat_document_unref(document);
    cleat_api_failure_fini(&failure);
    cleat_api_failure_fini(&failure);
}
END_TEST

START_TEST(test_first_wins)
{
    struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
    (void)cleat_api_fail(&failure, 409, "AlreadyExists", "first");
    (void)cleat_api_fail(&failure, 500, NULL, "second");
    ck_assert_int_eq(failure.code, 409);
    ck_assert_str_eq(failure.reason, "AlreadyExists");
    ck_assert_str_eq(failure.message, "first");
    cleat_api_failure_fini(&failure);
}
END_TEST

START_TEST(test_continue)
{
    struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
    (void)cleat_api_fail(&failure, 410, "Expired", "too old, \"metadata\":{ and all");
    char token[] = "abc=";
    failure.continue_ = token;
    struct cleat_document *document = written(&failure);
    expect(document, "metadata.continue", "abc=");
    expect(document, "reason", "Expired");
    (void)cleat_document_unref(document);
    failure.continue_ = NULL;
    cleat_api_failure_fini(&failure);
}
END_TEST

START_TEST(test_many_causes)
{
    struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
    (void)cleat_api_fail(&failure, 422, NULL, "invalid");
    for (int i = 0; i < 2 * CLEAT_API_CAUSES_MAX; i++)
        cleat_api_fail_cause(&failure, "R", "f", "%d", i);
    ck_assert_uint_eq(failure.cause_count, CLEAT_API_CAUSES_MAX);
    cleat_api_failure_fini(&failure);
}
END_TEST

CLEAT_SUITE_MAIN("failure", test_write, test_first_wins, test_continue, test_many_causes)
