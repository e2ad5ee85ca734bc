/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource quantities ("100m", "1.5Gi", "2e3"), compared by value.
 * Source: Kubernetes API reference, Quantity.
 */
#ifndef CLEAT_QUANTITY_H
#define CLEAT_QUANTITY_H

#include <cleat/err.h>
#include <cleat/str.h>
#include <stdint.h>

CLEAT_BEGIN

struct cleat_quantity {
    __extension__ __int128
        nano; /* value × 10^9, rounded up beyond nano, capped at ±(2^63 - 1) × 10^9 */
    enum { CLEAT_QUANTITY_DECIMAL, CLEAT_QUANTITY_BINARY, CLEAT_QUANTITY_EXPONENT } format;
};

/** Reads a quantity. 0, or -EINVAL for a text that isn't one. Source: API reference, Quantity. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_quantity_parse(struct cleat_str text,
                                                       struct cleat_quantity *ret,
                                                       struct cleat_err *err);
/** By value, as memcmp: "1000m" equals "1". */
CLEAT_EXPORT int cleat_quantity_compare(const struct cleat_quantity *a,
                                        const struct cleat_quantity *b);
/** Writes the canonical form with its NUL. */
CLEAT_EXPORT const char *cleat_quantity_write(const struct cleat_quantity *quantity, char text[64]);
/** Adds @term to @sum, which keeps its format; capped at the greatest value. */
CLEAT_EXPORT void cleat_quantity_add(struct cleat_quantity *sum, const struct cleat_quantity *term);

CLEAT_END

#endif
