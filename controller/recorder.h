/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the recorder: events are written as bodies on the caller's thread and sent, one
 * after the other, by one job at a time.
 */
#ifndef CLEAT_CONTROLLER_RECORDER_H
#define CLEAT_CONTROLLER_RECORDER_H

#include <stdint.h>
#include <cleat/buffer.h>
#include <cleat/recorder.h>

/* What stands in each event besides the note. */
struct recorder_source {
    const char *controller;
    const char *instance;
    int64_t wall_ms;
    uint64_t random;
};

/** Writes the Event (events.k8s.io/v1) as JSON. @ret_namespace is borrowed from the note or static.
 * 0 or -ENOMEM. */
int cleat__recorder_write(const struct recorder_source *source, const struct cleat_event_note *note,
                          struct cleat_buffer *buffer, struct cleat_str *ret_namespace);
/** Sends what was posted, for at most @timeout_ms. */
void cleat__recorder_stop(struct cleat_recorder *recorder, int64_t timeout_ms);
/** Waits until everything posted is sent, at most @timeout_ms (< 0: for ever). 0 or -ETIMEDOUT. */
int cleat__recorder_flush(struct cleat_recorder *recorder, int64_t timeout_ms);

#endif
