/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Caches on the embedded API server: loading, following, what breaks on the way, feeds that come
 * and go.
 */
#include <stdlib.h>

#include <stdatomic.h>

#include <cleat/cache.h>
#include <cleat/projection.h>

#include "controller/cache.h"
#include "controller/feed.h"
#include "base/thread.h"
#include "integration/cluster.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

#define LIMIT_MS 20000

struct fixture {
    struct cluster cluster;
    struct cleat_resource resource;
    struct cleat_cache *cache;
    struct cleat_feed *feed;
    struct cleat_store *store;
    struct cleat_handler *handler;
    _Atomic(unsigned) added, initial, updated, deleted, unknown;
};

static struct cleat_resource configmaps(void)
{
    struct cleat_resource resource = {.plural = "configmaps", .namespaced = true};
    ck_assert_int_eq(cleat_gvk_make(&resource.gvk, "", "v1", "ConfigMap"), 0);
    return resource;
}

static void fixture_put(struct fixture *f, const char *namespace_, const char *name,
                        const char *value)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(
        cleat_document_format(&document, NULL,
                              "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
                              "\"namespace\":\"%s\",\"name\":\"%s\",\"labels\":{\"value\":\"%s\"}},"
                              "\"data\":{\"value\":\"%s\"}}",
                              namespace_, name, value, value),
        0);
    ck_assert_msg(cleat_apiserver_put(f->cluster.server, cleat_document_root(document), &err) == 0,
                  "%s", cleat_err_text(&err));
    document = cleat_document_unref(document);
}

/* Changes the value of the same object, where fixture_put makes another one of the name. */
static void fixture_change(struct fixture *f, const char *namespace_, const char *name,
                           const char *value)
{
    char patch[160];
    (void)snprintf(patch, sizeof(patch),
                   "{\"metadata\":{\"labels\":{\"value\":\"%s\"}},\"data\":{\"value\":\"%s\"}}",
                   value, value);
    ck_assert_int_eq(cluster_patch(&f->cluster, &f->resource, namespace_, name, patch), 0);
}

static void fixture_delete(struct fixture *f, const char *namespace_, const char *name)
{
    const struct cleat_client_target target = {&f->resource, namespace_, name, NULL};
    ck_assert_int_eq(cleat_client_delete(f->cluster.admin, &target, NULL, NULL, NULL), 0);
}

static void on_event(void *arg, const struct cleat_event *event)
{
    struct fixture *f = arg;
    switch (event->type) {
    case CLEAT_EVENT_ADDED:
        atomic_fetch_add(&f->added, 1);
        atomic_fetch_add(&f->initial, event->initial);
        break;
    case CLEAT_EVENT_UPDATED: atomic_fetch_add(&f->updated, 1); break;
    case CLEAT_EVENT_DELETED:
        atomic_fetch_add(&f->unknown, event->state_unknown);
        atomic_fetch_add(&f->deleted, 1);
        break;
    default: break;
    }
}

static void fixture_open(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    const struct cleat_apiserver_options options = {.no_gc = true};
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_apiserver_new(&options, &f->cluster.server, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_apiserver_start(f->cluster.server, &err) == 0, "%s", err.text);
    f->cluster.admin = cluster_client(&f->cluster, NULL);
    f->resource = configmaps();
}

static struct cleat_feed *fixture_feed(struct fixture *f, const struct cleat_feed_options *more)
{
    struct cleat_feed_options options = *more;
    struct cleat_feed *feed = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    options.resource = f->resource;
    ck_assert_msg(cleat_cache_feed(f->cache, &options, &feed, &err) == 0, "%s", err.text);
    return feed;
}

static void fixture_cache(struct fixture *f, struct cleat_cache_options options,
                          const struct cleat_feed_options *feed)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    options.client = f->cluster.admin;
    ck_assert_msg(cleat_cache_new(&options, &f->cache, &err) == 0, "%s", err.text);
    f->feed = fixture_feed(f, feed);
    f->store = cleat_feed_store(f->feed);
    ck_assert_int_eq(cleat_store_handler(f->store, on_event, f, &f->handler, NULL), 0);
    ck_assert_msg(cleat_cache_start(f->cache, &err) == 0, "%s", err.text);
}

static void fixture_sync(struct fixture *f)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_cache_wait_synced(f->cache, LIMIT_MS, &err) == 0, "%s", err.text);
    CLEAT_WAIT_FOR(cleat_handler_synced(f->handler), LIMIT_MS);
}

static void fixture_close(struct fixture *f)
{
    f->handler = cleat_handler_remove(f->handler);
    f->feed = cleat_feed_unref(f->feed);
    cleat_cache_stop(f->cache);
    cleat_cache_join(f->cache);
    f->cache = cleat_cache_free(f->cache);
    cluster_close(&f->cluster);
}

static int lookup(struct fixture *f, const char *namespace_, const char *name)
{
    struct cleat_object *object = NULL;
    int r = cleat_store_lookup(f->store, cleat_str_of(namespace_), cleat_str_of(name), &object);
    (void)cleat_object_unref(object);
    return r;
}

/* The value of an object in the cache, "" where it isn't there. Valid until the next call. */
static const char *value(struct fixture *f, const char *namespace_, const char *name)
{
    static char text[64];
    struct cleat_object *object = NULL;
    struct cleat_scratch scratch;
    text[0] = '\0';
    if (cleat_store_lookup(f->store, cleat_str_of(namespace_), cleat_str_of(name), &object) == 0)
        (void)snprintf(text, sizeof(text), "%s",
                       cleat_value_text(cleat_object_find(object, "data.value"), &scratch).data);
    (void)cleat_object_unref(object);
    return text;
}

static const struct cleat_feed_options everything = {.namespace_ = NULL};

START_TEST(test_load_and_follow)
{
    struct fixture f;
    fixture_open(&f);
    fixture_put(&f, "a", "x", "1");
    fixture_put(&f, "b", "y", "1");
    fixture_cache(&f, (struct cleat_cache_options){.name = "t"}, &everything);
    fixture_sync(&f);
    ck_assert_str_eq(value(&f, "a", "x"), "1");
    ck_assert_int_eq(lookup(&f, "a", "y"), CLEAT_STORE_MISSING);
    ck_assert_uint_eq(atomic_load(&f.added), 2);
    ck_assert_uint_eq(atomic_load(&f.initial), 2);
    fixture_change(&f, "a", "x", "2");
    CLEAT_WAIT_FOR(atomic_load(&f.updated) == 1, LIMIT_MS);
    ck_assert_str_eq(value(&f, "a", "x"), "2");
    fixture_put(&f, "c", "z", "1");
    CLEAT_WAIT_FOR(atomic_load(&f.added) == 3, LIMIT_MS);
    ck_assert_uint_eq(atomic_load(&f.initial), 2);
    fixture_delete(&f, "a", "x");
    CLEAT_WAIT_FOR(atomic_load(&f.deleted) == 1, LIMIT_MS);
    ck_assert_uint_eq(atomic_load(&f.unknown), 0);
    ck_assert_int_eq(lookup(&f, "a", "x"), CLEAT_STORE_MISSING);
    struct cleat_feed_status status;
    cleat_feed_status(f.feed, &status);
    ck_assert_int_eq(status.state, CLEAT_FEED_SYNCED);
    ck_assert_uint_eq(status.objects, 2);
    ck_assert_uint_ge(status.events, 5);
    ck_assert_int_eq(status.last_error.code, 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_pages)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < 1100; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "x-%u", i);
        fixture_put(&f, "a", name, "1");
    }
    fixture_cache(&f, (struct cleat_cache_options){.no_watch_list = true}, &everything);
    fixture_sync(&f);
    ck_assert_uint_eq(cleat_store_count(f.store, NULL), 1100);
    ck_assert_uint_eq(atomic_load(&f.added), 1100);
    fixture_change(&f, "a", "x-7", "2");
    CLEAT_WAIT_FOR(atomic_load(&f.updated) == 1, LIMIT_MS);
    fixture_close(&f);
}
END_TEST

START_TEST(test_old_server_without_streaming_lists)
{
    struct fixture f;
    const struct cleat_apiserver_options options = {.no_watch_list = true, .no_gc = true};
    fixture_open(&f);
    cluster_close(&f.cluster);
    ck_assert_int_eq(cleat_apiserver_new(&options, &f.cluster.server, NULL), 0);
    ck_assert_int_eq(cleat_apiserver_start(f.cluster.server, NULL), 0);
    f.cluster.admin = cluster_client(&f.cluster, NULL);
    fixture_put(&f, "a", "x", "1");
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &everything);
    fixture_sync(&f);
    ck_assert_str_eq(value(&f, "a", "x"), "1");
    fixture_change(&f, "a", "x", "2");
    CLEAT_WAIT_FOR(atomic_load(&f.updated) == 1, LIMIT_MS);
    fixture_close(&f);
}
END_TEST

static bool feed_is_broken(const struct fixture *f)
{
    struct cleat_feed_status status;
    cleat_feed_status(f->feed, &status);
    return status.last_error.code != 0;
}

/* The watch breaks; before it is resumed things happen, and the server forgets how. */
START_TEST(test_server_that_forgot_the_version)
{
    struct fixture f;
    fixture_open(&f);
    fixture_put(&f, "a", "stays", "1");
    fixture_put(&f, "a", "goes", "1");
    const struct cleat_fault cut = {
        .path = "/api/v1/configmaps", .query = "watch=true", .cut_after_bytes = 6000, .times = 1};
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &cut), 0);
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &everything);
    fixture_sync(&f);
    for (int i = 0; i < 1000 && !feed_is_broken(&f); i++) {
        char number[16];
        (void)snprintf(number, sizeof(number), "%d", i);
        fixture_change(&f, "a", "stays", number);
        cleat_wait_moment();
    }
    ck_assert(feed_is_broken(&f)); /* and waits for at least 0.8 s now */
    fixture_delete(&f, "a", "goes");
    fixture_put(&f, "a", "new", "1");
    cleat_apiserver_compact(f.cluster.server);
    CLEAT_WAIT_FOR(atomic_load(&f.deleted) == 1, LIMIT_MS);
    CLEAT_WAIT_FOR(atomic_load(&f.added) == 3, LIMIT_MS);
    ck_assert_uint_eq(atomic_load(&f.unknown), 1);
    ck_assert_int_eq(lookup(&f, "a", "goes"), CLEAT_STORE_MISSING);
    ck_assert_int_eq(lookup(&f, "a", "new"), 0);
    CLEAT_WAIT_FOR(!feed_is_broken(&f), LIMIT_MS);
    ck_assert_uint_eq(cleat_apiserver_requests(f.cluster.server, "GET", "/api/v1/configmaps",
                                               "sendInitialEvents=true"),
                      2);
    fixture_close(&f);
}
END_TEST

START_TEST(test_own_write_is_waited_for)
{
    struct fixture f;
    fixture_open(&f);
    fixture_put(&f, "a", "x", "1");
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &everything);
    fixture_sync(&f);
    const struct cleat_client_target target = {&f.resource, "a", "x", NULL};
    struct cleat_object *object = NULL;
    for (int i = 0; i < 50; i++) {
        char patch[64], want[16];
        (void)snprintf(want, sizeof(want), "v%d", i);
        (void)snprintf(patch, sizeof(patch), "{\"data\":{\"value\":\"%s\"}}", want);
        ck_assert_int_eq(cleat_client_patch(f.cluster.admin, &target, CLEAT_PATCH_MERGE,
                                            cleat_str_of(patch), NULL, &object, NULL),
                         0);
        ck_assert_int_eq(cleat_store_wait(f.store, CLEAT_STR("a"), CLEAT_STR("x"),
                                          cleat_object_uid(object),
                                          cleat_object_resource_version(object), LIMIT_MS),
                         0);
        ck_assert_str_eq(value(&f, "a", "x"), want);
        if (i < 49)
            object = cleat_object_unref(object);
    }
    ck_assert_int_eq(cleat_store_wait(f.store, CLEAT_STR("a"), CLEAT_STR("x"),
                                      cleat_object_uid(object), CLEAT_STR("9999999"), 20),
                     CLEAT_WAIT_TIMEOUT);
    fixture_delete(&f, "a", "x");
    CLEAT_WAIT_FOR(lookup(&f, "a", "x") == CLEAT_STORE_MISSING, LIMIT_MS);
    ck_assert_int_eq(cleat_store_wait(f.store, CLEAT_STR("a"), CLEAT_STR("x"),
                                      cleat_object_uid(object),
                                      cleat_object_resource_version(object), LIMIT_MS),
                     CLEAT_WAIT_DELETED);
    object = cleat_object_unref(object);
    fixture_close(&f);
}
END_TEST

START_TEST(test_refused_feed_says_so)
{
    struct fixture f;
    struct cleat_err err = CLEAT_ERR_INIT;
    static const struct {
        int status, code;
        enum cleat_feed_state state;
    } cases[] = {{403, -EACCES, CLEAT_FEED_FORBIDDEN}, {404, -ENOENT, CLEAT_FEED_UNKNOWN}};
    for (size_t i = 0; i < 2; i++) {
        fixture_open(&f);
        const struct cleat_fault fault = {.path = "/api/v1/configmaps", .status = cases[i].status};
        ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &fault), 0);
        fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &everything);
        cleat_err_clear(&err);
        ck_assert_int_eq(cleat_feed_wait_synced(f.feed, LIMIT_MS, &err), cases[i].code);
        struct cleat_feed_status status;
        cleat_feed_status(f.feed, &status);
        ck_assert_int_eq(status.state, cases[i].state);
        ck_assert_int_eq(lookup(&f, "a", "x"), CLEAT_STORE_NOT_SYNCED);
        cleat_err_clear(&err);
        ck_assert_int_eq(cleat_cache_wait_synced(f.cache, 10, &err), -ETIMEDOUT);
        ck_assert_ptr_nonnull(strstr(err.text, "configmaps"));
        /* It goes on trying. */
        cleat_apiserver_fault_clear(f.cluster.server, 0);
        fixture_sync(&f);
        fixture_close(&f);
    }
}
END_TEST

START_TEST(test_broken_stream_is_resumed)
{
    struct fixture f;
    fixture_open(&f);
    fixture_put(&f, "a", "x", "1");
    /* Each watch is cut in the middle of a frame, twice; then they work. */
    const struct cleat_fault cut = {
        .path = "/api/v1/configmaps", .query = "watch=true", .cut_after_bytes = 700, .times = 2};
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &cut), 0);
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &everything);
    for (int i = 0; i < 8; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "n%d", i);
        fixture_put(&f, "a", name, "1");
    }
    fixture_sync(&f);
    CLEAT_WAIT_FOR(cleat_store_count(f.store, NULL) == 9, LIMIT_MS);
    CLEAT_WAIT_FOR(atomic_load(&f.added) == 9, LIMIT_MS);
    fixture_close(&f);
}
END_TEST

START_TEST(test_feeds_are_shared_and_end_with_the_last)
{
    struct fixture f;
    fixture_open(&f);
    fixture_put(&f, "a", "x", "1");
    fixture_put(&f, "b", "y", "1");
    const struct cleat_feed_options only_a = {.namespace_ = "a"};
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &only_a);
    struct cleat_feed *again = fixture_feed(&f, &only_a);
    const struct cleat_feed_options by_field = {.field_selector = "metadata.namespace=a"};
    struct cleat_feed *narrowed = fixture_feed(&f, &by_field);
    ck_assert_ptr_eq(again, f.feed);
    ck_assert_ptr_eq(narrowed, f.feed);
    fixture_sync(&f);
    ck_assert_int_eq(lookup(&f, "a", "x"), 0);
    ck_assert_int_eq(lookup(&f, "b", "y"), CLEAT_STORE_NOT_WATCHED);
    ck_assert_int_eq(lookup(&f, "a", "nothing"), CLEAT_STORE_MISSING);
    const struct cleat_feed_options only_b = {.namespace_ = "b"};
    struct cleat_feed *b = fixture_feed(&f, &only_b);
    ck_assert_int_eq(cleat_feed_wait_synced(b, LIMIT_MS, NULL), 0);
    ck_assert_int_eq(lookup(&f, "b", "y"), 0);
    b = cleat_feed_unref(b);
    CLEAT_WAIT_FOR(lookup(&f, "b", "y") == CLEAT_STORE_NOT_WATCHED, LIMIT_MS);
    ck_assert_int_eq(lookup(&f, "a", "x"), 0);
    again = cleat_feed_unref(again);
    narrowed = cleat_feed_unref(narrowed);
    ck_assert_int_eq(lookup(&f, "a", "x"), 0);
    ck_assert_uint_eq(atomic_load(&f.deleted), 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_selectors_are_the_servers)
{
    struct fixture f;
    fixture_open(&f);
    fixture_put(&f, "a", "x", "in");
    fixture_put(&f, "a", "y", "out");
    const struct cleat_feed_options selected = {.label_selector = "value=in"};
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &selected);
    fixture_sync(&f);
    ck_assert_uint_eq(cleat_store_count(f.store, NULL), 1);
    fixture_change(&f, "a", "y", "in");
    CLEAT_WAIT_FOR(atomic_load(&f.added) == 2, LIMIT_MS);
    fixture_change(&f, "a", "x", "out");
    CLEAT_WAIT_FOR(atomic_load(&f.deleted) == 1, LIMIT_MS);
    ck_assert_int_eq(lookup(&f, "a", "x"), CLEAT_STORE_MISSING);
    fixture_close(&f);
}
END_TEST

static size_t feeds_of_store(struct fixture *f)
{
    size_t count = 0;
    cleat_rwlock_read(&f->store->lock);
    for (size_t i = 0; i < f->store->feed_count; i++)
        count += f->store->feeds[i].used;
    cleat_rwlock_read_release(&f->store->lock);
    return count;
}

START_TEST(test_metadata_only_then_wider)
{
    struct fixture f;
    struct cleat_object *object = NULL;
    fixture_open(&f);
    fixture_put(&f, "a", "x", "1");
    const struct cleat_feed_options metadata = {.metadata_only = true};
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &metadata);
    fixture_sync(&f);
    ck_assert_int_eq(cleat_store_lookup(f.store, CLEAT_STR("a"), CLEAT_STR("x"), &object), 0);
    ck_assert(cleat_object_partial(object));
    ck_assert_str_eq(cleat_object_kind(object).data, "ConfigMap");
    ck_assert_int_eq(cleat_value_type(cleat_object_find(object, "data.value")),
                     CLEAT_TYPE_NOT_KEPT);
    object = cleat_object_unref(object);
    struct cleat_feed *wide = fixture_feed(&f, &everything);
    ck_assert_ptr_ne(wide, f.feed);
    ck_assert_int_eq(cleat_feed_wait_synced(wide, LIMIT_MS, NULL), 0);
    ck_assert_str_eq(value(&f, "a", "x"), "1");
    /* The narrow one's watch ends; whoever holds it is served by the wide one. */
    CLEAT_WAIT_FOR(feeds_of_store(&f) == 1, LIMIT_MS);
    ck_assert(cleat_feed_synced(f.feed));
    wide = cleat_feed_unref(wide);
    fixture_put(&f, "a", "y", "2");
    CLEAT_WAIT_FOR(strcmp(value(&f, "a", "y"), "2") == 0, LIMIT_MS);
    /* Metadata readers that come later are served as well. */
    struct cleat_feed *later = fixture_feed(&f, &metadata);
    ck_assert(cleat_feed_synced(later));
    later = cleat_feed_unref(later);
    fixture_close(&f);
}
END_TEST

static void by_value(struct cleat_value object, void (*add)(void *ctx, struct cleat_str value),
                     void *ctx)
{
    struct cleat_scratch scratch;
    add(ctx, cleat_value_text(cleat_value_find(object, "data.value"), &scratch));
}

START_TEST(test_index_added_late)
{
    struct fixture f;
    struct cleat_index *index = NULL;
    fixture_open(&f);
    fixture_put(&f, "a", "x", "red");
    fixture_put(&f, "b", "y", "red");
    fixture_put(&f, "a", "z", "blue");
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &everything);
    fixture_sync(&f);
    ck_assert_int_eq(cleat_store_index(f.store, "value", by_value, &index, NULL), 0);
    struct cleat_store_query query = {.index = index, .index_value = "red"};
    ck_assert_uint_eq(cleat_store_count(f.store, &query), 2);
    query.namespace_ = "a";
    ck_assert_uint_eq(cleat_store_count(f.store, &query), 1);
    fixture_change(&f, "a", "z", "red");
    CLEAT_WAIT_FOR(cleat_store_count(f.store, &query) == 2, LIMIT_MS);
    fixture_close(&f);
}
END_TEST

START_TEST(test_feed_that_goes_while_it_loads)
{
    struct fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "x-%u", i);
        fixture_put(&f, "a", name, "1");
    }
    const struct cleat_feed_options only_b = {.namespace_ = "b"};
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &only_b);
    fixture_sync(&f);
    for (int i = 0; i < 20; i++) {
        const struct cleat_feed_options only_a = {.namespace_ = "a"};
        struct cleat_feed *a = fixture_feed(&f, &only_a);
        if (i % 2)
            CLEAT_WAIT_FOR(cleat_store_count(f.store, NULL) > 0, LIMIT_MS);
        a = cleat_feed_unref(a);
    }
    CLEAT_WAIT_FOR(lookup(&f, "a", "x-0") == CLEAT_STORE_NOT_WATCHED, LIMIT_MS);
    CLEAT_WAIT_FOR(cleat_store_count(f.store, NULL) == 0, LIMIT_MS);
    ck_assert_uint_eq(atomic_load(&f.deleted), 0);
    fixture_close(&f);
}
END_TEST

/* It was given up between its last bytes and its end mark: who depends on it would wait for ever.
 */
START_TEST(test_feed_that_goes_takes_nobody_over)
{
    struct fixture f;
    fixture_open(&f);
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &everything);
    fixture_sync(&f);
    struct cleat_feed going = *f.feed;
    going.leaving = true;
    cleat__cache_take_over(f.cache, &going);
    ck_assert_ptr_null(f.feed->wider);
    ck_assert_uint_eq(going.refs, f.feed->refs);
    fixture_close(&f);
}
END_TEST

/* The value of the cache's figure for ConfigMaps. */
static double figure(struct cleat_metrics *metrics, const char *name)
{
    char line[128];
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 << 20);
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    (void)snprintf(line, sizeof(line), "\n%s{cluster=\"local\",resource=\"configmaps\"} ", name);
    const char *at = strstr(text.data, line);
    ck_assert_msg(at != NULL, "no %s", name);
    double value = strtod(at + strlen(line), NULL);
    cleat_buffer_fini(&text);
    return value;
}

/* The cache's clock is moved by hand; what wakes its thread is a feed that is added. */
START_TEST(test_broken_watch_becomes_stale)
{
    struct fixture f;
    struct cleat_metrics *metrics = NULL;
    struct cleat_fake_clock clock;
    struct cleat_feed_status status;
    fixture_open(&f);
    cleat_fake_clock_init(&clock);
    fixture_put(&f, "a", "x", "1");
    const struct cleat_fault cut = {
        .path = "/api/v1/configmaps", .query = "watch=true", .cut_after_bytes = 3000, .times = 1};
    const struct cleat_fault down = {.path = "/api/v1/configmaps", .status = 500};
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &cut), 0);
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    fixture_cache(&f, (struct cleat_cache_options){.clock = &clock.clock, .metrics = metrics},
                  &everything);
    fixture_sync(&f);
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &down), 0);
    for (int i = 0; i < 1000 && !feed_is_broken(&f); i++) {
        char number[16];
        (void)snprintf(number, sizeof(number), "%d", i);
        fixture_change(&f, "a", "x", number);
        cleat_wait_moment();
    }
    cleat_feed_status(f.feed, &status);
    ck_assert_int_eq(status.state, CLEAT_FEED_SYNCED);
    ck_assert(cleat_store_synced(f.store));
    cleat_fake_clock_advance_ms(&clock, CLEAT__FEED_STALE_MS);
    const struct cleat_feed_options other = {.namespace_ = "other"};
    struct cleat_feed *wakes = fixture_feed(&f, &other);
    CLEAT_WAIT_FOR((cleat_feed_status(f.feed, &status), status.state == CLEAT_FEED_STALE),
                   LIMIT_MS);
    ck_assert(!cleat_store_synced(f.store));
    ck_assert(cleat_feed_synced(f.feed));
    ck_assert(figure(metrics, "cleat_watch_synced") == 0);
    ck_assert(figure(metrics, "cleat_watch_failures_total") > 0);
    ck_assert(figure(metrics, "cleat_watch_last_event_age_seconds") >= CLEAT__FEED_STALE_MS / 1000);
    ck_assert_int_eq(lookup(&f, "a", "x"), 0); /* what was read stays readable */
    wakes = cleat_feed_unref(wakes);
    cleat_apiserver_fault_clear(f.cluster.server, 0);
    cleat_fake_clock_advance_ms(&clock, CLEAT__FEED_STALE_MS);
    wakes = fixture_feed(&f, &other);
    CLEAT_WAIT_FOR((cleat_feed_status(f.feed, &status), status.state == CLEAT_FEED_SYNCED),
                   LIMIT_MS);
    CLEAT_WAIT_FOR(cleat_store_synced(f.store), LIMIT_MS);
    wakes = cleat_feed_unref(wakes);
    ck_assert(figure(metrics, "cleat_watch_synced") == 1);
    ck_assert(figure(metrics, "cleat_watch_restarts_total") > 0);
    fixture_close(&f);
    metrics = cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_metrics)
{
    struct fixture f;
    struct cleat_metrics *metrics = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 << 20);
    fixture_open(&f);
    fixture_put(&f, "a", "x", "1");
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    fixture_cache(&f, (struct cleat_cache_options){.name = "east", .metrics = metrics},
                  &everything);
    fixture_sync(&f);
    const char *const lines[] = {
        "cleat_cache_objects{cluster=\"east\",resource=\"configmaps\"} 1\n",
        "cleat_cache_unreadable_objects{cluster=\"east\",resource=\"configmaps\"} 0\n",
        "cleat_cache_bytes{cluster=\"east\",resource=\"configmaps\"} ",
        "cleat_pool_bytes{cluster=\"east\"} ",
        "cleat_watch_synced{cluster=\"east\",resource=\"configmaps\"} 1\n",
        "cleat_watch_last_event_age_seconds{cluster=\"east\",resource=\"configmaps\"} ",
        "cleat_watch_events_total{cluster=\"east\",resource=\"configmaps\"} 1\n",
        "cleat_watch_broken_objects_total{cluster=\"east\",resource=\"configmaps\"} 0\n",
        "cleat_watch_restarts_total{cluster=\"east\",resource=\"configmaps\"} 0\n",
        "cleat_watch_failures_total{cluster=\"east\",resource=\"configmaps\"} 0\n",
        "cleat_watch_relists_total{cluster=\"east\",resource=\"configmaps\"} 0\n",
    };
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ck_assert_msg(strstr(text.data, lines[i]) != NULL, "%s in %s", lines[i], text.data);
    fixture_close(&f);
    /* The cache is gone: nothing of it is read any more. */
    cleat_buffer_reset(&text);
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    cleat_buffer_fini(&text);
    metrics = cleat_metrics_free(metrics);
}
END_TEST

/* Feeds, handlers, indexes and readers come and go while objects change. */
struct crowd {
    struct fixture f;
    _Atomic(bool) stop;
    _Atomic(unsigned) calls;
};

static void crowd_event(void *arg, const struct cleat_event *event)
{
    struct crowd *crowd = arg;
    atomic_fetch_add(&crowd->calls, 1);
    if (event->object)
        ck_assert(cleat_str_equal(cleat_object_name(event->object), event->name));
}

static void *crowd_feeds(void *arg)
{
    struct crowd *crowd = arg;
    const struct cleat_feed_options options[] = {{.namespace_ = "a"},
                                                 {.namespace_ = "b", .metadata_only = true},
                                                 {.label_selector = "value=1"},
                                                 {.field_selector = "metadata.name=x-1"}};
    for (unsigned i = 0; !atomic_load(&crowd->stop); i++) {
        struct cleat_feed *feed = fixture_feed(&crowd->f, &options[i % 4]);
        struct cleat_feed *again = fixture_feed(&crowd->f, &options[(i + 1) % 4]);
        if (i % 3)
            (void)!cleat_feed_wait_synced(feed, LIMIT_MS, NULL);
        feed = cleat_feed_unref(feed);
        again = cleat_feed_unref(again);
    }
    return NULL;
}

static void *crowd_handlers(void *arg)
{
    struct crowd *crowd = arg;
    while (!atomic_load(&crowd->stop)) {
        struct cleat_handler *handler = NULL;
        ck_assert_int_eq(cleat_store_handler(crowd->f.store, crowd_event, crowd, &handler, NULL),
                         0);
        cleat_wait_moment();
        handler = cleat_handler_remove(handler);
    }
    return NULL;
}

static int crowd_one(void *arg, struct cleat_object *object)
{
    return cleat_object_name(object).length > 0 ? 0 : -EINVAL;
}

static void *crowd_readers(void *arg)
{
    struct crowd *crowd = arg;
    struct cleat_index *index = NULL;
    ck_assert_int_eq(cleat_store_index(crowd->f.store, "value", by_value, &index, NULL), 0);
    while (!atomic_load(&crowd->stop)) {
        const struct cleat_store_query query = {.index = index, .index_value = "1"};
        const struct cleat_store_query space = {.namespace_ = "a"};
        struct cleat_feed_status status;
        ck_assert_int_eq(cleat_store_each(crowd->f.store, &query, crowd_one, NULL), 0);
        ck_assert_int_eq(cleat_store_each(crowd->f.store, &space, crowd_one, NULL), 0);
        (void)lookup(&crowd->f, "a", "x-1");
        (void)cleat_store_synced(crowd->f.store);
        cleat_feed_status(crowd->f.feed, &status);
    }
    return NULL;
}

START_TEST(test_everything_at_once)
{
    static struct crowd crowd;
    static void *(*const fns[])(void *) = {crowd_feeds, crowd_handlers, crowd_readers};
    struct cleat_thread threads[3] = {CLEAT_THREAD_INIT, CLEAT_THREAD_INIT, CLEAT_THREAD_INIT};
    struct fixture *f = &crowd.f;
    fixture_open(f);
    fixture_cache(f, (struct cleat_cache_options){.name = NULL}, &everything);
    fixture_sync(f);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(cleat_thread_start(&threads[i], "crowd", 0, fns[i], &crowd, NULL), 0);
    for (unsigned i = 0; i < 600; i++) {
        char name[16], number[16];
        (void)snprintf(name, sizeof(name), "x-%u", i % 40);
        (void)snprintf(number, sizeof(number), "%u", i % 3);
        fixture_put(f, i % 2 ? "a" : "b", name, number);
        if (i % 10 == 9)
            fixture_delete(f, i % 2 ? "a" : "b", name);
    }
    atomic_store(&crowd.stop, true);
    for (size_t i = 0; i < 3; i++)
        cleat_thread_join(&threads[i]);
    /* In the end the store has what the server has. */
    fixture_put(f, "z", "last", "1");
    CLEAT_WAIT_FOR(lookup(f, "z", "last") == 0, LIMIT_MS);
    const struct cleat_client_target target = {&f->resource, NULL, NULL, NULL};
    struct cleat_object *list = NULL;
    ck_assert_int_eq(cleat_client_list(f->cluster.admin, &target, NULL, &list, NULL), 0);
    ck_assert_uint_eq(cleat_store_count(f->store, NULL),
                      cleat_value_count(cleat_object_find(list, "items")));
    list = cleat_object_unref(list);
    ck_assert_uint_gt(atomic_load(&crowd.calls), 0);
    fixture_close(f);
}
END_TEST

START_TEST(test_objects_outlive_the_cache)
{
    struct fixture f;
    struct cleat_object **objects = NULL;
    struct cleat_scratch scratch;
    size_t count = 0;
    fixture_open(&f);
    fixture_put(&f, "a", "x", "a value that is not packed");
    fixture_cache(&f, (struct cleat_cache_options){.name = NULL}, &everything);
    fixture_sync(&f);
    ck_assert_int_eq(cleat_store_list(f.store, NULL, &objects, &count), 0);
    ck_assert_uint_eq(count, 1);
    fixture_close(&f);
    ck_assert_str_eq(cleat_value_text(cleat_object_find(objects[0], "data.value"), &scratch).data,
                     "a value that is not packed");
    cleat_store_list_free(objects, count);
}
END_TEST

CLEAT_SUITE_MAIN("cache", test_load_and_follow, test_pages, test_old_server_without_streaming_lists,
                 test_server_that_forgot_the_version, test_own_write_is_waited_for,
                 test_refused_feed_says_so, test_broken_stream_is_resumed,
                 test_feeds_are_shared_and_end_with_the_last, test_selectors_are_the_servers,
                 test_metadata_only_then_wider, test_index_added_late,
                 test_feed_that_goes_while_it_loads, test_feed_that_goes_takes_nobody_over,
                 test_broken_watch_becomes_stale, test_metrics, test_everything_at_once,
                 test_objects_outlive_the_cache)
