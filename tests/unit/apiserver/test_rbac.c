/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RBAC by stored roles and bindings: who may do what, and by which binding.
 */
#include "apiserver/rbac.h"

#include "api_fixture.h"

#define RBAC "/apis/rbac.authorization.k8s.io/v1"

struct who {
    const char *name;
    const char *groups[3];
};

/* What is asked for; NULL is "". */
struct what {
    const char *verb;
    const char *group;
    const char *plural;
    const char *sub;
    const char *namespace_;
    const char *name;
    const char *path; /* not NULL: no resource */
};

static void rbac_store(struct api *api, const char *path, const char *text)
{
    char body[2048];
    snprintf(body, sizeof(body), "%s", text);
    for (char *byte = body; *byte; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    api_expect(api, "POST", path, body, 201);
}

static void rbac_init(struct api *api)
{
    struct cleat_apiserver_options options = {.no_gc = true, .rbac = true};
    api_init_with(api, &options);
}

static int rbac_ask(struct api *api, const struct who *who, const struct what *what,
                    char reason[256])
{
    struct cleat_api_user *user = NULL;
    ck_assert_int_eq(cleat_api_user_new(cleat_str_of(who->name), CLEAT_STR(""), &user), 0);
    for (size_t i = 0; i < 3 && who->groups[i]; i++)
        ck_assert_int_eq(cleat_api_user_add_group(user, cleat_str_of(who->groups[i])), 0);
    const struct cleat_api_attributes attributes = {
        .user = user,
        .verb = what->verb,
        .is_resource = what->path == NULL,
        .group = cleat_str_of(what->group ? what->group : ""),
        .version = CLEAT_STR("v1"),
        .plural = cleat_str_of(what->plural ? what->plural : ""),
        .subresource = cleat_str_of(what->sub ? what->sub : ""),
        .namespace_ = cleat_str_of(what->namespace_ ? what->namespace_ : ""),
        .name = cleat_str_of(what->name ? what->name : ""),
        .path = cleat_str_of(what->path ? what->path : ""),
    };
    int result = cleat_api_rbac_authorize(api->core, &attributes, reason);
    (void)cleat_api_user_unref(user);
    return result;
}

/* One rule, granted to jo everywhere. */
START_TEST(test_rules)
{
    static const struct {
        const char *rule;
        struct what what;
        bool allowed;
    } cases[] = {
#define PODS "'apiGroups':[''],'resources':['pods']"
        {PODS ",'verbs':['get']", {"get", .plural = "pods", .namespace_ = "a"}, true},
        {PODS ",'verbs':['get']", {"get", .plural = "pods"}, true},
        {PODS ",'verbs':['get']", {"list", .plural = "pods"}, false},
        {PODS ",'verbs':['get']", {"get", .plural = "secrets"}, false},
        {PODS ",'verbs':['get']", {"get", "apps", "pods"}, false},
        {PODS ",'verbs':['*']", {"deletecollection", .plural = "pods"}, true},
        {PODS ",'verbs':[]", {"get", .plural = "pods"}, false},
        {PODS, {"get", .plural = "pods"}, false},
        {"'apiGroups':['*'],'resources':['*'],'verbs':['*']", {"get", "x.io", "things"}, true},
        {"'apiGroups':['x.io'],'resources':['*'],'verbs':['*']", {"get", "y.io", "things"}, false},
        {"'apiGroups':[''],'resources':['*'],'verbs':['*']", {"get", "apps", "things"}, false},
        {"'resources':['pods'],'verbs':['get']", {"get", .plural = "pods"}, false},
        /* Verbs are words, without patterns. */
        {PODS ",'verbs':['g*']", {"get", .plural = "pods"}, false},
        {PODS ",'verbs':['GET']", {"get", .plural = "pods"}, false},
        /* Subresources are named with their resource; the star is all. */
        {PODS ",'verbs':['get']", {"get", .plural = "pods", .sub = "log"}, false},
        {"'apiGroups':[''],'resources':['pods/log'],'verbs':['get']",
         {"get", .plural = "pods", .sub = "log"},
         true},
        {"'apiGroups':[''],'resources':['pods/log'],'verbs':['get']",
         {"get", .plural = "pods"},
         false},
        {"'apiGroups':[''],'resources':['pods/log'],'verbs':['get']",
         {"get", .plural = "pods", .sub = "status"},
         false},
        {"'apiGroups':['apps'],'resources':['*/scale'],'verbs':['get']",
         {"get", "apps", "deployments", "scale"},
         true},
        {"'apiGroups':['apps'],'resources':['*/scale'],'verbs':['get']",
         {"get", "apps", "deployments"},
         false},
        {"'apiGroups':['apps'],'resources':['*'],'verbs':['get']",
         {"get", "apps", "deployments", "scale"},
         true},
        {"'apiGroups':[''],'resources':['pods/*'],'verbs':['get']",
         {"get", .plural = "pods", .sub = "log"},
         false}, /* not a pattern, in Kubernetes either */
        /* Names. */
        {PODS ",'verbs':['get'],'resourceNames':['x','y']",
         {"get", .plural = "pods", .name = "y"},
         true},
        {PODS ",'verbs':['get'],'resourceNames':['x','y']",
         {"get", .plural = "pods", .name = "z"},
         false},
        {PODS ",'verbs':['*'],'resourceNames':['x']", {"list", .plural = "pods"}, false},
        {PODS ",'verbs':['*'],'resourceNames':['x']", {"create", .plural = "pods"}, false},
        {PODS ",'verbs':['get'],'resourceNames':['*']",
         {"get", .plural = "pods", .name = "x"},
         false},
        {PODS ",'verbs':['get'],'resourceNames':[]", {"get", .plural = "pods", .name = "x"}, true},
        /* Paths. */
        {"'nonResourceURLs':['/metrics'],'verbs':['get']", {"get", .path = "/metrics"}, true},
        {"'nonResourceURLs':['/metrics'],'verbs':['get']", {"post", .path = "/metrics"}, false},
        {"'nonResourceURLs':['/metrics'],'verbs':['get']", {"get", .path = "/metrics/x"}, false},
        {"'nonResourceURLs':['/metrics/*'],'verbs':['get']", {"get", .path = "/metrics/x/y"}, true},
        {"'nonResourceURLs':['/metrics/*'],'verbs':['get']", {"get", .path = "/metrics"}, false},
        {"'nonResourceURLs':['*'],'verbs':['*']", {"get", .path = "/anything"}, true},
        {"'nonResourceURLs':['/a*b'],'verbs':['get']", {"get", .path = "/axb"}, false},
        {"'nonResourceURLs':['*'],'verbs':['*']", {"get", .plural = "pods"}, false},
        {"'apiGroups':['*'],'resources':['*'],'verbs':['*']", {"get", .path = "/metrics"}, false},
    };
    static const struct who jo = {"jo", {"people"}};
    static const struct who other = {"other", {"people"}};
    struct api api;
    char reason[256];
    rbac_init(&api);
    rbac_store(&api, RBAC "/clusterrolebindings",
               "{'metadata':{'name':'b'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':"
               "'ClusterRole','name':'r'},'subjects':[{'kind':'User','apiGroup':"
               "'rbac.authorization.k8s.io','name':'jo'}]}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char role[1024];
        /* What isn't even stored allows nothing. */
        snprintf(role, sizeof(role), "{'metadata':{'name':'r'},'rules':[{%s}]}", cases[i].rule);
        for (char *byte = role; *byte; byte++)
            *byte = *byte == '\'' ? '"' : *byte;
        struct reply reply = api_do(&api, "POST", RBAC "/clusterroles", role);
        if (reply.code == 422) {
            ck_assert_msg(!cases[i].allowed, "case %zu: %s", i, reply.text.data);
            reply_fini(&reply);
            continue;
        }
        ck_reply_code(reply, 201);
        reply_fini(&reply);
        int result = rbac_ask(&api, &jo, &cases[i].what, reason);
        ck_assert_msg(result == !cases[i].allowed, "case %zu: %s: %d %s", i, cases[i].rule, result,
                      reason);
        ck_assert_str_eq(reason, cases[i].allowed
                                     ? "RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole "
                                       "\"r\" to subject \"jo\""
                                     : "");
        ck_assert_int_eq(rbac_ask(&api, &other, &cases[i].what, reason), 1);
        api_expect(&api, "DELETE", RBAC "/clusterroles/r", NULL, 200);
    }
    api_fini(&api);
}
END_TEST

#define GROUP "'apiGroup':'rbac.authorization.k8s.io',"

/* One subject, bound to reading pods everywhere. */
START_TEST(test_subjects)
{
    static const struct {
        const char *subjects;
        struct who who;
        bool allowed;
    } cases[] = {
        {"{" GROUP "'kind':'User','name':'jo'}", {"jo", {NULL}}, true},
        {"{" GROUP "'kind':'User','name':'jo'}", {"joe", {NULL}}, false},
        {"{" GROUP "'kind':'User','name':'jo'}", {"x", {"jo"}}, false},
        {"{" GROUP "'kind':'Group','name':'devs'}", {"jo", {"ops", "devs"}}, true},
        {"{" GROUP "'kind':'Group','name':'devs'}", {"devs", {"ops"}}, false},
        {"{" GROUP "'kind':'Group','name':'system:authenticated'}",
         {"jo", {"system:authenticated"}},
         true},
        {"{'kind':'ServiceAccount','namespace':'a','name':'bot'}",
         {"system:serviceaccount:a:bot", {NULL}},
         true},
        {"{'kind':'ServiceAccount','namespace':'a','name':'bot'}",
         {"system:serviceaccount:b:bot", {NULL}},
         false},
        {"{'kind':'ServiceAccount','namespace':'a','name':'bot'}",
         {"system:serviceaccount:a:bot2", {NULL}},
         false},
        {"{'kind':'ServiceAccount','namespace':'a','name':'bot'}", {"bot", {NULL}}, false},
        {"{'kind':'ServiceAccount','namespace':'a','name':'bot'}",
         {"system:serviceaccount:a", {NULL}},
         false},
        {"{" GROUP "'kind':'Group','name':'system:serviceaccounts:a'}",
         {"system:serviceaccount:a:bot", {"system:serviceaccounts:a"}},
         true},
        {"{" GROUP "'kind':'User','name':'system:serviceaccount:a:bot'}",
         {"system:serviceaccount:a:bot", {NULL}},
         true},
        {"{" GROUP "'kind':'User','name':'x'},{" GROUP "'kind':'User','name':'jo'}",
         {"jo", {NULL}},
         true},
        {"", {"jo", {NULL}}, false},
        /* Whoever is of this group may do all, whatever is stored. */
        {"", {"root", {"system:masters"}}, true},
    };
    static const struct what what = {"get", .plural = "pods", .namespace_ = "default"};
    struct api api;
    char reason[256];
    rbac_init(&api);
    rbac_store(&api, RBAC "/clusterroles",
               "{'metadata':{'name':'r'},'rules':[{'apiGroups':[''],'resources':['pods'],'verbs':["
               "'get']}]}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char binding[1024];
        snprintf(binding, sizeof(binding),
                 "{'metadata':{'name':'b'},'roleRef':{" GROUP "'kind':'ClusterRole','name':'r'},"
                 "'subjects':[%s]}",
                 cases[i].subjects);
        rbac_store(&api, RBAC "/clusterrolebindings", binding);
        ck_assert_msg(rbac_ask(&api, &cases[i].who, &what, reason) == !cases[i].allowed,
                      "case %zu: %s: %s", i, cases[i].subjects, reason);
        api_expect(&api, "DELETE", RBAC "/clusterrolebindings/b", NULL, 200);
    }
    api_fini(&api);
}
END_TEST

#define READS "'rules':[{'apiGroups':[''],'resources':['configmaps'],'verbs':['get']}]"
#define DEFAULT_BINDINGS RBAC "/namespaces/default/rolebindings"

/* What a RoleBinding gives, it gives in its namespace alone. */
START_TEST(test_namespaces)
{
    static const struct {
        const char *name;
        struct what what;
        bool allowed;
    } cases[] = {
        /* of a Role in default */
        {"jo", {"get", .plural = "configmaps", .namespace_ = "default"}, true},
        {"jo", {"get", .plural = "configmaps", .namespace_ = "kube-public"}, false},
        {"jo", {"get", .plural = "configmaps"}, false},
        {"jo", {"get", .plural = "secrets", .namespace_ = "default"}, false},
        /* of a ClusterRole, bound in default */
        {"al", {"get", .plural = "nodes", .namespace_ = "default"}, true},
        {"al", {"get", .plural = "nodes"}, false},
        {"al", {"get", .plural = "nodes", .namespace_ = "kube-public"}, false},
        {"al", {"get", .path = "/metrics"}, false},
        /* of a Role that exists in another namespace only */
        {"ed", {"get", .plural = "configmaps", .namespace_ = "default"}, false},
        {"ed", {"get", .plural = "configmaps", .namespace_ = "kube-public"}, false},
        /* of none */
        {"no", {"get", .plural = "configmaps", .namespace_ = "default"}, false},
        /* an account that the binding names without a namespace would be of the binding's own */
        {"system:serviceaccount:kube-public:bot",
         {"get", .plural = "configmaps", .namespace_ = "default"},
         true},
        {"system:serviceaccount:default:bot",
         {"get", .plural = "configmaps", .namespace_ = "default"},
         false},
    };
    struct api api;
    char reason[256];
    rbac_init(&api);
    rbac_store(&api, RBAC "/namespaces/default/roles", "{'metadata':{'name':'reads'}," READS "}");
    rbac_store(&api, RBAC "/namespaces/kube-public/roles",
               "{'metadata':{'name':'there'}," READS "}");
    rbac_store(&api, RBAC "/clusterroles",
               "{'metadata':{'name':'all'},'rules':[{'apiGroups':[''],'resources':['nodes'],"
               "'verbs':['get']},{'nonResourceURLs':['*'],'verbs':['get']}]}");
    rbac_store(&api, DEFAULT_BINDINGS,
               "{'metadata':{'name':'jo'},'roleRef':{" GROUP "'kind':'Role','name':'reads'},"
               "'subjects':[{" GROUP "'kind':'User','name':'jo'},{'kind':'ServiceAccount',"
               "'namespace':'kube-public','name':'bot'}]}");
    rbac_store(&api, DEFAULT_BINDINGS,
               "{'metadata':{'name':'al'},'roleRef':{" GROUP "'kind':'ClusterRole','name':'all'},"
               "'subjects':[{" GROUP "'kind':'User','name':'al'}]}");
    rbac_store(&api, DEFAULT_BINDINGS,
               "{'metadata':{'name':'ed'},'roleRef':{" GROUP "'kind':'Role','name':'there'},"
               "'subjects':[{" GROUP "'kind':'User','name':'ed'}]}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct who who = {cases[i].name, {"system:unheard"}};
        ck_assert_msg(rbac_ask(&api, &who, &cases[i].what, reason) == !cases[i].allowed,
                      "case %zu: %s: %s", i, cases[i].name, reason);
    }
    const struct who jo = {"jo", {NULL}};
    (void)rbac_ask(&api, &jo, &cases[0].what, reason);
    ck_assert_str_eq(reason,
                     "RBAC: allowed by RoleBinding \"default/jo\" of Role \"reads\" to subject "
                     "\"jo\"");
    /* Gone is gone at once. */
    api_expect(&api, "DELETE", DEFAULT_BINDINGS "/jo", NULL, 200);
    ck_assert_int_eq(rbac_ask(&api, &jo, &cases[0].what, reason), 1);
    api_fini(&api);
}
END_TEST

static bool visit_count(void *arg, struct cleat_value rule, const char *binding)
{
    size_t *count = arg;
    ck_assert(cleat_value_is_present(cleat_value_get(rule, "verbs")));
    ck_assert(binding[0] != 0);
    return ++*count == 2;
}

START_TEST(test_visit)
{
    struct api api;
    struct cleat_api_user *user = NULL;
    size_t count = 0;
    bool failed = true;
    rbac_init(&api);
    rbac_store(&api, RBAC "/clusterroles",
               "{'metadata':{'name':'r'},'rules':[{'nonResourceURLs':['/a'],'verbs':['get']},{"
               "'nonResourceURLs':['/b'],'verbs':['get']},{'nonResourceURLs':['/c'],'verbs':["
               "'get']}]}");
    rbac_store(&api, RBAC "/clusterrolebindings",
               "{'metadata':{'name':'b'},'roleRef':{" GROUP "'kind':'ClusterRole','name':'r'},"
               "'subjects':[{" GROUP "'kind':'User','name':'jo'}]}");
    ck_assert_int_eq(cleat_api_user_new(CLEAT_STR("jo"), CLEAT_STR(""), &user), 0);
    /* It stops where it is told to. */
    ck_assert(cleat_api_rbac_visit(api.core, user, CLEAT_STR(""), visit_count, &count, &failed));
    ck_assert_uint_eq(count, 2);
    ck_assert(!failed);
    count = 10;
    ck_assert(
        !cleat_api_rbac_visit(api.core, user, CLEAT_STR("default"), visit_count, &count, NULL));
    ck_assert_uint_eq(count, 13);
    (void)cleat_api_user_unref(user);
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("rbac", test_rules, test_subjects, test_namespaces, test_visit)
