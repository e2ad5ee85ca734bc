/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of an object while it is parsed: a set of paths. What a projection drops leaves NOT_KEPT in
 * its place, never a hole. apiVersion, kind and metadata's name, namespace, uid, resourceVersion are always
 * kept. Constant and counted; any thread.
 */
#ifndef CLEAT_PROJECTION_H
#define CLEAT_PROJECTION_H

#include <stdbool.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/path.h>

CLEAT_BEGIN

struct cleat_projection;

/** Everything but metadata.managedFields: the default. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_default(struct cleat_projection **ret);
/** Really everything. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_all(struct cleat_projection **ret);
/** metadata without managedFields. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_metadata(struct cleat_projection **ret);
/** The subtrees at @paths (text as in path.h; [*] allowed, [0] not). -EINVAL for a bad path. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_paths(const char *const *paths, size_t count,
                                                         struct cleat_projection **ret,
                                                         struct cleat_err *err);
/** What either keeps. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_projection_union(const struct cleat_projection *a,
                                                         const struct cleat_projection *b,
                                                         struct cleat_projection **ret);
/** True where everything that @b keeps is kept by @a. */
CLEAT_EXPORT bool cleat_projection_covers(const struct cleat_projection *a,
                                          const struct cleat_projection *b);
CLEAT_EXPORT bool cleat_projection_keeps(const struct cleat_projection *projection,
                                         const struct cleat_path *path);
CLEAT_EXPORT struct cleat_projection *cleat_projection_ref(const struct cleat_projection *projection);
CLEAT_EXPORT struct cleat_projection *cleat_projection_unref(struct cleat_projection *projection);

static inline void cleat_projection_unrefp(struct cleat_projection **projection)
{
    *projection = cleat_projection_unref(*projection);
}

CLEAT_END

#endif
