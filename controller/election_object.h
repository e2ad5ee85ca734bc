/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock kept in an object of the API server: a Lease or a ConfigMap. Writes are full updates with
 * the resourceVersion of what was seen last; what others put into the object (labels, annotations,
 * data) stays.
 */
#ifndef CLEAT_CONTROLLER_ELECTION_OBJECT_H
#define CLEAT_CONTROLLER_ELECTION_OBJECT_H

#include <cleat/draft.h>
#include <cleat/election.h>
#include <cleat/object.h>

#define CLEAT__ELECTION_LABELS_MAX 64

/* How a kind holds the record. */
struct election_object_kind {
    struct cleat_resource resource;
    const char *api_version;
    /* Reads the record out of @object and appends its bytes to @raw. */
    int (*read)(struct cleat_value object, struct cleat_election_record *ret,
                struct cleat_buffer *raw, struct cleat_err *err);
    int (*write)(const struct cleat_election_record *record, struct cleat_draft *draft,
                 struct cleat_err *err);
};

/** A lock on object @options->namespace_/@options->name of @kind (borrowed for ever); strings are
 * copied, the client is referenced. @ret is new. 0, -EINVAL, -ENOMEM. */
int cleat__election_object_new(const struct cleat_election_options *options,
                               const struct election_object_kind *kind,
                               struct cleat_election_lock *ret,
                               struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
