/* SPDX-License-Identifier: Apache-2.0 */
#include "webhooks/webhook_metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define REVIEW                                                                                  \
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{"        \
    "\"uid\":\"u-1\",\"kind\":{\"group\":\"%s\",\"version\":\"v1\",\"kind\":\"%s\"},"           \
    "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"r\"},\"operation\":\"%s\"," \
    "\"object\":{},\"oldObject\":{}}}"

struct fixture {
    struct cleat_metrics *metrics;
    struct cleat_webhooks *webhooks;
    struct cleat_fake_clock clock;
    int result;
    bool deny;
    struct cleat_buffer text;
};

static int judge(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                 struct cleat_err *err)
{
    struct fixture *f = arg;
    cleat_fake_clock_advance_ms(&f->clock, 3);
    if (f->deny)
        cleat_verdict_deny(verdict, 403, "Forbidden", "no");
    else
        cleat_verdict_allow(verdict);
    return f->result < 0 ? cleat_err_set(err, f->result, "told to") : 0;
}

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){.text = CLEAT_BUFFER_INIT(4 * CLEAT_MIB)};
    cleat_fake_clock_init(&f->clock);
    ck_assert_int_eq(cleat_metrics_new(&f->metrics), 0);
    const struct cleat_webhooks_options options = {.metrics = f->metrics, .clock = &f->clock.clock};
    const struct cleat_webhook_options hooks[] = {
        {.path = "/any", .admit = judge, .arg = f},
        {.path = "/pods",
         .kind = {"", "v1", "Pod"},
         .check_kind = true,
         .operations = CLEAT_OPERATION_CREATE | CLEAT_OPERATION_DELETE,
         .admit = judge,
         .arg = f},
    };
    ck_assert_int_eq(cleat_webhooks_new(&options, &f->webhooks, NULL), 0);
    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
        ck_assert_int_eq(cleat_webhooks_add(f->webhooks, &hooks[i], NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    cleat_webhooks_free(f->webhooks);
    cleat_metrics_free(f->metrics);
    cleat_buffer_fini(&f->text);
}

static int ask(struct fixture *f, const char *path, const char *group, const char *kind,
               const char *operation)
{
    char body[1024];
    int retry_after = 0;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    snprintf(body, sizeof(body), REVIEW, group, kind, operation);
    int status =
        cleat_webhooks_answer(f->webhooks, path, "", cleat_str_of(body), &answer, &retry_after);
    cleat_buffer_fini(&answer);
    return status;
}

static const char *scrape(struct fixture *f)
{
    cleat_buffer_reset(&f->text);
    ck_assert_int_eq(cleat_metrics_write(f->metrics, &f->text), 0);
    return f->text.data;
}

static void expect(struct fixture *f, const char *line)
{
    ck_assert_msg(strstr(scrape(f), line) != NULL, "no %s in\n%s", line, f->text.data);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

#define DECISION(webhook, kind, operation, outcome)                        \
    "cleat_admission_decisions_total{webhook=\"" webhook "\",kind=\"" kind \
    "\",operation=\"" operation "\",outcome=\"" outcome "\"} "
#define SECONDS(part, kind, outcome) \
    "cleat_admission_seconds_" part "{kind=\"" kind "\",outcome=\"" outcome "\"} "

START_TEST(test_what_is_registered_is_there_from_the_start)
{
    struct fixture f;
    fixture_open(&f);
    static const char *const lines[] = {
        DECISION("/pods", "Pod", "CREATE", "allowed") "0\n",
        DECISION("/pods", "Pod", "CREATE", "denied") "0\n",
        DECISION("/pods", "Pod", "DELETE", "error") "0\n",
        SECONDS("count", "Pod", "denied") "0\n",
        "controller_runtime_webhook_requests_total{webhook=\"/any\",code=\"200\"} 0\n",
        "controller_runtime_webhook_requests_total{webhook=\"/any\",code=\"500\"} 0\n",
        "controller_runtime_webhook_requests_in_flight{webhook=\"/pods\"} 0\n",
        "controller_runtime_webhook_latency_seconds_count{webhook=\"/pods\"} 0\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        expect(&f, lines[i]);
    ck_assert_uint_eq(count_of(f.text.data, "\ncleat_admission_decisions_total{"), 6);
    fixture_close(&f);
}
END_TEST

START_TEST(test_outcomes)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(ask(&f, "/pods", "", "Pod", "CREATE"), 200);
    f.deny = true;
    ck_assert_int_eq(ask(&f, "/pods", "", "Pod", "CREATE"), 200);
    ck_assert_int_eq(ask(&f, "/any", "apps", "Deployment", "UPDATE"), 200);
    f.result = -EIO;
    ck_assert_int_eq(ask(&f, "/pods", "", "Pod", "DELETE"), 500);
    ck_assert_int_eq(ask(&f, "/pods", "", "Node", "CREATE"), 400); /* not judged at all */
    static const char *const lines[] = {
        DECISION("/pods", "Pod", "CREATE", "allowed") "1\n",
        DECISION("/pods", "Pod", "CREATE", "denied") "1\n",
        DECISION("/pods", "Pod", "DELETE", "error") "1\n",
        DECISION("/any", "Deployment.apps", "UPDATE", "denied") "1\n",
        SECONDS("sum", "Pod", "allowed") "0.003\n",
        SECONDS("count", "Pod", "error") "1\n",
        "cleat_admission_seconds_bucket{kind=\"Pod\",outcome=\"allowed\",le=\"0.0025\"} 0\n",
        "cleat_admission_seconds_bucket{kind=\"Pod\",outcome=\"allowed\",le=\"0.005\"} 1\n",
        "controller_runtime_webhook_requests_total{webhook=\"/pods\",code=\"200\"} 2\n",
        "controller_runtime_webhook_requests_total{webhook=\"/pods\",code=\"400\"} 1\n",
        "controller_runtime_webhook_requests_total{webhook=\"/pods\",code=\"500\"} 1\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        expect(&f, lines[i]);
    ck_assert_ptr_null(strstr(f.text.data, "Node"));
    fixture_close(&f);
}
END_TEST

static int convert(void *arg, struct cleat_value object, struct cleat_str to,
                   struct cleat_draft *draft, struct cleat_err *err)
{
    return 0;
}

START_TEST(test_conversions_are_requests_too)
{
    struct fixture f;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    const struct cleat_gvk kind = {"example.com", "v1", "Thing"};
    int retry_after = 0;
    fixture_open(&f);
    ck_assert_ptr_null(strstr(scrape(&f), "/convert"));
    ck_assert_int_eq(
        cleat_webhooks_answer(f.webhooks, "/convert", "", CLEAT_STR("{}"), &answer, &retry_after),
        404);
    ck_assert_ptr_null(strstr(scrape(&f), "/convert"));
    ck_assert_int_eq(cleat_webhooks_convert(f.webhooks, &kind, convert, NULL, NULL), 0);
    expect(&f, "controller_runtime_webhook_requests_total{webhook=\"/convert\",code=\"200\"} 0\n");
    ck_assert_int_eq(
        cleat_webhooks_answer(f.webhooks, "/convert", "", CLEAT_STR("{}"), &answer, &retry_after),
        400);
    expect(&f, "controller_runtime_webhook_requests_total{webhook=\"/convert\",code=\"400\"} 1\n");
    expect(&f, "controller_runtime_webhook_latency_seconds_count{webhook=\"/convert\"} 1\n");
    expect(&f, "controller_runtime_webhook_requests_in_flight{webhook=\"/convert\"} 0\n");
    cleat_buffer_fini(&answer);
    fixture_close(&f);
}
END_TEST

/* The text of all decisions that were allowed, summed up. */
static double allowed_sum(const char *text)
{
    double sum = 0;
    for (const char *at = text; (at = strstr(at, "\ncleat_admission_decisions_total{")); at++) {
        const char *value = strstr(at, "outcome=\"allowed\"} ");
        const char *end = strchr(at + 1, '\n');
        if (value && value < end)
            sum += strtod(value + strlen("outcome=\"allowed\"} "), NULL);
    }
    return sum;
}

/* Somebody who reaches the port makes up kinds: neither memory nor the text grows with them. */
START_TEST(test_made_up_kinds_are_bounded)
{
    struct fixture f;
    char kind[32];
    fixture_open(&f);
    for (int i = 0; i < 5000; i++) {
        snprintf(kind, sizeof(kind), "K%d", i);
        ck_assert_int_eq(ask(&f, "/any", "made.up", kind, "CREATE"), 200);
    }
    const char *text = scrape(&f);
    ck_assert(allowed_sum(text) == 5000);
    ck_assert_uint_eq(count_of(text, "\ncleat_admission_seconds_sum{"),
                      CLEAT_WEBHOOK_KINDS_MAX - 1 + 1 + 3); /* Pod's three, and "other" */
    ck_assert_uint_lt(f.text.length, 256 * CLEAT_KIB);
    /* What was registered keeps its place. */
    ck_assert_int_eq(ask(&f, "/pods", "", "Pod", "CREATE"), 200);
    expect(&f, DECISION("/pods", "Pod", "CREATE", "allowed") "1\n");
    fixture_close(&f);
}
END_TEST

START_TEST(test_kinds_that_cannot_be_are_other)
{
    struct cleat_webhook_metrics metrics = {0};
    struct fixture f;
    struct cleat_gvk odd = {"", "v1", ""};
    fixture_open(&f);
    ck_assert_int_eq(cleat_webhook_metrics_init(&metrics, f.metrics, NULL), 0);
    static const char *const kinds[] = {"", "a b", "x\"} 1\ny{", "\xff", "a/b", "tok=1"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(odd.kind, sizeof(odd.kind), "%s", kinds[i]);
        cleat_webhook_metrics_count(&metrics, "/p", &odd, CLEAT_OPERATION_UPDATE,
                                    CLEAT_OUTCOME_ALLOWED, 1);
    }
    memset(odd.kind, 'k', sizeof(odd.kind) - 1);
    memset(odd.group, 'g', sizeof(odd.group) - 1);
    cleat_webhook_metrics_count(&metrics, "/p", &odd, CLEAT_OPERATION_UPDATE, CLEAT_OUTCOME_ALLOWED,
                                1);
    expect(&f, DECISION("/p", "other", "UPDATE", "allowed") "7\n");
    ck_assert_uint_eq(metrics.kind_count, 0);
    cleat_webhook_metrics_fini(&metrics);
    fixture_close(&f);
}
END_TEST

START_TEST(test_without_a_registry_nothing_is_counted)
{
    struct cleat_webhook_metrics metrics = {0};
    const struct cleat_webhook_options options = {
        .path = "/p", .kind = {"", "v1", "Pod"}, .check_kind = true};
    ck_assert_int_eq(cleat_webhook_metrics_init(&metrics, NULL, NULL), 0);
    cleat_webhook_metrics_expect(&metrics, &options);
    cleat_webhook_metrics_count(&metrics, "/p", &options.kind, CLEAT_OPERATION_CREATE,
                                CLEAT_OUTCOME_ALLOWED, 1);
    ck_assert_uint_eq(metrics.kind_count, 0);
    cleat_webhook_metrics_fini(&metrics);
}
END_TEST

CLEAT_SUITE_MAIN("webhook_metrics", test_what_is_registered_is_there_from_the_start, test_outcomes,
                 test_conversions_are_requests_too, test_made_up_kinds_are_bounded,
                 test_kinds_that_cannot_be_are_other, test_without_a_registry_nothing_is_counted)
