/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rbac.h"

#include <cleat/path.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RBAC_GROUP "rbac.authorization.k8s.io"
#define RBAC_ACCOUNT "system:serviceaccount:"

/* The search for a user's rules. */
struct rbac_visit {
    struct cleat_api_server *server;
    const struct cleat_api_user *user;
    struct cleat_str namespace_;
    bool (*fn)(void *arg, struct cleat_value rule, const char *binding);
    void *arg;
    bool failed;
};

/* An object of RBAC by name, as a document, or NULL. */
static struct cleat_document *rbac_get(struct rbac_visit *visit, const char *plural,
                                       struct cleat_str namespace_, struct cleat_str name)
{
    struct cleat_document *document = NULL;
    struct cleat_api_registry *registry = &visit->server->registry;
    struct cleat_api_resource *resource =
        cleat_api_registry_find(registry, CLEAT_STR(RBAC_GROUP), cleat_str_of(plural));
    struct cleat_api_record *record =
        resource ? cleat_api_registry_get(registry, resource, namespace_, name) : NULL;
    if (record && cleat_api_record_document(record, &document, NULL) != 0)
        visit->failed = true;
    (void)cleat_api_record_unref(record);
    (void)cleat_api_resource_unref(resource);
    return document;
}

/* "system:serviceaccount:NAMESPACE:NAME" */
static bool rbac_is_account(const char *user, struct cleat_str namespace_, struct cleat_str name)
{
    size_t prefix = sizeof(RBAC_ACCOUNT) - 1;
    return strncmp(user, RBAC_ACCOUNT, prefix) == 0 &&
           strlen(user) == prefix + namespace_.length + 1 + name.length &&
           memcmp(user + prefix, namespace_.data, namespace_.length) == 0 &&
           user[prefix + namespace_.length] == ':' &&
           memcmp(user + prefix + namespace_.length + 1, name.data, name.length) == 0;
}

/* @home: the binding's namespace, for accounts that name none. */
static bool rbac_subject_is(struct cleat_value subject, const struct cleat_api_user *user,
                            struct cleat_str home)
{
    struct cleat_scratch scratch[2];
    struct cleat_value kind = cleat_value_get(subject, "kind");
    struct cleat_str name = cleat_value_text(cleat_value_get(subject, "name"), &scratch[0]);
    if (cleat_value_is(kind, "User"))
        return cleat_str_is(name, "*") || cleat_str_is(name, user->name);
    if (cleat_value_is(kind, "Group"))
        return name.length && cleat_api_user_in(user, name.data);
    if (!cleat_value_is(kind, "ServiceAccount"))
        return false;
    struct cleat_str namespace_ =
        cleat_value_text(cleat_value_get(subject, "namespace"), &scratch[1]);
    namespace_ = namespace_.length ? namespace_ : home;
    return namespace_.length && name.length && rbac_is_account(user->name, namespace_, name);
}

static bool rbac_bound(struct cleat_value binding, const struct cleat_api_user *user,
                       struct cleat_str home)
{
    struct cleat_value subjects = cleat_value_get(binding, "subjects");
    for (size_t i = 0; i < cleat_value_count(subjects); i++)
        if (rbac_subject_is(cleat_value_at(subjects, i), user, home))
            return true;
    return false;
}

static bool rbac_rules(struct rbac_visit *visit, struct cleat_value role, const char *binding)
{
    struct cleat_value rules = cleat_value_get(role, "rules");
    for (size_t i = 0; i < cleat_value_count(rules); i++)
        if (visit->fn(visit->arg, cleat_value_at(rules, i), binding))
            return true;
    return false;
}

static bool rbac_binding(struct rbac_visit *visit, const struct cleat_api_record *record,
                         const char *kind)
{
    char title[256];
    bool done = false;
    struct cleat_document *document = NULL;
    struct cleat_scratch scratch;
    if (cleat_api_record_document(record, &document, NULL) != 0) {
        visit->failed = true;
        return false;
    }
    struct cleat_value root = cleat_document_root(document);
    if (rbac_bound(root, visit->user, record->namespace_)) {
        struct cleat_value ref = cleat_value_get(root, "roleRef");
        bool cluster = cleat_value_is(cleat_value_get(ref, "kind"), "ClusterRole");
        struct cleat_str name = cleat_value_text(cleat_value_get(ref, "name"), &scratch);
        struct cleat_document *role = rbac_get(visit, cluster ? "clusterroles" : "roles",
                                               cluster ? CLEAT_STR("") : record->namespace_, name);
        snprintf(title, sizeof(title), "%s \"%s\" of %s \"%.*s\"", kind, record->key,
                 cluster ? "ClusterRole" : "Role", CLEAT_STR_ARG(name));
        done = role && rbac_rules(visit, cleat_document_root(role), title);
        (void)cleat_document_unref(role);
    }
    (void)cleat_document_unref(document);
    return done;
}

static bool rbac_bindings(struct rbac_visit *visit, const char *plural, const char *kind,
                          struct cleat_str namespace_)
{
    bool done = false;
    struct cleat_api_snapshot snapshot = {0};
    struct cleat_api_registry *registry = &visit->server->registry;
    struct cleat_api_resource *resource =
        cleat_api_registry_find(registry, CLEAT_STR(RBAC_GROUP), cleat_str_of(plural));
    if (!resource || cleat_api_registry_snapshot(registry, resource, namespace_, CLEAT_STR(""), 0,
                                                 &snapshot) != 0)
        visit->failed = true;
    else {
        for (size_t i = 0; !done && i < snapshot.count; i++)
            done = rbac_binding(visit, snapshot.records[i], kind);
        cleat_api_snapshot_fini(&snapshot);
    }
    (void)cleat_api_resource_unref(resource);
    return done;
}

bool cleat_api_rbac_visit(struct cleat_api_server *server, const struct cleat_api_user *user,
                          struct cleat_str namespace_,
                          bool (*fn)(void *arg, struct cleat_value rule, const char *binding),
                          void *arg, bool *ret_error)
{
    struct rbac_visit visit = {
        .server = server, .user = user, .namespace_ = namespace_, .fn = fn, .arg = arg};
    bool done = rbac_bindings(&visit, "clusterrolebindings", "ClusterRoleBinding", CLEAT_STR(""));
    if (!done && namespace_.length)
        done = rbac_bindings(&visit, "rolebindings", "RoleBinding", namespace_);
    if (ret_error)
        *ret_error = visit.failed;
    return done;
}

static bool rbac_lists(struct cleat_value list, struct cleat_str text)
{
    for (size_t i = 0; i < cleat_value_count(list); i++) {
        struct cleat_value item = cleat_value_at(list, i);
        if (cleat_value_is(item, "*") || cleat_value_is_str(item, text))
            return true;
    }
    return false;
}

/* "pods/log", "x/sub", and "*" of anything before the slash. */
static bool rbac_lists_resource(struct cleat_value list, const struct cleat_api_attributes *asked)
{
    char whole[CLEAT_KIND_BYTES_MAX * 2 + 2];
    char any[CLEAT_KIND_BYTES_MAX + 3];
    if (!asked->subresource.length)
        return rbac_lists(list, asked->plural);
    snprintf(whole, sizeof(whole), "%.*s/%.*s", CLEAT_STR_ARG(asked->plural),
             CLEAT_STR_ARG(asked->subresource));
    snprintf(any, sizeof(any), "*/%.*s", CLEAT_STR_ARG(asked->subresource));
    for (size_t i = 0; i < cleat_value_count(list); i++) {
        struct cleat_value item = cleat_value_at(list, i);
        if (cleat_value_is(item, "*") || cleat_value_is(item, whole) || cleat_value_is(item, any))
            return true;
    }
    return false;
}

/* Exact, or up to a star at the end. */
static bool rbac_lists_path(struct cleat_value list, struct cleat_str path)
{
    for (size_t i = 0; i < cleat_value_count(list); i++) {
        struct cleat_scratch scratch;
        struct cleat_str url = cleat_value_text(cleat_value_at(list, i), &scratch);
        bool star = url.length && url.data[url.length - 1] == '*';
        size_t length = url.length - (star ? 1 : 0);
        if (star ? path.length >= length && memcmp(path.data, url.data, length) == 0
                 : cleat_str_equal(url, path))
            return true;
    }
    return false;
}

struct rbac_question {
    const struct cleat_api_attributes *asked;
    char *reason;
};

static bool rbac_allows(struct cleat_value rule, const struct cleat_api_attributes *asked)
{
    if (!rbac_lists(cleat_value_get(rule, "verbs"), cleat_str_of(asked->verb)))
        return false;
    if (!asked->is_resource)
        return rbac_lists_path(cleat_value_get(rule, "nonResourceURLs"), asked->path);
    struct cleat_value names = cleat_value_get(rule, "resourceNames");
    bool named = false;
    for (size_t i = 0; i < cleat_value_count(names); i++)
        named = named ||
                (asked->name.length && cleat_value_is_str(cleat_value_at(names, i), asked->name));
    return rbac_lists(cleat_value_get(rule, "apiGroups"), asked->group) &&
           rbac_lists_resource(cleat_value_get(rule, "resources"), asked) &&
           (!cleat_value_count(names) || named);
}

static bool rbac_answer(void *arg, struct cleat_value rule, const char *binding)
{
    struct rbac_question *question = arg;
    if (!rbac_allows(rule, question->asked))
        return false;
    snprintf(question->reason, 256, "RBAC: allowed by %.160s to subject \"%.60s\"", binding,
             question->asked->user->name);
    return true;
}

int cleat_api_rbac_authorize(struct cleat_api_server *server,
                             const struct cleat_api_attributes *attributes, char reason[256])
{
    struct rbac_question question = {.asked = attributes, .reason = reason};
    bool failed = false;
    reason[0] = 0;
    if (cleat_api_user_in(attributes->user, "system:masters"))
        return 0;
    struct cleat_str namespace_ = attributes->is_resource ? attributes->namespace_ : CLEAT_STR("");
    if (cleat_api_rbac_visit(server, attributes->user, namespace_, rbac_answer, &question, &failed))
        return 0;
    if (failed)
        snprintf(reason, 256, "RBAC: roles or bindings can't be read");
    return failed ? -ENOMEM : 1;
}
