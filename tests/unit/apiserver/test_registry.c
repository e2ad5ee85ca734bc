/* SPDX-License-Identifier: Apache-2.0 */
/* Commits, snapshots of present and past, watchers: without requests. */
#include "apiserver/registry.h"

#include <stdio.h>

#include "apiserver/builtin.h"
#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/suite.h"

struct fixture {
    struct cleat_fake_clock clock;
    struct cleat_api_registry registry;
    struct cleat_api_resource *nodes;
    struct cleat_api_resource *pods;
};

static void fixture_init(struct fixture *fixture, size_t history_max)
{
    cleat_fake_clock_init(&fixture->clock);
    ck_assert_int_eq(
        cleat_api_registry_init(&fixture->registry, &fixture->clock.clock, history_max), 0);
    ck_assert_int_eq(cleat_api_builtin_add(&fixture->registry), 0);
    fixture->nodes = cleat_api_registry_find(&fixture->registry, CLEAT_STR(""), CLEAT_STR("nodes"));
    fixture->pods = cleat_api_registry_find(&fixture->registry, CLEAT_STR(""), CLEAT_STR("pods"));
    ck_assert_ptr_nonnull(fixture->nodes);
    ck_assert_ptr_nonnull(fixture->pods);
}

static void fixture_fini(struct fixture *fixture)
{
    (void)cleat_api_resource_unref(fixture->nodes);
    (void)cleat_api_resource_unref(fixture->pods);
    cleat_api_registry_fini(&fixture->registry);
}

static struct cleat_api_record *make(const char *namespace_, const char *name, int n)
{
    struct cleat_document *document = NULL;
    struct cleat_api_record *record = NULL;
    ck_assert_int_eq(
        cleat_document_format(&document, NULL,
                              "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"},\"n\":%d}",
                              name, namespace_, n),
        0);
    ck_assert_int_eq(cleat_api_record_new(cleat_document_root(document), false, &record, NULL), 0);
    (void)cleat_document_unref(document);
    return record;
}

/* Creates or replaces; returns the revision. */
static uint64_t put(struct fixture *fixture, struct cleat_api_resource *resource,
                    const char *namespace_, const char *name, int n)
{
    struct cleat_api_record *stored = NULL;
    struct cleat_api_record *new = make(namespace_, name, n);
    struct cleat_api_record *old = cleat_api_registry_get(
        &fixture->registry, resource, cleat_str_of(namespace_), cleat_str_of(name));
    ck_assert_int_eq(
        cleat_api_registry_commit(&fixture->registry, resource, old, new, false, &stored), 0);
    uint64_t version = stored->version;
    (void)cleat_api_record_unref(stored);
    (void)cleat_api_record_unref(old);
    (void)cleat_api_record_unref(new);
    return version;
}

static void drop(struct fixture *fixture, struct cleat_api_resource *resource,
                 const char *namespace_, const char *name)
{
    struct cleat_api_record *old = cleat_api_registry_get(
        &fixture->registry, resource, cleat_str_of(namespace_), cleat_str_of(name));
    ck_assert_ptr_nonnull(old);
    ck_assert_int_eq(
        cleat_api_registry_commit(&fixture->registry, resource, old, NULL, false, NULL), 0);
    (void)cleat_api_record_unref(old);
}

START_TEST(test_commit_compares)
{
    struct fixture fixture;
    fixture_init(&fixture, 0);
    uint64_t first = put(&fixture, fixture.nodes, "", "a", 1);
    struct cleat_api_record *stale =
        cleat_api_registry_get(&fixture.registry, fixture.nodes, CLEAT_STR(""), CLEAT_STR("a"));
    ck_assert_uint_eq(stale->version, first);
    ck_assert_uint_eq(put(&fixture, fixture.nodes, "", "a", 2), first + 1);
    struct cleat_api_record *new = make("", "a", 3);
    ck_assert_int_eq(
        cleat_api_registry_commit(&fixture.registry, fixture.nodes, stale, new, false, NULL),
        CLEAT_API_COMMIT_CHANGED);
    ck_assert_int_eq(
        cleat_api_registry_commit(&fixture.registry, fixture.nodes, NULL, new, false, NULL),
        CLEAT_API_COMMIT_CHANGED);
    ck_assert_int_eq(
        cleat_api_registry_commit(&fixture.registry, fixture.nodes, stale, NULL, false, NULL),
        CLEAT_API_COMMIT_CHANGED);
    ck_assert_uint_eq(cleat_api_registry_revision(&fixture.registry), first + 1);
    (void)cleat_api_record_unref(stale);
    (void)cleat_api_record_unref(new);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_guard)
{
    struct fixture fixture;
    fixture_init(&fixture, 0);
    struct cleat_api_record *pod = make("n", "p", 1);
    ck_assert_int_eq(
        cleat_api_registry_commit(&fixture.registry, fixture.pods, NULL, pod, true, NULL),
        CLEAT_API_COMMIT_NO_NAMESPACE);
    (void)put(&fixture, fixture.registry.namespaces, "", "n", 1);
    ck_assert_int_eq(
        cleat_api_registry_commit(&fixture.registry, fixture.pods, NULL, pod, true, NULL), 0);
    (void)cleat_api_record_unref(pod);
    fixture_fini(&fixture);
}
END_TEST

/* The names of a snapshot, joined. */
static void expect_names(struct fixture *fixture, const struct cleat_api_range *range,
                         const char *names)
{
    char text[256] = "";
    struct cleat_api_snapshot snapshot = {0};
    ck_assert_int_eq(cleat_api_registry_range(&fixture->registry, fixture->pods, range, &snapshot),
                     0);
    for (size_t i = 0; i < snapshot.count; i++) {
        strncat(text, i ? " " : "", sizeof(text) - strlen(text) - 1);
        strncat(text, snapshot.records[i]->key, sizeof(text) - strlen(text) - 1);
    }
    ck_assert_str_eq(text, names);
    cleat_api_snapshot_fini(&snapshot);
}

START_TEST(test_ranges)
{
    static const struct {
        struct cleat_api_range range;
        const char *names;
    } cases[] = {
        {{.max = 0}, "a/1 a/2 ab/1 b/1 b/2"},
        {{.namespace_ = {"a", 1}}, "a/1 a/2"},
        {{.namespace_ = {"ab", 2}}, "ab/1"},
        {{.namespace_ = {"c", 1}}, ""},
        {{.after = {"a/2", 3}}, "ab/1 b/1 b/2"},
        {{.after = {"a/15", 4}}, "a/2 ab/1 b/1 b/2"},
        {{.namespace_ = {"b", 1}, .after = {"b/1", 3}}, "b/2"},
        {{.max = 2}, "a/1 a/2"},
        {{.max = 2, .after = {"a/2", 3}}, "ab/1 b/1"},
        {{.namespace_ = {"b", 1}, .max = 1}, "b/1"},
        {{.namespace_ = {"b", 1}, .after = {"b/1", 3}, .max = 5}, "b/2"},
    };
    struct fixture fixture;
    fixture_init(&fixture, 0);
    (void)put(&fixture, fixture.pods, "b", "2", 1);
    (void)put(&fixture, fixture.pods, "a", "2", 1);
    (void)put(&fixture, fixture.pods, "ab", "1", 1);
    (void)put(&fixture, fixture.pods, "b", "1", 1);
    (void)put(&fixture, fixture.pods, "a", "1", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_names(&fixture, &cases[i].range, cases[i].names);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_past)
{
    struct fixture fixture;
    fixture_init(&fixture, 0);
    (void)put(&fixture, fixture.pods, "n", "a", 1);
    (void)put(&fixture, fixture.pods, "n", "b", 1);
    (void)put(&fixture, fixture.pods, "n", "c", 1);
    uint64_t then = put(&fixture, fixture.pods, "n", "e", 1);
    drop(&fixture, fixture.pods, "n", "a");
    (void)put(&fixture, fixture.pods, "n", "b", 2);
    (void)put(&fixture, fixture.pods, "n", "d", 1);
    drop(&fixture, fixture.pods, "n", "d");
    drop(&fixture, fixture.pods, "n", "e");
    (void)put(&fixture, fixture.pods, "n", "e", 5);
    expect_names(&fixture, &(struct cleat_api_range){.max = 0}, "n/b n/c n/e");
    expect_names(&fixture, &(struct cleat_api_range){.revision = then}, "n/a n/b n/c n/e");
    expect_names(&fixture, &(struct cleat_api_range){.revision = then, .max = 2}, "n/a n/b");
    expect_names(&fixture, &(struct cleat_api_range){.revision = then, .after = {"n/b", 3}},
                 "n/c n/e");
    expect_names(&fixture, &(struct cleat_api_range){.revision = then - 1}, "n/a n/b n/c");
    /* It's the version of then. */
    struct cleat_api_snapshot snapshot = {0};
    const struct cleat_api_range range = {.revision = then};
    ck_assert_int_eq(cleat_api_registry_range(&fixture.registry, fixture.pods, &range, &snapshot),
                     0);
    ck_assert_uint_eq(snapshot.revision, then);
    for (size_t i = 0; i < snapshot.count; i++) {
        ck_assert_uint_le(snapshot.records[i]->version, then);
        ck_assert_ptr_nonnull(strstr(snapshot.records[i]->tail, "\"n\":1"));
    }
    cleat_api_snapshot_fini(&snapshot);
    cleat_api_registry_compact(&fixture.registry);
    ck_assert_int_eq(cleat_api_registry_range(&fixture.registry, fixture.pods, &range, &snapshot),
                     CLEAT_API_SNAPSHOT_EXPIRED);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_total)
{
    struct fixture fixture;
    struct cleat_api_snapshot snapshot = {0};
    fixture_init(&fixture, 0);
    for (int i = 0; i < 10; i++) {
        char name[8];
        snprintf(name, sizeof(name), "p%d", i);
        (void)put(&fixture, fixture.pods, i % 2 ? "odd" : "even", name, i);
    }
    struct cleat_api_range range = {.max = 3};
    ck_assert_int_eq(cleat_api_registry_range(&fixture.registry, fixture.pods, &range, &snapshot),
                     0);
    ck_assert(snapshot.more);
    ck_assert_uint_eq(snapshot.total, 10);
    cleat_api_snapshot_fini(&snapshot);
    range.namespace_ = CLEAT_STR("odd");
    ck_assert_int_eq(cleat_api_registry_range(&fixture.registry, fixture.pods, &range, &snapshot),
                     0);
    ck_assert(snapshot.more);
    ck_assert_uint_eq(snapshot.total, 5);
    cleat_api_snapshot_fini(&snapshot);
    range.max = 5;
    ck_assert_int_eq(cleat_api_registry_range(&fixture.registry, fixture.pods, &range, &snapshot),
                     0);
    ck_assert(!snapshot.more);
    cleat_api_snapshot_fini(&snapshot);
    fixture_fini(&fixture);
}
END_TEST

static void release(struct cleat_api_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)cleat_api_record_unref(events[i].old);
        (void)cleat_api_record_unref(events[i].new);
    }
}

START_TEST(test_watcher)
{
    struct fixture fixture;
    struct cleat_api_watcher watcher;
    struct cleat_api_event events[4];
    size_t count = 0;
    uint64_t revision = 0;
    bool bookmark = false;
    fixture_init(&fixture, 0);
    uint64_t start = put(&fixture, fixture.pods, "n", "a", 1);
    ck_assert_int_eq(cleat_api_watcher_start(&fixture.registry, fixture.pods, start, &watcher), 0);
    (void)put(&fixture, fixture.pods, "n", "a", 2);
    (void)put(&fixture, fixture.nodes, "", "elsewhere", 1);
    for (int i = 0; i < 5; i++)
        (void)put(&fixture, fixture.pods, "n", "b", i);
    drop(&fixture, fixture.pods, "n", "b");
    ck_assert_int_eq(cleat_api_watcher_next(&fixture.registry, &watcher, events, 4, &count,
                                            &revision, &bookmark),
                     0);
    ck_assert_uint_eq(count, 4);
    ck_assert_uint_eq(revision, events[3].revision);
    ck_assert(!bookmark);
    release(events, count);
    cleat_api_registry_wake(&fixture.registry, true);
    ck_assert_int_eq(cleat_api_watcher_next(&fixture.registry, &watcher, events, 4, &count,
                                            &revision, &bookmark),
                     0);
    ck_assert_uint_eq(count, 3);
    ck_assert(events[2].deleted);
    ck_assert(bookmark);
    ck_assert_uint_eq(revision, cleat_api_registry_revision(&fixture.registry));
    release(events, count);
    cleat_api_watcher_stop(&fixture.registry, &watcher);
    cleat_api_watcher_stop(&fixture.registry, &watcher);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_watcher_of_what_goes)
{
    struct fixture fixture;
    struct cleat_api_watcher watcher;
    struct cleat_api_event events[4];
    size_t count = 0;
    uint64_t revision = 0;
    bool bookmark = false;
    fixture_init(&fixture, 0);
    ck_assert_int_eq(cleat_api_watcher_start(&fixture.registry, fixture.pods, 1, &watcher), 0);
    (void)put(&fixture, fixture.pods, "n", "a", 1);
    cleat_api_registry_remove(&fixture.registry, "", "pods");
    ck_assert_ptr_null(
        cleat_api_registry_find(&fixture.registry, CLEAT_STR(""), CLEAT_STR("pods")));
    /* What happened before is still told. */
    ck_assert_int_eq(cleat_api_watcher_next(&fixture.registry, &watcher, events, 4, &count,
                                            &revision, &bookmark),
                     0);
    ck_assert_uint_eq(count, 1);
    release(events, count);
    ck_assert_int_eq(cleat_api_watcher_next(&fixture.registry, &watcher, events, 4, &count,
                                            &revision, &bookmark),
                     CLEAT_API_WATCH_ENDED);
    cleat_api_watcher_stop(&fixture.registry, &watcher);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_replaced_resource_keeps_its_objects)
{
    struct fixture fixture;
    struct cleat_api_resource *again = NULL;
    fixture_init(&fixture, 0);
    (void)put(&fixture, fixture.pods, "n", "a", 1);
    ck_assert_int_eq(cleat_api_resource_new(&again), 0);
    snprintf(again->plural, sizeof(again->plural), "pods");
    snprintf(again->kind, sizeof(again->kind), "Pod");
    ck_assert_int_eq(cleat_api_registry_add(&fixture.registry, again), 0);
    struct cleat_api_record *record =
        cleat_api_registry_get(&fixture.registry, again, CLEAT_STR("n"), CLEAT_STR("a"));
    ck_assert_ptr_nonnull(record);
    (void)cleat_api_record_unref(record);
    (void)cleat_api_resource_unref(again);
    fixture_fini(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("registry", test_commit_compares, test_guard, test_ranges, test_past, test_total,
                 test_watcher, test_watcher_of_what_goes, test_replaced_resource_keeps_its_objects)
