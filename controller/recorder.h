/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the recorder: events are written on the caller's thread, kept in a book, and sent
 * one after the other by a thread of the recorder's own.
 */
#ifndef CLEAT_CONTROLLER_RECORDER_H
#define CLEAT_CONTROLLER_RECORDER_H

#include <stdint.h>
#include <cleat/buffer.h>
#include <cleat/recorder.h>

#define CLEAT__EVENT_NAME_BYTES 264

/* What stands in each event besides the note. */
struct recorder_source {
    const char *controller;
    const char *instance;
    int64_t wall_ms;
    uint64_t random;
};

/** Writes the Event (events.k8s.io/v1) as JSON, but for its last brace. @ret_name is its name,
 * @ret_namespace borrowed from the note or static. 0 or -ENOMEM. */
int cleat__recorder_write(const struct recorder_source *source, const struct cleat_event_note *note,
                          struct cleat_buffer *buffer, char ret_name[CLEAT__EVENT_NAME_BYTES],
                          struct cleat_str *ret_namespace);
/** Writes the member "series" for what happened @count times, last at @wall_ms. */
void cleat__recorder_write_series(struct cleat_buffer *buffer, uint64_t count, int64_t wall_ms);
/** Writes what makes two notes the same; @ret_object_bytes of it (from the start) are the object
 * that they regard. 0 or -ENOMEM. */
int cleat__recorder_write_key(const struct cleat_event_note *note, struct cleat_buffer *buffer,
                              size_t *ret_object_bytes);

/**
 * Takes nothing more, sends what is queued and the counts of series, and ends the thread, within
 * @timeout_ms (< 0: no limit). What isn't sent by then is dropped. 0, or -ETIMEDOUT with the thread
 * still running.
 */
int cleat__recorder_stop(struct cleat_recorder *recorder, int64_t timeout_ms);
/** Waits until everything posted is sent, at most @timeout_ms (< 0: for ever). 0 or -ETIMEDOUT. */
int cleat__recorder_flush(struct cleat_recorder *recorder, int64_t timeout_ms);
/** Makes the thread look at the clock again. */
void cleat__recorder_poke(struct cleat_recorder *recorder);

#endif
