/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helpers for reconcilers: create or update in one step, finalizers, and the builder in short form.
 */
#ifndef CLEAT_RECONCILE_H
#define CLEAT_RECONCILE_H

#include <cleat/client.h>
#include <cleat/controller.h>
#include <cleat/draft.h>

CLEAT_BEGIN

/** Outcomes of creating or updating. */
enum cleat_apply_outcome {
    CLEAT_APPLY_UNCHANGED = 0,
    CLEAT_APPLY_CREATED = 1,
    CLEAT_APPLY_UPDATED = 2,
};

/** Changes @draft to what is wanted; must not change name or namespace. */
typedef int (*cleat_mutate_fn)(void *arg, struct cleat_draft *draft, struct cleat_err *err);

/**
 * Reads the object live, lets @mutate change it, creates or updates it only where it differs (J5).
 * Updates carry the resourceVersion. Outcome or negative; @ret (may be NULL) is new.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_create_or_update(const struct cleat_context *context,
                                                         const struct cleat_client_target *target,
                                                         cleat_mutate_fn mutate, void *arg,
                                                         struct cleat_object **ret,
                                                         struct cleat_err *err);
/** Writes the status subresource where @draft differs from @object in status: a merge patch with
 * resourceVersion. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_update_status(const struct cleat_context *context,
                                                      const struct cleat_client_target *target,
                                                      const struct cleat_object *object,
                                                      struct cleat_draft *draft,
                                                      struct cleat_err *err);

/**
 * One finalizer and what has to happen before it goes. @fn (NULL: nothing) returns 0 once that has
 * happened, 1 while it is under way (the key stays), or negative.
 */
struct cleat_finalizer {
    const char *key; /* as "example.com/cleanup" */
    int (*fn)(void *arg, const struct cleat_context *context, struct cleat_object *object,
              struct cleat_err *err);
    void *arg;
};
/**
 * Alive: adds the missing keys; being deleted: runs each key that is there and drops it where that
 * succeeded (J8), in the order of the table. 0: nothing to do, go on; 1: written, wait for the
 * event; negative.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_finalize(const struct cleat_context *context,
                                                 const struct cleat_client_target *target,
                                                 struct cleat_object *object,
                                                 const struct cleat_finalizer *finalizers,
                                                 size_t count, struct cleat_err *err);

CLEAT_END

#endif
