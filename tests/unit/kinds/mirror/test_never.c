/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "kinds/mirror/never.h"
#include "fixture.h"
#include "support/suite.h"

#define ALL_VERBS 0xff

static const struct {
    const char *group, *kind;
    bool namespaced;
    unsigned verbs;
    int code;
} kinds[] = {
    {"", "Secret", true, ALL_VERBS, 0},
    {"", "ConfigMap", true, ALL_VERBS, 0},
    {"example.com", "Pod", true, ALL_VERBS, 0},
    {"apps", "Deployment", true, ALL_VERBS, 0},
    {"rbac.authorization.k8s.io", "Role", true, ALL_VERBS, -EPERM},
    {"rbac.authorization.k8s.io", "Anything", true, ALL_VERBS, -EPERM},
    {"authorization.openshift.io", "RoleBinding", true, ALL_VERBS, -EPERM},
    {"", "Pod", true, ALL_VERBS, -EPERM},
    {"batch", "Job", true, ALL_VERBS, -EPERM},
    {"batch", "CronJob", true, ALL_VERBS, 0},
    {"", "PersistentVolumeClaim", true, ALL_VERBS, -EPERM},
    {"", "Endpoints", true, ALL_VERBS, -EPERM},
    {"discovery.k8s.io", "EndpointSlice", true, ALL_VERBS, -EPERM},
    {"", "Node", false, ALL_VERBS, -EINVAL},
    {"", "Binding", true, CLEAT_VERB_CREATE, -EINVAL},
    {"", "Secret", true, ALL_VERBS & ~CLEAT_VERB_WATCH, -EINVAL},
    {"", "Secret", true, ALL_VERBS & ~(CLEAT_VERB_PATCH | CLEAT_VERB_DELETECOLLECTION), 0},
};

START_TEST(test_kinds)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_resource resource = {.namespaced = kinds[i].namespaced,
                                          .verbs = kinds[i].verbs};
        ck_assert_int_eq(cleat_gvk_make(&resource.gvk, kinds[i].group, "v1", kinds[i].kind), 0);
        int rc = cleat__mirror_kind_check(&resource, &err);
        ck_assert_msg(rc == kinds[i].code, "%zu: %d %s", i, rc, err.text);
        ck_assert(rc == 0 || strstr(err.text, kinds[i].kind));
    }
}
END_TEST

static const struct {
    const char *kind, *object;
    int code;
} sources[] = {
    {"Secret", "{'type':'Opaque','metadata':{'name':'x'}}", 0},
    {"Secret", "{'type':'kubernetes.io/service-account-token'}", -EPERM},
    {"ConfigMap", "{'type':'kubernetes.io/service-account-token'}", 0},
    {"Secret", "{'metadata':{'labels':{'cleat.dev/mirror':'x'}}}", 0},
    {"Secret", "{'metadata':{'annotations':{'cleat.dev/mirror-uid':'u-2'}}}", -EPERM},
    {"Secret",
     "{'metadata':{'ownerReferences':[{'apiVersion':'cleat.dev/v1','kind':'Mirror','name':'x',"
     "'uid':'u-2','controller':true}]}}",
     -EPERM},
};

START_TEST(test_sources)
{
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        struct cleat_object *object = fixture_object(sources[i].object);
        struct cleat_resource resource = {.namespaced = true};
        ck_assert_int_eq(cleat_gvk_make(&resource.gvk, "", "v1", sources[i].kind), 0);
        ck_assert_int_eq(cleat__mirror_source_check(&resource, cleat_object_value(object), NULL),
                         sources[i].code);
        cleat_object_unref(object);
    }
}
END_TEST

START_TEST(test_plain)
{
    static const struct cleat_gvk secret = {"", "v1", "Secret"}, map = {"", "v1", "ConfigMap"},
                                  service = {"", "v1", "Service"}, other = {"x", "v1", "Secret"};
    ck_assert(cleat__mirror_kind_is_plain(&secret));
    ck_assert(cleat__mirror_kind_is_plain(&map));
    ck_assert(!cleat__mirror_kind_is_plain(&service));
    ck_assert(!cleat__mirror_kind_is_plain(&other));
}
END_TEST

CLEAT_SUITE_MAIN("mirror never", test_kinds, test_sources, test_plain)
