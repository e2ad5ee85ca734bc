/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying a merge patch (RFC 7396 section 2) on a mutable tree over the target.
 */
#include <errno.h>
#include <cleat/patch.h>
#include "base/limits.h"
#include "value/place.h"
#include "value/tree.h"

struct merge_run {
    struct cleat_tree tree;
    struct cleat_err *err;
    struct cleat_value empty; /* an object without members */
};

static int merge_slot(struct merge_run *run, const struct cleat_place *place,
                      struct cleat_tree_node *parent, struct cleat_tree_slot *slot,
                      struct cleat_value patch, unsigned depth);

static int merge_fail(struct merge_run *run, int r, const struct cleat_place *place)
{
    char text[CLEAT_PLACE_TEXT_BYTES_MAX];

    if (r == -ENOBUFS || r == -E2BIG)
        return cleat_err_set(run->err, -E2BIG, "%s makes the document too large or too deep",
                             cleat_place_text(place, text));
    return cleat_err_set(run->err, r, "out of memory for a merge patch");
}

static int merge_member(struct merge_run *run, const struct cleat_place *place,
                        struct cleat_tree_node *object, struct cleat_value patch, unsigned depth)
{
    struct cleat_tree_slot *slot = cleat_tree_member(object, place->key);
    int r;

    if (cleat_value_type(patch) == CLEAT_TYPE_NULL) {
        if (slot)
            (void)cleat_tree_take_member(object, place->key); /* what it held goes */
        return 0;
    }
    if (!slot) { /* an empty object stands for what is absent: the same comes of it */
        r = cleat_tree_put(&run->tree, object, place->key, cleat_tree_slot_of(run->empty));
        if (r < 0)
            return merge_fail(run, r, place);
        slot = cleat_tree_member(object, place->key);
    }
    return merge_slot(run, place, object, slot, patch, depth + 1);
}

static int merge_object(struct merge_run *run, const struct cleat_place *up,
                        struct cleat_tree_node *object, struct cleat_value patch, unsigned depth)
{
    struct cleat_place place = {up, {"", 0}, 0};
    size_t count = cleat_value_count(patch);

    for (size_t i = 0; i < count; i++) {
        struct cleat_value member = cleat_value_member(patch, i, &place.key);
        int r = merge_member(run, &place, object, member, depth);
        if (r < 0)
            return r;
    }
    return 0;
}

static int merge_slot(struct merge_run *run, const struct cleat_place *place,
                      struct cleat_tree_node *parent, struct cleat_tree_slot *slot,
                      struct cleat_value patch, unsigned depth)
{
    struct cleat_tree_slot fresh = cleat_tree_slot_of(patch);
    struct cleat_tree_node *node = NULL;
    char text[CLEAT_PLACE_TEXT_BYTES_MAX];
    int r;

    if (cleat_value_type(patch) != CLEAT_TYPE_OBJECT) {
        if (!cleat_tree_fits(&run->tree, &fresh, depth))
            return merge_fail(run, -E2BIG, place);
        cleat_tree_replace(parent, slot, fresh);
        return 0;
    }
    if (depth >= CLEAT_VALUE_DEPTH_MAX)
        return merge_fail(run, -E2BIG, place);
    if (cleat_tree_slot_type(slot) == CLEAT_TYPE_NOT_KEPT)
        return cleat_err_set(run->err, -EINVAL, "%s wasn't kept by the projection",
                             cleat_place_text(place, text));
    if (cleat_tree_slot_type(slot) != CLEAT_TYPE_OBJECT)
        cleat_tree_replace(parent, slot, cleat_tree_slot_of(run->empty));
    if (cleat_value_count(patch) == 0)
        return 0;
    r = cleat_tree_open(&run->tree, slot, parent, &node);
    return r < 0 ? merge_fail(run, r, place) : merge_object(run, place, node, patch, depth);
}

static int merge_all(struct merge_run *run, struct cleat_value patch, struct cleat_document **ret)
{
    struct cleat_value value = CLEAT_VALUE_NONE;
    uint32_t ref = 0;
    int r = cleat_heap_object(run->tree.arena, NULL, 0, &ref);

    if (r < 0)
        return merge_fail(run, r, NULL);
    run->empty = (struct cleat_value){run->tree.arena, ref};
    r = merge_slot(run, NULL, NULL, &run->tree.root, patch, 0);
    if (r < 0)
        return r;
    r = cleat_tree_freeze(&run->tree, &run->tree.root, &value);
    return r < 0 ? merge_fail(run, r, NULL) : cleat_document_copy(value, ret, run->err);
}

int cleat_patch_merge(struct cleat_value target, struct cleat_value patch,
                      struct cleat_document **ret, struct cleat_err *err)
{
    struct merge_run run = {.err = err};
    int r;

    if (!cleat_value_is_present(patch))
        return cleat_err_set(err, -EINVAL, "there is no merge patch");
    if (!cleat_value_is_present(target))
        return cleat_err_set(err, -EINVAL, "there is no value to patch");
    r = cleat_tree_init(&run.tree, target, CLEAT_DOCUMENT_BYTES_MAX);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory for a merge patch");
    r = merge_all(&run, patch, ret);
    cleat_tree_fini(&run.tree);
    return r;
}
