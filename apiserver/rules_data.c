/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets and ConfigMaps.
 */
#include <cleat/document.h>
#include <cleat/path.h>
#include <errno.h>
#include <string.h>

#include "apiserver/rules.h"
#include "base/limits.h"
#include "kube/base64.h"

#define DATA_BYTES_MAX (1u * 1024 * 1024)

static int data_check_base64(const char *kind, struct cleat_value map, struct cleat_err *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(map); i++) {
        struct cleat_scratch scratch;
        struct cleat_buffer bytes = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
        struct cleat_err why = CLEAT_ERR_INIT;
        struct cleat_value value = cleat_value_member(map, i, NULL);
        if (cleat_value_type(value) == CLEAT_TYPE_NULL)
            continue;
        if (cleat_value_type(value) != CLEAT_TYPE_STRING)
            result =
                cleat_err_set(err, -EINVAL,
                              "%s in version \"v1\" cannot be handled as a %s: json: cannot "
                              "unmarshal %s into Go struct field %s.data of type []uint8",
                              kind, kind, cleat_value_type_name(cleat_value_type(value)), kind);
        else if (cleat_base64_decode(&bytes, cleat_value_text(value, &scratch), &why) != 0)
            result = cleat_err_set(err, -EINVAL,
                                   "%s in version \"v1\" cannot be handled as a %s: illegal base64 "
                                   "data: %s",
                                   kind, kind, cleat_err_text(&why));
        cleat_buffer_fini(&bytes);
    }
    return result;
}

static int secret_merge(struct cleat_value strings, struct cleat_draft *draft,
                        struct cleat_err *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(strings); i++) {
        struct cleat_scratch scratch;
        struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
        struct cleat_path path = {.count = 2};
        path.segments[0].key = CLEAT_STR("data");
        struct cleat_value value = cleat_value_member(strings, i, &path.segments[1].key);
        if (cleat_value_type(value) != CLEAT_TYPE_STRING)
            result = cleat_err_set(err, -EINVAL,
                                   "Secret in version \"v1\" cannot be handled as a Secret: "
                                   "stringData holds what isn't a string");
        if (result == 0)
            result = cleat_base64_encode(&text, cleat_value_text(value, &scratch));
        if (result == 0)
            result = cleat_draft_set_str_at(draft, &path, cleat_buffer_view(&text), err);
        cleat_buffer_fini(&text);
    }
    return result == 0 && cleat_value_is_present(strings)
               ? cleat_draft_remove(draft, "stringData", err)
               : result;
}

int cleat_api_secret_fill(const struct cleat_api_operation *operation, struct cleat_value object,
                          struct cleat_draft *draft, struct cleat_err *err)
{
    struct cleat_scratch scratch;
    int result = data_check_base64("Secret", cleat_value_get(object, "data"), err);
    if (result == 0)
        result = secret_merge(cleat_value_get(object, "stringData"), draft, err);
    if (result == 0 && !cleat_value_text(cleat_value_get(object, "type"), &scratch).length)
        result = cleat_draft_set_text(draft, "type", "Opaque", err);
    return result;
}

static bool data_is_key(struct cleat_str key)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    for (size_t i = 0; i < key.length; i++)
        if (!memchr(allowed, key.data[i], sizeof(allowed) - 1))
            return false;
    return key.length > 0 && key.length <= 253 && !cleat_str_is(key, ".") &&
           !cleat_str_is(key, "..");
}

/* The bytes that it holds. */
static size_t data_check_map(const char *field, struct cleat_value map, bool encoded,
                             struct cleat_api_report *report)
{
    size_t bytes = 0;
    size_t mark = cleat_api_report_field(report, field);
    for (size_t i = 0; i < cleat_value_count(map); i++) {
        struct cleat_str key;
        struct cleat_scratch scratch;
        struct cleat_str text = cleat_value_text(cleat_value_member(map, i, &key), &scratch);
        bytes += encoded ? text.length / 4 * 3 : text.length;
        if (data_is_key(key))
            continue;
        size_t inner = cleat_api_report_key(report, key);
        cleat_api_report_add(
            report, "FieldValueInvalid",
            "Invalid value: \"%.*s\": a valid config key must consist of alphanumeric characters, "
            "'-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for "
            "validation is '[-._a-zA-Z0-9]+')",
            CLEAT_STR_ARG(key));
        cleat_api_report_leave(report, inner);
    }
    cleat_api_report_leave(report, mark);
    return bytes;
}

static void data_check_size(const char *field, size_t bytes, struct cleat_api_report *report)
{
    size_t mark = cleat_api_report_field(report, field);
    if (bytes > DATA_BYTES_MAX)
        cleat_api_report_add(report, "FieldValueTooLong", "Too long: may not be more than %u bytes",
                             DATA_BYTES_MAX);
    cleat_api_report_leave(report, mark);
}

static bool data_same(struct cleat_value a, struct cleat_value b)
{
    return cleat_value_count(a) == cleat_value_count(b) &&
           (cleat_value_count(a) == 0 || cleat_value_equal(a, b));
}

/* What is immutable stays so, and its data. */
static void data_check_immutable(struct cleat_value object, struct cleat_value old,
                                 struct cleat_api_report *report)
{
    static const char *const fields[] = {"data", "binaryData"};
    if (!cleat_value_is_true(cleat_value_get(old, "immutable")))
        return;
    if (!cleat_value_is_true(cleat_value_get(object, "immutable"))) {
        size_t mark = cleat_api_report_field(report, "immutable");
        cleat_api_report_add(report, "FieldValueForbidden",
                             "Forbidden: field is immutable when `immutable` is set");
        cleat_api_report_leave(report, mark);
    }
    for (size_t i = 0; i < 2; i++) {
        size_t mark = cleat_api_report_field(report, fields[i]);
        if (!data_same(cleat_value_get(object, fields[i]), cleat_value_get(old, fields[i])))
            cleat_api_report_add(report, "FieldValueForbidden",
                                 "Forbidden: field is immutable when `immutable` is set");
        cleat_api_report_leave(report, mark);
    }
}

/* What a type demands. */
static const struct {
    const char *type;
    const char *keys[2];
} secret_types[] = {
    {"kubernetes.io/tls", {"tls.crt", "tls.key"}},
    {"kubernetes.io/dockerconfigjson", {".dockerconfigjson"}},
    {"kubernetes.io/dockercfg", {".dockercfg"}},
    {"kubernetes.io/ssh-auth", {"ssh-privatekey"}},
};

static void secret_check_type(struct cleat_value object, struct cleat_api_report *report)
{
    struct cleat_value type = cleat_value_get(object, "type");
    struct cleat_value data = cleat_value_get(object, "data");
    for (size_t i = 0; i < sizeof(secret_types) / sizeof(secret_types[0]); i++) {
        if (!cleat_value_is(type, secret_types[i].type))
            continue;
        for (size_t j = 0; j < 2 && secret_types[i].keys[j]; j++) {
            size_t mark = cleat_api_report_at(report, "data[%s]", secret_types[i].keys[j]);
            if (!cleat_value_is_present(cleat_value_get(data, secret_types[i].keys[j])))
                cleat_api_report_required(report, "");
            cleat_api_report_leave(report, mark);
        }
    }
    if (cleat_value_is(type, "kubernetes.io/service-account-token") &&
        cleat_value_type(cleat_value_find(
            object, "metadata.annotations[\"kubernetes.io/service-account.name\"]")) !=
            CLEAT_TYPE_STRING) {
        size_t mark =
            cleat_api_report_at(report, "metadata.annotations[kubernetes.io/service-account.name]");
        cleat_api_report_required(report, "");
        cleat_api_report_leave(report, mark);
    }
}

void cleat_api_secret_check(const struct cleat_api_operation *operation, struct cleat_value object,
                            struct cleat_api_report *report)
{
    struct cleat_value type = cleat_value_get(object, "type");
    data_check_size("data", data_check_map("data", cleat_value_get(object, "data"), true, report),
                    report);
    secret_check_type(object, report);
    if (!cleat_value_is_present(operation->old))
        return;
    size_t mark = cleat_api_report_field(report, "type");
    if (!cleat_value_equal(type, cleat_value_get(operation->old, "type")))
        cleat_api_report_invalid(report, type, "field is immutable");
    cleat_api_report_leave(report, mark);
    data_check_immutable(object, operation->old, report);
}

int cleat_api_config_map_fill(const struct cleat_api_operation *operation,
                              struct cleat_value object, struct cleat_draft *draft,
                              struct cleat_err *err)
{
    struct cleat_value data = cleat_value_get(object, "data");
    for (size_t i = 0; i < cleat_value_count(data); i++) {
        enum cleat_value_type type = cleat_value_type(cleat_value_member(data, i, NULL));
        if (type != CLEAT_TYPE_STRING)
            return cleat_err_set(err, -EINVAL,
                                 "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: "
                                 "json: cannot unmarshal %s into Go struct field ConfigMap.data of "
                                 "type string",
                                 cleat_value_type_name(type));
    }
    return data_check_base64("ConfigMap", cleat_value_get(object, "binaryData"), err);
}

void cleat_api_config_map_check(const struct cleat_api_operation *operation,
                                struct cleat_value object, struct cleat_api_report *report)
{
    struct cleat_value data = cleat_value_get(object, "data");
    struct cleat_value binary = cleat_value_get(object, "binaryData");
    size_t bytes = data_check_map("data", data, false, report);
    bytes += data_check_map("binaryData", binary, true, report);
    for (size_t i = 0; i < cleat_value_count(data); i++) {
        struct cleat_str key;
        (void)cleat_value_member(data, i, &key);
        if (!cleat_value_is_present(cleat_value_get_str(binary, key)))
            continue;
        size_t mark = cleat_api_report_field(report, "data");
        size_t inner = cleat_api_report_key(report, key);
        cleat_api_report_add(report, "FieldValueInvalid",
                             "Invalid value: \"%.*s\": duplicate of key present in binaryData",
                             CLEAT_STR_ARG(key));
        cleat_api_report_leave(report, inner);
        cleat_api_report_leave(report, mark);
    }
    data_check_size("", bytes, report);
    if (cleat_value_is_present(operation->old))
        data_check_immutable(object, operation->old, report);
}
