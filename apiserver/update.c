/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Update and patch: both make a new object from the old one, and go the same way from there. What
 * was changed by somebody else in between is tried again, unless the request names the version that
 * it wants to change.
 */
#include <cleat/path.h>
#include <cleat/patch.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "apiserver/change.h"
#include "apiserver/meta.h"
#include "apiserver/scale.h"

#define UPDATE_TRIES 16

/* How the new object is made: of the body, or of the old one and a patch. */
enum update_type { UPDATE_PUT, UPDATE_PATCH_JSON, UPDATE_PATCH_MERGE };

struct update_plan {
    enum update_type type;
    struct cleat_document *body; /* owned: the object, or the patch */
};

static bool update_sub(const struct cleat_api_change *change, const char *name)
{
    return cleat_str_is(change->request->subresource, name);
}

static int update_patch_failed(int result, const struct cleat_err *err,
                               struct cleat_api_failure *failure)
{
    if (result == CLEAT_PATCH_TEST || result == -EINVAL) {
        int failed =
            cleat_api_fail(failure, 422, "Invalid",
                           "the server rejected our request due to an error in our request");
        cleat_api_fail_cause(failure, "UnexpectedServerResponse", NULL, "%s", cleat_err_text(err));
        return failed;
    }
    return cleat_api_fail_err(failure, result == -E2BIG ? 413 : 500, err);
}

/* What is patched: the object, or its scale. */
static int update_target(struct cleat_api_change *change, struct cleat_document **ret,
                         struct cleat_api_failure *failure)
{
    if (update_sub(change, "scale"))
        return cleat_api_scale_of(change->request, change->old, ret, failure);
    *ret = NULL; /* the old object itself */
    return 0;
}

static int update_make(struct cleat_api_change *change, const struct update_plan *plan,
                       struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *target = NULL;
    struct cleat_document *made = NULL;
    if (plan->type == UPDATE_PUT) {
        cleat_api_change_take(change, cleat_document_ref(plan->body));
        return 0;
    }
    int result = update_target(change, &target, failure);
    if (result != 0)
        return result;
    struct cleat_value patch = cleat_document_root(plan->body);
    struct cleat_value from = target ? cleat_document_root(target) : cleat_api_change_old(change);
    result = plan->type == UPDATE_PATCH_JSON ? cleat_patch_apply(from, patch, &made, &err)
                                             : cleat_patch_merge(from, patch, &made, &err);
    (void)cleat_document_unref(target);
    if (result != 0)
        return update_patch_failed(result, &err, failure);
    cleat_api_change_take(change, made);
    if (cleat_value_type(cleat_document_root(made)) != CLEAT_TYPE_OBJECT)
        return cleat_api_fail(failure, 400, NULL, "the patched object isn't an object");
    return 0;
}

static int update_check_names(const struct cleat_api_change *change,
                              struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch;
    const struct cleat_api_request *request = change->request;
    struct cleat_value metadata = cleat_value_get(cleat_api_change_object(change), "metadata");
    struct cleat_str name = cleat_value_text(cleat_value_get(metadata, "name"), &scratch);
    if (!cleat_str_equal(name, request->name))
        return cleat_api_fail(failure, 400, NULL,
                              "the name of the object (%.*s) does not match the name on the URL "
                              "(%.*s)",
                              CLEAT_STR_ARG(name), CLEAT_STR_ARG(request->name));
    struct cleat_str namespace_ =
        cleat_value_text(cleat_value_get(metadata, "namespace"), &scratch);
    if (namespace_.length && !cleat_str_equal(namespace_, request->namespace_))
        return cleat_api_fail(failure, 400, NULL,
                              "the namespace of the object (%.*s) does not match the namespace on "
                              "the URL (%.*s)",
                              CLEAT_STR_ARG(namespace_), CLEAT_STR_ARG(request->namespace_));
    return 0;
}

/* Preconditions in the object itself: uid and resourceVersion. @ret_exact: it names the version. */
static int update_check_version(const struct cleat_api_change *change, bool put, bool *ret_exact,
                                struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch;
    const struct cleat_api_request *request = change->request;
    struct cleat_value metadata = cleat_value_get(cleat_api_change_object(change), "metadata");
    struct cleat_str uid = cleat_value_text(cleat_value_get(metadata, "uid"), &scratch);
    if (uid.length && !cleat_str_is(uid, change->old->uid)) {
        char why[256];
        snprintf(why, sizeof(why),
                 "Precondition failed: UID in precondition: %.*s, UID in object "
                 "meta: %s",
                 CLEAT_STR_ARG(uid), change->old->uid);
        return cleat_api_fail_conflict(failure, request->resource, request->name, why);
    }
    struct cleat_str version =
        cleat_value_text(cleat_value_get(metadata, "resourceVersion"), &scratch);
    *ret_exact = put && version.length && !cleat_str_is(version, "0");
    if (put && !*ret_exact && !(request->resource->flags & CLEAT_API_OVERWRITE) &&
        !update_sub(change, "scale"))
        return cleat_api_fail_invalid(failure, request->resource, request->name,
                                      "FieldValueInvalid", "metadata.resourceVersion",
                                      "Invalid value: 0: must be specified for an update");
    char current[24];
    snprintf(current, sizeof(current), "%" PRIu64, change->old->version);
    if (version.length && !cleat_str_is(version, "0") && !cleat_str_is(version, current))
        return cleat_api_fail_conflict(failure, request->resource, request->name, NULL);
    return 0;
}

/* For a subresource: the old object with that part of the new one. */
static int update_merge_part(struct cleat_api_change *change, struct cleat_err *err)
{
    const char *part = update_sub(change, "status") ? "status" : "spec.finalizers";
    struct cleat_value value = cleat_value_find(cleat_api_change_object(change), part);
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *merged = NULL;
    int result = cleat_draft_new(cleat_api_change_old(change), &merged, err);
    if (result == 0)
        result = cleat_value_is_present(value) ? cleat_draft_set(merged, part, value, err)
                                               : cleat_draft_remove(merged, part, err);
    struct cleat_document *document = NULL;
    if (result == 0)
        result = cleat_api_document_of(merged, &document, err);
    if (result == 0) {
        merged = cleat_draft_free(merged);
        cleat_api_change_take(change, document);
    }
    return result;
}

static int update_part(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    if (!change->request->subresource.length)
        return 0;
    if (update_sub(change, "scale"))
        return cleat_api_scale_apply(change, failure);
    struct cleat_err err = CLEAT_ERR_INIT;
    int result = update_merge_part(change, &err);
    return result == 0 ? 0 : cleat_api_fail_err(failure, result == -ENOMEM ? 500 : 400, &err);
}

static bool value_has_text(struct cleat_value array, struct cleat_str text)
{
    for (size_t i = 0; i < cleat_value_count(array); i++)
        if (cleat_value_is_str(cleat_value_at(array, i), text))
            return true;
    return false;
}

/* An object that is being deleted takes no new finalizers. */
static int update_check_finalizers(const struct cleat_api_change *change,
                                   struct cleat_api_failure *failure)
{
    if (!change->old->deleting)
        return 0;
    struct cleat_scratch scratch;
    struct cleat_value before =
        cleat_value_find(cleat_api_change_old(change), "metadata.finalizers");
    struct cleat_value after =
        cleat_value_find(cleat_api_change_object(change), "metadata.finalizers");
    for (size_t i = 0; i < cleat_value_count(after); i++) {
        struct cleat_str text = cleat_value_text(cleat_value_at(after, i), &scratch);
        if (!value_has_text(before, text))
            return cleat_api_fail_invalid(failure, change->request->resource, change->request->name,
                                          "FieldValueForbidden", "metadata.finalizers",
                                          "Forbidden: no new finalizers can be added if the object "
                                          "is being deleted, found new "
                                          "finalizers []string{\"%.*s\"}",
                                          CLEAT_STR_ARG(text));
    }
    return 0;
}

static int update_admit(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    bool part = update_sub(change, "status") || update_sub(change, "finalize");
    int result = update_part(change, failure);
    /* What is the old object but for one part has the old metadata. */
    if (result == 0 && !part)
        result = cleat_api_change_edit(change, cleat_api_meta_carry, failure);
    if (result == 0)
        result = cleat_api_change_prepare(change, failure);
    if (result == 0)
        result = cleat_api_change_mutate(change, failure);
    if (result == 0 && change->operation.mutated)
        result = cleat_api_change_edit(change, cleat_api_meta_carry, failure);
    if (result == 0)
        result = update_check_finalizers(change, failure);
    return result == 0 ? cleat_api_change_validate(change, failure) : result;
}

static int update_store(struct cleat_api_change *change, struct cleat_api_record **ret,
                        struct cleat_api_failure *failure)
{
    struct cleat_value object = cleat_api_change_object(change);
    if (cleat_api_meta_same(object, cleat_api_change_old(change))) {
        *ret = cleat_api_record_ref(change->old);
        return 0;
    }
    bool remove = change->old->deleting && cleat_api_meta_gone(object);
    return cleat_api_change_commit(change, remove, ret, failure);
}

/* One try on what is stored now. */
static int update_try(struct cleat_api_change *change, const struct update_plan *plan,
                      bool *ret_exact, struct cleat_api_record **ret,
                      struct cleat_api_failure *failure)
{
    int result = update_make(change, plan, failure);
    if (result == 0)
        result = update_check_names(change, failure);
    if (result == 0)
        result = update_check_version(change, plan->type == UPDATE_PUT, ret_exact, failure);
    if (result == 0)
        result = update_admit(change, failure);
    return result == 0 ? update_store(change, ret, failure) : result;
}

static int update_missing(struct cleat_api_request *request, const struct update_plan *plan,
                          struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    if (plan->type == UPDATE_PUT && !request->subresource.length &&
        (request->resource->flags & CLEAT_API_UPSERT))
        return cleat_api_create_object(request, plan->body, response, failure);
    return cleat_api_fail_not_found(failure, request->resource, request->name);
}

static int update_answer(struct cleat_api_request *request, struct cleat_api_record *record,
                         struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    if (cleat_str_is(request->subresource, "scale"))
        return cleat_api_scale_answer(request, record, response, failure);
    return cleat_api_answer_record(request, record, response, failure);
}

static int update_run(struct cleat_api_request *request, const struct update_plan *plan,
                      struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    struct cleat_api_registry *registry = &request->server->registry;
    int result = CLEAT_API_COMMIT_CHANGED;
    bool exact = false;
    for (int tries = 0; tries < UPDATE_TRIES && result == CLEAT_API_COMMIT_CHANGED && !exact;
         tries++) {
        struct cleat_api_change change;
        struct cleat_api_record *stored = NULL;
        struct cleat_api_record *old =
            cleat_api_registry_get(registry, request->resource, request->namespace_, request->name);
        if (!old)
            return update_missing(request, plan, response, failure);
        result = cleat_api_change_init(&change, request, "UPDATE", old, failure);
        if (result == 0)
            result = update_try(&change, plan, &exact, &stored, failure);
        if (result == 0)
            result = update_answer(request, stored, response, failure);
        (void)cleat_api_record_unref(stored);
        cleat_api_change_fini(&change);
    }
    return result > 0 ? cleat_api_fail_conflict(failure, request->resource, request->name, NULL)
                      : result;
}

int cleat_api_update(struct cleat_api_request *request, struct cleat_api_response *response,
                     struct cleat_api_failure *failure)
{
    struct update_plan plan = {.type = UPDATE_PUT};
    int result = cleat_api_check_subresource(request, true, failure);
    if (result == 0)
        result = cleat_api_body(request, &plan.body, failure);
    if (result == 0)
        result = update_run(request, &plan, response, failure);
    (void)cleat_document_unref(plan.body);
    return result;
}

static int patch_type(const struct cleat_api_request *request, struct update_plan *plan,
                      struct cleat_api_failure *failure)
{
    const char *type = request->http->content_type ? request->http->content_type : "";
    if (strncasecmp(type, "application/json-patch+json", 27) == 0)
        plan->type = UPDATE_PATCH_JSON;
    else if (strncasecmp(type, "application/merge-patch+json", 28) == 0)
        plan->type = UPDATE_PATCH_MERGE;
    else
        return cleat_api_fail(failure, 415, NULL,
                              "the body of the request was in an unknown format - accepted media "
                              "types include: application/json-patch+json, "
                              "application/merge-patch+json");
    return 0;
}

int cleat_api_patch(struct cleat_api_request *request, struct cleat_api_response *response,
                    struct cleat_api_failure *failure)
{
    struct update_plan plan = {.type = UPDATE_PUT};
    struct cleat_err err = CLEAT_ERR_INIT;
    int result = cleat_api_check_subresource(request, true, failure);
    if (result == 0)
        result = patch_type(request, &plan, failure);
    if (result == 0 && cleat_document_parse(request->http->body, &plan.body, &err) != 0)
        result = cleat_api_fail(failure, 400, NULL, "unable to decode the patch: %s",
                                cleat_err_text(&err));
    if (result == 0 && plan.type == UPDATE_PATCH_MERGE &&
        cleat_value_type(cleat_document_root(plan.body)) != CLEAT_TYPE_OBJECT)
        result = cleat_api_fail(failure, 400, NULL, "a merge patch of an object must be an object");
    if (result == 0 && plan.type == UPDATE_PATCH_JSON &&
        cleat_value_type(cleat_document_root(plan.body)) != CLEAT_TYPE_ARRAY)
        result = cleat_api_fail(failure, 400, NULL, "a JSON patch must be an array of operations");
    if (result == 0)
        result = update_run(request, &plan, response, failure);
    (void)cleat_document_unref(plan.body);
    return result;
}
