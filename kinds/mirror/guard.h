/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is every Mirror judged before it counts? The configuration cleat-validating must be there and
 * closed, else no new generation is acted on. Pure; any thread.
 */
#ifndef CLEAT_KINDS_MIRROR_GUARD_H
#define CLEAT_KINDS_MIRROR_GUARD_H

#include <cleat/err.h>
#include <cleat/value.h>

/** 0 where the configuration at @root has every new spec of a Mirror judged by us; -EPERM with what
 * is loose. */
int cleat__mirror_guard_check(struct cleat_value root, struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
