/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/custom.h"

#include <cleat/path.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "apiserver/verbs.h"
#include "base/limits.h"
#include "base/mem.h"

/* "v1beta2": major 1, stage 1 (alpha 0, beta 1, none 2), minor 2. False for other names. */
static bool order_parse(const char *name, unsigned long *major, int *stage, unsigned long *minor)
{
    char *end = NULL;
    if (name[0] != 'v' || name[1] < '1' || name[1] > '9')
        return false;
    *major = strtoul(name + 1, &end, 10);
    *minor = 0;
    *stage = 2;
    if (!*end)
        return true;
    *stage = strncmp(end, "beta", 4) == 0 ? 1 : 0;
    size_t skip = *stage == 1 ? 4 : 5;
    if (*stage == 0 && strncmp(end, "alpha", 5) != 0)
        return false;
    if (end[skip] < '1' || end[skip] > '9')
        return false;
    *minor = strtoul(end + skip, &end, 10);
    return !*end;
}

static int order_number(unsigned long a, unsigned long b)
{
    return a > b ? -1 : a < b;
}

int cleat_api_custom_order(const char *a, const char *b)
{
    unsigned long major[2];
    unsigned long minor[2];
    int stage[2];
    bool left = order_parse(a, &major[0], &stage[0], &minor[0]);
    bool right = order_parse(b, &major[1], &stage[1], &minor[1]);
    if (left != right)
        return left ? -1 : 1;
    if (!left)
        return strcmp(a, b);
    if (stage[0] != stage[1])
        return stage[0] > stage[1] ? -1 : 1;
    int order = order_number(major[0], major[1]);
    return order != 0 ? order : order_number(minor[0], minor[1]);
}

static void custom_free(void *arg)
{
    struct cleat_api_custom *custom = arg;
    for (size_t i = 0; i < CLEAT_API_VERSIONS_MAX; i++)
        cleat_api_schema_free(custom->schemas[i]);
    (void)cleat_document_unref(custom->document);
    cleat_mem_free(custom);
}

static void custom_text(char *out, size_t size, struct cleat_value root, const char *path)
{
    struct cleat_scratch scratch;
    struct cleat_str text = cleat_value_text(cleat_value_find(root, path), &scratch);
    snprintf(out, size, "%.*s", CLEAT_STR_ARG(text));
}

/* ["a","b"] as "a,b"; what doesn't fit is left out. */
static void custom_names(char *out, size_t size, struct cleat_value list)
{
    size_t length = 0;
    out[0] = 0;
    for (size_t i = 0; i < cleat_value_count(list); i++) {
        struct cleat_scratch scratch;
        struct cleat_str name = cleat_value_text(cleat_value_at(list, i), &scratch);
        if (length + name.length + 2 > size)
            return;
        length += (size_t)snprintf(out + length, size - length, "%s%.*s", i ? "," : "",
                                   CLEAT_STR_ARG(name));
    }
}

static int custom_version(struct cleat_api_resource *resource, struct cleat_api_custom *custom,
                          struct cleat_value source, size_t index, struct cleat_err *err)
{
    struct cleat_api_version *version = &resource->versions[index];
    struct cleat_value schema = cleat_value_find(source, "schema.openAPIV3Schema");
    struct cleat_value subresources = cleat_value_get(source, "subresources");
    struct cleat_api_report report;
    custom_text(version->name, sizeof(version->name), source, "name");
    version->served = cleat_value_is_true(cleat_value_get(source, "served"));
    version->storage = cleat_value_is_true(cleat_value_get(source, "storage"));
    version->has_status =
        cleat_value_type(cleat_value_get(subresources, "status")) == CLEAT_TYPE_OBJECT;
    version->has_scale =
        cleat_value_type(cleat_value_get(subresources, "scale")) == CLEAT_TYPE_OBJECT;
    cleat_api_report_init(&report, NULL, NULL);
    int result = cleat_api_schema_new(custom->document, schema, &report, &custom->schemas[index]);
    cleat_api_report_fini(&report);
    version->schema = custom->schemas[index];
    return result == 0 ? 0
                       : cleat_err_set(err, result, "%s: schema of version %s: not structural",
                                       custom->definition, version->name);
}

static void custom_sort(struct cleat_api_resource *resource)
{
    for (size_t i = 1; i < resource->version_count; i++) {
        struct cleat_api_version moved = resource->versions[i];
        size_t place = i;
        for (; place > 0 &&
               cleat_api_custom_order(resource->versions[place - 1].name, moved.name) > 0;
             place--)
            resource->versions[place] = resource->versions[place - 1];
        resource->versions[place] = moved;
    }
}

static int custom_versions(struct cleat_api_resource *resource, struct cleat_api_custom *custom,
                           struct cleat_value versions, struct cleat_err *err)
{
    size_t count = cleat_value_count(versions);
    int result = 0;
    if (count > CLEAT_API_VERSIONS_MAX)
        return cleat_err_set(err, -EINVAL, "%s: more than %d versions", custom->definition,
                             CLEAT_API_VERSIONS_MAX);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = custom_version(resource, custom, cleat_value_at(versions, i), i, err);
    resource->version_count = count;
    custom_sort(resource);
    return result;
}

static int custom_fill(struct cleat_api_resource *resource, struct cleat_api_custom *custom,
                       struct cleat_err *err)
{
    struct cleat_value root = cleat_document_root(custom->document);
    struct cleat_value names = cleat_value_find(root, "spec.names");
    custom_text(custom->definition, sizeof(custom->definition), root, "metadata.name");
    custom->terminating =
        cleat_value_type(cleat_value_find(root, "metadata.deletionTimestamp")) == CLEAT_TYPE_STRING;
    custom_text(resource->group, sizeof(resource->group), root, "spec.group");
    custom_text(resource->kind, sizeof(resource->kind), names, "kind");
    custom_text(resource->list_kind, sizeof(resource->list_kind), names, "listKind");
    custom_text(resource->plural, sizeof(resource->plural), names, "plural");
    custom_text(resource->singular, sizeof(resource->singular), names, "singular");
    custom_names(resource->short_names, sizeof(resource->short_names),
                 cleat_value_get(names, "shortNames"));
    custom_names(resource->categories, sizeof(resource->categories),
                 cleat_value_get(names, "categories"));
    bool namespaced = cleat_value_is(cleat_value_find(root, "spec.scope"), "Namespaced");
    resource->flags = CLEAT_API_CUSTOM | (namespaced ? CLEAT_API_NAMESPACED : 0);
    return custom_versions(resource, custom, cleat_value_find(root, "spec.versions"), err);
}

int cleat_api_custom_resource(struct cleat_document *definition, struct cleat_api_resource **ret,
                              struct cleat_err *err)
{
    struct cleat_api_resource *resource = NULL;
    struct cleat_api_custom *custom = cleat_mem_zalloc(1, sizeof(*custom));
    int result = custom ? cleat_api_resource_new(&resource) : -ENOMEM;
    if (result != 0) {
        cleat_mem_free(custom);
        return cleat_err_set(err, -ENOMEM, "no memory for a resource");
    }
    custom->document = cleat_document_ref(definition);
    resource->custom = custom;
    resource->custom_free = custom_free;
    result = custom_fill(resource, custom, err);
    if (result != 0) {
        (void)cleat_api_resource_unref(resource);
        return result;
    }
    *ret = resource;
    return 0;
}

static void custom_warn(void *arg, const char *reason, const char *field, const char *detail)
{
    cleat_api_request_warn(arg, detail);
}

static void custom_collect(void *arg, const char *reason, const char *field, const char *detail)
{
    struct cleat_buffer *text = arg;
    cleat_buffer_text(text, text->length ? ", " : "");
    cleat_buffer_text(text, detail);
}

static int custom_strict(const struct cleat_api_operation *operation,
                         const struct cleat_buffer *unknown, struct cleat_api_failure *failure)
{
    if (!unknown->length)
        return 0;
    const char *kind = operation->resource->kind;
    return cleat_api_fail(failure, 400, NULL,
                          "%s in version \"%s\" cannot be handled as a %s: strict decoding error: "
                          "%s",
                          kind, operation->version->name, kind, unknown->data);
}

int cleat_api_custom_prepare(const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_document **ret, struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_api_report report;
    struct cleat_buffer unknown = CLEAT_BUFFER_INIT(64 * CLEAT_KIB);
    struct cleat_str mode = operation->request->write.field_validation;
    struct cleat_document *filled = NULL;
    const struct cleat_api_custom *custom = operation->resource->custom;
    if (custom->terminating && strcmp(operation->name, "CREATE") == 0)
        return cleat_api_fail(failure, 405, "MethodNotAllowed",
                              "create not allowed while custom resource definition is terminating");
    bool strict = cleat_str_is(mode, "Strict");
    bool quiet = cleat_str_is(mode, "Ignore") || operation->mutated;
    if (strict)
        cleat_api_report_init(&report, custom_collect, &unknown);
    else
        cleat_api_report_init(&report, custom_warn, operation->request);
    int result = cleat_api_schema_fill(operation->version->schema, object, quiet ? NULL : &report,
                                       &filled, &err);
    if (result != 0)
        result = cleat_api_fail_err(failure, result == -E2BIG ? 413 : 500, &err);
    else if (!operation->mutated)
        result = custom_strict(operation, &unknown, failure);
    if (result == 0 && filled)
        *ret = filled;
    else
        (void)cleat_document_unref(filled);
    cleat_api_report_fini(&report);
    cleat_buffer_fini(&unknown);
    return result;
}

void cleat_api_custom_check(const struct cleat_api_operation *operation, struct cleat_value object,
                            struct cleat_api_report *report)
{
    cleat_api_schema_validate(operation->version->schema, object, report);
}
