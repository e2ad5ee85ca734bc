/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bindings: a table of {path, type, offset} fills a C struct from a value, checks the types once, and is at
 * the same time the projection that must be kept.
 */
#ifndef CLEAT_BINDING_H
#define CLEAT_BINDING_H

#include <stddef.h>
#include <cleat/err.h>
#include <cleat/projection.h>
#include <cleat/value.h>

CLEAT_BEGIN

enum cleat_binding_type {
    CLEAT_BIND_STR,   /* struct cleat_str: borrowed from the value's holder or the bound scratch arena */
    CLEAT_BIND_INT,   /* int64_t */
    CLEAT_BIND_BOOL,  /* bool */
    CLEAT_BIND_DOUBLE,
    CLEAT_BIND_VALUE, /* struct cleat_value, as it is */
};

struct cleat_binding {
    const char *path;
    enum cleat_binding_type type;
    size_t offset;
    bool required; /* absent or null is an error; else the field is zeroed */
};

#define CLEAT_BIND(struct_type, field, path_text, bind_type, is_required) \
    {(path_text), (bind_type), offsetof(struct_type, field), (is_required)}

/** Scratch that bound strings may live in; init with {0}, fini frees. */
struct cleat_binding_scratch {
    void *blocks;
};
CLEAT_EXPORT void cleat_binding_scratch_fini(struct cleat_binding_scratch *scratch);

/** Fills @out. -EINVAL names the path and the type found; NOT_KEPT is -ENODATA. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_binding_read(const struct cleat_binding *bindings, size_t count,
                                                     struct cleat_value root, void *out,
                                                     struct cleat_binding_scratch *scratch,
                                                     struct cleat_err *err);
/** The projection that keeps exactly what the bindings read. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_binding_projection(const struct cleat_binding *bindings,
                                                           size_t count, struct cleat_projection **ret,
                                                           struct cleat_err *err);

CLEAT_END

#endif
