/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner references and finalizers of objects, read from values and written into drafts.
 */
#ifndef CLEAT_OWNER_H
#define CLEAT_OWNER_H

#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/object.h>

CLEAT_BEGIN

/** Outcomes. */
enum cleat_owner_outcome {
    CLEAT_OWNER_UNCHANGED = 1, /* it was there already (or wasn't, when removing) */
    CLEAT_OWNER_TAKEN,         /* another controller owns it: its kind and name are in err */
};

struct cleat_owner {
    struct cleat_str api_version;
    struct cleat_str kind;
    struct cleat_str name;
    struct cleat_str uid;
    bool controller;
    bool block_owner_deletion;
};

/** Reads owner reference @index of @root's metadata into @ret, borrowed as @root (strings may use
 * @scratch). */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_owner_at(struct cleat_value root, size_t index,
                                                 struct cleat_scratch scratch[4],
                                                 struct cleat_owner *ret);
/** The number of ownerReferences of the object at @root. */
CLEAT_EXPORT size_t cleat_owner_count(struct cleat_value root);
/** The controller's uid, or "". */
CLEAT_EXPORT struct cleat_str cleat_owner_controller_uid(struct cleat_value root,
                                                         struct cleat_scratch *scratch);
/** True where some owner reference has that uid. */
CLEAT_EXPORT bool cleat_owner_has_uid(struct cleat_value root, struct cleat_str uid);
/**
 * Makes @owner the controller of the draft's object. 0, UNCHANGED, TAKEN, -EINVAL for an owner in
 * another namespace or a namespaced owner of a cluster-scoped object.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_owner_set_controller(struct cleat_draft *draft,
                                                             const struct cleat_object *owner,
                                                             bool block_owner_deletion,
                                                             struct cleat_err *err);
/**
 * Adds @owner as an owner that isn't the controller, or brings its reference up to date. 0,
 * UNCHANGED, -EINVAL as above.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_owner_set(struct cleat_draft *draft,
                                                  const struct cleat_object *owner,
                                                  struct cleat_err *err);
/** Removes the ownerReferences with that uid. 0 or UNCHANGED. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_owner_remove(struct cleat_draft *draft,
                                                     struct cleat_str uid, struct cleat_err *err);

/** True where metadata.finalizers of the object at @root lists @finalizer. */
CLEAT_EXPORT bool cleat_finalizer_has(struct cleat_value root, const char *finalizer);
/**
 * Appends @finalizer. 0, CLEAT_OWNER_UNCHANGED where it is there already, -EINVAL for an empty
 * one.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_finalizer_add(struct cleat_draft *draft,
                                                      const char *finalizer, struct cleat_err *err);
/** Removes @finalizer. 0, or CLEAT_OWNER_UNCHANGED where it isn't there. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_finalizer_remove(struct cleat_draft *draft,
                                                         const char *finalizer,
                                                         struct cleat_err *err);

CLEAT_END

#endif
