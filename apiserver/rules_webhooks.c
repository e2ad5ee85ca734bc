/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhook configurations: defaults and checks of admissionregistration.k8s.io/v1.
 */
#include <cleat/name.h>
#include <cleat/path.h>
#include <cleat/selector.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/condition.h"
#include "apiserver/rules.h"
#include "base/limits.h"
#include "kube/base64.h"

/* Defaults of one webhook. */
static const struct {
    const char *field;
    const char *json;
    bool mutating; /* only there */
} webhook_defaults[] = {
    {"failurePolicy", "\"Fail\"", false}, {"matchPolicy", "\"Equivalent\"", false},
    {"namespaceSelector", "{}", false},   {"objectSelector", "{}", false},
    {"timeoutSeconds", "10", false},      {"reinvocationPolicy", "\"Never\"", true},
};

static bool webhook_is_mutating(const struct cleat_api_operation *operation)
{
    return operation->resource->plural[0] == 'm';
}

static int webhook_fill_rules(struct cleat_value hook, size_t index, struct cleat_draft *draft,
                              struct cleat_err *err)
{
    struct cleat_value rules = cleat_value_get(hook, "rules");
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(rules); i++) {
        char path[96];
        snprintf(path, sizeof(path), "webhooks[%zu].rules[%zu].scope", index, i);
        if (!cleat_value_is_present(cleat_value_get(cleat_value_at(rules, i), "scope")))
            result = cleat_draft_set_text(draft, path, "*", err);
    }
    return result;
}

static int webhook_fill(const struct cleat_api_operation *operation, struct cleat_value hook,
                        size_t index, struct cleat_draft *draft, struct cleat_err *err)
{
    char path[96];
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(webhook_defaults) / sizeof(webhook_defaults[0]);
         i++) {
        struct cleat_value value = cleat_value_get(hook, webhook_defaults[i].field);
        enum cleat_value_type type = cleat_value_type(value);
        if ((webhook_defaults[i].mutating && !webhook_is_mutating(operation)) ||
            (type != CLEAT_TYPE_ABSENT && type != CLEAT_TYPE_NULL))
            continue;
        snprintf(path, sizeof(path), "webhooks[%zu].%s", index, webhook_defaults[i].field);
        result = cleat_draft_set_json(draft, path, webhook_defaults[i].json, err);
    }
    snprintf(path, sizeof(path), "webhooks[%zu].clientConfig.service.port", index);
    if (result == 0 &&
        cleat_value_type(cleat_value_find(hook, "clientConfig.service")) == CLEAT_TYPE_OBJECT &&
        !cleat_value_is_present(cleat_value_find(hook, "clientConfig.service.port")))
        result = cleat_draft_set_int(draft, path, 443, err);
    return result == 0 ? webhook_fill_rules(hook, index, draft, err) : result;
}

int cleat_api_webhooks_fill(const struct cleat_api_operation *operation, struct cleat_value object,
                            struct cleat_draft *draft, struct cleat_err *err)
{
    struct cleat_value hooks = cleat_value_get(object, "webhooks");
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(hooks); i++)
        if (cleat_value_type(cleat_value_at(hooks, i)) == CLEAT_TYPE_OBJECT)
            result = webhook_fill(operation, cleat_value_at(hooks, i), i, draft, err);
    return result;
}

static void webhook_check_choice(struct cleat_value hook, const char *field,
                                 const char *const *choices, struct cleat_api_report *report)
{
    struct cleat_value value = cleat_value_get(hook, field);
    size_t mark = cleat_api_report_field(report, field);
    bool known = false;
    for (size_t i = 0; choices[i]; i++)
        known = known || cleat_value_is(value, choices[i]);
    if (!known)
        cleat_api_report_unsupported(report, value, choices);
    cleat_api_report_leave(report, mark);
}

static void webhook_check_name(struct cleat_value hooks, size_t index,
                               struct cleat_api_report *report)
{
    struct cleat_scratch scratch;
    struct cleat_value value = cleat_value_get(cleat_value_at(hooks, index), "name");
    struct cleat_str name = cleat_value_text(value, &scratch);
    size_t dots = 0;
    size_t mark = cleat_api_report_field(report, "name");
    for (size_t i = 0; i < name.length; i++)
        dots += name.data[i] == '.';
    if (!name.length)
        cleat_api_report_required(report, "");
    else if (!cleat_name_is_dns_subdomain(name))
        cleat_api_report_invalid(report, value, "must be a lowercase RFC 1123 subdomain");
    else if (dots < 2)
        cleat_api_report_invalid(
            report, value, "should be a domain with at least three segments separated by dots");
    for (size_t i = 0; name.length && i < index; i++)
        if (cleat_value_is_str(cleat_value_get(cleat_value_at(hooks, i), "name"), name))
            cleat_api_report_add(report, "FieldValueDuplicate", "Duplicate value: \"%.*s\"",
                                 CLEAT_STR_ARG(name));
    cleat_api_report_leave(report, mark);
}

static void webhook_check_url(struct cleat_value value, struct cleat_api_report *report)
{
    struct cleat_scratch scratch;
    struct cleat_str url = cleat_value_text(value, &scratch);
    size_t mark = cleat_api_report_field(report, "url");
    if (url.length < 9 || memcmp(url.data, "https://", 8) != 0)
        cleat_api_report_invalid(report, value,
                                 "'https' is the only allowed URL scheme; desired format: "
                                 "https://host[:port]/path");
    else if (memchr(url.data, '@', url.length))
        cleat_api_report_invalid(report, value,
                                 "user information is not permitted in the URL; desired format: "
                                 "https://host[:port]/path");
    else if (memchr(url.data, '?', url.length) || memchr(url.data, '#', url.length))
        cleat_api_report_invalid(report, value,
                                 "query parameters and fragments are not permitted in the URL; "
                                 "desired format: https://host[:port]/path");
    cleat_api_report_leave(report, mark);
}

static void webhook_check_bundle(struct cleat_value value, struct cleat_api_report *report)
{
    struct cleat_scratch scratch;
    struct cleat_buffer pem = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_str text = cleat_value_text(value, &scratch);
    size_t mark = cleat_api_report_field(report, "caBundle");
    /* Bytes are enough: a bundle without a certificate fails each call, not the configuration. */
    if (text.length && cleat_base64_decode(&pem, text, NULL) != 0)
        cleat_api_report_add(report, "FieldValueInvalid", "Invalid value: illegal base64 data");
    cleat_api_report_leave(report, mark);
    cleat_buffer_fini(&pem);
}

static void webhook_check_client(struct cleat_value hook, struct cleat_api_report *report)
{
    struct cleat_value client = cleat_value_get(hook, "clientConfig");
    struct cleat_value url = cleat_value_get(client, "url");
    struct cleat_value service = cleat_value_get(client, "service");
    bool has_url = cleat_value_type(url) == CLEAT_TYPE_STRING;
    bool has_service = cleat_value_type(service) == CLEAT_TYPE_OBJECT;
    size_t mark = cleat_api_report_field(report, "clientConfig");
    if (has_url == has_service)
        cleat_api_report_required(report, "exactly one of url or service is required");
    if (has_url)
        webhook_check_url(url, report);
    static const char *const needed[] = {"name", "namespace"};
    for (size_t i = 0; has_service && i < 2; i++) {
        struct cleat_value value = cleat_value_get(service, needed[i]);
        size_t inner = cleat_api_report_at(report, "service.%s", needed[i]);
        if (cleat_value_type(value) != CLEAT_TYPE_STRING || cleat_value_is(value, ""))
            cleat_api_report_required(report, "");
        cleat_api_report_leave(report, inner);
    }
    webhook_check_bundle(cleat_value_get(client, "caBundle"), report);
    cleat_api_report_leave(report, mark);
}

static void webhook_check_rule(struct cleat_value rule, struct cleat_api_report *report)
{
    static const char *const lists[] = {"operations", "apiGroups", "apiVersions", "resources"};
    static const char *const operations[] = {"*", "CONNECT", "CREATE", "DELETE", "UPDATE", NULL};
    static const char *const scopes[] = {"*", "Cluster", "Namespaced", NULL};
    for (size_t i = 0; i < 4; i++) {
        size_t mark = cleat_api_report_field(report, lists[i]);
        if (!cleat_value_count(cleat_value_get(rule, lists[i])))
            cleat_api_report_required(report, "");
        cleat_api_report_leave(report, mark);
    }
    struct cleat_value list = cleat_value_get(rule, "operations");
    for (size_t i = 0; i < cleat_value_count(list); i++) {
        bool known = false;
        size_t mark = cleat_api_report_at(report, "operations[%zu]", i);
        for (size_t j = 0; operations[j]; j++)
            known = known || cleat_value_is(cleat_value_at(list, i), operations[j]);
        if (!known)
            cleat_api_report_unsupported(report, cleat_value_at(list, i), operations);
        cleat_api_report_leave(report, mark);
    }
    webhook_check_choice(rule, "scope", scopes, report);
}

static void webhook_check_selector(struct cleat_value hook, const char *field,
                                   struct cleat_api_report *report)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_selector *selector = NULL;
    size_t mark = cleat_api_report_field(report, field);
    if (cleat_selector_of(cleat_value_get(hook, field), &selector, &err) != 0)
        cleat_api_report_invalid(report, cleat_value_get(hook, field), "%s", cleat_err_text(&err));
    (void)cleat_selector_free(selector);
    cleat_api_report_leave(report, mark);
}

static void webhook_check_condition(struct cleat_value condition, struct cleat_api_report *report)
{
    struct cleat_scratch scratch;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_value value = cleat_value_get(condition, "expression");
    struct cleat_str text = cleat_value_text(value, &scratch);
    size_t mark = cleat_api_report_field(report, "name");
    if (!cleat_name_is_label_key(cleat_value_text(cleat_value_get(condition, "name"), &scratch)))
        cleat_api_report_required(report, "");
    cleat_api_report_leave(report, mark);
    mark = cleat_api_report_field(report, "expression");
    text = cleat_value_text(value, &scratch);
    if (!text.length)
        cleat_api_report_required(report, "");
    else if (cleat_api_condition_check(text, &err) != 0)
        cleat_api_report_invalid(report, value, "compilation failed: %s", cleat_err_text(&err));
    cleat_api_report_leave(report, mark);
}

static bool webhook_has_review(struct cleat_value versions)
{
    for (size_t i = 0; i < cleat_value_count(versions); i++)
        if (cleat_value_is(cleat_value_at(versions, i), "v1"))
            return true;
    return false;
}

static void webhook_check_versions(struct cleat_value hook, struct cleat_api_report *report)
{
    struct cleat_value versions = cleat_value_get(hook, "admissionReviewVersions");
    size_t mark = cleat_api_report_field(report, "admissionReviewVersions");
    if (!cleat_value_count(versions))
        cleat_api_report_required(report, "must specify one of v1, v1beta1");
    else if (!webhook_has_review(versions))
        cleat_api_report_invalid(report, versions, "must include at least one of v1");
    cleat_api_report_leave(report, mark);
}

static void webhook_check_effects(struct cleat_value hook, struct cleat_api_report *report)
{
    static const char *const effects[] = {"None", "NoneOnDryRun", NULL};
    size_t mark = cleat_api_report_field(report, "sideEffects");
    bool absent = !cleat_value_is_present(cleat_value_get(hook, "sideEffects"));
    if (absent)
        cleat_api_report_required(report, "must specify one of None, NoneOnDryRun");
    cleat_api_report_leave(report, mark);
    if (!absent)
        webhook_check_choice(hook, "sideEffects", effects, report);
}

static void webhook_check(const struct cleat_api_operation *operation, struct cleat_value hook,
                          struct cleat_api_report *report)
{
    static const char *const policies[] = {"Fail", "Ignore", NULL};
    static const char *const matches[] = {"Equivalent", "Exact", NULL};
    static const char *const again[] = {"IfNeeded", "Never", NULL};
    struct cleat_value timeout = cleat_value_get(hook, "timeoutSeconds");
    struct cleat_value rules = cleat_value_get(hook, "rules");
    struct cleat_value conditions = cleat_value_get(hook, "matchConditions");
    webhook_check_client(hook, report);
    webhook_check_versions(hook, report);
    webhook_check_effects(hook, report);
    webhook_check_choice(hook, "failurePolicy", policies, report);
    webhook_check_choice(hook, "matchPolicy", matches, report);
    if (webhook_is_mutating(operation))
        webhook_check_choice(hook, "reinvocationPolicy", again, report);
    webhook_check_selector(hook, "namespaceSelector", report);
    webhook_check_selector(hook, "objectSelector", report);
    size_t mark = cleat_api_report_field(report, "timeoutSeconds");
    if (cleat_value_int_or(timeout, 0) < 1 || cleat_value_int_or(timeout, 0) > 30)
        cleat_api_report_invalid(report, timeout,
                                 "the timeout value must be between 1 and 30 seconds");
    cleat_api_report_leave(report, mark);
    for (size_t i = 0; i < cleat_value_count(rules); i++) {
        mark = cleat_api_report_at(report, "rules[%zu]", i);
        webhook_check_rule(cleat_value_at(rules, i), report);
        cleat_api_report_leave(report, mark);
    }
    for (size_t i = 0; i < cleat_value_count(conditions); i++) {
        mark = cleat_api_report_at(report, "matchConditions[%zu]", i);
        webhook_check_condition(cleat_value_at(conditions, i), report);
        cleat_api_report_leave(report, mark);
    }
}

void cleat_api_webhooks_check(const struct cleat_api_operation *operation,
                              struct cleat_value object, struct cleat_api_report *report)
{
    struct cleat_value hooks = cleat_value_get(object, "webhooks");
    for (size_t i = 0; i < cleat_value_count(hooks); i++) {
        size_t mark = cleat_api_report_at(report, "webhooks[%zu]", i);
        webhook_check_name(hooks, i, report);
        webhook_check(operation, cleat_value_at(hooks, i), report);
        cleat_api_report_leave(report, mark);
    }
}
