/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates' life cycle. A rotator keeps CAs of its own and a serving certificate in a Secret
 * that all replicas share, and the CAs in the caBundle of webhook configurations and CRDs; a
 * watcher reads a certificate from files that somebody else keeps (cert-manager). Either hands out
 * bundles as they change, on its thread `certs`.
 *
 *   Secret ─► plan ─► Secret, caBundles ─► bundle ─► servers        files ─► bundle ─► servers
 *
 * What a rotator holds to: at every instant the published caBundles verify what each replica
 * serves. A new CA is published beside the old one, then a certificate is issued under it, and the
 * old one goes when the last certificate under it has ended.
 */
#ifndef CLEAT_CERTS_H
#define CLEAT_CERTS_H

#include <cleat/bundle.h>
#include <cleat/cache.h>
#include <cleat/client.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/log.h>
#include <cleat/manager.h>
#include <cleat/metrics.h>

CLEAT_BEGIN

/** A new bundle is to be served; borrowed for the call. On the thread `certs` (the first time: the
 * starter's). */
typedef void (*cleat_bundle_fn)(void *arg, struct cleat_bundle *bundle);

/* ---- whom the API server trusts ---- */

/** What has a caBundle. */
enum cleat_ca_target_kind {
    CLEAT_CA_VALIDATING, /* ValidatingWebhookConfiguration: webhooks[*].clientConfig */
    CLEAT_CA_MUTATING,   /* MutatingWebhookConfiguration */
    CLEAT_CA_CONVERSION, /* CustomResourceDefinition: spec.conversion.webhook.clientConfig */
};

/** One object with caBundles. One that isn't there is nothing to wait for. */
struct cleat_ca_target {
    enum cleat_ca_target_kind kind;
    const char *name;
};

/**
 * Which webhooks of a target are ours: those that lead to this Service, and those whose URL begins
 * with @url (as a path: https://a/b covers https://a/b/c). Others are never touched. All NULL:
 * every webhook is.
 */
struct cleat_ca_owner {
    const char *namespace_; /* of the Service */
    const char *service;
    const char *url;
};

/**
 * Writes @ca_pem into the caBundles of @target that are @owner's (NULL: all) where it differs, and
 * nothing else; tried three times where somebody else writes meanwhile. 0 in place, 1 where there
 * is no such object, negative. Any thread; blocks. Needs get and patch.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_inject_ca(struct cleat_client *client,
                                                  const struct cleat_ca_target *target,
                                                  const struct cleat_ca_owner *owner,
                                                  struct cleat_str ca_pem, struct cleat_err *err);

/* ---- rotator: CAs of our own, kept in a Secret ---- */

struct cleat_rotator;

#define CLEAT_ROTATOR_NAMES_MAX 16
#define CLEAT_ROTATOR_TARGETS_MAX 16

/** All strings are copied. */
struct cleat_rotator_options {
    struct cleat_client *client;     /* a reference is kept */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed */
    struct cleat_metrics *metrics;   /* borrowed; NULL: none */
    const char *namespace_;          /* of the Secret */
    const char *secret;       /* its name; type kubernetes.io/tls with ca.crt and ca.key beside */
    const char *const *names; /* DNS names and IP addresses that the certificate covers;
                                 NULL-terminated, at most CLEAT_ROTATOR_NAMES_MAX */
    int64_t leaf_lifetime_s;  /* at least 1; 0: a year; never longer than the CA's rest */
    int64_t ca_lifetime_s;    /* 0: ten years */
    const struct cleat_ca_target *targets; /* where the CAs are published */
    size_t target_count;                   /* at most CLEAT_ROTATOR_TARGETS_MAX */
    struct cleat_ca_owner owner;           /* of webhooks in the targets */
    struct cleat_cache *cache; /* borrowed; Secret and targets are watched with it by name, keys
                                  left out; NULL: only looked at each minute, and when due */
    cleat_bundle_fn on_bundle;
    void *arg;
};

/** Makes a rotator; asks nothing yet. @ret is new. -E2BIG beyond the most names or targets,
 * -EINVAL for lifetimes, -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_rotator_new(const struct cleat_rotator_options *options,
                                                    struct cleat_rotator **ret,
                                                    struct cleat_err *err);
/** Frees it, after join where it ran and before its cache is freed; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_rotator *cleat_rotator_free(struct cleat_rotator *rotator);
/**
 * Looks at targets and Secret and does what is due: makes or mends the Secret (created by whichever
 * replica comes first, the others adopt it), publishes, issues, goes over to another certificate.
 * Blocks; one thread at a time, none while it runs. 0 with everything as it should be for now, or
 * negative; a bundle may have been handed out then too.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_rotator_turn(struct cleat_rotator *rotator,
                                                     struct cleat_err *err);
/** The bundle that is served now (a new reference), or NULL. Any thread. */
CLEAT_EXPORT struct cleat_bundle *cleat_rotator_bundle(struct cleat_rotator *rotator);
/**
 * For readiness: 0 while there is a certificate that hasn't expired and that all targets verified
 * when they were last seen. -EAGAIN, or why it couldn't be published. Any thread; doesn't block.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_rotator_check(struct cleat_rotator *rotator,
                                                      struct cleat_err *err);
/** As a runnable: a turn at once, then at each change that the cache tells of, when something is
 * due, and each minute; failures are logged and tried again each second. */
CLEAT_EXPORT struct cleat_runnable cleat_rotator_runnable(struct cleat_rotator *rotator,
                                                          enum cleat_group group);

/* ---- watcher: tls.crt and tls.key in a folder ---- */

struct cleat_watcher;

struct cleat_watcher_options {
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed */
    struct cleat_metrics *metrics;   /* borrowed; NULL: none */
    const char *folder;              /* copied; tls.crt, tls.key and, where there is one, ca.crt */
    cleat_bundle_fn on_bundle;
    void *arg;
};

/**
 * Reads the pair: a missing or wrong one is an error that names the file. One that has expired, or
 * that ca.crt doesn't verify, is taken and told, as is a key file that everybody can read.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_watcher_new(const struct cleat_watcher_options *options,
                                                    struct cleat_watcher **ret,
                                                    struct cleat_err *err);
/** Frees it, after join where it ran; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_watcher *cleat_watcher_free(struct cleat_watcher *watcher);
/**
 * Reads the files again; where their content changed and is good it is handed out, else the old one
 * stays: also for a pair that has expired, and one that ca.crt doesn't verify where it did so
 * before, as long as the old one hasn't expired. One thread at a time, none while it runs.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_watcher_turn(struct cleat_watcher *watcher,
                                                     struct cleat_err *err);
/** The bundle that is served now; a new reference. Any thread. */
CLEAT_EXPORT struct cleat_bundle *cleat_watcher_bundle(struct cleat_watcher *watcher);
/** For readiness: 0 while the certificate hasn't expired. Any thread; doesn't block. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_watcher_check(struct cleat_watcher *watcher,
                                                      struct cleat_err *err);
/** As a runnable: a turn whenever something in the folder changes, and each ten seconds. */
CLEAT_EXPORT struct cleat_runnable cleat_watcher_runnable(struct cleat_watcher *watcher,
                                                          enum cleat_group group);

CLEAT_END

#endif
