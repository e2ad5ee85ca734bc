/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a manager; for manager*.c and the controllers' making.
 */
#ifndef CLEAT_CONTROLLER_MANAGER_H
#define CLEAT_CONTROLLER_MANAGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <cleat/controller.h>
#include <cleat/manager.h>
#include "base/lock.h"
#include "base/thread.h"
#include "controller/runnable.h"

#define CLEAT__MANAGER_MAGIC 0x6d616e61U

struct manager_controller {
    struct cleat_controller *controller; /* owned */
    struct manager_controller *next;
};

struct manager_feed {
    struct cleat_feed *feed; /* borrowed */
    struct manager_feed *next;
};

struct cleat_manager {
    unsigned magic;
    const struct cleat_clock *clock;
    struct cleat_log *log;
    struct cleat_metrics *metrics;
    struct cleat_metrics *own_metrics; /* the same where nobody gave one */
    struct cleat_client *client;
    struct cleat_client *fenced;
    struct cleat_cache *cache;
    struct cleat_discovery *discovery;
    struct cleat_jobs *jobs;
    struct cleat_recorder *recorder;
    struct cleat_health *healthz;
    struct cleat_health *readyz;
    struct cleat_election *election; /* NULL: everybody leads */
    struct cleat_client *elector;    /* what it asks with; NULL: nothing */
    bool stand_again;
    void (*on_new_leader)(void *arg, const char *holder);
    void *on_new_leader_arg;
    int64_t grace_ms;
    int64_t drain_ms;
    int64_t sync_timeout_ms;
    struct cleat_thread timer;
    struct cleat_thread signals;
    int signal_fd; /* -1: none */
    int quit_fd;
    bool leaked; /* something still runs: nothing may be freed */

    struct cleat_lock lock;
    struct cleat_cond cond;
    struct runnables runnables;
    struct manager_controller *controllers;
    struct manager_feed *feeds;
    bool ran;
    bool stopping;     /* somebody asked */
    bool draining;     /* not ready any more */
    bool started;      /* all groups but the elected one */
    bool elected;      /* won since the election was started */
    bool lost;         /* and lost again */
    bool elected_runs; /* the elected group was started */
    bool timer_quit;
    bool election_left;   /* run's caller's: its thread overstayed its share of the end */
    struct cleat_err err; /* the first failure; code 0: none */
};

/** Ends the timer's thread. */
void cleat__manager_timer_stop(struct cleat_manager *manager);
/** Drains, ends all groups, the election, events and jobs, within the grace time. 0, or -ETIMEDOUT
 * with what still runs in @err. */
int cleat__manager_end(struct cleat_manager *manager, struct cleat_err *err);
/**
 * After a loss of leadership: ends elected work and the election, within the grace time, so that
 * both can be started again. 0, or -ETIMEDOUT with what still runs in @err.
 */
int cleat__manager_suspend(struct cleat_manager *manager, struct cleat_err *err);
/** Adds the manager's own checks. 0 or -ENOMEM. */
int cleat__manager_health_init(struct cleat_manager *manager) CLEAT_MUST_CHECK;
/** Ends the thread that waits for signals, where there is one. */
void cleat__manager_signals_fini(struct cleat_manager *manager);
/** 0, or why a feed that everything rests on isn't to be trusted. */
int cleat__controller_check(struct cleat_controller *controller, struct cleat_err *err);
/** The same for one feed; @whose names it in the text. */
int cleat__feed_check(struct cleat_feed *feed, const char *whose, const char *plural,
                      struct cleat_err *err);

#endif
