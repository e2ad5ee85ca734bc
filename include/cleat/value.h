/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values, frozen: read-only, passed by value, the same whether they live in a pool (the cache)
 * or in an arena (a document). A value is valid for as long as the counted thing that it was read
 * from (object, document, draft) is held. Any thread may read; nothing blocks, nothing
 * allocates. A value that is absent, of another type or not kept may be handed to every function
 * here.
 *
 *   bytes ─► parser ─► heap (pool | arena) ─► struct cleat_value ─► getters, path, diff, writer
 */
#ifndef CLEAT_VALUE_H
#define CLEAT_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>
#include <cleat/str.h>

CLEAT_BEGIN

struct cleat_heap;

/** A value by reference; compare with cleat_value_equal, never its fields. */
struct cleat_value {
    const struct cleat_heap *heap; /* borrowed; NULL for the absent value */
    uint32_t ref;                  /* opaque; 0 is absent */
};

/** The absent value. */
#define CLEAT_VALUE_NONE ((struct cleat_value){NULL, 0})

/** What a value is. */
enum cleat_value_type {
    CLEAT_TYPE_ABSENT,   /* there is no such value */
    CLEAT_TYPE_NOT_KEPT, /* there is one, but the projection dropped it: not an absence */
    CLEAT_TYPE_NULL,
    CLEAT_TYPE_BOOL,
    CLEAT_TYPE_NUMBER,
    CLEAT_TYPE_STRING,
    CLEAT_TYPE_ARRAY,
    CLEAT_TYPE_OBJECT,
};

/** Outcomes of the typed getters. */
enum cleat_value_outcome {
    CLEAT_VALUE_ABSENT = 1, /* no such value (also: null) */
    CLEAT_VALUE_NOT_KEPT,   /* dropped by the projection */
    CLEAT_VALUE_TYPE,       /* of another type */
    CLEAT_VALUE_RANGE,      /* a number that doesn't fit the wanted type exactly */
};

/** Room for strings that a heap stores packed (UUIDs, times, addresses, digests). */
struct cleat_scratch {
    char bytes[160];
};

/** The type of a value; ABSENT for CLEAT_VALUE_NONE. */
/** The value's type. */
CLEAT_EXPORT enum cleat_value_type cleat_value_type(struct cleat_value value);
/** Static text: "absent", "not kept", "null", "boolean", "number", "string", "array", "object". */
CLEAT_EXPORT const char *cleat_value_type_name(enum cleat_value_type type);
/** True unless absent; a null is present, a value that wasn't kept is too. */
CLEAT_EXPORT bool cleat_value_is_present(struct cleat_value value);

/** Elements of an array, members of an object (those not kept count too); else 0. */
CLEAT_EXPORT size_t cleat_value_count(struct cleat_value value);
/** Element @index of an array; absent when out of range or no array; NOT_KEPT where the array
 * wasn't kept. */
CLEAT_EXPORT struct cleat_value cleat_value_at(struct cleat_value array, size_t index);
/**
 * Member @key (NUL-terminated) of an object; absent when there is none or no object. NOT_KEPT stays
 * NOT_KEPT below it: a hole never looks like an absence.
 */
CLEAT_EXPORT struct cleat_value cleat_value_get(struct cleat_value object, const char *key);
/** The same for a key that may hold NUL or has no terminator. */
/** The same for a key with a length. */
CLEAT_EXPORT struct cleat_value cleat_value_get_str(struct cleat_value object,
                                                    struct cleat_str key);
/**
 * Member @index of an object, in the order of the source (documents) or of the keys' bytes (the
 * cache). @ret_key (may be NULL) is NUL-terminated and borrowed as the value is. Absent, with the
 * key "", when out of range or no object.
 */
CLEAT_EXPORT struct cleat_value cleat_value_member(struct cleat_value object, size_t index,
                                                   struct cleat_str *ret_key);

/** Reads a boolean. Returns 0 or an outcome of enum cleat_value_outcome, with @ret untouched. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_value_bool(struct cleat_value value, bool *ret);
/**
 * Reads a number whose value is an int64 exactly ("1.0" and "1e3" are such). Returns 0 or an
 * outcome: RANGE for other numbers.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_value_int(struct cleat_value value, int64_t *ret);
/** Reads a number as the nearest double. Returns 0 or an outcome: RANGE where it is beyond double's
 * range. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_value_double(struct cleat_value value, double *ret);
/**
 * Reads a number's source text, byte for byte as it came, NUL-terminated. @ret lives in the heap or
 * in @scratch: until the scratch is used again or the value's holder goes. Returns 0 or an outcome.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_value_number(struct cleat_value value,
                                                     struct cleat_scratch *scratch,
                                                     struct cleat_str *ret);
/**
 * Reads a string. @ret is NUL-terminated beyond its length (NUL may also be in it) and lives in the
 * heap or in @scratch: until the scratch is used again or the value's holder goes. Returns 0 or an
 * outcome.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_value_str(struct cleat_value value,
                                                  struct cleat_scratch *scratch,
                                                  struct cleat_str *ret);
/** The string, or the empty string where the value isn't one; lives as with cleat_value_str. */
CLEAT_EXPORT struct cleat_str cleat_value_text(struct cleat_value value,
                                               struct cleat_scratch *scratch);
/** True where the value is the string @text, NUL-terminated. */
CLEAT_EXPORT bool cleat_value_is(struct cleat_value value, const char *text);
/** The same for a string with a length. */
/** The same for a text that may hold NUL. */
CLEAT_EXPORT bool cleat_value_is_str(struct cleat_value value, struct cleat_str text);
/** True where the value is the boolean true. */
CLEAT_EXPORT bool cleat_value_is_true(struct cleat_value value);
/** The integer as cleat_value_int reads it, or @fallback. */
CLEAT_EXPORT int64_t cleat_value_int_or(struct cleat_value value, int64_t fallback);

/**
 * Deep equality: numbers by value (1 and 1.0 are equal), objects without regard to order, NOT_KEPT
 * equal only to NOT_KEPT, absent only to absent. O(1) within one cache (but where numbers that are
 * no plain integers are in it), O(what differs) where subtrees are shared. As RFC 6902 section 4.6
 * compares.
 */
CLEAT_EXPORT bool cleat_value_equal(struct cleat_value a, struct cleat_value b);
/** True where both are the very same node: equality in O(1), with false negatives across heaps. */
CLEAT_EXPORT bool cleat_value_same(struct cleat_value a, struct cleat_value b);

CLEAT_END

#endif
