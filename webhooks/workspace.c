/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "base/limits.h"
#include "base/mem.h"
#include "webhooks/workspace.h"

/* After so many bytes of text the budget is asked again: a slice's parsed form stays within a few
 * times that. */
#define WORKSPACE_SLICE_BYTES (64 * CLEAT_KIB)
#define WORKSPACE_ARENA_BYTES_MAX (1024 * CLEAT_MIB)
/* A workspace that grew beyond this isn't kept: the shelf holds at most 64 times so much. */
#define WORKSPACE_KEPT_BYTES_MAX (256 * CLEAT_KIB)

void cleat_workspace_shelf_init(struct cleat_workspace_shelf *shelf)
{
    *shelf = (struct cleat_workspace_shelf){.first = NULL};
    cleat_lock_init(&shelf->lock, CLEAT_LOCK_WEBHOOKS);
}

static struct cleat_workspace *workspace_free(struct cleat_workspace *workspace)
{
    if (!workspace)
        return NULL;
    cleat_parser_free(workspace->parser);
    cleat_heap_free(workspace->arena);
    return cleat_mem_free(workspace);
}

void cleat_workspace_shelf_fini(struct cleat_workspace_shelf *shelf)
{
    while (shelf->first) {
        struct cleat_workspace *workspace = shelf->first;
        shelf->first = workspace->next;
        workspace_free(workspace);
    }
    cleat_lock_fini(&shelf->lock);
}

static int workspace_new(struct cleat_workspace **ret)
{
    struct cleat_workspace *workspace = cleat_mem_zalloc(1, sizeof(*workspace));
    struct cleat_parser_options options = {.mode = CLEAT_PARSER_DOCUMENT,
                                           .object_bytes_max = CLEAT_DOCUMENT_BYTES_MAX};
    if (!workspace)
        return -ENOMEM;
    int r = cleat_arena_new(WORKSPACE_ARENA_BYTES_MAX, &workspace->arena);
    options.heap = workspace->arena;
    if (r == 0)
        r = cleat_parser_new(&options, &workspace->parser, NULL);
    if (r < 0)
        workspace_free(workspace);
    else
        *ret = workspace;
    return r;
}

int cleat_workspace_take(struct cleat_workspace_shelf *shelf, struct cleat_workspace **ret)
{
    cleat_lock_take(&shelf->lock);
    struct cleat_workspace *workspace = shelf->first;
    if (workspace) {
        shelf->first = workspace->next;
        shelf->count--;
    }
    cleat_lock_release(&shelf->lock);
    if (!workspace)
        return workspace_new(ret);
    *ret = workspace;
    return 0;
}

static size_t workspace_bytes(const struct cleat_workspace *workspace)
{
    return cleat_heap_bytes(workspace->arena) + cleat_parser_bytes(workspace->parser);
}

void cleat_workspace_give(struct cleat_workspace_shelf *shelf, struct cleat_workspace *workspace)
{
    if (!workspace)
        return;
    cleat_arena_reset(workspace->arena);
    cleat_lock_take(&shelf->lock);
    if (shelf->count < CLEAT_WORKSPACES_MAX &&
        workspace_bytes(workspace) <= WORKSPACE_KEPT_BYTES_MAX) {
        workspace->next = shelf->first;
        shelf->first = workspace;
        shelf->count++;
        workspace = NULL;
    }
    cleat_lock_release(&shelf->lock);
    workspace_free(workspace);
}

int cleat_workspace_parse(struct cleat_workspace *workspace, struct cleat_str json,
                          struct cleat_budget_claim *claim, struct cleat_value *ret,
                          struct cleat_err *err)
{
    int r = 0;
    size_t held = json.length; /* the edge may have claimed more beforehand, for what comes now */
    size_t kept = workspace_bytes(workspace);
    cleat_parser_reset(workspace->parser, workspace->arena);
    for (size_t done = 0; r == 0 && done < json.length;) {
        size_t slice = json.length - done;
        if (slice > WORKSPACE_SLICE_BYTES)
            slice = WORKSPACE_SLICE_BYTES;
        r = cleat_parser_feed(workspace->parser, json.data + done, slice, err);
        done += slice;
        if (r == 0 && cleat_budget_grow(claim, held + workspace_bytes(workspace) - kept) < 0)
            r = cleat_err_set(err, -ENOBUFS, "too many bytes are in flight");
    }
    return r < 0 ? r : cleat_parser_finish(workspace->parser, ret, err);
}
