/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The election as a state machine without I/O: records and the time go in, what to do next comes
 * out.
 *
 *   candidate: read ─► create | free, expired or ours: update ─► leader | held: wait, jittered
 *   leader:    update what was last seen ─► refused: read ─► ours: update | another's: lost |
 * nothing: again soon last success + renew deadline passed: lost stopping:  update to nobody's ─►
 * refused: read ─► still ours: update ─► ended
 *
 * A lease of another has expired when its bytes haven't changed for the duration that it names, by
 * our own clock since we saw them first; times in the record are never compared with ours. All
 * times are of the boot-time clock, which goes on while the machine sleeps. Source: client-go,
 * tools/leaderelection/leaderelection.go, whose behaviour is matched but for: a leader that finds
 * another's record has lost at once, and the time of a renewal is that of its beginning.
 */
#ifndef CLEAT_CONTROLLER_ELECTION_MACHINE_H
#define CLEAT_CONTROLLER_ELECTION_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/buffer.h>
#include <cleat/clock.h>
#include <cleat/election.h>
#include <cleat/macro.h>

struct election_timing {
    int64_t lease_duration_ms;
    int64_t renew_deadline_ms;
    int64_t retry_period_ms;
};

enum election_action {
    ELECTION_WAIT,   /* until until_boot_ms */
    ELECTION_READ,   /* the lock's record; answer by seen, absent or failed */
    ELECTION_CREATE, /* step.record; answer by written or failed */
    ELECTION_UPDATE, /* step.record over what was last seen; answer by written or failed */
    ELECTION_ENDED,  /* lost, or released: nothing more will come */
};

struct election_step {
    enum election_action action;
    int64_t until_boot_ms; /* WAIT: when to ask again; else: when the call must be over */
    struct cleat_election_record record;
};

enum election_phase {
    ELECTION_CANDIDATE,
    ELECTION_LEADER,
    ELECTION_RELEASING,
    ELECTION_OVER,
};

struct election_machine {
    struct election_timing timing;
    char identity[CLEAT_ELECTION_HOLDER_BYTES];
    const struct cleat_clock
        *clock; /* borrowed; wall time for records, random numbers for jitter */
    enum election_phase phase;
    enum election_action next;
    int64_t next_boot_ms;    /* WAIT: until */
    int64_t attempt_boot_ms; /* beginning of the attempt, which may take several calls */
    int64_t asked_boot_ms;   /* beginning of the call that is out */
    bool slow;               /* the attempt had to read first */
    int64_t renewed_boot_ms; /* LEADER: beginning of the last call that succeeded */
    int64_t seen_boot_ms;    /* when the record's bytes were first seen as they are */
    int64_t release_until_boot_ms;
    struct cleat_buffer raw; /* the record's bytes as last seen; empty: none or our own */
    struct cleat_election_record seen;
    bool has_seen;
    uint64_t slow_paths; /* renewals that had to read first */
};

/** Checks L7's rule: lease > renew > retry × 1.2, all above 0. 0 or -EINVAL. */
int cleat__election_timing_check(const struct election_timing *timing,
                                 struct cleat_err *err) CLEAT_MUST_CHECK;

void cleat__election_machine_init(struct election_machine *machine,
                                  const struct election_timing *timing, const char *identity,
                                  const struct cleat_clock *clock);
void cleat__election_machine_fini(struct election_machine *machine);
/** What to do at @now_boot_ms. */
void cleat__election_machine_next(struct election_machine *machine, int64_t now_boot_ms,
                                  struct election_step *ret);
/** Answers READ: @raw are the record's bytes. */
void cleat__election_machine_seen(struct election_machine *machine, int64_t now_boot_ms,
                                  struct cleat_str raw, const struct cleat_election_record *record);
/** Answers READ: there is no lock yet. */
void cleat__election_machine_absent(struct election_machine *machine, int64_t now_boot_ms);
/** Answers CREATE and UPDATE: done; @record is what was written. */
void cleat__election_machine_written(struct election_machine *machine, int64_t now_boot_ms,
                                     const struct cleat_election_record *record);
/** Answers anything: it didn't work. */
void cleat__election_machine_failed(struct election_machine *machine, int64_t now_boot_ms);
/** From now on the lease is to be given back, within @release_ms (< 0: the renew deadline; 0: not
 * at all), and the end to be reached. */
void cleat__election_machine_stop(struct election_machine *machine, int64_t now_boot_ms,
                                  int64_t release_ms);
bool cleat__election_machine_leading(const struct election_machine *machine);
/** Until when writing is allowed; 0: not leading. */
int64_t cleat__election_machine_deadline(const struct election_machine *machine);

#endif
