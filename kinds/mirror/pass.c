/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/pass.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "kinds/mirror/conflict.h"
#include "kinds/mirror/consent.h"

void cleat__mirror_pass_fini(struct mirror_pass *pass)
{
    for (size_t i = 0; i < pass->rival_count; i++) {
        cleat__mirror_spec_fini(&pass->rivals[i].spec);
        cleat_object_unref(pass->rivals[i].object);
    }
    pass->rivals = cleat_mem_free(pass->rivals);
    pass->places = cleat_mem_free(pass->places);
    cleat__mirror_content_fini(&pass->content);
    cleat__mirror_spec_fini(&pass->spec);
    pass->last = cleat_object_unref(pass->last);
    pass->source = cleat_object_unref(pass->source);
    pass->object = cleat_object_unref(pass->object);
}

void cleat__mirror_pass_again(struct mirror_pass *pass, int64_t ms)
{
    if (pass->again_ms == 0 || ms < pass->again_ms)
        pass->again_ms = ms;
}

bool cleat__mirror_pass_is_full(const struct mirror_pass *pass)
{
    return pass->writes >= MIRROR_WRITES_MAX || pass->unanswered ||
           cleat_context_stopping(pass->context);
}

/* Room for one more element of @size bytes; the array may move. */
static int pass_room(void *array, size_t count, size_t *capacity, size_t size)
{
    void **memory = array;
    if (count < *capacity)
        return 0;
    size_t wanted = *capacity > 0 ? *capacity * 2 : 16;
    void *grown = cleat_mem_realloc(*memory, wanted * size);
    if (!grown)
        return -ENOMEM;
    *memory = grown;
    *capacity = wanted;
    return 0;
}

static int pass_rival(void *arg, struct cleat_object *object)
{
    struct mirror_pass *pass = arg;
    struct mirror_spec spec;
    if (cleat_str_equal(cleat_object_name(object), cleat_object_name(pass->object)) ||
        cleat_object_deleting(object) ||
        cleat__mirror_spec_read(cleat_object_value(object), &spec, NULL) < 0)
        return 0;
    if (!cleat__mirror_same_place(&pass->spec, &spec)) {
        cleat__mirror_spec_fini(&spec);
        return 0;
    }
    void *array = pass->rivals;
    int rc =
        pass_room(&array, pass->rival_count, &pass->rival_capacity, sizeof(struct mirror_rival));
    pass->rivals = array;
    if (rc < 0) {
        cleat__mirror_spec_fini(&spec);
        return rc;
    }
    pass->rivals[pass->rival_count++] = (struct mirror_rival){
        cleat_object_ref(object), spec, cleat__mirror_is_older(object, pass->object)};
    return 0;
}

int cleat__mirror_pass_rivals(struct mirror_pass *pass, struct cleat_err *err)
{
    int rc = cleat_store_each(pass->mirror->mirrors, NULL, pass_rival, pass);
    return rc < 0 ? cleat_err_set(err, rc, "Mirrors can't be listed") : 0;
}

static int pass_add_place(struct mirror_pass *pass, struct cleat_str name)
{
    void *array = pass->places;
    int rc =
        pass_room(&array, pass->place_count, &pass->place_capacity, sizeof(struct mirror_place));
    pass->places = array;
    if (rc == 0)
        (void)snprintf(pass->places[pass->place_count++].namespace_,
                       sizeof(pass->places->namespace_), "%.*s", CLEAT_STR_ARG(name));
    return rc;
}

static bool pass_source_allows(const struct mirror_pass *pass, struct cleat_str name)
{
    return !pass->source ||
           cleat__mirror_source_allows(cleat_object_annotations(pass->source), name);
}

static int pass_place(void *arg, struct cleat_object *object)
{
    struct mirror_pass *pass = arg;
    const struct mirror_namespace namespace_ = {
        cleat_object_name(object), cleat_object_labels(object), cleat_object_deleting(object)};
    bool named = cleat__mirror_list_has(pass->spec.namespaces, namespace_.name);
    switch (cleat__mirror_target_of(&pass->spec, &namespace_, pass->mirror->own_namespace)) {
    case MIRROR_TARGET_NONE: return 0;
    case MIRROR_TARGET_TERMINATING: pass->tally.terminating++; return 0;
    case MIRROR_TARGET_REFUSED: pass->tally.refusing++; return 0;
    case MIRROR_TARGET_WANTED: break;
    }
    if (pass_source_allows(pass, namespace_.name))
        return pass_add_place(pass, namespace_.name);
    if (named)
        cleat__mirror_tally_fail(&pass->tally, namespace_.name, MIRROR_REFUSED,
                                 "the source's annotation " MIRROR_ALLOWED_ANNOTATION
                                 " doesn't allow this namespace");
    else
        pass->tally.unserved++;
    return 0;
}

static int place_compare(const void *a, const void *b)
{
    const struct mirror_place *left = a, *right = b;
    return strcmp(left->namespace_, right->namespace_);
}

int cleat__mirror_pass_places(struct mirror_pass *pass, struct cleat_err *err)
{
    int rc = cleat_store_each(pass->mirror->namespaces, NULL, pass_place, pass);
    if (rc < 0)
        return cleat_err_set(err, rc, "namespaces can't be listed");
    if (pass->place_count > 1)
        qsort(pass->places, pass->place_count, sizeof(*pass->places), place_compare);
    size_t absent = 0;
    for (size_t i = 0; i < cleat_value_count(pass->spec.namespaces); i++) {
        struct cleat_scratch scratch;
        struct cleat_object *found = NULL;
        struct cleat_str name =
            cleat_value_text(cleat_value_at(pass->spec.namespaces, i), &scratch);
        rc = cleat_store_lookup(pass->mirror->namespaces, CLEAT_STR(""), name, &found);
        absent += rc == CLEAT_STORE_MISSING;
        cleat_object_unref(found);
    }
    pass->tally.absent = absent;
    pass->tally.desired = pass->place_count;
    return 0;
}

bool cleat__mirror_pass_wants(const struct mirror_pass *pass, struct cleat_str namespace_)
{
    struct mirror_place key;
    (void)snprintf(key.namespace_, sizeof(key.namespace_), "%.*s", CLEAT_STR_ARG(namespace_));
    return pass->place_count > 0 && bsearch(&key, pass->places, pass->place_count,
                                            sizeof(*pass->places), place_compare) != NULL;
}

int cleat__mirror_pass_elder(const struct mirror_pass *pass, struct cleat_str namespace_,
                             const struct mirror_rival **ret)
{
    struct cleat_object *object = NULL;
    const struct mirror_rival *elder = NULL;
    *ret = NULL;
    if (pass->rival_count == 0)
        return 0;
    int rc = cleat_store_lookup(pass->mirror->namespaces, CLEAT_STR(""), namespace_, &object);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    const struct mirror_namespace place = {namespace_, cleat_object_labels(object), false};
    for (size_t i = 0; i < pass->rival_count && !elder; i++)
        if (pass->rivals[i].older && cleat__mirror_target_reaches(&pass->rivals[i].spec, &place,
                                                                  pass->mirror->own_namespace))
            elder = &pass->rivals[i];
    cleat_object_unref(object);
    *ret = elder;
    return 0;
}

/* True where a write failed because its namespace is going or gone. */
static bool failure_is_of_namespace(const struct cleat_err *err)
{
    return strstr(err->text, "being terminated") || strstr(err->text, "NamespaceTerminating");
}

/* Nothing was wrong with the write: it was overtaken, and an event will tell or already has. */
static bool failure_is_race(int code)
{
    return code == -EAGAIN || code == -EEXIST || code == -ENOENT;
}

void cleat__mirror_note_failure(struct mirror_pass *pass, struct cleat_str namespace_, int code,
                                const struct cleat_err *err)
{
    if (code == -EACCES && failure_is_of_namespace(err)) {
        pass->tally.terminating++;
        pass->tally.desired--;
        return;
    }
    if (failure_is_race(code)) {
        cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_PROGRESSING,
                                 "changed meanwhile; looked at again");
        cleat__mirror_pass_again(pass, MIRROR_SOON_MS);
        return;
    }
    bool refused = err->http_status >= 400 && err->http_status < 500 && code != -EBUSY;
    cleat__mirror_tally_fail(&pass->tally, namespace_, MIRROR_FAILED, "%s", cleat_err_text(err));
    pass->denied = pass->denied || code == -EACCES;
    pass->unanswered = pass->unanswered || err->http_status == 0;
    if (refused) {
        cleat__mirror_pass_again(pass, MIRROR_AGAIN_MS);
    } else if (pass->failed == 0) {
        pass->failed = code;
        pass->error = *err;
    }
}
