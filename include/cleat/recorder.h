/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes Events (events.k8s.io/v1), sent from the job pool; a full queue drops and counts,
 * never blocks.
 */
#ifndef CLEAT_RECORDER_H
#define CLEAT_RECORDER_H

#include <cleat/client.h>
#include <cleat/err.h>
#include <cleat/jobs.h>
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

/**
 * Makes a recorder that keeps a reference to @client and borrows @jobs, @clock (NULL: the system's)
 * and @log (may be NULL) for its life. @controller (copied) becomes reportingController, the host's
 * name reportingInstance. @ret is new. 0 or -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_recorder_new(struct cleat_client *client,
                                                     struct cleat_jobs *jobs,
                                                     const struct cleat_clock *clock,
                                                     struct cleat_log *log, const char *controller,
                                                     struct cleat_recorder **ret,
                                                     struct cleat_err *err);
/**
 * Records; everything is copied. Cluster-scoped objects' events go to namespace "default". At most
 * 1,000 wait to be sent; what is beyond is dropped and counted. Any thread; never blocks. Source:
 * events.k8s.io/v1 Event, the fields that its validation requires.
 */
CLEAT_EXPORT void cleat_recorder_post(struct cleat_recorder *recorder,
                                      const struct cleat_event_note *note);
/** Events that were dropped because the queue was full or memory short. Any thread. */
CLEAT_EXPORT uint64_t cleat_recorder_dropped(struct cleat_recorder *recorder);
/** Waits for the event that is being sent, drops the others, frees; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_recorder *cleat_recorder_free(struct cleat_recorder *recorder);

CLEAT_END

#endif
