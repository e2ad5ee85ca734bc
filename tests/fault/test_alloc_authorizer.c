/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out while somebody is asked about who may read metrics: whoever may not is never
 * let through, whoever may is, or can't be told now.
 */
#include <cleat/kubeconfig.h>

#include "base/mem.h"
#include "fault/alloc_libraries.h"
#include "fault/alloc_samples.h"
#include "integration/cluster.h"
#include "server/authorizer.h"
#include "support/fake_clock.h"

struct stage {
    struct cluster cluster;
    struct cleat_client *client;
    struct cleat_fake_clock clock;
    struct cleat_metrics *metrics;
    struct cleat_authorizer *authorizer;
    char *may; /* headers */
    char *may_not;
};

static char *header_of(struct stage *stage, const char *user, const char *const *groups)
{
    struct cleat_kubeconfig *config = NULL;
    ck_assert_int_eq(cleat_apiserver_kubeconfig(stage->cluster.server, user, groups, &config, NULL),
                     0);
    char *header = cleat_mem_format("Bearer %s", config->token);
    ck_assert_ptr_nonnull(header);
    cleat_kubeconfig_free(config);
    return header;
}

static void *stage_open(void)
{
    static struct stage stage;
    static const char *const none[] = {NULL};
    const struct cleat_apiserver_options options = {.rbac = true};
    stage = (struct stage){0};
    ck_assert_int_eq(cleat_apiserver_new(&options, &stage.cluster.server, NULL), 0);
    ck_assert_int_eq(cleat_apiserver_start(stage.cluster.server, NULL), 0);
    stage.cluster.admin = cluster_client(&stage.cluster, NULL);
    stage.client = cluster_client(&stage.cluster, "cleat");
    stage.may = header_of(&stage, "administrator", NULL);
    stage.may_not = header_of(&stage, "stranger", none);
    cleat_fake_clock_init(&stage.clock);
    ck_assert_int_eq(cleat_metrics_new(&stage.metrics), 0);
    const struct cleat_authorizer_options authorizer = {.client = stage.client,
                                                        .clock = &stage.clock.clock,
                                                        .metrics = stage.metrics,
                                                        .pause_ms = 1};
    ck_assert_int_eq(cleat_authorizer_new(&authorizer, &stage.authorizer, NULL), 0);
    return &stage;
}

static void stage_close(void *arg)
{
    struct stage *stage = arg;
    cleat_authorizer_free(stage->authorizer);
    cleat_metrics_free(stage->metrics);
    cleat_client_unref(stage->client);
    cleat_mem_free(stage->may);
    cleat_mem_free(stage->may_not);
    cluster_close(&stage->cluster);
}

static int ask(struct stage *stage, const char *header)
{
    return cleat_authorizer_judge(stage->authorizer, cleat_str_of(header), "get", "/metrics");
}

/* Nothing of an earlier run is remembered. */
static int run_judge(void *arg, struct cleat_err *err)
{
    struct stage *stage = arg;
    cleat_fake_clock_advance_ms(&stage->clock, 3600000);
    int may_not = ask(stage, stage->may_not);
    int may = ask(stage, stage->may);
    bool wrong = (may_not != 403 && may_not != 503) || (may != 0 && may != 503);
    if (!wrong && may == 0 && may_not == 403)
        return 0;
    (void)cleat_err_set(err, wrong ? -EILSEQ : -ENOMEM, "%d and %d", may_not, may);
    return wrong ? CLEAT_SWEEP_WRONG : -ENOMEM;
}

static int run_life(void *arg, struct cleat_err *err)
{
    struct stage *stage = arg;
    struct cleat_authorizer *authorizer = NULL;
    const struct cleat_authorizer_options options = {.client = stage->client};
    int r = cleat_authorizer_new(&options, &authorizer, err);
    cleat_authorizer_free(authorizer);
    return r;
}

static const struct sweep_scene scenes[] = {
    {.name = "authorizer-judge",
     .open = stage_open,
     .run = run_judge,
     .close = stage_close,
     .threads = "here",
     .flags = SWEEP_TOLERANT | SWEEP_LIBRARIES,
     .most = 300},
    {.name = "authorizer-life",
     .open = stage_open,
     .run = run_life,
     .close = stage_close,
     .threads = "here"},
};

int main(int argc, char **argv)
{
    alloc_libraries_hook();
    return cleat_sweep_main("alloc-authorizer", scenes, sizeof(scenes) / sizeof(scenes[0]), 30,
                            argc, argv);
}
