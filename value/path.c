/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/path.h>

#include <errno.h>

#include "base/check.h"
#include "base/limits.h"

_Static_assert(CLEAT_PATH_SEGMENTS_MAX == CLEAT_VALUE_PATH_SEGMENTS_MAX, "one limit");

/* A path's text while it is read. */
struct path_reader {
    const char *text;
    const char *at;
    struct cleat_path *path;
    struct cleat_err *err;
};

static int path_wrong(const struct path_reader *reader, const char *what)
{
    return cleat_err_set(reader->err, -EINVAL, "path \"%s\": %s at byte %zu", reader->text, what,
                         (size_t)(reader->at - reader->text));
}

static bool name_byte(char c)
{
    return c != '\0' && c != '.' && c != '[' && c != ']' && c != '"';
}

static int path_name(struct path_reader *reader, struct cleat_path_segment *segment)
{
    const char *first = reader->at;
    while (name_byte(*reader->at))
        reader->at++;
    if (reader->at == first)
        return path_wrong(reader, "a name is missing");
    segment->type = CLEAT_SEGMENT_KEY;
    segment->key = (struct cleat_str){first, (size_t)(reader->at - first)};
    return 0;
}

/* ["any key"], with \" and \\ for those two. The key is borrowed, and so its bytes can't have
 * escapes taken out unless there is room: the path's own bytes. */
static int path_quoted(struct path_reader *reader, struct cleat_path_segment *segment)
{
    struct cleat_path *path = reader->path;
    const char *first = ++reader->at;
    size_t used = path->bytes_used;
    bool escaped = false;
    while (*reader->at != '"') {
        if (*reader->at == '\\' && (reader->at[1] == '"' || reader->at[1] == '\\')) {
            escaped = true;
            reader->at++;
        } else if (*reader->at == '\\') {
            return path_wrong(reader, "only \\\" and \\\\ are escapes");
        } else if (*reader->at == '\0') {
            return path_wrong(reader, "the key doesn't end");
        }
        if (used < sizeof(path->bytes))
            path->bytes[used] = *reader->at;
        used++;
        reader->at++;
    }
    segment->type = CLEAT_SEGMENT_KEY;
    segment->key = (struct cleat_str){first, (size_t)(reader->at - first)};
    if (escaped) {
        if (used > sizeof(path->bytes))
            return path_wrong(reader, "too many bytes in keys with escapes");
        segment->key = (struct cleat_str){path->bytes + path->bytes_used, used - path->bytes_used};
        path->bytes_used = used;
    }
    reader->at++;
    return 0;
}

static int path_index(struct path_reader *reader, struct cleat_path_segment *segment)
{
    const char *first = reader->at;
    size_t index = 0;
    while (*reader->at >= '0' && *reader->at <= '9') {
        size_t digit = (size_t)(*reader->at++ - '0');
        if (index > (UINT32_MAX - digit) / 10)
            return path_wrong(reader, "the index is too large");
        index = index * 10 + digit;
    }
    if (reader->at == first || (*first == '0' && reader->at > first + 1))
        return path_wrong(reader, "an index, [*] or [\"key\"] is wanted");
    segment->type = CLEAT_SEGMENT_INDEX;
    segment->index = index;
    return 0;
}

static int path_bracket(struct path_reader *reader, struct cleat_path_segment *segment)
{
    int r = 0;
    reader->at++;
    if (*reader->at == '*') {
        segment->type = CLEAT_SEGMENT_EACH;
        reader->at++;
    } else if (*reader->at == '"') {
        r = path_quoted(reader, segment);
    } else {
        r = path_index(reader, segment);
    }
    if (r == 0 && *reader->at != ']')
        return path_wrong(reader, "] is missing");
    reader->at += r == 0;
    return r;
}

int cleat_path_parse(const char *text, struct cleat_path *ret, struct cleat_err *err)
{
    struct path_reader reader = {text, text, ret, err};
    ret->count = 0;
    ret->bytes_used = 0;
    while (*reader.at != '\0') {
        if (ret->count == CLEAT_PATH_SEGMENTS_MAX)
            return path_wrong(&reader, "more than 32 segments");
        struct cleat_path_segment segment = {0};
        int r;
        if (*reader.at == '[') {
            r = path_bracket(&reader, &segment);
        } else if (*reader.at == '.') {
            reader.at++;
            r = path_name(&reader, &segment);
        } else if (ret->count == 0) {
            r = path_name(&reader, &segment);
        } else {
            r = path_wrong(&reader, ". or [ is wanted");
        }
        if (r != 0)
            return r;
        ret->segments[ret->count++] = segment;
    }
    return 0;
}

struct cleat_value cleat_path_get(const struct cleat_path *path, struct cleat_value root)
{
    struct cleat_value value = root;
    for (size_t i = 0; i < path->count; i++) {
        const struct cleat_path_segment *segment = &path->segments[i];
        switch (segment->type) {
        case CLEAT_SEGMENT_KEY: value = cleat_value_get_str(value, segment->key); break;
        case CLEAT_SEGMENT_INDEX: value = cleat_value_at(value, segment->index); break;
        case CLEAT_SEGMENT_EACH: return CLEAT_VALUE_NONE;
        }
        if (!cleat_value_is_present(value))
            return value;
    }
    return value;
}

/* Recursion is as deep as a path is long. */
static int path_each(const struct cleat_path *path, size_t from, struct cleat_value value,
                     int (*fn)(void *arg, struct cleat_value value), void *arg)
{
    for (size_t i = from; i < path->count && cleat_value_is_present(value); i++) {
        const struct cleat_path_segment *segment = &path->segments[i];
        if (segment->type == CLEAT_SEGMENT_KEY) {
            value = cleat_value_get_str(value, segment->key);
        } else if (segment->type == CLEAT_SEGMENT_INDEX) {
            value = cleat_value_at(value, segment->index);
        } else if (cleat_value_type(value) == CLEAT_TYPE_NOT_KEPT) {
            break;
        } else {
            bool is_array = cleat_value_type(value) == CLEAT_TYPE_ARRAY;
            size_t count = is_array ? cleat_value_count(value) : 0;
            for (size_t at = 0; at < count; at++) {
                int r = path_each(path, i + 1, cleat_value_at(value, at), fn, arg);
                if (r != 0)
                    return r;
            }
            return 0;
        }
    }
    return cleat_value_is_present(value) ? fn(arg, value) : 0;
}

int cleat_path_each(const struct cleat_path *path, struct cleat_value root,
                    int (*fn)(void *arg, struct cleat_value value), void *arg)
{
    return path_each(path, 0, root, fn, arg);
}

struct cleat_value cleat_value_find(struct cleat_value root, const char *path)
{
    struct cleat_path parsed;
    int r = cleat_path_parse(path, &parsed, NULL);
    cleat_assert(r == 0);
    return cleat_path_get(&parsed, root);
}
