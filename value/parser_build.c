/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From frames to values. The stack of values has, for each open frame, a place for the frame itself
 * (at its base) and behind it the children read so far, so that a whole object lies there as the
 * words of its node: shape, then values.
 *
 * Between two feeds others may change the pool, and what the stack refers to may have no other
 * owner: so it is held while the parser waits.
 */
#include <errno.h>

#include "base/mem.h"
#include "value/parser_state.h"

#define PARSER_STACK_MIN 256u

/* Room for one more value. */
static int stack_reserve(struct cleat_parser *parser)
{
    if (parser->value_count < parser->value_capacity)
        return 0;
    uint32_t capacity = parser->value_capacity ? parser->value_capacity * 2 : PARSER_STACK_MIN;
    uint32_t *values = cleat_mem_realloc(parser->values, capacity * sizeof(*values));
    if (!values)
        return -ENOMEM;
    parser->values = values;
    uint32_t *keys = cleat_mem_realloc(parser->keys, capacity * sizeof(*keys));
    if (!keys)
        return -ENOMEM;
    parser->keys = keys;
    parser->value_capacity = capacity;
    return 0;
}

int cleat__parser_words(struct cleat_parser *parser, size_t count)
{
    if (count <= parser->word_capacity)
        return 0;
    uint32_t *words = cleat_mem_realloc(parser->words, 2 * count * sizeof(*words));
    if (!words)
        return -ENOMEM;
    parser->words = words;
    parser->word_capacity = (uint32_t)(2 * count);
    return 0;
}

int cleat__parser_push(struct cleat_parser *parser, uint32_t ref)
{
    int r = stack_reserve(parser);
    if (r == 0) {
        parser->values[parser->value_count] = ref;
        parser->keys[parser->value_count++] = parser->key;
    }
    return r;
}

int cleat__parser_open(struct cleat_parser *parser, bool is_object, uint64_t start)
{
    struct site *site = parser->site;
    struct frame frame = {.site = site, .is_object = is_object, .build = true, .start = start};
    if (is_object) {
        frame.plain = site->crowded;
        frame.step = &site->first;
    } else {
        frame.child = cleat__site_element(parser, site, 0);
        if (!frame.child)
            return -ENOMEM;
    }
    int r = cleat__parser_push(parser, CLEAT_REF_ABSENT);
    if (r != 0)
        return r;
    frame.base = parser->value_count - 1;
    parser->key = CLEAT_REF_ABSENT;
    parser->frames[parser->depth++] = frame;
    return 0;
}

/* An object's words in the order of its shape. */
static int object_close(struct cleat_parser *parser, const struct frame *frame, uint32_t count,
                        uint32_t *ret)
{
    struct step *step = frame->step;
    uint32_t *words = parser->values + frame->base;
    cleat_assert(count == step->count);
    if (step->stamp != parser->target->stamp) {
        int r = cleat__step_shape(parser, step);
        if (r != 0)
            return r;
    }
    if (!step->in_order && parser->target->heap->is_pool) {
        int r = cleat__parser_words(parser, (size_t)count + 1);
        if (r != 0)
            return r;
        for (uint32_t i = 0; i < count; i++)
            parser->words[1 + i] = words[1 + step->order[i]];
        words = parser->words;
    }
    words[0] = step->shape;
    if (parser->target->heap->is_pool &&
        cleat__pool_again(parser->target->heap, frame->site->last_ref, NODE_OBJECT, count, words,
                          (size_t)count + 1)) {
        *ret = frame->site->last_ref;
        return 0;
    }
    return cleat__heap_shaped(parser->target->heap, words, count, ret);
}

int cleat__parser_close(struct cleat_parser *parser, struct frame *frame, uint32_t *ret)
{
    struct cleat_heap *heap = parser->target->heap;
    uint32_t first = frame->base + 1, count = parser->value_count - first;
    int r = 0;
    if (!frame->is_object && heap->is_pool && count > 0 &&
        cleat__pool_again(heap, frame->site->last_ref, NODE_ARRAY, count, parser->values + first,
                          count))
        *ret = frame->site->last_ref;
    else if (!frame->is_object)
        r = cleat_heap_array(heap, parser->values + first, count, ret);
    else if (count == 0)
        *ret = REF_EMPTY_OBJECT;
    else if (frame->plain)
        r = cleat__heap_keyed(heap, parser->keys + first, parser->values + first, count, ret);
    else
        r = object_close(parser, frame, count, ret);
    parser->values[frame->base] = CLEAT_REF_ABSENT;
    if (r == 0) {
        cleat__parser_cut(parser, frame->base);
        parser->value_count = first;
        parser->values[frame->base] = *ret;
        parser->key = CLEAT_REF_ABSENT;
    }
    return r;
}

int cleat__parser_flatten(struct cleat_parser *parser, struct frame *frame)
{
    uint32_t at = frame->base + 1 + frame->step->count;
    for (const struct step *step = frame->step; step->field; step = step->parent) {
        if (step->field->left_out) {
            parser->seen_left |= 1u << step->field->role;
        } else {
            int r = cleat__site_key(parser, step->field, &parser->keys[--at]);
            if (r != 0)
                return r;
        }
    }
    frame->plain = true;
    frame->step = NULL;
    return 0;
}

void cleat__parser_cut(struct cleat_parser *parser, uint32_t count)
{
    struct cleat_heap *heap = parser->target->heap;
    while (parser->held > count) {
        parser->held--;
        cleat__pool_unhold(heap, parser->values[parser->held]);
        cleat__pool_unhold(heap, parser->keys[parser->held]);
    }
    parser->value_count = count;
}

void cleat__parser_hold(struct cleat_parser *parser)
{
    struct cleat_heap *heap = parser->target->heap;
    if (!heap->is_pool)
        return;
    for (; parser->held < parser->value_count; parser->held++) {
        cleat_pool_hold(heap, parser->values[parser->held]);
        cleat_pool_hold(heap, parser->keys[parser->held]);
    }
    cleat_pool_hold(heap, parser->key);
    parser->key_held = true;
}

void cleat__parser_resume(struct cleat_parser *parser)
{
    if (parser->key_held) {
        cleat__pool_unhold(parser->target->heap, parser->key);
        parser->key_held = false;
    }
}

void cleat__parser_renew(struct cleat_parser *parser, struct target *target)
{
    if (target->heap && (target->stamp == 0 || target->epoch != target->heap->epoch)) {
        target->epoch = target->heap->epoch;
        target->stamp = ++parser->stamps;
    }
}
