/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/lease.h"

#include <errno.h>

#include <cleat/document.h>
#include <cleat/draft.h>
#include <cleat/recorder.h>
#include <cleat/write.h>

#include "base/mem.h"

static const struct cleat_resource lease_resource = {
    .gvk = {.group = "coordination.k8s.io", .version = "v1", .kind = "Lease"},
    .plural = "leases",
    .singular = "lease",
    .namespaced = true,
    .verbs = CLEAT_VERB_GET | CLEAT_VERB_CREATE | CLEAT_VERB_UPDATE,
};

struct lease {
    struct cleat_client *client;
    struct cleat_recorder *recorder; /* borrowed; may be NULL */
    char *namespace_;
    char *name;
    struct cleat_object *seen; /* the Lease as the server gave it last; NULL: none yet */
};

static struct cleat_client_target lease_target(const struct lease *lease)
{
    return (struct cleat_client_target){
        .resource = &lease_resource,
        .namespace_ = lease->namespace_,
        .name = lease->name,
    };
}

/* @object is stolen. */
static void lease_keep(struct lease *lease, struct cleat_object *object)
{
    cleat_object_unref(lease->seen);
    lease->seen = object;
}

static int lease_read(void *arg, int64_t deadline_mono_ms, struct election_record *ret,
                      struct cleat_buffer *raw, struct cleat_err *err)
{
    struct lease *lease = arg;
    struct cleat_client_target target = lease_target(lease);
    struct cleat_client_call call = {.deadline_mono_ms = deadline_mono_ms};
    struct cleat_object *object = NULL;
    int rc = cleat_client_get(lease->client, &target, &call, &object, err);
    if (rc == -ENOENT) {
        lease_keep(lease, NULL);
        cleat_err_clear(err);
        return CLEAT__LOCK_ABSENT;
    }
    if (rc < 0)
        return rc;
    lease_keep(lease, object);
    struct cleat_value spec = cleat_value_get(cleat_object_value(object), "spec");
    cleat__election_record_read(spec, ret);
    return cleat_value_is_present(spec) ? cleat_write_json(raw, spec, err) : 0;
}

static int lease_create(void *arg, int64_t deadline_mono_ms, const struct election_record *record,
                        struct cleat_err *err)
{
    struct lease *lease = arg;
    struct cleat_client_target target = lease_target(lease);
    struct cleat_client_call call = {.deadline_mono_ms = deadline_mono_ms};
    struct cleat_object *object = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int rc = cleat_draft_new(CLEAT_VALUE_NONE, &draft, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "apiVersion", "coordination.k8s.io/v1", err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "kind", "Lease", err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "metadata.name", lease->name, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "metadata.namespace", lease->namespace_, err);
    if (rc == 0)
        rc = cleat__election_record_write(record, draft, err);
    if (rc == 0) {
        target.name = NULL;
        rc = cleat_client_create(lease->client, &target, cleat_draft_value(draft), &call, &object,
                                 err);
    }
    if (rc == 0)
        lease_keep(lease, object);
    return rc;
}

static int lease_update(void *arg, int64_t deadline_mono_ms, const struct election_record *record,
                        struct cleat_err *err)
{
    struct lease *lease = arg;
    struct cleat_client_target target = lease_target(lease);
    struct cleat_client_call call = {.deadline_mono_ms = deadline_mono_ms};
    struct cleat_object *object = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    if (!lease->seen) {
        return cleat_err_set(err, -ENOENT, "lease %s/%s wasn't read yet", lease->namespace_,
                             lease->name);
    }
    int rc = cleat_draft_new(cleat_object_value(lease->seen), &draft, err);
    if (rc == 0)
        rc = cleat__election_record_write(record, draft, err);
    if (rc == 0) {
        rc = cleat_client_update_draft(lease->client, &target, lease->seen, draft, &call, &object,
                                       err);
    }
    if (rc == 0)
        lease_keep(lease, object);
    return rc;
}

static void lease_note(void *arg, const char *text)
{
    struct lease *lease = arg;
    struct cleat_event_note note = {
        .regarding = lease->seen,
        .reason = "LeaderElection",
        .action = "LeaderElection",
        .note = text,
    };
    if (lease->recorder && lease->seen)
        cleat_recorder_post(lease->recorder, &note);
}

static void lease_free(void *arg)
{
    struct lease *lease = arg;
    cleat_object_unref(lease->seen);
    cleat_client_unref(lease->client);
    cleat_mem_free(lease->namespace_);
    cleat_mem_free(lease->name);
    cleat_mem_free(lease);
}

static const struct election_lock_ops lease_ops = {
    .read = lease_read,
    .create = lease_create,
    .update = lease_update,
    .note = lease_note,
    .free = lease_free,
};

int cleat__lease_new(const struct cleat_election_options *options, struct election_lock *ret,
                     struct cleat_err *err)
{
    if (!options->client || !options->namespace_ || !options->namespace_[0] || !options->name ||
        !options->name[0]) {
        return cleat_err_set(err, -EINVAL,
                             "leader election: a client, a namespace and a name are needed");
    }
    struct lease *lease = cleat_mem_zalloc(1, sizeof(*lease));
    if (!lease)
        return cleat_err_set(err, -ENOMEM, "leader election: out of memory");
    lease->client = cleat_client_ref(options->client);
    lease->recorder = options->recorder;
    lease->namespace_ = cleat_mem_strdup(options->namespace_);
    lease->name = cleat_mem_strdup(options->name);
    if (!lease->namespace_ || !lease->name) {
        lease_free(lease);
        return cleat_err_set(err, -ENOMEM, "leader election: out of memory");
    }
    *ret = (struct election_lock){&lease_ops, lease};
    return 0;
}
