/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/election_record.h"

#include <stdio.h>
#include <string.h>

static void record_text(struct cleat_value spec, const char *key, char *text, size_t bytes)
{
    struct cleat_scratch scratch;
    struct cleat_str str = cleat_value_text(cleat_value_get(spec, key), &scratch);
    size_t length = str.length < bytes ? str.length : bytes - 1;
    if (length > 0)
        memcpy(text, str.data, length);
    text[length] = '\0';
}

void cleat__election_record_read(struct cleat_value spec, struct election_record *ret)
{
    *ret = (struct election_record){
        .lease_duration_s = cleat_value_int_or(cleat_value_get(spec, "leaseDurationSeconds"), 0),
        .transitions = cleat_value_int_or(cleat_value_get(spec, "leaseTransitions"), 0),
    };
    record_text(spec, "holderIdentity", ret->holder, sizeof(ret->holder));
    record_text(spec, "acquireTime", ret->acquire_time, sizeof(ret->acquire_time));
    record_text(spec, "renewTime", ret->renew_time, sizeof(ret->renew_time));
}

int cleat__election_record_write(const struct election_record *record, struct cleat_draft *draft,
                                 struct cleat_err *err)
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
