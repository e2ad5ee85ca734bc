/* SPDX-License-Identifier: Apache-2.0 */
#include "server/verdicts.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "support/chaos.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

#define ALLOWED_MS 1000
#define REFUSED_MS 100
#define LIMIT_MS 20000

struct fixture {
    struct cleat_fake_clock clock;
    struct cleat_verdicts verdicts;
    _Atomic(int) result; /* of the next questions */
    _Atomic(unsigned) asked;
    _Atomic(bool) hold; /* questions don't come back */
};

static int ask(void *arg, struct cleat_object **ret, struct cleat_err *err)
{
    struct fixture *f = arg;
    atomic_fetch_add(&f->asked, 1);
    while (atomic_load(&f->hold))
        cleat_wait_moment();
    int result = atomic_load(&f->result);
    return result < 0 ? cleat_err_set(err, result, "told to fail") : result;
}

static void fixture_open(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    cleat_fake_clock_init(&f->clock);
    atomic_store(&f->result, CLEAT_KEPT_ALLOWED);
    ck_assert_int_eq(
        cleat_verdicts_init(&f->verdicts, &f->clock.clock, ALLOWED_MS, REFUSED_MS, LIMIT_MS), 0);
}

static struct cleat_digest digest_of(unsigned number)
{
    struct cleat_digest digest = {{0}};
    memcpy(digest.bytes, &number, sizeof(number));
    return digest;
}

static int get(struct fixture *f, unsigned number)
{
    struct cleat_digest digest = digest_of(number);
    struct cleat_object *object = NULL;
    bool fresh;
    int r = cleat_verdicts_get(&f->verdicts, &digest, ask, f, &object, &fresh, NULL);
    (void)cleat_object_unref(object);
    return r;
}

/* One question more than before, or not. */
#define EXPECT(number, expected, count)                    \
    do {                                                   \
        ck_assert_int_eq(get(&f, number), expected);       \
        ck_assert_uint_eq(atomic_load(&f.asked), (count)); \
    } while (0)

START_TEST(test_answers_are_kept_for_their_time)
{
    struct fixture f;
    fixture_open(&f);
    EXPECT(1, CLEAT_KEPT_ALLOWED, 1);
    atomic_store(&f.result, CLEAT_KEPT_REFUSED);
    EXPECT(1, CLEAT_KEPT_ALLOWED, 1);
    EXPECT(2, CLEAT_KEPT_REFUSED, 2);
    cleat_fake_clock_advance_ms(&f.clock, REFUSED_MS - 1);
    atomic_store(&f.result, CLEAT_KEPT_ALLOWED);
    EXPECT(2, CLEAT_KEPT_REFUSED, 2);
    cleat_fake_clock_advance_ms(&f.clock, 1);
    EXPECT(2, CLEAT_KEPT_ALLOWED, 3);
    atomic_store(&f.result, CLEAT_KEPT_REFUSED);
    cleat_fake_clock_advance_ms(&f.clock, ALLOWED_MS - REFUSED_MS - 1);
    EXPECT(1, CLEAT_KEPT_ALLOWED, 3);
    cleat_fake_clock_advance_ms(&f.clock, 1);
    EXPECT(1, CLEAT_KEPT_REFUSED, 4);
    cleat_verdicts_fini(&f.verdicts);
}
END_TEST

START_TEST(test_failures_are_not_kept_and_allow_nothing)
{
    struct fixture f;
    fixture_open(&f);
    atomic_store(&f.result, -ECONNREFUSED);
    EXPECT(1, -ECONNREFUSED, 1);
    EXPECT(1, -ECONNREFUSED, 2);
    atomic_store(&f.result, CLEAT_KEPT_ALLOWED);
    EXPECT(1, CLEAT_KEPT_ALLOWED, 3);
    /* What was allowed counts no longer than its time, though nobody can be asked. */
    atomic_store(&f.result, -ECONNREFUSED);
    EXPECT(1, CLEAT_KEPT_ALLOWED, 3);
    cleat_fake_clock_advance_ms(&f.clock, ALLOWED_MS);
    EXPECT(1, -ECONNREFUSED, 4);
    EXPECT(1, -ECONNREFUSED, 5);
    cleat_verdicts_fini(&f.verdicts);
}
END_TEST

/* However many strangers come, those that were allowed stay, though their time has passed. */
START_TEST(test_strangers_push_out_strangers)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < 10; i++)
        EXPECT(i, CLEAT_KEPT_ALLOWED, i + 1);
    atomic_store(&f.result, CLEAT_KEPT_REFUSED);
    for (unsigned i = 0; i < 3 * CLEAT_VERDICTS_MAX; i++)
        ck_assert_int_eq(get(&f, 1000 + i), CLEAT_KEPT_REFUSED);
    unsigned asked = atomic_load(&f.asked);
    for (unsigned i = 0; i < 10; i++)
        EXPECT(i, CLEAT_KEPT_ALLOWED, asked);
    /* The newest strangers are still known, the oldest aren't. */
    EXPECT(1000 + 3 * CLEAT_VERDICTS_MAX - 1, CLEAT_KEPT_REFUSED, asked);
    EXPECT(1000, CLEAT_KEPT_REFUSED, asked + 1);
    cleat_verdicts_fini(&f.verdicts);
}
END_TEST

struct caller {
    pthread_t thread;
    struct fixture *f;
    unsigned number;
    int result;
};

static void *call(void *arg)
{
    struct caller *caller = arg;
    caller->result = get(caller->f, caller->number);
    return NULL;
}

static void callers_start(struct caller *callers, size_t count, struct fixture *f, unsigned first,
                          unsigned step)
{
    for (size_t i = 0; i < count; i++) {
        callers[i] = (struct caller){.f = f, .number = first + (unsigned)i * step};
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
}

static void callers_join(struct caller *callers, size_t count, int expected)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
        ck_assert_int_eq(callers[i].result, expected);
    }
}

static unsigned waiting(struct fixture *f)
{
    cleat_lock_take(&f->verdicts.lock);
    unsigned count = cleat__verdicts_waiting(&f->verdicts);
    cleat_lock_release(&f->verdicts.lock);
    return count;
}

START_TEST(test_the_same_question_is_asked_once)
{
    static const int results[] = {CLEAT_KEPT_ALLOWED, CLEAT_KEPT_REFUSED, -EIO};
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        struct fixture f;
        struct caller callers[12];
        fixture_open(&f);
        atomic_store(&f.hold, true);
        atomic_store(&f.result, results[i]);
        callers_start(callers, 12, &f, 7, 0);
        CLEAT_WAIT_FOR(waiting(&f) == 11, LIMIT_MS);
        atomic_store(&f.hold, false);
        callers_join(callers, 12, results[i]);
        ck_assert_uint_eq(atomic_load(&f.asked), 1);
        cleat_verdicts_fini(&f.verdicts);
    }
}
END_TEST

START_TEST(test_strangers_under_way_are_bounded)
{
    struct fixture f;
    struct caller callers[CLEAT_VERDICTS_STRANGERS_MAX];
    fixture_open(&f);
    EXPECT(1, CLEAT_KEPT_ALLOWED, 1);
    cleat_fake_clock_advance_ms(&f.clock, ALLOWED_MS);
    atomic_store(&f.hold, true);
    callers_start(callers, CLEAT_VERDICTS_STRANGERS_MAX, &f, 100, 1);
    CLEAT_WAIT_FOR(atomic_load(&f.asked) == 1 + CLEAT_VERDICTS_STRANGERS_MAX, LIMIT_MS);
    ck_assert_int_eq(get(&f, 200), -EBUSY);
    /* Who was allowed before doesn't queue up behind them. */
    struct caller friend;
    callers_start(&friend, 1, &f, 1, 0);
    CLEAT_WAIT_FOR(atomic_load(&f.asked) == 2 + CLEAT_VERDICTS_STRANGERS_MAX, LIMIT_MS);
    atomic_store(&f.hold, false);
    callers_join(callers, CLEAT_VERDICTS_STRANGERS_MAX, CLEAT_KEPT_ALLOWED);
    callers_join(&friend, 1, CLEAT_KEPT_ALLOWED);
    ck_assert_int_eq(get(&f, 200), CLEAT_KEPT_ALLOWED);
    cleat_verdicts_fini(&f.verdicts);
}
END_TEST

START_TEST(test_stop)
{
    struct fixture f;
    struct caller callers[3];
    fixture_open(&f);
    atomic_store(&f.hold, true);
    callers_start(callers, 3, &f, 7, 0);
    CLEAT_WAIT_FOR(waiting(&f) == 2, LIMIT_MS);
    cleat_verdicts_stop(&f.verdicts);
    CLEAT_WAIT_FOR(waiting(&f) == 0, LIMIT_MS);
    ck_assert_int_eq(get(&f, 8), -ECANCELED);
    atomic_store(&f.hold, false);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
    cleat_verdicts_fini(&f.verdicts);
}
END_TEST

static int life(void *arg)
{
    struct cleat_verdicts verdicts = {0};
    int r = cleat_verdicts_init(&verdicts, cleat_clock_system(), 1, 1, 1);
    cleat_verdicts_fini(&verdicts);
    cleat_verdicts_fini(&verdicts);
    return r;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_gt(cleat_chaos_sweep(life, NULL), 0);
}
END_TEST

CLEAT_SUITE_MAIN("verdicts", test_answers_are_kept_for_their_time,
                 test_failures_are_not_kept_and_allow_nothing, test_strangers_push_out_strangers,
                 test_the_same_question_is_asked_once, test_strangers_under_way_are_bounded,
                 test_stop, test_out_of_memory)
