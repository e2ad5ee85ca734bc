/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/copy.h"

#include <errno.h>
#include <stdio.h>

#include <cleat/owner.h>
#include <cleat/write.h>

#include "kinds/mirror/never.h"

#define COPY_API_VERSION MIRROR_GROUP "/" MIRROR_VERSION
#define COPY_SOURCE_BYTES (63 + 1 + 253 + 1)

static bool owner_is_mirror(const struct cleat_owner *owner)
{
    return cleat_str_is(owner->kind, MIRROR_KIND) &&
           cleat__mirror_begins(owner->api_version, MIRROR_GROUP "/");
}

/* Reads the owner reference that is a Mirror's and the controller. */
static bool copy_controller(struct cleat_value root, struct cleat_scratch scratch[4],
                            struct cleat_owner *ret)
{
    for (size_t i = 0; i < cleat_owner_count(root); i++)
        if (cleat_owner_at(root, i, scratch, ret) == 0 && ret->controller && owner_is_mirror(ret))
            return true;
    return false;
}

static struct cleat_value copy_annotation(struct cleat_value root, const char *key)
{
    return cleat_value_get(cleat_value_get(cleat_value_get(root, "metadata"), "annotations"), key);
}

static struct cleat_value copy_label(struct cleat_value root, const char *key)
{
    return cleat_value_get(cleat_value_get(cleat_value_get(root, "metadata"), "labels"), key);
}

struct cleat_str cleat__mirror_copy_uid(struct cleat_value root, struct cleat_scratch *scratch)
{
    struct cleat_scratch owner_scratch[4];
    struct cleat_owner owner;
    if (copy_controller(root, owner_scratch, &owner))
        return cleat_owner_controller_uid(root, scratch);
    return cleat_value_text(copy_annotation(root, MIRROR_UID_ANNOTATION), scratch);
}

bool cleat__mirror_copy_is_of(struct cleat_value root, struct cleat_str uid)
{
    struct cleat_scratch scratch;
    return uid.length > 0 && cleat_str_equal(cleat__mirror_copy_uid(root, &scratch), uid);
}

struct cleat_str cleat__mirror_copy_owner(struct cleat_value root, struct cleat_scratch *scratch)
{
    struct cleat_value references =
        cleat_value_get(cleat_value_get(root, "metadata"), "ownerReferences");
    for (size_t i = 0; i < cleat_owner_count(root); i++) {
        struct cleat_scratch owner_scratch[4];
        struct cleat_owner owner;
        if (cleat_owner_at(root, i, owner_scratch, &owner) == 0 && owner.controller &&
            owner_is_mirror(&owner))
            return cleat_value_text(cleat_value_get(cleat_value_at(references, i), "name"),
                                    scratch);
    }
    return cleat_value_text(copy_label(root, MIRROR_LABEL), scratch);
}

/* "namespace/name" of the source. */
static struct cleat_str copy_source(const struct mirror_spec *spec, char text[COPY_SOURCE_BYTES])
{
    int length = snprintf(text, COPY_SOURCE_BYTES, "%.*s/%.*s", CLEAT_STR_ARG(spec->namespace_),
                          CLEAT_STR_ARG(spec->name));
    return (struct cleat_str){text,
                              length < COPY_SOURCE_BYTES ? (size_t)length : COPY_SOURCE_BYTES - 1};
}

/* True where each wanted member is there. */
static bool copy_holds(struct cleat_value have, struct cleat_value wanted)
{
    for (size_t i = 0; i < cleat_value_count(wanted); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(wanted, i, &key);
        if (!cleat_value_equal(value, cleat_value_get_str(have, key)))
            return false;
    }
    return true;
}

/* True where exactly one reference to a Mirror is there, and it is ours as it should be. */
static bool copy_owned(const struct mirror_marks *marks, struct cleat_value root)
{
    size_t mirrors = 0, right = 0;
    for (size_t i = 0; i < cleat_owner_count(root); i++) {
        struct cleat_scratch scratch[4];
        struct cleat_owner owner;
        if (cleat_owner_at(root, i, scratch, &owner) < 0 || !owner_is_mirror(&owner))
            continue;
        mirrors++;
        right += owner.controller && !owner.block_owner_deletion &&
                 cleat_str_is(owner.api_version, COPY_API_VERSION) &&
                 cleat_str_equal(owner.uid, cleat_object_uid(marks->mirror)) &&
                 cleat_str_equal(owner.name, cleat_object_name(marks->mirror));
    }
    return marks->spec->orphan ? mirrors == 0 : mirrors == 1 && right == 1;
}

static bool copy_marked(const struct mirror_marks *marks, struct cleat_value root)
{
    char source[COPY_SOURCE_BYTES];
    const struct mirror_spec *spec = marks->spec;
    struct cleat_value metadata = cleat_value_get(root, "metadata");
    struct cleat_value uid = copy_annotation(root, MIRROR_UID_ANNOTATION);
    bool annotated = spec->orphan ? cleat_value_is_str(uid, cleat_object_uid(marks->mirror))
                                  : !cleat_value_is_present(uid);
    return annotated && copy_owned(marks, root) &&
           cleat_value_is_str(copy_label(root, MIRROR_LABEL), cleat_object_name(marks->mirror)) &&
           cleat_value_is_str(copy_annotation(root, MIRROR_SOURCE_ANNOTATION),
                              copy_source(spec, source)) &&
           copy_holds(cleat_value_get(metadata, "labels"), spec->labels) &&
           copy_holds(cleat_value_get(metadata, "annotations"), spec->annotations);
}

/* Services are compared without what is their own. */
static int copy_same_service(struct cleat_value wanted, struct cleat_value root)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_value stripped = CLEAT_VALUE_NONE;
    int rc = cleat_draft_new(root, &draft, NULL);
    if (rc == 0)
        rc = cleat__mirror_strip_service(draft, root, NULL);
    if (rc == 0)
        rc = cleat_draft_freeze(draft, &stripped, NULL);
    return rc < 0 ? rc : cleat__mirror_same_content(wanted, stripped);
}

/* What the API server never changes in place. */
static bool copy_is_fixed(const struct mirror_marks *marks, struct cleat_value wanted,
                          struct cleat_value root)
{
    if (!cleat__mirror_kind_is_plain(marks->gvk))
        return false;
    return cleat_value_is_true(cleat_value_get(root, "immutable")) ||
           !cleat_value_equal(cleat_value_get(root, "type"), cleat_value_get(wanted, "type"));
}

int cleat__mirror_copy_compare(const struct mirror_marks *marks,
                               const struct mirror_content *content, struct cleat_value root)
{
    int same = cleat__mirror_is_service(marks->gvk)
                   ? copy_same_service(content->value, root)
                   : cleat__mirror_same_content(content->value, root);
    if (same < 0)
        return same;
    if (!same && copy_is_fixed(marks, content->value, root))
        return MIRROR_COPY_ANEW;
    return same && copy_marked(marks, root) ? MIRROR_COPY_TRUE : MIRROR_COPY_FALSE;
}

static void copy_path(struct cleat_path *path, const char *member, struct cleat_str key)
{
    path->count = 3;
    path->bytes_used = 0;
    path->segments[0] = (struct cleat_path_segment){CLEAT_SEGMENT_KEY, CLEAT_STR("metadata"), 0};
    path->segments[1] = (struct cleat_path_segment){CLEAT_SEGMENT_KEY, cleat_str_of(member), 0};
    path->segments[2] = (struct cleat_path_segment){CLEAT_SEGMENT_KEY, key, 0};
}

static int copy_set_mark(struct cleat_draft *draft, const char *member, const char *key,
                         struct cleat_str text, struct cleat_err *err)
{
    struct cleat_path path;
    copy_path(&path, member, cleat_str_of(key));
    return cleat_draft_set_str_at(draft, &path, text, err);
}

static int copy_drop_mark(struct cleat_draft *draft, const char *member, const char *key,
                          struct cleat_err *err)
{
    struct cleat_path path;
    copy_path(&path, member, cleat_str_of(key));
    return cleat_draft_remove_at(draft, &path, err);
}

static int copy_merge(struct cleat_draft *draft, const char *member, struct cleat_value wanted,
                      struct cleat_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cleat_value_count(wanted); i++) {
        struct cleat_str key;
        struct cleat_path path;
        struct cleat_value value = cleat_value_member(wanted, i, &key);
        copy_path(&path, member, key);
        rc = cleat_draft_set_at(draft, &path, value, err);
    }
    return rc;
}

/* Owner references of others stay; those of Mirrors go, and so does every other controller's part
 * in it: there is none where a copy may be made. */
static int copy_drop_owners(struct cleat_draft *draft, struct cleat_value root,
                            struct cleat_err *err)
{
    struct cleat_value references =
        cleat_value_get(cleat_value_get(root, "metadata"), "ownerReferences");
    int rc = cleat_draft_remove(draft, "metadata.ownerReferences", err);
    for (size_t i = 0; rc == 0 && i < cleat_owner_count(root); i++) {
        struct cleat_scratch scratch[4];
        struct cleat_owner owner;
        if (cleat_owner_at(root, i, scratch, &owner) == 0 && owner_is_mirror(&owner))
            continue;
        rc = cleat_draft_append(draft, "metadata.ownerReferences", cleat_value_at(references, i),
                                err);
    }
    return rc;
}

static int copy_add_owner(struct cleat_draft *draft, const struct cleat_object *mirror,
                          struct cleat_err *err)
{
    struct cleat_buffer json = CLEAT_BUFFER_INIT(4096);
    cleat_buffer_text(&json, "{\"apiVersion\":\"" COPY_API_VERSION "\",\"kind\":\"" MIRROR_KIND
                             "\",\"name\":");
    cleat_write_string(&json, cleat_object_name(mirror));
    cleat_buffer_text(&json, ",\"uid\":");
    cleat_write_string(&json, cleat_object_uid(mirror));
    cleat_buffer_text(&json, ",\"controller\":true,\"blockOwnerDeletion\":false}");
    int rc = json.failed
                 ? cleat_err_set(err, json.failed, "owner reference: out of memory")
                 : cleat_draft_append_json(draft, "metadata.ownerReferences", json.data, err);
    cleat_buffer_fini(&json);
    return rc;
}

static int copy_set_owner(struct cleat_draft *draft, const struct mirror_marks *marks,
                          struct cleat_value root, struct cleat_err *err)
{
    struct cleat_str uid = cleat_object_uid(marks->mirror);
    int rc = marks->spec->orphan
                 ? copy_set_mark(draft, "annotations", MIRROR_UID_ANNOTATION, uid, err)
                 : copy_drop_mark(draft, "annotations", MIRROR_UID_ANNOTATION, err);
    if (rc < 0 || copy_owned(marks, root))
        return rc;
    rc = copy_drop_owners(draft, root, err);
    return rc == 0 && !marks->spec->orphan ? copy_add_owner(draft, marks->mirror, err) : rc;
}

static int copy_set_marks(struct cleat_draft *draft, const struct mirror_marks *marks,
                          struct cleat_value root, struct cleat_err *err)
{
    char source[COPY_SOURCE_BYTES];
    int rc = copy_merge(draft, "labels", marks->spec->labels, err);
    if (rc == 0)
        rc = copy_merge(draft, "annotations", marks->spec->annotations, err);
    if (rc == 0)
        rc = copy_set_mark(draft, "labels", MIRROR_LABEL, cleat_object_name(marks->mirror), err);
    if (rc == 0)
        rc = copy_set_mark(draft, "annotations", MIRROR_SOURCE_ANNOTATION,
                           copy_source(marks->spec, source), err);
    return rc == 0 ? copy_set_owner(draft, marks, root, err) : rc;
}

/* What is in the object and not in the content goes; what differs is set. */
static int copy_set_content(struct cleat_draft *draft, struct cleat_value wanted,
                            struct cleat_value root, struct cleat_err *err)
{
    int rc = 0;
    struct cleat_path path = {.count = 1};
    for (size_t i = 0; rc == 0 && i < cleat_value_count(root); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(root, i, &key);
        if (!cleat_value_is_present(value) || cleat_str_is(key, "metadata") ||
            cleat_str_is(key, "status") || cleat_value_is_present(cleat_value_get_str(wanted, key)))
            continue;
        path.segments[0] = (struct cleat_path_segment){CLEAT_SEGMENT_KEY, key, 0};
        rc = cleat_draft_remove_at(draft, &path, err);
    }
    for (size_t i = 0; rc == 0 && i < cleat_value_count(wanted); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(wanted, i, &key);
        path.segments[0] = (struct cleat_path_segment){CLEAT_SEGMENT_KEY, key, 0};
        if (!cleat_value_equal(value, cleat_value_get_str(root, key)))
            rc = cleat_draft_set_at(draft, &path, value, err);
    }
    return rc;
}

static int copy_set_type(struct cleat_draft *draft, struct cleat_str api_version,
                         struct cleat_str kind, struct cleat_err *err)
{
    int rc = cleat_draft_set_str(draft, "apiVersion", api_version, err);
    return rc == 0 ? cleat_draft_set_str(draft, "kind", kind, err) : rc;
}

/* Completes what stored objects keep beside their root, with the version as the precondition. */
static int copy_set_version(struct cleat_draft *draft, const struct cleat_object *existing,
                            struct cleat_err *err)
{
    int rc = cleat_draft_remove(draft, "metadata.managedFields", err);
    if (rc == 0)
        rc = cleat_draft_set_str(draft, "metadata.resourceVersion",
                                 cleat_object_resource_version(existing), err);
    return rc == 0 ? copy_set_type(draft, cleat_object_api_version(existing),
                                   cleat_object_kind(existing), err)
                   : rc;
}

static int copy_update(const struct mirror_marks *marks, const struct mirror_content *content,
                       const struct cleat_object *existing, struct cleat_draft *draft,
                       struct cleat_err *err)
{
    struct cleat_value root = cleat_object_value(existing);
    int rc = copy_set_content(draft, content->value, root, err);
    if (rc == 0)
        rc = copy_set_marks(draft, marks, root, err);
    return rc == 0 ? copy_set_version(draft, existing, err) : rc;
}

static int copy_create(const struct mirror_marks *marks, struct cleat_str namespace_,
                       struct cleat_draft *draft, struct cleat_err *err)
{
    char api_version[CLEAT_API_VERSION_BYTES_MAX];
    (void)cleat_gvk_api_version(marks->gvk, api_version); /* returns its argument */
    int rc = copy_set_type(draft, cleat_str_of(api_version), cleat_str_of(marks->gvk->kind), err);
    if (rc == 0)
        rc = cleat_draft_set_str(draft, "metadata.name", marks->spec->copy_name, err);
    if (rc == 0)
        rc = cleat_draft_set_str(draft, "metadata.namespace", namespace_, err);
    return rc == 0 ? copy_set_marks(draft, marks, CLEAT_VALUE_NONE, err) : rc;
}

int cleat__mirror_copy_body(const struct mirror_marks *marks, const struct mirror_content *content,
                            struct cleat_str namespace_, const struct cleat_object *existing,
                            struct cleat_draft **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_value base = existing ? cleat_object_value(existing) : content->value;
    int rc = cleat_draft_new(base, &draft, err);
    if (rc == 0)
        rc = existing ? copy_update(marks, content, existing, draft, err)
                      : copy_create(marks, namespace_, draft, err);
    if (rc == 0) {
        *ret = draft;
        draft = NULL;
    }
    return rc;
}

int cleat__mirror_copy_release(const struct cleat_object *existing, struct cleat_draft **ret,
                               struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_value root = cleat_object_value(existing);
    int rc = cleat_draft_new(root, &draft, err);
    if (rc == 0)
        rc = copy_drop_mark(draft, "labels", MIRROR_LABEL, err);
    if (rc == 0)
        rc = copy_drop_mark(draft, "annotations", MIRROR_SOURCE_ANNOTATION, err);
    if (rc == 0)
        rc = copy_drop_mark(draft, "annotations", MIRROR_UID_ANNOTATION, err);
    if (rc == 0)
        rc = copy_drop_owners(draft, root, err);
    if (rc == 0)
        rc = copy_set_version(draft, existing, err);
    if (rc == 0) {
        *ret = draft;
        draft = NULL;
    }
    return rc;
}
