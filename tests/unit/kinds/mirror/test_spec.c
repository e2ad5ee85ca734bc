/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "fixture.h"
#include "support/suite.h"

START_TEST(test_defaults)
{
    struct cleat_object *object = fixture_mirror("{" FIXTURE_SOURCE "}");
    struct mirror_spec spec;
    fixture_spec(object, &spec);
    ck_assert(cleat_str_is(spec.api_version, "v1"));
    ck_assert(cleat_str_is(spec.kind, "Secret"));
    ck_assert(cleat_str_is(spec.namespace_, "platform"));
    ck_assert(cleat_str_is(spec.copy_name, "reg"));
    ck_assert(!spec.replace && !spec.orphan && !spec.delete_when_missing);
    ck_assert_ptr_null(spec.selector);
    ck_assert(!cleat__mirror_spec_has_keys(&spec));
    cleat__mirror_spec_fini(&spec);
    cleat__mirror_spec_fini(&spec);
    cleat_object_unref(object);
}
END_TEST

START_TEST(test_everything)
{
    struct cleat_object *object = fixture_mirror(
        "{" FIXTURE_SOURCE ",'targets':{'namespaceSelector':{},'namespaces':['a','b'],"
        "'excludeNamespaces':['c']},'copy':{'name':'n','keys':['k'],'labels':{'l':'1'},"
        "'annotations':{'x':'2'}},'onConflict':'Replace','onDelete':'Orphan','onSourceMissing':"
        "'Delete'}");
    struct mirror_spec spec;
    fixture_spec(object, &spec);
    ck_assert(cleat_str_is(spec.copy_name, "n"));
    ck_assert(spec.replace && spec.orphan && spec.delete_when_missing);
    ck_assert(cleat_selector_is_everything(spec.selector));
    ck_assert(cleat__mirror_list_has(spec.namespaces, CLEAT_STR("b")));
    ck_assert(!cleat__mirror_list_has(spec.namespaces, CLEAT_STR("c")));
    ck_assert(cleat__mirror_list_has(spec.excludes, CLEAT_STR("c")));
    ck_assert(cleat__mirror_spec_has_keys(&spec));
    cleat__mirror_spec_fini(&spec);
    cleat_object_unref(object);
}
END_TEST

static const struct {
    const char *spec;
    const char *text; /* a part of the error */
} unreadable[] = {
    {"{}", "spec.source.kind"},
    {"{'source':{'kind':'Secret','namespace':'a'}}", "spec.source.name"},
    {"{'source':{'kind':7,'namespace':'a','name':'b'}}", "spec.source.kind"},
    {"{" FIXTURE_SOURCE ",'targets':{'namespaceSelector':{'matchExpressions':[{'key':'a',"
     "'operator':'Odd'}]}}}",
     "namespaceSelector"},
    {"{" FIXTURE_SOURCE ",'targets':{'namespaceSelector':{'matchLabels':{'a b':'c'}}}}",
     "namespaceSelector"},
};

START_TEST(test_unreadable)
{
    for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
        struct cleat_object *object = fixture_mirror(unreadable[i].spec);
        struct cleat_err err = CLEAT_ERR_INIT;
        struct mirror_spec spec;
        ck_assert_int_eq(cleat__mirror_spec_read(cleat_object_value(object), &spec, &err), -EINVAL);
        ck_assert_msg(strstr(err.text, unreadable[i].text) != NULL, "%s: %s", unreadable[i].spec,
                      err.text);
        cleat_object_unref(object);
    }
}
END_TEST

#define CHECKED(rest) "{" FIXTURE_SOURCE "," rest "}"

static const struct {
    const char *spec;
    const char *name;
    const char *text; /* NULL: fine */
} checks[] = {
    /* Lists for maps and maps for lists: the schema refuses them, but not every review has seen it.
     */
    {CHECKED("'copy':{'labels':['a']}"), "m", "spec.copy.labels: must be an object"},
    {CHECKED("'copy':{'annotations':'x'}"), "m", "spec.copy.annotations: must be an object"},
    {CHECKED("'copy':{'labels':{'a':7}}"), "m", "isn't a string"},
    {CHECKED("'copy':{'keys':{'a':'b'}}"), "m", "spec.copy.keys: must be an array"},
    {CHECKED("'targets':{'namespaces':'a'}"), "m", "spec.targets.namespaces: must be an array"},
    {CHECKED("'targets':{'excludeNamespaces':{}}"), "m", "must be an array"},
    {CHECKED("'targets':{'namespaces':null},'copy':{'labels':null,'keys':null}"), "m", NULL},
    {"{" FIXTURE_SOURCE "}", "web", NULL},
    {"{" FIXTURE_SOURCE "}", "", NULL},
    {"{" FIXTURE_SOURCE "}", "web.example", NULL},
    {"{" FIXTURE_SOURCE "}", "a234567890123456789012345678901234567890123456789012345678901234",
     "metadata.name"},
    {"{'source':{'kind':'Secret','namespace':'A','name':'b'}}", "web", "spec.source.namespace"},
    {"{'source':{'kind':'Secret','namespace':'a','name':'B/c'}}", "web", "spec.source.name"},
    {"{'source':{'kind':'','namespace':'a','name':'b'}}", "web", "spec.source.kind"},
    {CHECKED("'copy':{'name':'-x'}"), "web", "spec.copy.name"},
    {CHECKED("'targets':{'namespaces':['a','b c']}"), "web", "spec.targets.namespaces[1]"},
    {CHECKED("'targets':{'namespaces':[7]}"), "web", "spec.targets.namespaces[0]"},
    {CHECKED("'targets':{'excludeNamespaces':['*']}"), "web", "excludeNamespaces[0]"},
    {CHECKED("'copy':{'labels':{'a b':'c'}}"), "web", "isn't a valid key"},
    {CHECKED("'copy':{'labels':{'a':'b c'}}"), "web", "isn't a label value"},
    {CHECKED("'copy':{'annotations':{'a':'b c'}}"), "web", NULL},
    {CHECKED("'copy':{'labels':{'cleat.dev/mirror':'x'}}"), "web", "Cleat's own"},
    {CHECKED("'copy':{'annotations':{'cleat.dev/copies':'x'}}"), "web", "Cleat's own"},
    {CHECKED("'copy':{'labels':{'app.kubernetes.io/managed-by':'Helm'}}"), "web", "another tool"},
    {CHECKED("'copy':{'labels':{'app.kubernetes.io/managed-by':'us'}}"), "web", NULL},
    {CHECKED("'copy':{'annotations':{'argocd.argoproj.io/tracking-id':'x'}}"), "web",
     "another tool"},
    {CHECKED("'copy':{'annotations':{'kubectl.kubernetes.io/last-applied-configuration':'x'}}"),
     "web", "another tool"},
    {CHECKED("'copy':{'keys':['tls.crt','_a-b']}"), "web", NULL},
    {CHECKED("'copy':{'keys':['a/b']}"), "web", "spec.copy.keys[0]"},
    {CHECKED("'copy':{'keys':['..']}"), "web", "spec.copy.keys[0]"},
    {"{'source':{'apiVersion':'v1','kind':'Service','namespace':'a','name':'b'},'copy':{'keys':["
     "'a']}}",
     "web", "no data keys"},
    {"{'source':{'apiVersion':'x.com/v1','kind':'Secret','namespace':'a','name':'b'},'copy':{"
     "'keys':['a']}}",
     "web", "no data keys"},
    {CHECKED("'onConflict':'Take'"), "web", "spec.onConflict"},
    {CHECKED("'onDelete':'Keep'"), "web", "spec.onDelete"},
    {CHECKED("'onSourceMissing':'Orphan'"), "web", "spec.onSourceMissing"},
};

START_TEST(test_checks)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        struct cleat_object *object = fixture_mirror(checks[i].spec);
        struct cleat_err err = CLEAT_ERR_INIT;
        struct mirror_spec spec;
        fixture_spec(object, &spec);
        int rc = cleat__mirror_spec_check(&spec, cleat_str_of(checks[i].name), &err);
        ck_assert_msg(rc == (checks[i].text ? -EINVAL : 0), "%s: %d %s", checks[i].spec, rc,
                      err.text);
        ck_assert_msg(!checks[i].text || strstr(err.text, checks[i].text), "%s: %s", checks[i].spec,
                      err.text);
        cleat__mirror_spec_fini(&spec);
        cleat_object_unref(object);
    }
}
END_TEST

START_TEST(test_too_many_namespaces)
{
    char text[FIXTURE_TEXT_BYTES];
    size_t used =
        (size_t)snprintf(text, sizeof(text), "{" FIXTURE_SOURCE ",'targets':{'namespaces':['n0'");
    for (int i = 1; i <= MIRROR_NAMESPACES_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, ",'n%d'", i);
    (void)snprintf(text + used, sizeof(text) - used, "]}}");
    struct cleat_object *object = fixture_mirror(text);
    struct mirror_spec spec;
    fixture_spec(object, &spec);
    ck_assert_int_eq(cleat__mirror_spec_check(&spec, CLEAT_STR("web"), NULL), -EINVAL);
    cleat__mirror_spec_fini(&spec);
    cleat_object_unref(object);
}
END_TEST

CLEAT_SUITE_MAIN("mirror spec", test_defaults, test_everything, test_unreadable, test_checks,
                 test_too_many_namespaces)
