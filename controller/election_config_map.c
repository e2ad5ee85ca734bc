/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/election_config_map.h"

#include <cleat/path.h>

#include "controller/election_object.h"

#define RECORD_PATH "metadata.annotations[\"" CLEAT__ELECTION_ANNOTATION "\"]"

static int config_map_read(struct cleat_value object, struct cleat_election_record *ret,
                           struct cleat_buffer *raw, struct cleat_err *err)
{
    struct cleat_scratch scratch;
    struct cleat_str json = cleat_value_text(cleat_value_find(object, RECORD_PATH), &scratch);
    *ret = (struct cleat_election_record){0};
    if (json.length == 0)
        return 0; /* nobody has stood yet */
    int rc = cleat_election_record_parse(json, ret, err);
    if (rc < 0) {
        cleat_err_prefix(err, "annotation " CLEAT__ELECTION_ANNOTATION);
        return rc;
    }
    cleat_buffer_str(raw, json);
    return raw->failed;
}

static int config_map_write(const struct cleat_election_record *record, struct cleat_draft *draft,
                            struct cleat_err *err)
{
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_ELECTION_RECORD_BYTES_MAX);
    int rc = cleat_election_record_write(record, &json);
    if (rc == 0)
        rc = cleat_draft_set_str(draft, RECORD_PATH, cleat_buffer_view(&json), err);
    cleat_buffer_fini(&json);
    return rc;
}

static const struct election_object_kind config_map_kind = {
    .resource = {.gvk = {.group = "", .version = "v1", .kind = "ConfigMap"},
                 .plural = "configmaps",
                 .singular = "configmap",
                 .namespaced = true,
                 .verbs = CLEAT_VERB_GET | CLEAT_VERB_CREATE | CLEAT_VERB_UPDATE},
    .api_version = "v1",
    .read = config_map_read,
    .write = config_map_write,
};

int cleat__election_config_map_new(const struct cleat_election_options *options,
                                   struct cleat_election_lock *ret, struct cleat_err *err)
{
    return cleat__election_object_new(options, &config_map_kind, ret, err);
}
