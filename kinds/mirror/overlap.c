/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/overlap.h"

#include <errno.h>
#include <stdio.h>

#include "kinds/mirror/conflict.h"
#include "kinds/mirror/target.h"

struct overlap_places {
    const char *own_namespace;
    const struct mirror_spec *a, *b;
    char *ret_namespace;
};

static int overlap_place(void *arg, struct cleat_object *object)
{
    const struct overlap_places *places = arg;
    const struct mirror_namespace namespace_ = {cleat_object_name(object),
                                                cleat_object_labels(object), false};
    if (!cleat__mirror_target_reaches(places->a, &namespace_, places->own_namespace) ||
        !cleat__mirror_target_reaches(places->b, &namespace_, places->own_namespace))
        return 0;
    (void)snprintf(places->ret_namespace, 64, "%.*s", CLEAT_STR_ARG(namespace_.name));
    return 1;
}

int cleat__mirror_overlap_of(struct cleat_store *namespaces, const char *own_namespace,
                             const struct mirror_spec *a, const struct mirror_spec *b,
                             char ret_namespace[64])
{
    struct cleat_scratch scratch;
    struct overlap_places places = {own_namespace, a, b, ret_namespace};
    struct cleat_str common = cleat__mirror_target_common(a, b, &scratch);
    if (common.length > 0) {
        (void)snprintf(ret_namespace, 64, "%.*s", CLEAT_STR_ARG(common));
        return 1;
    }
    return namespaces ? cleat_store_each(namespaces, NULL, overlap_place, &places) : 0;
}

struct overlap_walk {
    struct cleat_store *namespaces;
    const char *own_namespace;
    const struct mirror_spec *spec;
    struct cleat_str name;
    struct mirror_overlap *ret;
};

/* 1 where @other writes the object that is @spec's source, 0, or -ENOMEM. */
static int overlap_writes_source(const struct overlap_walk *walk, const struct mirror_spec *other)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *found = NULL;
    struct mirror_namespace place = {walk->spec->namespace_, CLEAT_VALUE_NONE, false};
    struct mirror_spec source = *walk->spec;
    source.copy_name = walk->spec->name;
    if (!cleat__mirror_same_place(&source, other))
        return 0;
    int rc = cleat_store_lookup(walk->namespaces, CLEAT_STR(""), place.name, &found);
    if (rc < 0)
        return rc;
    if (rc == 0)
        place.labels = cleat_object_labels(found);
    else if (!cleat__mirror_list_has(other->namespaces, place.name))
        return 0;
    return cleat__mirror_target_reaches(other, &place, walk->own_namespace);
}

static int overlap_visit(void *arg, struct cleat_object *object)
{
    struct overlap_walk *walk = arg;
    struct mirror_spec other;
    if (cleat_str_equal(cleat_object_name(object), walk->name) || cleat_object_deleting(object))
        return 0;
    int rc = cleat__mirror_spec_read(cleat_object_value(object), &other, NULL);
    if (rc < 0) /* what can't be read writes nothing; what there is no memory for might */
        return rc == -ENOMEM ? rc : 0;
    if (cleat__mirror_same_place(walk->spec, &other))
        rc = cleat__mirror_overlap_of(walk->namespaces, walk->own_namespace, walk->spec, &other,
                                      walk->ret->namespace_);
    if (rc == 0) {
        rc = overlap_writes_source(walk, &other);
        walk->ret->source = rc > 0;
    }
    if (rc > 0)
        (void)snprintf(walk->ret->mirror, sizeof(walk->ret->mirror), "%.*s",
                       CLEAT_STR_ARG(cleat_object_name(object)));
    cleat__mirror_spec_fini(&other);
    return rc;
}

int cleat__mirror_overlap_find(struct cleat_store *mirrors, struct cleat_store *namespaces,
                               const char *own_namespace, const struct mirror_spec *spec,
                               struct cleat_str name, struct mirror_overlap *ret,
                               struct cleat_err *err)
{
    struct overlap_walk walk = {namespaces, own_namespace, spec, name, ret};
    *ret = (struct mirror_overlap){0};
    if (!cleat_store_synced(mirrors) || !cleat_store_synced(namespaces))
        return cleat_err_set(err, -EAGAIN, "Mirrors and namespaces aren't read yet");
    int rc = cleat_store_each(mirrors, NULL, overlap_visit, &walk);
    return rc < 0 ? cleat_err_set(err, rc, "Mirrors can't be listed") : 0;
}
