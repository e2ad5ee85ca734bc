/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions in status.conditions (metav1.Condition), read from values and written into drafts.
 */
#ifndef CLEAT_CONDITION_H
#define CLEAT_CONDITION_H

#include <cleat/clock.h>
#include <cleat/draft.h>
#include <cleat/err.h>

CLEAT_BEGIN

struct cleat_condition {
    const char *type;
    const char *status; /* "True", "False" or "Unknown" */
    const char *reason; /* CamelCase, at most 1024 bytes, not empty */
    const char *message;
    int64_t observed_generation; /* left out where 0 */
};

/** The element of @conditions (an array) of that type, or absent. */
CLEAT_EXPORT struct cleat_value cleat_condition_get(struct cleat_value conditions,
                                                    const char *type);
/**
 * Sets a condition in the draft's status.conditions; lastTransitionTime changes only with the
 * status. The message is cut at 32,768 bytes. Returns 0, or 1 where nothing changed.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_condition_set(struct cleat_draft *draft,
                                                      const struct cleat_condition *condition,
                                                      const struct cleat_clock *clock,
                                                      struct cleat_err *err);
/** Removes the condition of that type; nothing happens where there is none. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_condition_remove(struct cleat_draft *draft,
                                                         const char *type, struct cleat_err *err);

CLEAT_END

#endif
