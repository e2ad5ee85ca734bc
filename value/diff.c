/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differences are reported so that they can be applied one after the other: the elements of an
 * array that remain are compared in place, surplus ones are removed from the end, new ones added
 * from the front. Only the middle of an array is looked at, what both have in common at its head
 * and tail stays.
 *
 * What wasn't kept is equal to itself in the same place, and only there: two elements that look
 * alike may differ in what nobody sees, so that none of them may be moved or removed.
 */
#include <errno.h>
#include "base/limits.h"
#include "base/map.h"
#include "value/diff.h"
#include "value/tree.h"

/* Objects with more members than this are looked up by a map, whatever their heap does. */
#define DIFF_MAP_FROM 64

static int diff_values(struct cleat_diff *diff, const struct cleat_place *place,
                       struct cleat_value from, struct cleat_value to, unsigned depth);

static int diff_refuse(struct cleat_diff *diff, int code, const struct cleat_place *place,
                       const char *fact)
{
    char text[CLEAT_PLACE_TEXT_BYTES_MAX];

    return cleat_err_set(diff->err, code, "%s %s", cleat_place_text(place, text), fact);
}

/* -- objects -- */

/* How members are found: where the other has them at the same position, else by the heap or by a
 * map. */
struct diff_members {
    struct cleat_value object;
    size_t count;
    size_t next;          /* where the next one is, if both have their members in the same order */
    struct cleat_map map; /* key → position + 1; empty for small objects */
};

static int diff_members_init(struct diff_members *members, struct cleat_value object)
{
    int r = 0;

    members->object = object;
    members->count = cleat_value_count(object);
    members->next = 0;
    cleat_map_init(&members->map, SIZE_MAX);
    for (size_t i = 0; members->count > DIFF_MAP_FROM && i < members->count && r == 0; i++) {
        struct cleat_str key = {NULL, 0};
        (void)cleat_value_member(object, i, &key); /* the key is what is wanted */
        r = cleat_map_set(&members->map, key, (void *)(uintptr_t)(i + 1));
    }
    if (r < 0)
        cleat_map_fini(&members->map);
    return r;
}

static struct cleat_value diff_members_find(struct diff_members *members, struct cleat_str key)
{
    struct cleat_str found = {NULL, 0};
    struct cleat_value value;
    uintptr_t at;

    for (size_t i = members->next; i < members->count && i < members->next + 2; i++) {
        value = cleat_value_member(members->object, i, &found);
        if (cleat_str_equal(found, key)) {
            members->next = i + 1;
            return value;
        }
    }
    if (members->map.count == 0)
        return cleat_value_get_str(members->object, key);
    at = (uintptr_t)cleat_map_get(&members->map, key);
    if (at == 0)
        return CLEAT_VALUE_NONE;
    members->next = at;
    return cleat_value_member(members->object, at - 1, NULL);
}

static int diff_gone(struct cleat_diff *diff, const struct cleat_place *up,
                     struct diff_members *from, struct diff_members *to)
{
    struct cleat_place place = {up, {"", 0}, 0};

    for (size_t i = 0; i < from->count; i++) {
        int r;
        (void)cleat_value_member(from->object, i, &place.key); /* the key is what is wanted */
        if (cleat_value_is_present(diff_members_find(to, place.key)))
            continue;
        r = diff->on_change(diff->arg, CLEAT_DIFF_REMOVE, &place, CLEAT_VALUE_NONE);
        if (r != 0)
            return r;
    }
    return 0;
}

static int diff_present(struct cleat_diff *diff, const struct cleat_place *up,
                        struct diff_members *from, struct diff_members *to, unsigned depth)
{
    struct cleat_place place = {up, {"", 0}, 0};

    for (size_t i = 0; i < to->count; i++) {
        struct cleat_value wanted = cleat_value_member(to->object, i, &place.key);
        struct cleat_value had = diff_members_find(from, place.key);
        int r;
        if (cleat_value_is_present(had))
            r = diff_values(diff, &place, had, wanted, depth + 1);
        else if (cleat_value_type(wanted) == CLEAT_TYPE_NOT_KEPT)
            r = diff_refuse(diff, -EINVAL, &place, "wasn't kept by the projection");
        else
            r = diff->on_change(diff->arg, CLEAT_DIFF_ADD, &place, wanted);
        if (r != 0)
            return r;
    }
    return 0;
}

static int diff_objects(struct cleat_diff *diff, const struct cleat_place *place,
                        struct cleat_value from_value, struct cleat_value to_value, unsigned depth)
{
    struct diff_members from, to;
    int r = diff_members_init(&from, from_value);

    if (r == 0) {
        r = diff_members_init(&to, to_value);
        if (r == 0) {
            r = diff_gone(diff, place, &from, &to);
            if (r == 0)
                r = diff_present(diff, place, &from, &to, depth);
            cleat_map_fini(&to.map);
        }
        cleat_map_fini(&from.map);
    }
    return r == -ENOMEM ? cleat_err_set(diff->err, r, "out of memory for a difference") : r;
}

/* -- arrays -- */

/* The part of two arrays that is left when what they have in common at both ends is put aside. */
struct diff_middle {
    size_t head;
    size_t from_end; /* of the middle, in @from */
    size_t to_end;
};

static void diff_trim(struct cleat_value from, struct cleat_value to, struct diff_middle *ret)
{
    size_t from_end = cleat_value_count(from), to_end = cleat_value_count(to), head = 0;

    while (head < from_end && head < to_end &&
           cleat_value_equal(cleat_value_at(from, head), cleat_value_at(to, head)))
        head++;
    while (from_end > head && to_end > head &&
           cleat_value_equal(cleat_value_at(from, from_end - 1), cleat_value_at(to, to_end - 1))) {
        from_end--;
        to_end--;
    }
    *ret = (struct diff_middle){head, from_end, to_end};
}

/* Elements change their places: refused where somebody could mistake one for another. */
static int diff_check_moved(struct cleat_diff *diff, const struct cleat_place *place,
                            struct cleat_value from, struct cleat_value to,
                            const struct diff_middle *middle)
{
    bool from_part = false, to_part = false;

    if (cleat_value_count(from) == cleat_value_count(to) || middle->head == cleat_value_count(from))
        return 0;
    (void)cleat_tree_value_height(from,
                                  &from_part); /* only what was dropped matters, here and below */
    (void)cleat_tree_value_height(to, &to_part);
    if (!from_part && !to_part)
        return 0;
    return diff_refuse(diff, -EINVAL, place,
                       "changed its length and holds what wasn't kept by the projection");
}

static int diff_elements(struct cleat_diff *diff, const struct cleat_place *up,
                         struct cleat_value from, struct cleat_value to, unsigned depth)
{
    struct cleat_place place = {up, {NULL, 0}, 0};
    struct diff_middle middle;
    size_t end;
    int r;

    diff_trim(from, to, &middle);
    r = diff_check_moved(diff, up, from, to, &middle);
    end = middle.from_end < middle.to_end ? middle.from_end : middle.to_end;
    for (place.index = middle.head; place.index < end && r == 0; place.index++)
        r = diff_values(diff, &place, cleat_value_at(from, place.index),
                        cleat_value_at(to, place.index), depth + 1);
    for (place.index = middle.from_end; place.index > end && r == 0;) {
        place.index--;
        r = diff->on_change(diff->arg, CLEAT_DIFF_REMOVE, &place, CLEAT_VALUE_NONE);
    }
    for (place.index = end; place.index < middle.to_end && r == 0; place.index++)
        r = diff->on_change(diff->arg, CLEAT_DIFF_ADD, &place, cleat_value_at(to, place.index));
    return r;
}

/* -- both -- */

static int diff_replaced(struct cleat_diff *diff, const struct cleat_place *place,
                         struct cleat_value from, struct cleat_value to)
{
    if (cleat_value_equal(from, to))
        return 0;
    if (cleat_value_type(to) == CLEAT_TYPE_NOT_KEPT ||
        (diff->merge && cleat_value_type(to) == CLEAT_TYPE_OBJECT &&
         cleat_value_type(from) == CLEAT_TYPE_NOT_KEPT))
        return diff_refuse(diff, -EINVAL, place, "wasn't kept by the projection");
    return diff->on_change(diff->arg, CLEAT_DIFF_REPLACE, place, to);
}

static int diff_values(struct cleat_diff *diff, const struct cleat_place *place,
                       struct cleat_value from, struct cleat_value to, unsigned depth)
{
    enum cleat_value_type type = cleat_value_type(to);

    if (cleat_value_same(from, to))
        return 0;
    if (type != cleat_value_type(from) || (type != CLEAT_TYPE_OBJECT && type != CLEAT_TYPE_ARRAY))
        return diff_replaced(diff, place, from, to);
    if (depth >= CLEAT_VALUE_DEPTH_MAX)
        return diff_refuse(diff, -E2BIG, place, "is nested too deeply");
    if (type == CLEAT_TYPE_OBJECT)
        return diff_objects(diff, place, from, to, depth);
    return diff->merge ? diff_replaced(diff, place, from, to)
                       : diff_elements(diff, place, from, to, depth);
}

int cleat_diff_walk(struct cleat_diff *diff, struct cleat_value from, struct cleat_value to)
{
    if (!cleat_value_is_present(from) || !cleat_value_is_present(to))
        return cleat_err_set(diff->err, -EINVAL, "there is no value to compare");
    return diff_values(diff, NULL, from, to, 0);
}
