/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/policy.h"

#include <errno.h>

#include "apiserver/change.h"
#include "apiserver/crd.h"
#include "apiserver/custom.h"
#include "apiserver/rbac.h"
#include "apiserver/review.h"
#include "apiserver/rules.h"
#include "apiserver/webhook.h"
#include "base/mem.h"

struct cleat_api_policy {
    struct cleat_api_crds crds;
    struct cleat_api_callers *callers;
    void (*changed)(struct cleat_api_server *server, struct cleat_api_resource *resource,
                    struct cleat_api_record *old, struct cleat_api_record *new);
};

/* The object with a rule's defaults, where it has any. */
static int policy_fill(const struct cleat_api_operation *operation, struct cleat_value object,
                       struct cleat_document **ret, struct cleat_err *err)
{
    const struct cleat_api_rule *rule = cleat_api_rule_find(operation->resource);
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    if (!rule || !rule->fill)
        return 0;
    int result = cleat_draft_new(object, &draft, err);
    if (result == 0)
        result = rule->fill(operation, object, draft, err);
    if (result != 0 || !cleat_draft_changed(draft))
        return result;
    return cleat_api_document_of(draft, ret, err);
}

static int policy_prepare(struct cleat_api_server *server,
                          const struct cleat_api_operation *operation, struct cleat_value object,
                          struct cleat_document **ret, struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    if (operation->resource->flags & CLEAT_API_CUSTOM)
        return cleat_api_custom_prepare(operation, object, ret, failure);
    int result = policy_fill(operation, object, ret, &err);
    return result == 0 ? 0 : cleat_api_fail_err(failure, result == -ENOMEM ? 500 : 400, &err);
}

static int policy_check(struct cleat_api_server *server,
                        const struct cleat_api_operation *operation, struct cleat_value object,
                        struct cleat_api_failure *failure)
{
    struct cleat_api_report report;
    struct cleat_api_report_sink sink = {
        .failure = failure, .resource = operation->resource, .name = operation->object_name};
    const struct cleat_api_rule *rule = cleat_api_rule_find(operation->resource);
    cleat_api_report_init(&report, cleat_api_report_fail, &sink);
    cleat_api_rule_metadata(operation, object, &report);
    if (operation->resource->flags & CLEAT_API_CUSTOM)
        cleat_api_custom_check(operation, object, &report);
    else if (rule && rule->check)
        rule->check(operation, object, &report);
    cleat_api_report_fini(&report);
    return report.count ? -EPROTO : 0;
}

static int policy_mutate(struct cleat_api_server *server,
                         const struct cleat_api_operation *operation, struct cleat_value object,
                         struct cleat_document **ret, struct cleat_api_failure *failure)
{
    return cleat_api_webhooks_mutate(server->policy->callers, server, operation, object, ret,
                                     failure);
}

static int policy_validate(struct cleat_api_server *server,
                           const struct cleat_api_operation *operation, struct cleat_value object,
                           struct cleat_api_failure *failure)
{
    return cleat_api_webhooks_validate(server->policy->callers, server, operation, object, failure);
}

static bool policy_is_definition(const struct cleat_api_resource *resource)
{
    return strcmp(resource->group, "apiextensions.k8s.io") == 0 &&
           strcmp(resource->plural, "customresourcedefinitions") == 0;
}

static void policy_changed(struct cleat_api_server *server, struct cleat_api_resource *resource,
                           struct cleat_api_record *old, struct cleat_api_record *new)
{
    struct cleat_api_policy *policy = server->policy;
    if (policy_is_definition(resource))
        cleat_api_crd_sync(server, &policy->crds, (new ? new : old)->name);
    else if ((resource->flags & CLEAT_API_CUSTOM) && !new)
        cleat_api_crd_object_gone(server, &policy->crds, resource);
    if (policy->changed)
        policy->changed(server, resource, old, new);
}

int cleat_api_policy_init(struct cleat_api_server *server, struct cleat_err *err)
{
    struct cleat_api_policy *policy = cleat_mem_zalloc(1, sizeof(*policy));
    int result = policy ? cleat_api_callers_new(server->clock, &policy->callers) : -ENOMEM;
    if (result != 0) {
        cleat_mem_free(policy);
        return cleat_err_set(err, result, "no memory for a policy");
    }
    cleat_api_crds_init(&policy->crds);
    policy->changed = server->hooks.changed;
    server->policy = policy;
    server->hooks.prepare = policy_prepare;
    server->hooks.mutate = policy_mutate;
    server->hooks.check = policy_check;
    server->hooks.validate = policy_validate;
    server->hooks.authorize = cleat_api_rbac_authorize;
    server->hooks.review = cleat_api_review;
    server->hooks.changed = policy_changed;
    return 0;
}

int cleat_api_policy_bootstrap(struct cleat_api_server *server, struct cleat_err *err)
{
    return cleat_api_rbac_bootstrap(server, err);
}

void cleat_api_policy_fini(struct cleat_api_server *server)
{
    struct cleat_api_policy *policy = server->policy;
    if (!policy)
        return;
    cleat_api_callers_free(policy->callers);
    cleat_api_crds_fini(&policy->crds);
    server->policy = cleat_mem_free(policy);
}
