/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files are compared by content, not by time or inode: that covers kubelet's symlink swap, plain
 * rewrites and a new intermediate under the same leaf. A pair is checked before it's handed out; a
 * half-written one leaves the old in use. Each reason why the files can't be used is told once.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <cleat/certs.h>
#include "base/limits.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "certs/bundle.h"
#include "certs/figures.h"
#include "certs/watcher_notice.h"
#include "certs/x509.h"
#include "client/file.h"

#define WATCHER_PAUSE_MS 10000
#define WATCHER_FILE_BYTES_MAX (1 * CLEAT_MIB)

struct cleat_watcher {
    struct cleat_log *log;
    const struct cleat_clock *clock;
    char *folder;
    cleat_bundle_fn on_bundle;
    void *arg;
    struct cleat_notice notice;
    struct cleat_thread thread;
    struct cleat_figures figures;
    struct cleat_series *reads;
    struct cleat_series *read_errors;
    bool chained; /* ca.crt verifies the bundle */
    bool told_readable;
    char told[CLEAT_ERR_TEXT_BYTES_MAX]; /* the reason that was logged last; "" where all is good */
    struct cleat_lock lock;              /* of bundle */
    struct cleat_bundle *bundle;
};

/* ---- reading ---- */

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

/* A Secret that kubelet mounts with an fsGroup is readable for that group: only everybody is too
 * many. */
static void watcher_check_mode(struct cleat_watcher *watcher)
{
    struct stat status;
    CLEAT_CLEANUP(cleat_mem_freep) char *path = cleat_mem_format("%s/tls.key", watcher->folder);
    bool readable = path && stat(path, &status) == 0 && (status.st_mode & S_IROTH) != 0;
    if (readable && !watcher->told_readable)
        cleat_warn(watcher->log, "the key can be read by everybody on this machine",
                   cleat_log_text("path", path));
    watcher->told_readable = readable;
}

/* ---- deciding ---- */

static bool watcher_expired(const struct cleat_watcher *watcher, const struct cleat_bundle *bundle)
{
    return cleat_clock_wall_ms(watcher->clock) / 1000 >= cleat_bundle_not_after_unix_s(bundle);
}

/* 0 where ca.crt verifies the chain, or there is none. */
static int watcher_chain(const struct cleat_bundle *bundle, struct cleat_err *err)
{
    if (cleat_bundle_ca(bundle).length == 0)
        return 0;
    return cleat_x509_verify(cleat_bundle_cert(bundle), cleat_bundle_ca(bundle),
                             CLEAT_X509_ANY_TIME, err);
}

/*
 * 0 where @bundle is to be used. With a good one at hand it must be good itself; else it's better
 * than nothing, and @ret_flaw says what is wrong with it.
 */
static int watcher_judge(const struct cleat_watcher *watcher, const struct cleat_bundle *bundle,
                         struct cleat_err *ret_flaw, struct cleat_err *err)
{
    struct cleat_err chain = CLEAT_ERR_INIT;
    bool old_good = watcher->bundle && !watcher_expired(watcher, watcher->bundle);
    if (watcher_expired(watcher, bundle))
        (void)cleat_err_set(ret_flaw, -EKEYEXPIRED, "%s: the certificate has expired",
                            watcher->folder); /* told below */
    else if (watcher_chain(bundle, &chain) < 0)
        (void)cleat_err_set(ret_flaw, -EKEYREJECTED, "%s: ca.crt doesn't fit tls.crt: %s",
                            watcher->folder, cleat_err_text(&chain)); /* told below */
    if (ret_flaw->code == 0 || !old_good || (ret_flaw->code == -EKEYREJECTED && !watcher->chained))
        return 0;
    return cleat_err_set(err, ret_flaw->code, "%s", cleat_err_text(ret_flaw));
}

/* Logs a reason that isn't the last one's. */
static void watcher_tell(struct cleat_watcher *watcher, const char *message,
                         const struct cleat_err *reason)
{
    if (strcmp(watcher->told, cleat_err_text(reason)) == 0)
        return;
    memcpy(watcher->told, reason->text, sizeof(watcher->told));
    cleat_warn(watcher->log, message, cleat_log_err(reason));
}

static void watcher_note_ca(struct cleat_watcher *watcher, const struct cleat_bundle *old,
                            const struct cleat_bundle *bundle)
{
    CLEAT_CLEANUP(cleat_x509_freep) X509 *ca = NULL;
    struct cleat_str pem = cleat_bundle_ca(bundle);
    bool rotated = old && !cleat_str_equal(cleat_bundle_ca(old), pem);
    int64_t end_s = pem.length > 0 && cleat_x509_read(pem, &ca, NULL) == 0
                        ? cleat_x509_not_after_unix_s(ca)
                        : 0;
    cleat_figures_note(&watcher->figures, CLEAT_CERTIFICATE_CA, end_s, rotated);
}

/* Takes @bundle, a reference of the caller's, into use. */
static void watcher_use(struct cleat_watcher *watcher, struct cleat_bundle *bundle)
{
    struct cleat_bundle *old = watcher->bundle;
    bool rotated = old && !cleat_str_equal(cleat_bundle_cert(old), cleat_bundle_cert(bundle));
    cleat_lock_take(&watcher->lock);
    watcher->bundle = cleat_bundle_ref(bundle);
    cleat_lock_release(&watcher->lock);
    watcher->chained = watcher_chain(bundle, NULL) == 0;
    cleat_figures_note(&watcher->figures, CLEAT_CERTIFICATE_LEAF,
                       cleat_bundle_not_after_unix_s(bundle), rotated);
    watcher_note_ca(watcher, old, bundle);
    cleat_info(watcher->log, "certificate is in use", cleat_log_text("folder", watcher->folder),
               cleat_log_int("not_after_unix_s", cleat_bundle_not_after_unix_s(bundle)));
    if (watcher->on_bundle)
        watcher->on_bundle(watcher->arg, bundle);
    cleat_bundle_unref(old);
}

static int watcher_look(struct cleat_watcher *watcher, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_bundle_unrefp) struct cleat_bundle *bundle = NULL;
    struct cleat_err flaw = CLEAT_ERR_INIT;
    int r = watcher_load(watcher, &bundle, err);
    if (r == 0)
        r = watcher_judge(watcher, bundle, &flaw, err);
    if (r < 0)
        return r;
    watcher_check_mode(watcher);
    if (!watcher->bundle || !cleat_bundle_equal(watcher->bundle, bundle))
        watcher_use(watcher, bundle);
    if (flaw.code)
        watcher_tell(watcher, "certificate is in use for want of a better", &flaw);
    else
        watcher->told[0] = '\0';
    return 0;
}

int cleat_watcher_turn(struct cleat_watcher *watcher, struct cleat_err *err)
{
    int r = watcher_look(watcher, err);
    cleat_series_add(watcher->reads, 1);
    if (r < 0) {
        cleat_series_add(watcher->read_errors, 1);
        cleat_series_add(watcher->figures.errors, 1);
    }
    return r;
}

/* ---- life ---- */

static void *watcher_main(void *arg)
{
    struct cleat_watcher *watcher = arg;
    while (cleat_notice_wait(&watcher->notice, WATCHER_PAUSE_MS)) {
        struct cleat_err err = CLEAT_ERR_INIT;
        if (cleat_watcher_turn(watcher, &err) < 0)
            watcher_tell(watcher, "certificate can't be used, the old one stays in use", &err);
    }
    return NULL;
}

static int watcher_set_up(struct cleat_watcher *watcher,
                          const struct cleat_watcher_options *options, struct cleat_err *err)
{
    watcher->folder = cleat_mem_strdup(options->folder);
    if (!watcher->folder)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    int r = cleat_notice_init(&watcher->notice, watcher->folder, err);
    if (r == 0)
        r = cleat_figures_init(&watcher->figures, options->metrics, watcher->clock, err);
    if (r == 0)
        r = cleat_figures_counter(options->metrics, "certwatcher_read_certificate_total",
                                  "Times that the certificate's files were read.", &watcher->reads,
                                  err);
    if (r == 0)
        r = cleat_figures_counter(options->metrics, "certwatcher_read_certificate_errors_total",
                                  "Times that they couldn't be read or used.",
                                  &watcher->read_errors, err);
    return r == 0 ? cleat_watcher_turn(watcher, err) : r;
}

int cleat_watcher_new(const struct cleat_watcher_options *options, struct cleat_watcher **ret,
                      struct cleat_err *err)
{
    struct cleat_watcher *watcher = cleat_mem_zalloc(1, sizeof(*watcher));
    if (!watcher)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    watcher->log = options->log;
    watcher->clock = options->clock ? options->clock : cleat_clock_system();
    watcher->on_bundle = options->on_bundle;
    watcher->arg = options->arg;
    watcher->notice = (struct cleat_notice){.inotify_fd = -1, .wake_fd = -1};
    cleat_lock_init(&watcher->lock, CLEAT_LOCK_CERTS);
    int r = watcher_set_up(watcher, options, err);
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
    cleat_figures_fini(&watcher->figures);
    cleat_notice_fini(&watcher->notice);
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

int cleat_watcher_check(struct cleat_watcher *watcher, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_bundle_unrefp) struct cleat_bundle *bundle = cleat_watcher_bundle(watcher);
    if (!watcher_expired(watcher, bundle))
        return 0;
    return cleat_err_set(err, -EKEYEXPIRED, "%s: the certificate has expired", watcher->folder);
}

static int watcher_start(void *arg, struct cleat_err *err)
{
    struct cleat_watcher *watcher = arg;
    return cleat_thread_start(&watcher->thread, "certs", 0, watcher_main, watcher, err);
}

static void watcher_stop(void *arg)
{
    struct cleat_watcher *watcher = arg;
    cleat_notice_wake(&watcher->notice);
}

static int watcher_join(void *arg, int64_t timeout_ms)
{
    struct cleat_watcher *watcher = arg;
    if (timeout_ms >= 0)
        return cleat_thread_join_ms(&watcher->thread, timeout_ms) == 0 ? 0 : -ETIMEDOUT;
    cleat_thread_join(&watcher->thread);
    return 0;
}

struct cleat_runnable cleat_watcher_runnable(struct cleat_watcher *watcher, enum cleat_group group)
{
    return (struct cleat_runnable){.name = "certs",
                                   .group = group,
                                   .start = watcher_start,
                                   .stop = watcher_stop,
                                   .join = watcher_join,
                                   .arg = watcher};
}
