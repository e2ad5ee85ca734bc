/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files are compared by content, not by time or inode: that covers kubelet's symlink swap, plain
 * rewrites and a new intermediate under the same leaf. A pair is checked before it's handed out; a
 * half-written one leaves the old in use.
 */
#include <errno.h>
#include <cleat/certs.h>
#include "base/limits.h"
#include "base/lock.h"
#include "base/mem.h"
#include "certs/bundle.h"
#include "client/file.h"
#include "controller/ticker.h"

#define WATCHER_PAUSE_MS 10000
#define WATCHER_FILE_BYTES_MAX (1 * CLEAT_MIB)

struct cleat_watcher {
    struct cleat_log *log;
    char *folder;
    cleat_bundle_fn on_bundle;
    void *arg;
    struct cleat_ticker ticker;
    struct cleat_lock lock; /* of bundle */
    struct cleat_bundle *bundle;
};

/* Appends @folder/@name; a missing optional file leaves the buffer empty. */
static int watcher_read(const struct cleat_watcher *watcher, const char *name, bool optional,
                        struct cleat_buffer *buffer, struct cleat_err *err)
{
    struct cleat_err local = CLEAT_ERR_INIT;
    char *path = cleat_mem_format("%s/%s", watcher->folder, name);
    int r = path ? cleat_file_read(path, false, buffer, &local) /* names the path itself */
                 : cleat_err_set(&local, -ENOMEM, "%s: out of memory", watcher->folder);
    if (r == -ENOENT && optional)
        r = 0;
    if (r < 0)
        r = cleat_err_set(err, r, "%s", cleat_err_text(&local));
    cleat_mem_free(path);
    return r;
}

static int watcher_load(const struct cleat_watcher *watcher, struct cleat_bundle **ret,
                        struct cleat_err *err)
{
    struct cleat_err local = CLEAT_ERR_INIT;
    struct cleat_buffer cert = CLEAT_BUFFER_INIT(WATCHER_FILE_BYTES_MAX);
    struct cleat_buffer key = CLEAT_BUFFER_INIT(WATCHER_FILE_BYTES_MAX);
    struct cleat_buffer ca = CLEAT_BUFFER_INIT(WATCHER_FILE_BYTES_MAX);
    int r = watcher_read(watcher, "tls.crt", false, &cert, err);
    if (r == 0)
        r = watcher_read(watcher, "tls.key", false, &key, err);
    if (r == 0)
        r = watcher_read(watcher, "ca.crt", true, &ca, err);
    if (r == 0) {
        r = cleat_bundle_new(cleat_buffer_view(&cert), cleat_buffer_view(&key),
                             cleat_buffer_view(&ca), ret, &local);
        if (r < 0)
            r = cleat_err_set(err, r, "%s: %s", watcher->folder, cleat_err_text(&local));
    }
    if (key.data)
        cleat_mem_wipe(key.data, key.length);
    cleat_buffer_fini(&cert);
    cleat_buffer_fini(&key);
    cleat_buffer_fini(&ca);
    return r;
}

int cleat_watcher_turn(struct cleat_watcher *watcher, struct cleat_err *err)
{
    struct cleat_bundle *bundle = NULL;
    int r = watcher_load(watcher, &bundle, err);
    if (r < 0)
        return r;
    cleat_lock_take(&watcher->lock);
    struct cleat_bundle *old = watcher->bundle;
    bool same = old && cleat_bundle_equal(old, bundle);
    if (!same)
        watcher->bundle = cleat_bundle_ref(bundle);
    cleat_lock_release(&watcher->lock);
    if (!same) {
        cleat_bundle_unref(old);
        cleat_info(watcher->log, "certificate is in use", cleat_log_text("folder", watcher->folder),
                   cleat_log_int("not_after_unix_s", cleat_bundle_not_after_unix_s(bundle)));
        if (watcher->on_bundle)
            watcher->on_bundle(watcher->arg, bundle);
    }
    cleat_bundle_unref(bundle);
    return 0;
}

static int64_t watcher_tick(void *arg)
{
    struct cleat_watcher *watcher = arg;
    struct cleat_err err = CLEAT_ERR_INIT;
    if (cleat_watcher_turn(watcher, &err) < 0)
        cleat_warn(watcher->log, "certificate can't be read, the old one stays in use",
                   cleat_log_err(&err));
    return WATCHER_PAUSE_MS;
}

int cleat_watcher_new(const struct cleat_watcher_options *options, struct cleat_watcher **ret,
                      struct cleat_err *err)
{
    struct cleat_watcher *watcher = cleat_mem_zalloc(1, sizeof(*watcher));
    if (!watcher)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    watcher->log = options->log;
    watcher->on_bundle = options->on_bundle;
    watcher->arg = options->arg;
    cleat_lock_init(&watcher->lock, CLEAT_LOCK_CERTS);
    cleat_ticker_init(&watcher->ticker, watcher_tick, watcher);
    watcher->folder = cleat_mem_strdup(options->folder);
    int r = watcher->folder ? cleat_watcher_turn(watcher, err) : -ENOMEM;
    if (r < 0)
        cleat_watcher_free(watcher);
    else
        *ret = watcher;
    return r;
}

struct cleat_watcher *cleat_watcher_free(struct cleat_watcher *watcher)
{
    if (!watcher)
        return NULL;
    cleat_ticker_fini(&watcher->ticker);
    cleat_lock_fini(&watcher->lock);
    cleat_bundle_unref(watcher->bundle);
    cleat_mem_free(watcher->folder);
    return cleat_mem_free(watcher);
}

struct cleat_bundle *cleat_watcher_bundle(struct cleat_watcher *watcher)
{
    cleat_lock_take(&watcher->lock);
    struct cleat_bundle *bundle = cleat_bundle_ref(watcher->bundle);
    cleat_lock_release(&watcher->lock);
    return bundle;
}

static int watcher_start(void *ticker, struct cleat_err *err)
{
    return cleat_ticker_start(ticker, "certs", err);
}

struct cleat_runnable cleat_watcher_runnable(struct cleat_watcher *watcher, enum cleat_group group)
{
    return cleat_ticker_runnable(&watcher->ticker, "certs", group, watcher_start);
}
