/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespace controller: a namespace that is being deleted is emptied, resource by resource, and
 * then let go. Each living one has the ConfigMap with the server's CA. Source: Kubernetes
 * documentation, "Namespaces".
 */
#include <cleat/write.h>
#include <errno.h>

#include "apiserver/internal.h"
#include "apiserver/janitor.h"
#include "base/limits.h"
#include "base/mem.h"

#define ROOT_CA_NAME "kube-root-ca.crt"

static bool resource_has_content(const struct cleat_api_resource *resource)
{
    return (resource->flags & CLEAT_API_NAMESPACED) && !(resource->flags & CLEAT_API_REVIEW) &&
           !resource->alias;
}

static size_t namespace_count(struct cleat_api_server *server, struct cleat_api_resource *resource,
                              struct cleat_str name)
{
    struct cleat_api_snapshot snapshot = {0};
    const struct cleat_api_range range = {.namespace_ = name};
    if (cleat_api_registry_range(&server->registry, resource, &range, &snapshot) != 0)
        return 1;
    size_t count = snapshot.count;
    cleat_api_snapshot_fini(&snapshot);
    return count;
}

/* Deletes what is left of one resource; returns how much stays. */
static size_t namespace_empty_one(struct cleat_api_janitor *janitor,
                                  struct cleat_api_resource *resource, struct cleat_str name)
{
    struct cleat_api_server *server = cleat_api_janitor_server(janitor);
    if (!resource_has_content(resource) || namespace_count(server, resource, name) == 0)
        return 0;
    struct cleat_buffer path = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
    struct cleat_buffer body = CLEAT_BUFFER_INIT(CLEAT_KIB);
    cleat_api_internal_path(resource, name, CLEAT_STR(""), &path);
    cleat_buffer_text(&body,
                      "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":"
                      "\"Background\"}");
    (void)cleat_api_internal_call(server,
                                  cleat_api_janitor_user(janitor, CLEAT_API_CHORE_NAMESPACE),
                                  "DELETE", &path, NULL, &body); /* what stays is counted below */
    cleat_buffer_fini(&path);
    cleat_buffer_fini(&body);
    return namespace_count(server, resource, name);
}

static size_t namespace_empty(struct cleat_api_janitor *janitor, struct cleat_str name)
{
    struct cleat_api_resource **resources = NULL;
    size_t count = 0;
    size_t left = 0;
    if (cleat_api_registry_all(&cleat_api_janitor_server(janitor)->registry, &resources, &count) !=
        0)
        return 1;
    for (size_t i = 0; i < count; i++) {
        left += namespace_empty_one(janitor, resources[i], name);
        (void)cleat_api_resource_unref(resources[i]);
    }
    cleat_mem_free(resources);
    return left;
}

/* Takes "kubernetes" out of spec.finalizers by the subresource finalize, which completes the
 * deletion. */
static int namespace_finalize(struct cleat_api_janitor *janitor, const struct cleat_api_task *task)
{
    struct cleat_buffer path = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
    struct cleat_buffer body = CLEAT_BUFFER_INIT(CLEAT_KIB);
    cleat_api_internal_path(task->resource, CLEAT_STR(""), cleat_str_of(task->name), &path);
    cleat_buffer_text(&path, "/finalize");
    cleat_buffer_text(&body, "{\"spec\":{\"finalizers\":[]}}");
    int code = cleat_api_internal_call(cleat_api_janitor_server(janitor),
                                       cleat_api_janitor_user(janitor, CLEAT_API_CHORE_NAMESPACE),
                                       "PATCH", &path, "application/merge-patch+json", &body);
    cleat_buffer_fini(&path);
    cleat_buffer_fini(&body);
    return code < 400 || code == 404 ? 0 : 1;
}

/* Every namespace has the CA; made again where somebody deleted it. */
static int namespace_publish(struct cleat_api_janitor *janitor, struct cleat_str name)
{
    struct cleat_api_server *server = cleat_api_janitor_server(janitor);
    struct cleat_api_resource *configmaps =
        cleat_api_registry_find(&server->registry, CLEAT_STR(""), CLEAT_STR("configmaps"));
    if (!configmaps)
        return 0;
    struct cleat_api_record *there =
        cleat_api_registry_get(&server->registry, configmaps, name, CLEAT_STR(ROOT_CA_NAME));
    int code = 200;
    if (!there) {
        struct cleat_buffer path = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
        struct cleat_buffer body = CLEAT_BUFFER_INIT(64 * CLEAT_KIB);
        cleat_api_internal_path(configmaps, name, CLEAT_STR(""), &path);
        cleat_buffer_text(&body,
                          "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
                          "\"" ROOT_CA_NAME "\"},\"data\":{\"ca.crt\":");
        cleat_write_string(&body, cleat_str_of(server->ca_pem));
        cleat_buffer_text(&body, "}}");
        code = cleat_api_internal_call(server,
                                       cleat_api_janitor_user(janitor, CLEAT_API_CHORE_NAMESPACE),
                                       "POST", &path, NULL, &body);
        cleat_buffer_fini(&path);
        cleat_buffer_fini(&body);
    }
    (void)cleat_api_record_unref(there);
    (void)cleat_api_resource_unref(configmaps);
    return code < 400 || code == 409 || code == 404 ? 0 : 1;
}

int cleat_api_namespace_tidy(struct cleat_api_janitor *janitor, const struct cleat_api_task *task)
{
    struct cleat_api_server *server = cleat_api_janitor_server(janitor);
    struct cleat_str name = cleat_str_of(task->name);
    struct cleat_api_record *record =
        cleat_api_registry_get(&server->registry, task->resource, CLEAT_STR(""), name);
    if (!record)
        return 0;
    bool deleting = record->deleting;
    (void)cleat_api_record_unref(record);
    if (!deleting)
        return namespace_publish(janitor, name);
    return namespace_empty(janitor, name) > 0 ? 1 : namespace_finalize(janitor, task);
}
