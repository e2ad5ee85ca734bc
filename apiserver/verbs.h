/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs, one function each: read the request, fill the response or the failure.
 */
#ifndef CLEAT_APISERVER_VERBS_H
#define CLEAT_APISERVER_VERBS_H

#include "apiserver/server.h"

int cleat_api_get(struct cleat_api_request *request, struct cleat_api_response *response,
                  struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
int cleat_api_list(struct cleat_api_request *request, struct cleat_api_response *response,
                   struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
int cleat_api_watch(struct cleat_api_request *request, struct cleat_api_response *response,
                    struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
int cleat_api_create(struct cleat_api_request *request, struct cleat_api_response *response,
                     struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
int cleat_api_update(struct cleat_api_request *request, struct cleat_api_response *response,
                     struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
int cleat_api_patch(struct cleat_api_request *request, struct cleat_api_response *response,
                    struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
int cleat_api_delete(struct cleat_api_request *request, struct cleat_api_response *response,
                     struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
int cleat_api_delete_collection(struct cleat_api_request *request,
                                struct cleat_api_response *response,
                                struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** Creates @body (borrowed), as create and as an update of what isn't there. */
int cleat_api_create_object(struct cleat_api_request *request, struct cleat_document *body,
                            struct cleat_api_response *response,
                            struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** Paths that aren't about resources: discovery, version, health. */
int cleat_api_path(struct cleat_api_request *request, struct cleat_api_response *response,
                   struct cleat_api_failure *failure) CLEAT_MUST_CHECK;

/** Fault control below /_faults. */
int cleat_api_fault_path(struct cleat_api_request *request, struct cleat_api_response *response,
                         struct cleat_api_failure *failure) CLEAT_MUST_CHECK;

/** 404: `pods "x" not found`. */
int cleat_api_fail_not_found(struct cleat_api_failure *failure,
                             const struct cleat_api_resource *resource, struct cleat_str name);
/** 409: the object was modified. */
int cleat_api_fail_conflict(struct cleat_api_failure *failure,
                            const struct cleat_api_resource *resource, struct cleat_str name,
                            const char *why);
/**
 * 422 Invalid with one more cause: `Pod "x" is invalid: FIELD: DETAIL`, with several causes in
 * brackets. @reason as "FieldValueInvalid". May be called again on the same failure. Returns
 * -EPROTO.
 */
int cleat_api_fail_invalid(struct cleat_api_failure *failure,
                           const struct cleat_api_resource *resource, struct cleat_str name,
                           const char *reason, const char *field, const char *format, ...)
    CLEAT_PRINTF(6, 7);
/** 404 where the resource has no such subresource to be read (written with @write). */
int cleat_api_check_subresource(const struct cleat_api_request *request, bool write,
                                struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** Puts a record into the answer, in the request's form. */
int cleat_api_answer_record(const struct cleat_api_request *request,
                            struct cleat_api_record *record, struct cleat_api_response *response,
                            struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** "pods" or "deployments.apps". Returns @text. */
const char *cleat_api_resource_title(const struct cleat_api_resource *resource, char text[320]);

#endif
