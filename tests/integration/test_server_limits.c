/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edge's limits over real sockets: deadlines that no trickle moves, room for newcomers, clients
 * by their certificates, and what the figures say of it all.
 */
#include "integration/server_fixture.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

static struct cleat_fake_clock fake;
static struct cleat_metrics *stats;
static struct cleat_temp_dir dir;

/* The value of a series in the figures, -1 where it isn't there. */
static double figure(const char *series)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 * CLEAT_MIB);
    ck_assert_int_eq(cleat_metrics_write(stats, &text), 0);
    char line[160];
    (void)snprintf(line, sizeof(line), "\n%s ", series);
    const char *at = strstr(text.data, line);
    double value = at ? strtod(at + strlen(line), NULL) : -1;
    cleat_buffer_fini(&text);
    return value;
}

static void tune_fake(struct cleat_server_options *options)
{
    options->clock = &fake.clock;
    options->stats = stats;
    options->head_ms = 1000;
    options->body_ms = 2000;
    options->idle_ms = 3000;
    options->write_ms = 4000;
}

static void limits_open(struct fixture *fixture, bool tls, fixture_tune_fn tune)
{
    cleat_fake_clock_init(&fake);
    ck_assert_int_eq(cleat_metrics_new(&stats), 0);
    fixture_open_tuned(fixture, tls, tune);
}

static void limits_close(struct fixture *fixture)
{
    fixture_close(fixture);
    ck_assert(figure("cleat_http_connections{server=\"test\"}") == 0);
    stats = cleat_metrics_free(stats);
}

/* Sends a byte of @text each tenth of @limit_ms. Returns after how many the connection ended. */
static int trickle(struct http_client *client, const char *text, int64_t limit_ms)
{
    int sent = 0;
    for (; text[sent]; sent++) {
        if (!http_client_send(client, text + sent, 1))
            return sent;
        cleat_fake_clock_advance_ms(&fake, limit_ms / 10);
        struct timeval moment = {.tv_usec = 30000};
        ck_assert_int_eq(setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment)),
                         0);
        char byte;
        ssize_t got = recv(client->fd, &byte, 1, MSG_PEEK);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
            return sent + 1;
    }
    return sent;
}

static void wait_for_end(struct http_client *client)
{
    struct timeval limit = {.tv_sec = HTTP_CLIENT_LIMIT_S};
    ck_assert_int_eq(setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    ck_assert(!http_client_fill(client));
}

START_TEST(test_trickling_head)
{
    struct fixture fixture;
    struct http_client client;
    limits_open(&fixture, false, tune_fake);
    client_open(&client, &fixture);
    int sent =
        trickle(&client, "POST /allow HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1000);
    ck_assert_int_ge(sent, 5);
    ck_assert_int_le(sent, 40);
    CLEAT_WAIT_FOR(figure("cleat_http_deadlines_total{server=\"test\",phase=\"head\"}") == 1,
                   LIMIT_MS);
    http_client_close(&client);
    limits_close(&fixture);
}
END_TEST

START_TEST(test_trickling_body)
{
    struct fixture fixture;
    struct http_client client;
    limits_open(&fixture, false, tune_fake);
    client_open(&client, &fixture);
    send_head(&client, "/allow", 40000);
    CLEAT_WAIT_FOR(cleat_budget_used(cleat_webhooks_budget(fixture.webhooks)) == 40000, LIMIT_MS);
    int sent =
        trickle(&client, "{\"apiVersion\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 2000);
    ck_assert_int_ge(sent, 5);
    ck_assert_int_le(sent, 40);
    CLEAT_WAIT_FOR(figure("cleat_http_deadlines_total{server=\"test\",phase=\"body\"}") == 1,
                   LIMIT_MS);
    CLEAT_WAIT_FOR(cleat_budget_used(cleat_webhooks_budget(fixture.webhooks)) == 0, LIMIT_MS);
    http_client_close(&client);
    limits_close(&fixture);
}
END_TEST

/* A larger body has more time: a second for each MiB. */
START_TEST(test_silent)
{
    static const struct {
        const char *phase;
        int64_t limit_ms;
        const char *text; /* sent before the silence */
        bool review;
    } cases[] = {
        {"head", 1000, "", false},
        {"head", 1000, "POST /allow HTTP/1.1\r\n", false},
        {"idle", 3000, "", true},
        {"head", 1000, "POST /allow HTTP/1.1\r\nX: y\r\n", true},
        {"body", 2000, "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 40000\r\n\r\n", true},
    };
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        bool tls = i % 2;
        struct fixture fixture;
        struct http_client client;
        struct http_reply reply;
        char series[96];
        limits_open(&fixture, tls, tune_fake);
        client_open(&client, &fixture);
        if (cases[i / 2].review) {
            send_review(&client, "/allow", 10);
            http_client_read(&client, &reply, false);
            ck_assert_int_eq(reply.status, 200);
        }
        ck_assert(http_client_text(&client, cases[i / 2].text));
        snprintf(series, sizeof(series), "cleat_http_deadlines_total{server=\"test\",phase=\"%s\"}",
                 cases[i / 2].phase);
        if (cases[i / 2].phase[0] == 'b')
            CLEAT_WAIT_FOR(cleat_budget_used(cleat_webhooks_budget(fixture.webhooks)) == 40000,
                           LIMIT_MS);
        CLEAT_WAIT_FOR(
            (cleat_fake_clock_advance_ms(&fake, cases[i / 2].limit_ms / 4), figure(series) == 1),
            LIMIT_MS);
        wait_for_end(&client);
        http_client_close(&client);
        limits_close(&fixture);
    }
}
END_TEST

/* A handler that takes its time isn't the client's fault. */
START_TEST(test_handlers_have_time)
{
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    limits_open(&fixture, true, tune_fake);
    client_open(&client, &fixture);
    send_review(&client, "/wait", 10);
    CLEAT_WAIT_FOR(atomic_load(&fixture.waiting) == 1, LIMIT_MS);
    cleat_fake_clock_advance_ms(&fake, 1000000);
    struct http_client other; /* its end shows that there was a sweep */
    client_open(&other, &fixture);
    CLEAT_WAIT_FOR((cleat_fake_clock_advance_ms(&fake, 1000),
                    figure("cleat_http_deadlines_total{server=\"test\",phase=\"head\"}") == 1),
                   LIMIT_MS);
    http_client_close(&other);
    gate_open(&fixture);
    http_client_read(&client, &reply, false);
    ck_assert_int_eq(reply.status, 200);
    http_client_close(&client);
    limits_close(&fixture);
}
END_TEST

/* A client that asks and asks and doesn't read. */
START_TEST(test_slow_reader)
{
    struct fixture fixture;
    struct http_client client;
    const int small = 4096;
    limits_open(&fixture, false, tune_fake);
    client_open(&client, &fixture);
    ck_assert_int_eq(setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    struct timeval moment = {.tv_usec = 50000};
    ck_assert_int_eq(setsockopt(client.fd, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment)), 0);
    for (int i = 0; i < 100000; i++) /* until nothing more is taken */
        if (!http_client_text(&client, "GET /metrics HTTP/1.1\r\n" HOST "\r\n"))
            break;
    CLEAT_WAIT_FOR((cleat_fake_clock_advance_ms(&fake, 1000),
                    figure("cleat_http_deadlines_total{server=\"test\",phase=\"write\"}") == 1),
                   LIMIT_MS);
    CLEAT_WAIT_FOR(figure("cleat_http_connections{server=\"test\"}") == 0, LIMIT_MS);
    http_client_close(&client);
    limits_close(&fixture);
}
END_TEST

static void tune_few(struct cleat_server_options *options)
{
    tune_fake(options);
    options->connections_max = 4;
    options->connections_per_address_max = 3;
}

/* Opens a connection from 127.0.0.@host and asks; false where it was closed. */
static bool ask_from(struct http_client *client, const struct fixture *fixture, int host,
                     const char *path)
{
    struct http_reply reply;
    if (!http_client_open_from(client, INADDR_LOOPBACK - 1 + (unsigned)host,
                               cleat_server_port(fixture->server), fixture->tls))
        return false;
    send_review(client, path, 10);
    if (strcmp(path, "/wait") == 0)
        return true;
    http_client_read(client, &reply, false);
    return reply.status == 200;
}

/* As soon as somebody has waited for long enough, there is room. */
static bool finds_room(struct http_client *client, const struct fixture *fixture, int host)
{
    struct http_reply reply = {0};
    cleat_fake_clock_advance_ms(&fake, 200);
    if (http_client_connect(client, INADDR_LOOPBACK - 1 + (unsigned)host,
                            cleat_server_port(fixture->server)) &&
        http_client_text(client, "GET /readyz/good HTTP/1.1\r\n" HOST "\r\n"))
        http_client_read(client, &reply, false);
    if (reply.status == 200)
        return true;
    http_client_close(client);
    return false;
}

START_TEST(test_room_in_all)
{
    struct fixture fixture;
    struct http_client clients[6];
    limits_open(&fixture, false, tune_few);
    for (int i = 0; i < 6; i++) {
        ck_assert(ask_from(&clients[i], &fixture, i < 3 ? 2 : i + 1, "/allow"));
        cleat_fake_clock_advance_ms(&fake, 200);
    }
    wait_for_end(&clients[0]); /* of the heaviest, the oldest; then of it the next */
    wait_for_end(&clients[1]);
    ck_assert(figure("cleat_http_connections_evicted_total{server=\"test\"}") == 2);
    for (int i = 2; i < 6; i++) {
        struct http_reply reply;
        send_review(&clients[i], "/allow", 10);
        http_client_read(&clients[i], &reply, false);
        ck_assert_int_eq(reply.status, 200);
    }
    for (int i = 0; i < 6; i++)
        http_client_close(&clients[i]);
    limits_close(&fixture);
}
END_TEST

START_TEST(test_room_of_an_address)
{
    struct fixture fixture;
    struct http_client clients[5], late, other;
    struct http_reply reply;
    limits_open(&fixture, false, tune_few);
    for (int i = 0; i < 3; i++)
        ck_assert(ask_from(&clients[i], &fixture, 2, "/wait"));
    CLEAT_WAIT_FOR(atomic_load(&fixture.waiting) == 3, LIMIT_MS);
    (void)http_client_open_from(&late, INADDR_LOOPBACK + 1, cleat_server_port(fixture.server),
                                false);
    ck_assert(!http_client_fill(&late)); /* closed as it came in */
    http_client_close(&late);
    CLEAT_WAIT_FOR(
        figure("cleat_http_connections_refused_total{server=\"test\",reason=\"address\"}") == 1,
        LIMIT_MS);
    ck_assert(ask_from(&other, &fixture, 3, "/allow")); /* others are served */
    gate_open(&fixture);
    for (int i = 0; i < 3; i++) {
        http_client_read(&clients[i], &reply, false);
        ck_assert_int_eq(reply.status, 200);
    }
    CLEAT_WAIT_FOR(finds_room(&late, &fixture, 2), LIMIT_MS); /* an idle one has given way */
    for (int i = 0; i < 3; i++)
        http_client_close(&clients[i]);
    http_client_close(&late);
    http_client_close(&other);
    limits_close(&fixture);
}
END_TEST

/* All are being answered: nobody gives way. */
START_TEST(test_no_room)
{
    struct fixture fixture;
    struct http_client clients[4], late;
    struct http_reply reply;
    limits_open(&fixture, false, tune_few);
    for (int i = 0; i < 4; i++)
        ck_assert(ask_from(&clients[i], &fixture, i + 2, "/wait"));
    CLEAT_WAIT_FOR(atomic_load(&fixture.waiting) == 4, LIMIT_MS);
    cleat_fake_clock_advance_ms(&fake, 200);
    ck_assert(http_client_connect(&late, INADDR_LOOPBACK + 7, cleat_server_port(fixture.server)));
    ck_assert(!http_client_fill(&late));
    http_client_close(&late);
    CLEAT_WAIT_FOR(
        figure("cleat_http_connections_refused_total{server=\"test\",reason=\"full\"}") == 1,
        LIMIT_MS);
    gate_open(&fixture);
    for (int i = 0; i < 4; i++) {
        http_client_read(&clients[i], &reply, false);
        ck_assert_int_eq(reply.status, 200);
    }
    CLEAT_WAIT_FOR(finds_room(&late, &fixture, 8), LIMIT_MS);
    http_client_close(&late);
    for (int i = 0; i < 4; i++)
        http_client_close(&clients[i]);
    limits_close(&fixture);
}
END_TEST

START_TEST(test_refusals_are_counted)
{
    struct fixture fixture;
    struct http_client client;
    struct http_reply reply;
    limits_open(&fixture, true, tune_fake);
    for (int i = 0; i < 2; i++) {
        client_open(&client, &fixture);
        send_review(&client, "/none", 10);
        http_client_read(&client, &reply, false);
        ck_assert_int_eq(reply.status, 404);
        http_client_close(&client);
    }
    ck_assert(figure("cleat_http_requests_refused_total{server=\"test\",code=\"404\"}") == 2);
    ck_assert(figure("cleat_http_requests_refused_total{server=\"test\",code=\"400\"}") == 0);
    ck_assert(http_client_open(&client, cleat_server_port(fixture.server), false));
    ck_assert(http_client_text(&client, "GET / HTTP/1.1\r\n\r\n")); /* not TLS */
    wait_for_end(&client);
    http_client_close(&client);
    CLEAT_WAIT_FOR(
        figure("cleat_http_tls_handshake_failures_total{server=\"test\",reason=\"unfinished\"}") ==
            1,
        LIMIT_MS);
    limits_close(&fixture);
}
END_TEST

/* No way to take up an earlier session, and none to shake hands anew within one. */
START_TEST(test_one_handshake_a_connection)
{
    static const char *const versions[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.3",
                                           "NORMAL:-VERS-ALL:+VERS-TLS1.2"};
    for (int i = 0; i < 2; i++) {
        struct fixture fixture;
        struct http_client client;
        struct http_reply reply;
        limits_open(&fixture, true, tune_fake);
        ck_assert(http_client_connect(&client, INADDR_LOOPBACK, cleat_server_port(fixture.server)));
        ck_assert(http_client_shake_as(&client, versions[i], NULL, NULL));
        ck_assert(!gnutls_session_is_resumed(client.session));
        ck_assert(http_client_text(&client, "GET /readyz/good HTTP/1.1\r\n" HOST "\r\n"));
        http_client_read(&client, &reply, false); /* tickets would have come before it */
        ck_assert_int_eq(reply.status, 200);
        ck_assert_uint_eq(gnutls_session_get_flags(client.session) & GNUTLS_SFLAGS_SESSION_TICKET,
                          0);
        if (i == 1) {
            ck_assert_int_lt(gnutls_handshake(client.session), 0);
            wait_for_end(&client);
        }
        http_client_close(&client);
        limits_close(&fixture);
    }
}
END_TEST

/* ---- clients by their certificates ---- */

static const char *const client_names[] = {"kube-apiserver", NULL};

static void tune_clients(struct cleat_server_options *options)
{
    tune_fake(options);
    options->client_ca_file = cleat_temp_dir_path(&dir, "ca.crt");
    options->client_names = client_names;
}

/* What a client with such a certificate is answered, 0: nothing. */
static int ask_as(const struct fixture *fixture, const struct script_cert *cert)
{
    struct http_client client;
    struct http_reply reply = {0};
    if (http_client_open_as(&client, cleat_server_port(fixture->server),
                            cert ? cert->cert_pem : NULL, cert ? cert->key_pem : NULL)) {
        (void)http_client_text(&client, "GET /readyz/good HTTP/1.1\r\n" HOST "\r\n");
        http_client_read(&client, &reply, false);
    }
    http_client_close(&client);
    return reply.status;
}

#define FAILURES(reason) \
    figure("cleat_http_tls_handshake_failures_total{server=\"test\",reason=\"" reason "\"}")

START_TEST(test_clients)
{
    struct fixture fixture;
    struct script_cert cas[2] = {{0}, {0}}, certs[3] = {{0}, {0}, {0}};
    cleat_temp_dir_init(&dir);
    for (int i = 0; i < 2; i++) {
        const struct script_cert_options ca = {.name = i ? "b" : "a", .ca = true};
        const struct script_cert_options client = {.name = "kube-apiserver", .signer = &cas[i]};
        script_cert_make(&ca, &cas[i]);
        script_cert_make(&client, &certs[i]);
    }
    const struct script_cert_options other = {.name = "kubelet", .signer = &cas[0]};
    script_cert_make(&other, &certs[2]);
    cleat_temp_dir_write(&dir, "ca.crt", cas[0].cert_pem);
    limits_open(&fixture, true, tune_clients);
    ck_assert_int_eq(ask_as(&fixture, &certs[0]), 200);
    ck_assert_int_eq(ask_as(&fixture, &certs[1]), 0);
    ck_assert_int_eq(ask_as(&fixture, &certs[2]), 0);
    ck_assert_int_eq(ask_as(&fixture, NULL), 0);
    CLEAT_WAIT_FOR(FAILURES("client_untrusted") == 1, LIMIT_MS);
    CLEAT_WAIT_FOR(FAILURES("client_name") == 1, LIMIT_MS);
    CLEAT_WAIT_FOR(FAILURES("client_absent") == 1, LIMIT_MS);
    ck_assert(FAILURES("unfinished") == 0);
    ck_assert_uint_eq(atomic_load(&fixture.served), 1);
    cleat_temp_dir_write(&dir, "ca.crt", cas[1].cert_pem); /* the CA is exchanged */
    CLEAT_WAIT_FOR((cleat_fake_clock_advance_ms(&fake, 10000), ask_as(&fixture, &certs[1]) == 200),
                   LIMIT_MS);
    ck_assert_int_eq(ask_as(&fixture, &certs[0]), 0);
    limits_close(&fixture);
    for (int i = 0; i < 3; i++)
        script_cert_fini(&certs[i]);
    script_cert_fini(&cas[0]);
    script_cert_fini(&cas[1]);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_client_ca_is_read_at_once)
{
    const struct cleat_server_options options = {
        .name = "w", .bind = "127.0.0.1:0", .tls = true, .client_ca_file = "/nonexistent/ca"};
    struct cleat_server *server = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_server_new(&options, &server, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "w server: /nonexistent/ca: "));
    ck_assert_ptr_null(server);
}
END_TEST

CLEAT_SUITE_MAIN("server_limits", test_trickling_head, test_trickling_body, test_silent,
                 test_handlers_have_time, test_slow_reader, test_room_in_all,
                 test_room_of_an_address, test_no_room, test_refusals_are_counted,
                 test_one_handshake_a_connection, test_clients, test_client_ca_is_read_at_once)
