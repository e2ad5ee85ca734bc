/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy: the hooks of a server, filled. What each kind demands (custom resources by their schemas,
 * built-in ones by code), webhooks, RBAC, reviews, and definitions that become resources.
 */
#ifndef CLEAT_APISERVER_POLICY_H
#define CLEAT_APISERVER_POLICY_H

#include "apiserver/server.h"

/** Makes the server's policy and fills its hooks; one that was set for changes is called after the
 * policy's own. Before anything is stored. */
int cleat_api_policy_init(struct cleat_api_server *server, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Stores the roles and bindings that a cluster has from its start. */
int cleat_api_policy_bootstrap(struct cleat_api_server *server,
                               struct cleat_err *err) CLEAT_MUST_CHECK;
/** Frees the policy; repeatable. No request may run any more. */
void cleat_api_policy_fini(struct cleat_api_server *server);

#endif
