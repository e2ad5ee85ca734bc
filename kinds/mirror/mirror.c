/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/mirror.h"

#include <errno.h>
#include <stdatomic.h>

#include <cleat/predicate.h>

#include "base/check.h"
#include "base/mem.h"
#include "kinds/mirror/mapping.h"
#include "kinds/mirror/state.h"

#define MIRROR_WORKERS 4
#define MIRROR_TIMEOUT_MS 120000
#define MIRROR_HEALTH "mirror-kinds"

const struct cleat_resource mirror_configuration_resource = {
    .gvk = {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
    .plural = "validatingwebhookconfigurations",
    .singular = "validatingwebhookconfiguration",
    .verbs = CLEAT_VERB_GET | CLEAT_VERB_LIST | CLEAT_VERB_WATCH | CLEAT_VERB_UPDATE,
};

struct cleat_mirror *cleat__mirror_of(void *arg)
{
    struct cleat_mirror *mirror = arg;
    cleat_assert(mirror && mirror->magic == CLEAT__MIRROR_MAGIC);
    return mirror;
}

/* Spec, or the beginning of the end: what status says concerns nobody here. */
static bool mirror_event_counts(const struct cleat_predicate *self, const struct cleat_event *event)
{
    if (event->type != CLEAT_EVENT_UPDATED || !event->object || !event->old_object)
        return true;
    return cleat_object_generation(event->object) != cleat_object_generation(event->old_object) ||
           cleat_object_deleting(event->object) != cleat_object_deleting(event->old_object);
}

/* Labels decide who is reached; a deletion decides what can be made. */
static bool mirror_namespace_counts(const struct cleat_predicate *self,
                                    const struct cleat_event *event)
{
    if (event->type != CLEAT_EVENT_UPDATED || !event->object || !event->old_object)
        return event->type != CLEAT_EVENT_RESYNC;
    return cleat_object_deleting(event->object) != cleat_object_deleting(event->old_object) ||
           !cleat_value_equal(cleat_object_labels(event->object),
                              cleat_object_labels(event->old_object));
}

static const struct cleat_predicate mirror_counts = {.test = mirror_event_counts};
static const struct cleat_predicate mirror_place_counts = {.test = mirror_namespace_counts};

static int mirror_watch(struct cleat_mirror *mirror, struct cleat_controller *controller,
                        const struct cleat_watch_options *options, struct cleat_store **ret,
                        struct cleat_err *err)
{
    struct cleat_watch *watch = NULL;
    int rc = cleat_controller_watch(controller, options, &watch, err);
    if (rc == 0 && ret)
        *ret = cleat_feed_store(cleat_watch_feed(watch));
    return rc;
}

static int mirror_watch_mirrors(struct cleat_mirror *mirror, struct cleat_err *err)
{
    struct cleat_watch_options self = {.type = CLEAT_WATCH_FOR,
                                       .feed = {.resource = mirror_resource},
                                       .predicate = &mirror_counts};
    struct cleat_watch_options rivals = {.type = CLEAT_WATCH_MAPPED,
                                         .feed = {.resource = mirror_resource},
                                         .map = cleat__mirror_map_rivals,
                                         .map_arg = mirror,
                                         .predicate = &mirror_counts};
    struct cleat_watch_options namespaces = {
        .type = CLEAT_WATCH_MAPPED,
        .feed = {.resource = mirror_namespace_resource, .metadata_only = true},
        .map = cleat__mirror_map_namespace,
        .map_arg = mirror,
        .predicate = &mirror_place_counts};
    int rc = mirror_watch(mirror, mirror->controller, &self, &mirror->mirrors, err);
    if (rc == 0)
        rc = mirror_watch(mirror, mirror->controller, &rivals, NULL, err);
    return rc == 0 ? mirror_watch(mirror, mirror->controller, &namespaces, &mirror->namespaces, err)
                   : rc;
}

/* The configurations by name: that is how far our rights go. */
static int mirror_watch_configurations(struct cleat_mirror *mirror, struct cleat_err *err)
{
    struct cleat_watch_options guard = {
        .type = CLEAT_WATCH_MAPPED,
        .feed = {.resource = mirror_configuration_resource,
                 .field_selector = "metadata.name=" MIRROR_VALIDATING_CONFIGURATION},
        .map = cleat__mirror_map_guard,
        .map_arg = mirror,
    };
    struct cleat_watch_options copies = {
        .type = CLEAT_WATCH_FOR,
        .feed = {.resource = mirror_configuration_resource,
                 .field_selector = "metadata.name=" MIRROR_COPIES_CONFIGURATION},
    };
    struct cleat_watch_options bundle = {.type = CLEAT_WATCH_MAPPED,
                                         .feed = guard.feed,
                                         .map = cleat__mirror_map_hooks,
                                         .map_arg = mirror};
    struct cleat_watch_options mirrors = {.type = CLEAT_WATCH_MAPPED,
                                          .feed = {.resource = mirror_resource},
                                          .map = cleat__mirror_map_hooks,
                                          .map_arg = mirror};
    int rc = mirror_watch(mirror, mirror->controller, &guard, &mirror->configurations, err);
    if (rc == 0)
        rc = mirror_watch(mirror, mirror->hooks, &copies, NULL, err);
    if (rc == 0)
        rc = mirror_watch(mirror, mirror->hooks, &bundle, NULL, err);
    return rc == 0 ? mirror_watch(mirror, mirror->hooks, &mirrors, NULL, err) : rc;
}

static int mirror_controllers(struct cleat_mirror *mirror, unsigned workers, struct cleat_err *err)
{
    const struct cleat_controller_options self = {
        .name = "mirror",
        .reconcile = cleat__mirror_reconcile,
        .arg = mirror,
        .workers = workers > 0 ? workers : MIRROR_WORKERS,
        .timeout_ms = MIRROR_TIMEOUT_MS,
    };
    const struct cleat_controller_options hooks = {
        .name = "mirror-hooks",
        .reconcile = cleat__mirror_hooks_reconcile,
        .arg = mirror,
        .timeout_ms = MIRROR_TIMEOUT_MS,
    };
    int rc = cleat_controller_new(mirror->manager, &self, &mirror->controller, err);
    if (rc == 0)
        rc = cleat_controller_new(mirror->manager, &hooks, &mirror->hooks, err);
    mirror->feeds.controller = mirror->controller;
    if (rc == 0)
        rc = mirror_watch_mirrors(mirror, err);
    return rc == 0 ? mirror_watch_configurations(mirror, err) : rc;
}

static int mirror_handlers(struct cleat_mirror *mirror, struct cleat_webhooks *webhooks,
                           struct cleat_err *err)
{
    const struct cleat_webhook_options handlers[] = {
        {.path = CLEAT_MIRROR_MUTATE_PATH,
         .type = CLEAT_WEBHOOK_MUTATING,
         .kind = mirror_resource.gvk,
         .check_kind = true,
         .blocking = true,
         .operations = CLEAT_OPERATION_CREATE | CLEAT_OPERATION_UPDATE,
         .admit = cleat__mirror_mutate,
         .arg = mirror},
        {.path = CLEAT_MIRROR_VALIDATE_PATH,
         .type = CLEAT_WEBHOOK_VALIDATING,
         .kind = mirror_resource.gvk,
         .check_kind = true,
         .blocking = true,
         .operations = CLEAT_OPERATION_CREATE | CLEAT_OPERATION_UPDATE,
         .admit = cleat__mirror_validate,
         .arg = mirror},
        {.path = CLEAT_MIRROR_COPIES_PATH,
         .type = CLEAT_WEBHOOK_VALIDATING,
         .operations = CLEAT_OPERATION_UPDATE | CLEAT_OPERATION_DELETE,
         .admit = cleat__mirror_judge_copy,
         .arg = mirror},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(handlers) / sizeof(handlers[0]); i++)
        rc = cleat_webhooks_add(webhooks, &handlers[i], err);
    return rc;
}

int cleat_mirror_set_username(struct cleat_mirror *mirror, const char *username,
                              struct cleat_err *err)
{
    if (atomic_load_explicit(&mirror->own_username, memory_order_relaxed))
        return 0;
    char *copy = cleat_mem_strdup(username);
    if (!copy)
        return cleat_err_set(err, -ENOMEM, "own user name: out of memory");
    /* Release pairs with the handlers' acquire. */
    atomic_store_explicit(&mirror->own_username, copy, memory_order_release);
    return 0;
}

/* Who we are, for those who weren't told: asked once, before anything of ours is written. */
static int mirror_ask_name(void *arg, struct cleat_err *err)
{
    struct cleat_mirror *mirror = cleat__mirror_of(arg);
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *review = NULL;
    struct cleat_scratch scratch;
    if (atomic_load_explicit(&mirror->own_username, memory_order_relaxed))
        return 0;
    int rc = cleat_client_whoami(cleat_manager_client(mirror->manager), &review, err);
    if (rc < 0)
        return rc;
    struct cleat_str name =
        cleat_value_text(cleat_object_find(review, "status.userInfo.username"), &scratch);
    return name.length > 0 ? cleat_mirror_set_username(mirror, name.data, err)
                           : cleat_err_set(err, -EPROTO, "own user name: the answer has none");
}

static bool mirror_leads(void *arg)
{
    return cleat_manager_leading(cleat__mirror_of(arg)->manager);
}

static int mirror_check_kinds(void *arg, struct cleat_err *err)
{
    return cleat__mirror_feeds_check(&cleat__mirror_of(arg)->feeds, err);
}

static int mirror_parts(struct cleat_mirror *mirror, const struct cleat_mirror_options *options,
                        struct cleat_err *err)
{
    const struct cleat_runnable name = {.name = "mirror-name",
                                        .group = CLEAT_GROUP_OTHERS,
                                        .start = mirror_ask_name,
                                        .arg = mirror};
    int rc = mirror_controllers(mirror, options->workers, err);
    if (rc == 0)
        rc = cleat_manager_add(mirror->manager, &name, err);
    if (rc == 0 && options->webhooks)
        rc = mirror_handlers(mirror, options->webhooks, err);
    if (rc == 0)
        rc = cleat_health_add(cleat_manager_readyz(mirror->manager), MIRROR_HEALTH, false,
                              mirror_check_kinds, mirror);
    return rc;
}

static int mirror_names(struct cleat_mirror *mirror, const struct cleat_mirror_options *options)
{
    char *username = NULL;
    mirror->own_namespace =
        cleat_mem_strdup(options->own_namespace ? options->own_namespace : "cleat-system");
    if (options->webhook_url)
        mirror->webhook_url = cleat_mem_strdup(options->webhook_url);
    if (options->own_username)
        username = cleat_mem_strdup(options->own_username);
    atomic_init(&mirror->own_username, username);
    bool lacking = !mirror->own_namespace || (options->webhook_url && !mirror->webhook_url) ||
                   (options->own_username && !username);
    return lacking ? -ENOMEM : 0;
}

/* What the manager doesn't know of. */
static struct cleat_mirror *mirror_dispose(struct cleat_mirror *mirror)
{
    const char *username = atomic_load(&mirror->own_username);
    cleat__mirror_metrics_fini(&mirror->metrics);
    cleat__mirror_feeds_fini(&mirror->feeds);
    cleat__mirror_contest_fini(&mirror->contest);
    cleat_mem_free((char *)username);
    cleat_mem_free(mirror->own_namespace);
    cleat_mem_free(mirror->webhook_url);
    mirror->magic = 0;
    return cleat_mem_free(mirror);
}

int cleat_mirror_new(const struct cleat_mirror_options *options, struct cleat_mirror **ret,
                     struct cleat_err *err)
{
    struct cleat_mirror *mirror = cleat_mem_zalloc(1, sizeof(*mirror));
    if (!mirror)
        return cleat_err_set(err, -ENOMEM, "Mirrors: out of memory");
    mirror->magic = CLEAT__MIRROR_MAGIC;
    mirror->manager = options->manager;
    cleat__mirror_feeds_init(&mirror->feeds, NULL);
    mirror->feeds.arg = mirror;
    cleat__mirror_contest_init(&mirror->contest);
    int rc = cleat__mirror_metrics_init(&mirror->metrics, cleat_manager_metrics(options->manager),
                                        mirror_leads, mirror, err);
    if (rc == 0)
        rc = mirror_names(mirror, options);
    if (rc == 0)
        rc = mirror_parts(mirror, options, err);
    if (rc < 0) {
        mirror_dispose(mirror);
        return cleat_err_set(err, rc, "Mirrors: out of memory");
    }
    *ret = mirror;
    return 0;
}

struct cleat_mirror *cleat_mirror_free(struct cleat_mirror *mirror)
{
    if (!mirror)
        return NULL;
    (void)cleat__mirror_of(mirror);
    cleat_health_remove(cleat_manager_readyz(mirror->manager), MIRROR_HEALTH);
    return mirror_dispose(mirror);
}
