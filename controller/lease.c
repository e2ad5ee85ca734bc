/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/lease.h"

#include <cleat/write.h>

#include "controller/election_object.h"
#include "controller/election_record.h"

static int lease_read(struct cleat_value object, struct cleat_election_record *ret,
                      struct cleat_buffer *raw, struct cleat_err *err)
{
    struct cleat_value spec = cleat_value_get(object, "spec");
    cleat__election_record_read(spec, ret);
    return cleat_value_is_present(spec) ? cleat_write_json(raw, spec, err) : 0;
}

static const struct election_object_kind lease_kind = {
    .resource = {.gvk = {.group = "coordination.k8s.io", .version = "v1", .kind = "Lease"},
                 .plural = "leases",
                 .singular = "lease",
                 .namespaced = true,
                 .verbs = CLEAT_VERB_GET | CLEAT_VERB_CREATE | CLEAT_VERB_UPDATE},
    .api_version = "coordination.k8s.io/v1",
    .read = lease_read,
    .write = cleat__election_record_draft,
};

int cleat__lease_new(const struct cleat_election_options *options, struct cleat_election_lock *ret,
                     struct cleat_err *err)
{
    return cleat__election_object_new(options, &lease_kind, ret, err);
}
