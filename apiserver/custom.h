/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Custom resources: what their definition says about their objects. A custom is constant and lives
 * as long as its resource.
 */
#ifndef CLEAT_APISERVER_CUSTOM_H
#define CLEAT_APISERVER_CUSTOM_H

#include "apiserver/hooks.h"
#include "apiserver/schema.h"
#include "apiserver/server.h"

struct cleat_api_custom {
    char definition[CLEAT_GROUP_BYTES_MAX + CLEAT_KIND_BYTES_MAX]; /* name of the definition */
    bool terminating;                                              /* nothing is created any more */
    struct cleat_document *document;                               /* the definition; reference */
    struct cleat_api_schema *schemas[CLEAT_API_VERSIONS_MAX];      /* in the definition's order */
};

/**
 * Makes a resource with its custom of a definition that passed its checks. @ret is new. -EINVAL
 * where it can't be served, with what is wrong in @err.
 */
int cleat_api_custom_resource(struct cleat_document *definition, struct cleat_api_resource **ret,
                              struct cleat_err *err) CLEAT_MUST_CHECK;
/** Prunes and defaults an object; unknown fields are warned of or refused, as the request says. */
int cleat_api_custom_prepare(const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_document **ret,
                             struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** Reports what the schema doesn't allow. */
void cleat_api_custom_check(const struct cleat_api_operation *operation, struct cleat_value object,
                            struct cleat_api_report *report);
/** Order of versions as Kubernetes prefers them: v2, v1, v1beta1, v1alpha1, others by name; <0: @a
 * first. */
int cleat_api_custom_order(const char *a, const char *b);

#endif
