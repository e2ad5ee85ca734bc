/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths into values, as text: members by ".name" (the first dot may be left out) or ["any key"], elements
 * by [0] or [*] for all. Examples: spec.nodeName, metadata.labels["app.kubernetes.io/name"],
 * spec.containers[*].image. At most 32 segments. Constant after parsing, borrowed bytes.
 */
#ifndef CLEAT_PATH_H
#define CLEAT_PATH_H

#include <cleat/err.h>
#include <cleat/value.h>

CLEAT_BEGIN

#define CLEAT_PATH_SEGMENTS_MAX 32

struct cleat_path_segment {
    enum { CLEAT_SEGMENT_KEY, CLEAT_SEGMENT_INDEX, CLEAT_SEGMENT_EACH } type;
    struct cleat_str key; /* borrowed from the text, or from the path's own bytes where it had escapes */
    size_t index;
};

struct cleat_path {
    size_t count;
    struct cleat_path_segment segments[CLEAT_PATH_SEGMENTS_MAX];
};

/** Parses @text, which must outlive @ret. 0 or -EINVAL with the place in @err. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_path_parse(const char *text, struct cleat_path *ret,
                                                   struct cleat_err *err);
/** Follows the path; [*] isn't allowed (absent). NOT_KEPT anywhere on the way is NOT_KEPT. */
CLEAT_EXPORT struct cleat_value cleat_path_get(const struct cleat_path *path, struct cleat_value root);
/** Calls @fn for each value that the path reaches, in order, until it returns non-zero; returns that or 0. */
CLEAT_EXPORT int cleat_path_each(const struct cleat_path *path, struct cleat_value root,
                                 int (*fn)(void *arg, struct cleat_value value), void *arg);
/** Parses and follows in one go: for code that reads one thing. A malformed path asserts. */
CLEAT_EXPORT struct cleat_value cleat_value_find(struct cleat_value root, const char *path);

CLEAT_END

#endif
