/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Mirrors watch beside themselves: their sources, one watch each (by namespace and name), and
 * copies, one watch a kind (by label). Counted by the Mirrors that hold them. Under a lock of its
 * own; a Mirror's own entry is changed by the worker that is at it alone.
 */
#ifndef CLEAT_KINDS_MIRROR_FEEDS_H
#define CLEAT_KINDS_MIRROR_FEEDS_H

#include <cleat/controller.h>
#include <cleat/err.h>
#include <cleat/gvk.h>
#include "base/lock.h"
#include "base/map.h"

struct mirror_kind;
struct mirror_source;

struct mirror_feeds {
    struct cleat_controller *controller; /* borrowed */
    struct cleat_lock lock;
    struct mirror_kind *kinds; /* all that ever were: a store's index stays with it */
    struct cleat_map sources;  /* by key */
    struct cleat_map holds;    /* by the Mirror's name */
    void *arg;                 /* of the mappings */
};

/* What a Mirror holds; borrowed until it lets go. */
struct mirror_held {
    const struct cleat_resource *resource; /* NULL: nothing is held */
    struct cleat_feed *source_feed;
    struct cleat_feed *copies_feed;
    struct cleat_store *store;
    const struct cleat_index *index; /* of copies, by label */
};

void cleat__mirror_feeds_init(struct mirror_feeds *feeds, struct cleat_controller *controller);
/** Frees the table; watches are the controller's to end. */
void cleat__mirror_feeds_fini(struct mirror_feeds *feeds);
/** What the Mirror holds now. */
void cleat__mirror_feeds_held(struct mirror_feeds *feeds, struct cleat_str mirror,
                              struct mirror_held *ret);
/** Makes the Mirror hold these watches and no others; waits for the index of a kind that is new. */
int cleat__mirror_feeds_hold(struct mirror_feeds *feeds, struct cleat_str mirror,
                             const struct cleat_resource *resource, struct cleat_str namespace_,
                             struct cleat_str name, struct mirror_held *ret,
                             struct cleat_err *err) CLEAT_MUST_CHECK;
/** Lets go of what the Mirror holds; nothing held is fine. */
void cleat__mirror_feeds_release(struct mirror_feeds *feeds, struct cleat_str mirror);
/** 0 where all feeds can be read; else negative with the first that can't. */
int cleat__mirror_feeds_check(struct mirror_feeds *feeds, struct cleat_err *err);

#endif
