/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/internal.h"

#include "kube/meta.h"

void cleat_api_internal_path(const struct cleat_api_resource *resource, struct cleat_str namespace_,
                             struct cleat_str name, struct cleat_buffer *path)
{
    cleat_buffer_text(path, resource->group[0] ? "/apis/" : "/api");
    cleat_buffer_text(path, resource->group);
    cleat_buffer_byte(path, '/');
    cleat_buffer_text(path, resource->versions[0].name);
    if (namespace_.length) {
        cleat_buffer_text(path, "/namespaces/");
        cleat_query_escape(path, namespace_);
    }
    cleat_buffer_byte(path, '/');
    cleat_buffer_text(path, resource->plural);
    if (name.length) {
        cleat_buffer_byte(path, '/');
        cleat_query_escape(path, name);
    }
}

int cleat_api_internal_call(struct cleat_api_server *server, struct cleat_api_user *user,
                            const char *method, const struct cleat_buffer *path, const char *type,
                            const struct cleat_buffer *body)
{
    struct cleat_api_response response;
    if (path->failed || (body && body->failed))
        return 500;
    const struct cleat_api_http http = {
        .method = method,
        .path = path->data,
        .query = "",
        .body = body ? cleat_buffer_view(body) : CLEAT_STR(""),
        .content_type = type,
    };
    cleat_api_server_handle_as(server, user, &http, &response);
    int code = response.code;
    cleat_api_response_fini(&response);
    return code;
}
