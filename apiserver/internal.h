/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of the server to itself, as one of its own identities: through admission, like
 * everybody's.
 */
#ifndef CLEAT_APISERVER_INTERNAL_H
#define CLEAT_APISERVER_INTERNAL_H

#include "apiserver/server.h"

/** Appends the path of an object, or of the collection where @name is empty. */
void cleat_api_internal_path(const struct cleat_api_resource *resource, struct cleat_str namespace_,
                             struct cleat_str name, struct cleat_buffer *path);
/** Runs the request and returns its HTTP status. @type NULL: application/json. */
int cleat_api_internal_call(struct cleat_api_server *server, struct cleat_api_user *user,
                            const char *method, const struct cleat_buffer *path, const char *type,
                            const struct cleat_buffer *body);

#endif
