/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/spec.h"

#include <errno.h>

#define SPEC_VERBS                                                                                 \
    (CLEAT_VERB_GET | CLEAT_VERB_LIST | CLEAT_VERB_WATCH | CLEAT_VERB_CREATE | CLEAT_VERB_UPDATE | \
     CLEAT_VERB_PATCH | CLEAT_VERB_DELETE)

const struct cleat_resource mirror_resource = {
    .gvk = {MIRROR_GROUP, MIRROR_VERSION, MIRROR_KIND},
    .plural = "mirrors",
    .singular = "mirror",
    .verbs = SPEC_VERBS,
};

const struct cleat_resource mirror_namespace_resource = {
    .gvk = {"", "v1", "Namespace"},
    .plural = "namespaces",
    .singular = "namespace",
    .verbs = SPEC_VERBS,
};

#define SPEC_BIND(field, path, type, required) \
    CLEAT_BIND(struct mirror_spec, field, path, type, required)

static const struct cleat_binding spec_bindings[] = {
    SPEC_BIND(api_version, "spec.source.apiVersion", CLEAT_BIND_STR, false),
    SPEC_BIND(kind, "spec.source.kind", CLEAT_BIND_STR, true),
    SPEC_BIND(namespace_, "spec.source.namespace", CLEAT_BIND_STR, true),
    SPEC_BIND(name, "spec.source.name", CLEAT_BIND_STR, true),
    SPEC_BIND(selector_value, "spec.targets.namespaceSelector", CLEAT_BIND_VALUE, false),
    SPEC_BIND(namespaces, "spec.targets.namespaces", CLEAT_BIND_VALUE, false),
    SPEC_BIND(excludes, "spec.targets.excludeNamespaces", CLEAT_BIND_VALUE, false),
    SPEC_BIND(copy_name, "spec.copy.name", CLEAT_BIND_STR, false),
    SPEC_BIND(labels, "spec.copy.labels", CLEAT_BIND_VALUE, false),
    SPEC_BIND(annotations, "spec.copy.annotations", CLEAT_BIND_VALUE, false),
    SPEC_BIND(keys, "spec.copy.keys", CLEAT_BIND_VALUE, false),
    SPEC_BIND(on_conflict, "spec.onConflict", CLEAT_BIND_STR, false),
    SPEC_BIND(on_delete, "spec.onDelete", CLEAT_BIND_STR, false),
    SPEC_BIND(on_source_missing, "spec.onSourceMissing", CLEAT_BIND_STR, false),
};

#define SPEC_COUNT (sizeof(spec_bindings) / sizeof(spec_bindings[0]))

static void spec_derive(struct mirror_spec *spec)
{
    if (!spec->api_version.data)
        spec->api_version = CLEAT_STR("");
    if (spec->copy_name.length == 0)
        spec->copy_name = spec->name;
    spec->replace = cleat_str_is(spec->on_conflict, "Replace");
    spec->orphan = cleat_str_is(spec->on_delete, "Orphan");
    spec->delete_when_missing = cleat_str_is(spec->on_source_missing, "Delete");
}

/* An absent selector and a null one select nothing. */
static int spec_selector(struct mirror_spec *spec, struct cleat_err *err)
{
    enum cleat_value_type type = cleat_value_type(spec->selector_value);
    if (type == CLEAT_TYPE_ABSENT || type == CLEAT_TYPE_NULL)
        return 0;
    int rc = cleat_selector_of(spec->selector_value, &spec->selector, err);
    if (rc < 0)
        cleat_err_prefix(err, "spec.targets.namespaceSelector");
    return rc;
}

int cleat__mirror_spec_read(struct cleat_value root, struct mirror_spec *ret, struct cleat_err *err)
{
    *ret = (struct mirror_spec){0};
    int rc = cleat_binding_read(spec_bindings, SPEC_COUNT, root, ret, &ret->scratch, err);
    if (rc == 0) {
        spec_derive(ret);
        rc = spec_selector(ret, err);
    }
    if (rc < 0)
        cleat__mirror_spec_fini(ret);
    return rc;
}

void cleat__mirror_spec_fini(struct mirror_spec *spec)
{
    spec->selector = cleat_selector_free(spec->selector);
    cleat_binding_scratch_fini(&spec->scratch);
}

bool cleat__mirror_list_has(struct cleat_value array, struct cleat_str text)
{
    for (size_t i = 0; i < cleat_value_count(array); i++)
        if (cleat_value_is_str(cleat_value_at(array, i), text))
            return true;
    return false;
}

bool cleat__mirror_spec_has_keys(const struct mirror_spec *spec)
{
    return cleat_value_type(spec->keys) == CLEAT_TYPE_ARRAY && cleat_value_count(spec->keys) > 0;
}

bool cleat__mirror_begins(struct cleat_str text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text.length >= length && memcmp(text.data, prefix, length) == 0;
}
