/* SPDX-License-Identifier: Apache-2.0 */
/* The Lease as a lock: what is sent, and what is read out of it. */
#include "controller/lease.h"

#include <errno.h>
#include <stdio.h>

#include "support/client_fixture.h"
#include "support/suite.h"

#define LEASE                                                                                     \
    "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"l\"," \
    "\"namespace\":\"ns\",\"resourceVersion\":\"41\",\"labels\":{\"a\":\"b\"}},\"spec\":{"        \
    "\"holderIdentity\":\"other\",\"leaseDurationSeconds\":15,\"leaseTransitions\":3,"            \
    "\"acquireTime\":\"2026-01-01T00:00:00.000001Z\",\"renewTime\":\"2026-01-01T00:00:09.5Z\","   \
    "\"strategy\":\"OldestEmulationVersion\"}}"
#define STATUS(code, reason)                                                                       \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"" reason "\"," \
    "\"code\":" code "}"

struct fixture {
    struct client_fixture client;
    struct cleat_election_lock lock;
    int status;
    const char *answer;
    char line[256];
    char body[1024];
};

static void fixture_answer(void *arg, struct script_exchange *exchange,
                           const struct script_request *request)
{
    struct fixture *f = arg;
    (void)snprintf(f->line, sizeof(f->line), "%s %.200s", request->method, request->target);
    (void)snprintf(f->body, sizeof(f->body), "%.1000s", request->body);
    script_reply(exchange, f->status, NULL, f->answer);
}

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){.status = 200, .answer = LEASE};
    client_fixture_init(&f->client, fixture_answer, f);
    client_fixture_open(&f->client);
    const struct cleat_election_options options = {
        .client = f->client.client, .namespace_ = "ns", .name = "l"};
    ck_assert_int_eq(cleat__lease_new(&options, &f->lock, NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    f->lock.ops->free(f->lock.arg);
    client_fixture_fini(&f->client);
}

static int read_lease(struct fixture *f, struct cleat_election_record *record,
                      struct cleat_buffer *raw)
{
    cleat_buffer_reset(raw);
    return f->lock.ops->read(f->lock.arg, 0, record, raw, NULL);
}

static const struct cleat_election_record ours = {
    .holder = "me",
    .lease_duration_s = 20,
    .transitions = 4,
    .acquire_time = "2026-02-01T00:00:00.000000Z",
    .renew_time = "2026-02-01T00:00:00.000000Z",
};

START_TEST(test_read)
{
    struct fixture f;
    struct cleat_election_record record = {0};
    struct cleat_buffer raw = CLEAT_BUFFER_INIT(1 << 16);
    fixture_open(&f);
    ck_assert_int_eq(read_lease(&f, &record, &raw), 0);
    ck_assert_str_eq(f.line, "GET /apis/coordination.k8s.io/v1/namespaces/ns/leases/l");
    ck_assert_str_eq(record.holder, "other");
    ck_assert_int_eq(record.lease_duration_s, 15);
    ck_assert_int_eq(record.transitions, 3);
    ck_assert_str_eq(record.acquire_time, "2026-01-01T00:00:00.000001Z"); /* byte for byte */
    ck_assert_str_eq(record.renew_time, "2026-01-01T00:00:09.5Z");
    ck_assert_ptr_nonnull(strstr(raw.data, "\"renewTime\":\"2026-01-01T00:00:09.5Z\""));
    ck_assert_ptr_null(strstr(raw.data, "labels")); /* a label is no renewal */
    cleat_buffer_fini(&raw);
    fixture_close(&f);
}
END_TEST

START_TEST(test_read_odd)
{
    static const struct {
        const char *spec;
        const char *holder;
        int64_t duration_s;
    } cases[] = {
        {"", "", 0},
        {",\"spec\":{}", "", 0},
        {",\"spec\":null", "", 0},
        {",\"spec\":{\"holderIdentity\":7,\"leaseDurationSeconds\":\"x\"}", "", 0},
        {",\"spec\":{\"holderIdentity\":null,\"leaseDurationSeconds\":1}", "", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        char json[512];
        struct cleat_election_record record = {0};
        struct cleat_buffer raw = CLEAT_BUFFER_INIT(1 << 16);
        (void)snprintf(json, sizeof(json),
                       "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
                       "\"metadata\":{\"name\":\"l\"}%s}",
                       cases[i].spec);
        fixture_open(&f);
        f.answer = json;
        ck_assert_int_eq(read_lease(&f, &record, &raw), 0);
        ck_assert_str_eq(record.holder, cases[i].holder);
        ck_assert_int_eq(record.lease_duration_s, cases[i].duration_s);
        cleat_buffer_fini(&raw);
        fixture_close(&f);
    }
}
END_TEST

START_TEST(test_absent_and_refused)
{
    struct fixture f;
    struct cleat_election_record record = {0};
    struct cleat_buffer raw = CLEAT_BUFFER_INIT(1 << 16);
    fixture_open(&f);
    f.status = 404;
    f.answer = STATUS("404", "NotFound");
    ck_assert_int_eq(read_lease(&f, &record, &raw), CLEAT_ELECTION_ABSENT);
    f.status = 403;
    f.answer = STATUS("403", "Forbidden");
    ck_assert_int_eq(read_lease(&f, &record, &raw), -EACCES);
    ck_assert_int_lt(f.lock.ops->update(f.lock.arg, 0, &ours, NULL), 0); /* nothing was seen yet */
    cleat_buffer_fini(&raw);
    fixture_close(&f);
}
END_TEST

/* Whoever makes or renews the Lease merges the labels of its own. */
START_TEST(test_labels)
{
    static const char *const labels[] = {"app.kubernetes.io/name", "cleat", "tier", "", NULL};
    struct fixture f;
    struct cleat_election_record record = {0};
    struct cleat_buffer raw = CLEAT_BUFFER_INIT(1 << 16);
    fixture_open(&f);
    f.lock.ops->free(f.lock.arg);
    const struct cleat_election_options options = {
        .client = f.client.client, .namespace_ = "ns", .name = "l", .labels = labels};
    ck_assert_int_eq(cleat__lease_new(&options, &f.lock, NULL), 0);
    ck_assert_str_eq(f.lock.ops->describe(f.lock.arg), "ns/l");
    f.status = 201;
    ck_assert_int_eq(f.lock.ops->create(f.lock.arg, 0, &ours, NULL), 0);
    ck_assert_ptr_nonnull(
        strstr(f.body, "\"labels\":{\"app.kubernetes.io/name\":\"cleat\",\"tier\":\"\"}"));
    f.status = 200;
    ck_assert_int_eq(read_lease(&f, &record, &raw), 0);
    ck_assert_int_eq(f.lock.ops->update(f.lock.arg, 0, &ours, NULL), 0);
    ck_assert_ptr_nonnull(strstr(f.body, "\"a\":\"b\""));
    ck_assert_ptr_nonnull(strstr(f.body, "\"app.kubernetes.io/name\":\"cleat\""));
    cleat_buffer_fini(&raw);
    fixture_close(&f);
}
END_TEST

START_TEST(test_labels_refused)
{
    static const struct {
        const char *labels[3];
        const char *text;
    } cases[] = {
        {{"a b", "x"}, "\"a b\" isn't a label's name"},
        {{"a", "x y"}, "\"x y\" isn't a label's value"},
        {{"a"}, "label a has no value"},
    };
    struct fixture f;
    fixture_open(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_election_lock lock = {0};
        const struct cleat_election_options options = {
            .client = f.client.client, .namespace_ = "ns", .name = "l", .labels = cases[i].labels};
        ck_assert_int_eq(cleat__lease_new(&options, &lock, &err), -EINVAL);
        ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%s", err.text);
    }
    fixture_close(&f);
}
END_TEST

START_TEST(test_create)
{
    struct fixture f;
    fixture_open(&f);
    f.status = 201;
    ck_assert_int_eq(f.lock.ops->create(f.lock.arg, 0, &ours, NULL), 0);
    ck_assert_ptr_nonnull(
        strstr(f.line, "POST /apis/coordination.k8s.io/v1/namespaces/ns/leases?"));
    ck_assert_str_eq(f.body, "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
                             "\"metadata\":{\"name\":\"l\",\"namespace\":\"ns\"},\"spec\":{"
                             "\"holderIdentity\":\"me\",\"leaseDurationSeconds\":20,"
                             "\"leaseTransitions\":4,"
                             "\"acquireTime\":\"2026-02-01T00:00:00.000000Z\","
                             "\"renewTime\":\"2026-02-01T00:00:00.000000Z\"}}");
    f.status = 409;
    f.answer = STATUS("409", "AlreadyExists");
    ck_assert_int_eq(f.lock.ops->create(f.lock.arg, 0, &ours, NULL), -EEXIST);
    fixture_close(&f);
}
END_TEST

START_TEST(test_update)
{
    struct fixture f;
    struct cleat_election_record record = {0};
    struct cleat_buffer raw = CLEAT_BUFFER_INIT(1 << 16);
    fixture_open(&f);
    ck_assert_int_eq(read_lease(&f, &record, &raw), 0);
    ck_assert_int_eq(f.lock.ops->update(f.lock.arg, 0, &ours, NULL), 0);
    ck_assert_ptr_nonnull(
        strstr(f.line, "PUT /apis/coordination.k8s.io/v1/namespaces/ns/leases/l"));
    static const char *const parts[] = {
        "\"resourceVersion\":\"41\"", "\"labels\":{\"a\":\"b\"}", "\"holderIdentity\":\"me\"",
        "\"strategy\":\"OldestEmulationVersion\"", "\"leaseTransitions\":4"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        ck_assert_msg(strstr(f.body, parts[i]) != NULL, "no %s in %s", parts[i], f.body);
    f.status = 409;
    f.answer = STATUS("409", "Conflict");
    ck_assert_int_eq(f.lock.ops->update(f.lock.arg, 0, &ours, NULL), -EAGAIN);
    cleat_buffer_fini(&raw);
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("lease", test_read, test_read_odd, test_absent_and_refused, test_labels,
                 test_labels_refused, test_create, test_update)
