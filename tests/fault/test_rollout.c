/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two replicas behind a Service are replaced one after the other, as a Deployment does it, while
 * clients review and objects are written without a break. No request may be lost: connections are
 * kept and given up by the rules of the API server's own client, which sends nothing twice.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/thread.h"
#include "client/file.h"
#include "integration/cluster_install.h"
#include "integration/http_client.h"
#include "support/child.h"
#include "support/service.h"
#include "support/suite.h"
#include "support/tally.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define REPLICAS 2
#define ROLLOUTS 10
#define REVIEWERS 4
#define REVIEWS_LEAST 1000
#define WRITES_LEAST 20
#define RENEWALS_LEAST 1
#define LIMIT_MS 90000
/* An endpoint leaves the rotation so long after its end was asked for; less than the drain delay.
 */
#define ENDPOINT_LAG_MS 500

static const struct cleat_resource namespaces = {.gvk = {"", "v1", "Namespace"},
                                                 .plural = "namespaces"};
static const struct cleat_resource secrets = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};
static const struct cleat_resource mirrors = {.gvk = {"cleat.dev", "v1alpha1", "Mirror"},
                                              .plural = "mirrors"};

struct replica {
    struct child child;
    int port;
    int health_port;
};

struct world {
    struct cluster cluster;
    struct cleat_temp_dir dir;
    struct service *service;
    struct replica replicas[REPLICAS];
    unsigned generation;
    atomic_bool done;
    atomic_uint reviews;
    atomic_uint reviews_lost;
    atomic_uint connections;
    atomic_uint writes;
    atomic_uint writes_lost;
    int64_t stop_ms_max;
};

/* ---- the cluster ---- */

static void make_things(struct world *world)
{
    ck_assert_int_eq(cluster_make(&world->cluster, &namespaces, NULL,
                                  "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{"
                                  "\"name\":\"platform\"}}"),
                     0);
    ck_assert_int_eq(cluster_make(&world->cluster, &namespaces, NULL,
                                  "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{"
                                  "\"name\":\"a\",\"labels\":{\"team\":\"true\"}}}"),
                     0);
    ck_assert_int_eq(cluster_make(&world->cluster, &secrets, "platform",
                                  "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{"
                                  "\"name\":\"s\",\"namespace\":\"platform\"},\"data\":{\"v\":"
                                  "\"AAAA\"}}"),
                     0);
}

static int make_mirror(struct world *world)
{
    return cluster_make(&world->cluster, &mirrors, NULL,
                        "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{"
                        "\"name\":\"m\"},\"spec\":{\"source\":{\"kind\":\"Secret\",\"namespace\":"
                        "\"platform\",\"name\":\"s\"},\"targets\":{\"namespaceSelector\":{"
                        "\"matchLabels\":{\"team\":\"true\"}}}}}");
}

/* The label of the copy in namespace a is @value. */
static bool copied(struct world *world, unsigned value)
{
    const struct cleat_client_target target = {&secrets, "a", "s", NULL};
    struct cleat_object *object = NULL;
    struct cleat_scratch scratch;
    char text[16];
    if (cleat_client_get(world->cluster.admin, &target, NULL, &object, NULL) != 0)
        return false;
    (void)snprintf(text, sizeof(text), "v%u", value);
    struct cleat_value labels =
        cleat_value_get(cleat_value_get(cleat_object_value(object), "metadata"), "labels");
    bool same = cleat_str_equal(cleat_value_text(cleat_value_get(labels, "n"), &scratch),
                                cleat_str_of(text));
    cleat_object_unref(object);
    return same;
}

/* ---- replicas ---- */

/* Certificates live so short that some are renewed while replicas come and go. */
static void replica_start(struct world *world, struct replica *replica)
{
    char line[PATH_MAX * 2 + 1024], log[32];
    *replica = (struct replica){.port = child_port(), .health_port = child_port()};
    (void)snprintf(line, sizeof(line),
                   CLEAT_BINARY_DIR
                   "/cleat serve --kubeconfig=%s --webhook-bind-address=127.0.0.1:%d "
                   "--health-probe-bind-address=127.0.0.1:%d --metrics-bind-address=0 "
                   "--webhook-url=https://127.0.0.1:%d --webhook-cert-lifetime=9s "
                   "--webhook-ca-lifetime=18s --leader-elect --leader-elect-lease-duration=3s "
                   "--leader-elect-renew-deadline=2s --leader-elect-retry-period=200ms "
                   "--drain-delay=1500ms",
                   cleat_temp_dir_path(&world->dir, "config"), replica->port, replica->health_port,
                   service_port(world->service));
    (void)snprintf(log, sizeof(log), "log%u", world->generation++);
    child_start(&replica->child, line, cleat_temp_dir_path(&world->dir, log));
}

static bool replica_ready(const struct replica *replica)
{
    return http_client_ready(replica->health_port);
}

static void replica_join_rotation(struct world *world, const struct replica *replica)
{
    CLEAT_WAIT_FOR(replica_ready(replica), LIMIT_MS);
    service_rotate(world->service, replica->port, true);
}

/* As kubelet and the endpoint controller end a pod: the signal at once, the endpoint later. */
static void replica_end(struct world *world, struct replica *replica)
{
    int64_t begin_ms = cleat_clock_mono_ms(cleat_clock_system());
    child_signal(&replica->child, SIGTERM);
    CLEAT_WAIT_FOR(cleat_clock_mono_ms(cleat_clock_system()) - begin_ms >= ENDPOINT_LAG_MS,
                   LIMIT_MS);
    ck_assert(!replica_ready(replica));
    service_rotate(world->service, replica->port, false);
    CLEAT_WAIT_FOR(child_ended(&replica->child), LIMIT_MS);
    ck_assert_msg(child_exited(&replica->child, 0), "wait status %d", replica->child.status);
    int64_t took_ms = cleat_clock_mono_ms(cleat_clock_system()) - begin_ms;
    if (took_ms > world->stop_ms_max)
        world->stop_ms_max = took_ms;
}

/* ---- clients ---- */

static const char review[] =
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":"
    "\"u-1\",\"kind\":{\"group\":\"cleat.dev\",\"version\":\"v1alpha1\",\"kind\":\"Mirror\"},"
    "\"resource\":{\"group\":\"cleat.dev\",\"version\":\"v1alpha1\",\"resource\":\"mirrors\"},"
    "\"name\":\"x\",\"operation\":\"CREATE\",\"userInfo\":{\"username\":\"admin\",\"groups\":["
    "\"system:masters\"]},\"object\":{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\","
    "\"metadata\":{\"name\":\"x\"},\"spec\":{\"source\":{\"kind\":\"Secret\",\"namespace\":"
    "\"platform\",\"name\":\"other\"},\"targets\":{\"namespaces\":[\"b\"]}}}}}";

/* True where the server has ended the idle connection, or is about to. */
static bool connection_stale(const struct http_client *client)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    return client->fd < 0 || poll(&wait, 1, 0) != 0;
}

/* TLS 1.3 sends tickets after the handshake where the server has any; ours hasn't. */
static bool reviewer_connect(struct world *world, struct http_client *client)
{
    http_client_close(client);
    atomic_fetch_add(&world->connections, 1);
    return http_client_open(client, (uint16_t)service_port(world->service), true);
}

/* One review; false where it was lost. */
static bool reviewer_ask(struct world *world, struct http_client *client)
{
    char head[256];
    struct http_reply reply = {0};
    (void)snprintf(head, sizeof(head),
                   "POST /mutate-cleat-dev-v1alpha1-mirror HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                   sizeof(review) - 1);
    if (connection_stale(client) && !reviewer_connect(world, client))
        return false;
    if (http_client_text(client, head) && http_client_text(client, review))
        http_client_read(client, &reply, false);
    const char *connection = reply.status ? http_reply_header(&reply, "Connection") : "close";
    bool answered = reply.status == 200 && strstr(reply.body, "\"allowed\":true");
    if (!answered)
        (void)fprintf(stderr, "lost: status %d %s\n", reply.status, reply.body);
    if (connection && strcasecmp(connection, "close") == 0)
        http_client_close(client);
    return answered;
}

static void *reviewer_main(void *arg)
{
    struct world *world = arg;
    struct http_client *client = cleat_mem_zalloc(1, sizeof(*client));
    client->fd = -1;
    while (!atomic_load(&world->done)) {
        if (!reviewer_ask(world, client))
            atomic_fetch_add(&world->reviews_lost, 1);
        atomic_fetch_add(&world->reviews, 1);
        cleat_wait_moment();
    }
    http_client_close(client);
    cleat_mem_free(client);
    return NULL;
}

/* Each write changes the Mirror's spec, so that the API server asks both webhooks. */
static void *writer_main(void *arg)
{
    struct world *world = arg;
    char json[96];
    while (!atomic_load(&world->done)) {
        (void)snprintf(json, sizeof(json), "{\"spec\":{\"copy\":{\"labels\":{\"n\":\"v%u\"}}}}",
                       atomic_load(&world->writes));
        if (cluster_patch(&world->cluster, &mirrors, NULL, "m", json) != 0)
            atomic_fetch_add(&world->writes_lost, 1);
        else
            atomic_fetch_add(&world->writes, 1);
        cleat_wait_moment();
    }
    return NULL;
}

/* ---- the run ---- */

static void world_open(struct world *world)
{
    char *text = NULL;
    memset(world, 0, sizeof(*world));
    cluster_open(&world->cluster);
    cleat_temp_dir_init(&world->dir);
    world->service = service_new();
    cluster_install(&world->cluster, service_port(world->service));
    make_things(world);
    ck_assert_int_eq(
        cleat_apiserver_kubeconfig_text(world->cluster.server, "cleat", NULL, &text, NULL), 0);
    cleat_temp_dir_write(&world->dir, "config", text);
    cleat_free(text);
    for (int i = 0; i < REPLICAS; i++)
        replica_start(world, &world->replicas[i]);
    for (int i = 0; i < REPLICAS; i++)
        replica_join_rotation(world, &world->replicas[i]);
    ck_assert_int_eq(make_mirror(world), 0);
}

static void world_close(struct world *world)
{
    for (int i = 0; i < REPLICAS; i++)
        replica_end(world, &world->replicas[i]);
    world->service = service_free(world->service);
    cluster_close(&world->cluster);
    cleat_temp_dir_fini(&world->dir);
}

static void roll_out(struct world *world, struct replica *old)
{
    struct replica fresh;
    unsigned before = atomic_load(&world->reviews);
    replica_start(world, &fresh);
    replica_join_rotation(world, &fresh);
    replica_end(world, old);
    *old = fresh;
    CLEAT_WAIT_FOR(atomic_load(&world->reviews) > before + REVIEWERS, LIMIT_MS);
}

/* How often any replica said so. */
static unsigned said(struct world *world, const char *words)
{
    unsigned count = 0;
    char name[32];
    for (unsigned i = 0; i < world->generation; i++) {
        struct cleat_buffer text = CLEAT_BUFFER_INIT((size_t)16 * CLEAT_MIB);
        (void)snprintf(name, sizeof(name), "log%u", i);
        ck_assert_int_eq(
            cleat_file_read(cleat_temp_dir_path(&world->dir, name), false, &text, NULL), 0);
        for (const char *at = text.data; at && (at = strstr(at, words)); at++)
            count++;
        cleat_buffer_fini(&text);
    }
    return count;
}

static void report(struct world *world)
{
    char note[200];
    unsigned renewals = said(world, "\"made a certificate\"");
    struct cleat_tally tally = {.name = "rollout", .runs = ROLLOUTS, .least = REVIEWS_LEAST};
    unsigned writes = atomic_load(&world->writes);
    (void)snprintf(
        note, sizeof(note),
        "two replicas rolled; %u writes, %u connections, %u certificates; longest stop %lld ms",
        writes, atomic_load(&world->connections), renewals, (long long)world->stop_ms_max);
    tally.note = note;
    tally.injections = atomic_load(&world->reviews);
    tally.wrong = atomic_load(&world->reviews_lost) + atomic_load(&world->writes_lost) +
                  service_refused(world->service);
    ck_assert_uint_ge(writes, WRITES_LEAST);
    ck_assert_uint_ge(renewals, RENEWALS_LEAST);
    CLEAT_WAIT_FOR(copied(world, writes - 1), LIMIT_MS);
    cleat_tally_end(&tally);
}

START_TEST(test_rollout_loses_nothing)
{
    static struct world world;
    struct cleat_thread threads[REVIEWERS + 1] = {0};
    world_open(&world);
    for (int i = 0; i <= REVIEWERS; i++)
        ck_assert_int_eq(cleat_thread_start(&threads[i], "load", 0,
                                            i == REVIEWERS ? writer_main : reviewer_main, &world,
                                            NULL),
                         0);
    for (int i = 0; i < ROLLOUTS; i++)
        roll_out(&world, &world.replicas[i % REPLICAS]);
    atomic_store(&world.done, true);
    for (int i = 0; i <= REVIEWERS; i++)
        cleat_thread_join(&threads[i]);
    report(&world);
    world_close(&world);
}
END_TEST

CLEAT_SUITE_MAIN("rollout", test_rollout_loses_nothing)
