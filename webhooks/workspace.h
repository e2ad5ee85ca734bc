/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one review needs while it is judged: an arena and a parser, kept for the next one. A shelf
 * holds a few, so that a busy server allocates nothing; one review uses a workspace at a time.
 */
#ifndef CLEAT_WEBHOOKS_WORKSPACE_H
#define CLEAT_WEBHOOKS_WORKSPACE_H

#include <cleat/buffer.h>
#include <cleat/err.h>
#include "base/budget.h"
#include "base/lock.h"
#include "value/parser.h"

#define CLEAT_WORKSPACES_MAX 64

struct cleat_workspace {
    struct cleat_heap *arena;
    struct cleat_parser *parser;
    struct cleat_workspace *next;
};

struct cleat_workspace_shelf {
    struct cleat_lock lock;
    struct cleat_workspace *first;
    size_t count;
};

void cleat_workspace_shelf_init(struct cleat_workspace_shelf *shelf);
void cleat_workspace_shelf_fini(struct cleat_workspace_shelf *shelf);
/** A workspace from the shelf, or a new one. 0 or -ENOMEM. */
int cleat_workspace_take(struct cleat_workspace_shelf *shelf,
                         struct cleat_workspace **ret) CLEAT_MUST_CHECK;
/** Forgets what was parsed and puts it back; NULL is fine. */
void cleat_workspace_give(struct cleat_workspace_shelf *shelf, struct cleat_workspace *workspace);
/**
 * Parses @json into the arena, in slices, while @claim grows with what the arena takes. -ENOBUFS
 * where the budget doesn't allow it, -EINVAL and -E2BIG for what isn't good JSON.
 */
int cleat_workspace_parse(struct cleat_workspace *workspace, struct cleat_str json,
                          struct cleat_budget_claim *claim, struct cleat_value *ret,
                          struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
