/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate of `cleat serve`: our own, in the Secret cleat-webhook-cert and published in the
 * webhook configurations, or somebody else's in files. Made before the manager runs, freed before
 * the manager is.
 */
#ifndef CLEAT_SERVER_SERVE_CERTS_H
#define CLEAT_SERVER_SERVE_CERTS_H

#include <cleat/certs.h>
#include "server/options.h"

#define CLEAT_SERVE_SECRET "cleat-webhook-cert"
#define CLEAT_SERVE_NAMES_MAX 8

struct cleat_serve_certs_options {
    const struct cleat_serve_options *serve;
    struct cleat_client *client;
    struct cleat_cache *cache;
    struct cleat_log *log;
    struct cleat_metrics *metrics;
    const char *own_namespace;
    cleat_bundle_fn on_bundle;
    void *arg;
};

struct cleat_serve_certs {
    struct cleat_rotator *rotator; /* one of these two */
    struct cleat_watcher *watcher;
    char *names[CLEAT_SERVE_NAMES_MAX + 1]; /* of our certificate */
};

/** Everything in @options is borrowed for the life of @certs. Ended by cleat_serve_certs_fini,
 * after an error too. Errors name the flag. */
int cleat_serve_certs_init(struct cleat_serve_certs *certs,
                           const struct cleat_serve_certs_options *options,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** Fine on zeroed ones. */
void cleat_serve_certs_fini(struct cleat_serve_certs *certs);
/** For readiness: a certificate is served that hasn't expired and that the published CAs verify. */
int cleat_serve_certs_check(struct cleat_serve_certs *certs, struct cleat_err *err);
struct cleat_runnable cleat_serve_certs_runnable(struct cleat_serve_certs *certs);

#endif
