/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <cleat/buffer.h>

#include "base/limits.h"
#include "server/http_stats.h"
#include "support/suite.h"

START_TEST(test_all_there_at_once)
{
    static const char *const lines[] = {
        "cleat_http_connections{server=\"a\"} 0\n",
        "cleat_http_connections_refused_total{server=\"a\",reason=\"address\"} 0\n",
        "cleat_http_connections_refused_total{server=\"a\",reason=\"full\"} 0\n",
        "cleat_http_connections_refused_total{server=\"a\",reason=\"memory\"} 0\n",
        "cleat_http_connections_evicted_total{server=\"a\"} 0\n",
        "cleat_http_deadlines_total{server=\"a\",phase=\"head\"} 0\n",
        "cleat_http_deadlines_total{server=\"a\",phase=\"body\"} 0\n",
        "cleat_http_deadlines_total{server=\"a\",phase=\"idle\"} 0\n",
        "cleat_http_deadlines_total{server=\"a\",phase=\"write\"} 0\n",
        "cleat_http_requests_refused_total{server=\"a\",code=\"400\"} 0\n",
        "cleat_http_requests_refused_total{server=\"a\",code=\"404\"} 1\n",
        "cleat_http_requests_refused_total{server=\"a\",code=\"other\"} 1\n",
        "cleat_http_tls_handshake_failures_total{server=\"a\",reason=\"unfinished\"} 0\n",
        "cleat_http_tls_handshake_failures_total{server=\"a\",reason=\"client_name\"} 0\n",
        "cleat_http_connections{server=\"b\"} 0\n",
    };
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 * CLEAT_MIB);
    struct cleat_metrics *metrics = NULL;
    struct cleat_http_stats a, b;
    ck_assert_int_eq(cleat_metrics_new(&metrics), 0);
    ck_assert_int_eq(cleat_http_stats_init(&a, metrics, "a", NULL), 0);
    ck_assert_int_eq(cleat_http_stats_init(&b, metrics, "b", NULL), 0);
    cleat_http_stats_refused(&a, 404);
    cleat_http_stats_refused(&a, 418);
    ck_assert_int_eq(cleat_metrics_write(metrics, &text), 0);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ck_assert_msg(strstr(text.data, lines[i]) != NULL, "%s", lines[i]);
    cleat_buffer_fini(&text);
    cleat_metrics_free(metrics);
}
END_TEST

START_TEST(test_without_metrics)
{
    struct cleat_http_stats stats;
    ck_assert_int_eq(cleat_http_stats_init(&stats, NULL, "a", NULL), 0);
    cleat_http_stats_refused(&stats, 404);
    ck_assert_ptr_null(stats.connections);
}
END_TEST

CLEAT_SUITE_MAIN("http_stats", test_all_there_at_once, test_without_metrics)
