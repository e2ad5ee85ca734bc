/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which webhooks are asked about which operation.
 */
#include "apiserver/webhook.h"

#include <errno.h>

#include "api_fixture.h"

/* An operation on a resource of two versions, and what it is about. */
struct matched {
    struct api api;
    struct cleat_api_resource *widgets;  /* of apps.io, v1 and v1beta1, namespaced */
    struct cleat_api_resource *clusters; /* the same, of the cluster */
};

static void version_set(struct cleat_api_version *version, const char *name, bool served)
{
    snprintf(version->name, sizeof(version->name), "%s", name);
    version->served = served;
}

static struct cleat_api_resource *resource_of(const char *plural, unsigned flags)
{
    struct cleat_api_resource *resource = NULL;
    ck_assert_int_eq(cleat_api_resource_new(&resource), 0);
    snprintf(resource->group, sizeof(resource->group), "apps.io");
    snprintf(resource->plural, sizeof(resource->plural), "%s", plural);
    snprintf(resource->kind, sizeof(resource->kind), "Widget");
    resource->flags = flags;
    version_set(&resource->versions[0], "v1", true);
    version_set(&resource->versions[1], "v1beta1", true);
    version_set(&resource->versions[2], "v1alpha1", false);
    resource->version_count = 3;
    return resource;
}

static void matched_init(struct matched *matched)
{
    api_init(&matched->api);
    matched->widgets = resource_of("widgets", CLEAT_API_NAMESPACED);
    matched->clusters = resource_of("clusters", 0);
    api_expect(&matched->api, "POST", "/api/v1/namespaces",
               "{\"metadata\":{\"name\":\"blue\",\"labels\":{\"color\":\"blue\"}}}", 201);
    api_expect(&matched->api, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"plain\"}}",
               201);
}

static void matched_fini(struct matched *matched)
{
    (void)cleat_api_resource_unref(matched->widgets);
    (void)cleat_api_resource_unref(matched->clusters);
    api_fini(&matched->api);
}

static struct cleat_document *parsed(const char *text)
{
    char json[4096];
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *document = NULL;
    snprintf(json, sizeof(json), "%s", text);
    for (char *byte = json; *byte; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    int result = cleat_document_parse(cleat_str_of(json), &document, &err);
    ck_assert_msg(result == 0, "%s: %s", json, err.text);
    return document;
}

struct question {
    const char *operation;
    bool cluster;
    const char *version;    /* NULL: v1 */
    const char *sub;        /* NULL: none */
    const char *namespace_; /* NULL: plain */
    const char *object;     /* NULL: without labels */
    const char *old;        /* NULL: absent */
};

/* Is the webhook @hook asked? @ret is what it would be asked by. */
static bool ask(struct matched *matched, const char *hook, const struct question *question,
                struct cleat_api_webhook *ret)
{
    struct cleat_document *documents[3] = {parsed(hook),
                                           parsed(question->object ? question->object : "{}"),
                                           parsed(question->old ? question->old : "{}")};
    struct cleat_api_resource *resource = question->cluster ? matched->clusters : matched->widgets;
    const char *namespace_ = question->namespace_ ? question->namespace_ : "plain";
    const struct cleat_api_operation operation = {
        .resource = resource,
        .version = cleat_api_resource_version(
            resource, cleat_str_of(question->version ? question->version : "v1")),
        .name = question->operation,
        .namespace_ = cleat_str_of(question->cluster ? "" : namespace_),
        .object_name = CLEAT_STR("w"),
        .subresource = cleat_str_of(question->sub ? question->sub : ""),
        .old = question->old ? cleat_document_root(documents[2]) : CLEAT_VALUE_NONE,
    };
    ck_assert_ptr_nonnull(operation.version);
    bool matches =
        cleat_api_webhook_matches(matched->api.core, cleat_document_root(documents[0]), false,
                                  &operation, cleat_document_root(documents[1]), ret);
    ret->hook = CLEAT_VALUE_NONE; /* it goes with its document */
    for (size_t i = 0; i < 3; i++)
        (void)cleat_document_unref(documents[i]);
    return matches;
}

#define RULE(groups, versions, resources, operations, scope)                         \
    "{'apiGroups':[" groups "],'apiVersions':[" versions "],'resources':[" resources \
    "],'operations':[" operations "],'scope':'" scope "'}"
#define HOOK(rules, more) "{'name':'w.example.com','rules':[" rules "]" more "}"

START_TEST(test_rules)
{
    static const struct {
        const char *rules;
        struct question question;
        bool wanted;
    } cases[] = {
        {RULE("'apps.io'", "'v1'", "'widgets'", "'CREATE'", "*"), {"CREATE"}, true},
        {RULE("'apps.io'", "'v1'", "'widgets'", "'CREATE'", "*"), {"UPDATE"}, false},
        {RULE("'apps.io'", "'v1'", "'widgets'", "'CREATE','DELETE'", "*"), {"DELETE"}, true},
        {RULE("'*'", "'*'", "'*'", "'*'", "*"), {"UPDATE"}, true},
        {RULE("'*'", "'*'", "'*'", "'*'", "*"), {"UPDATE", .cluster = true}, true},
        {RULE("''", "'v1'", "'widgets'", "'CREATE'", "*"), {"CREATE"}, false},
        {RULE("'apps'", "'v1'", "'widgets'", "'CREATE'", "*"), {"CREATE"}, false},
        {RULE("'apps.io'", "'v2'", "'widgets'", "'CREATE'", "*"), {"CREATE"}, false},
        {RULE("'apps.io'", "'v1'", "'widget'", "'CREATE'", "*"), {"CREATE"}, false},
        {RULE("'apps.io'", "'v1'", "'gadgets','widgets'", "'CREATE'", "*"), {"CREATE"}, true},
        {RULE("", "'v1'", "'widgets'", "'CREATE'", "*"), {"CREATE"}, false},
        /* Any one rule will do, but all of a rule must fit. */
        {RULE("'apps.io'", "'v1'", "'gadgets'", "'*'", "*") "," RULE("'apps.io'", "'v1'",
                                                                     "'widgets'", "'*'", "*"),
         {"CREATE"},
         true},
        {RULE("'apps.io'", "'v1'", "'gadgets'", "'CREATE'",
              "*") "," RULE("'apps.io'", "'v1'", "'widgets'", "'DELETE'", "*"),
         {"CREATE"},
         false},
        {"", {"CREATE"}, false},
        /* Scope. */
        {RULE("'*'", "'*'", "'*'", "'*'", "Namespaced"), {"CREATE"}, true},
        {RULE("'*'", "'*'", "'*'", "'*'", "Namespaced"), {"CREATE", .cluster = true}, false},
        {RULE("'*'", "'*'", "'*'", "'*'", "Cluster"), {"CREATE"}, false},
        {RULE("'*'", "'*'", "'*'", "'*'", "Cluster"), {"CREATE", .cluster = true}, true},
        /* Subresources are asked for by name or by a star. */
        {RULE("'*'", "'*'", "'widgets'", "'*'", "*"), {"UPDATE", .sub = "status"}, false},
        {RULE("'*'", "'*'", "'*'", "'*'", "*"), {"UPDATE", .sub = "status"}, false},
        {RULE("'*'", "'*'", "'widgets/status'", "'*'", "*"), {"UPDATE", .sub = "status"}, true},
        {RULE("'*'", "'*'", "'widgets/status'", "'*'", "*"), {"UPDATE", .sub = "scale"}, false},
        {RULE("'*'", "'*'", "'widgets/status'", "'*'", "*"), {"UPDATE"}, false},
        {RULE("'*'", "'*'", "'widgets/*'", "'*'", "*"), {"UPDATE", .sub = "scale"}, true},
        {RULE("'*'", "'*'", "'*/scale'", "'*'", "*"), {"UPDATE", .sub = "scale"}, true},
        {RULE("'*'", "'*'", "'*/scale'", "'*'", "*"), {"UPDATE", .sub = "status"}, false},
        {RULE("'*'", "'*'", "'*/scale'", "'*'", "*"), {"UPDATE"}, false},
        {RULE("'*'", "'*'", "'*/*'", "'*'", "*"), {"UPDATE", .sub = "status"}, true},
        /* A star behind the slash is everything, the resource itself too, as Kubernetes has it. */
        {RULE("'*'", "'*'", "'widgets/*'", "'*'", "*"), {"UPDATE"}, true},
        {RULE("'*'", "'*'", "'*/*'", "'*'", "*"), {"UPDATE"}, true},
    };
    struct matched matched;
    matched_init(&matched);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char hook[2048];
        struct cleat_api_webhook asked;
        snprintf(hook, sizeof(hook), HOOK("%s", ",'matchPolicy':'Exact'"), cases[i].rules);
        ck_assert_msg(ask(&matched, hook, &cases[i].question, &asked) == cases[i].wanted,
                      "case %zu: %s", i, hook);
    }
    matched_fini(&matched);
}
END_TEST

/* Asked in another version where that is what a rule names, unless it insists. */
START_TEST(test_match_policy)
{
    static const struct {
        const char *version;  /* of the rule */
        const char *policy;   /* member, or "" */
        const char *request;  /* version of the request */
        const char *asked_in; /* NULL: not asked */
    } cases[] = {
        {"'v1'", "", "v1", "v1"},
        {"'v1'", "", "v1beta1", "v1"},
        {"'v1'", ",'matchPolicy':'Equivalent'", "v1beta1", "v1"},
        {"'v1'", ",'matchPolicy':'Exact'", "v1beta1", NULL},
        {"'v1beta1'", ",'matchPolicy':'Equivalent'", "v1", "v1beta1"},
        {"'v1','v1beta1'", ",'matchPolicy':'Equivalent'", "v1beta1", "v1beta1"},
        {"'*'", ",'matchPolicy':'Equivalent'", "v1beta1", "v1beta1"},
        {"'v1alpha1'", ",'matchPolicy':'Equivalent'", "v1", NULL}, /* not served */
        {"'v3'", ",'matchPolicy':'Equivalent'", "v1", NULL},
    };
    struct matched matched;
    matched_init(&matched);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char hook[1024];
        struct cleat_api_webhook asked;
        const struct question question = {.operation = "CREATE", .version = cases[i].request};
        snprintf(hook, sizeof(hook), HOOK(RULE("'*'", "%s", "'widgets'", "'*'", "*"), "%s"),
                 cases[i].version, cases[i].policy);
        bool wanted = cases[i].asked_in != NULL;
        ck_assert_msg(ask(&matched, hook, &question, &asked) == wanted, "case %zu: %s", i, hook);
        if (wanted)
            ck_assert_str_eq(asked.version->name, cases[i].asked_in);
    }
    matched_fini(&matched);
}
END_TEST

#define LABELED(value) "{'metadata':{'labels':{'tier':'" value "'}}}"

START_TEST(test_selectors)
{
    static const struct {
        const char *selectors; /* members of the webhook */
        struct question question;
        bool wanted;
    } cases[] = {
        {"", {"CREATE"}, true},
        {",'objectSelector':{},'namespaceSelector':{}", {"CREATE"}, true},
        {",'objectSelector':{'matchLabels':{'tier':'a'}}",
         {"CREATE", .object = LABELED("a")},
         true},
        {",'objectSelector':{'matchLabels':{'tier':'a'}}",
         {"CREATE", .object = LABELED("b")},
         false},
        {",'objectSelector':{'matchLabels':{'tier':'a'}}", {"CREATE"}, false},
        {",'objectSelector':{'matchExpressions':[{'key':'tier','operator':'DoesNotExist'}]}",
         {"CREATE"},
         true},
        /* Either state of an update counts: nobody relabels himself out of reach. */
        {",'objectSelector':{'matchLabels':{'tier':'a'}}",
         {"UPDATE", .object = LABELED("b"), .old = LABELED("a")},
         true},
        {",'objectSelector':{'matchLabels':{'tier':'a'}}",
         {"UPDATE", .object = LABELED("a"), .old = LABELED("b")},
         true},
        {",'objectSelector':{'matchLabels':{'tier':'a'}}",
         {"UPDATE", .object = LABELED("b"), .old = LABELED("c")},
         false},
        /* The labels of the namespace. */
        {",'namespaceSelector':{'matchLabels':{'color':'blue'}}",
         {"CREATE", .namespace_ = "blue"},
         true},
        {",'namespaceSelector':{'matchLabels':{'color':'blue'}}", {"CREATE"}, false},
        {",'namespaceSelector':{'matchLabels':{'color':'blue'}}",
         {"CREATE", .object = "{'metadata':{'labels':{'color':'blue'}}}"},
         false},
        {",'namespaceSelector':{'matchLabels':{'kubernetes.io/metadata.name':'plain'}}",
         {"CREATE"},
         true},
        {",'namespaceSelector':{'matchExpressions':[{'key':'color','operator':'NotIn','values':["
         "'blue']}]}",
         {"CREATE", .namespace_ = "blue"},
         false},
        /* What is of the cluster has no namespace to be selected by. */
        {",'namespaceSelector':{'matchLabels':{'color':'blue'}}",
         {"CREATE", .cluster = true},
         true},
        /* Both must select. */
        {",'namespaceSelector':{'matchLabels':{'color':'blue'}},'objectSelector':{'matchLabels':{"
         "'tier':'a'}}",
         {"CREATE", .namespace_ = "blue", .object = LABELED("b")},
         false},
        {",'namespaceSelector':{'matchLabels':{'color':'blue'}},'objectSelector':{'matchLabels':{"
         "'tier':'a'}}",
         {"CREATE", .namespace_ = "blue", .object = LABELED("a")},
         true},
    };
    struct matched matched;
    matched_init(&matched);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char hook[2048];
        struct cleat_api_webhook asked;
        snprintf(hook, sizeof(hook), HOOK(RULE("'*'", "'*'", "'*'", "'*'", "*"), "%s"),
                 cases[i].selectors);
        ck_assert_msg(ask(&matched, hook, &cases[i].question, &asked) == cases[i].wanted,
                      "case %zu: %s", i, hook);
    }
    matched_fini(&matched);
}
END_TEST

START_TEST(test_what_it_is_asked_by)
{
    struct matched matched;
    struct cleat_api_webhook asked;
    const struct question question = {.operation = "CREATE"};
    matched_init(&matched);
    ck_assert(ask(&matched, HOOK(RULE("'*'", "'*'", "'*'", "'*'", "*"), ""), &question, &asked));
    ck_assert_str_eq(asked.name, "w.example.com");
    ck_assert(!asked.ignore && !asked.mutating);
    ck_assert_int_eq(asked.timeout_ms, 10000);
    ck_assert(ask(
        &matched,
        HOOK(RULE("'*'", "'*'", "'*'", "'*'", "*"), ",'failurePolicy':'Ignore','timeoutSeconds':3"),
        &question, &asked));
    ck_assert(asked.ignore);
    ck_assert_int_eq(asked.timeout_ms, 3000);
    matched_fini(&matched);
}
END_TEST

/* One condition that doesn't hold settles it; else an error is one. */
START_TEST(test_conditions)
{
    static const struct {
        const char *conditions;
        int wanted;
    } cases[] = {
        {"", 1},
        {"{'name':'a','expression':'true'}", 1},
        {"{'name':'a','expression':'true'},{'name':'b','expression':'false'}", 0},
        {"{'name':'a','expression':'object.x == 1'}", -EINVAL},
        {"{'name':'a','expression':'object.x == 1'},{'name':'b','expression':'false'}", 0},
        {"{'name':'a','expression':'object.x == 1'},{'name':'b','expression':'true'}", -EINVAL},
        {"{'name':'a','expression':'request.uid == object.uid'}", 1},
        {"{'name':'a','expression':'oldObject == null'}", 1},
    };
    struct cleat_document *review =
        parsed("{'request':{'uid':'u','object':{'uid':'u'},'oldObject':null}}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char hook[1024];
        snprintf(hook, sizeof(hook), "{'matchConditions':[%s]}", cases[i].conditions);
        struct cleat_document *document = parsed(hook);
        const struct cleat_api_webhook webhook = {.hook = cleat_document_root(document)};
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(cleat_api_webhook_conditions(&webhook, cleat_document_root(review), &err) ==
                          cases[i].wanted,
                      "%s", cases[i].conditions);
        (void)cleat_document_unref(document);
    }
    (void)cleat_document_unref(review);
}
END_TEST

CLEAT_SUITE_MAIN("webhook-match", test_rules, test_match_policy, test_selectors,
                 test_what_it_is_asked_by, test_conditions)
