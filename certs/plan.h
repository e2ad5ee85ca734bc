/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: what is to be done with CA and serving certificate, from what is there and the time
 * alone. The life cycle is tested here, without a cluster, and whatever a Secret may hold ends
 * here.
 *
 * A CA goes in four steps, each of which may be cut off and is taken up again by whoever looks
 * next, since the Secret says which one it is:
 *
 *   the CA is due ──► RENEW: a new CA before the old one, the leaf stays ──► (published, settled)
 * ──► ISSUE: a leaf under the new CA ──► (the last old leaf has ended) ──► TRUST: the old CA goes
 */
#ifndef CLEAT_CERTS_PLAN_H
#define CLEAT_CERTS_PLAN_H

#include <stdint.h>
#include <cleat/bundle.h>
#include <cleat/str.h>
#include "certs/trust.h"

enum cleat_plan_action {
    CLEAT_PLAN_KEEP,  /* write nothing */
    CLEAT_PLAN_TRUST, /* write another list of CAs, or a leaf that we have */
    CLEAT_PLAN_ISSUE, /* issue a new leaf under the newest CA */
    CLEAT_PLAN_RENEW, /* make a new CA that comes before the others */
};

#define CLEAT_PLAN_DIGEST_BYTES 32

/* Which leaf stands in the Secret afterwards. */
enum cleat_plan_leaf {
    CLEAT_PLAN_LEAF_STORED, /* the one that stands there */
    CLEAT_PLAN_LEAF_SERVED, /* the one that we serve */
    CLEAT_PLAN_LEAF_NEW,    /* one under the newest CA */
};

/* PEM texts as they were found; empty where there is nothing. All is borrowed. */
struct cleat_plan_state {
    struct cleat_str cert;
    struct cleat_str key;
    struct cleat_str ca; /* the newest first */
    struct cleat_str ca_key;
    int64_t newest_until_unix_s;       /* the last end of a leaf under the newest CA; 0: unknown */
    int64_t older_until_unix_s;        /* and of one under the others; 0: unknown */
    const struct cleat_bundle *served; /* what this process serves; NULL: nothing */
    const struct cleat_trust *const *published; /* by each webhook that is ours */
    size_t published_count;
    bool published_unknown; /* they couldn't be read */
    /* The SHA-256 of a CA that has been published for so long that whoever asks knows it; NULL. */
    const unsigned char *settled;
    const char *const *names; /* that the leaf must cover; NULL-terminated */
    int64_t leaf_lifetime_s;  /* of a new one */
};

struct cleat_plan {
    enum cleat_plan_action action;
    enum cleat_plan_leaf leaf;
    const char *why;             /* a static text */
    struct cleat_trust older;    /* the CAs that stand behind the newest afterwards */
    int64_t newest_until_unix_s; /* what is to be recorded, without a new leaf */
    int64_t older_until_unix_s;
    int64_t next_unix_ms;                          /* look again at this time at the latest */
    bool published;                                /* the newest CA is in all published bundles */
    unsigned char newest[CLEAT_PLAN_DIGEST_BYTES]; /* its SHA-256; zeroes where it can't be used */
    bool waiting; /* the newest CA isn't published everywhere, and something waits for it */
};

/** Decides at @now_unix_ms, whatever the state is. @ret is to be ended by cleat_plan_fini, after
 * -ENOMEM (the only error: a lack of memory isn't a broken Secret) too. */
int cleat_plan_make(const struct cleat_plan_state *state, int64_t now_unix_ms,
                    struct cleat_plan *ret) CLEAT_MUST_CHECK;
void cleat_plan_fini(struct cleat_plan *plan);
/**
 * True where a process should go over to @candidate: what is published verifies it, or there is
 * nothing better.
 */
bool cleat_plan_adopts(const struct cleat_plan_state *state, const struct cleat_bundle *candidate,
                       int64_t now_unix_ms);
/** True where each published bundle verifies @bundle at that time. */
bool cleat_plan_published(const struct cleat_plan_state *state, const struct cleat_bundle *bundle,
                          int64_t now_unix_ms);

#endif
