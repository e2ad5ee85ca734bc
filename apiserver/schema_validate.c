/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation: every violation at its path, in the words of Kubernetes' API server.
 */
#include <cleat/write.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "apiserver/schema_node.h"
#include "base/limits.h"
#include "base/utf8.h"

static void validate_node(const struct schema_node *node, struct cleat_value value,
                          struct cleat_api_report *report);

/* The path as texts name it. */
static const char *validate_name(const struct cleat_api_report *report)
{
    return report->path.length ? report->path.data : "";
}

static bool number_is_integer(struct cleat_value value)
{
    int64_t unused;
    double number;
    if (cleat_value_int(value, &unused) == 0)
        return true;
    return cleat_value_double(value, &number) == 0 && isfinite(number) && floor(number) == number;
}

static const char *validate_type_name(struct cleat_value value)
{
    enum cleat_value_type type = cleat_value_type(value);
    if (type == CLEAT_TYPE_NUMBER)
        return number_is_integer(value) ? "integer" : "number";
    return cleat_value_type_name(type);
}

static bool validate_type_fits(enum schema_type type, struct cleat_value value)
{
    switch (type) {
    case SCHEMA_ANY: return true;
    case SCHEMA_OBJECT: return cleat_value_type(value) == CLEAT_TYPE_OBJECT;
    case SCHEMA_ARRAY: return cleat_value_type(value) == CLEAT_TYPE_ARRAY;
    case SCHEMA_STRING: return cleat_value_type(value) == CLEAT_TYPE_STRING;
    case SCHEMA_NUMBER: return cleat_value_type(value) == CLEAT_TYPE_NUMBER;
    case SCHEMA_INTEGER:
        return cleat_value_type(value) == CLEAT_TYPE_NUMBER && number_is_integer(value);
    case SCHEMA_BOOLEAN: return cleat_value_type(value) == CLEAT_TYPE_BOOL;
    }
    return true;
}

static const char *const validate_types[] = {"",       "object",  "array",  "string",
                                             "number", "integer", "boolean"};

static void validate_type_wrong(struct cleat_api_report *report, const char *wanted,
                                struct cleat_value value)
{
    const char *name = validate_type_name(value);
    cleat_api_report_add(report, "FieldValueTypeInvalid",
                         "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", name,
                         validate_name(report), wanted, name);
}

/* False where the type is so wrong that nothing else is worth a look. */
static bool validate_type(const struct schema_node *node, struct cleat_value value,
                          struct cleat_api_report *report)
{
    if (node->int_or_string) {
        if (validate_type_fits(SCHEMA_INTEGER, value) || validate_type_fits(SCHEMA_STRING, value))
            return true;
        validate_type_wrong(report, "integer,string", value);
        return false;
    }
    if (validate_type_fits(node->type, value))
        return true;
    validate_type_wrong(report, validate_types[node->type], value);
    return false;
}

static void validate_enum(const struct schema_node *node, struct cleat_value value,
                          struct cleat_api_report *report)
{
    size_t count = cleat_value_count(node->enumeration);
    if (cleat_value_type(node->enumeration) != CLEAT_TYPE_ARRAY)
        return;
    for (size_t i = 0; i < count; i++)
        if (cleat_value_equal(value, cleat_value_at(node->enumeration, i)))
            return;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(3 * CLEAT_KIB);
    cleat_api_report_value(&text, value);
    cleat_buffer_text(&text, ": supported values: ");
    for (size_t i = 0; i < count; i++) {
        struct cleat_value allowed = cleat_value_at(node->enumeration, i);
        bool quote = cleat_value_type(allowed) != CLEAT_TYPE_STRING;
        cleat_buffer_text(&text, i ? ", " : "");
        cleat_buffer_text(&text, quote ? "\"" : "");
        cleat_api_report_value(&text, allowed);
        cleat_buffer_text(&text, quote ? "\"" : "");
    }
    cleat_api_report_add(report, "FieldValueNotSupported", "Unsupported value: %s",
                         text.data ? text.data : "");
    cleat_buffer_fini(&text);
}

static int64_t text_points(struct cleat_str text)
{
    int64_t points = 0;
    for (size_t at = 0; at < text.length; points++) {
        size_t length = cleat_utf8_length(text.data + at, text.length - at);
        at += length ? length : 1;
    }
    return points;
}

static void validate_length(const struct schema_node *node, struct cleat_value value,
                            struct cleat_str text, struct cleat_api_report *report)
{
    if (node->min_length < 0 && node->max_length < 0)
        return;
    int64_t points = text_points(text);
    if (node->min_length >= 0 && points < node->min_length)
        cleat_api_report_invalid(report, value, "%s in body should be at least %lld chars long",
                                 validate_name(report), (long long)node->min_length);
    if (node->max_length >= 0 && points > node->max_length)
        cleat_api_report_add(report, "FieldValueTooLong",
                             "Too long: may not be more than %lld bytes",
                             (long long)node->max_length);
}

static void validate_string(const struct schema_node *node, struct cleat_value value,
                            struct cleat_api_report *report)
{
    struct cleat_scratch scratch;
    struct cleat_str text = cleat_value_text(value, &scratch);
    validate_length(node, value, text, report);
    if (node->pattern && !schema_pattern_matches(node->pattern, text))
        cleat_api_report_invalid(report, value, "%s in body should match '%s'",
                                 validate_name(report), node->pattern_text);
    if (node->format && !schema_format_matches(node->format, text)) {
        struct cleat_buffer shown = CLEAT_BUFFER_INIT(3 * CLEAT_KIB);
        cleat_api_report_value(&shown, value);
        cleat_api_report_invalid(report, value, "%s in body must be of type %s: %s",
                                 validate_name(report), node->format, shown.data ? shown.data : "");
        cleat_buffer_fini(&shown);
    }
}

static double number_of(struct cleat_value value)
{
    double number = 0;
    return cleat_value_double(value, &number) == 0 ? number : 0;
}

/* <0, 0, >0; integers exactly. */
static int number_compare(struct cleat_value a, struct cleat_value b)
{
    int64_t x;
    int64_t y;
    if (cleat_value_int(a, &x) == 0 && cleat_value_int(b, &y) == 0)
        return x < y ? -1 : x > y;
    double left = number_of(a);
    double right = number_of(b);
    return left < right ? -1 : left > right;
}

static void validate_bound(struct cleat_value value, struct cleat_value bound, const char *words,
                           struct cleat_api_report *report)
{
    struct cleat_scratch scratch;
    struct cleat_str text = CLEAT_STR("");
    if (cleat_value_number(bound, &scratch, &text) != 0)
        text = CLEAT_STR(""); /* it isn't a number */
    cleat_api_report_invalid(report, value, "%s in body should be %s %.*s", validate_name(report),
                             words, CLEAT_STR_ARG(text));
}

static bool number_is_multiple(struct cleat_value value, struct cleat_value of)
{
    int64_t x;
    int64_t y;
    if (cleat_value_int(value, &x) == 0 && cleat_value_int(of, &y) == 0)
        return y == 0 || y == -1 || x % y == 0;
    double divisor = number_of(of);
    double quotient = divisor != 0 ? number_of(value) / divisor : 0;
    return fabs(quotient - round(quotient)) < 1e-9;
}

static bool format_is_int32(const struct schema_node *node)
{
    return node->format && strcmp(node->format, "int32") == 0;
}

static void validate_number(const struct schema_node *node, struct cleat_value value,
                            struct cleat_api_report *report)
{
    int64_t number = cleat_value_int_or(value, 0);
    if (cleat_value_is_present(node->minimum)) {
        int order = number_compare(value, node->minimum);
        if (order < 0 || (order == 0 && node->exclusive_minimum))
            validate_bound(value, node->minimum,
                           node->exclusive_minimum ? "greater than" : "greater than or equal to",
                           report);
    }
    if (cleat_value_is_present(node->maximum)) {
        int order = number_compare(value, node->maximum);
        if (order > 0 || (order == 0 && node->exclusive_maximum))
            validate_bound(value, node->maximum,
                           node->exclusive_maximum ? "less than" : "less than or equal to", report);
    }
    if (cleat_value_is_present(node->multiple_of) && !number_is_multiple(value, node->multiple_of))
        validate_bound(value, node->multiple_of, "a multiple of", report);
    if (format_is_int32(node) && (number > INT32_MAX || number < INT32_MIN))
        cleat_api_report_invalid(report, value, "%s in body must be of type int32",
                                 validate_name(report));
}

static void validate_too_many(struct cleat_api_report *report, size_t count, int64_t max)
{
    cleat_api_report_add(report, "FieldValueTooMany", "Too many: %zu: must have at most %lld items",
                         count, (long long)max);
}

static bool items_same(const struct schema_node *node, struct cleat_value a, struct cleat_value b)
{
    if (node->list != SCHEMA_LIST_MAP)
        return cleat_value_equal(a, b);
    for (size_t i = 0; i < node->map_keys.count; i++) {
        const char *key = node->map_keys.items[i];
        struct cleat_value left = cleat_value_get(a, key);
        struct cleat_value right = cleat_value_get(b, key);
        if (cleat_value_is_present(left) != cleat_value_is_present(right) ||
            (cleat_value_is_present(left) && !cleat_value_equal(left, right)))
            return false;
    }
    return true;
}

static void validate_duplicate(const struct schema_node *node, struct cleat_value item,
                               struct cleat_api_report *report)
{
    struct cleat_buffer shown = CLEAT_BUFFER_INIT(3 * CLEAT_KIB);
    if (node->list == SCHEMA_LIST_MAP) {
        for (size_t i = 0; i < node->map_keys.count; i++) {
            cleat_buffer_text(&shown, i ? "," : "{");
            cleat_write_string(&shown, cleat_str_of(node->map_keys.items[i]));
            cleat_buffer_byte(&shown, ':');
            cleat_api_report_value(&shown, cleat_value_get(item, node->map_keys.items[i]));
        }
        cleat_buffer_byte(&shown, '}');
    } else
        cleat_api_report_value(&shown, item);
    cleat_api_report_add(report, "FieldValueDuplicate", "Duplicate value: %s",
                         shown.data ? shown.data : "");
    cleat_buffer_fini(&shown);
}

/* Sets and maps may hold nothing twice. */
static void validate_unique(const struct schema_node *node, struct cleat_value array,
                            struct cleat_api_report *report)
{
    for (size_t i = 1; node->list != SCHEMA_LIST_ATOMIC && i < cleat_value_count(array); i++) {
        struct cleat_value item = cleat_value_at(array, i);
        for (size_t j = 0; j < i; j++) {
            if (!items_same(node, item, cleat_value_at(array, j)))
                continue;
            size_t mark = cleat_api_report_index(report, i);
            validate_duplicate(node, item, report);
            cleat_api_report_leave(report, mark);
            break;
        }
    }
}

static void validate_array(const struct schema_node *node, struct cleat_value array,
                           struct cleat_api_report *report)
{
    size_t count = cleat_value_count(array);
    if (node->max_items >= 0 && count > (uint64_t)node->max_items) {
        validate_too_many(report, count, node->max_items);
        return; /* the rest could be very long */
    }
    if (node->min_items >= 0 && count < (uint64_t)node->min_items)
        cleat_api_report_invalid(report, array, "%s in body should have at least %lld items",
                                 validate_name(report), (long long)node->min_items);
    for (size_t i = 0; node->items && i < count; i++) {
        size_t mark = cleat_api_report_index(report, i);
        validate_node(node->items, cleat_value_at(array, i), report);
        cleat_api_report_leave(report, mark);
    }
    validate_unique(node, array, report);
}

static void validate_required(const struct schema_node *node, struct cleat_value object,
                              struct cleat_api_report *report)
{
    for (size_t i = 0; i < node->required.count; i++) {
        struct cleat_str key = cleat_str_of(node->required.items[i]);
        if (cleat_value_is_present(cleat_value_get_str(object, key)))
            continue;
        size_t mark = cleat_api_report_enter(report, key);
        cleat_api_report_required(report, "");
        cleat_api_report_leave(report, mark);
    }
}

static void validate_embedded(struct cleat_value object, struct cleat_api_report *report)
{
    static const char *const needed[] = {"apiVersion", "kind"};
    for (size_t i = 0; report->path.length && i < 2; i++) {
        struct cleat_value value = cleat_value_get(object, needed[i]);
        if (cleat_value_type(value) == CLEAT_TYPE_STRING && !cleat_value_is(value, ""))
            continue;
        size_t mark = cleat_api_report_field(report, needed[i]);
        cleat_api_report_required(report, "must not be empty");
        cleat_api_report_leave(report, mark);
    }
}

static void validate_members(const struct schema_node *node, struct cleat_value object,
                             struct cleat_api_report *report)
{
    for (size_t i = 0; i < cleat_value_count(object); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(object, i, &key);
        const struct schema_node *property = schema_property_get(node, key);
        if (!property)
            property = node->additional;
        if (!property && node->closed)
            cleat_api_report_add(report, "FieldValueInvalid",
                                 "Invalid value: \"%.*s\": %s.%.*s in body is a forbidden property",
                                 CLEAT_STR_ARG(key), validate_name(report), CLEAT_STR_ARG(key));
        if (!property)
            continue;
        size_t mark = cleat_api_report_enter(report, key);
        validate_node(property, value, report);
        cleat_api_report_leave(report, mark);
    }
}

static void validate_object(const struct schema_node *node, struct cleat_value object,
                            struct cleat_api_report *report)
{
    size_t count = cleat_value_count(object);
    if (node->embedded)
        validate_embedded(object, report);
    if (node->max_properties >= 0 && count > (uint64_t)node->max_properties) {
        validate_too_many(report, count, node->max_properties);
        return;
    }
    if (node->min_properties >= 0 && count < (uint64_t)node->min_properties)
        cleat_api_report_invalid(report, object, "%s in body should have at least %lld properties",
                                 validate_name(report), (long long)node->min_properties);
    validate_required(node, object, report);
    validate_members(node, object, report);
}

static size_t validate_quietly(const struct schema_node *node, struct cleat_value value)
{
    struct cleat_api_report quiet;
    cleat_api_report_init(&quiet, NULL, NULL);
    validate_node(node, value, &quiet);
    cleat_api_report_fini(&quiet);
    return quiet.count;
}

static size_t junctor_valid(const struct schema_nodes *nodes, struct cleat_value value)
{
    size_t valid = 0;
    for (size_t i = 0; i < nodes->count; i++)
        valid += validate_quietly(nodes->items[i], value) == 0;
    return valid;
}

static void validate_junctors(const struct schema_node *node, struct cleat_value value,
                              struct cleat_api_report *report)
{
    const char *name = validate_name(report);
    for (size_t i = 0; i < node->all_of.count; i++)
        validate_node(node->all_of.items[i], value, report);
    if (node->any_of.count && junctor_valid(&node->any_of, value) == 0)
        cleat_api_report_invalid(report, value, "\"%s\" must validate at least one schema (anyOf)",
                                 name);
    if (node->one_of.count) {
        size_t valid = junctor_valid(&node->one_of, value);
        if (valid == 0)
            cleat_api_report_invalid(
                report, value,
                "\"%s\" must validate one and only one schema (oneOf). Found none valid", name);
        else if (valid > 1)
            cleat_api_report_invalid(
                report, value,
                "\"%s\" must validate one and only one schema (oneOf). Found %zu valid "
                "alternatives",
                name, valid);
    }
    if (node->negated && validate_quietly(node->negated, value) == 0)
        cleat_api_report_invalid(report, value, "\"%s\" must not validate the schema (not)", name);
}

static void validate_node(const struct schema_node *node, struct cleat_value value,
                          struct cleat_api_report *report)
{
    enum cleat_value_type type = cleat_value_type(value);
    if (type == CLEAT_TYPE_NULL && node->nullable)
        return;
    if (!validate_type(node, value, report))
        return;
    validate_enum(node, value, report);
    if (type == CLEAT_TYPE_STRING)
        validate_string(node, value, report);
    else if (type == CLEAT_TYPE_NUMBER)
        validate_number(node, value, report);
    else if (type == CLEAT_TYPE_ARRAY)
        validate_array(node, value, report);
    else if (type == CLEAT_TYPE_OBJECT)
        validate_object(node, value, report);
    validate_junctors(node, value, report);
}

void cleat_api_schema_validate(const struct cleat_api_schema *schema, struct cleat_value object,
                               struct cleat_api_report *report)
{
    validate_node(schema->root, object, report);
}
