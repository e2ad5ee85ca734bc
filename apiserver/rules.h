/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the built-in kinds demand: a row for each kind that has rules of its own, and what holds for
 * the metadata of all. Fields that a rule doesn't know are kept as they are. Source: the defaults
 * and validation of Kubernetes' API registry.
 */
#ifndef CLEAT_APISERVER_RULES_H
#define CLEAT_APISERVER_RULES_H

#include "apiserver/hooks.h"
#include "apiserver/report.h"
#include <cleat/draft.h>

struct cleat_api_rule {
    const char *group;
    const char *plural;
    /* Sets defaults, as decoding does. -EINVAL: the object can't be one of the kind (400). May be
     * NULL. */
    int (*fill)(const struct cleat_api_operation *operation, struct cleat_value object,
                struct cleat_draft *draft, struct cleat_err *err);
    /* Reports what isn't valid. May be NULL. */
    void (*check)(const struct cleat_api_operation *operation, struct cleat_value object,
                  struct cleat_api_report *report);
};

/** The rules of a resource, or NULL. Static. */
const struct cleat_api_rule *cleat_api_rule_find(const struct cleat_api_resource *resource);

/** What holds for all: syntax of labels, annotations, finalizers and owners. */
void cleat_api_rule_metadata(const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_api_report *report);

/* The functions of rows, by kind; see struct cleat_api_rule. */
int cleat_api_secret_fill(const struct cleat_api_operation *operation, struct cleat_value object,
                          struct cleat_draft *draft, struct cleat_err *err);
void cleat_api_secret_check(const struct cleat_api_operation *operation, struct cleat_value object,
                            struct cleat_api_report *report);
int cleat_api_config_map_fill(const struct cleat_api_operation *operation,
                              struct cleat_value object, struct cleat_draft *draft,
                              struct cleat_err *err);
void cleat_api_config_map_check(const struct cleat_api_operation *operation,
                                struct cleat_value object, struct cleat_api_report *report);
int cleat_api_service_fill(const struct cleat_api_operation *operation, struct cleat_value object,
                           struct cleat_draft *draft, struct cleat_err *err);
void cleat_api_service_check(const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_api_report *report);
void cleat_api_lease_check(const struct cleat_api_operation *operation, struct cleat_value object,
                           struct cleat_api_report *report);
void cleat_api_event_check(const struct cleat_api_operation *operation, struct cleat_value object,
                           struct cleat_api_report *report);
int cleat_api_webhooks_fill(const struct cleat_api_operation *operation, struct cleat_value object,
                            struct cleat_draft *draft, struct cleat_err *err);
void cleat_api_webhooks_check(const struct cleat_api_operation *operation,
                              struct cleat_value object, struct cleat_api_report *report);
int cleat_api_binding_fill(const struct cleat_api_operation *operation, struct cleat_value object,
                           struct cleat_draft *draft, struct cleat_err *err);
void cleat_api_binding_check(const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_api_report *report);
void cleat_api_role_check(const struct cleat_api_operation *operation, struct cleat_value object,
                          struct cleat_api_report *report);

#endif
