/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/owner.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OWNER_PATH "metadata.ownerReferences"

static struct cleat_value owner_references(struct cleat_value root)
{
    struct cleat_value references =
        cleat_value_get(cleat_value_get(root, "metadata"), "ownerReferences");
    return cleat_value_type(references) == CLEAT_TYPE_ARRAY ? references : CLEAT_VALUE_NONE;
}

size_t cleat_owner_count(struct cleat_value root)
{
    return cleat_value_count(owner_references(root));
}

int cleat_owner_at(struct cleat_value root, size_t index, struct cleat_scratch scratch[4],
                   struct cleat_owner *ret)
{
    struct cleat_value reference = cleat_value_at(owner_references(root), index);
    if (cleat_value_type(reference) != CLEAT_TYPE_OBJECT)
        return -EINVAL;
    ret->api_version = cleat_value_text(cleat_value_get(reference, "apiVersion"), &scratch[0]);
    ret->kind = cleat_value_text(cleat_value_get(reference, "kind"), &scratch[1]);
    ret->name = cleat_value_text(cleat_value_get(reference, "name"), &scratch[2]);
    ret->uid = cleat_value_text(cleat_value_get(reference, "uid"), &scratch[3]);
    ret->controller = cleat_value_is_true(cleat_value_get(reference, "controller"));
    ret->block_owner_deletion =
        cleat_value_is_true(cleat_value_get(reference, "blockOwnerDeletion"));
    return 0;
}

struct cleat_str cleat_owner_controller_uid(struct cleat_value root, struct cleat_scratch *scratch)
{
    struct cleat_value references = owner_references(root);
    for (size_t i = 0; i < cleat_value_count(references); i++) {
        struct cleat_value reference = cleat_value_at(references, i);
        if (cleat_value_is_true(cleat_value_get(reference, "controller")))
            return cleat_value_text(cleat_value_get(reference, "uid"), scratch);
    }
    return CLEAT_STR("");
}

bool cleat_owner_has_uid(struct cleat_value root, struct cleat_str uid)
{
    struct cleat_value references = owner_references(root);
    for (size_t i = 0; i < cleat_value_count(references); i++)
        if (cleat_value_is_str(cleat_value_get(cleat_value_at(references, i), "uid"), uid))
            return true;
    return false;
}

/* The group of an apiVersion: what stands before the slash. */
static struct cleat_str owner_group(struct cleat_str api_version)
{
    const char *slash =
        api_version.length ? memchr(api_version.data, '/', api_version.length) : NULL;
    size_t length = slash ? (size_t)(slash - api_version.data) : 0;
    return (struct cleat_str){api_version.data, length};
}

/* The same owner is of the same group and kind and has the same name; its uid doesn't count. */
static bool owner_is(const struct cleat_owner *reference, const struct cleat_object *owner)
{
    return cleat_str_equal(reference->name, cleat_object_name(owner)) &&
           cleat_str_equal(reference->kind, cleat_object_kind(owner)) &&
           cleat_str_equal(owner_group(reference->api_version),
                           owner_group(cleat_object_api_version(owner)));
}

static int owner_check(struct cleat_value root, const struct cleat_object *owner,
                       struct cleat_err *err)
{
    struct cleat_scratch scratch;
    struct cleat_str name = cleat_object_name(owner);
    struct cleat_str kind = cleat_object_kind(owner);
    struct cleat_str owners = cleat_object_namespace(owner);
    struct cleat_str own =
        cleat_value_text(cleat_value_get(cleat_value_get(root, "metadata"), "namespace"), &scratch);
    if (name.length == 0 || kind.length == 0 || cleat_object_uid(owner).length == 0)
        return cleat_err_set(err, -EINVAL, "an owner needs kind, name and uid: %.*s \"%.*s\"",
                             CLEAT_STR_ARG(kind), CLEAT_STR_ARG(name));
    if (owners.length == 0 || cleat_str_equal(owners, own))
        return 0;
    if (own.length == 0)
        return cleat_err_set(err, -EINVAL, "%.*s %.*s/%.*s can't own an object without a namespace",
                             CLEAT_STR_ARG(kind), CLEAT_STR_ARG(owners), CLEAT_STR_ARG(name));
    return cleat_err_set(err, -EINVAL, "%.*s %.*s/%.*s can't own an object in namespace %.*s",
                         CLEAT_STR_ARG(kind), CLEAT_STR_ARG(owners), CLEAT_STR_ARG(name),
                         CLEAT_STR_ARG(own));
}

/* Puts a reference to @owner at @index, or behind the last. */
static int owner_put(struct cleat_draft *draft, size_t index, bool append,
                     const struct cleat_object *owner, bool controller, bool block,
                     struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *reference = NULL;
    struct cleat_value value = CLEAT_VALUE_NONE;
    char path[64];
    int r = cleat_draft_new(CLEAT_VALUE_NONE, &reference, err);
    if (r == 0)
        r = cleat_draft_set_str(reference, "apiVersion", cleat_object_api_version(owner), err);
    if (r == 0)
        r = cleat_draft_set_str(reference, "kind", cleat_object_kind(owner), err);
    if (r == 0)
        r = cleat_draft_set_str(reference, "name", cleat_object_name(owner), err);
    if (r == 0)
        r = cleat_draft_set_str(reference, "uid", cleat_object_uid(owner), err);
    if (r == 0 && controller)
        r = cleat_draft_set_bool(reference, "controller", true, err);
    if (r == 0 && block)
        r = cleat_draft_set_bool(reference, "blockOwnerDeletion", true, err);
    if (r == 0)
        r = cleat_draft_freeze(reference, &value, err);
    if (r < 0)
        return r;
    if (append)
        return cleat_draft_append(draft, OWNER_PATH, value, err);
    snprintf(path, sizeof(path), OWNER_PATH "[%zu]", index);
    return cleat_draft_set(draft, path, value, err);
}

/* What a draft's object says of an owner. */
struct owner_state {
    size_t index; /* of its reference, or the count */
    size_t count;
    bool current; /* apiVersion and uid are as the owner's */
    bool controller;
    bool block;
};

/*
 * Looks through the references. TAKEN where another owner is the controller and @as_controller is
 * wanted.
 */
static int owner_look(struct cleat_value root, const struct cleat_object *owner, bool as_controller,
                      struct owner_state *ret, struct cleat_err *err)
{
    ret->count = cleat_owner_count(root);
    ret->index = ret->count;
    for (size_t i = 0; i < ret->count; i++) {
        struct cleat_scratch scratch[4];
        struct cleat_owner reference;
        if (cleat_owner_at(root, i, scratch, &reference) < 0)
            continue;
        if (!owner_is(&reference, owner)) {
            if (!as_controller || !reference.controller)
                continue;
            (void)cleat_err_set(err, -EEXIST, "%.*s %.*s is the controller already",
                                CLEAT_STR_ARG(reference.kind), CLEAT_STR_ARG(reference.name));
            return CLEAT_OWNER_TAKEN;
        }
        if (ret->index < ret->count)
            continue;
        ret->index = i;
        ret->controller = reference.controller;
        ret->block = reference.block_owner_deletion;
        ret->current = cleat_str_equal(reference.uid, cleat_object_uid(owner)) &&
                       cleat_str_equal(reference.api_version, cleat_object_api_version(owner));
    }
    return 0;
}

int cleat_owner_set_controller(struct cleat_draft *draft, const struct cleat_object *owner,
                               bool block_owner_deletion, struct cleat_err *err)
{
    struct cleat_value root = CLEAT_VALUE_NONE;
    struct owner_state state = {0};
    int r = cleat_draft_freeze(draft, &root, err); /* lacking memory mustn't look like no owner */
    if (r == 0)
        r = owner_check(root, owner, err);
    if (r == 0)
        r = owner_look(root, owner, true, &state, err);
    if (r != 0)
        return r;
    if (state.current && state.controller && state.block == block_owner_deletion)
        return CLEAT_OWNER_UNCHANGED;
    return owner_put(draft, state.index, state.index == state.count, owner, true,
                     block_owner_deletion, err);
}

int cleat_owner_set(struct cleat_draft *draft, const struct cleat_object *owner,
                    struct cleat_err *err)
{
    struct cleat_value root = CLEAT_VALUE_NONE;
    struct owner_state state = {0};
    int r = cleat_draft_freeze(draft, &root, err); /* lacking memory mustn't look like no owner */
    if (r == 0)
        r = owner_check(root, owner, err);
    if (r == 0)
        r = owner_look(root, owner, false, &state, err);
    if (r != 0)
        return r;
    if (state.current)
        return CLEAT_OWNER_UNCHANGED;
    return owner_put(draft, state.index, state.index == state.count, owner, state.controller,
                     state.block, err);
}

/* Removes element @index of the array at @path, and the array with its last one. */
static int owner_remove_element(struct cleat_draft *draft, const char *path, size_t index,
                                size_t count, struct cleat_err *err)
{
    char element[64];
    if (count == 1)
        return cleat_draft_remove(draft, path, err);
    snprintf(element, sizeof(element), "%s[%zu]", path, index);
    return cleat_draft_remove(draft, element, err);
}

int cleat_owner_remove(struct cleat_draft *draft, struct cleat_str uid, struct cleat_err *err)
{
    struct cleat_value root = CLEAT_VALUE_NONE;
    int result = CLEAT_OWNER_UNCHANGED;
    int r = cleat_draft_freeze(draft, &root, err);
    if (r < 0)
        return r;
    for (size_t i = cleat_owner_count(root); i-- > 0;) {
        r = cleat_draft_freeze(draft, &root, err);
        if (r < 0)
            return r;
        struct cleat_value references = owner_references(root);
        if (!cleat_value_is_str(cleat_value_get(cleat_value_at(references, i), "uid"), uid))
            continue;
        result = owner_remove_element(draft, OWNER_PATH, i, cleat_value_count(references), err);
        if (result < 0)
            return result;
    }
    return result;
}
