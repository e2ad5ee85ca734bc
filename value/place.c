/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/limits.h"
#include "value/place.h"
#include "value/writer.h"

/* Text of a fixed size that remembers that it ran over. */
struct place_text {
    char *bytes;
    size_t length;
    bool cut;
};

static void place_put(struct place_text *text, const char *bytes, size_t length)
{
    size_t room = CLEAT_PLACE_TEXT_BYTES_MAX - 1 - text->length;

    if (text->cut)
        return;
    if (length > room) {
        length = room;
        text->cut = true;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static bool place_key_is_plain(struct cleat_str key)
{
    if (key.length == 0)
        return false;
    for (size_t i = 0; i < key.length; i++) {
        char c = key.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
        bool later = (c >= '0' && c <= '9') || c == '-';
        if (!letter && !(later && i > 0))
            return false;
    }
    return true;
}

static void place_put_key(struct place_text *text, struct cleat_str key)
{
    if (place_key_is_plain(key)) {
        if (text->length > 0)
            place_put(text, ".", 1);
        place_put(text, key.data, key.length);
        return;
    }
    place_put(text, "[\"", 2);
    for (size_t i = 0; i < key.length && !text->cut; i++) {
        if (key.data[i] == '"' || key.data[i] == '\\')
            place_put(text, "\\", 1);
        place_put(text, key.data + i, 1);
    }
    place_put(text, "\"]", 2);
}

static void place_put_index(struct place_text *text, size_t index)
{
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "[%zu]", index);

    place_put(text, digits, (size_t)length);
}

static const char *place_finish(struct place_text *text)
{
    if (text->length == 0)
        place_put(text, "the whole value", 15);
    text->bytes[text->length] = '\0';
    if (text->cut) {
        size_t end = text->length - 3;
        while (end > 0 && ((unsigned char)text->bytes[end] & 0xC0) == 0x80)
            end--; /* never inside of a character */
        memcpy(text->bytes + end, "...", 4);
    }
    return text->bytes;
}

/* The steps from the top down; those beyond the depth limit are left out at the top. */
static size_t place_collect(const struct cleat_place *place,
                            const struct cleat_place *steps[CLEAT_VALUE_DEPTH_MAX + 2])
{
    size_t count = 0;

    for (; place && count < CLEAT_VALUE_DEPTH_MAX + 2; place = place->up)
        steps[count++] = place;
    return count;
}

const char *cleat_place_text(const struct cleat_place *place, char text[CLEAT_PLACE_TEXT_BYTES_MAX])
{
    const struct cleat_place *steps[CLEAT_VALUE_DEPTH_MAX + 2];
    struct place_text out = {text, 0, false};

    for (size_t i = place_collect(place, steps); i-- > 0;)
        if (steps[i]->key.data)
            place_put_key(&out, steps[i]->key);
        else
            place_put_index(&out, steps[i]->index);
    return place_finish(&out);
}

const char *cleat_place_path_text(const struct cleat_path *path, size_t count,
                                  char text[CLEAT_PLACE_TEXT_BYTES_MAX])
{
    struct place_text out = {text, 0, false};

    for (size_t i = 0; i < count && i < path->count; i++) {
        const struct cleat_path_segment *segment = &path->segments[i];
        if (segment->type == CLEAT_SEGMENT_KEY)
            place_put_key(&out, segment->key);
        else if (segment->type == CLEAT_SEGMENT_INDEX)
            place_put_index(&out, segment->index);
        else
            place_put(&out, "[*]", 3);
    }
    return place_finish(&out);
}

static void place_pointer_key(struct cleat_buffer *buffer, struct cleat_str key)
{
    size_t start = 0;

    for (size_t i = 0; i < key.length; i++) {
        if (key.data[i] != '~' && key.data[i] != '/')
            continue;
        cleat_writer_escaped(buffer, (struct cleat_str){key.data + start, i - start});
        (void)cleat_buffer_text(buffer, key.data[i] == '~' ? "~0" : "~1"); /* sticky */
        start = i + 1;
    }
    cleat_writer_escaped(buffer, (struct cleat_str){key.data + start, key.length - start});
}

void cleat_place_pointer(const struct cleat_place *place, struct cleat_buffer *buffer)
{
    const struct cleat_place *steps[CLEAT_VALUE_DEPTH_MAX + 2];

    (void)cleat_buffer_byte(buffer, '"'); /* failures are sticky, here and below */
    for (size_t i = place_collect(place, steps); i-- > 0;) {
        (void)cleat_buffer_byte(buffer, '/');
        if (steps[i]->key.data)
            place_pointer_key(buffer, steps[i]->key);
        else
            (void)cleat_buffer_format(buffer, "%zu", steps[i]->index);
    }
    (void)cleat_buffer_byte(buffer, '"');
}
