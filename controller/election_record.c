/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/election_record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cleat/document.h>
#include <cleat/write.h>

static void record_text(struct cleat_value spec, const char *key, char *text, size_t bytes)
{
    struct cleat_scratch scratch;
    struct cleat_str str = cleat_value_text(cleat_value_get(spec, key), &scratch);
    size_t length = str.length < bytes ? str.length : bytes - 1;
    if (length > 0)
        memcpy(text, str.data, length);
    text[length] = '\0';
}

static void record_read(struct cleat_value object, const char *transitions,
                        struct cleat_election_record *ret)
{
    *ret = (struct cleat_election_record){
        .lease_duration_s = cleat_value_int_or(cleat_value_get(object, "leaseDurationSeconds"), 0),
        .transitions = cleat_value_int_or(cleat_value_get(object, transitions), 0),
    };
    record_text(object, "holderIdentity", ret->holder, sizeof(ret->holder));
    record_text(object, "acquireTime", ret->acquire_time, sizeof(ret->acquire_time));
    record_text(object, "renewTime", ret->renew_time, sizeof(ret->renew_time));
}

void cleat__election_record_read(struct cleat_value spec, struct cleat_election_record *ret)
{
    record_read(spec, "leaseTransitions", ret);
}

int cleat__election_record_draft(const struct cleat_election_record *record,
                                 struct cleat_draft *draft, struct cleat_err *err)
{
    int rc = cleat_draft_set_text(draft, "spec.holderIdentity", record->holder, err);
    if (rc == 0)
        rc = cleat_draft_set_int(draft, "spec.leaseDurationSeconds", record->lease_duration_s, err);
    if (rc == 0)
        rc = cleat_draft_set_int(draft, "spec.leaseTransitions", record->transitions, err);
    if (rc == 0 && record->acquire_time[0])
        rc = cleat_draft_set_text(draft, "spec.acquireTime", record->acquire_time, err);
    if (rc == 0 && record->renew_time[0])
        rc = cleat_draft_set_text(draft, "spec.renewTime", record->renew_time, err);
    return rc;
}

int cleat_election_record_parse(struct cleat_str json, struct cleat_election_record *ret,
                                struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    int rc = cleat_document_parse(json, &document, err);
    if (rc < 0)
        return rc;
    if (cleat_value_type(cleat_document_root(document)) != CLEAT_TYPE_OBJECT)
        return cleat_err_set(err, -EINVAL, "a record of leadership isn't an object");
    record_read(cleat_document_root(document), "leaderTransitions", ret);
    return 0;
}

static void write_time(struct cleat_buffer *buffer, const char *key, const char *time)
{
    cleat_buffer_format(buffer, ",\"%s\":", key);
    if (time[0])
        cleat_write_string(buffer, cleat_str_of(time));
    else
        cleat_buffer_text(buffer, "null");
}

int cleat_election_record_write(const struct cleat_election_record *record,
                                struct cleat_buffer *buffer)
{
    cleat_buffer_text(buffer, "{\"holderIdentity\":");
    cleat_write_string(buffer, cleat_str_of(record->holder));
    cleat_buffer_format(buffer, ",\"leaseDurationSeconds\":%lld",
                        (long long)record->lease_duration_s);
    write_time(buffer, "acquireTime", record->acquire_time);
    write_time(buffer, "renewTime", record->renew_time);
    cleat_buffer_format(buffer, ",\"leaderTransitions\":%lld}", (long long)record->transitions);
    return buffer->failed;
}
