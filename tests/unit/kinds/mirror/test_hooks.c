/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/hooks.h"
#include "fixture.h"
#include "support/suite.h"

static const struct mirror_hooks_kind kinds[] = {
    {"", "v1", "secrets"},
    {"apps", "v1", "deployments"},
};

static struct cleat_document *hooks(const char *url, const char *bundle, size_t count)
{
    struct cleat_buffer json = CLEAT_BUFFER_INIT(1 << 20);
    struct cleat_document *document = NULL;
    const struct mirror_hooks_where where = {url, "cleat-system"};
    ck_assert_int_eq(cleat__mirror_hooks_write(&where, cleat_str_of(bundle), kinds, count, &json),
                     0);
    ck_assert_int_eq(cleat_document_parse(cleat_buffer_view(&json), &document, NULL), 0);
    cleat_buffer_fini(&json);
    return document;
}

START_TEST(test_without_kinds)
{
    struct cleat_document *document = hooks(NULL, "", 0);
    ck_assert_uint_eq(cleat_value_count(cleat_document_root(document)), 0);
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_by_service)
{
    struct cleat_document *document = hooks(NULL, "", 2);
    struct cleat_value hook = cleat_value_at(cleat_document_root(document), 0);
    ck_assert(
        cleat_value_is(cleat_value_find(hook, "clientConfig.service.namespace"), "cleat-system"));
    ck_assert(cleat_value_is(cleat_value_find(hook, "clientConfig.service.path"),
                             "/validate-cleat-dev-copies"));
    ck_assert(!cleat_value_is_present(cleat_value_find(hook, "clientConfig.caBundle")));
    ck_assert(cleat_value_is(cleat_value_get(hook, "failurePolicy"), "Ignore"));
    ck_assert_uint_eq(cleat_value_count(cleat_value_get(hook, "rules")), 2);
    ck_assert(cleat_value_is(cleat_value_find(hook, "rules[0].apiGroups[0]"), ""));
    ck_assert(cleat_value_is(cleat_value_find(hook, "rules[1].resources[0]"), "deployments"));
    ck_assert(cleat_value_is(cleat_value_find(hook, "objectSelector.matchExpressions[0].key"),
                             "cleat.dev/mirror"));
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_by_url)
{
    struct cleat_document *document = hooks("https://10.0.0.1:9443//", "Zm9v", 1);
    struct cleat_value hook = cleat_value_at(cleat_document_root(document), 0);
    ck_assert(cleat_value_is(cleat_value_find(hook, "clientConfig.url"),
                             "https://10.0.0.1:9443/validate-cleat-dev-copies"));
    ck_assert(cleat_value_is(cleat_value_find(hook, "clientConfig.caBundle"), "Zm9v"));
    ck_assert(!cleat_value_is_present(cleat_value_find(hook, "clientConfig.service")));
    cleat_document_unref(document);
}
END_TEST

CLEAT_SUITE_MAIN("mirror hooks", test_without_kinds, test_by_service, test_by_url)
