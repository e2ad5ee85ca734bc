/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches. A watch reads its resource's history at its own pace, on its connection's thread; while
 * there is nothing it waits for its descriptor, the client's end or the next deadline. Initial
 * objects come from a snapshot of the very moment at which the cursor was set.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "apiserver/alias.h"
#include "apiserver/heads.h"
#include "apiserver/pieces.h"
#include "apiserver/selection.h"
#include "apiserver/verbs.h"
#include "apiserver/version.h"
#include "base/limits.h"
#include "base/mem.h"

#define WATCH_BATCH 64
#define WATCH_BOOKMARK_MS 60000
#define WATCH_TIMEOUT_S 1800
/* With a clock that isn't the system's a wait can't know how long it takes: look again soon. */
#define WATCH_LOOK_MS 20

struct watch_stream {
    struct cleat_api_stream stream;
    struct cleat_api_server *server;
    struct cleat_api_resource *resource; /* reference */
    struct cleat_api_heads heads;
    struct cleat_api_selection selection;
    struct cleat_api_watcher watcher;
    struct cleat_api_snapshot initial;
    size_t initial_next;
    struct cleat_api_event events[WATCH_BATCH];
    size_t event_count;
    size_t event_next;
    struct cleat_api_record *moved; /* a record made for one event */
    struct cleat_api_pieces pieces;
    struct cleat_buffer text; /* of a bookmark or an error */
    uint64_t revision;        /* everything up to this was looked at */
    int64_t deadline_ms;
    int64_t bookmark_ms; /* the next one; monotonic */
    bool bookmarks;
    bool send_initial_end;
    bool ending;
};

static void watch_pieces(struct watch_stream *watch, const char *type,
                         const struct cleat_api_record *record)
{
    struct cleat_api_pieces *pieces = &watch->pieces;
    cleat_api_pieces_clear(pieces);
    cleat_api_pieces_add(pieces, CLEAT_STR("{\"type\":\""));
    cleat_api_pieces_add(pieces, cleat_str_of(type));
    cleat_api_pieces_add(pieces, CLEAT_STR("\",\"object\":"));
    cleat_api_pieces_add(pieces, cleat_str_of(watch->heads.object));
    cleat_api_pieces_add(pieces, cleat_api_heads_tail(&watch->heads, record));
    cleat_api_pieces_add(pieces, cleat_str_of(watch->heads.close));
    cleat_api_pieces_add(pieces, CLEAT_STR("}\n"));
}

static void watch_bookmark(struct watch_stream *watch, bool initial_end)
{
    cleat_buffer_reset(&watch->text);
    cleat_buffer_format(
        &watch->text,
        "{\"type\":\"BOOKMARK\",\"object\":%s\"metadata\":{\"resourceVersion\":\"%" PRIu64
        "\",\"creationTimestamp\":null%s}}}\n",
        watch->heads.object, watch->revision,
        initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
    cleat_api_pieces_clear(&watch->pieces);
    cleat_api_pieces_add(&watch->pieces, cleat_buffer_view(&watch->text));
    watch->bookmark_ms = cleat_clock_mono_ms(watch->server->clock) + WATCH_BOOKMARK_MS;
}

/* The one event of a watch whose version is gone. */
static void watch_error(struct watch_stream *watch, const struct cleat_api_failure *failure)
{
    cleat_buffer_reset(&watch->text);
    cleat_buffer_text(&watch->text, "{\"type\":\"ERROR\",\"object\":");
    (void)cleat_api_failure_write(failure, &watch->text); /* sticky */
    cleat_buffer_text(&watch->text, "}\n");
    cleat_api_pieces_clear(&watch->pieces);
    cleat_api_pieces_add(&watch->pieces, cleat_buffer_view(&watch->text));
    watch->ending = true;
}

static void watch_drop_event(struct watch_stream *watch)
{
    struct cleat_api_event *event = &watch->events[watch->event_next++];
    (void)cleat_api_record_unref(event->old);
    (void)cleat_api_record_unref(event->new);
    watch->moved = cleat_api_record_unref(watch->moved);
}

/* Prepares the pieces of the current event; false where the watch doesn't see it. */
static bool watch_show(struct watch_stream *watch, const struct cleat_api_event *event)
{
    bool before = event->old && cleat_api_selection_matches(&watch->selection, event->old);
    bool after = !event->deleted && cleat_api_selection_matches(&watch->selection, event->new);
    if (!before && !after)
        return false;
    if (after) {
        watch_pieces(watch, before ? "MODIFIED" : "ADDED", event->new);
        return true;
    }
    if (event->deleted) {
        watch_pieces(watch, "DELETED", event->new);
        return true;
    }
    /* It left the selection: its last state in it, with the version of the change. */
    if (cleat_api_record_at(event->old, event->revision, &watch->moved) != 0) {
        watch->ending = true;
        return false;
    }
    watch_pieces(watch, "DELETED", watch->moved);
    return true;
}

static bool watch_next_initial(struct watch_stream *watch)
{
    while (watch->initial_next < watch->initial.count) {
        const struct cleat_api_record *record = watch->initial.records[watch->initial_next++];
        if (cleat_api_selection_matches(&watch->selection, record)) {
            watch_pieces(watch, "ADDED", record);
            return true;
        }
    }
    if (!watch->send_initial_end)
        return false;
    watch->send_initial_end = false;
    watch_bookmark(watch, true);
    return true;
}

static bool watch_next_event(struct watch_stream *watch)
{
    while (watch->event_next < watch->event_count) {
        struct cleat_api_event *event = &watch->events[watch->event_next];
        if (watch_show(watch, event))
            return true;
        watch_drop_event(watch);
        if (watch->ending)
            return false;
    }
    return false;
}

/* Fills the batch; false where there is nothing (the end, or nothing yet). */
static bool watch_load(struct watch_stream *watch, bool *ret_bookmark)
{
    uint64_t revision = 0;
    watch->event_next = watch->event_count = 0;
    int result = cleat_api_watcher_next(&watch->server->registry, &watch->watcher, watch->events,
                                        WATCH_BATCH, &watch->event_count, &revision, ret_bookmark);
    if (result != 0) {
        watch->ending = true;
        return false;
    }
    watch->revision = revision;
    for (size_t i = 0; i < watch->event_count; i++)
        if (cleat_api_alias_event(watch->resource, &watch->events[i]) != 0)
            watch->ending = true;
    return watch->event_count > 0;
}

/* Prepares the next pieces if there is something to send; never waits. */
static bool watch_advance(struct watch_stream *watch)
{
    if (watch->ending)
        return false;
    if (watch->initial_next < watch->initial.count || watch->send_initial_end)
        if (watch_next_initial(watch))
            return true;
    if (watch->event_next < watch->event_count)
        watch_drop_event(watch); /* the one that was sent */
    bool bookmark = false;
    do {
        if (watch_next_event(watch))
            return true;
    } while (!watch->ending && watch_load(watch, &bookmark));
    if (watch->ending)
        return false;
    int64_t now = cleat_clock_mono_ms(watch->server->clock);
    bool over = now >= watch->deadline_ms;
    watch->ending = over;
    if (!watch->bookmarks || !(bookmark || over || now >= watch->bookmark_ms))
        return false;
    watch_bookmark(watch, false);
    return true;
}

static int watch_wait_ms(const struct watch_stream *watch)
{
    int64_t until = watch->deadline_ms;
    if (watch->bookmarks && watch->bookmark_ms < until)
        until = watch->bookmark_ms;
    int64_t wait = until - cleat_clock_mono_ms(watch->server->clock);
    if (watch->server->clock != cleat_clock_system() && wait > WATCH_LOOK_MS)
        wait = WATCH_LOOK_MS;
    return wait < 0 ? 0 : wait > 3600000 ? 3600000 : (int)wait;
}

/* Waits for something to happen; false where the client went away. */
static bool watch_wait(struct watch_stream *watch, int fd)
{
    struct pollfd fds[2] = {{.fd = watch->watcher.fd, .events = POLLIN},
                            {.fd = fd, .events = POLLRDHUP}};
    int ready = poll(fds, 2, watch_wait_ms(watch));
    return ready <= 0 || !(fds[1].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

static int64_t watch_read(struct cleat_api_stream *stream, int fd, char *bytes, size_t size)
{
    struct watch_stream *watch = (struct watch_stream *)stream;
    size_t copied = 0;
    while (copied < size) {
        if (!cleat_api_pieces_done(&watch->pieces)) {
            copied += cleat_api_pieces_copy(&watch->pieces, bytes + copied, size - copied);
            continue;
        }
        if (watch->server->stopping)
            break;
        if (watch_advance(watch))
            continue;
        if (copied > 0 || watch->ending)
            break;
        if (!watch_wait(watch, fd))
            return -EPIPE;
    }
    return (int64_t)copied;
}

static void watch_free(struct cleat_api_stream *stream)
{
    struct watch_stream *watch = (struct watch_stream *)stream;
    while (watch->event_next < watch->event_count)
        watch_drop_event(watch);
    watch->moved = cleat_api_record_unref(watch->moved);
    cleat_api_snapshot_fini(&watch->initial);
    cleat_api_watcher_stop(&watch->server->registry, &watch->watcher);
    cleat_api_selection_fini(&watch->selection);
    cleat_buffer_fini(&watch->text);
    (void)cleat_api_resource_unref(watch->resource);
    cleat_mem_free(watch);
}

/* Combinations of options were judged when they were read. */
static int watch_check(const struct cleat_api_request *request, struct cleat_api_failure *failure)
{
    static const char why[] = "Forbidden: sendInitialEvents is forbidden for watch unless the "
                              "WatchList feature gate is enabled";
    if (!request->list.set_send_initial_events || !request->server->no_watch_list)
        return 0;
    int result = cleat_api_fail(
        failure, 422, NULL, "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: %s", why);
    cleat_api_fail_details(failure, "meta.k8s.io", "ListOptions", CLEAT_STR(""));
    cleat_api_fail_cause(failure, "FieldValueForbidden", "sendInitialEvents", "%s", why);
    return result;
}

/* With the objects that there are as the beginning. */
static int watch_start_initial(struct watch_stream *watch, const struct cleat_api_request *request)
{
    int result = cleat_api_watcher_start_at(&watch->server->registry, request->resource,
                                            request->namespace_, &watch->watcher, &watch->initial);
    if (result == 0)
        result = cleat_api_alias_snapshot(request->resource, &watch->initial);
    watch->revision = watch->initial.revision;
    watch->send_initial_end = request->list.send_initial_events;
    return result;
}

static int watch_start(struct watch_stream *watch, const struct cleat_api_request *request,
                       uint64_t version, uint64_t current)
{
    const struct cleat_list_options *options = &request->list;
    bool from_now =
        version == 0 && options->set_send_initial_events && !options->send_initial_events;
    if (options->send_initial_events || (version == 0 && !from_now))
        return watch_start_initial(watch, request);
    if (from_now)
        version = current;
    watch->revision = version;
    int result = cleat_api_watcher_start(&watch->server->registry, request->resource, version,
                                         &watch->watcher);
    if (result != CLEAT_API_WATCH_EXPIRED)
        return result;
    struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
    (void)cleat_api_fail(&failure, 410, "Expired",
                         "too old resource version: %" PRIu64 " (%" PRIu64 ")", version, current);
    watch_error(watch, &failure);
    cleat_api_failure_fini(&failure);
    return 0;
}

static void watch_set_times(struct watch_stream *watch, const struct cleat_list_options *options)
{
    int64_t now = cleat_clock_mono_ms(watch->server->clock);
    int64_t timeout_s = options->timeout_s;
    if (timeout_s <= 0)
        timeout_s = WATCH_TIMEOUT_S +
                    (int64_t)cleat_clock_random_below(watch->server->clock, WATCH_TIMEOUT_S);
    watch->deadline_ms = timeout_s > INT64_MAX / 2000 ? INT64_MAX : now + timeout_s * 1000;
    watch->bookmarks = options->allow_watch_bookmarks;
    watch->bookmark_ms = now + WATCH_BOOKMARK_MS;
}

static int watch_new(struct cleat_api_request *request, struct watch_stream **ret,
                     struct cleat_api_failure *failure)
{
    struct watch_stream *watch = cleat_mem_zalloc(1, sizeof(*watch));
    if (!watch)
        return cleat_api_fail(failure, 500, NULL, "no memory for a watch");
    watch->stream = (struct cleat_api_stream){.length = -1, .read = watch_read, .free = watch_free};
    watch->server = request->server;
    watch->resource = cleat_api_resource_ref(request->resource);
    cleat_buffer_init(&watch->text, 64 * CLEAT_KIB);
    cleat_api_heads_init(&watch->heads, request);
    watch_set_times(watch, &request->list);
    int result = cleat_api_selection_init(&watch->selection, request, failure);
    if (result != 0) {
        watch_free(&watch->stream);
        return result;
    }
    *ret = watch;
    return 0;
}

int cleat_api_watch(struct cleat_api_request *request, struct cleat_api_response *response,
                    struct cleat_api_failure *failure)
{
    struct watch_stream *watch = NULL;
    uint64_t version = 0;
    uint64_t current = cleat_api_registry_revision(&request->server->registry);
    int result = watch_check(request, failure);
    if (result == 0)
        result = cleat_api_version_read(request->list.resource_version, &version, failure);
    if (result == 0)
        result = cleat_api_version_reached(version, current, failure);
    if (result == 0)
        result = watch_new(request, &watch, failure);
    if (result != 0)
        return result;
    result = watch_start(watch, request, version, current);
    if (result != 0) {
        watch_free(&watch->stream);
        return cleat_api_fail(failure, 500, NULL, "a watch can't be started: %s",
                              strerror(-result));
    }
    response->stream = &watch->stream;
    return 0;
}
