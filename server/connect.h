/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reaching the API server at the start: config, client, and the first answer. The first contact is
 * a runnable of the first group, so that ports are bound and /healthz answers while an API server
 * that is down is tried again.
 *
 *   kubeconfig ─► client ─► (runnable) who am I? ─► on_reached, the next groups ─► …
 */
#ifndef CLEAT_SERVER_CONNECT_H
#define CLEAT_SERVER_CONNECT_H

#include <cleat/client.h>
#include <cleat/err.h>
#include <cleat/log.h>
#include <cleat/manager.h>
#include <cleat/metrics.h>
#include "base/lock.h"
#include "controller/ticker.h"
#include "server/options.h"

/** The API server has answered: who we are to it. On the connection's thread, before any later
 * group starts; negative ends the start. */
typedef int (*cleat_connection_reached_fn)(void *arg, const char *username, struct cleat_err *err);

struct cleat_connection {
    struct cleat_client *client;
    struct cleat_client *elector; /* the same server, on connections of the election's own */
    bool in_cluster;
    char *own_namespace;           /* of the process: lease, certificate */
    struct cleat_client *first;    /* the same server, with shorter limits; the thread's own */
    struct cleat_client *reviewer; /* the same, with the shortest: for who may read metrics */
    struct cleat_log *log;
    int64_t start_timeout_ms;
    int64_t deadline_mono_ms;
    bool warned; /* the thread's own, as the deadline */
    cleat_connection_reached_fn reached;
    void *reached_arg;
    struct cleat_ticker ticker;
    struct cleat_lock lock;
    struct cleat_cond cond;
    bool settled; /* under the lock, as the failure */
    struct cleat_err failure;
};

/**
 * Loads the config and makes the clients; connects to nothing yet. @reached may be NULL. Whatever
 * it returns, @ret may be given to fini. Strings of @options are borrowed for the call.
 */
int cleat_connection_init(struct cleat_connection *ret, const struct cleat_serve_options *options,
                          struct cleat_metrics *metrics, struct cleat_log *log,
                          cleat_connection_reached_fn reached, void *arg,
                          struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * Asks who we are, again and again for --start-timeout where the API server can't be reached; what
 * trying again won't mend (a wrong CA, refused credentials) ends the start at once. Ready with the
 * first answer.
 */
struct cleat_runnable cleat_connection_runnable(struct cleat_connection *connection);
/** Releases what @connection holds, also of one that init never saw (zeroed); repeatable. */
void cleat_connection_fini(struct cleat_connection *connection);

#endif
