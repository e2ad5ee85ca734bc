/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work queue alone: one thread's add, get and done with three priorities, and producers against
 * workers. Prints one line of JSON. The second figure counts keys that went all the way; producers
 * add one key at a time and wait for a key to be done before they add it again, so that no add is
 * folded into another.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cleat/clock.h>
#include <cleat/queue.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/thread.h"

#define KEYS 20000
#define SINGLE_ROUNDS 4000000
#define PRODUCERS 4
#define WORKERS 4
#define BATCH 64
#define BACKLOG 1000 /* single thread: keys that wait in the queue all the time */
#define PER_PRODUCER 1500000

static char (*names)[24];
static const char *const namespaces[] = {"team-a", "team-b", "team-c", "team-d"};
static const int priorities[] = {0, CLEAT_PRIORITY_LOW, 100};

struct bench {
    struct cleat_queue *queue;
    _Atomic(bool) busy[PRODUCERS][KEYS]; /* set by the producer, cleared by the worker */
    _Atomic(uint64_t) done;
    size_t batch;
};

struct producer {
    struct bench *bench;
    struct cleat_thread thread;
    unsigned index;
};

static double seconds(void)
{
    return (double)cleat_clock_mono_ns(cleat_clock_system()) / 1e9;
}

static struct cleat_queue *queue_make(void)
{
    struct cleat_queue *queue = NULL;
    struct cleat_queue_options options = {.name = "bench"};
    int rc = cleat_queue_new(&options, &queue, NULL);
    cleat_assert(rc == 0);
    return queue;
}

static void bench_add(struct cleat_queue *queue, const char *namespace_, size_t key)
{
    struct cleat_queue_add add = {.priority = priorities[key % 3]};
    int rc = cleat_queue_add(queue, "", namespace_, names[key], &add);
    cleat_assert(rc == 0);
}

/* Nanoseconds of one add, get and done. */
static double bench_single(size_t backlog)
{
    struct cleat_queue *queue = queue_make();
    struct cleat_request request;
    for (size_t i = 0; i < backlog; i++)
        bench_add(queue, namespaces[i % 4], i);
    double start = seconds();
    for (size_t i = 0; i < SINGLE_ROUNDS; i++) {
        bench_add(queue, namespaces[i % 4], (backlog + i) % KEYS);
        int rc = cleat_queue_get(queue, 0, &request);
        cleat_assert(rc == 0);
        cleat_queue_done(queue, &request, NULL);
    }
    double ns = (seconds() - start) * 1e9 / SINGLE_ROUNDS;
    cleat_queue_stop(queue, false);
    cleat_queue_free(queue);
    return ns;
}

static void *bench_produce(void *arg)
{
    struct producer *producer = arg;
    struct bench *bench = producer->bench;
    for (uint64_t i = 0; i < PER_PRODUCER; i++) {
        _Atomic(bool) *busy = &bench->busy[producer->index][i % KEYS];
        while (atomic_load_explicit(busy, memory_order_relaxed))
            (void)sched_yield(); /* it can't fail on Linux */
        atomic_store_explicit(busy, true, memory_order_relaxed);
        bench_add(bench->queue, namespaces[producer->index], i % KEYS);
    }
    return NULL;
}

/* The number at the end of the name. */
static size_t key_of(const char *name)
{
    size_t key = 0;
    for (const char *digit = strrchr(name, '-') + 1; *digit; digit++)
        key = key * 10 + (size_t)(*digit - '0');
    return key;
}

static void *bench_work(void *arg)
{
    struct bench *bench = arg;
    struct cleat_request requests[BATCH];
    size_t count = 0;
    while (cleat_queue_get_batch(bench->queue, -1, requests, bench->batch, &count) == 0) {
        _Atomic(bool) *busy[BATCH];
        for (size_t i = 0; i < count; i++)
            busy[i] = &bench->busy[requests[i].namespace_[5] - 'a'][key_of(requests[i].name)];
        cleat_queue_done_batch(bench->queue, requests, NULL, count);
        for (size_t i = 0; i < count; i++)
            atomic_store_explicit(busy[i], false, memory_order_relaxed);
        atomic_fetch_add_explicit(&bench->done, count, memory_order_relaxed);
    }
    return NULL;
}

/* Keys a second from four producers through four workers. */
static double bench_threads(size_t batch)
{
    static struct bench bench;
    struct producer producers[PRODUCERS];
    struct cleat_thread workers[WORKERS] = {{0}};
    int rc = 0;
    bench.queue = queue_make();
    bench.batch = batch;
    atomic_store(&bench.done, 0);
    double start = seconds();
    for (unsigned i = 0; i < WORKERS; i++)
        rc |= cleat_thread_start(&workers[i], "work", 0, bench_work, &bench, NULL);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.bench = &bench, .index = i};
        rc |= cleat_thread_start(&producers[i].thread, "produce", 0, bench_produce, &producers[i],
                                 NULL);
    }
    cleat_assert(rc == 0);
    for (unsigned i = 0; i < PRODUCERS; i++)
        cleat_thread_join(&producers[i].thread);
    cleat_queue_stop(bench.queue, true);
    for (unsigned i = 0; i < WORKERS; i++)
        cleat_thread_join(&workers[i]);
    double taken = seconds() - start;
    cleat_assert(atomic_load(&bench.done) == (uint64_t)PRODUCERS * PER_PRODUCER);
    cleat_queue_free(bench.queue);
    return (double)PRODUCERS * PER_PRODUCER / taken;
}

int main(void)
{
    names = cleat_mem_zalloc(KEYS, sizeof(*names));
    cleat_assert(names);
    for (size_t i = 0; i < KEYS; i++)
        (void)snprintf(names[i], sizeof(names[i]), "web-5d9c7b9f8-%05zu", i); /* fits */
    double single = bench_single(0);
    double backlog = bench_single(BACKLOG);
    double threads = bench_threads(BATCH);
    double threads_single = bench_threads(1);
    (void)printf("{\"add_get_done_ns\":%.0f,\"add_get_done_backlog_ns\":%.0f,"
                 "\"producers\":%d,\"workers\":%d,\"batch\":%d,\"keys_per_s\":%.0f,"
                 "\"keys_per_s_batch_1\":%.0f}\n",
                 single, backlog, PRODUCERS, WORKERS, BATCH, threads,
                 threads_single); /* stdout's loss shows */
    cleat_mem_free(names);
    return 0;
}
