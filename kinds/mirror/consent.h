/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who agrees to copies: the namespace by a label, an object that is there by an annotation, the
 * source by a list of globs. Pure; any thread.
 */
#ifndef CLEAT_KINDS_MIRROR_CONSENT_H
#define CLEAT_KINDS_MIRROR_CONSENT_H

#include <stdbool.h>
#include <cleat/err.h>
#include <cleat/str.h>
#include <cleat/value.h>

/** True where @text matches @glob: `*` stands for any run of characters, all else for itself. */
bool cleat__mirror_glob_matches(struct cleat_str glob, struct cleat_str text);
/** True where one of the comma-separated globs of @list (blanks trimmed) matches; an empty list
 * matches nothing. */
bool cleat__mirror_globs_match(struct cleat_str list, struct cleat_str text);
/** 0, or -EINVAL naming the part of @list that no name of a namespace can match. */
int cleat__mirror_globs_check(struct cleat_str list, struct cleat_err *err) CLEAT_MUST_CHECK;
/** True where the source whose annotations these are lets @namespace_ have a copy. */
bool cleat__mirror_source_allows(struct cleat_value annotations, struct cleat_str namespace_);
/** True where labels (of a namespace) or annotations (of an object) refuse copies. */
bool cleat__mirror_refuses(struct cleat_value marks);

#endif
