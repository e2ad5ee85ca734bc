/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/document.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"
#include "value/node.h"
#include "value/parser.h"

struct cleat_document {
    atomic_uint count; /* references: relaxed up, release down, acquire before freeing */
    struct cleat_heap *arena;
    uint32_t root;
};

/* Room beside the text: nodes are larger than what they were read from, up to a constant factor. */
#define DOCUMENT_HEAP_BYTES_MAX (16 * CLEAT_DOCUMENT_BYTES_MAX)

static int document_new(struct cleat_document **ret, struct cleat_err *err)
{
    struct cleat_document *document = cleat_mem_zalloc(1, sizeof(*document));
    if (!document)
        return cleat_err_set(err, -ENOMEM, "no memory for a document");
    atomic_init(&document->count, 1);
    int r = cleat_arena_new(DOCUMENT_HEAP_BYTES_MAX, &document->arena);
    if (r != 0) {
        (void)cleat_document_unref(document);
        return cleat_err_set(err, r, "no memory for a document");
    }
    *ret = document;
    return 0;
}

static int document_read(struct cleat_document *document, struct cleat_str json,
                         struct cleat_err *err)
{
    const struct cleat_parser_options options = {
        .heap = document->arena,
        .mode = CLEAT_PARSER_DOCUMENT,
        .object_bytes_max = CLEAT_DOCUMENT_BYTES_MAX,
    };
    struct cleat_parser *parser = NULL;
    struct cleat_value root;
    int r = cleat_parser_new(&options, &parser, err);
    if (r == 0)
        r = cleat_parser_feed(parser, json.data, json.length, err);
    if (r == 0)
        r = cleat_parser_finish(parser, &root, err);
    if (r == 0)
        document->root = root.ref;
    (void)cleat_parser_free(parser);
    return r;
}

int cleat_document_parse(struct cleat_str json, struct cleat_document **ret, struct cleat_err *err)
{
    struct cleat_document *document;
    int r = document_new(&document, err);
    if (r != 0)
        return r;
    cleat__arena_expect(document->arena, json.length);
    r = document_read(document, json, err);
    if (r != 0) {
        (void)cleat_document_unref(document);
        return r;
    }
    *ret = document;
    return 0;
}

/* True where something in @value wasn't kept. Recursion is as deep as the copy was, which is
 * limited. */
static bool value_has_holes(struct cleat_value value)
{
    enum cleat_value_type type = cleat_value_type(value);
    size_t count = cleat_value_count(value);
    for (size_t i = 0; i < count; i++)
        if (value_has_holes(type == CLEAT_TYPE_ARRAY ? cleat_value_at(value, i)
                                                     : cleat_value_member(value, i, NULL)))
            return true;
    return type == CLEAT_TYPE_NOT_KEPT;
}

int cleat_document_copy(struct cleat_value value, struct cleat_document **ret,
                        struct cleat_err *err)
{
    struct cleat_document *document;
    int r = document_new(&document, err);
    if (r != 0)
        return r;
    r = cleat_heap_copy(document->arena, value, &document->root);
    if (r != 0)
        cleat_err_set(err, r, "the value can't be copied");
    else if (value_has_holes(cleat_document_root(document)))
        r = cleat_err_set(err, -EINVAL, "the value has parts that weren't kept");
    if (r != 0) {
        (void)cleat_document_unref(document);
        return r;
    }
    *ret = document;
    return 0;
}

int cleat_document_format(struct cleat_document **ret, struct cleat_err *err, const char *format,
                          ...)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return cleat_err_set(err, -EINVAL, "a malformed format of a document");
    text = cleat_mem_alloc((size_t)length + 1);
    if (!text)
        return cleat_err_set(err, -ENOMEM, "no memory for a document");
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)length + 1, format, arguments); /* the same as before */
    va_end(arguments);
    return cleat_document_parse((struct cleat_str){text, (size_t)length}, ret, err);
}

struct cleat_document *cleat_document_ref(struct cleat_document *document)
{
    (void)atomic_fetch_add_explicit(&document->count, 1, memory_order_relaxed);
    return document;
}

struct cleat_document *cleat_document_unref(struct cleat_document *document)
{
    if (document && atomic_fetch_sub_explicit(&document->count, 1, memory_order_release) == 1) {
        atomic_thread_fence(memory_order_acquire);
        (void)cleat_heap_free(document->arena);
        (void)cleat_mem_free(document);
    }
    return NULL;
}

struct cleat_value cleat_document_root(const struct cleat_document *document)
{
    return (struct cleat_value){document->arena, document->root};
}

size_t cleat_document_bytes(const struct cleat_document *document)
{
    return sizeof(*document) + cleat_heap_bytes(document->arena);
}
