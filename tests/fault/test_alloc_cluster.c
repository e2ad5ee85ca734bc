/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out between a client and a cluster: calls, the cache, certificates, election,
 * events, and the embedded API server itself. Each scene says whose requests count, so that the
 * other side goes on having memory.
 */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <cleat/cache.h>
#include <cleat/certs.h>
#include <cleat/discovery.h>
#include <cleat/election.h>
#include <cleat/recorder.h>

#include "controller/recorder.h"
#include "fault/alloc_libraries.h"
#include "fault/alloc_samples.h"
#include "integration/cluster.h"
#include "support/wait.h"

static const struct cleat_resource maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0xff};
static const struct cleat_resource secrets = {
    {"", "v1", "Secret"}, "secrets", "secret", true, 0xff};
static const struct cleat_resource namespaces = {
    {"", "v1", "Namespace"}, "namespaces", "namespace", false, 0xff};
static const struct cleat_resource leases = {
    {"coordination.k8s.io", "v1", "Lease"}, "leases", "lease", true, 0xff};

#define NS "shop"
#define MAP(name, value)                                                                 \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name       \
    "\",\"namespace\":\"" NS "\",\"labels\":{\"app\":\"web\"}},\"data\":{\"k\":\"" value \
    "\",\"l\":"                                                                          \
    "\"" SAMPLE_LONG "\"}}"

/* A cluster with a namespace; one at a time. */
static struct cluster *stage_cluster(void)
{
    static struct cluster cluster;
    cluster_open(&cluster);
    ck_assert_int_eq(cluster_make(&cluster, &namespaces, NULL,
                                  "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{"
                                  "\"name\":\"" NS "\"}}"),
                     0);
    return &cluster;
}

static void *open_cluster(void)
{
    return stage_cluster();
}

static void close_cluster(void *arg)
{
    cluster_close(arg);
}

/* ---- calls ---- */

/* An object is there as it was sent, or not at all; then it goes, so that each run begins anew. */
static bool whole_map(void *arg)
{
    struct cluster *cluster = arg;
    const struct cleat_client_target target = {&maps, NS, "a", NULL};
    struct cleat_object *object = NULL;
    int r = cleat_client_get(cluster->admin, &target, NULL, &object, NULL);
    if (r == -ENOENT)
        return true;
    bool whole = r == 0 && cleat_value_count(cleat_object_find(object, "data")) == 2 &&
                 (cleat_value_is(cleat_object_find(object, "data.k"), "one") ||
                  cleat_value_is(cleat_object_find(object, "data.k"), "two") ||
                  cleat_value_is(cleat_object_find(object, "data.k"), "three"));
    cleat_object_unref(object);
    return whole && cluster_remove(cluster, &maps, NS, "a") == 0;
}

static int count_item(void *arg, struct cleat_value item)
{
    *(size_t *)arg += cleat_value_is(cleat_value_find(item, "metadata.name"), "a");
    return 0;
}

static int map_change(struct cleat_client *client, struct cleat_object *object,
                      struct cleat_err *err)
{
    const struct cleat_client_target target = {&maps, NS, "a", NULL};
    struct cleat_draft *draft = NULL;
    struct cleat_object *patched = NULL;
    int r = cleat_draft_new(cleat_object_value(object), &draft, err);
    SAMPLE_STEP(r, cleat_draft_set_text(draft, "data.k", "two", err));
    SAMPLE_STEP(r, cleat_client_update_draft(client, &target, object, draft, NULL, NULL, err));
    SAMPLE_STEP(r,
                cleat_client_patch(client, &target, CLEAT_PATCH_MERGE,
                                   CLEAT_STR("{\"data\":{\"k\":\"three\"}}"), NULL, &patched, err));
    if (r == 0 && !cleat_value_is(cleat_object_find(patched, "data.k"), "three"))
        r = CLEAT_SWEEP_WRONG;
    cleat_object_unref(patched);
    cleat_draft_free(draft);
    return r;
}

static int run_calls(void *arg, struct cleat_err *err)
{
    struct cluster *cluster = arg;
    struct cleat_client *client = cluster->admin;
    const struct cleat_client_target one = {&maps, NS, "a", NULL}, all = {&maps, NS, NULL, NULL};
    struct cleat_document *document = NULL;
    struct cleat_object *object = NULL, *list = NULL;
    size_t count = 0;
    int r = cleat_document_parse(CLEAT_STR(MAP("a", "one")), &document, err);
    SAMPLE_STEP(r,
                cleat_client_create(client, &all, cleat_document_root(document), NULL, NULL, err));
    SAMPLE_STEP(r, cleat_client_get(client, &one, NULL, &object, err));
    SAMPLE_STEP(r, map_change(client, object, err));
    SAMPLE_STEP(r, cleat_client_list(client, &all, NULL, &list, err));
    SAMPLE_STEP(r, cleat_client_list_each(client, &all, NULL, count_item, &count, err));
    if (r == 0 && count != 1) {
        (void)cleat_err_set(err, -EILSEQ, "a list of %zu", count);
        r = CLEAT_SWEEP_WRONG;
    }
    SAMPLE_STEP(r, cleat_client_delete(client, &one, NULL, NULL, err));
    cleat_object_unref(list);
    cleat_object_unref(object);
    cleat_document_unref(document);
    return sample_named(r, err);
}

/* A client from nothing, so that its connection, its certificates and its head are swept as well.
 */
static int run_first_call(void *arg, struct cleat_err *err)
{
    struct cluster *cluster = arg;
    struct cleat_kubeconfig *config = NULL;
    struct cleat_client *client = NULL;
    struct cleat_object *who = NULL;
    int r = cleat_apiserver_kubeconfig(cluster->server, "bob", NULL, &config, err);
    const struct cleat_client_options options = {.config = config};
    SAMPLE_STEP(r, cleat_client_new(&options, &client, err));
    SAMPLE_STEP(r, cleat_client_whoami(client, &who, err));
    if (r == 0 && !cleat_value_is(cleat_object_find(who, "status.userInfo.username"), "bob"))
        r = CLEAT_SWEEP_WRONG;
    cleat_object_unref(who);
    cleat_client_unref(client);
    cleat_kubeconfig_free(config);
    return sample_named(r, err);
}

/* "Allowed" only ever comes from the API server. */
static int run_access(void *arg, struct cleat_err *err)
{
    struct cluster *cluster = arg;
    const struct cleat_access_question question = {
        .user = "nobody", .verb = "get", .version = "v1", .plural = "secrets", .namespace_ = NS};
    char reason[256];
    bool allowed = false;
    int r = cleat_client_access(cluster->admin, &question, INT64_MAX, &allowed, reason, err);
    return allowed ? CLEAT_SWEEP_WRONG : sample_named(r, err);
}

static int run_discovery(void *arg, struct cleat_err *err)
{
    struct cluster *cluster = arg;
    struct cleat_discovery *discovery = NULL;
    struct cleat_resource resource;
    const struct cleat_gvk deployment = {"apps", "v1", "Deployment"};
    int r = cleat_discovery_new(cluster->admin, NULL, &discovery);
    SAMPLE_STEP(r, cleat_discovery_kind(discovery, &deployment, &resource, err));
    if (r == 0 && strcmp(resource.plural, "deployments") != 0)
        r = CLEAT_SWEEP_WRONG;
    if (r == CLEAT_DISCOVERY_UNKNOWN)
        r = CLEAT_SWEEP_WRONG; /* lacking memory is no kind that isn't served */
    SAMPLE_STEP(r, cleat_discovery_find(discovery, "ConfigMap", &resource, err));
    cleat_discovery_free(discovery);
    return sample_named(r, err);
}

/* ---- the cache ---- */

static void *open_cache(void)
{
    struct cluster *cluster = stage_cluster();
    ck_assert_int_eq(cluster_make(cluster, &maps, NS, MAP("a", "one")), 0);
    ck_assert_int_eq(cluster_make(cluster, &maps, NS, MAP("b", "two")), 0);
    return cluster;
}

#define close_cache close_cluster

static void count_event(void *arg, const struct cleat_event *event)
{
    if (event->type == CLEAT_EVENT_ADDED && cleat_str_is(event->name, "a"))
        atomic_fetch_add((_Atomic(unsigned) *)arg, 1);
}

/* What a synced store says: both objects, and that a third is missing. */
static int cache_look(struct cleat_feed *feed, struct cleat_err *err)
{
    struct cleat_store *store = cleat_feed_store(feed);
    struct cleat_object *object = NULL;
    int r = cleat_store_lookup(store, CLEAT_STR(NS), CLEAT_STR("a"), &object);
    if (r == 0 && !cleat_value_is(cleat_object_find(object, "data.k"), "one"))
        r = CLEAT_SWEEP_WRONG;
    cleat_object_unref(object);
    object = NULL;
    if (r == 0 &&
        (cleat_store_lookup(store, CLEAT_STR(NS), CLEAT_STR("c"), &object) != CLEAT_STORE_MISSING ||
         cleat_store_count(store, NULL) < 2))
        r = CLEAT_SWEEP_WRONG;
    if (r > 0)
        (void)cleat_err_set(err, -EILSEQ, "lookup: %d", r);
    return r > 0 ? CLEAT_SWEEP_WRONG : r;
}

/* Once it has begun, a cache gets over everything as soon as there is memory. */
static int run_cache(void *arg, struct cleat_err *err)
{
    struct cluster *cluster = arg;
    _Atomic(unsigned) told = 0;
    struct cleat_cache *cache = NULL;
    struct cleat_feed *feed = NULL;
    struct cleat_handler *handler = NULL;
    struct cleat_err late = CLEAT_ERR_INIT;
    const struct cleat_cache_options options = {.client = cluster->admin};
    const struct cleat_feed_options feed_options = {.resource = maps, .namespace_ = NS};
    int r = cleat_cache_new(&options, &cache, err);
    SAMPLE_STEP(r, cleat_cache_feed(cache, &feed_options, &feed, err));
    SAMPLE_STEP(r, cleat_store_handler(cleat_feed_store(feed), count_event, &told, &handler, err));
    SAMPLE_STEP(r, cleat_cache_start(cache, err));
    if (r == 0) {
        for (int i = 0; i < 300 && !cleat_feed_synced(feed) && !cleat_mem_failed(); i++)
            cleat_wait_moment();
        for (int i = 0; i < 5; i++) /* some of what comes of it, too */
            cleat_wait_moment();
        cleat_sweep_lift();
        r = cleat_feed_wait_synced(feed, 20000, &late);
        SAMPLE_STEP(r, cache_look(feed, &late));
        if (r == 0)
            CLEAT_WAIT_FOR(atomic_load(&told) >= 1, 10000);
        if (r != 0)
            *err = late;
        r = r != 0 ? CLEAT_SWEEP_WRONG : 0;
        cleat_cache_stop(cache);
        cleat_cache_join(cache);
    }
    handler = cleat_handler_remove(handler);
    feed = cleat_feed_unref(feed);
    cleat_cache_free(cache);
    return sample_named(r, err);
}

/* ---- certificates ---- */

static const struct cleat_client_target secret_target = {&secrets, NS, "certs", NULL};

static int rotator_run(struct cluster *cluster, struct cleat_err *err)
{
    static const char *const names[] = {"cleat.cleat-system.svc", "127.0.0.1", NULL};
    const struct cleat_rotator_options options = {
        .client = cluster->admin, .namespace_ = NS, .secret = "certs", .names = names};
    struct cleat_rotator *rotator = NULL;
    struct cleat_bundle *bundle = NULL;
    int r = cleat_rotator_new(&options, &rotator, err);
    SAMPLE_STEP(r, cleat_rotator_turn(rotator, err));
    if (r == 0) {
        bundle = cleat_rotator_bundle(rotator);
        r = bundle ? 0 : CLEAT_SWEEP_WRONG;
    }
    cleat_bundle_unref(bundle);
    cleat_rotator_free(rotator);
    return sample_named(r, err);
}

static int run_rotator(void *arg, struct cleat_err *err)
{
    return rotator_run(arg, err);
}

/* The Secret is whole, and a rotator that comes to it serves it; then it goes. */
static bool whole_rotator_first(void *arg)
{
    struct cluster *cluster = arg;
    struct cleat_object *object = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    bool whole = rotator_run(cluster, &err) == 0 &&
                 cleat_client_get(cluster->admin, &secret_target, NULL, &object, NULL) == 0 &&
                 cleat_value_count(cleat_object_find(object, "data")) >= 4;
    cleat_object_unref(object);
    return whole && cluster_remove(cluster, &secrets, NS, "certs") == 0;
}

static char rotator_version[64];

static bool rotator_same(struct cluster *cluster, bool note)
{
    struct cleat_object *object = NULL;
    int r = cleat_client_get(cluster->admin, &secret_target, NULL, &object, NULL);
    struct cleat_str version = r == 0 ? cleat_object_resource_version(object) : CLEAT_STR("");
    bool same = cleat_str_is(version, rotator_version);
    if (note)
        (void)snprintf(rotator_version, sizeof(rotator_version), "%.*s", CLEAT_STR_ARG(version));
    cleat_object_unref(object);
    return r == 0 && same;
}

static void *open_rotator_keeps(void)
{
    struct cluster *cluster = stage_cluster();
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(rotator_run(cluster, &err) == 0, "%s", err.text);
    (void)rotator_same(cluster, true);
    return cluster;
}

/* A good pair stays, whatever there was no memory for: nobody overwrites it, or all that trust it
 * would turn away. */
static bool whole_rotator_keeps(void *arg)
{
    return rotator_same(arg, false);
}

/* ---- events ---- */

static int run_recorder(void *arg, struct cleat_err *err)
{
    struct cluster *cluster = arg;
    struct cleat_recorder *recorder = NULL;
    struct cleat_object *object = NULL;
    const struct cleat_recorder_options options = {.client = cluster->admin, .controller = "swept"};
    int r = cleat_recorder_new(&options, &recorder, err);
    SAMPLE_STEP(r, cleat_object_parse(CLEAT_STR(MAP("a", "one")), &object, err));
    if (r == 0) {
        const struct cleat_event_note note = {
            .regarding = object, .reason = "Swept", .note = "a text"};
        cleat_recorder_post(recorder, &note);
        cleat_recorder_post(recorder, &note);
    }
    cleat_object_unref(object);
    if (recorder && cleat__recorder_stop(recorder, 20000) != 0)
        r = CLEAT_SWEEP_WRONG;
    cleat_recorder_free(recorder);
    return sample_named(r, err);
}

/* ---- election ---- */

static void led(void *arg)
{
    atomic_fetch_add((_Atomic(unsigned) *)arg, 1);
}

/* Whoever stands is elected once there is memory, and leaves the lease free. */
static int run_election(void *arg, struct cleat_err *err)
{
    struct cluster *cluster = arg;
    _Atomic(unsigned) started = 0;
    struct cleat_election *election = NULL;
    const struct cleat_election_options options = {.client = cluster->admin,
                                                   .namespace_ = NS,
                                                   .name = "swept",
                                                   .identity = "me",
                                                   .lease_duration_ms = 15000,
                                                   .renew_deadline_ms = 10000,
                                                   .retry_period_ms = 30,
                                                   .on_started = led,
                                                   .arg = &started};
    int r = cleat_election_new(&options, &election, err);
    SAMPLE_STEP(r, cleat_election_start(election, err));
    if (r == 0) {
        for (int i = 0; i < 10 && atomic_load(&started) == 0; i++)
            cleat_wait_moment();
        cleat_sweep_lift();
        CLEAT_WAIT_FOR(atomic_load(&started) > 0 && cleat_election_leading(election), 20000);
        cleat_election_stop(election);
        cleat_election_join(election);
    }
    cleat_election_free(election);
    return sample_named(r, err);
}

static bool whole_election(void *arg)
{
    const struct cleat_client_target target = {&leases, NS, "swept", NULL};
    struct cluster *cluster = arg;
    struct cleat_object *object = NULL;
    struct cleat_scratch scratch;
    int r = cleat_client_get(cluster->admin, &target, NULL, &object, NULL);
    bool free_ =
        r == -ENOENT ||
        (r == 0 &&
         cleat_value_text(cleat_object_find(object, "spec.holderIdentity"), &scratch).length == 0);
    cleat_object_unref(object);
    return free_;
}

/* ---- the embedded API server ---- */

static int see_frame(void *arg, struct cleat_str type, struct cleat_object *object)
{
    bool ours = cleat_str_is(cleat_object_name(object), "a");
    if (ours && cleat_value_count(cleat_object_find(object, "data")) != 2) {
        (void)cleat_err_set(arg, -EILSEQ, "%.*s of a part", CLEAT_STR_ARG(type));
        return CLEAT_SWEEP_WRONG;
    }
    return ours && cleat_str_is(type, "DELETED") ? 2 : 0;
}

/* Calls of a client that has memory to a server that lacks it: each is an error, or was done. */
static int run_apiserver(void *arg, struct cleat_err *err)
{
    struct cluster *cluster = arg;
    const struct cleat_client_target one = {&maps, NS, "a", NULL}, all = {&maps, NS, NULL, NULL};
    const struct cleat_client_call from = {.resource_version = "1",
                                           .deadline_mono_ms =
                                               cleat_clock_mono_ms(cleat_clock_system()) + 5000};
    struct cleat_object *made = NULL;
    int r = run_calls(cluster, err);
    SAMPLE_STEP(r, cleat_client_watch(cluster->admin, &all, &from, see_frame, err, err));
    r = r == 2 ? 0 : r;
    SAMPLE_STEP(r, cluster_make(cluster, &maps, NS, MAP("a", "one")));
    SAMPLE_STEP(r, cleat_client_get(cluster->admin, &one, NULL, &made, err));
    if (r == 0 && !cleat_value_is(cleat_object_find(made, "data.k"), "one")) {
        (void)cleat_err_set(err, -EILSEQ, "what was made is another");
        r = CLEAT_SWEEP_WRONG;
    }
    SAMPLE_STEP(r, cleat_client_delete(cluster->admin, &one, NULL, NULL, err));
    cleat_object_unref(made);
    return r < 0 && err->code == 0 ? cleat_err_set(err, r, "create") : r;
}

#define OF(label, stage, fn, check, whose, more, at_most)                              \
    {                                                                                  \
        .name = (label), .open = open_##stage, .run = (fn), .whole = (check),          \
        .close = close_##stage, .threads = (whose), .flags = (more), .most = (at_most) \
    }

static const struct sweep_scene scenes[] = {
    OF("calls", cluster, run_calls, whole_map, "here", SWEEP_TOLERANT, 600),
    OF("first-call", cluster, run_first_call, NULL, "here", SWEEP_TOLERANT, 600),
    OF("access", cluster, run_access, NULL, "here", SWEEP_TOLERANT, 300),
    OF("discovery", cluster, run_discovery, NULL, "here", SWEEP_TOLERANT, 300),
    OF("cache", cache, run_cache, NULL, "here,ingest,events", SWEEP_TOLERANT, 120),
    OF("rotator-first", cluster, run_rotator, whole_rotator_first, "here", SWEEP_TOLERANT, 400),
    {.name = "rotator-keeps",
     .open = open_rotator_keeps,
     .run = run_rotator,
     .whole = whole_rotator_keeps,
     .close = close_cluster,
     .threads = "here",
     .flags = SWEEP_TOLERANT,
     .most = 400},
    OF("recorder", cluster, run_recorder, NULL, "here,recorder", SWEEP_TOLERANT, 200),
    OF("election", cluster, run_election, whole_election, "here,elect", SWEEP_TOLERANT, 150),
    OF("apiserver", cluster, run_apiserver, whole_map, "there", SWEEP_TOLERANT | SWEEP_OTHER, 400),
};

int main(int argc, char **argv)
{
    alloc_libraries_hook();
    return cleat_sweep_main("alloc-cluster", scenes, sizeof(scenes) / sizeof(scenes[0]), 1000, argc,
                            argv);
}
