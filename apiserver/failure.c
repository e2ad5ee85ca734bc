/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/failure.h"

#include <cleat/status.h>
#include <cleat/write.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"

void cleat_api_failure_fini(struct cleat_api_failure *failure)
{
    for (size_t i = 0; i < failure->cause_count; i++) {
        cleat_mem_free(failure->causes[i].reason);
        cleat_mem_free(failure->causes[i].message);
        cleat_mem_free(failure->causes[i].field);
    }
    cleat_mem_free(failure->message);
    cleat_mem_free(failure->group);
    cleat_mem_free(failure->kind);
    cleat_mem_free(failure->name);
    cleat_mem_free(failure->continue_);
    *failure = (struct cleat_api_failure)CLEAT_API_FAILURE_INIT;
}

/* A formatted text of any length, or NULL. */
static char *CLEAT_PRINTF(1, 0) failure_text(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : cleat_mem_alloc((size_t)length + 1);
    if (text)
        (void)vsnprintf(text, (size_t)length + 1, format, arguments); /* fits */
    return text;
}

int cleat_api_fail(struct cleat_api_failure *failure, int code, const char *reason,
                   const char *format, ...)
{
    if (failure->code != 0)
        return -EPROTO;
    failure->code = code;
    snprintf(failure->reason, sizeof(failure->reason), "%s",
             reason ? reason : cleat_status_reason(code));
    va_list arguments;
    va_start(arguments, format);
    failure->message = failure_text(format, arguments);
    va_end(arguments);
    return -EPROTO;
}

static void failure_set(char **field, struct cleat_str text)
{
    cleat_mem_free(*field);
    *field = text.length ? cleat_mem_strndup(text.data, text.length) : NULL;
}

void cleat_api_fail_details(struct cleat_api_failure *failure, const char *group, const char *kind,
                            struct cleat_str name)
{
    failure_set(&failure->group, cleat_str_of(group));
    failure_set(&failure->kind, cleat_str_of(kind));
    failure_set(&failure->name, name);
}

void cleat_api_fail_cause(struct cleat_api_failure *failure, const char *reason, const char *field,
                          const char *format, ...)
{
    if (failure->cause_count == CLEAT_API_CAUSES_MAX)
        return;
    struct cleat_api_cause *cause = &failure->causes[failure->cause_count++];
    failure_set(&cause->reason, cleat_str_of(reason));
    failure_set(&cause->field, cleat_str_of(field));
    va_list arguments;
    va_start(arguments, format);
    cause->message = failure_text(format, arguments);
    va_end(arguments);
}

int cleat_api_fail_err(struct cleat_api_failure *failure, int code, const struct cleat_err *err)
{
    return cleat_api_fail(failure, code, NULL, "%s", cleat_err_text(err));
}

/* Puts the token into the Status that was written from @from on: its metadata is always empty. */
static void failure_continue(const char *token, size_t from, struct cleat_buffer *buffer)
{
    static const char empty[] = "\"metadata\":{";
    const char *place = buffer->failed ? NULL : strstr(buffer->data + from, empty);
    if (!place)
        return;
    struct cleat_buffer rest = CLEAT_BUFFER_INIT(buffer->bytes_max);
    cleat_buffer_text(&rest, place + sizeof(empty) - 1);
    buffer->length = (size_t)(place - buffer->data) + sizeof(empty) - 1;
    cleat_buffer_text(buffer, "\"continue\":");
    cleat_write_string(buffer, cleat_str_of(token));
    cleat_buffer_str(buffer, cleat_buffer_view(&rest));
    cleat_buffer_fini(&rest);
}

int cleat_api_failure_write(const struct cleat_api_failure *failure, struct cleat_buffer *buffer)
{
    struct cleat_status_cause causes[CLEAT_API_CAUSES_MAX];
    for (size_t i = 0; i < failure->cause_count; i++)
        causes[i] = (struct cleat_status_cause){.reason = failure->causes[i].reason,
                                                .message = failure->causes[i].message,
                                                .field = failure->causes[i].field};
    const struct cleat_status status = {
        .code = failure->code ? failure->code : 500,
        .reason = failure->reason[0] ? failure->reason : NULL,
        .message = failure->message ? failure->message : "out of memory",
        .group = failure->group,
        .kind = failure->kind,
        .name = failure->name,
        .retry_after_s = failure->retry_after_s,
        .causes = failure->cause_count ? causes : NULL,
        .cause_count = failure->cause_count,
    };
    size_t from = buffer->length;
    int result = cleat_status_write(&status, buffer);
    if (result == 0 && failure->continue_)
        failure_continue(failure->continue_, from, buffer);
    return buffer->failed ? buffer->failed : result;
}
