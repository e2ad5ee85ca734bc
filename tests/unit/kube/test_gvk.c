/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/gvk.h>
#include <errno.h>
#include <string.h>

#include "support/suite.h"

START_TEST(test_parse)
{
    static const struct {
        const char *api_version, *kind, *group, *version;
    } cases[] = {
        {"v1", "Pod", "", "v1"},
        {"apps/v1", "Deployment", "apps", "v1"},
        {"cleat.dev/v1alpha1", "Mirror", "cleat.dev", "v1alpha1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_gvk gvk;
        char text[CLEAT_API_VERSION_BYTES_MAX];
        ck_assert_int_eq(cleat_gvk_parse(&gvk, cleat_str_of(cases[i].api_version),
                                         cleat_str_of(cases[i].kind), NULL),
                         0);
        ck_assert_str_eq(gvk.group, cases[i].group);
        ck_assert_str_eq(gvk.version, cases[i].version);
        ck_assert_str_eq(gvk.kind, cases[i].kind);
        ck_assert_str_eq(cleat_gvk_api_version(&gvk, text), cases[i].api_version);
    }
}
END_TEST

START_TEST(test_parse_wrong)
{
    static const struct {
        struct cleat_str api_version, kind;
    } cases[] = {
        {{"", 0}, {"Pod", 3}},       {{NULL, 0}, {NULL, 0}},     {{"a/b/c", 5}, {"Pod", 3}},
        {{"/v1", 3}, {"Pod", 3}},    {{"apps/", 5}, {"Pod", 3}}, {{"v1", 2}, {"", 0}},
        {{"v\0001", 3}, {"Pod", 3}}, {{"v1", 2}, {"P\0d", 3}},   {{"/", 1}, {"Pod", 3}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_gvk gvk;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_gvk_parse(&gvk, cases[i].api_version, cases[i].kind, &err), -EINVAL);
        ck_assert(err.text[0]);
    }
}
END_TEST

START_TEST(test_bounds)
{
    struct cleat_gvk gvk;
    char group[CLEAT_GROUP_BYTES_MAX + 1];
    char kind[CLEAT_KIND_BYTES_MAX + 1];
    char text[CLEAT_API_VERSION_BYTES_MAX];
    memset(group, 'g', sizeof(group));
    memset(kind, 'k', sizeof(kind));
    group[sizeof(group) - 1] = kind[sizeof(kind) - 1] = '\0';
    ck_assert_int_eq(cleat_gvk_make(&gvk, group, "v1", "Pod"), -ENAMETOOLONG);
    ck_assert_int_eq(cleat_gvk_make(&gvk, "apps", kind, "Pod"), -ENAMETOOLONG);
    ck_assert_int_eq(cleat_gvk_make(&gvk, "apps", "v1", kind), -ENAMETOOLONG);
    group[sizeof(group) - 2] = kind[sizeof(kind) - 2] = '\0';
    ck_assert_int_eq(cleat_gvk_make(&gvk, group, kind, kind), 0);
    ck_assert_uint_eq(strlen(cleat_gvk_api_version(&gvk, text)), strlen(group) + 1 + strlen(kind));
    ck_assert_int_eq(cleat_gvk_make(&gvk, NULL, "v1", "Pod"), 0);
    ck_assert_str_eq(gvk.group, "");
}
END_TEST

START_TEST(test_equal)
{
    struct cleat_gvk a, b, c, d;
    ck_assert_int_eq(cleat_gvk_make(&a, "apps", "v1", "Deployment"), 0);
    ck_assert_int_eq(cleat_gvk_make(&b, "apps", "v1beta1", "Deployment"), 0);
    ck_assert_int_eq(cleat_gvk_make(&c, "extensions", "v1", "Deployment"), 0);
    ck_assert_int_eq(cleat_gvk_make(&d, "apps", "v1", "ReplicaSet"), 0);
    ck_assert(cleat_gvk_equal(&a, &a));
    ck_assert(!cleat_gvk_equal(&a, &b));
    ck_assert(cleat_gvk_same_kind(&a, &b));
    ck_assert(!cleat_gvk_same_kind(&a, &c));
    ck_assert(!cleat_gvk_same_kind(&a, &d));
}
END_TEST

CLEAT_SUITE_MAIN("gvk", test_parse, test_parse_wrong, test_bounds, test_equal)
