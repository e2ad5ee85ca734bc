/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object.h"

#include <errno.h>
#include <string.h>
#include <cleat/path.h>
#include <cleat/write.h>

#include "base/check.h"
#include "base/mem.h"
#include "value/write_parts.h"

#define OBJECT_STRINGS 6

struct cleat_object *cleat_object_ref(struct cleat_object *object)
{
    cleat_assert(object);
    /* Relaxed: the caller holds a reference, so the count can't reach 0 meanwhile. */
    unsigned before = atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    cleat_assert(before > 0 && before < UINT32_MAX / 2);
    return object;
}

struct cleat_object *cleat_object_unref(struct cleat_object *object)
{
    if (!object)
        return NULL;
    /* Release pairs with the acquire of whoever drops the last one: all reads come before the end.
     */
    unsigned before = atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel);
    cleat_assert(before > 0);
    if (before == 1)
        object->ops->release(object);
    return NULL;
}

/* The strings of an identity, one by one. */
static struct cleat_str *object_string(struct cleat_object_identity *identity, size_t index)
{
    struct cleat_str *const strings[OBJECT_STRINGS] = {
        &identity->api_version, &identity->kind, &identity->namespace_,
        &identity->name,        &identity->uid,  &identity->resource_version};
    return strings[index];
}

/* Where each string stands in a root: below metadata, or at its top. */
static struct cleat_value object_member(struct cleat_value root, struct cleat_value metadata,
                                        size_t index)
{
    static const char *const keys[OBJECT_STRINGS] = {"apiVersion", "kind", "namespace",
                                                     "name",       "uid",  "resourceVersion"};
    return cleat_value_get(index < 2 ? root : metadata, keys[index]);
}

/*
 * Reads what @identity lacks. Strings that came in scratch are packed ones: they are moved to the
 * object's own room, or, where that is full, counted in @ret_more for a second run with copies
 * allocated.
 */
static void object_read_strings(struct cleat_object *object, char *room, size_t room_bytes,
                                size_t *ret_more)
{
    struct cleat_value metadata = cleat_value_get(object->root, "metadata");
    size_t used = 0;
    *ret_more = 0;
    for (size_t i = 0; i < OBJECT_STRINGS; i++) {
        struct cleat_str *string = object_string(&object->identity, i);
        struct cleat_scratch scratch;
        if (string->data)
            continue;
        struct cleat_str text =
            cleat_value_text(object_member(object->root, metadata, i), &scratch);
        if (text.length == 0) {
            *string = CLEAT_STR("");
            continue;
        }
        bool packed = text.data >= scratch.bytes && text.data < scratch.bytes + sizeof(scratch);
        if (!packed) {
            *string = text;
        } else if (text.length < room_bytes - used) {
            memcpy(room + used, text.data, text.length);
            room[used + text.length] = '\0';
            *string = (struct cleat_str){room + used, text.length};
            used += text.length + 1;
        } else {
            *ret_more += text.length + 1;
        }
    }
}

/* Settles all strings of the object. 0 or -ENOMEM. */
static int object_settle(struct cleat_object *object)
{
    size_t more = 0;
    object_read_strings(object, object->packed, sizeof(object->packed), &more);
    if (more == 0)
        return 0;
    object->copies = cleat_mem_alloc(more + 1);
    if (!object->copies)
        return -ENOMEM;
    object_read_strings(object, object->copies, more + 1, &more);
    cleat_assert(more == 0);
    return 0;
}

int cleat_object_init_stored(struct cleat_object *object, const struct cleat_object_ops *ops,
                             struct cleat_value root, const struct cleat_gvk *gvk,
                             const struct cleat_object_identity *identity)
{
    cleat_assert(ops && gvk && identity);
    cleat_assert(identity->api_version.data && identity->kind.data &&
                 identity->resource_version.data);
    memset(object, 0, sizeof(*object));
    atomic_init(&object->refs, 1);
    object->stored = true;
    object->ops = ops;
    object->root = root;
    object->gvk = gvk;
    object->identity = *identity;
    return object_settle(object);
}

void cleat_object_fini(struct cleat_object *object)
{
    object->copies = cleat_mem_free(object->copies);
    object->document = cleat_document_unref(object->document);
}

static void object_release(struct cleat_object *object)
{
    cleat_object_fini(object);
    cleat_mem_free(object);
}

int cleat_object_of(struct cleat_document *document, struct cleat_object **ret,
                    struct cleat_err *err)
{
    static const struct cleat_object_ops ops = {object_release};
    struct cleat_value root = cleat_document_root(document);
    enum cleat_value_type type = cleat_value_type(root);
    if (type != CLEAT_TYPE_OBJECT)
        return cleat_err_set(err, -EINVAL, "a Kubernetes object is a JSON object, not: %s",
                             cleat_value_type_name(type));
    struct cleat_object *object = cleat_mem_zalloc(1, sizeof(*object));
    if (!object)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    atomic_init(&object->refs, 1);
    object->ops = &ops;
    object->root = root;
    object->document = cleat_document_ref(document);
    int r = object_settle(object);
    if (r < 0) {
        object_release(object);
        return cleat_err_set(err, r, "out of memory");
    }
    *ret = object;
    return 0;
}

int cleat_object_parse(struct cleat_str json, struct cleat_object **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    int r = cleat_document_parse(json, &document, err);
    if (r < 0)
        return r;
    return cleat_object_of(document, ret, err);
}

struct cleat_value cleat_object_value(const struct cleat_object *object)
{
    return object->root;
}

struct cleat_value cleat_object_find(const struct cleat_object *object, const char *path)
{
    return cleat_value_find(object->root, path);
}

struct cleat_str cleat_object_api_version(const struct cleat_object *object)
{
    return object->identity.api_version;
}

struct cleat_str cleat_object_kind(const struct cleat_object *object)
{
    return object->identity.kind;
}

struct cleat_str cleat_object_namespace(const struct cleat_object *object)
{
    return object->identity.namespace_;
}

struct cleat_str cleat_object_name(const struct cleat_object *object)
{
    return object->identity.name;
}

struct cleat_str cleat_object_uid(const struct cleat_object *object)
{
    return object->identity.uid;
}

struct cleat_str cleat_object_resource_version(const struct cleat_object *object)
{
    return object->identity.resource_version;
}

static struct cleat_value object_metadata(const struct cleat_object *object, const char *key)
{
    return cleat_value_get(cleat_value_get(object->root, "metadata"), key);
}

int64_t cleat_object_generation(const struct cleat_object *object)
{
    return cleat_value_int_or(object_metadata(object, "generation"), 0);
}

struct cleat_value cleat_object_labels(const struct cleat_object *object)
{
    return object_metadata(object, "labels");
}

struct cleat_value cleat_object_annotations(const struct cleat_object *object)
{
    return object_metadata(object, "annotations");
}

bool cleat_object_deleting(const struct cleat_object *object)
{
    enum cleat_value_type type = cleat_value_type(object_metadata(object, "deletionTimestamp"));
    return type != CLEAT_TYPE_ABSENT && type != CLEAT_TYPE_NULL;
}

int cleat_object_gvk(const struct cleat_object *object, struct cleat_gvk *ret,
                     struct cleat_err *err)
{
    if (object->gvk) {
        *ret = *object->gvk;
        return 0;
    }
    return cleat_gvk_parse(ret, object->identity.api_version, object->identity.kind, err);
}

bool cleat_object_partial(const struct cleat_object *object)
{
    return object->partial;
}

int cleat_object_write(const struct cleat_object *object, struct cleat_buffer *buffer,
                       struct cleat_err *err)
{
    if (object->partial)
        return cleat_err_set(err, -ENODATA, "%s %s is partial: a projection dropped some of it",
                             object->identity.kind.data, object->identity.name.data);
    if (!object->stored)
        return cleat_write_json(buffer, object->root, err);
    const struct cleat_write_member members[] = {
        {CLEAT_STR("apiVersion"), object->identity.api_version},
        {CLEAT_STR("kind"), object->identity.kind},
    };
    const struct cleat_write_member metadata[] = {
        {CLEAT_STR("resourceVersion"), object->identity.resource_version},
    };
    const struct cleat_write_parts parts = {members, 2, metadata, 1};
    return cleat_write_object_with(buffer, object->root, &parts, err);
}
