/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault control by HTTP, for system:masters: POST /_faults adds a rule and answers {"id": N};
 * DELETE /_faults/N removes one, DELETE /_faults all; POST /_faults/compact drops the history; POST
 * /_faults/bookmark asks for bookmarks; GET
 * /_faults/requests?method=…&path=…&query=… answers {"count": N}.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "apiserver/fault.h"
#include "apiserver/verbs.h"

static int fault_text(struct cleat_value body, const char *key, struct cleat_scratch *scratch,
                      const char **ret, struct cleat_api_failure *failure)
{
    struct cleat_str text;
    int result = cleat_value_str(cleat_value_get(body, key), scratch, &text);
    *ret = result == 0 ? text.data : NULL;
    if (result == 0 || result == CLEAT_VALUE_ABSENT)
        return 0;
    return cleat_api_fail(failure, 400, NULL, "%s: must be a string", key);
}

static int64_t fault_int(struct cleat_value body, const char *key)
{
    int64_t number = cleat_value_int_or(cleat_value_get(body, key), 0);
    return number < 0 ? 0 : number;
}

static int fault_add(struct cleat_api_request *request, struct cleat_api_response *response,
                     struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_scratch scratch[3];
    struct cleat_document *document = NULL;
    if (cleat_document_parse(request->http->body, &document, &err) != 0)
        return cleat_api_fail_err(failure, 400, &err);
    struct cleat_value body = cleat_document_root(document);
    struct cleat_fault fault = {
        .status = (int)fault_int(body, "status"),
        .delay_ms = fault_int(body, "delayMs"),
        .cut_after_bytes = fault_int(body, "cutAfterBytes"),
        .freeze = cleat_value_is_true(cleat_value_get(body, "freeze")),
        .drop = cleat_value_is_true(cleat_value_get(body, "drop")),
        .skip = (unsigned)fault_int(body, "skip"),
        .times = (unsigned)fault_int(body, "times"),
    };
    int result = fault_text(body, "method", &scratch[0], &fault.method, failure);
    if (result == 0)
        result = fault_text(body, "path", &scratch[1], &fault.path, failure);
    if (result == 0)
        result = fault_text(body, "query", &scratch[2], &fault.query, failure);
    if (result == 0 && fault.status && (fault.status < 100 || fault.status > 599))
        result = cleat_api_fail(failure, 400, NULL, "status: must be from 100 to 599");
    if (result == 0) {
        int id = cleat_api_faults_add(request->server->faults, &fault);
        if (id < 0)
            result = cleat_api_fail(failure, 429, NULL, "too many faults");
        else
            cleat_buffer_format(&response->body, "{\"id\":%d}\n", id);
    }
    (void)cleat_document_unref(document);
    return result;
}

static int fault_delete(struct cleat_api_request *request, const char *rest,
                        struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    char *end = NULL;
    long id = *rest ? strtol(rest, &end, 10) : 0;
    if (*rest && (!end || *end || id <= 0 || id > INT32_MAX))
        return cleat_api_fail(failure, 404, NULL, "404 page not found");
    cleat_api_faults_clear(request->server->faults, (int)id);
    cleat_buffer_text(&response->body, "{}\n");
    return 0;
}

static const char *fault_parameter(const struct cleat_api_request *request, const char *name)
{
    struct cleat_str value = cleat_query_get(&request->query, name);
    return value.length ? value.data : NULL;
}

int cleat_api_fault_path(struct cleat_api_request *request, struct cleat_api_response *response,
                         struct cleat_api_failure *failure)
{
    const char *rest = request->http->path + strlen("/_faults");
    const char *method = request->http->method;
    rest += *rest == '/';
    if (!cleat_api_user_in(request->user, "system:masters"))
        return cleat_api_fail(failure, 403, NULL, "faults are for system:masters");
    if (strcmp(method, "DELETE") == 0)
        return fault_delete(request, rest, response, failure);
    if (strcmp(method, "GET") == 0 && strcmp(rest, "requests") == 0) {
        uint64_t count = cleat_api_faults_requests(
            request->server->faults, fault_parameter(request, "method"),
            fault_parameter(request, "path"), fault_parameter(request, "query"));
        cleat_buffer_format(&response->body, "{\"count\":%" PRIu64 "}\n", count);
        return 0;
    }
    if (strcmp(method, "POST") == 0 && !*rest)
        return fault_add(request, response, failure);
    if (strcmp(method, "POST") == 0 && strcmp(rest, "compact") == 0)
        cleat_api_registry_compact(&request->server->registry);
    else if (strcmp(method, "POST") == 0 && strcmp(rest, "bookmark") == 0)
        cleat_api_registry_wake(&request->server->registry, true);
    else
        return cleat_api_fail(failure, 404, NULL, "404 page not found");
    cleat_buffer_text(&response->body, "{}\n");
    return 0;
}
