/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "store_fixture.h"
#include "support/suite.h"

/* The words of "tags", split at commas. */
static void by_tag(struct cleat_value object, void (*add)(void *ctx, struct cleat_str value),
                   void *ctx)
{
    struct cleat_value tags = cleat_value_get(object, "tags");
    for (size_t i = 0; i < cleat_value_count(tags); i++) {
        struct cleat_scratch scratch;
        add(ctx, cleat_value_text(cleat_value_at(tags, i), &scratch));
    }
}

static void endless(struct cleat_value object, void (*add)(void *ctx, struct cleat_str value),
                    void *ctx)
{
    for (unsigned i = 0; i < 5000; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%u", i);
        add(ctx, cleat_str_of(text));
    }
}

/* Names found under @value, sorted, with blanks between. Valid until the next call. */
static const char *found(struct store_fixture *f, const struct cleat_index *index,
                         const char *namespace_, const char *value)
{
    static char text[512];
    struct cleat_object **objects = NULL;
    size_t count = 0;
    const struct cleat_store_query query = {
        .namespace_ = namespace_, .index = index, .index_value = value};
    text[0] = '\0';
    ck_assert_int_eq(cleat_store_list(f->store, &query, &objects, &count), 0);
    ck_assert_uint_eq(cleat_store_count(f->store, &query), count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            if (strcmp(cleat_object_name(objects[i]).data, cleat_object_name(objects[j]).data) >
                0) {
                struct cleat_object *swap = objects[i];
                objects[i] = objects[j];
                objects[j] = swap;
            }
        }
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
                       cleat_object_name(objects[i]).data);
    }
    cleat_store_list_free(objects, count);
    return text;
}

START_TEST(test_values_are_found_and_follow_changes)
{
    struct store_fixture f;
    struct cleat_index *index = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    (void)!store_fixture_put(&f, feed, "a/before", "1", "\"tags\":[\"red\"]");
    ck_assert_int_eq(cleat_store_index(f.store, "tag", by_tag, &index, NULL), 0);
    (void)!store_fixture_put(&f, feed, "a/x", "2", "\"tags\":[\"red\",\"blue\"]");
    (void)!store_fixture_put(&f, feed, "b/y", "3", "\"tags\":[\"blue\",\"blue\"]");
    ck_assert_str_eq(found(&f, index, NULL, "red"), "before x");
    ck_assert_str_eq(found(&f, index, NULL, "blue"), "x y");
    ck_assert_str_eq(found(&f, index, "b", "blue"), "y");
    ck_assert_str_eq(found(&f, index, "c", "blue"), "");
    ck_assert_str_eq(found(&f, index, NULL, "green"), "");
    (void)!store_fixture_put(&f, feed, "a/x", "4", "\"tags\":[\"green\",\"red\"]");
    ck_assert_str_eq(found(&f, index, NULL, "red"), "before x");
    ck_assert_str_eq(found(&f, index, NULL, "blue"), "y");
    ck_assert_str_eq(found(&f, index, NULL, "green"), "x");
    (void)!store_fixture_put(&f, feed, "a/x", "5", "\"tags\":[],\"n\":1");
    ck_assert_str_eq(found(&f, index, NULL, "green"), "");
    (void)!store_fixture_remove(&f, feed, "a/before");
    ck_assert_str_eq(found(&f, index, NULL, "red"), "");
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_unchanged_values_keep_their_nodes)
{
    struct store_fixture f;
    struct cleat_index *index = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_index(f.store, "tag", by_tag, &index, NULL), 0);
    for (unsigned i = 1; i <= 100; i++) {
        char version[8], more[64];
        (void)snprintf(version, sizeof(version), "%u", i);
        (void)snprintf(more, sizeof(more), "\"tags\":[\"red\",\"blue\"],\"n\":%u", i);
        ck_assert_int_gt(store_fixture_put(&f, feed, "a/x", version, more), 0);
    }
    ck_assert_uint_le(index->nodes.count, 4); /* two in use, two kept ready */
    for (unsigned i = 101; i <= 200; i++) {
        char version[8], more[64];
        (void)snprintf(version, sizeof(version), "%u", i);
        (void)snprintf(more, sizeof(more), "\"tags\":[\"value-%u\"]", i);
        ck_assert_int_gt(store_fixture_put(&f, feed, "a/x", version, more), 0);
    }
    /* Places of nodes and values are used again. */
    ck_assert_uint_le(index->nodes.count, 4);
    ck_assert_uint_le(index->buckets.count, 4);
    ck_assert_str_eq(found(&f, index, NULL, "value-200"), "x");
    ck_assert_str_eq(found(&f, index, NULL, "value-199"), "");
    store_fixture_fini(&f);
}
END_TEST

struct walk {
    struct store_fixture *f;
    uint16_t feed;
    unsigned met;
};

static int move_elsewhere(void *arg, struct cleat_object *object)
{
    struct walk *walk = arg;
    char key[64], version[16];
    (void)snprintf(key, sizeof(key), "a/%s", cleat_object_name(object).data);
    (void)snprintf(version, sizeof(version), "%u", 1000 + ++walk->met);
    ck_assert_int_eq(store_fixture_put(walk->f, walk->feed, key, version, "\"tags\":[\"cold\"]"),
                     STORE_UPDATED);
    return 0;
}

START_TEST(test_walk_survives_its_chain_being_emptied)
{
    struct store_fixture f;
    struct cleat_index *index = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_index(f.store, "tag", by_tag, &index, NULL), 0);
    for (unsigned i = 0; i < 400; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "a/x-%u", i);
        (void)!store_fixture_put(&f, feed, key, "1", "\"tags\":[\"hot\"]");
    }
    struct walk walk = {&f, feed, 0};
    const struct cleat_store_query query = {.index = index, .index_value = "hot"};
    ck_assert_int_eq(cleat_store_each(f.store, &query, move_elsewhere, &walk), 0);
    ck_assert_uint_eq(walk.met, 400);
    ck_assert_uint_eq(cleat_store_count(f.store, &query), 0);
    const struct cleat_store_query cold = {.index = index, .index_value = "cold"};
    ck_assert_uint_eq(cleat_store_count(f.store, &cold), 400);
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_two_indexes_do_not_mix)
{
    struct store_fixture f;
    struct cleat_index *first = NULL, *second = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_index(f.store, "one", by_tag, &first, NULL), 0);
    (void)!store_fixture_put(&f, feed, "a/x", "1", "\"tags\":[\"red\"]");
    ck_assert_int_eq(cleat_store_index(f.store, "two", by_tag, &second, NULL), 0);
    (void)!store_fixture_put(&f, feed, "a/y", "2", "\"tags\":[\"red\"]");
    (void)!store_fixture_remove(&f, feed, "a/x");
    ck_assert_str_eq(found(&f, first, NULL, "red"), "y");
    ck_assert_str_eq(found(&f, second, NULL, "red"), "y");
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_too_many_values_are_refused)
{
    struct store_fixture f;
    struct cleat_index *index = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    (void)!store_fixture_put(&f, feed, "a/x", "1", "");
    ck_assert_int_eq(cleat_store_index(f.store, "endless", endless, &index, &err), -E2BIG);
    ck_assert_ptr_nonnull(strstr(err.text, "endless of widgets"));
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/y", "2", ""), STORE_ADDED);
    store_fixture_fini(&f);
}
END_TEST

CLEAT_SUITE_MAIN("index", test_values_are_found_and_follow_changes,
                 test_unchanged_values_keep_their_nodes, test_walk_survives_its_chain_being_emptied,
                 test_two_indexes_do_not_mix, test_too_many_values_are_refused)
