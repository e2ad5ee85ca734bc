/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <cleat/write.h>
#include "value/write_parts.h"
#include "value/writer.h"

static bool parts_hide(const struct cleat_write_member *members, size_t count, struct cleat_str key)
{
    for (size_t i = 0; i < count; i++)
        if (members[i].text.data && cleat_str_equal(members[i].key, key))
            return true;
    return false;
}

static bool parts_any(const struct cleat_write_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (members[i].text.data)
            return true;
    return false;
}

/* The comma before every member but the first, and the key. */
static void parts_key(struct cleat_buffer *buffer, bool *first, struct cleat_str key)
{
    if (!*first)
        (void)cleat_buffer_byte(buffer, ','); /* sticky, here and below */
    *first = false;
    (void)cleat_buffer_byte(buffer, '"');
    cleat_writer_escaped(buffer, key);
    (void)cleat_buffer_append(buffer, "\":", 2);
}

static void parts_members(struct cleat_buffer *buffer, bool *first,
                          const struct cleat_write_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!members[i].text.data)
            continue;
        parts_key(buffer, first, members[i].key);
        cleat_write_string(buffer, members[i].text);
    }
}

static int parts_metadata(struct cleat_buffer *buffer, struct cleat_value metadata,
                          const struct cleat_write_parts *parts, struct cleat_err *err)
{
    struct cleat_place top = cleat_place_member(NULL, CLEAT_STR("metadata"));
    struct cleat_place place = {&top, {"", 0}, 0};
    size_t count = cleat_value_count(metadata);
    bool first = true;
    int r;

    (void)cleat_buffer_byte(buffer, '{');
    parts_members(buffer, &first, parts->metadata, parts->metadata_count);
    for (size_t i = 0; i < count; i++) {
        struct cleat_value value = cleat_value_member(metadata, i, &place.key);
        if (parts_hide(parts->metadata, parts->metadata_count, place.key))
            continue;
        parts_key(buffer, &first, place.key);
        r = cleat_writer_value(buffer, value, &place, 2, -ENODATA, err);
        if (r < 0)
            return r;
    }
    return cleat_buffer_byte(buffer, '}');
}

/* The stored members that no part hides; metadata, where it has parts, was written before. */
static int parts_rest(struct cleat_buffer *buffer, bool *first, struct cleat_value root,
                      const struct cleat_write_parts *parts, bool metadata_done,
                      struct cleat_err *err)
{
    struct cleat_place place = {NULL, {"", 0}, 0};
    size_t count = cleat_value_count(root);
    int r;

    for (size_t i = 0; i < count; i++) {
        struct cleat_value value = cleat_value_member(root, i, &place.key);
        if ((metadata_done && cleat_str_is(place.key, "metadata")) ||
            parts_hide(parts->members, parts->member_count, place.key))
            continue;
        parts_key(buffer, first, place.key);
        r = cleat_writer_value(buffer, value, &place, 1, -ENODATA, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int parts_write(struct cleat_buffer *buffer, struct cleat_value root,
                       const struct cleat_write_parts *parts, struct cleat_err *err)
{
    bool with_metadata = parts_any(parts->metadata, parts->metadata_count);
    bool first = true;
    int r;

    (void)cleat_buffer_byte(buffer, '{');
    parts_members(buffer, &first, parts->members, parts->member_count);
    if (with_metadata) {
        parts_key(buffer, &first, CLEAT_STR("metadata"));
        r = parts_metadata(buffer, cleat_value_get(root, "metadata"), parts, err);
        if (r < 0)
            return r;
    }
    r = parts_rest(buffer, &first, root, parts, with_metadata, err);
    return r < 0 ? r : cleat_buffer_byte(buffer, '}');
}

static int parts_check(struct cleat_value root, const struct cleat_write_parts *parts,
                       struct cleat_err *err)
{
    enum cleat_value_type type = cleat_value_type(root);

    if (type != CLEAT_TYPE_OBJECT)
        return cleat_err_set(err, -EINVAL, "the object is %s instead of an object",
                             cleat_value_type_name(type));
    type = cleat_value_type(cleat_value_get(root, "metadata"));
    if (type == CLEAT_TYPE_ABSENT || type == CLEAT_TYPE_OBJECT ||
        !parts_any(parts->metadata, parts->metadata_count))
        return 0;
    if (type == CLEAT_TYPE_NOT_KEPT)
        return cleat_err_set(err, -ENODATA, "metadata wasn't kept by the projection");
    return cleat_err_set(err, -EINVAL, "metadata is %s instead of an object",
                         cleat_value_type_name(type));
}

int cleat_write_object_with(struct cleat_buffer *buffer, struct cleat_value root,
                            const struct cleat_write_parts *parts, struct cleat_err *err)
{
    size_t start = buffer->length;
    int r = parts_check(root, parts, err);

    if (r < 0)
        return r;
    r = parts_write(buffer, root, parts, err);
    if (r < 0) {
        buffer->length = start;
        if (buffer->data)
            buffer->data[start] = '\0';
        if (r == buffer->failed)
            return cleat_err_set(err, r, "JSON text is larger than %zu bytes or out of memory",
                                 buffer->bytes_max);
    }
    return r;
}
