/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The election's thread: asks the machine what to do, does it through the lock, tells what changed.
 * The machine and the lock are this thread's alone; others read the deadline (an atomic, written by
 * this thread) and the holder (under the lock). Invariant: the deadline is published before
 * on_started is called and taken back before on_stopped is.
 */
#include <cleat/election.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/reporter.h"
#include "base/thread.h"
#include "controller/election.h"
#include "controller/election_config_map.h"
#include "controller/election_machine.h"
#include "controller/lease.h"

#define ELECTION_MAGIC 0x656c6563U
#define LEASE_DURATION_MS 15000
#define RENEW_DEADLINE_MS 10000
#define RETRY_PERIOD_MS 2000
#define REPORT_INTERVAL_MS 30000
#define CHECK_TOLERANCE_MS 20000

struct cleat_election {
    unsigned magic;
    const struct cleat_clock *clock;
    struct cleat_log *log;
    struct cleat_election_lock backend;
    struct election_timing timing;
    int64_t check_tolerance_ms;
    char *name;
    char identity[CLEAT_ELECTION_HOLDER_BYTES];
    bool keep_on_stop;
    void (*on_started)(void *arg);
    void (*on_stopped)(void *arg);
    void (*on_new_leader)(void *arg, const char *holder);
    void *arg;
    struct cleat_series *status;
    struct cleat_series *slow_paths;
    struct cleat_series *transitions;
    struct cleat_series *renewed;

    struct election_machine machine; /* the thread's, as all up to the lock */
    struct cleat_buffer raw;
    struct cleat_reporter reporter;
    uint64_t slow_paths_told;
    bool holder_told;                         /* @holder was handed to on_new_leader */
    char leader[CLEAT_ELECTION_HOLDER_BYTES]; /* the last holder that was somebody */

    struct cleat_thread thread; /* the owner's */
    /* Written by the thread, read by the fence and by cleat_election_leading; 0: not leading.
     * Sequentially consistent, so that what a reader does after seeing 0 comes after the loss. */
    _Atomic(int64_t) deadline_boot_ms;

    struct cleat_lock lock;
    struct cleat_cond cond;
    bool stopping;
    bool poked;
    int64_t release_boot_ms; /* of stopping: until when to try; INT64_MIN: not at all */
    char holder[CLEAT_ELECTION_HOLDER_BYTES];
};

/* ---- making ---- */

static void election_identity(struct cleat_election *election, const char *identity)
{
    char host[128] = "";
    char uuid[37];
    if (identity && identity[0]) {
        (void)snprintf(election->identity, sizeof(election->identity), "%s", identity);
        return;
    }
    if (gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0'; /* the random part tells replicas apart */
    cleat_clock_uuid(election->clock, uuid);
    (void)snprintf(election->identity, sizeof(election->identity), "%s_%s", host, uuid);
}

static int election_metric(struct cleat_election *election, struct cleat_metrics *metrics,
                           enum cleat_metric_type type, const char *name, const char *help,
                           struct cleat_series **ret, struct cleat_err *err)
{
    struct cleat_metric *metric = NULL;
    const char *values[] = {election->name};
    const struct cleat_metric_options options = {
        .type = type, .name = name, .help = help, .labels = {"name"}};
    int rc = cleat_metrics_family(metrics, &options, &metric, err);
    if (rc == 0)
        *ret = cleat_metric_series(metric, values);
    return rc;
}

static int election_metrics(struct cleat_election *election, struct cleat_metrics *metrics,
                            struct cleat_err *err)
{
    const struct {
        enum cleat_metric_type type;
        const char *name;
        const char *help;
        struct cleat_series **series;
    } families[] = {
        {CLEAT_METRIC_GAUGE, "leader_election_master_status", "1 where this process leads, else 0.",
         &election->status},
        {CLEAT_METRIC_COUNTER, "leader_election_slowpath_total",
         "Renewals that had to read the lock first.", &election->slow_paths},
        {CLEAT_METRIC_COUNTER, "cleat_leader_transitions_total",
         "Changes of the leader that this process has seen.", &election->transitions},
        {CLEAT_METRIC_GAUGE, "cleat_leader_last_renewal_timestamp_seconds",
         "When this process last renewed its leadership, Unix time; 0 where it doesn't lead.",
         &election->renewed},
    };
    int rc = 0;
    for (size_t i = 0; metrics && rc == 0 && i < sizeof(families) / sizeof(families[0]); i++)
        rc = election_metric(election, metrics, families[i].type, families[i].name,
                             families[i].help, families[i].series, err);
    return rc;
}

static int election_set_up(struct cleat_election *election,
                           const struct cleat_election_options *options, struct cleat_err *err)
{
    election->clock = options->clock ? options->clock : cleat_clock_system();
    election->log = options->log;
    election->keep_on_stop = options->keep_on_stop;
    election->on_started = options->on_started;
    election->on_stopped = options->on_stopped;
    election->on_new_leader = options->on_new_leader;
    election->arg = options->arg;
    election->timing = (struct election_timing){
        .lease_duration_ms =
            options->lease_duration_ms ? options->lease_duration_ms : LEASE_DURATION_MS,
        .renew_deadline_ms =
            options->renew_deadline_ms ? options->renew_deadline_ms : RENEW_DEADLINE_MS,
        .retry_period_ms = options->retry_period_ms ? options->retry_period_ms : RETRY_PERIOD_MS,
    };
    election->check_tolerance_ms =
        options->check_tolerance_ms > 0 ? options->check_tolerance_ms : CHECK_TOLERANCE_MS;
    int rc = cleat__election_timing_check(&election->timing, err);
    if (rc < 0)
        return rc;
    election->name = cleat_mem_strdup(options->name ? options->name : "");
    if (!election->name)
        return cleat_err_set(err, -ENOMEM, "leader election: out of memory");
    election_identity(election, options->identity);
    cleat_reporter_init(&election->reporter, election->clock, REPORT_INTERVAL_MS);
    return election_metrics(election, options->metrics, err);
}

static void lock_release(const struct cleat_election_lock *lock)
{
    if (lock->ops && lock->ops->free)
        lock->ops->free(lock->arg);
}

/* Takes @lock, also on failure. */
static int election_make(const struct cleat_election_options *options,
                         struct cleat_election_lock lock, struct cleat_election **ret,
                         struct cleat_err *err)
{
    struct cleat_election *election = cleat_mem_zalloc(1, sizeof(*election));
    if (!election) {
        lock_release(&lock);
        return cleat_err_set(err, -ENOMEM, "leader election: out of memory");
    }
    election->magic = ELECTION_MAGIC;
    election->backend = lock;
    cleat_lock_init(&election->lock, CLEAT_LOCK_ELECTION);
    cleat_cond_init(&election->cond);
    cleat_buffer_init(&election->raw, CLEAT_ELECTION_RECORD_BYTES_MAX);
    int rc = election_set_up(election, options, err);
    if (rc < 0) {
        cleat_election_free(election);
        return rc;
    }
    *ret = election;
    return 0;
}

int cleat_election_new(const struct cleat_election_options *options, struct cleat_election **ret,
                       struct cleat_err *err)
{
    struct cleat_election_lock lock = options->lock;
    int rc = 0;
    if (!lock.ops) {
        rc = options->kind == CLEAT_ELECTION_CONFIG_MAPS
                 ? cleat__election_config_map_new(options, &lock, err)
                 : cleat__lease_new(options, &lock, err);
    }
    return rc < 0 ? rc : election_make(options, lock, ret, err);
}

struct cleat_election *cleat_election_free(struct cleat_election *election)
{
    if (!election)
        return NULL;
    cleat_assert(election->magic == ELECTION_MAGIC && !election->thread.running);
    lock_release(&election->backend);
    cleat__election_machine_fini(&election->machine);
    cleat_buffer_fini(&election->raw);
    cleat_cond_fini(&election->cond);
    cleat_lock_fini(&election->lock);
    cleat_mem_free(election->name);
    election->magic = 0;
    return cleat_mem_free(election);
}

/* ---- the thread ---- */

static const char *election_lock_name(const struct cleat_election *election)
{
    const struct cleat_election_lock_ops *ops = election->backend.ops;
    const char *name = ops->describe ? ops->describe(election->backend.arg) : NULL;
    return name ? name : election->name;
}

static void election_tell(struct cleat_election *election, const char *what)
{
    char text[CLEAT_ELECTION_HOLDER_BYTES + 32];
    (void)snprintf(text, sizeof(text), "%s %s", election->identity, what); /* fits */
    cleat_info(election->log, what, cleat_log_text("lock", election_lock_name(election)),
               cleat_log_text("identity", election->identity));
    if (election->backend.ops->record_event)
        election->backend.ops->record_event(election->backend.arg, text);
}

static void election_became(struct cleat_election *election)
{
    cleat_series_set(election->status, 1);
    cleat_reporter_reset(&election->reporter);
    election_tell(election, "became leader");
    if (election->on_started)
        election->on_started(election->arg);
}

/* Work is stopped before anything is told. */
static void election_lost(struct cleat_election *election)
{
    cleat_series_set(election->status, 0);
    cleat_series_set(election->renewed, 0);
    if (election->on_stopped)
        election->on_stopped(election->arg);
    election_tell(election, "stopped leading");
}

/* Tells where another holds the lock. */
static void election_publish_holder(struct cleat_election *election)
{
    const struct election_machine *machine = &election->machine;
    const char *holder = machine->seen.holder;
    if (!machine->has_seen || (election->holder_told && strcmp(election->holder, holder) == 0))
        return;
    cleat_lock_take(&election->lock);
    memcpy(election->holder, holder, sizeof(election->holder));
    cleat_lock_release(&election->lock);
    if (holder[0] && election->leader[0] && strcmp(election->leader, holder) != 0)
        cleat_series_add(election->transitions, 1);
    if (holder[0])
        memcpy(election->leader, holder, sizeof(election->leader));
    election->holder_told = true;
    if (election->on_new_leader)
        election->on_new_leader(election->arg, holder);
}

static void election_publish_metrics(struct cleat_election *election, int64_t deadline_ms)
{
    uint64_t slow_paths = election->machine.slow_paths;
    if (slow_paths > election->slow_paths_told) {
        cleat_series_add(election->slow_paths, (double)(slow_paths - election->slow_paths_told));
        election->slow_paths_told = slow_paths;
    }
    if (deadline_ms != 0) {
        int64_t age_ms = cleat_clock_boot_ms(election->clock) -
                         (deadline_ms - election->timing.renew_deadline_ms);
        int64_t renewed_ms = cleat_clock_wall_ms(election->clock) - age_ms;
        cleat_series_set(election->renewed, (double)renewed_ms / 1000);
    }
}

/* Makes known what the machine came to: first the deadline, then the calls. */
static void election_publish(struct cleat_election *election)
{
    int64_t deadline_ms = cleat__election_machine_deadline(&election->machine);
    bool led = atomic_exchange(&election->deadline_boot_ms, deadline_ms) != 0;
    election_publish_metrics(election, deadline_ms);
    if (led && deadline_ms == 0)
        election_lost(election);
    election_publish_holder(election);
    if (!led && deadline_ms != 0)
        election_became(election);
}

static int64_t election_now(const struct cleat_election *election)
{
    return cleat_clock_boot_ms(election->clock);
}

static void election_read(struct cleat_election *election, int64_t deadline_mono_ms)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_election_record record = {0};
    cleat_buffer_reset(&election->raw);
    int rc = election->backend.ops->read(election->backend.arg, deadline_mono_ms, &record,
                                         &election->raw, &err);
    if (rc == 0 && election->raw.failed)
        rc = cleat_err_set(&err, election->raw.failed, "the record is too large");
    if (rc == CLEAT_ELECTION_ABSENT) {
        cleat__election_machine_absent(&election->machine, election_now(election));
    } else if (rc == 0) {
        cleat__election_machine_seen(&election->machine, election_now(election),
                                     cleat_buffer_view(&election->raw), &record);
    } else {
        cleat_report(&election->reporter, election->log, CLEAT_LOG_WARN, "lock can't be read",
                     cleat_log_text("lock", election_lock_name(election)), cleat_log_err(&err));
        cleat__election_machine_failed(&election->machine, election_now(election));
    }
}

static void election_write(struct cleat_election *election, const struct election_step *step,
                           int64_t deadline_mono_ms)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_election_lock_ops *ops = election->backend.ops;
    int rc = step->action == ELECTION_CREATE
                 ? ops->create(election->backend.arg, deadline_mono_ms, &step->record, &err)
                 : ops->update(election->backend.arg, deadline_mono_ms, &step->record, &err);
    if (rc == 0) {
        cleat__election_machine_written(&election->machine, election_now(election), &step->record);
        return;
    }
    /* Another replica being faster is no news. */
    if (rc != -EAGAIN && rc != -EEXIST) {
        cleat_report(&election->reporter, election->log, CLEAT_LOG_WARN, "lock can't be written",
                     cleat_log_text("lock", election_lock_name(election)), cleat_log_err(&err));
    }
    cleat__election_machine_failed(&election->machine, election_now(election));
}

/* True where the thread has to look again before the time has come. */
static void election_wait(struct cleat_election *election, int64_t wait_ms)
{
    cleat_lock_take(&election->lock);
    if (!election->stopping && !election->poked && wait_ms > 0)
        (void)cleat_cond_wait_ms(&election->cond, &election->lock, wait_ms); /* looks again */
    election->poked = false;
    cleat_lock_release(&election->lock);
}

/* @ret_release_ms: what is left for giving the lock back; 0: nothing. */
static bool election_stopping(struct cleat_election *election, int64_t *ret_release_ms)
{
    cleat_lock_take(&election->lock);
    bool stopping = election->stopping;
    int64_t until_ms = election->release_boot_ms;
    cleat_lock_release(&election->lock);
    int64_t now_ms = election_now(election);
    *ret_release_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    return stopping;
}

/* One step; false at the end. */
static bool election_step(struct cleat_election *election)
{
    struct election_step step;
    int64_t now_ms = election_now(election);
    cleat__election_machine_next(&election->machine, now_ms, &step);
    election_publish(election);
    int64_t left_ms = step.until_boot_ms - now_ms;
    int64_t deadline_mono_ms = cleat_clock_mono_ms(election->clock) + left_ms;
    switch (step.action) {
    case ELECTION_WAIT: election_wait(election, left_ms); break;
    case ELECTION_READ: election_read(election, deadline_mono_ms); break;
    case ELECTION_CREATE:
    case ELECTION_UPDATE: election_write(election, &step, deadline_mono_ms); break;
    case ELECTION_ENDED: break;
    }
    return step.action != ELECTION_ENDED;
}

static void *election_run(void *arg)
{
    struct cleat_election *election = arg;
    bool told = false;
    int64_t release_ms = 0;
    cleat_assert(election->magic == ELECTION_MAGIC);
    do {
        if (!told && election_stopping(election, &release_ms)) {
            cleat__election_machine_stop(&election->machine, election_now(election), release_ms);
            told = true;
        }
    } while (election_step(election));
    return NULL;
}

int cleat_election_start(struct cleat_election *election, struct cleat_err *err)
{
    cleat_assert(election->magic == ELECTION_MAGIC);
    if (election->thread.running)
        return cleat_err_set(err, -EALREADY, "leader election %s runs already", election->name);
    cleat__election_machine_fini(&election->machine);
    cleat__election_machine_init(&election->machine, &election->timing, election->identity,
                                 election->clock);
    election->stopping = false;
    election->slow_paths_told = 0;
    election->holder_told = false;
    return cleat_thread_start(&election->thread, "elect", 0, election_run, election, err);
}

static void election_end(struct cleat_election *election, int64_t release_boot_ms)
{
    cleat_assert(election->magic == ELECTION_MAGIC);
    cleat_lock_take(&election->lock);
    election->stopping = true;
    election->release_boot_ms = release_boot_ms;
    cleat_cond_broadcast(&election->cond);
    cleat_lock_release(&election->lock);
}

void cleat_election_stop(struct cleat_election *election)
{
    cleat__election_stop_within(election, -1);
}

void cleat__election_stop_within(struct cleat_election *election, int64_t release_ms)
{
    int64_t most_ms = election->timing.renew_deadline_ms;
    int64_t within_ms = release_ms >= 0 && release_ms < most_ms ? release_ms : most_ms;
    election_end(election, election->keep_on_stop ? INT64_MIN : election_now(election) + within_ms);
}

void cleat__election_abandon(struct cleat_election *election)
{
    election_end(election, INT64_MIN);
}

void cleat__election_poke(struct cleat_election *election)
{
    cleat_lock_take(&election->lock);
    election->poked = true;
    cleat_cond_broadcast(&election->cond);
    cleat_lock_release(&election->lock);
}

void cleat_election_join(struct cleat_election *election)
{
    cleat_thread_join(&election->thread);
}

int cleat__election_join_ms(struct cleat_election *election, int64_t timeout_ms)
{
    if (timeout_ms >= 0)
        return cleat_thread_join_ms(&election->thread, timeout_ms) == 0 ? 0 : -ETIMEDOUT;
    cleat_thread_join(&election->thread);
    return 0;
}

bool cleat_election_leading(const struct cleat_election *election)
{
    int64_t deadline_ms = atomic_load(&election->deadline_boot_ms);
    return deadline_ms != 0 && election_now(election) < deadline_ms;
}

int64_t cleat_election_deadline_boot_ms(const struct cleat_election *election)
{
    return atomic_load(&election->deadline_boot_ms);
}

int cleat_election_check(const struct cleat_election *election, struct cleat_err *err)
{
    int64_t deadline_ms = atomic_load(&election->deadline_boot_ms);
    int64_t renewed_ms = deadline_ms - election->timing.renew_deadline_ms;
    int64_t age_ms = election_now(election) - renewed_ms;
    if (deadline_ms == 0 ||
        age_ms <= election->timing.lease_duration_ms + election->check_tolerance_ms)
        return 0;
    return cleat_err_set(err, -ETIMEDOUT,
                         "the renewal of %s is stuck: the last one was %lld ms ago",
                         election_lock_name(election), (long long)age_ms);
}

const char *cleat_election_identity(const struct cleat_election *election)
{
    return election->identity;
}

void cleat_election_holder(struct cleat_election *election, char ret[256])
{
    cleat_lock_take(&election->lock);
    memcpy(ret, election->holder, sizeof(election->holder));
    cleat_lock_release(&election->lock);
}
