/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/election_machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cleat/time.h>

#include "base/check.h"
#include "base/limits.h"

#define JITTER_PERMILLE 1200 /* of the retry period, at most, on top of it */
#define REQUEST_MS_MIN 1000
#define RECORD_BYTES_MAX (64 * CLEAT_KIB)
#define RELEASED_LEASE_S 1

int cleat__election_timing_check(const struct election_timing *timing, struct cleat_err *err)
{
    bool valid = timing->retry_period_ms > 0 &&
                 timing->lease_duration_ms > timing->renew_deadline_ms &&
                 timing->renew_deadline_ms * 10 > timing->retry_period_ms * 12;
    if (valid)
        return 0;
    return cleat_err_set(err, -EINVAL,
                         "leader election: lease duration %lld ms, renew deadline %lld ms and "
                         "retry period %lld ms must hold lease > renew > retry x 1.2 > 0",
                         (long long)timing->lease_duration_ms, (long long)timing->renew_deadline_ms,
                         (long long)timing->retry_period_ms);
}

void cleat__election_machine_init(struct election_machine *machine,
                                  const struct election_timing *timing, const char *identity,
                                  const struct cleat_clock *clock)
{
    *machine = (struct election_machine){
        .timing = *timing,
        .clock = clock,
        .phase = ELECTION_CANDIDATE,
        .next = ELECTION_WAIT,
        .next_boot_ms = INT64_MIN,
    };
    cleat_buffer_init(&machine->raw, RECORD_BYTES_MAX);
    (void)snprintf(machine->identity, sizeof(machine->identity), "%s",
                   identity); /* cut on both sides alike */
}

void cleat__election_machine_fini(struct election_machine *machine)
{
    cleat_buffer_fini(&machine->raw);
}

bool cleat__election_machine_leading(const struct election_machine *machine)
{
    return machine->phase == ELECTION_LEADER;
}

int64_t cleat__election_machine_deadline(const struct election_machine *machine)
{
    return machine->phase == ELECTION_LEADER
               ? machine->renewed_boot_ms + machine->timing.renew_deadline_ms
               : 0;
}

/* ---- records ---- */

static void record_now(const struct election_machine *machine, char text[CLEAT_ELECTION_TIME_BYTES])
{
    char written[CLEAT_TIME_BYTES];
    int64_t wall_us = cleat_clock_wall_ms(machine->clock) * 1000;
    (void)snprintf(text, CLEAT_ELECTION_TIME_BYTES, "%s",
                   cleat_time_write_micro(wall_us, written)); /* fits */
}

static bool record_ours(const struct election_machine *machine)
{
    return machine->has_seen && strcmp(machine->seen.holder, machine->identity) == 0;
}

/* The record that makes or keeps us the leader. */
static void record_make(const struct election_machine *machine, struct cleat_election_record *ret)
{
    *ret = (struct cleat_election_record){
        .lease_duration_s = (machine->timing.lease_duration_ms + 999) / 1000,
    };
    memcpy(ret->holder, machine->identity, sizeof(ret->holder));
    record_now(machine, ret->renew_time);
    if (record_ours(machine)) {
        ret->transitions = machine->seen.transitions;
        memcpy(ret->acquire_time, machine->seen.acquire_time, sizeof(ret->acquire_time));
    } else {
        ret->transitions = machine->has_seen ? machine->seen.transitions + 1 : 0;
        memcpy(ret->acquire_time, ret->renew_time, sizeof(ret->acquire_time));
    }
}

/* The record that gives the lease back: nobody's, and over within a second. */
static void record_release(const struct election_machine *machine,
                           struct cleat_election_record *ret)
{
    *ret = (struct cleat_election_record){
        .lease_duration_s = RELEASED_LEASE_S,
        .transitions = machine->seen.transitions,
    };
    record_now(machine, ret->renew_time);
    memcpy(ret->acquire_time, ret->renew_time, sizeof(ret->acquire_time));
}

static int64_t record_duration_ms(const struct election_machine *machine)
{
    const int64_t year_s = INT64_C(3600) * 24 * 366;
    int64_t duration_s = machine->seen.lease_duration_s;
    if (duration_s <= 0)
        return machine->timing.lease_duration_ms;
    return (duration_s < year_s ? duration_s : year_s) * 1000;
}

/* ---- what comes next ---- */

static void machine_wait(struct election_machine *machine, int64_t until_boot_ms)
{
    machine->next = ELECTION_WAIT;
    machine->next_boot_ms = until_boot_ms;
}

/* The attempt of a candidate is over: the next one comes a retry period later and up to 1.2 of them
 * more. */
static void candidate_wait(struct election_machine *machine, int64_t now_boot_ms)
{
    uint64_t jitter_max_ms = (uint64_t)machine->timing.retry_period_ms * JITTER_PERMILLE / 1000;
    int64_t jitter_ms = (int64_t)cleat_clock_random_below(machine->clock, jitter_max_ms + 1);
    machine_wait(machine, now_boot_ms + machine->timing.retry_period_ms + jitter_ms);
}

/* The attempt of a leader, or to release, is over: the next one comes a retry period after this one
 * began. */
static void leader_wait(struct election_machine *machine, int64_t now_boot_ms)
{
    int64_t until_ms = machine->attempt_boot_ms + machine->timing.retry_period_ms;
    machine_wait(machine, until_ms > now_boot_ms ? until_ms : now_boot_ms);
}

static void machine_over(struct election_machine *machine)
{
    machine->phase = ELECTION_OVER;
    machine->next = ELECTION_ENDED;
}

/* A leader whose deadline has passed is none any more, whatever is under way. */
static bool machine_lost(const struct election_machine *machine, int64_t now_boot_ms)
{
    return machine->phase == ELECTION_LEADER &&
           now_boot_ms >= cleat__election_machine_deadline(machine);
}

static int64_t call_until(const struct election_machine *machine, int64_t now_boot_ms)
{
    int64_t limit_ms = machine->timing.renew_deadline_ms / 2;
    int64_t until_ms = now_boot_ms + (limit_ms > REQUEST_MS_MIN ? limit_ms : REQUEST_MS_MIN);
    int64_t deadline_ms = machine->phase == ELECTION_RELEASING
                              ? machine->release_until_boot_ms
                              : cleat__election_machine_deadline(machine);
    return deadline_ms > 0 && deadline_ms < until_ms ? deadline_ms : until_ms;
}

void cleat__election_machine_next(struct election_machine *machine, int64_t now_boot_ms,
                                  struct election_step *ret)
{
    if (machine_lost(machine, now_boot_ms) ||
        (machine->phase == ELECTION_RELEASING && now_boot_ms >= machine->release_until_boot_ms))
        machine_over(machine);
    if (machine->next == ELECTION_WAIT && now_boot_ms >= machine->next_boot_ms) {
        /* Who leads writes over what it saw last; who doesn't has to look first. */
        machine->next = machine->phase == ELECTION_LEADER ? ELECTION_UPDATE : ELECTION_READ;
        machine->attempt_boot_ms = now_boot_ms;
        machine->slow = machine->next == ELECTION_READ;
    }
    *ret = (struct election_step){.action = machine->next};
    if (machine->next == ELECTION_WAIT) {
        int64_t deadline_ms = cleat__election_machine_deadline(machine);
        bool sooner = deadline_ms > 0 && deadline_ms < machine->next_boot_ms;
        ret->until_boot_ms = sooner ? deadline_ms : machine->next_boot_ms;
        return;
    }
    machine->asked_boot_ms = now_boot_ms;
    ret->until_boot_ms = call_until(machine, now_boot_ms);
    if (machine->phase == ELECTION_RELEASING)
        record_release(machine, &ret->record);
    else
        record_make(machine, &ret->record);
}

/* ---- answers ---- */

static void machine_note(struct election_machine *machine, int64_t now_boot_ms,
                         struct cleat_str raw, const struct cleat_election_record *record)
{
    if (!machine->has_seen || !cleat_str_equal(raw, cleat_buffer_view(&machine->raw))) {
        cleat_buffer_reset(&machine->raw);
        (void)cleat_buffer_str(&machine->raw,
                               raw); /* without memory the bytes count as changed: we wait longer */
        machine->seen_boot_ms = now_boot_ms;
    }
    machine->seen = *record;
    machine->has_seen = true;
}

static void candidate_seen(struct election_machine *machine, int64_t now_boot_ms)
{
    bool free = machine->seen.holder[0] == '\0' || record_ours(machine) ||
                now_boot_ms >= machine->seen_boot_ms + record_duration_ms(machine);
    if (free)
        machine->next = ELECTION_UPDATE;
    else
        candidate_wait(machine, now_boot_ms);
}

void cleat__election_machine_seen(struct election_machine *machine, int64_t now_boot_ms,
                                  struct cleat_str raw, const struct cleat_election_record *record)
{
    cleat_assert(machine->next == ELECTION_READ || machine->phase == ELECTION_OVER);
    machine_note(machine, now_boot_ms, raw, record);
    switch (machine->phase) {
    case ELECTION_CANDIDATE: candidate_seen(machine, now_boot_ms); break;
    case ELECTION_LEADER:
    case ELECTION_RELEASING:
        if (record_ours(machine))
            machine->next = ELECTION_UPDATE;
        else
            machine_over(machine);
        break;
    case ELECTION_OVER: break;
    }
}

void cleat__election_machine_absent(struct election_machine *machine, int64_t now_boot_ms)
{
    cleat_assert(machine->next == ELECTION_READ || machine->phase == ELECTION_OVER);
    machine->has_seen = false;
    cleat_buffer_reset(&machine->raw);
    if (machine->phase == ELECTION_RELEASING)
        machine_over(machine);
    else if (machine->phase != ELECTION_OVER)
        machine->next = ELECTION_CREATE;
}

void cleat__election_machine_written(struct election_machine *machine, int64_t now_boot_ms,
                                     const struct cleat_election_record *record)
{
    cleat_assert(machine->next == ELECTION_CREATE || machine->next == ELECTION_UPDATE ||
                 machine->phase == ELECTION_OVER);
    machine->seen = *record;
    machine->has_seen = true;
    machine->seen_boot_ms = machine->asked_boot_ms;
    cleat_buffer_reset(&machine->raw);
    if (machine->phase == ELECTION_RELEASING) {
        machine_over(machine);
    } else if (machine->phase != ELECTION_OVER) {
        machine->phase = ELECTION_LEADER;
        machine->renewed_boot_ms = machine->asked_boot_ms;
        leader_wait(machine, now_boot_ms);
    }
}

void cleat__election_machine_failed(struct election_machine *machine, int64_t now_boot_ms)
{
    if (machine->phase == ELECTION_OVER)
        return;
    if (machine->phase == ELECTION_CANDIDATE) {
        candidate_wait(machine, now_boot_ms);
    } else if (machine->next == ELECTION_UPDATE && !machine->slow) {
        /* What was seen last isn't what is there: read it, and try once more in this attempt. */
        machine->slow = true;
        machine->slow_paths++;
        machine->next = ELECTION_READ;
    } else {
        leader_wait(machine, now_boot_ms);
    }
}

void cleat__election_machine_stop(struct election_machine *machine, int64_t now_boot_ms,
                                  int64_t release_ms)
{
    int64_t most_ms = machine->timing.renew_deadline_ms;
    if (machine->phase == ELECTION_LEADER && release_ms != 0 &&
        !machine_lost(machine, now_boot_ms)) {
        machine->phase = ELECTION_RELEASING;
        machine->next = ELECTION_UPDATE;
        machine->attempt_boot_ms = now_boot_ms;
        machine->slow = false;
        machine->release_until_boot_ms =
            now_boot_ms + (release_ms > 0 && release_ms < most_ms ? release_ms : most_ms);
    } else if (machine->phase != ELECTION_RELEASING) {
        machine_over(machine);
    }
}
