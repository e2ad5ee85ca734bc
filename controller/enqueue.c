/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From events to keys: does the event belong to the watch, do the predicates let it pass, which
 * keys does it mean, and how urgent is it. Runs on the events thread.
 */
#include <errno.h>
#include <string.h>

#include <cleat/owner.h>
#include <cleat/selector.h>

#include "base/check.h"
#include "controller/controller.h"
#include "controller/handler.h"
#include "controller/queue.h"

static const struct cleat_str enqueue_local = {"", 0};

void cleat_enqueue_key(struct cleat_enqueue *enqueue, struct cleat_str namespace_,
                       struct cleat_str name)
{
    struct cleat_controller *controller = enqueue->controller;
    struct cleat_queue_add add = {.priority = enqueue->priority};
    int rc;
    do
        rc = cleat__queue_add_str(controller->queue, enqueue_local, namespace_, name, &add);
    while (rc == -ENOMEM && cleat__events_wait_memory());
    if (rc < 0) {
        struct cleat_err err = CLEAT_ERR_INIT;
        (void)cleat_err_set(&err, rc, "queue %s: key %.*s/%.*s isn't taken", controller->name,
                            CLEAT_STR_ARG(namespace_), CLEAT_STR_ARG(name));
        cleat_series_add(controller->metrics.dropped, 1);
        cleat_report(&controller->drop_reporter, controller->parts.log, CLEAT_LOG_ERROR,
                     "event dropped", cleat_log_text("controller", controller->name),
                     cleat_log_err(&err));
    }
}

/* Labels that a projection dropped can't be asked: the event passes then. */
static bool labels_match(const struct cleat_watch *watch, const struct cleat_object *object)
{
    if (!object)
        return false;
    struct cleat_value labels = cleat_object_labels(object);
    return cleat_value_type(labels) == CLEAT_TYPE_NOT_KEPT ||
           cleat_selector_matches(watch->labels, labels);
}

/* Several watches with selectors of their own share the store of a kind: each looks for what is its
 * own. Where an object stops matching, the old one tells. */
static bool watch_wants(const struct cleat_watch *watch, const struct cleat_event *event)
{
    if (watch->namespace_ && !cleat_str_is(event->namespace_, watch->namespace_))
        return false;
    if (watch->name && !cleat_str_is(event->name, watch->name))
        return false;
    return !watch->labels || (!event->object && !event->old_object) ||
           labels_match(watch, event->object) || labels_match(watch, event->old_object);
}

static bool watch_passes(const struct cleat_watch *watch, const struct cleat_event *event)
{
    const struct cleat_predicate *all = watch->controller->predicate;
    return (!all || cleat_predicate_test(all, event)) &&
           (!watch->predicate || cleat_predicate_test(watch->predicate, event));
}

static bool event_unchanged(const struct cleat_event *event)
{
    switch (event->type) {
    case CLEAT_EVENT_ADDED: return event->initial;
    case CLEAT_EVENT_RESYNC: return true;
    case CLEAT_EVENT_UPDATED:
        return event->old_object && event->object &&
               cleat_str_equal(cleat_object_resource_version(event->old_object),
                               cleat_object_resource_version(event->object));
    case CLEAT_EVENT_DELETED: break;
    }
    return false;
}

/* Group and kind; the version of an owner reference may be another one that the API server serves.
 */
static bool owner_matches(const struct cleat_owner *owner, const struct cleat_resource *wanted)
{
    const char *group = wanted->gvk.group;
    const char *slash = owner->api_version.length > 0
                            ? memchr(owner->api_version.data, '/', owner->api_version.length)
                            : NULL;
    struct cleat_str owner_group = {owner->api_version.data,
                                    slash ? (size_t)(slash - owner->api_version.data) : 0};
    return cleat_str_is(owner->kind, wanted->gvk.kind) && cleat_str_is(owner_group, group);
}

static void enqueue_owners(const struct cleat_watch *watch, const struct cleat_event *event,
                           struct cleat_object *object, struct cleat_enqueue *enqueue)
{
    struct cleat_value root = cleat_object_value(object);
    struct cleat_scratch scratch[4];
    struct cleat_owner owner;
    size_t count = cleat_owner_count(root);
    for (size_t i = 0; i < count; i++) {
        if (cleat_owner_at(root, i, scratch, &owner) != 0 ||
            (watch->type == CLEAT_WATCH_OWNS && !owner.controller) ||
            !owner_matches(&owner, &watch->owner))
            continue;
        cleat_enqueue_key(enqueue, watch->owner.namespaced ? event->namespace_ : enqueue_local,
                          owner.name);
    }
}

static void enqueue_object(const struct cleat_watch *watch, const struct cleat_event *event,
                           struct cleat_object *object, struct cleat_enqueue *enqueue)
{
    if (!object)
        return;
    if (watch->type == CLEAT_WATCH_MAPPED)
        watch->map(watch->map_arg, object, enqueue);
    else
        enqueue_owners(watch, event, object, enqueue);
}

void cleat__enqueue_event(struct cleat_watch *watch, const struct cleat_event *event)
{
    cleat_assert(watch->magic == CLEAT__WATCH_MAGIC);
    if (!watch_wants(watch, event) || !watch_passes(watch, event))
        return;
    struct cleat_enqueue enqueue = {
        .controller = watch->controller,
        .priority = event_unchanged(event) ? CLEAT_PRIORITY_LOW : watch->priority,
    };
    if (watch->type == CLEAT_WATCH_FOR) {
        cleat_enqueue_key(&enqueue, event->namespace_, event->name);
        return;
    }
    /* What the old object meant has lost something; what the new one means has gained it. */
    enqueue_object(watch, event, event->old_object, &enqueue);
    if (event->object != event->old_object)
        enqueue_object(watch, event, event->object, &enqueue);
}
