/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <cleat/buffer.h>
#include <cleat/document.h>
#include <cleat/path.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "base/mem.h"
#include "server/manifests.h"
#include "support/suite.h"

/* What came out, as JSON: each object's text, to be parsed again where a test looks closer. */
#define OBJECTS_MAX 64

struct objects {
    struct cleat_document *documents[OBJECTS_MAX];
    size_t count;
};

static int collect(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct objects *objects = arg;
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_uint_lt(objects->count, OBJECTS_MAX);
    ck_assert_int_eq(cleat_write_json(&json, object, err), 0);
    ck_assert_int_eq(
        cleat_document_parse(cleat_buffer_view(&json), &objects->documents[objects->count++], err),
        0);
    cleat_buffer_fini(&json);
    return 0;
}

static void make(const struct cleat_manifests_options *options, struct objects *objects)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    *objects = (struct objects){.count = 0};
    ck_assert_msg(cleat_manifests_each(options, collect, objects, &err) == 0, "%s", err.text);
}

static void drop(struct objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        cleat_document_unref(objects->documents[i]);
    objects->count = 0;
}

static struct cleat_value at(const struct objects *objects, size_t index)
{
    return cleat_document_root(objects->documents[index]);
}

/* The object of that kind and name; absent where there is none. */
static struct cleat_value find(const struct objects *objects, const char *kind, const char *name)
{
    for (size_t i = 0; i < objects->count; i++)
        if (cleat_value_is(cleat_value_get(at(objects, i), "kind"), kind) &&
            cleat_value_is(cleat_value_find(at(objects, i), "metadata.name"), name))
            return at(objects, i);
    return (struct cleat_value){0};
}

static bool is(struct cleat_value object, const char *path, const char *text)
{
    return cleat_value_is(cleat_value_find(object, path), text);
}

static bool has_rule(struct cleat_value role, const char *group, const char *resource,
                     const char *verb)
{
    struct cleat_value rules = cleat_value_get(role, "rules");
    for (size_t i = 0; i < cleat_value_count(rules); i++) {
        struct cleat_value rule = cleat_value_at(rules, i);
        struct cleat_value verbs = cleat_value_get(rule, "verbs");
        if (!is(rule, "apiGroups[0]", group) || !is(rule, "resources[0]", resource))
            continue;
        for (size_t j = 0; j < cleat_value_count(verbs); j++)
            if (cleat_value_is(cleat_value_at(verbs, j), verb))
                return true;
    }
    return false;
}

START_TEST(test_plain_is_what_deploy_holds)
{
    struct objects objects;
    make(&(struct cleat_manifests_options){.crds = false}, &objects);
    ck_assert(is(at(&objects, 0), "kind", "Namespace"));
    ck_assert(is(at(&objects, objects.count - 1), "kind", "Deployment"));
    ck_assert(is(find(&objects, "Namespace", "cleat-system"), "apiVersion", "v1"));
    ck_assert(is(find(&objects, "Service", "cleat"), "metadata.namespace", "cleat-system"));
    ck_assert(is(find(&objects, "Deployment", "cleat"), "spec.template.spec.containers[0].args[0]",
                 "serve"));
    ck_assert(
        !cleat_value_is_present(find(&objects, "CustomResourceDefinition", "mirrors.cleat.dev")));
    drop(&objects);
}
END_TEST

START_TEST(test_crds_come_alone)
{
    struct objects objects;
    make(&(struct cleat_manifests_options){.crds = true}, &objects);
    ck_assert_uint_eq(objects.count, 1);
    struct cleat_value crd = find(&objects, "CustomResourceDefinition", "mirrors.cleat.dev");
    ck_assert(is(crd, "spec.scope", "Cluster"));
    ck_assert(is(crd, "spec.names.kind", "Mirror"));
    ck_assert(is(crd, "spec.names.shortNames[0]", "mir"));
    ck_assert(is(crd, "spec.versions[0].name", "v1alpha1"));
    ck_assert(cleat_value_type(cleat_value_find(crd, "spec.versions[0].subresources.status")) ==
              CLEAT_TYPE_OBJECT);
    drop(&objects);
}
END_TEST

/* Nothing that is closed may be reached before the server has put its CA there. */
START_TEST(test_configurations_are_shipped_closed_and_without_a_bundle)
{
    static const char *const names[] = {"cleat-mutating", "cleat-validating"};
    static const char *const kinds[] = {"MutatingWebhookConfiguration",
                                        "ValidatingWebhookConfiguration"};
    struct objects objects;
    make(&(struct cleat_manifests_options){.crds = false}, &objects);
    for (size_t i = 0; i < 2; i++) {
        struct cleat_value object = find(&objects, kinds[i], names[i]);
        ck_assert(is(object, "webhooks[0].failurePolicy", "Fail"));
        ck_assert(
            !cleat_value_is_present(cleat_value_find(object, "webhooks[0].clientConfig.caBundle")));
        ck_assert_uint_eq(
            cleat_value_count(cleat_value_find(object, "webhooks[0].matchConditions")), 2);
        ck_assert(is(object, "webhooks[0].clientConfig.service.namespace", "cleat-system"));
    }
    struct cleat_value copies = find(&objects, "ValidatingWebhookConfiguration", "cleat-copies");
    ck_assert(cleat_value_type(copies) == CLEAT_TYPE_OBJECT);
    ck_assert(!cleat_value_is_present(cleat_value_get(copies, "webhooks")));
    drop(&objects);
}
END_TEST

static void check_no_wildcard(struct cleat_value value)
{
    for (size_t i = 0; i < cleat_value_count(value); i++)
        ck_assert(!cleat_value_is(cleat_value_at(value, i), "*"));
}

START_TEST(test_roles_have_no_wildcard)
{
    char *const more[] = {(char *)"deployments.apps", (char *)"Ingress.networking.k8s.io", NULL};
    struct objects objects;
    size_t rules_seen = 0;
    make(&(struct cleat_manifests_options){.more_kinds = more}, &objects);
    for (size_t i = 0; i < objects.count; i++) {
        struct cleat_value rules = cleat_value_get(at(&objects, i), "rules");
        for (size_t j = 0; j < cleat_value_count(rules); j++, rules_seen++) {
            check_no_wildcard(cleat_value_get(cleat_value_at(rules, j), "apiGroups"));
            check_no_wildcard(cleat_value_get(cleat_value_at(rules, j), "resources"));
            check_no_wildcard(cleat_value_get(cleat_value_at(rules, j), "verbs"));
        }
    }
    ck_assert_uint_gt(rules_seen, 10);
    drop(&objects);
}
END_TEST

START_TEST(test_kinds_and_further_kinds)
{
    char *const kinds[] = {(char *)"ConfigMap", NULL};
    char *const more[] = {(char *)"apps/Deployment", (char *)"NetworkPolicy.networking.k8s.io",
                          NULL};
    struct objects objects;
    make(&(struct cleat_manifests_options){.kinds = kinds, .more_kinds = more}, &objects);
    struct cleat_value role = find(&objects, "ClusterRole", "cleat");
    ck_assert(has_rule(role, "", "configmaps", "create"));
    ck_assert(!has_rule(role, "", "secrets", "get"));
    ck_assert(has_rule(role, "apps", "deployments", "update"));
    ck_assert(has_rule(role, "networking.k8s.io", "networkpolicies", "delete"));
    /* What isn't about mirrored kinds stays. */
    ck_assert(has_rule(role, "cleat.dev", "mirrors", "watch"));
    ck_assert(has_rule(role, "", "namespaces", "list"));
    ck_assert(has_rule(role, "authorization.k8s.io", "subjectaccessreviews", "create"));
    ck_assert(has_rule(role, "authentication.k8s.io", "tokenreviews", "create"));
    /* Who reads metrics gets nothing but these. */
    role = find(&objects, "ClusterRole", "cleat-metrics-reader");
    ck_assert_uint_eq(cleat_value_count(cleat_value_get(role, "rules")), 1);
    ck_assert(is(role, "rules[0].nonResourceURLs[0]", "/metrics"));
    ck_assert(is(role, "rules[0].verbs[0]", "get"));
    drop(&objects);
    /* None at all: the server can't copy anything, but is installed. */
    make(&(struct cleat_manifests_options){.kinds = (char *const[]){NULL}}, &objects);
    ck_assert(!has_rule(find(&objects, "ClusterRole", "cleat"), "", "configmaps", "get"));
    drop(&objects);
}
END_TEST

START_TEST(test_namespace_is_changed_everywhere)
{
    struct objects objects;
    make(&(struct cleat_manifests_options){.namespace_ = "elsewhere", .cert_manager = true},
         &objects);
    for (size_t i = 0; i < objects.count; i++) {
        struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_MIB);
        ck_assert_int_eq(cleat_write_json(&json, at(&objects, i), NULL), 0);
        ck_assert_msg(!strstr(json.data, "cleat-system"), "%s", json.data);
        cleat_buffer_fini(&json);
    }
    ck_assert(is(find(&objects, "Namespace", "elsewhere"), "kind", "Namespace"));
    ck_assert(
        is(find(&objects, "ClusterRoleBinding", "cleat"), "subjects[0].namespace", "elsewhere"));
    /* Events about cluster-scoped objects stay where they belong. */
    ck_assert(is(find(&objects, "RoleBinding", "cleat-events"), "metadata.namespace", "default"));
    ck_assert(
        is(find(&objects, "RoleBinding", "cleat-events"), "subjects[0].namespace", "elsewhere"));
    drop(&objects);
}
END_TEST

START_TEST(test_url_replaces_the_service)
{
    static const char *const urls[] = {"https://hooks.example.com:9443",
                                       "https://hooks.example.com:9443/"};
    for (size_t i = 0; i < 2; i++) {
        struct objects objects;
        make(&(struct cleat_manifests_options){.webhook_url = urls[i]}, &objects);
        struct cleat_value object =
            find(&objects, "MutatingWebhookConfiguration", "cleat-mutating");
        ck_assert(is(object, "webhooks[0].clientConfig.url",
                     "https://hooks.example.com:9443/mutate-cleat-dev-v1alpha1-mirror"));
        ck_assert(
            !cleat_value_is_present(cleat_value_find(object, "webhooks[0].clientConfig.service")));
        object = find(&objects, "ValidatingWebhookConfiguration", "cleat-validating");
        ck_assert(is(object, "webhooks[0].clientConfig.url",
                     "https://hooks.example.com:9443/validate-cleat-dev-v1alpha1-mirror"));
        drop(&objects);
    }
}
END_TEST

START_TEST(test_url_reaches_the_server)
{
    struct objects objects;
    make(&(struct cleat_manifests_options){.webhook_url = "https://[::1]:9443"}, &objects);
    ck_assert(is(find(&objects, "Deployment", "cleat"), "spec.template.spec.containers[0].args[2]",
                 "--webhook-url=https://[::1]:9443"));
    drop(&objects);
}
END_TEST

START_TEST(test_image_and_replicas)
{
    struct objects objects;
    make(&(struct cleat_manifests_options){.image = "registry.example.com/cleat:9", .replicas = 5},
         &objects);
    struct cleat_value deployment = find(&objects, "Deployment", "cleat");
    ck_assert(
        is(deployment, "spec.template.spec.containers[0].image", "registry.example.com/cleat:9"));
    ck_assert_int_eq(cleat_value_int_or(cleat_value_find(deployment, "spec.replicas"), 0), 5);
    drop(&objects);
}
END_TEST

static bool has_argument(struct cleat_value deployment, const char *text)
{
    struct cleat_value args = cleat_value_find(deployment, "spec.template.spec.containers[0].args");
    for (size_t i = 0; i < cleat_value_count(args); i++)
        if (cleat_value_is(cleat_value_at(args, i), text))
            return true;
    return false;
}

START_TEST(test_cert_manager)
{
    static const char injected[] = "metadata.annotations[\"cert-manager.io/inject-ca-from\"]";
    struct objects objects;
    make(&(struct cleat_manifests_options){.cert_manager = true}, &objects);
    struct cleat_value certificate = find(&objects, "Certificate", "cleat-webhook-cert");
    ck_assert(is(certificate, "metadata.namespace", "cleat-system"));
    ck_assert(is(certificate, "spec.dnsNames[0]", "cleat.cleat-system.svc"));
    ck_assert(is(certificate, "spec.dnsNames[1]", "cleat.cleat-system.svc.cluster.local"));
    ck_assert_uint_eq(cleat_value_count(cleat_value_find(certificate, "spec.dnsNames")), 2);
    ck_assert(is(find(&objects, "Issuer", "cleat"), "metadata.namespace", "cleat-system"));
    ck_assert(is(find(&objects, "MutatingWebhookConfiguration", "cleat-mutating"), injected,
                 "cleat-system/cleat-webhook-cert"));
    ck_assert(is(find(&objects, "ValidatingWebhookConfiguration", "cleat-copies"), injected,
                 "cleat-system/cleat-webhook-cert"));
    struct cleat_value deployment = find(&objects, "Deployment", "cleat");
    ck_assert(has_argument(deployment, "--webhook-cert-path=/var/run/cleat/certs"));
    ck_assert(
        is(deployment, "spec.template.spec.volumes[0].secret.secretName", "cleat-webhook-cert"));
    ck_assert(is(deployment, "spec.template.spec.containers[0].volumeMounts[0].mountPath",
                 "/var/run/cleat/certs"));
    /* What somebody else does needs no right of ours. */
    ck_assert(!has_rule(find(&objects, "Role", "cleat"), "", "secrets", "create"));
    ck_assert(!has_rule(find(&objects, "ClusterRole", "cleat"), "admissionregistration.k8s.io",
                        "mutatingwebhookconfigurations", "update"));
    drop(&objects);
    make(&(struct cleat_manifests_options){.crds = false}, &objects);
    ck_assert(!cleat_value_is_present(find(&objects, "Certificate", "cleat-webhook-cert")));
    ck_assert(!has_argument(find(&objects, "Deployment", "cleat"),
                            "--webhook-cert-path=/var/run/cleat/certs"));
    drop(&objects);
}
END_TEST

START_TEST(test_service_monitor)
{
    struct objects objects;
    make(&(struct cleat_manifests_options){.namespace_ = "elsewhere", .service_monitor = true},
         &objects);
    struct cleat_value monitor = find(&objects, "ServiceMonitor", "cleat");
    ck_assert(is(monitor, "metadata.namespace", "elsewhere"));
    ck_assert(is(monitor, "spec.endpoints[0].tlsConfig.serverName", "cleat.elsewhere.svc"));
    drop(&objects);
    make(&(struct cleat_manifests_options){.crds = false}, &objects);
    ck_assert(!cleat_value_is_present(find(&objects, "ServiceMonitor", "cleat")));
    drop(&objects);
}
END_TEST

START_TEST(test_cert_manager_covers_the_url)
{
    static const struct {
        const char *url, *path, *text;
    } cases[] = {
        {"https://hooks.example.com/base", "spec.dnsNames[2]", "hooks.example.com"},
        {"https://10.1.2.3:9443", "spec.ipAddresses[0]", "10.1.2.3"},
        {"https://[fd00::1]:9443", "spec.ipAddresses[0]", "fd00::1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct objects objects;
        make(&(struct cleat_manifests_options){.cert_manager = true, .webhook_url = cases[i].url},
             &objects);
        ck_assert_msg(
            is(find(&objects, "Certificate", "cleat-webhook-cert"), cases[i].path, cases[i].text),
            "%s", cases[i].url);
        drop(&objects);
    }
}
END_TEST

START_TEST(test_bad_options)
{
    const struct {
        struct cleat_manifests_options options;
        const char *names; /* in the error */
    } cases[] = {
        {{.namespace_ = "Not a namespace"}, "Not a namespace"},
        {{.namespace_ = "a.b"}, "a.b"},
        {{.webhook_url = "http://hooks.example.com"}, "http://hooks.example.com"},
        {{.webhook_url = "https://"}, "https://"},
        {{.webhook_url = "https://a, b"}, "https://a, b"},
        {{.webhook_url = "https://[a]"}, "https://[a]"},
        {{.webhook_url = "https://a?b"}, "https://a?b"},
        {{.replicas = -1}, "-1"},
        {{.more_kinds = (char *const[]){(char *)"*", NULL}}, "\"*\""},
        {{.kinds = (char *const[]){(char *)"Role.rbac.authorization.k8s.io", NULL}},
         "never mirrored"},
        {{.more_kinds = (char *const[]){(char *)"Pod", NULL}}, "never mirrored"},
        {{.more_kinds = (char *const[]){(char *)"batch/Job", NULL}}, "never mirrored"},
        {{.more_kinds = (char *const[]){(char *)"Endpoints", NULL}}, "never mirrored"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct objects objects = {.count = 0};
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(cleat_manifests_each(&cases[i].options, collect, &objects, &err) == -EINVAL,
                      "case %zu", i);
        ck_assert_msg(strstr(err.text, cases[i].names), "case %zu: %s", i, err.text);
        drop(&objects);
    }
}
END_TEST

START_TEST(test_kind_as_people_write_it)
{
    static const struct {
        const char *text, *group, *plural; /* plural NULL: refused */
    } cases[] = {
        {"Secret", "", "secrets"},
        {"secrets", "", "secrets"},
        {"deployments.apps", "apps", "deployments"},
        {"Deployment.apps", "apps", "deployments"},
        {"apps/Deployment", "apps", "deployments"},
        {"Ingress.networking.k8s.io", "networking.k8s.io", "ingresses"},
        {"networking.k8s.io/NetworkPolicy", "networking.k8s.io", "networkpolicies"},
        {"Gateway.gateway.networking.k8s.io", "gateway.networking.k8s.io", "gateways"},
        {"Mesh.example.com", "example.com", "meshes"},
        {"Endpoints", "", "endpoints"},
        {"", NULL, NULL},
        {"*", NULL, NULL},
        {"*.apps", NULL, NULL},
        {"Secret.", NULL, NULL},
        {"/Secret", NULL, NULL},
        {"apps/", NULL, NULL},
        {"a b", NULL, NULL},
        {"Secret\",\"*", NULL, NULL},
        {"Secret.*", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char group[CLEAT_KIND_NAME_BYTES] = "";
        char plural[CLEAT_KIND_NAME_BYTES] = "";
        int r = cleat_manifests_kind(cases[i].text, group, plural, NULL);
        ck_assert_msg(r == (cases[i].plural ? 0 : -EINVAL), "%s", cases[i].text);
        if (!cases[i].plural)
            continue;
        ck_assert_str_eq(group, cases[i].group);
        ck_assert_str_eq(plural, cases[i].plural);
    }
}
END_TEST

static int refuse(void *arg, struct cleat_value object, struct cleat_err *err)
{
    unsigned *calls = arg;
    return ++*calls == 3 ? 7 : 0;
}

START_TEST(test_the_callee_ends_it)
{
    unsigned calls = 0;
    ck_assert_int_eq(cleat_manifests_each(&(struct cleat_manifests_options){.crds = false}, refuse,
                                          &calls, NULL),
                     7);
    ck_assert_uint_eq(calls, 3);
}
END_TEST

static int count_rules(void *arg, struct cleat_value object, struct cleat_err *err)
{
    size_t *count = arg;
    if (is(object, "kind", "ClusterRole"))
        *count += cleat_value_count(cleat_value_get(object, "rules"));
    return cleat_value_is_present(object) ? 0 : cleat_err_set(err, -EILSEQ, "an absent object");
}

/* Once: lacking memory while the rules of kinds that weren't asked for were to go looked like none
 * to go, and rights stayed that nobody wanted. */
START_TEST(test_memory_leaves_no_rule_too_many)
{
    char kind[] = "Secret", *kinds[] = {kind, NULL};
    const struct cleat_manifests_options options = {.kinds = kinds,
                                                    .webhook_url = "https://cleat.example:9443/"};
    size_t wanted = 0;
    ck_assert_int_eq(cleat_manifests_each(&options, count_rules, &wanted, NULL), 0);
    for (uint64_t nth = 1;; nth++) {
        size_t count = 0;
        cleat_mem_fail_at(nth, false);
        int r = cleat_manifests_each(&options, count_rules, &count, NULL);
        bool failed = cleat_mem_failed();
        cleat_mem_fail_at(0, false);
        ck_assert_msg(r == -ENOMEM || (r == 0 && count == wanted), "request %llu: %d, %zu rules",
                      (unsigned long long)nth, r, count);
        if (!failed)
            break;
    }
}
END_TEST

CLEAT_SUITE_MAIN("manifests", test_plain_is_what_deploy_holds, test_crds_come_alone,
                 test_configurations_are_shipped_closed_and_without_a_bundle,
                 test_roles_have_no_wildcard, test_kinds_and_further_kinds,
                 test_namespace_is_changed_everywhere, test_url_replaces_the_service,
                 test_url_reaches_the_server, test_image_and_replicas, test_cert_manager,
                 test_service_monitor, test_cert_manager_covers_the_url, test_bad_options,
                 test_kind_as_people_write_it, test_the_callee_ends_it,
                 test_memory_leaves_no_rule_too_many)
