/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include <cleat/time.h>
#include <cleat/write.h>

#include "controller/recorder.h"

/* Limits of events.k8s.io/v1's validation. */
#define NOTE_BYTES_MAX 1024
#define WORD_BYTES_MAX 128
/* Leaves room for the suffix within 253. */
#define NAME_BYTES_MAX 220

/* At most @max bytes, cut before a character rather than through one. */
static struct cleat_str cut(struct cleat_str text, size_t max)
{
    if (text.length > max) {
        text.length = max;
        while (text.length > 0 && ((unsigned char)text.data[text.length] & 0xc0) == 0x80)
            text.length--;
    }
    return text;
}

static void write_member(struct cleat_buffer *buffer, const char *key, struct cleat_str value)
{
    cleat_buffer_format(buffer, ",\"%s\":", key);
    cleat_write_string(buffer, value);
}

static void write_reference(struct cleat_buffer *buffer, const char *key,
                            const struct cleat_object *object)
{
    cleat_buffer_format(buffer, ",\"%s\":{\"apiVersion\":", key);
    cleat_write_string(buffer, cleat_object_api_version(object));
    write_member(buffer, "kind", cleat_object_kind(object));
    if (cleat_object_namespace(object).length > 0)
        write_member(buffer, "namespace", cleat_object_namespace(object));
    write_member(buffer, "name", cleat_object_name(object));
    write_member(buffer, "uid", cleat_object_uid(object));
    write_member(buffer, "resourceVersion", cleat_object_resource_version(object));
    cleat_buffer_byte(buffer, '}');
}

static void write_metadata(struct cleat_buffer *buffer, const char *name,
                           struct cleat_str namespace_)
{
    cleat_buffer_text(buffer, "\"metadata\":{\"name\":");
    cleat_write_string(buffer, cleat_str_of(name));
    write_member(buffer, "namespace", namespace_);
    cleat_buffer_byte(buffer, '}');
}

static const char *note_action(const struct cleat_event_note *note)
{
    return note->action && note->action[0] ? note->action : note->reason;
}

static struct cleat_str note_type(const struct cleat_event_note *note)
{
    return note->warning ? CLEAT_STR("Warning") : CLEAT_STR("Normal");
}

int cleat__recorder_write(const struct recorder_source *source, const struct cleat_event_note *note,
                          struct cleat_buffer *buffer, char ret_name[CLEAT__EVENT_NAME_BYTES],
                          struct cleat_str *ret_namespace)
{
    char time[CLEAT_TIME_BYTES];
    struct cleat_str regarding = cut(cleat_object_name(note->regarding), NAME_BYTES_MAX);
    struct cleat_str namespace_ = cleat_object_namespace(note->regarding);
    if (namespace_.length == 0)
        namespace_ = CLEAT_STR("default");
    (void)snprintf(ret_name, CLEAT__EVENT_NAME_BYTES, "%.*s.%llx%08x", CLEAT_STR_ARG(regarding),
                   (unsigned long long)source->wall_ms, (unsigned)source->random); /* fits */
    cleat_buffer_text(buffer, "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",");
    write_metadata(buffer, ret_name, namespace_);
    write_member(buffer, "eventTime",
                 cleat_str_of(cleat_time_write_micro(source->wall_ms * 1000, time)));
    write_member(buffer, "reportingController",
                 cut(cleat_str_of(source->controller), WORD_BYTES_MAX));
    write_member(buffer, "reportingInstance", cut(cleat_str_of(source->instance), WORD_BYTES_MAX));
    write_member(buffer, "action", cut(cleat_str_of(note_action(note)), WORD_BYTES_MAX));
    write_member(buffer, "reason", cut(cleat_str_of(note->reason), WORD_BYTES_MAX));
    write_member(buffer, "type", note_type(note));
    if (note->note)
        write_member(buffer, "note", cut(cleat_str_of(note->note), NOTE_BYTES_MAX));
    write_reference(buffer, "regarding", note->regarding);
    if (note->related)
        write_reference(buffer, "related", note->related);
    *ret_namespace = namespace_;
    return buffer->failed;
}

void cleat__recorder_write_series(struct cleat_buffer *buffer, uint64_t count, int64_t wall_ms)
{
    char time[CLEAT_TIME_BYTES];
    uint64_t most = count < INT32_MAX ? count : INT32_MAX; /* the API's type */
    cleat_buffer_format(buffer, "\"series\":{\"count\":%llu,\"lastObservedTime\":\"%s\"}",
                        (unsigned long long)most, cleat_time_write_micro(wall_ms * 1000, time));
}

/* With its length before it, so that parts can't run into each other. */
static void write_part(struct cleat_buffer *buffer, struct cleat_str part)
{
    cleat_buffer_format(buffer, "%zu ", part.length);
    cleat_buffer_str(buffer, part);
}

static void write_object(struct cleat_buffer *buffer, const struct cleat_object *object)
{
    write_part(buffer, cleat_object_api_version(object));
    write_part(buffer, cleat_object_kind(object));
    write_part(buffer, cleat_object_namespace(object));
    write_part(buffer, cleat_object_name(object));
    write_part(buffer, cleat_object_uid(object));
}

int cleat__recorder_write_key(const struct cleat_event_note *note, struct cleat_buffer *buffer,
                              size_t *ret_object_bytes)
{
    write_object(buffer, note->regarding);
    *ret_object_bytes = buffer->length;
    write_part(buffer, note_type(note));
    write_part(buffer, cut(cleat_str_of(note->reason), WORD_BYTES_MAX));
    write_part(buffer, cut(cleat_str_of(note_action(note)), WORD_BYTES_MAX));
    if (note->related)
        write_object(buffer, note->related);
    return buffer->failed;
}
