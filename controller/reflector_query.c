/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reflector asks the API server, and what it makes of a refusal.
 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "controller/reflector_state.h"
#include "kube/meta.h"

static void query_path(struct cleat_buffer *path, const struct reflector_options *options)
{
    const struct cleat_resource *resource = options->resource;
    if (resource->gvk.group[0]) {
        cleat_buffer_text(path, "/apis/");
        cleat_query_escape(path, cleat_str_of(resource->gvk.group));
        cleat_buffer_byte(path, '/');
    } else {
        cleat_buffer_text(path, "/api/");
    }
    cleat_query_escape(path, cleat_str_of(resource->gvk.version));
    if (options->namespace_) {
        cleat_buffer_text(path, "/namespaces/");
        cleat_query_escape(path, cleat_str_of(options->namespace_));
    }
    cleat_buffer_byte(path, '/');
    cleat_query_escape(path, cleat_str_of(resource->plural));
}

/* The version that a load asks for. */
static struct cleat_str query_version(const struct cleat__reflector *reflector)
{
    switch (reflector->fresh) {
    case FRESH_LAST: return cleat_buffer_view(&reflector->version);
    case FRESH_ANY:
        return reflector->phase == PHASE_LOAD_LIST ? CLEAT_STR("0") : (struct cleat_str){"", 0};
    default: return (struct cleat_str){"", 0};
    }
}

static int64_t query_watch_seconds(const struct cleat__reflector *reflector)
{
    return CLEAT__REFLECTOR_WATCH_MIN_S +
           (int64_t)cleat_clock_random_below(reflector->options.clock,
                                             CLEAT__REFLECTOR_WATCH_MIN_S + 1);
}

static void query_watch(struct cleat__reflector *reflector, struct cleat_list_options *list,
                        struct reflector_request *ret)
{
    list->watch = true;
    list->allow_watch_bookmarks = true;
    list->timeout_s = query_watch_seconds(reflector);
    list->resource_version = cleat_buffer_view(&reflector->version);
    if (reflector->phase == PHASE_LOAD_STREAM) {
        list->set_send_initial_events = list->send_initial_events = true;
        list->resource_version_match = CLEAT_STR("NotOlderThan");
        list->resource_version = query_version(reflector);
    }
    ret->timeout_ms = list->timeout_s * 1000 + CLEAT__REFLECTOR_WATCH_MARGIN_MS;
    ret->head_ms = CLEAT__REFLECTOR_WATCH_HEAD_MS;
    if (reflector->bookmarked || reflector->phase == PHASE_LOAD_STREAM)
        ret->stall_ms = CLEAT__REFLECTOR_WATCH_STALL_MS;
    ret->accept = reflector->options.metadata_only
                      ? "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"
                        "application/json"
                      : "application/json";
}

/* At a real version a list comes whole, so that the server can take it from its cache. */
static bool query_pages(const struct cleat__reflector *reflector)
{
    return !reflector->unpaged && (reflector->fresh != FRESH_LAST || reflector->first_paged);
}

static void query_list(const struct cleat__reflector *reflector, struct cleat_list_options *list,
                       struct reflector_request *ret)
{
    list->continue_ = cleat_buffer_view(&reflector->next_page);
    if (list->continue_.length == 0)
        list->resource_version = query_version(reflector);
    if (query_pages(reflector))
        list->limit = CLEAT_LIST_PAGE;
    ret->gzip = true;
    ret->stall_ms = CLEAT__REFLECTOR_LIST_STALL_MS;
    ret->accept = reflector->options.metadata_only
                      ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,"
                        "application/json"
                      : "application/json";
}

int cleat__reflector_query(struct cleat__reflector *reflector, struct reflector_request *ret)
{
    bool first = true;
    struct cleat_list_options list = {
        .label_selector = cleat_str_of(reflector->options.label_selector),
        .field_selector = cleat_str_of(reflector->options.field_selector),
    };
    *ret = (struct reflector_request){.gzip = false};
    if (reflector->phase == PHASE_LOAD_LIST)
        query_list(reflector, &list, ret);
    else
        query_watch(reflector, &list, ret);
    cleat_buffer_reset(&reflector->path);
    query_path(&reflector->path, &reflector->options);
    cleat_list_options_write(&list, &reflector->path, &first);
    ret->path_and_query = reflector->path.data;
    return reflector->path.failed;
}

enum reflector_failure cleat__reflector_judge(int result, const struct cleat_err *err)
{
    int status = err ? err->http_status : 0;
    const char *reason = err ? err->reason : "";
    if (status == 410 || result == -ESTALE || strcmp(reason, "Expired") == 0 ||
        strcmp(reason, "Gone") == 0)
        return FAILURE_GONE;
    if (err && strstr(err->text, "Too large resource version"))
        return FAILURE_TOO_LARGE;
    if (status == 429 || result == -ECONNREFUSED)
        return FAILURE_BUSY;
    if (status == 401 || status == 403 || status == 404)
        return FAILURE_REFUSED;
    return status >= 400 && status < 500 ? FAILURE_INVALID : FAILURE_OTHER;
}
