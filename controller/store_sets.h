/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of feeds, each kept once: an entry names the set of feeds that hold it by number. There are
 * few distinct sets, however many entries. The ingest thread changes them under the store's lock.
 */
#ifndef CLEAT_CONTROLLER_STORE_SETS_H
#define CLEAT_CONTROLLER_STORE_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>

/* The empty set: of entries that are gone. */
#define CLEAT__SET_EMPTY 0u

struct store_set {
    uint16_t *feeds; /* rising */
    uint32_t count;
    uint32_t entries; /* that name this set */
};

struct store_sets {
    struct store_set *sets; /* [0]: the empty one */
    uint32_t count;
    uint32_t capacity;
    uint32_t *singles; /* by feed: the set of that feed alone; CLEAT__SET_EMPTY: none yet */
    uint32_t single_count;
};

void cleat__sets_fini(struct store_sets *sets);
/** The set @set with @feed, or without it. 0 or -ENOMEM; without fails never where nothing is left.
 */
int cleat__sets_with(struct store_sets *sets, uint32_t set, uint16_t feed,
                     uint32_t *ret) CLEAT_MUST_CHECK;
int cleat__sets_without(struct store_sets *sets, uint32_t set, uint16_t feed,
                        uint32_t *ret) CLEAT_MUST_CHECK;
bool cleat__sets_has(const struct store_sets *sets, uint32_t set, uint16_t feed);
/** Entries that @feed holds. */
size_t cleat__sets_entries(const struct store_sets *sets, uint16_t feed);
/** An entry changes from one set to another. */
void cleat__sets_move(struct store_sets *sets, uint32_t from, uint32_t to);

#endif
