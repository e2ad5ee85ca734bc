/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder: a bounded ring of written events and at most one job that sends them in order.
 * Invariant: while the ring holds something and the pool takes jobs, a job is posted or running
 * (`sending`).
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

#define RECORDER_MAGIC 0x7265636fU
#define REPORT_INTERVAL_MS 30000
#define EVENT_BYTES_MAX (16 * CLEAT_KIB)

static const struct cleat_resource recorder_resource = {
    .gvk = {.group = "events.k8s.io", .version = "v1", .kind = "Event"},
    .plural = "events",
    .singular = "event",
    .namespaced = true,
    .verbs = CLEAT_VERB_CREATE,
};

struct event {
    char *namespace_; /* owned, as body */
    char *body;
    size_t body_bytes;
};

struct cleat_recorder {
    unsigned magic;
    struct cleat_client *client;
    struct cleat_jobs *jobs; /* borrowed */
    const struct cleat_clock *clock;
    struct cleat_log *log;
    char *controller;
    char instance[128];
    struct cleat_reporter reporter;

    struct cleat_lock lock;
    struct cleat_cond cond; /* sending has ended */
    struct event ring[CLEAT_EVENT_QUEUE_MAX];
    size_t first;
    size_t count;
    bool sending;
    bool closed;
    uint64_t dropped;
};

int cleat_recorder_new(struct cleat_client *client, struct cleat_jobs *jobs,
                       const struct cleat_clock *clock, struct cleat_log *log,
                       const char *controller, struct cleat_recorder **ret, struct cleat_err *err)
{
    struct cleat_recorder *recorder = cleat_mem_zalloc(1, sizeof(*recorder));
    char *name = cleat_mem_strdup(controller);
    if (!recorder || !name) {
        cleat_mem_free(recorder);
        cleat_mem_free(name);
        return cleat_err_set(err, -ENOMEM, "event recorder: out of memory");
    }
    recorder->magic = RECORDER_MAGIC;
    recorder->client = cleat_client_ref(client);
    recorder->jobs = jobs;
    recorder->clock = clock ? clock : cleat_clock_system();
    recorder->log = log;
    recorder->controller = name;
    if (gethostname(recorder->instance, sizeof(recorder->instance) - 1) < 0 ||
        !recorder->instance[0]) {
        (void)snprintf(recorder->instance, sizeof(recorder->instance), "%s",
                       name); /* cut is fine */
    }
    cleat_reporter_init(&recorder->reporter, recorder->clock, REPORT_INTERVAL_MS);
    cleat_lock_init(&recorder->lock, CLEAT_LOCK_RECORDER);
    cleat_cond_init(&recorder->cond);
    *ret = recorder;
    return 0;
}

static void event_fini(struct event *event)
{
    cleat_mem_free(event->namespace_);
    cleat_free(event->body);
    *event = (struct event){0};
}

/* Takes the first event; false where there is none, and sending has ended then. */
static bool recorder_take(struct cleat_recorder *recorder, struct event *ret)
{
    cleat_lock_take(&recorder->lock);
    bool taken = recorder->count > 0 && !recorder->closed;
    if (taken) {
        *ret = recorder->ring[recorder->first];
        recorder->first = (recorder->first + 1) % CLEAT_EVENT_QUEUE_MAX;
        recorder->count--;
    } else {
        recorder->sending = false;
        cleat_cond_broadcast(&recorder->cond);
    }
    cleat_lock_release(&recorder->lock);
    return taken;
}

static int event_send(struct cleat_recorder *recorder, const struct event *event,
                      struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    const struct cleat_client_target target = {
        .resource = &recorder_resource,
        .namespace_ = event->namespace_,
    };
    struct cleat_str body = {event->body, event->body_bytes};
    int rc = cleat_document_parse(body, &document, err);
    if (rc == 0) {
        rc = cleat_client_create(recorder->client, &target, cleat_document_root(document), NULL,
                                 NULL, err);
    }
    return rc;
}

static void recorder_send(void *arg)
{
    struct cleat_recorder *recorder = arg;
    struct event event;
    cleat_assert(recorder->magic == RECORDER_MAGIC);
    while (recorder_take(recorder, &event)) {
        struct cleat_err err = CLEAT_ERR_INIT;
        if (event_send(recorder, &event, &err) < 0) {
            cleat_report(&recorder->reporter, recorder->log, CLEAT_LOG_WARN, "event isn't recorded",
                         cleat_log_text("namespace", event.namespace_), cleat_log_err(&err));
        }
        event_fini(&event);
    }
}

/* The pool stops: what is queued stays until the end. */
static void recorder_unsent(void *arg)
{
    struct cleat_recorder *recorder = arg;
    cleat_lock_take(&recorder->lock);
    recorder->sending = false;
    cleat_cond_broadcast(&recorder->cond);
    cleat_lock_release(&recorder->lock);
}

static int event_make(struct cleat_recorder *recorder, const struct cleat_event_note *note,
                      struct event *ret)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(EVENT_BYTES_MAX);
    struct cleat_str namespace_ = {0};
    struct recorder_source source = {
        .controller = recorder->controller,
        .instance = recorder->instance,
        .wall_ms = cleat_clock_wall_ms(recorder->clock),
    };
    cleat_clock_random(recorder->clock, &source.random, sizeof(source.random));
    int rc = cleat__recorder_write(&source, note, &buffer, &namespace_);
    if (rc == 0) {
        ret->body_bytes = buffer.length;
        ret->body = cleat_buffer_take(&buffer);
        ret->namespace_ = cleat_mem_strndup(namespace_.data, namespace_.length);
        rc = ret->namespace_ && ret->body ? 0 : -ENOMEM;
    }
    if (rc < 0)
        event_fini(ret);
    cleat_buffer_fini(&buffer);
    return rc;
}

void cleat_recorder_post(struct cleat_recorder *recorder, const struct cleat_event_note *note)
{
    struct event event = {0};
    cleat_assert(recorder->magic == RECORDER_MAGIC && note->regarding && note->reason);
    bool made = event_make(recorder, note, &event) == 0;
    cleat_lock_take(&recorder->lock);
    bool kept = made && !recorder->closed && recorder->count < CLEAT_EVENT_QUEUE_MAX;
    if (kept) {
        size_t last = (recorder->first + recorder->count) % CLEAT_EVENT_QUEUE_MAX;
        recorder->ring[last] = event;
        recorder->count++;
    } else {
        recorder->dropped++;
    }
    bool start = kept && !recorder->sending;
    recorder->sending = recorder->sending || start;
    cleat_lock_release(&recorder->lock);
    if (!kept) {
        event_fini(&event);
        cleat_report(&recorder->reporter, recorder->log, CLEAT_LOG_WARN, "event dropped",
                     cleat_log_text("reason", note->reason));
    }
    if (start && cleat_jobs_post(recorder->jobs, recorder_send, recorder_unsent, recorder) < 0)
        recorder_unsent(recorder); /* the next post tries again */
}

uint64_t cleat_recorder_dropped(struct cleat_recorder *recorder)
{
    cleat_lock_take(&recorder->lock);
    uint64_t dropped = recorder->dropped;
    cleat_lock_release(&recorder->lock);
    return dropped;
}

int cleat__recorder_flush(struct cleat_recorder *recorder, int64_t timeout_ms)
{
    const struct cleat_clock *system = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(system) + timeout_ms;
    int64_t left_ms = timeout_ms;
    cleat_lock_take(&recorder->lock);
    while (recorder->sending && (timeout_ms < 0 || left_ms > 0)) {
        (void)cleat_cond_wait_ms(&recorder->cond, &recorder->lock, left_ms); /* looks again */
        left_ms = timeout_ms < 0 ? -1 : until_ms - cleat_clock_mono_ms(system);
    }
    int rc = recorder->sending ? -ETIMEDOUT : 0;
    cleat_lock_release(&recorder->lock);
    return rc;
}

void cleat__recorder_stop(struct cleat_recorder *recorder, int64_t timeout_ms)
{
    (void)cleat__recorder_flush(recorder, timeout_ms); /* what is left is dropped */
}

struct cleat_recorder *cleat_recorder_free(struct cleat_recorder *recorder)
{
    if (!recorder)
        return NULL;
    cleat_assert(recorder->magic == RECORDER_MAGIC);
    cleat_lock_take(&recorder->lock);
    recorder->closed = true;
    cleat_lock_release(&recorder->lock);
    (void)cleat__recorder_flush(recorder, -1); /* without a limit it can't fail */
    for (size_t i = 0; i < recorder->count; i++)
        event_fini(&recorder->ring[(recorder->first + i) % CLEAT_EVENT_QUEUE_MAX]);
    cleat_cond_fini(&recorder->cond);
    cleat_lock_fini(&recorder->lock);
    cleat_client_unref(recorder->client);
    cleat_mem_free(recorder->controller);
    recorder->magic = 0;
    return cleat_mem_free(recorder);
}
