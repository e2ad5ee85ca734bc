/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request from its bytes to its answer: who asks, for what, may they, do it.
 */
#include "apiserver/server.h"

#include <cleat/selector.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "apiserver/impersonation.h"
#include "apiserver/janitor.h"
#include "apiserver/verbs.h"
#include "base/mem.h"

static bool path_is_open(const char *path)
{
    static const char *const open[] = {"/healthz", "/livez", "/readyz", "/version"};
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        size_t length = strlen(open[i]);
        if (strncmp(path, open[i], length) == 0 && (!path[length] || path[length] == '/'))
            return true;
    }
    return false;
}

/* The user of the Authorization header; NULL: nobody known. New reference. */
static struct cleat_api_user *server_authenticate(struct cleat_api_server *server,
                                                  const struct cleat_api_http *http)
{
    const char *header = http->authorization;
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return NULL;
    const char *token = header + 7 + strspn(header + 7, " ");
    return cleat_api_tokens_find(&server->tokens, cleat_str_of(token));
}

static int server_user(struct cleat_api_request *request, struct cleat_api_failure *failure)
{
    if (!request->user)
        request->user = server_authenticate(request->server, request->http);
    if (!request->user) {
        if (!path_is_open(request->http->path))
            return cleat_api_fail(failure, 401, NULL, "Unauthorized");
        return cleat_api_user_new(CLEAT_STR("system:anonymous"), CLEAT_STR(""), &request->user) == 0
                   ? 0
                   : cleat_api_fail(failure, 500, NULL, "no memory for a user");
    }
    return cleat_api_impersonate(request, failure);
}

/* `pods "x" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "n"`
 */
int cleat_api_fail_forbidden(struct cleat_api_failure *failure,
                             const struct cleat_api_attributes *attributes, const char *reason)
{
    char scope[320] = "";
    if (!attributes->is_resource)
        return cleat_api_fail(failure, 403, NULL,
                              "forbidden: User \"%s\" cannot %s path \"%.*s\"%s%s",
                              attributes->user->name, attributes->verb,
                              CLEAT_STR_ARG(attributes->path), reason[0] ? ": " : "", reason);
    if (attributes->namespace_.length)
        snprintf(scope, sizeof(scope), " in the namespace \"%.*s\"",
                 CLEAT_STR_ARG(attributes->namespace_));
    else
        snprintf(scope, sizeof(scope), " at the cluster scope");
    bool sub = attributes->subresource.length > 0;
    char group[CLEAT_GROUP_BYTES_MAX];
    char plural[CLEAT_KIND_BYTES_MAX];
    snprintf(group, sizeof(group), "%.*s", CLEAT_STR_ARG(attributes->group));
    snprintf(plural, sizeof(plural), "%.*s", CLEAT_STR_ARG(attributes->plural));
    int result = cleat_api_fail(
        failure, 403, NULL,
        "%s%s%s%s%.*s%s is forbidden: User \"%s\" cannot %s resource \"%s%s%.*s\" in API group "
        "\"%s\"%s%s%s",
        plural, group[0] ? "." : "", group, attributes->name.length ? " \"" : "",
        CLEAT_STR_ARG(attributes->name), attributes->name.length ? "\"" : "",
        attributes->user->name, attributes->verb, plural, sub ? "/" : "",
        CLEAT_STR_ARG(attributes->subresource), group, scope, reason[0] ? ": " : "", reason);
    cleat_api_fail_details(failure, group, plural, attributes->name);
    return result;
}

int cleat_api_authorize(struct cleat_api_server *server,
                        const struct cleat_api_attributes *attributes,
                        struct cleat_api_failure *failure)
{
    char reason[256] = "";
    if (!server->rbac || !server->hooks.authorize ||
        cleat_api_user_in(attributes->user, "system:masters"))
        return 0;
    int result = server->hooks.authorize(server, attributes, reason);
    return result == 0 ? 0 : cleat_api_fail_forbidden(failure, attributes, reason);
}

/* A list or watch of one name asks for that name. Source: apiserver's RequestInfo. */
static struct cleat_str server_listed_name(const struct cleat_api_request *request, char text[256])
{
    struct cleat_field_selector *fields = NULL;
    struct cleat_str found = request->name;
    bool lists = strcmp(request->verb, "list") == 0 || strcmp(request->verb, "watch") == 0;
    if (!lists || !request->list.field_selector.length ||
        cleat_field_selector_parse(request->list.field_selector, &fields, NULL) != 0)
        return found;
    for (size_t i = 0; i < cleat_field_selector_count(fields); i++) {
        struct cleat_str path;
        struct cleat_str value;
        bool equal = false;
        cleat_field_selector_at(fields, i, &path, &value, &equal);
        if (equal && cleat_str_is(path, "metadata.name") && value.length < 256) {
            memcpy(text, value.data, value.length);
            found = (struct cleat_str){text, value.length};
        }
    }
    (void)cleat_field_selector_free(fields);
    return found;
}

static int server_authorize(const struct cleat_api_request *request,
                            struct cleat_api_failure *failure)
{
    bool is_namespace = !request->group.length && cleat_str_is(request->plural, "namespaces");
    char listed[256];
    const struct cleat_api_attributes attributes = {
        .user = request->user,
        .verb = request->verb,
        .is_resource = request->is_resource,
        .group = request->group,
        .version = request->version_name,
        .plural = request->plural,
        .subresource = request->subresource,
        .namespace_ = is_namespace ? request->name : request->namespace_,
        .name = server_listed_name(request, listed),
        .path = cleat_str_of(request->http->path),
    };
    if (request->internal || path_is_open(request->http->path))
        return 0;
    return cleat_api_authorize(request->server, &attributes, failure);
}

static const struct {
    const char *verb;
    int (*run)(struct cleat_api_request *request, struct cleat_api_response *response,
               struct cleat_api_failure *failure);
} server_verbs[] = {
    {"get", cleat_api_get},       {"list", cleat_api_list},
    {"watch", cleat_api_watch},   {"create", cleat_api_create},
    {"update", cleat_api_update}, {"patch", cleat_api_patch},
    {"delete", cleat_api_delete}, {"deletecollection", cleat_api_delete_collection},
};

static int server_resource(struct cleat_api_request *request, struct cleat_api_response *response,
                           struct cleat_api_failure *failure)
{
    const struct cleat_api_resource *resource = request->resource;
    if (!resource)
        return cleat_api_fail(failure, 404, NULL,
                              "the server could not find the requested resource");
    bool namespaced = (resource->flags & CLEAT_API_NAMESPACED) != 0;
    bool scoped = request->namespace_.length > 0;
    if ((scoped && !namespaced) || (namespaced && !scoped && request->name.length))
        return cleat_api_fail(failure, 404, NULL,
                              "the server could not find the requested resource");
    for (size_t i = 0; i < sizeof(server_verbs) / sizeof(server_verbs[0]); i++) {
        if (strcmp(server_verbs[i].verb, request->verb) != 0)
            continue;
        if ((resource->flags & CLEAT_API_REVIEW) && strcmp(request->verb, "create") != 0)
            break;
        return server_verbs[i].run(request, response, failure);
    }
    return cleat_api_fail(failure, 405, NULL,
                          "the server does not allow this method on the requested resource");
}

void cleat_api_server_changed(struct cleat_api_server *server, struct cleat_api_resource *resource,
                              struct cleat_api_record *old, struct cleat_api_record *new)
{
    if (server->hooks.changed)
        server->hooks.changed(server, resource, old, new);
    if (server->janitor)
        cleat_api_janitor_notice(server->janitor, resource, old, new);
}

static void server_audit(const struct cleat_api_request *request, int code)
{
    const struct cleat_audit audit = {
        .user = request->user ? request->user->name : "",
        .verb = request->verb,
        .path = request->http->path,
        .group = request->group,
        .plural = request->plural,
        .subresource = request->subresource,
        .namespace_ = request->namespace_,
        .name = request->name,
        .code = code,
    };
    if (request->server->audit)
        request->server->audit(request->server->audit_arg, &audit);
}

static void server_run(struct cleat_api_server *server, struct cleat_api_user *user,
                       const struct cleat_api_http *http, struct cleat_api_response *response)
{
    struct cleat_api_request request;
    struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
    cleat_api_response_init(response);
    int result = cleat_api_request_init(&request, server, http, &failure);
    if (user) {
        request.user = cleat_api_user_ref(user);
        request.internal = true;
    }
    if (result == 0 || failure.code != 0) {
        /* Who isn't known learns nothing about what was wrong. */
        struct cleat_api_failure refused = CLEAT_API_FAILURE_INIT;
        if (server_user(&request, &refused) != 0) {
            cleat_api_failure_fini(&failure);
            failure = refused;
            result = -EPROTO;
        }
    }
    if (result == 0)
        result = server_authorize(&request, &failure);
    if (result == 0)
        result = request.is_resource ? server_resource(&request, response, &failure)
                                     : cleat_api_path(&request, response, &failure);
    if (result == 0 && response->body.failed)
        result = cleat_api_fail(&failure, 500, NULL, "no memory for an answer");
    if (result != 0)
        cleat_api_response_fail(response, &failure);
    server_audit(&request, response->code);
    cleat_buffer_str(&response->warnings, cleat_buffer_view(&request.warnings));
    cleat_api_failure_fini(&failure);
    cleat_api_request_fini(&request);
}

void cleat_api_server_handle(struct cleat_api_server *server, const struct cleat_api_http *http,
                             struct cleat_api_response *response)
{
    server_run(server, NULL, http, response);
}

void cleat_api_server_handle_as(struct cleat_api_server *server, struct cleat_api_user *user,
                                const struct cleat_api_http *http,
                                struct cleat_api_response *response)
{
    server_run(server, user, http, response);
}
