/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is there at the start: the built-in resources and namespaces.
 */
#ifndef CLEAT_APISERVER_BUILTIN_H
#define CLEAT_APISERVER_BUILTIN_H

#include "apiserver/server.h"

/** Adds the resources of kinds.def. */
int cleat_api_builtin_add(struct cleat_api_registry *registry) CLEAT_MUST_CHECK;
/** Makes default, kube-system, kube-public and kube-node-lease. */
int cleat_api_builtin_namespaces(struct cleat_api_server *server,
                                 struct cleat_err *err) CLEAT_MUST_CHECK;
/** The server's own identity @name, of system:masters and its service account's groups. @ret is
 * new. */
int cleat_api_builtin_user(const char *name, struct cleat_api_user **ret) CLEAT_MUST_CHECK;

#endif
