/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One write on its way: the object as a document that stages replace, the admission chain, the
 * commit.
 */
#ifndef CLEAT_APISERVER_CHANGE_H
#define CLEAT_APISERVER_CHANGE_H

#include <cleat/draft.h>
#include "apiserver/verbs.h"

struct cleat_api_change {
    struct cleat_api_request *request;
    struct cleat_api_operation operation;
    struct cleat_api_record *old; /* reference; NULL on create */
    struct cleat_draft
        *old_draft; /* the same, whole, in the request's version: over the record's document */
    struct cleat_document *old_whole; /* or parsed */
    struct cleat_document *object;    /* as it stands */
    struct cleat_document *options;
};

/** Begins a change; @old's reference is taken over (also on failure). */
int cleat_api_change_init(struct cleat_api_change *change, struct cleat_api_request *request,
                          const char *operation, struct cleat_api_record *old,
                          struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
void cleat_api_change_fini(struct cleat_api_change *change);
/** The object as it stands, or absent. */
struct cleat_value cleat_api_change_object(const struct cleat_api_change *change);
struct cleat_value cleat_api_change_old(const struct cleat_api_change *change);
/** Parses the request's body as an object of the resource's kind. 400, 415, 413. */
int cleat_api_body(const struct cleat_api_request *request, struct cleat_document **ret,
                   struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** Parses the request's body, JSON or what of protobuf is known. 400, 415. */
int cleat_api_body_parse(const struct cleat_api_request *request, struct cleat_document **ret,
                         struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** The object becomes what @edit makes of it. */
int cleat_api_change_edit(struct cleat_api_change *change,
                          int (*edit)(struct cleat_api_change *change, struct cleat_draft *draft,
                                      struct cleat_err *err),
                          struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** What @draft has become, as a document of its own: neither the draft nor its base need outlive
 * it. */
int cleat_api_document_of(struct cleat_draft *draft, struct cleat_document **ret,
                          struct cleat_err *err) CLEAT_MUST_CHECK;
/** Takes @object (stolen) for the object as it stands. */
void cleat_api_change_take(struct cleat_api_change *change, struct cleat_document *object);
/** The prepare hook. */
int cleat_api_change_prepare(struct cleat_api_change *change,
                             struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** The mutating part of admission (then prepare again where it changed something). */
int cleat_api_change_mutate(struct cleat_api_change *change,
                            struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** The kind's check and the validating part of admission. */
int cleat_api_change_validate(struct cleat_api_change *change,
                              struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/**
 * Stores the object (or with @remove deletes the old one), unless it's a dry run. @ret is what the
 * answer shows: a new reference. 0, an outcome of cleat_api_registry_commit, or negative with
 * @failure filled.
 */
int cleat_api_change_commit(struct cleat_api_change *change, bool remove,
                            struct cleat_api_record **ret,
                            struct cleat_api_failure *failure) CLEAT_MUST_CHECK;

#endif
