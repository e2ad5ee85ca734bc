/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of them look at updates only; whatever else comes passes. Where one of the two objects isn't
 * known any more (joined events), an update passes too: better once too often.
 */
#include <cleat/predicate.h>

#include <stddef.h>

#include "base/check.h"

bool cleat_predicate_test(const struct cleat_predicate *predicate, const struct cleat_event *event)
{
    return !predicate || predicate->test(predicate, event);
}

/* True where the event has an old and a new state to compare. */
static bool event_compares(const struct cleat_event *event)
{
    return (event->type == CLEAT_EVENT_UPDATED || event->type == CLEAT_EVENT_RESYNC) &&
           event->old_object && event->object;
}

static bool test_generation(const struct cleat_predicate *self, const struct cleat_event *event)
{
    return !event_compares(event) ||
           cleat_object_generation(event->old_object) != cleat_object_generation(event->object);
}

static bool test_version(const struct cleat_predicate *self, const struct cleat_event *event)
{
    return !event_compares(event) ||
           !cleat_str_equal(cleat_object_resource_version(event->old_object),
                            cleat_object_resource_version(event->object));
}

static bool test_labels(const struct cleat_predicate *self, const struct cleat_event *event)
{
    return !event_compares(event) || !cleat_value_equal(cleat_object_labels(event->old_object),
                                                        cleat_object_labels(event->object));
}

static bool test_annotations(const struct cleat_predicate *self, const struct cleat_event *event)
{
    return !event_compares(event) || !cleat_value_equal(cleat_object_annotations(event->old_object),
                                                        cleat_object_annotations(event->object));
}

/* Within one pool equal values are the same node. What wasn't kept may have changed. */
static bool test_spec(const struct cleat_predicate *self, const struct cleat_event *event)
{
    if (!event_compares(event))
        return true;
    struct cleat_value old = cleat_value_get(cleat_object_value(event->old_object), "spec");
    struct cleat_value now = cleat_value_get(cleat_object_value(event->object), "spec");
    return cleat_value_type(old) == CLEAT_TYPE_NOT_KEPT ||
           cleat_value_type(now) == CLEAT_TYPE_NOT_KEPT || !cleat_value_equal(old, now);
}

const struct cleat_predicate cleat_predicate_generation_changed = {test_generation, NULL, NULL};
const struct cleat_predicate cleat_predicate_resource_version_changed = {test_version, NULL, NULL};
const struct cleat_predicate cleat_predicate_labels_changed = {test_labels, NULL, NULL};
const struct cleat_predicate cleat_predicate_annotations_changed = {test_annotations, NULL, NULL};
const struct cleat_predicate cleat_predicate_spec_changed = {test_spec, NULL, NULL};

static bool test_and(const struct cleat_predicate *self, const struct cleat_event *event)
{
    for (const struct cleat_predicate *const *part = self->parts; *part; part++)
        if (!cleat_predicate_test(*part, event))
            return false;
    return true;
}

static bool test_or(const struct cleat_predicate *self, const struct cleat_event *event)
{
    for (const struct cleat_predicate *const *part = self->parts; *part; part++)
        if (cleat_predicate_test(*part, event))
            return true;
    return false;
}

static bool test_not(const struct cleat_predicate *self, const struct cleat_event *event)
{
    return !cleat_predicate_test(self->parts[0], event);
}

static bool test_selector(const struct cleat_predicate *self, const struct cleat_event *event)
{
    const struct cleat_selector *selector = self->arg;
    if (event->object && cleat_selector_matches(selector, cleat_object_labels(event->object)))
        return true;
    return event->old_object &&
           cleat_selector_matches(selector, cleat_object_labels(event->old_object));
}

struct cleat_predicate cleat_predicate_and(const struct cleat_predicate *const *parts)
{
    cleat_assert(parts);
    return (struct cleat_predicate){test_and, parts, NULL};
}

struct cleat_predicate cleat_predicate_or(const struct cleat_predicate *const *parts)
{
    cleat_assert(parts);
    return (struct cleat_predicate){test_or, parts, NULL};
}

struct cleat_predicate cleat_predicate_not(const struct cleat_predicate *const *part)
{
    cleat_assert(part && part[0] && !part[1]);
    return (struct cleat_predicate){test_not, part, NULL};
}

struct cleat_predicate cleat_predicate_selector(const struct cleat_selector *selector)
{
    cleat_assert(selector);
    return (struct cleat_predicate){test_selector, NULL, selector};
}
