/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place in a value: the chain of steps that led there, kept on the walker's stack, for messages
 * and JSON Pointers. NULL is the whole value. Nothing is allocated, so that the way down costs next
 * to nothing.
 */
#ifndef CLEAT_VALUE_PLACE_H
#define CLEAT_VALUE_PLACE_H

#include <stddef.h>
#include <cleat/buffer.h>
#include <cleat/path.h>
#include <cleat/str.h>

/** Longest text of a place, with its NUL; longer ones are cut and end in "...". */
#define CLEAT_PLACE_TEXT_BYTES_MAX 224

struct cleat_place {
    const struct cleat_place *up; /* borrowed; NULL: this step starts at the top */
    struct cleat_str key;         /* data is NULL: an element */
    size_t index;
};

static inline struct cleat_place cleat_place_member(const struct cleat_place *up,
                                                    struct cleat_str key)
{
    struct cleat_place place = {up, {key.data ? key.data : "", key.length}, 0};
    return place;
}

static inline struct cleat_place cleat_place_element(const struct cleat_place *up, size_t index)
{
    struct cleat_place place = {up, {NULL, 0}, index};
    return place;
}

/** The place as a path (path.h), "the whole value" for NULL, into @text. Returns @text. */
const char *cleat_place_text(const struct cleat_place *place,
                             char text[CLEAT_PLACE_TEXT_BYTES_MAX]);
/** The first @count segments of a parsed path in the same form. Returns @text. */
const char *cleat_place_path_text(const struct cleat_path *path, size_t count,
                                  char text[CLEAT_PLACE_TEXT_BYTES_MAX]);
/** Appends the place as a JSON Pointer (RFC 6901 section 5) in quotes; failures are sticky. */
void cleat_place_pointer(const struct cleat_place *place, struct cleat_buffer *buffer);

#endif
