/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes Events (events.k8s.io/v1), sent by a thread of the recorder's own, which starts with
 * the first event.
 *
 *   note ─► seen within 6 minutes? ─yes─► counted; the server is told of the series: at its start,
 *                │                        each 30 minutes, when it has ended, and at the stop
 *                └─no─► spam? queue full? ─► dropped and counted
 *                              └─► queue ─► create
 *
 * Two notes are the same where type, reason, action, regarding and related are; the text may
 * differ, the first one stays. Source: client-go, tools/events/event_broadcaster.go; but a newer
 * version of an object begins no new series.
 */
#ifndef CLEAT_RECORDER_H
#define CLEAT_RECORDER_H

#include <cleat/client.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/log.h>
#include <cleat/metrics.h>
#include <cleat/object.h>

CLEAT_BEGIN

struct cleat_recorder;

/** What happened; all borrowed for the call. */
struct cleat_event_note {
    const struct cleat_object *regarding;
    const struct cleat_object *related; /* may be NULL */
    bool warning;                       /* type Warning, else Normal */
    const char *reason;                 /* CamelCase, cut at 128 bytes */
    const char *action;                 /* cut at 128 bytes; NULL: the reason */
    const char *note;                   /* cut at 1,024 bytes; may be NULL */
};

struct cleat_recorder_options {
    struct cleat_client *client;     /* a reference is kept */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed; NULL: none */
    struct cleat_metrics *metrics;   /* borrowed; NULL: none */
    const char *controller;          /* copied; NULL: "cleat". reportingController, and with the
                                        host's name reportingInstance; cut at 128 bytes */
};

/**
 * Makes a recorder; connects to nothing yet. Metrics: cleat_events_total by action (create, patch)
 * and cleat_events_dropped_total by reason (full, spam, refused, unreachable, memory, stopped).
 * @ret is new. 0 or -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_recorder_new(const struct cleat_recorder_options *options,
                                                     struct cleat_recorder **ret,
                                                     struct cleat_err *err);
/**
 * Records; everything is copied. Cluster-scoped objects' events go to namespace "default". At most
 * 1,000 wait to be sent, at most 25 new ones of one object may come at once, and one more each 5
 * minutes; what is beyond is dropped and counted. Where the API server can't be reached an event is
 * tried 12 times, 10 s apart; what the server refuses isn't tried again. Any thread; never blocks.
 * Source: events.k8s.io/v1 Event, the fields that its validation requires.
 */
CLEAT_EXPORT void cleat_recorder_post(struct cleat_recorder *recorder,
                                      const struct cleat_event_note *note);
/** Events that were dropped, for whatever reason. Any thread. */
CLEAT_EXPORT uint64_t cleat_recorder_dropped(struct cleat_recorder *recorder);
/** Waits for the event that is being sent, drops the others, frees; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_recorder *cleat_recorder_free(struct cleat_recorder *recorder);

CLEAT_END

#endif
