/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects that an installation consists of: those of deploy/, changed as the options say. What
 * `cleat manifests` prints and what the demo installs.
 */
#ifndef CLEAT_SERVER_MANIFESTS_H
#define CLEAT_SERVER_MANIFESTS_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/err.h>
#include <cleat/value.h>

struct cleat_manifests_options {
    bool crds;               /* the CRDs alone; else everything but them */
    const char *namespace_;  /* NULL: cleat-system */
    const char *image;       /* NULL: as in deploy/ */
    int64_t replicas;        /* 0: as in deploy/ */
    const char *webhook_url; /* base URL instead of the Service; NULL: none */
    bool cert_manager;       /* certificates by cert-manager instead of our own */
    bool service_monitor;    /* a ServiceMonitor for the Prometheus operator too */
    /* Kinds that may be mirrored: "Secret", "deployments.apps", "apps/Deployment"; NULL: Secret and
     * ConfigMap. */
    char *const *kinds;
    char *const *more_kinds; /* --allow-kind; NULL: none */
};

/** Calls @fn for each object, in the order of installing, until it returns non-zero; returns that,
 * 0 or negative. */
int cleat_manifests_each(const struct cleat_manifests_options *options,
                         int (*fn)(void *arg, struct cleat_value object, struct cleat_err *err),
                         void *arg, struct cleat_err *err) CLEAT_MUST_CHECK;

/** True for a base URL of webhooks: https, a host name or address, maybe a port and a path. */
bool cleat_manifests_url_valid(const char *url);

#define CLEAT_KIND_NAME_BYTES 256

/** Group and plural of a kind as people write it: KIND[.GROUP] with a kind or a plural, or
 * GROUP/KIND. -EINVAL. */
int cleat_manifests_kind(const char *text, char group[CLEAT_KIND_NAME_BYTES],
                         char plural[CLEAT_KIND_NAME_BYTES],
                         struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
