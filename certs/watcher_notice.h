/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notice of changes in a folder (inotify), and a way to end the wait for it. Without inotify, and
 * while the folder isn't there, the wait just lasts its time. One thread waits; any may wake it.
 */
#ifndef CLEAT_CERTS_WATCHER_NOTICE_H
#define CLEAT_CERTS_WATCHER_NOTICE_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/err.h>

struct cleat_notice {
    const char *folder; /* borrowed */
    int inotify_fd;     /* -1: none to be had */
    int watch;          /* -1: the folder isn't watched now */
    int wake_fd;
};

/** For a @folder that needn't be there. -EMFILE, -ENFILE, -ENOMEM. */
int cleat_notice_init(struct cleat_notice *notice, const char *folder,
                      struct cleat_err *err) CLEAT_MUST_CHECK;
/** Repeatable after init, after a failed one too. */
void cleat_notice_fini(struct cleat_notice *notice);
/** Waits until something in the folder changes, and then until it has been quiet for a moment, or
 * until @timeout_ms have passed. False after cleat_notice_wake. */
bool cleat_notice_wait(struct cleat_notice *notice, int64_t timeout_ms);
/** Ends this wait and all later ones. Any thread. */
void cleat_notice_wake(struct cleat_notice *notice);

#endif
