/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes an object, for the layers that make them: the client (documents) and the store (pool
 * roots).
 *
 * A layer embeds struct cleat_object at the start of what it allocates at a lookup, fills its own
 * memory, calls cleat_object_init_stored, and in its ops->release calls cleat_object_fini before
 * freeing. All names are settled at the making, so that getters only read: strings that the heap
 * keeps packed are copied into `packed` (or, where that is too small, into an allocated block); all
 * others are borrowed from the heap, or from what the identity pointed to.
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
 * The names of an object; all NUL-terminated. What is left empty when an object is made is read
 * from its root.
 */
struct cleat_object_identity {
    struct cleat_str api_version;
    struct cleat_str kind;
    struct cleat_str namespace_;
    struct cleat_str name;
    struct cleat_str uid;
    struct cleat_str resource_version;
};

/* Everything is constant after the making but the count. */
struct cleat_object {
    atomic_uint refs;
    bool stored;  /* apiVersion, kind and resourceVersion are not in the root */
    bool partial; /* a projection dropped something */
    const struct cleat_object_ops *ops;
    struct cleat_value root;
    const struct cleat_gvk *gvk;     /* stored: of its store, outlives the object; else NULL */
    struct cleat_document *document; /* not stored: owned reference */
    struct cleat_object_identity identity; /* borrowed from heap, holder, packed or copies */
    char *copies;                          /* owned, as a rule NULL */
    char packed[80];                       /* room for a UUID and one more packed string */
};

/**
 * Makes a stored object with one reference in memory that the caller embeds; the caller keeps
 * @root, @gvk and what @identity points to alive until release. @identity's api_version, kind and
 * resource_version must be given (the root has none); namespace_, name and uid may be left empty
 * and are then read from the root. 0 or -ENOMEM. The caller is a thread that may read the heap.
 * Doesn't block.
 */
int cleat_object_init_stored(struct cleat_object *object, const struct cleat_object_ops *ops,
                             struct cleat_value root, const struct cleat_gvk *gvk,
                             const struct cleat_object_identity *identity) CLEAT_MUST_CHECK;
/** Frees what the object owns (its copies, its document), not the memory it is embedded in. */
void cleat_object_fini(struct cleat_object *object);

#endif
