/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGTERM and SIGINT as a descriptor, read by thread `signals`: the first asks the manager to stop,
 * a second one ends the process at once with status 1.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"
#include "controller/manager.h"

#define SIGNALS_PAUSE_MS 100

/* The kernel may lack memory for a moment. Whoever gave up would never hear of SIGTERM. */
static void signals_pause(struct cleat_manager *manager)
{
    if (errno == EINTR)
        return;
    cleat_lock_take(&manager->lock);
    (void)cleat_cond_wait_ms(&manager->cond, &manager->lock, SIGNALS_PAUSE_MS); /* looks again */
    cleat_lock_release(&manager->lock);
}

static void *signals_run(void *arg)
{
    struct cleat_manager *manager = arg;
    bool asked = false;
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC);
    for (;;) {
        struct pollfd fds[2] = {{.fd = manager->signal_fd, .events = POLLIN},
                                {.fd = manager->quit_fd, .events = POLLIN}};
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) < 0) {
            signals_pause(manager);
            continue;
        }
        if (fds[1].revents)
            return NULL;
        if (!fds[0].revents || read(manager->signal_fd, &info, sizeof(info)) != sizeof(info))
            continue;
        if (asked)
            _exit(1);
        asked = true;
        cleat_info(manager->log, "stopping on a signal", cleat_log_int("signal", info.ssi_signo));
        cleat_manager_stop(manager);
    }
}

int cleat_manager_signals(struct cleat_manager *manager, struct cleat_err *err)
{
    sigset_t set;
    cleat_assert(manager->magic == CLEAT__MANAGER_MAGIC);
    if (manager->signals.running)
        return cleat_err_set(err, -EALREADY, "signals are handled already");
    (void)sigemptyset(&set); /* these three can't fail */
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    int rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (rc != 0)
        return cleat_err_set(err, -rc, "signals can't be blocked");
    manager->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    manager->quit_fd = eventfd(0, EFD_CLOEXEC);
    if (manager->signal_fd < 0 || manager->quit_fd < 0) {
        rc = -errno;
        cleat__manager_signals_fini(manager);
        return cleat_err_set(err, rc, "signals can't be read");
    }
    return cleat_thread_start(&manager->signals, "signals", 0, signals_run, manager, err);
}

void cleat__manager_signals_fini(struct cleat_manager *manager)
{
    if (manager->signals.running) {
        const uint64_t one = 1;
        ssize_t written = write(manager->quit_fd, &one, sizeof(one));
        cleat_assert(written == sizeof(one));
        cleat_thread_join(&manager->signals);
    }
    if (manager->signal_fd >= 0)
        (void)close(manager->signal_fd); /* nothing is lost */
    if (manager->quit_fd >= 0)
        (void)close(manager->quit_fd);
    manager->signal_fd = -1;
    manager->quit_fd = -1;
}
