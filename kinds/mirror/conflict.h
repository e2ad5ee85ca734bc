/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that are in a copy's place and aren't ours: may they be replaced? And of two Mirrors that
 * want the same place, which has it? Pure; any thread.
 */
#ifndef CLEAT_KINDS_MIRROR_CONFLICT_H
#define CLEAT_KINDS_MIRROR_CONFLICT_H

#include <stdbool.h>
#include <cleat/err.h>
#include <cleat/object.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include "kinds/mirror/spec.h"

/** True where label or annotation @key with @value is one by which other tools know what they keep.
 */
bool cleat__mirror_is_tracking(struct cleat_str key, struct cleat_value value);
/**
 * 0 where onConflict: Replace may take the object at @root, which isn't ours; -EEXIST with the
 * reason where it refuses, is kept by a controller or another tool, or is the cluster's own.
 */
int cleat__mirror_may_replace(struct cleat_value root, struct cleat_err *err) CLEAT_MUST_CHECK;
/** True where Mirror @a comes before @b: by creationTimestamp, then by name. */
bool cleat__mirror_is_older(const struct cleat_object *a, const struct cleat_object *b);
/** True where both write objects of the same name and kind (versions aside). */
bool cleat__mirror_same_place(const struct mirror_spec *a, const struct mirror_spec *b);
/** True where @spec's source is that object. */
bool cleat__mirror_is_source_of(const struct mirror_spec *spec, struct cleat_str api_version,
                                struct cleat_str kind, struct cleat_str namespace_,
                                struct cleat_str name);

#endif
