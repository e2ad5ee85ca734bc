/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delete and delete of collections. What has finalizers is only marked; who takes the last one away
 * completes it.
 */
#include <cleat/owner.h>
#include <cleat/path.h>
#include <cleat/write.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "apiserver/change.h"
#include "apiserver/meta.h"
#include "apiserver/selection.h"
#include "base/limits.h"

#define REMOVE_TRIES 16

struct remove_plan {
    struct cleat_document *body; /* owned; NULL: none */
    struct cleat_delete_options options;
    struct cleat_delete_options_scratch scratch;
};

static int remove_plan_init(const struct cleat_api_request *request, struct remove_plan *plan,
                            struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    *plan = (struct remove_plan){0};
    int result =
        request->http->body.length ? cleat_api_body_parse(request, &plan->body, failure) : 0;
    if (result != 0)
        return result;
    struct cleat_value body = plan->body ? cleat_document_root(plan->body) : CLEAT_VALUE_NONE;
    if (cleat_delete_options_read(body, &request->query, &plan->scratch, &plan->options, &err) != 0)
        return cleat_api_fail_err(failure, 400, &err);
    return 0;
}

/* Namespaces that stay. Source: the admission plugin NamespaceLifecycle. */
static int remove_check_immortal(const struct cleat_api_change *change,
                                 struct cleat_api_failure *failure)
{
    static const char *const immortal[] = {"default", "kube-system", "kube-public"};
    const struct cleat_api_request *request = change->request;
    struct cleat_str name = change->old->name;
    if (request->resource != request->server->registry.namespaces)
        return 0;
    for (size_t i = 0; i < sizeof(immortal) / sizeof(immortal[0]); i++) {
        if (!cleat_str_is(name, immortal[i]))
            continue;
        int result = cleat_api_fail(failure, 403, NULL,
                                    "namespaces \"%.*s\" is forbidden: this namespace may not be "
                                    "deleted",
                                    CLEAT_STR_ARG(name));
        cleat_api_fail_details(failure, "", "namespaces", name);
        return result;
    }
    return 0;
}

static int remove_check(const struct cleat_api_change *change, const struct remove_plan *plan,
                        struct cleat_api_failure *failure)
{
    char why[256];
    char version[24];
    const struct cleat_api_request *request = change->request;
    struct cleat_str uid = plan->options.uid;
    if (uid.length && !cleat_str_is(uid, change->old->uid)) {
        snprintf(why, sizeof(why),
                 "Precondition failed: UID in precondition: %.*s, UID in object meta: %s",
                 CLEAT_STR_ARG(uid), change->old->uid);
        return cleat_api_fail_conflict(failure, request->resource, change->old->name, why);
    }
    struct cleat_str wanted = plan->options.resource_version;
    snprintf(version, sizeof(version), "%" PRIu64, change->old->version);
    if (wanted.length && !cleat_str_is(wanted, version)) {
        snprintf(why, sizeof(why),
                 "Precondition failed: ResourceVersion in precondition: %.*s, ResourceVersion in "
                 "object meta: %s",
                 CLEAT_STR_ARG(wanted), version);
        return cleat_api_fail_conflict(failure, request->resource, change->old->name, why);
    }
    return 0;
}

static int remove_set_finalizer(struct cleat_draft *draft, const char *name, bool wanted,
                                struct cleat_err *err)
{
    int result =
        wanted ? cleat_finalizer_add(draft, name, err) : cleat_finalizer_remove(draft, name, err);
    return result < 0 ? result : 0;
}

/* Makes the object that is left: marked, with the finalizers that the propagation asks for. */
static int remove_mark(struct cleat_api_change *change, struct cleat_str propagation,
                       struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *document = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int result = cleat_draft_new(cleat_api_change_old(change), &draft, &err);
    bool orphan = cleat_str_is(propagation, "Orphan") ||
                  (!propagation.length && (change->request->resource->flags & CLEAT_API_ORPHANS));
    bool said = propagation.length > 0 || orphan;
    if (result == 0 && said)
        result = remove_set_finalizer(draft, "orphan", orphan, &err);
    if (result == 0 && said)
        result = remove_set_finalizer(draft, "foregroundDeletion",
                                      cleat_str_is(propagation, "Foreground"), &err);
    if (result == 0 && !change->old->deleting)
        result = cleat_api_meta_mark(change, draft, &err);
    if (result == 0)
        result = cleat_api_document_of(draft, &document, &err);
    if (result != 0)
        return cleat_api_fail_err(failure, 500, &err);
    cleat_api_change_take(change, document);
    return 0;
}

/* @ret_gone: it's away; else @ret is the object as it is left. */
static int remove_store(struct cleat_api_change *change, struct cleat_str propagation,
                        bool *ret_gone, struct cleat_api_record **ret,
                        struct cleat_api_failure *failure)
{
    int result = remove_mark(change, propagation, failure);
    if (result != 0)
        return result;
    struct cleat_value object = cleat_api_change_object(change);
    *ret_gone = cleat_api_meta_gone(object);
    if (!*ret_gone && cleat_api_meta_same(object, cleat_api_change_old(change))) {
        *ret = cleat_api_record_ref(change->old);
        return 0;
    }
    if (*ret_gone)
        cleat_api_change_take(change, NULL); /* the last state is the one before the mark */
    return cleat_api_change_commit(change, *ret_gone, ret, failure);
}

static int remove_admit(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    int result = cleat_api_change_mutate(change, failure);
    return result == 0 ? cleat_api_change_validate(change, failure) : result;
}

/* Deletes one object by name. @ret is NULL where it's gone. */
static int remove_one(struct cleat_api_request *request, const struct remove_plan *plan,
                      struct cleat_str namespace_, struct cleat_str name,
                      struct cleat_api_record **ret, char uid[64],
                      struct cleat_api_failure *failure)
{
    int result = CLEAT_API_COMMIT_CHANGED;
    for (int tries = 0; tries < REMOVE_TRIES && result == CLEAT_API_COMMIT_CHANGED; tries++) {
        struct cleat_api_change change;
        struct cleat_api_record *left = NULL;
        bool gone = false;
        struct cleat_api_record *old =
            cleat_api_registry_get(&request->server->registry, request->resource, namespace_, name);
        if (!old)
            return cleat_api_fail_not_found(failure, request->resource, name);
        snprintf(uid, 64, "%s", old->uid);
        result = cleat_api_change_init(&change, request, "DELETE", old, failure);
        change.operation.namespace_ = namespace_;
        change.operation.object_name = name;
        change.operation.dry_run = plan->options.dry_run || request->write.dry_run;
        if (plan->body)
            change.operation.options = cleat_document_root(plan->body);
        if (result == 0)
            result = remove_check(&change, plan, failure);
        if (result == 0)
            result = remove_check_immortal(&change, failure);
        if (result == 0)
            result = remove_admit(&change, failure);
        if (result == 0)
            result = remove_store(&change, plan->options.propagation, &gone, &left, failure);
        if (result == 0 && !gone)
            *ret = cleat_api_record_ref(left);
        (void)cleat_api_record_unref(left);
        cleat_api_change_fini(&change);
    }
    return result > 0 ? cleat_api_fail_conflict(failure, request->resource, name, NULL) : result;
}

static void remove_answer(const struct cleat_api_resource *resource, struct cleat_str name,
                          const char *uid, struct cleat_buffer *body)
{
    cleat_buffer_text(body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                            "\"status\":\"Success\",\"details\":{\"name\":");
    cleat_write_string(body, name);
    if (resource->group[0]) {
        cleat_buffer_text(body, ",\"group\":");
        cleat_write_string(body, cleat_str_of(resource->group));
    }
    cleat_buffer_text(body, ",\"kind\":");
    cleat_write_string(body, cleat_str_of(resource->plural));
    if (uid[0]) {
        cleat_buffer_text(body, ",\"uid\":");
        cleat_write_string(body, cleat_str_of(uid));
    }
    cleat_buffer_text(body, "}}\n");
}

int cleat_api_delete(struct cleat_api_request *request, struct cleat_api_response *response,
                     struct cleat_api_failure *failure)
{
    struct remove_plan plan;
    CLEAT_CLEANUP(cleat_api_record_unrefp) struct cleat_api_record *left = NULL;
    char uid[64] = "";
    if (request->subresource.length)
        return cleat_api_fail(failure, 405, NULL,
                              "the server does not allow this method on the requested resource");
    int result = remove_plan_init(request, &plan, failure);
    if (result == 0)
        result =
            remove_one(request, &plan, request->namespace_, request->name, &left, uid, failure);
    if (result == 0 && left)
        result = cleat_api_answer_record(request, left, response, failure);
    else if (result == 0)
        remove_answer(request->resource, request->name, uid, &response->body);
    (void)cleat_document_unref(plan.body);
    return result;
}

static int remove_each(struct cleat_api_request *request, const struct remove_plan *plan,
                       const struct cleat_api_selection *selection,
                       const struct cleat_api_snapshot *snapshot, struct cleat_api_failure *failure)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < snapshot->count; i++) {
        char uid[64];
        struct cleat_api_record *left = NULL;
        const struct cleat_api_record *record = snapshot->records[i];
        if (!cleat_api_selection_matches(selection, record))
            continue;
        result = remove_one(request, plan, record->namespace_, record->name, &left, uid, failure);
        (void)cleat_api_record_unref(left);
        if (result != 0 && failure->code == 404) {
            /* Somebody else was faster. */
            cleat_api_failure_fini(failure);
            result = 0;
        }
    }
    return result;
}

int cleat_api_delete_collection(struct cleat_api_request *request,
                                struct cleat_api_response *response,
                                struct cleat_api_failure *failure)
{
    struct remove_plan plan;
    struct cleat_api_snapshot snapshot = {0};
    struct cleat_api_selection selection = CLEAT_API_SELECTION_INIT;
    const struct cleat_api_range range = {.namespace_ = request->namespace_};
    if ((request->resource->flags & CLEAT_API_NAMESPACED) && !request->namespace_.length)
        return cleat_api_fail(failure, 405, NULL,
                              "the server does not allow this method on the requested resource");
    int result = remove_plan_init(request, &plan, failure);
    if (result == 0)
        result = cleat_api_selection_init(&selection, request, failure);
    if (result == 0 && cleat_api_registry_range(&request->server->registry, request->resource,
                                                &range, &snapshot) != 0)
        result = cleat_api_fail(failure, 500, NULL, "no memory for a list");
    if (result == 0)
        result = remove_each(request, &plan, &selection, &snapshot, failure);
    if (result == 0)
        remove_answer(request->resource, CLEAT_STR(""), "", &response->body);
    cleat_api_snapshot_fini(&snapshot);
    cleat_api_selection_fini(&selection);
    (void)cleat_document_unref(plan.body);
    return result;
}
