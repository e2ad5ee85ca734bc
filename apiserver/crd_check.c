/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Kubernetes asks of a definition when it's written. Source: apiextensions-apiserver's
 * validation.
 */
#include <cleat/name.h>
#include <cleat/path.h>
#include <errno.h>

#include "apiserver/crd.h"
#include "apiserver/schema.h"
#include "base/mem.h"
#include <stdio.h>

static struct cleat_str check_text(struct cleat_value root, const char *path,
                                   struct cleat_scratch *scratch)
{
    return cleat_value_text(cleat_value_find(root, path), scratch);
}

/* Reports at @field below the current path. */
static void check_required(struct cleat_api_report *report, const char *field, const char *why)
{
    size_t mark = cleat_api_report_field(report, field);
    cleat_api_report_required(report, why);
    cleat_api_report_leave(report, mark);
}

static void check_invalid(struct cleat_api_report *report, const char *field,
                          struct cleat_value value, const char *why)
{
    size_t mark = cleat_api_report_field(report, field);
    cleat_api_report_invalid(report, value, "%s", why);
    cleat_api_report_leave(report, mark);
}

static bool check_is_label(struct cleat_str text)
{
    return cleat_name_is_dns_label(text) && (text.data[0] < '0' || text.data[0] > '9');
}

static void check_label(struct cleat_api_report *report, const char *field,
                        struct cleat_value value, bool lower)
{
    char folded[CLEAT_KIND_BYTES_MAX];
    struct cleat_scratch scratch;
    struct cleat_str text = cleat_value_text(value, &scratch);
    bool fits = text.length && text.length < sizeof(folded);
    for (size_t i = 0; fits && i < text.length; i++) {
        char byte = text.data[i];
        folded[i] = (char)(!lower && byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
    }
    if (!text.length)
        check_required(report, field, "");
    else if (!fits || !check_is_label((struct cleat_str){folded, text.length}))
        check_invalid(report, field, value,
                      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
                      "start with an alphabetic character, and end with an alphanumeric character "
                      "(e.g. 'my-name',  or 'abc-123', regex used for validation is "
                      "'[a-z]([-a-z0-9]*[a-z0-9])?')");
}

static void check_names(struct cleat_value spec, struct cleat_api_report *report)
{
    struct cleat_value names = cleat_value_get(spec, "names");
    struct cleat_scratch a;
    struct cleat_scratch b;
    size_t mark = cleat_api_report_field(report, "names");
    check_label(report, "plural", cleat_value_get(names, "plural"), true);
    check_label(report, "singular", cleat_value_get(names, "singular"), true);
    check_label(report, "kind", cleat_value_get(names, "kind"), false);
    check_label(report, "listKind", cleat_value_get(names, "listKind"), false);
    struct cleat_str kind = check_text(names, "kind", &a);
    if (kind.length && cleat_str_equal(kind, check_text(names, "listKind", &b)))
        check_invalid(report, "listKind", cleat_value_get(names, "listKind"),
                      "kind and listKind may not be the same");
    struct cleat_value short_names = cleat_value_get(names, "shortNames");
    for (size_t i = 0; i < cleat_value_count(short_names); i++) {
        char field[32];
        snprintf(field, sizeof(field), "shortNames");
        size_t inner = cleat_api_report_field(report, field);
        size_t deeper = cleat_api_report_index(report, i);
        struct cleat_str text = cleat_value_text(cleat_value_at(short_names, i), &a);
        if (!check_is_label(text))
            cleat_api_report_invalid(report, cleat_value_at(short_names, i),
                                     "must be a DNS-1035 label");
        cleat_api_report_leave(report, deeper);
        cleat_api_report_leave(report, inner);
    }
    cleat_api_report_leave(report, mark);
}

static int check_schema(struct cleat_document *document, struct cleat_value version,
                        struct cleat_api_report *report)
{
    struct cleat_api_schema *schema = NULL;
    struct cleat_value source = cleat_value_find(version, "schema.openAPIV3Schema");
    size_t mark = cleat_api_report_field(report, "schema");
    if (cleat_value_type(source) != CLEAT_TYPE_OBJECT) {
        check_required(report, "openAPIV3Schema", "schemas are required");
        cleat_api_report_leave(report, mark);
        return 0;
    }
    size_t inner = cleat_api_report_field(report, "openAPIV3Schema");
    int result = cleat_api_schema_new(document, source, report, &schema);
    cleat_api_schema_free(schema);
    cleat_api_report_leave(report, inner);
    cleat_api_report_leave(report, mark);
    return result == -EINVAL ? 0 : result;
}

static int check_version(struct cleat_document *document, struct cleat_value versions, size_t index,
                         struct cleat_api_report *report)
{
    struct cleat_value version = cleat_value_at(versions, index);
    struct cleat_value name = cleat_value_get(version, "name");
    size_t mark = cleat_api_report_index(report, index);
    check_label(report, "name", name, true);
    for (size_t i = 0; i < index; i++)
        if (cleat_value_is_present(name) &&
            cleat_value_equal(name, cleat_value_get(cleat_value_at(versions, i), "name")))
            check_invalid(report, "name", name, "must contain unique version names");
    if (cleat_value_type(cleat_value_get(version, "served")) != CLEAT_TYPE_BOOL)
        check_required(report, "served", "");
    if (cleat_value_type(cleat_value_get(version, "storage")) != CLEAT_TYPE_BOOL)
        check_required(report, "storage", "");
    int result = check_schema(document, version, report);
    cleat_api_report_leave(report, mark);
    return result;
}

static int check_versions(struct cleat_document *document, struct cleat_value spec,
                          struct cleat_api_report *report)
{
    struct cleat_value versions = cleat_value_get(spec, "versions");
    size_t count = cleat_value_count(versions);
    size_t storages = 0;
    int result = 0;
    size_t mark = cleat_api_report_field(report, "versions");
    if (!count)
        cleat_api_report_required(report,
                                  "must have exactly one version marked as storage version");
    if (count > CLEAT_API_VERSIONS_MAX)
        cleat_api_report_add(report, "FieldValueTooMany",
                             "Too many: %zu: must have at most %d items", count,
                             CLEAT_API_VERSIONS_MAX);
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = check_version(document, versions, i, report);
        storages += cleat_value_is_true(cleat_value_get(cleat_value_at(versions, i), "storage"));
    }
    if (count && storages != 1)
        cleat_api_report_invalid(report, versions,
                                 "must have exactly one version marked as storage version");
    cleat_api_report_leave(report, mark);
    return result;
}

static void check_scope(struct cleat_value spec, struct cleat_api_report *report)
{
    static const char *const scopes[] = {"Cluster", "Namespaced", NULL};
    struct cleat_value scope = cleat_value_get(spec, "scope");
    size_t mark = cleat_api_report_field(report, "scope");
    if (!cleat_value_is_present(scope))
        cleat_api_report_required(report, "");
    else if (!cleat_value_is(scope, scopes[0]) && !cleat_value_is(scope, scopes[1]))
        cleat_api_report_unsupported(report, scope, scopes);
    cleat_api_report_leave(report, mark);
}

static void check_conversion(struct cleat_value spec, struct cleat_api_report *report)
{
    static const char *const strategies[] = {"None", NULL};
    struct cleat_value strategy = cleat_value_find(spec, "conversion.strategy");
    if (!cleat_value_is_present(strategy) || cleat_value_is(strategy, "None"))
        return;
    size_t mark = cleat_api_report_field(report, "conversion");
    size_t inner = cleat_api_report_field(report, "strategy");
    cleat_api_report_unsupported(report, strategy, strategies);
    cleat_api_report_leave(report, inner);
    cleat_api_report_leave(report, mark);
    /* Webhook conversion isn't served here: saying so is better than pretending. */
}

/* metadata.name is plural.group. */
static void check_name(struct cleat_value object, struct cleat_api_report *report)
{
    struct cleat_scratch scratch[3];
    struct cleat_str name = check_text(object, "metadata.name", &scratch[0]);
    struct cleat_str plural = check_text(object, "spec.names.plural", &scratch[1]);
    struct cleat_str group = check_text(object, "spec.group", &scratch[2]);
    CLEAT_CLEANUP(cleat_mem_freep)
    char *wanted = cleat_mem_format("%.*s.%.*s", CLEAT_STR_ARG(plural), CLEAT_STR_ARG(group));
    if (wanted && cleat_str_is(name, wanted))
        return;
    size_t mark = cleat_api_report_field(report, "metadata");
    check_invalid(report, "name", cleat_value_find(object, "metadata.name"),
                  "must be spec.names.plural+\".\"+spec.group");
    cleat_api_report_leave(report, mark);
}

static void check_group(struct cleat_value spec, struct cleat_api_report *report)
{
    struct cleat_scratch scratch;
    struct cleat_value value = cleat_value_get(spec, "group");
    struct cleat_str group = cleat_value_text(value, &scratch);
    if (!group.length)
        check_required(report, "group", "");
    else if (!cleat_name_is_dns_subdomain(group))
        check_invalid(report, "group", value, "must be a DNS subdomain");
    else if (!memchr(group.data, '.', group.length))
        check_invalid(report, "group", value, "should be a domain with at least one dot");
}

static bool check_established(struct cleat_value old)
{
    struct cleat_value conditions = cleat_value_find(old, "status.conditions");
    for (size_t i = 0; i < cleat_value_count(conditions); i++) {
        struct cleat_value condition = cleat_value_at(conditions, i);
        if (cleat_value_is(cleat_value_get(condition, "type"), "Established"))
            return cleat_value_is(cleat_value_get(condition, "status"), "True");
    }
    return false;
}

static void check_immutable(struct cleat_value object, struct cleat_value old,
                            struct cleat_api_report *report)
{
    static const char *const fields[] = {"scope", "names.kind"};
    if (!check_established(old))
        return;
    struct cleat_value spec = cleat_value_get(object, "spec");
    size_t mark = cleat_api_report_field(report, "spec");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct cleat_value value = cleat_value_find(spec, fields[i]);
        if (cleat_value_equal(value, cleat_value_find(cleat_value_get(old, "spec"), fields[i])))
            continue;
        size_t inner = report->path.length;
        cleat_buffer_format(&report->path, ".%s", fields[i]);
        cleat_api_report_invalid(report, value, "field is immutable");
        cleat_api_report_leave(report, inner);
    }
    cleat_api_report_leave(report, mark);
}

static bool check_has_version(struct cleat_value object, struct cleat_value name)
{
    struct cleat_value versions = cleat_value_find(object, "spec.versions");
    for (size_t i = 0; i < cleat_value_count(versions); i++)
        if (cleat_value_equal(cleat_value_get(cleat_value_at(versions, i), "name"), name))
            return true;
    return false;
}

static void check_stored(struct cleat_value object, struct cleat_api_report *report)
{
    struct cleat_value stored = cleat_value_find(object, "status.storedVersions");
    size_t mark = cleat_api_report_field(report, "status");
    size_t inner = cleat_api_report_field(report, "storedVersions");
    for (size_t i = 0; i < cleat_value_count(stored); i++) {
        size_t deeper = cleat_api_report_index(report, i);
        if (!check_has_version(object, cleat_value_at(stored, i)))
            cleat_api_report_invalid(report, cleat_value_at(stored, i),
                                     "must appear in spec.versions");
        cleat_api_report_leave(report, deeper);
    }
    cleat_api_report_leave(report, inner);
    cleat_api_report_leave(report, mark);
}

int cleat_api_crd_check(struct cleat_value object, struct cleat_value old,
                        struct cleat_api_report *report)
{
    struct cleat_document *document = NULL;
    if (cleat_document_copy(object, &document, NULL) != 0)
        return -ENOMEM;
    struct cleat_value root = cleat_document_root(document);
    struct cleat_value spec = cleat_value_get(root, "spec");
    check_name(root, report);
    size_t mark = cleat_api_report_field(report, "spec");
    check_group(spec, report);
    check_scope(spec, report);
    check_names(spec, report);
    check_conversion(spec, report);
    if (cleat_value_is_true(cleat_value_get(spec, "preserveUnknownFields")))
        check_invalid(report, "preserveUnknownFields",
                      cleat_value_get(spec, "preserveUnknownFields"),
                      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                      "spec.versions[*].schema instead");
    int result = check_versions(document, spec, report);
    cleat_api_report_leave(report, mark);
    check_stored(root, report);
    if (cleat_value_is_present(old))
        check_immutable(root, old, report);
    (void)cleat_document_unref(document);
    return result;
}
