/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "kinds/mirror/conflict.h"
#include "fixture.h"
#include "support/suite.h"

static const struct {
    const char *metadata;
    const char *text; /* NULL: may be replaced */
} objects[] = {
    {"'name':'reg'", NULL},
    {"'name':'reg','labels':{'app.kubernetes.io/managed-by':'us'}", NULL},
    {"'name':'reg','annotations':{'kubectl.kubernetes.io/last-applied-configuration':'{}'}", NULL},
    {"'name':'reg','ownerReferences':[{'kind':'Thing','name':'x','uid':'u-9'}]", NULL},
    {"'name':'kube-root-ca.crt'", "the cluster's own"},
    {"'name':'reg','annotations':{'cleat.dev/copies':'refuse'}", "refuses copies"},
    {"'name':'reg','ownerReferences':[{'kind':'Thing','name':'x','uid':'u-9','controller':true}]",
     "another controller"},
    {"'name':'reg','labels':{'app.kubernetes.io/managed-by':'Helm'}", "Helm"},
    {"'name':'reg','annotations':{'meta.helm.sh/release-name':'x'}", "Helm"},
    {"'name':'reg','annotations':{'argocd.argoproj.io/tracking-id':'x'}", "Argo CD"},
    {"'name':'reg','labels':{'app.kubernetes.io/instance':'x'}", "Argo CD"},
    {"'name':'reg','labels':{'kustomize.toolkit.fluxcd.io/name':'x'}", "Flux"},
    {"'name':'reg','labels':{'helm.toolkit.fluxcd.io/name':'x'}", "Flux"},
};

START_TEST(test_replace)
{
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), "{'metadata':{%s}}", objects[i].metadata);
        struct cleat_object *object = fixture_object(text);
        struct cleat_err err = CLEAT_ERR_INIT;
        int rc = cleat__mirror_may_replace(cleat_object_value(object), &err);
        ck_assert_msg(rc == (objects[i].text ? -EEXIST : 0), "%s: %s", objects[i].metadata,
                      err.text);
        ck_assert(!objects[i].text || strstr(err.text, objects[i].text));
        cleat_object_unref(object);
    }
}
END_TEST

static const struct {
    const char *a, *b;
    bool older;
} ages[] = {
    {"'name':'b','creationTimestamp':'2026-01-01T00:00:00Z'",
     "'name':'a','creationTimestamp':'2026-01-01T00:00:01Z'", true},
    {"'name':'a','creationTimestamp':'2026-01-01T00:00:01Z'",
     "'name':'b','creationTimestamp':'2026-01-01T00:00:00Z'", false},
    {"'name':'a','creationTimestamp':'2026-01-01T00:00:00Z'",
     "'name':'b','creationTimestamp':'2026-01-01T00:00:00Z'", true},
    {"'name':'b','creationTimestamp':'2026-01-01T00:00:00Z'",
     "'name':'a','creationTimestamp':'2026-01-01T00:00:00Z'", false},
    {"'name':'a'", "'name':'b','creationTimestamp':'2026-01-01T00:00:00Z'", false},
};

START_TEST(test_ages)
{
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        char a_text[256], b_text[256];
        (void)snprintf(a_text, sizeof(a_text), "{'metadata':{%s}}", ages[i].a);
        (void)snprintf(b_text, sizeof(b_text), "{'metadata':{%s}}", ages[i].b);
        struct cleat_object *a = fixture_object(a_text), *b = fixture_object(b_text);
        ck_assert_msg(cleat__mirror_is_older(a, b) == ages[i].older, "%zu", i);
        cleat_object_unref(a);
        cleat_object_unref(b);
    }
}
END_TEST

#define OF(version, kind, name) \
    "{'source':{'apiVersion':'" version "','kind':'" kind "','namespace':'p','name':'" name "'}}"

static const struct {
    const char *a, *b;
    bool same;
} same_places[] = {
    {OF("v1", "Secret", "x"), OF("v1", "Secret", "x"), true},
    {OF("v1", "Secret", "x"), OF("v1", "Secret", "y"), false},
    {OF("v1", "Secret", "x"), OF("v1", "ConfigMap", "x"), false},
    {OF("apps/v1", "Thing", "x"), OF("apps/v2", "Thing", "x"), true},
    {OF("apps/v1", "Thing", "x"), OF("other/v1", "Thing", "x"), false},
    {OF("v1", "Thing", "x"), OF("apps/v1", "Thing", "x"), false},
};

START_TEST(test_same_place)
{
    for (size_t i = 0; i < sizeof(same_places) / sizeof(same_places[0]); i++) {
        struct cleat_object *a = fixture_mirror(same_places[i].a),
                            *b = fixture_mirror(same_places[i].b);
        struct mirror_spec a_spec, b_spec;
        fixture_spec(a, &a_spec);
        fixture_spec(b, &b_spec);
        ck_assert_msg(cleat__mirror_same_place(&a_spec, &b_spec) == same_places[i].same, "%zu", i);
        ck_assert_msg(cleat__mirror_is_source_of(&a_spec, b_spec.api_version, b_spec.kind,
                                                 CLEAT_STR("p"),
                                                 b_spec.name) == same_places[i].same,
                      "%zu", i);
        ck_assert(!cleat__mirror_is_source_of(&a_spec, b_spec.api_version, b_spec.kind,
                                              CLEAT_STR("q"), b_spec.name));
        cleat__mirror_spec_fini(&a_spec);
        cleat__mirror_spec_fini(&b_spec);
        cleat_object_unref(a);
        cleat_object_unref(b);
    }
}
END_TEST

CLEAT_SUITE_MAIN("mirror conflict", test_replace, test_ages, test_same_place)
