/* SPDX-License-Identifier: Apache-2.0 */
/* A controller: each Namespace with the label "team" gets a ConfigMap "welcome" that says which. */
#include <stdio.h>
#include <cleat/cleat.h>

static const struct cleat_resource config_maps = {
    .gvk = {"", "v1", "ConfigMap"}, .plural = "configmaps", .namespaced = true};
static const struct cleat_gvk namespace_kind = {"", "v1", "Namespace"};

static int welcome(void *arg, struct cleat_draft *draft, struct cleat_err *err)
{
    struct cleat_object *owner = arg;
    int r = cleat_owner_set_controller(draft, owner, false, err);
    return r < 0 ? r
                 : cleat_draft_set(draft, "data.team",
                                   cleat_object_find(owner, "metadata.labels.team"), err);
}

static int reconcile(void *arg, const struct cleat_context *context,
                     const struct cleat_request *request, struct cleat_result *result,
                     struct cleat_err *err)
{
    struct cleat_store *namespaces = cleat_cache_store(context->cache, &namespace_kind);
    struct cleat_client_target target = {&config_maps, request->name, "welcome", NULL};
    struct cleat_object *owner = NULL;
    if (cleat_store_lookup(namespaces, CLEAT_STR(""), cleat_str_of(request->name), &owner) != 0)
        return 0; /* gone, or nobody's any more */
    int r = cleat_create_or_update(context, &target, welcome, owner, NULL, err);
    cleat_object_unref(owner);
    return r < 0 ? r : 0;
}

int main(void)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_manager *manager = NULL;
    const struct cleat_builder builder = {
        .options = {.name = "welcome", .reconcile = reconcile},
        .reconciles = {.kind = "Namespace", .label_selector = "team"},
        .owns = (const struct cleat_builder_watch[]){{.kind = "ConfigMap"}, {.kind = NULL}},
    };
    int r = cleat_manager_open(NULL, &manager, &err);
    if (r == 0)
        r = cleat_build(manager, &builder, NULL, &err);
    if (r == 0)
        r = cleat_manager_run(manager, &err); /* until SIGTERM or SIGINT */
    if (r < 0)
        fprintf(stderr, "controller: %s\n", cleat_err_text(&err));
    cleat_manager_free(manager);
    return r < 0;
}
