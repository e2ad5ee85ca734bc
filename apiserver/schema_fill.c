/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pruning and defaulting, in one pass: the object is written again as the schema wants it, and
 * parsed where that made a difference. Nulls of fields that aren't nullable count as absent, as in
 * Kubernetes. The default of a field is itself pruned and defaulted.
 */
#include <cleat/write.h>
#include <errno.h>

#include "apiserver/schema_node.h"
#include "base/limits.h"

struct fill {
    struct cleat_buffer out;
    struct cleat_api_report *unknown; /* may be NULL */
    struct cleat_err *err;
    bool changed;
    int result;
};

static void fill_value(struct fill *fill, const struct schema_node *node, struct cleat_value value);

static void fill_raw(struct fill *fill, struct cleat_value value)
{
    int result = cleat_write_json(&fill->out, value, fill->err);
    if (result != 0 && fill->result == 0)
        fill->result = result;
}

static void fill_key(struct fill *fill, const char **separator, struct cleat_str key)
{
    cleat_buffer_text(&fill->out, *separator);
    *separator = ",";
    cleat_write_string(&fill->out, key);
    cleat_buffer_byte(&fill->out, ':');
}

/* True where a null stands for nothing. */
static bool fill_is_null(const struct schema_node *node, struct cleat_value value)
{
    return cleat_value_type(value) == CLEAT_TYPE_NULL && !node->nullable &&
           (node->type != SCHEMA_ANY || node->int_or_string);
}

static bool fill_is_type(const struct schema_node *node, struct cleat_str key)
{
    return node->embedded && (cleat_str_is(key, "apiVersion") || cleat_str_is(key, "kind") ||
                              cleat_str_is(key, "metadata"));
}

static void fill_unknown(struct fill *fill, struct cleat_str key)
{
    fill->changed = true;
    if (!fill->unknown)
        return;
    size_t mark = cleat_api_report_enter(fill->unknown, key);
    cleat_api_report_add(fill->unknown, "FieldValueInvalid", "unknown field \"%s\"",
                         cleat_api_report_path(fill->unknown));
    cleat_api_report_leave(fill->unknown, mark);
}

static void fill_member(struct fill *fill, const struct schema_node *node, const char **separator,
                        struct cleat_str key, struct cleat_value value)
{
    const struct schema_node *property = schema_property_get(node, key);
    if (!property)
        property = node->additional;
    if (property && !fill_is_type(node, key)) {
        if (fill_is_null(property, value)) {
            fill->changed = true;
            return;
        }
        fill_key(fill, separator, key);
        size_t mark = fill->unknown ? cleat_api_report_enter(fill->unknown, key) : 0;
        fill_value(fill, property, value);
        if (fill->unknown)
            cleat_api_report_leave(fill->unknown, mark);
    } else if (node->preserve || fill_is_type(node, key)) {
        fill_key(fill, separator, key);
        fill_raw(fill, value);
    } else
        fill_unknown(fill, key);
}

static void fill_defaults(struct fill *fill, const struct schema_node *node, const char **separator,
                          struct cleat_value object)
{
    for (size_t i = 0; i < node->property_count; i++) {
        const struct schema_property *property = &node->properties[i];
        struct cleat_value value = cleat_value_get_str(object, property->key);
        if (!cleat_value_is_present(property->node->fallback) ||
            (cleat_value_is_present(value) && !fill_is_null(property->node, value)))
            continue;
        fill->changed = true;
        fill_key(fill, separator, property->key);
        fill_value(fill, property->node, property->node->fallback);
    }
}

static void fill_object(struct fill *fill, const struct schema_node *node,
                        struct cleat_value object)
{
    const char *separator = "";
    cleat_buffer_byte(&fill->out, '{');
    for (size_t i = 0; i < cleat_value_count(object); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(object, i, &key);
        fill_member(fill, node, &separator, key, value);
    }
    fill_defaults(fill, node, &separator, object);
    cleat_buffer_byte(&fill->out, '}');
}

static void fill_array(struct fill *fill, const struct schema_node *node, struct cleat_value array)
{
    cleat_buffer_byte(&fill->out, '[');
    for (size_t i = 0; i < cleat_value_count(array); i++) {
        size_t mark = fill->unknown ? cleat_api_report_index(fill->unknown, i) : 0;
        cleat_buffer_text(&fill->out, i ? "," : "");
        fill_value(fill, node->items, cleat_value_at(array, i));
        if (fill->unknown)
            cleat_api_report_leave(fill->unknown, mark);
    }
    cleat_buffer_byte(&fill->out, ']');
}

static void fill_value(struct fill *fill, const struct schema_node *node, struct cleat_value value)
{
    enum cleat_value_type type = cleat_value_type(value);
    if (type == CLEAT_TYPE_OBJECT && (node->type == SCHEMA_OBJECT || node->property_count))
        fill_object(fill, node, value);
    else if (type == CLEAT_TYPE_ARRAY && node->items)
        fill_array(fill, node, value);
    else
        fill_raw(fill, value);
}

int cleat_api_schema_fill(const struct cleat_api_schema *schema, struct cleat_value object,
                          struct cleat_api_report *unknown, struct cleat_document **ret,
                          struct cleat_err *err)
{
    struct fill fill = {
        .out = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX), .unknown = unknown, .err = err};
    fill_value(&fill, schema->root, object);
    int result = fill.result;
    if (result == 0 && fill.out.failed)
        result = cleat_err_set(err, fill.out.failed == -ENOBUFS ? -E2BIG : fill.out.failed,
                               "the object can't be written with its defaults");
    if (result == 0 && fill.changed)
        result = cleat_document_parse(cleat_buffer_view(&fill.out), ret, err);
    cleat_buffer_fini(&fill.out);
    return result;
}
