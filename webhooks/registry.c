/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/limits.h"
#include "base/mem.h"
#include "webhooks/registry.h"

#define WEBHOOKS_TIMEOUT_MS 10000

int cleat_webhooks_new(const struct cleat_webhooks_options *options, struct cleat_webhooks **ret,
                       struct cleat_err *err)
{
    struct cleat_webhooks *webhooks = cleat_mem_zalloc(1, sizeof(*webhooks));
    if (!webhooks)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    webhooks->options = *options;
    if (!webhooks->options.clock)
        webhooks->options.clock = cleat_clock_system();
    if (webhooks->options.body_bytes_max == 0)
        webhooks->options.body_bytes_max = CLEAT_WEBHOOK_BODY_BYTES_MAX;
    if (webhooks->options.bytes_in_flight_max == 0)
        webhooks->options.bytes_in_flight_max = CLEAT_WEBHOOK_BYTES_IN_FLIGHT_MAX;
    if (webhooks->options.timeout_ms == 0)
        webhooks->options.timeout_ms = WEBHOOKS_TIMEOUT_MS;
    cleat_lock_init(&webhooks->lock, CLEAT_LOCK_WEBHOOKS);
    cleat_workspace_shelf_init(&webhooks->shelf);
    cleat_budget_init(&webhooks->budget, webhooks->options.bytes_in_flight_max,
                      CLEAT_WEBHOOK_SMALL_BYTES);
    int r = cleat_webhook_metrics_init(&webhooks->metrics, options->metrics, err);
    if (r < 0)
        cleat_webhooks_free(webhooks);
    else
        *ret = webhooks;
    return r;
}

struct cleat_webhooks *cleat_webhooks_free(struct cleat_webhooks *webhooks)
{
    if (!webhooks)
        return NULL;
    for (size_t i = 0; i < webhooks->hook_count; i++)
        cleat_mem_free(webhooks->hooks[i]);
    for (size_t i = 0; i < webhooks->converter_count; i++)
        cleat_mem_free(webhooks->converters[i]);
    cleat_webhook_metrics_fini(&webhooks->metrics);
    cleat_workspace_shelf_fini(&webhooks->shelf);
    cleat_lock_fini(&webhooks->lock);
    return cleat_mem_free(webhooks);
}

int cleat_webhook_path(enum cleat_webhook_type type, const struct cleat_gvk *kind, char *ret,
                       size_t size)
{
    int length =
        snprintf(ret, size, "/%s-%s-%s-%s", type == CLEAT_WEBHOOK_MUTATING ? "mutate" : "validate",
                 kind->group, kind->version, kind->kind);
    if (length < 0 || (size_t)length >= size)
        return -ENAMETOOLONG;
    for (char *c = ret; *c; c++)
        *c = *c == '.' ? '-' : (char)tolower((unsigned char)*c);
    return 0;
}

/* Segments of letters, digits, - and _, each behind a slash. */
static bool path_valid(const char *path)
{
    for (size_t i = 0; path[i]; i++) {
        bool word = isalnum((unsigned char)path[i]) || path[i] == '-' || path[i] == '_';
        bool slash = path[i] == '/' && path[i + 1] != '/' && path[i + 1] != '\0';
        if (i == 0 ? !slash : !word && !slash)
            return false;
    }
    return path[0] != '\0';
}

/* The hook on @path, under the lock. */
static struct cleat_webhook *webhooks_find_locked(struct cleat_webhooks *webhooks, const char *path)
{
    for (size_t i = 0; i < webhooks->hook_count; i++)
        if (strcmp(webhooks->hooks[i]->path, path) == 0)
            return webhooks->hooks[i];
    return NULL;
}

struct cleat_webhook *cleat_webhooks_find(struct cleat_webhooks *webhooks, const char *path)
{
    cleat_lock_take(&webhooks->lock);
    struct cleat_webhook *hook = webhooks_find_locked(webhooks, path);
    cleat_lock_release(&webhooks->lock);
    return hook;
}

static int webhook_new(struct cleat_webhooks *webhooks, const struct cleat_webhook_options *options,
                       struct cleat_webhook **ret, struct cleat_err *err)
{
    int r = 0;
    struct cleat_webhook *hook = cleat_mem_zalloc(1, sizeof(*hook));
    if (!hook)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    if (!options->path)
        r = cleat_webhook_path(options->type, &options->kind, hook->path, sizeof(hook->path));
    else if (strlen(options->path) >= sizeof(hook->path))
        r = -ENAMETOOLONG;
    else
        strncpy(hook->path, options->path, sizeof(hook->path) - 1);
    if (r < 0)
        r = cleat_err_set(err, r, "the webhook's path is too long");
    else if (!path_valid(hook->path))
        r = cleat_err_set(err, -EINVAL, "%s isn't a path for a webhook", hook->path);
    if (r < 0) {
        cleat_mem_free(hook);
        return r;
    }
    hook->options = *options;
    hook->options.path = hook->path;
    cleat_webhook_metrics_series(&webhooks->metrics, hook->path, &hook->series);
    cleat_webhook_metrics_expect(&webhooks->metrics, &hook->options);
    *ret = hook;
    return 0;
}

int cleat_webhooks_add(struct cleat_webhooks *webhooks, const struct cleat_webhook_options *options,
                       struct cleat_err *err)
{
    struct cleat_webhook *hook = NULL;
    int r = webhook_new(webhooks, options, &hook, err);
    if (r < 0)
        return r;
    cleat_lock_take(&webhooks->lock);
    if (webhooks_find_locked(webhooks, hook->path) || strcmp(hook->path, CLEAT_CONVERT_PATH) == 0)
        r = -EEXIST;
    else if (webhooks->hook_count == CLEAT_WEBHOOKS_MAX)
        r = -ENOBUFS;
    else
        webhooks->hooks[webhooks->hook_count++] = hook;
    cleat_lock_release(&webhooks->lock);
    if (r == -EEXIST)
        r = cleat_err_set(err, r, "there is a webhook at %s already", hook->path);
    else if (r < 0)
        r = cleat_err_set(err, r, "there are %d webhooks already", CLEAT_WEBHOOKS_MAX);
    if (r < 0)
        cleat_mem_free(hook);
    return r;
}

static struct cleat_converter *converter_find_locked(struct cleat_webhooks *webhooks,
                                                     const struct cleat_gvk *kind)
{
    for (size_t i = 0; i < webhooks->converter_count; i++)
        if (cleat_gvk_same_kind(&webhooks->converters[i]->kind, kind))
            return webhooks->converters[i];
    return NULL;
}

struct cleat_converter *cleat_webhooks_converter(struct cleat_webhooks *webhooks,
                                                 const struct cleat_gvk *kind)
{
    cleat_lock_take(&webhooks->lock);
    struct cleat_converter *converter = converter_find_locked(webhooks, kind);
    cleat_lock_release(&webhooks->lock);
    return converter;
}

int cleat_webhooks_convert(struct cleat_webhooks *webhooks, const struct cleat_gvk *kind,
                           cleat_convert_fn fn, void *arg, struct cleat_err *err)
{
    int r = 0;
    struct cleat_converter *converter = cleat_mem_zalloc(1, sizeof(*converter));
    if (!converter)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    *converter = (struct cleat_converter){*kind, fn, arg};
    cleat_lock_take(&webhooks->lock);
    if (converter_find_locked(webhooks, kind))
        r = -EEXIST;
    else if (webhooks->converter_count == CLEAT_WEBHOOKS_MAX)
        r = -ENOBUFS;
    else
        webhooks->converters[webhooks->converter_count++] = converter;
    cleat_lock_release(&webhooks->lock);
    if (r < 0) {
        cleat_mem_free(converter);
        return cleat_err_set(err, r, "the converter of %s can't be added", kind->kind);
    }
    struct cleat_webhook_series series; /* made, so that they are counted from 0 */
    cleat_webhook_metrics_series(&webhooks->metrics, CLEAT_CONVERT_PATH, &series);
    return 0;
}

struct cleat_webhook_route cleat_webhooks_route(struct cleat_webhooks *webhooks, const char *path)
{
    struct cleat_webhook_route route = {false, false};
    struct cleat_webhook *hook = cleat_webhooks_find(webhooks, path);
    if (hook) {
        route.found = true;
        route.blocking = hook->options.blocking;
    } else if (strcmp(path, CLEAT_CONVERT_PATH) == 0) {
        cleat_lock_take(&webhooks->lock);
        route.found = webhooks->converter_count > 0;
        cleat_lock_release(&webhooks->lock);
    }
    return route;
}

struct cleat_budget *cleat_webhooks_budget(struct cleat_webhooks *webhooks)
{
    return &webhooks->budget;
}
