/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in objects of the API server: a Lease's spec, and the JSON that client-go's old locks put
 * into an annotation.
 */
#ifndef CLEAT_CONTROLLER_ELECTION_RECORD_H
#define CLEAT_CONTROLLER_ELECTION_RECORD_H

#include <cleat/draft.h>
#include <cleat/election.h>
#include <cleat/err.h>
#include <cleat/value.h>

/** Reads a Lease's spec; what is missing or of another type is as if it were empty. */
void cleat__election_record_read(struct cleat_value spec, struct cleat_election_record *ret);
/** Sets spec.holderIdentity, leaseDurationSeconds, acquireTime, renewTime and leaseTransitions. */
int cleat__election_record_draft(const struct cleat_election_record *record,
                                 struct cleat_draft *draft, struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
