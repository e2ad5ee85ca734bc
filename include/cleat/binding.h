/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bindings: a table of {path, type, offset} fills a C struct from a value, checks the types once,
 * and is at the same time the projection that must be kept. A table is constant; any thread,
 * nothing blocks.
 *
 *   static const struct cleat_binding fields[] = {
 *       CLEAT_BIND(struct web, replicas, "spec.replicas", CLEAT_BIND_INT, true),
 *       CLEAT_BIND(struct web, image, "spec.containers[0].image", CLEAT_BIND_STR, false),
 *   };
 */
#ifndef CLEAT_BINDING_H
#define CLEAT_BINDING_H

#include <stddef.h>
#include <cleat/err.h>
#include <cleat/projection.h>
#include <cleat/value.h>

CLEAT_BEGIN

/** What a field is in C, and with it which JSON type is wanted. */
enum cleat_binding_type {
    CLEAT_BIND_STR,    /* struct cleat_str with a NUL behind it: borrowed from the value's holder or
                          the scratch */
    CLEAT_BIND_INT,    /* int64_t; the number must be one exactly */
    CLEAT_BIND_BOOL,   /* bool */
    CLEAT_BIND_DOUBLE, /* double; the nearest */
    CLEAT_BIND_VALUE,  /* struct cleat_value of any type, as it is: null stays null, absent stays
                          absent */
};

/** One field. Borrowed for the call. */
struct cleat_binding {
    const char *path; /* as in path.h, without [*] */
    enum cleat_binding_type type;
    size_t offset; /* of the field in its struct */
    bool required; /* absent or null is an error; else the field is zeroed */
};

/** One row of a table. */
#define CLEAT_BIND(struct_type, field, path_text, bind_type, is_required)     \
    {                                                                         \
        (path_text), (bind_type), offsetof(struct_type, field), (is_required) \
    }

/** Scratch that bound strings may live in; init with {0}, fini frees. */
struct cleat_binding_scratch {
    void *blocks;
};
/** Frees the strings that were bound with it. Repeatable. */
CLEAT_EXPORT void cleat_binding_scratch_fini(struct cleat_binding_scratch *scratch);

/**
 * Fills the bound fields of @out, which is the caller's. Strings are borrowed for as long as
 * @root's holder and
 * @scratch (which may serve many reads) both live; without a scratch (NULL) a string that its heap
 * keeps packed is -EINVAL. Returns 0, -EINVAL with the path and the type found, -ENODATA for what
 * wasn't kept, -ENOMEM; on a failure all bound fields are zero.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_binding_read(const struct cleat_binding *bindings,
                                                     size_t count, struct cleat_value root,
                                                     void *out,
                                                     struct cleat_binding_scratch *scratch,
                                                     struct cleat_err *err);
/**
 * The projection that keeps what the bindings read (and what every projection keeps): an element by
 * its index means all elements of that array. @ret is new. -EINVAL for a bad path, -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_binding_projection(const struct cleat_binding *bindings,
                                                           size_t count,
                                                           struct cleat_projection **ret,
                                                           struct cleat_err *err);

CLEAT_END

#endif
