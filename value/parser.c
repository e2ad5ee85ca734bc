/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks. cleat__parser_run takes whole tokens straight from the input and stops in front of
 * one that the chunk cuts; that one is put together in the carry and run alone. So states exist
 * only between tokens.
 */
#include "value/parser.h"

#include <errno.h>

#include "base/mem.h"
#include "value/parser_state.h"

/* Large chunks are taken in slices, so that the limit of an object's size is looked at in between.
 */
#define PARSER_SLICE_BYTES (256 * CLEAT_KIB)

static int carry_append(struct cleat_parser *parser, const char *bytes, size_t length)
{
    size_t wanted = parser->carry_length + length;
    if (wanted > parser->options.object_bytes_max)
        return -E2BIG;
    if (wanted > parser->carry_capacity) {
        size_t capacity = wanted * 2 > 1024 ? wanted * 2 : 1024;
        char *carry = cleat_mem_realloc(parser->carry, capacity);
        if (!carry)
            return -ENOMEM;
        parser->carry = carry;
        parser->carry_capacity = capacity;
    }
    memcpy(parser->carry + parser->carry_length, bytes, length);
    parser->carry_length = wanted;
    return 0;
}

/* Bytes at @bytes that belong to the token in the carry; @ret_whole where it ends with them. */
static size_t carry_take(struct cleat_parser *parser, const char *bytes, size_t length,
                         bool is_string, bool *ret_whole)
{
    const char *at = bytes, *end = bytes + length;
    *ret_whole = false;
    if (!is_string) {
        while (at < end && word_byte(*at))
            at++;
        *ret_whole = at < end;
        return (size_t)(at - bytes);
    }
    at += parser->skip_slash && length > 0;
    parser->skip_slash = parser->skip_slash && length == 0;
    unsigned flags = 0;
    at = scan_string(at, end, &flags);
    parser->skip_slash = parser->skip_slash || (flags & SCAN_SLASH) != 0;
    *ret_whole = (flags & SCAN_UNENDED) == 0; /* a control byte ends it too: the run finds that */
    return (size_t)(at - bytes) + *ret_whole;
}

/* An oversized string ended: it counts as a key without a meaning, or as a value. */
static int carry_skipped(struct cleat_parser *parser, const char *at, struct cleat_err *err)
{
    parser->skipping = false;
    if (parser->state == STATE_FIRST || parser->state == STATE_KEY) {
        parser->state = STATE_COLON;
        parser->site = NULL;
        parser->want = WANT_CHECK;
        return 0;
    }
    return cleat__parser_done(parser, at, CLEAT_REF_ABSENT, err);
}

/* Adds bytes to the cut token. A string that is too long breaks its object, and the rest of it is
 * passed over. */
static int carry_more(struct cleat_parser *parser, const char *bytes, size_t length, bool is_string,
                      struct cleat_err *err)
{
    int r = carry_append(parser, bytes, length);
    if (r == 0)
        return 0;
    if (!is_string || !parser->in_item)
        return cleat__parser_fail(parser, bytes, r, "a token is too long", err);
    r = cleat__parser_broken(parser, bytes, r, "a string is too long", err);
    parser->skipping = r == 0;
    parser->carry_length = 0;
    return r;
}

/* Puts the cut token together. Returns the bytes taken of @bytes. */
static size_t parser_carry(struct cleat_parser *parser, const char *bytes, size_t length, int *ret,
                           struct cleat_err *err)
{
    bool is_string = parser->skipping || parser->carry[0] == '"', whole;
    size_t taken = carry_take(parser, bytes, length, is_string, &whole);
    if (!parser->skipping) {
        *ret = carry_more(parser, bytes, taken, is_string, err);
        if (*ret != 0)
            return taken;
    }
    if (!whole)
        return taken;
    if (parser->skipping) {
        *ret = carry_skipped(parser, bytes + taken, err);
        return taken;
    }
    const char *origin = parser->origin;
    uint64_t offset = parser->offset;
    size_t carried = parser->carry_length;
    parser->offset = offset + (uint64_t)(bytes - origin) + taken - carried;
    parser->origin = parser->carry;
    parser->carry_length = 0;
    parser->whole = true;
    const char *end = cleat__parser_run(parser, parser->carry, parser->carry + carried, ret, err);
    parser->whole = false;
    parser->origin = origin;
    parser->offset = offset;
    cleat_assert(*ret != 0 || end == parser->carry + carried);
    return taken;
}

/* One slice of the input. */
static int parser_slice(struct cleat_parser *parser, const char *bytes, size_t length,
                        struct cleat_err *err)
{
    int r = 0;
    const char *at = bytes, *end = bytes + length;
    parser->origin = bytes;
    parser->skip_failed = false;
    while (r == 0 && at < end) {
        if (parser->carry_length > 0 || parser->skipping) {
            at += parser_carry(parser, at, (size_t)(end - at), &r, err);
            continue;
        }
        at = cleat__parser_run(parser, at, end, &r, err);
        if (r == 0 && at < end) { /* a token that is cut */
            parser->skip_slash = false;
            size_t rest = (size_t)(end - at);
            unsigned flags = 0;
            if (*at == '"') {
                (void)scan_string(at + 1, end, &flags); /* only whether it ends in a backslash */
                parser->skip_slash = (flags & SCAN_SLASH) != 0;
            }
            r = carry_more(parser, at, rest, *at == '"', err);
            break;
        }
    }
    parser->offset += length;
    parser->origin = end;
    return r;
}

/* An object that is already too large is broken before it ends. */
static int parser_limit(struct cleat_parser *parser, struct cleat_err *err)
{
    if (!parser->in_item || parser->item_done ||
        parser->offset - parser->item_start <= parser->options.object_bytes_max)
        return 0;
    return cleat__parser_broken(parser, parser->origin, -E2BIG, "the object is too large", err);
}

int cleat_parser_feed(struct cleat_parser *parser, const char *bytes, size_t length,
                      struct cleat_err *err)
{
    cleat_assert(parser->magic == PARSER_MAGIC && parser->main.heap);
    if (parser->state == STATE_FAILED)
        return cleat_err_set(err, -EINVAL, "the parser has failed before");
    if (!parser->root)
        return cleat_err_set(err, -ENOMEM, "no memory for a parser");
    if (parser->options.mode == CLEAT_PARSER_DOCUMENT &&
        parser->offset + length > parser->options.object_bytes_max) {
        parser->origin = bytes;
        return cleat__parser_fail(parser, bytes, -E2BIG, "the text is too large", err);
    }
    cleat__parser_resume(parser);
    cleat__parser_renew(parser, parser->target);
    int r = 0;
    bool slices = parser->options.mode != CLEAT_PARSER_DOCUMENT;
    while (r == 0 && length > 0) {
        size_t slice = slices && length > PARSER_SLICE_BYTES ? PARSER_SLICE_BYTES : length;
        r = parser_slice(parser, bytes, slice, err);
        r = r == 0 ? parser_limit(parser, err) : r;
        bytes += slice;
        length -= slice;
    }
    if (r != 0) {
        parser->state = STATE_FAILED;
        cleat__parser_cut(parser, 0);
        parser->key = CLEAT_REF_ABSENT;
        return r;
    }
    cleat__parser_hold(parser);
    return 0;
}

/* A number may end with the text. */
static int parser_flush(struct cleat_parser *parser, struct cleat_err *err)
{
    size_t carried = parser->carry_length;
    int r = 0;
    if (carried == 0 || parser->carry[0] == '"')
        return 0;
    parser->origin = parser->carry;
    parser->offset -= carried;
    parser->whole = true;
    parser->carry_length = 0;
    (void)cleat__parser_run(parser, parser->carry, parser->carry + carried, &r, err);
    parser->whole = false;
    parser->offset += carried;
    parser->origin = parser->carry + carried;
    return r;
}

int cleat_parser_finish(struct cleat_parser *parser, struct cleat_value *ret, struct cleat_err *err)
{
    cleat_assert(parser->magic == PARSER_MAGIC);
    if (parser->state == STATE_FAILED)
        return cleat_err_set(err, -EINVAL, "the parser has failed before");
    cleat__parser_resume(parser);
    int r = parser_flush(parser, err);
    if (r != 0) {
        parser->state = STATE_FAILED;
        return r;
    }
    bool ended = parser->options.mode == CLEAT_PARSER_WATCH ? cleat_parser_between(parser)
                                                            : parser->state == STATE_END;
    if (!ended || parser->carry_length > 0)
        return cleat__parser_fail(parser, parser->origin, -EINVAL, "the text ends too early", err);
    cleat__parser_cut(parser, 0);
    if (parser->options.mode == CLEAT_PARSER_DOCUMENT && ret)
        *ret = (struct cleat_value){parser->main.heap, parser->item_ref};
    return 0;
}

/* Life. */

/* Gives back what is held of an unfinished object. */
static void parser_let_go(struct cleat_parser *parser)
{
    if (parser->target) {
        cleat__parser_resume(parser);
        cleat__parser_cut(parser, 0);
    }
}

/* Where too much was learned to learn more, and most of it of other texts: forget it all. */
static void parser_forget(struct cleat_parser *parser)
{
    if (parser->site_count < PARSER_SITES_MAX && parser->step_count < PARSER_STEPS_MAX)
        return;
    cleat__parser_memory_free(parser);
    parser->site_count = parser->step_count = 0;
    parser->raw_bytes = 0;
    parser->root = NULL;
    if (cleat__item_sites(parser) != 0)
        parser->root = NULL; /* the next feed says so */
}

void cleat_parser_reset(struct cleat_parser *parser, struct cleat_heap *heap)
{
    cleat_assert(parser->magic == PARSER_MAGIC);
    parser_let_go(parser);
    /* what was learned in a pool are references of that pool */
    cleat_assert(!heap || !parser->main.heap || heap == parser->main.heap ||
                 (!heap->is_pool && !parser->main.heap->is_pool));
    if (heap)
        parser->main.heap = heap; /* its epoch tells whether what is known of keys holds */
    parser_forget(parser);
    parser->target = &parser->main;
    parser->state = STATE_VALUE;
    parser->site = parser->root;
    parser->want = WANT_CHECK;
    parser->key = CLEAT_REF_ABSENT;
    parser->depth = parser->deep = parser->item_depth = 0;
    parser->seen = parser->seen_left = 0;
    parser->in_item = parser->item_done = parser->is_side = false;
    parser->item_ref = CLEAT_REF_ABSENT;
    parser->carry_length = 0;
    parser->skipping = parser->skip_slash = false;
    parser->offset = 0;
    parser->remaining = -1;
    for (int role = 0; role < ROLE_STRINGS; role++)
        parser->captured[role].length = 0;
    cleat_err_clear(&parser->broken);
    parser->origin = "";
}

int cleat_parser_new(const struct cleat_parser_options *options, struct cleat_parser **ret,
                     struct cleat_err *err)
{
    struct cleat_parser *parser = cleat_mem_zalloc(1, sizeof(*parser));
    if (!parser)
        return cleat_err_set(err, -ENOMEM, "no memory for a parser");
    parser->magic = PARSER_MAGIC;
    parser->options = *options;
    if (parser->options.object_bytes_max == 0)
        parser->options.object_bytes_max = CLEAT_OBJECT_BYTES_MAX;
    int r = cleat__item_sites(parser);
    if (r == 0 && options->mode == CLEAT_PARSER_WATCH) {
        r = cleat_arena_new(CLEAT_DOCUMENT_BYTES_MAX, &parser->side_heap);
        parser->side.heap = parser->side_heap;
    }
    if (r != 0) {
        (void)cleat_parser_free(parser);
        return cleat_err_set(err, r, "no memory for a parser");
    }
    cleat_parser_reset(parser, options->heap);
    *ret = parser;
    return 0;
}

size_t cleat_parser_bytes(const struct cleat_parser *parser)
{
    return (size_t)parser->value_capacity * (sizeof(*parser->values) + sizeof(*parser->keys)) +
           (size_t)parser->word_capacity * sizeof(*parser->words) + parser->carry_capacity +
           parser->text_capacity;
}

struct cleat_parser *cleat_parser_free(struct cleat_parser *parser)
{
    if (!parser)
        return NULL;
    cleat_assert(parser->magic == PARSER_MAGIC);
    parser_let_go(parser);
    for (int role = 0; role < ROLE_STRINGS; role++)
        (void)cleat_mem_free(parser->captured[role].data);
    cleat__parser_memory_free(parser);
    (void)cleat_heap_free(parser->side_heap);
    (void)cleat_mem_free(parser->values);
    (void)cleat_mem_free(parser->keys);
    (void)cleat_mem_free(parser->words);
    (void)cleat_mem_free(parser->carry);
    (void)cleat_mem_free(parser->text);
    parser->magic = 0;
    return cleat_mem_free(parser);
}

static struct cleat_str list_text(const struct cleat_parser *parser, enum role role)
{
    const struct capture *capture = &parser->captured[role];
    return capture->length > 0 ? (struct cleat_str){capture->data, capture->length}
                               : (struct cleat_str){"", 0};
}

void cleat_parser_list(const struct cleat_parser *parser, struct cleat_parser_list *ret)
{
    *ret = (struct cleat_parser_list){
        .api_version = list_text(parser, ROLE_LIST_API_VERSION),
        .kind = list_text(parser, ROLE_LIST_KIND),
        .resource_version = list_text(parser, ROLE_LIST_RESOURCE_VERSION),
        .continue_ = list_text(parser, ROLE_LIST_CONTINUE),
        .remaining = parser->remaining,
    };
}

bool cleat_parser_between(const struct cleat_parser *parser)
{
    return parser->state == STATE_VALUE && parser->depth == 0 && parser->deep == 0 &&
           parser->carry_length == 0 && !parser->skipping;
}
