/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server on loopback with webhooks that allow, wait, aren't ready and fail, with metrics and
 * health, for the tests that speak to it.
 */
#ifndef CLEAT_TESTS_SERVER_FIXTURE_H
#define CLEAT_TESTS_SERVER_FIXTURE_H

#include <cleat/server.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include "base/limits.h"
#include "base/mem.h"
#include "integration/http_client.h"
#include "server/tls.h"
#include "support/script_certs.h"
#include "support/suite.h"
#include "support/wait.h"
#include "webhooks/registry.h"

#define LIMIT_MS 10000
#define BODY_MAX ((size_t)300 * CLEAT_KIB)
#define REVIEW                                                                                     \
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{"           \
    "\"uid\":\"u-1\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},"               \
    "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},"                      \
    "\"operation\":\"CREATE\",\"object\":{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":\"%s\"}}" \
    "}}}"
#define ALLOWED "\"uid\":\"u-1\",\"allowed\":true"
#define JSON "Content-Type: application/json\r\n"
#define HOST "Host: localhost\r\n"

struct fixture {
    struct cleat_server *server;
    struct cleat_webhooks *webhooks;
    struct cleat_metrics *metrics;
    struct cleat_health *health;
    bool tls;
    /* The gate of /wait: how many are in it, and whether it is open. */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    _Atomic(unsigned) waiting;
    bool gate_open;
    _Atomic(unsigned) served; /* by /allow and the check that is good */
};

static inline int admit_allow(void *arg, const struct cleat_review *review,
                              struct cleat_verdict *verdict, struct cleat_err *err)
{
    struct fixture *fixture = arg;
    atomic_fetch_add(&fixture->served, 1);
    cleat_verdict_allow(verdict);
    return 0;
}

/* Waits until the test opens the gate. */
static inline int admit_wait(void *arg, const struct cleat_review *review,
                             struct cleat_verdict *verdict, struct cleat_err *err)
{
    struct fixture *fixture = arg;
    pthread_mutex_lock(&fixture->mutex);
    atomic_fetch_add(&fixture->waiting, 1);
    while (!fixture->gate_open)
        pthread_cond_wait(&fixture->cond, &fixture->mutex);
    atomic_fetch_sub(&fixture->waiting, 1);
    pthread_mutex_unlock(&fixture->mutex);
    cleat_verdict_allow(verdict);
    return 0;
}

static inline int admit_stale(void *arg, const struct cleat_review *review,
                              struct cleat_verdict *verdict, struct cleat_err *err)
{
    return cleat_err_set(err, -ESTALE, "the cache isn't synced");
}

static inline int admit_fault(void *arg, const struct cleat_review *review,
                              struct cleat_verdict *verdict, struct cleat_err *err)
{
    return 0; /* decides nothing */
}

static inline void gate_open(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->mutex);
    fixture->gate_open = true;
    pthread_cond_broadcast(&fixture->cond);
    pthread_mutex_unlock(&fixture->mutex);
}

static inline int check_ok(void *arg, struct cleat_err *err)
{
    struct fixture *fixture = arg;
    atomic_fetch_add(&fixture->served, 1);
    return 0;
}

static inline int check_bad(void *arg, struct cleat_err *err)
{
    return cleat_err_set(err, -EIO, "not yet");
}

static inline void bundle_set(struct cleat_server *server, const char *name)
{
    const struct script_cert_options options = {.name = name, .alt_names = "DNS:localhost"};
    struct script_cert cert = {0};
    struct cleat_bundle *bundle = NULL;
    script_cert_make(&options, &cert);
    ck_assert_int_eq(cleat_bundle_new(cleat_str_of(cert.cert_pem), cleat_str_of(cert.key_pem),
                                      CLEAT_STR(""), &bundle, NULL),
                     0);
    cleat_server_set_bundle(server, bundle);
    (void)cleat_bundle_unref(bundle);
    script_cert_fini(&cert);
}

static inline void fixture_hooks(struct fixture *fixture)
{
    const struct cleat_webhook_options hooks[] = {
        {.path = "/allow", .admit = admit_allow, .arg = fixture},
        {.path = "/wait", .admit = admit_wait, .arg = fixture, .blocking = true},
        {.path = "/stale", .admit = admit_stale},
        {.path = "/fault", .admit = admit_fault},
    };
    struct cleat_webhooks_options options = {.metrics = fixture->metrics,
                                             .body_bytes_max = BODY_MAX,
                                             .bytes_in_flight_max = 4 * CLEAT_MIB};
    ck_assert_int_eq(cleat_webhooks_new(&options, &fixture->webhooks, NULL), 0);
    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
        ck_assert_int_eq(cleat_webhooks_add(fixture->webhooks, &hooks[i], NULL), 0);
}

/* Changes what the fixture's server is made with. */
typedef void (*fixture_tune_fn)(struct cleat_server_options *options);

static inline void fixture_open_tuned(struct fixture *fixture, bool tls, fixture_tune_fn tune)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    *fixture = (struct fixture){.tls = tls};
    pthread_mutex_init(&fixture->mutex, NULL);
    pthread_cond_init(&fixture->cond, NULL);
    ck_assert_int_eq(cleat_metrics_new(&fixture->metrics), 0);
    ck_assert_int_eq(cleat_health_new(&fixture->health), 0);
    ck_assert_int_eq(cleat_health_add(fixture->health, "good", true, check_ok, fixture), 0);
    ck_assert_int_eq(cleat_health_add(fixture->health, "bad", true, check_bad, NULL), 0);
    fixture_hooks(fixture);
    struct cleat_server_options options = {.name = "test",
                                           .bind = "127.0.0.1:0",
                                           .tls = tls,
                                           .webhooks = fixture->webhooks,
                                           .metrics = fixture->metrics,
                                           .healthz = fixture->health,
                                           .readyz = fixture->health};
    if (tune)
        tune(&options);
    ck_assert_msg(cleat_server_new(&options, &fixture->server, &err) == 0, "%s", err.text);
    if (tls)
        bundle_set(fixture->server, "first");
    ck_assert_msg(cleat_server_start(fixture->server, &err) == 0, "%s", err.text);
}

static inline void fixture_open(struct fixture *fixture, bool tls)
{
    fixture_open_tuned(fixture, tls, NULL);
}

static inline void fixture_close(struct fixture *fixture)
{
    gate_open(fixture);
    cleat_server_stop(fixture->server);
    ck_assert_int_eq(cleat_server_join(fixture->server, LIMIT_MS), 0);
    fixture->server = cleat_server_free(fixture->server);
    /* Whatever happened, nothing is counted for ever. */
    ck_assert_uint_eq(cleat_budget_used(cleat_webhooks_budget(fixture->webhooks)), 0);
    cleat_webhooks_free(fixture->webhooks);
    cleat_metrics_free(fixture->metrics);
    cleat_health_free(fixture->health);
    pthread_cond_destroy(&fixture->cond);
    pthread_mutex_destroy(&fixture->mutex);
    ck_assert_uint_eq(cleat_tls_identities(), 0);
}

static inline void client_open(struct http_client *client, const struct fixture *fixture)
{
    ck_assert(http_client_open(client, cleat_server_port(fixture->server), fixture->tls));
}

static inline void send_head(struct http_client *client, const char *path, size_t length)
{
    char head[1024];
    snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n",
             path, length);
    ck_assert(http_client_text(client, head));
}

/* A review of about @bytes, new. */
static inline char *review_of(size_t bytes)
{
    char *filler = cleat_mem_alloc(bytes + 1);
    ck_assert_ptr_nonnull(filler);
    memset(filler, 'f', bytes);
    filler[bytes] = '\0';
    char *review = cleat_mem_format(REVIEW, filler);
    ck_assert_ptr_nonnull(review);
    cleat_mem_free(filler);
    return review;
}

static inline void send_review(struct http_client *client, const char *path, size_t bytes)
{
    char *review = review_of(bytes);
    send_head(client, path, strlen(review));
    ck_assert(http_client_text(client, review));
    cleat_mem_free(review);
}

#endif
