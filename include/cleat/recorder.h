/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes Events (events.k8s.io/v1), sent from the job pool; a full queue drops and counts, never blocks.
 */
#ifndef CLEAT_RECORDER_H
#define CLEAT_RECORDER_H

#include <cleat/client.h>
#include <cleat/err.h>
#include <cleat/jobs.h>
#include <cleat/object.h>

CLEAT_BEGIN

struct cleat_recorder;

struct cleat_event_note {
    const struct cleat_object *regarding;
    const struct cleat_object *related; /* may be NULL */
    bool warning;                       /* type Warning, else Normal */
    const char *reason;                 /* CamelCase, at most 128 bytes */
    const char *action;                 /* at most 128 bytes */
    const char *note;                   /* cut at 1,024 bytes */
};

CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_recorder_new(struct cleat_client *client, struct cleat_jobs *jobs,
                                                     const struct cleat_clock *clock,
                                                     struct cleat_log *log, const char *controller,
                                                     struct cleat_recorder **ret, struct cleat_err *err);
/** Records; everything is copied. Cluster-scoped objects' events go to namespace "default". Any thread. */
CLEAT_EXPORT void cleat_recorder_post(struct cleat_recorder *recorder,
                                      const struct cleat_event_note *note);
CLEAT_EXPORT struct cleat_recorder *cleat_recorder_free(struct cleat_recorder *recorder);

CLEAT_END

#endif
