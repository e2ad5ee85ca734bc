/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acting as somebody else: the Impersonate-* headers. Source: Kubernetes documentation, "User
 * impersonation".
 */
#ifndef CLEAT_APISERVER_IMPERSONATION_H
#define CLEAT_APISERVER_IMPERSONATION_H

#include "apiserver/request.h"

/** Replaces the request's user by who it asks to be, where it may. 403, 400. */
int cleat_api_impersonate(struct cleat_api_request *request,
                          struct cleat_api_failure *failure) CLEAT_MUST_CHECK;

#endif
