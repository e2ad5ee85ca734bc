/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/builder.h>

/* The resource of "Kind" or "Kind.group". */
static int builder_resource(struct cleat_manager *manager, const char *kind,
                            struct cleat_resource *ret, struct cleat_err *err)
{
    struct cleat_gvk gvk;
    char name[CLEAT_KIND_BYTES_MAX];
    struct cleat_discovery *discovery = cleat_manager_discovery(manager);
    const char *dot = strchr(kind, '.');
    int r;
    if (dot) {
        snprintf(name, sizeof(name), "%.*s", (int)(dot - kind), kind);
        r = cleat_gvk_make(&gvk, dot + 1, "", name);
        if (r == 0)
            r = cleat_discovery_kind(discovery, &gvk, ret, err);
    } else {
        r = cleat_discovery_find(discovery, kind, ret, err);
    }
    return r > 0 ? cleat_err_set(err, -ENOENT, "kind %s isn't served", kind) : r;
}

static int builder_watch(struct cleat_manager *manager, struct cleat_controller *controller,
                         const struct cleat_builder_watch *watch, enum cleat_watch_type type,
                         const struct cleat_resource *owner, struct cleat_err *err)
{
    struct cleat_watch_options options = {.type = type,
                                          .feed = {.namespace_ = watch->namespace_,
                                                   .label_selector = watch->label_selector,
                                                   .field_selector = watch->field_selector,
                                                   .projection = watch->projection,
                                                   .metadata_only = watch->metadata_only},
                                          .map = watch->map,
                                          .map_arg = watch->map_arg,
                                          .predicate = watch->predicate};
    int r = builder_resource(manager, watch->kind, &options.feed.resource, err);
    if (r == 0 && owner)
        options.owner = *owner;
    return r == 0 ? cleat_controller_watch(controller, &options, NULL, err) : r;
}

static int builder_check(const struct cleat_builder *builder, struct cleat_err *err)
{
    const struct cleat_builder_watch *watches = builder->watches;
    const char *name = builder->options.name ? builder->options.name : builder->reconciles.kind;
    bool owns = builder->owns && builder->owns[0].kind;
    if (!name)
        return cleat_err_set(err, -EINVAL, "a controller without a reconciled kind needs a name");
    if (!builder->reconciles.kind && owns)
        return cleat_err_set(err, -EINVAL, "controller %s: owned kinds need a reconciled kind",
                             name);
    if (!builder->reconciles.kind && !(watches && watches[0].kind))
        return cleat_err_set(err, -EINVAL, "controller %s: there is nothing to watch", name);
    for (size_t i = 0; watches && watches[i].kind; i++)
        if (!watches[i].map)
            return cleat_err_set(err, -EINVAL, "controller %s: the watch of %s has no map", name,
                                 watches[i].kind);
    return 0;
}

static int builder_watches(struct cleat_manager *manager, struct cleat_controller *controller,
                           const struct cleat_builder *builder, struct cleat_err *err)
{
    struct cleat_resource owner;
    const struct cleat_builder_watch *watch;
    int r = 0;
    if (builder->reconciles.kind) {
        r = builder_resource(manager, builder->reconciles.kind, &owner, err);
        if (r == 0)
            r = builder_watch(manager, controller, &builder->reconciles, CLEAT_WATCH_FOR, NULL,
                              err);
    }
    for (watch = builder->owns; r == 0 && watch && watch->kind; watch++)
        r = builder_watch(manager, controller, watch,
                          watch->any_owner ? CLEAT_WATCH_OWNED_BY_ANY : CLEAT_WATCH_OWNS, &owner,
                          err);
    for (watch = builder->watches; r == 0 && watch && watch->kind; watch++)
        r = builder_watch(manager, controller, watch, CLEAT_WATCH_MAPPED, NULL, err);
    return r;
}

int cleat_build(struct cleat_manager *manager, const struct cleat_builder *builder,
                struct cleat_controller **ret, struct cleat_err *err)
{
    char name[CLEAT_KIND_BYTES_MAX + CLEAT_GROUP_BYTES_MAX];
    struct cleat_controller *controller = NULL;
    struct cleat_controller_options options = builder->options;
    int r = builder_check(builder, err);
    if (r < 0)
        return r;
    if (!options.name) {
        snprintf(name, sizeof(name), "%s", builder->reconciles.kind);
        for (char *c = name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        options.name = name;
    }
    r = cleat_controller_new(manager, &options, &controller, err);
    if (r == 0)
        r = builder_watches(manager, controller, builder, err);
    if (r == 0 && ret)
        *ret = controller;
    return r;
}

int cleat_manager_open(const struct cleat_manager_options *options, struct cleat_manager **ret,
                       struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    const struct cleat_kubeconfig_options config_options = {.path = NULL};
    struct cleat_manager_options manager_options = {.client = NULL};
    struct cleat_client_options client_options = {.field_manager = NULL};
    struct cleat_manager *manager = NULL;
    if (options)
        manager_options = *options;
    int r = cleat_kubeconfig_load(&config_options, &config, err);
    if (r < 0)
        return r;
    client_options.config = config;
    client_options.log = manager_options.log;
    r = cleat_client_new(&client_options, &manager_options.client, err);
    if (r == 0)
        r = cleat_manager_new(&manager_options, &manager, err);
    cleat_client_unref(manager_options.client);
    if (r == 0)
        r = cleat_manager_signals(manager, err);
    if (r < 0)
        cleat_manager_free(manager);
    else
        *ret = manager;
    return r;
}
