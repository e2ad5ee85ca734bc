/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to questions that somebody else decides, kept for a while: by the digest of the question,
 * never by itself. Of callers with the same question at once one asks, the others wait for what it
 * hears. Failures to ask are never kept.
 *
 *   digest ─► kept and fresh? ─► that
 *             under way? ─► wait ─► that
 *             else ─► ask ─► keep ─► tell
 *
 * However many questions are made up, memory and questions under way are bounded, and what was once
 * allowed isn't pushed out by what never was.
 */
#ifndef CLEAT_SERVER_VERDICTS_H
#define CLEAT_SERVER_VERDICTS_H

#include <stdbool.h>
#include <cleat/clock.h>
#include <cleat/object.h>
#include "base/lock.h"
#include "server/tls_digest.h"

#define CLEAT_VERDICTS_MAX 512
/* Questions under way that weren't allowed before; with more of them, -EBUSY. */
#define CLEAT_VERDICTS_STRANGERS_MAX 8

enum cleat_verdict_kept {
    CLEAT_KEPT_NOTHING,
    CLEAT_KEPT_ALLOWED,
    CLEAT_KEPT_REFUSED,
};

struct verdict_entry;

struct cleat_verdicts {
    const struct cleat_clock *clock; /* borrowed */
    int64_t allowed_ms;              /* how long answers are kept */
    int64_t refused_ms;
    int64_t wait_ms; /* how long one waits for another's question */
    struct cleat_lock lock;
    struct cleat_cond changed;
    struct verdict_entry *entries; /* CLEAT_VERDICTS_MAX of them */
    unsigned strangers;            /* under way */
    bool stopping;
};

/**
 * Asks. Returns an enum cleat_verdict_kept (never NOTHING), with a new object in *@ret or NULL; or
 * negative. Not under the verdicts' lock; may block.
 */
typedef int (*cleat_verdicts_ask_fn)(void *arg, struct cleat_object **ret, struct cleat_err *err);

/** 0 or -ENOMEM. Whatever it returns, fini may follow. */
int cleat_verdicts_init(struct cleat_verdicts *verdicts, const struct cleat_clock *clock,
                        int64_t allowed_ms, int64_t refused_ms, int64_t wait_ms) CLEAT_MUST_CHECK;
/** When nobody asks any more; repeatable. */
void cleat_verdicts_fini(struct cleat_verdicts *verdicts);
/**
 * The answer to the question with that @digest, kept or asked for by @ask. An enum
 * cleat_verdict_kept with a new reference in *@ret (may be NULL) to the object that came with it;
 * -EBUSY (too much under way), -ETIMEDOUT (another's question takes too long), -ECANCELED, or what
 * @ask returned, to everybody who waited for it. *@ret_fresh: asked for just now. Any thread;
 * blocks.
 */
int cleat_verdicts_get(struct cleat_verdicts *verdicts, const struct cleat_digest *digest,
                       cleat_verdicts_ask_fn ask, void *arg, struct cleat_object **ret,
                       bool *ret_fresh, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Those who wait get -ECANCELED, as does whoever comes. */
void cleat_verdicts_stop(struct cleat_verdicts *verdicts);
/** For tests: how many wait for another's question. Under the lock. */
unsigned cleat__verdicts_waiting(const struct cleat_verdicts *verdicts);

#endif
