/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache whose thread lacks memory at first goes on as soon as there is some.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <cleat/cache.h>

#include "base/mem.h"
#include "cluster.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0xff};
static atomic_bool refused;

static bool counts_ingest(void)
{
    char name[16] = "";
    return pthread_getname_np(pthread_self(), name, sizeof(name)) == 0 &&
           strncmp(name, "ingest", 6) == 0;
}

static void note_refused(uint64_t request)
{
    atomic_store(&refused, true);
}

/* Once: without memory to note which feeds have something to do it slept for ever. */
START_TEST(test_no_feed_is_forgotten)
{
    struct cluster cluster;
    struct cleat_cache *cache = NULL;
    struct cleat_feed *feed = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    cluster_open(&cluster);
    const struct cleat_cache_options options = {.client = cluster.admin};
    const struct cleat_feed_options feed_options = {.resource = maps};
    ck_assert_int_eq(cleat_cache_new(&options, &cache, NULL), 0);
    ck_assert_int_eq(cleat_cache_feed(cache, &feed_options, &feed, NULL), 0);
    cleat_mem_fail_watch(counts_ingest, note_refused);
    cleat_mem_fail_at(1, true);
    ck_assert_int_eq(cleat_cache_start(cache, NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&refused), 10000);
    cleat_mem_fail_at(0, false);
    cleat_mem_fail_watch(NULL, NULL);
    ck_assert_msg(cleat_feed_wait_synced(feed, 20000, &err) == 0, "%s", err.text);
    feed = cleat_feed_unref(feed);
    cleat_cache_stop(cache);
    cleat_cache_join(cache);
    cleat_cache_free(cache);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("cache memory", test_no_feed_is_forgotten)
