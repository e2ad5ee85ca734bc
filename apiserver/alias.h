/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aliases: resources that show in another form what another resource stores. There is one:
 * events.k8s.io/v1 events are the core group's. Source: Kubernetes' conversion of both
 * (pkg/apis/events/v1).
 */
#ifndef CLEAT_APISERVER_ALIAS_H
#define CLEAT_APISERVER_ALIAS_H

#include "apiserver/registry.h"

/* How an alias reads and writes what another resource stores. */
struct cleat_api_alias {
    /** From the stored form to the alias's (decode) and back (encode). @ret is new. */
    int (*decode)(struct cleat_value in, struct cleat_document **ret, struct cleat_err *err);
    int (*encode)(struct cleat_value in, struct cleat_document **ret, struct cleat_err *err);
};

/** Makes events.k8s.io's events an alias of the core group's. */
int cleat_api_alias_events(struct cleat_api_registry *registry) CLEAT_MUST_CHECK;
/** @record as @resource shows it: a new reference, to @record itself where it isn't an alias. */
int cleat_api_alias_view(const struct cleat_api_resource *resource, struct cleat_api_record *record,
                         struct cleat_api_record **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Replaces each record of a snapshot by its view. */
int cleat_api_alias_snapshot(const struct cleat_api_resource *resource,
                             struct cleat_api_snapshot *snapshot) CLEAT_MUST_CHECK;
/** Replaces both records of an event by their views. */
int cleat_api_alias_event(const struct cleat_api_resource *resource,
                          struct cleat_api_event *event) CLEAT_MUST_CHECK;

#endif
