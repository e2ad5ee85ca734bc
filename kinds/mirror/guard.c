/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/guard.h"

#include <errno.h>
#include <stdbool.h>

#include "kinds/mirror/mirror.h"
#include "kinds/mirror/spec.h"

#define GUARD_NAME "cleat-validating"

/* The conditions that deletion needs; any other could let something by. */
static const char *const guard_conditions[] = {
    "request.operation == 'CREATE' || object.spec != oldObject.spec",
    "!has(object.metadata.deletionTimestamp)",
};

static bool guard_lists(struct cleat_value array, const char *text)
{
    return cleat__mirror_list_has(array, cleat_str_of(text)) ||
           cleat__mirror_list_has(array, CLEAT_STR("*"));
}

static bool guard_rule_covers(struct cleat_value rule, const char *operation)
{
    struct cleat_value scope = cleat_value_get(rule, "scope");
    return guard_lists(cleat_value_get(rule, "apiGroups"), MIRROR_GROUP) &&
           guard_lists(cleat_value_get(rule, "apiVersions"), MIRROR_VERSION) &&
           guard_lists(cleat_value_get(rule, "resources"), "mirrors") &&
           guard_lists(cleat_value_get(rule, "operations"), operation) &&
           (!cleat_value_is_present(scope) || cleat_value_is(scope, "*") ||
            cleat_value_is(scope, "Cluster"));
}

static bool guard_covers(struct cleat_value hook, const char *operation)
{
    struct cleat_value rules = cleat_value_get(hook, "rules");
    for (size_t i = 0; i < cleat_value_count(rules); i++)
        if (guard_rule_covers(cleat_value_at(rules, i), operation))
            return true;
    return false;
}

static bool guard_is_ours(struct cleat_value hook)
{
    struct cleat_scratch scratch;
    struct cleat_value config = cleat_value_get(hook, "clientConfig");
    struct cleat_str url = cleat_value_text(cleat_value_get(config, "url"), &scratch);
    size_t length = sizeof(CLEAT_MIRROR_VALIDATE_PATH) - 1;
    if (url.length >= length)
        return memcmp(url.data + url.length - length, CLEAT_MIRROR_VALIDATE_PATH, length) == 0;
    return cleat_value_is(cleat_value_get(cleat_value_get(config, "service"), "path"),
                          CLEAT_MIRROR_VALIDATE_PATH);
}

/* True where the selector lets everything through. */
static bool guard_selects_all(struct cleat_value selector)
{
    return cleat_value_count(cleat_value_get(selector, "matchLabels")) == 0 &&
           cleat_value_count(cleat_value_get(selector, "matchExpressions")) == 0;
}

static bool guard_conditions_known(struct cleat_value conditions)
{
    for (size_t i = 0; i < cleat_value_count(conditions); i++) {
        struct cleat_value expression =
            cleat_value_get(cleat_value_at(conditions, i), "expression");
        if (!cleat_value_is(expression, guard_conditions[0]) &&
            !cleat_value_is(expression, guard_conditions[1]))
            return false;
    }
    return true;
}

/* What is loose about one webhook, or NULL. */
static const char *guard_looseness(struct cleat_value hook)
{
    struct cleat_value policy = cleat_value_get(hook, "failurePolicy");
    if (cleat_value_is_present(policy) && !cleat_value_is(policy, "Fail"))
        return "its failurePolicy isn't Fail";
    if (!guard_covers(hook, "CREATE") || !guard_covers(hook, "UPDATE"))
        return "its rules don't cover CREATE and UPDATE of mirrors";
    if (!guard_selects_all(cleat_value_get(hook, "objectSelector")))
        return "its objectSelector leaves Mirrors out";
    if (!guard_conditions_known(cleat_value_get(hook, "matchConditions")))
        return "its matchConditions aren't those that were installed";
    return NULL;
}

int cleat__mirror_guard_check(struct cleat_value root, struct cleat_err *err)
{
    struct cleat_value hooks = cleat_value_get(root, "webhooks");
    const char *loose = "it has no webhook for Mirrors";
    for (size_t i = 0; loose && i < cleat_value_count(hooks); i++)
        if (guard_is_ours(cleat_value_at(hooks, i)))
            loose = guard_looseness(cleat_value_at(hooks, i));
    return loose ? cleat_err_set(err, -EPERM, GUARD_NAME " is loosened: %s", loose) : 0;
}
