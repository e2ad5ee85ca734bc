/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager supervises everything that runs in the process: servers, caches, controllers, jobs,
 * election; it starts them in groups, in order, and stops them in reverse. Nothing is global: a
 * process may have several.
 */
#ifndef CLEAT_MANAGER_H
#define CLEAT_MANAGER_H

#include <cleat/cache.h>
#include <cleat/client.h>
#include <cleat/clock.h>
#include <cleat/discovery.h>
#include <cleat/election.h>
#include <cleat/err.h>
#include <cleat/health.h>
#include <cleat/jobs.h>
#include <cleat/log.h>
#include <cleat/metrics.h>
#include <cleat/recorder.h>

CLEAT_BEGIN

struct cleat_manager;

/** Groups, in the order of starting; stopping: WEBHOOKS, OTHERS, ELECTED, CACHES, HTTP. */
enum cleat_group {
    CLEAT_GROUP_HTTP,     /* health, metrics */
    CLEAT_GROUP_WEBHOOKS, /* listening before any list that needs conversion */
    CLEAT_GROUP_CACHES,
    CLEAT_GROUP_OTHERS,
    CLEAT_GROUP_WARMUP,
    CLEAT_GROUP_ELECTED, /* only while leading */
    CLEAT_GROUP_COUNT
};

/**
 * Something that runs. All functions but @start may be NULL. What is ELECTED is started again after
 * its join where the manager stands again.
 */
struct cleat_runnable {
    const char *name;
    enum cleat_group group;
    int (*start)(void *arg, struct cleat_err *err); /* returns once it runs */
    int (*wait_ready)(void *arg, int64_t timeout_ms, struct cleat_err *err);
    void (*drain)(void *arg); /* the stop is near: clients are to go elsewhere; returns at once */
    void (*stop)(void *arg);  /* asks; returns at once */
    int (*join)(void *arg, int64_t timeout_ms); /* 0, or -ETIMEDOUT with it still running */
    void *arg;
};

struct cleat_manager_options {
    struct cleat_client *client;     /* a reference is kept; NULL: no cluster, runnables only */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed */
    struct cleat_metrics *metrics;   /* borrowed; NULL: the manager makes its own */
    const char *cluster;             /* NULL: "local" */
    int64_t grace_ms; /* of stopping in all, draining included; 0: 10,000; < 0: for ever */
    int64_t drain_ms; /* between not ready and stopping, less than grace_ms; 0: none */
    bool elect;
    /** After a loss of leadership elected work is stopped and joined (for grace_ms at most), and
     * the election stood for again; else the run ends with an error. */
    bool stand_again;
    struct cleat_election_options election; /* clock, log, metrics, recorder, on_started and
                                               on_stopped are filled in; client NULL: the manager's;
                                               lock is taken, also on failure */
    unsigned jobs;                          /* threads of the job pool; 0: 2 */
    struct cleat_cache_options cache;       /* name, client, clock, log, metrics are filled in */
    const char *name;                       /* reportingController of events; NULL: "cleat" */
    int64_t sync_timeout_ms; /* of each group at the start, the caches' sync included; 0: 120,000 */
};

/** Makes a manager with all its parts; strings are copied. @ret is new. 0, -ENOMEM, -EINVAL,
 * -EAGAIN. A stop ends the
 * calls on @options->client (-ECANCELED): at once while it starts, else once what serves has ended
 * or overstayed. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_manager_new(const struct cleat_manager_options *options,
                                                    struct cleat_manager **ret,
                                                    struct cleat_err *err);
/**
 * Frees a manager that doesn't run, with its controllers; NULL is fine; returns NULL. After a run
 * that ended with something still running nothing is freed.
 */
CLEAT_EXPORT struct cleat_manager *cleat_manager_free(struct cleat_manager *manager);
/**
 * Makes @feed one that readiness rests on: check "caches" fails while it isn't synced or is stale.
 * Watches of controllers made before the start are so by themselves. Borrowed for the manager's
 * life. 0 or -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_manager_base_feed(struct cleat_manager *manager,
                                                          struct cleat_feed *feed);
/** Adds (copied); started at once where its group runs. Joined where the manager stops. -ESHUTDOWN
 * after that. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_manager_add(struct cleat_manager *manager,
                                                    const struct cleat_runnable *runnable,
                                                    struct cleat_err *err);
/**
 * Starts everything, waits until it is told to stop (or something fails, or leadership is lost),
 * stops everything. 0 after an orderly stop; -ETIMEDOUT where the grace time wasn't enough (the
 * runnables are named); else the first failure. Blocks; once.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_manager_run(struct cleat_manager *manager,
                                                    struct cleat_err *err);
/** Asks to stop; any thread, not from signal handlers (see cleat_manager_signals). */
CLEAT_EXPORT void cleat_manager_stop(struct cleat_manager *manager);
/** Ends the manager with this error, as a runnable that broke down later does. */
CLEAT_EXPORT void cleat_manager_fail(struct cleat_manager *manager, const struct cleat_err *err);
/** 0 once all groups (ELECTED where leading or not elected at all) were started; else -ETIMEDOUT.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_manager_wait_started(struct cleat_manager *manager,
                                                             int64_t timeout_ms);
/* Parts, borrowed for the manager's life. */
/** The client that reads and writes regardless of leadership. */
CLEAT_EXPORT struct cleat_client *cleat_manager_client(struct cleat_manager *manager);
/** The client whose writes are refused when not leading: what elected work must use. */
CLEAT_EXPORT struct cleat_client *cleat_manager_fenced_client(struct cleat_manager *manager);
/** The one cache that all controllers and webhooks share. */
CLEAT_EXPORT struct cleat_cache *cleat_manager_cache(struct cleat_manager *manager);
/** The discovery cache of the same server. */
CLEAT_EXPORT struct cleat_discovery *cleat_manager_discovery(struct cleat_manager *manager);
/** The registry that every part counts into; add your own families to it. */
CLEAT_EXPORT struct cleat_metrics *cleat_manager_metrics(struct cleat_manager *manager);
/** The log from the options; may be NULL, which drops everything. */
CLEAT_EXPORT struct cleat_log *cleat_manager_log(struct cleat_manager *manager);
/** The clock from the options. */
CLEAT_EXPORT const struct cleat_clock *cleat_manager_clock(struct cleat_manager *manager);
/** The pool for work that would hold up a reconciler. */
CLEAT_EXPORT struct cleat_jobs *cleat_manager_jobs(struct cleat_manager *manager);
/** Writes Kubernetes Events. */
CLEAT_EXPORT struct cleat_recorder *cleat_manager_recorder(struct cleat_manager *manager);
/** The checks behind /healthz; the manager adds "leader-election", which fails where the renewal is
 * stuck (cleat_election_check). */
CLEAT_EXPORT struct cleat_health *cleat_manager_healthz(struct cleat_manager *manager);
/** The checks behind /readyz, of which the sum says ready; the manager adds "caches", "leader" and
 * "shutdown". */
CLEAT_EXPORT struct cleat_health *cleat_manager_readyz(struct cleat_manager *manager);
/** True while this replica leads, or where nobody is elected. Any thread. */
CLEAT_EXPORT bool cleat_manager_leading(const struct cleat_manager *manager);

/** Makes SIGTERM and SIGINT stop @manager (a second one exits with 1). Call on the main thread
 * before others start. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_manager_signals(struct cleat_manager *manager,
                                                        struct cleat_err *err);

CLEAT_END

#endif
