/* SPDX-License-Identifier: Apache-2.0 */
/* What a client counts of what it does: by tries, by requests, and with nothing that is secret. */
#include "client/client_metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "client/transport_curl.h"
#include "support/client_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"

static void script(void *arg, struct script_exchange *exchange,
                   const struct script_request *request)
{
    switch (request->number) {
    case 1: script_close(exchange, true); break;
    case 2: script_reply(exchange, 429, "Retry-After: 1\r\n", ""); break;
    default: script_reply(exchange, 200, NULL, "{\"token\":\"canary-answer\"}"); break;
    }
}

static void fixture_open(struct client_fixture *fixture, struct cleat_metrics **metrics,
                         bool detailed)
{
    ck_assert_int_eq(cleat_metrics_new(metrics), 0);
    client_fixture_init(fixture, script, NULL);
    fixture->options.metrics = *metrics;
    fixture->options.metrics_detailed = detailed;
    client_fixture_open(fixture);
}

/* The value behind @name and @labels, with the host put in; -1 where there is none. */
static double value(struct client_fixture *fixture, struct cleat_metrics *metrics, const char *name,
                    const char *labels)
{
    char line[256];
    double number = -1;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    const char *host = strstr(cleat_client_server(fixture->client), "://") + 3;
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    (void)snprintf(line, sizeof(line), "\n%s{%s%shost=\"%s\"} ", name, labels, labels[0] ? "," : "",
                   host);
    const char *at = text.data ? strstr(text.data, line) : NULL;
    if (at)
        number = strtod(at + strlen(line), NULL);
    cleat_buffer_fini(&text);
    return number;
}

#define VALUE(name, labels) value(&fixture, metrics, name, labels)

START_TEST(test_each_try_and_each_request)
{
    struct client_fixture fixture;
    struct cleat_metrics *metrics = NULL;
    fixture_open(&fixture, &metrics, true);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/x", NULL), 0);
    ck_assert_int_eq(client_fixture_call(&fixture, "POST", "/x", "{\"a\":\"canary-body\"}"), 0);
    ck_assert(VALUE("rest_client_requests_total", "code=\"429\",method=\"GET\"") == 1);
    ck_assert(VALUE("rest_client_requests_total", "code=\"<error>\",method=\"GET\"") == 1);
    ck_assert(VALUE("rest_client_requests_total", "code=\"200\",method=\"GET\"") == 1);
    ck_assert(VALUE("rest_client_requests_total", "code=\"200\",method=\"POST\"") == 1);
    ck_assert(VALUE("rest_client_request_retries_total", "code=\"429\",verb=\"GET\"") == 1);
    ck_assert(VALUE("rest_client_request_retries_total", "code=\"<error>\",verb=\"GET\"") == 1);
    ck_assert(VALUE("rest_client_request_duration_seconds_count", "verb=\"GET\"") == 1);
    ck_assert(VALUE("rest_client_request_duration_seconds_count", "verb=\"POST\"") == 1);
    ck_assert(VALUE("rest_client_request_size_bytes_sum", "verb=\"POST\"") == 19);
    ck_assert(VALUE("rest_client_response_size_bytes_sum", "verb=\"POST\"") == 25);
    /* Two connections: the first was cut. */
    ck_assert(VALUE("rest_client_dns_resolution_duration_seconds_count", "") == 2);
    ck_assert(VALUE("rest_client_rate_limiter_duration_seconds_count", "verb=\"GET\"") == -1);
    client_fixture_fini(&fixture);
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_without_details)
{
    struct client_fixture fixture;
    struct cleat_metrics *metrics = NULL;
    fixture_open(&fixture, &metrics, false);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/x", NULL), 0);
    ck_assert(VALUE("rest_client_requests_total", "code=\"200\",method=\"GET\"") == 1);
    ck_assert(VALUE("rest_client_request_duration_seconds_count", "verb=\"GET\"") == -1);
    ck_assert(VALUE("rest_client_request_retries_total", "code=\"429\",verb=\"GET\"") == -1);
    client_fixture_fini(&fixture);
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_waits_for_the_rate_limit)
{
    struct client_fixture fixture;
    struct cleat_metrics *metrics = NULL;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    client_fixture_init(&fixture, script, NULL);
    fixture.options.metrics = metrics;
    fixture.options.metrics_detailed = true;
    fixture.options.qps = 1000;
    client_fixture_open(&fixture);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/x", NULL), 0);
    ck_assert(VALUE("rest_client_rate_limiter_duration_seconds_count", "verb=\"GET\"") == 3);
    client_fixture_fini(&fixture);
    cleat_metrics_free(metrics);
}
END_TEST

/* Neither paths, names, bodies nor tokens are labels. */
START_TEST(test_nothing_secret_is_a_label)
{
    struct client_fixture fixture;
    struct cleat_metrics *metrics = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    fixture_open(&fixture, &metrics, true);
    ck_assert_int_eq(client_fixture_call(&fixture, "GET", "/canary-path?q=canary-query", NULL), 0);
    ck_assert_int_eq(client_fixture_call(&fixture, "POST", "/canary-path", "{\"a\":\"canary\"}"),
                     0);
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    ck_assert_ptr_null(strstr(text.data, "canary"));
    cleat_buffer_fini(&text);
    client_fixture_fini(&fixture);
    cleat_metrics_free(metrics);
}
END_TEST

CLEAT_SUITE_MAIN("client_metrics", test_each_try_and_each_request, test_without_details,
                 test_waits_for_the_rate_limit, test_nothing_secret_is_a_label)
