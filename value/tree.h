/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutable overlay over a frozen value: containers are opened where something below them changes,
 * everything else stays what it was. Drafts and JSON Patch work on it and freeze it when they are
 * done.
 *
 * A slot is a place that holds a value: a frozen one, or an opened container (its node). While a
 * node is clean the slot's frozen value is still right. Pointers to slots are good until their
 * container changes.
 *
 * Arrays are kept in chunks and large objects have an index, so that a long run of changes of a
 * large container costs a little each. What the tree borrows (base, values and keys that were put)
 * must outlive it. One thread.
 */
#ifndef CLEAT_VALUE_TREE_H
#define CLEAT_VALUE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include "value/heap.h"

struct cleat_tree_node;
struct cleat_tree_key;

struct cleat_tree_slot {
    const struct cleat_heap *heap; /* with ref: the frozen value; stale while the node is dirty */
    struct cleat_tree_node *node;  /* the opened container, or NULL */
    uint32_t ref;
    uint8_t height; /* of the frozen value, plus 1; 0: not known yet */
};

struct cleat_tree {
    struct cleat_heap *arena; /* owned: what freezing makes */
    struct cleat_tree_slot root;
    struct cleat_tree_node *nodes; /* all that were ever opened */
    struct cleat_tree_key *keys;   /* copies made by cleat_tree_keep */
    size_t bytes;                  /* of nodes, their tables and keys */
    size_t bytes_max;
    unsigned recounts; /* exact heights made after an estimate was too high */
};

/** Starts a tree over @base, present, whose frozen forms may take @bytes_max. On failure nothing is
 * left. */
int cleat_tree_init(struct cleat_tree *tree, struct cleat_value base,
                    size_t bytes_max) CLEAT_MUST_CHECK;
/** Frees everything, frozen forms too. Safe on a zeroed tree, repeatable. */
void cleat_tree_fini(struct cleat_tree *tree);
/** A copy of @text that lives as long as the tree. */
int cleat_tree_keep(struct cleat_tree *tree, struct cleat_str text,
                    struct cleat_str *ret) CLEAT_MUST_CHECK;

static inline struct cleat_tree_slot cleat_tree_slot_of(struct cleat_value value)
{
    return (struct cleat_tree_slot){value.heap, NULL, value.ref, 0};
}

/** The frozen value of a slot whose node is NULL. */
static inline struct cleat_value cleat_tree_slot_value(const struct cleat_tree_slot *slot)
{
    return (struct cleat_value){slot->heap, slot->ref};
}

enum cleat_value_type cleat_tree_slot_type(const struct cleat_tree_slot *slot);
/** Elements or members; 0 for what is no container. */
size_t cleat_tree_slot_count(const struct cleat_tree_slot *slot);

/** Opens the container in @slot. 0, -ENOMEM, -E2BIG. @ret is borrowed from the tree. */
int cleat_tree_open(struct cleat_tree *tree, struct cleat_tree_slot *slot,
                    struct cleat_tree_node *parent, struct cleat_tree_node **ret) CLEAT_MUST_CHECK;
/** The slot of member @key, or NULL. */
struct cleat_tree_slot *cleat_tree_member(struct cleat_tree_node *object, struct cleat_str key);
/** The slot of an element; NULL beyond the end. */
struct cleat_tree_slot *cleat_tree_element(struct cleat_tree_node *array, size_t index);
/** Adds or replaces a member. @key is borrowed for as long as the tree lives. */
int cleat_tree_put(struct cleat_tree *tree, struct cleat_tree_node *object, struct cleat_str key,
                   struct cleat_tree_slot value) CLEAT_MUST_CHECK;
/** Inserts before element @index, which is at most the count. */
int cleat_tree_insert(struct cleat_tree *tree, struct cleat_tree_node *array, size_t index,
                      struct cleat_tree_slot value) CLEAT_MUST_CHECK;
/** Replaces what @slot of @parent (NULL: the root) holds. */
void cleat_tree_replace(struct cleat_tree_node *parent, struct cleat_tree_slot *slot,
                        struct cleat_tree_slot value);
/** Removes a member that is there; returns what it held. */
struct cleat_tree_slot cleat_tree_take_member(struct cleat_tree_node *object, struct cleat_str key);
/** Removes an element that is there; returns what it held. */
struct cleat_tree_slot cleat_tree_take_element(struct cleat_tree_node *array, size_t index);

/** The value of @slot, frozen: made in the tree's arena where it changed. 0, -ENOMEM, -E2BIG. */
int cleat_tree_freeze(struct cleat_tree *tree, struct cleat_tree_slot *slot,
                      struct cleat_value *ret) CLEAT_MUST_CHECK;
/** Equality as of cleat_value_equal, without freezing. */
bool cleat_tree_equal(struct cleat_tree_slot *slot, struct cleat_value value);
/** Containers nested in @slot: 0 for a scalar, at most 1 + CLEAT_VALUE_DEPTH_MAX. May be too high,
 * see below. */
unsigned cleat_tree_height(struct cleat_tree_slot *slot);
/**
 * True where @slot may stand below @depth containers. Heights of opened containers are kept as
 * upper bounds; where one says no, it is made exact first, a few times per tree, after which the
 * bound decides.
 */
bool cleat_tree_fits(struct cleat_tree *tree, struct cleat_tree_slot *slot, size_t depth);
/** Containers nested in @value; *@ret_not_kept (may be NULL) tells whether the projection dropped
 * part of it. */
unsigned cleat_tree_value_height(struct cleat_value value, bool *ret_not_kept);

#endif
