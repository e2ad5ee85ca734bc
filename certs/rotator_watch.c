/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Secret and the targets are watched by name, which is how far the rights go, and only what is
 * public of them is kept: no key comes into the cache. An event says no more than that it's time to
 * look.
 */
#include <errno.h>
#include <cleat/cache.h>
#include "base/mem.h"
#include "certs/rotator.h"

static bool watch_is_target(const struct cleat_rotator *rotator, const struct cleat_event *event)
{
    for (size_t i = 0; i < rotator->target_count; i++)
        if (cleat_gvk_equal(&cleat_injection_resource(rotator->targets[i].kind)->gvk,
                            &event->resource->gvk) &&
            cleat_str_is(event->name, rotator->targets[i].name))
            return true;
    return false;
}

static bool watch_is_secret(const struct cleat_rotator *rotator, const struct cleat_event *event)
{
    return cleat_gvk_equal(&cleat__rotator_secret_resource.gvk, &event->resource->gvk) &&
           cleat_str_is(event->namespace_, rotator->namespace_) &&
           cleat_str_is(event->name, rotator->secret);
}

static void watch_on_event(void *arg, const struct cleat_event *event)
{
    struct cleat_rotator *rotator = arg;
    if (event->type == CLEAT_EVENT_RESYNC)
        return;
    if (watch_is_secret(rotator, event) || watch_is_target(rotator, event))
        cleat_ticker_kick(&rotator->ticker);
}

static int watch_projection(enum cleat_ca_target_kind kind, bool secret,
                            struct cleat_projection **ret, struct cleat_err *err)
{
    static const char *const certs[] = {"metadata.annotations", "data[\"tls.crt\"]",
                                        "data[\"ca.crt\"]"};
    static const char *const hooks[] = {"webhooks[*].clientConfig"};
    static const char *const conversion[] = {"spec.conversion"};
    if (secret)
        return cleat_projection_paths(certs, 3, ret, err);
    return cleat_projection_paths(kind == CLEAT_CA_CONVERSION ? conversion : hooks, 1, ret, err);
}

/* @target NULL: the Secret. */
static int watch_add(struct cleat_rotator *rotator, const struct cleat_ca_target *target,
                     struct cleat_err *err)
{
    size_t feed = 0;
    CLEAT_CLEANUP(cleat_projection_unrefp) struct cleat_projection *projection = NULL;
    CLEAT_CLEANUP(cleat_mem_freep)
    char *selector = cleat_mem_format("metadata.name=%s", target ? target->name : rotator->secret);
    int r = selector ? watch_projection(target ? target->kind : 0, !target, &projection, err)
                     : cleat_err_set(err, -ENOMEM, "out of memory");
    if (r < 0)
        return r;
    const struct cleat_feed_options options = {.resource =
                                                   target ? *cleat_injection_resource(target->kind)
                                                          : cleat__rotator_secret_resource,
                                               .namespace_ = target ? NULL : rotator->namespace_,
                                               .field_selector = selector,
                                               .projection = projection};
    while (rotator->feeds[feed])
        feed++;
    return cleat_cache_feed(rotator->cache, &options, &rotator->feeds[feed], err);
}

/* One handler per kind, on the store of the feed that was added last. */
static int watch_handle(struct cleat_rotator *rotator, const struct cleat_resource *resource,
                        struct cleat_err *err)
{
    size_t handler = 0;
    struct cleat_store *store = cleat_cache_store(rotator->cache, &resource->gvk);
    while (rotator->handlers[handler])
        handler++;
    return cleat_store_handler(store, watch_on_event, rotator, &rotator->handlers[handler], err);
}

int cleat__rotator_watch(struct cleat_rotator *rotator, struct cleat_err *err)
{
    bool handled[CLEAT_CA_CONVERSION + 1] = {false};
    if (!rotator->cache)
        return 0;
    int r = watch_add(rotator, NULL, err);
    if (r == 0)
        r = watch_handle(rotator, &cleat__rotator_secret_resource, err);
    for (size_t i = 0; r == 0 && i < rotator->target_count; i++) {
        const struct cleat_ca_target *target = &rotator->targets[i];
        const struct cleat_resource *resource = cleat_injection_resource(target->kind);
        r = watch_add(rotator, target, err);
        if (r == 0 && !handled[target->kind])
            r = watch_handle(rotator, resource, err);
        handled[target->kind] = true;
    }
    if (r < 0)
        cleat__rotator_unwatch(rotator);
    return r;
}

void cleat__rotator_unwatch(struct cleat_rotator *rotator)
{
    for (size_t i = 0; i < ROTATOR_KINDS_MAX; i++)
        rotator->handlers[i] = cleat_handler_remove(rotator->handlers[i]);
    for (size_t i = 0; i < CLEAT_ROTATOR_TARGETS_MAX + 1; i++)
        rotator->feeds[i] = cleat_feed_unref(rotator->feeds[i]);
}
