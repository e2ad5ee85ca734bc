/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cleat/patch.h>
#include <cleat/status.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "base/utf8.h"
#include "kube/base64.h"
#include "webhooks/verdict.h"

void cleat_verdict_init(struct cleat_verdict *verdict)
{
    memset(verdict, 0, offsetof(struct cleat_verdict, message));
    verdict->message[0] = '\0';
}

void cleat_verdict_fini(struct cleat_verdict *verdict)
{
    verdict->owned = cleat_draft_free(verdict->owned);
    verdict->draft = NULL;
}

/* Makes @text fit for people's terminals: control characters and broken UTF-8 become '?', and the
 * end is cut at a character. */
static void verdict_clean(char *text, size_t bytes_max)
{
    struct cleat_str whole = cleat_str_of(text);
    size_t length = cleat_utf8_cut(whole, bytes_max - 1);
    size_t step;
    text[length] = '\0';
    for (size_t i = 0; i < length; i += step) {
        step = cleat_utf8_length(text + i, length - i);
        unsigned char byte = (unsigned char)text[i];
        bool control =
            byte < 0x20 || byte == 0x7f || (byte == 0xc2 && (unsigned char)text[i + 1] < 0xa0);
        if (step == 0)
            step = 1;
        if ((control && byte != '\n') || cleat_utf8_length(text + i, length - i) == 0)
            memset(text + i, '?', step);
    }
}

void cleat_verdict_allow(struct cleat_verdict *verdict)
{
    if (verdict->decision == CLEAT_DECISION_NONE)
        verdict->decision = CLEAT_DECISION_ALLOWED;
}

void cleat_verdict_deny(struct cleat_verdict *verdict, int code, const char *reason,
                        const char *format, ...)
{
    va_list args;
    verdict->decision = CLEAT_DECISION_DENIED;
    verdict->code = code >= 400 && code <= 599 ? code : 403;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s",
             reason ? reason : cleat_status_reason(verdict->code));
    va_start(args, format);
    vsnprintf(verdict->message, sizeof(verdict->message), format, args);
    va_end(args);
    verdict_clean(verdict->message, sizeof(verdict->message));
}

void cleat_verdict_warn(struct cleat_verdict *verdict, const char *format, ...)
{
    va_list args;
    if (verdict->warning_count == CLEAT_WARNINGS_MAX)
        return;
    char *warning = verdict->warnings[verdict->warning_count++];
    va_start(args, format);
    vsnprintf(warning, CLEAT_VERDICT_WARNING_BYTES, format, args);
    va_end(args);
    verdict_clean(warning, CLEAT_VERDICT_WARNING_BYTES);
    for (char *line = strchr(warning, '\n'); line; line = strchr(line, '\n'))
        *line = ' '; /* it travels in an HTTP header */
}

void cleat_verdict_audit(struct cleat_verdict *verdict, const char *key, const char *value)
{
    if (verdict->audit_count == CLEAT_AUDIT_MAX)
        return;
    size_t i = verdict->audit_count++;
    snprintf(verdict->audits[i].key, sizeof(verdict->audits[i].key), "%s", key);
    snprintf(verdict->audits[i].value, sizeof(verdict->audits[i].value), "%s", value);
    verdict_clean(verdict->audits[i].key, sizeof(verdict->audits[i].key));
    verdict_clean(verdict->audits[i].value, sizeof(verdict->audits[i].value));
}

void cleat_verdict_patch(struct cleat_verdict *verdict, struct cleat_draft *draft)
{
    cleat_verdict_allow(verdict);
    verdict->draft = draft;
}

int cleat_verdict_draft(struct cleat_verdict *verdict, const struct cleat_review *review,
                        struct cleat_draft **ret, struct cleat_err *err)
{
    if (!verdict->owned) {
        int r = cleat_draft_new(review->object, &verdict->owned, err);
        if (r < 0)
            return r;
    }
    verdict->draft = verdict->owned;
    *ret = verdict->owned;
    return 0;
}

static void verdict_write_pair(struct cleat_buffer *answer, const char *key, const char *text)
{
    (void)cleat_buffer_text(answer, key); /* sticky */
    cleat_write_string(answer, cleat_str_of(text));
}

static void verdict_write_status(const struct cleat_verdict *verdict, struct cleat_buffer *answer)
{
    (void)cleat_buffer_format(answer, ",\"status\":{\"code\":%d", verdict->code); /* sticky */
    verdict_write_pair(answer, ",\"reason\":", verdict->reason);
    verdict_write_pair(answer, ",\"message\":", verdict->message);
    (void)cleat_buffer_byte(answer, '}'); /* sticky */
}

static void verdict_write_extras(const struct cleat_verdict *verdict, struct cleat_buffer *answer)
{
    for (size_t i = 0; i < verdict->warning_count; i++)
        verdict_write_pair(answer, i == 0 ? ",\"warnings\":[" : ",", verdict->warnings[i]);
    if (verdict->warning_count > 0)
        (void)cleat_buffer_byte(answer, ']'); /* sticky */
    for (size_t i = 0; i < verdict->audit_count; i++) {
        verdict_write_pair(answer, i == 0 ? ",\"auditAnnotations\":{" : ",",
                           verdict->audits[i].key);
        verdict_write_pair(answer, ":", verdict->audits[i].value);
    }
    if (verdict->audit_count > 0)
        (void)cleat_buffer_byte(answer, '}'); /* sticky */
}

/* The patch is the difference to the object as it was received; without one there is no patchType
 * either. */
static int verdict_write_patch(const struct cleat_verdict *verdict, struct cleat_value original,
                               struct cleat_buffer *answer, struct cleat_err *err)
{
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
    int r = cleat_patch_diff(original, cleat_draft_value(verdict->draft), &patch, err);
    struct cleat_str text = cleat_buffer_view(&patch);
    if (r == 0 && !cleat_str_is(text, "[]")) {
        (void)cleat_buffer_text(answer, ",\"patchType\":\"JSONPatch\",\"patch\":\""); /* sticky */
        (void)cleat_base64_encode(answer, text);                                      /* sticky */
        (void)cleat_buffer_byte(answer, '"');                                         /* sticky */
    }
    cleat_buffer_fini(&patch);
    return r;
}

int cleat_verdict_write(const struct cleat_verdict *verdict, struct cleat_str uid,
                        struct cleat_value original, struct cleat_buffer *answer,
                        struct cleat_err *err)
{
    size_t start = answer->length;
    int r = 0;
    bool allowed = verdict->decision == CLEAT_DECISION_ALLOWED;
    (void)cleat_buffer_text(answer, "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":"
                                    "\"AdmissionReview\",\"response\":{\"uid\":"); /* sticky */
    cleat_write_string(answer, uid);
    (void)cleat_buffer_text(answer, allowed ? ",\"allowed\":true" : ",\"allowed\":false");
    if (!allowed)
        verdict_write_status(verdict, answer);
    else if (verdict->draft)
        r = verdict_write_patch(verdict, original, answer, err);
    verdict_write_extras(verdict, answer);
    (void)cleat_buffer_text(answer, "}}"); /* sticky */
    if (r == 0 && answer->failed)
        r = cleat_err_set(err, answer->failed, "the answer can't be written");
    if (r < 0)
        answer->length = start;
    return r;
}
