/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failures and bodies that several verbs share.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "apiserver/alias.h"
#include "apiserver/heads.h"
#include "apiserver/verbs.h"
#include "base/limits.h"
#include "base/mem.h"

const char *cleat_api_resource_title(const struct cleat_api_resource *resource, char text[320])
{
    snprintf(text, 320, "%s%s%s", resource->plural, resource->group[0] ? "." : "", resource->group);
    return text;
}

int cleat_api_fail_not_found(struct cleat_api_failure *failure,
                             const struct cleat_api_resource *resource, struct cleat_str name)
{
    char title[320];
    int result = cleat_api_fail(failure, 404, NULL, "%s \"%.*s\" not found",
                                cleat_api_resource_title(resource, title), CLEAT_STR_ARG(name));
    cleat_api_fail_details(failure, resource->group, resource->plural, name);
    return result;
}

int cleat_api_fail_conflict(struct cleat_api_failure *failure,
                            const struct cleat_api_resource *resource, struct cleat_str name,
                            const char *why)
{
    char title[320];
    int result = cleat_api_fail(
        failure, 409, "Conflict", "Operation cannot be fulfilled on %s \"%.*s\": %s",
        cleat_api_resource_title(resource, title), CLEAT_STR_ARG(name),
        why ? why
            : "the object has been modified; please apply your changes to the latest version and "
              "try again");
    cleat_api_fail_details(failure, resource->group, resource->plural, name);
    return result;
}

/* The message of an Invalid with all its causes. */
static void answer_invalid_message(struct cleat_api_failure *failure)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(64 * CLEAT_KIB);
    cleat_buffer_format(&text, "%s%s%s \"%s\" is invalid: %s", failure->kind ? failure->kind : "",
                        failure->group ? "." : "", failure->group ? failure->group : "",
                        failure->name ? failure->name : "", failure->cause_count > 1 ? "[" : "");
    for (size_t i = 0; i < failure->cause_count; i++) {
        const struct cleat_api_cause *cause = &failure->causes[i];
        cleat_buffer_format(&text, "%s%s: %s", i ? ", " : "", cause->field ? cause->field : "",
                            cause->message ? cause->message : "");
    }
    cleat_buffer_text(&text, failure->cause_count > 1 ? "]" : "");
    cleat_mem_free(failure->message);
    failure->message = cleat_buffer_take(&text);
    cleat_buffer_fini(&text);
}

int cleat_api_fail_invalid(struct cleat_api_failure *failure,
                           const struct cleat_api_resource *resource, struct cleat_str name,
                           const char *reason, const char *field, const char *format, ...)
{
    char detail[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    if (failure->code == 0) {
        (void)cleat_api_fail(failure, 422, "Invalid", "invalid");
        cleat_api_fail_details(failure, resource->group, resource->kind, name);
    }
    cleat_api_fail_cause(failure, reason, field, "%s", detail);
    answer_invalid_message(failure);
    return -EPROTO;
}

int cleat_api_answer_record(const struct cleat_api_request *request,
                            struct cleat_api_record *record, struct cleat_api_response *response,
                            struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_api_record *view = NULL;
    if (cleat_api_alias_view(request->resource, record, &view, &err) != 0)
        return cleat_api_fail_err(failure, 500, &err);
    struct cleat_api_heads heads;
    cleat_api_heads_init(&heads, request);
    cleat_buffer_text(&response->body, heads.object);
    cleat_buffer_str(&response->body, cleat_api_heads_tail(&heads, view));
    cleat_buffer_text(&response->body, heads.close);
    cleat_buffer_byte(&response->body, '\n');
    (void)cleat_api_record_unref(view);
    return 0;
}

int cleat_api_check_subresource(const struct cleat_api_request *request, bool write,
                                struct cleat_api_failure *failure)
{
    struct cleat_str sub = request->subresource;
    bool is_namespaces = request->resource == request->server->registry.namespaces;
    if (!sub.length || (request->version->has_status && cleat_str_is(sub, "status")) ||
        (request->version->has_scale && cleat_str_is(sub, "scale")) ||
        (write && is_namespaces && cleat_str_is(sub, "finalize")))
        return 0;
    return cleat_api_fail(failure, 404, NULL, "the server could not find the requested resource");
}
