/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/admission_copy.h"
#include "kinds/mirror/copy.h"
#include "fixture.h"
#include "support/suite.h"

static const struct cleat_gvk secret = {"", "v1", "Secret"};
static const struct cleat_gvk service = {"", "v1", "Service"};
static const struct cleat_gvk thing = {"example.com", "v1", "Thing"};

struct copy_case {
    struct cleat_object *mirror, *source;
    struct mirror_spec spec;
    struct mirror_content content;
    struct mirror_marks marks;
};

static void case_open(struct copy_case *copy, const char *spec, const struct cleat_gvk *gvk,
                      const char *source)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    copy->mirror = fixture_mirror(spec);
    copy->source = fixture_object(source);
    fixture_spec(copy->mirror, &copy->spec);
    ck_assert_msg(cleat__mirror_content_make(&copy->spec, gvk, cleat_object_value(copy->source),
                                             &copy->content, &err) == 0,
                  "%s", err.text);
    copy->marks = (struct mirror_marks){copy->mirror, &copy->spec, gvk};
}

static void case_close(struct copy_case *copy)
{
    cleat__mirror_content_fini(&copy->content);
    cleat__mirror_spec_fini(&copy->spec);
    cleat_object_unref(copy->source);
    cleat_object_unref(copy->mirror);
}

static const struct {
    const char *copy; /* spec.copy */
    const struct cleat_gvk *gvk;
    const char *source;
    const char *content;
    const char *missing;
} contents[] = {
    {"{}", &secret,
     "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'reg','labels':{'a':'b'}},'type':"
     "'Opaque','data':{'a':'YQ=='},'status':{'x':1}}",
     "{'type':'Opaque','data':{'a':'YQ=='}}", ""},
    {"{}", &thing, "{'spec':{'n':1.50,'l':[1,null,{}]},'extra':true}",
     "{'spec':{'n':1.5,'l':[1,null,{}]},'extra':true}", ""},
    {"{'keys':['a']}", &secret, "{'type':'Opaque','data':{'a':'YQ==','b':'Yg=='}}",
     "{'type':'Opaque','data':{'a':'YQ=='}}", ""},
    {"{'keys':['a','c']}", &secret,
     "{'type':'Opaque','data':{'b':'Yg=='},'binaryData':{'a':'YQ=='}}",
     "{'type':'Opaque','binaryData':{'a':'YQ=='}}", "c"},
    {"{'keys':['x','y']}", &secret, "{'type':'Opaque','data':{'b':'Yg=='}}", "{'type':'Opaque'}",
     "x, y"},
    {"{'keys':['tls.crt']}", &secret,
     "{'type':'kubernetes.io/tls','data':{'tls.crt':'YQ==','tls.key':'Yg=='}}",
     "{'type':'Opaque','data':{'tls.crt':'YQ=='}}", ""},
    {"{'keys':['tls.crt','tls.key']}", &secret,
     "{'type':'kubernetes.io/tls','data':{'tls.crt':'YQ==','tls.key':'Yg==','ca.crt':'Yw=='}}",
     "{'type':'kubernetes.io/tls','data':{'tls.crt':'YQ==','tls.key':'Yg=='}}", ""},
    {"{'keys':['other']}", &secret,
     "{'type':'kubernetes.io/dockerconfigjson','data':{'.dockerconfigjson':'YQ==','other':'Yg=='}}",
     "{'type':'Opaque','data':{'other':'Yg=='}}", ""},
    {"{'keys':['username']}", &secret,
     "{'type':'kubernetes.io/basic-auth','data':{'username':'YQ==','password':'Yg=='}}",
     "{'type':'kubernetes.io/basic-auth','data':{'username':'YQ=='}}", ""},
    {"{}", &service,
     "{'spec':{'clusterIP':'10.0.0.1','clusterIPs':['10.0.0.1'],'externalIPs':['1.2.3.4'],"
     "'healthCheckNodePort':30001,'type':'NodePort','ports':[{'port':80,'nodePort':30000},{'port':"
     "81,'nodePort':30002}]}}",
     "{'spec':{'type':'NodePort','ports':[{'port':80},{'port':81}]}}", ""},
    {"{}", &service, "{'spec':{'clusterIP':'None','clusterIPs':['None'],'ports':[]}}",
     "{'spec':{'clusterIP':'None','clusterIPs':['None'],'ports':[]}}", ""},
};

START_TEST(test_contents)
{
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        char spec[1024];
        struct copy_case copy;
        (void)snprintf(spec, sizeof(spec), "{" FIXTURE_SOURCE ",'copy':%s}", contents[i].copy);
        case_open(&copy, spec, contents[i].gvk, contents[i].source);
        struct cleat_object *wanted = fixture_object(contents[i].content);
        ck_assert_msg(cleat_value_equal(copy.content.value, cleat_object_value(wanted)), "%zu", i);
        ck_assert_str_eq(copy.content.missing, contents[i].missing);
        cleat_object_unref(wanted);
        case_close(&copy);
    }
}
END_TEST

#define MARKED(more)                                                                             \
    "'metadata':{'name':'reg','namespace':'ci','uid':'u-7','resourceVersion':'5','labels':{'"    \
    "cleat.dev/mirror':'web'},'annotations':{'cleat.dev/source':'platform/"                      \
    "reg'},'ownerReferences':[{'apiVersion':'cleat.dev/"                                         \
    "v1alpha1','kind':'Mirror','name':'web','uid':'u-1','controller':true,'blockOwnerDeletion':" \
    "false}" more "]}"
#define HEAD "'apiVersion':'v1','kind':'Secret',"
#define SOURCE "{" HEAD "'metadata':{'name':'reg'},'type':'Opaque','data':{'a':'YQ=='}}"

static const struct {
    const char *name;
    const char *spec;
    const char *object;
    int state;
} compared[] = {
    {"true", "{" FIXTURE_SOURCE "}", "{" HEAD MARKED("") ",'type':'Opaque','data':{'a':'YQ=='}}",
     MIRROR_COPY_TRUE},
    {"another owner beside", "{" FIXTURE_SOURCE "}",
     "{" HEAD MARKED(
         ",{'apiVersion':'v1','kind':'X','name':'x','uid':'u-8'}") ",'type':'Opaque','data':{'a':'"
                                                                   "YQ=='}}",
     MIRROR_COPY_TRUE},
    {"data", "{" FIXTURE_SOURCE "}", "{" HEAD MARKED("") ",'type':'Opaque','data':{'a':'Yg=='}}",
     MIRROR_COPY_FALSE},
    {"more data", "{" FIXTURE_SOURCE "}",
     "{" HEAD MARKED("") ",'type':'Opaque','data':{'a':'YQ==','b':''}}", MIRROR_COPY_FALSE},
    {"another member", "{" FIXTURE_SOURCE "}",
     "{" HEAD MARKED("") ",'type':'Opaque','data':{'a':'YQ=='},'more':1}", MIRROR_COPY_FALSE},
    {"type", "{" FIXTURE_SOURCE "}",
     "{" HEAD MARKED("") ",'type':'example.com/x','data':{'a':'YQ=='}}", MIRROR_COPY_ANEW},
    {"immutable", "{" FIXTURE_SOURCE "}",
     "{" HEAD MARKED("") ",'type':'Opaque','data':{'a':'Yg=='},'immutable':true}",
     MIRROR_COPY_ANEW},
    {"label missing", "{" FIXTURE_SOURCE ",'copy':{'labels':{'x':'y'}}}",
     "{" HEAD MARKED("") ",'type':'Opaque','data':{'a':'YQ=='}}", MIRROR_COPY_FALSE},
    {"to be an orphan", "{" FIXTURE_SOURCE ",'onDelete':'Orphan'}",
     "{" HEAD MARKED("") ",'type':'Opaque','data':{'a':'YQ=='}}", MIRROR_COPY_FALSE},
    {"no marks", "{" FIXTURE_SOURCE "}",
     "{" HEAD "'metadata':{'name':'reg'},'type':'Opaque','data':{'a':'YQ=='}}", MIRROR_COPY_FALSE},
};

START_TEST(test_compare)
{
    for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
        struct copy_case copy;
        case_open(&copy, compared[i].spec, &secret, SOURCE);
        struct cleat_object *object = fixture_object(compared[i].object);
        ck_assert_msg(cleat__mirror_copy_compare(&copy.marks, &copy.content,
                                                 cleat_object_value(object)) == compared[i].state,
                      "%s", compared[i].name);
        cleat_object_unref(object);
        case_close(&copy);
    }
}
END_TEST

/* Whatever was there: what is written of it compares as true, and keeps what isn't ours. */
START_TEST(test_bodies_are_true)
{
    for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
        struct copy_case copy;
        struct cleat_draft *made = NULL, *mended = NULL;
        case_open(&copy, compared[i].spec, &secret, SOURCE);
        struct cleat_object *object = fixture_object(compared[i].object);
        ck_assert_int_eq(
            cleat__mirror_copy_body(&copy.marks, &copy.content, CLEAT_STR("ci"), NULL, &made, NULL),
            0);
        ck_assert_msg(cleat__mirror_copy_compare(&copy.marks, &copy.content,
                                                 cleat_draft_value(made)) == MIRROR_COPY_TRUE,
                      "made: %s", compared[i].name);
        ck_assert(
            cleat_value_is(cleat_value_find(cleat_draft_value(made), "metadata.namespace"), "ci"));
        ck_assert_int_eq(cleat__mirror_copy_body(&copy.marks, &copy.content, CLEAT_STR("ci"),
                                                 object, &mended, NULL),
                         0);
        ck_assert_msg(cleat__mirror_copy_compare(&copy.marks, &copy.content,
                                                 cleat_draft_value(mended)) == MIRROR_COPY_TRUE,
                      "mended: %s", compared[i].name);
        ck_assert(cleat_value_equal(
                      cleat_value_find(cleat_draft_value(mended), "metadata.resourceVersion"),
                      cleat_object_find(object, "metadata.resourceVersion")) ||
                  cleat_object_resource_version(object).length == 0);
        cleat_draft_free(made);
        cleat_draft_free(mended);
        cleat_object_unref(object);
        case_close(&copy);
    }
}
END_TEST

START_TEST(test_foreign_metadata_stays)
{
    struct copy_case copy;
    struct cleat_draft *draft = NULL;
    case_open(&copy, "{" FIXTURE_SOURCE "}", &secret, SOURCE);
    struct cleat_object *object = fixture_object(
        "{" HEAD "'metadata':{'name':'reg','namespace':'ci','resourceVersion':'9','finalizers':['x/"
        "y'],'labels':{'mine':'yes'},'annotations':{'mine':'too'},'ownerReferences':[{'apiVersion':"
        "'v1','kind':'X','name':'x','uid':'u-8'},{'apiVersion':'cleat.dev/v1alpha1','kind':'Mirror'"
        ",'name':'old','uid':'u-0','controller':true}]},'data':{},'type':'Opaque'}");
    ck_assert_int_eq(
        cleat__mirror_copy_body(&copy.marks, &copy.content, CLEAT_STR("ci"), object, &draft, NULL),
        0);
    struct cleat_value root = cleat_draft_value(draft);
    ck_assert(cleat_value_is(cleat_value_find(root, "metadata.labels.mine"), "yes"));
    ck_assert(cleat_value_is(cleat_value_find(root, "metadata.annotations.mine"), "too"));
    ck_assert(cleat_value_is(cleat_value_find(root, "metadata.finalizers[0]"), "x/y"));
    ck_assert_uint_eq(cleat_value_count(cleat_value_find(root, "metadata.ownerReferences")), 2);
    ck_assert(cleat_value_is(cleat_value_find(root, "metadata.ownerReferences[0].uid"), "u-8"));
    ck_assert(cleat_value_is(cleat_value_find(root, "metadata.ownerReferences[1].uid"), "u-1"));
    cleat_draft_free(draft);
    cleat_object_unref(object);
    case_close(&copy);
}
END_TEST

START_TEST(test_release)
{
    struct cleat_draft *draft = NULL;
    struct cleat_object *object = fixture_object(
        "{" HEAD MARKED(",{'apiVersion':'v1','kind':'X','name':'x','uid':'u-8'}") ",'data':{}}");
    ck_assert_int_eq(cleat__mirror_copy_release(object, &draft, NULL), 0);
    struct cleat_value root = cleat_draft_value(draft);
    struct cleat_scratch scratch;
    ck_assert_uint_eq(cleat__mirror_copy_uid(root, &scratch).length, 0);
    ck_assert_uint_eq(cleat__mirror_copy_owner(root, &scratch).length, 0);
    ck_assert_uint_eq(cleat_value_count(cleat_value_find(root, "metadata.ownerReferences")), 1);
    cleat_draft_free(draft);
    cleat_object_unref(object);
}
END_TEST

static const struct {
    const char *metadata;
    const char *uid, *owner;
} owners[] = {
    {"{}", "", ""},
    {"{'labels':{'cleat.dev/mirror':'web'}}", "", "web"},
    {"{'labels':{'cleat.dev/mirror':'x'},'ownerReferences':[{'apiVersion':'cleat.dev/v2','kind':"
     "'Mirror','name':'web','uid':'u-1','controller':true}]}",
     "u-1", "web"},
    {"{'ownerReferences':[{'apiVersion':'cleat.dev/v1','kind':'Mirror','name':'web','uid':'u-1'}]}",
     "", ""},
    {"{'ownerReferences':[{'apiVersion':'other.dev/v1','kind':'Mirror','name':'web','uid':'u-1',"
     "'controller':true}]}",
     "", ""},
    {"{'annotations':{'cleat.dev/mirror-uid':'u-1'},'labels':{'cleat.dev/mirror':'web'}}", "u-1",
     "web"},
};

START_TEST(test_owners)
{
    for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
        char text[1024];
        struct cleat_scratch scratch;
        (void)snprintf(text, sizeof(text), "{'metadata':%s}", owners[i].metadata);
        struct cleat_object *object = fixture_object(text);
        struct cleat_value root = cleat_object_value(object);
        ck_assert_msg(cleat_str_is(cleat__mirror_copy_uid(root, &scratch), owners[i].uid), "%zu",
                      i);
        ck_assert_msg(cleat_str_is(cleat__mirror_copy_owner(root, &scratch), owners[i].owner),
                      "%zu", i);
        ck_assert(cleat__mirror_copy_is_of(root, CLEAT_STR("u-1")) == (owners[i].uid[0] != '\0'));
        ck_assert(!cleat__mirror_copy_is_of(root, CLEAT_STR("")));
        cleat_object_unref(object);
    }
}
END_TEST

static const struct {
    const char *after;
    bool touched;
} changes[] = {
    {"{" HEAD MARKED("") ",'data':{'a':'YQ=='}}", false},
    {"{" HEAD MARKED("") ",'data':{'a':'YQ=='},'status':{'x':1}}", false},
    {"{" HEAD MARKED(
         ",{'apiVersion':'v1','kind':'X','name':'x','uid':'u-8'}") ",'data':{'a':'YQ=='}}",
     false},
    {"{" HEAD MARKED("") ",'data':{'a':'Yg=='}}", true},
    {"{" HEAD MARKED("") ",'data':{'a':'YQ=='},'immutable':true}", true},
    {"{" HEAD "'metadata':{'name':'reg','labels':{'cleat.dev/mirror':'web'},'annotations':{'cleat."
     "dev/source':'platform/reg'}},'data':{'a':'YQ=='}}",
     true},
};

START_TEST(test_touched)
{
    struct cleat_object *before = fixture_object("{" HEAD MARKED("") ",'data':{'a':'YQ=='}}");
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct cleat_object *after = fixture_object(changes[i].after);
        ck_assert_msg(cleat__mirror_copy_touched(cleat_object_value(before),
                                                 cleat_object_value(after)) == changes[i].touched,
                      "%zu", i);
        cleat_object_unref(after);
    }
    cleat_object_unref(before);
}
END_TEST

START_TEST(test_cluster_users)
{
    ck_assert(cleat__mirror_is_cluster_user(
        CLEAT_STR("system:serviceaccount:kube-system:generic-garbage-collector")));
    ck_assert(cleat__mirror_is_cluster_user(
        CLEAT_STR("system:serviceaccount:kube-system:namespace-controller")));
    ck_assert(cleat__mirror_is_cluster_user(CLEAT_STR("system:kube-controller-manager")));
    ck_assert(!cleat__mirror_is_cluster_user(CLEAT_STR("system:admin")));
    ck_assert(!cleat__mirror_is_cluster_user(CLEAT_STR("")));
}
END_TEST

CLEAT_SUITE_MAIN("mirror copy", test_contents, test_compare, test_bodies_are_true,
                 test_foreign_metadata_stays, test_release, test_owners, test_touched,
                 test_cluster_users)
