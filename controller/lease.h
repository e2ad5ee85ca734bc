/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock that is a Lease of coordination.k8s.io/v1. What others put into the object (labels,
 * annotations, a strategy) stays.
 */
#ifndef CLEAT_CONTROLLER_LEASE_H
#define CLEAT_CONTROLLER_LEASE_H

#include <cleat/election.h>

/** A lock on Lease @options->namespace_/@options->name; strings are copied, the client is
 * referenced. @ret is new. */
int cleat__lease_new(const struct cleat_election_options *options, struct cleat_election_lock *ret,
                     struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
