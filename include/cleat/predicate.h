/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predicates decide which events reach a controller. Small values that may be static; combinators
 * borrow their parts. They run on the events thread and must not block.
 *
 * Those below judge updates and resyncs by old and new state; all other events pass, and so does an
 * update of which one state isn't known any more. Source: controller-runtime's predicates of the
 * same names; unlike there, the selector looks at the old state too.
 */
#ifndef CLEAT_PREDICATE_H
#define CLEAT_PREDICATE_H

#include <stdbool.h>
#include <cleat/cache.h>
#include <cleat/macro.h>

CLEAT_BEGIN

/** A predicate: its test and what that needs. One's own: fill in @test and @arg. */
struct cleat_predicate {
    bool (*test)(const struct cleat_predicate *self, const struct cleat_event *event);
    const struct cleat_predicate *const *parts; /* and, or, not: NULL-terminated, borrowed */
    const void *arg;                            /* of one's own predicates; borrowed */
};

/** True where @event passes @predicate (NULL: all pass). @event is borrowed. */
CLEAT_EXPORT bool cleat_predicate_test(const struct cleat_predicate *predicate,
                                       const struct cleat_event *event);
/**
 * Updates pass where metadata.generation differs: not changes of status and metadata, not resyncs.
 * Kinds without a generation never pass an update. All else passes.
 */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_generation_changed;
/** Updates pass where resourceVersion differs (drops resyncs). */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_resource_version_changed;
/** Updates pass where metadata.labels differ; all else passes. */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_labels_changed;
/** Updates pass where metadata.annotations differ; all else passes. */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_annotations_changed;
/** Updates pass where spec differs: O(1). */
CLEAT_EXPORT extern const struct cleat_predicate cleat_predicate_spec_changed;
/** Passes where all of @parts pass, asked in order until one doesn't. @parts (NULL-terminated) is
 * borrowed. */
CLEAT_EXPORT struct cleat_predicate cleat_predicate_and(const struct cleat_predicate *const *parts);
/** Passes where one of @parts passes, asked in order until one does. @parts (NULL-terminated) is
 * borrowed. */
CLEAT_EXPORT struct cleat_predicate cleat_predicate_or(const struct cleat_predicate *const *parts);
/** Passes where the one predicate in @part (NULL-terminated, borrowed) doesn't. */
CLEAT_EXPORT struct cleat_predicate cleat_predicate_not(const struct cleat_predicate *const *part);
/** Passes where the new or the old object's labels match, so that an object that stops matching is
 * seen once more. */
CLEAT_EXPORT struct cleat_predicate cleat_predicate_selector(const struct cleat_selector *selector);

CLEAT_END

#endif
