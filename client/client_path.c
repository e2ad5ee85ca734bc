/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of the API: /api/v1/… for the core group, /apis/GROUP/VERSION/… for all others. What would
 * lead to another object than the one meant is refused before anything is sent.
 */
#include "client/client.h"

#include <errno.h>
#include <string.h>

static bool path_has(const char *text)
{
    return text && text[0];
}

/* apimachinery's IsValidPathSegmentName. */
static int path_segment(struct cleat_buffer *path, const char *what, const char *text,
                        struct cleat_err *err)
{
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0 || strpbrk(text, "/%"))
        return cleat_err_set(err, -EINVAL, "%s \"%.200s\": can't be part of a path", what, text);
    cleat_buffer_byte(path, '/');
    cleat_query_escape(path, cleat_str_of(text));
    return 0;
}

static int path_group(const struct cleat_resource *resource, struct cleat_buffer *path,
                      struct cleat_err *err)
{
    if (!resource->gvk.version[0] || !resource->plural[0]) {
        return cleat_err_set(err, -EINVAL, "%s: resource without version or plural name",
                             resource->gvk.kind);
    }
    cleat_buffer_text(path, resource->gvk.group[0] ? "/apis" : "/api");
    int result = resource->gvk.group[0] ? path_segment(path, "group", resource->gvk.group, err) : 0;
    return result == 0 ? path_segment(path, "version", resource->gvk.version, err) : result;
}

static int path_check(const struct cleat_client_target *target, enum client_path_kind kind,
                      struct cleat_err *err)
{
    const char *plural = target->resource->plural;
    if (target->resource->namespaced && !path_has(target->namespace_) &&
        kind != CLIENT_PATH_COLLECTION)
        return cleat_err_set(err, -EINVAL, "%s: a namespace is needed", plural);
    if (!target->resource->namespaced && path_has(target->namespace_)) {
        return cleat_err_set(err, -EINVAL, "%s: cluster-scoped, but namespace \"%.100s\" was given",
                             plural, target->namespace_);
    }
    bool named = kind == CLIENT_PATH_ITEM || path_has(target->subresource);
    if (named && !path_has(target->name))
        return cleat_err_set(err, -EINVAL, "%s: a name is needed", plural);
    if (kind == CLIENT_PATH_COLLECTION && path_has(target->name)) {
        return cleat_err_set(err, -EINVAL, "%s: a collection has no name, but \"%.200s\" was given",
                             plural, target->name);
    }
    return 0;
}

int cleat__client_path(const struct cleat_client_target *target, enum client_path_kind kind,
                       struct cleat_buffer *path, struct cleat_err *err)
{
    int result = path_check(target, kind, err);
    if (result == 0)
        result = path_group(target->resource, path, err);
    if (result == 0 && path_has(target->namespace_)) {
        cleat_buffer_text(path, "/namespaces");
        result = path_segment(path, "namespace", target->namespace_, err);
    }
    if (result == 0)
        result = path_segment(path, "resource", target->resource->plural, err);
    bool named = kind == CLIENT_PATH_ITEM || path_has(target->subresource);
    if (result == 0 && named)
        result = path_segment(path, "name", target->name, err);
    if (result == 0 && path_has(target->subresource))
        result = path_segment(path, "subresource", target->subresource, err);
    return result < 0 ? result : path->failed;
}
