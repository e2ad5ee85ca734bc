/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/feeds.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "kinds/mirror/mapping.h"
#include "kinds/mirror/spec.h"

#define FEEDS_SOURCES_MAX 100000
#define FEEDS_KEY_BYTES 1024

struct mirror_kind {
    struct mirror_kind *next;
    struct cleat_resource resource;
    struct cleat_watch *watch; /* NULL while nobody holds it */
    struct cleat_index *index; /* NULL until first held */
    size_t holders;
};

struct mirror_source {
    char *key; /* group/Kind/namespace/name */
    struct cleat_watch *watch;
    size_t holders;
};

struct mirror_hold {
    char *mirror;
    struct mirror_kind *kind;
    struct mirror_source *source;
};

void cleat__mirror_feeds_init(struct mirror_feeds *feeds, struct cleat_controller *controller)
{
    *feeds = (struct mirror_feeds){.controller = controller};
    cleat_lock_init(&feeds->lock, CLEAT_LOCK_KIND);
    cleat_map_init(&feeds->sources, FEEDS_SOURCES_MAX);
    cleat_map_init(&feeds->holds, FEEDS_SOURCES_MAX);
}

static void hold_free(struct mirror_hold *hold)
{
    if (hold)
        cleat_mem_free(hold->mirror);
    cleat_mem_free(hold);
}

static void source_free(struct mirror_source *source)
{
    if (source)
        cleat_mem_free(source->key);
    cleat_mem_free(source);
}

void cleat__mirror_feeds_fini(struct mirror_feeds *feeds)
{
    size_t cursor = 0;
    void *value;
    while ((value = cleat_map_next(&feeds->holds, &cursor, NULL)))
        hold_free(value);
    cursor = 0;
    while ((value = cleat_map_next(&feeds->sources, &cursor, NULL)))
        source_free(value);
    while (feeds->kinds) {
        struct mirror_kind *kind = feeds->kinds;
        feeds->kinds = kind->next;
        cleat_mem_free(kind);
    }
    cleat_map_fini(&feeds->holds);
    cleat_map_fini(&feeds->sources);
    cleat_lock_fini(&feeds->lock);
}

/* Copies are found by the Mirror that their label names. */
static void feeds_index(struct cleat_value object, void (*add)(void *ctx, struct cleat_str value),
                        void *ctx)
{
    struct cleat_scratch scratch;
    struct cleat_value labels = cleat_value_get(cleat_value_get(object, "metadata"), "labels");
    struct cleat_str name = cleat_value_text(cleat_value_get(labels, MIRROR_LABEL), &scratch);
    if (name.length > 0)
        add(ctx, name);
}

static struct mirror_kind *feeds_find_kind(struct mirror_feeds *feeds,
                                           const struct cleat_resource *resource)
{
    struct mirror_kind *kind = feeds->kinds;
    while (kind && !cleat_gvk_equal(&kind->resource.gvk, &resource->gvk))
        kind = kind->next;
    return kind;
}

/* Under the lock, as the functions below; the index is waited for with it, which only other workers
 * and the health check can notice. */
static int kind_watch(struct mirror_feeds *feeds, struct mirror_kind *kind, struct cleat_err *err)
{
    const struct cleat_watch_options options = {
        .type = CLEAT_WATCH_MAPPED,
        .feed = {.resource = kind->resource, .label_selector = MIRROR_LABEL},
        .map = cleat__mirror_map_copy,
        .map_arg = feeds->arg,
    };
    int rc = 0;
    if (!kind->watch)
        rc = cleat_controller_watch(feeds->controller, &options, &kind->watch, err);
    if (rc == 0 && !kind->index)
        rc = cleat_store_index(cleat_feed_store(cleat_watch_feed(kind->watch)), "mirror",
                               feeds_index, &kind->index, err);
    return rc;
}

static int feeds_take_kind(struct mirror_feeds *feeds, const struct cleat_resource *resource,
                           struct mirror_kind **ret, struct cleat_err *err)
{
    struct mirror_kind *kind = feeds_find_kind(feeds, resource);
    if (!kind) {
        kind = cleat_mem_zalloc(1, sizeof(*kind));
        if (!kind)
            return cleat_err_set(err, -ENOMEM, "watch of %s: out of memory", resource->plural);
        kind->resource = *resource;
        kind->next = feeds->kinds;
        feeds->kinds = kind;
    }
    int rc = kind->watch && kind->index ? 0 : kind_watch(feeds, kind, err);
    if (rc < 0)
        return rc;
    kind->holders++;
    *ret = kind;
    return 0;
}

static int source_watch(struct mirror_feeds *feeds, struct mirror_source *source,
                        const struct cleat_resource *resource, struct cleat_str namespace_,
                        struct cleat_str name, struct cleat_err *err)
{
    char selector[320], of[64];
    (void)snprintf(selector, sizeof(selector), "metadata.name=%.*s", CLEAT_STR_ARG(name));
    (void)snprintf(of, sizeof(of), "%.*s", CLEAT_STR_ARG(namespace_));
    const struct cleat_watch_options options = {
        .type = CLEAT_WATCH_MAPPED,
        .feed = {.resource = *resource, .namespace_ = of, .field_selector = selector},
        .map = cleat__mirror_map_source,
        .map_arg = feeds->arg,
    };
    return cleat_controller_watch(feeds->controller, &options, &source->watch, err);
}

static int feeds_take_source(struct mirror_feeds *feeds, const struct cleat_resource *resource,
                             struct cleat_str namespace_, struct cleat_str name,
                             struct mirror_source **ret, struct cleat_err *err)
{
    char key[FEEDS_KEY_BYTES];
    (void)snprintf(key, sizeof(key), "%s/%s/%s/%.*s/%.*s", resource->gvk.group,
                   resource->gvk.version, resource->gvk.kind, CLEAT_STR_ARG(namespace_),
                   CLEAT_STR_ARG(name));
    struct mirror_source *source = cleat_map_get(&feeds->sources, cleat_str_of(key));
    if (source) {
        source->holders++;
        *ret = source;
        return 0;
    }
    source = cleat_mem_zalloc(1, sizeof(*source));
    int rc = source ? 0 : -ENOMEM;
    if (rc == 0)
        rc = (source->key = cleat_mem_strdup(key)) ? 0 : -ENOMEM;
    if (rc == 0)
        rc = cleat_map_set(&feeds->sources, cleat_str_of(source->key), source);
    if (rc == 0) {
        rc = source_watch(feeds, source, resource, namespace_, name, err);
        if (rc < 0)
            (void)cleat_map_remove(&feeds->sources, cleat_str_of(source->key));
    }
    if (rc < 0) {
        source_free(source);
        return cleat_err_set(err, rc, "watch of %s: the source", resource->plural);
    }
    source->holders = 1;
    *ret = source;
    return 0;
}

/* Gives back one hold on each; the watches that nobody holds any more go to @ret_watches, to be
 * ended without the lock. */
static void feeds_give_back(struct mirror_feeds *feeds, struct mirror_kind *kind,
                            struct mirror_source *source, struct cleat_watch *ret_watches[2])
{
    ret_watches[0] = ret_watches[1] = NULL;
    if (kind && --kind->holders == 0) {
        ret_watches[0] = kind->watch;
        kind->watch = NULL;
    }
    if (source && --source->holders == 0) {
        ret_watches[1] = source->watch;
        (void)cleat_map_remove(&feeds->sources, cleat_str_of(source->key));
        source_free(source);
    }
}

static void hold_view(const struct mirror_hold *hold, struct mirror_held *ret)
{
    *ret = (struct mirror_held){0};
    if (!hold || !hold->kind)
        return;
    ret->resource = &hold->kind->resource;
    ret->source_feed = cleat_watch_feed(hold->source->watch);
    ret->copies_feed = cleat_watch_feed(hold->kind->watch);
    ret->store = cleat_feed_store(ret->copies_feed);
    ret->index = hold->kind->index;
}

void cleat__mirror_feeds_held(struct mirror_feeds *feeds, struct cleat_str mirror,
                              struct mirror_held *ret)
{
    cleat_lock_take(&feeds->lock);
    hold_view(cleat_map_get(&feeds->holds, mirror), ret);
    cleat_lock_release(&feeds->lock);
}

static int feeds_hold_entry(struct mirror_feeds *feeds, struct cleat_str mirror,
                            struct mirror_hold **ret)
{
    struct mirror_hold *hold = cleat_map_get(&feeds->holds, mirror);
    if (!hold) {
        hold = cleat_mem_zalloc(1, sizeof(*hold));
        int rc = hold ? 0 : -ENOMEM;
        if (rc == 0)
            rc = (hold->mirror = cleat_mem_strndup(mirror.data, mirror.length)) ? 0 : -ENOMEM;
        if (rc == 0)
            rc = cleat_map_set(&feeds->holds, cleat_str_of(hold->mirror), hold);
        if (rc < 0) {
            hold_free(hold);
            return rc;
        }
    }
    *ret = hold;
    return 0;
}

/* The new ones are taken before the old ones go, so that what stays isn't loaded again. */
static int feeds_swap(struct mirror_feeds *feeds, struct cleat_str mirror,
                      const struct cleat_resource *resource, struct cleat_str namespace_,
                      struct cleat_str name, struct cleat_watch *ret_watches[2],
                      struct mirror_held *ret, struct cleat_err *err)
{
    struct mirror_hold *hold = NULL;
    struct mirror_kind *kind = NULL;
    struct mirror_source *source = NULL;
    int rc = feeds_hold_entry(feeds, mirror, &hold);
    if (rc == 0)
        rc = feeds_take_kind(feeds, resource, &kind, err);
    if (rc == 0)
        rc = feeds_take_source(feeds, resource, namespace_, name, &source, err);
    if (rc < 0) {
        feeds_give_back(feeds, kind, NULL, ret_watches);
        return cleat_err_set(err, rc, "watches of Mirror %.*s", CLEAT_STR_ARG(mirror));
    }
    feeds_give_back(feeds, hold->kind, hold->source, ret_watches);
    hold->kind = kind;
    hold->source = source;
    hold_view(hold, ret);
    return 0;
}

static void feeds_end(struct cleat_watch *watches[2])
{
    cleat_watch_remove(watches[0]);
    cleat_watch_remove(watches[1]);
}

int cleat__mirror_feeds_hold(struct mirror_feeds *feeds, struct cleat_str mirror,
                             const struct cleat_resource *resource, struct cleat_str namespace_,
                             struct cleat_str name, struct mirror_held *ret, struct cleat_err *err)
{
    struct cleat_watch *ended[2] = {NULL, NULL};
    cleat_lock_take(&feeds->lock);
    int rc = feeds_swap(feeds, mirror, resource, namespace_, name, ended, ret, err);
    cleat_lock_release(&feeds->lock);
    feeds_end(ended);
    return rc;
}

void cleat__mirror_feeds_release(struct mirror_feeds *feeds, struct cleat_str mirror)
{
    struct cleat_watch *ended[2] = {NULL, NULL};
    cleat_lock_take(&feeds->lock);
    struct mirror_hold *hold = cleat_map_remove(&feeds->holds, mirror);
    if (hold)
        feeds_give_back(feeds, hold->kind, hold->source, ended);
    cleat_lock_release(&feeds->lock);
    hold_free(hold);
    feeds_end(ended);
}

/* What is wrong with a feed that a Mirror wanted. */
static int feeds_check_one(struct cleat_watch *watch, const char *what, struct cleat_err *err)
{
    struct cleat_feed_status status;
    cleat_feed_status(cleat_watch_feed(watch), &status);
    switch (status.state) {
    case CLEAT_FEED_FORBIDDEN:
        return cleat_err_set(err, -EACCES, "%s: list or watch is forbidden", what);
    case CLEAT_FEED_UNKNOWN: return cleat_err_set(err, -ENOENT, "%s: not served", what);
    case CLEAT_FEED_STALE: return cleat_err_set(err, -ESTALE, "%s: stale", what);
    case CLEAT_FEED_LOADING:
    case CLEAT_FEED_SYNCED: break;
    }
    return 0;
}

int cleat__mirror_feeds_check(struct mirror_feeds *feeds, struct cleat_err *err)
{
    size_t cursor = 0;
    struct mirror_source *source;
    int rc = 0;
    cleat_lock_take(&feeds->lock);
    for (struct mirror_kind *kind = feeds->kinds; kind && rc == 0; kind = kind->next)
        if (kind->watch)
            rc = feeds_check_one(kind->watch, kind->resource.plural, err);
    while (rc == 0 && (source = cleat_map_next(&feeds->sources, &cursor, NULL)))
        rc = feeds_check_one(source->watch, source->key, err);
    cleat_lock_release(&feeds->lock);
    return rc;
}
