/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/builtin.h"

#include <errno.h>
#include <stdio.h>

#include "apiserver/alias.h"

static int builtin_add(struct cleat_api_registry *registry, const struct cleat_api_kind *kind)
{
    struct cleat_api_resource *resource = NULL;
    int result = cleat_api_resource_new(&resource);
    if (result != 0)
        return result;
    snprintf(resource->group, sizeof(resource->group), "%s", kind->group);
    snprintf(resource->kind, sizeof(resource->kind), "%s", kind->kind);
    snprintf(resource->list_kind, sizeof(resource->list_kind), "%sList", kind->kind);
    snprintf(resource->plural, sizeof(resource->plural), "%s", kind->plural);
    snprintf(resource->singular, sizeof(resource->singular), "%s", kind->singular);
    snprintf(resource->short_names, sizeof(resource->short_names), "%s", kind->short_names);
    snprintf(resource->categories, sizeof(resource->categories), "%s", kind->categories);
    resource->flags = kind->flags;
    struct cleat_api_version *version = &resource->versions[resource->version_count++];
    snprintf(version->name, sizeof(version->name), "%s", kind->version);
    version->served = version->storage = true;
    version->has_status = (kind->flags & CLEAT_API_STATUS) != 0;
    version->has_scale = (kind->flags & CLEAT_API_SCALE) != 0;
    result = cleat_api_registry_add(registry, resource);
    if (result == 0 && !kind->group[0] && strcmp(kind->plural, "namespaces") == 0)
        registry->namespaces = resource;
    (void)cleat_api_resource_unref(resource);
    return result;
}

int cleat_api_builtin_add(struct cleat_api_registry *registry)
{
    size_t count = 0;
    const struct cleat_api_kind *kinds = cleat_api_kinds(&count);
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = builtin_add(registry, &kinds[i]);
    return result == 0 ? cleat_api_alias_events(registry) : result;
}

int cleat_api_builtin_user(const char *name, struct cleat_api_user **ret)
{
    struct cleat_api_user *user = NULL;
    int result = cleat_api_user_new(cleat_str_of(name), CLEAT_STR(""), &user);
    if (result == 0)
        result = cleat_api_user_add_group(user, CLEAT_STR("system:serviceaccounts"));
    if (result == 0)
        result = cleat_api_user_add_group(user, CLEAT_STR("system:serviceaccounts:kube-system"));
    if (result == 0)
        result = cleat_api_user_add_group(user, CLEAT_STR("system:authenticated"));
    if (result != 0) {
        (void)cleat_api_user_unref(user);
        return result;
    }
    *ret = user;
    return 0;
}

static int builtin_namespace(struct cleat_api_server *server, struct cleat_api_user *user,
                             const char *name, struct cleat_err *err)
{
    char body[256];
    struct cleat_api_response response;
    snprintf(body, sizeof(body),
             "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\"}}", name);
    const struct cleat_api_http http = {
        .method = "POST", .path = "/api/v1/namespaces", .query = "", .body = cleat_str_of(body)};
    cleat_api_server_handle_as(server, user, &http, &response);
    int result = response.code == 201 ? 0
                                      : cleat_err_set(err, -EIO, "namespace %s: can't be made: %s",
                                                      name, response.body.data);
    cleat_api_response_fini(&response);
    return result;
}

int cleat_api_builtin_namespaces(struct cleat_api_server *server, struct cleat_err *err)
{
    static const char *const names[] = {"default", "kube-system", "kube-public", "kube-node-lease"};
    struct cleat_api_user *user = NULL;
    int result = cleat_api_builtin_user("system:apiserver", &user);
    for (size_t i = 0; result == 0 && i < sizeof(names) / sizeof(names[0]); i++)
        result = builtin_namespace(server, user, names[i], err);
    (void)cleat_api_user_unref(user);
    return result == -ENOMEM ? cleat_err_set(err, result, "no memory for namespaces") : result;
}
