/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/hooks.h"
#include "fixture.h"
#include "support/chaos.h"
#include "support/suite.h"

static const struct mirror_hooks_kind kinds[] = {
    {"", "v1", "secrets"},
    {"apps", "v1", "deployments"},
};

static struct cleat_document *write_over(const struct mirror_hooks_where *where, const char *bundle,
                                         size_t count, const char *have)
{
    struct cleat_buffer json = CLEAT_BUFFER_INIT(1 << 20);
    struct cleat_document *document = NULL, *old = NULL;
    struct cleat_value root = CLEAT_VALUE_NONE;
    if (have) {
        ck_assert_int_eq(cleat_document_parse(cleat_str_of(have), &old, NULL), 0);
        root = cleat_document_root(old);
    }
    ck_assert_int_eq(
        cleat__mirror_hooks_write(where, cleat_str_of(bundle), kinds, count, root, &json), 0);
    ck_assert_int_eq(cleat_document_parse(cleat_buffer_view(&json), &document, NULL), 0);
    cleat_buffer_fini(&json);
    cleat_document_unref(old);
    return document;
}

static struct cleat_document *hooks(const char *url, const char *bundle, size_t count)
{
    const struct mirror_hooks_where where = {url, "cleat-system", NULL};
    return write_over(&where, bundle, count, NULL);
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

#define OWN "{\"name\":\"copies.mirrors.cleat.dev\",\"failurePolicy\":\"Fail\"}"
#define FOREIGN(name) "{\"name\":\"" name "\",\"rules\":[],\"x\":1.50}"

/* What somebody else added stays as and where it is, whatever becomes of ours. */
START_TEST(test_foreign_entries_stay)
{
    static const struct {
        const char *have;
        size_t count;
        const char *names[3];
    } cases[] = {
        {"[" FOREIGN("a.b.c") "]", 2, {"a.b.c", "copies.mirrors.cleat.dev"}},
        {"[" FOREIGN("a.b.c") "," OWN "," FOREIGN("d.e.f") "]",
         2,
         {"a.b.c", "copies.mirrors.cleat.dev", "d.e.f"}},
        {"[" OWN "," FOREIGN("a.b.c") "]", 0, {"a.b.c"}},
        {"[" OWN "," OWN "]", 1, {"copies.mirrors.cleat.dev"}},
        {"[]", 1, {"copies.mirrors.cleat.dev"}},
        {"[" OWN "]", 0, {NULL}},
    };
    const struct mirror_hooks_where where = {NULL, "cleat-system", NULL};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_document *document = write_over(&where, "", cases[i].count, cases[i].have);
        struct cleat_value root = cleat_document_root(document);
        size_t count = 0;
        for (; count < 3 && cases[i].names[count]; count++)
            ck_assert_msg(cleat_value_is(cleat_value_get(cleat_value_at(root, count), "name"),
                                         cases[i].names[count]),
                          "%s: %zu", cases[i].have, count);
        ck_assert_msg(cleat_value_count(root) == count, "%s", cases[i].have);
        struct cleat_value own = cleat__mirror_hooks_own(root);
        ck_assert_int_eq(cleat_value_is_present(own), cases[i].count > 0);
        if (cases[i].count > 0)
            ck_assert(cleat_value_is(cleat_value_get(own, "failurePolicy"), "Ignore"));
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_some_namespaces_are_left_alone)
{
    struct cleat_document *document = hooks(NULL, "", 1);
    struct cleat_value root = cleat_document_root(document);
    const char *values = "[0].namespaceSelector.matchExpressions[0].values";
    ck_assert(cleat_value_is(
        cleat_value_find(root, "[0].namespaceSelector.matchExpressions[0].operator"), "NotIn"));
    ck_assert(cleat_value_is(cleat_value_at(cleat_value_find(root, values), 0), "kube-system"));
    ck_assert(cleat_value_is(cleat_value_at(cleat_value_find(root, values), 1), "cleat-system"));
    cleat_document_unref(document);
}
END_TEST

/* A user's name goes into the condition only as it is. */
START_TEST(test_own_writes_arent_judged)
{
    static const struct {
        const char *username, *expression;
    } cases[] = {
        {"system:serviceaccount:cleat-system:cleat",
         "request.userInfo.username != 'system:serviceaccount:cleat-system:cleat'"},
        {"o'neil", NULL},
        {"a\\b", NULL},
        {NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct mirror_hooks_where where = {NULL, "cleat-system", cases[i].username};
        struct cleat_document *document = write_over(&where, "", 1, NULL);
        struct cleat_value conditions =
            cleat_value_find(cleat_document_root(document), "[0].matchConditions");
        ck_assert_uint_eq(cleat_value_count(conditions), cases[i].expression ? 1 : 0);
        if (cases[i].expression)
            ck_assert(cleat_value_is(cleat_value_get(cleat_value_at(conditions, 0), "expression"),
                                     cases[i].expression));
        cleat_document_unref(document);
    }
}
END_TEST

static int write_by_url(void *arg)
{
    const struct mirror_hooks_where *where = arg;
    struct cleat_buffer json = CLEAT_BUFFER_INIT(1 << 20);
    int rc = cleat__mirror_hooks_write(where, CLEAT_STR("Zm9v"), kinds, 2, CLEAT_VALUE_NONE, &json);
    cleat_buffer_fini(&json);
    return rc;
}

/* Lack of memory is an error, never a webhook without its URL or its condition. */
START_TEST(test_nothing_is_left_out_for_lack_of_memory)
{
    struct mirror_hooks_where where = {"https://10.0.0.1:9443", "cleat-system", "us"};
    ck_assert_uint_ge(cleat_chaos_sweep(write_by_url, &where), 3);
}
END_TEST

CLEAT_SUITE_MAIN("mirror hooks", test_without_kinds, test_by_service, test_by_url,
                 test_foreign_entries_stay, test_some_namespaces_are_left_alone,
                 test_own_writes_arent_judged, test_nothing_is_left_out_for_lack_of_memory)
