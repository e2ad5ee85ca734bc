/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdmissionReview v1, as the API server sends it, and what it accepts for an answer.
 */
#include <cleat/path.h>
#include <cleat/write.h>
#include <errno.h>
#include <string.h>

#include "apiserver/webhook.h"
#include "base/limits.h"
#include "kube/base64.h"

static void review_text(struct cleat_buffer *out, const char *before, struct cleat_str text)
{
    cleat_buffer_text(out, before);
    cleat_write_string(out, text);
}

static void review_kind(struct cleat_buffer *out, const char *member, const char *key,
                        const struct cleat_api_resource *resource, const char *version,
                        const char *name)
{
    cleat_buffer_format(out, ",\"%s\":{", member);
    review_text(out, "\"group\":", cleat_str_of(resource->group));
    review_text(out, ",\"version\":", cleat_str_of(version));
    cleat_buffer_format(out, ",\"%s\":", key);
    cleat_write_string(out, cleat_str_of(name));
    cleat_buffer_byte(out, '}');
}

/* The object as the webhook's version names it. */
static int review_object(struct cleat_buffer *out, const char *member,
                         const struct cleat_api_webhook *webhook,
                         const struct cleat_api_operation *operation, struct cleat_value object,
                         struct cleat_err *err)
{
    const struct cleat_api_resource *resource = operation->resource;
    cleat_buffer_format(out, ",\"%s\":", member);
    if (!cleat_value_is_present(object)) {
        cleat_buffer_text(out, "null");
        return 0;
    }
    if (webhook->version == operation->version)
        return cleat_write_json(out, object, err);
    cleat_buffer_format(out, "{\"apiVersion\":\"%s/%s\"", resource->group, webhook->version->name);
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(object); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(object, i, &key);
        if (cleat_str_is(key, "apiVersion"))
            continue;
        review_text(out, ",", key);
        cleat_buffer_byte(out, ':');
        result = cleat_write_json(out, value, err);
    }
    cleat_buffer_byte(out, '}');
    return result;
}

static void review_names(struct cleat_buffer *out, const struct cleat_api_operation *operation)
{
    const struct cleat_api_resource *resource = operation->resource;
    bool is_namespace = !resource->group[0] && strcmp(resource->plural, "namespaces") == 0;
    struct cleat_str namespace_ = is_namespace ? operation->object_name : operation->namespace_;
    if (operation->subresource.length)
        review_text(out, ",\"requestSubResource\":", operation->subresource);
    if (operation->object_name.length)
        review_text(out, ",\"name\":", operation->object_name);
    if (namespace_.length)
        review_text(out, ",\"namespace\":", namespace_);
    cleat_buffer_format(out, ",\"operation\":\"%s\",\"userInfo\":", operation->name);
    cleat_api_user_write(operation->request->user, out);
}

int cleat_api_webhook_review(const struct cleat_api_webhook *webhook,
                             const struct cleat_api_operation *operation, struct cleat_value object,
                             struct cleat_buffer *buffer, struct cleat_err *err)
{
    const struct cleat_api_resource *resource = operation->resource;
    cleat_buffer_format(buffer,
                        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
                        "\"request\":{\"uid\":\"%s\"",
                        webhook->uid);
    review_kind(buffer, "kind", "kind", resource, webhook->version->name, resource->kind);
    review_kind(buffer, "resource", "resource", resource, webhook->version->name, resource->plural);
    if (operation->subresource.length)
        review_text(buffer, ",\"subResource\":", operation->subresource);
    review_kind(buffer, "requestKind", "kind", resource, operation->version->name, resource->kind);
    review_kind(buffer, "requestResource", "resource", resource, operation->version->name,
                resource->plural);
    review_names(buffer, operation);
    int result = review_object(buffer, "object", webhook, operation, object, err);
    if (result == 0)
        result = review_object(buffer, "oldObject", webhook, operation, operation->old, err);
    cleat_buffer_format(buffer, ",\"dryRun\":%s", operation->dry_run ? "true" : "false");
    if (result == 0 && cleat_value_is_present(operation->options)) {
        cleat_buffer_text(buffer, ",\"options\":");
        result = cleat_write_json(buffer, operation->options, err);
    }
    cleat_buffer_text(buffer, "}}");
    if (result == 0 && buffer->failed)
        result = cleat_err_set(err, buffer->failed, "the review can't be written");
    return result;
}

void cleat_api_webhook_answer_fini(struct cleat_api_webhook_answer *answer)
{
    (void)cleat_document_unref(answer->document);
    (void)cleat_document_unref(answer->patch);
    *answer = (struct cleat_api_webhook_answer){0};
}

static int answer_invalid(struct cleat_err *err, const char *what)
{
    return cleat_err_set(err, -EINVAL, "received invalid webhook response: %s", what);
}

static int answer_check(const struct cleat_api_webhook *webhook, struct cleat_value root,
                        struct cleat_value response, struct cleat_err *err)
{
    struct cleat_scratch scratch[2];
    if (!cleat_value_is(cleat_value_get(root, "apiVersion"), "admission.k8s.io/v1") ||
        !cleat_value_is(cleat_value_get(root, "kind"), "AdmissionReview"))
        return cleat_err_set(
            err, -EINVAL,
            "received invalid webhook response: expected webhook response of admission.k8s.io/v1, "
            "Kind=AdmissionReview, got %.*s, Kind=%.*s",
            CLEAT_STR_ARG(cleat_value_text(cleat_value_get(root, "apiVersion"), &scratch[0])),
            CLEAT_STR_ARG(cleat_value_text(cleat_value_get(root, "kind"), &scratch[1])));
    if (cleat_value_type(response) != CLEAT_TYPE_OBJECT)
        return answer_invalid(err, "webhook response was absent");
    struct cleat_str uid = cleat_value_text(cleat_value_get(response, "uid"), &scratch[0]);
    if (!cleat_str_is(uid, webhook->uid))
        return cleat_err_set(err, -EINVAL,
                             "received invalid webhook response: expected response.uid=\"%s\", got "
                             "\"%.*s\"",
                             webhook->uid, CLEAT_STR_ARG(uid));
    if (cleat_value_type(cleat_value_get(response, "allowed")) != CLEAT_TYPE_BOOL)
        return answer_invalid(err, "response.allowed is not a boolean");
    return 0;
}

static int answer_patch(const struct cleat_api_webhook *webhook, struct cleat_value response,
                        struct cleat_api_webhook_answer *answer, struct cleat_err *err)
{
    struct cleat_scratch scratch[2];
    struct cleat_str patch = cleat_value_text(cleat_value_get(response, "patch"), &scratch[0]);
    struct cleat_value type = cleat_value_get(response, "patchType");
    bool has_type = cleat_value_type(type) == CLEAT_TYPE_STRING;
    if (!webhook->mutating && (patch.length || has_type))
        return answer_invalid(err, patch.length
                                       ? "validating webhook response may not have response.patch"
                                       : "validating webhook response may not have "
                                         "response.patchType");
    if (patch.length && !has_type)
        return answer_invalid(err, "webhook returned response.patch but not response.patchType");
    if (!patch.length && has_type)
        return answer_invalid(err, "webhook returned response.patchType but not response.patch");
    if (!patch.length)
        return 0;
    if (!cleat_value_is(type, "JSONPatch"))
        return answer_invalid(err, "invalid value of response.patchType");
    struct cleat_buffer bytes = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
    struct cleat_err why = CLEAT_ERR_INIT;
    int result = cleat_base64_decode(&bytes, patch, &why);
    if (result == 0)
        result = cleat_document_parse(cleat_buffer_view(&bytes), &answer->patch, &why);
    cleat_buffer_fini(&bytes);
    return result == 0 ? 0 : answer_invalid(err, cleat_err_text(&why));
}

int cleat_api_webhook_answer_init(const struct cleat_api_webhook *webhook, struct cleat_str body,
                                  struct cleat_api_webhook_answer *answer, struct cleat_err *err)
{
    struct cleat_err why = CLEAT_ERR_INIT;
    *answer = (struct cleat_api_webhook_answer){0};
    if (cleat_document_parse(body, &answer->document, &why) != 0)
        return answer_invalid(err, cleat_err_text(&why));
    struct cleat_value root = cleat_document_root(answer->document);
    struct cleat_value response = cleat_value_get(root, "response");
    int result = answer_check(webhook, root, response, err);
    if (result == 0)
        result = answer_patch(webhook, response, answer, err);
    if (result != 0) {
        cleat_api_webhook_answer_fini(answer);
        return result;
    }
    answer->allowed = cleat_value_is_true(cleat_value_get(response, "allowed"));
    answer->status = cleat_value_get(response, "status");
    answer->warnings = cleat_value_get(response, "warnings");
    return 0;
}
