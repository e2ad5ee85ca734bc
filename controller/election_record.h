/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a lock holds: the record of who leads, for how long and since when. Times are texts, kept as
 * they came; no decision is ever made from them.
 */
#ifndef CLEAT_CONTROLLER_ELECTION_RECORD_H
#define CLEAT_CONTROLLER_ELECTION_RECORD_H

#include <stdint.h>
#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/value.h>

#define CLEAT__ELECTION_HOLDER_BYTES 256
#define CLEAT__ELECTION_TIME_BYTES 48

struct election_record {
    char holder[CLEAT__ELECTION_HOLDER_BYTES]; /* "" is free */
    int64_t lease_duration_s;                  /* 0: the record has none */
    int64_t transitions;
    char acquire_time[CLEAT__ELECTION_TIME_BYTES]; /* RFC 3339 with microseconds, or "" */
    char renew_time[CLEAT__ELECTION_TIME_BYTES];
};

/** Reads a Lease's spec; what is missing or of another type is as if it were empty. */
void cleat__election_record_read(struct cleat_value spec, struct election_record *ret);
/** Sets spec.holderIdentity, leaseDurationSeconds, acquireTime, renewTime and leaseTransitions. */
int cleat__election_record_write(const struct election_record *record, struct cleat_draft *draft,
                                 struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
