/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/draft.h>
#include <cleat/name.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "base/mem.h"
#include "kube/yaml.h"
#include "server/embedded.h"
#include "server/manifests.h"

#define MANIFESTS_NAMESPACE "cleat-system"
#define MANIFESTS_SCHEME "https://"
#define MANIFESTS_CERT_FOLDER "/var/run/cleat/certs"
#define MANIFESTS_CERT_MANAGER "overlays/cert-manager/"
#define MANIFESTS_MONITORING "overlays/monitoring/"

struct manifests {
    const struct cleat_manifests_options *options;
    int (*fn)(void *arg, struct cleat_value object, struct cleat_err *err);
    void *arg;
    struct cleat_err *err;
};

/* The verbs that tell the rule for mirrored kinds from the others. */
#define MANIFESTS_KIND_VERBS "[\"create\",\"delete\",\"get\",\"list\",\"update\",\"watch\"]"

/* "Ingress" is "ingresses", "NetworkPolicy" "networkpolicies"; what is in small letters is a plural
 * already. */
static int kind_plural(const char *kind, size_t length, char *plural)
{
    bool is_plural = true;
    if (length == 0 || length + 3 > CLEAT_KIND_NAME_BYTES)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        is_plural = is_plural && !isupper((unsigned char)kind[i]);
        plural[i] = (char)tolower((unsigned char)kind[i]);
    }
    plural[length] = '\0';
    if (!cleat_name_is_dns_label((struct cleat_str){plural, length}))
        return -EINVAL;
    if (is_plural)
        return 0;
    const char *last = plural + length - 1;
    bool vowel_before = length > 1 && strchr("aeiou", last[-1]) != NULL;
    if (*last == 'y' && !vowel_before)
        memcpy(plural + length - 1, "ies", 4);
    else if (strcmp(plural, "endpoints") == 0)
        return 0; /* the one kind of Kubernetes that is a plural itself */
    else if (*last == 's' || *last == 'x' || (length > 1 && *last == 'h'))
        memcpy(plural + length, "es", 3);
    else
        memcpy(plural + length, "s", 2);
    return 0;
}

int cleat_manifests_kind(const char *text, char group[CLEAT_KIND_NAME_BYTES],
                         char plural[CLEAT_KIND_NAME_BYTES], struct cleat_err *err)
{
    const char *slash = strchr(text, '/');
    const char *dot = slash ? NULL : strchr(text, '.');
    const char *kind = slash ? slash + 1 : text;
    size_t kind_length = dot ? (size_t)(dot - text) : strlen(kind);
    const char *group_text = slash ? text : dot ? dot + 1 : "";
    size_t group_length = slash ? (size_t)(slash - text) : strlen(group_text);
    struct cleat_str group_str = {group_text, group_length};
    bool good = group_length < CLEAT_KIND_NAME_BYTES &&
                ((!slash && !dot) || cleat_name_is_dns_subdomain(group_str)) &&
                kind_plural(kind, kind_length, plural) == 0;
    if (!good)
        return cleat_err_set(err, -EINVAL,
                             "\"%s\" isn't a kind as Secret, deployments.apps or apps/Deployment",
                             text);
    memcpy(group, group_text, group_length);
    group[group_length] = '\0';
    return 0;
}

/* Kinds that a Mirror never names, so that no rights on them are asked for. */
static const struct {
    const char *group;
    const char *plural; /* NULL: all of the group */
} manifests_never[] = {
    {"rbac.authorization.k8s.io", NULL},
    {"authorization.openshift.io", NULL},
    {"", "pods"},
    {"batch", "jobs"},
    {"", "persistentvolumeclaims"},
    {"", "endpoints"},
    {"discovery.k8s.io", "endpointslices"},
};

static bool manifests_is_never(const char *group, const char *plural)
{
    for (size_t i = 0; i < sizeof(manifests_never) / sizeof(manifests_never[0]); i++)
        if (strcmp(group, manifests_never[i].group) == 0 &&
            (!manifests_never[i].plural || strcmp(plural, manifests_never[i].plural) == 0))
            return true;
    return false;
}

static int manifests_rule(struct cleat_draft *draft, const char *kind, struct cleat_err *err)
{
    char group[CLEAT_KIND_NAME_BYTES];
    char plural[CLEAT_KIND_NAME_BYTES];
    int r = cleat_manifests_kind(kind, group, plural, err);
    if (r == 0 && manifests_is_never(group, plural))
        r = cleat_err_set(err, -EINVAL, "\"%s\" is never mirrored", kind);
    if (r < 0)
        return r;
    char *rule = cleat_mem_format("{\"apiGroups\":[\"%s\"],\"resources\":[\"%s\"],"
                                  "\"verbs\":" MANIFESTS_KIND_VERBS "}",
                                  group, plural);
    r = rule ? cleat_draft_append_json(draft, "rules", rule, err) : -ENOMEM;
    cleat_mem_free(rule);
    return r;
}

static int manifests_rules_of(struct cleat_draft *draft, char *const *kinds, struct cleat_err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && kinds && kinds[i]; i++)
        r = manifests_rule(draft, kinds[i], err);
    return r;
}

/* The rules for mirrored kinds are known by their verbs. */
static bool rule_is_of_kinds(struct cleat_value rule)
{
    struct cleat_value verbs = cleat_value_get(rule, "verbs");
    return cleat_value_is(cleat_value_at(verbs, 0), "create") && cleat_value_count(verbs) == 6;
}

static bool rule_is_of_secrets(struct cleat_value rule)
{
    return cleat_value_is(cleat_value_find(rule, "resources[0]"), "secrets");
}

static bool rule_is_of_mutating(struct cleat_value rule)
{
    return cleat_value_is(cleat_value_find(rule, "resources[0]"), "mutatingwebhookconfigurations");
}

static int manifests_drop_rules(struct cleat_draft *draft, bool (*drop)(struct cleat_value rule),
                                struct cleat_err *err)
{
    char path[64];
    struct cleat_value root = CLEAT_VALUE_NONE;
    int r = cleat_draft_freeze(draft, &root, err); /* lacking memory mustn't look like no rules */
    struct cleat_value rules = cleat_value_get(root, "rules");
    for (size_t i = cleat_value_count(rules); r == 0 && i > 0; i--) {
        snprintf(path, sizeof(path), "rules[%zu]", i - 1);
        if (drop(cleat_value_at(rules, i - 1)))
            r = cleat_draft_remove(draft, path, err);
    }
    return r;
}

/* Rules for mirrored kinds are the server's alone, whatever other roles there are. */
static int manifests_cluster_role(struct manifests *manifests, struct cleat_draft *draft)
{
    const struct cleat_manifests_options *options = manifests->options;
    if (!cleat_value_is(cleat_value_find(cleat_draft_base(draft), "metadata.name"), "cleat"))
        return 0;
    int r = options->kinds ? manifests_drop_rules(draft, rule_is_of_kinds, manifests->err) : 0;
    if (r == 0 && options->cert_manager)
        r = manifests_drop_rules(draft, rule_is_of_mutating, manifests->err);
    if (r == 0)
        r = manifests_rules_of(draft, options->kinds, manifests->err);
    if (r == 0)
        r = manifests_rules_of(draft, options->more_kinds, manifests->err);
    return r;
}

/* With cert-manager the server neither keeps a certificate nor fills bundles in. */
static int manifests_role(struct manifests *manifests, struct cleat_draft *draft)
{
    return manifests->options->cert_manager
               ? manifests_drop_rules(draft, rule_is_of_secrets, manifests->err)
               : 0;
}

static int manifests_binding(struct manifests *manifests, struct cleat_draft *draft)
{
    return cleat_draft_set_text(draft, "subjects[0].namespace", manifests->options->namespace_,
                                manifests->err);
}

/* Our Service or a URL in one webhook. */
static int manifests_client_config(struct manifests *manifests, struct cleat_draft *draft,
                                   size_t index)
{
    char path[64];
    struct cleat_scratch scratch;
    struct cleat_value root = CLEAT_VALUE_NONE;
    const struct cleat_manifests_options *options = manifests->options;
    int r = cleat_draft_freeze(draft, &root, manifests->err);
    if (r < 0)
        return r;
    snprintf(path, sizeof(path), "webhooks[%zu].clientConfig.service.path", index);
    struct cleat_str hook_path = cleat_value_text(cleat_value_find(root, path), &scratch);
    if (!options->webhook_url) {
        snprintf(path, sizeof(path), "webhooks[%zu].clientConfig.service.namespace", index);
        return cleat_draft_set_text(draft, path, options->namespace_, manifests->err);
    }
    size_t base = strlen(options->webhook_url);
    while (base > 0 && options->webhook_url[base - 1] == '/')
        base--;
    char *url =
        cleat_mem_format("%.*s%.*s", (int)base, options->webhook_url, CLEAT_STR_ARG(hook_path));
    if (!url)
        return -ENOMEM;
    snprintf(path, sizeof(path), "webhooks[%zu].clientConfig.service", index);
    r = cleat_draft_remove(draft, path, manifests->err);
    snprintf(path, sizeof(path), "webhooks[%zu].clientConfig.url", index);
    if (r == 0)
        r = cleat_draft_set_text(draft, path, url, manifests->err);
    cleat_mem_free(url);
    return r;
}

static int manifests_configuration(struct manifests *manifests, struct cleat_draft *draft)
{
    struct cleat_value root = CLEAT_VALUE_NONE;
    int r = cleat_draft_freeze(draft, &root, manifests->err);
    const struct cleat_manifests_options *options = manifests->options;
    size_t count = cleat_value_count(cleat_value_get(root, "webhooks"));
    for (size_t i = 0; r == 0 && i < count; i++)
        r = manifests_client_config(manifests, draft, i);
    if (r == 0 && options->cert_manager) {
        char *from = cleat_mem_format("%s/cleat-webhook-cert", options->namespace_);
        r = from ? cleat_draft_set_text(draft,
                                        "metadata.annotations[\"cert-manager.io/inject-ca-from\"]",
                                        from, manifests->err)
                 : -ENOMEM;
        cleat_mem_free(from);
    }
    return r;
}

#define CONTAINER "spec.template.spec.containers[0]"

static int manifests_cert_mount(struct cleat_draft *draft, struct cleat_err *err)
{
    int r = cleat_draft_append_json(draft, CONTAINER ".args",
                                    "\"--webhook-cert-path=" MANIFESTS_CERT_FOLDER "\"", err);
    if (r == 0)
        r = cleat_draft_append_json(draft, CONTAINER ".volumeMounts",
                                    "{\"name\":\"certs\",\"mountPath\":\"" MANIFESTS_CERT_FOLDER
                                    "\",\"readOnly\":true}",
                                    err);
    if (r == 0)
        r = cleat_draft_append_json(
            draft, "spec.template.spec.volumes",
            "{\"name\":\"certs\",\"secret\":{\"secretName\":\"cleat-webhook-cert\"}}", err);
    return r;
}

/* The server must know the URL too: for its certificate's names and the copies' webhooks. */
static int manifests_url_argument(struct cleat_draft *draft, const char *url, struct cleat_err *err)
{
    char *argument = cleat_mem_format("--webhook-url=%s", url);
    if (!argument)
        return -ENOMEM;
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_MIB);
    cleat_write_string(&json, cleat_str_of(argument));
    int r =
        json.failed ? -ENOMEM : cleat_draft_append_json(draft, CONTAINER ".args", json.data, err);
    cleat_buffer_fini(&json);
    cleat_mem_free(argument);
    return r;
}

static int manifests_deployment(struct manifests *manifests, struct cleat_draft *draft)
{
    const struct cleat_manifests_options *options = manifests->options;
    int r = options->image
                ? cleat_draft_set_text(draft, CONTAINER ".image", options->image, manifests->err)
                : 0;
    if (r == 0 && options->replicas > 0)
        r = cleat_draft_set_int(draft, "spec.replicas", options->replicas, manifests->err);
    if (r == 0 && options->webhook_url)
        r = manifests_url_argument(draft, options->webhook_url, manifests->err);
    if (r == 0 && options->cert_manager)
        r = manifests_cert_mount(draft, manifests->err);
    return r;
}

/* The host of @url (NULL: none) without port and brackets; true where it is an IP address. */
static bool manifests_url_host(const char *url, char *host, size_t size)
{
    struct in6_addr address;
    host[0] = '\0';
    if (!url)
        return false;
    url += strlen(MANIFESTS_SCHEME);
    bool brackets = *url == '[';
    url += brackets;
    snprintf(host, size, "%.*s", (int)strcspn(url, brackets ? "]" : ":/?#"), url);
    return brackets || inet_pton(AF_INET, host, &address) == 1;
}

static int manifests_dns_name(struct manifests *manifests, struct cleat_draft *draft,
                              const char *path, const char *domain)
{
    char name[96]; /* a label and what is around it */
    (void)snprintf(name, sizeof(name), "cleat.%s.%s", manifests->options->namespace_, domain);
    return cleat_draft_set_text(draft, path, name, manifests->err);
}

/* A host as an element of a list, which it may begin. */
static int manifests_host(struct cleat_draft *draft, const char *path, const char *host,
                          struct cleat_err *err)
{
    char json[300];
    (void)snprintf(json, sizeof(json), "\"%s\"",
                   host); /* a name or an address: nothing to escape */
    return cleat_draft_append_json(draft, path, json, err);
}

static int manifests_certificate(struct manifests *manifests, struct cleat_draft *draft)
{
    char host[256];
    bool is_address = manifests_url_host(manifests->options->webhook_url, host, sizeof(host));
    int r = manifests_dns_name(manifests, draft, "spec.dnsNames[0]", "svc");
    if (r == 0)
        r = manifests_dns_name(manifests, draft, "spec.dnsNames[1]", "svc.cluster.local");
    if (r == 0 && *host)
        r = manifests_host(draft, is_address ? "spec.ipAddresses" : "spec.dnsNames", host,
                           manifests->err);
    return r;
}

static int manifests_service_monitor(struct manifests *manifests, struct cleat_draft *draft)
{
    return manifests_dns_name(manifests, draft, "spec.endpoints[0].tlsConfig.serverName", "svc");
}

static const struct {
    const char *kind;
    int (*change)(struct manifests *manifests, struct cleat_draft *draft);
} manifests_changes[] = {
    {"ClusterRole", manifests_cluster_role},
    {"Role", manifests_role},
    {"ClusterRoleBinding", manifests_binding},
    {"RoleBinding", manifests_binding},
    {"MutatingWebhookConfiguration", manifests_configuration},
    {"ValidatingWebhookConfiguration", manifests_configuration},
    {"Deployment", manifests_deployment},
    {"Certificate", manifests_certificate},
    {"ServiceMonitor", manifests_service_monitor},
};

static int manifests_namespace(struct manifests *manifests, struct cleat_draft *draft)
{
    const char *namespace_ = manifests->options->namespace_;
    struct cleat_value object = cleat_draft_base(draft);
    if (cleat_value_is(cleat_value_get(object, "kind"), "Namespace"))
        return cleat_draft_set_text(draft, "metadata.name", namespace_, manifests->err);
    if (cleat_value_is(cleat_value_find(object, "metadata.namespace"), MANIFESTS_NAMESPACE))
        return cleat_draft_set_text(draft, "metadata.namespace", namespace_, manifests->err);
    return 0;
}

static int manifests_emit(void *arg, struct cleat_document *document)
{
    struct manifests *manifests = arg;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_value object = cleat_document_root(document);
    struct cleat_value kind = cleat_value_get(object, "kind");
    int r = cleat_draft_new(object, &draft, manifests->err);
    if (r == 0)
        r = manifests_namespace(manifests, draft);
    for (size_t i = 0; r == 0 && i < sizeof(manifests_changes) / sizeof(manifests_changes[0]); i++)
        if (cleat_value_is(kind, manifests_changes[i].kind))
            r = manifests_changes[i].change(manifests, draft);
    if (r == 0)
        r = cleat_draft_freeze(draft, &object, manifests->err);
    return r == 0 ? manifests->fn(manifests->arg, object, manifests->err) : r;
}

/* A host that is more than a name or an address would change the manifests' structure. */
bool cleat_manifests_url_valid(const char *url)
{
    char host[256];
    struct in6_addr address;
    if (strncmp(url, MANIFESTS_SCHEME, strlen(MANIFESTS_SCHEME)) != 0 || strpbrk(url, " \t\n?#"))
        return false;
    if (manifests_url_host(url, host, sizeof(host)))
        return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
    return cleat_name_is_dns_subdomain(cleat_str_of(host));
}

/* Files that are there only when they are asked for; all others always are. */
static bool manifests_wants(const struct cleat_manifests_options *options, const char *path)
{
    if ((strcmp(path, "crds.yaml") == 0) != options->crds)
        return false;
    if (strncmp(path, MANIFESTS_CERT_MANAGER, strlen(MANIFESTS_CERT_MANAGER)) == 0)
        return options->cert_manager;
    if (strncmp(path, MANIFESTS_MONITORING, strlen(MANIFESTS_MONITORING)) == 0)
        return options->service_monitor;
    return true;
}

int cleat_manifests_each(const struct cleat_manifests_options *options,
                         int (*fn)(void *arg, struct cleat_value object, struct cleat_err *err),
                         void *arg, struct cleat_err *err)
{
    struct cleat_manifests_options effective = *options;
    struct manifests manifests = {&effective, fn, arg, err};
    int r = 0;
    if (!effective.namespace_)
        effective.namespace_ = MANIFESTS_NAMESPACE;
    if (!cleat_name_is_dns_label(cleat_str_of(effective.namespace_)))
        return cleat_err_set(err, -EINVAL, "--namespace: \"%s\" isn't a namespace",
                             effective.namespace_);
    if (effective.webhook_url && !cleat_manifests_url_valid(effective.webhook_url))
        return cleat_err_set(err, -EINVAL, "\"%s\" isn't a URL as https://HOST[:PORT][/PATH]",
                             effective.webhook_url);
    if (effective.replicas < 0)
        return cleat_err_set(err, -EINVAL, "a Deployment can't have %lld replicas",
                             (long long)effective.replicas);
    for (const struct cleat_embedded *file = cleat_manifests; r == 0 && file->path; file++)
        if (manifests_wants(&effective, file->path))
            r = cleat_yaml_each(cleat_str_of(file->text), manifests_emit, &manifests, err);
    return r;
}
