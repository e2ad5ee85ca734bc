/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths: /api/VERSION/… and /apis/GROUP/VERSION/…, then
 * [namespaces/NAMESPACE/]PLURAL[/NAME[/SUBRESOURCE]]. Everything else isn't about resources.
 * Source: apiserver's RequestInfo.
 */
#include "apiserver/request.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "apiserver/server.h"
#include "base/limits.h"
#include "base/mem.h"

#define REQUEST_SEGMENTS_MAX 12

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes one segment in place; false where it's broken. */
static bool segment_decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = hex_digit(in[1]);
        int low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *out++ = (char)(high * 16 + low);
        in += 2;
    }
    *out = 0;
    return true;
}

static int request_segments(char *path, struct cleat_str segments[REQUEST_SEGMENTS_MAX],
                            struct cleat_api_failure *failure)
{
    int count = 0;
    for (char *next = path; next;) {
        char *segment = next;
        next = strchr(segment, '/');
        if (next)
            *next++ = 0;
        if (!*segment)
            continue;
        if (!segment_decode(segment))
            return cleat_api_fail(failure, 400, NULL, "the path isn't well encoded");
        if (count == REQUEST_SEGMENTS_MAX)
            return cleat_api_fail(failure, 404, NULL, "404 page not found");
        segments[count++] = cleat_str_of(segment);
    }
    return count;
}

static bool namespace_subresource(struct cleat_str name)
{
    return cleat_str_is(name, "status") || cleat_str_is(name, "finalize");
}

/* The part behind the version. */
static void request_rest(struct cleat_api_request *request, const struct cleat_str *rest, int count)
{
    if (count > 2 && cleat_str_is(rest[0], "namespaces") &&
        !(count == 3 && namespace_subresource(rest[2]))) {
        request->namespace_ = rest[1];
        rest += 2;
        count -= 2;
    }
    request->plural = rest[0];
    if (count > 1)
        request->name = rest[1];
    if (count > 2)
        request->subresource = rest[2];
    request->is_resource = true;
}

static void request_path(struct cleat_api_request *request, const struct cleat_str *segments,
                         int count)
{
    int skip = 0;
    if (count >= 1 && cleat_str_is(segments[0], "api"))
        skip = 1;
    else if (count >= 2 && cleat_str_is(segments[0], "apis"))
        skip = 2;
    if (skip == 2)
        request->group = segments[1];
    if (!skip || count <= skip)
        return;
    request->version_name = segments[skip];
    if (count > skip + 1)
        request_rest(request, segments + skip + 1, count - skip - 1);
}

static const char *request_get_verb(const struct cleat_api_request *request)
{
    if (request->name.length)
        return "get";
    return request->list.watch ? "watch" : "list";
}

static const char *request_verb(const struct cleat_api_request *request)
{
    const char *method = request->http->method;
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return request->is_resource ? request_get_verb(request) : "get";
    if (strcmp(method, "POST") == 0)
        return request->is_resource ? "create" : "post";
    if (strcmp(method, "PUT") == 0)
        return request->is_resource ? "update" : "put";
    if (strcmp(method, "PATCH") == 0)
        return "patch";
    if (strcmp(method, "DELETE") == 0)
        return request->is_resource && !request->name.length ? "deletecollection" : "delete";
    return "";
}

static int request_query(struct cleat_api_request *request, struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const char *query = request->http->query;
    int result = cleat_query_parse(cleat_str_of(query), &request->query, &err);
    if (result == 0)
        result = cleat_list_options_read(&request->query, &request->list, &err);
    if (result == 0)
        result = cleat_write_options_read(&request->query, &request->write, &err);
    return result == 0 ? 0 : cleat_api_fail_err(failure, 400, &err);
}

static void request_find(struct cleat_api_request *request)
{
    struct cleat_api_registry *registry = &request->server->registry;
    request->resource = cleat_api_registry_find(registry, request->group, request->plural);
    if (!request->resource)
        return;
    request->version = cleat_api_resource_version(request->resource, request->version_name);
    if (!request->version) {
        request->resource = cleat_api_resource_unref(request->resource);
        return;
    }
    snprintf(request->api_version, sizeof(request->api_version), "%s%s%s", request->resource->group,
             request->resource->group[0] ? "/" : "", request->version->name);
}

/* One media range of an Accept header: 0 it can't be served, 1 it can; @ret_form says how. */
static bool accept_range(struct cleat_str range, enum cleat_api_form *ret_form)
{
    char text[256];
    if (range.length >= sizeof(text))
        return false;
    memcpy(text, range.data, range.length);
    text[range.length] = 0;
    bool json = strncasecmp(text, "application/json", 16) == 0 ||
                strncmp(text, "application/*", 13) == 0 || strncmp(text, "*/*", 3) == 0;
    const char *as = strstr(text, "as=");
    *ret_form = CLEAT_API_FORM_WHOLE;
    if (!as)
        return json;
    if (strncmp(as, "as=PartialObjectMetadata", 24) != 0 || strstr(text, "v=v1beta1"))
        return false;
    *ret_form = CLEAT_API_FORM_METADATA;
    return json;
}

static int request_accept(struct cleat_api_request *request, struct cleat_api_failure *failure)
{
    const char *accept = request->http->accept;
    if (!accept || !accept[0])
        return 0;
    while (*accept) {
        accept += strspn(accept, " ,");
        size_t length = strcspn(accept, ",");
        if (length && accept_range((struct cleat_str){accept, length}, &request->form))
            return 0;
        accept += length;
    }
    return cleat_api_fail(failure, 406, NULL,
                          "only the following media types are accepted: application/json");
}

int cleat_api_request_init(struct cleat_api_request *request, struct cleat_api_server *server,
                           const struct cleat_api_http *http, struct cleat_api_failure *failure)
{
    struct cleat_str segments[REQUEST_SEGMENTS_MAX];
    *request = (struct cleat_api_request){.server = server, .http = http, .verb = ""};
    cleat_buffer_init(&request->warnings, 64 * CLEAT_KIB);
    request->group = request->version_name = request->plural = CLEAT_STR("");
    request->namespace_ = request->name = request->subresource = CLEAT_STR("");
    request->path = cleat_mem_strdup(http->path);
    if (!request->path)
        return cleat_api_fail(failure, 500, NULL, "no memory");
    int count = request_segments(request->path, segments, failure);
    if (count < 0)
        return count;
    request_path(request, segments, count);
    int result = request_query(request, failure);
    request->verb = request_verb(request);
    if (result == 0 && request->is_resource)
        request_find(request);
    return result == 0 && request->is_resource ? request_accept(request, failure) : result;
}

void cleat_api_request_fini(struct cleat_api_request *request)
{
    cleat_query_fini(&request->query);
    request->resource = cleat_api_resource_unref(request->resource);
    request->user = cleat_api_user_unref(request->user);
    request->path = cleat_mem_free(request->path);
    cleat_buffer_fini(&request->warnings);
}

void cleat_api_request_warn(struct cleat_api_request *request, const char *text)
{
    cleat_buffer_text(&request->warnings, text);
    cleat_buffer_byte(&request->warnings, '\n');
}
