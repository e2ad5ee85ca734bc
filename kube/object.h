/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes an object, for the layers that make them: the client (documents) and the store (pool roots).
 */
#ifndef CLEAT_KUBE_OBJECT_H
#define CLEAT_KUBE_OBJECT_H

#include <stdatomic.h>
#include <cleat/object.h>

struct cleat_object_ops {
    /* The last reference went; frees or posts to the writer's retire list. Any thread. */
    void (*release)(struct cleat_object *object);
};

/*
 * Embedded at the start of what a layer allocates. Everything is constant after the making but the count.
 * Strings are borrowed from the holder's own memory.
 */
struct cleat_object {
    atomic_uint refs;
    bool stored;  /* apiVersion, kind and resourceVersion are not in the root */
    bool partial; /* a projection dropped something */
    const struct cleat_object_ops *ops;
    struct cleat_value root;
    const struct cleat_gvk *gvk;           /* stored: of its store, outlives the object; else NULL */
    const char *resource_version;          /* stored; else NULL: read from the root */
    struct cleat_document *document;       /* not stored: owned reference */
};

#endif
