/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reviews, bytes in and bytes out: the input is the body on each path. Whatever comes, an answer is
 * a well-formed review with the request's uid, or one line of text with another status than 200;
 * patches lead to what the handler made; nothing stays counted as in flight.
 */
#include <stdint.h>
#include <string.h>
#include <cleat/document.h>
#include <cleat/patch.h>
#include <cleat/path.h>
#include <cleat/webhook.h>
#include "base/check.h"
#include "base/limits.h"
#include "kube/base64.h"
#include "webhooks/registry.h"

#define FUZZ_ANSWER_BYTES_MAX (64 * CLEAT_MIB)
#define FUZZ_LABEL "metadata.labels[\"example.com/defaulted\"]"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Allows what has a name, denies the rest, and reads everything that there may be. */
static int fuzz_validate(void *arg, const struct cleat_review *review,
                         struct cleat_verdict *verdict, struct cleat_err *err)
{
    if (review->name.length == 0) {
        cleat_verdict_deny(verdict, 422, NULL, "%.*s has no name", CLEAT_STR_ARG(review->resource));
    } else {
        cleat_verdict_allow(verdict);
        cleat_verdict_warn(verdict, "%.*s by %.*s", CLEAT_STR_ARG(review->name),
                           CLEAT_STR_ARG(review->username));
    }
    cleat_verdict_audit(verdict, "subresource", review->subresource.length ? "yes" : "no");
    return 0;
}

static int fuzz_mutate(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                       struct cleat_err *err)
{
    struct cleat_draft *draft = NULL;
    if (review->operation == CLEAT_OPERATION_DELETE) {
        cleat_verdict_allow(verdict);
        return 0;
    }
    int r = cleat_verdict_draft(verdict, review, &draft, err);
    if (r == 0)
        r = cleat_draft_set_text(draft, FUZZ_LABEL, "true", err);
    if (r == 0)
        cleat_verdict_patch(verdict, draft);
    return r;
}

static int fuzz_convert(void *arg, struct cleat_value object, struct cleat_str to_api_version,
                        struct cleat_draft *draft, struct cleat_err *err)
{
    return cleat_draft_set_str(draft, "apiVersion", to_api_version, err);
}

static void fuzz_add(struct cleat_webhooks *webhooks, const char *path,
                     enum cleat_webhook_type type, cleat_admit_fn admit)
{
    const struct cleat_webhook_options options = {.path = path, .type = type, .admit = admit};
    int r = cleat_webhooks_add(webhooks, &options, NULL);
    cleat_assert(r == 0);
}

static struct cleat_webhooks *fuzz_webhooks(void)
{
    static struct cleat_webhooks *webhooks; /* for the process's life: an edge's are as well */
    const struct cleat_webhooks_options options = {.body_bytes_max = 1 * CLEAT_MIB};
    struct cleat_gvk kind;
    if (webhooks)
        return webhooks;
    int r = cleat_webhooks_new(&options, &webhooks, NULL);
    cleat_assert(r == 0);
    fuzz_add(webhooks, "/validate", CLEAT_WEBHOOK_VALIDATING, fuzz_validate);
    fuzz_add(webhooks, "/mutate", CLEAT_WEBHOOK_MUTATING, fuzz_mutate);
    r = cleat_gvk_make(&kind, "example.com", "v1", "Widget");
    cleat_assert(r == 0);
    r = cleat_webhooks_convert(webhooks, &kind, fuzz_convert, NULL, NULL);
    cleat_assert(r == 0);
    return webhooks;
}

/* The patch, applied to the object that came, has the label; or there was nothing to change. */
static void check_patch(struct cleat_value request, struct cleat_value response)
{
    struct cleat_scratch scratch;
    struct cleat_document *patch = NULL, *result = NULL;
    struct cleat_buffer bytes = CLEAT_BUFFER_INIT(FUZZ_ANSWER_BYTES_MAX);
    struct cleat_value object = cleat_value_get(request, "object");
    struct cleat_value encoded = cleat_value_get(response, "patch");
    bool deletes = cleat_value_is(cleat_value_get(request, "operation"), "DELETE");
    if (!cleat_value_is_present(encoded)) {
        cleat_assert(deletes || cleat_value_is(cleat_value_find(object, FUZZ_LABEL), "true"));
        return;
    }
    cleat_assert(cleat_value_is(cleat_value_get(response, "patchType"), "JSONPatch"));
    int r = cleat_base64_decode(&bytes, cleat_value_text(encoded, &scratch), NULL);
    cleat_assert(r == 0);
    r = cleat_document_parse(cleat_buffer_view(&bytes), &patch, NULL);
    cleat_assert(r == 0);
    r = cleat_patch_apply(object, cleat_document_root(patch), &result, NULL);
    cleat_assert(r == 0);
    cleat_assert(cleat_value_is(cleat_value_find(cleat_document_root(result), FUZZ_LABEL), "true"));
    cleat_document_unref(result);
    cleat_document_unref(patch);
    cleat_buffer_fini(&bytes);
}

/* A 200: only for a body that is a review, and answered as one. */
static void check_review(struct cleat_str body, struct cleat_str text, const char *path)
{
    struct cleat_document *asked = NULL, *answer = NULL;
    int r = cleat_document_parse(body, &asked, NULL);
    cleat_assert(r == 0);
    r = cleat_document_parse(text, &answer, NULL);
    cleat_assert(r == 0);
    struct cleat_value from = cleat_document_root(asked), to = cleat_document_root(answer);
    struct cleat_value request = cleat_value_get(from, "request");
    struct cleat_value response = cleat_value_get(to, "response");
    cleat_assert(
        cleat_value_equal(cleat_value_get(from, "kind"), cleat_value_get(to, "kind")) &&
        cleat_value_equal(cleat_value_get(from, "apiVersion"), cleat_value_get(to, "apiVersion")));
    cleat_assert(cleat_value_is_present(cleat_value_get(request, "uid")));
    cleat_assert(
        cleat_value_equal(cleat_value_get(request, "uid"), cleat_value_get(response, "uid")));
    if (strcmp(path, "/validate") == 0)
        cleat_assert(!cleat_value_is_present(cleat_value_get(response, "patch")));
    if (strcmp(path, "/mutate") == 0)
        check_patch(request, response);
    cleat_document_unref(answer);
    cleat_document_unref(asked);
}

static void check_text(int status, struct cleat_str text, const char *path)
{
    /* Our own fault is nothing that a body can bring about; only the mutating handler may refuse
     * to go on, where labels aren't an object. */
    cleat_assert(status == 400 || status == 503 || (status == 500 && strcmp(path, "/mutate") == 0));
    cleat_assert(text.length > 1 && text.data[text.length - 1] == '\n');
    cleat_assert(!memchr(text.data, '\n', text.length - 1));
}

static void fuzz_ask(struct cleat_webhooks *webhooks, const char *path, struct cleat_str body)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(FUZZ_ANSWER_BYTES_MAX);
    int retry_after_s = 0;
    int status = cleat_webhooks_answer(webhooks, path, "timeout=10s", body, &text, &retry_after_s);
    cleat_assert(cleat_budget_used(cleat_webhooks_budget(webhooks)) == 0);
    cleat_assert((retry_after_s > 0) == (status == 503));
    if (status == 200)
        check_review(body, cleat_buffer_view(&text), path);
    else
        check_text(status, cleat_buffer_view(&text), path);
    cleat_buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cleat_webhooks *webhooks = fuzz_webhooks();
    struct cleat_str body = {(const char *)data, size};
    fuzz_ask(webhooks, "/validate", body);
    fuzz_ask(webhooks, "/mutate", body);
    fuzz_ask(webhooks, "/convert", body);
    return 0;
}
