/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rules.h"

#include <string.h>

#include "apiserver/crd.h"

static void rule_definition_check(const struct cleat_api_operation *operation,
                                  struct cleat_value object, struct cleat_api_report *report)
{
    if (cleat_api_crd_check(object, operation->old, report) != 0)
        cleat_api_report_add(report, "InternalError", "Internal error: no memory");
}

#define RULE_RBAC "rbac.authorization.k8s.io"
#define RULE_ADMISSION "admissionregistration.k8s.io"

static const struct cleat_api_rule rules[] = {
    {"", "secrets", cleat_api_secret_fill, cleat_api_secret_check},
    {"", "configmaps", cleat_api_config_map_fill, cleat_api_config_map_check},
    {"", "services", cleat_api_service_fill, cleat_api_service_check},
    {"coordination.k8s.io", "leases", NULL, cleat_api_lease_check},
    {"events.k8s.io", "events", NULL, cleat_api_event_check},
    {RULE_ADMISSION, "mutatingwebhookconfigurations", cleat_api_webhooks_fill,
     cleat_api_webhooks_check},
    {RULE_ADMISSION, "validatingwebhookconfigurations", cleat_api_webhooks_fill,
     cleat_api_webhooks_check},
    {RULE_RBAC, "roles", NULL, cleat_api_role_check},
    {RULE_RBAC, "clusterroles", NULL, cleat_api_role_check},
    {RULE_RBAC, "rolebindings", cleat_api_binding_fill, cleat_api_binding_check},
    {RULE_RBAC, "clusterrolebindings", cleat_api_binding_fill, cleat_api_binding_check},
    {"apiextensions.k8s.io", "customresourcedefinitions", cleat_api_crd_default,
     rule_definition_check},
};

const struct cleat_api_rule *cleat_api_rule_find(const struct cleat_api_resource *resource)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (strcmp(rules[i].plural, resource->plural) == 0 &&
            strcmp(rules[i].group, resource->group) == 0)
            return &rules[i];
    return NULL;
}
