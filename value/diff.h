/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over two values that finds where they differ: what JSON Patch and merge patch are made
 * from. Subtrees that are the same node are skipped without a look; numbers are compared by value.
 */
#ifndef CLEAT_VALUE_DIFF_H
#define CLEAT_VALUE_DIFF_H

#include <stdbool.h>
#include <cleat/err.h>
#include <cleat/value.h>
#include "value/place.h"

enum cleat_diff_change {
    CLEAT_DIFF_ADD,     /* a member or element that wasn't there; elements: at the place's index, in
                           order */
    CLEAT_DIFF_REMOVE,  /* elements: from the end towards the front */
    CLEAT_DIFF_REPLACE, /* another value in the same place */
};

struct cleat_diff {
    /* Called for each difference; @value is absent for REMOVE. Non-zero ends the walk. */
    int (*on_change)(void *arg, enum cleat_diff_change change, const struct cleat_place *place,
                     struct cleat_value value);
    void *arg;
    /* For a merge patch: an array that differs is one REPLACE, and an object can't replace what
     * isn't known. */
    bool merge;
    struct cleat_err *err;
};

/**
 * Walks depth first, members in the order of @to after those that are gone. What the projection
 * dropped in
 * @from may be replaced or removed; where it is wanted in @to, or where elements that hold such
 * parts change their places: -EINVAL with the path. Beyond the depth limit -E2BIG, -ENOMEM.
 */
int cleat_diff_walk(struct cleat_diff *diff, struct cleat_value from,
                    struct cleat_value to) CLEAT_MUST_CHECK;

#endif
