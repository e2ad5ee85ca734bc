/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded API server under many clients at once, over TLS: what optimistic concurrency, pages
 * and watches promise holds while everybody writes.
 */
#include <cleat/apiserver.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "cluster.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource configmaps = {.gvk = {"", "v1", "ConfigMap"},
                                                 .plural = "configmaps",
                                                 .singular = "configmap",
                                                 .namespaced = true};
static const struct cleat_resource namespaces = {
    .gvk = {"", "v1", "Namespace"}, .plural = "namespaces", .singular = "namespace"};

#define WORKERS 4
#define ROUNDS 25

struct worker {
    struct cluster *cluster;
    struct cleat_client *client;
    int number;
    pthread_t thread;
};

static void run_workers(struct cluster *cluster, void *(*fn)(void *arg))
{
    struct worker workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.cluster = cluster, .number = i};
        workers[i].client = cluster_client(cluster, NULL);
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, fn, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        (void)cleat_client_unref(workers[i].client);
    }
}

/* Adds one to a counter under the version that was read; false where somebody was faster. */
static bool count_once(struct worker *worker)
{
    const struct cleat_client_target target = {&configmaps, "default", "counter", NULL};
    struct cleat_object *object = NULL;
    struct cleat_draft *draft = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_client_get(worker->client, &target, NULL, &object, &err) == 0, "%s",
                  err.text);
    struct cleat_scratch scratch;
    struct cleat_str text = cleat_value_text(cleat_object_find(object, "data.n"), &scratch);
    char next[32];
    (void)snprintf(next, sizeof(next), "%ld", strtol(text.data, NULL, 10) + 1);
    ck_assert_int_eq(cleat_draft_new(cleat_object_value(object), &draft, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_text(draft, "data.n", next, NULL), 0);
    int result =
        cleat_client_update_draft(worker->client, &target, object, draft, NULL, NULL, &err);
    ck_assert_msg(result == 0 || result == -EAGAIN, "%s", err.text);
    (void)cleat_draft_free(draft);
    (void)cleat_object_unref(object);
    return result == 0;
}

static void *count(void *arg)
{
    for (int done = 0; done < ROUNDS;)
        done += count_once(arg);
    return NULL;
}

START_TEST(test_no_update_is_lost)
{
    struct cluster cluster;
    struct cleat_object *object = NULL;
    const struct cleat_client_target target = {&configmaps, "default", "counter", NULL};
    cluster_open(&cluster);
    ck_assert_int_eq(cluster_make(&cluster, &configmaps, "default",
                                  "{\"metadata\":{\"name\":\"counter\"},\"data\":{\"n\":\"0\"}}"),
                     0);
    run_workers(&cluster, count);
    ck_assert_int_eq(cleat_client_get(cluster.admin, &target, NULL, &object, NULL), 0);
    char wanted[16];
    (void)snprintf(wanted, sizeof(wanted), "%d", WORKERS * ROUNDS);
    ck_assert(cleat_value_is(cleat_object_find(object, "data.n"), wanted));
    (void)cleat_object_unref(object);
    cluster_close(&cluster);
}
END_TEST

static void *patch(void *arg)
{
    struct worker *worker = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char body[64];
        (void)snprintf(body, sizeof(body), "{\"data\":{\"k%d-%d\":\"x\"}}", worker->number, i);
        const struct cleat_client_target target = {&configmaps, "default", "shared", NULL};
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(cleat_client_patch(worker->client, &target, CLEAT_PATCH_MERGE,
                                         cleat_str_of(body), NULL, NULL, &err) == 0,
                      "%s", err.text);
    }
    return NULL;
}

START_TEST(test_patches_without_a_version_all_happen)
{
    struct cluster cluster;
    struct cleat_object *object = NULL;
    const struct cleat_client_target target = {&configmaps, "default", "shared", NULL};
    cluster_open(&cluster);
    ck_assert_int_eq(
        cluster_make(&cluster, &configmaps, "default", "{\"metadata\":{\"name\":\"shared\"}}"), 0);
    run_workers(&cluster, patch);
    ck_assert_int_eq(cleat_client_get(cluster.admin, &target, NULL, &object, NULL), 0);
    ck_assert_uint_eq(cleat_value_count(cleat_object_find(object, "data")), WORKERS * ROUNDS);
    (void)cleat_object_unref(object);
    cluster_close(&cluster);
}
END_TEST

static void *churn(void *arg)
{
    struct worker *worker = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct cleat_object *made = NULL;
        struct cleat_document *body = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_client_target target = {&configmaps, "default", NULL, NULL};
        ck_assert_int_eq(
            cleat_document_parse(CLEAT_STR("{\"metadata\":{\"generateName\":\"churn-\"}}"), &body,
                                 NULL),
            0);
        ck_assert_msg(cleat_client_create(worker->client, &target, cleat_document_root(body), NULL,
                                          &made, &err) == 0,
                      "%s", err.text);
        target.name = cleat_object_name(made).data;
        ck_assert_msg(cleat_client_delete(worker->client, &target, NULL, NULL, &err) == 0, "%s",
                      err.text);
        (void)cleat_document_unref(body);
        (void)cleat_object_unref(made);
    }
    return NULL;
}

struct pages {
    size_t stable;
};

static int on_item(void *arg, struct cleat_value item)
{
    struct pages *pages = arg;
    struct cleat_scratch scratch;
    struct cleat_str name = cleat_value_text(cleat_value_find(item, "metadata.name"), &scratch);
    if (name.length > 7 && memcmp(name.data, "stable-", 7) == 0)
        pages->stable++;
    return 0;
}

static void *page(void *arg)
{
    struct cluster *cluster = arg;
    const struct cleat_client_target target = {&configmaps, "default", NULL, NULL};
    const struct cleat_client_call call = {.limit = 7};
    for (int i = 0; i < 10; i++) {
        struct pages pages = {0};
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(
            cleat_client_list_each(cluster->admin, &target, &call, on_item, &pages, &err) == 0,
            "%s", err.text);
        ck_assert_uint_eq(pages.stable, 50);
    }
    return NULL;
}

/* Pages show every object that was there all the time exactly once, whatever else comes and goes.
 */
START_TEST(test_pages_under_churn)
{
    struct cluster cluster;
    pthread_t pager;
    cluster_open(&cluster);
    for (int i = 0; i < 50; i++) {
        char body[64];
        (void)snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"stable-%d\"}}", i);
        ck_assert_int_eq(cluster_make(&cluster, &configmaps, "default", body), 0);
    }
    ck_assert_int_eq(pthread_create(&pager, NULL, page, &cluster), 0);
    run_workers(&cluster, churn);
    pthread_join(pager, NULL);
    cluster_close(&cluster);
}
END_TEST

struct counts {
    _Atomic(int) added;
    _Atomic(int) deleted;
    _Atomic(bool) stop;
    uint64_t last; /* resourceVersion; they only grow */
};

static int on_event(void *arg, struct cleat_str type, struct cleat_object *object)
{
    struct counts *counts = arg;
    uint64_t version = strtoull(cleat_object_resource_version(object).data, NULL, 10);
    ck_assert_uint_gt(version, counts->last);
    counts->last = version;
    if (cleat_str_is(type, "ADDED"))
        counts->added++;
    else if (cleat_str_is(type, "DELETED"))
        counts->deleted++;
    return counts->stop;
}

struct watching {
    struct cluster *cluster;
    struct counts counts;
    char version[32];
};

static void *watch(void *arg)
{
    struct watching *watching = arg;
    const struct cleat_client_target target = {&configmaps, "default", NULL, NULL};
    const struct cleat_client_call call = {.resource_version = watching->version};
    struct cleat_client *client = cluster_client(watching->cluster, NULL);
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_client_watch(client, &target, &call, on_event, &watching->counts, &err) >=
                      0,
                  "%s", err.text);
    (void)cleat_client_unref(client);
    return NULL;
}

START_TEST(test_watch_misses_nothing)
{
    struct cluster cluster;
    struct watching watching = {.cluster = &cluster};
    pthread_t watcher;
    struct cleat_object *list = NULL;
    const struct cleat_client_target target = {&configmaps, "default", NULL, NULL};
    cluster_open(&cluster);
    ck_assert_int_eq(cleat_client_list(cluster.admin, &target, NULL, &list, NULL), 0);
    (void)snprintf(watching.version, sizeof(watching.version), "%s",
                   cleat_object_resource_version(list).data);
    (void)cleat_object_unref(list);
    ck_assert_int_eq(pthread_create(&watcher, NULL, watch, &watching), 0);
    run_workers(&cluster, churn);
    CLEAT_WAIT_FOR(watching.counts.deleted == WORKERS * ROUNDS, 10000);
    ck_assert_int_ge(watching.counts.added, WORKERS * ROUNDS);
    watching.counts.stop = true;
    ck_assert_int_eq(
        cluster_make(&cluster, &configmaps, "default", "{\"metadata\":{\"name\":\"last\"}}"), 0);
    pthread_join(watcher, NULL);
    cluster_close(&cluster);
}
END_TEST

static void *families(void *arg)
{
    struct worker *worker = arg;
    for (int i = 0; i < 5; i++) {
        char name[32];
        char body[512];
        struct cleat_object *owner = NULL;
        struct cleat_document *document = NULL;
        (void)snprintf(name, sizeof(name), "owner-%d-%d", worker->number, i);
        (void)snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"%s\"}}", name);
        ck_assert_int_eq(cluster_make(worker->cluster, &configmaps, "default", body), 0);
        const struct cleat_client_target target = {&configmaps, "default", name, NULL};
        ck_assert_int_eq(cleat_client_get(worker->client, &target, NULL, &owner, NULL), 0);
        const struct cleat_client_target all = {&configmaps, "default", NULL, NULL};
        for (int child = 0; child < 5; child++) {
            ck_assert_int_eq(cleat_document_format(
                                 &document, NULL,
                                 "{\"metadata\":{\"generateName\":\"child-\",\"ownerReferences\":[{"
                                 "\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"%s\","
                                 "\"uid\":\"%s\"}]}}",
                                 name, cleat_object_uid(owner).data),
                             0);
            ck_assert_int_eq(cleat_client_create(worker->client, &all,
                                                 cleat_document_root(document), NULL, NULL, NULL),
                             0);
            document = cleat_document_unref(document);
        }
        const struct cleat_client_call call = {.propagation = i % 2 ? "Foreground" : "Background"};
        ck_assert_int_eq(cleat_client_delete(worker->client, &target, &call, NULL, NULL), 0);
        (void)cleat_object_unref(owner);
    }
    return NULL;
}

static size_t objects_left(struct cluster *cluster)
{
    struct cleat_object *list = NULL;
    const struct cleat_client_target target = {&configmaps, "default", NULL, NULL};
    ck_assert_int_eq(cleat_client_list(cluster->admin, &target, NULL, &list, NULL), 0);
    size_t count = cleat_value_count(cleat_object_find(list, "items"));
    (void)cleat_object_unref(list);
    return count;
}

START_TEST(test_families_are_collected)
{
    struct cluster cluster;
    cluster_open(&cluster);
    run_workers(&cluster, families);
    /* The ConfigMap with the CA stays. */
    CLEAT_WAIT_FOR(objects_left(&cluster) == 1, 20000);
    cluster_close(&cluster);
}
END_TEST

static bool is_gone(struct cluster *cluster, const char *name)
{
    const struct cleat_client_target target = {&namespaces, NULL, name, NULL};
    return cleat_client_get(cluster->admin, &target, NULL, NULL, NULL) == -ENOENT;
}

/* Objects that are created while their namespace goes away don't outlive it. */
static void *squat(void *arg)
{
    struct worker *worker = arg;
    const struct cleat_client_target target = {&configmaps, "doomed", NULL, NULL};
    struct cleat_document *body = NULL;
    int result = 0;
    ck_assert_int_eq(
        cleat_document_parse(CLEAT_STR("{\"metadata\":{\"generateName\":\"s-\"}}"), &body, NULL),
        0);
    for (int i = 0; i < 1000 && result == 0; i++) {
        result = cleat_client_create(worker->client, &target, cleat_document_root(body), NULL, NULL,
                                     NULL);
        if (worker->number == 0 && i == 20) {
            const struct cleat_client_target doomed = {&namespaces, NULL, "doomed", NULL};
            ck_assert_int_eq(cleat_client_delete(worker->client, &doomed, NULL, NULL, NULL), 0);
        }
    }
    ck_assert(result == -EACCES || result == -ENOENT);
    (void)cleat_document_unref(body);
    return NULL;
}

START_TEST(test_namespace_takes_all_along)
{
    struct cluster cluster;
    cluster_open(&cluster);
    ck_assert_int_eq(
        cluster_make(&cluster, &namespaces, NULL, "{\"metadata\":{\"name\":\"doomed\"}}"), 0);
    run_workers(&cluster, squat);
    CLEAT_WAIT_FOR(is_gone(&cluster, "doomed"), 20000);
    ck_assert_int_eq(
        cluster_make(&cluster, &namespaces, NULL, "{\"metadata\":{\"name\":\"doomed\"}}"), 0);
    struct cleat_object *list = NULL;
    const struct cleat_client_target target = {&configmaps, "doomed", NULL, NULL};
    ck_assert_int_eq(cleat_client_list(cluster.admin, &target, NULL, &list, NULL), 0);
    ck_assert_uint_le(cleat_value_count(cleat_object_find(list, "items")), 1);
    (void)cleat_object_unref(list);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("apiserver", test_no_update_is_lost, test_patches_without_a_version_all_happen,
                 test_pages_under_churn, test_watch_misses_nothing, test_families_are_collected,
                 test_namespace_takes_all_along)
