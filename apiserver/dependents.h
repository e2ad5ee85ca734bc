/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which objects name which owners: from an owner's uid to the objects that may depend on it. An
 * entry is a hint, to be checked against what is stored. Any thread.
 */
#ifndef CLEAT_APISERVER_DEPENDENTS_H
#define CLEAT_APISERVER_DEPENDENTS_H

#include "apiserver/registry.h"

struct cleat_api_dependents;

int cleat_api_dependents_new(struct cleat_api_dependents **ret) CLEAT_MUST_CHECK;
struct cleat_api_dependents *cleat_api_dependents_free(struct cleat_api_dependents *dependents);
/** @record names owner @uid. -ENOMEM. */
int cleat_api_dependents_add(struct cleat_api_dependents *dependents, struct cleat_str uid,
                             struct cleat_api_resource *resource,
                             const struct cleat_api_record *record) CLEAT_MUST_CHECK;
/** @record doesn't any more. */
void cleat_api_dependents_remove(struct cleat_api_dependents *dependents, struct cleat_str uid,
                                 const struct cleat_api_resource *resource,
                                 const struct cleat_api_record *record);

/* One dependent; of a copy that the caller owns. */
struct cleat_api_dependent {
    struct cleat_api_resource *resource; /* reference */
    char *namespace_;
    char *name;
};

/** All dependents of @uid: @ret is a new array. */
int cleat_api_dependents_of(struct cleat_api_dependents *dependents, struct cleat_str uid,
                            struct cleat_api_dependent **ret, size_t *ret_count) CLEAT_MUST_CHECK;
void cleat_api_dependents_release(struct cleat_api_dependent *list, size_t count);

#endif
