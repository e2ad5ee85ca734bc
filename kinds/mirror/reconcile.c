/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Mirror's reconcile: may it be acted on, what is to be watched, is the source there; then the
 * pass over its places, and the status that tells. A step that ends the pass early notes why in the
 * tally and returns 1.
 */
#include <errno.h>
#include <stdio.h>

#include <cleat/condition.h>
#include <cleat/reconcile.h>
#include <cleat/recorder.h>

#include "base/check.h"
#include "kinds/mirror/guard.h"
#include "kinds/mirror/never.h"
#include "kinds/mirror/pass.h"

#define RECONCILE_SYNC_MS 500
#define RECONCILE_UNKNOWN_MS 30000
#define RECONCILE_FORBIDDEN_MS 10000
#define RECONCILE_OVER 1

/* True where this generation was acted on already. */
static bool reconcile_is_known(const struct cleat_object *object)
{
    return cleat_value_int_or(cleat_object_find(object, "status.observedGeneration"), -1) ==
           cleat_object_generation(object);
}

static int reconcile_guard(struct mirror_pass *pass, struct cleat_err *ret_err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *configuration = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int rc = cleat_store_lookup(pass->mirror->configurations, CLEAT_STR(""),
                                CLEAT_STR(MIRROR_VALIDATING_CONFIGURATION), &configuration);
    if (rc == 0)
        rc = cleat__mirror_guard_check(cleat_object_value(configuration), &err);
    else if (rc > 0)
        rc = cleat_err_set(&err, -EPERM, "%s %s", MIRROR_VALIDATING_CONFIGURATION,
                           rc == CLEAT_STORE_MISSING ? "is missing" : "can't be read");
    if (rc == -ENOMEM)
        return cleat_err_set(ret_err, rc, "%s can't be read", MIRROR_VALIDATING_CONFIGURATION);
    if (rc == 0 || reconcile_is_known(pass->object))
        return 0;
    pass->tally.not_observed = true;
    cleat__mirror_tally_whole(&pass->tally, MIRROR_PROGRESSING, true,
                              "%s, so that nobody has judged this generation: it isn't acted on",
                              cleat_err_text(&err));
    cleat__mirror_pass_again(pass, MIRROR_AGAIN_MS);
    return RECONCILE_OVER;
}

/* Lack of memory is no fault of the spec: tried again. */
static int reconcile_spec(struct mirror_pass *pass, struct cleat_err *ret_err)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int rc = cleat__mirror_spec_read(cleat_object_value(pass->object), &pass->spec, &err);
    if (rc == 0)
        rc = cleat__mirror_spec_check(&pass->spec, cleat_object_name(pass->object), &err);
    if (rc == 0)
        return 0;
    if (rc == -ENOMEM)
        return cleat_err_set(ret_err, rc, "spec: %s", cleat_err_text(&err));
    cleat__mirror_tally_whole(&pass->tally, MIRROR_FAILED, true, "%s", cleat_err_text(&err));
    return RECONCILE_OVER;
}

static int reconcile_find_kind(struct mirror_pass *pass, struct cleat_err *err)
{
    struct cleat_discovery *discovery = cleat_manager_discovery(pass->mirror->manager);
    struct cleat_gvk gvk;
    if (pass->spec.api_version.length == 0)
        return cleat_discovery_find(discovery, pass->spec.kind.data, &pass->resource, err);
    if (cleat_gvk_parse(&gvk, pass->spec.api_version, pass->spec.kind, err) < 0)
        return CLEAT_DISCOVERY_UNKNOWN;
    return cleat_discovery_kind(discovery, &gvk, &pass->resource, err);
}

static int reconcile_kind(struct mirror_pass *pass, struct cleat_err *err)
{
    struct cleat_err local = CLEAT_ERR_INIT;
    int rc = reconcile_find_kind(pass, &local);
    if (rc < 0)
        return cleat_err_set(err, rc, "kind %.*s: %s", CLEAT_STR_ARG(pass->spec.kind),
                             cleat_err_text(&local));
    if (rc > 0) {
        cleat__mirror_tally_whole(&pass->tally, MIRROR_KIND_UNKNOWN, true, "%s",
                                  cleat_err_text(&local));
        cleat__mirror_pass_again(pass, RECONCILE_UNKNOWN_MS);
        return RECONCILE_OVER;
    }
    rc = cleat__mirror_kind_check(&pass->resource, &local);
    if (rc < 0) {
        cleat__mirror_tally_whole(&pass->tally, rc == -EPERM ? MIRROR_REFUSED : MIRROR_KIND_UNKNOWN,
                                  true, "%s", cleat_err_text(&local));
        return RECONCILE_OVER;
    }
    pass->marks = (struct mirror_marks){pass->object, &pass->spec, &pass->resource.gvk};
    return 0;
}

/* Copies of the kind that the Mirror had before go before its watches do. */
static int reconcile_watch(struct mirror_pass *pass, struct cleat_err *err)
{
    struct mirror_feeds *feeds = &pass->mirror->feeds;
    struct cleat_str name = cleat_object_name(pass->object);
    struct mirror_held before;
    cleat__mirror_feeds_held(feeds, name, &before);
    if (before.resource && !cleat_gvk_same_kind(&before.resource->gvk, &pass->resource.gvk)) {
        int rc = cleat__mirror_sweep(pass, &before, true, err);
        if (rc < 0)
            return rc;
        if (pass->tally.counts[MIRROR_PROGRESSING] + pass->tally.counts[MIRROR_FAILED] > 0) {
            cleat__mirror_pass_again(pass, MIRROR_SOON_MS);
            return RECONCILE_OVER;
        }
    }
    return cleat__mirror_feeds_hold(feeds, name, &pass->resource, pass->spec.namespace_,
                                    pass->spec.name, &pass->held, err);
}

static int reconcile_feed(struct mirror_pass *pass, struct cleat_feed *feed, const char *what)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const char *plural = pass->resource.plural;
    int rc = cleat_feed_wait_synced(feed, RECONCILE_SYNC_MS, &err);
    if (rc == 0)
        return 0;
    if (rc == -EACCES) {
        cleat__mirror_tally_whole(&pass->tally, MIRROR_FORBIDDEN, true,
                                  "Cleat may not list and watch %s %s", plural, what);
        cleat__mirror_pass_again(pass, RECONCILE_FORBIDDEN_MS);
    } else if (rc == -ENOENT) {
        cleat__mirror_tally_whole(&pass->tally, MIRROR_KIND_UNKNOWN, true,
                                  "the API server doesn't serve %s %s", plural, what);
        cleat__mirror_pass_again(pass, RECONCILE_UNKNOWN_MS);
    } else {
        cleat__mirror_tally_whole(&pass->tally, MIRROR_PROGRESSING, false, "%s %s are being read",
                                  plural, what);
        cleat__mirror_pass_again(pass, MIRROR_SOON_MS);
    }
    return RECONCILE_OVER;
}

static int reconcile_feeds(struct mirror_pass *pass)
{
    char what[80];
    (void)snprintf(what, sizeof(what), "in namespace %.*s", CLEAT_STR_ARG(pass->spec.namespace_));
    int rc = reconcile_feed(pass, pass->held.source_feed, what);
    return rc == 0 ? reconcile_feed(pass, pass->held.copies_feed, "in all namespaces") : rc;
}

/* Not there is no failure: pass->source stays NULL. */
static int reconcile_source(struct mirror_pass *pass, struct cleat_err *err)
{
    struct cleat_err local = CLEAT_ERR_INIT;
    int rc =
        cleat_store_lookup(pass->held.store, pass->spec.namespace_, pass->spec.name, &pass->source);
    if (rc < 0)
        return cleat_err_set(err, rc, "the source can't be read");
    if (rc == CLEAT_STORE_UNREADABLE) {
        cleat__mirror_tally_whole(&pass->tally, MIRROR_FAILED, true, "the source can't be read");
        return RECONCILE_OVER;
    }
    if (!pass->source)
        return 0;
    if (cleat__mirror_source_check(&pass->resource, cleat_object_value(pass->source), &local) < 0) {
        cleat__mirror_tally_whole(&pass->tally, MIRROR_REFUSED, true, "%s", cleat_err_text(&local));
        return RECONCILE_OVER;
    }
    struct cleat_str version = cleat_object_resource_version(pass->source);
    (void)snprintf(pass->tally.source_version, sizeof(pass->tally.source_version), "%.*s",
                   CLEAT_STR_ARG(version));
    return 0;
}

/* Copies that are there without their source: kept as they are, or none at all. */
static int reconcile_without_source(struct mirror_pass *pass, struct cleat_err *err)
{
    cleat__mirror_tally_whole(&pass->tally, MIRROR_SOURCE_MISSING, false,
                              "%s %.*s/%.*s doesn't exist", pass->resource.gvk.kind,
                              CLEAT_STR_ARG(pass->spec.namespace_), CLEAT_STR_ARG(pass->spec.name));
    for (size_t i = 0; i < pass->place_count && !pass->spec.delete_when_missing; i++) {
        CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *copy = NULL;
        int rc = cleat_store_lookup(pass->held.store, cleat_str_of(pass->places[i].namespace_),
                                    pass->spec.copy_name, &copy);
        pass->tally.ready += rc == 0 && cleat__mirror_copy_is_of(cleat_object_value(copy),
                                                                 cleat_object_uid(pass->object));
    }
    return cleat__mirror_sweep(pass, &pass->held, pass->spec.delete_when_missing, err);
}

static int reconcile_places(struct mirror_pass *pass, struct cleat_err *err)
{
    int rc = cleat__mirror_content_make(&pass->spec, &pass->resource.gvk,
                                        cleat_object_value(pass->source), &pass->content, err);
    if (rc < 0)
        return rc;
    (void)snprintf(pass->tally.missing_keys, sizeof(pass->tally.missing_keys), "%s",
                   pass->content.missing);
    for (size_t i = 0; i < pass->place_count; i++)
        cleat__mirror_put(pass, cleat_str_of(pass->places[i].namespace_));
    return cleat__mirror_sweep(pass, &pass->held, false, err);
}

/* A write's 403 may be quota or a namespace's own rule; only this tells what we may not do. */
static void reconcile_ask_access(struct mirror_pass *pass)
{
    static const char *const verbs[] = {"create", "update", "delete"};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        const struct cleat_access_question question = {.verb = verbs[i],
                                                       .group = pass->resource.gvk.group,
                                                       .version = pass->resource.gvk.version,
                                                       .plural = pass->resource.plural};
        bool allowed = true;
        int rc = cleat_client_access(pass->context->client, &question,
                                     pass->context->deadline_mono_ms, &allowed, NULL, NULL);
        if (rc == 0 && !allowed)
            cleat__mirror_tally_whole(&pass->tally, MIRROR_FORBIDDEN, true, "Cleat may not %s %s",
                                      verbs[i], pass->resource.plural);
    }
}

/* So that the next pass doesn't make again what is made already. */
static void reconcile_see_writes(struct mirror_pass *pass)
{
    if (!pass->last)
        return;
    cleat_ignore(cleat_store_wait(
        pass->held.store, cleat_object_namespace(pass->last), cleat_object_name(pass->last),
        cleat_object_uid(pass->last), cleat_object_resource_version(pass->last),
        MIRROR_SEEN_MS)); /* what isn't seen in time costs a try, no more */
}

static int reconcile_steps(struct mirror_pass *pass, struct cleat_err *err)
{
    int rc = reconcile_guard(pass, err);
    if (rc == 0)
        rc = reconcile_spec(pass, err);
    if (rc == 0)
        rc = reconcile_kind(pass, err);
    if (rc == 0)
        rc = reconcile_watch(pass, err);
    if (rc == 0)
        rc = reconcile_feeds(pass);
    if (rc == 0)
        rc = reconcile_source(pass, err);
    if (rc == 0)
        rc = cleat__mirror_pass_rivals(pass, err);
    if (rc == 0)
        rc = cleat__mirror_pass_places(pass, err);
    if (rc != 0)
        return rc;
    pass->tally.judged = true;
    rc = pass->source ? reconcile_places(pass, err) : reconcile_without_source(pass, err);
    if (pass->denied)
        reconcile_ask_access(pass);
    reconcile_see_writes(pass);
    return rc;
}

static void reconcile_tell(struct mirror_pass *pass)
{
    char note[1024];
    struct cleat_scratch scratch;
    bool warning = false;
    struct cleat_value ready =
        cleat_condition_get(cleat_object_find(pass->object, "status.conditions"), "Ready");
    const char *reason = cleat__mirror_tally_event(
        &pass->tally, cleat_value_text(cleat_value_get(ready, "reason"), &scratch), &warning, note,
        sizeof(note));
    if (!reason)
        return;
    const struct cleat_event_note event = {.regarding = pass->object,
                                           .related = pass->last,
                                           .warning = warning,
                                           .reason = reason,
                                           .action = "Mirror",
                                           .note = note};
    cleat_recorder_post(cleat_manager_recorder(pass->mirror->manager), &event);
}

static int reconcile_status(struct mirror_pass *pass, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    const struct cleat_client_target target = {&mirror_resource, NULL,
                                               cleat_object_name(pass->object).data, NULL};
    struct cleat_err local = CLEAT_ERR_INIT;
    int rc = cleat_draft_new(cleat_object_value(pass->object), &draft, &local);
    if (rc == 0)
        rc = cleat__mirror_status_write(&pass->tally, pass->object, pass->context->clock, draft,
                                        &local);
    if (rc == 0)
        rc = cleat_update_status(pass->context, &target, pass->object, draft, &local);
    if (rc == -EAGAIN) {
        cleat__mirror_pass_again(pass, MIRROR_SOON_MS);
        return 0;
    }
    if (rc == -ENOENT)
        return 0;
    return rc < 0 ? cleat_err_set(err, rc, "status: %s", cleat_err_text(&local)) : 0;
}

static int reconcile_run(struct mirror_pass *pass, struct cleat_result *result,
                         struct cleat_err *err)
{
    int rc = reconcile_steps(pass, err);
    if (rc < 0)
        return rc;
    cleat__mirror_metrics_note(&pass->mirror->metrics, cleat_object_name(pass->object),
                               &pass->tally);
    reconcile_tell(pass);
    rc = reconcile_status(pass, err);
    if (rc == 0 && pass->failed < 0) {
        rc = pass->failed;
        if (err)
            *err = pass->error;
    }
    result->requeue_after_ms = pass->again_ms;
    return rc;
}

int cleat__mirror_reconcile(void *arg, const struct cleat_context *context,
                            const struct cleat_request *request, struct cleat_result *result,
                            struct cleat_err *err)
{
    struct mirror_pass pass = {.mirror = cleat__mirror_of(arg), .context = context};
    struct cleat_str name = cleat_str_of(request->name);
    int rc = cleat_store_lookup(pass.mirror->mirrors, CLEAT_STR(""), name, &pass.object);
    if (rc == CLEAT_STORE_UNREADABLE) {
        (void)cleat_err_set(err, -EIO, "Mirror %s can't be read", request->name);
        return CLEAT_RECONCILE_TERMINAL;
    }
    if (rc == CLEAT_STORE_NOT_SYNCED)
        result->requeue_after_ms = MIRROR_SOON_MS;
    if (rc == CLEAT_STORE_MISSING || (rc == 0 && cleat_object_deleting(pass.object))) {
        cleat__mirror_feeds_release(&pass.mirror->feeds, name);
        cleat__mirror_metrics_forget(&pass.mirror->metrics, name);
    } else if (rc == 0) {
        rc = reconcile_run(&pass, result, err);
    }
    cleat__mirror_pass_fini(&pass);
    return rc < 0 ? rc : 0;
}
