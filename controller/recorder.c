/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder: a book of events (event_book.h) under a lock, and a thread that sends what the book
 * has queued, in order. The thread starts with the first event. Invariant: what the thread is
 * sending stays in the book and keeps its texts; only counts change meanwhile.
 */
#include "controller/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cleat/document.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/reporter.h"
#include "base/thread.h"
#include "controller/event_book.h"

#define RECORDER_MAGIC 0x7265636fU
#define REPORT_INTERVAL_MS 30000
#define EVENT_BYTES_MAX (16 * CLEAT_KIB)
#define KEY_BYTES_MAX (8 * CLEAT_KIB)
#define WORD_BYTES 129
#define TICK_MS 60000
#define CALL_MS 10000
#define TRIES_MAX 12
#define PAUSE_MS 10000
#define ABORT_MS 1000 /* what ending a call may take */

static const struct cleat_resource recorder_resource = {
    .gvk = {.group = "events.k8s.io", .version = "v1", .kind = "Event"},
    .plural = "events",
    .singular = "event",
    .namespaced = true,
    .verbs = CLEAT_VERB_CREATE | CLEAT_VERB_PATCH,
};

/* Why an event is dropped. */
enum drop {
    DROP_FULL,
    DROP_SPAM,
    DROP_REFUSED,
    DROP_UNREACHABLE,
    DROP_MEMORY,
    DROP_STOPPED,
    DROP_COUNT
};

static const char *const drop_names[DROP_COUNT] = {
    [DROP_FULL] = "full",       [DROP_SPAM] = "spam",
    [DROP_REFUSED] = "refused", [DROP_UNREACHABLE] = "unreachable",
    [DROP_MEMORY] = "memory",   [DROP_STOPPED] = "stopped",
};

struct cleat_recorder {
    unsigned magic;
    struct cleat_client *client; /* a client of its own, that can be aborted alone */
    const struct cleat_clock *clock;
    struct cleat_log *log;
    char controller[WORD_BYTES];
    char instance[2 * WORD_BYTES];
    struct cleat_reporter reporter;
    struct cleat_series *created;
    struct cleat_series *patched;
    struct cleat_series *drops[DROP_COUNT];

    struct cleat_thread thread; /* started under the lock */
    struct cleat_lock lock;
    struct cleat_cond wake; /* there is something to do */
    struct cleat_cond idle; /* nothing is queued any more, or the thread has ended */
    struct event_book book;
    int64_t tick_mono_ms;  /* when to look through the book */
    int64_t pause_mono_ms; /* until when the API server is left alone */
    bool paused_before;    /* since it answered last */
    bool closed;           /* nothing more is taken */
    bool ended;            /* the thread has, or never will start */
    int64_t until_mono_ms; /* of the system's clock, once closed; INT64_MAX: no limit */
    uint64_t dropped;
};

/* ---- making ---- */

static int recorder_metrics(struct cleat_recorder *recorder, struct cleat_metrics *metrics,
                            struct cleat_err *err)
{
    static const struct cleat_metric_options sent = {
        .type = CLEAT_METRIC_COUNTER,
        .name = "cleat_events_total",
        .help = "Events that the API server took, by what was asked of it.",
        .labels = {"action"}};
    static const struct cleat_metric_options dropped = {
        .type = CLEAT_METRIC_COUNTER,
        .name = "cleat_events_dropped_total",
        .help = "Events that were not recorded, by the reason.",
        .labels = {"reason"}};
    struct cleat_metric *metric = NULL;
    int rc = metrics ? cleat_metrics_family(metrics, &sent, &metric, err) : 0;
    if (!metrics || rc < 0)
        return rc;
    recorder->created = cleat_metric_series(metric, (const char *const[]){"create"});
    recorder->patched = cleat_metric_series(metric, (const char *const[]){"patch"});
    rc = cleat_metrics_family(metrics, &dropped, &metric, err);
    for (int i = 0; rc == 0 && i < DROP_COUNT; i++)
        recorder->drops[i] = cleat_metric_series(metric, &drop_names[i]);
    return rc;
}

static void recorder_names(struct cleat_recorder *recorder, const char *controller)
{
    char host[WORD_BYTES] = "";
    if (gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0'; /* then the name alone says it */
    (void)snprintf(recorder->controller, sizeof(recorder->controller), "%s",
                   controller ? controller : "cleat"); /* cut is fine, as below */
    (void)snprintf(recorder->instance, sizeof(recorder->instance), "%s%s%s", recorder->controller,
                   host[0] ? "-" : "", host);
}

int cleat_recorder_new(const struct cleat_recorder_options *options, struct cleat_recorder **ret,
                       struct cleat_err *err)
{
    struct cleat_recorder *recorder = cleat_mem_zalloc(1, sizeof(*recorder));
    if (!recorder)
        return cleat_err_set(err, -ENOMEM, "event recorder: out of memory");
    recorder->magic = RECORDER_MAGIC;
    recorder->clock = options->clock ? options->clock : cleat_clock_system();
    recorder->log = options->log;
    recorder->until_mono_ms = INT64_MAX;
    recorder->tick_mono_ms = cleat_clock_mono_ms(recorder->clock) + TICK_MS;
    recorder_names(recorder, options->controller);
    cleat_reporter_init(&recorder->reporter, recorder->clock, REPORT_INTERVAL_MS);
    cleat_lock_init(&recorder->lock, CLEAT_LOCK_RECORDER);
    cleat_cond_init(&recorder->wake);
    cleat_cond_init(&recorder->idle);
    cleat__event_book_init(&recorder->book, CLEAT_EVENT_QUEUE_MAX);
    int rc = cleat_client_fenced(options->client, NULL, NULL, &recorder->client);
    if (rc == 0)
        rc = recorder_metrics(recorder, options->metrics, err);
    if (rc < 0) {
        cleat_recorder_free(recorder);
        return cleat_err_set(err, rc, "event recorder: out of memory"); /* unless it said more */
    }
    *ret = recorder;
    return 0;
}

/* ---- dropping ---- */

/* Under the lock. */
static void recorder_count_drop(struct cleat_recorder *recorder, enum drop why)
{
    recorder->dropped++;
    cleat_series_add(recorder->drops[why], 1);
}

static void recorder_report_drop(struct cleat_recorder *recorder, enum drop why, const char *reason,
                                 const struct cleat_err *err)
{
    static const struct cleat_err none = CLEAT_ERR_INIT;
    cleat_report(&recorder->reporter, recorder->log, CLEAT_LOG_WARN, "event isn't recorded",
                 cleat_log_text("why", drop_names[why]), cleat_log_text("reason", reason),
                 cleat_log_err(err ? err : &none));
}

/* ---- sending ---- */

/* What one call needs, taken under the lock. */
struct sending {
    struct event_entry *entry;
    uint64_t count;
    int64_t wall_ms;
    bool create;
    int64_t deadline_mono_ms;
};

static int send_create(struct cleat_recorder *recorder, const struct sending *sending,
                       const struct cleat_client_call *call, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    struct cleat_buffer body = CLEAT_BUFFER_INIT(EVENT_BYTES_MAX + CLEAT_KIB);
    const struct event_entry *entry = sending->entry;
    const struct cleat_client_target target = {.resource = &recorder_resource,
                                               .namespace_ = entry->namespace_};
    cleat_buffer_str(&body, (struct cleat_str){entry->body, entry->body_bytes});
    if (sending->count > 1) {
        cleat_buffer_byte(&body, ',');
        cleat__recorder_write_series(&body, sending->count, sending->wall_ms);
    }
    cleat_buffer_byte(&body, '}');
    int rc = body.failed;
    if (rc == 0)
        rc = cleat_document_parse(cleat_buffer_view(&body), &document, err);
    if (rc == 0) {
        rc = cleat_client_create(recorder->client, &target, cleat_document_root(document), call,
                                 NULL, err);
    }
    cleat_buffer_fini(&body);
    /* An answer that was lost before: it's there already. */
    return rc == -EEXIST && entry->tries > 0 ? 0 : rc;
}

static int send_patch(struct cleat_recorder *recorder, const struct sending *sending,
                      const struct cleat_client_call *call, struct cleat_err *err)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(CLEAT_KIB);
    const struct cleat_client_target target = {.resource = &recorder_resource,
                                               .namespace_ = sending->entry->namespace_,
                                               .name = sending->entry->name};
    cleat_buffer_byte(&body, '{');
    cleat__recorder_write_series(&body, sending->count, sending->wall_ms);
    cleat_buffer_byte(&body, '}');
    int rc = body.failed;
    if (rc == 0) {
        rc = cleat_client_patch(recorder->client, &target, CLEAT_PATCH_MERGE,
                                cleat_buffer_view(&body), call, NULL, err);
    }
    cleat_buffer_fini(&body);
    return rc;
}

/* Nobody answered: true where it's to be tried again, after a pause that is random at first. Under
 * the lock. */
static bool sending_again(struct cleat_recorder *recorder, struct event_entry *entry)
{
    if (recorder->closed || ++entry->tries >= TRIES_MAX)
        return false;
    int64_t pause_ms = recorder->paused_before
                           ? PAUSE_MS
                           : (int64_t)cleat_clock_random_below(recorder->clock, PAUSE_MS) + 1;
    recorder->paused_before = true;
    recorder->pause_mono_ms = cleat_clock_mono_ms(recorder->clock) + pause_ms;
    cleat__event_book_again(&recorder->book, entry);
    return true;
}

/* What becomes of the entry; under the lock. Why it was dropped, or DROP_COUNT. */
static enum drop sending_settle(struct cleat_recorder *recorder, const struct sending *sending,
                                int rc, const struct cleat_err *err)
{
    struct event_entry *entry = sending->entry;
    bool answered = rc == 0 || err->http_status != 0;
    if (answered)
        recorder->paused_before = false;
    if (rc == 0) {
        cleat__event_book_sent(&recorder->book, entry, sending->count,
                               cleat_clock_mono_ms(recorder->clock));
        cleat_series_add(sending->create ? recorder->created : recorder->patched, 1);
        return DROP_COUNT;
    }
    if (rc == -ENOENT && !sending->create) {
        entry->sent_count = 0; /* somebody deleted it: made again, with its count */
        cleat__event_book_again(&recorder->book, entry);
        return DROP_COUNT;
    }
    if (!answered && sending_again(recorder, entry))
        return DROP_COUNT;
    enum drop why = answered ? DROP_REFUSED : recorder->closed ? DROP_STOPPED : DROP_UNREACHABLE;
    recorder_count_drop(recorder, why);
    cleat__event_book_drop(&recorder->book, entry);
    return why;
}

static int64_t system_now(void)
{
    return cleat_clock_mono_ms(cleat_clock_system());
}

/* Takes what is to be sent now; false where there is nothing. Under the lock. */
static bool recorder_take(struct cleat_recorder *recorder, struct sending *ret)
{
    int64_t now_ms = system_now();
    bool wait = recorder->closed ? now_ms >= recorder->until_mono_ms
                                 : cleat_clock_mono_ms(recorder->clock) < recorder->pause_mono_ms;
    struct event_entry *entry = wait ? NULL : cleat__event_book_take(&recorder->book);
    if (!entry)
        return false;
    *ret = (struct sending){
        .entry = entry,
        .count = entry->count,
        .wall_ms = entry->seen_wall_ms,
        .create = entry->sent_count == 0,
        .deadline_mono_ms = now_ms + CALL_MS,
    };
    if (ret->deadline_mono_ms > recorder->until_mono_ms)
        ret->deadline_mono_ms = recorder->until_mono_ms;
    return true;
}

static void recorder_send(struct cleat_recorder *recorder, const struct sending *sending)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_client_call call = {.deadline_mono_ms = sending->deadline_mono_ms};
    int rc = sending->create ? send_create(recorder, sending, &call, &err)
                             : send_patch(recorder, sending, &call, &err);
    cleat_lock_take(&recorder->lock);
    enum drop why = sending_settle(recorder, sending, rc, &err);
    if (recorder->book.queued == 0)
        cleat_cond_broadcast(&recorder->idle);
    cleat_lock_release(&recorder->lock);
    if (why != DROP_COUNT)
        recorder_report_drop(recorder, why, "", &err);
}

/* Waits for something to do; under the lock. */
static void recorder_wait(struct cleat_recorder *recorder)
{
    int64_t now_ms = cleat_clock_mono_ms(recorder->clock);
    int64_t until_ms = recorder->tick_mono_ms;
    if (recorder->book.queued > 0 && recorder->pause_mono_ms < until_ms)
        until_ms = recorder->pause_mono_ms;
    if (until_ms > now_ms)
        (void)cleat_cond_wait_ms(&recorder->wake, &recorder->lock, until_ms - now_ms);
    now_ms = cleat_clock_mono_ms(recorder->clock);
    if (now_ms >= recorder->tick_mono_ms) {
        recorder->tick_mono_ms = now_ms + TICK_MS;
        (void)cleat__event_book_tick(&recorder->book, now_ms); /* the caller looks */
    }
}

/* The next thing to send, once there is one; false at the end. */
static bool recorder_next(struct cleat_recorder *recorder, struct sending *ret)
{
    cleat_lock_take(&recorder->lock);
    bool taken = recorder_take(recorder, ret);
    while (!taken && !recorder->closed) {
        recorder_wait(recorder);
        taken = recorder_take(recorder, ret);
    }
    if (!taken) {
        recorder->ended = true;
        cleat_cond_broadcast(&recorder->idle);
    }
    cleat_lock_release(&recorder->lock);
    return taken;
}

static void *recorder_main(void *arg)
{
    struct cleat_recorder *recorder = arg;
    struct sending sending;
    cleat_assert(recorder->magic == RECORDER_MAGIC);
    while (recorder_next(recorder, &sending))
        recorder_send(recorder, &sending);
    return NULL;
}

/* ---- posting ---- */

static struct event_entry *post_write(struct cleat_recorder *recorder,
                                      const struct cleat_event_note *note, struct cleat_str key)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(EVENT_BYTES_MAX);
    char name[CLEAT__EVENT_NAME_BYTES];
    struct cleat_str namespace_ = {0};
    struct event_entry *entry = NULL;
    struct recorder_source source = {
        .controller = recorder->controller,
        .instance = recorder->instance,
        .wall_ms = cleat_clock_wall_ms(recorder->clock),
    };
    cleat_clock_random(recorder->clock, &source.random, sizeof(source.random));
    if (cleat__recorder_write(&source, note, &buffer, name, &namespace_) == 0) {
        size_t bytes = buffer.length;
        entry =
            cleat__event_entry_new_take(key, namespace_, name, cleat_buffer_take(&buffer), bytes);
    }
    cleat_buffer_fini(&buffer);
    return entry;
}

/* Wakes the thread, or starts it; under the lock. */
static int recorder_wake(struct cleat_recorder *recorder)
{
    cleat_cond_signal(&recorder->wake);
    if (recorder->thread.running)
        return 0;
    return cleat_thread_start(&recorder->thread, "recorder", 0, recorder_main, recorder, NULL);
}

/* Counts a note of what is known; EVENT_NEW where it isn't. Under the lock. */
static enum event_outcome post_repeat(struct cleat_recorder *recorder, struct cleat_str key)
{
    int64_t mono_ms = cleat_clock_mono_ms(recorder->clock);
    int64_t wall_ms = cleat_clock_wall_ms(recorder->clock);
    enum event_outcome outcome = cleat__event_book_repeat(&recorder->book, key, mono_ms, wall_ms);
    if (outcome == EVENT_QUEUED)
        (void)recorder_wake(recorder); /* it runs: this isn't the first event */
    return outcome;
}

/* Adds @entry unless another thread has meanwhile; under the lock. DROP_COUNT, or why not. */
static enum drop post_add(struct cleat_recorder *recorder, struct event_entry *entry,
                          struct cleat_str object)
{
    if (post_repeat(recorder, entry->key) != EVENT_NEW) {
        cleat__event_entry_free(entry);
        return DROP_COUNT;
    }
    int rc =
        cleat__event_book_add(&recorder->book, entry, object, cleat_clock_mono_ms(recorder->clock),
                              cleat_clock_wall_ms(recorder->clock));
    if (rc == EVENT_QUEUED && recorder_wake(recorder) == 0)
        return DROP_COUNT;
    if (rc == EVENT_QUEUED) {
        struct event_entry *taken = cleat__event_book_take(&recorder->book);
        cleat_assert(taken == entry); /* without a thread nothing else is queued */
        cleat__event_book_drop(&recorder->book, entry);
        return DROP_MEMORY;
    }
    cleat__event_entry_free(entry);
    return rc == EVENT_FULL ? DROP_FULL : rc == EVENT_SPAM ? DROP_SPAM : DROP_MEMORY;
}

/* The note is new: writes and adds it. DROP_COUNT, or why not. */
static enum drop post_new(struct cleat_recorder *recorder, const struct cleat_event_note *note,
                          struct cleat_str key, size_t object_bytes)
{
    const struct cleat_str object = {key.data, object_bytes};
    struct event_entry *entry = post_write(recorder, note, key);
    enum drop why = DROP_MEMORY;
    cleat_lock_take(&recorder->lock);
    if (recorder->closed)
        why = DROP_STOPPED;
    else if (entry)
        why = post_add(recorder, entry, object);
    if (why != DROP_COUNT)
        recorder_count_drop(recorder, why);
    bool stays = why == DROP_STOPPED;
    cleat_lock_release(&recorder->lock);
    if (stays)
        cleat__event_entry_free(entry);
    return why;
}

void cleat_recorder_post(struct cleat_recorder *recorder, const struct cleat_event_note *note)
{
    struct cleat_buffer key = CLEAT_BUFFER_INIT(KEY_BYTES_MAX);
    size_t object_bytes = 0;
    enum drop why = DROP_MEMORY;
    cleat_assert(recorder->magic == RECORDER_MAGIC && note->regarding && note->reason);
    if (cleat__recorder_write_key(note, &key, &object_bytes) == 0) {
        cleat_lock_take(&recorder->lock);
        bool known =
            !recorder->closed && post_repeat(recorder, cleat_buffer_view(&key)) != EVENT_NEW;
        cleat_lock_release(&recorder->lock);
        why = known ? DROP_COUNT : post_new(recorder, note, cleat_buffer_view(&key), object_bytes);
    } else {
        cleat_lock_take(&recorder->lock);
        recorder_count_drop(recorder, why);
        cleat_lock_release(&recorder->lock);
    }
    cleat_buffer_fini(&key);
    if (why != DROP_COUNT)
        recorder_report_drop(recorder, why, note->reason, NULL);
}

uint64_t cleat_recorder_dropped(struct cleat_recorder *recorder)
{
    cleat_lock_take(&recorder->lock);
    uint64_t dropped = recorder->dropped;
    cleat_lock_release(&recorder->lock);
    return dropped;
}

/* ---- ending ---- */

void cleat__recorder_poke(struct cleat_recorder *recorder)
{
    cleat_lock_take(&recorder->lock);
    cleat_cond_broadcast(&recorder->wake);
    cleat_lock_release(&recorder->lock);
}

int cleat__recorder_flush(struct cleat_recorder *recorder, int64_t timeout_ms)
{
    int64_t until_ms = system_now() + timeout_ms;
    int64_t left_ms = timeout_ms;
    cleat_lock_take(&recorder->lock);
    while (recorder->book.queued > 0 && !recorder->ended && (timeout_ms < 0 || left_ms > 0)) {
        (void)cleat_cond_wait_ms(&recorder->idle, &recorder->lock, left_ms); /* looks again */
        left_ms = timeout_ms < 0 ? -1 : until_ms - system_now();
    }
    int rc = recorder->book.queued > 0 ? -ETIMEDOUT : 0;
    cleat_lock_release(&recorder->lock);
    return rc;
}

/* What is left when the thread has ended. Under the lock. */
static void recorder_drop_rest(struct cleat_recorder *recorder)
{
    struct event_entry *entry = NULL;
    while ((entry = cleat__event_book_take(&recorder->book))) {
        recorder_count_drop(recorder, DROP_STOPPED);
        cleat__event_book_drop(&recorder->book, entry);
    }
}

int cleat__recorder_stop(struct cleat_recorder *recorder, int64_t timeout_ms)
{
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : system_now() + timeout_ms;
    cleat_assert(recorder->magic == RECORDER_MAGIC);
    cleat_lock_take(&recorder->lock);
    if (!recorder->closed)
        cleat__event_book_flush(&recorder->book);
    recorder->closed = true;
    /* A call that hangs needs a moment to be given up. */
    recorder->until_mono_ms = timeout_ms < 0 ? INT64_MAX : until_ms - ABORT_MS;
    cleat_cond_broadcast(&recorder->wake);
    cleat_lock_release(&recorder->lock);
    if (timeout_ms >= 0 &&
        cleat_thread_join_ms(&recorder->thread,
                             timeout_ms > ABORT_MS ? timeout_ms - ABORT_MS : 0) != 0) {
        cleat_client_abort(recorder->client, true);
        int64_t left_ms = until_ms - system_now();
        if (cleat_thread_join_ms(&recorder->thread, left_ms > 0 ? left_ms : 0) != 0)
            return -ETIMEDOUT;
    }
    cleat_thread_join(&recorder->thread);
    cleat_lock_take(&recorder->lock);
    recorder_drop_rest(recorder);
    cleat_lock_release(&recorder->lock);
    return 0;
}

struct cleat_recorder *cleat_recorder_free(struct cleat_recorder *recorder)
{
    if (!recorder)
        return NULL;
    cleat_assert(recorder->magic == RECORDER_MAGIC);
    cleat_lock_take(&recorder->lock);
    recorder->closed = true;
    recorder->until_mono_ms = INT64_MIN;
    cleat_cond_broadcast(&recorder->wake);
    cleat_lock_release(&recorder->lock);
    cleat_thread_join(&recorder->thread);
    cleat__event_book_fini(&recorder->book);
    cleat_cond_fini(&recorder->idle);
    cleat_cond_fini(&recorder->wake);
    cleat_lock_fini(&recorder->lock);
    cleat_client_unref(recorder->client);
    recorder->magic = 0;
    return cleat_mem_free(recorder);
}
