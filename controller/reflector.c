/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariants: a parser is fed only by the stream that is running; `began` is true from a load's
 * first request to its end mark or its breaking off, whatever streams it takes; the version never
 * moves while a streaming list shows what there is, for that comes in no order.
 */
#include "controller/reflector.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "controller/reflector_state.h"

#define REFLECTOR_VERSION_BYTES_MAX 4096
#define REFLECTOR_TOKEN_BYTES_MAX (32 * 1024)
#define REFLECTOR_PATH_BYTES_MAX (64 * 1024)
/* Streaming lists that end before their mark, in a row, before lists are taken instead. */
#define REFLECTOR_UNMARKED_MAX 2

static int64_t reflector_now_ms(const struct cleat__reflector *reflector)
{
    return cleat_clock_mono_ms(reflector->options.clock);
}

static int reflector_copy(const char **text)
{
    if (!*text || !(*text)[0]) {
        *text = NULL;
        return 0;
    }
    *text = cleat_mem_strdup(*text);
    return *text ? 0 : -ENOMEM;
}

static void reflector_begin_load(struct cleat__reflector *reflector, enum reflector_freshness fresh)
{
    reflector->by_list = reflector->options.no_watch_list || reflector->by_list;
    reflector->phase = reflector->by_list ? PHASE_LOAD_LIST : PHASE_LOAD_STREAM;
    reflector->fresh = fresh;
    reflector->unpaged = false;
    cleat_buffer_reset(&reflector->next_page);
}

int cleat__reflector_new(const struct reflector_options *options, struct cleat__reflector **ret,
                         struct cleat_err *err)
{
    struct cleat__reflector *reflector = cleat_mem_zalloc(1, sizeof(*reflector));
    if (!reflector)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    reflector->options = *options;
    struct reflector_options *own = &reflector->options;
    cleat_buffer_init(&reflector->version, REFLECTOR_VERSION_BYTES_MAX);
    cleat_buffer_init(&reflector->next_page, REFLECTOR_TOKEN_BYTES_MAX);
    cleat_buffer_init(&reflector->path, REFLECTOR_PATH_BYTES_MAX);
    int r = reflector_copy(&own->namespace_);
    own->label_selector = r == 0 ? own->label_selector : NULL;
    r = r == 0 ? reflector_copy(&own->label_selector) : r;
    own->field_selector = r == 0 ? own->field_selector : NULL;
    r = r == 0 ? reflector_copy(&own->field_selector) : r;
    if (r < 0) {
        (void)cleat__reflector_free(reflector);
        return cleat_err_set(err, -ENOMEM, "out of memory");
    }
    reflector_begin_load(reflector, FRESH_ANY);
    *ret = reflector;
    return 0;
}

struct cleat__reflector *cleat__reflector_free(struct cleat__reflector *reflector)
{
    if (!reflector)
        return NULL;
    cleat_mem_free((void *)(uintptr_t)reflector->options.namespace_);
    cleat_mem_free((void *)(uintptr_t)reflector->options.label_selector);
    cleat_mem_free((void *)(uintptr_t)reflector->options.field_selector);
    (void)cleat_parser_free(reflector->list);
    (void)cleat_parser_free(reflector->watch);
    cleat_buffer_fini(&reflector->version);
    cleat_buffer_fini(&reflector->next_page);
    cleat_buffer_fini(&reflector->path);
    return cleat_mem_free(reflector);
}

struct cleat_str cleat__reflector_version(const struct cleat__reflector *reflector)
{
    return cleat_buffer_view(&reflector->version);
}

static int reflector_set_version(struct cleat__reflector *reflector, struct cleat_str version)
{
    if (version.length == 0)
        return 0;
    cleat_buffer_reset(&reflector->version);
    return cleat_buffer_str(&reflector->version, version);
}

static void reflector_say_well(struct cleat__reflector *reflector)
{
    if (!reflector->well)
        reflector->options.ops.on_state(reflector->options.ops.arg, NULL);
    reflector->well = true;
}

/* Waits longer with each failure, from 0.8 to 30 s and up to twice that, before the first load from
 * 0.2 to 2.5 s; two quiet minutes make it short again. */
static void reflector_back_off(struct cleat__reflector *reflector, const struct cleat_err *err)
{
    int64_t now_ms = reflector_now_ms(reflector);
    int64_t min_ms =
        reflector->synced ? CLEAT__REFLECTOR_BACKOFF_MIN_MS : CLEAT__REFLECTOR_FIRST_MIN_MS;
    int64_t max_ms =
        reflector->synced ? CLEAT__REFLECTOR_BACKOFF_MAX_MS : CLEAT__REFLECTOR_FIRST_MAX_MS;
    if (reflector->backoff_ms < min_ms ||
        now_ms - reflector->failed_mono_ms >= CLEAT__REFLECTOR_BACKOFF_RESET_MS)
        reflector->backoff_ms = min_ms;
    int64_t wait_ms = reflector->backoff_ms +
                      (int64_t)cleat_clock_random_below(reflector->options.clock,
                                                        (uint64_t)reflector->backoff_ms + 1);
    if (err && err->retry_after_ms > wait_ms)
        wait_ms = err->retry_after_ms;
    reflector->failed_mono_ms = now_ms;
    reflector->retry_mono_ms = now_ms + wait_ms;
    reflector->backoff_ms = reflector->backoff_ms * 2 < max_ms ? reflector->backoff_ms * 2 : max_ms;
}

static void reflector_fail(struct cleat__reflector *reflector, int result,
                           const struct cleat_err *err)
{
    struct cleat_err own = CLEAT_ERR_INIT;
    if (!err || err->code == 0) {
        (void)cleat_err_set(&own, result < 0 ? result : -EPROTO, "%s of %s ended: %s",
                            reflector->phase == PHASE_LOAD_LIST ? "list" : "watch",
                            reflector->options.resource->plural, strerror(-result));
        err = &own;
    }
    reflector->well = false;
    reflector->options.ops.on_state(reflector->options.ops.arg, err);
    if (result == -ENOMEM)
        reflector->backoff_ms = 0; /* ours, not the server's: it needs no growing rest from us */
    reflector_back_off(reflector, err);
}

static void reflector_break_off(struct cleat__reflector *reflector)
{
    if (reflector->began)
        reflector->options.ops.on_broken_off(reflector->options.ops.arg);
    reflector->began = false;
}

void cleat__reflector_reload(struct cleat__reflector *reflector)
{
    reflector_break_off(reflector);
    reflector->cut = reflector->running;
    reflector_begin_load(reflector, reflector->version.length > 0 ? FRESH_LAST : FRESH_ANY);
}

/* What the stream shows. */

static bool item_is_kind(const struct cleat__reflector *reflector,
                         const struct cleat_parser_item *item)
{
    return item->kind.length == 0 ||
           cleat_str_is(item->kind, reflector->options.resource->gvk.kind) ||
           cleat_str_is(item->kind, "PartialObjectMetadata");
}

/* What there was no memory for isn't broken: the stream is given up and asked for again. */
static bool item_lacks_memory(const struct cleat_parser_item *item)
{
    return item->broken && item->broken->code == -ENOMEM;
}

/* Objects of another kind are as good as broken ones. */
static int reflector_give(struct cleat__reflector *reflector, enum reflector_what what,
                          const struct cleat_parser_item *item)
{
    const struct reflector_ops *ops = &reflector->options.ops;
    if (item_lacks_memory(item))
        return -ENOMEM;
    if (item->broken)
        return ops->on_item(ops->arg, REFLECTOR_BROKEN, item);
    if (item_is_kind(reflector, item))
        return ops->on_item(ops->arg, what, item);
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_parser_item broken = *item;
    (void)cleat_err_set(&err, -EINVAL, "%.*s is no %s", CLEAT_STR_ARG(item->kind),
                        reflector->options.resource->gvk.kind);
    broken.broken = &err;
    broken.root = CLEAT_VALUE_NONE;
    return ops->on_item(ops->arg, REFLECTOR_BROKEN, &broken);
}

/* True where both are numbers, and @a the lower one. */
static bool version_is_lower(struct cleat_str a, struct cleat_str b)
{
    for (size_t i = 0; i < a.length; i++)
        if (a.data[i] < '0' || a.data[i] > '9')
            return false;
    for (size_t i = 0; i < b.length; i++)
        if (b.data[i] < '0' || b.data[i] > '9')
            return false;
    if (a.length == 0 || b.length == 0 || a.length != b.length)
        return a.length > 0 && a.length < b.length;
    return memcmp(a.data, b.data, a.length) < 0;
}

/* Only the newest that there is can tell: other answers may be older than what was seen. */
static bool reflector_lost_history(struct cleat__reflector *reflector, struct cleat_str version)
{
    if (reflector->fresh != FRESH_NEWEST || !reflector->options.ops.on_history_lost ||
        !version_is_lower(version, cleat__reflector_version(reflector)))
        return false;
    cleat_buffer_reset(&reflector->version);
    reflector_break_off(reflector);
    reflector->options.ops.on_history_lost(reflector->options.ops.arg);
    reflector->cut = reflector->phase == PHASE_LOAD_STREAM;
    reflector_begin_load(reflector, FRESH_NEWEST);
    return true;
}

static int reflector_loaded(struct cleat__reflector *reflector, struct cleat_str version)
{
    const struct reflector_ops *ops = &reflector->options.ops;
    if (reflector_lost_history(reflector, version))
        return reflector->cut ? -ECANCELED : 0;
    int r = reflector_set_version(reflector, version);
    if (r == 0)
        r = ops->on_loaded(ops->arg, version);
    if (r < 0)
        return r;
    reflector->began = false;
    reflector->backoff_ms = reflector->synced ? reflector->backoff_ms : 0;
    reflector->synced = true;
    reflector->by_list = false;
    reflector->unmarked = 0;
    reflector->phase = PHASE_WATCH;
    ops->on_seen(ops->arg, version);
    reflector_say_well(reflector);
    return 0;
}

static int reflector_on_list_item(void *arg, const struct cleat_parser_item *item)
{
    return reflector_give(arg, REFLECTOR_PUT, item);
}

static int reflector_on_bookmark(struct cleat__reflector *reflector,
                                 const struct cleat_parser_item *item)
{
    const struct reflector_ops *ops = &reflector->options.ops;
    reflector->bookmarked = true;
    if (reflector->phase == PHASE_LOAD_STREAM)
        return item->initial_events_end ? reflector_loaded(reflector, item->resource_version) : 0;
    int r = reflector_set_version(reflector, item->resource_version);
    if (r == 0)
        ops->on_seen(ops->arg, item->resource_version);
    return r;
}

/* An ERROR frame ends the stream; what it says decides what comes next. */
static int reflector_on_error(struct cleat__reflector *reflector,
                              const struct cleat_parser_item *item)
{
    int64_t code = cleat_value_int_or(cleat_value_get(item->root, "code"), 500);
    cleat_err_clear(&reflector->in_stream);
    (void)cleat_status_decode((int)code, item->root, false, &reflector->in_stream);
    if (reflector->in_stream.code == 0)
        (void)cleat_err_set(&reflector->in_stream, -EIO, "watch of %s: error without a reason",
                            reflector->options.resource->plural);
    return reflector->in_stream.code;
}

static int reflector_on_frame(void *arg, const struct cleat_parser_item *item)
{
    struct cleat__reflector *reflector = arg;
    const struct reflector_ops *ops = &reflector->options.ops;
    if (item_lacks_memory(item))
        return -ENOMEM;
    if (cleat_str_is(item->type, "ERROR") && !item->broken)
        return reflector_on_error(reflector, item);
    reflector->frames++;
    if (cleat_str_is(item->type, "BOOKMARK"))
        return item->broken ? 0 : reflector_on_bookmark(reflector, item);
    enum reflector_what what =
        cleat_str_is(item->type, "DELETED") ? REFLECTOR_DELETE : REFLECTOR_PUT;
    int r = reflector_give(reflector, what, item);
    if (r < 0 || reflector->phase != PHASE_WATCH || item->resource_version.length == 0)
        return r;
    r = reflector_set_version(reflector, item->resource_version);
    if (r == 0)
        ops->on_seen(ops->arg, item->resource_version);
    return r;
}

/* Streams. */

static int reflector_parser(struct cleat__reflector *reflector)
{
    bool list = reflector->phase == PHASE_LOAD_LIST;
    struct cleat_parser **parser = list ? &reflector->list : &reflector->watch;
    if (*parser) {
        cleat_parser_reset(*parser, NULL);
        return 0;
    }
    const struct cleat_parser_options options = {
        .heap = reflector->options.heap,
        .mode = list ? CLEAT_PARSER_LIST : CLEAT_PARSER_WATCH,
        .projection = reflector->options.projection,
        .on_item = list ? reflector_on_list_item : reflector_on_frame,
        .arg = reflector,
    };
    return cleat_parser_new(&options, parser, NULL);
}

static bool reflector_unmarked(const struct cleat__reflector *reflector)
{
    return reflector->phase == PHASE_LOAD_STREAM && reflector->running &&
           reflector_now_ms(reflector) - reflector->heard_mono_ms >= CLEAT__REFLECTOR_MARK_MS;
}

static void reflector_take_list(struct cleat__reflector *reflector)
{
    reflector_break_off(reflector);
    reflector->by_list = true;
    reflector_begin_load(reflector, reflector->fresh);
}

int cleat__reflector_next(struct cleat__reflector *reflector, struct reflector_request *ret,
                          int64_t *ret_due_mono_ms)
{
    if (reflector_unmarked(reflector)) {
        reflector_take_list(reflector);
        reflector->cut = true;
    }
    if (reflector->cut) {
        reflector->cut = reflector->running = false;
        return REFLECTOR_CUT;
    }
    if (reflector->running) {
        *ret_due_mono_ms = reflector->phase == PHASE_LOAD_STREAM
                               ? reflector->heard_mono_ms + CLEAT__REFLECTOR_MARK_MS
                               : INT64_MAX;
        return REFLECTOR_WAIT;
    }
    int64_t now_ms = reflector_now_ms(reflector);
    if (now_ms < reflector->retry_mono_ms) {
        *ret_due_mono_ms = reflector->retry_mono_ms;
        return REFLECTOR_WAIT;
    }
    int r = reflector_parser(reflector);
    if (r == 0)
        r = cleat__reflector_query(reflector, ret);
    if (r < 0)
        return r;
    if (reflector->phase != PHASE_WATCH && !reflector->began) {
        reflector->options.ops.on_begin(reflector->options.ops.arg);
        reflector->began = true;
    }
    reflector->running = true;
    reflector->code = 0;
    reflector->frames = 0;
    reflector->opened_mono_ms = reflector->heard_mono_ms = now_ms;
    cleat_err_clear(&reflector->in_stream);
    return REFLECTOR_REQUEST;
}

void cleat__reflector_head(struct cleat__reflector *reflector, int code)
{
    reflector->code = code;
    reflector->heard_mono_ms = reflector_now_ms(reflector);
    if (code >= 200 && code < 300 && reflector->phase == PHASE_WATCH)
        reflector_say_well(reflector);
}

int cleat__reflector_bytes(struct cleat__reflector *reflector, const char *bytes, size_t length)
{
    cleat_assert(reflector->running);
    if (reflector->cut)
        return -ECANCELED;
    struct cleat_parser *parser =
        reflector->phase == PHASE_LOAD_LIST ? reflector->list : reflector->watch;
    reflector->heard_mono_ms = reflector_now_ms(reflector);
    return cleat_parser_feed(parser, bytes, length, &reflector->in_stream);
}

/* Ends. */

/* A list came to its end. */
static int list_ended(struct cleat__reflector *reflector, struct cleat_err *err)
{
    struct cleat_parser_list list;
    int r = cleat_parser_finish(reflector->list, NULL, err);
    if (r < 0)
        return r;
    cleat_parser_list(reflector->list, &list);
    const char *kind_end = list.kind.length >= 4 ? list.kind.data + list.kind.length - 4 : "";
    if (list.kind.length > 0 && memcmp(kind_end, "List", 4) != 0)
        return cleat_err_set(err, -EPROTO, "list of %s: the answer is a %.*s",
                             reflector->options.resource->plural, CLEAT_STR_ARG(list.kind));
    if (list.continue_.length == 0) {
        r = reflector_loaded(reflector, list.resource_version);
        reflector->list = cleat_parser_free(reflector->list);
        return r;
    }
    if (reflector->next_page.length == 0 && reflector->fresh == FRESH_ANY && !reflector->synced)
        reflector->first_paged = true;
    cleat_buffer_reset(&reflector->next_page);
    return cleat_buffer_str(&reflector->next_page, list.continue_);
}

static void load_failed(struct cleat__reflector *reflector, int result, const struct cleat_err *err)
{
    enum reflector_failure failure = cleat__reflector_judge(result, err);
    bool paging = reflector->phase == PHASE_LOAD_LIST && reflector->next_page.length > 0;
    bool expired = failure == FAILURE_GONE || failure == FAILURE_TOO_LARGE;
    reflector_break_off(reflector);
    if (expired && paging) { /* the rest of the pages would not fit: all at once */
        reflector_begin_load(reflector, FRESH_NEWEST);
        reflector->unpaged = true;
        return;
    }
    if (expired && reflector->fresh != FRESH_NEWEST &&
        !(reflector->phase == PHASE_LOAD_STREAM && reflector->fresh == FRESH_ANY)) {
        reflector_begin_load(reflector, FRESH_NEWEST);
        return;
    }
    if (reflector->phase == PHASE_LOAD_STREAM && failure != FAILURE_BUSY && !expired) {
        reflector_take_list(reflector);
        return;
    }
    if (paging) /* the pages began anew */
        reflector_begin_load(reflector, reflector->fresh);
    reflector_fail(reflector, result, err);
}

static void stream_ended_early(struct cleat__reflector *reflector)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    reflector_break_off(reflector);
    (void)cleat_err_set(&err, -EPROTO, "streaming list of %s: ended before its mark",
                        reflector->options.resource->plural);
    if (++reflector->unmarked >= REFLECTOR_UNMARKED_MAX)
        reflector_take_list(reflector);
    reflector_fail(reflector, -EPROTO, &err);
}

static void watch_failed(struct cleat__reflector *reflector, int result,
                         const struct cleat_err *err)
{
    switch (cleat__reflector_judge(result, err)) {
    case FAILURE_GONE:
        reflector_begin_load(reflector, FRESH_LAST);
        return; /* at once; a second expiry goes for the newest */
    case FAILURE_TOO_LARGE: reflector_begin_load(reflector, FRESH_NEWEST); break;
    case FAILURE_REFUSED:
    case FAILURE_INVALID: reflector_begin_load(reflector, FRESH_LAST); break;
    default: break; /* again from the same version */
    }
    reflector_fail(reflector, result, err);
}

/* Ended between frames: usual, unless it said nothing and was over at once. */
static void watch_ended(struct cleat__reflector *reflector)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int64_t lived_ms = reflector_now_ms(reflector) - reflector->opened_mono_ms;
    if (reflector->version.length == 0) { /* a server without versions: nothing to go on from */
        reflector_begin_load(reflector, FRESH_NEWEST);
        reflector_back_off(reflector, NULL);
    } else if (reflector->frames == 0 && lived_ms < CLEAT__REFLECTOR_SHORT_MS) {
        (void)cleat_err_set(&err, -EPROTO, "watch of %s: ended at once and said nothing",
                            reflector->options.resource->plural);
        reflector_fail(reflector, -EPROTO, &err);
    }
}

static void stream_ended(struct cleat__reflector *reflector, int result,
                         const struct cleat_err *err)
{
    struct cleat_err own = CLEAT_ERR_INIT;
    switch (reflector->phase) {
    case PHASE_LOAD_LIST:
        if (result == 0) {
            result = list_ended(reflector, &own);
            err = &own;
        }
        if (result < 0)
            load_failed(reflector, result, err);
        break;
    case PHASE_LOAD_STREAM:
        if (result == 0)
            stream_ended_early(reflector);
        else
            load_failed(reflector, result, err);
        break;
    default:
        if (result == 0)
            watch_ended(reflector);
        else
            watch_failed(reflector, result, err);
        break;
    }
}

void cleat__reflector_end(struct cleat__reflector *reflector, int result,
                          const struct cleat_err *err)
{
    cleat_assert(reflector->running);
    reflector->running = false;
    if (reflector->cut) { /* it was to end anyway */
        reflector->cut = false;
        return;
    }
    /* What a frame said, or what was wrong with it, is the cause of a stream that was cut. */
    struct cleat_err in_stream = reflector->in_stream;
    reflector->retry_mono_ms = 0;
    if (result < 0 && in_stream.code != 0)
        stream_ended(reflector, in_stream.code, &in_stream);
    else
        stream_ended(reflector, result, err);
}

void cleat__reflector_refused(struct cleat__reflector *reflector, int result,
                              const struct cleat_err *err)
{
    cleat__reflector_end(reflector, result, err);
}
