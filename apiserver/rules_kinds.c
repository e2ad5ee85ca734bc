/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services, leases, events, roles and bindings.
 */
#include <cleat/path.h>
#include <errno.h>
#include <stdio.h>

#include "apiserver/rules.h"

#define KINDS_RBAC "rbac.authorization.k8s.io"

static bool kinds_empty(struct cleat_value value)
{
    return cleat_value_type(value) != CLEAT_TYPE_STRING || cleat_value_is(value, "");
}

static void kinds_required(struct cleat_api_report *report, struct cleat_value root,
                           const char *path, const char *why)
{
    size_t mark = cleat_api_report_at(report, "%s", path);
    if (kinds_empty(cleat_value_find(root, path)))
        cleat_api_report_required(report, why);
    cleat_api_report_leave(report, mark);
}

static int service_fill_ports(struct cleat_value ports, struct cleat_draft *draft,
                              struct cleat_err *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(ports); i++) {
        char path[64];
        struct cleat_value port = cleat_value_at(ports, i);
        snprintf(path, sizeof(path), "spec.ports[%zu].protocol", i);
        if (kinds_empty(cleat_value_get(port, "protocol")))
            result = cleat_draft_set_text(draft, path, "TCP", err);
        snprintf(path, sizeof(path), "spec.ports[%zu].targetPort", i);
        struct cleat_value target = cleat_value_get(port, "targetPort");
        struct cleat_value number = cleat_value_get(port, "port");
        if (result == 0 && !cleat_value_is_present(target) && cleat_value_is_present(number))
            result = cleat_draft_set(draft, path, number, err);
    }
    return result;
}

int cleat_api_service_fill(const struct cleat_api_operation *operation, struct cleat_value object,
                           struct cleat_draft *draft, struct cleat_err *err)
{
    struct cleat_value spec = cleat_value_get(object, "spec");
    int result = 0;
    if (kinds_empty(cleat_value_get(spec, "type")))
        result = cleat_draft_set_text(draft, "spec.type", "ClusterIP", err);
    if (result == 0 && kinds_empty(cleat_value_get(spec, "sessionAffinity")))
        result = cleat_draft_set_text(draft, "spec.sessionAffinity", "None", err);
    return result == 0 ? service_fill_ports(cleat_value_get(spec, "ports"), draft, err) : result;
}

static void service_check_ports(struct cleat_value spec, struct cleat_api_report *report)
{
    struct cleat_value ports = cleat_value_get(spec, "ports");
    bool headless = cleat_value_is(cleat_value_get(spec, "clusterIP"), "None");
    size_t mark = cleat_api_report_at(report, "spec.ports");
    if (!cleat_value_count(ports) && !headless &&
        !cleat_value_is(cleat_value_get(spec, "type"), "ExternalName"))
        cleat_api_report_required(report, "");
    for (size_t i = 0; i < cleat_value_count(ports); i++) {
        struct cleat_value port = cleat_value_get(cleat_value_at(ports, i), "port");
        int64_t number = cleat_value_int_or(port, 0);
        size_t inner = cleat_api_report_at(report, "[%zu].port", i);
        if (number < 1 || number > 65535)
            cleat_api_report_invalid(report, port, "must be between 1 and 65535, inclusive");
        cleat_api_report_leave(report, inner);
        inner = cleat_api_report_at(report, "[%zu].name", i);
        if (cleat_value_count(ports) > 1 &&
            kinds_empty(cleat_value_get(cleat_value_at(ports, i), "name")))
            cleat_api_report_required(report, "");
        cleat_api_report_leave(report, inner);
    }
    cleat_api_report_leave(report, mark);
}

void cleat_api_service_check(const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_api_report *report)
{
    static const char *const types[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort",
                                        NULL};
    struct cleat_value spec = cleat_value_get(object, "spec");
    struct cleat_value type = cleat_value_get(spec, "type");
    bool known = false;
    for (size_t i = 0; types[i]; i++)
        known = known || cleat_value_is(type, types[i]);
    size_t mark = cleat_api_report_at(report, "spec.type");
    if (!known)
        cleat_api_report_unsupported(report, type, types);
    cleat_api_report_leave(report, mark);
    if (cleat_value_is(type, "ExternalName"))
        kinds_required(report, object, "spec.externalName", "");
    service_check_ports(spec, report);
}

void cleat_api_lease_check(const struct cleat_api_operation *operation, struct cleat_value object,
                           struct cleat_api_report *report)
{
    static const struct {
        const char *path;
        int64_t least;
        const char *why;
    } numbers[] = {
        {"spec.leaseDurationSeconds", 1, "must be greater than 0"},
        {"spec.leaseTransitions", 0, "must be greater than or equal to 0"},
    };
    for (size_t i = 0; i < 2; i++) {
        struct cleat_value value = cleat_value_find(object, numbers[i].path);
        size_t mark = cleat_api_report_at(report, "%s", numbers[i].path);
        if (cleat_value_type(value) == CLEAT_TYPE_NUMBER &&
            cleat_value_int_or(value, -1) < numbers[i].least)
            cleat_api_report_invalid(report, value, "%s", numbers[i].why);
        cleat_api_report_leave(report, mark);
    }
}

static void event_too_long(struct cleat_value object, const char *path, size_t max,
                           struct cleat_api_report *report)
{
    struct cleat_scratch scratch;
    size_t mark = cleat_api_report_at(report, "%s", path);
    if (cleat_value_text(cleat_value_find(object, path), &scratch).length > max)
        cleat_api_report_invalid(report, CLEAT_VALUE_NONE, "can have at most %zu characters", max);
    cleat_api_report_leave(report, mark);
}

static void event_check_namespace(const struct cleat_api_operation *operation,
                                  struct cleat_value object, struct cleat_api_report *report)
{
    struct cleat_scratch scratch;
    struct cleat_value value = cleat_value_find(object, "regarding.namespace");
    struct cleat_str regarding = cleat_value_text(value, &scratch);
    bool cluster = !regarding.length;
    bool fits = cluster ? cleat_str_is(operation->namespace_, "default") ||
                              cleat_str_is(operation->namespace_, "kube-system")
                        : cleat_str_equal(regarding, operation->namespace_);
    size_t mark = cleat_api_report_at(report, "involvedObject.namespace");
    if (!fits)
        cleat_api_report_invalid(report, value, "does not match event.namespace");
    cleat_api_report_leave(report, mark);
}

static void event_check_series(struct cleat_value object, struct cleat_api_report *report)
{
    struct cleat_value count = cleat_value_find(object, "series.count");
    if (cleat_value_type(cleat_value_get(object, "series")) != CLEAT_TYPE_OBJECT)
        return;
    size_t mark = cleat_api_report_at(report, "series.count");
    if (cleat_value_int_or(count, 0) < 2)
        cleat_api_report_invalid(report, count, "should be at least 2");
    cleat_api_report_leave(report, mark);
    kinds_required(report, object, "series.lastObservedTime", "");
}

void cleat_api_event_check(const struct cleat_api_operation *operation, struct cleat_value object,
                           struct cleat_api_report *report)
{
    static const char *const types[] = {"Normal", "Warning", NULL};
    struct cleat_value type = cleat_value_get(object, "type");
    event_check_namespace(operation, object, report);
    event_check_series(object, report);
    if (strcmp(operation->name, "CREATE") != 0)
        return; /* only what can change is checked on updates, and the rest there is the old */
    kinds_required(report, object, "eventTime", "");
    kinds_required(report, object, "reportingController", "");
    kinds_required(report, object, "reportingInstance", "");
    kinds_required(report, object, "action", "");
    kinds_required(report, object, "reason", "");
    event_too_long(object, "reportingInstance", 128, report);
    event_too_long(object, "action", 128, report);
    event_too_long(object, "reason", 128, report);
    event_too_long(object, "note", 1024, report);
    size_t mark = cleat_api_report_at(report, "type");
    if (!cleat_value_is(type, types[0]) && !cleat_value_is(type, types[1]))
        cleat_api_report_invalid(report, type, "has invalid value: %s",
                                 "must be Normal or Warning");
    cleat_api_report_leave(report, mark);
}

int cleat_api_binding_fill(const struct cleat_api_operation *operation, struct cleat_value object,
                           struct cleat_draft *draft, struct cleat_err *err)
{
    struct cleat_value subjects = cleat_value_get(object, "subjects");
    int result = 0;
    if (cleat_value_type(cleat_value_get(object, "roleRef")) == CLEAT_TYPE_OBJECT &&
        kinds_empty(cleat_value_find(object, "roleRef.apiGroup")))
        result = cleat_draft_set_text(draft, "roleRef.apiGroup", KINDS_RBAC, err);
    for (size_t i = 0; result == 0 && i < cleat_value_count(subjects); i++) {
        char path[64];
        struct cleat_value subject = cleat_value_at(subjects, i);
        bool account = cleat_value_is(cleat_value_get(subject, "kind"), "ServiceAccount");
        snprintf(path, sizeof(path), "subjects[%zu].apiGroup", i);
        if (!account && cleat_value_type(subject) == CLEAT_TYPE_OBJECT &&
            kinds_empty(cleat_value_get(subject, "apiGroup")))
            result = cleat_draft_set_text(draft, path, KINDS_RBAC, err);
    }
    return result;
}

static void binding_check_subject(struct cleat_value subject, bool cluster,
                                  struct cleat_api_report *report)
{
    static const char *const kinds[] = {"ServiceAccount", "User", "Group", NULL};
    struct cleat_value kind = cleat_value_get(subject, "kind");
    kinds_required(report, subject, "name", "");
    size_t mark = cleat_api_report_field(report, "kind");
    if (!cleat_value_is(kind, kinds[0]) && !cleat_value_is(kind, kinds[1]) &&
        !cleat_value_is(kind, kinds[2]))
        cleat_api_report_unsupported(report, kind, kinds);
    cleat_api_report_leave(report, mark);
    if (cluster && cleat_value_is(kind, kinds[0]))
        kinds_required(report, subject, "namespace", "");
}

void cleat_api_binding_check(const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_api_report *report)
{
    static const char *const roles[] = {"Role", "ClusterRole", NULL};
    bool cluster = !(operation->resource->flags & CLEAT_API_NAMESPACED);
    struct cleat_value ref = cleat_value_get(object, "roleRef");
    struct cleat_value kind = cleat_value_get(ref, "kind");
    struct cleat_value subjects = cleat_value_get(object, "subjects");
    kinds_required(report, object, "roleRef.name", "");
    size_t mark = cleat_api_report_at(report, "roleRef.kind");
    if (!cleat_value_is(kind, "ClusterRole") && (cluster || !cleat_value_is(kind, "Role")))
        cleat_api_report_unsupported(report, kind, cluster ? roles + 1 : roles);
    cleat_api_report_leave(report, mark);
    for (size_t i = 0; i < cleat_value_count(subjects); i++) {
        mark = cleat_api_report_at(report, "subjects[%zu]", i);
        binding_check_subject(cleat_value_at(subjects, i), cluster, report);
        cleat_api_report_leave(report, mark);
    }
    mark = cleat_api_report_field(report, "roleRef");
    if (cleat_value_is_present(operation->old) &&
        !cleat_value_equal(ref, cleat_value_get(operation->old, "roleRef")))
        cleat_api_report_invalid(report, ref, "cannot change roleRef");
    cleat_api_report_leave(report, mark);
}

void cleat_api_role_check(const struct cleat_api_operation *operation, struct cleat_value object,
                          struct cleat_api_report *report)
{
    bool cluster = !(operation->resource->flags & CLEAT_API_NAMESPACED);
    struct cleat_value rules = cleat_value_get(object, "rules");
    for (size_t i = 0; i < cleat_value_count(rules); i++) {
        struct cleat_value rule = cleat_value_at(rules, i);
        bool paths = cleat_value_count(cleat_value_get(rule, "nonResourceURLs")) > 0;
        size_t mark = cleat_api_report_at(report, "rules[%zu]", i);
        if (!cleat_value_count(cleat_value_get(rule, "verbs"))) {
            size_t inner = cleat_api_report_field(report, "verbs");
            cleat_api_report_required(report, "verbs must contain at least one value");
            cleat_api_report_leave(report, inner);
        }
        if (paths && !cluster) {
            size_t inner = cleat_api_report_field(report, "nonResourceURLs");
            cleat_api_report_invalid(report, cleat_value_get(rule, "nonResourceURLs"),
                                     "namespaced rules cannot apply to non-resource URLs");
            cleat_api_report_leave(report, inner);
        }
        if (!paths && !cleat_value_count(cleat_value_get(rule, "apiGroups"))) {
            size_t inner = cleat_api_report_field(report, "apiGroups");
            cleat_api_report_required(report, "resource rules must supply at least one api group");
            cleat_api_report_leave(report, inner);
        }
        if (!paths && !cleat_value_count(cleat_value_get(rule, "resources"))) {
            size_t inner = cleat_api_report_field(report, "resources");
            cleat_api_report_required(report, "resource rules must supply at least one resource");
            cleat_api_report_leave(report, inner);
        }
        cleat_api_report_leave(report, mark);
    }
}
