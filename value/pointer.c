/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "base/mem.h"
#include "value/pointer.h"

/* Decodes ~0 and ~1 of @token into *@room and moves it on. -EINVAL for any other "~". */
static int pointer_decode(struct cleat_str *token, char **room)
{
    char *start = *room, *to = start;

    for (size_t i = 0; i < token->length; i++) {
        char c = token->data[i];
        if (c == '~') {
            if (++i == token->length || (token->data[i] != '0' && token->data[i] != '1'))
                return -EINVAL;
            c = token->data[i] == '0' ? '~' : '/';
        }
        *to++ = c;
    }
    *token = (struct cleat_str){start, (size_t)(to - start)};
    *room = to;
    return 0;
}

/* Cuts the text at its slashes; tokens still have their escapes. */
static int pointer_split(struct cleat_pointer *pointer)
{
    const char *at = pointer->text.data, *end = at + pointer->text.length;

    while (at < end) {
        const char *next = memchr(at + 1, '/', (size_t)(end - at - 1));
        if (!next)
            next = end;
        if (pointer->count == CLEAT_VALUE_DEPTH_MAX)
            return -E2BIG;
        pointer->tokens[pointer->count++] = (struct cleat_str){at + 1, (size_t)(next - at - 1)};
        at = next;
    }
    return 0;
}

static int pointer_unescape(struct cleat_pointer *pointer)
{
    char *room;
    int r = 0;

    if (pointer->text.length == 0 || !memchr(pointer->text.data, '~', pointer->text.length))
        return 0;
    pointer->decoded = cleat_mem_alloc(pointer->text.length);
    if (!pointer->decoded)
        return -ENOMEM;
    room = pointer->decoded;
    for (size_t i = 0; i < pointer->count && r == 0; i++)
        r = pointer_decode(&pointer->tokens[i], &room);
    return r;
}

int cleat_pointer_parse(struct cleat_value value, struct cleat_pointer *ret)
{
    int r;

    ret->decoded = NULL;
    ret->count = 0;
    ret->text = CLEAT_STR("");
    if (cleat_value_str(value, &ret->scratch, &ret->text))
        return -EINVAL;
    if (ret->text.length > 0 && ret->text.data[0] != '/')
        return -EINVAL;
    r = pointer_split(ret);
    return r < 0 ? r : pointer_unescape(ret);
}

void cleat_pointer_fini(struct cleat_pointer *pointer)
{
    pointer->decoded = cleat_mem_free(pointer->decoded);
    pointer->count = 0;
}

int cleat_pointer_index(struct cleat_str token, size_t *ret)
{
    size_t index = 0;

    if (cleat_str_is(token, "-"))
        return CLEAT_POINTER_END;
    if (token.length == 0 || (token.length > 1 && token.data[0] == '0'))
        return -EINVAL;
    for (size_t i = 0; i < token.length; i++) {
        unsigned digit = (unsigned char)token.data[i] - (unsigned)'0';
        if (digit > 9)
            return -EINVAL;
        if (index > (SIZE_MAX - digit) / 10)
            index = SIZE_MAX; /* beyond any array, and stays there */
        else
            index = index * 10 + digit;
    }
    *ret = index;
    return CLEAT_POINTER_INDEX;
}

bool cleat_pointer_is_below(const struct cleat_pointer *pointer, const struct cleat_pointer *above)
{
    if (pointer->count <= above->count)
        return false;
    for (size_t i = 0; i < above->count; i++)
        if (!cleat_str_equal(pointer->tokens[i], above->tokens[i]))
            return false;
    return true;
}
