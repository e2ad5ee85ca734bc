/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/limits.h"
#include "server/http_head.h"
#include "support/suite.h"

#define BODY_MAX ((size_t)1000)
#define HEADERS_MAX 6

struct header {
    const char *name, *value;
};

#define HOST                \
    {                       \
        "Host", "localhost" \
    }
#define JSON                               \
    {                                      \
        "Content-Type", "application/json" \
    }
#define LENGTH                 \
    {                          \
        "Content-Length", "10" \
    }

static const struct {
    const char *name;
    enum cleat_http_kind kind;
    const char *method, *version;
    struct header headers[HEADERS_MAX];
    int status; /* 0: taken */
} heads[] = {
    {"review", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.1", {HOST, JSON, LENGTH}, 0},
    {"HTTP/1.0", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.0", {HOST, JSON, LENGTH}, 0},
    {"names in any case",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {{"hOST", "a"}, {"content-TYPE", "application/json"}, {"CONTENT-length", "10"}},
     0},
    {"as much as there may be",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Content-Length", "1000"}},
     0},
    {"empty body",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Content-Length", "0"}},
     0},
    {"tab in a value",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, LENGTH, {"X", "a\tb"}},
     0},
    {"metrics", CLEAT_HTTP_METRICS, "GET", "HTTP/1.1", {HOST}, 0},
    {"metrics' head", CLEAT_HTTP_METRICS, "HEAD", "HTTP/1.1", {HOST}, 0},
    {"health", CLEAT_HTTP_HEALTH, "GET", "HTTP/1.1", {HOST, {"Content-Length", "0"}}, 0},

    {"no Host", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.1", {JSON, LENGTH}, 400},
    {"empty Host", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.1", {{"Host", ""}, JSON, LENGTH}, 400},
    {"doubled Host", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.1", {HOST, HOST, JSON, LENGTH}, 400},
    {"doubled Host, each in its case",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, {"host", "other"}, JSON, LENGTH},
     400},
    {"doubled length", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.1", {HOST, JSON, LENGTH, LENGTH}, 400},
    {"two lengths",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, LENGTH, {"Content-Length", "11"}},
     400},
    {"a list of lengths",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Content-Length", "10, 10"}},
     400},
    {"signed length",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Content-Length", "+10"}},
     400},
    {"hexadecimal length",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Content-Length", "0xa"}},
     400},
    {"length without digits",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Content-Length", ""}},
     400},
    {"length beyond 64 bits",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Content-Length", "18446744073709551617"}},
     413},
    {"length and chunks",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, LENGTH, {"Transfer-Encoding", "chunked"}},
     400},
    {"doubled encoding",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "identity"}},
     400},
    {"doubled authorization",
     CLEAT_HTTP_METRICS,
     "GET",
     "HTTP/1.1",
     {HOST, {"Authorization", "a"}, {"authorization", "a"}},
     400},
    {"doubled type", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.1", {HOST, JSON, JSON, LENGTH}, 400},
    {"empty header name",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, LENGTH, {"", "x"}},
     400},
    {"space before the colon",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, LENGTH, {"Transfer-Encoding ", "chunked"}},
     400},
    {"bare CR in a value",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, LENGTH, {"X", "a\rContent-Length: 3"}},
     400},
    {"DEL in a value",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, LENGTH, {"X", "\x7f"}},
     400},
    {"method that isn't a word",
     CLEAT_HTTP_WEBHOOK,
     "PO ST",
     "HTTP/1.1",
     {HOST, JSON, LENGTH},
     400},
    {"no version", CLEAT_HTTP_WEBHOOK, "POST", "", {HOST, JSON, LENGTH}, 400},
    {"broken before unknown", CLEAT_HTTP_NOTHING, "POST", "HTTP/1.1", {JSON, LENGTH}, 400},

    {"chunked",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Transfer-Encoding", "chunked"}},
     411},
    {"identity",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"transfer-encoding", "identity"}},
     411},
    {"chunks before unknown",
     CLEAT_HTTP_NOTHING,
     "POST",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding", "chunked"}},
     411},

    {"unknown path", CLEAT_HTTP_NOTHING, "POST", "HTTP/1.1", {HOST, JSON, LENGTH}, 404},
    {"unknown before other method", CLEAT_HTTP_NOTHING, "PUT", "HTTP/1.1", {HOST}, 404},

    {"GET of a webhook", CLEAT_HTTP_WEBHOOK, "GET", "HTTP/1.1", {HOST}, 405},
    {"small letters", CLEAT_HTTP_WEBHOOK, "post", "HTTP/1.1", {HOST, JSON, LENGTH}, 405},
    {"POST to metrics", CLEAT_HTTP_METRICS, "POST", "HTTP/1.1", {HOST, JSON, LENGTH}, 405},
    {"method before type",
     CLEAT_HTTP_WEBHOOK,
     "PUT",
     "HTTP/1.1",
     {HOST, {"Content-Type", "text/plain"}},
     405},

    {"no type", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.1", {HOST, LENGTH}, 415},
    {"type before no length", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.1", {HOST}, 415},

    {"no length", CLEAT_HTTP_WEBHOOK, "POST", "HTTP/1.1", {HOST, JSON}, 411},
    {"one too many",
     CLEAT_HTTP_WEBHOOK,
     "POST",
     "HTTP/1.1",
     {HOST, JSON, {"Content-Length", "1001"}},
     413},
    {"GET with a body", CLEAT_HTTP_HEALTH, "GET", "HTTP/1.1", {HOST, LENGTH}, 413},
};

static int judge(size_t i, struct cleat_http_refusal *refusal)
{
    struct cleat_http_head head = {.method = heads[i].method, .version = heads[i].version};
    const struct cleat_http_target target = {.kind = heads[i].kind};
    for (size_t at = 0; at < HEADERS_MAX && heads[i].headers[at].name; at++)
        cleat_http_head_header(&head, heads[i].headers[at].name, heads[i].headers[at].value);
    return cleat_http_head_check(&head, &target, BODY_MAX, refusal);
}

START_TEST(test_heads)
{
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct cleat_http_refusal refusal = {0};
        int r = judge(i, &refusal);
        ck_assert_msg(refusal.status == heads[i].status, "%s: %d", heads[i].name, refusal.status);
        ck_assert_int_eq(r, heads[i].status != 0);
        ck_assert_msg(!r || (refusal.text && refusal.text[0]), "%s: no text", heads[i].name);
        ck_assert_msg((refusal.allow != NULL) == (heads[i].status == 405), "%s", heads[i].name);
    }
}
END_TEST

START_TEST(test_types)
{
    static const struct {
        const char *type;
        bool taken;
    } types[] = {
        {"application/json", true},
        {"Application/JSON", true},
        {"application/json;charset=utf-8", true},
        {"application/json ; charset=UTF-8 ", true},
        {"application/json; charset=\"utf-8\"", true},
        {"application/json;", true},
        {"application/json; charset=utf-16", false},
        {"application/json; charset=utf-8x", false},
        {"application/json; charset=\"utf-8", false},
        {"application/json; charset=utf-8; charset=latin1", false},
        {"application/json; q=1", false},
        {"application/jsonx", false},
        {"application/json-patch+json", false},
        {"application/vnd.kubernetes.protobuf", false},
        {"text/json", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct cleat_http_head head = {.method = "POST", .version = "HTTP/1.1"};
        const struct cleat_http_target target = {.kind = CLEAT_HTTP_WEBHOOK};
        struct cleat_http_refusal refusal = {0};
        cleat_http_head_header(&head, "Host", "a");
        cleat_http_head_header(&head, "Content-Length", "1");
        cleat_http_head_header(&head, "Content-Type", types[i].type);
        int r = cleat_http_head_check(&head, &target, BODY_MAX, &refusal);
        ck_assert_msg(refusal.status == (types[i].taken ? 0 : 415), "%s: %d", types[i].type, r);
    }
}
END_TEST

START_TEST(test_allow)
{
    struct cleat_http_head head = {.method = "DELETE", .version = "HTTP/1.1"};
    struct cleat_http_target target = {.kind = CLEAT_HTTP_WEBHOOK};
    struct cleat_http_refusal refusal = {0};
    cleat_http_head_header(&head, "Host", "a");
    ck_assert_int_eq(cleat_http_head_check(&head, &target, BODY_MAX, &refusal), 1);
    ck_assert_str_eq(refusal.allow, "POST");
    target.kind = CLEAT_HTTP_METRICS;
    ck_assert_int_eq(cleat_http_head_check(&head, &target, BODY_MAX, &refusal), 1);
    ck_assert_str_eq(refusal.allow, "GET, HEAD");
}
END_TEST

CLEAT_SUITE_MAIN("http_head", test_heads, test_types, test_allow)
