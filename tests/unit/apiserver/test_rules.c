/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults and checks of the built-in kinds, and of all metadata.
 */
#include "api_fixture.h"

#define SECRETS "/api/v1/namespaces/default/secrets"
#define SERVICES "/api/v1/namespaces/default/services"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/default/leases"
#define ROLES "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
#define CLUSTER_ROLES "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#define BINDINGS "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
#define CLUSTER_BINDINGS "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"

/* @text with quotation marks for its single quotes. */
static struct reply rule_send(struct api *api, const char *method, const char *path,
                              const char *text)
{
    char body[8192];
    ck_assert_uint_lt(strlen(text), sizeof(body));
    snprintf(body, sizeof(body), "%s", text);
    for (char *byte = body; *byte; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    return api_do(api, method, path, body);
}

struct rule_case {
    const char *path;
    const char *body;
    int code;
    const char *words;
};

static void expect_refused(const struct rule_case *cases, size_t count)
{
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < count; i++) {
        struct reply reply = rule_send(&api, "POST", cases[i].path, cases[i].body);
        ck_assert_msg(reply.code == cases[i].code, "case %zu: %d, not %d: %s", i, reply.code,
                      cases[i].code, reply.text.data);
        if (cases[i].words)
            ck_assert_msg(strstr(reply_text(&reply, "message"), cases[i].words) != NULL,
                          "case %zu: %s: not in %s", i, cases[i].words, reply.text.data);
        reply_fini(&reply);
    }
    api_fini(&api);
}

#define EXPECT_REFUSED(cases) expect_refused((cases), sizeof(cases) / sizeof((cases)[0]))
#define META(more) "{'metadata':{'name':'a'," more "}}"

START_TEST(test_metadata)
{
    static const struct rule_case cases[] = {
        {API_CONFIGMAPS, META("'labels':{'a b':'c'}"), 422,
         "metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric"},
        {API_CONFIGMAPS, META("'labels':{'a':'b c'}"), 422,
         "metadata.labels: Invalid value: \"b c\": a valid label must be an empty string or"},
        {API_CONFIGMAPS,
         META("'labels':{'a':"
              "'0123456789012345678901234567890123456789012345678901234567890123'}"),
         422, "must be no more than 63 characters"},
        {API_CONFIGMAPS, META("'labels':{'a':1}"), 422, "metadata.labels: Invalid value: 1"},
        {API_CONFIGMAPS, META("'annotations':{'a b':''}"), 422,
         "metadata.annotations: Invalid value: \"a b\": name part"},
        {API_CONFIGMAPS, META("'finalizers':['mine']"), 422,
         "metadata.finalizers: Invalid value: \"mine\": name is neither a standard finalizer name "
         "nor is it fully qualified"},
        {API_CONFIGMAPS, META("'finalizers':['a b/c']"), 422, "metadata.finalizers: Invalid value"},
        {API_CONFIGMAPS, META("'ownerReferences':[{'apiVersion':'v1','kind':'Pod','name':'p'}]"),
         422, "metadata.ownerReferences[0].uid: Invalid value: \"\": must not be empty"},
        {API_CONFIGMAPS,
         META("'ownerReferences':[{'apiVersion':'','kind':'Pod','name':'p','uid':'u'}]"), 422,
         "metadata.ownerReferences[0].apiVersion: Invalid value: \"\": version must not be empty"},
        {API_CONFIGMAPS,
         META("'ownerReferences':[{'apiVersion':'v1','kind':'Pod','name':'p','uid':'u',"
              "'controller':true},{'apiVersion':'v1','kind':'Pod','name':'q','uid':'v',"
              "'controller':true}]"),
         422, "Only one reference can have Controller set to true"},
        /* The key of an annotation may be upper case before the slash; values are free. */
        {API_CONFIGMAPS,
         "{'metadata':{'name':'b','annotations':{'Example.COM/x':'any thing'},'labels':{'x.io/y':"
         "''},'finalizers':['x.io/y','orphan'],'ownerReferences':[{'apiVersion':'v1','kind':'Pod',"
         "'name':'p','uid':'u','controller':true}]}}",
         201, NULL},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

#define TYPED(type, data) "{'metadata':{'name':'a'},'type':'" type "','data':{" data "}}"

START_TEST(test_data)
{
    static const struct rule_case cases[] = {
        {SECRETS, TYPED("Opaque", "'a':'!'"), 400, "illegal base64 data"},
        {SECRETS, TYPED("Opaque", "'a':1"), 400, "cannot unmarshal number into Go struct field"},
        {SECRETS, TYPED("Opaque", "'a b':''"), 422,
         "data[a b]: Invalid value: \"a b\": a valid config key must consist of"},
        {SECRETS, TYPED("Opaque", "'..':''"), 422, "data[..]: Invalid value"},
        {SECRETS, TYPED("kubernetes.io/tls", "'tls.crt':''"), 422, "data[tls.key]: Required value"},
        {SECRETS, TYPED("kubernetes.io/ssh-auth", ""), 422, "data[ssh-privatekey]: Required value"},
        {SECRETS, TYPED("kubernetes.io/service-account-token", ""), 422,
         "metadata.annotations[kubernetes.io/service-account.name]: Required value"},
        {SECRETS, "{'metadata':{'name':'a'},'stringData':{'a':1}}", 400, "stringData"},
        {API_CONFIGMAPS, "{'metadata':{'name':'a'},'data':{'a':1}}", 400,
         "cannot unmarshal number into Go struct field ConfigMap.data of type string"},
        {API_CONFIGMAPS, "{'metadata':{'name':'a'},'binaryData':{'a':'!'}}", 400,
         "illegal base64 data"},
        {API_CONFIGMAPS, "{'metadata':{'name':'a'},'data':{'a':''},'binaryData':{'a':''}}", 422,
         "data[a]: Invalid value: \"a\": duplicate of key present in binaryData"},
        {API_CONFIGMAPS, "{'metadata':{'name':'a'},'data':{'a/b':''}}", 422,
         "data[a/b]: Invalid value"},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

START_TEST(test_string_data)
{
    struct api api;
    api_init(&api);
    struct reply reply = rule_send(&api, "POST", SECRETS,
                                   "{'metadata':{'name':'a'},'data':{'a':'eA==','b':'eQ=='},"
                                   "'stringData':{'b':'foo','c.d':''}}");
    ck_reply_code(reply, 201);
    ck_assert_str_eq(reply_text(&reply, "type"), "Opaque");
    ck_assert_str_eq(reply_text(&reply, "data.a"), "eA==");
    ck_assert_str_eq(reply_text(&reply, "data.b"), "Zm9v");
    ck_assert_str_eq(reply_text(&reply, "data[\"c.d\"]"), "");
    ck_assert_uint_eq(reply_count(&reply, "data"), 3);
    ck_assert(!reply_has(&reply, "stringData"));
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

/* What may not change, once it is stored. */
START_TEST(test_immutable)
{
    static const struct {
        const char *path;
        const char *body;
        int code;
        const char *words;
    } cases[] = {
        {API_CONFIGMAPS "/c", "{'metadata':{'name':'c'},'data':{'k':'2'},'immutable':true}", 422,
         "data: Forbidden: field is immutable when `immutable` is set"},
        {API_CONFIGMAPS "/c", "{'metadata':{'name':'c'},'data':{'k':'1'},'immutable':false}", 422,
         "immutable: Forbidden: field is immutable when `immutable` is set"},
        {API_CONFIGMAPS "/c", "{'metadata':{'name':'c'},'data':{'k':'1'}}", 422,
         "immutable: Forbidden"},
        {API_CONFIGMAPS "/c",
         "{'metadata':{'name':'c','labels':{'x':'y'}},'data':{'k':'1'},'immutable':true}", 200,
         NULL},
        {SECRETS "/s", "{'metadata':{'name':'s'},'type':'x/z'}", 422,
         "type: Invalid value: \"x/z\": field is immutable"},
        {SECRETS "/s", "{'metadata':{'name':'s'},'type':'x/y','data':{'a':'eA=='}}", 200, NULL},
        {BINDINGS "/b",
         "{'metadata':{'name':'b'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':"
         "'Role','name':'other'}}",
         422, "cannot change roleRef"},
    };
    struct api api;
    api_init(&api);
    struct reply made[] = {
        rule_send(&api, "POST", API_CONFIGMAPS,
                  "{'metadata':{'name':'c'},'data':{'k':'1'},'immutable':true}"),
        rule_send(&api, "POST", SECRETS, "{'metadata':{'name':'s'},'type':'x/y'}"),
        rule_send(
            &api, "POST", BINDINGS,
            "{'metadata':{'name':'b'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':"
            "'Role','name':'r'}}"),
    };
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        ck_reply_code(made[i], 201);
        reply_fini(&made[i]);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply = rule_send(&api, "PUT", cases[i].path, cases[i].body);
        ck_assert_msg(reply.code == cases[i].code, "case %zu: %s", i, reply.text.data);
        if (cases[i].words)
            ck_assert_msg(strstr(reply_text(&reply, "message"), cases[i].words) != NULL,
                          "case %zu: %s", i, reply.text.data);
        reply_fini(&reply);
    }
    api_fini(&api);
}
END_TEST

#define REF(kind) "'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'" kind "','name':'r'}"
#define BINDING(kind, subjects) "{'metadata':{'name':'a'}," REF(kind) ",'subjects':[" subjects "]}"
#define ROLE(rule) "{'metadata':{'name':'a'},'rules':[{" rule "}]}"

START_TEST(test_kinds)
{
    static const struct rule_case cases[] = {
        {SERVICES, "{'metadata':{'name':'a'},'spec':{}}", 422, "spec.ports: Required value"},
        {SERVICES, "{'metadata':{'name':'a'},'spec':{'ports':[{'port':0}]}}", 422,
         "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"},
        {SERVICES, "{'metadata':{'name':'a'},'spec':{'ports':[{'port':1},{'port':2}]}}", 422,
         "spec.ports[1].name: Required value"},
        {SERVICES, "{'metadata':{'name':'a'},'spec':{'type':'Odd','ports':[{'port':1}]}}", 422,
         "spec.type: Unsupported value: \"Odd\": supported values: \"ClusterIP\", "
         "\"ExternalName\", \"LoadBalancer\", \"NodePort\""},
        {SERVICES, "{'metadata':{'name':'a'},'spec':{'type':'ExternalName'}}", 422,
         "spec.externalName: Required value"},
        {LEASES, "{'metadata':{'name':'a'},'spec':{'leaseDurationSeconds':0}}", 422,
         "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"},
        {LEASES, "{'metadata':{'name':'a'},'spec':{'leaseTransitions':-1}}", 422,
         "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"},
        {ROLES, ROLE("'apiGroups':[''],'resources':['pods']"), 422,
         "rules[0].verbs: Required value: verbs must contain at least one value"},
        {ROLES, ROLE("'verbs':['get'],'resources':['pods']"), 422,
         "rules[0].apiGroups: Required value: resource rules must supply at least one api group"},
        {ROLES, ROLE("'verbs':['get'],'apiGroups':['']"), 422,
         "rules[0].resources: Required value: resource rules must supply at least one resource"},
        {ROLES, ROLE("'verbs':['get'],'nonResourceURLs':['/x']"), 422,
         "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to "
         "non-resource URLs"},
        {CLUSTER_ROLES, ROLE("'verbs':['get'],'nonResourceURLs':['/x']"), 201, NULL},
        {CLUSTER_BINDINGS, BINDING("Role", ""), 422,
         "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\""},
        {BINDINGS, BINDING("Thing", ""), 422,
         "roleRef.kind: Unsupported value: \"Thing\": supported values: \"Role\", "
         "\"ClusterRole\""},
        {BINDINGS, BINDING("Role", "{'kind':'Robot','name':'x'}"), 422,
         "subjects[0].kind: Unsupported value: \"Robot\": supported values: \"ServiceAccount\", "
         "\"User\", \"Group\""},
        {BINDINGS, BINDING("Role", "{'kind':'User'}"), 422, "subjects[0].name: Required value"},
        {CLUSTER_BINDINGS, BINDING("ClusterRole", "{'kind':'ServiceAccount','name':'x'}"), 422,
         "subjects[0].namespace: Required value"},
        {BINDINGS, BINDING("Role", "{'kind':'User','name':'x'}"), 201, NULL},
    };
    EXPECT_REFUSED(cases);
}
END_TEST

START_TEST(test_service_defaults)
{
    struct api api;
    api_init(&api);
    struct reply reply =
        rule_send(&api, "POST", SERVICES,
                  "{'metadata':{'name':'a'},'spec':{'ports':[{'name':'x','port':80},{"
                  "'name':'y','port':53,'protocol':'UDP','targetPort':'dns'}]}}");
    ck_reply_code(reply, 201);
    ck_assert_str_eq(reply_text(&reply, "spec.type"), "ClusterIP");
    ck_assert_str_eq(reply_text(&reply, "spec.sessionAffinity"), "None");
    ck_assert_str_eq(reply_text(&reply, "spec.ports[0].protocol"), "TCP");
    ck_assert_int_eq(reply_int(&reply, "spec.ports[0].targetPort"), 80);
    ck_assert_str_eq(reply_text(&reply, "spec.ports[1].protocol"), "UDP");
    ck_assert_str_eq(reply_text(&reply, "spec.ports[1].targetPort"), "dns");
    reply_fini(&reply);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("rules", test_metadata, test_data, test_string_data, test_immutable, test_kinds,
                 test_service_defaults)
