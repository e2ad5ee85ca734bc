/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/name.h>
#include <cleat/path.h>

#include "apiserver/rules.h"

#define METADATA_ANNOTATION_BYTES_MAX (256u * 1024)

#define METADATA_NAME_PART                                                                    \
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and " \
    "end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex " \
    "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define METADATA_LABEL_VALUE                                                                    \
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or " \
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "          \
    "'my_value',  or '12345', regex used for validation is "                                    \
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

static void metadata_key(struct cleat_api_report *report, struct cleat_str key)
{
    cleat_api_report_add(report, "FieldValueInvalid", "Invalid value: \"%.*s\": %s",
                         CLEAT_STR_ARG(key), METADATA_NAME_PART);
}

static bool metadata_is_map(struct cleat_value map, struct cleat_api_report *report)
{
    enum cleat_value_type type = cleat_value_type(map);
    if (type == CLEAT_TYPE_ABSENT || type == CLEAT_TYPE_NULL)
        return false;
    if (type != CLEAT_TYPE_OBJECT)
        cleat_api_report_invalid(report, map, "must be an object of strings");
    return type == CLEAT_TYPE_OBJECT;
}

static void metadata_labels(struct cleat_value labels, struct cleat_api_report *report)
{
    size_t mark = cleat_api_report_at(report, "metadata.labels");
    size_t count = metadata_is_map(labels, report) ? cleat_value_count(labels) : 0;
    for (size_t i = 0; i < count; i++) {
        struct cleat_str key;
        struct cleat_scratch scratch;
        struct cleat_value value = cleat_value_member(labels, i, &key);
        struct cleat_str text = cleat_value_text(value, &scratch);
        if (!cleat_name_is_label_key(key))
            metadata_key(report, key);
        if (cleat_value_type(value) != CLEAT_TYPE_STRING)
            cleat_api_report_invalid(report, value, "must be a string");
        else if (!cleat_name_is_label_value(text) && text.length > 63)
            cleat_api_report_invalid(report, value, "must be no more than 63 characters");
        else if (!cleat_name_is_label_value(text))
            cleat_api_report_invalid(report, value, METADATA_LABEL_VALUE);
    }
    cleat_api_report_leave(report, mark);
}

/* Keys of annotations aren't case-sensitive in their syntax. */
static bool metadata_annotation_key(struct cleat_str key)
{
    char folded[512];
    if (key.length >= sizeof(folded))
        return false;
    for (size_t i = 0; i < key.length; i++)
        folded[i] = (char)(key.data[i] >= 'A' && key.data[i] <= 'Z' ? key.data[i] - 'A' + 'a'
                                                                    : key.data[i]);
    return cleat_name_is_label_key((struct cleat_str){folded, key.length});
}

static void metadata_annotations(struct cleat_value annotations, struct cleat_api_report *report)
{
    size_t bytes = 0;
    size_t mark = cleat_api_report_at(report, "metadata.annotations");
    size_t count = metadata_is_map(annotations, report) ? cleat_value_count(annotations) : 0;
    for (size_t i = 0; i < count; i++) {
        struct cleat_str key;
        struct cleat_scratch scratch;
        struct cleat_value value = cleat_value_member(annotations, i, &key);
        if (!metadata_annotation_key(key))
            metadata_key(report, key);
        if (cleat_value_type(value) != CLEAT_TYPE_STRING)
            cleat_api_report_invalid(report, value, "must be a string");
        bytes += key.length + cleat_value_text(value, &scratch).length;
    }
    if (bytes > METADATA_ANNOTATION_BYTES_MAX)
        cleat_api_report_add(report, "FieldValueTooLong", "Too long: may not be more than %u bytes",
                             METADATA_ANNOTATION_BYTES_MAX);
    cleat_api_report_leave(report, mark);
}

static void metadata_finalizers(struct cleat_value finalizers, struct cleat_api_report *report)
{
    size_t mark = cleat_api_report_at(report, "metadata.finalizers");
    for (size_t i = 0; i < cleat_value_count(finalizers); i++) {
        struct cleat_scratch scratch;
        struct cleat_str name = cleat_value_text(cleat_value_at(finalizers, i), &scratch);
        bool known = cleat_str_is(name, "orphan") || cleat_str_is(name, "foregroundDeletion") ||
                     cleat_str_is(name, "kubernetes");
        if (!cleat_name_is_label_key(name))
            metadata_key(report, name);
        else if (!known && !memchr(name.data, '/', name.length) &&
                 !memchr(name.data, '.', name.length))
            cleat_api_report_invalid(report, cleat_value_at(finalizers, i),
                                     "name is neither a standard finalizer name nor is it fully "
                                     "qualified");
    }
    cleat_api_report_leave(report, mark);
}

static void metadata_owner(struct cleat_value owner, struct cleat_api_report *report)
{
    static const char *const needed[] = {"apiVersion", "kind", "name", "uid"};
    static const char *const why[] = {"version must not be empty", "must not be empty",
                                      "must not be empty", "must not be empty"};
    for (size_t i = 0; i < 4; i++) {
        struct cleat_value value = cleat_value_get(owner, needed[i]);
        if (cleat_value_type(value) == CLEAT_TYPE_STRING && !cleat_value_is(value, ""))
            continue;
        size_t mark = cleat_api_report_field(report, needed[i]);
        cleat_api_report_invalid(report, value, "%s", why[i]);
        cleat_api_report_leave(report, mark);
    }
}

static void metadata_owners(struct cleat_value owners, struct cleat_api_report *report)
{
    size_t controllers = 0;
    size_t mark = cleat_api_report_at(report, "metadata.ownerReferences");
    for (size_t i = 0; i < cleat_value_count(owners); i++) {
        struct cleat_value owner = cleat_value_at(owners, i);
        size_t inner = cleat_api_report_index(report, i);
        metadata_owner(owner, report);
        cleat_api_report_leave(report, inner);
        controllers += cleat_value_is_true(cleat_value_get(owner, "controller"));
    }
    if (controllers > 1)
        cleat_api_report_invalid(report, owners,
                                 "Only one reference can have Controller set to true. Found "
                                 "\"true\" in references for more than one");
    cleat_api_report_leave(report, mark);
}

void cleat_api_rule_metadata(const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_api_report *report)
{
    struct cleat_value metadata = cleat_value_get(object, "metadata");
    metadata_labels(cleat_value_get(metadata, "labels"), report);
    metadata_annotations(cleat_value_get(metadata, "annotations"), report);
    metadata_finalizers(cleat_value_get(metadata, "finalizers"), report);
    metadata_owners(cleat_value_get(metadata, "ownerReferences"), report);
}
