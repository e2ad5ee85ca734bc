/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where other parts take part in a request. Each hook may be NULL. None is called with a lock held;
 * those that fail fill @failure and return a negative code. The order of a write:
 *
 *   decode ─► prepare ─► mutate (prepare again after each change) ─► check ─► validate ─► compare
 * and store ─► changed
 */
#ifndef CLEAT_APISERVER_HOOKS_H
#define CLEAT_APISERVER_HOOKS_H

#include <cleat/document.h>
#include <cleat/value.h>
#include "apiserver/request.h"

/* What is being asked for, for authorization: also of reviews and of impersonation. */
struct cleat_api_attributes {
    const struct cleat_api_user *user;
    const char *verb;
    bool is_resource;
    struct cleat_str group;
    struct cleat_str version;
    struct cleat_str plural;
    struct cleat_str subresource;
    struct cleat_str namespace_;
    struct cleat_str name;
    struct cleat_str path; /* non-resource requests */
};

/* One write on its way through admission. */
struct cleat_api_operation {
    struct cleat_api_request *request;
    const struct cleat_api_resource *resource;
    const struct cleat_api_version *version;
    const char *name; /* "CREATE", "UPDATE", "DELETE" */
    struct cleat_str namespace_;
    struct cleat_str object_name; /* "" while generateName hasn't been used */
    struct cleat_str subresource;
    struct cleat_value old;     /* whole, in the request's version; absent on CREATE */
    struct cleat_value options; /* CreateOptions, UpdateOptions, PatchOptions or DeleteOptions */
    bool dry_run;
    bool mutated; /* what is prepared comes from mutating admission, not from the client */
};

struct cleat_api_hooks {
    /* Defaults and prunes @object as decoding does. @ret: a new document, or untouched where
     * nothing changed. */
    int (*prepare)(struct cleat_api_server *server, const struct cleat_api_operation *operation,
                   struct cleat_value object, struct cleat_document **ret,
                   struct cleat_api_failure *failure);
    /* Mutating admission. @object is absent on DELETE. @ret: a new document, or untouched. */
    int (*mutate)(struct cleat_api_server *server, const struct cleat_api_operation *operation,
                  struct cleat_value object, struct cleat_document **ret,
                  struct cleat_api_failure *failure);
    /* The kind's own validation (schema, immutable fields). */
    int (*check)(struct cleat_api_server *server, const struct cleat_api_operation *operation,
                 struct cleat_value object, struct cleat_api_failure *failure);
    /* Validating admission. */
    int (*validate)(struct cleat_api_server *server, const struct cleat_api_operation *operation,
                    struct cleat_value object, struct cleat_api_failure *failure);
    /* 0: allowed; 1: not; negative: couldn't be told. @reason gets a short text. */
    int (*authorize)(struct cleat_api_server *server, const struct cleat_api_attributes *attributes,
                     char reason[256]);
    /* A create of a review kind: appends the answer, a whole object. */
    int (*review)(struct cleat_api_server *server, struct cleat_api_request *request,
                  struct cleat_value body, struct cleat_buffer *answer,
                  struct cleat_api_failure *failure);
    /* After a commit, on its thread, before the answer. @old NULL: created; @new NULL: deleted.
     * Calls for the same object may come out of order: read again what is stored. */
    void (*changed)(struct cleat_api_server *server, struct cleat_api_resource *resource,
                    struct cleat_api_record *old, struct cleat_api_record *new);
};

#endif
