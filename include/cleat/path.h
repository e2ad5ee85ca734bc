/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths into values, as text: members by ".name" (the first dot may be left out) or ["any key"],
 * elements by [0] or [*] for all. Examples: spec.nodeName,
 * metadata.labels["app.kubernetes.io/name"], spec.containers[*].image. The empty path is the root.
 * Between quotes \" and \\ stand for those two bytes. At most 32 segments. A path is constant once
 * parsed and read by any thread; nothing here blocks or allocates.
 *
 *   text ─► cleat_path_parse ─► struct cleat_path ─► cleat_path_get, cleat_path_each, projections,
 * drafts
 */
#ifndef CLEAT_PATH_H
#define CLEAT_PATH_H

#include <cleat/err.h>
#include <cleat/value.h>

CLEAT_BEGIN

/** Most segments that a path may have. */
#define CLEAT_PATH_SEGMENTS_MAX 32
/** Most bytes that a path's keys with escapes may have together. */
#define CLEAT_PATH_BYTES_MAX 512

/** One step of a path. */
struct cleat_path_segment {
    enum { CLEAT_SEGMENT_KEY, CLEAT_SEGMENT_INDEX, CLEAT_SEGMENT_EACH } type;
    struct cleat_str
        key;      /* borrowed from the text, or from the path's own bytes where it had escapes */
    size_t index; /* of CLEAT_SEGMENT_INDEX; at most UINT32_MAX */
};

/**
 * A parsed path. It must not be copied by assignment where a key had escapes, because such a key
 * points into the path itself. Its owner may also fill in @count and @segments by hand, with keys
 * that come from data.
 */
struct cleat_path {
    size_t count;
    struct cleat_path_segment segments[CLEAT_PATH_SEGMENTS_MAX];
    size_t bytes_used;                /* of @bytes */
    char bytes[CLEAT_PATH_BYTES_MAX]; /* keys whose escapes were taken out */
};

/**
 * Parses @text, which must outlive @ret (its keys are borrowed from there). Returns 0, or -EINVAL
 * with the place in @err; @ret is undefined then.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_path_parse(const char *text, struct cleat_path *ret,
                                                   struct cleat_err *err);
/**
 * Follows @path from @root. Absent where a step finds nothing, and always where the path has a [*].
 * NOT_KEPT anywhere on the way is NOT_KEPT. The result is valid as long as @root is.
 */
CLEAT_EXPORT struct cleat_value cleat_path_get(const struct cleat_path *path,
                                               struct cleat_value root);
/**
 * Calls @fn for each value that @path reaches, in order, until it returns non-zero; returns that,
 * or 0. What is absent is passed over. Where something wasn't kept, @fn gets that NOT_KEPT once in
 * place of whatever may be below it.
 */
CLEAT_EXPORT int cleat_path_each(const struct cleat_path *path, struct cleat_value root,
                                 int (*fn)(void *arg, struct cleat_value value), void *arg);
/** Parses and follows in one go: for code that reads one thing. A malformed path is a failed
 * assertion. */
CLEAT_EXPORT struct cleat_value cleat_value_find(struct cleat_value root, const char *path);

CLEAT_END

#endif
