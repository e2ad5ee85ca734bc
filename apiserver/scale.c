/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/change.h"
#include "apiserver/scale.h"

#include <cleat/path.h>
#include <cleat/selector.h>
#include <cleat/write.h>
#include <errno.h>
#include <inttypes.h>

#include "base/limits.h"

/* The selector as text; of a ReplicationController it's a plain map. */
static void scale_write_selector(struct cleat_value selector, struct cleat_buffer *text)
{
    struct cleat_selector *parsed = NULL;
    bool plain = !cleat_value_is_present(cleat_value_get(selector, "matchLabels")) &&
                 !cleat_value_is_present(cleat_value_get(selector, "matchExpressions"));
    if (!plain && cleat_selector_of(selector, &parsed, NULL) == 0 &&
        cleat_selector_write(parsed, text) != 0)
        cleat_buffer_reset(text); /* one that selects nothing has no text */
    for (size_t i = 0; plain && i < cleat_value_count(selector); i++) {
        struct cleat_str key;
        struct cleat_scratch scratch;
        struct cleat_value value = cleat_value_member(selector, i, &key);
        cleat_buffer_text(text, i ? "," : "");
        cleat_buffer_str(text, key);
        cleat_buffer_byte(text, '=');
        cleat_buffer_str(text, cleat_value_text(value, &scratch));
    }
    (void)cleat_selector_free(parsed);
}

static void scale_write(const struct cleat_api_record *record, struct cleat_value root,
                        struct cleat_buffer *out)
{
    struct cleat_buffer selector = CLEAT_BUFFER_INIT(CLEAT_SELECTOR_BYTES_MAX);
    struct cleat_scratch scratch;
    scale_write_selector(cleat_value_find(root, "spec.selector"), &selector);
    cleat_buffer_text(out, "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{"
                           "\"name\":");
    cleat_write_string(out, record->name);
    cleat_buffer_text(out, ",\"namespace\":");
    cleat_write_string(out, record->namespace_);
    cleat_buffer_text(out, ",\"uid\":");
    cleat_write_string(out, cleat_str_of(record->uid));
    cleat_buffer_format(
        out, ",\"resourceVersion\":\"%" PRIu64 "\",\"creationTimestamp\":", record->version);
    struct cleat_value created = cleat_value_find(root, "metadata.creationTimestamp");
    cleat_write_string(out, cleat_value_text(created, &scratch));
    cleat_buffer_format(out,
                        "},\"spec\":{\"replicas\":%" PRId64 "},\"status\":{\"replicas\":%" PRId64,
                        cleat_value_int_or(cleat_value_find(root, "spec.replicas"), 0),
                        cleat_value_int_or(cleat_value_find(root, "status.replicas"), 0));
    if (selector.length) {
        cleat_buffer_text(out, ",\"selector\":");
        cleat_write_string(out, cleat_buffer_view(&selector));
    }
    cleat_buffer_text(out, "}}");
    cleat_buffer_fini(&selector);
}

int cleat_api_scale_of(const struct cleat_api_request *request,
                       const struct cleat_api_record *record, struct cleat_document **ret,
                       struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *document = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    int result = cleat_api_record_document(record, &document, &err);
    if (result == 0) {
        scale_write(record, cleat_document_root(document), &text);
        result = cleat_document_parse(cleat_buffer_view(&text), ret, &err);
    }
    (void)cleat_document_unref(document);
    cleat_buffer_fini(&text);
    return result == 0 ? 0 : cleat_api_fail_err(failure, 500, &err);
}

int cleat_api_scale_answer(const struct cleat_api_request *request,
                           const struct cleat_api_record *record,
                           struct cleat_api_response *response, struct cleat_api_failure *failure)
{
    struct cleat_document *scale = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int result = cleat_api_scale_of(request, record, &scale, failure);
    if (result == 0 && cleat_write_json(&response->body, cleat_document_root(scale), &err) != 0)
        result = cleat_api_fail_err(failure, 500, &err);
    (void)cleat_document_unref(scale);
    return result;
}

int cleat_api_scale_apply(struct cleat_api_change *change, struct cleat_api_failure *failure)
{
    int64_t replicas = 0;
    const struct cleat_api_request *request = change->request;
    struct cleat_value value = cleat_value_find(cleat_api_change_object(change), "spec.replicas");
    int got = cleat_value_int(value, &replicas);
    if ((got != 0 && got != CLEAT_VALUE_ABSENT) || replicas < 0 || replicas > INT32_MAX)
        return cleat_api_fail_invalid(failure, request->resource, request->name,
                                      "FieldValueInvalid", "spec.replicas",
                                      "Invalid value: must be greater than or equal to 0");
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *document = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int result = cleat_draft_new(cleat_api_change_old(change), &draft, &err);
    if (result == 0)
        result = cleat_draft_set_int(draft, "spec.replicas", replicas, &err);
    if (result == 0)
        result = cleat_api_document_of(draft, &document, &err);
    if (result != 0)
        return cleat_api_fail_err(failure, 500, &err);
    cleat_api_change_take(change, document);
    return 0;
}
