/* SPDX-License-Identifier: Apache-2.0 */
/* The queue with several threads, on the system's clock. */
#include <stdatomic.h>
#include <stdio.h>

#include <cleat/queue.h>

#include "base/thread.h"
#include "support/suite.h"
#include "support/wait.h"

struct getter {
    struct cleat_queue *queue;
    struct cleat_thread thread;
    int rc;
    struct cleat_request request;
    _Atomic(bool) returned;
};

static void *getter_run(void *arg)
{
    struct getter *getter = arg;
    getter->rc = cleat_queue_get(getter->queue, -1, &getter->request);
    atomic_store(&getter->returned, true);
    return NULL;
}

static void getter_start(struct getter *getter, struct cleat_queue *queue)
{
    *getter = (struct getter){.queue = queue};
    ck_assert_int_eq(cleat_thread_start(&getter->thread, "getter", 0, getter_run, getter, NULL), 0);
}

static struct cleat_queue *queue_make(void)
{
    struct cleat_queue *queue = NULL;
    struct cleat_queue_options options = {.name = "threads"};
    ck_assert_int_eq(cleat_queue_new(&options, &queue, NULL), 0);
    return queue;
}

START_TEST(test_wakes_for_add)
{
    struct cleat_queue *queue = queue_make();
    struct getter getters[3];
    for (int i = 0; i < 3; i++)
        getter_start(&getters[i], queue);
    ck_assert_int_eq(cleat_queue_add(queue, "", "ns", "a", NULL), 0);
    ck_assert_int_eq(cleat_queue_add(queue, "", "ns", "b", NULL), 0);
    ck_assert_int_eq(cleat_queue_add(queue, "", "ns", "c", NULL), 0);
    for (int i = 0; i < 3; i++) {
        cleat_thread_join(&getters[i].thread);
        ck_assert_int_eq(getters[i].rc, 0);
        cleat_queue_done(queue, &getters[i].request, NULL);
    }
    cleat_queue_free(queue);
}
END_TEST

START_TEST(test_wakes_for_delay)
{
    struct cleat_queue *queue = queue_make();
    struct cleat_queue_add late = {.after_ms = 60000};
    struct cleat_queue_add soon = {.after_ms = 20};
    struct getter getters[2];
    getter_start(&getters[0], queue);
    getter_start(&getters[1], queue);
    ck_assert_int_eq(cleat_queue_add(queue, "", "ns", "late", &late), 0);
    ck_assert_int_eq(cleat_queue_add(queue, "", "ns", "soon", &soon), 0);
    CLEAT_WAIT_FOR(atomic_load(&getters[0].returned) || atomic_load(&getters[1].returned), 5000);
    struct getter *first = atomic_load(&getters[0].returned) ? &getters[0] : &getters[1];
    cleat_thread_join(&first->thread);
    ck_assert_str_eq(first->request.name, "soon");
    cleat_queue_done(queue, &first->request, NULL);
    /* The other has taken over the watch. */
    ck_assert_int_eq(cleat_queue_add(queue, "", "ns", "late", &soon), 0);
    for (int i = 0; i < 2; i++)
        cleat_thread_join(&getters[i].thread);
    struct getter *second = first == &getters[0] ? &getters[1] : &getters[0];
    ck_assert_str_eq(second->request.name, "late");
    cleat_queue_done(queue, &second->request, NULL);
    cleat_queue_free(queue);
}
END_TEST

/* After a burst the one who waits naps, and isn't woken: it comes by itself, also for what is
 * delayed. */
START_TEST(test_nap)
{
    struct cleat_queue *queue = queue_make();
    const struct cleat_queue_add soon = {.after_ms = 3};
    for (int round = 0; round < 20; round++) {
        struct getter getter;
        struct cleat_request request;
        char name[16];
        for (int i = 0; i < 200; i++) {
            (void)snprintf(name, sizeof(name), "k%d", i);
            ck_assert_int_eq(cleat_queue_add(queue, "", "ns", name, NULL), 0);
        }
        for (int i = 0; i < 200; i++) {
            ck_assert_int_eq(cleat_queue_get(queue, 0, &request), 0);
            cleat_queue_done(queue, &request, NULL);
        }
        getter_start(&getter, queue);
        ck_assert_int_eq(cleat_queue_add(queue, "", "ns", "x", round % 2 ? &soon : NULL), 0);
        cleat_thread_join(&getter.thread);
        ck_assert_int_eq(getter.rc, 0);
        cleat_queue_done(queue, &getter.request, NULL);
    }
    cleat_queue_free(queue);
}
END_TEST

START_TEST(test_stop_wakes_all)
{
    struct cleat_queue *queue = queue_make();
    struct getter getters[3];
    for (int i = 0; i < 3; i++)
        getter_start(&getters[i], queue);
    cleat_queue_stop(queue, false);
    for (int i = 0; i < 3; i++) {
        cleat_thread_join(&getters[i].thread);
        ck_assert_int_eq(getters[i].rc, CLEAT_QUEUE_CLOSED);
    }
    cleat_queue_free(queue);
}
END_TEST

START_TEST(test_timeout)
{
    struct cleat_queue *queue = queue_make();
    struct cleat_request request = {0};
    int64_t start_ms = cleat_clock_mono_ms(cleat_clock_system());
    ck_assert_int_eq(cleat_queue_get(queue, 20, &request), CLEAT_QUEUE_TIMEOUT);
    ck_assert_int_ge(cleat_clock_mono_ms(cleat_clock_system()) - start_ms, 20);
    cleat_queue_stop(queue, false);
    cleat_queue_free(queue);
}
END_TEST

#define STORM_KEYS 50
#define STORM_ADDS 20000

struct storm {
    struct cleat_queue *queue;
    _Atomic(int) inside[STORM_KEYS];
    _Atomic(uint64_t) seen[STORM_KEYS];
    _Atomic(uint64_t) wanted[STORM_KEYS]; /* set before the add: a later hand-out must see it */
    _Atomic(int) broken;
};

static void *storm_add(void *arg)
{
    struct storm *storm = arg;
    char name[16];
    for (unsigned i = 0; i < STORM_ADDS; i++) {
        unsigned key = (i * 7 + i / 13) % STORM_KEYS;
        struct cleat_queue_add add = {.priority = (int)(i % 3) * 50 - 100,
                                      .after_ms = i % 11 == 0 ? 1 : 0};
        (void)snprintf(name, sizeof(name), "%u", key);
        atomic_fetch_add(&storm->wanted[key], 1);
        if (cleat_queue_add(storm->queue, "", "", name, &add) != 0)
            atomic_fetch_add(&storm->broken, 1);
    }
    return NULL;
}

static void *storm_work(void *arg)
{
    struct storm *storm = arg;
    struct cleat_request requests[8];
    size_t count = 0;
    while (cleat_queue_get_batch(storm->queue, -1, requests, 8, &count) == 0) {
        for (size_t i = 0; i < count; i++) {
            unsigned key = 0;
            (void)sscanf(requests[i].name, "%u", &key);
            if (atomic_fetch_add(&storm->inside[key], 1) != 0)
                atomic_fetch_add(&storm->broken, 1); /* two at a time on one key */
            atomic_store(&storm->seen[key], atomic_load(&storm->wanted[key]));
        }
        for (size_t i = 0; i < count; i++) {
            unsigned key = 0;
            (void)sscanf(requests[i].name, "%u", &key);
            atomic_fetch_sub(&storm->inside[key], 1);
        }
        cleat_queue_done_batch(storm->queue, requests, NULL, count);
    }
    return NULL;
}

static bool storm_quiet(void *arg)
{
    struct storm *storm = arg;
    size_t ready = 0, waiting = 0, working = 0;
    cleat_queue_counts(storm->queue, &ready, &waiting, &working);
    return ready + waiting + working == 0;
}

/* No add is lost and no key is with two workers. */
START_TEST(test_storm)
{
    static struct storm storm;
    struct cleat_thread adders[3] = {{0}}, workers[3] = {{0}};
    storm.queue = queue_make();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cleat_thread_start(&workers[i], "work", 0, storm_work, &storm, NULL), 0);
        ck_assert_int_eq(cleat_thread_start(&adders[i], "add", 0, storm_add, &storm, NULL), 0);
    }
    for (int i = 0; i < 3; i++)
        cleat_thread_join(&adders[i]);
    ck_assert(cleat_wait_for(storm_quiet, &storm, 20000));
    cleat_queue_stop(storm.queue, true);
    for (int i = 0; i < 3; i++)
        cleat_thread_join(&workers[i]);
    ck_assert_int_eq(atomic_load(&storm.broken), 0);
    for (int i = 0; i < STORM_KEYS; i++)
        ck_assert_uint_eq(atomic_load(&storm.seen[i]), atomic_load(&storm.wanted[i]));
    cleat_queue_free(storm.queue);
}
END_TEST

CLEAT_SUITE_MAIN("queue_threads", test_wakes_for_add, test_wakes_for_delay, test_nap,
                 test_stop_wakes_all, test_timeout, test_storm)
