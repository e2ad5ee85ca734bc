/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field selectors. A path is split at its dots once, when it is parsed; terms are sorted by path,
 * so that equal selectors have one text.
 */
#include <cleat/selector.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define FIELD_SEGMENTS_MAX CLEAT_VALUE_PATH_SEGMENTS_MAX

struct field_term {
    struct cleat_str path;
    struct cleat_str value;
    bool equal;
    size_t segment_count;
    struct cleat_str *segments; /* into the selector's own array */
};

struct cleat_field_selector {
    size_t count;
    struct field_term *terms;   /* owned */
    struct cleat_str *segments; /* owned */
    char *bytes;                /* owned: the paths, and the values without their escapes */
};

struct cleat_field_selector *cleat_field_selector_free(struct cleat_field_selector *selector)
{
    if (!selector)
        return NULL;
    cleat_mem_free(selector->terms);
    cleat_mem_free(selector->segments);
    cleat_mem_free(selector->bytes);
    return cleat_mem_free(selector);
}

/* How many times @byte stands in @text. */
static size_t field_count(struct cleat_str text, char byte)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += text.data[i] == byte;
    return count;
}

/* A selector with room for whatever @text may hold. */
static int field_selector_new(struct cleat_str text, struct cleat_field_selector **ret)
{
    CLEAT_CLEANUP(cleat_field_selector_freep) struct cleat_field_selector *selector = NULL;
    size_t terms = field_count(text, ',') + 1;
    selector = cleat_mem_zalloc(1, sizeof(*selector));
    if (!selector)
        return -ENOMEM;
    selector->terms = cleat_mem_zalloc(terms, sizeof(selector->terms[0]));
    selector->segments =
        cleat_mem_zalloc(terms + field_count(text, '.'), sizeof(selector->segments[0]));
    selector->bytes = cleat_mem_alloc(text.length);
    if (!selector->terms || !selector->segments || !selector->bytes)
        return -ENOMEM;
    *ret = selector;
    selector = NULL;
    return 0;
}

/* The length of @text up to the first comma that isn't escaped. */
static size_t field_term_length(struct cleat_str text)
{
    bool escaped = false;
    for (size_t i = 0; i < text.length; i++) {
        if (!escaped && text.data[i] == ',')
            return i;
        escaped = !escaped && text.data[i] == '\\';
    }
    return text.length;
}

/* Splits at the first of "!=", "==", "="; false where there is none. */
static bool field_split(struct cleat_str text, struct field_term *term)
{
    for (size_t i = 0; i < text.length; i++) {
        bool doubled = i + 1 < text.length && text.data[i + 1] == '=';
        size_t length = 1;
        if (text.data[i] == '!' && doubled)
            length = 2;
        else if (text.data[i] != '=')
            continue;
        else if (doubled)
            length = 2;
        term->equal = text.data[i] == '=';
        term->path = (struct cleat_str){text.data, i};
        term->value = (struct cleat_str){text.data + i + length, text.length - i - length};
        return true;
    }
    return false;
}

/* Removes escapes from @value into @out. The length, or -1 where it isn't written as it must be. */
static long field_unescape(struct cleat_str value, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i];
        if (c == ',' || c == '=')
            return -1;
        if (c == '\\') {
            if (++i == value.length)
                return -1;
            c = value.data[i];
            if (c != '\\' && c != ',' && c != '=')
                return -1;
        }
        out[used++] = c;
    }
    return (long)used;
}

/* Splits the path at its dots into @segments; false for empty names and too many. */
static bool field_segments(struct field_term *term, struct cleat_str *segments)
{
    size_t start = 0;
    term->segments = segments;
    for (size_t i = 0; i <= term->path.length; i++) {
        if (i < term->path.length && term->path.data[i] != '.')
            continue;
        if (i == start || term->segment_count == FIELD_SEGMENTS_MAX)
            return false;
        segments[term->segment_count++] = (struct cleat_str){term->path.data + start, i - start};
        start = i + 1;
    }
    return true;
}

struct field_reader {
    struct cleat_field_selector *selector;
    size_t segments;
    size_t bytes;
};

/* Reads one term: its strings are moved into the selector. */
static int field_read_term(struct field_reader *reader, struct cleat_str text,
                           struct cleat_err *err)
{
    struct cleat_field_selector *selector = reader->selector;
    struct field_term *term = &selector->terms[selector->count];
    if (!field_split(text, term))
        return cleat_err_set(err, -EINVAL, "field selector \"%.*s\" has no operator",
                             CLEAT_STR_ARG(text));
    char *out = selector->bytes + reader->bytes;
    if (term->path.length)
        memcpy(out, term->path.data, term->path.length);
    term->path.data = out;
    out += term->path.length;
    long length = field_unescape(term->value, out);
    if (length < 0)
        return cleat_err_set(err, -EINVAL,
                             "field selector \"%.*s\": only \\\\, \\, and \\= may stand for a "
                             "backslash, a comma and an equals sign in a value",
                             CLEAT_STR_ARG(text));
    term->value = (struct cleat_str){out, (size_t)length};
    if (!field_segments(term, selector->segments + reader->segments))
        return cleat_err_set(err, -EINVAL, "field selector \"%.*s\": its path isn't names and dots",
                             CLEAT_STR_ARG(text));
    reader->bytes += term->path.length + term->value.length;
    reader->segments += term->segment_count;
    selector->count++;
    return 0;
}

static int field_compare(const void *a, const void *b)
{
    const struct field_term *left = a;
    const struct field_term *right = b;
    int order = cleat_str_compare(left->path, right->path);
    if (order == 0)
        order = right->equal - left->equal;
    return order ? order : cleat_str_compare(left->value, right->value);
}

int cleat_field_selector_parse(struct cleat_str text, struct cleat_field_selector **ret,
                               struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_field_selector_freep) struct cleat_field_selector *selector = NULL;
    if (text.length > CLEAT_SELECTOR_BYTES_MAX)
        return cleat_err_set(err, -E2BIG, "field selector has more than %zu bytes",
                             CLEAT_SELECTOR_BYTES_MAX);
    int r = field_selector_new(text, &selector);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    struct field_reader reader = {selector, 0, 0};
    while (text.length > 0) {
        struct cleat_str term = {text.data, field_term_length(text)};
        if (term.length > 0)
            r = field_read_term(&reader, term, err);
        if (r < 0)
            return r;
        size_t skip = term.length < text.length ? term.length + 1 : term.length;
        text.data += skip;
        text.length -= skip;
    }
    if (selector->count > 1)
        qsort(selector->terms, selector->count, sizeof(selector->terms[0]), field_compare);
    *ret = selector;
    selector = NULL;
    return 0;
}

/* True where the scalar, written as text, is @text. Objects and arrays never are. */
static bool field_is(struct cleat_value value, struct cleat_str text)
{
    struct cleat_scratch scratch;
    struct cleat_str found = {"", 0};
    switch (cleat_value_type(value)) {
    case CLEAT_TYPE_ABSENT:
    case CLEAT_TYPE_NULL: return text.length == 0;
    case CLEAT_TYPE_STRING: return cleat_value_is_str(value, text);
    case CLEAT_TYPE_BOOL: return cleat_str_is(text, cleat_value_is_true(value) ? "true" : "false");
    case CLEAT_TYPE_NUMBER:
        return cleat_value_number(value, &scratch, &found) == 0 && cleat_str_equal(found, text);
    default: return false;
    }
}

bool cleat_field_selector_matches(const struct cleat_field_selector *selector,
                                  struct cleat_value object)
{
    for (size_t i = 0; i < selector->count; i++) {
        const struct field_term *term = &selector->terms[i];
        struct cleat_value value = object;
        for (size_t at = 0; at < term->segment_count; at++)
            value = cleat_value_get_str(value, term->segments[at]);
        /* What wasn't kept can't be judged, whichever way it is asked. */
        if (cleat_value_type(value) == CLEAT_TYPE_NOT_KEPT)
            return false;
        if (field_is(value, term->value) != term->equal)
            return false;
    }
    return true;
}

size_t cleat_field_selector_count(const struct cleat_field_selector *selector)
{
    return selector->count;
}

void cleat_field_selector_at(const struct cleat_field_selector *selector, size_t index,
                             struct cleat_str *ret_path, struct cleat_str *ret_value,
                             bool *ret_equal)
{
    const struct field_term *term = &selector->terms[index];
    *ret_path = term->path;
    *ret_value = term->value;
    *ret_equal = term->equal;
}

static void field_write_value(struct cleat_buffer *buffer, struct cleat_str value)
{
    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i];
        if (c == '\\' || c == ',' || c == '=')
            cleat_buffer_byte(buffer, '\\');
        cleat_buffer_byte(buffer, c);
    }
}

int cleat_field_selector_write(const struct cleat_field_selector *selector,
                               struct cleat_buffer *buffer)
{
    for (size_t i = 0; i < selector->count; i++) {
        const struct field_term *term = &selector->terms[i];
        if (i > 0)
            cleat_buffer_byte(buffer, ',');
        cleat_buffer_str(buffer, term->path);
        cleat_buffer_text(buffer, term->equal ? "=" : "!=");
        field_write_value(buffer, term->value);
    }
    return buffer->failed;
}
