/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates' life cycle. A rotator keeps an own CA and a serving certificate in a Secret that
 * all replicas share; a watcher reads them from files that somebody else keeps (cert-manager).
 * Either hands out bundles as they change. An injector puts the CA into webhook configurations.
 * Each has a thread `certs` that looks at the wall clock each minute.
 *
 *   Secret or files ─► plan ─► bundle ─► servers, injector
 */
#ifndef CLEAT_CERTS_H
#define CLEAT_CERTS_H

#include <cleat/bundle.h>
#include <cleat/client.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/log.h>
#include <cleat/manager.h>

CLEAT_BEGIN

/** A new bundle is to be served; borrowed for the call. On the thread `certs` (the first time: the
 * starter's). */
typedef void (*cleat_bundle_fn)(void *arg, struct cleat_bundle *bundle);

/* ---- rotator: our own CA, kept in a Secret ---- */

struct cleat_rotator;

struct cleat_rotator_options {
    struct cleat_client *client;     /* a reference is kept */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed */
    const char *namespace_;          /* of the Secret; copied, as all strings */
    const char *secret;       /* its name; type kubernetes.io/tls with ca.crt and ca.key beside */
    const char *const *names; /* DNS names and IP addresses that the certificate covers;
                                 NULL-terminated, at most 16 */
    int64_t leaf_lifetime_s;  /* 0: a year */
    int64_t ca_lifetime_s;    /* 0: ten years */
    cleat_bundle_fn on_bundle;
    void *arg;
};

/** Makes a rotator; asks nothing yet. @ret is new. -E2BIG beyond 16 names, -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_rotator_new(const struct cleat_rotator_options *options,
                                                    struct cleat_rotator **ret,
                                                    struct cleat_err *err);
/** Frees it, after join where it ran; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_rotator *cleat_rotator_free(struct cleat_rotator *rotator);
/**
 * Reads the Secret once and mends or makes it where needed: created once by whichever replica comes
 * first, the others adopt it. Blocks. 0 with the bundle handed out, or negative.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_rotator_turn(struct cleat_rotator *rotator,
                                                     struct cleat_err *err);
/** The bundle that is served now (a new reference), or NULL. Any thread. */
CLEAT_EXPORT struct cleat_bundle *cleat_rotator_bundle(struct cleat_rotator *rotator);
/** As a runnable: first turn, then a turn each minute; failures are logged and tried again each
 * second. */
CLEAT_EXPORT struct cleat_runnable cleat_rotator_runnable(struct cleat_rotator *rotator,
                                                          enum cleat_group group);

/* ---- watcher: tls.crt and tls.key in a folder ---- */

struct cleat_watcher;

struct cleat_watcher_options {
    const struct cleat_clock *clock;
    struct cleat_log *log;
    const char *folder; /* copied; tls.crt, tls.key and, where there is one, ca.crt */
    cleat_bundle_fn on_bundle;
    void *arg;
};

/** Reads the pair: a missing or wrong one is an error that names the file. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_watcher_new(const struct cleat_watcher_options *options,
                                                    struct cleat_watcher **ret,
                                                    struct cleat_err *err);
/** Frees it, after join where it ran; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_watcher *cleat_watcher_free(struct cleat_watcher *watcher);
/** Reads the files again; where the pair changed and is good it is handed out, else the old one
 * stays. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_watcher_turn(struct cleat_watcher *watcher,
                                                     struct cleat_err *err);
/** The bundle that is served now; a new reference. Any thread. */
CLEAT_EXPORT struct cleat_bundle *cleat_watcher_bundle(struct cleat_watcher *watcher);
/** As a runnable: a turn each ten seconds. */
CLEAT_EXPORT struct cleat_runnable cleat_watcher_runnable(struct cleat_watcher *watcher,
                                                          enum cleat_group group);

/* ---- injector: the CA in webhook configurations ---- */

/**
 * Writes @ca_pem into clientConfig.caBundle of each webhook of the configuration @name where it
 * differs, and nothing else. 0 in place, 1 where there is no such configuration, negative. Blocks.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_inject_ca(struct cleat_client *client, bool mutating,
                                                  const char *name, struct cleat_str ca_pem,
                                                  struct cleat_err *err);

CLEAT_END

#endif
