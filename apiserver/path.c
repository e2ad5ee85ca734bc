/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that aren't about resources: discovery in its two forms, version, health. Source: API
 * Concepts, "Discovery".
 */
#include <cleat/write.h>
#include <errno.h>
#include <stdio.h>

#include "apiserver/verbs.h"
#include "base/mem.h"

/* All resources, for the time of one answer. */
struct discovery {
    struct cleat_api_resource **resources; /* by group, then plural */
    size_t count;
};

static int discovery_init(struct discovery *discovery, struct cleat_api_registry *registry,
                          struct cleat_api_failure *failure)
{
    *discovery = (struct discovery){0};
    if (cleat_api_registry_all(registry, &discovery->resources, &discovery->count) != 0)
        return cleat_api_fail(failure, 500, NULL, "no memory for discovery");
    return 0;
}

static void discovery_fini(struct discovery *discovery)
{
    for (size_t i = 0; i < discovery->count; i++)
        (void)cleat_api_resource_unref(discovery->resources[i]);
    cleat_mem_free(discovery->resources);
}

static void write_text(struct cleat_buffer *out, const char *before, const char *text)
{
    cleat_buffer_text(out, before);
    cleat_write_string(out, cleat_str_of(text));
}

/* "a,b" as ["a","b"]. */
static void write_names(struct cleat_buffer *out, const char *before, const char *names)
{
    cleat_buffer_text(out, before);
    cleat_buffer_byte(out, '[');
    while (*names) {
        size_t length = strcspn(names, ",");
        cleat_write_string(out, (struct cleat_str){names, length});
        names += length;
        if (*names) {
            names++;
            cleat_buffer_byte(out, ',');
        }
    }
    cleat_buffer_byte(out, ']');
}

static const char *verbs_of(const struct cleat_api_resource *resource)
{
    return resource->flags & CLEAT_API_REVIEW
               ? "create"
               : "create,delete,deletecollection,get,list,patch,update,watch";
}

/* Versions of one group, each once, those of its first resource first. */
struct group_versions {
    const char *names[32];
    size_t count;
};

static void group_versions_add(struct group_versions *versions, const char *name)
{
    for (size_t i = 0; i < versions->count; i++)
        if (strcmp(versions->names[i], name) == 0)
            return;
    if (versions->count < 32)
        versions->names[versions->count++] = name;
}

/* The group that begins at @from; returns where the next one does. */
static size_t group_read(const struct discovery *discovery, size_t from, struct group_versions *ret)
{
    const char *group = discovery->resources[from]->group;
    size_t i = from;
    ret->count = 0;
    for (; i < discovery->count && strcmp(discovery->resources[i]->group, group) == 0; i++)
        for (size_t v = 0; v < discovery->resources[i]->version_count; v++)
            if (discovery->resources[i]->versions[v].served)
                group_versions_add(ret, discovery->resources[i]->versions[v].name);
    return i;
}

static void write_scope(const struct cleat_api_resource *resource, struct cleat_buffer *out)
{
    cleat_buffer_text(out, resource->flags & CLEAT_API_NAMESPACED ? ",\"scope\":\"Namespaced\""
                                                                  : ",\"scope\":\"Cluster\"");
}

static bool version_has(const struct cleat_api_resource *resource,
                        const struct cleat_api_version *version, enum cleat_api_flag flag)
{
    if (!(resource->flags & CLEAT_API_CUSTOM))
        return (resource->flags & (unsigned)flag) != 0;
    return flag == CLEAT_API_STATUS ? version->has_status : version->has_scale;
}

static void write_aggregated_sub(const char *name, const char *group, const char *version,
                                 const char *kind, bool first, struct cleat_buffer *out)
{
    write_text(out, first ? "{\"subresource\":" : ",{\"subresource\":", name);
    write_text(out, ",\"responseKind\":{\"group\":", group);
    write_text(out, ",\"version\":", version);
    write_text(out, ",\"kind\":", kind);
    write_names(out, "},\"verbs\":", "get,patch,update");
    cleat_buffer_byte(out, '}');
}

static void write_aggregated(const struct cleat_api_resource *resource,
                             const struct cleat_api_version *version, struct cleat_buffer *out)
{
    write_text(out, "{\"resource\":", resource->plural);
    write_text(out, ",\"responseKind\":{\"group\":", resource->group);
    write_text(out, ",\"version\":", version->name);
    write_text(out, ",\"kind\":", resource->kind);
    cleat_buffer_byte(out, '}');
    write_scope(resource, out);
    write_text(out, ",\"singularResource\":", resource->singular);
    write_names(out, ",\"verbs\":", verbs_of(resource));
    if (resource->short_names[0])
        write_names(out, ",\"shortNames\":", resource->short_names);
    if (resource->categories[0])
        write_names(out, ",\"categories\":", resource->categories);
    bool status = version_has(resource, version, CLEAT_API_STATUS);
    bool scale = version_has(resource, version, CLEAT_API_SCALE);
    if (status || scale) {
        cleat_buffer_text(out, ",\"subresources\":[");
        if (status)
            write_aggregated_sub("status", resource->group, version->name, resource->kind, true,
                                 out);
        if (scale)
            write_aggregated_sub("scale", "autoscaling", "v1", "Scale", !status, out);
        cleat_buffer_byte(out, ']');
    }
    cleat_buffer_byte(out, '}');
}

static void write_aggregated_version(const struct discovery *discovery, size_t from, size_t to,
                                     const char *name, struct cleat_buffer *out)
{
    bool first = true;
    write_text(out, "{\"version\":", name);
    cleat_buffer_text(out, ",\"resources\":[");
    for (size_t i = from; i < to; i++) {
        const struct cleat_api_version *version =
            cleat_api_resource_version(discovery->resources[i], cleat_str_of(name));
        if (!version)
            continue;
        cleat_buffer_text(out, first ? "" : ",");
        write_aggregated(discovery->resources[i], version, out);
        first = false;
    }
    cleat_buffer_text(out, "],\"freshness\":\"Current\"}");
}

static void write_aggregated_groups(const struct discovery *discovery, bool core,
                                    struct cleat_buffer *out)
{
    bool first = true;
    struct group_versions versions;
    cleat_buffer_text(out, "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":"
                           "\"apidiscovery.k8s.io/v2\",\"metadata\":{},\"items\":[");
    for (size_t from = 0, to = 0; from < discovery->count; from = to) {
        to = group_read(discovery, from, &versions);
        const char *group = discovery->resources[from]->group;
        if (core != !group[0])
            continue;
        cleat_buffer_text(out, first ? "{\"metadata\":{" : ",{\"metadata\":{");
        first = false;
        if (group[0])
            write_text(out, "\"name\":", group);
        cleat_buffer_text(out, "},\"versions\":[");
        for (size_t i = 0; i < versions.count; i++) {
            cleat_buffer_text(out, i ? "," : "");
            write_aggregated_version(discovery, from, to, versions.names[i], out);
        }
        cleat_buffer_text(out, "]}");
    }
    cleat_buffer_text(out, "]}\n");
}

static void write_group_version(const char *group, const char *version, struct cleat_buffer *out)
{
    char text[CLEAT_API_VERSION_BYTES_MAX + 1];
    snprintf(text, sizeof(text), "%s%s%s", group, group[0] ? "/" : "", version);
    write_text(out, "{\"groupVersion\":", text);
    write_text(out, ",\"version\":", version);
    cleat_buffer_byte(out, '}');
}

static void write_group(const char *group, const struct group_versions *versions, const char *kind,
                        struct cleat_buffer *out)
{
    cleat_buffer_byte(out, '{');
    cleat_buffer_text(out, kind);
    write_text(out, "\"name\":", group);
    cleat_buffer_text(out, ",\"versions\":[");
    for (size_t i = 0; i < versions->count; i++) {
        cleat_buffer_text(out, i ? "," : "");
        write_group_version(group, versions->names[i], out);
    }
    cleat_buffer_text(out, "],\"preferredVersion\":");
    write_group_version(group, versions->names[0], out);
    cleat_buffer_byte(out, '}');
}

static void write_groups(const struct discovery *discovery, struct cleat_buffer *out)
{
    bool first = true;
    struct group_versions versions;
    cleat_buffer_text(out, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    for (size_t from = 0, to = 0; from < discovery->count; from = to) {
        to = group_read(discovery, from, &versions);
        if (!discovery->resources[from]->group[0] || !versions.count)
            continue;
        cleat_buffer_text(out, first ? "" : ",");
        write_group(discovery->resources[from]->group, &versions, "", out);
        first = false;
    }
    cleat_buffer_text(out, "]}\n");
}

static void write_legacy(const struct cleat_api_resource *resource, const char *sub, bool first,
                         struct cleat_buffer *out)
{
    char name[2 * CLEAT_KIND_BYTES_MAX];
    bool scale = strcmp(sub, "/scale") == 0;
    snprintf(name, sizeof(name), "%s%s", resource->plural, sub);
    write_text(out, first ? "{\"name\":" : ",{\"name\":", name);
    write_text(out, ",\"singularName\":", sub[0] ? "" : resource->singular);
    cleat_buffer_text(out, resource->flags & CLEAT_API_NAMESPACED ? ",\"namespaced\":true"
                                                                  : ",\"namespaced\":false");
    if (scale)
        cleat_buffer_text(out, ",\"group\":\"autoscaling\",\"version\":\"v1\"");
    write_text(out, ",\"kind\":", scale ? "Scale" : resource->kind);
    write_names(out, ",\"verbs\":", sub[0] ? "get,patch,update" : verbs_of(resource));
    if (!sub[0] && resource->short_names[0])
        write_names(out, ",\"shortNames\":", resource->short_names);
    if (!sub[0] && resource->categories[0])
        write_names(out, ",\"categories\":", resource->categories);
    cleat_buffer_byte(out, '}');
}

static int answer_resources(const struct discovery *discovery,
                            const struct cleat_api_request *request,
                            struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    bool found = false;
    struct cleat_buffer *out = &response->body;
    char text[CLEAT_API_VERSION_BYTES_MAX + 1];
    snprintf(text, sizeof(text), "%.*s%s%.*s", CLEAT_STR_ARG(request->group),
             request->group.length ? "/" : "", CLEAT_STR_ARG(request->version_name));
    write_text(out, "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":", text);
    cleat_buffer_text(out, ",\"resources\":[");
    for (size_t i = 0; i < discovery->count; i++) {
        const struct cleat_api_resource *resource = discovery->resources[i];
        const struct cleat_api_version *version =
            cleat_str_is(request->group, resource->group)
                ? cleat_api_resource_version(resource, request->version_name)
                : NULL;
        if (!version)
            continue;
        write_legacy(resource, "", !found, out);
        found = true;
        if (version_has(resource, version, CLEAT_API_STATUS))
            write_legacy(resource, "/status", false, out);
        if (version_has(resource, version, CLEAT_API_SCALE))
            write_legacy(resource, "/scale", false, out);
    }
    cleat_buffer_text(out, "]}\n");
    return found ? 0 : cleat_api_fail(failure, 404, NULL, "404 page not found");
}

static int answer_group(const struct discovery *discovery, const struct cleat_api_request *request,
                        struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    struct group_versions versions;
    for (size_t from = 0, to = 0; from < discovery->count; from = to) {
        to = group_read(discovery, from, &versions);
        if (!cleat_str_is(request->group, discovery->resources[from]->group) || !versions.count)
            continue;
        write_group(discovery->resources[from]->group, &versions,
                    "\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",", &response->body);
        return 0;
    }
    return cleat_api_fail(failure, 404, NULL, "404 page not found");
}

static bool wants_aggregated(const struct cleat_api_request *request)
{
    const char *accept = request->http->accept;
    return accept && strstr(accept, "as=APIGroupDiscoveryList") && strstr(accept, "v=v2") &&
           strstr(accept, "g=apidiscovery.k8s.io");
}

static void answer_aggregated(const struct discovery *discovery, bool core,
                              struct cleat_api_response *response)
{
    response->content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    write_aggregated_groups(discovery, core, &response->body);
}

static int answer_discovery(const struct cleat_api_request *request,
                            struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    struct discovery discovery;
    bool core =
        strcmp(request->http->path, "/api") == 0 || strcmp(request->http->path, "/api/") == 0;
    bool groups =
        strcmp(request->http->path, "/apis") == 0 || strcmp(request->http->path, "/apis/") == 0;
    int result = discovery_init(&discovery, &request->server->registry, failure);
    if (result != 0)
        return result;
    if ((core || groups) && wants_aggregated(request))
        answer_aggregated(&discovery, core, response);
    else if (core)
        cleat_buffer_text(&response->body, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],"
                                           "\"serverAddressByClientCIDRs\":[]}\n");
    else if (groups)
        write_groups(&discovery, &response->body);
    else if (request->version_name.length)
        result = answer_resources(&discovery, request, response, failure);
    else
        result = answer_group(&discovery, request, response, failure);
    discovery_fini(&discovery);
    return result;
}

static bool path_is(const char *path, const char *wanted)
{
    size_t length = strlen(wanted);
    return strncmp(path, wanted, length) == 0 && (path[length] == 0 || path[length] == '/');
}

int cleat_api_path(struct cleat_api_request *request, struct cleat_api_response *response,
                   struct cleat_api_failure *failure)
{
    const char *path = request->http->path;
    if (path_is(path, "/_faults"))
        return cleat_api_fault_path(request, response, failure);
    if (strcmp(request->http->method, "GET") != 0 && strcmp(request->http->method, "HEAD") != 0)
        return cleat_api_fail(failure, 405, NULL,
                              "the server does not allow this method on the requested resource");
    if (path_is(path, "/healthz") || path_is(path, "/livez") || path_is(path, "/readyz")) {
        response->content_type = "text/plain; charset=utf-8";
        cleat_buffer_text(&response->body, "ok");
        return 0;
    }
    if (path_is(path, "/version")) {
        cleat_buffer_text(&response->body,
                          "{\"major\":\"1\",\"minor\":\"34\",\"gitVersion\":\"v1.34.0+cleat\","
                          "\"gitCommit\":\"\",\"gitTreeState\":\"clean\",\"buildDate\":"
                          "\"1970-01-01T00:00:00Z\",\"goVersion\":\"\",\"compiler\":\"\","
                          "\"platform\":\"linux/amd64\"}\n");
        return 0;
    }
    if (path_is(path, "/api") || path_is(path, "/apis"))
        return answer_discovery(request, response, failure);
    if (strcmp(path, "/") == 0) {
        write_names(&response->body,
                    "{\"paths\":", "/api,/api/v1,/apis,/healthz,/livez,/readyz,/version");
        cleat_buffer_text(&response->body, "}\n");
        return 0;
    }
    return cleat_api_fail(failure, 404, NULL, "404 page not found");
}
