/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in tests of value/: texts to values and back, and values with holes that a projection would
 * have left.
 */
#ifndef CLEAT_TESTS_VALUE_JSON_H
#define CLEAT_TESTS_VALUE_JSON_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/buffer.h>
#include <cleat/document.h>
#include <cleat/err.h>
#include <cleat/value.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "value/heap.h"

/* What stands in test texts for a value that wasn't kept. */
#define JSON_DROPPED "<dropped>"

/* A document of @text, which must be right. */
static inline struct cleat_document *json_document(const char *text)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_document_parse(cleat_str_of(text), &document, &err);

    ck_assert_msg(r == 0, "%s: %s", text, cleat_err_text(&err));
    return document;
}

/* The compact text of @value in @buffer, NUL-terminated. */
static inline const char *json_text(struct cleat_buffer *buffer, struct cleat_value value)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int r;

    cleat_buffer_reset(buffer);
    r = cleat_write_json(buffer, value, &err);
    ck_assert_msg(r == 0, "%s", cleat_err_text(&err));
    return buffer->data;
}

/* @value equals @text, as JSON. */
static inline void json_check(struct cleat_value value, const char *text)
{
    struct cleat_document *wanted = json_document(text);
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(64 * CLEAT_MIB);

    ck_assert_msg(cleat_value_equal(value, cleat_document_root(wanted)), "%s instead of %s",
                  json_text(&buffer, value), text);
    cleat_buffer_fini(&buffer);
    cleat_document_unref(wanted);
}

/* Copies @value into @heap; strings that say so become what wasn't kept. */
static inline uint32_t json_holes_ref(struct cleat_heap *heap, struct cleat_value value)
{
    enum cleat_value_type type = cleat_value_type(value);
    size_t count = cleat_value_count(value);
    uint32_t ref = 0;
    int r = 0;

    if (cleat_value_is(value, JSON_DROPPED))
        return cleat_heap_not_kept(heap);
    if (type == CLEAT_TYPE_ARRAY) {
        uint32_t *refs = calloc(count + 1, sizeof(*refs));
        for (size_t i = 0; i < count; i++)
            refs[i] = json_holes_ref(heap, cleat_value_at(value, i));
        r = cleat_heap_array(heap, refs, count, &ref);
        free(refs);
    } else if (type == CLEAT_TYPE_OBJECT) {
        struct cleat_member *members = calloc(count + 1, sizeof(*members));
        for (size_t i = 0; i < count; i++) {
            struct cleat_value member = cleat_value_member(value, i, &members[i].key);
            members[i].ref = json_holes_ref(heap, member);
        }
        r = cleat_heap_object(heap, members, count, &ref);
        free(members);
    } else {
        r = cleat_heap_copy(heap, value, &ref);
    }
    ck_assert_int_eq(r, 0);
    return ref;
}

/* A value of @text in @heap, with holes. */
static inline struct cleat_value json_holes(struct cleat_heap *heap, const char *text)
{
    struct cleat_document *document = json_document(text);
    uint32_t ref = json_holes_ref(heap, cleat_document_root(document));

    cleat_document_unref(document);
    return (struct cleat_value){heap, ref};
}

/* @depth arrays around @inner, new text. */
static inline char *json_nested(size_t depth, const char *inner)
{
    size_t length = strlen(inner);
    char *text = malloc(2 * depth + length + 1);

    memset(text, '[', depth);
    memcpy(text + depth, inner, length);
    memset(text + depth + length, ']', depth);
    text[2 * depth + length] = '\0';
    return text;
}

#endif
