/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches of a controller: a feed that keeps the store filled, and a handler on the store once the
 * controller watches. The list is under the controller's lock; feeds and handlers are made and
 * ended outside it, because ending a handler waits for its last call.
 */
#include <errno.h>

#include <cleat/selector.h>

#include "base/check.h"
#include "base/mem.h"
#include "controller/controller.h"

static void watch_event(void *arg, const struct cleat_event *event)
{
    cleat__enqueue_event(arg, event);
}

static int watch_check(const struct cleat_controller *controller,
                       const struct cleat_watch_options *options, struct cleat_err *err)
{
    bool owned = options->type == CLEAT_WATCH_OWNS || options->type == CLEAT_WATCH_OWNED_BY_ANY;
    if (owned && !options->owner.gvk.kind[0]) {
        return cleat_err_set(err, -EINVAL,
                             "controller %s: a watch of owned %s needs the owner's kind",
                             controller->name, options->feed.resource.plural);
    }
    if (options->type == CLEAT_WATCH_MAPPED && !options->map) {
        return cleat_err_set(err, -EINVAL, "controller %s: a mapped watch of %s needs a mapping",
                             controller->name, options->feed.resource.plural);
    }
    return 0;
}

/* metadata.name=x is told apart here too, because feeds for single names share a store. */
static int watch_name(struct cleat_watch *watch, const char *text, struct cleat_err *err)
{
    struct cleat_field_selector *selector = NULL;
    int rc = cleat_field_selector_parse(cleat_str_of(text), &selector, err);
    for (size_t i = 0; rc == 0 && i < cleat_field_selector_count(selector); i++) {
        struct cleat_str path, value;
        bool equal = false;
        cleat_field_selector_at(selector, i, &path, &value, &equal);
        if (equal && cleat_str_is(path, "metadata.name") && !watch->name) {
            watch->name = cleat_mem_strndup(value.data, value.length);
            rc = watch->name ? 0 : -ENOMEM;
        }
    }
    cleat_field_selector_free(selector);
    return rc;
}

static int watch_filters(struct cleat_watch *watch, const struct cleat_feed_options *feed,
                         struct cleat_err *err)
{
    int rc = 0;
    if (feed->namespace_ && feed->namespace_[0]) {
        watch->namespace_ = cleat_mem_strdup(feed->namespace_);
        rc = watch->namespace_ ? 0 : -ENOMEM;
    }
    if (rc == 0 && feed->field_selector && feed->field_selector[0])
        rc = watch_name(watch, feed->field_selector, err);
    if (rc == 0 && feed->label_selector && feed->label_selector[0])
        rc = cleat_selector_parse(cleat_str_of(feed->label_selector), &watch->labels, err);
    return rc;
}

static int watch_make(struct cleat_controller *controller,
                      const struct cleat_watch_options *options, struct cleat_watch **ret,
                      struct cleat_err *err)
{
    struct cleat_watch *watch = cleat_mem_zalloc(1, sizeof(*watch));
    if (!watch)
        return cleat_err_set(err, -ENOMEM, "controller %s: out of memory", controller->name);
    *watch = (struct cleat_watch){
        .magic = CLEAT__WATCH_MAGIC,
        .controller = controller,
        .type = options->type,
        .resource = options->feed.resource,
        .owner = options->owner,
        .map = options->map,
        .map_arg = options->map_arg,
        .predicate = options->predicate,
        .priority = options->priority,
    };
    int rc = watch_filters(watch, &options->feed, err);
    if (rc == 0)
        rc = cleat_cache_feed(controller->parts.cache, &options->feed, &watch->feed, err);
    if (rc < 0) {
        cleat__watch_free(watch);
        return cleat_err_set(err, rc, "controller %s: watch of %s", controller->name,
                             options->feed.resource.plural);
    }
    *ret = watch;
    return 0;
}

int cleat__watch_attach(struct cleat_watch *watch, struct cleat_err *err)
{
    struct cleat_store *store = cleat_feed_store(watch->feed);
    cleat_assert(!watch->handler);
    return cleat_store_handler(store, watch_event, watch, &watch->handler, err);
}

bool cleat__watch_synced(struct cleat_watch *watch)
{
    return watch->handler && cleat_feed_synced(watch->feed) && cleat_handler_synced(watch->handler);
}

void cleat__watch_free(struct cleat_watch *watch)
{
    if (watch->handler)
        cleat_handler_remove(watch->handler);
    cleat_feed_unref(watch->feed);
    cleat_selector_free(watch->labels);
    cleat_mem_free(watch->namespace_);
    cleat_mem_free(watch->name);
    watch->magic = 0;
    cleat_mem_free(watch);
}

static void watch_link(struct cleat_watch *watch)
{
    struct cleat_controller *controller = watch->controller;
    watch->next = controller->watches;
    if (watch->next)
        watch->next->prev = watch;
    controller->watches = watch;
}

static void watch_unlink(struct cleat_watch *watch)
{
    if (watch->prev)
        watch->prev->next = watch->next;
    else
        watch->controller->watches = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
}

int cleat_controller_watch(struct cleat_controller *controller,
                           const struct cleat_watch_options *options, struct cleat_watch **ret,
                           struct cleat_err *err)
{
    struct cleat_watch *watch = NULL;
    cleat_assert(controller->magic == CLEAT__CONTROLLER_MAGIC);
    int rc = watch_check(controller, options, err);
    if (rc == 0)
        rc = watch_make(controller, options, &watch, err);
    if (rc < 0)
        return rc;
    cleat_lock_take(&controller->lock);
    if (controller->state == CONTROLLER_STOPPED) {
        rc = cleat_err_set(err, -ESHUTDOWN, "controller %s has stopped", controller->name);
    } else if (controller->state == CONTROLLER_WATCHING ||
               controller->state == CONTROLLER_STARTED) {
        /* Locks of the cache come after this one, and adding a handler calls nobody. */
        rc = cleat__watch_attach(watch, err);
        watch->late = controller->synced;
    }
    if (rc == 0)
        watch_link(watch);
    cleat_lock_release(&controller->lock);
    if (rc < 0) {
        cleat__watch_free(watch);
        return rc;
    }
    if (ret)
        *ret = watch;
    return 0;
}

struct cleat_feed *cleat_watch_feed(const struct cleat_watch *watch)
{
    return watch->feed;
}

struct cleat_watch *cleat_watch_remove(struct cleat_watch *watch)
{
    if (!watch)
        return NULL;
    cleat_assert(watch->magic == CLEAT__WATCH_MAGIC);
    cleat_lock_take(&watch->controller->lock);
    watch_unlink(watch);
    cleat_lock_release(&watch->controller->lock);
    cleat__watch_free(watch);
    return NULL;
}

int cleat__controller_start_watches(struct cleat_controller *controller, struct cleat_err *err)
{
    int rc = 0;
    cleat_lock_take(&controller->lock);
    if (controller->state == CONTROLLER_MADE) {
        for (struct cleat_watch *watch = controller->watches; watch && rc == 0; watch = watch->next)
            rc = cleat__watch_attach(watch, err);
        controller->state = rc == 0 ? CONTROLLER_WATCHING : CONTROLLER_MADE;
    }
    cleat_lock_release(&controller->lock);
    return rc;
}
