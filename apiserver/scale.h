/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scale subresource: autoscaling/v1 Scale as a view of spec.replicas, status.replicas and the
 * selector. Custom resources say where those are.
 */
#ifndef CLEAT_APISERVER_SCALE_H
#define CLEAT_APISERVER_SCALE_H

#include "apiserver/change.h"

/** The Scale of @record. @ret is new. */
int cleat_api_scale_of(const struct cleat_api_request *request,
                       const struct cleat_api_record *record, struct cleat_document **ret,
                       struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** Turns the change's object, a Scale, into the old object with its number of replicas. */
int cleat_api_scale_apply(struct cleat_api_change *change,
                          struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** Answers with the Scale of @record. */
int cleat_api_scale_answer(const struct cleat_api_request *request,
                           const struct cleat_api_record *record,
                           struct cleat_api_response *response,
                           struct cleat_api_failure *failure) CLEAT_MUST_CHECK;

#endif
