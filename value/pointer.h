/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Pointers (RFC 6901), taken apart into their reference tokens.
 */
#ifndef CLEAT_VALUE_POINTER_H
#define CLEAT_VALUE_POINTER_H

#include <stdbool.h>
#include <stddef.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include "base/limits.h"

struct cleat_pointer {
    struct cleat_str text;        /* as it was written */
    struct cleat_scratch scratch; /* where @text may live */
    char *decoded;                /* owned; where tokens with escapes live */
    size_t count;
    struct cleat_str tokens[CLEAT_VALUE_DEPTH_MAX];
};

/** Where an array's token leads. */
enum cleat_pointer_index {
    CLEAT_POINTER_INDEX = 1, /* to an element's index */
    CLEAT_POINTER_END,       /* "-": behind the last */
};

/**
 * Takes apart the string @value, whose holder must outlive @ret. -EINVAL for what is no pointer,
 * -E2BIG for more tokens than values may nest, -ENOMEM. Whatever is returned, fini is safe once
 * @ret was zeroed or parsed.
 */
int cleat_pointer_parse(struct cleat_value value, struct cleat_pointer *ret) CLEAT_MUST_CHECK;
void cleat_pointer_fini(struct cleat_pointer *pointer);
/** Reads a token as an array's index (RFC 6901 section 4: no sign, no leading zeros). An outcome or
 * -EINVAL. */
int cleat_pointer_index(struct cleat_str token, size_t *ret) CLEAT_MUST_CHECK;
/** True where @pointer leads to somewhere below @above. */
bool cleat_pointer_is_below(const struct cleat_pointer *pointer, const struct cleat_pointer *above);

#endif
