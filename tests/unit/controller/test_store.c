/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <cleat/cache.h>
#include <cleat/projection.h>
#include <cleat/selector.h>

#include "store_fixture.h"
#include "support/chaos.h"
#include "support/suite.h"

START_TEST(test_lookup_says_what_a_lack_means)
{
    struct store_fixture f;
    store_fixture_init(&f);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "outcome 4"); /* not watched */
    uint16_t feed = store_fixture_feed(&f, "a", NULL);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "outcome 3"); /* not synced */
    ck_assert_str_eq(store_fixture_version(&f, "b/x"), "outcome 4");
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/x", "7", ""), STORE_ADDED);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "7");
    cleat__store_feed_synced(f.store, feed, true, false);
    ck_assert_str_eq(store_fixture_version(&f, "a/y"), "outcome 1"); /* missing */
    cleat__store_hole(f.store);
    ck_assert_str_eq(store_fixture_version(&f, "a/y"), "outcome 2"); /* a hole is no absence */
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_filtered_feed_does_not_vouch_while_another_loads)
{
    struct store_fixture f;
    store_fixture_init(&f);
    const struct store_feed_options options = {.filtered = true};
    uint16_t filtered, all;
    ck_assert_int_eq(cleat__store_feed_add(f.store, &options, &filtered), 0);
    all = store_fixture_feed(&f, NULL, NULL);
    cleat__store_feed_synced(f.store, filtered, true, false);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "outcome 3");
    cleat__store_feed_synced(f.store, all, true, false);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "outcome 1");
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_object_has_what_lives_beside_the_root)
{
    struct store_fixture f;
    struct cleat_object *object = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/x", "7", "\"spec\":{\"n\":1}"), STORE_ADDED);
    ck_assert_int_eq(store_fixture_lookup(&f, "a/x", &object), 0);
    ck_assert_str_eq(cleat_object_api_version(object).data, "example.com/v1");
    ck_assert_str_eq(cleat_object_kind(object).data, "Widget");
    ck_assert_str_eq(cleat_object_resource_version(object).data, "7");
    ck_assert_str_eq(cleat_object_name(object).data, "x");
    ck_assert_str_eq(cleat_object_namespace(object).data, "a");
    ck_assert_str_eq(cleat_object_uid(object).data, "uid-of-x");
    ck_assert(!cleat_object_partial(object));
    ck_assert_int_eq(cleat_value_int_or(cleat_object_find(object, "spec.n"), 0), 1);
    object = cleat_object_unref(object);
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_versions_never_go_back)
{
    static const struct {
        const char *have, *come, *then;
    } cases[] = {
        {"7", "8", "8"},
        {"8", "7", "8"},
        {"9", "10", "10"},
        {"10", "9", "10"},
        {"7", "7", "7"},
        {"abc", "abd", "abd"},
        {"abd", "abc", "abc"},
        {"12", "abc", "abc"},
        {"0012", "0011", "0011"},
        {"9223372036854775806", "9223372036854775807", "9223372036854775807"},
        {"99999999999999999999", "99999999999999999998", "99999999999999999998"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_fixture f;
        store_fixture_init(&f);
        uint16_t feed = store_fixture_feed(&f, NULL, NULL);
        ck_assert_int_eq(store_fixture_put(&f, feed, "a/x", cases[i].have, "\"n\":1"), STORE_ADDED);
        ck_assert_int_ge(store_fixture_put(&f, feed, "a/x", cases[i].come, "\"n\":2"), 0);
        ck_assert_str_eq(store_fixture_version(&f, "a/x"), cases[i].then);
        store_fixture_fini(&f);
    }
}
END_TEST

START_TEST(test_lent_object_outlives_its_entry)
{
    struct store_fixture f;
    struct cleat_object *first = NULL, *second = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    (void)!store_fixture_put(&f, feed, "a/x", "1", "\"spec\":\"a text that is long enough\"");
    ck_assert_int_eq(store_fixture_lookup(&f, "a/x", &first), 0);
    ck_assert_int_eq(store_fixture_lookup(&f, "a/x", &second), 0);
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/x", "2", "\"spec\":1"), STORE_UPDATED);
    ck_assert_int_eq(store_fixture_remove(&f, feed, "a/x"), STORE_REMOVED);
    /* New texts would take the old ones' places if those were free. */
    for (int i = 0; i < 50; i++) {
        char more[64];
        (void)snprintf(more, sizeof(more), "\"spec\":\"another text, number %d..\"", i);
        char version[16];
        (void)snprintf(version, sizeof(version), "%d", i + 3);
        (void)!store_fixture_put(&f, feed, "b/y", version, more);
    }
    ck_assert(cleat_value_is(cleat_object_find(first, "spec"), "a text that is long enough"));
    first = cleat_object_unref(first);
    cleat__lender_drain(f.lender);
    ck_assert(cleat_value_is(cleat_object_find(second, "spec"), "a text that is long enough"));
    ck_assert_str_eq(cleat_object_resource_version(second).data, "1");
    second = cleat_object_unref(second);
    store_fixture_fini(&f); /* finds what wasn't given up */
}
END_TEST

START_TEST(test_object_outlives_the_store)
{
    struct store_fixture f;
    struct cleat_object *object = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    (void)!store_fixture_put(&f, feed, "a/x", "opaque", "\"spec\":\"a text that is long enough\"");
    ck_assert_int_eq(store_fixture_lookup(&f, "a/x", &object), 0);
    cleat__events_fini(&f.events);
    f.store = cleat__store_free(f.store);
    cleat__lender_close(f.lender);
    f.lender = cleat__lender_unref(f.lender);
    ck_assert(cleat_value_is(cleat_object_find(object, "spec"), "a text that is long enough"));
    ck_assert_str_eq(cleat_object_kind(object).data, "Widget");
    ck_assert_str_eq(cleat_object_resource_version(object).data, "opaque");
    object = cleat_object_unref(object);
}
END_TEST

START_TEST(test_entry_goes_with_its_last_feed)
{
    struct store_fixture f;
    store_fixture_init(&f);
    uint16_t a = store_fixture_feed(&f, NULL, NULL);
    uint16_t b = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(store_fixture_put(&f, a, "a/x", "1", ""), STORE_ADDED);
    ck_assert_int_eq(store_fixture_put(&f, b, "a/x", "1", ""), STORE_SAME);
    ck_assert_uint_eq(cleat__sets_entries(&f.store->sets, b), 1);
    ck_assert_int_eq(store_fixture_remove(&f, a, "a/x"), STORE_SAME);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "1");
    ck_assert_int_eq(store_fixture_remove(&f, a, "a/x"), STORE_SAME); /* isn't its any more */
    ck_assert_int_eq(store_fixture_remove(&f, b, "a/x"), STORE_REMOVED);
    ck_assert_uint_eq(cleat_store_count(f.store, NULL), 0);
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_widest_feed_says_what_is_in_an_entry)
{
    struct store_fixture f;
    struct cleat_projection *narrow = NULL, *wide = NULL;
    store_fixture_init(&f);
    ck_assert_int_eq(cleat_projection_metadata(&narrow), 0);
    ck_assert_int_eq(cleat_projection_default(&wide), 0);
    uint16_t n = store_fixture_feed(&f, NULL, narrow);
    uint16_t w = store_fixture_feed(&f, NULL, wide);
    ck_assert_int_eq(store_fixture_put(&f, n, "a/x", "5", "\"by\":\"narrow\""), STORE_ADDED);
    /* The same version with more in it is taken, */
    ck_assert_int_eq(store_fixture_put(&f, w, "a/x", "5", "\"by\":\"wide\""), STORE_UPDATED);
    /* and nothing of the narrow one while the wide one holds it. */
    ck_assert_int_eq(store_fixture_put(&f, n, "a/x", "5", "\"by\":\"narrow\""), STORE_SAME);
    ck_assert_int_eq(store_fixture_put(&f, n, "a/x", "6", "\"by\":\"narrow\""), STORE_SAME);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "5");
    ck_assert(!cleat__store_feed_behind(f.store, n));
    /* The wide one goes before it caught up: the narrow one must be loaded again. */
    ck_assert_int_eq(store_fixture_remove(&f, w, "a/x"), STORE_SAME);
    ck_assert(cleat__store_feed_behind(f.store, n));
    ck_assert(!cleat__store_feed_behind(f.store, n));
    ck_assert_int_eq(store_fixture_put(&f, n, "a/x", "6", "\"by\":\"narrow\""), STORE_UPDATED);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "6");
    store_fixture_fini(&f);
    narrow = cleat_projection_unref(narrow);
    wide = cleat_projection_unref(wide);
}
END_TEST

START_TEST(test_caught_up_entry_is_not_behind)
{
    struct store_fixture f;
    struct cleat_projection *narrow = NULL;
    store_fixture_init(&f);
    ck_assert_int_eq(cleat_projection_metadata(&narrow), 0);
    uint16_t n = store_fixture_feed(&f, NULL, narrow);
    uint16_t w = store_fixture_feed(&f, NULL, NULL);
    (void)!store_fixture_put(&f, w, "a/x", "5", "\"n\":1");
    (void)!store_fixture_put(&f, n, "a/x", "6", "\"n\":2");
    cleat__store_feed_seen(f.store, n, CLEAT_STR("6"));
    ck_assert_int_eq(store_fixture_put(&f, w, "a/x", "6", "\"n\":3"), STORE_UPDATED);
    (void)!store_fixture_remove(&f, w, "a/x");
    ck_assert(!cleat__store_feed_behind(f.store, n));
    store_fixture_fini(&f);
    narrow = cleat_projection_unref(narrow);
}
END_TEST

START_TEST(test_unreadable_is_neither_there_nor_missing)
{
    struct store_fixture f;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    struct store_item item = store_fixture_item(&f, "a/x", "5", "");
    ck_assert_int_eq(cleat__store_break(f.store, feed, &item, &f.entry), 0);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "outcome 2");
    ck_assert_uint_eq(cleat_store_count(f.store, NULL), 0);
    /* Readable again. */
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/x", "6", ""), STORE_ADDED);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "6");
    /* And not again: the old state doesn't stand for the new one. */
    item.version = CLEAT_STR("7");
    ck_assert_int_eq(cleat__store_break(f.store, feed, &item, &f.entry), 0);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "outcome 2");
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/x", "6", ""), STORE_SAME);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "outcome 2");
    ck_assert_int_eq(store_fixture_remove(&f, feed, "a/x"), STORE_REMOVED);
    store_fixture_fini(&f);
}
END_TEST

static void put_many(struct store_fixture *f, uint16_t feed, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char key[64], more[128];
        (void)snprintf(key, sizeof(key), "ns-%u/object-%u", i % 3, i);
        (void)snprintf(more, sizeof(more),
                       "\"metadata\":{\"namespace\":\"ns-%u\",\"name\":\"object-%u\","
                       "\"labels\":{\"parity\":\"%s\"}}",
                       i % 3, i, i % 2 ? "odd" : "even");
        ck_assert_int_eq(store_fixture_put(f, feed, key, "1", more), STORE_ADDED);
    }
}

START_TEST(test_sweep_takes_what_was_not_shown)
{
    struct store_fixture f;
    struct store_bits seen = {0};
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    (void)!store_fixture_put(&f, feed, "a/stays", "5", "");
    (void)!store_fixture_put(&f, feed, "a/goes", "5", "");
    (void)!store_fixture_put(&f, feed, "a/newer", "9", ""); /* came after the list was made */
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/stays", "5", ""), STORE_SAME);
    ck_assert_int_eq(cleat__bits_set(&seen, f.entry), 0);
    ck_assert_int_eq(cleat__store_sweep(f.store, feed, &seen, CLEAT_STR("8")), 0);
    ck_assert_str_eq(store_fixture_version(&f, "a/stays"), "5");
    ck_assert_str_eq(store_fixture_version(&f, "a/newer"), "9");
    ck_assert_uint_eq(cleat_store_count(f.store, NULL), 2);
    cleat__bits_fini(&seen);
    store_fixture_fini(&f);
}
END_TEST

static int count_one(void *arg, struct cleat_object *object)
{
    size_t *count = arg;
    ++*count;
    return *count == 5 ? 77 : 0;
}

START_TEST(test_queries)
{
    struct store_fixture f;
    struct cleat_selector *odd = NULL;
    struct cleat_object **objects = NULL;
    size_t count = 0;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    put_many(&f, feed, 1000);
    ck_assert_int_eq(cleat_selector_parse(CLEAT_STR("parity=odd"), &odd, NULL), 0);
    const struct {
        struct cleat_store_query query;
        size_t count;
    } cases[] = {
        {{.namespace_ = NULL}, 1000},
        {{.namespace_ = "ns-0"}, 334},
        {{.namespace_ = "ns-2"}, 333},
        {{.namespace_ = "nowhere"}, 0},
        {{.labels = odd}, 500},
        {{.namespace_ = "ns-0", .labels = odd}, 167},
        {{.labels = odd, .limit = 200}, 200},
        {{.namespace_ = "ns-1", .limit = 1}, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_uint_eq(cleat_store_count(f.store, &cases[i].query), cases[i].count);
        ck_assert_int_eq(cleat_store_list(f.store, &cases[i].query, &objects, &count), 0);
        ck_assert_uint_eq(count, cases[i].count);
        for (size_t at = 0; at < count; at++) {
            if (cases[i].query.namespace_)
                ck_assert_str_eq(cleat_object_namespace(objects[at]).data,
                                 cases[i].query.namespace_);
            if (cases[i].query.labels)
                ck_assert(cleat_selector_matches(odd, cleat_object_labels(objects[at])));
        }
        cleat_store_list_free(objects, count);
    }
    count = 0;
    ck_assert_int_eq(cleat_store_each(f.store, NULL, count_one, &count), 77);
    ck_assert_uint_eq(count, 5);
    odd = cleat_selector_free(odd);
    store_fixture_fini(&f);
}
END_TEST

/* Deletes what the walk stands on and puts others in: the walk must neither stop nor wander. */
struct walk_and_change {
    struct store_fixture *f;
    uint16_t feed;
    size_t met;
};

static int change_meanwhile(void *arg, struct cleat_object *object)
{
    struct walk_and_change *walk = arg;
    char key[64], version[16];
    ck_assert_str_eq(cleat_object_namespace(object).data, "ns-0");
    walk->met++;
    (void)snprintf(key, sizeof(key), "ns-0/%s", cleat_object_name(object).data);
    ck_assert_int_eq(store_fixture_remove(walk->f, walk->feed, key), STORE_REMOVED);
    (void)snprintf(key, sizeof(key), "ns-1/new-%zu", walk->met);
    (void)snprintf(version, sizeof(version), "%zu", walk->met + 10);
    ck_assert_int_eq(store_fixture_put(walk->f, walk->feed, key, version, ""), STORE_ADDED);
    return 0;
}

START_TEST(test_walk_survives_changes_of_its_chain)
{
    struct store_fixture f;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    put_many(&f, feed, 1500);
    struct walk_and_change walk = {&f, feed, 0};
    const struct cleat_store_query query = {.namespace_ = "ns-0"};
    ck_assert_int_eq(cleat_store_each(f.store, &query, change_meanwhile, &walk), 0);
    ck_assert_uint_eq(walk.met, 500);
    ck_assert_uint_eq(cleat_store_count(f.store, &query), 0);
    /* Places that were freed meanwhile are used again afterwards. */
    uint32_t used = f.store->entries.count;
    put_many(&f, store_fixture_feed(&f, NULL, NULL), 0);
    (void)!store_fixture_put(&f, feed, "ns-0/later", "5000", "");
    ck_assert_uint_eq(f.store->entries.count, used);
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_leaving_feed_takes_its_entries_silently)
{
    struct store_fixture f;
    struct cleat_handler *handler = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    (void)!store_fixture_put(&f, feed, "a/x", "1", "");
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &handler, NULL), 0);
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "*a/x@1 ");
    ck_assert_int_eq(cleat__store_leave(f.store, feed), 0);
    cleat__store_feed_remove(f.store, feed);
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "");
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "outcome 4");
    handler = cleat_handler_remove(handler);
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_entries_are_small)
{
    struct store_fixture f;
    size_t bytes = 0;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_uint_eq(sizeof(struct store_entry), 40);
    put_many(&f, feed, 20000);
    cleat_store_bytes(f.store, &bytes, NULL);
    ck_assert_uint_le(bytes / 20000, 70);
    store_fixture_fini(&f);
}
END_TEST

static int fill_and_empty(void *arg)
{
    struct store_fixture *f = arg;
    struct cleat_object *object = NULL;
    struct store_bits seen = {0};
    int r = 0;
    for (unsigned i = 0; r >= 0 && i < 3; i++) {
        struct store_item item = store_fixture_item(f, i ? "a/x" : "b/y", i > 1 ? "8" : "7", "");
        item.root = cleat_heap_bool(f->lender->heap, i > 1);
        r = cleat__store_put(f->store, (uint16_t)(i % 2), &item, &f->entry);
    }
    if (r >= 0) {
        r = store_fixture_lookup(f, "a/x", &object);
        object = cleat_object_unref(object);
    }
    cleat__bits_fini(&seen);
    cleat__ring_drain(&f->events.ring);
    int left = cleat__store_leave(f->store, 0);
    int gone = cleat__store_leave(f->store, 1);
    while (left < 0 || gone < 0) { /* leaving may want memory: tried again until there is some */
        cleat_mem_fail_at(0, false);
        left = cleat__store_leave(f->store, 0);
        gone = cleat__store_leave(f->store, 1);
    }
    return r < 0 ? r : 0;
}

START_TEST(test_out_of_memory_changes_nothing)
{
    struct store_fixture f;
    struct cleat_handler *handler = NULL;
    store_fixture_init(&f);
    (void)store_fixture_feed(&f, NULL, NULL);
    (void)store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &handler, NULL), 0);
    (void)cleat_chaos_sweep_tolerant(fill_and_empty, &f);
    ck_assert_uint_eq(f.store->live, 0);
    handler = cleat_handler_remove(handler);
    store_fixture_fini(&f);
}
END_TEST

CLEAT_SUITE_MAIN("store", test_lookup_says_what_a_lack_means,
                 test_filtered_feed_does_not_vouch_while_another_loads,
                 test_object_has_what_lives_beside_the_root, test_versions_never_go_back,
                 test_lent_object_outlives_its_entry, test_object_outlives_the_store,
                 test_entry_goes_with_its_last_feed, test_widest_feed_says_what_is_in_an_entry,
                 test_caught_up_entry_is_not_behind, test_unreadable_is_neither_there_nor_missing,
                 test_sweep_takes_what_was_not_shown, test_queries,
                 test_walk_survives_changes_of_its_chain,
                 test_leaving_feed_takes_its_entries_silently, test_entries_are_small,
                 test_out_of_memory_changes_nothing)
