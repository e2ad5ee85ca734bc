/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing an object with members that its stored form lacks: a store keeps apiVersion, kind and
 * metadata.resourceVersion beside the root, so that equal content stays one node.
 */
#ifndef CLEAT_VALUE_WRITE_PARTS_H
#define CLEAT_VALUE_WRITE_PARTS_H

#include <stddef.h>
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/str.h>
#include <cleat/value.h>

/** One synthesised member whose value is a string. Borrowed. */
struct cleat_write_member {
    struct cleat_str key;
    struct cleat_str text; /* data is NULL: left out, and hides nothing */
};

struct cleat_write_parts {
    const struct cleat_write_member *members; /* of the object itself */
    size_t member_count;
    const struct cleat_write_member
        *metadata; /* of its "metadata", which is made where there is none */
    size_t metadata_count;
};

/**
 * Appends @root, an object, as compact JSON with @parts first, in their order; a part hides the
 * stored member of its name. -EINVAL where @root or its metadata is no object, -ENODATA for what
 * wasn't kept. On a failure nothing is left in @buffer of it.
 */
int cleat_write_object_with(struct cleat_buffer *buffer, struct cleat_value root,
                            const struct cleat_write_parts *parts,
                            struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
