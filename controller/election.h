/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an election; for election*.c, the manager and tests.
 */
#ifndef CLEAT_CONTROLLER_ELECTION_H
#define CLEAT_CONTROLLER_ELECTION_H

#include <cleat/election.h>

/** As cleat_election_stop, but the lease is given back within @release_ms (< 0: the renew
 * deadline), or runs out. */
void cleat__election_stop_within(struct cleat_election *election, int64_t release_ms);
/** Stops without releasing the lease: where something that leadership allowed may still run. */
void cleat__election_abandon(struct cleat_election *election);
/** Waits for the end of the thread, at most @timeout_ms (< 0: for ever). 0, or -ETIMEDOUT with it
 * still running. */
int cleat__election_join_ms(struct cleat_election *election, int64_t timeout_ms);
/** Makes the thread look at the clock again. */
void cleat__election_poke(struct cleat_election *election);

#endif
