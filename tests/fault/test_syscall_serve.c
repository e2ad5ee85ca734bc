/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that fail in a running `cleat serve`: it neither ends nor hangs, no review is ever
 * answered "allowed" by mistake, and what it mirrors is true in the end.
 *
 * Each fault is put in at several calls in turn, and then for a while at every call; meanwhile a
 * review is asked and a source changes. CLEAT_SHIM_ONLY="poll EINTR" in the environment: that
 * fault alone.
 */
#include "fault/shimmed.h"
#include "integration/cluster_install.h"
#include "integration/http_client.h"
#include "support/child.h"
#include "support/suite.h"

#define SERVE_READY_MS 30000
#define SERVE_TRUE_MS 60000 /* a watch that broke again and again pauses for half a minute */
#define SERVE_HIT_MS 400    /* for a fault to come about */
#define SERVE_STOP_MS 40000
#define SERVE_SIGNALS 50 /* EINTR again and again, but not for ever: who tries again would spin */

static const uint64_t serve_turns[] = {1, 2, 3, 5, 9, 14, 22, 35};

static const struct cleat_resource namespaces = {.gvk = {"", "v1", "Namespace"},
                                                 .plural = "namespaces"};
static const struct cleat_resource secrets = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};
static const struct cleat_resource mirrors = {.gvk = {"cleat.dev", "v1alpha1", "Mirror"},
                                              .plural = "mirrors"};

struct world {
    struct cluster cluster;
    struct shimmed serve;
    struct cleat_tally tally;
    int port;
    unsigned value;
    char config[PATH_MAX];
};

/* ---- the world ---- */

static void serve_start(struct world *world)
{
    char config[PATH_MAX + 32], address[64], url[64],
        name[] = "cleat", serve[] = "serve", metrics[] = "--metrics-bind-address=0",
        health[] = "--health-probe-bind-address=0", elect[] = "--leader-elect=false";
    (void)snprintf(config, sizeof(config), "--kubeconfig=%s", world->config);
    (void)snprintf(address, sizeof(address), "--webhook-bind-address=127.0.0.1:%d", world->port);
    (void)snprintf(url, sizeof(url), "--webhook-url=https://127.0.0.1:%d", world->port);
    char *const argv[] = {name, serve, config, address, url, metrics, health, elect, NULL};
    shimmed_disarm(&world->serve);
    shimmed_start(&world->serve, argv);
}

static void make_things(struct world *world)
{
    static const char *const names[] = {"platform", "ci"};
    char json[256];
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(json, sizeof(json),
                       "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":"
                       "\"%s\"}}",
                       names[i]);
        ck_assert_int_eq(cluster_make(&world->cluster, &namespaces, NULL, json), 0);
    }
    ck_assert_int_eq(cluster_make(&world->cluster, &secrets, "platform",
                                  "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{"
                                  "\"name\":\"src\",\"namespace\":\"platform\"},\"data\":{\"v\":"
                                  "\"Aaaa\"}}"),
                     0);
}

static bool make_mirror(struct world *world)
{
    return cluster_make(&world->cluster, &mirrors, NULL,
                        "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{"
                        "\"name\":\"src\"},\"spec\":{\"source\":{\"kind\":\"Secret\",\"namespace\":"
                        "\"platform\",\"name\":\"src\"},\"targets\":{\"namespaces\":[\"ci\"]}}}") ==
           0;
}

static void world_open(struct world *world)
{
    static const char *const groups[] = {"system:serviceaccounts",
                                         "system:serviceaccounts:cleat-system",
                                         "system:authenticated", NULL};
    const struct cleat_apiserver_options options = {.rbac = true};
    struct cleat_err err = CLEAT_ERR_INIT;
    char *text = NULL;
    *world = (struct world){.tally = {.name = "syscall-running", .least = 50}};
    shimmed_init(&world->serve);
    ck_assert_int_eq(cleat_apiserver_new(&options, &world->cluster.server, &err), 0);
    ck_assert_msg(cleat_apiserver_start(world->cluster.server, &err) == 0, "%s", err.text);
    world->cluster.admin = cluster_client(&world->cluster, NULL);
    ck_assert_int_eq(cleat_apiserver_kubeconfig_text(world->cluster.server,
                                                     "system:serviceaccount:cleat-system:cleat",
                                                     groups, &text, &err),
                     0);
    cleat_temp_dir_write(&world->serve.dir, "config", text);
    (void)snprintf(world->config, PATH_MAX, "%s", cleat_temp_dir_path(&world->serve.dir, "config"));
    cleat_free(text);
    world->port = child_port();
    cluster_install(&world->cluster, world->port);
    make_things(world);
    serve_start(world);
    CLEAT_WAIT_FOR(make_mirror(world), SERVE_READY_MS);
}

static void world_close(struct world *world)
{
    shimmed_fini(&world->serve);
    cluster_close(&world->cluster);
}

/* ---- what is asked meanwhile ---- */

#define REVIEW_OF(user)                                                                          \
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":" \
    "\"u-1\",\"kind\":{\"group\":\"cleat.dev\",\"version\":\"v1alpha1\",\"kind\":\"Mirror\"},"   \
    "\"resource\":{\"group\":\"cleat.dev\",\"version\":\"v1alpha1\",\"resource\":\"mirrors\"},"  \
    "\"operation\":\"CREATE\",\"name\":\"x\",\"userInfo\":{\"username\":\"" user                 \
    "\",\"groups\":[\"system:authenticated\"]},\"object\":{\"apiVersion\":\"cleat.dev/"          \
    "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"x\"},\"spec\":{\"source\":{"        \
    "\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"namespace\":\"platform\",\"name\":\"src\"},"    \
    "\"targets\":{\"namespaces\":[\"ci\"]}}},\"dryRun\":false}}"

enum review_outcome { REVIEW_DENIED, REVIEW_NOTHING, REVIEW_ALLOWED };

/* Bob may not read the source: denied, or no answer. */
static enum review_outcome review_ask(struct world *world)
{
    static struct http_client client;
    static struct http_reply reply;
    static const char body[] = REVIEW_OF("bob");
    char head[512];
    enum review_outcome outcome = REVIEW_NOTHING;
    (void)snprintf(head, sizeof(head),
                   "POST /validate-cleat-dev-v1alpha1-mirror?timeout=3s HTTP/1.1\r\n"
                   "Host: 127.0.0.1\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   sizeof(body) - 1);
    reply.status = 0;
    if (http_client_open(&client, (uint16_t)world->port, true) && http_client_text(&client, head) &&
        http_client_text(&client, body))
        http_client_read(&client, &reply, false);
    if (strstr(reply.body, "\"allowed\":true"))
        outcome = REVIEW_ALLOWED;
    else if (reply.status == 200 && strstr(reply.body, "\"allowed\":false"))
        outcome = REVIEW_DENIED;
    http_client_close(&client);
    return outcome;
}

static void source_change(struct world *world)
{
    char json[64];
    world->value++;
    (void)snprintf(json, sizeof(json), "{\"data\":{\"v\":\"A%c%c%c\"}}",
                   'a' + (int)(world->value / 676 % 26), 'a' + (int)(world->value / 26 % 26),
                   'a' + (int)(world->value % 26));
    ck_assert_int_eq(cluster_patch(&world->cluster, &secrets, "platform", "src", json), 0);
}

static bool copy_is_true(struct world *world)
{
    char wanted[8];
    (void)snprintf(wanted, sizeof(wanted), "A%c%c%c", 'a' + (int)(world->value / 676 % 26),
                   'a' + (int)(world->value / 26 % 26), 'a' + (int)(world->value % 26));
    return cluster_has(&world->cluster, &secrets, "ci", "src", "data.v", wanted);
}

/* ---- the faults ---- */

static bool wait_until(struct world *world, bool (*is)(struct world *world), int64_t limit_ms)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(clock) + limit_ms;
    while (!is(world) && shimmed_runs(&world->serve)) {
        if (cleat_clock_mono_ms(clock) >= until_ms)
            return false;
        for (int i = 0; i < 3; i++)
            cleat_wait_moment();
    }
    return shimmed_runs(&world->serve);
}

static bool was_hit(struct world *world)
{
    return atomic_load(&world->serve.board->injected) > 0;
}

static bool is_denied(struct world *world)
{
    return review_ask(world) == REVIEW_DENIED;
}

static void wrong(struct world *world, const struct shim_fault *fault, uint64_t turn,
                  const char *what)
{
    world->tally.wrong++;
    (void)fprintf(stderr, "%s, number %lu: %s\n", fault->name, (unsigned long)turn, what);
    shimmed_print_log(&world->serve);
}

/* Ended by itself: counted, and started again so that the sweep goes on. */
static bool serve_alive(struct world *world, const struct shim_fault *fault, uint64_t turn)
{
    if (shimmed_runs(&world->serve))
        return true;
    shimmed_judge_end(&world->serve, &world->tally, false, fault->name, turn);
    if (WIFEXITED(world->serve.status) && WEXITSTATUS(world->serve.status) == 0)
        wrong(world, fault, turn, "it ended by itself");
    serve_start(world);
    return false;
}

/* One fault; true where it came about. */
static bool inject(struct world *world, const struct shim_fault *fault, uint64_t turn, bool ever)
{
    const struct cleat_fault drop = {.drop = true, .times = 2};
    shimmed_arm(&world->serve, fault, turn,
                !ever                   ? 1
                : fault->error == EINTR ? SERVE_SIGNALS
                                        : SHIMMED_EVER);
    source_change(world);
    /* Connections live long: without this no new one would be wanted. */
    if (fault->call == SHIM_CONNECT || fault->call == SHIM_SOCKET)
        ck_assert_int_gt(cleat_apiserver_fault(world->cluster.server, &drop), 0);
    bool allowed = review_ask(world) == REVIEW_ALLOWED;
    (void)wait_until(world, was_hit, SERVE_HIT_MS);
    bool hit = was_hit(world);
    shimmed_disarm(&world->serve);
    cleat_apiserver_fault_clear(world->cluster.server, 0);
    world->tally.injections += hit; /* a row of them counts as one */
    if (allowed)
        wrong(world, fault, turn, "Bob's Mirror was allowed");
    if (!serve_alive(world, fault, turn))
        return true;
    if (!wait_until(world, copy_is_true, SERVE_TRUE_MS) && shimmed_runs(&world->serve))
        wrong(world, fault, turn, "the copy isn't true in the end");
    if (!wait_until(world, is_denied, SERVE_READY_MS) && shimmed_runs(&world->serve))
        wrong(world, fault, turn, "reviews aren't answered in the end");
    (void)serve_alive(world, fault, turn);
    return hit;
}

static void fault_run(struct world *world, const struct shim_fault *fault)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t began_ms = cleat_clock_mono_ms(clock);
    uint64_t before = world->tally.injections;
    unsigned hits = 0;
    source_change(world);
    ck_assert_msg(wait_until(world, copy_is_true, SERVE_TRUE_MS) &&
                      wait_until(world, is_denied, SERVE_READY_MS),
                  "not ready for %s", fault->name);
    for (size_t i = 0; i < sizeof(serve_turns) / sizeof(serve_turns[0]); i++) {
        if (!inject(world, fault, serve_turns[i], false))
            break; /* so many such calls there aren't */
        hits++;
    }
    hits += inject(world, fault, 1, true);
    world->tally.runs++;
    (void)printf("%-24s hit in %u of %zu, %6lu injected, %lld ms\n", fault->name, hits,
                 sizeof(serve_turns) / sizeof(serve_turns[0]) + 1,
                 (unsigned long)(world->tally.injections - before),
                 (long long)(cleat_clock_mono_ms(clock) - began_ms));
}

START_TEST(test_running)
{
    static struct world world;
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* only how soon lines come */
    const char *only = getenv("CLEAT_SHIM_ONLY");
    world_open(&world);
    for (size_t i = 0; i < SHIM_FAULTS; i++) {
        if (only && strcmp(only, shim_faults[i].name) != 0)
            continue;
        fault_run(&world, &shim_faults[i]);
        /* Pauses between tries grow with each failure: a fresh process begins with short ones. */
        if (!shimmed_end(&world.serve, SERVE_STOP_MS))
            wrong(&world, &shim_faults[i], 0, "SIGTERM didn't end it");
        shimmed_judge_end(&world.serve, &world.tally, false, shim_faults[i].name, 0);
        serve_start(&world);
    }
    (void)wait_until(&world, is_denied, SERVE_READY_MS);
    (void)shimmed_end(&world.serve, SERVE_STOP_MS);
    world.tally.note = "system calls fail in a running server";
    if (only)
        world.tally.least = 1;
    cleat_tally_end(&world.tally);
    world_close(&world);
}
END_TEST

CLEAT_SUITE_MAIN("syscalls, running", test_running)
