/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server itself writes into metadata.
 */
#ifndef CLEAT_APISERVER_META_H
#define CLEAT_APISERVER_META_H

#include "apiserver/change.h"

/** Create, before admission: drops what clients may not set, sets kind and namespace. An edit. */
int cleat_api_meta_clean(struct cleat_api_change *change, struct cleat_draft *draft,
                         struct cleat_err *err);
/** Create, after mutation: name from generateName, uid, times, generation 1. An edit. */
int cleat_api_meta_stamp(struct cleat_api_change *change, struct cleat_draft *draft,
                         struct cleat_err *err);
/** Update: what only the server writes comes from the old object; generation counts. An edit. */
int cleat_api_meta_carry(struct cleat_api_change *change, struct cleat_draft *draft,
                         struct cleat_err *err);
/** Delete: deletionTimestamp and a grace period of 0; generation counts. An edit. */
int cleat_api_meta_mark(struct cleat_api_change *change, struct cleat_draft *draft,
                        struct cleat_err *err);
/** 422 for a name that the resource doesn't allow. */
int cleat_api_meta_check(struct cleat_api_change *change,
                         struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** True where nothing but resourceVersion differs. */
bool cleat_api_meta_same(struct cleat_value a, struct cleat_value b);
/** True where an object that is being deleted may go: no finalizers left. */
bool cleat_api_meta_gone(struct cleat_value object);

#endif
