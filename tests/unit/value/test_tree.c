/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The overlay itself: what drafts and patches don't show. Their tests have the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "json.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "value/tree.h"

struct fixture {
    struct cleat_document *base;
    struct cleat_tree tree;
    struct cleat_tree_node *root; /* opened */
};

static void fixture_init(struct fixture *fixture, const char *text)
{
    fixture->base = json_document(text);
    ck_assert_int_eq(cleat_tree_init(&fixture->tree, cleat_document_root(fixture->base), CLEAT_MIB),
                     0);
    ck_assert_int_eq(cleat_tree_open(&fixture->tree, &fixture->tree.root, NULL, &fixture->root), 0);
}

static void fixture_fini(struct fixture *fixture)
{
    cleat_tree_fini(&fixture->tree);
    cleat_tree_fini(&fixture->tree); /* repeatable */
    cleat_document_unref(fixture->base);
}

static struct cleat_value frozen(struct fixture *fixture)
{
    struct cleat_value value = CLEAT_VALUE_NONE;

    ck_assert_int_eq(cleat_tree_freeze(&fixture->tree, &fixture->tree.root, &value), 0);
    return value;
}

/* Opening is no change: the frozen value stays the base's own node. */
START_TEST(test_opening_changes_nothing)
{
    struct fixture fixture;
    struct cleat_tree_node *child = NULL, *again = NULL;
    struct cleat_tree_slot *slot;

    fixture_init(&fixture, "{\"a\":{\"b\":[1,2]},\"c\":3}");
    slot = cleat_tree_member(fixture.root, CLEAT_STR("a"));
    ck_assert_int_eq(cleat_tree_slot_type(slot), CLEAT_TYPE_OBJECT);
    ck_assert_int_eq(cleat_tree_open(&fixture.tree, slot, fixture.root, &child), 0);
    ck_assert_int_eq(cleat_tree_open(&fixture.tree, slot, fixture.root, &again), 0);
    ck_assert_ptr_eq(child, again);
    ck_assert_uint_eq(cleat_tree_slot_count(slot), 1);
    ck_assert(cleat_value_same(frozen(&fixture), cleat_document_root(fixture.base)));
    ck_assert(cleat_tree_equal(&fixture.tree.root, cleat_document_root(fixture.base)));
    ck_assert_ptr_null(cleat_tree_member(fixture.root, CLEAT_STR("b")));
    fixture_fini(&fixture);
}
END_TEST

/* A change deep down reaches the top, and freezing twice makes nothing new. */
START_TEST(test_change_below)
{
    struct fixture fixture;
    struct cleat_tree_node *a = NULL, *b = NULL;
    struct cleat_tree_slot *slot;
    struct cleat_value first, second;
    size_t bytes;

    fixture_init(&fixture, "{\"a\":{\"b\":[1,2]},\"c\":{\"d\":1}}");
    slot = cleat_tree_member(fixture.root, CLEAT_STR("a"));
    ck_assert_int_eq(cleat_tree_open(&fixture.tree, slot, fixture.root, &a), 0);
    slot = cleat_tree_member(a, CLEAT_STR("b"));
    ck_assert_int_eq(cleat_tree_open(&fixture.tree, slot, a, &b), 0);
    (void)cleat_tree_take_element(b, 0); /* what it held goes */
    first = frozen(&fixture);
    bytes = cleat_heap_nodes(fixture.tree.arena);
    second = frozen(&fixture);
    ck_assert(cleat_value_same(first, second));
    ck_assert_uint_eq(cleat_heap_nodes(fixture.tree.arena), bytes);
    json_check(first, "{\"a\":{\"b\":[2]},\"c\":{\"d\":1}}");
    ck_assert(cleat_value_same(cleat_value_get(first, "c"),
                               cleat_value_get(cleat_document_root(fixture.base), "c")));
    fixture_fini(&fixture);
}
END_TEST

/* A part that was moved out and changed there doesn't reach where it was. */
START_TEST(test_moved_parts_change_their_new_place)
{
    struct fixture fixture;
    struct cleat_tree_node *a = NULL;
    struct cleat_tree_slot taken;
    struct cleat_value value = CLEAT_VALUE_NONE;

    fixture_init(&fixture, "{\"a\":{\"x\":1},\"b\":2}");
    ck_assert_int_eq(cleat_tree_open(&fixture.tree, cleat_tree_member(fixture.root, CLEAT_STR("a")),
                                     fixture.root, &a),
                     0);
    taken = cleat_tree_take_member(fixture.root, CLEAT_STR("a"));
    json_check(frozen(&fixture), "{\"b\":2}");
    (void)cleat_tree_take_member(a, CLEAT_STR("x")); /* what it held goes */
    json_check(frozen(&fixture), "{\"b\":2}");
    ck_assert_int_eq(cleat_tree_put(&fixture.tree, fixture.root, CLEAT_STR("b"), taken), 0);
    json_check(frozen(&fixture), "{\"b\":{}}");
    ck_assert_int_eq(
        cleat_tree_put(&fixture.tree, a, CLEAT_STR("y"), cleat_tree_slot_of(frozen(&fixture))), 0);
    json_check(frozen(&fixture), "{\"b\":{\"y\":{\"b\":{}}}}");
    ck_assert_int_eq(cleat_tree_freeze(&fixture.tree, &taken, &value), 0);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_equal)
{
    static const struct {
        const char *text;
        bool equal;
    } rows[] = {
        {"{\"l\":[1,2,3],\"n\":1,\"o\":{\"p\":1.0}}", true},
        {"{\"o\":{\"p\":1},\"n\":1.0,\"l\":[1,2,3]}", true},
        {"{\"l\":[1,2,3],\"n\":1}", false},
        {"{\"l\":[1,2],\"n\":1,\"o\":{\"p\":1}}", false},
        {"{\"l\":[1,3,2],\"n\":1,\"o\":{\"p\":1}}", false},
        {"{\"l\":[1,2,3],\"n\":2,\"o\":{\"p\":1}}", false},
        {"{\"l\":[1,2,3],\"m\":1,\"o\":{\"p\":1}}", false},
        {"{\"l\":{},\"n\":1,\"o\":{\"p\":1}}", false},
        {"[]", false},
        {"null", false},
    };
    struct fixture fixture;
    struct cleat_tree_node *list = NULL;
    struct cleat_document *three = json_document("3");

    fixture_init(&fixture, "{\"l\":[1,2],\"n\":1,\"o\":{\"p\":1}}");
    ck_assert_int_eq(cleat_tree_open(&fixture.tree, cleat_tree_member(fixture.root, CLEAT_STR("l")),
                                     fixture.root, &list),
                     0);
    ck_assert_int_eq(
        cleat_tree_insert(&fixture.tree, list, 2, cleat_tree_slot_of(cleat_document_root(three))),
        0);
    for (int clean = 0; clean < 2; clean++) { /* before freezing, and after it */
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct cleat_document *other = json_document(rows[i].text);
            ck_assert_int_eq(cleat_tree_equal(&fixture.tree.root, cleat_document_root(other)),
                             rows[i].equal);
            cleat_document_unref(other);
        }
        (void)frozen(&fixture);
    }
    fixture_fini(&fixture);
    cleat_document_unref(three);
}
END_TEST

START_TEST(test_heights)
{
    static const struct {
        const char *text;
        unsigned height;
        bool not_kept;
    } rows[] = {
        {"1", 0, false},
        {"{}", 1, false},
        {"[]", 1, false},
        {"[[],{\"a\":[1]}]", 3, false},
        {"{\"a\":\"" JSON_DROPPED "\"}", 1, true},
        {"[[[\"" JSON_DROPPED "\"]],1]", 3, true},
        {"\"" JSON_DROPPED "\"", 0, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_heap *arena = NULL;
        struct cleat_tree_slot slot;
        struct cleat_value value;
        bool not_kept = !rows[i].not_kept;
        ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
        value = json_holes(arena, rows[i].text);
        slot = cleat_tree_slot_of(value);
        ck_assert_uint_eq(cleat_tree_value_height(value, &not_kept), rows[i].height);
        ck_assert_int_eq(not_kept, rows[i].not_kept);
        ck_assert_uint_eq(cleat_tree_height(&slot), rows[i].height);
        ck_assert_uint_eq(cleat_tree_height(&slot), rows[i].height); /* now from the slot */
        cleat_heap_free(arena);
    }
}
END_TEST

/* A known height stays an upper bound while things are put below it, at any depth. */
START_TEST(test_heights_follow_changes)
{
    struct fixture fixture;
    struct cleat_tree_node *node = NULL, *parent;
    struct cleat_document *deep = json_document("[[[[1]]]]");
    struct cleat_tree_slot *slot;

    fixture_init(&fixture, "{\"a\":{\"b\":{\"c\":{}}}}");
    ck_assert_uint_eq(cleat_tree_height(&fixture.tree.root), 4);
    parent = fixture.root;
    for (const char *key = "a"; *key; key = *key == 'a' ? "b" : *key == 'b' ? "c" : "") {
        slot = cleat_tree_member(parent, cleat_str_of(key));
        ck_assert_int_eq(cleat_tree_open(&fixture.tree, slot, parent, &node), 0);
        parent = node;
    }
    ck_assert_int_eq(cleat_tree_put(&fixture.tree, node, CLEAT_STR("d"),
                                    cleat_tree_slot_of(cleat_document_root(deep))),
                     0);
    ck_assert_uint_eq(cleat_tree_height(&fixture.tree.root), 8);
    (void)cleat_tree_take_member(node, CLEAT_STR("d"));          /* what it held goes */
    ck_assert_uint_eq(cleat_tree_height(&fixture.tree.root), 8); /* a bound */
    ck_assert(cleat_tree_fits(&fixture.tree, &fixture.tree.root, CLEAT_VALUE_DEPTH_MAX - 4));
    ck_assert_uint_eq(cleat_tree_height(&fixture.tree.root), 4); /* it had to look */
    ck_assert(!cleat_tree_fits(&fixture.tree, &fixture.tree.root, CLEAT_VALUE_DEPTH_MAX - 3));
    fixture_fini(&fixture);
    cleat_document_unref(deep);
}
END_TEST

/* Tables have a limit as well as values. */
START_TEST(test_size_of_tables)
{
    struct fixture fixture;
    struct cleat_document *one = json_document("1");
    size_t count = 0;
    int r = 0;

    fixture_init(&fixture, "[]");
    while (r == 0 && count < 1000000) {
        r = cleat_tree_insert(&fixture.tree, fixture.root, count,
                              cleat_tree_slot_of(cleat_document_root(one)));
        count += r == 0;
    }
    ck_assert_int_eq(r, -E2BIG);
    ck_assert_uint_gt(count, 100000);
    ck_assert_uint_eq(cleat_tree_slot_count(&fixture.tree.root), count);
    ck_assert_uint_le(fixture.tree.bytes, fixture.tree.bytes_max);
    fixture_fini(&fixture);
    cleat_document_unref(one);
}
END_TEST

START_TEST(test_keep)
{
    struct fixture fixture;
    struct cleat_str kept = {NULL, 0}, empty = {NULL, 0};
    char text[] = "a\0b";

    fixture_init(&fixture, "[]");
    ck_assert_int_eq(cleat_tree_keep(&fixture.tree, (struct cleat_str){text, 3}, &kept), 0);
    ck_assert_int_eq(cleat_tree_keep(&fixture.tree, (struct cleat_str){NULL, 0}, &empty), 0);
    memset(text, 'x', 3);
    ck_assert(cleat_str_equal(kept, (struct cleat_str){"a\0b", 3}));
    ck_assert_int_eq(kept.data[3], '\0');
    ck_assert_ptr_nonnull(empty.data);
    fixture_fini(&fixture);
}
END_TEST

static int sweep_tree(void *arg)
{
    struct cleat_document *base = arg;
    struct cleat_tree tree;
    struct cleat_tree_node *root = NULL;
    struct cleat_value value;
    static char names[40][16];
    int r = cleat_tree_init(&tree, cleat_document_root(base), CLEAT_MIB);

    if (r < 0)
        return r;
    r = cleat_tree_open(&tree, &tree.root, NULL, &root);
    for (int i = 0; i < 40 && r == 0; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "n%d", i);
        r = cleat_tree_put(&tree, root, cleat_str_of(names[i]),
                           cleat_tree_slot_of(cleat_document_root(base)));
    }
    if (r == 0)
        r = cleat_tree_freeze(&tree, &tree.root, &value);
    cleat_tree_fini(&tree);
    return r;
}

START_TEST(test_out_of_memory)
{
    struct cleat_document *base = json_document("{\"a\":1}");

    ck_assert_uint_ge(cleat_chaos_sweep(sweep_tree, base), 8);
    cleat_document_unref(base);
}
END_TEST

CLEAT_SUITE_MAIN("tree", test_opening_changes_nothing, test_change_below,
                 test_moved_parts_change_their_new_place, test_equal, test_heights,
                 test_heights_follow_changes, test_size_of_tables, test_keep, test_out_of_memory)
