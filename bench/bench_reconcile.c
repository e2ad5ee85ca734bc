/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A controller with one worker whose reconcile does nothing but read its object from the cache:
 * what one changed object costs from the socket to the end of its reconcile. Lines as in
 * protocol.h, with "reconciles".
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cleat/controller.h>
#include <cleat/manager.h>

#include "base/thread.h"
#include "protocol.h"

#define START_LIMIT_MS 600000

struct bench {
    struct protocol protocol;
    struct cleat_manager *manager;
    struct cleat_store *store;
    struct cleat_thread thread;
    struct cleat_err err;
    int rc;
    /* Counted by the worker, read by main; nothing else hangs on them. */
    _Atomic(uint64_t) reconciles;
    _Atomic(uint64_t) missing;
};

static int bench_reconcile(void *arg, const struct cleat_context *context,
                           const struct cleat_request *request, struct cleat_result *result,
                           struct cleat_err *err)
{
    struct bench *bench = arg;
    struct cleat_object *object = NULL;
    int rc = cleat_store_lookup(bench->store, cleat_str_of(request->namespace_),
                                cleat_str_of(request->name), &object);
    atomic_fetch_add_explicit(&bench->reconciles, 1, memory_order_relaxed);
    if (rc != 0)
        atomic_fetch_add_explicit(&bench->missing, 1, memory_order_relaxed);
    cleat_object_unref(object);
    return 0;
}

static void *bench_run(void *arg)
{
    struct bench *bench = arg;
    bench->rc = cleat_manager_run(bench->manager, &bench->err);
    return NULL;
}

static struct protocol_number bench_count(void *arg)
{
    struct bench *bench = arg;
    uint64_t count = atomic_load_explicit(&bench->reconciles, memory_order_relaxed);
    return (struct protocol_number){"reconciles", count};
}

static int bench_make(struct bench *bench, struct cleat_watch **ret, struct cleat_err *err)
{
    struct cleat_controller *controller = NULL;
    const struct cleat_manager_options manager = {.client = bench->protocol.client,
                                                  .log = bench->protocol.log,
                                                  .sync_timeout_ms = START_LIMIT_MS,
                                                  .cache = {.http1 = bench->protocol.http1}};
    const struct cleat_controller_options options = {.name = "bench",
                                                     .reconcile = bench_reconcile,
                                                     .arg = bench,
                                                     .workers = 1,
                                                     .sync_timeout_ms = START_LIMIT_MS};
    const struct cleat_watch_options watch = {.type = CLEAT_WATCH_FOR,
                                              .feed = protocol_feed(&bench->protocol)};
    int rc = cleat_manager_new(&manager, &bench->manager, err);
    if (rc == 0)
        rc = cleat_controller_new(bench->manager, &options, &controller, err);
    if (rc == 0)
        rc = cleat_controller_watch(controller, &watch, ret, err);
    return rc;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct cleat_watch *watch = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    protocol_open(&bench.protocol, "reconcile", argc, argv);
    int rc = bench_make(&bench, &watch, &err);
    if (rc == 0) {
        bench.store = cleat_feed_store(cleat_watch_feed(watch));
        rc = cleat_thread_start(&bench.thread, "manager", 0, bench_run, &bench, &err);
    }
    if (rc == 0)
        rc = cleat_feed_wait_synced(cleat_watch_feed(watch), START_LIMIT_MS, &err);
    if (rc < 0)
        protocol_die(&bench.protocol, &err);
    protocol_synced(&bench.protocol, cleat_watch_feed(watch));
    protocol_serve(&bench.protocol, cleat_watch_feed(watch), bench_count, &bench);
    cleat_manager_stop(bench.manager);
    cleat_thread_join(&bench.thread);
    if (bench.rc < 0)
        protocol_die(&bench.protocol, &bench.err);
    cleat_manager_free(bench.manager);
    protocol_close(&bench.protocol);
    return 0;
}
