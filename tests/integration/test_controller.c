/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controllers on a cluster: from a changed object through cache, predicate, mapping and queue to a
 * reconcile that writes, and back.
 */
#include <stdatomic.h>

#include <cleat/controller.h>
#include <cleat/manager.h>
#include <cleat/owner.h>
#include <cleat/reconcile.h>

#include "base/thread.h"
#include "cluster.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource config_maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0x7f};
static const struct cleat_resource secrets = {
    {"", "v1", "Secret"}, "secrets", "secret", true, 0x7f};

#define CONFIG_MAP(name, rest)                                                           \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name "\"," \
    "\"namespace\":\"default\"" rest "}"

struct fixture {
    struct cluster cluster;
    struct cleat_client *client;
    struct cleat_manager *manager;
    struct cleat_controller *controller;
    struct cleat_store *store; /* of config maps */
    struct cleat_thread thread;
    struct cleat_err err;
    int rc;
    _Atomic(int) runs;
    _Atomic(int) low; /* runs that came in with low priority */
    _Atomic(bool) fail;
};

static void fixture_open(struct fixture *f, cleat_reconcile_fn reconcile)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    *f = (struct fixture){0};
    cluster_open(&f->cluster);
    f->client = cluster_client(&f->cluster, "controller");
    const struct cleat_manager_options options = {.client = f->client, .grace_ms = 5000};
    ck_assert_msg(cleat_manager_new(&options, &f->manager, &err) == 0, "%s", err.text);
    const struct cleat_controller_options controller = {
        .name = "test", .reconcile = reconcile, .arg = f, .workers = 2};
    ck_assert_msg(cleat_controller_new(f->manager, &controller, &f->controller, &err) == 0, "%s",
                  err.text);
}

static struct cleat_watch *watch(struct fixture *f, struct cleat_watch_options options)
{
    struct cleat_watch *ret = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_controller_watch(f->controller, &options, &ret, &err) == 0, "%s", err.text);
    f->store = cleat_feed_store(cleat_watch_feed(ret));
    return ret;
}

static void *fixture_run(void *arg)
{
    struct fixture *f = arg;
    f->rc = cleat_manager_run(f->manager, &f->err);
    return NULL;
}

static void fixture_start(struct fixture *f)
{
    ck_assert_int_eq(cleat_thread_start(&f->thread, "manager", 0, fixture_run, f, NULL), 0);
    ck_assert_msg(cleat_manager_wait_started(f->manager, 10000) == 0, "%s", f->err.text);
}

static void fixture_stop(struct fixture *f)
{
    cleat_manager_stop(f->manager);
    cleat_thread_join(&f->thread);
    ck_assert_msg(f->rc == 0, "%s", f->err.text);
}

static void fixture_close(struct fixture *f)
{
    fixture_stop(f);
    ck_assert_ptr_null(cleat_manager_free(f->manager));
    cleat_client_unref(f->client);
    cluster_close(&f->cluster);
}

static int count(void *arg, const struct cleat_context *context,
                 const struct cleat_request *request, struct cleat_result *result,
                 struct cleat_err *err)
{
    struct fixture *f = arg;
    if (request->name[1] != '\0')
        return 0; /* the cluster's own, as kube-root-ca.crt */
    atomic_fetch_add(&f->low, request->priority == CLEAT_PRIORITY_LOW);
    atomic_fetch_add(&f->runs, 1);
    return 0;
}

/* What was there before the start comes in low, what changes later doesn't. */
START_TEST(test_for)
{
    struct fixture f;
    fixture_open(&f, count);
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default", CONFIG_MAP("a", "}")), 0);
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default", CONFIG_MAP("b", "}")), 0);
    watch(&f, (struct cleat_watch_options){.feed = {.resource = config_maps}});
    fixture_start(&f);
    CLEAT_WAIT_FOR(atomic_load(&f.runs) == 2, 10000);
    ck_assert_int_eq(atomic_load(&f.low), 2);
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default", CONFIG_MAP("c", "}")), 0);
    CLEAT_WAIT_FOR(atomic_load(&f.runs) == 3, 10000);
    ck_assert_int_eq(
        cluster_patch(&f.cluster, &config_maps, "default", "c", "{\"data\":{\"k\":\"v\"}}"), 0);
    CLEAT_WAIT_FOR(atomic_load(&f.runs) == 4, 10000);
    ck_assert_int_eq(cluster_remove(&f.cluster, &config_maps, "default", "c"), 0);
    CLEAT_WAIT_FOR(atomic_load(&f.runs) == 5, 10000);
    ck_assert_int_eq(atomic_load(&f.low), 2);
    fixture_close(&f);
}
END_TEST

static int copy_data(void *arg, struct cleat_draft *draft, struct cleat_err *err)
{
    struct cleat_object *source = arg;
    int rc = cleat_owner_set_controller(draft, source, true, err);
    if (rc < 0)
        return rc;
    struct cleat_value text = cleat_object_find(source, "data.text");
    struct cleat_scratch scratch;
    return cleat_draft_set_str(draft, "data.text", cleat_value_text(text, &scratch), err);
}

/* Makes a Secret of each ConfigMap's text and keeps it so. */
static int copy(void *arg, const struct cleat_context *context, const struct cleat_request *request,
                struct cleat_result *result, struct cleat_err *err)
{
    struct fixture *f = arg;
    struct cleat_object *source = NULL;
    const struct cleat_client_target target = {&secrets, request->namespace_, request->name, NULL};
    atomic_fetch_add(&f->runs, 1);
    if (atomic_load(&f->fail))
        return cleat_err_set(err, -EIO, "told to fail");
    int rc = cleat_store_lookup(f->store, cleat_str_of(request->namespace_),
                                cleat_str_of(request->name), &source);
    if (rc == CLEAT_STORE_MISSING)
        return 0;
    if (rc != 0)
        return cleat_err_set(err, -EIO, "source can't be read: %d", rc);
    struct cleat_scratch scratch;
    if (cleat_value_text(cleat_object_find(source, "data.text"), &scratch).length == 0) {
        cleat_object_unref(source);
        return 0;
    }
    rc = cleat_create_or_update(context, &target, copy_data, source, NULL, err);
    cleat_object_unref(source);
    return rc < 0 ? rc : 0;
}

START_TEST(test_owns)
{
    struct fixture f;
    fixture_open(&f, copy);
    watch(&f, (struct cleat_watch_options){
                  .type = CLEAT_WATCH_OWNS, .feed = {.resource = secrets}, .owner = config_maps});
    watch(&f, (struct cleat_watch_options){.feed = {.resource = config_maps}});
    fixture_start(&f);
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default",
                                  CONFIG_MAP("a", "},\"data\":{\"text\":\"b25l\"}")),
                     0);
    CLEAT_WAIT_FOR(cluster_has(&f.cluster, &secrets, "default", "a", NULL, NULL), 10000);
    /* What the owner has lost is made again. */
    ck_assert_int_eq(cluster_remove(&f.cluster, &secrets, "default", "a"), 0);
    CLEAT_WAIT_FOR(cluster_has(&f.cluster, &secrets, "default", "a", NULL, NULL), 10000);
    ck_assert_int_eq(
        cluster_patch(&f.cluster, &config_maps, "default", "a", "{\"data\":{\"text\":\"dHdv\"}}"),
        0);
    CLEAT_WAIT_FOR(cluster_has(&f.cluster, &secrets, "default", "a", "data.text", "dHdv"), 10000);
    fixture_close(&f);
}
END_TEST

START_TEST(test_retries)
{
    struct fixture f;
    fixture_open(&f, copy);
    watch(&f, (struct cleat_watch_options){.feed = {.resource = config_maps}});
    atomic_store(&f.fail, true);
    fixture_start(&f);
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default",
                                  CONFIG_MAP("a", "},\"data\":{\"text\":\"b25l\"}")),
                     0);
    CLEAT_WAIT_FOR(atomic_load(&f.runs) >= 4, 10000);
    ck_assert(!cluster_has(&f.cluster, &secrets, "default", "a", NULL, NULL));
    atomic_store(&f.fail, false);
    CLEAT_WAIT_FOR(cluster_has(&f.cluster, &secrets, "default", "a", NULL, NULL), 10000);
    fixture_close(&f);
}
END_TEST

/* Watches come and go while the controller runs. */
START_TEST(test_watch_later)
{
    struct fixture f;
    fixture_open(&f, count);
    fixture_start(&f);
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default", CONFIG_MAP("a", "}")), 0);
    struct cleat_watch *added =
        watch(&f, (struct cleat_watch_options){.feed = {.resource = config_maps}});
    CLEAT_WAIT_FOR(atomic_load(&f.runs) == 1, 10000);
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default", CONFIG_MAP("b", "}")), 0);
    CLEAT_WAIT_FOR(atomic_load(&f.runs) == 2, 10000);
    ck_assert_ptr_null(cleat_watch_remove(added));
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default", CONFIG_MAP("c", "}")), 0);
    /* A second watch starts anew: all three come, some twice where the first feed hasn't gone yet.
     */
    watch(&f, (struct cleat_watch_options){.feed = {.resource = config_maps}});
    CLEAT_WAIT_FOR(atomic_load(&f.runs) >= 5, 10000);
    fixture_close(&f);
}
END_TEST

START_TEST(test_selectors_share_a_store)
{
    struct fixture f;
    fixture_open(&f, count);
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default",
                                  CONFIG_MAP("a", ",\"labels\":{\"app\":\"one\"}}")),
                     0);
    ck_assert_int_eq(cluster_make(&f.cluster, &config_maps, "default",
                                  CONFIG_MAP("b", ",\"labels\":{\"app\":\"two\"}}")),
                     0);
    struct cleat_feed *other = NULL;
    const struct cleat_feed_options all = {.resource = config_maps};
    ck_assert_int_eq(cleat_cache_feed(cleat_manager_cache(f.manager), &all, &other, NULL), 0);
    watch(&f, (struct cleat_watch_options){
                  .feed = {.resource = config_maps, .label_selector = "app=one"}});
    fixture_start(&f);
    CLEAT_WAIT_FOR(atomic_load(&f.runs) == 1, 10000);
    ck_assert_int_eq(
        cluster_patch(&f.cluster, &config_maps, "default", "b", "{\"data\":{\"k\":\"v\"}}"), 0);
    ck_assert_int_eq(
        cluster_patch(&f.cluster, &config_maps, "default", "a", "{\"data\":{\"k\":\"v\"}}"), 0);
    CLEAT_WAIT_FOR(atomic_load(&f.runs) >= 2, 10000);
    ck_assert_int_eq(atomic_load(&f.runs), 2);
    cleat_feed_unref(other);
    fixture_close(&f);
}
END_TEST

/* A feed that can't be loaded ends the manager, and the error names it. */
START_TEST(test_sync_timeout)
{
    struct cluster cluster;
    struct cleat_manager *manager = NULL;
    struct cleat_controller *controller = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct fixture f = {0};
    static const struct cleat_resource nothing = {
        {"example.com", "v1", "Nothing"}, "nothings", "nothing", true, 0x7f};
    cluster_open(&cluster);
    const struct cleat_manager_options options = {.client = cluster.admin, .sync_timeout_ms = 300};
    const struct cleat_controller_options how = {.name = "test", .reconcile = count, .arg = &f};
    const struct cleat_watch_options what = {.feed = {.resource = nothing}};
    ck_assert_int_eq(cleat_manager_new(&options, &manager, NULL), 0);
    ck_assert_int_eq(cleat_controller_new(manager, &how, &controller, NULL), 0);
    ck_assert_int_eq(cleat_controller_watch(controller, &what, NULL, NULL), 0);
    ck_assert_int_lt(cleat_manager_run(manager, &err), 0);
    ck_assert_msg(strstr(err.text, "nothings") != NULL, "%s", err.text);
    ck_assert_int_eq(atomic_load(&f.runs), 0);
    cleat_manager_free(manager);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("controller", test_for, test_owns, test_retries, test_watch_later,
                 test_selectors_share_a_store, test_sync_timeout)
