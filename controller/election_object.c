/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/election_object.h"

#include <errno.h>
#include <stdio.h>

#include <cleat/name.h>
#include <cleat/path.h>
#include <cleat/recorder.h>

#include "base/mem.h"

struct lock_object {
    const struct election_object_kind *kind;
    struct cleat_client *client;
    struct cleat_recorder *recorder; /* borrowed; may be NULL */
    char *namespace_;
    char *name;
    char *label;               /* "namespace/name" */
    char **pairs;              /* names and values of labels by turns; NULL-terminated, or NULL */
    struct cleat_object *seen; /* as the server gave it last; NULL: none yet */
};

static struct cleat_client_target lock_target(const struct lock_object *lock)
{
    return (struct cleat_client_target){
        .resource = &lock->kind->resource,
        .namespace_ = lock->namespace_,
        .name = lock->name,
    };
}

/* @object is stolen. */
static void lock_keep(struct lock_object *lock, struct cleat_object *object)
{
    cleat_object_unref(lock->seen);
    lock->seen = object;
}

static int lock_read(void *arg, int64_t deadline_mono_ms, struct cleat_election_record *ret,
                     struct cleat_buffer *raw, struct cleat_err *err)
{
    struct lock_object *lock = arg;
    struct cleat_client_target target = lock_target(lock);
    struct cleat_client_call call = {.deadline_mono_ms = deadline_mono_ms};
    struct cleat_object *object = NULL;
    int rc = cleat_client_get(lock->client, &target, &call, &object, err);
    if (rc == -ENOENT) {
        lock_keep(lock, NULL);
        cleat_err_clear(err);
        return CLEAT_ELECTION_ABSENT;
    }
    if (rc < 0)
        return rc;
    lock_keep(lock, object);
    return lock->kind->read(cleat_object_value(object), ret, raw, err);
}

static int lock_labels(const struct lock_object *lock, struct cleat_draft *draft,
                       struct cleat_err *err)
{
    int rc = 0;
    for (char **pair = lock->pairs; rc == 0 && pair && *pair; pair += 2) {
        const struct cleat_path path = {
            .count = 3,
            .segments = {{CLEAT_SEGMENT_KEY, CLEAT_STR("metadata"), 0},
                         {CLEAT_SEGMENT_KEY, CLEAT_STR("labels"), 0},
                         {CLEAT_SEGMENT_KEY, cleat_str_of(pair[0]), 0}}};
        rc = cleat_draft_set_str_at(draft, &path, cleat_str_of(pair[1]), err);
    }
    return rc;
}

/* What @record makes of the object, on top of what the draft was started over. */
static int lock_fill(const struct lock_object *lock, const struct cleat_election_record *record,
                     struct cleat_draft *draft, struct cleat_err *err)
{
    int rc = lock_labels(lock, draft, err);
    return rc == 0 ? lock->kind->write(record, draft, err) : rc;
}

static int lock_create(void *arg, int64_t deadline_mono_ms,
                       const struct cleat_election_record *record, struct cleat_err *err)
{
    struct lock_object *lock = arg;
    const struct cleat_client_target target = {.resource = &lock->kind->resource,
                                               .namespace_ = lock->namespace_};
    struct cleat_client_call call = {.deadline_mono_ms = deadline_mono_ms};
    struct cleat_object *object = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int rc = cleat_draft_new(CLEAT_VALUE_NONE, &draft, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "apiVersion", lock->kind->api_version, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "kind", lock->kind->resource.gvk.kind, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "metadata.name", lock->name, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "metadata.namespace", lock->namespace_, err);
    if (rc == 0)
        rc = lock_fill(lock, record, draft, err);
    if (rc == 0) {
        rc = cleat_client_create(lock->client, &target, cleat_draft_value(draft), &call, &object,
                                 err);
    }
    if (rc == 0)
        lock_keep(lock, object);
    return rc;
}

static int lock_update(void *arg, int64_t deadline_mono_ms,
                       const struct cleat_election_record *record, struct cleat_err *err)
{
    struct lock_object *lock = arg;
    struct cleat_client_target target = lock_target(lock);
    struct cleat_client_call call = {.deadline_mono_ms = deadline_mono_ms};
    struct cleat_object *object = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    if (!lock->seen) {
        return cleat_err_set(err, -ENOENT, "%s %s wasn't read yet", lock->kind->resource.singular,
                             lock->label);
    }
    int rc = cleat_draft_new(cleat_object_value(lock->seen), &draft, err);
    if (rc == 0)
        rc = lock_fill(lock, record, draft, err);
    if (rc == 0) {
        rc = cleat_client_update_draft(lock->client, &target, lock->seen, draft, &call, &object,
                                       err);
    }
    if (rc == 0)
        lock_keep(lock, object);
    return rc;
}

static void lock_record_event(void *arg, const char *text)
{
    struct lock_object *lock = arg;
    struct cleat_event_note note = {
        .regarding = lock->seen,
        .reason = "LeaderElection",
        .action = "LeaderElection",
        .note = text,
    };
    if (lock->recorder && lock->seen)
        cleat_recorder_post(lock->recorder, &note);
}

static const char *lock_describe(void *arg)
{
    struct lock_object *lock = arg;
    return lock->label;
}

static void lock_free(void *arg)
{
    struct lock_object *lock = arg;
    cleat_object_unref(lock->seen);
    cleat_client_unref(lock->client);
    for (char **text = lock->pairs; text && *text; text++)
        cleat_mem_free(*text);
    cleat_mem_free(lock->pairs);
    cleat_mem_free(lock->label);
    cleat_mem_free(lock->namespace_);
    cleat_mem_free(lock->name);
    cleat_mem_free(lock);
}

static const struct cleat_election_lock_ops lock_ops = {
    .read = lock_read,
    .create = lock_create,
    .update = lock_update,
    .record_event = lock_record_event,
    .describe = lock_describe,
    .free = lock_free,
};

static int lock_copy_labels(struct lock_object *lock, const char *const *labels,
                            struct cleat_err *err)
{
    size_t count = 0;
    while (labels[count]) {
        bool value = count % 2 == 1;
        struct cleat_str text = cleat_str_of(labels[count]);
        bool valid = value ? cleat_name_is_label_value(text) : cleat_name_is_label_key(text);
        if (!valid || count >= 2 * CLEAT__ELECTION_LABELS_MAX) {
            return cleat_err_set(err, -EINVAL, "leader election: \"%.100s\" %s", labels[count],
                                 valid   ? "is a label too many"
                                 : value ? "isn't a label's value"
                                         : "isn't a label's name");
        }
        count++;
    }
    if (count % 2 == 1)
        return cleat_err_set(err, -EINVAL, "leader election: label %s has no value",
                             labels[count - 1]);
    lock->pairs = cleat_mem_zalloc(count + 1, sizeof(*lock->pairs));
    if (!lock->pairs)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        lock->pairs[i] = cleat_mem_strdup(labels[i]);
        if (!lock->pairs[i])
            return -ENOMEM;
    }
    return 0;
}

static int lock_set_up(struct lock_object *lock, const struct cleat_election_options *options,
                       struct cleat_err *err)
{
    lock->client = cleat_client_ref(options->client);
    lock->recorder = options->recorder;
    lock->namespace_ = cleat_mem_strdup(options->namespace_);
    lock->name = cleat_mem_strdup(options->name);
    lock->label = cleat_mem_format("%s/%s", options->namespace_, options->name);
    if (!lock->namespace_ || !lock->name || !lock->label)
        return -ENOMEM;
    return options->labels ? lock_copy_labels(lock, options->labels, err) : 0;
}

int cleat__election_object_new(const struct cleat_election_options *options,
                               const struct election_object_kind *kind,
                               struct cleat_election_lock *ret, struct cleat_err *err)
{
    if (!options->client || !options->namespace_ || !options->namespace_[0] || !options->name ||
        !options->name[0]) {
        return cleat_err_set(err, -EINVAL,
                             "leader election: a client, a namespace and a name are needed");
    }
    struct lock_object *lock = cleat_mem_zalloc(1, sizeof(*lock));
    if (!lock)
        return cleat_err_set(err, -ENOMEM, "leader election: out of memory");
    lock->kind = kind;
    int rc = lock_set_up(lock, options, err);
    if (rc < 0) {
        lock_free(lock);
        return cleat_err_set(err, rc, "leader election: out of memory"); /* unless it said more */
    }
    *ret = (struct cleat_election_lock){&lock_ops, lock};
    return 0;
}
