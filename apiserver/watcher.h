/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the registry needs of watchers, under its lock.
 */
#ifndef CLEAT_APISERVER_WATCHER_H
#define CLEAT_APISERVER_WATCHER_H

#include "apiserver/registry.h"

struct cleat_api_storage *cleat_api_storage_ref(struct cleat_api_storage *storage);
struct cleat_api_storage *cleat_api_storage_unref(struct cleat_api_storage *storage);

/** Something was added to the storage's history. */
void cleat__api_watchers_signal(struct cleat_api_storage *storage);
/** The storage's resource is gone. */
void cleat__api_watchers_end(struct cleat_api_storage *storage);
void cleat__api_watchers_wake(struct cleat_api_storage *storage, bool bookmark);

/** The objects of a range as they are; the lock is held. */
int cleat__api_snapshot_now(struct cleat_api_registry *registry,
                            const struct cleat_api_resource *resource,
                            const struct cleat_api_range *range,
                            struct cleat_api_snapshot *ret) CLEAT_MUST_CHECK;

#endif
