/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/put.h"

#include <cleat/draft.h>
#include <cleat/path.h>
#include <cleat/time.h>
#include <errno.h>

static int put_resource(struct cleat_api_server *server, struct cleat_value object,
                        struct cleat_api_resource **ret, struct cleat_err *err)
{
    struct cleat_gvk gvk;
    struct cleat_scratch scratch[2];
    int result =
        cleat_gvk_parse(&gvk, cleat_value_text(cleat_value_get(object, "apiVersion"), &scratch[0]),
                        cleat_value_text(cleat_value_get(object, "kind"), &scratch[1]), err);
    if (result != 0)
        return result;
    *ret = cleat_api_registry_find_kind(&server->registry, cleat_str_of(gvk.group),
                                        cleat_str_of(gvk.kind));
    return *ret ? 0
                : cleat_err_set(err, -ENOENT, "%s %s: no such kind is served", gvk.group, gvk.kind);
}

static bool put_lacks(struct cleat_value object, const char *path)
{
    return cleat_value_type(cleat_value_find(object, path)) != CLEAT_TYPE_STRING;
}

static int put_stamp(struct cleat_api_server *server, const struct cleat_api_resource *resource,
                     struct cleat_value object, struct cleat_draft *draft, struct cleat_err *err)
{
    char uid[37];
    char now[CLEAT_TIME_BYTES];
    bool counts = (resource->flags & (CLEAT_API_GENERATION | CLEAT_API_CUSTOM)) != 0;
    cleat_clock_uuid(server->clock, uid);
    (void)cleat_time_write(cleat_clock_wall_ms(server->clock), now);
    int result = 0;
    if (put_lacks(object, "metadata.uid"))
        result = cleat_draft_set_text(draft, "metadata.uid", uid, err);
    if (result == 0 && put_lacks(object, "metadata.creationTimestamp"))
        result = cleat_draft_set_text(draft, "metadata.creationTimestamp", now, err);
    if (result == 0 && counts &&
        !cleat_value_is_present(cleat_value_find(object, "metadata.generation")))
        result = cleat_draft_set_int(draft, "metadata.generation", 1, err);
    if (result == 0 && (resource->flags & CLEAT_API_NAMESPACED) &&
        put_lacks(object, "metadata.namespace"))
        result = cleat_draft_set_text(draft, "metadata.namespace", "default", err);
    return result;
}

static int put_namespace(struct cleat_api_server *server, struct cleat_str name,
                         struct cleat_err *err)
{
    struct cleat_document *document = NULL;
    struct cleat_api_record *there =
        cleat_api_registry_get(&server->registry, server->registry.namespaces, CLEAT_STR(""), name);
    if (there || !name.length) {
        (void)cleat_api_record_unref(there);
        return 0;
    }
    int result = cleat_document_format(
        &document, err,
        "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%.*s\",\"labels\":{"
        "\"kubernetes.io/metadata.name\":\"%.*s\"}},\"spec\":{\"finalizers\":[\"kubernetes\"]},"
        "\"status\":{\"phase\":\"Active\"}}",
        CLEAT_STR_ARG(name), CLEAT_STR_ARG(name));
    if (result == 0)
        result = cleat_api_put(server, cleat_document_root(document), true, err);
    (void)cleat_document_unref(document);
    return result;
}

static int put_store(struct cleat_api_server *server, struct cleat_api_resource *resource,
                     struct cleat_api_record *record, struct cleat_err *err)
{
    int result = CLEAT_API_COMMIT_CHANGED;
    while (result == CLEAT_API_COMMIT_CHANGED) {
        struct cleat_api_record *stored = NULL;
        struct cleat_api_record *old =
            cleat_api_registry_get(&server->registry, resource, record->namespace_, record->name);
        result =
            cleat_api_registry_commit(&server->registry, resource, old, record, false, &stored);
        if (result == 0)
            cleat_api_server_changed(server, resource, old, stored);
        (void)cleat_api_record_unref(stored);
        (void)cleat_api_record_unref(old);
    }
    return result == 0 ? 0 : cleat_err_set(err, result, "%s: can't be stored", record->key);
}

int cleat_api_put(struct cleat_api_server *server, struct cleat_value object, bool keep_document,
                  struct cleat_err *err)
{
    struct cleat_api_resource *resource = NULL;
    struct cleat_api_record *record = NULL;
    struct cleat_value root;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int result = put_resource(server, object, &resource, err);
    if (result == 0)
        result = cleat_draft_new(object, &draft, err);
    if (result == 0)
        result = put_stamp(server, resource, object, draft, err);
    if (result == 0)
        result = cleat_draft_freeze(draft, &root, err);
    if (result == 0)
        result = cleat_api_record_new(root, keep_document, &record, err);
    if (result == 0)
        result = put_namespace(server, record->namespace_, err);
    if (result == 0)
        result = put_store(server, resource, record, err);
    (void)cleat_api_record_unref(record);
    (void)cleat_api_resource_unref(resource);
    return result;
}
