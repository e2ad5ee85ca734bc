/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/lock.h"
#include "controller/controller.h"
#include "controller/queue.h"
#include "support/chaos.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

#define SEEN_MAX 64

/* A reconciler that does what the test wrote down, and notes what it was given. */
struct script {
    struct cleat_lock lock;
    struct cleat_cond cond;
    int codes[SEEN_MAX];
    struct cleat_result results[SEEN_MAX];
    bool held; /* runs wait while this is set */
    _Atomic(int) entered;
    _Atomic(int) runs;
    _Atomic(int) stopping_seen;
    char keys[SEEN_MAX][64];
    int priorities[SEEN_MAX];
    unsigned retries[SEEN_MAX];
    int64_t deadlines[SEEN_MAX];
    char ids[SEEN_MAX][37];
    _Atomic(int) inside[4];
    _Atomic(int) twice;
};

struct fixture {
    struct cleat_fake_clock fake;
    struct cleat_metrics *metrics;
    struct cleat_controller *controller;
    struct script script;
    _Atomic(int) failures;
};

static int script_reconcile(void *arg, const struct cleat_context *context,
                            const struct cleat_request *request, struct cleat_result *result,
                            struct cleat_err *err)
{
    struct script *script = arg;
    int run = atomic_load(&script->runs) % SEEN_MAX;
    atomic_fetch_add(&script->entered, 1);
    cleat_lock_take(&script->lock);
    while (script->held)
        cleat_cond_wait(&script->cond, &script->lock);
    run = atomic_load(&script->runs) % SEEN_MAX;
    (void)snprintf(script->keys[run], sizeof(script->keys[run]), "%s/%s", request->namespace_,
                   request->name);
    script->priorities[run] = request->priority;
    script->retries[run] = request->retries;
    script->deadlines[run] = context->deadline_mono_ms;
    memcpy(script->ids[run], context->reconcile_id, sizeof(script->ids[run]));
    atomic_fetch_add(&script->stopping_seen, cleat_context_stopping(context));
    *result = script->results[run];
    int code = script->codes[run];
    atomic_fetch_add(&script->runs, 1);
    cleat_lock_release(&script->lock);
    return code < 0 ? cleat_err_set(err, code, "told to fail") : code;
}

static void script_batch(void *arg, const struct cleat_context *context,
                         const struct cleat_request *requests, size_t count, int *codes,
                         struct cleat_result *results, struct cleat_err *errs)
{
    for (size_t i = 0; i < count; i++)
        codes[i] = script_reconcile(arg, context, &requests[i], &results[i], &errs[i]);
}

static void fixture_failed(void *arg, const struct cleat_err *err)
{
    struct fixture *f = arg;
    atomic_fetch_add(&f->failures, 1);
}

static void fixture_open(struct fixture *f, struct cleat_controller_options options)
{
    *f = (struct fixture){0};
    cleat_fake_clock_init(&f->fake);
    cleat_lock_init(&f->script.lock, CLEAT_LOCK_TEST);
    cleat_cond_init(&f->script.cond);
    ck_assert_int_eq(cleat_metrics_new(&f->metrics), 0);
    const struct controller_parts parts = {
        .clock = &f->fake.clock,
        .metrics = f->metrics,
        .fail = fixture_failed,
        .fail_arg = f,
    };
    options.name = "things";
    options.arg = &f->script;
    if (!options.reconcile_batch)
        options.reconcile = script_reconcile;
    ck_assert_int_eq(cleat__controller_make(&parts, &options, &f->controller, NULL), 0);
}

static void fixture_start(struct fixture *f)
{
    ck_assert_int_eq(cleat__controller_start(f->controller, NULL), 0);
    ck_assert_int_eq(cleat__controller_wait_ready(f->controller, 5000, NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    cleat__controller_stop(f->controller);
    ck_assert_int_eq(cleat__controller_join(f->controller, 5000), 0);
    cleat__controller_free(f->controller);
    cleat_metrics_free(f->metrics);
    cleat_cond_fini(&f->script.cond);
    cleat_lock_fini(&f->script.lock);
    ck_assert_int_eq(atomic_load(&f->failures), 0);
}

static void hold(struct fixture *f, bool held)
{
    cleat_lock_take(&f->script.lock);
    f->script.held = held;
    cleat_cond_broadcast(&f->script.cond);
    cleat_lock_release(&f->script.lock);
}

static void put(struct fixture *f, const char *name, int priority)
{
    struct cleat_queue_add add = {.priority = priority};
    ck_assert_int_eq(cleat_controller_enqueue(f->controller, "ns", name, &add), 0);
}

static bool settled(void *arg)
{
    struct fixture *f = arg;
    size_t ready = 0, waiting = 0, working = 0;
    cleat_queue_counts(f->controller->queue, &ready, &waiting, &working);
    return ready + working == 0;
}

/* Waits for @runs reconciles in all and for their keys to have been ended. */
static void expect_runs(struct fixture *f, int runs)
{
    CLEAT_WAIT_FOR(atomic_load(&f->script.runs) == runs, 5000);
    ck_assert(cleat_wait_for(settled, f, 5000));
    ck_assert_int_eq(atomic_load(&f->script.runs), runs);
}

static void expect_waiting(struct fixture *f, size_t wanted)
{
    size_t ready = 0, waiting = 0, working = 0;
    cleat_queue_counts(f->controller->queue, &ready, &waiting, &working);
    ck_assert_uint_eq(waiting, wanted);
}

static void advance(struct fixture *f, int64_t ms)
{
    cleat_fake_clock_advance_ms(&f->fake, ms);
    cleat__queue_poke(f->controller->queue);
}

static double metric(struct fixture *f, const char *name)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 << 20);
    double value = -1;
    ck_assert_int_eq(cleat_metrics_write(f->metrics, &text), 0);
    const char *at = strstr(text.data, name);
    ck_assert_msg(at != NULL, "no %s in\n%s", name, text.data);
    ck_assert_int_eq(sscanf(at + strlen(name), " %lf", &value), 1);
    cleat_buffer_fini(&text);
    return value;
}

#define METRIC(f, name) metric((f), name "{controller=\"things\"}")
#define TOTAL(f, result) \
    metric((f), "controller_runtime_reconcile_total{controller=\"things\",result=\"" result "\"}")

START_TEST(test_success)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_controller_options){0});
    ck_assert_double_eq(TOTAL(&f, "success"), 0); /* set from the start */
    ck_assert_double_eq(TOTAL(&f, "requeue"), 0);
    put(&f, "a", 7);
    ck_assert_int_eq(atomic_load(&f.script.entered), 0); /* not before the start */
    fixture_start(&f);
    expect_runs(&f, 1);
    ck_assert_str_eq(f.script.keys[0], "ns/a");
    ck_assert_int_eq(f.script.priorities[0], 7);
    ck_assert_int_eq(f.script.deadlines[0], 0);
    ck_assert_double_eq(TOTAL(&f, "success"), 1);
    ck_assert_double_eq(METRIC(&f, "controller_runtime_active_workers"), 0);
    ck_assert_double_eq(METRIC(&f, "controller_runtime_max_concurrent_reconciles"), 1);
    ck_assert_double_eq(METRIC(&f, "controller_runtime_reconcile_time_seconds_count"), 1);
    put(&f, "a", 0);
    expect_runs(&f, 2);
    ck_assert_str_ne(f.script.ids[0], f.script.ids[1]);
    fixture_close(&f);
}
END_TEST

START_TEST(test_error_is_retried)
{
    static const int64_t delays_ms[] = {5, 10, 20};
    struct fixture f;
    fixture_open(&f, (struct cleat_controller_options){0});
    for (int i = 0; i < 3; i++) {
        f.script.codes[i] = -EIO;
        f.script.results[i].requeue_after_ms = 100000; /* ignored with an error */
        f.script.results[i].set_priority = true;
        f.script.results[i].priority = 50;
    }
    put(&f, "a", CLEAT_PRIORITY_LOW);
    fixture_start(&f);
    expect_runs(&f, 1);
    for (int i = 0; i < 3; i++) {
        expect_waiting(&f, 1);
        advance(&f, delays_ms[i]);
        expect_runs(&f, i + 2);
        ck_assert_uint_eq(f.script.retries[i + 1], (unsigned)i + 1);
        ck_assert_int_eq(f.script.priorities[i + 1], CLEAT_PRIORITY_LOW);
    }
    expect_waiting(&f, 0);
    ck_assert_double_eq(TOTAL(&f, "error"), 3);
    ck_assert_double_eq(TOTAL(&f, "success"), 1);
    ck_assert_double_eq(METRIC(&f, "controller_runtime_reconcile_errors_total"), 3);
    ck_assert_double_eq(METRIC(&f, "controller_runtime_terminal_reconcile_errors_total"), 0);
    put(&f, "a", 0); /* success has forgotten */
    expect_runs(&f, 5);
    ck_assert_uint_eq(f.script.retries[4], 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_terminal)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_controller_options){0});
    f.script.codes[0] = -EIO;
    f.script.codes[1] = CLEAT_RECONCILE_TERMINAL;
    put(&f, "a", 0);
    fixture_start(&f);
    expect_runs(&f, 1);
    advance(&f, 5);
    expect_runs(&f, 2);
    expect_waiting(&f, 0);
    ck_assert_double_eq(METRIC(&f, "controller_runtime_reconcile_errors_total"), 2);
    ck_assert_double_eq(METRIC(&f, "controller_runtime_terminal_reconcile_errors_total"), 1);
    put(&f, "a", 0); /* its next event: the failures are still counted */
    expect_runs(&f, 3);
    ck_assert_uint_eq(f.script.retries[2], 1);
    fixture_close(&f);
}
END_TEST

START_TEST(test_requeue_after)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_controller_options){0});
    f.script.codes[0] = -EIO;
    f.script.results[1].requeue_after_ms = 60000;
    f.script.results[2] = (struct cleat_result){1000, 42, true};
    put(&f, "a", 9);
    fixture_start(&f);
    expect_runs(&f, 1);
    advance(&f, 5);
    expect_runs(&f, 2);
    advance(&f, 59999);
    expect_runs(&f, 2);
    advance(&f, 1);
    expect_runs(&f, 3);
    ck_assert_uint_eq(f.script.retries[2], 0);
    ck_assert_int_eq(f.script.priorities[2], 9);
    advance(&f, 1000);
    expect_runs(&f, 4);
    ck_assert_int_eq(f.script.priorities[3], 42);
    ck_assert_double_eq(TOTAL(&f, "requeue_after"), 2);
    fixture_close(&f);
}
END_TEST

START_TEST(test_batch)
{
    struct fixture f;
    fixture_open(
        &f, (struct cleat_controller_options){.reconcile_batch = script_batch, .batch_max = 3});
    f.script.codes[1] = -EIO;
    f.script.results[2].requeue_after_ms = 50;
    put(&f, "a", 0);
    put(&f, "b", 0);
    put(&f, "c", 0);
    put(&f, "d", 0);
    fixture_start(&f);
    expect_runs(&f, 4);
    ck_assert_str_eq(f.script.ids[0], f.script.ids[2]); /* one run */
    ck_assert_str_ne(f.script.ids[0], f.script.ids[3]);
    expect_waiting(&f, 2);
    advance(&f, 5);
    expect_runs(&f, 5);
    ck_assert_str_eq(f.script.keys[4], "ns/b");
    advance(&f, 45);
    expect_runs(&f, 6);
    ck_assert_str_eq(f.script.keys[5], "ns/c");
    fixture_close(&f);
}
END_TEST

START_TEST(test_overstaying)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_controller_options){.timeout_ms = 1000});
    hold(&f, true);
    put(&f, "a", 0);
    fixture_start(&f);
    CLEAT_WAIT_FOR(atomic_load(&f.script.entered) == 1, 5000);
    CLEAT_WAIT_FOR(METRIC(&f, "controller_runtime_active_workers") == 1, 5000);
    cleat_fake_clock_advance_ms(&f.fake, 1000);
    cleat__controller_tick(f.controller);
    ck_assert_double_eq(METRIC(&f, "cleat_controller_overstaying_reconciles"), 0);
    cleat_fake_clock_advance_ms(&f.fake, 1);
    cleat__controller_tick(f.controller);
    cleat__controller_tick(f.controller); /* named once */
    ck_assert_double_eq(METRIC(&f, "cleat_controller_overstaying_reconciles"), 1);
    ck_assert_double_eq(
        metric(&f, "workqueue_longest_running_processor_seconds{name=\"things\",controller="
                   "\"things\"}"),
        1.001);
    hold(&f, false);
    expect_runs(&f, 1);
    ck_assert_int_eq(f.script.deadlines[0], 1000 * 1000 + 1000);
    ck_assert_double_eq(METRIC(&f, "cleat_controller_overstaying_reconciles"), 0);
    ck_assert_double_eq(METRIC(&f, "controller_runtime_reconcile_timeouts_total"), 1);
    fixture_close(&f);
}
END_TEST

START_TEST(test_stop_waits_for_the_run)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_controller_options){.workers = 2});
    hold(&f, true);
    put(&f, "a", 0);
    put(&f, "b", 0);
    put(&f, "c", 0);
    fixture_start(&f);
    CLEAT_WAIT_FOR(atomic_load(&f.script.entered) == 2, 5000);
    cleat__controller_stop(f.controller);
    ck_assert_int_eq(cleat__controller_join(f.controller, 20), -ETIMEDOUT);
    ck_assert_int_eq(cleat_controller_enqueue(f.controller, "ns", "d", NULL), CLEAT_QUEUE_CLOSED);
    hold(&f, false);
    ck_assert_int_eq(cleat__controller_join(f.controller, 5000), 0);
    ck_assert_int_eq(atomic_load(&f.script.runs), 2); /* c was dropped */
    ck_assert_int_eq(atomic_load(&f.script.stopping_seen), 2);
    fixture_close(&f);
}
END_TEST

START_TEST(test_starts_once)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_controller_options){0});
    fixture_start(&f);
    ck_assert_int_eq(cleat__controller_start(f.controller, NULL), -EALREADY);
    cleat__controller_stop(f.controller);
    ck_assert_int_eq(cleat__controller_start(f.controller, NULL), -ESHUTDOWN);
    fixture_close(&f);
}
END_TEST

static int busy_reconcile(void *arg, const struct cleat_context *context,
                          const struct cleat_request *request, struct cleat_result *result,
                          struct cleat_err *err)
{
    struct script *script = arg;
    int key = request->name[0] - 'a';
    if (atomic_fetch_add(&script->inside[key], 1) != 0)
        atomic_fetch_add(&script->twice, 1);
    atomic_fetch_add(&script->runs, 1);
    atomic_fetch_sub(&script->inside[key], 1);
    return atomic_load(&script->runs) % 5 == 0 ? -EIO : 0;
}

START_TEST(test_one_worker_a_key)
{
    struct fixture f;
    fixture_open(&f, (struct cleat_controller_options){.workers = 4});
    f.controller->reconcile = busy_reconcile;
    fixture_start(&f);
    for (int i = 0; i < 4000; i++) {
        char name[2] = {(char)('a' + i % 4), '\0'};
        ck_assert_int_eq(cleat_controller_enqueue(f.controller, "ns", name, NULL), 0);
    }
    ck_assert(cleat_wait_for(settled, &f, 5000));
    ck_assert_int_gt(atomic_load(&f.script.runs), 3);
    ck_assert_int_eq(atomic_load(&f.script.twice), 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_options_refused)
{
    const struct {
        struct cleat_controller_options options;
        const char *text;
    } cases[] = {
        {{.reconcile = script_reconcile}, "needs a name"},
        {{.name = "", .reconcile = script_reconcile}, "needs a name"},
        {{.name = "x"}, "either reconcile or reconcile_batch"},
        {{.name = "x", .reconcile = script_reconcile, .reconcile_batch = script_batch}, "either"},
        {{.name = "x", .reconcile = script_reconcile, .workers = 5000}, "5000 workers"},
    };
    const struct controller_parts parts = {.clock = cleat_clock_system()};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_controller *controller = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat__controller_make(&parts, &cases[i].options, &controller, &err),
                         -EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, cases[i].text));
        ck_assert_ptr_null(controller);
    }
}
END_TEST

static int make(void *arg)
{
    const struct controller_parts parts = {.clock = cleat_clock_system()};
    const struct cleat_controller_options options = {.name = "x", .reconcile = script_reconcile};
    struct cleat_controller *controller = NULL;
    int rc = cleat__controller_make(&parts, &options, &controller, NULL);
    cleat__controller_free(controller);
    return rc;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_ge(cleat_chaos_sweep(make, NULL), 4);
}
END_TEST

CLEAT_SUITE_MAIN("controller", test_success, test_error_is_retried, test_terminal,
                 test_requeue_after, test_batch, test_overstaying, test_stop_waits_for_the_run,
                 test_starts_once, test_one_worker_a_key, test_options_refused, test_out_of_memory)
