/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watcher holds no queue: it's a cursor into its resource's history, which is bounded. One that
 * the history has overtaken is told so. Its descriptor is written once per look, not once per
 * event.
 */
#include "apiserver/watcher.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

static void watcher_signal(struct cleat_api_watcher *watcher)
{
    if (watcher->signalled)
        return;
    watcher->signalled = true;
    uint64_t one = 1;
    ssize_t written = write(watcher->fd, &one, sizeof(one));
    (void)written; /* can only fail where the counter is full, and then it's readable */
}

void cleat__api_watchers_signal(struct cleat_api_storage *storage)
{
    for (struct cleat_api_watcher *watcher = storage->watchers; watcher; watcher = watcher->next)
        watcher_signal(watcher);
}

void cleat__api_watchers_end(struct cleat_api_storage *storage)
{
    for (struct cleat_api_watcher *watcher = storage->watchers; watcher; watcher = watcher->next) {
        watcher->ended = true;
        watcher_signal(watcher);
    }
}

void cleat__api_watchers_wake(struct cleat_api_storage *storage, bool bookmark)
{
    for (struct cleat_api_watcher *watcher = storage->watchers; watcher; watcher = watcher->next) {
        watcher->bookmark |= bookmark;
        watcher_signal(watcher);
    }
}

static int watcher_open(struct cleat_api_watcher *watcher, struct cleat_api_resource *resource)
{
    *watcher = (struct cleat_api_watcher){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (watcher->fd < 0)
        return -errno;
    watcher->storage = cleat_api_storage_ref(resource->storage);
    return 0;
}

static void watcher_close(struct cleat_api_watcher *watcher)
{
    (void)close(watcher->fd); /* an eventfd has nothing to lose */
    (void)cleat_api_storage_unref(watcher->storage);
    *watcher = (struct cleat_api_watcher){.fd = -1};
}

static void watcher_link(struct cleat_api_watcher *watcher)
{
    struct cleat_api_storage *storage = watcher->storage;
    watcher->next = storage->watchers;
    if (watcher->next)
        watcher->next->prev = watcher;
    storage->watchers = watcher;
    watcher_signal(watcher);
}

int cleat_api_watcher_start(struct cleat_api_registry *registry,
                            struct cleat_api_resource *resource, uint64_t revision,
                            struct cleat_api_watcher *watcher)
{
    int result = watcher_open(watcher, resource);
    if (result != 0)
        return result;
    cleat_lock_take(&registry->lock);
    const struct cleat_api_history *history = &watcher->storage->history;
    if (revision < history->compacted)
        result = CLEAT_API_WATCH_EXPIRED;
    watcher->cursor = cleat_api_history_after(history, revision);
    if (result == 0)
        watcher_link(watcher);
    cleat_lock_release(&registry->lock);
    if (result != 0)
        watcher_close(watcher);
    return result;
}

int cleat_api_watcher_start_at(struct cleat_api_registry *registry,
                               struct cleat_api_resource *resource, struct cleat_str namespace_,
                               struct cleat_api_watcher *watcher, struct cleat_api_snapshot *ret)
{
    int result = watcher_open(watcher, resource);
    if (result != 0)
        return result;
    cleat_lock_take(&registry->lock);
    const struct cleat_api_range range = {.namespace_ = namespace_};
    result = cleat__api_snapshot_now(registry, resource, &range, ret);
    watcher->cursor = watcher->storage->history.first + watcher->storage->history.count;
    if (result == 0)
        watcher_link(watcher);
    cleat_lock_release(&registry->lock);
    if (result != 0)
        watcher_close(watcher);
    return result;
}

void cleat_api_watcher_stop(struct cleat_api_registry *registry, struct cleat_api_watcher *watcher)
{
    if (!watcher->storage)
        return;
    cleat_lock_take(&registry->lock);
    if (watcher->prev)
        watcher->prev->next = watcher->next;
    else
        watcher->storage->watchers = watcher->next;
    if (watcher->next)
        watcher->next->prev = watcher->prev;
    cleat_lock_release(&registry->lock);
    watcher_close(watcher);
}

static void watcher_clear(struct cleat_api_watcher *watcher)
{
    if (!watcher->signalled)
        return;
    watcher->signalled = false;
    uint64_t count;
    ssize_t got = read(watcher->fd, &count, sizeof(count));
    (void)got; /* non-blocking: what isn't there needn't be read */
}

int cleat_api_watcher_next(struct cleat_api_registry *registry, struct cleat_api_watcher *watcher,
                           struct cleat_api_event *events, size_t max, size_t *ret_count,
                           uint64_t *ret_revision, bool *ret_bookmark)
{
    size_t count = 0;
    int result = 0;
    cleat_lock_take(&registry->lock);
    const struct cleat_api_history *history = &watcher->storage->history;
    uint64_t end = history->first + history->count;
    *ret_bookmark = watcher->bookmark;
    watcher->bookmark = false;
    if (watcher->cursor < history->first)
        result = CLEAT_API_WATCH_EXPIRED;
    while (result == 0 && count < max && watcher->cursor < end) {
        struct cleat_api_event *event = &events[count++];
        *event = *cleat_api_history_at(history, watcher->cursor++);
        (void)cleat_api_record_ref(event->new);
        if (event->old)
            (void)cleat_api_record_ref(event->old);
    }
    bool all = watcher->cursor == end;
    if (result == 0 && watcher->ended && all && count == 0)
        result = CLEAT_API_WATCH_ENDED;
    if (all)
        watcher_clear(watcher);
    *ret_revision = all || !count ? registry->revision : events[count - 1].revision;
    cleat_lock_release(&registry->lock);
    *ret_count = count;
    return result;
}
