/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/webhook.h"

#include <cleat/draft.h>
#include <cleat/patch.h>
#include <cleat/path.h>
#include <cleat/write.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/change.h"
#include "base/limits.h"
#include "base/mem.h"

#define WEBHOOK_GROUP "admissionregistration.k8s.io"

/* The configurations of one sort, as they are now. */
struct webhook_set {
    struct cleat_api_snapshot snapshot;
    struct cleat_document **documents; /* one for each record; NULL where it can't be read */
};

/* One pass through admission. */
struct webhook_pass {
    struct cleat_api_callers *callers;
    struct cleat_api_server *server;
    const struct cleat_api_operation *operation;
    struct cleat_api_failure *failure;
    bool mutating;
    struct cleat_value object;       /* as it stands */
    struct cleat_document *document; /* owned: the changed object; NULL: as it came */
    unsigned changes;
};

static void set_fini(struct webhook_set *set)
{
    for (size_t i = 0; set->documents && i < set->snapshot.count; i++)
        (void)cleat_document_unref(set->documents[i]);
    cleat_mem_free(set->documents);
    cleat_api_snapshot_fini(&set->snapshot);
}

static int set_init(struct webhook_set *set, struct cleat_api_server *server, const char *plural)
{
    *set = (struct webhook_set){0};
    struct cleat_api_resource *resource =
        cleat_api_registry_find(&server->registry, CLEAT_STR(WEBHOOK_GROUP), cleat_str_of(plural));
    int result = resource ? cleat_api_registry_snapshot(&server->registry, resource, CLEAT_STR(""),
                                                        CLEAT_STR(""), 0, &set->snapshot)
                          : -ENOENT;
    (void)cleat_api_resource_unref(resource);
    if (result == 0 && set->snapshot.count) {
        set->documents = cleat_mem_zalloc(set->snapshot.count, sizeof(*set->documents));
        result = set->documents ? 0 : -ENOMEM;
    }
    for (size_t i = 0; result == 0 && i < set->snapshot.count; i++)
        result = cleat_api_record_document(set->snapshot.records[i], &set->documents[i], NULL);
    return result;
}

/* Configurations aren't subject to webhooks: no webhook may keep itself from being removed. */
static bool webhook_exempt(const struct cleat_api_resource *resource)
{
    return strcmp(resource->group, WEBHOOK_GROUP) == 0;
}

/* 0 where a failure is to be passed over. */
static int webhook_failed(const struct webhook_pass *pass, const struct cleat_api_webhook *webhook,
                          const struct cleat_err *err)
{
    if (webhook->ignore) {
        cleat_warn(pass->server->log, "webhook failed and is ignored",
                   cleat_log_text("webhook", webhook->name), cleat_log_err(err));
        return 0;
    }
    const char *call =
        strncmp(cleat_err_text(err), "received invalid", 16) == 0 ? "" : "failed to call webhook: ";
    return cleat_api_fail(pass->failure, 500, "InternalError",
                          "Internal error occurred: failed calling webhook \"%s\": %s%s",
                          webhook->name, call, cleat_err_text(err));
}

static int webhook_denied(const struct webhook_pass *pass, const struct cleat_api_webhook *webhook,
                          struct cleat_value status)
{
    struct cleat_scratch scratch[2];
    struct cleat_str message = cleat_value_text(cleat_value_get(status, "message"), &scratch[0]);
    struct cleat_str reason = cleat_value_text(cleat_value_get(status, "reason"), &scratch[1]);
    int64_t code = cleat_value_int_or(cleat_value_get(status, "code"), 400);
    char word[40];
    snprintf(word, sizeof(word), "%.*s", CLEAT_STR_ARG(reason));
    if (code < 400 || code > 599)
        code = 400;
    struct cleat_str why = message.length ? message : reason;
    return cleat_api_fail(pass->failure, (int)code, word[0] ? word : NULL,
                          "admission webhook \"%s\" denied the request%s%.*s", webhook->name,
                          why.length ? ": " : " without explanation", CLEAT_STR_ARG(why));
}

static void webhook_warn(const struct webhook_pass *pass, struct cleat_value warnings)
{
    for (size_t i = 0; i < cleat_value_count(warnings); i++) {
        struct cleat_scratch scratch;
        struct cleat_str text = cleat_value_text(cleat_value_at(warnings, i), &scratch);
        CLEAT_CLEANUP(cleat_mem_freep) char *copy = cleat_mem_strndup(text.data, text.length);
        for (char *byte = copy; byte && *byte; byte++)
            if ((unsigned char)*byte < 0x20)
                *byte = ' ';
        if (copy && copy[0])
            cleat_api_request_warn(pass->operation->request, copy);
    }
}

/* The patched object, in the request's version again. */
static int webhook_patched(const struct webhook_pass *pass, const struct cleat_api_webhook *webhook,
                           struct cleat_value patch, struct cleat_document **ret,
                           struct cleat_err *err)
{
    struct cleat_document *patched = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int result = cleat_patch_apply(pass->object, patch, &patched, err);
    if (result == CLEAT_PATCH_TEST)
        result = -EINVAL;
    if (result != 0 || webhook->version == pass->operation->version) {
        *ret = result == 0 ? patched : NULL;
        return result;
    }
    result = cleat_draft_new(cleat_document_root(patched), &draft, err);
    if (result == 0)
        result =
            cleat_draft_set_text(draft, "apiVersion", pass->operation->request->api_version, err);
    if (result == 0)
        result = cleat_api_document_of(draft, ret, err);
    draft = cleat_draft_free(draft);
    (void)cleat_document_unref(patched);
    return result;
}

static int webhook_apply(struct webhook_pass *pass, const struct cleat_api_webhook *webhook,
                         struct cleat_document *patch)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *next = NULL;
    if (!patch || !cleat_value_count(cleat_document_root(patch)))
        return 0;
    if (!cleat_value_is_present(pass->object))
        return cleat_api_fail(pass->failure, 500, "InternalError",
                              "Internal error occurred: admission webhook \"%s\" attempted to "
                              "modify the object, which is not supported for this operation",
                              webhook->name);
    if (webhook_patched(pass, webhook, cleat_document_root(patch), &next, &err) != 0)
        return cleat_api_fail(pass->failure, 500, "InternalError", "Internal error occurred: %s",
                              cleat_err_text(&err));
    if (cleat_value_equal(cleat_document_root(next), pass->object)) {
        (void)cleat_document_unref(next);
        return 0;
    }
    (void)cleat_document_unref(pass->document);
    pass->document = next;
    pass->object = cleat_document_root(next);
    pass->changes++;
    return 0;
}

static int webhook_post(struct webhook_pass *pass, const struct cleat_api_webhook *webhook,
                        struct cleat_str review, struct cleat_api_webhook_answer *answer,
                        struct cleat_err *err)
{
    struct cleat_api_webhook_target target;
    struct cleat_transport_answer reply;
    int result = cleat_api_webhook_target_init(pass->server, webhook->hook, &target, err);
    if (result != 0)
        return result;
    cleat_transport_answer_init(&reply);
    result =
        cleat_api_callers_post(pass->callers, &target, review, webhook->timeout_ms, &reply, err);
    if (result == 0)
        result =
            cleat_api_webhook_answer_init(webhook, cleat_buffer_view(&reply.body), answer, err);
    cleat_transport_answer_fini(&reply);
    cleat_api_webhook_target_fini(&target);
    return result;
}

/* 1: its conditions hold; 0: they don't; negative with @err. */
static int webhook_condition(const struct cleat_api_webhook *webhook, struct cleat_str review,
                             struct cleat_err *err)
{
    struct cleat_document *document = NULL;
    if (!cleat_value_count(cleat_value_get(webhook->hook, "matchConditions")))
        return 1;
    int result = cleat_document_parse(review, &document, err);
    if (result == 0)
        result = cleat_api_webhook_conditions(webhook, cleat_document_root(document), err);
    (void)cleat_document_unref(document);
    return result;
}

static int webhook_condition_failed(const struct webhook_pass *pass,
                                    const struct cleat_api_webhook *webhook,
                                    const struct cleat_err *err)
{
    return webhook->ignore ? 0
                           : cleat_api_fail(pass->failure, 403, NULL,
                                            "match conditions of webhook \"%s\" can't be "
                                            "evaluated: %s",
                                            webhook->name, cleat_err_text(err));
}

/* Asks one webhook that matches. @ret_asked says whether its conditions held too. */
static int webhook_ask(struct webhook_pass *pass, struct cleat_api_webhook *webhook,
                       bool *ret_asked)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_api_webhook_answer answer = {0};
    struct cleat_buffer review = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
    cleat_clock_uuid(pass->server->clock, webhook->uid);
    *ret_asked = false;
    int result = cleat_api_webhook_review(webhook, pass->operation, pass->object, &review, &err);
    if (result != 0)
        result = cleat_api_fail_err(pass->failure, 500, &err);
    else {
        int holds = webhook_condition(webhook, cleat_buffer_view(&review), &err);
        *ret_asked = holds == 1;
        if (holds < 0)
            result = webhook_condition_failed(pass, webhook, &err);
    }
    if (result == 0 && *ret_asked) {
        result = webhook_post(pass, webhook, cleat_buffer_view(&review), &answer, &err);
        if (result != 0)
            result = webhook_failed(pass, webhook, &err);
        else {
            webhook_warn(pass, answer.warnings);
            result = answer.allowed ? webhook_apply(pass, webhook, answer.patch)
                                    : webhook_denied(pass, webhook, answer.status);
        }
    }
    cleat_api_webhook_answer_fini(&answer);
    cleat_buffer_fini(&review);
    return result;
}

/* Webhooks that were asked, and after how many changes; for asking again. */
struct webhook_asked {
    struct cleat_value hook;
    unsigned changes;
};

#define WEBHOOK_ASKED_MAX 256

struct webhook_asked_list {
    struct webhook_asked items[WEBHOOK_ASKED_MAX];
    size_t count;
};

static int pass_hook(struct webhook_pass *pass, struct cleat_value hook,
                     struct webhook_asked_list *list)
{
    struct cleat_api_webhook webhook;
    bool asked = false;
    if (!cleat_api_webhook_matches(pass->server, hook, pass->mutating, pass->operation,
                                   pass->object, &webhook))
        return 0;
    int result = webhook_ask(pass, &webhook, &asked);
    bool again = cleat_value_is(cleat_value_get(hook, "reinvocationPolicy"), "IfNeeded");
    if (result == 0 && list && asked && again && list->count < WEBHOOK_ASKED_MAX)
        list->items[list->count++] = (struct webhook_asked){.hook = hook, .changes = pass->changes};
    return result;
}

static int pass_set(struct webhook_pass *pass, const struct webhook_set *set,
                    struct webhook_asked_list *list)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < set->snapshot.count; i++) {
        struct cleat_value root = cleat_document_root(set->documents[i]);
        struct cleat_value hooks = cleat_value_get(root, "webhooks");
        for (size_t j = 0; result == 0 && j < cleat_value_count(hooks); j++)
            result = pass_hook(pass, cleat_value_at(hooks, j), list);
    }
    return result;
}

/* Those that want to are asked once more where the object changed behind them. */
static int pass_again(struct webhook_pass *pass, const struct webhook_asked_list *list)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < list->count; i++)
        if (list->items[i].changes < pass->changes)
            result = pass_hook(pass, list->items[i].hook, NULL);
    return result;
}

static int pass_run(struct webhook_pass *pass, const char *plural)
{
    struct webhook_set set;
    struct webhook_asked_list *list = NULL;
    int result = set_init(&set, pass->server, plural);
    if (result == 0 && pass->mutating && set.snapshot.count) {
        list = cleat_mem_zalloc(1, sizeof(*list));
        result = list ? 0 : -ENOMEM;
    }
    if (result != 0)
        result = cleat_api_fail(pass->failure, 500, NULL,
                                "webhook configurations can't be read: %s", strerror(-result));
    else
        result = pass_set(pass, &set, list);
    if (result == 0 && list)
        result = pass_again(pass, list);
    cleat_mem_free(list);
    set_fini(&set);
    return result;
}

int cleat_api_webhooks_mutate(struct cleat_api_callers *callers, struct cleat_api_server *server,
                              const struct cleat_api_operation *operation,
                              struct cleat_value object, struct cleat_document **ret,
                              struct cleat_api_failure *failure)
{
    struct webhook_pass pass = {
        .callers = callers,
        .server = server,
        .operation = operation,
        .failure = failure,
        .mutating = true,
        .object = object,
    };
    if (webhook_exempt(operation->resource))
        return 0;
    int result = pass_run(&pass, "mutatingwebhookconfigurations");
    if (result == 0 && pass.document)
        *ret = pass.document;
    else
        (void)cleat_document_unref(pass.document);
    return result;
}

int cleat_api_webhooks_validate(struct cleat_api_callers *callers, struct cleat_api_server *server,
                                const struct cleat_api_operation *operation,
                                struct cleat_value object, struct cleat_api_failure *failure)
{
    struct webhook_pass pass = {
        .callers = callers,
        .server = server,
        .operation = operation,
        .failure = failure,
        .object = object,
    };
    if (webhook_exempt(operation->resource))
        return 0;
    return pass_run(&pass, "validatingwebhookconfigurations");
}
