/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong between a cache and its API server, over sockets: watches cut at frame boundaries
 * and a byte beside them, errors, rubbish, links of which one way or both are dead, a server that
 * hangs, dies, comes back, or comes back as another one with lower versions. After each the cache
 * equals a fresh list, versions never went back in between, and while it's blind for long it says
 * so. Time runs forty times as fast, so that back-offs and stall limits are those of the product.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include <cleat/cache.h>

#include "integration/cluster.h"
#include "support/fast_clock.h"
#include "support/proxy.h"
#include "support/suite.h"
#include "support/tally.h"
#include "support/wait.h"

#define TIMES 40
#define NAMESPACES 8
#define OBJECTS 4
#define ROUNDS 15
#define LIMIT_MS 30000

struct world {
    struct cleat_fast_clock clock;
    struct cleat_apiserver *server;
    struct cleat_proxy *proxy;   /* what is broken */
    struct cleat_proxy *clear;   /* what isn't */
    struct cleat_client *direct; /* by that */
    struct cleat_client *client;
    struct cleat_cache *cache;
    struct cleat_feed *feeds[NAMESPACES];
    struct cleat_store *store;
    struct cleat_handler *handler;
    struct cleat_resource resource;
    unsigned value;
    _Atomic(unsigned) events;
    _Atomic(unsigned) backwards; /* events that showed an older state than the one before */
    struct cleat_tally tally;
};

/* ---- the two ends ---- */

static uint16_t server_port(struct cleat_apiserver *server)
{
    return (uint16_t)strtoul(strrchr(cleat_apiserver_url(server), ':') + 1, NULL, 10);
}

static struct cleat_apiserver *server_new(struct world *world)
{
    const struct cleat_apiserver_options options = {
        .clock = &world->clock.clock, .plain_http = true, .no_gc = true};
    struct cleat_apiserver *server = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_apiserver_new(&options, &server, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_apiserver_start(server, &err) == 0, "%s", err.text);
    return server;
}

/* A proxy that goes to the server of now, or is turned there. */
static void proxy_open(struct world *world, struct cleat_proxy **proxy)
{
    struct cleat_kubeconfig *config = NULL;
    ck_assert_int_eq(cleat_apiserver_kubeconfig(world->server, "admin", NULL, &config, NULL), 0);
    if (!*proxy)
        *proxy = cleat_proxy_new(server_port(world->server));
    cleat_proxy_set_target(*proxy, server_port(world->server));
    cleat_proxy_set_token(*proxy, config->token);
    cleat_kubeconfig_free(config);
}

static struct cleat_client *client_new(struct cleat_proxy *proxy, const struct cleat_clock *clock)
{
    char url[64];
    struct cleat_kubeconfig *config = NULL;
    struct cleat_client *client = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", cleat_proxy_port(proxy));
    ck_assert_int_eq(cleat_kubeconfig_new(url, &config), 0);
    const struct cleat_client_options options = {.config = config, .clock = clock};
    ck_assert_msg(cleat_client_new(&options, &client, &err) == 0, "%s", err.text);
    cleat_kubeconfig_free(config);
    return client;
}

static void put(struct world *world, unsigned namespace_, unsigned object)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_document_format(
                         &document, NULL,
                         "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
                         "\"namespace\":\"n%u\",\"name\":\"o%u\"},\"data\":{\"value\":\"%u\"}}",
                         namespace_, object, world->value++),
                     0);
    ck_assert_msg(cleat_apiserver_put(world->server, cleat_document_root(document), &err) == 0,
                  "%s", err.text);
    cleat_document_unref(document);
}

static void patch(struct world *world, unsigned namespace_, unsigned object)
{
    char space[16], name[16], text[64];
    (void)snprintf(space, sizeof(space), "n%u", namespace_);
    (void)snprintf(name, sizeof(name), "o%u", object);
    (void)snprintf(text, sizeof(text), "{\"data\":{\"value\":\"%u\"}}", world->value++);
    const struct cleat_client_target target = {&world->resource, space, name, NULL};
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_client_patch(world->direct, &target, CLEAT_PATCH_MERGE, cleat_str_of(text), NULL,
                               NULL, &err);
    ck_assert_msg(r == 0, "%s", err.text);
}

static void delete (struct world *world, unsigned namespace_, unsigned object)
{
    char space[16], name[16];
    (void)snprintf(space, sizeof(space), "n%u", namespace_);
    (void)snprintf(name, sizeof(name), "o%u", object);
    const struct cleat_client_target target = {&world->resource, space, name, NULL};
    int r = cleat_client_delete(world->direct, &target, NULL, NULL, NULL);
    ck_assert_int_eq(r, 0);
}

/* What a handler would lose or get twice: an object's state must move on with each event. */
static void on_event(void *arg, const struct cleat_event *event)
{
    struct world *world = arg;
    atomic_fetch_add(&world->events, 1);
    if (event->type != CLEAT_EVENT_UPDATED || !event->old_object || !event->object)
        return;
    struct cleat_scratch scratch;
    struct cleat_str before =
        cleat_value_text(cleat_object_find(event->old_object, "data.value"), &scratch);
    unsigned long old = before.length > 0 ? strtoul(before.data, NULL, 10) : 0;
    struct cleat_str after =
        cleat_value_text(cleat_object_find(event->object, "data.value"), &scratch);
    if (after.length == 0 || strtoul(after.data, NULL, 10) <= old)
        atomic_fetch_add(&world->backwards, 1);
}

static void world_open(struct world *world, const char *note)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    memset(world, 0, sizeof(*world));
    world->tally = (struct cleat_tally){.name = "wire", .note = note};
    world->resource = (struct cleat_resource){.plural = "configmaps", .namespaced = true};
    ck_assert_int_eq(cleat_gvk_make(&world->resource.gvk, "", "v1", "ConfigMap"), 0);
    cleat_fast_clock_init(&world->clock, TIMES);
    world->server = server_new(world);
    proxy_open(world, &world->proxy);
    proxy_open(world, &world->clear);
    world->direct = client_new(world->clear, NULL);
    world->client = client_new(world->proxy, &world->clock.clock);
    for (unsigned i = 0; i < NAMESPACES * OBJECTS; i++)
        put(world, i / OBJECTS, i % OBJECTS);
    const struct cleat_cache_options options = {.client = world->client,
                                                .clock = &world->clock.clock};
    ck_assert_msg(cleat_cache_new(&options, &world->cache, &err) == 0, "%s", err.text);
    for (unsigned i = 0; i < NAMESPACES; i++) {
        char space[16];
        (void)snprintf(space, sizeof(space), "n%u", i);
        const struct cleat_feed_options feed = {.resource = world->resource, .namespace_ = space};
        ck_assert_msg(cleat_cache_feed(world->cache, &feed, &world->feeds[i], &err) == 0, "%s",
                      err.text);
    }
    world->store = cleat_feed_store(world->feeds[0]);
    ck_assert_int_eq(cleat_store_handler(world->store, on_event, world, &world->handler, NULL), 0);
    ck_assert_msg(cleat_cache_start(world->cache, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_cache_wait_synced(world->cache, LIMIT_MS, &err) == 0, "%s", err.text);
}

static void world_close(struct world *world)
{
    world->tally.wrong += atomic_load(&world->backwards);
    world->handler = cleat_handler_remove(world->handler);
    for (unsigned i = 0; i < NAMESPACES; i++)
        world->feeds[i] = cleat_feed_unref(world->feeds[i]);
    cleat_cache_stop(world->cache);
    cleat_cache_join(world->cache);
    world->cache = cleat_cache_free(world->cache);
    world->client = cleat_client_unref(world->client);
    world->direct = cleat_client_unref(world->direct);
    world->proxy = cleat_proxy_free(world->proxy);
    world->clear = cleat_proxy_free(world->clear);
    world->server = cleat_apiserver_free(world->server);
}

/* ---- equality ---- */

static bool store_has(struct world *world, struct cleat_value item)
{
    struct cleat_scratch scratch[3];
    struct cleat_object *object = NULL;
    struct cleat_str space =
        cleat_value_text(cleat_value_find(item, "metadata.namespace"), &scratch[0]);
    struct cleat_str name = cleat_value_text(cleat_value_find(item, "metadata.name"), &scratch[1]);
    struct cleat_str version =
        cleat_value_text(cleat_value_find(item, "metadata.resourceVersion"), &scratch[2]);
    bool has = cleat_store_lookup(world->store, space, name, &object) == 0 &&
               cleat_str_equal(cleat_object_resource_version(object), version) &&
               cleat_value_equal(cleat_object_find(object, "data"), cleat_value_get(item, "data"));
    cleat_object_unref(object);
    return has;
}

/* True where the cache holds what a fresh list shows, of what is in the namespaces n0 to n7. */
static bool equal(struct world *world)
{
    const struct cleat_client_target target = {.resource = &world->resource};
    struct cleat_object *list = NULL;
    size_t listed = 0, cached = cleat_store_count(world->store, NULL);
    if (cleat_client_list(world->direct, &target, NULL, &list, NULL) != 0)
        return false;
    struct cleat_value items = cleat_object_find(list, "items");
    bool same = true;
    for (size_t i = 0; same && i < cleat_value_count(items); i++) {
        struct cleat_scratch scratch;
        struct cleat_value item = cleat_value_at(items, i);
        struct cleat_str space =
            cleat_value_text(cleat_value_find(item, "metadata.namespace"), &scratch);
        if (space.length != 2 || space.data[0] != 'n')
            continue;
        listed++;
        same = store_has(world, item);
    }
    cleat_object_unref(list);
    return same && listed == cached;
}

/* Waits for equality, and for all to be well again. */
static void settle(struct world *world, const char *after)
{
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + LIMIT_MS;
    while (!equal(world) || !cleat_store_synced(world->store)) {
        ck_assert_msg(cleat_clock_mono_ms(cleat_clock_system()) < until_ms,
                      "after %s: %s, %zu cached", after,
                      cleat_store_synced(world->store) ? "synced, but not equal" : "not synced",
                      cleat_store_count(world->store, NULL));
        cleat_wait_moment();
    }
    world->tally.runs++;
}

/* Changes everywhere: something new, something else, something gone. */
static void churn(struct world *world)
{
    unsigned turn = (unsigned)world->tally.runs % OBJECTS;
    for (unsigned i = 0; i < NAMESPACES; i++) {
        patch(world, i, turn);
        delete (world, i, (turn + 1) % OBJECTS);
        put(world, i, (turn + 1) % OBJECTS);
        put(world, i, OBJECTS + (unsigned)world->tally.runs);
    }
}

/* Each watch ends; what is asked next is what a fault then meets. */
static void cut_all(struct world *world)
{
    cleat_proxy_set_mode(world->proxy, CLEAT_PROXY_CLOSE);
    cleat_proxy_set_mode(world->proxy, CLEAT_PROXY_PASS);
}

/* ---- what goes wrong ---- */

START_TEST(test_cut_at_frames)
{
    struct world world;
    world_open(&world, "watches cut at frames, errors, rubbish, dead links, dead servers");
    world.tally.least = ROUNDS * NAMESPACES;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < NAMESPACES; i++) {
            unsigned cut = round * NAMESPACES + i;
            unsigned before = cleat_proxy_cuts(world.proxy);
            cleat_proxy_cut(world.proxy, 1 + cut % 5, (int)(cut % 3) - 1, cut % 2 == 0);
            int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + LIMIT_MS;
            for (unsigned n = 0; cleat_proxy_cuts(world.proxy) == before; n++) {
                ck_assert_msg(cleat_clock_mono_ms(cleat_clock_system()) < until_ms,
                              "cut %u didn't come about", cut);
                if (n % 8 == 0)
                    patch(&world, (i + n / 8) % NAMESPACES, n % OBJECTS);
                cleat_wait_moment();
            }
            world.tally.injections++;
        }
        churn(&world);
        settle(&world, "cuts");
    }
    world_close(&world);
    cleat_tally_end(&world.tally);
}
END_TEST

START_TEST(test_errors)
{
    static const int codes[] = {410, 429, 500, 409, 504, 503, 403, 404, 400};
    static const char *const queries[] = {"watch=true", NULL};
    struct world world;
    world_open(&world, NULL);
    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
            const struct cleat_fault fault = {.method = "GET",
                                              .path = "/api/v1/namespaces/n",
                                              .query = queries[q],
                                              .status = codes[i],
                                              .times = NAMESPACES};
            char after[32];
            uint64_t before =
                cleat_apiserver_requests(world.server, "GET", "/api/v1/namespaces/n", queries[q]);
            int id = cleat_apiserver_fault(world.server, &fault);
            ck_assert_int_gt(id, 0);
            cut_all(&world);
            churn(&world);
            (void)snprintf(after, sizeof(after), "%d", codes[i]);
            CLEAT_WAIT_FOR(cleat_apiserver_requests(world.server, "GET", "/api/v1/namespaces/n",
                                                    queries[q]) >= before + NAMESPACES,
                           LIMIT_MS);
            settle(&world, after);
            cleat_apiserver_fault_clear(world.server, id);
            world.tally.injections += NAMESPACES;
        }
    }
    world_close(&world);
    cleat_tally_end(&world.tally);
}
END_TEST

static bool any_stale(struct world *world)
{
    struct cleat_feed_status status;
    for (unsigned i = 0; i < NAMESPACES; i++) {
        cleat_feed_status(world->feeds[i], &status);
        if (status.state == CLEAT_FEED_STALE)
            return true;
    }
    return false;
}

/* A link that breaks in some way: the cache gets to know, says so, and gets over it. */
START_TEST(test_links)
{
    static const struct {
        const char *name;
        enum cleat_proxy_mode mode;
        bool cut; /* existing connections end; else they are left half open */
    } links[] = {
        {"a server that can't hear", CLEAT_PROXY_DEAF, true},
        {"a half-open link", CLEAT_PROXY_MUTE, false},
        {"a server that takes connections and hangs", CLEAT_PROXY_FROZEN, true},
        {"rubbish", CLEAT_PROXY_RUBBISH, true},
        {"a server that hangs up", CLEAT_PROXY_CLOSE, true},
    };
    struct world world;
    world_open(&world, NULL);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (links[i].cut)
            cleat_proxy_set_mode(world.proxy, CLEAT_PROXY_CLOSE);
        cleat_proxy_set_mode(world.proxy, links[i].mode);
        churn(&world);
        CLEAT_WAIT_FOR(any_stale(&world), LIMIT_MS);
        world.tally.wrong += cleat_store_synced(world.store);
        cleat_proxy_set_mode(world.proxy, CLEAT_PROXY_PASS);
        settle(&world, links[i].name);
        world.tally.wrong += any_stale(&world);
        world.tally.injections++;
    }
    ck_assert_uint_gt(cleat_proxy_broken(world.proxy), 0);
    world_close(&world);
    cleat_tally_end(&world.tally);
}
END_TEST

START_TEST(test_server_dies_and_comes_back)
{
    struct world world;
    world_open(&world, NULL);
    for (int i = 0; i < 3; i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        churn(&world);
        cleat_apiserver_stop(world.server);
        if (i == 0)
            CLEAT_WAIT_FOR(any_stale(&world), LIMIT_MS);
        ck_assert_msg(cleat_apiserver_start(world.server, &err) == 0, "%s", err.text);
        if (i == 2)
            cleat_apiserver_compact(world.server);
        churn(&world);
        settle(&world, "a restart");
        world.tally.injections++;
    }
    world_close(&world);
    cleat_tally_end(&world.tally);
}
END_TEST

/* Restored from a backup, as it were: other objects, and versions that were given out before. */
START_TEST(test_another_server_with_lower_versions)
{
    struct world world;
    world_open(&world, NULL);
    for (unsigned i = 0; i < 40; i++)
        churn(&world);
    settle(&world, "changes");
    struct cleat_apiserver *old = world.server;
    world.server = server_new(&world);
    for (unsigned i = 0; i < NAMESPACES * OBJECTS; i++)
        put(&world, i / OBJECTS, i % OBJECTS);
    proxy_open(&world, &world.clear);
    proxy_open(&world, &world.proxy);
    cut_all(&world);
    cleat_apiserver_free(old);
    settle(&world, "another server");
    churn(&world);
    settle(&world, "changes on another server");
    world.tally.injections++;
    world_close(&world);
    cleat_tally_end(&world.tally);
}
END_TEST

CLEAT_SUITE_MAIN("wire server", test_cut_at_frames, test_errors, test_links,
                 test_server_dies_and_comes_back, test_another_server_with_lower_versions)
