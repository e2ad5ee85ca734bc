/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/election_machine.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define LEASE_MS 15000
#define RENEW_MS 10000
#define RETRY_MS 2000

struct fixture {
    struct cleat_fake_clock fake;
    struct election_machine machine;
    struct election_step step;
};

static void fixture_open(struct fixture *f)
{
    const struct election_timing timing = {LEASE_MS, RENEW_MS, RETRY_MS};
    cleat_fake_clock_init(&f->fake);
    cleat__election_machine_init(&f->machine, &timing, "me", &f->fake.clock);
}

static void fixture_close(struct fixture *f)
{
    cleat__election_machine_fini(&f->machine);
}

static int64_t now(struct fixture *f)
{
    return cleat_clock_boot_ms(&f->fake.clock);
}

static enum election_action next(struct fixture *f)
{
    cleat__election_machine_next(&f->machine, now(f), &f->step);
    return f->step.action;
}

/* The lock says: @holder, renewed for the @version'th time. */
static void seen(struct fixture *f, const char *holder, int version)
{
    char raw[128];
    struct cleat_election_record record = {.lease_duration_s = 15, .transitions = 3};
    (void)snprintf(record.holder, sizeof(record.holder), "%s", holder);
    (void)snprintf(record.acquire_time, sizeof(record.acquire_time), "then");
    (void)snprintf(record.renew_time, sizeof(record.renew_time), "t%d", version);
    (void)snprintf(raw, sizeof(raw), "%s %d", holder, version);
    cleat__election_machine_seen(&f->machine, now(f), cleat_str_of(raw), &record);
}

static void written(struct fixture *f)
{
    struct cleat_election_record record = f->step.record;
    cleat__election_machine_written(&f->machine, now(f), &record);
}

static void failed(struct fixture *f)
{
    cleat__election_machine_failed(&f->machine, now(f));
}

static void win(struct fixture *f)
{
    ck_assert_int_eq(next(f), ELECTION_READ);
    cleat__election_machine_absent(&f->machine, now(f));
    ck_assert_int_eq(next(f), ELECTION_CREATE);
    written(f);
    ck_assert(cleat__election_machine_leading(&f->machine));
}

START_TEST(test_timing)
{
    static const struct {
        struct election_timing timing;
        int rc;
    } cases[] = {
        {{15000, 10000, 2000}, 0}, {{10000, 10000, 2000}, -EINVAL}, {{15000, 2400, 2000}, -EINVAL},
        {{15000, 2401, 2000}, 0},  {{15000, 10000, 0}, -EINVAL},    {{15000, 10000, -1}, -EINVAL},
        {{0, 0, 0}, -EINVAL},      {{9000, 10000, 2000}, -EINVAL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_int_eq(cleat__election_timing_check(&cases[i].timing, NULL), cases[i].rc);
}
END_TEST

START_TEST(test_creates_where_there_is_none)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    ck_assert_int_eq(f.step.until_boot_ms - now(&f),
                     RENEW_MS / 2); /* one hung call can't eat the deadline */
    cleat__election_machine_absent(&f.machine, now(&f));
    ck_assert_int_eq(next(&f), ELECTION_CREATE);
    ck_assert_str_eq(f.step.record.holder, "me");
    ck_assert_int_eq(f.step.record.lease_duration_s, 15);
    ck_assert_int_eq(f.step.record.transitions, 0);
    ck_assert_str_eq(f.step.record.acquire_time, f.step.record.renew_time);
    ck_assert_str_eq(f.step.record.renew_time, "2026-01-02T03:04:05.678000Z");
    ck_assert(!cleat__election_machine_leading(&f.machine));
    ck_assert_int_eq(cleat__election_machine_deadline(&f.machine), 0);
    int64_t asked_ms = now(&f);
    cleat_fake_clock_advance_ms(
        &f.fake, 300); /* the call takes its time: the deadline counts from its beginning */
    written(&f);
    ck_assert(cleat__election_machine_leading(&f.machine));
    ck_assert_int_eq(cleat__election_machine_deadline(&f.machine), asked_ms + RENEW_MS);
    fixture_close(&f);
}
END_TEST

START_TEST(test_another_was_faster)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    cleat__election_machine_absent(&f.machine, now(&f));
    ck_assert_int_eq(next(&f), ELECTION_CREATE);
    failed(&f);
    ck_assert_int_eq(next(&f), ELECTION_WAIT);
    ck_assert(!cleat__election_machine_leading(&f.machine));
    fixture_close(&f);
}
END_TEST

/* Sleeps are retry × (1 + up to 1.2), never the same for all replicas, measured from the end of the
 * try. */
START_TEST(test_acquire_jitter)
{
    struct fixture f;
    int64_t least = INT64_MAX, most = 0;
    fixture_open(&f);
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(next(&f), ELECTION_READ);
        cleat_fake_clock_advance_ms(&f.fake, 100);
        failed(&f);
        ck_assert_int_eq(next(&f), ELECTION_WAIT);
        int64_t wait_ms = f.step.until_boot_ms - now(&f);
        least = wait_ms < least ? wait_ms : least;
        most = wait_ms > most ? wait_ms : most;
        cleat_fake_clock_advance_ms(&f.fake, wait_ms);
    }
    ck_assert_int_ge(least, RETRY_MS);
    ck_assert_int_lt(least, RETRY_MS + 200);
    ck_assert_int_le(most, RETRY_MS * 22 / 10);
    ck_assert_int_gt(most, RETRY_MS * 20 / 10);
    fixture_close(&f);
}
END_TEST

/* Waits until the machine asks for the lock again and tells what is there. */
static void look(struct fixture *f, const char *holder, int version)
{
    while (next(f) == ELECTION_WAIT)
        cleat_fake_clock_advance_ms(&f->fake, f->step.until_boot_ms - now(f));
    ck_assert_int_eq(f->step.action, ELECTION_READ);
    seen(f, holder, version);
}

/* The times in the record are never looked at: what counts is when its bytes changed, by our clock.
 */
START_TEST(test_held_until_the_bytes_stand_still)
{
    struct fixture f;
    int64_t changed_ms = 0;
    fixture_open(&f);
    for (int version = 0; version < 20; version++) {
        look(&f, "other", version);
        changed_ms = now(&f);
        ck_assert_int_eq(next(&f), ELECTION_WAIT);
    }
    while (next(&f) != ELECTION_UPDATE) {
        ck_assert_int_lt(now(&f), changed_ms + LEASE_MS + 2 * RETRY_MS * 22 / 10);
        look(&f, "other", 19);
    }
    ck_assert_int_ge(now(&f), changed_ms + LEASE_MS);
    ck_assert_int_eq(f.step.record.transitions, 4);
    ck_assert_str_eq(f.step.record.holder, "me");
    ck_assert_str_ne(f.step.record.acquire_time, "then");
    written(&f);
    ck_assert(cleat__election_machine_leading(&f.machine));
    fixture_close(&f);
}
END_TEST

/* An old lease of a dead leader costs a full duration from first sight. */
START_TEST(test_first_sight)
{
    struct fixture f;
    fixture_open(&f);
    int64_t start_ms = now(&f);
    look(&f, "dead", 1);
    while (next(&f) != ELECTION_UPDATE)
        look(&f, "dead", 1);
    ck_assert_int_ge(now(&f) - start_ms, LEASE_MS);
    fixture_close(&f);
}
END_TEST

/* The duration is the record's, not ours; time in suspend counts. */
START_TEST(test_duration_of_the_record)
{
    struct fixture f;
    struct cleat_election_record record = {.holder = "other", .lease_duration_s = 60};
    fixture_open(&f);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    cleat__election_machine_seen(&f.machine, now(&f), CLEAT_STR("x"), &record);
    cleat_fake_clock_advance_ms(&f.fake, 59000);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    cleat__election_machine_seen(&f.machine, now(&f), CLEAT_STR("x"), &record);
    ck_assert_int_eq(next(&f), ELECTION_WAIT);
    cleat_fake_clock_suspend_ms(&f.fake, 5000);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    cleat__election_machine_seen(&f.machine, now(&f), CLEAT_STR("x"), &record);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    fixture_close(&f);
}
END_TEST

START_TEST(test_empty_holder_is_free)
{
    struct fixture f;
    fixture_open(&f);
    look(&f, "", 1);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    ck_assert_int_eq(f.step.record.transitions, 4);
    fixture_close(&f);
}
END_TEST

START_TEST(test_own_record_is_taken_up)
{
    struct fixture f;
    fixture_open(&f);
    look(&f, "me", 1);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    ck_assert_int_eq(f.step.record.transitions, 3);
    ck_assert_str_eq(f.step.record.acquire_time, "then");
    fixture_close(&f);
}
END_TEST

START_TEST(test_renews)
{
    struct fixture f;
    fixture_open(&f);
    win(&f);
    for (int i = 0; i < 10; i++) {
        int64_t renewed_ms = f.machine.renewed_boot_ms;
        ck_assert_int_eq(next(&f), ELECTION_WAIT);
        ck_assert_int_eq(f.step.until_boot_ms, renewed_ms + RETRY_MS);
        cleat_fake_clock_advance_ms(&f.fake, f.step.until_boot_ms - now(&f));
        ck_assert_int_eq(next(&f), ELECTION_UPDATE); /* without reading first */
        ck_assert_int_eq(f.step.record.transitions, 0);
        cleat_fake_clock_advance_ms(&f.fake, 50);
        written(&f);
    }
    ck_assert_uint_eq(f.machine.slow_paths, 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_slow_path)
{
    struct fixture f;
    fixture_open(&f);
    win(&f);
    cleat_fake_clock_advance_ms(&f.fake, RETRY_MS);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    failed(&f);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    ck_assert_uint_eq(f.machine.slow_paths, 1);
    seen(&f, "me", 9);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    ck_assert_int_eq(f.step.record.transitions, 3); /* as somebody made it */
    written(&f);
    ck_assert_int_eq(next(&f), ELECTION_WAIT);
    ck_assert(cleat__election_machine_leading(&f.machine));
    fixture_close(&f);
}
END_TEST

/* Whatever fails, an attempt is at most three calls, and the next one comes a retry period later.
 */
START_TEST(test_outage)
{
    struct fixture f;
    int calls = 0;
    fixture_open(&f);
    win(&f);
    int64_t deadline_ms = cleat__election_machine_deadline(&f.machine);
    for (;;) {
        enum election_action action = next(&f);
        if (action == ELECTION_ENDED)
            break;
        if (action == ELECTION_WAIT) {
            ck_assert(cleat__election_machine_leading(&f.machine));
            ck_assert_int_le(f.step.until_boot_ms, deadline_ms);
            cleat_fake_clock_advance_ms(&f.fake, f.step.until_boot_ms - now(&f));
            continue;
        }
        ck_assert_int_le(f.step.until_boot_ms, deadline_ms);
        calls++;
        if (action == ELECTION_READ && calls % 2)
            seen(&f, "me", calls);
        else
            failed(&f);
    }
    ck_assert_int_eq(now(&f), deadline_ms);
    ck_assert(!cleat__election_machine_leading(&f.machine));
    ck_assert_int_eq(cleat__election_machine_deadline(&f.machine), 0);
    ck_assert_int_ge(calls, 8);
    ck_assert_int_le(calls, 15);
    fixture_close(&f);
}
END_TEST

/* Asleep beyond the deadline: the first step after waking up is the loss. */
START_TEST(test_suspended)
{
    struct fixture f;
    fixture_open(&f);
    win(&f);
    ck_assert_int_eq(next(&f), ELECTION_WAIT);
    cleat_fake_clock_suspend_ms(&f.fake, RENEW_MS);
    ck_assert_int_eq(next(&f), ELECTION_ENDED);
    fixture_close(&f);
}
END_TEST

/* The answer of a renewal that comes after the deadline doesn't bring leadership back. */
START_TEST(test_late_answer)
{
    struct fixture f;
    fixture_open(&f);
    win(&f);
    cleat_fake_clock_advance_ms(&f.fake, RETRY_MS);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    cleat_fake_clock_advance_ms(&f.fake, RENEW_MS + LEASE_MS);
    written(&f); /* it began in time, but what it allowed is over */
    ck_assert_int_eq(next(&f), ELECTION_ENDED);
    fixture_close(&f);
}
END_TEST

START_TEST(test_another_leads)
{
    struct fixture f;
    fixture_open(&f);
    win(&f);
    cleat_fake_clock_advance_ms(&f.fake, RETRY_MS);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    failed(&f);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    seen(&f, "other", 1);
    ck_assert(!cleat__election_machine_leading(&f.machine));
    ck_assert_int_eq(next(&f), ELECTION_ENDED);
    fixture_close(&f);
}
END_TEST

START_TEST(test_deleted_lease_is_made_again)
{
    struct fixture f;
    fixture_open(&f);
    win(&f);
    cleat_fake_clock_advance_ms(&f.fake, RETRY_MS);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    failed(&f);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    cleat__election_machine_absent(&f.machine, now(&f));
    ck_assert_int_eq(next(&f), ELECTION_CREATE);
    written(&f);
    ck_assert(cleat__election_machine_leading(&f.machine));
    fixture_close(&f);
}
END_TEST

START_TEST(test_release)
{
    struct fixture f;
    fixture_open(&f);
    win(&f);
    cleat__election_machine_stop(&f.machine, now(&f), -1);
    ck_assert(!cleat__election_machine_leading(&f.machine));
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    ck_assert_str_eq(f.step.record.holder, "");
    ck_assert_int_eq(f.step.record.lease_duration_s, 1);
    written(&f);
    ck_assert_int_eq(next(&f), ELECTION_ENDED);
    fixture_close(&f);
}
END_TEST

/* Who has little time to stop gives up sooner; more than the renew deadline nobody has. */
START_TEST(test_release_bounded)
{
    static const struct {
        int64_t release_ms, most_ms;
    } cases[] = {{700, 700}, {-1, RENEW_MS}, {RENEW_MS + 1, RENEW_MS}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_open(&f);
        win(&f);
        int64_t begin_ms = now(&f);
        cleat__election_machine_stop(&f.machine, begin_ms, cases[i].release_ms);
        while (next(&f) != ELECTION_ENDED) {
            ck_assert_int_le(f.step.until_boot_ms, begin_ms + cases[i].most_ms + RETRY_MS);
            if (f.step.action != ELECTION_WAIT)
                failed(&f);
            cleat_fake_clock_advance_ms(&f.fake, 100);
        }
        ck_assert_int_le(now(&f), begin_ms + cases[i].most_ms + 100);
        ck_assert_int_ge(now(&f), begin_ms + cases[i].most_ms);
        fixture_close(&f);
    }
}
END_TEST

START_TEST(test_release_conflict)
{
    struct fixture f;
    fixture_open(&f);
    win(&f);
    cleat__election_machine_stop(&f.machine, now(&f), -1);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    failed(&f);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    seen(&f, "me", 5);
    ck_assert_int_eq(next(&f), ELECTION_UPDATE);
    ck_assert_str_eq(f.step.record.holder, "");
    ck_assert_int_eq(f.step.record.transitions, 3);
    failed(&f);
    ck_assert_int_eq(next(&f), ELECTION_WAIT); /* not at once again */
    cleat_fake_clock_advance_ms(&f.fake, f.step.until_boot_ms - now(&f));
    ck_assert_int_eq(next(&f), ELECTION_READ);
    seen(&f, "other", 6); /* not ours to give back */
    ck_assert_int_eq(next(&f), ELECTION_ENDED);
    fixture_close(&f);
}
END_TEST

START_TEST(test_release_gives_up)
{
    struct fixture f;
    int calls = 0;
    fixture_open(&f);
    win(&f);
    int64_t start_ms = now(&f);
    cleat__election_machine_stop(&f.machine, start_ms, -1);
    while (next(&f) != ELECTION_ENDED) {
        if (f.step.action == ELECTION_WAIT) {
            cleat_fake_clock_advance_ms(&f.fake, f.step.until_boot_ms - now(&f));
        } else {
            calls++;
            failed(&f);
        }
    }
    ck_assert_int_le(now(&f) - start_ms, RENEW_MS + RETRY_MS);
    ck_assert_int_le(calls, 8);
    fixture_close(&f);
}
END_TEST

START_TEST(test_stop_without_release)
{
    struct fixture f;
    fixture_open(&f);
    win(&f);
    cleat__election_machine_stop(&f.machine, now(&f), 0);
    ck_assert_int_eq(next(&f), ELECTION_ENDED);
    fixture_close(&f);
    fixture_open(&f);
    ck_assert_int_eq(next(&f), ELECTION_READ);
    seen(&f, "other", 1);
    cleat__election_machine_stop(&f.machine, now(&f), -1);
    ck_assert_int_eq(next(&f), ELECTION_ENDED); /* a candidate has nothing to release */
    fixture_close(&f);
}
END_TEST

/* Two machines, one lock, all interleavings of a long random run: never two leaders at a time. */
START_TEST(test_two_candidates)
{
    struct fixture f[2];
    const struct election_timing timing = {LEASE_MS, RENEW_MS, RETRY_MS};
    struct cleat_election_record lock = {0};
    int version = 0, leaders[2] = {0, 0}, known[2] = {0, 0};
    bool exists = false;
    cleat_fake_clock_init(&f[0].fake);
    for (int i = 0; i < 2; i++)
        cleat__election_machine_init(&f[i].machine, &timing, i ? "b" : "a", &f[0].fake.clock);
    for (int round = 0; round < 20000; round++) {
        int i = (int)cleat_clock_random_below(&f[0].fake.clock, 2);
        bool broken = cleat_clock_random_below(&f[0].fake.clock, 4) == 0 || (round / 500) % 4 == 3;
        int64_t now_ms = cleat_clock_boot_ms(&f[0].fake.clock);
        char raw[32];
        struct election_machine *machine = &f[i].machine;
        cleat__election_machine_next(machine, now_ms, &f[i].step);
        switch (f[i].step.action) {
        case ELECTION_WAIT: break;
        case ELECTION_READ:
            (void)snprintf(raw, sizeof(raw), "%d", version);
            if (broken) {
                cleat__election_machine_failed(machine, now_ms);
            } else if (exists) {
                known[i] = version;
                cleat__election_machine_seen(machine, now_ms, cleat_str_of(raw), &lock);
            } else {
                cleat__election_machine_absent(machine, now_ms);
            }
            break;
        case ELECTION_CREATE:
        case ELECTION_UPDATE:
            if (!broken &&
                (f[i].step.action == ELECTION_CREATE ? !exists : exists && known[i] == version)) {
                exists = true;
                lock = f[i].step.record;
                known[i] = ++version;
                cleat__election_machine_written(machine, now_ms, &lock);
            } else {
                cleat__election_machine_failed(machine, now_ms);
            }
            break;
        case ELECTION_ENDED: /* stands again */
            cleat__election_machine_fini(machine);
            cleat__election_machine_init(machine, &timing, i ? "b" : "a", &f[0].fake.clock);
            break;
        }
        cleat_fake_clock_advance_ms(&f[0].fake,
                                    (int64_t)cleat_clock_random_below(&f[0].fake.clock, 400));
        now_ms = cleat_clock_boot_ms(&f[0].fake.clock);
        int leading = 0;
        for (int j = 0; j < 2; j++) {
            bool leads = now_ms < cleat__election_machine_deadline(&f[j].machine);
            leading += leads;
            leaders[j] += leads;
        }
        ck_assert_int_le(leading, 1);
    }
    ck_assert_int_gt(leaders[0], 100);
    ck_assert_int_gt(leaders[1], 100);
    for (int i = 0; i < 2; i++)
        cleat__election_machine_fini(&f[i].machine);
}
END_TEST

CLEAT_SUITE_MAIN("election_machine", test_timing, test_creates_where_there_is_none,
                 test_another_was_faster, test_acquire_jitter,
                 test_held_until_the_bytes_stand_still, test_first_sight,
                 test_duration_of_the_record, test_empty_holder_is_free,
                 test_own_record_is_taken_up, test_renews, test_slow_path, test_outage,
                 test_suspended, test_late_answer, test_another_leads,
                 test_deleted_lease_is_made_again, test_release, test_release_bounded,
                 test_release_conflict, test_release_gives_up, test_stop_without_release,
                 test_two_candidates)
