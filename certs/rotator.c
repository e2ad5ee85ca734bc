/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Secret is the truth. Creating is create-only and updating carries the resourceVersion, so
 * that of replicas that start together one wins and the others adopt; a good CA is never
 * overwritten. A leaf is renewed under the same CA, which the published bundles already trust.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/certs.h>
#include <cleat/document.h>
#include "base/lock.h"
#include "base/mem.h"
#include "base/reporter.h"
#include "certs/bundle.h"
#include "certs/plan.h"
#include "certs/secret.h"
#include "controller/ticker.h"

#define ROTATOR_NAMES_MAX 16
#define ROTATOR_TRIES 5
#define ROTATOR_PAUSE_MS 60000
#define ROTATOR_RETRY_MS 1000
#define ROTATOR_REPORT_MS 30000

struct cleat_rotator {
    struct cleat_client *client;
    const struct cleat_clock *clock;
    struct cleat_log *log;
    char *namespace_;
    char *secret;
    char *names[ROTATOR_NAMES_MAX + 1];
    int64_t leaf_lifetime_s;
    int64_t ca_lifetime_s;
    cleat_bundle_fn on_bundle;
    void *arg;
    struct cleat_ticker ticker;
    struct cleat_reporter reporter;
    struct cleat_lock lock; /* of bundle */
    struct cleat_cond changed;
    struct cleat_bundle *bundle;
};

static const struct cleat_resource rotator_resource = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .singular = "secret", .namespaced = true};

static int rotator_copy(struct cleat_rotator *rotator, const struct cleat_rotator_options *options)
{
    rotator->namespace_ = cleat_mem_strdup(options->namespace_);
    rotator->secret = cleat_mem_strdup(options->secret);
    if (!rotator->namespace_ || !rotator->secret)
        return -ENOMEM;
    for (size_t i = 0; options->names[i]; i++) {
        if (i == ROTATOR_NAMES_MAX)
            return -E2BIG;
        rotator->names[i] = cleat_mem_strdup(options->names[i]);
        if (!rotator->names[i])
            return -ENOMEM;
    }
    return 0;
}

static int64_t rotator_tick(void *arg)
{
    struct cleat_rotator *rotator = arg;
    struct cleat_err err = CLEAT_ERR_INIT;
    if (cleat_rotator_turn(rotator, &err) == 0) {
        cleat_reporter_reset(&rotator->reporter);
        return ROTATOR_PAUSE_MS;
    }
    cleat_report(&rotator->reporter, rotator->log, CLEAT_LOG_WARN,
                 "certificate can't be kept, trying again", cleat_log_err(&err));
    return ROTATOR_RETRY_MS;
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
    rotator->leaf_lifetime_s =
        options->leaf_lifetime_s ? options->leaf_lifetime_s : CLEAT_LEAF_LIFETIME_S;
    rotator->ca_lifetime_s =
        options->ca_lifetime_s ? options->ca_lifetime_s : CLEAT_AUTHORITY_LIFETIME_S;
    rotator->on_bundle = options->on_bundle;
    rotator->arg = options->arg;
    cleat_lock_init(&rotator->lock, CLEAT_LOCK_CERTS);
    cleat_cond_init(&rotator->changed);
    cleat_ticker_init(&rotator->ticker, rotator_tick, rotator);
    cleat_reporter_init(&rotator->reporter, rotator->clock, ROTATOR_REPORT_MS);
    int r = rotator_copy(rotator, options);
    if (r < 0) {
        cleat_rotator_free(rotator);
        return cleat_err_set(err, r,
                             r == -E2BIG ? "a certificate has at most 16 names" : "out of memory");
    }
    *ret = rotator;
    return 0;
}

struct cleat_rotator *cleat_rotator_free(struct cleat_rotator *rotator)
{
    if (!rotator)
        return NULL;
    cleat_ticker_fini(&rotator->ticker);
    cleat_cond_fini(&rotator->changed);
    cleat_lock_fini(&rotator->lock);
    cleat_bundle_unref(rotator->bundle);
    for (size_t i = 0; rotator->names[i]; i++)
        cleat_mem_free(rotator->names[i]);
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

/* Hands @bundle out where it's another one than before. */
static void rotator_publish(struct cleat_rotator *rotator, struct cleat_bundle *bundle)
{
    cleat_lock_take(&rotator->lock);
    struct cleat_bundle *old = rotator->bundle;
    bool same = old && cleat_bundle_equal(old, bundle);
    if (!same)
        rotator->bundle = cleat_bundle_ref(bundle);
    cleat_cond_broadcast(&rotator->changed);
    cleat_lock_release(&rotator->lock);
    if (same)
        return;
    cleat_bundle_unref(old);
    cleat_info(rotator->log, "certificate is in use", cleat_log_text("secret", rotator->secret),
               cleat_log_int("not_after_unix_s", cleat_bundle_not_after_unix_s(bundle)));
    if (rotator->on_bundle)
        rotator->on_bundle(rotator->arg, bundle);
}

static int rotator_authority(struct cleat_rotator *rotator, const struct cleat_plan_state *state,
                             enum cleat_plan_action action, struct cleat_authority **ret,
                             struct cleat_err *err)
{
    if (action == CLEAT_PLAN_ISSUE)
        return cleat_authority_load(state->ca, state->ca_key, ret, err);
    return cleat_authority_new("cleat-ca", rotator->ca_lifetime_s, rotator->clock, ret, err);
}

static int rotator_draft(struct cleat_rotator *rotator, struct cleat_draft *draft,
                         struct cleat_err *err)
{
    int r = cleat_draft_set_text(draft, "apiVersion", "v1", err);
    if (r == 0)
        r = cleat_draft_set_text(draft, "kind", "Secret", err);
    if (r == 0)
        r = cleat_draft_set_text(draft, "metadata.name", rotator->secret, err);
    if (r == 0)
        r = cleat_draft_set_text(draft, "metadata.namespace", rotator->namespace_, err);
    if (r == 0)
        r = cleat_draft_set_text(draft, "type", "kubernetes.io/tls", err);
    return r;
}

/* Makes what the plan asks for and writes it over @secret (NULL: creates). */
static int rotator_write(struct cleat_rotator *rotator, struct cleat_object *secret,
                         const struct cleat_plan_state *state, enum cleat_plan_action action,
                         struct cleat_bundle **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_authority_freep) struct cleat_authority *authority = NULL;
    CLEAT_CLEANUP(cleat_bundle_unrefp) struct cleat_bundle *bundle = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_client_target target = {
        .resource = &rotator_resource, .namespace_ = rotator->namespace_, .name = rotator->secret};
    const char *const *names = (const char *const *)rotator->names;
    int r = rotator_authority(rotator, state, action, &authority, err);
    if (r == 0)
        r = cleat_authority_issue(authority, names, rotator->leaf_lifetime_s, rotator->clock,
                                  &bundle, err);
    if (r == 0)
        r = cleat_draft_new(secret ? cleat_object_value(secret) : CLEAT_VALUE_NONE, &draft, err);
    if (r == 0 && !secret)
        r = rotator_draft(rotator, draft, err);
    if (r == 0)
        r = cleat_secret_data_set(draft, authority, bundle, err);
    if (r == 0 && secret)
        r = cleat_client_update_draft(rotator->client, &target, secret, draft, NULL, NULL, err);
    else if (r == 0)
        r = cleat_client_create(rotator->client, &target, cleat_draft_value(draft), NULL, NULL,
                                err);
    if (r == 0) {
        *ret = bundle;
        bundle = NULL;
    }
    return r;
}

/* One try: -EEXIST and -EAGAIN mean that another replica was faster. */
static int rotator_try(struct cleat_rotator *rotator, struct cleat_bundle **ret,
                       struct cleat_err *err)
{
    const char *why = "";
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *secret = NULL;
    struct cleat_secret_data data;
    struct cleat_client_target target = {
        .resource = &rotator_resource, .namespace_ = rotator->namespace_, .name = rotator->secret};
    cleat_secret_data_init(&data);
    int r = cleat_client_get(rotator->client, &target, NULL, &secret, err);
    if (r == -ENOENT) {
        cleat_err_clear(err);
        r = 0;
    }
    if (r == 0 && secret)
        r = cleat_secret_data_read(&data, cleat_object_value(secret));
    if (r == 0) {
        struct cleat_plan_state state = cleat_secret_data_state(&data);
        enum cleat_plan_action action =
            cleat_plan(&state, (const char *const *)rotator->names,
                       cleat_clock_wall_ms(rotator->clock) / 1000, &why);
        if (action != CLEAT_PLAN_KEEP) {
            r = rotator_write(rotator, secret, &state, action, ret, err);
            if (r == 0)
                cleat_info(rotator->log, "made a certificate", cleat_log_text("why", why),
                           cleat_log_text("secret", rotator->secret));
        } else {
            r = cleat_bundle_new(state.cert, state.key, state.ca, ret, err);
        }
    }
    cleat_secret_data_fini(&data);
    return r;
}

int cleat_rotator_turn(struct cleat_rotator *rotator, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_bundle_unrefp) struct cleat_bundle *bundle = NULL;
    struct cleat_err local = CLEAT_ERR_INIT;
    int r = -EAGAIN;
    for (int i = 0; i < ROTATOR_TRIES && (r == -EAGAIN || r == -EEXIST); i++) {
        cleat_err_clear(&local);
        r = rotator_try(rotator, &bundle, &local);
    }
    if (r < 0)
        return cleat_err_set(err, r, "Secret %s/%s: %s", rotator->namespace_, rotator->secret,
                             cleat_err_text(&local));
    rotator_publish(rotator, bundle);
    return 0;
}

static int rotator_start(void *ticker, struct cleat_err *err)
{
    return cleat_ticker_start(ticker, "certs", err);
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
