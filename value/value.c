/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/value.h>

#include "value/node.h"
#include "value/number.h"
#include "value/pack.h"

enum cleat_value_type cleat_value_type(struct cleat_value value)
{
    value = value_resolve(value);
    if (!ref_is_node(value.ref)) {
        switch (value.ref) {
        case REF_NOT_KEPT: return CLEAT_TYPE_NOT_KEPT;
        case REF_NULL: return CLEAT_TYPE_NULL;
        case REF_FALSE:
        case REF_TRUE: return CLEAT_TYPE_BOOL;
        case REF_EMPTY_ARRAY: return CLEAT_TYPE_ARRAY;
        case REF_EMPTY_OBJECT: return CLEAT_TYPE_OBJECT;
        }
        return (value.ref & REF_KIND_MASK) == REF_SMALL ? CLEAT_TYPE_NUMBER : CLEAT_TYPE_STRING;
    }
    if (value.ref == CLEAT_REF_ABSENT)
        return CLEAT_TYPE_ABSENT;
    switch (node_type(node_at(value.heap, value.ref))) {
    case NODE_INT:
    case NODE_NUMBER: return CLEAT_TYPE_NUMBER;
    case NODE_STRING:
    case NODE_PACKED: return CLEAT_TYPE_STRING;
    case NODE_ARRAY: return CLEAT_TYPE_ARRAY;
    case NODE_OBJECT: return CLEAT_TYPE_OBJECT;
    default: cleat_assert(!"a value is a value's node"); return CLEAT_TYPE_ABSENT;
    }
}

const char *cleat_value_type_name(enum cleat_value_type type)
{
    static const char *const names[] = {"absent", "not kept", "null",  "boolean",
                                        "number", "string",   "array", "object"};
    return (size_t)type < sizeof(names) / sizeof(names[0]) ? names[type] : "absent";
}

bool cleat_value_is_present(struct cleat_value value)
{
    return value.ref != CLEAT_REF_ABSENT;
}

/* The node of @value where it is one of @type, else NULL. @value must be resolved. */
static const uint32_t *value_node(struct cleat_value value, enum node_type type)
{
    if (!ref_is_node(value.ref) || value.ref == CLEAT_REF_ABSENT)
        return NULL;
    const uint32_t *node = node_at(value.heap, value.ref);
    return node_type(node) == type ? node : NULL;
}

/* A child, or the absent value with no heap. */
static struct cleat_value value_child(const struct cleat_heap *heap, uint32_t ref)
{
    struct cleat_value child = {heap, ref};
    return ref == CLEAT_REF_ABSENT ? CLEAT_VALUE_NONE : value_resolve(child);
}

size_t cleat_value_count(struct cleat_value value)
{
    value = value_resolve(value);
    const uint32_t *node = value_node(value, NODE_ARRAY);
    if (node)
        return node_size(node);
    node = value_node(value, NODE_OBJECT);
    return node ? object_count(value.heap, node) : 0;
}

struct cleat_value cleat_value_at(struct cleat_value array, size_t index)
{
    array = value_resolve(array);
    if (array.ref == REF_NOT_KEPT)
        return array;
    const uint32_t *node = value_node(array, NODE_ARRAY);
    if (!node || index >= node_size(node))
        return CLEAT_VALUE_NONE;
    return value_child(array.heap, node_payload_const(node)[index]);
}

/* Compares the key node @ref with @key. */
static int key_compare(const struct cleat_heap *heap, uint32_t ref, struct cleat_str key)
{
    return cleat_str_compare(node_bytes(node_at(heap, ref)), key);
}

/* Position of @key in a shape by halving; @order says where the key of each rank is, or is NULL. */
static uint32_t shape_halve(const struct cleat_heap *heap, const uint32_t *keys,
                            const uint32_t *order, uint32_t count, struct cleat_str key)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t position = order ? order[middle] : middle;
        int compared = key_compare(heap, keys[position], key);
        if (compared == 0)
            return position;
        if (compared < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

/* Few keys, or keys in no order: one by one, by length first. */
static uint32_t shape_scan(const struct cleat_heap *heap, const uint32_t *keys, uint32_t count,
                           struct cleat_str key)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *node = node_at(heap, keys[i]);
        if (node_size(node) == key.length &&
            memcmp(node_payload_const(node), key.data, key.length) == 0)
            return i;
    }
    return UINT32_MAX;
}

static uint32_t shape_find(const struct cleat_heap *heap, uint32_t shape, struct cleat_str key)
{
    const uint32_t *node = node_at(heap, shape);
    const uint32_t *keys = node_payload_const(node);
    uint32_t count = node_size(node);
    enum node_type type = node_type(node);
    if (type == NODE_SHAPE || count <= SHAPE_LINEAR_MAX)
        return shape_scan(heap, keys, count, key);
    return shape_halve(heap, keys, type == NODE_SHAPE_INDEXED ? keys + count : NULL, count, key);
}

struct cleat_value cleat_value_get_str(struct cleat_value object, struct cleat_str key)
{
    object = value_resolve(object);
    if (object.ref == REF_NOT_KEPT)
        return object;
    const uint32_t *node = value_node(object, NODE_OBJECT);
    if (!node || (key.length > 0 && !key.data))
        return CLEAT_VALUE_NONE;
    uint32_t position = shape_find(object.heap, node[1], key);
    if (position == UINT32_MAX)
        return CLEAT_VALUE_NONE;
    return value_child(object.heap, object_values(node)[position]);
}

struct cleat_value cleat_value_get(struct cleat_value object, const char *key)
{
    return cleat_value_get_str(object, cleat_str_of(key));
}

struct cleat_value cleat_value_member(struct cleat_value object, size_t index,
                                      struct cleat_str *ret_key)
{
    object = value_resolve(object);
    const uint32_t *node = value_node(object, NODE_OBJECT);
    if (!node || index >= object_count(object.heap, node)) {
        if (ret_key) /* who counted the elements of an array reads this */
            *ret_key = CLEAT_STR("");
        return CLEAT_VALUE_NONE;
    }
    if (ret_key) {
        const uint32_t *shape = node_at(object.heap, node[1]);
        *ret_key = node_bytes(node_at(object.heap, node_payload_const(shape)[index]));
    }
    return value_child(object.heap, object_values(node)[index]);
}

/* The outcome for a value that isn't of the wanted type. */
static int value_other(struct cleat_value value)
{
    if (value.ref == CLEAT_REF_ABSENT || value.ref == REF_NULL)
        return CLEAT_VALUE_ABSENT;
    return value.ref == REF_NOT_KEPT ? CLEAT_VALUE_NOT_KEPT : CLEAT_VALUE_TYPE;
}

int cleat_value_bool(struct cleat_value value, bool *ret)
{
    value = value_resolve(value);
    if (value.ref != REF_TRUE && value.ref != REF_FALSE)
        return value_other(value);
    *ret = value.ref == REF_TRUE;
    return 0;
}

/* The integer of a small or int64 number. */
static bool value_plain_int(struct cleat_value value, int64_t *ret)
{
    if ((value.ref & REF_KIND_MASK) == REF_SMALL) {
        *ret = ref_small(value.ref);
        return true;
    }
    const uint32_t *node = value_node(value, NODE_INT);
    if (node)
        memcpy(ret, node + 1, sizeof(*ret));
    return node != NULL;
}

int cleat_value_int(struct cleat_value value, int64_t *ret)
{
    value = value_resolve(value);
    if (value_plain_int(value, ret))
        return 0;
    const uint32_t *node = value_node(value, NODE_NUMBER);
    if (!node)
        return value_other(value);
    return cleat__number_exact(node_bytes(node), ret) ? 0 : CLEAT_VALUE_RANGE;
}

int cleat_value_double(struct cleat_value value, double *ret)
{
    int64_t number;
    value = value_resolve(value);
    if (value_plain_int(value, &number)) {
        *ret = (double)number;
        return 0;
    }
    const uint32_t *node = value_node(value, NODE_NUMBER);
    if (!node)
        return value_other(value);
    return cleat__number_double(node_bytes(node).data, ret) ? 0 : CLEAT_VALUE_RANGE;
}

int cleat_value_number(struct cleat_value value, struct cleat_scratch *scratch,
                       struct cleat_str *ret)
{
    int64_t number;
    value = value_resolve(value);
    if (value_plain_int(value, &number)) {
        ret->length = cleat__number_write(number, scratch->bytes);
        ret->data = scratch->bytes;
        return 0;
    }
    const uint32_t *node = value_node(value, NODE_NUMBER);
    if (!node)
        return value_other(value);
    *ret = node_bytes(node);
    return 0;
}

static struct cleat_str value_packed(const struct cleat_heap *heap, const uint32_t *node,
                                     struct cleat_scratch *scratch)
{
    enum pack_type type = (enum pack_type)header_size8(node_header(node));
    struct cleat_str prefix = {NULL, 0};
    if ((type == PACK_DIGEST || type == PACK_TAIL) && node[1] != CLEAT_REF_ABSENT)
        prefix = node_bytes(node_at(heap, node[1]));
    return cleat__unpack(type, node + 1, prefix, scratch);
}

/* Writes a string of up to three bytes. */
static struct cleat_str value_short(uint32_t ref, struct cleat_scratch *scratch)
{
    uint32_t bytes = ref & 0xffffff;
    for (size_t i = 0; i <= REF_SHORT_BYTES_MAX; i++, bytes >>= 8)
        scratch->bytes[i] = (char)(bytes & 0xff);
    return (struct cleat_str){scratch->bytes, ref >> 24 & 3};
}

int cleat_value_str(struct cleat_value value, struct cleat_scratch *scratch, struct cleat_str *ret)
{
    value = value_resolve(value);
    if ((value.ref & REF_TIME) == REF_TIME) {
        *ret = cleat__unpack_time(value.ref, scratch);
        return 0;
    }
    if ((value.ref & REF_KIND_MASK) == REF_SHORT) {
        *ret = value_short(value.ref, scratch);
        return 0;
    }
    const uint32_t *node = value_node(value, NODE_STRING);
    if (node) {
        *ret = node_bytes(node);
        return 0;
    }
    node = value_node(value, NODE_PACKED);
    if (!node)
        return value_other(value);
    *ret = value_packed(value.heap, node, scratch);
    return 0;
}

struct cleat_str cleat_value_text(struct cleat_value value, struct cleat_scratch *scratch)
{
    struct cleat_str text;
    return cleat_value_str(value, scratch, &text) == 0 ? text : (struct cleat_str){"", 0};
}

bool cleat_value_is_str(struct cleat_value value, struct cleat_str text)
{
    struct cleat_scratch scratch;
    struct cleat_str own;
    return cleat_value_str(value, &scratch, &own) == 0 && cleat_str_equal(own, text);
}

bool cleat_value_is(struct cleat_value value, const char *text)
{
    return cleat_value_is_str(value, cleat_str_of(text));
}

bool cleat_value_is_true(struct cleat_value value)
{
    return value_resolve(value).ref == REF_TRUE;
}

int64_t cleat_value_int_or(struct cleat_value value, int64_t fallback)
{
    int64_t number;
    return cleat_value_int(value, &number) == 0 ? number : fallback;
}
