/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create. A name from generateName that is taken is tried again with another.
 */
#include <errno.h>
#include <stdio.h>

#include "apiserver/change.h"
#include "apiserver/meta.h"

#define CREATE_TRIES 8

static int create_exists(struct cleat_api_change *change, struct cleat_str name,
                         struct cleat_api_failure *failure)
{
    char title[320];
    const struct cleat_api_resource *resource = change->request->resource;
    int result = cleat_api_fail(failure, 409, "AlreadyExists", "%s \"%.*s\" already exists",
                                cleat_api_resource_title(resource, title), CLEAT_STR_ARG(name));
    cleat_api_fail_details(failure, resource->group, resource->plural, name);
    return result;
}

static int create_no_namespace(const struct cleat_api_request *request,
                               struct cleat_api_failure *failure)
{
    return cleat_api_fail_not_found(failure, request->server->registry.namespaces,
                                    request->namespace_);
}

static int create_terminating(const struct cleat_api_request *request, struct cleat_str name,
                              struct cleat_api_failure *failure)
{
    char title[320];
    int result = cleat_api_fail(
        failure, 403, NULL,
        "%s \"%.*s\" is forbidden: unable to create new content in namespace %.*s because it is "
        "being terminated",
        cleat_api_resource_title(request->resource, title), CLEAT_STR_ARG(name),
        CLEAT_STR_ARG(request->namespace_));
    cleat_api_fail_details(failure, request->resource->group, request->resource->plural, name);
    cleat_api_fail_cause(failure, "NamespaceTerminating", "metadata.namespace",
                         "namespace %.*s is being terminated", CLEAT_STR_ARG(request->namespace_));
    return result;
}

/* The namespace is looked at before admission too, as Kubernetes does, so that webhooks aren't
 * asked in vain. */
static int create_check_namespace(struct cleat_api_request *request, struct cleat_str name,
                                  struct cleat_api_failure *failure)
{
    if (!(request->resource->flags & CLEAT_API_NAMESPACED))
        return 0;
    CLEAT_CLEANUP(cleat_api_record_unrefp)
    struct cleat_api_record *namespace_ =
        cleat_api_registry_get(&request->server->registry, request->server->registry.namespaces,
                               CLEAT_STR(""), request->namespace_);
    if (!namespace_)
        return create_no_namespace(request, failure);
    return namespace_->deleting ? create_terminating(request, name, failure) : 0;
}

static int create_check_body(const struct cleat_api_request *request, struct cleat_value root,
                             struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch;
    struct cleat_value metadata = cleat_value_get(root, "metadata");
    struct cleat_str namespace_ =
        cleat_value_text(cleat_value_get(metadata, "namespace"), &scratch);
    if (namespace_.length && !cleat_str_equal(namespace_, request->namespace_))
        return cleat_api_fail(failure, 400, NULL,
                              "the namespace of the provided object does not match the namespace "
                              "sent on the request");
    struct cleat_str version =
        cleat_value_text(cleat_value_get(metadata, "resourceVersion"), &scratch);
    if (version.length && !cleat_str_is(version, "0"))
        return cleat_api_fail(failure, 400, NULL,
                              "resourceVersion should not be set on objects to be created");
    return 0;
}

static struct cleat_str create_name(const struct cleat_api_change *change,
                                    struct cleat_scratch *scratch)
{
    struct cleat_value metadata = cleat_value_get(cleat_api_change_object(change), "metadata");
    return cleat_value_text(cleat_value_get(metadata, "name"), scratch);
}

/* One try: stamp, check, validate, store. */
static int create_try(struct cleat_api_change *change, struct cleat_api_record **ret,
                      struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch;
    int result = cleat_api_change_edit(change, cleat_api_meta_stamp, failure);
    if (result == 0)
        result = cleat_api_meta_check(change, failure);
    if (result != 0)
        return result;
    change->operation.object_name = create_name(change, &scratch);
    result = cleat_api_change_validate(change, failure);
    if (result == 0)
        result = cleat_api_change_commit(change, false, ret, failure);
    if (result == CLEAT_API_COMMIT_NO_NAMESPACE)
        result = create_no_namespace(change->request, failure);
    else if (result == CLEAT_API_COMMIT_TERMINATING)
        result = create_terminating(change->request, change->operation.object_name, failure);
    if (result == 0 && change->operation.dry_run) {
        struct cleat_api_record *there =
            cleat_api_registry_get(&change->request->server->registry, change->request->resource,
                                   (*ret)->namespace_, (*ret)->name);
        result = there ? CLEAT_API_COMMIT_CHANGED : 0;
        (void)cleat_api_record_unref(there);
        if (result != 0)
            *ret = cleat_api_record_unref(*ret);
    }
    return result;
}

static int create_store(struct cleat_api_change *change, struct cleat_api_record **ret,
                        struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch;
    struct cleat_document *mutated = cleat_document_ref(change->object);
    bool generated = create_name(change, &scratch).length == 0;
    int result = 0;
    for (int tries = 0; tries < (generated ? CREATE_TRIES : 1); tries++) {
        cleat_api_change_take(change, cleat_document_ref(mutated));
        result = create_try(change, ret, failure);
        if (result != CLEAT_API_COMMIT_CHANGED)
            break;
    }
    if (result == CLEAT_API_COMMIT_CHANGED)
        result = create_exists(change, create_name(change, &scratch), failure);
    (void)cleat_document_unref(mutated);
    return result;
}

static int create_prepare(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch;
    int result = create_check_body(change->request, cleat_api_change_object(change), failure);
    if (result == 0)
        result = cleat_api_change_edit(change, cleat_api_meta_clean, failure);
    if (result == 0)
        result = create_check_namespace(change->request, create_name(change, &scratch), failure);
    if (result == 0)
        result = cleat_api_change_prepare(change, failure);
    if (result == 0) {
        change->operation.object_name = create_name(change, &scratch);
        result = cleat_api_change_mutate(change, failure);
    }
    if (result == 0 && change->operation.mutated)
        result = cleat_api_change_edit(change, cleat_api_meta_clean, failure);
    return result;
}

int cleat_api_create_object(struct cleat_api_request *request, struct cleat_document *body,
                            struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    struct cleat_api_change change;
    CLEAT_CLEANUP(cleat_api_record_unrefp) struct cleat_api_record *record = NULL;
    int result = cleat_api_change_init(&change, request, "CREATE", NULL, failure);
    cleat_api_change_take(&change, cleat_document_ref(body));
    if (result == 0)
        result = create_prepare(&change, failure);
    if (result == 0)
        result = create_store(&change, &record, failure);
    if (result == 0) {
        response->code = 201;
        result = cleat_api_answer_record(request, record, response, failure);
    }
    cleat_api_change_fini(&change);
    return result;
}

static int create_review(struct cleat_api_request *request, struct cleat_value body,
                         struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    struct cleat_api_server *server = request->server;
    if (!server->hooks.review)
        return cleat_api_fail(failure, 404, NULL,
                              "the server could not find the requested resource");
    int result = server->hooks.review(server, request, body, &response->body, failure);
    response->code = 201;
    return result;
}

int cleat_api_create(struct cleat_api_request *request, struct cleat_api_response *response,
                     struct cleat_api_failure *failure)
{
    struct cleat_document *body = NULL;
    if (request->name.length ||
        ((request->resource->flags & CLEAT_API_NAMESPACED) && !request->namespace_.length))
        return cleat_api_fail(failure, 405, NULL,
                              "the server does not allow this method on the requested resource");
    int result = cleat_api_body(request, &body, failure);
    if (result == 0 && (request->resource->flags & CLEAT_API_REVIEW))
        result = create_review(request, cleat_document_root(body), response, failure);
    else if (result == 0)
        result = cleat_api_create_object(request, body, response, failure);
    (void)cleat_document_unref(body);
    return result;
}
