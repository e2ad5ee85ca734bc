/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "server/http_site.h"
#include "support/suite.h"
#include "webhooks/registry.h"

struct site_fixture {
    struct cleat_http_site site;
    bool ready;
    const char *authorization; /* of what is asked; NULL: no such header */
};

static int site_admit(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                      struct cleat_err *err)
{
    cleat_verdict_allow(verdict);
    return 0;
}

static int site_check(void *arg, struct cleat_err *err)
{
    const struct site_fixture *fixture = arg;
    return fixture->ready ? 0 : cleat_err_set(err, -EAGAIN, "caches aren't synced");
}

static void fixture_open(struct site_fixture *fixture)
{
    struct cleat_webhooks_options options = {.bytes_in_flight_max = 1 * CLEAT_MIB};
    const struct cleat_webhook_options hook = {.path = "/validate-me", .admit = site_admit};
    const struct cleat_metric_options family = {
        .type = CLEAT_METRIC_COUNTER, .name = "site_total", .help = "Of this test"};
    struct cleat_metric *metric = NULL;
    *fixture = (struct site_fixture){.ready = true};
    ck_assert_int_eq(cleat_metrics_new(&fixture->site.metrics), 0);
    ck_assert_int_eq(cleat_metrics_family(fixture->site.metrics, &family, &metric, NULL), 0);
    cleat_series_add(cleat_metric_series(metric, NULL), 3);
    ck_assert_int_eq(cleat_webhooks_new(&options, &fixture->site.webhooks, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(fixture->site.webhooks, &hook, NULL), 0);
    ck_assert_int_eq(cleat_health_new(&fixture->site.healthz), 0);
    ck_assert_int_eq(cleat_health_new(&fixture->site.readyz), 0);
    ck_assert_int_eq(cleat_health_add(fixture->site.readyz, "caches", true, site_check, fixture),
                     0);
    ck_assert_int_eq(cleat_health_add(fixture->site.healthz, "ping", true, site_check, fixture), 0);
}

static void fixture_close(struct site_fixture *fixture)
{
    cleat_webhooks_free(fixture->site.webhooks);
    cleat_metrics_free(fixture->site.metrics);
    cleat_health_free(fixture->site.healthz);
    cleat_health_free(fixture->site.readyz);
}

START_TEST(test_find)
{
    static const struct {
        const char *path;
        enum cleat_http_kind kind;
        const char *root, *subpath;
    } paths[] = {
        {"/validate-me", CLEAT_HTTP_WEBHOOK, NULL, NULL},
        {"/metrics", CLEAT_HTTP_METRICS, NULL, NULL},
        {"/healthz", CLEAT_HTTP_HEALTH, "healthz", ""},
        {"/livez", CLEAT_HTTP_HEALTH, "livez", ""},
        {"/readyz", CLEAT_HTTP_HEALTH, "readyz", ""},
        {"/readyz/caches", CLEAT_HTTP_HEALTH, "readyz", "/caches"},
        {"/readyz/", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"/readyzz", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"/ready", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"readyz", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"/Metrics", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"/metrics/", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"/a/../metrics", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"/validate%2Dme", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"/validate-me/", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"//validate-me", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"http://a/validate-me", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"/convert", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"*", CLEAT_HTTP_NOTHING, NULL, NULL},
        {"", CLEAT_HTTP_NOTHING, NULL, NULL},
    };
    const struct cleat_http_site empty = {0};
    struct site_fixture fixture;
    fixture_open(&fixture);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct cleat_http_target target = cleat_http_site_find(&fixture.site, paths[i].path);
        ck_assert_msg(target.kind == paths[i].kind, "%s: %d", paths[i].path, (int)target.kind);
        if (paths[i].root) {
            ck_assert_str_eq(target.root, paths[i].root);
            ck_assert_str_eq(target.subpath, paths[i].subpath);
        }
        ck_assert_int_eq(cleat_http_site_find(&empty, paths[i].path).kind, CLEAT_HTTP_NOTHING);
    }
    fixture_close(&fixture);
}
END_TEST

static struct cleat_http_answer ask(struct site_fixture *fixture, const char *path,
                                    const char *query, const char *body, struct cleat_buffer *text)
{
    struct cleat_http_answer answer = {.body = text};
    struct cleat_http_target target = cleat_http_site_find(&fixture->site, path);
    struct cleat_budget_claim claim = {0};
    struct cleat_budget *budget = cleat_webhooks_budget(fixture->site.webhooks);
    cleat_buffer_reset(text);
    ck_assert_int_eq(cleat_budget_take(budget, strlen(body), &claim), 0);
    const struct cleat_http_ask what = {
        .path = path,
        .query = query,
        .authorization = cleat_str_of(fixture->authorization ? fixture->authorization : ""),
        .body = cleat_str_of(body)};
    cleat_http_site_answer(&fixture->site, &target, &what, &claim, &answer);
    ck_assert_uint_eq(cleat_budget_used(budget), 0); /* given back in there */
    return answer;
}

START_TEST(test_answers)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 * CLEAT_MIB);
    struct site_fixture fixture;
    fixture_open(&fixture);
    struct cleat_http_answer answer = ask(&fixture, "/metrics", "", "", &text);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(text.data, "\nsite_total 3\n"));
    answer = ask(&fixture, "/readyz", "", "", &text);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(text.data, "ok");
    answer = ask(&fixture, "/readyz", "verbose", "", &text);
    ck_assert_str_eq(text.data, "[+]caches ok\nreadyz check passed\n");
    answer = ask(&fixture, "/livez/ping", "", "", &text);
    ck_assert_int_eq(answer.status, 200);
    answer = ask(&fixture, "/readyz/other", "", "", &text);
    ck_assert_int_eq(answer.status, 404);
    fixture.ready = false;
    answer = ask(&fixture, "/readyz", "", "", &text);
    ck_assert_int_eq(answer.status, 500);
    ck_assert_str_eq(answer.content_type, "text/plain; charset=utf-8");
    answer = ask(&fixture, "/readyz", "exclude=caches", "", &text);
    ck_assert_int_eq(answer.status, 200);
    answer = ask(&fixture, "/validate-me", "", "{", &text);
    ck_assert_int_eq(answer.status, 400);
    ck_assert_str_eq(answer.content_type, "text/plain; charset=utf-8");
    answer =
        ask(&fixture, "/validate-me", "timeout=1s",
            "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{"
            "\"uid\":\"u-1\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},"
            "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},"
            "\"operation\":\"CREATE\",\"object\":{\"metadata\":{\"name\":\"a\"}}}}",
            &text);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.content_type, "application/json");
    ck_assert_ptr_nonnull(strstr(text.data, "\"uid\":\"u-1\",\"allowed\":true"));
    cleat_buffer_fini(&text);
    fixture_close(&fixture);
}
END_TEST

/* The authorization is the status that the guard returns. */
static int site_guard(void *arg, struct cleat_str authorization, const char *verb, const char *path)
{
    struct site_fixture *fixture = arg;
    ck_assert_ptr_eq(fixture->site.authorize_arg, arg);
    ck_assert_str_eq(verb, "get");
    ck_assert_str_eq(path, "/metrics");
    return authorization.length > 0 ? (int)strtol(authorization.data, NULL, 10) : 401;
}

START_TEST(test_authorization)
{
    static const struct {
        const char *authorization;
        int status;
        const char *challenge;
    } cases[] = {
        {"0", 200, NULL},   {NULL, 401, "Bearer"}, {"401", 401, "Bearer"}, {"403", 403, NULL},
        {"500", 500, NULL}, {"503", 503, NULL},    {"429", 429, NULL},     {"200", 500, NULL},
        {"302", 500, NULL}, {"-5", 500, NULL},     {"700", 500, NULL},
    };
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 * CLEAT_MIB);
    struct site_fixture fixture;
    fixture_open(&fixture);
    fixture.site.authorize = site_guard;
    fixture.site.authorize_arg = &fixture;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture.authorization = cases[i].authorization;
        struct cleat_http_answer answer = ask(&fixture, "/metrics", "", "", &text);
        ck_assert_int_eq(answer.status, cases[i].status);
        ck_assert((answer.challenge != NULL) == (cases[i].challenge != NULL));
        if (cases[i].challenge)
            ck_assert_str_eq(answer.challenge, cases[i].challenge);
        ck_assert((text.length > 0) == (answer.status == 200));
        ck_assert((answer.content_type != NULL) == (answer.status == 200));
    }
    fixture.authorization = "403"; /* health is everybody's */
    ck_assert_int_eq(ask(&fixture, "/readyz", "", "", &text).status, 200);
    cleat_buffer_fini(&text);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_metrics_without_room)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(40);
    struct site_fixture fixture;
    fixture_open(&fixture);
    struct cleat_http_answer answer = ask(&fixture, "/metrics", "", "", &text);
    ck_assert_int_eq(answer.status, 500);
    ck_assert_str_eq(text.data, "the metrics can't be written\n");
    cleat_buffer_fini(&text);
    fixture_close(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("http_site", test_find, test_answers, test_authorization,
                 test_metrics_without_room)
