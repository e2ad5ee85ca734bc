/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One copy: made where nothing is, mended where ours is wrong, left and reported where it isn't
 * ours to take. Every write carries a precondition: create-only, resourceVersion, or uid with it.
 */
#include <errno.h>
#include <stdio.h>

#include <cleat/owner.h>

#include "base/check.h"
#include "kinds/mirror/conflict.h"
#include "kinds/mirror/consent.h"
#include "kinds/mirror/never.h"
#include "kinds/mirror/pass.h"

static struct cleat_client_target put_target(const struct mirror_pass *pass,
                                             struct cleat_str namespace_)
{
    return (struct cleat_client_target){&pass->resource, namespace_.data, pass->spec.copy_name.data,
                                        NULL};
}

static struct cleat_client_call put_call(const struct mirror_pass *pass)
{
    return (struct cleat_client_call){.deadline_mono_ms = pass->context->deadline_mono_ms};
}

static void put_wrote(struct mirror_pass *pass, struct cleat_str namespace_, size_t *counter)
{
    ++*counter;
    if (!pass->tally.first[0])
        (void)snprintf(pass->tally.first, sizeof(pass->tally.first), "%.*s",
                       CLEAT_STR_ARG(namespace_));
}

static struct mirror_contest_key put_contest_key(const struct mirror_pass *pass,
                                                 struct cleat_str namespace_)
{
    return (struct mirror_contest_key){
        .uid = cleat_object_uid(pass->object),
        .namespace_ = namespace_,
        .generation = cleat_object_generation(pass->object),
        .source_version = cleat_object_resource_version(pass->source),
    };
}

/* What the API server answered is what counts. Steals @answer. */
static void put_take_answer(struct mirror_pass *pass, struct cleat_str namespace_, bool repair,
                            struct cleat_object *answer)
{
    struct mirror_contest_key key = put_contest_key(pass, namespace_);
    int64_t now_ms = cleat_clock_mono_ms(pass->context->clock);
    int state =
        cleat__mirror_copy_compare(&pass->marks, &pass->content, cleat_object_value(answer));
    bool differs = state != MIRROR_COPY_TRUE;
    cleat_object_unref(pass->last);
    pass->last = answer;
    if (repair || differs)
        cleat__mirror_contest_note(&pass->mirror->contest, &key, differs, now_ms);
    if (!differs) {
        pass->tally.ready++;
        return;
    }
    cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_FAILED,
                             "the copy isn't what was written: something else changes it on its "
                             "way in");
    cleat__mirror_pass_again(pass, MIRROR_CONTEST_FIRST_MS);
}

/* 0, or the client's failure, which is the caller's to note. */
static int put_create(struct mirror_pass *pass, struct cleat_str namespace_, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_client_target target = put_target(pass, namespace_);
    struct cleat_client_call call = put_call(pass);
    struct cleat_object *answer = NULL;
    target.name = NULL;
    int rc = cleat__mirror_copy_body(&pass->marks, &pass->content, namespace_, NULL, &draft, err);
    if (rc < 0)
        return rc;
    pass->writes++;
    rc = cleat_client_create(pass->context->client, &target, cleat_draft_value(draft), &call,
                             &answer, err);
    if (rc < 0)
        return rc;
    put_wrote(pass, namespace_, &pass->tally.copied);
    put_take_answer(pass, namespace_, false, answer);
    return 0;
}

/* True where the source has changed since the last pass: then an update is no repair. */
static bool put_source_is_new(const struct mirror_pass *pass)
{
    struct cleat_value seen = cleat_object_find(pass->object, "status.sourceResourceVersion");
    return !cleat_value_is_str(seen, cleat_object_resource_version(pass->source)) ||
           cleat_value_int_or(cleat_object_find(pass->object, "status.observedGeneration"), -1) !=
               cleat_object_generation(pass->object);
}

static void put_update(struct mirror_pass *pass, struct cleat_str namespace_,
                       struct cleat_object *existing, bool repair)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_client_target target = put_target(pass, namespace_);
    struct cleat_client_call call = put_call(pass);
    struct cleat_object *answer = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int rc =
        cleat__mirror_copy_body(&pass->marks, &pass->content, namespace_, existing, &draft, &err);
    if (rc == 0) {
        pass->writes++;
        rc = cleat_client_update(pass->context->client, &target, cleat_draft_value(draft), &call,
                                 &answer, &err);
    }
    if (rc < 0) {
        cleat__mirror_note_failure(pass, namespace_, rc, &err);
        return;
    }
    put_wrote(pass, namespace_, repair ? &pass->tally.repaired : &pass->tally.copied);
    put_take_answer(pass, namespace_, repair, answer);
}

static int put_delete(struct mirror_pass *pass, struct cleat_str namespace_,
                      const struct cleat_object *existing, struct cleat_err *err)
{
    struct cleat_client_target target = put_target(pass, namespace_);
    struct cleat_client_call call = put_call(pass);
    call.uid = cleat_object_uid(existing).data;
    call.precondition_resource_version = cleat_object_resource_version(existing).data;
    pass->writes++;
    return cleat_client_delete(pass->context->client, &target, &call, NULL, err);
}

/* What can't be changed in place. */
static void put_anew(struct mirror_pass *pass, struct cleat_str namespace_,
                     const struct cleat_object *existing)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int rc = put_delete(pass, namespace_, existing, &err);
    if (rc == 0)
        rc = put_create(pass, namespace_, &err);
    if (rc < 0)
        cleat__mirror_note_failure(pass, namespace_, rc, &err);
}

/* Our own copy, unless it is as it should be. */
static void put_mend(struct mirror_pass *pass, struct cleat_str namespace_,
                     struct cleat_object *existing)
{
    struct mirror_contest_key key = put_contest_key(pass, namespace_);
    int state =
        cleat__mirror_copy_compare(&pass->marks, &pass->content, cleat_object_value(existing));
    if (state == MIRROR_COPY_TRUE) {
        pass->tally.ready++;
        return;
    }
    int64_t wait_ms = cleat__mirror_contest_wait_ms(&pass->mirror->contest, &key,
                                                    cleat_clock_mono_ms(pass->context->clock));
    if (wait_ms > 0) {
        cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_FAILED,
                                 "the copy is changed by something else each time it is written");
        cleat__mirror_pass_again(pass, wait_ms);
    } else if (state == MIRROR_COPY_ANEW) {
        put_anew(pass, namespace_, existing);
    } else {
        put_update(pass, namespace_, existing, !put_source_is_new(pass));
    }
}

/* Our copy whose owner refuses it by annotation: it becomes an object like any other. */
static void put_release(struct mirror_pass *pass, struct cleat_str namespace_,
                        struct cleat_object *existing)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_client_target target = put_target(pass, namespace_);
    struct cleat_client_call call = put_call(pass);
    struct cleat_err err = CLEAT_ERR_INIT;
    int rc = cleat__mirror_copy_release(existing, &draft, &err);
    if (rc == 0) {
        pass->writes++;
        rc = cleat_client_update(pass->context->client, &target, cleat_draft_value(draft), &call,
                                 NULL, &err);
    }
    if (rc < 0) {
        cleat__mirror_note_failure(pass, namespace_, rc, &err);
        return;
    }
    put_wrote(pass, namespace_, &pass->tally.removed);
    cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_CONFLICT,
                             "the object refuses copies by its annotation " MIRROR_REFUSE_KEY);
    cleat__mirror_pass_again(pass, MIRROR_AGAIN_MS);
}

static void put_conflict(struct mirror_pass *pass, struct cleat_str namespace_, const char *text)
{
    cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_CONFLICT, "%s", text);
    cleat__mirror_pass_again(pass, MIRROR_AGAIN_MS);
}

struct put_look {
    const struct mirror_pass *pass;
    struct cleat_str uid, namespace_;
    struct cleat_object *found; /* owned reference */
};

static int put_look_owner(void *arg, struct cleat_object *object)
{
    struct put_look *look = arg;
    if (!cleat_str_equal(cleat_object_uid(object), look->uid))
        return 0;
    look->found = cleat_object_ref(object);
    return 1;
}

static int put_look_source(void *arg, struct cleat_object *object)
{
    struct put_look *look = arg;
    struct mirror_spec spec;
    char api_version[CLEAT_API_VERSION_BYTES_MAX];
    const struct cleat_gvk *gvk = &look->pass->resource.gvk;
    if (cleat__mirror_spec_read(cleat_object_value(object), &spec, NULL) < 0)
        return 0;
    bool is = cleat__mirror_is_source_of(
        &spec, cleat_str_of(cleat_gvk_api_version(gvk, api_version)), cleat_str_of(gvk->kind),
        look->namespace_, look->pass->spec.copy_name);
    cleat__mirror_spec_fini(&spec);
    if (is)
        look->found = cleat_object_ref(object);
    return is;
}

/* Of the Mirrors that are there; NULL where none fits. New reference. */
static struct cleat_object *put_find_mirror(struct mirror_pass *pass, struct put_look *look,
                                            int (*fn)(void *, struct cleat_object *))
{
    look->pass = pass;
    cleat_ignore(cleat_store_each(pass->mirror->mirrors, NULL, fn, look)); /* found tells */
    return look->found;
}

/* True where the copy of Mirror @owner is ours to have: it is younger and wants the same place. */
static bool put_may_adopt(const struct mirror_pass *pass, const struct cleat_object *owner,
                          struct cleat_object *namespace_)
{
    const struct mirror_namespace place = {cleat_object_name(namespace_),
                                           cleat_object_labels(namespace_), false};
    for (size_t i = 0; i < pass->rival_count; i++)
        if (!pass->rivals[i].older &&
            cleat_str_equal(cleat_object_uid(pass->rivals[i].object), cleat_object_uid(owner)))
            return cleat__mirror_target_reaches(&pass->rivals[i].spec, &place,
                                                pass->mirror->own_namespace);
    return false;
}

/* True where the object is another Mirror's, which has been dealt with then. */
static bool put_other_mirrors(struct mirror_pass *pass, struct cleat_str namespace_,
                              struct cleat_object *existing)
{
    struct cleat_scratch scratch;
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *owner = NULL;
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *place = NULL;
    struct put_look look = {.uid = cleat__mirror_copy_uid(cleat_object_value(existing), &scratch)};
    if (look.uid.length > 0)
        owner = put_find_mirror(pass, &look, put_look_owner);
    if (!owner && look.uid.length > 0 &&
        cleat_owner_has_uid(cleat_object_value(existing), look.uid)) {
        cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_PROGRESSING,
                                 "the copy of a Mirror that is gone waits to be collected");
        cleat__mirror_pass_again(pass, 10 * MIRROR_SOON_MS);
        return true;
    }
    if (!owner)
        return false;
    if (cleat_store_lookup(pass->mirror->namespaces, CLEAT_STR(""), namespace_, &place) == 0 &&
        put_may_adopt(pass, owner, place)) {
        put_update(pass, namespace_, existing, false);
        return true;
    }
    char text[MIRROR_MESSAGE_BYTES];
    (void)snprintf(text, sizeof(text), "an object of that name is a copy of Mirror %.*s",
                   CLEAT_STR_ARG(cleat_object_name(owner)));
    put_conflict(pass, namespace_, text);
    return true;
}

/* An object of that name that isn't ours. */
static void put_foreign(struct mirror_pass *pass, struct cleat_str namespace_,
                        struct cleat_object *existing)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *source_of = NULL;
    struct put_look look = {.namespace_ = namespace_};
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_value root = cleat_object_value(existing);
    if (put_other_mirrors(pass, namespace_, existing))
        return;
    if (!pass->spec.replace) {
        put_conflict(pass, namespace_, "an object of that name exists and isn't this Mirror's");
        return;
    }
    source_of = put_find_mirror(pass, &look, put_look_source);
    if (source_of) {
        char text[MIRROR_MESSAGE_BYTES];
        (void)snprintf(text, sizeof(text), "an object of that name is the source of Mirror %.*s",
                       CLEAT_STR_ARG(cleat_object_name(source_of)));
        put_conflict(pass, namespace_, text);
    } else if (cleat__mirror_may_replace(root, &err) < 0) {
        put_conflict(pass, namespace_, cleat_err_text(&err));
    } else if (cleat__mirror_copy_compare(&pass->marks, &pass->content, root) == MIRROR_COPY_ANEW) {
        put_anew(pass, namespace_, existing);
    } else {
        put_update(pass, namespace_, existing, false);
    }
}

static void put_judge(struct mirror_pass *pass, struct cleat_str namespace_,
                      struct cleat_object *existing)
{
    if (cleat_object_deleting(existing)) {
        cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_PROGRESSING,
                                 "an object of that name is being deleted");
        cleat__mirror_pass_again(pass, 10 * MIRROR_SOON_MS);
    } else if (!cleat__mirror_copy_is_of(cleat_object_value(existing),
                                         cleat_object_uid(pass->object))) {
        put_foreign(pass, namespace_, existing);
    } else if (cleat__mirror_refuses(cleat_object_annotations(existing))) {
        put_release(pass, namespace_, existing);
    } else {
        put_mend(pass, namespace_, existing);
    }
}

/* What the cache doesn't hold: nothing, or an object without our label. */
static void put_unseen(struct mirror_pass *pass, struct cleat_str namespace_)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *existing = NULL;
    struct cleat_client_target target = put_target(pass, namespace_);
    struct cleat_client_call call = put_call(pass);
    struct cleat_err err = CLEAT_ERR_INIT;
    int rc = put_create(pass, namespace_, &err);
    if (rc == -EEXIST) {
        cleat_err_clear(&err);
        rc = cleat_client_get(pass->context->client, &target, &call, &existing, &err);
    }
    if (rc == -ENOENT && strstr(err.text, "namespaces")) {
        pass->tally.absent++;
        pass->tally.desired--;
    } else if (rc < 0) {
        cleat__mirror_note_failure(pass, namespace_, rc, &err);
    } else if (existing) {
        put_judge(pass, namespace_, existing);
    }
}

/* Told in the status, and tried again soon. */
static void put_lacks_memory(struct mirror_pass *pass, struct cleat_str namespace_, int code)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    (void)cleat_err_set(&err, code, "out of memory"); /* returned by the pass */
    cleat__mirror_note_failure(pass, namespace_, code, &err);
}

void cleat__mirror_put(struct mirror_pass *pass, struct cleat_str namespace_)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *existing = NULL;
    const struct mirror_rival *elder = NULL;
    int rc = cleat__mirror_pass_elder(pass, namespace_, &elder);
    if (rc < 0) {
        put_lacks_memory(pass, namespace_, rc);
        return;
    }
    if (elder) {
        char text[MIRROR_MESSAGE_BYTES];
        (void)snprintf(text, sizeof(text), "Mirror %.*s, which is older, copies to the same name",
                       CLEAT_STR_ARG(cleat_object_name(elder->object)));
        put_conflict(pass, namespace_, text);
        return;
    }
    if (cleat__mirror_pass_is_full(pass)) {
        cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_PROGRESSING, "not looked at yet");
        cleat__mirror_pass_again(pass, 1);
        return;
    }
    rc = cleat_store_lookup(pass->held.store, namespace_, pass->spec.copy_name, &existing);
    if (rc == CLEAT_STORE_UNREADABLE)
        cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_FAILED,
                                 "the object that is there can't be read");
    else if (rc < 0)
        put_lacks_memory(pass, namespace_, rc);
    else if (rc == 0)
        put_judge(pass, namespace_, existing);
    else
        put_unseen(pass, namespace_);
}

/* ---- what should not be any more ---- */

struct sweep {
    struct mirror_pass *pass;
    const struct mirror_held *held;
    bool all;
};

static bool sweep_keeps(const struct sweep *sweep, const struct cleat_object *copy)
{
    struct mirror_pass *pass = sweep->pass;
    struct cleat_str namespace_ = cleat_object_namespace(copy);
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *place = NULL;
    if (!cleat__mirror_copy_is_of(cleat_object_value(copy), cleat_object_uid(pass->object)) ||
        cleat_object_deleting(copy))
        return true;
    /* A namespace that goes takes everything with it. */
    if (cleat_store_lookup(pass->mirror->namespaces, CLEAT_STR(""), namespace_, &place) != 0 ||
        cleat_object_deleting(place))
        return true;
    if (sweep->all || !cleat_str_equal(cleat_object_name(copy), pass->spec.copy_name))
        return false;
    /* What an older Mirror wants, or may want, is its own to adopt. */
    const struct mirror_rival *elder = NULL;
    return cleat__mirror_pass_wants(pass, namespace_) ||
           cleat__mirror_pass_elder(pass, namespace_, &elder) < 0 || elder != NULL;
}

static int sweep_one(void *arg, struct cleat_object *copy)
{
    struct sweep *sweep = arg;
    struct mirror_pass *pass = sweep->pass;
    struct cleat_str namespace_ = cleat_object_namespace(copy);
    struct cleat_err err = CLEAT_ERR_INIT;
    if (sweep_keeps(sweep, copy))
        return 0;
    if (cleat__mirror_pass_is_full(pass)) {
        cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_PROGRESSING,
                                 "a copy is still to be removed");
        cleat__mirror_pass_again(pass, 1);
        return 0;
    }
    const struct cleat_client_target target = {sweep->held->resource, namespace_.data,
                                               cleat_object_name(copy).data, NULL};
    struct cleat_client_call call = put_call(pass);
    call.uid = cleat_object_uid(copy).data;
    call.precondition_resource_version = cleat_object_resource_version(copy).data;
    pass->writes++;
    int rc = cleat_client_delete(pass->context->client, &target, &call, NULL, &err);
    if (rc == 0)
        put_wrote(pass, namespace_, &pass->tally.removed);
    else if (rc != -ENOENT)
        cleat__mirror_note_failure(pass, namespace_, rc, &err);
    return 0;
}

int cleat__mirror_sweep(struct mirror_pass *pass, const struct mirror_held *held, bool all,
                        struct cleat_err *err)
{
    char name[256];
    struct sweep sweep = {pass, held, all};
    (void)snprintf(name, sizeof(name), "%.*s", CLEAT_STR_ARG(cleat_object_name(pass->object)));
    const struct cleat_store_query query = {.index = held->index, .index_value = name};
    int rc = cleat_store_each(held->store, &query, sweep_one, &sweep);
    return rc < 0 ? cleat_err_set(err, rc, "copies can't be listed") : 0;
}
