/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists and watches on the caller's thread. Pages and streams are parsed as they come into an arena
 * that is emptied behind each object: no more than one is ever held.
 */
#include "client/client.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define LIST_ARENA_BYTES_MAX (8 * CLEAT_OBJECT_BYTES_MAX)

static const struct cleat_client_call list_no_call;

static int list_path_failed(const struct cleat_buffer *path)
{
    return path->failed == -ENOBUFS ? -E2BIG : path->failed;
}

void cleat__client_list_query(const struct cleat_client_call *call, struct cleat_buffer *path,
                              const struct cleat_list_options *base)
{
    struct cleat_list_options options = *base;
    options.label_selector = cleat_str_of(call->label_selector);
    options.field_selector = cleat_str_of(call->field_selector);
    options.resource_version = cleat_str_of(call->resource_version);
    options.resource_version_match = cleat_str_of(call->resource_version_match);
    if (options.continue_.length == 0)
        options.continue_ = cleat_str_of(call->continue_);
    if (options.limit == 0)
        options.limit = call->limit;
    bool first = true;
    cleat_list_options_write(&options, path, &first);
}

int cleat_client_list(struct cleat_client *client, const struct cleat_client_target *target,
                      const struct cleat_client_call *call, struct cleat_object **ret,
                      struct cleat_err *err)
{
    call = call ? call : &list_no_call;
    struct client_send send;
    cleat__client_send_init(&send, "GET", call);
    send.accept = cleat__client_accept(call, true);
    send.gzip = true;
    int result = cleat__client_path(target, CLIENT_PATH_COLLECTION, &send.path, err);
    if (result == 0) {
        const struct cleat_list_options none = {.watch = false};
        cleat__client_list_query(call, &send.path, &none);
        result = cleat__client_send_object(client, &send, ret, err);
    }
    cleat__client_send_fini(&send);
    return result;
}

/* Members of @object with those of @more in place or behind. */
static int item_merge(struct cleat_heap *heap, struct cleat_value object,
                      const struct cleat_member *more, size_t count, uint32_t *ret)
{
    size_t old = cleat_value_count(object);
    CLEAT_CLEANUP(cleat_mem_freep)
    struct cleat_member *members = cleat_mem_zalloc(old + count, sizeof(*members));
    if (!members)
        return -ENOMEM;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        members[used++] = more[i];
    for (size_t i = 0; i < old; i++) {
        struct cleat_member member = {{NULL, 0}, CLEAT_REF_ABSENT};
        struct cleat_value value = cleat_value_member(object, i, &member.key);
        bool replaced = false;
        for (size_t k = 0; k < count; k++)
            replaced = replaced || cleat_str_equal(more[k].key, member.key);
        if (replaced)
            continue;
        int result = cleat_heap_foreign(heap, value, &member.ref);
        if (result < 0)
            return result;
        members[used++] = member;
    }
    return cleat_heap_object(heap, members, used, ret);
}

static int item_add_text(struct cleat_heap *heap, struct cleat_member *members, size_t *count,
                         struct cleat_str key, struct cleat_str text)
{
    if (text.length == 0)
        return 0;
    members[*count].key = key;
    return cleat_heap_str(heap, text, &members[(*count)++].ref);
}

/* "PodList" holds Pods. */
static struct cleat_str item_kind(const struct cleat_parser_item *item,
                                  const struct cleat_parser_list *list)
{
    struct cleat_str kind = item->kind;
    if (kind.length == 0 && list && list->kind.length > 4 &&
        memcmp(list->kind.data + list->kind.length - 4, "List", 4) == 0)
        kind = (struct cleat_str){list->kind.data, list->kind.length - 4};
    return kind;
}

int cleat__client_item(struct cleat_heap *heap, const struct cleat_parser_item *item,
                       const struct cleat_parser_list *list, struct cleat_value *ret)
{
    struct cleat_value metadata = cleat_value_get(item->root, "metadata");
    struct cleat_member version[1];
    struct cleat_member members[3];
    size_t versions = 0;
    size_t count = 0;
    struct cleat_str api_version =
        item->api_version.length > 0 || !list ? item->api_version : list->api_version;
    int result = item_add_text(heap, version, &versions, CLEAT_STR("resourceVersion"),
                               item->resource_version);
    if (result == 0 && (versions > 0 || cleat_value_is_present(metadata))) {
        members[count].key = CLEAT_STR("metadata");
        result = item_merge(heap, metadata, version, versions, &members[count++].ref);
    }
    if (result == 0)
        result = item_add_text(heap, members, &count, CLEAT_STR("apiVersion"), api_version);
    if (result == 0)
        result = item_add_text(heap, members, &count, CLEAT_STR("kind"), item_kind(item, list));
    uint32_t ref = CLEAT_REF_ABSENT;
    if (result == 0)
        result = item_merge(heap, item->root, members, count, &ref);
    if (result == 0)
        *ret = (struct cleat_value){heap, ref};
    return result;
}

/* A list in pages. */
struct list_pages {
    struct cleat_client *client;
    const struct cleat_client_target *target;
    struct cleat_heap *arena;
    struct cleat_parser *parser;
    int (*fn)(void *arg, struct cleat_value item);
    void *arg;
    int stopped; /* what @fn returned */
    char *continue_;
    struct cleat_err err; /* the parser's */
};

static int pages_on_item(void *arg, const struct cleat_parser_item *item)
{
    struct list_pages *pages = arg;
    if (item->broken && item->broken->code == -ENOMEM)
        return cleat_err_set(&pages->err, -ENOMEM, "%s: no memory for an object",
                             pages->target->resource->plural); /* it isn't to be missing */
    if (item->broken) {
        cleat_warn(pages->client->log, "object of a list skipped",
                   cleat_log_text("resource", pages->target->resource->plural),
                   cleat_log_str("namespace", item->namespace_), cleat_log_str("name", item->name),
                   cleat_log_err(item->broken));
        return 0;
    }
    struct cleat_parser_list list;
    struct cleat_value whole = CLEAT_VALUE_NONE;
    cleat_parser_list(pages->parser, &list);
    int result = cleat__client_item(pages->arena, item, &list, &whole);
    if (result < 0)
        return result;
    pages->stopped = pages->fn(pages->arg, whole);
    cleat_arena_reset(pages->arena);
    return pages->stopped != 0 ? -ECANCELED : 0;
}

static int pages_on_bytes(void *arg, const char *bytes, size_t length)
{
    struct list_pages *pages = arg;
    return cleat_parser_feed(pages->parser, bytes, length, &pages->err);
}

static void pages_on_begin(void *arg)
{
    struct list_pages *pages = arg;
    cleat_arena_reset(pages->arena);
    cleat_parser_reset(pages->parser, pages->arena);
}

static int pages_send(struct list_pages *pages, struct client_send *send, struct cleat_err *err)
{
    struct cleat_transport_request request;
    struct cleat_transport_answer answer;
    cleat__client_request(pages->client, send, &request);
    request.on_begin = pages_on_begin;
    request.on_bytes = pages_on_bytes;
    request.arg = pages;
    cleat_transport_answer_init(&answer);
    int result = cleat_transport_call(pages->client->transport, &request, &answer, err);
    if (result == 0)
        result = cleat_parser_finish(pages->parser, NULL, &pages->err);
    if (pages->stopped == 0 && result < 0 && pages->err.code != 0) {
        cleat_err_clear(err);
        result = cleat_err_set(err, result == -EINVAL ? -EPROTO : result, "GET %s%.*s: %s",
                               cleat_client_server(pages->client), (int)strcspn(request.path, "?"),
                               request.path, cleat_err_text(&pages->err));
    }
    cleat_transport_answer_fini(&answer);
    return result;
}

/* Remembers where the next page begins; NULL after the last. */
static int pages_advance(struct list_pages *pages)
{
    struct cleat_parser_list list;
    cleat_parser_list(pages->parser, &list);
    char *next = NULL;
    if (list.continue_.length > 0) {
        next = cleat_mem_strndup(list.continue_.data, list.continue_.length);
        if (!next)
            return -ENOMEM;
    }
    cleat_mem_free(pages->continue_);
    pages->continue_ = next;
    return 0;
}

/* A continued list takes neither a version nor its match. */
static int pages_next(struct list_pages *pages, const struct cleat_client_call *call,
                      struct cleat_err *err)
{
    struct client_send send;
    struct cleat_client_call page = *call;
    cleat__client_send_init(&send, "GET", call);
    send.accept = cleat__client_accept(call, true);
    send.gzip = true;
    struct cleat_list_options base = {.limit = call->limit > 0 ? call->limit : CLEAT_LIST_PAGE};
    bool continued = pages->continue_ != NULL;
    if (continued) {
        base.continue_ = cleat_str_of(pages->continue_);
        page.resource_version = NULL;
        page.resource_version_match = NULL;
    }
    int result = cleat__client_path(pages->target, CLIENT_PATH_COLLECTION, &send.path, err);
    if (result == 0) {
        cleat__client_list_query(&page, &send.path, &base);
        result = list_path_failed(&send.path);
        if (result == 0)
            result = pages_send(pages, &send, err);
    }
    if (result == -ESTALE && continued) {
        cleat_err_prefix(err, "%s: list changed too much while it was read in pages",
                         pages->target->resource->plural);
    }
    cleat__client_send_fini(&send);
    return result == 0 ? pages_advance(pages) : result;
}

static int pages_new_parser(struct list_pages *pages, struct cleat_err *err)
{
    int result = cleat_arena_new(LIST_ARENA_BYTES_MAX, &pages->arena);
    if (result < 0)
        return result;
    const struct cleat_parser_options options = {
        .heap = pages->arena,
        .mode = CLEAT_PARSER_LIST,
        .on_item = pages_on_item,
        .arg = pages,
    };
    return cleat_parser_new(&options, &pages->parser, err);
}

int cleat_client_list_each(struct cleat_client *client, const struct cleat_client_target *target,
                           const struct cleat_client_call *call,
                           int (*fn)(void *arg, struct cleat_value item), void *arg,
                           struct cleat_err *err)
{
    call = call ? call : &list_no_call;
    struct list_pages pages = {.client = client, .target = target, .fn = fn, .arg = arg};
    struct cleat_err local = CLEAT_ERR_INIT;
    int result = pages_new_parser(&pages, &local);
    while (result == 0) {
        result = pages_next(&pages, call, &local);
        if (!pages.continue_)
            break;
    }
    cleat_parser_free(pages.parser);
    cleat_heap_free(pages.arena);
    cleat_mem_free(pages.continue_);
    if (pages.stopped != 0)
        return pages.stopped;
    if (result < 0 && err && err->code == 0)
        *err = local;
    return result;
}

/* A watch. */
struct client_watch {
    struct cleat_client *client;
    const struct cleat_client_target *target;
    struct cleat_heap *arena;
    struct cleat_parser *parser;
    int (*fn)(void *arg, struct cleat_str type, struct cleat_object *object);
    void *arg;
    int stopped;
    struct cleat_err err;
};

static int watch_hand_out(struct client_watch *watch, const struct cleat_parser_item *item,
                          struct cleat_value whole)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *object = NULL;
    int result = cleat_document_copy(whole, &document, &watch->err);
    if (result == 0)
        result = cleat_object_of(document, &object, &watch->err);
    if (result == 0) {
        watch->stopped = watch->fn(watch->arg, item->type, object);
        result = watch->stopped != 0 ? -ECANCELED : 0;
    }
    return result;
}

static int watch_on_item(void *arg, const struct cleat_parser_item *item)
{
    struct client_watch *watch = arg;
    if (item->broken && item->broken->code == -ENOMEM)
        return cleat_err_set(&watch->err, -ENOMEM, "%s: no memory for an object",
                             watch->target->resource->plural); /* it isn't to be missing */
    if (item->broken) {
        cleat_warn(watch->client->log, "event of a watch skipped",
                   cleat_log_text("resource", watch->target->resource->plural),
                   cleat_log_str("namespace", item->namespace_), cleat_log_str("name", item->name),
                   cleat_log_err(item->broken));
        return 0;
    }
    if (cleat_str_is(item->type, "BOOKMARK") || cleat_str_is(item->type, "ERROR"))
        return watch_hand_out(watch, item, item->root);
    struct cleat_value whole = CLEAT_VALUE_NONE;
    int result = cleat__client_item(watch->arena, item, NULL, &whole);
    if (result == 0)
        result = watch_hand_out(watch, item, whole);
    cleat_arena_reset(watch->arena);
    return result;
}

static int watch_on_bytes(void *arg, const char *bytes, size_t length)
{
    struct client_watch *watch = arg;
    return cleat_parser_feed(watch->parser, bytes, length, &watch->err);
}

static void watch_query(const struct client_watch *watch, const struct cleat_client_call *call,
                        struct cleat_buffer *path)
{
    struct cleat_list_options base = {.watch = true, .allow_watch_bookmarks = true};
    base.set_send_initial_events = base.send_initial_events =
        call->resource_version_match && call->resource_version_match[0];
    if (call->deadline_mono_ms > 0) {
        int64_t left_ms = call->deadline_mono_ms - cleat_clock_mono_ms(watch->client->clock);
        base.timeout_s = left_ms > 1000 ? left_ms / 1000 : 1;
    }
    cleat__client_list_query(call, path, &base);
}

static int watch_send(struct client_watch *watch, struct client_send *send, struct cleat_err *err)
{
    struct cleat_transport_request request;
    struct cleat_transport_answer answer;
    cleat__client_request(watch->client, send, &request);
    request.watch = true;
    request.on_bytes = watch_on_bytes;
    request.arg = watch;
    cleat_transport_answer_init(&answer);
    int result = cleat_transport_call(watch->client->transport, &request, &answer, err);
    if (result == 0)
        result = cleat_parser_finish(watch->parser, NULL, &watch->err);
    if (watch->stopped == 0 && result < 0 && watch->err.code != 0) {
        cleat_err_clear(err);
        result = cleat_err_set(err, result == -EINVAL ? -EPROTO : result, "GET %s%.*s: %s",
                               cleat_client_server(watch->client), (int)strcspn(request.path, "?"),
                               request.path, cleat_err_text(&watch->err));
    }
    cleat_transport_answer_fini(&answer);
    return result;
}

static int watch_new_parser(struct client_watch *watch, struct cleat_err *err)
{
    int result = cleat_arena_new(LIST_ARENA_BYTES_MAX, &watch->arena);
    if (result < 0)
        return result;
    const struct cleat_parser_options options = {
        .heap = watch->arena,
        .mode = CLEAT_PARSER_WATCH,
        .on_item = watch_on_item,
        .arg = watch,
    };
    return cleat_parser_new(&options, &watch->parser, err);
}

int cleat_client_watch(struct cleat_client *client, const struct cleat_client_target *target,
                       const struct cleat_client_call *call,
                       int (*fn)(void *arg, struct cleat_str type, struct cleat_object *object),
                       void *arg, struct cleat_err *err)
{
    call = call ? call : &list_no_call;
    struct client_watch watch = {.client = client, .target = target, .fn = fn, .arg = arg};
    struct cleat_err local = CLEAT_ERR_INIT;
    struct client_send send;
    cleat__client_send_init(&send, "GET", call);
    send.accept = cleat__client_accept(call, false);
    int result = cleat__client_path(target, CLIENT_PATH_COLLECTION, &send.path, &local);
    if (result == 0)
        result = watch_new_parser(&watch, &local);
    if (result == 0) {
        watch_query(&watch, call, &send.path);
        result = list_path_failed(&send.path);
        if (result == 0)
            result = watch_send(&watch, &send, &local);
    }
    cleat__client_send_fini(&send);
    cleat_parser_free(watch.parser);
    cleat_heap_free(watch.arena);
    if (watch.stopped != 0)
        return watch.stopped;
    if (result < 0 && err && err->code == 0)
        *err = local;
    return result;
}
