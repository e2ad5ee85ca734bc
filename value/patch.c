/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying JSON Patch (RFC 6902). All operations work on one mutable tree over the target, which is
 * frozen and copied once at the end. What an operation may cost is bounded by what it says: "add"
 * by its own value, "copy" by the budget of copied bytes, everything else by its path.
 */
#include <errno.h>
#include <string.h>
#include <cleat/patch.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "base/utf8.h"
#include "value/pointer.h"
#include "value/tree.h"

#define PATCH_POINTER_SHOWN_BYTES 120

struct patch_run {
    struct cleat_tree tree;
    struct cleat_err *err;
    size_t copied; /* bytes of JSON that "copy" has added */
    /* the operation at hand */
    size_t index;
    struct cleat_value operation;
    const char *name;
    struct cleat_pointer path;
    struct cleat_pointer from; /* of move and copy */
};

typedef int (*patch_operation_fn)(struct patch_run *run);

/* -- messages -- */

static int run_refuse(struct patch_run *run, int code, const struct cleat_pointer *pointer,
                      const char *fact)
{
    size_t shown = cleat_utf8_cut(pointer->text, PATCH_POINTER_SHOWN_BYTES);

    return cleat_err_set(run->err, code, "operation %zu (%s): \"%.*s%s\" %s", run->index, run->name,
                         (int)shown, pointer->text.data, shown < pointer->text.length ? "..." : "",
                         fact);
}

static int run_fail(struct patch_run *run, int r)
{
    if (r == -ENOBUFS || r == -E2BIG)
        return run_refuse(run, -E2BIG, &run->path, "makes the document too large");
    return run_refuse(run, r, &run->path, "couldn't be changed: out of memory");
}

/* -- finding -- */

static bool slot_is_container(const struct cleat_tree_slot *slot)
{
    enum cleat_value_type type = cleat_tree_slot_type(slot);

    return type == CLEAT_TYPE_OBJECT || type == CLEAT_TYPE_ARRAY;
}

static int run_refuse_below(struct patch_run *run, const struct cleat_pointer *pointer,
                            const struct cleat_tree_slot *slot)
{
    if (cleat_tree_slot_type(slot) == CLEAT_TYPE_NOT_KEPT)
        return run_refuse(run, -EINVAL, pointer, "leads into what the projection didn't keep");
    return run_refuse(run, -EINVAL, pointer, "isn't there");
}

/* What @token of the container in @slot leads to, or NULL. A frozen child is put into @room. */
static struct cleat_tree_slot *slot_child(struct cleat_tree_slot *slot, struct cleat_str token,
                                          struct cleat_tree_slot *room)
{
    bool is_object = cleat_tree_slot_type(slot) == CLEAT_TYPE_OBJECT;
    struct cleat_value value;
    size_t index = 0;

    if (!is_object && cleat_pointer_index(token, &index) != CLEAT_POINTER_INDEX)
        return NULL;
    if (slot->node)
        return is_object ? cleat_tree_member(slot->node, token)
                         : cleat_tree_element(slot->node, index);
    value = cleat_tree_slot_value(slot);
    value = is_object ? cleat_value_get_str(value, token) : cleat_value_at(value, index);
    *room = cleat_tree_slot_of(value);
    return cleat_value_is_present(value) ? room : NULL;
}

/* Follows @pointer without opening anything. NULL where there is nothing. @ret_last is where the
 * way ended. */
static struct cleat_tree_slot *run_find(struct patch_run *run, const struct cleat_pointer *pointer,
                                        struct cleat_tree_slot *room, bool *ret_not_kept)
{
    struct cleat_tree_slot *slot = &run->tree.root;

    *ret_not_kept = false;
    for (size_t i = 0; i < pointer->count && slot; i++) {
        if (!slot_is_container(slot)) {
            *ret_not_kept = cleat_tree_slot_type(slot) == CLEAT_TYPE_NOT_KEPT;
            return NULL;
        }
        slot = slot_child(slot, pointer->tokens[i], room);
    }
    return slot;
}

/* Opens everything above what @pointer (not the root's) leads to; @ret is the container. */
static int run_parent(struct patch_run *run, const struct cleat_pointer *pointer,
                      struct cleat_tree_node **ret, bool *ret_is_object)
{
    struct cleat_tree_slot *slot = &run->tree.root, room;
    struct cleat_tree_node *node = NULL;
    int r;

    for (size_t i = 0; i < pointer->count; i++) {
        if (!slot_is_container(slot))
            return run_refuse_below(run, pointer, slot);
        *ret_is_object = cleat_tree_slot_type(slot) == CLEAT_TYPE_OBJECT;
        r = cleat_tree_open(&run->tree, slot, node, &node);
        if (r < 0)
            return run_fail(run, r);
        if (i + 1 == pointer->count)
            break;
        slot = slot_child(slot, pointer->tokens[i], &room);
        if (!slot)
            return run_refuse(run, -EINVAL, pointer, "isn't there");
    }
    *ret = node;
    return 0;
}

/* Where a pointer led: a slot of an open container. */
struct patch_spot {
    struct cleat_tree_node *parent;
    struct cleat_tree_slot *slot;
    struct cleat_str key; /* of an object's member */
    size_t index;         /* of an array's element */
    bool is_object;
};

static int run_spot(struct patch_run *run, const struct cleat_pointer *pointer,
                    struct patch_spot *ret)
{
    int r = run_parent(run, pointer, &ret->parent, &ret->is_object);

    if (r < 0)
        return r;
    ret->slot = NULL;
    ret->key = pointer->tokens[pointer->count - 1];
    if (ret->is_object)
        ret->slot = cleat_tree_member(ret->parent, ret->key);
    else if (cleat_pointer_index(ret->key, &ret->index) == CLEAT_POINTER_INDEX)
        ret->slot = cleat_tree_element(ret->parent, ret->index);
    return ret->slot ? 0 : run_refuse(run, -EINVAL, pointer, "isn't there");
}

/* -- changing -- */

static int run_add_member(struct patch_run *run, struct cleat_tree_node *object,
                          struct cleat_str key, struct cleat_tree_slot value)
{
    struct cleat_str kept = key;
    int r = 0;

    if (key.length > CLEAT_VALUE_KEY_BYTES_MAX)
        return run_refuse(run, -E2BIG, &run->path, "has a key that is too long");
    if (key.length > 0 && memchr(key.data, '\0', key.length))
        return run_refuse(run, -EINVAL, &run->path, "has a NUL in its key");
    if (!cleat_tree_member(object, key))
        r = cleat_tree_keep(&run->tree, key, &kept);
    if (r == 0)
        r = cleat_tree_put(&run->tree, object, kept, value);
    return r < 0 ? run_fail(run, r) : 0;
}

static int run_add_element(struct patch_run *run, const struct cleat_tree_slot *slot,
                           struct cleat_tree_node *array, struct cleat_str token,
                           struct cleat_tree_slot value)
{
    size_t count = cleat_tree_slot_count(slot), index = count;
    int r = cleat_pointer_index(token, &index);

    if (r < 0)
        return run_refuse(run, r, &run->path, "doesn't end in an index");
    if (r == CLEAT_POINTER_INDEX && index > count)
        return run_refuse(run, -EINVAL, &run->path, "is beyond the array's end");
    r = cleat_tree_insert(&run->tree, array, index, value);
    return r < 0 ? run_fail(run, r) : 0;
}

/* Adds at the operation's path what is a part of no container now. */
static int run_add(struct patch_run *run, struct cleat_tree_slot value)
{
    const struct cleat_pointer *path = &run->path;
    struct cleat_tree_node *parent = NULL;
    struct cleat_tree_slot open;
    bool is_object = false;
    int r;

    if (!cleat_tree_fits(&run->tree, &value, path->count))
        return run_refuse(run, -E2BIG, path, "makes the document nest too deeply");
    if (path->count == 0) {
        cleat_tree_replace(NULL, &run->tree.root, value);
        return 0;
    }
    r = run_parent(run, path, &parent, &is_object);
    if (r < 0)
        return r;
    if (is_object)
        return run_add_member(run, parent, path->tokens[path->count - 1], value);
    open = (struct cleat_tree_slot){.node = parent};
    return run_add_element(run, &open, parent, path->tokens[path->count - 1], value);
}

/* Takes out what @pointer leads to. */
static int run_take(struct patch_run *run, const struct cleat_pointer *pointer,
                    struct cleat_tree_slot *ret)
{
    struct patch_spot spot = {0};
    int r = run_spot(run, pointer, &spot);

    if (r < 0)
        return r;
    *ret = spot.is_object ? cleat_tree_take_member(spot.parent, spot.key)
                          : cleat_tree_take_element(spot.parent, spot.index);
    return 0;
}

/* -- the operations -- */

/* The operation's "value", which may be null but must be there. */
static int run_value(struct patch_run *run, struct cleat_value *ret)
{
    *ret = cleat_value_get(run->operation, "value");
    if (!cleat_value_is_present(*ret))
        return run_refuse(run, -EINVAL, &run->path, "has no \"value\"");
    return 0;
}

static int patch_add(struct patch_run *run)
{
    struct cleat_value value;
    int r = run_value(run, &value);

    return r < 0 ? r : run_add(run, cleat_tree_slot_of(value));
}

static int patch_remove(struct patch_run *run)
{
    struct cleat_tree_slot taken;

    if (run->path.count == 0)
        return run_refuse(run, -EINVAL, &run->path,
                          "is the whole document, which can't be removed");
    return run_take(run, &run->path, &taken);
}

static int patch_replace(struct patch_run *run)
{
    struct patch_spot spot = {0};
    struct cleat_tree_slot fresh;
    struct cleat_value value;
    int r = run_value(run, &value);

    if (r < 0)
        return r;
    fresh = cleat_tree_slot_of(value);
    if (run->path.count == 0)
        return run_add(run, fresh);
    r = run_spot(run, &run->path, &spot);
    if (r < 0)
        return r;
    if (!cleat_tree_fits(&run->tree, &fresh, run->path.count))
        return run_refuse(run, -E2BIG, &run->path, "makes the document nest too deeply");
    cleat_tree_replace(spot.parent, spot.slot, fresh);
    return 0;
}

static int patch_move(struct patch_run *run)
{
    struct cleat_tree_slot taken, room;
    bool not_kept;
    int r;

    if (cleat_pointer_is_below(&run->path, &run->from))
        return run_refuse(run, -EINVAL, &run->from, "can't be moved into itself");
    if (run->from.count == 0) /* to itself: everything else is below it */
        return 0;
    if (cleat_str_equal(run->from.text, run->path.text)) {
        if (run_find(run, &run->from, &room, &not_kept))
            return 0;
        return run_refuse(run, -EINVAL, &run->from, "isn't there");
    }
    r = run_take(run, &run->from, &taken);
    return r < 0 ? r : run_add(run, taken);
}

/* Counts the JSON text of @value against the budget of copies (as the API server does). */
static int run_charge(struct patch_run *run, struct cleat_value value)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_PATCH_COPY_BYTES_MAX - run->copied);
    int r = cleat_write_json(&text, value, NULL);

    run->copied += text.length;
    cleat_buffer_fini(&text);
    if (r == -ENOBUFS)
        return run_refuse(run, -E2BIG, &run->from, "is more than may be copied");
    if (r == -ENODATA)
        return run_refuse(run, -EINVAL, &run->from, "holds what the projection didn't keep");
    return r < 0 ? run_fail(run, r) : 0;
}

static int patch_copy(struct patch_run *run)
{
    struct cleat_tree_slot room, *slot;
    struct cleat_value value = CLEAT_VALUE_NONE;
    bool not_kept;
    int r;

    slot = run_find(run, &run->from, &room, &not_kept);
    if (!slot)
        return run_refuse(run, -EINVAL, &run->from,
                          not_kept ? "leads into what the projection didn't keep" : "isn't there");
    r = cleat_tree_freeze(&run->tree, slot, &value);
    if (r < 0)
        return run_fail(run, r);
    r = run_charge(run, value);
    return r < 0 ? r : run_add(run, cleat_tree_slot_of(value));
}

static int patch_test(struct patch_run *run)
{
    struct cleat_tree_slot room, *slot;
    struct cleat_value value;
    bool not_kept;
    int r = run_value(run, &value);

    if (r < 0)
        return r;
    slot = run_find(run, &run->path, &room, &not_kept);
    if (not_kept || (slot && cleat_tree_slot_type(slot) == CLEAT_TYPE_NOT_KEPT))
        return run_refuse(run, -EINVAL, &run->path, "leads into what the projection didn't keep");
    if (slot && cleat_tree_equal(slot, value))
        return 0;
    (void)run_refuse(run, -ECANCELED, &run->path, "isn't what the test says"); /* an outcome: */
    return CLEAT_PATCH_TEST;
}

/* -- running -- */

static const struct patch_operation {
    const char *name;
    patch_operation_fn run;
    bool has_from;
} patch_operations[] = {
    {"add", patch_add, false},   {"remove", patch_remove, false}, {"replace", patch_replace, false},
    {"test", patch_test, false}, {"copy", patch_copy, true},      {"move", patch_move, true},
};

static const struct patch_operation *patch_operation_of(struct cleat_value operation)
{
    struct cleat_value name = cleat_value_get(operation, "op");

    for (size_t i = 0; i < sizeof(patch_operations) / sizeof(patch_operations[0]); i++)
        if (cleat_value_is(name, patch_operations[i].name))
            return &patch_operations[i];
    return NULL;
}

static int run_pointer(struct patch_run *run, const char *member, struct cleat_pointer *ret)
{
    struct cleat_value value = cleat_value_get(run->operation, member);
    int r;

    if (cleat_value_type(value) != CLEAT_TYPE_STRING)
        return cleat_err_set(run->err, -EINVAL, "operation %zu (%s): \"%s\" is %s, not a string",
                             run->index, run->name, member,
                             cleat_value_type_name(cleat_value_type(value)));
    r = cleat_pointer_parse(value, ret);
    if (r == -EINVAL)
        return run_refuse(run, r, ret, "is no JSON Pointer");
    if (r == -E2BIG)
        return run_refuse(run, r, ret, "is too deep");
    return r < 0 ? cleat_err_set(run->err, r, "out of memory for a patch") : 0;
}

static int run_operation(struct patch_run *run)
{
    const struct patch_operation *operation = patch_operation_of(run->operation);
    int r;

    if (cleat_value_type(run->operation) != CLEAT_TYPE_OBJECT)
        return cleat_err_set(run->err, -EINVAL, "operation %zu is %s, not an object", run->index,
                             cleat_value_type_name(cleat_value_type(run->operation)));
    if (!operation)
        return cleat_err_set(run->err, -EINVAL, "operation %zu has no known \"op\"", run->index);
    run->name = operation->name;
    r = run_pointer(run, "path", &run->path);
    if (r == 0 && operation->has_from)
        r = run_pointer(run, "from", &run->from);
    if (r == 0)
        r = operation->run(run);
    cleat_pointer_fini(&run->path);
    cleat_pointer_fini(&run->from);
    return r;
}

static int run_all(struct patch_run *run, struct cleat_value patch, struct cleat_document **ret)
{
    struct cleat_value value = CLEAT_VALUE_NONE;
    size_t count = cleat_value_count(patch);
    int r = 0;

    for (run->index = 0; run->index < count && r == 0; run->index++) {
        run->operation = cleat_value_at(patch, run->index);
        r = run_operation(run);
    }
    if (r != 0)
        return r;
    r = cleat_tree_freeze(&run->tree, &run->tree.root, &value);
    if (r < 0)
        return cleat_err_set(run->err, r, "the patched document is too large or out of memory");
    return cleat_document_copy(value, ret, run->err);
}

int cleat_patch_apply(struct cleat_value target, struct cleat_value patch,
                      struct cleat_document **ret, struct cleat_err *err)
{
    struct patch_run run;
    int r;

    if (cleat_value_type(patch) != CLEAT_TYPE_ARRAY)
        return cleat_err_set(err, -EINVAL, "the JSON Patch is %s, not an array",
                             cleat_value_type_name(cleat_value_type(patch)));
    if (cleat_value_count(patch) > CLEAT_PATCH_OPERATIONS_MAX)
        return cleat_err_set(err, -E2BIG,
                             "the JSON Patch has %zu operations, at most %d are allowed",
                             cleat_value_count(patch), CLEAT_PATCH_OPERATIONS_MAX);
    if (!cleat_value_is_present(target))
        return cleat_err_set(err, -EINVAL, "there is no value to patch");
    memset(&run, 0, sizeof(run));
    run.err = err;
    r = cleat_tree_init(&run.tree, target, CLEAT_DOCUMENT_BYTES_MAX);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory for a patch");
    r = run_all(&run, patch, ret);
    cleat_tree_fini(&run.tree);
    return r;
}
