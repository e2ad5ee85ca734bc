/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/admission_copy.h"

#include <errno.h>
#include <stdatomic.h>

#include <cleat/owner.h>

#include "kinds/mirror/copy.h"
#include "kinds/mirror/state.h"

bool cleat__mirror_is_cluster_user(struct cleat_str username)
{
    static const char *const users[] = {
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:namespace-controller",
        "system:kube-controller-manager",
    };
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
        if (cleat_str_is(username, users[i]))
            return true;
    return false;
}

static bool copy_same_mark(struct cleat_value before, struct cleat_value after, const char *member,
                           const char *key)
{
    struct cleat_value old = cleat_value_get(cleat_value_get(before, "metadata"), member);
    struct cleat_value new = cleat_value_get(cleat_value_get(after, "metadata"), member);
    return cleat_value_equal(cleat_value_get(old, key), cleat_value_get(new, key));
}

/* The owner reference with that uid, or absent. */
static struct cleat_value copy_owner_reference(struct cleat_value root, struct cleat_str uid)
{
    struct cleat_value references =
        cleat_value_get(cleat_value_get(root, "metadata"), "ownerReferences");
    for (size_t i = 0; i < cleat_value_count(references); i++) {
        struct cleat_value reference = cleat_value_at(references, i);
        if (cleat_value_is_str(cleat_value_get(reference, "uid"), uid))
            return reference;
    }
    return CLEAT_VALUE_NONE;
}

bool cleat__mirror_copy_touched(struct cleat_value before, struct cleat_value after)
{
    struct cleat_scratch scratch;
    struct cleat_str uid = cleat__mirror_copy_uid(before, &scratch);
    return !cleat__mirror_same_content(before, after) ||
           !copy_same_mark(before, after, "labels", MIRROR_LABEL) ||
           !copy_same_mark(before, after, "annotations", MIRROR_SOURCE_ANNOTATION) ||
           !copy_same_mark(before, after, "annotations", MIRROR_UID_ANNOTATION) ||
           !cleat_value_equal(copy_owner_reference(before, uid), copy_owner_reference(after, uid));
}

/* The Mirror that keeps the copy. 0, 1 where nobody does, or negative. @ret is new. */
static int copy_keeper(struct cleat_mirror *mirror, struct cleat_value copy,
                       struct cleat_object **ret, struct cleat_err *err)
{
    struct cleat_scratch name_scratch, uid_scratch;
    struct cleat_object *found = NULL;
    struct cleat_str name = cleat__mirror_copy_owner(copy, &name_scratch);
    struct cleat_str uid = cleat__mirror_copy_uid(copy, &uid_scratch);
    if (name.length == 0 || uid.length == 0)
        return 1;
    int rc = cleat_store_lookup(mirror->mirrors, CLEAT_STR(""), name, &found);
    if (rc < 0 || rc == CLEAT_STORE_NOT_SYNCED || rc == CLEAT_STORE_UNREADABLE)
        return cleat_err_set(err, -EAGAIN, "Mirrors aren't read yet");
    if (rc == 0 && !cleat_object_deleting(found) && cleat_str_equal(cleat_object_uid(found), uid)) {
        *ret = found;
        return 0;
    }
    cleat_object_unref(found);
    return 1;
}

/* True where the copy's namespace goes or is gone: it takes everything with it. The object says
 * which one that is; a review without it, or with another, mustn't make it look gone. */
static bool copy_place_is_going(struct cleat_mirror *mirror, const struct cleat_review *review)
{
    struct cleat_object *found = NULL;
    struct cleat_scratch scratch;
    struct cleat_str namespace_ =
        cleat_value_text(cleat_value_find(review->old_object, "metadata.namespace"), &scratch);
    if (namespace_.length == 0)
        namespace_ = review->namespace_;
    int rc = cleat_store_lookup(mirror->namespaces, CLEAT_STR(""), namespace_, &found);
    bool going = rc == CLEAT_STORE_MISSING || (rc == 0 && cleat_object_deleting(found));
    cleat_object_unref(found);
    return going;
}

static bool copy_is_free(const struct cleat_review *review)
{
    if (review->subresource.length > 0 || cleat__mirror_is_cluster_user(review->username))
        return true;
    if (review->operation == CLEAT_OPERATION_DELETE)
        return false;
    return review->operation != CLEAT_OPERATION_UPDATE ||
           !cleat__mirror_copy_touched(review->old_object, review->object);
}

int cleat__mirror_judge_copy(void *arg, const struct cleat_review *review,
                             struct cleat_verdict *verdict, struct cleat_err *err)
{
    struct cleat_mirror *mirror = cleat__mirror_of(arg);
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *keeper = NULL;
    /* Acquire pairs with the release of who asked: the text is whole. */
    const char *own = atomic_load_explicit(&mirror->own_username, memory_order_acquire);
    int rc = 1;
    if (!copy_is_free(review) && !(own && cleat_str_is(review->username, own)) &&
        !copy_place_is_going(mirror, review))
        rc = copy_keeper(mirror, review->old_object, &keeper, err);
    if (rc == 0 && !own)
        return cleat_err_set(err, -EAGAIN, "it isn't known yet who we are");
    if (rc == 0) {
        struct cleat_scratch scratch;
        struct cleat_value source = cleat_value_get(
            cleat_value_get(cleat_value_get(review->old_object, "metadata"), "annotations"),
            MIRROR_SOURCE_ANNOTATION);
        cleat_verdict_deny(verdict, 403, "Forbidden",
                           "this is a copy that Mirror %.*s keeps; change its source %.*s or the "
                           "Mirror instead",
                           CLEAT_STR_ARG(cleat_object_name(keeper)),
                           CLEAT_STR_ARG(cleat_value_text(source, &scratch)));
    } else if (rc > 0) {
        cleat_verdict_allow(verdict);
    }
    return rc < 0 ? rc : 0;
}
