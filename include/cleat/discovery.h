/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kinds the API server serves: aggregated discovery, with the older per-group form as
 * fallback, cached, loaded on the first question and again on a miss (at most once in ten seconds).
 * Any thread; blocks.
 */
#ifndef CLEAT_DISCOVERY_H
#define CLEAT_DISCOVERY_H

#include <cleat/client.h>
#include <cleat/err.h>
#include <cleat/gvk.h>

CLEAT_BEGIN

struct cleat_discovery;

/** Outcomes. */
enum cleat_discovery_outcome {
    CLEAT_DISCOVERY_UNKNOWN = 1, /* no such kind is served */
    CLEAT_DISCOVERY_AMBIGUOUS, /* a kind without a group is in several: the candidates are in err */
};

/** An empty discovery cache, filled on the first question. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_discovery_new(struct cleat_client *client,
                                                      const struct cleat_clock *clock,
                                                      struct cleat_discovery **ret);
/** Releases the cache; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_discovery *cleat_discovery_free(struct cleat_discovery *discovery);
/** The resource of @gvk (an empty version: the group's preferred one). 0, UNKNOWN, negative. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_discovery_kind(struct cleat_discovery *discovery,
                                                       const struct cleat_gvk *gvk,
                                                       struct cleat_resource *ret,
                                                       struct cleat_err *err);
/** The resource of a kind by its name alone: core first, else the one group that has it. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_discovery_find(struct cleat_discovery *discovery,
                                                       const char *kind, struct cleat_resource *ret,
                                                       struct cleat_err *err);
/** The resource of a plural name in @group (and @version, or NULL for the preferred). */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_discovery_plural(struct cleat_discovery *discovery,
                                                         const char *group, const char *version,
                                                         const char *plural,
                                                         struct cleat_resource *ret,
                                                         struct cleat_err *err);
/** Forgets what was loaded. */
CLEAT_EXPORT void cleat_discovery_invalidate(struct cleat_discovery *discovery);

CLEAT_END

#endif
