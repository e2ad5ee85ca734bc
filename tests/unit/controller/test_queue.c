/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cleat/queue.h>

#include "base/mem.h"
#include "support/chaos.h"
#include "support/fake_clock.h"
#include "support/suite.h"

struct fixture {
    struct cleat_fake_clock fake;
    struct cleat_queue *queue;
};

static void fixture_open(struct fixture *f, struct cleat_queue_options options)
{
    cleat_fake_clock_init(&f->fake);
    options.name = "test";
    options.clock = &f->fake.clock;
    ck_assert_int_eq(cleat_queue_new(&options, &f->queue, NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    cleat_queue_stop(f->queue, false);
    f->queue = cleat_queue_free(f->queue);
    ck_assert_ptr_null(f->queue);
}

static void put(struct fixture *f, const char *namespace_, const char *name, int priority)
{
    struct cleat_queue_add add = {.priority = priority};
    ck_assert_int_eq(cleat_queue_add(f->queue, "", namespace_, name, &add), 0);
}

static void put_after(struct fixture *f, const char *name, int64_t after_ms)
{
    struct cleat_queue_add add = {.after_ms = after_ms};
    ck_assert_int_eq(cleat_queue_add(f->queue, "", "ns", name, &add), 0);
}

/* Takes one key at once and checks its name. */
static struct cleat_request take(struct fixture *f, const char *name)
{
    struct cleat_request request = {0};
    ck_assert_int_eq(cleat_queue_get(f->queue, 0, &request), 0);
    ck_assert_str_eq(request.name, name);
    return request;
}

static void take_done(struct fixture *f, const char *name)
{
    struct cleat_request request = take(f, name);
    cleat_queue_done(f->queue, &request, NULL);
}

static void expect_empty(struct fixture *f)
{
    struct cleat_request request = {0};
    ck_assert_int_eq(cleat_queue_get(f->queue, 0, &request), CLEAT_QUEUE_TIMEOUT);
}

static void expect_counts(struct fixture *f, size_t ready, size_t waiting, size_t working)
{
    size_t counts[3];
    cleat_queue_counts(f->queue, &counts[0], &counts[1], &counts[2]);
    ck_assert_uint_eq(counts[0], ready);
    ck_assert_uint_eq(counts[1], waiting);
    ck_assert_uint_eq(counts[2], working);
}

START_TEST(test_request_parts)
{
    struct fixture f;
    struct cleat_request request = {0};
    struct cleat_queue_add add = {.priority = 7};
    fixture_open(&f, (struct cleat_queue_options){0});
    ck_assert_int_eq(cleat_queue_add(f.queue, "east", "team-a", "web", &add), 0);
    ck_assert_int_eq(cleat_queue_get(f.queue, 0, &request), 0);
    ck_assert_str_eq(request.cluster, "east");
    ck_assert_str_eq(request.namespace_, "team-a");
    ck_assert_str_eq(request.name, "web");
    ck_assert_int_eq(request.priority, 7);
    ck_assert_uint_eq(request.retries, 0);
    ck_assert_int_eq(request.queued_mono_ms, cleat_clock_mono_ms(&f.fake.clock));
    cleat_queue_done(f.queue, &request, NULL);
    expect_counts(&f, 0, 0, 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_names_refused)
{
    struct fixture f;
    char name[300];
    memset(name, 'n', sizeof(name));
    name[253] = '\0';
    fixture_open(&f, (struct cleat_queue_options){0});
    ck_assert_int_eq(cleat_queue_add(f.queue, "", "", "", NULL), -EINVAL);
    ck_assert_int_eq(cleat_queue_add(f.queue, "", "", NULL, NULL), -EINVAL);
    ck_assert_int_eq(cleat_queue_add(f.queue, NULL, NULL, name, NULL), 0);
    ck_assert_int_eq(cleat_queue_add(f.queue, name, name, "x", NULL), 0);
    ck_assert_int_eq(cleat_queue_add(f.queue, name, name, name, NULL), -EINVAL);
    struct cleat_request request = take(&f, name);
    ck_assert_str_eq(request.namespace_, "");
    cleat_queue_done(f.queue, &request, NULL);
    fixture_close(&f);
}
END_TEST

START_TEST(test_dedup)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){0});
    put(&f, "a", "x", 0);
    put(&f, "a", "x", 0);
    put(&f, "b", "x", 0);
    expect_counts(&f, 2, 0, 0);
    take_done(&f, "x");
    take_done(&f, "x");
    expect_empty(&f);
    fixture_close(&f);
}
END_TEST

START_TEST(test_add_while_handed_out)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){0});
    put(&f, "ns", "x", 0);
    struct cleat_request request = take(&f, "x");
    put(&f, "ns", "x", 3);
    put(&f, "ns", "x", 1);
    expect_counts(&f, 1, 0, 1); /* visible in the depth, but nobody gets it yet */
    expect_empty(&f);
    cleat_queue_done(f.queue, &request, NULL);
    request = take(&f, "x");
    ck_assert_int_eq(request.priority, 3);
    cleat_queue_done(f.queue, &request, NULL);
    expect_empty(&f);
    fixture_close(&f);
}
END_TEST

START_TEST(test_delay_while_handed_out)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){0});
    put(&f, "ns", "x", 0);
    struct cleat_request request = take(&f, "x");
    put_after(&f, "x", 50);
    cleat_fake_clock_advance_ms(&f.fake, 60);
    expect_empty(&f); /* due, but it's still handed out */
    expect_counts(&f, 1, 0, 1);
    cleat_queue_done(f.queue, &request, NULL);
    take_done(&f, "x");
    fixture_close(&f);
}
END_TEST

START_TEST(test_earliest_time_wins)
{
    static const struct {
        int64_t first_ms, second_ms, ready_ms;
    } cases[] = {{100, 50, 50}, {50, 100, 50}, {100, 0, 0}, {70, 70, 70}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_open(&f, (struct cleat_queue_options){0});
        put_after(&f, "x", cases[i].first_ms);
        put_after(&f, "x", cases[i].second_ms);
        if (cases[i].ready_ms > 0) {
            cleat_fake_clock_advance_ms(&f.fake, cases[i].ready_ms - 1);
            expect_empty(&f);
            cleat_fake_clock_advance_ms(&f.fake, 1);
        }
        take_done(&f, "x");
        cleat_fake_clock_advance_ms(&f.fake, 1000);
        expect_empty(&f); /* once */
        fixture_close(&f);
    }
}
END_TEST

START_TEST(test_delays_in_order)
{
    static const int delays[] = {90, 30, 60, 10, 80, 20, 70, 40, 50, 30};
    struct fixture f;
    char name[16];
    fixture_open(&f, (struct cleat_queue_options){0});
    for (size_t i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof(name), "k%zu", i);
        put_after(&f, name, delays[i]);
    }
    expect_counts(&f, 0, 10, 0);
    static const char *const order[] = {"k3", "k5", "k1", "k9", "k7", "k8", "k2", "k6", "k4", "k0"};
    for (int ms = 1, next = 0; ms <= 90; ms++) {
        cleat_fake_clock_advance_ms(&f.fake, 1);
        while (next < 10 && delays[order[next][1] - '0'] == ms)
            take_done(&f, order[next++]);
        expect_empty(&f);
    }
    fixture_close(&f);
}
END_TEST

START_TEST(test_delayed_then_sooner_in_the_middle)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){0});
    put_after(&f, "a", 10);
    put_after(&f, "b", 20);
    put_after(&f, "c", 30);
    put_after(&f, "d", 40);
    put(&f, "ns", "c", 0); /* leaves the middle of the heap */
    put_after(&f, "d", 5);
    take_done(&f, "c");
    cleat_fake_clock_advance_ms(&f.fake, 50);
    take_done(&f, "d");
    take_done(&f, "a");
    take_done(&f, "b");
    expect_empty(&f);
    fixture_close(&f);
}
END_TEST

START_TEST(test_backoff)
{
    static const int64_t delays_ms[] = {5, 10, 20, 40, 80, 100, 100};
    struct cleat_queue_add retry = {.rate_limited = true, .keep_priority = true};
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){.backoff_max_ms = 100});
    put(&f, "ns", "x", -100);
    for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
        struct cleat_request request = take(&f, "x");
        ck_assert_uint_eq(request.retries, i);
        ck_assert_int_eq(request.priority, -100);
        cleat_queue_done(f.queue, &request, &retry);
        cleat_fake_clock_advance_ms(&f.fake, delays_ms[i] - 1);
        expect_empty(&f);
        cleat_fake_clock_advance_ms(&f.fake, 1);
    }
    struct cleat_request request = take(&f, "x");
    cleat_queue_forget(f.queue, &request);
    cleat_queue_done(f.queue, &request, &retry);
    cleat_fake_clock_advance_ms(&f.fake, 5);
    request = take(&f, "x");
    ck_assert_uint_eq(request.retries, 1);
    cleat_queue_done(f.queue, &request, NULL);
    fixture_close(&f);
}
END_TEST

/* An event during the back-off runs the key at once, and its failures still count. */
START_TEST(test_event_during_backoff)
{
    struct cleat_queue_add retry = {.rate_limited = true};
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){.backoff_base_ms = 1000});
    put(&f, "ns", "x", 0);
    struct cleat_request request = take(&f, "x");
    cleat_queue_done(f.queue, &request, &retry);
    put(&f, "ns", "x", 0);
    request = take(&f, "x");
    ck_assert_uint_eq(request.retries, 1);
    cleat_queue_done(f.queue, &request, NULL);
    expect_counts(&f, 0, 0, 0);
    put(&f, "ns", "x", 0); /* a terminal outcome doesn't forget */
    request = take(&f, "x");
    ck_assert_uint_eq(request.retries, 1);
    cleat_queue_forget(f.queue, &request);
    cleat_queue_done(f.queue, &request, NULL);
    put(&f, "ns", "x", 0);
    request = take(&f, "x");
    ck_assert_uint_eq(request.retries, 0);
    cleat_queue_done(f.queue, &request, NULL);
    fixture_close(&f);
}
END_TEST

START_TEST(test_rate_limited_with_delay)
{
    struct fixture f;
    struct cleat_queue_add add = {.rate_limited = true, .after_ms = 30};
    fixture_open(&f, (struct cleat_queue_options){.backoff_base_ms = 100});
    ck_assert_int_eq(cleat_queue_add(f.queue, "", "ns", "x", &add), 0);
    cleat_fake_clock_advance_ms(&f.fake, 29);
    expect_empty(&f);
    cleat_fake_clock_advance_ms(&f.fake, 1);
    struct cleat_request request = take(&f, "x");
    ck_assert_uint_eq(request.retries, 1); /* charged all the same */
    cleat_queue_forget(f.queue, &request);
    add.after_ms = 500;
    cleat_queue_done(f.queue, &request, &add);
    cleat_fake_clock_advance_ms(&f.fake, 100);
    take_done(&f, "x");
    fixture_close(&f);
}
END_TEST

START_TEST(test_bucket)
{
    struct fixture f;
    struct cleat_queue_add add = {.rate_limited = true};
    char name[16];
    fixture_open(&f, (struct cleat_queue_options){.backoff_base_ms = 1,
                                                  .backoff_max_ms = 400,
                                                  .bucket_per_s = 10,
                                                  .bucket_burst = 2});
    for (int i = 0; i < 8; i++) {
        (void)snprintf(name, sizeof(name), "k%d", i);
        ck_assert_int_eq(cleat_queue_add(f.queue, "", "ns", name, &add), 0);
    }
    /* k0 and k1 from the burst after the back-off of 1 ms, k2 … each 100 ms, all that is beyond at
     * the maximum. */
    cleat_fake_clock_advance_ms(&f.fake, 1);
    take_done(&f, "k0");
    take_done(&f, "k1");
    expect_empty(&f);
    cleat_fake_clock_advance_ms(&f.fake, 99);
    take_done(&f, "k2");
    expect_empty(&f);
    cleat_fake_clock_advance_ms(&f.fake, 300);
    for (int i = 3; i < 8; i++) {
        (void)snprintf(name, sizeof(name), "k%d", i);
        take_done(&f, name);
    }
    expect_empty(&f);
    fixture_close(&f);
}
END_TEST

START_TEST(test_priority_order)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){0});
    put(&f, "ns", "low", CLEAT_PRIORITY_LOW);
    put(&f, "ns", "a", 0);
    put(&f, "ns", "b", 0);
    put(&f, "ns", "high", 50);
    put(&f, "ns", "b", CLEAT_PRIORITY_LOW); /* the higher one stays */
    put(&f, "ns", "middle", 20);
    static const char *const order[] = {"high", "middle", "a", "b", "low"};
    for (size_t i = 0; i < 5; i++)
        take_done(&f, order[i]);
    fixture_close(&f);
}
END_TEST

START_TEST(test_raised_key_goes_to_the_end)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){0});
    put(&f, "ns", "x", CLEAT_PRIORITY_LOW);
    put(&f, "ns", "a", 0);
    put(&f, "ns", "x", 0);
    take_done(&f, "a");
    struct cleat_request request = take(&f, "x");
    ck_assert_int_eq(request.priority, 0);
    cleat_queue_done(f.queue, &request, NULL);
    expect_counts(&f, 0, 0, 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_many_priorities)
{
    struct fixture f;
    char name[16];
    fixture_open(&f, (struct cleat_queue_options){.ageing_ms = -1});
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof(name), "k%d", i);
        put(&f, "ns", name, i * 3);
    }
    expect_counts(&f, 300, 0, 0);
    struct cleat_request request = {0};
    int last = 1000;
    size_t inversions = 0;
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(cleat_queue_get(f.queue, 0, &request), 0);
        inversions += request.priority > last;
        last = request.priority;
        cleat_queue_done(f.queue, &request, NULL);
    }
    expect_empty(&f);
    ck_assert_uint_lt(inversions, 200); /* beyond the levels' number they share */
    fixture_close(&f);
}
END_TEST

/* A steady stream at 0, faster than it's worked off, can't starve a key at -100. */
START_TEST(test_ageing)
{
    struct fixture f;
    char name[16];
    int seen_at_ms = -1;
    fixture_open(&f, (struct cleat_queue_options){.ageing_ms = 1000});
    put(&f, "ns", "low", CLEAT_PRIORITY_LOW);
    for (int ms = 0; ms < 8000 && seen_at_ms < 0; ms += 10) {
        for (int i = 0; i < 2; i++) {
            (void)snprintf(name, sizeof(name), "k%d", ms + i);
            put(&f, "ns", name, 0);
        }
        struct cleat_request request = {0};
        ck_assert_int_eq(cleat_queue_get(f.queue, 0, &request), 0);
        seen_at_ms = strcmp(request.name, "low") == 0 ? ms : -1;
        cleat_queue_done(f.queue, &request, NULL);
        cleat_fake_clock_advance_ms(&f.fake, 10);
    }
    /* It's lifted at 1,000 ms behind the hundred keys that queue up by then, and comes after those.
     */
    ck_assert_int_ge(seen_at_ms, 1000);
    ck_assert_int_le(seen_at_ms, 2100);
    fixture_close(&f);
}
END_TEST

START_TEST(test_ageing_off)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){.ageing_ms = -1});
    put(&f, "ns", "low", CLEAT_PRIORITY_LOW);
    cleat_fake_clock_advance_ms(&f.fake, 10000000);
    put(&f, "ns", "a", 0);
    take_done(&f, "a");
    take_done(&f, "low");
    fixture_close(&f);
}
END_TEST

/* Ageing doesn't take fairness away: a backlog of one class, however old, doesn't pass by another's
 * fresh key. */
START_TEST(test_fairness_of_old_backlog)
{
    struct fixture f;
    char name[16];
    fixture_open(&f, (struct cleat_queue_options){.ageing_ms = 1000});
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "k%d", i);
        put(&f, "flood", name, 0);
    }
    cleat_fake_clock_advance_ms(&f.fake, 60000);
    put(&f, "quiet", "q", 0);
    take_done(&f, "k0");
    take_done(&f, "q");
    take_done(&f, "k1");
    fixture_close(&f);
}
END_TEST

START_TEST(test_fairness)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){0});
    put(&f, "a", "a1", 0);
    put(&f, "a", "a2", 0);
    put(&f, "a", "a3", 0);
    put(&f, "b", "b1", 0);
    put(&f, "c", "c1", 0);
    put(&f, "c", "c2", 0);
    static const char *const order[] = {"a1", "b1", "c1", "a2", "c2", "a3"};
    for (size_t i = 0; i < 6; i++)
        take_done(&f, order[i]);
    fixture_close(&f);
}
END_TEST

START_TEST(test_unfair)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){.unfair = true});
    put(&f, "a", "a1", 0);
    put(&f, "a", "a2", 0);
    put(&f, "b", "b1", 0);
    take_done(&f, "a1");
    take_done(&f, "a2");
    take_done(&f, "b1");
    fixture_close(&f);
}
END_TEST

/* By the first letter of the name. */
static uint64_t class_by_letter(const char *cluster, const char *namespace_, const char *name)
{
    return (uint64_t)(unsigned char)name[0];
}

START_TEST(test_own_classes)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){.class_of = class_by_letter});
    put(&f, "ns", "x1", 0);
    put(&f, "ns", "x2", 0);
    put(&f, "ns", "y1", 0);
    take_done(&f, "x1");
    take_done(&f, "y1");
    take_done(&f, "x2");
    fixture_close(&f);
}
END_TEST

START_TEST(test_batch)
{
    struct fixture f;
    struct cleat_request requests[4];
    size_t count = 0;
    fixture_open(&f, (struct cleat_queue_options){.backoff_base_ms = 10});
    put(&f, "a", "a1", 0);
    put(&f, "a", "a2", 0);
    put(&f, "b", "b1", 0);
    put(&f, "b", "b2", 0);
    put(&f, "b", "b3", 0);
    ck_assert_int_eq(cleat_queue_get_batch(f.queue, 0, requests, 4, &count), 0);
    ck_assert_uint_eq(count, 4);
    expect_counts(&f, 1, 0, 4);
    struct cleat_queue_end ends[4] = {
        {.again = true, .add = {.rate_limited = true}},
        {.forget = true},
        {.again = true, .add = {.after_ms = 5}},
        {.again = true},
    };
    cleat_queue_done_batch(f.queue, requests, ends, 4);
    expect_counts(&f, 2, 2, 0);
    ck_assert_int_eq(cleat_queue_get_batch(f.queue, 0, requests, 4, &count), 0);
    ck_assert_uint_eq(count, 2);
    cleat_queue_done_batch(f.queue, requests, NULL, count);
    cleat_fake_clock_advance_ms(&f.fake, 10);
    ck_assert_int_eq(cleat_queue_get_batch(f.queue, 0, requests, 4, &count), 0);
    ck_assert_uint_eq(count, 2);
    cleat_queue_done_batch(f.queue, requests, NULL, count);
    expect_empty(&f);
    fixture_close(&f);
}
END_TEST

START_TEST(test_items_max)
{
    struct cleat_queue_add retry = {.rate_limited = true};
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){.items_max = 2, .backoff_base_ms = 1});
    put(&f, "ns", "a", 0);
    put(&f, "ns", "b", 0);
    ck_assert_int_eq(cleat_queue_add(f.queue, "", "ns", "c", NULL), -ENOBUFS);
    put(&f, "ns", "a", 0); /* known already */
    struct cleat_request request = take(&f, "a");
    cleat_queue_done(f.queue, &request, &retry);
    cleat_fake_clock_advance_ms(&f.fake, 1);
    take_done(&f, "b");
    take_done(&f, "a"); /* a is remembered now for its failure */
    put(&f, "ns", "b", 0);
    put(&f, "ns", "c", 0); /* the remembered failure gives way */
    take_done(&f, "b");
    take_done(&f, "c");
    put(&f, "ns", "a", 0);
    request = take(&f, "a");
    ck_assert_uint_eq(request.retries, 0);
    cleat_queue_done(f.queue, &request, NULL);
    fixture_close(&f);
}
END_TEST

START_TEST(test_stop)
{
    struct fixture f;
    struct cleat_request request = {0};
    struct cleat_queue_add again = {0};
    fixture_open(&f, (struct cleat_queue_options){0});
    put(&f, "ns", "a", 0);
    put(&f, "ns", "b", 0);
    put_after(&f, "c", 10);
    struct cleat_request taken = take(&f, "a");
    put(&f, "ns", "a", 0);
    cleat_queue_stop(f.queue, false);
    expect_counts(&f, 0, 0, 1);
    ck_assert_int_eq(cleat_queue_get(f.queue, -1, &request), CLEAT_QUEUE_CLOSED);
    ck_assert_int_eq(cleat_queue_add(f.queue, "", "ns", "d", NULL), CLEAT_QUEUE_CLOSED);
    cleat_queue_done(f.queue, &taken, &again);
    expect_counts(&f, 0, 0, 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_stop_drain)
{
    struct fixture f;
    struct cleat_request request = {0};
    fixture_open(&f, (struct cleat_queue_options){0});
    put(&f, "ns", "a", 0);
    put(&f, "ns", "b", 0);
    put_after(&f, "c", 10);
    struct cleat_request taken = take(&f, "a");
    put(&f, "ns", "a", 0);
    cleat_queue_stop(f.queue, true);
    ck_assert_int_eq(cleat_queue_add(f.queue, "", "ns", "d", NULL), CLEAT_QUEUE_CLOSED);
    take_done(&f, "b");
    cleat_queue_done(f.queue, &taken, NULL);
    take_done(&f, "a");
    ck_assert_int_eq(cleat_queue_get(f.queue, 0, &request), CLEAT_QUEUE_CLOSED);
    fixture_close(&f);
}
END_TEST

static void done_twice(void *arg)
{
    struct fixture *f = arg;
    put(f, "ns", "x", 0);
    struct cleat_request request = take(f, "x");
    cleat_queue_done(f->queue, &request, NULL);
    cleat_queue_done(f->queue, &request, NULL);
}

START_TEST(test_done_twice_aborts)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){0});
    ck_assert(cleat_suite_aborts(done_twice, &f));
    fixture_close(&f);
}
END_TEST

/* Grows, empties and grows again: the memory of a large backlog is given back in between. */
START_TEST(test_large_backlog)
{
    struct fixture f;
    char name[24], namespace_[24];
    fixture_open(&f, (struct cleat_queue_options){0});
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20000; i++) {
            (void)snprintf(name, sizeof(name), "key-%d", i);
            (void)snprintf(namespace_, sizeof(namespace_), "ns-%d", i % 500);
            put(&f, namespace_, name, i % 7);
        }
        expect_counts(&f, 20000, 0, 0);
        struct cleat_request requests[64];
        size_t count = 0, total = 0;
        while (cleat_queue_get_batch(f.queue, 0, requests, 64, &count) == 0) {
            cleat_queue_done_batch(f.queue, requests, NULL, count);
            total += count;
        }
        ck_assert_uint_eq(total, 20000);
    }
    fixture_close(&f);
}
END_TEST

START_TEST(test_no_memory_in_steady_state)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_queue_options){0});
    for (int round = 0; round < 2; round++) {
        if (round == 1)
            cleat_mem_fail_at(0, false); /* counts from here */
        for (int i = 0; i < 1000; i++) {
            put(&f, i % 2 ? "a" : "b", "x", i % 3);
            put_after(&f, "y", 1);
            take_done(&f, "x");
            cleat_fake_clock_advance_ms(&f.fake, 1);
            take_done(&f, "y");
        }
    }
    ck_assert_uint_eq(cleat_mem_requests(), 0);
    fixture_close(&f);
}
END_TEST

/* A small life of a queue; a refused request for memory is an error of the call, never a lost or
 * doubled key. */
static int life(void *arg)
{
    struct cleat_queue *queue = NULL;
    struct cleat_queue_options options = {.name = "chaos", .backoff_base_ms = 1};
    struct cleat_queue_add retry = {.rate_limited = true, .after_ms = 1};
    struct cleat_request request = {0};
    char name[16];
    size_t added = 0, taken = 0;
    int rc = cleat_queue_new(&options, &queue, NULL);
    for (int i = 0; rc == 0 && i < 200; i++) {
        (void)snprintf(name, sizeof(name), "k%d", i);
        rc = cleat_queue_add(queue, "", name, name, NULL);
        added += rc == 0;
    }
    while (queue && cleat_queue_get(queue, 0, &request) == 0) {
        cleat_queue_done(queue, &request, taken % 2 ? &retry : NULL);
        taken++;
    }
    if (queue) {
        ck_assert_uint_ge(taken, added);
        cleat_queue_stop(queue, false);
        cleat_queue_free(queue);
    }
    return rc;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(life, NULL), 5);
}
END_TEST

/* ---- metrics ---- */

static bool metrics_have(struct cleat_metrics *metrics, const char *line)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1 << 20);
    ck_assert_int_eq(cleat_metrics_write(metrics, &buffer), 0);
    bool found = buffer.data && strstr(buffer.data, line) != NULL;
    if (!found)
        (void)fprintf(stderr, "no %s in\n%s", line, buffer.data ? buffer.data : "");
    cleat_buffer_fini(&buffer);
    return found;
}

START_TEST(test_metrics)
{
    struct cleat_metrics *metrics = NULL;
    struct fixture f;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    fixture_open(&f, (struct cleat_queue_options){.metrics = metrics});
    ck_assert(metrics_have(
        metrics, "workqueue_depth{name=\"test\",controller=\"test\",priority=\"0\"} 0\n"));
    put(&f, "ns", "a", 0);
    put(&f, "ns", "b", CLEAT_PRIORITY_LOW);
    put(&f, "ns", "c", CLEAT_PRIORITY_LOW);
    put_after(&f, "d", 100000);
    cleat_fake_clock_advance_ms(&f.fake, 20);
    struct cleat_request request = take(&f, "a");
    cleat_fake_clock_advance_ms(&f.fake, 3000);
    cleat_queue_publish(f.queue);
    static const char *const lines[] = {
        "workqueue_adds_total{name=\"test\",controller=\"test\"} 4\n",
        "workqueue_retries_total{name=\"test\",controller=\"test\"} 1\n",
        "workqueue_depth{name=\"test\",controller=\"test\",priority=\"-100\"} 2\n",
        "workqueue_depth{name=\"test\",controller=\"test\",priority=\"0\"} 0\n",
        "workqueue_longest_running_processor_seconds{name=\"test\",controller=\"test\"} 3\n",
        "workqueue_unfinished_work_seconds{name=\"test\",controller=\"test\"} 3\n",
        "workqueue_queue_duration_seconds_count{name=\"test\",controller=\"test\"} 1\n",
        "workqueue_queue_duration_seconds_sum{name=\"test\",controller=\"test\"} 0.02\n",
        "cleat_queue_classes{name=\"test\",controller=\"test\"} 1\n",
        "cleat_queue_deepest_class{name=\"test\",controller=\"test\"} 2\n",
        "cleat_queue_oldest_key_seconds{name=\"test\",controller=\"test\"} 3.02\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ck_assert(metrics_have(metrics, lines[i]));
    cleat_queue_done(f.queue, &request, NULL);
    cleat_queue_publish(f.queue);
    ck_assert(metrics_have(
        metrics, "workqueue_unfinished_work_seconds{name=\"test\",controller=\"test\"} 0\n"));
    ck_assert(metrics_have(
        metrics, "workqueue_work_duration_seconds_sum{name=\"test\",controller=\"test\"} 3\n"));
    for (int i = 0; i < 40; i++)
        put(&f, "ns", "a", i);
    cleat_queue_publish(f.queue);
    ck_assert(metrics_have(metrics, "priority=\"exceeded_cardinality_limit\"} 1\n"));
    fixture_close(&f);
    cleat_metrics_free(metrics);
}
END_TEST

CLEAT_SUITE_MAIN("queue", test_request_parts, test_names_refused, test_dedup,
                 test_add_while_handed_out, test_delay_while_handed_out, test_earliest_time_wins,
                 test_delays_in_order, test_delayed_then_sooner_in_the_middle, test_backoff,
                 test_event_during_backoff, test_rate_limited_with_delay, test_bucket,
                 test_priority_order, test_raised_key_goes_to_the_end, test_many_priorities,
                 test_ageing, test_ageing_off, test_fairness_of_old_backlog, test_fairness,
                 test_unfair, test_own_classes, test_batch, test_items_max, test_stop,
                 test_stop_drain, test_done_twice_aborts, test_large_backlog,
                 test_no_memory_in_steady_state, test_out_of_memory, test_metrics)
