/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch stream: the first byte says how large chunks are, the second what is kept, the rest is
 * the stream. In chunks and whole it must give the same events, and leave nothing behind in the
 * pool.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/limits.h"
#include "value/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_EVENTS_MAX 256

/* What came of a stream. */
struct events {
    struct cleat_heap *pool;
    uint32_t roots[FUZZ_EVENTS_MAX];
    int codes[FUZZ_EVENTS_MAX];
    size_t sizes[FUZZ_EVENTS_MAX];
    size_t count;
};

static int take_event(void *arg, const struct cleat_parser_item *item)
{
    struct events *events = arg;
    if (events->count == FUZZ_EVENTS_MAX)
        return -ECANCELED;
    bool pooled = item->root.heap == events->pool;
    cleat_assert(!item->broken == cleat_value_is_present(item->root));
    cleat_assert(item->broken || !pooled || item->name.length > 0);
    events->codes[events->count] = item->broken ? item->broken->code : 0;
    events->sizes[events->count] = item->bytes + cleat_value_count(item->root);
    events->roots[events->count++] = pooled ? item->root.ref : 0;
    if (pooled)
        cleat_pool_hold(events->pool, item->root.ref);
    return 0;
}

static int run(struct events *events, const struct cleat_projection *projection,
               struct cleat_str text, size_t chunk)
{
    const struct cleat_parser_options options = {.heap = events->pool,
                                                 .mode = CLEAT_PARSER_WATCH,
                                                 .projection = projection,
                                                 .object_bytes_max = 100000,
                                                 .on_item = take_event,
                                                 .arg = events};
    struct cleat_parser *parser = NULL;
    int r = cleat_parser_new(&options, &parser, NULL);
    cleat_assert(r == 0);
    for (size_t at = 0; r == 0 && at < text.length; at += chunk) {
        size_t size = chunk < text.length - at ? chunk : text.length - at;
        char *copy = malloc(size);
        cleat_assert(copy);
        memcpy(copy, text.data + at, size);
        r = cleat_parser_feed(parser, copy, size, NULL);
        free(copy);
    }
    if (r == 0 && cleat_parser_between(parser))
        r = cleat_parser_finish(parser, NULL, NULL);
    cleat_parser_free(parser);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"spec.a", "metadata.labels", "spec.l[*].x"};
    struct events whole = {0}, pieces = {0};
    struct cleat_projection *projection = NULL;
    if (size < 2)
        return 0;
    struct cleat_str text = {(const char *)data + 2, size - 2};
    int r = data[1] % 4 == 3 ? cleat_projection_default(&projection)
                             : cleat_projection_paths(paths, data[1] % 4, &projection, NULL);
    cleat_assert(r == 0);
    r = cleat_pool_new(64 * CLEAT_MIB, &whole.pool);
    cleat_assert(r == 0);
    pieces.pool = whole.pool;
    int wanted = run(&whole, projection, text, text.length + 1);
    r = run(&pieces, projection, text, data[0] % 64 + 1u);
    cleat_assert(r == wanted);
    cleat_assert(whole.count == pieces.count);
    for (size_t i = 0; i < whole.count; i++) {
        cleat_assert(whole.codes[i] == pieces.codes[i] && whole.sizes[i] == pieces.sizes[i]);
        cleat_assert(whole.roots[i] == pieces.roots[i]);
        cleat_pool_drop(whole.pool, whole.roots[i]);
        cleat_pool_drop(whole.pool, whole.roots[i]);
    }
    cleat_pool_sweep(whole.pool);
    cleat_assert(cleat_heap_nodes(whole.pool) == 0);
    cleat_heap_free(whole.pool);
    cleat_projection_unref(projection);
    return 0;
}
