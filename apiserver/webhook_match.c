/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which webhooks are asked: rules, scope, selectors, conditions.
 */
#include <cleat/path.h>
#include <cleat/selector.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/condition.h"
#include "apiserver/webhook.h"

#define MATCH_TIMEOUT_S 10

static bool match_lists(struct cleat_value list, const char *text)
{
    for (size_t i = 0; i < cleat_value_count(list); i++) {
        struct cleat_value item = cleat_value_at(list, i);
        if (cleat_value_is(item, "*") || cleat_value_is(item, text))
            return true;
    }
    return false;
}

/* "pods", "pods/status", "pods" with a star for its subresources, "*" and a star on both sides. */
static bool match_resource(struct cleat_str rule, const char *plural, struct cleat_str sub)
{
    const char *slash = rule.length ? memchr(rule.data, '/', rule.length) : NULL;
    struct cleat_str left = {rule.data, slash ? (size_t)(slash - rule.data) : rule.length};
    struct cleat_str right = {slash ? slash + 1 : "", slash ? rule.length - left.length - 1 : 0};
    bool resource = cleat_str_is(left, "*") || cleat_str_is(left, plural);
    bool subresource =
        slash ? cleat_str_is(right, "*") || cleat_str_equal(right, sub) : sub.length == 0;
    return resource && subresource;
}

static bool match_resources(struct cleat_value list, const char *plural, struct cleat_str sub)
{
    for (size_t i = 0; i < cleat_value_count(list); i++) {
        struct cleat_scratch scratch;
        if (match_resource(cleat_value_text(cleat_value_at(list, i), &scratch), plural, sub))
            return true;
    }
    return false;
}

static bool match_is_namespace(const struct cleat_api_resource *resource)
{
    return !resource->group[0] && strcmp(resource->plural, "namespaces") == 0;
}

static bool match_scope(struct cleat_value rule, const struct cleat_api_operation *operation)
{
    struct cleat_value scope = cleat_value_get(rule, "scope");
    bool namespaced = (operation->resource->flags & CLEAT_API_NAMESPACED) != 0;
    if (cleat_value_is(scope, "Namespaced"))
        return namespaced;
    return !cleat_value_is(scope, "Cluster") || !namespaced;
}

static bool match_rule(struct cleat_value rule, const struct cleat_api_operation *operation,
                       const char *version)
{
    const struct cleat_api_resource *resource = operation->resource;
    return match_lists(cleat_value_get(rule, "operations"), operation->name) &&
           match_lists(cleat_value_get(rule, "apiGroups"), resource->group) &&
           match_lists(cleat_value_get(rule, "apiVersions"), version) &&
           match_resources(cleat_value_get(rule, "resources"), resource->plural,
                           operation->subresource) &&
           match_scope(rule, operation);
}

static bool match_rules(struct cleat_value hook, const struct cleat_api_operation *operation,
                        const char *version)
{
    struct cleat_value rules = cleat_value_get(hook, "rules");
    for (size_t i = 0; i < cleat_value_count(rules); i++)
        if (match_rule(cleat_value_at(rules, i), operation, version))
            return true;
    return false;
}

/* The version in which @hook wants to see the object, or NULL. */
static const struct cleat_api_version *match_version(struct cleat_value hook,
                                                     const struct cleat_api_operation *operation)
{
    if (match_rules(hook, operation, operation->version->name))
        return operation->version;
    if (cleat_value_is(cleat_value_get(hook, "matchPolicy"), "Exact"))
        return NULL;
    for (size_t i = 0; i < operation->resource->version_count; i++) {
        const struct cleat_api_version *version = &operation->resource->versions[i];
        if (version->served && version != operation->version &&
            match_rules(hook, operation, version->name))
            return version;
    }
    return NULL;
}

static struct cleat_value match_labels(struct cleat_value object)
{
    return cleat_value_get(cleat_value_get(object, "metadata"), "labels");
}

/* A selector that can't be read selects: the webhook is asked rather than passed by. */
static bool match_selects(struct cleat_value selector, struct cleat_value labels,
                          struct cleat_value more)
{
    struct cleat_selector *parsed = NULL;
    if (!cleat_value_is_present(selector) || cleat_selector_of(selector, &parsed, NULL) != 0)
        return true;
    bool matches = cleat_selector_matches(parsed, labels) ||
                   (cleat_value_is_present(more) && cleat_selector_matches(parsed, more));
    (void)cleat_selector_free(parsed);
    return matches;
}

static bool match_namespace(struct cleat_api_server *server, struct cleat_value selector,
                            const struct cleat_api_operation *operation, struct cleat_value object)
{
    struct cleat_document *document = NULL;
    if (match_is_namespace(operation->resource))
        return match_selects(selector,
                             match_labels(cleat_value_is_present(object) ? object : operation->old),
                             CLEAT_VALUE_NONE);
    if (!(operation->resource->flags & CLEAT_API_NAMESPACED))
        return true;
    struct cleat_api_record *record = cleat_api_registry_get(
        &server->registry, server->registry.namespaces, CLEAT_STR(""), operation->namespace_);
    if (record && cleat_api_record_document(record, &document, NULL) != 0)
        document = NULL;
    struct cleat_value root = document ? cleat_document_root(document) : CLEAT_VALUE_NONE;
    bool matches = match_selects(selector, match_labels(root), CLEAT_VALUE_NONE);
    (void)cleat_document_unref(document);
    (void)cleat_api_record_unref(record);
    return matches;
}

bool cleat_api_webhook_selects(struct cleat_api_server *server, struct cleat_value hook,
                               const struct cleat_api_operation *operation,
                               struct cleat_value object)
{
    struct cleat_value labels =
        match_labels(cleat_value_is_present(object) ? object : operation->old);
    return match_namespace(server, cleat_value_get(hook, "namespaceSelector"), operation, object) &&
           match_selects(cleat_value_get(hook, "objectSelector"), labels,
                         match_labels(operation->old));
}

bool cleat_api_webhook_matches(struct cleat_api_server *server, struct cleat_value hook,
                               bool mutating, const struct cleat_api_operation *operation,
                               struct cleat_value object, struct cleat_api_webhook *ret)
{
    struct cleat_scratch scratch;
    const struct cleat_api_version *version = match_version(hook, operation);
    if (!version || !cleat_api_webhook_selects(server, hook, operation, object))
        return false;
    struct cleat_str name = cleat_value_text(cleat_value_get(hook, "name"), &scratch);
    int64_t timeout_s =
        cleat_value_int_or(cleat_value_get(hook, "timeoutSeconds"), MATCH_TIMEOUT_S);
    *ret = (struct cleat_api_webhook){
        .hook = hook,
        .mutating = mutating,
        .ignore = cleat_value_is(cleat_value_get(hook, "failurePolicy"), "Ignore"),
        .timeout_ms = timeout_s * 1000,
        .version = version,
    };
    snprintf(ret->name, sizeof(ret->name), "%.*s", CLEAT_STR_ARG(name));
    return true;
}

int cleat_api_webhook_conditions(const struct cleat_api_webhook *webhook, struct cleat_value review,
                                 struct cleat_err *err)
{
    struct cleat_value conditions = cleat_value_get(webhook->hook, "matchConditions");
    struct cleat_value request = cleat_value_get(review, "request");
    const struct cleat_api_condition_vars vars = {
        .request = request,
        .object = cleat_value_get(request, "object"),
        .old_object = cleat_value_get(request, "oldObject"),
    };
    int failed = 0;
    for (size_t i = 0; i < cleat_value_count(conditions); i++) {
        struct cleat_scratch scratch;
        struct cleat_value text = cleat_value_get(cleat_value_at(conditions, i), "expression");
        int result = cleat_api_condition_eval(cleat_value_text(text, &scratch), &vars, err);
        if (result == 0)
            return 0; /* one that doesn't hold settles it, whatever failed before */
        if (result < 0)
            failed = result;
    }
    return failed < 0 ? failed : 1;
}
