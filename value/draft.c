/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A draft is a tree over its base and a walk by path. A setter brings the value into the draft's
 * arena first, with the objects that are missing on the way already around it, so that the change
 * itself is a single step in one container: it happens or it doesn't.
 */
#include <errno.h>
#include <string.h>
#include <cleat/draft.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "value/place.h"
#include "value/tree.h"

struct cleat_draft {
    struct cleat_tree tree;
    struct cleat_value base;
};

/* One change on its way in. */
struct draft_change {
    struct cleat_draft *draft;
    const struct cleat_path *path;
    struct cleat_err *err;
    struct cleat_value value; /* in the draft's arena or in the base's */
    bool append;
};

/* -- life -- */

static int draft_empty_base(struct cleat_draft *draft)
{
    struct cleat_heap *arena = draft->tree.arena;
    uint32_t ref = 0;
    int r = cleat_heap_object(arena, NULL, 0, &ref);

    if (r < 0)
        return r;
    draft->base = (struct cleat_value){arena, ref};
    draft->tree.root = cleat_tree_slot_of(draft->base);
    return 0;
}

int cleat_draft_new(struct cleat_value base, struct cleat_draft **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int r;

    if (cleat_value_type(base) == CLEAT_TYPE_NOT_KEPT)
        return cleat_err_set(err, -EINVAL, "the draft's base wasn't kept by the projection");
    draft = cleat_mem_zalloc(1, sizeof(*draft));
    if (!draft)
        return cleat_err_set(err, -ENOMEM, "out of memory for a draft");
    draft->base = base;
    r = cleat_tree_init(&draft->tree, base, CLEAT_DOCUMENT_BYTES_MAX);
    if (r == 0 && !cleat_value_is_present(base))
        r = draft_empty_base(draft);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory for a draft");
    *ret = draft;
    draft = NULL;
    return 0;
}

struct cleat_draft *cleat_draft_free(struct cleat_draft *draft)
{
    if (draft) {
        cleat_tree_fini(&draft->tree);
        cleat_mem_free(draft);
    }
    return NULL;
}

/* -- messages -- */

/* The first @count segments and a fact about them. */
static int draft_refuse(struct draft_change *change, size_t count, int code, const char *fact)
{
    char text[CLEAT_PLACE_TEXT_BYTES_MAX];

    return cleat_err_set(change->err, code, "%s %s",
                         cleat_place_path_text(change->path, count, text), fact);
}

static int draft_fail(struct draft_change *change, int r)
{
    if (r == -ENOBUFS || r == -E2BIG)
        return draft_refuse(change, change->path->count, -E2BIG, "makes the draft too large");
    return draft_refuse(change, change->path->count, r, "couldn't be changed: out of memory");
}

static int draft_refuse_type(struct draft_change *change, size_t count, const char *wanted,
                             enum cleat_value_type found)
{
    char text[CLEAT_PLACE_TEXT_BYTES_MAX];

    cleat_place_path_text(change->path, count, text);
    if (found == CLEAT_TYPE_NOT_KEPT)
        return cleat_err_set(change->err, -EINVAL, "%s wasn't kept by the projection", text);
    return cleat_err_set(change->err, -EINVAL, "%s is %s, not %s", text,
                         cleat_value_type_name(found), wanted);
}

/* -- checks -- */

static int draft_check_path(struct draft_change *change)
{
    for (size_t i = 0; i < change->path->count; i++) {
        const struct cleat_path_segment *segment = &change->path->segments[i];
        if (segment->type == CLEAT_SEGMENT_EACH)
            return draft_refuse(change, i + 1, -EINVAL, "names many values, a change takes one");
        if (segment->type != CLEAT_SEGMENT_KEY)
            continue;
        if (segment->key.length > CLEAT_VALUE_KEY_BYTES_MAX)
            return draft_refuse(change, i + 1, -E2BIG, "has a key that is too long");
        if (segment->key.length > 0 && memchr(segment->key.data, '\0', segment->key.length))
            return draft_refuse(change, i + 1, -EINVAL, "has a NUL in its key");
        if (!cleat_utf8_valid(segment->key))
            return draft_refuse(change, i + 1, -EINVAL, "has a key that isn't UTF-8");
    }
    return 0;
}

static int draft_check_value(struct draft_change *change, struct cleat_value value)
{
    bool not_kept = false;
    unsigned height = cleat_tree_value_height(value, &not_kept);
    size_t depth = change->path->count + (change->append ? 1 : 0);

    if (!cleat_value_is_present(value))
        return draft_refuse(change, change->path->count, -EINVAL,
                            "can't be set to an absent value");
    if (not_kept)
        return draft_refuse(change, change->path->count, -EINVAL,
                            "can't be set to a value of which the projection dropped a part");
    if (depth + height > CLEAT_VALUE_DEPTH_MAX)
        return draft_refuse(change, change->path->count, -E2BIG, "makes the draft nest too deeply");
    return 0;
}

/* -- setting -- */

/* Brings @value where it lives as long as the draft does. A pool may free what another object
 * holds. */
static int draft_own(struct draft_change *change, struct cleat_value value)
{
    struct cleat_draft *draft = change->draft;
    uint32_t ref = 0;
    int r;

    if (value.heap == draft->tree.arena ||
        (value.heap == draft->base.heap && !cleat_heap_is_pool(value.heap))) {
        change->value = value;
        return 0;
    }
    r = cleat_heap_copy(draft->tree.arena, value, &ref);
    if (r < 0)
        return draft_fail(change, r);
    change->value = (struct cleat_value){draft->tree.arena, ref};
    return 0;
}

/* The value with the objects of segment @from and all behind it around it. */
static int draft_wrap(struct draft_change *change, size_t from, struct cleat_value *ret)
{
    struct cleat_heap *arena = change->draft->tree.arena;
    uint32_t ref = 0;
    int r = cleat_heap_foreign(arena, change->value, &ref);

    if (r == 0 && change->append)
        r = cleat_heap_array(arena, &ref, 1, &ref);
    for (size_t i = change->path->count; i-- > from && r == 0;) {
        const struct cleat_path_segment *segment = &change->path->segments[i];
        struct cleat_member member = {segment->key, ref};
        if (segment->type != CLEAT_SEGMENT_KEY)
            return draft_refuse(change, i + 1, -EINVAL, "is beyond the array's end");
        r = cleat_heap_object(arena, &member, 1, &ref);
    }
    if (r < 0)
        return draft_fail(change, r);
    *ret = (struct cleat_value){arena, ref};
    return 0;
}

/* What goes into a slot that the segments before @from lead to. */
static int draft_content(struct draft_change *change, size_t from, struct cleat_tree_slot *ret)
{
    struct cleat_value value = change->value;
    int r = 0;

    if (from < change->path->count || change->append)
        r = draft_wrap(change, from, &value);
    if (r == 0)
        *ret = cleat_tree_slot_of(value);
    return r;
}

static bool draft_is_empty(const struct cleat_tree_slot *slot)
{
    return cleat_tree_slot_type(slot) == CLEAT_TYPE_NULL;
}

/* Sets or appends at @slot, where the path ends. */
static int draft_finish(struct draft_change *change, struct cleat_tree_node *parent,
                        struct cleat_tree_slot *slot)
{
    struct cleat_tree_slot content = {0};
    struct cleat_tree_node *array = NULL;
    int r;

    if (!change->append || draft_is_empty(slot)) {
        if (!change->append && cleat_tree_equal(slot, change->value))
            return 0; /* it's there already: keep sharing */
        r = draft_content(change, change->path->count, &content);
        if (r == 0)
            cleat_tree_replace(parent, slot, content);
        return r;
    }
    if (cleat_tree_slot_type(slot) != CLEAT_TYPE_ARRAY)
        return draft_refuse_type(change, change->path->count, "an array",
                                 cleat_tree_slot_type(slot));
    r = cleat_tree_open(&change->draft->tree, slot, parent, &array);
    if (r == 0)
        r = cleat_tree_insert(&change->draft->tree, array, cleat_tree_slot_count(slot),
                              cleat_tree_slot_of(change->value));
    return r < 0 ? draft_fail(change, r) : 0;
}

/* Adds member @key with everything from segment @from on. */
static int draft_add_member(struct draft_change *change, struct cleat_tree_node *object,
                            struct cleat_str key, size_t from)
{
    struct cleat_tree_slot content = {0};
    struct cleat_str kept = {NULL, 0};
    int r = draft_content(change, from, &content);

    if (r < 0)
        return r;
    r = cleat_tree_keep(&change->draft->tree, key, &kept);
    if (r == 0)
        r = cleat_tree_put(&change->draft->tree, object, kept, content);
    return r < 0 ? draft_fail(change, r) : 0;
}

/* Checks that segment @i can be followed from @slot. */
static int draft_check_step(struct draft_change *change, const struct cleat_tree_slot *slot,
                            size_t i)
{
    const struct cleat_path_segment *segment = &change->path->segments[i];
    enum cleat_value_type type = cleat_tree_slot_type(slot);

    if (segment->type == CLEAT_SEGMENT_KEY)
        return type == CLEAT_TYPE_OBJECT ? 0 : draft_refuse_type(change, i, "an object", type);
    if (type != CLEAT_TYPE_ARRAY)
        return draft_refuse_type(change, i, "an array", type);
    if (segment->index >= cleat_tree_slot_count(slot))
        return draft_refuse(change, i + 1, -EINVAL, "is beyond the array's end");
    return 0;
}

static int draft_walk(struct draft_change *change)
{
    struct cleat_tree *tree = &change->draft->tree;
    struct cleat_tree_slot *slot = &tree->root, *child;
    struct cleat_tree_node *parent = NULL, *node = NULL;
    struct cleat_tree_slot content = {0};
    int r;

    for (size_t i = 0; i < change->path->count; i++) {
        const struct cleat_path_segment *segment = &change->path->segments[i];
        if (draft_is_empty(slot)) { /* a null on the way: objects in its place */
            r = draft_content(change, i, &content);
            if (r == 0)
                cleat_tree_replace(parent, slot, content);
            return r;
        }
        r = draft_check_step(change, slot, i);
        if (r < 0)
            return r;
        r = cleat_tree_open(tree, slot, parent, &node);
        if (r < 0)
            return draft_fail(change, r);
        child = segment->type == CLEAT_SEGMENT_KEY ? cleat_tree_member(node, segment->key)
                                                   : cleat_tree_element(node, segment->index);
        if (!child)
            return draft_add_member(change, node, segment->key, i + 1);
        parent = node;
        slot = child;
    }
    return draft_finish(change, parent, slot);
}

static int draft_put(struct cleat_draft *draft, const struct cleat_path *path,
                     struct cleat_value value, bool append, struct cleat_err *err)
{
    struct draft_change change = {draft, path, err, CLEAT_VALUE_NONE, append};
    int r = draft_check_path(&change);

    if (r == 0)
        r = draft_check_value(&change, value);
    if (r == 0)
        r = draft_own(&change, value);
    return r < 0 ? r : draft_walk(&change);
}

/* -- the setters -- */

static int draft_put_text(struct cleat_draft *draft, const char *text, struct cleat_value value,
                          bool append, struct cleat_err *err)
{
    struct cleat_path path;
    int r = cleat_path_parse(text, &path, err);

    return r < 0 ? r : draft_put(draft, &path, value, append, err);
}

/* A value made in the draft's arena. */
static int draft_put_ref(struct cleat_draft *draft, const char *text, int made, uint32_t ref,
                         bool append, struct cleat_err *err)
{
    if (made < 0)
        return cleat_err_set(err, made == -ENOBUFS ? -E2BIG : made,
                             "%s couldn't be set: the draft is too large or out of memory", text);
    return draft_put_text(draft, text, (struct cleat_value){draft->tree.arena, ref}, append, err);
}

static int draft_put_str(struct cleat_draft *draft, const char *path, struct cleat_str text,
                         bool append, struct cleat_err *err)
{
    uint32_t ref = 0;
    int r;

    if (!cleat_utf8_valid(text))
        return cleat_err_set(err, -EINVAL, "the text for %s isn't UTF-8", path);
    r = cleat_heap_str(draft->tree.arena, text, &ref);
    return draft_put_ref(draft, path, r, ref, append, err);
}

static int draft_put_json(struct cleat_draft *draft, const char *path, const char *json,
                          bool append, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    int r = cleat_document_parse(cleat_str_of(json), &document, err);

    if (r < 0) {
        cleat_err_prefix(err, "the value for %s", path);
        return r;
    }
    return draft_put_text(draft, path, cleat_document_root(document), append, err);
}

int cleat_draft_set(struct cleat_draft *draft, const char *path, struct cleat_value value,
                    struct cleat_err *err)
{
    return draft_put_text(draft, path, value, false, err);
}

int cleat_draft_set_text(struct cleat_draft *draft, const char *path, const char *text,
                         struct cleat_err *err)
{
    return draft_put_str(draft, path, cleat_str_of(text), false, err);
}

int cleat_draft_set_str(struct cleat_draft *draft, const char *path, struct cleat_str text,
                        struct cleat_err *err)
{
    return draft_put_str(draft, path, text, false, err);
}

int cleat_draft_set_int(struct cleat_draft *draft, const char *path, int64_t number,
                        struct cleat_err *err)
{
    uint32_t ref = 0;
    int r = cleat_heap_int(draft->tree.arena, number, &ref);

    return draft_put_ref(draft, path, r, ref, false, err);
}

int cleat_draft_set_bool(struct cleat_draft *draft, const char *path, bool flag,
                         struct cleat_err *err)
{
    return draft_put_ref(draft, path, 0, cleat_heap_bool(draft->tree.arena, flag), false, err);
}

int cleat_draft_set_null(struct cleat_draft *draft, const char *path, struct cleat_err *err)
{
    return draft_put_ref(draft, path, 0, cleat_heap_null(draft->tree.arena), false, err);
}

int cleat_draft_set_json(struct cleat_draft *draft, const char *path, const char *json,
                         struct cleat_err *err)
{
    return draft_put_json(draft, path, json, false, err);
}

int cleat_draft_append(struct cleat_draft *draft, const char *path, struct cleat_value value,
                       struct cleat_err *err)
{
    return draft_put_text(draft, path, value, true, err);
}

int cleat_draft_append_str(struct cleat_draft *draft, const char *path, struct cleat_str text,
                           struct cleat_err *err)
{
    return draft_put_str(draft, path, text, true, err);
}

int cleat_draft_append_json(struct cleat_draft *draft, const char *path, const char *json,
                            struct cleat_err *err)
{
    return draft_put_json(draft, path, json, true, err);
}

int cleat_draft_set_at(struct cleat_draft *draft, const struct cleat_path *path,
                       struct cleat_value value, struct cleat_err *err)
{
    return draft_put(draft, path, value, false, err);
}

int cleat_draft_append_at(struct cleat_draft *draft, const struct cleat_path *path,
                          struct cleat_value value, struct cleat_err *err)
{
    return draft_put(draft, path, value, true, err);
}

int cleat_draft_set_str_at(struct cleat_draft *draft, const struct cleat_path *path,
                           struct cleat_str text, struct cleat_err *err)
{
    struct draft_change change = {draft, path, err, CLEAT_VALUE_NONE, false};
    uint32_t ref = 0;
    int r;

    if (!cleat_utf8_valid(text))
        return draft_refuse(&change, path->count, -EINVAL, "can't be set: the text isn't UTF-8");
    r = cleat_heap_str(draft->tree.arena, text, &ref);
    if (r < 0)
        return draft_fail(&change, r);
    return draft_put(draft, path, (struct cleat_value){draft->tree.arena, ref}, false, err);
}

/* -- removing -- */

/* Follows the path without opening anything. 0: there is nothing; 1: there is; -EINVAL: nobody
 * knows. */
static int draft_exists(struct draft_change *change)
{
    struct cleat_tree_slot at = change->draft->tree.root, *found;

    for (size_t i = 0; i < change->path->count; i++) {
        const struct cleat_path_segment *segment = &change->path->segments[i];
        bool by_key = segment->type == CLEAT_SEGMENT_KEY;
        enum cleat_value_type type = cleat_tree_slot_type(&at);
        if (type == CLEAT_TYPE_NOT_KEPT)
            return draft_refuse_type(change, i, "", type);
        if (type != (by_key ? CLEAT_TYPE_OBJECT : CLEAT_TYPE_ARRAY))
            return 0;
        if (at.node) {
            found = by_key ? cleat_tree_member(at.node, segment->key)
                           : cleat_tree_element(at.node, segment->index);
            at = found ? *found : cleat_tree_slot_of(CLEAT_VALUE_NONE);
        } else {
            struct cleat_value value = cleat_tree_slot_value(&at);
            at = cleat_tree_slot_of(by_key ? cleat_value_get_str(value, segment->key)
                                           : cleat_value_at(value, segment->index));
        }
    }
    return cleat_tree_slot_type(&at) != CLEAT_TYPE_ABSENT;
}

/* The path is known to lead somewhere. */
static int draft_take(struct draft_change *change)
{
    struct cleat_tree *tree = &change->draft->tree;
    const struct cleat_path_segment *last = &change->path->segments[change->path->count - 1];
    struct cleat_tree_slot *slot = &tree->root;
    struct cleat_tree_node *node = NULL;

    for (size_t i = 0; i < change->path->count; i++) {
        const struct cleat_path_segment *segment = &change->path->segments[i];
        int r = cleat_tree_open(tree, slot, node, &node);
        if (r < 0)
            return draft_fail(change, r);
        slot = segment->type == CLEAT_SEGMENT_KEY ? cleat_tree_member(node, segment->key)
                                                  : cleat_tree_element(node, segment->index);
    }
    if (last->type == CLEAT_SEGMENT_KEY)
        (void)cleat_tree_take_member(node, last->key); /* what it held goes */
    else
        (void)cleat_tree_take_element(node, last->index); /* the same */
    return 0;
}

int cleat_draft_remove_at(struct cleat_draft *draft, const struct cleat_path *path,
                          struct cleat_err *err)
{
    struct draft_change change = {draft, path, err, CLEAT_VALUE_NONE, false};
    int r = draft_check_path(&change);

    if (r < 0)
        return r;
    if (path->count == 0)
        return draft_refuse(&change, 0, -EINVAL, "can't be removed");
    r = draft_exists(&change);
    return r <= 0 ? r : draft_take(&change);
}

int cleat_draft_remove(struct cleat_draft *draft, const char *path, struct cleat_err *err)
{
    struct cleat_path parsed;
    int r = cleat_path_parse(path, &parsed, err);

    return r < 0 ? r : cleat_draft_remove_at(draft, &parsed, err);
}

/* -- reading -- */

int cleat_draft_freeze(struct cleat_draft *draft, struct cleat_value *ret, struct cleat_err *err)
{
    int r = cleat_tree_freeze(&draft->tree, &draft->tree.root, ret);

    if (r == -E2BIG)
        return cleat_err_set(err, r, "the draft is too large");
    return r < 0 ? cleat_err_set(err, r, "out of memory for a draft's value") : 0;
}

struct cleat_value cleat_draft_value(struct cleat_draft *draft)
{
    struct cleat_value value = CLEAT_VALUE_NONE;

    return cleat_draft_freeze(draft, &value, NULL) < 0 ? CLEAT_VALUE_NONE : value;
}

struct cleat_value cleat_draft_base(const struct cleat_draft *draft)
{
    return draft->base;
}

bool cleat_draft_changed(struct cleat_draft *draft)
{
    return !cleat_tree_equal(&draft->tree.root, draft->base);
}
