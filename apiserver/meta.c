/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/meta.h"

#include <cleat/name.h>
#include <cleat/path.h>
#include <cleat/time.h>
#include <errno.h>
#include <stdio.h>

#define META_NAME_BYTES_MAX 253
#define META_RANDOM_BYTES 5

static struct cleat_str meta_text(struct cleat_value root, const char *key,
                                  struct cleat_scratch *scratch)
{
    return cleat_value_text(cleat_value_get(cleat_value_get(root, "metadata"), key), scratch);
}

static bool change_has(const struct cleat_api_change *change, enum cleat_api_flag flag)
{
    return (change->request->resource->flags & (unsigned)flag) != 0;
}

/* True where status is written only through its subresource. */
static bool change_splits_status(const struct cleat_api_change *change)
{
    return change_has(change, CLEAT_API_CUSTOM) ? change->request->version->has_status
                                                : change_has(change, CLEAT_API_STATUS);
}

static bool change_counts_generation(const struct cleat_api_change *change)
{
    return change_has(change, CLEAT_API_CUSTOM) || change_has(change, CLEAT_API_GENERATION);
}

/* kind and apiVersion of the request, whatever was left out. */
static int meta_type(struct cleat_api_change *change, struct cleat_draft *draft,
                     struct cleat_err *err)
{
    int result = cleat_draft_set_text(draft, "apiVersion", change->request->api_version, err);
    return result == 0 ? cleat_draft_set_text(draft, "kind", change->request->resource->kind, err)
                       : result;
}

static int meta_namespace_defaults(struct cleat_api_change *change, struct cleat_draft *draft,
                                   struct cleat_err *err)
{
    struct cleat_scratch scratch;
    struct cleat_str name = meta_text(cleat_api_change_object(change), "name", &scratch);
    int result = cleat_draft_set_json(draft, "spec.finalizers", "[\"kubernetes\"]", err);
    if (result == 0)
        result = cleat_draft_set_json(draft, "status", "{\"phase\":\"Active\"}", err);
    if (result == 0 && name.length)
        result = cleat_draft_set_str(draft, "metadata.labels[\"kubernetes.io/metadata.name\"]",
                                     name, err);
    return result;
}

static bool change_is_namespace(const struct cleat_api_change *change)
{
    return strcmp(change->request->resource->plural, "namespaces") == 0 &&
           !change->request->resource->group[0];
}

int cleat_api_meta_clean(struct cleat_api_change *change, struct cleat_draft *draft,
                         struct cleat_err *err)
{
    static const char *const dropped[] = {
        "metadata.uid",
        "metadata.resourceVersion",
        "metadata.creationTimestamp",
        "metadata.deletionTimestamp",
        "metadata.deletionGracePeriodSeconds",
        "metadata.generation",
        "metadata.selfLink",
        "metadata.managedFields",
    };
    int result = meta_type(change, draft, err);
    for (size_t i = 0; result == 0 && i < sizeof(dropped) / sizeof(dropped[0]); i++)
        result = cleat_draft_remove(draft, dropped[i], err);
    if (result == 0 && change_has(change, CLEAT_API_NAMESPACED))
        result = cleat_draft_set_str(draft, "metadata.namespace", change->request->namespace_, err);
    else if (result == 0)
        result = cleat_draft_remove(draft, "metadata.namespace", err);
    if (result == 0 && change_splits_status(change))
        result = cleat_draft_remove(draft, "status", err);
    return result == 0 && change_is_namespace(change) ? meta_namespace_defaults(change, draft, err)
                                                      : result;
}

static int meta_generate_name(struct cleat_api_change *change, struct cleat_draft *draft,
                              struct cleat_err *err)
{
    /* Without vowels and what looks like another. Source: apimachinery's util/rand. */
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    char name[META_NAME_BYTES_MAX + 1];
    struct cleat_scratch scratch;
    struct cleat_value object = cleat_api_change_object(change);
    if (meta_text(object, "name", &scratch).length)
        return 0;
    struct cleat_str base = meta_text(object, "generateName", &scratch);
    if (!base.length)
        return 0;
    /* Kubernetes cuts what is too long for a label, so that every name can be one. */
    size_t length = base.length > 63 - META_RANDOM_BYTES ? 63 - META_RANDOM_BYTES : base.length;
    memcpy(name, base.data, length);
    for (size_t i = 0; i < META_RANDOM_BYTES; i++)
        name[length++] = alphabet[cleat_clock_random_below(change->request->server->clock,
                                                           sizeof(alphabet) - 1)];
    name[length] = 0;
    return cleat_draft_set_text(draft, "metadata.name", name, err);
}

int cleat_api_meta_stamp(struct cleat_api_change *change, struct cleat_draft *draft,
                         struct cleat_err *err)
{
    const struct cleat_clock *clock = change->request->server->clock;
    char uid[37];
    char now[CLEAT_TIME_BYTES];
    cleat_clock_uuid(clock, uid);
    (void)cleat_time_write(cleat_clock_wall_ms(clock), now);
    int result = meta_generate_name(change, draft, err);
    if (result == 0)
        result = cleat_draft_set_text(draft, "metadata.uid", uid, err);
    if (result == 0)
        result = cleat_draft_set_text(draft, "metadata.creationTimestamp", now, err);
    if (result == 0 && change_counts_generation(change))
        result = cleat_draft_set_int(draft, "metadata.generation", 1, err);
    return result;
}

static int meta_keep(struct cleat_draft *draft, const char *path, struct cleat_value old,
                     struct cleat_err *err)
{
    struct cleat_value value = cleat_value_find(old, path);
    return cleat_value_is_present(value) ? cleat_draft_set(draft, path, value, err)
                                         : cleat_draft_remove(draft, path, err);
}

/* True where something outside of metadata and (with its own subresource) status differs. */
static bool meta_spec_changed(struct cleat_value a, struct cleat_value b)
{
    for (size_t i = 0; i < cleat_value_count(a); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(a, i, &key);
        if (cleat_str_is(key, "metadata") || cleat_str_is(key, "status") ||
            cleat_str_is(key, "apiVersion") || cleat_str_is(key, "kind"))
            continue;
        if (!cleat_value_equal(value, cleat_value_get_str(b, key)))
            return true;
    }
    return false;
}

static int meta_count(struct cleat_api_change *change, struct cleat_draft *draft,
                      struct cleat_err *err)
{
    struct cleat_value old = cleat_api_change_old(change);
    int64_t generation =
        cleat_value_int_or(cleat_value_get(cleat_value_get(old, "metadata"), "generation"), 0);
    return cleat_draft_set_int(draft, "metadata.generation", generation + 1, err);
}

int cleat_api_meta_carry(struct cleat_api_change *change, struct cleat_draft *draft,
                         struct cleat_err *err)
{
    static const char *const kept[] = {
        "metadata.uid",
        "metadata.name",
        "metadata.namespace",
        "metadata.generateName",
        "metadata.resourceVersion",
        "metadata.creationTimestamp",
        "metadata.deletionTimestamp",
        "metadata.deletionGracePeriodSeconds",
        "metadata.generation",
        "metadata.selfLink",
        "metadata.managedFields",
    };
    struct cleat_value old = cleat_api_change_old(change);
    struct cleat_value object = cleat_api_change_object(change);
    int result = meta_type(change, draft, err);
    for (size_t i = 0; result == 0 && i < sizeof(kept) / sizeof(kept[0]); i++)
        result = meta_keep(draft, kept[i], old, err);
    if (result == 0 && change_is_namespace(change) && !change->request->subresource.length)
        result = meta_keep(draft, "spec.finalizers", old, err);
    if (result == 0 && change_splits_status(change) && !change->request->subresource.length)
        result = meta_keep(draft, "status", old, err);
    bool counts = change_counts_generation(change) &&
                  (meta_spec_changed(object, old) || meta_spec_changed(old, object));
    return result == 0 && counts ? meta_count(change, draft, err) : result;
}

int cleat_api_meta_mark(struct cleat_api_change *change, struct cleat_draft *draft,
                        struct cleat_err *err)
{
    char now[CLEAT_TIME_BYTES];
    (void)cleat_time_write(cleat_clock_wall_ms(change->request->server->clock), now);
    int result = cleat_draft_set_text(draft, "metadata.deletionTimestamp", now, err);
    if (result == 0)
        result = cleat_draft_set_int(draft, "metadata.deletionGracePeriodSeconds", 0, err);
    if (result == 0 && change_is_namespace(change))
        result = cleat_draft_set_text(draft, "status.phase", "Terminating", err);
    return result == 0 && change_counts_generation(change) ? meta_count(change, draft, err)
                                                           : result;
}

static bool meta_path_segment(struct cleat_str name)
{
    return !cleat_str_is(name, ".") && !cleat_str_is(name, "..") &&
           !memchr(name.data, '/', name.length) && !memchr(name.data, '%', name.length);
}

int cleat_api_meta_check(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    const struct cleat_api_resource *resource = change->request->resource;
    struct cleat_scratch scratch;
    struct cleat_str name = meta_text(cleat_api_change_object(change), "name", &scratch);
    if (!name.length)
        return cleat_api_fail_invalid(failure, resource, name, "FieldValueRequired",
                                      "metadata.name",
                                      "Required value: name or generateName is required");
    if (resource->flags & CLEAT_API_PATH_NAMES)
        return meta_path_segment(name)
                   ? 0
                   : cleat_api_fail_invalid(failure, resource, name, "FieldValueInvalid",
                                            "metadata.name",
                                            "Invalid value: \"%.*s\": may not contain "
                                            "'/' or '%%'",
                                            CLEAT_STR_ARG(name));
    if (resource->flags & CLEAT_API_LABEL_NAMES)
        return cleat_name_is_dns_label(name)
                   ? 0
                   : cleat_api_fail_invalid(
                         failure, resource, name, "FieldValueInvalid", "metadata.name",
                         "Invalid value: \"%.*s\": a lowercase RFC 1123 label must consist of "
                         "lower "
                         "case alphanumeric characters or '-', and must start and end with an "
                         "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
                         "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
                         CLEAT_STR_ARG(name));
    if (cleat_name_is_dns_subdomain(name))
        return 0;
    return cleat_api_fail_invalid(
        failure, resource, name, "FieldValueInvalid", "metadata.name",
        "Invalid value: \"%.*s\": a lowercase RFC 1123 subdomain must consist of lower case "
        "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
        "character "
        "(e.g. 'example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        CLEAT_STR_ARG(name));
}

static bool meta_members_same(struct cleat_value a, struct cleat_value b, const char *except)
{
    size_t compared = 0;
    for (size_t i = 0; i < cleat_value_count(a); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(a, i, &key);
        if (cleat_str_is(key, except))
            continue;
        compared++;
        if (!cleat_value_equal(value, cleat_value_get_str(b, key)))
            return false;
    }
    size_t other =
        cleat_value_count(b) - (cleat_value_is_present(cleat_value_get(b, except)) ? 1 : 0);
    return compared == other;
}

bool cleat_api_meta_same(struct cleat_value a, struct cleat_value b)
{
    return meta_members_same(a, b, "metadata") &&
           meta_members_same(cleat_value_get(a, "metadata"), cleat_value_get(b, "metadata"),
                             "resourceVersion");
}

bool cleat_api_meta_gone(struct cleat_value object)
{
    if (cleat_value_count(cleat_value_find(object, "metadata.finalizers")) > 0)
        return false;
    if (!cleat_value_is(cleat_value_get(object, "kind"), "Namespace") ||
        !cleat_value_is(cleat_value_get(object, "apiVersion"), "v1"))
        return true;
    return cleat_value_count(cleat_value_find(object, "spec.finalizers")) == 0;
}
