/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/overlap.h"
#include "kinds/mirror/target.h"
#include "fixture.h"
#include "support/suite.h"

#define ALL "'namespaceSelector':{}"
#define TEAM "'namespaceSelector':{'matchLabels':{'team':'true'}}"

static const struct {
    const char *targets;
    const char *name;
    const char *labels;
    bool deleting;
    enum mirror_target target;
} places[] = {
    {"", "ci", "", false, MIRROR_TARGET_NONE},
    {TEAM, "ci", "'team':'true'", false, MIRROR_TARGET_WANTED},
    {TEAM, "ci", "'team':'false'", false, MIRROR_TARGET_NONE},
    {ALL, "ci", "", false, MIRROR_TARGET_WANTED},
    {ALL, "kube-system", "", false, MIRROR_TARGET_NONE},
    {ALL, "kube-public", "", false, MIRROR_TARGET_NONE},
    {ALL, "kube-node-lease", "", false, MIRROR_TARGET_NONE},
    {ALL, "cleat-system", "", false, MIRROR_TARGET_NONE},
    {ALL, "default", "", false, MIRROR_TARGET_WANTED},
    {"'namespaces':['kube-system']", "kube-system", "", false, MIRROR_TARGET_WANTED},
    {"'namespaces':['cleat-system']", "cleat-system", "", false, MIRROR_TARGET_WANTED},
    {"'namespaces':['ci']", "ci", "", false, MIRROR_TARGET_WANTED},
    {"'namespaces':['ci'],'excludeNamespaces':['ci']", "ci", "", false, MIRROR_TARGET_NONE},
    {ALL ",'excludeNamespaces':['ci']", "ci", "", false, MIRROR_TARGET_NONE},
    {ALL, "platform", "", false, MIRROR_TARGET_NONE},
    {"'namespaces':['platform']", "platform", "", false, MIRROR_TARGET_NONE},
    {ALL, "ci", "", true, MIRROR_TARGET_TERMINATING},
    {ALL, "ci", "'cleat.dev/copies':'refuse'", false, MIRROR_TARGET_REFUSED},
    {"'namespaces':['ci']", "ci", "'cleat.dev/copies':'refuse'", false, MIRROR_TARGET_REFUSED},
    {TEAM, "ci", "'cleat.dev/copies':'refuse'", false, MIRROR_TARGET_NONE},
};

START_TEST(test_places)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char text[1024], labels[256];
        (void)snprintf(text, sizeof(text), "{" FIXTURE_SOURCE ",'targets':{%s}}",
                       places[i].targets);
        (void)snprintf(labels, sizeof(labels), "{%s}", places[i].labels);
        struct cleat_object *object = fixture_mirror(text), *marks = fixture_object(labels);
        struct mirror_spec spec;
        fixture_spec(object, &spec);
        const struct mirror_namespace place = {cleat_str_of(places[i].name),
                                               cleat_object_value(marks), places[i].deleting};
        ck_assert_msg(cleat__mirror_target_of(&spec, &place, "cleat-system") == places[i].target,
                      "%zu: %s %s", i, places[i].targets, places[i].name);
        cleat__mirror_spec_fini(&spec);
        cleat_object_unref(object);
        cleat_object_unref(marks);
    }
}
END_TEST

/* Under another name the source's own namespace is one like any other. */
START_TEST(test_own_namespace)
{
    struct cleat_object *object =
        fixture_mirror("{" FIXTURE_SOURCE ",'targets':{" ALL "},'copy':{'name':'other'}}");
    struct mirror_spec spec;
    fixture_spec(object, &spec);
    const struct mirror_namespace place = {CLEAT_STR("platform"), CLEAT_VALUE_NONE, false};
    ck_assert(cleat__mirror_target_of(&spec, &place, "cleat-system") == MIRROR_TARGET_WANTED);
    cleat__mirror_spec_fini(&spec);
    cleat_object_unref(object);
}
END_TEST

static const struct {
    const char *a, *b;
    const char *common; /* NULL: none */
} overlaps[] = {
    {"'namespaces':['a','b']", "'namespaces':['c','b']", "b"},
    {"'namespaces':['a']", "'namespaces':['c']", NULL},
    {"'namespaces':['a']", "'namespaces':['a'],'excludeNamespaces':['a']", NULL},
    {"'namespaces':['platform']", "'namespaces':['platform']", NULL},
    {"", "'namespaces':['a']", NULL},
};

START_TEST(test_overlaps_by_name)
{
    for (size_t i = 0; i < sizeof(overlaps) / sizeof(overlaps[0]); i++) {
        char a_text[512], b_text[512], found[64] = "";
        (void)snprintf(a_text, sizeof(a_text), "{" FIXTURE_SOURCE ",'targets':{%s}}",
                       overlaps[i].a);
        (void)snprintf(b_text, sizeof(b_text), "{" FIXTURE_SOURCE ",'targets':{%s}}",
                       overlaps[i].b);
        struct cleat_object *a = fixture_mirror(a_text), *b = fixture_mirror(b_text);
        struct mirror_spec a_spec, b_spec;
        fixture_spec(a, &a_spec);
        fixture_spec(b, &b_spec);
        bool is = cleat__mirror_overlap_of(NULL, "cleat-system", &a_spec, &b_spec, found);
        ck_assert_msg(is == (overlaps[i].common != NULL), "%zu", i);
        ck_assert(!is || strcmp(found, overlaps[i].common) == 0);
        cleat__mirror_spec_fini(&a_spec);
        cleat__mirror_spec_fini(&b_spec);
        cleat_object_unref(a);
        cleat_object_unref(b);
    }
}
END_TEST

CLEAT_SUITE_MAIN("mirror target", test_places, test_own_namespace, test_overlaps_by_name)
