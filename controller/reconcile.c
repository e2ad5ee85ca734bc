/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/reconcile.h>

#include <errno.h>

#include <cleat/patch.h>
#include <cleat/write.h>

#include "base/limits.h"

static struct cleat_client_call reconcile_call(const struct cleat_context *context)
{
    return (struct cleat_client_call){.deadline_mono_ms = context->deadline_mono_ms};
}

/* What a new object has to begin with. */
static int apply_begin(const struct cleat_client_target *target, struct cleat_draft **ret,
                       struct cleat_err *err)
{
    char api_version[CLEAT_API_VERSION_BYTES_MAX];
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    const struct cleat_gvk *gvk = &target->resource->gvk;
    int rc = cleat_draft_new(CLEAT_VALUE_NONE, &draft, err);
    if (rc == 0) {
        rc =
            cleat_draft_set_text(draft, "apiVersion", cleat_gvk_api_version(gvk, api_version), err);
    }
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "kind", gvk->kind, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "metadata.name", target->name, err);
    if (rc == 0 && target->namespace_ && target->namespace_[0])
        rc = cleat_draft_set_text(draft, "metadata.namespace", target->namespace_, err);
    if (rc == 0) {
        *ret = draft;
        draft = NULL;
    }
    return rc;
}

static bool apply_same(struct cleat_value root, const char *path, const char *wanted)
{
    struct cleat_scratch scratch;
    return cleat_str_is(cleat_value_text(cleat_value_find(root, path), &scratch),
                        wanted ? wanted : "");
}

static int apply_mutate(const struct cleat_client_target *target, cleat_mutate_fn mutate, void *arg,
                        struct cleat_draft *draft, struct cleat_err *err)
{
    int rc = mutate(arg, draft, err);
    if (rc < 0)
        return rc;
    struct cleat_value root = CLEAT_VALUE_NONE;
    rc = cleat_draft_freeze(draft, &root, err);
    if (rc == 0 && (!apply_same(root, "metadata.name", target->name) ||
                    !apply_same(root, "metadata.namespace", target->namespace_))) {
        rc = cleat_err_set(err, -EINVAL, "%s %s/%s: the name or namespace was changed",
                           target->resource->gvk.kind, target->namespace_ ? target->namespace_ : "",
                           target->name);
    }
    return rc;
}

static int apply_create(const struct cleat_context *context,
                        const struct cleat_client_target *target, cleat_mutate_fn mutate, void *arg,
                        struct cleat_object **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_client_call call = reconcile_call(context);
    struct cleat_client_target collection = *target;
    collection.name = NULL;
    int rc = apply_begin(target, &draft, err);
    if (rc == 0)
        rc = apply_mutate(target, mutate, arg, draft, err);
    if (rc == 0) {
        rc = cleat_client_create(context->client, &collection, cleat_draft_value(draft), &call, ret,
                                 err);
    }
    return rc < 0 ? rc : CLEAT_APPLY_CREATED;
}

static int apply_update(const struct cleat_context *context,
                        const struct cleat_client_target *target, struct cleat_object *object,
                        cleat_mutate_fn mutate, void *arg, struct cleat_object **ret,
                        struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_client_call call = reconcile_call(context);
    int rc = cleat_draft_new(cleat_object_value(object), &draft, err);
    if (rc == 0)
        rc = apply_mutate(target, mutate, arg, draft, err);
    if (rc < 0)
        return rc;
    if (!cleat_draft_changed(draft)) {
        if (ret)
            *ret = cleat_object_ref(object);
        return CLEAT_APPLY_UNCHANGED;
    }
    rc = cleat_client_update_draft(context->client, target, object, draft, &call, ret, err);
    return rc < 0 ? rc : CLEAT_APPLY_UPDATED;
}

int cleat_create_or_update(const struct cleat_context *context,
                           const struct cleat_client_target *target, cleat_mutate_fn mutate,
                           void *arg, struct cleat_object **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *object = NULL;
    struct cleat_client_call call = reconcile_call(context);
    struct cleat_err missing = CLEAT_ERR_INIT;
    int rc = cleat_client_get(context->client, target, &call, &object, &missing);
    if (rc == -ENOENT)
        return apply_create(context, target, mutate, arg, ret, err);
    if (rc < 0) {
        if (err && err->code == 0)
            *err = missing;
        return rc;
    }
    return apply_update(context, target, object, mutate, arg, ret, err);
}

/* The merge patch of a status: what isn't there before is written whole, what isn't there any more
 * is null. */
static int status_diff(struct cleat_buffer *buffer, struct cleat_value from, struct cleat_value to,
                       struct cleat_err *err)
{
    if (!cleat_value_is_present(to)) {
        cleat_buffer_text(buffer, "null");
        return 0;
    }
    if (cleat_value_type(from) != CLEAT_TYPE_OBJECT || cleat_value_type(to) != CLEAT_TYPE_OBJECT)
        return cleat_write_json(buffer, to, err);
    return cleat_patch_merge_diff(from, to, buffer, err);
}

int cleat_update_status(const struct cleat_context *context,
                        const struct cleat_client_target *target, const struct cleat_object *object,
                        struct cleat_draft *draft, struct cleat_err *err)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(CLEAT_OBJECT_BYTES_MAX);
    struct cleat_client_target status = *target;
    struct cleat_client_call call = reconcile_call(context);
    struct cleat_value root = CLEAT_VALUE_NONE;
    status.subresource = "status";
    int rc = cleat_draft_freeze(draft, &root, err);
    if (rc < 0)
        return rc;
    struct cleat_value from = cleat_object_find(object, "status");
    struct cleat_value to = cleat_value_get(root, "status");
    if (cleat_value_equal(from, to))
        return 0;
    cleat_buffer_text(&body, "{\"metadata\":{\"resourceVersion\":");
    cleat_write_string(&body, cleat_object_resource_version(object));
    cleat_buffer_text(&body, "},\"status\":");
    rc = status_diff(&body, from, to, err);
    cleat_buffer_byte(&body, '}');
    if (rc == 0 && body.failed)
        rc = cleat_err_set(err, body.failed, "status of %s: too large", target->name);
    if (rc == 0) {
        rc = cleat_client_patch(context->client, &status, CLEAT_PATCH_MERGE,
                                cleat_buffer_view(&body), &call, NULL, err);
    }
    cleat_buffer_fini(&body);
    return rc;
}
