/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged reviews to handlers of every temper: none of them is ever taken for "allowed". */
#include <errno.h>

#include "fault/reviews.h"
#include "support/suite.h"

/* As an API server sends it, with all that there may be. */
#define REVIEW                                                                                    \
    "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{"          \
    "\"uid\":\"0c8f2d6e-1\",\"kind\":{\"group\":\"apps\",\"version\":\"v1\",\"kind\":"            \
    "\"Deployment\"},\"resource\":{\"group\":\"apps\",\"version\":\"v1\",\"resource\":"           \
    "\"deployments\"},\"requestKind\":{\"group\":\"apps\",\"version\":\"v1\",\"kind\":"           \
    "\"Deployment\"},\"requestResource\":{\"group\":\"apps\",\"version\":\"v1\",\"resource\":"    \
    "\"deployments\"},\"name\":\"web\",\"namespace\":\"shop\",\"operation\":\"UPDATE\","          \
    "\"userInfo\":{\"username\":\"mallory\",\"uid\":\"7\",\"groups\":[\"a\","                     \
    "\"system:authenticated\"],\"extra\":{\"scopes\":[\"x\"]}},\"object\":{\"apiVersion\":"       \
    "\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\","  \
    "\"labels\":{\"app\":\"web\"}},\"spec\":{\"replicas\":3}},\"oldObject\":{\"apiVersion\":"     \
    "\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"}," \
    "\"spec\":{\"replicas\":2}},\"dryRun\":false,\"options\":{\"kind\":\"UpdateOptions\","        \
    "\"apiVersion\":\"meta.k8s.io/v1\"}}}"

static int deny(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                struct cleat_err *err)
{
    cleat_verdict_deny(verdict, 0, NULL, "not by %.*s", CLEAT_STR_ARG(review->username));
    return 0;
}

/* Reads everything that there may be, echoes it in warnings, and says no at the end. */
static int read_all(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                    struct cleat_err *err)
{
    struct cleat_scratch scratch;
    cleat_verdict_allow(verdict);
    cleat_verdict_warn(verdict, "%.*s/%.*s of %.*s", CLEAT_STR_ARG(review->namespace_),
                       CLEAT_STR_ARG(review->name), CLEAT_STR_ARG(review->username));
    for (size_t i = 0; i < cleat_value_count(review->groups); i++)
        cleat_verdict_warn(
            verdict, "%.*s",
            CLEAT_STR_ARG(cleat_value_text(cleat_value_at(review->groups, i), &scratch)));
    cleat_verdict_audit(verdict, "subresource", review->subresource.length > 0 ? "yes" : "no");
    cleat_verdict_deny(verdict, 422, "Invalid", "%.*s is no good", CLEAT_STR_ARG(review->name));
    return 0;
}

static int draft_then_deny(void *arg, const struct cleat_review *review,
                           struct cleat_verdict *verdict, struct cleat_err *err)
{
    struct cleat_draft *draft = NULL;
    cleat_verdict_allow(verdict);
    if (!cleat_value_is_present(review->object)) {
        cleat_verdict_deny(verdict, 0, NULL, "nothing to change");
        return 0;
    }
    int r = cleat_verdict_draft(verdict, review, &draft, err);
    if (r == 0)
        r = cleat_draft_set_text(draft, "metadata.labels.made", "yes", err);
    if (r == 0)
        cleat_verdict_patch(verdict, draft);
    cleat_verdict_deny(verdict, 0, NULL, "no after all");
    return r;
}

static int decide_nothing(void *arg, const struct cleat_review *review,
                          struct cleat_verdict *verdict, struct cleat_err *err)
{
    cleat_verdict_warn(verdict, "forgot");
    return 0;
}

static int allow_then_fail(void *arg, const struct cleat_review *review,
                           struct cleat_verdict *verdict, struct cleat_err *err)
{
    cleat_verdict_allow(verdict);
    return cleat_err_set(err, -EIO, "the disk of %.*s", CLEAT_STR_ARG(review->name));
}

static int allow_then_stale(void *arg, const struct cleat_review *review,
                            struct cleat_verdict *verdict, struct cleat_err *err)
{
    cleat_verdict_allow(verdict);
    return cleat_err_set(err, -EAGAIN, "the cache isn't synced");
}

static const char *const operation_means[] = {"request.operation", NULL};

static const struct {
    const char *path;
    enum cleat_webhook_type type;
    cleat_admit_fn admit;
    bool check_kind;
    unsigned operations;
    bool fails;
    const char *const *means;
} handlers[] = {
    {"/deny", CLEAT_WEBHOOK_VALIDATING, deny, false, 0, false, NULL},
    {"/deny-kind", CLEAT_WEBHOOK_VALIDATING, deny, true, 0, false, NULL},
    {"/deny-updates", CLEAT_WEBHOOK_VALIDATING, deny, false, CLEAT_OPERATION_UPDATE, false,
     operation_means},
    {"/read", CLEAT_WEBHOOK_VALIDATING, read_all, false, 0, false, NULL},
    {"/draft", CLEAT_WEBHOOK_MUTATING, draft_then_deny, false, 0, false, NULL},
    {"/nothing", CLEAT_WEBHOOK_VALIDATING, decide_nothing, false, 0, true, NULL},
    {"/fail", CLEAT_WEBHOOK_MUTATING, allow_then_fail, false, 0, true, NULL},
    {"/stale", CLEAT_WEBHOOK_VALIDATING, allow_then_stale, false, 0, true, NULL},
};

#define HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

START_TEST(test_handlers)
{
    const struct cleat_webhooks_options options = {.body_bytes_max = 1 * CLEAT_MIB};
    struct cleat_webhooks *webhooks = NULL;
    ck_assert_int_eq(cleat_webhooks_new(&options, &webhooks, NULL), 0);
    for (size_t i = 0; i < HANDLERS; i++) {
        struct cleat_webhook_options hook = {
            .path = handlers[i].path,
            .type = handlers[i].type,
            .check_kind = handlers[i].check_kind,
            .operations = handlers[i].operations,
            .admit = handlers[i].admit,
        };
        ck_assert_int_eq(cleat_gvk_make(&hook.kind, "apps", "v1", "Deployment"), 0);
        ck_assert_int_eq(cleat_webhooks_add(webhooks, &hook, NULL), 0);
    }
    for (size_t i = 0; i < HANDLERS; i++) {
        struct reviews reviews = {
            .webhooks = webhooks,
            .path = handlers[i].path,
            .means = handlers[i].means,
            .tally = REVIEWS_TALLY,
        };
        reviews_run(&reviews, REVIEW, handlers[i].fails);
    }
    webhooks = cleat_webhooks_free(webhooks);
}
END_TEST

/* ---- conversion ---- */

#define CONVERSION                                                                             \
    "{\"kind\":\"ConversionReview\",\"apiVersion\":\"apiextensions.k8s.io/v1\",\"request\":{"  \
    "\"uid\":\"c-1\",\"desiredAPIVersion\":\"example.com/v2\",\"objects\":[{\"apiVersion\":"   \
    "\"example.com/"                                                                           \
    "v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"a\",\"uid\":\"1\"},\"spec\":{"          \
    "\"x\":1}},{\"apiVersion\":\"example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":" \
    "\"b\",\"uid\":\"2\"},\"spec\":{\"x\":2}}]}}"

static int convert(void *arg, struct cleat_value object, struct cleat_str to_api_version,
                   struct cleat_draft *draft, struct cleat_err *err)
{
    if (!cleat_value_is_present(cleat_value_find(object, "spec.x")))
        return cleat_err_set(err, -EINVAL, "spec.x is absent");
    return cleat_draft_set_text(draft, "spec.converted", "yes", err);
}

/* A success has as many objects as were sent, each the same one in the version asked for. */
static bool conversion_is_whole(struct cleat_value asked, struct cleat_value answer)
{
    struct cleat_value from = cleat_value_find(asked, "request.objects");
    struct cleat_value to = cleat_value_find(answer, "response.convertedObjects");
    struct cleat_value desired = cleat_value_find(asked, "request.desiredAPIVersion");
    bool whole = cleat_value_count(from) == cleat_value_count(to);
    for (size_t i = 0; whole && i < cleat_value_count(from); i++) {
        struct cleat_value before = cleat_value_at(from, i), after = cleat_value_at(to, i);
        whole = cleat_value_equal(cleat_value_get(after, "apiVersion"), desired) &&
                cleat_value_equal(cleat_value_get(after, "metadata"),
                                  cleat_value_get(before, "metadata")) &&
                cleat_value_equal(cleat_value_get(after, "kind"), cleat_value_get(before, "kind"));
    }
    return whole;
}

static void conversion_judge(struct reviews *reviews, const struct cleat_damage *damage)
{
    struct cleat_document *asked = NULL, *answer = NULL;
    ck_assert_int_eq(cleat_document_parse(damage->text, &asked, NULL), 0);
    ck_assert_int_eq(cleat_document_parse(cleat_buffer_view(&reviews->answer), &answer, NULL), 0);
    struct cleat_value from = cleat_document_root(asked), to = cleat_document_root(answer);
    bool success = cleat_value_is(cleat_value_find(to, "response.result.status"), "Success");
    reviews->allowed += success;
    reviews->denied += !success;
    if (!cleat_value_equal(cleat_value_find(from, "request.uid"),
                           cleat_value_find(to, "response.uid")))
        reviews_wrong(reviews, damage, "answers something else", 200);
    if (success && !conversion_is_whole(from, to))
        reviews_wrong(reviews, damage, "isn't whole", 200);
    if (!success && cleat_value_is_present(cleat_value_find(to, "response.convertedObjects")))
        reviews_wrong(reviews, damage, "failed with objects", 200);
    cleat_document_unref(answer);
    cleat_document_unref(asked);
}

static void conversion_ask(void *arg, const struct cleat_damage *damage)
{
    struct reviews *reviews = arg;
    int retry_after_s = 0;
    cleat_buffer_reset(&reviews->answer);
    int status = cleat_webhooks_answer(reviews->webhooks, reviews->path, "", damage->text,
                                       &reviews->answer, &retry_after_s);
    reviews->tally.injections++;
    if (damage->malformed && status != 400)
        reviews_wrong(reviews, damage, "was taken", status);
    if (status == 200)
        conversion_judge(reviews, damage);
    else
        reviews_judge_text(reviews, damage, status);
}

START_TEST(test_conversion)
{
    const struct cleat_webhooks_options options = {.body_bytes_max = 1 * CLEAT_MIB};
    struct reviews reviews = {
        .path = "/convert",
        .tally = {.name = "conversions", .least = 1000, .note = "damaged ConversionReviews"},
    };
    struct cleat_gvk kind;
    const struct cleat_damage whole = {"", "whole", false, cleat_str_of(CONVERSION)};
    ck_assert_int_eq(cleat_webhooks_new(&options, &reviews.webhooks, NULL), 0);
    ck_assert_int_eq(cleat_gvk_make(&kind, "example.com", "v1", "Widget"), 0);
    ck_assert_int_eq(cleat_webhooks_convert(reviews.webhooks, &kind, convert, NULL, NULL), 0);
    cleat_buffer_init(&reviews.answer, 64 * CLEAT_MIB);
    conversion_ask(&reviews, &whole);
    ck_assert_uint_eq(reviews.allowed, 1);
    reviews.tally.runs++;
    (void)cleat_damage_each(CONVERSION, conversion_ask, &reviews);
    cleat_buffer_fini(&reviews.answer);
    reviews.webhooks = cleat_webhooks_free(reviews.webhooks);
    cleat_tally_end(&reviews.tally);
}
END_TEST

CLEAT_SUITE_MAIN("reviews", test_handlers, test_conversion)
