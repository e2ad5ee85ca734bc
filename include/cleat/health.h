/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named health checks in sets (as livez, readyz). Any thread; a check must not block.
 */
#ifndef CLEAT_HEALTH_H
#define CLEAT_HEALTH_H

#include <stdbool.h>
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/macro.h>

CLEAT_BEGIN

struct cleat_health;

/** 0 is healthy; negative: @err says why. */
typedef int (*cleat_health_fn)(void *arg, struct cleat_err *err);

/** A registry without checks. @ret is new. 0 or -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_health_new(struct cleat_health **ret);
/** Releases the registry; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_health *cleat_health_free(struct cleat_health *health);
/**
 * Adds check @name (copied) or replaces the one of that name; @in_sum false: asked only by its own
 * path, never part of the sum.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_health_add(struct cleat_health *health, const char *name,
                                                   bool in_sum, cleat_health_fn fn, void *arg);
/** Removes check @name; nothing happens where there is none. */
CLEAT_EXPORT void cleat_health_remove(struct cleat_health *health, const char *name);
/**
 * Answers GET <root>[/<check>][?verbose][&exclude=a]: @subpath is what follows the root ("" or
 * "/name"). Returns the HTTP status 200, 500 or 404 and appends the body, in the API server's
 * format: "ok", or, where it fails or is verbose, a line for each check by name, then one for names
 * to exclude that no check has, then the verdict. A check by its own path tells its error. Without
 * any check there is one called "ping".
 */
CLEAT_EXPORT int cleat_health_answer(struct cleat_health *health, const char *root,
                                     const char *subpath, const char *query,
                                     struct cleat_buffer *body);

CLEAT_END

#endif
