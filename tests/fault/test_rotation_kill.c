/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server is killed at each request by which it makes, reads and publishes its certificate: the
 * request has been carried out, its answer never comes. Whatever state that leaves, the next start
 * must come up by itself, with what is published verifying what is served.
 */
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "fault/rotation_world.h"
#include "integration/cluster_install.h"
#include "support/child.h"
#include "support/suite.h"
#include "support/tally.h"
#include "support/temp_dir.h"

#define POINTS_LEAST 15
#define HOOKS "/apis/admissionregistration.k8s.io/v1/"
#define SECRET "/api/v1/namespaces/" CERTS_NAMESPACE "/secrets"

struct server {
    struct cluster cluster;
    struct cleat_temp_dir dir;
    int port;
    int health_port;
    struct child child;
    const char *lifetimes[2]; /* flags; NULL: the defaults */
};

/* Requests at which it is killed: the first, the second, ... of that kind, while there are such. */
static const struct {
    const char *method;
    const char *path;
    unsigned most;
} points[] = {
    {"GET", SECRET "/" CERTS_SECRET, 4},
    {"POST", SECRET, 1},
    {"PUT", SECRET "/" CERTS_SECRET, 1},
    {"GET", HOOKS "mutatingwebhookconfigurations/cleat-mutating", 4},
    {"GET", HOOKS "validatingwebhookconfigurations/cleat-validating", 4},
    {"PATCH", HOOKS "mutatingwebhookconfigurations/cleat-mutating", 1},
    {"PATCH", HOOKS "validatingwebhookconfigurations/cleat-validating", 1},
};

/* What was there before: nothing, and a Secret that is broken. */
static const char *const beginnings[] = {
    NULL,
    "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"" CERTS_SECRET
    "\",\"namespace\":\"" CERTS_NAMESPACE "\"},\"type\":\"kubernetes.io/tls\",\"data\":{"
    "\"tls.crt\":\"eA==\",\"tls.key\":\"eA==\",\"ca.crt\":\"eA==\"}}",
};

static void server_spawn(struct server *server)
{
    char line[PATH_MAX * 2 + 512], lifetimes[160] = "";
    if (server->lifetimes[0])
        (void)snprintf(lifetimes, sizeof(lifetimes),
                       "--webhook-cert-lifetime=%s --webhook-ca-lifetime=%s", server->lifetimes[0],
                       server->lifetimes[1]);
    (void)snprintf(line, sizeof(line),
                   CLEAT_BINARY_DIR
                   "/cleat serve --kubeconfig=%s --webhook-bind-address=127.0.0.1:%d "
                   "--health-probe-bind-address=127.0.0.1:%d --metrics-bind-address=0 "
                   "--webhook-url=https://127.0.0.1:%d %s",
                   cleat_temp_dir_path(&server->dir, "config"), server->port, server->health_port,
                   server->port, lifetimes);
    child_start(&server->child, line, cleat_temp_dir_path(&server->dir, "log"));
}

static void server_kill(struct server *server)
{
    child_end(&server->child, SIGKILL, LIMIT_MS);
    ck_assert_msg(WIFSIGNALED(server->child.status), "ended by itself: %d", server->child.status);
}

static bool server_ready(void *arg)
{
    const struct server *server = arg;
    return http_client_ready(server->health_port);
}

/* What it shows is verified by what both configurations for Mirrors hold. */
static bool server_verified(struct server *server)
{
    struct http_client *client = cleat_mem_zalloc(1, sizeof(*client));
    struct cleat_buffer pem = CLEAT_BUFFER_INIT((size_t)1 << 20);
    bool verified = http_client_open(client, (uint16_t)server->port, true);
    for (size_t i = 0; verified && i < 2; i++) {
        certs_published(&server->cluster, &certs_targets[i], &pem);
        verified = world_trusts(client, cleat_buffer_view(&pem));
    }
    http_client_close(client);
    cleat_mem_free(client);
    cleat_buffer_fini(&pem);
    return verified;
}

static void begin(struct server *server, const char *secret)
{
    struct cleat_document *document = NULL;
    (void)cluster_remove(&server->cluster, &certs_secrets, CERTS_NAMESPACE,
                         CERTS_SECRET); /* the first time there is none */
    cluster_install(&server->cluster, server->port);
    if (!secret)
        return;
    ck_assert_int_eq(cleat_document_parse(cleat_str_of(secret), &document, NULL), 0);
    ck_assert_int_eq(
        cleat_apiserver_put(server->cluster.server, cleat_document_root(document), NULL), 0);
    cleat_document_unref(document);
}

/* True where the server came to the request and was killed there. */
static bool kill_at(struct server *server, size_t point, unsigned nth)
{
    const struct cleat_fault fault = {.method = points[point].method,
                                      .path = points[point].path,
                                      .query = NULL,
                                      .freeze = true,
                                      .skip = nth};
    struct cleat_apiserver *api = server->cluster.server;
    uint64_t before = cleat_apiserver_requests(api, fault.method, fault.path, NULL);
    int id = cleat_apiserver_fault(api, &fault);
    ck_assert_int_gt(id, 0);
    server_spawn(server);
    CLEAT_WAIT_FOR(server_ready(server) ||
                       cleat_apiserver_requests(api, fault.method, fault.path, NULL) > before + nth,
                   LIMIT_MS);
    bool reached = cleat_apiserver_requests(api, fault.method, fault.path, NULL) > before + nth;
    server_kill(server);
    cleat_apiserver_fault_clear(api, id);
    return reached;
}

static void try_point(struct server *server, const char *secret, size_t point,
                      struct cleat_tally *tally)
{
    bool reached = true;
    for (unsigned nth = 0; reached && nth < points[point].most; nth++) {
        begin(server, secret);
        reached = kill_at(server, point, nth);
        server_spawn(server);
        ck_assert_msg(cleat_wait_for(server_ready, server, LIMIT_MS),
                      "not ready after %s %s, number %u", points[point].method, points[point].path,
                      nth);
        tally->runs++;
        if (reached)
            tally->injections++;
        if (!server_verified(server))
            tally->wrong++;
        server_kill(server);
    }
}

static void server_open(struct server *server)
{
    char *text = NULL;
    memset(server, 0, sizeof(*server));
    cluster_open(&server->cluster);
    cleat_temp_dir_init(&server->dir);
    server->port = child_port();
    server->health_port = child_port();
    ck_assert_int_eq(
        cleat_apiserver_kubeconfig_text(server->cluster.server, "cleat", NULL, &text, NULL), 0);
    cleat_temp_dir_write(&server->dir, "config", text);
    cleat_free(text);
}

static void server_close(struct server *server)
{
    cluster_close(&server->cluster);
    cleat_temp_dir_fini(&server->dir);
}

START_TEST(test_comes_up_after_a_kill_at_each_step)
{
    static struct server server;
    struct cleat_tally tally = {.name = "certificate-kill",
                                .least = POINTS_LEAST,
                                .note = "killed at each request of the certificate's making"};
    server_open(&server);
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        for (size_t j = 0; j < sizeof(points) / sizeof(points[0]); j++)
            try_point(&server, beginnings[i], j, &tally);
    cleat_tally_end(&tally);
    server_close(&server);
}
END_TEST

/* ---- at any moment of a rotation ---- */

#define LIVES 14
#define LIFE_MS_MOST 3000

/* What the certificates were, by where they end. */
struct seen {
    int64_t leaf_end_s, ca_end_s;
    unsigned leaves, cas;
};

static int64_t end_of(struct cleat_str pem)
{
    X509 *cert = NULL;
    ck_assert_int_eq(cleat_x509_read(pem, &cert, NULL), 0);
    int64_t end_s = cleat_x509_not_after_unix_s(cert);
    X509_free(cert);
    return end_s;
}

static void look_at_secret(struct server *server, const char *key, int64_t *end_s, unsigned *count)
{
    const struct cleat_client_target target = {
        .resource = &certs_secrets, .namespace_ = CERTS_NAMESPACE, .name = CERTS_SECRET};
    struct cleat_object *object = NULL;
    struct cleat_scratch scratch;
    struct cleat_buffer pem = CLEAT_BUFFER_INIT((size_t)1 << 20);
    ck_assert_int_eq(cleat_client_get(server->cluster.admin, &target, NULL, &object, NULL), 0);
    struct cleat_value data = cleat_object_find(object, "data");
    ck_assert_int_eq(
        cleat_base64_decode(&pem, cleat_value_text(cleat_value_get(data, key), &scratch), NULL), 0);
    int64_t now_s = end_of(cleat_buffer_view(&pem));
    *count += now_s != *end_s;
    *end_s = now_s;
    cleat_buffer_fini(&pem);
    cleat_object_unref(object);
}

static void live_for(struct server *server, int64_t life_ms, struct cleat_tally *tally,
                     struct seen *seen)
{
    const struct cleat_clock *clock = cleat_clock_system();
    server_spawn(server);
    ck_assert(cleat_wait_for(server_ready, server, LIMIT_MS));
    int64_t end_ms = cleat_clock_mono_ms(clock) + life_ms;
    do {
        tally->injections++;
        if (!server_verified(server))
            tally->wrong++;
        look_at_secret(server, "tls.crt", &seen->leaf_end_s, &seen->leaves);
        look_at_secret(server, "ca.crt", &seen->ca_end_s, &seen->cas);
        cleat_wait_moment();
    } while (cleat_clock_mono_ms(clock) < end_ms);
    server_kill(server);
    tally->runs++;
}

/* Lives of random length with certificates that live for seconds: whatever a rotation had come to
 * when the server was killed, the next one goes on from there. */
START_TEST(test_goes_on_after_a_kill_in_a_rotation)
{
    static struct server server;
    char note[96];
    struct seen seen = {0};
    struct cleat_tally tally = {.name = "rotation-kill", .least = 100};
    server_open(&server);
    server.lifetimes[0] = "6s";
    server.lifetimes[1] = "12s";
    begin(&server, NULL);
    for (int i = 0; i < LIVES; i++)
        live_for(&server, (int64_t)cleat_clock_random_below(cleat_clock_system(), LIFE_MS_MOST),
                 &tally, &seen);
    live_for(&server, LIFE_MS_MOST * 3, &tally, &seen);
    ck_assert_uint_ge(seen.leaves, 3);
    ck_assert_uint_ge(seen.cas, 2);
    (void)snprintf(note, sizeof(note),
                   "verified handshakes of a server killed %d times; %u leaves, %u CAs", LIVES + 1,
                   seen.leaves, seen.cas);
    tally.note = note;
    cleat_tally_end(&tally);
    server_close(&server);
}
END_TEST

CLEAT_SUITE_MAIN("rotation kill", test_comes_up_after_a_kill_at_each_step,
                 test_goes_on_after_a_kill_in_a_rotation)
