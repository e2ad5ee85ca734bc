/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making patches from a difference. A JSON Patch is the walk's changes one by one. A merge patch is
 * a tree: the objects on the way to a change are opened when the first change below them comes and
 * closed when the walk has moved on.
 */
#include <errno.h>
#include <cleat/patch.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "value/diff.h"
#include "value/place.h"
#include "value/writer.h"

static unsigned place_depth(const struct cleat_place *place)
{
    unsigned depth = 0;

    for (; place; place = place->up)
        depth++;
    return depth;
}

/* After a failure the buffer holds what it held before. */
static int patch_undo(struct cleat_buffer *buffer, size_t start, int r, struct cleat_err *err)
{
    if (r == 0)
        return 0;
    buffer->length = start;
    if (buffer->data)
        buffer->data[start] = '\0';
    if (r == buffer->failed)
        return cleat_err_set(err, r, "the patch is larger than %zu bytes or out of memory",
                             buffer->bytes_max);
    return r;
}

/* -- JSON Patch
 * -------------------------------------------------------------------------------------- */

struct patch_list {
    struct cleat_buffer *buffer;
    struct cleat_err *err;
    bool first;
};

static int patch_list_change(void *arg, enum cleat_diff_change change,
                             const struct cleat_place *place, struct cleat_value value)
{
    static const char *const begin[] = {
        [CLEAT_DIFF_ADD] = "{\"op\":\"add\",\"path\":",
        [CLEAT_DIFF_REMOVE] = "{\"op\":\"remove\",\"path\":",
        [CLEAT_DIFF_REPLACE] = "{\"op\":\"replace\",\"path\":",
    };
    struct patch_list *list = arg;
    int r;

    if (!list->first)
        (void)cleat_buffer_byte(list->buffer, ','); /* sticky, here and below */
    list->first = false;
    (void)cleat_buffer_text(list->buffer, begin[change]);
    cleat_place_pointer(place, list->buffer);
    if (change != CLEAT_DIFF_REMOVE) {
        (void)cleat_buffer_text(list->buffer, ",\"value\":");
        r = cleat_writer_value(list->buffer, value, place, place_depth(place), -EINVAL, list->err);
        if (r < 0)
            return r;
    }
    return cleat_buffer_byte(list->buffer, '}');
}

int cleat_patch_diff(struct cleat_value from, struct cleat_value to, struct cleat_buffer *buffer,
                     struct cleat_err *err)
{
    struct patch_list list = {buffer, err, true};
    struct cleat_diff diff = {patch_list_change, &list, false, err};
    size_t start = buffer->length;
    int r;

    (void)cleat_buffer_byte(buffer, '['); /* sticky */
    r = cleat_diff_walk(&diff, from, to);
    if (r == 0)
        r = cleat_buffer_byte(buffer, ']');
    return patch_undo(buffer, start, r, err);
}

/* -- merge patch -- */

struct patch_merge {
    struct cleat_buffer *buffer;
    struct cleat_err *err;
    struct cleat_str
        open[CLEAT_VALUE_DEPTH_MAX + 1]; /* keys of the objects that are open below the top */
    unsigned open_count;
    bool first; /* nothing was written in the innermost object yet */
};

static void patch_merge_key(struct patch_merge *merge, struct cleat_str key)
{
    if (!merge->first)
        (void)cleat_buffer_byte(merge->buffer, ','); /* sticky, here and below */
    merge->first = false;
    (void)cleat_buffer_byte(merge->buffer, '"');
    cleat_writer_escaped(merge->buffer, key);
    (void)cleat_buffer_append(merge->buffer, "\":", 2);
}

static void patch_merge_close(struct patch_merge *merge, unsigned count)
{
    while (merge->open_count > count) {
        (void)cleat_buffer_byte(merge->buffer, '}'); /* sticky */
        merge->open_count--;
        merge->first = false;
    }
}

/*
 * Opens the objects above @place. Siblings have different keys and the walk never returns to an
 * object that it has left, so that equal keys from the top down mean the same objects.
 */
static void patch_merge_open(struct patch_merge *merge, const struct cleat_place *place)
{
    const struct cleat_place *steps[CLEAT_VALUE_DEPTH_MAX + 1];
    unsigned count = 0, common = 0;

    for (place = place->up; place && count <= CLEAT_VALUE_DEPTH_MAX; place = place->up)
        steps[count++] = place;
    while (common < merge->open_count && common < count &&
           cleat_str_equal(merge->open[common], steps[count - 1 - common]->key))
        common++;
    patch_merge_close(merge, common);
    for (; common < count; common++) {
        struct cleat_str key = steps[count - 1 - common]->key;
        patch_merge_key(merge, key);
        (void)cleat_buffer_byte(merge->buffer, '{'); /* sticky */
        merge->open[merge->open_count++] = key;
        merge->first = true;
    }
}

/* A null in an object would remove instead of set (RFC 7396 section 1); in arrays it stays what it
 * is. */
static int patch_merge_check(struct patch_merge *merge, struct cleat_value value,
                             const struct cleat_place *place, unsigned depth)
{
    struct cleat_place below = {place, {"", 0}, 0};
    size_t count = cleat_value_count(value);
    char text[CLEAT_PLACE_TEXT_BYTES_MAX];

    if (cleat_value_type(value) == CLEAT_TYPE_NULL && place)
        return cleat_err_set(merge->err, -EINVAL, "%s is null, which a merge patch can't set",
                             cleat_place_text(place, text));
    if (cleat_value_type(value) != CLEAT_TYPE_OBJECT || depth >= CLEAT_VALUE_DEPTH_MAX)
        return 0;
    for (size_t i = 0; i < count; i++) {
        struct cleat_value member = cleat_value_member(value, i, &below.key);
        int r = patch_merge_check(merge, member, &below, depth + 1);
        if (r < 0)
            return r;
    }
    return 0;
}

static int patch_merge_change(void *arg, enum cleat_diff_change change,
                              const struct cleat_place *place, struct cleat_value value)
{
    struct patch_merge *merge = arg;
    int r;

    if (change == CLEAT_DIFF_REMOVE) {
        patch_merge_open(merge, place);
        patch_merge_key(merge, place->key);
        return cleat_buffer_text(merge->buffer, "null");
    }
    r = patch_merge_check(merge, value, place, place_depth(place));
    if (r < 0)
        return r;
    patch_merge_open(merge, place);
    patch_merge_key(merge, place->key);
    return cleat_writer_value(merge->buffer, value, place, place_depth(place), -EINVAL, merge->err);
}

/* Anything but two objects: the patch is the new value itself. */
static int patch_merge_whole(struct patch_merge *merge, struct cleat_value from,
                             struct cleat_value to)
{
    int r;

    if (!cleat_value_is_present(from) || !cleat_value_is_present(to))
        return cleat_err_set(merge->err, -EINVAL, "there is no value to compare");
    r = patch_merge_check(merge, to, NULL, 0);
    return r < 0 ? r : cleat_writer_value(merge->buffer, to, NULL, 0, -EINVAL, merge->err);
}

static int patch_merge_objects(struct patch_merge *merge, struct cleat_value from,
                               struct cleat_value to)
{
    struct cleat_diff diff = {patch_merge_change, merge, true, merge->err};
    int r;

    (void)cleat_buffer_byte(merge->buffer, '{'); /* sticky */
    r = cleat_diff_walk(&diff, from, to);
    if (r < 0)
        return r;
    patch_merge_close(merge, 0);
    return cleat_buffer_byte(merge->buffer, '}');
}

int cleat_patch_merge_diff(struct cleat_value from, struct cleat_value to,
                           struct cleat_buffer *buffer, struct cleat_err *err)
{
    struct patch_merge merge = {.buffer = buffer, .err = err, .first = true};
    size_t start = buffer->length;
    int r;

    if (cleat_value_type(from) == CLEAT_TYPE_OBJECT && cleat_value_type(to) == CLEAT_TYPE_OBJECT)
        r = patch_merge_objects(&merge, from, to);
    else
        r = patch_merge_whole(&merge, from, to);
    return patch_undo(buffer, start, r, err);
}
