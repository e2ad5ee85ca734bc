/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a definition to the resource that is served.
 */
#include "apiserver/custom.h"

#include <errno.h>

#include "schema_fixture.h"

START_TEST(test_order)
{
    /* Kubernetes' own example, in its order, with what it leaves out between. */
    static const char *const names[] = {"v10",     "v2",        "v1",        "v11beta2", "v10beta3",
                                        "v3beta1", "v12alpha1", "v11alpha2", "foo1",     "foo10",
                                        "v0",      "v1beta",    "v1gamma1"};
    size_t count = sizeof(names) / sizeof(names[0]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = cleat_api_custom_order(names[i], names[j]);
            ck_assert_msg((order < 0) == (i < j) && (order > 0) == (i > j), "%s and %s: %d",
                          names[i], names[j], order);
        }
}
END_TEST

#define VERSION(name, served, storage, more)                    \
    "{'name':'" name "','served':" served ",'storage':" storage \
    ",'schema':{'openAPIV3Schema':{'type':'object'}}" more "}"
#define DEFINITION(scope, versions)                                                              \
    "{'metadata':{'name':'widgets.example.com'%s},'spec':{'group':'example.com','scope':'" scope \
    "','names':{'plural':'widgets','singular':'widget','kind':'Widget','listKind':'WidgetList'," \
    "'shortNames':['w','wi'],'categories':['all']},'versions':[" versions "]}}"

static int resource_of(const char *definition, const char *metadata,
                       struct cleat_api_resource **ret, struct cleat_err *err)
{
    char text[4096];
    const char *hole = strstr(definition, "%s");
    ck_assert_ptr_nonnull(hole);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(hole - definition), definition, metadata,
             hole + 2);
    struct cleat_document *document = json_of(text);
    int result = cleat_api_custom_resource(document, ret, err);
    (void)cleat_document_unref(document);
    return result;
}

START_TEST(test_resource)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_api_resource *resource = NULL;
    ck_assert_int_eq(
        resource_of(DEFINITION("Namespaced", VERSION("v1alpha1", "false", "false", "") "," VERSION(
                                                 "v1", "true", "true",
                                                 ",'subresources':{'status':{},'scale':{}}")),
                    "", &resource, &err),
        0);
    ck_assert_str_eq(resource->group, "example.com");
    ck_assert_str_eq(resource->plural, "widgets");
    ck_assert_str_eq(resource->singular, "widget");
    ck_assert_str_eq(resource->kind, "Widget");
    ck_assert_str_eq(resource->list_kind, "WidgetList");
    ck_assert_str_eq(resource->short_names, "w,wi");
    ck_assert_str_eq(resource->categories, "all");
    ck_assert_uint_eq(resource->flags, CLEAT_API_CUSTOM | CLEAT_API_NAMESPACED);
    /* The preferred version comes first, with its own subresources and schema. */
    ck_assert_uint_eq(resource->version_count, 2);
    ck_assert_str_eq(resource->versions[0].name, "v1");
    ck_assert(resource->versions[0].served && resource->versions[0].storage);
    ck_assert(resource->versions[0].has_status && resource->versions[0].has_scale);
    ck_assert_ptr_nonnull(resource->versions[0].schema);
    ck_assert_str_eq(resource->versions[1].name, "v1alpha1");
    ck_assert(!resource->versions[1].served && !resource->versions[1].has_status);
    const struct cleat_api_custom *custom = resource->custom;
    ck_assert_str_eq(custom->definition, "widgets.example.com");
    ck_assert(!custom->terminating);
    (void)cleat_api_resource_unref(resource);
}
END_TEST

START_TEST(test_going)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_api_resource *resource = NULL;
    ck_assert_int_eq(resource_of(DEFINITION("Cluster", VERSION("v1", "true", "true", "")),
                                 ",'deletionTimestamp':'2026-01-02T03:04:05Z'", &resource, &err),
                     0);
    const struct cleat_api_custom *custom = resource->custom;
    ck_assert(custom->terminating);
    ck_assert_uint_eq(resource->flags, CLEAT_API_CUSTOM);
    (void)cleat_api_resource_unref(resource);
}
END_TEST

START_TEST(test_not_structural)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_api_resource *resource = NULL;
    ck_assert_int_eq(
        resource_of(DEFINITION("Cluster", "{'name':'v1','served':true,'storage':true,'schema':{"
                                          "'openAPIV3Schema':{'type':'string'}}}"),
                    "", &resource, &err),
        -EINVAL);
    ck_assert_ptr_null(resource);
    ck_assert_str_eq(err.text, "widgets.example.com: schema of version v1: not structural");
}
END_TEST

CLEAT_SUITE_MAIN("custom", test_order, test_resource, test_going, test_not_structural)
