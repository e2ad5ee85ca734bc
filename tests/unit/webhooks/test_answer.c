/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/document.h>
#include <cleat/webhook.h>
#include "base/limits.h"
#include "kube/base64.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define HEAD "\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\""
#define KIND "\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"}"
#define RESOURCE "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"}"
#define POD "{\"metadata\":{\"name\":\"web\",\"labels\":{\"a\":\"b\"}}}"
#define REVIEW(operation, rest)                                                               \
    "{" HEAD ",\"request\":{\"uid\":\"u-1\"," KIND "," RESOURCE ",\"operation\":\"" operation \
    "\"" rest "}}"
#define CREATE REVIEW("CREATE", ",\"object\":" POD)

struct judge {
    int result;
    int (*admit)(const struct cleat_review *review, struct cleat_verdict *verdict);
    int64_t deadline_mono_ms;
};

static int judge_admit(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                       struct cleat_err *err)
{
    struct judge *judge = arg;
    judge->deadline_mono_ms = review->deadline_mono_ms;
    if (judge->admit)
        return judge->admit(review, verdict);
    return judge->result < 0 ? cleat_err_set(err, judge->result, "told to fail") : judge->result;
}

static struct cleat_webhooks *webhooks_with(struct judge *judge, enum cleat_webhook_type type)
{
    struct cleat_webhooks *webhooks = NULL;
    struct cleat_webhooks_options options = {.body_bytes_max = 64 * CLEAT_KIB};
    struct cleat_webhook_options hook = {
        .path = "/hook",
        .type = type,
        .admit = judge_admit,
        .arg = judge,
        .operations = CLEAT_OPERATION_CREATE | CLEAT_OPERATION_UPDATE | CLEAT_OPERATION_DELETE};
    ck_assert_int_eq(cleat_gvk_make(&hook.kind, "", "v1", "Pod"), 0);
    hook.check_kind = true;
    ck_assert_int_eq(cleat_webhooks_new(&options, &webhooks, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(webhooks, &hook, NULL), 0);
    return webhooks;
}

static int ask(struct cleat_webhooks *webhooks, const char *path, struct cleat_str body,
               struct cleat_buffer *answer, int *retry_after)
{
    cleat_buffer_reset(answer);
    return cleat_webhooks_answer(webhooks, path, "timeout=5s", body, answer, retry_after);
}

static int allow(const struct cleat_review *review, struct cleat_verdict *verdict)
{
    cleat_verdict_allow(verdict);
    return 0;
}

static const struct {
    const char *name;
    const char *body;
    int status;
    const char *answer; /* a part of it */
} requests[] = {
    {"create", CREATE, 200, "\"uid\":\"u-1\",\"allowed\":true"},
    {"update", REVIEW("UPDATE", ",\"object\":" POD ",\"oldObject\":" POD), 200, "\"allowed\":true"},
    {"delete", REVIEW("DELETE", ",\"object\":null,\"oldObject\":" POD), 200, "\"allowed\":true"},
    {"operation that isn't asked for", REVIEW("CONNECT", ""), 200, "\"allowed\":true"},
    {"empty", "", 400, "the body is empty\n"},
    {"not JSON", "{", 400, ""},
    {"not an object", "[]", 400, "the body isn't a JSON object"},
    {"other kind", "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"Pod\"}", 400,
     "AdmissionReview"},
    {"v1beta1",
     "{\"apiVersion\":\"admission.k8s.io/v1beta1\",\"kind\":\"AdmissionReview\",\"request\":{}}",
     400, "apiVersion isn't admission.k8s.io/v1"},
    {"no request", "{" HEAD "}", 400, "request is absent"},
    {"null request", "{" HEAD ",\"request\":null}", 400, "request is absent"},
    {"no uid", "{" HEAD ",\"request\":{" KIND ",\"operation\":\"CREATE\",\"object\":{}}}", 400,
     "request.uid is absent"},
    {"uid of another type",
     "{" HEAD ",\"request\":{\"uid\":1," KIND ",\"operation\":\"CREATE\",\"object\":{}}}", 400,
     "uid isn't a string"},
    {"no kind", "{" HEAD ",\"request\":{\"uid\":\"u\",\"operation\":\"CREATE\",\"object\":{}}}",
     400, "request.kind is incomplete"},
    {"unknown kind",
     "{" HEAD
     ",\"request\":{\"uid\":\"u\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Node\"},"
     "\"operation\":\"CREATE\",\"object\":{}}}",
     400, "kind Node isn't served at /hook"},
    {"unknown operation", REVIEW("PATCH", ",\"object\":" POD), 400, "operation is unknown"},
    {"create without object", REVIEW("CREATE", ""), 400, "request.object is absent for CREATE"},
    {"create with null", REVIEW("CREATE", ",\"object\":null"), 400, "object is absent"},
    {"create with a list", REVIEW("CREATE", ",\"object\":[]"), 400, "object isn't an object"},
    {"update without old object", REVIEW("UPDATE", ",\"object\":" POD), 400, "oldObject is absent"},
    {"delete without old object", REVIEW("DELETE", ""), 400, "oldObject is absent for DELETE"},
    {"doubled key", REVIEW("CREATE", ",\"object\":{\"a\":1,\"a\":2}"), 400, ""},
    {"lone surrogate", REVIEW("CREATE", ",\"object\":{\"a\":\"\\ud800\"}"), 400, ""},
    {"invalid UTF-8", REVIEW("CREATE", ",\"object\":{\"a\":\"\xff\"}"), 400, ""},
    {"BOM", "\xef\xbb\xbf" CREATE, 400, ""},
    {"trailing bytes", CREATE "x", 400, ""},
    {"second document", CREATE "{}", 400, ""},
    {"dryRun of another type", REVIEW("CREATE", ",\"object\":" POD ",\"dryRun\":\"true\""), 400,
     "dryRun isn't a boolean"},
    {"groups of another type", REVIEW("CREATE", ",\"object\":" POD ",\"userInfo\":{\"groups\":{}}"),
     400, "groups isn't an array"},
};

START_TEST(test_requests)
{
    struct judge judge = {.admit = allow};
    struct cleat_webhooks *webhooks = webhooks_with(&judge, CLEAT_WEBHOOK_VALIDATING);
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        int retry_after = -1;
        int status = ask(webhooks, "/hook", cleat_str_of(requests[i].body), &answer, &retry_after);
        ck_assert_msg(status == requests[i].status, "%s: status %d: %s", requests[i].name, status,
                      answer.data);
        ck_assert_msg(strstr(answer.data, requests[i].answer), "%s: %s", requests[i].name,
                      answer.data);
        ck_assert_msg(status == 200 || !strstr(answer.data, "allowed"), "%s", requests[i].name);
        ck_assert_int_eq(retry_after, 0);
    }
    cleat_buffer_fini(&answer);
    cleat_webhooks_free(webhooks);
}
END_TEST

START_TEST(test_body_beyond_the_cap_and_unknown_path)
{
    static char body[64 * 1024 + 1];
    int retry_after;
    struct judge judge = {.admit = allow};
    struct cleat_webhooks *webhooks = webhooks_with(&judge, CLEAT_WEBHOOK_VALIDATING);
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    memset(body, ' ', sizeof(body));
    struct cleat_str large = {body, sizeof(body)};
    ck_assert_int_eq(ask(webhooks, "/hook", large, &answer, &retry_after), 413);
    ck_assert_int_eq(ask(webhooks, "/other", CLEAT_STR(CREATE), &answer, &retry_after), 404);
    ck_assert_int_eq(ask(webhooks, "/convert", CLEAT_STR(CREATE), &answer, &retry_after), 404);
    cleat_buffer_fini(&answer);
    cleat_webhooks_free(webhooks);
}
END_TEST

static int undecided(const struct cleat_review *review, struct cleat_verdict *verdict)
{
    cleat_verdict_warn(verdict, "only warned");
    return 0;
}

static int patch_anyway(const struct cleat_review *review, struct cleat_verdict *verdict)
{
    struct cleat_draft *draft = NULL;
    ck_assert_int_eq(cleat_verdict_draft(verdict, review, &draft, NULL), 0);
    cleat_verdict_allow(verdict);
    return cleat_draft_set_text(draft, "metadata.labels[\"x/y\"]", "1", NULL);
}

static const struct {
    const char *name;
    struct judge judge;
    int status;
    int retry_after;
} faults[] = {
    {"no decision", {.admit = undecided}, 500, 0},
    {"a patch from a validator", {.admit = patch_anyway}, 500, 0},
    {"unknown outcome", {.result = 1}, 500, 0},
    {"failure", {.result = -EIO}, 500, 0},
    {"handler's own bad argument", {.result = -EINVAL}, 500, 0},
    {"out of memory", {.result = -ENOMEM}, 500, 0},
    {"cache that isn't synced", {.result = -EAGAIN}, 503, 1},
    {"cache that is too old", {.result = -ESTALE}, 503, 1},
};

START_TEST(test_our_own_fault_is_never_allowed)
{
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        int retry_after = -1;
        struct judge judge = faults[i].judge;
        struct cleat_webhooks *webhooks = webhooks_with(&judge, CLEAT_WEBHOOK_VALIDATING);
        int status = ask(webhooks, "/hook", CLEAT_STR(CREATE), &answer, &retry_after);
        ck_assert_msg(status == faults[i].status, "%s: status %d", faults[i].name, status);
        ck_assert_int_eq(retry_after, faults[i].retry_after);
        ck_assert_ptr_null(strstr(answer.data, "allowed\":true"));
        cleat_webhooks_free(webhooks);
    }
    cleat_buffer_fini(&answer);
}
END_TEST

static int deny(const struct cleat_review *review, struct cleat_verdict *verdict)
{
    ck_assert(cleat_str_is(review->name, "web"));
    cleat_verdict_warn(verdict, "first\nline");
    cleat_verdict_warn(verdict, "second");
    cleat_verdict_audit(verdict, "example.com/rule", "latest");
    cleat_verdict_deny(verdict, 0, NULL, "image \"%s\" ends in \033[1m:latest", "a:latest");
    cleat_verdict_allow(verdict);
    return 0;
}

START_TEST(test_denial_with_warnings_and_annotations)
{
    int retry_after;
    struct judge judge = {.admit = deny};
    struct cleat_webhooks *webhooks = webhooks_with(&judge, CLEAT_WEBHOOK_VALIDATING);
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(ask(webhooks, "/hook", CLEAT_STR(CREATE), &answer, &retry_after), 200);
    ck_assert_str_eq(
        answer.data,
        "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\","
        "\"response\":{\"uid\":\"u-1\",\"allowed\":false,\"status\":{\"code\":403,"
        "\"reason\":\"Forbidden\",\"message\":\"image \\\"a:latest\\\" ends in ?[1m:latest\"},"
        "\"warnings\":[\"first line\",\"second\"],"
        "\"auditAnnotations\":{\"example.com/rule\":\"latest\"}}}");
    cleat_buffer_fini(&answer);
    cleat_webhooks_free(webhooks);
}
END_TEST

/* The decoded patch of an answer, as text in @buffer. */
static void answer_patch(const struct cleat_buffer *answer, struct cleat_buffer *buffer)
{
    struct cleat_document *document = NULL;
    struct cleat_scratch scratch;
    ck_assert_int_eq(cleat_document_parse(cleat_buffer_view(answer), &document, NULL), 0);
    struct cleat_value response = cleat_value_get(cleat_document_root(document), "response");
    ck_assert(cleat_value_is(cleat_value_get(response, "patchType"), "JSONPatch"));
    ck_assert_int_eq(
        cleat_base64_decode(buffer, cleat_value_text(cleat_value_get(response, "patch"), &scratch),
                            NULL),
        0);
    cleat_document_unref(document);
}

START_TEST(test_mutation_is_the_difference)
{
    int retry_after;
    struct judge judge = {.admit = patch_anyway};
    struct cleat_webhooks *webhooks = webhooks_with(&judge, CLEAT_WEBHOOK_MUTATING);
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(ask(webhooks, "/hook", CLEAT_STR(CREATE), &answer, &retry_after), 200);
    answer_patch(&answer, &patch);
    ck_assert_str_eq(patch.data,
                     "[{\"op\":\"add\",\"path\":\"/metadata/labels/x~1y\",\"value\":\"1\"}]");
    cleat_buffer_fini(&patch);
    cleat_buffer_fini(&answer);
    cleat_webhooks_free(webhooks);
}
END_TEST

START_TEST(test_no_change_is_no_patch)
{
    int retry_after;
    struct judge judge = {.admit = patch_anyway};
    struct cleat_webhooks *webhooks = webhooks_with(&judge, CLEAT_WEBHOOK_MUTATING);
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_str body =
        CLEAT_STR(REVIEW("CREATE", ",\"object\":{\"metadata\":{\"labels\":{\"x/y\":\"1\"}}}"));
    ck_assert_int_eq(ask(webhooks, "/hook", body, &answer, &retry_after), 200);
    ck_assert_ptr_null(strstr(answer.data, "patch"));
    ck_assert_ptr_nonnull(strstr(answer.data, "\"allowed\":true"));
    cleat_buffer_fini(&answer);
    cleat_webhooks_free(webhooks);
}
END_TEST

static const struct {
    const char *query;
    int64_t timeout_ms;
} timeouts[] = {
    {"timeout=5s", 5000},       {"", 10000},
    {"timeout=90s", 30000},     {"timeout=x", 10000},
    {"a=b&timeout=500ms", 500}, {"timeout=-1s", 10000},
    {"xtimeout=3s", 10000},
};

START_TEST(test_deadline_comes_from_the_query)
{
    int retry_after;
    struct cleat_fake_clock fake;
    struct judge judge = {.admit = allow};
    struct cleat_webhooks *webhooks = NULL;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    cleat_fake_clock_init(&fake);
    struct cleat_webhooks_options options = {.clock = &fake.clock};
    struct cleat_webhook_options hook = {.path = "/hook", .admit = judge_admit, .arg = &judge};
    ck_assert_int_eq(cleat_webhooks_new(&options, &webhooks, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(webhooks, &hook, NULL), 0);
    for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
        cleat_buffer_reset(&answer);
        ck_assert_int_eq(cleat_webhooks_answer(webhooks, "/hook", timeouts[i].query,
                                               CLEAT_STR(CREATE), &answer, &retry_after),
                         200);
        ck_assert_int_eq(judge.deadline_mono_ms - cleat_clock_mono_ms(&fake.clock),
                         timeouts[i].timeout_ms);
    }
    cleat_buffer_fini(&answer);
    cleat_webhooks_free(webhooks);
}
END_TEST

START_TEST(test_bytes_in_flight_are_bounded_by_the_parsed_form_too)
{
    int retry_after = 0;
    struct cleat_webhooks *webhooks = NULL;
    struct judge judge = {.admit = allow};
    struct cleat_webhooks_options options = {.bytes_in_flight_max = 2 * CLEAT_MIB};
    struct cleat_webhook_options hook = {.path = "/hook", .admit = judge_admit, .arg = &judge};
    struct cleat_buffer body = CLEAT_BUFFER_INIT(2 * CLEAT_MIB);
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(cleat_webhooks_new(&options, &webhooks, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(webhooks, &hook, NULL), 0);
    (void)cleat_buffer_text(&body, "{\"a\":[1.5");
    for (int i = 0; i < 200000; i++)
        (void)cleat_buffer_format(&body, ",%d.5", i % 10);
    (void)cleat_buffer_text(&body, "]}");
    ck_assert_int_eq(ask(webhooks, "/hook", cleat_buffer_view(&body), &answer, &retry_after), 503);
    ck_assert_int_eq(retry_after, 1);
    ck_assert_int_eq(ask(webhooks, "/hook", CLEAT_STR(CREATE), &answer, &retry_after), 200);
    cleat_buffer_fini(&answer);
    cleat_buffer_fini(&body);
    cleat_webhooks_free(webhooks);
}
END_TEST

CLEAT_SUITE_MAIN("answer", test_requests, test_body_beyond_the_cap_and_unknown_path,
                 test_our_own_fault_is_never_allowed, test_denial_with_warnings_and_annotations,
                 test_mutation_is_the_difference, test_no_change_is_no_patch,
                 test_deadline_comes_from_the_query,
                 test_bytes_in_flight_are_bounded_by_the_parsed_form_too)
