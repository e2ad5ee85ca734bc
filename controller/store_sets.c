/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/store_sets.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void cleat__sets_fini(struct store_sets *sets)
{
    for (uint32_t i = 0; i < sets->count; i++)
        cleat_mem_free(sets->sets[i].feeds);
    cleat_mem_free(sets->sets);
    cleat_mem_free(sets->singles);
    *sets = (struct store_sets){0};
}

static uint32_t sets_find(const struct store_sets *sets, const uint16_t *feeds, uint32_t count)
{
    for (uint32_t i = 1; i < sets->count; i++)
        if (sets->sets[i].count == count &&
            memcmp(sets->sets[i].feeds, feeds, count * sizeof(*feeds)) == 0)
            return i;
    return CLEAT__SET_EMPTY;
}

static int sets_room(struct store_sets *sets)
{
    if (sets->count > 0 && sets->count < sets->capacity)
        return 0;
    uint32_t capacity = sets->capacity ? sets->capacity * 2 : 8;
    struct store_set *grown = cleat_mem_realloc(sets->sets, capacity * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    sets->sets = grown;
    sets->capacity = capacity;
    if (sets->count == 0)
        sets->sets[sets->count++] = (struct store_set){0};
    return 0;
}

/* The set of those feeds, made where it is new. Steals @feeds. */
static int sets_intern_take(struct store_sets *sets, uint16_t *feeds, uint32_t count, uint32_t *ret)
{
    uint32_t found = sets_find(sets, feeds, count);
    int r = found == CLEAT__SET_EMPTY ? sets_room(sets) : 0;
    if (r < 0 || found != CLEAT__SET_EMPTY) {
        cleat_mem_free(feeds);
        if (r == 0)
            *ret = found;
        return r;
    }
    sets->sets[sets->count] = (struct store_set){feeds, count, 0};
    *ret = sets->count++;
    return 0;
}

bool cleat__sets_has(const struct store_sets *sets, uint32_t set, uint16_t feed)
{
    if (set == CLEAT__SET_EMPTY)
        return false;
    const struct store_set *s = &sets->sets[set];
    for (uint32_t i = 0; i < s->count; i++)
        if (s->feeds[i] == feed)
            return true;
    return false;
}

/* Remembers the set of @feed alone, which is by far the most wanted. Without memory it is searched.
 */
static void sets_note_single(struct store_sets *sets, uint16_t feed, uint32_t set)
{
    if (feed >= sets->single_count) {
        uint32_t count = feed + 8u;
        uint32_t *singles = cleat_mem_realloc(sets->singles, count * sizeof(*singles));
        if (!singles)
            return;
        memset(singles + sets->single_count, 0, (count - sets->single_count) * sizeof(*singles));
        sets->singles = singles;
        sets->single_count = count;
    }
    sets->singles[feed] = set;
}

int cleat__sets_with(struct store_sets *sets, uint32_t set, uint16_t feed, uint32_t *ret)
{
    if (cleat__sets_has(sets, set, feed)) {
        *ret = set;
        return 0;
    }
    uint32_t count = set == CLEAT__SET_EMPTY ? 0 : sets->sets[set].count;
    if (count == 0 && feed < sets->single_count && sets->singles[feed] != CLEAT__SET_EMPTY) {
        *ret = sets->singles[feed];
        return 0;
    }
    uint16_t *feeds = cleat_mem_alloc((count + 1) * sizeof(*feeds));
    if (!feeds)
        return -ENOMEM;
    uint32_t at = 0;
    for (; at < count && sets->sets[set].feeds[at] < feed; at++)
        feeds[at] = sets->sets[set].feeds[at];
    feeds[at] = feed;
    for (; at < count; at++)
        feeds[at + 1] = sets->sets[set].feeds[at];
    int r = sets_intern_take(sets, feeds, count + 1, ret);
    if (r == 0 && count == 0)
        sets_note_single(sets, feed, *ret);
    return r;
}

int cleat__sets_without(struct store_sets *sets, uint32_t set, uint16_t feed, uint32_t *ret)
{
    if (!cleat__sets_has(sets, set, feed)) {
        *ret = set;
        return 0;
    }
    uint32_t count = sets->sets[set].count;
    if (count == 1) {
        *ret = CLEAT__SET_EMPTY;
        return 0;
    }
    uint16_t *feeds = cleat_mem_alloc((count - 1) * sizeof(*feeds));
    if (!feeds)
        return -ENOMEM;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (sets->sets[set].feeds[i] != feed)
            feeds[kept++] = sets->sets[set].feeds[i];
    return sets_intern_take(sets, feeds, kept, ret);
}

size_t cleat__sets_entries(const struct store_sets *sets, uint16_t feed)
{
    size_t entries = 0;
    for (uint32_t i = 1; i < sets->count; i++)
        if (cleat__sets_has(sets, i, feed))
            entries += sets->sets[i].entries;
    return entries;
}

void cleat__sets_move(struct store_sets *sets, uint32_t from, uint32_t to)
{
    if (from != CLEAT__SET_EMPTY) {
        cleat_assert(sets->sets[from].entries > 0);
        sets->sets[from].entries--;
    }
    if (to != CLEAT__SET_EMPTY)
        sets->sets[to].entries++;
}
