/* SPDX-License-Identifier: Apache-2.0 */
/* The ConfigMap as a lock: what is sent, and what is read out of its annotation. */
#include "controller/election_config_map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/client_fixture.h"
#include "support/suite.h"

/* As client-go wrote it. */
#define RECORD                                                               \
    "{\\\"holderIdentity\\\":\\\"other\\\",\\\"leaseDurationSeconds\\\":15," \
    "\\\"acquireTime\\\":\\\"2026-01-01T00:00:00Z\\\",\\\"renewTime\\\":"    \
    "\\\"2026-01-01T00:00:09Z\\\",\\\"leaderTransitions\\\":3}"
#define MAP(annotations)                                                          \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"l\"," \
    "\"namespace\":\"ns\",\"resourceVersion\":\"41\"" annotations "},\"data\":{\"k\":\"v\"}}"
#define HELD(record) \
    MAP(",\"annotations\":{\"x\":\"y\",\"" CLEAT__ELECTION_ANNOTATION "\":\"" record "\"}")

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
    *f = (struct fixture){.status = 200, .answer = HELD(RECORD)};
    client_fixture_init(&f->client, fixture_answer, f);
    client_fixture_open(&f->client);
    const struct cleat_election_options options = {
        .client = f->client.client, .namespace_ = "ns", .name = "l"};
    ck_assert_int_eq(cleat__election_config_map_new(&options, &f->lock, NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    f->lock.ops->free(f->lock.arg);
    client_fixture_fini(&f->client);
}

static const struct cleat_election_record ours = {
    .holder = "me \"x\"",
    .lease_duration_s = 20,
    .transitions = 4,
    .acquire_time = "2026-02-01T00:00:00.000000Z",
};

START_TEST(test_read)
{
    struct fixture f;
    struct cleat_election_record record = {0};
    struct cleat_buffer raw = CLEAT_BUFFER_INIT(1 << 16);
    fixture_open(&f);
    ck_assert_int_eq(f.lock.ops->read(f.lock.arg, 0, &record, &raw, NULL), 0);
    ck_assert_str_eq(f.line, "GET /api/v1/namespaces/ns/configmaps/l");
    ck_assert_str_eq(record.holder, "other");
    ck_assert_int_eq(record.lease_duration_s, 15);
    ck_assert_int_eq(record.transitions, 3);
    ck_assert_str_eq(record.acquire_time, "2026-01-01T00:00:00Z");
    ck_assert_str_eq(record.renew_time, "2026-01-01T00:00:09Z");
    ck_assert(cleat_str_is(cleat_buffer_view(&raw),
                           "{\"holderIdentity\":\"other\",\"leaseDurationSeconds\":15,"
                           "\"acquireTime\":\"2026-01-01T00:00:00Z\",\"renewTime\":"
                           "\"2026-01-01T00:00:09Z\",\"leaderTransitions\":3}"));
    f.status = 404;
    f.answer = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","
               "\"reason\":\"NotFound\",\"code\":404}";
    ck_assert_int_eq(f.lock.ops->read(f.lock.arg, 0, &record, &raw, NULL), CLEAT_ELECTION_ABSENT);
    cleat_buffer_fini(&raw);
    fixture_close(&f);
}
END_TEST

/* No annotation is nobody's; one that can't be read is somebody's, and never taken. */
START_TEST(test_read_odd)
{
    static const struct {
        const char *map;
        int rc;
        int64_t duration_s;
    } cases[] = {
        {MAP(""), 0, 0},
        {MAP(",\"annotations\":{\"x\":\"y\"}"), 0, 0},
        {HELD(""), 0, 0},
        {HELD("{}"), 0, 0},
        {HELD("{\\\"holderIdentity\\\":7,\\\"leaseDurationSeconds\\\":1}"), 0, 1},
        {HELD("{"), -EINVAL, 0},
        {HELD("[]"), -EINVAL, 0},
        {HELD("gibberish"), -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        struct cleat_election_record record = {.holder = "x"};
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_buffer raw = CLEAT_BUFFER_INIT(1 << 16);
        fixture_open(&f);
        f.answer = cases[i].map;
        ck_assert_int_eq(f.lock.ops->read(f.lock.arg, 0, &record, &raw, &err), cases[i].rc);
        ck_assert_str_eq(record.holder, "");
        ck_assert_int_eq(record.lease_duration_s, cases[i].duration_s);
        ck_assert(cases[i].rc == 0 || strstr(err.text, CLEAT__ELECTION_ANNOTATION));
        cleat_buffer_fini(&raw);
        fixture_close(&f);
    }
}
END_TEST

START_TEST(test_write)
{
    static const char *const parts[] = {
        "\"resourceVersion\":\"41\"", "\"x\":\"y\"", "\"data\":{\"k\":\"v\"}",
        "\"" CLEAT__ELECTION_ANNOTATION
        "\":\"{\\\"holderIdentity\\\":\\\"me \\\\\\\"x\\\\\\\"\\\",\\\"leaseDurationSeconds\\\":20,"
        "\\\"acquireTime\\\":\\\"2026-02-01T00:00:00.000000Z\\\",\\\"renewTime\\\":null,"
        "\\\"leaderTransitions\\\":4}\""};
    struct fixture f;
    struct cleat_election_record record = {0};
    struct cleat_buffer raw = CLEAT_BUFFER_INIT(1 << 16);
    fixture_open(&f);
    ck_assert_int_lt(f.lock.ops->update(f.lock.arg, 0, &ours, NULL), 0); /* nothing was seen yet */
    ck_assert_int_eq(f.lock.ops->read(f.lock.arg, 0, &record, &raw, NULL), 0);
    ck_assert_int_eq(f.lock.ops->update(f.lock.arg, 0, &ours, NULL), 0);
    ck_assert_ptr_nonnull(strstr(f.line, "PUT /api/v1/namespaces/ns/configmaps/l"));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        ck_assert_msg(strstr(f.body, parts[i]) != NULL, "no %s in %s", parts[i], f.body);
    f.status = 201;
    ck_assert_int_eq(f.lock.ops->create(f.lock.arg, 0, &ours, NULL), 0);
    ck_assert_ptr_nonnull(strstr(f.line, "POST /api/v1/namespaces/ns/configmaps?"));
    ck_assert_ptr_nonnull(strstr(f.body, "\"kind\":\"ConfigMap\""));
    ck_assert_ptr_nonnull(strstr(f.body, parts[3]));
    cleat_buffer_fini(&raw);
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("election_config_map", test_read, test_read_odd, test_write)
