/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between jansson's trees and ours. A tree of jansson's may be deeper than any stack, shared many
 * times or even a circle, so that nothing of it is taken on trust: depth and size are bounded on
 * the way, and jansson's own walkers (dump, copy, equal) are never called.
 */
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/jansson.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "value/heap.h"
#include "value/place.h"

struct bridge {
    struct cleat_heap *arena;
    struct cleat_err *err;
};

static int bridge_refuse(struct bridge *bridge, int code, const struct cleat_place *place,
                         const char *fact)
{
    char text[CLEAT_PLACE_TEXT_BYTES_MAX];

    return cleat_err_set(bridge->err, code, "%s %s", cleat_place_text(place, text), fact);
}

static int bridge_fail(struct bridge *bridge, int r, const struct cleat_place *place)
{
    if (r == -ENOBUFS || r == -E2BIG)
        return bridge_refuse(bridge, -E2BIG, place, "makes the document too large");
    return bridge_refuse(bridge, r, place, "couldn't be converted: out of memory");
}

/* -- from jansson -- */

static int bridge_from(struct bridge *bridge, const json_t *json, const struct cleat_place *place,
                       unsigned depth, uint32_t *ret);

/* The shortest text that reads back as the same double, with a point in every locale. */
static void bridge_double_text(double number, char text[40])
{
    for (int digits = DBL_DIG; digits <= DBL_DIG + 2; digits++) {
        (void)snprintf(text, 40, "%.*g", digits, number); /* always fits */
        if (strtod(text, NULL) == number)
            break;
    }
    for (char *c = text; *c; c++)
        if (!strchr("+-0123456789e", *c))
            *c = '.';
    if (!strpbrk(text, ".e"))
        memcpy(text + strlen(text), ".0", 3); /* a real stays one */
}

static int bridge_from_real(struct bridge *bridge, const json_t *json,
                            const struct cleat_place *place, uint32_t *ret)
{
    double number = json_real_value(json);
    char text[40];
    int r;

    if (number != number || number > DBL_MAX || number < -DBL_MAX)
        return bridge_refuse(bridge, -EINVAL, place, "is no finite number");
    bridge_double_text(number, text);
    r = cleat_heap_number(bridge->arena, cleat_str_of(text), ret);
    return r < 0 ? bridge_fail(bridge, r, place) : 0;
}

static int bridge_from_string(struct bridge *bridge, const json_t *json,
                              const struct cleat_place *place, uint32_t *ret)
{
    struct cleat_str text = {json_string_value(json), json_string_length(json)};
    int r;

    if (!cleat_utf8_valid(text))
        return bridge_refuse(bridge, -EINVAL, place, "isn't UTF-8");
    r = cleat_heap_str(bridge->arena, text, ret);
    return r < 0 ? bridge_fail(bridge, r, place) : 0;
}

static int bridge_from_array(struct bridge *bridge, const json_t *json,
                             const struct cleat_place *up, unsigned depth, uint32_t *ret)
{
    struct cleat_place place = {up, {NULL, 0}, 0};
    size_t count = json_array_size(json);
    CLEAT_CLEANUP(cleat_mem_freep) uint32_t *refs = cleat_mem_zalloc(count + 1, sizeof(*refs));
    int r;

    if (!refs)
        return bridge_fail(bridge, -ENOMEM, up);
    for (; place.index < count; place.index++) {
        r = bridge_from(bridge, json_array_get(json, place.index), &place, depth + 1,
                        &refs[place.index]);
        if (r < 0)
            return r;
    }
    r = cleat_heap_array(bridge->arena, refs, count, ret);
    return r < 0 ? bridge_fail(bridge, r, up) : 0;
}

static struct cleat_str bridge_iter_key(void *iter)
{
#if JANSSON_VERSION_HEX >= 0x020e00
    return (struct cleat_str){json_object_iter_key(iter), json_object_iter_key_len(iter)};
#else
    return cleat_str_of(json_object_iter_key(iter));
#endif
}

static int bridge_check_key(struct bridge *bridge, const struct cleat_place *place)
{
    if (place->key.length > CLEAT_VALUE_KEY_BYTES_MAX)
        return bridge_refuse(bridge, -E2BIG, place, "has a key that is too long");
    if (place->key.length > 0 && memchr(place->key.data, '\0', place->key.length))
        return bridge_refuse(bridge, -EINVAL, place, "has a NUL in its key");
    if (!cleat_utf8_valid(place->key))
        return bridge_refuse(bridge, -EINVAL, place, "has a key that isn't UTF-8");
    return 0;
}

static int bridge_from_object(struct bridge *bridge, const json_t *json,
                              const struct cleat_place *up, unsigned depth, uint32_t *ret)
{
    json_t *object = (json_t *)(uintptr_t)json; /* iterating wants it so, and changes nothing */
    struct cleat_place place = {up, {"", 0}, 0};
    size_t count = json_object_size(json), n = 0;
    CLEAT_CLEANUP(cleat_mem_freep)
    struct cleat_member *members = cleat_mem_zalloc(count + 1, sizeof(*members));
    int r;

    if (!members)
        return bridge_fail(bridge, -ENOMEM, up);
    for (void *iter = json_object_iter(object); iter && n < count;
         iter = json_object_iter_next(object, iter), n++) {
        members[n].key = place.key = bridge_iter_key(iter);
        r = bridge_check_key(bridge, &place);
        if (r == 0)
            r = bridge_from(bridge, json_object_iter_value(iter), &place, depth + 1,
                            &members[n].ref);
        if (r < 0)
            return r;
    }
    r = cleat_heap_object(bridge->arena, members, n, ret);
    return r < 0 ? bridge_fail(bridge, r, up) : 0;
}

static int bridge_from(struct bridge *bridge, const json_t *json, const struct cleat_place *place,
                       unsigned depth, uint32_t *ret)
{
    int r = 0;

    if (!json)
        return bridge_refuse(bridge, -EINVAL, place, "is absent");
    switch (json_typeof(json)) {
    case JSON_NULL: *ret = cleat_heap_null(bridge->arena); return 0;
    case JSON_TRUE: *ret = cleat_heap_bool(bridge->arena, true); return 0;
    case JSON_FALSE: *ret = cleat_heap_bool(bridge->arena, false); return 0;
    case JSON_STRING: return bridge_from_string(bridge, json, place, ret);
    case JSON_REAL: return bridge_from_real(bridge, json, place, ret);
    case JSON_INTEGER:
        r = cleat_heap_int(bridge->arena, json_integer_value(json), ret);
        return r < 0 ? bridge_fail(bridge, r, place) : 0;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    if (depth >= CLEAT_VALUE_DEPTH_MAX)
        return bridge_refuse(bridge, -E2BIG, place, "is nested too deeply");
    return json_is_array(json) ? bridge_from_array(bridge, json, place, depth, ret)
                               : bridge_from_object(bridge, json, place, depth, ret);
}

int cleat_jansson_document(const json_t *json, struct cleat_document **ret, struct cleat_err *err)
{
    struct bridge bridge = {NULL, err};
    uint32_t ref = 0;
    int r = cleat_arena_new(CLEAT_DOCUMENT_BYTES_MAX, &bridge.arena);

    if (r < 0)
        return cleat_err_set(err, r, "out of memory for a document");
    r = bridge_from(&bridge, json, NULL, 0, &ref);
    if (r == 0)
        r = cleat_document_copy((struct cleat_value){bridge.arena, ref}, ret, err);
    cleat_heap_free(bridge.arena);
    return r;
}

int cleat_jansson_document_take(json_t *json, struct cleat_document **ret, struct cleat_err *err)
{
    int r = json ? cleat_jansson_document(json, ret, err)
                 : cleat_err_set(err, -ENOMEM,
                                 "jansson gave no value: out of memory or a wrong format");

    json_decref(json);
    return r;
}

/* -- to jansson -- */

static int bridge_to(struct bridge *bridge, struct cleat_value value,
                     const struct cleat_place *place, unsigned depth, json_t **ret);

static int bridge_made(struct bridge *bridge, json_t *json, const struct cleat_place *place,
                       json_t **ret)
{
    if (!json)
        return bridge_fail(bridge, -ENOMEM, place);
    *ret = json;
    return 0;
}

/* Integers stay integers, or don't fit; a fraction or an exponent makes a real. */
static int bridge_to_number(struct bridge *bridge, struct cleat_value value,
                            const struct cleat_place *place, json_t **ret)
{
    struct cleat_scratch scratch;
    struct cleat_str text = {NULL, 0};
    int64_t integer = 0;
    double real = 0;

    if (cleat_value_number(value, &scratch, &text))
        return bridge_refuse(bridge, -EINVAL, place, "is no number");
    if (!memchr(text.data, '.', text.length) && !memchr(text.data, 'e', text.length) &&
        !memchr(text.data, 'E', text.length)) {
        if (cleat_value_int(value, &integer))
            return bridge_refuse(bridge, -ERANGE, place, "is an integer beyond 64 bits");
        return bridge_made(bridge, json_integer(integer), place, ret);
    }
    if (cleat_value_double(value, &real))
        return bridge_refuse(bridge, -ERANGE, place, "is a number beyond a double's range");
    return bridge_made(bridge, json_real(real), place, ret);
}

static int bridge_to_string(struct bridge *bridge, struct cleat_value value,
                            const struct cleat_place *place, json_t **ret)
{
    struct cleat_scratch scratch;
    struct cleat_str text = {NULL, 0};

    if (cleat_value_str(value, &scratch, &text))
        return bridge_refuse(bridge, -EINVAL, place, "is no string");
    return bridge_made(bridge, json_stringn_nocheck(text.data, text.length), place, ret);
}

static int bridge_to_array(struct bridge *bridge, struct cleat_value value,
                           const struct cleat_place *up, unsigned depth, json_t **ret)
{
    struct cleat_place place = {up, {NULL, 0}, 0};
    size_t count = cleat_value_count(value);
    json_t *array = json_array(), *element;
    int r = array ? 0 : bridge_fail(bridge, -ENOMEM, up);

    for (; r == 0 && place.index < count; place.index++) {
        r = bridge_to(bridge, cleat_value_at(value, place.index), &place, depth + 1, &element);
        if (r == 0 && json_array_append_new(array, element) != 0)
            r = bridge_fail(bridge, -ENOMEM, &place);
    }
    if (r < 0) {
        json_decref(array);
        return r;
    }
    *ret = array;
    return 0;
}

/* Steals @member. */
static int bridge_set_take(struct bridge *bridge, json_t *object, const struct cleat_place *place,
                           json_t *member)
{
#if JANSSON_VERSION_HEX >= 0x020e00
    int failed = json_object_setn_new_nocheck(object, place->key.data, place->key.length, member);
#else
    CLEAT_CLEANUP(cleat_mem_freep)
    char *key = cleat_mem_strndup(place->key.data, place->key.length);
    int failed = key ? json_object_set_new_nocheck(object, key, member) : -1;
    if (!key)
        json_decref(member);
#endif
    return failed ? bridge_fail(bridge, -ENOMEM, place) : 0;
}

static int bridge_to_object(struct bridge *bridge, struct cleat_value value,
                            const struct cleat_place *up, unsigned depth, json_t **ret)
{
    struct cleat_place place = {up, {"", 0}, 0};
    size_t count = cleat_value_count(value);
    json_t *object = json_object(), *member;
    int r = object ? 0 : bridge_fail(bridge, -ENOMEM, up);

    for (size_t i = 0; r == 0 && i < count; i++) {
        struct cleat_value child = cleat_value_member(value, i, &place.key);
        r = bridge_to(bridge, child, &place, depth + 1, &member);
        if (r == 0)
            r = bridge_set_take(bridge, object, &place, member);
    }
    if (r < 0) {
        json_decref(object);
        return r;
    }
    *ret = object;
    return 0;
}

static int bridge_to(struct bridge *bridge, struct cleat_value value,
                     const struct cleat_place *place, unsigned depth, json_t **ret)
{
    enum cleat_value_type type = cleat_value_type(value);

    switch (type) {
    case CLEAT_TYPE_ABSENT: return bridge_refuse(bridge, -EINVAL, place, "is absent");
    case CLEAT_TYPE_NOT_KEPT:
        return bridge_refuse(bridge, -ENODATA, place, "wasn't kept by the projection");
    case CLEAT_TYPE_NULL: return bridge_made(bridge, json_null(), place, ret);
    case CLEAT_TYPE_BOOL:
        return bridge_made(bridge, cleat_value_is_true(value) ? json_true() : json_false(), place,
                           ret);
    case CLEAT_TYPE_NUMBER: return bridge_to_number(bridge, value, place, ret);
    case CLEAT_TYPE_STRING: return bridge_to_string(bridge, value, place, ret);
    case CLEAT_TYPE_ARRAY:
    case CLEAT_TYPE_OBJECT: break;
    }
    if (depth >= CLEAT_VALUE_DEPTH_MAX)
        return bridge_refuse(bridge, -E2BIG, place, "is nested too deeply");
    return type == CLEAT_TYPE_ARRAY ? bridge_to_array(bridge, value, place, depth, ret)
                                    : bridge_to_object(bridge, value, place, depth, ret);
}

int cleat_jansson_of(struct cleat_value value, json_t **ret, struct cleat_err *err)
{
    struct bridge bridge = {NULL, err};

    return bridge_to(&bridge, value, NULL, 0, ret);
}
