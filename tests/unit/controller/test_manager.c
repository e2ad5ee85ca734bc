/* SPDX-License-Identifier: Apache-2.0 */
/* The manager without a cluster: groups, order, failures, grace, signals. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cleat/controller.h>
#include <cleat/manager.h>

#include "base/lock.h"
#include "base/thread.h"
#include "controller/manager.h"
#include "support/suite.h"
#include "support/wait.h"

/* What happened, in order: "+a" started, "-a" asked to stop, "=a" joined. */
struct journal {
    struct cleat_lock lock;
    char text[512];
};

struct thing {
    struct journal *journal;
    const char *name;
    int start_code;
    int ready_after; /* asked so often before it's ready; < 0: never */
    int ready_code;  /* instead of being ready */
    _Atomic(bool) stuck;
    struct thing *frees; /* isn't stuck any more once this one is asked to stop; may be NULL */
    _Atomic(int) stopped;
};

struct fixture {
    struct journal journal;
    struct cleat_manager *manager;
    struct cleat_thread thread;
    struct cleat_err err;
    int rc;
};

static void note(struct journal *journal, char what, const char *name)
{
    cleat_lock_take(&journal->lock);
    size_t length = strlen(journal->text);
    (void)snprintf(journal->text + length, sizeof(journal->text) - length, "%c%s ", what, name);
    cleat_lock_release(&journal->lock);
}

static bool noted(struct journal *journal, const char *what)
{
    cleat_lock_take(&journal->lock);
    bool found = strstr(journal->text, what) != NULL;
    cleat_lock_release(&journal->lock);
    return found;
}

static int thing_start(void *arg, struct cleat_err *err)
{
    struct thing *thing = arg;
    note(thing->journal, '+', thing->name);
    return thing->start_code < 0 ? cleat_err_set(err, thing->start_code, "no luck") : 0;
}

static int thing_wait(void *arg, int64_t timeout_ms, struct cleat_err *err)
{
    struct thing *thing = arg;
    ck_assert_int_ge(timeout_ms, 0); /* below would be without a limit */
    if (thing->ready_code < 0)
        return cleat_err_set(err, thing->ready_code, "not like this");
    if (thing->ready_after == 0) {
        note(thing->journal, '*', thing->name);
        return 0;
    }
    thing->ready_after--;
    return -ETIMEDOUT;
}

static void thing_stop(void *arg)
{
    struct thing *thing = arg;
    note(thing->journal, '-', thing->name);
    atomic_fetch_add(&thing->stopped, 1);
    if (thing->frees)
        atomic_store(&thing->frees->stuck, false);
}

static void thing_drain(void *arg)
{
    struct thing *thing = arg;
    note(thing->journal, '~', thing->name);
}

static int thing_join(void *arg, int64_t timeout_ms)
{
    struct thing *thing = arg;
    if (atomic_load(&thing->stuck))
        return -ETIMEDOUT;
    note(thing->journal, '=', thing->name);
    return 0;
}

static void fixture_open(struct fixture *f, struct cleat_manager_options options)
{
    *f = (struct fixture){0};
    cleat_lock_init(&f->journal.lock, CLEAT_LOCK_TEST);
    ck_assert_int_eq(cleat_manager_new(&options, &f->manager, NULL), 0);
}

static int add(struct fixture *f, struct thing *thing, const char *name, enum cleat_group group)
{
    thing->journal = &f->journal;
    thing->name = name;
    const struct cleat_runnable runnable = {
        .name = name,
        .group = group,
        .start = thing_start,
        .wait_ready = thing_wait,
        .stop = thing_stop,
        .join = thing_join,
        .arg = thing,
    };
    return cleat_manager_add(f->manager, &runnable, NULL);
}

static void *fixture_run(void *arg)
{
    struct fixture *f = arg;
    f->rc = cleat_manager_run(f->manager, &f->err);
    return NULL;
}

static void run(struct fixture *f)
{
    ck_assert_int_eq(cleat_thread_start(&f->thread, "run", 0, fixture_run, f, NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    cleat_thread_join(&f->thread);
    ck_assert_ptr_null(cleat_manager_free(f->manager));
    cleat_lock_fini(&f->journal.lock);
}

START_TEST(test_order)
{
    struct fixture f;
    struct thing things[7] = {{0}};
    fixture_open(&f, (struct cleat_manager_options){0});
    /* Added in no order at all. */
    ck_assert_int_eq(add(&f, &things[0], "elected", CLEAT_GROUP_ELECTED), 0);
    ck_assert_int_eq(add(&f, &things[1], "other", CLEAT_GROUP_OTHERS), 0);
    ck_assert_int_eq(add(&f, &things[2], "cache", CLEAT_GROUP_CACHES), 0);
    ck_assert_int_eq(add(&f, &things[3], "http", CLEAT_GROUP_HTTP), 0);
    ck_assert_int_eq(add(&f, &things[4], "warm", CLEAT_GROUP_WARMUP), 0);
    ck_assert_int_eq(add(&f, &things[5], "hook", CLEAT_GROUP_WEBHOOKS), 0);
    ck_assert_int_eq(add(&f, &things[6], "other2", CLEAT_GROUP_OTHERS), 0);
    things[2].ready_after = 3;
    run(&f);
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 5000), 0);
    ck_assert_str_eq(f.journal.text, "+http *http +hook *hook +cache *cache +other +other2 *other "
                                     "*other2 +warm *warm +elected ");
    ck_assert(cleat_manager_leading(f.manager));
    f.journal.text[0] = '\0';
    cleat_manager_stop(f.manager);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, 0);
    ck_assert_str_eq(f.journal.text,
                     "-warm -hook =hook -other2 -other =other2 =other -elected =elected -cache "
                     "=cache -http =http =warm ");
    fixture_close(&f);
}
END_TEST

/* Whoever has clients sends them away before anything stops; what never started isn't asked. */
START_TEST(test_clients_sent_away)
{
    struct fixture f;
    struct thing hook = {0}, failing = {.start_code = -EIO};
    fixture_open(&f, (struct cleat_manager_options){.drain_ms = 1});
    struct cleat_runnable runnable = {.name = "hook",
                                      .group = CLEAT_GROUP_WEBHOOKS,
                                      .start = thing_start,
                                      .drain = thing_drain,
                                      .stop = thing_stop,
                                      .arg = &hook};
    hook.journal = failing.journal = &f.journal;
    hook.name = "hook";
    failing.name = "failing";
    ck_assert_int_eq(cleat_manager_add(f.manager, &runnable, NULL), 0);
    run(&f);
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 5000), 0);
    runnable.name = "failing";
    runnable.arg = &failing;
    ck_assert_int_eq(cleat_manager_add(f.manager, &runnable, NULL), -EIO);
    cleat_manager_stop(f.manager);
    cleat_thread_join(&f.thread);
    ck_assert_str_eq(f.journal.text, "+hook +failing ~hook -hook ");
    fixture_close(&f);
}
END_TEST

START_TEST(test_add_later)
{
    struct fixture f;
    struct thing first = {0}, later = {0}, failing = {.start_code = -EIO}, last = {0};
    fixture_open(&f, (struct cleat_manager_options){0});
    ck_assert_int_eq(add(&f, &first, "first", CLEAT_GROUP_OTHERS), 0);
    run(&f);
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 5000), 0);
    ck_assert_int_eq(add(&f, &later, "later", CLEAT_GROUP_ELECTED), 0);
    ck_assert(noted(&f.journal, "+later"));
    ck_assert_int_eq(add(&f, &failing, "failing", CLEAT_GROUP_OTHERS), -EIO);
    cleat_manager_stop(f.manager);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, 0); /* the one who adds is told, the manager goes on */
    ck_assert_int_eq(atomic_load(&later.stopped), 1);
    ck_assert_int_eq(atomic_load(&failing.stopped), 0);
    ck_assert_int_eq(add(&f, &last, "last", CLEAT_GROUP_OTHERS), -ESHUTDOWN);
    ck_assert_int_eq(cleat_manager_run(f.manager, NULL), -EALREADY);
    fixture_close(&f);
}
END_TEST

START_TEST(test_start_fails)
{
    struct fixture f;
    struct thing http = {0}, broken = {.start_code = -EADDRINUSE}, other = {0};
    fixture_open(&f, (struct cleat_manager_options){0});
    ck_assert_int_eq(add(&f, &http, "http", CLEAT_GROUP_HTTP), 0);
    ck_assert_int_eq(add(&f, &broken, "broken", CLEAT_GROUP_WEBHOOKS), 0);
    ck_assert_int_eq(add(&f, &other, "other", CLEAT_GROUP_OTHERS), 0);
    run(&f);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, -EADDRINUSE);
    ck_assert_str_eq(f.err.text, "no luck");
    ck_assert_str_eq(f.journal.text, "+http *http +broken -http =http ");
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 0), -ETIMEDOUT);
    fixture_close(&f);
}
END_TEST

START_TEST(test_never_ready)
{
    struct fixture f;
    struct thing cache = {.ready_after = -1}, other = {0};
    fixture_open(&f, (struct cleat_manager_options){.sync_timeout_ms = 10});
    ck_assert_int_eq(add(&f, &cache, "cache", CLEAT_GROUP_CACHES), 0);
    ck_assert_int_eq(add(&f, &other, "other", CLEAT_GROUP_OTHERS), 0);
    run(&f);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(f.err.text, "cache isn't ready"));
    ck_assert_str_eq(f.journal.text, "+cache -cache =cache ");
    fixture_close(&f);
    fixture_open(&f, (struct cleat_manager_options){0});
    cache = (struct thing){.ready_code = -EACCES};
    ck_assert_int_eq(add(&f, &cache, "cache", CLEAT_GROUP_CACHES), 0);
    run(&f);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, -EACCES);
    ck_assert_str_eq(f.err.text, "not like this");
    fixture_close(&f);
}
END_TEST

/* Told to stop while it waits for a cache: an orderly end, no error. */
START_TEST(test_stop_while_starting)
{
    struct fixture f;
    struct thing cache = {.ready_after = -1};
    fixture_open(&f, (struct cleat_manager_options){0});
    ck_assert_int_eq(add(&f, &cache, "cache", CLEAT_GROUP_CACHES), 0);
    run(&f);
    CLEAT_WAIT_FOR(noted(&f.journal, "+cache"), 5000);
    cleat_manager_stop(f.manager);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, 0);
    ck_assert_int_eq(f.err.code, 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_failure_later)
{
    struct fixture f;
    struct thing other = {0};
    struct cleat_err first = CLEAT_ERR_INIT, second = CLEAT_ERR_INIT;
    (void)cleat_err_set(&first, -EPIPE, "first");
    (void)cleat_err_set(&second, -EIO, "second");
    fixture_open(&f, (struct cleat_manager_options){0});
    ck_assert_int_eq(add(&f, &other, "other", CLEAT_GROUP_OTHERS), 0);
    run(&f);
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 5000), 0);
    cleat_manager_fail(f.manager, &first);
    cleat_manager_fail(f.manager, &second);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, -EPIPE);
    ck_assert_str_eq(f.err.text, "first");
    ck_assert_int_eq(atomic_load(&other.stopped), 1);
    fixture_close(&f);
}
END_TEST

/* What doesn't end is named; nothing is freed under its feet. */
START_TEST(test_grace)
{
    struct fixture f;
    struct thing stuck = {0}, fine = {0};
    fixture_open(&f, (struct cleat_manager_options){.grace_ms = 20});
    ck_assert_int_eq(add(&f, &stuck, "stuck", CLEAT_GROUP_OTHERS), 0);
    ck_assert_int_eq(add(&f, &fine, "fine", CLEAT_GROUP_HTTP), 0);
    atomic_store(&stuck.stuck, true);
    run(&f);
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 5000), 0);
    cleat_manager_stop(f.manager);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(f.err.text, "stuck"));
    ck_assert_ptr_null(strstr(f.err.text, "fine"));
    ck_assert(noted(&f.journal, "=fine"));
    ck_assert(f.manager->leaked);
    f.manager->leaked = false; /* it does end after all */
    fixture_close(&f);
}
END_TEST

/* A step that hangs uses up its share, not the others'. */
START_TEST(test_share_of_grace)
{
    struct fixture f;
    struct thing stuck = {0}, elected = {0}, cache = {0}, http = {.frees = &stuck};
    fixture_open(&f, (struct cleat_manager_options){.grace_ms = 200});
    ck_assert_int_eq(add(&f, &stuck, "stuck", CLEAT_GROUP_WEBHOOKS), 0);
    ck_assert_int_eq(add(&f, &elected, "elected", CLEAT_GROUP_ELECTED), 0);
    ck_assert_int_eq(add(&f, &cache, "cache", CLEAT_GROUP_CACHES), 0);
    ck_assert_int_eq(add(&f, &http, "http", CLEAT_GROUP_HTTP), 0);
    atomic_store(&stuck.stuck, true);
    run(&f);
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 5000), 0);
    f.journal.text[0] = '\0';
    cleat_manager_stop(f.manager);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, 0); /* it ended late, but in time */
    ck_assert_str_eq(f.journal.text, "-stuck -elected =elected -cache =cache -http =http =stuck ");
    fixture_close(&f);
}
END_TEST

/* The first failure is told, and what doesn't end behind it: nothing may be freed then. */
START_TEST(test_grace_after_failure)
{
    struct fixture f;
    struct thing stuck = {0};
    struct cleat_err failure = CLEAT_ERR_INIT;
    (void)cleat_err_set(&failure, -EPIPE, "it broke");
    fixture_open(&f, (struct cleat_manager_options){.grace_ms = 20});
    ck_assert_int_eq(add(&f, &stuck, "stuck", CLEAT_GROUP_OTHERS), 0);
    atomic_store(&stuck.stuck, true);
    run(&f);
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 5000), 0);
    cleat_manager_fail(f.manager, &failure);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, -ETIMEDOUT);
    ck_assert_str_eq(f.err.text, "it broke; stuck: not ended in the grace time");
    f.manager->leaked = false;
    fixture_close(&f);
}
END_TEST

START_TEST(test_options_refused)
{
    struct cleat_manager *manager = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_manager_options options = {.drain_ms = 10000};
    ck_assert_int_eq(cleat_manager_new(&options, &manager, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "draining for 10000 ms leaves nothing"));
    options.grace_ms = -1; /* for ever */
    ck_assert_int_eq(cleat_manager_new(&options, &manager, NULL), 0);
    cleat_manager_free(manager);
}
END_TEST

static void lock_gone(void *arg)
{
    int *freed = arg;
    (*freed)++;
}

/* A lock of the user's is taken, whatever becomes of the manager. */
START_TEST(test_lock_taken)
{
    static const struct cleat_election_lock_ops ops = {.free = lock_gone};
    int freed = 0;
    struct cleat_manager *manager = NULL;
    struct cleat_manager_options options = {.election = {.lock = {&ops, &freed}, .name = "x"}};
    ck_assert_int_eq(cleat_manager_new(&options, &manager, NULL), 0); /* not elected at all */
    ck_assert_int_eq(freed, 1);
    cleat_manager_free(manager);
    options.elect = true;
    ck_assert_int_eq(cleat_manager_new(&options, &manager, NULL), 0);
    ck_assert_int_eq(freed, 1);
    cleat_manager_free(manager);
    ck_assert_int_eq(freed, 2);
    options.election.retry_period_ms = 20000;
    ck_assert_int_eq(cleat_manager_new(&options, &manager, NULL), -EINVAL);
    ck_assert_int_eq(freed, 3);
    options.drain_ms = 20000;
    ck_assert_int_eq(cleat_manager_new(&options, &manager, NULL), -EINVAL);
    ck_assert_int_eq(freed, 4);
}
END_TEST

static int readyz(struct fixture *f, const char *check)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(1 << 16);
    int status = cleat_health_answer(cleat_manager_readyz(f->manager), "readyz", check, "", &body);
    cleat_buffer_fini(&body);
    return status;
}

START_TEST(test_drain)
{
    struct fixture f;
    struct thing http = {0};
    fixture_open(&f, (struct cleat_manager_options){.drain_ms = 150});
    ck_assert_int_eq(add(&f, &http, "http", CLEAT_GROUP_HTTP), 0);
    run(&f);
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 5000), 0);
    ck_assert_int_eq(readyz(&f, ""), 200);
    int64_t start_ms = cleat_clock_mono_ms(cleat_clock_system());
    cleat_manager_stop(f.manager);
    CLEAT_WAIT_FOR(readyz(&f, "") == 500, 5000);
    ck_assert_int_eq(readyz(&f, "/shutdown"), 500);
    cleat_thread_join(&f.thread);
    ck_assert_int_ge(cleat_clock_mono_ms(cleat_clock_system()) - start_ms, 150);
    ck_assert_int_eq(atomic_load(&http.stopped), 1);
    fixture_close(&f);
}
END_TEST

static int count_reconcile(void *arg, const struct cleat_context *context,
                           const struct cleat_request *request, struct cleat_result *result,
                           struct cleat_err *err)
{
    _Atomic(int) *runs = arg;
    atomic_fetch_add(runs, 1);
    return 0;
}

START_TEST(test_controllers)
{
    struct fixture f;
    _Atomic(int) runs = 0;
    struct cleat_controller *first = NULL, *second = NULL, *later = NULL;
    struct cleat_controller_options options = {
        .name = "one", .reconcile = count_reconcile, .arg = &runs, .warmup = true};
    struct cleat_err err = CLEAT_ERR_INIT;
    fixture_open(&f, (struct cleat_manager_options){0});
    ck_assert_int_eq(cleat_controller_new(f.manager, &options, &first, NULL), 0);
    ck_assert_int_eq(cleat_controller_new(f.manager, &options, &second, &err), -EEXIST);
    ck_assert_str_eq(err.text, "controller one exists already");
    options.name = "two";
    options.not_elected = true;
    ck_assert_int_eq(cleat_controller_new(f.manager, &options, &second, NULL), 0);
    ck_assert_int_eq(cleat_controller_enqueue(first, "", "early", NULL), 0);
    run(&f);
    ck_assert_int_eq(cleat_manager_wait_started(f.manager, 5000), 0);
    ck_assert_int_eq(cleat_controller_enqueue(second, "", "x", NULL), 0);
    options.name = "three";
    ck_assert_int_eq(cleat_controller_new(f.manager, &options, &later, NULL), 0);
    ck_assert_str_eq(cleat_controller_name(later), "three");
    ck_assert_int_eq(cleat_controller_enqueue(later, "", "x", NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&runs) == 3, 5000);
    cleat_manager_stop(f.manager);
    cleat_thread_join(&f.thread);
    ck_assert_int_eq(f.rc, 0);
    options.name = "four";
    ck_assert_int_eq(cleat_controller_new(f.manager, &options, &later, NULL), -ESHUTDOWN);
    fixture_close(&f);
}
END_TEST

START_TEST(test_never_run)
{
    struct fixture f;
    struct thing thing = {0};
    struct cleat_controller *controller = NULL;
    const struct cleat_controller_options options = {.name = "one", .reconcile = count_reconcile};
    fixture_open(&f, (struct cleat_manager_options){0});
    ck_assert_int_eq(add(&f, &thing, "thing", CLEAT_GROUP_OTHERS), 0);
    ck_assert_int_eq(cleat_controller_new(f.manager, &options, &controller, NULL), 0);
    ck_assert_ptr_nonnull(cleat_manager_jobs(f.manager));
    ck_assert_ptr_nonnull(cleat_manager_metrics(f.manager));
    ck_assert_ptr_nonnull(cleat_manager_healthz(f.manager));
    ck_assert_ptr_eq(cleat_manager_clock(f.manager), cleat_clock_system());
    ck_assert_ptr_null(cleat_manager_client(f.manager));
    ck_assert_ptr_null(cleat_manager_cache(f.manager));
    fixture_close(&f);
    ck_assert_str_eq(f.journal.text, "");
}
END_TEST

/* In a child, because the mask of the main thread stays changed. */
static void signalled(void *arg)
{
    int *signals = arg;
    struct fixture f;
    struct thing slow = {0};
    fixture_open(&f, (struct cleat_manager_options){.grace_ms = 20000,
                                                    .drain_ms = *signals > 1 ? 10000 : 0});
    if (add(&f, &slow, "slow", CLEAT_GROUP_OTHERS) != 0 ||
        cleat_manager_signals(f.manager, NULL) != 0)
        return;
    run(&f);
    if (cleat_manager_wait_started(f.manager, 5000) != 0 || kill(getpid(), SIGTERM) != 0)
        return;
    if (*signals > 1) {
        while (!f.manager->draining)
            cleat_wait_moment();
        if (kill(getpid(), SIGINT) != 0)
            return;
    }
    cleat_thread_join(&f.thread);
    if (f.rc == 0 && *signals == 1) {
        cleat_manager_free(f.manager);
        abort(); /* what the helper looks for */
    }
}

START_TEST(test_signal)
{
    int signals = 1;
    ck_assert(cleat_suite_aborts(signalled, &signals));
    signals = 2; /* the second one ends the process at once, with 1 */
    ck_assert(!cleat_suite_aborts(signalled, &signals));
}
END_TEST

CLEAT_SUITE_MAIN("manager", test_order, test_clients_sent_away, test_add_later, test_start_fails,
                 test_never_ready, test_stop_while_starting, test_failure_later, test_grace,
                 test_share_of_grace, test_grace_after_failure, test_options_refused,
                 test_lock_taken, test_drain, test_controllers, test_never_run, test_signal)
