/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two replicas of the server, killed again and again while everything that they look at changes at
 * random. In the end each selected namespace has the right copies, and none is elsewhere.
 */
#include <signal.h>
#include <stdlib.h>
#include "base/mem.h"
#include "integration/cluster_install.h"
#include "support/child.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define REPLICAS 2
#define NAMESPACES 8
#define SOURCES 3
#define CHAOS_MS 6000 /* CLEAT_CHAOS_MS and CLEAT_CHAOS_SEED in the environment: others */
#define KILL_MS 700
#define LIMIT_MS 40000 /* two leases that run out, and sanitizers on a busy machine */

static const struct cleat_resource namespaces = {.gvk = {"", "v1", "Namespace"},
                                                 .plural = "namespaces"};
static const struct cleat_resource secrets = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};
static const struct cleat_resource mirrors = {.gvk = {"cleat.dev", "v1alpha1", "Mirror"},
                                              .plural = "mirrors"};
static const struct cleat_resource leases = {
    .gvk = {"coordination.k8s.io", "v1", "Lease"}, .plural = "leases", .namespaced = true};

struct world {
    struct cluster cluster;
    struct cleat_temp_dir dir;
    int ports[REPLICAS];
    struct child replicas[REPLICAS];
    uint64_t random;
    /* What ought to be. */
    bool selected[NAMESPACES];
    bool mirrored[SOURCES];
    unsigned values[SOURCES];
    unsigned changes; /* that the API server accepted */
    char missing[128];
};

static unsigned roll(struct world *world, unsigned sides)
{
    world->random ^= world->random << 13; /* xorshift64 */
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (unsigned)((world->random >> 32) % sides);
}

/* ---- the world ---- */

static int make_source(struct world *world, unsigned source)
{
    char json[256];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s%u\","
                   "\"namespace\":\"platform\"},\"data\":{\"v\":\"AAAA\"}}",
                   source);
    return cluster_make(&world->cluster, &secrets, "platform", json);
}

static int make_mirror(struct world *world, unsigned source)
{
    const struct cleat_client_target target = {.resource = &mirrors};
    struct cleat_document *document = NULL;
    char json[512];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{"
                   "\"name\":\"m%u\"},\"spec\":{\"source\":{\"kind\":\"Secret\",\"namespace\":"
                   "\"platform\",\"name\":\"s%u\"},\"targets\":{\"namespaceSelector\":{"
                   "\"matchLabels\":{\"team\":\"true\"}}}}}",
                   source, source);
    ck_assert_int_eq(cleat_document_parse(cleat_str_of(json), &document, NULL), 0);
    int r = cleat_client_create(world->cluster.admin, &target, cleat_document_root(document), NULL,
                                NULL, NULL);
    cleat_document_unref(document);
    return r;
}

static void make_things(struct world *world)
{
    char json[128];
    for (int i = -1; i < NAMESPACES; i++) {
        char name[16] = "platform";
        if (i >= 0)
            (void)snprintf(name, sizeof(name), "n%d", i);
        (void)snprintf(json, sizeof(json),
                       "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":"
                       "\"%s\"}}",
                       name);
        ck_assert_int_eq(cluster_make(&world->cluster, &namespaces, NULL, json), 0);
    }
    for (unsigned i = 0; i < SOURCES; i++)
        ck_assert_int_eq(make_source(world, i), 0);
}

/* ---- the replicas ---- */

static void replica_start(struct world *world, unsigned replica)
{
    char line[PATH_MAX * 2 + 512], log[32];
    (void)snprintf(
        line, sizeof(line),
        CLEAT_BINARY_DIR "/cleat serve --kubeconfig=%s --webhook-bind-address=127.0.0.1:%d "
                         "--webhook-url=https://127.0.0.1:%d --metrics-bind-address=0 "
                         "--health-probe-bind-address=0 --leader-elect "
                         "--leader-elect-lease-duration=1s --leader-elect-renew-deadline=700ms "
                         "--leader-elect-retry-period=100ms",
        cleat_temp_dir_path(&world->dir, "config"), world->ports[replica], world->ports[0]);
    (void)snprintf(log, sizeof(log), "log%u", replica);
    child_start(&world->replicas[replica], line, cleat_temp_dir_path(&world->dir, log));
}

static void replica_end(struct world *world, unsigned replica, int signal_number)
{
    struct child *child = &world->replicas[replica];
    child_end(child, signal_number, LIMIT_MS);
    if (signal_number == SIGTERM)
        ck_assert_msg(child_exited(child, 0), "wait status %d", child->status);
}

/* A replica that ended by itself lost its lease while the machine was busy: it's started again, as
 * a cluster does. */
static void replicas_tend(struct world *world)
{
    for (unsigned i = 0; i < REPLICAS; i++)
        if (child_ended(&world->replicas[i]))
            replica_start(world, i);
}

/* ---- changes; what the API server refuses hasn't happened ---- */

static int patch_namespace(struct world *world, unsigned namespace_, bool selected)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "n%u", namespace_);
    return cluster_patch(&world->cluster, &namespaces, NULL, name,
                         selected ? "{\"metadata\":{\"labels\":{\"team\":\"true\"}}}"
                                  : "{\"metadata\":{\"labels\":{\"team\":null}}}");
}

static int patch_secret(struct world *world, const char *namespace_, unsigned source,
                        const char *value)
{
    char name[16], json[64];
    (void)snprintf(name, sizeof(name), "s%u", source);
    (void)snprintf(json, sizeof(json), "{\"data\":{\"v\":\"%s\"}}", value);
    return cluster_patch(&world->cluster, &secrets, namespace_, name, json);
}

/* Four characters of base64, different for each number. */
static const char *value_text(unsigned value, char text[8])
{
    (void)snprintf(text, 8, "%c%c%cA", 'A' + (int)(value % 26), 'A' + (int)(value / 26 % 26),
                   'A' + (int)(value / 676 % 26));
    return text;
}

static void change_mirror(struct world *world, unsigned source)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "m%u", source);
    bool mirrored = world->mirrored[source];
    int r = mirrored ? cluster_remove(&world->cluster, &mirrors, NULL, name)
                     : make_mirror(world, source);
    world->changes += r == 0;
    if (r == 0)
        world->mirrored[source] = !mirrored;
}

static void change_copy(struct world *world, unsigned namespace_, unsigned source)
{
    char place[16], name[16];
    (void)snprintf(place, sizeof(place), "n%u", namespace_);
    (void)snprintf(name, sizeof(name), "s%u", source);
    int r = roll(world, 2) ? patch_secret(world, place, source, "////")
                           : cluster_remove(&world->cluster, &secrets, place, name);
    world->changes += r == 0; /* absent or denied: as it may be */
}

static void change_something(struct world *world)
{
    char text[8];
    unsigned namespace_ = roll(world, NAMESPACES), source = roll(world, SOURCES);
    unsigned what = roll(world, 10);
    if (what < 3) {
        bool selected = !world->selected[namespace_];
        ck_assert_int_eq(patch_namespace(world, namespace_, selected), 0);
        world->selected[namespace_] = selected;
    } else if (what < 6) {
        unsigned value = world->values[source] + 1;
        ck_assert_int_eq(patch_secret(world, "platform", source, value_text(value, text)), 0);
        world->values[source] = value;
    } else if (what < 9) {
        change_copy(world, namespace_, source);
    } else {
        change_mirror(world, source);
    }
}

/* ---- what ought to be ---- */

static bool copy_is_right(struct world *world, unsigned namespace_, unsigned source)
{
    char place[16], name[16], text[8];
    (void)snprintf(place, sizeof(place), "n%u", namespace_);
    (void)snprintf(name, sizeof(name), "s%u", source);
    bool wanted = world->selected[namespace_] && world->mirrored[source];
    bool right = wanted ? cluster_has(&world->cluster, &secrets, place, name, "data.v",
                                      value_text(world->values[source], text))
                        : !cluster_has(&world->cluster, &secrets, place, name, NULL, NULL);
    if (!right)
        (void)snprintf(world->missing, sizeof(world->missing), "%s/%s should %s", place, name,
                       wanted ? text : "be absent");
    return right;
}

static bool all_is_right(struct world *world)
{
    replicas_tend(world);
    for (unsigned i = 0; i < NAMESPACES; i++)
        for (unsigned j = 0; j < SOURCES; j++)
            if (!copy_is_right(world, i, j))
                return false;
    return true;
}

static void converge(struct world *world)
{
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + LIMIT_MS;
    while (!all_is_right(world)) {
        ck_assert_msg(cleat_clock_mono_ms(cleat_clock_system()) < until_ms, "%s (logs in %s)",
                      world->missing, world->dir.path);
        cleat_wait_moment();
    }
}

/* ---- the test ---- */

static void world_open(struct world *world)
{
    static const char *const groups[] = {"system:serviceaccounts",
                                         "system:serviceaccounts:cleat-system",
                                         "system:authenticated", NULL};
    const struct cleat_apiserver_options options = {.rbac = true};
    struct cleat_err err = CLEAT_ERR_INIT;
    char *text = NULL;
    const char *seed = getenv("CLEAT_CHAOS_SEED");
    *world = (struct world){.random = 0x9e3779b97f4a7c15u ^ (seed ? strtoull(seed, NULL, 10) : 0)};
    cleat_temp_dir_init(&world->dir);
    ck_assert_int_eq(cleat_apiserver_new(&options, &world->cluster.server, &err), 0);
    ck_assert_msg(cleat_apiserver_start(world->cluster.server, &err) == 0, "%s", err.text);
    world->cluster.admin = cluster_client(&world->cluster, NULL);
    ck_assert_int_eq(cleat_apiserver_kubeconfig_text(world->cluster.server,
                                                     "system:serviceaccount:cleat-system:cleat",
                                                     groups, &text, &err),
                     0);
    cleat_temp_dir_write(&world->dir, "config", text);
    cleat_free(text);
    for (unsigned i = 0; i < REPLICAS; i++)
        world->ports[i] = child_port();
    cluster_install(&world->cluster, world->ports[0]);
    make_things(world);
    for (unsigned i = 0; i < REPLICAS; i++)
        replica_start(world, i);
}

static void world_close(struct world *world)
{
    for (unsigned i = 0; i < REPLICAS; i++)
        replica_end(world, i, SIGTERM);
    cluster_close(&world->cluster);
    cleat_temp_dir_fini(&world->dir);
}

static bool all_mirrored(struct world *world)
{
    bool all = true;
    replicas_tend(world);
    for (unsigned i = 0; i < SOURCES; i++) {
        world->mirrored[i] = world->mirrored[i] || make_mirror(world, i) == 0;
        all = all && world->mirrored[i];
    }
    return all;
}

START_TEST(test_killed_again_and_again)
{
    const struct cleat_clock *clock = cleat_clock_system();
    const char *length = getenv("CLEAT_CHAOS_MS");
    int64_t chaos_ms = length ? strtoll(length, NULL, 10) : CHAOS_MS;
    struct world world;
    world_open(&world);
    CLEAT_WAIT_FOR(all_mirrored(&world), LIMIT_MS);
    for (unsigned i = 0; i < SOURCES; i++)
        world.values[i] = 0;
    converge(&world);
    int64_t now_ms = cleat_clock_mono_ms(clock);
    int64_t until_ms = now_ms + chaos_ms, kill_ms = now_ms + KILL_MS;
    unsigned kills = 0;
    while ((now_ms = cleat_clock_mono_ms(clock)) < until_ms) {
        change_something(&world);
        replicas_tend(&world);
        if (now_ms >= kill_ms) {
            unsigned victim = kills++ % REPLICAS;
            replica_end(&world, victim, SIGKILL);
            replica_start(&world, victim);
            kill_ms = now_ms + KILL_MS;
        }
        for (int i = 0; i < 5; i++)
            cleat_wait_moment();
    }
    ck_assert_uint_gt(world.changes, 20);
    ck_assert(cluster_has(&world.cluster, &leases, "cleat-system", "cleat-leader", NULL, NULL));
    converge(&world);
    world_close(&world);
}
END_TEST

CLEAT_SUITE_MAIN("replicas", test_killed_again_and_again)
