/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may read metrics, as the embedded API server says by its tokens and its RBAC; and what is
 * said where it can't be asked.
 */
#include "server/authorizer.h"

#include <pthread.h>
#include <unistd.h>

#include <cleat/kubeconfig.h>
#include <cleat/server.h>

#include "base/limits.h"
#include "base/mem.h"
#include "integration/cluster.h"
#include "integration/http_client.h"
#include "support/fake_clock.h"
#include "support/script_certs.h"
#include "support/suite.h"
#include "support/wait.h"

#define TOKENS "/apis/authentication.k8s.io/v1/tokenreviews"
#define ACCESS "/apis/authorization.k8s.io/v1/subjectaccessreviews"
#define RBAC "rbac.authorization.k8s.io"
#define CANARY "canary-token-5ec2e7"
#define LIMIT_MS 20000

static const struct cleat_resource roles = {
    .gvk = {RBAC, "v1", "ClusterRole"}, .plural = "clusterroles", .verbs = ~0u};
static const struct cleat_resource bindings = {
    .gvk = {RBAC, "v1", "ClusterRoleBinding"}, .plural = "clusterrolebindings", .verbs = ~0u};

struct fixture {
    struct cluster cluster;
    struct cleat_client *reviewer;
    struct cleat_fake_clock clock;
    struct cleat_metrics *metrics;
    struct cleat_log *log;
    int log_fds[2];
    struct cleat_buffer logged;
    struct cleat_authorizer *authorizer;
    char *prometheus; /* tokens of users */
    char *stranger;
};

/* The token of @user, of no group that may everything; new. */
static char *token_of(struct fixture *f, const char *user)
{
    static const char *const none[] = {NULL};
    struct cleat_kubeconfig *config = NULL;
    ck_assert_int_eq(cleat_apiserver_kubeconfig(f->cluster.server, user, none, &config, NULL), 0);
    char *token = cleat_mem_strdup(config->token);
    ck_assert_ptr_nonnull(token);
    cleat_kubeconfig_free(config);
    return token;
}

static struct cleat_client *reviewer_of(struct fixture *f)
{
    static const char *const none[] = {NULL};
    struct cleat_kubeconfig *config = NULL;
    struct cleat_client *client = NULL;
    ck_assert_int_eq(cleat_apiserver_kubeconfig(f->cluster.server, "cleat", none, &config, NULL),
                     0);
    const struct cleat_client_options options = {.config = config, .timeout_ms = 3000};
    ck_assert_int_eq(cleat_client_new(&options, &client, NULL), 0);
    cleat_kubeconfig_free(config);
    return client;
}

static void bind_user(struct fixture *f, const char *name, const char *role, const char *user)
{
    char json[512];
    snprintf(json, sizeof(json),
             "{\"apiVersion\":\"" RBAC "/v1\",\"kind\":\"ClusterRoleBinding\",\"metadata\":{"
             "\"name\":\"%s\"},\"roleRef\":{\"apiGroup\":\"" RBAC
             "\",\"kind\":\"ClusterRole\",\"name\":\"%s\"},\"subjects\":[{\"apiGroup\":\"" RBAC
             "\",\"kind\":\"User\",\"name\":\"%s\"}]}",
             name, role, user);
    ck_assert_int_eq(cluster_make(&f->cluster, &bindings, NULL, json), 0);
}

static void fixture_open(struct fixture *f)
{
    const struct cleat_apiserver_options server = {.rbac = true};
    memset(f, 0, sizeof(*f));
    ck_assert_int_eq(cleat_apiserver_new(&server, &f->cluster.server, NULL), 0);
    ck_assert_int_eq(cleat_apiserver_start(f->cluster.server, NULL), 0);
    f->cluster.admin = cluster_client(&f->cluster, NULL);
    ck_assert_int_eq(cluster_make(&f->cluster, &roles, NULL,
                                  "{\"apiVersion\":\"" RBAC "/v1\",\"kind\":\"ClusterRole\","
                                  "\"metadata\":{\"name\":\"cleat-metrics-reader\"},\"rules\":[{"
                                  "\"nonResourceURLs\":[\"/metrics\"],\"verbs\":[\"get\"]}]}"),
                     0);
    bind_user(f, "cleat", "system:auth-delegator", "cleat");
    bind_user(f, "prometheus", "cleat-metrics-reader", "prometheus");
    f->reviewer = reviewer_of(f);
    f->prometheus = token_of(f, "prometheus");
    f->stranger = token_of(f, "stranger");
    cleat_fake_clock_init(&f->clock);
    ck_assert_int_eq(cleat_metrics_new(&f->metrics), 0);
    ck_assert_int_eq(pipe(f->log_fds), 0);
    cleat_buffer_init(&f->logged, 4 * CLEAT_MIB);
    const struct cleat_log_options log = {
        .fd = f->log_fds[1], .level = CLEAT_LOG_DEBUG, .clock = cleat_clock_system()};
    ck_assert_int_eq(cleat_log_new(&log, &f->log, NULL), 0);
    const struct cleat_authorizer_options options = {.client = f->reviewer,
                                                     .clock = &f->clock.clock,
                                                     .log = f->log,
                                                     .metrics = f->metrics,
                                                     .pause_ms = 10};
    ck_assert_int_eq(cleat_authorizer_new(&options, &f->authorizer, NULL), 0);
}

/* Whatever was logged and counted. @ret is new. */
static char *fixture_said(struct fixture *f)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_MIB);
    char bytes[65536];
    ck_assert_int_eq(cleat_metrics_write(f->metrics, &text), 0);
    cleat_info(f->log, "end"); /* so that the read doesn't wait */
    ck_assert_int_eq(cleat_log_flush(f->log, LIMIT_MS), 0);
    ssize_t got = read(f->log_fds[0], bytes, sizeof(bytes));
    ck_assert_int_gt(got, 0);
    ck_assert_int_eq(cleat_buffer_append(&f->logged, bytes, (size_t)got), 0);
    ck_assert_int_eq(cleat_buffer_append(&text, f->logged.data, f->logged.length), 0);
    return cleat_buffer_take(&text);
}

static void fixture_close(struct fixture *f)
{
    char *said = fixture_said(f);
    ck_assert_msg(!strstr(said, f->prometheus) && !strstr(said, f->stranger) &&
                      !strstr(said, CANARY),
                  "a token was told: %s", said);
    cleat_mem_free(said);
    cleat_authorizer_free(f->authorizer);
    cleat_client_unref(f->reviewer);
    cleat_log_free(f->log);
    close(f->log_fds[0]);
    close(f->log_fds[1]);
    cleat_buffer_fini(&f->logged);
    cleat_metrics_free(f->metrics);
    cleat_mem_free(f->prometheus);
    cleat_mem_free(f->stranger);
    cluster_close(&f->cluster);
}

static int judge(struct fixture *f, const char *scheme, const char *token)
{
    char *header = cleat_mem_format("%s%s", scheme, token);
    ck_assert_ptr_nonnull(header);
    int status = cleat_authorizer_judge(f->authorizer, cleat_str_of(header), "get", "/metrics");
    cleat_mem_free(header);
    return status;
}

static uint64_t asked(struct fixture *f, const char *path)
{
    return cleat_apiserver_requests(f->cluster.server, "POST", path, NULL);
}

START_TEST(test_who_may)
{
    struct fixture f;
    fixture_open(&f);
    const struct {
        const char *scheme;
        const char *token;
        int status;
    } rows[] = {
        {"", "", 401},
        {"Bearer", "", 401},
        {"Bearer ", "", 401},
        {"Bearer   ", "", 401},
        {"Basic ", f.prometheus, 401},
        {"", f.prometheus, 401},
        {"Bearer ", CANARY, 401},
        {"Bearer ", CANARY " with spaces", 401},
        {"Bearer ", CANARY "\x01", 401},
        {"Bearer ", CANARY "\xff", 401},
        {"Bearer ", f.stranger, 403},
        {"Bearer ", f.prometheus, 0},
        {"bearer  ", f.prometheus, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(judge(&f, rows[i].scheme, rows[i].token) == rows[i].status, "row %zu", i);
    /* What can't be a token wasn't even asked about. */
    ck_assert_uint_eq(asked(&f, TOKENS), 3);
    ck_assert_uint_eq(asked(&f, ACCESS), 2);
    /* Another verb or path is another question. */
    char *header = cleat_mem_format("Bearer %s", f.prometheus);
    ck_assert_int_eq(cleat_authorizer_judge(f.authorizer, cleat_str_of(header), "post", "/metrics"),
                     403);
    ck_assert_int_eq(cleat_authorizer_judge(f.authorizer, cleat_str_of(header), "get", "/secrets"),
                     403);
    cleat_mem_free(header);
    fixture_close(&f);
}
END_TEST

START_TEST(test_a_token_that_is_too_long)
{
    struct fixture f;
    fixture_open(&f);
    char *token = cleat_mem_alloc(9 * CLEAT_KIB);
    ck_assert_ptr_nonnull(token);
    memset(token, 't', 9 * CLEAT_KIB - 1);
    token[9 * CLEAT_KIB - 1] = '\0';
    ck_assert_int_eq(judge(&f, "Bearer ", token), 401);
    ck_assert_uint_eq(asked(&f, TOKENS), 0);
    cleat_mem_free(token);
    fixture_close(&f);
}
END_TEST

START_TEST(test_answers_are_kept)
{
    struct fixture f;
    fixture_open(&f);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(judge(&f, "Bearer ", f.prometheus), 0);
    ck_assert_uint_eq(asked(&f, TOKENS), 1);
    ck_assert_uint_eq(asked(&f, ACCESS), 1);
    cleat_fake_clock_advance_ms(&f.clock, 60000);
    ck_assert_int_eq(judge(&f, "Bearer ", f.prometheus), 0);
    ck_assert_uint_eq(asked(&f, TOKENS), 2);
    ck_assert_uint_eq(asked(&f, ACCESS), 1);
    cleat_fake_clock_advance_ms(&f.clock, 4 * 60000);
    ck_assert_int_eq(judge(&f, "Bearer ", f.prometheus), 0);
    ck_assert_uint_eq(asked(&f, TOKENS), 3);
    ck_assert_uint_eq(asked(&f, ACCESS), 2);
    /* Refusals for half a minute: a grant counts soon. */
    ck_assert_int_eq(judge(&f, "Bearer ", f.stranger), 403);
    bind_user(&f, "stranger", "cleat-metrics-reader", "stranger");
    ck_assert_int_eq(judge(&f, "Bearer ", f.stranger), 403);
    cleat_fake_clock_advance_ms(&f.clock, 30000);
    ck_assert_int_eq(judge(&f, "Bearer ", f.stranger), 0);
    fixture_close(&f);
}
END_TEST

/* Whatever the API server does but answer well, nobody is let through. */
START_TEST(test_an_api_server_that_cannot_be_asked)
{
    static const struct {
        struct cleat_fault fault;
        uint64_t tries; /* at least */
    } rows[] = {
        {{.method = "POST", .path = TOKENS, .status = 500}, 3},
        {{.method = "POST", .path = TOKENS, .drop = true}, 3},
        {{.method = "POST", .path = TOKENS, .status = 409}, 1},
        {{.method = "POST", .path = ACCESS, .status = 500}, 3},
        {{.method = "POST", .path = ACCESS, .drop = true}, 3},
        {{.method = "POST", .path = TOKENS, .cut_after_bytes = 20}, 3},
        {{.method = "POST", .path = ACCESS, .cut_after_bytes = 20}, 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        fixture_open(&f);
        ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &rows[i].fault), 0);
        ck_assert_msg(judge(&f, "Bearer ", f.prometheus) == 503, "row %zu", i);
        ck_assert_msg(asked(&f, rows[i].fault.path) >= rows[i].tries, "row %zu: %llu tries", i,
                      (unsigned long long)asked(&f, rows[i].fault.path));
        cleat_apiserver_fault_clear(f.cluster.server, 0);
        ck_assert_msg(judge(&f, "Bearer ", f.prometheus) == 0, "row %zu: afterwards", i);
        char *said = fixture_said(&f);
        ck_assert_msg(strstr(said, "who may read metrics can't be asked") != NULL, "%s", said);
        ck_assert(strstr(said, "cleat_authorizer_requests_total{outcome=\"error\"} 1\n") != NULL);
        ck_assert(strstr(said, "cleat_authorizer_requests_total{outcome=\"allowed\"} 1\n") != NULL);
        cleat_mem_free(said);
        fixture_close(&f);
    }
}
END_TEST

START_TEST(test_one_fault_is_tried_over)
{
    struct fixture f;
    fixture_open(&f);
    const struct cleat_fault once = {.method = "POST", .path = TOKENS, .status = 500, .times = 1};
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &once), 0);
    ck_assert_int_eq(judge(&f, "Bearer ", f.prometheus), 0);
    fixture_close(&f);
}
END_TEST

/* Without the right to ask, nobody may read, and the log says what is missing. */
START_TEST(test_without_the_right_to_ask)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(cluster_remove(&f.cluster, &bindings, NULL, "cleat"), 0);
    ck_assert_int_eq(judge(&f, "Bearer ", f.prometheus), 503);
    ck_assert_uint_eq(asked(&f, TOKENS), 1); /* another try wouldn't help */
    char *said = fixture_said(&f);
    ck_assert_msg(strstr(said, "tokenreviews") != NULL, "%s", said);
    cleat_mem_free(said);
    fixture_close(&f);
}
END_TEST

struct caller {
    pthread_t thread;
    struct fixture *f;
    int status;
};

static void *call(void *arg)
{
    struct caller *caller = arg;
    caller->status = judge(caller->f, "Bearer ", caller->f->prometheus);
    return NULL;
}

START_TEST(test_many_at_once_ask_once)
{
    struct fixture f;
    struct caller callers[16];
    fixture_open(&f);
    const struct cleat_fault slow = {.method = "POST", .path = TOKENS, .delay_ms = 300};
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &slow), 0);
    for (size_t i = 0; i < 16; i++) {
        callers[i] = (struct caller){.f = &f};
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
    for (size_t i = 0; i < 16; i++) {
        ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
        ck_assert_int_eq(callers[i].status, 0);
    }
    ck_assert_uint_eq(asked(&f, TOKENS), 1);
    ck_assert_uint_eq(asked(&f, ACCESS), 1);
    fixture_close(&f);
}
END_TEST

struct flood {
    pthread_t thread;
    struct fixture *f;
    unsigned number;
    unsigned refused;
};

/* Tokens that nobody has. */
static void *flood(void *arg)
{
    struct flood *flood = arg;
    for (unsigned i = 0; i < 25; i++) {
        char token[64];
        (void)snprintf(token, sizeof(token), CANARY "-%u-%u", flood->number, i);
        int status = judge(flood->f, "Bearer ", token);
        flood->refused += status == 401 || status == 503;
    }
    return NULL;
}

START_TEST(test_made_up_tokens_shut_nobody_out)
{
    struct fixture f;
    struct flood floods[16];
    fixture_open(&f);
    const struct cleat_fault slow = {.method = "POST", .path = TOKENS, .delay_ms = 10};
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &slow), 0);
    ck_assert_int_eq(judge(&f, "Bearer ", f.prometheus), 0);
    cleat_fake_clock_advance_ms(&f.clock, 60000); /* to be asked about again, amid them all */
    for (unsigned i = 0; i < 16; i++) {
        floods[i] = (struct flood){.f = &f, .number = i};
        ck_assert_int_eq(pthread_create(&floods[i].thread, NULL, flood, &floods[i]), 0);
    }
    ck_assert_int_eq(judge(&f, "Bearer ", f.prometheus), 0);
    for (unsigned i = 0; i < 16; i++) {
        ck_assert_int_eq(pthread_join(floods[i].thread, NULL), 0);
        ck_assert_uint_eq(floods[i].refused, 25);
    }
    ck_assert_int_eq(judge(&f, "Bearer ", f.prometheus), 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_stop_ends_what_is_under_way)
{
    struct fixture f;
    fixture_open(&f);
    const struct cleat_fault frozen = {.method = "POST", .path = TOKENS, .freeze = true};
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &frozen), 0);
    struct cleat_runnable runnable = cleat_authorizer_runnable(f.authorizer);
    struct caller caller = {.f = &f};
    ck_assert_int_eq(runnable.start(runnable.arg, NULL), 0);
    ck_assert_int_eq(pthread_create(&caller.thread, NULL, call, &caller), 0);
    CLEAT_WAIT_FOR(asked(&f, TOKENS) == 1, LIMIT_MS);
    runnable.stop(runnable.arg);
    ck_assert_int_eq(pthread_join(caller.thread, NULL), 0);
    ck_assert_int_eq(caller.status, 503);
    ck_assert_int_eq(judge(&f, "Bearer ", f.prometheus), 503);
    cleat_apiserver_fault_clear(f.cluster.server, 0);
    fixture_close(&f);
}
END_TEST

/* As it is served: over TLS, refusals without a body. */
START_TEST(test_over_the_wire)
{
    struct fixture f;
    struct cleat_server *server = NULL;
    struct cleat_bundle *bundle = NULL;
    struct script_cert cert = {0};
    fixture_open(&f);
    const struct cleat_server_options options = {.name = "metrics",
                                                 .bind = "127.0.0.1:0",
                                                 .tls = true,
                                                 .metrics = f.metrics,
                                                 .authorize = cleat_authorizer_judge,
                                                 .authorize_arg = f.authorizer};
    const struct script_cert_options names = {.name = "m", .alt_names = "DNS:localhost"};
    script_cert_make(&names, &cert);
    ck_assert_int_eq(cleat_bundle_new(cleat_str_of(cert.cert_pem), cleat_str_of(cert.key_pem),
                                      CLEAT_STR(""), &bundle, NULL),
                     0);
    ck_assert_int_eq(cleat_server_new(&options, &server, NULL), 0);
    cleat_server_set_bundle(server, bundle);
    ck_assert_int_eq(cleat_server_start(server, NULL), 0);
    const struct {
        const char *token;
        int status;
    } rows[] = {{NULL, 401}, {CANARY, 401}, {f.stranger, 403}, {f.prometheus, 200}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct http_client client;
        static struct http_reply reply;
        char *text = rows[i].token
                         ? cleat_mem_format("GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                            "Authorization: Bearer %s\r\n\r\n",
                                            rows[i].token)
                         : cleat_mem_strdup("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        ck_assert(http_client_open(&client, cleat_server_port(server), true));
        ck_assert(http_client_text(&client, text));
        http_client_read(&client, &reply, false);
        ck_assert_msg(reply.status == rows[i].status, "row %zu: %d", i, reply.status);
        if (reply.status == 200)
            ck_assert_ptr_nonnull(strstr(reply.body, "# TYPE cleat_authorizer_requests_total"));
        else
            ck_assert_str_eq(reply.body, "");
        http_client_close(&client);
        cleat_mem_free(text);
    }
    cleat_server_stop(server);
    ck_assert_int_eq(cleat_server_join(server, LIMIT_MS), 0);
    cleat_server_free(server);
    cleat_bundle_unref(bundle);
    script_cert_fini(&cert);
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("authorizer", test_who_may, test_a_token_that_is_too_long, test_answers_are_kept,
                 test_an_api_server_that_cannot_be_asked, test_one_fault_is_tried_over,
                 test_without_the_right_to_ask, test_many_at_once_ask_once,
                 test_made_up_tokens_shut_nobody_out, test_stop_ends_what_is_under_way,
                 test_over_the_wire)
