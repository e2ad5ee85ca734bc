/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the rotator share. All but the bundle and what readiness asks belongs to the
 * thread that turns.
 */
#ifndef CLEAT_CERTS_ROTATOR_H
#define CLEAT_CERTS_ROTATOR_H

#include <cleat/certs.h>
#include "base/lock.h"
#include "base/reporter.h"
#include "certs/figures.h"
#include "certs/injector.h"
#include "certs/plan.h"
#include "certs/secret.h"
#include "controller/ticker.h"

#define ROTATOR_KINDS_MAX 4 /* Secrets and the three kinds of targets */
#define ROTATOR_DIGEST_BYTES 32

/* A CA in a caBundle that the Secret doesn't know: some other replica may be about to tell it. */
struct rotator_stranger {
    unsigned char digest[ROTATOR_DIGEST_BYTES];
    int64_t since_mono_ms;
    bool seen; /* in the look that is under way */
};

struct cleat_rotator {
    struct cleat_client *client;
    const struct cleat_clock *clock;
    struct cleat_log *log;
    char *namespace_;
    char *secret;
    char *names[CLEAT_ROTATOR_NAMES_MAX + 1];
    struct cleat_ca_target targets[CLEAT_ROTATOR_TARGETS_MAX]; /* names owned */
    size_t target_count;
    struct cleat_ca_owner owner; /* strings owned */
    int64_t leaf_lifetime_s;
    int64_t ca_lifetime_s;
    cleat_bundle_fn on_bundle;
    void *arg;
    struct cleat_ticker ticker;
    struct cleat_reporter reporter;
    struct cleat_figures figures;
    struct cleat_series *injections;

    struct cleat_cache *cache; /* NULL: nothing is watched */
    struct cleat_feed *feeds[CLEAT_ROTATOR_TARGETS_MAX + 1];
    struct cleat_handler *handlers[ROTATOR_KINDS_MAX];

    struct rotator_stranger strangers[CLEAT_TRUST_MAX];
    int64_t next_unix_ms;                          /* when something is due, as of the last turn */
    int64_t retry_ms;                              /* look again after that at the latest */
    int64_t newest_end_unix_s;                     /* of the newest CA seen last; 0: none */
    unsigned char newest[CLEAT_PLAN_DIGEST_BYTES]; /* the newest CA that was published last */
    int64_t published_mono_ms;                     /* since when; 0: it isn't */
    unsigned writes;                               /* of the turn */
    int64_t quiet_until_mono_ms;
    double credit; /* turns that may write before they are slowed down */
    int64_t credit_mono_ms;

    struct cleat_lock lock; /* of what follows */
    struct cleat_cond changed;
    struct cleat_bundle *bundle;
    bool published; /* the targets verified it when they were last seen */
    struct cleat_err failure;
};

/* Targets and Secret as they were read, in that order: a CA that a target has was in the Secret
 * before, so that one which the Secret doesn't have any more is known to be gone. */
struct rotator_look {
    size_t count;
    struct cleat_injection injections[CLEAT_ROTATOR_TARGETS_MAX];
    struct cleat_object *secret; /* NULL: there is none */
    struct cleat_secret_data data;
    const struct cleat_trust **published; /* borrowed from the injections */
    struct cleat_plan_state state;
    int64_t now_unix_ms;
};

/** The Secret's resource; static. */
extern const struct cleat_resource cleat__rotator_secret_resource;

/** Reads everything; what the targets' reading said goes to @ret_failure and makes them unknown.
 * Ended by cleat__rotator_look_fini, after an error too. */
int cleat__rotator_look(struct cleat_rotator *rotator, struct rotator_look *look,
                        struct cleat_err *ret_failure, struct cleat_err *err) CLEAT_MUST_CHECK;
void cleat__rotator_look_fini(struct rotator_look *look);
/** Carries out @plan on the Secret. 0, -EEXIST or -EAGAIN where another was faster, negative. */
int cleat__rotator_write(struct cleat_rotator *rotator, const struct rotator_look *look,
                         const struct cleat_plan *plan, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Writes the Secret's CAs into the targets where they aren't. How many were written, or
 * negative; -EAGAIN where one has changed meanwhile. */
int cleat__rotator_publish(struct cleat_rotator *rotator, struct rotator_look *look,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** Watches Secret and targets by name, and kicks the ticker. */
int cleat__rotator_watch(struct cleat_rotator *rotator, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Repeatable. */
void cleat__rotator_unwatch(struct cleat_rotator *rotator);

#endif
