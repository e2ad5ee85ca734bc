/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A borrowed run of bytes with its length. Strings of Kubernetes objects may hold NUL, so that a
 * length travels with each of them.
 */
#ifndef CLEAT_STR_H
#define CLEAT_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <cleat/macro.h>

CLEAT_BEGIN

struct cleat_str {
    const char *data; /* borrowed; never NULL where length > 0 */
    size_t length;    /* bytes */
};

/** A string from a literal. */
#define CLEAT_STR(literal) ((struct cleat_str){(literal), sizeof(literal) - 1})
/** For printf's "%.*s". */
#define CLEAT_STR_ARG(s) (int)(s).length, (s).data

/** The string of a NUL-terminated text; NULL gives the empty string. */
static inline struct cleat_str cleat_str_of(const char *text)
{
    struct cleat_str s = {text, text ? strlen(text) : 0};
    return s;
}

/** Byte-wise equality. */
static inline bool cleat_str_equal(struct cleat_str a, struct cleat_str b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/** Equality with a NUL-terminated text. */
static inline bool cleat_str_is(struct cleat_str a, const char *text)
{
    return cleat_str_equal(a, cleat_str_of(text));
}

/** Byte-wise order as memcmp, the shorter first where one begins the other. */
CLEAT_EXPORT int cleat_str_compare(struct cleat_str a, struct cleat_str b);

CLEAT_END

#endif
