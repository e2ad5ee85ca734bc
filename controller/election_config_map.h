/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock that is a ConfigMap: the record is JSON in an annotation, as client-go's configmaps lock
 * kept it. A record that can't be read belongs to somebody: it is an error, never a free lock.
 */
#ifndef CLEAT_CONTROLLER_ELECTION_CONFIG_MAP_H
#define CLEAT_CONTROLLER_ELECTION_CONFIG_MAP_H

#include <cleat/election.h>

#define CLEAT__ELECTION_ANNOTATION "control-plane.alpha.kubernetes.io/leader"

/** A lock on ConfigMap @options->namespace_/@options->name; strings are copied, the client is
 * referenced. @ret is new. */
int cleat__election_config_map_new(const struct cleat_election_options *options,
                                   struct cleat_election_lock *ret,
                                   struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
