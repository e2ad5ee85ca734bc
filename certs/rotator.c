/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Secret is the truth. Creating is create-only and updating carries the resourceVersion, so
 * that of replicas that start together one wins and the others adopt. Every turn looks at targets
 * and Secret anew and does one step after the other until there is none: a process that dies
 * between two of them, or whose Secret is taken away, leaves nothing that the next look doesn't
 * mend.
 */
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/rotator.h"

#define ROTATOR_ROUNDS 12
#define ROTATOR_PAUSE_MS 60000
#define ROTATOR_RETRY_MS 1000
#define ROTATOR_REPORT_MS 30000
/* Between the publication of a new CA and the first certificate under it: this part of a leaf's
 * life, and no longer than that. */
#define ROTATOR_SETTLE_PART 10
#define ROTATOR_SETTLE_MS 30000
/* Between two turns, so that events that come together are one. */
#define ROTATOR_GAP_MS 50
/* Turns that write: so many at once, then one in each of these times (a twelfth of a leaf's life,
 * in these bounds), whatever somebody else does to what we write. */
#define ROTATOR_CREDIT 20
#define ROTATOR_CREDIT_MS_MIN 100
#define ROTATOR_CREDIT_MS_MAX 10000

/* ---- a turn ---- */

/* Hands @bundle out where it's another one than before. */
static void rotator_hand_out(struct cleat_rotator *rotator, struct cleat_bundle *bundle)
{
    struct cleat_bundle *old = rotator->bundle;
    if (old && cleat_bundle_equal(old, bundle))
        return;
    bool other_leaf = !old || !cleat_str_equal(cleat_bundle_cert(old), cleat_bundle_cert(bundle));
    cleat_lock_take(&rotator->lock);
    rotator->bundle = cleat_bundle_ref(bundle);
    cleat_cond_broadcast(&rotator->changed);
    cleat_lock_release(&rotator->lock);
    cleat_bundle_unref(old);
    if (other_leaf)
        cleat_info(rotator->log, "certificate is in use", cleat_log_text("secret", rotator->secret),
                   cleat_log_int("not_after_unix_s", cleat_bundle_not_after_unix_s(bundle)));
    cleat_figures_note(&rotator->figures, CLEAT_CERTIFICATE_LEAF,
                       cleat_bundle_not_after_unix_s(bundle), old && other_leaf);
    if (rotator->on_bundle)
        rotator->on_bundle(rotator->arg, bundle);
}

static void rotator_note_ca(struct cleat_rotator *rotator, const struct cleat_bundle *bundle)
{
    CLEAT_CLEANUP(cleat_x509_freep) X509 *newest = NULL;
    if (cleat_x509_read(cleat_bundle_ca(bundle), &newest, NULL) < 0)
        return;
    int64_t end_s = cleat_x509_not_after_unix_s(newest);
    bool rotated = rotator->newest_end_unix_s != 0 && rotator->newest_end_unix_s != end_s;
    rotator->newest_end_unix_s = end_s;
    cleat_figures_note(&rotator->figures, CLEAT_CERTIFICATE_CA, end_s, rotated);
}

/* Goes over to what the Secret has, where that is right. 0 or -ENOMEM. */
static int rotator_adopt(struct cleat_rotator *rotator, struct rotator_look *look)
{
    CLEAT_CLEANUP(cleat_bundle_unrefp) struct cleat_bundle *candidate = NULL;
    const struct cleat_plan_state *state = &look->state;
    int r = cleat_bundle_new(state->cert, state->key, state->ca, &candidate, NULL);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    rotator_note_ca(rotator, candidate);
    if (!cleat_plan_adopts(state, candidate, look->now_unix_ms))
        return 0;
    rotator_hand_out(rotator, candidate);
    look->state.served = rotator->bundle;
    return 0;
}

/* What readiness is told. Targets that couldn't be read are taken to be as they were. */
static void rotator_note(struct cleat_rotator *rotator, const struct rotator_look *look,
                         const struct cleat_err *failure)
{
    bool known = !look->state.published_unknown && rotator->bundle;
    bool published =
        known && cleat_plan_published(&look->state, rotator->bundle, look->now_unix_ms);
    cleat_lock_take(&rotator->lock);
    if (known)
        rotator->published = published;
    rotator->failure = *failure;
    cleat_lock_release(&rotator->lock);
}

static bool rotator_raced(int r)
{
    return r == -EAGAIN || r == -EEXIST;
}

/* An API server learns of a new caBundle a little after it was written. */
static int64_t rotator_settle_ms(const struct cleat_rotator *rotator)
{
    int64_t settle_ms = rotator->leaf_lifetime_s * 1000 / ROTATOR_SETTLE_PART;
    return settle_ms < ROTATOR_SETTLE_MS ? settle_ms : ROTATOR_SETTLE_MS;
}

static bool rotator_settled(const struct cleat_rotator *rotator)
{
    return rotator->published_mono_ms != 0 &&
           cleat_clock_mono_ms(rotator->clock) - rotator->published_mono_ms >=
               rotator_settle_ms(rotator);
}

/* Follows since when the newest CA has been published, and when to look again. */
static void rotator_follow(struct cleat_rotator *rotator, const struct cleat_plan *plan)
{
    bool same = memcmp(rotator->newest, plan->newest, sizeof(rotator->newest)) == 0;
    memcpy(rotator->newest, plan->newest, sizeof(rotator->newest));
    if (!plan->published)
        rotator->published_mono_ms = 0;
    else if (rotator->published_mono_ms == 0 || !same)
        rotator->published_mono_ms = cleat_clock_mono_ms(rotator->clock);
    rotator->next_unix_ms = plan->next_unix_ms;
    rotator->retry_ms = plan->waiting ? ROTATOR_RETRY_MS : ROTATOR_PAUSE_MS;
    if (plan->waiting && plan->published)
        rotator->retry_ms = rotator_settle_ms(rotator);
}

/* One look and one step. 0 where there is nothing to do, 1 where there may be more, negative. */
static int rotator_step(struct cleat_rotator *rotator, struct rotator_look *look,
                        struct cleat_err *failure)
{
    struct cleat_plan plan;
    look->state.settled = rotator_settled(rotator) ? rotator->newest : NULL;
    int r = cleat_plan_make(&look->state, look->now_unix_ms, &plan);
    if (r < 0) {
        cleat_plan_fini(&plan);
        return cleat_err_set(failure, r, "out of memory");
    }
    rotator_follow(rotator, &plan);
    if (plan.action != CLEAT_PLAN_KEEP) {
        struct cleat_err local = CLEAT_ERR_INIT;
        r = cleat__rotator_write(rotator, look, &plan, &local);
        if (r == -ENOENT && look->secret)
            r = -EAGAIN; /* it was taken away meanwhile */
        if (r < 0 && !rotator_raced(r))
            r = cleat_err_set(failure, r, "Secret %s/%s: %s", rotator->namespace_, rotator->secret,
                              cleat_err_text(&local));
    }
    bool keep = plan.action == CLEAT_PLAN_KEEP;
    cleat_plan_fini(&plan);
    if (!keep && (r == 0 || rotator_raced(r)))
        return 1;
    /* Also where the Secret can't be written: what is in it may be good enough. */
    int adopted = rotator_adopt(rotator, look);
    if (adopted < 0)
        (void)cleat_err_set(failure, adopted, "out of memory"); /* the turn fails with it */
    int published = cleat__rotator_publish(rotator, look, failure);
    if (published > 0 || published == -EAGAIN)
        return 1;
    return r < 0 ? r : adopted < 0 ? adopted : published;
}

static int rotator_round(struct cleat_rotator *rotator, struct cleat_err *err)
{
    struct rotator_look look;
    struct cleat_err failure = CLEAT_ERR_INIT;
    struct cleat_err local = CLEAT_ERR_INIT;
    int r = cleat__rotator_look(rotator, &look, &failure, &local);
    if (r < 0)
        (void)cleat_err_set(err, r, "Secret %s/%s: %s", rotator->namespace_, rotator->secret,
                            cleat_err_text(&local)); /* r goes on */
    else
        r = rotator_step(rotator, &look, &failure);
    if (r <= 0 && !local.code)
        rotator_note(rotator, &look, &failure);
    cleat__rotator_look_fini(&look);
    if (r <= 0 && failure.code)
        r = cleat_err_set(err, failure.code, "%s", cleat_err_text(&failure));
    return r;
}

int cleat_rotator_turn(struct cleat_rotator *rotator, struct cleat_err *err)
{
    int r = 1;
    rotator->writes = 0;
    for (int i = 0; i < ROTATOR_ROUNDS && r > 0; i++)
        r = rotator_round(rotator, err);
    if (r > 0)
        r = cleat_err_set(err, -EAGAIN, "Secret %s/%s: somebody else keeps changing it or a target",
                          rotator->namespace_, rotator->secret);
    if (r < 0)
        cleat_series_add(rotator->figures.errors, 1);
    return r;
}

/* ---- the thread ---- */

static int64_t rotator_credit_ms(const struct cleat_rotator *rotator)
{
    int64_t each_ms = rotator->leaf_lifetime_s * 1000 / 12;
    if (each_ms < ROTATOR_CREDIT_MS_MIN)
        return ROTATOR_CREDIT_MS_MIN;
    return each_ms < ROTATOR_CREDIT_MS_MAX ? each_ms : ROTATOR_CREDIT_MS_MAX;
}

/* How long the next turn is to wait though something asks for it. */
static int64_t rotator_hold_ms(struct cleat_rotator *rotator, int64_t now_mono_ms)
{
    double each_ms = (double)rotator_credit_ms(rotator);
    rotator->credit += (double)(now_mono_ms - rotator->credit_mono_ms) / each_ms;
    rotator->credit_mono_ms = now_mono_ms;
    if (rotator->credit > ROTATOR_CREDIT)
        rotator->credit = ROTATOR_CREDIT;
    int64_t hold_ms = rotator->quiet_until_mono_ms - now_mono_ms;
    int64_t credit_ms = rotator->credit < 1 ? (int64_t)((1 - rotator->credit) * each_ms) + 1 : 0;
    return hold_ms > credit_ms ? hold_ms : credit_ms;
}

static int64_t rotator_pause_ms(const struct cleat_rotator *rotator)
{
    int64_t pause_ms = rotator->next_unix_ms - cleat_clock_wall_ms(rotator->clock);
    if (pause_ms > rotator->retry_ms)
        pause_ms = rotator->retry_ms;
    return pause_ms > ROTATOR_GAP_MS ? pause_ms : ROTATOR_GAP_MS;
}

static int64_t rotator_tick(void *arg)
{
    struct cleat_rotator *rotator = arg;
    struct cleat_err err = CLEAT_ERR_INIT;
    int64_t hold_ms = rotator_hold_ms(rotator, cleat_clock_mono_ms(rotator->clock));
    if (hold_ms > 0)
        return hold_ms;
    int r = cleat_rotator_turn(rotator, &err);
    rotator->quiet_until_mono_ms = cleat_clock_mono_ms(rotator->clock) + ROTATOR_GAP_MS;
    if (rotator->writes > 0)
        rotator->credit -= 1;
    if (r == 0) {
        cleat_reporter_reset(&rotator->reporter);
        return rotator_pause_ms(rotator);
    }
    cleat_report(&rotator->reporter, rotator->log, CLEAT_LOG_WARN,
                 "certificate can't be kept, trying again", cleat_log_err(&err));
    return ROTATOR_RETRY_MS;
}

/* ---- life ---- */

static int rotator_copy_targets(struct cleat_rotator *rotator,
                                const struct cleat_rotator_options *options)
{
    if (options->target_count > CLEAT_ROTATOR_TARGETS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < options->target_count; i++) {
        char *name = cleat_mem_strdup(options->targets[i].name);
        if (!name)
            return -ENOMEM;
        rotator->targets[i].kind = options->targets[i].kind;
        rotator->targets[i].name = name;
        rotator->target_count = i + 1;
    }
    return 0;
}

static int rotator_copy_text(const char *text, const char **ret)
{
    if (!text)
        return 0;
    *ret = cleat_mem_strdup(text);
    return *ret ? 0 : -ENOMEM;
}

static int rotator_copy(struct cleat_rotator *rotator, const struct cleat_rotator_options *options)
{
    rotator->namespace_ = cleat_mem_strdup(options->namespace_);
    rotator->secret = cleat_mem_strdup(options->secret);
    if (!rotator->namespace_ || !rotator->secret)
        return -ENOMEM;
    for (size_t i = 0; options->names[i]; i++) {
        if (i == CLEAT_ROTATOR_NAMES_MAX)
            return -E2BIG;
        rotator->names[i] = cleat_mem_strdup(options->names[i]);
        if (!rotator->names[i])
            return -ENOMEM;
    }
    int r = rotator_copy_text(options->owner.namespace_, &rotator->owner.namespace_);
    if (r == 0)
        r = rotator_copy_text(options->owner.service, &rotator->owner.service);
    if (r == 0)
        r = rotator_copy_text(options->owner.url, &rotator->owner.url);
    return r == 0 ? rotator_copy_targets(rotator, options) : r;
}

static int rotator_check_lifetimes(const struct cleat_rotator *rotator, struct cleat_err *err)
{
    if (rotator->leaf_lifetime_s >= 1 && rotator->ca_lifetime_s >= rotator->leaf_lifetime_s)
        return 0;
    return cleat_err_set(err, -EINVAL,
                         "a certificate lives for a second at least, its CA as long or longer");
}

static int rotator_set_up(struct cleat_rotator *rotator,
                          const struct cleat_rotator_options *options, struct cleat_err *err)
{
    int r = rotator_check_lifetimes(rotator, err);
    if (r < 0)
        return r;
    r = rotator_copy(rotator, options);
    if (r < 0)
        return cleat_err_set(err, r,
                             r == -E2BIG ? "a certificate has at most 16 names and targets"
                                         : "out of memory");
    r = cleat_figures_init(&rotator->figures, options->metrics, rotator->clock, err);
    if (r == 0)
        r = cleat_figures_counter(options->metrics, "cleat_ca_injections_total",
                                  "Objects whose caBundles were changed.", &rotator->injections,
                                  err);
    return r;
}

int cleat_rotator_new(const struct cleat_rotator_options *options, struct cleat_rotator **ret,
                      struct cleat_err *err)
{
    struct cleat_rotator *rotator = cleat_mem_zalloc(1, sizeof(*rotator));
    if (!rotator)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    rotator->client = cleat_client_ref(options->client);
    rotator->clock = options->clock ? options->clock : cleat_clock_system();
    rotator->log = options->log;
    rotator->cache = options->cache;
    rotator->leaf_lifetime_s =
        options->leaf_lifetime_s ? options->leaf_lifetime_s : CLEAT_LEAF_LIFETIME_S;
    rotator->ca_lifetime_s =
        options->ca_lifetime_s ? options->ca_lifetime_s : CLEAT_AUTHORITY_LIFETIME_S;
    rotator->on_bundle = options->on_bundle;
    rotator->arg = options->arg;
    rotator->credit = ROTATOR_CREDIT;
    rotator->credit_mono_ms = cleat_clock_mono_ms(rotator->clock);
    cleat_lock_init(&rotator->lock, CLEAT_LOCK_CERTS);
    cleat_cond_init(&rotator->changed);
    cleat_ticker_init(&rotator->ticker, rotator_tick, rotator);
    cleat_reporter_init(&rotator->reporter, rotator->clock, ROTATOR_REPORT_MS);
    int r = rotator_set_up(rotator, options, err);
    if (r < 0) {
        cleat_rotator_free(rotator);
        return r;
    }
    *ret = rotator;
    return 0;
}

static void rotator_free_text(const char *text)
{
    cleat_mem_free((char *)(uintptr_t)text); /* a copy of ours */
}

struct cleat_rotator *cleat_rotator_free(struct cleat_rotator *rotator)
{
    if (!rotator)
        return NULL;
    cleat__rotator_unwatch(rotator);
    cleat_figures_fini(&rotator->figures);
    cleat_ticker_fini(&rotator->ticker);
    cleat_cond_fini(&rotator->changed);
    cleat_lock_fini(&rotator->lock);
    cleat_bundle_unref(rotator->bundle);
    for (size_t i = 0; rotator->names[i]; i++)
        cleat_mem_free(rotator->names[i]);
    for (size_t i = 0; i < rotator->target_count; i++)
        rotator_free_text(rotator->targets[i].name);
    rotator_free_text(rotator->owner.namespace_);
    rotator_free_text(rotator->owner.service);
    rotator_free_text(rotator->owner.url);
    cleat_mem_free(rotator->secret);
    cleat_mem_free(rotator->namespace_);
    cleat_client_unref(rotator->client);
    return cleat_mem_free(rotator);
}

struct cleat_bundle *cleat_rotator_bundle(struct cleat_rotator *rotator)
{
    cleat_lock_take(&rotator->lock);
    struct cleat_bundle *bundle = rotator->bundle ? cleat_bundle_ref(rotator->bundle) : NULL;
    cleat_lock_release(&rotator->lock);
    return bundle;
}

int cleat_rotator_check(struct cleat_rotator *rotator, struct cleat_err *err)
{
    int64_t now_s = cleat_clock_wall_ms(rotator->clock) / 1000;
    cleat_lock_take(&rotator->lock);
    const struct cleat_err failure = rotator->failure;
    bool there = rotator->bundle != NULL;
    bool expired = there && now_s >= cleat_bundle_not_after_unix_s(rotator->bundle);
    bool published = rotator->published;
    cleat_lock_release(&rotator->lock);
    if (there && !expired && published)
        return 0;
    if (failure.code)
        return cleat_err_set(err, failure.code, "%s", cleat_err_text(&failure));
    return cleat_err_set(err, -EAGAIN, "%s",
                         !there    ? "there is no certificate yet"
                         : expired ? "the certificate has expired"
                                   : "our CA isn't in the webhook configurations yet");
}

static int rotator_start(void *arg, struct cleat_err *err)
{
    struct cleat_ticker *ticker = arg;
    struct cleat_rotator *rotator = ticker->arg;
    int r = cleat__rotator_watch(rotator, err);
    if (r == 0)
        r = cleat_ticker_start(ticker, "certs", err);
    if (r < 0)
        cleat__rotator_unwatch(rotator);
    return r;
}

static int rotator_wait_ready(void *arg, int64_t timeout_ms, struct cleat_err *err)
{
    struct cleat_ticker *ticker = arg;
    struct cleat_rotator *rotator = ticker->arg;
    int64_t deadline_ms = cleat_clock_mono_ms(rotator->clock) + timeout_ms;
    int64_t left_ms = timeout_ms;
    cleat_lock_take(&rotator->lock);
    while (!rotator->bundle && left_ms > 0) {
        (void)cleat_cond_wait_ms(&rotator->changed, &rotator->lock, left_ms);
        left_ms = deadline_ms - cleat_clock_mono_ms(rotator->clock);
    }
    bool ready = rotator->bundle != NULL;
    cleat_lock_release(&rotator->lock);
    if (!ready)
        return cleat_err_set(err, -ETIMEDOUT, "there is no certificate in Secret %s/%s yet",
                             rotator->namespace_, rotator->secret);
    return 0;
}

struct cleat_runnable cleat_rotator_runnable(struct cleat_rotator *rotator, enum cleat_group group)
{
    struct cleat_runnable runnable =
        cleat_ticker_runnable(&rotator->ticker, "certs", group, rotator_start);
    runnable.wait_ready = rotator_wait_ready;
    return runnable;
}
