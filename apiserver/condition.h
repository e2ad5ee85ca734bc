/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matchConditions of webhooks, as far as they go without CEL: ==, !=, &&, ||, !, in, has(),
 * parentheses, literals, lists of them, and fields of request, object and oldObject. Whatever else
 * CEL knows is refused when a configuration is written. An access to what isn't there is an error,
 * which && and || absorb where the other side decides, as in CEL.
 */
#ifndef CLEAT_APISERVER_CONDITION_H
#define CLEAT_APISERVER_CONDITION_H

#include <cleat/err.h>
#include <cleat/value.h>

struct cleat_api_condition_vars {
    struct cleat_value request;
    struct cleat_value object;     /* absent: null */
    struct cleat_value old_object; /* absent: null */
};

/** 0 where @expression is one that can be evaluated, else -EINVAL with what is wrong. */
int cleat_api_condition_check(struct cleat_str expression, struct cleat_err *err) CLEAT_MUST_CHECK;
/** 1: holds; 0: doesn't; -EINVAL: an error, as of a field that isn't there. */
int cleat_api_condition_eval(struct cleat_str expression,
                             const struct cleat_api_condition_vars *vars,
                             struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
