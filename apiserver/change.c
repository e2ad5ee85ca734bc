/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/change.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "apiserver/alias.h"
#include "apiserver/protobuf.h"
#include "base/limits.h"

static int change_options(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    const struct cleat_api_request *request = change->request;
    const char *kind = strcmp(request->verb, "create") == 0  ? "CreateOptions"
                       : strcmp(request->verb, "patch") == 0 ? "PatchOptions"
                                                             : "UpdateOptions";
    struct cleat_err err = CLEAT_ERR_INIT;
    int result = cleat_document_format(&change->options, &err,
                                       "{\"kind\":\"%s\",\"apiVersion\":\"meta.k8s.io/v1\"%s}",
                                       kind, request->write.dry_run ? ",\"dryRun\":[\"All\"]" : "");
    if (result != 0)
        return cleat_api_fail_err(failure, 500, &err);
    change->operation.options = cleat_document_root(change->options);
    return 0;
}

/* The old object whole, by a draft over what the record keeps: nothing is copied. */
static int change_draft_old(struct cleat_api_change *change, struct cleat_err *err)
{
    char version[24];
    struct cleat_value value;
    const struct cleat_api_request *request = change->request;
    struct cleat_document *document = change->old->document;
    snprintf(version, sizeof(version), "%" PRIu64, change->old->version);
    int result = cleat_draft_new(cleat_document_root(document), &change->old_draft, err);
    if (result == 0)
        result = cleat_draft_set_text(change->old_draft, "metadata.resourceVersion", version, err);
    if (result == 0)
        result = cleat_draft_set_text(change->old_draft, "apiVersion", request->api_version, err);
    if (result == 0)
        result = cleat_draft_set_text(change->old_draft, "kind", request->resource->kind, err);
    if (result == 0)
        result = cleat_draft_freeze(change->old_draft, &value, err);
    if (result == 0)
        change->operation.old = value;
    return result;
}

static int change_open_old(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_api_request *request = change->request;
    struct cleat_api_record *view = NULL;
    int result = 0;
    if (change->old->document && !request->resource->alias) {
        result = change_draft_old(change, &err);
    } else {
        result = cleat_api_alias_view(request->resource, change->old, &view, &err);
        if (result == 0)
            result = cleat_api_record_whole(view, request->api_version, request->resource->kind,
                                            &change->old_whole, &err);
        if (result == 0)
            change->operation.old = cleat_document_root(change->old_whole);
        (void)cleat_api_record_unref(view);
    }
    return result == 0 ? 0 : cleat_api_fail_err(failure, 500, &err);
}

int cleat_api_change_init(struct cleat_api_change *change, struct cleat_api_request *request,
                          const char *operation, struct cleat_api_record *old,
                          struct cleat_api_failure *failure)
{
    *change = (struct cleat_api_change){.request = request, .old = old};
    change->operation = (struct cleat_api_operation){
        .request = request,
        .resource = request->resource,
        .version = request->version,
        .name = operation,
        .namespace_ = request->namespace_,
        .object_name = request->name,
        .subresource = request->subresource,
        .dry_run = request->write.dry_run,
    };
    int result = old ? change_open_old(change, failure) : 0;
    if (result != 0)
        return result;
    return change_options(change, failure);
}

void cleat_api_change_fini(struct cleat_api_change *change)
{
    change->old_draft = cleat_draft_free(change->old_draft);
    change->old = cleat_api_record_unref(change->old);
    change->old_whole = cleat_document_unref(change->old_whole);
    change->object = cleat_document_unref(change->object);
    change->options = cleat_document_unref(change->options);
}

struct cleat_value cleat_api_change_object(const struct cleat_api_change *change)
{
    return change->object ? cleat_document_root(change->object) : CLEAT_VALUE_NONE;
}

struct cleat_value cleat_api_change_old(const struct cleat_api_change *change)
{
    return change->operation.old;
}

int cleat_api_document_of(struct cleat_draft *draft, struct cleat_document **ret,
                          struct cleat_err *err)
{
    struct cleat_value root;
    int result = cleat_draft_freeze(draft, &root, err);
    return result == 0 ? cleat_document_copy(root, ret, err) : result;
}

void cleat_api_change_take(struct cleat_api_change *change, struct cleat_document *object)
{
    (void)cleat_document_unref(change->object);
    change->object = object;
}

static int body_unknown(struct cleat_api_failure *failure, const char *why)
{
    return cleat_api_fail(failure, 415, NULL,
                          "the body of the request was in an unknown format - accepted media types "
                          "include: application/json%s%s",
                          why[0] ? ": " : "", why);
}

static int body_parse_protobuf(struct cleat_str body, struct cleat_document **ret,
                               struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
    int result = cleat_api_protobuf_decode(body, &json, &err);
    if (result == -EOPNOTSUPP)
        result = body_unknown(failure, err.text);
    else if (result == 0)
        result = cleat_document_parse(cleat_buffer_view(&json), ret, &err);
    cleat_buffer_fini(&json);
    return result == 0
               ? 0
               : cleat_api_fail(failure, 400, NULL, "unable to decode: %s", cleat_err_text(&err));
}

int cleat_api_body_parse(const struct cleat_api_request *request, struct cleat_document **ret,
                         struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const char *type = request->http->content_type;
    if (cleat_api_protobuf_is(type))
        return body_parse_protobuf(request->http->body, ret, failure);
    if (type && type[0] && strncasecmp(type, "application/json", 16) != 0 &&
        strncmp(type, "*/*", 3) != 0)
        return body_unknown(failure, "");
    if (cleat_document_parse(request->http->body, ret, &err) != 0)
        return cleat_api_fail(failure, 400, NULL, "unable to decode: %s", cleat_err_text(&err));
    return 0;
}

static int body_check_kind(const struct cleat_api_request *request, struct cleat_value root,
                           struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch;
    const struct cleat_api_resource *resource = request->resource;
    struct cleat_str kind = cleat_value_text(cleat_value_get(root, "kind"), &scratch);
    bool scale = cleat_str_is(request->subresource, "scale");
    if (kind.length && !cleat_str_is(kind, scale ? "Scale" : resource->kind))
        return cleat_api_fail(failure, 400, NULL,
                              "%.*s in version \"%s\" cannot be handled as a %s: the kind of the "
                              "body doesn't match the resource",
                              CLEAT_STR_ARG(kind), request->api_version, resource->kind);
    if (!kind.length && (resource->flags & CLEAT_API_CUSTOM))
        return cleat_api_fail(failure, 400, NULL, "Object 'Kind' is missing in the body");
    struct cleat_str version = cleat_value_text(cleat_value_get(root, "apiVersion"), &scratch);
    if (!scale && version.length && !cleat_str_is(version, request->api_version))
        return cleat_api_fail(failure, 400, NULL,
                              "the API version in the data (%.*s) does not match the expected API "
                              "version (%s)",
                              CLEAT_STR_ARG(version), request->api_version);
    return 0;
}

int cleat_api_body(const struct cleat_api_request *request, struct cleat_document **ret,
                   struct cleat_api_failure *failure)
{
    struct cleat_document *document = NULL;
    if (!request->http->body.length)
        return cleat_api_fail(failure, 400, NULL, "unable to decode: the body is empty");
    int result = cleat_api_body_parse(request, &document, failure);
    if (result != 0)
        return result;
    struct cleat_value root = cleat_document_root(document);
    if (cleat_value_type(root) != CLEAT_TYPE_OBJECT)
        result = cleat_api_fail(failure, 400, NULL, "unable to decode: the body isn't an object");
    if (result == 0)
        result = body_check_kind(request, root, failure);
    if (result == 0)
        *ret = document;
    else
        (void)cleat_document_unref(document);
    return result;
}

int cleat_api_change_edit(struct cleat_api_change *change,
                          int (*edit)(struct cleat_api_change *change, struct cleat_draft *draft,
                                      struct cleat_err *err),
                          struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *next = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int result = cleat_draft_new(cleat_api_change_object(change), &draft, &err);
    if (result == 0)
        result = edit(change, draft, &err);
    if (result == 0)
        result = cleat_api_document_of(draft, &next, &err);
    if (result != 0)
        return cleat_api_fail_err(failure, result == -ENOMEM ? 500 : 400, &err);
    draft = cleat_draft_free(draft); /* before its base goes */
    cleat_api_change_take(change, next);
    return 0;
}

int cleat_api_change_prepare(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    struct cleat_api_server *server = change->request->server;
    struct cleat_document *next = NULL;
    if (!server->hooks.prepare)
        return 0;
    int result = server->hooks.prepare(server, &change->operation, cleat_api_change_object(change),
                                       &next, failure);
    if (result == 0 && next)
        cleat_api_change_take(change, next);
    return result;
}

int cleat_api_change_mutate(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    struct cleat_api_server *server = change->request->server;
    struct cleat_document *next = NULL;
    if (!server->hooks.mutate)
        return 0;
    int result = server->hooks.mutate(server, &change->operation, cleat_api_change_object(change),
                                      &next, failure);
    if (result != 0 || !next)
        return result;
    cleat_api_change_take(change, next);
    change->operation.mutated = true;
    return cleat_api_change_prepare(change, failure);
}

int cleat_api_change_validate(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    struct cleat_api_server *server = change->request->server;
    struct cleat_value object = cleat_api_change_object(change);
    int result = 0;
    if (server->hooks.check && strcmp(change->operation.name, "DELETE") != 0)
        result = server->hooks.check(server, &change->operation, object, failure);
    if (result == 0 && server->hooks.validate)
        result = server->hooks.validate(server, &change->operation, object, failure);
    return result;
}

static int change_record(const struct cleat_api_change *change, struct cleat_api_record **ret,
                         struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_api_alias *alias = change->request->resource->alias;
    struct cleat_document *encoded = NULL;
    int result = alias ? alias->encode(cleat_api_change_object(change), &encoded, &err) : 0;
    if (result == 0)
        result = cleat_api_record_of(encoded ? encoded : change->object, ret, &err);
    (void)cleat_document_unref(encoded);
    return result == 0 ? 0 : cleat_api_fail_err(failure, result == -ENOMEM ? 500 : 400, &err);
}

/* What a dry run shows: the object with the version that is there now. */
static int change_pretend(const struct cleat_api_change *change, struct cleat_api_record *new,
                          struct cleat_api_record **ret, struct cleat_api_failure *failure)
{
    int result =
        cleat_api_record_at(new ? new : change->old, change->old ? change->old->version : 0, ret);
    return result == 0 ? 0 : cleat_api_fail(failure, 500, NULL, "no memory for an object");
}

static int change_store(struct cleat_api_change *change, struct cleat_api_record *new,
                        struct cleat_api_record **ret, struct cleat_api_failure *failure)
{
    struct cleat_api_server *server = change->request->server;
    struct cleat_api_resource *resource = change->request->resource;
    int result =
        cleat_api_registry_commit(&server->registry, resource, change->old, new, !change->old, ret);
    if (result < 0)
        return cleat_api_fail(failure, 500, NULL, "the object can't be stored: %s",
                              strerror(-result));
    if (result == 0)
        cleat_api_server_changed(server, resource, change->old, new ? *ret : NULL);
    return result;
}

int cleat_api_change_commit(struct cleat_api_change *change, bool remove,
                            struct cleat_api_record **ret, struct cleat_api_failure *failure)
{
    struct cleat_api_record *new = NULL;
    int result = remove && !change->object ? 0 : change_record(change, &new, failure);
    if (result != 0)
        return result;
    if (change->operation.dry_run)
        result = change_pretend(change, new, ret, failure);
    else
        result = change_store(change, remove ? NULL : new, ret, failure);
    (void)cleat_api_record_unref(new);
    return result;
}
