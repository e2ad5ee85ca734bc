/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replicas that serve what their rotators hand out, and clients that trust nothing but what is
 * published at that moment, with GnuTLS' judgement and not ours.
 */
#ifndef CLEAT_TESTS_ROTATION_WORLD_H
#define CLEAT_TESTS_ROTATION_WORLD_H

#include <cleat/server.h>
#include <cleat/webhook.h>
#include <stdatomic.h>
#include "base/thread.h"
#include "integration/certs_fixture.h"
#include "integration/http_client.h"
#include "support/wait.h"

#define REPLICAS 3
#define LIMIT_MS 60000
#define REVIEW                                                                                \
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{"      \
    "\"uid\":\"u-1\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},"          \
    "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},\"operation\":"   \
    "\"CREATE\",\"userInfo\":{\"username\":\"a\"},\"object\":{\"metadata\":{\"name\":\"a\"}}" \
    "}}"

struct replica {
    struct cleat_cache *cache;
    struct cleat_rotator *rotator;
    struct cleat_runnable runnable;
    struct cleat_webhooks *webhooks;
    struct cleat_server *server;
    /* Written on the thread `certs` alone; counted by the test. */
    struct cleat_bundle *last;
    atomic_uint leaves;
    atomic_uint cas;
};

struct world {
    struct cluster cluster;
    struct replica replicas[REPLICAS];
    atomic_bool done;
    atomic_bool paused;
    atomic_uint active; /* clients that aren't in a pause */
    atomic_uint handshakes;
    atomic_uint handshakes_lost;
    atomic_uint handshakes_late; /* verified only by what was published when asked again */
    atomic_uint requests;
    atomic_uint requests_lost;
    atomic_uint kept; /* connections that lived through another leaf */
};

static inline int world_admit(void *arg, const struct cleat_review *review,
                              struct cleat_verdict *verdict, struct cleat_err *err)
{
    cleat_verdict_allow(verdict);
    return 0;
}

/* The end of the newest CA, which tells one from the next. */
static inline int64_t world_newest_end_s(const struct cleat_bundle *bundle)
{
    X509 *newest = NULL;
    ck_assert_int_eq(cleat_x509_read(cleat_bundle_ca(bundle), &newest, NULL), 0);
    int64_t end_s = cleat_x509_not_after_unix_s(newest);
    X509_free(newest);
    return end_s;
}

static inline void world_on_bundle(void *arg, struct cleat_bundle *bundle)
{
    struct replica *replica = arg;
    struct cleat_bundle *last = replica->last;
    if (last && !cleat_str_equal(cleat_bundle_cert(last), cleat_bundle_cert(bundle)))
        atomic_fetch_add(&replica->leaves, 1);
    if (last && world_newest_end_s(last) != world_newest_end_s(bundle))
        atomic_fetch_add(&replica->cas, 1);
    cleat_bundle_unref(last);
    replica->last = cleat_bundle_ref(bundle);
    cleat_server_set_bundle(replica->server, bundle);
}

static inline void replica_serve(struct replica *replica)
{
    const struct cleat_webhooks_options webhooks = {.body_bytes_max = 65536,
                                                    .bytes_in_flight_max = (size_t)1 << 22};
    const struct cleat_webhook_options hook = {.path = "/x", .admit = world_admit};
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_webhooks_new(&webhooks, &replica->webhooks, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(replica->webhooks, &hook, NULL), 0);
    const struct cleat_server_options server = {
        .name = "webhook", .bind = "127.0.0.1:0", .tls = true, .webhooks = replica->webhooks};
    ck_assert_msg(cleat_server_new(&server, &replica->server, &err) == 0, "%s", err.text);
}

static inline bool replica_is_ready(void *arg)
{
    const struct replica *replica = arg;
    return cleat_rotator_check(replica->rotator, NULL) == 0;
}

static inline void replica_start(struct world *world, struct replica *replica, int64_t leaf_s,
                                 int64_t ca_s)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_cache_options cache = {.client = world->cluster.admin};
    *replica = (struct replica){.cache = NULL};
    replica_serve(replica);
    ck_assert_int_eq(cleat_cache_new(&cache, &replica->cache, NULL), 0);
    struct cleat_rotator_options options = certs_options(&world->cluster);
    options.cache = replica->cache;
    options.leaf_lifetime_s = leaf_s;
    options.ca_lifetime_s = ca_s;
    options.on_bundle = world_on_bundle;
    options.arg = replica;
    ck_assert_int_eq(cleat_rotator_new(&options, &replica->rotator, NULL), 0);
    replica->runnable = cleat_rotator_runnable(replica->rotator, CLEAT_GROUP_WEBHOOKS);
    ck_assert_int_eq(replica->runnable.start(replica->runnable.arg, NULL), 0);
    ck_assert_int_eq(cleat_cache_start(replica->cache, NULL), 0);
    ck_assert(cleat_wait_for(replica_is_ready, replica, LIMIT_MS));
    ck_assert_msg(cleat_server_start(replica->server, &err) == 0, "%s", err.text);
}

static inline void replica_end(struct replica *replica)
{
    replica->runnable.stop(replica->runnable.arg);
    ck_assert_int_eq(replica->runnable.join(replica->runnable.arg, LIMIT_MS), 0);
    cleat_rotator_free(replica->rotator);
    cleat_cache_stop(replica->cache);
    cleat_cache_join(replica->cache);
    cleat_cache_free(replica->cache);
    cleat_server_stop(replica->server);
    ck_assert_int_eq(cleat_server_join(replica->server, LIMIT_MS), 0);
    cleat_server_free(replica->server);
    cleat_webhooks_free(replica->webhooks);
    cleat_bundle_unref(replica->last);
}

static inline void world_open(struct world *world, int64_t leaf_s, int64_t ca_s)
{
    memset(world, 0, sizeof(*world));
    certs_open(&world->cluster);
    for (int i = 0; i < REPLICAS; i++)
        replica_start(world, &world->replicas[i], leaf_s, ca_s);
}

static inline void world_close(struct world *world)
{
    for (int i = 0; i < REPLICAS; i++)
        replica_end(&world->replicas[i]);
    cluster_close(&world->cluster);
}

/* ---- clients ---- */

/* True where the PEM texts in @pem verify the chain that the server showed, now, for its name. */
static inline bool world_trusts(struct http_client *client, struct cleat_str pem)
{
    unsigned count = 0;
    unsigned status = GNUTLS_CERT_INVALID;
    gnutls_x509_trust_list_t list;
    gnutls_x509_crt_t leaf;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(client->session, &count);
    const gnutls_datum_t text = {(unsigned char *)(uintptr_t)pem.data, (unsigned)pem.length};
    if (!peers || count == 0)
        return false;
    ck_assert_int_eq(gnutls_x509_crt_init(&leaf), 0);
    ck_assert_int_eq(gnutls_x509_crt_import(leaf, peers, GNUTLS_X509_FMT_DER), 0);
    ck_assert_int_eq(gnutls_x509_trust_list_init(&list, 0), 0);
    bool trusted =
        gnutls_x509_trust_list_add_trust_mem(list, &text, NULL, GNUTLS_X509_FMT_PEM, 0, 0) > 0 &&
        gnutls_x509_trust_list_verify_crt(list, &leaf, 1, 0, &status, NULL) == 0 && status == 0 &&
        gnutls_x509_crt_check_hostname(leaf, "cleat.cleat-system.svc") != 0;
    gnutls_x509_trust_list_deinit(list, 1);
    gnutls_x509_crt_deinit(leaf);
    return trusted;
}

/* A connection with a verified handshake. */
static inline bool world_connect(struct world *world, struct http_client *client, unsigned *turn)
{
    const struct cleat_ca_target *target = &certs_targets[*turn % (CERTS_TARGETS - 1)];
    const struct replica *replica = &world->replicas[*turn % REPLICAS];
    struct cleat_buffer pem = CLEAT_BUFFER_INIT((size_t)1 << 20);
    *turn += 1 + *turn % 2;
    certs_published(&world->cluster, target, &pem);
    bool shaken = http_client_open(client, cleat_server_port(replica->server), true);
    bool trusted = shaken && world_trusts(client, cleat_buffer_view(&pem));
    if (shaken && !trusted) {
        certs_published(&world->cluster, target, &pem);
        trusted = world_trusts(client, cleat_buffer_view(&pem));
        if (trusted)
            atomic_fetch_add(&world->handshakes_late, 1);
    }
    atomic_fetch_add(&world->handshakes, 1);
    if (!trusted)
        atomic_fetch_add(&world->handshakes_lost, 1);
    cleat_buffer_fini(&pem);
    return trusted;
}

static inline bool world_ask(struct world *world, struct http_client *client)
{
    char head[256];
    struct http_reply *reply = cleat_mem_zalloc(1, sizeof(*reply));
    (void)snprintf(head, sizeof(head),
                   "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   sizeof(REVIEW) - 1);
    if (http_client_text(client, head) && http_client_text(client, REVIEW))
        http_client_read(client, reply, false);
    bool answered = reply->status == 200 && strstr(reply->body, "\"allowed\":true");
    atomic_fetch_add(&world->requests, 1);
    if (!answered)
        atomic_fetch_add(&world->requests_lost, 1);
    cleat_mem_free(reply);
    return answered;
}

/* In a pause of the test's. */
static inline void world_rest(struct world *world)
{
    if (!atomic_load(&world->paused))
        return;
    atomic_fetch_sub(&world->active, 1);
    while (atomic_load(&world->paused) && !atomic_load(&world->done))
        cleat_wait_moment();
    atomic_fetch_add(&world->active, 1);
}

/* A handshake for each request. */
static inline void *world_handshaker(void *arg)
{
    struct world *world = arg;
    struct http_client *client = cleat_mem_zalloc(1, sizeof(*client));
    unsigned turn = 0;
    atomic_fetch_add(&world->active, 1);
    while (!atomic_load(&world->done)) {
        world_rest(world);
        if (world_connect(world, client, &turn))
            (void)world_ask(world, client); /* counted */
        http_client_close(client);
    }
    atomic_fetch_sub(&world->active, 1);
    cleat_mem_free(client);
    return NULL;
}

/* One connection for many requests, until the leaf has changed twice under it. */
static inline void *world_keeper(void *arg)
{
    struct world *world = arg;
    struct http_client *client = cleat_mem_zalloc(1, sizeof(*client));
    unsigned turn = 0;
    atomic_fetch_add(&world->active, 1);
    while (!atomic_load(&world->done)) {
        world_rest(world);
        unsigned before = atomic_load(&world->replicas[0].leaves);
        bool good = world_connect(world, client, &turn);
        while (good && !atomic_load(&world->done) && !atomic_load(&world->paused) &&
               atomic_load(&world->replicas[0].leaves) < before + 2) {
            good = world_ask(world, client);
            cleat_wait_moment();
        }
        if (good && atomic_load(&world->replicas[0].leaves) > before)
            atomic_fetch_add(&world->kept, 1);
        http_client_close(client);
    }
    atomic_fetch_sub(&world->active, 1);
    cleat_mem_free(client);
    return NULL;
}

#define HANDSHAKERS 2
#define KEEPERS 3

static inline void world_load(struct world *world, struct cleat_thread threads[])
{
    for (int i = 0; i < HANDSHAKERS + KEEPERS; i++)
        ck_assert_int_eq(cleat_thread_start(&threads[i], "load", 0,
                                            i < HANDSHAKERS ? world_handshaker : world_keeper,
                                            world, NULL),
                         0);
}

static inline void world_unload(struct world *world, struct cleat_thread threads[])
{
    atomic_store(&world->done, true);
    for (int i = 0; i < HANDSHAKERS + KEEPERS; i++)
        cleat_thread_join(&threads[i]);
}

#endif
