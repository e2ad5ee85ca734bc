/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a label selector is made of, shared by its builder (selector.c) and its text form
 * (selector_text.c).
 */
#ifndef CLEAT_KUBE_SELECTOR_PARTS_H
#define CLEAT_KUBE_SELECTOR_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/selector.h>

enum selector_operator {
    SELECTOR_IN,     /* one of the values; "=" is this with one value */
    SELECTOR_NOT_IN, /* none of them, or no such key */
    SELECTOR_EXISTS,
    SELECTOR_NOT_EXISTS,
    SELECTOR_GREATER,
    SELECTOR_LESS,
};

struct selector_requirement {
    struct cleat_str key; /* in the selector's own bytes */
    enum selector_operator operator_;
    bool exact; /* written with = or != */
    size_t value_count;
    size_t value_capacity;
    struct cleat_str *values; /* owned array, sorted and without doubles after sealing */
    int64_t number;           /* of > and < */
};

struct cleat_selector {
    bool nothing;
    size_t count;
    size_t capacity;
    size_t value_count;                        /* in all */
    struct selector_requirement *requirements; /* owned; sorted by key after sealing */
    char *bytes;                               /* owned: keys and values */
    size_t used;
    size_t size;
};

/** A selector with @bytes of room for keys and values. @ret is new. */
int cleat__selector_new(size_t bytes, struct cleat_selector **ret) CLEAT_MUST_CHECK;
/** Adds a requirement without values. */
int cleat__selector_require(struct cleat_selector *selector, struct cleat_str key,
                            enum selector_operator operator_, bool exact,
                            struct cleat_err *err) CLEAT_MUST_CHECK;
/** Adds a value to the last requirement. */
int cleat__selector_value(struct cleat_selector *selector, struct cleat_str value,
                          struct cleat_err *err) CLEAT_MUST_CHECK;
/** Checks the last requirement as a whole, sorts its values. */
int cleat__selector_finish(struct cleat_selector *selector, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Sorts the requirements by key. */
void cleat__selector_seal(struct cleat_selector *selector);

#endif
