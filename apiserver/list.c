/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Get and list. A list holds references to the records of one moment and copies their JSON when the
 * connection can take more: neither the list nor its items are ever written again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "apiserver/alias.h"
#include "apiserver/heads.h"
#include "apiserver/pieces.h"
#include "apiserver/scale.h"
#include "apiserver/selection.h"
#include "apiserver/verbs.h"
#include "apiserver/version.h"
#include "base/limits.h"
#include "base/mem.h"

struct list_stream {
    struct cleat_api_stream stream;
    struct cleat_api_heads heads;
    struct cleat_api_snapshot snapshot; /* what is sent: filtered and cut */
    struct cleat_buffer begin;
    bool more;     /* there are further pages */
    uint64_t left; /* with how many items; 0: not known */
    size_t next;   /* 0: the beginning, then the items, then the end */
    struct cleat_api_pieces pieces;
};

int cleat_api_get(struct cleat_api_request *request, struct cleat_api_response *response,
                  struct cleat_api_failure *failure)
{
    struct cleat_api_registry *registry = &request->server->registry;
    uint64_t version = 0;
    int result = cleat_api_check_subresource(request, false, failure);
    if (result == 0)
        result = cleat_api_version_read(request->list.resource_version, &version, failure);
    if (result == 0)
        result = cleat_api_version_reached(version, cleat_api_registry_revision(registry), failure);
    if (result != 0)
        return result;
    CLEAT_CLEANUP(cleat_api_record_unrefp)
    struct cleat_api_record *record =
        cleat_api_registry_get(registry, request->resource, request->namespace_, request->name);
    if (!record)
        return cleat_api_fail_not_found(failure, request->resource, request->name);
    if (cleat_str_is(request->subresource, "scale"))
        return cleat_api_scale_answer(request, record, response, failure);
    return cleat_api_answer_record(request, record, response, failure);
}

static void list_fill(struct list_stream *list)
{
    struct cleat_api_pieces *pieces = &list->pieces;
    cleat_api_pieces_clear(pieces);
    if (list->next == 0) {
        cleat_api_pieces_add(pieces, cleat_buffer_view(&list->begin));
    } else if (list->next <= list->snapshot.count) {
        const struct cleat_api_record *record = list->snapshot.records[list->next - 1];
        if (list->next > 1)
            cleat_api_pieces_add(pieces, CLEAT_STR(","));
        cleat_api_pieces_add(pieces, cleat_str_of(list->heads.item));
        cleat_api_pieces_add(pieces, cleat_api_heads_tail(&list->heads, record));
        cleat_api_pieces_add(pieces, cleat_str_of(list->heads.close));
    } else {
        cleat_api_pieces_add(pieces, CLEAT_STR("]}\n"));
    }
    list->next++;
}

static int64_t list_read(struct cleat_api_stream *stream, int fd, char *bytes, size_t size)
{
    struct list_stream *list = (struct list_stream *)stream;
    size_t copied = 0;
    while (copied < size) {
        if (cleat_api_pieces_done(&list->pieces)) {
            if (list->next > list->snapshot.count + 1)
                break;
            list_fill(list);
        }
        copied += cleat_api_pieces_copy(&list->pieces, bytes + copied, size - copied);
    }
    return (int64_t)copied;
}

static void list_free(struct cleat_api_stream *stream)
{
    struct list_stream *list = (struct list_stream *)stream;
    cleat_api_snapshot_fini(&list->snapshot);
    cleat_buffer_fini(&list->begin);
    cleat_mem_free(list);
}

static int64_t list_length(const struct list_stream *list)
{
    size_t count = list->snapshot.count;
    size_t each = strlen(list->heads.item) + strlen(list->heads.close);
    size_t length = list->begin.length + 3 + count * each + (count ? count - 1 : 0);
    for (size_t i = 0; i < count; i++)
        length += cleat_api_heads_tail(&list->heads, list->snapshot.records[i]).length;
    return (int64_t)length;
}

/* Which moment a list wants. */
struct list_plan {
    uint64_t revision; /* 0: now */
    int64_t limit;     /* 0: none */
    struct cleat_api_token token;
    bool paging; /* a continue token came */
};

static int list_plan_version(const struct cleat_api_request *request, struct list_plan *plan,
                             struct cleat_api_failure *failure)
{
    const struct cleat_list_options *options = &request->list;
    struct cleat_str match = options->resource_version_match;
    uint64_t version = 0;
    int result = cleat_api_version_read(options->resource_version, &version, failure);
    if (result != 0)
        return result;
    bool exact = cleat_str_is(match, "Exact");
    if (version && (exact || (!match.length && options->limit > 0)))
        plan->revision = version;
    /* What the watch cache serves has no pages. */
    if (cleat_str_is(options->resource_version, "0"))
        plan->limit = 0;
    return cleat_api_version_reached(
        version, cleat_api_registry_revision(&request->server->registry), failure);
}

static int list_plan_make(const struct cleat_api_request *request, struct list_plan *plan,
                          struct cleat_api_failure *failure)
{
    *plan = (struct list_plan){.limit = request->list.limit};
    if (!request->list.continue_.length)
        return list_plan_version(request, plan, failure);
    if (request->list.resource_version.length && !cleat_str_is(request->list.resource_version, "0"))
        return cleat_api_fail(failure, 400, NULL,
                              "specifying resource version is not allowed when using continue");
    plan->paging = true;
    int result = cleat_api_token_read(request->list.continue_, &plan->token, failure);
    plan->revision = plan->token.revision;
    return result;
}

static int list_expired(const struct list_plan *plan, struct cleat_api_failure *failure)
{
    if (!plan->paging)
        return cleat_api_fail(failure, 410, "Expired",
                              "The provided resource version is too old: %" PRIu64, plan->revision);
    struct cleat_api_token token = plan->token;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
    token.revision = 0;
    cleat_api_token_write(&token, &text);
    int result = cleat_api_fail(
        failure, 410, "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list - objects that were created, modified, or deleted between "
        "the time the first chunk was returned and now may show up in the list.");
    failure->continue_ = cleat_buffer_take(&text);
    return result;
}

/*
 * Keeps what is selected, up to the limit; the rest goes. Sets what comes after the cut: how many
 * there are still, of which with selectors nobody knows how many are selected.
 */
static void list_cut(struct list_stream *list, const struct cleat_api_selection *selection,
                     const struct list_plan *plan)
{
    struct cleat_api_snapshot *snapshot = &list->snapshot;
    bool simple = cleat_api_selection_is_simple(selection) && !selection->name[0];
    size_t limit = plan->limit > 0 ? (size_t)plan->limit : SIZE_MAX;
    size_t kept = 0;
    size_t i = 0;
    for (; i < snapshot->count && kept < limit; i++) {
        struct cleat_api_record *record = snapshot->records[i];
        if (simple || cleat_api_selection_matches(selection, record))
            snapshot->records[kept++] = record;
        else
            (void)cleat_api_record_unref(record);
    }
    list->more = snapshot->more || i < snapshot->count;
    for (; i < snapshot->count; i++)
        (void)cleat_api_record_unref(snapshot->records[i]);
    snapshot->count = kept;
    uint64_t total = plan->paging ? plan->token.left : snapshot->total;
    list->left = list->more && simple && total > kept ? total - kept : 0;
}

static void list_begin(struct list_stream *list)
{
    struct cleat_buffer *begin = &list->begin;
    char version[24];
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
    snprintf(version, sizeof(version), "%" PRIu64, list->snapshot.revision);
    struct cleat_list_meta meta = {.resource_version = cleat_str_of(version), .remaining = -1};
    if (list->more && list->snapshot.count) {
        struct cleat_api_token token = {.revision = list->snapshot.revision, .left = list->left};
        const struct cleat_api_record *last = list->snapshot.records[list->snapshot.count - 1];
        snprintf(token.after, sizeof(token.after), "%s", last->key);
        cleat_api_token_write(&token, &text);
        meta.continue_ = cleat_buffer_view(&text);
        if (list->left)
            meta.remaining = (int64_t)list->left;
    }
    cleat_buffer_text(begin, list->heads.list);
    cleat_buffer_text(begin, "\"metadata\":");
    cleat_list_meta_write(&meta, begin);
    cleat_buffer_text(begin, ",\"items\":[");
    cleat_buffer_fini(&text);
}

static int list_stream_new(const struct cleat_api_request *request, struct list_stream **ret,
                           struct cleat_api_failure *failure)
{
    struct list_stream *list = cleat_mem_zalloc(1, sizeof(*list));
    if (!list)
        return cleat_api_fail(failure, 500, NULL, "no memory for a list");
    list->stream.read = list_read;
    list->stream.free = list_free;
    cleat_buffer_init(&list->begin, 16 * CLEAT_KIB);
    cleat_api_heads_init(&list->heads, request);
    *ret = list;
    return 0;
}

static int list_snapshot(const struct cleat_api_request *request, const struct list_plan *plan,
                         bool simple, struct list_stream *list, struct cleat_api_failure *failure)
{
    const struct cleat_api_range range = {
        .namespace_ = request->namespace_,
        .after = cleat_str_of(plan->token.after),
        .revision = plan->revision,
        .max = simple && plan->limit > 0 ? (size_t)plan->limit : 0,
    };
    int result = cleat_api_registry_range(&request->server->registry, request->resource, &range,
                                          &list->snapshot);
    if (result == CLEAT_API_SNAPSHOT_EXPIRED)
        return list_expired(plan, failure);
    if (result == 0)
        result = cleat_api_alias_snapshot(request->resource, &list->snapshot);
    return result == 0 ? 0 : cleat_api_fail(failure, 500, NULL, "no memory for a list");
}

int cleat_api_list(struct cleat_api_request *request, struct cleat_api_response *response,
                   struct cleat_api_failure *failure)
{
    struct list_plan plan;
    struct list_stream *list = NULL;
    struct cleat_api_selection selection = CLEAT_API_SELECTION_INIT;
    int result = list_plan_make(request, &plan, failure);
    if (result == 0)
        result = cleat_api_selection_init(&selection, request, failure);
    if (result == 0)
        result = list_stream_new(request, &list, failure);
    if (result == 0)
        result =
            list_snapshot(request, &plan, cleat_api_selection_is_simple(&selection), list, failure);
    if (result == 0) {
        list_cut(list, &selection, &plan);
        list_begin(list);
        list->stream.length = list_length(list);
        response->stream = &list->stream;
        list = NULL;
    }
    cleat_api_selection_fini(&selection);
    if (list)
        list_free(&list->stream);
    return result;
}
