/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an openAPIV3Schema to nodes. What isn't structural is reported, and nothing is compiled
 * then.
 */
#include <errno.h>
#include <string.h>

#include "apiserver/schema_node.h"
#include "base/mem.h"

struct compile {
    struct cleat_api_report *report;
    int result;
};

/* Where a schema stands. */
enum compile_place {
    COMPILE_ROOT,
    COMPILE_FIELD,
    COMPILE_ITEMS,
    COMPILE_VALUES,   /* of additionalProperties */
    COMPILE_JUNCTOR,  /* allOf, anyOf, oneOf, not: values only */
    COMPILE_EITHER_OR /* the anyOf of an int-or-string */
};

static struct schema_node *compile_node(struct compile *compile, struct cleat_value source,
                                        enum compile_place place);

static void *compile_memory(struct compile *compile, size_t count, size_t size)
{
    void *memory = cleat_mem_zalloc(count ? count : 1, size);
    if (!memory)
        compile->result = -ENOMEM;
    return memory;
}

static void compile_fault(struct compile *compile, const char *field, const char *reason,
                          const char *text)
{
    size_t mark = cleat_api_report_field(compile->report, field);
    cleat_api_report_add(compile->report, reason, "%s", text);
    cleat_api_report_leave(compile->report, mark);
}

static void compile_forbid(struct compile *compile, const char *field, const char *why)
{
    size_t mark = cleat_api_report_field(compile->report, field);
    cleat_api_report_add(compile->report, "FieldValueForbidden", "Forbidden: %s", why);
    cleat_api_report_leave(compile->report, mark);
}

static void compile_invalid(struct compile *compile, const char *field, struct cleat_value value,
                            const char *why)
{
    size_t mark = cleat_api_report_field(compile->report, field);
    cleat_api_report_invalid(compile->report, value, "%s", why);
    cleat_api_report_leave(compile->report, mark);
}

static char *compile_text(struct compile *compile, struct cleat_value value)
{
    struct cleat_scratch scratch;
    struct cleat_str text = cleat_value_text(value, &scratch);
    char *copy = cleat_mem_strndup(text.data ? text.data : "", text.length);
    if (!copy)
        compile->result = -ENOMEM;
    return copy;
}

static int64_t compile_count(struct compile *compile, struct cleat_value source, const char *key)
{
    struct cleat_value value = cleat_value_get(source, key);
    int64_t number = cleat_value_int_or(value, -1);
    if (cleat_value_is_present(value) && number < 0)
        compile_invalid(compile, key, value, "must be greater than or equal to 0");
    return number;
}

static bool compile_flag(struct cleat_value source, const char *key)
{
    return cleat_value_is_true(cleat_value_get(source, key));
}

static const struct {
    const char *name;
    enum schema_type type;
} compile_types[] = {
    {"object", SCHEMA_OBJECT}, {"array", SCHEMA_ARRAY},     {"string", SCHEMA_STRING},
    {"number", SCHEMA_NUMBER}, {"integer", SCHEMA_INTEGER}, {"boolean", SCHEMA_BOOLEAN},
};

static void compile_type(struct compile *compile, struct schema_node *node,
                         struct cleat_value source, enum compile_place place)
{
    static const char *const names[] = {"array",  "boolean", "integer", "number",
                                        "object", "string",  NULL};
    static const char *const missing[] = {
        "Required value: must not be empty at the root",
        "Required value: must not be empty for specified object fields",
        "Required value: must not be empty for specified array items",
        "Required value: must not be empty for specified object fields"};
    struct cleat_value type = cleat_value_get(source, "type");
    if (!cleat_value_is_present(type) || cleat_value_is(type, "")) {
        if (place < COMPILE_JUNCTOR && !node->int_or_string && !node->preserve)
            compile_fault(compile, "type", "FieldValueRequired", missing[place]);
        return;
    }
    for (size_t i = 0; i < sizeof(compile_types) / sizeof(compile_types[0]); i++)
        if (cleat_value_is(type, compile_types[i].name))
            node->type = compile_types[i].type;
    size_t mark = cleat_api_report_field(compile->report, "type");
    if (node->type == SCHEMA_ANY)
        cleat_api_report_unsupported(compile->report, type, names);
    else if (place == COMPILE_ROOT && node->type != SCHEMA_OBJECT)
        cleat_api_report_invalid(compile->report, type, "must be object at the root");
    else if (place == COMPILE_JUNCTOR)
        cleat_api_report_add(compile->report, "FieldValueForbidden",
                             "Forbidden: must be empty to be structural");
    cleat_api_report_leave(compile->report, mark);
}

static void compile_numbers(struct compile *compile, struct schema_node *node,
                            struct cleat_value source)
{
    node->min_length = compile_count(compile, source, "minLength");
    node->max_length = compile_count(compile, source, "maxLength");
    node->min_items = compile_count(compile, source, "minItems");
    node->max_items = compile_count(compile, source, "maxItems");
    node->min_properties = compile_count(compile, source, "minProperties");
    node->max_properties = compile_count(compile, source, "maxProperties");
    node->minimum = cleat_value_get(source, "minimum");
    node->maximum = cleat_value_get(source, "maximum");
    node->multiple_of = cleat_value_get(source, "multipleOf");
    node->exclusive_minimum = compile_flag(source, "exclusiveMinimum");
    node->exclusive_maximum = compile_flag(source, "exclusiveMaximum");
}

static void compile_names(struct compile *compile, struct cleat_value list,
                          struct schema_names *names)
{
    size_t count = cleat_value_count(list);
    names->items = compile_memory(compile, count, sizeof(*names->items));
    for (size_t i = 0; names->items && i < count; i++) {
        names->items[i] = compile_text(compile, cleat_value_at(list, i));
        names->count += names->items[i] ? 1 : 0;
        if (!names->items[i])
            return;
    }
}

static void compile_strings(struct compile *compile, struct schema_node *node,
                            struct cleat_value source)
{
    char why[160] = "";
    struct cleat_value pattern = cleat_value_get(source, "pattern");
    struct cleat_value format = cleat_value_get(source, "format");
    node->enumeration = cleat_value_get(source, "enum");
    if (cleat_value_type(format) == CLEAT_TYPE_STRING)
        node->format = compile_text(compile, format);
    if (cleat_value_type(pattern) != CLEAT_TYPE_STRING || cleat_value_is(pattern, ""))
        return;
    node->pattern_text = compile_text(compile, pattern);
    int result =
        node->pattern_text ? schema_pattern_new(node->pattern_text, &node->pattern, why) : 0;
    if (result == -ENOMEM)
        compile->result = -ENOMEM;
    else if (result != 0) {
        size_t mark = cleat_api_report_field(compile->report, "pattern");
        cleat_api_report_invalid(compile->report, pattern,
                                 "must be a valid regular expression, but isn't: %s", why);
        cleat_api_report_leave(compile->report, mark);
    }
}

static int compile_compare(const void *a, const void *b)
{
    const struct schema_property *left = a;
    const struct schema_property *right = b;
    return cleat_str_compare(left->key, right->key);
}

/* Few and once: an insertion sort needs no library's opinion about memory. */
static void compile_sort(struct schema_property *properties, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct schema_property moved = properties[i];
        size_t place = i;
        for (; place > 0 && compile_compare(&properties[place - 1], &moved) > 0; place--)
            properties[place] = properties[place - 1];
        properties[place] = moved;
    }
}

static void compile_properties(struct compile *compile, struct schema_node *node,
                               struct cleat_value source, enum compile_place place)
{
    struct cleat_value properties = cleat_value_get(source, "properties");
    size_t count = cleat_value_count(properties);
    enum compile_place below = place == COMPILE_JUNCTOR ? COMPILE_JUNCTOR : COMPILE_FIELD;
    if (!count)
        return;
    node->properties = compile_memory(compile, count, sizeof(*node->properties));
    size_t mark = cleat_api_report_field(compile->report, "properties");
    for (size_t i = 0; node->properties && i < count; i++) {
        struct schema_property *property = &node->properties[node->property_count];
        struct cleat_value value = cleat_value_member(properties, i, &property->key);
        size_t inner = cleat_api_report_key(compile->report, property->key);
        property->node = compile_node(compile, value, below);
        node->property_count += property->node ? 1 : 0;
        cleat_api_report_leave(compile->report, inner);
    }
    cleat_api_report_leave(compile->report, mark);
    if (node->properties)
        compile_sort(node->properties, node->property_count);
}

static void compile_additional(struct compile *compile, struct schema_node *node,
                               struct cleat_value source, enum compile_place place)
{
    struct cleat_value additional = cleat_value_get(source, "additionalProperties");
    if (!cleat_value_is_present(additional))
        return;
    if (place == COMPILE_JUNCTOR)
        compile_forbid(compile, "additionalProperties", "must be empty to be structural");
    if (cleat_value_count(cleat_value_get(source, "properties")))
        compile_forbid(compile, "additionalProperties",
                       "additionalProperties and properties are mutual exclusive");
    if (cleat_value_type(additional) == CLEAT_TYPE_BOOL) {
        node->closed = !cleat_value_is_true(additional);
        node->preserve = node->preserve || !node->closed;
        return;
    }
    size_t mark = cleat_api_report_field(compile->report, "additionalProperties");
    node->additional = compile_node(compile, additional, COMPILE_VALUES);
    cleat_api_report_leave(compile->report, mark);
}

static void compile_items(struct compile *compile, struct schema_node *node,
                          struct cleat_value source, enum compile_place place)
{
    struct cleat_value items = cleat_value_get(source, "items");
    if (cleat_value_type(items) != CLEAT_TYPE_OBJECT) {
        if (node->type == SCHEMA_ARRAY && place < COMPILE_JUNCTOR)
            compile_fault(compile, "items", "FieldValueRequired",
                          "Required value: must be specified");
        return;
    }
    size_t mark = cleat_api_report_field(compile->report, "items");
    node->items =
        compile_node(compile, items, place == COMPILE_JUNCTOR ? COMPILE_JUNCTOR : COMPILE_ITEMS);
    cleat_api_report_leave(compile->report, mark);
}

static void compile_list(struct compile *compile, struct schema_node *node,
                         struct cleat_value source)
{
    static const char *const types[] = {"atomic", "map", "set", NULL};
    struct cleat_value type = cleat_value_get(source, "x-kubernetes-list-type");
    struct cleat_value keys = cleat_value_get(source, "x-kubernetes-list-map-keys");
    if (cleat_value_is(type, "set"))
        node->list = SCHEMA_LIST_SET;
    else if (cleat_value_is(type, "map"))
        node->list = SCHEMA_LIST_MAP;
    else if (cleat_value_is_present(type) && !cleat_value_is(type, "atomic")) {
        size_t mark = cleat_api_report_field(compile->report, "x-kubernetes-list-type");
        cleat_api_report_unsupported(compile->report, type, types);
        cleat_api_report_leave(compile->report, mark);
    }
    if (node->list == SCHEMA_LIST_MAP && !cleat_value_count(keys))
        compile_fault(compile, "x-kubernetes-list-map-keys", "FieldValueRequired",
                      "Required value: must not be empty if x-kubernetes-list-type is map");
    compile_names(compile, keys, &node->map_keys);
    for (size_t i = 0; node->list == SCHEMA_LIST_MAP && i < node->map_keys.count; i++)
        if (!node->items ||
            !schema_property_get(node->items, cleat_str_of(node->map_keys.items[i])))
            compile_invalid(compile, "x-kubernetes-list-map-keys", keys,
                            "entries must all be names of item properties");
}

static void compile_junctor(struct compile *compile, struct cleat_value source, const char *key,
                            enum compile_place place, struct schema_nodes *nodes)
{
    struct cleat_value list = cleat_value_get(source, key);
    size_t count = cleat_value_count(list);
    if (!count)
        return;
    nodes->items = compile_memory(compile, count, sizeof(*nodes->items));
    size_t mark = cleat_api_report_field(compile->report, key);
    for (size_t i = 0; nodes->items && i < count; i++) {
        size_t inner = cleat_api_report_index(compile->report, i);
        nodes->items[nodes->count] = compile_node(compile, cleat_value_at(list, i), place);
        nodes->count += nodes->items[nodes->count] ? 1 : 0;
        cleat_api_report_leave(compile->report, inner);
    }
    cleat_api_report_leave(compile->report, mark);
}

static void compile_junctors(struct compile *compile, struct schema_node *node,
                             struct cleat_value source)
{
    enum compile_place any = node->int_or_string ? COMPILE_EITHER_OR : COMPILE_JUNCTOR;
    struct cleat_value negated = cleat_value_get(source, "not");
    compile_junctor(compile, source, "allOf", any, &node->all_of);
    compile_junctor(compile, source, "anyOf", any, &node->any_of);
    compile_junctor(compile, source, "oneOf", COMPILE_JUNCTOR, &node->one_of);
    if (cleat_value_type(negated) != CLEAT_TYPE_OBJECT)
        return;
    size_t mark = cleat_api_report_field(compile->report, "not");
    node->negated = compile_node(compile, negated, COMPILE_JUNCTOR);
    cleat_api_report_leave(compile->report, mark);
}

static void compile_forbidden(struct compile *compile, struct schema_node *node,
                              struct cleat_value source, enum compile_place place)
{
    static const char *const never[] = {"$ref", "additionalItems", "definitions", "dependencies",
                                        "patternProperties"};
    static const char *const values_only[] = {"description",
                                              "default",
                                              "nullable",
                                              "title",
                                              "x-kubernetes-preserve-unknown-fields",
                                              "x-kubernetes-embedded-resource"};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (cleat_value_is_present(cleat_value_get(source, never[i])))
            compile_forbid(compile, never[i], "not supported");
    if (node->unique)
        compile_forbid(compile, "uniqueItems",
                       "uniqueItems cannot be set to true since the runtime complexity becomes "
                       "quadratic");
    for (size_t i = 0; place >= COMPILE_JUNCTOR && i < sizeof(values_only) / sizeof(values_only[0]);
         i++)
        if (cleat_value_is_present(cleat_value_get(source, values_only[i])))
            compile_forbid(compile, values_only[i], "must be empty to be structural");
}

static void compile_default(struct compile *compile, struct schema_node *node,
                            struct cleat_value source)
{
    struct cleat_api_schema wrapper = {.root = node};
    node->fallback = cleat_value_get(source, "default");
    if (!cleat_value_is_present(node->fallback) || compile->result != 0)
        return;
    size_t mark = cleat_api_report_field(compile->report, "default");
    cleat_api_schema_validate(&wrapper, node->fallback, compile->report);
    cleat_api_report_leave(compile->report, mark);
}

static void compile_fill(struct compile *compile, struct schema_node *node,
                         struct cleat_value source, enum compile_place place)
{
    node->nullable = compile_flag(source, "nullable");
    node->preserve = compile_flag(source, "x-kubernetes-preserve-unknown-fields");
    node->int_or_string = compile_flag(source, "x-kubernetes-int-or-string");
    node->embedded =
        place == COMPILE_ROOT ||
        (place < COMPILE_JUNCTOR && compile_flag(source, "x-kubernetes-embedded-resource"));
    node->unique = compile_flag(source, "uniqueItems");
    compile_type(compile, node, source, place);
    compile_numbers(compile, node, source);
    compile_strings(compile, node, source);
    compile_names(compile, cleat_value_get(source, "required"), &node->required);
    compile_properties(compile, node, source, place);
    compile_additional(compile, node, source, place);
    compile_items(compile, node, source, place);
    compile_list(compile, node, source);
    compile_junctors(compile, node, source);
    compile_forbidden(compile, node, source, place);
    compile_default(compile, node, source);
}

static struct schema_node *compile_node(struct compile *compile, struct cleat_value source,
                                        enum compile_place place)
{
    struct schema_node *node = compile_memory(compile, 1, sizeof(*node));
    if (!node)
        return NULL;
    compile_fill(compile, node, source, place);
    return node;
}

static void nodes_free(struct schema_nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        schema_node_free(nodes->items[i]);
    cleat_mem_free(nodes->items);
}

static void names_free(struct schema_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        cleat_mem_free(names->items[i]);
    cleat_mem_free(names->items);
}

struct schema_node *schema_node_free(struct schema_node *node)
{
    if (!node)
        return NULL;
    for (size_t i = 0; i < node->property_count; i++)
        schema_node_free(node->properties[i].node);
    cleat_mem_free(node->properties);
    schema_node_free(node->additional);
    schema_node_free(node->items);
    schema_node_free(node->negated);
    nodes_free(&node->all_of);
    nodes_free(&node->any_of);
    nodes_free(&node->one_of);
    names_free(&node->required);
    names_free(&node->map_keys);
    schema_pattern_free(node->pattern);
    cleat_mem_free(node->pattern_text);
    cleat_mem_free(node->format);
    return cleat_mem_free(node);
}

const struct schema_node *schema_property_get(const struct schema_node *node, struct cleat_str key)
{
    size_t low = 0;
    size_t high = node->property_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = cleat_str_compare(node->properties[middle].key, key);
        if (order == 0)
            return node->properties[middle].node;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int cleat_api_schema_new(struct cleat_document *document, struct cleat_value source,
                         struct cleat_api_report *report, struct cleat_api_schema **ret)
{
    struct compile compile = {.report = report};
    size_t before = report->count;
    struct cleat_api_schema *schema = cleat_mem_zalloc(1, sizeof(*schema));
    if (!schema)
        return -ENOMEM;
    schema->document = cleat_document_ref(document);
    schema->root = compile_node(&compile, source, COMPILE_ROOT);
    if (compile.result == 0 && report->count != before)
        compile.result = -EINVAL;
    if (compile.result != 0) {
        cleat_api_schema_free(schema);
        return compile.result;
    }
    *ret = schema;
    return 0;
}

struct cleat_api_schema *cleat_api_schema_free(struct cleat_api_schema *schema)
{
    if (!schema)
        return NULL;
    schema_node_free(schema->root);
    (void)cleat_document_unref(schema->document);
    return cleat_mem_free(schema);
}
