/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/status.h>
#include <errno.h>
#include <string.h>

#include "kube_document.h"
#include "support/suite.h"

START_TEST(test_reasons)
{
    static const struct {
        const char *reason;
        int code;
        const char *bare; /* reason that the code alone means */
    } cases[] = {
        {"BadRequest", 400, "BadRequest"},
        {"Unauthorized", 401, "Unauthorized"},
        {"Forbidden", 403, "Forbidden"},
        {"NotFound", 404, "NotFound"},
        {"MethodNotAllowed", 405, "MethodNotAllowed"},
        {"NotAcceptable", 406, "NotAcceptable"},
        {"AlreadyExists", 409, "Conflict"},
        {"Conflict", 409, "Conflict"},
        {"Gone", 410, "Gone"},
        {"Expired", 410, "Gone"},
        {"RequestEntityTooLarge", 413, "RequestEntityTooLarge"},
        {"UnsupportedMediaType", 415, "UnsupportedMediaType"},
        {"Invalid", 422, "Invalid"},
        {"TooManyRequests", 429, "TooManyRequests"},
        {"InternalError", 500, "InternalError"},
        {"StoreReadError", 500, "InternalError"},
        {"ServerTimeout", 500, "InternalError"},
        {"ServiceUnavailable", 503, "ServiceUnavailable"},
        {"Timeout", 504, "Timeout"},
        {"Nonsense", 0, "Unknown"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(cleat_status_code(cases[i].reason), cases[i].code);
        ck_assert_str_eq(cleat_status_reason(cases[i].code), cases[i].bare);
    }
    ck_assert_int_eq(cleat_status_code("notfound"), 0);
}
END_TEST

START_TEST(test_write)
{
    static const struct cleat_status_cause causes[] = {
        {"FieldValueRequired", "Required value", "spec.source"},
        {"FieldValueInvalid", "must be \"x\"", NULL},
    };
    static const struct {
        struct cleat_status status;
        const char *json;
    } cases[] = {
        {{.code = 404, .message = "pods \"x\" not found", .kind = "pods", .name = "x", .group = ""},
         "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Failure',"
         "'message':'pods \\'x\\' not found','reason':'NotFound',"
         "'details':{'name':'x','kind':'pods'},'code':404}"},
        {{.code = 200},
         "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Success','code':200}"},
        {{.code = 200, .name = "x", .uid = "u", .group = "apps", .kind = "deployments"},
         "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Success',"
         "'details':{'name':'x','group':'apps','kind':'deployments','uid':'u'},'code':200}"},
        {{.code = 422, .message = "m", .causes = causes, .cause_count = 2},
         "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Failure','message':'m',"
         "'reason':'Invalid','details':{'causes':[{'reason':'FieldValueRequired',"
         "'message':'Required value','field':'spec.source'},{'reason':'FieldValueInvalid',"
         "'message':'must be \\'x\\''}]},'code':422}"},
        {{.code = 429, .message = "slow", .retry_after_s = 3},
         "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Failure','message':'slow',"
         "'reason':'TooManyRequests','details':{'retryAfterSeconds':3},'code':429}"},
        {{.code = 410, .reason = "Expired"},
         "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Failure',"
         "'reason':'Expired','code':410}"},
        {{.code = 403, .kind = ""},
         "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Failure',"
         "'reason':'Forbidden','details':{},'code':403}"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(cleat_status_write(&cases[i].status, &buffer), 0);
        ck_assert(buffer_is(&buffer, cases[i].json));
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

#define STATUS(rest) "{'kind':'Status','apiVersion':'v1','status':'Failure'," rest "}"

START_TEST(test_decode)
{
    static const struct {
        int code;
        bool post;
        const char *body; /* NULL: absent */
        int result;
        int http_status;
        const char *reason;
        const char *text;
    } cases[] = {
        {404, false, STATUS("'message':'gone','reason':'NotFound','code':404"), -ENOENT, 404,
         "NotFound", "gone"},
        {409, true, STATUS("'message':'m','reason':'AlreadyExists','code':409"), -EEXIST, 409,
         "AlreadyExists", "m"},
        {409, true, STATUS("'message':'m','reason':'Conflict','code':409"), -EAGAIN, 409,
         "Conflict", "m"},
        {409, true, NULL, -EEXIST, 409, "AlreadyExists", "server answered 409 (AlreadyExists)"},
        {409, false, NULL, -EAGAIN, 409, "Conflict", "server answered 409 (Conflict)"},
        {403, false, "{'error':'proxy'}", -EACCES, 403, "Forbidden",
         "server answered 403 (Forbidden)"},
        {403, false, "[]", -EACCES, 403, "Forbidden", "server answered 403 (Forbidden)"},
        {401, false, NULL, -EPERM, 401, "Unauthorized", "server answered 401 (Unauthorized)"},
        {410, false, NULL, -ESTALE, 410, "Gone", "server answered 410 (Gone)"},
        {0, false, STATUS("'message':'old','reason':'Expired','code':410"), -ESTALE, 410, "Expired",
         "old"},
        {200, false, STATUS("'message':'old','code':410"), -ESTALE, 410, "Gone", "old"},
        {422, false, NULL, -EINVAL, 422, "Invalid", "server answered 422 (Invalid)"},
        {400, false, NULL, -EINVAL, 400, "BadRequest", "server answered 400 (BadRequest)"},
        {413, false, NULL, -E2BIG, 413, "RequestEntityTooLarge",
         "server answered 413 (RequestEntityTooLarge)"},
        {429, false, NULL, -EBUSY, 429, "TooManyRequests", "server answered 429 (TooManyRequests)"},
        {504, false, NULL, -ETIMEDOUT, 504, "Timeout", "server answered 504 (Timeout)"},
        {500, false, NULL, -EIO, 500, "InternalError", "server answered 500 (InternalError)"},
        {502, false, NULL, -EIO, 502, "Unknown", "server answered 502 (Unknown)"},
        {418, false, NULL, -EINVAL, 418, "Unknown", "server answered 418 (Unknown)"},
        {302, false, NULL, -EPROTO, 302, "Unknown", "server answered 302 (Unknown)"},
        {418, false, STATUS("'message':'m','reason':'Teapot'"), -EINVAL, 418, "Teapot", "m"},
        {500, false, STATUS("'message':'m','reason':'Timeout'"), -ETIMEDOUT, 500, "Timeout", "m"},
        {422, false,
         STATUS("'message':'x is invalid: spec.a: Required','reason':'Invalid','details':"
                "{'causes':[{'field':'spec.a','message':'Required'},"
                "{'field':'spec.b','message':'must be 1'}]}"),
         -EINVAL, 422, "Invalid", "x is invalid: spec.a: Required: spec.b: must be 1"},
        {422, false, STATUS("'message':'two\\nlines'"), -EINVAL, 422, "Invalid", "two\\nlines"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_document *document = cases[i].body ? document_of(cases[i].body) : NULL;
        struct cleat_value root = document ? cleat_document_root(document) : CLEAT_VALUE_NONE;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_status_decode(cases[i].code, root, cases[i].post, &err),
                         cases[i].result);
        ck_assert_int_eq(cleat_status_decode(cases[i].code, root, cases[i].post, NULL),
                         cases[i].result);
        ck_assert_int_eq(err.code, cases[i].result);
        ck_assert_int_eq(err.http_status, cases[i].http_status);
        ck_assert_str_eq(err.reason, cases[i].reason);
        ck_assert_str_eq(err.text, cases[i].text);
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_decode_retry)
{
    struct cleat_document *document =
        document_of(STATUS("'message':'m','details':{'retryAfterSeconds':7},'code':429"));
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_status_decode(429, cleat_document_root(document), false, &err), -EBUSY);
    ck_assert_int_eq(err.retry_after_ms, 7000);
    /* The first error stays. */
    ck_assert_int_eq(cleat_status_decode(404, CLEAT_VALUE_NONE, false, &err), -EBUSY);
    ck_assert_int_eq(err.http_status, 429);
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_round_trip)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    struct cleat_status status = {
        .code = 409, .reason = "AlreadyExists", .message = "it's \"there\"", .retry_after_s = 2};
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_status_write(&status, &buffer), 0);
    ck_assert_int_eq(cleat_document_parse(cleat_buffer_view(&buffer), &document, NULL), 0);
    ck_assert_int_eq(cleat_status_decode(409, cleat_document_root(document), false, &err), -EEXIST);
    ck_assert_str_eq(err.text, status.message);
    ck_assert_str_eq(err.reason, "AlreadyExists");
    ck_assert_int_eq(err.retry_after_ms, 2000);
    cleat_document_unref(document);
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_is)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert(!cleat_status_is(NULL, "NotFound"));
    ck_assert(!cleat_status_is(&err, "NotFound"));
    (void)cleat_status_decode(404, CLEAT_VALUE_NONE, false, &err);
    ck_assert(cleat_status_is(&err, "NotFound"));
    ck_assert(!cleat_status_is(&err, "Conflict"));
    /* An unknown reason: by the code, but never AlreadyExists. */
    memset(&err, 0, sizeof(err));
    struct cleat_document *document = document_of(STATUS("'message':'m','reason':'Odd'"));
    (void)cleat_status_decode(409, cleat_document_root(document), false, &err);
    ck_assert(cleat_status_is(&err, "Conflict"));
    ck_assert(!cleat_status_is(&err, "AlreadyExists"));
    cleat_document_unref(document);
}
END_TEST

CLEAT_SUITE_MAIN("status", test_reasons, test_write, test_decode, test_decode_retry,
                 test_round_trip, test_is)
