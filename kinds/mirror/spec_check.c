/* SPDX-License-Identifier: Apache-2.0 */
/* What the schema can't say about a spec. */
#include <errno.h>

#include <cleat/name.h>

#include "kinds/mirror/conflict.h"
#include "kinds/mirror/spec.h"

/* What isn't there, or null, is fine. */
static int check_type(struct cleat_value value, enum cleat_value_type wanted, const char *field,
                      struct cleat_err *err)
{
    enum cleat_value_type type = cleat_value_type(value);
    if (type == wanted || type == CLEAT_TYPE_ABSENT || type == CLEAT_TYPE_NULL)
        return 0;
    return cleat_err_set(err, -EINVAL, "%s: must be an %s", field, cleat_value_type_name(wanted));
}

static int check_namespaces(struct cleat_value array, const char *field, struct cleat_err *err)
{
    size_t count = cleat_value_count(array);
    if (count > MIRROR_NAMESPACES_MAX)
        return cleat_err_set(err, -EINVAL, "%s: %zu namespaces, at most %d are possible", field,
                             count, MIRROR_NAMESPACES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct cleat_scratch scratch;
        struct cleat_str name = cleat_value_text(cleat_value_at(array, i), &scratch);
        if (!cleat_name_is_dns_label(name))
            return cleat_err_set(err, -EINVAL, "%s[%zu]: \"%.*s\" isn't the name of a namespace",
                                 field, i, CLEAT_STR_ARG(name));
    }
    return 0;
}

/* Data keys: letters, digits, - _ . as ConfigMaps and Secrets take them. */
static bool check_is_data_key(struct cleat_str key)
{
    if (key.length == 0 || key.length > 253 || cleat_str_is(key, ".") || cleat_str_is(key, "..") ||
        cleat__mirror_begins(key, ".."))
        return false;
    for (size_t i = 0; i < key.length; i++) {
        char c = key.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

static int check_keys(const struct mirror_spec *spec, struct cleat_err *err)
{
    if (!cleat__mirror_spec_has_keys(spec))
        return 0;
    bool core = spec->api_version.length == 0 || cleat_str_is(spec->api_version, "v1");
    if (!core || (!cleat_str_is(spec->kind, "Secret") && !cleat_str_is(spec->kind, "ConfigMap")))
        return cleat_err_set(err, -EINVAL, "spec.copy.keys: a %.*s has no data keys to choose from",
                             CLEAT_STR_ARG(spec->kind));
    for (size_t i = 0; i < cleat_value_count(spec->keys); i++) {
        struct cleat_scratch scratch;
        struct cleat_str key = cleat_value_text(cleat_value_at(spec->keys, i), &scratch);
        if (!check_is_data_key(key))
            return cleat_err_set(err, -EINVAL, "spec.copy.keys[%zu]: \"%.*s\" isn't a data key", i,
                                 CLEAT_STR_ARG(key));
    }
    return 0;
}

static int check_metadata(struct cleat_value members, const char *field, bool labels,
                          struct cleat_err *err)
{
    for (size_t i = 0; i < cleat_value_count(members); i++) {
        struct cleat_scratch scratch;
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(members, i, &key);
        if (!cleat_name_is_label_key(key))
            return cleat_err_set(err, -EINVAL, "%s: \"%.*s\" isn't a valid key", field,
                                 CLEAT_STR_ARG(key));
        if (cleat__mirror_begins(key, MIRROR_OWN_PREFIX))
            return cleat_err_set(err, -EINVAL, "%s: %.*s is Cleat's own to set", field,
                                 CLEAT_STR_ARG(key));
        if (cleat__mirror_is_tracking(key, value))
            return cleat_err_set(err, -EINVAL,
                                 "%s: %.*s marks objects that another tool keeps: on a copy it "
                                 "would have that tool remove or change it",
                                 field, CLEAT_STR_ARG(key));
        if (cleat_value_type(value) != CLEAT_TYPE_STRING)
            return cleat_err_set(err, -EINVAL, "%s: the value of %.*s isn't a string", field,
                                 CLEAT_STR_ARG(key));
        if (labels && !cleat_name_is_label_value(cleat_value_text(value, &scratch)))
            return cleat_err_set(err, -EINVAL, "%s: the value of %.*s isn't a label value", field,
                                 CLEAT_STR_ARG(key));
    }
    return 0;
}

static int check_choice(struct cleat_str value, const char *field, const char *first,
                        const char *second, struct cleat_err *err)
{
    if (value.length == 0 || cleat_str_is(value, first) || cleat_str_is(value, second))
        return 0;
    return cleat_err_set(err, -EINVAL, "%s: \"%.*s\" is neither %s nor %s", field,
                         CLEAT_STR_ARG(value), first, second);
}

static int check_names(const struct mirror_spec *spec, struct cleat_str name, struct cleat_err *err)
{
    /* A name that is still to be generated is judged with the object that comes of it. */
    if (name.length > 0 &&
        (name.length > MIRROR_NAME_BYTES_MAX || !cleat_name_is_label_value(name)))
        return cleat_err_set(
            err, -EINVAL, "metadata.name: \"%.*s\" must fit a label value: at most %d characters",
            CLEAT_STR_ARG(name), MIRROR_NAME_BYTES_MAX);
    if (spec->kind.length == 0)
        return cleat_err_set(err, -EINVAL, "spec.source.kind: must be given");
    if (!cleat_name_is_dns_label(spec->namespace_))
        return cleat_err_set(err, -EINVAL,
                             "spec.source.namespace: \"%.*s\" isn't the name of a namespace",
                             CLEAT_STR_ARG(spec->namespace_));
    if (!cleat_name_is_dns_subdomain(spec->name))
        return cleat_err_set(err, -EINVAL, "spec.source.name: \"%.*s\" isn't a valid name",
                             CLEAT_STR_ARG(spec->name));
    if (!cleat_name_is_dns_subdomain(spec->copy_name))
        return cleat_err_set(err, -EINVAL, "spec.copy.name: \"%.*s\" isn't a valid name",
                             CLEAT_STR_ARG(spec->copy_name));
    return 0;
}

static int check_choices(const struct mirror_spec *spec, struct cleat_err *err)
{
    int rc = check_choice(spec->on_conflict, "spec.onConflict", "Skip", "Replace", err);
    if (rc == 0)
        rc = check_choice(spec->on_delete, "spec.onDelete", "Delete", "Orphan", err);
    if (rc == 0)
        rc = check_choice(spec->on_source_missing, "spec.onSourceMissing", "Keep", "Delete", err);
    return rc;
}

static int check_types(const struct mirror_spec *spec, struct cleat_err *err)
{
    int rc = check_type(spec->namespaces, CLEAT_TYPE_ARRAY, "spec.targets.namespaces", err);
    if (rc == 0)
        rc = check_type(spec->excludes, CLEAT_TYPE_ARRAY, "spec.targets.excludeNamespaces", err);
    if (rc == 0)
        rc = check_type(spec->labels, CLEAT_TYPE_OBJECT, "spec.copy.labels", err);
    if (rc == 0)
        rc = check_type(spec->annotations, CLEAT_TYPE_OBJECT, "spec.copy.annotations", err);
    if (rc == 0)
        rc = check_type(spec->keys, CLEAT_TYPE_ARRAY, "spec.copy.keys", err);
    return rc;
}

int cleat__mirror_spec_check(const struct mirror_spec *spec, struct cleat_str name,
                             struct cleat_err *err)
{
    int rc = check_names(spec, name, err);
    if (rc == 0)
        rc = check_types(spec, err);
    if (rc == 0)
        rc = check_namespaces(spec->namespaces, "spec.targets.namespaces", err);
    if (rc == 0)
        rc = check_namespaces(spec->excludes, "spec.targets.excludeNamespaces", err);
    if (rc == 0)
        rc = check_metadata(spec->labels, "spec.copy.labels", true, err);
    if (rc == 0)
        rc = check_metadata(spec->annotations, "spec.copy.annotations", false, err);
    if (rc == 0)
        rc = check_keys(spec, err);
    return rc == 0 ? check_choices(spec, err) : rc;
}
