/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of an object while it is parsed: a set of paths. What a projection drops leaves
 * NOT_KEPT in its place, never a hole; what isn't in the source stays absent. apiVersion, kind and
 * metadata's name, namespace, uid, resourceVersion are always kept. Where something below a path is
 * kept but a scalar stands there instead of an object or array, the scalar is kept. Constant and
 * counted; any thread.
 *
 *   paths, bindings ─► projection ─► parser: kept values go into the heap, the rest is only checked
 */
#ifndef CLEAT_PROJECTION_H
#define CLEAT_PROJECTION_H

#include <stdbool.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/path.h>

CLEAT_BEGIN

struct cleat_projection;

/** Everything but metadata.managedFields: the default. @ret is new. Returns 0 or -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_default(struct cleat_projection **ret);
/** Really everything. @ret is new. Returns 0 or -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_all(struct cleat_projection **ret);
/** metadata without managedFields, apiVersion and kind. @ret is new. Returns 0 or -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_metadata(struct cleat_projection **ret);
/**
 * The subtrees at @count paths (text as in path.h, borrowed for the call; [*] allowed, [0] not; ""
 * is everything). @ret is new. Returns 0, -EINVAL for a bad path, which @err names, or -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_paths(const char *const *paths, size_t count,
                                                         struct cleat_projection **ret,
                                                         struct cleat_err *err);
/** What either keeps. Both are borrowed for the call. @ret is new. Returns 0 or -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_union(const struct cleat_projection *a,
                                                         const struct cleat_projection *b,
                                                         struct cleat_projection **ret);
/** True where everything that @b keeps is kept by @a. NULL keeps everything. */
CLEAT_EXPORT bool cleat_projection_covers(const struct cleat_projection *a,
                                          const struct cleat_projection *b);
/**
 * True where what stands at @path is kept, though something below it may be left out (as
 * managedFields of metadata). An index counts as [*]. NULL keeps everything.
 */
CLEAT_EXPORT bool cleat_projection_keeps(const struct cleat_projection *projection,
                                         const struct cleat_path *path);
/** One more reference; returns @projection. */
CLEAT_EXPORT struct cleat_projection *cleat_projection_ref(
    const struct cleat_projection *projection);
/** Drops a reference, freeing with the last; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_projection *cleat_projection_unref(struct cleat_projection *projection);

/** Cleanup function for owned locals. */
static inline void cleat_projection_unrefp(struct cleat_projection **projection)
{
    *projection = cleat_projection_unref(*projection);
}

CLEAT_END

#endif
