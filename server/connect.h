/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reaching the API server at the start: config, client, and the first answer.
 */
#ifndef CLEAT_SERVER_CONNECT_H
#define CLEAT_SERVER_CONNECT_H

#include <cleat/client.h>
#include <cleat/err.h>
#include <cleat/log.h>
#include <cleat/metrics.h>
#include "server/options.h"

struct cleat_connection {
    struct cleat_client *client;
    bool in_cluster;
    char *own_namespace; /* of the process: lease, certificate */
    char *username;      /* who we are to the API server */
};

/**
 * Loads the config and makes a client; asks who we are, again and again for --start-timeout where
 * the API server can't be reached; what retrying won't mend (a wrong CA, refused credentials) ends
 * it at once. Blocks.
 */
int cleat_connect(const struct cleat_serve_options *options, struct cleat_metrics *metrics,
                  struct cleat_log *log, struct cleat_connection *ret,
                  struct cleat_err *err) CLEAT_MUST_CHECK;
/** Releases what @connection holds; repeatable. */
void cleat_connection_fini(struct cleat_connection *connection);

#endif
