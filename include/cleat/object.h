/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted Kubernetes objects, frozen: what the client returns (a document of its own) and what a
 * store hands out (a root in its pool) are the same noun with the same getters. resourceVersion,
 * apiVersion and kind of stored objects live beside the root; always ask the object for them, not
 * the value. Any thread.
 */
#ifndef CLEAT_OBJECT_H
#define CLEAT_OBJECT_H

#include <cleat/buffer.h>
#include <cleat/document.h>
#include <cleat/err.h>
#include <cleat/gvk.h>
#include <cleat/value.h>

CLEAT_BEGIN

struct cleat_object;

/** Takes a reference; returns @object. Any thread. */
CLEAT_EXPORT struct cleat_object *cleat_object_ref(struct cleat_object *object);
/** Drops a reference; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_object *cleat_object_unref(struct cleat_object *object);
/** An object over @document (one more reference is taken). -EINVAL where it isn't a JSON object. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_object_of(struct cleat_document *document,
                                                  struct cleat_object **ret, struct cleat_err *err);
/** Parses JSON text into an object. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_object_parse(struct cleat_str json,
                                                     struct cleat_object **ret,
                                                     struct cleat_err *err);

/** The root, for paths; of a stored object without apiVersion, kind and metadata.resourceVersion.
 */
CLEAT_EXPORT struct cleat_value cleat_object_value(const struct cleat_object *object);
/** cleat_value_find on the root. */
CLEAT_EXPORT struct cleat_value cleat_object_find(const struct cleat_object *object,
                                                  const char *path);

/* All borrowed until the object's unref; NUL-terminated; "" where there is none. */
/** apiVersion, as "apps/v1". */
CLEAT_EXPORT struct cleat_str cleat_object_api_version(const struct cleat_object *object);
/** The kind, as "Deployment". */
CLEAT_EXPORT struct cleat_str cleat_object_kind(const struct cleat_object *object);
/** metadata.namespace; "" for cluster-scoped objects. */
CLEAT_EXPORT struct cleat_str cleat_object_namespace(const struct cleat_object *object);
/** metadata.name. */
CLEAT_EXPORT struct cleat_str cleat_object_name(const struct cleat_object *object);
/** metadata.uid. */
CLEAT_EXPORT struct cleat_str cleat_object_uid(const struct cleat_object *object);
/** metadata.resourceVersion; opaque, compared only for equality. */
CLEAT_EXPORT struct cleat_str cleat_object_resource_version(const struct cleat_object *object);
/** metadata.generation, or 0. */
CLEAT_EXPORT int64_t cleat_object_generation(const struct cleat_object *object);
/** metadata.labels, or an absent value. Borrowed while the caller holds @object. */
CLEAT_EXPORT struct cleat_value cleat_object_labels(const struct cleat_object *object);
/** metadata.annotations, or an absent value. Borrowed while the caller holds @object. */
CLEAT_EXPORT struct cleat_value cleat_object_annotations(const struct cleat_object *object);
/** True where metadata.deletionTimestamp is set. */
CLEAT_EXPORT bool cleat_object_deleting(const struct cleat_object *object);
/** The gvk from apiVersion and kind; -EINVAL. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_object_gvk(const struct cleat_object *object,
                                                   struct cleat_gvk *ret, struct cleat_err *err);
/** True where parts were dropped by a projection: such an object can be patched, not updated. */
CLEAT_EXPORT bool cleat_object_partial(const struct cleat_object *object);
/** Appends the object as JSON, with the three members that live beside the root. -ENODATA where
 * partial. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_object_write(const struct cleat_object *object,
                                                     struct cleat_buffer *buffer,
                                                     struct cleat_err *err);

static inline void cleat_object_unrefp(struct cleat_object **object)
{
    *object = cleat_object_unref(*object);
}

CLEAT_END

#endif
