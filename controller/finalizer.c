/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finalizers as a table of keys and functions. They are written by a merge patch of the whole list
 * with the object's resourceVersion, so that a list that somebody else changed meanwhile is a
 * conflict, never an overwrite.
 */
#include <cleat/reconcile.h>

#include <errno.h>

#include <cleat/owner.h>
#include <cleat/write.h>

#include "base/check.h"
#include "base/limits.h"

#define FINALIZERS_MAX 64

static bool key_dropped(struct cleat_str key, const struct cleat_finalizer *finalizers,
                        size_t count, uint64_t dropped)
{
    for (size_t i = 0; i < count; i++)
        if ((dropped >> i & 1) && cleat_str_is(key, finalizers[i].key))
            return true;
    return false;
}

/* Writes the list as it shall be: without @dropped, with @added (bits by place in the table). */
static void list_write(struct cleat_buffer *buffer, struct cleat_value list,
                       const struct cleat_finalizer *finalizers, size_t count, uint64_t added,
                       uint64_t dropped)
{
    struct cleat_scratch scratch;
    const char *comma = "";
    cleat_buffer_byte(buffer, '[');
    for (size_t i = 0; i < cleat_value_count(list); i++) {
        struct cleat_str key = cleat_value_text(cleat_value_at(list, i), &scratch);
        if (!key_dropped(key, finalizers, count, dropped)) {
            cleat_buffer_text(buffer, comma);
            cleat_write_string(buffer, key);
            comma = ",";
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (added >> i & 1) {
            cleat_buffer_text(buffer, comma);
            cleat_write_string(buffer, cleat_str_of(finalizers[i].key));
            comma = ",";
        }
    }
    cleat_buffer_byte(buffer, ']');
}

static int list_patch(const struct cleat_context *context, const struct cleat_client_target *target,
                      struct cleat_object *object, const struct cleat_finalizer *finalizers,
                      size_t count, uint64_t added, uint64_t dropped, struct cleat_err *err)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(CLEAT_OBJECT_BYTES_MAX);
    const struct cleat_client_call call = {.deadline_mono_ms = context->deadline_mono_ms};
    struct cleat_value list = cleat_object_find(object, "metadata.finalizers");
    cleat_buffer_text(&body, "{\"metadata\":{\"resourceVersion\":");
    cleat_write_string(&body, cleat_object_resource_version(object));
    cleat_buffer_text(&body, ",\"finalizers\":");
    list_write(&body, list, finalizers, count, added, dropped);
    cleat_buffer_text(&body, "}}");
    int rc = body.failed;
    if (rc < 0) {
        rc = cleat_err_set(err, rc, "finalizers of %s", target->name);
    } else {
        rc = cleat_client_patch(context->client, target, CLEAT_PATCH_MERGE,
                                cleat_buffer_view(&body), &call, NULL, err);
    }
    cleat_buffer_fini(&body);
    return rc;
}

static int finalize_alive(const struct cleat_context *context,
                          const struct cleat_client_target *target, struct cleat_object *object,
                          const struct cleat_finalizer *finalizers, size_t count,
                          struct cleat_err *err)
{
    struct cleat_value root = cleat_object_value(object);
    uint64_t added = 0;
    for (size_t i = 0; i < count; i++)
        if (!cleat_finalizer_has(root, finalizers[i].key))
            added |= UINT64_C(1) << i;
    if (added == 0)
        return 0;
    int rc = list_patch(context, target, object, finalizers, count, added, 0, err);
    return rc < 0 ? rc : 1;
}

static int finalize_deleting(const struct cleat_context *context,
                             const struct cleat_client_target *target, struct cleat_object *object,
                             const struct cleat_finalizer *finalizers, size_t count,
                             struct cleat_err *err)
{
    struct cleat_value root = cleat_object_value(object);
    uint64_t dropped = 0;
    int waiting = 0;
    int failed = 0;
    /* One that fails keeps the others from nothing. */
    for (size_t i = 0; i < count; i++) {
        if (!cleat_finalizer_has(root, finalizers[i].key))
            continue;
        int rc = finalizers[i].fn ? finalizers[i].fn(finalizers[i].arg, context, object, err) : 0;
        if (rc == 0)
            dropped |= UINT64_C(1) << i;
        else if (rc > 0)
            waiting = 1;
        else if (failed == 0)
            failed = cleat_err_set(err, rc, "finalizer %s of %s", finalizers[i].key, target->name);
    }
    int rc = dropped ? list_patch(context, target, object, finalizers, count, 0, dropped, err) : 0;
    if (failed < 0 || rc < 0)
        return failed < 0 ? failed : rc;
    return dropped || waiting ? 1 : 0;
}

int cleat_finalize(const struct cleat_context *context, const struct cleat_client_target *target,
                   struct cleat_object *object, const struct cleat_finalizer *finalizers,
                   size_t count, struct cleat_err *err)
{
    struct cleat_value list = cleat_object_find(object, "metadata.finalizers");
    cleat_assert(count <= FINALIZERS_MAX);
    if (cleat_value_type(list) == CLEAT_TYPE_NOT_KEPT) {
        return cleat_err_set(err, -ENODATA, "%s %s: metadata.finalizers isn't kept by its feed",
                             target->resource->gvk.kind, target->name);
    }
    return cleat_object_deleting(object)
               ? finalize_deleting(context, target, object, finalizers, count, err)
               : finalize_alive(context, target, object, finalizers, count, err);
}
