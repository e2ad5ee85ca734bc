/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser: the first byte says how large chunks are, the rest is the text. Read whole into an
 * arena and in chunks into a pool it must be the same value or the same refusal; what is written of
 * it must be read again as itself. The same text as a list's items must leave nothing behind in the
 * pool.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <cleat/document.h>
#include <cleat/write.h>
#include "base/check.h"
#include "base/limits.h"
#include "value/parser.h"

#define FUZZ_TEXT_BYTES_MAX (16 * CLEAT_MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds @text in chunks of @chunk bytes, each in memory of its own. */
static int feed(struct cleat_parser *parser, struct cleat_str text, size_t chunk)
{
    int r = 0;
    for (size_t at = 0; r == 0 && at < text.length; at += chunk) {
        size_t size = chunk < text.length - at ? chunk : text.length - at;
        char *copy = malloc(size);
        cleat_assert(copy);
        memcpy(copy, text.data + at, size);
        r = cleat_parser_feed(parser, copy, size, NULL);
        free(copy);
    }
    return r;
}

static void try_written(struct cleat_value value)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(FUZZ_TEXT_BYTES_MAX);
    struct cleat_document *again = NULL;
    int r = cleat_write_json(&text, value, NULL);
    cleat_assert(r == 0);
    r = cleat_document_parse(cleat_buffer_view(&text), &again, NULL);
    cleat_assert(r == 0);
    cleat_assert(cleat_value_equal(cleat_document_root(again), value));
    cleat_document_unref(again);
    cleat_buffer_fini(&text);
}

static void try_document(struct cleat_heap *pool, struct cleat_str text, size_t chunk)
{
    const struct cleat_parser_options options = {.heap = pool, .mode = CLEAT_PARSER_DOCUMENT};
    struct cleat_document *whole = NULL;
    struct cleat_parser *parser = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_value root;
    int wanted = cleat_document_parse(text, &whole, &err);
    cleat_assert(wanted == 0 || (wanted < 0 && err.text[0]));
    int r = cleat_parser_new(&options, &parser, NULL);
    cleat_assert(r == 0);
    for (int round = 0; round < 2; round++) { /* what was learned in the first changes nothing */
        r = feed(parser, text, chunk);
        r = r == 0 ? cleat_parser_finish(parser, &root, NULL) : r;
        cleat_assert(r == wanted);
        if (r == 0) {
            cleat_assert(cleat_value_equal(root, cleat_document_root(whole)));
            try_written(root);
        }
        cleat_parser_reset(parser, NULL);
    }
    cleat_parser_free(parser);
    cleat_document_unref(whole);
}

static int drop_item(void *arg, const struct cleat_parser_item *item)
{
    struct cleat_heap *pool = arg;
    cleat_assert(!item->broken == cleat_value_is_present(item->root));
    if (!item->broken) {
        cleat_pool_hold(pool, item->root.ref);
        cleat_pool_drop(pool, item->root.ref);
    }
    return 0;
}

static void try_list(struct cleat_heap *pool, struct cleat_str text, size_t chunk)
{
    struct cleat_parser_options options = {.heap = pool,
                                           .mode = CLEAT_PARSER_LIST,
                                           .object_bytes_max = 1000,
                                           .on_item = drop_item,
                                           .arg = pool};
    struct cleat_projection *projection = NULL;
    struct cleat_parser *parser = NULL;
    int r = cleat_projection_default(&projection);
    cleat_assert(r == 0);
    options.projection = projection;
    r = cleat_parser_new(&options, &parser, NULL);
    cleat_assert(r == 0);
    r = feed(parser, text, chunk); /* any outcome will do */
    if (r == 0)
        r = cleat_parser_finish(parser, NULL, NULL);
    cleat_parser_reset(parser, NULL);
    r = feed(parser, CLEAT_STR("{\"items\":["), 100);
    cleat_assert(r == 0);
    r = feed(parser, text, chunk);
    cleat_parser_free(parser);
    cleat_projection_unref(projection);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cleat_heap *pool = NULL;
    if (size < 1)
        return 0;
    struct cleat_str text = {(const char *)data + 1, size - 1};
    size_t chunk = data[0] % 64 + 1u;
    int r = cleat_pool_new(64 * CLEAT_MIB, &pool);
    cleat_assert(r == 0);
    try_document(pool, text, chunk);
    try_list(pool, text, chunk);
    cleat_pool_sweep(pool);
    cleat_assert(cleat_heap_nodes(pool) == 0);
    cleat_heap_free(pool);
    return 0;
}
