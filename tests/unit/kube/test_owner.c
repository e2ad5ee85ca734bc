/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/owner.h>
#include <cleat/write.h>
#include <errno.h>
#include <string.h>

#include "kube_document.h"
#include "support/chaos.h"
#include "support/suite.h"

#define UID_A "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
#define UID_B "7f9619ff-8b86-d011-b42d-00cf4fc964ff"
#define OWNER(ns, uid) \
    "{'apiVersion':'cleat.dev/v1','kind':'Mirror','metadata':{'name':'m'," ns "'uid':'" uid "'}}"
#define REFERENCE(version, uid, rest) \
    "{'apiVersion':'cleat.dev/" version "','kind':'Mirror','name':'m','uid':'" uid "'" rest "}"
#define OTHER "{'apiVersion':'apps/v1','kind':'Deployment','name':'d','uid':'" UID_B "'"

enum { SET, SET_CONTROLLER, SET_BLOCKING };

/* What setting @owner on an object with @references (NULL: without) gives. */
struct set_case {
    const char *owner;
    const char *namespace_; /* of the object; "" none */
    const char *references;
    int how;
    int result;
    const char *after; /* NULL: as before */
};

static const struct set_case set_cases[] = {
    {OWNER("'namespace':'n',", UID_A), "n", NULL, SET, 0, "[" REFERENCE("v1", UID_A, "") "]"},
    {OWNER("'namespace':'n',", UID_A), "n", "[]", SET_CONTROLLER, 0,
     "[" REFERENCE("v1", UID_A, ",'controller':true") "]"},
    {OWNER("'namespace':'n',", UID_A), "n", NULL, SET_BLOCKING, 0,
     "[" REFERENCE("v1", UID_A, ",'controller':true,'blockOwnerDeletion':true") "]"},
    /* a cluster-scoped owner may own whatever there is */
    {OWNER("", UID_A), "n", NULL, SET, 0, "[" REFERENCE("v1", UID_A, "") "]"},
    {OWNER("", UID_A), "", NULL, SET, 0, "[" REFERENCE("v1", UID_A, "") "]"},
    {OWNER("'namespace':'n',", UID_A), "", NULL, SET, -EINVAL, NULL},
    {OWNER("'namespace':'n',", UID_A), "other", NULL, SET_CONTROLLER, -EINVAL, NULL},
    {"{'apiVersion':'v1','kind':'A','metadata':{'name':'m'}}", "n", NULL, SET, -EINVAL, NULL},
    {"{'apiVersion':'v1','kind':'A','metadata':{'uid':'u'}}", "n", NULL, SET, -EINVAL, NULL},
    {"{'apiVersion':'v1','metadata':{'name':'m','uid':'u'}}", "n", NULL, SET, -EINVAL, NULL},
    /* it was there already */
    {OWNER("", UID_A), "n", "[" REFERENCE("v1", UID_A, "") "]", SET, CLEAT_OWNER_UNCHANGED, NULL},
    {OWNER("", UID_A), "n", "[" REFERENCE("v1", UID_A, ",'controller':true") "]", SET_CONTROLLER,
     CLEAT_OWNER_UNCHANGED, NULL},
    {OWNER("", UID_A), "n", "[" REFERENCE("v1", UID_A, ",'controller':true") "]", SET,
     CLEAT_OWNER_UNCHANGED, NULL},
    /* group, kind and name make the same owner: version and uid are brought up to date */
    {OWNER("", UID_A), "n", "[" REFERENCE("v0", UID_A, "") "]", SET, 0,
     "[" REFERENCE("v1", UID_A, "") "]"},
    {OWNER("", UID_A), "n", "[" REFERENCE("v1", UID_B, ",'controller':true") "]", SET_CONTROLLER, 0,
     "[" REFERENCE("v1", UID_A, ",'controller':true") "]"},
    {OWNER("", UID_A), "n", "[" REFERENCE("v1", UID_A, "") "]", SET_CONTROLLER, 0,
     "[" REFERENCE("v1", UID_A, ",'controller':true") "]"},
    /* others */
    {OWNER("", UID_A), "n", "[" OTHER "}]", SET_CONTROLLER, 0,
     "[" OTHER "}," REFERENCE("v1", UID_A, ",'controller':true") "]"},
    {OWNER("", UID_A), "n", "[" OTHER ",'controller':true}]", SET_CONTROLLER, CLEAT_OWNER_TAKEN,
     NULL},
    {OWNER("", UID_A), "n", "[" REFERENCE("v1", UID_A, "") "," OTHER ",'controller':true}]",
     SET_CONTROLLER, CLEAT_OWNER_TAKEN, NULL},
    {OWNER("", UID_A), "n", "[" OTHER ",'controller':true}]", SET, 0,
     "[" OTHER ",'controller':true}," REFERENCE("v1", UID_A, "") "]"},
    {OWNER("", UID_A), "n", "[" OTHER ",'controller':false}]", SET_CONTROLLER, 0,
     "[" OTHER ",'controller':false}," REFERENCE("v1", UID_A, ",'controller':true") "]"},
};

static struct cleat_document *document_with(const char *namespace_, const char *references)
{
    char json[2048];
    snprintf(json, sizeof(json), "{'metadata':{'name':'x'%s%s%s%s%s}}",
             namespace_[0] ? ",'namespace':'" : "", namespace_, namespace_[0] ? "'" : "",
             references ? ",'ownerReferences':" : "", references ? references : "");
    return document_of(json);
}

static bool same_json(struct cleat_value value, const char *json)
{
    struct cleat_document *document = document_of(json);
    bool same = cleat_value_equal(value, cleat_document_root(document));
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1u << 16);
    if (!same && cleat_write_json(&buffer, value, NULL) == 0)
        fprintf(stderr, "got %s\n", buffer.data);
    cleat_buffer_fini(&buffer);
    cleat_document_unref(document);
    return same;
}

static int set_owner(struct cleat_draft *draft, const struct cleat_object *owner, int how,
                     struct cleat_err *err)
{
    if (how == SET)
        return cleat_owner_set(draft, owner, err);
    return cleat_owner_set_controller(draft, owner, how == SET_BLOCKING, err);
}

static void check_set(const struct set_case *set)
{
    struct cleat_document *owner_document = document_of(set->owner);
    struct cleat_document *document = document_with(set->namespace_, set->references);
    struct cleat_object *owner = NULL;
    struct cleat_draft *draft = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_object_of(owner_document, &owner, NULL), 0);
    ck_assert_int_eq(cleat_draft_new(cleat_document_root(document), &draft, NULL), 0);
    ck_assert_int_eq(set_owner(draft, owner, set->how, &err), set->result);
    ck_assert_int_eq(cleat_draft_changed(draft), set->after != NULL);
    struct cleat_value references =
        cleat_value_find(cleat_draft_value(draft), "metadata.ownerReferences");
    if (set->after)
        ck_assert(same_json(references, set->after));
    if (set->result < 0 || set->result == CLEAT_OWNER_TAKEN)
        ck_assert(err.text[0]);
    if (set->result == CLEAT_OWNER_TAKEN)
        ck_assert_ptr_nonnull(strstr(err.text, "Deployment d"));
    /* What was done once is there the second time. */
    if (set->result == 0)
        ck_assert_int_eq(set_owner(draft, owner, set->how, NULL), CLEAT_OWNER_UNCHANGED);
    cleat_draft_free(draft);
    cleat_object_unref(owner);
    cleat_document_unref(document);
    cleat_document_unref(owner_document);
}

START_TEST(test_set)
{
    for (size_t i = 0; i < sizeof(set_cases) / sizeof(set_cases[0]); i++)
        check_set(&set_cases[i]);
}
END_TEST

START_TEST(test_read)
{
    struct cleat_document *document =
        document_with("n", "[" OTHER "}," REFERENCE(
                               "v1", UID_A, ",'controller':true,'blockOwnerDeletion':true") ",7]");
    struct cleat_value root = cleat_document_root(document);
    struct cleat_scratch scratch[4];
    struct cleat_owner owner;
    ck_assert_uint_eq(cleat_owner_count(root), 3);
    ck_assert_int_eq(cleat_owner_at(root, 1, scratch, &owner), 0);
    ck_assert(cleat_str_is(owner.api_version, "cleat.dev/v1"));
    ck_assert(cleat_str_is(owner.kind, "Mirror"));
    ck_assert(cleat_str_is(owner.name, "m"));
    ck_assert(cleat_str_is(owner.uid, UID_A));
    ck_assert(owner.controller && owner.block_owner_deletion);
    ck_assert_int_eq(cleat_owner_at(root, 0, scratch, &owner), 0);
    ck_assert(!owner.controller && !owner.block_owner_deletion);
    ck_assert_int_eq(cleat_owner_at(root, 2, scratch, &owner), -EINVAL);
    ck_assert_int_eq(cleat_owner_at(root, 3, scratch, &owner), -EINVAL);
    ck_assert(cleat_str_is(cleat_owner_controller_uid(root, scratch), UID_A));
    ck_assert(cleat_owner_has_uid(root, cleat_str_of(UID_B)));
    ck_assert(!cleat_owner_has_uid(root, CLEAT_STR("x")));
    cleat_document_unref(document);
    document = document_of("{'metadata':{'ownerReferences':{}}}");
    ck_assert_uint_eq(cleat_owner_count(cleat_document_root(document)), 0);
    ck_assert_uint_eq(cleat_owner_controller_uid(cleat_document_root(document), scratch).length, 0);
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_remove)
{
    struct cleat_document *document = document_with(
        "n", "[" REFERENCE("v1", UID_A, "") "," OTHER "}," REFERENCE("v0", UID_A, "") "]");
    struct cleat_draft *draft = NULL;
    ck_assert_int_eq(cleat_draft_new(cleat_document_root(document), &draft, NULL), 0);
    ck_assert_int_eq(cleat_owner_remove(draft, CLEAT_STR("x"), NULL), CLEAT_OWNER_UNCHANGED);
    ck_assert(!cleat_draft_changed(draft));
    ck_assert_int_eq(cleat_owner_remove(draft, cleat_str_of(UID_A), NULL), 0);
    ck_assert(same_json(cleat_value_find(cleat_draft_value(draft), "metadata.ownerReferences"),
                        "[" OTHER "}]"));
    ck_assert_int_eq(cleat_owner_remove(draft, cleat_str_of(UID_B), NULL), 0);
    ck_assert(!cleat_value_is_present(
        cleat_value_find(cleat_draft_value(draft), "metadata.ownerReferences")));
    cleat_draft_free(draft);
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_finalizers)
{
    struct cleat_document *document = document_of("{'metadata':{'finalizers':['a','b']}}");
    struct cleat_draft *draft = NULL;
    ck_assert_int_eq(cleat_draft_new(cleat_document_root(document), &draft, NULL), 0);
    ck_assert(cleat_finalizer_has(cleat_document_root(document), "b"));
    ck_assert(!cleat_finalizer_has(cleat_document_root(document), "c"));
    ck_assert_int_eq(cleat_finalizer_add(draft, "b", NULL), CLEAT_OWNER_UNCHANGED);
    ck_assert_int_eq(cleat_finalizer_remove(draft, "c", NULL), CLEAT_OWNER_UNCHANGED);
    ck_assert(!cleat_draft_changed(draft));
    ck_assert_int_eq(cleat_finalizer_add(draft, "x.y/\"z", NULL), 0);
    ck_assert_int_eq(cleat_finalizer_remove(draft, "a", NULL), 0);
    ck_assert(same_json(cleat_value_find(cleat_draft_value(draft), "metadata.finalizers"),
                        "['b','x.y/\\'z']"));
    ck_assert_int_eq(cleat_finalizer_remove(draft, "b", NULL), 0);
    ck_assert_int_eq(cleat_finalizer_remove(draft, "x.y/\"z", NULL), 0);
    ck_assert(
        !cleat_value_is_present(cleat_value_find(cleat_draft_value(draft), "metadata.finalizers")));
    ck_assert_int_eq(cleat_finalizer_add(draft, "", NULL), -EINVAL);
    ck_assert_int_eq(cleat_finalizer_add(draft, "c", NULL), 0);
    ck_assert(cleat_finalizer_has(cleat_draft_value(draft), "c"));
    cleat_draft_free(draft);
    cleat_document_unref(document);
}
END_TEST

static int set_once(void *arg)
{
    const struct cleat_object *owner = arg;
    struct cleat_draft *draft = NULL;
    int r = cleat_draft_new(CLEAT_VALUE_NONE, &draft, NULL);
    if (r == 0)
        r = cleat_owner_set_controller(draft, owner, true, NULL);
    if (r == 0)
        r = cleat_finalizer_add(draft, "a/b", NULL);
    cleat_draft_free(draft);
    return r;
}

START_TEST(test_memory)
{
    struct cleat_document *document = document_of(OWNER("", UID_A));
    struct cleat_object *owner = NULL;
    ck_assert_int_eq(cleat_object_of(document, &owner, NULL), 0);
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(set_once, owner), 3);
    cleat_object_unref(owner);
    cleat_document_unref(document);
}
END_TEST

/* A draft whose freezing needs memory, over an object that somebody else controls. */
static int look_once(void *arg)
{
    struct cleat_document *document = NULL;
    struct cleat_draft *draft = NULL;
    int r = cleat_document_parse(
        CLEAT_STR("{\"metadata\":{\"finalizers\":[\"a\",\"b\"],\"ownerReferences\":[{"
                  "\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"other\",\"uid\":\"u\","
                  "\"controller\":true}]}}"),
        &document, NULL);
    if (r == 0)
        r = cleat_draft_new(cleat_document_root(document), &draft, NULL);
    if (r == 0)
        r = cleat_draft_set_text(draft, "spec.text", "something that isn't short", NULL);
    if (r == 0) {
        r = cleat_owner_set_controller(draft, arg, true, NULL);
        ck_assert_msg(r == CLEAT_OWNER_TAKEN || r < 0, "took another controller's object: %d", r);
        r = r < 0 ? r : 0;
    }
    if (r == 0)
        r = cleat_draft_set_text(draft, "spec.text", "something else that isn't short", NULL);
    if (r == 0) {
        r = cleat_finalizer_remove(draft, "a", NULL);
        ck_assert_msg(r <= 0, "took the finalizer for absent");
    }
    if (r == 0)
        r = cleat_owner_remove(draft, CLEAT_STR("u"), NULL);
    ck_assert_msg(r <= 0, "took the owner for absent");
    cleat_draft_free(draft);
    cleat_document_unref(document);
    return r;
}

/* Once: lacking memory while the draft was frozen looked like an object without owners. */
START_TEST(test_memory_hides_no_owner)
{
    struct cleat_document *document = document_of(OWNER("", UID_A));
    struct cleat_object *owner = NULL;
    ck_assert_int_eq(cleat_object_of(document, &owner, NULL), 0);
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(look_once, owner), 10);
    cleat_object_unref(owner);
    cleat_document_unref(document);
}
END_TEST

CLEAT_SUITE_MAIN("owner", test_set, test_read, test_remove, test_finalizers, test_memory,
                 test_memory_hides_no_owner)
