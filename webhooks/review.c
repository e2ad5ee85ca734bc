/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "webhooks/review.h"

static const struct {
    enum cleat_operation operation;
    const char *name;
    bool object; /* must be there */
    bool old_object;
} operations[] = {
    {CLEAT_OPERATION_CREATE, "CREATE", true, false},
    {CLEAT_OPERATION_UPDATE, "UPDATE", true, true},
    {CLEAT_OPERATION_DELETE, "DELETE", false, true},
    {CLEAT_OPERATION_CONNECT, "CONNECT", false, false},
};

#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

const char *cleat_operation_name(enum cleat_operation operation)
{
    for (size_t i = 0; i < OPERATION_COUNT; i++)
        if (operations[i].operation == operation)
            return operations[i].name;
    return "";
}

/* Reads an optional string; anything but a string, null or absence is an error that names @key. */
static int review_text(struct cleat_value from, const char *key, struct cleat_scratch *scratch,
                       struct cleat_str *ret, struct cleat_err *err)
{
    int r = cleat_value_str(cleat_value_get(from, key), scratch, ret);
    if (r == CLEAT_VALUE_ABSENT)
        *ret = CLEAT_STR("");
    else if (r != 0)
        return cleat_err_set(err, -EINVAL, "AdmissionReview: %s isn't a string", key);
    return 0;
}

/* Reads an optional container: null counts as absent. */
static int review_container(struct cleat_value from, const char *key, enum cleat_value_type type,
                            struct cleat_value *ret, struct cleat_err *err)
{
    struct cleat_value value = cleat_value_get(from, key);
    enum cleat_value_type found = cleat_value_type(value);
    *ret = CLEAT_VALUE_NONE;
    if (found == CLEAT_TYPE_ABSENT || found == CLEAT_TYPE_NULL)
        return 0;
    if (found != type)
        return cleat_err_set(err, -EINVAL, "AdmissionReview: %s isn't an %s", key,
                             cleat_value_type_name(type));
    *ret = value;
    return 0;
}

static int review_kind(struct cleat_value request, struct cleat_review *review,
                       struct cleat_err *err)
{
    struct cleat_scratch scratch[3];
    struct cleat_str group, version, kind;
    struct cleat_value from;
    int r = review_container(request, "kind", CLEAT_TYPE_OBJECT, &from, err);
    if (r == 0)
        r = review_text(from, "group", &scratch[0], &group, err);
    if (r == 0)
        r = review_text(from, "version", &scratch[1], &version, err);
    if (r == 0)
        r = review_text(from, "kind", &scratch[2], &kind, err);
    if (r < 0)
        return r;
    if (version.length == 0 || kind.length == 0)
        return cleat_err_set(err, -EINVAL, "AdmissionReview: request.kind is incomplete");
    if (cleat_gvk_make(&review->kind, group.data, version.data, kind.data) < 0)
        return cleat_err_set(err, -EINVAL, "AdmissionReview: request.kind is too long");
    return 0;
}

static int review_resource(struct cleat_value request, struct cleat_review_room *room,
                           struct cleat_err *err)
{
    struct cleat_value from;
    struct cleat_review *review = &room->review;
    int r = review_container(request, "resource", CLEAT_TYPE_OBJECT, &from, err);
    if (r == 0)
        r = review_text(from, "group", &room->scratch[0], &review->resource_group, err);
    if (r == 0)
        r = review_text(from, "version", &room->scratch[1], &review->resource_version, err);
    if (r == 0)
        r = review_text(from, "resource", &room->scratch[2], &review->resource, err);
    if (r == 0)
        r = review_text(request, "subResource", &room->scratch[3], &review->subresource, err);
    return r;
}

static int review_user(struct cleat_value request, struct cleat_review_room *room,
                       struct cleat_err *err)
{
    struct cleat_value from;
    struct cleat_review *review = &room->review;
    int r = review_container(request, "userInfo", CLEAT_TYPE_OBJECT, &from, err);
    if (r == 0)
        r = review_text(from, "username", &room->scratch[4], &review->username, err);
    if (r == 0)
        r = review_text(from, "uid", &room->scratch[5], &review->user_uid, err);
    if (r == 0)
        r = review_container(from, "groups", CLEAT_TYPE_ARRAY, &review->groups, err);
    if (r == 0)
        r = review_container(from, "extra", CLEAT_TYPE_OBJECT, &review->extra, err);
    return r;
}

/* deletecollection and generateName come without a name: the object has it, if anything has. */
static int review_name(struct cleat_value request, struct cleat_review_room *room,
                       struct cleat_err *err)
{
    struct cleat_review *review = &room->review;
    int r = review_text(request, "namespace", &room->scratch[6], &review->namespace_, err);
    if (r == 0)
        r = review_text(request, "name", &room->scratch[7], &review->name, err);
    if (r < 0 || review->name.length > 0)
        return r;
    struct cleat_value object =
        cleat_value_is_present(review->object) ? review->object : review->old_object;
    review->name = cleat_value_text(cleat_value_find(object, "metadata.name"), &room->scratch[7]);
    if (review->name.length == 0)
        review->name = CLEAT_STR("");
    return 0;
}

static int review_operation(struct cleat_value request, struct cleat_review *review,
                            struct cleat_err *err)
{
    size_t i = 0;
    struct cleat_value operation = cleat_value_get(request, "operation");
    while (i < OPERATION_COUNT && !cleat_value_is(operation, operations[i].name))
        i++;
    if (i == OPERATION_COUNT)
        return cleat_err_set(err, -EINVAL, "AdmissionReview: request.operation is unknown");
    review->operation = operations[i].operation;
    int r = review_container(request, "object", CLEAT_TYPE_OBJECT, &review->object, err);
    if (r == 0)
        r = review_container(request, "oldObject", CLEAT_TYPE_OBJECT, &review->old_object, err);
    if (r < 0)
        return r;
    if (operations[i].object && !cleat_value_is_present(review->object))
        return cleat_err_set(err, -EINVAL, "AdmissionReview: request.object is absent for %s",
                             operations[i].name);
    if (operations[i].old_object && !cleat_value_is_present(review->old_object))
        return cleat_err_set(err, -EINVAL, "AdmissionReview: request.oldObject is absent for %s",
                             operations[i].name);
    return 0;
}

static int review_dry_run(struct cleat_value request, struct cleat_review *review,
                          struct cleat_err *err)
{
    int r = cleat_value_bool(cleat_value_get(request, "dryRun"), &review->dry_run);
    if (r == CLEAT_VALUE_ABSENT)
        review->dry_run = false;
    else if (r != 0)
        return cleat_err_set(err, -EINVAL, "AdmissionReview: dryRun isn't a boolean");
    return 0;
}

static int review_head(struct cleat_value root, struct cleat_value *ret_request,
                       struct cleat_err *err)
{
    if (cleat_value_type(root) != CLEAT_TYPE_OBJECT)
        return cleat_err_set(err, -EINVAL, "the body isn't a JSON object");
    if (!cleat_value_is(cleat_value_get(root, "kind"), "AdmissionReview"))
        return cleat_err_set(err, -EINVAL, "the body's kind isn't AdmissionReview");
    if (!cleat_value_is(cleat_value_get(root, "apiVersion"), "admission.k8s.io/v1"))
        return cleat_err_set(err, -EINVAL, "AdmissionReview: apiVersion isn't admission.k8s.io/v1");
    int r = review_container(root, "request", CLEAT_TYPE_OBJECT, ret_request, err);
    if (r == 0 && !cleat_value_is_present(*ret_request))
        r = cleat_err_set(err, -EINVAL, "AdmissionReview: request is absent");
    return r;
}

int cleat_review_decode(struct cleat_value root, struct cleat_review_room *room,
                        struct cleat_err *err)
{
    struct cleat_review *review = &room->review;
    int r = review_head(root, &review->request, err);
    if (r < 0)
        return r;
    r = review_text(review->request, "uid", &room->scratch[8], &review->uid, err);
    if (r == 0 && review->uid.length == 0)
        r = cleat_err_set(err, -EINVAL, "AdmissionReview: request.uid is absent");
    if (r == 0)
        r = review_kind(review->request, review, err);
    if (r == 0)
        r = review_resource(review->request, room, err);
    if (r == 0)
        r = review_operation(review->request, review, err);
    if (r == 0)
        r = review_user(review->request, room, err);
    if (r == 0)
        r = review_name(review->request, room, err);
    if (r == 0)
        r = review_dry_run(review->request, review, err);
    if (r == 0)
        r = review_container(review->request, "options", CLEAT_TYPE_OBJECT, &review->options, err);
    return r;
}
