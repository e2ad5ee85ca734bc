/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predicates decide which events reach a controller. Small values that may be static; combinators
 * borrow their parts. They run on the events thread and must not block.
 */
#ifndef CLEAT_PREDICATE_H
#define CLEAT_PREDICATE_H

#include <stdbool.h>
#include <cleat/cache.h>
#include <cleat/macro.h>

CLEAT_BEGIN

struct cleat_predicate {
    bool (*test)(const struct cleat_predicate *self, const struct cleat_event *event);
    const struct cleat_predicate *const *parts; /* and, or, not: NULL-terminated, borrowed */
    const void *arg;                            /* of one's own predicates; borrowed */
};

/** True where @predicate (NULL: any) lets @event pass. */
CLEAT_EXPORT bool cleat_predicate_test(const struct cleat_predicate *predicate,
                                       const struct cleat_event *event);
/** Updates pass where metadata.generation differs; all else passes. */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_generation_changed;
/** Updates pass where resourceVersion differs (drops resyncs). */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_resource_version_changed;
/** Updates pass where metadata.labels differ; all else passes. */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_labels_changed;
/** Updates pass where metadata.annotations differ; all else passes. */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_annotations_changed;
/** Updates pass where spec differs: O(1). */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_spec_changed;
/** Passes where all of @parts (NULL-terminated, borrowed for ever) do. */
CLEAT_EXPORT struct cleat_predicate cleat_predicate_and(const struct cleat_predicate *const *parts);
/** Passes where one of @parts (NULL-terminated, borrowed for ever) does. */
CLEAT_EXPORT struct cleat_predicate cleat_predicate_or(const struct cleat_predicate *const *parts);
/** Passes where the one predicate in @part (NULL-terminated, borrowed for ever) does not. */
CLEAT_EXPORT struct cleat_predicate cleat_predicate_not(const struct cleat_predicate *const *part);
/** Passes where the new or the old object's labels match, so that an object that stops matching is
 * seen once more. */
CLEAT_EXPORT struct cleat_predicate cleat_predicate_selector(const struct cleat_selector *selector);

CLEAT_END

#endif
