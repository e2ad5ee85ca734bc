/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <cleat/builder.h>
#include "base/thread.h"
#include "integration/cluster.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource config_maps = {
    .gvk = {"", "v1", "ConfigMap"}, .plural = "configmaps", .namespaced = true};
static const struct cleat_resource secrets = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};

/* The names that were reconciled, one letter each: "a", "b", "m". */
struct seen {
    _Atomic(int) runs[26];
};

static int reconcile(void *arg, const struct cleat_context *context,
                     const struct cleat_request *request, struct cleat_result *result,
                     struct cleat_err *err)
{
    struct seen *seen = arg;
    unsigned at = (unsigned)(request->name[0] - 'a');
    if (at < 26)
        atomic_fetch_add(&seen->runs[at], 1);
    return 0;
}

/* A Secret concerns the ConfigMap "m", whatever its name. */
static void map_to_m(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue)
{
    cleat_enqueue_key(enqueue, CLEAT_STR("default"), CLEAT_STR("m"));
}

static struct cleat_manager *manager_of(struct cluster *cluster)
{
    struct cleat_manager *manager = NULL;
    const struct cleat_manager_options options = {.client = cluster->admin};
    ck_assert_int_eq(cleat_manager_new(&options, &manager, NULL), 0);
    return manager;
}

static const struct cleat_builder_watch no_map[] = {{.kind = "Secret"}, {.kind = NULL}};
static const struct cleat_builder_watch mapped[] = {{.kind = "Secret", .map = map_to_m},
                                                    {.kind = NULL}};
static const struct cleat_builder_watch none[] = {{.kind = NULL}};

static const struct {
    const char *text;
    int result;
    struct cleat_builder builder;
} wrong[] = {
    {"a controller without a reconciled kind needs a name", -EINVAL, {.watches = mapped}},
    {"controller x: there is nothing to watch", -EINVAL, {.options = {.name = "x"}}},
    {"controller x: there is nothing to watch",
     -EINVAL,
     {.options = {.name = "x"}, .watches = none}},
    {"controller x: owned kinds need a reconciled kind",
     -EINVAL,
     {.options = {.name = "x"}, .owns = no_map}},
    {"controller ConfigMap: the watch of Secret has no map",
     -EINVAL,
     {.reconciles = {.kind = "ConfigMap"}, .watches = no_map}},
    {"kind Nothing isn't served", -ENOENT, {.reconciles = {.kind = "Nothing"}}},
    {"kind Deployment of group nowhere isn't served",
     -ENOENT,
     {.reconciles = {.kind = "Deployment.nowhere"}}},
};

START_TEST(test_what_is_wrong_is_named)
{
    struct cluster cluster;
    cluster_open(&cluster);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_controller *controller = NULL;
        struct cleat_builder builder = wrong[i].builder;
        struct cleat_manager *manager = manager_of(&cluster);
        builder.options.reconcile = reconcile;
        int r = cleat_build(manager, &builder, &controller, &err);
        ck_assert_msg(r == wrong[i].result, "case %zu: %d %s", i, r, err.text);
        ck_assert_str_eq(err.text, wrong[i].text);
        ck_assert_ptr_null(controller);
        cleat_manager_free(manager);
    }
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_names_follow_the_kind_and_are_unique)
{
    struct cluster cluster;
    struct cleat_controller *controller = NULL;
    const struct cleat_builder builder = {.options = {.reconcile = reconcile},
                                          .reconciles = {.kind = "Deployment.apps"}};
    cluster_open(&cluster);
    struct cleat_manager *manager = manager_of(&cluster);
    ck_assert_int_eq(cleat_build(manager, &builder, &controller, NULL), 0);
    ck_assert_str_eq(cleat_controller_name(controller), "deployment.apps");
    ck_assert_int_eq(cleat_build(manager, &builder, NULL, NULL), -EEXIST);
    cleat_manager_free(manager);
    cluster_close(&cluster);
}
END_TEST

static void *run(void *arg)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_manager_run(arg, &err) == 0, "%s", err.text);
    return NULL;
}

START_TEST(test_for_owns_and_watches)
{
    struct cluster cluster;
    struct seen seen = {0};
    struct cleat_thread thread = CLEAT_THREAD_INIT;
    const struct cleat_builder_watch owns[] = {{.kind = "Pod"}, {.kind = NULL}};
    const struct cleat_builder builder = {
        .options = {.name = "all", .reconcile = reconcile, .arg = &seen},
        .reconciles = {.kind = "ConfigMap", .namespace_ = "default", .label_selector = "mine"},
        .owns = owns,
        .watches = mapped};
    cluster_open(&cluster);
    struct cleat_manager *manager = manager_of(&cluster);
    ck_assert_int_eq(cleat_build(manager, &builder, NULL, NULL), 0);
    ck_assert_int_eq(cleat_thread_start(&thread, "manager", 0, run, manager, NULL), 0);
    ck_assert_int_eq(cleat_manager_wait_started(manager, 10000), 0);
    ck_assert_int_eq(
        cluster_make(&cluster, &config_maps, "default",
                     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
                     "\"b\",\"namespace\":\"default\"}}"),
        0);
    ck_assert_int_eq(
        cluster_make(&cluster, &config_maps, "default",
                     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
                     "\"a\",\"namespace\":\"default\",\"labels\":{\"mine\":\"1\"}}}"),
        0);
    CLEAT_WAIT_FOR(atomic_load(&seen.runs[0]) > 0, 10000);
    ck_assert_int_eq(atomic_load(&seen.runs['b' - 'a']), 0); /* it isn't selected */
    ck_assert_int_eq(
        cluster_make(&cluster, &secrets, "default",
                     "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":"
                     "\"any\",\"namespace\":\"default\"}}"),
        0);
    CLEAT_WAIT_FOR(atomic_load(&seen.runs['m' - 'a']) > 0, 10000);
    cleat_manager_stop(manager);
    cleat_thread_join(&thread);
    cleat_manager_free(manager);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("builder", test_what_is_wrong_is_named, test_names_follow_the_kind_and_are_unique,
                 test_for_owns_and_watches)
