/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/mapping.h"

#include <errno.h>

#include "base/check.h"
#include "controller/handler.h"
#include "kinds/mirror/conflict.h"
#include "kinds/mirror/copy.h"
#include "kinds/mirror/state.h"
#include "kinds/mirror/target.h"

static const struct cleat_str mapping_cluster = {"", 0};

/* Walks all Mirrors; each question is asked of a spec that was read. */
struct mapping_walk {
    struct cleat_mirror *mirror;
    struct cleat_object *object;
    struct cleat_enqueue *enqueue;
    bool (*concerns)(const struct mapping_walk *walk, const struct mirror_spec *spec);
    const struct mirror_spec *spec; /* of @object where that is a Mirror */
};

static int mapping_visit(void *arg, struct cleat_object *object)
{
    const struct mapping_walk *walk = arg;
    struct mirror_spec spec;
    int rc = cleat__mirror_spec_read(cleat_object_value(object), &spec, NULL);
    if (rc < 0)
        return rc == -ENOMEM ? rc : 0; /* what it lacks it says in its own status */
    if (walk->concerns(walk, &spec))
        cleat_enqueue_key(walk->enqueue, mapping_cluster, cleat_object_name(object));
    cleat__mirror_spec_fini(&spec);
    return 0;
}

/* Without memory it begins anew when there is some: a key that is added twice is one key. */
static void mapping_walk_all(struct mapping_walk *walk)
{
    int rc;
    do
        rc = cleat_store_each(walk->mirror->mirrors, NULL, mapping_visit, walk);
    while (rc == -ENOMEM && cleat__events_wait_memory());
}

static bool mapping_is_rival(const struct mapping_walk *walk, const struct mirror_spec *spec)
{
    return cleat__mirror_same_place(walk->spec, spec);
}

/* A copy whose Mirror is gone, or goes: its place will be free for others. */
static bool mapping_is_left(struct cleat_mirror *mirror, struct cleat_value copy,
                            struct cleat_str owner)
{
    struct cleat_object *keeper = NULL;
    if (cleat_store_lookup(mirror->mirrors, mapping_cluster, owner, &keeper) != 0)
        return true;
    bool left =
        cleat_object_deleting(keeper) || !cleat__mirror_copy_is_of(copy, cleat_object_uid(keeper));
    cleat_object_unref(keeper);
    return left;
}

void cleat__mirror_map_copy(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue)
{
    struct cleat_mirror *mirror = cleat__mirror_of(arg);
    struct cleat_scratch scratch, owner_scratch;
    struct cleat_str label =
        cleat_value_text(cleat_value_get(cleat_object_labels(object), MIRROR_LABEL), &scratch);
    struct cleat_str owner = cleat__mirror_copy_owner(cleat_object_value(object), &owner_scratch);
    if (label.length > 0)
        cleat_enqueue_key(enqueue, mapping_cluster, label);
    if (owner.length > 0 && !cleat_str_equal(owner, label))
        cleat_enqueue_key(enqueue, mapping_cluster, owner);
    if (mapping_is_left(mirror, cleat_object_value(object), owner)) {
        const struct mirror_spec place = {.api_version = cleat_object_api_version(object),
                                          .kind = cleat_object_kind(object),
                                          .copy_name = cleat_object_name(object)};
        struct mapping_walk walk = {mirror, object, enqueue, mapping_is_rival, &place};
        mapping_walk_all(&walk);
    }
}

static bool mapping_is_source(const struct mapping_walk *walk, const struct mirror_spec *spec)
{
    return cleat__mirror_is_source_of(
        spec, cleat_object_api_version(walk->object), cleat_object_kind(walk->object),
        cleat_object_namespace(walk->object), cleat_object_name(walk->object));
}

void cleat__mirror_map_source(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue)
{
    struct mapping_walk walk = {cleat__mirror_of(arg), object, enqueue, mapping_is_source, NULL};
    mapping_walk_all(&walk);
}

static bool mapping_reaches(const struct mapping_walk *walk, const struct mirror_spec *spec)
{
    const struct mirror_namespace namespace_ = {cleat_object_name(walk->object),
                                                cleat_object_labels(walk->object), false};
    return cleat__mirror_target_reaches(spec, &namespace_, walk->mirror->own_namespace);
}

void cleat__mirror_map_namespace(void *arg, struct cleat_object *object,
                                 struct cleat_enqueue *enqueue)
{
    struct mapping_walk walk = {cleat__mirror_of(arg), object, enqueue, mapping_reaches, NULL};
    mapping_walk_all(&walk);
}

void cleat__mirror_map_rivals(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue)
{
    struct mapping_walk walk = {cleat__mirror_of(arg), object, enqueue, mapping_is_rival, NULL};
    struct mirror_spec spec;
    int rc;
    do
        rc = cleat__mirror_spec_read(cleat_object_value(object), &spec, NULL);
    while (rc == -ENOMEM && cleat__events_wait_memory());
    if (rc < 0)
        return;
    walk.spec = &spec;
    mapping_walk_all(&walk);
    cleat__mirror_spec_fini(&spec);
}

static bool mapping_is_any(const struct mapping_walk *walk, const struct mirror_spec *spec)
{
    return true;
}

void cleat__mirror_map_guard(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue)
{
    struct mapping_walk walk = {cleat__mirror_of(arg), object, enqueue, mapping_is_any, NULL};
    if (cleat_str_is(cleat_object_name(object), MIRROR_VALIDATING_CONFIGURATION))
        mapping_walk_all(&walk);
}

void cleat__mirror_map_hooks(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue)
{
    cleat_enqueue_key(enqueue, mapping_cluster, CLEAT_STR(MIRROR_COPIES_CONFIGURATION));
}
