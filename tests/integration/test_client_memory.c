/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that runs out of memory, at each of its requests once: what it sends is whole, what it
 * says is true, and the error is that there is no memory.
 */
#include <cleat/certs.h>
#include <cleat/discovery.h>

#include "base/mem.h"
#include "cluster.h"
#include "support/suite.h"

static const struct cleat_resource maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0xff};
static const struct cleat_client_target one = {&maps, "default", "a", NULL};
static const struct cleat_client_target all = {&maps, "default", NULL, NULL};

/* Only this thread is to lack memory: the server is in the same process. */
static _Thread_local bool here;

static bool counts_here(void)
{
    return here;
}

/* Runs @fn with the 1st, 2nd, … request of this thread failing until it passes untouched. */
static void sweep(struct cluster *cluster,
                  int (*fn)(struct cluster *cluster, struct cleat_err *err))
{
    bool failed = true;
    here = true;
    cleat_mem_fail_watch(counts_here, NULL);
    for (uint64_t nth = 1; failed; nth++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        cleat_mem_fail_at(nth, false);
        int rc = fn(cluster, &err);
        failed = cleat_mem_failed();
        cleat_mem_fail_at(0, false);
        ck_assert_msg(rc == 0 || (failed && rc == -ENOMEM), "request %llu: %d %s",
                      (unsigned long long)nth, rc, err.text);
    }
    cleat_mem_fail_watch(NULL, NULL);
    here = false;
}

static void open_with_map(struct cluster *cluster)
{
    cluster_open(cluster);
    ck_assert_int_eq(cluster_make(cluster, &maps, "default",
                                  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
                                  "\"name\":\"a\",\"namespace\":\"default\"},\"data\":{\"k\":"
                                  "\"one\",\"l\":\"a text that is longer than a word\"}}"),
                     0);
}

static int update(struct cluster *cluster, struct cleat_err *err)
{
    struct cleat_object *object = NULL;
    struct cleat_draft *draft = NULL;
    int rc = cleat_client_get(cluster->admin, &one, NULL, &object, err);
    if (rc == 0)
        rc = cleat_draft_new(cleat_object_value(object), &draft, err);
    if (rc == 0)
        rc = cleat_draft_set_text(draft, "data.k", "another text that isn't short", err);
    if (rc == 0)
        rc = cleat_client_update_draft(cluster->admin, &one, object, draft, NULL, NULL, err);
    cleat_draft_free(draft);
    cleat_object_unref(object);
    return rc;
}

/* Once: where a draft couldn't be frozen, an object of nothing but its version was sent. */
START_TEST(test_update_sends_all_or_nothing)
{
    struct cluster cluster;
    open_with_map(&cluster);
    sweep(&cluster, update);
    ck_assert(cluster_has(&cluster, &maps, "default", "a", "data.l",
                          "a text that is longer than a word"));
    cluster_close(&cluster);
}
END_TEST

static int count(void *arg, struct cleat_value item)
{
    *(size_t *)arg += cleat_value_is(cleat_value_find(item, "metadata.name"), "a");
    return 0;
}

static int list(struct cluster *cluster, struct cleat_err *err)
{
    size_t found = 0;
    int rc = cleat_client_list_each(cluster->admin, &all, NULL, count, &found, err);
    ck_assert_msg(rc < 0 || found == 1, "a list without its object is no list");
    return rc;
}

static int see(void *arg, struct cleat_str type, struct cleat_object *object)
{
    *(bool *)arg = cleat_str_is(cleat_object_name(object), "a");
    return *(bool *)arg;
}

static int watch(struct cluster *cluster, struct cleat_err *err)
{
    const struct cleat_client_call call = {.resource_version = "1",
                                           .field_selector = "metadata.name=a"};
    bool seen = false;
    int rc = cleat_client_watch(cluster->admin, &all, &call, see, &seen, err);
    ck_assert_msg(rc < 0 || seen, "an event was left out");
    return rc < 0 ? rc : 0;
}

/* Once: an object that there was no memory for was left out, and the list passed for complete. */
START_TEST(test_lists_and_watches_leave_nothing_out)
{
    struct cluster cluster;
    open_with_map(&cluster);
    sweep(&cluster, list);
    sweep(&cluster, watch);
    cluster_close(&cluster);
}
END_TEST

static int discover(struct cluster *cluster, struct cleat_err *err)
{
    struct cleat_discovery *discovery = NULL;
    struct cleat_resource resource;
    int rc = cleat_discovery_new(cluster->admin, NULL, &discovery);
    if (rc == 0)
        rc = cleat_discovery_find(discovery, "ConfigMap", &resource, err);
    cleat_discovery_free(discovery);
    return rc;
}

/* Once: a path without memory was a malformed URL, and so a kind that nobody serves. */
START_TEST(test_discovery_knows_what_it_could_not_ask)
{
    struct cluster cluster;
    cluster_open(&cluster);
    sweep(&cluster, discover);
    cluster_close(&cluster);
}
END_TEST

static int rotate(struct cluster *cluster, struct cleat_err *err)
{
    static const char *const names[] = {"cleat.cleat-system.svc", NULL};
    const struct cleat_rotator_options options = {
        .client = cluster->admin, .namespace_ = "default", .secret = "certs", .names = names};
    struct cleat_rotator *rotator = NULL;
    struct cleat_bundle *bundle = NULL;
    int rc = cleat_rotator_new(&options, &rotator, err);
    if (rc == 0)
        rc = cleat_rotator_turn(rotator, err);
    if (rc == 0) {
        bundle = cleat_rotator_bundle(rotator);
        ck_assert_msg(bundle, "all is well, and nothing is served");
    }
    cleat_bundle_unref(bundle);
    cleat_rotator_free(rotator);
    return rc;
}

/* Once: a turn without memory for the bundle was a good one, and the next a minute away. */
START_TEST(test_rotator_serves_or_says_why)
{
    struct cluster cluster;
    cluster_open(&cluster);
    sweep(&cluster, rotate);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("client memory", test_update_sends_all_or_nothing,
                 test_lists_and_watches_leave_nothing_out,
                 test_discovery_knows_what_it_could_not_ask, test_rotator_serves_or_says_why)
