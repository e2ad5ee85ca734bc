/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kinds the API server serves: aggregated discovery, with the older per-group form as
 * fallback, cached, loaded on the first question and again on a miss (at most once in ten seconds).
 * A group that can't be asked hides no other. Any thread; a question that needs the server blocks,
 * as a call of the client does, with its errors.
 *
 *   GET /api, /apis ─► table {group, version, kind, plural, scope, verbs} ─► questions
 */
#ifndef CLEAT_DISCOVERY_H
#define CLEAT_DISCOVERY_H

#include <cleat/client.h>
#include <cleat/err.h>
#include <cleat/gvk.h>

CLEAT_BEGIN

struct cleat_discovery;

/** Outcomes; @err says in words what was looked for. */
enum cleat_discovery_outcome {
    CLEAT_DISCOVERY_UNKNOWN = 1, /* no such kind is served */
    CLEAT_DISCOVERY_AMBIGUOUS, /* a kind without a group is in several: the candidates are in err */
};

/** An empty table on @client, of which it keeps a reference; @clock is borrowed (NULL: the
 * system's).
 * @ret is new. 0 or -ENOMEM. Asks nothing yet. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_discovery_new(struct cleat_client *client,
                                                      const struct cleat_clock *clock,
                                                      struct cleat_discovery **ret);
/** Frees; no question may be under way. NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_discovery *cleat_discovery_free(struct cleat_discovery *discovery);
/**
 * The resource of @gvk; an empty version stands for the first of the group's versions, in the
 * server's order, that has the kind. 0, CLEAT_DISCOVERY_UNKNOWN, or negative: also where this group
 * couldn't be asked, which isn't the same as unknown.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_discovery_kind(struct cleat_discovery *discovery,
                                                       const struct cleat_gvk *gvk,
                                                       struct cleat_resource *ret,
                                                       struct cleat_err *err);
/** The resource of a kind by its name alone, with case: core first, else the one group that has it.
 * 0, CLEAT_DISCOVERY_UNKNOWN, CLEAT_DISCOVERY_AMBIGUOUS, negative. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_discovery_find(struct cleat_discovery *discovery,
                                                       const char *kind, struct cleat_resource *ret,
                                                       struct cleat_err *err);
/** The resource of a plural name in @group (and @version, or NULL or "" for the preferred). As for
 * kind. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_discovery_plural(struct cleat_discovery *discovery,
                                                         const char *group, const char *version,
                                                         const char *plural,
                                                         struct cleat_resource *ret,
                                                         struct cleat_err *err);
/** Forgets what was loaded: the next question asks the server. */
CLEAT_EXPORT void cleat_discovery_invalidate(struct cleat_discovery *discovery);

CLEAT_END

#endif
