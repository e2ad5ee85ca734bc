/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include "certs/watcher_notice.h"

/* Files are written one after the other: they are read once that seems to be over. */
#define NOTICE_QUIET_MS 50
#define NOTICE_QUIET_TRIES 20
#define NOTICE_EVENTS                                                                   \
    (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

int cleat_notice_init(struct cleat_notice *notice, const char *folder, struct cleat_err *err)
{
    *notice = (struct cleat_notice){
        .folder = folder, .inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .watch = -1};
    notice->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (notice->wake_fd < 0)
        return cleat_err_set(err, -errno, "%s can't be watched: %s", folder, strerror(errno));
    return 0;
}

void cleat_notice_fini(struct cleat_notice *notice)
{
    if (notice->inotify_fd >= 0)
        close(notice->inotify_fd);
    if (notice->wake_fd >= 0)
        close(notice->wake_fd);
    notice->inotify_fd = -1;
    notice->wake_fd = -1;
}

static void notice_watch(struct cleat_notice *notice)
{
    if (notice->watch < 0 && notice->inotify_fd >= 0)
        notice->watch = inotify_add_watch(notice->inotify_fd, notice->folder, NOTICE_EVENTS);
}

/* Takes all events; a folder that was moved, removed or mounted over is watched anew next time. */
static void notice_drain(struct cleat_notice *notice)
{
    union {
        struct inotify_event event; /* for its alignment */
        char bytes[4096];
    } buffer;
    ssize_t length;
    while ((length = read(notice->inotify_fd, buffer.bytes, sizeof(buffer.bytes))) > 0) {
        for (ssize_t at = 0; at < length;) {
            struct inotify_event event;
            memcpy(&event, buffer.bytes + at, sizeof(event));
            at += (ssize_t)(sizeof(event) + event.len);
            if (event.wd == notice->watch &&
                event.mask & (IN_IGNORED | IN_UNMOUNT | IN_MOVE_SELF)) {
                if (event.mask & IN_MOVE_SELF)
                    (void)inotify_rm_watch(notice->inotify_fd, notice->watch); /* gone already */
                notice->watch = -1;
            }
        }
    }
}

/* > 0: an event; 0: the time is over; < 0: woken. */
static int notice_poll(struct cleat_notice *notice, int64_t timeout_ms)
{
    struct pollfd fds[] = {{.fd = notice->wake_fd, .events = POLLIN},
                           {.fd = notice->inotify_fd, .events = POLLIN}};
    int ready = poll(fds, 2, (int)timeout_ms);
    if (fds[0].revents != 0)
        return -1;
    if (ready > 0)
        notice_drain(notice);
    return ready > 0;
}

bool cleat_notice_wait(struct cleat_notice *notice, int64_t timeout_ms)
{
    bool watched = notice->watch >= 0;
    notice_watch(notice);
    /* What changed before it was watched tells nothing: look at once. */
    int r = !watched && notice->watch >= 0 ? 1 : notice_poll(notice, timeout_ms);
    for (int i = 0; r > 0 && i < NOTICE_QUIET_TRIES; i++)
        r = notice_poll(notice, NOTICE_QUIET_MS);
    return r >= 0;
}

void cleat_notice_wake(struct cleat_notice *notice)
{
    const uint64_t one = 1;
    ssize_t written = write(notice->wake_fd, &one, sizeof(one));
    (void)written; /* full: it's awake already */
}
