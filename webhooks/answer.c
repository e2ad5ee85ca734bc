/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request's bytes to an answer's. Whatever goes wrong on the way is a status of its own and
 * one line of text; an AdmissionReview goes out only with a decision that a handler took.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/time.h>
#include "base/reporter.h"
#include "webhooks/convert.h"
#include "webhooks/registry.h"
#include "webhooks/review.h"
#include "webhooks/verdict.h"

#define ANSWER_TIMEOUT_MS_MAX 30000
#define ANSWER_RETRY_AFTER_S 1

struct answer {
    struct cleat_webhooks *webhooks;
    struct cleat_webhook *hook; /* NULL: conversion */
    struct cleat_webhook_series series;
    struct cleat_workspace *workspace;
    struct cleat_budget_claim claim;
    struct cleat_buffer *out;
    int64_t deadline_mono_ms;
    enum cleat_outcome outcome; /* of a review that was judged, as the next two */
    enum cleat_operation operation;
    struct cleat_gvk kind;
    struct cleat_err err;
};

/* The status for a failure. */
static int answer_status(int code)
{
    switch (code) {
    case -EINVAL:
    case -EEXIST:
    case -EILSEQ:
    case -E2BIG: return 400;
    case -ENOBUFS:
    case -ESTALE:
    case -EAGAIN: return 503;
    default: return 500;
    }
}

/* Milliseconds of "timeout=5s" in @query, the default without it. */
static int64_t answer_timeout_ms(const struct cleat_webhooks *webhooks, const char *query)
{
    int64_t ns = 0;
    while (query && *query) {
        size_t length = strcspn(query, "&");
        if (length > 8 && strncmp(query, "timeout=", 8) == 0 &&
            cleat_duration_parse((struct cleat_str){query + 8, length - 8}, &ns) == 0 && ns > 0)
            break;
        ns = 0;
        query += length;
        query += *query == '&';
    }
    int64_t ms = ns / 1000000;
    if (ms <= 0)
        return webhooks->options.timeout_ms;
    return ms < ANSWER_TIMEOUT_MS_MAX ? ms : ANSWER_TIMEOUT_MS_MAX;
}

/* Checks what the registration says before the handler is asked. 0: ask; 1: allowed untouched;
 * negative. */
static int answer_screen(struct answer *answer, const struct cleat_review *review)
{
    const struct cleat_webhook_options *options = &answer->hook->options;
    if (options->check_kind && !cleat_gvk_same_kind(&options->kind, &review->kind))
        return cleat_err_set(&answer->err, -EINVAL, "AdmissionReview: kind %s isn't served at %s",
                             review->kind.kind, answer->hook->path);
    if (options->operations != 0 && !(options->operations & (unsigned)review->operation))
        return 1;
    return 0;
}

/* Asks the handler; what it leaves undecided, or patches where it may not, is our fault. */
static int answer_judge(struct answer *answer, const struct cleat_review *review,
                        struct cleat_verdict *verdict)
{
    const struct cleat_webhook_options *options = &answer->hook->options;
    int r = options->admit(options->arg, review, verdict, &answer->err);
    if (r > 0)
        return cleat_err_set(&answer->err, -EIO, "the handler returned %d", r);
    if (r < 0)
        return r;
    if (verdict->decision == CLEAT_DECISION_NONE)
        return cleat_err_set(&answer->err, -EIO, "the handler took no decision");
    if (verdict->draft && options->type != CLEAT_WEBHOOK_MUTATING)
        return cleat_err_set(&answer->err, -EIO, "a validating handler made a patch");
    return 0;
}

/* Once a review was understood, nothing that goes wrong is the caller's fault. */
static int answer_fault(int code)
{
    int status = answer_status(code);
    return status == 400 ? 500 : status;
}

static int answer_review(struct answer *answer, const struct cleat_review *review, bool screened)
{
    struct cleat_verdict verdict;
    int r = 0;
    cleat_verdict_init(&verdict);
    if (screened)
        cleat_verdict_allow(&verdict);
    else
        r = answer_judge(answer, review, &verdict);
    if (r == 0)
        r = cleat_verdict_write(&verdict, review->uid, review->object, answer->out, &answer->err);
    answer->kind = review->kind;
    answer->operation = review->operation;
    answer->outcome = r < 0                                        ? CLEAT_OUTCOME_ERROR
                      : verdict.decision == CLEAT_DECISION_ALLOWED ? CLEAT_OUTCOME_ALLOWED
                                                                   : CLEAT_OUTCOME_DENIED;
    cleat_verdict_fini(&verdict);
    return r < 0 ? answer_fault(r) : 200;
}

static int answer_admission(struct answer *answer, struct cleat_value root)
{
    struct cleat_review_room room;
    int r = cleat_review_decode(root, &room, &answer->err);
    if (r == 0)
        r = answer_screen(answer, &room.review);
    if (r < 0)
        return answer_status(r);
    room.review.deadline_mono_ms = answer->deadline_mono_ms;
    room.review.clock = answer->webhooks->options.clock;
    room.review.log = answer->webhooks->options.log;
    return answer_review(answer, &room.review, r > 0);
}

static int answer_body(struct answer *answer, struct cleat_str body)
{
    struct cleat_value root;
    if (body.length == 0) {
        (void)cleat_err_set(&answer->err, -EINVAL, "the body is empty"); /* told by the status */
        return 400;
    }
    if (body.length > answer->webhooks->options.body_bytes_max) {
        (void)cleat_err_set(&answer->err, -E2BIG, "the body is too large"); /* told by the status */
        return 413;
    }
    int r = 0;
    if (!answer->claim.budget)
        r = cleat_budget_take(&answer->webhooks->budget, body.length, &answer->claim);
    if (r < 0)
        (void)cleat_err_set(&answer->err, r,
                            "too many bytes are in flight"); /* told by the status */
    if (r == 0)
        r = cleat_workspace_take(&answer->webhooks->shelf, &answer->workspace);
    if (r == 0)
        r = cleat_workspace_parse(answer->workspace, body, &answer->claim, &root, &answer->err);
    if (r < 0)
        return answer_status(r);
    if (answer->hook)
        return answer_admission(answer, root);
    r = cleat_convert_answer(answer->webhooks, root, answer->out, &answer->err);
    return r < 0 ? answer_status(r) : 200;
}

static void answer_end(struct answer *answer, const char *path, int status, int64_t start_ns)
{
    const struct cleat_webhooks_options *options = &answer->webhooks->options;
    char code[16];
    cleat_workspace_give(&answer->webhooks->shelf, answer->workspace);
    cleat_budget_give(&answer->claim);
    if (status >= 500)
        cleat_warn(options->log, "webhook request failed", cleat_log_text("path", path),
                   cleat_log_int("code", status), cleat_log_err(&answer->err));
    if (status == 404)
        return;
    double seconds = (double)(cleat_clock_mono_ns(options->clock) - start_ns) / 1e9;
    cleat_series_add(answer->series.in_flight, -1);
    cleat_series_observe(answer->series.latency, seconds);
    cleat_webhook_metrics_count(&answer->webhooks->metrics, path, &answer->kind, answer->operation,
                                answer->outcome, seconds);
    if (status == 200) {
        cleat_series_add(answer->series.requests_ok, 1);
        return;
    }
    snprintf(code, sizeof(code), "%d", status);
    cleat_series_add(
        cleat_metric_series(answer->webhooks->metrics.requests, (const char *const[]){path, code}),
        1);
}

int cleat_webhooks_answer_claimed(struct cleat_webhooks *webhooks, const char *path,
                                  const char *query, struct cleat_str body,
                                  struct cleat_budget_claim *claim, struct cleat_buffer *answer_out,
                                  int *ret_retry_after_s)
{
    int status = 404;
    const struct cleat_clock *clock = webhooks->options.clock;
    int64_t start_ns = cleat_clock_mono_ns(clock);
    struct answer answer = {
        .webhooks = webhooks, .claim = *claim, .err = CLEAT_ERR_INIT, .out = answer_out};
    *claim = (struct cleat_budget_claim){0};
    size_t start = answer_out->length;
    answer.hook = cleat_webhooks_find(webhooks, path);
    answer.deadline_mono_ms = start_ns / 1000000 + answer_timeout_ms(webhooks, query);
    if (!answer.hook && !cleat_webhooks_route(webhooks, path).found) {
        (void)cleat_err_set(&answer.err, -ENOENT, "there is no webhook at this path");
    } else {
        if (answer.hook)
            answer.series = answer.hook->series;
        else
            cleat_webhook_metrics_series(&webhooks->metrics, path, &answer.series);
        cleat_series_add(answer.series.in_flight, 1);
        status = answer_body(&answer, body);
    }
    if (status != 200) {
        answer_out->length = start;
        (void)cleat_buffer_format(answer_out, "%s\n", cleat_err_text(&answer.err)); /* sticky */
    }
    *ret_retry_after_s = status == 503 ? ANSWER_RETRY_AFTER_S : 0;
    answer_end(&answer, path, status, start_ns);
    return status;
}

int cleat_webhooks_answer(struct cleat_webhooks *webhooks, const char *path, const char *query,
                          struct cleat_str body, struct cleat_buffer *answer,
                          int *ret_retry_after_s)
{
    struct cleat_budget_claim claim = {0};
    return cleat_webhooks_answer_claimed(webhooks, path, query, body, &claim, answer,
                                         ret_retry_after_s);
}
