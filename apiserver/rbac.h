/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RBAC, evaluated from the roles and bindings that are stored, at each question. Source: Kubernetes
 * documentation, "Using RBAC Authorization".
 */
#ifndef CLEAT_APISERVER_RBAC_H
#define CLEAT_APISERVER_RBAC_H

#include "apiserver/hooks.h"
#include "apiserver/server.h"

/** The authorize hook: 0 allowed, 1 not, negative where it couldn't be told. @reason says by which
 * binding, or why not. */
int cleat_api_rbac_authorize(struct cleat_api_server *server,
                             const struct cleat_api_attributes *attributes, char reason[256]);
/**
 * Calls @fn with each rule that holds for @user, of ClusterRoles everywhere or in @namespace_ and,
 * where that isn't empty, of its Roles. @fn returns true to stop. @binding is what grants it.
 * Returns true where @fn stopped it; @ret_error (may be NULL) says that something couldn't be read.
 */
bool cleat_api_rbac_visit(struct cleat_api_server *server, const struct cleat_api_user *user,
                          struct cleat_str namespace_,
                          bool (*fn)(void *arg, struct cleat_value rule, const char *binding),
                          void *arg, bool *ret_error);
/** Stores the cluster's own roles and bindings. */
int cleat_api_rbac_bootstrap(struct cleat_api_server *server,
                             struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
