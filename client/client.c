/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's life and the verbs on single objects.
 */
#include "client/client.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

#define CLIENT_MAGIC 0xc11e4701u
#define CLIENT_PATH_BYTES_MAX (32 * CLEAT_KIB)
#define CLIENT_NAMES_MAX 3

static const struct cleat_client_call client_no_call;

static struct cleat_client *client_alloc(struct cleat_transport *transport,
                                         const char *field_manager)
{
    struct cleat_client *client = cleat_mem_zalloc(1, sizeof(*client));
    char *manager = cleat_mem_strdup(field_manager ? field_manager : "cleat");
    if (!client || !manager) {
        cleat_mem_free(client);
        cleat_mem_free(manager);
        return NULL;
    }
    client->magic = CLIENT_MAGIC;
    atomic_init(&client->refs, 1);
    client->transport = transport;
    client->field_manager = manager;
    return client;
}

int cleat_client_new(const struct cleat_client_options *options, struct cleat_client **ret,
                     struct cleat_err *err)
{
    if (!options->config || !options->config->server)
        return cleat_err_set(err, -EINVAL, "client: no server configured");
    struct cleat_transport *transport = NULL;
    int result = cleat_transport_new(options, &transport, err);
    if (result < 0)
        return result;
    struct cleat_client *client = client_alloc(transport, options->field_manager);
    if (!client) {
        cleat_transport_unref(transport);
        return -ENOMEM;
    }
    client->clock = options->clock ? options->clock : cleat_clock_system();
    client->log = options->log;
    client->dry_run = options->dry_run;
    client->fence = options->fence;
    client->fence_arg = options->fence_arg;
    *ret = client;
    return 0;
}

int cleat_client_fenced(struct cleat_client *client, int (*fence)(void *, bool, struct cleat_err *),
                        void *arg, struct cleat_client **ret)
{
    cleat_assert(client->magic == CLIENT_MAGIC);
    struct cleat_client *other = client_alloc(client->transport, client->field_manager);
    if (!other)
        return -ENOMEM;
    (void)cleat_transport_ref(client->transport);
    other->clock = client->clock;
    other->log = client->log;
    other->dry_run = client->dry_run;
    other->fence = fence;
    other->fence_arg = arg;
    *ret = other;
    return 0;
}

void cleat_client_abort(struct cleat_client *client, bool aborted)
{
    cleat_assert(client->magic == CLIENT_MAGIC);
    atomic_store_explicit(&client->aborted, aborted, memory_order_relaxed);
}

struct cleat_client *cleat_client_ref(struct cleat_client *client)
{
    cleat_assert(client->magic == CLIENT_MAGIC);
    /* Relaxed: whoever hands the reference on orders it. */
    (void)atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
    return client;
}

struct cleat_client *cleat_client_unref(struct cleat_client *client)
{
    if (!client)
        return NULL;
    cleat_assert(client->magic == CLIENT_MAGIC);
    /* Acquire-release: the last one sees what all others did. */
    if (atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) == 1) {
        client->magic = 0;
        cleat_transport_unref(client->transport);
        cleat_mem_free(client->field_manager);
        cleat_mem_free(client);
    }
    return NULL;
}

const char *cleat_client_server(const struct cleat_client *client)
{
    return cleat_transport_server(client->transport);
}

struct cleat_transport *cleat__client_transport(const struct cleat_client *client)
{
    return client->transport;
}

int cleat__client_fence(const struct cleat_client *client, bool write, struct cleat_err *err)
{
    return client->fence ? client->fence(client->fence_arg, write, err) : 0;
}

void cleat__client_send_init(struct client_send *send, const char *method,
                             const struct cleat_client_call *call)
{
    *send = (struct client_send){
        .method = method,
        .path = CLEAT_BUFFER_INIT(CLIENT_PATH_BYTES_MAX),
        .body = CLEAT_BUFFER_INIT(CLEAT_OBJECT_BYTES_MAX),
        .deadline_mono_ms = call ? call->deadline_mono_ms : 0,
    };
}

void cleat__client_send_fini(struct client_send *send)
{
    cleat_buffer_fini(&send->path);
    if (send->body.data)
        cleat_mem_wipe(send->body.data, send->body.length);
    cleat_buffer_fini(&send->body);
}

void cleat__client_request(const struct cleat_client *client, const struct client_send *send,
                           struct cleat_transport_request *ret)
{
    *ret = (struct cleat_transport_request){
        .method = send->method,
        .path = send->path.data,
        .body = send->raw.length > 0 ? send->raw : cleat_buffer_view(&send->body),
        .content_type = send->content_type,
        .accept = send->accept,
        .gzip = send->gzip,
        .write = send->write,
        .deadline_mono_ms = send->deadline_mono_ms,
        .fence = client->fence,
        .fence_arg = client->fence_arg,
        .aborted = &client->aborted,
    };
}

int cleat__client_send(struct cleat_client *client, struct client_send *send,
                       struct cleat_document **ret, struct cleat_err *err)
{
    if (send->path.failed || send->body.failed) {
        int failed = send->path.failed ? send->path.failed : send->body.failed;
        return cleat_err_set(err, failed == -ENOBUFS ? -E2BIG : failed,
                             "%s: request doesn't fit its limit", send->method);
    }
    struct cleat_transport_request request;
    struct cleat_transport_answer answer;
    cleat__client_request(client, send, &request);
    cleat_transport_answer_init(&answer);
    int result = cleat_transport_call(client->transport, &request, &answer, err);
    if (result == 0 && ret) {
        struct cleat_err local = CLEAT_ERR_INIT;
        result = cleat_document_parse(cleat_buffer_view(&answer.body), ret, &local);
        if (result < 0) {
            result = cleat_err_set(err, result == -EINVAL ? -EPROTO : result,
                                   "%s %s%.*s: answer isn't JSON: %s", send->method,
                                   cleat_client_server(client), (int)strcspn(request.path, "?"),
                                   request.path, cleat_err_text(&local));
        }
    }
    cleat_transport_answer_fini(&answer);
    return result;
}

int cleat__client_send_object(struct cleat_client *client, struct client_send *send,
                              struct cleat_object **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    int result = cleat__client_send(client, send, ret ? &document : NULL, err);
    if (result == 0 && ret)
        result = cleat_object_of(document, ret, err);
    return result;
}

const char *cleat__client_accept(const struct cleat_client_call *call, bool list)
{
    if (!call || !call->metadata_only)
        return NULL;
    return list
               ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
               : "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
}

static void client_write_query(const struct cleat_client *client,
                               const struct cleat_client_call *call, bool apply, bool force,
                               struct cleat_buffer *path)
{
    const struct cleat_write_options options = {
        .field_manager =
            cleat_str_of(call->field_manager ? call->field_manager : client->field_manager),
        .field_validation = cleat_str_of(apply ? NULL : call->field_validation),
        .dry_run = call->dry_run || client->dry_run,
        .set_force = force,
        .force = force,
    };
    bool first = true;
    cleat_write_options_write(&options, path, &first);
}

int cleat_client_get(struct cleat_client *client, const struct cleat_client_target *target,
                     const struct cleat_client_call *call, struct cleat_object **ret,
                     struct cleat_err *err)
{
    call = call ? call : &client_no_call;
    struct client_send send;
    cleat__client_send_init(&send, "GET", call);
    send.accept = cleat__client_accept(call, false);
    int result = cleat__client_path(target, CLIENT_PATH_ITEM, &send.path, err);
    if (result == 0) {
        bool first = true;
        if (call->resource_version && call->resource_version[0]) {
            cleat_query_add(&send.path, &first, "resourceVersion",
                            cleat_str_of(call->resource_version));
        }
        result = cleat__client_send_object(client, &send, ret, err);
    }
    cleat__client_send_fini(&send);
    return result;
}

/* POST and PUT of @body. */
static int client_put(struct cleat_client *client, struct client_send *send,
                      const struct cleat_client_target *target, enum client_path_kind kind,
                      struct cleat_value body, const struct cleat_client_call *call,
                      struct cleat_object **ret, struct cleat_err *err)
{
    send->write = true;
    int result = cleat__client_path(target, kind, &send->path, err);
    if (result == 0 && cleat_value_type(body) != CLEAT_TYPE_OBJECT) {
        result =
            cleat_err_set(err, -EINVAL, "%s: the body must be an object, not %s",
                          target->resource->plural, cleat_value_type_name(cleat_value_type(body)));
    }
    if (result == 0)
        result = cleat_write_json(&send->body, body, err);
    if (result == 0) {
        client_write_query(client, call, false, false, &send->path);
        result = cleat__client_send_object(client, send, ret, err);
    }
    return result;
}

static bool client_names_by_server(struct cleat_value body)
{
    struct cleat_value metadata = cleat_value_get(body, "metadata");
    return !cleat_value_is_present(cleat_value_get(metadata, "name")) &&
           cleat_value_is_present(cleat_value_get(metadata, "generateName"));
}

static int client_create_once(struct cleat_client *client, const struct cleat_client_target *target,
                              struct cleat_value body, const struct cleat_client_call *call,
                              struct cleat_object **ret, struct cleat_err *err)
{
    struct client_send send;
    cleat__client_send_init(&send, "POST", call);
    int result = client_put(client, &send, target, CLIENT_PATH_CREATE, body, call, ret, err);
    cleat__client_send_fini(&send);
    return result;
}

/* Older servers leave it to the client to try another suffix; nothing was created then. */
int cleat_client_create(struct cleat_client *client, const struct cleat_client_target *target,
                        struct cleat_value body, const struct cleat_client_call *call,
                        struct cleat_object **ret, struct cleat_err *err)
{
    call = call ? call : &client_no_call;
    struct cleat_err local = CLEAT_ERR_INIT;
    int result = client_create_once(client, target, body, call, ret, &local);
    for (int again = 0; result == -EEXIST && again < CLIENT_NAMES_MAX; again++) {
        if (!client_names_by_server(body))
            break;
        cleat_err_clear(&local);
        result = client_create_once(client, target, body, call, ret, &local);
    }
    if (result != 0 && err && err->code == 0)
        *err = local;
    return result;
}

int cleat_client_update(struct cleat_client *client, const struct cleat_client_target *target,
                        struct cleat_value body, const struct cleat_client_call *call,
                        struct cleat_object **ret, struct cleat_err *err)
{
    call = call ? call : &client_no_call;
    struct client_send send;
    cleat__client_send_init(&send, "PUT", call);
    int result = client_put(client, &send, target, CLIENT_PATH_ITEM, body, call, ret, err);
    cleat__client_send_fini(&send);
    return result;
}

/* The draft's value as it's sent: with what stored objects keep beside their root. */
static int client_complete(const struct cleat_object *object, struct cleat_value value,
                           struct cleat_draft **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *whole = NULL;
    int result = cleat_draft_new(value, &whole, err);
    if (result == 0)
        result = cleat_draft_set_str(whole, "apiVersion", cleat_object_api_version(object), err);
    if (result == 0)
        result = cleat_draft_set_str(whole, "kind", cleat_object_kind(object), err);
    if (result == 0) {
        result = cleat_draft_set_str(whole, "metadata.resourceVersion",
                                     cleat_object_resource_version(object), err);
    }
    if (result == 0) {
        *ret = whole;
        whole = NULL;
    }
    return result;
}

static int client_check_update(const struct cleat_object *object, struct cleat_err *err)
{
    struct cleat_str kind = cleat_object_kind(object);
    struct cleat_str name = cleat_object_name(object);
    if (cleat_object_partial(object)) {
        return cleat_err_set(err, -ENODATA,
                             "%.*s %.*s: only a part of it is kept, so that it can be patched but "
                             "not updated",
                             CLEAT_STR_ARG(kind), CLEAT_STR_ARG(name));
    }
    if (cleat_object_resource_version(object).length == 0) {
        return cleat_err_set(err, -EINVAL, "%.*s %.*s: no resourceVersion to update from",
                             CLEAT_STR_ARG(kind), CLEAT_STR_ARG(name));
    }
    return 0;
}

int cleat_client_update_draft(struct cleat_client *client, const struct cleat_client_target *target,
                              const struct cleat_object *object, struct cleat_draft *draft,
                              const struct cleat_client_call *call, struct cleat_object **ret,
                              struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *whole = NULL;
    struct cleat_value value = CLEAT_VALUE_NONE; /* never sent where there was no memory for it */
    int result = client_check_update(object, err);
    if (result == 0)
        result = cleat_draft_freeze(draft, &value, err);
    if (result == 0)
        result = client_complete(object, value, &whole, err);
    if (result == 0)
        result = cleat_draft_freeze(whole, &value, err);
    if (result == 0)
        result = cleat_client_update(client, target, value, call, ret, err);
    return result;
}

int cleat_client_patch(struct cleat_client *client, const struct cleat_client_target *target,
                       enum cleat_patch_type type, struct cleat_str body,
                       const struct cleat_client_call *call, struct cleat_object **ret,
                       struct cleat_err *err)
{
    call = call ? call : &client_no_call;
    if (body.length == 0)
        return cleat_err_set(err, -EINVAL, "%s: empty patch", target->resource->plural);
    struct client_send send;
    cleat__client_send_init(&send, "PATCH", call);
    send.write = true;
    send.raw = body;
    send.content_type = cleat_patch_type_content((int)type);
    send.accept = cleat__client_accept(call, false);
    int result = cleat__client_path(target, CLIENT_PATH_ITEM, &send.path, err);
    if (result == 0) {
        bool apply = type == CLEAT_PATCH_APPLY;
        client_write_query(client, call, apply, apply && call->force, &send.path);
        result = cleat__client_send_object(client, &send, ret, err);
    }
    cleat__client_send_fini(&send);
    return result;
}

static int client_delete_body(const struct cleat_client *client,
                              const struct cleat_client_call *call, struct cleat_buffer *body)
{
    const struct cleat_delete_options options = {
        .set_grace_period = call->set_grace_period,
        .grace_period_s = call->grace_period_s,
        .uid = cleat_str_of(call->uid),
        .resource_version = cleat_str_of(call->precondition_resource_version),
        .propagation = cleat_str_of(call->propagation),
        .dry_run = call->dry_run || client->dry_run,
    };
    return cleat_delete_options_write(&options, body);
}

int cleat_client_delete(struct cleat_client *client, const struct cleat_client_target *target,
                        const struct cleat_client_call *call, struct cleat_object **ret,
                        struct cleat_err *err)
{
    call = call ? call : &client_no_call;
    struct client_send send;
    cleat__client_send_init(&send, "DELETE", call);
    send.write = true;
    int result = cleat__client_path(target, CLIENT_PATH_ITEM, &send.path, err);
    if (result == 0)
        result = client_delete_body(client, call, &send.body);
    if (result == 0)
        result = cleat__client_send_object(client, &send, ret, err);
    cleat__client_send_fini(&send);
    return result;
}

int cleat_client_delete_collection(struct cleat_client *client,
                                   const struct cleat_client_target *target,
                                   const struct cleat_client_call *call, struct cleat_err *err)
{
    call = call ? call : &client_no_call;
    struct client_send send;
    cleat__client_send_init(&send, "DELETE", call);
    send.write = true;
    int result = cleat__client_path(target, CLIENT_PATH_COLLECTION, &send.path, err);
    if (result == 0) {
        const struct cleat_list_options none = {.watch = false};
        cleat__client_list_query(call, &send.path, &none);
        result = client_delete_body(client, call, &send.body);
    }
    if (result == 0)
        result = cleat__client_send(client, &send, NULL, err);
    cleat__client_send_fini(&send);
    return result;
}

int cleat_client_raw(struct cleat_client *client, const char *method, const char *path,
                     struct cleat_str body, struct cleat_document **ret, struct cleat_err *err)
{
    if (path[0] != '/' || strpbrk(path, " \t\r\n#"))
        return cleat_err_set(err, -EINVAL, "path \"%.200s\": not a path of a server", path);
    struct client_send send;
    cleat__client_send_init(&send, method, NULL);
    send.raw = body;
    send.write = strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
    cleat_buffer_text(&send.path, path);
    int result = cleat__client_send(client, &send, ret, err);
    cleat__client_send_fini(&send);
    return result;
}
