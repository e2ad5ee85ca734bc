/* SPDX-License-Identifier: Apache-2.0 */
/* Equality of values: by reference where that is enough, else by what they hold. */
#include <cleat/value.h>

#include "value/node.h"
#include "value/number.h"

static bool equal_at(struct cleat_value a, struct cleat_value b);

bool cleat_value_same(struct cleat_value a, struct cleat_value b)
{
    a = value_resolve(a);
    b = value_resolve(b);
    if (a.ref != b.ref)
        return false;
    return a.heap == b.heap || !ref_is_node(a.ref) || a.ref == CLEAT_REF_ABSENT;
}

static uint32_t value_mark(struct cleat_value value)
{
    return ref_is_node(value.ref) ? node_header(node_at(value.heap, value.ref)) : 0;
}

/* True where two nodes of one pool are only equal if they are the same. */
static bool pool_decides(struct cleat_value a, struct cleat_value b)
{
    if (a.heap != b.heap || !a.heap || !a.heap->is_pool)
        return false;
    return ((value_mark(a) | value_mark(b)) & NODE_MARK) == 0;
}

static bool equal_number(struct cleat_value a, struct cleat_value b)
{
    struct cleat_scratch scratch_a, scratch_b;
    struct cleat_str text_a, text_b;
    return cleat_value_number(a, &scratch_a, &text_a) == 0 &&
           cleat_value_number(b, &scratch_b, &text_b) == 0 && cleat__number_equal(text_a, text_b);
}

static bool equal_string(struct cleat_value a, struct cleat_value b)
{
    struct cleat_scratch scratch;
    return cleat_value_is_str(b, cleat_value_text(a, &scratch));
}

static bool equal_array(struct cleat_value a, struct cleat_value b)
{
    size_t count = cleat_value_count(a);
    if (cleat_value_count(b) != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!equal_at(cleat_value_at(a, i), cleat_value_at(b, i)))
            return false;
    return true;
}

static bool equal_object(struct cleat_value a, struct cleat_value b)
{
    size_t count = cleat_value_count(a);
    if (cleat_value_count(b) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct cleat_str key, key_b;
        struct cleat_value child = cleat_value_member(a, i, &key);
        struct cleat_value other =
            cleat_value_member(b, i, &key_b); /* the same order, most often */
        if (!cleat_str_equal(key, key_b))
            other = cleat_value_get_str(b, key);
        if (!equal_at(child, other))
            return false;
    }
    return true;
}

/* Recursion is as deep as the shallower value; what is parsed or copied is at most 128 deep. */
static bool equal_at(struct cleat_value a, struct cleat_value b)
{
    a = value_resolve(a);
    b = value_resolve(b);
    if (cleat_value_same(a, b))
        return true;
    enum cleat_value_type type = cleat_value_type(a);
    if (type != cleat_value_type(b))
        return false;
    switch (type) {
    case CLEAT_TYPE_NUMBER: return equal_number(a, b);
    case CLEAT_TYPE_STRING: return !pool_decides(a, b) && equal_string(a, b);
    case CLEAT_TYPE_ARRAY: return !pool_decides(a, b) && equal_array(a, b);
    case CLEAT_TYPE_OBJECT: return !pool_decides(a, b) && equal_object(a, b);
    default: return false; /* constants: the same or different */
    }
}

bool cleat_value_equal(struct cleat_value a, struct cleat_value b)
{
    return equal_at(a, b);
}
