/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing a Kubernetes List: value FILE. Prints one JSON line: into a pool as a reflector does,
 * each item into an arena as a webhook does, and each item with jansson, on the same bytes.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cleat/buffer.h>
#include <cleat/clock.h>
#include <cleat/projection.h>
#include "value/parser.h"

#define VALUE_RUNS 3
#define VALUE_CHUNK_BYTES ((size_t)16 << 10) /* as curl hands it out */
#define VALUE_HEAP_BYTES ((size_t)4 << 30)

struct value_bench {
    struct cleat_str text;
    struct cleat_str *items; /* their texts */
    size_t count, capacity;
    size_t item_bytes;
    struct cleat_heap *pool;
    size_t stored;
};

static void die(const char *what)
{
    fprintf(stderr, "value: %s\n", what);
    exit(1);
}

static double seconds(void)
{
    return (double)cleat_clock_mono_ns(cleat_clock_system()) / 1e9;
}

static double median(double *times, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t at = i; at > 0 && times[at - 1] > times[at]; at--) {
            double swapped = times[at];
            times[at] = times[at - 1];
            times[at - 1] = swapped;
        }
    }
    return times[count / 2];
}

static struct cleat_str file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT((size_t)8 << 30);
    if (!file)
        die("the file can't be opened");
    for (;;) {
        char *room = cleat_buffer_reserve(&buffer, (size_t)1 << 20);
        if (!room)
            die("no memory for the file");
        size_t got = fread(room, 1, (size_t)1 << 20, file);
        if (got == 0)
            break;
        cleat_buffer_advance(&buffer, got);
    }
    (void)fclose(file);
    return (struct cleat_str){buffer.data, buffer.length};
}

static int keep_item(void *arg, const struct cleat_parser_item *item)
{
    struct value_bench *bench = arg;
    if (item->broken)
        die(item->broken->text);
    cleat_pool_hold(bench->pool, item->root.ref);
    bench->stored++;
    return 0;
}

static double pool_run(struct value_bench *bench, const struct cleat_projection *projection)
{
    struct cleat_parser_options options = {
        .mode = CLEAT_PARSER_LIST, .projection = projection, .on_item = keep_item, .arg = bench};
    struct cleat_parser *parser = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    bench->pool = cleat_heap_free(bench->pool);
    bench->stored = 0;
    if (cleat_pool_new(VALUE_HEAP_BYTES, &bench->pool) != 0)
        die("no memory for a pool");
    double start = seconds();
    options.heap = bench->pool;
    if (cleat_parser_new(&options, &parser, &err) != 0)
        die(err.text);
    for (size_t at = 0; at < bench->text.length; at += VALUE_CHUNK_BYTES) {
        size_t left = bench->text.length - at;
        size_t length = left < VALUE_CHUNK_BYTES ? left : VALUE_CHUNK_BYTES;
        if (cleat_parser_feed(parser, bench->text.data + at, length, &err) != 0)
            die(err.text);
    }
    if (cleat_parser_finish(parser, NULL, &err) != 0)
        die(err.text);
    (void)cleat_parser_free(parser);
    return seconds() - start;
}

/* The items' texts, found by their braces: the file was parsed before and is well formed. */
static void items_find(struct value_bench *bench)
{
    int depth = 0;
    bool quoted = false;
    size_t first = 0;
    for (size_t i = 0; i < bench->text.length; i++) {
        char c = bench->text.data[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            first = ++depth == 3 ? i : first;
        } else if (c == '}' || c == ']') {
            if (depth-- != 3)
                continue;
            if (bench->count == bench->capacity) {
                bench->capacity = bench->capacity ? bench->capacity * 2 : 1024;
                bench->items = realloc(bench->items, bench->capacity * sizeof(*bench->items));
                if (!bench->items)
                    die("no memory for the items");
            }
            bench->items[bench->count++] =
                (struct cleat_str){bench->text.data + first, i + 1 - first};
            bench->item_bytes += i + 1 - first;
        }
    }
}

static double arena_run(struct value_bench *bench)
{
    struct cleat_parser_options options = {.mode = CLEAT_PARSER_DOCUMENT};
    struct cleat_heap *arena = NULL;
    struct cleat_parser *parser = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_value root;
    if (cleat_arena_new(VALUE_HEAP_BYTES, &arena) != 0)
        die("no memory for an arena");
    options.heap = arena;
    if (cleat_parser_new(&options, &parser, &err) != 0)
        die(err.text);
    double start = seconds();
    for (size_t i = 0; i < bench->count; i++) {
        cleat_arena_reset(arena);
        cleat_parser_reset(parser, arena);
        if (cleat_parser_feed(parser, bench->items[i].data, bench->items[i].length, &err) != 0 ||
            cleat_parser_finish(parser, &root, &err) != 0)
            die(err.text);
    }
    double took = seconds() - start;
    (void)cleat_parser_free(parser);
    (void)cleat_heap_free(arena);
    return took;
}

static double jansson_run(struct value_bench *bench)
{
    double start = seconds();
    for (size_t i = 0; i < bench->count; i++) {
        json_error_t error;
        json_t *root = json_loadb(bench->items[i].data, bench->items[i].length, 0, &error);
        if (!root)
            die(error.text);
        json_decref(root);
    }
    return seconds() - start;
}

int main(int argc, char **argv)
{
    struct value_bench bench = {0};
    struct cleat_projection *projection = NULL;
    double pool[VALUE_RUNS], arena[VALUE_RUNS], jansson[VALUE_RUNS];
    if (argc != 2) {
        fprintf(stderr, "usage: value FILE\n");
        return 2;
    }
    bench.text = file_read(argv[1]);
    if (cleat_projection_default(&projection) != 0)
        die("no memory for a projection");
    for (int i = 0; i < VALUE_RUNS; i++)
        pool[i] = pool_run(&bench, projection);
    size_t pool_bytes = cleat_heap_bytes(bench.pool), nodes = cleat_heap_nodes(bench.pool);
    items_find(&bench);
    if (bench.count != bench.stored || bench.count == 0)
        die("the file isn't a List with items");
    for (int i = 0; i < VALUE_RUNS; i++) {
        arena[i] = arena_run(&bench);
        jansson[i] = jansson_run(&bench);
    }
    double pool_s = median(pool, VALUE_RUNS), arena_s = median(arena, VALUE_RUNS);
    double jansson_s = median(jansson, VALUE_RUNS), mb = 1e-6 * (double)bench.text.length;
    double item_mb = 1e-6 * (double)bench.item_bytes, items = (double)bench.count;
    printf("{\"bytes\":%zu,\"items\":%zu,\"pool_s\":%.4f,\"pool_mb_s\":%.1f,\"arena_mb_s\":%.1f,"
           "\"jansson_mb_s\":%.1f,\"pool_to_jansson\":%.2f,\"pool_bytes_per_item\":%.1f,"
           "\"nodes_per_item\":%.2f}\n",
           bench.text.length, bench.count, pool_s, mb / pool_s, item_mb / arena_s,
           item_mb / jansson_s, jansson_s / item_mb / (pool_s / mb), (double)pool_bytes / items,
           (double)nodes / items);
    (void)cleat_projection_unref(projection);
    (void)cleat_heap_free(bench.pool);
    free(bench.items);
    cleat_free((char *)(uintptr_t)bench.text.data);
    return 0;
}
